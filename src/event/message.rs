//! Whole messages, and the kinds of messages (RFC 6455 §5.6).

use alloc::vec::Vec;

use crate::frame::Opcode;
use crate::payload::{Payload, Text};

/// A whole message: text or binary (RFC 6455 §5.6).
///
/// ```
/// use sansocket::event::Text;
/// use sansocket::Message;
/// let message = Message::Text(Text::from(String::from("Hello")));
/// assert_eq!(message.as_bytes(), b"Hello");
/// ```
#[derive(Debug, PartialEq, Eq)]
pub enum Message<'a> {
    /// Opcode 1: valid UTF-8.
    Text(Text<'a>),
    /// Opcode 2.
    Binary(Payload<'a>),
}

impl Message<'_> {
    /// The message's bytes, whatever its kind.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Text(text) => text.as_bytes(),
            Self::Binary(payload) => payload,
        }
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

    /// The same message without a borrow.
    #[must_use]
    pub fn into_owned(self) -> Message<'static> {
        match self {
            Self::Text(text) => Message::Text(text.into_owned()),
            Self::Binary(payload) => Message::Binary(payload.into_owned()),
        }
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
