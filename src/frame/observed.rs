//! Headers as they are looked at from outside: by an observer of other people's frames, and to be kept.
#![cfg_attr(
    not(all(feature = "handover", feature = "observer")),
    allow(dead_code, reason = "some of it is needed for one of them")
)]

use super::raw::RawHeader;
use super::reader::{HeaderReader, WHOLE};

impl RawHeader {
    /// Without what followed it in its read.
    pub(crate) fn alone(mut self) -> Self {
        let len = self.len();
        self.bytes[len..].fill(0);
        self
    }

    /// As it stands on the wire.
    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.len()]
    }
}

impl HeaderReader {
    /// Bytes of the header that have come.
    pub(crate) const fn taken(&self) -> usize {
        (self.have & !WHOLE) as usize
    }

    /// The header as far as it has come.
    pub(crate) fn came(&self) -> &[u8] {
        &self.raw().bytes[..self.taken()]
    }
}
