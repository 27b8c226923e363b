//! What an endpoint has of its own: its room. All else is compared with a [`Connection`](crate::Connection)
//! (`tests/models/oracles/fixed.rs`).
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by a panic")]

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;
use core::time::Duration;

use crate::CloseCode;
use crate::error::{AcceptError, CloseError, HandshakeError, Limit, ProtocolError, SendError};

use super::*;

const REQUEST: &[u8] = b"GET http://h/a?b=c?d HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\n\
    Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
    Sec-WebSocket-Version: 13\r\nOrigin: http://h\r\nSec-WebSocket-Protocol: x, y\r\n\r\n";

struct Keys(bool);

impl Entropy for Keys {
    fn fill(&mut self, out: &mut [u8]) -> Result<(), NoEntropy> {
        out.fill(0);
        if self.0 { Ok(()) } else { Err(NoEntropy) }
    }
}

/// A server that has accepted, and its 101 has left.
fn open(output: &mut [u8]) -> Endpoint<'_> {
    let mut ws = Endpoint::server(Admitted::same_host(), Options::new(), output);
    let mut bytes = [0; 1024];
    let mut room = Room::new(&mut bytes);
    let mut read = REQUEST.to_vec();
    match ws.receive(&mut &mut read[..], &mut room) {
        Some(Incoming::Request(request)) => ws.accept(&request, None).unwrap(),
        other => panic!("{other:?}"),
    }
    ws.consume_output(usize::MAX);
    ws
}

/// What it tells of one read, as text.
fn told(ws: &mut Endpoint<'_>, read: &[u8], room: &mut Room<'_>) -> Vec<String> {
    let mut read = read.to_vec();
    let mut input = &mut read[..];
    let mut told = Vec::new();
    while let Some(incoming) = ws.receive(&mut input, room) {
        told.push(format!("{incoming:?}"));
    }
    told
}

/// A client's frame under a key of zeros.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![first, 0x80 | payload.len() as u8, 0, 0, 0, 0];
    frame.extend_from_slice(payload);
    frame
}

/// The head says what was asked, also where it came in two reads.
#[test]
fn a_request() {
    for cut in [0, 1, 100, REQUEST.len() - 1] {
        let (mut output, mut bytes) = ([0; 512], [0; 512]);
        let mut room = Room::new(&mut bytes);
        let mut ws = Endpoint::server(Admitted::same_host(), Options::new(), &mut output);
        assert!(told(&mut ws, &REQUEST[..cut], &mut room).is_empty());
        let mut read = REQUEST[cut..].to_vec();
        let mut input = &mut read[..];
        let Some(Incoming::Request(request)) = ws.receive(&mut input, &mut room) else {
            panic!("no request")
        };
        assert_eq!(request.target(), "http://h/a?b=c?d");
        assert_eq!((request.path(), request.query()), ("/a", Some("b=c?d")));
        assert_eq!(request.subprotocols().collect::<Vec<_>>(), ["x", "y"]);
        assert_eq!(request.origin(), Some("http://h"));
        assert_eq!(request.header("HOST"), Some(&b"h"[..]));
        assert_eq!(request.headers().count(), 7);
        assert_eq!(
            format!("{request:?}"),
            "RequestHead { head: 203, target: 16 }"
        );
        let z = ws.accept(&request, Some("z"));
        assert_eq!(z, Err(AcceptError::SubprotocolNotOffered));
        assert_eq!(ws.state(), State::Initial);
        assert_eq!(ws.accept(&request, Some("y")), Ok(()));
        assert_eq!(ws.accept(&request, None), Err(AcceptError::NoRequest));
        assert!(
            ws.output()
                .ends_with(b"\r\nSec-WebSocket-Protocol: y\r\n\r\n")
        );
        assert_eq!(ws.state(), State::Open);
    }
}

/// It is refused with the status that is given, or with 404 if nobody answers it; an answer without room is
/// refused, and can be given again.
#[test]
fn a_refused_request() {
    for (status, line) in [
        (Some(403), "HTTP/1.1 403 \r\n"),
        (Some(599), "HTTP/1.1 599 \r\n"),
        (None, "HTTP/1.1 404 \r\n"),
    ] {
        let (mut output, mut bytes) = ([0; 256], [0; 512]);
        let mut room = Room::new(&mut bytes);
        let mut ws = Endpoint::server(Admitted::anyone(), Options::new(), &mut output);
        assert_eq!(ws.refuse(403), Err(AcceptError::NoRequest));
        let mut read = REQUEST.to_vec();
        let mut input = &mut read[..];
        let Some(Incoming::Request(_)) = ws.receive(&mut input, &mut room) else {
            panic!("no request")
        };
        for status in [0, 101, 304, 600] {
            assert_eq!(ws.refuse(status), Err(AcceptError::BadStatus { status }));
        }
        if let Some(status) = status {
            assert_eq!(ws.refuse(status), Ok(()));
        }
        assert!(told(&mut ws, b"", &mut room).is_empty());
        let answer = core::str::from_utf8(ws.output()).unwrap().to_string();
        assert!(answer.starts_with(line), "{answer}");
        assert!(
            answer.ends_with("\r\nContent-Length: 0\r\n\r\n"),
            "{answer}"
        );
        assert_eq!(ws.state(), State::Closing);
        ws.consume_output(answer.len());
        assert_eq!(ws.transport(), Transport::Close);
        let status = status.unwrap_or(404);
        assert_eq!(
            told(&mut ws, b"", &mut room),
            [format!(
                "Ended {{ clean: false, code: 1006, answered: Some({status}), failure: None, began: None }}"
            )]
        );
    }
    let (mut output, mut bytes) = ([0; 64], [0; 512]);
    let mut room = Room::new(&mut bytes);
    let mut ws = Endpoint::server(Admitted::anyone(), Options::new(), &mut output);
    let mut read = REQUEST.to_vec();
    let mut input = &mut read[..];
    let Some(Incoming::Request(request)) = ws.receive(&mut input, &mut room) else {
        panic!("no request")
    };
    let (needed, limit) = (129, 64);
    assert_eq!(
        ws.accept(&request, None),
        Err(AcceptError::Memory { needed, limit })
    );
    assert!(ws.output().is_empty());
    let _ = told(&mut ws, b"", &mut room);
    assert_eq!(ws.transport(), Transport::Close);
}

/// RFC 6455 §10.2, RFC 9110 §7.4: foreign pages and foreign names.
#[test]
fn who_is_let_in() {
    let hosts = ["h", "10.0.0.1:*"];
    let origins = ["http://h", "https://*.example.com"];
    let listed = Admitted::origins(&origins).unwrap();
    for (admitted, host, origin, status) in [
        (Admitted::same_host(), "h", "http://h", None),
        (Admitted::same_host(), "h", "http://evil", Some(403)),
        (Admitted::same_host(), "h", "none", None),
        (Admitted::anyone(), "h", "http://evil", None),
        (listed, "h", "http://h", None),
        (listed, "h", "https://a.example.com", None),
        (listed, "h", "https://example.com", Some(403)),
        (listed.hosts(&hosts).unwrap(), "h", "http://h", None),
        (listed.hosts(&hosts).unwrap(), "evil", "http://h", Some(421)),
    ] {
        let request = String::from_utf8(REQUEST.to_vec()).unwrap();
        let request = request.replace("http://h/", "/");
        let request = request.replace("Host: h", &format!("Host: {host}"));
        let request = request.replace("Origin: http://h", &format!("Origin: {origin}"));
        // Whoever is no browser sends none.
        let request = request.replace("Origin: none\r\n", "");
        let (mut output, mut bytes) = ([0; 512], [0; 512]);
        let mut room = Room::new(&mut bytes);
        let mut ws = Endpoint::server(admitted, Options::new(), &mut output);
        let told = told(&mut ws, request.as_bytes(), &mut room);
        let answered = ws.output().get(9..12).and_then(|digits| {
            let status: u16 = core::str::from_utf8(digits).unwrap().parse().unwrap();
            (status != 404).then_some(status)
        });
        assert_eq!(answered, status, "{host} {origin} {told:?}");
    }
    assert!(Admitted::origins(&["http://h/path"]).is_none());
    assert!(Admitted::anyone().hosts(&["a/b"]).is_none());
}

/// A head has one byte less than the room, however it is cut (RFC 6455 §10.4).
#[test]
fn a_head_longer_than_the_room() {
    for (len, status) in [
        (REQUEST.len() + 1, None),
        (REQUEST.len(), Some(HandshakeError::HeadTooLong)),
        (20, Some(HandshakeError::TargetTooLong)),
    ] {
        for cut in [0, 1, 10, REQUEST.len() - 1] {
            let (mut output, mut bytes) = ([0; 512], vec![0; len]);
            let mut room = Room::new(&mut bytes);
            let mut ws = Endpoint::server(Admitted::same_host(), Options::new(), &mut output);
            let mut all = told(&mut ws, &REQUEST[..cut], &mut room);
            all.extend(told(&mut ws, &REQUEST[cut..], &mut room));
            match status {
                None => assert!(all[0].starts_with("RequestHead"), "{all:?}"),
                Some(error) => assert_eq!(
                    all,
                    [format!("Failed({:?})", Failure::Handshake(error))],
                    "{len} {cut}"
                ),
            }
        }
    }
}

/// A message has 125 bytes less than the room, however it is cut; a control frame may come between.
#[test]
fn a_message_longer_than_the_room() {
    for len in [75, 76] {
        let (first, last) = (frame(0x01, &[b'a'; 70]), frame(0x80, &vec![b'b'; len - 70]));
        let ping = frame(0x89, &[b'p'; 125]);
        let stream = [first, ping, last].concat();
        for cut in 0..stream.len() {
            let (mut output, mut bytes) = ([0; 512], [0; 200]);
            let mut ws = open(&mut output);
            let mut room = Room::new(&mut bytes);
            let mut all = told(&mut ws, &stream[..cut], &mut room);
            all.extend(told(&mut ws, &stream[cut..], &mut room));
            let second = if len == 75 {
                String::from("Text(75 bytes)")
            } else {
                let (limit, value, max) = (Limit::Message, 76, 75);
                let error = ProtocolError::Limit { limit, value, max };
                format!("Failed({:?})", Failure::Protocol(error))
            };
            assert_eq!(all, ["Ping(125 bytes)", &second], "{cut}");
        }
    }
}

/// In a room that is shorter than a control frame the rest are too long.
#[test]
fn a_room_that_is_too_short() {
    for (len, failed) in [(9, false), (10, true)] {
        let (mut output, mut bytes) = ([0; 512], [0; 9]);
        let mut ws = open(&mut output);
        let mut room = Room::new(&mut bytes);
        assert_eq!(room.message(), 0);
        let ping = frame(0x89, &vec![b'p'; len]);
        let mut all = told(&mut ws, &ping[..8], &mut room);
        all.extend(told(&mut ws, &ping[8..], &mut room));
        let (limit, value, max) = (Limit::Frame, 10, 9);
        let error = Failure::Protocol(ProtocolError::Limit { limit, value, max });
        let expected = if failed {
            format!("Failed({error:?})")
        } else {
            String::from("Ping(9 bytes)")
        };
        assert_eq!(all, [expected]);
        assert_eq!(format!("{room:?}"), "Room(0 of 9 bytes)");
    }
}

/// What does not fit is refused and changes nothing; room for a Pong and the Close frame is set aside.
#[test]
fn a_message_that_does_not_fit() {
    let mut output = vec![0; 262 + 10];
    let mut ws = open(&mut output);
    let (len, max) = (9, 8);
    assert_eq!(
        ws.send_binary(&[0; 9]),
        Err(SendError::TooLong { len, max })
    );
    ws.send_text("12345").unwrap();
    let (queued, limit) = (7, 272);
    assert_eq!(ws.send_text("1234"), Err(SendError::Full { queued, limit }));
    assert_eq!(ws.output(), b"\x81\x0512345");
    ws.ping(&[0; 125]).unwrap();
    let (queued, limit) = (134, 272);
    assert_eq!(ws.ping(&[0; 125]), Err(SendError::Full { queued, limit }));
    ws.close(CloseCode::GOING_AWAY, &"r".repeat(123)).unwrap();
    assert_eq!(ws.output().len(), 134 + 127);
    assert_eq!(ws.send_text(""), Err(SendError::Closing));
}

/// RFC 6455 §5.5.3: pongs for which there is no room make way for the latest one, which follows.
#[test]
fn pongs_without_room() {
    let mut output = vec![0; 262];
    let mut ws = open(&mut output);
    let mut bytes = [0; 300];
    let mut room = Room::new(&mut bytes);
    for number in 0..5 {
        let all = told(&mut ws, &frame(0x89, &[number; 100]), &mut room);
        assert_eq!(all, ["Ping(100 bytes)"]);
    }
    assert_eq!(ws.output().len(), 102);
    ws.consume_output(1);
    assert_eq!(ws.output().len(), 101);
    ws.consume_output(101);
    assert_eq!(ws.output(), [&[0x8a, 100][..], &[4; 100]].concat());
    ws.consume_output(102);
    assert!(ws.output().is_empty());
}

/// What cannot be written, or is not the caller's.
#[test]
fn what_cannot_be_asked() {
    let mut random = Keys(true);
    let mut output = [0; 512];
    let mut refused = |change: fn(&mut Ask<'_>)| {
        let mut ask = Ask::new("h", "/");
        change(&mut ask);
        let result = Endpoint::client(&ask, Options::new(), &mut random, &mut output);
        match result.err() {
            Some(AskError::Field(error)) => error,
            other => panic!("{other:?}"),
        }
    };
    let bad_value = FieldError::BadValue;
    assert_eq!(refused(|ask| ask.host = "a b"), bad_value);
    assert_eq!(refused(|ask| ask.resource_name = "a"), bad_value);
    assert_eq!(refused(|ask| ask.origin = "a\r\nb"), bad_value);
    assert_eq!(refused(|ask| ask.fields = &[("a", b"\n")]), bad_value);
    let bad_subprotocol = FieldError::BadSubprotocol;
    assert_eq!(refused(|ask| ask.subprotocols = "a, a"), bad_subprotocol);
    assert_eq!(refused(|ask| ask.subprotocols = "a/b"), bad_subprotocol);
    assert_eq!(refused(|ask| ask.subprotocols = "a, , b"), bad_subprotocol);
    let bad_name = FieldError::BadName;
    assert_eq!(refused(|ask| ask.fields = &[("a b", b"")]), bad_name);
    for fields in [&[("Host", &b"x"[..])], &[("proxy-authorization", b"x")]] {
        let ask = Ask {
            fields,
            ..Ask::new("h", "/")
        };
        assert_eq!(ask.check(), Err(FieldError::Reserved), "{ask:?}");
    }
}

/// Room for the request, and a nonce.
#[test]
fn what_a_client_needs() {
    let (mut random, mut none) = (Keys(true), Keys(false));
    let mut output = [0; 512];
    let ask = Ask::new("h", "/");
    let result = Endpoint::client(&ask, Options::new(), &mut random, &mut output[..100]);
    assert_eq!(result.err(), Some(AskError::TooLong { room: 100 }));
    let result = Endpoint::client(&ask, Options::new(), &mut none, &mut output);
    assert_eq!(result.err(), Some(AskError::NoEntropy));
    for error in [
        AskError::Field(FieldError::BadName),
        AskError::TooLong { room: 1 },
        AskError::NoEntropy,
    ] {
        assert!(!error.to_string().is_empty());
    }
}

/// The request, in the order of the example in RFC 6455 §1.3.
#[test]
fn the_request_of_a_client() {
    let mut random = Keys(true);
    let mut output = [0; 512];
    let ask = Ask {
        origin: "http://o",
        subprotocols: "a, b",
        fields: &[("X", b"1")],
        ..Ask::new("h", "/")
    };
    let ws = Endpoint::client(&ask, Options::new(), &mut random, &mut output).unwrap();
    let text = core::str::from_utf8(ws.output()).unwrap();
    assert_eq!(
        text,
        "GET / HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nOrigin: http://o\r\n\
         Sec-WebSocket-Protocol: a, b\r\nSec-WebSocket-Version: 13\r\nX: 1\r\n\r\n"
    );
    assert_eq!(ws.role(), Role::Client);
    assert_eq!(
        format!("{ws:?}"),
        format!(
            "Endpoint {{ role: Client, state: Initial, output: {}, .. }}",
            text.len()
        )
    );
}

/// RFC 6455 §5.3: without a masking key nothing is sent, and what was asked for can be asked again.
#[test]
fn no_masking_key() {
    let (mut output, mut bytes) = ([0; 512], [0; 512]);
    let mut room = Room::new(&mut bytes);
    let mut random = Keys(true);
    let mut ws = Endpoint::client(
        &Ask::new("h", "/"),
        Options::new(),
        &mut random,
        &mut output,
    )
    .unwrap();
    ws.consume_output(usize::MAX);
    let answer = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 101 x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
        Sec-WebSocket-Accept: ICX+Yqv66kxgM0FcWaLWlFLwTAI=\r\nX: 1\r\n\r\n";
    let mut read = answer.to_vec();
    match ws.receive(&mut &mut read[..], &mut room) {
        Some(Incoming::Accepted(head)) => {
            assert_eq!(
                (head.subprotocol(), head.header("x")),
                (None, Some(&b"1"[..]))
            );
            assert_eq!(head.headers().count(), 4);
            let accepted = Incoming::Accepted(head);
            assert_eq!(format!("{accepted:?}"), "ResponseHead(117 bytes)");
        }
        other => panic!("{other:?}"),
    }
    ws.entropy = None;
    assert_eq!(ws.send_text("x"), Err(SendError::NoEntropy));
    assert_eq!(ws.ping(b""), Err(SendError::NoEntropy));
    assert_eq!(ws.close(None, ""), Err(CloseError::NoEntropy));
    assert_eq!((ws.state(), ws.output().len()), (State::Open, 0));
    let mut keys = Keys(true);
    ws.entropy = Some(&mut keys);
    ws.send_text("x").unwrap();
    assert_eq!(ws.output(), b"\x81\x81\0\0\0\0x");
}

/// The state beside the room: at most 512 bytes, of which a good part is the payload of a Ping that waits.
#[test]
fn how_large_it_is() {
    assert!(
        size_of::<Endpoint<'_>>() <= 512,
        "{}",
        size_of::<Endpoint<'_>>()
    );
}

/// RFC 6455 §10.5: lengths, never payloads, reasons, targets or the values of fields.
#[test]
fn what_is_printed() {
    let ask = Ask {
        resource_name: "/?secret",
        fields: &[("Authorization", b"secret")],
        ..Ask::new("h", "/")
    };
    assert_eq!(
        format!("{ask:?}"),
        "Ask { host: \"h\", resource_name: 8, subprotocols: 0, fields: 1, .. }"
    );
    let code = Some(CloseCode::GOING_AWAY);
    let failure = Failure::Application(CloseCode::GOING_AWAY);
    for (incoming, text) in [
        (Incoming::Refused(404), "Refused(404)"),
        (Incoming::Text("secret"), "Text(6 bytes)"),
        (Incoming::Binary(b"secret"), "Binary(6 bytes)"),
        (Incoming::Ping(b"secret"), "Ping(6 bytes)"),
        (
            Incoming::Pong {
                payload: b"secret",
                round_trip: None,
            },
            "Pong(6 bytes)",
        ),
        (
            Incoming::Close {
                code,
                reason: "secret",
            },
            "Close(Some(1001), reason of 6 bytes)",
        ),
        (Incoming::Failed(failure), &format!("Failed({failure:?})")),
    ] {
        assert_eq!(format!("{incoming:?}"), text);
    }
}

/// RFC 6455 §4.2.2: requests that are none, and those that wait for 100 (RFC 9110 §10.1.1).
#[test]
fn how_a_request_is_answered() {
    for (line, other, start, has) in [
        (
            "Version: 13",
            "Version: 8",
            "HTTP/1.1 426 ",
            "\r\nUpgrade: websocket\r\n",
        ),
        (
            "Upgrade: w",
            "X: w",
            "HTTP/1.1 426 ",
            "Connection: Upgrade, close\r\n",
        ),
        ("GET ", "POST ", "HTTP/1.1 405 ", "\r\nAllow: GET\r\n"),
        (
            "Key: ",
            "Key: x",
            "HTTP/1.1 400 ",
            "\r\nConnection: close\r\n",
        ),
        (
            "Origin: ",
            "Expect: 100-continue\r\nOrigin: ",
            "HTTP/1.1 100 ",
            "HTTP/1.1 101 ",
        ),
    ] {
        let request = String::from_utf8(REQUEST.to_vec()).unwrap();
        let mut request = request.replace(line, other).into_bytes();
        let (mut output, mut bytes) = ([0; 512], [0; 512]);
        let mut room = Room::new(&mut bytes);
        let mut ws = Endpoint::server(Admitted::same_host(), Options::default(), &mut output);
        if let Some(Incoming::Request(request)) = ws.receive(&mut &mut request[..], &mut room) {
            ws.accept(&request, None).unwrap();
        }
        let answer = core::str::from_utf8(ws.output()).unwrap();
        assert!(
            answer.starts_with(start) && answer.contains(has),
            "{answer}"
        );
    }
}

/// RFC 6455 §5.5.1, §8.1: a body that is none, and text that is none, whole, cut and at its end.
#[test]
fn what_fails() {
    for (stream, error) in [
        (frame(0x88, b"\x03"), ProtocolError::CloseBodyTooShort),
        (
            frame(0x81, b"a\xff"),
            ProtocolError::TextNotUtf8 { at: 1, cut: false },
        ),
        (
            frame(0x81, b"a\xc3"),
            ProtocolError::TextNotUtf8 { at: 2, cut: true },
        ),
        (
            [frame(0x01, b"a"), frame(0x80, b"\xc3")].concat(),
            ProtocolError::TextNotUtf8 { at: 2, cut: true },
        ),
        (
            [frame(0x01, b"a"), frame(0x80, b"\xff")].concat(),
            ProtocolError::TextNotUtf8 { at: 1, cut: false },
        ),
    ] {
        let (mut output, mut bytes) = ([0; 512], [0; 200]);
        let mut ws = open(&mut output);
        let all = told(&mut ws, &stream, &mut Room::new(&mut bytes));
        let failure = Failure::Protocol(error);
        assert_eq!(all, [format!("Failed({failure:?})")]);
        assert_eq!(ws.output()[2..4], error.close_code().to_be_bytes());
    }
}

/// RFC 6455 §5.5.2: a keepalive ping for which there is no room is put off, and comes when there is.
#[test]
fn a_ping_without_room() {
    let mut output = vec![0; 261];
    let mut ws = open(&mut output);
    ws.options.timeouts.ping = Some(Duration::from_secs(4));
    ws.options.timeouts.pong = None;
    ws.advance_time(Duration::ZERO);
    ws.ping(&[0; 125]).unwrap();
    ws.advance_time(Duration::from_secs(4));
    assert_eq!(ws.output().len(), 127);
    ws.consume_output(127);
    ws.advance_time(Duration::from_secs(8));
    assert_eq!(ws.output(), b"\x89\x02\0\x01");
}
