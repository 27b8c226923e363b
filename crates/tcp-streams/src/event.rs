//! What comes out.

use core::net::SocketAddr;
use core::time::Duration;

/// Which conversation: a name for as long as it lasts, until [`Kind::End`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Conversation {
    pub(crate) number: u64,
    pub(crate) slot: u32,
}

impl Conversation {
    /// Counts conversations from 1 in the order in which they appeared; never given twice.
    #[must_use]
    pub const fn number(self) -> u64 {
        self.number
    }

    /// A small number for tables: that of a conversation that has ended is given again.
    #[must_use]
    pub const fn index(self) -> usize {
        self.slot as usize
    }
}

/// Which end of a conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Sender {
    /// The end that connected.
    Client,
    /// The end that it connected to.
    Server,
}

impl Sender {
    /// The end that this one talks to.
    #[must_use]
    pub const fn peer(self) -> Self {
        match self {
            Self::Client => Self::Server,
            Self::Server => Self::Client,
        }
    }
}

/// One thing that happened in a conversation.
#[derive(Debug, Clone, Copy)]
pub struct Event<'a> {
    /// Where.
    pub conversation: Conversation,
    /// Whose bytes or deed it is.
    pub sender: Sender,
    /// How many bytes this end has sent before, those of gaps counted. Where the beginning was not captured, since the
    /// first byte that was.
    pub offset: u64,
    /// The packet that brought it; for a gap that was not in any packet, the one that showed that it is lost.
    pub packet: u64,
    /// When that packet was captured.
    pub time: Duration,
    /// What happened.
    pub kind: Kind<'a>,
}

/// What happened in a conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Kind<'a> {
    /// A conversation appeared. This comes first, once.
    Begin {
        /// The end that connected.
        client: SocketAddr,
        /// The other one.
        server: SocketAddr,
        /// A SYN was captured. If none was, the end with the lower port is taken for the server.
        from_start: bool,
    },
    /// This end opened its direction (RFC 9293 §3.5).
    Syn,
    /// The next bytes, in order.
    Data(&'a [u8]),
    /// So many bytes were sent here and are not in the capture.
    Gap(u64),
    /// Bytes that came before, so many. They are not told twice.
    Again(u64),
    /// What came before for the same place, and is told, was not the same, from this offset on.
    Differs,
    /// A probe whether the other end is alive (RFC 9293 §3.8.4).
    KeepAlive,
    /// This end has ended its direction (RFC 9293 §3.6).
    Fin,
    /// So many bytes beyond the end of the direction, which no receiver would take.
    AfterFin(u64),
    /// This end has reset the conversation (RFC 9293 §3.5.2). Bytes that were sent before may still come.
    Reset,
    /// Nothing more will be told of this conversation. This comes last, once.
    End(End),
}

/// Why nothing more will be told of a conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum End {
    /// Both ends had ended it, or one had reset it.
    Over,
    /// It was followed by another one between the same ports.
    Replaced,
    /// There were too many others, and it was quiet.
    Forgotten,
    /// The capture has ended.
    Finished,
}
