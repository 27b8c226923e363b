//! What arrived before a deadline counts, however late it is read; what proves that a peer lives; and
//! how long the end of a connection may take (RFC 6455 §5.5.2, §7.1.1).

use std::time::Duration;

use sansocket::ClientConfig;
use sansocket::config::{Limits, Timeouts};
use sansocket::error::{Failure, Timeout};
use sansocket::{
    Accept, ClientRequest, CloseCode, Connection, Kind, Response, Role, State, Transport, Uri,
};

use crate::support::*;

const fn s(n: u64) -> Duration {
    Duration::from_secs(n)
}

fn failed(timeout: Timeout) -> Seen {
    Seen::Failed(Failure::Timeout(timeout))
}

/// Ping every 10 s, pong within 20 s.
fn keepalive() -> Timeouts {
    let mut timeouts = Timeouts::default();
    timeouts.ping = Some(s(10));
    timeouts.pong = Some(s(20));
    timeouts
}

fn with(role: Role, timeouts: Timeouts, limits: Limits) -> Connection {
    match role {
        Role::Server => server(&server_config().timeouts(timeouts).limits(limits)),
        Role::Client => client(&ClientConfig::new().timeouts(timeouts).limits(limits)),
    }
}

/// Open since 0 s.
fn open_at_0(role: Role, timeouts: Timeouts) -> Connection {
    let mut ws = with(role, timeouts, Limits::server());
    ws.advance_time(s(0));
    ws
}

/// The ping of 10 s has left; its payload.
fn pinged_at_10(ws: &mut Connection) -> Vec<u8> {
    ws.advance_time(s(10));
    let frames = take_frames(ws);
    assert_eq!((frames.len(), frames[0].opcode), (1, PING));
    frames[0].payload.clone()
}

// ── a driver that slept

/// What a peer sends, and the connection that waits for it, and for how long at most.
struct Wait {
    name: &'static str,
    ws: Connection,
    comes: Vec<u8>,
    ends: Duration,
    timeout: Timeout,
}

const REQUEST: &[u8] =
    b"GET / HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";

fn new_client() -> Connection {
    let request = ClientRequest::new(Uri::parse("ws://h/").unwrap());
    Connection::client_with_entropy(&ClientConfig::new(), request, Box::new(SampleKey)).unwrap()
}

/// Every deadline that waits for the peer, with what would have met it.
fn waits() -> Vec<Wait> {
    let mut waits = Vec::new();
    for role in ROLES {
        let mut ws = open_at_0(role, keepalive());
        let ping = pinged_at_10(&mut ws);
        waits.push(Wait {
            name: "pong",
            ws,
            comes: encode_for(role, &[Frame::new(PONG, ping)]),
            ends: s(30),
            timeout: Timeout::Pong,
        });
        let mut timeouts = Timeouts::default();
        timeouts.idle = Some(s(60));
        waits.push(Wait {
            name: "idle",
            ws: open_at_0(role, timeouts),
            comes: encode_for(role, &[Frame::new(TEXT, "a")]),
            ends: s(60),
            timeout: Timeout::Idle,
        });
        let mut timeouts = Timeouts::default();
        timeouts.message = Some(s(40));
        let mut ws = open_at_0(role, timeouts);
        let message = encode_for(role, &[Frame::new(BINARY, [7; 100_000])]);
        receive(&mut ws, &message[..100]);
        waits.push(Wait {
            name: "message",
            ws,
            comes: message[100..].to_vec(),
            ends: s(40),
            timeout: Timeout::Message,
        });
        let mut ws = open_at_0(role, Timeouts::default());
        ws.close(Some(CloseCode::NORMAL_CLOSURE), "").unwrap();
        take_output(&mut ws);
        let answer = [
            Frame::new(BINARY, [7; 100_000]),
            Frame::new(CLOSE, [3, 0xe8]),
        ];
        waits.push(Wait {
            name: "close",
            ws,
            comes: encode_for(role, &answer),
            ends: s(5),
            timeout: Timeout::Close,
        });
    }
    let mut ws = Connection::server(&server_config());
    ws.advance_time(s(0));
    waits.push(Wait {
        name: "request",
        ws,
        comes: REQUEST.to_vec(),
        ends: s(10),
        timeout: Timeout::Handshake,
    });
    let mut ws = new_client();
    ws.advance_time(s(0));
    let mut other = Connection::server(&server_config());
    receive(&mut other, &take_output(&mut ws));
    other.accept(Accept::new()).unwrap();
    waits.push(Wait {
        name: "answer",
        ws,
        comes: take_output(&mut other),
        ends: s(10),
        timeout: Timeout::Handshake,
    });
    waits
}

/// D-32: the process was stopped for an hour, or the loop was blocked. What lies in the socket is read, in
/// pieces, and counts.
#[test]
fn what_came_before_a_deadline_counts() {
    for way in WAYS {
        for reads_first in [false, true] {
            for wait in waits() {
                let name = format!("{} {way:?} {reads_first}", wait.name);
                let mut driver = Driver::new(wait.ws, *way);
                let mut now = s(3600);
                driver.ws.advance_time(now);
                assert!(
                    driver.ws.next_deadline().is_some_and(|due| due <= now),
                    "{name}: now"
                );
                if reads_first {
                    // It woke because of the deadline, and asks for events before it reads.
                    driver.read(&[]);
                    assert_eq!(driver.events, [], "{name}");
                    now += s(1);
                    driver.ws.advance_time(now);
                }
                for piece in wait.comes.chunks(4096) {
                    driver.read(piece);
                    now += Duration::from_millis(1);
                    driver.ws.advance_time(now);
                }
                driver.read(&[]);
                assert_eq!(driver.failure(), None, "{name}");
                assert_ne!(driver.events, [], "{name}");
                let due = driver.ws.next_deadline();
                assert!(
                    matches!(wait.name, "request" | "close") || due.is_none_or(|due| due > now),
                    "{name}: {due:?}"
                );
            }
        }
    }
}

/// D-32: what is read before the time is told meets its deadline as well. It counts as of the time that was told
/// last, so that bytes are found to be idle for too long from then on.
#[test]
fn what_is_read_before_the_time_is_told() {
    for way in WAYS {
        for wait in waits() {
            let name = format!("{} {way:?}", wait.name);
            let mut driver = Driver::new(wait.ws, *way);
            for piece in wait.comes.chunks(4096) {
                driver.read(piece);
            }
            assert_ne!(driver.events, [], "{name}");
            if wait.name == "request" {
                driver.ws.accept(Accept::new()).unwrap();
            }
            for second in 3600..3604 {
                driver.ws.advance_time(s(second));
                driver.read(&[]);
            }
            let idle = (wait.name == "idle").then_some(Failure::Timeout(Timeout::Idle));
            assert_eq!(driver.failure(), idle, "{name}");
        }
    }
}

/// D-32: nothing came. The driver has read once, or it only tells the time: the deadline is judged, and is
/// not asked about for ever.
#[test]
fn what_did_not_come_ends_the_connection() {
    for way in WAYS {
        for Wait {
            name,
            ws,
            ends,
            timeout,
            ..
        } in waits()
        {
            let mut driver = Driver::new(ws, *way);
            assert_eq!(driver.ws.next_deadline(), Some(ends), "{name}");
            driver.ws.advance_time(ends - Duration::from_nanos(1));
            driver.read(&[]);
            assert_eq!(driver.events, [], "{name}");
            driver.ws.advance_time(ends);
            driver.read(&[]);
            assert_eq!(driver.events, [], "{name} {way:?}: it is to be read first");
            driver.ws.advance_time(ends);
            driver.read(&[]);
            assert_eq!(
                driver.events.first(),
                Some(&failed(timeout)),
                "{name} {way:?}"
            );
        }
    }
    for Wait {
        name, mut ws, ends, ..
    } in waits()
    {
        let mut now = ends;
        for turn in 0.. {
            assert!(turn < 10, "{name}");
            ws.advance_time(now);
            match ws.next_deadline() {
                None => break,
                Some(due) => now = now.max(due),
            }
        }
        assert!(
            !matches!(ws.transport(), Transport::KeepOpen) || !ws.output().is_empty(),
            "{name}"
        );
        take_output(&mut ws);
        pass(&mut ws, now + s(5));
        assert_eq!(ws.transport(), Transport::Close, "{name}");
    }
}

/// D-32: a deadline that passes after another was met gives the driver the time to read, too.
#[test]
fn each_deadline_by_itself() {
    for way in WAYS {
        for role in ROLES {
            let mut timeouts = Timeouts::default();
            timeouts.idle = Some(s(5));
            timeouts.message = Some(s(5));
            let mut driver = Driver::new(open_at_0(role, timeouts), *way);
            let frame = encode_for(role, &[Frame::new(TEXT, "slow")]);
            driver.ws.advance_time(s(6));
            driver.read(&frame[..3]);
            driver.ws.advance_time(s(60));
            driver.read(&frame[3..]);
            assert_eq!(driver.failure(), None, "{way:?} {role:?}");
            assert_eq!(driver.events.len(), 1, "{way:?} {role:?}");
        }
    }
}

/// D-32: a driver that writes before it reads, as blocking ones do: what it could not read yet still counts,
/// and a peer that only reads is found all the same.
#[test]
fn a_driver_that_writes_first() {
    for role in ROLES {
        let mut ws = open_at_0(role, keepalive());
        let ping = pinged_at_10(&mut ws);
        for _ in 0..20 {
            ws.advance_time(s(3600));
            assert_eq!(receive(&mut ws, b""), []);
            ws.send("news").unwrap();
            ws.consume_output(usize::MAX);
        }
        let pong = encode_for(role, &[Frame::new(PONG, &ping)]);
        assert!(matches!(receive(&mut ws, &pong)[..], [Seen::Pong(..)]));

        let mut ws = open_at_0(role, keepalive());
        pinged_at_10(&mut ws);
        let mut now = 30;
        while ws.state() == State::Open {
            ws.advance_time(s(now));
            receive(&mut ws, b"");
            let _ = ws.send("news");
            ws.consume_output(usize::MAX);
            now += 1;
        }
        assert!((50..55).contains(&now), "{now}");
    }
}

/// D-32: what bounds the whole of something cannot be put off by sending on and on, however fast: as long
/// again at most.
#[test]
fn a_flood_does_not_put_a_deadline_off_for_ever() {
    for Wait {
        name,
        mut ws,
        comes,
        ends,
        timeout,
    } in waits()
    {
        if matches!(timeout, Timeout::Pong | Timeout::Idle) {
            continue; // a peer that sends is alive
        }
        let role = ws.role();
        let piece = match name {
            // The reason why the message goes on and on.
            "close" => encode_for(role, &[Frame::new(TEXT, "a")]),
            _ => comes[..1].to_vec(),
        };
        let piece = if matches!(name, "request" | "answer") {
            b""
        } else {
            &piece[..]
        };
        let step = ends / 50;
        let mut now = ends;
        let mut at = 0;
        let mut events = Vec::new();
        while events.iter().find_map(Seen::failure).is_none() {
            ws.advance_time(now);
            let byte = comes.get(at..=at).unwrap_or_default();
            events.extend(receive(
                &mut ws,
                if piece.is_empty() { byte } else { piece },
            ));
            now += step;
            at += 1;
            assert!(now < ends * 3, "{name}");
        }
        assert_eq!(
            events.iter().find_map(Seen::failure),
            Some(timeout.into()),
            "{name}"
        );
        assert_eq!(now - step, ends * 2, "{name}: it had its chance");
    }
}

/// D-32: no time at all is time to read once.
#[test]
fn a_timeout_of_nothing() {
    let mut timeouts = Timeouts::default();
    timeouts.idle = Some(Duration::ZERO);
    for role in ROLES {
        let mut ws = open_at_0(role, timeouts);
        assert_eq!((ws.state(), ws.next_deadline()), (State::Open, Some(s(0))));
        let events = receive_frames(&mut ws, &[Frame::new(TEXT, "a")]);
        assert_eq!(events, [Seen::text("a")]);
        pass(&mut ws, s(0));
        assert_eq!(receive(&mut ws, b""), [failed(Timeout::Idle)]);
    }
}

// ── input that is held

/// D-32: a relay that held the input for longer than the timeout: the pong is in it, and the message after
/// it comes as well.
#[test]
fn a_relay_that_holds() {
    for role in ROLES {
        let mut ws = open_at_0(role, keepalive());
        let ping = pinged_at_10(&mut ws);
        ws.advance_time(s(11));
        let frames = [
            Frame::new(BINARY, "a"),
            Frame::new(PONG, &ping),
            Frame::new(BINARY, "b"),
        ];
        let mut read = encode_for(role, &frames);
        let mut input = &mut read[..];
        assert!(ws.receive(&mut input).is_some());
        ws.keep_input(&mut input);
        for now in [31, 40, 400, 400, 400] {
            ws.advance_time(s(now));
            assert_eq!(ws.state(), State::Open, "{now}");
        }
        let events = receive(&mut ws, b"");
        assert_eq!(events, [Seen::pong(&ping), Seen::binary("b")]);
        assert_eq!(ws.next_deadline(), Some(s(410)));
    }
}

/// D-32: so does everything else that waits for the peer, and begins anew when the input is taken. A
/// message has as much time as it had left.
#[test]
fn what_waits_stands_still_while_input_is_held() {
    for role in ROLES {
        let mut timeouts = Timeouts::default();
        timeouts.idle = Some(s(30));
        timeouts.message = Some(s(20));
        let mut ws = open_at_0(role, timeouts);
        ws.advance_time(s(5));
        receive_frames(&mut ws, &[Frame::new(BINARY, "x").more()]);
        ws.advance_time(s(10));
        let rest = encode_for(role, &[Frame::new(CONTINUATION, "y").more()]);
        ws.keep_input(&mut &mut rest.clone()[..]);
        assert_eq!(ws.next_deadline(), None, "nothing is waited for");
        pass(&mut ws, s(1000));
        assert_eq!(receive(&mut ws, b""), []);
        assert_eq!(ws.next_deadline(), Some(s(1015)), "5 s of 20 s were used");
        pass(&mut ws, s(1015));
        assert_eq!(receive(&mut ws, b""), [failed(Timeout::Message)]);
        // Our Close frame is out, and the peer's may be in what is held.
        let mut ws = open_at_0(role, Timeouts::default());
        ws.close(None, "").unwrap();
        take_output(&mut ws);
        let frames = [Frame::new(TEXT, "a"), Frame::new(CLOSE, "")];
        ws.keep_input(&mut &mut encode_for(role, &frames)[..]);
        assert_eq!(ws.next_deadline(), None, "nothing is waited for");
        pass(&mut ws, s(1000));
        let events = receive(&mut ws, b"");
        assert!(matches!(events[1], Seen::Close(..)), "{events:?}");
        // The stream has ended, and what came before is not taken yet.
        let mut ws = open_at_0(role, Timeouts::default());
        ws.keep_input(&mut &mut encode_for(role, &[Frame::new(TEXT, "a")])[..]);
        ws.receive_eof();
        pass(&mut ws, s(1000));
        assert_eq!(receive(&mut ws, b"")[0], Seen::text("a"));
        // An event that was found and not taken holds as well.
        let mut ws = open_at_0(role, keepalive());
        pinged_at_10(&mut ws);
        let mut read = encode_for(
            role,
            &[Frame::new(TEXT, "a").more(), Frame::new(CONTINUATION, "b")],
        );
        assert!(ws.find_event(&mut &mut read[..]));
        pass(&mut ws, s(1000));
        assert_eq!(receive(&mut ws, b""), [Seen::text("ab")]);
        assert_eq!(ws.state(), State::Open);
    }
}

/// D-32: held input does not keep a peer alive that takes nothing of what ends the connection.
#[test]
fn held_input_and_output_that_nobody_takes() {
    for role in ROLES {
        let mut ws = open_at_0(role, Timeouts::default());
        ws.keep_input(&mut &mut encode_for(role, &[Frame::new(TEXT, "a")])[..]);
        ws.close(None, "").unwrap();
        assert_eq!(ws.next_deadline(), Some(s(5)));
        pass(&mut ws, s(5));
        assert_eq!(ws.transport(), Transport::Close);
    }
}

/// D-32: a full queue stops a driver from reading, and may make it hold what it has read. What the peer takes
/// then counts like what it sends, and one that takes nothing is found.
#[test]
fn a_full_queue() {
    let mut limits = Limits::server();
    limits.output = 1000;
    let mut idle = Timeouts::default();
    idle.idle = Some(s(20));
    for role in ROLES {
        for timeouts in [keepalive(), idle] {
            for (takes, holds) in [(true, false), (false, false), (true, true), (false, true)] {
                let mut ws = with(role, timeouts, limits);
                ws.advance_time(s(0));
                ws.advance_time(s(10));
                take_output(&mut ws);
                ws.send(&[7; 100_000]).unwrap();
                if holds {
                    // An echo that cannot go on.
                    ws.keep_input(&mut &mut encode_for(role, &[Frame::new(TEXT, "a")])[..]);
                }
                let mut now = 10;
                while now < 200 && ws.state() == State::Open {
                    now += 1;
                    pass(&mut ws, s(now));
                    if takes {
                        let due = ws.next_deadline();
                        assert!(due.is_none_or(|due| due > s(now)), "{now}: {due:?}");
                        ws.consume_output(10);
                    }
                }
                let ends = if takes { 200..201 } else { 40..60 };
                assert!(ends.contains(&now), "{role:?} {takes} {holds} {now}");
            }
        }
    }
}

/// D-32: so does the rest of a message: it has its time again from the deadline at which the peer was found to
/// have taken something within that time, and not if that is as long ago as the time itself.
#[test]
fn a_message_and_a_full_queue() {
    let mut limits = Limits::server();
    limits.output = 1000;
    let mut timeouts = Timeouts::default();
    timeouts.message = Some(s(20));
    for role in ROLES {
        let mut ws = with(role, timeouts, limits);
        ws.advance_time(s(0));
        receive_frames(&mut ws, &[Frame::new(TEXT, "some").more()]);
        ws.send(&[7; 100_000]).unwrap();
        // What was taken before is not known, at first.
        pass(&mut ws, s(20));
        assert_eq!(ws.next_deadline(), Some(s(40)));
        ws.advance_time(s(21));
        ws.consume_output(10);
        pass(&mut ws, s(40));
        assert_eq!(ws.next_deadline(), Some(s(60)));
        ws.consume_output(10);
        pass(&mut ws, s(60));
        assert_eq!(ws.state(), State::Closing, "20 s ago");
        assert_eq!(receive(&mut ws, b""), [failed(Timeout::Message)]);
    }
}

// ── what proves that a peer lives

/// D-33: with its pong after a backlog, a peer that sends is alive: one whole message each second, the pong
/// after 80.
#[test]
fn a_peer_that_sends_is_alive() {
    for role in ROLES {
        for way in WAYS {
            let mut driver = Driver::new(open_at_0(role, keepalive()), *way);
            let ping = pinged_at_10(&mut driver.ws);
            for now in 11..90 {
                driver.ws.advance_time(s(now));
                driver.read(&encode_for(role, &[Frame::new(BINARY, [7; 10])]));
            }
            driver.ws.advance_time(s(90));
            driver.read(&encode_for(role, &[Frame::new(PONG, &ping)]));
            let pong = Seen::Pong(ping, Some(s(80)));
            assert_eq!(driver.events.last(), Some(&pong), "{way:?}");
            assert_eq!(driver.ws.next_deadline(), Some(s(100)));
        }
    }
}

/// D-33: whatever answers, even with the wrong payload, lives; and once it is silent it is asked again,
/// and found dead.
#[test]
fn the_wrong_pong_proves_life() {
    for role in ROLES {
        let mut ws = open_at_0(role, keepalive());
        pinged_at_10(&mut ws);
        ws.advance_time(s(12));
        assert_eq!(
            receive_frames(&mut ws, &[Frame::new(PONG, "")]),
            [Seen::pong("")]
        );
        assert_eq!(ws.next_deadline(), Some(s(22)), "the next ping");
        ws.advance_time(s(22));
        assert_eq!(take_frames(&mut ws).len(), 1);
        assert_eq!(ws.next_deadline(), Some(s(42)));
        pass(&mut ws, s(42));
        assert_eq!(receive(&mut ws, b""), [failed(Timeout::Pong)]);
    }
}

/// D-33: a long frame that comes steadily, in pieces of 2 KiB: a pong cannot come inside it.
#[test]
fn a_long_frame_is_alive() {
    for role in ROLES {
        for way in WAYS {
            let mut driver = Driver::new(open_at_0(role, keepalive()), *way);
            let ping = pinged_at_10(&mut driver.ws);
            let mut now = 10;
            for piece in encode_for(role, &[Frame::new(BINARY, [7; 100 << 10])]).chunks(2048) {
                now += 9;
                driver.ws.advance_time(s(now));
                driver.read(piece);
                assert!(driver.ws.output().is_empty(), "no ping: {way:?} {now}");
            }
            assert_eq!(driver.events.len(), 1, "{way:?}");
            driver.ws.advance_time(s(now + 1));
            driver.read(&encode_for(role, &[Frame::new(PONG, &ping)]));
            assert!(
                matches!(driver.events[1], Seen::Pong(_, Some(_))),
                "{way:?}"
            );
        }
    }
}

/// D-33: single bytes within one frame put the wait off once. The frame does not keep a peer alive for ever,
/// whatever it announced.
#[test]
fn a_drip_is_found() {
    for role in ROLES {
        for way in WAYS {
            let mut driver = Driver::new(open_at_0(role, keepalive()), *way);
            let input = encode_for(role, &[Frame::new(BINARY, vec![7; 100_000])]);
            let mut now = 0;
            for byte in input[..200].chunks(1) {
                now += 1;
                driver.ws.advance_time(s(now));
                driver.read(byte);
                if driver.failure().is_some() {
                    break;
                }
            }
            assert_eq!(driver.failure(), Some(Timeout::Pong.into()), "{way:?}");
            // A ping after 10 s, and thrice 20 s at most.
            assert!((50..75).contains(&now), "{way:?} {now}");
        }
    }
}

/// D-33: after the first KiB of a frame too, less than the next one proves no life, and what fills it does.
#[test]
fn a_kibibyte_that_is_not_full() {
    for role in ROLES {
        for way in WAYS {
            let mut driver = Driver::new(open_at_0(role, keepalive()), *way);
            let input = encode_for(role, &[Frame::new(BINARY, vec![7; 100_000])]);
            for (now, read, ping) in [(0, 0..1100, 10), (5, 1100..2000, 10), (6, 2000..2100, 16)] {
                driver.ws.advance_time(s(now));
                driver.read(&input[read]);
                let due = driver.ws.next_deadline();
                assert_eq!(due, Some(s(ping)), "{way:?} {now}");
            }
        }
    }
}

/// D-33: some bytes of a frame, a pause, and its end: a slow link is no reason to close.
#[test]
fn a_frame_in_two_halves() {
    for role in ROLES {
        for way in WAYS {
            let mut driver = Driver::new(open_at_0(role, keepalive()), *way);
            pinged_at_10(&mut driver.ws);
            let input = encode_for(role, &[Frame::new(BINARY, [7; 900])]);
            driver.ws.advance_time(s(29));
            driver.read(&input[..450]);
            assert_eq!(driver.ws.next_deadline(), Some(s(49)), "{way:?}");
            pass(&mut driver.ws, s(40));
            driver.read(&input[450..]);
            assert_eq!(driver.events, [Seen::binary([7; 900])], "{way:?}");
            assert_eq!(driver.ws.next_deadline(), Some(s(50)), "{way:?}");
        }
    }
}

/// D-33: `idle` counts every byte, and nothing else.
#[test]
fn idle_counts_bytes() {
    let mut timeouts = Timeouts::default();
    timeouts.idle = Some(s(30));
    for role in ROLES {
        for way in WAYS {
            let mut driver = Driver::new(open_at_0(role, timeouts), *way);
            for (i, byte) in encode_for(role, &[Frame::new(BINARY, [7; 200])])
                .chunks(1)
                .enumerate()
            {
                let now = s(i as u64 * 20);
                driver.ws.advance_time(now);
                driver.read(byte);
                driver.read(&[]);
                assert_eq!(driver.ws.next_deadline(), Some(now + s(30)), "{way:?} {i}");
            }
            assert_eq!(driver.events.len(), 1);
        }
    }
}

// ── the close timer

/// K-20, C-9: 12 MiB before our Close frame to a peer that reads slowly but steadily: all of it arrives, and
/// the end is clean. The same where the peer closes first, and after the end of its stream.
#[test]
fn what_was_sent_before_close_leaves() {
    type Ends = fn(&mut Connection);
    let ends: [(&str, Ends); 3] = [
        ("ours", |ws| {
            ws.close(Some(CloseCode::NORMAL_CLOSURE), "").unwrap()
        }),
        ("theirs", |ws| {
            receive_frames(ws, &[Frame::new(CLOSE, [3, 0xe8])]);
        }),
        ("the stream", Connection::receive_eof),
    ];
    let mut limits = Limits::server();
    limits.output = u32::MAX;
    for role in ROLES {
        for (name, end) in ends {
            let mut ws = with(role, Timeouts::default(), limits);
            ws.advance_time(s(0));
            for _ in 0..200 {
                ws.send(vec![7; 64 << 10]).unwrap();
            }
            end(&mut ws);
            let mut now = 0;
            while !ws.output().is_empty() {
                now += 4;
                pass(&mut ws, s(now));
                assert!(now < 1000, "{name}");
                ws.consume_output(256 << 10);
            }
            assert!(now > 100, "{role:?} {name}: {now}");
            let mut events = Vec::new();
            if name == "ours" {
                assert_eq!(ws.next_deadline(), Some(s(now + 5)), "it has left now");
                events = receive_frames(&mut ws, &[Frame::new(CLOSE, [3, 0xe8])]);
            }
            ws.receive_eof();
            events.extend(receive(&mut ws, b""));
            let Some(Seen::Closed(report)) = events.last() else {
                panic!("{events:?}")
            };
            assert_eq!(report.clean, name != "the stream", "{role:?} {name}");
            assert_eq!(ws.transport(), Transport::Close);
        }
    }
}

/// K-20: without progress the time is the same, from the last of it.
#[test]
fn a_peer_that_takes_nothing_more() {
    for role in ROLES {
        let mut ws = open_at_0(role, Timeouts::default());
        ws.send(&[7; 1000]).unwrap();
        ws.close(None, "").unwrap();
        ws.advance_time(s(4));
        ws.consume_output(1);
        ws.advance_time(s(8));
        ws.consume_output(0);
        assert_eq!(ws.next_deadline(), Some(s(9)));
        pass(&mut ws, s(9));
        assert_eq!((ws.output_len(), ws.transport()), (0, Transport::Close));
        assert_eq!(receive(&mut ws, b"")[0], failed(Timeout::Close));
    }
}

/// K-20: what leaves after our Close frame prolongs nothing.
#[test]
fn pongs_after_our_close_frame_prolong_nothing() {
    for role in ROLES {
        let mut ws = open_at_0(role, Timeouts::default());
        ws.close(None, "").unwrap();
        ws.advance_time(s(3));
        take_output(&mut ws);
        for now in [4, 5, 6, 7] {
            ws.advance_time(s(now));
            receive_frames(&mut ws, &[Frame::new(PING, "")]);
            take_output(&mut ws);
            assert_eq!(ws.next_deadline(), Some(s(8)));
        }
    }
}

/// K-20: an answer over HTTP is written like anything else.
#[test]
fn a_page_for_a_slow_reader() {
    let mut ws = Connection::server(&server_config().serve_http());
    ws.advance_time(s(0));
    receive(&mut ws, b"GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    ws.respond(Response::new(200).body(vec![b'x'; 10_000]))
        .unwrap();
    let mut now = 0;
    while !ws.output().is_empty() {
        now += 4;
        pass(&mut ws, s(now));
        ws.consume_output(500);
    }
    assert!(now > 40);
    assert_eq!(ws.transport(), Transport::ShutdownWrite);
    assert_eq!(ws.next_deadline(), Some(s(now + 5)));
}

/// K-20: a frame in pieces before our Close frame: that the application takes its time counts, as nobody
/// else can end it.
#[test]
fn a_close_frame_that_waits_for_the_application() {
    for role in ROLES {
        let mut ws = open_at_0(role, Timeouts::default());
        ws.begin_message(Kind::Binary, 2).unwrap();
        ws.close(None, "").unwrap();
        take_output(&mut ws);
        ws.advance_time(s(4));
        ws.write_message(b"a").unwrap();
        ws.consume_output(1);
        assert_eq!(ws.next_deadline(), Some(s(9)));
        pass(&mut ws, s(9));
        assert_eq!(ws.transport(), Transport::Close);
    }
}

// ── a guarantee

/// K-21: after the end of the peer's stream, with the events and the output taken, there is nothing to do
/// but to close, whatever came before it.
#[test]
fn after_the_end_and_the_output_there_is_nothing_to_do() {
    type Before = fn(&mut Connection);
    let before: [Before; 9] = [
        |_| (),
        |ws| ws.send("a").unwrap(),
        |ws| ws.close(None, "").unwrap(),
        |ws| ws.begin_message(Kind::Text, 9).unwrap(),
        |ws| {
            receive_frames(ws, &[Frame::new(CLOSE, "")]);
        },
        |ws| {
            receive(ws, &[0x83]);
        },
        |ws| {
            ws.begin_message(Kind::Text, 9).unwrap();
            ws.close(None, "").unwrap();
        },
        |ws| ws.keep_input(&mut &mut encode_for(ws.role(), &[Frame::new(TEXT, "a")])[..]),
        Connection::write_lost,
    ];
    for role in ROLES {
        for clock in [false, true] {
            for happens in before {
                let mut ws = with(role, keepalive(), Limits::server());
                if clock {
                    ws.advance_time(s(0));
                }
                happens(&mut ws);
                ws.receive_eof();
                receive(&mut ws, b"");
                take_output(&mut ws);
                receive(&mut ws, b"");
                assert_eq!(ws.transport(), Transport::Close);
            }
        }
    }
    for input in [
        &b""[..],
        &REQUEST[..9],
        REQUEST,
        b"POST / HTTP/1.1\r\nHost: h\r\n\r\n",
    ] {
        let mut ws = Connection::server(&server_config());
        ws.advance_time(s(0));
        receive(&mut ws, input);
        ws.receive_eof();
        take_output(&mut ws);
        assert_eq!(ws.transport(), Transport::Close);
    }
    let mut ws = new_client();
    ws.receive_eof();
    take_output(&mut ws);
    assert_eq!(ws.transport(), Transport::Close);
}
