//! Decompression of messages (RFC 7692 §7.2.2): bounded, in steps, and sure of where a message ends.

use alloc::boxed::Box;
use alloc::vec;
use alloc::vec::Vec;
use core::fmt;

use zlib_rs::{Inflate, InflateFlush, Status};

use crate::extension::DecodeError;

use super::pool::{INFLATE_BITS, INFLATE_LEN, INPUT, Inflating, Supply};
use super::window::Window;

/// What every compressed message ends with and its sender takes off (RFC 7692 §7.2.1), and a probe
/// byte after it.
const TAIL_AND_PROBE: [u8; 5] = [0, 0, 0xff, 0xff, 0];
const TAIL: usize = 4;
/// The same, followed by more than is ever read.
const TAIL_AND_MORE: [u8; AHEAD] = [0, 0, 0xff, 0xff, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];

/// So many bytes have to follow the payload for zlib-rs to be fast up to its end.
const AHEAD: usize = 15;

/// A message may inflate to so many bytes, whatever the ratio limit says.
const RATIO_FREE: u64 = 64 << 10;

/// Room for a first step of output: small steps make inflating slow, and room that stays empty was
/// zeroed for nothing.
const MIN_STEP: usize = 2 << 10;
const MAX_STEP: usize = 128 << 10;

/// Room for the pieces of a long text: a text of 64 KiB is one piece, with the rest for the bytes at the
/// end of its room, which zlib-rs would write slowly.
const TEXT_STEP: usize = (64 << 10) + 512;

/// One direction: the peer's messages.
pub(crate) struct Inflater {
    /// The window is kept between messages (RFC 7692 §7.2.2).
    takeover: bool,
    ratio: u32,
    source: Source,
    /// `None` until a compressed message comes, and between messages without takeover.
    inflating: Option<Box<Inflating>>,
    /// How much of the caller's buffer the window has.
    noted: usize,
    in_message: bool,
    /// What was taken last ended with a final block: the message may end here.
    after_final: bool,
    /// More may come out without more input.
    more: bool,
    /// Payload bytes of this message's frames, and bytes that came out of them.
    announced: u64,
    produced: u64,
}

/// Where an inflater comes from, and what its window begins with.
struct Source {
    supply: Supply,
    /// The peer's window has 2^this bytes (RFC 7692 §7.1.2).
    window_bits: u8,
    /// What the window of a parked inflater had.
    parked: Vec<u8>,
    /// What every byte of the window counts as before the first message.
    assumed: Option<u8>,
}

/// Why a step ended.
#[derive(PartialEq, Eq)]
enum Stop {
    /// The end of the input or of the room for output.
    Edge,
    /// The end of a block with BFINAL set.
    FinalBlock,
    /// Data that is not DEFLATE.
    Corrupt,
}

impl Inflater {
    pub(super) fn new(takeover: bool, window_bits: u8, ratio: u32, supply: Supply) -> Self {
        Self {
            takeover,
            ratio,
            source: Source {
                supply,
                // zlib has no smaller one: a peer that agreed on 8 and uses zlib has 9 too.
                window_bits: window_bits.max(9),
                parked: Vec::new(),
                assumed: None,
            },
            inflating: None,
            noted: 0,
            in_message: false,
            after_final: false,
            more: false,
            announced: 0,
            produced: 0,
        }
    }

    /// A frame of a compressed message begins, with so much payload. The ratio limit counts by it, so
    /// that it does not depend on how the payload is cut.
    pub(crate) fn frame(&mut self, len: u64) {
        self.announced = self.announced.saturating_add(len);
    }

    /// Inflates the next part of a message's payload; `fin`: it is the last part, which may be empty.
    ///
    /// The message is `out[..*filled]`, from its beginning, and the rest of `out` is room. `out` grows
    /// as bytes come out, never past `limit`.
    pub(crate) fn inflate(
        &mut self,
        mut input: &[u8],
        fin: bool,
        out: &mut Vec<u8>,
        filled: &mut usize,
        limit: u64,
    ) -> Result<(), DecodeError> {
        self.in_message = true;
        loop {
            let left = self.left(limit)?;
            grow(out, *filled, input.len(), left);
            let room = &mut out[*filled..];
            let room_len = usize::try_from(left).map_or(room.len(), |left| left.min(room.len()));
            // Full: what else comes may end the message, not lengthen it.
            let mut probe = [0];
            let room = match left {
                0 => &mut probe,
                _ => &mut room[..room_len],
            };
            let inflating = self.source.ready(&mut self.inflating);
            let before = input.len();
            let (written, stop) = step(&mut inflating.zlib, &mut input, room);
            self.after_final = self.after_final && input.len() == before;
            let more = written == room.len() || !input.is_empty();
            self.count(written, limit)?;
            *filled += written;
            match stop {
                Stop::FinalBlock => {
                    self.note(&out[..*filled]);
                    self.final_block();
                }
                Stop::Corrupt => return Err(DecodeError::Corrupt),
                Stop::Edge if more => {}
                Stop::Edge => break,
            }
        }
        if fin {
            if self.takeover {
                self.note(&out[..*filled]);
            }
            self.finish()?;
        }
        Ok(())
    }

    /// Inflates the next piece of a message, into `room`, or where that is empty into that of
    /// the window: at most 16 KiB then. It is lent until the next call. `None`: all of `input` was taken and
    /// nothing more comes out of it; with `fin`, the message is over.
    ///
    /// What precedes corrupt data comes out first, however the input is cut, so that it is judged
    /// first.
    ///
    /// A message is inflated either by this or by [`inflate`](Self::inflate).
    pub(crate) fn piece<'p>(
        &'p mut self,
        input: &mut &[u8],
        fin: bool,
        room: &'p mut [u8],
        limit: u64,
    ) -> Result<Option<&'p [u8]>, DecodeError> {
        self.in_message = true;
        while self.more || !input.is_empty() {
            let left = self.left(limit)?;
            let Inflating { zlib, window, .. } = self.source.ready(&mut self.inflating);
            let in_window = room.is_empty();
            let space = if in_window { window.room() } else { &mut *room };
            let len = usize::try_from(left).map_or(space.len(), |left| left.clamp(1, space.len()));
            let space = &mut space[..len];
            let before = input.len();
            let (written, stop) = step(zlib, input, space);
            self.after_final = self.after_final && input.len() == before;
            self.more = written == space.len() || stop == Stop::Corrupt;
            // No block comes any more that could refer to it: neither in this message nor in a later one.
            let forgotten = fin && input.is_empty() && !self.takeover;
            if in_window {
                window.filled(written);
            } else if !forgotten {
                window.push(&room[..written]);
            }
            self.count(written, limit)?;
            if stop == Stop::FinalBlock {
                self.final_block();
            }
            if written > 0 {
                return Ok(Some(if in_window {
                    self.last(written)
                } else {
                    &room[..written]
                }));
            }
            if stop == Stop::Corrupt {
                return Err(DecodeError::Corrupt);
            }
        }
        if fin {
            self.finish()?;
        }
        Ok(None)
    }

    /// Inflates a short message at once, which is over with [`end`](Self::end).
    /// `None`: nothing was done, as the message is to be inflated in another way.
    ///
    /// zlib-rs slows down for the last bytes of its input, so it gets more: the payload, the tail and
    /// something after that. Told to stop after each block, it has to stop right after the tail, and
    /// the block that ends there must put out nothing: then the message is whole. If it is not, it is
    /// inflated again from its beginning in the other way, which tells why.
    pub(crate) fn short(&mut self, payload: &[u8], limit: u64) -> Option<&[u8]> {
        let len = payload.len();
        let final_block = payload.first().is_none_or(|first| first & 1 != 0);
        if final_block || len > INPUT - AHEAD || limit < Window::ROOM as u64 {
            return None;
        }
        let Inflating {
            zlib,
            window,
            input,
        } = self.source.ready(&mut self.inflating);
        let space = window.room();
        let copy = &mut input.0[..len + AHEAD];
        copy[..len].copy_from_slice(payload);
        copy[len..].copy_from_slice(&TAIL_AND_MORE);
        let (began, empty) = (zlib.total_in(), zlib.total_out());
        let (mut read, mut written) = (0, 0);
        let whole = loop {
            let before = written;
            let flush = InflateFlush::Block;
            let status = zlib.decompress(&copy[read..], &mut space[written..], flush);
            // Both are at most as long as the slices.
            read = (zlib.total_in() - began) as usize;
            written = (zlib.total_out() - empty) as usize;
            if status != Ok(Status::Ok) || written == space.len() {
                break false;
            }
            if let Some(after @ 1..) = read.checked_sub(len) {
                break after == TAIL && written == before;
            }
        };
        if !whole {
            self.restart();
            return None;
        }
        window.filled(written);
        Some(self.last(written))
    }

    /// What the window took last.
    fn last(&self, len: usize) -> &[u8] {
        let inflating = self.inflating.as_ref();
        inflating.map_or(&[], |inflating| inflating.window.last(len))
    }

    /// How much room the pieces of a text want for so much input; none if that in the window is enough.
    /// Inflating is slow at the end of its room, so a long text gets few of them.
    pub(crate) fn room_for(input_len: usize) -> usize {
        match guess(input_len) {
            ..=Window::ROOM => 0,
            len => len.min(TEXT_STEP),
        }
    }

    /// Messages before the first one were not seen: the window is full of this byte. Says how long it is.
    pub(super) fn assume(&mut self, byte: u8) -> Option<usize> {
        self.source.assumed = self.takeover.then_some(byte);
        self.takeover.then_some(1 << self.source.window_bits)
    }

    /// Between messages: gives up zlib's state until the next one. A window that was agreed on stays.
    pub(crate) fn park(&mut self) {
        if !self.in_message
            && let Some(inflating) = self.inflating.take()
        {
            self.source.parked = inflating.window.history().concat();
            self.source.supply.give_inflate(inflating);
        }
    }

    /// Between messages, or after the last one: what the next may refer to.
    pub(super) fn window(&self) -> Vec<u8> {
        match &self.inflating {
            // In a message that a Close frame cut off.
            Some(_) if !self.takeover => Vec::new(),
            Some(inflating) => inflating.window.history().concat(),
            None => self.source.parked.clone(),
        }
    }

    /// Before the first message: it may refer to this; false if none of the peer's may.
    pub(super) fn resume(&mut self, window: &[u8]) -> bool {
        self.source.parked = window.into();
        window.is_empty() || self.takeover && window.len() <= 1 << self.source.window_bits
    }

    /// The most that one for a window of 2^`bits` bytes holds: also while it is parked.
    pub(super) fn most(bits: u8) -> usize {
        let window = 1 << bits.max(9);
        size_of::<Inflating>() + INFLATE_LEN + Window::most(window) + window
    }

    pub(crate) fn memory_most(&self) -> usize {
        Self::most(self.source.window_bits)
    }

    pub(crate) fn memory_held(&self) -> usize {
        let inflating = self.inflating.as_ref();
        inflating.map_or(0, |inflating| inflating.memory_held()) + self.source.parked.capacity()
    }

    /// How much more may come out.
    fn left(&self, limit: u64) -> Result<u64, DecodeError> {
        let max = limit.min(self.ratio_limit());
        let left = max.checked_sub(self.produced);
        left.ok_or_else(|| self.too_long(limit))
    }

    /// Takes note of output, which is one byte over where there was no room left.
    fn count(&mut self, written: usize, limit: u64) -> Result<(), DecodeError> {
        self.produced = self.produced.saturating_add(written as u64);
        self.left(limit).map(drop)
    }

    fn ratio_limit(&self) -> u64 {
        match self.ratio {
            0 => u64::MAX,
            ratio => RATIO_FREE.max(self.announced.saturating_mul(u64::from(ratio))),
        }
    }

    fn too_long(&self, limit: u64) -> DecodeError {
        if self.ratio_limit() < limit {
            return DecodeError::Ratio { max: self.ratio };
        }
        DecodeError::TooLong {
            value: self.produced,
            max: limit,
        }
    }

    /// Copies what came out of the message after `noted` into the window.
    fn note(&mut self, message: &[u8]) {
        if let Some(inflating) = &mut self.inflating {
            inflating.window.push(&message[self.noted..]);
        }
        self.noted = message.len();
    }

    /// After a final block the next one begins as in a new stream, at a byte boundary, but may refer
    /// to everything before it (RFC 7692 §7.2.3.4).
    fn final_block(&mut self) {
        self.after_final = true;
        self.restart();
    }

    fn restart(&mut self) {
        if let Some(inflating) = &mut self.inflating {
            inflating.zlib.reset(false);
            inflating.prime();
        }
    }

    /// The end of the message. A payload that is cut off, or that ends in another way than RFC 7692
    /// §7.2.1 has it, is refused: with the four bytes that were taken off, an empty stored block has to
    /// be whole, and nothing else may come out. Told to stop at a block boundary, the inflater then
    /// leaves the probe byte.
    ///
    /// A payload that ends with a final block is whole as it is: DEFLATE itself says so. Senders that
    /// finish a stream for each message leave out the byte after it that §7.2.3.4 asks for.
    fn finish(&mut self) -> Result<(), DecodeError> {
        // A message of no bytes has no final block: that was one before it, which its four bytes made whole.
        if self.after_final && self.announced > 0 {
            self.end();
            return Ok(());
        }
        let Inflating { zlib, .. } = self.source.ready(&mut self.inflating);
        let before = zlib.total_in();
        let mut nothing = [0; 8];
        let written = zlib.total_out();
        zlib.decompress(&TAIL_AND_PROBE, &mut nothing, InflateFlush::Block)
            .map_err(|_| DecodeError::Corrupt)?;
        if zlib.total_in() - before != TAIL as u64 || zlib.total_out() != written {
            return Err(DecodeError::Corrupt);
        }
        self.end();
        Ok(())
    }

    /// The message is over, and with it the state where nothing is taken over.
    pub(crate) fn end(&mut self) {
        self.noted = 0;
        self.in_message = false;
        self.after_final = false;
        self.announced = 0;
        self.produced = 0;
        if !self.takeover {
            if let Some(inflating) = self.inflating.take() {
                self.source.supply.give_inflate(inflating);
            }
        } else if self.source.window_bits < INFLATE_BITS {
            // zlib knows more than the peer may refer to, or not if it had to begin again: never, then.
            self.restart();
        }
    }
}

impl fmt::Debug for Inflater {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inflater")
            .field("takeover", &self.takeover)
            .field("in_message", &self.in_message)
            .field("produced", &self.produced)
            .field("memory_held", &self.memory_held())
            .finish_non_exhaustive()
    }
}

impl Source {
    /// The inflater that is there, or one that knows what was parked.
    fn ready<'i>(&mut self, inflating: &'i mut Option<Box<Inflating>>) -> &'i mut Inflating {
        inflating.get_or_insert_with(|| {
            let mut inflating = self.supply.inflate();
            inflating.window.restart(self.window_bits);
            if let Some(byte) = self.assumed.take() {
                self.parked = vec![byte; 1 << self.window_bits];
            }
            if !self.parked.is_empty() {
                inflating.window.push(&core::mem::take(&mut self.parked));
                inflating.prime();
            }
            inflating
        })
    }
}

impl Inflating {
    /// Tells zlib what the window holds.
    fn prime(&mut self) {
        for part in self.window.history() {
            // Cannot fail: a raw stream takes a dictionary at any time.
            let primed = self.zlib.set_dictionary(part);
            debug_assert!(primed.is_ok());
        }
    }
}

/// Inflates until the input or the room is used up, or a final block ends, or the data is corrupt,
/// which it then stays. Says how much came out.
fn step(zlib: &mut Inflate, input: &mut &[u8], room: &mut [u8]) -> (usize, Stop) {
    let (read, written) = (zlib.total_in(), zlib.total_out());
    let status = zlib.decompress(input, room, InflateFlush::NoFlush);
    // Both are at most as long as the slices.
    let read = (zlib.total_in() - read) as usize;
    let written = (zlib.total_out() - written) as usize;
    *input = &input[read..];
    let stop = match status {
        Ok(Status::StreamEnd) => Stop::FinalBlock,
        Err(_) => Stop::Corrupt,
        // Never without progress.
        Ok(_) if (read, written) == (0, 0) && !input.is_empty() => Stop::Corrupt,
        Ok(_) => Stop::Edge,
    };
    (written, stop)
}

/// How long input of this length may become: text is compressed to a third or a sixth.
fn guess(input_len: usize) -> usize {
    input_len.saturating_mul(6).clamp(MIN_STEP, MAX_STEP)
}

/// Makes room after `filled` for what `input_len` bytes may become: at most `left` bytes.
fn grow(out: &mut Vec<u8>, filled: usize, input_len: usize, left: u64) {
    let left = usize::try_from(left).unwrap_or(usize::MAX);
    if out.len() - filled >= left.min(MIN_STEP) {
        return;
    }
    // Later steps double.
    let len = filled.saturating_add(guess(input_len).max(filled).min(left));
    if out.capacity() == 0 {
        // Memory that comes zeroed need not be written.
        *out = vec![0; len];
    } else if len > out.len() {
        out.reserve_exact(len - out.len());
        out.resize(len, 0);
    }
}
