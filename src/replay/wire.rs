//! What the wire format has for recordings alone: payloads that repeat, and why something cannot be played.

use alloc::string::String;
use alloc::vec::Vec;

pub(super) use crate::wire::{Bad, Reader, Writer};

impl Writer {
    /// A string in pieces: those that repeat four bytes are written as these and a length.
    pub(super) fn packed(&mut self, bytes: &[u8]) {
        self.number(bytes.len() as u64);
        let (mut from, mut at) = (0, 0);
        while at < bytes.len() {
            let run = run_at(&bytes[at..]);
            if run < RUN_MIN {
                at += run.max(1);
                continue;
            }
            self.literal(&bytes[from..at]);
            self.number((run as u64) << 1 | 1);
            self.raw(&bytes[at..at + PERIOD]);
            at += run;
            from = at;
        }
        self.literal(&bytes[from..]);
    }

    fn literal(&mut self, bytes: &[u8]) {
        if !bytes.is_empty() {
            self.number((bytes.len() as u64) << 1);
            self.raw(bytes);
        }
    }
}

impl Reader<'_> {
    /// What [`Writer::packed`] wrote. `room` is how many bytes may come of what is not there in full.
    pub(super) fn packed(&mut self, room: &mut u64, out: &mut Vec<u8>) -> Result<(), Unread> {
        let len: usize = self.small()?;
        let end = out.len().checked_add(len).ok_or(Bad)?;
        while out.len() < end {
            let head = self.number()?;
            let run = usize::try_from(head >> 1).map_err(|_| Bad)?;
            if run == 0 || run > end - out.len() {
                return Err(Unread::Bad);
            }
            if head & 1 == 0 {
                out.extend_from_slice(self.raw(run)?);
                continue;
            }
            let pattern: [u8; PERIOD] = self.array()?;
            *room = room.checked_sub(run as u64).ok_or(Unread::TooMuch)?;
            out.extend(pattern.iter().cycle().take(run));
        }
        Ok(())
    }
}

/// Why something cannot be read, or be done.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Unread {
    Bad,
    /// More would come of it than there may be.
    TooMuch,
    /// An extension of the application's, which is not there.
    Extension(String),
    /// It needs this feature of the crate.
    #[cfg_attr(
        all(feature = "bytes", feature = "deflate"),
        allow(dead_code, reason = "nothing is missing with all features")
    )]
    Feature(&'static str),
}

impl From<Bad> for Unread {
    fn from(_: Bad) -> Self {
        Self::Bad
    }
}

/// So many bytes from the first on are the same as those four before them, the first four included.
fn run_at(bytes: &[u8]) -> usize {
    if bytes.len() < PERIOD {
        return bytes.len();
    }
    let repeats = bytes[PERIOD..].iter().zip(bytes);
    PERIOD + repeats.take_while(|(byte, before)| byte == before).count()
}

/// The length of a masking key.
const PERIOD: usize = 4;

/// A shorter repetition is written as it is.
const RUN_MIN: usize = 16;

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by a panic")]
mod tests {
    use alloc::vec;

    use super::*;

    /// What repeats takes a few bytes, everything comes back, and no more than there may be.
    #[test]
    fn repetitions() {
        let long = [b"ab".repeat(500), b"xyz".to_vec(), vec![7; 40], vec![1, 2]].concat();
        for bytes in [&b""[..], b"a", b"abcabc", &[0; 15], &[0; 16], &long] {
            let mut writer = Writer::new(2000);
            writer.packed(bytes);
            let written = writer.into_bytes();
            assert!(written.len() < 40, "{}", written.len());
            let (mut room, mut out) = (bytes.len() as u64, vec![]);
            let read = Reader::new(&written, 0).packed(&mut room, &mut out);
            assert_eq!((read, &*out), (Ok(()), bytes));
        }
        let mut writer = Writer::new(100);
        writer.packed(&[0; 1000]);
        let written = writer.into_bytes();
        let read = Reader::new(&written, 0).packed(&mut 999, &mut vec![]);
        assert_eq!(read, Err(Unread::TooMuch));
        for cut in 0..written.len() {
            let read = Reader::new(&written[..cut], 0).packed(&mut 1000, &mut vec![]);
            assert_eq!(read, Err(Unread::Bad));
        }
        // A piece of nothing, and one that is longer than the string.
        for bad in [&b"\x02\x00"[..], b"\x02\x01abcd", b"\x02\x06abc"] {
            let read = Reader::new(bad, 0).packed(&mut 10, &mut vec![]);
            assert_eq!(read, Err(Unread::Bad));
        }
    }
}
