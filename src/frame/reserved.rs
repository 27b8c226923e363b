//! The reserved bits of a frame header (RFC 6455 §5.2).

/// The bit of permessage-deflate, on the first frame of a compressed message (RFC 7692 §6).
pub(crate) const RSV1: u8 = 4;

/// All three: RSV1, RSV2 and RSV3.
pub(crate) const RESERVED_BITS: u8 = 7;
