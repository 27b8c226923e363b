//! Bytes and text of messages: lent from the caller's input, or owned if they had to be gathered.

use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;
use core::ops::Deref;

/// Bytes of a message, chunk, ping or pong: lent from the input they arrived in, or owned when they
/// were gathered from several reads or frames.
///
/// ```
/// use sansocket::event::Payload;
/// let mut input = *b"abc";
/// let payload = Payload::from(&mut input[..]);
/// assert_eq!(&*payload, b"abc");
/// assert_eq!(payload.into_vec(), b"abc");
/// ```
pub struct Payload<'a>(Store<'a>);

enum Store<'a> {
    Lent(&'a mut [u8]),
    Owned(Vec<u8>),
    Shared(SharedBytes),
}

impl<'a> Payload<'a> {
    /// The bytes, to be changed in place; `None` if they are shared (feature `bytes`).
    #[must_use]
    pub fn as_mut_slice(&mut self) -> Option<&mut [u8]> {
        match &mut self.0 {
            Store::Lent(bytes) => Some(bytes),
            Store::Owned(bytes) => Some(bytes),
            Store::Shared(_) => None,
        }
    }

    /// The bytes as a vector: moved if they are owned, copied otherwise.
    #[must_use]
    pub fn into_vec(self) -> Vec<u8> {
        match self.0 {
            Store::Lent(bytes) => bytes.to_vec(),
            Store::Owned(bytes) => bytes,
            Store::Shared(bytes) => bytes.into(),
        }
    }

    /// The same bytes, free of the input they were lent from: copied only if they were lent.
    #[must_use]
    pub fn into_owned(self) -> Payload<'static> {
        Payload(match self.0 {
            Store::Lent(bytes) => Store::Owned(bytes.to_vec()),
            Store::Owned(bytes) => Store::Owned(bytes),
            Store::Shared(bytes) => Store::Shared(bytes),
        })
    }

    pub(crate) fn into_buffer(self) -> Option<Vec<u8>> {
        match self.0 {
            Store::Owned(bytes) => Some(bytes),
            _ => None,
        }
    }

    pub(crate) const fn is_lent(&self) -> bool {
        matches!(self.0, Store::Lent(_))
    }

    /// As what is queued without a copy, unless the bytes were lent.
    pub(crate) fn into_owned_bytes(self) -> OwnedBytes {
        match self.0 {
            Store::Lent(bytes) => OwnedBytes::Vec(bytes.to_vec()),
            Store::Owned(bytes) => OwnedBytes::Vec(bytes),
            Store::Shared(bytes) => OwnedBytes::Shared(bytes),
        }
    }

    /// The bytes as [`bytes::Bytes`]: copied only if they were lent.
    #[cfg(feature = "bytes")]
    #[must_use]
    pub fn into_bytes(self) -> bytes::Bytes {
        match self.0 {
            Store::Lent(bytes) => bytes::Bytes::copy_from_slice(bytes),
            Store::Owned(bytes) => bytes.into(),
            Store::Shared(bytes) => bytes,
        }
    }
}

impl Deref for Payload<'_> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match &self.0 {
            Store::Lent(bytes) => bytes,
            Store::Owned(bytes) => bytes,
            Store::Shared(bytes) => bytes,
        }
    }
}

impl AsRef<[u8]> for Payload<'_> {
    fn as_ref(&self) -> &[u8] {
        self
    }
}

impl<'a> From<&'a mut [u8]> for Payload<'a> {
    fn from(bytes: &'a mut [u8]) -> Self {
        Self(Store::Lent(bytes))
    }
}

impl From<Vec<u8>> for Payload<'_> {
    fn from(bytes: Vec<u8>) -> Self {
        Self(Store::Owned(bytes))
    }
}

impl From<SharedBytes> for Payload<'_> {
    fn from(bytes: SharedBytes) -> Self {
        Self(Store::Shared(bytes))
    }
}

impl PartialEq for Payload<'_> {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl Eq for Payload<'_> {}

/// The length only: payloads stay out of logs.
impl fmt::Debug for Payload<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Payload({} bytes)", self.len())
    }
}

/// The text of a message: a `str` by validation, lent from the input or owned.
///
/// ```
/// use sansocket::event::Text;
/// let text = Text::from(String::from("grüezi"));
/// assert_eq!(text.len(), 7);
/// assert_eq!(format!("{text:?}"), "Text(7 bytes)");
/// assert_eq!(text.into_string(), "grüezi");
/// ```
pub struct Text<'a>(Str<'a>);

enum Str<'a> {
    Lent(&'a mut str),
    Owned(String),
}

impl Text<'_> {
    /// The text as a string: moved if it is owned, copied otherwise.
    #[must_use]
    #[inline]
    pub fn into_string(self) -> String {
        match self.0 {
            Str::Lent(text) => String::from(&*text),
            Str::Owned(text) => text,
        }
    }

    pub(crate) fn into_buffer(self) -> Option<Vec<u8>> {
        match self.0 {
            Str::Owned(text) => Some(text.into_bytes()),
            Str::Lent(_) => None,
        }
    }

    pub(crate) const fn is_lent(&self) -> bool {
        matches!(self.0, Str::Lent(_))
    }

    /// The same text, free of the input it was lent from: copied only if it was lent.
    #[must_use]
    pub fn into_owned(self) -> Text<'static> {
        Text(Str::Owned(self.into_string()))
    }
}

impl Deref for Text<'_> {
    type Target = str;

    fn deref(&self) -> &str {
        match &self.0 {
            Str::Lent(text) => text,
            Str::Owned(text) => text,
        }
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

impl From<String> for Text<'_> {
    fn from(text: String) -> Self {
        Self(Str::Owned(text))
    }
}

impl PartialEq for Text<'_> {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl Eq for Text<'_> {}

/// The length only: text stays out of logs.
impl fmt::Debug for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Text({} bytes)", self.len())
    }
}

/// Bytes that were handed over, or are shared by a reference count.
pub(crate) enum OwnedBytes {
    Vec(Vec<u8>),
    Arc(Arc<[u8]>),
    Shared(SharedBytes),
}

impl OwnedBytes {
    /// Bytes of heap that belong to this value alone.
    pub(crate) fn held(&self) -> usize {
        match self {
            Self::Vec(bytes) => bytes.capacity(),
            Self::Arc(_) | Self::Shared(_) => 0,
        }
    }
}

impl Deref for OwnedBytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Self::Vec(bytes) => bytes,
            Self::Arc(bytes) => bytes,
            Self::Shared(bytes) => bytes,
        }
    }
}

impl From<Vec<u8>> for OwnedBytes {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Vec(bytes)
    }
}

impl From<String> for OwnedBytes {
    fn from(text: String) -> Self {
        Self::Vec(text.into_bytes())
    }
}

impl From<SharedBytes> for OwnedBytes {
    fn from(bytes: SharedBytes) -> Self {
        Self::Shared(bytes)
    }
}

/// The type of the crate `bytes` where that is in use, and a type without values where it is not,
/// so that nothing else depends on the feature.
#[cfg(feature = "bytes")]
pub(crate) use bytes::Bytes as SharedBytes;

#[cfg(not(feature = "bytes"))]
pub(crate) use absent::SharedBytes;

#[cfg(not(feature = "bytes"))]
mod absent {
    use alloc::vec::Vec;
    use core::ops::Deref;

    pub(crate) enum SharedBytes {}

    impl Deref for SharedBytes {
        type Target = [u8];

        fn deref(&self) -> &[u8] {
            match *self {}
        }
    }

    impl From<SharedBytes> for Vec<u8> {
        fn from(absent: SharedBytes) -> Self {
            match absent {}
        }
    }
}

/// The capacity for `needed` bytes: what there is if they fit, else twice that, but never beyond the
/// limit, so that gathering takes at most twice the limit, while the bytes move (RFC 6455 §10.4).
pub(crate) fn growth(capacity: usize, needed: usize, limit: u64) -> usize {
    if needed <= capacity {
        return capacity;
    }
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    capacity.saturating_mul(2).min(limit).max(needed)
}

/// Makes room for `needed` bytes in all, with that growth.
pub(crate) fn make_room(bytes: &mut Vec<u8>, needed: usize, limit: u64) {
    bytes.reserve_exact(growth(bytes.capacity(), needed, limit) - bytes.len());
}

/// Appends bytes, with that growth.
pub(crate) fn extend_within(bytes: &mut Vec<u8>, more: &[u8], limit: usize) {
    make_room(bytes, bytes.len() + more.len(), limit as u64);
    bytes.extend_from_slice(more);
}

#[cfg(test)]
mod tests {
    use super::{Payload, Text, growth};
    use alloc::format;

    /// Two are the same if their bytes are; what they are stays out of logs.
    #[test]
    fn compared_and_printed() {
        let payload = |bytes: &[u8]| Payload::from(bytes.to_vec());
        assert!(payload(b"abc") == payload(b"abc") && payload(b"abc") != payload(b"abd"));
        assert_eq!(format!("{:?}", payload(b"secret")), "Payload(6 bytes)");
        let text = |text: &str| Text::from(alloc::string::String::from(text));
        assert!(text("abc") == text("abc") && text("abc") != text("abd"));
        assert_eq!(format!("{:?}", text("secret")), "Text(6 bytes)");
    }

    /// What is lent or owned can be changed in place.
    #[test]
    fn changed_in_place() {
        let mut input = *b"abc";
        for mut payload in [
            Payload::from(&mut input[..]),
            Payload::from(b"abc".to_vec()),
        ] {
            if let Some(bytes) = payload.as_mut_slice() {
                bytes[0] = b'x';
            }
            assert_eq!(&*payload, b"xbc");
        }
    }

    /// RFC 6455 §10.4: nothing is reserved before it is needed, nor beyond the limit.
    #[test]
    fn what_is_gathered_doubles_up_to_the_limit() {
        assert_eq!(growth(0, 5, 100), 5);
        assert_eq!(growth(40, 39, 100), 40);
        assert_eq!(growth(40, 40, 100), 40);
        assert_eq!(growth(40, 41, 100), 80);
        assert_eq!(growth(40, 90, 100), 90);
        assert_eq!(growth(80, 81, 100), 100);
        // Bytes that the limit does not count, such as a head before what is kept.
        assert_eq!(growth(80, 110, 100), 110);
        assert_eq!(growth(usize::MAX / 2 + 1, usize::MAX, u64::MAX), usize::MAX);
    }
}
