//! The text of messages.

use alloc::borrow::Cow;
use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::hash::{Hash, Hasher};
use core::ops::Deref;

use super::{OwnedBytes, SharedText};

/// The text of a message: a `str` by validation, lent from the input or owned. It is made from
/// other text too, which is copied if it is borrowed.
///
/// ```
/// use sansocket::event::Text;
/// let text = Text::from("grüezi");
/// assert_eq!(text, "grüezi");
/// assert_eq!(text.len(), 7);
/// assert_eq!(text.to_string(), "grüezi");
/// assert_eq!(format!("{text:?}"), "Text(7 bytes)"); // text stays out of logs
/// ```
pub struct Text<'a>(pub(super) Str<'a>);

pub(super) enum Str<'a> {
    Lent(&'a str),
    Owned(String),
    Shared(SharedText),
}

impl<'a> Text<'a> {
    /// Text in the caller's input.
    #[inline]
    pub(crate) const fn lent(text: &'a str) -> Self {
        Self(Str::Lent(text))
    }
}

impl Text<'_> {
    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self
    }

    /// The text as a string: moved if it is owned, copied otherwise.
    #[must_use]
    #[inline]
    pub fn into_string(self) -> String {
        match self.0 {
            Str::Lent(text) => String::from(text),
            Str::Owned(text) => text,
            Str::Shared(text) => String::from(&*text),
        }
    }

    pub(crate) fn into_buffer(self) -> Option<Vec<u8>> {
        match self.0 {
            Str::Owned(text) => Some(text.into_bytes()),
            _ => None,
        }
    }

    pub(crate) const fn is_lent(&self) -> bool {
        matches!(self.0, Str::Lent(_))
    }

    /// Bytes of heap that belong to it alone.
    pub(crate) const fn memory_held(&self) -> usize {
        match &self.0 {
            Str::Owned(text) => text.capacity(),
            Str::Lent(_) | Str::Shared(_) => 0,
        }
    }

    /// The same text, free of what it was lent from: copied only if it was lent.
    #[must_use]
    pub fn into_owned(self) -> Text<'static> {
        Text(match self.0 {
            Str::Shared(text) => Str::Shared(text),
            other => Str::Owned(Text(other).into_string()),
        })
    }
}

/// What is queued without a copy, unless the text was lent.
impl From<Text<'_>> for OwnedBytes {
    fn from(text: Text<'_>) -> Self {
        match text.0 {
            Str::Shared(text) => text.into(),
            other => Text(other).into_string().into(),
        }
    }
}

impl Deref for Text<'_> {
    type Target = str;

    fn deref(&self) -> &str {
        match &self.0 {
            Str::Lent(text) => text,
            Str::Owned(text) => text,
            Str::Shared(text) => text,
        }
    }
}

/// What was lent from the input is copied.
impl Clone for Text<'_> {
    fn clone(&self) -> Self {
        Self(match &self.0 {
            Str::Lent(text) => Str::Owned(String::from(*text)),
            Str::Owned(text) => Str::Owned(text.clone()),
            Str::Shared(text) => Str::Shared(text.clone()),
        })
    }
}

impl AsRef<str> for Text<'_> {
    fn as_ref(&self) -> &str {
        self
    }
}

impl<'a> From<&'a mut str> for Text<'a> {
    fn from(text: &'a mut str) -> Self {
        Self(Str::Lent(text))
    }
}

impl<'a> From<&'a str> for Text<'a> {
    fn from(text: &'a str) -> Self {
        Self(Str::Owned(String::from(text)))
    }
}

impl<'a> From<&'a String> for Text<'a> {
    fn from(text: &'a String) -> Self {
        Self(Str::Owned(String::from(text)))
    }
}

impl From<String> for Text<'_> {
    fn from(text: String) -> Self {
        Self(Str::Owned(text))
    }
}

impl From<Box<str>> for Text<'_> {
    fn from(text: Box<str>) -> Self {
        Self(Str::Owned(text.into()))
    }
}

impl<'a> From<Cow<'a, str>> for Text<'a> {
    fn from(text: Cow<'a, str>) -> Self {
        match text {
            Cow::Borrowed(text) => text.into(),
            Cow::Owned(text) => text.into(),
        }
    }
}

impl From<SharedText> for Text<'_> {
    fn from(text: SharedText) -> Self {
        Self(Str::Shared(text))
    }
}

impl From<Text<'_>> for String {
    fn from(text: Text<'_>) -> Self {
        text.into_string()
    }
}

impl PartialEq for Text<'_> {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl Eq for Text<'_> {}

/// Compared with the plain types, from both sides.
macro_rules! compared {
    ($($other:ty),*) => {$(
        impl PartialEq<$other> for Text<'_> {
            fn eq(&self, other: &$other) -> bool {
                let other: &str = other.as_ref();
                **self == *other
            }
        }

        impl PartialEq<Text<'_>> for $other {
            fn eq(&self, other: &Text<'_>) -> bool {
                other == self
            }
        }
    )*};
}

compared!(str, &str, String);

impl Hash for Text<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (**self).hash(state);
    }
}

/// The text itself.
impl fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self)
    }
}

/// The length only: text stays out of logs.
impl fmt::Debug for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Text({} bytes)", self.len())
    }
}
