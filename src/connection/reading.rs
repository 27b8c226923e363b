//! Reading: input into headers of frames and pieces of their payload (RFC 6455 §5.2). It knows
//! frames, and nothing of messages.

use core::mem;

use crate::error::ProtocolError;
use crate::frame::{HeaderReader, Opcode, RawHeader};
use crate::mask::{self, MaskingKey, apply_mask};

use super::rules::Rules;

/// The frame in progress.
#[derive(Default)]
pub(super) struct Reading {
    /// Payload bytes of the frame that have not come.
    pub(super) left: u64,
    /// The key as it stands at the next byte of payload; zeros take nothing off.
    pub(super) key: MaskingKey,
    /// The header, as far as it has come; it stays while the payload comes.
    pub(super) header: HeaderReader,
    /// A frame has ended since that was asked.
    pub(super) ended: bool,
    /// Bytes of an unfinished frame that `receive_bytes` leaves with the caller.
    pub(super) waiting: u32,
}

/// Where reading stands in a frame.
#[derive(Clone, Copy)]
pub(super) struct ReadSoFar {
    /// What is left of its payload, once its header has come.
    left: Option<u64>,
}

/// A piece of payload, still masked.
pub(super) struct Piece<'a> {
    pub(super) bytes: &'a mut [u8],
    key: MaskingKey,
    /// The frame ends with it.
    pub(super) ends_frame: bool,
    /// The frame is the last one of its message.
    pub(super) fin: bool,
}

impl Reading {
    // ── headers

    /// Reads the header as far as it has come; each byte is judged when it is there. True if it is
    /// whole: payload comes next.
    #[inline(always)]
    pub(super) fn read_header(
        &mut self,
        input: &mut &mut [u8],
        rules: Rules,
    ) -> Result<bool, ProtocolError> {
        // `move`: by reference the rules would lie in memory, for the call that reads few bytes.
        let judge = move |part, header: &_| rules.check(part, header);
        let (taken, whole) = self.header.take(input, judge)?;
        take_front(input, taken);
        if whole {
            let header = self.header.raw();
            self.left = header.payload_len();
            self.key = header.masking_key().unwrap_or_default();
        }
        Ok(whole)
    }

    /// The header as far as it has come, or that of the last frame.
    #[inline]
    pub(super) const fn header(&self) -> &RawHeader {
        self.header.raw()
    }

    #[inline]
    pub(super) const fn opcode(&self) -> Option<Opcode> {
        self.header.raw().opcode()
    }

    // ── payload

    /// The next piece of payload: as much of the input as belongs to the frame. It may be empty.
    #[inline]
    pub(super) fn piece<'a>(&mut self, input: &mut &'a mut [u8]) -> Piece<'a> {
        let bytes = take_front(input, self.next_len(input));
        let (key, fin) = (self.key, self.header.raw().fin());
        self.advance(bytes.len());
        if self.left == 0 {
            self.end_frame();
        }
        Piece {
            bytes,
            key,
            ends_frame: self.header.is_empty(),
            fin,
        }
    }

    /// Some bytes of payload were taken elsewhere. The frame does not end with them: it does with
    /// [`end_frame`](Self::end_frame), or the next piece.
    #[inline]
    pub(super) fn advance(&mut self, n: usize) {
        self.left -= n as u64;
        self.key = mask::rotate(self.key, n as u64);
    }

    /// The frame is complete.
    #[inline]
    pub(super) const fn end_frame(&mut self) {
        self.header.restart();
        self.ended = true;
    }

    /// Where reading stands, for [`has_moved_on`](Self::has_moved_on).
    #[inline]
    pub(super) fn place(&self) -> ReadSoFar {
        ReadSoFar {
            left: self.in_payload().then_some(self.left),
        }
    }

    /// Whether a frame has ended, or a KiB of its payload is full, since reading stood there.
    #[inline]
    pub(super) fn has_moved_on(&mut self, since: ReadSoFar) -> bool {
        mem::take(&mut self.ended) || self.in_payload() && self.has_filled(since)
    }

    #[inline]
    fn has_filled(&self, since: ReadSoFar) -> bool {
        let len = self.header.raw().payload_len();
        let before = since.left.map_or(0, |left| len - left);
        let now = len - self.left;
        self.left == 0 || before >> HEARD != now >> HEARD
    }

    /// The key for the next byte of payload, `None` if there is nothing to take off.
    #[inline]
    pub(super) fn key(&self) -> Option<MaskingKey> {
        some_key(self.key)
    }

    // ── how it stands

    /// How much of the input is payload of the frame.
    #[inline]
    pub(super) fn next_len(&self, input: &[u8]) -> usize {
        usize::try_from(self.left).map_or(input.len(), |left| left.min(input.len()))
    }

    /// Payload bytes of the frame that have not come.
    #[inline]
    pub(super) const fn left(&self) -> u64 {
        self.left
    }

    /// Payload comes next, which may be empty.
    #[inline]
    pub(super) const fn in_payload(&self) -> bool {
        self.header.is_whole()
    }

    /// The message ends with the next `n` bytes.
    #[inline]
    pub(super) const fn ends_message_with(&self, n: usize) -> bool {
        self.left == n as u64 && self.header.raw().fin()
    }

    /// Nothing has come of the payload of a data frame whose header is whole.
    pub(super) fn is_at_payload_of_data(&self) -> bool {
        self.in_payload_of_data() && self.left == self.header.raw().payload_len()
    }

    /// Payload of a data frame comes next.
    pub(super) const fn in_payload_of_data(&self) -> bool {
        self.in_payload() && !self.header.raw().is_control()
    }

    /// Between two frames.
    #[inline]
    pub(super) const fn is_idle(&self) -> bool {
        self.header.is_empty()
    }

    /// Nothing of a frame has come that lacks its end, here or with the caller.
    pub(super) const fn is_complete(&self) -> bool {
        self.is_idle() && self.waiting == 0
    }

    /// So many bytes of an unfinished frame stay with the caller: whether there are more than before,
    /// and whether a KiB of them is full.
    #[cfg(feature = "bytes")]
    pub(super) fn wait_with(&mut self, len: usize) -> (bool, bool) {
        let len = u32::try_from(len).unwrap_or(u32::MAX);
        let before = mem::replace(&mut self.waiting, len);
        (before != len, before >> HEARD != len >> HEARD)
    }
}

impl<'a> Piece<'a> {
    /// The message ends with it.
    #[inline]
    pub(super) const fn ends_message(&self) -> bool {
        self.ends_frame && self.fin
    }

    /// The key for its bytes, `None` if there is nothing to take off.
    #[inline]
    pub(super) fn key(&self) -> Option<MaskingKey> {
        some_key(self.key)
    }

    /// Its bytes, unmasked in place.
    #[inline]
    pub(super) fn unmasked(self) -> &'a mut [u8] {
        if let Some(key) = self.key() {
            apply_mask(self.bytes, key, 0);
        }
        self.bytes
    }
}

/// So much of a frame is heard although the frame has not ended: a KiB, as a shift.
const HEARD: u32 = 10;

#[inline]
fn some_key(key: MaskingKey) -> Option<MaskingKey> {
    (key != [0; 4]).then_some(key)
}

/// Splits the first `n` bytes off the input.
#[inline]
pub(super) fn take_front<'a>(input: &mut &'a mut [u8], n: usize) -> &'a mut [u8] {
    let (front, rest) = mem::take(input).split_at_mut(n);
    *input = rest;
    front
}
