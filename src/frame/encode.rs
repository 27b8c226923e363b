//! Frames appended to a buffer.

use alloc::vec::Vec;

use crate::mask::{MaskingKey, extend_masked};

use super::{FrameHeader, Opcode, with_header};

/// The first byte of a frame's header.
#[inline]
pub(crate) const fn first_byte(fin: bool, rsv: u8, opcode: Opcode) -> u8 {
    (fin as u8) << 7 | rsv << 4 | opcode as u8
}

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
    let Some(key) = key else {
        return with_header(first, 0, payload_len, |header| {
            out.extend_from_slice(header)
        });
    };
    // At once: each call that extends asks for room.
    with_header(first, 0x80, payload_len, |header| {
        let mut whole = [0; FrameHeader::MAX_LEN];
        whole[..header.len()].copy_from_slice(header);
        whole[header.len()..][..key.len()].copy_from_slice(&key);
        out.extend_from_slice(&whole[..header.len() + key.len()]);
    });
}
