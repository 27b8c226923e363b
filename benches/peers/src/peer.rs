//! What is asked of each peer, and the transport that they are given: memory.

use std::cell::Cell;
use std::hint::black_box;
use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use sansocket::Role;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::common::traffic::{Content, Count, Digest, Sink, Traffic, fill};

/// Messages to be sent.
pub struct Messages {
    pub role: Role,
    pub content: Content,
    /// Sent again and again: as bytes that can be shared, so that no peer has to copy them first.
    pub payload: Bytes,
    pub count: usize,
    /// Flushed after so many.
    pub batch: usize,
}

/// A program around one crate. Each returns false where the crate has no such thing.
pub trait Peer {
    /// Reads all of the traffic, `read` bytes at most at a time, and tells `sink` of each message.
    fn receive<S: Sink>(_traffic: &Traffic, _read: usize, _sink: &mut S) -> bool {
        false
    }

    /// Sends the messages.
    fn send(_messages: &Messages, _written: &mut Written) -> bool {
        false
    }

    /// Sends back what it receives, and flushes after `batch` messages.
    fn echo(_traffic: &Traffic, _batch: usize, _written: &mut Written) -> bool {
        false
    }

    /// The server's half of an opening handshake.
    fn accept(_request: &mut [u8], _written: &mut Written) -> bool {
        false
    }
}

/// What a driver reads at a time where nothing else is said.
pub const READ: usize = 64 << 10;

/// What a packet carries over Ethernet.
pub const PACKET: usize = 1500;

/// What is queued before it is written, where a driver of ours can tell, and no message of its own is longer.
pub const FLUSH: usize = 64 << 10;

thread_local! {
    /// Reads from memory so far.
    pub static READS: Cell<usize> = const { Cell::new(0) };
}

/// A peer's functions.
#[derive(Clone, Copy)]
pub struct Entry {
    pub name: &'static str,
    /// It does the checks and the assembly itself.
    pub full: bool,
    pub receive: fn(&Traffic, usize, &mut Count) -> bool,
    pub digest: fn(&Traffic, usize, &mut Digest) -> bool,
    pub send: fn(&Messages, &mut Written) -> bool,
    pub echo: fn(&Traffic, usize, &mut Written) -> bool,
    pub accept: fn(&mut [u8], &mut Written) -> bool,
}

impl Entry {
    pub fn new<P: Peer>(name: &'static str, full: bool) -> Self {
        Self {
            name,
            full,
            receive: P::receive::<Count>,
            digest: P::receive::<Digest>,
            send: P::send,
            echo: P::echo,
            accept: P::accept,
        }
    }
}

/// Takes what is written.
#[derive(Default)]
pub struct Written {
    pub bytes: usize,
    pub kept: Option<Vec<u8>>,
}

impl Written {
    pub fn kept() -> Self {
        Self {
            kept: Some(Vec::new()),
            ..Self::default()
        }
    }

    #[inline]
    pub fn write(&mut self, bytes: &[u8]) {
        self.bytes += bytes.len();
        black_box(bytes);
        if let Some(kept) = &mut self.kept {
            kept.extend_from_slice(bytes);
        }
    }
}

/// A socket that is always ready, and at its end when all was read.
pub struct Memory<'m> {
    input: &'m [u8],
    read: usize,
    written: &'m mut Written,
}

impl<'m> Memory<'m> {
    pub fn new(input: &'m [u8], read: usize, written: &'m mut Written) -> Self {
        Self {
            input,
            read,
            written,
        }
    }

    #[inline]
    pub fn front(&mut self, most: usize) -> &'m [u8] {
        READS.set(READS.get() + 1);
        let n = self.read.min(most).min(self.input.len());
        let (front, rest) = self.input.split_at(n);
        self.input = rest;
        front
    }
}

impl io::Read for Memory<'_> {
    #[inline]
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let bytes = self.front(buf.len());
        fill(&mut buf[..bytes.len()], bytes);
        Ok(bytes.len())
    }
}

impl io::Write for Memory<'_> {
    #[inline]
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.written.write(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl AsyncRead for Memory<'_> {
    #[inline]
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        for block in self.front(buf.remaining()).chunks(1024) {
            buf.put_slice(block);
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Memory<'_> {
    #[inline]
    fn poll_write(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.written.write(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    #[inline]
    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        for slice in slices {
            self.written.write(slice);
        }
        Poll::Ready(Ok(slices.iter().map(|slice| slice.len()).sum()))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

impl wtx::stream::StreamReader for Memory<'_> {
    #[inline]
    async fn read(&mut self, buf: &mut [u8]) -> wtx::Result<usize> {
        Ok(io::Read::read(self, buf)?)
    }
}

impl wtx::stream::StreamWriter for Memory<'_> {
    #[inline]
    async fn write_all(&mut self, bytes: &[u8]) -> wtx::Result<()> {
        self.written.write(bytes);
        Ok(())
    }

    #[inline]
    async fn write_all_vectored(&mut self, slices: &[&[u8]]) -> wtx::Result<()> {
        for slice in slices {
            self.written.write(slice);
        }
        Ok(())
    }
}

/// Memory is always ready, so a future makes progress whenever it is polled.
pub fn block_on<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
            return output;
        }
    }
}
