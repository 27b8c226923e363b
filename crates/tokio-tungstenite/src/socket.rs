//! Connections as streams and sinks of messages.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_core::stream::{FusedStream, Stream};
use futures_sink::Sink;
use tokio::io::{AsyncRead, AsyncWrite};
use tungstenite::protocol::{CloseFrame, Role, WebSocketConfig};
use tungstenite::{Error, Message, Result, WebSocket};

use crate::io::{Blocking, Half, poll};

/// A connection over an asynchronous stream: a [`Stream`] and a [`Sink`] of messages, which two tasks may share
/// (`StreamExt::split`). Pings and Close frames are answered while it is polled as a stream.
///
/// All progress is kept in it: a future that reads or flushes can be dropped at any time, and nothing is lost. One
/// that sends can be dropped, too; the message was taken as a whole or not at all.
#[derive(Debug)]
pub struct WebSocketStream<S> {
    socket: WebSocket<Blocking<S>>,
    /// The stream of messages is over.
    ended: bool,
    /// Writing blocks: what is queued goes first.
    blocked: bool,
}

impl<S> WebSocketStream<S> {
    pub(crate) const fn new(socket: WebSocket<Blocking<S>>) -> Self {
        Self {
            socket,
            ended: false,
            blocked: false,
        }
    }

    /// A connection over a stream whose opening handshake is done. It waits for nothing.
    ///
    /// # Panics
    /// If `max_write_buffer_size` is not above `write_buffer_size`.
    #[allow(clippy::unused_async, reason = "the signature is tokio-tungstenite's")]
    pub async fn from_raw_socket(stream: S, role: Role, config: Option<WebSocketConfig>) -> Self
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        Self::new(WebSocket::from_raw_socket(
            Blocking::new(stream),
            role,
            config,
        ))
    }

    /// The same, where some bytes after the handshake were read already.
    ///
    /// # Panics
    /// If `max_write_buffer_size` is not above `write_buffer_size`.
    #[allow(clippy::unused_async, reason = "the signature is tokio-tungstenite's")]
    pub async fn from_partially_read(
        stream: S,
        part: Vec<u8>,
        role: Role,
        config: Option<WebSocketConfig>,
    ) -> Self
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let stream = Blocking::new(stream);
        Self::new(WebSocket::from_partially_read(stream, part, role, config))
    }

    /// The stream alone. What was read of it and not taken is lost.
    pub fn into_inner(self) -> S {
        self.socket.into_inner().into_inner()
    }

    /// The stream.
    pub const fn get_ref(&self) -> &S {
        self.socket.get_ref().get_ref()
    }

    /// The stream.
    pub const fn get_mut(&mut self) -> &mut S {
        self.socket.get_mut().get_mut()
    }

    /// The configuration.
    pub const fn get_config(&self) -> &WebSocketConfig {
        self.socket.get_config()
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> WebSocketStream<S> {
    /// Sends a Close frame. What the peer still sends is to be read, until there is nothing.
    ///
    /// # Errors
    /// As [`WebSocket::close`].
    pub async fn close(&mut self, msg: Option<CloseFrame>) -> Result<()> {
        let mut close = Some(Message::Close(msg));
        std::future::poll_fn(|cx| {
            let mut this = Pin::new(&mut *self);
            ready!(this.as_mut().poll_ready(cx))?;
            if let Some(close) = close.take() {
                this.as_mut().start_send(close)?;
            }
            this.poll_flush(cx)
        })
        .await
    }

    fn poll_flush_as(&mut self, half: Half, cx: &Context<'_>) -> Poll<Result<()>> {
        self.socket.get_ref().waits(half, cx);
        let flushed = ready!(poll(self.socket.flush()));
        self.blocked = false;
        Poll::Ready(flushed)
    }
}

/// `None` after the orderly end, and after an error, which comes once.
impl<S: AsyncRead + AsyncWrite + Unpin> Stream for WebSocketStream<S> {
    type Item = Result<Message>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Message>>> {
        if self.ended {
            return Poll::Ready(None);
        }
        self.socket.get_ref().waits(Half::Receiver, cx);
        let read = ready!(poll(self.socket.read()));
        self.ended = read.is_err();
        Poll::Ready(match read {
            Err(Error::ConnectionClosed | Error::AlreadyClosed) => None,
            read => Some(read),
        })
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> FusedStream for WebSocketStream<S> {
    fn is_terminated(&self) -> bool {
        self.ended
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Sink<Message> for WebSocketStream<S> {
    type Error = Error;

    fn poll_ready(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        if !self.blocked {
            return Poll::Ready(Ok(()));
        }
        self.poll_flush_as(Half::Sender, cx)
    }

    fn start_send(mut self: Pin<&mut Self>, item: Message) -> Result<()> {
        let written = poll(self.socket.write(item));
        self.blocked = written.is_pending();
        match written {
            // It is queued.
            Poll::Pending => Ok(()),
            Poll::Ready(written) => written,
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        self.poll_flush_as(Half::Sender, cx).map(unless_closed)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        self.socket.get_ref().waits(Half::Sender, cx);
        // Where it was closed before, this only flushes.
        poll(self.socket.close(None)).map(unless_closed)
    }
}

/// Everything has left, and that was the end.
fn unless_closed(flushed: Result<()>) -> Result<()> {
    match flushed {
        Err(Error::ConnectionClosed) => Ok(()),
        flushed => flushed,
    }
}
