//! A pcap file that is written packet by packet, with times in nanoseconds.

use std::io::{self, Write};
use std::time::Duration;

use crate::capture::LONGEST;

pub(crate) struct Dump<W> {
    out: W,
}

impl<W: Write> Dump<W> {
    /// Whose packets begin with what this number stands for.
    pub(crate) fn new(mut out: W, link: u32) -> io::Result<Self> {
        for word in [0xa1b2_3c4d, 4 << 16 | 2, 0, 0, LONGEST, link] {
            out.write_all(&word.to_le_bytes())?;
        }
        Ok(Self { out })
    }

    /// Writes a packet of `length` bytes, of which `data` was captured.
    pub(crate) fn packet(&mut self, time: Duration, length: u32, data: &[u8]) -> io::Result<()> {
        // The format ends in 2106.
        let seconds = u32::try_from(time.as_secs()).unwrap_or(u32::MAX);
        let captured = u32::try_from(data.len()).unwrap_or(u32::MAX);
        for word in [seconds, time.subsec_nanos(), captured, length] {
            self.out.write_all(&word.to_le_bytes())?;
        }
        self.out.write_all(data)
    }

    pub(crate) fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}
