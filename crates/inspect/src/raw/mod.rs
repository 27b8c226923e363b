//! Bytes of both ends without the packets that brought them.

pub(crate) mod files;
pub(crate) mod har;
pub(crate) mod hex;
pub(crate) mod recording;

use std::fmt;
use std::io;
use std::time::Duration;

use sansocket::replay::ReplayError;
use sansocket_tcp_streams::Sender;

/// The most that comes at once.
const PIECE: usize = 64 << 10;

/// Gives bytes of one end after the other, in order.
pub(crate) trait Pieces {
    /// Puts the next ones into an empty vector, and says whose they are.
    fn next(&mut self, bytes: &mut Vec<u8>) -> Result<Option<Piece>, Fault>;

    /// Where it was cut off, once there are no more.
    fn cut(&self) -> Option<u64> {
        None
    }
}

/// Whose bytes they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Piece {
    /// Counts from 1. One after the other.
    pub(crate) conversation: u64,
    pub(crate) from: Sender,
    /// Since the beginning of 1970, if that is known.
    pub(crate) time: Option<Duration>,
}

impl From<Sender> for Piece {
    fn from(from: Sender) -> Self {
        Self {
            conversation: 1,
            from,
            time: None,
        }
    }
}

/// Why there are no more.
pub(crate) enum Fault {
    Io(io::Error),
    /// What is wrong with a line of a dump.
    Line(u64, String),
    /// What is wrong with a HAR file.
    Har(String),
    /// Why a recording plays no further.
    Recording(ReplayError),
}

impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(error) => write!(f, "reading failed: {error}"),
            Self::Har(problem) => write!(f, "this is no HAR file with messages: {problem}"),
            Self::Recording(error) => error.fmt(f),
            Self::Line(line, problem) => write!(f, "line {line}: {problem}"),
        }
    }
}
