//! Which proxy the environment names: `https_proxy`, `NO_PROXY` and the like, by the rules of curl.
//!
//! ```
//! use sansocket::Uri;
//! use sansocket::client::environment::{Environment, Protocol};
//! let variables = |name: &str| match name { // std::env::var(name).ok()
//!     "https_proxy" => Some("http://user:secret@proxy.example:3128".to_string()),
//!     "NO_PROXY" => Some("localhost, .internal.example".to_string()),
//!     _ => None,
//! };
//! let environment = Environment::new(variables);
//! let proxy = environment.proxy(&Uri::parse("wss://example.com/")?)?.unwrap();
//! assert_eq!((proxy.protocol, &*proxy.host, proxy.port), (Protocol::Http, "proxy.example", 3128));
//! assert_eq!(environment.proxy(&Uri::parse("wss://www.internal.example/")?)?, None);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use alloc::format;
use alloc::string::{String, ToString};
use core::fmt;
use core::net::IpAddr;

use percent_encoding::percent_decode_str;
use url::Url;

use crate::error::identified;
use crate::handshake::uri::Uri;

/// The variables that name proxies, as they were when it was made.
///
/// For wss these are looked at, and the first that is not empty counts: `wss_proxy`, `https_proxy`,
/// `all_proxy`, each in lower case and then in upper case; for ws `ws_proxy`, `http_proxy`, `all_proxy`. `HTTP_PROXY` is
/// left out where `REQUEST_METHOD` is set: in a CGI program a client could set it with a field `Proxy`.
///
/// `no_proxy` or `NO_PROXY` lists hosts that need none, between commas or blanks: a name stands for itself and all
/// below it, with a dot before it or not; an address for itself, and `10.0.0.0/8` for a network; `*` alone for
/// everything.
#[derive(Clone, PartialEq, Eq)]
pub struct Environment {
    plain: Option<String>,
    secure: Option<String>,
    exceptions: String,
}

impl Environment {
    /// Looks the variables up: with `|name| std::env::var(name).ok()` in the process's environment.
    #[must_use]
    pub fn new(mut variable: impl FnMut(&str) -> Option<String>) -> Self {
        let mut set = |name: &str| variable(name).filter(|value| !value.is_empty());
        let in_cgi = set("REQUEST_METHOD").is_some();
        let mut first = |names: &[&str]| {
            names.iter().find_map(|name| {
                let upper = name.to_ascii_uppercase();
                let forged = in_cgi && upper == "HTTP_PROXY";
                set(name).or_else(|| set(&upper).filter(|_| !forged))
            })
        };
        Self {
            plain: first(&["ws_proxy", "http_proxy", "all_proxy"]),
            secure: first(&["wss_proxy", "https_proxy", "all_proxy"]),
            exceptions: first(&["no_proxy"]).unwrap_or_default(),
        }
    }

    /// The proxy for this URI; `None`: connect to the server itself.
    ///
    /// # Errors
    /// [`BadProxy`]: the variable's value is no proxy. Going without one could be what the user least wants.
    pub fn proxy(&self, uri: &Uri) -> Result<Option<Proxy>, BadProxy> {
        let value = if uri.secure() {
            &self.secure
        } else {
            &self.plain
        };
        match value {
            Some(value) if !self.is_exception(uri.server_name()) => Proxy::parse(value).map(Some),
            _ => Ok(None),
        }
    }

    fn is_exception(&self, host: &str) -> bool {
        if self.exceptions.trim() == "*" {
            return true;
        }
        let mut entries = self.exceptions.split([',', ' ', '\t']);
        let host = host.strip_suffix('.').unwrap_or(host);
        match host.parse::<IpAddr>() {
            Ok(address) => entries.any(|entry| has_address(entry, address)),
            Err(_) => entries.any(|entry| has_name(entry, host)),
        }
    }
}

/// A name stands for itself and for all that is below it.
fn has_name(entry: &str, host: &str) -> bool {
    let entry = entry.strip_suffix('.').unwrap_or(entry);
    let name = entry.strip_prefix('.').unwrap_or(entry);
    let Some(below) = host.len().checked_sub(name.len()) else {
        return false;
    };
    let ends = host
        .get(below..)
        .is_some_and(|end| end.eq_ignore_ascii_case(name));
    let whole_labels = below == 0 || host.as_bytes().get(below - 1) == Some(&b'.');
    !name.is_empty() && ends && whole_labels
}

/// An address, or a network as `address/bits` (RFC 4632 §3.1).
fn has_address(entry: &str, address: IpAddr) -> bool {
    let (network, bits) = match entry.split_once('/') {
        Some((network, bits)) => (network, bits.parse::<u32>().ok()),
        None => (entry, Some(u32::MAX)),
    };
    let network = network.trim_start_matches('[').trim_end_matches(']');
    let (Ok(network), Some(bits)) = (network.parse::<IpAddr>(), bits) else {
        return false;
    };
    let (len, network, address) = match (network, address) {
        (IpAddr::V4(network), IpAddr::V4(address)) => (
            32,
            u128::from(network.to_bits()),
            u128::from(address.to_bits()),
        ),
        (IpAddr::V6(network), IpAddr::V6(address)) => (128, network.to_bits(), address.to_bits()),
        _ => return false,
    };
    // What the mask leaves out.
    let rest = len - bits.min(len);
    network.checked_shr(rest) == address.checked_shr(rest)
}

/// A proxy, as an environment variable or a user names it: `[protocol://][user[:password]@]host[:port]`.
///
/// ```
/// use sansocket::client::environment::{Protocol, Proxy};
/// let proxy = Proxy::parse("socks5h://user:p%40ss@[::1]")?;
/// assert_eq!((proxy.protocol, &*proxy.host, proxy.port), (Protocol::Socks5, "::1", 1080));
/// assert_eq!(proxy.credentials, Some(("user".into(), "p@ss".into())));
/// # Ok::<(), sansocket::client::environment::BadProxy>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Proxy {
    /// How to talk to it.
    pub protocol: Protocol,
    /// Its host, without brackets.
    pub host: String,
    /// Its port: 1080 if none was named, and 443 for [`Protocol::Https`], as with curl.
    pub port: u16,
    /// Name and password, without percent-encoding.
    pub credentials: Option<(String, String)>,
}

/// How a client talks to a proxy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Protocol {
    /// [`proxy::Connect`](super::proxy::Connect).
    Http,
    /// The same inside TLS.
    Https,
    /// [`socks5::Socks5`](super::socks5::Socks5), for `socks5` and `socks5h` alike: names are the proxy's to resolve.
    Socks5,
}

impl Proxy {
    /// Reads such a text. Without a protocol it is an HTTP proxy.
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
        let protocol = match url.scheme() {
            "http" => Protocol::Http,
            "https" => Protocol::Https,
            "socks5" | "socks5h" => Protocol::Socks5,
            _ => return Err(BadProxy::Protocol),
        };
        let host = url.host_str().filter(|host| !host.is_empty());
        let host = host.ok_or(BadProxy::Host)?;
        let bare = host
            .strip_prefix('[')
            .and_then(|host| host.strip_suffix(']'));
        let default = if protocol == Protocol::Https {
            443
        } else {
            1080
        };
        let decoded = |text| {
            let text = percent_decode_str(text).decode_utf8();
            text.map(Into::into).map_err(|_| BadProxy::Credentials)
        };
        let credentials = if url.username().is_empty() && url.password().is_none() {
            None
        } else {
            let password = url.password().unwrap_or_default();
            Some((decoded(url.username())?, decoded(password)?))
        };
        Ok(Self {
            protocol,
            host: bare.unwrap_or(host).into(),
            port: explicit_port(&with_protocol)
                .or(url.port())
                .unwrap_or(default),
            credentials,
        })
    }
}

/// The port as it was written, which a URL parser forgets if it is the default one of http.
fn explicit_port(text: &str) -> Option<u16> {
    let (_, rest) = text.split_once("://")?;
    let authority = rest.split(['/', '?', '#']).next()?;
    let (_, port) = authority.rsplit_once(':')?;
    port.parse().ok()
}

/// Why a text names no proxy.
///
/// ```
/// use sansocket::client::environment::{BadProxy, Proxy};
/// assert_eq!(Proxy::parse("socks4://h").unwrap_err(), BadProxy::Protocol);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum BadProxy {
    /// Not http, https, socks5 or socks5h.
    Protocol,
    /// No host or port, or not a valid one.
    Host,
    /// Name or password are not UTF-8.
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
            Self::Credentials => "the proxy's name and password have to be UTF-8",
        })
    }
}

impl core::error::Error for BadProxy {}

/// Which variables are set, not to what.
impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Environment")
            .field("plain", &self.plain.is_some())
            .field("secure", &self.secure.is_some())
            .field("exceptions", &self.exceptions)
            .finish()
    }
}

/// Without the credentials.
impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Proxy")
            .field("protocol", &self.protocol)
            .field("host", &self.host)
            .field("port", &self.port)
            .field("credentials", &self.credentials.is_some())
            .finish()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use alloc::format;
    use alloc::string::ToString;

    use proptest::prelude::*;

    use super::{BadProxy, Environment, Protocol, Proxy};
    use crate::handshake::uri::Uri;

    fn environment(variables: &[(&str, &str)]) -> Environment {
        Environment::new(|name| {
            let mut found = variables.iter().filter(|(known, _)| *known == name);
            found.next().map(|(_, value)| (*value).to_string())
        })
    }

    fn host(variables: &[(&str, &str)], uri: &str) -> Option<String> {
        let proxy = environment(variables).proxy(&Uri::parse(uri).unwrap());
        proxy.unwrap().map(|proxy| proxy.host)
    }

    use alloc::string::String;

    /// Lower case before upper case, the scheme's own before the one for all; empty is as unset.
    #[test]
    fn which_variable_counts() {
        let all = [
            ("ws_proxy", "a"),
            ("WS_PROXY", "b"),
            ("http_proxy", "c"),
            ("HTTP_PROXY", "d"),
            ("all_proxy", "e"),
            ("ALL_PROXY", "f"),
        ];
        for at in 0..all.len() {
            assert_eq!(host(&all[at..], "ws://h/").as_deref(), Some(all[at].1));
        }
        let secure = [
            ("wss_proxy", "a"),
            ("WSS_PROXY", "b"),
            ("https_proxy", "c"),
            ("HTTPS_PROXY", "d"),
            ("all_proxy", "e"),
            ("ALL_PROXY", "f"),
        ];
        for at in 0..secure.len() {
            assert_eq!(
                host(&secure[at..], "wss://h/").as_deref(),
                Some(secure[at].1)
            );
        }
        assert_eq!(host(&[("https_proxy", "a")], "ws://h/"), None);
        assert_eq!(
            host(&[("http_proxy", ""), ("HTTP_PROXY", "b")], "ws://h/").as_deref(),
            Some("b")
        );
        // A field `Proxy` of a request to a CGI program.
        let cgi = [
            ("REQUEST_METHOD", "GET"),
            ("HTTP_PROXY", "evil"),
            ("http_proxy", "a"),
        ];
        assert_eq!(host(&cgi, "ws://h/").as_deref(), Some("a"));
        assert_eq!(host(&cgi[..2], "ws://h/"), None);
    }

    /// As curl reads it.
    #[test]
    fn exceptions() {
        for (list, hosts, others) in [
            ("*", &["h", "1.2.3.4"][..], &[][..]),
            (
                "a.example",
                &["a.example", "x.a.example", "A.Example", "a.example."],
                &["xa.example", "example", "a.example.b"],
            ),
            (".a.example", &["a.example", "x.a.example"], &["xa.example"]),
            (
                "a.example., b c\td,,",
                &["a.example", "b", "c", "d"],
                &["e", "a"],
            ),
            ("192.0.2.1", &["192.0.2.1"], &["192.0.2.10", "92.0.2.1"]),
            (
                "192.0.2.0/24 10.0.0.0/8",
                &["192.0.2.255", "10.9.9.9"],
                &["192.0.3.1", "11.0.0.1"],
            ),
            ("0.0.0.0/0", &["1.2.3.4"], &["[::1]", "h"]),
            (
                "192.0.2.1/32,192.0.2.9/99",
                &["192.0.2.1", "192.0.2.9"],
                &["192.0.2.2"],
            ),
            (
                "[::1] 2001:db8::/32",
                &["[::1]", "[2001:db8:1::2]"],
                &["[::2]", "[2001:db9::]"],
            ),
            ("", &[], &["h", "1.2.3.4"]),
            (
                "., *.a.example, 1.2.3.4/x",
                &[],
                &["h", "x.a.example", "1.2.3.4"],
            ),
        ] {
            for (named, direct) in [(hosts, true), (others, false)] {
                for name in named {
                    let variables = [("ALL_PROXY", "p"), ("NO_PROXY", list)];
                    let proxy = host(&variables, &format!("ws://{name}/"));
                    assert_eq!(proxy.is_none(), direct, "{name} in {list:?}");
                }
            }
        }
        let both = [("all_proxy", "p"), ("no_proxy", "a"), ("NO_PROXY", "b")];
        assert_eq!(host(&both, "ws://a/"), None);
        assert_eq!(host(&both, "ws://b/").as_deref(), Some("p"));
    }

    #[test]
    fn proxies() {
        for (text, protocol, host, port) in [
            ("proxy", Protocol::Http, "proxy", 1080),
            ("proxy:3128", Protocol::Http, "proxy", 3128),
            ("http://proxy:80/", Protocol::Http, "proxy", 80),
            ("HTTPS://proxy", Protocol::Https, "proxy", 443),
            ("https://proxy:443", Protocol::Https, "proxy", 443),
            (
                "socks5://[2001:db8::1]:9050",
                Protocol::Socks5,
                "2001:db8::1",
                9050,
            ),
            ("socks5h://Proxy", Protocol::Socks5, "Proxy", 1080),
            (
                " http://user@proxy:8080/x?y ",
                Protocol::Http,
                "proxy",
                8080,
            ),
        ] {
            let proxy = Proxy::parse(text).unwrap();
            assert_eq!(
                (proxy.protocol, &*proxy.host, proxy.port),
                (protocol, host, port),
                "{text}"
            );
        }
        for (text, user, password) in [
            ("http://u@h", "u", ""),
            ("http://u:p%3a%40@h", "u", "p:@"),
            ("socks5://:p@h", "", "p"),
            ("http://d%5cu:100%25@h", "d\\u", "100%"),
        ] {
            let credentials = Proxy::parse(text).unwrap().credentials.unwrap();
            assert_eq!(credentials, (user.into(), password.into()));
        }
        for (text, error) in [
            ("socks4://h", BadProxy::Protocol),
            ("ftp://h", BadProxy::Protocol),
            ("http://", BadProxy::Host),
            ("h:99999", BadProxy::Host),
            ("a b", BadProxy::Host),
            ("socks5://", BadProxy::Host),
            ("http://%ff@h", BadProxy::Credentials),
        ] {
            assert_eq!(Proxy::parse(text), Err(error), "{text}");
        }
        // A value that is wrong is an error, not a connection that goes past the proxy.
        let wrong = environment(&[("https_proxy", "socks4://h")]);
        assert!(wrong.proxy(&Uri::parse("wss://h/").unwrap()).is_err());
        let shown = format!("{:?} {wrong:?}", Proxy::parse("http://u:secret@h").unwrap());
        assert_eq!(
            shown,
            "Proxy { protocol: Http, host: \"h\", port: 1080, credentials: true } \
             Environment { plain: false, secure: true, exceptions: \"\" }"
        );
    }

    proptest! {
        /// No text panics.
        #[test]
        fn any_text(proxy in "\\PC{0,30}", list in "[a-c0-9.:/*, \\[\\]]{0,30}", host in "[a-c.]{1,9}|[0-9]{1,3}(\\.[0-9]{1,3}){3}") {
            let environment = environment(&[("all_proxy", &proxy), ("no_proxy", &list)]);
            if let Ok(uri) = Uri::parse(&format!("ws://{host}/")) {
                let _ = environment.proxy(&uri);
            }
        }
    }
}
