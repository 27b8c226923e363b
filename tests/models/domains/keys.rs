//! `Sec-WebSocket-Key` (RFC 6455 §4.1, §4.2.1).

use sansocket::handshake::accept_key::{accept_value, is_key, key_text};

use crate::{sampled, thinned};

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// RFC 4648 §4, as a long number of which each digit has six bits, and `=` where there is none.
fn base64(bytes: &[u8]) -> Vec<u8> {
    let bit = |at: usize| bytes.get(at / 8).map_or(0, |byte| byte >> (7 - at % 8) & 1);
    let digit = |at: usize| (0..6).fold(0, |digit, i| digit * 2 + usize::from(bit(at * 6 + i)));
    let digits = (bytes.len() * 8).div_ceil(6);
    let mut text: Vec<u8> = (0..digits).map(|at| ALPHABET[digit(at)]).collect();
    text.resize(bytes.len().div_ceil(3) * 4, b'=');
    text
}

/// RFC 6455 §4.1. Domain: nonces in which one byte has each of its values, in each of the 16 places, and the others are
/// zeros, ones or a pattern; and each pair of neighbors with all 65,536 values (one of 1,021; all with `DOMAINS=whole`).
///
/// Why that is all: a digit has six bits, of one byte or of two neighbors, and depends on nothing else.
#[test]
fn every_nonce_by_its_neighbors() {
    let holds = |nonce: &[u8; 16]| {
        let text = key_text(nonce);
        assert_eq!(text[..], base64(nonce), "{nonce:02x?}");
        assert!(is_key(&text));
    };
    for rest in [[0; 16], [255; 16], *b"the sample nonce"] {
        for place in sampled(0..16, 11) {
            for byte in sampled(0..=255, 101) {
                let mut nonce = rest;
                nonce[place] = byte;
                holds(&nonce);
            }
        }
    }
    for place in sampled(0..15, 7) {
        for pair in thinned(0..65_536usize, 1021) {
            let mut nonce = [0; 16];
            nonce[place..place + 2].copy_from_slice(&(pair as u16).to_be_bytes());
            holds(&nonce);
        }
    }
}

/// RFC 6455 §4.2.1. Domain: each byte in each of the 24 places of a key that is one, and every length to 60.
///
/// Why that is all: a text is a key if it has 24 bytes and each of them is one that may stand in its place; no byte is
/// asked about another.
#[test]
fn every_byte_of_a_key() {
    let key = b"dGhlIHNhbXBsZSBub25jZQ==";
    for place in 0..24 {
        for byte in sampled(0..=255, 31) {
            let mut text = *key;
            text[place] = byte;
            let allowed = if place < 22 {
                ALPHABET.contains(&byte)
            } else {
                byte == b'='
            };
            assert_eq!(is_key(&text), allowed, "{byte:#x} at {place}");
        }
    }
    for len in 0..60 {
        let text = [&b"A".repeat(len)[..], b"=="].concat();
        assert_eq!(is_key(&text), len == 22);
        let text: Vec<u8> = key.iter().copied().cycle().take(len).collect();
        assert_eq!(is_key(&text), len == 24);
    }
}

/// RFC 6455 §4.2.2. The accept value is base64 of a SHA-1, which nothing enumerates. Domain: every byte of the key alone
/// changes it, in each place, and it is 27 digits and `=`, of which the last has its two lowest bits clear.
#[test]
fn every_byte_of_a_key_counts() {
    let key = *b"dGhlIHNhbXBsZSBub25jZQ==";
    let mut values = std::collections::BTreeSet::from([accept_value(&key)]);
    for place in sampled(0..24, 11) {
        for byte in sampled(0..=255, 127).filter(|byte| *byte != key[place]) {
            let mut text = key;
            text[place] = byte;
            let value = accept_value(&text);
            let [digits @ .., last, b'='] = &value else {
                panic!("{value:?}");
            };
            assert!(digits.iter().all(|digit| ALPHABET.contains(digit)));
            let at = ALPHABET.iter().position(|digit| digit == last).unwrap();
            assert_eq!(at % 4, 0);
            assert!(values.insert(value), "{text:?}");
        }
    }
}
