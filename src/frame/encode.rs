//! Frames appended to a buffer.

use alloc::vec::Vec;

use crate::mask::{MaskingKey, extend_masked};

use super::header::with_header;

/// Appends a whole frame. Out of line, for cold callers.
pub(crate) fn encode_frame(out: &mut Vec<u8>, first: u8, key: Option<MaskingKey>, payload: &[u8]) {
    encode_header(out, first, key, payload.len() as u64);
    extend_masked(out, key, payload);
}

/// Appends a header with its key.
#[inline(always)]
pub(crate) fn encode_header(
    out: &mut Vec<u8>,
    first: u8,
    key: Option<MaskingKey>,
    payload_len: u64,
) {
    with_header(first, key, payload_len, |header| {
        out.extend_from_slice(header)
    });
}
