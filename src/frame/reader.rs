//! Reads headers of frames (RFC 6455 §5.2), however they are cut.

use crate::error::ProtocolError;

use super::FrameHeader;
use super::raw::RawHeader;
use super::rules::HeaderPart;

/// Reads the header of a frame that may come in several pieces: 14 bytes and a count, no heap.
///
/// ```
/// use sansocket::frame::{HeaderReader, Opcode};
/// let mut reader = HeaderReader::default();
/// let mut input = &[0x82][..];
/// assert_eq!(reader.read(&mut input), Ok(None)); // more is needed
/// let mut input = &[0x7e, 0x01, 0x00, b'a', b'b'][..];
/// let header = reader.read(&mut input).unwrap().unwrap();
/// assert_eq!((header.opcode, header.payload_len), (Opcode::Binary, 256));
/// assert_eq!(input, b"ab"); // the payload begins
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct HeaderReader {
    raw: RawHeader,
    /// Bytes of the header that have come; [`WHOLE`] is added with the last one.
    pub(super) have: u8,
}

impl HeaderReader {
    /// Takes what it needs off the front of `input`, and returns the header once it is whole. The
    /// next call begins the next header.
    ///
    /// # Errors
    /// Those of [`FrameHeader::decode`], each as soon as the bytes decide it. What follows such a
    /// header is no frame.
    pub fn read(&mut self, input: &mut &[u8]) -> Result<Option<FrameHeader>, ProtocolError> {
        let (taken, whole) = self.take(input, |part, raw| raw.check(part))?;
        *input = &input[taken..];
        if !whole {
            return Ok(None);
        }
        self.restart();
        Ok(FrameHeader::from_raw(&self.raw))
    }

    /// Takes bytes until the header is whole, and has each part of it judged when its last byte is
    /// there. Returns how many of `input` were taken, and whether the header is whole.
    #[inline(always)]
    pub(crate) fn take<E>(
        &mut self,
        input: &[u8],
        mut judge: impl FnMut(HeaderPart, &RawHeader) -> Result<(), E>,
    ) -> Result<(usize, bool), E> {
        // Where code counts more than time there is one way.
        let at_once = self.have == 0 && !cfg!(target_os = "none");
        let Some(bytes) = input.first_chunk().filter(|_| at_once) else {
            return self.take_some(input, judge);
        };
        // As much as the longest header takes: whatever follows it is copied too, and not looked at.
        self.raw.bytes = *bytes;
        judge(HeaderPart::First, &self.raw)?;
        judge(HeaderPart::Second, &self.raw)?;
        let payload_len = self.raw.payload_len();
        judge(HeaderPart::Length { payload_len }, &self.raw)?;
        let len = self.raw.len();
        self.have = len as u8 | WHOLE; // at most 14
        Ok((len, true))
    }

    #[inline(never)]
    fn take_some<E>(
        &mut self,
        input: &[u8],
        mut judge: impl FnMut(HeaderPart, &RawHeader) -> Result<(), E>,
    ) -> Result<(usize, bool), E> {
        let before = usize::from(self.have);
        let have = self.append(input);
        let comes = |end: usize| before < end && end <= have;
        if comes(1) {
            judge(HeaderPart::First, &self.raw)?;
        }
        if comes(2) {
            judge(HeaderPart::Second, &self.raw)?;
        }
        if have >= 2 && comes(self.raw.length_end()) {
            let payload_len = self.raw.payload_len();
            judge(HeaderPart::Length { payload_len }, &self.raw)?;
        }
        // Without its second byte a header is longer than what there is.
        let len = if have < 2 { 2 } else { self.raw.len() };
        let end = have.min(len);
        let whole = if end == len { WHOLE } else { 0 };
        self.have = end as u8 | whole; // at most 14
        Ok((end - before, end == len))
    }

    /// Copies in as much as there is room for; returns how much there is.
    fn append(&mut self, input: &[u8]) -> usize {
        let have = usize::from(self.have);
        let room = &mut self.raw.bytes[have..];
        let len = input.len().min(room.len());
        room[..len].copy_from_slice(&input[..len]);
        have + len
    }

    /// Begins the next header.
    pub(crate) const fn restart(&mut self) {
        self.have = 0;
    }

    /// Nothing has come of the header.
    #[inline]
    pub(crate) const fn is_empty(&self) -> bool {
        self.have == 0
    }

    /// All of the header has come.
    #[inline]
    pub(crate) const fn is_whole(&self) -> bool {
        self.have & WHOLE != 0
    }

    /// The header, as far as it has come.
    #[inline]
    pub(crate) const fn raw(&self) -> &RawHeader {
        &self.raw
    }

    /// The length of the payload if that much of the header has come.
    #[cfg(feature = "bytes")]
    pub(crate) fn payload_len(&self) -> Option<u64> {
        let have = usize::from(self.have & !WHOLE);
        let known = have >= 2 && have >= self.raw.length_end();
        known.then(|| self.raw.payload_len())
    }
}

/// More than the longest header has bytes.
pub(super) const WHOLE: u8 = 16;
