//! What events carry. The events themselves are [`Event`](crate::Event).

use alloc::string::String;
use core::fmt;
use core::time::Duration;

use crate::close_code::CloseCode;
use crate::error::Failure;
use crate::life::Side;

pub use crate::payload::{Payload, Text};

pub(crate) mod message;
#[cfg(feature = "bytes")]
mod shared;

pub(crate) use message::{Kind, Message};

/// A part of a message. Chunks come in order and joined are the message; where they are cut depends on the
/// reads, but never over the end of a frame: each frame, an empty one too, ends with a chunk that
/// [says so](Self::ends_frame), so that a proxy can send on the fragments that came.
///
/// ```
/// use sansocket::{ClientConfig, Connection, Event, config::Delivery};
/// let config = ClientConfig::new().delivery(Delivery::Chunks);
/// let mut ws = Connection::upgraded_client(&config, Default::default());
/// let mut read = *b"\x01\x03Hel\x00\x00\x80\x02lo"; // three fragments, the second one empty
/// let mut input = &mut read[..];
/// let mut frames = vec![0];
/// while let Some(event) = ws.receive(&mut input) {
///     if let Event::Chunk(chunk) = event {
///         *frames.last_mut().unwrap() += chunk.payload.len();
///         if chunk.ends_frame && !chunk.last { frames.push(0) }
///     }
/// }
/// assert_eq!(frames, [3, 0, 2]);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Chunk<'a> {
    /// The kind of the message.
    pub kind: Kind,
    /// Bytes of the message. Text is validated (RFC 6455 §8.1), but a chunk may end inside a character.
    /// Empty only where it ends a frame.
    pub payload: Payload<'a>,
    /// The first chunk of its message.
    pub first: bool,
    /// The frame that it came in ends with it (RFC 6455 §5.4). A message that comes whole all the same, as
    /// its reserved bits are told, is one chunk for all its frames.
    ///
    /// Of a compressed message the frames have no bytes of their own: a sender may cut its data anywhere, and
    /// a byte that two of them carry comes out with the later one. There a frame ends with an empty chunk,
    /// which follows everything that its payload and what came before it inflate to.
    pub ends_frame: bool,
    /// The last chunk of its message: the message is whole (RFC 6455 §5.4).
    pub last: bool,
    /// The reserved bits of the chunk's frame that an extension of the application's uses
    /// (RFC 6455 §5.2): RSV1 is 4, RSV2 2, RSV3 1. Where the message is gathered, those of all its
    /// frames; and one without any is an [`Event::Message`](crate::Event::Message).
    pub reserved_bits: u8,
}

impl Chunk<'_> {
    /// The same chunk without a borrow.
    #[must_use]
    pub fn into_owned(self) -> Chunk<'static> {
        Chunk {
            kind: self.kind,
            payload: self.payload.into_owned(),
            first: self.first,
            ends_frame: self.ends_frame,
            last: self.last,
            reserved_bits: self.reserved_bits,
        }
    }
}

/// What the header of a message's first frame says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct MessageHead {
    /// The kind of the message.
    pub kind: Kind,
    /// Bytes of payload of this first frame, on the wire.
    pub frame_len: u64,
    /// The message is this one frame.
    pub fin: bool,
    /// The message is compressed (RFC 7692 §6).
    pub compressed: bool,
    /// The reserved bits of this frame that an extension of the application's uses (RFC 6455 §5.2):
    /// RSV1 is 4, RSV2 2, RSV3 1.
    pub reserved_bits: u8,
}

/// A Pong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pong<'a> {
    /// The payload.
    pub payload: Payload<'a>,
    pub(crate) round_trip_micros: u32,
}

impl Pong<'_> {
    pub(crate) const NO_ROUND_TRIP: u32 = u32::MAX;

    /// How long the answer took, if this answers the last keepalive ping or the last
    /// [`ping`](crate::Connection::ping) of the application and the time is told. In microseconds; 2^32 - 2 of them, 71
    /// minutes, are told for what took longer, too.
    #[must_use]
    pub fn round_trip(&self) -> Option<Duration> {
        (self.round_trip_micros != Self::NO_ROUND_TRIP)
            .then(|| Duration::from_micros(self.round_trip_micros.into()))
    }

    /// The same pong without a borrow.
    #[must_use]
    pub fn into_owned(self) -> Pong<'static> {
        Pong {
            payload: self.payload.into_owned(),
            round_trip_micros: self.round_trip_micros,
        }
    }
}

/// The code and reason of a Close frame (RFC 6455 §5.5.1).
#[derive(Clone, PartialEq, Eq)]
pub struct CloseFrame {
    /// The code; `None` if the frame had no body.
    pub code: Option<CloseCode>,
    reason: String,
}

impl CloseFrame {
    pub(crate) const fn new(code: Option<CloseCode>, reason: String) -> Self {
        Self { code, reason }
    }

    /// The reason: at most 123 bytes, for logs and debugging, not for end users (RFC 6455 §5.5.1).
    #[must_use]
    pub fn reason(&self) -> &str {
        &self.reason
    }
}

/// The reason's length only (RFC 6455 §5.5.1).
impl fmt::Debug for CloseFrame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "CloseFrame({:?}, reason of {} bytes)",
            self.code.map(CloseCode::get),
            self.reason.len()
        )
    }
}

/// What had begun and lacks its end when the peer's stream ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CutOff {
    /// A frame: the end came inside it.
    Frame,
    /// A message: the end came between two of its frames.
    Message,
}

/// How the connection ended.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct CloseReport {
    /// The closing handshake was complete before the transport was closed (RFC 6455 §7.1.4).
    pub clean: bool,
    /// The connection's close code (RFC 6455 §7.1.5): the one the peer sent, 1005 if its Close frame
    /// had none, 1006 if none came, 1015 if TLS failed.
    pub code: u16,
    /// The status of the HTTP answer that ended the opening handshake instead, such as a page: the one
    /// that a server gave, once it has left, or the one that a client got.
    pub answered: Option<u16>,
    /// Our Close frame, if one was queued.
    pub sent: Option<CloseFrame>,
    /// The peer's Close frame, if one came.
    pub received: Option<CloseFrame>,
    /// Why the connection was failed, if it was.
    pub failure: Option<Failure>,
    /// Who sent the first Close frame, if one was sent.
    pub began: Option<Side>,
    /// What was cut off, if the end of the peer's stream, or its loss, came in the middle of something.
    pub cut_off: Option<CutOff>,
}

impl fmt::Display for CloseReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.answered {
            Some(status) => write!(f, "answered over HTTP, status {status}")?,
            None => write!(
                f,
                "closed {}cleanly, code {}",
                if self.clean { "" } else { "not " },
                self.code
            )?,
        }
        match self.began {
            Some(Side::Us) => f.write_str(", begun by this end")?,
            Some(Side::Peer) => f.write_str(", begun by the peer")?,
            Some(Side::Both) => f.write_str(", begun by both ends")?,
            None => {}
        }
        match self.cut_off {
            Some(CutOff::Frame) => f.write_str(", in the middle of a frame")?,
            Some(CutOff::Message) => f.write_str(", in the middle of a message")?,
            None => {}
        }
        if let Some(failure) = &self.failure {
            write!(f, ": {failure}")?;
        }
        Ok(())
    }
}
