//! What is asked of each, and the transport that peers are given: memory.

use std::cell::Cell;
use std::hint::black_box;
use std::io;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::compressed::{OurReader, OurSender, PlainReader, PlainSender};

/// A text in each of the forms in which it is asked for, so that nobody has to make one.
pub struct Text {
    pub text: String,
    pub bytes: Bytes,
}

impl From<String> for Text {
    fn from(text: String) -> Self {
        let bytes = Bytes::from(text.clone());
        Self { text, bytes }
    }
}

/// A server's side that sends text.
pub trait Sender {
    /// Says how many bytes went out.
    fn send(&mut self, text: &Text) -> usize;
}

/// A client's side that reads text, and takes it as a `str` by what its crate has for that; frames of
/// servers are not masked.
pub trait Reader {
    /// Says how long the text is.
    fn read(&mut self, frame: &[u8]) -> usize;
}

impl Sender for OurSender {
    fn send(&mut self, text: &Text) -> usize {
        self.send(&text.text)
    }
}

impl Sender for PlainSender {
    fn send(&mut self, text: &Text) -> usize {
        self.send(&text.text)
    }
}

impl Reader for OurReader {
    fn read(&mut self, frame: &[u8]) -> usize {
        self.read(frame)
    }
}

impl Reader for PlainReader {
    fn read(&mut self, frame: &[u8]) -> usize {
        self.read(frame)
    }
}

/// A socket that has one frame to read, and takes what is written.
#[derive(Clone, Default)]
pub struct Memory {
    input: Rc<Cell<Vec<u8>>>,
    at: Rc<Cell<usize>>,
    written: Rc<Cell<usize>>,
}

impl Memory {
    /// The next frame to read; the buffer is used again.
    pub fn put(&self, frame: &[u8]) {
        let mut input = self.input.take();
        input.clear();
        input.extend_from_slice(frame);
        self.input.set(input);
        self.at.set(0);
    }

    pub fn written(&self) -> usize {
        self.written.take()
    }

    fn take(&self, mut to: impl FnMut(&[u8]), most: usize) -> usize {
        let input = self.input.take();
        let at = self.at.get();
        let n = most.min(input.len() - at);
        to(&input[at..at + n]);
        self.input.set(input);
        self.at.set(at + n);
        n
    }

    fn write(&self, bytes: &[u8]) {
        black_box(bytes);
        self.written.set(self.written.get() + bytes.len());
    }
}

impl AsyncRead for Memory {
    fn poll_read(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let most = buf.remaining();
        match self.take(|bytes| buf.put_slice(bytes), most) {
            0 => Poll::Pending,
            _ => Poll::Ready(Ok(())),
        }
    }
}

impl AsyncWrite for Memory {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.write(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        for slice in slices {
            self.write(slice);
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

impl wtx::stream::StreamReader for Memory {
    async fn read(&mut self, buf: &mut [u8]) -> wtx::Result<usize> {
        let most = buf.len();
        Ok(self.take(|bytes| buf[..bytes.len()].copy_from_slice(bytes), most))
    }
}

impl wtx::stream::StreamWriter for Memory {
    async fn write_all(&mut self, bytes: &[u8]) -> wtx::Result<()> {
        self.write(bytes);
        Ok(())
    }

    async fn write_all_vectored(&mut self, slices: &[&[u8]]) -> wtx::Result<()> {
        for slice in slices {
            self.write(slice);
        }
        Ok(())
    }
}

/// All that is needed is there already: the first poll is the last one.
pub fn now<F: Future>(future: F) -> F::Output {
    let mut context = Context::from_waker(Waker::noop());
    match pin!(future).as_mut().poll(&mut context) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("it waits for more than one frame"),
    }
}
