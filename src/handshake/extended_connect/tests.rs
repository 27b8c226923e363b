#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by a panic")]

use alloc::vec;

use crate::config::OriginPolicy;
use crate::error::{AcceptError, FieldError};
use crate::handshake::accept::Accept;
use crate::handshake::foreign::tests::any_origin;
use crate::handshake::uri::Uri;

use super::*;

type Fields = Vec<(&'static str, &'static [u8])>;

/// RFC 8441 §5.1.
fn sample() -> Fields {
    vec![
        (":method", b"CONNECT"),
        (":protocol", b"websocket"),
        (":scheme", b"https"),
        (":path", b"/chat"),
        (":authority", b"server.example.com"),
        ("sec-websocket-protocol", b"chat, superchat"),
        ("sec-websocket-extensions", b"permessage-deflate"),
        ("sec-websocket-version", b"13"),
        ("origin", b"http://www.example.com"),
    ]
}

fn without(name: &str) -> Fields {
    sample()
        .into_iter()
        .filter(|(own, _)| *own != name)
        .collect()
}

fn with(name: &'static str, value: &'static [u8]) -> Fields {
    let mut fields = sample();
    match fields.iter_mut().find(|(own, _)| *own == name) {
        Some(field) => field.1 = value,
        None => fields.push((name, value)),
    }
    fields
}

fn error(fields: Fields) -> HandshakeError {
    check(&any_origin(), fields).unwrap_err()
}

fn client() -> ClientRequest {
    let request = ClientRequest::new(Uri::parse("wss://server.example.com/chat").unwrap());
    let request = request.subprotocol("chat").unwrap();
    let request = request.subprotocol("superchat").unwrap();
    let request = request.extension("permessage-deflate", 0).unwrap();
    request.origin("http://www.example.com").unwrap()
}

fn names(fields: &[(String, Vec<u8>)]) -> Vec<(&str, &[u8])> {
    fields
        .iter()
        .map(|(name, value)| (&**name, &**value))
        .collect()
}

/// The list of RFC 8441 §5.1, once the setting was seen.
#[test]
fn the_request() {
    assert_eq!(SETTINGS_ENABLE_CONNECT_PROTOCOL, 8);
    assert_eq!(
        request(&ClientConfig::new(), &client(), ConnectProtocol::NotEnabled),
        Err(ExtendedConnectError::NotEnabled)
    );
    let fields = request(&ClientConfig::new(), &client(), ConnectProtocol::Enabled).unwrap();
    let mut own = names(&fields);
    let mut expected = sample();
    own[5..].sort_unstable();
    expected[5..].sort_unstable();
    assert_eq!(own, expected);
}

#[test]
fn other_requests() {
    let plain = ClientRequest::new(Uri::parse("ws://h:8080?x").unwrap());
    let plain = plain.header("X-Up", b"Case").unwrap();
    let fields = request(&ClientConfig::new(), &plain, ConnectProtocol::Enabled).unwrap();
    let expected: Fields = vec![
        (":method", b"CONNECT"),
        (":protocol", b"websocket"),
        (":scheme", b"http"),
        (":path", b"/?x"),
        (":authority", b"h:8080"),
        ("sec-websocket-version", b"13"),
        ("x-up", b"Case"),
    ];
    assert_eq!(names(&fields), expected);
    for name in ["Keep-Alive", "Proxy-Connection", "TE"] {
        let bad = plain.clone().header(name, b"x").unwrap();
        assert_eq!(
            request(&ClientConfig::new(), &bad, ConnectProtocol::Enabled),
            Err(ExtendedConnectError::Field(FieldError::Reserved))
        );
    }
}

/// 200 with the agreed values, in lower case, and no key or accept value.
#[test]
fn the_answer() {
    let upgrade = check(&any_origin(), sample()).unwrap();
    let offered: Vec<&str> = upgrade.subprotocols().collect();
    assert_eq!(offered, ["chat", "superchat"]);
    assert_eq!(upgrade.extensions(), "permessage-deflate");
    let accept = Accept::new()
        .subprotocol("chat")
        .header("X-Up", b"a")
        .unwrap();
    let (response, negotiated) = upgrade.negotiate(accept).unwrap();
    assert_eq!(response.status, 200);
    let expected: Fields = vec![("sec-websocket-protocol", b"chat"), ("x-up", b"a")];
    assert_eq!(names(&response.fields), expected);
    assert_eq!(negotiated, Negotiated::new().subprotocol("chat"));
    let result = upgrade.negotiate(Accept::new().subprotocol("other"));
    assert_eq!(result.unwrap_err(), AcceptError::SubprotocolNotOffered);
    let keep = Accept::new().header("Keep-Alive", b"1").unwrap();
    let reserved = AcceptError::Field(FieldError::Reserved);
    assert_eq!(upgrade.negotiate(keep).unwrap_err(), reserved);
    // The authority stands for Host.
    let same = ServerConfig::new(OriginPolicy::SameHost);
    assert_eq!(check(&same, sample()).unwrap_err(), HandshakeError::Origin);
    check(&same, with("origin", b"https://server.example.com")).unwrap();
}

#[test]
fn bad_requests() {
    assert_eq!(error(without(":protocol")), HandshakeError::NotAnUpgrade);
    assert_eq!(
        error(with(":protocol", b"foo")),
        HandshakeError::UnknownProtocol
    );
    assert_eq!(error(with(":method", b"GET")), HandshakeError::Method);
    assert_eq!(error(without(":method")), HandshakeError::Method);
    assert_eq!(error(without(":scheme")), HandshakeError::PseudoHeader);
    assert_eq!(error(with(":scheme", b"wss")), HandshakeError::PseudoHeader);
    assert_eq!(error(without(":path")), HandshakeError::Target);
    for path in [&b""[..], b"*", b"chat", b"/a b", b"/\xff", b"/#"] {
        assert_eq!(error(with(":path", path)), HandshakeError::Target);
    }
    let missing = HandshakeError::Missing(Field::Host);
    assert_eq!(error(without(":authority")), missing);
    for authority in [&b""[..], b"u@h", b"a b", b"\xff"] {
        let invalid = HandshakeError::Invalid(Field::Host);
        assert_eq!(error(with(":authority", authority)), invalid);
    }
    for (name, field) in [
        ("connection", Field::Connection),
        ("upgrade", Field::Upgrade),
    ] {
        let invalid = HandshakeError::Invalid(field);
        assert_eq!(error(with(name, b"x")), invalid);
    }
    assert_eq!(error(with("content-length", b"5")), HandshakeError::Content);
    let missing = HandshakeError::Missing(Field::Version);
    assert_eq!(error(without("sec-websocket-version")), missing);
    assert_eq!(
        error(with("sec-websocket-version", b"8")),
        HandshakeError::Version
    );
    let twice: Fields = [sample(), vec![(":protocol", b"websocket")]].concat();
    assert_eq!(error(twice), HandshakeError::PseudoHeader);
    check(&any_origin(), with("sec-websocket-key", b"what")).unwrap();
    check(&any_origin(), with("sec-websocket-accept", b"ever")).unwrap();
}

/// RFC 9113 §8.3: pseudo-header fields are known, come once, and before all others.
#[test]
fn pseudo_headers() {
    let first = |name, value| {
        let mut fields = sample();
        fields.insert(0, (name, value));
        fields
    };
    for name in [":foo", ":status", ":Method", ":"] {
        assert_eq!(error(first(name, b"x")), HandshakeError::PseudoHeader);
    }
    assert_eq!(
        error(first(":scheme", b"https")),
        HandshakeError::PseudoHeader
    );
    let mut late = without(":path");
    late.push((":path", b"/chat"));
    assert_eq!(error(late), HandshakeError::PseudoHeader);
    // Also where this is no extended CONNECT.
    let plain: Fields = vec![(":method", b"GET"), ("accept", b"*/*"), (":path", b"/")];
    assert_eq!(error(plain), HandshakeError::PseudoHeader);
    let result = open(&ClientConfig::new(), &client(), 200, [(":foo", &b"x"[..])]);
    assert_eq!(result, Err(HandshakeError::PseudoHeader));
}

/// RFC 9113 §8.3.1: `Host` may repeat `:authority`, once, and name nothing else.
#[test]
fn host_beside_the_authority() {
    for host in [&b"server.example.com"[..], b"SERVER.example.com:443"] {
        check(&any_origin(), with("host", host)).unwrap();
    }
    let invalid = HandshakeError::Invalid(Field::Host);
    for host in [
        &b"other.example.com"[..],
        b"server.example.com:80",
        b"",
        b"\xff",
    ] {
        assert_eq!(error(with("host", host)), invalid);
    }
    let mut twice = with("host", b"server.example.com");
    twice.push(("Host", b"server.example.com"));
    assert_eq!(error(twice), HandshakeError::Repeated(Field::Host));
}

/// RFC 9110 §7.4, in HTTP/2 and HTTP/3 too; and an origin may be demanded there.
#[test]
fn hosts_and_origins_that_are_demanded() {
    let only = |host| any_origin().hosts([host]).unwrap();
    assert!(check(&only("server.example.com"), sample()).is_ok());
    assert_eq!(
        check(&only("other.example"), sample()).err(),
        Some(HandshakeError::Misdirected)
    );
    assert_eq!(refusal(HandshakeError::Misdirected).status, 421);
    let config = any_origin().require_origin();
    assert_eq!(
        check(&config, without("origin")).err(),
        Some(HandshakeError::Missing(Field::Origin))
    );
}

/// RFC 9113 §8.2.2: one list, in what is received and in what is sent.
#[test]
fn fields_of_a_connection() {
    let reserved = FieldError::Reserved;
    for (name, value) in [
        ("keep-alive", &b"timeout=5"[..]),
        ("Proxy-Connection", b"close"),
        ("te", b"gzip"),
        ("te", b"trailers, gzip"),
        ("TE", b""),
        ("transfer-encoding", b"chunked"),
    ] {
        let specific = HandshakeError::ConnectionSpecific;
        assert_eq!(error(with(name, value)), specific, "{name}");
        let result = open(&ClientConfig::new(), &client(), 200, [(name, value)]);
        assert_eq!(result, Err(specific), "{name}");
        // The application cannot add this one at all.
        if name == "transfer-encoding" {
            continue;
        }
        let asked = client().header(name, value).unwrap();
        let result = request(&ClientConfig::new(), &asked, ConnectProtocol::Enabled);
        assert_eq!(result, Err(ExtendedConnectError::Field(reserved)), "{name}");
        let accept = Accept::new().header(name, value).unwrap();
        let result = check(&any_origin(), sample()).unwrap().accept(accept);
        assert_eq!(result.unwrap_err(), AcceptError::Field(reserved), "{name}");
    }
    check(&any_origin(), with("te", b" Trailers")).unwrap();
    let asked = client().header("TE", b"trailers").unwrap();
    let fields = request(&ClientConfig::new(), &asked, ConnectProtocol::Enabled).unwrap();
    assert_eq!(fields.last(), Some(&("te".into(), b"trailers".to_vec())));
}

/// Statuses, and no field of HTTP/1.
#[test]
fn refusals() {
    for (error, status) in [
        (HandshakeError::Missing(Field::Version), 400),
        (HandshakeError::Version, 400),
        (HandshakeError::UnknownProtocol, 501),
        (HandshakeError::Origin, 403),
        (HandshakeError::Invalid(Field::Upgrade), 400),
    ] {
        let response = refusal(error);
        assert_eq!(response.status, status);
        let expected: Fields = vec![
            ("sec-websocket-version", b"13"),
            ("content-type", b"text/plain; charset=utf-8"),
        ];
        assert_eq!(names(&response.fields), expected);
    }
}

fn opened(status: u16, fields: &Fields) -> Result<Outcome, HandshakeError> {
    let fields = fields.iter().copied();
    open(&ClientConfig::new(), &client(), status, fields)
}

#[test]
fn reading_the_answer() {
    let chat: Fields = vec![("sec-websocket-protocol", b"chat")];
    for status in [200, 204, 299] {
        let expected = Negotiated::new().subprotocol("chat");
        assert_eq!(opened(status, &chat), Ok(Outcome::Open(expected)));
    }
    for status in [0, 100, 101, 103, 199] {
        assert_eq!(opened(status, &chat), Err(HandshakeError::Status));
    }
    match opened(403, &chat) {
        Ok(Outcome::Refused(refusal)) => {
            assert_eq!(refusal.status, 403);
            assert_eq!(refusal.header("Sec-WebSocket-Protocol"), Some(&b"chat"[..]));
        }
        other => panic!("{other:?}"),
    }
    let deflate: Fields = vec![("sec-websocket-extensions", b"permessage-deflate")];
    let expected = Negotiated::new().extensions("permessage-deflate");
    assert_eq!(opened(200, &deflate), Ok(Outcome::Open(expected)));
    assert!(opened(200, &vec![("sec-websocket-accept", b"x")]).is_ok());
}

/// RFC 6455 §4.1 (5), (6), in every version of HTTP; RFC 8441 §5: no field of an upgrade.
#[test]
fn bad_answers() {
    for (name, value, error) in [
        (
            "sec-websocket-protocol",
            &b"other"[..],
            HandshakeError::SubprotocolNotOffered,
        ),
        (
            "sec-websocket-protocol",
            b"",
            HandshakeError::Invalid(Field::Protocol),
        ),
        (
            "sec-websocket-extensions",
            b"foo",
            HandshakeError::ExtensionNotOffered,
        ),
        (
            "sec-websocket-extensions",
            b"a;",
            HandshakeError::Invalid(Field::Extensions),
        ),
        (
            "upgrade",
            b"websocket",
            HandshakeError::Invalid(Field::Upgrade),
        ),
        (
            "connection",
            b"Upgrade",
            HandshakeError::Invalid(Field::Connection),
        ),
    ] {
        assert_eq!(opened(200, &vec![(name, value)]), Err(error), "{name}");
    }
    let required = ClientConfig::new().require_subprotocol();
    let result = open(&required, &client(), 200, []);
    assert_eq!(result, Err(HandshakeError::SubprotocolRequired));
}
