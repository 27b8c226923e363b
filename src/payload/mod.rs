//! Bytes and text of messages: lent from the caller's input, or owned if they had to be gathered.

mod owned;
#[cfg(feature = "bytes")]
mod shared;
mod text;

use alloc::borrow::Cow;
use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;
use core::hash::{Hash, Hasher};
use core::ops::Deref;

pub(crate) use owned::{Few, HandedOver, OwnedBytes, handed_over};
pub(crate) use shared::{SharedBytes, SharedText};
pub use text::Text;

/// Bytes of a message, chunk, ping or pong: lent from the input they arrived in, or owned when they
/// were gathered from several reads or frames. It is made from other bytes too, which
/// are copied if they are borrowed.
///
/// ```
/// use sansocket::event::Payload;
/// let mut input = *b"abc";
/// let payload = Payload::from(&mut input[..]);
/// assert_eq!(payload, b"abc");
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

    /// The same bytes, free of what they were lent from: copied only if they were lent.
    #[must_use]
    pub fn into_owned(self) -> Payload<'static> {
        Payload(match self.0 {
            Store::Shared(bytes) => Store::Shared(bytes),
            other => Store::Owned(Payload(other).into_vec()),
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

    /// The bytes, if they were lent, to be changed in place.
    pub(crate) fn lent_mut(&mut self) -> Option<&mut [u8]> {
        match &mut self.0 {
            Store::Lent(bytes) => Some(bytes),
            _ => None,
        }
    }

    /// Bytes of heap that belong to it alone.
    pub(crate) const fn memory_held(&self) -> usize {
        match &self.0 {
            Store::Owned(bytes) => bytes.capacity(),
            Store::Lent(_) | Store::Shared(_) => 0,
        }
    }
}

/// What is queued without a copy, unless the bytes were lent.
impl From<Payload<'_>> for OwnedBytes {
    fn from(payload: Payload<'_>) -> Self {
        match payload.0 {
            Store::Shared(bytes) => Self::Shared(bytes),
            other => Self::Vec(Payload(other).into_vec()),
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

/// What was lent from the input is copied.
impl Clone for Payload<'_> {
    fn clone(&self) -> Self {
        Self(match &self.0 {
            Store::Lent(bytes) => Store::Owned(bytes.to_vec()),
            Store::Owned(bytes) => Store::Owned(bytes.clone()),
            Store::Shared(bytes) => Store::Shared(bytes.clone()),
        })
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

impl<'a> From<&'a [u8]> for Payload<'a> {
    fn from(bytes: &'a [u8]) -> Self {
        Self(Store::Owned(bytes.to_vec()))
    }
}

impl<'a, const N: usize> From<&'a [u8; N]> for Payload<'a> {
    fn from(bytes: &'a [u8; N]) -> Self {
        Self(Store::Owned(bytes.to_vec()))
    }
}

impl From<Vec<u8>> for Payload<'_> {
    fn from(bytes: Vec<u8>) -> Self {
        Self(Store::Owned(bytes))
    }
}

impl From<Box<[u8]>> for Payload<'_> {
    fn from(bytes: Box<[u8]>) -> Self {
        Self(Store::Owned(bytes.into()))
    }
}

impl<'a> From<Cow<'a, [u8]>> for Payload<'a> {
    fn from(bytes: Cow<'a, [u8]>) -> Self {
        match bytes {
            Cow::Borrowed(bytes) => bytes.into(),
            Cow::Owned(bytes) => bytes.into(),
        }
    }
}

impl From<SharedBytes> for Payload<'_> {
    fn from(bytes: SharedBytes) -> Self {
        Self(Store::Shared(bytes))
    }
}

impl From<Payload<'_>> for Vec<u8> {
    fn from(payload: Payload<'_>) -> Self {
        payload.into_vec()
    }
}

impl PartialEq for Payload<'_> {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl Eq for Payload<'_> {}

impl Hash for Payload<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (**self).hash(state);
    }
}

/// Compared with the plain types.
macro_rules! compared {
    ($([$($generic:tt)*] $other:ty),*) => {$(
        impl<$($generic)*> PartialEq<$other> for Payload<'_> {
            fn eq(&self, other: &$other) -> bool {
                let other: &[u8] = other.as_ref();
                **self == *other
            }
        }
    )*};
}

compared!([] [u8], [] &[u8], [] Vec<u8>, [const N: usize] [u8; N], [const N: usize] &[u8; N]);

/// The length only: payloads stay out of logs.
impl fmt::Debug for Payload<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Payload({} bytes)", self.len())
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

/// The same where growing takes `left` bytes at most: `None` if those needed are more.
pub(crate) fn growth_within(
    capacity: usize,
    needed: usize,
    limit: u64,
    left: usize,
) -> Option<usize> {
    match growth(capacity, needed, limit) {
        enough if enough == capacity => Some(capacity),
        grown => (needed <= left).then_some(grown.min(left)),
    }
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

/// Types without values in place of those of the crates `bytes` and `bytestring`, so that nothing else depends on the
/// feature.
#[cfg(not(feature = "bytes"))]
mod shared {
    use alloc::vec::Vec;
    use core::convert::Infallible;
    use core::ops::Deref;

    #[derive(Clone)]
    pub(crate) struct SharedBytes(Infallible);

    impl Deref for SharedBytes {
        type Target = [u8];

        fn deref(&self) -> &[u8] {
            match self.0 {}
        }
    }

    impl From<SharedBytes> for Vec<u8> {
        fn from(absent: SharedBytes) -> Self {
            match absent.0 {}
        }
    }

    #[derive(Clone)]
    pub(crate) struct SharedText(Infallible);

    impl SharedText {
        pub(crate) fn into_bytes(self) -> SharedBytes {
            match self.0 {}
        }
    }

    impl Deref for SharedText {
        type Target = str;

        fn deref(&self) -> &str {
            match self.0 {}
        }
    }
}

#[cfg(test)]
mod tests {
    use alloc::format;
    use alloc::string::String;

    use super::{Payload, Text, growth};

    /// Two are the same if their bytes are; what they are stays out of logs.
    #[test]
    fn compared_and_printed() {
        let payload = |bytes: &'static [u8]| Payload::from(bytes);
        assert!(payload(b"abc") == payload(b"abc") && payload(b"abc") != payload(b"abd"));
        assert_eq!(format!("{:?}", payload(b"secret")), "Payload(6 bytes)");
        assert!(payload(b"ab") == *b"ab" && payload(b"ab") == b"ab"[..] && payload(b"ab") != b"b");
        assert!(payload(b"ab") == b"ab".to_vec() && payload(b"ab") == b"ab"[..]);
        let text = |text: &'static str| Text::from(text);
        assert!(text("abc") == text("abc") && text("abc") != text("abd"));
        assert!(text("ab") == *"ab" && "ab" == text("ab"));
        let string = String::from("ab");
        assert!(text("ab") == string && string == text("ab"));
        assert_eq!(format!("{:?}", text("secret")), "Text(6 bytes)");
        assert_eq!(format!("{:>4}", text("ab")), "  ab");
    }

    /// Who holds the bytes makes no difference to a set.
    #[test]
    fn hashed_as_their_bytes() {
        use core::hash::{BuildHasher, BuildHasherDefault};
        let hasher = BuildHasherDefault::<Sum>::default();
        let mut input = *b"abc";
        let hash = hasher.hash_one(&b"abc"[..]);
        assert_eq!(hasher.hash_one(Payload::from(&mut input[..])), hash);
        assert_eq!(hasher.hash_one(Payload::from(b"abc".to_vec())), hash);
        assert_ne!(hasher.hash_one(Payload::from(b"abd")), hash);
        let hash = hasher.hash_one("abc");
        assert_eq!(hasher.hash_one(Text::from("abc")), hash);
        assert_eq!(hasher.hash_one(Text::from(String::from("abc"))), hash);
        assert_ne!(hasher.hash_one(Text::from("abd")), hash);
    }

    #[derive(Default)]
    struct Sum(u64);

    impl core::hash::Hasher for Sum {
        fn write(&mut self, bytes: &[u8]) {
            for &byte in bytes {
                self.0 = self.0.wrapping_mul(31) + u64::from(byte);
            }
        }

        fn finish(&self) -> u64 {
            self.0
        }
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
