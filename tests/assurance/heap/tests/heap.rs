//! Memory stays within the limits (RFC 6455 §10.4), and what `memory_held` says is true.

use sansocket::config::{Delivery, Limits};
use sansocket::{
    ClientConfig, Connection, Event, Message, Negotiated, OriginPolicy, Part, Role, ServerConfig,
};
use sansocket_heap::oracle::{Scripted, Taker, cut::Setup, wire};
use sansocket_heap::{Use, count, random};

const ROLES: [Role; 2] = [Role::Server, Role::Client];

fn connection(role: Role, limits: Limits, delivery: Delivery) -> Connection {
    let negotiated = Negotiated::default();
    let mut ws = match role {
        Role::Server => {
            let config = ServerConfig::new(OriginPolicy::Any).limits(limits);
            Connection::upgraded_server(&config.delivery(delivery), negotiated)
        }
        Role::Client => {
            let config = ClientConfig::new().limits(limits).delivery(delivery);
            Connection::upgraded_client_with_entropy(&config, negotiated, Scripted::boxed())
        }
    };
    assert!(matches!(ws.receive(&mut &mut [][..]), Some(Event::Open)));
    ws
}

fn key(role: Role) -> Option<[u8; 4]> {
    (role == Role::Server).then_some([1, 2, 3, 4])
}

/// Delivers, in reads of this size, and drops what comes.
fn deliver(ws: &mut Connection, bytes: &mut [u8], read: usize) {
    for mut read in bytes.chunks_mut(read) {
        while let Some(event) = ws.receive(&mut read) {
            drop(event);
        }
    }
}

/// Whatever the peer sends, cut in whatever way: no more than twice the limit and a small constant.
#[test]
fn no_input_passes_the_limit() {
    for seed in 0..3000 {
        let bytes = random(seed, 500);
        let mut t = Taker::new(&bytes);
        let mut setup = Setup::draw(&mut t, seed % 4 == 0);
        setup.echo = false;
        let limits = &mut setup.limits;
        limits.message = limits.message.min(70_000);
        (limits.head, limits.held, limits.body) = (
            limits.head.min(4000),
            limits.held.min(4000),
            limits.body.min(4000),
        );
        let limit = limits.message as usize + 4000;
        let codecs = if setup.deflate.is_some() {
            500 << 10
        } else {
            0
        };
        let mut stream = match seed % 3 {
            0 => random(seed + 1, 100_000),
            _ => wire::stream(&mut t, setup.role.peer(), 30),
        };
        let read = 1 + usize::from(bytes[7]) * usize::from(bytes[8]);
        let (_ws, used) = count(|| {
            let mut ws = setup.connection();
            for mut read in stream.chunks_mut(read) {
                while let Some(event) = ws.receive(&mut read) {
                    if matches!(event, Event::Request(_)) {
                        ws.accept(sansocket::Accept::new()).expect("it is there");
                    }
                }
                ws.consume_output(10);
            }
            ws
        });
        assert!(
            used.peak <= 2 * limit + 16_384 + codecs,
            "{used:?} {setup:?}"
        );
    }
}

/// CVE-2026-48779, CVE-2026-62389, by the allocator's count.
#[test]
fn tiny_fragments() {
    for role in ROLES {
        for first in [1, 2] {
            let mut limits = Limits::trusted();
            limits.fragments = u32::MAX;
            let mut bytes = Vec::new();
            wire::frame(&mut bytes, first, key(role), b"x");
            for _ in 1..100_000 {
                wire::frame(&mut bytes, 0, key(role), b"x");
            }
            for read in [1, 1000, usize::MAX] {
                let mut bytes = bytes.clone();
                let (_ws, used) = count(|| {
                    let mut ws = connection(role, limits, Delivery::Whole);
                    deliver(&mut ws, &mut bytes, read);
                    ws
                });
                assert!(used.kept <= 2 * 100_000 + 1024, "{used:?}");
                assert!(used.peak <= 3 * 100_000 + 1024, "{used:?}");
            }
        }
    }
}

/// RUSTSEC-2022-0035: nothing is taken because a length was announced.
#[test]
fn announced_lengths() {
    for role in ROLES {
        for first in [0x81, 0x82, 0x01, 0x02] {
            let mut header = Vec::new();
            let len = Limits::trusted().message;
            wire::raw_frame(&mut header, first, key(role), 8, len, b"");
            let (_ws, used) = count(|| {
                let mut ws = connection(role, Limits::trusted(), Delivery::Whole);
                deliver(&mut ws, &mut header, usize::MAX);
                ws
            });
            assert!(used.peak < 1024, "{used:?}");
        }
    }
}

/// Messages of one frame that arrive whole, their chunks and their pongs: the heap is not touched.
#[test]
fn nothing_per_message() {
    for role in ROLES {
        for delivery in [Delivery::Whole, Delivery::Chunks] {
            let mut ws = connection(role, Limits::server(), delivery);
            let mut bytes = Vec::new();
            wire::frame(&mut bytes, 0x81, key(role), "grüezi".as_bytes());
            wire::frame(&mut bytes, 0x82, key(role), &[7; 5000]);
            wire::frame(&mut bytes, 0x89, key(role), b"ping");
            wire::frame(&mut bytes, 0x8a, key(role), b"pong");
            let round = |ws: &mut Connection| {
                let mut bytes = bytes.clone();
                let ((), used) = count(|| {
                    let mut input = &mut bytes[..];
                    while let Some(event) = ws.receive(&mut input) {
                        if let Event::Message(message @ Message::Text(_)) = event {
                            ws.send(&message).expect("it is open");
                        }
                    }
                    ws.consume_output(usize::MAX);
                });
                used
            };
            round(&mut ws);
            let Use { calls, .. } = round(&mut ws);
            assert_eq!(calls, 0, "{role:?} {delivery:?}");
        }
    }
}

/// One spare buffer, passed on: no allocation for gathered messages either, and none kept while idle.
#[test]
fn a_spare_buffer_goes_round() {
    for role in ROLES {
        let mut frames = Vec::new();
        wire::frame(&mut frames, 0x02, key(role), &[7; 3000]);
        wire::frame(&mut frames, 0x80, key(role), &[7; 3000]);
        let mut connections: Vec<_> = (0..10)
            .map(|_| connection(role, Limits::server(), Delivery::Whole))
            .collect();
        let mut spare = vec![0; 64 << 10];
        for round in 0..3 {
            for ws in &mut connections {
                let mut bytes = frames.clone();
                let given = core::mem::take(&mut spare);
                let (back, used) = count(|| {
                    ws.lend_buffer(given);
                    let mut input = &mut bytes[..];
                    let mut back = None;
                    while let Some(event) = ws.receive(&mut input) {
                        let Event::Message(Message::Binary(payload)) = event else {
                            continue;
                        };
                        assert_eq!(payload.len(), 6000);
                        back = Some(payload.into_vec());
                    }
                    ws.take_buffer();
                    back
                });
                assert!(round == 0 || used.calls == 0, "{used:?}");
                spare = back.expect("the message, in the buffer that was lent");
            }
        }
        assert!(connections.iter().all(|ws| ws.memory_held() == 0));
    }
}

/// `memory_held` is what the allocator counts.
#[test]
fn memory_held_is_true() {
    for seed in 0..500 {
        let bytes = random(seed, 2000);
        let mut t = Taker::new(&bytes);
        let role = t.role();
        let (mut ws, made) = count(|| connection(role, Limits::server(), Delivery::Whole));
        let mut own = made.kept;
        // The configuration and the source of randomness.
        let base = own - ws.memory_held() as isize;
        let mut stream = wire::stream(&mut t, role.peer(), 20);
        for mut read in stream.chunks_mut(1 + usize::from(bytes[0])) {
            let (text, len) = (wire::text(&mut t), t.below(300));
            let n = t.below(40);
            let choice = t.below(7);
            let ((), used) = count(|| {
                let _ = match choice {
                    0 => ws.send(&text).map_err(drop),
                    1 => ws.send(vec![7; len * 30]).map_err(drop),
                    2 => ws
                        .send_part(Part::text(text.as_bytes()).last_if(n.is_multiple_of(2)))
                        .map_err(drop),
                    3 => ws
                        .ping(&text.as_bytes()[..len.min(text.len())])
                        .map_err(drop),
                    4 => {
                        ws.keep_input(&mut read);
                        Ok(())
                    }
                    _ => {
                        ws.consume_output(n * n);
                        Ok(())
                    }
                };
                while let Some(event) = ws.receive(&mut read) {
                    drop(event);
                }
            });
            own += used.kept;
            let held = ws.memory_held() as isize;
            assert_eq!(held, own - base, "seed {seed}");
        }
        ws.consume_output(usize::MAX);
    }
}

/// What is taken in all grows with the input, not with its square (CVE-2026-65623).
#[test]
fn allocated_bytes_are_linear() {
    let total = |role, opcode: u8, count_of: usize| {
        let mut limits = Limits::trusted();
        limits.fragments = u32::MAX;
        let mut bytes = Vec::new();
        wire::frame(&mut bytes, opcode, key(role), b"x");
        for _ in 0..count_of {
            wire::frame(&mut bytes, 0, key(role), b"x");
            wire::frame(&mut bytes, 0x89, key(role), b"ping");
        }
        let ((), used) = count(|| {
            let mut ws = connection(role, limits, Delivery::Whole);
            for mut read in bytes.chunks_mut(13) {
                while ws.receive(&mut read).is_some() {}
                ws.consume_output(usize::MAX);
            }
        });
        used.total
    };
    for role in ROLES {
        for opcode in [1, 2] {
            let (one, two) = (total(role, opcode, 20_000), total(role, opcode, 40_000));
            assert!(two <= one * 5 / 2, "{one} for one, {two} for twice as much");
        }
    }
}

/// An idle connection owns no heap.
#[test]
fn idle_is_nothing() {
    let config = ServerConfig::new(OriginPolicy::SameHost);
    let (ws, used) = count(|| {
        let mut ws = Connection::upgraded_server(&config, Negotiated::default());
        let mut bytes = Vec::new();
        wire::frame(&mut bytes, 0x81, key(Role::Server), b"Hello");
        wire::frame(&mut bytes, 0x89, key(Role::Server), b"ping");
        let mut input = &mut bytes[..];
        while ws.receive(&mut input).is_some() {}
        ws.send("Hello").expect("it is open");
        ws.consume_output(usize::MAX);
        ws.take_buffer();
        ws
    });
    assert_eq!((used.kept, ws.memory_held()), (0, 0));
}
