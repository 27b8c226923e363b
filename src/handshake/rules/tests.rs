#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by a panic")]

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;

use crate::config::admission::Hosts;
use crate::config::{Limits, OriginPolicy, Settings};
use crate::error::{AcceptError, FieldError};
use crate::extension::Answer;

use super::super::accept::{Accept, Asked, Offer, judge};
use super::super::head::tests::SAMPLE;
use super::super::scanner::{Scan, Scanner};
use super::*;

/// Scanned and judged, as a server does; the target as text.
fn judged(head: &str, origin: &OriginPolicy) -> Result<(String, Asked), HandshakeError> {
    judged_by(head, &settings(origin))
}

fn settings(origin: &OriginPolicy) -> Settings {
    Settings {
        origin: origin.clone(),
        ..Settings::SERVER
    }
}

fn judged_by(head: &str, settings: &Settings) -> Result<(String, Asked), HandshakeError> {
    match Scanner::request().scan(head.as_bytes(), &Limits::server()) {
        Scan::Head(len) => assert_eq!(len, head.len()),
        Scan::Bad(error) => return Err(error),
        Scan::More => panic!("no end: {head:?}"),
    }
    let ((from, to), asked) = judge(head.as_bytes(), settings)?;
    Ok((head[from as usize..to as usize].to_string(), asked))
}

fn offer(head: &str) -> Offer {
    match judged(head, &OriginPolicy::Any) {
        Ok((_, Asked::Upgrade(offer))) => offer,
        Ok((_, Asked::Plain(error))) | Err(error) => panic!("{error} in {head:?}"),
    }
}

/// What goes out, with this answer to the offered compression.
fn answered(
    offer: &Offer,
    accept: &Accept,
    compression: Option<&str>,
) -> Result<String, AcceptError> {
    let mut out = vec![];
    let configured = compression.map(|element| Answer {
        element: element.into(),
        bit: 4,
    });
    let negotiated = offer.negotiate(accept, configured.as_ref())?;
    offer.write(accept, &negotiated, &mut out);
    Ok(String::from_utf8(out).unwrap())
}

fn error(head: &str) -> HandshakeError {
    match judged(head, &OriginPolicy::Any) {
        Ok((_, Asked::Upgrade(_))) => panic!("accepted: {head:?}"),
        Ok((_, Asked::Plain(answer))) => panic!("plain: {answer} in {head:?}"),
        Err(error) => error,
    }
}

fn plain(head: &str) -> HandshakeError {
    match judged(head, &OriginPolicy::Any) {
        Ok((_, Asked::Plain(answer))) => answer,
        _ => panic!("not plain: {head:?}"),
    }
}

/// The sample with one line taken out or changed.
fn with(line: &str, new: &str) -> String {
    assert!(SAMPLE.contains(line));
    SAMPLE.replace(line, new)
}

const KEY: &str = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
const PROTOCOL: &str = "Sec-WebSocket-Protocol: chat, superchat\r\n";
const VERSION: &str = "Sec-WebSocket-Version: 13\r\n";
const HOST: &str = "Host: server.example.com\r\n";
const UPGRADE: &str = "Upgrade: websocket\r\n";
const CONNECTION: &str = "Connection: Upgrade\r\n";

fn with_field(field: &str) -> String {
    with(VERSION, &format!("{VERSION}{field}\r\n"))
}

/// The sample of RFC 6455 §1.3, byte for byte.
#[test]
fn the_sample() {
    let accept = Accept::new().subprotocol("chat");
    assert_eq!(
        answered(&offer(SAMPLE), &accept, None).unwrap(),
        "HTTP/1.1 101 Switching Protocols\r\n\
         Upgrade: websocket\r\n\
         Connection: Upgrade\r\n\
         Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\
         Sec-WebSocket-Protocol: chat\r\n\r\n"
    );
    let (target, _) = judged(SAMPLE, &OriginPolicy::Any).unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(target, "/chat");
    let late = format!("\r\n{SAMPLE}");
    let (target, _) = judged(&late, &OriginPolicy::Any).unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(target, "/chat");
}

#[test]
fn the_method_is_get() {
    assert_eq!(error(&with("GET", "POST")), HandshakeError::Method);
    assert_eq!(error(&with("GET", "get")), HandshakeError::Method);
    assert_eq!(error(&with("GET", "HEAD")), HandshakeError::Method);
    assert_eq!(
        plain("POST / HTTP/1.1\r\nHost: h\r\n\r\n"),
        HandshakeError::Method
    );
}

/// Never an upgrade in HTTP/1.0; such a request needs no Host.
#[test]
fn http_1_0() {
    assert_eq!(plain(&with("HTTP/1.1", "HTTP/1.0")), HandshakeError::Http10);
    assert_eq!(
        plain("GET /health HTTP/1.0\r\n\r\n"),
        HandshakeError::Http10
    );
    assert_eq!(
        error(&with("HTTP/1.1", "HTTP/2.0")),
        HandshakeError::HttpVersion
    );
}

#[test]
fn targets() {
    let get = |target: &str| with("/chat", target);
    for target in [
        "/",
        "/chat?a=b",
        "//a",
        "/a|b",
        "http://h/chat",
        "HTTPS://h:1",
        "http://h?x",
    ] {
        let head = get(target);
        let (found, asked) = judged(&head, &OriginPolicy::Any).unwrap_or_else(|e| panic!("{e}"));
        assert!(matches!(asked, Asked::Upgrade(_)));
        assert_eq!(found, target);
    }
    for target in [
        "*",
        "chat",
        "h:80",
        "/a#b",
        "http://h/#",
        "http:///x",
        "http://u@h/",
        "ws://h/",
        "ftp://h/",
        "/\u{e9}",
        "http://h/\u{e9}",
    ] {
        assert_eq!(error(&get(target)), HandshakeError::Target, "{target}");
    }
    // RFC 9112 §3.2.2: the target's host counts, for the origin too.
    let head = get("http://example.com/chat");
    assert!(matches!(
        judged(&head, &OriginPolicy::SameHost),
        Ok((_, Asked::Upgrade(_)))
    ));
    let refused = judged(SAMPLE, &OriginPolicy::SameHost);
    assert!(matches!(refused, Err(HandshakeError::Origin)));
}

/// CVE-2026-61666.
#[test]
fn host() {
    assert_eq!(error(&with(HOST, "")), HandshakeError::Missing(Field::Host));
    let twice = format!("{HOST}{HOST}");
    assert_eq!(
        error(&with(HOST, &twice)),
        HandshakeError::Repeated(Field::Host)
    );
    for value in [
        "", "a b", "h:x", "[::1", "]", "u@h", "\u{e9}", "a,b/", "h:65536", "[x]", "a/b",
    ] {
        let head = with(HOST, &format!("Host: {value}\r\n"));
        assert_eq!(
            error(&head),
            HandshakeError::Invalid(Field::Host),
            "{value}"
        );
    }
    for value in ["h", "h:", "h:1", "[::1]:8080", "127.0.0.1"] {
        offer(&with(HOST, &format!("Host: {value}\r\n")));
    }
    // Also where nothing is upgraded.
    assert_eq!(
        error("GET / HTTP/1.1\r\n\r\n"),
        HandshakeError::Missing(Field::Host)
    );
}

#[test]
fn upgrade() {
    for field in [
        "Upgrade: WebSocket\r\n",
        "Upgrade: h2c, websocket\r\n",
        "Upgrade: h2c\r\nUpgrade: websocket\r\n",
        "upgrade:\twebsocket \r\n",
    ] {
        offer(&with(UPGRADE, field));
    }
    for field in [
        "",
        "Upgrade: websockets\r\n",
        "Upgrade: h2c\r\n",
        "Upgrade: web\u{17f}ocket\r\n",
        "Upgrade: websoc\u{212a}et\r\n",
        "Upgrade: websocket/13\r\n",
    ] {
        assert_eq!(plain(&with(UPGRADE, field)), HandshakeError::NotAnUpgrade);
    }
}

#[test]
fn connection() {
    for field in [
        "Connection: keep-alive, Upgrade\r\n",
        "Connection: UPGRADE\r\n",
        "Connection: keep-alive\r\nConnection: upgrade\r\n",
    ] {
        offer(&with(CONNECTION, field));
    }
    let missing = HandshakeError::Missing(Field::Connection);
    assert_eq!(error(&with(CONNECTION, "")), missing);
    for value in ["Upgraded", "keep-alive", "up grade", ""] {
        let head = with(CONNECTION, &format!("Connection: {value}\r\n"));
        assert_eq!(error(&head), HandshakeError::Invalid(Field::Connection));
    }
}

#[test]
fn key() {
    let accepted = |key: &str| {
        let head = with(KEY, &format!("Sec-WebSocket-Key: {key}\r\n"));
        String::from_utf8(offer(&head).accept.to_vec()).unwrap()
    };
    assert_eq!(
        accepted("AQIDBAUGBwgJCgsMDQ4PEA=="),
        "C/0nmHhBztSRGR1CwL6Tf4ZjwpY="
    );
    assert_eq!(
        accepted("AQIDBAUGBwgJCgsMDQ4PEC=="),
        "OfS0wDaT5NoxF2gqm7Zj2YtetzM="
    );
    assert_eq!(
        accepted("  AAAAAAAAAAAAAAAAAAAAAA==\t"),
        "ICX+Yqv66kxgM0FcWaLWlFLwTAI="
    );
    assert_eq!(error(&with(KEY, "")), HandshakeError::Missing(Field::Key));
    let twice = format!("{KEY}{KEY}");
    assert_eq!(
        error(&with(KEY, &twice)),
        HandshakeError::Repeated(Field::Key)
    );
    for key in [
        "",
        "dGhlIHNhbXBsZSBub25jZQ",
        "dGhlIHNhbXBsZSBub25j",
        "dGhlIHNhbXBsZSBub25jZTE=",
        "dGhlIHNhbXBsZSBub25jZ_==",
        "dGhlIHNhbXBsZSBub25jZQ==, x",
    ] {
        let head = with(KEY, &format!("Sec-WebSocket-Key: {key}\r\n"));
        assert_eq!(error(&head), HandshakeError::Invalid(Field::Key), "{key}");
    }
}

#[test]
fn version() {
    let version = |value: &str| with(VERSION, &format!("Sec-WebSocket-Version: {value}\r\n"));
    for other in [
        "8", "25", "0", "7", "9", "10", "11", "12", "14", "99", "100", "255",
    ] {
        assert_eq!(error(&version(other)), HandshakeError::Version, "{other}");
    }
    for bad in [
        "013", "256", "+13", "13.0", "", "13, 8", "00", "1a", "999", "1300", "-1", "1 3",
    ] {
        let expected = HandshakeError::Invalid(Field::Version);
        assert_eq!(error(&version(bad)), expected, "{bad}");
    }
    let missing = HandshakeError::Missing(Field::Version);
    assert_eq!(error(&with(VERSION, "")), missing);
    let twice = error(&with(VERSION, &format!("{VERSION}{VERSION}")));
    assert_eq!(twice, HandshakeError::Repeated(Field::Version));
    // An old draft is told the version before its key is missed.
    let old = with(KEY, "Sec-WebSocket-Key1: 4 @1  46546xW\r\n").replace(VERSION, "");
    assert_eq!(error(&old), missing);
}

/// RFC 6455 §10.2: only browsers send an origin, and some servers are for them alone.
#[test]
fn a_required_origin() {
    let mut settings = settings(&OriginPolicy::Any);
    settings.require_origin = true;
    assert!(judged_by(SAMPLE, &settings).is_ok());
    let without = with("Origin: http://example.com\r\n", "");
    let missing = HandshakeError::Missing(Field::Origin);
    assert_eq!(judged_by(&without, &settings).err(), Some(missing));
    assert_eq!(missing.status(), 403);
    assert!(judged(&without, &OriginPolicy::Any).is_ok());
}

/// RFC 9110 §7.4: a host that the server does not answer to, whatever is asked of it. DNS rebinding makes
/// the origin of a foreign page the same host.
#[test]
fn hosts_that_are_answered_to() {
    let mut settings = settings(&OriginPolicy::SameHost);
    settings.hosts = Hosts::new(["own.example", "127.0.0.1"]).ok();
    let to = |host: &str| {
        let head = with("server.example.com", host);
        head.replace("http://example.com", &format!("http://{host}"))
    };
    assert!(judged_by(&to("own.example:9001"), &settings).is_ok());
    let misdirected = Some(HandshakeError::Misdirected);
    assert_eq!(judged_by(&to("evil.example"), &settings).err(), misdirected);
    assert!(judged(&to("evil.example"), &OriginPolicy::SameHost).is_ok());
    let page = "GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n";
    assert_eq!(judged_by(page, &settings).err(), misdirected);
    let absolute = "GET http://evil.example/ HTTP/1.1\r\nHost: own.example\r\n\r\n";
    assert_eq!(judged_by(absolute, &settings).err(), misdirected);
    // Not even a name: nothing that a browser sends.
    assert!(judged_by("GET / HTTP/1.0\r\n\r\n", &settings).is_ok());
}

/// 403 by the policy, nothing without the field.
#[test]
fn origin() {
    let policy = OriginPolicy::list(["https://a.example"]).unwrap();
    let origin = |line: &str| with("Origin: http://example.com\r\n", line);
    let verdict = |line: &str| judged(&origin(line), &policy).err();
    assert_eq!(verdict("Origin: HTTPS://a.EXAMPLE\r\n"), None);
    assert_eq!(verdict(""), None);
    for line in [
        "Origin: null\r\n",
        "Origin: http://a.example\r\n",
        "Origin:\r\n",
    ] {
        assert_eq!(verdict(line), Some(HandshakeError::Origin), "{line}");
    }
    let twice = "Origin: https://a.example\r\nOrigin: https://a.example\r\n";
    let repeated = HandshakeError::Repeated(Field::Origin);
    assert_eq!(verdict(twice), Some(repeated));
    let invalid = HandshakeError::Invalid(Field::Origin);
    assert_eq!(verdict("Origin: \u{e9}\r\n"), Some(invalid));
}

/// CVE-2021-32640.
#[test]
fn subprotocols() {
    let list = |lines: &str| {
        let offer = offer(&with(PROTOCOL, lines));
        let names = offer.subprotocols().map(String::from);
        names.collect::<Vec<_>>()
    };
    let two = "Sec-WebSocket-Protocol: chat, ,superchat,\r\nX: y\r\nsec-websocket-protocol:x\r\n";
    assert_eq!(list(two), ["chat", "superchat", "x"]);
    let empty_first = "Sec-WebSocket-Protocol:\r\nSec-WebSocket-Protocol: a\r\n";
    assert_eq!(list(empty_first), ["a"]);
    assert!(list("").is_empty());
    for value in [
        "",
        ",",
        "a b",
        "a;b",
        "a/b",
        "\u{e9}",
        "chat, \u{fc}",
        "\"a\"",
    ] {
        let head = with(PROTOCOL, &format!("Sec-WebSocket-Protocol: {value}\r\n"));
        assert_eq!(
            error(&head),
            HandshakeError::Invalid(Field::Protocol),
            "{value}"
        );
    }
    let spaces = " ".repeat(8 << 10);
    let head = with(PROTOCOL, &format!("Sec-WebSocket-Protocol: a{spaces}b\r\n"));
    assert_eq!(error(&head), HandshakeError::Invalid(Field::Protocol));
}

/// Checked always, kept when wanted.
#[test]
fn extensions() {
    let one = with_field("Sec-WebSocket-Extensions: foo; a=\"1\", bar");
    assert_eq!(offer(&one).extensions, "foo; a=\"1\", bar");
    let two = with_field("Sec-WebSocket-Extensions: foo\r\nsec-websocket-extensions: bar; baz=2");
    assert_eq!(offer(&two).extensions, "foo, bar; baz=2");
    assert_eq!(offer(SAMPLE).extensions.capacity(), 0);
    for value in [
        "",
        ",",
        "a;",
        "a; =1",
        "a; b=",
        "a b",
        ";a",
        "a; b=\"x",
        "a; b=\"c,d\"",
        "\u{e9}",
    ] {
        let head = with_field(&format!("Sec-WebSocket-Extensions: {value}"));
        let expected = HandshakeError::Invalid(Field::Extensions);
        assert_eq!(error(&head), expected, "{value}");
    }
}

#[test]
fn order_case_and_unknown_fields() {
    let mut lines: Vec<&str> = SAMPLE.split_inclusive("\r\n").collect();
    let last = lines.len() - 1;
    lines[1..last].reverse();
    lines.insert(3, "X-Y: z\r\n");
    offer(&lines.concat());
    offer(&with("Sec-WebSocket-Key", "SEC-websocket-KEY"));
    // Bytes from 80 on in what is not interpreted.
    offer(&with_field("X-Name: caf\u{e9}"));
    offer(&with_field("Sec-WebSocket-Accept: x"));
}

/// CVE-2026-69243.
#[test]
fn content() {
    for field in [
        "Content-Length: 3",
        "Content-Length: x",
        "Content-Length: 0, 3",
        "Content-Length: 0\r\nContent-Length: 3",
        "Content-Length:",
        "Transfer-Encoding: chunked",
        "transfer-encoding: identity",
    ] {
        assert_eq!(
            error(&with_field(field)),
            HandshakeError::Content,
            "{field}"
        );
    }
    offer(&with_field("Content-Length: 0"));
    let expecting = offer(&with_field("Expect: 100-Continue"));
    assert!(!offer(SAMPLE).expect_continue);
    let out = answered(&expecting, &Accept::new(), None).unwrap();
    let start = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 101 Switching Protocols\r\n";
    assert!(out.starts_with(start));
}

#[test]
fn what_is_accepted() {
    let offer_of = offer(SAMPLE);
    for wrong in [
        "other",
        "",
        "Chat",
        "chat, superchat",
        "chat,",
        "cha",
        "x\r\nY: z",
    ] {
        let result = answered(&offer_of, &Accept::new().subprotocol(wrong), None);
        assert_eq!(result, Err(AcceptError::SubprotocolNotOffered), "{wrong:?}");
    }
    let none = offer(&with(PROTOCOL, ""));
    let result = answered(&none, &Accept::new().subprotocol("chat"), None);
    assert_eq!(result, Err(AcceptError::SubprotocolNotOffered));

    let accept = Accept::new()
        .subprotocol("superchat")
        .header("set-Cookie", b"a=1")
        .unwrap();
    let asking = offer(&with_field("Sec-WebSocket-Extensions: permessage-deflate"));
    let text = answered(&asking, &accept, Some("permessage-deflate")).unwrap();
    let tail = "Sec-WebSocket-Protocol: superchat\r\nSec-WebSocket-Extensions: permessage-deflate\r\nset-Cookie: a=1\r\n\r\n";
    assert!(text.ends_with(tail), "{text}");
    let text = answered(&offer_of, &Accept::new(), None).unwrap();
    assert!(text.ends_with("xOo=\r\n\r\n"), "{text}");
    for absent in [
        "Content-Length",
        "Transfer-Encoding",
        "Protocol:",
        "Extensions:",
    ] {
        assert!(!text.contains(absent));
    }
}

/// None of the handshake's own fields, and nothing that ends a line.
#[test]
fn fields_of_the_application() {
    for name in [
        "Upgrade",
        "connection",
        "Sec-WebSocket-Accept",
        "sec-websocket-protocol",
        "Sec-WebSocket-Extensions",
        "Content-Length",
        "Transfer-Encoding",
        "Sec-WebSocket-Version",
    ] {
        let result = Accept::new().header(name, b"x");
        assert_eq!(result, Err(FieldError::Reserved), "{name}");
    }
    let result = Accept::new().header("X", b"y\r\nSec-WebSocket-Accept: z");
    assert_eq!(result, Err(FieldError::BadValue));
    let debug = format!("{:?}", Accept::new().header("X", b"secret").unwrap());
    assert!(!debug.contains("secret"));
}

mod properties {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// bun#35298: a head with one line damaged is judged without panic, and whatever is
        /// accepted has all that RFC 6455 §4.2.1 asks for.
        #[test]
        fn any_damage(at in 0usize..SAMPLE.len(), bytes in prop::collection::vec(any::<u8>(), 0..6), cut in 0usize..4) {
            let mut head = SAMPLE.as_bytes().to_vec();
            let end = (at + cut).min(head.len());
            head.splice(at..end, bytes);
            let Scan::Head(len) = Scanner::request().scan(&head, &Limits::server()) else { return Ok(()) };
            if let Ok((target, Asked::Upgrade(offer))) = judge(&head[..len], &settings(&OriginPolicy::Any)) {
                let text = String::from_utf8_lossy(&head[..len]).to_ascii_lowercase();
                prop_assert!(text.starts_with("get /") && text.contains("websocket") && text.contains("13"));
                prop_assert_eq!(head[target.0 as usize], b'/');
                prop_assert!(offer.accept.ends_with(b"="));
            }
        }
    }
}
