//! A connection in two halves, for two threads or more.

use std::fmt;
use std::io;
use std::net::TcpStream;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::sleep;
use std::time::{Duration, Instant};

use sansocket::error::{CloseError, SendError, Unsent};
use sansocket::event::CloseReport;
use sansocket::{CloseCode, Connection, Message, Outgoing};

use crate::error::Error;
use crate::socket::{WRITE, WebSocket, gives_way};
use crate::stream::{OverTcp, Stream};

/// The receiver looks for deadlines that the senders have moved so often.
const LOOK: Duration = Duration::from_secs(1);

/// Who wants to receive gets the lock meanwhile.
const BREATH: Duration = Duration::from_millis(1);

struct Shared<S>(Mutex<WebSocket<S>>);

impl<S> Shared<S> {
    /// Held while bytes are read that are there, and while some are written. A crash elsewhere leaves nothing half
    /// changed.
    fn lock(&self) -> MutexGuard<'_, WebSocket<S>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(crate) fn split<S: OverTcp>(ws: WebSocket<S>) -> io::Result<(Receiver<S>, Sender<S>)> {
    let socket = ws.get_ref().tcp().try_clone()?;
    let shared = Arc::new(Shared(Mutex::new(ws)));
    let sender = Sender {
        shared: shared.clone(),
    };
    Ok((Receiver { shared, socket }, sender))
}

/// The half that receives; see [`WebSocket::split`]. As an iterator it gives the messages up to the end.
///
/// It keeps the connection alive: pings are answered and deadlines pass, within a second, while it waits. So somebody
/// has to receive until it says that all is over.
pub struct Receiver<S> {
    shared: Arc<Shared<S>>,
    /// Where it waits, without the lock.
    socket: TcpStream,
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

impl<S: Stream> Receiver<S> {
    /// As [`WebSocket::recv`].
    pub fn recv(&mut self) -> Option<Result<Message<'static>, Error>> {
        let mut readable = false;
        loop {
            let mut ws = self.shared.lock();
            if let Some(message) = ws.recv_now(readable)?.transpose() {
                return Some(message);
            }
            let wait = ws.wait(None).min(LOOK);
            let ended = ws.has_ended();
            drop(ws);
            readable = false;
            if ended {
                sleep(wait.min(WRITE));
                continue;
            }
            match self.await_bytes(wait) {
                Ok(()) => readable = true,
                Err(error) if gives_way(&error) => {}
                Err(error) => self.shared.lock().read_failed(error),
            }
        }
    }

    /// Waits for bytes, and leaves them there.
    fn await_bytes(&self, wait: Duration) -> io::Result<()> {
        self.socket.set_read_timeout(Some(wait))?;
        self.socket.peek(&mut [0]).map(drop)
    }
}

impl<S: Stream> Iterator for Receiver<S> {
    type Item = Result<Message<'static>, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        self.recv()
    }
}

/// The half that sends; see [`WebSocket::split`]. Clones send on the same connection, from as many threads as there are.
pub struct Sender<S> {
    shared: Arc<Shared<S>>,
}

impl<S> Clone for Sender<S> {
    fn clone(&self) -> Self {
        Self {
            shared: self.shared.clone(),
        }
    }
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

impl<S: Stream> Sender<S> {
    /// Sends a message, as [`WebSocket::send`], while the other half receives.
    ///
    /// # Errors
    /// As [`WebSocket::send`].
    pub fn send<M: Outgoing>(&self, message: M) -> Result<(), Unsent<M::Back>> {
        let mut since = Instant::now();
        loop {
            let mut ws = self.shared.lock();
            if !matches!(ws.connection().can_send(), Err(SendError::Full { .. })) {
                ws.send_now(message)?;
                break;
            }
            ws.write_patiently(&mut since);
            drop(ws);
            sleep(BREATH);
        }
        // Why it did not leave is told by who receives.
        self.flush();
        Ok(())
    }

    /// Sends a ping of the application's. Its pong ends no wait of the receiver's, who gets messages only.
    ///
    /// # Errors
    /// As [`Connection::ping`].
    pub fn ping(&self, payload: &[u8]) -> Result<(), SendError> {
        self.shared.lock().connection_mut().ping(payload)?;
        self.flush();
        Ok(())
    }

    /// Closes in the orderly way (RFC 6455 §7.1.2): sends what is queued and a Close frame. The receiver still gets
    /// messages, then the end, and has the [`report`](Receiver::report).
    ///
    /// # Errors
    /// [`CloseError`] for a code or a reason that cannot be sent; nothing has happened then.
    pub fn close(
        &self,
        code: impl Into<Option<CloseCode>>,
        reason: &str,
    ) -> Result<(), CloseError> {
        self.shared.lock().start_close(code, reason)?;
        self.flush();
        Ok(())
    }

    /// Waits until all that is queued has been written, or never will be.
    fn flush(&self) {
        let mut since = Instant::now();
        loop {
            let mut ws = self.shared.lock();
            if !ws.can_flush() {
                return;
            }
            if !ws.write_patiently(&mut since) {
                drop(ws);
                sleep(BREATH);
            }
        }
    }
}

/// The connection's state.
impl<S> fmt::Debug for Receiver<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Receiver")
            .field(&*self.shared.lock())
            .finish()
    }
}

/// The connection's state.
impl<S> fmt::Debug for Sender<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Sender").field(&*self.shared.lock()).finish()
    }
}
