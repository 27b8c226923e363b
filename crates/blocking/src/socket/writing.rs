//! What is queued, and what is sent past the queue, to the stream.

use std::io::{self, IoSlice};

use sansocket::Outgoing;
use sansocket::error::Unsent;

use super::{WebSocket, gives_way};
use crate::stream::Stream;

/// Pieces of output for one vectored write. A message past the queue comes in no more, with what is queued before it.
const PIECES: usize = 16;

/// From so many bytes on a message is not copied into the queue first, as the core queues by reference from there on.
/// Time is gained from 32 KiB on (`benches/README.md`); below 4 KiB one piece leaves as fast as two.
const THROUGH: usize = 4 << 10;

impl<S: Stream> WebSocket<S> {
    /// Queues a message; of a large one that is borrowed, what the stream does not take now.
    pub(crate) fn send_now<M: Outgoing>(&mut self, message: M) -> Result<(), Unsent<M::Back>> {
        if !M::COPIED || !self.io.writes_vectored() {
            return self.ws.send(message);
        }
        let (mut taken, mut failed) = (0, None);
        let io = &mut self.io;
        self.ws.send_through(message, |slices| {
            (taken, failed) = write_now(io, slices);
            taken
        })?;
        self.unflushed |= taken > 0;
        if let Some(error) = failed {
            self.write_failed(error);
        }
        Ok(())
    }

    /// Writes some of the output. False if there is none, or the stream takes nothing.
    pub(super) fn write(&mut self) -> bool {
        if self.ws.output().is_empty() {
            if self.unflushed && !self.shut {
                match self.io.flush() {
                    Ok(()) => self.unflushed = false,
                    Err(error) if gives_way(&error) => {}
                    Err(error) => self.write_failed(error),
                }
            }
            return false;
        }
        match self.write_some() {
            Ok(0) => self.write_failed(io::ErrorKind::WriteZero.into()),
            Ok(n) => {
                self.ws.consume_output(n);
                self.unflushed = true;
            }
            Err(error) if gives_way(&error) => return false,
            Err(error) => self.write_failed(error),
        }
        true
    }

    fn write_some(&mut self) -> io::Result<usize> {
        let first = self.ws.output();
        if first.len() == self.ws.output_len() || !self.io.writes_vectored() {
            return self.io.write(first);
        }
        let mut pieces = [&[][..]; PIECES];
        let n = self.ws.output_slices(&mut pieces);
        let pieces = pieces.map(IoSlice::new);
        self.io.write_vectored(pieces.get(..n).unwrap_or_default())
    }

    /// Nothing can be written any more. What the peer said last may still be read.
    pub(super) fn write_failed(&mut self, error: io::Error) {
        self.shut = true;
        self.broken = true;
        self.error.get_or_insert(error);
        self.ws.write_lost();
    }
}

/// How much one write takes, and what went wrong. Of little it takes nothing. There is no second one, as whoever
/// receives may wait for a turn.
fn write_now(io: &mut impl Stream, slices: &[&[u8]]) -> (usize, Option<io::Error>) {
    let slices = slices.get(..PIECES).unwrap_or(slices);
    let all: usize = slices.iter().map(|slice| slice.len()).sum();
    if all < THROUGH {
        return (0, None);
    }
    let mut pieces = [IoSlice::new(&[]); PIECES];
    for (piece, slice) in pieces.iter_mut().zip(slices) {
        *piece = IoSlice::new(slice);
    }
    match io.write_vectored(pieces.get(..slices.len()).unwrap_or_default()) {
        Ok(0) => (0, Some(io::ErrorKind::WriteZero.into())),
        Ok(n) => (n, None),
        Err(error) if gives_way(&error) => (0, None),
        Err(error) => (0, Some(error)),
    }
}
