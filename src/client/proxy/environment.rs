//! Which proxy the environment names: `https_proxy`, `NO_PROXY` and the like, by the rules of curl.

use alloc::string::String;
use core::fmt;
use core::net::IpAddr;

use crate::decimal::decimal_in;
use crate::handshake::uri::Uri;

use super::{BadProxy, Proxy};

/// The variables that name proxies, as they were when it was made.
///
/// For wss these are looked at, and the first that is not empty counts: `wss_proxy`, `https_proxy`,
/// `all_proxy`, each in lower case and then in upper case; for ws `ws_proxy`, `http_proxy`, `all_proxy`. `HTTP_PROXY` is
/// left out where `REQUEST_METHOD` is set: in a CGI program a client could set it with a field `Proxy`.
///
/// `no_proxy` or `NO_PROXY` lists hosts that need none, between commas or blanks: a name stands for itself and all
/// below it, with `.` or `*.` before it or not; an address for itself, and `10.0.0.0/8` for a network; `host:port` for
/// that port only; `*` for everything.
///
/// ```
/// use sansocket::Uri;
/// use sansocket::client::proxy::{Environment, Protocol};
/// let variables = |name: &str| match name { // std::env::var(name).ok()
///     "https_proxy" => Some("http://user:secret@proxy.example:3128".to_string()),
///     "NO_PROXY" => Some("localhost, .internal.example".to_string()),
///     _ => None,
/// };
/// let environment = Environment::new(variables);
/// let proxy = environment.proxy(&Uri::parse("wss://example.com/")?)?.unwrap();
/// assert_eq!((proxy.protocol(), proxy.host(), proxy.port()), (Protocol::Http, "proxy.example", 3128));
/// assert!(environment.proxy(&Uri::parse("wss://www.internal.example/")?)?.is_none());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
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
            Some(value) if !self.is_exception(uri) => Proxy::parse(value).map(Some),
            _ => Ok(None),
        }
    }

    fn is_exception(&self, uri: &Uri) -> bool {
        let mut entries = self.exceptions.split([',', ' ', '\t']);
        entries.any(|entry| stands_for(entry, uri))
    }
}

/// Whether an entry of the list stands for this server.
fn stands_for(entry: &str, uri: &Uri) -> bool {
    let (entry, port) = split_port(entry);
    if port.is_some_and(|port| port != uri.port()) {
        return false;
    }
    let host = uri.server_name();
    let host = host.strip_suffix('.').unwrap_or(host);
    match host.parse::<IpAddr>() {
        _ if entry == "*" => true,
        Ok(address) => has_address(entry, address.to_canonical()),
        Err(_) => has_name(entry, host),
    }
}

/// An entry, and its port if it has one; an IPv6 address without brackets has none.
fn split_port(entry: &str) -> (&str, Option<u16>) {
    match entry.rsplit_once(':') {
        Some((host, port)) if !host.contains(':') || host.ends_with(']') => {
            match decimal_in(port) {
                Some(port) => (host, Some(port)),
                None => (entry, None),
            }
        }
        _ => (entry, None),
    }
}

/// A name stands for itself and for all that is below it.
fn has_name(entry: &str, host: &str) -> bool {
    let entry = entry.strip_suffix('.').unwrap_or(entry);
    let name = entry.strip_prefix("*.").or(entry.strip_prefix('.'));
    let name = name.unwrap_or(entry);
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
        Some((network, bits)) => (network, decimal_in::<u32>(bits)),
        None => (entry, Some(u32::MAX)),
    };
    let network = network.trim_start_matches('[').trim_end_matches(']');
    let (Ok(network), Some(bits)) = (network.parse::<IpAddr>(), bits) else {
        return false;
    };
    let (len, network, address) = match (network.to_canonical(), address) {
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

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use alloc::format;
    use alloc::string::{String, ToString};

    use proptest::prelude::*;

    use crate::handshake::uri::Uri;

    use super::{BadProxy, Environment};

    fn environment(variables: &[(&str, &str)]) -> Environment {
        Environment::new(|name| {
            let mut found = variables.iter().filter(|(known, _)| *known == name);
            found.next().map(|(_, value)| (*value).to_string())
        })
    }

    fn host(variables: &[(&str, &str)], uri: &str) -> Option<String> {
        let proxy = environment(variables).proxy(&Uri::parse(uri).unwrap());
        proxy.unwrap().map(|proxy| proxy.host().to_string())
    }

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

    /// Exceptions, hosts that are among them, and others.
    const EXCEPTIONS: &[(&str, &[&str], &[&str])] = &[
        ("*", &["h", "1.2.3.4"], &[]),
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
            "., *., *b, 1.2.3.4/x, a:b",
            &[],
            &["h", "ab", "1.2.3.4", "a"],
        ),
        (
            "h:80, a.example:81",
            &["h", "x.h", "a.example:81"],
            &["h:81", "a.example"],
        ),
        (
            "1.2.3.4:81, [::1]:81, ::2",
            &["1.2.3.4:81", "[::1]:81", "[::2]"],
            &["1.2.3.4", "[::1]"],
        ),
        ("h:+80, 192.0.2.0/+24", &[], &["h", "192.0.2.1"]),
        ("h, *", &["x", "1.2.3.4"], &[]),
        ("*:81", &["x:81"], &["x"]),
        (
            "*.a.example",
            &["a.example", "x.a.example"],
            &["xa.example"],
        ),
        ("::ffff:1.2.3.4", &["1.2.3.4"], &["1.2.3.5"]),
    ];

    /// As curl reads it.
    #[test]
    fn exceptions() {
        for (list, hosts, others) in EXCEPTIONS {
            for (named, direct) in [(hosts, true), (others, false)] {
                for name in *named {
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

    /// A value that is wrong is an error, not a connection that goes past the proxy.
    #[test]
    fn what_is_no_proxy() {
        let wrong = environment(&[("https_proxy", "socks4://u:secret@h")]);
        let proxy = wrong.proxy(&Uri::parse("wss://h/").unwrap());
        assert_eq!(proxy.unwrap_err(), BadProxy::Protocol);
        let shown = "Environment { plain: false, secure: true, exceptions: \"\" }";
        assert_eq!(format!("{wrong:?}"), shown);
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
