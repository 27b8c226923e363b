//! Streams in memory, and what the system tells of this process.

use std::io::{self, IoSlice, Read, Write};

/// Gives its bytes in reads of at most `most`, then blocks; takes all that is written.
pub struct Memory<'a> {
    pub bytes: &'a [u8],
    pub most: usize,
}

impl Read for Memory<'_> {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        let n = self.bytes.len().min(room.len()).min(self.most);
        if n == 0 {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let (now, rest) = self.bytes.split_at(n);
        room[..n].copy_from_slice(now);
        self.bytes = rest;
        Ok(n)
    }
}

impl Write for Memory<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(std::hint::black_box(bytes).len())
    }

    fn write_vectored(&mut self, pieces: &[IoSlice<'_>]) -> io::Result<usize> {
        let pieces = std::hint::black_box(pieces);
        Ok(pieces.iter().map(|piece| piece.len()).sum())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Frames, one after the other.
pub fn frames(first: u8, masked: bool, messages: usize, size: usize) -> Vec<u8> {
    let mask = if masked { 128 } else { 0 };
    let mut frame = match size {
        0..=125 => vec![first, mask | size as u8],
        _ => vec![first, mask | 126, (size >> 8) as u8, size as u8],
    };
    let key = if masked { [1, 2, 3, 4] } else { [0; 4] };
    if masked {
        frame.extend(key);
    }
    frame.extend((0..size).map(|i| (b'a' + (i % 26) as u8) ^ key[i % 4]));
    frame.repeat(messages)
}

/// Bytes of this process in memory.
pub fn resident() -> usize {
    let stat = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages: usize = stat
        .split(' ')
        .nth(1)
        .and_then(|pages| pages.parse().ok())
        .unwrap_or(0);
    pages * 4096
}
