//! A tunnel through whichever kind of proxy.

use alloc::boxed::Box;
use core::fmt;
use core::time::Duration;

use crate::client::socks5::{self, Socks5, Socks5Error, Socks5Outcome};
use crate::error::identified;
use crate::handshake::Refusal;
use crate::handshake::uri::Uri;

use super::{BadProxy, Connect, ConnectError, ConnectOutcome, Protocol, Proxy};

/// Asks a [`Proxy`] for a tunnel, in the way that it wants to be asked: a [`Connect`] or a [`Socks5`].
///
/// ```
/// use sansocket::{Uri, client::proxy::{Proxy, Tunnel}};
/// let proxy = Proxy::parse("socks5://proxy.example")?;
/// let mut tunnel = Tunnel::new(&Uri::parse("wss://example.com/")?, &proxy)?;
/// assert_eq!(tunnel.output(), [5, 1, 0]);
/// tunnel.consume_output(3); // written to the proxy
/// assert!(tunnel.receive(&mut [5, 0]).is_none()); // read from it; more is to be written
/// tunnel.consume_output(tunnel.output().len());
/// assert!(matches!(tunnel.receive(&mut [5, 0, 0, 1, 0, 0, 0, 0, 0, 0]), Some(Ok(()))));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Tunnel(Through);

#[derive(Debug)]
enum Through {
    Http(Connect),
    Socks5(Socks5),
}

/// The same call of whichever it is.
macro_rules! either {
    ($self:ident, $tunnel:ident => $call:expr) => {
        match &$self.0 {
            Through::Http($tunnel) => $call,
            Through::Socks5($tunnel) => $call,
        }
    };
    (mut $self:ident, $tunnel:ident => $call:expr) => {
        match &mut $self.0 {
            Through::Http($tunnel) => $call,
            Through::Socks5($tunnel) => $call,
        }
    };
}

impl Tunnel {
    /// Asks for a tunnel to the host and port of the URI.
    ///
    /// # Errors
    /// [`ProxyError::Socks5`]: the host is too long for SOCKS.
    pub fn new(uri: &Uri, proxy: &Proxy) -> Result<Self, ProxyError> {
        if proxy.protocol() != Protocol::Socks5 {
            return Ok(Self(Through::Http(Connect::new(uri, proxy.options()))));
        }
        let mut options = socks5::Socks5Options::new().timeout(proxy.options().timeout);
        if let Some((user, password)) = proxy.credentials() {
            options = options.password(user, password)?;
        }
        Ok(Self(Through::Socks5(Socks5::new(uri, &options)?)))
    }

    /// The bytes to write to the proxy. More can come with each [`receive`](Self::receive).
    #[must_use]
    pub fn output(&self) -> &[u8] {
        either!(self, tunnel => tunnel.output())
    }

    /// Tells that `n` bytes of [`output`](Self::output) were written.
    pub fn consume_output(&mut self, n: usize) {
        either!(mut self, tunnel => tunnel.consume_output(n));
    }

    /// Takes what was read from the proxy and says, once, whether the tunnel is open. Call it with an empty input after
    /// [`receive_eof`](Self::receive_eof) and [`advance_time`](Self::advance_time).
    ///
    /// With a tunnel that is open all of the input is taken: a server says nothing before the client does, with TLS as
    /// without, so what follows the answer is somebody else's and an error.
    pub fn receive(&mut self, input: &mut [u8]) -> Option<Result<(), ProxyError>> {
        let mut input = input;
        let opened = match &mut self.0 {
            Through::Http(connect) => match connect.receive(&mut input)? {
                ConnectOutcome::Open => Ok(()),
                ConnectOutcome::Refused(refusal) => Err(ProxyError::Refused(refusal)),
                ConnectOutcome::Failed(error) => Err(ProxyError::Http(error)),
            },
            Through::Socks5(socks) => match socks.receive(&mut input)? {
                Socks5Outcome::Open => Ok(()),
                Socks5Outcome::Failed(error) => Err(ProxyError::Socks5(error)),
            },
        };
        Some(match opened {
            Ok(()) if !input.is_empty() => Err(ProxyError::Early),
            opened => opened,
        })
    }

    /// The proxy will send no more.
    pub fn receive_eof(&mut self) {
        either!(mut self, tunnel => tunnel.receive_eof());
    }

    /// The connection to the proxy is gone.
    pub fn transport_lost(&mut self) {
        either!(mut self, tunnel => tunnel.transport_lost());
    }

    /// Tells the time since an origin that the caller picks. The first call starts the deadline;
    /// without a call there is none.
    pub fn advance_time(&mut self, now: Duration) {
        either!(mut self, tunnel => tunnel.advance_time(now));
    }

    /// The time by which [`advance_time`](Self::advance_time) has to be called.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Duration> {
        either!(self, tunnel => tunnel.next_deadline())
    }
}

/// Why there is no way through a proxy.
///
/// ```
/// use sansocket::client::proxy::ProxyError;
/// assert_eq!(ProxyError::Early.to_string(), "the proxy sent more than its answer");
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum ProxyError {
    /// What the environment says names no proxy.
    Bad(BadProxy),
    /// An HTTP proxy refused with this answer.
    Refused(Box<Refusal>),
    /// An HTTP proxy gave no valid answer.
    Http(ConnectError),
    /// A SOCKS5 proxy refused, or gave no valid answer.
    Socks5(Socks5Error),
    /// Bytes followed the answer that opens the tunnel, before the server was spoken to.
    Early,
}

identified! { ProxyError:
    Self::Bad(_) = 1251, "proxy_bad";
    Self::Refused(_) = 1252, "proxy_refused";
    Self::Http(_) = 1253, "proxy_http";
    Self::Socks5(_) = 1254, "proxy_socks5";
    Self::Early = 1255, "proxy_early";
}

impl fmt::Display for ProxyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bad(why) => write!(f, "in the environment: {why}"),
            Self::Refused(refusal) => write!(f, "the proxy answered with {}", refusal.status),
            Self::Http(why) => why.fmt(f),
            Self::Socks5(why) => why.fmt(f),
            Self::Early => f.write_str("the proxy sent more than its answer"),
        }
    }
}

impl core::error::Error for ProxyError {}

impl From<BadProxy> for ProxyError {
    fn from(why: BadProxy) -> Self {
        Self::Bad(why)
    }
}

impl From<Socks5Error> for ProxyError {
    fn from(why: Socks5Error) -> Self {
        Self::Socks5(why)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use alloc::string::{String, ToString};
    use alloc::vec::Vec;

    use crate::client::proxy::ConnectOptions;

    use super::*;

    fn to(proxy: &str) -> Tunnel {
        let uri = Uri::parse("ws://server.example/").unwrap();
        Tunnel::new(&uri, &Proxy::parse(proxy).unwrap()).unwrap()
    }

    /// A proxy that says these things, one after each message; what it heard, and what came of it.
    fn through(proxy: &str, answers: &[&[u8]]) -> (Vec<u8>, String) {
        let (mut tunnel, mut heard) = (to(proxy), Vec::new());
        let mut outcome = None;
        for answer in answers {
            assert!(outcome.is_none());
            heard.extend_from_slice(tunnel.output());
            tunnel.consume_output(tunnel.output().len());
            outcome = tunnel.receive(&mut answer.to_vec());
        }
        if outcome.is_none() {
            tunnel.receive_eof();
            outcome = tunnel.receive(&mut []);
        }
        assert!(tunnel.receive(&mut []).is_none(), "once");
        let outcome = match outcome.unwrap() {
            Ok(()) => "open".into(),
            Err(error) => error.to_string(),
        };
        (heard, outcome)
    }

    /// RFC 9110 §9.3.6, RFC 1928.
    #[test]
    fn either_kind_of_proxy() {
        for proxy in ["http://u:p@h", "https://u:p@h"] {
            let (heard, outcome) = through(proxy, &[b"HTTP/1.1 200 ok\r\n\r\n"]);
            assert_eq!(outcome, "open");
            let heard = String::from_utf8(heard).unwrap();
            assert!(heard.starts_with("CONNECT server.example:80 HTTP/1.1\r\n"));
            assert!(heard.contains("Proxy-Authorization: Basic dTpw\r\n"));
        }
        let reply = b"\x05\0\0\x01\0\0\0\0\0\0";
        let answers: [&[u8]; 3] = [b"\x05\x02", b"\x01\0", reply];
        let (heard, outcome) = through("socks5://u:p@h", &answers);
        assert_eq!(outcome, "open");
        assert!(
            heard
                .starts_with(b"\x05\x02\0\x02\x01\x01u\x01p\x05\x01\0\x03\x0eserver.example\0\x50")
        );
    }

    #[test]
    fn no_way_through() {
        for (proxy, answers, error) in [
            (
                "h",
                &[&b"HTTP/1.1 403 no\r\nContent-Length: 0\r\n\r\n"[..]][..],
                "the proxy answered with 403",
            ),
            (
                "h",
                &[b"HTTP/1.1 200 ok\r\n\r\nx"],
                "the proxy sent more than its answer",
            ),
            (
                "h",
                &[],
                "the proxy closed the connection without an answer",
            ),
            (
                "socks5://h",
                &[b"\x05\0", b"\x05\x05"],
                "the proxy: connection refused (5, RFC 1928 §6)",
            ),
            (
                "socks5://h",
                &[b"\x05\0", b"\x05\0\0\x01\0\0\0\0\0\0x"],
                "the proxy sent more than its answer",
            ),
            (
                "socks5://h",
                &[],
                "the proxy closed the connection without an answer",
            ),
        ] {
            assert_eq!(through(proxy, answers).1, error);
        }
        let mut long = String::from("ws://");
        long += &"a.".repeat(150);
        let socks = Proxy::parse("socks5://h").unwrap();
        let error = Tunnel::new(&Uri::parse(&long).unwrap(), &socks).unwrap_err();
        assert!(matches!(error, ProxyError::Socks5(Socks5Error::TooLong(_))));
        let error = ProxyError::from(BadProxy::Host);
        assert!(error.to_string().starts_with("in the environment: "));
    }

    #[test]
    fn time_and_loss() {
        let second = Duration::from_secs(1);
        for proxy in ["h", "socks5://h"] {
            let uri = Uri::parse("ws://server.example/").unwrap();
            let proxy = Proxy::parse(proxy).unwrap();
            let proxy = proxy.with_options(ConnectOptions::new().timeout(second));
            let mut tunnel = Tunnel::new(&uri, &proxy).unwrap();
            assert_eq!(tunnel.next_deadline(), None);
            tunnel.advance_time(second);
            assert_eq!(tunnel.next_deadline(), Some(2 * second));
            tunnel.advance_time(2 * second);
            let error = tunnel.receive(&mut []).unwrap().unwrap_err();
            assert_eq!(error.to_string(), "the proxy took too long to answer");
            let mut tunnel = Tunnel::new(&uri, &proxy).unwrap();
            tunnel.transport_lost();
            assert!(tunnel.receive(&mut []).unwrap().is_err());
        }
    }
}
