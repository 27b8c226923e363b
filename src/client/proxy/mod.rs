//! Which proxy leads to a server, and a tunnel through it (RFC 6455 §4.1 (3)).
//!
//! [`Environment`] says which [`Proxy`], and a [`Tunnel`] gets through it, of whichever kind it is. For an HTTP proxy
//! that is a [`Connect`] (RFC 9110 §9.3.6), for a SOCKS5 proxy a [`Socks5`](super::socks5::Socks5).
//!
//! Drive a [`Connect`] like a connection, before one: write its [`output`](Connect::output) to the proxy
//! and give it what the proxy answers, until it has a [`ConnectOutcome`]. Once the tunnel is open, what
//! follows in the input is from the server; TLS (for wss) and the opening handshake begin there. The
//! proxy learns the host and the port, and nothing of the WebSocket request.
//!
//! ```
//! use sansocket::{Uri, client::proxy::{Connect, ConnectOptions, ConnectOutcome}};
//! let uri = Uri::parse("wss://example.com/chat?token=secret")?;
//! let options = ConnectOptions::new().basic("ednamode", "nocapes!")?;
//! let mut connect = Connect::new(&uri, &options);
//! assert_eq!(
//!     connect.output(),
//!     b"CONNECT example.com:443 HTTP/1.1\r\n\
//!       Host: example.com:443\r\n\
//!       Proxy-Authorization: Basic ZWRuYW1vZGU6bm9jYXBlcyE=\r\n\r\n",
//! );
//! connect.consume_output(connect.output().len()); // written to the proxy's socket
//!
//! let mut read = *b"HTTP/1.1 200 Connection established\r\n\r\nfrom the server"; // read from it
//! let mut input = &mut read[..];
//! assert!(matches!(connect.receive(&mut input), Some(ConnectOutcome::Open)));
//! assert_eq!(input, b"from the server");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod environment;
mod named;
#[cfg(test)]
mod tests;
mod tunnel;

use alloc::boxed::Box;
use alloc::format;
use alloc::vec::Vec;
use core::time::Duration;
use core::{fmt, mem};

use crate::config::{Limits, Timeouts};
use crate::error::{FieldError, HandshakeError, identified};
use crate::handshake::extra::{self, Extra};
use crate::handshake::head::{pairs, parse_response, slots, unfold};
use crate::handshake::uri::Uri;
use crate::handshake::{HeadReader, Refusal, RefusalReader};

use super::credentials;
use super::exchange::{End, Exchange};

pub use environment::Environment;
pub use named::{BadProxy, Protocol, Proxy};
pub use tunnel::{ProxyError, Tunnel};

/// What a client sends to its proxy, and the limits on the answer. Usable for any number of tunnels.
///
/// ```
/// use sansocket::{client::proxy::ConnectOptions, error::FieldError};
/// let options = ConnectOptions::new().header("User-Agent", b"client/1")?;
/// assert_eq!(options.header("X", b"a\r\nY: b").unwrap_err(), FieldError::BadValue);
/// # Ok::<(), FieldError>(())
/// ```
#[derive(Debug, Clone)]
pub struct ConnectOptions {
    extra: Extra,
    limits: Limits,
    timeout: Duration,
}

impl Default for ConnectOptions {
    fn default() -> Self {
        Self::new()
    }
}

impl ConnectOptions {
    /// No fields but `Host`, [`Limits::client`] and a timeout of 10 s.
    #[must_use]
    pub fn new() -> Self {
        Self {
            extra: Extra::default(),
            limits: Limits::client(),
            timeout: Timeouts::default().handshake,
        }
    }

    /// Sends a header field with the request. `Proxy-Authorization` replaces the one before it,
    /// other fields are added.
    ///
    /// # Errors
    /// [`FieldError::BadName`] and [`FieldError::BadValue`] for what is outside the grammar of fields.
    /// [`FieldError::Reserved`]: a field that belongs to CONNECT itself or to the opening
    /// handshake, or that carries credentials for the server (`Authorization`, `Cookie`): none of
    /// them is for a proxy.
    pub fn header(mut self, name: &str, value: &[u8]) -> Result<Self, FieldError> {
        let is = |other: &str| name.eq_ignore_ascii_case(other);
        if is("Authorization") || is("Cookie") {
            return Err(FieldError::Reserved);
        }
        if is(PROXY_AUTHORIZATION) {
            let fields = &mut self.extra.0;
            fields.retain(|(name, _)| !name.eq_ignore_ascii_case(PROXY_AUTHORIZATION));
        }
        self.extra.add(name, value, |_| true)?;
        Ok(self)
    }

    /// Sends a name and a password (RFC 9110 §11.7.2; Basic, RFC 7617) in place of other credentials.
    /// Whoever can read the connection to the proxy can read them.
    ///
    /// # Errors
    /// [`FieldError::BadValue`]: a control character, or a colon in the name (RFC 7617 §2).
    pub fn basic(self, user: &str, password: &str) -> Result<Self, FieldError> {
        self.header(PROXY_AUTHORIZATION, &credentials::basic(user, password)?)
    }

    /// Sets the limits on the proxy's answer: `head`, `fields` and `body` count here.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Whether credentials are among the fields.
    fn authorizes(&self) -> bool {
        let mut names = self.extra.0.iter().map(|(name, _)| name);
        names.any(|name| name.eq_ignore_ascii_case(PROXY_AUTHORIZATION))
    }

    /// Sets how long the proxy may take, from the first [`Connect::advance_time`] on.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }
}

const PROXY_AUTHORIZATION: &str = "Proxy-Authorization";

/// How a [`Connect`] ended.
///
/// ```
/// use sansocket::Uri;
/// use sansocket::client::{challenge::Challenge, proxy::{Connect, ConnectOptions, ConnectOutcome}};
/// let mut connect = Connect::new(&Uri::parse("ws://example.com/")?, &ConnectOptions::new());
/// let mut read = *b"HTTP/1.1 407 Who?\r\nProxy-Authenticate: Basic realm=\"net\"\r\nContent-Length: 0\r\n\r\n";
/// match connect.receive(&mut &mut read[..]) {
///     Some(ConnectOutcome::Refused(refusal)) if refusal.status == 407 => {
///         // With credentials it may be accepted: here, or over a new connection if it is not reusable.
///         assert!(Challenge::of(&refusal).iter().any(|challenge| challenge.is("Basic")));
///     }
///     outcome => unreachable!("{outcome:?}"),
/// }
/// # Ok::<(), sansocket::handshake::UriError>(())
/// ```
#[derive(Debug, Clone)]
pub enum ConnectOutcome {
    /// The tunnel is open. The rest of the input, and everything after it, is from the server.
    Open,
    /// The proxy refused (RFC 6455 §4.1 (4)). Close the transport, unless the refusal is
    /// [`reusable`](Refusal::reusable): then another [`Connect`] may follow on it, as NTLM and Negotiate need,
    /// which authenticate a transport in several rounds.
    Refused(Box<Refusal>),
    /// There was no valid answer. Close the transport.
    Failed(ConnectError),
}

/// Why there is no valid answer.
///
/// ```
/// use sansocket::client::proxy::ConnectError;
/// assert_eq!(ConnectError::Closed.to_string(), "the proxy closed the connection without an answer");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ConnectError {
    /// The answer is not HTTP/1 or exceeds a limit.
    Answer(HandshakeError),
    /// A status that answers no CONNECT: 101, or above 599 (RFC 9110 §15).
    Status(u16),
    /// The connection to the proxy ended before the answer was complete.
    Closed,
    /// The answer took longer than [`ConnectOptions::timeout`].
    Timeout,
}

identified! { ConnectError:
    Self::Answer(_) = 1201, "proxy_answer";
    Self::Status(_) = 1202, "proxy_status";
    Self::Closed = 1203, "proxy_closed";
    Self::Timeout = 1204, "proxy_timeout";
}

impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Answer(error) => write!(f, "the proxy's answer: {error}"),
            Self::Status(status) => write!(
                f,
                "the proxy's answer: the status {status} answers no CONNECT (RFC 9110 §15)"
            ),
            Self::Closed => f.write_str("the proxy closed the connection without an answer"),
            Self::Timeout => f.write_str("the proxy took too long to answer"),
        }
    }
}

impl core::error::Error for ConnectError {}

impl From<HandshakeError> for ConnectError {
    fn from(error: HandshakeError) -> Self {
        Self::Answer(error)
    }
}

/// One CONNECT request and its answer, up to the [`ConnectOutcome`].
///
/// ```
/// # use sansocket::{Uri, client::proxy::{Connect, ConnectError, ConnectOptions, ConnectOutcome}};
/// # use core::time::Duration;
/// let mut connect = Connect::new(&Uri::parse("ws://[::1]/")?, &ConnectOptions::new());
/// assert!(connect.output().starts_with(b"CONNECT [::1]:80 HTTP/1.1\r\n"));
/// connect.advance_time(Duration::from_secs(7));
/// assert_eq!(connect.next_deadline(), Some(Duration::from_secs(17)));
/// connect.advance_time(Duration::from_secs(17));
/// let outcome = connect.receive(&mut &mut [][..]);
/// assert!(matches!(outcome, Some(ConnectOutcome::Failed(ConnectError::Timeout))));
/// # Ok::<(), sansocket::handshake::UriError>(())
/// ```
pub struct Connect {
    exchange: Exchange,
    limits: Limits,
    awaited: ReadPart,
}

enum ReadPart {
    /// The head.
    Head(HeadReader),
    /// A refusal whose body is not complete.
    Body(Box<RefusalReader>),
    Done,
}

/// Lengths only, as the request may hold credentials.
impl fmt::Debug for Connect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connect")
            .field("exchange", &self.exchange)
            .field("awaited", &self.awaited)
            .field("deadline", &self.next_deadline())
            .finish_non_exhaustive()
    }
}

/// Nothing of the answer.
impl fmt::Debug for ReadPart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Head(_) => f.write_str("Head"),
            Self::Body(_) => f.write_str("Body"),
            Self::Done => f.write_str("Done"),
        }
    }
}

impl Connect {
    /// Asks for a tunnel to the host and port of the URI; the port is always written
    /// (RFC 9110 §9.3.6, RFC 9112 §3.2.3).
    #[must_use]
    pub fn new(uri: &Uri, options: &ConnectOptions) -> Self {
        let target = uri.host_and_port();
        let mut output = format!("CONNECT {target} HTTP/1.1\r\n").into_bytes();
        extra::write(&mut output, "Host", &[target.as_bytes()]);
        options.extra.write(&mut output);
        output.extend_from_slice(b"\r\n");
        Self {
            exchange: Exchange::new(output, options.timeout),
            limits: options.limits,
            awaited: ReadPart::Head(HeadReader::response()),
        }
    }

    /// The bytes to write to the proxy.
    #[must_use]
    pub fn output(&self) -> &[u8] {
        self.exchange.output()
    }

    /// Tells that `n` bytes of [`output`](Self::output) were written.
    pub fn consume_output(&mut self, n: usize) {
        self.exchange.consume_output(n);
    }

    /// Takes what was read from the proxy and returns the outcome, once. What is left of `input` when
    /// the tunnel is [`Open`](ConnectOutcome::Open) is from the server. Call it with an empty input
    /// after [`receive_eof`](Self::receive_eof) and [`advance_time`](Self::advance_time).
    pub fn receive(&mut self, input: &mut &mut [u8]) -> Option<ConnectOutcome> {
        let outcome = self.step(input)?;
        self.awaited = ReadPart::Done;
        self.exchange.forget_output();
        Some(outcome)
    }

    /// The proxy will send no more.
    pub fn receive_eof(&mut self) {
        self.exchange.end_with(End::Eof);
    }

    /// The connection to the proxy is gone.
    pub fn transport_lost(&mut self) {
        self.exchange.end_with(End::Lost);
    }

    /// Tells the time since an origin that the caller picks. The first call starts the deadline;
    /// without a call there is none.
    pub fn advance_time(&mut self, now: Duration) {
        self.exchange.advance_time(now);
    }

    /// The time by which [`advance_time`](Self::advance_time) has to be called.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Duration> {
        match self.awaited {
            ReadPart::Done => None,
            _ => self.exchange.deadline(),
        }
    }

    fn step(&mut self, input: &mut &mut [u8]) -> Option<ConnectOutcome> {
        loop {
            match &mut self.awaited {
                ReadPart::Head(reader) => {
                    let head = match reader.read(input, &self.limits) {
                        Ok(Some(head)) => head.into_vec(),
                        Ok(None) => return self.exchange.end().map(without_answer),
                        Err(error) => return Some(ConnectOutcome::Failed(error.into())),
                    };
                    match read_head(head, &self.limits) {
                        Ok(Verdict::Interim(len)) => reader.next(len),
                        Ok(Verdict::Open) => return Some(ConnectOutcome::Open),
                        Ok(Verdict::Refused(reader)) => {
                            self.awaited = ReadPart::Body(Box::new(reader));
                        }
                        Err(error) => return Some(ConnectOutcome::Failed(error)),
                    }
                }
                ReadPart::Body(reader) => {
                    let used = reader.feed(input);
                    *input = mem::take(input).get_mut(used..).unwrap_or_default();
                    match self.exchange.end() {
                        Some(End::Eof) => reader.end(),
                        Some(End::Lost | End::Timeout) => reader.stop(),
                        None => {}
                    }
                    return reader.take_done().map(ConnectOutcome::Refused);
                }
                ReadPart::Done => return None,
            }
        }
    }
}

const fn without_answer(end: End) -> ConnectOutcome {
    ConnectOutcome::Failed(match end {
        End::Eof | End::Lost => ConnectError::Closed,
        End::Timeout => ConnectError::Timeout,
    })
}

enum Verdict {
    /// Of so many bytes.
    Interim(usize),
    Open,
    Refused(RefusalReader),
}

/// Judges a head: 1xx is skipped, any 2xx opens whatever its fields say, the rest refuses (RFC 9110
/// §9.3.6, §15.2). HTTP/1.0 is accepted, as many proxies answer with it.
fn read_head(mut head: Vec<u8>, limits: &Limits) -> Result<Verdict, ConnectError> {
    unfold(&mut head);
    let mut slots = slots();
    let (line, fields) = parse_response(&head, 200..=299, &mut slots)?;
    match line.status {
        // RFC 9110 §15.2.2: nobody asked for another protocol.
        101 => Err(ConnectError::Status(101)),
        100..=199 => Ok(Verdict::Interim(head.len())),
        200..=299 => Ok(Verdict::Open),
        300..=599 => Ok(RefusalReader::new(line, pairs(fields), limits).map(Verdict::Refused)?),
        status => Err(ConnectError::Status(status)),
    }
}
