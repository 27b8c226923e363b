//! Whole messages, and the kinds of messages (RFC 6455 §5.6).

use alloc::borrow::Cow;
use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

use crate::frame::Opcode;
use crate::payload::{OwnedBytes, Payload, SharedBytes, SharedText, Text};

/// A whole message: text or binary (RFC 6455 §5.6).
///
/// ```
/// use sansocket::Message;
/// let message = Message::text("Hello"); // or Message::from("Hello")
/// assert_eq!(message.as_str(), Some("Hello"));
/// assert_eq!(message, "Hello");
/// let message = Message::binary(vec![1, 2, 3]);
/// assert_eq!(message.as_bytes(), [1, 2, 3]);
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Message<'a> {
    /// Opcode 1: valid UTF-8.
    Text(Text<'a>),
    /// Opcode 2.
    Binary(Payload<'a>),
}

impl<'a> Message<'a> {
    /// A text message, from a `&str` (copied), a `String` or any other text.
    #[must_use]
    pub fn text(text: impl Into<Text<'a>>) -> Self {
        Self::Text(text.into())
    }

    /// A binary message, from a `&[u8]` (copied), a `Vec<u8>` or any other bytes.
    #[must_use]
    pub fn binary(bytes: impl Into<Payload<'a>>) -> Self {
        Self::Binary(bytes.into())
    }

    /// The text of a text message.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Binary(_) => None,
        }
    }

    /// The text of a text message.
    ///
    /// # Errors
    /// The message, if it is binary.
    ///
    /// ```
    /// use sansocket::Message;
    /// assert_eq!(Message::text("Hello").into_text().unwrap(), "Hello");
    /// let message = Message::binary(b"Hello");
    /// assert_eq!(message.clone().into_text().unwrap_err(), message);
    /// ```
    pub fn into_text(self) -> Result<Text<'a>, Self> {
        match self {
            Self::Text(text) => Ok(text),
            Self::Binary(_) => Err(self),
        }
    }

    /// The message's bytes, whatever its kind: moved if they are owned, copied otherwise.
    #[must_use]
    pub fn into_vec(self) -> Vec<u8> {
        match self {
            Self::Text(text) => text.into_string().into_bytes(),
            Self::Binary(payload) => payload.into_vec(),
        }
    }

    /// The message's bytes, whatever its kind.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Text(text) => text.as_bytes(),
            Self::Binary(payload) => payload,
        }
    }

    /// Bytes of the message.
    #[must_use]
    pub fn len(&self) -> usize {
        self.as_bytes().len()
    }

    /// The message has no bytes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Text or binary.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        match self {
            Self::Text(_) => Kind::Text,
            Self::Binary(_) => Kind::Binary,
        }
    }

    /// The buffer that the message was gathered in, to be lent again with
    /// [`lend_buffer`](crate::Connection::lend_buffer); `None` if the message was lent from the input.
    #[must_use]
    pub fn into_buffer(self) -> Option<Vec<u8>> {
        match self {
            Self::Text(text) => text.into_buffer(),
            Self::Binary(payload) => payload.into_buffer(),
        }
    }

    pub(crate) const fn is_lent(&self) -> bool {
        match self {
            Self::Text(text) => text.is_lent(),
            Self::Binary(payload) => payload.is_lent(),
        }
    }

    /// The bytes of a binary message that was lent, to be changed in place.
    pub(crate) fn lent_mut(&mut self) -> Option<&mut [u8]> {
        match self {
            Self::Text(_) => None,
            Self::Binary(payload) => payload.lent_mut(),
        }
    }

    /// Bytes of heap that belong to it alone.
    pub(crate) const fn memory_held(&self) -> usize {
        match self {
            Self::Text(text) => text.memory_held(),
            Self::Binary(payload) => payload.memory_held(),
        }
    }

    /// The same message without a borrow.
    #[must_use]
    pub fn into_owned(self) -> Message<'static> {
        match self {
            Self::Text(text) => Message::Text(text.into_owned()),
            Self::Binary(payload) => Message::Binary(payload.into_owned()),
        }
    }
}

/// What becomes a text message.
macro_rules! from_text {
    ($($type:ty),*) => {$(
        impl<'a> From<$type> for Message<'a> {
            fn from(text: $type) -> Self {
                Self::Text(text.into())
            }
        }
    )*};
}

from_text!(
    Text<'a>,
    &'a str,
    &'a String,
    String,
    Box<str>,
    Cow<'a, str>,
    SharedText
);

/// What becomes a binary message.
macro_rules! from_bytes {
    ($($type:ty),*) => {$(
        impl<'a> From<$type> for Message<'a> {
            fn from(bytes: $type) -> Self {
                Self::Binary(bytes.into())
            }
        }
    )*};
}

from_bytes!(
    Payload<'a>,
    &'a [u8],
    Vec<u8>,
    Box<[u8]>,
    Cow<'a, [u8]>,
    SharedBytes
);

impl<'a, const N: usize> From<&'a [u8; N]> for Message<'a> {
    fn from(bytes: &'a [u8; N]) -> Self {
        Self::Binary(bytes.into())
    }
}

impl From<Message<'_>> for OwnedBytes {
    fn from(message: Message<'_>) -> Self {
        match message {
            Message::Text(text) => text.into(),
            Message::Binary(payload) => payload.into(),
        }
    }
}

/// A text message with this text.
impl PartialEq<str> for Message<'_> {
    fn eq(&self, other: &str) -> bool {
        self.as_str() == Some(other)
    }
}

/// A text message with this text.
impl PartialEq<&str> for Message<'_> {
    fn eq(&self, other: &&str) -> bool {
        self == *other
    }
}

/// A binary message with these bytes.
impl PartialEq<[u8]> for Message<'_> {
    fn eq(&self, other: &[u8]) -> bool {
        self.kind() == Kind::Binary && self.as_bytes() == other
    }
}

/// A binary message with these bytes.
impl PartialEq<&[u8]> for Message<'_> {
    fn eq(&self, other: &&[u8]) -> bool {
        self == *other
    }
}

/// A binary message with these bytes.
impl<const N: usize> PartialEq<[u8; N]> for Message<'_> {
    fn eq(&self, other: &[u8; N]) -> bool {
        self == &other[..]
    }
}

/// A binary message with these bytes.
impl<const N: usize> PartialEq<&[u8; N]> for Message<'_> {
    fn eq(&self, other: &&[u8; N]) -> bool {
        self == &other[..]
    }
}

/// The kind of a message (RFC 6455 §5.6).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// UTF-8 text.
    Text,
    /// Any bytes.
    Binary,
}

impl Kind {
    #[inline]
    pub(crate) const fn opcode(self) -> Opcode {
        match self {
            Self::Text => Opcode::Text,
            Self::Binary => Opcode::Binary,
        }
    }
}

#[cfg(test)]
mod tests {
    use alloc::borrow::Cow;
    use alloc::boxed::Box;
    use alloc::string::String;
    use alloc::vec;

    use super::{Kind, Message};

    /// However a message is made, it is the same.
    #[test]
    fn made_from_anything() {
        let mut lent = String::from("é");
        for message in [
            Message::text("é"),
            Message::text(String::from("é")),
            Message::text(&mut lent[..]),
            Message::from("é"),
            Message::from(&String::from("é")),
            Message::from(String::from("é")),
            Message::from(Box::<str>::from("é")),
            Message::from(Cow::Borrowed("é")),
            Message::from(Cow::<str>::Owned("é".into())),
        ] {
            assert_eq!((message.kind(), message.len()), (Kind::Text, 2));
            assert_eq!(message.as_str(), Some("é"));
            assert_eq!(message, Message::text("é"));
            assert!(message == *"é" && message == "é" && message != "è");
            // The same bytes, and another kind.
            assert!(message != "é".as_bytes() && message != *"é".as_bytes());
            assert_eq!(message.clone().into_vec(), "é".as_bytes());
            assert!(message.into_text().is_ok_and(|text| text == "é"));
        }
        let mut lent = [1];
        for message in [
            Message::binary(b"\x01"),
            Message::binary(vec![1]),
            Message::binary(&mut lent[..]),
            Message::from(b"\x01"),
            Message::from(&[1][..]),
            Message::from(vec![1]),
            Message::from(Box::<[u8]>::from([1])),
            Message::from(Cow::Borrowed(&[1][..])),
            Message::from(Cow::<[u8]>::Owned(vec![1])),
        ] {
            assert_eq!((message.kind(), message.len()), (Kind::Binary, 1));
            assert_eq!((message.as_str(), message.is_empty()), (None, false));
            assert_eq!(message, Message::binary(b"\x01"));
            assert!(message == [1] && message == b"\x01" && message == [1][..]);
            let (same, other): (&[u8], &[u8]) = (&[1], &[2]);
            assert!(message == same && message != other);
            assert!(message != "\x01" && message != Message::text("\x01"));
            assert_eq!(message.clone().into_vec(), [1]);
            assert!(message.into_text().is_err_and(|message| message == [1]));
        }
        assert!(Message::text("").is_empty());
    }

    /// A copy is free of the input.
    #[test]
    fn a_clone_owns_what_was_lent() {
        let mut input = *b"a";
        let lent = Message::binary(&mut input[..]);
        let mut copy = lent.clone();
        assert!(lent.is_lent() && !copy.is_lent());
        if let Message::Binary(bytes) = &mut copy
            && let Some(bytes) = bytes.as_mut_slice()
        {
            bytes[0] = b'b';
        }
        assert!(lent == [b'a'] && copy == [b'b']);
        assert!(!Message::text("copied").is_lent());
    }
}
