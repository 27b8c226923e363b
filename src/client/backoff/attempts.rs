//! When the next attempt to connect begins.

use core::time::Duration;

use super::{Advice, Backoff, Ended, Policy};

/// When to connect, and to connect again, as long as that can help: a [`Backoff`] whose advice is followed.
///
/// ```
/// use core::time::Duration;
/// use sansocket::client::backoff::{Attempts, Ended, Policy};
/// let mut attempts = Attempts::new(Policy::default());
/// let mut now = Duration::ZERO; // since an origin that the caller picks
/// assert_eq!(attempts.due(), Some(now)); // the first one
/// attempts.opened(now);
/// now += Duration::from_secs(60);
/// attempts.ended(Ended::Closed(1012), now, 1 << 63); // the server restarts; a random number
/// assert_eq!(attempts.due(), Some(now + Duration::from_millis(2500)));
/// attempts.ended(Ended::Closed(1000), now, 7);
/// assert_eq!(attempts.due(), None); // closed as done
/// ```
#[derive(Debug, Clone)]
pub struct Attempts {
    backoff: Backoff,
    due: Option<Duration>,
}

impl Attempts {
    /// The first attempt is due at once.
    #[must_use]
    pub const fn new(policy: Policy) -> Self {
        Self {
            backoff: Backoff::new(policy),
            due: Some(Duration::ZERO),
        }
    }

    /// When the next attempt begins, a time that may have passed; `None`: none would help.
    #[must_use]
    pub const fn due(&self) -> Option<Duration> {
        self.due
    }

    /// How many new attempts were advised since the last success.
    #[must_use]
    pub const fn count(&self) -> u32 {
        self.backoff.attempts()
    }

    /// The connection is established.
    pub const fn opened(&mut self, now: Duration) {
        self.backoff.opened(now);
    }

    /// The connection or the attempt has ended. `random` is a new random number for each call, as in
    /// [`Backoff::next`]. Where the server wants other credentials, no attempt is due until
    /// [`resume`](Self::resume).
    pub fn ended(&mut self, ended: impl Into<Ended>, now: Duration, random: u64) {
        self.due = match self.backoff.next(ended, now, random) {
            Advice::RetryNow(_) => Some(now),
            Advice::RetryAfter(delay, _) => Some(now.saturating_add(delay)),
            Advice::Authorize(_) | Advice::GiveUp(_) => None,
        };
    }

    /// Something is different, such as the credentials: if no attempt was due, one is at once.
    pub const fn resume(&mut self) {
        if self.due.is_none() {
            self.due = Some(Duration::ZERO);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 6455 §7.2.3.
    #[test]
    fn when_another_attempt_begins() {
        let mut attempts = Attempts::new(Policy::default());
        let now = Duration::from_secs(60);
        let refused = |status| Ended::Refused {
            status,
            retry_after: None,
        };
        attempts.ended(refused(421), now, 0);
        assert_eq!((attempts.due(), attempts.count()), (Some(now), 1));
        attempts.ended(Ended::Unreachable, now, u64::MAX / 2);
        assert_eq!(attempts.count(), 2);
        let due = attempts.due().unwrap_or_default();
        assert!(due > now + Duration::from_secs(2) && due < now + Duration::from_secs(3));
        attempts.resume();
        assert_eq!(attempts.due(), Some(due), "the delay goes on");
        attempts.ended(refused(401), now, 0);
        assert_eq!(attempts.due(), None);
        attempts.resume();
        assert_eq!(attempts.due(), Some(Duration::ZERO));
        // Open, and healthy for a minute: the count begins anew.
        attempts.opened(now);
        attempts.ended(Ended::Unreachable, now * 100, 0);
        assert_eq!(attempts.count(), 1);
        attempts.ended(Ended::Tls, now, 0);
        assert_eq!(attempts.due(), None);
    }
}
