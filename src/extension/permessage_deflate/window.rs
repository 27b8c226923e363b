//! The last 32 KiB that came out of the inflater (RFC 7692 §7.2.2), in a ring that it can write to.

use alloc::vec::Vec;
use core::ops::Range;

/// As far back as DEFLATE can refer (RFC 1951 §3.2.5).
const HISTORY: usize = 32 << 10;
/// Room for one piece of output. It is apart from the history because an inflater may scribble on
/// all of the buffer that it is given.
pub(super) const PIECE: usize = 16 << 10;
const RING: usize = HISTORY + PIECE;

/// Owns nothing until something is written to it.
#[derive(Default)]
pub(super) struct Window {
    ring: Vec<u8>,
    /// Where the next byte goes.
    at: usize,
    /// How many bytes before `at` are history: at most [`HISTORY`].
    len: usize,
}

impl Window {
    /// An empty window over the buffer of an earlier one.
    pub(super) fn over(ring: Vec<u8>) -> Self {
        Self {
            ring,
            at: 0,
            len: 0,
        }
    }

    pub(super) fn into_ring(self) -> Vec<u8> {
        self.ring
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len == 0
    }

    pub(super) fn memory_held(&self) -> usize {
        self.ring.capacity()
    }

    /// Where to write next: never empty, at most one piece and at most `max` bytes (but one).
    pub(super) fn space(&mut self, max: u64) -> &mut [u8] {
        self.prepare();
        let room = (RING - self.at).min(PIECE);
        let room = usize::try_from(max).map_or(room, |max| max.clamp(1, room));
        &mut self.ring[self.at..self.at + room]
    }

    /// `n` bytes were written to [`space`](Self::space): they are history now, and stand here.
    pub(super) fn advance(&mut self, n: usize) -> Range<usize> {
        let from = self.at;
        self.at += n;
        self.len = (self.len + n).min(HISTORY);
        from..self.at
    }

    pub(super) fn get(&self, range: Range<usize>) -> &[u8] {
        &self.ring[range]
    }

    /// Takes note of bytes that were written elsewhere.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        let mut rest = &bytes[bytes.len().saturating_sub(HISTORY)..];
        while !rest.is_empty() {
            let space = self.space(rest.len() as u64);
            let (now, later) = rest.split_at(space.len());
            space.copy_from_slice(now);
            self.advance(now.len());
            rest = later;
        }
    }

    /// The history, oldest byte first, in two parts.
    pub(super) fn history(&self) -> [&[u8]; 2] {
        match self.at.checked_sub(self.len) {
            Some(from) => [&self.ring[from..self.at], &[]],
            None => {
                let wrapped = self.len - self.at;
                [&self.ring[RING - wrapped..], &self.ring[..self.at]]
            }
        }
    }

    fn prepare(&mut self) {
        if self.ring.is_empty() {
            self.ring = alloc::vec![0; RING];
        }
        if self.at == RING {
            self.at = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{HISTORY, PIECE, RING, Window};
    use alloc::vec::Vec;

    /// Against the plain way: keep everything and look at the end.
    #[test]
    fn the_history_is_the_last_32_kib() {
        let mut window = Window::default();
        assert_eq!(window.memory_held(), 0);
        let mut all: Vec<u8> = Vec::new();
        let mut seed = 1u32;
        for round in 0..400 {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let len = (seed >> 8) as usize % [3, 700, 20_000, 50_000][round % 4];
            if round % 2 == 0 {
                let bytes: Vec<u8> = (0..len).map(|i| (i as u32 ^ seed) as u8).collect();
                window.push(&bytes);
                all.extend(bytes);
            } else {
                let space = window.space(u64::MAX);
                assert!(!space.is_empty() && space.len() <= PIECE);
                // All of the space may be scribbled on, whatever part of it is used.
                space.fill(seed as u8);
                let n = len.min(space.len());
                let range = window.advance(n);
                assert!(window.get(range).iter().all(|&byte| byte == seed as u8));
                all.resize(all.len() + n, seed as u8);
            }
            let [old, new] = window.history();
            let history: Vec<u8> = [old, new].concat();
            assert!(
                history == all[all.len().saturating_sub(HISTORY)..],
                "{round}"
            );
        }
        assert_eq!(window.memory_held(), RING);
        assert!(Window::over(window.into_ring()).is_empty());
    }

    #[test]
    fn the_space_is_never_more_than_asked_for() {
        let mut window = Window::default();
        assert_eq!(window.space(5).len(), 5);
        assert_eq!(window.space(0).len(), 1);
        window.advance(RING - 3);
        assert_eq!(window.space(5).len(), 3);
        window.advance(3);
        assert_eq!(window.space(u64::MAX).len(), PIECE);
    }
}
