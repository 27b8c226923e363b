//! Limits (RFC 6455 §10.4): judged before anything is stored, exact, and memory that follows what
//! was received.

use sansocket::config::{Delivery, Limits};
use sansocket::error::Failure;
use sansocket::error::{HandshakeError, Limit, ProtocolError};
use sansocket::{ClientRequest, Connection, Role};

use crate::support::*;

fn limited(role: Role, delivery: Delivery, change: impl Fn(&mut Limits)) -> Connection {
    let mut limits = match role {
        Role::Server => Limits::server(),
        Role::Client => Limits::client(),
    };
    change(&mut limits);
    match role {
        Role::Server => server(&server_config().limits(limits).delivery(delivery)),
        Role::Client => client(&client_config().limits(limits).delivery(delivery)),
    }
}

fn over(limit: Limit, value: u64, max: u64) -> Seen {
    Seen::Failed(Failure::Protocol(ProtocolError::Limit {
        limit,
        value,
        max,
    }))
}

const DELIVERIES: [Delivery; 2] = [Delivery::Whole, Delivery::Chunks];

/// RX-3: the frame limit is exact, for each form of the length.
#[test]
fn the_frame_limit() {
    for role in ROLES {
        for max in [0, 4, 125, 126, 65535, 65536] {
            for way in WAYS {
                let ws = limited(role, Delivery::Whole, |limits| limits.frame = max);
                let mut driver = Driver::new(ws, *way);
                let payload = vec![b'a'; max as usize];
                let fits = Frame::new(TEXT, &payload);
                let more = Frame::new(BINARY, [&payload[..], b"a"].concat());
                driver.read(&encode_for(role, &[fits, more]));
                let expected = [
                    Seen::Text("a".repeat(max as usize)),
                    over(Limit::Frame, max + 1, max),
                ];
                assert_eq!(driver.events, expected, "{way:?}");
                assert_eq!(take_frames(&mut driver.ws), [Frame::new(CLOSE, [3, 0xf1])]);
            }
        }
    }
}

/// RX-3: the message limit is on all fragments together, in streaming delivery too, and is judged
/// at the header.
#[test]
fn the_message_limit() {
    for role in ROLES {
        for delivery in DELIVERIES {
            let mut ws = limited(role, delivery, |limits| limits.message = 10);
            let parts = |lens: [usize; 3]| {
                let [a, b, c] = lens.map(|len| vec![b'x'; len]);
                [
                    Frame::new(TEXT, a).more(),
                    Frame::new(CONTINUATION, b).more(),
                    Frame::new(CONTINUATION, c),
                ]
            };
            let events = joined(&receive_frames(&mut ws, &parts([3, 3, 4])));
            assert_eq!(events, [Seen::text("xxxxxxxxxx")]);
            let input = encode_for(role, &parts([3, 3, 5]));
            // Without the payload of the last one.
            let events = receive(&mut ws, &input[..input.len() - 5]);
            assert_eq!(
                joined(&events),
                [over(Limit::Message, 11, 10)],
                "{delivery:?}"
            );
        }
    }
}

/// §10.4: a message in one frame has to fit both limits.
#[test]
fn the_smaller_limit_counts() {
    for role in ROLES {
        let mut ws = limited(role, Delivery::Whole, |limits| {
            (limits.frame, limits.message) = (20, 10);
        });
        let events = receive_frames(&mut ws, &[Frame::new(BINARY, [0; 11])]);
        assert_eq!(events, [over(Limit::Message, 11, 10)]);
        let mut ws = limited(role, Delivery::Whole, |limits| {
            (limits.frame, limits.message) = (10, 20);
        });
        let frames = [
            Frame::new(BINARY, [0; 10]).more(),
            Frame::new(CONTINUATION, [0; 10]),
            Frame::new(BINARY, [0; 11]),
        ];
        let expected = [Seen::binary([0; 20]), over(Limit::Frame, 11, 10)];
        assert_eq!(receive_frames(&mut ws, &frames), expected);
    }
}

/// SEC-4: fragments are counted, empty ones too, and the count is exact; control frames are none.
#[test]
fn the_fragment_limit() {
    for role in ROLES {
        for delivery in DELIVERIES {
            let mut ws = limited(role, delivery, |limits| limits.fragments = 3);
            let fits = [
                Frame::new(TEXT, "").more(),
                Frame::new(CONTINUATION, "").more(),
                Frame::new(PING, ""),
                Frame::new(PONG, ""),
                Frame::new(CONTINUATION, "a"),
            ];
            let events = joined(&receive_frames(&mut ws, &fits));
            let expected = [Seen::ping(""), Seen::pong(""), Seen::text("a")];
            assert_eq!(events, expected);
            take_output(&mut ws);
            let more = [
                Frame::new(TEXT, "").more(),
                Frame::new(CONTINUATION, "").more(),
                Frame::new(CONTINUATION, "").more(),
                // After as many as there may be, too.
                Frame::new(PING, ""),
                Frame::new(CONTINUATION, "").more(),
            ];
            let events = receive_frames(&mut ws, &more);
            let expected = [Seen::ping(""), over(Limit::Fragments, 4, 3)];
            assert_eq!(joined(&events), expected);
            let answers = [Frame::new(PONG, ""), Frame::new(CLOSE, [3, 0xf0])];
            assert_eq!(take_frames(&mut ws), answers);
        }
    }
}

/// SEC-4: endless empty fragments cost no memory.
#[test]
fn empty_fragments_cost_no_memory() {
    for role in ROLES {
        let mut ws = limited(role, Delivery::Whole, |limits| limits.fragments = u32::MAX);
        receive_frames(&mut ws, &[Frame::new(TEXT, "").more()]);
        let before = ws.memory_held();
        let input = encode_for(role, &vec![Frame::new(CONTINUATION, "").more(); 1000]);
        for _ in 0..20 {
            assert_eq!(receive(&mut ws, &input), []);
            assert_eq!(ws.memory_held(), before);
        }
    }
}

/// F-9: an announced length is no reason to allocate, with no limit set; nor for the target.
#[test]
fn nothing_is_allocated_for_an_announcement() {
    let endless = |limits: &mut Limits| {
        (limits.frame, limits.message) = (u64::MAX, u64::MAX);
    };
    for role in ROLES {
        for opcode in [TEXT, BINARY] {
            for way in WAYS {
                let mut header = vec![0x80 | opcode, 127, 0x7f];
                header.extend([0xff; 7]);
                if role == Role::Server {
                    header[1] |= 0x80;
                    header.extend(KEY);
                }
                let mut driver = Driver::new(limited(role, Delivery::Whole, endless), *way);
                driver.read(&header);
                assert!(driver.ws.memory_held() < 1000, "{way:?}");
                // Text has to be text under the key.
                let mut piece = vec![b'a'; 3000];
                if role == Role::Server {
                    (0..3000).for_each(|i| piece[i] ^= KEY[i % 4]);
                }
                driver.read(&piece);
                assert_eq!(driver.events, []);
                let room = if *way == Way::Target {
                    192 << 10
                } else {
                    8 << 10
                };
                assert!(driver.ws.memory_held() < room, "{way:?}");
            }
        }
    }
}

/// What is gathered stands at twice the message limit at most.
#[test]
fn a_message_in_the_making_is_bounded() {
    for role in ROLES {
        for opcode in [TEXT, BINARY] {
            for way in [Way::Lent, Way::Prepared, Way::Target] {
                let ws = limited(role, Delivery::Whole, |limits| limits.message = 100_000);
                let mut driver = Driver::new(ws, way);
                let mut frames = vec![Frame::new(opcode, "").more()];
                frames.extend(vec![Frame::new(CONTINUATION, [b'a'; 999]).more(); 100]);
                let input = encode_for(role, &frames);
                for read in input.chunks(777) {
                    driver.read(read);
                    assert!(driver.ws.memory_held() < 101_000, "{way:?}");
                }
                assert_eq!(driver.events, []);
                driver.read(&encode_for(role, &[Frame::new(CONTINUATION, [b'a'; 101])]));
                let expected = [over(Limit::Message, 100_001, 100_000)];
                assert_eq!(driver.events, expected);
                assert!(driver.ws.memory_held() < 1000, "given up: {way:?}");
            }
        }
    }
}

/// Streaming has constant memory, for a message of any length.
#[test]
fn streaming_has_constant_memory() {
    for role in ROLES {
        let mut ws = limited(role, Delivery::Chunks, |limits| {
            (limits.frame, limits.message) = (u64::MAX, u64::MAX);
        });
        let mut header = vec![0x82, 127, 0x7f];
        header.extend([0xff; 7]);
        if role == Role::Server {
            header[1] |= 0x80;
            header.extend(KEY);
        }
        receive(&mut ws, &header);
        let before = ws.memory_held();
        for _ in 0..100 {
            assert_eq!(receive(&mut ws, &[0; 10_000]).len(), 1);
            assert_eq!(ws.memory_held(), before);
        }
    }
}

/// A control frame that is split over reads is held in at most 125 bytes, and given back.
#[test]
fn a_split_control_frame_is_small() {
    for role in ROLES {
        let mut ws = open(role);
        let input = encode_for(role, &[Frame::new(PONG, [1; 125])]);
        let mut events = Vec::new();
        for byte in &input {
            events.extend(receive(&mut ws, &[*byte]));
            assert!(ws.memory_held() < 2000);
        }
        assert_eq!(events, [Seen::pong([1; 125])]);
    }
}

/// HS-24, D-30 (RFC 9110 §5.4): the limit on header fields is exact in both roles, and there is room
/// for 128, however many are allowed.
#[test]
fn the_limit_of_fields() {
    let request = "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
        Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    for (fields, room) in [(10, 10), (128, 128), (129, 128), (u16::MAX, 128)] {
        for more in [0, 1] {
            let mut limits = Limits::client();
            limits.fields = fields;
            let mut ws = Connection::server(&server_config().limits(limits));
            let head = format!("{request}{}\r\n", "X: y\r\n".repeat(room - 5 + more));
            let events = receive(&mut ws, head.as_bytes());
            let mut peer = client_of(&limits);
            let head = format!("HTTP/1.1 404 x\r\n{}\r\n", "X: y\r\n".repeat(room + more));
            let mut answered = receive(&mut peer, head.as_bytes());
            if more == 0 {
                assert!(matches!(events[..], [Seen::Request { .. }]), "{fields}");
                peer.receive_eof();
                answered = receive(&mut peer, b"");
                assert!(matches!(answered[0], Seen::Refused { status: 404, .. }));
                continue;
            }
            let failed = Seen::Failed(HandshakeError::TooManyFields.into());
            assert_eq!((events, &answered[0]), (vec![failed.clone()], &failed));
            assert!(ws.output().starts_with(b"HTTP/1.1 431 "));
        }
    }
}

fn client_of(limits: &Limits) -> Connection {
    let request = ClientRequest::new("ws://a/".parse().unwrap());
    let config = client_config().limits(*limits);
    Connection::client_with_entropy(&config, request, Box::new(SampleKey)).unwrap()
}

/// The presets, as documented.
#[test]
fn presets() {
    let (server, client, trusted) = (Limits::server(), Limits::client(), Limits::trusted());
    assert_eq!((server.frame, server.message), (1 << 20, 1 << 20));
    assert_eq!((client.frame, client.message), (16 << 20, 16 << 20));
    assert_eq!((trusted.frame, trusted.message), (1 << 30, 1 << 30));
    assert_eq!(
        (server.head, server.fields, server.fragments),
        (16 << 10, 64, 4096)
    );
    assert_eq!(
        (client.head, client.fields, client.fragments),
        (64 << 10, 128, 65_536)
    );
    assert_eq!(
        (trusted.head, trusted.fragments, trusted.output),
        (64 << 10, 1 << 24, 64 << 20)
    );
    // And the defaults of a connection are those.
    for role in ROLES {
        let max = if role == Role::Server {
            server.frame
        } else {
            client.frame
        };
        let mut ws = open(role);
        let mut header = vec![0x82, 127];
        header.extend((max + 1).to_be_bytes());
        if role == Role::Server {
            header[1] |= 0x80;
        }
        assert_eq!(
            receive(&mut ws, &header),
            [over(Limit::Frame, max + 1, max)]
        );
    }
}
