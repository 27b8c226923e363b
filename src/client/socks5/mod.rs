//! A tunnel through a SOCKS5 proxy (RFC 1928), with a name and a password if it asks (RFC 1929).
//!
//! Drive a [`Socks5`] like [`proxy::Connect`](super::proxy::Connect). The name of the host goes to the proxy,
//! which resolves it (`socks5h` of curl).
//!
//! ```
//! use sansocket::{Uri, client::socks5::{Socks5Options, Socks5, Socks5Outcome}};
//! let uri = Uri::parse("wss://example.com/chat?token=secret")?;
//! let mut socks = Socks5::new(&uri, &Socks5Options::new())?;
//! assert_eq!(socks.output(), [5, 1, 0]); // version 5; one method: no authentication
//! socks.consume_output(3);
//!
//! let mut read = *b"\x05\0";
//! assert!(socks.receive(&mut &mut read[..]).is_none()); // that method, then
//! assert_eq!(socks.output(), b"\x05\x01\0\x03\x0bexample.com\x01\xbb");
//! socks.consume_output(18);
//!
//! let mut read = *b"\x05\0\0\x01\0\0\0\0\0\0from the server";
//! let mut input = &mut read[..];
//! assert!(matches!(socks.receive(&mut input), Some(Socks5Outcome::Open)));
//! assert_eq!(input, b"from the server");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

#[cfg(test)]
mod tests;

use alloc::vec;
use alloc::vec::Vec;
use core::net::{Ipv4Addr, Ipv6Addr};
use core::time::Duration;
use core::{fmt, mem};

use crate::config::Timeouts;
use crate::error::identified;
use crate::handshake::uri::Uri;

use super::exchange::{End, Exchange};

/// What a client tells a SOCKS5 proxy about itself. Usable for any number of tunnels.
///
/// ```
/// use sansocket::client::socks5::Socks5Options;
/// let options = Socks5Options::new().password("user", "secret")?;
/// # let _ = options;
/// # Ok::<(), sansocket::client::socks5::Socks5Error>(())
/// ```
#[derive(Clone)]
pub struct Socks5Options {
    /// Ready to be sent (RFC 1929 §2).
    credentials: Option<Vec<u8>>,
    timeout: Duration,
}

impl Default for Socks5Options {
    fn default() -> Self {
        Self::new()
    }
}

impl Socks5Options {
    /// No credentials, and a timeout of 10 s.
    #[must_use]
    pub fn new() -> Self {
        Self {
            credentials: None,
            timeout: Timeouts::default().handshake,
        }
    }

    /// Offers a name and a password (RFC 1929 §2). Whoever can read the connection to the proxy can read
    /// them.
    ///
    /// # Errors
    /// [`Socks5Error::TooLong`]: one of them has more than 255 bytes.
    pub fn password(mut self, user: &str, password: &str) -> Result<Self, Socks5Error> {
        let mut message = vec![1];
        for text in [user, password] {
            message.push(length(text)?);
            message.extend_from_slice(text.as_bytes());
        }
        self.credentials = Some(message);
        Ok(self)
    }

    /// Sets how long the proxy may take, from the first [`Socks5::advance_time`] on.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }
}

/// Whether there are credentials, not which.
impl fmt::Debug for Socks5Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Socks5Options")
            .field("credentials", &self.credentials.is_some())
            .field("timeout", &self.timeout)
            .finish()
    }
}

/// How a [`Socks5`] ended.
///
/// ```
/// use sansocket::{Uri, client::socks5::{Socks5Options, Socks5, Socks5Error, Socks5Outcome}};
/// let mut socks = Socks5::new(&Uri::parse("ws://example.com/")?, &Socks5Options::new())?;
/// let outcome = socks.receive(&mut &mut b"\x05\xff".to_vec()[..]);
/// assert!(matches!(outcome, Some(Socks5Outcome::Failed(Socks5Error::NoMethod))));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Socks5Outcome {
    /// The tunnel is open. The rest of the input, and everything after it, is from the server.
    Open,
    /// There is no tunnel. Close the transport.
    Failed(Socks5Error),
}

/// Why there is no tunnel.
///
/// ```
/// use sansocket::client::socks5::Socks5Error;
/// assert_eq!(Socks5Error::Refused(5).to_string(), "the proxy: connection refused (5, RFC 1928 §6)");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Socks5Error {
    /// The host, the name or the password has this many bytes, and SOCKS has room for 255.
    TooLong(usize),
    /// The answer is not SOCKS5.
    NotSocks5,
    /// The proxy takes no method that was offered: it wants credentials, or others (RFC 1928 §3).
    NoMethod,
    /// The proxy does not take the name and the password (RFC 1929 §2).
    Credentials,
    /// The proxy did not connect, with this code (RFC 1928 §6).
    Refused(u8),
    /// The connection to the proxy ended before the answer was complete.
    Closed,
    /// The answer took longer than [`Socks5Options::timeout`].
    Timeout,
}

identified! { Socks5Error:
    Self::TooLong(_) = 1221, "socks5_too_long";
    Self::NotSocks5 = 1222, "not_socks5";
    Self::NoMethod = 1223, "socks5_no_method";
    Self::Credentials = 1224, "socks5_credentials";
    Self::Refused(_) = 1225, "socks5_refused";
    Self::Closed = 1226, "socks5_closed";
    Self::Timeout = 1227, "socks5_timeout";
}

impl fmt::Display for Socks5Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong(len) => {
                write!(f, "{len} bytes, and SOCKS5 has room for 255 (RFC 1928 §5)")
            }
            Self::NotSocks5 => f.write_str("the proxy's answer is not SOCKS5 (RFC 1928 §3)"),
            Self::NoMethod => {
                f.write_str("the proxy wants another way to authenticate (RFC 1928 §3)")
            }
            Self::Credentials => {
                f.write_str("the proxy does not take the name and the password (RFC 1929 §2)")
            }
            Self::Refused(code) => {
                let why = match code {
                    2 => "not allowed by its rules",
                    3 => "network unreachable",
                    4 => "host unreachable",
                    5 => "connection refused",
                    6 => "TTL expired",
                    7 => "command not supported",
                    8 => "type of address not supported",
                    _ => "failure",
                };
                write!(f, "the proxy: {why} ({code}, RFC 1928 §6)")
            }
            Self::Closed => f.write_str("the proxy closed the connection without an answer"),
            Self::Timeout => f.write_str("the proxy took too long to answer"),
        }
    }
}

impl core::error::Error for Socks5Error {}

/// One negotiation with a SOCKS5 proxy, up to the [`Socks5Outcome`].
///
/// ```
/// # use sansocket::{Uri, client::socks5::{Socks5Options, Socks5, Socks5Error, Socks5Outcome}};
/// # use core::time::Duration;
/// let mut socks = Socks5::new(&Uri::parse("ws://[::1]/")?, &Socks5Options::new())?;
/// socks.advance_time(Duration::from_secs(7));
/// assert_eq!(socks.next_deadline(), Some(Duration::from_secs(17)));
/// socks.advance_time(Duration::from_secs(17));
/// let outcome = socks.receive(&mut &mut [][..]);
/// assert_eq!(outcome, Some(Socks5Outcome::Failed(Socks5Error::Timeout)));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Socks5 {
    exchange: Exchange,
    credentials: Option<Vec<u8>>,
    /// The request, until it is sent.
    request: Vec<u8>,
    awaited: Awaited,
    /// What has come of the answer that is awaited.
    answer: Vec<u8>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Awaited {
    /// The method that the proxy chose.
    Method,
    /// Whether it takes the credentials.
    Verdict,
    /// Whether it connected.
    Reply,
    Done,
}

impl Socks5 {
    /// Asks for a tunnel to the host and port of the URI.
    ///
    /// # Errors
    /// [`Socks5Error::TooLong`]: the host has more than 255 bytes.
    pub fn new(uri: &Uri, options: &Socks5Options) -> Result<Self, Socks5Error> {
        let methods: &[u8] = match options.credentials {
            None => &[VERSION, 1, NO_AUTHENTICATION],
            Some(_) => &[VERSION, 2, NO_AUTHENTICATION, PASSWORD],
        };
        Ok(Self {
            exchange: Exchange::new(methods.into(), options.timeout),
            credentials: options.credentials.clone(),
            request: request(uri)?,
            awaited: Awaited::Method,
            answer: Vec::new(),
        })
    }

    /// The bytes to write to the proxy. More can come with each [`receive`](Self::receive).
    #[must_use]
    pub fn output(&self) -> &[u8] {
        self.exchange.output()
    }

    /// Tells that `n` bytes of [`output`](Self::output) were written.
    pub fn consume_output(&mut self, n: usize) {
        self.exchange.consume_output(n);
    }

    /// Takes what was read from the proxy and returns the outcome, once. What is left of `input` when
    /// the tunnel is [`Open`](Socks5Outcome::Open) is from the server. Call it with an empty input after
    /// [`receive_eof`](Self::receive_eof) and [`advance_time`](Self::advance_time).
    pub fn receive(&mut self, input: &mut &mut [u8]) -> Option<Socks5Outcome> {
        if self.awaited == Awaited::Done {
            return None;
        }
        while let Some((&mut byte, rest)) = mem::take(input).split_first_mut() {
            *input = rest;
            self.answer.push(byte);
            match self.judge() {
                Ok(false) => {}
                Ok(true) => return Some(self.finish(Socks5Outcome::Open)),
                Err(error) => return Some(self.finish(Socks5Outcome::Failed(error))),
            }
        }
        let error = match self.exchange.end()? {
            End::Eof | End::Lost => Socks5Error::Closed,
            End::Timeout => Socks5Error::Timeout,
        };
        Some(self.finish(Socks5Outcome::Failed(error)))
    }

    fn finish(&mut self, outcome: Socks5Outcome) -> Socks5Outcome {
        self.awaited = Awaited::Done;
        self.exchange.forget_output();
        self.credentials = None;
        outcome
    }

    /// Judges what has come of an answer; whether the tunnel is open.
    fn judge(&mut self) -> Result<bool, Socks5Error> {
        match (self.awaited, &*self.answer) {
            (Awaited::Method | Awaited::Reply, [VERSION]) | (Awaited::Verdict, [_]) => {}
            (Awaited::Method, [VERSION, NO_AUTHENTICATION]) | (Awaited::Verdict, [_, 0]) => {
                let request = mem::take(&mut self.request);
                self.ask(&request, Awaited::Reply);
            }
            (Awaited::Method, [VERSION, PASSWORD]) => {
                let credentials = self.credentials.take().ok_or(Socks5Error::NoMethod)?;
                self.ask(&credentials, Awaited::Verdict);
            }
            (Awaited::Method, [VERSION, ..]) => return Err(Socks5Error::NoMethod),
            (Awaited::Verdict, _) => return Err(Socks5Error::Credentials),
            (Awaited::Reply, [VERSION, code @ 1..=u8::MAX, ..]) => {
                return Err(Socks5Error::Refused(*code));
            }
            (Awaited::Reply, [VERSION, _, rest @ ..]) => return is_whole_reply(rest),
            _ => return Err(Socks5Error::NotSocks5),
        }
        Ok(false)
    }

    fn ask(&mut self, message: &[u8], awaited: Awaited) {
        self.exchange.send(message);
        self.answer.clear();
        self.awaited = awaited;
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
            Awaited::Done => None,
            _ => self.exchange.deadline(),
        }
    }
}

/// Lengths only, as there may be credentials.
impl fmt::Debug for Socks5 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Socks5")
            .field("exchange", &self.exchange)
            .field("awaited", &self.awaited)
            .finish_non_exhaustive()
    }
}

/// CONNECT to a host and a port (RFC 1928 §4, §5).
fn request(uri: &Uri) -> Result<Vec<u8>, Socks5Error> {
    const CONNECT: u8 = 1;
    let mut request = vec![VERSION, CONNECT, 0];
    let host = uri.server_name();
    if let Ok(address) = host.parse::<Ipv4Addr>() {
        request.push(IPV4);
        request.extend_from_slice(&address.octets());
    } else if let Ok(address) = host.parse::<Ipv6Addr>() {
        request.push(IPV6);
        request.extend_from_slice(&address.octets());
    } else {
        request.extend_from_slice(&[NAME, length(host)?]);
        request.extend_from_slice(host.as_bytes());
    }
    request.extend_from_slice(&uri.port().to_be_bytes());
    Ok(request)
}

/// Whether a reply is whole, from its reserved byte on: type, address and port of the proxy's end, which nobody
/// needs (RFC 1928 §6).
fn is_whole_reply(rest: &[u8]) -> Result<bool, Socks5Error> {
    let address = match rest {
        [] | [_] | [_, NAME] => return Ok(false),
        [_, IPV4, ..] => 4,
        [_, IPV6, ..] => 16,
        [_, NAME, len, ..] => 1 + usize::from(*len),
        _ => return Err(Socks5Error::NotSocks5),
    };
    Ok(rest.len() == 2 + address + 2)
}

fn length(text: &str) -> Result<u8, Socks5Error> {
    u8::try_from(text.len()).map_err(|_| Socks5Error::TooLong(text.len()))
}

const VERSION: u8 = 5;
const NO_AUTHENTICATION: u8 = 0;
const PASSWORD: u8 = 2;
const IPV4: u8 = 1;
const NAME: u8 = 3;
const IPV6: u8 = 4;
