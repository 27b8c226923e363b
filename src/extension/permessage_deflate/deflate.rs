//! Compression of messages (RFC 7692 §7.2.1).

use super::config::PermessageDeflate;
use super::pool::{Shape, Supply};
use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;
use zlib_rs::{Deflate, DeflateFlush};

/// The empty stored block that a flush ends with, but for its first bits.
const TAIL: [u8; 4] = [0, 0, 0xff, 0xff];

/// Room for output of one step, at most.
const STEP: usize = 64 << 10;

/// One direction: our own messages.
pub(crate) struct Deflater {
    /// The window is kept between messages (RFC 7692 §7.2.1).
    takeover: bool,
    threshold: usize,
    window_bits: u8,
    shape: Shape,
    supply: Supply,
    /// `None` until a message is compressed, and between messages without takeover.
    zlib: Option<Box<Deflate>>,
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
            zlib: None,
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
            // Whether that is worth a block depends on where the compressor comes from: it never is.
            return;
        }
        let zlib = self
            .zlib
            .get_or_insert_with(|| self.supply.deflate(self.shape));
        let start = out.len();
        // The same bytes, and no later message finds anything of this one: cheaper than a reset.
        let kept = self.takeover && !self.alone;
        let flush = if fin && !kept {
            DeflateFlush::FullFlush
        } else {
            DeflateFlush::SyncFlush
        };
        compress(zlib, part, out, flush);
        if !fin {
            // RFC 7692 §7.2.1: fragments but the last keep the four bytes.
            return;
        }
        if out[start..].ends_with(&TAIL) {
            out.truncate(out.len() - TAIL.len());
        } else {
            // Nothing came out: there was nothing to flush (RFC 7692 §7.2.3.6).
            out.push(0);
        }
        self.in_message = false;
        if !kept {
            self.give_up();
        }
        self.alone = false;
    }

    /// Between messages: gives up the compressor. The next message starts with an empty window, as
    /// any message may.
    pub(crate) fn park(&mut self) {
        if !self.in_message {
            if let Some(zlib) = &mut self.zlib {
                zlib.reset();
            }
            self.give_up();
        }
    }

    /// What is given up has an empty window.
    fn give_up(&mut self) {
        if let Some(zlib) = self.zlib.take() {
            self.supply.give_deflate(self.shape, zlib);
        }
    }

    pub(crate) fn memory_held(&self) -> usize {
        self.zlib.as_ref().map_or(0, |_| self.shape.len())
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

/// Compresses all of `part` and flushes, so that the peer can inflate it at once.
fn compress(zlib: &mut Deflate, mut part: &[u8], out: &mut Vec<u8>, flush: DeflateFlush) {
    loop {
        // Almost always one step.
        let room = Deflater::room(part.len());
        let start = out.len();
        out.resize(start + room, 0);
        let (read, written) = (zlib.total_in(), zlib.total_out());
        let result = zlib.compress(part, &mut out[start..], flush);
        // Cannot fail: no stream is ever told to finish, and the room is never empty.
        debug_assert!(result.is_ok());
        // Both are at most as long as the slices.
        let read = (zlib.total_in() - read) as usize;
        let written = (zlib.total_out() - written) as usize;
        part = &part[read..];
        out.truncate(start + written);
        // A flush is complete when it leaves room.
        let progress = read > 0 || written > 0;
        if !progress || (written < room && part.is_empty()) {
            return;
        }
    }
}
