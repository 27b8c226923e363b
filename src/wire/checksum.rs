//! A checksum, by which what was changed or cut is known.

/// A running checksum: what differs once, differs from there on. Not for secrets.
#[derive(Clone, Copy)]
pub(crate) struct Checksum {
    state: u64,
    /// Bytes that are no whole word yet, the first one lowest.
    word: u64,
    /// How many they are.
    filled: u32,
}

impl Checksum {
    /// Of nothing.
    pub(crate) const NEW: Self = Self {
        state: START,
        word: 0,
        filled: 0,
    };

    /// Each step can be undone, so that states that differ stay different.
    #[inline]
    fn word(&mut self, word: u64) {
        self.state = (self.state.rotate_left(23) ^ word).wrapping_mul(FACTOR);
    }

    #[inline]
    pub(crate) fn number(&mut self, number: u64) {
        self.settle();
        self.word(number);
    }

    /// Bytes, which may come in pieces.
    pub(crate) fn bytes(&mut self, bytes: &[u8]) {
        let mut rest = bytes;
        while self.filled > 0 {
            let Some((&byte, after)) = rest.split_first() else {
                return;
            };
            rest = after;
            self.fill(byte);
        }
        let mut words = rest.chunks_exact(8);
        for word in &mut words {
            self.word(word.try_into().map_or(0, u64::from_le_bytes));
        }
        for &byte in words.remainder() {
            self.fill(byte);
        }
    }

    fn fill(&mut self, byte: u8) {
        self.word |= u64::from(byte) << (8 * self.filled);
        self.filled += 1;
        if self.filled == 8 {
            self.word(self.word);
            (self.word, self.filled) = (0, 0);
        }
    }

    /// Ends what came in pieces.
    fn settle(&mut self) {
        if self.filled > 0 {
            self.word(self.word);
            self.word(self.filled.into());
            (self.word, self.filled) = (0, 0);
        }
    }

    /// The checksum so far.
    pub(crate) fn whole(&mut self) -> u64 {
        self.settle();
        self.state
    }
}

/// The checksum that bytes end with which are kept.
pub(crate) fn seal(bytes: &[u8]) -> u64 {
    let mut sum = Checksum::NEW;
    sum.bytes(bytes);
    sum.whole()
}

const START: u64 = 0x243f_6a88_85a3_08d3;
/// Odd, so that multiplying by it can be undone.
const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;

#[cfg(test)]
mod tests {
    use super::{Checksum, seal};

    /// How bytes are cut says nothing, what they are and where everything.
    #[test]
    fn pieces_and_differences() {
        let bytes: [u8; 40] = core::array::from_fn(|i| i as u8);
        let whole = seal(&bytes);
        for cut in 0..=bytes.len() {
            let mut sum = Checksum::NEW;
            sum.bytes(&bytes[..cut]);
            sum.bytes(&bytes[cut..]);
            assert_eq!(sum.whole(), whole);
            assert!(cut == bytes.len() || seal(&bytes[..cut]) != whole);
        }
        for at in 0..bytes.len() * 8 {
            let mut other = bytes;
            other[at / 8] ^= 1 << (at % 8);
            assert_ne!(seal(&other), whole);
        }
    }
}
