//! When to try again after a connection was lost or refused (RFC 6455 §7.2.3).
//!
//! Tell a [`Backoff`] how each connection or attempt [`Ended`], and it gives an [`Advice`]: retry now,
//! retry after a delay, get credentials first, or give up, each with a [`Reason`] for the log. Time and
//! randomness are arguments, so the same calls give the same schedule.
//!
//! ```
//! use core::time::Duration;
//! use sansocket::client::backoff::{Advice, Backoff, Ended, Policy};
//! let mut backoff = Backoff::new(Policy::default());
//! let now = Duration::from_secs(100);
//! # let random = 1 << 63; // in truth from any generator, such as `getrandom::u64()`
//! backoff.opened(now);
//! match backoff.next(Ended::Closed(1006), now + Duration::from_secs(3), random) {
//!     Advice::RetryAfter(delay, reason) => {
//!         assert!(delay <= Duration::from_secs(5));
//!         assert_eq!(reason.to_string(), "closed with 1006 (lost without a Close frame)");
//!     }
//!     _ => unreachable!("1006 is retried after a delay"),
//! }
//! ```

mod attempts;
mod ended;
mod retry_after;
#[cfg(test)]
mod tests;

use core::fmt;
use core::time::Duration;

use self::ended::Remedy;

pub use attempts::Attempts;
pub use ended::Ended;
pub use retry_after::retry_after;

/// The parameters of a [`Backoff`].
///
/// ```
/// use core::time::Duration;
/// use sansocket::client::backoff::Policy;
/// let mut policy = Policy::default();
/// policy.attempts = Some(10);
/// assert_eq!(policy.first, Duration::from_secs(5));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Policy {
    /// The first delay lies between zero and this; the bound doubles each time. 5 s (RFC 6455 §7.2.3).
    pub first: Duration,
    /// The bound doubles no further than this. 2 min.
    pub cap: Duration,
    /// New attempts in a row before giving up. No bound unless set.
    pub attempts: Option<u32>,
    /// A connection that was open for this long was a success, and the schedule starts anew. 60 s.
    pub healthy: Duration,
    /// A server that asks for a longer pause than this in `Retry-After` is given up. 1 h.
    pub patience: Duration,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            first: Duration::from_secs(5),
            cap: Duration::from_secs(120),
            attempts: None,
            healthy: Duration::from_secs(60),
            patience: Duration::from_secs(3600),
        }
    }
}

/// The reason for an [`Advice`], printed in a few words.
///
/// ```
/// use sansocket::client::backoff::{Ended, Reason};
/// let reason = Reason::Ended(Ended::Closed(1001));
/// assert_eq!(reason.to_string(), "closed with 1001 (going away)");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reason {
    /// How the connection or the attempt ended.
    Ended(Ended),
    /// So many new attempts in a row have failed: [`Policy::attempts`].
    Attempts(u32, Ended),
    /// The new credentials were refused, too.
    Credentials(Ended),
    /// The server asks for a longer pause than [`Policy::patience`].
    Patience(Duration, Ended),
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ended(ended) => ended.fmt(f),
            Self::Attempts(1, ended) => write!(f, "{ended}, after 1 new attempt"),
            Self::Attempts(count, ended) => write!(f, "{ended}, after {count} new attempts"),
            Self::Credentials(ended) => write!(f, "{ended} again, with new credentials"),
            Self::Patience(pause, ended) => {
                write!(f, "{ended}, to be tried again no sooner than in {pause:?}")
            }
        }
    }
}

/// What to do next. The caller decides.
///
/// ```
/// use core::time::Duration;
/// use sansocket::client::backoff::{Advice, Ended, Reason};
/// let advice = Advice::RetryAfter(Duration::from_millis(1500), Reason::Ended(Ended::Closed(1012)));
/// assert_eq!(advice.to_string(), "retry in 1.5s: closed with 1012 (service restart)");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Advice {
    /// Make a new connection at once.
    RetryNow(Reason),
    /// Make a new connection after this delay.
    RetryAfter(Duration, Reason),
    /// Make a new connection with credentials, or with other ones.
    Authorize(Reason),
    /// A new attempt would not help.
    GiveUp(Reason),
}

impl fmt::Display for Advice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::RetryNow(reason) => write!(f, "retry now: {reason}"),
            Self::RetryAfter(delay, reason) => write!(f, "retry in {delay:?}: {reason}"),
            Self::Authorize(reason) => write!(f, "authorize first: {reason}"),
            Self::GiveUp(reason) => write!(f, "give up: {reason}"),
        }
    }
}

/// The schedule of new attempts to one server: exponential back-off with full jitter, so that clients
/// that lost the same server do not come back together (RFC 6455 §7.2.3).
///
/// The n-th delay is a random time from zero to `first`·2ⁿ⁻¹, at most `cap`, plus the pause that the
/// server asked for.
///
/// ```
/// use core::time::Duration;
/// use sansocket::client::backoff::{Advice, Backoff, Ended, Policy};
/// let mut backoff = Backoff::new(Policy::default());
/// for bound in [5, 10, 20, 40, 80, 120, 120] {
///     let Advice::RetryAfter(delay, _) = backoff.next(Ended::Unreachable, Duration::ZERO, u64::MAX)
///     else { unreachable!() };
///     assert!(delay <= Duration::from_secs(bound) && delay > Duration::from_secs(bound - 1));
/// }
/// ```
#[derive(Debug, Clone)]
pub struct Backoff {
    policy: Policy,
    /// When the present connection was established.
    opened: Option<Duration>,
    /// New attempts advised since the last success, and how many of them after a delay.
    attempts: u32,
    delays: u32,
    /// The last advice, if it must not be given twice in a row.
    last: Last,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Last {
    Other,
    Now,
    /// For this challenge.
    Authorize(u16),
}

impl Backoff {
    /// Starts a schedule.
    #[must_use]
    pub const fn new(policy: Policy) -> Self {
        Self {
            policy,
            opened: None,
            attempts: 0,
            delays: 0,
            last: Last::Other,
        }
    }

    /// The connection is established (`Event::Open`). `now` is on the same clock as in [`next`](Self::next).
    pub const fn opened(&mut self, now: Duration) {
        self.opened = Some(now);
    }

    /// Starts the schedule anew, as a healthy connection does.
    pub const fn reset(&mut self) {
        *self = Self::new(self.policy);
    }

    /// How many new attempts were advised since the last success.
    #[must_use]
    pub const fn attempts(&self) -> u32 {
        self.attempts
    }

    /// Says what to do now that a connection or an attempt has ended.
    ///
    /// `now` is the time since an origin that the caller picks. `random` is a new random number for
    /// each call, from all of `u64`. It need not be secret, but must differ from client to client.
    pub fn next(&mut self, ended: impl Into<Ended>, now: Duration, random: u64) -> Advice {
        let ended = ended.into();
        if let Some(opened) = self.opened.take()
            && now.saturating_sub(opened) >= self.policy.healthy
        {
            self.reset();
        }
        let last = core::mem::replace(&mut self.last, Last::Other);
        let remedy = match ended.remedy() {
            None => return Advice::GiveUp(Reason::Ended(ended)),
            // A new connection was tried at once and did not help.
            Some(Remedy::Now) if last == Last::Now => Remedy::Later(Duration::ZERO),
            Some(remedy) => remedy,
        };
        match remedy {
            Remedy::Authorize(challenge) if last == Last::Authorize(challenge) => {
                return Advice::GiveUp(Reason::Credentials(ended));
            }
            Remedy::Later(pause) if pause > self.policy.patience => {
                return Advice::GiveUp(Reason::Patience(pause, ended));
            }
            _ => {}
        }
        if self.policy.attempts.is_some_and(|max| self.attempts >= max) {
            return Advice::GiveUp(Reason::Attempts(self.attempts, ended));
        }
        self.attempts = self.attempts.saturating_add(1);
        let reason = Reason::Ended(ended);
        match remedy {
            Remedy::Now => {
                self.last = Last::Now;
                Advice::RetryNow(reason)
            }
            Remedy::Authorize(challenge) => {
                self.last = Last::Authorize(challenge);
                Advice::Authorize(reason)
            }
            Remedy::Later(pause) => {
                let delay = part(self.bound(), random).saturating_add(pause);
                self.delays = self.delays.saturating_add(1);
                Advice::RetryAfter(delay, reason)
            }
        }
    }

    /// The longest next delay (RFC 6455 §7.2.3).
    fn bound(&self) -> Duration {
        // From a nanosecond to the longest time there is it doubles 94 times.
        let doublings = 0..self.delays.min(94);
        let bound = doublings.fold(self.policy.first, |bound, _| bound.saturating_mul(2));
        bound.min(self.policy.cap)
    }
}

/// The share `random` / 2⁶⁴ of a duration of at most 584 years, in whole nanoseconds.
fn part(whole: Duration, random: u64) -> Duration {
    let nanos = u64::try_from(whole.as_nanos()).unwrap_or(u64::MAX);
    let product = u128::from(nanos) * u128::from(random);
    Duration::from_nanos((product >> 64) as u64)
}
