//! An asynchronous stream as one that would block.

use std::fmt;
use std::io::{self, IoSlice, Read, Write};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Who waits. A stream keeps one waker for reading and one for writing, whoever polled last, and each half of a
/// connection may have to read and to write: so the stream gets one waker that wakes both.
#[derive(Default)]
pub(crate) struct Waiting([Mutex<Option<Waker>>; 2]);

/// The half of a connection.
#[derive(Clone, Copy)]
pub(crate) enum Half {
    /// The one that receives, or shakes hands.
    Receiver,
    Sender,
}

impl Wake for Waiting {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        for half in &self.0 {
            let waker = half.lock().unwrap_or_else(PoisonError::into_inner).take();
            if let Some(waker) = waker {
                waker.wake();
            }
        }
    }
}

/// The stream, which blocks where it would be pending, and wakes who waits.
pub(crate) struct Blocking<S> {
    io: S,
    waiting: Arc<Waiting>,
    waker: Waker,
}

impl<S> Blocking<S> {
    pub(crate) fn new(io: S) -> Self {
        let waiting = Arc::new(Waiting::default());
        let waker = waiting.clone().into();
        Self { io, waiting, waker }
    }

    /// The task of this half is woken when what blocks no longer does.
    pub(crate) fn waits(&self, half: Half, cx: &Context<'_>) {
        let place = &self.waiting.0[half as usize];
        let mut place = place.lock().unwrap_or_else(PoisonError::into_inner);
        match &mut *place {
            Some(waker) => waker.clone_from(cx.waker()),
            none => *none = Some(cx.waker().clone()),
        }
    }

    pub(crate) fn into_inner(self) -> S {
        self.io
    }

    pub(crate) const fn get_ref(&self) -> &S {
        &self.io
    }

    pub(crate) const fn get_mut(&mut self) -> &mut S {
        &mut self.io
    }
}

impl<S: fmt::Debug> fmt::Debug for Blocking<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.io.fmt(f)
    }
}

fn now<T>(polled: Poll<io::Result<T>>) -> io::Result<T> {
    match polled {
        Poll::Ready(result) => result,
        Poll::Pending => Err(io::ErrorKind::WouldBlock.into()),
    }
}

impl<S: AsyncRead + Unpin> Read for Blocking<S> {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        let mut room = ReadBuf::new(room);
        let cx = &mut Context::from_waker(&self.waker);
        now(Pin::new(&mut self.io).poll_read(cx, &mut room))?;
        Ok(room.filled().len())
    }
}

impl<S: AsyncWrite + Unpin> Write for Blocking<S> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let cx = &mut Context::from_waker(&self.waker);
        now(Pin::new(&mut self.io).poll_write(cx, bytes))
    }

    fn write_vectored(&mut self, pieces: &[IoSlice<'_>]) -> io::Result<usize> {
        let cx = &mut Context::from_waker(&self.waker);
        now(Pin::new(&mut self.io).poll_write_vectored(cx, pieces))
    }

    fn flush(&mut self) -> io::Result<()> {
        let cx = &mut Context::from_waker(&self.waker);
        now(Pin::new(&mut self.io).poll_flush(cx))
    }
}

/// What would block is pending.
pub(crate) fn poll<T>(result: tungstenite::Result<T>) -> Poll<tungstenite::Result<T>> {
    match result {
        Err(tungstenite::Error::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => {
            Poll::Pending
        }
        result => Poll::Ready(result),
    }
}
