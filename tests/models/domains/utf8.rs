//! UTF-8 (RFC 3629), which text has to be (RFC 6455 §5.6, §8.1), against `core::str::from_utf8`.

use std::thread;

use sansocket::utf8::Validator;

use crate::{sampled, whole};

/// What the standard library says of some bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Text,
    /// So many bytes at the end begin a character.
    Unfinished(usize),
    /// The first byte that cannot be there.
    Bad(usize),
}

impl Verdict {
    fn of(bytes: &[u8]) -> Self {
        let Err(error) = core::str::from_utf8(bytes) else {
            return Self::Text;
        };
        let at = error.valid_up_to();
        if error.error_len().is_none() {
            return Self::Unfinished(bytes.len() - at);
        }
        // Alone it waits for more, if it begins a character: then what follows it is at fault.
        let first = core::str::from_utf8(&bytes[at..=at]);
        let begins = first.is_err_and(|error| error.error_len().is_none());
        Self::Bad(at + error.error_len().filter(|_| begins).unwrap_or(0))
    }
}

/// The bytes in pieces that begin there: the same verdict, the same text, and what is carried on.
fn agrees(bytes: &[u8], cuts: &[usize], expected: Verdict) {
    let mut validator = Validator::new();
    let mut valid = 0;
    let mut start = 0;
    for end in cuts.iter().copied().chain([bytes.len()]) {
        let before = validator.unfinished().len();
        match validator.push(&bytes[start..end]) {
            Ok((finished, text)) => {
                let from = valid;
                if let Some(finished) = finished {
                    let mut room = [0; 4];
                    let finished = finished.encode_utf8(&mut room).as_bytes();
                    assert!(
                        before > 0 && bytes[valid..].starts_with(finished),
                        "{bytes:02x?}"
                    );
                    valid += finished.len();
                }
                assert!(bytes[valid..].starts_with(text.as_bytes()), "{bytes:02x?}");
                valid += text.len();
                assert!(valid <= end && from <= valid);
                assert_eq!(
                    validator.unfinished(),
                    &bytes[valid..end],
                    "{bytes:02x?} {cuts:?}"
                );
                assert_eq!(validator.is_complete(), valid == end);
            }
            Err(bad) => {
                let at = Verdict::Bad(start + bad.at);
                assert_eq!(at, expected, "{bytes:02x?} cut at {cuts:?}");
                return;
            }
        }
        start = end;
    }
    let got = match validator.unfinished().len() {
        0 => Verdict::Text,
        unfinished => Verdict::Unfinished(unfinished),
    };
    assert_eq!(got, expected, "{bytes:02x?} cut at {cuts:?}");
}

/// Whole, and at each set of cuts; those of four bytes are eight.
fn agrees_at_every_cut(bytes: &[u8]) {
    let expected = Verdict::of(bytes);
    for set in 0u32..1 << (bytes.len().max(1) - 1) {
        let mut cuts = [0; 3];
        let mut count = 0;
        for at in (1..bytes.len()).filter(|at| set >> (at - 1) & 1 == 1) {
            cuts[count] = at;
            count += 1;
        }
        agrees(bytes, &cuts[..count], expected);
    }
}

/// Where the ranges of bytes begin and end that RFC 3629 §4 names; each begins at an even place and ends at the next one.
const ENDS: [u8; 28] = [
    0x00, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xc1, 0xc2, 0xdf, 0xe0, 0xe0, 0xe1, 0xec,
    0xed, 0xed, 0xee, 0xef, 0xf0, 0xf0, 0xf1, 0xf3, 0xf4, 0xf4, 0xf5, 0xff,
];

/// A byte of each range.
fn ranges() -> impl Iterator<Item = u8> {
    sampled(ENDS.into_iter().step_by(2), 5)
}

/// RFC 3629 §3, §4. Domain: every state that a text can be in, with each of the 256 bytes that may follow alone.
///
/// A state is what has come of an unfinished character: nothing, one of 51 first bytes, or the first two or three bytes of
/// a character, 17,652 in all. They are found by going on from each that is new, and each byte that is pushed gives what
/// the standard library says of all bytes of its character. So texts in single bytes are complete, by induction over their
/// length: the state after a byte depends on the state before it and on the byte.
#[test]
fn every_state_with_every_byte() {
    let mut states = vec![([0; 4], 0)];
    let mut at = 0;
    let mut characters = 0;
    while let Some(&(mut all, len)) = states.get(at) {
        at += 1;
        let mut begun = Validator::new();
        assert_eq!(begun.push(&all[..len]), Ok((None, "")));
        assert_eq!(begun.unfinished(), &all[..len]);
        for byte in 0..=255u8 {
            all[len] = byte;
            let all = &all[..=len];
            let mut validator = begun;
            match (validator.push(&all[len..]), core::str::from_utf8(all)) {
                (Ok((finished, text)), Ok(whole)) => {
                    let finished = finished.or(text.chars().next());
                    assert!(finished == whole.chars().next() && validator.is_complete());
                    characters += 1;
                }
                (Ok((None, "")), Err(error)) if error.error_len().is_none() => {
                    assert_eq!(validator.unfinished(), all);
                    let mut state = [0; 4];
                    state[..=len].copy_from_slice(all);
                    states.push((state, len + 1));
                }
                (Err(bad), Err(error)) => assert!(bad.at == 0 && error.error_len().is_some()),
                (got, expected) => panic!("{all:02x?}: {got:?}, not {expected:?}"),
            }
        }
        if cfg!(miri) && at == 3 {
            return;
        }
    }
    assert_eq!(states.len(), 17_652);
    // All there are but the surrogates.
    assert_eq!(characters, 0x11_0000 - 0x800);
}

/// RFC 3629 §3, §4. Domain: all sequences of up to two bytes, and of up to three of the bytes at which a range of the
/// grammar begins or ends, and of four ranges; whole, and at each set of cuts.
///
/// With `DOMAINS=whole` all 4,294,967,296 sequences of four bytes, and so, as their beginnings, all of three. A piece is
/// looked at in three parts: the at most three bytes that finish a character, the at most three that begin one, and what
/// lies between, which the standard library or `simdutf8` validates. Four bytes are every way in which two of these meet.
#[test]
fn every_sequence_at_every_cut() {
    agrees_at_every_cut(&[]);
    for pair in sampled(0..=u16::MAX, 997) {
        let pair = pair.to_be_bytes();
        agrees_at_every_cut(&pair[..1]);
        agrees_at_every_cut(&pair);
    }
    if whole() {
        return every_four_bytes();
    }
    let ends = || sampled(ENDS.into_iter(), 9);
    for a in ends() {
        for b in ends() {
            for c in ends() {
                agrees_at_every_cut(&[a, b, c]);
            }
        }
    }
    for a in ranges() {
        for b in ranges() {
            for c in ranges() {
                for d in sampled(ranges(), 2) {
                    agrees_at_every_cut(&[a, b, c, d]);
                }
            }
        }
    }
}

/// Each first byte in one of as many threads as there are processors.
fn every_four_bytes() {
    let threads = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        for thread in 0..threads {
            scope.spawn(move || {
                for first in (0..=255u8).skip(thread).step_by(threads) {
                    every_four_bytes_from(first);
                }
            });
        }
    });
    println!("{} sequences, in two pieces at each cut", 1u64 << 32);
}

/// Up to three bytes at every set of cuts: after each the same is carried on. So for the fourth one it is enough to begin
/// with what is carried on, at each place.
fn every_four_bytes_from(first: u8) {
    let mut bytes = [first; 4];
    let begin = |front: &[u8]| {
        let mut validator = Validator::new();
        validator.push(front).is_ok().then_some(validator)
    };
    let after_one = begin(&bytes[..1]);
    for second in 0..=255 {
        bytes[1] = second;
        let after_two = begin(&bytes[..2]);
        for third in 0..=255 {
            bytes[2] = third;
            agrees_at_every_cut(&bytes[..3]);
            let after = [
                Some(Validator::new()),
                after_one,
                after_two,
                begin(&bytes[..3]),
            ];
            for fourth in 0..=255 {
                bytes[3] = fourth;
                let expected = Verdict::of(&bytes);
                for (cut, validator) in after.into_iter().enumerate() {
                    let Some(validator) = validator else { break };
                    ends_with(validator, &bytes, cut, expected);
                }
            }
        }
    }
}

/// The last piece begins there, with what the others have left.
fn ends_with(mut validator: Validator, bytes: &[u8], cut: usize, expected: Verdict) {
    let begun = cut - validator.unfinished().len();
    let got = match validator.push(&bytes[cut..]) {
        Err(bad) => Verdict::Bad(cut + bad.at),
        Ok((finished, text)) => {
            let end = begun + finished.map_or(0, char::len_utf8);
            let valid = bytes[end..].starts_with(text.as_bytes());
            let rest = &bytes[end + text.len()..];
            assert!(valid && validator.unfinished() == rest, "{bytes:02x?}");
            if rest.is_empty() {
                Verdict::Text
            } else {
                Verdict::Unfinished(rest.len())
            }
        }
    };
    assert_eq!(got, expected, "{bytes:02x?} cut at {cut}");
}

/// RFC 6455 §8.1: texts long enough for the faster validation. Domain: all sequences of three ranges of the grammar, at the
/// beginning, the end and around multiples of 16 of texts of 64 to 131 bytes, among letters and among characters of two bytes.
///
/// What is validated there is `simdutf8`'s: this shows where a block of it ends, not every text.
#[test]
fn in_long_texts() {
    for a in ranges() {
        for b in ranges() {
            for c in ranges() {
                let places = [
                    (0, 64),
                    (61, 64),
                    (61, 67),
                    (63, 128),
                    (78, 131),
                    (126, 131),
                ];
                for (at, len) in sampled(places.into_iter(), 2) {
                    let mut text = "é".repeat(33).into_bytes();
                    text.resize(len, b'x');
                    text[at..at + 3].copy_from_slice(&[a, b, c]);
                    let expected = Verdict::of(&text);
                    agrees(&text, &[], expected);
                    agrees(&text, &[at + 1], expected);
                }
            }
        }
    }
}
