//! The window of the inflater: what came out last, as far back as the peer may refer (RFC 7692 §7.1.2,
//! §7.2.2), and after it room for what comes out next, so that nothing is moved.

use alloc::vec::Vec;
use core::ops::Range;

/// There is room for so many bytes at least.
const LEAST: usize = 8 << 10;

/// Long stretches are copied in parts of this length: a processor's own instruction for them took four
/// times as long here.
const PART: usize = 2 << 10;

/// A ring: it begins at the front again after its end. It holds no memory until room is asked for.
#[derive(Default)]
pub(super) struct Window {
    buf: Vec<u8>,
    /// Bytes of history: what the peer's window holds at most.
    size: usize,
    /// Write position: `buf[..at]` is the newest history.
    at: usize,
    /// After it began again: `buf[..end]` had the older history, of which the end is left.
    end: usize,
}

impl Window {
    /// The most room that there is.
    pub(super) const ROOM: usize = 2 * LEAST;

    /// Forgets the history; keeps the memory. What comes next is for a window of 2^`bits` bytes.
    pub(super) fn restart(&mut self, bits: u8) {
        (self.at, self.end) = (0, 0);
        self.size = 1 << bits;
    }

    /// The most that one of `size` bytes takes, also while it grows from its first room.
    pub(super) const fn most(size: usize) -> usize {
        size + 2 * LEAST + Self::ROOM
    }

    pub(super) fn memory_held(&self) -> usize {
        self.buf.capacity()
    }

    /// Room for what comes out next, 8 to 16 KiB.
    pub(super) fn room(&mut self) -> &mut [u8] {
        // With so much there is always the least room, after the history or between its parts.
        let most = self.size + 2 * LEAST;
        if self.at + LEAST > most {
            (self.end, self.at) = (self.at, 0);
        }
        // A peer whose messages all fit into the first room takes no more memory than that.
        let len = if self.at + LEAST > Self::ROOM {
            most
        } else {
            Self::ROOM
        };
        if self.buf.len() < len {
            self.buf.reserve_exact(len - self.buf.len());
            self.buf.resize(len, 0);
        }
        let older = self.older();
        let until = if older.is_empty() {
            self.buf.len()
        } else {
            older.start
        };
        &mut self.buf[self.at..until.min(self.at + Self::ROOM)]
    }

    /// So much of the room was filled: it is history now.
    pub(super) fn filled(&mut self, len: usize) {
        self.at += len;
    }

    /// What was filled last.
    pub(super) fn last(&self, len: usize) -> &[u8] {
        &self.buf[self.at - len..self.at]
    }

    /// Takes note of what came out elsewhere.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        let last = &bytes[bytes.len().saturating_sub(self.size)..];
        for part in last.chunks(PART) {
            self.room()[..part.len()].copy_from_slice(part);
            self.filled(part.len());
        }
    }

    /// The history, oldest byte first, in two parts.
    pub(super) fn history(&self) -> [&[u8]; 2] {
        let newer = self.at.saturating_sub(self.size)..self.at;
        [&self.buf[self.older()], &self.buf[newer]]
    }

    /// Where the older part of the history is, after the room.
    fn older(&self) -> Range<usize> {
        let len = match self.end {
            0 => 0,
            _ => self.size.saturating_sub(self.at),
        };
        self.end - len..self.end
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::{LEAST, Window};

    /// Against the plain way: keep everything and look at the end.
    #[test]
    fn the_history_is_as_long_as_the_window() {
        let mut window = Window::default();
        // The memory is that of the largest one at last.
        for bits in [9, 12, 15, 10] {
            window.restart(bits);
            goes_on(&mut window, 1 << bits);
        }
        assert_eq!(window.memory_held(), (32 << 10) + Window::ROOM);
    }

    fn goes_on(window: &mut Window, size: usize) {
        let held = window.memory_held();
        window.push(&[]);
        assert_eq!(window.memory_held(), held);
        let mut all: Vec<u8> = Vec::new();
        let mut seed = 1u32;
        for round in 0..2000 {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let len = match round % 5 {
                4 => size - all.len() % size,
                kind => (seed >> 8) as usize % [3, 700, 20_000, 50_000][kind],
            };
            let bytes: Vec<u8> = (0..len).map(|i| (i as u32 ^ seed) as u8).collect();
            if round % 3 == 0 {
                window.push(&bytes);
                all.extend(&bytes);
            } else {
                let room = window.room();
                assert!((LEAST..=Window::ROOM).contains(&room.len()), "{round}");
                let bytes = &bytes[..len.min(room.len())];
                // All of the room is there to be written to.
                room.fill(0xaa);
                room[..bytes.len()].copy_from_slice(bytes);
                window.filled(bytes.len());
                assert_eq!(window.last(bytes.len()), bytes);
                all.extend(bytes);
            }
            let [old, new] = window.history();
            let history: Vec<u8> = [old, new].concat();
            let from = all.len().saturating_sub(size);
            assert!(history == all[from..], "{size} {round}");
        }
        assert_eq!(window.memory_held(), held.max(size + Window::ROOM));
        window.restart(9);
        assert_eq!(window.history(), [&[] as &[u8], &[]]);
    }

    /// Without a context each message is one from the front, and few are long.
    #[test]
    fn memory_for_what_is_written() {
        let mut window = Window::default();
        window.restart(12);
        assert_eq!(window.room().len(), Window::ROOM);
        window.filled(LEAST);
        assert_eq!(window.room().len(), LEAST);
        assert_eq!(window.memory_held(), Window::ROOM);
        window.filled(1);
        assert_eq!(window.room().len(), (12 << 10) - 1);
        assert_eq!(window.memory_held(), (4 << 10) + Window::ROOM);
    }
}
