//! What a `WebSocket` is constructed with, beside its URL.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use crate::handshake::ClientRequest;

use super::{Exception, UrlRecord};

/// The second argument of the constructor: a subprotocol, a list of them, or a bag of options as Node, Deno and
/// Bun have it. The engine adds what is the page's: its base URL, its origin and its cookies.
///
/// ```
/// use sansocket::webapi::Init;
/// let _: Init = "chat".into();
/// let _: Init = ["v2.chat", "chat"].into();
/// let init = Init::new()
///     .base("https://example.com/app/")
///     .origin("https://example.com")
///     .protocols(["chat"])
///     .header("Cookie", b"id=1");
/// # let _ = init;
/// ```
#[derive(Clone, Default)]
pub struct Init {
    base: Option<String>,
    origin: Option<String>,
    protocols: Vec<String>,
    fields: Vec<(String, Vec<u8>)>,
    pub(super) buffer: Option<u32>,
}

impl Init {
    /// No options.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The base URL that a relative URL is resolved against.
    #[must_use]
    pub fn base(mut self, url: impl Into<String>) -> Self {
        self.base = Some(url.into());
        self
    }

    /// `Origin`: that of the page.
    #[must_use]
    pub fn origin(mut self, origin: impl Into<String>) -> Self {
        self.origin = Some(origin.into());
        self
    }

    /// `protocols`: offers these subprotocols, the first wanted most. Doubled ones, and those that are no tokens, are a
    /// `SyntaxError` of the constructor.
    #[must_use]
    pub fn protocols<P: Into<String>>(mut self, protocols: impl IntoIterator<Item = P>) -> Self {
        self.protocols.extend(protocols.into_iter().map(Into::into));
        self
    }

    /// `headers`: sends a field with the request, such as `Cookie` and `User-Agent`. One that the handshake
    /// sets itself, or that is outside the grammar of fields, is a `SyntaxError` of the constructor.
    #[must_use]
    pub fn header(mut self, name: impl Into<String>, value: impl Into<Vec<u8>>) -> Self {
        self.fields.push((name.into(), value.into()));
        self
    }

    /// How many bytes may be queued, framing included, before `send` closes the connection as full, and
    /// [`try_send`](super::WebSocket::try_send) refuses. 4 GiB unless set: as in browsers, memory is the bound, and
    /// `bufferedAmount` shows a script what it queued. [`Limits::output`](crate::config::Limits::output) does not
    /// count here.
    #[must_use]
    pub fn buffer(mut self, bytes: u32) -> Self {
        self.buffer = Some(bytes);
        self
    }

    /// The URL record, and the request that all of this makes.
    pub(super) fn request(&self, url: &str) -> Result<(UrlRecord, ClientRequest), Exception> {
        let url = UrlRecord::parse(url, self.base.as_deref())?;
        let mut request = ClientRequest::new(url.uri().clone());
        for protocol in &self.protocols {
            request = request
                .subprotocol(protocol)
                .map_err(|_| Exception::Syntax)?;
        }
        if let Some(origin) = &self.origin {
            request = request.origin(origin).map_err(|_| Exception::Syntax)?;
        }
        for (name, value) in &self.fields {
            request = request.header(name, value).map_err(|_| Exception::Syntax)?;
        }
        Ok((url, request))
    }
}

impl From<&str> for Init {
    fn from(protocol: &str) -> Self {
        Self::new().protocols([protocol])
    }
}

impl From<&[&str]> for Init {
    fn from(protocols: &[&str]) -> Self {
        Self::new().protocols(protocols.iter().copied())
    }
}

impl<const N: usize> From<[&str; N]> for Init {
    fn from(protocols: [&str; N]) -> Self {
        Self::new().protocols(protocols)
    }
}

impl<const N: usize> From<&[&str; N]> for Init {
    fn from(protocols: &[&str; N]) -> Self {
        Self::new().protocols(*protocols)
    }
}

/// Subprotocols, names of fields, lengths.
impl fmt::Debug for Init {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fields = self.fields.iter().map(|(name, value)| (name, value.len()));
        f.debug_struct("Init")
            .field("protocols", &self.protocols.len())
            .field("fields", &fields.collect::<Vec<_>>())
            .field("buffer", &self.buffer)
            .finish_non_exhaustive()
    }
}
