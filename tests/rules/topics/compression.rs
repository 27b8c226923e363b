//! permessage-deflate through the connection (RFC 7692 §5 to §7): what goes out, and that the other
//! end reads it. The codec and the negotiation by themselves are tested beside their code; the bytes
//! of the RFC are in `tests/models/data/vectors.txt`.

use sansocket::config::{Delivery, Limits};
use sansocket::error::Failure;
use sansocket::error::SendError;
use sansocket::error::{Limit, ProtocolError};
use sansocket::extension::Compress;
use sansocket::extension::PermessageDeflate;
use sansocket::{Accept, ClientRequest, Connection, Kind, Negotiated, Part, Prepared, Role, Uri};

use crate::support::*;

const TAKEOVER: &str = "permessage-deflate";
const NO_TAKEOVER: &str =
    "permessage-deflate; server_no_context_takeover; client_no_context_takeover";

/// Compresses whatever its length; a client masks with [`KEY`].
fn with(role: Role, agreed: &str, fragment: u32, delivery: Delivery) -> Connection {
    let agreed = Negotiated::new().extensions(agreed);
    opened(match role {
        Role::Server => {
            let config = server_config()
                .deflate(PermessageDeflate::server().threshold(0))
                .fragment(fragment)
                .delivery(delivery);
            Connection::upgraded_server(&config, agreed)
        }
        Role::Client => {
            let config = client_config()
                .deflate(PermessageDeflate::client().threshold(0))
                .fragment(fragment)
                .delivery(delivery);
            Connection::upgraded_client_with_entropy(&config, agreed, Box::new(SampleKey))
        }
    })
}

/// A connection of this role and its peer.
fn pair(role: Role, agreed: &str) -> (Connection, Connection) {
    (
        with(role, agreed, 0, Delivery::Whole),
        with(role.peer(), agreed, 0, Delivery::Whole),
    )
}

/// "Hello" many times over, with something that is not.
fn text(n: usize) -> String {
    (0..n).map(|i| format!("Hello {i} Hello, ")).collect()
}

/// Agreed on in the opening handshake, in use on both ends, and told as the answer has it (HS-18, X-6,
/// PN-2, W-14).
#[test]
fn agreed_in_the_opening_handshake() {
    let server_config = server_config().deflate(PermessageDeflate::server());
    let client_config = client_config().deflate(PermessageDeflate::client());
    let request = ClientRequest::new(Uri::parse("ws://h/").unwrap());
    let mut client =
        Connection::client_with_entropy(&client_config, request, Box::new(SampleKey)).unwrap();
    let mut server = Connection::server(&server_config);
    let head = take_output(&mut client);
    let offer = "\r\nSec-WebSocket-Extensions: permessage-deflate";
    assert!(String::from_utf8_lossy(&head).contains(offer));
    receive(&mut server, &head);
    server.accept(Accept::new()).unwrap();
    let head = take_output(&mut server);
    let answer = String::from_utf8_lossy(&head).into_owned();
    assert_eq!(answer.matches("Sec-WebSocket-Extensions").count(), 1);
    assert_eq!(client.extensions(), "");
    assert_eq!(receive(&mut client, &head), [Seen::Open]);
    assert_eq!(receive(&mut server, b""), [Seen::Open]);
    assert!(answer.contains(&format!(": {}\r\n", client.extensions())));
    assert_eq!(client.extensions(), server.extensions());
    for (a, b) in [(&mut client, &mut server)] {
        for _ in 0..3 {
            a.send(&text(10)).unwrap();
            let sent = take_output(a);
            assert_eq!(decode(&sent)[0].rsv, 4);
            assert_eq!(receive(b, &sent), [Seen::Text(text(10))]);
            b.send(&text(20)).unwrap();
            let sent = take_output(b);
            assert_eq!(decode(&sent)[0].rsv, 4);
            assert_eq!(receive(a, &sent), [Seen::Text(text(20))]);
        }
    }
}

/// PN-3, HS-16, X-10: where one end does not want it there is no such field, and RSV1 fails.
#[test]
fn not_agreed_on() {
    for wanted in [Role::Client, Role::Server] {
        let mut server_config = server_config();
        let mut client_config = client_config();
        match wanted {
            Role::Client => client_config = client_config.deflate(PermessageDeflate::client()),
            Role::Server => server_config = server_config.deflate(PermessageDeflate::server()),
        }
        let request = ClientRequest::new(Uri::parse("ws://h/").unwrap());
        let mut client =
            Connection::client_with_entropy(&client_config, request, Box::new(SampleKey)).unwrap();
        let mut server = Connection::server(&server_config);
        receive(&mut server, &take_output(&mut client));
        server.accept(Accept::new()).unwrap();
        let head = take_output(&mut server);
        assert!(!String::from_utf8_lossy(&head).contains("Extensions"));
        receive(&mut client, &head);
        receive(&mut server, b"");
        for ws in [&mut client, &mut server] {
            assert_eq!(ws.extensions(), "");
            ws.send_with(&text(100), Compress::Always).unwrap();
            assert_eq!(decode(&take_output(ws))[0].rsv, 0, "TX-3");
            let bits = ProtocolError::ReservedBits { bits: 4 };
            assert_eq!(
                receive(ws, &[0xc1]),
                [Seen::Failed(Failure::Protocol(bits))]
            );
        }
    }
}

/// S-4, D-23: compression that is required and not agreed on: open, then at once Close 1010 with what
/// was missed; no message is delivered.
#[test]
fn required_and_not_agreed_on() {
    let config = client_config()
        .deflate(PermessageDeflate::client())
        .require_extension();
    let request = ClientRequest::new(Uri::parse("ws://h/").unwrap());
    let mut client =
        Connection::client_with_entropy(&config, request, Box::new(SampleKey)).unwrap();
    let mut server = Connection::server(&server_config());
    receive(&mut server, &take_output(&mut client));
    server.accept(Accept::new()).unwrap();
    server.send("a").unwrap();
    let events = receive(&mut client, &take_output(&mut server));
    let missing = Failure::Protocol(ProtocolError::ExtensionMissing);
    assert_eq!(events, [Seen::Open, Seen::Failed(missing)]);
    let close = Frame::new(CLOSE, b"\x03\xf2permessage-deflate");
    assert_eq!(take_frames(&mut client), [close]);
}

/// PF-1, PF-3, PF-8, PC-1: RSV1 and the message's own opcode, one frame, masked by a client after it
/// was compressed, and what ends it taken off; for every type of message.
#[test]
fn a_compressed_message() {
    for role in ROLES {
        for agreed in [TAKEOVER, NO_TAKEOVER] {
            let (mut a, mut b) = pair(role, agreed);
            let text = text(50);
            a.send(&*text).unwrap();
            a.send(text.clone()).unwrap();
            a.send(text.as_bytes()).unwrap();
            a.send(text.clone().into_bytes()).unwrap();
            a.send(&Prepared::text(&text)).unwrap();
            a.send(&Prepared::text(&text).with_deflate(6, &[15, 9]))
                .unwrap();
            #[cfg(feature = "bytes")]
            a.send(bytes::Bytes::from(text.clone())).unwrap();
            let sent = take_output(&mut a);
            for frame in decode(&sent) {
                assert_eq!((frame.rsv, frame.fin), (4, true));
                assert!(frame.payload.len() < text.len() / 2);
                assert!(!frame.payload.ends_with(&[0, 0, 0xff, 0xff]));
                assert_eq!(frame.key.is_some(), role == Role::Client);
            }
            let events = receive(&mut b, &sent);
            let (is_text, is_binary) = (Seen::text(&text), Seen::binary(&text));
            let mut expected = vec![is_text.clone(), is_text.clone()];
            expected.extend([is_binary.clone(), is_binary.clone()]);
            expected.extend([is_text.clone(), is_text]);
            #[cfg(feature = "bytes")]
            expected.push(is_binary);
            assert_eq!(events, expected, "{role:?} {agreed}");
        }
    }
}

/// PF-1, PC-14: it is the sender's choice for each message.
#[test]
fn which_messages_are_compressed() {
    let agreed = Negotiated::new().extensions(TAKEOVER);
    let config = server_config().deflate(PermessageDeflate::server());
    let mut ws = opened(Connection::upgraded_server(&config, agreed));
    let mut rsv = |message: &str, compress| {
        ws.send_with(message, compress).unwrap();
        let frames = take_frames(&mut ws);
        assert_eq!(frames.len(), 1, "no fragments were asked for");
        frames[0].rsv
    };
    let (short, long) = ("x".repeat(63), "x".repeat(64));
    assert_eq!(
        (rsv(&short, Compress::Auto), rsv(&long, Compress::Auto)),
        (0, 4)
    );
    assert_eq!(
        (rsv(&short, Compress::Always), rsv(&long, Compress::Always)),
        (4, 4)
    );
    assert_eq!(
        (rsv(&short, Compress::Never), rsv(&long, Compress::Never)),
        (0, 0)
    );
    assert_eq!(
        (rsv(&short, Compress::Alone), rsv(&long, Compress::Alone)),
        (4, 4)
    );
    // Of known length in one frame: not compressed, as its length would be unknown.
    ws.begin_message(Kind::Text, 100).unwrap();
    ws.write_message(&[b'x'; 100]).unwrap();
    assert_eq!(take_frames(&mut ws)[0].rsv, 0);
}

/// PC-8, PC-9: with the context taken over the second message refers to the first; without it is the
/// same bytes again. `Alone` refers to nothing and nothing to it.
#[test]
fn the_context_between_messages() {
    for role in ROLES {
        let send = |ws: &mut Connection, compress| {
            ws.send_with("Hello, hello, hello!", compress).unwrap();
            take_frames(ws).remove(0).payload
        };
        let mut ws = with(role, NO_TAKEOVER, 0, Delivery::Whole);
        let first = send(&mut ws, Compress::Auto);
        assert_eq!(send(&mut ws, Compress::Auto), first);
        let (mut ws, mut peer) = pair(role, TAKEOVER);
        assert_eq!(send(&mut ws, Compress::Auto), first);
        assert!(send(&mut ws, Compress::Auto).len() < first.len());
        let alone = send(&mut ws, Compress::Alone);
        assert_eq!(alone.len(), first.len());
        let after = send(&mut ws, Compress::Auto);
        assert_eq!(after.len(), first.len(), "the window is empty after it");
        // PC-10: an uncompressed message does not touch the window.
        let (mut ws, _) = pair(role, TAKEOVER);
        send(&mut ws, Compress::Auto);
        let second = send(&mut ws, Compress::Auto);
        let (mut ws, _) = pair(role, TAKEOVER);
        send(&mut ws, Compress::Auto);
        send(&mut ws, Compress::Never);
        assert_eq!(send(&mut ws, Compress::Auto), second);
        // And the other end follows all of it.
        let (mut ws, _) = pair(role, TAKEOVER);
        for compress in [
            Compress::Auto,
            Compress::Never,
            Compress::Auto,
            Compress::Alone,
        ] {
            for message in ["Hello, hello, hello!", ""] {
                ws.send_with(message, compress).unwrap();
                let sent = take_output(&mut ws);
                assert_eq!(receive(&mut peer, &sent), [Seen::text(message)]);
            }
            ws.park();
            peer.park();
        }
    }
}

/// PC-6: an empty message is the byte 00.
#[test]
fn an_empty_message() {
    for role in ROLES {
        for agreed in [TAKEOVER, NO_TAKEOVER] {
            let (mut a, mut b) = pair(role, agreed);
            // The second time there is nothing to flush.
            for _ in 0..2 {
                a.send_with("", Compress::Always).unwrap();
                let sent = take_output(&mut a);
                assert_eq!(decode(&sent)[0].payload, [0]);
                assert_eq!(receive(&mut b, &sent), [Seen::text("")]);
            }
        }
    }
}

/// PC-5, PF-2: RSV1 on the first fragment only; parts, and messages that are split automatically.
#[test]
fn compressed_fragments() {
    for role in ROLES {
        for agreed in [TAKEOVER, NO_TAKEOVER] {
            let (mut a, mut b) = pair(role, agreed);
            for _ in 0..2 {
                a.send_part(Part::text(b"He")).unwrap();
                a.ping(b"p").unwrap();
                a.send_part(Part::text(b"")).unwrap();
                a.send_part(Part::text(b"llo")).unwrap();
                assert_eq!(a.send("x").unwrap_err().why, SendError::MessageInProgress);
                a.send_part(Part::text(b"").last()).unwrap();
                let sent = take_output(&mut a);
                let shape: Vec<_> = decode(&sent)
                    .iter()
                    .map(|frame| (frame.opcode, frame.rsv, frame.fin))
                    .collect();
                let expected = [
                    (TEXT, 4, false),
                    (PING, 0, true),
                    (CONTINUATION, 0, false),
                    (CONTINUATION, 0, false),
                    (CONTINUATION, 0, true),
                ];
                assert_eq!(shape, expected);
                assert_eq!(
                    receive(&mut b, &sent),
                    [Seen::ping("p"), Seen::text("Hello")]
                );
            }
            let mut a = with(role, agreed, 10, Delivery::Whole);
            let text = text(100);
            for _ in 0..2 {
                a.send(&*text).unwrap();
                let first = a.output().len().min(3);
                let mut sent = a.output()[..first].to_vec();
                a.consume_output(first);
                a.ping(b"p").unwrap();
                sent.extend(take_output(&mut a));
                let frames = decode(&sent);
                assert_eq!((frames[0].rsv, frames[0].fin), (4, false));
                assert_eq!(frames[1].opcode, PING, "it slips in between");
                assert!(frames[1..].iter().all(|frame| frame.rsv == 0));
                assert!(frames.iter().all(|frame| frame.payload.len() <= 10));
                assert_eq!(receive(&mut b, &sent), [Seen::ping("p"), Seen::text(&text)]);
            }
        }
    }
}

/// PF-4: control frames are never compressed.
#[test]
fn control_frames_are_not_compressed() {
    for role in ROLES {
        let mut ws = with(role, TAKEOVER, 0, Delivery::Whole);
        ws.ping(&[b'x'; 125]).unwrap();
        receive_frames(&mut ws, &[Frame::new(PING, [b'x'; 125])]);
        ws.close(sansocket::CloseCode::new(1000), &"x".repeat(123))
            .unwrap();
        let frames = take_frames(&mut ws);
        assert_eq!(frames.len(), 3);
        assert!(
            frames
                .iter()
                .all(|frame| frame.rsv == 0 && frame.payload.len() == 125)
        );
    }
}

/// W-11: what was handed in counts, not what it became; and it is 0 when all was taken.
#[test]
fn buffered_amount_counts_what_was_handed_in() {
    for role in ROLES {
        for fragment in [0, 10] {
            let mut ws = with(role, TAKEOVER, fragment, Delivery::Whole);
            ws.send(&text(10)).unwrap();
            ws.ping(b"p").unwrap();
            ws.send_with(&text(20), Compress::Never).unwrap();
            ws.send(&text(30)).unwrap();
            let total = [10, 20, 30].map(|n| text(n).len() as u64).iter().sum();
            assert_eq!(ws.buffered_amount(), total);
            let mut last = total;
            while ws.output_len() > 0 {
                ws.consume_output(1);
                assert!(ws.buffered_amount() <= last);
                last = ws.buffered_amount();
            }
            assert_eq!(last, 0, "{role:?} {fragment}");
        }
    }
}

/// PC-12, SEC-4: a bomb is found while it is decompressed, with bounded memory, at any cut.
#[test]
fn a_bomb() {
    for role in ROLES {
        let mut from = with(role.peer(), NO_TAKEOVER, 0, Delivery::Whole);
        from.send(vec![0; 1 << 20]).unwrap();
        let bomb = take_output(&mut from);
        assert!(bomb.len() < 20_000);
        for delivery in [Delivery::Whole, Delivery::Chunks] {
            for size in [1, 100, bomb.len()] {
                let mut limits = Limits::server();
                limits.message = 64 << 10;
                let agreed = Negotiated::new().extensions(NO_TAKEOVER);
                let mut ws = opened(match role {
                    Role::Server => {
                        let config = server_config().deflate(PermessageDeflate::server());
                        let config = config.limits(limits).delivery(delivery);
                        Connection::upgraded_server(&config, agreed)
                    }
                    Role::Client => {
                        let config = client_config().deflate(PermessageDeflate::client());
                        let config = config.limits(limits).delivery(delivery);
                        Connection::upgraded_client_with_entropy(
                            &config,
                            agreed,
                            Box::new(SampleKey),
                        )
                    }
                });
                let mut failed = None;
                for read in bomb.chunks(size) {
                    for event in receive(&mut ws, read) {
                        failed = failed.or(event.failure());
                    }
                    // The limit, and the decompressor with its window.
                    assert!(ws.memory_held() < 300 << 10, "{}", ws.memory_held());
                }
                let Some(Failure::Protocol(ProtocolError::Limit { limit, max, .. })) = failed
                else {
                    panic!("{failed:?}")
                };
                assert_eq!((limit, max), (Limit::Message, 64 << 10));
                assert_eq!(take_frames(&mut ws), [Frame::new(CLOSE, [3, 0xf1])]);
            }
        }
    }
}

/// §8: a limit on how much a message may grow, if it is set.
#[test]
fn a_ratio() {
    let mut from = with(Role::Client, NO_TAKEOVER, 0, Delivery::Whole);
    from.send(vec![0; 200_000]).unwrap();
    let sent = take_output(&mut from);
    for (ratio, fails) in [(0, false), (10, true), (60_000, false)] {
        let agreed = Negotiated::new().extensions(NO_TAKEOVER);
        let config = server_config().deflate(PermessageDeflate::server().ratio(ratio));
        let mut ws = opened(Connection::upgraded_server(&config, agreed));
        let events = receive(&mut ws, &sent);
        let failure = Failure::Protocol(ProtocolError::CompressionRatio { max: 10 });
        if fails {
            assert_eq!(events, [Seen::Failed(failure)]);
            assert_eq!(take_frames(&mut ws), [Frame::new(CLOSE, [3, 0xf1])]);
        } else {
            assert_eq!(events, [Seen::binary(vec![0; 200_000])]);
        }
    }
}

/// In every way of reading, at cuts of every size, whole and in chunks; pings in between.
#[test]
fn every_way_of_reading() {
    let text = text(300);
    for role in ROLES {
        for fragment in [0, 50] {
            let mut from = with(role.peer(), TAKEOVER, fragment, Delivery::Whole);
            from.send(&*text).unwrap();
            from.send(text.as_bytes()).unwrap();
            from.ping(b"p").unwrap();
            from.send(&*text).unwrap();
            let sent = take_output(&mut from);
            for delivery in [Delivery::Whole, Delivery::Chunks, Delivery::Ask] {
                for way in WAYS {
                    for size in [1, 3, 7, 64, sent.len()] {
                        let mut driver = Driver::new(with(role, TAKEOVER, 0, delivery), *way);
                        sent.chunks(size).for_each(|read| driver.read(read));
                        let mut events = joined(&driver.events);
                        // A ping of the sender's comes wherever it slipped in.
                        events.retain(|event| *event != Seen::ping("p"));
                        let expected = [Seen::text(&text), Seen::binary(&text), Seen::text(&text)];
                        assert_eq!(events, expected, "{way:?} {delivery:?} {size}");
                    }
                }
            }
        }
    }
}

/// Without context takeover an idle connection holds nothing but what was negotiated.
#[test]
fn an_idle_connection_holds_no_codec() {
    for role in ROLES {
        let (mut a, mut b) = pair(role, NO_TAKEOVER);
        let (before_a, before_b) = (a.memory_held(), b.memory_held());
        a.send(&text(100)).unwrap();
        receive(&mut b, &take_output(&mut a));
        a.take_buffer();
        b.take_buffer();
        assert_eq!(
            (a.memory_held(), b.memory_held()),
            (before_a, before_b),
            "{role:?}"
        );
        // With it the windows stay; and when the connection is over they do not.
        let (mut a, mut b) = pair(role, TAKEOVER);
        a.send(&text(100)).unwrap();
        receive(&mut b, &take_output(&mut a));
        assert!(a.memory_held() > 30_000 && b.memory_held() > 30_000);
        for ws in [&mut a, &mut b] {
            ws.transport_lost();
            receive(ws, b"");
            assert!(ws.memory_held() < 10_000, "{}", ws.memory_held());
        }
    }
}

/// A refused message has not gone through the compressor.
#[test]
fn a_refused_message_leaves_the_window_alone() {
    for role in ROLES {
        let (mut a, mut b) = pair(role, TAKEOVER);
        a.send_part(Part::text(b"first ")).unwrap();
        assert!(a.send(&text(10)).is_err());
        assert_eq!(
            a.send_part(Part::text(b"\xff").last()),
            Err(SendError::NotUtf8 { at: 0 })
        );
        a.send_part(Part::text(b"message").last()).unwrap();
        a.send("first message").unwrap();
        let sent = take_output(&mut a);
        let expected = [Seen::text("first message"), Seen::text("first message")];
        assert_eq!(receive(&mut b, &sent), expected);
    }
}

/// T-6: the byte counts in the message, decompressed; in one frame and in two, at once and by the byte.
#[test]
fn where_compressed_text_broke() {
    for (bad, after, cut) in [(&b"\xe2\x82("[..], 2, false), (b"\xe2\x82", 2, true)] {
        for before in [0, 1, 5000, 20_000] {
            let text = [&vec![b'a'; before], bad].concat();
            // One stored block, and what of the next is left (RFC 7692 §7.2.1).
            let len = (text.len() as u16).to_le_bytes();
            let payload = [&[0], &len[..], &len.map(|byte| !byte), &text, &[0]].concat();
            let (first, rest) = payload.split_at(payload.len() / 2);
            let error = ProtocolError::TextNotUtf8 {
                at: before as u64 + after,
                cut,
            };
            for frames in [
                &mut [Frame::new(TEXT, &payload)][..],
                &mut [
                    Frame::new(TEXT, first).more(),
                    Frame::new(CONTINUATION, rest),
                ],
            ] {
                frames[0].rsv = 4;
                for role in ROLES {
                    let input = encode_for(role, frames);
                    for delivery in [Delivery::Whole, Delivery::Chunks] {
                        for read in [1, input.len()] {
                            let mut ws = with(role, NO_TAKEOVER, 0, delivery);
                            let events: Vec<_> = input
                                .chunks(read)
                                .flat_map(|read| receive(&mut ws, read))
                                .collect();
                            let failure = events.iter().find_map(Seen::failure);
                            assert_eq!(failure, Some(Failure::Protocol(error)), "{delivery:?}");
                        }
                    }
                }
            }
        }
    }
}
