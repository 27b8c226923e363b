//! What bindings to other languages, and programs over another stack of HTTP, are told.

use sansocket::config::Delivery;
use sansocket::entropy::Entropy;
use sansocket::error::{CloseError, NoEntropy, ProtocolError, SendError};
use sansocket::handshake::HttpVersion;
use sansocket::{
    ClientRequest, CloseCode, Connection, Event, Kind, Part, Role, ServerConfig, State, Transport,
    Uri,
};

use crate::support::*;

fn new_client() -> Connection {
    let request = ClientRequest::new(Uri::parse("ws://h/").unwrap());
    Connection::client_with_entropy(&client_config(), request, Box::new(SampleKey)).unwrap()
}

/// Gives so many times, and again when it is filled up.
#[derive(Clone)]
struct Tank(std::sync::Arc<std::sync::atomic::AtomicUsize>);

impl Tank {
    fn with(draws: usize) -> Self {
        Self(std::sync::Arc::new(draws.into()))
    }

    fn fill_up(&self, draws: usize) {
        self.0.store(draws, std::sync::atomic::Ordering::Relaxed);
    }
}

impl Entropy for Tank {
    fn fill(&mut self, out: &mut [u8]) -> Result<(), NoEntropy> {
        let left = self.0.load(std::sync::atomic::Ordering::Relaxed);
        self.fill_up(left.checked_sub(1).ok_or(NoEntropy)?);
        out.fill(7);
        Ok(())
    }
}

/// M-10: a source that fails is an error of the call that needed it: nothing else changes, and the same call
/// is right when there are bytes again.
#[test]
fn randomness_that_fails() {
    let request = || ClientRequest::new(Uri::parse("ws://h/").unwrap());
    let client = |draws| {
        let source = Box::new(Tank::with(draws));
        Connection::client_with_entropy(&client_config(), request(), source)
    };
    assert!(matches!(client(0), Err(NoEntropy)));
    assert!(client(1).is_ok());

    let tank = Tank::with(0);
    let mut ws = client_with(&client_config(), tank.clone());
    let before = format!("{ws:?}");
    let unsent = ws.send(String::from("a")).unwrap_err();
    assert_eq!((unsent.why, &*unsent.message), (SendError::NoEntropy, "a"));
    assert_eq!(ws.send("a").unwrap_err().why, SendError::NoEntropy);
    assert_eq!(ws.send_part(Part::text(b"a")), Err(SendError::NoEntropy));
    assert_eq!(ws.begin_message(Kind::Text, 1), Err(SendError::NoEntropy));
    assert_eq!(ws.ping(b""), Err(SendError::NoEntropy));
    assert_eq!(ws.pong(b""), Err(SendError::NoEntropy));
    assert_eq!(
        ws.close(CloseCode::GOING_AWAY, ""),
        Err(CloseError::NoEntropy)
    );
    assert_eq!(format!("{ws:?}"), before);
    // A Ping is answered when there is a key for it.
    receive_frames(&mut ws, &[Frame::new(PING, "x")]);
    assert_eq!(ws.output(), b"");
    tank.fill_up(2);
    ws.send("a").unwrap();
    let sent = take_frames(&mut ws);
    assert_eq!(sent, [Frame::new(TEXT, "a"), Frame::new(PONG, "x")]);
    assert_eq!((ws.state(), ws.output()), (State::Open, &b""[..]));
    // A Close frame that cannot be answered ends it.
    let events = receive_frames(&mut ws, &[Frame::new(CLOSE, "")]);
    assert!(matches!(events[..], [Seen::Close(..), Seen::Closed(_)]));
    assert_eq!(ws.transport(), Transport::Close);
}

/// HR-19: the version and the reason phrase of a refusal, and of the response that opened.
#[test]
fn the_status_line_of_an_answer() {
    for (line, version, reason) in [
        ("HTTP/1.1 503 Come back", HttpVersion::Http11, "Come back"),
        ("HTTP/1.0 503 Busy: 1", HttpVersion::Http10, "Busy: 1"),
        ("HTTP/1.1 503", HttpVersion::Http11, ""),
        ("HTTP/1.1 503 ", HttpVersion::Http11, ""),
        ("HTTP/1.1 503 a\tb", HttpVersion::Http11, "a\tb"),
        (
            "HTTP/1.1 503 Weg f\u{fc}r",
            HttpVersion::Http11,
            "Weg f\u{fc}r",
        ),
    ] {
        let mut ws = new_client();
        take_output(&mut ws);
        let mut head = format!("{line}\r\nContent-Length: 0\r\n\r\n").into_bytes();
        let Some(Event::Refused(refusal)) = ws.receive(&mut &mut head[..]) else {
            panic!("no refusal: {line:?}")
        };
        assert_eq!(refusal.status, 503);
        assert_eq!((refusal.version, &*refusal.reason), (Some(version), reason));
    }
    let mut ws = new_client();
    take_output(&mut ws);
    let mut head = *b"HTTP/1.1 401 \xfcber\r\nContent-Length: 0\r\n\r\n";
    let Some(Event::Refused(refusal)) = ws.receive(&mut &mut head[..]) else {
        panic!("no refusal")
    };
    assert_eq!(refusal.reason, "\u{fffd}ber");
}

/// HS-30: the version of a request that asks for a page.
#[test]
fn the_version_of_a_request() {
    for (version, seen) in [
        ("1.0", HttpVersion::Http10),
        ("1.1", HttpVersion::Http11),
        ("1.2", HttpVersion::Http11),
    ] {
        let mut ws = Connection::server(&ServerConfig::upgraded().serve_http());
        let mut head = format!("GET / HTTP/{version}\r\nHost: h\r\n\r\n").into_bytes();
        let Some(Event::Http(request)) = ws.receive(&mut &mut head[..]) else {
            panic!("no request")
        };
        assert_eq!(request.version(), seen);
    }
}

/// Input that may not be written to: the same events, whatever is whole in it.
#[test]
fn input_that_may_not_be_written_to() {
    let long = "\u{e9}".repeat(5000);
    for role in ROLES {
        let input = encode_for(
            role,
            &[
                Frame::new(TEXT, "a"),
                Frame::new(BINARY, [0xff; 3000]),
                Frame::new(TEXT, &long).more(),
                Frame::new(PING, "x"),
                Frame::new(CONTINUATION, &long),
                Frame::new(TEXT, &long),
                Frame::new(TEXT, b"ab\xff"),
                Frame::new(TEXT, "not read"),
            ],
        );
        for read in [1, 100, 3000, input.len()] {
            let mut ws = open(role);
            let mut seen = Vec::new();
            for mut read in input.chunks(read) {
                while let Some(event) = ws.receive_copy(&mut read) {
                    seen.push(see(event));
                }
                assert!(read.is_empty());
            }
            let expected = [
                Seen::text("a"),
                Seen::binary([0xff; 3000]),
                Seen::ping("x"),
                Seen::text(&long.repeat(2)),
                Seen::text(&long),
                Seen::Failed(ProtocolError::TextNotUtf8 { at: 2, cut: false }.into()),
            ];
            assert_eq!(seen[..6], expected, "{role:?} {read}");
        }
    }
}

/// RFC 6455 §5.4: read so, a chunk is as long as the payload that is in the input, however the reads are cut.
#[test]
fn chunks_of_a_read() {
    let long: Vec<u8> = (0..5000u32).map(|i| i as u8).collect();
    for role in ROLES {
        for delivery in [Delivery::Chunks, Delivery::Ask] {
            let frames = [
                Frame::new(BINARY, &long).more(),
                Frame::new(PING, "x"),
                Frame::new(CONTINUATION, []),
                Frame::new(BINARY, "b"),
                Frame::new(CLOSE, []),
                Frame::new(BINARY, "not read"),
            ];
            let mut input = encode_for(role, &frames);
            let input = &mut input[..];
            for read in [1, 3, 100, 3000, input.len()] {
                let config = |delivery| match role {
                    Role::Server => server(&server_config().delivery(delivery)),
                    Role::Client => client(&client_config().delivery(delivery)),
                };
                let (mut ws, mut other) = (config(delivery), config(delivery));
                let (mut seen, mut expected) = (Vec::new(), Vec::new());
                for read in input.chunks(read) {
                    let mut copied = read;
                    while let Some(event) = ws.receive_copy(&mut copied) {
                        if matches!(event, Event::Start(_)) {
                            ws.stream_message();
                        }
                        seen.push(see(event));
                    }
                    assert!(copied.is_empty());
                    let mut read = read.to_vec();
                    let mut written = &mut read[..];
                    while let Some(event) = other.receive(&mut written) {
                        if matches!(event, Event::Start(_)) {
                            other.stream_message();
                        }
                        expected.push(see(event));
                    }
                }
                assert_eq!(seen, expected, "{role:?} {read}");
            }
        }
    }
}
