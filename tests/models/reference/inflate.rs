//! RFC 1951 as it is written, a bit after the other: what comes out of compressed data so far.

/// What came out, and how it stands.
pub(crate) struct Inflated {
    pub(crate) out: Vec<u8>,
    pub(crate) end: End,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// All was used, and more may follow.
    Open,
    /// All was used, and a stored block without a byte has ended right there.
    EmptyStored,
    /// All was used, and a final block has ended right there.
    Final,
    Corrupt,
}

/// Why it goes on no further.
enum Stop {
    Used,
    Corrupt,
}

/// What `data` inflates to if `before` came out before it.
pub(crate) fn inflate(before: &[u8], data: &[u8]) -> Inflated {
    let mut work = Work {
        data,
        at: 0,
        out: before.to_vec(),
    };
    let end = loop {
        match work.block() {
            Ok(block) if work.at == 8 * data.len() && block.last => break End::Final,
            Ok(block) if work.at == 8 * data.len() && block.empty => break End::EmptyStored,
            Ok(_) => {}
            Err(Stop::Used) => break End::Open,
            Err(Stop::Corrupt) => break End::Corrupt,
        }
    };
    Inflated {
        out: work.out.split_off(before.len()),
        end,
    }
}

/// What a block was.
struct Block {
    /// BFINAL is set.
    last: bool,
    /// A stored one without a byte.
    empty: bool,
}

struct Work<'a> {
    data: &'a [u8],
    /// In bits.
    at: usize,
    out: Vec<u8>,
}

impl Work<'_> {
    /// §3.1.1: from the least significant bit of each byte on.
    fn bit(&mut self) -> Result<usize, Stop> {
        let byte = self.data.get(self.at / 8).ok_or(Stop::Used)?;
        let bit = byte >> (self.at % 8) & 1;
        self.at += 1;
        Ok(bit.into())
    }

    /// §3.1.1: numbers begin with their least significant bit.
    fn number(&mut self, bits: usize) -> Result<usize, Stop> {
        let mut number = 0;
        for i in 0..bits {
            number |= self.bit()? << i;
        }
        Ok(number)
    }

    /// §3.2.3
    fn block(&mut self) -> Result<Block, Stop> {
        let last = self.bit()? == 1;
        let mut empty = false;
        match self.number(2)? {
            0 => empty = self.stored()?,
            1 => {
                // §3.2.6
                let lengths: Vec<usize> = (0..288)
                    .map(|symbol| match symbol {
                        0..144 => 8,
                        144..256 => 9,
                        256..280 => 7,
                        _ => 8,
                    })
                    .collect();
                self.compressed(&codes(&lengths)?, &codes(&[5; 32])?)?;
            }
            2 => {
                let (literals, distances) = self.tables()?;
                self.compressed(&literals, &distances)?;
            }
            _ => return Err(Stop::Corrupt),
        }
        if last {
            // RFC 7692 §7.2.3.4: what follows a final block begins at the next byte.
            self.at = self.at.next_multiple_of(8);
        }
        Ok(Block { last, empty })
    }

    /// §3.2.4
    fn stored(&mut self) -> Result<bool, Stop> {
        self.at = self.at.next_multiple_of(8);
        let (len, complement) = (self.number(16)?, self.number(16)?);
        if len != complement ^ 0xffff {
            return Err(Stop::Corrupt);
        }
        for _ in 0..len {
            let byte = self.number(8)?;
            self.out.push(byte as u8);
        }
        Ok(len == 0)
    }

    /// §3.2.5
    fn compressed(&mut self, literals: &[Code], distances: &[Code]) -> Result<(), Stop> {
        loop {
            let symbol = self.symbol(literals)?;
            match symbol {
                0..256 => self.out.push(symbol as u8),
                256 => return Ok(()),
                257..286 => {
                    let (len, extra) = match symbol - 257 {
                        n @ 0..8 => (3 + n, 0),
                        28 => (258, 0),
                        n => (3 + ((4 + n % 4) << (n / 4 - 1)), n / 4 - 1),
                    };
                    let len = len + self.number(extra)?;
                    let distance = match self.symbol(distances)? {
                        n @ 0..4 => 1 + n,
                        n @ 4..30 => {
                            let extra = n / 2 - 1;
                            1 + ((2 + n % 2) << extra) + self.number(extra)?
                        }
                        _ => return Err(Stop::Corrupt),
                    };
                    if distance > self.out.len().min(32_768) {
                        return Err(Stop::Corrupt);
                    }
                    for _ in 0..len {
                        self.out.push(self.out[self.out.len() - distance]);
                    }
                }
                _ => return Err(Stop::Corrupt),
            }
        }
    }

    /// §3.2.7
    fn tables(&mut self) -> Result<(Vec<Code>, Vec<Code>), Stop> {
        let literals = 257 + self.number(5)?;
        let distances = 1 + self.number(5)?;
        let count = 4 + self.number(4)?;
        if literals > 286 || distances > 30 {
            return Err(Stop::Corrupt);
        }
        let order = [
            16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15,
        ];
        let mut lengths = [0; 19];
        for at in &order[..count] {
            lengths[*at] = self.number(3)?;
        }
        let lengths_of_lengths = codes(&lengths)?;
        // Only a code of the alphabets below may be a single one of one bit (§3.2.7).
        if !is_complete(&lengths) && !lengths_of_lengths.is_empty() {
            return Err(Stop::Corrupt);
        }
        let mut lengths: Vec<usize> = Vec::new();
        while lengths.len() < literals + distances {
            let (length, times) = match self.symbol(&lengths_of_lengths)? {
                16 => (*lengths.last().ok_or(Stop::Corrupt)?, 3 + self.number(2)?),
                17 => (0, 3 + self.number(3)?),
                18 => (0, 11 + self.number(7)?),
                length => (length, 1),
            };
            lengths.extend(std::iter::repeat_n(length, times));
        }
        if lengths.len() > literals + distances || lengths[256] == 0 {
            return Err(Stop::Corrupt);
        }
        Ok((codes(&lengths[..literals])?, codes(&lengths[literals..])?))
    }

    /// §3.1.1: codes begin with their most significant bit.
    fn symbol(&mut self, codes: &[Code]) -> Result<usize, Stop> {
        let (mut code, mut len) = (0, 0);
        loop {
            code = code << 1 | self.bit()?;
            len += 1;
            let begins = |own: &&Code| own.len >= len && own.code >> (own.len - len) == code;
            match codes.iter().find(begins) {
                Some(own) if own.len == len => return Ok(own.symbol),
                Some(_) => {}
                None => return Err(Stop::Corrupt),
            }
        }
    }
}

struct Code {
    symbol: usize,
    code: usize,
    len: usize,
}

/// §3.2.2: the codes by their lengths, in order; those of the same length by their symbols. Every
/// sequence of bits has to be one, but for a single code of one bit (§3.2.7), or none.
fn codes(lengths: &[usize]) -> Result<Vec<Code>, Stop> {
    let longest = lengths.iter().max().copied().unwrap_or_default();
    if longest > 1 && !is_complete(lengths) {
        return Err(Stop::Corrupt);
    }
    let mut codes = Vec::new();
    let mut code = 0;
    for len in 1..=15 {
        for (symbol, _) in lengths.iter().enumerate().filter(|(_, own)| **own == len) {
            codes.push(Code { symbol, code, len });
            code += 1;
        }
        code <<= 1;
    }
    // Three codes of one bit are too many as well.
    if code > 1 << 16 {
        return Err(Stop::Corrupt);
    }
    Ok(codes)
}

/// Whether codes of these lengths use up what there is, and not more.
fn is_complete(lengths: &[usize]) -> bool {
    let of = |len: &usize| if *len == 0 { 0 } else { 1 << (15 - len) };
    lengths.iter().map(of).sum::<usize>() == 1 << 15
}
