//! Whether the policy allows an origin (RFC 6455 §4.2.2, §10.2).

use crate::config::OriginPolicy;

use super::uri::{AbsoluteUri, Authority};

/// Whether the policy allows this value of `Origin` in a request to this host and port.
///
/// Only browsers send a true one: the check keeps out the pages of other sites, not other clients.
pub(crate) fn allowed(policy: &OriginPolicy, origin: &[u8], host: &Authority<'_>) -> bool {
    match policy {
        OriginPolicy::Any | OriginPolicy::Application => true,
        OriginPolicy::SameHost => same_host(origin, host),
        OriginPolicy::List(list) => core::str::from_utf8(origin)
            .is_ok_and(|origin| list.iter().any(|entry| same(entry, origin))),
    }
}

/// A page of the same host and port. The two texts are compared first: nearly always they are equal.
fn same_host(origin: &[u8], host: &Authority<'_>) -> bool {
    let without_scheme = origin
        .strip_prefix(b"https://")
        .or_else(|| origin.strip_prefix(b"http://"));
    if without_scheme == Some(host.text.as_bytes()) {
        return true;
    }
    let origin = core::str::from_utf8(origin).ok().and_then(web_origin);
    origin.is_some_and(|(https, authority)| authority.same(host, https))
}

/// Equal as web origins, with the default port there or not. Anything else, such as `null`, is compared
/// as text without regard to ASCII case (RFC 6455 §4.2.2).
fn same(entry: &str, origin: &str) -> bool {
    match (web_origin(entry), web_origin(origin)) {
        (Some((https, entry)), Some((other, origin))) => {
            https == other && entry.same(&origin, https)
        }
        _ => entry.eq_ignore_ascii_case(origin),
    }
}

/// `scheme://host[:port]` of http or https, with nothing after it (RFC 6454 §6.1); whether it is https.
fn web_origin(text: &str) -> Option<(bool, Authority<'_>)> {
    let uri = AbsoluteUri::of(text).ok()?;
    let bare = uri.path.is_empty() && uri.query.is_none();
    let https = uri.web().filter(|_| bare)?;
    Some((https, uri.authority))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by a panic")]
mod tests {
    use alloc::vec;

    use super::*;

    fn at(policy: &OriginPolicy, origin: &str, host: &str) -> bool {
        allowed(policy, origin.as_bytes(), &Authority::of(host).unwrap())
    }

    /// The CVEs about foreign pages: foreign, null, case and port variants.
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
