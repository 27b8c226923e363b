//! What a caller can get wrong in the header fields that it sets.

use core::fmt;

use super::id::identified;

/// A header field of the caller was refused.
///
/// ```
/// use sansocket::{Response, error::FieldError};
/// let response = Response::new(302);
/// assert_eq!(response.header("Location", b"/a\r\nX: y"), Err(FieldError::BadValue));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FieldError {
    /// The name is not a token (RFC 9110 §5.1).
    BadName,
    /// The value has a byte that could end its line or hide it from another parser, such as CR, LF or
    /// NUL (RFC 9110 §5.5), or one that this field may not have.
    BadValue,
    /// The handshake sets this field itself, it belongs to another server, or this version of HTTP does
    /// not have it (RFC 6455 §4.1, §4.2.2; RFC 9113 §8.2.2).
    Reserved,
    /// The subprotocol is not a token, or was given before (RFC 6455 §4.1).
    BadSubprotocol,
    /// The extension is outside the grammar, or uses reserved bits that do not exist
    /// (RFC 6455 §5.2, §9.1).
    BadExtension,
}

identified! { FieldError:
    Self::BadName = 701, "bad_name";
    Self::BadValue = 702, "bad_value";
    Self::Reserved = 703, "reserved_field";
    Self::BadSubprotocol = 704, "bad_subprotocol";
    Self::BadExtension = 705, "bad_extension";
}

impl fmt::Display for FieldError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::BadName => "the name of a header field is a token (RFC 9110 §5.1)",
            Self::BadValue => {
                "a header field with a byte that its value may not have (RFC 9110 §5.5)"
            }
            Self::Reserved => "a header field that the caller may not set here (RFC 6455 §4.1)",
            Self::BadSubprotocol => "a subprotocol is a token, given once (RFC 6455 §4.1)",
            Self::BadExtension => "an extension outside the grammar (RFC 6455 §9.1)",
        })
    }
}

impl core::error::Error for FieldError {}
