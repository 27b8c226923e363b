//! When to connect again (RFC 6455 §7.2.3).

use std::time::Duration;

use sansocket::client::backoff::{Advice, Backoff, Ended, Policy, retry_after};

use crate::{sampled, thinned};

fn policy(first: Duration, cap: Duration) -> Policy {
    let mut policy = Policy::default();
    (policy.first, policy.cap) = (first, cap);
    policy
}

/// What a schedule that has just begun says of an end, without its reason.
#[derive(Debug, PartialEq, Eq)]
enum Says {
    Now,
    Later,
    Authorize,
    GiveUp,
}

fn says(ended: Ended) -> Says {
    match Backoff::new(Policy::default()).next(ended, Duration::ZERO, 0) {
        Advice::RetryNow(_) => Says::Now,
        Advice::RetryAfter(..) => Says::Later,
        Advice::Authorize(_) => Says::Authorize,
        Advice::GiveUp(_) => Says::GiveUp,
    }
}

/// RFC 6455 §7.4.1 and the registry of §11.7. Domain: all 65,536 codes of a close report: which are tried again, and which are
/// told by name, with each name once.
#[test]
fn every_close_code() {
    let mut names = std::collections::BTreeSet::new();
    let mut named = Vec::new();
    for code in sampled(0..=u16::MAX, 997) {
        let expected = match code {
            1001 | 1006 | 1011 | 1012 | 1013 | 1014 | 3008 => Says::Later,
            3000 => Says::Authorize,
            _ => Says::GiveUp,
        };
        let ended = Ended::Closed(code);
        assert_eq!(says(ended), expected, "{code}");
        let words = ended.to_string();
        let rest = words.strip_prefix(&format!("closed with {code}")).unwrap();
        if !rest.is_empty() {
            named.push(code);
            assert!(rest.starts_with(" (") && rest.ends_with(')'), "{words}");
            assert!(names.insert(rest.to_string()), "{words}");
        }
    }
    let registered = (1000..=1003).chain(1005..=1015).chain([3000, 3003, 3008]);
    assert!(
        cfg!(miri) || named == registered.collect::<Vec<u16>>(),
        "{named:?}"
    );
}

/// RFC 9110 §15, RFC 6585, RFC 8470. Domain: all 65,536 numbers as a status, with and without a `Retry-After`.
#[test]
fn every_status() {
    for status in sampled(0..=u16::MAX, 997) {
        for asked in [false, true] {
            let expected = match (status, asked) {
                (401 | 407 | 511, _) => Says::Authorize,
                (421 | 425, false) => Says::Now,
                (408 | 429, _) | (400..=499, true) => Says::Later,
                (501 | 505 | 506 | 510, _) => Says::GiveUp,
                (500..=599, _) => Says::Later,
                _ => Says::GiveUp,
            };
            let retry_after = asked.then_some(Duration::from_secs(7));
            assert_eq!(
                says(Ended::Refused {
                    status,
                    retry_after
                }),
                expected,
                "{status}"
            );
        }
    }
}

/// RFC 6455 §7.2.3. Domain: delays 1 to 100 of schedules whose first bound and cap are each of a list that goes to the ends of a
/// `Duration`, with random numbers that are each power of two, its neighbors and the ends.
///
/// Why that is all: the bound doubles until the cap, which is comparing; the delay is the high half of a product, in which
/// each bit of the random number counts by itself.
#[test]
fn every_delay() {
    let seconds = Duration::from_secs;
    let firsts = [
        Duration::ZERO,
        Duration::from_millis(1),
        seconds(1),
        seconds(5),
        seconds(1 << 40),
        Duration::MAX,
    ];
    let caps = [
        Duration::ZERO,
        Duration::from_nanos(1),
        seconds(120),
        seconds(1 << 20),
        seconds(1 << 60),
        Duration::MAX,
    ];
    let randoms: Vec<u64> = (0..64)
        .flat_map(|bit| [(1 << bit) - 1, 1 << bit])
        .chain([u64::MAX])
        .collect();
    for first in firsts {
        for cap in caps {
            for &random in sampled(randoms.iter(), 43) {
                let mut backoff = Backoff::new(policy(first, cap));
                let mut bound = first;
                for n in 1..=100 {
                    let whole = bound.min(cap).as_nanos().min(u64::MAX.into());
                    // In two halves, as a product of 128 bits might be made.
                    let (high, low) = (random >> 32, random & 0xffff_ffff);
                    let part = (whole * u128::from(high) + ((whole * u128::from(low)) >> 32)) >> 32;
                    let ended = Ended::Unreachable;
                    let Advice::RetryAfter(delay, _) = backoff.next(ended, Duration::ZERO, random)
                    else {
                        panic!("{n}");
                    };
                    assert_eq!(delay.as_nanos(), part, "{n}: {first:?}, {cap:?}, {random}");
                    assert!(delay <= bound.min(cap));
                    bound = bound.saturating_mul(2);
                }
            }
        }
    }
}

/// RFC 9110 §5.6.7, §10.2.3. Domain: every day from 1970 to 2101, with leap years of each kind (with `DOMAINS=whole` to the
/// end of 9999), in the forms with four digits, counted day by day; and every second of a day.
///
/// The day and the time of day are read apart and added.
#[test]
fn every_day() {
    const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
    const MONTHS: [(&str, u64); 12] = [
        ("Jan", 31),
        ("Feb", 28),
        ("Mar", 31),
        ("Apr", 30),
        ("May", 31),
        ("Jun", 30),
        ("Jul", 31),
        ("Aug", 31),
        ("Sep", 30),
        ("Oct", 31),
        ("Nov", 30),
        ("Dec", 31),
    ];
    let last = match (cfg!(miri), crate::whole()) {
        (true, _) => 1972,
        (false, true) => 9999,
        (false, false) => 2101,
    };
    let seconds = |text: String| {
        retry_after(text.as_bytes(), Some(Duration::ZERO)).map(|date| date.as_secs())
    };
    let mut days = 0;
    for year in 1970..=last {
        let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
        for (month, len) in MONTHS {
            let len = len + u64::from(leap && month == "Feb");
            for day in 1..=len {
                days += 1;
                if cfg!(miri) && days % 29 != 0 {
                    continue;
                }
                let name = DAYS[(days - 1) % 7];
                let expected = Some((days as u64 - 1) * 86_400);
                assert_eq!(
                    seconds(format!("{name}, {day:02} {month} {year} 00:00:00 GMT")),
                    expected,
                    "{day} {month} {year}"
                );
                assert_eq!(
                    seconds(format!("{name} {month} {day:2} 00:00:00 {year}")),
                    expected,
                    "{day} {month} {year}"
                );
            }
            for day in [0, len + 1] {
                assert_eq!(
                    seconds(format!("Mon, {day:02} {month} {year} 00:00:00 GMT")),
                    None
                );
            }
        }
    }
    for second in thinned(0..86_400usize, 1) {
        let (hour, minute, rest) = (second / 3600, second / 60 % 60, second % 60);
        let text = format!("Thu, 01 Jan 1970 {hour:02}:{minute:02}:{rest:02} GMT");
        assert_eq!(seconds(text), Some(second as u64));
    }
    for (hour, minute, second) in [(24, 0, 0), (0, 60, 0), (0, 0, 61)] {
        let text = format!("Thu, 01 Jan 1970 {hour:02}:{minute:02}:{second:02} GMT");
        assert_eq!(seconds(text), None);
    }
}
