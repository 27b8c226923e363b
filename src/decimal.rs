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

/// The number, if it fits into `T`, as a port or a status.
pub(crate) fn decimal_in<T: TryFrom<u64>>(text: &str) -> Option<T> {
    T::try_from(decimal(text.as_bytes())?).ok()
}

#[cfg(test)]
mod tests {
    use super::{decimal, decimal_in, is_decimal};

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
        for (text, port) in [("65535", Some(65535)), ("65536", None), ("+80", None)] {
            assert_eq!(decimal_in::<u16>(text), port, "{text}");
        }
        for not in [&b""[..], b"+1", b"1.5", b"\xff"] {
            assert!(!is_decimal(not));
        }
    }
}
