//! Decimal numbers in header fields and URIs: digits only, where `str::parse` takes a sign.

/// Digits, at least one.
pub(crate) fn is_decimal(text: &[u8]) -> bool {
    !text.is_empty() && text.iter().all(u8::is_ascii_digit)
}

/// The number, or `None` if there is something but digits, nothing, or more than fits.
pub(crate) fn decimal(text: &[u8]) -> Option<u64> {
    if !is_decimal(text) {
        return None;
    }
    text.iter().try_fold(0u64, |number, digit| {
        number.checked_mul(10)?.checked_add(u64::from(digit - b'0'))
    })
}

#[cfg(test)]
mod tests {
    use super::{decimal, is_decimal};

    #[test]
    fn numbers() {
        for (text, number) in [
            ("0", Some(0)),
            ("007", Some(7)),
            ("18446744073709551615", Some(u64::MAX)),
            ("18446744073709551616", None),
            ("", None),
            ("+1", None),
            ("-1", None),
            (" 1", None),
            ("1a", None),
        ] {
            assert_eq!(decimal(text.as_bytes()), number, "{text}");
        }
        assert!(is_decimal(b"99999999999999999999999"));
        for not in [&b""[..], b"+1", b"1.5", b"\xff"] {
            assert!(!is_decimal(not));
        }
    }
}
