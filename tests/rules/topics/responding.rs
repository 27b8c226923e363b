//! Answers over HTTP whose body comes in pieces (RFC 6455 §4.2.2; RFC 9112 §6): bytes, limits, time, the end.

use std::time::Duration;

use sansocket::config::{Limits, Timeouts};
use sansocket::error::{AcceptError, SendError};
use sansocket::event::CloseReport;
use sansocket::{Accept, Connection, Event, Response, ServerConfig, State, Transport};

use crate::support::*;

fn s(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// A server that was asked for a page.
fn asked(method: &str, version: &str) -> Connection {
    asked_with(&server_config(), method, version)
}

fn asked_with(config: &ServerConfig, method: &str, version: &str) -> Connection {
    let mut ws = Connection::server(&config.clone().serve_http());
    let head = format!("{method} / HTTP/{version}\r\nHost: h\r\n\r\n");
    assert!(matches!(
        receive(&mut ws, head.as_bytes())[..],
        [Seen::Http { .. }]
    ));
    ws
}

fn text(ws: &mut Connection) -> String {
    String::from_utf8(take_output(ws)).unwrap()
}

fn report(ws: &mut Connection) -> CloseReport {
    match &receive(ws, b"")[..] {
        [Seen::Closed(report)] => report.clone(),
        other => panic!("{other:?}"),
    }
}

/// RFC 9112 §7.1: without a length in chunks. Nothing ends before the last one, and then all does as after
/// a whole page.
#[test]
fn in_chunks() {
    for told in [false, true] {
        let mut ws = asked("GET", "1.1");
        if told {
            ws.advance_time(s(0));
        }
        let response = Response::new(200)
            .header("X-A", b"b")
            .unwrap()
            .body("first");
        ws.begin_response(response, None).unwrap();
        assert_eq!(
            text(&mut ws),
            "HTTP/1.1 200 OK\r\nX-A: b\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n5\r\nfirst\r\n"
        );
        assert_eq!(
            (ws.state(), ws.transport()),
            (State::Closing, Transport::KeepOpen)
        );
        assert_eq!(receive(&mut ws, b"what comes is discarded"), []);
        ws.write_response(&[b'x'; 300]).unwrap();
        // One of no bytes would be the last.
        ws.write_response(b"").unwrap();
        ws.write_response(b"\r\n").unwrap();
        let expected = format!("12c\r\n{}\r\n2\r\n\r\n\r\n", "x".repeat(300));
        assert_eq!(text(&mut ws), expected);
        assert_eq!(
            (receive(&mut ws, b""), ws.transport()),
            (vec![], Transport::KeepOpen)
        );
        ws.end_response().unwrap();
        assert_eq!(text(&mut ws), "0\r\n\r\n");
        assert_eq!(ws.buffered_amount(), 0);
        assert_eq!(report(&mut ws).answered, Some(200));
        let transport = if told {
            Transport::ShutdownWrite
        } else {
            Transport::Close
        };
        assert_eq!((ws.state(), ws.transport()), (State::Closed, transport));
        assert_eq!(
            ws.write_response(b"x"),
            Err(SendError::NoResponseInProgress)
        );
        assert_eq!(ws.end_response(), Err(SendError::NoResponseInProgress));
    }
}

/// RFC 9110 §8.6: of a length that was announced it has as much, and ends by itself.
#[test]
fn of_a_known_length() {
    let mut ws = asked("GET", "1.1");
    let response = Response::new(404).body("abc");
    let too_long = AcceptError::BodyTooLong { len: 3, max: 2 };
    assert_eq!(ws.begin_response(response.clone(), Some(2)), Err(too_long));
    assert_eq!(ws.output(), b"");
    ws.begin_response(response, Some(6)).unwrap();
    assert!(text(&mut ws).ends_with("\r\nContent-Length: 6\r\nConnection: close\r\n\r\nabc"));
    assert_eq!(
        ws.write_response(b"defg"),
        Err(SendError::TooLong { len: 4, max: 3 })
    );
    ws.write_response(b"de").unwrap();
    assert_eq!(ws.end_response(), Err(SendError::Incomplete { missing: 1 }));
    assert_eq!(text(&mut ws), "de");
    assert_eq!(ws.transport(), Transport::KeepOpen);
    ws.write_response(b"f").unwrap();
    assert_eq!(
        ws.write_response(b"g"),
        Err(SendError::TooLong { len: 1, max: 0 })
    );
    assert_eq!(text(&mut ws), "f");
    assert_eq!(report(&mut ws).answered, Some(404));
    // Both ways to end it are right.
    assert_eq!(ws.write_response(b""), Ok(()));
    assert_eq!(ws.end_response(), Ok(()));
    assert_eq!(ws.transport(), Transport::Close);
    // One without a byte is whole at once.
    let mut ws = asked("GET", "1.1");
    ws.begin_response(Response::new(200), Some(0)).unwrap();
    take_output(&mut ws);
    assert_eq!(ws.transport(), Transport::Close);
}

/// RFC 9112 §6.1: HTTP/1.0 knows no chunks, so the end of the stream is the end.
#[test]
fn for_old_clients() {
    let mut ws = asked("GET", "1.0");
    ws.begin_response(Response::new(200), None).unwrap();
    assert_eq!(
        text(&mut ws),
        "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"
    );
    ws.write_response(b"a").unwrap();
    ws.write_response(b"b").unwrap();
    assert_eq!(text(&mut ws), "ab");
    assert_eq!(ws.transport(), Transport::KeepOpen);
    ws.end_response().unwrap();
    assert_eq!((ws.output(), ws.transport()), (&b""[..], Transport::Close));
    assert_eq!(report(&mut ws).answered, Some(200));
    let mut ws = asked("GET", "1.0");
    ws.begin_response(Response::new(200), Some(1)).unwrap();
    assert!(text(&mut ws).contains("\r\nContent-Length: 1\r\n"));
}

/// RFC 9110 §6.4.1, §9.3.2; RFC 9112 §6.1: no content, and only to HEAD the fields that it would have. What is
/// written is dropped, and nobody waits for it.
#[test]
fn without_content() {
    for (method, status, len, field) in [
        ("HEAD", 200, Some(9), "Content-Length: 9\r\n"),
        ("HEAD", 200, None, "Transfer-Encoding: chunked\r\n"),
        ("GET", 204, None, ""),
        ("GET", 304, Some(9), ""),
    ] {
        let mut ws = asked(method, "1.1");
        ws.begin_response(Response::new(status).body("a"), len)
            .unwrap();
        ws.write_response(&[b'x'; 100]).unwrap();
        let head = text(&mut ws);
        assert!(
            head.ends_with(&format!("\r\n{field}Connection: close\r\n\r\n")),
            "{head}"
        );
        assert_eq!(ws.transport(), Transport::Close);
        assert_eq!(report(&mut ws).answered, Some(status));
        assert_eq!(ws.write_response(b"x"), Ok(()));
        assert_eq!(ws.end_response(), Ok(()));
        assert_eq!(ws.output(), b"");
    }
}

/// A refusal of an upgrade goes the same way.
#[test]
fn a_refusal() {
    let mut ws = Connection::server(&server_config());
    let request = b"GET / HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
        Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";
    assert_eq!(
        ws.begin_response(Response::new(403), None),
        Err(AcceptError::NoRequest)
    );
    receive(&mut ws, request);
    assert_eq!(
        ws.begin_response(Response::new(101), None),
        Err(AcceptError::BadStatus { status: 101 })
    );
    ws.begin_response(Response::new(403), None).unwrap();
    assert_eq!(ws.accept(Accept::new()), Err(AcceptError::NoRequest));
    assert_eq!(
        ws.begin_response(Response::new(403), None),
        Err(AcceptError::NoRequest)
    );
    ws.write_response(b"no").unwrap();
    ws.end_response().unwrap();
    // A client of ours finds it whole.
    let mut client = Connection::client_with_entropy(
        &client_config(),
        sansocket::ClientRequest::new(sansocket::Uri::parse("ws://h/").unwrap()),
        Box::new(SampleKey),
    )
    .unwrap();
    take_output(&mut client);
    assert_eq!(
        receive(&mut client, &take_output(&mut ws))[0],
        Seen::Refused {
            status: 403,
            body: b"no".to_vec(),
            truncated: false
        }
    );
}

/// The queue bounds the body as it bounds messages, and nothing is lost.
#[test]
fn the_queue_is_bounded() {
    let mut limits = Limits::server();
    limits.output = 1000;
    let mut ws = asked_with(&server_config().limits(limits), "GET", "1.1");
    ws.begin_response(Response::new(200), None).unwrap();
    let mut sent = 0;
    while ws.write_response(&[b'x'; 100]).is_ok() {
        sent += 100;
    }
    let queued = ws.output_len();
    assert!((1000..1110).contains(&queued), "{queued}");
    let full = SendError::Full {
        queued,
        limit: 1000,
    };
    assert_eq!(ws.write_response(b"y"), Err(full));
    assert_eq!(ws.output_len(), queued);
    // What has left makes room, in any pieces.
    let mut written = Vec::new();
    while !ws.output().is_empty() {
        let n = ws.output().len().min(7);
        written.extend_from_slice(&ws.output()[..n]);
        ws.consume_output(n);
    }
    ws.write_response(b"y").unwrap();
    ws.end_response().unwrap();
    written.extend(take_output(&mut ws));
    let written = String::from_utf8(written).unwrap();
    assert_eq!(written.matches('x').count(), sent);
    assert!(written.ends_with("\r\n1\r\ny\r\n0\r\n\r\n"));
    // Where all of it is queued there is nothing more to write.
    let mut ws = asked_with(&server_config().limits(limits), "GET", "1.1");
    ws.begin_response(Response::new(200), Some(1000)).unwrap();
    ws.write_response(&[b'x'; 1000]).unwrap();
    assert!(ws.output_len() > 1000);
    assert_eq!(ws.write_response(b""), Ok(()));
    // Large pieces, which are more than one buffer, come out in order.
    let mut ws = asked("GET", "1.1");
    ws.begin_response(Response::new(200), Some(400_000))
        .unwrap();
    let mut written = Vec::new();
    for at in 0..4u8 {
        ws.write_response(&[at; 100_000]).unwrap();
        written.extend_from_slice(&ws.output()[..10]);
        ws.consume_output(10);
    }
    written.extend(take_output(&mut ws));
    assert!(written.ends_with(&[[3; 100_000]].concat()));
    assert_eq!(written.iter().filter(|byte| **byte == 2).count(), 100_000);
}

/// K-20: a peer that reads, however slowly, gets all of it; one that takes nothing is not waited for, and
/// neither is the peer's fault what the application has not written.
#[test]
fn in_time() {
    let mut timeouts = Timeouts::default();
    timeouts.close = s(5);
    let mut ws = asked_with(&server_config().timeouts(timeouts), "GET", "1.1");
    ws.advance_time(s(0));
    ws.begin_response(Response::new(200), None).unwrap();
    let mut now = 0;
    for _ in 0..10 {
        ws.write_response(&[b'x'; 20]).unwrap();
        assert_eq!(ws.next_deadline(), Some(s(now + 5)));
        now += 4;
        ws.advance_time(s(now));
        ws.consume_output(10);
        assert_eq!(ws.next_deadline(), Some(s(now + 5)));
        now += 4;
        ws.advance_time(s(now));
        take_output(&mut ws);
        // The application takes its time.
        assert_eq!(ws.next_deadline(), None);
        now += 1000;
        pass(&mut ws, s(now));
        assert_eq!(
            (receive(&mut ws, b""), ws.transport()),
            (vec![], Transport::KeepOpen)
        );
    }
    // More that is written does not prolong the wait for what was.
    ws.write_response(b"x").unwrap();
    ws.advance_time(s(now + 4));
    ws.write_response(b"x").unwrap();
    ws.end_response().unwrap();
    assert_eq!(ws.next_deadline(), Some(s(now + 5)));
    pass(&mut ws, s(now + 5));
    assert_eq!((ws.output(), ws.transport()), (&b""[..], Transport::Close));
    assert_eq!(report(&mut ws).answered, None);

    // The end itself, where nothing is left to write.
    let mut ws = asked_with(&server_config().timeouts(timeouts), "GET", "1.0");
    ws.begin_response(Response::new(200), None).unwrap();
    take_output(&mut ws);
    // The clock may start in the middle.
    ws.advance_time(s(10));
    assert_eq!(ws.next_deadline(), None);
    ws.advance_time(s(20));
    ws.end_response().unwrap();
    assert_eq!(ws.transport(), Transport::ShutdownWrite);
    assert_eq!(ws.next_deadline(), Some(s(25)));
}

/// Once the peer has gone, nothing more is taken, and the report does not say that it was answered.
#[test]
fn a_peer_that_goes() {
    type Goes = fn(&mut Connection);
    let late: Goes = |ws| {
        pass(ws, s(5));
    };
    for (goes, keeps) in [
        (Connection::receive_eof as Goes, true),
        (Connection::transport_lost, false),
        (Connection::write_lost, false),
        (late, false),
    ] {
        for len in [None, Some(9)] {
            let mut ws = asked("GET", "1.1");
            ws.advance_time(s(0));
            ws.begin_response(Response::new(200).body("abc"), len)
                .unwrap();
            goes(&mut ws);
            assert_eq!(ws.write_response(b"d"), Err(SendError::Closing));
            assert_eq!(ws.end_response(), Err(SendError::Closing));
            let report = report(&mut ws);
            assert_eq!((report.answered, report.code), (None, 1006));
            // After a FIN what was queued may still leave.
            assert_eq!(!take_output(&mut ws).is_empty(), keeps);
            assert_eq!(ws.transport(), Transport::Close);
            assert_eq!(ws.write_response(b"d"), Err(SendError::Closing));
        }
    }
}

/// A source that fails in the middle: what there is goes out, and the client sees that it is not whole.
#[test]
fn broken_off() {
    for told in [false, true] {
        for drained in [false, true] {
            let mut ws = asked("GET", "1.1");
            if told {
                ws.advance_time(s(0));
            }
            ws.begin_response(Response::new(200).body("abc"), None)
                .unwrap();
            if drained {
                take_output(&mut ws);
            }
            ws.close(None, "").unwrap();
            assert_eq!(
                ws.write_response(b"d"),
                Err(SendError::NoResponseInProgress)
            );
            let rest = text(&mut ws);
            assert!(if drained {
                rest.is_empty()
            } else {
                rest.ends_with("3\r\nabc\r\n")
            });
            assert_eq!(report(&mut ws).answered, None);
            let transport = if told {
                Transport::ShutdownWrite
            } else {
                Transport::Close
            };
            assert_eq!(ws.transport(), transport);
            // A whole one cannot be broken off.
            let mut ws = asked("GET", "1.1");
            ws.begin_response(Response::new(200).body("abc"), Some(3))
                .unwrap();
            ws.close(None, "").unwrap();
            assert!(text(&mut ws).ends_with("\r\n\r\nabc"));
            assert_eq!(report(&mut ws).answered, Some(200));
        }
    }
}

/// What is kept for it goes with it.
#[test]
fn nothing_is_held_after_it() {
    let mut ws = asked("GET", "1.1");
    ws.begin_response(Response::new(200), None).unwrap();
    take_output(&mut ws);
    ws.take_buffer();
    assert_eq!(ws.write_response(b"x"), Ok(()), "it goes on");
    ws.end_response().unwrap();
    take_output(&mut ws);
    assert!(matches!(
        ws.receive(&mut &mut [][..]),
        Some(Event::Closed(_))
    ));
}
