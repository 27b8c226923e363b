//! The last 32 KiB that came out of the inflater (RFC 7692 §7.2.2), in a ring.

use alloc::vec::Vec;

/// As far back as DEFLATE can refer (RFC 1951 §3.2.5).
const HISTORY: usize = 32 << 10;

/// Owns nothing until something is put into it.
#[derive(Default)]
pub(super) struct Window {
    ring: Vec<u8>,
    /// Where the next byte goes.
    at: usize,
    /// How many bytes before `at` are history.
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

    /// Takes note of what came out.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        if self.ring.is_empty() {
            self.ring = alloc::vec![0; HISTORY];
        }
        let bytes = &bytes[bytes.len().saturating_sub(HISTORY)..];
        let (now, wrapped) = bytes.split_at(bytes.len().min(HISTORY - self.at));
        self.ring[self.at..][..now.len()].copy_from_slice(now);
        self.ring[..wrapped.len()].copy_from_slice(wrapped);
        self.at = (self.at + bytes.len()) % HISTORY;
        self.len = (self.len + bytes.len()).min(HISTORY);
    }

    /// The history, oldest byte first, in two parts.
    pub(super) fn history(&self) -> [&[u8]; 2] {
        match self.at.checked_sub(self.len) {
            Some(from) => [&self.ring[from..self.at], &[]],
            None => {
                let wrapped = self.len - self.at;
                [&self.ring[HISTORY - wrapped..], &self.ring[..self.at]]
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{HISTORY, Window};
    use alloc::vec::Vec;

    /// Against the plain way: keep everything and look at the end.
    #[test]
    fn the_history_is_the_last_32_kib() {
        let mut window = Window::default();
        window.push(&[]);
        assert_eq!(window.memory_held(), 0);
        let mut all: Vec<u8> = Vec::new();
        let mut seed = 1u32;
        for round in 0..400 {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let len = match round % 5 {
                4 => HISTORY - all.len() % HISTORY,
                kind => (seed >> 8) as usize % [3, 700, 20_000, 50_000][kind],
            };
            let bytes: Vec<u8> = (0..len).map(|i| (i as u32 ^ seed) as u8).collect();
            window.push(&bytes);
            all.extend(bytes);
            let [old, new] = window.history();
            let history: Vec<u8> = [old, new].concat();
            assert!(
                history == all[all.len().saturating_sub(HISTORY)..],
                "{round}"
            );
        }
        assert_eq!(window.memory_held(), HISTORY);
        assert!(Window::over(window.into_ring()).is_empty());
    }
}
