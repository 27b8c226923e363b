//! The clock of a connection: what is waited for, and until when. The time is an input: nothing
//! here reads one.

use core::time::Duration;

use crate::config::Timeouts;

/// What is waited for, and until when. Before the time is told nothing is.
///
/// | deadline | begins with | what arrives |
/// |---|---|---|
/// | ping | the last frame or KiB that came, or the last ping | puts it off |
/// | pong | the ping, once what was queued before it has left | settles it with a frame or a KiB, puts it off once with less |
/// | idle | the last byte that came | puts it off |
/// | message | the first byte of the message | ends it with the last one |
/// | handshake, close | its beginning | ends it with what is waited for |
pub(crate) struct Clock {
    /// [`NEVER`] before it was told.
    pub(crate) now: Nanos,
    /// When the peer was last heard: a frame ended, or a KiB of one came.
    pub(crate) heard: Nanos,
    /// When the last keepalive ping was queued, or later: from when on its answer is waited for.
    pub(crate) pinged: Nanos,
    /// The handshake or close deadline.
    pub(crate) due: Nanos,
    pub(crate) since: Since,
    /// The payload of the last keepalive ping.
    pub(crate) ping_number: u16,
    /// The last keepalive ping was not answered yet.
    pub(crate) unanswered: bool,
}

/// What has happened since the peer was heard; one number, as hearing it sets it to zero: nothing.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Since(pub(crate) u32);

/// What a deadline is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Deadline {
    /// The end of the opening handshake, or of the closing one.
    Handshake,
    /// The next keepalive ping.
    Ping,
    /// The answer to the last one.
    Pong,
    /// Anything from the peer.
    Idle,
    /// The end of the message in progress.
    Message,
}

/// Nanoseconds since the caller's origin; 292 years of them. What came before a clock of a younger process began
/// is below zero.
pub(crate) type Nanos = i64;

impl Clock {
    // ── the time

    /// Tells the time: how much has passed, or `None` if the clock starts. Time that goes backwards is
    /// ignored.
    pub(crate) fn tell(&mut self, now: Duration) -> Option<Nanos> {
        let now = nanos(now).min(NEVER - 1);
        if self.now == NEVER {
            *self = Self {
                now,
                heard: now,
                ..Self::default()
            };
            return None;
        }
        let passed = now.saturating_sub(self.now).max(0);
        self.now += passed;
        Some(passed)
    }

    /// The time, if it was told.
    pub(crate) fn now(&self) -> Option<Nanos> {
        (self.now != NEVER).then_some(self.now)
    }

    /// The time was told.
    #[inline]
    pub(crate) const fn is_told(&self) -> bool {
        self.now != NEVER
    }

    /// Whether a deadline has passed.
    pub(crate) const fn is_past(&self, due: Nanos) -> bool {
        due <= self.now
    }

    // ── deadlines that have passed

    /// One was found to have passed. What it waits for may have arrived before and not been read: the
    /// driver gets the time to do so. True if it had that time already.
    pub(crate) const fn find_late(&mut self) -> bool {
        let had = self.since.late() == Since::LATEST;
        if !had {
            self.since.0 += 1;
        }
        had
    }

    /// Whether a deadline has passed, and the driver is given time.
    #[inline]
    pub(crate) const fn is_late(&self) -> bool {
        self.since.late() > 0
    }

    /// Whether the driver has had the time to read, and delivers now what it has.
    pub(crate) const fn is_last_chance(&self) -> bool {
        self.since.late() == Since::LATEST
    }

    /// No deadline has passed, or something came after it had.
    #[inline]
    pub(crate) const fn in_time(&mut self) {
        self.since.0 &= !Since::LATE;
    }

    // ── the handshakes

    /// The opening or closing handshake has to end in time. Nothing is bounded before the time is told.
    pub(crate) fn bound(&mut self, after: Duration) {
        if self.now != NEVER {
            self.due = self::after(self.now, after);
            self.in_time();
        }
    }

    /// So much time does not count.
    pub(crate) const fn prolong(&mut self, by: Nanos) {
        self.due = self.due.saturating_add(by);
    }

    /// The handshake has ended, or its deadline has passed.
    pub(crate) const fn unbound(&mut self) {
        self.due = NEVER;
        self.in_time();
    }

    /// A handshake has to end in time.
    pub(crate) const fn is_bounded(&self) -> bool {
        self.due != NEVER
    }

    // ── the peer

    /// When the peer was heard before what is being read now.
    pub(crate) const fn last_heard(&self) -> Nanos {
        self.heard
    }

    /// The peer was heard: a frame ended, or a KiB of one came. It lives, whatever was waited for.
    #[inline]
    pub(crate) const fn heard(&mut self) {
        self.heard = self.now;
        self.since = Since(0);
    }

    /// Nothing has happened since the peer was heard.
    #[inline]
    pub(crate) fn is_undisturbed(&self) -> bool {
        self.since == Since(0)
    }

    /// The peer was heard again, while the clock [is undisturbed](Self::is_undisturbed).
    #[inline]
    pub(crate) const fn heard_again(&mut self) {
        self.heard = self.now;
    }

    /// Bytes came. What ends nothing and is not much may be a drip that never ends, and is noted beside.
    #[inline]
    pub(crate) fn trickled(&mut self) {
        self.in_time();
        self.begin_idle();
    }

    /// The idle time begins now.
    pub(crate) fn begin_idle(&mut self) {
        if self.heard < self.now {
            self.since.set_trickle(since(self.heard, self.now));
        }
    }

    /// When the latest byte came.
    const fn last_byte(&self) -> Nanos {
        self.heard.saturating_add(self.since.trickle())
    }

    /// The wait for a Pong begins now: how much later than before.
    pub(crate) const fn wait_anew(&mut self) -> Nanos {
        let later = if self.unanswered {
            self.now.saturating_sub(self.pinged)
        } else {
            0
        };
        self.pinged = self.now;
        later
    }

    /// It is time for a keepalive ping, and the last one has not left: that one is waited for, from now on.
    pub(crate) const fn put_ping_off(&mut self) -> Nanos {
        self.since.0 |= Since::ASKED;
        self.wait_anew()
    }

    /// An answer is waited for, and nothing else that would prove life has come.
    pub(crate) const fn is_asked(&self) -> bool {
        self.since.is_asked()
    }

    /// A keepalive ping begins.
    pub(crate) const fn begin_ping(&mut self) {
        self.pinged = self.now;
    }

    /// The keepalive ping is queued. Its payload is a number of our own, so that no other Pong is taken
    /// for its answer.
    pub(crate) const fn ping_queued(&mut self) -> [u8; 2] {
        self.ping_number = self.ping_number.wrapping_add(1);
        self.unanswered = true;
        self.since.0 |= Since::ASKED;
        self.ping_number.to_be_bytes()
    }

    /// From when on the answer was waited for, if this is it.
    pub(crate) fn ping_answered(&mut self, payload: &[u8]) -> Option<Nanos> {
        let answers = self.unanswered && payload == self.ping_number.to_be_bytes();
        if !answers {
            return None;
        }
        self.unanswered = false;
        Some(self.pinged)
    }

    /// Microseconds since then, as far as they can be told.
    pub(crate) fn micros_since(&self, then: Nanos) -> Option<u32> {
        u32::try_from(since(then, self.now) / 1000).ok()
    }

    // ── deadlines

    /// The earliest deadline of a handshake.
    pub(crate) fn handshake_deadline(&self) -> Option<(Deadline, Nanos)> {
        set(Deadline::Handshake, self.due)
    }

    /// The earliest deadline while the peer may send, with the message that it began at that time.
    pub(crate) fn earliest(
        &self,
        timeouts: &Timeouts,
        message_since: Option<Nanos>,
    ) -> Option<(Deadline, Nanos)> {
        let pong = match timeouts.pong {
            Some(pong) if self.is_asked() => self.pong_due(pong),
            _ => NEVER,
        };
        let ping = self.ping_deadline(timeouts).map_or(NEVER, |(_, due)| due);
        let mut earliest = (Deadline::Pong, pong);
        for next in [
            (Deadline::Ping, ping),
            (Deadline::Idle, expiry(self.last_byte(), timeouts.idle)),
            (
                Deadline::Message,
                expiry(message_since.unwrap_or(NEVER), timeouts.message),
            ),
        ] {
            if next.1 < earliest.1 {
                earliest = next;
            }
        }
        set(earliest.0, earliest.1)
    }

    /// When the next keepalive ping is due, unless the answer to the last one is waited for.
    pub(crate) fn ping_deadline(&self, timeouts: &Timeouts) -> Option<(Deadline, Nanos)> {
        if self.is_asked() && timeouts.pong.is_some() {
            return None;
        }
        let last = self.heard.max(self.pinged);
        set(Deadline::Ping, expiry(last, timeouts.ping))
    }

    /// The latest bytes put the wait off, for as long again at most.
    fn pong_due(&self, pong: Duration) -> Nanos {
        let latest = after(after(self.pinged, pong), pong);
        after(self.pinged.max(self.last_byte()), pong).min(latest)
    }
}

impl Since {
    /// How often a deadline was found to have passed.
    pub(crate) const LATE: u32 = 0b11;
    pub(crate) const LATEST: u32 = 2;
    /// A keepalive ping was queued.
    const ASKED: u32 = 0b100;
    /// Above these: milliseconds until the latest byte of an unfinished frame came.
    const TRICKLE: u32 = 3;

    pub(crate) const fn late(self) -> u32 {
        self.0 & Self::LATE
    }

    const fn is_asked(self) -> bool {
        self.0 & Self::ASKED != 0
    }

    pub(crate) const fn trickle(self) -> Nanos {
        (self.0 >> Self::TRICKLE) as Nanos * MILLI
    }

    fn set_trickle(&mut self, nanos: u64) {
        let most = u32::MAX >> Self::TRICKLE;
        let millis = u32::try_from(nanos.div_ceil(MILLI.unsigned_abs()))
            .map_or(most, |millis| millis.min(most));
        self.0 = millis << Self::TRICKLE | self.0 & (Self::ASKED | Self::LATE);
    }
}

impl Default for Clock {
    fn default() -> Self {
        Self {
            now: NEVER,
            heard: 0,
            pinged: 0,
            due: NEVER,
            since: Since::default(),
            ping_number: 0,
            unanswered: false,
        }
    }
}

fn expiry(start: Nanos, wait: Option<Duration>) -> Nanos {
    wait.map_or(NEVER, |wait| after(start, wait))
}

/// So much time has passed since then.
pub(crate) fn since(then: Nanos, now: Nanos) -> u64 {
    now.saturating_sub(then).max(0).unsigned_abs()
}

/// So long after that time.
#[cfg_attr(target_os = "none", inline(never))]
pub(crate) fn after(start: Nanos, wait: Duration) -> Nanos {
    start.saturating_add(nanos(wait))
}

fn set(deadline: Deadline, due: Nanos) -> Option<(Deadline, Nanos)> {
    (due != NEVER).then_some((deadline, due))
}

pub(crate) fn nanos(duration: Duration) -> Nanos {
    // 292 years are enough; a longer wait is one without a deadline.
    let seconds = Nanos::try_from(duration.as_secs()).unwrap_or(NEVER);
    seconds
        .checked_mul(1000 * MILLI)
        .and_then(|nanos| nanos.checked_add(duration.subsec_nanos().into()))
        .unwrap_or(NEVER)
}

pub(crate) const MILLI: Nanos = 1_000_000;

/// No deadline is set.
pub(crate) const NEVER: Nanos = Nanos::MAX;

#[cfg(test)]
mod tests {
    use super::{Clock, Duration, MILLI, Since};

    /// Nothing is late, or was told, before the time is; a deadline that has passed gives the driver two calls.
    #[test]
    fn a_deadline_that_has_passed() {
        let mut clock = Clock::default();
        assert!(!clock.is_told() && !clock.is_late() && clock.is_undisturbed());
        assert_eq!(clock.tell(Duration::from_secs(5)), None);
        assert!(clock.is_told() && !clock.is_late() && clock.is_undisturbed());
        assert!(!clock.find_late());
        assert!(clock.is_late() && !clock.is_last_chance() && !clock.is_undisturbed());
        assert!(!clock.find_late());
        assert!(clock.is_late() && clock.is_last_chance());
        assert!(clock.find_late());
        clock.in_time();
        assert!(!clock.is_late() && clock.is_undisturbed());
    }

    /// The idle time is told to the millisecond, and a wait longer than the field says the most that it can;
    /// what else is noted stays.
    #[test]
    fn the_latest_byte_of_an_unfinished_frame() {
        let most = Since(u32::MAX).trickle();
        assert_eq!(most, ((1 << 29) - 1) * MILLI);
        let nanos = |nanos: i64| nanos.unsigned_abs();
        for flags in [0, Since::ASKED, Since::LATEST, Since::ASKED | Since::LATEST] {
            for (passed, told) in [
                (1, MILLI),
                (nanos(MILLI), MILLI),
                (nanos(7 * MILLI + 1), 8 * MILLI),
                (nanos(most), most),
                (nanos(most + 1), most),
                (u64::MAX, most),
            ] {
                let mut since = Since(flags);
                since.set_trickle(passed);
                assert_eq!((since.trickle(), since.0 & 7), (told, flags), "{passed}");
            }
        }
    }
}
