//! What came before its turn.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use core::time::Duration;

/// What a piece costs beside its bytes.
const PIECE: usize = 96;

/// Pieces of one direction beyond its first hole. They never overlap: what came first stays.
#[derive(Default)]
pub(crate) struct Early {
    /// By the offset of the first byte.
    pieces: BTreeMap<u64, Piece>,
    cost: usize,
}

/// Bytes, then so many that were cut off, then maybe the end.
pub(crate) struct Piece {
    pub(crate) bytes: Box<[u8]>,
    pub(crate) cut: u64,
    pub(crate) fin: bool,
    pub(crate) packet: u64,
    pub(crate) time: Duration,
}

/// A piece that is not stored yet.
#[derive(Clone, Copy)]
pub(crate) struct Part<'a> {
    pub(crate) bytes: &'a [u8],
    pub(crate) cut: u64,
    pub(crate) fin: bool,
    pub(crate) packet: u64,
    pub(crate) time: Duration,
}

/// What of a part was there before.
#[derive(Default)]
pub(crate) struct Overlap {
    pub(crate) bytes: u64,
    pub(crate) differs: Option<u64>,
}

impl Piece {
    fn len(&self) -> u64 {
        self.bytes.len() as u64 + self.cut
    }

    fn cost(&self) -> usize {
        self.bytes.len() + PIECE
    }
}

impl<'a> Part<'a> {
    pub(crate) fn len(&self) -> u64 {
        self.bytes.len() as u64 + self.cut
    }

    /// Without its first `n` bytes.
    pub(crate) fn skip(mut self, n: u64) -> Self {
        let bytes = n.min(self.bytes.len() as u64);
        self.bytes = self.bytes.get(to_usize(bytes)..).unwrap_or_default();
        self.cut = self.cut.saturating_sub(n - bytes);
        self
    }

    /// Its first `n` bytes; the end stays with what is left.
    fn first(mut self, n: u64) -> Self {
        let bytes = n.min(self.bytes.len() as u64);
        self.bytes = self.bytes.get(..to_usize(bytes)).unwrap_or_default();
        self.cut = self.cut.min(n - bytes);
        self.fin = false;
        self
    }

    fn keep(self) -> Piece {
        Piece {
            bytes: self.bytes.into(),
            cut: self.cut,
            fin: self.fin,
            packet: self.packet,
            time: self.time,
        }
    }
}

impl Early {
    /// Bytes of memory.
    pub(crate) fn cost(&self) -> usize {
        self.cost
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.pieces.is_empty()
    }

    /// Where the first piece begins.
    pub(crate) fn start(&self) -> Option<u64> {
        self.pieces.keys().next().copied()
    }

    /// The first piece, if it begins at `offset`.
    pub(crate) fn take(&mut self, offset: u64) -> Option<Piece> {
        let first = self.pieces.first_entry()?;
        if *first.key() != offset {
            return None;
        }
        let piece = first.remove();
        self.cost -= piece.cost();
        Some(piece)
    }

    /// All that is left, in bytes that were sent.
    pub(crate) fn len(&self) -> u64 {
        self.pieces.values().map(Piece::len).sum()
    }

    /// Stores what of `part` is new. Takes time for its bytes, not for what was cut off.
    pub(crate) fn insert(&mut self, mut at: u64, mut part: Part<'_>) -> Overlap {
        let end = at + part.len();
        let mut overlap = Overlap::default();
        while !part.bytes.is_empty() {
            let n = part.bytes.len() as u64;
            let step = if let Some((start, known)) = self.around(at) {
                let same = (known.len() - (at - start)).min(n);
                let old = known.bytes.get(to_usize(at - start)..).unwrap_or_default();
                let new = part.first(same).bytes;
                let differs = old.iter().zip(new).position(|(a, b)| a != b);
                overlap.differs = overlap.differs.or(differs.map(|n| at + n as u64));
                overlap.bytes += same;
                same
            } else {
                let free = self.free(at);
                if free == 0 {
                    return overlap; // beyond the end of the direction
                }
                if n <= free {
                    break;
                }
                self.store(at, part.first(free));
                free
            };
            at += step;
            part = part.skip(step);
        }
        let room = if self.around(at).is_some() {
            0
        } else {
            self.free(at)
        };
        let rest = part.first(room);
        let whole = rest.len() != 0 && at + rest.len() == end;
        if rest.len() != 0 {
            self.store(
                at,
                Part {
                    fin: part.fin && whole,
                    ..rest
                },
            );
        }
        if part.fin && !whole {
            self.end(end, part.skip(part.len()));
        }
        overlap
    }

    /// Notes that the direction ends at `end`, unless that is known, or wrong.
    fn end(&mut self, end: u64, fin: Part<'_>) {
        let last = self
            .pieces
            .range(..end)
            .next_back()
            .map(|(start, last)| (start + last.len(), last.fin));
        if last.is_none_or(|(last, fin)| last < end || last == end && !fin) && self.free(end) != 0 {
            self.store(end, fin);
        }
    }

    /// The piece that has the byte at this offset.
    fn around(&self, at: u64) -> Option<(u64, &Piece)> {
        let (&start, piece) = self.pieces.range(..=at).next_back()?;
        (at - start < piece.len()).then_some((start, piece))
    }

    /// How far it is from there to the next piece.
    fn free(&self, at: u64) -> u64 {
        self.pieces
            .range(at..)
            .next()
            .map_or(u64::MAX, |(&start, _)| start - at)
    }

    fn store(&mut self, at: u64, part: Part<'_>) {
        let piece = part.keep();
        self.cost += piece.cost();
        self.pieces.insert(at, piece);
    }
}

fn to_usize(n: u64) -> usize {
    usize::try_from(n).unwrap_or(usize::MAX)
}
