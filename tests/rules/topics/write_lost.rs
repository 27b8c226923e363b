//! Nothing can be written any more, and reading goes on (RFC 6455 §7.1.4, §7.1.5, §7.2).

use std::time::Duration;

use sansocket::Side;
use sansocket::config::Timeouts;
use sansocket::error::{Failure, ProtocolError, SendError, Timeout};
use sansocket::event::CloseReport;
use sansocket::{
    Accept, ClientConfig, ClientRequest, CloseCode, Connection, Kind, Part, Role, State, Transport,
    Uri,
};

use crate::support::*;

fn s(n: u64) -> Duration {
    Duration::from_secs(n)
}

fn close(code: u16) -> Frame {
    Frame::new(CLOSE, code.to_be_bytes())
}

/// Nothing leaves, and the application's messages come back.
fn says_nothing(ws: &mut Connection) {
    assert_eq!((ws.output(), ws.output_len()), (&b""[..], 0));
    let unsent = ws.send(String::from("mine")).unwrap_err();
    assert_eq!((unsent.why, &*unsent.message), (SendError::Closing, "mine"));
    assert_eq!(ws.ping(b""), Err(SendError::Closing));
    assert_eq!(ws.pong(b""), Err(SendError::Closing));
    assert_eq!(ws.send_part(Part::text(b"a")), Err(SendError::Closing));
    assert_eq!(ws.begin_message(Kind::Text, 1), Err(SendError::Closing));
    assert_eq!(ws.write_message(b"a"), Err(SendError::Closing));
    assert_eq!(ws.close(None, ""), Ok(()));
    assert_eq!(ws.output_len(), 0);
}

fn report(events: &[Seen]) -> &CloseReport {
    match events.last() {
        Some(Seen::Closed(report)) => report,
        _ => panic!("no Closed: {events:?}"),
    }
}

/// K-19, K-5: a message that was too long for the peer: its 1009 is told, not 1006.
#[test]
fn what_the_peer_said_is_told() {
    for role in ROLES {
        let mut ws = open(role);
        ws.send("much more than the peer takes").unwrap();
        ws.write_lost();
        assert_eq!(
            (ws.state(), ws.transport()),
            (State::Closing, Transport::KeepOpen)
        );
        says_nothing(&mut ws);
        assert_eq!(ws.buffered_amount(), 29, "W-11: it is not reset");
        let frames = [Frame::new(TEXT, "a"), Frame::new(PING, "b"), close(1009)];
        let events = receive_frames(&mut ws, &frames);
        assert!(
            matches!(
                &events[..3],
                [Seen::Text(_), Seen::Ping(_), Seen::Close(..)]
            ),
            "{events:?}"
        );
        let report = report(&events);
        assert_eq!((report.clean, report.code), (false, 1009));
        assert_eq!(report.sent, None, "nothing was queued");
        assert_eq!(report.began, Some(Side::Peer));
        assert_eq!(
            (ws.state(), ws.transport()),
            (State::Closed, Transport::Close)
        );
        says_nothing(&mut ws);
    }
}

/// K-19, K-4: a Close frame of ours that had not left does not make a clean end; one that had does.
#[test]
fn our_close_frame_counts_if_it_had_left() {
    for role in ROLES {
        for left in [false, true] {
            let mut ws = open(role);
            ws.send("first").unwrap();
            ws.close(Some(CloseCode::NORMAL_CLOSURE), "").unwrap();
            if left {
                take_output(&mut ws);
            }
            ws.write_lost();
            assert_eq!(ws.output_len(), 0);
            let mut events = receive_frames(&mut ws, &[Frame::new(TEXT, "a"), close(1000)]);
            assert!(matches!(&events[0], Seen::Text(_)), "{events:?}");
            if left && role == Role::Client {
                // The server closes first (§7.1.1), as ever.
                assert_eq!(ws.transport(), Transport::AwaitPeerEnd);
                ws.receive_eof();
                events = receive(&mut ws, b"");
            }
            let report = report(&events);
            assert_eq!((report.clean, report.code), (left, 1000));
            let sent = report.sent.as_ref().and_then(|frame| frame.code);
            assert_eq!(sent, Some(CloseCode::NORMAL_CLOSURE));
            assert_eq!(ws.transport(), Transport::Close);
        }
    }
}

/// K-19, K-4: the peer says nothing more.
#[test]
fn an_end_without_a_close_frame() {
    for role in ROLES {
        for end in [Connection::receive_eof, Connection::transport_lost] {
            for end_first in [false, true] {
                let mut ws = open(role);
                ws.ping(b"").unwrap();
                if end_first {
                    end(&mut ws);
                }
                ws.write_lost();
                if !end_first {
                    end(&mut ws);
                }
                assert_eq!(
                    (ws.state(), ws.transport()),
                    (State::Closed, Transport::Close)
                );
                let events = receive(&mut ws, b"");
                let report = report(&events);
                assert_eq!((report.clean, report.code), (false, 1006));
                assert_eq!(events.len(), 1);
            }
        }
    }
}

/// K-19, K-8: it is not waited for longer than for an answer to a Close frame.
#[test]
fn the_wait_is_bounded() {
    for role in ROLES {
        let mut ws = open(role);
        pass(&mut ws, s(100));
        ws.write_lost();
        assert_eq!(ws.next_deadline(), Some(s(105)));
        receive_frames(&mut ws, &[Frame::new(TEXT, "a")]);
        pass(&mut ws, s(104));
        ws.write_lost();
        assert_eq!(
            ws.next_deadline(),
            Some(s(105)),
            "saying it again prolongs nothing"
        );
        pass(&mut ws, s(105));
        assert_eq!(ws.transport(), Transport::Close);
        let events = receive(&mut ws, b"");
        assert_eq!(events[0], Seen::Failed(Timeout::Close.into()));
        assert_eq!((report(&events).clean, events.len()), (false, 2));
        assert_eq!(ws.next_deadline(), None);
        // Told for the first time later, it begins there.
        let mut ws = open(role);
        ws.write_lost();
        assert_eq!(ws.next_deadline(), None);
        pass(&mut ws, s(7));
        assert_eq!(ws.next_deadline(), Some(s(12)));
    }
}

/// K-19, K-8: a fault is told, and no Close frame is written for it.
#[test]
fn a_failure_after_it() {
    for role in ROLES {
        let mut ws = open(role);
        ws.write_lost();
        let events = receive(&mut ws, &[0x83]);
        let failure: Failure = ProtocolError::ReservedOpcode { opcode: 3 }.into();
        assert_eq!(events[0], Seen::Failed(failure));
        let report = report(&events);
        assert_eq!((report.clean, &report.sent), (false, &None));
        assert_eq!((ws.output_len(), ws.transport()), (0, Transport::Close));
    }
}

/// K-19, K-9: what could not be written after a failure is not waited for; where our Close frame had
/// left, the peer still gets the time to read it.
#[test]
fn after_a_failure() {
    for role in ROLES {
        for left in [false, true] {
            let mut ws = open(role);
            ws.advance_time(s(1));
            receive(&mut ws, &[0x83]);
            if left {
                take_output(&mut ws);
            }
            ws.write_lost();
            let events = receive(&mut ws, b"");
            assert_eq!((report(&events).clean, ws.output_len()), (false, 0));
            let expected = if left {
                Transport::ShutdownWrite
            } else {
                Transport::Close
            };
            assert_eq!(ws.transport(), expected, "{role:?}");
        }
    }
}

/// K-19: after the peer's end and with answers queued there is nothing to do any more.
#[test]
fn after_the_peers_close_or_end() {
    for role in ROLES {
        let mut ws = open(role);
        receive_frames(&mut ws, &[close(4000)]);
        ws.write_lost();
        let events = receive(&mut ws, b"");
        assert_eq!((report(&events).clean, report(&events).code), (false, 4000));
        assert_eq!(ws.transport(), Transport::Close);
        let mut ws = open(role);
        let mut held = encode_for(role, &[Frame::new(TEXT, "held"), close(1001)]);
        ws.keep_input(&mut &mut held[..]);
        ws.receive_eof();
        ws.write_lost();
        let events = receive(&mut ws, b"");
        assert!(matches!(
            events[..],
            [Seen::Text(_), Seen::Close(..), Seen::Closed(_)]
        ));
        assert_eq!(report(&events).code, 1001);
    }
}

/// K-19: a message that was begun is dropped with the rest, and nothing of it is kept.
#[test]
fn a_message_in_pieces_is_dropped() {
    for role in ROLES {
        let mut ws = open(role);
        ws.begin_message(Kind::Binary, 100).unwrap();
        ws.write_message(b"some").unwrap();
        ws.ping(b"waits for its end").unwrap();
        ws.write_lost();
        says_nothing(&mut ws);
        let mut ws = open(role);
        ws.send_part(Part::text(b"some")).unwrap();
        ws.write_lost();
        says_nothing(&mut ws);
    }
}

/// K-19: the Ping that waits for room gets no answer (RFC 6455 §5.5.3), and is not kept.
#[test]
fn a_ping_that_waits_is_dropped() {
    for role in ROLES {
        let held = |pings: usize| {
            let mut ws = open(role);
            receive_frames(&mut ws, &vec![Frame::new(PING, [7; 125]); pings]);
            let before = ws.memory_held();
            ws.write_lost();
            says_nothing(&mut ws);
            (before, ws.memory_held())
        };
        let ((queued, least), (waiting, left)) = (held(16), held(17));
        assert!(waiting >= queued + 125, "{role:?} {queued} {waiting}");
        assert_eq!(left, least, "{role:?}");
    }
}

/// K-19, P-9: a client reads what the server answered to a request that did not get away as a whole; a
/// server that has not answered is over.
#[test]
fn before_the_connection() {
    let config = ClientConfig::new().timeouts(Timeouts::default());
    let client = || {
        let request = ClientRequest::new(Uri::parse("ws://h/").unwrap());
        let mut ws =
            Connection::client_with_entropy(&config, request, Box::new(SampleKey)).unwrap();
        pass(&mut ws, s(0));
        ws.consume_output(1);
        ws.write_lost();
        assert_eq!(
            (ws.output_len(), ws.state(), ws.transport()),
            (0, State::Connecting, Transport::KeepOpen)
        );
        assert_eq!(ws.next_deadline(), Some(s(10)), "the handshake's");
        ws
    };
    let mut ws = client();
    let answer = b"HTTP/1.1 431 x\r\nContent-Length: 0\r\n\r\n";
    let events = receive(&mut ws, answer);
    assert!(matches!(&events[0], Seen::Refused { status: 431, .. }));
    assert_eq!(report(&events).code, 1006);
    assert_eq!(ws.transport(), Transport::Close);

    let mut ws = client();
    ws.receive_eof();
    assert!(!report(&receive(&mut ws, b"")).clean);
    let mut ws = client();
    pass(&mut ws, s(10));
    let events = receive(&mut ws, b"");
    assert_eq!(events[0], Seen::Failed(Timeout::Handshake.into()));

    // Open and at once half of it gone: read, and bounded.
    let mut ws = client();
    let mut other = Connection::server(&server_config());
    let request = ClientRequest::new(Uri::parse("ws://h/").unwrap());
    let mut whole = Connection::client_with_entropy(&config, request, Box::new(SampleKey)).unwrap();
    receive(&mut other, &take_output(&mut whole));
    other.accept(Accept::new()).unwrap();
    other.send("hello").unwrap();
    pass(&mut ws, s(3));
    let events = receive(&mut ws, &take_output(&mut other));
    assert!(
        matches!(events[..], [Seen::Open, Seen::Text(_)]),
        "{events:?}"
    );
    assert_eq!(
        (ws.state(), ws.next_deadline()),
        (State::Closing, Some(s(8)))
    );
    says_nothing(&mut ws);

    for request in [&b""[..], b"GET /", REQUEST] {
        let mut ws = Connection::server(&server_config());
        receive(&mut ws, request);
        ws.write_lost();
        assert!(!report(&receive(&mut ws, b"")).clean);
        assert_eq!(ws.transport(), Transport::Close);
    }
    let mut ws = Connection::server(&server_config());
    pass(&mut ws, s(0));
    receive(&mut ws, b"POST / HTTP/1.1\r\nHost: h\r\n\r\n");
    assert!(ws.output_len() > 0);
    ws.write_lost();
    assert_eq!((ws.output_len(), ws.transport()), (0, Transport::Close));
}

const REQUEST: &[u8] =
    b"GET / HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";
