//! What a server's caller can get wrong when it answers a request.

use core::fmt;

use super::FieldError;
use super::id::identified;

/// The answer to a request was refused. Nothing was queued and nothing changed: another answer can be
/// given.
///
/// ```
/// use sansocket::{Accept, Connection, OriginPolicy, ServerConfig, error::AcceptError};
/// let mut ws = Connection::server(&ServerConfig::new(OriginPolicy::SameHost));
/// assert_eq!(ws.accept(Accept::new()), Err(AcceptError::NoRequest));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum AcceptError {
    /// No request waits for an answer: none has come, it was answered, it asks for no upgrade, or the
    /// connection is over.
    NoRequest,
    /// The client does not offer this subprotocol (RFC 6455 §4.2.2).
    SubprotocolNotOffered,
    /// The client does not offer this extension (RFC 6455 §4.2.2).
    ExtensionNotOffered,
    /// Two extensions have one name or use the same reserved bit (RFC 6455 §5.2, §9.1).
    ExtensionConflict,
    /// A response with a status below 200 or above 599 does not answer a request (RFC 9110 §15).
    BadStatus {
        /// The status.
        status: u16,
    },
    /// The body of the response is longer than the length given for the whole (RFC 9110 §8.6).
    BodyTooLong {
        /// Its bytes.
        len: u64,
        /// How many there may be.
        max: u64,
    },
    /// With this answer the connection would hold more memory than it may.
    Memory {
        /// Bytes of heap that it would hold.
        needed: u64,
        /// How many it may hold ([`Limits::memory`](crate::config::Limits::memory)).
        limit: u64,
    },
    /// HTTP/2 or HTTP/3: a field that these versions do not have (RFC 9113 §8.2.2).
    Field(FieldError),
}

identified! { AcceptError:
    Self::NoRequest = 601, "no_request";
    Self::SubprotocolNotOffered = 602, "accepted_subprotocol_not_offered";
    Self::ExtensionNotOffered = 603, "accepted_extension_not_offered";
    Self::ExtensionConflict = 604, "accepted_extension_conflict";
    Self::BadStatus { .. } = 605, "bad_status";
    Self::BodyTooLong { .. } = 606, "body_too_long";
    Self::Memory { .. } = 607, "answer_beyond_memory";
    Self::Field(FieldError::BadName) = 701, "bad_name";
    Self::Field(FieldError::BadValue) = 702, "bad_value";
    Self::Field(FieldError::Reserved) = 703, "reserved_field";
    Self::Field(FieldError::BadSubprotocol) = 704, "bad_subprotocol";
    Self::Field(FieldError::BadExtension) = 705, "bad_extension";
}

impl fmt::Display for AcceptError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoRequest => f.write_str("no request waits for this answer"),
            Self::SubprotocolNotOffered => {
                f.write_str("the client does not offer this subprotocol (RFC 6455 §4.2.2)")
            }
            Self::ExtensionNotOffered => {
                f.write_str("the client does not offer this extension (RFC 6455 §4.2.2)")
            }
            Self::ExtensionConflict => {
                f.write_str("two extensions of one name or on one reserved bit (RFC 6455 §5.2)")
            }
            Self::BadStatus { status } => {
                write!(f, "status {status} is not from 200 to 599 (RFC 9110 §15)")
            }
            Self::BodyTooLong { len, max } => write!(
                f,
                "a body of {len} bytes, {max} were announced (RFC 9110 §8.6)"
            ),
            Self::Memory { needed, limit } => write!(
                f,
                "{needed} bytes of memory would be held, {limit} are allowed"
            ),
            Self::Field(error) => error.fmt(f),
        }
    }
}

impl core::error::Error for AcceptError {}

impl From<FieldError> for AcceptError {
    fn from(error: FieldError) -> Self {
        Self::Field(error)
    }
}
