//! Text in shared bytes.

use std::borrow::Borrow;
use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::ops::Deref;
use std::str::Utf8Error;

use bytes::{Bytes, BytesMut};
use bytestring::ByteString;

/// Text in [`Bytes`]: cloned by a reference count.
///
/// ```
/// let text = tungstenite::Utf8Bytes::from("grüezi");
/// assert_eq!(text, "grüezi");
/// assert_eq!(text.len(), 7);
/// ```
#[derive(Debug, Default, Clone, Eq)]
pub struct Utf8Bytes(ByteString);

impl Utf8Bytes {
    /// Text that is part of the program.
    pub const fn from_static(text: &'static str) -> Self {
        Self(ByteString::from_static(text))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub(crate) fn into_shared(self) -> ByteString {
        self.0
    }
}

impl Deref for Utf8Bytes {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl Borrow<str> for Utf8Bytes {
    fn borrow(&self) -> &str {
        &self.0
    }
}

/// As that of a `str`.
impl Hash for Utf8Bytes {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_str().hash(state);
    }
}

impl Ord for Utf8Bytes {
    fn cmp(&self, other: &Self) -> Ordering {
        self.as_str().cmp(other)
    }
}

impl PartialOrd for Utf8Bytes {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Utf8Bytes {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

/// With whatever a `&str` can be compared with.
impl<T> PartialEq<T> for Utf8Bytes
where
    for<'a> &'a str: PartialEq<T>,
{
    fn eq(&self, other: &T) -> bool {
        self.as_str() == *other
    }
}

impl fmt::Display for Utf8Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_str().fmt(f)
    }
}

/// What it is lent as, made from where that is text, and made from.
macro_rules! converted {
    (as: $([$lent:ty, $by:ident])*; checked: $($checked:ty),*; text: $($text:ty),*;) => {
        $(impl AsRef<$lent> for Utf8Bytes {
            fn as_ref(&self) -> &$lent {
                self.0.$by()
            }
        })*

        $(impl TryFrom<$checked> for Utf8Bytes {
            type Error = Utf8Error;

            fn try_from(bytes: $checked) -> Result<Self, Utf8Error> {
                ByteString::try_from(Bytes::from(bytes)).map(Self)
            }
        })*

        $(impl From<$text> for Utf8Bytes {
            fn from(text: $text) -> Self {
                Self(ByteString::from(text))
            }
        })*
    };
}

converted! {
    as: [str, as_ref] [[u8], as_ref] [Bytes, as_bytes];
    checked: Bytes, BytesMut, Vec<u8>;
    text: String, &str;
}

impl From<&String> for Utf8Bytes {
    fn from(text: &String) -> Self {
        text.as_str().into()
    }
}

impl From<Utf8Bytes> for Bytes {
    fn from(text: Utf8Bytes) -> Self {
        text.0.into_bytes()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::borrow::Cow;
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn compared_sorted_and_found_as_text() {
        let text = Utf8Bytes::from_static("foo");
        let (string, same) = (String::from("foo"), Utf8Bytes::from("foo"));
        let (cow, less) = (Cow::from("foo"), Utf8Bytes::from("fo"));
        assert!(text == "foo" && text == string && text == cow && text == same);
        assert!(text != "fo" && text > less);
        assert!(HashSet::from([text.clone()]).contains("foo"));
        assert_eq!(format!("{text:>5}"), "  foo");
        let bytes: &Bytes = text.as_ref();
        assert_eq!(bytes, "foo");
    }

    #[test]
    fn only_from_text() {
        assert_eq!(Utf8Bytes::try_from(b"ab".to_vec()).unwrap(), "ab");
        assert!(Utf8Bytes::try_from(Bytes::from_static(b"\xff")).is_err());
        assert!(Utf8Bytes::try_from(BytesMut::from(&b"a\xc3"[..])).is_err());
        assert_eq!(Bytes::from(Utf8Bytes::from("ab")), "ab");
    }
}
