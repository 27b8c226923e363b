//! The queue of bytes for the peer.
//!
//! Small frames are encoded into one growing buffer, the tail. A large payload that the caller
//! handed over becomes a part in front of it and is never copied. The queue knows where its frames
//! begin, so that it can say how much payload has not left yet, and which places a control frame
//! may still slip into.

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
#[cfg(feature = "deflate")]
use core::cmp::Ordering;

use crate::frame::{FrameHeader, Opcode, with_header};
#[cfg(feature = "deflate")]
use crate::frame::{RSV1, write_header};
use crate::mask::{self, MaskingKey};
use crate::payload::make_room;

/// Payloads that are handed over are queued without a copy from this size on.
pub(crate) const BY_REFERENCE: usize = 4096;

/// A queue that is longer is kept in pieces of this size, or of one frame.
const PIECE: usize = 64 << 10;

/// A drained buffer up to this size is kept for the next frame.
const KEPT: usize = 4096;

/// Pongs that may wait in the queue at once; after that only the latest is kept (RFC 6455 §5.5.3).
/// Autobahn's case 2.10 wants ten pings answered one by one.
const PONGS: u8 = 16;

#[derive(Default)]
pub(crate) struct Output {
    tail: Vec<u8>,
    /// Bytes taken from the first part, or from the tail if there is none.
    at: usize,
    parts: Option<Box<Parts>>,
    /// Where the consumer stands: bytes until the payload it counts, or the next header.
    skip: u32,
    /// Payload bytes of the frame at the front that count, behind `skip`.
    counted: u64,
    /// Payload handed in that has not been taken.
    buffered: u64,
    /// Pongs in the queue.
    pongs: u8,
    close: Close,
    /// The tail was lent by the application: it is kept, whatever its size, until it is reclaimed.
    lent: bool,
}

/// Where our Close frame is. Pongs may stand behind it (D-14), so that an empty queue is another question.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
enum Close {
    #[default]
    None,
    Queued,
    /// A part of it has left.
    AtFront,
    Left,
}

#[derive(Default)]
struct Parts {
    queue: VecDeque<Part>,
    /// Bytes in the queue, what was taken of the first included.
    len: usize,
    /// Payload bytes that the frame being sent in pieces still lacks.
    frame_left: u64,
    /// Control frames that wait for its end.
    deferred: Vec<u8>,
    deferred_pongs: u8,
    #[cfg(feature = "deflate")]
    compressed: Compressed,
}

/// The compressed frames in the queue: what is handed in of them is not what goes out.
#[cfg(feature = "deflate")]
#[derive(Default)]
struct Compressed {
    /// What each of them counts, once it has left.
    counts: VecDeque<u64>,
    /// The frame at the front is one of them.
    front: bool,
    /// The message at the front goes on with another one.
    front_continues: bool,
    /// The message at the end goes on with another one.
    end_continues: bool,
}

#[cfg(feature = "deflate")]
impl Compressed {
    fn is_idle(&self) -> bool {
        self.counts.is_empty() && !self.front && !self.end_continues
    }

    /// The last byte of all has left.
    fn drained(&mut self) {
        self.counts.clear();
        self.front = false;
        self.front_continues = self.end_continues;
    }

    /// A data frame comes to the front.
    fn begins(&mut self, header: &FrameHeader) {
        let continued = header.opcode == Opcode::Continuation && self.front_continues;
        // Without any in the queue the bit is an extension's of the application.
        self.front = !self.counts.is_empty() && (header.rsv & RSV1 != 0 || continued);
        self.front_continues = self.front && !header.fin;
    }
}

impl Parts {
    /// Nothing in it is needed any more.
    fn is_idle(&self) -> bool {
        #[cfg(feature = "deflate")]
        if !self.compressed.is_idle() {
            return false;
        }
        self.queue.is_empty() && self.deferred.is_empty() && self.frame_left == 0
    }

    /// Bytes of heap behind it, those of the payloads aside.
    fn held(&self) -> usize {
        size_of::<Self>()
            + self.queue.capacity() * size_of::<Part>()
            + self.deferred.capacity()
            + self.counts_held()
    }

    #[cfg(feature = "deflate")]
    fn counts_held(&self) -> usize {
        self.compressed.counts.capacity() * size_of::<u64>()
    }

    #[cfg(not(feature = "deflate"))]
    #[allow(clippy::unused_self)]
    const fn counts_held(&self) -> usize {
        0
    }
}

struct Part {
    bytes: Bytes,
    /// It begins a further frame of a split message: a control frame may go before it.
    gap: bool,
}

enum Bytes {
    Owned(Vec<u8>),
    Shared(Arc<[u8]>),
    #[cfg(feature = "bytes")]
    Bytes(bytes::Bytes),
}

impl Bytes {
    fn as_slice(&self) -> &[u8] {
        match self {
            Self::Owned(bytes) => bytes,
            Self::Shared(bytes) => bytes,
            #[cfg(feature = "bytes")]
            Self::Bytes(bytes) => bytes,
        }
    }

    fn held(&self) -> usize {
        match self {
            Self::Owned(bytes) => bytes.capacity(),
            _ => 0,
        }
    }
}

/// A payload that was handed over.
pub(crate) enum Owned {
    Vec(Vec<u8>),
    #[cfg(feature = "bytes")]
    Bytes(bytes::Bytes),
}

impl Owned {
    pub(crate) fn as_slice(&self) -> &[u8] {
        match self {
            Self::Vec(bytes) => bytes,
            #[cfg(feature = "bytes")]
            Self::Bytes(bytes) => bytes,
        }
    }
}

impl From<Vec<u8>> for Owned {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Vec(bytes)
    }
}

impl From<String> for Owned {
    fn from(text: String) -> Self {
        Self::Vec(text.into_bytes())
    }
}

#[cfg(feature = "bytes")]
impl From<bytes::Bytes> for Owned {
    fn from(bytes: bytes::Bytes) -> Self {
        Self::Bytes(bytes)
    }
}

/// The first byte of a frame's header.
#[inline]
pub(crate) const fn first_byte(fin: bool, rsv: u8, opcode: Opcode) -> u8 {
    (fin as u8) << 7 | rsv << 4 | opcode as u8
}

impl Output {
    // ── what the driver sees

    /// The first contiguous bytes.
    #[inline]
    pub(crate) fn first(&self) -> &[u8] {
        let front = match &self.parts {
            Some(parts) => parts
                .queue
                .front()
                .map_or(&self.tail[..], |part| part.bytes.as_slice()),
            None => &self.tail,
        };
        front.get(self.at..).unwrap_or_default()
    }

    /// Fills `slices` in order; returns how many.
    pub(crate) fn slices<'s>(&'s self, slices: &mut [&'s [u8]]) -> usize {
        let parts = self
            .parts
            .iter()
            .flat_map(|parts| parts.queue.iter().map(|part| part.bytes.as_slice()));
        let mut filled = 0;
        let mut at = self.at;
        for bytes in parts.chain([&self.tail[..]]) {
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

    /// All queued bytes, those that wait for the end of a frame included.
    #[inline]
    pub(crate) fn len(&self) -> usize {
        let parts = self
            .parts
            .as_ref()
            .map_or(0, |parts| parts.len + parts.deferred.len());
        parts + self.tail.len() - self.at
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

    /// Forgets the first `n` bytes.
    #[inline]
    pub(crate) fn consume(&mut self, n: usize) {
        let (at, end) = (self.at, self.tail.len());
        if self.parts.is_none() && at < end && n >= end - at {
            self.drained();
        } else {
            self.consume_part(n);
        }
    }

    /// All that may leave has left.
    #[inline]
    fn drained(&mut self) {
        self.empty_tail();
        self.skip = 0;
        self.counted = self.frame_left();
        self.buffered = 0;
        self.pongs = self.deferred_pongs();
        if self.close != Close::None && self.deferred_len() == 0 {
            self.close = Close::Left;
        }
    }

    fn consume_part(&mut self, n: usize) {
        let ready = self.len() - self.deferred_len();
        if ready == 0 {
            return;
        }
        if n >= ready {
            if let Some(parts) = &mut self.parts {
                parts.queue.clear();
                parts.len = 0;
                #[cfg(feature = "deflate")]
                parts.compressed.drained();
            }
            self.drop_idle_parts();
            return self.drained();
        }
        self.count(n);
        self.at += n;
        while let Some(parts) = &mut self.parts {
            let Some(front) = parts.queue.front() else {
                break;
            };
            let len = front.bytes.as_slice().len();
            if self.at < len {
                break;
            }
            self.at -= len;
            parts.len -= len;
            parts.queue.pop_front();
        }
        self.drop_idle_parts();
    }

    /// Payload bytes of the frame at the front have left.
    fn uncount(&mut self, payload: u64) {
        #[cfg(feature = "deflate")]
        if let Some(Parts { compressed, .. }) = self.parts.as_deref_mut()
            && compressed.front
        {
            if self.counted == 0 && self.skip == 0 {
                compressed.front = false;
                self.buffered -= compressed.counts.pop_front().unwrap_or(0);
            }
            return;
        }
        self.buffered -= payload;
    }

    /// A small queue is kept for the next part.
    fn drop_idle_parts(&mut self) {
        if let Some(parts) = &self.parts
            && parts.is_idle()
            && parts.held() > KEPT
        {
            self.parts = None;
        }
    }

    /// Walks the frames in the first `n` bytes to see what of them is payload.
    fn count(&mut self, mut n: usize) {
        let mut at = self.at;
        let mut part = 0;
        while n > 0 {
            if self.skip == 0 && self.counted == 0 {
                // A frame begins here; a header is never cut over two parts.
                let front = loop {
                    let bytes = match self.parts.as_ref().and_then(|parts| parts.queue.get(part)) {
                        Some(part) => part.bytes.as_slice(),
                        None => &self.tail,
                    };
                    match bytes.get(at..) {
                        Some(front) if !front.is_empty() => break front,
                        _ => {
                            at -= bytes.len();
                            part += 1;
                        }
                    }
                };
                let Ok(Some((header, len))) = FrameHeader::decode(front) else {
                    // Every frame here was encoded by this queue.
                    debug_assert!(false, "the queue does not hold frames");
                    return;
                };
                self.skip = len as u32; // at most 14
                if header.opcode.is_control() {
                    self.skip += header.payload_len as u32; // at most 125
                    self.pongs -= u8::from(header.opcode == Opcode::Pong && self.pongs > 0);
                    if header.opcode == Opcode::Close {
                        self.close = Close::AtFront;
                    }
                } else {
                    self.counted = header.payload_len;
                    #[cfg(feature = "deflate")]
                    if let Some(parts) = &mut self.parts {
                        parts.compressed.begins(&header);
                    }
                }
            }
            // `as`: both are at most `n`, which is in memory.
            let skipped = (n as u64).min(self.skip.into());
            let counted = (n as u64 - skipped).min(self.counted);
            self.skip -= skipped as u32;
            if self.skip == 0 && self.close == Close::AtFront {
                self.close = Close::Left;
            }
            self.counted -= counted;
            self.uncount(counted);
            n -= (skipped + counted) as usize;
            at += (skipped + counted) as usize;
        }
    }

    #[inline]
    fn empty_tail(&mut self) {
        self.at = 0;
        if self.tail.capacity() > KEPT && !self.lent {
            self.tail = Vec::new();
        } else {
            self.tail.clear();
        }
    }

    // ── what the connection queues

    /// A head of the opening handshake: the first thing in the queue, and not payload.
    /// Gives what `write` gives.
    pub(crate) fn head<R>(&mut self, write: impl FnOnce(&mut Vec<u8>) -> R) -> R {
        let written = write(&mut self.tail);
        // Heads are far below 4 GiB; beyond that only `buffered` would be off.
        self.skip = u32::try_from(self.tail.len()).unwrap_or(u32::MAX);
        written
    }

    /// A frame whose payload is copied, masked on the way if there is a key.
    ///
    /// Inlined twice, so that each way knows whether there is one.
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
    pub(crate) fn frame_owned(&mut self, first: u8, key: Option<MaskingKey>, payload: Owned) {
        let len = payload.as_slice().len();
        if len < BY_REFERENCE {
            return self.frame(first, key, payload.as_slice());
        }
        let bytes = match (payload, key) {
            (Owned::Vec(mut bytes), key) => {
                if let Some(key) = key {
                    mask::apply_mask(&mut bytes, key, 0);
                }
                Bytes::Owned(bytes)
            }
            #[cfg(feature = "bytes")]
            (Owned::Bytes(bytes), None) => Bytes::Bytes(bytes),
            #[cfg(feature = "bytes")]
            (Owned::Bytes(bytes), Some(key)) => {
                // Shared bytes may be somebody else's too: the masked form is a copy.
                return self.frame(first, Some(key), &bytes);
            }
        };
        self.make_room(FrameHeader::MAX_LEN);
        encode_header(&mut self.tail, first, key, len as u64);
        self.buffered += len as u64;
        self.push(Part { bytes, gap: false });
    }

    /// A frame that was encoded before and is shared with other connections; `payload` of its bytes are payload.
    pub(crate) fn frame_shared(&mut self, frame: &Arc<[u8]>, payload: usize) {
        self.buffered += payload as u64;
        if frame.len() < BY_REFERENCE {
            self.make_room(frame.len());
            self.tail.extend_from_slice(frame);
        } else {
            self.push(Part {
                bytes: Bytes::Shared(Arc::clone(frame)),
                gap: false,
            });
        }
    }

    /// One frame of a split message, by itself so that control frames can go before it.
    pub(crate) fn fragment(&mut self, first: u8, key: Option<MaskingKey>, payload: &[u8]) {
        let mut bytes = Vec::with_capacity(FrameHeader::MAX_LEN + payload.len());
        encode(&mut bytes, first, key, payload);
        self.buffered += payload.len() as u64;
        self.push(Part {
            bytes: Bytes::Owned(bytes),
            gap: first & 15 == Opcode::Continuation as u8,
        });
    }

    /// A compressed frame; `len` is what it was before.
    #[cfg(feature = "deflate")]
    pub(crate) fn frame_compressed(
        &mut self,
        first: u8,
        key: Option<MaskingKey>,
        payload: &[u8],
        len: usize,
    ) {
        self.frame(first, key, payload);
        self.buffered -= payload.len() as u64;
        self.count_compressed(first, len);
    }

    /// The same, whose payload `deflate` appends, for which it first makes this room.
    #[cfg(feature = "deflate")]
    pub(crate) fn frame_to_compress(
        &mut self,
        first: u8,
        key: Option<MaskingKey>,
        len: usize,
        room: usize,
        deflate: impl FnOnce(&mut Vec<u8>),
    ) {
        // Room for the header that the length before asks for: most often the right one.
        let guess = match len {
            0..=125 => 2,
            126..=0xffff => 4,
            _ => 10,
        } + if key.is_some() { 4 } else { 0 };
        self.make_room(guess + room);
        let start = self.tail.len();
        self.tail.resize(start + guess, 0);
        deflate(&mut self.tail);
        let payload_len = self.tail.len() - start - guess;
        let mut header = [0; FrameHeader::MAX_LEN];
        let mask = if key.is_some() { 0x80 } else { 0 };
        let mut header_len = write_header(&mut header, first, mask, payload_len as u64);
        if let Some(key) = key {
            header[header_len..header_len + 4].copy_from_slice(&key);
            header_len += 4;
        }
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
        self.count_compressed(first, len);
    }

    /// One frame of a compressed message that is split; `len` is what leaves with it.
    #[cfg(feature = "deflate")]
    pub(crate) fn fragment_compressed(
        &mut self,
        first: u8,
        key: Option<MaskingKey>,
        payload: &[u8],
        len: usize,
    ) {
        self.fragment(first, key, payload);
        self.buffered -= payload.len() as u64;
        self.count_compressed(first, len);
    }

    /// A compressed frame that is shared; `len` is what it was before.
    #[cfg(feature = "deflate")]
    pub(crate) fn frame_shared_compressed(&mut self, frame: &Arc<[u8]>, len: usize) {
        self.frame_shared(frame, 0);
        self.count_compressed(frame.first().copied().unwrap_or_default(), len);
    }

    #[cfg(feature = "deflate")]
    fn count_compressed(&mut self, first: u8, len: usize) {
        self.buffered += len as u64;
        let parts = self.parts.get_or_insert_default();
        parts.compressed.counts.push_back(len as u64);
        parts.compressed.end_continues = first & 0x80 == 0;
    }

    /// A control frame: at the next place where a frame may begin.
    pub(crate) fn control(&mut self, opcode: Opcode, key: Option<MaskingKey>, payload: &[u8]) {
        let first = first_byte(true, 0, opcode);
        self.pongs = self.pongs.saturating_add(u8::from(opcode == Opcode::Pong));
        if opcode == Opcode::Close {
            self.close = Close::Queued;
        }
        if let Some(parts) = &mut self.parts
            && parts.frame_left > 0
        {
            parts.deferred_pongs +=
                u8::from(opcode == Opcode::Pong && parts.deferred_pongs < PONGS);
            return encode(&mut parts.deferred, first, key, payload);
        }
        // RFC 6455 §5.4: between the fragments of a message. A Close frame ends it all, so it goes last.
        if opcode != Opcode::Close
            && let Some(parts) = &mut self.parts
        {
            let begun = usize::from(self.at > 0);
            let gap = parts.queue.iter().skip(begun).position(|part| part.gap);
            if let Some(gap) = gap {
                let mut bytes = Vec::with_capacity(FrameHeader::MAX_LEN + payload.len());
                encode(&mut bytes, first, key, payload);
                parts.len += bytes.len();
                parts.queue.insert(
                    begun + gap,
                    Part {
                        bytes: Bytes::Owned(bytes),
                        gap: false,
                    },
                );
                return;
            }
        }
        self.make_room(FrameHeader::MAX_LEN + payload.len());
        encode(&mut self.tail, first, key, payload);
    }

    /// The last byte of our Close frame was taken (D-20).
    pub(crate) const fn close_has_left(&self) -> bool {
        matches!(self.close, Close::Left)
    }

    /// Whether one more pong may be queued.
    #[inline]
    pub(crate) const fn takes_pong(&self) -> bool {
        self.pongs < PONGS
    }

    /// The header of a frame whose payload follows in pieces. Until it is whole, control frames wait.
    pub(crate) fn begin_frame(&mut self, first: u8, key: Option<MaskingKey>, len: u64) {
        self.make_room(FrameHeader::MAX_LEN);
        encode_header(&mut self.tail, first, key, len);
        self.parts.get_or_insert_default().frame_left = len;
    }

    /// A piece of that payload.
    pub(crate) fn frame_piece(&mut self, key: Option<MaskingKey>, offset: u64, piece: &[u8]) {
        self.make_room(piece.len());
        extend_masked(
            &mut self.tail,
            key.map(|key| mask::rotate(key, offset)),
            piece,
        );
        self.buffered += piece.len() as u64;
        if let Some(parts) = &mut self.parts {
            parts.frame_left = parts.frame_left.saturating_sub(piece.len() as u64);
            if parts.frame_left == 0 {
                self.tail.append(&mut parts.deferred);
                parts.deferred_pongs = 0;
                self.drop_idle_parts();
            }
        }
    }

    /// Payload bytes that the frame being sent in pieces still lacks.
    #[inline]
    pub(crate) fn frame_left(&self) -> u64 {
        self.parts.as_ref().map_or(0, |parts| parts.frame_left)
    }

    /// Puts a part behind everything; the tail starts afresh.
    fn push(&mut self, part: Part) {
        self.push_tail();
        let parts = self.parts.get_or_insert_default();
        parts.len += part.bytes.as_slice().len();
        parts.queue.push_back(part);
    }

    fn push_tail(&mut self) {
        if self.tail.is_empty() {
            return;
        }
        let tail = core::mem::take(&mut self.tail);
        self.lent = false;
        let parts = self.parts.get_or_insert_default();
        parts.len += tail.len();
        parts.queue.push_back(Part {
            bytes: Bytes::Owned(tail),
            gap: false,
        });
    }

    #[inline]
    fn make_room(&mut self, additional: usize) {
        if self.tail.capacity() - self.tail.len() < additional {
            self.grow(additional);
        }
    }

    /// Moves what is left to the front instead of growing, where at least half has been taken. A long
    /// queue goes on in a further piece: it is not moved, and what was taken of it is given back. So
    /// what is held is what waits and two pieces at most, also while it grows.
    #[cold]
    fn grow(&mut self, additional: usize) {
        if self.at >= self.tail.len() / 2
            && self
                .parts
                .as_ref()
                .is_none_or(|parts| parts.queue.is_empty())
        {
            self.tail.drain(..self.at);
            self.at = 0;
        }
        // A buffer that was lent comes back, and serves again: it may become larger.
        let piece = if self.lent { 4 * PIECE } else { PIECE };
        if self.tail.len() + additional > piece && self.tail.len() >= KEPT {
            self.push_tail();
        }
        let needed = self.tail.len() + additional;
        make_room(&mut self.tail, needed, piece as u64);
    }

    #[inline]
    fn deferred_pongs(&self) -> u8 {
        self.parts.as_ref().map_or(0, |parts| parts.deferred_pongs)
    }

    fn deferred_len(&self) -> usize {
        self.parts.as_ref().map_or(0, |parts| parts.deferred.len())
    }

    // ── memory

    /// Drops everything: the transport is gone.
    pub(crate) fn clear(&mut self) {
        let (buffered, lent) = (self.buffered, self.lent);
        let close = if self.close_has_left() {
            Close::Left
        } else {
            Close::None
        };
        let tail = core::mem::take(&mut self.tail);
        // What was not sent stays counted: WHATWG, bufferedAmount "does not reset to zero once the connection closes".
        *self = Self {
            buffered,
            lent,
            tail,
            close,
            ..Self::default()
        };
        self.empty_tail();
    }

    /// Takes a buffer in, if it has none.
    pub(crate) fn lend(&mut self, mut buffer: Vec<u8>) -> Option<Vec<u8>> {
        if self.tail.capacity() > 0 {
            return Some(buffer);
        }
        buffer.clear();
        self.tail = buffer;
        self.lent = true;
        None
    }

    /// Whether the next frame would have to allocate its buffer.
    #[inline]
    pub(crate) fn lacks_buffer(&self) -> bool {
        self.tail.capacity() == 0
    }

    /// Gives the empty buffer away, and frees an empty queue.
    pub(crate) fn reclaim(&mut self) -> Option<Vec<u8>> {
        if self.parts.as_ref().is_some_and(|parts| parts.is_idle()) {
            self.parts = None;
        }
        if !self.tail.is_empty() || self.tail.capacity() == 0 {
            return None;
        }
        self.lent = false;
        Some(core::mem::take(&mut self.tail))
    }

    pub(crate) fn memory_held(&self) -> usize {
        let parts = self.parts.as_ref().map_or(0, |parts| {
            let payloads = parts.queue.iter().map(|part| part.bytes.held());
            parts.held() + payloads.sum::<usize>()
        });
        self.tail.capacity() + parts
    }
}

/// Where it is not worth to be inlined.
fn encode(out: &mut Vec<u8>, first: u8, key: Option<MaskingKey>, payload: &[u8]) {
    encode_header(out, first, key, payload.len() as u64);
    extend_masked(out, key, payload);
}

#[inline(always)]
fn encode_header(out: &mut Vec<u8>, first: u8, key: Option<MaskingKey>, payload_len: u64) {
    let mask = if key.is_some() { 0x80 } else { 0 };
    with_header(first, mask, payload_len, |header| {
        out.extend_from_slice(header);
    });
    if let Some(key) = key {
        out.extend_from_slice(&key);
    }
}

/// Appends the payload, masked on the way.
#[inline(always)]
pub(crate) fn extend_masked(out: &mut Vec<u8>, key: Option<MaskingKey>, payload: &[u8]) {
    let Some(key) = key else {
        return out.extend_from_slice(payload);
    };
    out.reserve(payload.len());
    match payload.len() {
        0..4 => out.extend(payload.iter().zip(key).map(|(byte, key)| byte ^ key)),
        4..8 => extend_words::<4>(out, key, payload),
        8..16 => extend_words::<8>(out, key, payload),
        16..64 => extend_words::<16>(out, key, payload),
        _ => extend_long(out, key, payload),
    }
}

/// Appends block by block: to clear the room for it and to mask into that takes less than a copy with the
/// masking in place behind it. A call, so that short payloads do not save what only this one needs.
#[inline(never)]
fn extend_long(out: &mut Vec<u8>, key: MaskingKey, payload: &[u8]) {
    for block in payload.chunks(4096) {
        let start = out.len();
        out.resize(start + block.len(), 0);
        mask::copy_masked(&mut out[start..], block, key);
    }
}

/// Appends at least `N` bytes in words of `N`, of which the last may overlap the one before.
#[inline(always)]
fn extend_words<const N: usize>(out: &mut Vec<u8>, key: MaskingKey, payload: &[u8]) {
    let (words, _) = payload.as_chunks::<N>();
    for word in words {
        out.extend_from_slice(&mask::masked(*word, key));
    }
    if let Some(word) = payload.last_chunk::<N>() {
        out.truncate(out.len() + payload.len() - (words.len() + 1) * N);
        let key = mask::rotate(key, payload.len() as u64); // `N` is a multiple of four
        out.extend_from_slice(&mask::masked(*word, key));
    }
}

#[cfg(test)]
mod tests {
    use super::{Opcode, Output};

    /// RFC 6455 §5.5.3: behind a frame in pieces the pongs that wait are bounded, and nothing else counts.
    #[test]
    fn of_what_is_deferred_only_pongs_count() {
        let mut output = Output::default();
        output.parts.get_or_insert_default().frame_left = 1;
        output.control(Opcode::Ping, None, b"");
        assert_eq!(output.deferred_pongs(), 0);
        output.control(Opcode::Pong, None, b"");
        output.control(Opcode::Close, None, b"");
        assert_eq!(output.deferred_pongs(), 1);
    }

    /// What waits behind a frame in pieces keeps nothing that has left.
    #[test]
    fn a_large_buffer_goes_though_something_is_deferred() {
        let mut output = Output::default();
        output.begin_frame(0x82, None, 100_000);
        output.frame_piece(None, 0, &[0; 50_000]);
        output.control(Opcode::Ping, None, b"");
        let ready = output.first().len();
        output.consume(ready);
        assert_eq!((output.len(), output.first().len()), (2, 0));
        assert!(output.memory_held() < 1000, "{}", output.memory_held());
    }

    #[cfg(feature = "deflate")]
    #[test]
    fn what_compressed_frames_need_is_held_and_kept() {
        let mut parts = super::Parts::default();
        let empty = parts.held();
        assert!(parts.is_idle());
        parts.compressed.front = true;
        assert!(!parts.is_idle());
        parts.compressed.front = false;
        parts.compressed.counts.push_back(1);
        assert!(!parts.is_idle());
        let counts = parts.compressed.counts.capacity() * size_of::<u64>();
        assert_eq!(parts.held(), empty + counts);
    }
}
