//! The field `Retry-After` (RFC 9110 §10.2.3) and the dates in it (§5.6.7).

use core::time::Duration;

use crate::decimal::{decimal, is_decimal};

/// Reads the pause that a `Retry-After` field asks for: seconds, or a date in one of the three forms
/// of HTTP (RFC 9110 §10.2.3, §5.6.7).
///
/// `wall` is the time since 1970-01-01 00:00 UTC, which a date needs. `None`: a value outside the
/// grammar, or a date without `wall`. A date in the past gives zero.
///
/// ```
/// use core::time::Duration;
/// use sansocket::client::backoff::retry_after;
/// assert_eq!(retry_after(b"120", None), Some(Duration::from_secs(120)));
/// let date = b"Fri, 31 Dec 1999 23:59:59 GMT";
/// assert_eq!(retry_after(date, None), None);
/// let wall = Duration::from_secs(946_684_780); // 19 s before
/// assert_eq!(retry_after(date, Some(wall)), Some(Duration::from_secs(19)));
/// ```
#[must_use]
pub fn retry_after(value: &[u8], wall: Option<Duration>) -> Option<Duration> {
    let value = core::str::from_utf8(value).ok()?.trim_matches([' ', '\t']);
    if let Some(seconds) = number(value) {
        return Some(Duration::from_secs(seconds));
    }
    let wall = wall?;
    let date = Duration::from_secs(http_date(value, wall.as_secs())?);
    Some(date.saturating_sub(wall))
}

/// Seconds from 1970 to an HTTP-date, zero if it lies before, `None` if it is none. `wall` is the present
/// time, which decides the century of a year with two digits.
fn http_date(value: &str, wall: u64) -> Option<u64> {
    let Some((day_name, rest)) = value.split_once(", ") else {
        return asctime_date(value);
    };
    let (date, time) = rest.strip_suffix(" GMT")?.rsplit_once(' ')?;
    let time = clock(time)?;
    if is_day(day_name, 3) {
        imf_fixdate(date, time)
    } else if is_day(day_name, usize::MAX) {
        rfc850_date(date, time, wall)
    } else {
        None
    }
}

/// `06 Nov 1994`
fn imf_fixdate(date: &str, time: u64) -> Option<u64> {
    let mut parts = date.split(' ');
    let day = digits(parts.next()?, 2)?;
    let month = month(parts.next()?)?;
    let year = digits(parts.next()?, 4)?;
    if parts.next().is_some() {
        return None;
    }
    seconds(year, month, day, time)
}

/// `06-Nov-94`
fn rfc850_date(date: &str, time: u64, wall: u64) -> Option<u64> {
    let mut parts = date.split('-');
    let day = digits(parts.next()?, 2)?;
    let month = month(parts.next()?)?;
    let mut year = 1900 + digits(parts.next()?, 2)?;
    if parts.next().is_some() {
        return None;
    }
    // RFC 9110 §5.6.7: a year that seems to be more than 50 years ahead is a past one. So it is the
    // latest year with these digits that is not.
    let horizon = wall.saturating_add(50 * 365 * DAY + 12 * DAY);
    while year < 9900 && seconds(year + 100, month, day, time).is_some_and(|date| date <= horizon) {
        year += 100;
    }
    seconds(year, month, day, time)
}

/// `Sun Nov  6 08:49:37 1994`
fn asctime_date(value: &str) -> Option<u64> {
    let (day_name, rest) = value.split_at_checked(3)?;
    let (month_name, rest) = rest.strip_prefix(' ')?.split_at_checked(3)?;
    let (day, rest) = rest.strip_prefix(' ')?.split_at_checked(2)?;
    let (time, year) = rest.strip_prefix(' ')?.split_once(' ')?;
    let day = match day.strip_prefix(' ') {
        Some(day) => digits(day, 1)?,
        None => digits(day, 2)?,
    };
    if !is_day(day_name, 3) {
        return None;
    }
    seconds(digits(year, 4)?, month(month_name)?, day, clock(time)?)
}

/// Whether this is a day's name, cut to `len` letters.
fn is_day(name: &str, len: usize) -> bool {
    DAYS.iter().any(|day| name == day.get(..len).unwrap_or(day))
}

/// 0 for January.
fn month(name: &str) -> Option<usize> {
    MONTHS.iter().position(|&month| month == name)
}

/// `08:49:37` in seconds; a leap second counts as the next one.
fn clock(time: &str) -> Option<u64> {
    let mut parts = time.split(':');
    let mut part = |max| {
        parts
            .next()
            .and_then(|part| digits(part, 2))
            .filter(|&part| part <= max)
    };
    let (hour, minute, second) = (part(23)?, part(59)?, part(60)?);
    parts
        .next()
        .is_none()
        .then_some((hour * 60 + minute) * 60 + second)
}

/// Seconds from 1970 to a time of a day, zero if it lies before; `None` if there is no such day.
fn seconds(year: u64, month: usize, day: u64, time: u64) -> Option<u64> {
    let leap = |year: u64| {
        year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
    };
    let lengths = [
        31,
        28 + u64::from(leap(year)),
        31,
        30,
        31,
        30,
        31,
        31,
        30,
        31,
        30,
        31,
    ];
    if day == 0 || day > *lengths.get(month)? {
        return None;
    }
    // Days before a year, from year 1 on.
    let before = |year: u64| {
        let past = year - 1;
        365 * past + past / 4 - past / 100 + past / 400
    };
    let days = before(year.max(1)) + lengths.iter().take(month).sum::<u64>() + day - 1;
    let days = days.checked_sub(before(1970));
    Some(days.map_or(0, |days| days * DAY + time))
}

/// Exactly `len` digits.
fn digits(text: &str, len: usize) -> Option<u64> {
    (text.len() == len).then(|| number(text)).flatten()
}

/// Digits only; more than fit count as the largest number.
fn number(text: &str) -> Option<u64> {
    let text = text.as_bytes();
    is_decimal(text).then(|| decimal(text).unwrap_or(u64::MAX))
}

const DAYS: [&str; 7] = [
    "Sunday",
    "Monday",
    "Tuesday",
    "Wednesday",
    "Thursday",
    "Friday",
    "Saturday",
];

const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];

const DAY: u64 = 86_400;

#[cfg(test)]
mod tests {
    use core::time::Duration;

    use proptest::prelude::*;

    use super::retry_after;

    /// 2000-01-01 00:00 UTC.
    const WALL: Duration = Duration::from_secs(946_684_800);

    fn at(value: &str) -> Option<u64> {
        retry_after(value.as_bytes(), Some(WALL)).map(|pause| pause.as_secs())
    }

    #[test]
    fn seconds() {
        for (value, seconds) in [
            ("0", Some(0)),
            ("120", Some(120)),
            (" 7\t", Some(7)),
            ("007", Some(7)),
            ("99999999999999999999999", Some(u64::MAX)),
            ("", None),
            ("-1", None),
            ("+1", None),
            ("1.5", None),
            ("1 2", None),
            ("soon", None),
        ] {
            assert_eq!(at(value), seconds, "{value}");
            let pause = retry_after(value.as_bytes(), None);
            assert_eq!(pause.map(|pause| pause.as_secs()), seconds, "{value}");
        }
        assert_eq!(retry_after(b"\xff", Some(WALL)), None);
    }

    /// RFC 9110 §5.6.7: a recipient takes all three forms.
    #[test]
    fn dates() {
        for (value, seconds) in [
            ("Sat, 01 Jan 2000 00:00:19 GMT", Some(19)),
            ("Saturday, 01-Jan-00 00:00:19 GMT", Some(19)),
            ("Sat Jan  1 00:00:19 2000", Some(19)),
            ("Mon Jan 10 00:00:00 2000", Some(9 * 86_400)),
            // Leap years, the year's end, a leap second.
            ("Wed, 01 Mar 2000 00:00:00 GMT", Some(60 * 86_400)),
            ("Tue, 29 Feb 2000 00:00:00 GMT", Some(59 * 86_400)),
            ("Sun, 29 Feb 2004 00:00:00 GMT", Some(1520 * 86_400)),
            ("Mon, 29 Feb 2100 00:00:00 GMT", None),
            ("Mon, 01 Jan 2001 00:00:00 GMT", Some(366 * 86_400)),
            ("Sat, 01 Jan 2000 23:59:60 GMT", Some(86_400)),
            ("Thu, 01 Mar 2001 00:00:00 GMT", Some((366 + 59) * 86_400)),
            // Past.
            ("Sun, 06 Nov 1994 08:49:37 GMT", Some(0)),
            ("Sunday, 06-Nov-94 08:49:37 GMT", Some(0)),
            ("Sun Nov  6 08:49:37 1994", Some(0)),
            // A year of two digits is never more than 50 years ahead.
            (
                "Friday, 01-Jan-49 00:00:00 GMT",
                Some((49 * 365 + 13) * 86_400),
            ),
            ("Friday, 31-Dec-49 00:00:00 GMT", Some(18_262 * 86_400)),
            ("Saturday, 01-Jan-50 00:00:00 GMT", Some(0)),
            ("Friday, 01-Jan-51 00:00:00 GMT", Some(0)),
            ("Friday, 01-Jan-99 00:00:00 GMT", Some(0)),
            ("Thu, 06 Nov 1969 08:49:37 GMT", Some(0)),
            ("Sat, 01 Jan 0000 00:00:19 GMT", Some(0)),
            // Not dates.
            ("Sat, 1 Jan 2000 00:00:19 GMT", None),
            ("Sat, 01 Jan 2000 00:00:19 UTC", None),
            ("Sat, 01 Jan 2000 00:00:19", None),
            ("Sat, 01 jan 2000 00:00:19 GMT", None),
            ("Sat, 01 Jan 2000 24:00:00 GMT", None),
            ("Sat, 01 Jan 2000 00:60:00 GMT", None),
            ("Sat, 01 Jan 2000 00:00:61 GMT", None),
            ("Sat, 01 Jan 2000 00:00 GMT", None),
            ("Sat, 01 Jan 2000 00:00:00:00 GMT", None),
            ("Sat, 00 Jan 2000 00:00:19 GMT", None),
            ("Sat, 32 Jan 2000 00:00:19 GMT", None),
            ("Thu, 29 Feb 2001 00:00:19 GMT", None),
            ("Sat, 01 Jan 2000 5 00:00:19 GMT", None),
            ("Xyz, 01 Jan 2000 00:00:19 GMT", None),
            ("Satur, 01-Jan-00 00:00:19 GMT", None),
            ("Saturday, 01-Jan-00-1 00:00:19 GMT", None),
            ("Xat Jan  1 00:00:19 2000", None),
            ("Sat Jan 1 00:00:19 2000", None),
            ("Sat Jan  1 00:00:19 20000", None),
        ] {
            assert_eq!(at(value), seconds, "{value}");
        }
        // There is no year of five digits, wherever the clock stands.
        let year_9990 = Duration::from_secs(8020 * 31_556_952);
        let pause = retry_after(b"Saturday, 01-Jan-00 00:00:00 GMT", Some(year_9990));
        assert_eq!(pause, Some(Duration::ZERO));
    }

    proptest! {
        /// Peer bytes never panic.
        #[test]
        fn anything_goes(value in "[A-Za-z0-9 ,:é-]{0,40}", wall in any::<Option<u64>>()) {
            let _ = retry_after(value.as_bytes(), wall.map(Duration::from_secs));
        }
    }
}
