//! Which proxy leads to a server: one that is named, or what the environment says.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::net::IpAddr;

use crate::error::FieldError;
use crate::error::identified;
use crate::handshake::uri::Uri;

use super::Options;

/// An HTTP proxy: where it is, and what it is sent.
///
/// ```
/// use sansocket::client::proxy::Proxy;
/// let proxy: Proxy = "http://ednamode:nocapes%21@proxy.example.com:3128".parse()?;
/// assert_eq!((proxy.host(), proxy.port()), ("proxy.example.com", 3128));
/// # Ok::<(), sansocket::client::proxy::ProxyError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Proxy {
    uri: Uri,
    options: Options,
}

impl Proxy {
    /// The host, an IPv6 address without brackets: what is looked up.
    #[must_use]
    pub fn host(&self) -> &str {
        self.uri.server_name()
    }

    /// The port; 80 if none was given.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.uri.port()
    }

    /// What it is sent: its credentials among them.
    #[must_use]
    pub const fn options(&self) -> &Options {
        &self.options
    }

    /// The same proxy with other options. Credentials that were part of the text are replaced.
    #[must_use]
    pub fn with_options(self, options: Options) -> Self {
        Self { options, ..self }
    }
}

/// `http://[USER[:PASSWORD]@]HOST[:PORT]`, the name and the password percent-encoded; `http://` may be left
/// out.
impl core::str::FromStr for Proxy {
    type Err = ProxyError;

    fn from_str(text: &str) -> Result<Self, ProxyError> {
        let rest = match text.split_once("://") {
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("http") => rest,
            Some(_) => return Err(ProxyError::Scheme),
            None => text,
        };
        let (credentials, place) = match rest.rsplit_once('@') {
            Some((credentials, place)) => (Some(credentials), place),
            None => (None, rest),
        };
        let place = place.strip_suffix('/').unwrap_or(place);
        let mut uri = String::from("ws://");
        uri.push_str(place);
        let uri = Uri::parse(&uri).map_err(|_| ProxyError::Place)?;
        if uri.resource_name() != "/" || place.contains(['/', '?']) {
            return Err(ProxyError::Place);
        }
        let mut options = Options::new();
        if let Some(credentials) = credentials {
            let (user, password) = credentials.split_once(':').unwrap_or((credentials, ""));
            let decoded = |text| percent_decoded(text).ok_or(ProxyError::Credentials);
            options = options
                .basic(&decoded(user)?, &decoded(password)?)
                .map_err(|_: FieldError| ProxyError::Credentials)?;
        }
        Ok(Self { uri, options })
    }
}

/// Why a text names no proxy. The text is not in it, as it may hold a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ProxyError {
    /// Another scheme than http: such a proxy is spoken to in another way.
    Scheme,
    /// No host and port that follow RFC 3986 §3.2, or something after them.
    Place,
    /// A name or a password that is not percent-encoded UTF-8, or has a control character, or a name with
    /// a colon (RFC 7617 §2).
    Credentials,
}

identified! { ProxyError:
    Self::Scheme = 1211, "proxy_scheme";
    Self::Place = 1212, "proxy_place";
    Self::Credentials = 1213, "proxy_credentials";
}

impl fmt::Display for ProxyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Scheme => "the proxy is not an http:// one",
            Self::Place => "the proxy is not http://HOST[:PORT]",
            Self::Credentials => "the proxy's credentials are not USER:PASSWORD, percent-encoded",
        })
    }
}

impl core::error::Error for ProxyError {}

/// The proxies that the variables of an environment name, and the servers that are reached without one.
///
/// | variable, the first that is set | what for |
/// |---|---|
/// | `wss_proxy`, `WSS_PROXY`, `https_proxy`, `HTTPS_PROXY`, `all_proxy`, `ALL_PROXY` | wss |
/// | `ws_proxy`, `WS_PROXY`, `http_proxy`, `all_proxy`, `ALL_PROXY` | ws |
/// | `no_proxy`, `NO_PROXY` | hosts without, separated by commas |
///
/// An empty variable counts as none. `HTTP_PROXY` is not read: a web server sets it to what its client
/// sent in a field named `Proxy`. In the list, `example.com` and `.example.com` stand for the host and
/// all below it, `192.0.2.0/24` for a network, `host:port` for one port, `*` for all.
///
/// ```
/// use sansocket::Uri;
/// use sansocket::client::proxy::Environment;
/// let environment = Environment::read(|name| match name { // in truth std::env::var(name).ok()
///     "https_proxy" => Some("http://proxy:3128".into()),
///     "no_proxy" => Some("localhost, .internal".into()),
///     _ => None,
/// })?;
/// let proxy = |uri: &str| environment.proxy_for(&Uri::parse(uri).unwrap());
/// assert_eq!(proxy("wss://example.com/").map(|proxy| proxy.port()), Some(3128));
/// assert!(proxy("wss://db.internal/").is_none());
/// assert!(proxy("ws://example.com/").is_none());
/// # Ok::<(), sansocket::client::proxy::ProxyError>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct Environment {
    plain: Option<Proxy>,
    secure: Option<Proxy>,
    without: Vec<String>,
}

impl Environment {
    /// Reads the variables, by a function that has them.
    ///
    /// # Errors
    /// [`ProxyError`] for a variable that names no proxy.
    pub fn read(mut variable: impl FnMut(&str) -> Option<String>) -> Result<Self, ProxyError> {
        let mut first = |names: &[&str]| {
            let mut values = names.iter().filter_map(|name| variable(name));
            values.find(|value| !value.trim().is_empty())
        };
        let plain = first(&PLAIN);
        let secure = first(&SECURE);
        let without = first(&WITHOUT).unwrap_or_default();
        let parse = |text: Option<String>| text.map(|text| text.trim().parse()).transpose();
        Ok(Self {
            plain: parse(plain)?,
            secure: parse(secure)?,
            without: without
                .split(',')
                .map(|entry| entry.trim().to_ascii_lowercase())
                .filter(|entry| !entry.is_empty())
                .collect(),
        })
    }

    /// The proxy that leads there; `None`: it is reached directly.
    #[must_use]
    pub fn proxy_for(&self, uri: &Uri) -> Option<&Proxy> {
        let proxy = if uri.secure() {
            &self.secure
        } else {
            &self.plain
        };
        let is_without = |entry: &String| names(entry, uri);
        proxy
            .as_ref()
            .filter(|_| !self.without.iter().any(is_without))
    }
}

const PLAIN: [&str; 5] = [
    "ws_proxy",
    "WS_PROXY",
    "http_proxy",
    "all_proxy",
    "ALL_PROXY",
];
const SECURE: [&str; 6] = [
    "wss_proxy",
    "WSS_PROXY",
    "https_proxy",
    "HTTPS_PROXY",
    "all_proxy",
    "ALL_PROXY",
];
const WITHOUT: [&str; 2] = ["no_proxy", "NO_PROXY"];

/// Whether an entry of the list names this server.
fn names(entry: &str, uri: &Uri) -> bool {
    if entry == "*" {
        return true;
    }
    let host = uri.server_name();
    if let Ok(ip) = host.parse::<IpAddr>() {
        let (entry, port) = split_port(entry);
        return port.is_none_or(|port| port == uri.port()) && names_address(entry, ip);
    }
    let (entry, port) = split_port(entry);
    if port.is_some_and(|port| port != uri.port()) {
        return false;
    }
    let entry = entry
        .strip_prefix("*.")
        .or(entry.strip_prefix('.'))
        .unwrap_or(entry);
    let below = host.strip_suffix(entry);
    below.is_some_and(|before| before.is_empty() || before.ends_with('.')) && !entry.is_empty()
}

/// An address, or a network of them.
fn names_address(entry: &str, ip: IpAddr) -> bool {
    let entry = entry
        .strip_prefix('[')
        .and_then(|entry| entry.strip_suffix(']'))
        .unwrap_or(entry);
    let (network, bits) = match entry.split_once('/') {
        Some((network, bits)) => (network, bits.parse().ok()),
        None => (entry, Some(u32::MAX)),
    };
    let (Ok(network), Some(bits)) = (network.parse::<IpAddr>(), bits) else {
        return false;
    };
    match (network.to_canonical(), ip.to_canonical()) {
        (IpAddr::V4(a), IpAddr::V4(b)) => {
            same_bits(a.to_bits().into(), b.to_bits().into(), 32, bits)
        }
        (IpAddr::V6(a), IpAddr::V6(b)) => same_bits(a.to_bits(), b.to_bits(), 128, bits),
        _ => false,
    }
}

/// Whether the first bits of two numbers of `width` bits are the same.
fn same_bits(a: u128, b: u128, width: u32, bits: u32) -> bool {
    (a ^ b).checked_shr(width.saturating_sub(bits)).unwrap_or(0) == 0
}

/// An entry, and its port if it has one; an address of IPv6 without brackets has none.
fn split_port(entry: &str) -> (&str, Option<u16>) {
    match entry.rsplit_once(':') {
        Some((before, port)) if !before.contains(':') || before.ends_with(']') => {
            match port.parse() {
                Ok(port) => (before, Some(port)),
                Err(_) => (entry, None),
            }
        }
        _ => (entry, None),
    }
}

/// RFC 3986 §2.1.
fn percent_decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        bytes.push(match byte {
            b'%' => {
                let (digits, after) = rest.split_first_chunk::<2>()?;
                rest = after;
                let [high, low] = digits.map(|digit| char::from(digit).to_digit(16));
                u8::try_from(high? * 16 + low?).ok()?
            }
            byte => byte,
        });
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by a panic")]
mod tests {
    use alloc::format;

    use super::*;
    use crate::client::proxy::Connect;

    #[test]
    fn proxies() {
        for (text, host, port) in [
            ("http://h", "h", 80),
            ("HTTP://h:3128/", "h", 3128),
            ("h:3128", "h", 3128),
            ("http://u:p@[::1]:8080", "::1", 8080),
            ("http://u@h", "h", 80),
        ] {
            let proxy: Proxy = text.parse().unwrap();
            assert_eq!((proxy.host(), proxy.port()), (host, port), "{text}");
        }
        for (text, why) in [
            ("https://h", ProxyError::Scheme),
            ("socks5://h", ProxyError::Scheme),
            ("", ProxyError::Place),
            ("http://", ProxyError::Place),
            ("http://h:x", ProxyError::Place),
            ("http://h/path", ProxyError::Place),
            ("http://h?query", ProxyError::Place),
            ("http://h#", ProxyError::Place),
            ("http://u:%f@h", ProxyError::Credentials),
            ("http://u:%zz@h", ProxyError::Credentials),
            ("http://u:%ff@h", ProxyError::Credentials),
            ("http://u:%0d%0a@h", ProxyError::Credentials),
            ("http://u%3a:p@h", ProxyError::Credentials),
        ] {
            assert_eq!(text.parse::<Proxy>().unwrap_err(), why, "{text}");
            assert!(!format!("{why}").is_empty());
        }
    }

    /// RFC 7617: the name and the password as they are, from percent-encoded text (RFC 3986 §3.2.1).
    #[test]
    fn credentials() {
        let proxy: Proxy = "http://ednamode:nocapes%21@h".parse().unwrap();
        let uri = Uri::parse("ws://example.com/").unwrap();
        let output = Connect::new(&uri, proxy.options()).output().to_vec();
        let output = String::from_utf8(output).unwrap();
        assert!(
            output.contains("Basic ZWRuYW1vZGU6bm9jYXBlcyE=\r\n"),
            "{output}"
        );
        assert!(!format!("{proxy:?}").contains("nocapes"));
        let without = proxy.with_options(Options::new());
        let output = Connect::new(&uri, without.options()).output().to_vec();
        assert!(!String::from_utf8(output).unwrap().contains("Basic"));
    }

    fn environment(variables: &[(&str, &str)]) -> Environment {
        Environment::read(|name| {
            let found = variables.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| String::from(*value))
        })
        .unwrap()
    }

    fn host<'e>(environment: &'e Environment, uri: &str) -> Option<&'e str> {
        environment
            .proxy_for(&Uri::parse(uri).unwrap())
            .map(Proxy::host)
    }

    #[test]
    fn the_first_variable_that_is_set() {
        for (variables, plain, secure) in [
            (&[][..], None, None),
            (&[("http_proxy", "a")], Some("a"), None),
            (&[("HTTP_PROXY", "a")], None, None),
            (&[("HTTPS_PROXY", "a")], None, Some("a")),
            (&[("ALL_PROXY", "a")], Some("a"), Some("a")),
            (
                &[("all_proxy", "a"), ("https_proxy", "b")],
                Some("a"),
                Some("b"),
            ),
            (
                &[("https_proxy", " "), ("HTTPS_PROXY", " b ")],
                None,
                Some("b"),
            ),
            (&[("ws_proxy", "a"), ("http_proxy", "b")], Some("a"), None),
            (&[("wss_proxy", "a"), ("https_proxy", "b")], None, Some("a")),
        ] {
            let environment = environment(variables);
            assert_eq!(host(&environment, "ws://h/"), plain, "{variables:?}");
            assert_eq!(host(&environment, "wss://h/"), secure, "{variables:?}");
        }
        let wrong = Environment::read(|name| (name == "all_proxy").then(|| "socks5://h".into()));
        assert_eq!(wrong.unwrap_err(), ProxyError::Scheme);
    }

    #[test]
    fn servers_without_a_proxy() {
        for (list, uri, without) in [
            ("*", "ws://h/", true),
            ("a.example, b.example", "ws://b.example/", true),
            ("example.com", "ws://EXAMPLE.com/", true),
            ("EXAMPLE.com", "ws://www.example.com/", true),
            (".example.com", "ws://www.example.com/", true),
            ("*.example.com", "ws://www.example.com/", true),
            (".example.com", "ws://example.com/", true),
            ("example.com", "ws://notexample.com/", false),
            ("example.com:81", "ws://example.com/", false),
            ("example.com:81", "ws://example.com:81/", true),
            (".", "ws://example.com/", false),
            ("", "ws://example.com/", false),
            ("192.0.2.1", "ws://192.0.2.1/", true),
            ("192.0.2.1:80", "ws://192.0.2.1/", true),
            ("192.0.2.1:81", "ws://192.0.2.1/", false),
            ("192.0.2.0/24", "ws://192.0.2.200/", true),
            ("192.0.2.0/25", "ws://192.0.2.200/", false),
            ("0.0.0.0/0", "ws://192.0.2.200/", true),
            ("192.0.2.0/x", "ws://192.0.2.0/", false),
            ("2.1", "ws://192.0.2.1/", false),
            ("::1", "ws://[::1]/", true),
            ("[::1]", "ws://[::1]/", true),
            ("[::1]:80", "ws://[::1]/", true),
            ("[::1]:81", "ws://[::1]/", false),
            ("2001:db8::/32", "ws://[2001:db8:1::1]/", true),
            ("2001:db8::/32", "ws://[2001:db9::1]/", false),
            ("2001:db8::/32", "ws://192.0.2.1/", false),
        ] {
            let environment = environment(&[("all_proxy", "p"), ("no_proxy", list)]);
            assert_eq!(host(&environment, uri).is_none(), without, "{list} {uri}");
        }
    }
}
