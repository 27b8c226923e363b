//! What leaves the queue.

use alloc::vec::Vec;

use super::{KEPT, Output};

impl Output {
    /// Forgets the first `n` bytes.
    #[inline]
    pub(crate) fn consume(&mut self, n: usize) {
        let (at, end) = (self.at, self.tail.len());
        if self.segments.is_none() && at < end && n >= end - at {
            self.drained();
        } else {
            self.consume_part(n);
        }
    }

    /// All that may leave has left.
    #[inline]
    fn drained(&mut self) {
        self.empty_tail();
        self.count_all();
    }

    fn consume_part(&mut self, n: usize) {
        let ready = self.len() - self.deferred_len();
        if ready == 0 {
            return;
        }
        if n >= ready {
            if let Some(segments) = &mut self.segments {
                segments.queue.clear();
                (segments.len, segments.held) = (0, 0);
                segments.encoded.drained();
            }
            self.drop_idle_segments();
            return self.drained();
        }
        self.count(n);
        self.at += n;
        while let Some(segments) = &mut self.segments {
            let Some(front) = segments.queue.front() else {
                break;
            };
            let len = front.bytes.len();
            if self.at < len {
                break;
            }
            self.at -= len;
            segments.len -= len;
            segments.held -= front.bytes.held();
            segments.queue.pop_front();
        }
        self.drop_idle_segments();
    }

    #[inline]
    pub(super) fn empty_tail(&mut self) {
        self.at = 0;
        if self.tail.capacity() > KEPT && !self.lent {
            self.tail = Vec::new();
        } else {
            self.tail.clear();
        }
    }

    /// A small box is kept for the next segment.
    pub(super) fn drop_idle_segments(&mut self) {
        if let Some(segments) = &self.segments
            && segments.is_idle()
            && segments.held() > KEPT
        {
            self.segments = None;
        }
    }
}
