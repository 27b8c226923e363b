#![allow(clippy::unwrap_used, reason = "a test fails by a panic")]

use alloc::string::{String, ToString};

use super::super::absolute_uri::Authority;
use super::{Uri, UriPart};

fn part(text: &str) -> UriPart {
    Uri::parse(text).unwrap_err().part()
}

#[test]
fn schemes() {
    for (text, secure) in [
        ("ws://h/", false),
        ("WS://h/", false),
        ("wss://h/", true),
        ("WSS://h/", true),
    ] {
        assert_eq!(Uri::parse(text).unwrap().secure(), secure);
    }
    for text in [
        "http://h/",
        "https://h/",
        "ftp://h/",
        "h/x",
        "",
        "ws:h",
        "ws:/h",
        "://h",
        " ws://h",
    ] {
        assert_eq!(part(text), UriPart::Scheme, "{text}");
    }
    assert!(Uri::parse_allowing_http("HTTPS://h/").unwrap().secure());
    assert!(!Uri::parse_allowing_http("http://h/").unwrap().secure());
    assert!(!Uri::parse_allowing_http("ws://h/").unwrap().secure());
    let error = Uri::parse_allowing_http("ftp://h/").unwrap_err();
    assert_eq!(error.part(), UriPart::Scheme);
}

#[test]
fn ports() {
    for (text, port, authority) in [
        ("ws://h/", 80, "h"),
        ("wss://h/", 443, "h"),
        ("ws://h:/", 80, "h"),
        ("ws://h:80/", 80, "h"),
        ("ws://h:0080/", 80, "h"),
        ("ws://h:443/", 443, "h:443"),
        ("wss://h:80/", 80, "h:80"),
        ("ws://h:8080", 8080, "h:8080"),
        ("ws://[::1]:81/", 81, "[::1]:81"),
        ("ws://h:65535?x", 65535, "h:65535"),
    ] {
        let uri = Uri::parse(text).unwrap();
        assert_eq!((uri.port(), &*uri.authority()), (port, authority), "{text}");
    }
    for text in [
        "ws://h:65536/",
        "ws://h:1a/",
        "ws://h:+1/",
        "ws://h:-1/",
        "ws://h: 1/",
        "ws://h:1:2/",
        "ws://[::1]:x/",
        "ws://h:99999999999999999999/",
    ] {
        assert_eq!(part(text), UriPart::Port, "{text}");
    }
}

/// CVE-2026-61666: hosts are checked by grammar, and every mistake is an error value.
#[test]
fn hosts() {
    for (text, host) in [
        ("ws://[::1]:9/", "[::1]"),
        ("ws://[2001:DB8::1]/", "[2001:db8::1]"),
        ("ws://[::ffff:192.0.2.1]/", "[::ffff:192.0.2.1]"),
        ("ws://[v1.a:b]/", "[v1.a:b]"),
        ("ws://127.0.0.1/", "127.0.0.1"),
        ("ws://EXAMPLE.com", "example.com"),
        ("ws://a_b-c.~d/", "a_b-c.~d"),
        ("ws://a%2Fb/", "a%2fb"),
        ("ws://xn--bcher-kva.example/", "xn--bcher-kva.example"),
    ] {
        assert_eq!(Uri::parse(text).unwrap().host(), host);
    }
    for text in [
        "ws:///x",
        "ws://",
        "ws://:80/",
        "ws://[::1/",
        "ws://::1/",
        "ws://[::1]x/",
        "ws://[]/",
        "ws://[::g]/",
        "ws://[1:2:3]/",
        "ws://[1:2:3:4:5:6:7:8:9]/",
        "ws://[::1%25eth0]/",
        "ws://[127.0.0.1]/",
        "ws://[v.a]/",
        "ws://[v1.]/",
        "ws://[vg.a]/",
        "ws://[.a]/",
        "ws://[v1.a^]/",
        "ws://a b/",
        "ws://a%2/",
        "ws://a%zz/",
        "ws://b\u{fc}cher.example/",
        "ws://a\\b/",
        "ws://a\"b/",
        "ws://a\r\nX: y/",
        "ws://a\0/",
        "ws://]/",
    ] {
        assert_eq!(part(text), UriPart::Host, "{text:?}");
    }
}

#[test]
fn resource_names() {
    for (text, name) in [
        ("ws://h", "/"),
        ("ws://h/", "/"),
        ("ws://h?x=1", "/?x=1"),
        ("ws://h/a/b?c", "/a/b?c"),
        ("ws://h/a?", "/a"),
        ("ws://h/a??b/?", "/a??b/?"),
        ("ws://h/a%23b", "/a%23b"),
        ("ws://h//a:@!$&'()*+,;=-._~", "//a:@!$&'()*+,;=-._~"),
        ("ws://h/.well-known/x", "/.well-known/x"),
    ] {
        assert_eq!(Uri::parse(text).unwrap().resource_name(), name);
    }
}

/// Nothing that is refused could reach the wire, and the error names the place.
#[test]
fn what_is_not_allowed_and_where() {
    for (text, part, at) in [
        ("ws://h/a#b", UriPart::Fragment, 8),
        ("ws://h/#", UriPart::Fragment, 7),
        ("ws://h#", UriPart::Fragment, 6),
        ("ws://h?a#b", UriPart::Fragment, 8),
        ("ws://u:p@h/", UriPart::UserInfo, 8),
        ("ws://@h/", UriPart::UserInfo, 5),
        ("ws://h/\u{e9}", UriPart::Path, 7),
        ("ws://h/a b", UriPart::Path, 8),
        ("ws://h/a\r\nX: y", UriPart::Path, 8),
        ("ws://h/a\0", UriPart::Path, 8),
        ("ws://h/a\x7f", UriPart::Path, 8),
        ("ws://h/a%", UriPart::Path, 8),
        ("ws://h/a%f", UriPart::Path, 8),
        ("ws://h/a%fg", UriPart::Path, 8),
        ("ws://h/a[b", UriPart::Path, 8),
        ("ws://h/a|b", UriPart::Path, 8),
        ("ws://h/a?b c", UriPart::Query, 10),
        ("ws://h?\u{e9}", UriPart::Query, 7),
        ("ws://h:8x/", UriPart::Port, 7),
        ("ws://[::1]x", UriPart::Host, 10),
    ] {
        let error = Uri::parse(text).unwrap_err();
        assert_eq!((error.part(), error.at()), (part, at), "{text:?}");
        assert!(error.to_string().contains(&at.to_string()));
    }
}

#[test]
fn printing_gives_an_equal_uri() {
    for (text, printed) in [
        ("wss://h:444/a?b", "wss://h:444/a?b"),
        ("WS://H:80", "ws://h/"),
        ("wss://[::1]:443/x?", "wss://[::1]/x"),
    ] {
        let uri = Uri::parse(text).unwrap();
        assert_eq!(uri.to_string(), printed);
        assert_eq!(Uri::parse(printed).unwrap(), uri);
    }
    assert_eq!(
        Uri::parse("wss://[::1]/").unwrap().host_and_port(),
        "[::1]:443"
    );
}

mod properties {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Any text is refused, or printed and read back equal, in ASCII without blanks.
        #[test]
        fn any_text(text in "(ws|wss|WS|http)?(://)?(a/|a\\?|)[\\[\\]a-c0-9:@%/?#. \u{e9}\r\n]{0,12}") {
            if let Ok(uri) = Uri::parse(&text) {
                prop_assert_eq!(&Uri::parse(&uri.to_string()).unwrap(), &uri);
                let wire: String = uri.authority() + uri.resource_name();
                prop_assert!(wire.bytes().all(|byte| byte.is_ascii_graphic()));
                prop_assert!(uri.resource_name().starts_with('/'));
            }
        }

        #[test]
        fn any_uri(host in "[a-z0-9.]{1,9}", port in any::<Option<u16>>(), path in "(/[a-z%]{0}[a-z0-9]{0,5}){0,3}", query in "([?][a-z=&]{1,9})?") {
            let port = port.map_or(String::new(), |port| alloc::format!(":{port}"));
            let uri = Uri::parse(&alloc::format!("wss://{host}{port}{path}{query}")).unwrap();
            prop_assert_eq!(Uri::parse(&uri.to_string()).unwrap(), uri);
        }
    }
}

/// U-3: bytes outside ASCII are in no host.
#[test]
fn hosts_outside_ascii() {
    for host in [&b"\xff"[..], b"[\xff]", "é".as_bytes(), "[é]".as_bytes()] {
        assert!(Authority::of(host).is_err(), "{host:?}");
    }
}
