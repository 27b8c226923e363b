//! Sending (RFC 6455 §6.1), masking (§5.3), fragments of our own (§5.4).

use std::borrow::Cow;
use std::sync::Arc;

use sansocket::config::Limits;
use sansocket::entropy::Entropy;
use sansocket::error::Unsent;
use sansocket::error::{NoEntropy, SendError};
use sansocket::event::{Payload, Text};
use sansocket::{
    CloseCode, Connection, Kind, Message, OriginPolicy, Outgoing, Part, Prepared, Role,
    ServerConfig, State, Transport,
};

use crate::support::*;

// ── what `send` takes

/// Each type of message that `send` takes, in both roles: kind, bytes, one frame with FIN (TX-2).
/// M-1, M-3: a client masks every one, a server none (asserted in `take_frames`).
#[test]
fn every_outgoing_type_in_both_roles() {
    for role in ROLES {
        let mut ws = open(role);
        let mut lent = String::from("é");
        let texts = [
            ws.send("é").is_ok(),
            ws.send(&String::from("é")).is_ok(),
            ws.send(String::from("é")).is_ok(),
            ws.send(Box::<str>::from("é")).is_ok(),
            ws.send(Arc::<str>::from("é")).is_ok(),
            ws.send(Cow::Borrowed("é")).is_ok(),
            ws.send(Cow::<str>::Owned("é".into())).is_ok(),
            ws.send(Text::from("é")).is_ok(),
            ws.send(&Text::from(String::from("é"))).is_ok(),
            ws.send(Text::from(String::from("é"))).is_ok(),
            ws.send(&Message::text("é")).is_ok(),
            ws.send(Message::text("é")).is_ok(),
            ws.send(Message::text(String::from("é"))).is_ok(),
            ws.send(Message::Text(Text::from(&mut lent[..]))).is_ok(),
            ws.send(&Prepared::text("é")).is_ok(),
            #[cfg(feature = "bytes")]
            ws.send(Text::from_bytes("é".into()).unwrap()).is_ok(),
            #[cfg(feature = "bytes")]
            ws.send(bytestring::ByteString::from("é")).is_ok(),
        ];
        let binaries = [
            ws.send(&[0xff_u8][..]).is_ok(),
            ws.send(b"\xff").is_ok(),
            ws.send([0xff_u8]).is_ok(),
            ws.send(&vec![0xff]).is_ok(),
            ws.send(vec![0xff]).is_ok(),
            ws.send(Box::<[u8]>::from([0xff])).is_ok(),
            ws.send(Arc::<[u8]>::from([0xff])).is_ok(),
            ws.send(Cow::Borrowed(&[0xff_u8][..])).is_ok(),
            ws.send(Cow::<[u8]>::Owned(vec![0xff])).is_ok(),
            ws.send(Payload::from(b"\xff")).is_ok(),
            ws.send(&Payload::from(vec![0xff])).is_ok(),
            ws.send(Payload::from(vec![0xff])).is_ok(),
            ws.send(&Message::binary(vec![0xff])).is_ok(),
            ws.send(Message::binary(vec![0xff])).is_ok(),
            ws.send(Message::binary(b"\xff")).is_ok(),
            ws.send(Message::Binary(Payload::from(&mut [0xff][..])))
                .is_ok(),
            ws.send(&Prepared::binary(&[0xff])).is_ok(),
            #[cfg(feature = "bytes")]
            ws.send(bytes::Bytes::from_static(b"\xff")).is_ok(),
        ];
        assert!(texts.iter().chain(&binaries).all(|sent| *sent));
        let expected = [
            vec![Frame::new(TEXT, "é"); texts.len()],
            vec![Frame::new(BINARY, [0xff]); binaries.len()],
        ];
        assert_eq!(take_frames(&mut ws), expected.concat(), "{role:?}");
    }
}

/// What is refused comes back, whichever type it has.
#[test]
fn every_outgoing_type_comes_back() {
    let mut ws = Connection::server(&ServerConfig::new(OriginPolicy::SameHost));
    fn back<M: Outgoing>(ws: &mut Connection, message: M) -> M::Back {
        let unsent = ws.send(message).unwrap_err();
        assert_eq!(unsent.why, SendError::NotOpen);
        unsent.message
    }
    assert_eq!(&*back(&mut ws, Box::<str>::from("é")), "é");
    assert_eq!(&*back(&mut ws, Arc::<str>::from("é")), "é");
    assert_eq!(back(&mut ws, Cow::Borrowed("é")), "é");
    assert_eq!(back(&mut ws, Cow::<str>::Owned("é".into())), "é");
    assert_eq!(back(&mut ws, Text::from("é")), "é");
    assert_eq!(back(&mut ws, Message::text("é")), "é");
    assert_eq!(&*back(&mut ws, Box::<[u8]>::from([1])), [1]);
    assert_eq!(&*back(&mut ws, Arc::<[u8]>::from([1])), [1]);
    assert_eq!(back(&mut ws, Cow::Borrowed(&[1][..])), vec![1]);
    assert_eq!(back(&mut ws, [1]), [1]);
    assert_eq!(back(&mut ws, Payload::from(b"\x01")), [1]);
    assert_eq!(back(&mut ws, Message::binary(vec![1])), [1]);
}

/// TX-2 as bytes.
#[test]
fn text_is_opcode_1_and_binary_opcode_2() {
    let mut ws = open(Role::Server);
    ws.send("é").unwrap();
    ws.send(b"\xff").unwrap();
    assert_eq!(take_output(&mut ws), [0x81, 2, 0xc3, 0xa9, 0x82, 1, 0xff]);
}

/// F-4: the shortest form of the length, for every way a payload can be handed over; F-1.
#[test]
fn lengths_go_in_their_shortest_form() {
    for (len, header) in [
        (0, "82 00"),
        (1, "82 01"),
        (125, "82 7d"),
        (126, "82 7e 00 7e"),
        (127, "82 7e 00 7f"),
        (65535, "82 7e ff ff"),
        (65536, "82 7f 00 00 00 00 00 01 00 00"),
    ] {
        let payload: Vec<u8> = (0..len).map(|i| i as u8).collect();
        let (header, prepared) = (bytes(header), Prepared::binary(&payload));
        for role in ROLES {
            let mut ws = open(role);
            ws.send(&payload).unwrap();
            ws.send(payload.clone()).unwrap();
            ws.send(&prepared).unwrap();
            #[cfg(feature = "bytes")]
            ws.send(bytes::Bytes::from(payload.clone())).unwrap();
            let output = take_output(&mut ws);
            let mut first = header.clone();
            if role == Role::Client {
                first[1] |= 0x80;
                first.extend(KEY);
            }
            assert!(output.starts_with(&first), "{role:?} {len}");
            // The decoder panics on a length that is not in its shortest form.
            for frame in decode(&output) {
                assert_eq!((frame.opcode, frame.fin, frame.rsv), (BINARY, true, 0));
                assert_eq!(frame.payload, payload);
            }
        }
    }
}

/// M-1, VC-1 to VC-9: the small frames of a client, byte for byte.
#[test]
fn a_client_masks_control_frames_too() {
    let code = |code| CloseCode::new(code);
    let close = |code: Option<CloseCode>, reason: &str| {
        let mut ws = open(Role::Client);
        ws.close(code, reason).unwrap();
        take_output(&mut ws)
    };
    assert_eq!(close(None, ""), bytes("88 80 37 fa 21 3d"));
    assert_eq!(close(code(1000), ""), bytes("88 82 37 fa 21 3d 34 12"));
    assert_eq!(close(code(1002), ""), bytes("88 82 37 fa 21 3d 34 10"));
    assert_eq!(close(code(1007), ""), bytes("88 82 37 fa 21 3d 34 15"));
    assert_eq!(close(code(1009), ""), bytes("88 82 37 fa 21 3d 34 0b"));
    assert_eq!(
        close(code(1001), "bye"),
        bytes("88 85 37 fa 21 3d 34 13 43 44 52")
    );
    let mut ws = open(Role::Client);
    ws.ping(b"").unwrap();
    ws.pong(b"").unwrap();
    ws.send("").unwrap();
    ws.pong(b"Hello").unwrap();
    assert_eq!(
        take_output(&mut ws),
        bytes(
            "89 80 37 fa 21 3d  8a 80 37 fa 21 3d  81 80 37 fa 21 3d  8a 85 37 fa 21 3d 7f 9f 4d 51 58"
        )
    );
}

// ── masking keys

/// M-5, SEC-3: a fresh key for each frame, drawn once for it, and used as it was drawn.
#[test]
fn one_draw_of_four_bytes_for_each_frame() {
    let recorder = Recorder::default();
    let config = client_config().fragment(2);
    let mut ws = client_with(&config, recorder.clone());
    ws.send("ab").unwrap();
    ws.send(vec![7; 5]).unwrap(); // three fragments
    ws.ping(b"p").unwrap();
    ws.send_part(Part::text(b"a")).unwrap();
    ws.send_part(Part::text(b"b").last()).unwrap();
    ws.begin_message(Kind::Binary, 3).unwrap();
    ws.write_message(b"x").unwrap();
    ws.write_message(b"yz").unwrap();
    ws.send(&Prepared::text("p")).unwrap();
    receive_frames(&mut ws, &[Frame::new(PING, "q")]);
    ws.close(None, "").unwrap();
    let frames = decode(&take_output(&mut ws));
    let mut keys: Vec<_> = frames
        .iter()
        .map(|frame| frame.key.unwrap().to_vec())
        .collect();
    let mut draws = recorder.draws();
    // Control frames may overtake fragments, so the order is not that of the draws.
    keys.sort();
    draws.sort();
    assert_eq!(keys, draws);
    assert_eq!(draws.len(), 1 + 3 + 1 + 2 + 1 + 1 + 1 + 1);
    keys.dedup();
    assert_eq!(keys.len(), draws.len(), "no key twice");
}

/// M-5: refused frames draw nothing; a server draws never.
#[test]
fn nothing_is_drawn_for_a_frame_that_is_refused() {
    let recorder = Recorder::default();
    let mut ws = client_with(&client_config(), recorder.clone());
    ws.send_part(Part::text(b"a")).unwrap();
    let before = recorder.draws().len();
    assert!(ws.send("b").is_err());
    assert!(ws.ping(&[0; 126]).is_err());
    assert!(ws.send_part(Part::text(b"\xff")).is_err());
    assert!(ws.begin_message(Kind::Text, 1).is_err());
    assert!(ws.close(None, "reason").is_err());
    ws.close(None, "").unwrap();
    assert!(ws.send("b").is_err());
    assert_eq!(recorder.draws().len(), before + 1);
}

/// M-8: what was queued is masked already; the caller's buffer may change.
#[test]
fn a_queued_payload_is_a_copy() {
    let mut ws = open(Role::Client);
    let mut payload = vec![1; 10_000];
    ws.send(&payload).unwrap();
    let before = peek_output(&ws);
    payload.fill(2);
    assert_eq!(peek_output(&ws), before);
    let masked = Frame::new(BINARY, [1; 10_000]).masked(KEY);
    assert_eq!(decode(&before), [masked]);
    // And data that was only lent is not changed by masking.
    let shared = vec![9; 10_000];
    ws.send(&shared).unwrap();
    assert_eq!(shared, vec![9; 10_000]);
    #[cfg(feature = "bytes")]
    {
        let shared = bytes::Bytes::from(vec![9; 10_000]);
        ws.send(shared.clone()).unwrap();
        assert_eq!(shared, vec![9; 10_000]);
    }
}

/// One of the slices that are written begins there.
fn lies_in(ws: &Connection, place: *const u8) -> bool {
    let mut slices = [&[][..]; 8];
    let filled = ws.output_slices(&mut slices);
    slices[..filled].iter().any(|slice| slice.as_ptr() == place)
}

/// Invariant of owned payloads: a large one is queued where it lies, not copied (TX-4).
#[test]
fn a_large_payload_handed_over_is_not_copied() {
    for role in ROLES {
        let mut ws = open(role);
        let payload = vec![3; 100_000];
        let place = payload.as_ptr();
        ws.send(payload).unwrap();
        assert!(lies_in(&ws, place), "{role:?}");
        // Received, and sent on.
        let text = "3".repeat(100_000);
        let place = text.as_ptr();
        ws.send(Message::Text(Text::from(text))).unwrap();
        assert!(lies_in(&ws, place), "{role:?}");
        let payload = vec![3; 100_000];
        let place = payload.as_ptr();
        ws.send(Message::Binary(Payload::from(payload))).unwrap();
        assert!(lies_in(&ws, place), "{role:?}");
        // What is lent is copied once, after its header.
        let mut ws = open(role);
        let mut lent = vec![3; 100_000];
        ws.send(Message::Binary(Payload::from(&mut lent[..])))
            .unwrap();
        let mut text = "3".repeat(100_000);
        ws.send(Message::Text(Text::from(&mut text[..]))).unwrap();
        // Each is a piece of the queue, header and all.
        assert_eq!(ws.output_slices(&mut [&[][..]; 8]), 2, "{role:?}");
    }
    #[cfg(feature = "bytes")]
    {
        let shared = bytes::Bytes::from(vec![3; 100_000]);
        let mut ws = open(Role::Server);
        ws.send(Message::Binary(shared.clone().into())).unwrap();
        assert!(lies_in(&ws, shared.as_ptr()));
    }
    // Prepared: the same bytes for each server connection.
    let prepared = Prepared::binary(&[4; 100_000]);
    let (mut a, mut b) = (open(Role::Server), open(Role::Server));
    a.send(&prepared).unwrap();
    b.send(&prepared).unwrap();
    assert_eq!(a.output().as_ptr(), b.output().as_ptr());
}

/// A source that has nothing: without `getrandom`, or where the system has none. Nothing goes out
/// unmasked or with a key that can be foretold (§5.3).
#[cfg(not(feature = "getrandom"))]
#[test]
fn without_a_source_of_randomness_a_client_sends_nothing() {
    use sansocket::{ClientRequest, Negotiated, Uri};
    let request = ClientRequest::new(Uri::parse("ws://h/").unwrap());
    assert_eq!(
        Connection::client(&client_config(), request).map(|_| ()),
        Err(NoEntropy)
    );
    let open = || {
        let mut ws = Connection::upgraded_client(&client_config(), Negotiated::default());
        receive(&mut ws, b"");
        ws
    };
    let mut ws = open();
    assert_eq!(ws.send("a").unwrap_err().why, SendError::NoEntropy);
    let back = ws.send(String::from("a")).unwrap_err();
    assert_eq!((back.why, &*back.message), (SendError::NoEntropy, "a"));
    assert_eq!(
        ws.send_part(Part::text(b"a").last()),
        Err(SendError::NoEntropy)
    );
    assert_eq!(ws.begin_message(Kind::Text, 1), Err(SendError::NoEntropy));
    assert_eq!(ws.ping(b""), Err(SendError::NoEntropy));
    assert_eq!(ws.pong(b""), Err(SendError::NoEntropy));
    assert_eq!(
        ws.close(None, ""),
        Err(sansocket::error::CloseError::NoEntropy)
    );
    assert_eq!(ws.output(), b"");
    assert_eq!(ws.state(), State::Open);
    // A Ping is not answered, and no harm done.
    assert_eq!(
        receive_frames(&mut ws, &[Frame::new(PING, "x")]),
        [Seen::ping("x")]
    );
    assert_eq!(ws.output(), b"");
    // A Close frame that cannot be answered ends it.
    let events = receive_frames(&mut ws, &[Frame::new(CLOSE, [3, 0xe8])]);
    let [Seen::Close(Some(1000), _), Seen::Closed(report)] = &events[..] else {
        panic!("{events:?}")
    };
    assert!(!report.clean);
    assert_eq!((ws.transport(), ws.output()), (Transport::Close, &b""[..]));
    // And so does a failure.
    let mut ws = open();
    let events = receive(&mut ws, &[0x83]);
    assert!(
        matches!(events[..], [Seen::Failed(_), Seen::Closed(_)]),
        "{events:?}"
    );
    assert_eq!((ws.transport(), ws.output()), (Transport::Close, &b""[..]));
}

// ── refusals

/// A refused message comes back as it was, and nothing has changed.
#[test]
fn a_refused_message_comes_back_and_nothing_changes() {
    type Why = fn(&Connection) -> SendError;
    type Setup = (&'static str, fn(Role) -> Connection, Why);
    let setups: [Setup; 5] = [
        (
            "full",
            |role| {
                let mut ws = small_output(role);
                ws.send(&[0; 100]).unwrap();
                ws
            },
            |ws| SendError::Full {
                queued: ws.output_len(),
                limit: 100,
            },
        ),
        (
            "in parts",
            |role| {
                let mut ws = open(role);
                ws.send_part(Part::text(b"a")).unwrap();
                ws
            },
            |_| SendError::MessageInProgress,
        ),
        (
            "one frame in pieces",
            |role| {
                let mut ws = open(role);
                ws.begin_message(Kind::Text, 2).unwrap();
                ws
            },
            |_| SendError::MessageInProgress,
        ),
        (
            "closing",
            |role| {
                let mut ws = open(role);
                ws.send("first").unwrap();
                ws.close(None, "").unwrap();
                ws
            },
            |_| SendError::Closing,
        ),
        (
            "failed",
            |role| {
                let mut ws = open(role);
                receive(&mut ws, &[0x83]);
                ws
            },
            |_| SendError::Closing,
        ),
    ];
    fn refused<M: Outgoing>(ws: &mut Connection, message: M, why: SendError) -> M::Back {
        let facts = |ws: &Connection| {
            (
                peek_output(ws),
                ws.output_len(),
                ws.buffered_amount(),
                ws.state(),
                ws.transport(),
                ws.memory_held(),
            )
        };
        let before = facts(ws);
        let unsent: Unsent<M::Back> = ws.send(message).unwrap_err();
        assert_eq!(unsent.why, why);
        assert_eq!(facts(ws), before);
        unsent.message
    }
    for role in ROLES {
        for (name, setup, why) in setups {
            let ws = &mut setup(role);
            let why = why(ws);
            assert_eq!(ws.can_send(), Err(why), "{name}");
            refused(ws, "text", why);
            refused(ws, &b"bytes"[..], why);
            refused(ws, b"bytes", why);
            refused(ws, &String::from("text"), why);
            refused(ws, &vec![1, 2], why);
            refused(ws, &Message::Binary(Payload::from(vec![1])), why);
            refused(ws, &Prepared::text("text"), why);
            let large = vec![1; 10_000];
            let place = large.as_ptr();
            let back = refused(ws, large, why);
            assert_eq!((back.as_ptr(), &back), (place, &vec![1; 10_000]), "{name}");
            assert_eq!(refused(ws, String::from("text"), why), "text");
            let gathered = Message::Binary(Payload::from(back));
            let back = refused(ws, gathered, why).into_buffer().unwrap();
            assert_eq!((back.as_ptr(), &back), (place, &vec![1; 10_000]), "{name}");
            let mut text = String::from("text");
            let lent = Message::Text(Text::from(&mut text[..]));
            assert_eq!(refused(ws, lent, why).as_bytes(), b"text");
            #[cfg(feature = "bytes")]
            assert_eq!(refused(ws, bytes::Bytes::from_static(b"b"), why), "b");
        }
    }
}

/// The number of bytes that the queue takes before it is full: 100.
fn small_output(role: Role) -> Connection {
    match role {
        Role::Server => {
            let mut limits = Limits::server();
            limits.output = 100;
            server(&server_config().limits(limits))
        }
        Role::Client => {
            let mut limits = Limits::client();
            limits.output = 100;
            client(&client_config().limits(limits))
        }
    }
}

/// WS-3: a message is taken whole while the queue is below the mark, so that the bound is the mark
/// and one message; below it again, messages are taken again.
#[test]
fn the_high_water_mark() {
    for role in ROLES {
        let mut ws = small_output(role);
        let header = if role == Role::Server { 2 } else { 6 };
        ws.send(&[0; 99][..99 - header]).unwrap();
        assert_eq!(ws.output_len(), 99);
        ws.send(&[0; 5000]).unwrap();
        for result in [
            ws.can_send(),
            ws.send("").map_err(SendError::from),
            ws.send_part(Part::text(b"").last()),
            ws.begin_message(Kind::Text, 0),
            ws.ping(b""),
            ws.pong(b""),
        ] {
            assert!(matches!(result, Err(SendError::Full { .. })));
        }
        // A Close frame always finds room.
        let len = ws.output_len();
        ws.consume_output(len - 100);
        assert!(matches!(ws.can_send(), Err(SendError::Full { .. })));
        ws.consume_output(1);
        assert_eq!(ws.can_send(), Ok(()));
        ws.send("x").unwrap();
        ws.close(None, "").unwrap();
        assert_eq!(ws.output_len(), 99 + header + 1 + header);
    }
}

/// The pieces of one frame are bounded by the mark as well; the rest goes when there is room.
#[test]
fn pieces_stop_at_the_mark_too() {
    for role in ROLES {
        let mut ws = small_output(role);
        ws.begin_message(Kind::Binary, 300).unwrap();
        ws.write_message(&[1; 150]).unwrap();
        let queued = ws.output_len();
        let full = SendError::Full { queued, limit: 100 };
        assert_eq!(ws.write_message(&[2; 150]), Err(full));
        let mut output = take_output(&mut ws);
        ws.write_message(&[2; 150]).unwrap();
        output.extend(take_output(&mut ws));
        let frames = decode(&output);
        assert_eq!(frames[0].payload, [[1; 150], [2; 150]].concat());
    }
}

/// HC-13, TX-1, C-13: before the connection is established nothing of ours goes out.
#[test]
fn nothing_is_sent_before_the_connection_is_open() {
    use sansocket::{ClientRequest, Uri};
    let request = ClientRequest::new(Uri::parse("ws://h/").unwrap());
    let mut connecting =
        Connection::client_with_entropy(&client_config(), request, Box::new(SampleKey)).unwrap();
    let request = take_output(&mut connecting);
    assert!(request.ends_with(b"\r\n\r\n"));
    assert_eq!(connecting.state(), State::Connecting);
    for mut ws in [Connection::server(&server_config()), connecting] {
        for result in [
            ws.can_send(),
            ws.send("a").map_err(SendError::from),
            ws.send_part(Part::text(b"a").last()),
            ws.begin_message(Kind::Text, 1),
            ws.ping(b""),
            ws.pong(b""),
        ] {
            assert_eq!(result, Err(SendError::NotOpen));
        }
        assert_eq!(ws.write_message(b"a"), Err(SendError::NoMessageInProgress));
        assert_eq!((ws.output(), ws.buffered_amount()), (&b""[..], 0));
    }
}

// ── fragments of the application's

/// G-7: the first part has the kind, the others continue it, FIN stands on the last; empty ones too.
#[test]
fn parts_are_fragments() {
    for role in ROLES {
        for (kind, opcode) in [(Kind::Text, TEXT), (Kind::Binary, BINARY)] {
            let mut ws = open(role);
            ws.send_part(Part::new(kind, b"a")).unwrap();
            ws.send_part(Part::new(kind, b"")).unwrap();
            ws.send_part(Part::new(kind, b"b")).unwrap();
            ws.send_part(Part::new(kind, b"").last()).unwrap();
            ws.send_part(Part::new(kind, b"whole").last()).unwrap();
            ws.send("next").unwrap();
            let expected = [
                Frame::new(opcode, "a").more(),
                Frame::new(CONTINUATION, "").more(),
                Frame::new(CONTINUATION, "b").more(),
                Frame::new(CONTINUATION, ""),
                Frame::new(opcode, "whole"),
                Frame::new(TEXT, "next"),
            ];
            assert_eq!(take_frames(&mut ws), expected);
        }
    }
}

/// G-7: no fragment of another message in between, whatever way it is sent; control frames yes.
#[test]
fn messages_do_not_interleave_and_control_frames_slip_in_between() {
    for role in ROLES {
        let mut ws = open(role);
        ws.send_part(Part::text(b"a")).unwrap();
        for result in [
            ws.send("b").map_err(SendError::from),
            ws.send(&Prepared::text("b")).map_err(SendError::from),
            ws.send_part(Part::binary(b"b").last()),
            ws.begin_message(Kind::Text, 1),
        ] {
            assert_eq!(result, Err(SendError::MessageInProgress));
        }
        assert_eq!(ws.write_message(b"b"), Err(SendError::NoMessageInProgress));
        ws.ping(b"p").unwrap();
        receive_frames(&mut ws, &[Frame::new(PING, "q")]);
        ws.send_part(Part::text(b"b").last()).unwrap();
        let expected = [
            Frame::new(TEXT, "a").more(),
            Frame::new(PING, "p"),
            Frame::new(PONG, "q"),
            Frame::new(CONTINUATION, "b"),
        ];
        assert_eq!(take_frames(&mut ws), expected);
    }
}

/// TX-2, §8.1: text in parts is UTF-8 as a whole; a part may end inside a character.
#[test]
fn text_in_parts_is_utf8_as_a_whole() {
    let mut ws = open(Role::Server);
    ws.send_part(Part::text(b"\xf0\x9f")).unwrap();
    assert_eq!(
        ws.send_part(Part::text(b"x")),
        Err(SendError::NotUtf8 { at: 0 })
    );
    assert_eq!(
        ws.send_part(Part::text(b"\x92").last()),
        Err(SendError::NotUtf8 { at: 1 })
    );
    ws.send_part(Part::text(b"\x92")).unwrap();
    assert_eq!(
        ws.send_part(Part::text(b"").last()),
        Err(SendError::NotUtf8 { at: 0 })
    );
    ws.send_part(Part::text(b"\xa9").last()).unwrap();
    assert_eq!(
        ws.send_part(Part::text(b"\xff").last()),
        Err(SendError::NotUtf8 { at: 0 })
    );
    ws.send_part(Part::binary(b"\xff").last()).unwrap();
    let payloads: Vec<_> = take_frames(&mut ws)
        .into_iter()
        .map(|f| f.payload)
        .collect();
    assert_eq!(payloads, [&b"\xf0\x9f"[..], b"\x92", b"\xa9", b"\xff"]);
    // In one frame in pieces the same.
    ws.begin_message(Kind::Text, 4).unwrap();
    ws.write_message(b"\xf0\x9f").unwrap();
    assert_eq!(ws.write_message(b"xx"), Err(SendError::NotUtf8 { at: 0 }));
    ws.write_message(b"\x92\xa9").unwrap();
    ws.begin_message(Kind::Text, 1).unwrap();
    assert_eq!(ws.write_message(b"\xc3"), Err(SendError::NotUtf8 { at: 1 }));
    ws.write_message(b"!").unwrap();
    let expected = [Frame::new(TEXT, "💩"), Frame::new(TEXT, "!")];
    assert_eq!(take_frames(&mut ws), expected);
}

/// C-5, C-7, TX-1: a message that was begun ends with our Close frame, without its rest.
#[test]
fn closing_ends_a_message_in_parts() {
    for role in ROLES {
        let mut ws = open(role);
        ws.send_part(Part::text(b"a")).unwrap();
        ws.close(None, "").unwrap();
        assert_eq!(
            ws.send_part(Part::text(b"b").last()),
            Err(SendError::Closing)
        );
        let expected = [Frame::new(TEXT, "a").more(), Frame::new(CLOSE, "")];
        assert_eq!(take_frames(&mut ws), expected);

        let mut ws = open(role);
        ws.send_part(Part::text(b"a")).unwrap();
        receive_frames(&mut ws, &[Frame::new(CLOSE, "")]);
        assert_eq!(
            ws.send_part(Part::text(b"b").last()),
            Err(SendError::Closing)
        );
        let expected = [Frame::new(TEXT, "a").more(), Frame::new(CLOSE, "")];
        assert_eq!(take_frames(&mut ws), expected);

        // TX-1: nor after a failure.
        let mut ws = open(role);
        ws.send_part(Part::text(b"a")).unwrap();
        receive(&mut ws, &[0x83]);
        assert_eq!(
            ws.send_part(Part::text(b"b").last()),
            Err(SendError::Closing)
        );
        let frames = take_frames(&mut ws);
        assert_eq!(frames.len(), 2);
        assert_eq!(frames[1], Frame::new(CLOSE, [3, 0xea]));
    }
}

// ── one frame in pieces

/// §5.4: there is no place for a control frame inside a frame; they follow it in order.
#[test]
fn control_frames_wait_for_a_frame_in_pieces() {
    for role in ROLES {
        let mut ws = open(role);
        ws.begin_message(Kind::Binary, 6).unwrap();
        ws.ping(b"1").unwrap();
        ws.write_message(b"abc").unwrap();
        receive_frames(&mut ws, &[Frame::new(PING, "2")]);
        ws.pong(b"3").unwrap();
        // Consumed in the middle, as a transport may.
        let mut output = take_output(&mut ws);
        assert!(decode_prefix(&output).0.is_empty(), "not whole yet");
        let too_long = SendError::TooLong { len: 4, max: 3 };
        assert_eq!(ws.write_message(b"defg"), Err(too_long));
        ws.write_message(b"").unwrap();
        ws.write_message(b"def").unwrap();
        assert_eq!(ws.write_message(b""), Err(SendError::NoMessageInProgress));
        ws.send("next").unwrap();
        output.extend(take_output(&mut ws));
        let mut frames = decode(&output);
        frames.iter_mut().for_each(|frame| frame.key = None);
        let expected = [
            Frame::new(BINARY, "abcdef"),
            Frame::new(PING, "1"),
            Frame::new(PONG, "2"),
            Frame::new(PONG, "3"),
            Frame::new(TEXT, "next"),
        ];
        assert_eq!(frames, expected, "{role:?}");
    }
}

/// F-6: 2^63 − 1 bytes can be announced, more cannot; an empty message is whole at once.
#[test]
fn lengths_that_can_be_begun() {
    let mut ws = open(Role::Server);
    ws.begin_message(Kind::Text, 0).unwrap();
    assert_eq!(take_frames(&mut ws), [Frame::new(TEXT, "")]);
    assert_eq!(
        ws.begin_message(Kind::Binary, 1 << 63),
        Err(SendError::TooLong {
            len: 1 << 63,
            max: (1 << 63) - 1
        })
    );
    ws.send("still free").unwrap();
    take_output(&mut ws);
    ws.begin_message(Kind::Binary, (1 << 63) - 1).unwrap();
    assert_eq!(take_output(&mut ws), bytes("82 7f 7f ff ff ff ff ff ff ff"));
}

/// §7.1.7: a connection that fails inside a frame of ours cannot send a Close frame; the transport
/// is closed at once.
#[test]
fn a_failure_inside_a_frame_in_pieces_sends_no_close_frame() {
    for role in ROLES {
        let mut ws = open(role);
        ws.begin_message(Kind::Binary, 6).unwrap();
        ws.write_message(b"abc").unwrap();
        let before = peek_output(&ws);
        let events = receive(&mut ws, &[0x83]);
        let [Seen::Failed(failure), Seen::Closed(report)] = &events[..] else {
            panic!("{events:?}")
        };
        assert_eq!(report.failure, Some(*failure));
        assert_eq!(
            (&report.sent, report.clean, report.code),
            (&None, false, 1006)
        );
        assert_eq!(ws.transport(), Transport::Close);
        assert_eq!(ws.write_message(b"def"), Err(SendError::Closing));
        assert_eq!(peek_output(&ws), before, "nothing was added");
    }
}

/// C-7: `close` in the middle of a frame: the frame is finished first, then the Close frame goes.
#[test]
fn closing_inside_a_frame_in_pieces_waits_for_its_end() {
    for role in ROLES {
        for by_peer in [false, true] {
            let mut ws = open(role);
            ws.begin_message(Kind::Text, 6).unwrap();
            ws.write_message(b"abc").unwrap();
            if by_peer {
                receive_frames(&mut ws, &[Frame::new(CLOSE, [3, 0xe8])]);
            } else {
                ws.close(Some(CloseCode::NORMAL_CLOSURE), "").unwrap();
            }
            assert_eq!(ws.state(), State::Closing);
            let mut output = take_output(&mut ws);
            assert!(decode_prefix(&output).0.is_empty(), "not inside the frame");
            assert_eq!(ws.transport(), Transport::KeepOpen, "the Close frame waits");
            assert_eq!(ws.send("b").unwrap_err().why, SendError::Closing);
            ws.write_message(b"def").unwrap();
            output.extend(take_output(&mut ws));
            let mut frames = decode(&output);
            frames.iter_mut().for_each(|frame| frame.key = None);
            let expected = [Frame::new(TEXT, "abcdef"), Frame::new(CLOSE, [3, 0xe8])];
            assert_eq!(frames, expected);
            let mut events = Vec::new();
            if !by_peer {
                events = receive_frames(&mut ws, &[Frame::new(CLOSE, [3, 0xe8])]);
            }
            ws.receive_eof();
            events.extend(receive(&mut ws, b""));
            assert!(
                matches!(events.last(), Some(Seen::Closed(report)) if report.clean),
                "{events:?}"
            );
        }
    }
}

/// A frame that is never finished: the end of the stream ends it all the same, and the driver is
/// not left waiting for output that never comes (§7.2.1).
#[test]
fn a_frame_in_pieces_that_is_never_finished() {
    type Step = fn(&mut Connection);
    let steps: [(&str, Step); 4] = [
        ("nothing", |_| ()),
        ("a ping that waits", |ws| ws.ping(b"").unwrap()),
        ("a Close frame that waits", |ws| ws.close(None, "").unwrap()),
        ("both Close frames", |ws| {
            receive_frames(ws, &[Frame::new(CLOSE, "")]);
        }),
    ];
    for role in ROLES {
        for (what, step) in steps {
            let mut ws = open(role);
            ws.begin_message(Kind::Binary, 6).unwrap();
            ws.write_message(b"abc").unwrap();
            step(&mut ws);
            ws.receive_eof();
            assert_eq!(
                ws.transport(),
                Transport::KeepOpen,
                "what is there is written"
            );
            take_output(&mut ws);
            let events = receive(&mut ws, b"");
            assert!(
                matches!(&events[..], [Seen::Closed(report)] if !report.clean),
                "{role:?}, {what}: {events:?}"
            );
            assert_eq!(ws.transport(), Transport::Close, "{role:?}, {what}");
            assert_eq!(ws.write_message(b"def"), Err(SendError::Closing));
            assert_eq!(ws.output(), b"");
        }
    }
}

// ── automatic fragmentation

/// §5.4: messages over the size go out in frames of that size, in both roles, of every type.
#[test]
fn messages_over_the_size_are_split() {
    let payload: Vec<u8> = (0..25).collect();
    let expected = [
        Frame::new(BINARY, &payload[..10]).more(),
        Frame::new(CONTINUATION, &payload[10..20]).more(),
        Frame::new(CONTINUATION, &payload[20..]),
    ];
    for role in ROLES {
        let mut ws = splitting(role, 10);
        let mut check = |send: &dyn Fn(&mut Connection)| {
            send(&mut ws);
            assert_eq!(ws.buffered_amount(), 25);
            assert_eq!(take_frames(&mut ws), expected, "{role:?}");
            assert_eq!(ws.buffered_amount(), 0);
        };
        check(&|ws| ws.send(&payload).unwrap());
        check(&|ws| ws.send(payload.clone()).unwrap());
        check(&|ws| ws.send(&Prepared::binary(&payload)).unwrap());
        #[cfg(feature = "bytes")]
        check(&|ws| ws.send(bytes::Bytes::from(payload.clone())).unwrap());
        // At the size they are not; and the last frame is not empty.
        ws.send(&payload[..10]).unwrap();
        assert_eq!(take_frames(&mut ws), [Frame::new(BINARY, &payload[..10])]);
        ws.send(&payload[..20]).unwrap();
        assert_eq!(take_frames(&mut ws).len(), 2);
    }
}

fn splitting(role: Role, size: u32) -> Connection {
    match role {
        Role::Server => server(&server_config().fragment(size)),
        Role::Client => client(&client_config().fragment(size)),
    }
}

/// §5.4: that is what it is for: a Ping or Pong does not wait for the whole message, at whatever
/// byte the transport stands; a Close frame does (§5.5.1, W-9).
#[test]
fn control_frames_slip_between_automatic_fragments() {
    let payload: Vec<u8> = (0..50).collect();
    for role in ROLES {
        let len = {
            let mut ws = splitting(role, 10);
            ws.send(&payload).unwrap();
            ws.output_len()
        };
        for taken in 0..len {
            let mut ws = splitting(role, 10);
            ws.send("before").unwrap();
            let before = take_output(&mut ws);
            ws.send(&payload).unwrap();
            let mut output = before;
            output.extend_from_slice(&peek_output(&ws)[..taken]);
            ws.consume_output(taken);
            receive_frames(&mut ws, &[Frame::new(PING, "x")]);
            ws.ping(b"y").unwrap();
            ws.send("after").unwrap();
            ws.close(None, "").unwrap();
            output.extend(take_output(&mut ws));
            let mut frames = decode(&output);
            frames.iter_mut().for_each(|frame| frame.key = None);
            let (control, data): (Vec<_>, Vec<_>) =
                frames.iter().cloned().partition(|frame| frame.opcode >= 8);
            let expected = [
                Frame::new(PONG, "x"),
                Frame::new(PING, "y"),
                Frame::new(CLOSE, ""),
            ];
            assert_eq!(control, expected);
            assert_eq!(frames.last(), Some(&expected[2]), "Close goes last");
            let joined: Vec<u8> = data[1..data.len() - 1]
                .iter()
                .flat_map(|frame| frame.payload.clone())
                .collect();
            assert_eq!(joined, payload);
            assert_eq!(data.last(), Some(&Frame::new(TEXT, "after")));
            // After the frame that the transport stands in, if there is a further one.
            let begun = taken.div_ceil(len / 5).max(1);
            if begun < 5 {
                assert_eq!(frames[1 + begun], expected[0], "{role:?} {taken}");
                assert_eq!(frames[2 + begun], expected[1], "{role:?} {taken}");
            }
            assert_eq!(ws.buffered_amount(), 0);
        }
    }
}

/// A source that dries up in the middle of a split message cannot be seen from outside but by what
/// goes out: frames with fresh keys only. Here it does not, and each fragment has its own.
#[test]
fn fragments_have_keys_of_their_own() {
    let recorder = Recorder::default();
    let mut ws = client_with(&client_config().fragment(1), recorder.clone());
    ws.send("abcd").unwrap();
    let frames = decode(&take_output(&mut ws));
    let keys: Vec<_> = frames.iter().map(|f| f.key.unwrap().to_vec()).collect();
    assert_eq!(keys, recorder.draws());
}

// ── Prepared

/// One encoding for all servers; a client's connection masks a copy (§5.3).
#[test]
fn prepared_goes_out_like_any_message() {
    for len in [0, 1, 125, 126, 4000, 5000, 70_000] {
        let text = "x".repeat(len);
        let prepared = Prepared::text(&text);
        for role in ROLES {
            let (mut a, mut b) = (open(role), open(role));
            a.send(&prepared).unwrap();
            b.send(&*text).unwrap();
            assert_eq!(a.buffered_amount(), len as u64);
            assert_eq!(take_output(&mut a), take_output(&mut b));
        }
    }
    assert_eq!(
        format!("{:?}", Prepared::text("secret")),
        "Prepared(Text, 6 bytes)"
    );
}

/// WHATWG W-9, TX-4: what was sent before goes out before, whatever it is.
#[test]
fn the_order_is_that_of_the_calls() {
    for role in ROLES {
        let mut ws = open(role);
        ws.send("1").unwrap();
        ws.send(vec![2; 5000]).unwrap();
        ws.ping(b"3").unwrap();
        ws.send(&Prepared::binary(&[4; 5000])).unwrap();
        ws.send("5").unwrap();
        ws.close(CloseCode::new(4000), "6").unwrap();
        let expected = [
            Frame::new(TEXT, "1"),
            Frame::new(BINARY, [2; 5000]),
            Frame::new(PING, "3"),
            Frame::new(BINARY, [4; 5000]),
            Frame::new(TEXT, "5"),
            Frame::new(CLOSE, b"\x0f\xa06"),
        ];
        assert_eq!(take_frames(&mut ws), expected);
    }
}

/// The keys that a source gives are used as they are, also those of zeros.
#[test]
fn a_key_of_zeros_is_a_key() {
    struct Zeros;
    impl Entropy for Zeros {
        fn fill(&mut self, out: &mut [u8]) -> Result<(), NoEntropy> {
            out.fill(0);
            Ok(())
        }
    }
    let mut ws = client_with(&client_config(), Zeros);
    ws.send("a").unwrap();
    assert_eq!(take_output(&mut ws), bytes("81 81 00 00 00 00 61"));
}

/// A part is printed by its kind and length; what it says stays out of logs.
#[test]
fn a_part_is_printed_without_its_bytes() {
    let part = Part::text(b"secret").last();
    assert_eq!(format!("{part:?}"), "Part(Text, 6 bytes, last)");
    assert_eq!(format!("{:?}", Part::binary(b"")), "Part(Binary, 0 bytes)");
}
