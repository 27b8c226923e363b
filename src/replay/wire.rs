//! How a recording is written and read: bytes, numbers of variable length, strings with their length.

use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

/// Bytes with a bound: what would go beyond it is not written, and neither is what follows.
#[derive(Default)]
pub(super) struct Writer {
    bytes: Vec<u8>,
    most: usize,
    full: bool,
}

impl Writer {
    pub(super) const fn new(most: usize) -> Self {
        Self {
            bytes: Vec::new(),
            most,
            full: false,
        }
    }

    #[inline]
    pub(super) fn raw(&mut self, bytes: &[u8]) {
        let len = self.bytes.len() + bytes.len();
        if self.full || len > self.bytes.capacity() && !self.grows_to(len) {
            return;
        }
        self.bytes.extend_from_slice(bytes);
    }

    /// Makes room, as a vector grows, but never beyond the bound.
    #[cold]
    #[inline(never)]
    fn grows_to(&mut self, len: usize) -> bool {
        if len > self.most {
            self.full = true;
            return false;
        }
        let twice = 2 * self.bytes.capacity();
        let wanted = twice.max(len).max(FIRST).min(self.most);
        // An allocator that gives more than it is asked for gives no more than its rounding.
        self.bytes.reserve_exact(wanted - self.bytes.len());
        true
    }

    #[inline]
    pub(super) fn byte(&mut self, byte: u8) {
        if self.bytes.len() < self.bytes.capacity() && !self.full {
            return self.bytes.push(byte);
        }
        self.raw(&[byte]);
    }

    pub(super) fn flag(&mut self, flag: bool) {
        self.byte(u8::from(flag));
    }

    /// Seven bits a byte, the lowest first; the highest bit says that more follow.
    #[inline]
    pub(super) fn number(&mut self, number: u64) {
        if number < 0x80 {
            // `as`: it fits.
            return self.byte(number as u8);
        }
        self.long_number(number);
    }

    fn long_number(&mut self, number: u64) {
        let (mut bytes, mut len, mut left) = ([0; 10], 0, number);
        while left >= 0x80 {
            // `as`: the low byte.
            bytes[len] = left as u8 | 0x80;
            (len, left) = (len + 1, left >> 7);
        }
        bytes[len] = left as u8;
        self.raw(&bytes[..=len]);
    }

    pub(super) fn string(&mut self, bytes: &[u8]) {
        self.number(bytes.len() as u64);
        self.raw(bytes);
    }

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

    pub(super) fn time(&mut self, time: Duration) {
        self.number(time.as_secs());
        self.number(time.subsec_nanos().into());
    }

    pub(super) fn maybe_time(&mut self, time: Option<Duration>) {
        self.flag(time.is_some());
        if let Some(time) = time {
            self.time(time);
        }
    }

    // ── what was written

    pub(super) const fn is_full(&self) -> bool {
        self.full
    }

    pub(super) const fn len(&self) -> usize {
        self.bytes.len()
    }

    pub(super) fn written(&self) -> &[u8] {
        &self.bytes
    }

    /// Takes back what was written after this place.
    pub(super) fn truncate(&mut self, len: usize) {
        self.bytes.truncate(len);
        self.full = false;
    }

    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// Room for what ends a recording.
    pub(super) const fn raise(&mut self, by: usize) {
        self.most = self.most.saturating_add(by);
    }

    pub(super) const fn capacity(&self) -> usize {
        self.bytes.capacity()
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

/// What stands at this place is nothing that a recording has there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Bad;

/// A recording that is read. Nothing that it says is taken for granted.
#[derive(Clone, Copy)]
pub(super) struct Reader<'r> {
    bytes: &'r [u8],
    at: usize,
}

impl<'r> Reader<'r> {
    pub(super) const fn new(bytes: &'r [u8], at: usize) -> Self {
        Self { bytes, at }
    }

    /// The place of the next byte.
    pub(super) const fn at(&self) -> usize {
        self.at
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.at == self.bytes.len()
    }

    pub(super) fn raw(&mut self, len: usize) -> Result<&'r [u8], Bad> {
        let to = self.at.checked_add(len).ok_or(Bad)?;
        let taken = self.bytes.get(self.at..to).ok_or(Bad)?;
        self.at = to;
        Ok(taken)
    }

    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], Bad> {
        self.raw(N)?.try_into().map_err(|_| Bad)
    }

    pub(super) fn byte(&mut self) -> Result<u8, Bad> {
        let [byte] = self.array()?;
        Ok(byte)
    }

    pub(super) fn flag(&mut self) -> Result<bool, Bad> {
        match self.byte()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(Bad),
        }
    }

    pub(super) fn number(&mut self) -> Result<u64, Bad> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            let bits = u64::from(byte & 0x7f);
            if bits << shift >> shift != bits {
                return Err(Bad);
            }
            number |= bits << shift;
            if byte < 0x80 {
                return Ok(number);
            }
        }
        Err(Bad)
    }

    /// A number that has to fit.
    pub(super) fn small<N: TryFrom<u64>>(&mut self) -> Result<N, Bad> {
        N::try_from(self.number()?).map_err(|_| Bad)
    }

    pub(super) fn string(&mut self) -> Result<&'r [u8], Bad> {
        let len = self.small()?;
        self.raw(len)
    }

    pub(super) fn text(&mut self) -> Result<&'r str, Bad> {
        core::str::from_utf8(self.string()?).map_err(|_| Bad)
    }

    pub(super) fn owned_text(&mut self) -> Result<String, Bad> {
        self.text().map(String::from)
    }

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

    pub(super) fn time(&mut self) -> Result<Duration, Bad> {
        let secs = self.number()?;
        match self.small()? {
            nanos @ 0..1_000_000_000 => Ok(Duration::new(secs, nanos)),
            _ => Err(Bad),
        }
    }

    pub(super) fn maybe_time(&mut self) -> Result<Option<Duration>, Bad> {
        self.flag()?.then(|| self.time()).transpose()
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

/// The length of a masking key.
const PERIOD: usize = 4;

/// A shorter repetition is written as it is.
const RUN_MIN: usize = 16;

/// What a recording takes at first.
const FIRST: usize = 256;

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by a panic")]
mod tests {
    use alloc::vec;

    use super::*;

    #[test]
    fn numbers_both_ways() {
        for number in [
            0,
            1,
            127,
            128,
            16_383,
            16_384,
            u64::from(u32::MAX),
            u64::MAX,
        ] {
            let mut writer = Writer::new(100);
            writer.number(number);
            let bytes = writer.into_bytes();
            assert_eq!(Reader::new(&bytes, 0).number(), Ok(number));
            // Cut off.
            assert_eq!(Reader::new(&bytes[..bytes.len() - 1], 0).number(), Err(Bad));
        }
        // More than 64 bits.
        assert_eq!(Reader::new(&[0xff; 10], 0).number(), Err(Bad));
        let mut most = [0xff; 10];
        most[9] = 2;
        assert_eq!(Reader::new(&most, 0).number(), Err(Bad));
    }

    #[test]
    fn times_both_ways() {
        for time in [Duration::ZERO, Duration::from_millis(1500), Duration::MAX] {
            let mut writer = Writer::new(100);
            writer.maybe_time(Some(time));
            writer.maybe_time(None);
            let bytes = writer.into_bytes();
            let mut reader = Reader::new(&bytes, 0);
            assert_eq!(reader.maybe_time(), Ok(Some(time)));
            assert_eq!(reader.maybe_time(), Ok(None));
        }
        assert_eq!(Reader::new(b"\x00\x80\x94\xeb\xdc\x03", 0).time(), Err(Bad));
    }

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

    #[test]
    fn the_bound_is_kept() {
        let mut writer = Writer::new(1000);
        for _ in 0..30 {
            writer.raw(&[1; 33]);
            assert!(writer.capacity() <= 1000 && !writer.is_full());
        }
        writer.raw(&[1; 33]);
        // Nothing more is written, not even what would fit.
        writer.byte(1);
        assert!(writer.is_full() && writer.len() == 990);
        writer.truncate(900);
        writer.byte(1);
        assert_eq!((writer.len(), writer.is_full()), (901, false));
    }
}
