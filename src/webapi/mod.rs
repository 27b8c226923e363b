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
//! let mut ws = WebSocket::new(&ClientConfig::new(), "https://example.com/chat", &["v1.chat"])?;
//! assert_eq!((ws.ready_state() as u16, &*ws.url().to_string()), (0, "wss://example.com/chat"));
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

mod attributes;
mod event;
#[cfg(test)]
mod tests;

use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;
use core::fmt;
use core::time::Duration;

use crate::Event;
use crate::close_code::CloseCode;
use crate::config::{ClientConfig, Delivery};
use crate::connection::{Connection, Outgoing, Transport};
use crate::entropy::Entropy;
use crate::error::SendError;
use crate::event::CloseReport;
use crate::handshake::uri::Uri;
use crate::handshake::{ClientRequest, Refusal};

pub use attributes::{BinaryType, Exception, ReadyState};
pub use event::{CloseEvent, DomEvent};

/// Makes a request of a script's arguments, for the engine to add the page's origin and cookies and to
/// hand to [`WebSocket::from_request`].
///
/// The URL comes from a URL parser (base URL, IDNA and percent-encoding are the engine's): ws, wss, http
/// or https, without a fragment. Subprotocols are tokens that differ.
///
/// # Errors
/// [`Exception::Syntax`]; user information in the URL counts as such.
///
/// ```
/// # if cfg!(not(feature = "getrandom")) { return Ok(()) }
/// use sansocket::{ClientConfig, error::FieldError, webapi};
/// let request = webapi::request("ws://example.com/", &["chat"]).unwrap()
///     .origin("https://example.com")?
///     .header("Cookie", b"id=1")?;
/// let ws = webapi::WebSocket::from_request(&ClientConfig::new(), request).unwrap();
/// assert_eq!(webapi::request("ws://example.com/#top", &[]).unwrap_err().name(), "SyntaxError");
/// # Ok::<(), FieldError>(())
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
    /// Bytes that `send` took and did not queue.
    unsent: u64,
    /// The event after `error`.
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
    /// Whatever the configuration says, messages come whole, pings are answered, and a server has to
    /// choose one of the subprotocols. A message beyond `Limits::output` closes the connection: scripts
    /// expect a far higher limit than the default.
    ///
    /// # Errors
    /// [`Exception::Operation`] if there is no source of randomness.
    pub fn from_request(config: &ClientConfig, request: ClientRequest) -> Result<Self, Exception> {
        let uri = request.uri().clone();
        let connection = Connection::client(&for_scripts(config), request);
        let connection = connection.map_err(|_| Exception::Operation)?;
        Ok(Self::over(connection, uri))
    }

    /// The same with a source of randomness of the caller's.
    #[must_use]
    pub fn from_request_with_entropy(
        config: &ClientConfig,
        request: ClientRequest,
        entropy: Box<dyn Entropy + Send + Sync>,
    ) -> Self {
        let uri = request.uri().clone();
        let config = for_scripts(config);
        Self::over(
            Connection::client_with_entropy(&config, request, entropy),
            uri,
        )
    }

    fn over(connection: Connection, uri: Uri) -> Self {
        Self {
            connection,
            uri,
            ready_state: ReadyState::Connecting,
            binary_type: BinaryType::default(),
            unsent: 0,
            close: None,
            report: None,
            refusal: None,
        }
    }

    // ── attributes

    /// `url`, when printed.
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

    /// `readyState`. It changes with its event, and with [`close`](Self::close).
    #[must_use]
    pub fn ready_state(&self) -> ReadyState {
        self.ready_state
    }

    /// `bufferedAmount`: bytes of payload that [`send`](Self::send) took and that were not written.
    /// Closing does not reset it. A script must not see it fall within a task: do not write meanwhile,
    /// or ask before.
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

    /// `send(data)`: text from a `&str` or `String`, binary from bytes. A message that does not fit into
    /// the queue closes the connection at once. When closing, nothing is sent, and the message still
    /// counts in [`buffered_amount`](Self::buffered_amount).
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
            _ => Some(SendError::Closing),
        };
        let Some(why) = refused else { return Ok(()) };
        self.unsent = self.unsent.saturating_add(len);
        // The standard flags a full connection. `Closing`: its event has not been asked for yet.
        if why != SendError::Closing {
            self.connection.transport_lost();
        }
        Ok(())
    }

    /// `close(code, reason)`. Messages sent before go out first. Before the connection is open it is
    /// dropped; when it is closing or closed nothing happens. A reason without a code goes out with 1000,
    /// as it cannot be encoded alone.
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

    /// Closes with 1001 because the page goes away ("make disappear"); drops a connection that is not
    /// open yet.
    pub fn go_away(&mut self) {
        self.start_closing(Some(CloseCode::GOING_AWAY), "");
    }

    /// Closes without a code because nobody holds the object any more (garbage collection).
    pub fn abandon(&mut self) {
        self.start_closing(None, "");
    }

    fn start_closing(&mut self, code: Option<CloseCode>, reason: &str) {
        if self.ready_state >= ReadyState::Closing {
            return;
        }
        self.ready_state = ReadyState::Closing;
        // Without a masking key there is no Close frame.
        if self.connection.close(code, reason).is_err() {
            self.connection.transport_lost();
        }
    }

    // ── for the engine's console, never for scripts

    /// How the connection really ended, once it has. A script must not learn it.
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
    pub fn receive<'a>(&mut self, input: &mut &'a mut [u8]) -> Option<DomEvent<'a>> {
        if let Some(close) = self.close.take() {
            return Some(DomEvent::Close(close));
        }
        while let Some(event) = self.connection.receive(input) {
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
        None
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
        self.connection.receive_eof();
    }

    /// As [`Connection::write_lost`].
    pub fn write_lost(&mut self) {
        self.connection.write_lost();
    }

    /// As [`Connection::transport_lost`]; also if the name has no address or no server is there.
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

    /// The connection below: its queue, its memory, the answer's head with its cookies.
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
