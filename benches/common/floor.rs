//! The least that could work: no checks, no state, nothing assembled.

use sansocket::frame::FrameHeader;
use sansocket::mask::{MaskingKey, apply_mask};

use super::traffic::Sink;

/// The bare receive loop: a header parsed, the payload XORed in place with the same word routine,
/// the slice handed out. Returns how many bytes at the end are no whole frame.
#[inline(never)]
pub fn receive<const MASKED: bool, S: Sink>(mut input: &mut [u8], sink: &mut S) -> usize {
    loop {
        let &mut [_, second, ref rest @ ..] = input else {
            return input.len();
        };
        let (mut start, len) = match (second & 0x7f, rest.first_chunk(), rest.first_chunk()) {
            (126, Some(len), _) => (4, usize::from(u16::from_be_bytes(*len))),
            (127, _, Some(len)) => (10, u64::from_be_bytes(*len) as usize),
            (126 | 127, ..) => return input.len(),
            (len, ..) => (2, usize::from(len)),
        };
        start += if MASKED { 4 } else { 0 };
        if input.len() < start + len {
            return input.len();
        }
        let (frame, behind) = input.split_at_mut(start + len);
        input = behind;
        let (header, payload) = frame.split_at_mut(start);
        if MASKED && let Some(key) = header.last_chunk() {
            apply_mask(payload, *key, 0);
        }
        sink.message(payload);
    }
}

/// The bare send: a header and a copy.
#[inline(always)]
pub fn send(out: &mut Vec<u8>, first: u8, payload: &[u8]) {
    write_header(out, first, 0, payload.len());
    out.extend_from_slice(payload);
}

/// The bare masked send: a header, the key, and a copy that is masked where it lies.
#[inline(always)]
pub fn send_masked(out: &mut Vec<u8>, first: u8, key: MaskingKey, payload: &[u8]) {
    write_header(out, first, 0x80, payload.len());
    out.extend_from_slice(&key);
    masked_copy(out, key, payload);
}

/// Appends the payload, masked.
#[inline(always)]
pub fn masked_copy(out: &mut Vec<u8>, key: MaskingKey, payload: &[u8]) {
    let start = out.len();
    out.extend_from_slice(payload);
    apply_mask(&mut out[start..], key, 0);
}

#[inline(always)]
fn write_header(out: &mut Vec<u8>, first: u8, mask: u8, len: usize) {
    out.reserve(FrameHeader::MAX_LEN + len);
    match len {
        0..=125 => out.extend_from_slice(&[first, mask | len as u8]),
        126..=0xffff => {
            let [a, b] = (len as u16).to_be_bytes();
            out.extend_from_slice(&[first, mask | 126, a, b]);
        }
        _ => {
            out.extend_from_slice(&[first, mask | 127]);
            out.extend_from_slice(&(len as u64).to_be_bytes());
        }
    }
}
