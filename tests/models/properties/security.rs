//! The security holes that other WebSocket libraries had, one test for each: what was missing there
//! is done here. A test is named after the id of its hole, or after the report where there is none.
//!
//! Work that has to be linear is given so much input that a quadratic reader would not end within
//! the day: such a test holds by ending.
//!
//! `tests/assurance/requirements/advisories.txt` says which test holds which advisory, also those that are tested
//! with permessage-deflate, and why the others do not apply.

use crate::oracle::{ACCEPT, Scripted};
use crate::support::{
    self, Frame, ROLES, Recorder, Seen, encode_for, open, receive, receive_frames, server_config,
    take_output,
};
use core::time::Duration;
use sansocket::config::{Limits, Timeouts};
use sansocket::error::Failure;
use sansocket::error::{
    AcceptError, CloseError, Field, FieldError, HandshakeError, Limit, ProtocolError, SendError,
    Timeout,
};
use sansocket::extension::Extensions;
use sansocket::{
    Accept, ClientRequest, CloseCode, Connection, Kind, OriginPolicy, Part, Response, Role, State,
    Transport, Uri,
};
use sansocket::{ClientConfig, ServerConfig};

// ── helpers

fn with_limits(role: Role, limits: Limits) -> Connection {
    match role {
        Role::Server => support::server(&server_config().limits(limits)),
        Role::Client => support::client(&ClientConfig::new().limits(limits)),
    }
}

/// A header whose length field has 8 bytes, without payload.
fn header(role: Role, first: u8, len: u64) -> Vec<u8> {
    let mut out = vec![first, if role == Role::Server { 0xff } else { 0x7f }];
    out.extend(len.to_be_bytes());
    if role == Role::Server {
        out.extend(support::KEY);
    }
    out
}

/// The bytes fail the connection: one event, and whatever comes then is not looked at.
#[track_caller]
fn fails(ws: &mut Connection, bytes: &[u8]) -> ProtocolError {
    let seen = receive(ws, bytes);
    let [Seen::Failed(Failure::Protocol(error))] = seen[..] else {
        panic!("not one failure: {seen:?}");
    };
    assert_eq!(ws.state(), State::Closing);
    assert_eq!(
        receive(ws, &encode_for(ws.role(), &[Frame::new(1, "late")])),
        []
    );
    error
}

const KEY_FIELD: &str = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

/// A request with these fields beside the needed ones.
fn request(extra: &str) -> String {
    format!(
        "GET /chat HTTP/1.1\r\nHost: example.com\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Version: 13\r\n{KEY_FIELD}{extra}\r\n"
    )
}

fn answer(extra: &str) -> String {
    format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {ACCEPT}\r\n{extra}\r\n"
    )
}

fn waiting_server(limits: Limits) -> Connection {
    Connection::server(&ServerConfig::new(OriginPolicy::SameHost).limits(limits))
}

fn waiting_client(limits: Limits) -> Connection {
    let request = ClientRequest::new(Uri::parse("ws://example.com/chat").unwrap())
        .subprotocol("chat")
        .unwrap()
        .extension("x-test; a", 0)
        .unwrap();
    let config = ClientConfig::new().limits(limits);
    Connection::client_with_entropy(&config, request, Scripted::boxed()).unwrap()
}

/// What a server makes of a request: the error, and the status it answers with.
#[track_caller]
fn refused(bytes: &[u8]) -> (HandshakeError, String) {
    let mut ws = waiting_server(Limits::server());
    let seen = receive(&mut ws, bytes);
    let [Seen::Failed(Failure::Handshake(error))] = seen[..] else {
        panic!("not one failure: {seen:?}");
    };
    assert_eq!(receive(&mut ws, &[0x81, 0x80, 0, 0, 0, 0]), []);
    let answer = String::from_utf8(take_output(&mut ws)).unwrap();
    assert!(answer.starts_with(&format!("HTTP/1.1 {} ", error.status())));
    (error, answer)
}

/// What a client makes of an answer: it drops the transport, and nothing is delivered.
#[track_caller]
fn dropped(bytes: &[u8]) -> HandshakeError {
    let mut ws = waiting_client(Limits::client());
    take_output(&mut ws);
    let mut bytes = bytes.to_vec();
    bytes.extend(b"\x81\x04data");
    let seen = receive(&mut ws, &bytes);
    let [Seen::Failed(Failure::Handshake(error)), Seen::Closed(_)] = seen[..] else {
        panic!("not one failure: {seen:?}");
    };
    assert_eq!((ws.transport(), ws.output_len()), (Transport::Close, 0));
    error
}

// ── lengths

/// Gorilla, gorilla/websocket#537: a 64-bit length overflowed the counter of what remains, and the
/// limit was passed by.
#[test]
fn cve_2020_27813() {
    for role in ROLES {
        let limits = Limits::server();
        for fragment in [false, true] {
            let max = limits.message;
            for len in [max + 1, (1 << 63) - 1, 1 << 63, u64::MAX - 1, u64::MAX] {
                let mut ws = with_limits(role, limits);
                let mut first = 0x82;
                if fragment {
                    assert_eq!(receive_frames(&mut ws, &[Frame::new(2, "x").more()]), []);
                    first = 0x80;
                }
                let error = fails(&mut ws, &header(role, first, len));
                if len >> 63 == 0 {
                    let limit = Limit::Frame;
                    assert_eq!(
                        error,
                        ProtocolError::Limit {
                            limit,
                            value: len,
                            max
                        }
                    );
                } else {
                    assert_eq!(error, ProtocolError::LengthTopBit);
                }
            }
            // What the limit allows comes through, and with the fragment before it it does not.
            let mut ws = with_limits(role, limits);
            let whole = vec![7; limits.message as usize];
            let frames = if fragment {
                vec![Frame::new(2, "x").more(), Frame::new(0, whole)]
            } else {
                vec![Frame::new(2, whole)]
            };
            let seen = receive_frames(&mut ws, &frames);
            assert_eq!(matches!(seen[..], [Seen::Binary(_)]), !fragment, "{role:?}");
        }
    }
}

/// NATS server: the length overflowed into a panic, before authentication.
#[test]
fn cve_2026_27889() {
    for role in ROLES {
        for shift in 0..64 {
            for len in [1u64 << shift, (1 << shift) - 1, u64::MAX - (1 << shift)] {
                let mut ws = with_limits(role, Limits::trusted());
                let seen = receive(&mut ws, &header(role, 0x82, len));
                let legal = len > 0xffff && len <= Limits::trusted().frame;
                assert_eq!(seen.is_empty(), legal, "{len}");
                assert!(ws.memory_held() < 1024);
            }
        }
    }
}

/// Undici: a 64-bit length broke the parser. The header alone decides, whatever comes or does not.
#[test]
fn cve_2026_1528() {
    for role in ROLES {
        let bytes = header(role, 0x82, 1 << 62);
        let mut ws = open(role);
        let (last, front) = bytes[..10].split_last().unwrap();
        assert_eq!(receive(&mut ws, front), []);
        assert!(matches!(
            fails(&mut ws, &[*last]),
            ProtocolError::Limit { .. }
        ));
    }
}

/// Tomcat: an invalid length made an endless loop. Every step takes bytes or ends.
#[test]
fn cve_2020_13935() {
    for role in ROLES {
        for len in [0, 125, 0xffff, 1 << 63, u64::MAX] {
            let mut ws = open(role);
            let mut bytes = header(role, 0x82, len);
            bytes.extend([0; 100]);
            let (mut input, mut calls) = (&mut bytes[..], 0);
            while ws.receive(&mut input).is_some() {
                calls += 1;
                assert!(calls <= 2, "more events than bytes can make");
            }
            assert!(input.is_empty());
        }
    }
}

/// websocket-driver: a length of any number of digits, in the frames of an old draft. There is one
/// protocol here, and its headers have 14 bytes at most.
#[test]
fn cve_2026_54466() {
    let hixie = "GET / HTTP/1.1\r\nHost: example.com\r\nUpgrade: WebSocket\r\nConnection: Upgrade\r\n\
                 Sec-WebSocket-Key1: 4 @1  46546xW%0l 1 5\r\nSec-WebSocket-Key2: 12998 5 Y3 1  .P00\r\n\r\n^n:ds[4U";
    let mut ws = waiting_server(Limits::server());
    let seen = receive(&mut ws, hixie.as_bytes());
    let missing = HandshakeError::Missing(Field::Version);
    assert_eq!(seen, [Seen::Failed(missing.into())]);
    assert_eq!(receive(&mut ws, &vec![0x80; 1 << 20]), []);
    assert!(ws.memory_held() < 4096);
}

/// The same library in Ruby; in an open connection such a frame is a continuation of nothing.
#[test]
fn cve_2026_54463() {
    for role in ROLES {
        let error = fails(&mut open(role), &vec![0x80; 1 << 20]);
        assert_eq!(error, ProtocolError::UnexpectedContinuation);
    }
}

/// baresip/re#1584, ios-webkit-debug-proxy#435, housleyjk/ws-rs#179: `4 + len` wrapped.
#[test]
fn header_and_length_added_up() {
    let mut limits = Limits::trusted();
    (limits.frame, limits.message) = (u64::MAX, u64::MAX);
    for role in ROLES {
        for base in [1 << 16, 1 << 31, 1 << 32, 1 << 63] {
            for less in 1..=16 {
                for first in [0x82, 0x02] {
                    let mut ws = with_limits(role, limits);
                    let mut bytes = header(role, first, base - less);
                    bytes.extend([0; 5]);
                    let seen = receive(&mut ws, &bytes);
                    assert_eq!(seen.is_empty(), base > 1 << 16, "{base} - {less}");
                    assert!(ws.memory_held() < 2048);
                }
            }
        }
        // The message's total does not wrap either.
        let mut ws = with_limits(role, limits);
        receive_frames(&mut ws, &[Frame::new(2, "x").more()]);
        assert_eq!(receive(&mut ws, &header(role, 0x80, (1 << 63) - 1)), []);
    }
}

/// nats-server#8029: reserved bits were not looked at, and a truncated header was waited for without end.
#[test]
fn nats_server_8029() {
    for role in ROLES {
        for bits in 1..8 {
            let error = fails(&mut open(role), &[0x82 | bits << 4]);
            assert_eq!(error, ProtocolError::ReservedBits { bits });
        }
        let mut timeouts = Timeouts::default();
        timeouts.idle = Some(Duration::from_secs(1));
        let mut ws = match role {
            Role::Server => support::server(&server_config().timeouts(timeouts)),
            Role::Client => support::client(&ClientConfig::new().timeouts(timeouts)),
        };
        ws.advance_time(Duration::ZERO);
        receive(&mut ws, &header(role, 0x82, 1 << 17)[..9]);
        let due = ws.next_deadline().expect("a deadline");
        support::pass(&mut ws, due);
        assert_eq!(receive(&mut ws, &[]), [Seen::Failed(Timeout::Idle.into())]);
    }
}

// ── memory

/// rust-websocket (CVE-2022-35922): `with_capacity` of the announced length.
#[test]
fn rustsec_2022_0035() {
    for role in ROLES {
        for first in [0x81, 0x82, 0x01, 0x02] {
            let limits = Limits::trusted();
            let mut ws = with_limits(role, limits);
            let mut bytes = header(role, first, limits.message);
            let unmasked = role == Role::Client;
            bytes.extend(if unmasked {
                *b"xx"
            } else {
                [b'x' ^ support::KEY[0], b'x' ^ support::KEY[1]]
            });
            assert_eq!(receive(&mut ws, &bytes), []);
            assert!(ws.memory_held() < 1024, "{}", ws.memory_held());
        }
        // The place to read into is bounded by what came, too.
        let mut ws = with_limits(role, Limits::trusted());
        receive(&mut ws, &header(role, 0x82, 1 << 30));
        assert_eq!(
            ws.receive_target().map(|target| target.len()),
            Some(64 << 10)
        );
    }
}

/// ws-rs (CVE-2020-35896): the buffer of outgoing bytes had no bound. The peer never reads, and asks
/// for pongs and an echo.
#[test]
fn rustsec_2020_0043() {
    for role in ROLES {
        let mut limits = Limits::server();
        limits.output = 10_000;
        let mut ws = with_limits(role, limits);
        let message = vec![7; 1000];
        let frames = [Frame::new(9, [1; 125]), Frame::new(2, &message)];
        let bytes = encode_for(role, &frames);
        let mut full = 0;
        for _ in 0..1000 {
            for seen in receive(&mut ws, &bytes) {
                if let Seen::Binary(message) = seen {
                    match ws.send(message) {
                        Ok(()) => {}
                        Err(unsent) => {
                            assert!(matches!(unsent.why, SendError::Full { .. }));
                            assert_eq!(unsent.message.len(), 1000);
                            full += 1;
                        }
                    }
                }
            }
        }
        assert!(full > 900);
        assert!(
            ws.output_len() < 10_000 + 1014 + 16 * 131,
            "{}",
            ws.output_len()
        );
        assert!(ws.memory_held() < 40_000);
    }
}

/// fastwebsockets#100, Java-WebSocket#1508, ds4#300, CWIST#161: the limit was that of a frame, and
/// a message had none.
#[test]
fn limit_per_frame_only() {
    for role in ROLES {
        let mut limits = Limits::server();
        (limits.frame, limits.message) = (1000, 3500);
        let mut ws = with_limits(role, limits);
        let part = |opcode| Frame::new(opcode, [7; 1000]).more();
        assert_eq!(receive_frames(&mut ws, &[part(2), part(0), part(0)]), []);
        let error = fails(&mut ws, &encode_for(role, &[part(0)]));
        let limit = Limit::Message;
        assert_eq!(
            error,
            ProtocolError::Limit {
                limit,
                value: 4000,
                max: 3500
            }
        );
        assert_eq!(error.close_code(), 1009);
    }
}

/// ws, ws#104: no maximum unless one was set.
#[test]
fn cve_2016_10542() {
    for limits in [Limits::server(), Limits::client(), Limits::trusted()] {
        assert!(limits.message <= 1 << 30 && limits.frame <= 1 << 30);
        assert!(limits.head <= 1 << 20 && limits.output <= 1 << 30 && limits.fragments <= 1 << 24);
    }
    for role in ROLES {
        let error = fails(&mut open(role), &header(role, 0x82, 1 << 31));
        assert_eq!(error.close_code(), 1009);
    }
}

/// NATS: no bound before authentication. The limits hold from the first byte on.
#[test]
fn cve_2026_33219() {
    for stream in [
        b"GET /".repeat(1 << 18),
        vec![b'a'; 1 << 20],
        vec![0xff; 1 << 20],
    ] {
        for mut ws in [
            waiting_server(Limits::server()),
            waiting_client(Limits::client()),
        ] {
            for piece in stream.chunks(1000) {
                receive(&mut ws, piece);
                assert!(ws.memory_held() < 3 * Limits::client().head as usize);
            }
            assert!(
                matches!(ws.state(), State::Closing | State::Closed),
                "it goes on"
            );
        }
    }
    // Nor after a request that nobody has decided on.
    let mut ws = waiting_server(Limits::server());
    receive(&mut ws, request("").as_bytes());
    for _ in 0..1000 {
        receive(&mut ws, &[0x82; 1000]);
        assert!(ws.memory_held() < 3 * Limits::server().held as usize);
    }
    assert_eq!(ws.state(), State::Closing);
}

/// A text or binary message of so many fragments of one byte each, and the most memory that was held.
fn tiny_fragments(role: Role, opcode: u8, count: usize) -> usize {
    let mut limits = Limits::trusted();
    limits.fragments = u32::MAX;
    let mut ws = with_limits(role, limits);
    let mut bytes = encode_for(role, &[Frame::new(opcode, "x").more()]);
    let fragment = encode_for(role, &[Frame::new(0, "x").more()]);
    for _ in 1..count {
        bytes.extend(&fragment);
    }
    let mut most = 0;
    for read in bytes.chunks(4096) {
        assert_eq!(receive(&mut ws, read), []);
        most = most.max(ws.memory_held());
    }
    let seen = receive_frames(&mut ws, &[Frame::new(0, "")]);
    match &seen[..] {
        [Seen::Text(text)] => assert_eq!(text.len(), count),
        [Seen::Binary(bytes)] => assert_eq!(bytes.len(), count),
        seen => panic!("{seen:?}"),
    }
    most
}

/// ws (GHSA-96hv-2xvq-fx4p): tiny fragments cost far more memory than their payload.
#[test]
fn cve_2026_48779() {
    for role in ROLES {
        for opcode in [1, 2] {
            let most = tiny_fragments(role, opcode, 100_000);
            assert!(most <= 2 * 100_000 + 1024, "{most} bytes for 100,000");
        }
    }
}

/// ws, after that: a cap on their number still let memory be fifteen times the payload.
#[test]
fn cve_2026_62389() {
    for role in ROLES {
        for count in [10, 100, 4095, 131_072] {
            assert!(tiny_fragments(role, 2, count) <= 2 * count + 1024);
        }
    }
}

/// ws#2329: empty continuations were not counted.
#[test]
fn ws_2329() {
    for role in ROLES {
        let mut limits = Limits::server();
        limits.fragments = 100;
        let mut ws = with_limits(role, limits);
        let mut frames = vec![Frame::new(1, "").more()];
        frames.extend((1..100).map(|_| Frame::new(0, "").more()));
        assert_eq!(receive_frames(&mut ws, &frames), []);
        let error = fails(&mut ws, &encode_for(role, &[Frame::new(0, "").more()]));
        assert_eq!(error.close_code(), 1008);
        // Below the cap they are legal.
        let mut ws = with_limits(role, limits);
        frames.pop();
        frames.push(Frame::new(0, ""));
        assert_eq!(receive_frames(&mut ws, &frames), [Seen::text("")]);
    }
}

/// Bandit: the total was measured again for each fragment.
#[test]
fn cve_2026_65623() {
    for role in ROLES {
        tiny_fragments(role, 1, 1_000_000);
        tiny_fragments(role, 2, 1_000_000);
    }
}

/// Undici: frames made memory grow without bound. Whatever mixture of them never ends a message.
#[test]
fn cve_2026_12151() {
    for role in ROLES {
        let mut limits = Limits::server();
        limits.message = 50_000;
        let mut ws = with_limits(role, limits);
        receive_frames(&mut ws, &[Frame::new(1, "").more()]);
        let frames = [
            Frame::new(0, "x").more(),
            Frame::new(9, [1; 125]),
            Frame::new(10, [2; 125]),
            Frame::new(0, "").more(),
        ];
        let bytes = encode_for(role, &frames);
        for _ in 0..20_000 {
            for read in bytes.chunks(7) {
                receive(&mut ws, read);
            }
            assert!(
                ws.memory_held() < 2 * 50_000 + 10_000,
                "{}",
                ws.memory_held()
            );
        }
        assert_eq!(ws.state(), State::Closing, "4096 fragments are enough");
    }
}

/// Tyrus#954, Beast#1363, openai-java#1013: a pong was queued for each ping of a peer that does not read.
#[test]
fn ping_flood() {
    for role in ROLES {
        let mut ws = open(role);
        let bytes = encode_for(role, &vec![Frame::new(9, [1; 125]); 100]);
        for _ in 0..2000 {
            receive(&mut ws, &bytes);
        }
        receive_frames(&mut ws, &[Frame::new(9, "the last")]);
        assert!(ws.memory_held() < 8192, "{}", ws.memory_held());
        // What the peer gets when it reads at last: the first pongs, and the one for the latest ping.
        let pongs = support::take_frames(&mut ws);
        assert_eq!(pongs.len(), 17);
        assert_eq!(pongs[16], Frame::new(10, "the last"));
    }
}

// ── frames

/// aiohttp (GHSA-mq44-7p77-q5h7): a compressed frame was taken though compression was not negotiated.
#[test]
fn cve_2026_59881() {
    for role in ROLES {
        for (before, first) in [
            (None, 0xc1),
            (None, 0xc2),
            (Some(1), 0xc0),
            (None, 0xc9),
            (None, 0xc8),
        ] {
            let mut ws = open(role);
            if let Some(opcode) = before {
                receive_frames(&mut ws, &[Frame::new(opcode, "a").more()]);
            }
            let error = fails(&mut ws, &[first, 0x80, 0, 0, 0, 0]);
            assert_eq!(error, ProtocolError::ReservedBits { bits: 4 });
        }
    }
}

/// Jetty: a huge payload under an unknown opcode was taken in. The first byte is enough.
#[test]
fn cve_2026_19204() {
    for role in ROLES {
        for opcode in (3..8).chain(11..16) {
            let mut ws = open(role);
            let bytes = header(role, 0x80 | opcode, 1 << 40);
            assert_eq!(
                fails(&mut ws, &bytes[..1]),
                ProtocolError::ReservedOpcode { opcode }
            );
            assert_eq!(receive(&mut ws, &vec![0; 1 << 20]), []);
            assert!(ws.memory_held() < 1024);
        }
    }
}

/// facil.io#169: the payload of an unmasked frame was delivered before the error.
#[test]
fn facil_io_169() {
    for role in ROLES {
        for opcode in [1, 2, 9, 10, 8] {
            let wrong = match role {
                Role::Server => Frame::new(opcode, "data"),
                Role::Client => Frame::new(opcode, "data").masked(support::KEY),
            };
            let error = fails(&mut open(role), &wrong.encode());
            assert!(matches!(
                error,
                ProtocolError::UnmaskedFrame | ProtocolError::MaskedFrame
            ));
        }
    }
}

// ── the opening handshake

/// tungstenite (RUSTSEC-2023-0065): the whole head was parsed again with each read, and had no cap.
#[test]
fn cve_2023_43669() {
    let mut limits = Limits::server();
    (limits.head, limits.fields) = (8 << 20, u16::MAX);
    let field = format!("X-Field: {}\r\n", "v".repeat(20_000));
    let many = field.repeat(100);
    let mut server = waiting_server(limits);
    let bytes = request(&many).into_bytes();
    assert!(bytes.len() > 2_000_000);
    let seen: Vec<Seen> = bytes
        .chunks(1)
        .flat_map(|byte| receive(&mut server, byte))
        .collect();
    assert!(matches!(seen[..], [Seen::Request { .. }]), "{seen:?}");
    assert!(server.memory_held() < 3 * bytes.len());

    let mut client = waiting_client(limits);
    let bytes = answer(&many).into_bytes();
    let seen: Vec<Seen> = bytes
        .chunks(1)
        .flat_map(|byte| receive(&mut client, byte))
        .collect();
    assert_eq!(seen, [Seen::Open]);

    // And the cap.
    let error = refused(request(&many).as_bytes()).0;
    assert_eq!(error, HandshakeError::HeadTooLong);
}

/// ws, ws#2230: with many fields a needed one was dropped, which crashed.
#[test]
fn cve_2024_37890() {
    let many: String = (0..2000).map(|i| format!("X-{i}: a\r\n")).collect();
    let mut limits = Limits::server();
    limits.head = 1 << 20;
    let before = request("").replace("Host:", &format!("{many}Host:"));
    for bytes in [before, request(&many)] {
        let mut ws = waiting_server(limits);
        let seen = receive(&mut ws, bytes.as_bytes());
        assert_eq!(seen, [Seen::Failed(HandshakeError::TooManyFields.into())]);
        assert!(ws.output().starts_with(b"HTTP/1.1 431 "));
    }
    let before = answer("").replace("Upgrade: w", &format!("{many}Upgrade: w"));
    for bytes in [before, answer(&many)] {
        assert_eq!(dropped(bytes.as_bytes()), HandshakeError::TooManyFields);
    }
}

/// websocket-driver: header fields without end.
#[test]
fn cve_2026_54465() {
    for (mut ws, head) in [
        (waiting_server(Limits::server()), request("")),
        (waiting_client(Limits::client()), answer("")),
    ] {
        let head = head.strip_suffix("\r\n").unwrap();
        receive(&mut ws, head.as_bytes());
        let mut failures = 0;
        for _ in 0..10_000 {
            // Few and long, so that it is the length that is passed.
            let seen = receive(&mut ws, format!("X: {}\r\n", "v".repeat(1000)).as_bytes());
            failures += seen.iter().filter_map(Seen::failure).count();
            assert!(ws.memory_held() < 3 * Limits::client().head as usize);
        }
        assert_eq!(failures, 1);
    }
}

/// websocket-driver: a malformed Host raised what nobody caught.
#[test]
fn cve_2026_61666() {
    let hosts: [&[u8]; 14] = [
        b"",
        b" ",
        b"a b",
        b"[",
        b"]",
        b"[::1",
        b"[]",
        b"::1",
        b"a:b",
        b"a:99999999",
        b"\xc3\xa9",
        b"\xff",
        b"user@example.com",
        b"a/b",
    ];
    for host in hosts {
        let head = request("");
        let (front, behind) = head.split_once("example.com").unwrap();
        let bytes = [front.as_bytes(), host, behind.as_bytes()].concat();
        let (error, answer) = refused(&bytes);
        assert!(
            matches!(
                error,
                HandshakeError::Invalid(Field::Host) | HandshakeError::Malformed { .. }
            ),
            "{host:?}: {error:?}"
        );
        assert!(answer.starts_with("HTTP/1.1 400 "));
    }
}

/// ws: a quadratic expression over `Sec-WebSocket-Protocol`.
#[test]
fn cve_2021_32640() {
    let mut limits = Limits::server();
    limits.head = 8 << 20;
    let blanks = " ".repeat(2 << 20);
    for list in [
        format!("a{blanks},b"),
        format!("a,{blanks}b"),
        format!("a{blanks}b"),
    ] {
        let mut ws = waiting_server(limits);
        let bytes = request(&format!("Sec-WebSocket-Protocol: {list}\r\n"));
        match receive(&mut ws, bytes.as_bytes())[..] {
            [Seen::Request { .. }] => ws.accept(Accept::new().subprotocol("b")).unwrap(),
            [Seen::Failed(Failure::Handshake(error))] => {
                assert_eq!(error, HandshakeError::Invalid(Field::Protocol));
            }
            ref seen => panic!("{seen:?}"),
        }
        let mut ws = waiting_client(limits);
        let bytes = answer(&format!("Sec-WebSocket-Protocol: {list}\r\n"));
        assert!(matches!(
            receive(&mut ws, bytes.as_bytes())[..],
            [Seen::Failed(_), _]
        ));
    }
}

/// websocket-extensions: an exponential expression over a quoted string.
#[test]
fn cve_2020_7662() {
    let unclosed = format!("a; b=\"{}", "\\c".repeat(1 << 20));
    assert!(Extensions::parse([unclosed.as_bytes()]).is_err());
    let closed = unclosed.clone() + "\"";
    let value = Extensions::parse([closed.as_bytes()])
        .unwrap()
        .next()
        .and_then(|extension| Some(extension.params().next()?.value()?.len()));
    assert_eq!(value, Some(1 << 20));
}

/// The same library in Ruby, through the handshake of both ends.
#[test]
fn cve_2020_7663() {
    let mut limits = Limits::server();
    limits.head = 8 << 20;
    let field = format!(
        "Sec-WebSocket-Extensions: a; b=\"{}\r\n",
        "\\c".repeat(1 << 20)
    );
    let mut ws = waiting_server(limits);
    let invalid = HandshakeError::Invalid(Field::Extensions);
    assert_eq!(
        receive(&mut ws, request(&field).as_bytes()),
        [Seen::Failed(invalid.into())]
    );
    let mut ws = waiting_client(limits);
    let seen = receive(&mut ws, answer(&field).as_bytes());
    assert!(matches!(seen[..], [Seen::Failed(_), Seen::Closed(_)]));
}

/// ws: names that objects of JavaScript have crashed the server.
#[test]
fn ghsa_5v72_xg48_5rpm() {
    for name in ["constructor", "__proto__", "toString", "hasOwnProperty"] {
        let field = format!("Sec-WebSocket-Extensions: {name}; {name}={name}\r\n");
        let mut ws = waiting_server(Limits::server());
        assert!(matches!(
            receive(&mut ws, request(&field).as_bytes())[..],
            [Seen::Request { .. }]
        ));
        ws.accept(Accept::new()).unwrap();
        let answer_head = String::from_utf8(take_output(&mut ws)).unwrap();
        assert!(!answer_head.contains("Extensions"));
        let error = dropped(answer(&field).as_bytes());
        assert_eq!(error, HandshakeError::ExtensionNotOffered);
    }
}

/// Granian: a subprotocol outside ASCII panicked.
#[test]
fn granian_subprotocol() {
    const FIELDS: [&str; 9] = [
        "Sec-WebSocket-Protocol",
        "Sec-WebSocket-Extensions",
        "Sec-WebSocket-Key",
        "Sec-WebSocket-Version",
        "Upgrade",
        "Connection",
        "Origin",
        "Cookie",
        "X-Any",
    ];
    for name in FIELDS {
        for byte in 0x80..=0xffu8 {
            for (mut ws, head) in [
                (waiting_server(Limits::server()), request("")),
                (waiting_client(Limits::client()), answer("")),
            ] {
                let head = head.strip_suffix("\r\n").unwrap();
                let bytes = [
                    head.as_bytes(),
                    name.as_bytes(),
                    b": a",
                    &[byte],
                    b"\r\n\r\n",
                ]
                .concat();
                let seen = receive(&mut ws, &bytes);
                if name == "Sec-WebSocket-Protocol" && ws.role() == Role::Server {
                    let invalid = HandshakeError::Invalid(Field::Protocol);
                    assert_eq!(seen, [Seen::Failed(invalid.into())]);
                }
                assert!(!seen.is_empty());
            }
        }
    }
}

/// Undici: CR and LF in what the caller gives for the handshake.
#[test]
fn cve_2026_1527() {
    for bad in ["\r\nX: y", "\n", "\r", "\0"] {
        for place in [
            "ws://ex{}ample.com/",
            "ws://example.com/a{}",
            "ws://example.com/?{}",
        ] {
            let uri = place.replace("{}", bad);
            assert!(Uri::parse(&uri).is_err() && Uri::parse_allowing_http(&uri).is_err());
        }
        let value = format!("a{bad}b");
        let request = || ClientRequest::new(Uri::parse("ws://example.com/").unwrap());
        assert_eq!(
            request().header("X", value.as_bytes()).err(),
            Some(FieldError::BadValue)
        );
        assert_eq!(
            request().header(&value, b"x").err(),
            Some(FieldError::BadName)
        );
        assert!(request().subprotocol(&value).is_err());
        assert!(request().extension(&value, 0).is_err());
        assert!(request().origin(&value).is_err());
        assert!(Accept::new().header("X", value.as_bytes()).is_err());
        assert!(Accept::new().header(&value, b"x").is_err());
        assert!(Response::new(404).header("X", value.as_bytes()).is_err());
        assert!(Response::new(404).header(&value, b"x").is_err());
        let mut ws = waiting_server(Limits::server());
        receive(&mut ws, self::request("").as_bytes());
        assert_eq!(
            ws.accept(Accept::new().subprotocol(value)),
            Err(AcceptError::SubprotocolNotOffered)
        );
        assert_eq!(ws.output_len(), 0);
    }
    // The reason of a Close frame has its length in front: nothing can be injected.
    let mut ws = open(Role::Server);
    ws.close(Some(CloseCode::NORMAL_CLOSURE), "\r\n\0").unwrap();
    assert_eq!(ws.output(), b"\x88\x05\x03\xe8\r\n\0");
}

/// aiohttp (GHSA-mfx4-hv73-q22v): the body of an upgrade request was read as frames.
#[test]
fn cve_2026_69243() {
    let frame = encode_for(Role::Server, &[Frame::new(1, "smuggled")]);
    let len = format!("Content-Length: {}\r\n", frame.len());
    for field in [
        &*len,
        "Transfer-Encoding: chunked\r\n",
        "Content-Length: x\r\n",
        "Content-Length: 0, 5\r\n",
    ] {
        let bytes = [request(field).as_bytes(), &frame].concat();
        assert_eq!(refused(&bytes).0, HandshakeError::Content, "{field}");
    }
    // The client's half: an answer that opens has no body, whatever it says, and frames follow it.
    let mut ws = waiting_client(Limits::client());
    let bytes = [answer("").as_bytes(), b"\x81\x02Hi"].concat();
    assert_eq!(receive(&mut ws, &bytes), [Seen::Open, Seen::text("Hi")]);
}

/// bun#35298: 101 for a wrong upgrade token, version or key.
#[test]
fn bun_35298() {
    assert!(matches!(
        receive(
            &mut waiting_server(Limits::server()),
            request("").as_bytes()
        )[..],
        [Seen::Request { .. }]
    ));
    let faults = [
        ("GET /", "POST /", 405),
        ("GET /", "GET ", 400),
        ("HTTP/1.1", "HTTP/1.0", 400),
        ("HTTP/1.1", "HTTP/2.0", 505),
        ("Host: example.com\r\n", "", 400),
        ("Host: ", "Host: a\r\nHost: ", 400),
        ("Upgrade: websocket", "Upgrade: h2c", 426),
        ("Upgrade: websocket", "Upgrade: websockets", 426),
        ("Upgrade: websocket\r\n", "", 426),
        ("Connection: Upgrade", "Connection: keep-alive", 400),
        ("Connection: Upgrade\r\n", "", 400),
        ("Version: 13", "Version: 12", 426),
        ("Version: 13", "Version: 013", 400),
        ("Version: 13", "Version: 13, 13", 400),
        ("Sec-WebSocket-Version: 13\r\n", "", 426),
        (KEY_FIELD, "", 400),
        ("jZQ==", "jZQ", 400),
        ("jZQ==", "j", 400),
        ("jZQ==", "jZTE=", 400),
        ("jZQ==", "jZ_==", 400),
        ("jZQ==", "jZQ==, x", 400),
        (KEY_FIELD, &KEY_FIELD.repeat(2), 400),
    ];
    for (right, wrong, status) in faults {
        let head = request("");
        assert!(head.contains(right));
        let (error, answer) = refused(head.replacen(right, wrong, 1).as_bytes());
        assert_eq!(error.status(), status, "{wrong}: {error:?}");
        assert!(answer.contains("\r\nSec-WebSocket-Version: 13\r\n"));
    }
}

/// bun#32825: the client took extensions and subprotocols that it had not offered, and worse.
#[test]
fn bun_32825() {
    let seen = receive(
        &mut waiting_client(Limits::client()),
        answer("Sec-WebSocket-Protocol: chat\r\nSec-WebSocket-Extensions: x-test; a\r\n")
            .as_bytes(),
    );
    assert_eq!(seen, [Seen::Open]);
    let extra = [
        "Sec-WebSocket-Protocol: other\r\n",
        "Sec-WebSocket-Protocol: Chat\r\n",
        "Sec-WebSocket-Protocol: chat, other\r\n",
        "Sec-WebSocket-Protocol: chat\r\nSec-WebSocket-Protocol: chat\r\n",
        "Sec-WebSocket-Protocol:\r\n",
        "Sec-WebSocket-Extensions: permessage-deflate\r\n",
        "Sec-WebSocket-Extensions: x-test; a, other\r\n",
        "Sec-WebSocket-Extensions: x-test; a\r\nSec-WebSocket-Extensions: other\r\n",
        "Sec-WebSocket-Extensions: ;\r\n",
        "Sec-WebSocket-Extensions:\r\n",
        "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n",
    ];
    for extra in extra {
        dropped(answer(extra).as_bytes());
    }
    let faults = [
        ("Upgrade: websocket", "Upgrade: h2c"),
        ("Upgrade: websocket", "Upgrade: websocket, h2c"),
        ("Upgrade: websocket\r\n", ""),
        ("Connection: Upgrade", "Connection: close"),
        ("Connection: Upgrade\r\n", ""),
        ("s3pP", "S3pP"),
        ("xOo=", "xOo"),
        ("Sec-WebSocket-Accept: ", "X: "),
        ("HTTP/1.1 101", "HTTP/1.0 101"),
        ("HTTP/1.1 101", "HTTP/2 101"),
        ("HTTP/1.1 101", "HTTP/1.1 1010"),
        ("HTTP/1.1 101", "101"),
    ];
    for (right, wrong) in faults {
        let head = answer("");
        assert!(head.contains(right));
        dropped(head.replacen(right, wrong, 1).as_bytes());
    }
}

/// Origin not looked at (cross-site hijacking): engine.io for Python (PYSEC-2019-170), Mailpit, Tilt,
/// Nginx-UI, DevSpace, Dozzle, Kubetail. A policy has to be given, and is kept.
#[test]
fn cve_2026_22689_55883_34403_42283_44985_44514() {
    let list = OriginPolicy::list(["https://own.example", "http://own.example:8080"]).unwrap();
    let policies = [
        (
            OriginPolicy::SameHost,
            vec![
                "http://example.com",
                "https://example.com",
                "http://EXAMPLE.com",
                "http://example.com:80",
            ],
            vec![
                "null",
                "http://evil.example",
                "http://example.com.evil.example",
                "http://evilexample.com",
                "http://example.com:8080",
                "http://example.com@evil.example",
                "example.com",
                "http://",
                "http://example.com, http://evil.example",
            ],
        ),
        (
            list,
            vec!["https://own.example", "http://own.example:8080"],
            vec![
                "null",
                "http://own.example",
                "https://own.example:444",
                "https://own.example.evil",
                "https://example.com",
            ],
        ),
    ];
    for (policy, good, bad) in policies {
        let verdict = |origin: &str| {
            let mut ws = Connection::server(&ServerConfig::new(policy.clone()));
            let field = format!("Origin: {origin}\r\n");
            let seen = receive(&mut ws, request(&field).as_bytes());
            match seen[..] {
                [Seen::Request { .. }] => None,
                [Seen::Failed(Failure::Handshake(error))] => Some(error),
                _ => panic!("{seen:?}"),
            }
        };
        for origin in good {
            assert_eq!(verdict(origin), None, "{origin}");
        }
        for origin in bad {
            let error = verdict(origin);
            assert!(
                matches!(
                    error,
                    Some(HandshakeError::Origin | HandshakeError::Invalid(Field::Origin))
                ),
                "{origin}: {error:?}"
            );
        }
    }
}

// ── what goes out

/// curl (curl#18496), ws#634: one mask for the whole connection.
#[test]
fn cve_2025_10148() {
    let recorder = Recorder::default();
    let mut ws = support::client_with(&ClientConfig::new(), recorder.clone());
    let mut bytes = Vec::new();
    let mut take = |ws: &mut Connection| bytes.extend(take_output(ws));
    for i in 0..260 {
        if i % 2 == 0 {
            ws.send("text").unwrap();
            ws.send(vec![0; 5000]).unwrap();
            take(&mut ws);
            ws.begin_message(Kind::Text, 1).unwrap();
            ws.write_message(b"x").unwrap();
        }
        ws.ping(b"").unwrap();
        ws.pong(b"").unwrap();
        take(&mut ws);
        ws.send_part(Part::binary(b"part").last_if(i % 2 == 1))
            .unwrap();
    }
    take(&mut ws);
    let frames = support::decode(&bytes);
    assert!(frames.len() >= 1000);
    let keys: Vec<Vec<u8>> = frames
        .iter()
        .map(|frame| frame.key.unwrap().to_vec())
        .collect();
    assert_eq!(
        keys,
        recorder.draws(),
        "one draw for each frame, and its bytes are the key"
    );
}

/// web_socket_channel#334: masks from a weak generator. Without a source of the caller's it is the
/// operating system's.
#[cfg(feature = "getrandom")]
#[test]
fn web_socket_channel_334() {
    let keys = || {
        let mut ws = Connection::upgraded_client(&ClientConfig::new(), Default::default());
        for _ in 0..1000 {
            ws.send("").unwrap();
        }
        support::decode(&take_output(&mut ws))
            .iter()
            .map(|frame| frame.key.unwrap())
            .collect::<Vec<_>>()
    };
    let (mut keys, other) = (keys(), keys());
    assert_ne!(keys, other);
    // By chance two of 2000 are the same once in 2000 runs; two pairs never.
    keys.extend(other);
    keys.sort_unstable();
    keys.dedup();
    assert!(keys.len() >= 1999);
    let ones: u32 = keys.iter().flatten().map(|byte| byte.count_ones()).sum();
    assert!((31_000..33_000).contains(&ones), "{ones} of 64,000 bits");
}

/// Delphi-Cross-Socket#198, wtx#405: unmasked frames of a client, masked ones of a server.
#[test]
fn masked_by_role() {
    for role in ROLES {
        let mut ws = open(role);
        ws.send("text").unwrap();
        ws.send(vec![1; 5000]).unwrap();
        ws.send_part(Part::text(b"a")).unwrap();
        ws.send_part(Part::text(b"b").last()).unwrap();
        ws.ping(b"1").unwrap();
        ws.pong(b"2").unwrap();
        receive_frames(&mut ws, &[Frame::new(9, "ping")]);
        ws.begin_message(Kind::Binary, 2).unwrap();
        ws.write_message(b"cd").unwrap();
        ws.close(Some(CloseCode::NORMAL_CLOSURE), "bye").unwrap();
        // `take_frames` looks at each mask.
        let opcodes: Vec<u8> = support::take_frames(&mut ws)
            .iter()
            .map(|frame| frame.opcode)
            .collect();
        assert_eq!(opcodes, [1, 2, 1, 0, 9, 10, 10, 2, 8]);
        let mut ws = open(role);
        fails(&mut ws, &[0xff, 0xff]);
        assert_eq!(support::take_frames(&mut ws).len(), 1);
    }
}

/// ws: the reason of a Close frame, of a type that nobody had thought of, sent uninitialised memory.
#[test]
fn cve_2026_45736() {
    for role in ROLES {
        for len in [0, 1, 122, 123, 124, 1000] {
            let reason = "r".repeat(len);
            let mut ws = open(role);
            let closed = ws.close(Some(CloseCode::NORMAL_CLOSURE), &reason);
            if len > 123 {
                let error = CloseError::ReasonTooLong { len, max: 123 };
                assert_eq!((closed, ws.output_len()), (Err(error), 0));
                continue;
            }
            let frames = support::take_frames(&mut ws);
            let payload = [b"\x03\xe8", reason.as_bytes()].concat();
            assert_eq!(frames, [Frame::new(8, payload)]);
        }
    }
}

/// ws (CVE-2016-10518): the payload of a ping, of an odd type too.
#[test]
fn ghsa_2mhh_w6q8_5hxw() {
    for role in ROLES {
        for len in 0..=130 {
            let payload = vec![0x5a; len];
            let mut ws = open(role);
            let sent = ws.ping(&payload);
            if len > 125 {
                let (len, max) = (len as u64, 125);
                let error = SendError::TooLong { len, max };
                assert_eq!((sent, ws.output_len()), (Err(error), 0));
            } else {
                assert_eq!(support::take_frames(&mut ws), [Frame::new(9, payload)]);
            }
        }
    }
}

/// tokio-websockets (five of them), tungstenite 0.26.1: undefined behaviour in unsafe fast paths.
#[test]
fn unsafe_fast_paths() {
    assert!(include_str!("../../../src/lib.rs").contains("\n#![forbid(unsafe_code)]\n"));
}
