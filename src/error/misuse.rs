//! What our own caller may not do.

use core::fmt;

use super::NoEntropy;

/// The caller asked for something that is not allowed now or ever. Nothing was queued and nothing
/// changed; a message that had been handed over comes back in [`Unsent`].
///
/// ```
/// use sansocket::{Connection, Misuse, OriginPolicy, ServerConfig};
/// let mut ws = Connection::server(&ServerConfig::new(OriginPolicy::SameHost));
/// assert_eq!(ws.ping(b"too early"), Err(Misuse::NotOpen));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Misuse {
    /// The connection is not established yet, or there is no request to decide on (RFC 6455 §6.1).
    NotOpen,
    /// The closing handshake has begun or the connection was failed: nothing more is sent (RFC 6455 §5.5.1).
    Closing,
    /// As much output is queued as [`Limits::output`](crate::config::Limits::output) allows: write some first.
    Full,
    /// A message is being sent in parts: finish it first (RFC 6455 §5.4).
    MessageInProgress,
    /// A part was sent of a message that was not begun, or of another kind than it was begun with.
    NoMessageInProgress,
    /// A control frame's payload over 125 bytes, a close reason over 123, or more bytes than a message was begun with (RFC 6455 §5.5).
    TooLong,
    /// Text that is not UTF-8 (RFC 6455 §5.6).
    NotUtf8,
    /// A close code that this role may not send (RFC 6455 §7.4.1), or a reason without a code.
    BadCloseCode,
    /// Reserved bits that no extension of the application's uses (RFC 6455 §5.2).
    ReservedBits,
    /// There is no source of randomness: the feature `getrandom` is off and the caller passed none.
    NoEntropy,
}

impl fmt::Display for Misuse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotOpen => "the connection is not open for this",
            Self::Closing => "the connection is closing: nothing more can be sent",
            Self::Full => "the output queue is full: write some of it first",
            Self::MessageInProgress => "a message is being sent in parts: finish it first",
            Self::NoMessageInProgress => "no message of this kind is being sent in parts",
            Self::TooLong => "longer than the frame allows",
            Self::NotUtf8 => "text that is not UTF-8",
            Self::BadCloseCode => "a close code that may not be sent",
            Self::ReservedBits => "reserved bits that no extension of the application's uses",
            Self::NoEntropy => {
                "no source of randomness: pass one, or turn on the feature `getrandom`"
            }
        })
    }
}

impl core::error::Error for Misuse {}

impl From<NoEntropy> for Misuse {
    fn from(_: NoEntropy) -> Self {
        Self::NoEntropy
    }
}

/// A message that was refused, with what was handed over: `()` for borrowed data, the value itself
/// for a `Vec<u8>`, `String` or `Bytes`.
///
/// ```
/// use sansocket::{Connection, Misuse, OriginPolicy, ServerConfig};
/// let mut ws = Connection::server(&ServerConfig::new(OriginPolicy::SameHost));
/// let unsent = ws.send(String::from("too early")).unwrap_err();
/// assert_eq!(unsent.why, Misuse::NotOpen);
/// assert_eq!(unsent.message, "too early");
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Unsent<T> {
    /// Why it was refused.
    pub why: Misuse,
    /// The message, unchanged.
    pub message: T,
}

impl<T> From<Unsent<T>> for Misuse {
    fn from(unsent: Unsent<T>) -> Self {
        unsent.why
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
