//! A slow and plain reader of DEFLATE (RFC 1951), for tests: an oracle beside zlib-rs, and the only way to see
//! how far back a compressor refers.

use alloc::vec;
use alloc::vec::Vec;

/// What a payload is, with its tail put back.
pub(super) struct Read {
    /// With the bytes that it was given to begin with.
    pub(super) out: Vec<u8>,
    pub(super) farthest: usize,
    pub(super) blocks: usize,
}

/// `None`: not DEFLATE, or it does not end with an empty stored block at the last byte (D-17).
pub(super) fn inflate(history: &[u8], payload: &[u8]) -> Option<Read> {
    let mut input = payload.to_vec();
    input.extend([0, 0, 0xff, 0xff]);
    let mut bits = Bits {
        input: &input,
        at: 0,
    };
    let mut read = Read {
        out: history.to_vec(),
        farthest: 0,
        blocks: 0,
    };
    loop {
        let from = bits.at;
        let last = bits.take(1)? == 1;
        let kind = bits.take(2)?;
        match kind {
            0 => {
                bits.align();
                let (len, check) = (bits.take(16)?, bits.take(16)?);
                if len != check ^ 0xffff {
                    return None;
                }
                for _ in 0..len {
                    read.out.push(bits.take(8)? as u8);
                }
                if bits.at == input.len() * 8 {
                    // The block has to be empty and to begin in the payload, not in the tail.
                    return (len == 0 && from < payload.len() * 8).then_some(read);
                }
            }
            1 => {
                let mut lens = vec![8u8; 144];
                lens.extend([9; 112]);
                lens.extend([7; 24]);
                lens.extend([8; 8]);
                read.codes(&mut bits, &Code::new(&lens), &Code::new(&[5; 30]))?;
            }
            2 => {
                let (literals, distances) = dynamic(&mut bits)?;
                read.codes(&mut bits, &literals, &distances)?;
            }
            _ => return None,
        }
        read.blocks += 1;
        if last {
            bits.align();
        }
    }
}

struct Bits<'i> {
    input: &'i [u8],
    at: usize,
}

impl Bits<'_> {
    fn take(&mut self, n: usize) -> Option<usize> {
        let mut value = 0;
        for i in 0..n {
            let byte = *self.input.get(self.at / 8)?;
            value |= usize::from(byte >> (self.at % 8) & 1) << i;
            self.at += 1;
        }
        Some(value)
    }

    fn align(&mut self) {
        self.at = self.at.next_multiple_of(8);
    }
}

/// A canonical Huffman code as the list of its words.
struct Code(Vec<(u8, usize, usize)>);

impl Code {
    fn new(lens: &[u8]) -> Self {
        let mut words = Vec::new();
        let mut word = 0;
        for len in 1..=15 {
            word <<= 1;
            for (symbol, _) in lens.iter().enumerate().filter(|&(_, &l)| l == len) {
                words.push((len, word, symbol));
                word += 1;
            }
        }
        Self(words)
    }

    fn read(&self, bits: &mut Bits<'_>) -> Option<usize> {
        let (mut len, mut word) = (0, 0);
        loop {
            word = word << 1 | bits.take(1)?;
            len += 1;
            if len > 15 {
                return None;
            }
            let at = self
                .0
                .binary_search_by(|&(l, w, _)| (l, w).cmp(&(len, word)));
            if let Ok(at) = at {
                return Some(self.0[at].2);
            }
        }
    }
}

fn dynamic(bits: &mut Bits<'_>) -> Option<(Code, Code)> {
    const ORDER: [usize; 19] = [
        16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15,
    ];
    let literals = bits.take(5)? + 257;
    let distances = bits.take(5)? + 1;
    let mut lens = [0; 19];
    for &place in &ORDER[..bits.take(4)? + 4] {
        lens[place] = bits.take(3)? as u8;
    }
    let code = Code::new(&lens);
    let mut lens: Vec<u8> = Vec::new();
    while lens.len() < literals + distances {
        let (len, times) = match code.read(bits)? {
            16 => (*lens.last()?, bits.take(2)? + 3),
            17 => (0, bits.take(3)? + 3),
            18 => (0, bits.take(7)? + 11),
            len => (len as u8, 1),
        };
        lens.resize(lens.len() + times, len);
    }
    if lens.len() != literals + distances {
        return None;
    }
    let (literals, distances) = lens.split_at(literals);
    Some((Code::new(literals), Code::new(distances)))
}

impl Read {
    fn codes(&mut self, bits: &mut Bits<'_>, literals: &Code, distances: &Code) -> Option<()> {
        loop {
            let symbol = literals.read(bits)?;
            if symbol < 256 {
                self.out.push(symbol as u8);
                continue;
            }
            if symbol == 256 {
                return Some(());
            }
            let len = match symbol {
                257..=264 => symbol - 254,
                285 => 258,
                265..=284 => {
                    let extra = (symbol - 261) / 4;
                    ((4 + (symbol - 265) % 4) << extra) + 3 + bits.take(extra)?
                }
                _ => return None,
            };
            let symbol = distances.read(bits)?;
            let distance = match symbol {
                0..=3 => symbol + 1,
                4..=29 => {
                    let extra = symbol / 2 - 1;
                    ((2 + symbol % 2) << extra) + 1 + bits.take(extra)?
                }
                _ => return None,
            };
            let from = self.out.len().checked_sub(distance)?;
            self.farthest = self.farthest.max(distance);
            for i in from..from + len {
                self.out.push(self.out[i]);
            }
        }
    }
}
