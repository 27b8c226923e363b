//! A connection over a blocking stream: the loop that moves bytes, tells the time, and hands out events.

mod writing;

use std::fmt;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use sansocket::error::{CloseError, SendError, Unsent};
use sansocket::event::CloseReport;
use sansocket::{CloseCode, Connection, Event, Message, Outgoing, Transport};

use crate::error::{Closed, Error};
use crate::split::{Receiver, Sender, split};
use crate::stream::{OverTcp, Stream};

/// What one read takes at most.
const READ: usize = 16 << 10;

/// A write gives way after this long, so that reading goes on.
pub(crate) const WRITE: Duration = Duration::from_millis(50);

/// How long a peer may take nothing while somebody waits to send, before deadlines pass although not
/// all that came from it was looked at.
const STALLED: Duration = Duration::from_secs(20);

/// A WebSocket connection over a blocking [`Stream`]: TCP, TLS, or one of your own.
///
/// It is made by [`client`](Self::client), by [`server`](Self::server), by a
/// [`Connector`](crate::Connector), or [from a connection](Self::from_connection) whose opening handshake was
/// made elsewhere.
///
/// Bytes move, pings are answered and deadlines pass while a method waits, and at no other time: somebody has
/// to [`recv`](Self::recv) as long as the connection is to live.
pub struct WebSocket<S> {
    ws: Connection,
    io: S,
    /// The origin of the connection's time.
    born: Instant,
    buf: Box<[u8]>,
    /// What of `buf` was read and not taken by the connection.
    unread: std::ops::Range<usize>,
    /// How long a read waits now; `None`: not set yet.
    patience: Option<Duration>,
    /// Whether there may be something to read. `None`: nobody knows, and a read waits for it.
    readable: Option<bool>,
    report: Option<Box<CloseReport>>,
    /// Who else wants the report.
    last: Option<Last>,
    error: Option<io::Error>,
    unflushed: bool,
    /// The writing end was shut down, or is broken.
    shut: bool,
    /// The reading end was reached, or is broken.
    ended: bool,
    broken: bool,
    over: bool,
    /// The end was told by an error.
    told: bool,
}

/// Filled in when the connection ends.
pub(crate) type Last = Arc<Mutex<Option<CloseReport>>>;

impl<S> WebSocket<S> {
    /// The connection: its state, its subprotocol, its extensions.
    #[must_use]
    pub const fn connection(&self) -> &Connection {
        &self.ws
    }

    /// The connection, for what has no method here: messages in parts, pongs of one's own. What is queued
    /// leaves with the next call that waits.
    #[must_use]
    pub const fn connection_mut(&mut self) -> &mut Connection {
        &mut self.ws
    }

    /// How the connection ended; `None` while it has not.
    #[must_use]
    pub fn report(&self) -> Option<&CloseReport> {
        self.report.as_deref()
    }

    /// The stream below.
    #[must_use]
    pub const fn get_ref(&self) -> &S {
        &self.io
    }

    pub(crate) const fn take_error(&mut self) -> Option<io::Error> {
        self.error.take()
    }

    /// Where the report of the end will be.
    pub(crate) fn tell_end(&mut self) -> Last {
        self.last.get_or_insert_default().clone()
    }

    fn now(&self) -> Duration {
        self.born.elapsed()
    }
}

impl<S: OverTcp> WebSocket<S> {
    /// Splits it into a half that receives and one that sends, for two threads or more. While one waits to send, the
    /// other receives.
    ///
    /// # Errors
    /// Those of the socket, of which there is a second handle then.
    ///
    /// ```no_run
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let ws = sansocket_blocking::connect("ws://127.0.0.1:9001/")?;
    /// let (receiver, sender) = ws.split()?;
    /// let receiving = std::thread::spawn(move || {
    ///     for message in receiver.flatten() {
    ///         println!("{} bytes", message.as_bytes().len());
    ///     }
    /// });
    /// sender.send("Hello")?;
    /// sender.close(None, "")?;
    /// let _ = receiving.join();
    /// # Ok(())
    /// # }
    /// ```
    pub fn split(self) -> io::Result<(Receiver<S>, Sender<S>)> {
        split(self)
    }
}

impl<S: Stream> WebSocket<S> {
    /// Goes on with a connection whose opening handshake was made elsewhere.
    ///
    /// # Errors
    /// Those of the stream, when its timeouts are set.
    pub fn from_connection(mut io: S, mut connection: Connection) -> io::Result<Self> {
        connection.advance_time(Duration::ZERO);
        io.set_write_timeout(WRITE)?;
        Ok(Self {
            ws: connection,
            io,
            born: Instant::now(),
            buf: vec![0; READ].into(),
            unread: 0..0,
            patience: None,
            readable: None,
            report: None,
            last: None,
            error: None,
            unflushed: false,
            shut: false,
            ended: false,
            broken: false,
            over: false,
            told: false,
        })
    }

    // ── receiving

    /// Waits for the next message; `None` after an orderly end, and an error once after any other.
    ///
    /// When it says that all is over, the stream is done with and can be dropped. Messages in chunks
    /// ([`Delivery`](sansocket::config::Delivery)) come from [`next_event`](Self::next_event) only.
    pub fn recv(&mut self) -> Option<Result<Message<'static>, Error>> {
        loop {
            if let Some(message) = self.recv_until(None)?.transpose() {
                return Some(message);
            }
        }
    }

    /// As [`recv`](Self::recv), and `Some(Ok(None))` if nothing has come for this long. Nothing is lost then:
    /// the next call goes on.
    pub fn recv_timeout(
        &mut self,
        timeout: Duration,
    ) -> Option<Result<Option<Message<'static>>, Error>> {
        self.recv_until(Instant::now().checked_add(timeout))
    }

    /// A message that is there. The stream is read only if that does not wait, as the caller knows.
    pub(crate) fn recv_now(
        &mut self,
        readable: bool,
    ) -> Option<Result<Option<Message<'static>>, Error>> {
        // What TLS has is read to the end first.
        self.readable = Some(readable || self.readable.unwrap_or(true));
        // The caller waits with another timeout.
        self.patience = None;
        self.recv_until(Some(Instant::now()))
    }

    fn recv_until(
        &mut self,
        until: Option<Instant>,
    ) -> Option<Result<Option<Message<'static>>, Error>> {
        while let Some(found) = self.find_event(until) {
            if !found {
                return Some(Ok(None));
            }
            if let Some(Event::Message(message)) = self.event() {
                return Some(Ok(Some(message.into_owned())));
            }
        }
        self.end().map(Err)
    }

    /// An iterator over the messages up to the end, as [`recv`](Self::recv) gives them.
    pub const fn messages(&mut self) -> Messages<'_, S> {
        Messages(self)
    }

    /// Waits for the next event: a message, a part of one, a ping, the peer's Close frame, the end. `None`
    /// when the stream is done with. A message that came in one piece is lent from the buffer it was read
    /// into, without a copy.
    pub fn next_event(&mut self) -> Option<Event<'_>> {
        while !self.find_event(None)? {}
        self.event()
    }

    /// An end that was not orderly, once.
    fn end(&mut self) -> Option<Error> {
        let report = self.report.as_deref()?.clone();
        if std::mem::replace(&mut self.told, true) || report.clean {
            return None;
        }
        let io = self.take_error();
        Some(Error::Closed(Box::new(Closed { report, io })))
    }

    // ── sending

    /// Sends a message: text, bytes, a [`Message`] that was received, a [`Prepared`](sansocket::Prepared)
    /// one. It waits until there is room for it, and until the stream has taken it.
    ///
    /// What is borrowed, a `&[u8]` or `&str`, and has 4 KiB and more is not copied into the queue first: one write gets
    /// it from where it lies, and what that leaves is queued. A client masks what it sends (RFC 6455 §5.3), so that it
    /// copies these; a `&mut [u8]` it may mask in place, and what that holds is lost when it was sent.
    ///
    /// A peer that sends and does not read holds it up. Its messages are not read meanwhile; one that takes
    /// nothing for long and does not answer pings is given up.
    ///
    /// # Errors
    /// The message comes back if it was handed over: [`SendError::Closing`] after a Close frame of either
    /// side or when the connection is lost; the reason is in [`report`](Self::report), once
    /// [`recv`](Self::recv) has said that all is over.
    pub fn send<M: Outgoing>(&mut self, message: M) -> Result<(), Unsent<M::Back>> {
        self.await_room();
        self.send_now(message)?;
        // Why it did not leave is told by who receives.
        let _ = self.flush();
        Ok(())
    }

    /// As [`send`](Self::send), but the message only leaves with the next call that waits, such as
    /// [`recv`](Self::recv) when no more messages have come.
    ///
    /// # Errors
    /// As [`send`](Self::send).
    pub fn feed<M: Outgoing>(&mut self, message: M) -> Result<(), Unsent<M::Back>> {
        self.await_room();
        self.ws.send(message)
    }

    fn await_room(&mut self) {
        let mut since = Instant::now();
        while matches!(self.ws.can_send(), Err(SendError::Full { .. })) {
            self.write_patiently(&mut since);
        }
    }

    /// Waits until all that is queued has been written.
    ///
    /// # Errors
    /// [`SendError::Closing`] if the stream failed, and some of it will never leave.
    pub fn flush(&mut self) -> Result<(), SendError> {
        let mut since = Instant::now();
        while self.can_flush() {
            self.write_patiently(&mut since);
        }
        if self.broken {
            Err(SendError::Closing)
        } else {
            Ok(())
        }
    }

    /// Whether something is to be written, and can be.
    pub(crate) fn can_flush(&self) -> bool {
        self.is_unwritten() && self.ws.transport() != Transport::Close
    }

    fn is_unwritten(&self) -> bool {
        !self.shut && (self.unflushed || !self.ws.output().is_empty())
    }

    /// Tries to write. What the peer has sent is not looked at here, such as the answer to a ping, so that
    /// no deadline passes as long as it takes something now and then. False if it takes nothing.
    pub(crate) fn write_patiently(&mut self, since: &mut Instant) -> bool {
        let written = self.write();
        if written {
            *since = Instant::now();
        } else if since.elapsed() >= STALLED {
            self.ws.advance_time(self.born.elapsed());
        }
        written
    }

    /// Sends a ping of the application's. Its pong is an event, with the time that it took.
    ///
    /// # Errors
    /// As [`Connection::ping`].
    pub fn ping(&mut self, payload: &[u8]) -> Result<(), SendError> {
        self.ws.ping(payload)?;
        self.flush()
    }

    // ── closing

    /// Closes in the orderly way (RFC 6455 §7.1.2): sends what is queued and a Close frame, waits for the
    /// peer's and for the end of the stream, and says how it went. Messages that still come are dropped.
    /// It takes no longer than the close timeout, 5 s unless configured otherwise.
    ///
    /// # Errors
    /// [`CloseError`] for a code or a reason that cannot be sent; nothing has happened then.
    pub fn close(
        &mut self,
        code: impl Into<Option<CloseCode>>,
        reason: &str,
    ) -> Result<CloseReport, CloseError> {
        self.start_close(code, reason)?;
        loop {
            while self.find_event(None).is_some() {
                drop(self.event());
            }
            if let Some(report) = &self.report {
                return Ok(CloseReport::clone(report));
            }
        }
    }

    pub(crate) fn start_close(
        &mut self,
        code: impl Into<Option<CloseCode>>,
        reason: &str,
    ) -> Result<(), CloseError> {
        let now = self.now();
        self.ws.advance_time(now);
        self.ws.close(code, reason)
    }

    // ── the loop

    /// Works on until an event is certain: `true`, and [`event`](Self::event) has it; `false` if the time
    /// is over before; `None` if all is.
    fn find_event(&mut self, until: Option<Instant>) -> Option<bool> {
        loop {
            let mut input = self.buf.get_mut(self.unread.clone()).unwrap_or_default();
            let found = self.ws.find_event(&mut input);
            self.unread.start = self.unread.end - input.len();
            if found {
                return Some(true);
            }
            if self.over {
                return None;
            }
            if self.write() {
                continue;
            }
            if self.ws.output().is_empty() && self.end_stream() {
                continue;
            }
            if self.read(until) {
                continue;
            }
            // Nothing has come.
            let now = self.now();
            let passed = self.ws.next_deadline().is_some_and(|at| at <= now);
            self.ws.advance_time(now);
            if !passed && until.is_some_and(|until| Instant::now() >= until) {
                return Some(false);
            }
        }
    }

    /// The event that was found.
    fn event(&mut self) -> Option<Event<'_>> {
        let mut input = self.buf.get_mut(self.unread.clone()).unwrap_or_default();
        let event = self.ws.receive(&mut input);
        self.unread.start = self.unread.end - input.len();
        if let Some(Event::Closed(report)) = &event {
            if let Some(last) = self.last.take() {
                let mut last = last.lock().unwrap_or_else(PoisonError::into_inner);
                *last = Some(CloseReport::clone(report));
            }
            self.report = Some(report.clone());
        }
        event
    }

    /// Ends the stream as the connection asks for (RFC 6455 §7.1.1). True if that has changed something.
    fn end_stream(&mut self) -> bool {
        match self.ws.transport() {
            Transport::ShutdownWrite if !self.shut => {
                self.shut = true;
                if let Err(error) = self.io.shutdown_write() {
                    self.write_failed(error);
                }
                true
            }
            Transport::Close => {
                let clean = self.report.as_ref().is_some_and(|report| report.clean);
                if clean && !self.shut {
                    self.shut = true;
                    let _ = self.io.shutdown_write();
                }
                self.over = true;
                true
            }
            _ => false,
        }
    }

    /// The end of the stream was read.
    pub(crate) const fn has_ended(&self) -> bool {
        self.ended
    }

    /// How long to wait for bytes.
    pub(crate) fn wait(&self, until: Option<Instant>) -> Duration {
        let deadline = self
            .ws
            .next_deadline()
            .and_then(|at| self.born.checked_add(at));
        let until = [deadline, until].into_iter().flatten().min();
        let wait = until.map(|at| at.saturating_duration_since(Instant::now()));
        // What is queued wants to leave, too.
        let wait = if self.is_unwritten() {
            Some(wait.map_or(WRITE, |wait| wait.min(WRITE)))
        } else {
            wait
        };
        wait.unwrap_or(Duration::from_secs(3600))
            .max(Duration::from_millis(1))
    }

    /// Waits for bytes, until a deadline at the longest. False if none have come.
    fn read(&mut self, until: Option<Instant>) -> bool {
        let wait = self.wait(until);
        if self.readable == Some(false) {
            return false;
        }
        if self.ended {
            std::thread::sleep(wait.min(WRITE));
            return false;
        }
        // Each read moves the deadlines: the timeout is left alone while it is early enough.
        let set = self.patience.is_none_or(|set| wait < set || set < wait / 2);
        if set && let Err(error) = self.io.set_read_timeout(Some(wait)) {
            self.read_failed(error);
            return true;
        }
        if set {
            self.patience = Some(wait);
        }
        match self.io.read(&mut self.buf) {
            Ok(0) => {
                self.ended = true;
                self.ws.receive_eof();
            }
            Ok(n) => {
                let now = self.now();
                self.ws.advance_time(now);
                self.unread = 0..n;
                self.readable = self.readable.map(|_| n == self.buf.len());
            }
            Err(error) if gives_way(&error) => {
                self.readable = self.readable.map(|_| false);
                return false;
            }
            // TLS without a goodbye: what counts is the closing handshake.
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                self.error.get_or_insert(error);
                self.ended = true;
                self.ws.receive_eof();
            }
            Err(error) => self.read_failed(error),
        }
        true
    }

    pub(crate) fn read_failed(&mut self, error: io::Error) {
        self.ended = true;
        self.shut = true;
        self.error.get_or_insert(error);
        self.ws.transport_lost();
    }
}

/// A stream that has nothing, or takes nothing, in time.
pub(crate) fn gives_way(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut | io::ErrorKind::Interrupted
    )
}

/// The messages of a connection up to its end: made by [`WebSocket::messages`].
#[derive(Debug)]
pub struct Messages<'a, S>(&'a mut WebSocket<S>);

impl<S: Stream> Iterator for Messages<'_, S> {
    type Item = Result<Message<'static>, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        self.0.recv()
    }
}

/// States and lengths only.
impl<S> fmt::Debug for WebSocket<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("WebSocket").field(&self.ws).finish()
    }
}
