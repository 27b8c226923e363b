//! Whether an origin is let in (RFC 6455 §4.2.2, §10.2).

use crate::config::OriginPolicy;
use crate::handshake::uri::{Authority, Parts};

/// What the policy says about the value of `Origin`, asked at this host and port.
///
/// Only a browser tells the truth here: this keeps foreign pages out, nobody else.
pub(crate) fn allowed(policy: &OriginPolicy, origin: &[u8], host: &Authority<'_>) -> bool {
    match policy {
        OriginPolicy::Any | OriginPolicy::Application => true,
        OriginPolicy::SameHost => same_host(origin, host),
        OriginPolicy::List(list) => core::str::from_utf8(origin)
            .is_ok_and(|origin| list.iter().any(|entry| same(entry, origin))),
    }
}

/// A page of this very host and port. Nearly always the two are the same text, with the port left out
/// or given in both.
fn same_host(origin: &[u8], host: &Authority<'_>) -> bool {
    let text = origin.strip_prefix(b"https://");
    let text = text.or_else(|| origin.strip_prefix(b"http://"));
    text == Some(host.text.as_bytes())
        || core::str::from_utf8(origin)
            .ok()
            .and_then(web_origin)
            .is_some_and(|(https, authority)| authority.same(host, https))
}

/// Equal as origins: a default port may be there or not. Others, such as `null`, as texts in lower
/// case (RFC 6455 §4.2.2).
fn same(entry: &str, origin: &str) -> bool {
    match (web_origin(entry), web_origin(origin)) {
        (Some((https, entry)), Some((other, origin))) => {
            https == other && entry.same(&origin, https)
        }
        _ => entry.eq_ignore_ascii_case(origin),
    }
}

/// `scheme://host[:port]` of http or https, with nothing behind it (RFC 6454 §6.1).
fn web_origin(text: &str) -> Option<(bool, Authority<'_>)> {
    let parts = Parts::of(text).ok()?;
    let bare = parts.path.is_empty() && parts.query.is_none();
    let https = parts.web().filter(|_| bare)?;
    Some((https, parts.authority))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use alloc::vec;

    fn at(policy: &OriginPolicy, origin: &str, host: &str) -> bool {
        allowed(policy, origin.as_bytes(), &Authority::of(host).unwrap())
    }

    /// SEC-2, HS-14, the CVEs about foreign pages: foreign, null, case and port variants.
    #[test]
    fn same_host() {
        let policy = OriginPolicy::SameHost;
        for (origin, host) in [
            ("http://a.example", "a.example"),
            ("https://a.example", "a.example"),
            ("HTTPS://A.example", "a.EXAMPLE"),
            ("http://a.example", "a.example:80"),
            ("https://a.example:443", "a.example"),
            ("https://a.example", "a.example:443"),
            ("http://a.example:8080", "a.example:8080"),
            ("http://[::1]:81", "[::1]:81"),
        ] {
            assert!(at(&policy, origin, host), "{origin} {host}");
        }
        for (origin, host) in [
            ("null", "a.example"),
            ("", "a.example"),
            ("a.example", "a.example"),
            ("http://b.example", "a.example"),
            ("http://a.example.evil", "a.example"),
            ("http://sub.a.example", "a.example"),
            ("http://a.example:8080", "a.example"),
            ("http://a.example", "a.example:8080"),
            ("http://a.example:443", "a.example"),
            ("http://a.example:80", "a.example:443"),
            ("http://a.example/", "a.example"),
            ("http://a.example?", "a.example"),
            ("http://u@a.example", "a.example"),
            ("http://a.example http://b.example", "a.example"),
            ("ftp://a.example", "a.example"),
            ("chrome-extension://a.example", "a.example"),
        ] {
            assert!(!at(&policy, origin, host), "{origin} {host}");
        }
    }

    #[test]
    fn a_list() {
        let policy = OriginPolicy::List(vec![
            "https://a.example".into(),
            "http://b.example:80".into(),
            "null".into(),
            "chrome-extension://abc".into(),
        ]);
        for origin in [
            "https://a.example",
            "HTTPS://a.example:443",
            "http://b.example",
            "Null",
            "chrome-extension://ABC",
        ] {
            assert!(at(&policy, origin, "h"), "{origin}");
        }
        for origin in [
            "http://a.example",
            "https://a.example:80",
            "https://a.example/",
            "https://b.example",
            "http://b.example:8080",
            "https://h",
            "",
        ] {
            assert!(!at(&policy, origin, "h"), "{origin}");
        }
        assert!(!at(&OriginPolicy::List(vec![]), "null", "h"));
    }

    #[test]
    fn anyone_and_the_application() {
        for policy in [OriginPolicy::Any, OriginPolicy::Application] {
            assert!(at(&policy, "http://evil.example", "h"));
            assert!(at(&policy, "null", "h"));
        }
    }
}
