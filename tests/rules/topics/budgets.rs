//! Budgets over time (RFC 6455 §10.4): how often what is cheap for a peer may come, counted exactly.

use std::time::Duration;

use sansocket::config::{Budgets, Delivery, Limits, Rate, Timeouts};
use sansocket::error::{Failure, Limit, ProtocolError};
use sansocket::{Connection, Role};

use crate::support::*;

fn budgeted(role: Role, change: impl Fn(&mut Budgets)) -> Connection {
    let mut limits = Limits::trusted();
    change(&mut limits.budgets);
    let mut ws = match role {
        Role::Server => server(&server_config().limits(limits)),
        Role::Client => client(&client_config().limits(limits)),
    };
    ws.advance_time(Duration::ZERO);
    ws
}

fn over(limit: Limit, max: u64) -> Seen {
    let value = max + 1;
    Seen::Failed(Failure::Protocol(ProtocolError::Limit {
        limit,
        value,
        max,
    }))
}

/// Frames in one read, in one of the ways; what came of them, and the code of the Close frame.
fn read(mut ws: Connection, way: Way, frames: &[Frame]) -> (Vec<Seen>, Option<Vec<u8>>) {
    take_output(&mut ws);
    let mut driver = Driver::new(ws, way);
    let role = driver.ws.role();
    driver.read(&encode_for(role, frames));
    let sent = take_frames(&mut driver.ws);
    let close = sent.into_iter().find(|frame| frame.opcode == CLOSE);
    (driver.events, close.map(|frame| frame.payload))
}

const POLICY: [u8; 2] = 1008u16.to_be_bytes();

/// RX-4: the pings that are one too many fail the connection with 1008, and are not answered.
#[test]
fn pings_at_once() {
    for role in ROLES {
        for way in WAYS {
            for most in [0, 1, 3] {
                let rate = Rate::per_second(1).at_once(most);
                let ws = budgeted(role, |budgets| budgets.pings = Some(rate));
                let (events, close) = read(ws, *way, &vec![Frame::new(PING, b"p"); 5]);
                let mut expected = vec![Seen::ping(b"p"); most as usize];
                expected.push(over(Limit::Pings, most.into()));
                assert_eq!(events, expected, "{way:?}");
                assert_eq!(close.as_deref(), Some(&POLICY[..]));
            }
        }
    }
}

/// RX-4: a Pong counts that answers no ping of ours; one that does not counts like a Ping.
#[test]
fn pongs_that_nobody_asked_for() {
    for role in ROLES {
        let rate = Rate::per_second(1).at_once(2);
        let mut ws = budgeted(role, |budgets| budgets.pings = Some(rate));
        for _ in 0..10 {
            ws.ping(b"ours").unwrap();
            let events = receive_frames(&mut ws, &[Frame::new(PONG, b"ours")]);
            assert!(matches!(events[..], [Seen::Pong { .. }]), "{events:?}");
        }
        let frames = [
            Frame::new(PONG, b"ours"),
            Frame::new(PING, b""),
            Frame::new(PONG, b"x"),
        ];
        let events = receive_frames(&mut ws, &frames);
        assert_eq!(events.last(), Some(&over(Limit::Pings, 2)), "{events:?}");
        assert_eq!(events.len(), 3);
    }
}

/// RX-5: what counts as an empty frame and as a tiny fragment, and what does not.
#[test]
fn fragments_that_carry_little() {
    for role in ROLES {
        for way in WAYS {
            let fragments = |len: usize, n: usize| {
                let mut frames = vec![Frame::new(BINARY, vec![1; 64]).more()];
                frames.resize(n + 1, Frame::new(CONTINUATION, vec![1; len]).more());
                frames.push(Frame::new(CONTINUATION, b""));
                frames
            };
            for (len, limit) in [
                (0, Some(Limit::EmptyFrames)),
                (1, Some(Limit::TinyFragments)),
                (63, Some(Limit::TinyFragments)),
                (64, None),
                (200, None),
            ] {
                let both = |budgets: &mut Budgets| {
                    budgets.empty_frames = Some(Rate::per_second(1).at_once(2));
                    budgets.tiny_fragments = Some(Rate::per_second(1).at_once(2));
                };
                // Two are allowed, and what ends a message never counts.
                let (events, close) = read(budgeted(role, both), *way, &fragments(len, 2));
                assert_eq!(events, [Seen::binary(vec![1; 64 + 2 * len])], "{way:?}");
                assert_eq!(close, None);
                let (events, close) = read(budgeted(role, both), *way, &fragments(len, 3));
                match limit {
                    Some(limit) => {
                        assert_eq!(events, [over(limit, 2)], "{way:?}, {len}");
                        assert_eq!(close.as_deref(), Some(&POLICY[..]));
                    }
                    None => assert_eq!(events.len(), 1),
                }
            }
            // The first frame of a message counts too; whole messages do not.
            let none = |budgets: &mut Budgets| {
                budgets.empty_frames = Some(Rate::per_second(1).at_once(0));
                budgets.tiny_fragments = Some(Rate::per_second(1).at_once(0));
            };
            let whole = [Frame::new(TEXT, b""), Frame::new(BINARY, b"x")];
            let (events, _) = read(budgeted(role, none), *way, &whole);
            assert_eq!(events, [Seen::text(""), Seen::binary(b"x")]);
            for (first, limit) in [(&b""[..], Limit::EmptyFrames), (b"x", Limit::TinyFragments)] {
                let first = [Frame::new(TEXT, first).more()];
                let (events, _) = read(budgeted(role, none), *way, &first);
                assert_eq!(events, [over(limit, 0)], "{way:?}");
            }
        }
    }
}

/// RX-6: messages are counted when they begin, whole or in fragments, however they are read.
#[test]
fn messages_at_once() {
    for role in ROLES {
        for way in WAYS {
            let rate = Rate::per_second(1).at_once(3);
            let set = |budgets: &mut Budgets| budgets.messages = Some(rate);
            let frames = [
                Frame::new(TEXT, b"one"),
                Frame::new(BINARY, b"t").more(),
                Frame::new(PING, b"p"),
                Frame::new(CONTINUATION, b"wo"),
                Frame::new(TEXT, b""),
                Frame::new(TEXT, b"four"),
            ];
            let (events, close) = read(budgeted(role, set), *way, &frames);
            let expected = [
                Seen::text("one"),
                Seen::ping(b"p"),
                Seen::binary(b"two"),
                Seen::text(""),
                over(Limit::Messages, 3),
            ];
            assert_eq!(events, expected, "{way:?}");
            assert_eq!(close.as_deref(), Some(&POLICY[..]));
        }
        // Judged by the header: nothing of it is told.
        for delivery in [Delivery::Chunks, Delivery::Ask] {
            let mut limits = Limits::trusted();
            limits.budgets.messages = Some(Rate::per_second(1).at_once(0));
            let mut ws = match role {
                Role::Server => server(&server_config().limits(limits).delivery(delivery)),
                Role::Client => client(&client_config().limits(limits).delivery(delivery)),
            };
            ws.advance_time(Duration::ZERO);
            let input = encode_for(role, &[Frame::new(TEXT, b"Hello")]);
            let events = receive(&mut ws, &input[..input.len() - 5]);
            assert_eq!(events, [over(Limit::Messages, 0)]);
        }
    }
}

/// RX-6: compressed ones are counted like the others.
#[cfg(feature = "deflate")]
#[test]
fn compressed_messages_at_once() {
    use sansocket::extension::PermessageDeflate;
    use sansocket::{Negotiated, ServerConfig};

    let mut limits = Limits::server();
    limits.budgets.messages = Some(Rate::per_second(1).at_once(2));
    let config = ServerConfig::upgraded()
        .limits(limits)
        .deflate(PermessageDeflate::server());
    let agreed = Negotiated::new().extensions("permessage-deflate");
    let mut ws = opened(Connection::upgraded_server(&config, agreed));
    ws.advance_time(Duration::ZERO);
    // RFC 7692 §7.2.3.1.
    let hello = [0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00];
    let mut frame = Frame::new(TEXT, hello);
    frame.rsv = 4;
    let events = receive_frames(&mut ws, &vec![frame; 3]);
    let hello = Seen::text("Hello");
    assert_eq!(events, [hello.clone(), hello, over(Limit::Messages, 2)]);
}

/// RX-4: a ping that comes after just the silence in which the budget of one runs out is not counted, one that comes
/// earlier is.
#[test]
fn a_ping_that_comes_alone() {
    let rate = Rate::new(1, Duration::from_secs(10)).at_once(1);
    for (silence, fits) in [(10_000_000_000, true), (9_999_999_999, false)] {
        let mut ws = budgeted(Role::Server, |budgets| budgets.pings = Some(rate));
        ws.advance_time(Duration::from_nanos(silence));
        let events = receive_frames(&mut ws, &[Frame::new(PING, b""), Frame::new(PING, b"")]);
        assert_eq!(events[1] == Seen::ping(b""), fits, "{events:?}");
    }
}

/// The strict preset is tight in everything.
#[test]
fn the_strict_preset() {
    let strict = Limits::strict();
    assert_eq!(
        (strict.head, strict.held, strict.body),
        (8 << 10, 8 << 10, 8 << 10)
    );
    assert_eq!(
        (strict.frame, strict.message, strict.fragments),
        (64 << 10, 64 << 10, 256)
    );
    assert_eq!((strict.output, strict.memory), (64 << 10, 1 << 20));
    assert_eq!(strict.budgets, Budgets::tight());
}

/// RX-7: what was spent comes back with time, to the nanosecond.
#[test]
fn what_was_spent_comes_back() {
    let rate = Rate::new(3, Duration::from_secs(10)).at_once(2);
    let third = Duration::from_nanos(10_000_000_000 / 3);
    let ping = [Frame::new(PING, b"")];
    for (wait, fits) in [(third, false), (third + Duration::from_nanos(1), true)] {
        let mut ws = budgeted(Role::Server, |budgets| budgets.pings = Some(rate));
        for _ in 0..2 {
            assert_eq!(receive_frames(&mut ws, &ping), [Seen::ping(b"")]);
        }
        ws.advance_time(wait);
        let events = receive_frames(&mut ws, &ping);
        let failed = over(Limit::Pings, 2);
        assert_eq!(events == [Seen::ping(b"")], fits, "{events:?}");
        assert_eq!(events == [failed], !fits, "{events:?}");
    }
    // However long it was quiet, no more come at once after the first, which is not counted.
    let mut ws = budgeted(Role::Server, |budgets| budgets.pings = Some(rate));
    ws.advance_time(Duration::from_secs(1 << 40));
    let events = receive_frames(&mut ws, &vec![Frame::new(PING, b""); 4]);
    assert_eq!(events[3], over(Limit::Pings, 2));
}

/// RX-7: against the definition: of any that came one after the other there were no more than may come
/// at once and in that time.
#[test]
fn the_bucket_is_exact() {
    let mut seed = 7u64;
    let mut random = |n: u64| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (seed >> 33) % n
    };
    for _ in 0..300 {
        let (count, at_once) = (random(5) as u32, random(6) as u32);
        let per = Duration::from_nanos(random(50));
        let rate = Rate::new(count, per).at_once(at_once);
        let mut ws = budgeted(Role::Client, |budgets| budgets.pings = Some(rate));
        ws.advance_time(Duration::ZERO);
        // Those that count, as one that comes alone does not.
        let (mut now, mut last, mut came) = (0, 0, Vec::new());
        for _ in 0..40 {
            now += [0, random(40)][random(2) as usize];
            let cost = |from: usize| {
                let (n, time) = ((came.len() - from) as u128, u128::from(now - came[from]));
                (n * per.as_nanos()).saturating_sub(time * u128::from(count))
            };
            let nothing_left = (0..came.len()).all(|from| cost(from) == 0);
            let silence = u128::from(now - last);
            let alone = nothing_left && silence * u128::from(count) >= per.as_nanos();
            let fits = alone && at_once > 0 || {
                came.push(now);
                let cost = |from: usize| {
                    let (n, time) = ((came.len() - from) as u128, u128::from(now - came[from]));
                    (n * per.as_nanos()).saturating_sub(time * u128::from(count))
                };
                let most = u128::from(at_once) * per.as_nanos();
                (0..came.len()).all(|from| cost(from) <= most)
            };
            last = now;
            ws.advance_time(Duration::from_nanos(now));
            let events = receive_frames(&mut ws, &[Frame::new(PING, b"")]);
            assert_eq!(events == [Seen::ping(b"")], fits, "{rate:?} {came:?}");
            if !fits {
                break;
            }
        }
    }
}

/// RX-4: a peer's keepalive takes no heap, by itself nor after a burst.
#[test]
fn a_keepalive_takes_no_heap() {
    for role in ROLES {
        let mut ws = budgeted(role, |budgets| *budgets = Budgets::default());
        ws.advance_time(Duration::ZERO);
        for second in 1..10 {
            ws.advance_time(Duration::from_secs(20 * second));
            let pings = vec![Frame::new(PING, b""); [1, 3][usize::from(second == 5)]];
            assert_eq!(receive_frames(&mut ws, &pings).len(), pings.len());
            take_output(&mut ws);
            ws.take_buffer();
            assert_eq!(ws.memory_held() == 0, second != 5, "{second}");
        }
    }
}

/// RX-7: without the time nothing is counted, nor where a budget is not set.
#[test]
fn no_time_and_no_budget() {
    let frames: Vec<Frame> = (0..50)
        .flat_map(|_| {
            [
                Frame::new(PING, b""),
                Frame::new(TEXT, b"").more(),
                Frame::new(CONTINUATION, b"x").more(),
                Frame::new(CONTINUATION, b""),
            ]
        })
        .collect();
    for role in ROLES {
        let mut limits = Limits::strict();
        let ws = match role {
            Role::Server => server(&server_config().limits(limits)),
            Role::Client => client(&client_config().limits(limits)),
        };
        let (events, close) = read(ws, Way::Lent, &frames);
        assert_eq!((events.len(), close), (100, None));
        limits.budgets = Budgets::NONE;
        let mut ws = budgeted(role, |budgets| *budgets = limits.budgets);
        assert_eq!(receive_frames(&mut ws, &frames).len(), 100);
    }
}

/// RX-7: limits that are set later count from then on.
#[test]
fn budgets_that_are_set_later() {
    let mut ws = budgeted(Role::Server, |_| ());
    let pings = vec![Frame::new(PING, b""); 3];
    assert_eq!(receive_frames(&mut ws, &pings).len(), 3);
    let mut limits = *ws.limits();
    limits.budgets.pings = Some(Rate::per_second(1).at_once(2));
    ws.set_limits(limits);
    let events = receive_frames(&mut ws, &pings);
    assert_eq!(events[2], over(Limit::Pings, 2));
}

/// A budget that was not touched for long takes no memory.
#[test]
fn what_has_run_out_is_forgotten() {
    let rate = Rate::per_second(1).at_once(10);
    let mut ws = budgeted(Role::Server, |budgets| {
        (budgets.pings, budgets.messages) = (Some(rate), Some(rate));
    });
    let frames = [Frame::new(PING, b""), Frame::new(TEXT, b"x")];
    assert_eq!(receive_frames(&mut ws, &frames).len(), 2);
    take_output(&mut ws);
    ws.advance_time(Duration::from_nanos(999_999_999));
    ws.take_buffer();
    assert!(ws.memory_held() > 0);
    ws.advance_time(Duration::from_secs(1));
    ws.take_buffer();
    assert_eq!(ws.memory_held(), 0);
}

/// A minute of what an honest peer sends at its fastest passes the defaults; a flood does not pass the
/// tight ones.
#[test]
fn the_presets() {
    assert_eq!(Limits::server().budgets, Budgets::default());
    assert_eq!(Limits::client().budgets, Budgets::default());
    assert_eq!(Limits::trusted().budgets, Budgets::NONE);
    assert_eq!(Limits::strict().budgets, Budgets::tight());
    let page = |limits: Limits, each: Duration, frames: &[Frame]| {
        let mut timeouts = Timeouts::default();
        timeouts.pong = None;
        let mut ws = server(&server_config().limits(limits).timeouts(timeouts));
        for i in 0..1000 {
            ws.advance_time(each * i);
            let events = receive_frames(&mut ws, frames);
            if let Some(failure) = events.iter().find_map(Seen::failure) {
                return Some((i, failure));
            }
            take_output(&mut ws);
        }
        None
    };
    let mut busy = vec![Frame::new(PING, b"now"), Frame::new(BINARY, b"x").more()];
    busy.resize(30, Frame::new(CONTINUATION, b"token ").more());
    busy.push(Frame::new(CONTINUATION, b"").more());
    busy.push(Frame::new(CONTINUATION, b""));
    let milli = Duration::from_millis(1);
    assert_eq!(page(Limits::server(), milli, &busy), None);
    // A person: a message and a ping each second.
    let calm = [Frame::new(PING, b"now"), Frame::new(TEXT, b"Hello")];
    assert_eq!(page(Limits::strict(), Duration::from_secs(1), &calm), None);
    let failed = page(Limits::strict(), milli, &busy);
    assert!(matches!(failed, Some((..30, _))), "{failed:?}");
}

/// What the error says.
#[test]
fn the_error_names_the_budget() {
    for (limit, text) in [
        (Limit::Pings, "4 pings at once"),
        (Limit::EmptyFrames, "4 empty frames at once"),
        (Limit::TinyFragments, "4 tiny fragments at once"),
        (Limit::Messages, "4 messages at once"),
    ] {
        let (value, max) = (4, 3);
        let error = ProtocolError::Limit { limit, value, max };
        let text = format!("{text}, at most 3 are allowed (RFC 6455 §10.4)");
        assert_eq!((error.to_string(), error.close_code()), (text, 1008));
    }
}
