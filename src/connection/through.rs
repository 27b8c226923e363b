//! A message past the queue: its bytes go to the transport from where they lie (RFC 6455 §6.1).

use crate::error::{SendError, Unsent};
use crate::event::Kind;
use crate::extension::Compress;
use crate::frame::{FrameHeader, first_byte, write_header};
use crate::mask::{MaskingKey, apply_mask};
use crate::role::Role;

use super::Connection;
use super::outgoing::{Outgoing, Prepared};

impl Connection {
    /// Queues a message as [`send`](Self::send) does, and hands all that is queued to `write` in one call, which
    /// returns how many bytes the transport has taken: `send`, [`output_slices`](Self::output_slices) and
    /// [`consume_output`](Self::consume_output) in one. A borrowed payload is not copied but handed to
    /// `write` where it lies; what is not taken of it is queued by copy, or shared if it is [`Prepared`].
    ///
    /// Where the transport takes nothing now, or failed, `write` returns 0, and the message waits in the
    /// queue like any other. More than it was given counts as all. Of a queue in more than 16 pieces it is
    /// given the first 16.
    ///
    /// A payload is copied where it has to be changed: by a client, which masks it (RFC 6455 §5.3), unless it
    /// is a `&mut [u8]` or a binary message lent from the input, which it masks in place; by an extension that
    /// encodes; where messages are split; and under a ceiling on memory
    /// ([`Limits::memory`](crate::config::Limits::memory)).
    ///
    /// # Errors
    /// As [`send`](Self::send); `write` is not called then.
    ///
    /// ```
    /// use std::io::{IoSlice, Write};
    /// # use sansocket::{Connection, Negotiated, ServerConfig, error::SendError};
    /// # let mut ws = Connection::upgraded_server(&ServerConfig::upgraded(), Negotiated::default());
    /// # let mut socket = Vec::new();
    /// let mut failed = None;
    /// ws.send_through(&[7; 100_000][..], |slices| {
    ///     let slices: Vec<_> = slices.iter().map(|slice| IoSlice::new(slice)).collect();
    ///     socket.write_vectored(&slices).unwrap_or_else(|error| {
    ///         failed = Some(error); // unless it is `WouldBlock`: `write_lost`
    ///         0
    ///     })
    /// })?;
    /// assert_eq!((socket.len(), ws.output_len()), (100_010, 0));
    /// # assert!(failed.is_none());
    /// # Ok::<(), SendError>(())
    /// ```
    #[inline]
    pub fn send_through<M: Outgoing>(
        &mut self,
        message: M,
        write: impl FnOnce(&[&[u8]]) -> usize,
    ) -> Result<(), Unsent<M::Back>> {
        message.send_through_on(self, write)
    }

    /// A payload that stays where it is.
    #[inline]
    pub(super) fn send_lent(
        &mut self,
        kind: Kind,
        payload: &[u8],
        write: impl FnOnce(&[&[u8]]) -> usize,
    ) -> Result<(), SendError> {
        if self.role() == Role::Client || !self.goes_past_queue(payload.len()) {
            self.send_borrowed(kind, payload, Compress::Auto)?;
            self.write_queued(write);
            return Ok(());
        }
        self.write_frame(kind, None, payload, write);
        Ok(())
    }

    /// A binary payload that a client masks where it is.
    pub(super) fn send_lent_mut(
        &mut self,
        payload: &mut [u8],
        write: impl FnOnce(&[&[u8]]) -> usize,
    ) -> Result<(), SendError> {
        if self.role() == Role::Server || !self.goes_past_queue(payload.len()) {
            return self.send_lent(Kind::Binary, payload, write);
        }
        let key = self.entropy.masking_key()?;
        apply_mask(payload, key, 0);
        self.write_frame(Kind::Binary, Some(key), payload, write);
        Ok(())
    }

    /// A message whose frame a server's connections share.
    pub(super) fn send_prepared_through(
        &mut self,
        prepared: &Prepared,
        write: impl FnOnce(&[&[u8]]) -> usize,
    ) -> Result<(), SendError> {
        let len = prepared.payload_len();
        if self.role() == Role::Server && self.goes_past_queue(len) {
            let frame = prepared.frame();
            let (header, payload) = frame.split_at(frame.len() - len);
            if let Some(taken) = self.write_through(header, payload, write) {
                self.queue_rest_of_shared(prepared, taken);
            }
            return Ok(());
        }
        self.send_prepared(prepared, Compress::Auto)?;
        self.write_queued(write);
        Ok(())
    }

    /// A message of this length is one frame, as it is; all that is queued can be written with it, and nothing
    /// has to be told of what leaves.
    #[inline]
    fn goes_past_queue(&self, len: usize) -> bool {
        self.sends_plain(len) && self.rare.is_none() && self.output.pieces() <= SLICES - 2
    }

    /// As [`write_through`](Self::write_through), with the header of a whole message; `payload` is masked already.
    /// Inlined with it: as calls they take a fifth longer.
    #[inline(always)]
    fn write_frame(
        &mut self,
        kind: Kind,
        key: Option<MaskingKey>,
        payload: &[u8],
        write: impl FnOnce(&[&[u8]]) -> usize,
    ) {
        let mut header = [0; FrameHeader::MAX_LEN];
        let first = first_byte(true, 0, kind.opcode());
        let len = write_header(&mut header, first, key, payload.len() as u64);
        let header = &header[..len];
        if let Some(taken) = self.write_through(header, payload, write) {
            self.queue_rest(header, payload, taken);
        }
    }

    /// Hands what is queued and a frame to `write`. How much that took of the frame, unless it is all: the rest is to
    /// be queued.
    #[inline(always)]
    fn write_through(
        &mut self,
        header: &[u8],
        payload: &[u8],
        write: impl FnOnce(&[&[u8]]) -> usize,
    ) -> Option<usize> {
        let queued = self.output.len();
        let taken = if queued == 0 {
            write(&[header, payload])
        } else {
            let mut slices = [&[][..]; SLICES];
            let filled = self.output.slices(&mut slices);
            slices[filled] = header;
            slices[filled + 1] = payload;
            write(&slices[..filled + 2])
        };
        self.life.output_left(taken);
        if queued > 0 {
            self.output.consume(taken.min(queued));
        }
        let of_frame = taken.saturating_sub(queued);
        (of_frame < header.len() + payload.len()).then_some(of_frame)
    }

    /// Out of line: a transport that takes all does without.
    #[inline(never)]
    fn queue_rest(&mut self, header: &[u8], payload: &[u8], taken: usize) {
        self.use_spare();
        self.output.rest_of_frame(header, payload, taken);
    }

    /// The frame stays one that connections share.
    #[inline(never)]
    fn queue_rest_of_shared(&mut self, prepared: &Prepared, taken: usize) {
        self.use_spare();
        let frame = prepared.frame();
        self.output.frame_shared(frame, prepared.payload_len());
        self.output.consume(taken);
    }

    /// Hands what is queued to `write`.
    #[inline(never)]
    pub(super) fn write_queued(&mut self, write: impl FnOnce(&[&[u8]]) -> usize) {
        let taken = self.offer_output(write);
        self.consume_output(taken);
    }

    /// How much `write` takes of what is queued.
    pub(crate) fn offer_output(&self, write: impl FnOnce(&[&[u8]]) -> usize) -> usize {
        let mut slices = [&[][..]; SLICES];
        let filled = self.output.slices(&mut slices);
        let given = slices[..filled].iter().map(|slice| slice.len()).sum();
        write(&slices[..filled]).min(given)
    }
}

/// So many pieces are written at once.
const SLICES: usize = 16;
