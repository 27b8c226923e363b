//! The ceiling on a connection's memory (RFC 6455 §10.4): what happens at it. That it is kept to the byte is
//! counted by an allocator, in `tests/assurance/heap`.

use std::time::Duration;

use sansocket::config::{Delivery, Limits, Timeouts};
use sansocket::error::{AcceptError, Failure, Limit, ProtocolError, SendError};
use sansocket::event::CloseReport;
use sansocket::{
    Accept, ClientConfig, ClientRequest, CloseCode, Connection, Event, Kind, Negotiated,
    OriginPolicy, Part, Prepared, Response, Role, ServerConfig, State, Uri,
};

use crate::support::*;

/// Enough for small messages.
const SMALL: u64 = 32 << 10;

fn limits(memory: u64) -> Limits {
    let mut limits = Limits::trusted();
    limits.memory = memory;
    limits
}

fn bounded(role: Role, memory: u64) -> Connection {
    let limits = limits(memory);
    match role {
        Role::Server => server(&server_config().limits(limits)),
        Role::Client => client(&client_config().limits(limits)),
    }
}

fn is_memory(seen: &Seen, ceiling: u64) -> bool {
    matches!(
        seen,
        Seen::Failed(Failure::Protocol(ProtocolError::Limit {
            limit: Limit::Memory,
            value,
            max,
        })) if *max == ceiling && value > max
    )
}

const TOO_BIG: [u8; 2] = 1009u16.to_be_bytes();

/// RX-8: a message that does not fit fails the connection with 1009 while it is gathered; one that is lent from
/// the input takes nothing.
#[test]
fn a_message_that_does_not_fit() {
    for role in ROLES {
        for kind in [TEXT, BINARY] {
            let large = vec![b'a'; 60_000];
            let whole = encode_for(role, &[Frame::new(kind, &large)]);
            let mut ws = bounded(role, SMALL);
            let events = receive(&mut ws, &whole);
            assert!(matches!(events[..], [Seen::Text(_) | Seen::Binary(_)]));
            assert!(ws.memory_held() < SMALL as usize);
            let mut events = Vec::new();
            let mut most = 0;
            for read in whole.chunks(1000) {
                events.extend(receive(&mut ws, read));
                most = most.max(ws.memory_held());
            }
            assert!(
                matches!(&events[..], [failed] if is_memory(failed, SMALL)),
                "{events:?}"
            );
            assert!(most > 5000 && most <= SMALL as usize, "{most}");
            assert_eq!(take_frames(&mut ws), [Frame::new(CLOSE, TOO_BIG)]);
            // A third of what is left always fits.
            let mut ws = bounded(role, SMALL);
            let fits = encode_for(role, &[Frame::new(kind, vec![b'a'; 8000])]);
            let events: Vec<_> = fits
                .chunks(1000)
                .flat_map(|read| receive(&mut ws, read))
                .collect();
            assert_eq!(events.len(), 1);
            assert_eq!(events[0].failure(), None);
        }
    }
}

/// RX-8: what was handed out does not count: a message that lies in the input as a whole is copied out of it.
#[test]
fn a_message_that_is_copied_for_the_application() {
    for role in ROLES {
        for kind in [TEXT, BINARY] {
            let payload = vec![b'a'; 60_000];
            let whole = encode_for(role, &[Frame::new(kind, &payload)]);
            let mut ws = bounded(role, SMALL);
            let mut input = &whole[..];
            let event = ws.receive_copy(&mut input);
            let Some(Event::Message(message)) = event else {
                panic!("{event:?}");
            };
            assert_eq!(message.as_bytes(), payload);
            assert_eq!((input.len(), ws.memory_held()), (0, 0));
        }
    }
}

/// RX-8: in chunks any message passes.
#[test]
fn chunks_are_lent() {
    for role in ROLES {
        let limits = limits(16 << 10);
        let mut ws = match role {
            Role::Server => server(&server_config().limits(limits).delivery(Delivery::Chunks)),
            Role::Client => client(&client_config().limits(limits).delivery(Delivery::Chunks)),
        };
        let frames = encode_for(role, &[Frame::new(BINARY, vec![7; 300_000])]);
        let mut len = 0;
        for read in frames.chunks(1000) {
            for event in receive(&mut ws, read) {
                let Seen::Chunk { payload, .. } = event else {
                    panic!("{event:?}");
                };
                len += payload.len();
            }
            assert_eq!(ws.memory_held(), 0);
        }
        assert_eq!(len, 300_000);
    }
}

/// RX-8: input that is kept counts, and so does what is found in it.
#[test]
fn kept_input_that_does_not_fit() {
    for role in ROLES {
        let mut ws = bounded(role, SMALL);
        let mut read = encode_for(role, &[Frame::new(BINARY, vec![7; 10_000])]);
        ws.keep_input(&mut &mut read.clone()[..]);
        assert!(ws.memory_held() >= 10_000);
        ws.keep_input(&mut &mut read.clone()[..]);
        ws.keep_input(&mut &mut read[..]);
        let events = receive(&mut ws, &[]);
        assert!(
            matches!(&events[..], [failed] if is_memory(failed, SMALL)),
            "{events:?}"
        );
        assert_eq!(take_frames(&mut ws), [Frame::new(CLOSE, TOO_BIG)]);
        // What comes out of it is a copy, while the rest is there.
        let mut ws = bounded(role, SMALL);
        let mut read = encode_for(role, &[Frame::new(BINARY, vec![7; 20_000])]);
        ws.keep_input(&mut &mut read[..]);
        let events = receive(&mut ws, &[]);
        assert!(
            matches!(&events[..], [failed] if is_memory(failed, SMALL)),
            "{events:?}"
        );
    }
}

/// RX-8: kept input counts once, also where a part of it was read, and no more when all was.
#[test]
fn kept_input_counts_once() {
    for role in ROLES {
        let mut ws = open(role);
        ws.ping(b"mine").unwrap();
        take_output(&mut ws);
        let before = ws.memory_held();
        let frames = [[1; 5000], [2; 5000]].map(|payload| Frame::new(BINARY, payload));
        ws.keep_input(&mut &mut encode_for(role, &frames)[..]);
        let kept = ws.memory_held();
        assert!(kept >= before + 10_000, "{before} {kept}");
        for held in [kept, before] {
            let event = ws.receive(&mut &mut [][..]);
            assert!(matches!(event, Some(Event::Message(_))), "{event:?}");
            drop(event);
            assert_eq!(ws.memory_held(), held, "{role:?}");
        }
    }
}

/// RX-8: of what came nothing is held once the connection is over: no kept input, and no half frame.
#[test]
fn nothing_that_came_is_held_after_the_end() {
    for role in ROLES {
        for (opcode, len, keep) in [
            (BINARY, 5000, true),
            (BINARY, 5000, false),
            (PING, 125, false),
        ] {
            for lost in [false, true] {
                let mut ws = open(role);
                let mut came = encode_for(role, &[Frame::new(opcode, vec![7; len])]);
                came.pop();
                if keep {
                    ws.keep_input(&mut &mut came[..]);
                } else {
                    assert_eq!(receive(&mut ws, &came), []);
                }
                let before = ws.memory_held();
                if lost {
                    ws.transport_lost();
                    assert!(
                        ws.memory_held() + len * 3 / 4 <= before,
                        "{role:?} {opcode} {keep}"
                    );
                } else {
                    ws.receive_eof();
                }
                let events = receive(&mut ws, &[]);
                assert!(matches!(events[..], [Seen::Closed(_)]), "{events:?}");
                assert!(
                    ws.memory_held() + len * 3 / 4 <= before,
                    "{role:?} {opcode} {keep}"
                );
            }
        }
    }
}

/// HS-34: what was kept after a request goes with the answer that opens nothing.
#[test]
fn what_came_after_a_request_that_is_refused() {
    for fails in [false, true] {
        let mut limits = Limits::server();
        limits.held = 10_000;
        let config = ServerConfig::new(OriginPolicy::Any).limits(limits);
        let mut ws = Connection::server(&config);
        let request = b"GET / HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
            Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
        assert!(matches!(
            receive(&mut ws, request)[..],
            [Seen::Request { .. }]
        ));
        assert_eq!(receive(&mut ws, &[0x81; 10_000]), []);
        assert!(ws.memory_held() >= 10_000);
        if fails {
            let mut more = [0x81];
            let event = ws.receive(&mut &mut more[..]);
            assert!(matches!(event, Some(Event::Failed(_))), "{event:?}");
        } else {
            ws.respond(Response::new(404)).unwrap();
        }
        assert!(ws.memory_held() < 5000, "{fails} {}", ws.memory_held());
    }
}

/// TX-5: what does not fit into the queue comes back, and nothing has changed; when some has left it is taken.
#[test]
fn messages_that_come_back() {
    for role in ROLES {
        let mut ws = bounded(role, SMALL);
        let full = |why: SendError| {
            assert!(
                matches!(why, SendError::Memory { needed, limit } if limit == SMALL && needed > limit),
                "{why:?}"
            );
        };
        ws.send(vec![7; 12_000]).unwrap();
        let before = (ws.output_len(), ws.buffered_amount(), ws.memory_held());
        let unsent = ws.send(vec![8; 14_000]).unwrap_err();
        full(unsent.why);
        assert_eq!(unsent.message, vec![8; 14_000]);
        let unsent = ws
            .send(String::from_utf8(vec![b'a'; 14_000]).unwrap())
            .unwrap_err();
        full(unsent.why);
        assert_eq!(unsent.message.len(), 14_000);
        full(ws.send(&vec![8; 14_000]).unwrap_err().why);
        full(ws.send_part(Part::binary(&[8; 14_000])).unwrap_err());
        assert_eq!(ws.can_send(), Ok(()));
        assert_eq!(
            before,
            (ws.output_len(), ws.buffered_amount(), ws.memory_held())
        );
        ws.begin_message(Kind::Binary, 14_000).unwrap();
        full(ws.write_message(&[8; 14_000]).unwrap_err());
        ws.write_message(&[8; 100]).unwrap();
        ws.write_message(&[8; 100]).unwrap();
        ws.consume_output(ws.output_len());
        ws.write_message(&[8; 13_800]).unwrap();
        take_output(&mut ws);
        ws.send(vec![8; 14_000]).unwrap();
        assert_eq!(
            take_output(&mut ws).len(),
            14_000 + if role == Role::Server { 4 } else { 8 }
        );
    }
}

/// RX-8: from 4 KiB on what is handed over stays where it is, and takes no room in the queue as well.
#[test]
fn messages_of_the_least_size_that_stays_where_it_is() {
    let ceiling = 8 << 10;
    for len in [4095, 4096, 4097] {
        let mut ws = bounded(Role::Server, ceiling);
        ws.send(vec![7; len]).unwrap();
        let held = ws.memory_held();
        assert!((len..=ceiling as usize).contains(&held), "{held} of {len}");
        assert_eq!(take_frames(&mut ws), [Frame::new(BINARY, vec![7; len])]);
    }
}

/// TX-5: shared bytes are nobody's own: a server queues them whatever the ceiling is, a client masks a copy.
#[test]
fn shared_messages() {
    let news = Prepared::binary(&[7; 60_000]);
    let mut ws = bounded(Role::Server, SMALL);
    ws.send(&news).unwrap();
    assert!(ws.memory_held() < 2000);
    let bytes: std::sync::Arc<[u8]> = vec![7; 60_000].into();
    ws.send(std::sync::Arc::clone(&bytes)).unwrap();
    let mut ws = bounded(Role::Client, SMALL);
    assert!(matches!(
        ws.send(&news).unwrap_err().why,
        SendError::Memory { .. }
    ));
    assert!(matches!(
        ws.send(bytes).unwrap_err().why,
        SendError::Memory { .. }
    ));
    assert_eq!(ws.output_len(), 0);
}

/// TX-5: a message in fragments is taken as a whole or not at all.
#[test]
fn messages_that_are_split() {
    for role in ROLES {
        let limits = limits(SMALL);
        let mut ws = match role {
            Role::Server => server(&server_config().limits(limits).fragment(1000)),
            Role::Client => client(&client_config().limits(limits).fragment(1000)),
        };
        assert!(ws.send(vec![7; 30_000]).is_err());
        assert_eq!(ws.output_len(), 0);
        ws.send(vec![7; 10_000]).unwrap();
        // Between two fragments there is still a place for a pong.
        assert_eq!(
            receive_frames(&mut ws, &[Frame::new(PING, b"p")]),
            [Seen::ping(b"p")]
        );
        let mut out = ws.output()[..1].to_vec();
        ws.consume_output(1);
        ws.pong(b"now").unwrap();
        out.extend(take_output(&mut ws));
        let frames = decode(&out);
        assert_eq!(frames.len(), 12);
        assert_eq!(frames[11].opcode, CONTINUATION);
    }
}

/// TX-6: at the ceiling a pong waits, a ping of the application's comes back, and a Close frame goes out.
#[test]
fn control_frames_at_the_ceiling() {
    for role in ROLES {
        let mut ws = bounded(role, SMALL);
        while ws.send(vec![7; 4100]).is_ok() {}
        while ws.send(&[7; 10]).is_ok() {}
        let mut last = 0;
        for i in 0..50u8 {
            assert_eq!(
                receive_frames(&mut ws, &[Frame::new(PING, [i; 125])]).len(),
                1
            );
            assert!(ws.memory_held() <= SMALL as usize);
            last = i;
        }
        let sent = ws.ping(&[0; 125]);
        assert!(matches!(sent, Err(SendError::Memory { .. })), "{sent:?}");
        let sent = ws.pong(&[0; 125]);
        assert!(matches!(sent, Err(SendError::Memory { .. })), "{sent:?}");
        // Some leaves: the latest ping is answered.
        let mut out = Vec::new();
        while ws.output_len() > 0 && out.len() < 9000 {
            let n = ws.output().len().min(500);
            out.extend_from_slice(&ws.output()[..n]);
            ws.consume_output(n);
        }
        ws.close(CloseCode::GOING_AWAY, &"r".repeat(123)).unwrap();
        assert!(ws.memory_held() <= SMALL as usize);
        out.extend(take_output(&mut ws));
        let frames = decode(&out);
        assert!(
            frames
                .iter()
                .any(|frame| frame.opcode == PONG && frame.payload == [last; 125])
        );
        let close = frames.last().unwrap();
        assert_eq!((close.opcode, close.payload.len()), (CLOSE, 125));
    }
}

/// With a queue that `fill` has filled, a peer that takes nothing is found dead.
fn is_found_dead(fragment: u32, fill: impl Fn(&mut Connection)) {
    for role in ROLES {
        let mut timeouts = Timeouts::default();
        timeouts.ping = Some(Duration::from_secs(10));
        let limits = limits(SMALL);
        let mut ws = match role {
            Role::Server => {
                let config = server_config().limits(limits).timeouts(timeouts);
                server(&config.fragment(fragment))
            }
            Role::Client => {
                let config = client_config().limits(limits).timeouts(timeouts);
                client(&config.fragment(fragment))
            }
        };
        ws.advance_time(Duration::ZERO);
        fill(&mut ws);
        let mut failed = None;
        for second in 1..100 {
            ws.advance_time(Duration::from_secs(second));
            let events = receive(&mut ws, &[]);
            failed = failed.or(events.iter().find_map(Seen::failure));
            assert!(ws.memory_held() <= SMALL as usize);
        }
        assert!(matches!(failed, Some(Failure::Timeout(_))), "{failed:?}");
    }
}

/// TX-6: a peer that takes nothing of a full queue is found dead, whether its ping has room or not.
#[test]
fn keepalive_at_the_ceiling() {
    is_found_dead(0, |ws| {
        while ws.send(vec![7; 4100]).is_ok() {}
        while ws.send(&[7; 10]).is_ok() {}
    });
}

/// TX-6: a ping is sent however much of a message has come, as what is set aside is for that too.
#[test]
fn keepalive_while_a_message_takes_the_rest() {
    for role in ROLES {
        let mut full = 0;
        for len in (15_000..25_000).step_by(50) {
            let mut timeouts = Timeouts::default();
            timeouts.ping = Some(Duration::from_secs(10));
            let limits = limits(SMALL);
            let mut ws = match role {
                Role::Server => server(&server_config().limits(limits).timeouts(timeouts)),
                Role::Client => client(&client_config().limits(limits).timeouts(timeouts)),
            };
            ws.advance_time(Duration::ZERO);
            let mut part = Frame::new(BINARY, vec![7; len]);
            part.fin = false;
            if receive_frames(&mut ws, &[part])
                .iter()
                .any(|seen| is_memory(seen, SMALL))
            {
                full += 1;
                continue;
            }
            ws.advance_time(Duration::from_secs(10));
            let frames = take_frames(&mut ws);
            assert!(
                matches!(&frames[..], [ping] if ping.opcode == PING),
                "{len} {frames:?}"
            );
            assert!(ws.memory_held() <= SMALL as usize);
        }
        assert!(full > 0);
    }
}

/// HS-34: heads, and what comes after a request, keep to a part of the ceiling.
#[test]
fn the_opening_handshake_at_the_ceiling() {
    let config = ServerConfig::new(OriginPolicy::Any).limits(limits(SMALL));
    let request = |more: &str| {
        format!(
            "GET / HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{more}\r\n"
        )
        .into_bytes()
    };
    let mut ws = Connection::server(&config);
    let mut long = request(&format!("X: {}\r\n", "a".repeat(5000)));
    let event = ws.receive(&mut &mut long[..]);
    assert!(
        matches!(event, Some(Event::Failed(Failure::Handshake(_)))),
        "{event:?}"
    );
    assert!(ws.output().starts_with(b"HTTP/1.1 431 "));

    let mut ws = Connection::server(&config);
    assert!(matches!(
        ws.receive(&mut &mut request("")[..]),
        Some(Event::Request(_))
    ));
    let answer = Accept::new().header("X", &[b'a'; 40_000]).unwrap();
    let accepted = ws.accept(answer);
    assert!(
        matches!(accepted, Err(AcceptError::Memory { limit: SMALL, .. })),
        "{accepted:?}"
    );
    let page = ws.respond(Response::new(200).body(vec![b'a'; 40_000]));
    assert!(
        matches!(page, Err(AcceptError::Memory { limit: SMALL, .. })),
        "{page:?}"
    );
    assert!(ws.receive(&mut &mut vec![0x81; 20_000][..]).is_none());
    let mut more = vec![0x81; 20_000];
    let failed = ws.receive(&mut &mut more[..]);
    assert!(
        matches!(failed, Some(Event::Failed(Failure::Handshake(_)))),
        "{failed:?}"
    );

    // What is kept before the request was read, too.
    let mut ws = Connection::server(&config);
    ws.keep_input(&mut &mut vec![b'a'; 40_000][..]);
    let failed = ws.receive(&mut &mut [][..]);
    assert!(
        matches!(failed, Some(Event::Failed(Failure::Protocol(_)))),
        "{failed:?}"
    );
    assert!(ws.output().starts_with(b"HTTP/1.1 431 "));

    // A client whose request does not fit.
    let request = ClientRequest::new(Uri::parse("ws://h/").unwrap());
    let request = request.header("X", &[b'a'; 20_000]).unwrap();
    let config = ClientConfig::new().limits(limits(SMALL));
    let mut ws = Connection::client_with_entropy(&config, request, Box::new(SampleKey)).unwrap();
    assert_eq!(ws.output_len(), 0);
    let failed = ws.receive(&mut &mut [][..]);
    assert!(
        matches!(failed, Some(Event::Failed(Failure::Protocol(_)))),
        "{failed:?}"
    );
}

/// HS-34: an answer whose body comes in pieces keeps to it.
#[test]
fn a_body_in_pieces_at_the_ceiling() {
    let config = ServerConfig::new(OriginPolicy::Any)
        .serve_http()
        .limits(limits(SMALL));
    let mut ws = Connection::server(&config);
    let mut request = *b"GET / HTTP/1.1\r\nHost: h\r\n\r\n";
    assert!(matches!(
        ws.receive(&mut &mut request[..]),
        Some(Event::Http(_))
    ));
    let long = Response::new(200).body(vec![b'a'; 30_000]);
    assert!(matches!(
        ws.begin_response(long, None),
        Err(AcceptError::Memory { .. })
    ));
    ws.begin_response(Response::new(200), None).unwrap();
    let mut written = 0;
    while ws.write_response(&[b'a'; 1000]).is_ok() {
        written += 1;
        assert!(ws.memory_held() <= SMALL as usize);
    }
    assert!((5..30).contains(&written), "{written}");
    let refused = ws.write_response(&[b'a'; 1000]);
    assert!(
        matches!(refused, Err(SendError::Memory { .. })),
        "{refused:?}"
    );
    ws.end_response().unwrap();
    assert!(ws.memory_held() <= SMALL as usize);
}

/// HS-34: a body in pieces needs what a whole one does, and the frame of a chunk (RFC 9112 §7.1).
#[test]
fn how_much_an_answer_in_pieces_needs() {
    let config = ServerConfig::upgraded()
        .serve_http()
        .limits(limits(16 << 10));
    let mut ws = Connection::server(&config);
    let events = receive(&mut ws, b"GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    assert!(matches!(events[..], [Seen::Http { .. }]), "{events:?}");
    let long = Response::new(200).body(vec![b'a'; 30_000]);
    let needed = |answered| match answered {
        Err(AcceptError::Memory { needed, .. }) => needed,
        other => panic!("{other:?}"),
    };
    let whole = needed(ws.respond(long.clone()));
    let pieces = needed(ws.begin_response(long, None));
    assert!((1..100).contains(&(pieces - whole)), "{whole} {pieces}");
    // The least ceiling is enough for a short one.
    let short = Response::new(200).body("a");
    assert_eq!(ws.begin_response(short, None), Ok(()));
    ws.end_response().unwrap();
    assert!(ws.memory_held() <= 16 << 10);
}

/// A buffer that does not fit is dropped, and one that does serves.
#[test]
fn lent_buffers() {
    let mut ws = bounded(Role::Server, SMALL);
    ws.lend_buffer(Vec::with_capacity(40_000));
    assert_eq!(ws.memory_held(), 0);
    ws.lend_buffer(Vec::with_capacity(20_000));
    assert_eq!(ws.memory_held(), 20_000);
    ws.send(&[7; 15_000]).unwrap();
    assert!(ws.memory_held() < 21_000);
    take_output(&mut ws);
    ws.take_buffer();
    assert_eq!(ws.memory_held(), 0);
}

/// A ceiling that is set later holds for what is taken from then on; 16 KiB are the least.
#[test]
fn a_ceiling_that_is_set_later() {
    let mut ws = server(&server_config());
    ws.send(vec![7; 100_000]).unwrap();
    let mut limits = *ws.limits();
    limits.memory = 1;
    ws.set_limits(limits);
    let unsent = ws.send(vec![7; 5000]).unwrap_err();
    assert!(matches!(
        unsent.why,
        SendError::Memory { limit: 16_384, .. }
    ));
    ws.close(CloseCode::GOING_AWAY, "").unwrap();
    let frames = decode(&take_output(&mut ws));
    assert_eq!(frames.len(), 2);
    assert!(ws.memory_held() < 16_384);
}

/// TX-6: above a ceiling that is set later no keepalive ping is queued, and a peer that takes nothing is found
/// dead all the same.
#[test]
fn no_ping_above_a_ceiling_that_is_set_later() {
    for role in ROLES {
        let mut timeouts = Timeouts::default();
        timeouts.ping = Some(Duration::from_secs(10));
        let mut ws = match role {
            Role::Server => server(&server_config().timeouts(timeouts)),
            Role::Client => client(&client_config().timeouts(timeouts)),
        };
        ws.advance_time(Duration::ZERO);
        ws.send(vec![7; 100_000]).unwrap();
        ws.set_limits(limits(1));
        let queued = ws.output_len();
        let mut failed = None;
        for second in 1..100 {
            ws.advance_time(Duration::from_secs(second));
            let events = receive(&mut ws, &[]);
            failed = failed.or(events.iter().find_map(Seen::failure));
            assert!(failed.is_some() || ws.output_len() == queued);
        }
        assert!(matches!(failed, Some(Failure::Timeout(_))), "{failed:?}");
        let frames = decode(&take_output(&mut ws));
        assert!(frames.iter().all(|frame| frame.opcode != PING));
    }
}

/// What it says.
#[test]
fn the_errors_say_what_to_do() {
    let (needed, limit) = (20, 10);
    let send = SendError::Memory { needed, limit };
    let text = "20 bytes of memory would be held, 10 are allowed: write some of the output first, or send less";
    assert_eq!(send.to_string(), text);
    let accept = AcceptError::Memory { needed, limit };
    assert_eq!(
        accept.to_string(),
        "20 bytes of memory would be held, 10 are allowed"
    );
    let (limit, value, max) = (Limit::Memory, 20, 10);
    let error = ProtocolError::Limit { limit, value, max };
    let text = "20 bytes of memory, at most 10 are allowed (RFC 6455 §10.4)";
    assert_eq!(
        (error.to_string(), error.close_code()),
        (text.to_owned(), 1009)
    );
    assert_eq!(Limits::server().memory, Limits::UNBOUNDED);
    assert!(Limits::strict().memory < 2 << 20);
}

/// X-11: codecs take half of the ceiling at most: smaller windows are asked for first, and then none.
#[cfg(feature = "deflate")]
#[test]
fn windows_that_fit() {
    use sansocket::extension::PermessageDeflate;

    let answer = |memory: u64, deflate: PermessageDeflate, offer: &str| {
        let config = ServerConfig::new(OriginPolicy::Any)
            .limits(limits(memory))
            .deflate(deflate);
        let mut ws = Connection::server(&config);
        let mut request = format!(
            "GET / HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
             Sec-WebSocket-Extensions: {offer}\r\n\r\n"
        )
        .into_bytes();
        assert!(matches!(
            ws.receive(&mut &mut request[..]),
            Some(Event::Request(_))
        ));
        ws.accept(Accept::new()).unwrap();
        assert!(ws.memory_held() as u64 <= memory);
        ws.extensions().to_owned()
    };
    let full = "permessage-deflate; client_max_window_bits";
    let client = PermessageDeflate::client;
    assert_eq!(answer(2 << 20, client(), full), "permessage-deflate");
    let smaller = answer(700 << 10, client(), full);
    assert!(smaller.contains("; server_max_window_bits=1"), "{smaller}");
    assert!(smaller.contains("; client_max_window_bits=1"), "{smaller}");
    // The client could not be asked for a smaller window.
    assert_eq!(answer(700 << 10, client(), "permessage-deflate"), "");
    assert_eq!(answer(300 << 10, client(), full), "");
    let light = answer(600 << 10, client().mem_level(1), full);
    assert!(light.starts_with("permessage-deflate"), "{light}");

    let offer = |memory: u64| {
        let config = ClientConfig::new().limits(limits(memory)).deflate(client());
        let request = ClientRequest::new(Uri::parse("ws://h/").unwrap());
        let ws = Connection::client_with_entropy(&config, request, Box::new(SampleKey)).unwrap();
        let head = String::from_utf8(ws.output().to_vec()).unwrap();
        let line = head
            .lines()
            .find_map(|line| line.strip_prefix("Sec-WebSocket-Extensions: "));
        line.unwrap_or_default().to_owned()
    };
    assert_eq!(offer(2 << 20), full);
    let smaller = offer(700 << 10);
    assert!(smaller.contains("; server_max_window_bits=1"), "{smaller}");
    assert_eq!(offer(300 << 10), "");
}

/// X-11: what somebody else has agreed to and does not fit fails the connection at once.
#[cfg(feature = "deflate")]
#[test]
fn a_window_that_was_agreed_on_elsewhere() {
    use sansocket::extension::PermessageDeflate;

    let config = server_config()
        .limits(limits(680 << 10))
        .deflate(PermessageDeflate::client());
    let open = |agreed: &str| {
        let mut ws = Connection::upgraded_server(&config, Negotiated::new().extensions(agreed));
        receive(&mut ws, &[])
    };
    assert_eq!(
        open("permessage-deflate; server_max_window_bits=9; client_max_window_bits=9").len(),
        1
    );
    let config = server_config()
        .limits(limits(64 << 10))
        .deflate(PermessageDeflate::client());
    let mut ws =
        Connection::upgraded_server(&config, Negotiated::new().extensions("permessage-deflate"));
    let events = receive(&mut ws, &[]);
    assert!(
        events.iter().any(|event| is_memory(event, 64 << 10)),
        "{events:?}"
    );
    assert_eq!(take_frames(&mut ws), [Frame::new(CLOSE, TOO_BIG)]);
}

/// X-11: where no codec was agreed on nothing fails by itself: a subprotocol that leaves no room leaves what is lent.
#[test]
fn a_subprotocol_that_was_agreed_on_elsewhere() {
    let ceiling = 16 << 10;
    let agreed = Negotiated::new().subprotocol("a".repeat(9000));
    let config = server_config().limits(limits(ceiling));
    let mut ws = opened(Connection::upgraded_server(&config, agreed));
    let frame = encode_for(Role::Server, &[Frame::new(TEXT, "lent")]);
    assert_eq!(receive(&mut ws, &frame), [Seen::text("lent")]);
    let (first, rest) = frame.split_at(frame.len() - 1);
    let events = [receive(&mut ws, first), receive(&mut ws, rest)].concat();
    assert!(
        matches!(&events[..], [failed] if is_memory(failed, ceiling)),
        "{events:?}"
    );
}

/// RX-8: a ceiling that comes down replaces no event that is there: a Close frame is told, though nothing may be
/// stored any more.
#[test]
fn events_below_a_ceiling_that_came_down() {
    for kept in [false, true] {
        let mut ws = bounded(Role::Server, 256 << 10);
        ws.send(vec![7; 100_000]).unwrap();
        let mut read = encode_for(Role::Server, &[Frame::new(CLOSE, 1000u16.to_be_bytes())]);
        let mut input = &mut read[..];
        if kept {
            ws.keep_input(&mut input);
        }
        let mut limits = *ws.limits();
        limits.memory = 16 << 10;
        ws.set_limits(limits);
        assert!(ws.memory_held() > 16 << 10);
        assert!(ws.find_event(&mut input));
        let event = ws.receive(&mut input);
        assert!(matches!(event, Some(Event::Close(_))), "{kept} {event:?}");
    }
}

/// RX-8: an event that was found and not taken counts, whatever it is.
#[test]
fn events_that_are_found() {
    let mut limits = limits(64 << 10);
    limits.body = 1000;
    for role in ROLES {
        for (frame, least) in [
            (Frame::new(PONG, [7; 100]), 100),
            (Frame::new(PING, [7; 100]), 100),
            (
                Frame::new(CLOSE, [&1000u16.to_be_bytes()[..], &[b'r'; 90]].concat()),
                90,
            ),
            (Frame::new(TEXT, [b'a'; 3000]), 3000),
        ] {
            for delivery in [Delivery::Whole, Delivery::Chunks] {
                let mut ws = match role {
                    Role::Server => server(&server_config().limits(limits).delivery(delivery)),
                    Role::Client => client(&client_config().limits(limits).delivery(delivery)),
                };
                let mut read = encode_for(role, std::slice::from_ref(&frame));
                ws.keep_input(&mut &mut read[..]);
                assert!(ws.find_event(&mut &mut [][..]));
                assert!(ws.memory_held() >= least, "{frame:?} {}", ws.memory_held());
                assert!(ws.memory_held() <= 64 << 10);
                assert!(ws.receive(&mut &mut [][..]).is_some());
            }
        }
    }
    // The report of an end without Close frames.
    let mut ws = bounded(Role::Server, 64 << 10);
    ws.transport_lost();
    assert!(ws.find_event(&mut &mut [][..]));
    assert!(ws.memory_held() >= size_of::<CloseReport>());
    let request = ClientRequest::new(Uri::parse("ws://h/").unwrap());
    let config = ClientConfig::new().limits(limits);
    let mut ws = Connection::client_with_entropy(&config, request, Box::new(SampleKey)).unwrap();
    let mut read = b"HTTP/1.1 403 no\r\nContent-Length: 500\r\n\r\n".to_vec();
    read.extend([b'b'; 500]);
    ws.keep_input(&mut &mut read[..]);
    assert!(ws.find_event(&mut &mut [][..]));
    assert!(ws.memory_held() >= 500);
    assert!(matches!(
        ws.receive(&mut &mut [][..]),
        Some(Event::Refused(_))
    ));
}

/// TX-5: small messages that are handed over use the room that there is, also that of what has left.
#[test]
fn room_that_is_used_again() {
    for role in ROLES {
        let mut ws = bounded(role, SMALL);
        let mut out = Vec::new();
        for round in 0..20u8 {
            ws.send(vec![round; 10]).unwrap();
            ws.send(&[round; 3000]).unwrap();
            let n = ws.output().len().saturating_sub(500);
            out.extend_from_slice(&ws.output()[..n]);
            ws.consume_output(n);
            assert!(ws.memory_held() <= SMALL as usize);
        }
        // Not enough of it.
        ws.send(&[9; 6000]).unwrap();
        out.extend(take_output(&mut ws));
        let frames = decode(&out);
        assert_eq!(frames.len(), 41);
        for (at, frame) in frames[..40].iter().enumerate() {
            assert_eq!(frame.payload, vec![(at / 2) as u8; [10, 3000][at % 2]]);
        }
    }
}

/// TX-6: control frames that wait for the end of a frame in pieces have room of their own, and so much of it that a
/// Close frame fits.
#[test]
fn control_frames_inside_a_frame_in_pieces() {
    for role in ROLES {
        let mut ws = bounded(role, SMALL);
        ws.begin_message(Kind::Binary, 1000).unwrap();
        ws.write_message(&[7; 10]).unwrap();
        let mut pings = 0;
        let refused = loop {
            match ws.ping(&[1; 125]) {
                Ok(()) => pings += 1,
                Err(why) => break why,
            }
        };
        assert!(matches!(refused, SendError::Memory { .. }), "{refused:?}");
        assert!(pings >= 1);
        ws.write_message(&[7; 990]).unwrap();
        ws.close(CloseCode::GOING_AWAY, &"r".repeat(123)).unwrap();
        let opcodes: Vec<_> = take_frames(&mut ws)
            .iter()
            .map(|frame| frame.opcode)
            .collect();
        let mut expected = vec![BINARY];
        expected.extend(vec![PING; pings]);
        expected.push(CLOSE);
        assert_eq!(opcodes, expected);
        // With little room none is begun.
        let mut refused = 0;
        for kept in (0..30_000).step_by(100) {
            let mut ws = bounded(role, SMALL);
            ws.send(&[7; 10]).unwrap();
            let mut read = encode_for(role, &[Frame::new(BINARY, vec![7; 40_000])]);
            ws.keep_input(&mut &mut read[..kept]);
            if ws.state() != State::Open {
                break;
            }
            let before = ws.output_len();
            match ws.begin_message(Kind::Binary, 1000) {
                Ok(()) => {}
                Err(why) => {
                    assert!(matches!(why, SendError::Memory { .. }), "{why:?}");
                    assert_eq!(ws.output_len(), before);
                    refused += 1;
                }
            }
        }
        assert!(refused > 0);
    }
}

/// TX-6: where a keepalive ping has no place between fragments it is put off, and the peer that takes nothing is found
/// dead all the same.
#[test]
fn keepalive_between_fragments_at_the_ceiling() {
    is_found_dead(1000, |ws| {
        for len in [3000, 2001, 1001, 500, 100, 10, 1] {
            while ws.send(vec![7; len]).is_ok() {}
        }
    });
}

/// TX-5: a compressed message is taken as a whole or not at all, in one frame and in fragments; what was taken is what the
/// peer reads.
#[cfg(feature = "deflate")]
#[test]
fn compressed_messages_that_come_back() {
    use sansocket::extension::PermessageDeflate;

    for fragment in [0, 700] {
        let agreed = "permessage-deflate; server_no_context_takeover; client_no_context_takeover; \
                      server_max_window_bits=9; client_max_window_bits=9";
        let agreed = Negotiated::new().extensions(agreed);
        let ceiling = 400 << 10;
        let config = server_config().limits(limits(ceiling)).fragment(fragment);
        let config = config.deflate(PermessageDeflate::server());
        let mut ws = opened(Connection::upgraded_server(&config, agreed.clone()));
        let peer = ClientConfig::new()
            .limits(Limits::trusted())
            .deflate(PermessageDeflate::client());
        let mut peer = opened(Connection::upgraded_client_with_entropy(
            &peer,
            agreed,
            Box::new(SampleKey),
        ));
        // Hardly compressible, and other bytes each time.
        let mut state = 1u32;
        let mut noise = || -> Vec<u8> {
            let mut byte = || {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (state >> 24) as u8
            };
            (0..20_000).map(|_| byte()).collect()
        };
        let mut sent = Vec::new();
        loop {
            let message = noise();
            match ws.send(&message[..]) {
                Ok(()) => sent.push(Seen::Binary(message)),
                Err(unsent) => {
                    assert!(matches!(unsent.why, SendError::Memory { .. }), "{unsent:?}");
                    break;
                }
            }
            assert!(ws.memory_held() <= ceiling as usize);
        }
        assert!(!sent.is_empty());
        let out = take_output(&mut ws);
        assert_eq!(receive(&mut peer, &out), sent);
        ws.send(&noise()[..]).unwrap();
    }
}

/// RX-8: what comes out of a codec is asked for too, whole and in pieces, as text and as bytes.
#[cfg(feature = "deflate")]
#[test]
fn a_compressed_message_that_does_not_fit() {
    use sansocket::extension::{Compress, PermessageDeflate};

    const CEILING: u64 = 800 << 10;
    for role in ROLES {
        for delivery in [Delivery::Whole, Delivery::Chunks] {
            for text in [false, true] {
                for (len, step) in [
                    (1000, 1000),
                    (1000, 1),
                    (60_000, 100),
                    (1 << 20, 100),
                    (1 << 20, 1 << 20),
                ] {
                    let agreed =
                        "permessage-deflate; server_max_window_bits=10; client_max_window_bits=10";
                    let agreed = Negotiated::new().extensions(agreed);
                    let deflate = PermessageDeflate::client();
                    let ours = limits(CEILING);
                    let peers = Limits::trusted();
                    let (client_limits, server_limits) = match role {
                        Role::Client => (ours, peers),
                        Role::Server => (peers, ours),
                    };
                    let client = ClientConfig::new().silent_failures().limits(client_limits);
                    let client = client.delivery(delivery).deflate(deflate.clone());
                    let entropy = Box::new(SampleKey);
                    let client =
                        Connection::upgraded_client_with_entropy(&client, agreed.clone(), entropy);
                    let server = server_config()
                        .limits(server_limits)
                        .delivery(delivery)
                        .deflate(deflate);
                    let server = Connection::upgraded_server(&server, agreed);
                    let (mut ws, mut peer) = match role {
                        Role::Client => (opened(client), opened(server)),
                        Role::Server => (opened(server), opened(client)),
                    };
                    let message = "a".repeat(len);
                    match text {
                        true => peer.send_with(&message, Compress::Always).unwrap(),
                        false => peer
                            .send_with(message.as_bytes(), Compress::Always)
                            .unwrap(),
                    }
                    let sent = take_output(&mut peer);
                    let mut events = Vec::new();
                    for read in sent.chunks(step) {
                        events.extend(receive(&mut ws, read));
                        assert!(ws.memory_held() as u64 <= CEILING);
                    }
                    let fails = len > 600_000 && delivery == Delivery::Whole;
                    let failed = events.iter().any(|event| is_memory(event, CEILING));
                    assert_eq!(failed, fails, "{role:?} {delivery:?} {len} {step} {text}");
                    let bytes: usize = joined(&events)
                        .iter()
                        .map(|event| match event {
                            Seen::Text(text) => text.len(),
                            Seen::Binary(payload) | Seen::Chunk { payload, .. } => payload.len(),
                            _ => 0,
                        })
                        .sum();
                    assert_eq!(bytes, if fails { 0 } else { len });
                }
            }
        }
    }
}
