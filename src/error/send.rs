//! What a caller can get wrong when it sends.

use core::fmt;

use super::NoEntropy;
use super::id::identified;

/// Nothing was queued and nothing changed. A message that was handed over comes back in [`Unsent`].
///
/// ```
/// use sansocket::{Connection, OriginPolicy, ServerConfig, error::SendError};
/// let mut ws = Connection::server(&ServerConfig::new(OriginPolicy::SameHost));
/// assert_eq!(ws.ping(b"too early"), Err(SendError::NotOpen));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SendError {
    /// The connection is not established yet (RFC 6455 §6.1).
    NotOpen,
    /// The closing handshake has begun, or the connection was failed (RFC 6455 §5.5.1, §7.1.7): nothing
    /// more is sent.
    Closing,
    /// The output queue is full: write some of it first.
    Full {
        /// Bytes that are queued.
        queued: usize,
        /// How many there may be before a message is refused
        /// ([`Limits::output`](crate::config::Limits::output)).
        limit: u32,
    },
    /// With it the connection would hold more memory than it may: write some of the output first, if there is any, or
    /// send less.
    Memory {
        /// Bytes of heap that it would hold.
        needed: u64,
        /// How many it may hold ([`Limits::memory`](crate::config::Limits::memory)).
        limit: u64,
    },
    /// A message is being sent in parts, and this does not continue it: finish it first (RFC 6455
    /// §5.4).
    MessageInProgress,
    /// No message was begun with [`begin_message`](crate::Connection::begin_message).
    NoMessageInProgress,
    /// No answer was begun with [`begin_response`](crate::Connection::begin_response), or it has ended.
    NoResponseInProgress,
    /// The answer cannot end yet: bytes that were announced are missing (RFC 9110 §8.6).
    Incomplete {
        /// How many.
        missing: u64,
    },
    /// More bytes than fit: into a control frame (RFC 6455 §5.5), into a frame (§5.2), or into the
    /// rest of the message or the answer that was begun.
    TooLong {
        /// How many there are.
        len: u64,
        /// How many there may be.
        max: u64,
    },
    /// Text that is not UTF-8 (RFC 6455 §5.6).
    NotUtf8 {
        /// Where in what was handed over the first byte is that cannot be there, counted from 0; after the
        /// last one if the message ends inside a character.
        at: usize,
    },
    /// Reserved bits that no extension of the application uses (RFC 6455 §5.2).
    ReservedBits {
        /// Those bits: RSV1 is 4, RSV2 2, RSV3 1; higher ones do not exist.
        bits: u8,
    },
    /// There is no source of randomness for the masking key (RFC 6455 §5.3).
    NoEntropy,
}

identified! { SendError:
    Self::NotOpen = 401, "not_open";
    Self::Closing = 402, "closing";
    Self::Full { .. } = 403, "full";
    Self::MessageInProgress = 404, "message_in_progress";
    Self::NoMessageInProgress = 405, "no_message_in_progress";
    Self::TooLong { .. } = 406, "too_long";
    Self::NotUtf8 { .. } = 407, "not_utf8";
    Self::ReservedBits { .. } = 408, "reserved_bits_not_agreed";
    Self::NoResponseInProgress = 409, "no_response_in_progress";
    Self::Incomplete { .. } = 410, "response_incomplete";
    Self::Memory { .. } = 411, "memory_full";
    Self::NoEntropy = 801, "no_entropy";
}

impl fmt::Display for SendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotOpen => f.write_str("the connection is not open yet"),
            Self::Closing => f.write_str("the connection is closing: nothing more can be sent"),
            Self::Full { queued, limit } => write!(
                f,
                "{queued} bytes are queued, {limit} are allowed: write some of them first"
            ),
            Self::Memory { needed, limit } => write!(
                f,
                "{needed} bytes of memory would be held, {limit} are allowed: \
                 write some of the output first, or send less"
            ),
            Self::MessageInProgress => {
                f.write_str("a message is being sent in parts: finish it first")
            }
            Self::NoMessageInProgress => f.write_str("no message was begun"),
            Self::NoResponseInProgress => {
                f.write_str("no answer over HTTP was begun, or it has ended")
            }
            Self::Incomplete { missing } => write!(
                f,
                "{missing} bytes of the answer are missing that were announced (RFC 9110 §8.6)"
            ),
            Self::TooLong { len, max } => write!(f, "{len} bytes, at most {max} are allowed"),
            Self::NotUtf8 { at } => write!(f, "text that is not UTF-8 at byte {at}"),
            Self::ReservedBits { bits } => write!(
                f,
                "reserved bits {bits:03b} that no extension of the application uses"
            ),
            Self::NoEntropy => NoEntropy.fmt(f),
        }
    }
}

impl core::error::Error for SendError {}

impl From<NoEntropy> for SendError {
    fn from(_: NoEntropy) -> Self {
        Self::NoEntropy
    }
}

impl<T> From<Unsent<T>> for SendError {
    fn from(unsent: Unsent<T>) -> Self {
        unsent.why
    }
}

/// A message that was refused, with what was handed over: `()` for borrowed data, the value itself
/// for a `Vec<u8>`, `String` or `Bytes`.
///
/// ```
/// use sansocket::{Connection, OriginPolicy, ServerConfig, error::SendError};
/// let mut ws = Connection::server(&ServerConfig::new(OriginPolicy::SameHost));
/// let unsent = ws.send(String::from("too early")).unwrap_err();
/// assert_eq!(unsent.why, SendError::NotOpen);
/// assert_eq!(unsent.message, "too early");
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Unsent<T> {
    /// Why it was refused.
    pub why: SendError,
    /// The message, unchanged.
    pub message: T,
}

impl<T> Unsent<T> {
    /// The number of this kind of error, the same in every version: that of [`why`](Self::why).
    #[must_use]
    pub const fn code(&self) -> u16 {
        self.why.code()
    }

    /// The name of this kind of error, the same in every version: that of [`why`](Self::why).
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.why.name()
    }
}

/// Says why, never what: the message stays out of logs.
impl<T> fmt::Debug for Unsent<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Unsent")
            .field("why", &self.why)
            .finish_non_exhaustive()
    }
}

impl<T> fmt::Display for Unsent<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.why.fmt(f)
    }
}

impl<T> core::error::Error for Unsent<T> {}

const _: () = assert!(size_of::<SendError>() <= 24);
