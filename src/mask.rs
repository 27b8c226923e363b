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
/// No loop over single bytes: the last word is loaded before the first is stored and overlaps it,
/// and whatever is longer goes through 16-byte arrays, which compilers turn into vector code.
#[inline]
fn xor(payload: &mut [u8], key: MaskingKey) {
    let len = payload.len();
    match len {
        0..4 => {
            for (byte, key) in payload.iter_mut().zip(key) {
                *byte ^= key;
            }
        }
        4..8 => xor_ends::<4>(payload, key),
        8..16 => xor_ends::<8>(payload, key),
        16..=32 => xor_ends::<16>(payload, key),
        _ => xor_long(payload, key),
    }
}

/// XORs `N..=2 * N` bytes as two words of `N` that may overlap.
#[inline]
fn xor_ends<const N: usize>(payload: &mut [u8], key: MaskingKey) {
    let at = payload.len() - N;
    let Some(last) = payload
        .last_chunk::<N>()
        .map(|last| xored(last, rotate(key, at as u64)))
    else {
        return;
    };
    if let Some(first) = payload.first_chunk_mut::<N>() {
        *first = xored(first, key);
    }
    if let Some(place) = payload.last_chunk_mut::<N>() {
        *place = last;
    }
}

fn xor_long(payload: &mut [u8], key: MaskingKey) {
    let at = payload.len() - 16;
    let Some(last) = payload
        .last_chunk::<16>()
        .map(|last| xored(last, rotate(key, at as u64)))
    else {
        return;
    };
    let (chunks, _) = payload.as_chunks_mut::<16>();
    for chunk in chunks {
        *chunk = xored(chunk, key);
    }
    if let Some(place) = payload.last_chunk_mut::<16>() {
        *place = last;
    }
}

#[inline]
fn xored<const N: usize>(bytes: &[u8; N], key: MaskingKey) -> [u8; N] {
    core::array::from_fn(|i| bytes[i] ^ key[i & 3])
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
