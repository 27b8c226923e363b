//! What is queued, and what is sent past the queue, to the stream.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, Waker, ready};

use sansocket::Outgoing;
use sansocket::error::Unsent;
use tokio::io::{AsyncRead, AsyncWrite};

use super::Driver;

/// Pieces of output for one vectored write. A message past the queue comes in no more, with what is queued before it.
const PIECES: usize = 32;

/// From so many bytes on a message is not copied into the queue first, as the core queues by reference from there on.
/// Time is gained from 32 KiB on (`benches/README.md`); below 4 KiB one piece leaves as fast as two.
const THROUGH: usize = 4 << 10;

impl<S: AsyncRead + AsyncWrite + Unpin> Driver<S> {
    /// Queues a message and writes what can be written now: of a large one that is borrowed from where it lies.
    /// What is left leaves while somebody waits for the connection.
    pub(crate) fn send_now<M: Outgoing>(
        &mut self,
        message: M,
        all: &Waker,
    ) -> Result<(), Unsent<M::Back>> {
        if M::COPIED && self.io.is_write_vectored() {
            self.send_through(message, &mut Context::from_waker(all))?;
        } else {
            self.send(message)?;
        }
        self.push(all);
        Ok(())
    }

    /// The same where the receiver is another task, which need not wake up for it.
    pub(crate) fn send_now_and_rest<M: Outgoing>(
        &mut self,
        message: M,
        all: &Waker,
    ) -> Result<(), Unsent<M::Back>> {
        self.send_now(message, all)?;
        self.rest();
        Ok(())
    }

    /// Queues of a message what the stream does not take of it now.
    fn send_through<M: Outgoing>(
        &mut self,
        message: M,
        cx: &mut Context<'_>,
    ) -> Result<(), Unsent<M::Back>> {
        self.lend_buffer();
        self.busy = true;
        let (mut taken, mut failed) = (0, None);
        let io = &mut self.io;
        self.ws.send_through(message, |slices| {
            (taken, failed) = write_now(io, cx, slices);
            taken
        })?;
        if taken > 0 {
            self.unflushed = true;
            self.moved();
        }
        if let Some(error) = failed {
            self.write_failed(error);
            self.moved();
        }
        Ok(())
    }

    /// Writes what can be written now. What is left leaves while somebody waits for the connection.
    pub(crate) fn push(&mut self, all: &Waker) {
        let _ = self.poll_write(&mut Context::from_waker(all));
        self.tell_receiver();
    }

    /// The same where the receiver is another task, which need not wake up for it.
    pub(crate) fn push_and_rest(&mut self, all: &Waker) {
        self.push(all);
        self.rest();
    }

    /// Ready when something has left or the stream has failed; pending if there is nothing to write, too.
    pub(super) fn poll_write(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let mut moved = Poll::Pending;
        while !self.ws.output().is_empty() {
            match self.write_some(cx) {
                Poll::Ready(Ok(0)) => self.write_failed(io::ErrorKind::WriteZero.into()),
                Poll::Ready(Ok(n)) => {
                    self.ws.consume_output(n);
                    self.unflushed = true;
                }
                Poll::Ready(Err(error)) => self.write_failed(error),
                Poll::Pending => break,
            }
            moved = Poll::Ready(());
        }
        if self.ws.output().is_empty() {
            let _ = self.poll_flush_io(cx);
        }
        if moved.is_ready() {
            self.moved();
        }
        moved
    }

    fn write_some(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let io = Pin::new(&mut self.io);
        let first = self.ws.output();
        if first.len() == self.ws.output_len() || !io.is_write_vectored() {
            return io.poll_write(cx, first);
        }
        let mut pieces = [&[][..]; PIECES];
        let n = self.ws.output_slices(&mut pieces);
        let pieces = pieces.map(IoSlice::new);
        io.poll_write_vectored(cx, pieces.get(..n).unwrap_or_default())
    }

    /// Something has left or will not leave any more: there may be room.
    fn moved(&mut self) {
        self.stalled = None;
        self.wakers.wake_senders();
    }

    /// Pending while the stream keeps something to itself.
    pub(super) fn poll_flush_io(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.unflushed && !self.shut {
            match ready!(Pin::new(&mut self.io).poll_flush(cx)) {
                Ok(()) => self.unflushed = false,
                Err(error) => self.write_failed(error),
            }
            // Whoever else waits for it.
            self.wakers.wake_senders();
        }
        Poll::Ready(())
    }

    /// Nothing can be written any more. What the peer said last may still be read.
    pub(super) fn write_failed(&mut self, error: io::Error) {
        self.shut = true;
        self.broken = true;
        self.error.get_or_insert(error);
        self.ws.write_lost();
    }
}

/// How much the stream takes now, and what went wrong then. Of little it takes nothing.
fn write_now(
    io: &mut (impl AsyncWrite + Unpin),
    cx: &mut Context<'_>,
    slices: &[&[u8]],
) -> (usize, Option<io::Error>) {
    let slices = slices.get(..PIECES).unwrap_or(slices);
    let all = slices.iter().map(|slice| slice.len()).sum();
    if all < THROUGH {
        return (0, None);
    }
    let mut pieces = [IoSlice::new(&[]); PIECES];
    for (piece, slice) in pieces.iter_mut().zip(slices) {
        *piece = IoSlice::new(slice);
    }
    let (mut rest, mut taken) = (pieces.get_mut(..slices.len()).unwrap_or_default(), 0);
    while taken < all {
        match Pin::new(&mut *io).poll_write_vectored(cx, rest) {
            Poll::Ready(Ok(0)) => return (taken, Some(io::ErrorKind::WriteZero.into())),
            Poll::Ready(Ok(n)) => {
                let n = n.min(all - taken);
                taken += n;
                IoSlice::advance_slices(&mut rest, n);
            }
            Poll::Ready(Err(error)) => return (taken, Some(error)),
            Poll::Pending => break,
        }
    }
    (taken, None)
}
