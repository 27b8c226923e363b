//! What keeps the rooms: a log for each, which every process of the chat adds to and follows.

mod embedded;
#[cfg(feature = "nats")]
mod nats;
#[cfg(feature = "redis")]
mod redis;

use std::convert::Infallible;
use std::fmt;
use std::str::FromStr;

#[cfg(feature = "redis")]
pub use self::redis::Redis;
pub use embedded::Embedded;
#[cfg(feature = "nats")]
pub use nats::Nats;

/// How many entries a log keeps. Who was away for longer has missed some.
pub const KEPT: usize = 1000;

/// What went wrong in an engine.
pub type Error = Box<dyn std::error::Error + Send + Sync>;

/// What keeps the rooms.
pub trait Engine: Send + Sync + 'static {
    /// Adds an entry to a room's log, and does nothing if one with this `id` was added in the last two minutes.
    ///
    /// # Errors
    /// The engine is not there, or did not answer: the entry may have been added.
    fn append(
        &self,
        room: &str,
        id: &str,
        entry: String,
    ) -> impl Future<Output = Result<(), Error>> + Send;

    /// Tells all processes something about a room that is not kept.
    ///
    /// # Errors
    /// The engine is not there.
    fn tell(&self, room: &str, what: String) -> impl Future<Output = Result<(), Error>> + Send;

    /// Hears a room: what its log has after a position, or all of it, and then whatever comes.
    ///
    /// # Errors
    /// What ended it. Go on with the position that was heard last.
    fn follow(
        &self,
        room: &str,
        after: Option<Position>,
        hear: impl FnMut(News) + Send,
    ) -> impl Future<Output = Result<Infallible, Error>> + Send;
}

/// What is heard of a room.
#[derive(Debug)]
pub enum News {
    /// An entry of its log.
    Entry(Position, String),
    /// Another process has told this.
    Told(String),
    /// This was the end of the log when it began to be followed, and all up to there has been heard.
    Current(Position),
}

/// Where an entry stands in its log, written `EPOCH-NUMBER`. Numbers are consecutive, from 1 on, so it shows when
/// entries are missing; a log that was lost and begun again has another epoch.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    /// Of the log.
    pub epoch: u64,
    /// Of the entry; 0 is before the first.
    pub number: u64,
}

impl Position {
    /// Whether who heard all up to here has heard that one.
    #[must_use]
    pub fn covers(self, other: Self) -> bool {
        self.epoch == other.epoch && self.number >= other.number
    }

    /// That of the entry before.
    #[must_use]
    pub fn before(self) -> Self {
        let number = self.number.saturating_sub(1);
        Self { number, ..self }
    }

    /// Whether nothing is between these two. 0-0 stands before any log.
    #[must_use]
    pub fn comes_before(self, other: Self) -> bool {
        let same = self.epoch == other.epoch || self == Self::default();
        same && self.number.checked_add(1) == Some(other.number)
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.epoch, self.number)
    }
}

impl FromStr for Position {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let (epoch, number) = text.split_once('-').ok_or("a position without '-'")?;
        Ok(Self {
            epoch: epoch.parse()?,
            number: number.parse()?,
        })
    }
}
