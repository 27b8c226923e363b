//! Who the settings of a server let in (RFC 6455 §4.2.2, §10.2; RFC 9110 §7.4).

use crate::config::{OriginPolicy, Settings};

use super::absolute_uri::Authority;
use super::origin::{is_listed, names_host, same_host};
use super::rules::Admission;

impl Admission for Settings {
    fn answers_to(&self, host: &Authority<'_>) -> bool {
        let hosts = self.hosts.as_ref();
        hosts.is_none_or(|hosts| names_host(hosts.iter(), host))
    }

    /// Only browsers send a true origin: the check keeps out the pages of other sites, not other clients.
    fn allows(&self, origin: &[u8], host: &Authority<'_>) -> bool {
        match &self.origin {
            OriginPolicy::Any | OriginPolicy::Application => true,
            OriginPolicy::SameHost => same_host(origin, host),
            OriginPolicy::List(list) => is_listed(list.iter(), origin),
        }
    }

    fn requires_origin(&self) -> bool {
        self.require_origin
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by a panic")]
mod tests {
    use crate::config::admission::Hosts;

    use super::*;

    fn at(policy: &OriginPolicy, origin: &str, host: &str) -> bool {
        let settings = Settings {
            origin: policy.clone(),
            ..Settings::SERVER
        };
        settings.allows(origin.as_bytes(), &Authority::of(host.as_bytes()).unwrap())
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
        let settings = Settings {
            hosts: Some(hosts),
            ..Settings::SERVER
        };
        let answers = |host: &str| settings.answers_to(&Authority::of(host.as_bytes()).unwrap());
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
        assert!(Settings::SERVER.answers_to(&Authority::of(b"evil.example").unwrap()));
    }

    #[test]
    fn anyone_and_the_application() {
        for policy in [OriginPolicy::Any, OriginPolicy::Application] {
            assert!(at(&policy, "http://evil.example", "h"));
            assert!(at(&policy, "null", "h"));
        }
    }
}
