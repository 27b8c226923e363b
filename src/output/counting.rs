//! How much payload of the queue has not left yet (WHATWG `bufferedAmount`), which pongs are in it,
//! and whether our Close frame has left.
//!
//! Queueing a frame only adds its payload's length. What leaves is walked frame by frame, as it
//! stands in the queue.

use alloc::collections::VecDeque;

use crate::frame::{FrameHeader, Opcode, is_final};

use super::Output;

impl Output {
    /// Counts what the first `n` bytes are, which leave.
    pub(super) fn count(&mut self, mut n: usize) {
        if self.skip == u32::MAX {
            return;
        }
        let (queue, mut encoded) = match self.segments.as_deref_mut() {
            Some(segments) => (Some(&segments.queue), Some(&mut segments.encoded)),
            None => (None, None),
        };
        let segments = queue.into_iter().flatten();
        let bytes = segments.map(|segment| &*segment.bytes);
        let mut walk = Walk::new(bytes.chain([&self.tail[..]]), self.at);
        while n > 0 {
            if self.skip == 0 && self.counted == 0 {
                // A frame begins here; a header is never cut over two segments.
                let Ok(Some((header, len))) = FrameHeader::decode(walk.front()) else {
                    // Every frame here was encoded by this queue.
                    debug_assert!(false, "the queue does not hold frames");
                    return;
                };
                self.skip = len as u32; // at most 14
                if header.opcode.is_control() {
                    self.skip += header.payload_len as u32; // at most 125
                    self.pongs -= u8::from(header.opcode == Opcode::Pong && self.pongs > 0);
                    if header.opcode == Opcode::Close {
                        self.close = CloseProgress::AtFront;
                    }
                } else {
                    self.counted = header.payload_len;
                    if let Some(encoded) = &mut encoded {
                        encoded.begins(&header, self.codec_bit);
                    }
                }
            }
            // `as`: both are at most `n`, which is in memory.
            let skipped = (n as u64).min(self.skip.into());
            let counted = (n as u64 - skipped).min(self.counted);
            self.skip -= skipped as u32;
            if self.skip == 0 && self.close == CloseProgress::AtFront {
                self.close = CloseProgress::Left;
            }
            self.counted -= counted;
            let ends = self.skip == 0 && self.counted == 0;
            self.buffered -= match &mut encoded {
                Some(encoded) if encoded.front => encoded.left(ends),
                _ => counted,
            };
            n -= (skipped + counted) as usize;
            walk.advance((skipped + counted) as usize);
        }
    }

    /// Counts that all has left that may leave.
    #[inline]
    pub(super) fn count_all(&mut self) {
        self.skip = 0;
        self.counted = self.frame_left();
        self.buffered = 0;
        self.pongs = self.deferred_pongs();
        if self.close != CloseProgress::None && self.deferred_len() == 0 {
            self.close = CloseProgress::Left;
        }
    }
}

/// Where our Close frame is. Pongs may follow it, so an empty queue does not tell whether it has left.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum CloseProgress {
    #[default]
    None,
    Queued,
    /// A part of it has left.
    AtFront,
    Left,
}

/// The frames in the queue that an extension encoded: what was handed in of them is not what goes out.
#[derive(Default)]
pub(super) struct EncodedFrames {
    /// What each of them counts, once it has left.
    pub(super) counts: VecDeque<u64>,
    /// The frame at the front is one of them.
    pub(super) front: bool,
    /// The message at the front goes on with another one.
    pub(super) front_continues: bool,
    /// The message at the end goes on with another one.
    pub(super) end_continues: bool,
}

impl EncodedFrames {
    /// A frame was queued that counts as `len` bytes.
    pub(super) fn queued(&mut self, first: u8, len: usize) {
        self.counts.push_back(len as u64);
        self.end_continues = !is_final(first);
    }

    /// A data frame comes to the front.
    fn begins(&mut self, header: &FrameHeader, codec_bit: u8) {
        let continued = header.opcode == Opcode::Continuation && self.front_continues;
        self.front = !self.counts.is_empty() && (header.rsv & codec_bit != 0 || continued);
        self.front_continues = self.front && !header.fin;
    }

    /// Bytes of the frame at the front have left: what that counts.
    fn left(&mut self, ends: bool) -> u64 {
        if !ends {
            return 0;
        }
        self.front = false;
        self.counts.pop_front().unwrap_or(0)
    }

    /// The last byte of all has left.
    pub(super) fn drained(&mut self) {
        self.counts.clear();
        self.front = false;
        self.front_continues = self.end_continues;
    }

    pub(super) fn is_idle(&self) -> bool {
        self.counts.is_empty() && !self.front && !self.end_continues
    }

    /// What the frames count, for room to be made in it.
    pub(super) const fn counts(&mut self) -> &mut VecDeque<u64> {
        &mut self.counts
    }

    /// Bytes of heap.
    pub(super) fn held(&self) -> usize {
        self.counts.capacity() * size_of::<u64>()
    }
}

/// Goes over the bytes of the queue.
struct Walk<'q, I> {
    bytes: &'q [u8],
    rest: I,
}

impl<'q, I: Iterator<Item = &'q [u8]>> Walk<'q, I> {
    fn new(rest: I, at: usize) -> Self {
        let mut walk = Self { bytes: &[], rest };
        walk.advance(at);
        walk
    }

    /// What is left of the segment here.
    const fn front(&self) -> &'q [u8] {
        self.bytes
    }

    /// Goes on by `n` bytes, to a segment that has more.
    fn advance(&mut self, mut n: usize) {
        while n >= self.bytes.len() {
            n -= self.bytes.len();
            let Some(next) = self.rest.next() else {
                self.bytes = &[];
                return;
            };
            self.bytes = next;
        }
        self.bytes = &self.bytes[n..];
    }
}

#[cfg(test)]
mod tests {
    use super::EncodedFrames;

    #[test]
    fn what_encoded_frames_need_is_held_and_kept() {
        let mut encoded = EncodedFrames::default();
        assert!(encoded.is_idle());
        assert_eq!(encoded.held(), 0);
        encoded.front = true;
        assert!(!encoded.is_idle());
        encoded.front = false;
        encoded.counts.push_back(1);
        assert!(!encoded.is_idle());
        assert_eq!(encoded.held(), encoded.counts.capacity() * size_of::<u64>());
    }
}
