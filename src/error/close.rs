//! What a caller can get wrong when it closes.

use core::fmt;

use super::NoEntropy;
use super::id::identified;

/// The closing handshake was not started: nothing was queued and nothing changed.
///
/// ```
/// use sansocket::{Connection, Negotiated, ServerConfig, error::CloseError};
/// # let config = ServerConfig::upgraded();
/// let mut ws = Connection::upgraded_server(&config, Negotiated::default());
/// assert_eq!(ws.close(None, "bye"), Err(CloseError::ReasonWithoutCode));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CloseError {
    /// A code that only a client sends: 1010 (RFC 6455 §7.4.1).
    ClientCode {
        /// The code.
        code: u16,
    },
    /// A reason follows a code (RFC 6455 §5.5.1), and there is none.
    ReasonWithoutCode,
    /// A reason that does not fit into a control frame with its code (RFC 6455 §5.5).
    ReasonTooLong {
        /// Its bytes.
        len: usize,
        /// How many there may be.
        max: usize,
    },
    /// There is no source of randomness for the masking key (RFC 6455 §5.3).
    NoEntropy,
}

identified! { CloseError:
    Self::ClientCode { .. } = 501, "client_code";
    Self::ReasonWithoutCode = 502, "reason_without_code";
    Self::ReasonTooLong { .. } = 503, "reason_too_long";
    Self::NoEntropy = 801, "no_entropy";
}

impl fmt::Display for CloseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ClientCode { code } => write!(f, "code {code} is sent by clients only"),
            Self::ReasonWithoutCode => f.write_str("a reason without a code"),
            Self::ReasonTooLong { len, max } => {
                write!(f, "a reason of {len} bytes, at most {max} are allowed")
            }
            Self::NoEntropy => NoEntropy.fmt(f),
        }
    }
}

impl core::error::Error for CloseError {}

const _: () = assert!(size_of::<CloseError>() <= 24);
