//! Limits on what comes out (RFC 6455 §10.4, RFC 7692 §8; PC-12).

use std::time::Duration;

use sansocket::config::{Delivery, Limits};
use sansocket::error::Failure;
use sansocket::error::{Limit, ProtocolError};
use sansocket::extension::Compress;
use sansocket::extension::PermessageDeflate;
use sansocket::{Connection, Event, Role, State, Transport};

use super::{End, NO_TAKEOVER, TAKEOVER, answer, open};
use crate::support::*;

/// The frame of a compressed message.
fn frame(opcode: u8, message: &[u8]) -> Frame {
    let mut sender = open(Role::Server, NO_TAKEOVER);
    sender.send_with(message, Compress::Always).unwrap();
    Frame {
        opcode,
        ..take_frames(&mut sender).remove(0)
    }
}

fn limited(role: Role, message: u64, delivery: Delivery) -> Connection {
    let mut limits = Limits::client();
    limits.message = message;
    End {
        limits,
        delivery,
        ..End::default()
    }
    .open(role, answer(TAKEOVER))
}

/// Exactly the limit is taken, one byte more is not, whatever the message and the delivery.
#[test]
fn the_limit_is_exact() {
    for role in ROLES {
        for delivery in [Delivery::Whole, Delivery::Chunks] {
            for opcode in [TEXT, BINARY] {
                for len in [0, 1, 5, 2047, 2048, 2049, 16_384, 16_385, 100_000] {
                    let text = "abcdefg".bytes().cycle().take(len).collect::<Vec<_>>();
                    for content in [vec![b'a'; len], text] {
                        let message = match opcode {
                            TEXT => Seen::Text(String::from_utf8(content.clone()).unwrap()),
                            _ => Seen::binary(&content),
                        };
                        let frames = [frame(opcode, &content), frame(opcode, &content)];
                        let mut ws = limited(role, len as u64, delivery);
                        let seen = joined(&receive_frames(&mut ws, &frames));
                        assert!(
                            seen == [message.clone(), message],
                            "{len} {opcode} {delivery:?}"
                        );
                        if len == 0 {
                            continue;
                        }
                        let max = len as u64 - 1;
                        let mut ws = limited(role, max, delivery);
                        let seen = joined(&receive_frames(&mut ws, &frames[..1]));
                        let error = ProtocolError::Limit {
                            limit: Limit::Message,
                            value: max + 1,
                            max,
                        };
                        assert_eq!(seen, [Seen::Failed(Failure::Protocol(error))], "{len}");
                        let close = take_frames(&mut ws).remove(0);
                        assert_eq!((close.opcode, close.payload), (CLOSE, vec![0x03, 0xf1]));
                    }
                }
            }
        }
    }
}

/// RFC 6455 §10.4: a limit that comes down inside a message counts for what has come of it, and is told before
/// what comes next is looked at: an end without a byte, or what is no DEFLATE.
#[test]
fn a_limit_that_comes_down_inside_a_message() {
    for (role, opcode) in ROLES
        .into_iter()
        .flat_map(|role| [(role, TEXT), (role, BINARY)])
    {
        for delivery in [Delivery::Whole, Delivery::Chunks] {
            for next in [&[][..], b"lo"] {
                let mut ws = limited(role, 1000, delivery);
                let mut first = frame(opcode, &[b'a'; 200]);
                first.fin = false;
                first.payload.extend([0, 0, 0xff, 0xff]);
                receive_frames(&mut ws, &[first]);
                let mut limits = *ws.limits();
                limits.message = 100;
                ws.set_limits(limits);
                let seen = receive_frames(&mut ws, &[Frame::new(CONTINUATION, next)]);
                let error = ProtocolError::Limit {
                    limit: Limit::Message,
                    value: 200,
                    max: 100,
                };
                assert_eq!(seen, [Seen::Failed(Failure::Protocol(error))], "{opcode}");
            }
        }
    }
}

/// A frame is judged by its own length, at its header: what it inflates to is another matter.
#[test]
fn the_limit_of_a_frame() {
    let mut limits = Limits::client();
    limits.frame = 6;
    let end = End {
        limits,
        ..End::default()
    };
    let mut ws = end.open(Role::Client, answer(TAKEOVER));
    let events = receive(&mut ws, &[0xc1, 7]);
    assert!(
        matches!(
            &events[..],
            [Seen::Failed(Failure::Protocol(ProtocolError::Limit {
                limit: Limit::Frame,
                value: 7,
                max: 6
            }))]
        ),
        "{events:?}"
    );
}

/// No limit at all, and one of a ratio.
#[test]
fn ratios() {
    for delivery in [Delivery::Whole, Delivery::Chunks] {
        for (ratio, taken) in [(0, true), (2000, true), (100, false)] {
            let mut limits = Limits::client();
            limits.message = u64::MAX;
            let deflate = PermessageDeflate::client().ratio(ratio);
            let end = End {
                limits,
                delivery,
                deflate,
                ..End::default()
            };
            let mut ws = end.open(Role::Server, answer(TAKEOVER));
            let zeros = vec![0; 1 << 20];
            let seen = joined(&receive_frames(&mut ws, &[frame(BINARY, &zeros)]));
            if taken {
                assert!(seen == [Seen::Binary(zeros)]);
            } else {
                let error = ProtocolError::CompressionRatio { max: 100 };
                assert_eq!(seen, [Seen::Failed(Failure::Protocol(error))]);
                assert_eq!(error.close_code(), 1009);
            }
        }
    }
}

/// Chunks that are not out yet come before the end of the stream is looked at, wherever the
/// application paused.
#[test]
fn the_end_of_the_stream_waits_for_chunks() {
    for role in ROLES {
        for paused_after in 1..=7 {
            let mut ws = limited(role, u64::MAX, Delivery::Chunks);
            let mut bytes = encode_for(role, &[frame(BINARY, &vec![7; 100_000])]);
            let mut input = &mut bytes[..];
            let mut chunks = Vec::new();
            let mut next = |ws: &mut Connection, input: &mut &mut [u8]| match ws.receive(input) {
                Some(Event::Chunk(chunk)) => {
                    assert!(chunk.payload.len() <= 16 << 10);
                    chunks.push(chunk.payload.len());
                    Some(chunk.last)
                }
                Some(Event::Closed(_)) => None,
                event => panic!("{event:?}"),
            };
            for _ in 0..paused_after {
                assert_eq!(next(&mut ws, &mut input), Some(false));
            }
            ws.keep_input(&mut input);
            ws.receive_eof();
            let paused = (State::Open, Transport::KeepOpen);
            assert_eq!((ws.state(), ws.transport()), paused, "after {paused_after}");
            while !next(&mut ws, &mut &mut [][..]).unwrap() {}
            assert_eq!(next(&mut ws, &mut &mut [][..]), None);
            assert_eq!(ws.transport(), Transport::Close);
            assert_eq!(chunks.iter().sum::<usize>(), 100_000);
        }
    }
}

/// Chunks that are not out when the connection is given up (here by the close timeout, §7.1.1) never come,
/// and are not waited for.
#[test]
fn chunks_end_with_the_connection() {
    for (role, prepared) in ROLES
        .into_iter()
        .flat_map(|role| [(role, false), (role, true)])
    {
        let mut ws = limited(role, u64::MAX, Delivery::Chunks);
        ws.advance_time(Duration::from_secs(1));
        let mut bytes = encode_for(role, &[frame(BINARY, &vec![7; 100_000])]);
        let mut input = &mut bytes[..];
        assert!(matches!(ws.receive(&mut input), Some(Event::Chunk(_))));
        ws.receive_eof();
        let due = ws.next_deadline().unwrap();
        pass(&mut ws, due);
        if prepared {
            assert!(ws.find_event(&mut &mut [][..]));
        }
        let Some(Event::Closed(report)) = ws.receive(&mut &mut [][..]) else {
            panic!("not closed")
        };
        assert_eq!((report.clean, report.code), (false, 1006));
        assert_eq!(ws.transport(), Transport::Close);
        assert!(ws.receive(&mut &mut [][..]).is_none());
    }
}
