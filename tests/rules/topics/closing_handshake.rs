//! The closing handshake (RFC 6455 §7) and its codes (§7.4).

use sansocket::Side;
use sansocket::config::Delivery;
use sansocket::error::Failure;
use sansocket::error::{CloseError, SendError};
use sansocket::error::{HandshakeError, Limit, ProtocolError, Timeout};
use sansocket::event::CloseReport;
use sansocket::{CloseCode, Connection, Event, Kind, Role, State, Transport};

use crate::support::*;

fn code(code: u16) -> Option<CloseCode> {
    Some(CloseCode::new(code).expect("a code that may be sent"))
}

/// A Close frame of this code.
fn close(code: u16) -> Frame {
    Frame::new(CLOSE, code.to_be_bytes())
}

/// The stream ends; the report.
fn report_at_eof(ws: &mut Connection) -> CloseReport {
    take_output(ws);
    let mut events = receive(ws, b"");
    ws.receive_eof();
    events.extend(receive(ws, b""));
    match &events[..] {
        [Seen::Closed(report)] => report.clone(),
        _ => panic!("one Closed: {events:?}"),
    }
}

// ── starting it

/// K-1, K-2: the Close frame, byte for byte, and the state.
#[test]
fn closing_sends_a_close_frame() {
    let mut ws = open(Role::Server);
    ws.close(code(1000), "bye").unwrap();
    assert_eq!(ws.output(), bytes("88 05 03 e8 62 79 65"));
    assert_eq!(ws.state(), State::Closing);
    let mut ws = open(Role::Server);
    ws.close(None, "").unwrap();
    assert_eq!(ws.output(), bytes("88 00"));
    for role in ROLES {
        let mut ws = open(role);
        assert_eq!(ws.state(), State::Open);
        receive_frames(&mut ws, &[Frame::new(CLOSE, "")]);
        assert_eq!(ws.state(), State::Closing);
    }
}

/// W-16: a page that goes away.
#[test]
fn going_away() {
    let mut ws = open(Role::Client);
    ws.close(Some(CloseCode::GOING_AWAY), "").unwrap();
    assert_eq!(ws.output(), bytes("88 82 37 fa 21 3d 34 13"));
}

/// S-1, S-5, S-8, S-9: every code that may be sent goes out as its two bytes. S-4: 1010 is a
/// client's. S-2, S-6, S-7, S-10 are not even values.
#[test]
fn every_code_that_may_be_sent() {
    for role in ROLES {
        for number in 0..=u16::MAX {
            let legal = matches!(number, 1000..=1003 | 1007..=1014 | 3000..=4999);
            let Some(code) = CloseCode::new(number) else {
                assert!(!legal, "{number}");
                continue;
            };
            assert!(legal, "{number}");
            // A few of the thousands are enough.
            if number > 3100 && number % 500 != 0 {
                continue;
            }
            let mut ws = open(role);
            if (number, role) == (1010, Role::Server) {
                let error = CloseError::ClientCode { code: 1010 };
                assert_eq!(ws.close(Some(code), ""), Err(error));
                assert_eq!((ws.state(), ws.output()), (State::Open, &b""[..]));
                ws.send("still open").unwrap();
                continue;
            }
            ws.close(Some(code), "").unwrap();
            assert_eq!(take_frames(&mut ws), [close(number)]);
        }
    }
}

/// C-3, W-7: 123 bytes of reason, whole characters; D-31: no reason without a code.
#[test]
fn reasons_fit_or_are_refused() {
    for role in ROLES {
        for (reason, fits) in [
            ("x".repeat(123), true),
            ("x".repeat(124), false),
            ("€".repeat(41), true),
            ("€".repeat(42), false),
        ] {
            let mut ws = open(role);
            if fits {
                ws.close(code(1000), &reason).unwrap();
                let frames = take_frames(&mut ws);
                assert_eq!(&frames[0].payload[2..], reason.as_bytes());
            } else {
                let (len, max) = (reason.len(), 123);
                let error = CloseError::ReasonTooLong { len, max };
                assert_eq!(ws.close(code(1000), &reason), Err(error));
                assert_eq!((ws.state(), ws.output()), (State::Open, &b""[..]));
            }
        }
        let mut ws = open(role);
        assert_eq!(ws.close(None, "x"), Err(CloseError::ReasonWithoutCode));
        assert_eq!((ws.state(), ws.output()), (State::Open, &b""[..]));
    }
}

/// C-8, W-8: closing again does nothing, whoever began.
#[test]
fn one_close_frame_only() {
    for role in ROLES {
        let mut ws = open(role);
        ws.close(code(1000), "first").unwrap();
        ws.close(code(1001), "second").unwrap();
        receive_frames(&mut ws, &[close(1000)]);
        ws.close(code(1002), "third").unwrap();
        let frames = take_frames(&mut ws);
        assert_eq!(frames, [Frame::new(CLOSE, b"\x03\xe8first")]);

        let mut ws = open(role);
        receive_frames(&mut ws, &[close(1000)]);
        ws.close(code(1001), "").unwrap();
        assert_eq!(take_frames(&mut ws), [close(1000)]);

        // K-10, K-18: nor after a failure.
        let mut ws = open(role);
        receive(&mut ws, &[0x83]);
        ws.close(code(1001), "").unwrap();
        assert_eq!(take_frames(&mut ws), [close(1002)]);
        assert_eq!(report_of_closed(&mut ws).sent.unwrap().code, code(1002));
    }
}

fn report_of_closed(ws: &mut Connection) -> CloseReport {
    let events = receive(ws, b"");
    match &events[..] {
        [Seen::Closed(report)] => report.clone(),
        _ => panic!("Closed: {events:?}"),
    }
}

/// C-5: data before the Close frame, none after it.
#[test]
fn no_data_after_our_close_frame() {
    for role in ROLES {
        let mut ws = open(role);
        ws.send("a").unwrap();
        ws.close(None, "").unwrap();
        assert_eq!(ws.send("b").unwrap_err().why, SendError::Closing);
        let expected = [Frame::new(TEXT, "a"), Frame::new(CLOSE, "")];
        assert_eq!(take_frames(&mut ws), expected);
    }
}

// ── answering it

/// C-6, D-13: the same code, no reason.
#[test]
fn a_close_frame_is_answered_with_its_code() {
    for role in ROLES {
        for (body, answer) in [
            (&b""[..], &b""[..]),
            (b"\x03\xe8", b"\x03\xe8"),
            (b"\x03\xe9bye", b"\x03\xe9"),
            (b"\x0f\xa0", b"\x0f\xa0"),
            (b"\x03\xf2", b"\x03\xf2"), // 1010 to a server: echoed, as §5.5.1 has it
        ] {
            let mut ws = open(role);
            ws.send("on its way").unwrap();
            receive_frames(&mut ws, &[Frame::new(CLOSE, body)]);
            let expected = [Frame::new(TEXT, "on its way"), Frame::new(CLOSE, answer)];
            assert_eq!(take_frames(&mut ws), expected);
        }
    }
}

/// C-9, K-3, K-4, K-8, D-20: who ends TCP, and when the handshake counts as complete.
#[test]
fn the_server_ends_tcp_first() {
    for began_here in [false, true] {
        // Server: over with the last byte of the output.
        let mut ws = open(Role::Server);
        if began_here {
            ws.close(code(1000), "").unwrap();
        }
        receive_frames(&mut ws, &[close(1000)]);
        let len = ws.output_len();
        ws.consume_output(len - 1);
        assert_eq!(
            (ws.state(), ws.transport()),
            (State::Closing, Transport::KeepOpen)
        );
        assert_eq!(receive(&mut ws, b""), []);
        ws.consume_output(1);
        assert_eq!(
            (ws.state(), ws.transport()),
            (State::Closed, Transport::Close)
        );
        let report = report_of_closed(&mut ws);
        assert!(report.clean);
        assert_eq!(
            report.began,
            Some(if began_here { Side::Both } else { Side::Peer })
        );
        assert_eq!(receive(&mut ws, b""), [], "once");

        // Client: waits for the server's end.
        let mut ws = open(Role::Client);
        if began_here {
            ws.close(code(1000), "").unwrap();
            take_output(&mut ws);
        }
        receive_frames(&mut ws, &[close(1000)]);
        take_output(&mut ws);
        assert_eq!(
            (ws.state(), ws.transport()),
            (State::Closing, Transport::AwaitPeerEnd)
        );
        assert_eq!(receive(&mut ws, b"whatever still comes"), []);
        ws.receive_eof();
        assert_eq!(
            (ws.state(), ws.transport()),
            (State::Closed, Transport::Close)
        );
        let report = report_of_closed(&mut ws);
        assert!(report.clean);
        assert_eq!(
            report.began,
            Some(if began_here { Side::Us } else { Side::Peer })
        );
        assert_eq!(receive(&mut ws, b""), [], "once");
    }
}

/// K-4: an end of the stream after one Close frame only is not clean.
#[test]
fn one_close_frame_is_not_enough() {
    for role in ROLES {
        let mut ws = open(role);
        ws.close(code(1000), "").unwrap();
        let report = report_at_eof(&mut ws);
        assert!(!report.clean);
        assert_eq!((report.code, report.received), (1006, None));
        assert_eq!(report.sent.unwrap().code, code(1000));

        // Received, and the answer did not get away (D-20).
        let mut ws = open(role);
        receive_frames(&mut ws, &[close(4000)]);
        ws.transport_lost();
        let report = report_of_closed(&mut ws);
        assert!(!report.clean);
        assert_eq!(report.code, 4000);
    }
}

/// D-20: our Close frame has left with its last byte, whatever stands before it and after it (D-14).
#[test]
fn our_close_frame_leaves_with_its_last_byte() {
    let queue = |role| {
        let mut ws = open(role);
        ws.ping(b"before").unwrap();
        ws.send("data").unwrap();
        ws.close(code(1000), "bye").unwrap();
        let end = ws.output_len();
        receive_frames(&mut ws, &[Frame::new(PING, "behind"), close(1000)]);
        (ws, end)
    };
    for role in ROLES {
        let (ws, end) = queue(role);
        assert!(ws.output_len() > end, "a Pong");
        for taken in 0..=ws.output_len() {
            for step in [1, taken.max(1)] {
                let (mut ws, _) = queue(role);
                for _ in 0..taken / step {
                    ws.consume_output(step);
                }
                ws.transport_lost();
                let clean = report_of_closed(&mut ws).clean;
                assert_eq!(clean, taken >= end, "{role:?} {taken} by {step}");
            }
        }
        // And not while it waits for the end of a frame in pieces (§5.4).
        let mut ws = open(role);
        ws.begin_message(Kind::Binary, 3).unwrap();
        ws.close(code(1000), "").unwrap();
        ws.consume_output(usize::MAX);
        receive_frames(&mut ws, &[close(1000)]);
        ws.transport_lost();
        assert!(!report_of_closed(&mut ws).clean);
    }
}

/// The end of the stream after the peer's Close frame leaves time to write the answer.
#[test]
fn the_answer_is_still_written_after_the_peers_end() {
    for role in ROLES {
        let mut ws = open(role);
        receive_frames(&mut ws, &[close(1000)]);
        ws.receive_eof();
        assert_eq!(ws.transport(), Transport::KeepOpen);
        assert_eq!(
            receive(&mut ws, b""),
            [],
            "{role:?}: the answer is not written yet"
        );
        assert_eq!(take_frames(&mut ws), [close(1000)]);
        assert_eq!(ws.transport(), Transport::Close);
        assert!(report_of_closed(&mut ws).clean);
    }
}

/// K-5, K-6, S-3: what the report says.
#[test]
fn the_code_and_reason_are_the_peers() {
    for role in ROLES {
        let mut ws = open(role);
        receive_frames(&mut ws, &[Frame::new(CLOSE, b"\x0f\xa0bye")]);
        let report = report_at_eof(&mut ws);
        assert_eq!(
            (report.code, report.received.as_ref().unwrap().reason()),
            (4000, "bye")
        );
        assert_eq!(report.sent.as_ref().unwrap().reason(), "");

        let mut ws = open(role);
        receive_frames(&mut ws, &[Frame::new(CLOSE, "")]);
        let report = report_at_eof(&mut ws);
        assert_eq!((report.code, report.received.unwrap().code), (1005, None));

        let mut ws = open(role);
        let report = report_at_eof(&mut ws);
        assert_eq!(
            (report.code, report.clean, report.received),
            (1006, false, None)
        );
        assert_eq!((report.sent, report.began), (None, None));

        // We close 4000, the peer answers 1000.
        let mut ws = open(role);
        ws.close(code(4000), "ours").unwrap();
        take_output(&mut ws);
        receive_frames(&mut ws, &[close(1000), close(1001)]);
        ws.receive_eof();
        let events = receive(&mut ws, b"");
        let report = match &events[..] {
            [Seen::Closed(report)] => report.clone(),
            // A server's came with the peer's Close frame.
            _ => continue,
        };
        assert_eq!((report.code, report.clean), (1000, true));
        assert_eq!(report.sent.as_ref().unwrap().reason(), "ours");
        assert_eq!(report.began, Some(Side::Us));
    }
}

/// The same for a server, whose Closed comes with the peer's Close frame.
#[test]
fn a_server_that_began_is_over_with_the_answer() {
    let mut ws = open(Role::Server);
    ws.close(code(4000), "ours").unwrap();
    take_output(&mut ws);
    let events = receive_frames(&mut ws, &[close(1000), close(1001)]);
    let [Seen::Close(Some(1000), _), Seen::Closed(report)] = &events[..] else {
        panic!("{events:?}")
    };
    assert_eq!(
        (report.code, report.clean, report.began),
        (1000, true, Some(Side::Us))
    );
    assert_eq!(ws.transport(), Transport::Close);
}

/// C-10, K-7: both at once: one Close frame each, both clean, each sees the other's code.
#[test]
fn both_close_at_the_same_time() {
    let (mut a, mut b) = (open(Role::Client), open(Role::Server));
    a.close(code(4000), "").unwrap();
    b.close(code(4001), "").unwrap();
    let (from_a, from_b) = (peek_output(&a), peek_output(&b));
    let to_b = receive(&mut b, &from_a);
    let to_a = receive(&mut a, &from_b);
    assert!(matches!(to_b[0], Seen::Close(Some(4000), _)), "{to_b:?}");
    assert!(matches!(to_a[0], Seen::Close(Some(4001), _)), "{to_a:?}");
    assert_eq!((take_output(&mut a), take_output(&mut b)), (from_a, from_b));
    let report = report_of_closed(&mut b);
    assert_eq!(
        (report.clean, report.code, report.began),
        (true, 4000, Some(Side::Both))
    );
    let report = report_at_eof(&mut a);
    assert_eq!(
        (report.clean, report.code, report.began),
        (true, 4001, Some(Side::Both))
    );
}

/// RX-2, D-15: data before the peer's Close frame is delivered, also after our own.
#[test]
fn data_is_delivered_until_the_peers_close_frame() {
    for role in ROLES {
        let mut ws = open(role);
        ws.close(None, "").unwrap();
        let input = [
            Frame::new(TEXT, "late"),
            Frame::new(CLOSE, ""),
            Frame::new(TEXT, "too late"),
            Frame::new(PING, "too late"),
        ];
        let events = receive_frames(&mut ws, &input);
        let expected = [Seen::text("late"), Seen::Close(None, String::new())];
        assert_eq!(events, expected);
        assert_eq!(take_frames(&mut ws), [Frame::new(CLOSE, "")], "no Pong");
    }
}

/// D-14: a Ping after our own Close frame is answered: a Pong is not data (§5.5.2).
#[test]
fn pings_are_answered_while_closing() {
    for role in ROLES {
        let mut ws = open(role);
        ws.close(None, "").unwrap();
        receive_frames(&mut ws, &[Frame::new(PING, "x")]);
        let expected = [Frame::new(CLOSE, ""), Frame::new(PONG, "x")];
        assert_eq!(take_frames(&mut ws), expected);
    }
}

/// Our Close frame has left when its last byte has, whatever waits after it: then the peer's is the answer to
/// it (§7.1.1).
#[test]
fn a_close_frame_leaves_before_the_pong_after_it() {
    for role in ROLES {
        let mut ws = open(role);
        ws.send("data").unwrap();
        ws.close(None, "").unwrap();
        let before = peek_output(&ws).len();
        receive_frames(&mut ws, &[Frame::new(PING, "x")]);
        ws.consume_output(before);
        assert!(!peek_output(&ws).is_empty(), "the Pong");
        let events = receive_frames(&mut ws, &[Frame::new(CLOSE, "")]);
        assert!(matches!(events[0], Seen::Close(None, _)), "{events:?}");
        take_output(&mut ws);
        let report = match role {
            Role::Server => report_of_closed(&mut ws),
            Role::Client => report_at_eof(&mut ws),
        };
        assert_eq!((report.clean, report.began), (true, Some(Side::Us)));
    }
}

/// K-17: no behaviour depends on the code received.
#[test]
fn the_peers_code_changes_nothing() {
    for role in ROLES {
        for number in (0..=u16::MAX).filter(|number| CloseCode::new(*number).is_some()) {
            let mut ws = open(role);
            receive_frames(&mut ws, &[close(number)]);
            let report = report_at_eof(&mut ws);
            assert_eq!(
                (report.clean, report.code, report.failure),
                (true, number, None)
            );
        }
    }
}

// ── failing

/// K-10, K-11, K-12, D-29: one error, one Close frame, nothing more read; the code is 1006.
#[test]
fn a_failure_is_reported_once_and_is_the_last_that_is_read() {
    for role in ROLES {
        let mut ws = open(role);
        ws.send("before").unwrap();
        let mut input = encode_for(role, &[Frame::new(TEXT, "ok")]);
        input.push(0xc1);
        input.extend(encode_for(
            role,
            &[close(1000), Frame::new(TEXT, "x"), Frame::new(PING, "")],
        ));
        let events = receive(&mut ws, &input);
        let failure = Failure::Protocol(ProtocolError::ReservedBits { bits: 4 });
        assert_eq!(events, [Seen::text("ok"), Seen::Failed(failure)]);
        assert_eq!(ws.state(), State::Closing);
        assert_eq!(receive_frames(&mut ws, &[Frame::new(TEXT, "x")]), []);
        assert_eq!(
            take_frames(&mut ws),
            [Frame::new(TEXT, "before"), close(1002)]
        );
        assert_eq!(
            (ws.state(), ws.transport()),
            (State::Closed, Transport::Close)
        );
        let report = report_of_closed(&mut ws);
        assert_eq!(
            (report.clean, report.code, report.received.as_ref()),
            (false, 1006, None)
        );
        assert_eq!(report.sent.as_ref().unwrap().code, code(1002));
        assert_eq!(
            (report.failure, report.began),
            (Some(failure), Some(Side::Us))
        );
        assert!(report.to_string().contains("RFC 6455 §5.2"), "{report}");
        assert_eq!(receive_frames(&mut ws, &[Frame::new(TEXT, "x")]), []);
    }
}

/// K-18, D-27: a failure while already closing adds no frame, and the transport goes at once.
#[test]
fn a_failure_while_closing_sends_no_second_close_frame() {
    for role in ROLES {
        let mut ws = open(role);
        ws.close(code(1000), "").unwrap();
        let before = peek_output(&ws);
        let events = receive(&mut ws, &[0x83]);
        let [Seen::Failed(_), Seen::Closed(report)] = &events[..] else {
            panic!("{events:?}")
        };
        assert_eq!((report.clean, report.code), (false, 1006));
        assert_eq!(report.sent.as_ref().unwrap().code, code(1000));
        assert_eq!(peek_output(&ws), before);
        assert_eq!(
            (ws.state(), ws.transport()),
            (State::Closed, Transport::Close)
        );
    }
}

/// K-14: the stream ends in the middle of a header, a frame, a message, a control frame.
#[test]
fn an_end_in_the_middle_is_1006() {
    for role in ROLES {
        for delivery in [Delivery::Whole, Delivery::Chunks] {
            let input = encode_for(
                role,
                &[Frame::new(TEXT, "abc").more(), Frame::new(PING, "xyz")],
            );
            for cut in 1..input.len() {
                let mut ws = match role {
                    Role::Server => server(&server_config().delivery(delivery)),
                    Role::Client => client(&client_config().delivery(delivery)),
                };
                let events = receive(&mut ws, &input[..cut]);
                assert!(
                    !events
                        .iter()
                        .any(|e| matches!(e, Seen::Text(_) | Seen::Ping(_))),
                    "no part of a message, no part of a Ping: {events:?}"
                );
                ws.receive_eof();
                let report = report_of_closed(&mut ws);
                assert_eq!((report.clean, report.code), (false, 1006));
                assert_eq!((report.failure, report.sent), (None, None));
                assert_eq!(ws.output(), b"", "nothing is added");
                assert_eq!(ws.transport(), Transport::Close);
            }
        }
    }
}

/// K-14: a lost transport: what is queued is dropped, and nothing that was kept is delivered.
#[test]
fn a_lost_transport() {
    for role in ROLES {
        let mut ws = open(role);
        ws.send("never sent").unwrap();
        let mut read = encode_for(role, &[Frame::new(TEXT, "held")]);
        ws.keep_input(&mut &mut read[..]);
        ws.transport_lost();
        assert_eq!((ws.output(), ws.output_len()), (&b""[..], 0));
        assert_eq!(ws.buffered_amount(), 10, "W-11: it is not reset");
        assert_eq!(
            (ws.state(), ws.transport()),
            (State::Closed, Transport::Close)
        );
        let report = report_of_closed(&mut ws);
        assert_eq!((report.clean, report.code), (false, 1006));
        assert_eq!(receive_frames(&mut ws, &[Frame::new(TEXT, "x")]), []);
    }
}

/// P-9, HS-26, S-3: TLS that fails is 1015 to the application, and never on the wire.
#[test]
fn failed_tls_is_1015() {
    for role in ROLES {
        let mut ws = open(role);
        ws.tls_failed();
        let report = report_of_closed(&mut ws);
        assert_eq!((report.clean, report.code), (false, 1015));
        assert_eq!(ws.output(), b"");
    }
    let mut ws = Connection::server(&server_config());
    ws.tls_failed();
    assert_eq!(report_of_closed(&mut ws).code, 1015);
}

/// E-12, K-4: what happens to the transport once the handshake was complete does not make it unclean.
#[test]
fn a_loss_after_both_close_frames_is_clean() {
    let mut ws = open(Role::Client);
    receive_frames(&mut ws, &[close(1000)]);
    take_output(&mut ws);
    ws.transport_lost();
    assert!(report_of_closed(&mut ws).clean);
}

/// K-9: input after the end is taken and ignored, in one step.
#[test]
fn input_after_the_end_is_discarded() {
    for role in ROLES {
        for way in WAYS {
            let mut ws = open(role);
            ws.receive_eof();
            let mut driver = Driver::new(ws, *way);
            driver.read(&[]);
            driver.read(&encode_for(role, &[Frame::new(TEXT, "late")]));
            driver.read(&[0xff; 100]);
            assert!(
                matches!(&driver.events[..], [Seen::Closed(_)]),
                "{way:?}: {:?}",
                driver.events
            );
        }
    }
}

/// S-11: every failure has one code, and it is one that may be sent.
#[test]
fn every_failure_has_a_fitting_code() {
    let limit = |limit| ProtocolError::Limit {
        limit,
        value: 2,
        max: 1,
    };
    for (error, number) in [
        (ProtocolError::ReservedBits { bits: 1 }, 1002),
        (ProtocolError::ReservedOpcode { opcode: 3 }, 1002),
        (ProtocolError::UnmaskedFrame, 1002),
        (ProtocolError::MaskedFrame, 1002),
        (ProtocolError::LengthNotMinimal, 1002),
        (ProtocolError::LengthTopBit, 1002),
        (ProtocolError::ControlTooLong, 1002),
        (ProtocolError::ControlFragmented, 1002),
        (ProtocolError::UnexpectedContinuation, 1002),
        (ProtocolError::MessageInterrupted { opcode: 2 }, 1002),
        (ProtocolError::CloseBodyTooShort, 1002),
        (ProtocolError::CloseCode { code: 1005 }, 1002),
        (ProtocolError::CloseReasonNotUtf8 { at: 0 }, 1007),
        (ProtocolError::TextNotUtf8 { at: 1, cut: true }, 1007),
        (limit(Limit::Fragments), 1008),
        (limit(Limit::Frame), 1009),
        (limit(Limit::Message), 1009),
    ] {
        assert_eq!(error.close_code(), number, "{error}");
        assert_eq!(Failure::from(error).close_code(), Some(number));
        assert!(CloseCode::new(number).is_some());
        // K-12: the message names the rule and its section.
        assert!(error.to_string().contains(error.section()), "{error}");
    }
    for (timeout, number) in [
        (Timeout::Handshake, None),
        (Timeout::Close, None),
        (Timeout::Pong, Some(1011)),
        (Timeout::Idle, Some(1001)),
    ] {
        assert_eq!(Failure::from(timeout).close_code(), number);
    }
    assert_eq!(
        Failure::from(HandshakeError::Malformed { line: 1 }).close_code(),
        None
    );
}

/// C-4: reasons stay out of logs.
#[test]
fn reasons_are_not_printed() {
    let mut ws = open(Role::Server);
    ws.close(code(1000), "our secret").unwrap();
    take_output(&mut ws);
    let mut read = encode_for(Role::Server, &[Frame::new(CLOSE, b"\x03\xe8their secret")]);
    let mut input = &mut read[..];
    while let Some(event) = ws.receive(&mut input) {
        assert!(!format!("{event:?}").contains("secret"), "{event:?}");
        if let Event::Closed(report) = event {
            assert!(!format!("{report}").contains("secret"), "{report}");
            let received = report.received.unwrap();
            assert_eq!(received.reason(), "their secret");
            let printed = format!("{received:?}");
            assert_eq!(printed, "CloseFrame(Some(1000), reason of 12 bytes)");
        }
    }
    assert!(!format!("{ws:?}").contains("secret"));
}

/// K-26: the report says whether the end of the stream, or its loss, came inside a frame or a message.
#[test]
fn what_the_end_cut_off() {
    use sansocket::event::CutOff;
    for role in ROLES {
        let first = encode_for(role, &[Frame::new(TEXT, "ab").more()]);
        let rest = encode_for(
            role,
            &[Frame::new(CONTINUATION, "cd"), Frame::new(PING, "")],
        );
        let whole = [&first[..], &rest].concat();
        let second = encode_for(role, &[Frame::new(CONTINUATION, "cd")]).len();
        for ends in [Connection::receive_eof, Connection::transport_lost] {
            for n in 0..=whole.len() {
                let mut ws = open(role);
                receive(&mut ws, &whole[..n]);
                ends(&mut ws);
                let events = receive(&mut ws, b"");
                let [Seen::Closed(report)] = &events[..] else {
                    panic!("{events:?}")
                };
                let (cut_off, words) = match n {
                    n if n == first.len() => (
                        Some(CutOff::Message),
                        "code 1006, in the middle of a message",
                    ),
                    n if n == 0 || n == first.len() + second || n == whole.len() => {
                        (None, "code 1006")
                    }
                    _ => (Some(CutOff::Frame), "code 1006, in the middle of a frame"),
                };
                assert_eq!(report.cut_off, cut_off, "{role:?} {n}");
                assert_eq!(report.to_string(), format!("closed not cleanly, {words}"));
            }
        }
        // What comes after the end of the conversation is nobody's.
        for last in [Frame::new(CLOSE, ""), Frame::new(3, "")] {
            let mut ws = open(role);
            let mut bytes = encode_for(role, &[Frame::new(TEXT, "ab").more(), last]);
            bytes.push(0x81);
            let mut events = receive(&mut ws, &bytes);
            take_output(&mut ws);
            ws.receive_eof();
            events.extend(receive(&mut ws, b""));
            assert!(
                matches!(events.last(), Some(Seen::Closed(report)) if report.cut_off.is_none())
            );
        }
    }
}

/// K-26: so it does where the frame is left with the caller.
#[cfg(feature = "bytes")]
#[test]
fn the_end_cuts_a_frame_that_waits() {
    let mut ws = open(Role::Client);
    let mut input = bytes::BytesMut::from(&b"\x82\x05abc"[..]);
    assert!(ws.receive_bytes(&mut input).is_none());
    ws.receive_eof();
    let Some(Event::Closed(report)) = ws.receive_bytes(&mut input) else {
        panic!("not closed")
    };
    assert_eq!(report.cut_off, Some(sansocket::event::CutOff::Frame));
}
