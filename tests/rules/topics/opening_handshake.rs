//! The opening handshake (RFC 6455 §4) through the connection: every cut, every way of reading.
//! The rules for each field are tested beside the code that judges them.

use std::time::Duration;

use sansocket::config::Limits;
use sansocket::error::SendError;
use sansocket::error::{AcceptError, ExtendedConnectError, Field, HandshakeError};
use sansocket::error::{Failure, NoEntropy};
use sansocket::{Accept, ClientRequest, Connection, Event, Response, State, Transport, Uri};
use sansocket::{ClientConfig, OriginPolicy, ServerConfig};

use crate::support::*;

/// RFC 6455 §1.3.
const REQUEST: &str = "GET /chat HTTP/1.1\r\n\
    Host: server.example.com\r\n\
    Upgrade: websocket\r\n\
    Connection: Upgrade\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
    Origin: http://example.com\r\n\
    Sec-WebSocket-Protocol: chat, superchat\r\n\
    Sec-WebSocket-Version: 13\r\n\r\n";

/// RFC 6455 §1.3, with the subprotocol that it prints by itself.
const ANSWER: &str = "HTTP/1.1 101 Switching Protocols\r\n\
    Upgrade: websocket\r\n\
    Connection: Upgrade\r\n\
    Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\
    Sec-WebSocket-Protocol: chat\r\n\r\n";

/// The nonce of §1.3 once, then the key of §5.7 for each frame.
struct SampleNonce;

impl sansocket::entropy::Entropy for SampleNonce {
    fn fill(&mut self, out: &mut [u8]) -> Result<(), NoEntropy> {
        match out.len() {
            16 => out.copy_from_slice(b"the sample nonce"),
            _ => SampleKey.fill(out)?,
        }
        Ok(())
    }
}

fn new_server() -> Connection {
    Connection::server(&server_config())
}

fn new_client() -> Connection {
    client_of(&ClientConfig::new(), sample_request())
}

fn client_of(config: &ClientConfig, request: ClientRequest) -> Connection {
    Connection::client_with_entropy(config, request, Box::new(SampleNonce)).unwrap()
}

fn sample_request() -> ClientRequest {
    ClientRequest::new(Uri::parse("ws://server.example.com/chat").unwrap())
        .origin("http://example.com")
        .and_then(|request| request.subprotocol("chat"))
        .and_then(|request| request.subprotocol("superchat"))
        .unwrap()
}

fn request_seen() -> Seen {
    Seen::Request {
        method: "GET".into(),
        target: "/chat".into(),
    }
}

fn accept(ws: &mut Connection, event: &Seen) {
    if matches!(event, Seen::Request { .. }) {
        ws.accept(Accept::new().subprotocol("chat")).unwrap();
    }
}

fn status(output: &[u8]) -> u16 {
    let head = std::str::from_utf8(output).unwrap();
    assert!(head.starts_with("HTTP/1.1 "), "{head}");
    head[9..12].parse().unwrap()
}

fn handshake_failure(events: &[Seen]) -> HandshakeError {
    match events {
        [Seen::Failed(Failure::Handshake(error)), ..] => *error,
        _ => panic!("a failure of the handshake: {events:?}"),
    }
}

// ── server

/// Vectors 1.1, HS-17, HS-20, HS-25: one `Request` with the last byte of the head, the answer byte
/// for byte, then `Open`, and the frames after it; at every cut and in every way of reading.
#[test]
fn the_sample_request_at_every_cut() {
    let hello = Frame::new(TEXT, "Hello").masked(KEY).encode();
    let input = [REQUEST.as_bytes(), &hello].concat();
    for way in WAYS {
        for cut in 0..=input.len() {
            let mut driver = Driver::new(new_server(), *way);
            driver.read_with(&input[..cut], accept);
            if cut < REQUEST.len() {
                assert_eq!(
                    driver.events,
                    [],
                    "{way:?}: nothing before the whole head, {cut}"
                );
                assert_eq!(driver.ws.output(), b"");
            }
            driver.read_with(&input[cut..], accept);
            let expected = [request_seen(), Seen::Open, Seen::text("Hello")];
            assert_eq!(driver.events, expected, "{way:?} {cut}");
            assert_eq!(driver.ws.subprotocol(), Some("chat"));
            assert_eq!(
                String::from_utf8(take_output(&mut driver.ws)).unwrap(),
                ANSWER
            );
        }
        let mut driver = Driver::new(new_server(), *way);
        for byte in &input {
            driver.read_with(&[*byte], accept);
        }
        assert_eq!(driver.events.len(), 3, "{way:?} byte by byte");
    }
}

/// HS-20: after `accept` the state is OPEN and data may follow at once, before `Event::Open`.
#[test]
fn data_may_follow_the_answer_at_once() {
    let mut ws = new_server();
    assert_eq!(receive(&mut ws, REQUEST.as_bytes()), [request_seen()]);
    assert_eq!(ws.state(), State::Initial);
    ws.accept(Accept::new().subprotocol("chat")).unwrap();
    assert_eq!(ws.state(), State::Open);
    ws.send("Hello").unwrap();
    assert_eq!(
        take_output(&mut ws),
        [ANSWER.as_bytes(), b"\x81\x05Hello"].concat()
    );
    assert_eq!(receive(&mut ws, b""), [Seen::Open]);
}

/// HS-21, D-8: bytes after the request wait for the decision; after a refusal they are nothing.
#[test]
fn bytes_after_the_request() {
    let hello = Frame::new(TEXT, "Hello").masked(KEY).encode();
    for way in WAYS {
        for late in [false, true] {
            let mut driver = Driver::new(new_server(), *way);
            // In the same read as the request, or in reads of their own.
            if late {
                driver.read(REQUEST.as_bytes());
                hello.chunks(3).for_each(|read| driver.read(read));
            } else {
                driver.read(&[REQUEST.as_bytes(), &hello].concat());
            }
            assert_eq!(driver.events, [request_seen()]);
            driver.ws.accept(Accept::new()).unwrap();
            driver.read(b"");
            assert_eq!(
                driver.events[1..],
                [Seen::Open, Seen::text("Hello")],
                "{way:?}"
            );

            let mut driver = Driver::new(new_server(), *way);
            driver.read(&[REQUEST.as_bytes(), &hello].concat());
            driver.ws.respond(Response::new(404)).unwrap();
            driver.read(&hello);
            assert_eq!(driver.events, [request_seen()], "{way:?}");
            assert_eq!(status(&take_output(&mut driver.ws)), 404);
            driver.read(&hello);
            assert!(
                matches!(driver.events[1..], [Seen::Closed(_)]),
                "{:?}",
                driver.events
            );
        }
    }
}

/// D-8: what is kept before the decision is bounded.
#[test]
fn bytes_after_the_request_are_bounded() {
    let mut limits = Limits::server();
    limits.held = 10;
    let config = server_config().limits(limits);
    let mut ws = Connection::server(&config);
    receive(&mut ws, REQUEST.as_bytes());
    assert_eq!(receive(&mut ws, &[0; 10]), []);
    let events = receive(&mut ws, &[0]);
    assert_eq!(handshake_failure(&events), HandshakeError::HeldTooLong);
    assert_eq!(status(&take_output(&mut ws)), 400);
    assert!(matches!(receive(&mut ws, b"")[..], [Seen::Closed(_)]));
    assert_eq!(ws.accept(Accept::new()), Err(AcceptError::NoRequest));
}

/// HS-13, HS-14, HS-19, K-15: any other answer, exactly as given, and the end.
#[test]
fn a_rejection_is_the_applications_answer() {
    let mut ws = new_server();
    receive(&mut ws, REQUEST.as_bytes());
    let response = Response::new(401)
        .header("WWW-Authenticate", b"Basic realm=\"chat\"")
        .unwrap()
        .body("no");
    ws.respond(response).unwrap();
    assert_eq!(ws.respond(Response::new(403)), Err(AcceptError::NoRequest));
    assert_eq!(ws.accept(Accept::new()), Err(AcceptError::NoRequest));
    assert_eq!(ws.send("a").unwrap_err().why, SendError::Closing);
    let output = String::from_utf8(take_output(&mut ws)).unwrap();
    assert_eq!(
        output,
        "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic realm=\"chat\"\r\n\
         Content-Length: 2\r\nConnection: close\r\n\r\nno"
    );
    assert_eq!(
        (ws.state(), ws.transport()),
        (State::Closed, Transport::Close)
    );
    let events = receive(&mut ws, b"");
    let [Seen::Closed(report)] = &events[..] else {
        panic!("{events:?}")
    };
    assert_eq!(
        (report.clean, report.code, &report.sent),
        (false, 1006, &None)
    );
}

/// HS-15, HS-16: only what was offered; a mistake changes nothing.
#[test]
fn the_subprotocol_is_one_of_those_offered() {
    let mut ws = new_server();
    assert_eq!(ws.accept(Accept::new()), Err(AcceptError::NoRequest));
    receive(&mut ws, REQUEST.as_bytes());
    for bad in ["other", "", "Chat", "chat, superchat"] {
        assert_eq!(
            ws.accept(Accept::new().subprotocol(bad)),
            Err(AcceptError::SubprotocolNotOffered),
            "{bad}"
        );
        assert_eq!((ws.output(), ws.state()), (&b""[..], State::Initial));
    }
    assert_eq!(
        ws.respond(Response::new(101)),
        Err(AcceptError::BadStatus { status: 101 })
    );
    assert_eq!((ws.output(), ws.state()), (&b""[..], State::Initial));
    assert_eq!(ws.subprotocol(), None, "W-14: not before it is open");
    ws.accept(Accept::new().subprotocol("superchat")).unwrap();
    let output = String::from_utf8(take_output(&mut ws)).unwrap();
    assert!(output.contains("\r\nSec-WebSocket-Protocol: superchat\r\n"));
    assert_eq!(ws.subprotocol(), Some("superchat"));
    // Without one there is no such field.
    let mut ws = new_server();
    receive(&mut ws, REQUEST.as_bytes());
    ws.accept(Accept::new()).unwrap();
    let output = String::from_utf8(take_output(&mut ws)).unwrap();
    assert!(!output.contains("Sec-WebSocket-Protocol"));
    assert_eq!(ws.subprotocol(), None);
    // Nor where the client offered none.
    let mut ws = new_server();
    let request = REQUEST.replace("Sec-WebSocket-Protocol: chat, superchat\r\n", "");
    receive(&mut ws, request.as_bytes());
    let chosen = Accept::new().subprotocol("chat");
    assert_eq!(ws.accept(chosen), Err(AcceptError::SubprotocolNotOffered));
}

/// Vectors 1.2, HS-7, HS-17.
#[test]
fn keys_and_their_accept_values() {
    for (key, value) in [
        ("dGhlIHNhbXBsZSBub25jZQ==", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="),
        ("AQIDBAUGBwgJCgsMDQ4PEA==", "C/0nmHhBztSRGR1CwL6Tf4ZjwpY="),
        ("AQIDBAUGBwgJCgsMDQ4PEC==", "OfS0wDaT5NoxF2gqm7Zj2YtetzM="), // D-7
        ("AAAAAAAAAAAAAAAAAAAAAA==", "ICX+Yqv66kxgM0FcWaLWlFLwTAI="),
    ] {
        let mut ws = new_server();
        let request = REQUEST.replace("dGhlIHNhbXBsZSBub25jZQ==", key);
        receive(&mut ws, request.as_bytes());
        ws.accept(Accept::new()).unwrap();
        let output = String::from_utf8(take_output(&mut ws)).unwrap();
        assert!(
            output.contains(&format!("\r\nSec-WebSocket-Accept: {value}\r\n")),
            "{output}"
        );
    }
    for key in [
        "",
        "dGhlIHNhbXBsZSBub25jZQ",
        "dGhlIHNhbXBsZSBub25j",
        "dGhlIHNhbXBsZSBub25jZTE=",
        "dGhlIHNhbXBsZSBub25jZ_==",
        "dGhlIHNhbXBsZSBub25jZQ==, x",
    ] {
        let mut ws = new_server();
        let request = REQUEST.replace("dGhlIHNhbXBsZSBub25jZQ==", key);
        let events = receive(&mut ws, request.as_bytes());
        assert_eq!(
            handshake_failure(&events),
            HandshakeError::Invalid(Field::Key),
            "{key:?}"
        );
        assert_eq!(status(&take_output(&mut ws)), 400);
    }
}

/// HS-1, SEC-7, K-13: a broken request gets an HTTP error, never a Close frame, and nothing after
/// it is read; at every cut the same.
#[test]
fn a_bad_request_is_answered_with_http() {
    let cases = [
        ("POST / HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n".to_string(), 405),
        (REQUEST.replace("HTTP/1.1", "HTTP/1.0"), 400),
        (REQUEST.replace("Version: 13", "Version: 8"), 426),
        (REQUEST.replace("Upgrade: websocket\r\n", ""), 426), // D-6
        (REQUEST.replace("\r\n", "\n"), 400), // D-10
        ("\x16\x03\x01\x02\x00".to_string(), 400),
    ];
    for (request, expected) in &cases {
        let mut outcomes = Vec::new();
        for size in [request.len(), 1, 7] {
            let mut driver = Driver::new(new_server(), Way::Lent);
            for read in request.as_bytes().chunks(size) {
                driver.read(read);
            }
            driver.read(&Frame::new(TEXT, "x").masked(KEY).encode());
            assert_eq!(driver.ws.accept(Accept::new()), Err(AcceptError::NoRequest));
            let output = take_output(&mut driver.ws);
            assert_eq!(status(&output), *expected, "{request}");
            driver.read(b"");
            assert!(
                matches!(
                    &driver.events[..],
                    [Seen::Failed(Failure::Handshake(error)), Seen::Closed(report)]
                        if error.status() == *expected && report.sent.is_none() && !report.clean
                ),
                "{request}: {:?}",
                driver.events
            );
            assert_eq!(driver.ws.transport(), Transport::Close);
            outcomes.push((driver.events, output));
        }
        assert!(outcomes.iter().all(|outcome| *outcome == outcomes[0]));
    }
}

/// HS-14, SEC-2: the origin policy answers 403 by itself.
#[test]
fn an_origin_that_is_not_wanted() {
    for (policy, allowed) in [
        (OriginPolicy::SameHost, false),
        (OriginPolicy::list(["http://example.com"]).unwrap(), true),
        (OriginPolicy::list(["http://example.org"]).unwrap(), false),
        (OriginPolicy::Any, true),
        (OriginPolicy::Application, true),
    ] {
        let mut ws = Connection::server(&ServerConfig::new(policy.clone()));
        let events = receive(&mut ws, REQUEST.as_bytes());
        if allowed {
            assert_eq!(events, [request_seen()], "{policy:?}");
        } else {
            assert_eq!(
                handshake_failure(&events),
                HandshakeError::Origin,
                "{policy:?}"
            );
            assert_eq!(status(&take_output(&mut ws)), 403);
        }
    }
}

/// D-6: plain requests, where the application serves HTTP; HEAD has no body (9110 §9.3.2).
#[test]
fn plain_requests() {
    for (method, body) in [("GET", "page"), ("HEAD", "")] {
        let mut ws = Connection::server(&server_config().serve_http());
        let request = format!("{method} /health HTTP/1.1\r\nHost: h\r\n\r\n");
        let expected = Seen::Http {
            method: method.into(),
            target: "/health".into(),
        };
        assert_eq!(receive(&mut ws, request.as_bytes()), [expected]);
        assert_eq!(ws.accept(Accept::new()), Err(AcceptError::NoRequest));
        // Pipelined bytes are neither kept nor an error.
        assert_eq!(receive(&mut ws, &[0; 100_000]), []);
        assert!(ws.memory_held() < 10_000);
        ws.respond(Response::new(200).body("page")).unwrap();
        let output = String::from_utf8(take_output(&mut ws)).unwrap();
        assert!(output.contains("\r\nContent-Length: 4\r\n"));
        assert!(output.ends_with(&format!("\r\n\r\n{body}")), "{output}");
        assert!(matches!(receive(&mut ws, b"")[..], [Seen::Closed(_)]));
        assert_eq!(ws.transport(), Transport::Close);
    }
    let mut ws = new_server();
    let events = receive(&mut ws, b"GET /health HTTP/1.1\r\nHost: h\r\n\r\n");
    assert_eq!(handshake_failure(&events), HandshakeError::NotAnUpgrade);
    assert_eq!(status(&take_output(&mut ws)), 426);
}

/// What of a head or of a refusal's body has come is counted as memory.
#[test]
fn heads_and_bodies_count_as_memory() {
    let mut ws = new_server();
    let begins = format!("GET / HTTP/1.1\r\nX: {}", "a".repeat(3000));
    receive(&mut ws, begins.as_bytes());
    assert!((3000..10_000).contains(&ws.memory_held()));
    // What a request offers, until it is decided on.
    let mut ws = new_server();
    let offers = format!(
        "Sec-WebSocket-Protocol: {}\r\nSec-WebSocket-Extensions: {}\r\n\r\n",
        "a".repeat(2000),
        "b".repeat(1000)
    );
    let request = format!(
        "GET / HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n{offers}"
    );
    assert_eq!(receive(&mut ws, request.as_bytes()).len(), 1);
    assert!((3000..10_000).contains(&ws.memory_held()));
    let mut ws = new_client();
    take_output(&mut ws);
    let before = ws.memory_held();
    receive(&mut ws, b"HTTP/1.1 503 x\r\n\r\n");
    receive(&mut ws, &[b'a'; 3000]);
    let held = ws.memory_held();
    assert!((3000..before + 10_000).contains(&held), "{held}");
}

/// HS-25: the head is bounded while it comes, whatever the cut.
#[test]
fn a_head_over_the_limit() {
    let mut limits = Limits::server();
    limits.head = 1000;
    let config = server_config().limits(limits);
    for (start, expected) in [("GET /", 414), ("GET / HTTP/1.1\r\nX: ", 431)] {
        for size in [1, 100, 5000] {
            let mut ws = Connection::server(&config);
            let input = format!("{start}{}", "a".repeat(5000));
            let mut events = Vec::new();
            for read in input.as_bytes().chunks(size) {
                events.extend(receive(&mut ws, read));
                assert!(ws.memory_held() < 10_000);
            }
            assert!(matches!(events[..], [Seen::Failed(_)]), "{events:?}");
            assert_eq!(status(&take_output(&mut ws)), expected, "{start} by {size}");
        }
    }
}

// ── client

/// Vectors 1.1, HC-1, HC-6, HC-7, HC-8: the request, with the nonce drawn once.
#[test]
fn the_request_of_the_sample() {
    let mut ws = new_client();
    ws.consume_output(0);
    assert_eq!(ws.state(), State::Initial);
    let output = String::from_utf8(take_output(&mut ws)).unwrap();
    assert_eq!(ws.state(), State::Connecting);
    let lines = |text: &str| {
        let mut lines: Vec<_> = text.split("\r\n").map(String::from).collect();
        lines.sort();
        lines
    };
    assert!(output.starts_with("GET /chat HTTP/1.1\r\nHost: server.example.com\r\n"));
    assert_eq!(lines(&output), lines(REQUEST));
    // HC-6: 16 bytes, once, and new for each connection.
    let recorder = Recorder::default();
    let client = || {
        let entropy = Box::new(recorder.clone());
        Connection::client_with_entropy(&ClientConfig::new(), sample_request(), entropy).unwrap()
    };
    let (mut a, mut b) = (client(), client());
    assert_ne!(take_output(&mut a), take_output(&mut b));
    assert_eq!(
        recorder.draws().iter().map(Vec::len).collect::<Vec<_>>(),
        [16, 16]
    );
    // HC-7: no Origin unless it is set.
    let bare = ClientRequest::new(Uri::parse("ws://server.example.com/chat").unwrap());
    let output = take_output(&mut client_of(&ClientConfig::new(), bare));
    assert!(!String::from_utf8(output).unwrap().contains("Origin"));
}

/// HR-14, HR-15, HC-13: the answer at every cut, and frames after it in the same read.
#[test]
fn the_sample_answer_at_every_cut() {
    let input = [ANSWER.as_bytes(), b"\x81\x05Hello"].concat();
    for way in WAYS {
        for cut in 0..=input.len() {
            let mut driver = Driver::new(new_client(), *way);
            take_output(&mut driver.ws);
            driver.read(&input[..cut]);
            if cut < ANSWER.len() {
                assert_eq!(driver.events, [], "{way:?} {cut}");
                assert_eq!(driver.ws.state(), State::Connecting);
                assert_eq!(driver.ws.send("a").unwrap_err().why, SendError::NotOpen);
            }
            driver.read(&input[cut..]);
            assert_eq!(
                driver.events,
                [Seen::Open, Seen::text("Hello")],
                "{way:?} {cut}"
            );
            assert_eq!(driver.ws.subprotocol(), Some("chat"));
            assert_eq!(driver.ws.extensions(), "");
            assert_eq!(driver.ws.output(), b"");
        }
    }
}

/// HR-15: frames that were kept with the answer come before what is read later, whatever finds them.
#[test]
fn what_was_kept_with_the_answer_comes_first() {
    let frames = b"\x81\x04kept\x81\x05later";
    for cut in 0..frames.len() {
        let (kept, later) = frames.split_at(cut);
        let mut ws = new_client();
        ws.keep_input(&mut &mut [ANSWER.as_bytes(), kept].concat()[..]);
        let mut later = later.to_vec();
        let mut input = &mut later[..];
        let mut events = Vec::new();
        while ws.find_event(&mut input) {
            events.push(see(ws.receive(&mut input).unwrap()));
        }
        let expected = [Seen::Open, Seen::text("kept"), Seen::text("later")];
        assert_eq!(events, expected, "{cut}");
    }
}

/// HR-14: a 101 has no content, whatever its fields say.
#[test]
fn an_answer_has_no_content() {
    let mut ws = new_client();
    take_output(&mut ws);
    let answer = ANSWER.replace("\r\n\r\n", "\r\nContent-Length: 7\r\n\r\n");
    let input = [answer.as_bytes(), b"\x81\x05Hello"].concat();
    assert_eq!(receive(&mut ws, &input), [Seen::Open, Seen::text("Hello")]);
}

/// HR-15: the fields of the answer are there with `Event::Open`, each by itself, and are given up
/// after it.
#[test]
fn the_fields_of_the_answer() {
    let answer = ANSWER.replace("\r\n\r\n", "\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\n\r\n");
    for size in [1, answer.len()] {
        let mut ws = new_client();
        take_output(&mut ws);
        let mut reads = answer.clone().into_bytes();
        for read in reads.chunks_mut(size) {
            let mut input = read;
            while let Some(event) = ws.receive(&mut input) {
                assert!(matches!(event, Event::Open));
                let head = ws.response().expect("kept until the next event");
                assert_eq!(head.status(), 101);
                let cookies: Vec<_> = head
                    .headers()
                    .filter(|(name, _)| *name == "Set-Cookie")
                    .map(|(_, value)| value)
                    .collect();
                assert_eq!(cookies, [b"a=1", b"b=2"]);
            }
        }
        assert!(ws.response().is_none());
        assert_eq!(ws.state(), State::Open);
    }
}

/// §4.1: who collects all events of a read before it looks keeps the fields of the answer until it drops them.
#[test]
fn the_fields_of_the_answer_are_kept() {
    let mut ws = client_of(&ClientConfig::new().keep_response(), sample_request());
    take_output(&mut ws);
    let answer = ANSWER.replace("\r\n\r\n", "\r\nSet-Cookie: a=1\r\n\r\n");
    let read = [answer.as_bytes(), b"\x81\x01x"].concat();
    assert_eq!(receive(&mut ws, &read), [Seen::Open, Seen::text("x")]);
    let head = ws.response().expect("kept until it is dropped");
    assert_eq!(head.header("set-cookie"), Some(&b"a=1"[..]));
    let held = ws.memory_held();
    ws.drop_response();
    assert!(ws.response().is_none() && ws.memory_held() + answer.len() <= held);
    assert_eq!(ws.state(), State::Open);
}

/// HR-10, D-4: no subprotocol in the answer means none in use, unless one is required (W-6).
#[test]
fn no_subprotocol_in_the_answer() {
    let answer = ANSWER.replace("Sec-WebSocket-Protocol: chat\r\n", "");
    let mut ws = new_client();
    take_output(&mut ws);
    assert_eq!(receive(&mut ws, answer.as_bytes()), [Seen::Open]);
    assert_eq!(ws.subprotocol(), None);
    let mut ws = client_of(&ClientConfig::new().require_subprotocol(), sample_request());
    take_output(&mut ws);
    let events = receive(&mut ws, answer.as_bytes());
    assert_eq!(
        handshake_failure(&events),
        HandshakeError::SubprotocolRequired
    );
}

/// HR-13, D-30: other 1xx answers are skipped, within the limit for one head.
#[test]
fn informational_answers_are_skipped() {
    let input = format!(
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n{ANSWER}"
    );
    for way in WAYS {
        for cut in 0..=input.len() {
            let mut driver = Driver::new(new_client(), *way);
            take_output(&mut driver.ws);
            driver.read(&input.as_bytes()[..cut]);
            driver.read(&input.as_bytes()[cut..]);
            assert_eq!(driver.events, [Seen::Open], "{way:?} {cut}");
        }
    }
    let mut ws = new_client();
    take_output(&mut ws);
    let mut events = Vec::new();
    for _ in 0..10_000 {
        events.extend(receive(&mut ws, b"HTTP/1.1 100 Continue\r\n\r\n"));
    }
    assert_eq!(handshake_failure(&events), HandshakeError::HeadTooLong);
    assert!(ws.memory_held() < 100_000);
}

/// HR-1: another final status: one event with status, fields and body, then the end. No Close frame.
#[test]
fn a_refusal_is_reported_with_its_body() {
    let cases = [
        // Content-Length, chunked, without a body at all.
        (
            "HTTP/1.1 401 Unauthorized\r\nContent-Length: 4\r\n\r\nno!!",
            &b"no!!"[..],
            401,
        ),
        (
            "HTTP/1.1 503 x\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1;x=y\r\nc\r\n0\r\nT: v\r\n\r\n",
            b"abc",
            503,
        ),
        (
            "HTTP/1.1 302 Found\r\nLocation: /x\r\nContent-Length: 0\r\n\r\n",
            b"",
            302,
        ),
        ("HTTP/1.1 204 No Content\r\n\r\n", b"", 204),
    ];
    for (answer, body, status) in cases {
        for way in WAYS {
            for cut in 0..=answer.len() {
                let mut driver = Driver::new(new_client(), *way);
                take_output(&mut driver.ws);
                driver.read(&answer.as_bytes()[..cut]);
                driver.read(&answer.as_bytes()[cut..]);
                let refused = Seen::Refused {
                    status,
                    body: body.into(),
                    truncated: false,
                };
                assert_eq!(driver.events[0], refused, "{way:?} {cut}");
                assert!(
                    matches!(&driver.events[1..], [Seen::Closed(report)]
                        if !report.clean && report.code == 1006 && report.failure.is_none()),
                    "{:?}",
                    driver.events
                );
                let ws = &driver.ws;
                assert_eq!((ws.output(), ws.state()), (&b""[..], State::Closed));
                assert_eq!(ws.transport(), Transport::Close);
            }
        }
    }
}

/// HR-1: a body that ends with the stream, is cut by it, or is over the limit.
#[test]
fn a_refusals_body_is_bounded_and_says_if_it_was_cut() {
    let mut limits = Limits::client();
    limits.body = 5;
    let config = ClientConfig::new().limits(limits);
    for (answer, body, truncated) in [
        ("HTTP/1.1 404 x\r\n\r\nabc", &b"abc"[..], false),
        ("HTTP/1.1 404 x\r\n\r\nabcdefgh", b"abcde", true),
        (
            "HTTP/1.1 404 x\r\nContent-Length: 4\r\n\r\nabc",
            b"abc",
            true,
        ),
        (
            "HTTP/1.1 404 x\r\nContent-Length: 1000000\r\n\r\nabcdefgh",
            b"abcde",
            true,
        ),
    ] {
        for size in [1, answer.len()] {
            let mut ws = client_of(&config, sample_request());
            take_output(&mut ws);
            let mut events = Vec::new();
            for read in answer.as_bytes().chunks(size) {
                events.extend(receive(&mut ws, read));
            }
            ws.receive_eof();
            events.extend(receive(&mut ws, b""));
            let refused = Seen::Refused {
                status: 404,
                body: body.into(),
                truncated,
            };
            assert_eq!(events[0], refused, "{answer}");
            assert!(matches!(events[1..], [Seen::Closed(_)]), "{events:?}");
        }
    }
}

/// HR-2 to HR-11, HR-16, K-13: a wrong answer: the transport is dropped, no Close frame, 1006.
#[test]
fn a_wrong_answer_drops_the_transport() {
    for (from, to) in [
        (
            "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=",
            "ICX+Yqv66kxgM0FcWaLWlFLwTAI=",
        ),
        ("Upgrade: websocket\r\n", ""),
        ("Upgrade: websocket\r\n", "Upgrade: h2c\r\n"),
        ("Upgrade: websocket\r\n", "Upgrade: websocket, h2c\r\n"),
        ("Connection: Upgrade\r\n", "Connection: close\r\n"),
        ("chat\r\n", "other\r\n"),
        (
            "Upgrade: websocket\r\n",
            "Upgrade: websocket\r\nSec-WebSocket-Extensions: x\r\n",
        ),
        ("HTTP/1.1 101", "HTTP/1.0 101"),
        ("HTTP/1.1 101", "ICY 101"),
    ] {
        for way in WAYS {
            let mut driver = Driver::new(new_client(), *way);
            take_output(&mut driver.ws);
            let answer = ANSWER.replacen(from, to, 1);
            driver.read(&[answer.as_bytes(), b"\x81\x05Hello"].concat());
            assert!(
                matches!(
                    &driver.events[..],
                    [Seen::Failed(Failure::Handshake(_)), Seen::Closed(report)]
                        if !report.clean && report.code == 1006 && report.sent.is_none()
                ),
                "{to}: {:?}",
                driver.events
            );
            assert_eq!(driver.ws.output(), b"");
            assert_eq!(driver.ws.transport(), Transport::Close);
        }
    }
}

/// HR-16: the stream ends inside the answer, or the head is over the limit.
#[test]
fn an_answer_that_does_not_come() {
    for cut in [0, 1, 50, ANSWER.len() - 1] {
        let mut ws = new_client();
        take_output(&mut ws);
        receive(&mut ws, &ANSWER.as_bytes()[..cut]);
        ws.receive_eof();
        let events = receive(&mut ws, b"");
        assert!(
            matches!(&events[..], [Seen::Closed(report)]
                if !report.clean && report.code == 1006 && report.sent.is_none()),
            "{events:?}"
        );
        assert_eq!((ws.output(), ws.transport()), (&b""[..], Transport::Close));
    }
    let mut ws = new_client();
    take_output(&mut ws);
    let mut events = receive(&mut ws, b"HTTP/1.1 101 x\r\nX: ");
    for _ in 0..100 {
        events.extend(receive(&mut ws, &[b'a'; 1000]));
    }
    assert_eq!(handshake_failure(&events), HandshakeError::HeadTooLong);
    assert_eq!((ws.output(), ws.transport()), (&b""[..], Transport::Close));
}

/// W-8, WS-5, K-13: `close` before the connection is open just ends it.
#[test]
fn closing_before_it_is_open() {
    let undecided = || {
        let mut ws = new_server();
        receive(&mut ws, REQUEST.as_bytes());
        ws
    };
    let connecting = || {
        let mut ws = new_client();
        take_output(&mut ws);
        ws
    };
    for mut ws in [new_server(), undecided(), new_client(), connecting()] {
        ws.close(None, "").unwrap();
        assert_eq!(
            (ws.state(), ws.transport()),
            (State::Closed, Transport::Close)
        );
        let events = receive(&mut ws, ANSWER.as_bytes());
        assert!(
            matches!(&events[..], [Seen::Closed(report)]
                if !report.clean && report.code == 1006 && report.sent.is_none()),
            "{events:?}"
        );
        assert_eq!(ws.accept(Accept::new()), Err(AcceptError::NoRequest));
        assert_eq!(ws.respond(Response::new(404)), Err(AcceptError::NoRequest));
    }
}

/// P-9: a transport that is lost, or TLS that fails, while connecting: nothing goes out.
#[test]
fn a_transport_lost_while_connecting() {
    for tls in [false, true] {
        let mut ws = new_client();
        if tls {
            ws.tls_failed();
        } else {
            ws.transport_lost();
        }
        assert_eq!((ws.output(), ws.transport()), (&b""[..], Transport::Close));
        let events = receive(&mut ws, ANSWER.as_bytes());
        let code = if tls { 1015 } else { 1006 };
        assert!(
            matches!(&events[..], [Seen::Closed(report)] if !report.clean && report.code == code),
            "{events:?}"
        );
    }
}

/// HS-26 (§4.2.2): TLS that fails before the request, or in the middle of it, or while the application
/// decides: closed, and nothing goes out.
#[test]
fn a_transport_lost_before_the_request() {
    for read in [0, 20, REQUEST.len()] {
        for tls in [false, true] {
            let mut ws = new_server();
            receive(&mut ws, &REQUEST.as_bytes()[..read]);
            if tls {
                ws.tls_failed();
            } else {
                ws.transport_lost();
            }
            assert_eq!(ws.transport(), Transport::Close);
            let events = receive(&mut ws, &REQUEST.as_bytes()[read..]);
            let code = if tls { 1015 } else { 1006 };
            assert!(
                matches!(&events[..], [Seen::Closed(report)] if !report.clean && report.code == code),
                "{events:?}"
            );
            assert_eq!(ws.accept(Accept::new()), Err(AcceptError::NoRequest));
            assert_eq!(ws.output_len(), 0);
        }
    }
}

/// SEC-5, HC-11, HS-13: any authentication of HTTP goes through, in order and as given.
#[test]
fn credentials_go_through() {
    let request = ClientRequest::new(Uri::parse("ws://h/").unwrap())
        .header("Authorization", b"Bearer abc")
        .and_then(|request| request.header("Cookie", b"a=b; c=\xe9"))
        .unwrap();
    let mut ws = client_of(&ClientConfig::new(), request);
    let mut head = take_output(&mut ws);
    let mut server = new_server();
    let Some(Event::Request(request)) = server.receive(&mut &mut head[..]) else {
        panic!("a request")
    };
    assert_eq!(request.header("authorization"), Some(&b"Bearer abc"[..]));
    assert_eq!(request.header("COOKIE"), Some(&b"a=b; c=\xe9"[..]));
    // And stay out of logs.
    assert!(!format!("{request:?}").contains("abc"));
}

// ── both, and over HTTP/2

/// A client and a server through each other's bytes, in reads of any size.
#[test]
fn client_and_server_open_each_other() {
    for size in 1..200 {
        let (mut client, mut server) = (
            Driver::new(new_client(), Way::Lent),
            Driver::new(new_server(), Way::Lent),
        );
        for read in take_output(&mut client.ws).chunks(size) {
            server.read_with(read, |ws, event| {
                accept(ws, event);
                if *event == Seen::Open {
                    ws.send("welcome").unwrap();
                }
            });
        }
        for read in take_output(&mut server.ws).chunks(size) {
            client.read(read);
        }
        assert_eq!(server.events, [request_seen(), Seen::Open]);
        assert_eq!(client.events, [Seen::Open, Seen::text("welcome")]);
    }
}

/// Vectors section 5, E-8, E-11: header lists instead of heads; then the frames of section 2,
/// masked by the client.
#[test]
fn extended_connect() {
    use sansocket::handshake::extended_connect::{self, ConnectProtocol, Outcome};
    let request = ClientRequest::new(Uri::parse("wss://server.example.com/chat").unwrap())
        .origin("http://www.example.com")
        .and_then(|request| request.subprotocol("chat"))
        .and_then(|request| request.subprotocol("superchat"))
        .unwrap();
    assert_eq!(
        extended_connect::request(&ClientConfig::new(), &request, ConnectProtocol::NotEnabled)
            .map(|_| ()),
        Err(ExtendedConnectError::NotEnabled)
    );
    let fields =
        extended_connect::request(&ClientConfig::new(), &request, ConnectProtocol::Enabled)
            .unwrap();
    let field = |name: &str| {
        let mut values = fields.iter().filter(|(own, _)| own == name);
        let value = values
            .next()
            .map(|(_, value)| String::from_utf8(value.to_vec()).unwrap());
        assert!(values.next().is_none(), "{name} twice");
        value
    };
    for (name, value) in [
        (":method", "CONNECT"),
        (":protocol", "websocket"),
        (":scheme", "https"),
        (":path", "/chat"),
        (":authority", "server.example.com"),
        ("sec-websocket-protocol", "chat, superchat"),
        ("sec-websocket-version", "13"),
        ("origin", "http://www.example.com"),
    ] {
        assert_eq!(field(name).as_deref(), Some(value), "{name}");
    }
    assert_eq!(field("sec-websocket-key"), None);
    let list = fields
        .iter()
        .map(|(name, value)| (name.as_ref(), value.as_ref()));
    let upgrade = extended_connect::check(&server_config(), list).unwrap();
    let (response, mut server) = upgrade.accept(Accept::new().subprotocol("chat")).unwrap();
    assert_eq!(response.status, 200);
    let list = response
        .fields
        .iter()
        .map(|(name, value)| (name.as_ref(), value.as_ref()));
    let outcome = extended_connect::open(&ClientConfig::new(), &request, response.status, list);
    let Ok(Outcome::Open(agreed)) = outcome else {
        panic!("not open")
    };
    let config = ClientConfig::new();
    let mut client = Connection::upgraded_client_with_entropy(&config, agreed, Box::new(SampleKey));
    assert_eq!(
        (client.subprotocol(), server.subprotocol()),
        (Some("chat"), Some("chat"))
    );
    client.send("Hello").unwrap();
    let sent = take_output(&mut client);
    assert_eq!(sent, bytes("81 85 37 fa 21 3d 7f 9f 4d 51 58"));
    assert_eq!(
        receive(&mut server, &sent),
        [Seen::Open, Seen::text("Hello")]
    );
}

/// K-22: the report of a request that was answered over HTTP says so, with the status: at the server once
/// the answer has left, and not if it never does; at the client whose request it was.
#[test]
fn the_report_of_an_answer() {
    let report = |ws: &mut Connection| match receive(ws, b"").pop() {
        Some(Seen::Closed(report)) => report,
        other => panic!("{other:?}"),
    };
    let page = || {
        let mut ws = Connection::server(&server_config().serve_http());
        receive(&mut ws, b"GET / HTTP/1.1\r\nHost: h\r\n\r\n");
        ws.respond(Response::new(200).body("a page")).unwrap();
        ws
    };
    let mut ws = page();
    take_output(&mut ws);
    let answered = report(&mut ws);
    assert_eq!(answered.answered, Some(200));
    assert_eq!(
        (answered.clean, answered.code),
        (false, 1006),
        "no closing handshake"
    );
    assert_eq!(answered.to_string(), "answered over HTTP, status 200");
    let ends: [fn(&mut Connection); 4] = [
        Connection::write_lost,
        Connection::transport_lost,
        Connection::receive_eof,
        |ws| {
            ws.advance_time(Duration::ZERO);
            pass(ws, Duration::from_secs(5));
        },
    ];
    for end in ends {
        let mut ws = page();
        ws.consume_output(1);
        end(&mut ws);
        let lost = report(&mut ws);
        assert_eq!(lost.answered, None);
        assert_eq!(lost.to_string(), "closed not cleanly, code 1006");
        // What happens after it has left changes nothing.
        let mut ws = page();
        take_output(&mut ws);
        end(&mut ws);
        assert_eq!(report(&mut ws).answered, Some(200));
    }
    // The crate's own answers say why, too.
    let mut ws = Connection::server(&server_config());
    receive(&mut ws, b"POST / HTTP/1.1\r\nHost: h\r\n\r\n");
    take_output(&mut ws);
    let refused = report(&mut ws);
    assert_eq!(refused.answered, Some(405));
    let text = refused.to_string();
    assert!(
        text.starts_with("answered over HTTP, status 405: "),
        "{text}"
    );

    let request = ClientRequest::new(Uri::parse("ws://h/").unwrap());
    let mut ws =
        Connection::client_with_entropy(&ClientConfig::new(), request, Box::new(SampleKey))
            .unwrap();
    take_output(&mut ws);
    let events = receive(&mut ws, b"HTTP/1.1 404 x\r\nContent-Length: 0\r\n\r\n");
    let Some(Seen::Closed(report)) = events.last() else {
        panic!("{events:?}")
    };
    assert_eq!(report.answered, Some(404));
    // An open connection has no answer to tell.
    let mut ws = open(sansocket::Role::Server);
    ws.receive_eof();
    assert!(
        matches!(&receive(&mut ws, b"")[..], [Seen::Closed(report)] if report.answered.is_none())
    );
}
