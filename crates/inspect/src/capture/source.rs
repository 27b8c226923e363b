//! Bytes of a file, some at a time.

use std::io::{self, Read};

/// How much is read at a time: little first, as many captures are small.
const FIRST: usize = 4 << 10;
const BLOCK: usize = 256 << 10;

pub(super) struct Source<R> {
    input: R,
    /// What was read and is not done with.
    bytes: Vec<u8>,
    start: usize,
    end: usize,
    /// Of `start` in the file.
    offset: u64,
    /// To be skipped before anything else.
    skip: u64,
}

impl<R: Read> Source<R> {
    pub(super) fn new(input: R) -> Self {
        Self {
            input,
            bytes: Vec::new(),
            start: 0,
            end: 0,
            offset: 0,
            skip: 0,
        }
    }

    /// Where in the file the next byte is.
    pub(super) fn offset(&self) -> u64 {
        self.offset + self.skip
    }

    /// What was read.
    pub(super) fn peek(&self) -> &[u8] {
        &self.bytes[self.start..self.end]
    }

    /// Four bytes of what was read, as a number.
    pub(super) fn word(&self, at: usize, big: bool) -> u32 {
        let mut word = [0; 4];
        for (to, from) in word.iter_mut().zip(&self.peek()[at..]) {
            *to = *from;
        }
        if big {
            u32::from_be_bytes(word)
        } else {
            u32::from_le_bytes(word)
        }
    }

    /// The first four numbers of what was read.
    pub(super) fn words(&self, big: bool) -> [u32; 4] {
        let (words, _) = self.peek().as_chunks::<4>();
        let word = |n: usize| {
            let word = words.get(n).copied().unwrap_or_default();
            if big {
                u32::from_be_bytes(word)
            } else {
                u32::from_le_bytes(word)
            }
        };
        [word(0), word(1), word(2), word(3)]
    }

    /// Two bytes of what was read, as a number.
    pub(super) fn half(&self, at: usize, big: bool) -> u16 {
        let word = self.word(at, big);
        if big {
            (word >> 16) as u16
        } else {
            (word & 0xffff) as u16
        }
    }

    /// Whether so many bytes are there: takes memory only for those that are.
    pub(super) fn have(&mut self, n: usize) -> io::Result<bool> {
        while self.skip != 0 {
            let step = self.skip.min((self.end - self.start) as u64);
            self.start += step as usize;
            self.offset += step;
            self.skip -= step;
            if self.skip != 0 && !self.fill()? {
                return Ok(false);
            }
        }
        while self.end - self.start < n {
            if !self.fill()? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Reads a block; not at the end of the file.
    fn fill(&mut self) -> io::Result<bool> {
        if self.start != 0 {
            self.bytes.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
        }
        if self.end == self.bytes.len() {
            let more = self.end.clamp(FIRST, BLOCK);
            self.bytes.resize(self.end + more, 0);
        }
        loop {
            match self.input.read(&mut self.bytes[self.end..]) {
                Ok(n) => {
                    self.end += n;
                    return Ok(n != 0);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // A file that was packed and then cut off.
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(false),
                Err(error) => return Err(error),
            }
        }
    }

    /// Takes the next bytes, which are there, and what comes after them, which need not be.
    pub(super) fn take(&mut self, n: usize, after: usize) -> &[u8] {
        let taken = self.start..self.start + n;
        self.start = taken.end;
        self.offset += n as u64;
        self.skip(after as u64);
        &self.bytes[taken]
    }

    /// Goes on after so many bytes.
    pub(super) fn skip(&mut self, n: u64) {
        self.skip += n;
    }
}
