//! An async driver: `sansocket` knows the protocol, this file knows how to wait.

use std::future::poll_fn;
use std::ops::Range;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};

use sansocket::error::SendError;
use sansocket::{Connection, Event, Transport};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, sleep_until};

/// What one read takes at most.
const READ: usize = 16 << 10;

/// A connection and the stream below it: TCP, TLS, a pipe in memory, whatever tokio can read and write.
pub struct Socket<S> {
    ws: Connection,
    stream: S,
    buf: Box<[u8]>,
    /// What of `buf` was read from the stream and not taken by the connection.
    unread: Range<usize>,
    /// The origin of the connection's time.
    born: Instant,
    /// Something was written that the stream may still keep to itself.
    unflushed: bool,
    /// The stream's writing end was shut down.
    shut: bool,
    /// The stream's reading end was reached.
    ended: bool,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Socket<S> {
    pub fn new(ws: Connection, stream: S) -> Self {
        Self {
            ws,
            stream,
            buf: vec![0; READ].into(),
            unread: 0..0,
            born: Instant::now(),
            unflushed: false,
            shut: false,
            ended: false,
        }
    }

    /// To send, to ping, to close. What it queues leaves while [`next`](Self::next) is awaited.
    pub fn connection(&mut self) -> &mut Connection {
        &mut self.ws
    }

    /// The next event, and the connection to answer it on; `None` when all is over and the stream
    /// can be dropped.
    ///
    /// Bytes move both ways while this waits. All progress is kept in `self`, so the future can be
    /// dropped at any time, by `select!` or a timeout, and nothing is lost. While the queue is full
    /// no event is given out: a peer that does not read is not read from.
    pub async fn next(&mut self) -> Option<(&mut Connection, Event<'_>)> {
        loop {
            self.ws.advance_time(self.born.elapsed());
            if !matches!(self.ws.can_send(), Err(SendError::Full { .. })) {
                let mut input = &mut self.buf[self.unread.clone()];
                let found = self.ws.find_event(&mut input);
                self.unread.start = self.unread.end - input.len();
                if found {
                    break;
                }
                if self.ws.output().is_empty() && self.ws.transport() == Transport::Close {
                    // A TLS stream says goodbye if it can do so at once.
                    poll_fn(|cx| {
                        let _ = Pin::new(&mut self.stream).poll_shutdown(cx);
                        Poll::Ready(())
                    })
                    .await;
                    return None;
                }
            }
            self.turn().await;
        }
        let mut input = &mut self.buf[self.unread.clone()];
        let event = self.ws.receive(&mut input);
        self.unread.start = self.unread.end - input.len();
        event.map(|event| (&mut self.ws, event))
    }

    /// Waits until bytes have moved, either way, or a deadline has passed.
    async fn turn(&mut self) {
        // Far away if there is none: the stream wakes us before.
        let deadline = self.ws.next_deadline().map(|at| self.born + at);
        let mut sleep = pin!(async {
            match deadline {
                Some(at) => sleep_until(at).await,
                None => std::future::pending().await,
            }
        });
        poll_fn(|cx| {
            // Both are polled, so that either can wake us.
            let written = self.poll_write(cx).is_ready();
            let read = self.poll_read(cx).is_ready();
            if written || read {
                Poll::Ready(())
            } else {
                sleep.as_mut().poll(cx)
            }
        })
        .await;
    }

    fn poll_write(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let stream = Pin::new(&mut self.stream);
        let output = self.ws.output();
        if !output.is_empty() {
            match ready!(stream.poll_write(cx, output)) {
                Ok(n @ 1..) => {
                    self.ws.consume_output(n);
                    self.unflushed = true;
                }
                _ => self.ws.write_lost(),
            }
            return Poll::Ready(());
        }
        if self.unflushed {
            let flushed = ready!(stream.poll_flush(cx));
            self.unflushed = false;
            if flushed.is_err() {
                self.ws.write_lost();
                return Poll::Ready(());
            }
        }
        if self.ws.transport() == Transport::ShutdownWrite && !self.shut {
            let shut = ready!(Pin::new(&mut self.stream).poll_shutdown(cx));
            self.shut = true;
            if shut.is_err() {
                self.ws.write_lost();
                return Poll::Ready(());
            }
        }
        Poll::Pending // nothing to write: the reader or the clock will wake us
    }

    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.ended || !self.unread.is_empty() {
            return Poll::Pending; // what is queued has to leave first: the writer will wake us
        }
        let mut buf = ReadBuf::new(&mut self.buf);
        match ready!(Pin::new(&mut self.stream).poll_read(cx, &mut buf)) {
            Ok(()) if buf.filled().is_empty() => {
                self.ended = true;
                self.ws.receive_eof();
            }
            Ok(()) => self.unread = 0..buf.filled().len(),
            Err(_) => {
                self.ended = true;
                self.ws.transport_lost();
            }
        }
        Poll::Ready(())
    }
}
