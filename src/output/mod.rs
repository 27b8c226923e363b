//! The queue of bytes for the peer.
//!
//! Small frames are encoded into one growing buffer, the tail. A large payload that the caller
//! handed over becomes a segment before the tail and is never copied. The queue knows where its
//! frames begin (`counting`), so that it can tell how much payload has not left yet, and the
//! places where a control frame may still go.

mod counting;
mod room;
#[cfg(feature = "handover")]
mod saved;
mod taking;
#[cfg(test)]
mod tests;

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::cmp::Ordering;

use crate::extension::EncodeError;
use crate::frame::{
    FrameHeader, Opcode, encode_frame, encode_header, first_byte, header_len, is_continuation,
    write_header,
};
use crate::mask::{self, MaskingKey, extend_masked};
use crate::payload::{Few, OwnedBytes, make_room};

use counting::{CloseProgress, EncodedFrames};

#[derive(Default)]
pub(crate) struct Output {
    tail: Vec<u8>,
    /// Bytes taken from the first segment, or from the tail if there is none.
    at: usize,
    segments: Option<Box<Segments>>,
    /// What leaves next: bytes until the payload that counts, or until the next header.
    skip: u32,
    /// Payload bytes that count of the frame at the front, after `skip`.
    counted: u64,
    /// Payload handed in that has not been taken.
    buffered: u64,
    /// Pongs in the queue.
    pongs: u8,
    close: CloseProgress,
    /// The reserved bit on the first frame of an encoded message; 0 if no extension encodes.
    codec_bit: u8,
    /// The tail was lent by the application: it is kept, whatever its size, until it is reclaimed.
    lent: bool,
}

/// What only a queue needs that is longer than its tail, that has a frame in pieces, or whose
/// messages an extension encodes.
#[derive(Default)]
struct Segments {
    queue: VecDeque<Segment>,
    /// Bytes in the queue, including those of the first segment that have left.
    len: usize,
    /// Bytes of heap that those take.
    held: usize,
    /// Payload bytes that the frame being sent in pieces still lacks.
    frame_left: u64,
    /// Control frames that wait for its end.
    deferred: Vec<u8>,
    deferred_pongs: u8,
    encoded: EncodedFrames,
}

/// Whole frames, or a payload by itself whose header is at the end of the segment before.
struct Segment {
    bytes: OwnedBytes,
    /// It begins a further frame of a split message: a control frame may go before it.
    gap: bool,
}

impl Output {
    // ── what the connection queues

    /// The head of the opening handshake: first in the queue, and not payload. Returns what `write` does.
    pub(crate) fn head<R>(&mut self, write: impl FnOnce(&mut Vec<u8>) -> R) -> R {
        let written = write(&mut self.tail);
        // Beyond 4 GiB nothing counts until all has left: only `buffered` would be off.
        self.skip = u32::try_from(self.tail.len()).unwrap_or(u32::MAX);
        written
    }

    /// Content of HTTP after a head: no payload either.
    pub(crate) fn content(&mut self, bytes: &[u8]) {
        self.make_room(bytes.len());
        self.tail.extend_from_slice(bytes);
        let len = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        self.skip = self.skip.saturating_add(len);
    }

    /// A frame whose payload is copied, and masked on the way if there is a key.
    ///
    /// Inlined once for each case, so that neither asks for the key again.
    #[inline]
    pub(crate) fn frame(&mut self, first: u8, key: Option<MaskingKey>, payload: &[u8]) {
        match key {
            None => self.frame_with(first, None, payload),
            Some(key) => self.frame_with(first, Some(key), payload),
        }
    }

    #[inline(always)]
    fn frame_with(&mut self, first: u8, key: Option<MaskingKey>, payload: &[u8]) {
        self.make_room(FrameHeader::MAX_LEN + payload.len());
        encode_header(&mut self.tail, first, key, payload.len() as u64);
        extend_masked(&mut self.tail, key, payload);
        self.buffered += payload.len() as u64;
    }

    /// A frame whose payload was handed over: masked in place, queued without a copy.
    pub(crate) fn frame_owned(&mut self, first: u8, key: Option<MaskingKey>, payload: OwnedBytes) {
        let len = payload.len();
        let bytes = match (payload, key) {
            (small, key) if len < UNCOPIED => return self.frame(first, key, &small),
            (OwnedBytes::Vec(mut bytes), Some(key)) => {
                mask::apply_mask(&mut bytes, key, 0);
                OwnedBytes::Vec(bytes)
            }
            // Others may hold shared bytes too: the masked form is a copy.
            (shared, Some(key)) => return self.frame(first, Some(key), &shared),
            (bytes, None) => bytes,
        };
        self.make_room(FrameHeader::MAX_LEN);
        encode_header(&mut self.tail, first, key, len as u64);
        self.buffered += len as u64;
        self.push(Segment { bytes, gap: false });
    }

    /// A frame past an empty queue, of which the transport has taken so many bytes: the rest is copied.
    pub(crate) fn rest_of_frame(&mut self, header: &[u8], payload: &[u8], taken: usize) {
        let rest_of_header = header.get(taken..).unwrap_or_default();
        let before = taken.saturating_sub(header.len());
        let rest = payload.get(before..).unwrap_or_default();
        self.make_room(rest_of_header.len() + rest.len());
        self.tail.extend_from_slice(rest_of_header);
        self.tail.extend_from_slice(rest);
        self.buffered += rest.len() as u64;
        if taken > 0 {
            self.skip = rest_of_header.len() as u32; // at most 14
            self.counted = rest.len() as u64;
        }
    }

    /// A whole frame that other connections share, with `len` bytes of payload.
    pub(crate) fn frame_shared(&mut self, frame: &Arc<[u8]>, len: usize) {
        self.buffered += len as u64;
        if frame.len() < UNCOPIED {
            self.make_room(frame.len());
            self.tail.extend_from_slice(frame);
        } else {
            self.push(Segment {
                bytes: OwnedBytes::Arc(Arc::clone(frame)),
                gap: false,
            });
        }
    }

    /// One frame of a split message, in a segment of its own so that control frames can go before it.
    pub(crate) fn fragment(&mut self, first: u8, key: Option<MaskingKey>, payload: &[u8]) {
        let mut bytes = Vec::with_capacity(FrameHeader::MAX_LEN + payload.len());
        encode_frame(&mut bytes, first, key, payload);
        self.buffered += payload.len() as u64;
        self.push(Segment {
            bytes: OwnedBytes::Vec(bytes),
            gap: is_continuation(first),
        });
    }

    /// A control frame: at the next place where a frame may begin.
    pub(crate) fn control(&mut self, opcode: Opcode, key: Option<MaskingKey>, payload: &[u8]) {
        let first = first_byte(true, 0, opcode);
        self.pongs = self.pongs.saturating_add(u8::from(opcode == Opcode::Pong));
        if opcode == Opcode::Close {
            self.close = CloseProgress::Queued;
        }
        if let Some(segments) = &mut self.segments
            && segments.frame_left > 0
        {
            segments.deferred_pongs +=
                u8::from(opcode == Opcode::Pong && segments.deferred_pongs < PONGS);
            return encode_frame(&mut segments.deferred, first, key, payload);
        }
        // RFC 6455 §5.4: between the fragments of a message. A Close frame is the last of all.
        if opcode != Opcode::Close
            && let Some(segments) = &mut self.segments
            && let Some(gap) = segments.next_gap(self.at)
        {
            let mut bytes = Vec::with_capacity(FrameHeader::MAX_LEN + payload.len());
            encode_frame(&mut bytes, first, key, payload);
            let bytes = OwnedBytes::Vec(bytes);
            segments.len += bytes.len();
            segments.held += bytes.held();
            let segment = Segment { bytes, gap: false };
            return segments.queue.insert(gap, segment);
        }
        self.make_room(FrameHeader::MAX_LEN + payload.len());
        encode_frame(&mut self.tail, first, key, payload);
    }

    /// The header of a frame whose payload follows in pieces. Until it is whole, control frames wait.
    pub(crate) fn begin_frame(&mut self, first: u8, key: Option<MaskingKey>, len: u64) {
        self.make_room(FrameHeader::MAX_LEN);
        encode_header(&mut self.tail, first, key, len);
        self.segments.get_or_insert_default().frame_left = len;
    }

    /// A piece of that payload.
    pub(crate) fn frame_piece(&mut self, key: Option<MaskingKey>, offset: u64, piece: &[u8]) {
        self.make_room(piece.len());
        let key = key.map(|key| mask::rotate(key, offset));
        extend_masked(&mut self.tail, key, piece);
        self.buffered += piece.len() as u64;
        if let Some(segments) = &mut self.segments {
            segments.frame_left = segments.frame_left.saturating_sub(piece.len() as u64);
            if segments.frame_left == 0 {
                self.tail.append(&mut segments.deferred);
                segments.deferred_pongs = 0;
                self.drop_idle_segments();
            }
        }
    }

    // ── frames that an extension encoded

    /// The reserved bit that first frames of encoded messages have from now on.
    pub(crate) const fn mark_encoded(&mut self, codec_bit: u8) {
        self.codec_bit = codec_bit;
    }

    /// A frame with encoded payload; `len` is what it was before.
    pub(crate) fn frame_encoded(
        &mut self,
        first: u8,
        key: Option<MaskingKey>,
        payload: &[u8],
        len: usize,
    ) {
        self.frame(first, key, payload);
        self.count_encoded(first, payload.len(), len);
    }

    /// As [`frame_encoded`](Self::frame_encoded), for a payload that `encode` appends to the queue
    /// itself, which first makes `room` for it.
    ///
    /// # Errors
    /// Those of `encode`: nothing is queued then.
    pub(crate) fn frame_to_encode(
        &mut self,
        first: u8,
        key: Option<MaskingKey>,
        len: usize,
        room: usize,
        encode: impl FnOnce(&mut Vec<u8>) -> Result<(), EncodeError>,
    ) -> Result<(), EncodeError> {
        // Leaves room for the header that the length before asks for: nearly always the right one.
        let guess = header_len(key, len as u64);
        self.make_room(guess + room);
        let start = self.tail.len();
        self.tail.resize(start + guess, 0);
        if let Err(error) = encode(&mut self.tail) {
            self.tail.truncate(start);
            return Err(error);
        }
        let payload_len = self.tail.len() - start - guess;
        let mut header = [0; FrameHeader::MAX_LEN];
        let header_len = write_header(&mut header, first, key, payload_len as u64);
        match header_len.cmp(&guess) {
            Ordering::Less => {
                self.tail.copy_within(start + guess.., start + header_len);
                self.tail.truncate(start + header_len + payload_len);
            }
            Ordering::Equal => {}
            Ordering::Greater => {
                self.tail.resize(start + header_len + payload_len, 0);
                let payload = start + guess..start + guess + payload_len;
                self.tail.copy_within(payload, start + header_len);
            }
        }
        self.tail[start..start + header_len].copy_from_slice(&header[..header_len]);
        if let Some(key) = key {
            mask::apply_mask(&mut self.tail[start + header_len..], key, 0);
        }
        self.count_encoded(first, 0, len);
        Ok(())
    }

    /// One frame of an encoded message that is split; `len` is what leaves with it.
    pub(crate) fn fragment_encoded(
        &mut self,
        first: u8,
        key: Option<MaskingKey>,
        payload: &[u8],
        len: usize,
    ) {
        self.fragment(first, key, payload);
        self.count_encoded(first, payload.len(), len);
    }

    /// An encoded frame that other connections share; `len` is what its payload was before.
    pub(crate) fn frame_shared_encoded(&mut self, frame: &Arc<[u8]>, len: usize) {
        self.frame_shared(frame, 0);
        self.count_encoded(frame.first().copied().unwrap_or_default(), 0, len);
    }

    /// The last frame counts as `len` bytes instead of the `counted` ones.
    fn count_encoded(&mut self, first: u8, counted: usize, len: usize) {
        self.buffered = self.buffered - counted as u64 + len as u64;
        let segments = self.segments.get_or_insert_default();
        segments.encoded.queued(first, len);
    }

    // ── buffers

    /// Drops everything: the transport is gone.
    pub(crate) fn clear(&mut self) {
        let close = match self.close {
            CloseProgress::Left => CloseProgress::Left,
            _ => CloseProgress::None,
        };
        *self = Self {
            tail: core::mem::take(&mut self.tail),
            lent: self.lent,
            // What was not sent stays counted: WHATWG, bufferedAmount "does not reset to zero once
            // the connection closes".
            buffered: self.buffered,
            close,
            ..Self::default()
        };
        self.empty_tail();
    }

    /// Takes the buffer, unless there is one already: then it comes back.
    pub(crate) fn lend(&mut self, mut buffer: Vec<u8>) -> Option<Vec<u8>> {
        if self.tail.capacity() > 0 {
            return Some(buffer);
        }
        buffer.clear();
        self.tail = buffer;
        self.lent = true;
        None
    }

    /// Gives the empty buffer away, and frees an empty queue.
    pub(crate) fn reclaim(&mut self) -> Option<Vec<u8>> {
        if self.segments.as_ref().is_some_and(|some| some.is_idle()) {
            self.segments = None;
        }
        if !self.tail.is_empty() || self.tail.capacity() == 0 {
            return None;
        }
        self.lent = false;
        Some(core::mem::take(&mut self.tail))
    }

    /// Puts a segment at the end; the tail starts afresh.
    fn push(&mut self, segment: Segment) {
        self.push_tail();
        let segments = self.segments.get_or_insert_default();
        segments.len += segment.bytes.len();
        segments.held += segment.bytes.held();
        segments.queue.push_back(segment);
    }

    fn push_tail(&mut self) {
        if self.tail.is_empty() {
            return;
        }
        // A header by itself leaves the tail its buffer.
        let bytes = if let Some(few) = Few::copied(&self.tail) {
            self.tail.clear();
            OwnedBytes::Few(few)
        } else {
            self.lent = false;
            OwnedBytes::Vec(core::mem::take(&mut self.tail))
        };
        let segments = self.segments.get_or_insert_default();
        segments.len += bytes.len();
        segments.held += bytes.held();
        segments.queue.push_back(Segment { bytes, gap: false });
    }

    #[inline]
    fn make_room(&mut self, additional: usize) {
        if self.tail.capacity() - self.tail.len() < additional {
            self.grow(additional);
        }
    }

    /// Moves what is left to the front instead of growing, where at least half has been taken. A
    /// long queue goes on in a further segment: it is not moved, and what was taken of it is freed.
    /// So at most two segments are held beyond what waits, also while it grows.
    #[cold]
    fn grow(&mut self, additional: usize) {
        if self.at >= self.tail.len() / 2
            && self
                .segments
                .as_ref()
                .is_none_or(|segments| segments.queue.is_empty())
        {
            self.tail.drain(..self.at);
            self.at = 0;
        }
        // A buffer that was lent comes back, and serves again: it may become larger.
        let longest = if self.lent { 4 * SEGMENT } else { SEGMENT };
        if self.tail.len() + additional > longest && self.tail.len() >= KEPT {
            self.push_tail();
        }
        let needed = self.tail.len() + additional;
        make_room(&mut self.tail, needed, longest as u64);
    }

    // ── what there is

    /// The first contiguous bytes.
    #[inline]
    pub(crate) fn first(&self) -> &[u8] {
        let front = match &self.segments {
            Some(segments) => segments
                .queue
                .front()
                .map_or(&self.tail[..], |segment| &segment.bytes),
            None => &self.tail,
        };
        front.get(self.at..).unwrap_or_default()
    }

    /// Fills `slices` in order; returns how many.
    pub(crate) fn slices<'s>(&'s self, slices: &mut [&'s [u8]]) -> usize {
        let segments = self.segments.iter().flat_map(|segments| &segments.queue);
        let all = segments.map(|segment| &*segment.bytes);
        let mut filled = 0;
        let mut at = self.at;
        for bytes in all.chain([&self.tail[..]]) {
            let bytes = bytes.get(core::mem::take(&mut at)..).unwrap_or_default();
            if bytes.is_empty() {
                continue;
            }
            let Some(slice) = slices.get_mut(filled) else {
                break;
            };
            *slice = bytes;
            filled += 1;
        }
        filled
    }

    /// In how many pieces the queue is, at most.
    #[inline]
    pub(crate) fn pieces(&self) -> usize {
        self.segments
            .as_ref()
            .map_or(0, |segments| segments.queue.len())
            + 1
    }

    /// All queued bytes, including those that wait for the end of a frame.
    #[inline]
    pub(crate) fn len(&self) -> usize {
        let segments = self
            .segments
            .as_ref()
            .map_or(0, |segments| segments.len + segments.deferred.len());
        segments + self.tail.len() - self.at
    }

    /// Nothing waits.
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Payload as it was handed in that has not been taken.
    #[inline]
    pub(crate) const fn buffered(&self) -> u64 {
        self.buffered
    }

    /// The last byte of our Close frame was taken.
    pub(crate) const fn close_has_left(&self) -> bool {
        matches!(self.close, CloseProgress::Left)
    }

    /// Whether one more pong may be queued.
    #[inline]
    pub(crate) const fn takes_pong(&self) -> bool {
        self.pongs < PONGS
    }

    /// Payload bytes that the frame being sent in pieces still lacks.
    #[inline]
    pub(crate) fn frame_left(&self) -> u64 {
        self.segments
            .as_ref()
            .map_or(0, |segments| segments.frame_left)
    }

    /// Whether the next frame would have to allocate its buffer.
    #[inline]
    pub(crate) fn lacks_buffer(&self) -> bool {
        self.tail.capacity() == 0
    }

    #[inline]
    fn deferred_pongs(&self) -> u8 {
        self.segments
            .as_ref()
            .map_or(0, |segments| segments.deferred_pongs)
    }

    fn deferred_len(&self) -> usize {
        self.segments
            .as_ref()
            .map_or(0, |segments| segments.deferred.len())
    }
}

impl Segments {
    /// Nothing in it is needed any more.
    fn is_idle(&self) -> bool {
        self.queue.is_empty()
            && self.deferred.is_empty()
            && self.frame_left == 0
            && self.encoded.is_idle()
    }

    /// The next segment that a control frame may go before, where `at` bytes of the first have left.
    fn next_gap(&self, at: usize) -> Option<usize> {
        let begun = usize::from(at > 0);
        let gap = self.queue.iter().skip(begun).position(|next| next.gap);
        gap.map(|gap| begun + gap)
    }
}

/// Payloads that are handed over are queued without a copy from this size on.
pub(crate) const UNCOPIED: usize = 4096;

/// A longer queue is kept in segments of this size, or of one frame.
const SEGMENT: usize = 64 << 10;

/// A drained buffer up to this size is kept for the next frame.
const KEPT: usize = 4096;

/// Pongs that may wait in the queue at once; after that only the latest is kept (RFC 6455 §5.5.3).
/// Autobahn's case 2.10 wants ten pings answered one by one.
const PONGS: u8 = 16;
