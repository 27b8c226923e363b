//! Compression of messages (RFC 7692 §7.2.1).

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;

use zlib_rs::{Deflate, DeflateFlush};

use super::config::PermessageDeflate;
use super::pool::{Deflating, Shape, Supply};

/// The empty stored block that a flush ends with, without its first three bits.
const TAIL: [u8; 4] = [0, 0, 0xff, 0xff];

/// The payload where nothing came out, as there was nothing to flush (RFC 7692 §7.2.3.6).
const NOTHING: u8 = 0;

/// Room for output of one step, at most.
const STEP: usize = 64 << 10;

/// The longest message that is short, and room for it compressed: fixed codes make at most 9 bits of a byte.
const SHORT: usize = 1600;
const SCRATCH: usize = 2 << 10;

/// One direction: our own messages.
pub(crate) struct Deflater {
    /// The window is kept between messages (RFC 7692 §7.2.1).
    takeover: bool,
    threshold: usize,
    window_bits: u8,
    shape: Shape,
    supply: Supply,
    /// `None` until a message is compressed, and between messages without takeover.
    deflating: Option<Box<Deflating>>,
    in_message: bool,
    /// This message shares no window with others.
    alone: bool,
}

impl Deflater {
    /// With a window of 2^`window_bits` bytes, 8 to 15.
    pub(super) fn new(takeover: bool, window_bits: u8, settings: &PermessageDeflate) -> Self {
        Self {
            takeover,
            threshold: settings.threshold,
            window_bits,
            shape: settings.shape(window_bits),
            supply: settings.supply.clone(),
            deflating: None,
            in_message: false,
            alone: false,
        }
    }

    /// Whether a message of `len` bytes is worth compressing.
    pub(crate) fn wants(&self, len: usize) -> bool {
        len >= self.threshold
    }

    /// Whether a message may refer to those before it. Where it may not, one that was compressed
    /// elsewhere with at most [`window_bits`](Self::window_bits) can be sent in place of ours.
    pub(crate) fn takeover(&self) -> bool {
        self.takeover
    }

    /// What was agreed on, 8 to 15.
    pub(crate) fn window_bits(&self) -> u8 {
        self.window_bits
    }

    /// The next message has a context of its own: nothing in it is found in what was sent before,
    /// and what is sent later finds nothing in it. Keeps secrets from being guessed by the length of
    /// what stands beside them (RFC 7692 §8).
    pub(crate) fn alone(&mut self) {
        self.park();
        self.alone = true;
    }

    /// What [`deflate`](Self::deflate) makes room for, at first.
    pub(crate) fn room(len: usize) -> usize {
        // What cannot be compressed is stored, in blocks with five bytes each.
        (len + len / 64 + 64).min(STEP)
    }

    /// Compresses the next part of a message and appends it to `out`, whole: the payload of a
    /// frame. `fin`: it is the last part, which may be empty.
    pub(crate) fn deflate(&mut self, part: &[u8], fin: bool, out: &mut Vec<u8>) {
        self.in_message = true;
        if part.is_empty() && !fin {
            // No block for an empty part: a pooled compressor and a fresh one would differ.
            return;
        }
        let flush = self.flush(fin);
        let start = out.len();
        let zlib = &mut self.ready().zlib;
        let end = compress(zlib, part, out, start, flush);
        out.truncate(end);
        if !fin {
            // RFC 7692 §7.2.1: fragments but the last keep the four bytes.
            return;
        }
        if out[start..].ends_with(&TAIL) {
            out.truncate(out.len() - TAIL.len());
        } else {
            out.push(NOTHING);
        }
        self.end();
    }

    /// All of a short message at once: its payload. The message is over with [`end`](Self::end).
    /// `None`: nothing was done, as the message is long.
    ///
    /// It is compressed in a buffer of its own and copied: clearing room for it at the end of the
    /// queue takes longer.
    pub(crate) fn short(&mut self, message: &[u8]) -> Option<&[u8]> {
        if message.len() > SHORT {
            return None;
        }
        let flush = self.flush(true);
        let Deflating { zlib, scratch } = self.ready();
        if scratch.is_empty() {
            scratch.resize(SCRATCH, 0);
        }
        let end = compress(zlib, message, scratch, 0, flush);
        Some(scratch[..end].strip_suffix(&TAIL).unwrap_or(&[NOTHING]))
    }

    /// The message is over, and with it the state where nothing is taken over.
    pub(crate) fn end(&mut self) {
        self.in_message = false;
        if !self.keeps_context() {
            self.give_up();
        }
        self.alone = false;
    }

    /// Whether later messages may refer to this one.
    fn keeps_context(&self) -> bool {
        self.takeover && !self.alone
    }

    fn flush(&self, fin: bool) -> DeflateFlush {
        if fin && !self.keeps_context() {
            // It gives the same bytes, forgets the window, and is cheaper than a reset.
            DeflateFlush::FullFlush
        } else {
            DeflateFlush::SyncFlush
        }
    }

    fn ready(&mut self) -> &mut Deflating {
        self.deflating
            .get_or_insert_with(|| self.supply.deflate(self.shape))
    }

    /// Between messages: gives up the compressor. The next message starts with an empty window, as
    /// any message may.
    pub(crate) fn park(&mut self) {
        if !self.in_message {
            if let Some(deflating) = &mut self.deflating {
                deflating.zlib.reset();
            }
            self.give_up();
        }
    }

    /// How it stands in a message, as a number. What its window holds is no part of that: whoever goes on begins with
    /// an empty one, as each part of a message may.
    pub(super) fn stands(&self) -> u8 {
        u8::from(self.in_message) | u8::from(self.alone) << 1
    }

    /// Stands like that, with an empty window; false if none does.
    pub(super) fn stand(&mut self, stands: u8) -> bool {
        (self.in_message, self.alone) = (stands & 1 != 0, stands & 2 != 0);
        stands < 4
    }

    /// What is given up has an empty window.
    fn give_up(&mut self) {
        if let Some(deflating) = self.deflating.take() {
            self.supply.give_deflate(self.shape, deflating);
        }
    }

    /// The most that a message of `len` bytes may become, with room for a step more.
    pub(crate) fn most_of(len: usize) -> usize {
        // What has no pattern is stored or takes 9 bits a byte, in blocks that have a few bytes each.
        len.saturating_add(len / 4).saturating_add(1 << 10)
    }

    /// The most that one with this shape holds.
    pub(super) fn most(shape: Shape) -> usize {
        size_of::<Deflating>() + shape.len() + SCRATCH
    }

    pub(crate) fn memory_most(&self) -> usize {
        Self::most(self.shape)
    }

    pub(crate) fn memory_held(&self) -> usize {
        let deflating = self.deflating.as_ref();
        deflating.map_or(0, |deflating| deflating.memory_held(self.shape))
    }
}

impl fmt::Debug for Deflater {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Deflater")
            .field("takeover", &self.takeover)
            .field("shape", &self.shape)
            .field("in_message", &self.in_message)
            .field("memory_held", &self.memory_held())
            .finish_non_exhaustive()
    }
}

/// Compresses all of `part` and flushes, so that the peer can inflate it at once. Writes to
/// `out[filled..]`, which grows if that does not do; says where it came to.
fn compress(
    zlib: &mut Deflate,
    mut part: &[u8],
    out: &mut Vec<u8>,
    mut filled: usize,
    flush: DeflateFlush,
) -> usize {
    loop {
        // Almost always one step.
        let len = filled + Deflater::room(part.len());
        if out.len() < len {
            out.resize(len, 0);
        }
        let (read, written) = (zlib.total_in(), zlib.total_out());
        let result = zlib.compress(part, &mut out[filled..], flush);
        // Cannot fail: no stream is ever told to finish, and the room is never empty.
        debug_assert!(result.is_ok());
        // Both are at most as long as the slices.
        let read = (zlib.total_in() - read) as usize;
        let written = (zlib.total_out() - written) as usize;
        part = &part[read..];
        filled += written;
        // A flush is complete when it leaves room.
        let progress = read > 0 || written > 0;
        if !progress || (filled < out.len() && part.is_empty()) {
            return filled;
        }
    }
}
