//! Header fields: the lists in their values, and the fields that a caller adds (RFC 9110 §5).

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use crate::error::{Field, FieldError, HandshakeError};
use crate::token::is_token;

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

/// Joins several values into one list (RFC 9110 §5.3). `None` if one is not text.
pub(crate) fn join<'h>(values: impl Iterator<Item = &'h [u8]>) -> Option<String> {
    let mut texts = values.map(|value| core::str::from_utf8(value).ok());
    let mut list = String::from(texts.next().unwrap_or(Some(""))?);
    for text in texts {
        list.push_str(", ");
        list.push_str(text?);
    }
    Some(list)
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

/// Fields, in order: names and values.
pub(crate) type FieldList = Vec<(String, Vec<u8>)>;

/// The fields that a caller adds to a request or an answer, in its order and its spelling.
#[derive(Clone, Default, PartialEq, Eq)]
pub(crate) struct Extra(pub(crate) FieldList);

impl Extra {
    /// Adds a field unless it could break the handshake or repeat a part of it (RFC 9110 §5.1, §5.5).
    /// `reserved` says which fields of the handshake the caller may not set.
    pub(crate) fn add(
        &mut self,
        name: &str,
        value: &[u8],
        reserved: impl FnOnce(Field) -> bool,
    ) -> Result<(), FieldError> {
        if !is_token(name.as_bytes()) {
            return Err(FieldError::BadName);
        }
        if !is_value(value) {
            return Err(FieldError::BadValue);
        }
        if Field::of(name).is_some_and(reserved) {
            return Err(FieldError::Reserved);
        }
        self.0.push((name.into(), value.into()));
        Ok(())
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &[u8])> + Clone {
        self.0.iter().map(|(name, value)| (&**name, &**value))
    }

    /// How long they are, written.
    pub(crate) fn len(&self) -> usize {
        let field = |(name, value): (&str, &[u8])| name.len() + value.len() + ": \r\n".len();
        self.iter().map(field).sum()
    }

    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        for (name, value) in self.iter() {
            write(out, name, &[value]);
        }
    }
}

/// Names, and the lengths of the values.
impl fmt::Debug for Extra {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lengths = self.iter().map(|(name, value)| (name, value.len()));
        f.debug_map().entries(lengths).finish()
    }
}

/// Appends one field line, whose value comes in pieces.
pub(crate) fn write(out: &mut Vec<u8>, name: &str, value: &[&[u8]]) {
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b": ");
    for piece in value {
        out.extend_from_slice(piece);
    }
    out.extend_from_slice(b"\r\n");
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

/// Makes the names lower case, as HTTP/2 and HTTP/3 have them (RFC 9113 §8.2).
///
/// # Errors
/// [`FieldError::Reserved`] for a field of a connection of HTTP/1.
pub(crate) fn lower_case(fields: &mut FieldList) -> Result<(), FieldError> {
    for (name, value) in fields {
        name.make_ascii_lowercase();
        if is_connection_specific(name, value) {
            return Err(FieldError::Reserved);
        }
    }
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by a panic")]
mod tests {
    use alloc::format;
    use alloc::vec;

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

    /// CVE-2026-1527.
    #[test]
    fn nothing_can_inject_a_line() {
        let mut extra = Extra::default();
        let never = |_| false;
        for value in [
            &b"x\r\nY: z"[..],
            b"x\n",
            b"\r",
            b"a\0b",
            b"\x7f",
            b"\x1b[0m",
        ] {
            assert_eq!(extra.add("X", value, never), Err(FieldError::BadValue));
        }
        for name in [
            "", "a b", "a:", "X\r\nY", "\u{e9}", "a\0", ":path", "(a)", "a,b",
        ] {
            assert_eq!(extra.add(name, b"x", never), Err(FieldError::BadName));
        }
        assert_eq!(
            extra.add("host", b"x", |field| field == Field::Host),
            Err(FieldError::Reserved)
        );
        assert!(extra.0.is_empty());
        // RFC 9110 §5.5: bytes from 0x80 on are opaque.
        extra.add("x-Name", b"caf\xe9\t!", never).unwrap();
        extra.add("Empty", b"", never).unwrap();
        let mut out = vec![];
        extra.write(&mut out);
        assert_eq!(out, b"x-Name: caf\xe9\t!\r\nEmpty: \r\n");
        assert_eq!(format!("{extra:?}"), r#"{"x-Name": 6, "Empty": 0}"#);
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
