//! UTF-8 (RFC 3629) validated piece by piece, failing at the first impossible byte (RFC 6455 §8.1).
//!
//! Needs neither `alloc` nor `std`.

// Before 0.1.5, which a lock file may not have yet, simdutf8 reads in WebAssembly as if all were aligned.
#[cfg(any(not(feature = "simdutf8"), target_arch = "wasm32"))]
use core::str as of_long;

#[cfg(all(feature = "simdutf8", not(target_arch = "wasm32")))]
use simdutf8::basic as of_long;

use crate::error::identified;

/// Bytes that no continuation can make valid UTF-8.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct NotUtf8 {
    /// Where in the piece the first byte is that cannot be there, counted from 0.
    pub at: usize,
}

identified! { NotUtf8:
    Self { .. } = 1402, "text_malformed";
}

impl core::fmt::Display for NotUtf8 {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "not UTF-8 at byte {} (RFC 3629 §3)", self.at)
    }
}

impl core::error::Error for NotUtf8 {}

/// Validates UTF-8 that arrives in pieces, cut anywhere, and carries up to three bytes of an unfinished
/// character to the next piece.
///
/// ```
/// use sansocket::utf8::Validator;
/// let mut validator = Validator::new();
/// let (carried, text) = validator.push(b"caf\xc3").unwrap();
/// assert_eq!((carried, text), (None, "caf"));
/// let (carried, text) = validator.push(b"\xa9!").unwrap();
/// assert_eq!((carried, text), (Some('é'), "!"));
/// assert!(validator.is_complete());
/// let error = validator.push(b"\xf4\x90").unwrap_err();
/// assert_eq!(error.at, 1); // above U+10FFFF, whatever follows
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Validator {
    carry: [u8; 3],
    len: u8,
}

impl Validator {
    /// At the start of a text.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            carry: [0; 3],
            len: 0,
        }
    }

    /// Whether the text may end here: no character is unfinished.
    #[must_use]
    #[inline]
    pub const fn is_complete(&self) -> bool {
        self.len == 0
    }

    /// The first bytes of the character that is unfinished; none between two characters.
    ///
    /// ```
    /// use sansocket::utf8::Validator;
    /// let mut validator = Validator::new();
    /// validator.push(b"caf\xc3").unwrap();
    /// assert_eq!(validator.unfinished(), b"\xc3");
    /// ```
    #[must_use]
    pub fn unfinished(&self) -> &[u8] {
        &self.carry[..usize::from(self.len)]
    }

    /// Takes the next piece. Returns the character that it finished, if one was unfinished, and the
    /// validated text after it. The rest of the piece begins a character and is carried.
    ///
    /// # Errors
    /// At the first byte that cannot be part of valid UTF-8 (RFC 3629 §3: no overlong forms, no
    /// surrogates, nothing above U+10FFFF). Nothing may be pushed after that.
    pub fn push<'p>(&mut self, piece: &'p [u8]) -> Result<(Option<char>, &'p str), NotUtf8> {
        let (finished, after) = if self.len == 0 {
            (None, piece)
        } else {
            self.finish(piece)?
        };
        let (whole, rest) = after.split_at(after.len() - unfinished(after));
        let text = validate(whole).map_err(|bad| bad.moved(piece.len() - after.len()))?;
        if !rest.is_empty() {
            could_begin(rest).map_err(|bad| bad.moved(piece.len() - rest.len()))?;
            self.carry(rest);
        }
        Ok((finished, text))
    }

    /// Completes the carried character, if its last byte is in the piece; returns the rest of it.
    fn finish<'p>(&mut self, piece: &'p [u8]) -> Result<(Option<char>, &'p [u8]), NotUtf8> {
        let start = usize::from(self.len);
        let missing = sequence_len(self.carry[0]) - start;
        let (more, rest) = piece.split_at(missing.min(piece.len()));
        let mut bytes = [0; 4];
        bytes[..start].copy_from_slice(&self.carry[..start]);
        bytes[start..start + more.len()].copy_from_slice(more);
        let bytes = &bytes[..start + more.len()];
        if more.len() < missing {
            could_begin(bytes).map_err(|bad| bad.without(start))?;
            self.carry(bytes);
            return Ok((None, rest));
        }
        self.len = 0;
        let Ok(text) = core::str::from_utf8(bytes) else {
            return Err(first_bad(bytes).without(start));
        };
        Ok((text.chars().next(), rest))
    }

    fn carry(&mut self, bytes: &[u8]) {
        self.len = bytes.len() as u8; // at most 3
        self.carry[..bytes.len()].copy_from_slice(bytes);
    }
}

/// How long the sequence is that this byte begins (RFC 3629 §3), if it begins one.
const fn sequence_len(byte: u8) -> usize {
    match byte {
        0xc0..=0xdf => 2,
        0xe0..=0xef => 3,
        0xf0..=0xff => 4,
        _ => 1,
    }
}

/// How many bytes at the end look like the beginning of a character that is not there as a whole.
fn unfinished(piece: &[u8]) -> usize {
    for back in 1..=piece.len().min(3) {
        let byte = piece[piece.len() - back];
        if !matches!(byte, 0x80..=0xbf) {
            return if back < sequence_len(byte) { back } else { 0 };
        }
    }
    0
}

/// Fails if no continuation can make these 1–3 bytes a character: the first two of a sequence
/// decide it (RFC 3629 §4), as long as only continuation bytes follow.
fn could_begin(bytes: &[u8]) -> Result<(), NotUtf8> {
    let &[lead, ref after @ ..] = bytes else {
        return Err(first_bad(bytes));
    };
    let seconds = match lead {
        0xc2..=0xdf | 0xe1..=0xec | 0xee..=0xef | 0xf1..=0xf3 => 0x80..=0xbf,
        0xe0 => 0xa0..=0xbf,
        0xed => 0x80..=0x9f,
        0xf0 => 0x90..=0xbf,
        0xf4 => 0x80..=0x8f,
        _ => return Err(first_bad(bytes)),
    };
    let valid = match after {
        [] => true,
        [second, rest @ ..] => {
            seconds.contains(second) && rest.iter().all(|byte| matches!(byte, 0x80..=0xbf))
        }
    };
    if valid { Ok(()) } else { Err(first_bad(bytes)) }
}

/// Validates a whole text.
#[inline]
pub(crate) fn validate(bytes: &[u8]) -> Result<&str, NotUtf8> {
    if bytes.len() < LONG {
        core::str::from_utf8(bytes).map_err(|_| first_bad(bytes))
    } else {
        of_long::from_utf8(bytes).map_err(|_| first_bad(bytes))
    }
}

/// Where bytes that are not UTF-8 break: at their end if that cuts a character.
#[cold]
pub(crate) fn first_bad(bytes: &[u8]) -> NotUtf8 {
    let at = match core::str::from_utf8(bytes) {
        Ok(text) => text.len(),
        Err(error) => match (error.valid_up_to(), error.error_len()) {
            (_, None) => bytes.len(),
            // The byte after those that could begin a character, if the first one could.
            (start, Some(len)) if matches!(bytes[start], 0xc2..=0xf4) => start + len,
            (start, Some(_)) => start,
        },
    };
    NotUtf8 { at }
}

impl NotUtf8 {
    /// The same, with so many bytes before.
    const fn moved(self, before: usize) -> Self {
        Self {
            at: self.at + before,
        }
    }

    /// The same, without so many bytes at the front, which are none of those that cannot be.
    const fn without(self, front: usize) -> Self {
        Self {
            at: self.at - front,
        }
    }
}

/// Below this many bytes the standard library is faster than `simdutf8`.
const LONG: usize = 64;

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use alloc::string::{String, ToString};
    use alloc::vec::Vec;

    use proptest::prelude::*;

    use super::Validator;

    /// Pushes the bytes in pieces; the text, or how many bytes there are up to the first impossible one.
    fn push_all(pieces: &[&[u8]]) -> Result<(String, bool), usize> {
        let mut validator = Validator::new();
        let mut text = String::new();
        let mut taken = 0;
        for piece in pieces {
            let (finished, valid) = validator.push(piece).map_err(|bad| taken + bad.at + 1)?;
            taken += piece.len();
            text.extend(finished);
            text.push_str(valid);
        }
        Ok((text, validator.is_complete()))
    }

    #[test]
    fn the_error_names_the_rule() {
        let error = Validator::new().push(b"a\xe2(").unwrap_err();
        assert_eq!(error.to_string(), "not UTF-8 at byte 2 (RFC 3629 §3)");
    }

    fn bytewise(bytes: &[u8]) -> Result<(String, bool), usize> {
        push_all(&bytes.iter().map(core::slice::from_ref).collect::<Vec<_>>())
    }

    /// Section 4 of the vectors, valid rows.
    #[test]
    fn the_bounds_of_each_length_are_valid() {
        let valid: [&[u8]; 11] = [
            b"\x00",
            b"\x7f",
            b"\xc2\x80",
            b"\xdf\xbf",
            b"\xe0\xa0\x80",
            b"\xed\x9f\xbf",
            b"\xee\x80\x80",
            b"\xef\xbf\xbd",
            b"\xef\xbf\xbf",
            b"\xf0\x90\x80\x80",
            b"\xf4\x8f\xbf\xbf",
        ];
        for bytes in valid {
            let expected = Ok((String::from_utf8(bytes.to_vec()).unwrap(), true));
            assert_eq!(push_all(&[bytes]), expected);
            assert_eq!(bytewise(bytes), expected);
        }
    }

    /// Section 4 of the vectors, invalid rows, each at the byte that decides it.
    #[test]
    fn invalid_sequences_fail_at_the_first_impossible_byte() {
        let invalid: [(&[u8], usize); 19] = [
            (b"\x80", 1),
            (b"\xbf", 1),
            (b"\xc0\x80", 1),
            (b"\xc1\xbf", 1),
            (b"\xe0\x80\x80", 2),
            (b"\xe0\x9f\xbf", 2),
            (b"\xed\xa0\x80", 2),
            (b"\xed\xbf\xbf", 2),
            (b"\xf0\x80\x80\x80", 2),
            (b"\xf0\x8f\xbf\xbf", 2),
            (b"\xf4\x90\x80\x80", 2),
            (b"\xf5\x80\x80\x80", 1),
            (b"\xf8\x88\x80\x80\x80", 1),
            (b"\xfc\x84\x80\x80\x80\x80", 1),
            (b"\xfe", 1),
            (b"\xff", 1),
            (b"\xc3\x28", 2),
            (b"\xe2\x82\x28", 3),
            (b"\xf0\x9f\x92\x28", 4),
        ];
        for (bytes, at) in invalid {
            assert_eq!(bytewise(bytes), Err(at), "{bytes:x?}");
            assert_eq!(push_all(&[bytes]), Err(at), "{bytes:x?}");
            assert_eq!(push_all(&[&[b'x'; 99], bytes]), Err(99 + at), "{bytes:x?}");
            // Also when the deciding byte is the last of its piece.
            assert_eq!(
                push_all(&[b"text", &bytes[..at]]),
                Err(4 + at),
                "{bytes:x?}"
            );
        }
    }

    #[test]
    fn cut_off_characters_are_incomplete() {
        for bytes in [&b"\xc3"[..], b"\xe2\x82", b"\xf0\x9f\x92"] {
            assert_eq!(push_all(&[bytes]), Ok((String::new(), false)));
            assert_eq!(bytewise(bytes), Ok((String::new(), false)));
        }
    }

    fn texts() -> impl Strategy<Value = Vec<u8>> {
        let piece = prop_oneof![
            4 => "\\PC{0,40}".prop_map(String::into_bytes),
            1 => proptest::collection::vec(any::<u8>(), 0..3),
            1 => proptest::collection::vec(0x80u8..=0xff, 0..5),
        ];
        proptest::collection::vec(piece, 0..8).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        /// Any cut gives the text that the standard library sees, and the same first impossible byte.
        #[test]
        fn any_cut_agrees_with_the_standard_library(bytes in texts(), cuts in proptest::collection::vec(any::<usize>(), 0..6)) {
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut % (bytes.len() + 1)).collect();
            cuts.extend([0, bytes.len()]);
            cuts.sort_unstable();
            let pieces: Vec<&[u8]> = cuts.windows(2).map(|cut| &bytes[cut[0]..cut[1]]).collect();
            let expected = match core::str::from_utf8(&bytes) {
                Ok(text) => Ok((String::from(text), true)),
                Err(error) => {
                    let valid = error.valid_up_to();
                    if error.error_len().is_some() {
                        let bad = |len: &usize| core::str::from_utf8(&bytes[..*len]).is_err_and(|error| error.error_len().is_some());
                        Err((1..=bytes.len()).find(bad).unwrap())
                    } else {
                        Ok((String::from_utf8(bytes[..valid].to_vec()).unwrap(), false))
                    }
                }
            };
            prop_assert_eq!(push_all(&pieces), expected.clone());
            prop_assert_eq!(bytewise(&bytes), expected);
        }
    }
}
