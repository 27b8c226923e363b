//! How often a peer may do what costs it little and its reader much.

use core::time::Duration;

/// How often a peer may send what is cheap for it: limits over time, beside those on size (RFC 6455 §10.4).
/// Beyond one the connection is failed with 1008, and the error names it
/// ([`Limit::Pings`](crate::error::Limit::Pings) and so on).
///
/// `None` counts nothing. The time is the connection's own: a caller that never calls
/// [`advance_time`](crate::Connection::advance_time) has no budgets. What is read late, after a pause of the
/// driver's or because it was held, counts when it is read, so [`Rate::at_once`] bounds what may come
/// then.
///
/// A ping that comes after a silence in which the budget of one runs out is not counted, so that a connection whose
/// peer keeps it alive stays without heap.
///
/// | budget | what counts | unless set | [`tight`](Self::tight) |
/// |---|---|---|---|
/// | `pings` | Ping frames, and Pong frames that answer no ping of ours | 10,000 at once, 1,000 a second | 20 at once, 2 a second |
/// | `empty_frames` | frames without payload that do not end a message | 100,000 at once, 10,000 a second | 20 at once, 2 a second |
/// | `tiny_fragments` | other frames of fewer than 64 bytes that do not end a message | 1,000,000 at once, 100,000 a second | 200 at once, 50 a second |
/// | `messages` | messages, judged when they begin | none | 500 at once, 100 a second |
///
/// ```
/// use sansocket::config::{Budgets, Limits, Rate};
/// let mut limits = Limits::server();
/// limits.budgets.messages = Some(Rate::per_second(50).at_once(200));
/// assert_eq!(limits.budgets.pings, Budgets::default().pings);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Budgets {
    /// Ping frames, and Pong frames that answer no ping of ours (RFC 6455 §5.5.2, §5.5.3).
    pub pings: Option<Rate>,
    /// Frames without payload that do not end a message (RFC 6455 §5.4).
    pub empty_frames: Option<Rate>,
    /// Other frames of fewer than 64 bytes that do not end a message.
    pub tiny_fragments: Option<Rate>,
    /// Messages, judged when they begin. A connection that counts them hands out small ones less quickly.
    pub messages: Option<Rate>,
}

impl Budgets {
    /// Counts nothing.
    pub const NONE: Self = Self {
        pings: None,
        empty_frames: None,
        tiny_fragments: None,
        messages: None,
    };

    pub(super) const DEFAULT: Self = Self {
        pings: Some(Rate::per_second(1_000).at_once(10_000)),
        empty_frames: Some(Rate::per_second(10_000).at_once(100_000)),
        tiny_fragments: Some(Rate::per_second(100_000).at_once(1_000_000)),
        messages: None,
    };

    /// For peers that people sit at: what a person, a page and its keepalive send, and not much more.
    #[must_use]
    pub const fn tight() -> Self {
        Self {
            pings: Some(Rate::per_second(2).at_once(20)),
            empty_frames: Some(Rate::per_second(2).at_once(20)),
            tiny_fragments: Some(Rate::per_second(50).at_once(200)),
            messages: Some(Rate::per_second(100).at_once(500)),
        }
    }
}

/// What no honest peer comes near, however fast it is.
impl Default for Budgets {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// So many in a time, and so many at once: a bucket of tokens, counted exactly in whole numbers.
///
/// ```
/// use core::time::Duration;
/// use sansocket::config::Rate;
/// let rate = Rate::new(6, Duration::from_secs(60)).at_once(3);
/// assert_eq!((rate.count(), rate.per(), rate.most_at_once()), (6, Duration::from_secs(60), 3));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    count: u32,
    per: Duration,
    at_once: u32,
}

impl Rate {
    /// `count` in each `per`, and as many at once unless [`at_once`](Self::at_once) says otherwise.
    #[must_use]
    pub const fn new(count: u32, per: Duration) -> Self {
        Self {
            count,
            per,
            at_once: count,
        }
    }

    /// `count` in each second, and as many at once.
    #[must_use]
    pub const fn per_second(count: u32) -> Self {
        Self::new(count, Duration::from_secs(1))
    }

    /// Sets how many may come at once, after a time with none. 0 allows none ever.
    #[must_use]
    pub const fn at_once(self, at_once: u32) -> Self {
        Self { at_once, ..self }
    }

    /// How many may come in each [`per`](Self::per).
    #[must_use]
    pub const fn count(self) -> u32 {
        self.count
    }

    /// The time in which [`count`](Self::count) may come.
    #[must_use]
    pub const fn per(self) -> Duration {
        self.per
    }

    /// How many may come at once.
    #[must_use]
    pub const fn most_at_once(self) -> u32 {
        self.at_once
    }
}
