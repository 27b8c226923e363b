//! `Sec-WebSocket-Key` and the accept value that proves it was read (RFC 6455 §4.1, §4.2.2), for those who
//! write the heads of the opening handshake themselves.
//!
//! ```
//! use sansocket::handshake::accept_key::{accept_value, is_key, key_text};
//! let key = key_text(b"the sample nonce"); // 16 random bytes, drawn for each connection
//! assert_eq!(&key, b"dGhlIHNhbXBsZSBub25jZQ==");
//! assert!(is_key(&key));
//! assert_eq!(&accept_value(&key), b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
//! ```

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha1_smol::Sha1;

/// The base64 of a nonce of 16 bytes.
pub type KeyText = [u8; 24];

/// The base64 of a SHA-1.
pub type AcceptValue = [u8; 28];

/// RFC 6455 §1.3.
const GUID: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// The value of `Sec-WebSocket-Key` for a nonce (RFC 6455 §4.1).
#[must_use]
pub fn key_text(nonce: &[u8; 16]) -> KeyText {
    let mut text = [0; 24];
    base64_into(nonce, &mut text);
    text
}

/// Whether this can be the value of `Sec-WebSocket-Key`.
///
/// base64 of 16 bytes: 22 characters of the alphabet and `==` (RFC 6455 §4.2.1). The four bits that
/// pad the last character are not checked: the RFC prints a key where they are set, and the text is
/// hashed as it stands.
#[must_use]
pub fn is_key(text: &[u8]) -> bool {
    let alphabet = |byte: u8| byte.is_ascii_alphanumeric() | (byte == b'+') | (byte == b'/');
    match <&KeyText>::try_from(text) {
        // Without branches: all are looked at.
        Ok([digits @ .., b'=', b'=']) => digits.iter().fold(true, |all, &b| all & alphabet(b)),
        _ => false,
    }
}

/// The accept value for the text of a key (RFC 6455 §4.2.2). It shows that the server read this
/// request; nothing relies on SHA-1 being hard to break (§10.8).
#[must_use]
pub fn accept_value(key: &[u8]) -> AcceptValue {
    let mut sha1 = Sha1::new();
    sha1.update(key);
    sha1.update(GUID);
    let mut text = [0; 28];
    base64_into(&sha1.digest().bytes(), &mut text);
    text
}

/// `text` has the length that base64 gives, so there is always room.
fn base64_into(bytes: &[u8], text: &mut [u8]) {
    let written = STANDARD.encode_slice(bytes, text);
    debug_assert!(written.is_ok());
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 6455 §1.3, and other keys.
    #[test]
    fn vectors() {
        for (key, accept) in [
            (b"dGhlIHNhbXBsZSBub25jZQ==", b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo="),
            (b"AQIDBAUGBwgJCgsMDQ4PEA==", b"C/0nmHhBztSRGR1CwL6Tf4ZjwpY="),
            (b"AQIDBAUGBwgJCgsMDQ4PEC==", b"OfS0wDaT5NoxF2gqm7Zj2YtetzM="),
            (b"AAAAAAAAAAAAAAAAAAAAAA==", b"ICX+Yqv66kxgM0FcWaLWlFLwTAI="),
        ] {
            assert!(is_key(key));
            assert_eq!(&accept_value(key), accept);
        }
        assert_eq!(&key_text(b"the sample nonce"), b"dGhlIHNhbXBsZSBub25jZQ==");
        let counted = core::array::from_fn(|i| i as u8 + 1);
        assert_eq!(&key_text(&counted), b"AQIDBAUGBwgJCgsMDQ4PEA==");
        assert_eq!(&key_text(&[0; 16]), b"AAAAAAAAAAAAAAAAAAAAAA==");
    }

    /// The keys to refuse.
    #[test]
    fn not_a_key() {
        for key in [
            &b""[..],
            b"==",
            b"dGhlIHNhbXBsZSBub25jZQ",
            b"dGhlIHNhbXBsZSBub25j",
            b"dGhlIHNhbXBsZSBub25jZTE=",
            b"dGhlIHNhbXBsZSBub25jZ_==",
            b"dGhlIHNhbXBsZSBub25jZQ==, x",
            b"dGhlIHNhbXBsZSBub25jZQ= =",
            b"dGhlIHNhbXBsZSBub25jZQ=a",
            b"dGhlIHNhbXBsZSBub25j=Q==",
            b"dGhlIHNhbXBsZSBub25jZQAA==",
            b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff==",
        ] {
            assert!(!is_key(key));
        }
        // The nonce has 16 bytes, so the 22nd character carries two bits.
        for last in 0..=255 {
            let mut nonce = [0; 16];
            nonce[15] = last;
            assert!(b"AQgw".contains(&key_text(&nonce)[21]));
        }
    }
}
