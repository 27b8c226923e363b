//! A slow and plain reader of DEFLATE (RFC 1951), for tests: an oracle beside zlib-rs, and the only way to see
//! how far back a compressor refers.

use alloc::vec;
use alloc::vec::Vec;

/// What comes out of a payload.
pub(super) struct Read {
    /// With the bytes that it was given to begin with.
    pub(super) out: Vec<u8>,
    /// Of those before it nothing is known: after a final block a reader keeps the window alone.
    pub(super) known_from: usize,
    pub(super) farthest: usize,
    pub(super) blocks: usize,
    /// Where the last final block ended.
    ends_final: Option<usize>,
}

/// Where it stops.
#[derive(PartialEq, Eq)]
pub(super) enum Stop {
    /// There are no more bytes; what is there may be the beginning of something.
    Edge,
    /// With the next bits it is not DEFLATE.
    Corrupt,
}

/// The largest window (RFC 1951 §3.2.5).
pub(super) const WINDOW: usize = 32 << 10;

/// With a window of so many bytes. `None`: not DEFLATE, or it neither ends with a final block nor, with its
/// tail put back, with an empty stored block at the last byte.
pub(super) fn inflate(history: &[u8], window: usize, payload: &[u8]) -> Option<Read> {
    let (finished, stop) = so_far(history, window, payload);
    if stop == Stop::Edge && finished.ends_final == Some(payload.len()) {
        return Some(finished);
    }
    let mut input = payload.to_vec();
    input.extend([0, 0, 0xff, 0xff]);
    let (read, stop, stored) = read(history, window, &input);
    // The block has to begin in the payload, not in the tail.
    let ends = stored.is_some_and(|from| from < payload.len() * 8);
    (stop == Stop::Edge && ends).then_some(read)
}

/// A payload, or the beginning of one, without its tail: all that can be said of it.
pub(super) fn so_far(history: &[u8], window: usize, payload: &[u8]) -> (Read, Stop) {
    let (read, stop, _) = read(history, window, payload);
    (read, stop)
}

/// Also at which bit the last block begins, if it is stored and empty and nothing follows it.
fn read(history: &[u8], window: usize, input: &[u8]) -> (Read, Stop, Option<usize>) {
    let mut read = Read {
        out: history.to_vec(),
        known_from: 0,
        farthest: 0,
        blocks: 0,
        ends_final: None,
    };
    let mut bits = Bits { input, at: 0 };
    let mut stored = None;
    loop {
        let from = bits.at;
        if from == input.len() * 8 {
            return (read, Stop::Edge, stored);
        }
        stored = match read.block(&mut bits, window) {
            Ok(empty) => empty.then_some(from),
            Err(stop) => return (read, stop, None),
        };
        read.blocks += 1;
    }
}

struct Bits<'i> {
    input: &'i [u8],
    at: usize,
}

impl Bits<'_> {
    fn take(&mut self, n: usize) -> Result<usize, Stop> {
        let mut value = 0;
        for i in 0..n {
            let byte = *self.input.get(self.at / 8).ok_or(Stop::Edge)?;
            value |= usize::from(byte >> (self.at % 8) & 1) << i;
            self.at += 1;
        }
        Ok(value)
    }

    fn align(&mut self) {
        self.at = self.at.next_multiple_of(8);
    }
}

/// A canonical Huffman code (RFC 1951 §3.2.2): how many words there are of each length, and the symbols
/// in the order of their words.
struct Code {
    counts: [usize; 16],
    symbols: Vec<usize>,
}

impl Code {
    /// Every sequence of bits begins with one of the words. RFC 1951 §3.2.7 lets a code miss some of
    /// them that has one word of one bit, or none.
    fn new(lens: &[u8], may_miss: bool) -> Result<Self, Stop> {
        let (mut counts, mut symbols) = ([0; 16], Vec::new());
        let mut free = 1 << 15;
        for len in 1..=15 {
            for (symbol, _) in lens.iter().enumerate().filter(|&(_, &l)| l == len) {
                counts[usize::from(len)] += 1;
                symbols.push(symbol);
                free -= 1 << (15 - len);
            }
        }
        let lone = counts[1] == symbols.len();
        if free == 0 || free > 0 && may_miss && lone {
            Ok(Self { counts, symbols })
        } else {
            Err(Stop::Corrupt)
        }
    }

    fn read(&self, bits: &mut Bits<'_>) -> Result<usize, Stop> {
        let longest = (1..16).rfind(|&len| self.counts[len] > 0).unwrap_or(1);
        // The first word of this length, and its place.
        let (mut word, mut first, mut at) = (0, 0, 0);
        for count in &self.counts[1..=longest] {
            word = word << 1 | bits.take(1)?;
            if word < first + count {
                return Ok(self.symbols[at + word - first]);
            }
            at += count;
            first = (first + count) << 1;
        }
        Err(Stop::Corrupt)
    }
}

fn fixed() -> Result<(Code, Code), Stop> {
    let mut lens = vec![8u8; 144];
    lens.extend([9; 112]);
    lens.extend([7; 24]);
    lens.extend([8; 8]);
    Ok((Code::new(&lens, false)?, Code::new(&[5; 32], false)?))
}

fn dynamic(bits: &mut Bits<'_>) -> Result<(Code, Code), Stop> {
    const ORDER: [usize; 19] = [
        16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15,
    ];
    let literals = bits.take(5)? + 257;
    let distances = bits.take(5)? + 1;
    let lengths = bits.take(4)? + 4;
    if literals > 286 || distances > 30 {
        return Err(Stop::Corrupt);
    }
    let mut lens = [0; 19];
    for &place in &ORDER[..lengths] {
        lens[place] = bits.take(3)? as u8;
    }
    let code = Code::new(&lens, false)?;
    let mut lens: Vec<u8> = Vec::new();
    while lens.len() < literals + distances {
        let (len, times) = match code.read(bits)? {
            16 => {
                let times = bits.take(2)? + 3;
                (*lens.last().ok_or(Stop::Corrupt)?, times)
            }
            17 => (0, bits.take(3)? + 3),
            18 => (0, bits.take(7)? + 11),
            len => (len as u8, 1),
        };
        lens.resize(lens.len() + times, len);
    }
    // There has to be an end of block.
    if lens.len() != literals + distances || lens[256] == 0 {
        return Err(Stop::Corrupt);
    }
    let (literals, distances) = lens.split_at(literals);
    Ok((Code::new(literals, true)?, Code::new(distances, true)?))
}

impl Read {
    /// Whether it was an empty stored one.
    fn block(&mut self, bits: &mut Bits<'_>, window: usize) -> Result<bool, Stop> {
        let last = bits.take(1)? == 1;
        let mut empty = false;
        match bits.take(2)? {
            0 => {
                bits.align();
                let (len, check) = (bits.take(16)?, bits.take(16)?);
                if len != check ^ 0xffff {
                    return Err(Stop::Corrupt);
                }
                for _ in 0..len {
                    self.out.push(bits.take(8)? as u8);
                }
                empty = len == 0;
            }
            1 => {
                let (literals, distances) = fixed()?;
                self.codes(bits, &literals, &distances)?;
            }
            2 => {
                let (literals, distances) = dynamic(bits)?;
                self.codes(bits, &literals, &distances)?;
            }
            _ => return Err(Stop::Corrupt),
        }
        if last {
            bits.align();
            self.ends_final = Some(bits.at / 8);
            let window_from = self.out.len().saturating_sub(window);
            self.known_from = self.known_from.max(window_from);
        }
        Ok(empty)
    }

    fn codes(
        &mut self,
        bits: &mut Bits<'_>,
        literals: &Code,
        distances: &Code,
    ) -> Result<(), Stop> {
        loop {
            let symbol = literals.read(bits)?;
            if symbol < 256 {
                self.out.push(symbol as u8);
                continue;
            }
            if symbol == 256 {
                return Ok(());
            }
            let len = match symbol {
                257..=264 => symbol - 254,
                285 => 258,
                265..=284 => {
                    let extra = (symbol - 261) / 4;
                    ((4 + (symbol - 265) % 4) << extra) + 3 + bits.take(extra)?
                }
                _ => return Err(Stop::Corrupt),
            };
            let symbol = distances.read(bits)?;
            let distance = match symbol {
                0..=3 => symbol + 1,
                4..=29 => {
                    let extra = symbol / 2 - 1;
                    ((2 + symbol % 2) << extra) + 1 + bits.take(extra)?
                }
                _ => return Err(Stop::Corrupt),
            };
            let from = self.out.len().checked_sub(distance);
            let known = |from: &usize| *from >= self.known_from;
            let from = from.filter(known).ok_or(Stop::Corrupt)?;
            self.farthest = self.farthest.max(distance);
            for i in from..from + len {
                self.out.push(self.out[i]);
            }
        }
    }
}
