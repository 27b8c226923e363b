//! Room in the queue under a ceiling on memory: made before anything is queued, so that nothing is allocated
//! while it is. Each of these says whether there was room below `most` bytes of heap for the queue, and
//! changes nothing that is seen if there was not.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use crate::frame::{FrameHeader, MAX_CONTROL_PAYLOAD, Opcode};
use crate::payload::growth_within;

use super::{KEPT, Output, SEGMENT, Segment, Segments, UNCOPIED};

impl Output {
    /// Bytes of heap.
    pub(crate) fn memory_held(&self) -> usize {
        let segments = self.segments.as_ref();
        let segments = segments.map_or(0, |segments| segments.held() + segments.held);
        self.tail.capacity() + segments
    }

    /// For a frame with `len` bytes of payload that are copied.
    pub(crate) fn reserve_copied(&mut self, len: usize, most: usize) -> bool {
        let frame = len.saturating_add(FrameHeader::MAX_LEN + CONTROL);
        self.reserve(frame, frame.max(KEPT), most)
    }

    /// For a payload of `len` bytes that is handed over and takes `held` bytes of heap.
    pub(crate) fn reserve_handed_over(&mut self, len: usize, held: usize, most: usize) -> bool {
        if len < UNCOPIED {
            return self.reserve_copied(len, most);
        }
        let header = FrameHeader::MAX_LEN;
        // Making room in the tail takes segments as well.
        let slots = self.queue_needs(2 * SLOTS, segments_of);
        let most = most.saturating_sub(held);
        let beside = most.checked_sub(slots);
        beside.is_some_and(|beside| self.reserve(header, header, beside))
            && self.reserve_segments(SLOTS, most)
    }

    /// For a payload of `len` bytes that is copied into frames of `size` bytes.
    pub(crate) fn reserve_fragments(&mut self, len: usize, size: usize, most: usize) -> bool {
        let count = len.div_ceil(size);
        let bytes = len.saturating_add(count.saturating_mul(FrameHeader::MAX_LEN));
        let most = most.checked_sub(bytes);
        most.is_some_and(|most| self.reserve_segments(count.saturating_add(SLOTS), most))
    }

    /// For a frame whose payload becomes `len` bytes at most when it is encoded.
    pub(crate) fn reserve_encoded(&mut self, len: usize, most: usize) -> bool {
        let beside = most.checked_sub(self.queue_needs(1, counts_of));
        beside.is_some_and(|beside| self.reserve_copied(len, beside))
            && self.reserve_counts(1, most)
    }

    /// The same in frames of `size` bytes, into which it is copied once it is encoded.
    pub(crate) fn reserve_encoded_fragments(
        &mut self,
        len: usize,
        size: usize,
        most: usize,
    ) -> bool {
        let count = len.div_ceil(size).max(1);
        let most = most.saturating_sub(len);
        let beside = most.checked_sub(self.queue_needs(count, counts_of));
        beside.is_some_and(|beside| self.reserve_fragments(len, size, beside))
            && self.reserve_counts(count, most)
    }

    /// For a frame that comes in pieces, and the control frames that wait for its end.
    pub(crate) fn reserve_frame_in_pieces(&mut self, most: usize) -> bool {
        let beside = most.checked_sub(self.deferred_needs());
        beside.is_some_and(|beside| self.reserve_copied(0, beside)) && self.reserve_deferred(most)
    }

    /// For `len` bytes of that frame.
    pub(crate) fn reserve_piece(&mut self, len: usize, most: usize) -> bool {
        self.reserve_copied(len.saturating_add(self.deferred_len()), most)
    }

    /// For a control frame with `len` bytes of payload. A ping of the connection's own may have what
    /// is kept for it, and a Close frame what is kept for that; `aside`: or what is set aside.
    pub(crate) fn reserve_control(
        &mut self,
        opcode: Opcode,
        len: usize,
        most: usize,
        aside: bool,
    ) -> bool {
        let frame = FrameHeader::MAX_LEN + len;
        let beside = match opcode {
            Opcode::Close => 0,
            Opcode::Ping if aside => LONGEST,
            _ => CONTROL,
        };
        if let Some(segments) = &self.segments {
            if segments.frame_left > 0 {
                let spare = segments.deferred.capacity() - segments.deferred.len();
                return spare >= frame + beside;
            }
            if opcode != Opcode::Close && segments.next_gap(self.at).is_some() {
                let most = most.checked_sub(frame);
                return most.is_some_and(|most| self.reserve_segments(1, most));
            }
        }
        let needed = frame + beside;
        if self.reserve(needed, needed, most) {
            return true;
        }
        if aside && self.tail.is_empty() {
            self.tail = Vec::new();
            self.tail.reserve_exact(CONTROL);
            self.lent = false;
            return true;
        }
        opcode == Opcode::Close
    }

    /// For `len` bytes of a head.
    pub(crate) fn reserve_head(&mut self, len: usize, most: usize) -> bool {
        self.reserve(len, len, most)
    }

    /// Room for `needed` bytes in the tail; `wanted` if a new one is begun and there is room for it.
    fn reserve(&mut self, needed: usize, wanted: usize, most: usize) -> bool {
        if self.tail.capacity() - self.tail.len() >= needed {
            return true;
        }
        if self.tail.is_empty() {
            // What is there is freed first.
            let held = self.memory_held() - self.tail.capacity();
            return self.begin_tail(needed, wanted, most.saturating_sub(held));
        }
        if self.at >= self.tail.len() / 2 && self.queue().is_none_or(VecDeque::is_empty) {
            self.tail.drain(..self.at);
            self.at = 0;
            if self.tail.capacity() - self.tail.len() >= needed {
                return true;
            }
        }
        let left = most.saturating_sub(self.memory_held());
        if self.tail.len() < KEPT
            && let Some(total) = self.tail.len().checked_add(needed)
            && let Some(grown) = growth_within(self.tail.capacity(), total, SEGMENT as u64, left)
        {
            self.tail.reserve_exact(grown - self.tail.len());
            return true;
        }
        let beside = most.checked_sub(needed);
        if !beside.is_some_and(|beside| self.reserve_segments(SLOTS, beside)) {
            return false;
        }
        self.push_tail();
        let left = most.saturating_sub(self.memory_held());
        self.begin_tail(needed, wanted, left)
    }

    /// A new tail that takes at most `left` bytes.
    fn begin_tail(&mut self, needed: usize, wanted: usize, left: usize) -> bool {
        if needed > left {
            return false;
        }
        self.tail = Vec::new();
        self.tail.reserve_exact(wanted.clamp(needed, left));
        self.lent = false;
        true
    }

    fn reserve_segments(&mut self, more: usize, most: usize) -> bool {
        self.reserve_queue(more, most, segments_of)
    }

    fn reserve_counts(&mut self, more: usize, most: usize) -> bool {
        self.reserve_queue(more, most, counts_of)
    }

    /// Room in one of the queues for `more` of what it holds, and for as many again where that fits.
    fn reserve_queue<T>(&mut self, more: usize, most: usize, queue: QueueOf<T>) -> bool {
        if self.queue_needs(more, queue) == 0 {
            return true;
        }
        let left = most.saturating_sub(self.memory_held());
        let len = self
            .segments
            .as_deref_mut()
            .map_or(0, |all| queue(all).len());
        let fits = |more: &usize| self.queue_needs(*more, queue) <= left;
        let Some(more) = [more.max(len), more].into_iter().find(fits) else {
            return false;
        };
        queue(self.segments.get_or_insert_default()).reserve_exact(more);
        true
    }

    /// Bytes of heap that room for `more` in one of the queues takes, beside what it is moved out of.
    fn queue_needs<T>(&mut self, more: usize, queue: QueueOf<T>) -> usize {
        let (len, boxed) = match self.segments.as_deref_mut().map(queue) {
            Some(queue) if queue.capacity() - queue.len() >= more => return 0,
            Some(queue) => (queue.len(), 0),
            None => (0, size_of::<Segments>()),
        };
        let bytes = len.saturating_add(more).saturating_mul(size_of::<T>());
        bytes.saturating_add(boxed)
    }

    fn reserve_deferred(&mut self, most: usize) -> bool {
        let left = most.saturating_sub(self.memory_held());
        if left < self.deferred_needs() {
            return false;
        }
        let segments = self.segments.get_or_insert_default();
        segments.deferred.reserve_exact(DEFERRED);
        true
    }

    /// Bytes of heap that room for those control frames takes at most.
    const fn deferred_needs(&self) -> usize {
        match self.segments {
            Some(_) => DEFERRED,
            None => DEFERRED + size_of::<Segments>(),
        }
    }

    fn queue(&self) -> Option<&VecDeque<Segment>> {
        self.segments.as_ref().map(|segments| &segments.queue)
    }
}

impl Segments {
    /// Bytes of heap that it takes, without those of the queued bytes.
    pub(super) fn held(&self) -> usize {
        size_of::<Self>()
            + self.queue.capacity() * size_of::<Segment>()
            + self.deferred.capacity()
            + self.encoded.held()
    }
}

/// One of the queues.
type QueueOf<T> = fn(&mut Segments) -> &mut VecDeque<T>;

fn segments_of(segments: &mut Segments) -> &mut VecDeque<Segment> {
    &mut segments.queue
}

fn counts_of(segments: &mut Segments) -> &mut VecDeque<u64> {
    segments.encoded.counts()
}

/// The longest control frame.
const LONGEST: usize = FrameHeader::MAX_LEN + MAX_CONTROL_PAYLOAD;

/// The tail keeps room for a keepalive ping and a Close frame after each message.
const CONTROL: usize = 2 * LONGEST;

/// Segments that queueing one takes: the tail, the segment itself, and a control frame before it.
const SLOTS: usize = 3;

/// Control frames that may wait for the end of a frame in pieces.
pub(super) const DEFERRED: usize = 2 * CONTROL;
