//! How what is kept outside of a process is written and read, a recording or the state of a connection: bytes,
//! numbers of variable length, strings with their length, and a checksum.
#![cfg_attr(
    not(all(feature = "handover", feature = "replay")),
    allow(dead_code, reason = "some of it is needed for one of them")
)]

pub(crate) mod checksum;

use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

/// What can be written, and read again as it was.
pub(crate) trait Saved: Sized {
    fn save(&self, to: &mut Writer);

    /// # Errors
    /// There is something else.
    fn read(from: &mut Reader<'_>) -> Result<Self, Bad>;
}

/// Bytes with a bound: what would go beyond it is not written, and neither is what follows.
#[derive(Default)]
pub(crate) struct Writer {
    bytes: Vec<u8>,
    most: usize,
    full: bool,
}

impl Writer {
    pub(crate) const fn new(most: usize) -> Self {
        Self {
            bytes: Vec::new(),
            most,
            full: false,
        }
    }

    #[inline]
    pub(crate) fn raw(&mut self, bytes: &[u8]) {
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
    pub(crate) fn byte(&mut self, byte: u8) {
        if self.bytes.len() < self.bytes.capacity() && !self.full {
            return self.bytes.push(byte);
        }
        self.raw(&[byte]);
    }

    pub(crate) fn flag(&mut self, flag: bool) {
        self.byte(u8::from(flag));
    }

    /// Seven bits a byte, the lowest first; the highest bit says that more follow.
    #[inline]
    pub(crate) fn number(&mut self, number: u64) {
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

    pub(crate) fn string(&mut self, bytes: &[u8]) {
        self.number(bytes.len() as u64);
        self.raw(bytes);
    }

    pub(crate) fn time(&mut self, time: Duration) {
        self.number(time.as_secs());
        self.number(time.subsec_nanos().into());
    }

    pub(crate) fn maybe_time(&mut self, time: Option<Duration>) {
        self.flag(time.is_some());
        if let Some(time) = time {
            self.time(time);
        }
    }

    /// A number that may be below zero: near it, it is short.
    pub(crate) fn signed(&mut self, number: i64) {
        let sign = number >> 63;
        self.number((number << 1 ^ sign).cast_unsigned());
    }

    /// What may be missing.
    pub(crate) fn maybe<T>(&mut self, value: Option<T>, write: impl FnOnce(&mut Self, T)) {
        self.flag(value.is_some());
        if let Some(value) = value {
            write(self, value);
        }
    }

    // ── what was written

    pub(crate) const fn is_full(&self) -> bool {
        self.full
    }

    pub(crate) const fn len(&self) -> usize {
        self.bytes.len()
    }

    pub(crate) fn written(&self) -> &[u8] {
        &self.bytes
    }

    /// Takes back what was written after this place.
    pub(crate) fn truncate(&mut self, len: usize) {
        self.bytes.truncate(len);
        self.full = false;
    }

    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// Room for what comes last.
    pub(crate) const fn raise(&mut self, by: usize) {
        self.most = self.most.saturating_add(by);
    }

    pub(crate) const fn capacity(&self) -> usize {
        self.bytes.capacity()
    }
}

/// What stands at this place is nothing that can be there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Bad;

/// What was written is read. Nothing that it says is taken for granted.
#[derive(Clone, Copy)]
pub(crate) struct Reader<'r> {
    bytes: &'r [u8],
    at: usize,
}

impl<'r> Reader<'r> {
    pub(crate) const fn new(bytes: &'r [u8], at: usize) -> Self {
        Self { bytes, at }
    }

    /// The place of the next byte.
    pub(crate) const fn at(&self) -> usize {
        self.at
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.at == self.bytes.len()
    }

    pub(crate) fn raw(&mut self, len: usize) -> Result<&'r [u8], Bad> {
        let to = self.at.checked_add(len).ok_or(Bad)?;
        let taken = self.bytes.get(self.at..to).ok_or(Bad)?;
        self.at = to;
        Ok(taken)
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N], Bad> {
        self.raw(N)?.try_into().map_err(|_| Bad)
    }

    pub(crate) fn byte(&mut self) -> Result<u8, Bad> {
        let [byte] = self.array()?;
        Ok(byte)
    }

    pub(crate) fn flag(&mut self) -> Result<bool, Bad> {
        match self.byte()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(Bad),
        }
    }

    pub(crate) fn number(&mut self) -> Result<u64, Bad> {
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

    pub(crate) fn signed(&mut self) -> Result<i64, Bad> {
        let number = self.number()?;
        Ok((number >> 1).cast_signed() ^ -(number & 1).cast_signed())
    }

    /// What may be missing.
    pub(crate) fn maybe<T>(
        &mut self,
        read: impl FnOnce(&mut Self) -> Result<T, Bad>,
    ) -> Result<Option<T>, Bad> {
        self.flag()?.then(|| read(self)).transpose()
    }

    /// A number that has to fit.
    pub(crate) fn small<N: TryFrom<u64>>(&mut self) -> Result<N, Bad> {
        N::try_from(self.number()?).map_err(|_| Bad)
    }

    pub(crate) fn string(&mut self) -> Result<&'r [u8], Bad> {
        let len = self.small()?;
        self.raw(len)
    }

    pub(crate) fn text(&mut self) -> Result<&'r str, Bad> {
        core::str::from_utf8(self.string()?).map_err(|_| Bad)
    }

    pub(crate) fn owned_text(&mut self) -> Result<String, Bad> {
        self.text().map(String::from)
    }

    pub(crate) fn time(&mut self) -> Result<Duration, Bad> {
        let secs = self.number()?;
        match self.small()? {
            nanos @ 0..1_000_000_000 => Ok(Duration::new(secs, nanos)),
            _ => Err(Bad),
        }
    }

    pub(crate) fn maybe_time(&mut self) -> Result<Option<Duration>, Bad> {
        self.flag()?.then(|| self.time()).transpose()
    }
}

/// What is taken at first.
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
        for number in [0, 1, -1, 63, -64, i64::MAX, i64::MIN] {
            let mut writer = Writer::new(100);
            writer.signed(number);
            let bytes = writer.into_bytes();
            assert_eq!(Reader::new(&bytes, 0).signed(), Ok(number));
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

    /// What just fits is written, and makes no more room.
    #[test]
    fn to_the_last_byte() {
        let mut writer = Writer::new(300);
        writer.raw(&[1; 200]);
        let room = writer.capacity();
        writer.raw(&vec![1; room - 200]);
        assert_eq!((writer.len(), writer.capacity()), (room, room));
        writer.raw(&vec![1; 300 - room]);
        assert_eq!((writer.len(), writer.is_full()), (300, false));
        writer.byte(1);
        assert!(writer.is_full());
    }
}
