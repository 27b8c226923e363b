//! Bytes and text that are shared by a reference count: the types of the crates `bytes` and `bytestring`.

pub(crate) use bytes::Bytes as SharedBytes;
pub(crate) use bytestring::ByteString as SharedText;

use super::text::{Str, Text};
use super::{Payload, Store};

impl Text<'_> {
    /// Text in bytes that are shared: sent without a copy.
    ///
    /// # Errors
    /// Where it is not UTF-8.
    ///
    /// ```
    /// use bytes::Bytes;
    /// use sansocket::event::Text;
    /// let shared = Bytes::from_static("grüezi".as_bytes());
    /// assert_eq!(Text::from_bytes(shared)?, "grüezi");
    /// # Ok::<(), core::str::Utf8Error>(())
    /// ```
    pub fn from_bytes(bytes: bytes::Bytes) -> Result<Self, core::str::Utf8Error> {
        SharedText::try_from(bytes).map(Self::from)
    }

    /// The text as [`bytes::Bytes`]: copied only if it was lent.
    #[must_use]
    pub fn into_bytes(self) -> bytes::Bytes {
        match self.0 {
            Str::Shared(text) => text.into_bytes(),
            other => Text(other).into_string().into(),
        }
    }
}

impl Payload<'_> {
    /// The bytes as [`bytes::Bytes`]: copied only if they were lent.
    #[must_use]
    pub fn into_bytes(self) -> bytes::Bytes {
        match self.0 {
            Store::Shared(bytes) => bytes,
            other => Payload(other).into_vec().into(),
        }
    }
}
