//! A proxy as a text names it.

use alloc::format;
use alloc::string::{String, ToString};
use core::fmt;
use core::str::FromStr;

use percent_encoding::percent_decode_str;
use url::Url;

use crate::client::socks5;
use crate::decimal::decimal_in;
use crate::error::identified;

use super::{ConnectOptions, PROXY_AUTHORIZATION};

/// A proxy, as an environment variable or a user names it: `[protocol://][user[:password]@]host[:port]`.
///
/// ```
/// use sansocket::client::proxy::{Protocol, Proxy};
/// let proxy = Proxy::parse("socks5h://user:p%40ss@[::1]")?;
/// assert_eq!((proxy.protocol(), proxy.host(), proxy.port()), (Protocol::Socks5, "::1", 1080));
/// # Ok::<(), sansocket::client::proxy::BadProxy>(())
/// ```
#[derive(Clone)]
pub struct Proxy {
    protocol: Protocol,
    host: String,
    port: u16,
    credentials: Option<(String, String)>,
    options: ConnectOptions,
}

/// How a client talks to a proxy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Protocol {
    /// [`Connect`](super::Connect).
    Http,
    /// The same inside TLS.
    Https,
    /// [`Socks5`](crate::client::socks5::Socks5), for `socks5` and `socks5h` alike: names are the proxy's to resolve.
    Socks5,
}

impl Proxy {
    /// Reads such a text, with name and password percent-encoded. Without a protocol it is an HTTP proxy. What follows
    /// the port is not looked at.
    ///
    /// # Errors
    /// [`BadProxy`] names what is wrong.
    pub fn parse(text: &str) -> Result<Self, BadProxy> {
        let text = text.trim();
        let with_protocol = match text.contains("://") {
            true => text.to_string(),
            false => format!("http://{text}"),
        };
        let url = Url::parse(&with_protocol).map_err(|_| BadProxy::Host)?;
        let (protocol, default) = match url.scheme() {
            "http" => (Protocol::Http, 1080),
            "https" => (Protocol::Https, 443),
            "socks5" | "socks5h" => (Protocol::Socks5, 1080),
            _ => return Err(BadProxy::Protocol),
        };
        let host = url.host_str().filter(|host| !host.is_empty());
        let host = host.ok_or(BadProxy::Host)?;
        let bare = host
            .strip_prefix('[')
            .and_then(|host| host.strip_suffix(']'));
        let port = explicit_port(&with_protocol).or(url.port());
        let proxy = Self {
            protocol,
            host: bare.unwrap_or(host).into(),
            port: port.unwrap_or(default),
            credentials: None,
            options: ConnectOptions::new(),
        };
        if url.username().is_empty() && url.password().is_none() {
            return Ok(proxy);
        }
        let password = url.password().unwrap_or_default();
        proxy.with_credentials(&decoded(url.username())?, &decoded(password)?)
    }

    /// The same proxy with this name and password, which are as they are, not percent-encoded.
    ///
    /// # Errors
    /// [`BadProxy::Credentials`].
    ///
    /// ```
    /// use sansocket::client::proxy::Proxy;
    /// let proxy = Proxy::parse("http://proxy.example:3128")?.with_credentials("ednamode", "nocapes!")?;
    /// # let _ = proxy;
    /// # Ok::<(), sansocket::client::proxy::BadProxy>(())
    /// ```
    pub fn with_credentials(mut self, user: &str, password: &str) -> Result<Self, BadProxy> {
        match self.protocol {
            Protocol::Http | Protocol::Https => {
                let with = self.options.basic(user, password);
                self.options = with.map_err(|_| BadProxy::Credentials)?;
            }
            Protocol::Socks5 => {
                let with = socks5::Socks5Options::new().password(user, password);
                drop(with.map_err(|_| BadProxy::Credentials)?);
            }
        }
        self.credentials = Some((user.into(), password.into()));
        Ok(self)
    }

    /// The same proxy with these fields in its CONNECT request, limits and timeout. Credentials that are not among
    /// them are told an HTTP proxy when it asks for some, and not before. Of what a SOCKS5 proxy has, the timeout is
    /// changed.
    #[must_use]
    pub fn with_options(self, options: ConnectOptions) -> Self {
        Self { options, ..self }
    }

    /// How to talk to it.
    #[must_use]
    pub const fn protocol(&self) -> Protocol {
        self.protocol
    }

    /// Its host, an IPv6 address without brackets: what is looked up, and what its certificate is checked for.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Its port: 1080 if none was named, and 443 for [`Protocol::Https`], as with curl.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }

    pub(super) const fn options(&self) -> &ConnectOptions {
        &self.options
    }

    /// The same proxy, told this value in `Proxy-Authorization`.
    pub(in crate::client) fn authorized(&self, value: &[u8]) -> Option<Self> {
        let options = self.options.clone().header(PROXY_AUTHORIZATION, value);
        Some(self.clone().with_options(options.ok()?))
    }

    /// Whether it is told credentials unasked.
    pub(in crate::client) fn is_authorized(&self) -> bool {
        self.options.authorizes()
    }

    /// Name and password.
    pub(in crate::client) fn credentials(&self) -> Option<(&str, &str)> {
        let (user, password) = self.credentials.as_ref()?;
        Some((user, password))
    }
}

impl FromStr for Proxy {
    type Err = BadProxy;

    fn from_str(text: &str) -> Result<Self, BadProxy> {
        Self::parse(text)
    }
}

fn decoded(text: &str) -> Result<String, BadProxy> {
    let text = percent_decode_str(text).decode_utf8();
    text.map(Into::into).map_err(|_| BadProxy::Credentials)
}

/// The port as it was written, which a URL parser forgets if it is the default one of http.
fn explicit_port(text: &str) -> Option<u16> {
    let (_, rest) = text.split_once("://")?;
    let authority = rest.split(['/', '?', '#']).next()?;
    let (_, port) = authority.rsplit_once(':')?;
    decimal_in(port)
}

/// Why a text names no proxy.
///
/// ```
/// use sansocket::client::proxy::{BadProxy, Proxy};
/// assert_eq!(Proxy::parse("socks4://h").unwrap_err(), BadProxy::Protocol);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum BadProxy {
    /// Not http, https, socks5 or socks5h.
    Protocol,
    /// No host or port, or not a valid one.
    Host,
    /// Name or password are not UTF-8 or, for HTTP, have a control character or a colon in the name (RFC 7617 §2);
    /// more than 255 bytes for SOCKS5.
    Credentials,
}

identified! { BadProxy:
    Self::Protocol = 1241, "bad_proxy_protocol";
    Self::Host = 1242, "bad_proxy_host";
    Self::Credentials = 1243, "bad_proxy_credentials";
}

impl fmt::Display for BadProxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Protocol => "a proxy is reached by http, https, socks5 or socks5h",
            Self::Host => "the proxy needs a host, as in http://host:port",
            Self::Credentials => {
                "the proxy's name and password have to be UTF-8 without control characters, the name without a colon"
            }
        })
    }
}

impl core::error::Error for BadProxy {}

/// Without the credentials.
impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Proxy")
            .field("protocol", &self.protocol)
            .field("host", &self.host)
            .field("port", &self.port)
            .field("credentials", &self.credentials.is_some())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn proxies() {
        for (text, protocol, host, port) in [
            ("proxy", Protocol::Http, "proxy", 1080),
            ("proxy:3128", Protocol::Http, "proxy", 3128),
            ("http://proxy:80/", Protocol::Http, "proxy", 80),
            ("HTTPS://proxy", Protocol::Https, "proxy", 443),
            ("https://proxy:443", Protocol::Https, "proxy", 443),
            ("socks5://[::1]:9050", Protocol::Socks5, "::1", 9050),
            ("socks5h://Proxy", Protocol::Socks5, "Proxy", 1080),
            (" http://user@h:8080/x?y ", Protocol::Http, "h", 8080),
            ("http://u:80@h", Protocol::Http, "h", 1080),
        ] {
            let proxy = Proxy::parse(text).unwrap();
            let seen = (proxy.protocol(), proxy.host(), proxy.port());
            assert_eq!(seen, (protocol, host, port), "{text}");
        }
        for (text, error) in [
            ("socks4://h", BadProxy::Protocol),
            ("ftp://h", BadProxy::Protocol),
            ("", BadProxy::Host),
            ("http://", BadProxy::Host),
            ("h:99999", BadProxy::Host),
            ("h:x", BadProxy::Host),
            ("a b", BadProxy::Host),
            ("socks5://", BadProxy::Host),
            ("http://%ff@h", BadProxy::Credentials),
            ("http://u:%0d%0a@h", BadProxy::Credentials),
            ("http://u%3a:p@h", BadProxy::Credentials),
        ] {
            assert_eq!(text.parse::<Proxy>().unwrap_err(), error, "{text}");
            assert!(error.to_string().contains("proxy"));
        }
    }

    /// RFC 7617, RFC 1929: the name and the password as they are, from percent-encoded text (RFC 3986 §3.2.1).
    #[test]
    fn credentials() {
        for (text, credentials) in [
            ("http://u@h", Some(("u", ""))),
            ("http://u:p%3a%40@h", Some(("u", "p:@"))),
            ("socks5://:p@h", Some(("", "p"))),
            ("socks5://u%3a:%0d@h", Some(("u:", "\r"))),
            ("http://d%5cu:100%25@h", Some(("d\\u", "100%"))),
            ("http://h", None),
        ] {
            let proxy = Proxy::parse(text).unwrap();
            assert_eq!(proxy.credentials(), credentials, "{text}");
        }
        let shown = "Proxy { protocol: Http, host: \"h\", port: 1080, credentials: true, .. }";
        assert_eq!(format!("{:?}", Proxy::parse("u:secret@h").unwrap()), shown);
        let long = "x".repeat(256);
        let http = Proxy::parse("h").unwrap();
        assert!(http.with_credentials("u", &long).is_ok());
        let socks = Proxy::parse("socks5://h").unwrap();
        let socks = socks.with_credentials("u", &long).unwrap_err();
        assert_eq!(socks, BadProxy::Credentials);
    }
}
