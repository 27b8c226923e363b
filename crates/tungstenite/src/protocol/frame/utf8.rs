//! Text in shared bytes.

use std::borrow::Borrow;
use std::fmt;
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
#[derive(Debug, Default, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
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
