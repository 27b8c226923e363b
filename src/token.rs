//! Classes of ASCII characters: tokens, the words of HTTP header fields (RFC 9110 §5.6.2), and the
//! names of hosts (RFC 3986 §3.2.2).

/// A character of a token: a letter, a digit or one of ``!#$%&'*+-.^_`|~``.
pub(crate) const fn is_token_byte(byte: u8) -> bool {
    CLASSES[byte as usize] & TOKEN != 0
}

/// A token and nothing else: not empty, token characters only.
pub(crate) fn is_token(bytes: &[u8]) -> bool {
    !bytes.is_empty() && bytes.iter().copied().all(is_token_byte)
}

/// A character of a registered name: unreserved characters and sub-delims (RFC 3986 §2.3, §2.2).
pub(crate) const fn is_reg_name_byte(byte: u8) -> bool {
    CLASSES[byte as usize] & REG_NAME != 0
}

const TOKEN: u8 = 1;
const REG_NAME: u8 = 2;

/// The classes of each byte. A table: the lists, the host and the origin of each handshake are checked
/// with it, and it halves their time.
static CLASSES: [u8; 256] = {
    let mut table = [0; 256];
    let mut byte = 0u8;
    while byte < 0x7f {
        let alphanumeric = byte.is_ascii_alphanumeric();
        if alphanumeric
            || matches!(
                byte,
                b'!' | b'#'..=b'\'' | b'*' | b'+' | b'-' | b'.' | b'^' | b'_' | b'`' | b'|' | b'~'
            )
        {
            table[byte as usize] |= TOKEN;
        }
        if alphanumeric
            || matches!(
                byte,
                b'!' | b'$' | b'&' | b'\''..=b',' | b'-' | b'.' | b';' | b'=' | b'_' | b'~'
            )
        {
            table[byte as usize] |= REG_NAME;
        }
        byte += 1;
    }
    table
};

#[cfg(test)]
mod tests {
    use super::{is_reg_name_byte, is_token, is_token_byte};

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
    fn seventy_seven_bytes_are_characters_of_names() {
        let others = b"-._~!$&'()*+,;=";
        for byte in 0..=255u8 {
            let expected = byte.is_ascii_alphanumeric() || others.contains(&byte);
            assert_eq!(is_reg_name_byte(byte), expected, "{byte:#04x}");
        }
    }

    #[test]
    fn tokens() {
        assert!(is_token(b"permessage-deflate"));
        for not in [&b""[..], b"a b", b"a,b", b"a/b", b"\xc3\xa9", b" a"] {
            assert!(!is_token(not));
        }
    }
}
