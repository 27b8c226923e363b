//! Messages, and what else comes and goes.

use std::fmt;

use bytes::Bytes;

use super::frame::{CloseFrame, Frame, Utf8Bytes};
use crate::error::Result;

/// What is received and sent.
#[derive(Debug, Eq, PartialEq, Clone)]
pub enum Message {
    /// Text.
    Text(Utf8Bytes),
    /// Bytes.
    Binary(Bytes),
    /// A Ping, of 125 bytes at most. One that comes is answered without the application.
    Ping(Bytes),
    /// A Pong, of 125 bytes at most.
    Pong(Bytes),
    /// A Close frame. One that comes is answered without the application.
    Close(Option<CloseFrame>),
    /// A frame that goes out as it is, with a fresh masking key if a client sends it. Never received.
    Frame(Frame),
}

/// One question for each variant.
macro_rules! is {
    ($($name:ident: $variant:ident, $text:literal;)*) => {
        impl Message {$(
            #[doc = $text]
            pub const fn $name(&self) -> bool {
                matches!(self, Self::$variant(_))
            }
        )*}
    };
}

is! {
    is_text: Text, "It is text.";
    is_binary: Binary, "It is binary.";
    is_ping: Ping, "It is a Ping.";
    is_pong: Pong, "It is a Pong.";
    is_close: Close, "It is a Close frame.";
}

impl Message {
    /// A text message.
    pub fn text<S: Into<Utf8Bytes>>(text: S) -> Self {
        Self::Text(text.into())
    }

    /// A binary message.
    pub fn binary<B: Into<Bytes>>(bytes: B) -> Self {
        Self::Binary(bytes.into())
    }

    /// Bytes of payload; of a Close frame those of the reason, of a raw frame all of it.
    pub fn len(&self) -> usize {
        match self {
            Self::Frame(frame) => frame.len(),
            other => other.payload().len(),
        }
    }

    /// There is no payload.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn payload(&self) -> &[u8] {
        match self {
            Self::Text(text) => text.as_bytes(),
            Self::Binary(bytes) | Self::Ping(bytes) | Self::Pong(bytes) => bytes,
            Self::Close(None) => &[],
            Self::Close(Some(close)) => close.reason.as_bytes(),
            Self::Frame(frame) => frame.payload(),
        }
    }

    /// The payload; of a Close frame the reason.
    pub fn into_data(self) -> Bytes {
        match self {
            Self::Text(text) => text.into(),
            Self::Binary(bytes) | Self::Ping(bytes) | Self::Pong(bytes) => bytes,
            Self::Close(None) => Bytes::new(),
            Self::Close(Some(close)) => close.reason.into(),
            Self::Frame(frame) => frame.into_payload(),
        }
    }

    /// The payload as text; of a Close frame the reason.
    ///
    /// # Errors
    /// [`Error::Utf8`](crate::Error::Utf8) where it is none.
    pub fn into_text(self) -> Result<Utf8Bytes> {
        match self {
            Self::Text(text) => Ok(text),
            other => Ok(other.into_data().try_into()?),
        }
    }

    /// The payload as text; of a Close frame the reason.
    ///
    /// # Errors
    /// [`Error::Utf8`](crate::Error::Utf8) where it is none.
    pub fn to_text(&self) -> Result<&str> {
        match self {
            Self::Text(text) => Ok(text),
            other => Ok(str::from_utf8(other.payload())?),
        }
    }
}

/// What becomes a message.
macro_rules! from {
    ($($type:ty, |$from:ident| $message:expr;)*) => {$(
        impl From<$type> for Message {
            fn from($from: $type) -> Self {
                $message
            }
        }
    )*};
}

from! {
    &str, |text| Self::text(text);
    String, |text| Self::text(text);
    &[u8], |bytes| Self::binary(bytes.to_vec());
    Vec<u8>, |bytes| Self::binary(bytes);
    Bytes, |bytes| Self::Binary(bytes);
}

impl From<Message> for Bytes {
    fn from(message: Message) -> Self {
        message.into_data()
    }
}

/// The text, or how many bytes there are that are none.
impl fmt::Display for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.to_text() {
            Ok(text) => f.write_str(text),
            Err(_) => write!(f, "Binary Data<length={}>", self.len()),
        }
    }
}
