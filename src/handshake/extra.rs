//! Lists of header fields that are owned and written: those that a caller adds (RFC 9110 §5).

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use crate::error::{Field, FieldError};
use crate::token::is_token;

use super::field::{is_connection_specific, is_value};

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

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by a panic")]
mod tests {
    use alloc::format;
    use alloc::vec;

    use super::*;

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
}
