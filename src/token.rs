//! Tokens, the words of HTTP header fields (RFC 9110 §5.6.2).

/// A character of a token: a letter, a digit or one of ``!#$%&'*+-.^_`|~``.
pub(crate) const fn is_token_byte(byte: u8) -> bool {
    TOKEN[byte as usize]
}

/// A table: it halves the time that the lists of a handshake take.
static TOKEN: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0u8;
    while byte < 0x7f {
        table[byte as usize] = byte.is_ascii_alphanumeric()
            || matches!(
                byte,
                b'!' | b'#'..=b'\'' | b'*' | b'+' | b'-' | b'.' | b'^' | b'_' | b'`' | b'|' | b'~'
            );
        byte += 1;
    }
    table
};

/// One token and nothing else: not empty, token characters only.
pub(crate) fn is_token(bytes: &[u8]) -> bool {
    !bytes.is_empty() && bytes.iter().copied().all(is_token_byte)
}

#[cfg(test)]
mod tests {
    use super::{is_token, is_token_byte};

    /// HT-1.
    #[test]
    fn seventy_seven_bytes_are_token_characters() {
        let separators = b"\"(),/:;<=>?@[\\]{}";
        for byte in 0..=255 {
            let expected = byte > b' ' && byte < 0x7f && !separators.contains(&byte);
            assert_eq!(is_token_byte(byte), expected, "{byte:#04x}");
        }
        assert_eq!((0..=255).filter(|&byte| is_token_byte(byte)).count(), 77);
    }

    #[test]
    fn tokens() {
        assert!(is_token(b"permessage-deflate"));
        for not in [&b""[..], b"a b", b"a,b", b"a/b", b"\xc3\xa9", b" a"] {
            assert!(!is_token(not));
        }
    }
}
