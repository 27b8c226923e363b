//! A connection in one piece: what one task reads, writes and closes.

use std::fmt;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, Waker, ready};

use futures_core::Stream;
use futures_sink::Sink;
use sansocket::error::{CloseError, SendError, Unsent};
use sansocket::event::CloseReport;
use sansocket::{CloseCode, Connection, Event, Message, Outgoing};
use tokio::io::{AsyncRead, AsyncWrite};

use crate::buffers::Input;
use crate::driver::Driver;
use crate::error::{Closed, Error};
use crate::split::{self, Receiver, Sender};
use crate::wakers::Place;

/// A WebSocket connection over a stream of tokio's: TCP, TLS, a pipe in memory, an upgraded HTTP stream.
///
/// It is made by [`client`](Self::client), by [`server`](Self::server), or
/// [from a connection](Self::from_connection) whose opening handshake was made elsewhere.
///
/// Bytes move, pings are answered and deadlines pass while a method is awaited, and at no other time:
/// somebody has to [`recv`](Self::recv) as long as the connection is to live. Every future can be dropped
/// at any point, by `select!` or a timeout, and nothing is lost; each method says what its own has done
/// by then.
///
/// It is also a [`Stream`] of messages and a [`Sink`] for everything that can be sent.
pub struct WebSocket<S> {
    /// Boxed, as futures keep a place for each value that is moved through them.
    driver: Box<Driver<S>>,
    input: Input,
    /// All who wait.
    waker: Waker,
    /// Where the [`Sink`] waits.
    place: Option<Place>,
    /// The end was told by an error.
    told: bool,
}

impl<S> WebSocket<S> {
    /// Goes on with a connection whose opening handshake was made elsewhere, such as by an HTTP server.
    ///
    /// Bytes that came after the handshake and were read already go into the connection first, with
    /// [`keep_input`](Connection::keep_input).
    ///
    /// ```
    /// use sansocket_tokio::{Connection, Negotiated, OriginPolicy, ServerConfig, WebSocket};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// # let (upgraded, _client) = tokio::io::duplex(1024);
    /// let config = ServerConfig::new(OriginPolicy::Application);
    /// let connection = Connection::upgraded_server(&config, Negotiated::default());
    /// let ws = WebSocket::from_connection(upgraded, connection);
    /// # drop(ws);
    /// # }
    /// ```
    pub fn from_connection(io: S, connection: Connection) -> Self {
        let driver = Box::new(Driver::new(connection, io));
        Self {
            waker: driver.waker(),
            driver,
            input: Input::default(),
            place: None,
            told: false,
        }
    }

    /// The connection: its state, its subprotocol, its extensions.
    #[must_use]
    pub const fn connection(&self) -> &Connection {
        self.driver.connection()
    }

    /// The connection, for what has no method here: messages in parts, pongs of one's own, messages in
    /// chunks where the application is asked. What is queued leaves with the next call that is awaited.
    #[must_use]
    pub const fn connection_mut(&mut self) -> &mut Connection {
        self.driver.connection_mut()
    }

    /// How the connection ended; `None` while it has not.
    #[must_use]
    pub fn report(&self) -> Option<&CloseReport> {
        self.driver.report()
    }

    /// The stream below.
    #[must_use]
    pub const fn get_ref(&self) -> &S {
        self.driver.io()
    }

    pub(crate) const fn take_error(&mut self) -> Option<io::Error> {
        self.driver.take_error()
    }

    /// Where the report of the end will be, wherever the connection goes.
    #[cfg(feature = "client")]
    pub(crate) fn tell_end(&mut self) -> crate::connect::Last {
        self.driver.tell_end()
    }

    /// Two halves for two tasks: one receives, the other one and its clones send.
    ///
    /// The receiver keeps the connection alive, so it is to be awaited to the end also by who only sends: without
    /// it no ping is answered, and nobody sees the other end close.
    ///
    /// ```
    /// # use sansocket_tokio::{Connection, Error, WebSocket};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Error> {
    /// # let (io, peer) = tokio::io::duplex(1024);
    /// # let config = sansocket_tokio::ServerConfig::upgraded();
    /// # let mut peer = WebSocket::from_connection(peer, Connection::upgraded_server(&config, Default::default()));
    /// # tokio::spawn(async move { while peer.recv().await.is_some() {} });
    /// # let ws = WebSocket::from_connection(io, Connection::upgraded_client(&Default::default(), Default::default()));
    /// let (mut receiver, sender) = ws.split();
    /// let another = sender.clone();
    /// tokio::spawn(async move { another.send("from a second task").await });
    /// sender.send("from the first").await?;
    /// sender.close(None, "").await?;
    /// while let Some(message) = receiver.recv().await {
    ///     println!("{} bytes", message?.as_bytes().len());
    /// }
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn split(self) -> (Receiver<S>, Sender<S>) {
        split::split(*self.driver, self.input, self.told)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> WebSocket<S> {
    // ── receiving

    /// The next message; `None` after an orderly end, and an error once after any other.
    ///
    /// When it says that all is over, the stream is done with and can be dropped. Pings are answered on
    /// the way, and what is queued leaves.
    ///
    /// Dropped: no message is lost, the next call has it.
    ///
    /// Messages in chunks ([`Delivery`](sansocket::config::Delivery)) come from
    /// [`next_event`](Self::next_event) only.
    pub async fn recv(&mut self) -> Option<Result<Message<'static>, Error>> {
        poll_fn(|cx| self.poll_recv(cx)).await
    }

    /// The next event: a message, a part of one, a ping, the peer's Close frame, the end. `None` when the
    /// stream is done with.
    ///
    /// A message that came in one piece is lent from the buffer it was read into, without a copy. All that
    /// the protocol asks for is done already: pings are answered, and so is the Close frame.
    ///
    /// Dropped: no event is lost.
    ///
    /// ```
    /// # use sansocket_tokio::{Connection, Event, WebSocket};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// # let (io, _peer) = tokio::io::duplex(1024);
    /// # let mut ws = WebSocket::from_connection(io, Connection::upgraded_client(&Default::default(), Default::default()));
    /// # let _ = tokio::time::timeout(std::time::Duration::from_millis(1), async {
    /// let mut longest = 0;
    /// while let Some(event) = ws.next_event().await {
    ///     match event {
    ///         Event::Message(message) => longest = longest.max(message.as_bytes().len()),
    ///         Event::Pong(pong) => println!("there and back in {:?}", pong.round_trip()),
    ///         Event::Closed(report) => println!("{report}"),
    ///         _ => {}
    ///     }
    /// }
    /// # }).await;
    /// # }
    /// ```
    pub async fn next_event(&mut self) -> Option<Event<'_>> {
        if poll_fn(|cx| self.driver.poll_event(&mut self.input, &self.waker, cx)).await {
            self.driver.event(&mut self.input)
        } else {
            None
        }
    }

    fn poll_recv(&mut self, cx: &Context<'_>) -> Poll<Option<Result<Message<'static>, Error>>> {
        if let Some(message) = ready!(self.driver.poll_message(&mut self.input, &self.waker, cx)) {
            return Poll::Ready(Some(Ok(message)));
        }
        Poll::Ready(end(&mut self.driver, &mut self.told).map(Err))
    }

    // ── sending

    /// Sends a message: text, bytes, a [`Message`] that was received, a
    /// [`Prepared`](sansocket::Prepared) one. It waits while the queue of output is full, queues the
    /// message, and writes what the stream takes at once. The rest leaves while any method is awaited;
    /// [`flush`](Self::flush) waits until all has left.
    ///
    /// What is borrowed, a `&[u8]` or `&str`, and has 4 KiB and more is not copied into the queue: the stream gets it
    /// from where it lies, and only what it does not take now is queued. A client masks what it sends (RFC 6455
    /// §5.3), so that it copies these; a `&mut [u8]` it may mask in place, and what that holds is lost when it was
    /// sent.
    ///
    /// Dropped: the message was not sent.
    ///
    /// # Errors
    /// The message comes back if it was handed over: [`SendError::Closing`] after a Close frame of either
    /// side or when the connection is lost; the reason is in [`report`](Self::report), once
    /// [`recv`](Self::recv) has said that all is over.
    pub async fn send<M: Outgoing>(&mut self, message: M) -> Result<(), Unsent<M::Back>> {
        self.room().await;
        self.driver.send_now(message, &self.waker)
    }

    /// As [`send`](Self::send), but the message only leaves with the next call that is awaited, such as
    /// [`recv`](Self::recv) when no more messages have come. For many small answers that take one system
    /// call then.
    ///
    /// Dropped: the message was not queued.
    ///
    /// # Errors
    /// As [`send`](Self::send).
    ///
    /// ```
    /// # use sansocket_tokio::{Error, WebSocket};
    /// # use tokio::io::{AsyncRead, AsyncWrite};
    /// async fn echo<S: AsyncRead + AsyncWrite + Unpin>(mut ws: WebSocket<S>) -> Result<(), Error> {
    ///     while let Some(message) = ws.recv().await {
    ///         ws.feed(message?).await?;
    ///     }
    ///     Ok(())
    /// }
    /// ```
    pub async fn feed<M: Outgoing>(&mut self, message: M) -> Result<(), Unsent<M::Back>> {
        self.room().await;
        self.driver.send(message)
    }

    async fn room(&mut self) {
        let mut place = None;
        poll_fn(|cx| self.driver.poll_room(&mut place, &self.waker, cx)).await;
    }

    /// Sends a message if there is room for it now.
    ///
    /// # Errors
    /// As [`send`](Self::send), and [`SendError::Full`] if the queue of output is full.
    pub fn try_send<M: Outgoing>(&mut self, message: M) -> Result<(), Unsent<M::Back>> {
        self.driver.send_now(message, &self.waker)
    }

    /// Waits until all that is queued has been written.
    ///
    /// Dropped: what has not left is still queued.
    ///
    /// # Errors
    /// [`SendError::Closing`] if the stream failed, and some of it will never leave.
    pub async fn flush(&mut self) -> Result<(), SendError> {
        let mut place = None;
        poll_fn(|cx| self.driver.poll_flush(&mut place, &self.waker, cx)).await
    }

    /// Sends a ping of the application's. Its pong is an event, with the time that it took. Pings that
    /// only keep the connection alive are sent without being asked for.
    ///
    /// # Errors
    /// As [`Connection::ping`].
    pub fn ping(&mut self, payload: &[u8]) -> Result<(), SendError> {
        self.driver.connection_mut().ping(payload)?;
        self.driver.push(&self.waker);
        Ok(())
    }

    // ── closing

    /// Closes in the orderly way (RFC 6455 §7.1.2): sends what is queued and a Close frame, waits for the
    /// peer's and for the end of the stream, and says how it went. Messages that still come are dropped.
    /// It takes no longer than the close timeout, 5 s unless configured otherwise.
    ///
    /// Dropped: the closing handshake has begun. Call it again, or [`recv`](Self::recv), to go on with it.
    ///
    /// # Errors
    /// [`CloseError`] for a code or a reason that cannot be sent; nothing has happened then.
    ///
    /// ```
    /// # use sansocket_tokio::{CloseCode, Connection, WebSocket};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), sansocket_tokio::Error> {
    /// # let (a, b) = tokio::io::duplex(1024);
    /// # let config = sansocket_tokio::ServerConfig::new(sansocket_tokio::OriginPolicy::Application);
    /// # let mut peer = WebSocket::from_connection(b, Connection::upgraded_server(&config, Default::default()));
    /// # tokio::spawn(async move { peer.recv().await });
    /// # let mut ws = WebSocket::from_connection(a, Connection::upgraded_client(&Default::default(), Default::default()));
    /// let report = ws.close(CloseCode::NORMAL_CLOSURE, "done").await?;
    /// assert!(report.clean);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn close(
        &mut self,
        code: impl Into<Option<CloseCode>>,
        reason: &str,
    ) -> Result<CloseReport, CloseError> {
        self.driver.close(&self.waker, code.into(), reason)?;
        Ok(poll_fn(|cx| self.poll_closed(cx)).await)
    }

    fn poll_closed(&mut self, cx: &Context<'_>) -> Poll<CloseReport> {
        while ready!(self.driver.poll_event(&mut self.input, &self.waker, cx)) {
            drop(self.driver.event(&mut self.input));
        }
        match self.driver.report() {
            Some(report) => Poll::Ready(report.clone()),
            // The last event had it.
            None => Poll::Pending,
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Stream for WebSocket<S> {
    type Item = Result<Message<'static>, Error>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.poll_recv(cx)
    }
}

/// Closing it sends a Close frame with 1000 and waits until that has left; the end comes from the stream.
impl<S: AsyncRead + AsyncWrite + Unpin, M: Outgoing> Sink<M> for WebSocket<S> {
    type Error = Error;

    fn poll_ready(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        let Self {
            driver,
            place,
            waker,
            ..
        } = &mut *self;
        driver.poll_room(place, waker, cx).map(Ok)
    }

    fn start_send(mut self: Pin<&mut Self>, message: M) -> Result<(), Error> {
        Ok(self.driver.send(message)?)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        let Self {
            driver,
            place,
            waker,
            ..
        } = &mut *self;
        driver.poll_flush(place, waker, cx).map_err(Error::from)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        let Self {
            driver,
            place,
            waker,
            ..
        } = &mut *self;
        driver.close(waker, Some(CloseCode::NORMAL_CLOSURE), "")?;
        driver.poll_flush(place, waker, cx).map_err(Error::from)
    }
}

/// States and lengths only.
impl<S> fmt::Debug for WebSocket<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("WebSocket").field(self.connection()).finish()
    }
}

/// An end that was not orderly, once.
pub(crate) fn end<S>(driver: &mut Driver<S>, told: &mut bool) -> Option<Error> {
    let report = driver.report()?.clone();
    if std::mem::replace(told, true) || report.clean {
        return None;
    }
    let io = driver.take_error();
    Some(Error::Closed(Box::new(Closed { report, io })))
}
