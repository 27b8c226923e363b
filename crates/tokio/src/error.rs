//! Why there is no connection, or no more of it.

use std::error::Error as StdError;
use std::fmt;
use std::io;

#[cfg(feature = "client")]
use sansocket::client::proxy::ProxyError;
#[cfg(feature = "client")]
use sansocket::client::redirect::NoRedirect;
use sansocket::error::{AcceptError, CloseError, FieldError, NoEntropy, SendError, Unsent};
use sansocket::event::CloseReport;
use sansocket::handshake::{Refusal, UriError};

/// Why there is no connection, or no more of it.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// The connection ended, and not in the orderly way (RFC 6455 §7.1.4).
    Closed(Box<Closed>),
    /// The server refused the opening handshake with this answer (RFC 6455 §4.1).
    Refused(Box<Refusal>),
    /// A message was not sent, and nothing changed.
    Send(SendError),
    /// The closing handshake was not started, and nothing changed.
    Close(CloseError),
    /// The request could not be accepted like that. It was answered with 500.
    Accept(AcceptError),
    /// There is no source of randomness (RFC 6455 §10.3).
    NoEntropy(NoEntropy),
    /// That is no ws or wss URI (RFC 6455 §3).
    Uri(UriError),
    /// A header field, a subprotocol or an extension that cannot be sent like that.
    Field(FieldError),
    /// No address, nobody there, or not in time.
    #[cfg(feature = "client")]
    Connect(io::Error),
    /// The TLS handshake failed, or there can be none.
    #[cfg(feature = "client")]
    Tls(io::Error),
    /// There is no way through the proxy.
    #[cfg(feature = "client")]
    Proxy(ProxyError),
    /// A redirection that leads nowhere.
    #[cfg(feature = "client")]
    Redirect(NoRedirect),
}

/// How a connection ended that did not end in the orderly way.
#[derive(Debug)]
#[non_exhaustive]
pub struct Closed {
    /// The codes, the reasons, who began, and which rule was broken.
    pub report: CloseReport,
    /// What the stream below said, if it failed.
    pub io: Option<io::Error>,
}

impl Error {
    /// How the connection ended, if there was one.
    #[must_use]
    pub fn report(&self) -> Option<&CloseReport> {
        match self {
            Self::Closed(closed) => Some(&closed.report),
            _ => None,
        }
    }

    /// The number of this kind of error, the same in every version: that of the error in it, of the failure that ended
    /// the connection, or one of 1801 to 1804, which `sansocket-blocking` has for the same.
    #[must_use]
    pub fn code(&self) -> u16 {
        match self {
            Self::Closed(closed) => match &closed.report.failure {
                Some(failure) => failure.code(),
                None => 1801,
            },
            Self::Refused(_) => 1802,
            Self::Send(why) => why.code(),
            Self::Close(why) => why.code(),
            Self::Accept(why) => why.code(),
            Self::NoEntropy(why) => why.code(),
            Self::Uri(why) => why.code(),
            Self::Field(why) => why.code(),
            #[cfg(feature = "client")]
            Self::Connect(_) => 1803,
            #[cfg(feature = "client")]
            Self::Tls(_) => 1804,
            #[cfg(feature = "client")]
            Self::Proxy(why) => why.code(),
            #[cfg(feature = "client")]
            Self::Redirect(why) => why.code(),
        }
    }

    /// The name of this kind of error, the same in every version: lower case with `_`.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Closed(closed) => match &closed.report.failure {
                Some(failure) => failure.name(),
                None => "closed",
            },
            Self::Refused(_) => "refused",
            Self::Send(why) => why.name(),
            Self::Close(why) => why.name(),
            Self::Accept(why) => why.name(),
            Self::NoEntropy(why) => why.name(),
            Self::Uri(why) => why.name(),
            Self::Field(why) => why.name(),
            #[cfg(feature = "client")]
            Self::Connect(_) => "no_connection",
            #[cfg(feature = "client")]
            Self::Tls(_) => "tls_handshake",
            #[cfg(feature = "client")]
            Self::Proxy(why) => why.name(),
            #[cfg(feature = "client")]
            Self::Redirect(why) => why.name(),
        }
    }

    /// The error of the stream below, if that is why.
    #[must_use]
    pub fn io(&self) -> Option<&io::Error> {
        match self {
            Self::Closed(closed) => closed.io.as_ref(),
            #[cfg(feature = "client")]
            Self::Connect(why) | Self::Tls(why) => Some(why),
            _ => None,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed(closed) => closed.fmt(f),
            Self::Refused(refusal) => write!(f, "the server answered with {}", refusal.status),
            Self::Send(why) => why.fmt(f),
            Self::Close(why) => why.fmt(f),
            Self::Accept(why) => why.fmt(f),
            Self::NoEntropy(why) => why.fmt(f),
            Self::Uri(why) => why.fmt(f),
            Self::Field(why) => why.fmt(f),
            #[cfg(feature = "client")]
            Self::Connect(why) => write!(f, "no connection: {why}"),
            #[cfg(feature = "client")]
            Self::Tls(why) => write!(f, "the TLS handshake failed: {why}"),
            #[cfg(feature = "client")]
            Self::Proxy(why) => why.fmt(f),
            #[cfg(feature = "client")]
            Self::Redirect(why) => why.fmt(f),
        }
    }
}

impl fmt::Display for Closed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.report.fmt(f)?;
        match &self.io {
            Some(error) => write!(f, ": {error}"),
            None => Ok(()),
        }
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match self {
            Self::Closed(closed) => closed.source(),
            #[cfg(feature = "client")]
            Self::Connect(why) | Self::Tls(why) => Some(why),
            _ => None,
        }
    }
}

impl StdError for Closed {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        let failure = self.report.failure.as_ref();
        match (&self.io, failure) {
            (Some(error), _) => Some(error),
            (None, Some(failure)) => Some(failure),
            (None, None) => None,
        }
    }
}

impl<T> From<Unsent<T>> for Error {
    fn from(unsent: Unsent<T>) -> Self {
        Self::Send(unsent.why)
    }
}

macro_rules! from {
    ($($why:ty => $kind:ident;)*) => {$(
        impl From<$why> for Error {
            fn from(why: $why) -> Self {
                Self::$kind(why)
            }
        }
    )*};
}

from! {
    SendError => Send;
    CloseError => Close;
    AcceptError => Accept;
    NoEntropy => NoEntropy;
    UriError => Uri;
    FieldError => Field;
}

#[cfg(feature = "client")]
impl From<ProxyError> for Error {
    fn from(why: ProxyError) -> Self {
        Self::Proxy(why)
    }
}

#[cfg(feature = "client")]
impl From<NoRedirect> for Error {
    fn from(why: NoRedirect) -> Self {
        Self::Redirect(why)
    }
}

#[cfg(all(test, feature = "client"))]
#[allow(clippy::unwrap_used, clippy::panic, reason = "tests")]
mod tests {
    use sansocket::client::proxy::BadProxy;
    use sansocket::error::ProtocolError;
    use sansocket::{Connection, Event, Negotiated, ServerConfig, Uri};

    use super::*;

    /// How a connection ends that gets these bytes and nothing more.
    fn closed(bytes: &[u8]) -> Error {
        let config = ServerConfig::upgraded();
        let mut ws = Connection::upgraded_server(&config, Negotiated::default());
        let mut bytes = bytes.to_vec();
        let mut input = &mut bytes[..];
        while ws.receive(&mut input).is_some() {}
        ws.transport_lost();
        match ws.receive(&mut input) {
            Some(Event::Closed(report)) => Error::Closed(Box::new(Closed {
                report: *report,
                io: None,
            })),
            event => panic!("{event:?}"),
        }
    }

    fn refusal() -> Box<Refusal> {
        use sansocket::{ClientConfig, ClientRequest};
        let request = ClientRequest::new(Uri::parse("ws://h/").unwrap());
        let mut ws = Connection::client(&ClientConfig::new(), request).unwrap();
        let mut bytes = *b"HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n";
        match ws.receive(&mut &mut bytes[..]) {
            Some(Event::Refused(refusal)) => refusal,
            event => panic!("{event:?}"),
        }
    }

    /// For bindings, logs and counters: what is carried keeps its own.
    #[test]
    fn numbers_and_names_stay() {
        let io = || io::Error::other("no");
        let broken = ProtocolError::ReservedOpcode { opcode: 3 };
        for (error, code, name) in [
            (closed(b""), 1801, "closed"),
            (closed(b"\x83\x80\0\0\0\0"), broken.code(), broken.name()),
            (Error::Refused(refusal()), 1802, "refused"),
            (SendError::NotOpen.into(), 401, "not_open"),
            (
                CloseError::ReasonWithoutCode.into(),
                502,
                "reason_without_code",
            ),
            (AcceptError::NoRequest.into(), 601, "no_request"),
            (NoEntropy.into(), 801, "no_entropy"),
            (Uri::parse("x").unwrap_err().into(), 1001, "uri_scheme"),
            (FieldError::BadName.into(), 701, "bad_name"),
            (Error::Connect(io()), 1803, "no_connection"),
            (Error::Tls(io()), 1804, "tls_handshake"),
            (ProxyError::Bad(BadProxy::Host).into(), 1251, "proxy_bad"),
            (NoRedirect::Loop.into(), 1104, "redirection_loop"),
        ] {
            assert_eq!((error.code(), error.name()), (code, name), "{error}");
        }
    }
}
