//! Heads with something wrong (RFC 9112): what is answered and told, when, and what is kept of them.

use std::time::Duration;

use sansocket::error::{Failure, HandshakeError};
use sansocket::{ClientConfig, ClientRequest, Connection, OriginPolicy, ServerConfig, Uri};

use crate::support::*;

fn server() -> Connection {
    Connection::server(&ServerConfig::new(OriginPolicy::SameHost))
}

fn client() -> Connection {
    let request = ClientRequest::new(Uri::parse("ws://h/").unwrap());
    let mut ws =
        Connection::client_with_entropy(&ClientConfig::new(), request, Box::new(SampleKey))
            .unwrap();
    take_output(&mut ws);
    ws
}

fn failure(events: &[Seen]) -> HandshakeError {
    match events {
        [Seen::Failed(Failure::Handshake(error)), ..] => *error,
        _ => panic!("no failure of the handshake: {events:?}"),
    }
}

const FIELDS: &str = "Host: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n";

/// HS-27: whatever is wrong with it, and whoever answers.
#[test]
fn an_answer_to_head_has_no_content() {
    let head = |fields: &str| format!("HEAD / HTTP/1.1\r\n{fields}\r\n");
    for (request, status) in [
        (head("Host: h\r\n"), 405),
        (head(FIELDS), 405),
        (head(""), 400),
        (head("Host: b ad\r\n"), 400),
        (head("no colon\r\n"), 400),
        ("HEAD / HTTP/1.0\r\n\r\n".into(), 400),
        ("\r\nHEAD / HTTP/1.1\n".into(), 400),
        ("HEAD / HTTP/2.0\r\n".into(), 505),
        (head(&"A: b\r\n".repeat(100)), 431),
        (format!("HEAD /{}", "a".repeat(20_000)), 414),
    ] {
        for size in [1, request.len()] {
            let mut ws = server();
            for read in request.as_bytes().chunks(size) {
                receive(&mut ws, read);
            }
            let output = String::from_utf8(take_output(&mut ws)).unwrap();
            assert!(
                output.starts_with(&format!("HTTP/1.1 {status} ")),
                "{output}"
            );
            assert!(output.contains("\r\nContent-Length: "), "{output}");
            assert!(output.ends_with("\r\n\r\n"), "{request:?}: {output}");
            assert_eq!(output.matches("\r\n\r\n").count(), 1, "{output}");
        }
    }
    // Too slow, with the start of a head.
    let mut ws = server();
    ws.advance_time(Duration::ZERO);
    receive(&mut ws, b"HEAD / HTTP/1.1\r\nHost");
    pass(&mut ws, Duration::from_secs(20));
    receive(&mut ws, b"");
    let output = take_output(&mut ws);
    assert!(output.starts_with(b"HTTP/1.1 408 ") && output.ends_with(b"\r\n\r\n"));
}

/// HS-28: answered with the byte that shows it, not at the end of a head that never comes.
#[test]
fn what_is_no_request_line_is_answered_at_once() {
    for (line, status) in [
        ("HELO relay.invalid\r", 400),
        ("QUIT\r", 400),
        ("GET /a b", 505),
        ("PRI * HTTP/2", 505),
        ("GET  ", 400),
    ] {
        for size in [1, line.len()] {
            let mut ws = server();
            let mut seen = Vec::new();
            for read in line.as_bytes().chunks(size) {
                assert!(seen.is_empty(), "{line:?} too early");
                seen = receive(&mut ws, read);
            }
            assert_eq!(failure(&seen).status(), status, "{line:?}");
            let output = String::from_utf8(take_output(&mut ws)).unwrap();
            assert!(output.starts_with(&format!("HTTP/1.1 {status} ")));
        }
    }
}

/// HR-17: the status counts, and the fields that are fields; a 101 has to be without fault.
#[test]
fn a_bad_line_hides_no_status() {
    for bad in ["X Foo: 1", "X-Foo : 1", "no colon", " folded: x"] {
        let mut ws = client();
        let answer =
            format!("HTTP/1.1 503 x\r\n{bad}\r\nRetry-After: 7\r\nContent-Length: 2\r\n\r\nno");
        let events = receive(&mut ws, answer.as_bytes());
        let [Seen::Refused { status: 503, .. }, ..] = &events[..] else {
            panic!("{bad}: {events:?}")
        };
        let mut ws = client();
        let answer = format!("HTTP/1.1 101 x\r\n{bad}\r\nUpgrade: websocket\r\n\r\n");
        let error = failure(&receive(&mut ws, answer.as_bytes()));
        assert_eq!(error, HandshakeError::Malformed { line: 2 });
        let text = error.to_string();
        assert_eq!(text, "line 2 of the head is not HTTP/1.1 (RFC 9112 §2)");
    }
}

/// HR-18: what was read of a head that failed stays, and the fields of a whole response with it.
#[test]
fn the_head_of_a_failure_is_kept() {
    let cookie = "HTTP/1.1 101 x\r\nSet-Cookie: a=1\r\nSec-WebSocket-Accept: x\r\n\r\n";
    for answer in [cookie, "HTTP/1.1 101 x\r\nA: b\n", "SSH-2.0\r\n"] {
        for size in [1, answer.len()] {
            let mut ws = client();
            for read in answer.as_bytes().chunks(size) {
                receive(&mut ws, read);
            }
            let kept = ws.failed_head().unwrap();
            assert!(answer.as_bytes().starts_with(kept) && !kept.is_empty());
            assert_eq!(ws.response().is_some(), answer == cookie);
            let cookies = ws.response().and_then(|head| head.header("set-cookie"));
            assert_eq!(cookies, (answer == cookie).then_some(&b"a=1"[..]));
        }
    }
    for request in [
        format!("GET / HTTP/1.1\r\nOrigin: http://evil.test\r\n{FIELDS}\r\n"),
        "GET /health HTTP/1.1\r\nHost: h\r\n\r\n".into(),
        "GET / HTTP/1.1\r\nno colon\r\n\r\n".into(),
        // Where a response has its status.
        "PROPFIND 101 HTTP/1.1\r\nHost: h\r\n\r\n".into(),
    ] {
        let mut ws = server();
        failure(&receive(&mut ws, request.as_bytes()));
        assert_eq!(ws.failed_head(), Some(request.as_bytes()));
        assert!(ws.response().is_none() && ws.memory_held() >= request.len());
    }
    // No more than the limit of it, in however many reads it comes.
    for size in [1 << 20, 1000] {
        let mut ws = server();
        for read in format!("GET /{}", "a".repeat(1 << 20))
            .as_bytes()
            .chunks(size)
        {
            receive(&mut ws, read);
        }
        assert_eq!(ws.failed_head().map(<[u8]>::len), Some(16 << 10));
    }
    // And none of what did not fail.
    let mut ws = server();
    receive(
        &mut ws,
        format!("GET / HTTP/1.1\r\n{FIELDS}\r\n").as_bytes(),
    );
    assert_eq!(ws.failed_head(), None);
}

/// HT-8: "HTTP/1.1 or higher".
#[test]
fn higher_minor_versions() {
    for minor in ['1', '2', '9'] {
        let mut ws = server();
        let request = format!("GET / HTTP/1.{minor}\r\n{FIELDS}\r\n");
        for read in request.as_bytes().chunks(7) {
            receive(&mut ws, read);
        }
        ws.accept(sansocket::Accept::new()).unwrap();
        let mut ws = client();
        let answer = format!("HTTP/1.{minor} 404 x\r\nContent-Length: 0\r\n\r\n");
        let events = receive(&mut ws, answer.as_bytes());
        assert!(matches!(events[0], Seen::Refused { status: 404, .. }));
    }
}
