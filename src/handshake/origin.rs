//! Whether the policy allows an origin (RFC 6455 §4.2.2, §10.2), and whether the server answers to a host
//! (RFC 9110 §7.4).

use crate::config::{ANY_PORT, Hosts, OriginPolicy};
use crate::decimal::decimal_in;

use super::uri::{AbsoluteUri, Authority};

/// Whether the policy allows this value of `Origin` in a request to this host and port.
///
/// Only browsers send a true one: the check keeps out the pages of other sites, not other clients.
pub(crate) fn allowed(policy: &OriginPolicy, origin: &[u8], host: &Authority<'_>) -> bool {
    match policy {
        OriginPolicy::Any | OriginPolicy::Application => true,
        OriginPolicy::SameHost => same_host(origin, host),
        OriginPolicy::List(list) => core::str::from_utf8(origin)
            .is_ok_and(|origin| list.iter().any(|entry| fits(entry, origin))),
    }
}

/// Whether the server answers to this host: to all, if there is no list. A port that is left out is the
/// default one of http or https.
pub(crate) fn answers_to(hosts: Option<&Hosts>, authority: &Authority<'_>) -> bool {
    let fits = |entry: &str| {
        let (name, port) = split_port(entry);
        let port_fits = match (port, authority.port) {
            (None | Some(ANY_PORT), _) => true,
            (Some(port), Some(own)) => decimal_in(port) == Some(own),
            (Some(port), None) => matches!(port, "80" | "443"),
        };
        port_fits && host_fits(name, authority.host)
    };
    hosts.is_none_or(|hosts| hosts.iter().any(fits))
}

/// A page of the same host and port. The two texts are compared first: nearly always they are equal.
fn same_host(origin: &[u8], host: &Authority<'_>) -> bool {
    let without_scheme = origin
        .strip_prefix(b"https://")
        .or_else(|| origin.strip_prefix(b"http://"));
    if without_scheme == Some(host.text) {
        return true;
    }
    let origin = core::str::from_utf8(origin).ok().and_then(web_origin);
    origin.is_some_and(|(https, authority)| authority.same(host, https))
}

/// Whether an entry of a list stands for this origin: as web origins, with the default port there or not.
/// Anything else, such as `null`, is compared as text without regard to ASCII case (RFC 6455 §4.2.2).
fn fits(entry: &str, origin: &str) -> bool {
    let (Some((scheme, place)), Some((https, authority))) =
        (entry.split_once("://"), web_origin(origin))
    else {
        return entry.eq_ignore_ascii_case(origin);
    };
    let (name, port) = split_port(place);
    let default = if https { 443 } else { 80 };
    let own_port = authority.port.unwrap_or(default);
    let port_fits = match port {
        Some(ANY_PORT) => true,
        Some(port) => decimal_in(port) == Some(own_port),
        None => own_port == default,
    };
    scheme.eq_ignore_ascii_case(if https { "https" } else { "http" })
        && port_fits
        && host_fits(name, authority.host)
}

/// The port of an entry, which was checked when it was given.
fn split_port(entry: &str) -> (&str, Option<&str>) {
    match entry.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
        _ => (entry, None),
    }
}

/// Whether the name, or the pattern `*.name` for all that is below it, stands for this host.
fn host_fits(name: &str, host: &[u8]) -> bool {
    let Some(parent) = name.strip_prefix('*') else {
        return name.as_bytes().eq_ignore_ascii_case(host);
    };
    // With its dot, and something before it.
    let label = host.len().saturating_sub(parent.len());
    let below = host.split_at_checked(label);
    label > 0 && below.is_some_and(|(_, end)| end.eq_ignore_ascii_case(parent.as_bytes()))
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
    use super::*;

    fn at(policy: &OriginPolicy, origin: &str, host: &str) -> bool {
        allowed(
            policy,
            origin.as_bytes(),
            &Authority::of(host.as_bytes()).unwrap(),
        )
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
        let policy = OriginPolicy::list([
            "https://a.example",
            "http://b.example:80",
            "null",
            "chrome-extension://abc",
        ]);
        let policy = policy.unwrap();
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
        let nobody = OriginPolicy::list::<&str>([]).unwrap();
        assert!(!at(&nobody, "null", "h"));
    }

    /// A label at least, and whole labels only.
    #[test]
    fn patterns() {
        let policy = OriginPolicy::list(["https://*.a.example", "http://localhost:*"]).unwrap();
        for origin in [
            "https://x.a.example",
            "https://x.y.A.example:443",
            "http://localhost",
            "HTTP://LOCALHOST:3000",
        ] {
            assert!(at(&policy, origin, "h"), "{origin}");
        }
        for origin in [
            "https://a.example",
            "https://.a.example",
            "https://xa.example",
            "https://x.a.example:444",
            "http://x.a.example",
            "https://x.a.example.evil",
            "https://x.a.example/",
            "https://localhost:3000",
            "http://localhost.evil:3000",
            "null",
        ] {
            assert!(!at(&policy, origin, "h"), "{origin}");
        }
    }

    /// RFC 9110 §7.4: against DNS rebinding.
    #[test]
    fn hosts() {
        let hosts = [
            "a.example",
            "*.b.example",
            "c.example:8080",
            "d.example:443",
            "[::1]",
        ];
        let hosts = Hosts::new(hosts).unwrap();
        let answers =
            |host: &str| answers_to(Some(&hosts), &Authority::of(host.as_bytes()).unwrap());
        for host in [
            "a.example",
            "A.Example:9001",
            "x.b.example",
            "c.example:8080",
            "d.example",
            "[::1]:9001",
        ] {
            assert!(answers(host), "{host}");
        }
        for host in [
            "evil.example",
            "x.a.example",
            "b.example",
            "c.example",
            "c.example:80",
            "d.example:80",
            "127.0.0.1",
            "a.example.",
        ] {
            assert!(!answers(host), "{host}");
        }
        assert!(answers_to(None, &Authority::of(b"evil.example").unwrap()));
    }

    #[test]
    fn anyone_and_the_application() {
        for policy in [OriginPolicy::Any, OriginPolicy::Application] {
            assert!(at(&policy, "http://evil.example", "h"));
            assert!(at(&policy, "null", "h"));
        }
    }
}
