//! What can go wrong, told apart by who is to blame.
//!
//! [`ProtocolError`]: the peer broke a rule or passed a limit. [`HandshakeError`]: the same before
//! the connection was established. The others: our own caller asked for something that is not
//! allowed; nothing was queued and nothing changed. No error holds bytes of the peer.

mod accept;
mod bad_entry;
mod close;
mod extended_connect;
mod field;
mod handshake;
mod no_entropy;
mod protocol;
mod send;

pub use accept::AcceptError;
pub use bad_entry::BadEntry;
pub use close::CloseError;
pub use extended_connect::ExtendedConnectError;
pub use field::FieldError;
pub use handshake::{Field, HandshakeError};
pub use no_entropy::NoEntropy;
pub use protocol::{Limit, ProtocolError};
pub use send::{SendError, Unsent};

use core::fmt;

/// A deadline that passed (see [`Timeouts`](crate::config::Timeouts)).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Timeout {
    /// The opening handshake was not complete in time.
    Handshake,
    /// A keepalive ping was not answered in time: the peer is dead or its network is.
    Pong,
    /// Nothing was received for too long.
    Idle,
    /// A message was begun and not complete in time.
    Message,
    /// The closing handshake was not complete in time (RFC 6455 §7.1.1).
    Close,
}

impl fmt::Display for Timeout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Handshake => "the opening handshake took too long",
            Self::Pong => "a keepalive ping was not answered in time",
            Self::Idle => "nothing was received for too long",
            Self::Message => "a message was not complete in time",
            Self::Close => "the closing handshake took too long",
        })
    }
}

impl core::error::Error for Timeout {}

/// Why the connection was failed (RFC 6455 §7.1.7).
///
/// ```
/// use sansocket::error::{Failure, ProtocolError};
/// let failure = Failure::Protocol(ProtocolError::ReservedOpcode { opcode: 3 });
/// assert_eq!(failure.close_code(), Some(1002));
/// assert_eq!(failure.to_string(), "reserved opcode 3 (RFC 6455 §5.2)");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Failure {
    /// The peer broke a rule or passed a limit.
    Protocol(ProtocolError),
    /// A deadline passed.
    Timeout(Timeout),
    /// The opening handshake was wrong.
    Handshake(HandshakeError),
}

impl Failure {
    /// The code of the Close frame that goes with it, `None` where no Close frame is sent: before
    /// the connection is established, and when the closing handshake itself took too long.
    #[must_use]
    pub const fn close_code(self) -> Option<u16> {
        match self {
            Self::Protocol(error) => Some(error.close_code()),
            Self::Timeout(Timeout::Pong) => Some(1011),
            Self::Timeout(Timeout::Idle) => Some(1001),
            Self::Timeout(Timeout::Message) => Some(1008),
            Self::Timeout(Timeout::Handshake | Timeout::Close) | Self::Handshake(_) => None,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Protocol(error) => error.fmt(f),
            Self::Timeout(timeout) => timeout.fmt(f),
            Self::Handshake(error) => error.fmt(f),
        }
    }
}

impl core::error::Error for Failure {}

impl From<ProtocolError> for Failure {
    fn from(error: ProtocolError) -> Self {
        Self::Protocol(error)
    }
}

impl From<Timeout> for Failure {
    fn from(timeout: Timeout) -> Self {
        Self::Timeout(timeout)
    }
}

impl From<HandshakeError> for Failure {
    fn from(error: HandshakeError) -> Self {
        Self::Handshake(error)
    }
}
