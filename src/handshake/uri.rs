//! ws and wss URIs (RFC 6455 §3).

#[cfg(any(feature = "client", feature = "webapi"))]
mod standard;

use alloc::format;
use alloc::string::String;
use core::fmt;
use core::str::FromStr;

use super::absolute_uri::{AbsoluteUri, UriError, UriPart, default_port};

#[cfg(feature = "client")]
pub(crate) use standard::part_of;

/// A ws or wss URI: where a client connects to and what it asks for (RFC 6455 §3).
///
/// The text has to be ASCII as in RFC 3986: host names in their ASCII form, other parts
/// percent-encoded. What is outside the grammar is refused, and so are user information and
/// fragments, which these URIs do not have. The host is kept in lower case. With the feature `client` or `webapi`,
/// `Uri::parse_url` converts what people type as browsers do.
///
/// ```
/// use sansocket::Uri;
/// let uri: Uri = "wss://Example.com:444/chat?room=1".parse()?;
/// assert!(uri.secure());
/// assert_eq!((uri.host(), uri.port()), ("example.com", 444));
/// assert_eq!(uri.resource_name(), "/chat?room=1");
/// assert_eq!(uri.to_string(), "wss://example.com:444/chat?room=1");
/// # Ok::<(), sansocket::handshake::UriError>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Uri {
    secure: bool,
    port: u16,
    host_len: usize,
    /// The host, and right after it the resource name.
    text: String,
}

impl Uri {
    /// Reads a ws or wss URI.
    ///
    /// # Errors
    /// [`UriError`] names the part that is wrong and where it stands.
    pub fn parse(text: &str) -> Result<Self, UriError> {
        let uri = AbsoluteUri::of(text)?;
        let secure = uri.web_socket().ok_or(UriError::new(UriPart::Scheme, 0))?;
        Ok(Self::from_parts(&uri, secure))
    }

    /// Like [`parse`](Self::parse), but also takes http for ws and https for wss, as the constructor of
    /// the WHATWG API does.
    ///
    /// ```
    /// use sansocket::Uri;
    /// assert_eq!(Uri::parse_allowing_http("https://h/")?, Uri::parse("wss://h")?);
    /// # Ok::<(), sansocket::handshake::UriError>(())
    /// ```
    ///
    /// # Errors
    /// [`UriError`] names the part that is wrong and where it stands.
    pub fn parse_allowing_http(text: &str) -> Result<Self, UriError> {
        let uri = AbsoluteUri::of(text)?;
        let secure = uri.web_socket().or_else(|| uri.web());
        let secure = secure.ok_or(UriError::new(UriPart::Scheme, 0))?;
        Ok(Self::from_parts(&uri, secure))
    }

    fn from_parts(uri: &AbsoluteUri<'_>, secure: bool) -> Self {
        let host = uri.authority.host.iter();
        let mut text: String = host.map(|b| char::from(b.to_ascii_lowercase())).collect();
        if uri.path.is_empty() {
            text.push('/');
        }
        text.push_str(uri.path);
        // RFC 6455 §3: "?" and the query only if the query is not empty.
        if let Some(query) = uri.query.filter(|query| !query.is_empty()) {
            text.push('?');
            text.push_str(query);
        }
        Self {
            secure,
            port: uri.authority.port.unwrap_or(default_port(secure)),
            host_len: uri.authority.host.len(),
            text,
        }
    }

    /// The secure flag: the connection runs inside TLS.
    #[must_use]
    pub fn secure(&self) -> bool {
        self.secure
    }

    /// The host in lower case; an IPv6 address keeps its brackets, as in `Host`. DNS, sockets and TLS
    /// want [`server_name`](Self::server_name).
    #[must_use]
    pub fn host(&self) -> &str {
        self.text.get(..self.host_len).unwrap_or_default()
    }

    /// The host as DNS, sockets and TLS take it: an IPv6 address without brackets.
    ///
    /// ```
    /// use sansocket::Uri;
    /// assert_eq!(Uri::parse("wss://[::1]/")?.server_name(), "::1");
    /// assert_eq!(Uri::parse("wss://Example.com/")?.server_name(), "example.com");
    /// # Ok::<(), sansocket::handshake::UriError>(())
    /// ```
    #[must_use]
    pub fn server_name(&self) -> &str {
        let host = self.host();
        let literal = host
            .strip_prefix('[')
            .and_then(|host| host.strip_suffix(']'));
        literal.unwrap_or(host)
    }

    /// The port: the one given, or 80 for ws and 443 for wss.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The resource name (RFC 6455 §3): the path, `/` if it is empty, then `?` and the query if
    /// there is one that is not empty.
    #[must_use]
    pub fn resource_name(&self) -> &str {
        self.text.get(self.host_len..).unwrap_or_default()
    }

    /// The host, and `:port` unless it is the default: the value of `Host` (RFC 6455 §4.1).
    ///
    /// ```
    /// use sansocket::Uri;
    /// assert_eq!(Uri::parse("ws://h:80/")?.authority(), "h");
    /// assert_eq!(Uri::parse("ws://[::1]:81/")?.authority(), "[::1]:81");
    /// # Ok::<(), sansocket::handshake::UriError>(())
    /// ```
    #[must_use]
    pub fn authority(&self) -> String {
        if self.port == default_port(self.secure) {
            String::from(self.host())
        } else {
            self.host_and_port()
        }
    }

    /// `host:port`, always with the port: what a socket connects to, and the target of CONNECT
    /// (RFC 9112 §3.2.3).
    #[must_use]
    pub fn host_and_port(&self) -> String {
        format!("{}:{}", self.host(), self.port)
    }
}

impl FromStr for Uri {
    type Err = UriError;

    fn from_str(text: &str) -> Result<Self, UriError> {
        Self::parse(text)
    }
}

/// The URI as text (RFC 6455 §4.1): parsing it gives an equal one.
impl fmt::Display for Uri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.secure { "wss" } else { "ws" };
        write!(f, "{scheme}://{}{}", self.authority(), self.resource_name())
    }
}

/// Host and port, and the length of the resource name: its query often holds credentials.
impl fmt::Debug for Uri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Uri")
            .field("secure", &self.secure)
            .field("host", &self.host())
            .field("port", &self.port)
            .field("resource_name", &self.resource_name().len())
            .finish()
    }
}

#[cfg(test)]
mod tests;
