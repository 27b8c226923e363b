//! A connection in two halves, for two tasks or more.

use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker, ready};

use futures_core::Stream;
use futures_sink::Sink;
use sansocket::error::{CloseError, SendError, Unsent};
use sansocket::event::CloseReport;
use sansocket::{CloseCode, Connection, Event, Message, Outgoing};
use tokio::io::{AsyncRead, AsyncWrite};

use crate::buffers::Input;
use crate::driver::Driver;
use crate::error::Error;
use crate::socket::end;
use crate::wakers::Place;

struct Shared<S>(Mutex<Driver<S>>);

impl<S> Shared<S> {
    /// Held for a call and never while waiting. A crash elsewhere leaves nothing half changed.
    fn lock(&self) -> MutexGuard<'_, Driver<S>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(crate) fn split<S>(driver: Driver<S>, input: Input, told: bool) -> (Receiver<S>, Sender<S>) {
    let waker = driver.waker();
    let shared = Arc::new(Shared(Mutex::new(driver)));
    let sender = Sender {
        shared: shared.clone(),
        waker: waker.clone(),
        place: None,
    };
    let receiver = Receiver {
        shared,
        input,
        waker,
        told,
    };
    (receiver, sender)
}

/// The half that receives; see [`WebSocket::split`](crate::WebSocket::split).
///
/// It keeps the connection alive: pings are answered, deadlines pass, and what the senders could not
/// write at once leaves while it is awaited. So it is to be awaited until it says that all is over.
pub struct Receiver<S> {
    shared: Arc<Shared<S>>,
    input: Input,
    /// All who wait.
    waker: Waker,
    told: bool,
}

impl<S> Receiver<S> {
    /// Looks at the connection, or does with it what has no method here.
    pub fn with_connection<T>(&self, with: impl FnOnce(&mut Connection) -> T) -> T {
        with(self.shared.lock().connection_mut())
    }

    /// How the connection ended; `None` while it has not.
    #[must_use]
    pub fn report(&self) -> Option<CloseReport> {
        self.shared.lock().report().cloned()
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Receiver<S> {
    /// As [`WebSocket::recv`](crate::WebSocket::recv).
    pub async fn recv(&mut self) -> Option<Result<Message<'static>, Error>> {
        poll_fn(|cx| self.poll_recv(cx)).await
    }

    /// As [`WebSocket::next_event`](crate::WebSocket::next_event).
    pub async fn next_event(&mut self) -> Option<Event<'_>> {
        let Self {
            shared,
            input,
            waker,
            ..
        } = self;
        let mut found = poll_fn(|cx| {
            let mut driver = shared.lock();
            driver
                .poll_event(input, waker, cx)
                .map(|found| found.then_some(driver))
        })
        .await?;
        found.event(input)
    }

    fn poll_recv(&mut self, cx: &Context<'_>) -> Poll<Option<Result<Message<'static>, Error>>> {
        let mut driver = self.shared.lock();
        if let Some(message) = ready!(driver.poll_message(&mut self.input, &self.waker, cx)) {
            return Poll::Ready(Some(Ok(message)));
        }
        Poll::Ready(end(&mut driver, &mut self.told).map(Err))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Stream for Receiver<S> {
    type Item = Result<Message<'static>, Error>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.poll_recv(cx)
    }
}

/// The connection's state.
impl<S> fmt::Debug for Receiver<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let driver = self.shared.lock();
        f.debug_tuple("Receiver")
            .field(driver.connection())
            .finish()
    }
}

/// The half that sends; see [`WebSocket::split`](crate::WebSocket::split). Clones send on the same
/// connection, from as many tasks as there are.
pub struct Sender<S> {
    shared: Arc<Shared<S>>,
    /// All who wait.
    waker: Waker,
    /// Where the [`Sink`] waits.
    place: Option<Place>,
}

impl<S> Sender<S> {
    /// Looks at the connection. What is queued here leaves with the next call of a half.
    pub fn with_connection<T>(&self, with: impl FnOnce(&mut Connection) -> T) -> T {
        with(self.shared.lock().connection_mut())
    }

    /// How the connection ended; `None` while it has not.
    #[must_use]
    pub fn report(&self) -> Option<CloseReport> {
        self.shared.lock().report().cloned()
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Sender<S> {
    /// Sends a message, as [`WebSocket::send`](crate::WebSocket::send).
    ///
    /// Dropped: the message was not sent.
    ///
    /// # Errors
    /// As [`WebSocket::send`](crate::WebSocket::send).
    pub async fn send<M: Outgoing>(&self, message: M) -> Result<(), Unsent<M::Back>> {
        let mut driver = self.room().await;
        driver.send_now_and_rest(message, &self.waker)
    }

    /// As [`send`](Self::send), but leaves the writing to the [`Receiver`], whose task is woken: many small
    /// messages take one system call then.
    ///
    /// Dropped: the message was not queued.
    ///
    /// # Errors
    /// As [`WebSocket::send`](crate::WebSocket::send).
    pub async fn feed<M: Outgoing>(&self, message: M) -> Result<(), Unsent<M::Back>> {
        let mut driver = self.room().await;
        driver.send(message)?;
        driver.wakers().wake_receiver();
        Ok(())
    }

    /// The connection, locked, as soon as there is room.
    async fn room(&self) -> MutexGuard<'_, Driver<S>> {
        let mut place = None;
        poll_fn(|cx| {
            let mut driver = self.shared.lock();
            driver
                .poll_room(&mut place, &self.waker, cx)
                .map(|()| driver)
        })
        .await
    }

    /// Sends a message if there is room for it now.
    ///
    /// # Errors
    /// As [`WebSocket::try_send`](crate::WebSocket::try_send).
    pub fn try_send<M: Outgoing>(&self, message: M) -> Result<(), Unsent<M::Back>> {
        self.shared.lock().send_now_and_rest(message, &self.waker)
    }

    /// Waits until all that is queued has been written.
    ///
    /// # Errors
    /// As [`WebSocket::flush`](crate::WebSocket::flush).
    pub async fn flush(&self) -> Result<(), SendError> {
        let mut place = None;
        poll_fn(|cx| self.shared.lock().poll_flush(&mut place, &self.waker, cx)).await
    }

    /// Sends a ping, as [`WebSocket::ping`](crate::WebSocket::ping).
    ///
    /// # Errors
    /// As [`Connection::ping`].
    pub fn ping(&self, payload: &[u8]) -> Result<(), SendError> {
        let mut driver = self.shared.lock();
        driver.connection_mut().ping(payload)?;
        driver.push_and_rest(&self.waker);
        Ok(())
    }

    /// Starts the closing handshake (RFC 6455 §7.1.2) and waits until what was queued and the Close frame
    /// have left. The rest is the [`Receiver`]'s: it has the messages that still come, and the end.
    ///
    /// Dropped: the closing handshake has begun.
    ///
    /// # Errors
    /// [`CloseError`] for a code or a reason that cannot be sent; nothing has happened then.
    pub async fn close(
        &self,
        code: impl Into<Option<CloseCode>>,
        reason: &str,
    ) -> Result<(), CloseError> {
        self.shared.lock().close(&self.waker, code.into(), reason)?;
        // If it cannot leave, the receiver says so.
        let _ = self.flush().await;
        Ok(())
    }
}

impl<S> Clone for Sender<S> {
    fn clone(&self) -> Self {
        Self {
            shared: self.shared.clone(),
            waker: self.waker.clone(),
            place: None,
        }
    }
}

/// Closing it sends a Close frame with 1000 and waits until that has left; the end comes from the
/// [`Receiver`].
impl<S: AsyncRead + AsyncWrite + Unpin, M: Outgoing> Sink<M> for Sender<S> {
    type Error = Error;

    fn poll_ready(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        let Self {
            shared,
            waker,
            place,
        } = &mut *self;
        shared.lock().poll_room(place, waker, cx).map(Ok)
    }

    fn start_send(self: Pin<&mut Self>, message: M) -> Result<(), Error> {
        Ok(self.shared.lock().send(message)?)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        let Self {
            shared,
            waker,
            place,
        } = &mut *self;
        shared
            .lock()
            .poll_flush(place, waker, cx)
            .map_err(Error::from)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        let Self {
            shared,
            waker,
            place,
        } = &mut *self;
        let mut driver = shared.lock();
        driver.close(waker, Some(CloseCode::NORMAL_CLOSURE), "")?;
        driver.poll_flush(place, waker, cx).map_err(Error::from)
    }
}

/// The connection's state.
impl<S> fmt::Debug for Sender<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let driver = self.shared.lock();
        f.debug_tuple("Sender").field(driver.connection()).finish()
    }
}
