//! Time as an input: handshake, keepalive, idle, message and close deadlines (D-25).

use std::time::Duration;

use sansocket::config::{Delivery, Limits, Timeouts};
use sansocket::error::Failure;
use sansocket::error::SendError;
use sansocket::error::Timeout;
use sansocket::{Accept, ClientRequest, Connection, Kind, Response, Role, State, Transport, Uri};

use crate::support::*;

const fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

const fn millis(n: u64) -> Duration {
    Duration::from_millis(n)
}

const REQUEST: &[u8] =
    b"GET / HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";

/// Ping after 20 s, pong within 10 s, idle 60 s, handshake 7 s, close 3 s.
fn timeouts() -> Timeouts {
    let mut timeouts = Timeouts::default();
    timeouts.handshake = secs(7);
    timeouts.close = secs(3);
    timeouts.ping = Some(secs(20));
    timeouts.pong = Some(secs(10));
    timeouts.idle = None;
    timeouts
}

fn open_with(role: Role, timeouts: Timeouts) -> Connection {
    match role {
        Role::Server => server(&server_config().timeouts(timeouts)),
        Role::Client => client(&client_config().timeouts(timeouts)),
    }
}

/// Established at 100 s.
fn at_100(role: Role, timeouts: Timeouts) -> Connection {
    let mut ws = open_with(role, timeouts);
    ws.advance_time(secs(100));
    ws
}

fn new_client() -> Connection {
    let request = ClientRequest::new(Uri::parse("ws://h/").unwrap());
    let config = client_config().timeouts(timeouts());
    Connection::client_with_entropy(&config, request, Box::new(SampleKey)).unwrap()
}

fn new_server() -> Connection {
    Connection::server(&server_config().timeouts(timeouts()))
}

fn failed(timeout: Timeout) -> Seen {
    Seen::Failed(Failure::Timeout(timeout))
}

/// The payload of the one ping that is queued.
fn take_ping(ws: &mut Connection) -> Vec<u8> {
    let frames = take_frames(ws);
    assert_eq!(frames.len(), 1, "{frames:?}");
    assert_eq!((frames[0].opcode, frames[0].fin), (PING, true));
    frames[0].payload.clone()
}

// ── defaults

/// D-25: handshake 10 s, close 5 s; nothing while open; K-16: a connection that is left alone sends
/// nothing.
#[test]
fn the_defaults() {
    let mut ws = Connection::server(&server_config());
    ws.advance_time(secs(50));
    assert_eq!(ws.next_deadline(), Some(secs(60)));
    for role in ROLES {
        let mut ws = open(role);
        ws.advance_time(secs(50));
        assert_eq!(ws.next_deadline(), None);
        ws.advance_time(secs(50 + 86_400));
        assert_eq!((receive(&mut ws, b""), ws.output()), (vec![], &b""[..]));
        assert_eq!(ws.state(), State::Open);
        ws.close(None, "").unwrap();
        assert_eq!(ws.next_deadline(), Some(secs(50 + 86_400 + 5)));
    }
}

/// A caller that never tells the time has no deadlines at all.
#[test]
fn without_a_clock_there_are_no_deadlines() {
    for ws in [&mut new_server(), &mut new_client()] {
        assert_eq!(ws.next_deadline(), None);
    }
    for role in ROLES {
        let mut ws = open_with(role, timeouts());
        assert_eq!(ws.next_deadline(), None);
        ws.close(None, "").unwrap();
        assert_eq!(ws.next_deadline(), None);
    }
}

// ── the opening handshake

/// HR-16: a client drops the transport; the deadline is exact.
#[test]
fn a_client_gives_up_on_a_slow_answer() {
    let mut ws = new_client();
    pass(&mut ws, secs(100));
    assert_eq!(ws.next_deadline(), Some(secs(107)));
    take_output(&mut ws);
    receive(&mut ws, b"HTTP/1.1 101");
    assert_eq!(
        ws.next_deadline(),
        Some(secs(107)),
        "bytes do not prolong it"
    );
    pass(&mut ws, millis(106_999));
    assert_eq!(receive(&mut ws, b""), []);
    pass(&mut ws, secs(107));
    let events = receive(&mut ws, b"");
    assert!(
        matches!(&events[..], [failure, Seen::Closed(report)]
            if *failure == failed(Timeout::Handshake) && !report.clean && report.code == 1006
                && report.sent.is_none()),
        "{events:?}"
    );
    assert_eq!((ws.output(), ws.transport()), (&b""[..], Transport::Close));
    assert_eq!(ws.next_deadline(), None);
}

/// A server answers 408 to a slow request (9110 §15.5.9), 503 where its own application was slow.
#[test]
fn a_server_answers_when_it_gives_up() {
    for (input, status) in [(&b""[..], "408"), (&REQUEST[..20], "408"), (REQUEST, "503")] {
        let mut ws = new_server();
        pass(&mut ws, secs(100));
        let undecided = receive(&mut ws, input);
        pass(&mut ws, secs(107));
        assert_eq!(receive(&mut ws, b""), [failed(Timeout::Handshake)]);
        assert!(ws.accept(Accept::new()).is_err(), "{undecided:?}");
        let output = String::from_utf8(take_output(&mut ws)).unwrap();
        assert!(
            output.starts_with(&format!("HTTP/1.1 {status} ")),
            "{output}"
        );
        assert!(output.ends_with("\r\n\r\n"));
        assert!(matches!(&receive(&mut ws, b"")[..], [Seen::Closed(report)] if !report.clean));
        assert_eq!(
            (ws.state(), ws.next_deadline()),
            (State::Closed, Some(secs(110)))
        );
    }
}

/// The answer to a slow request may not be taken either: the close timeout bounds that.
#[test]
fn an_answer_that_is_not_taken_is_given_up() {
    let mut ws = new_server();
    pass(&mut ws, secs(100));
    pass(&mut ws, secs(107));
    receive(&mut ws, b"");
    assert_eq!(
        (ws.transport(), ws.next_deadline()),
        (Transport::KeepOpen, Some(secs(110)))
    );
    pass(&mut ws, secs(110));
    assert_eq!(ws.transport(), Transport::Close);
    assert!(matches!(receive(&mut ws, b"")[..], [Seen::Closed(_)]));
    // The same for the application's own answer.
    let mut ws = new_server();
    pass(&mut ws, secs(100));
    receive(&mut ws, REQUEST);
    pass(&mut ws, secs(106));
    ws.respond(Response::new(404)).unwrap();
    assert_eq!(ws.next_deadline(), Some(secs(109)));
    pass(&mut ws, secs(109));
    assert_eq!(ws.transport(), Transport::Close);
}

/// The handshake deadline ends with the handshake.
#[test]
fn an_established_connection_has_no_handshake_deadline() {
    let mut ws = new_server();
    ws.advance_time(secs(100));
    receive(&mut ws, REQUEST);
    ws.advance_time(secs(106));
    ws.accept(Accept::new()).unwrap();
    assert_eq!(ws.next_deadline(), Some(secs(126)), "the ping's");
    ws.advance_time(secs(107));
    assert_eq!(receive(&mut ws, b""), [Seen::Open]);
}

/// HR-1: the body of a refusal that is late is cut at the deadline.
#[test]
fn a_refusals_body_is_cut_at_the_deadline() {
    let mut ws = new_client();
    pass(&mut ws, secs(100));
    take_output(&mut ws);
    receive(&mut ws, b"HTTP/1.1 404 x\r\nContent-Length: 10\r\n\r\nabc");
    pass(&mut ws, secs(107));
    let events = receive(&mut ws, b"");
    let refused = Seen::Refused {
        status: 404,
        body: b"abc".into(),
        truncated: true,
    };
    assert_eq!(events[0], refused);
    assert!(matches!(events[1..], [Seen::Closed(_)]), "{events:?}");
}

// ── keepalive

/// W-15: a ping after the quiet time, its answer with the round trip, and the next one.
#[test]
fn keepalive_and_round_trip() {
    for role in ROLES {
        let mut ws = at_100(role, timeouts());
        assert_eq!(ws.next_deadline(), Some(secs(120)));
        ws.advance_time(millis(119_999));
        assert_eq!(ws.output(), b"");
        ws.advance_time(secs(120));
        assert_eq!(receive(&mut ws, b""), [], "a ping is no event");
        let ping = take_ping(&mut ws);
        assert_eq!(ws.next_deadline(), Some(secs(130)), "the pong's");
        ws.advance_time(millis(121_500));
        let events = receive_frames(&mut ws, &[Frame::new(PONG, &ping)]);
        assert_eq!(events, [Seen::Pong(ping.clone(), Some(millis(1500)))]);
        assert_eq!(ws.next_deadline(), Some(millis(141_500)));
        // Answered once: the same Pong again tells nothing.
        let events = receive_frames(&mut ws, &[Frame::new(PONG, &ping)]);
        assert_eq!(events, [Seen::pong(&ping)]);
        ws.advance_time(millis(141_500));
        assert_ne!(
            take_ping(&mut ws),
            ping,
            "each ping has a number of its own"
        );
    }
}

/// A frame that was received puts the ping off, once per read, and so does a KiB of one. A few bytes of
/// one, which may be all that ever comes, do not.
#[test]
fn the_quiet_time_begins_with_what_was_last_heard() {
    for role in ROLES {
        let long = encode_for(role, &[Frame::new(TEXT, [b'a'; 2000])]);
        for (input, due) in [
            (encode_for(role, &[Frame::new(TEXT, "whole")]), 135),
            (encode_for(role, &[Frame::new(PONG, "")]), 135),
            (long[..1100].to_vec(), 135),
            (long[..100].to_vec(), 120),
        ] {
            let mut ws = at_100(role, timeouts());
            ws.advance_time(secs(115));
            receive(&mut ws, &input);
            assert_eq!(ws.next_deadline(), Some(secs(due)));
            // Also after something that is held.
            let mut ws = at_100(role, timeouts());
            let begins = encode_for(role, &[Frame::new(PING, "held")]);
            ws.keep_input(&mut &mut begins.clone()[..begins.len() - 1]);
            ws.advance_time(secs(115));
            receive(&mut ws, &begins[begins.len() - 1..]);
            assert_eq!(ws.next_deadline(), Some(secs(135)));
        }
    }
}

/// A dead peer: no answer within the pong timeout; 1011, and the transport is bounded.
#[test]
fn a_ping_without_an_answer_fails_the_connection() {
    for role in ROLES {
        let mut ws = at_100(role, timeouts());
        pass(&mut ws, secs(120));
        take_ping(&mut ws);
        pass(&mut ws, millis(129_999));
        assert_eq!(receive(&mut ws, b""), []);
        pass(&mut ws, secs(130));
        assert_eq!(receive(&mut ws, b""), [failed(Timeout::Pong)]);
        assert_eq!(ws.state(), State::Closing);
        assert_eq!(ws.next_deadline(), Some(secs(133)), "the close timeout");
        assert_eq!(take_frames(&mut ws), [Frame::new(CLOSE, [3, 0xf3])]);
        assert_eq!(ws.transport(), Transport::ShutdownWrite);
        let events = receive(&mut ws, b"");
        assert!(matches!(&events[..], [Seen::Closed(report)]
            if report.failure == Some(Failure::Timeout(Timeout::Pong)) && report.code == 1006));
    }
}

/// Only its own answer measures the round trip of a ping, though anything proves that the peer lives.
#[test]
fn only_its_own_answer_counts() {
    for role in ROLES {
        let mut ws = at_100(role, timeouts());
        ws.advance_time(secs(120));
        let ping = take_ping(&mut ws);
        ws.advance_time(secs(125));
        ws.ping(b"app").unwrap();
        let mut wrong = ping.clone();
        wrong[0] ^= 1;
        let events = receive_frames(
            &mut ws,
            &[
                Frame::new(PONG, ""),
                Frame::new(PONG, &wrong),
                Frame::new(PONG, [&ping[..], b"x"].concat()),
                Frame::new(PONG, "app"),
                Frame::new(TEXT, "data"),
                Frame::new(PONG, &ping),
            ],
        );
        let pongs = [
            Seen::pong(""),
            Seen::pong(&wrong),
            Seen::pong([&ping[..], b"x"].concat()),
            Seen::Pong(b"app".into(), Some(Duration::ZERO)),
            Seen::text("data"),
            Seen::Pong(ping, Some(secs(5))),
        ];
        assert_eq!(events, pongs);
        assert_eq!(ws.next_deadline(), Some(secs(145)));
    }
}

/// A frame that does not go on puts the wait for the Pong off once, by what came of it, and no wake-up of
/// the driver does.
#[test]
fn a_frame_that_stands_still_does_not_prolong_the_wait() {
    for role in ROLES {
        for way in WAYS {
            let mut driver = Driver::new(at_100(role, timeouts()), *way);
            let input = encode_for(role, &[Frame::new(BINARY, [7; 1000])]);
            pass(&mut driver.ws, secs(120));
            take_ping(&mut driver.ws);
            pass(&mut driver.ws, secs(125));
            driver.read(&input[..500]);
            // The driver wakes up for other reasons.
            for now in 126..135 {
                pass(&mut driver.ws, secs(now));
                driver.read(&[]);
                let next = driver.ws.next_deadline();
                assert_eq!(next, Some(secs(135)), "{role:?} {way:?} {now}");
            }
            pass(&mut driver.ws, secs(135));
            driver.read(&[]);
            assert_eq!(driver.events, [failed(Timeout::Pong)], "{way:?}");
        }
    }
}

/// The same for the quiet time: only bytes that came count.
#[test]
fn waking_up_is_not_hearing() {
    let mut timeouts = timeouts();
    timeouts.idle = Some(secs(30));
    for role in ROLES {
        for way in WAYS {
            let mut driver = Driver::new(at_100(role, timeouts), *way);
            let input = encode_for(role, &[Frame::new(BINARY, [7; 1000])]);
            driver.read(&input[..500]);
            for now in 101..120 {
                driver.ws.advance_time(secs(now));
                driver.read(&[]);
                let next = driver.ws.next_deadline();
                assert_eq!(next, Some(secs(120)), "{role:?} {way:?} {now}");
            }
        }
    }
}

/// Without a pong timeout an answer may come late, and a round trip of more than 71 minutes is one still.
#[test]
fn a_pong_that_comes_after_hours() {
    let mut timeouts = timeouts();
    timeouts.pong = None;
    timeouts.ping = Some(secs(86_400));
    for role in ROLES {
        let mut ws = at_100(role, timeouts);
        ws.advance_time(secs(86_500));
        let ping = take_ping(&mut ws);
        ws.advance_time(secs(2 * 86_400));
        let events = receive_frames(&mut ws, &[Frame::new(PONG, &ping)]);
        let longest = Duration::from_micros(u64::from(u32::MAX) - 1);
        assert_eq!(events, [Seen::Pong(ping, Some(longest))]);
    }
}

/// A million idle connections are kept alive: a ping with nothing before it is noted nowhere but in
/// the output.
#[test]
fn keepalive_holds_no_memory() {
    for role in ROLES {
        let mut pinging = at_100(role, timeouts());
        pinging.advance_time(secs(120));
        let mut other = at_100(role, timeouts());
        other.pong(&take_ping(&mut pinging)).unwrap();
        take_output(&mut other);
        assert_eq!(pinging.memory_held(), other.memory_held());
    }
}

/// Without a pong timeout pings go on, and nothing fails.
#[test]
fn pings_without_a_pong_timeout() {
    let mut timeouts = timeouts();
    timeouts.pong = None;
    for role in ROLES {
        let mut ws = at_100(role, timeouts);
        for i in 1..5 {
            assert_eq!(ws.next_deadline(), Some(secs(100 + 20 * i)));
            ws.advance_time(secs(100 + 20 * i));
            take_ping(&mut ws);
        }
        assert_eq!(receive(&mut ws, b""), []);
    }
}

/// No ping while closing: the peer need not answer any more.
#[test]
fn no_keepalive_while_closing() {
    for role in ROLES {
        let mut ws = at_100(role, timeouts());
        ws.close(None, "").unwrap();
        assert_eq!(ws.next_deadline(), Some(secs(103)));
        // And a ping that is under way does not fail it.
        let mut ws = at_100(role, timeouts());
        ws.advance_time(secs(120));
        take_ping(&mut ws);
        receive_frames(&mut ws, &[Frame::new(CLOSE, "")]);
        assert_eq!(ws.next_deadline(), Some(secs(123)));
    }
}

/// The round trip of the application's own ping.
#[test]
fn the_round_trip_of_the_applications_ping() {
    for role in ROLES {
        let mut ws = at_100(role, Timeouts::default());
        ws.ping(b"a").unwrap();
        ws.advance_time(millis(100_250));
        let events = receive_frames(&mut ws, &[Frame::new(PONG, "b"), Frame::new(PONG, "a")]);
        assert_eq!(
            events,
            [Seen::pong("b"), Seen::Pong(b"a".into(), Some(millis(250)))]
        );
        // Without a clock there is none.
        let mut ws = open(role);
        ws.ping(b"a").unwrap();
        assert_eq!(
            receive_frames(&mut ws, &[Frame::new(PONG, "a")]),
            [Seen::pong("a")]
        );
    }
}

// ── idle

/// Nothing heard for too long: 1001. Our own sending does not count.
#[test]
fn an_idle_peer() {
    let mut timeouts = Timeouts::default();
    timeouts.idle = Some(secs(60));
    for role in ROLES {
        let mut ws = at_100(role, timeouts);
        assert_eq!(ws.next_deadline(), Some(secs(160)));
        pass(&mut ws, secs(130));
        receive_frames(&mut ws, &[Frame::new(PING, "")]);
        ws.send("a").unwrap();
        take_output(&mut ws);
        assert_eq!(ws.next_deadline(), Some(secs(190)));
        pass(&mut ws, secs(189));
        ws.send("a").unwrap();
        take_output(&mut ws);
        assert_eq!(receive(&mut ws, b""), []);
        pass(&mut ws, secs(190));
        assert_eq!(receive(&mut ws, b""), [failed(Timeout::Idle)]);
        assert_eq!(take_frames(&mut ws), [Frame::new(CLOSE, [3, 0xe9])]);
    }
}

/// Ping and idle together: each at its time.
#[test]
fn the_earliest_deadline_is_next() {
    let mut timeouts = timeouts();
    timeouts.idle = Some(secs(25));
    for role in ROLES {
        let mut ws = at_100(role, timeouts);
        assert_eq!(ws.next_deadline(), Some(secs(120)));
        pass(&mut ws, secs(120));
        take_ping(&mut ws);
        assert_eq!(ws.next_deadline(), Some(secs(125)));
        pass(&mut ws, secs(125));
        assert_eq!(receive(&mut ws, b""), [failed(Timeout::Idle)]);
    }
}

// ── a message that takes too long

/// A message has its time from its first byte to its last: a peer that sends a little now and then
/// is not idle, and holds what was gathered. 1008, as for too many fragments.
#[test]
fn a_message_that_does_not_end() {
    let mut timeouts = Timeouts::default();
    timeouts.idle = Some(secs(20));
    timeouts.message = Some(secs(30));
    for role in ROLES {
        for delivery in [Delivery::Whole, Delivery::Chunks] {
            let mut ws = match role {
                Role::Server => server(&server_config().timeouts(timeouts).delivery(delivery)),
                Role::Client => client(&client_config().timeouts(timeouts).delivery(delivery)),
            };
            pass(&mut ws, secs(100));
            assert_eq!(
                ws.next_deadline(),
                Some(secs(120)),
                "idle: no message was begun"
            );
            receive_frames(&mut ws, &[Frame::new(BINARY, "a").more()]);
            for now in [115, 129] {
                pass(&mut ws, secs(now));
                receive_frames(
                    &mut ws,
                    &[Frame::new(PING, ""), Frame::new(CONTINUATION, "b").more()],
                );
            }
            assert_eq!(ws.next_deadline(), Some(secs(130)));
            take_output(&mut ws);
            pass(&mut ws, secs(130));
            assert_eq!(receive(&mut ws, b""), [failed(Timeout::Message)]);
            assert_eq!(take_frames(&mut ws), [Frame::new(CLOSE, [3, 0xf0])]);
        }
    }
}

/// The next message has a time of its own, and one that is complete has none.
#[test]
fn each_message_has_its_own_time() {
    let mut timeouts = Timeouts::default();
    timeouts.message = Some(secs(30));
    for role in ROLES {
        let mut ws = at_100(role, timeouts);
        receive_frames(&mut ws, &[Frame::new(TEXT, "a")]);
        assert_eq!(ws.next_deadline(), None);
        receive_frames(&mut ws, &[Frame::new(TEXT, "a").more()]);
        ws.advance_time(secs(110));
        let ends = [Frame::new(CONTINUATION, "b"), Frame::new(TEXT, "c").more()];
        receive_frames(&mut ws, &ends);
        assert_eq!(ws.next_deadline(), Some(secs(140)));
        receive_frames(&mut ws, &[Frame::new(CONTINUATION, "")]);
        assert_eq!(ws.next_deadline(), None);
    }
}

/// A header that is not complete counts: it may be that of a message, and nothing else can come.
#[test]
fn a_header_that_does_not_end() {
    let mut timeouts = Timeouts::default();
    timeouts.message = Some(secs(30));
    for role in ROLES {
        for frame in [Frame::new(BINARY, [7; 200]), Frame::new(PING, "a")] {
            let bytes = encode_for(role, &[frame]);
            let mut ws = at_100(role, timeouts);
            receive(&mut ws, &bytes[..1]);
            ws.advance_time(secs(120));
            receive(&mut ws, &bytes[1..2]);
            assert_eq!(ws.next_deadline(), Some(secs(130)));
            assert_eq!(receive(&mut ws, &bytes[2..]).len(), 1);
            assert_eq!(ws.next_deadline(), None);
        }
    }
}

/// The clock may start inside a message.
#[test]
fn a_message_begun_before_the_time_was_told() {
    let mut timeouts = Timeouts::default();
    timeouts.message = Some(secs(30));
    let mut ws = open_with(Role::Server, timeouts);
    receive_frames(&mut ws, &[Frame::new(TEXT, "a").more()]);
    ws.advance_time(secs(5));
    assert_eq!(ws.next_deadline(), Some(secs(35)));
}

/// So does a frame that waits in the caller's buffer.
#[cfg(feature = "bytes")]
#[test]
fn a_frame_that_waits_in_the_callers_buffer() {
    let mut timeouts = Timeouts::default();
    timeouts.message = Some(secs(30));
    for role in ROLES {
        let bytes = encode_for(role, &[Frame::new(BINARY, [7; 200])]);
        let mut ws = at_100(role, timeouts);
        let mut input = bytes::BytesMut::from(&bytes[..100]);
        assert!(ws.receive_bytes(&mut input).is_none());
        ws.advance_time(secs(110));
        input.extend_from_slice(&bytes[100..150]);
        assert!(ws.receive_bytes(&mut input).is_none());
        assert_eq!(ws.next_deadline(), Some(secs(130)));
        input.extend_from_slice(&bytes[150..]);
        assert!(ws.receive_bytes(&mut input).is_some());
        assert_eq!(ws.next_deadline(), None);
    }
}

// ── closing

/// K-8, C-9: a client waits for the server's end until the close timeout, then closes; clean, as
/// both Close frames were exchanged.
#[test]
fn a_client_waits_for_the_server_until_the_close_timeout() {
    let mut ws = at_100(Role::Client, timeouts());
    ws.close(None, "").unwrap();
    pass(&mut ws, secs(101));
    take_output(&mut ws);
    receive_frames(&mut ws, &[Frame::new(CLOSE, "")]);
    assert_eq!(ws.transport(), Transport::AwaitPeerEnd);
    assert_eq!(ws.next_deadline(), Some(secs(104)), "from our Close frame");
    pass(&mut ws, secs(104));
    assert_eq!(
        (ws.state(), ws.transport()),
        (State::Closed, Transport::Close)
    );
    let events = receive(&mut ws, b"");
    assert!(
        matches!(&events[..], [Seen::Closed(report)] if report.clean && report.failure.is_none()),
        "{events:?}"
    );
    assert_eq!(ws.next_deadline(), None);
}

/// K-8: the wait begins with our Close frame, and nothing that comes later prolongs it: neither a
/// rule that is broken while closing nor the end of the stream while output waits.
#[test]
fn the_wait_for_the_end_is_not_prolonged() {
    for role in ROLES {
        let mut ws = at_100(role, timeouts());
        ws.close(None, "").unwrap();
        ws.advance_time(secs(102));
        ws.receive_eof();
        assert_eq!(ws.next_deadline(), Some(secs(103)), "{role:?}");
        let mut ws = at_100(role, timeouts());
        receive_frames(&mut ws, &[Frame::new(0x3, "")]);
        ws.advance_time(secs(102));
        ws.receive_eof();
        assert_eq!(ws.next_deadline(), Some(secs(103)), "{role:?}");
    }
    // The answer to a request that was refused.
    let mut ws = new_server();
    ws.advance_time(secs(100));
    receive(&mut ws, REQUEST);
    ws.respond(Response::new(403)).unwrap();
    ws.advance_time(secs(102));
    ws.receive_eof();
    assert_eq!(ws.next_deadline(), Some(secs(103)));
}

/// K-8: a peer that does not answer our Close frame.
#[test]
fn a_peer_that_does_not_close() {
    for role in ROLES {
        let mut ws = at_100(role, timeouts());
        ws.close(None, "").unwrap();
        take_output(&mut ws);
        // Data does not prolong the wait.
        pass(&mut ws, secs(102));
        assert_eq!(
            receive_frames(&mut ws, &[Frame::new(TEXT, "a")]),
            [Seen::text("a")]
        );
        assert_eq!(ws.next_deadline(), Some(secs(103)));
        pass(&mut ws, secs(103));
        assert_eq!(
            (ws.state(), ws.transport()),
            (State::Closed, Transport::Close)
        );
        let events = receive(&mut ws, b"");
        assert!(
            matches!(&events[..], [failure, Seen::Closed(report)]
                if *failure == failed(Timeout::Close) && !report.clean && report.code == 1006),
            "{events:?}"
        );
        assert_eq!(ws.output(), b"");
    }
}

/// A peer that does not read: the answer to its Close frame never leaves.
#[test]
fn an_answer_to_close_that_is_not_taken() {
    for role in ROLES {
        let mut ws = at_100(role, timeouts());
        receive_frames(&mut ws, &[Frame::new(CLOSE, "")]);
        assert_eq!(
            (ws.transport(), ws.next_deadline()),
            (Transport::KeepOpen, Some(secs(103)))
        );
        pass(&mut ws, secs(103));
        assert_eq!(ws.transport(), Transport::Close);
        let events = receive(&mut ws, b"");
        assert!(
            matches!(&events[..], [failure, Seen::Closed(report)]
                if *failure == failed(Timeout::Close) && !report.clean),
            "{events:?}"
        );
    }
}

/// K-9, §7.1.1: after a failure the last bytes are protected from a reset, but only for as long as
/// a clock can bound it; without one the transport is closed at once.
#[test]
fn shutting_down_writing_needs_a_clock() {
    for role in ROLES {
        let mut ws = at_100(role, timeouts());
        receive(&mut ws, &[0x83]);
        assert_eq!(ws.transport(), Transport::KeepOpen, "the Close frame first");
        take_output(&mut ws);
        assert_eq!(ws.transport(), Transport::ShutdownWrite);
        assert_eq!(ws.next_deadline(), Some(secs(103)));
        assert!(matches!(receive(&mut ws, b"")[..], [Seen::Closed(_)]));
        assert_eq!(receive(&mut ws, &[0; 100]), [], "read and discarded");
        let mut ended = at_100(role, timeouts());
        receive(&mut ended, &[0x83]);
        take_output(&mut ended);
        ended.receive_eof();
        assert_eq!(ended.transport(), Transport::Close);
        pass(&mut ws, secs(103));
        assert_eq!(ws.transport(), Transport::Close);
        assert_eq!((receive(&mut ws, b""), ws.next_deadline()), (vec![], None));

        let mut ws = open_with(role, timeouts());
        receive(&mut ws, &[0x83]);
        take_output(&mut ws);
        assert_eq!(ws.transport(), Transport::Close);
    }
    // An HTTP error likewise.
    for clock in [true, false] {
        let mut ws = new_server();
        if clock {
            pass(&mut ws, secs(100));
        }
        receive(&mut ws, b"POST / HTTP/1.1\r\nHost: h\r\n\r\n");
        take_output(&mut ws);
        let expected = if clock {
            Transport::ShutdownWrite
        } else {
            Transport::Close
        };
        assert_eq!(ws.transport(), expected);
    }
}

/// A clean close needs no such wait: both ends know that everything has come.
#[test]
fn a_clean_close_is_at_once() {
    let mut ws = at_100(Role::Server, timeouts());
    receive_frames(&mut ws, &[Frame::new(CLOSE, "")]);
    take_output(&mut ws);
    assert_eq!(ws.transport(), Transport::Close);
}

/// The end of the stream with output that nobody takes is bounded too.
#[test]
fn output_after_the_end_of_the_stream_is_bounded() {
    for role in ROLES {
        let mut ws = at_100(role, timeouts());
        ws.send("a").unwrap();
        ws.receive_eof();
        assert_eq!(
            (ws.transport(), ws.next_deadline()),
            (Transport::KeepOpen, Some(secs(103)))
        );
        pass(&mut ws, secs(103));
        assert_eq!(ws.transport(), Transport::Close);
        assert_eq!(ws.next_deadline(), None);
        let events = receive(&mut ws, b"");
        assert!(matches!(&events[..], [Seen::Closed(report)] if report.failure.is_none()));
    }
}

/// And of a request that nobody takes: its end was told before, and no failure is told after it.
#[test]
fn a_request_after_the_end_of_the_stream_is_bounded() {
    let mut ws = new_client();
    pass(&mut ws, secs(100));
    ws.receive_eof();
    let events = receive(&mut ws, b"");
    assert!(matches!(&events[..], [Seen::Closed(report)] if report.failure.is_none()));
    assert_eq!(
        (ws.transport(), ws.next_deadline()),
        (Transport::KeepOpen, Some(secs(103)))
    );
    // The stream ends once.
    pass(&mut ws, secs(102));
    ws.receive_eof();
    assert_eq!(ws.next_deadline(), Some(secs(103)));
    pass(&mut ws, secs(103));
    assert_eq!((ws.output(), ws.transport()), (&b""[..], Transport::Close));
    assert_eq!(receive(&mut ws, b""), []);
}

/// §7.1.1: a peer that takes nothing cannot hold the connection: in whatever way it ends, there is a
/// deadline while output waits, and after it no output is left to wait for.
#[test]
fn output_that_nobody_takes_is_dropped_at_the_deadline() {
    type Step = fn(&mut Connection);
    let endings: [(&str, Step); 4] = [
        ("our Close frame", |ws| ws.close(None, "").unwrap()),
        ("theirs", |ws| {
            receive_frames(ws, &[Frame::new(CLOSE, "")]);
        }),
        ("a failure", |ws| {
            receive(ws, &[0x83]);
        }),
        ("the end of the stream", |ws| ws.receive_eof()),
    ];
    for role in ROLES {
        for (what, end) in endings {
            for in_pieces in [false, true] {
                let mut ws = at_100(role, timeouts());
                if in_pieces {
                    ws.begin_message(Kind::Binary, 10).unwrap();
                    ws.write_message(b"some").unwrap();
                } else {
                    ws.send("some").unwrap();
                }
                if in_pieces && what == "a failure" {
                    continue; // there the transport is closed at once
                }
                end(&mut ws);
                receive(&mut ws, b"");
                assert!(!ws.output().is_empty());
                assert_eq!(ws.next_deadline(), Some(secs(103)), "{what}");
                pass(&mut ws, secs(103));
                assert_eq!((ws.output(), ws.output_len()), (&b""[..], 0), "{what}");
                assert_eq!(
                    (ws.transport(), ws.next_deadline()),
                    (Transport::Close, None)
                );
                let events = receive(&mut ws, b"");
                assert!(
                    events.iter().all(|event| match event {
                        Seen::Closed(report) => !report.clean,
                        event => *event == failed(Timeout::Close),
                    }),
                    "{what}: {events:?}"
                );
                assert_eq!(ws.state(), State::Closed);
                assert_eq!(ws.buffered_amount(), 4, "W-11");
            }
        }
    }
    // Before the connection is open there is nothing worth writing.
    let ends: [Step; 3] = [
        |ws| ws.close(None, "").unwrap(),
        |ws| pass(ws, secs(107)),
        |ws| {
            receive(ws, b"HTTP/1.1 403 x\r\n\r\n");
            receive(ws, b"SSH");
            ws.receive_eof();
        },
    ];
    for end in ends {
        let mut ws = new_client();
        ws.advance_time(secs(100));
        ws.consume_output(10);
        end(&mut ws);
        receive(&mut ws, b"");
        assert_eq!((ws.output(), ws.transport()), (&b""[..], Transport::Close));
        assert_eq!(ws.next_deadline(), None);
    }
}

// ── the clock itself

/// Time that goes backwards is ignored, whatever it would mean.
#[test]
fn time_does_not_go_backwards() {
    for role in ROLES {
        let mut ws = at_100(role, timeouts());
        ws.advance_time(secs(110));
        receive_frames(&mut ws, &[Frame::new(PONG, "")]);
        ws.advance_time(secs(10));
        receive_frames(&mut ws, &[Frame::new(PONG, "")]);
        assert_eq!(ws.next_deadline(), Some(secs(130)));
        ws.ping(b"a").unwrap();
        ws.advance_time(secs(9));
        let events = receive_frames(&mut ws, &[Frame::new(PONG, "a")]);
        assert_eq!(events, [Seen::Pong(b"a".into(), Some(Duration::ZERO))]);
    }
}

/// The clock may start at any moment: from there the deadline of what goes on then counts.
#[test]
fn a_clock_that_starts_late() {
    let mut ws = new_client();
    take_output(&mut ws);
    receive(&mut ws, b"HTTP/1.1 ");
    ws.advance_time(secs(500));
    assert_eq!(ws.next_deadline(), Some(secs(507)));
    for role in ROLES {
        let mut ws = open_with(role, timeouts());
        receive_frames(&mut ws, &[Frame::new(TEXT, "a")]);
        ws.advance_time(secs(500));
        assert_eq!(ws.next_deadline(), Some(secs(520)));

        let mut ws = open_with(role, timeouts());
        ws.close(None, "").unwrap();
        ws.advance_time(secs(500));
        assert_eq!(ws.next_deadline(), Some(secs(503)));
        // An origin of zero is an origin.
        let mut ws = open_with(role, timeouts());
        ws.advance_time(Duration::ZERO);
        assert_eq!(ws.next_deadline(), Some(secs(20)));
    }
    // A request that waits for its decision.
    let mut ws = new_server();
    receive(&mut ws, REQUEST);
    ws.advance_time(secs(500));
    assert_eq!(ws.next_deadline(), Some(secs(507)));
    // An answer that is on its way out.
    let mut ws = new_server();
    receive(&mut ws, b"POST / HTTP/1.1\r\nHost: h\r\n\r\n");
    ws.advance_time(secs(500));
    assert_eq!(ws.next_deadline(), Some(secs(503)));
    // A request that is still on its way out, whose answer will not come.
    let mut ws = new_client();
    ws.receive_eof();
    ws.advance_time(secs(500));
    assert_eq!(ws.next_deadline(), Some(secs(503)));
}

/// A driver that slept past several deadlines gets what is due, once, and does not spin.
#[test]
fn a_driver_that_slept() {
    for role in ROLES {
        let mut ws = at_100(role, timeouts());
        pass(&mut ws, secs(10_000));
        take_ping(&mut ws);
        assert_eq!(ws.next_deadline(), Some(secs(10_010)));
        let mut timeouts = timeouts();
        timeouts.idle = Some(secs(60));
        let mut ws = at_100(role, timeouts);
        pass(&mut ws, secs(10_000));
        let events = receive(&mut ws, b"");
        assert_eq!(events, [failed(Timeout::Idle)]);
        assert!(ws.next_deadline().is_none_or(|due| due > secs(10_000)));
    }
}

/// Timeouts of any length do not overflow.
#[test]
fn extreme_times() {
    let mut timeouts = Timeouts::default();
    timeouts.handshake = Duration::MAX;
    timeouts.close = Duration::MAX;
    timeouts.ping = Some(Duration::MAX);
    timeouts.pong = Some(Duration::MAX);
    timeouts.idle = Some(Duration::MAX);
    for role in ROLES {
        let mut ws = at_100(role, timeouts);
        assert_eq!(ws.next_deadline(), None);
        ws.advance_time(Duration::MAX);
        assert_eq!(receive(&mut ws, b""), []);
        ws.close(None, "").unwrap();
        assert_eq!(ws.next_deadline(), None);
        assert_eq!(receive(&mut ws, b""), []);
    }
    let mut ws = Connection::server(&server_config().timeouts(timeouts));
    ws.advance_time(secs(1));
    assert_eq!(ws.next_deadline(), None);
    // And none at all: everything is due at once, once.
    let mut timeouts = Timeouts::default();
    timeouts.ping = Some(Duration::ZERO);
    timeouts.pong = Some(Duration::ZERO);
    for role in ROLES {
        let mut ws = at_100(role, timeouts);
        ws.advance_time(secs(101));
        let events = receive(&mut ws, b"");
        assert_eq!(events.len(), 1, "{events:?}");
    }
}

/// Keepalive and a frame in pieces: a ping has no place inside it, and follows it.
#[test]
fn keepalive_waits_for_a_frame_in_pieces() {
    for role in ROLES {
        let mut ws = at_100(role, timeouts());
        ws.begin_message(Kind::Binary, 2).unwrap();
        take_output(&mut ws);
        ws.advance_time(secs(120));
        assert_eq!(ws.output(), b"");
        ws.write_message(b"ab").unwrap();
        let output = take_output(&mut ws);
        let ping = &decode(&output[2..])[0];
        assert_eq!((ping.opcode, ping.payload.len()), (PING, 2));
    }
}

/// A peer that reads nothing is found dead also when the queue is full: its ping passes the limit.
#[test]
fn a_peer_that_reads_nothing_is_found_dead() {
    let mut limits = Limits::server();
    limits.output = 1000;
    for role in ROLES {
        let mut ws = match role {
            Role::Server => server(&server_config().timeouts(timeouts()).limits(limits)),
            Role::Client => client(&client_config().timeouts(timeouts()).limits(limits)),
        };
        pass(&mut ws, secs(100));
        ws.send(&[7; 1000]).unwrap();
        let queued = ws.output_len();
        assert!(matches!(ws.can_send(), Err(SendError::Full { .. })));
        pass(&mut ws, secs(120));
        let ping = ws.output_len() - queued;
        assert!(ping > 0, "{role:?}");
        assert_eq!(ws.next_deadline(), Some(secs(130)));
        pass(&mut ws, secs(130));
        assert_eq!(ws.output_len(), queued + ping + ping, "and a Close frame");
        assert_eq!(receive(&mut ws, b""), [failed(Timeout::Pong)]);
        // It still takes nothing.
        pass(&mut ws, secs(133));
        assert_eq!(ws.transport(), Transport::Close);
    }
}

/// And one that reads slowly is not: the wait for the answer begins with the latest write of what
/// was queued before the ping, and with no other.
#[test]
fn a_peer_that_reads_slowly_is_alive() {
    for role in ROLES {
        let mut ws = at_100(role, timeouts());
        ws.send(&[7; 1000]).unwrap();
        let queued = ws.output_len();
        ws.advance_time(secs(120));
        ws.send("after the ping").unwrap();
        for now in [129, 138, 147] {
            ws.advance_time(secs(now));
            ws.consume_output(100);
            assert_eq!(ws.next_deadline(), Some(secs(now + 10)));
            // A write that took nothing.
            ws.advance_time(secs(now + 1));
            ws.consume_output(0);
            ws.take_buffer();
            assert_eq!(ws.next_deadline(), Some(secs(now + 10)));
        }
        ws.advance_time(secs(150));
        ws.consume_output(queued - 300);
        assert_eq!(ws.next_deadline(), Some(secs(160)));
        // The ping itself, and what is after it.
        ws.advance_time(secs(155));
        let frames = take_frames(&mut ws);
        assert_eq!(ws.next_deadline(), Some(secs(160)));
        ws.advance_time(secs(156));
        let events = receive_frames(&mut ws, &[Frame::new(PONG, &frames[0].payload)]);
        let round_trip = Some(secs(36));
        assert_eq!(events, [Seen::Pong(frames[0].payload.clone(), round_trip)]);
    }
}

/// One ping at most waits in a queue that nobody takes, whatever the timeouts are.
#[test]
fn pings_do_not_pile_up() {
    let mut timeouts = timeouts();
    timeouts.pong = None;
    for role in ROLES {
        let mut ws = at_100(role, timeouts);
        ws.send("first").unwrap();
        ws.advance_time(secs(120));
        let queued = ws.output_len();
        for i in 2..100 {
            ws.advance_time(secs(100 + 20 * i));
        }
        assert_eq!(ws.output_len(), queued, "{role:?}");
        assert_eq!(take_frames(&mut ws).len(), 2);
        ws.advance_time(secs(3000));
        assert_eq!(take_frames(&mut ws).len(), 1);
    }
}

/// A round trip begins when the ping is queued, also where the time for the next ping comes while it
/// still waits for room.
#[test]
fn the_round_trip_of_a_ping_that_waits() {
    let mut timeouts = timeouts();
    timeouts.pong = None;
    for role in ROLES {
        let mut ws = at_100(role, timeouts);
        ws.send("first").unwrap();
        ws.advance_time(secs(120));
        ws.advance_time(secs(140));
        ws.advance_time(secs(143));
        let frames = take_frames(&mut ws);
        let ping = frames[1].payload.clone();
        let events = receive_frames(&mut ws, &[Frame::new(PONG, &ping)]);
        assert_eq!(events, [Seen::Pong(ping, Some(secs(23)))], "{role:?}");
    }
}

/// §5.5.3: a Pong with the ping's payload that comes before the ping has left answers it; that the ping leaves
/// then begins no wait, and the next round trip is one of its own.
#[test]
fn a_pong_before_the_ping_has_left() {
    for role in ROLES {
        let mut ws = at_100(role, timeouts());
        ws.send("first").unwrap();
        ws.advance_time(secs(120));
        let ping = decode(ws.output())[1].payload.clone();
        ws.advance_time(secs(121));
        let events = receive_frames(&mut ws, &[Frame::new(PONG, &ping)]);
        assert_eq!(events, [Seen::Pong(ping, Some(secs(1)))]);
        ws.advance_time(secs(125));
        take_output(&mut ws);
        assert_eq!(ws.next_deadline(), Some(secs(145)), "the next ping");
        ws.advance_time(secs(145));
        let ping = take_ping(&mut ws);
        ws.advance_time(secs(147));
        let events = receive_frames(&mut ws, &[Frame::new(PONG, &ping)]);
        assert_eq!(events, [Seen::Pong(ping, Some(secs(2)))]);
    }
}

/// §5.4: the ping follows a frame in pieces. That the application takes its time over it is not
/// the peer's fault; that the peer does not read the pieces is.
#[test]
fn the_wait_after_a_frame_in_pieces() {
    for role in ROLES {
        let mut ws = at_100(role, timeouts());
        ws.begin_message(Kind::Binary, 3).unwrap();
        take_output(&mut ws);
        pass(&mut ws, secs(120));
        pass(&mut ws, secs(130));
        assert_eq!(ws.next_deadline(), Some(secs(140)), "{role:?}");
        ws.write_message(b"ab").unwrap();
        ws.consume_output(1);
        pass(&mut ws, secs(138));
        ws.consume_output(1);
        assert_eq!(ws.next_deadline(), Some(secs(148)), "{role:?}");
        pass(&mut ws, secs(150));
        ws.write_message(b"c").unwrap();
        assert_eq!(receive(&mut ws, b""), []);
        assert_eq!(ws.next_deadline(), Some(secs(160)), "{role:?}");
        pass(&mut ws, secs(160));
        assert_eq!(receive(&mut ws, b""), [failed(Timeout::Pong)]);
    }
}

/// State and time only: the same calls give the same bytes and events.
#[test]
fn nothing_else_decides() {
    let run = |role| {
        let mut ws = at_100(role, timeouts());
        let mut log = Vec::new();
        for i in 0..10 {
            ws.advance_time(secs(100 + 9 * i));
            log.push(format!(
                "{:?} {:?}",
                take_output(&mut ws),
                ws.next_deadline()
            ));
            log.push(format!(
                "{:?}",
                receive_frames(&mut ws, &[Frame::new(PING, [i as u8])])
            ));
        }
        log
    };
    for role in ROLES {
        assert_eq!(run(role), run(role));
    }
}
