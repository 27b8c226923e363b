//! The ceiling on a connection's memory (`Limits::memory`): never passed by a byte, whatever comes, whatever the
//! application does and however it reads, also while a call runs; and `memory_held` is what the allocator counts.
#![cfg(feature = "deflate")]

use std::time::Duration;

use sansocket::config::{Delivery, Limits};
use sansocket::error::{AcceptError, Failure, Limit, ProtocolError, SendError};
use sansocket::extension::{Compress, DeflatePool, PermessageDeflate};
use sansocket::{
    Accept, ClientConfig, ClientRequest, Connection, Event, Kind, Negotiated, OriginPolicy, Part,
    Prepared, Response, Role, ServerConfig, Uri,
};
use sansocket_heap::oracle::{ACCEPT, Scripted, Taker, wire};
use sansocket_heap::{Use, count, random};

/// How many things of each kind came to pass, so that the test is about what it says.
#[derive(Default, Debug)]
struct Seen {
    messages: usize,
    failed: usize,
    unsent: usize,
    unanswered: usize,
    compressed: usize,
}

/// A connection with a ceiling, and what the allocator says of it.
struct Watched {
    ws: Connection,
    ceiling: usize,
    held: isize,
    seen: Seen,
    shared: Vec<Prepared>,
}

impl Watched {
    /// One operation; `handed`: heap of the application's that it gives away. True: it was taken.
    fn run(
        &mut self,
        what: &str,
        handed: usize,
        operation: impl FnOnce(&mut Connection, &mut Seen) -> bool,
    ) {
        let Self { ws, seen, .. } = self;
        let (_, Use { peak, kept, .. }) = count(|| operation(ws, seen));
        let before = self.held as usize;
        self.held += kept + handed as isize;
        let held = self.ws.memory_held();
        assert_eq!(held as isize, self.held, "{what}: {:?}", self.ws);
        let most = (before + peak).max(held);
        assert!(
            most <= self.ceiling,
            "{what}: {most} of {} ({before} before)",
            self.ceiling
        );
    }
}

fn settings(t: &mut Taker<'_>, memory: usize) -> (ServerConfig, ClientConfig, bool) {
    let mut limits = Limits::trusted();
    limits.memory = memory as u64;
    limits.output = t.pick(&[1 << 12, 1 << 16, 1 << 20]);
    let delivery = t.pick(&[
        Delivery::Whole,
        Delivery::Whole,
        Delivery::Chunks,
        Delivery::Ask,
    ]);
    let fragment = t.pick(&[0, 0, 100, 3000]);
    let pool = DeflatePool::new(0);
    let deflate = |preset: PermessageDeflate, t: &mut Taker<'_>| {
        preset
            .threshold(0)
            .mem_level(t.pick(&[1, 4, 8]))
            .pool(&pool)
    };
    let mut server = ServerConfig::new(OriginPolicy::Any).serve_http();
    let mut client = ClientConfig::new();
    let compresses = t.once_in(2);
    if compresses {
        server = server.deflate(deflate(PermessageDeflate::server(), t));
        client = client.deflate(deflate(PermessageDeflate::client(), t));
    }
    (
        server.limits(limits).delivery(delivery).fragment(fragment),
        client.limits(limits).delivery(delivery).fragment(fragment),
        compresses,
    )
}

/// What the peer sends: small frames of all kinds, and messages in one frame or more.
fn stream(t: &mut Taker<'_>, role: Role, peer: &mut Connection) -> Vec<u8> {
    let mut stream = Vec::new();
    let key = (role == Role::Server).then_some([1, 2, 3, 4]);
    for _ in 0..1 + t.below(8) {
        let len = t.pick(&[0, 10, 200, 5000, 30_000, 100_000, 300_000]);
        let len = len / (1 + t.below(3));
        match t.below(5) {
            0 => wire::item(t, role.peer(), &mut stream),
            1 => wire::frame(&mut stream, 0x89, key, &vec![b'p'; len.min(125)]),
            2 => wire::frame(&mut stream, 0x82, key, &vec![7; len]),
            3 => {
                let parts = 1 + t.below(4);
                for i in 0..parts {
                    let first = if i == 0 { 1 } else { 0 };
                    let fin = if i + 1 == parts { 0x80 } else { 0 };
                    wire::frame(&mut stream, first | fin, key, &vec![b'a'; len / parts]);
                }
            }
            _ => {
                let noise = random(len as u64, len / 2);
                let payload = [&vec![b'x'; len / 2][..], &noise].concat();
                let sent = if t.once_in(2) {
                    let text = String::from_utf8_lossy(&payload).into_owned();
                    peer.send_with(&text, Compress::Always)
                } else {
                    peer.send_with(&payload, Compress::Always)
                };
                sent.expect("it is open");
                while !peer.output().is_empty() {
                    stream.extend_from_slice(peer.output());
                    peer.consume_output(peer.output().len());
                }
            }
        }
    }
    stream
}

fn take(ws: &mut Connection, event: Event<'_>, seen: &mut Seen) {
    match event {
        Event::Request(_) => match ws.accept(Accept::new()) {
            Ok(()) | Err(AcceptError::NoRequest) => {}
            Err(AcceptError::Memory { .. }) => seen.unanswered += 1,
            Err(other) => panic!("{other:?}"),
        },
        Event::Http(_) => match ws.respond(Response::new(404).body("no")) {
            Ok(()) | Err(AcceptError::NoRequest) => {}
            Err(AcceptError::Memory { .. }) => seen.unanswered += 1,
            Err(other) => panic!("{other:?}"),
        },
        Event::Message(_) | Event::Chunk(_) => seen.messages += 1,
        Event::Failed(Failure::Protocol(ProtocolError::Limit {
            limit: Limit::Memory,
            value,
            max,
        })) => {
            assert!(value > max);
            seen.failed += 1;
        }
        _ => {}
    }
}

/// One read, in one of the ways.
fn deliver(ws: &mut Connection, read: &mut [u8], way: usize, seen: &mut Seen) {
    let mut input = read;
    match way {
        0 => {
            ws.keep_input(&mut input);
            while let Some(event) = ws.receive(&mut &mut [][..]) {
                take(ws, event, seen);
            }
        }
        1 => {
            while ws.find_event(&mut input) {
                if let Some(event) = ws.receive(&mut input) {
                    take(ws, event, seen);
                }
            }
        }
        2 => {
            while let Some(event) = ws.receive(&mut input) {
                ws.keep_input(&mut input);
                take(ws, event, seen);
            }
        }
        3 => loop {
            while let Some(target) = ws.receive_target() {
                let n = target.len().min(input.len());
                if n == 0 {
                    break;
                }
                let (front, rest) = std::mem::take(&mut input).split_at_mut(n);
                target[..n].copy_from_slice(front);
                input = rest;
                ws.receive_target_filled(n);
            }
            match ws.receive(&mut input) {
                Some(event) => take(ws, event, seen),
                None => break,
            }
        },
        4 => {
            // Held for a while.
            ws.keep_input(&mut input);
        }
        _ => {
            while let Some(event) = ws.receive(&mut input) {
                take(ws, event, seen);
            }
        }
    }
}

/// Something that the application does.
fn act(watched: &mut Watched, t: &mut Taker<'_>, now: &mut Duration) {
    let len = t.pick(&[0, 100, 3000, 5000, 40_000, 200_000]) / (1 + t.below(3));
    let compress = t.pick(&[
        Compress::Auto,
        Compress::Always,
        Compress::Never,
        Compress::Alone,
    ]);
    let noise = random(len as u64, len);
    let unsent = |sent: Result<(), SendError>, seen: &mut Seen| {
        if let Err(SendError::Memory { needed, limit }) = sent {
            assert!(needed > limit);
            seen.unsent += 1;
        }
        sent.is_ok()
    };
    match t.below(16) {
        0 => watched.run("send", 0, |ws, seen| {
            unsent(ws.send_with(&noise, compress).map_err(Into::into), seen)
        }),
        1 => {
            let mut message = Vec::with_capacity(len + t.below(3000));
            message.extend_from_slice(&noise);
            let held = message.capacity();
            watched.run("send a vector", held, |ws, seen| {
                match ws.send_with(message, compress) {
                    Ok(()) => true,
                    Err(error) => unsent(Err(error.why), seen),
                }
            });
        }
        2 => {
            let prepared = Prepared::binary(&noise);
            watched.run("send what is prepared", 0, |ws, seen| {
                unsent(ws.send(&prepared).map_err(Into::into), seen)
            });
            // Shared bytes are not the connection's, as long as there is somebody else.
            watched.shared.push(prepared);
        }
        3 => {
            let part = Part::new(Kind::Binary, &noise)
                .last_if(t.once_in(2))
                .compress(compress);
            watched.run("send a part", 0, |ws, seen| {
                unsent(ws.send_part(part), seen)
            });
        }
        4 => watched.run("begin a message", 0, |ws, seen| {
            unsent(ws.begin_message(Kind::Binary, len as u64), seen)
        }),
        5 | 6 => {
            let n = len.min(2000);
            watched.run("write a piece", 0, |ws, seen| {
                unsent(ws.write_message(&noise[..n]), seen)
            });
        }
        7 => watched.run("ping", 0, |ws, seen| {
            unsent(ws.ping(&noise[..len.min(125)]), seen)
        }),
        8 => watched.run("pong", 0, |ws, seen| {
            unsent(ws.pong(&noise[..len.min(125)]), seen)
        }),
        9 if t.once_in(4) => watched.run("close", 0, |ws, _| {
            ws.close_lossy(sansocket::CloseCode::GOING_AWAY, &"bye ".repeat(40))
                .is_ok()
        }),
        10 => {
            let spare = Vec::with_capacity(len + 1);
            let held = spare.capacity();
            watched.run("lend", held, |ws, _| {
                let before = ws.memory_held();
                ws.lend_buffer(spare);
                ws.memory_held() > before
            });
        }
        11 => watched.run("take", 0, |ws, _| {
            drop(ws.take_buffer());
            true
        }),
        12 => watched.run("park", 0, |ws, _| {
            ws.park();
            true
        }),
        13 => {
            *now += Duration::from_secs(t.below(8) as u64);
            let now = *now;
            watched.run("time", 0, |ws, _| {
                ws.advance_time(now);
                true
            });
        }
        _ => watched.run("write", 0, |ws, _| {
            ws.consume_output(len);
            true
        }),
    }
}

fn watched(t: &mut Taker<'_>, ceiling: usize) -> (Watched, Vec<u8>) {
    let role = t.role();
    let (server, client, compresses) = settings(t, ceiling);
    let handshake = t.once_in(3);
    let agreed = t.pick(&[
        "permessage-deflate",
        "permessage-deflate; server_max_window_bits=9; client_max_window_bits=9",
        "permessage-deflate; server_no_context_takeover; client_no_context_takeover",
    ]);
    let negotiated = match compresses {
        true => Negotiated::new().extensions(agreed),
        false => Negotiated::new(),
    };
    let peer_settings = PermessageDeflate::client();
    let mut peer = match role {
        Role::Server => {
            let config = ClientConfig::new()
                .limits(Limits::trusted())
                .deflate(peer_settings);
            Connection::upgraded_client_with_entropy(&config, negotiated.clone(), Scripted::boxed())
        }
        Role::Client => {
            let config = ServerConfig::upgraded()
                .limits(Limits::trusted())
                .deflate(peer_settings);
            Connection::upgraded_server(&config, negotiated.clone())
        }
    };
    let field = "X: y\r\n".repeat(t.pick(&[0, 3, 60, 400]));
    let head = match role {
        Role::Server => format!(
            "GET /chat HTTP/1.1\r\nHost: example.com\r\nUpgrade: websocket\r\n\
             Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
             Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n{field}\r\n"
        ),
        Role::Client if t.once_in(3) => format!(
            "HTTP/1.1 404 x\r\n{field}\r\n{}",
            "a".repeat(t.below(60_000))
        ),
        Role::Client => format!(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Accept: {ACCEPT}\r\n{field}\r\n"
        ),
    };
    let mut bytes = stream(t, role, &mut peer);
    if handshake {
        bytes.splice(..0, head.into_bytes());
    }
    let uri = Uri::parse("ws://example.com/chat").expect("a URI");
    let mut request = ClientRequest::new(uri);
    for i in 0..t.pick(&[0, 0, 5, 100]) {
        request = request
            .header(&format!("X-{i}"), b"value")
            .expect("a field");
    }
    let entropy = (role == Role::Client).then(Scripted::boxed);
    // What is handed in was the application's until then.
    let (request, asked) = count(|| request.clone());
    let (negotiated, agreed) = count(|| negotiated.clone());
    let (mut request, mut negotiated) = (Some(request), Some(negotiated));
    let (ws, used) = count(|| match (role, handshake) {
        (Role::Server, true) => Connection::server(&server),
        (Role::Server, false) => Connection::upgraded_server(&server, own(negotiated.take())),
        (Role::Client, true) => {
            Connection::client_with_entropy(&client, own(request.take()), own(entropy))
                .expect("keys")
        }
        (Role::Client, false) => {
            Connection::upgraded_client_with_entropy(&client, own(negotiated.take()), own(entropy))
        }
    });
    let handed = match (role, handshake) {
        (_, false) => agreed.kept,
        (Role::Client, true) => asked.kept,
        (Role::Server, true) => 0,
    };
    let seen = Seen {
        compressed: usize::from(ws.memory_held() > 0 && !ws.extensions().is_empty()),
        ..Seen::default()
    };
    let held = ws.memory_held() as isize;
    assert_eq!(held, used.kept + handed, "{ws:?}");
    assert!(used.peak <= ceiling, "{used:?} {ws:?}");
    (
        Watched {
            ws,
            ceiling,
            held,
            seen,
            shared: Vec::new(),
        },
        bytes,
    )
}

#[test]
fn the_ceiling_is_kept_to_the_byte() {
    let seeds = std::env::var("SEEDS").map_or(600, |n| n.parse().expect("a number"));
    let mut all = Seen::default();
    for seed in 0..seeds {
        let bytes = random(seed + 1, 3000);
        let mut t = Taker::new(&bytes);
        let ceiling = t.pick(&[16, 17, 24, 40, 100, 300, 420, 700, 1200]) << 10;
        let (mut watched, mut stream) = watched(&mut t, ceiling);
        let mut now = Duration::ZERO;
        let step = t.pick(&[7, 100, 1500, 16 << 10, 1 << 20]);
        let step = step.max(stream.len() / 300);
        for read in stream.chunks_mut(step) {
            let way = t.below(8);
            watched.run("read", 0, |ws, seen| {
                deliver(ws, read, way, seen);
                true
            });
            if !t.once_in(3) {
                act(&mut watched, &mut t, &mut now);
            }
        }
        watched.run("the end", 0, |ws, seen| {
            ws.receive_eof();
            deliver(ws, &mut [], 5, seen);
            ws.consume_output(usize::MAX);
            deliver(ws, &mut [], 5, seen);
            true
        });
        let Seen {
            messages,
            failed,
            unsent,
            unanswered,
            compressed,
        } = watched.seen;
        all.messages += messages;
        all.failed += failed;
        all.unsent += unsent;
        all.unanswered += unanswered;
        all.compressed += compressed;
    }
    assert!(
        all.messages > 600 && all.failed > 45 && all.unsent > 45,
        "{all:?}"
    );
    assert!(all.compressed > 15, "{all:?}");
}

/// The longest message that is taken in frames of each size: its keys lie beside it while they grow in number.
#[test]
fn the_longest_message_in_fragments() {
    for ceiling in [16 << 10, 64 << 10, 300 << 10] {
        let mut limits = Limits::trusted();
        limits.memory = ceiling as u64;
        for fragment in [1, 7, 20, 125, 1000, 5000] {
            let config = ClientConfig::new().limits(limits).fragment(fragment);
            let fits = |len: usize| {
                let entropy = Scripted::boxed();
                let mut ws =
                    Connection::upgraded_client_with_entropy(&config, Negotiated::new(), entropy);
                let before = ws.memory_held();
                let message = vec![7; len];
                let (taken, Use { peak, .. }) = count(|| ws.send(&message[..]).is_ok());
                let held = before + peak;
                assert!(held <= ceiling, "{len} in {fragment}: {held} of {ceiling}");
                taken
            };
            let (mut least, mut most) = (1, ceiling);
            while most - least > 1 {
                let len = least.midpoint(most);
                *(if fits(len) { &mut least } else { &mut most }) = len;
            }
            assert!(least > 16, "{least} of {ceiling} in {fragment}");
        }
    }
}

fn own<T>(value: Option<T>) -> T {
    value.expect("it is there once")
}
