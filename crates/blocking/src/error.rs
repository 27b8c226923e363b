//! Why there is no connection, or no more of it.

use std::error::Error as StdError;
use std::fmt;
use std::io;

use sansocket::client::proxy::ProxyError;
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
    Connect(io::Error),
    /// The TLS handshake failed, or there can be none.
    Tls(io::Error),
    /// There is no way through the proxy.
    Proxy(ProxyError),
    /// A redirection that leads nowhere.
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

    /// The error of the stream below, if that is why.
    #[must_use]
    pub fn io(&self) -> Option<&io::Error> {
        match self {
            Self::Closed(closed) => closed.io.as_ref(),
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
            Self::Connect(why) => write!(f, "no connection: {why}"),
            Self::Tls(why) => write!(f, "the TLS handshake failed: {why}"),
            Self::Proxy(why) => why.fmt(f),
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

impl From<ProxyError> for Error {
    fn from(why: ProxyError) -> Self {
        Self::Proxy(why)
    }
}

impl From<NoRedirect> for Error {
    fn from(why: NoRedirect) -> Self {
        Self::Redirect(why)
    }
}
