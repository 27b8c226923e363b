//! Header fields: values, and the lists in them (RFC 9110 §5).

use crate::error::{Field, HandshakeError};

/// A value without the blanks around it, which are not part of it (RFC 9110 §5.5).
pub(crate) fn trim(mut value: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = value {
        value = rest;
    }
    value
}

/// The elements of a list whose elements have no quotes, in order; empty ones are skipped
/// (RFC 9110 §5.6.1.2). Linear in the value, whatever it is.
pub(crate) fn elements(value: &[u8]) -> impl Iterator<Item = &[u8]> + Clone {
    let parts = value.split(|&byte| byte == b',').map(trim);
    parts.filter(|element| !element.is_empty())
}

/// Whether the list has this token, without regard to ASCII case.
pub(crate) fn has_element(value: &[u8], token: &[u8]) -> bool {
    // From the end: browsers send `keep-alive, Upgrade`, others the token alone.
    let mut parts = value.rsplit(|&byte| byte == b',');
    value == token || parts.any(|element| trim(element).eq_ignore_ascii_case(token))
}

/// The values of one field, in order.
pub(crate) fn values<'h>(
    fields: impl Iterator<Item = (&'h str, &'h [u8])> + Clone,
    field: Field,
) -> impl Iterator<Item = &'h [u8]> + Clone {
    fields
        .filter(move |&(name, _)| Field::of(name) == Some(field))
        .map(|(_, value)| trim(value))
}

/// Visible bytes, blanks, and opaque bytes from 0x80 on (RFC 9110 §5.5): nothing in the value can end
/// its line or hide it from another parser.
pub(crate) fn is_value(value: &[u8]) -> bool {
    let allowed = |&byte: &u8| byte >= b' ' && byte != 0x7f || byte == b'\t';
    value.iter().all(allowed)
}

/// A field that may come once, and whether it did.
#[derive(Clone, Copy, Default)]
pub(crate) enum SingleField<'h> {
    #[default]
    Never,
    Once(&'h [u8]),
    Again,
}

impl<'h> SingleField<'h> {
    pub(crate) fn note(&mut self, value: &'h [u8]) {
        *self = match self {
            Self::Never => Self::Once(value),
            Self::Once(_) | Self::Again => Self::Again,
        };
    }

    /// The value, if there is one and no second one.
    pub(crate) fn optional(self, field: Field) -> Result<Option<&'h [u8]>, HandshakeError> {
        match self {
            Self::Never => Ok(None),
            Self::Once(value) => Ok(Some(value)),
            Self::Again => Err(HandshakeError::Repeated(field)),
        }
    }

    /// The value, which has to be there exactly once.
    pub(crate) fn required(self, field: Field) -> Result<&'h [u8], HandshakeError> {
        self.optional(field)?.ok_or(HandshakeError::Missing(field))
    }
}

/// A field of a connection of HTTP/1, which makes a message of HTTP/2 or HTTP/3 malformed
/// (RFC 9113 §8.2.2; RFC 9114 §4.2).
pub(crate) fn is_connection_specific(name: &str, value: &[u8]) -> bool {
    const NAMES: [&str; 5] = [
        "connection",
        "keep-alive",
        "proxy-connection",
        "transfer-encoding",
        "upgrade",
    ];
    let is = |other: &str| name.eq_ignore_ascii_case(other);
    NAMES.into_iter().any(is) || is("te") && !trim(value).eq_ignore_ascii_case(b"trailers")
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by a panic")]
mod tests {
    use alloc::format;
    use alloc::vec::Vec;

    use super::*;

    fn list(value: &str) -> Vec<&str> {
        let elements = elements(value.as_bytes());
        elements.map(|e| core::str::from_utf8(e).unwrap()).collect()
    }

    #[test]
    fn empty_elements_and_blanks_are_skipped() {
        assert_eq!(list("foo ,bar,"), ["foo", "bar"]);
        assert_eq!(list("foo , ,bar"), ["foo", "bar"]);
        assert_eq!(list("\tfoo\t,\t \tbar \t"), ["foo", "bar"]);
        for nothing in ["", ",", ", ,", " \t "] {
            assert!(list(nothing).is_empty());
        }
    }

    /// CVE-2021-32640: one pass, however many commas or blanks.
    #[test]
    fn endless_lists_are_linear() {
        assert!(list(&",".repeat(64 << 10)).is_empty());
        let spaces = " ".repeat(32 << 10);
        assert_eq!(list(&format!("{spaces}a{spaces},{spaces}b")), ["a", "b"]);
        assert_eq!(
            list(&format!("a{spaces}b")),
            [format!("a{spaces}b").as_str()]
        );
    }

    /// ASCII case only; the long s and the Kelvin sign are no letters of ours.
    #[test]
    fn elements_are_compared_without_ascii_case() {
        assert!(has_element(b"h2c, WebSocket", b"websocket"));
        for not in [
            "websockets",
            "web socket",
            "websocket/13",
            "web\u{17f}ocket",
            "websoc\u{212a}et",
            "",
        ] {
            assert!(!has_element(not.as_bytes(), b"websocket"), "{not}");
        }
    }

    #[test]
    fn a_field_is_counted() {
        let mut seen = SingleField::default();
        assert_eq!(seen.optional(Field::Key), Ok(None));
        assert_eq!(
            seen.required(Field::Key),
            Err(HandshakeError::Missing(Field::Key))
        );
        seen.note(b"a");
        assert_eq!(seen.required(Field::Key), Ok(&b"a"[..]));
        seen.note(b"a");
        assert_eq!(
            seen.optional(Field::Key),
            Err(HandshakeError::Repeated(Field::Key))
        );
    }
}
