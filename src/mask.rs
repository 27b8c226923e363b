//! Masking (RFC 6455 §5.3): byte i of a payload is XORed with byte i mod 4 of the masking key.
//!
//! Needs neither `alloc` nor `std`.

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
#[inline]
pub fn apply_mask(payload: &mut [u8], key: MaskingKey, offset: u64) {
    xor(payload, rotate(key, offset));
}

/// The key as it stands at `offset` bytes into the payload.
#[inline]
pub(crate) fn rotate(key: MaskingKey, offset: u64) -> MaskingKey {
    // `as`: only the two lowest bits count.
    u32::from_le_bytes(key)
        .rotate_right((offset as u32 & 3) * 8)
        .to_le_bytes()
}

/// XORs with a key that starts at the first byte.
///
/// No loop over single bytes, and few cases: where lengths are random each further one costs a
/// mispredicted branch.
#[inline]
fn xor(payload: &mut [u8], key: MaskingKey) {
    match payload.len() {
        0 => {}
        1..4 => xor_tiny(payload, key),
        4..16 => xor_ends::<4>(payload, key),
        16..=64 => xor_ends::<16>(payload, key),
        65..=128 => xor_ends::<32>(payload, key),
        _ => xor_long(payload, key),
    }
}

/// XORs 1 to 3 bytes as the first, the middle and the last, which may be the same.
#[inline]
fn xor_tiny(payload: &mut [u8], key: MaskingKey) {
    let (middle, last) = (payload.len() / 2, payload.len() - 1);
    let (a, b, c) = (payload[0], payload[middle], payload[last]);
    payload[0] = a ^ key[0];
    payload[middle] = b ^ key[middle & 3];
    payload[last] = c ^ key[last & 3];
}

/// XORs `N..=4 * N` bytes as four words of `N` that may overlap: two from the start, two that
/// end with the last byte. All are loaded before the first is stored.
#[inline]
fn xor_ends<const N: usize>(payload: &mut [u8], key: MaskingKey) {
    let len = payload.len();
    // Where the second word begins, and the last but one ends before the end.
    let step = if len < 2 * N { 0 } else { N };
    let tail = rotate(key, len as u64); // `N` is a multiple of four
    let (second, third, last) = (step, len - N - step, len - N);
    let a = xored::<N>(word(payload, 0), key);
    let b = xored::<N>(word(payload, second), key);
    let c = xored::<N>(word(payload, third), tail);
    let d = xored::<N>(word(payload, last), tail);
    put(payload, 0, a);
    put(payload, second, b);
    put(payload, third, c);
    put(payload, last, d);
}

/// XORs at least 16 bytes: arrays, which compilers turn into vector code, and the last one, which
/// may overlap them, loaded before they are stored.
fn xor_long(payload: &mut [u8], key: MaskingKey) {
    let at = payload.len() - 16;
    let last = xored::<16>(word(payload, at), rotate(key, at as u64));
    let (chunks, _) = payload.as_chunks_mut::<16>();
    for chunk in chunks {
        *chunk = xored(*chunk, key);
    }
    put(payload, at, last);
}

#[inline]
fn word<const N: usize>(payload: &[u8], at: usize) -> [u8; N] {
    let mut word = [0; N];
    word.copy_from_slice(&payload[at..at + N]);
    word
}

#[inline]
fn put<const N: usize>(payload: &mut [u8], at: usize, word: [u8; N]) {
    payload[at..at + N].copy_from_slice(&word);
}

/// In steps of four bytes: what compilers merge into one operation, where single bytes are not.
#[inline]
fn xored<const N: usize>(mut bytes: [u8; N], key: MaskingKey) -> [u8; N] {
    let (words, _) = bytes.as_chunks_mut::<4>();
    for word in words {
        *word = (u32::from_ne_bytes(*word) ^ u32::from_ne_bytes(key)).to_ne_bytes();
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::{MaskingKey, apply_mask};
    use alloc::vec::Vec;
    use proptest::prelude::*;

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
        let bytes: Vec<u8> = (0..600u32).map(|i| (i * 7 + i / 251) as u8).collect();
        let key = [0x37, 0xfa, 0x21, 0x3d];
        for len in 0..bytes.len() {
            for offset in 0..8 {
                let mut payload = bytes[..len].to_vec();
                apply_mask(&mut payload, key, offset);
                assert_eq!(
                    payload,
                    naive(&bytes[..len], key, offset),
                    "{len} bytes at {offset}"
                );
            }
        }
    }

    proptest! {
        /// M-6: pieces with their offsets are the same as the whole; twice is nothing.
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
