//! Masking (RFC 6455 §5.3): byte i of a payload is XORed with byte i mod 4 of the masking key.
//!
//! What is public needs neither `alloc` nor `std`.

#[cfg(feature = "alloc")]
mod appending;

#[cfg(feature = "alloc")]
pub(crate) use appending::extend_masked;

/// From so many bytes on it pays to align the words, which takes about 5 ns.
const ALIGNED: usize = 4096;

/// The four bytes that a client's frame is masked with (RFC 6455 §5.3).
pub type MaskingKey = [u8; 4];

/// Masks or unmasks `payload` in place: the operation is its own inverse (RFC 6455 §5.3).
///
/// `offset` is the position of `payload[0]` in the frame's payload, so that a payload can be
/// worked on piece by piece.
///
/// ```
/// use sansocket::mask::apply_mask;
/// let key = [0x37, 0xfa, 0x21, 0x3d];
/// let mut payload = [0x7f, 0x9f, 0x4d, 0x51, 0x58];
/// let (first, rest) = payload.split_at_mut(2);
/// apply_mask(first, key, 0);
/// apply_mask(rest, key, 2);
/// assert_eq!(&payload, b"Hello");
/// ```
#[inline(always)]
pub fn apply_mask(payload: &mut [u8], key: MaskingKey, offset: u64) {
    xor(payload, rotate(key, offset));
}

/// Copies `from` into a place of the same length, masked on the way: one pass.
pub(crate) fn copy_masked(place: &mut [u8], from: &[u8], key: MaskingKey) {
    wide::copy(place, from, key);
}

#[inline(always)]
fn copy_words(place: &mut [u8], from: &[u8], key: MaskingKey) {
    let (chunks, _) = from.as_chunks::<64>();
    let Some(last) = from.last_chunk::<64>() else {
        place.copy_from_slice(from);
        return xor(place, key);
    };
    let (places, _) = place.as_chunks_mut::<64>();
    for (place, chunk) in places.iter_mut().zip(chunks) {
        *place = masked(*chunk, key);
    }
    put_last(place, masked(*last, rotate(key, from.len() as u64)));
}

/// The key as it stands at `offset` bytes into the payload.
#[inline(always)]
pub(crate) fn rotate(key: MaskingKey, offset: u64) -> MaskingKey {
    // `as`: only the two lowest bits count.
    u32::from_le_bytes(key)
        .rotate_right((offset as u32 & 3) * 8)
        .to_le_bytes()
}

/// XORs with a key that starts at the first byte.
///
/// Without a loop over single bytes, and with few cases: if lengths are random, each further case costs
/// a mispredicted branch.
// A call in WebAssembly, where a module is downloaded: that saves 18 of its 200 KB.
#[cfg_attr(not(any(target_arch = "wasm32", target_os = "none")), inline(always))]
#[cfg_attr(any(target_arch = "wasm32", target_os = "none"), inline(never))]
fn xor(payload: &mut [u8], key: MaskingKey) {
    match payload.len() {
        0 => {}
        _ if cfg!(target_os = "none") => xor_plain(payload, key),
        1..4 => xor_tiny(payload, key),
        4..16 => xor_ends::<4>(payload, key),
        16..=64 => xor_ends::<16>(payload, key),
        65..=128 => xor_ends::<32>(payload, key),
        _ => xor_long(payload, key),
    }
}

/// XORs word by word, and the bytes after the last one: where code counts more than time.
fn xor_plain(payload: &mut [u8], key: MaskingKey) {
    let (words, rest) = payload.as_chunks_mut::<4>();
    for word in words {
        *word = masked(*word, key);
    }
    for (byte, key) in rest.iter_mut().zip(key) {
        *byte ^= key;
    }
}

/// XORs 1 to 3 bytes as the first, the middle and the last, which may be the same.
#[inline]
fn xor_tiny(payload: &mut [u8], key: MaskingKey) {
    let (middle, last) = (payload.len() / 2, payload.len() - 1);
    let (a, b, c) = (payload[0], payload[middle], payload[last]);
    let [first, ..] = key;
    payload[0] = a ^ first;
    payload[middle] = b ^ rotate(key, middle as u64)[0];
    payload[last] = c ^ rotate(key, last as u64)[0];
}

/// XORs `N..=4 * N` bytes as four words of `N` that may overlap: two from the start, two that
/// end with the last byte. All are loaded before the first is stored.
#[inline(always)]
fn xor_ends<const N: usize>(payload: &mut [u8], key: MaskingKey) {
    let len = payload.len();
    // Where the second word begins, and the last but one ends before the end.
    let step = if len < 2 * N { 0 } else { N };
    let tail = rotate(key, len as u64); // `N` is a multiple of four
    let a = masked::<N>(first(payload), key);
    let b = masked::<N>(first(&payload[step..]), key);
    let c = masked::<N>(last(&payload[..len - step]), tail);
    let d = masked::<N>(last(payload), tail);
    put_first(payload, a);
    put_first(&mut payload[step..], b);
    put_last(&mut payload[..len - step], c);
    put_last(payload, d);
}

/// XORs more than 128 bytes. A call, so that short payloads are inlined without it.
#[inline(never)]
fn xor_long(payload: &mut [u8], key: MaskingKey) {
    if payload.len() < ALIGNED {
        return wide::xor(payload, key);
    }
    // A word that spans two lines of the cache takes longer.
    let skip = payload.as_ptr().align_offset(32).min(32);
    let (front, rest) = payload.split_at_mut(skip);
    xor(front, key);
    wide::xor(rest, rotate(key, skip as u64));
}

/// XORs at least `N` bytes: arrays, which compilers turn into vector code, and the last one, which
/// may overlap them, loaded before they are stored.
#[inline(always)]
fn xor_words<const N: usize>(payload: &mut [u8], key: MaskingKey) {
    let end = masked::<N>(last(payload), rotate(key, payload.len() as u64));
    let (chunks, _) = payload.as_chunks_mut::<N>();
    for chunk in chunks {
        *chunk = masked(*chunk, key);
    }
    put_last(payload, end);
}

#[inline]
fn first<const N: usize>(payload: &[u8]) -> [u8; N] {
    payload.first_chunk().copied().unwrap_or([0; N])
}

#[inline(always)]
fn last<const N: usize>(payload: &[u8]) -> [u8; N] {
    payload.last_chunk().copied().unwrap_or([0; N])
}

#[inline]
fn put_first<const N: usize>(payload: &mut [u8], word: [u8; N]) {
    if let Some(place) = payload.first_chunk_mut() {
        *place = word;
    }
}

#[inline(always)]
fn put_last<const N: usize>(payload: &mut [u8], word: [u8; N]) {
    if let Some(place) = payload.last_chunk_mut() {
        *place = word;
    }
}

/// In steps of four bytes: what compilers merge into one operation, where single bytes are not.
#[inline(always)]
fn masked<const N: usize>(mut bytes: [u8; N], key: MaskingKey) -> [u8; N] {
    let (words, _) = bytes.as_chunks_mut::<4>();
    for word in words {
        *word = (u32::from_ne_bytes(*word) ^ u32::from_ne_bytes(key)).to_ne_bytes();
    }
    bytes
}

/// Long payloads with the widest vectors that the processor has, chosen at run time.
#[cfg(feature = "simd")]
mod wide {
    use fearless_simd::{Level, dispatch};

    use super::{MaskingKey, copy_words, xor_words};

    /// From so many bytes on it pays to ask what the processor can do, which takes about 6 ns.
    const WIDE: usize = 1024;

    pub(super) fn copy(place: &mut [u8], from: &[u8], key: MaskingKey) {
        if from.len() >= WIDE {
            return dispatch!(Level::new(), _simd => copy_words(place, from, key));
        }
        copy_words(place, from, key);
    }

    pub(super) fn xor(payload: &mut [u8], key: MaskingKey) {
        if payload.len() >= WIDE {
            return dispatch!(Level::new(), _simd => xor_words::<32>(payload, key));
        }
        xor_words::<16>(payload, key);
    }
}

/// The vectors that every processor has that the crate is compiled for.
#[cfg(not(feature = "simd"))]
mod wide {
    pub(super) use super::copy_words as copy;

    pub(super) fn xor(payload: &mut [u8], key: super::MaskingKey) {
        super::xor_words::<16>(payload, key);
    }
}

#[cfg(all(test, feature = "alloc"))]
mod tests {
    use alloc::vec;
    use alloc::vec::Vec;

    use proptest::prelude::*;

    use super::{MaskingKey, apply_mask, copy_masked, extend_masked, rotate, xor_plain};

    /// RFC 6455 §5.3, word for word: transformed-octet-i = original-octet-i XOR masking-key-octet-(i mod 4).
    fn naive(payload: &[u8], key: MaskingKey, offset: u64) -> Vec<u8> {
        payload
            .iter()
            .zip(offset..)
            .map(|(byte, i)| byte ^ key[(i % 4) as usize])
            .collect()
    }

    #[test]
    fn every_length_and_offset_is_the_definition() {
        let bytes: Vec<u8> = (0..4200u32).map(|i| (i * 7 + i / 251) as u8).collect();
        let key = [0x37, 0xfa, 0x21, 0x3d];
        for len in (0..600).chain(1000..1400).chain(4090..bytes.len()) {
            for offset in 0..8 {
                // At addresses of all kinds too.
                let start = offset as usize * 5;
                let mut placed = vec![0; start];
                placed.extend_from_slice(&bytes[..len]);
                let payload = &mut placed[start..];
                apply_mask(payload, key, offset);
                assert_eq!(
                    payload,
                    naive(&bytes[..len], key, offset),
                    "{len} bytes at {offset}"
                );
                let mut plain = bytes[..len].to_vec();
                xor_plain(&mut plain, rotate(key, offset));
                assert_eq!(plain, payload, "{len} bytes at {offset}, word by word");
                let mut copy = vec![0; len];
                copy_masked(&mut copy, &bytes[..len], rotate(key, offset));
                assert_eq!(copy, payload, "{len} bytes at {offset}, copied");
                let mut appended = vec![7; start];
                extend_masked(&mut appended, Some(rotate(key, offset)), &bytes[..len]);
                assert_eq!(
                    appended[start..],
                    *payload,
                    "{len} bytes at {offset}, appended"
                );
                assert_eq!(appended[..start], vec![7; start]);
            }
        }
    }

    proptest! {
        /// Pieces with their offsets are the same as the whole; twice is nothing.
        #[test]
        fn any_cut_is_the_definition(bytes in proptest::collection::vec(any::<u8>(), 0..300), key: MaskingKey, offset: u64, cut: usize) {
            let offset = offset >> 1;
            let expected = naive(&bytes, key, offset);
            let mut payload = bytes.clone();
            let cut = cut % (bytes.len() + 1);
            let (first, rest) = payload.split_at_mut(cut);
            apply_mask(first, key, offset);
            apply_mask(rest, key, offset + cut as u64);
            prop_assert_eq!(&payload, &expected);
            apply_mask(&mut payload, key, offset);
            prop_assert_eq!(payload, bytes);
        }
    }
}
