//! The last 32 KiB that came out of the inflater (RFC 7692 §7.2.2), and room behind them for what comes
//! out next, which then is where it has to be.

use alloc::vec::Vec;
use core::ops::Range;

/// As far back as DEFLATE can refer (RFC 1951 §3.2.5).
const HISTORY: usize = 32 << 10;

/// The least room that there is.
const LEAST: usize = 8 << 10;

/// With this much there is always the least room, behind the history or between its parts.
const LEN: usize = HISTORY + 2 * LEAST;

/// Owns nothing until there is to be room. Begins at the front again when it has come to its end.
#[derive(Default)]
pub(super) struct Window {
    buf: Vec<u8>,
    /// Where the next byte goes. What came last stands in front of it,
    at: usize,
    /// and what came before that, in front of this, if it began again.
    end: usize,
}

impl Window {
    /// The most room that there is.
    pub(super) const ROOM: usize = 2 * LEAST;

    /// Forgets the history; keeps the memory.
    pub(super) fn clear(&mut self) {
        (self.at, self.end) = (0, 0);
    }

    pub(super) fn memory_held(&self) -> usize {
        self.buf.capacity()
    }

    /// Room for what comes out next, 8 to 16 KiB.
    pub(super) fn room(&mut self) -> &mut [u8] {
        if self.at + LEAST > LEN {
            (self.end, self.at) = (self.at, 0);
        }
        // Who never takes more than that holds no more.
        let len = if self.at + LEAST > Self::ROOM {
            LEN
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
        let mut rest = &bytes[bytes.len().saturating_sub(HISTORY)..];
        while !rest.is_empty() {
            let room = self.room();
            let len = rest.len().min(room.len());
            room[..len].copy_from_slice(&rest[..len]);
            self.filled(len);
            rest = &rest[len..];
        }
    }

    /// The history, oldest byte first, in two parts.
    pub(super) fn history(&self) -> [&[u8]; 2] {
        let newer = self.at.saturating_sub(HISTORY)..self.at;
        [&self.buf[self.older()], &self.buf[newer]]
    }

    /// Where the part of the history is that stands behind the room.
    fn older(&self) -> Range<usize> {
        let len = match self.end {
            0 => 0,
            _ => HISTORY.saturating_sub(self.at),
        };
        self.end - len..self.end
    }
}

#[cfg(test)]
mod tests {
    use super::{HISTORY, LEAST, LEN, Window};
    use alloc::vec::Vec;

    /// Against the plain way: keep everything and look at the end.
    #[test]
    fn the_history_is_the_last_32_kib() {
        let mut window = Window::default();
        window.push(&[]);
        assert_eq!(window.memory_held(), 0);
        let mut all: Vec<u8> = Vec::new();
        let mut seed = 1u32;
        for round in 0..4000 {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let len = match round % 5 {
                4 => HISTORY - all.len() % HISTORY,
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
            let from = all.len().saturating_sub(HISTORY);
            assert!(history == all[from..], "{round}");
        }
        assert_eq!(window.memory_held(), LEN);
        window.clear();
        assert_eq!(window.history(), [&[][..], &[]]);
    }

    /// Without a context each message is one from the front, and few are long.
    #[test]
    fn memory_for_what_is_written() {
        let mut window = Window::default();
        assert_eq!(window.room().len(), Window::ROOM);
        window.filled(LEAST);
        assert_eq!(window.room().len(), LEAST);
        assert_eq!(window.memory_held(), Window::ROOM);
        window.filled(1);
        assert_eq!(window.room().len(), Window::ROOM);
        assert_eq!(window.memory_held(), LEN);
    }
}
