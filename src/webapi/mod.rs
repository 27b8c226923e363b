//! The WebSocket API of browsers (WHATWG WebSockets) over a [`Connection`]: for JavaScript engines
//! and emulators, which bind it one to one.
//!
//! A [`WebSocket`] is a client's connection with the rules that scripts know: states as numbers,
//! four events, `send` and `close` with their exceptions. It is driven like a connection.
//!
//! ```
//! # if cfg!(not(feature = "getrandom")) { return Ok(()) }
//! use sansocket::webapi::{Event, ReadyState, WebSocket};
//! use sansocket::{ClientConfig, Message};
//! let mut ws = WebSocket::new(&ClientConfig::new(), "https://example.com/chat", &["v1.chat"])?;
//! assert_eq!((ws.ready_state() as u16, &*ws.url().to_string()), (0, "wss://example.com/chat"));
//! assert_eq!(ws.send("too early").unwrap_err().name(), "InvalidStateError");
//! assert_eq!(ws.close(Some(1001), None).unwrap_err().name(), "InvalidAccessError");
//!
//! // The driver's loop, as for a connection; each event is one task of the engine's:
//! # let mut read = [];
//! let mut input = &mut read[..];
//! # ws.transport_lost();
//! while let Some(event) = ws.receive(&mut input) {
//!     match event {
//!         Event::Open => {}
//!         Event::Message(Message::Text(text)) => println!("{}", &*text),
//!         Event::Message(Message::Binary(bytes)) => println!("{} {}", ws.binary_type().as_str(), bytes.len()),
//!         Event::Error => {}
//!         Event::Close(close) => assert_eq!((close.was_clean, close.code), (false, 1006)),
//!     }
//! }
//! assert_eq!(ws.ready_state(), ReadyState::Closed);
//! # Ok::<(), sansocket::webapi::Exception>(())
//! ```

#[cfg(test)]
mod tests;

use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;
use core::fmt;
use core::time::Duration;

use crate::close_code::CloseCode;
use crate::config::{ClientConfig, Delivery};
use crate::connection::{Connection, Outgoing, Transport};
use crate::entropy::Entropy;
use crate::error::Misuse;
use crate::event::{self, CloseReport, Message};
use crate::handshake::{ClientRequest, Refusal, Uri};

/// What a script's call throws: a `DOMException` of this [`name`](Self::name).
///
/// ```
/// use sansocket::webapi::Exception;
/// assert_eq!(Exception::Syntax.name(), "SyntaxError");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Exception {
    /// `SyntaxError`: a URL or a list of protocols that no connection can be made with, or a reason
    /// that is too long.
    Syntax,
    /// `InvalidAccessError`: a close code that is not a script's.
    InvalidAccess,
    /// `InvalidStateError`: not while it is connecting.
    InvalidState,
    /// `OperationError`: there is no source of randomness.
    Operation,
}

impl Exception {
    /// The name of the `DOMException`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Syntax => "SyntaxError",
            Self::InvalidAccess => "InvalidAccessError",
            Self::InvalidState => "InvalidStateError",
            Self::Operation => "OperationError",
        }
    }
}

impl fmt::Display for Exception {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Syntax => "a URL, a subprotocol or a close reason that is not allowed",
            Self::InvalidAccess => "a close code has to be 1000 or from 3000 to 4999",
            Self::InvalidState => "the connection is not established yet",
            Self::Operation => "there is no source of randomness",
        })
    }
}

impl core::error::Error for Exception {}

/// `readyState`; `as u16` gives its number.
///
/// ```
/// use sansocket::webapi::ReadyState;
/// assert_eq!(ReadyState::Closing as u16, 2);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u16)]
pub enum ReadyState {
    /// Not established yet.
    Connecting = 0,
    /// Established.
    Open = 1,
    /// The closing handshake has begun, or `close` was called.
    Closing = 2,
    /// Closed, or could not be opened.
    Closed = 3,
}

/// `binaryType`: as what a script wants binary messages. They are bytes here in any case, and the
/// engine asks when it fires the event.
///
/// ```
/// use sansocket::webapi::BinaryType;
/// assert_eq!(BinaryType::new("arraybuffer"), Some(BinaryType::ArrayBuffer));
/// assert_eq!(BinaryType::default().as_str(), "blob");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum BinaryType {
    /// `blob`
    #[default]
    Blob,
    /// `arraybuffer`
    ArrayBuffer,
}

impl BinaryType {
    /// The type of this name; other values a script assigns are to be ignored (Web IDL enumerations).
    #[must_use]
    pub fn new(name: &str) -> Option<Self> {
        [Self::Blob, Self::ArrayBuffer]
            .into_iter()
            .find(|own| own.as_str() == name)
    }

    /// The name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Blob => "blob",
            Self::ArrayBuffer => "arraybuffer",
        }
    }
}

/// What is fired at the object, in order.
///
/// ```
/// # if cfg!(not(feature = "getrandom")) { return }
/// use sansocket::{ClientConfig, webapi::{Event, WebSocket}};
/// let mut ws = WebSocket::new(&ClientConfig::new(), "ws://example.com", &[]).unwrap();
/// ws.transport_lost();
/// assert!(matches!(ws.receive(&mut &mut [][..]), Some(Event::Error)));
/// assert!(matches!(ws.receive(&mut &mut [][..]), Some(Event::Close(_))));
/// assert!(ws.receive(&mut &mut [][..]).is_none());
/// ```
#[derive(Debug, PartialEq, Eq)]
pub enum Event<'a> {
    /// `open`
    Open,
    /// `message`; its `origin` is [`WebSocket::origin`].
    Message(Message<'a>),
    /// `error`, which says nothing but comes before `close` where something was wrong.
    Error,
    /// `close`, once and last.
    Close(CloseEvent),
}

/// A `CloseEvent`. Failures look the same whatever they were: 1006 and no reason, so that a script
/// cannot probe networks that it should not see.
///
/// ```
/// # if cfg!(not(feature = "getrandom")) { return }
/// use sansocket::{ClientConfig, webapi::{CloseEvent, Event, WebSocket}};
/// let mut ws = WebSocket::new(&ClientConfig::new(), "wss://example.com", &[]).unwrap();
/// ws.tls_failed();
/// assert!(matches!(ws.receive(&mut &mut [][..]), Some(Event::Error)));
/// let Some(Event::Close(event)) = ws.receive(&mut &mut [][..]) else { panic!() };
/// assert_eq!(event, CloseEvent { was_clean: false, code: 1006, reason: String::new() });
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct CloseEvent {
    /// `wasClean`: the closing handshake was complete.
    pub was_clean: bool,
    /// `code`: what the server sent, 1005 if its Close frame had none, 1006 if none came.
    pub code: u16,
    /// `reason`: what the server sent.
    pub reason: String,
}

impl CloseEvent {
    fn new(report: &CloseReport) -> Self {
        let reason = report.received.as_ref().map_or("", |frame| frame.reason());
        Self {
            was_clean: report.clean,
            code: match report.code {
                CloseCode::TLS_HANDSHAKE => CloseCode::ABNORMAL_CLOSURE,
                code => code,
            },
            reason: reason.into(),
        }
    }
}

/// The reason's length only (RFC 6455 §5.5.1).
impl fmt::Debug for CloseEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CloseEvent")
            .field("was_clean", &self.was_clean)
            .field("code", &self.code)
            .field("reason", &self.reason.len())
            .finish()
    }
}

/// The request that the constructor makes of a script's arguments: the URL in the form that a URL
/// parser gives it (base URL, IDNA and percent-encoding are the engine's), ws, wss, http or https
/// without a fragment, and subprotocols that are tokens and differ. The engine adds the page's
/// origin, its cookies and the extensions it wants, and hands it to [`WebSocket::from_request`].
///
/// # Errors
/// [`Exception::Syntax`]; user information in the URL counts as such.
///
/// ```
/// # if cfg!(not(feature = "getrandom")) { return Ok(()) }
/// use sansocket::{ClientConfig, Misuse, webapi};
/// let request = webapi::request("ws://example.com/", &["chat"]).unwrap()
///     .origin("https://example.com")?
///     .header("Cookie", b"id=1")?;
/// let ws = webapi::WebSocket::from_request(&ClientConfig::new(), request).unwrap();
/// assert_eq!(webapi::request("ws://example.com/#top", &[]).unwrap_err().name(), "SyntaxError");
/// # Ok::<(), Misuse>(())
/// ```
pub fn request(url: &str, protocols: &[&str]) -> Result<ClientRequest, Exception> {
    let uri = Uri::parse_allowing_http(url).map_err(|_| Exception::Syntax)?;
    protocols
        .iter()
        .try_fold(ClientRequest::new(uri), |request, protocol| {
            request.subprotocol(protocol)
        })
        .map_err(|_| Exception::Syntax)
}

/// A `WebSocket` object: attributes, methods and events as in the WHATWG standard.
///
/// ```
/// # if cfg!(not(feature = "getrandom")) { return }
/// use sansocket::{ClientConfig, webapi::{ReadyState, WebSocket}};
/// let mut ws = WebSocket::new(&ClientConfig::new(), "ws://example.com/", &[]).unwrap();
/// assert!(ws.output().starts_with(b"GET / HTTP/1.1\r\n"));
/// ws.close(None, None).unwrap(); // before it was open: nothing is sent, the events say error and close
/// assert_eq!(ws.ready_state(), ReadyState::Closing);
/// ```
pub struct WebSocket {
    connection: Connection,
    uri: Uri,
    ready_state: ReadyState,
    binary_type: BinaryType,
    /// Bytes that `send` counted although they were not queued.
    unsent: u64,
    /// The event behind `error`.
    close: Option<CloseEvent>,
    report: Option<Box<CloseReport>>,
    refusal: Option<Box<Refusal>>,
}

impl WebSocket {
    // ── constructors

    /// `new WebSocket(url, protocols)`: [`request`], then [`from_request`](Self::from_request).
    ///
    /// # Errors
    /// [`Exception::Syntax`], [`Exception::Operation`].
    pub fn new(config: &ClientConfig, url: &str, protocols: &[&str]) -> Result<Self, Exception> {
        Self::from_request(config, request(url, protocols)?)
    }

    /// Starts a connection with a request of the engine's.
    ///
    /// Whatever the configuration says, messages come whole, pings are answered, and a server that
    /// chooses none of the subprotocols is failed. `Limits::output` bounds what a script can queue:
    /// a message over it closes the connection, and scripts are used to bounds far above the
    /// default.
    ///
    /// # Errors
    /// [`Exception::Operation`] if there is no source of randomness.
    pub fn from_request(config: &ClientConfig, request: ClientRequest) -> Result<Self, Exception> {
        Self::start(config, request, Connection::client)
    }

    /// The same with a source of randomness of the caller's.
    ///
    /// # Errors
    /// None at present.
    pub fn from_request_with_entropy(
        config: &ClientConfig,
        request: ClientRequest,
        entropy: Box<dyn Entropy + Send + Sync>,
    ) -> Result<Self, Exception> {
        Self::start(config, request, |config, request| {
            Connection::client_with_entropy(config, request, entropy)
        })
    }

    fn start(
        config: &ClientConfig,
        request: ClientRequest,
        connect: impl FnOnce(&ClientConfig, ClientRequest) -> Result<Connection, Misuse>,
    ) -> Result<Self, Exception> {
        let uri = request.uri().clone();
        let connection =
            connect(&for_scripts(config), request).map_err(|_| Exception::Operation)?;
        Ok(Self {
            connection,
            uri,
            ready_state: ReadyState::Connecting,
            binary_type: BinaryType::default(),
            unsent: 0,
            close: None,
            report: None,
            refusal: None,
        })
    }

    // ── attributes

    /// `url`, once printed.
    #[must_use]
    pub fn url(&self) -> &Uri {
        &self.uri
    }

    /// The `origin` of message events: that of the URL.
    #[must_use]
    pub fn origin(&self) -> String {
        let scheme = if self.uri.secure() { "wss" } else { "ws" };
        format!("{scheme}://{}", self.uri.authority())
    }

    /// `readyState`. It changes with the event that tells of it, and with [`close`](Self::close).
    #[must_use]
    pub fn ready_state(&self) -> ReadyState {
        self.ready_state
    }

    /// `bufferedAmount`: bytes that [`send`](Self::send) took and that were not written, without
    /// framing. A closed connection does not reset it. (A script must not see it fall while a task
    /// of its own runs: do not write in between, or ask before.)
    #[must_use]
    pub fn buffered_amount(&self) -> u64 {
        self.connection
            .buffered_amount()
            .saturating_add(self.unsent)
    }

    /// `extensions`: those of the server's answer; empty until open.
    #[must_use]
    pub fn extensions(&self) -> &str {
        self.connection.extensions()
    }

    /// `protocol`: the server's choice; empty until open, and if there was none to choose from.
    #[must_use]
    pub fn protocol(&self) -> &str {
        self.connection.subprotocol().unwrap_or_default()
    }

    /// `binaryType`.
    #[must_use]
    pub fn binary_type(&self) -> BinaryType {
        self.binary_type
    }

    /// Sets `binaryType`.
    pub fn set_binary_type(&mut self, binary_type: BinaryType) {
        self.binary_type = binary_type;
    }

    // ── methods

    /// `send(data)`: text from a `&str` or `String`, binary from bytes. Once the connection is
    /// closing it sends nothing and counts into [`buffered_amount`](Self::buffered_amount) all the
    /// same. What does not fit into the queue closes the connection at once.
    ///
    /// # Errors
    /// [`Exception::InvalidState`] while connecting.
    pub fn send<D: Outgoing + AsRef<[u8]>>(&mut self, data: D) -> Result<(), Exception> {
        if self.ready_state == ReadyState::Connecting {
            return Err(Exception::InvalidState);
        }
        let len = data.as_ref().len() as u64;
        let refused = match self.ready_state {
            ReadyState::Open => self.connection.send(data).err().map(|unsent| unsent.why),
            _ => Some(Misuse::Closing),
        };
        let Some(why) = refused else { return Ok(()) };
        self.unsent = self.unsent.saturating_add(len);
        // "Flagged as full". `Closing`: the event that says so has only not been asked for yet.
        if why != Misuse::Closing {
            self.connection.transport_lost();
        }
        Ok(())
    }

    /// `close(code, reason)`. What was sent before goes out first. Before the connection is open it
    /// is dropped; when it is closing or closed nothing happens. A reason without a code goes out
    /// with 1000 (D-31).
    ///
    /// # Errors
    /// [`Exception::InvalidAccess`] for a code that is neither 1000 nor from 3000 to 4999,
    /// [`Exception::Syntax`] for a reason of more than 123 bytes of UTF-8.
    pub fn close(&mut self, code: Option<u16>, reason: Option<&str>) -> Result<(), Exception> {
        let code = match code {
            None => None,
            Some(code @ (1000 | 3000..=4999)) => CloseCode::new(code),
            Some(_) => return Err(Exception::InvalidAccess),
        };
        let reason = reason.unwrap_or_default();
        if reason.len() > 123 {
            return Err(Exception::Syntax);
        }
        let code = code.or_else(|| (!reason.is_empty()).then_some(CloseCode::NORMAL_CLOSURE));
        self.start_closing(code, reason);
        Ok(())
    }

    /// The page goes away ("make disappear"): closes with 1001, or drops what is not open yet.
    pub fn go_away(&mut self) {
        self.start_closing(Some(CloseCode::GOING_AWAY), "");
    }

    /// Nobody holds the object any more (garbage collection): closes without a code.
    pub fn abandon(&mut self) {
        self.start_closing(None, "");
    }

    fn start_closing(&mut self, code: Option<CloseCode>, reason: &str) {
        if self.ready_state >= ReadyState::Closing {
            return;
        }
        self.ready_state = ReadyState::Closing;
        // Without a masking key no Close frame can go out.
        if self.connection.close(code, reason).is_err() {
            self.connection.transport_lost();
        }
    }

    // ── for the engine's console, never for scripts

    /// How the connection ended in truth, once it has. A script must not learn it.
    #[must_use]
    pub fn report(&self) -> Option<&CloseReport> {
        self.report.as_deref()
    }

    /// The server's answer, if it was a refusal. A script must not learn it.
    #[must_use]
    pub fn refusal(&self) -> Option<&Refusal> {
        self.refusal.as_deref()
    }

    // ── for the driver, as on a connection

    /// As [`Connection::receive`]: takes bytes, returns the next event.
    pub fn receive<'a>(&mut self, input: &mut &'a mut [u8]) -> Option<Event<'a>> {
        if let Some(close) = self.close.take() {
            return Some(Event::Close(close));
        }
        while let Some(event) = self.connection.receive(input) {
            let open = self.ready_state == ReadyState::Open;
            match event {
                event::Event::Open => {
                    self.ready_state = ReadyState::Open;
                    return Some(Event::Open);
                }
                event::Event::Message(message) if open => return Some(Event::Message(message)),
                event::Event::Close(_) | event::Event::Failed(_) => {
                    self.ready_state = ReadyState::Closing;
                }
                event::Event::Refused(refusal) => self.refusal = Some(refusal),
                event::Event::Closed(report) => return Some(self.closed(report)),
                _ => {}
            }
        }
        None
    }

    /// RFC 6455 §7.2.1: whatever ended otherwise than by a closing handshake was failed. That goes
    /// for a queue that was full too.
    fn closed(&mut self, report: Box<CloseReport>) -> Event<'static> {
        self.ready_state = ReadyState::Closed;
        let close = CloseEvent::new(&report);
        let clean = report.clean;
        self.report = Some(report);
        if clean {
            return Event::Close(close);
        }
        self.close = Some(close);
        Event::Error
    }

    /// As [`Connection::receive_eof`].
    pub fn receive_eof(&mut self) {
        self.connection.receive_eof();
    }

    /// As [`Connection::transport_lost`]; also for a name that has no address and a server that is
    /// not there.
    pub fn transport_lost(&mut self) {
        self.connection.transport_lost();
    }

    /// As [`Connection::tls_failed`].
    pub fn tls_failed(&mut self) {
        self.connection.tls_failed();
    }

    /// As [`Connection::output`].
    #[must_use]
    pub fn output(&self) -> &[u8] {
        self.connection.output()
    }

    /// As [`Connection::output_slices`].
    pub fn output_slices<'s>(&'s self, slices: &mut [&'s [u8]]) -> usize {
        self.connection.output_slices(slices)
    }

    /// As [`Connection::consume_output`].
    pub fn consume_output(&mut self, n: usize) {
        self.connection.consume_output(n);
    }

    /// As [`Connection::advance_time`].
    pub fn advance_time(&mut self, now: Duration) {
        self.connection.advance_time(now);
    }

    /// As [`Connection::next_deadline`].
    #[must_use]
    pub fn next_deadline(&self) -> Option<Duration> {
        self.connection.next_deadline()
    }

    /// As [`Connection::transport`].
    #[must_use]
    pub fn transport(&self) -> Transport {
        self.connection.transport()
    }

    /// The connection below, to look at: its queue, its memory, the answer's head with its cookies.
    #[must_use]
    pub fn connection(&self) -> &Connection {
        &self.connection
    }
}

/// What the standard fixes, whatever the configuration says.
fn for_scripts(config: &ClientConfig) -> ClientConfig {
    config.clone().with(|settings| {
        settings.require_subprotocol = true;
        settings.delivery = Delivery::Whole;
        settings.auto_pong = true;
    })
}

impl fmt::Debug for WebSocket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebSocket")
            .field("ready_state", &self.ready_state)
            .field("buffered_amount", &self.buffered_amount())
            .field("connection", &self.connection)
            .finish_non_exhaustive()
    }
}
