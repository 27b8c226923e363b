//! How messages are handed out: whole, in chunks, asked (RFC 6455 §5.4, §6.2, §8.1), lent or owned.

use sansocket::config::Delivery;
use sansocket::error::Failure;
use sansocket::error::ProtocolError;
#[cfg(feature = "bytes")]
use sansocket::event::Text;
use sansocket::event::{Chunk, Payload};
use sansocket::{Connection, Event, Kind, Message, Part, Role, State};

use crate::support::*;

fn with(role: Role, delivery: Delivery) -> Connection {
    match role {
        Role::Server => server(&server_config().delivery(delivery)),
        Role::Client => client(&client_config().delivery(delivery)),
    }
}

fn not_utf8(at: u64, cut: bool) -> Seen {
    Seen::Failed(ProtocolError::TextNotUtf8 { at, cut }.into())
}

// ── chunks

/// G-9: as the bytes arrive, inside a frame too; `first` and `last` bracket the message.
#[test]
fn chunks_come_as_the_bytes_arrive() {
    for role in ROLES {
        let frames = [
            Frame::new(BINARY, "abcd").more(),
            Frame::new(CONTINUATION, "").more(),
            Frame::new(CONTINUATION, "ef"),
        ];
        let input = encode_for(role, &frames);
        let chunk = |bytes: &str, first, last| Seen::chunk(Kind::Binary, bytes, first, last);
        // In one read: each frame is a chunk, also an empty one.
        let mut ws = with(role, Delivery::Chunks);
        let expected = [
            chunk("abcd", true, false),
            chunk("", false, false),
            chunk("ef", false, true),
        ];
        assert_eq!(receive(&mut ws, &input), expected);
        // Byte by byte: each byte is one.
        let mut ws = with(role, Delivery::Chunks);
        let events: Vec<_> = input
            .iter()
            .flat_map(|byte| receive(&mut ws, &[*byte]))
            .collect();
        let expected = [
            chunk("a", true, false),
            chunk("b", false, false),
            chunk("c", false, false),
            chunk("d", false, false),
            chunk("", false, false),
            chunk("e", false, false),
            chunk("f", false, true),
        ];
        assert_eq!(events, expected);
    }
}

/// Each frame ends with a chunk that says so, and with no other, however it was cut: empty ones, and those
/// with control frames in between, too. So the frames can be sent on as they came.
#[test]
fn the_ends_of_frames_in_chunks() {
    for role in ROLES {
        let frames = [
            Frame::new(TEXT, "").more(),
            Frame::new(CONTINUATION, "a\u{e9}b").more(),
            Frame::new(PING, "p"),
            Frame::new(CONTINUATION, "").more(),
            Frame::new(CONTINUATION, "").more(),
            Frame::new(CONTINUATION, "cd"),
            Frame::new(TEXT, "e"),
            Frame::new(TEXT, "f").more(),
            Frame::new(CONTINUATION, ""),
        ];
        let input = encode_for(role, &frames);
        for size in 1..=input.len() {
            let mut ws = with(role, Delivery::Chunks);
            let (mut seen, mut payload) = (Vec::new(), Vec::new());
            for read in input.chunks(size) {
                let mut read = read.to_vec();
                let mut input = &mut read[..];
                while let Some(event) = ws.receive(&mut input) {
                    match event {
                        Event::Chunk(chunk) => {
                            assert!(chunk.ends_frame || !chunk.last && !chunk.payload.is_empty());
                            payload.extend_from_slice(&chunk.payload);
                            if chunk.ends_frame {
                                let payload = String::from_utf8(core::mem::take(&mut payload));
                                seen.push((payload.unwrap(), chunk.last));
                            }
                        }
                        Event::Ping(_) => assert_eq!(seen.len(), 2),
                        other => panic!("{other:?}"),
                    }
                }
            }
            let sent = frames.iter().filter(|frame| frame.opcode != PING);
            let sent = sent.map(|frame| {
                let payload = String::from_utf8(frame.payload.clone());
                (payload.unwrap(), frame.fin)
            });
            assert_eq!(seen, sent.collect::<Vec<_>>(), "{role:?} {size}");
            assert!(payload.is_empty());
        }
    }
}

/// Empty messages, an empty first and an empty last fragment: `first` and `last` come all the same.
#[test]
fn empty_messages_and_fragments_in_chunks() {
    for role in ROLES {
        for (opcode, kind) in [(TEXT, Kind::Text), (BINARY, Kind::Binary)] {
            let chunk = |bytes: &str, first, last| Seen::chunk(kind, bytes, first, last);
            for way in WAYS {
                let mut driver = Driver::new(with(role, Delivery::Chunks), *way);
                let frames = [
                    Frame::new(opcode, ""),
                    Frame::new(opcode, "").more(),
                    Frame::new(CONTINUATION, "a").more(),
                    Frame::new(CONTINUATION, ""),
                    Frame::new(opcode, "").more(),
                    Frame::new(CONTINUATION, ""),
                ];
                for frame in frames {
                    driver.read(&encode_for(role, &[frame]));
                }
                let expected = [
                    chunk("", true, true),
                    chunk("", true, false),
                    chunk("a", false, false),
                    chunk("", false, true),
                    chunk("", true, false),
                    chunk("", false, true),
                ];
                assert_eq!(driver.events, expected, "{way:?}");
            }
        }
    }
}

/// §8.1: a chunk of text may end inside a character; joined it is text.
#[test]
fn a_chunk_of_text_may_end_inside_a_character() {
    for role in ROLES {
        let input = encode_for(role, &[Frame::new(TEXT, "a💩b")]);
        for cut in 0..input.len() {
            let mut ws = with(role, Delivery::Chunks);
            let mut events = receive(&mut ws, &input[..cut]);
            events.extend(receive(&mut ws, &input[cut..]));
            assert_eq!(joined(&events), [Seen::text("a💩b")]);
        }
    }
}

/// D-21: text fails at the first impossible byte, in the middle of a frame, and no byte
/// at or after it is delivered; whatever the delivery.
#[test]
fn invalid_text_fails_at_its_first_impossible_byte() {
    for role in ROLES {
        // The third byte decides, the frame goes on for long.
        let input = encode_for(
            role,
            &[Frame::new(TEXT, [&b"a\xe2\x28"[..], &[b'x'; 500]].concat())],
        );
        let bad = input.len() - 500;
        for way in WAYS {
            for delivery in [Delivery::Whole, Delivery::Chunks, Delivery::Ask] {
                for stream in [false, true] {
                    let mut driver = Driver::new(with(role, delivery), *way);
                    let react = |ws: &mut Connection, event: &Seen| {
                        if stream && matches!(event, Seen::Start { .. }) {
                            ws.stream_message();
                        }
                    };
                    for (i, byte) in input[..bad].iter().enumerate() {
                        driver.read_with(&[*byte], react);
                        let failed = i + 1 == bad;
                        assert_eq!(driver.failure().is_some(), failed, "{way:?} {delivery:?}");
                    }
                    assert_eq!(driver.events.last(), Some(&not_utf8(2, false)));
                    for event in &driver.events {
                        if let Seen::Chunk { payload, last, .. } = event {
                            assert!(b"a\xe2".windows(payload.len()).any(|w| w == payload));
                            assert!(!last);
                        }
                    }
                }
            }
        }
        // And with the whole frame in one read nothing of it is delivered.
        for delivery in [Delivery::Whole, Delivery::Chunks] {
            let mut ws = with(role, delivery);
            assert_eq!(receive(&mut ws, &input), [not_utf8(2, false)]);
        }
    }
}

/// T-6: the byte of the message, wherever it stands in frames and reads, and whether the end is what cuts.
#[test]
fn where_text_broke() {
    let long = "a\u{e9}\u{20ac}\u{1f600}".repeat(500);
    for (bad, after, cut) in [
        (&b"\xff"[..], 0, false),
        (b"\xc0\x80", 0, false),
        (b"\xf4\x90\x80\x80", 1, false),
        (b"\xe2\x82(", 2, false),
        (b"\xf0\x9f\x92(", 3, false),
        (b"\xc3", 1, true),
        (b"\xf0\x9f\x92", 3, true),
    ] {
        for before in ["", "a", "\u{e9}", &long[..70], &long] {
            let text = [before.as_bytes(), bad].concat();
            let error = not_utf8(before.len() as u64 + after, cut);
            let (first, rest) = text.split_at(text.len() / 3);
            let (second, third) = rest.split_at(rest.len() - 1);
            for frames in [
                &[Frame::new(TEXT, &text)][..],
                &[
                    Frame::new(TEXT, first).more(),
                    Frame::new(CONTINUATION, second).more(),
                    Frame::new(CONTINUATION, third),
                ],
            ] {
                for role in ROLES {
                    let input = encode_for(role, frames);
                    for delivery in [Delivery::Whole, Delivery::Chunks, Delivery::Ask] {
                        for read in [1, 5, input.len()] {
                            let mut ws = with(role, delivery);
                            let mut events =
                                input.chunks(read).flat_map(|read| receive(&mut ws, read));
                            let failed = events.find(|event| event.failure().is_some());
                            assert_eq!(
                                failed.as_ref(),
                                Some(&error),
                                "{bad:x?} {delivery:?} {read}"
                            );
                        }
                    }
                }
            }
        }
    }
}

/// VX-23 in each delivery: cut off at the end of the message.
#[test]
fn text_that_ends_inside_a_character() {
    for role in ROLES {
        for delivery in [Delivery::Whole, Delivery::Chunks, Delivery::Ask] {
            let frames = [
                Frame::new(TEXT, b"a\xc3").more(),
                Frame::new(CONTINUATION, ""),
            ];
            let mut ws = with(role, delivery);
            let events = receive_frames(&mut ws, &frames);
            assert_eq!(joined(&events), [not_utf8(2, true)]);
            let last = |event: &Seen| matches!(event, Seen::Chunk { last: true, .. });
            assert!(!events.iter().any(last), "{events:?}");
        }
    }
}

// ── ask

/// `Start` says what the first header says, once for each message; nothing else is lost.
#[test]
fn start_says_what_comes() {
    for role in ROLES {
        let frames = [
            Frame::new(TEXT, "abc"),
            Frame::new(BINARY, "ab").more(),
            Frame::new(PING, "p"),
            Frame::new(CONTINUATION, "c"),
            Frame::new(TEXT, ""),
        ];
        let start = |kind, frame_len, fin| Seen::Start {
            kind,
            frame_len,
            fin,
        };
        let expected = [
            start(Kind::Text, 3, true),
            Seen::text("abc"),
            start(Kind::Binary, 2, false),
            Seen::ping("p"),
            Seen::binary("abc"),
            start(Kind::Text, 0, true),
            Seen::text(""),
        ];
        let input = encode_for(role, &frames);
        for way in WAYS {
            for cut in 0..input.len() {
                let mut driver = Driver::new(with(role, Delivery::Ask), *way);
                driver.read(&input[..cut]);
                driver.read(&input[cut..]);
                assert_eq!(driver.events, expected, "{way:?} {cut}");
            }
        }
    }
}

/// `stream_message` is for the message whose `Start` is being looked at, and only for that.
#[test]
fn one_message_is_streamed_and_the_next_is_whole() {
    for role in ROLES {
        let frames = [
            Frame::new(BINARY, "ab").more(),
            Frame::new(CONTINUATION, "cd"),
            Frame::new(BINARY, "ef"),
        ];
        for way in WAYS {
            let mut driver = Driver::new(with(role, Delivery::Ask), *way);
            driver.read_with(&encode_for(role, &frames), |ws, event| {
                if matches!(event, Seen::Start { fin: false, .. }) {
                    ws.stream_message();
                }
            });
            let expected = [
                Seen::Start {
                    kind: Kind::Binary,
                    frame_len: 2,
                    fin: false,
                },
                Seen::chunk(Kind::Binary, "ab", true, false),
                Seen::chunk(Kind::Binary, "cd", false, true),
                Seen::Start {
                    kind: Kind::Binary,
                    frame_len: 2,
                    fin: true,
                },
                Seen::binary("ef"),
            ];
            assert_eq!(driver.events, expected, "{way:?}");
        }
    }
}

/// At any other moment `stream_message` changes nothing: before a message, once part of it was
/// gathered, and where the application is not asked.
#[test]
fn stream_message_at_other_moments() {
    for role in ROLES {
        let frames = [
            Frame::new(PING, ""),
            Frame::new(TEXT, "ab").more(),
            Frame::new(PONG, ""),
            Frame::new(CONTINUATION, "cd"),
        ];
        let expected = [Seen::ping(""), Seen::pong(""), Seen::text("abcd")];
        for delivery in [Delivery::Whole, Delivery::Ask] {
            let mut ws = with(role, delivery);
            let mut events = Vec::new();
            let mut asked = false;
            ws.stream_message();
            for byte in encode_for(role, &frames) {
                let now = receive(&mut ws, &[byte]);
                // From `Start` to the first byte of payload it would do something.
                asked |= now.iter().any(|event| matches!(event, Seen::Start { .. }));
                events.extend(now);
                if !asked || events.contains(&Seen::pong("")) {
                    ws.stream_message();
                }
            }
            let whole = |event: &Seen| matches!(event, Seen::Text(_));
            assert!(events.iter().any(whole), "{delivery:?}: {events:?}");
            assert_eq!(joined(&events), expected, "{delivery:?}");
        }
    }
}

// ── lent and owned

/// A frame that arrived whole is lent from the input, unmasked in place; what was
/// gathered is owned. Events hold on to the input, not to the connection.
#[test]
fn whole_frames_are_lent_from_the_input() {
    for role in ROLES {
        for opcode in [TEXT, BINARY, PING, PONG] {
            let mut read = encode_for(role, &[Frame::new(opcode, "Hello")]);
            let range = read.as_ptr_range();
            let mut ws = open(role);
            let mut input = &mut read[..];
            let event = ws.receive(&mut input).unwrap();
            let place = match &event {
                Event::Message(message) => message.as_bytes().as_ptr(),
                Event::Ping(payload) => payload.as_ptr(),
                Event::Pong(pong) => pong.payload.as_ptr(),
                other => panic!("{other:?}"),
            };
            assert!(range.contains(&place), "{role:?} {opcode}");
            // While the event is there the connection can be used.
            ws.send("answer").unwrap();
            drop(event);
        }
        let mut read = encode_for(role, &[Frame::new(BINARY, "Hello")]);
        let range = read.as_ptr_range();
        let mut ws = with(role, Delivery::Chunks);
        let Some(Event::Chunk(Chunk { payload, .. })) = ws.receive(&mut &mut read[..]) else {
            panic!("a chunk")
        };
        assert!(range.contains(&payload.as_ptr()));
    }
}

/// After `find_event` what can be lent still is: the next `receive` finds it in the input.
#[test]
fn prepare_leaves_what_can_be_lent() {
    for role in ROLES {
        for (delivery, opcode) in [
            (Delivery::Whole, TEXT),
            (Delivery::Whole, BINARY),
            (Delivery::Whole, PING),
            (Delivery::Chunks, BINARY),
            (Delivery::Chunks, PONG),
        ] {
            let frame = encode_for(role, &[Frame::new(opcode, "Hello")]);
            let header = frame.len() - 5;
            // All of it at once, the header first, and the header with a part of the payload.
            for cut in [0, header, header + 2] {
                let mut ws = with(role, delivery);
                let (mut begins, mut goes_on) = (frame[..cut].to_vec(), frame[cut..].to_vec());
                let mut input = &mut begins[..];
                while ws.find_event(&mut input) {
                    assert!(ws.receive(&mut input).is_some());
                }
                let range = goes_on.as_ptr_range();
                let mut input = &mut goes_on[..];
                assert!(ws.find_event(&mut input));
                let event = ws.receive(&mut input).unwrap();
                let place = match &event {
                    Event::Message(message) => message.as_bytes().as_ptr(),
                    Event::Chunk(chunk) => chunk.payload.as_ptr(),
                    Event::Ping(payload) => payload.as_ptr(),
                    Event::Pong(pong) => pong.payload.as_ptr(),
                    other => panic!("{other:?}"),
                };
                let lent = cut <= header || delivery == Delivery::Chunks && opcode == BINARY;
                assert_eq!(range.contains(&place), lent, "{role:?} {opcode} {cut}");
            }
        }
    }
}

/// What `find_event` has promised comes, and the connection is not closed before it did, when the
/// stream ends in between: a frame without payload lies nowhere.
#[test]
fn what_was_found_comes_after_the_end() {
    for role in ROLES {
        for (opcode, expected) in [
            (PING, Seen::Ping(vec![])),
            (TEXT, Seen::Text(String::new())),
            (CLOSE, Seen::Close(None, String::new())),
        ] {
            let mut ws = open(role);
            let mut frame = encode_for(role, &[Frame::new(opcode, "")]);
            let mut input = &mut frame[..];
            assert!(ws.find_event(&mut input), "{role:?} {opcode}");
            ws.keep_input(&mut input);
            ws.receive_eof();
            assert_eq!(ws.state(), State::Open, "{role:?} {opcode}");
            assert_eq!(receive(&mut ws, &[]).first(), Some(&expected), "{role:?}");
        }
    }
}

/// `find_event` promises an event only where there is one: for the empty fragment of a streamed message,
/// and not for what only looks like a message after what is held.
#[test]
fn prepare_promises_nothing_that_does_not_come() {
    for role in ROLES {
        let mut ws = with(role, Delivery::Ask);
        let empty = encode_for(role, &[Frame::new(BINARY, "").more()]);
        let events = receive(&mut ws, &empty[..empty.len() - 1]);
        let last = [empty[empty.len() - 1], 0x80];
        let mut input = last.to_vec();
        let mut input = &mut input[..];
        assert_eq!(events, []);
        assert!(matches!(ws.receive(&mut input), Some(Event::Start(_))));
        ws.stream_message();
        assert!(ws.find_event(&mut input), "{role:?}");
        let event = ws.receive(&mut input).map(see);
        assert_eq!(event, Some(Seen::chunk(Kind::Binary, "", true, false)));
        assert!(!ws.find_event(&mut input), "{role:?}");
        assert!(ws.receive(&mut input).is_none() && input.is_empty());

        // The extended length of 33 KB, whose bytes would be a frame.
        let mut ws = open(role);
        let (held, rest): (&[u8], &[u8]) = match role {
            Role::Server => (&[0x82, 0xfe], &[0x82, 0x80, 1, 2, 3, 4]),
            Role::Client => (&[0x82, 0x7e], &[0x82, 0x00]),
        };
        ws.keep_input(&mut &mut held.to_vec()[..]);
        let mut rest = rest.to_vec();
        let mut input = &mut rest[..];
        assert!(!ws.find_event(&mut input), "{role:?}");
        assert!(ws.receive(&mut input).is_none() && input.is_empty());

        // The payload that is held comes first.
        let mut ws = with(role, Delivery::Ask);
        let mut frame = encode_for(role, &[Frame::new(BINARY, "abcd")]);
        let cut = frame.len() - 2;
        let (held, rest) = frame.split_at_mut(cut);
        ws.keep_input(&mut &mut *held);
        assert!(matches!(
            ws.receive(&mut &mut [][..]),
            Some(Event::Start(_))
        ));
        ws.stream_message();
        let mut events = Vec::new();
        let mut input = &mut rest[..];
        while ws.find_event(&mut input) {
            events.push(see(ws.receive(&mut input).unwrap()));
        }
        assert_eq!(joined(&events), [Seen::binary("abcd")], "{role:?}");
    }
}

/// §5.2: the length has the shortest form, also where the whole frame has come in one read.
#[test]
fn a_whole_frame_has_the_shortest_length() {
    for role in ROLES {
        for way in WAYS {
            for (len, extended, legal) in [
                (125_usize, &[126, 0, 125][..], false),
                (126, &[126, 0, 126], true),
                (0xffff, &[127, 0, 0, 0, 0, 0, 0, 0xff, 0xff], false),
                (0x1_0000, &[127, 0, 0, 0, 0, 0, 1, 0, 0], true),
            ] {
                let mut frame = vec![0x82];
                frame.extend(extended);
                if role == Role::Server {
                    frame[1] |= 0x80;
                    frame.extend([0; 4]);
                }
                frame.resize(frame.len() + len, 7);
                let mut driver = Driver::new(open(role), *way);
                driver.read(&frame);
                let wrong = Failure::Protocol(ProtocolError::LengthNotMinimal);
                let expected = if legal {
                    Seen::binary(vec![7; len])
                } else {
                    Seen::Failed(wrong)
                };
                assert_eq!(driver.events.first(), Some(&expected), "{way:?} {len}");
            }
        }
    }
}

/// Both at once: a message that is being received is left alone by what is sent.
#[test]
fn sending_leaves_what_is_gathered_alone() {
    for role in ROLES {
        for send in [
            (|ws: &mut Connection| ws.send("answer").unwrap()) as fn(&mut _),
            |ws| ws.ping(b"answer").unwrap(),
            |ws| ws.send_part(Part::text(b"answer")).unwrap(),
        ] {
            let mut ws = open(role);
            let begins = [Frame::new(BINARY, "ab").more()];
            assert_eq!(receive_frames(&mut ws, &begins), []);
            send(&mut ws);
            assert_eq!(take_frames(&mut ws)[0].payload, b"answer");
            let events = receive_frames(&mut ws, &[Frame::new(CONTINUATION, "cd")]);
            assert_eq!(events, [Seen::binary("abcd")]);
        }
    }
}

/// The buffer that a message was gathered in is handed over: one gathered message costs one buffer.
#[test]
fn gathered_messages_are_owned() {
    for role in ROLES {
        let frames = [
            Frame::new(BINARY, [1; 600]).more(),
            Frame::new(CONTINUATION, [2; 600]),
        ];
        let mut ws = open(role);
        let mut read = encode_for(role, &frames);
        let mut input = &mut read[..];
        let Some(Event::Message(Message::Binary(payload))) = ws.receive(&mut input) else {
            panic!("a message")
        };
        assert_eq!(ws.memory_held(), 0);
        let place = payload.as_ptr();
        let payload = payload.into_vec();
        assert_eq!(payload.as_ptr(), place);
    }
}

/// F-10: the same message in one, two or n frames, in reads of any size: the same event.
#[test]
fn frame_boundaries_have_no_meaning() {
    let text = "Größe €uro 💩 ".repeat(20);
    for role in ROLES {
        for pieces in [1, 2, 3, 7, 50] {
            let size = text.len().div_ceil(pieces);
            let last = text.len().div_ceil(size) - 1;
            let frames: Vec<_> = text
                .as_bytes()
                .chunks(size)
                .enumerate()
                .map(|(i, piece)| {
                    let opcode = if i == 0 { TEXT } else { CONTINUATION };
                    Frame {
                        fin: i == last,
                        ..Frame::new(opcode, piece)
                    }
                })
                .collect();
            let input = encode_for(role, &frames);
            for way in WAYS {
                for size in [1, 2, 3, 5, 17, 128, input.len()] {
                    let mut driver = Driver::new(open(role), *way);
                    input.chunks(size).for_each(|read| driver.read(read));
                    assert_eq!(
                        driver.events,
                        [Seen::text(&text)],
                        "{way:?} {pieces} {size}"
                    );
                }
            }
        }
    }
}

/// WS-1, WS-2: what the application cannot take yet is held, and comes later, one event at a time.
#[test]
fn held_input_waits_for_the_application() {
    for role in ROLES {
        let mut ws = open(role);
        let frames: Vec<_> = (0..5).map(|i| Frame::new(BINARY, [i])).collect();
        let mut read = encode_for(role, &frames);
        let mut input = &mut read[..];
        assert!(matches!(ws.receive(&mut input), Some(Event::Message(_))));
        ws.keep_input(&mut input);
        assert!(input.is_empty());
        for i in 1..5 {
            let Some(Event::Message(message)) = ws.receive(&mut &mut [][..]) else {
                panic!("message {i}")
            };
            assert_eq!(message, Message::Binary(Payload::from(vec![i])));
        }
        assert_eq!(receive(&mut ws, b""), []);
        // Held first, then what comes in a later read.
        let mut first = encode_for(role, &[Frame::new(TEXT, "1"), Frame::new(TEXT, "2").more()]);
        ws.keep_input(&mut &mut first[..]);
        let mut second = encode_for(role, &[Frame::new(PING, "3")]);
        ws.keep_input(&mut &mut second[..]);
        let events = receive_frames(&mut ws, &[Frame::new(CONTINUATION, "4")]);
        let expected = [Seen::text("1"), Seen::ping("3"), Seen::text("24")];
        assert_eq!(events, expected);
        assert_eq!(take_frames(&mut ws), [Frame::new(PONG, "3")]);
    }
}

/// The end of the stream does not overtake what is held (K-14).
#[test]
fn held_input_comes_before_the_end() {
    for role in ROLES {
        let mut ws = open(role);
        let mut read = encode_for(role, &[Frame::new(TEXT, "1"), Frame::new(CLOSE, "")]);
        ws.keep_input(&mut &mut read[..]);
        ws.receive_eof();
        assert_eq!(ws.state(), State::Open);
        let events = receive(&mut ws, b"");
        assert_eq!(events, [Seen::text("1"), Seen::Close(None, String::new())]);
        assert_eq!(take_frames(&mut ws), [Frame::new(CLOSE, "")]);
        let events = receive(&mut ws, b"");
        assert!(matches!(&events[..], [Seen::Closed(report)] if report.clean));
    }
}

/// Cancel safety: nothing is lost however often the calls are repeated without input.
#[test]
fn calls_without_input_change_nothing() {
    for role in ROLES {
        let frames = [
            Frame::new(TEXT, "ab").more(),
            Frame::new(PING, "p"),
            Frame::new(CONTINUATION, "cd"),
        ];
        let mut ws = open(role);
        let mut events = Vec::new();
        for byte in encode_for(role, &frames) {
            for _ in 0..3 {
                events.extend(receive(&mut ws, b""));
                assert!(!ws.find_event(&mut &mut [][..]));
                ws.keep_input(&mut &mut [][..]);
                ws.receive_target_filled(5);
                ws.consume_output(0);
            }
            events.extend(receive(&mut ws, &[byte]));
        }
        assert_eq!(events, [Seen::ping("p"), Seen::text("abcd")]);
    }
}

// ── the target

/// A large binary message is read straight into its buffer; the target never goes beyond the frame,
/// nor beyond 64 KiB or what came before (§10.4).
#[test]
fn the_receive_target() {
    for role in ROLES {
        let mut ws = match role {
            Role::Server => {
                let mut limits = sansocket::config::Limits::server();
                (limits.frame, limits.message) = (1 << 30, 1 << 30);
                server(&server_config().limits(limits))
            }
            Role::Client => open(role),
        };
        let payload: Vec<u8> = (0..1_000_000_u32).map(|i| (i * 7) as u8).collect();
        let frame = encode_for(role, &[Frame::new(BINARY, &payload)]);
        assert!(ws.receive_target().is_none());
        let header = frame.len() - payload.len();
        assert_eq!(receive(&mut ws, &frame[..header]), []);
        let mut at = header;
        while let Some(target) = ws.receive_target() {
            let came = at - header;
            assert!(target.len() <= (64 << 10).max(came) && target.len() <= frame.len() - at);
            // The transport brings less than asked, in odd pieces.
            let n = target.len().min(33_333);
            target[..n].copy_from_slice(&frame[at..at + n]);
            ws.receive_target_filled(n);
            // And sometimes nothing.
            ws.receive_target_filled(0);
            at += n;
        }
        // The last of it goes through the read buffer, with whatever is after it.
        assert!(frame.len() - at < 4096);
        let mut rest = frame[at..].to_vec();
        rest.extend(encode_for(role, &[Frame::new(PING, "")]));
        let expected = [Seen::binary(&payload), Seen::ping("")];
        assert_eq!(receive(&mut ws, &rest), expected);
        assert!(ws.receive_target().is_none());
    }
}

/// No target for text, control frames, streamed messages, small rests, whatever is not the payload of
/// a binary message; and `receive_target_filled` without a target does nothing.
#[test]
fn where_there_is_no_target() {
    for role in ROLES {
        let part = |frame: Frame, n| {
            let bytes = encode_for(role, &[frame]);
            bytes[..bytes.len() - n].to_vec()
        };
        let large = [b'a'; 9000];
        for (delivery, input) in [
            (Delivery::Whole, part(Frame::new(TEXT, large), 8000)),
            (Delivery::Whole, part(Frame::new(PING, "abc"), 2)),
            (Delivery::Chunks, part(Frame::new(BINARY, large), 8000)),
            (Delivery::Whole, part(Frame::new(BINARY, large), 9001)),
            (Delivery::Whole, part(Frame::new(BINARY, large), 4095)),
        ] {
            let mut ws = with(role, delivery);
            receive(&mut ws, &input);
            assert!(ws.receive_target().is_none());
            let before = format!("{ws:?}");
            ws.receive_target_filled(2);
            assert_eq!(format!("{ws:?}"), before);
        }
        // More than the target has room for: the rest is not there.
        let mut ws = open(role);
        receive(&mut ws, &part(Frame::new(BINARY, large), 9000));
        ws.receive_target().unwrap().fill(0);
        ws.receive_target_filled(100_000);
        assert_eq!(receive(&mut ws, b"").len(), 1);
        // From 4 KiB on.
        let mut ws = open(role);
        receive(&mut ws, &part(Frame::new(BINARY, large), 4096));
        assert_eq!(ws.receive_target().map(|target| target.len()), Some(4096));
        // What is held comes before what is read, and an event that is due before both.
        let mut ws = open(role);
        receive(&mut ws, &part(Frame::new(BINARY, large), 9000));
        ws.keep_input(&mut &mut [0; 10][..]);
        assert!(ws.receive_target().is_none());
        let mut ws = with(role, Delivery::Ask);
        let mut input = part(Frame::new(BINARY, large), 9000);
        assert!(ws.find_event(&mut &mut input[..]));
        assert!(ws.receive_target().is_none());
        assert!(matches!(receive(&mut ws, b"")[..], [Seen::Start { .. }]));
        assert!(ws.receive_target().is_some());
        // A ping between fragments goes the usual way.
        let mut ws = open(role);
        receive_frames(&mut ws, &[Frame::new(BINARY, "a").more()]);
        assert!(ws.receive_target().is_none());
        assert_eq!(
            receive_frames(&mut ws, &[Frame::new(PING, "")]),
            [Seen::ping("")]
        );
        receive(&mut ws, &part(Frame::new(CONTINUATION, large), 5000));
        assert_eq!(ws.receive_target().map(|target| target.len()), Some(5000));
        // A target that was not used: what lies in it is not the message.
        let rest = part(Frame::new(CONTINUATION, large), 0);
        let rest = &rest[rest.len() - 5000..];
        // The mask goes on where it stood.
        let expected = [&b"a"[..], &large].concat();
        assert_eq!(receive(&mut ws, rest), [Seen::binary(expected)]);
    }
}

/// A buffer handed back by `lend_buffer` serves the next message without growing (and without zeroing).
#[test]
fn a_recycled_buffer_is_used_again() {
    let mut ws = open(Role::Client);
    let frame = Frame::new(BINARY, vec![5; 200_000]).encode();
    let mut places = Vec::new();
    for _ in 0..3 {
        let mut driver = Driver::new(ws, Way::Target);
        for read in frame.chunks(10_000) {
            driver.read(read);
        }
        let Some(Seen::Binary(payload)) = driver.events.pop() else {
            panic!("a message")
        };
        assert_eq!(payload, vec![5; 200_000]);
        places.push((payload.as_ptr(), payload.capacity()));
        ws = driver.ws;
        ws.lend_buffer(payload);
    }
    assert_eq!(places[1], places[2]);
    assert_eq!(
        ws.take_buffer().map(|buffer| buffer.as_ptr()),
        Some(places[2].0)
    );
    assert_eq!(ws.memory_held(), 0);
}

/// What lies in a recycled buffer is never delivered.
#[test]
fn a_recycled_buffer_does_not_leak() {
    for role in ROLES {
        for opcode in [TEXT, BINARY] {
            let mut ws = open(role);
            ws.lend_buffer(b"secret secret secret".to_vec());
            let frames = [
                Frame::new(opcode, "").more(),
                Frame::new(CONTINUATION, ""),
                Frame::new(opcode, "a").more(),
                Frame::new(CONTINUATION, "b"),
            ];
            let events: Vec<_> = encode_for(role, &frames)
                .iter()
                .flat_map(|byte| receive(&mut ws, &[*byte]))
                .collect();
            let message = |bytes: &str| match opcode {
                TEXT => Seen::text(bytes),
                _ => Seen::binary(bytes),
            };
            assert_eq!(events, [message(""), message("ab")]);
        }
    }
}

/// A message that was gathered gives its buffer back; one that lay in the input has none.
#[test]
fn the_buffer_of_a_message() {
    for opcode in [TEXT, BINARY] {
        for whole in [true, false] {
            let mut ws = open(Role::Client);
            let mut bytes = Frame::new(opcode, "payload").encode();
            let (head, tail) = bytes.split_at_mut(4);
            if whole {
                let message = message(&mut ws, &mut bytes);
                assert_eq!(message.into_buffer(), None);
            } else {
                assert!(ws.receive(&mut &mut *head).is_none());
                let buffer = message(&mut ws, tail).into_buffer();
                assert_eq!(buffer.as_deref(), Some(&b"payload"[..]));
            }
        }
    }
}

/// Text is a `str` for whatever takes one.
#[test]
fn text_as_str() {
    let mut ws = open(Role::Client);
    let mut frame = Frame::new(TEXT, "text").encode();
    let Message::Text(text) = message(&mut ws, &mut frame) else {
        panic!("a text message")
    };
    let text: &str = text.as_ref();
    assert_eq!(text, "text");
}

/// §5.1: a frame that is masked as the other end's fails at its second byte, also where a binary message is
/// left with the caller until it is whole.
#[cfg(feature = "bytes")]
#[test]
fn the_mask_bit_of_a_frame_that_waits() {
    for (role, second, error) in [
        (Role::Server, 0x05, ProtocolError::UnmaskedFrame),
        (Role::Client, 0x85, ProtocolError::MaskedFrame),
    ] {
        let mut ws = open(role);
        let mut input = bytes::BytesMut::from(&[0x82][..]);
        assert!(ws.receive_bytes(&mut input).is_none());
        input.extend_from_slice(&[second]);
        match ws.receive_bytes(&mut input) {
            Some(Event::Failed(why)) => assert_eq!(why, error.into()),
            other => panic!("{other:?}"),
        }
    }
}

/// A frame that is not there as a whole stays in the growing buffer and is a part of it in the end,
/// from 4 KiB on.
#[cfg(feature = "bytes")]
#[test]
fn receive_bytes_gathers_in_the_buffer_of_the_reads() {
    for role in ROLES {
        for len in [4095, 4096, 4097] {
            let frame = encode_for(role, &[Frame::new(BINARY, vec![7; len])]);
            let mut buffer = bytes::BytesMut::with_capacity(10_000);
            let range = buffer.as_ptr() as usize..buffer.as_ptr() as usize + 10_000;
            let mut ws = open(role);
            for piece in frame.chunks(1000) {
                assert!(ws.receive_bytes(&mut buffer).is_none());
                buffer.extend_from_slice(piece);
            }
            assert_eq!(buffer.len(), frame.len(), "nothing was taken");
            let Some(Event::Message(Message::Binary(payload))) = ws.receive_bytes(&mut buffer)
            else {
                panic!("a message")
            };
            let payload = payload.into_bytes();
            assert_eq!(payload, vec![7; len]);
            let shared = range.contains(&(payload.as_ptr() as usize));
            assert_eq!(shared, len >= 4096, "{role:?} {len}");
        }
    }
}

/// Invariant of `receive_bytes_room`: memory follows what was received (§10.4), a large message has no more than its
/// own, and nothing of it is copied out of the buffer.
#[cfg(feature = "bytes")]
#[test]
fn receive_bytes_room_ends_with_the_frame() {
    use bytes::BytesMut;
    for role in ROLES {
        for len in [0, 100, 4095, 4096, 16 << 10, 100_000, 1 << 20] {
            let stream = encode_for(role, &[Frame::new(BINARY, vec![7; len])]);
            // The beginning comes by itself.
            for first in [1, 2, 14.min(stream.len()), 3000.min(stream.len())] {
                let mut ws = open(role);
                let mut input = BytesMut::from(&stream[..first]);
                let mut read = first;
                let event = loop {
                    if let Some(event) = ws.receive_bytes(&mut input) {
                        break event;
                    }
                    let room = ws.receive_bytes_room(&mut input);
                    assert!(room > 0 && room <= input.len().max(64 << 10));
                    assert!(input.capacity() >= input.len() + room);
                    let n = room.min(stream.len() - read);
                    input.extend_from_slice(&stream[read..read + n]);
                    read += n;
                    if read == stream.len() && first >= 14 && len >= 4096 {
                        assert_eq!(input.capacity(), stream.len(), "{len} {first}");
                    }
                };
                assert_eq!(see(event), Seen::binary(vec![7; len]));
                assert!(input.is_empty());
            }
        }
        // It waits, and nothing of it lacks.
        let mut whole = BytesMut::from(&encode_for(role, &[Frame::new(BINARY, [7; 5000])])[..]);
        assert_eq!(open(role).receive_bytes_room(&mut whole), 64 << 10);
        // Nothing waits: what is read then is not known.
        assert_eq!(
            open(role).receive_bytes_room(&mut BytesMut::new()),
            64 << 10
        );
    }
}

/// RFC 6455 §5.1: a server that takes frames without a mask takes them so as well.
#[cfg(feature = "bytes")]
#[test]
fn receive_bytes_takes_frames_without_a_mask() {
    let mut ws = server(&server_config().accept_unmasked());
    for payload in ["", "mask"] {
        let frame = Frame::new(BINARY, payload).encode();
        let mut input = bytes::BytesMut::from(&frame[..]);
        let event = ws.receive_bytes(&mut input).map(see);
        assert_eq!(event, Some(Seen::binary(payload)));
        assert!(input.is_empty());
    }
}

/// A text that is there as a whole is a part of the buffer too, from 4 KiB on, and is sent on without a copy;
/// one that comes in pieces is gathered once. What is not UTF-8 fails as everywhere.
#[cfg(feature = "bytes")]
#[test]
fn receive_bytes_shares_text() {
    for role in ROLES {
        for len in [0, 1, 4094, 4096, 5000] {
            let text = "\u{e9}".repeat(len / 2);
            let frames = [Frame::new(TEXT, &text), Frame::new(TEXT, "b")];
            let frame = encode_for(role, &frames);
            for piece in [frame.len(), 1000] {
                let mut buffer = bytes::BytesMut::with_capacity(10_000);
                let range = buffer.as_ptr() as usize..buffer.as_ptr() as usize + 10_000;
                let (mut ws, mut seen) = (open(role), Vec::new());
                for piece in frame.chunks(piece) {
                    buffer.extend_from_slice(piece);
                    while let Some(event) = ws.receive_bytes(&mut buffer) {
                        let Event::Message(Message::Text(text)) = event else {
                            panic!("{event:?}")
                        };
                        seen.push(text);
                    }
                }
                assert!(buffer.is_empty());
                assert_eq!(seen.len(), 2);
                assert_eq!((&*seen[0], &*seen[1]), (&*text, "b"));
                let bytes = seen.remove(0).into_bytes();
                let shared = range.contains(&(bytes.as_ptr() as usize));
                assert_eq!(shared, text.len() >= 4096 && piece > 1000, "{role:?} {len}");
                // On to another peer.
                let mut to = open(Role::Server);
                let place = bytes.as_ptr();
                to.send(Text::from_bytes(bytes).unwrap()).unwrap();
                let mut slices = [&[][..]; 4];
                let n = to.output_slices(&mut slices);
                let copied = !slices[..n].iter().any(|slice| slice.as_ptr() == place);
                assert_eq!(copied, text.len() < 4096);
            }
        }
        for (bad, error) in [
            (&b"a\xff"[..], not_utf8(5001, false)),
            (b"\xe2\x82", not_utf8(5002, true)),
        ] {
            let text = [&[b'a'; 5000], bad].concat();
            let frame = encode_for(role, &[Frame::new(TEXT, &text), Frame::new(TEXT, "b")]);
            let (mut ws, mut buffer) = (open(role), bytes::BytesMut::from(&frame[..]));
            assert_eq!(ws.receive_bytes(&mut buffer).map(see), Some(error));
            assert!(ws.receive_bytes(&mut buffer).is_none());
        }
    }
}

/// As `bytes::Bytes`, whether it was lent, gathered or shared.
#[cfg(feature = "bytes")]
#[test]
fn payloads_as_bytes() {
    let mut ws = open(Role::Client);
    let mut frame = Frame::new(BINARY, "payload").encode();
    let Message::Binary(lent) = message(&mut ws, &mut frame) else {
        panic!("a binary message")
    };
    let lent: &[u8] = &lent.into_bytes();
    assert_eq!(lent, b"payload");

    let (head, tail) = frame.split_at_mut(4);
    assert!(ws.receive(&mut &mut *head).is_none());
    let Message::Binary(gathered) = message(&mut ws, tail) else {
        panic!("a binary message")
    };
    assert_eq!(gathered.as_ref(), b"payload");
    assert_eq!(&*gathered.into_bytes(), b"payload");

    // Shared bytes stay shared, and nobody changes them.
    let bytes = bytes::Bytes::from(vec![7; 100]);
    let shared = || Payload::from(bytes.clone());
    assert!(shared().as_mut_slice().is_none());
    assert_eq!(shared().into_vec(), bytes);
    let owned = shared().into_owned();
    assert_eq!(&*owned, &*bytes);
    assert_eq!(owned.into_bytes().as_ptr(), bytes.as_ptr());
}

fn message<'a>(ws: &mut Connection, mut input: &'a mut [u8]) -> Message<'a> {
    match ws.receive(&mut input) {
        Some(Event::Message(message)) => message,
        other => panic!("no message: {other:?}"),
    }
}
