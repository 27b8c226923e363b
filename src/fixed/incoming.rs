//! What an endpoint tells its application.

use core::fmt;
use core::time::Duration;

use crate::close_code::CloseCode;
use crate::error::Failure;
use crate::life::Side;

use super::head::{RequestHead, ResponseHead};

/// What came. It borrows from the input and from the [`Room`](super::Room), never from the endpoint: so it can be
/// answered while it is held.
#[derive(Clone, Copy)]
#[non_exhaustive]
pub enum Incoming<'e> {
    /// Server: a valid request for WebSocket. [`accept`](super::Endpoint::accept) or
    /// [`refuse`](super::Endpoint::refuse) it before the next [`receive`](super::Endpoint::receive), which
    /// refuses it with 404 otherwise.
    Request(RequestHead<'e>),
    /// Client: the server has accepted; the connection is open.
    Accepted(ResponseHead<'e>),
    /// Client: the server has answered with this status, and there is no connection (RFC 6455 §4.1 (1)).
    Refused(u16),
    /// A whole text message.
    Text(&'e str),
    /// A whole binary message.
    Binary(&'e [u8]),
    /// A Ping; its Pong is queued (RFC 6455 §5.5.2).
    Ping(&'e [u8]),
    /// A Pong (RFC 6455 §5.5.3).
    Pong {
        /// Its payload.
        payload: &'e [u8],
        /// How long the answer took, if this answers the last ping of [`Timeouts::ping`](crate::config::Timeouts::ping).
        round_trip: Option<Duration>,
    },
    /// The peer's Close frame; ours is queued (RFC 6455 §5.5.1).
    Close {
        /// The code; `None` if the frame had no body.
        code: Option<CloseCode>,
        /// The reason: for logs and debugging, not for end users.
        reason: &'e str,
    },
    /// The peer broke a rule, passed a limit, or a deadline has passed: nothing more is read, and what answers it is
    /// queued (RFC 6455 §7.1.7).
    Failed(Failure),
    /// The end, once, the last of all.
    Closed(Ended),
}

/// How the connection ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Ended {
    /// The closing handshake was complete before the transport was closed (RFC 6455 §7.1.4).
    pub clean: bool,
    /// The connection's close code (RFC 6455 §7.1.5): the one the peer sent, 1005 if its Close frame
    /// had none, 1006 if none came.
    pub code: u16,
    /// The status of the HTTP answer that ended the opening handshake instead: the one that a server gave, or the one
    /// that a client got.
    pub answered: Option<u16>,
    /// Why the connection was failed, if it was.
    pub failure: Option<Failure>,
    /// Who sent the first Close frame, if one was sent.
    pub began: Option<Side>,
}

/// Lengths in the place of payloads and reasons.
impl fmt::Debug for Incoming<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Request(head) => head.fmt(f),
            Self::Accepted(head) => head.fmt(f),
            Self::Refused(status) => f.debug_tuple("Refused").field(status).finish(),
            Self::Text(text) => write!(f, "Text({} bytes)", text.len()),
            Self::Binary(bytes) => write!(f, "Binary({} bytes)", bytes.len()),
            Self::Ping(payload) => write!(f, "Ping({} bytes)", payload.len()),
            Self::Pong { payload, .. } => write!(f, "Pong({} bytes)", payload.len()),
            Self::Close { code, reason } => {
                let code = code.map(CloseCode::get);
                write!(f, "Close({code:?}, reason of {} bytes)", reason.len())
            }
            Self::Failed(failure) => f.debug_tuple("Failed").field(failure).finish(),
            Self::Closed(ended) => ended.fmt(f),
        }
    }
}
