//! Payloads appended to a buffer, masked on the way: one pass, and no byte is written twice.

use alloc::vec::Vec;

use super::{ALIGNED, MaskingKey, masked, rotate, wide};

/// Appends the payload, masked on the way.
// A call in WebAssembly, as `xor`.
#[cfg_attr(not(target_arch = "wasm32"), inline(always))]
#[cfg_attr(target_arch = "wasm32", inline(never))]
pub(crate) fn extend_masked(out: &mut Vec<u8>, key: Option<MaskingKey>, payload: &[u8]) {
    let Some(key) = key else {
        return out.extend_from_slice(payload);
    };
    out.reserve(payload.len());
    match payload.len() {
        0..4 => out.extend(payload.iter().zip(key).map(|(byte, key)| byte ^ key)),
        4..8 => extend_words::<4>(out, key, payload),
        8..16 => extend_words::<8>(out, key, payload),
        16..64 => extend_words::<16>(out, key, payload),
        _ => extend_long(out, key, payload),
    }
}

/// Appends at least 64 bytes. A call, so that short payloads do not save the registers that only this one needs.
#[inline(never)]
fn extend_long(out: &mut Vec<u8>, key: MaskingKey, payload: &[u8]) {
    if payload.len() >= ALIGNED {
        return extend_aligned(out, key, payload);
    }
    let start = out.len();
    out.extend_from_slice(payload);
    wide::xor(&mut out[start..], key);
}

/// Appends into room that is not cleared before: an iterator over arrays whose length is known writes there.
fn extend_aligned(out: &mut Vec<u8>, key: MaskingKey, payload: &[u8]) {
    let skip = out.spare_capacity_mut().as_ptr().align_offset(64).min(63);
    let (front, rest) = payload.split_at(skip);
    extend_masked(out, Some(key), front);
    let key = rotate(key, skip as u64);
    let (chunks, end) = rest.as_chunks::<64>();
    out.extend(chunks.iter().flat_map(|chunk| masked(*chunk, key)));
    extend_masked(out, Some(key), end);
}

/// Appends at least `N` bytes in words of `N`, of which the last may overlap the one before.
#[inline(always)]
fn extend_words<const N: usize>(out: &mut Vec<u8>, key: MaskingKey, payload: &[u8]) {
    let (words, _) = payload.as_chunks::<N>();
    for word in words {
        out.extend_from_slice(&masked(*word, key));
    }
    if let Some(word) = payload.last_chunk::<N>() {
        out.truncate(out.len() + payload.len() - (words.len() + 1) * N);
        let key = rotate(key, payload.len() as u64); // `N` is a multiple of four
        out.extend_from_slice(&masked(*word, key));
    }
}
