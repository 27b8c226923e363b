//! The WebSocket API of browsers (WHATWG WebSockets) over a [`Connection`], for script engines, which
//! bind it one to one. Feature `webapi`.
//!
//! A [`WebSocket`] is a client's connection with the rules that scripts know: states as numbers, four
//! events, `send` and `close` with their exceptions. Drive it like a connection.
//!
//! ```
//! # if cfg!(not(feature = "getrandom")) { return Ok(()) }
//! use sansocket::webapi::{DomEvent, ReadyState, WebSocket};
//! use sansocket::{ClientConfig, Message};
//! let mut ws = WebSocket::new(&ClientConfig::new(), "https://example.com/chat", ["v1.chat"])?;
//! assert_eq!((ws.ready_state() as u16, ws.url()), (0, "wss://example.com/chat"));
//! assert_eq!(ws.send("too early").unwrap_err().name(), "InvalidStateError");
//! assert_eq!(ws.close(Some(1001), None).unwrap_err().name(), "InvalidAccessError");
//!
//! // The loop of every driver; each event is one task of the engine:
//! # let mut read = [];
//! let mut input = &mut read[..];
//! # ws.transport_lost();
//! while let Some(event) = ws.receive(&mut input) {
//!     match event {
//!         DomEvent::Open => {}
//!         DomEvent::Message(Message::Text(text)) => println!("{}", &*text),
//!         DomEvent::Message(Message::Binary(bytes)) => println!("{} {}", ws.binary_type().as_str(), bytes.len()),
//!         DomEvent::Error => {}
//!         DomEvent::Close(close) => assert_eq!((close.was_clean, close.code), (false, 1006)),
//!     }
//! }
//! assert_eq!(ws.ready_state(), ReadyState::Closed);
//! # Ok::<(), sansocket::webapi::Exception>(())
//! ```
//!
//! # What is the engine's
//!
//! - Content Security Policy (`connect-src`), mixed content, HSTS (http to https, and so ws to wss) and [bad
//!   ports](is_bad_port): before connecting. What they block fails like everything else: call
//!   [`transport_lost`](WebSocket::transport_lost), and the script sees `error` and `close` with 1006.
//! - Cookies: of the page in [`Init::header`], and of the server in [`response`](WebSocket::response) or
//!   [`refusal`](WebSocket::refusal), also where the connection fails.
//! - A 401, if the URL has [credentials](UrlRecord::credentials) or the user gives some: at the `error` event
//!   [`refusal`](WebSocket::refusal) has the challenge (`client::challenge`). Then put a new `WebSocket` with an `Authorization` field in
//!   the place of this one, whose events the script never sees.
//! - One connection in CONNECTING for each address (`client::gate`), and the origin of the page.

mod attributes;
mod event;
mod halves;
mod init;
mod pending;
mod sending;
#[cfg(test)]
mod tests;
mod url;

use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;
use core::fmt;
use core::time::Duration;

use crate::Event;
use crate::config::{ClientConfig, Delivery};
use crate::connection::Connection;
use crate::entropy::Entropy;
use crate::event::CloseReport;
use crate::handshake::{AcceptedHead, ClientRequest, Negotiated, Refusal};
use crate::life::Transport;

pub use attributes::{BinaryType, Exception, ReadyState};
pub use event::{CloseEvent, DomEvent};
pub use halves::{Command, NetworkSide, Report, ScriptPlace, ScriptSide};
pub use init::Init;
pub use pending::Place;
pub use url::{UrlRecord, is_bad_port};

use pending::Pending;

/// A `WebSocket` object: attributes, methods and events as in the WHATWG standard.
///
/// ```
/// # if cfg!(not(feature = "getrandom")) { return }
/// use sansocket::{ClientConfig, webapi::{Init, ReadyState, WebSocket}};
/// let mut ws = WebSocket::new(&ClientConfig::new(), "ws://example.com/", Init::new()).unwrap();
/// assert!(ws.output().starts_with(b"GET / HTTP/1.1\r\n"));
/// ws.close(None, None).unwrap(); // before it was open: nothing is sent, the events say error and close
/// assert_eq!(ws.ready_state(), ReadyState::Closing);
/// ```
pub struct WebSocket {
    link: Link,
    url: UrlRecord,
    ready_state: ReadyState,
    binary_type: BinaryType,
    buffer: Option<u32>,
    /// What waits for bytes that stand before it.
    pending: Pending,
    /// Bytes that `send` took and did not queue.
    unsent: u64,
    /// The event after `error`.
    close: Option<CloseEvent>,
    report: Option<Box<CloseReport>>,
    refusal: Option<Box<Refusal>>,
}

/// What carries it.
#[allow(clippy::large_enum_variant, reason = "nearly all are connections")]
enum Link {
    Connection(Connection),
    /// Somebody else makes the opening handshake with this request.
    Elsewhere(Box<ClientRequest>),
    /// And did not come to an end with it.
    Failed,
}

impl WebSocket {
    // ── constructors

    /// `new WebSocket(url, protocols)`, or with a bag of options: see [`Init`].
    ///
    /// Whatever the configuration says, messages come whole, pings are answered, a server has to choose one of
    /// the subprotocols, and the queue is bounded by [`Init::buffer`].
    ///
    /// ```
    /// # if cfg!(not(feature = "getrandom")) { return Ok(()) }
    /// use sansocket::{ClientConfig, webapi::{Init, WebSocket}};
    /// let init = Init::new().protocols(["chat"]).origin("https://example.com").header("Cookie", b"id=1");
    /// let ws = WebSocket::new(&ClientConfig::new(), "wss://example.com/?a[]=1|2", init)?;
    /// assert_eq!(ws.url(), "wss://example.com/?a[]=1|2");
    /// let error = WebSocket::new(&ClientConfig::new(), "wss://example.com/#top", "chat").unwrap_err();
    /// assert_eq!(error.name(), "SyntaxError");
    /// # Ok::<(), sansocket::webapi::Exception>(())
    /// ```
    ///
    /// # Errors
    /// [`Exception::Syntax`]: the URL or the options. [`Exception::Operation`]: there is no source of randomness.
    pub fn new(config: &ClientConfig, url: &str, init: impl Into<Init>) -> Result<Self, Exception> {
        let init = init.into();
        let (url, request) = init.request(url)?;
        let connection = Connection::client(&for_scripts(config, init.buffer), request);
        let connection = connection.map_err(|_| Exception::Operation)?;
        Ok(Self::over(Link::Connection(connection), url, init.buffer))
    }

    /// The same with a source of randomness of the caller's.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn with_entropy(
        config: &ClientConfig,
        url: &str,
        init: impl Into<Init>,
        entropy: Box<dyn Entropy + Send + Sync>,
    ) -> Result<Self, Exception> {
        let init = init.into();
        let (url, request) = init.request(url)?;
        let config = for_scripts(config, init.buffer);
        let connection = Connection::client_with_entropy(&config, request, entropy);
        let connection = connection.map_err(|_| Exception::Operation)?;
        Ok(Self::over(Link::Connection(connection), url, init.buffer))
    }

    /// The same where somebody else makes the opening handshake: the engine's own HTTP stack, over HTTP/2
    /// or HTTP/3 too. It is connecting until [`established`](Self::established),
    /// [`refused`](Self::refused) or [`transport_lost`](Self::transport_lost).
    ///
    /// ```
    /// # if cfg!(not(feature = "getrandom")) { return Ok(()) }
    /// use sansocket::handshake::extended_connect::{ConnectProtocol, Outcome, open, request};
    /// use sansocket::{ClientConfig, webapi::{self, DomEvent, WebSocket}};
    /// let mut ws = WebSocket::connecting("wss://example.com/", "chat")?;
    /// let config = webapi::config(&ClientConfig::new());
    /// let asked = ws.request().unwrap();
    /// let fields = request(&config, asked, ConnectProtocol::Enabled).unwrap(); // to be sent
    /// let answer = [("sec-websocket-protocol", &b"chat"[..])];
    /// match open(&config, asked, 200, answer) {
    ///     Ok(Outcome::Open(negotiated)) => ws.established(&config, negotiated),
    ///     Ok(Outcome::Refused(refusal)) => ws.refused(refusal),
    ///     Err(_) => ws.transport_lost(),
    /// }
    /// assert!(matches!(ws.receive(&mut &mut [][..]), Some(DomEvent::Open)));
    /// assert_eq!(ws.protocol(), "chat");
    /// # Ok::<(), sansocket::webapi::Exception>(())
    /// ```
    ///
    /// # Errors
    /// [`Exception::Syntax`].
    pub fn connecting(url: &str, init: impl Into<Init>) -> Result<Self, Exception> {
        let init = init.into();
        let (url, request) = init.request(url)?;
        let link = Link::Elsewhere(Box::new(request));
        Ok(Self::over(link, url, init.buffer))
    }

    fn over(link: Link, url: UrlRecord, buffer: Option<u32>) -> Self {
        Self {
            link,
            url,
            ready_state: ReadyState::Connecting,
            binary_type: BinaryType::default(),
            buffer,
            pending: Pending::default(),
            unsent: 0,
            close: None,
            report: None,
            refusal: None,
        }
    }

    // ── an opening handshake of somebody else's

    /// The request to be made, while somebody else makes it.
    #[must_use]
    pub fn request(&self) -> Option<&ClientRequest> {
        match &self.link {
            Link::Elsewhere(request) => Some(request),
            Link::Connection(_) | Link::Failed => None,
        }
    }

    /// The handshake of somebody else's is done. Nothing happens if the script has closed meanwhile:
    /// [`transport`](Self::transport) says so.
    pub fn established(&mut self, config: &ClientConfig, negotiated: Negotiated) {
        if self.request().is_some() {
            let config = for_scripts(config, self.buffer);
            let connection = Connection::upgraded_client(&config, negotiated);
            self.link = Link::Connection(connection);
        }
    }

    /// The server refused the handshake of somebody else's.
    pub fn refused(&mut self, refusal: Box<Refusal>) {
        self.refusal = Some(refusal);
        self.transport_lost();
    }

    // ── attributes

    /// `url`: the serialized URL record.
    #[must_use]
    pub fn url(&self) -> &str {
        self.url.as_str()
    }

    /// The URL record: where to connect to, and its credentials.
    #[must_use]
    pub fn url_record(&self) -> &UrlRecord {
        &self.url
    }

    /// The `origin` of message events: that of the URL.
    #[must_use]
    pub fn origin(&self) -> String {
        let uri = self.url.uri();
        let scheme = if uri.secure() { "wss" } else { "ws" };
        format!("{scheme}://{}", uri.authority())
    }

    /// `readyState`. It changes with its event, and with [`close`](Self::close).
    #[must_use]
    pub fn ready_state(&self) -> ReadyState {
        self.ready_state
    }

    /// `extensions`: those of the server's answer; empty until open.
    #[must_use]
    pub fn extensions(&self) -> &str {
        self.connection().map_or("", Connection::extensions)
    }

    /// `protocol`: the server's choice; empty until open, and if there was none to choose from.
    #[must_use]
    pub fn protocol(&self) -> &str {
        let connection = self.connection();
        connection
            .and_then(Connection::subprotocol)
            .unwrap_or_default()
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

    // ── for the engine's console, never for scripts

    /// How the connection really ended, once it has. A script must not learn it.
    #[must_use]
    pub fn report(&self) -> Option<&CloseReport> {
        self.report.as_deref()
    }

    /// The server's answer, if it was a refusal, with its cookies. A script must not learn it.
    #[must_use]
    pub fn refusal(&self) -> Option<&Refusal> {
        self.refusal.as_deref()
    }

    /// The head of the server's 101 with its cookies: with the `open` event, and from then on where the
    /// connection was failed for what it says (see [`Connection::response`]).
    #[must_use]
    pub fn response(&self) -> Option<AcceptedHead<'_>> {
        self.connection()?.response()
    }

    // ── for the driver, as on a connection

    /// As [`Connection::receive`]: takes bytes, returns the next event.
    pub fn receive<'a>(&mut self, input: &mut &'a mut [u8]) -> Option<DomEvent<'a>> {
        if let Some(close) = self.close.take() {
            return Some(DomEvent::Close(close));
        }
        while let Link::Connection(connection) = &mut self.link {
            let event = connection.receive(input)?;
            let open = self.ready_state == ReadyState::Open;
            match event {
                Event::Open => {
                    self.ready_state = ReadyState::Open;
                    return Some(DomEvent::Open);
                }
                Event::Message(message) if open => return Some(DomEvent::Message(message)),
                Event::Close(_) | Event::Failed(_) => {
                    self.ready_state = ReadyState::Closing;
                }
                Event::Refused(refusal) => self.refusal = Some(refusal),
                Event::Closed(report) => return Some(self.closed(report)),
                _ => {}
            }
        }
        let failed = matches!(self.link, Link::Failed) && self.ready_state != ReadyState::Closed;
        failed.then(|| {
            self.ready_state = ReadyState::Closed;
            self.close = Some(CloseEvent::failed());
            DomEvent::Error
        })
    }

    /// Whatever ended without a closing handshake was failed (RFC 6455 §7.2.1), also by a full queue.
    fn closed(&mut self, report: Box<CloseReport>) -> DomEvent<'static> {
        self.ready_state = ReadyState::Closed;
        let close = CloseEvent::new(&report);
        let clean = report.clean;
        self.report = Some(report);
        if clean {
            return DomEvent::Close(close);
        }
        self.close = Some(close);
        DomEvent::Error
    }

    /// As [`Connection::receive_eof`].
    pub fn receive_eof(&mut self) {
        self.with(Connection::receive_eof);
    }

    /// As [`Connection::write_lost`].
    pub fn write_lost(&mut self) {
        self.with(Connection::write_lost);
    }

    /// As [`Connection::transport_lost`]; also if the name has no address or no server is there.
    pub fn transport_lost(&mut self) {
        match &mut self.link {
            Link::Connection(connection) => connection.transport_lost(),
            link => *link = Link::Failed,
        }
    }

    /// As [`Connection::tls_failed`].
    pub fn tls_failed(&mut self) {
        match &mut self.link {
            Link::Connection(connection) => connection.tls_failed(),
            link => *link = Link::Failed,
        }
    }

    /// As [`Connection::output`].
    #[must_use]
    pub fn output(&self) -> &[u8] {
        self.connection().map_or(&[], Connection::output)
    }

    /// As [`Connection::output_slices`].
    pub fn output_slices<'s>(&'s self, slices: &mut [&'s [u8]]) -> usize {
        self.connection().map_or(0, |ws| ws.output_slices(slices))
    }

    /// As [`Connection::consume_output`].
    pub fn consume_output(&mut self, n: usize) {
        self.with(|ws| ws.consume_output(n));
    }

    /// As [`Connection::advance_time`].
    pub fn advance_time(&mut self, now: Duration) {
        self.with(|ws| ws.advance_time(now));
    }

    /// As [`Connection::next_deadline`].
    #[must_use]
    pub fn next_deadline(&self) -> Option<Duration> {
        self.connection()?.next_deadline()
    }

    /// As [`Connection::transport`].
    #[must_use]
    pub fn transport(&self) -> Transport {
        match &self.link {
            Link::Connection(connection) => connection.transport(),
            Link::Elsewhere(_) => Transport::KeepOpen,
            Link::Failed => Transport::Close,
        }
    }

    /// The connection below: its queue, its memory. `None` while, or if, somebody else's opening handshake
    /// gave none.
    #[must_use]
    pub fn connection(&self) -> Option<&Connection> {
        match &self.link {
            Link::Connection(connection) => Some(connection),
            Link::Elsewhere(_) | Link::Failed => None,
        }
    }

    /// What needs a connection; there is nothing to do without one.
    fn with(&mut self, act: impl FnOnce(&mut Connection)) {
        if let Link::Connection(connection) = &mut self.link {
            act(connection);
        }
    }
}

/// The configuration with what the standard fixes: messages come whole, pings are answered, one of the offered
/// subprotocols is required. [`WebSocket`] does this to what it is given; an opening handshake of somebody else's needs
/// it too.
#[must_use]
pub fn config(config: &ClientConfig) -> ClientConfig {
    for_scripts(config, None)
}

fn for_scripts(config: &ClientConfig, buffer: Option<u32>) -> ClientConfig {
    config.clone().with(|settings| {
        settings.require_subprotocol = true;
        settings.delivery = Delivery::Whole;
        settings.auto_pong = true;
        settings.limits.output = buffer.unwrap_or(u32::MAX);
    })
}

impl fmt::Debug for WebSocket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebSocket")
            .field("ready_state", &self.ready_state)
            .field("buffered_amount", &self.buffered_amount())
            .field("connection", &self.connection())
            .finish_non_exhaustive()
    }
}
