//! What can be wrong with the opening handshake.

use core::fmt;

/// The peer's half of the opening handshake was wrong (RFC 6455 §4.1, §4.2). A server answers with
/// [`status`](Self::status); a client drops the transport.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum HandshakeError {
    /// The head is not HTTP/1.1 (RFC 9112).
    Malformed,
}

impl fmt::Display for HandshakeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Malformed => "not HTTP/1.1",
        })
    }
}

impl core::error::Error for HandshakeError {}
