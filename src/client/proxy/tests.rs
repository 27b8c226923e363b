#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use alloc::boxed::Box;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::time::Duration;

use proptest::prelude::*;

use crate::config::Limits;
use crate::entropy::Entropy;
use crate::error::NoEntropy;
use crate::error::{FieldError, HandshakeError};
use crate::handshake::Refusal;
use crate::handshake::uri::Uri;
use crate::{ClientConfig, ClientRequest, Connection, Event};

use super::{Connect, ConnectError, ConnectOptions, ConnectOutcome};

const ESTABLISHED: &str = "HTTP/1.1 200 Connection established\r\n\r\n";

fn connect() -> Connect {
    with(&ConnectOptions::new())
}

fn with(options: &ConnectOptions) -> Connect {
    Connect::new(&Uri::parse("ws://example.com/").unwrap(), options)
}

fn request(uri: &str, options: &ConnectOptions) -> String {
    let connect = Connect::new(&Uri::parse(uri).unwrap(), options);
    String::from_utf8(connect.output().to_vec()).unwrap()
}

/// One read: the outcome and what was left of it.
fn feed(connect: &mut Connect, bytes: &[u8]) -> (Option<ConnectOutcome>, Vec<u8>) {
    let mut bytes = bytes.to_vec();
    let mut input = &mut bytes[..];
    let outcome = connect.receive(&mut input);
    (outcome, input.to_vec())
}

/// What an outcome says, comparable.
fn show(outcome: &ConnectOutcome) -> String {
    match outcome {
        ConnectOutcome::Open => "open".into(),
        ConnectOutcome::Failed(error) => error.to_string(),
        ConnectOutcome::Refused(refusal) => format!(
            "{} {:?} {:?} {}",
            refusal.status,
            refusal.fields,
            String::from_utf8_lossy(&refusal.body),
            refusal.truncated
        ),
    }
}

/// Fed in these pieces, then the end: the outcome, and everything after it.
fn run(mut connect: Connect, pieces: &[&[u8]]) -> (String, Vec<u8>) {
    let mut outcome = None;
    let mut left = Vec::new();
    for piece in pieces {
        if outcome.is_some() {
            left.extend_from_slice(piece);
            continue;
        }
        let (now, rest) = feed(&mut connect, piece);
        assert!(
            now.is_some() || rest.is_empty(),
            "all of the input is taken"
        );
        outcome = now;
        left.extend(rest);
    }
    if outcome.is_none() {
        connect.receive_eof();
        outcome = feed(&mut connect, b"").0;
    }
    let outcome = outcome.unwrap();
    // Once, and nothing after it.
    assert!(feed(&mut connect, b"more").0.is_none());
    assert_eq!(connect.next_deadline(), None);
    // What follows a refusal that is not reusable is nobody's.
    if !matches!(outcome, ConnectOutcome::Open) {
        left.clear();
    }
    (show(&outcome), left)
}

/// The same for every cut (the answer may come a byte at a time).
fn whole(connect: impl Fn() -> Connect, bytes: &[u8]) -> (String, Vec<u8>) {
    let expected = run(connect(), &[bytes]);
    for at in 0..=bytes.len() {
        let (one, two) = bytes.split_at(at);
        assert_eq!(run(connect(), &[one, two]), expected);
    }
    let each: Vec<_> = bytes.chunks(1).collect();
    assert_eq!(run(connect(), &each), expected);
    expected
}

fn outcome(answer: &str) -> String {
    whole(connect, answer.as_bytes()).0
}

fn refusal(answer: &str) -> Box<Refusal> {
    match feed(&mut connect(), answer.as_bytes()).0 {
        Some(ConnectOutcome::Refused(refusal)) => refusal,
        other => panic!("not refused: {other:?}"),
    }
}

/// RFC 6455 §4.1 (3), RFC 9110 §9.3.6, RFC 9112 §3.2.3: host and port, the port always written,
/// one Host field, and nothing of the WebSocket request.
#[test]
fn the_request_is_host_and_port() {
    for (uri, target) in [
        ("ws://example.com/", "example.com:80"),
        ("wss://Example.com/secret?token=1", "example.com:443"),
        ("wss://[::1]/", "[::1]:443"),
        ("ws://[2001:db8::1]:8080/", "[2001:db8::1]:8080"),
        ("ws://192.0.2.1:1/", "192.0.2.1:1"),
    ] {
        assert_eq!(
            request(uri, &ConnectOptions::new()),
            format!("CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n\r\n")
        );
    }
}

/// RFC 6455 §4.1, RFC 9110 §11.7.2, RFC 7617 §2: the example of the RFC; one field, the last.
#[test]
fn credentials_go_in_proxy_authorization() {
    let options = ConnectOptions::new().basic("ednamode", "nocapes!").unwrap();
    let head = "CONNECT h:80 HTTP/1.1\r\nHost: h:80\r\n";
    assert_eq!(
        request("ws://h/", &options),
        format!("{head}Proxy-Authorization: Basic ZWRuYW1vZGU6bm9jYXBlcyE=\r\n\r\n")
    );
    for (user, password, encoded) in [
        ("", "", "Og=="),
        ("a", "", "YTo="),
        ("test", "123\u{a3}", "dGVzdDoxMjPCow=="),
        ("a", "b:c", "YTpiOmM="),
    ] {
        let options = options.clone().basic(user, password).unwrap();
        assert_eq!(
            request("ws://h/", &options),
            format!("{head}Proxy-Authorization: Basic {encoded}\r\n\r\n")
        );
    }
    let bearer = options
        .clone()
        .header("proxy-authorization", b"Bearer x")
        .unwrap();
    assert_eq!(
        request("ws://h/", &bearer),
        format!("{head}proxy-authorization: Bearer x\r\n\r\n")
    );
    for (user, password) in [
        ("a:b", "c"),
        ("a\r\nX", "c"),
        ("a", "b\n"),
        ("a", "\0"),
        ("\u{85}", "b"),
    ] {
        assert_eq!(
            options.clone().basic(user, password).unwrap_err(),
            FieldError::BadValue
        );
    }
}

/// Through the tunnel comes the opening handshake, without what was for the proxy, and what
/// was left of the proxy's read is the server's first.
#[test]
fn the_handshake_goes_through_the_tunnel() {
    let uri = Uri::parse("ws://example.com/chat").unwrap();
    let options = ConnectOptions::new().basic("user", "secret").unwrap();
    let mut connect = Connect::new(&uri, &options);
    let mut read =
        format!("{ESTABLISHED}HTTP/1.1 403 no\r\nContent-Length: 0\r\n\r\n").into_bytes();
    let mut input = &mut read[..];
    let outcome = connect.receive(&mut input);
    assert!(matches!(outcome, Some(ConnectOutcome::Open)));

    let request = ClientRequest::new(uri);
    let entropy = Box::new(Zero);
    let mut ws = Connection::client_with_entropy(&ClientConfig::new(), request, entropy).unwrap();
    let sent = String::from_utf8(ws.output().to_vec()).unwrap();
    assert!(sent.starts_with("GET /chat HTTP/1.1\r\nHost: example.com\r\n"));
    assert!(!sent.to_ascii_lowercase().contains("proxy-"));
    let Some(Event::Refused(refusal)) = ws.receive(&mut input) else {
        panic!("not refused");
    };
    assert_eq!(refusal.status, 403);
}

struct Zero;

impl Entropy for Zero {
    fn fill(&mut self, out: &mut [u8]) -> Result<(), NoEntropy> {
        out.fill(0);
        Ok(())
    }
}

/// No line can be injected, nothing doubled; and what is for the server stays away.
#[test]
fn fields_of_the_caller() {
    let options = ConnectOptions::new().header("User-Agent", b"x/1").unwrap();
    let options = options
        .header("X-Id", b"7")
        .unwrap()
        .header("X-Id", b"8")
        .unwrap();
    assert_eq!(
        request("ws://h/", &options),
        "CONNECT h:80 HTTP/1.1\r\nHost: h:80\r\nUser-Agent: x/1\r\nX-Id: 7\r\nX-Id: 8\r\n\r\n"
    );
    for (name, value, error) in [
        ("X", &b"a\r\nY: z"[..], FieldError::BadValue),
        ("X", b"a\nb", FieldError::BadValue),
        ("X", b"\0", FieldError::BadValue),
        ("a b", b"c", FieldError::BadName),
        ("", b"c", FieldError::BadName),
        ("X:", b"c", FieldError::BadName),
    ] {
        assert_eq!(options.clone().header(name, value).unwrap_err(), error);
    }
    for name in [
        "Host",
        "host",
        "Connection",
        "Upgrade",
        "Content-Length",
        "Transfer-Encoding",
        "Expect",
        "Origin",
        "Sec-WebSocket-Key",
        "Sec-WebSocket-Version",
        "Sec-WebSocket-Protocol",
        "Sec-WebSocket-Extensions",
        "Authorization",
        "cookie",
    ] {
        assert_eq!(
            options.clone().header(name, b"x").unwrap_err(),
            FieldError::Reserved,
            "{name}"
        );
    }
}

/// RFC 9110 §9.3.6, RFC 9112 §6.3: any 2xx; its lengths are ignored; the rest is the server's.
#[test]
fn any_2xx_opens_the_tunnel() {
    for answer in [
        "HTTP/1.1 200 ok\r\nContent-Length: 5\r\n\r\n",
        "HTTP/1.1 200 ok\r\nTransfer-Encoding: chunked\r\n\r\n",
        "HTTP/1.0 200 Connection established\r\nProxy-agent: x\r\n\r\n",
        "HTTP/1.1 204 \r\n\r\n",
        "HTTP/1.1 299\r\n\r\n",
        // 1xx answers before it are skipped.
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 ok\r\n\r\n",
        "HTTP/1.1 103 x\r\nLink: y\r\n\r\nHTTP/1.1 199 x\r\n\r\nHTTP/1.1 200 ok\r\n\r\n",
    ] {
        let bytes = format!("{answer}abc\r\n\r\n");
        let (outcome, left) = whole(connect, bytes.as_bytes());
        assert_eq!(
            (&*outcome, &*left),
            ("open", &b"abc\r\n\r\n"[..]),
            "{answer:?}"
        );
        assert_eq!(
            whole(connect, answer.as_bytes()),
            ("open".into(), Vec::new())
        );
    }
}

/// RFC 6455 §4.1 (4), RFC 9110 §11.7.1: any other final status refuses, with fields and body.
#[test]
fn any_other_status_refuses() {
    let answer = "HTTP/1.1 407 Proxy Authentication Required\r\n\
        Proxy-Authenticate: Digest realm=\"a\", nonce=\"b\"\r\n\
        Proxy-Authenticate:  Basic realm=\"a\" \r\n\
        Content-Length: 3\r\n\r\nno!";
    assert_eq!(
        outcome(answer),
        format!("{:?}", refusal(answer).fields).replacen('[', "407 [", 1) + " \"no!\" false"
    );
    let refusal = refusal(answer);
    assert_eq!((refusal.status, &*refusal.body), (407, &b"no!"[..]));
    let challenges = crate::client::challenge::Challenge::of(&refusal);
    assert_eq!(challenges[0].parameter("nonce"), Some(&b"b"[..]));
    assert!(challenges.len() == 2 && challenges[1].is("Basic"));

    for (answer, expected) in [
        ("HTTP/1.1 502 \r\n\r\n", "502 [] \"\" false"),
        ("HTTP/1.1 502 x\r\n\r\nsorry", "502 [] \"sorry\" false"),
        (
            "HTTP/1.0 403 x\r\nA: b\r\n c\r\n\r\n",
            "403 [(\"A\", [98, 32, 32, 32, 99])] \"\" false",
        ),
        ("HTTP/1.1 302 x\r\n\r\n", "302 [] \"\" false"),
        (
            "HTTP/1.1 100 x\r\n\r\nHTTP/1.1 500 x\r\n\r\n",
            "500 [] \"\" false",
        ),
    ] {
        assert_eq!(outcome(answer), expected);
    }
    let short = outcome("HTTP/1.1 503 x\r\nContent-Length: 9\r\n\r\ncut");
    assert!(short.ends_with("\"cut\" true"), "{short}");
    let chunked =
        "HTTP/1.1 503 x\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nno\r\n1\r\n!\r\n0\r\n\r\n";
    assert!(outcome(chunked).ends_with("\"no!\" false"));
}

/// A broken answer and a proxy that goes away.
#[test]
fn what_is_no_answer_fails() {
    for (answer, error) in [
        (
            "SSH-2.0-OpenSSH_9.6\r\n",
            ConnectError::Answer(HandshakeError::Malformed { line: 1 }),
        ),
        (
            "\u{15}\u{3}\u{1}",
            ConnectError::Answer(HandshakeError::Malformed { line: 1 }),
        ),
        (
            "HTTP/2 200\r\n\r\n",
            ConnectError::Answer(HandshakeError::HttpVersion),
        ),
        (
            "HTTP/1.1 2x0\r\n\r\n",
            ConnectError::Answer(HandshakeError::Malformed { line: 1 }),
        ),
        (
            "HTTP/1.1 200 ok\nA: b\n\n",
            ConnectError::Answer(HandshakeError::LineEnd { line: 1 }),
        ),
        (
            "HTTP/1.1 200 ok\r\nA b\r\n\r\n",
            ConnectError::Answer(HandshakeError::Malformed { line: 2 }),
        ),
        ("HTTP/1.1 101 x\r\n\r\n", ConnectError::Status(101)),
        ("HTTP/1.1 600 x\r\n\r\n", ConnectError::Status(600)),
        (
            "HTTP/1.1 099 x\r\n\r\n",
            ConnectError::Answer(HandshakeError::Malformed { line: 1 }),
        ),
        ("", ConnectError::Closed),
        ("HTTP/1.1 200 ok\r\n", ConnectError::Closed),
        ("HTTP/1.1 100 x\r\n\r\n", ConnectError::Closed),
    ] {
        assert_eq!(outcome(answer), error.to_string(), "{answer:?}");
    }
    let mut connect = connect();
    connect.transport_lost();
    let (outcome, _) = feed(&mut connect, b"");
    assert!(matches!(
        outcome,
        Some(ConnectOutcome::Failed(ConnectError::Closed))
    ));
    assert!(connect.output().is_empty());
}

/// RFC 9112 §9.3: NTLM authenticates a transport, in two rounds; a proxy that keeps it says so.
#[test]
fn a_second_round_on_the_same_transport() {
    let first = ConnectOptions::new().header("Proxy-Authorization", b"NTLM AAAA");
    let mut connect = with(&first.unwrap());
    let challenge =
        "HTTP/1.1 407 x\r\nProxy-Authenticate: NTLM BBBB\r\nContent-Length: 2\r\n\r\nno";
    let mut read = [challenge, ESTABLISHED, "server"].concat().into_bytes();
    let mut input = &mut read[..];
    let Some(ConnectOutcome::Refused(first)) = connect.receive(&mut input) else {
        panic!("not refused");
    };
    assert!(first.reusable);
    // What follows the refusal is for the next round.
    let second = ConnectOptions::new().header("Proxy-Authorization", b"NTLM CCCC");
    let mut connect = with(&second.unwrap());
    let outcome = connect.receive(&mut input);
    assert!(matches!(outcome, Some(ConnectOutcome::Open)));
    assert_eq!(input, b"server");
    assert!(!refusal("HTTP/1.1 407 x\r\nConnection: close\r\nContent-Length: 0\r\n\r\n").reusable);
}

/// RFC 6455 §10.4: head, fields and body are bounded, 1xx answers count.
#[test]
fn limits() {
    let mut limits = Limits::client();
    (limits.head, limits.fields, limits.body) = (60, 2, 4);
    let small = || with(&ConnectOptions::new().limits(limits));
    let outcome = |answer: &str| whole(small, answer.as_bytes()).0;
    let head = |len: usize| format!("HTTP/1.1 200 ok\r\nA: {}\r\n\r\n", "x".repeat(len - 24));
    assert_eq!((head(60).len(), &*outcome(&head(60))), (60, "open"));
    let long = ConnectError::Answer(HandshakeError::HeadTooLong).to_string();
    assert_eq!(outcome(&head(61)), long);
    assert_eq!(outcome(&"HTTP/1.1 100 x\r\n\r\n".repeat(9)), long);
    assert_eq!(
        outcome("HTTP/1.1 200 ok\r\nA:\r\nB:\r\nC:\r\n\r\n"),
        ConnectError::Answer(HandshakeError::TooManyFields).to_string()
    );
    assert_eq!(
        outcome("HTTP/1.1 500 x\r\n\r\n1234"),
        "500 [] \"1234\" false"
    );
    assert_eq!(
        outcome("HTTP/1.1 500 x\r\n\r\n12345"),
        "500 [] \"1234\" true"
    );
}

/// The deadline counts from the first time told; what came in time counts.
#[test]
fn deadline() {
    let at = Duration::from_secs;
    let options = ConnectOptions::new().timeout(at(3));
    let started = || {
        let mut connect = with(&options);
        assert_eq!(connect.next_deadline(), None);
        connect.advance_time(at(100));
        assert_eq!(connect.next_deadline(), Some(at(103)));
        connect
    };
    let mut late = started();
    late.advance_time(at(102));
    assert!(feed(&mut late, b"HTTP/1.1 2").0.is_none());
    late.advance_time(at(103));
    let (outcome, _) = feed(&mut late, b"");
    let Some(ConnectOutcome::Failed(error)) = outcome else {
        panic!("{outcome:?}")
    };
    assert_eq!(error, ConnectError::Timeout);
    assert_eq!(error.to_string(), "the proxy took too long to answer");

    let mut in_time = started();
    in_time.advance_time(at(103));
    assert!(matches!(
        feed(&mut in_time, ESTABLISHED.as_bytes()).0,
        Some(ConnectOutcome::Open)
    ));

    // A refusal whose body does not end is told without the rest.
    let mut slow = started();
    assert!(feed(&mut slow, b"HTTP/1.1 500 x\r\n\r\nab").0.is_none());
    slow.advance_time(at(104));
    let (outcome, _) = feed(&mut slow, b"");
    assert_eq!(show(&outcome.unwrap()), "500 [] \"ab\" true");
    slow.advance_time(Duration::MAX);
    assert_eq!(slow.next_deadline(), None);
    assert!(format!("{slow:?}").contains("Done"));

    // Unless it is said otherwise, 10 s.
    let mut usual = with(&ConnectOptions::default());
    usual.advance_time(at(100));
    assert_eq!(usual.next_deadline(), Some(at(110)));

    let mut never = with(&ConnectOptions::new().timeout(Duration::MAX));
    never.advance_time(Duration::MAX - at(1));
    assert_eq!(never.next_deadline(), Some(Duration::MAX));
}

#[test]
fn output_is_written_in_pieces_and_forgotten() {
    let mut connect = connect();
    let all = connect.output().to_vec();
    for byte in &all {
        assert_eq!(connect.output().first(), Some(byte));
        connect.consume_output(1);
    }
    assert!(connect.output().is_empty());
    connect.consume_output(usize::MAX);
}

/// `Debug` shows lengths, never credentials, fields or bodies.
#[test]
fn secrets_stay_out_of_logs() {
    let options = ConnectOptions::new().basic("user", "secret").unwrap();
    let options = options.header("X-Key", b"hidden").unwrap();
    let mut connect = with(&options);
    let before = format!("{options:?} {connect:?}");
    let _ = feed(&mut connect, b"HTTP/1.1 407 x\r\nA: hidden\r\n\r\nhidden");
    let after = format!("{connect:?}");
    connect.receive_eof();
    let outcome = format!("{:?}", feed(&mut connect, b"").0);
    for text in [before, after, outcome] {
        // The base64 of the credentials, and bytes printed as numbers.
        for secret in ["hidden", "secret", "dXNlcjpz", "104, 105", "100, 88"] {
            assert!(!text.contains(secret), "{text}");
        }
    }
}

proptest! {
    /// Peer bytes never panic, and any cut gives the same.
    #[test]
    fn any_answer(
        pieces in prop::collection::vec(prop::sample::select(&[
            "HTTP/1.1 200 x", "HTTP/1.0 407 y", "HTTP/1.1 103 z", "\r\n", "\r\n", "\r\n\r\n", "A: b", "Content-Length: 3",
            "Transfer-Encoding: chunked", "2\r\nab", "0", "\n", "\r", "\0", "é", " ", ":",
        ][..]), 0..9),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..4),
    ) {
        let bytes = pieces.concat().into_bytes();
        let mut at: Vec<_> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
        at.sort_unstable();
        let mut parts = Vec::new();
        let mut from = 0;
        for cut in at {
            parts.push(&bytes[from..cut]);
            from = cut;
        }
        parts.push(&bytes[from..]);
        prop_assert_eq!(run(connect(), &parts), run(connect(), &[&bytes]));
    }
}
