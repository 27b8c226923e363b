//! Ping, Pong and Close received (RFC 6455 §5.5) and sent.

use std::time::Duration;

use sansocket::error::SendError;
use sansocket::{ClientConfig, Kind, Role, Transport};

use crate::support::*;

/// C-1: 125 bytes are the most, for pings and pongs of the application too.
#[test]
fn control_payloads_have_125_bytes_at_most() {
    for role in ROLES {
        let mut ws = open(role);
        ws.ping(&[1; 125]).unwrap();
        ws.pong(&[2; 125]).unwrap();
        let too_long = Err(SendError::TooLong { len: 126, max: 125 });
        assert_eq!(ws.ping(&[0; 126]), too_long);
        assert_eq!(ws.pong(&[0; 126]), too_long);
        let expected = [Frame::new(PING, [1; 125]), Frame::new(PONG, [2; 125])];
        assert_eq!(take_frames(&mut ws), expected);
    }
}

/// C-11: answered with the same payload, as it was before the mask (M-7), in any way of reading.
#[test]
fn a_ping_is_answered_with_its_payload() {
    for role in ROLES {
        for len in [0, 1, 5, 125] {
            let payload: Vec<u8> = (0..len).collect();
            let input = encode_for(role, &[Frame::new(PING, &payload)]);
            for way in WAYS {
                for cut in 0..input.len() {
                    let mut driver = Driver::new(open(role), *way);
                    driver.read(&input[..cut]);
                    driver.read(&input[cut..]);
                    assert_eq!(driver.events, [Seen::ping(&payload)]);
                    let expected = [Frame::new(PONG, &payload)];
                    assert_eq!(take_frames(&mut driver.ws), expected, "{way:?} {cut}");
                }
            }
        }
    }
}

/// C-12, D-26: the first sixteen pongs are queued, above that one slot has the latest, and it goes
/// out when there is room. Nothing grows.
#[test]
fn sixteen_pongs_then_the_latest() {
    for role in ROLES {
        let mut ws = open(role);
        let ping = |i: u32| Frame::new(PING, [&[0; 121][..], &i.to_be_bytes()].concat());
        let pongs = |range: std::ops::Range<u32>| -> Vec<Frame> {
            range.map(|i| Frame::new(PONG, ping(i).payload)).collect()
        };
        let events = receive_frames(&mut ws, &(0..16).map(ping).collect::<Vec<_>>());
        assert_eq!(events.len(), 16);
        let bound = ws.output_len();
        let memory = {
            receive_frames(&mut ws, &[ping(16)]);
            ws.memory_held()
        };
        for i in 17..1000 {
            assert_eq!(receive_frames(&mut ws, &[ping(i)]).len(), 1);
            assert_eq!(ws.output_len(), bound);
        }
        assert!(ws.memory_held() <= memory + 256);
        // One pong begins to leave: the latest ping's takes its place.
        let mut output = peek_output(&ws)[..1].to_vec();
        ws.consume_output(1);
        let frame = bound / 16;
        assert_eq!(ws.output_len(), bound - 1 + frame);
        receive_frames(&mut ws, &[ping(1000)]);
        assert_eq!(ws.output_len(), bound - 1 + frame, "full again");
        output.extend_from_slice(&peek_output(&ws)[..bound - 1 + frame]);
        ws.consume_output(bound - 1 + frame);
        let mut frames = decode(&output);
        frames.iter_mut().for_each(|frame| frame.key = None);
        assert_eq!(frames, [pongs(0..16), pongs(999..1000)].concat());
        assert_eq!(take_frames(&mut ws), pongs(1000..1001));
        // And then there is room for sixteen again.
        receive_frames(&mut ws, &(0..16).map(ping).collect::<Vec<_>>());
        assert_eq!(take_frames(&mut ws), pongs(0..16));
    }
}

/// §5.5.3: the count is of the pongs that wait, wherever they stand among other frames.
#[test]
fn pongs_are_counted_as_they_leave() {
    for role in ROLES {
        let mut ws = open(role);
        for i in 0..16 {
            ws.send(vec![i; 5000]).unwrap();
            receive_frames(&mut ws, &[Frame::new(PING, [i])]);
        }
        receive_frames(&mut ws, &[Frame::new(PING, "latest")]);
        let waiting = |ws: &sansocket::Connection| {
            decode_prefix(&peek_output(ws))
                .0
                .iter()
                .any(|frame| frame.payload == b"latest")
        };
        assert!(!waiting(&ws));
        // The first message leaves, and nothing is put in for it; then the first pong.
        let all = peek_output(&ws);
        let first = decode(&all)[0].encode().len();
        ws.consume_output(first);
        assert!(!waiting(&ws));
        ws.consume_output(decode(&all)[1].encode().len());
        assert!(waiting(&ws));
        assert_eq!(take_frames(&mut ws).len(), 31);
    }
}

/// C-12, §5.4: the same bound while a frame in pieces keeps the pongs from leaving.
#[test]
fn pongs_after_a_frame_in_pieces_are_bounded_too() {
    for role in ROLES {
        let mut ws = open(role);
        ws.begin_message(Kind::Binary, 2).unwrap();
        ws.write_message(b"a").unwrap();
        take_output(&mut ws);
        for i in 0..100_u8 {
            receive_frames(&mut ws, &[Frame::new(PING, [i])]);
            assert_eq!(take_output(&mut ws), b"", "not inside a frame");
        }
        ws.write_message(b"b").unwrap();
        let output = take_output(&mut ws);
        let mut frames = decode(&output[1..]);
        let payloads: Vec<_> = frames.iter_mut().map(|frame| frame.payload[0]).collect();
        let expected: Vec<u8> = (0..16).chain([99]).collect();
        assert_eq!(payloads, expected, "{role:?}");
    }
}

/// C-11, §5.5.2: no Pong once a Close frame came, also not the one that waited for room; and what was
/// gathered of a message is given up, as its rest will not be read.
#[test]
fn a_close_frame_ends_what_waits() {
    for role in ROLES {
        let mut ws = open(role);
        let mut frames: Vec<_> = (0..17).map(|i| Frame::new(PING, [i])).collect();
        frames.push(Frame::new(BINARY, vec![0; 20_000]).more());
        frames.push(Frame::new(CLOSE, ""));
        receive_frames(&mut ws, &frames);
        assert!(ws.memory_held() < 10_000, "{}", ws.memory_held());
        let mut expected: Vec<_> = (0..16).map(|i| Frame::new(PONG, [i])).collect();
        expected.push(Frame::new(CLOSE, ""));
        assert_eq!(take_frames(&mut ws), expected);
    }
}

/// C-11, D-14, §5.5.2: our own Close frame does not end it: a Ping that waited for room is answered
/// after it, "unless it already received a Close frame".
#[test]
fn our_close_frame_does_not_end_what_waits() {
    for role in ROLES {
        let mut ws = open(role);
        let pings: Vec<_> = (0..17).map(|i| Frame::new(PING, [i])).collect();
        receive_frames(&mut ws, &pings);
        ws.close(None, "").unwrap();
        let mut expected: Vec<_> = (0..16).map(|i| Frame::new(PONG, [i])).collect();
        expected.extend([Frame::new(CLOSE, ""), Frame::new(PONG, [16])]);
        assert_eq!(take_frames(&mut ws), expected);
    }
}

/// §7.1.4: once the connection is over what is queued still goes out, and nothing is
/// added: no answer to a Ping that waited for room, before `Closed` was asked for either.
#[test]
fn the_end_of_the_stream_ends_what_waits() {
    for role in ROLES {
        let mut ws = open(role);
        ws.advance_time(Duration::ZERO);
        let pings: Vec<_> = (0..17).map(|i| Frame::new(PING, [i])).collect();
        receive_frames(&mut ws, &pings);
        ws.receive_eof();
        let queued = ws.output_len();
        ws.consume_output(1);
        assert_eq!(ws.output_len(), queued - 1, "{role:?}");
        // Nor once the transport is given up.
        let mut ws = open(role);
        ws.advance_time(Duration::ZERO);
        receive_frames(&mut ws, &pings);
        ws.receive_eof();
        pass(&mut ws, Duration::from_secs(5));
        assert_eq!((ws.transport(), ws.output_len()), (Transport::Close, 0));
        ws.consume_output(0);
        assert_eq!(ws.output_len(), 0, "{role:?}");
    }
}

/// Manual answers: nothing by itself; the application's own may go.
#[test]
fn pings_left_to_the_application() {
    for role in ROLES {
        let mut ws = match role {
            Role::Server => server(&server_config().manual_pong()),
            Role::Client => client(&ClientConfig::new().manual_pong()),
        };
        let events = receive_frames(&mut ws, &[Frame::new(PING, "x")]);
        assert_eq!((events, ws.output()), (vec![Seen::ping("x")], &b""[..]));
        ws.pong(b"x").unwrap();
        assert_eq!(take_frames(&mut ws), [Frame::new(PONG, "x")]);
    }
}

/// C-13, C-14: pings and unsolicited pongs may be sent while open; a Pong received is not answered.
#[test]
fn pings_and_pongs_of_the_application() {
    for role in ROLES {
        let mut ws = open(role);
        ws.ping(b"a").unwrap();
        ws.pong(b"b").unwrap();
        assert_eq!(
            take_frames(&mut ws),
            [Frame::new(PING, "a"), Frame::new(PONG, "b")]
        );
        let events = receive_frames(&mut ws, &[Frame::new(PONG, "nobody asked")]);
        assert_eq!(
            (events, ws.output()),
            (vec![Seen::pong("nobody asked")], &b""[..])
        );
    }
}

/// C-16: a Ping that came before the peer's Close frame is answered, also after ours, by the connection and
/// by the application; after the peer's Close frame none is.
#[test]
fn pings_are_answered_after_our_close_frame() {
    for role in ROLES {
        for manual in [false, true] {
            let mut ws = match role {
                _ if !manual => open(role),
                Role::Server => server(&server_config().manual_pong()),
                Role::Client => client(&ClientConfig::new().manual_pong()),
            };
            ws.close(None, "").unwrap();
            assert_eq!(take_frames(&mut ws), [Frame::new(CLOSE, "")]);
            let events = receive_frames(&mut ws, &[Frame::new(PING, "x")]);
            assert_eq!(events, [Seen::ping("x")]);
            if manual {
                assert_eq!(ws.output(), b"");
                ws.pong(b"x").unwrap();
            }
            assert_eq!(take_frames(&mut ws), [Frame::new(PONG, "x")]);
            // §5.5.2: a Ping may be sent until the connection is closed.
            ws.ping(b"y").unwrap();
            assert_eq!(take_frames(&mut ws), [Frame::new(PING, "y")]);
            receive_frames(&mut ws, &[Frame::new(PONG, "y"), Frame::new(CLOSE, "")]);
            assert_eq!(ws.pong(b"x"), Err(SendError::Closing));
            assert_eq!(ws.ping(b"x"), Err(SendError::Closing));
            assert_eq!(ws.output(), b"");
        }
    }
}

/// C-16, C-7: nor does a Close frame that waits for the end of a frame in pieces.
#[test]
fn a_pong_waits_with_our_close_frame() {
    let mut ws = open(Role::Server);
    ws.begin_message(Kind::Binary, 2).unwrap();
    ws.close(None, "").unwrap();
    ws.pong(b"x").unwrap();
    ws.write_message(b"ab").unwrap();
    let expected = [
        Frame::new(BINARY, "ab"),
        Frame::new(CLOSE, ""),
        Frame::new(PONG, "x"),
    ];
    assert_eq!(take_frames(&mut ws), expected);
}

/// C-15, M-6: a control frame inside a message, split at any byte, with a key of its own.
#[test]
fn control_frames_leave_the_message_alone() {
    for way in WAYS {
        let frames = [
            Frame::new(TEXT, "Hé").more().masked([1, 2, 3, 4]),
            Frame::new(PING, "ping").masked([5, 6, 7, 8]),
            Frame::new(CONTINUATION, "llo")
                .more()
                .masked([9, 10, 11, 12]),
            Frame::new(PONG, "pong").masked([0; 4]),
            Frame::new(CONTINUATION, "!").masked([13, 14, 15, 16]),
        ];
        let input: Vec<u8> = frames.iter().flat_map(Frame::encode).collect();
        for cut in 0..input.len() {
            let mut driver = Driver::new(open(Role::Server), *way);
            driver.read(&input[..cut]);
            driver.read(&input[cut..]);
            let expected = [Seen::ping("ping"), Seen::pong("pong"), Seen::text("Héllo!")];
            assert_eq!(driver.events, expected, "{way:?} {cut}");
        }
    }
}

/// G-4: a Ping between fragments is handled at once, before the message ends.
#[test]
fn a_ping_between_fragments_is_answered_at_once() {
    for role in ROLES {
        let mut ws = open(role);
        let frames = [Frame::new(TEXT, "a").more(), Frame::new(PING, "x")];
        assert_eq!(receive_frames(&mut ws, &frames), [Seen::ping("x")]);
        assert_eq!(take_frames(&mut ws), [Frame::new(PONG, "x")]);
        let events = receive_frames(&mut ws, &[Frame::new(CONTINUATION, "b")]);
        assert_eq!(events, [Seen::text("ab")]);
    }
}
