//! What the opening handshake agrees on.

use alloc::string::String;
use core::fmt;

/// What the two sides agreed on: what a connection over a stream that was upgraded elsewhere starts
/// from.
///
/// ```
/// use sansocket::Negotiated;
/// let negotiated = Negotiated::new().subprotocol("chat");
/// assert_eq!(negotiated.subprotocol.as_deref(), Some("chat"));
/// ```
#[derive(Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Negotiated {
    /// The subprotocol in use (RFC 6455 §1.9).
    pub subprotocol: Option<String>,
    /// The extensions in use with their parameters, as the value of `Sec-WebSocket-Extensions` in the
    /// answer (RFC 6455 §9.1). Empty: none.
    pub extensions: String,
    /// The reserved bits that the application's own extensions use in data frames (RFC 6455 §5.2):
    /// RSV1 is 4, RSV2 2, RSV3 1.
    pub reserved_bits: u8,
}

impl Negotiated {
    /// No subprotocol and no extensions.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the subprotocol in use.
    #[must_use]
    pub fn subprotocol(mut self, subprotocol: impl Into<String>) -> Self {
        self.subprotocol = Some(subprotocol.into());
        self
    }

    /// Sets the extensions in use, as the server's answer had them.
    #[must_use]
    pub fn extensions(mut self, extensions: impl Into<String>) -> Self {
        self.extensions = extensions.into();
        self
    }

    /// Sets the reserved bits that the application's own extensions use.
    #[must_use]
    pub fn reserved_bits(mut self, bits: u8) -> Self {
        self.reserved_bits = bits;
        self
    }

    /// Bytes of heap.
    pub(crate) fn memory_held(&self) -> usize {
        self.subprotocol.as_ref().map_or(0, String::capacity) + self.extensions.capacity()
    }
}

/// Lengths only.
impl fmt::Debug for Negotiated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Negotiated")
            .field("subprotocol", &self.subprotocol.as_ref().map(String::len))
            .field("extensions", &self.extensions.len())
            .field("reserved_bits", &self.reserved_bits)
            .finish()
    }
}
