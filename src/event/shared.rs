//! Messages as bytes that are shared by a reference count.

use super::Message;

impl Message<'_> {
    /// The message's bytes, whatever its kind, as [`bytes::Bytes`]: copied only if they were lent.
    #[must_use]
    pub fn into_bytes(self) -> bytes::Bytes {
        match self {
            Self::Text(text) => text.into_bytes(),
            Self::Binary(payload) => payload.into_bytes(),
        }
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::String;
    use alloc::vec::Vec;

    use bytes::Bytes;

    use crate::event::{Message, Payload, Text};

    /// Every form of text and bytes, as what it can be taken for.
    #[test]
    fn shared_bytes_both_ways() {
        let text = Text::from_bytes(Bytes::from_static(b"abc"));
        let text = text.unwrap_or_else(|_| Text::from("no text"));
        assert_eq!(
            (text.as_str(), text.clone().into_owned().into_bytes()),
            ("abc", Bytes::from_static(b"abc"))
        );
        assert_eq!(String::from(text.clone()), "abc");
        assert_eq!(text.into_string(), "abc");
        assert_eq!(
            Text::from(String::from("x")).into_bytes(),
            Bytes::from_static(b"x")
        );
        assert_eq!(Message::text("x").into_bytes(), Bytes::from_static(b"x"));
        let binary = Message::binary(Bytes::from_static(b"y"));
        assert_eq!(binary.clone().into_bytes(), Bytes::from_static(b"y"));
        assert_eq!(Vec::from(Payload::from(Bytes::from_static(b"y"))), b"y");
        let all: alloc::collections::BTreeSet<_> = [binary.as_bytes().to_vec()].into();
        assert!(all.contains(&b"y"[..]));
    }
}
