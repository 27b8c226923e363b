//! What of a message is known: stretches of bytes, and between them holes of exact length.

use alloc::vec::Vec;

/// A part of a message: bytes that are known, or how many are not.
///
/// ```
/// # use sansocket::observer::{SeenMessage, Stretch};
/// fn shown(message: &SeenMessage<'_>) -> String {
///     let stretches = message.stretches().map(|stretch| match stretch {
///         Stretch::Known(bytes) => String::from_utf8_lossy(bytes).into_owned(),
///         Stretch::Hole(len) => format!("[{len} bytes]"),
///     });
///     stretches.collect()
/// }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stretch<'a> {
    /// These bytes stood there.
    Known(&'a [u8]),
    /// So many bytes stood there, and it is not known which.
    Hole(u64),
}

/// The lengths of known bytes and of holes in turn, beginning with known bytes.
///
/// Each length takes no more bytes than it counts, so that this is never longer than the message, and
/// nothing while there is no hole.
#[derive(Default)]
pub(super) struct Holes {
    /// All lengths but the last: seven bits a byte, the lowest first, with the eighth where others follow.
    lengths: Vec<u8>,
    last: u64,
    in_hole: bool,
}

impl Holes {
    pub(super) fn any(&self) -> bool {
        self.in_hole || !self.lengths.is_empty()
    }

    pub(super) fn add_known(&mut self, len: u64) {
        self.add(len, false);
    }

    pub(super) fn add_hole(&mut self, len: u64) {
        self.add(len, true);
    }

    fn add(&mut self, len: u64, hole: bool) {
        if len == 0 {
            return;
        }
        if self.in_hole != hole {
            let mut rest = core::mem::take(&mut self.last);
            while rest > 0x7f {
                self.lengths.push(rest as u8 | 0x80); // as: the lowest bits
                rest >>= 7;
            }
            self.lengths.push(rest as u8);
            self.in_hole = hole;
        }
        self.last = self.last.saturating_add(len);
    }

    pub(super) fn memory_held(&self) -> usize {
        self.lengths.capacity()
    }

    /// The stretches of a message whose known bytes are `known`.
    pub(super) fn stretches<'a>(&'a self, known: &'a [u8]) -> Stretches<'a> {
        Stretches {
            known,
            lengths: self.lengths.iter(),
            last: Some(self.last),
            hole: false,
        }
    }
}

pub(super) struct Stretches<'a> {
    known: &'a [u8],
    lengths: core::slice::Iter<'a, u8>,
    last: Option<u64>,
    hole: bool,
}

impl Stretches<'_> {
    fn length(&mut self) -> Option<u64> {
        let (mut len, mut bits) = (0, 0);
        for byte in self.lengths.by_ref() {
            len |= u64::from(byte & 0x7f) << bits;
            bits += 7;
            if byte & 0x80 == 0 {
                return Some(len);
            }
        }
        self.last.take()
    }
}

impl<'a> Iterator for Stretches<'a> {
    type Item = Stretch<'a>;

    fn next(&mut self) -> Option<Stretch<'a>> {
        loop {
            let len = self.length()?;
            self.hole = !self.hole;
            if !self.hole {
                return Some(Stretch::Hole(len));
            }
            // Only where it begins with a hole, or is empty.
            if len > 0 {
                let len =
                    usize::try_from(len).map_or(self.known.len(), |len| len.min(self.known.len()));
                let (now, rest) = self.known.split_at(len);
                self.known = rest;
                return Some(Stretch::Known(now));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec;
    use alloc::vec::Vec;

    use proptest::prelude::*;

    use super::{Holes, Stretch};

    fn stretches<'a>(holes: &'a Holes, known: &'a [u8]) -> Vec<Stretch<'a>> {
        holes.stretches(known).collect()
    }

    #[test]
    fn in_turn() {
        assert_eq!(stretches(&Holes::default(), b""), []);
        let mut holes = Holes::default();
        holes.add_known(2);
        holes.add_known(1);
        assert!(!holes.any());
        assert_eq!(stretches(&holes, b"abc"), [Stretch::Known(b"abc")]);
        assert_eq!(holes.memory_held(), 0);
        holes.add_hole(1 << 40);
        holes.add_hole(5);
        holes.add_known(0);
        let expected = [Stretch::Known(b"abc"), Stretch::Hole((1 << 40) + 5)];
        assert_eq!(stretches(&holes, b"abc"), expected);
        let mut holes = Holes::default();
        holes.add_hole(3);
        assert!(holes.any());
        holes.add_known(1);
        assert_eq!(
            stretches(&holes, b"x"),
            [Stretch::Hole(3), Stretch::Known(b"x")]
        );
    }

    proptest! {
        /// Whatever is added comes out again, and takes no more memory than the bytes that it counts.
        #[test]
        fn what_is_added_comes_out(bits in prop::collection::vec((any::<bool>(), 1_usize..400), 0..40)) {
            let (mut holes, mut known, mut all) = (Holes::default(), Vec::new(), Vec::new());
            for (n, (hole, len)) in bits.into_iter().enumerate() {
                if hole {
                    holes.add_hole(len as u64);
                    all.extend(vec![None; len]);
                } else {
                    holes.add_known(len as u64);
                    known.extend(vec![n as u8; len]);
                    all.extend(vec![Some(n as u8); len]);
                }
            }
            let mut out = Vec::new();
            for stretch in holes.stretches(&known) {
                match stretch {
                    Stretch::Known(bytes) => out.extend(bytes.iter().map(|&byte| Some(byte))),
                    Stretch::Hole(len) => out.extend(vec![None; len as usize]),
                }
            }
            prop_assert!(holes.lengths.len() <= all.len() + 1);
            prop_assert_eq!(out, all);
        }
    }
}
