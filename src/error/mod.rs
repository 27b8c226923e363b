//! What can go wrong, told apart by who is to blame.
//!
//! [`ProtocolError`]: the peer broke a rule or passed a limit. [`HandshakeError`]: the same before
//! the connection was established. The others: our own caller asked for something that is not
//! allowed; nothing was queued and nothing changed. No error holds bytes of the peer.
//!
//! Each kind of error has a number, `code()`, and a name, `name()`, that stay the same in every version,
//! for bindings, logs and counters: 100 to 199 is the protocol, 200 timeouts and the application, 300 the
//! handshake, 400 sending, 500 closing, 600 accepting, 700 fields, 800 randomness, 900 extended CONNECT,
//! 1000 URIs, 1100 redirections, 1200 proxies, 1300 codecs, 1400 grammars, 1500 settings, 1600 the observer,
//! 1700 exceptions of scripts, 1800 the crates `sansocket-blocking` and `sansocket-tokio`, 1900 the hand-over,
//! 2000 endpoints in fixed room.

mod accept;
#[cfg(feature = "alloc")]
mod bad_entry;
mod close;
mod extended_connect;
mod field;
mod handshake;
mod id;
mod no_entropy;
mod protocol;
mod send;

pub use accept::AcceptError;
#[cfg(feature = "alloc")]
pub use bad_entry::BadEntry;
pub use close::CloseError;
pub use extended_connect::ExtendedConnectError;
pub use field::FieldError;
pub use handshake::{Field, HandshakeError};
pub(crate) use id::identified;
pub use no_entropy::NoEntropy;
pub use protocol::{Limit, ProtocolError};
pub use send::{SendError, Unsent};

use core::fmt;

use crate::close_code::CloseCode;

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

identified! { Timeout:
    Self::Handshake = 201, "handshake_timeout";
    Self::Pong = 202, "pong_timeout";
    Self::Idle = 203, "idle_timeout";
    Self::Message = 204, "message_timeout";
    Self::Close = 205, "close_timeout";
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
    /// The application failed it with this code ([`Connection::fail`](crate::Connection::fail)).
    Application(CloseCode),
}

impl Failure {
    /// The code of the Close frame that goes with it, `None` where no Close frame is sent: before
    /// the connection is established, and when the closing handshake itself took too long.
    #[must_use]
    pub const fn close_code(self) -> Option<u16> {
        match self {
            Self::Protocol(error) => Some(error.close_code()),
            Self::Application(code) => Some(code.get()),
            Self::Timeout(Timeout::Pong) => Some(1011),
            Self::Timeout(Timeout::Idle) => Some(1001),
            Self::Timeout(Timeout::Message) => Some(1008),
            Self::Timeout(Timeout::Handshake | Timeout::Close) | Self::Handshake(_) => None,
        }
    }
}

impl Failure {
    /// The number of this kind of failure, the same in every version: that of the error in it.
    #[must_use]
    pub const fn code(&self) -> u16 {
        match self {
            Self::Protocol(error) => error.code(),
            Self::Timeout(timeout) => timeout.code(),
            Self::Handshake(error) => error.code(),
            Self::Application(_) => 251,
        }
    }

    /// The name of this kind of failure, the same in every version: that of the error in it.
    ///
    /// ```
    /// use sansocket::error::{Failure, ProtocolError};
    /// let failure = Failure::Protocol(ProtocolError::ReservedOpcode { opcode: 3 });
    /// assert_eq!((failure.code(), failure.name()), (102, "reserved_opcode"));
    /// ```
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Protocol(error) => error.name(),
            Self::Timeout(timeout) => timeout.name(),
            Self::Handshake(error) => error.name(),
            Self::Application(_) => "failed_by_application",
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Protocol(error) => error.fmt(f),
            Self::Timeout(timeout) => timeout.fmt(f),
            Self::Handshake(error) => error.fmt(f),
            Self::Application(code) => write!(f, "failed by this end with code {}", code.get()),
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
