//! The queue: every byte of it, `buffered_amount` at every byte, buffers and memory (TX-4, W-11).

use sansocket::ClientConfig;
use sansocket::{Connection, Kind, Part, Prepared, Role};

use crate::support::*;

/// A queue with every kind of part in it, and its payload bytes in the order they were handed in.
fn mixed(role: Role, fragment: u32) -> Connection {
    let mut ws = match role {
        Role::Server => server(&server_config().fragment(fragment)),
        Role::Client => client(&ClientConfig::new().fragment(fragment)),
    };
    ws.send("").unwrap();
    ws.send("a").unwrap();
    ws.ping(b"ping").unwrap();
    ws.send(&[1; 125]).unwrap();
    ws.send(&[2; 126]).unwrap();
    ws.send(vec![3; 5000]).unwrap();
    receive_frames(&mut ws, &[Frame::new(PING, "pong")]);
    ws.send(&Prepared::binary(&[4; 6000])).unwrap();
    ws.send(&Prepared::text("small")).unwrap();
    ws.send_part(Part::text(b"part")).unwrap();
    ws.pong(b"pong").unwrap();
    ws.send_part(Part::text(b"").last()).unwrap();
    ws.send(vec![5; 70_000]).unwrap();
    ws.begin_message(Kind::Binary, 300).unwrap();
    ws.write_message(&[6; 100]).unwrap();
    ws.ping(b"waits").unwrap();
    ws.write_message(&[7; 200]).unwrap();
    ws.close(None, "").unwrap();
    ws
}

/// For each number of bytes taken: how many payload bytes of data frames are left, counted in the
/// bytes themselves.
fn payload_left(output: &[u8]) -> Vec<u64> {
    let mut is_payload = Vec::new();
    for frame in decode(output) {
        let len = frame.encode().len();
        let payload = frame.payload.len();
        is_payload.extend(vec![false; len - payload]);
        is_payload.extend(vec![frame.opcode < 8; payload]);
    }
    assert_eq!(is_payload.len(), output.len());
    let total = is_payload.iter().filter(|is| **is).count() as u64;
    let mut left = vec![total];
    for is in is_payload {
        left.push(left.last().unwrap() - u64::from(is));
    }
    left
}

/// W-11: payload as it was handed in and not taken, exact at every byte: headers, keys and control
/// frames do not count, whatever the part of the queue they lie in. TX-4: the bytes come in order and
/// whole, in pieces of any size, by `output` or by `output_slices`.
#[test]
fn consumed_at_every_byte() {
    for role in ROLES {
        for fragment in [0, 1000] {
            let whole = take_output(&mut mixed(role, fragment));
            let left = payload_left(&whole);
            for step in [1, 2, 3, 7, 126, 999, 4096, 100_000] {
                let mut ws = mixed(role, fragment);
                let mut taken = 0;
                loop {
                    assert_eq!(
                        ws.buffered_amount(),
                        left[taken],
                        "{role:?} {fragment} {taken}"
                    );
                    assert_eq!(ws.output_len(), whole.len() - taken);
                    if ws.output().is_empty() {
                        break;
                    }
                    assert!(whole[taken..].starts_with(ws.output()));
                    let n = step.min(whole.len() - taken);
                    ws.consume_output(n);
                    taken += n;
                }
                assert_eq!(taken, whole.len());
                let mut slices = [&[][..]; 4];
                assert_eq!(ws.output_slices(&mut slices), 0);
            }
        }
    }
}

/// `output_slices` gives what `output` gives, in order, without empty slices; with fewer slices the
/// beginning of it.
#[test]
fn slices_are_the_output() {
    for role in ROLES {
        for fragment in [0, 1000] {
            let whole = take_output(&mut mixed(role, fragment));
            let mut ws = mixed(role, fragment);
            let mut at = 0;
            while at < whole.len() {
                assert_eq!(peek_output(&ws), whole[at..]);
                for room in 0..5 {
                    let mut slices = vec![&[][..]; room];
                    let filled = ws.output_slices(&mut slices);
                    assert!(filled == room || slices[..filled].concat().len() == whole.len() - at);
                    assert!(slices[..filled].iter().all(|slice| !slice.is_empty()));
                    assert!(whole[at..].starts_with(&slices[..filled].concat()));
                    if room > 0 {
                        assert_eq!(slices[0], ws.output());
                    }
                }
                ws.consume_output(777);
                at += 777;
            }
        }
    }
}

/// More than there is means all.
#[test]
fn consuming_more_than_there_is() {
    for role in ROLES {
        let mut ws = mixed(role, 0);
        ws.consume_output(usize::MAX);
        assert_eq!((ws.output_len(), ws.buffered_amount()), (0, 0));
        let mut ws = open(role);
        ws.consume_output(5);
        ws.send("a").unwrap();
        assert_eq!(take_frames(&mut ws), [Frame::new(TEXT, "a")]);
    }
}

/// W-11: UTF-8 bytes of text; 125 and 126 bytes count the same without their headers; the head of the
/// opening handshake does not count; and it is not reset at close.
#[test]
fn what_buffered_amount_counts() {
    for role in ROLES {
        let mut ws = open(role);
        ws.send("é").unwrap();
        assert_eq!(ws.buffered_amount(), 2);
        take_output(&mut ws);
        assert_eq!(ws.buffered_amount(), 0);
        ws.send(&[0; 125]).unwrap();
        ws.send(&[0; 126]).unwrap();
        ws.ping(&[0; 125]).unwrap();
        assert_eq!(ws.buffered_amount(), 251);
        ws.receive_eof();
        receive(&mut ws, b"");
        assert_eq!(ws.buffered_amount(), 251);
        ws.transport_lost();
        assert_eq!(ws.buffered_amount(), 251);
        assert_eq!(ws.output_len(), 0);
        // Whatever the driver says that it wrote before.
        ws.consume_output(5);
        assert_eq!(ws.buffered_amount(), 251);
    }
}

/// A message sent right after the head of the opening handshake: the head is not payload.
#[test]
fn heads_are_not_payload() {
    let mut ws = Connection::server(&server_config());
    receive(
        &mut ws,
        b"GET / HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
          Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n",
    );
    ws.accept(sansocket::Accept::new()).unwrap();
    let head = ws.output_len();
    assert_eq!(ws.buffered_amount(), 0);
    ws.send("abc").unwrap();
    for left in [3, 3, 3, 3, 2, 1, 0] {
        assert_eq!(ws.buffered_amount(), left);
        ws.consume_output(if ws.output_len() > head { head } else { 1 });
    }
}

// ── buffers

/// An idle connection owns no heap, in either role, once `take_buffer` was called.
#[test]
fn an_idle_connection_owns_no_heap() {
    for role in ROLES {
        let mut ws = open(role);
        ws.send(&[0; 3000]).unwrap();
        receive_frames(
            &mut ws,
            &[Frame::new(TEXT, "abc").more(), Frame::new(PING, "x")],
        );
        receive_frames(&mut ws, &[Frame::new(CONTINUATION, "def")]);
        take_output(&mut ws);
        // What is rare, such as half a ping, is given up as well.
        for byte in encode_for(role, &[Frame::new(PING, "half")]) {
            receive(&mut ws, &[byte]);
        }
        take_output(&mut ws);
        ws.take_buffer();
        assert_eq!(ws.memory_held(), 0, "{role:?}");
        assert!(ws.take_buffer().is_none());
        // And goes on as before.
        ws.send("a").unwrap();
        assert_eq!(take_frames(&mut ws), [Frame::new(TEXT, "a")]);
    }
}

/// Without `take_buffer` a drained buffer of up to 4 KiB is kept, a larger one given up.
#[test]
fn large_buffers_are_given_up() {
    for role in ROLES {
        let mut ws = open(role);
        ws.send(&[0; 100_000]).unwrap();
        take_output(&mut ws);
        assert_eq!(ws.memory_held(), 0);
        ws.send(&[0; 100]).unwrap();
        take_output(&mut ws);
        assert!((1..=4096).contains(&ws.memory_held()));
        // 14 bytes are the longest header.
        for (len, kept) in [(4082, 4096), (4083, 0)] {
            let mut ws = open(role);
            ws.send(&vec![0; len]).unwrap();
            take_output(&mut ws);
            assert_eq!(ws.memory_held(), kept);
        }
        // What stands in the queue beside its payloads is kept and given up alike.
        let mut ws = open(role);
        ws.send(vec![0; 5000]).unwrap();
        take_output(&mut ws);
        assert!((1..=4096).contains(&ws.memory_held()));
        for _ in 0..200 {
            ws.send(vec![0; 4096]).unwrap();
        }
        let mut slices = vec![&[][..]; 1000];
        let filled = ws.output_slices(&mut slices);
        assert!(filled >= 400, "{filled}");
        take_output(&mut ws);
        assert!(ws.memory_held() <= 4096);
    }
}

/// What a frame takes is its header and its payload, not more.
#[test]
fn a_control_frame_takes_little() {
    for role in ROLES {
        let mut ws = open(role);
        ws.pong(&[0; 125]).unwrap();
        assert!(ws.memory_held() <= 14 + 125, "{}", ws.memory_held());
    }
}

/// From 4 KiB on what is handed over, or shared, is queued as it is; below it is copied to the rest.
#[test]
fn large_payloads_are_queued_where_they_are() {
    for role in ROLES {
        for (len, as_it_is) in [(4095, false), (4096, true), (4097, true)] {
            let payload = vec![7; len];
            let place = payload.as_ptr();
            let mut ws = open(role);
            ws.send(payload).unwrap();
            let mut slices = [&[][..]; 3];
            let filled = ws.output_slices(&mut slices);
            assert_eq!(filled == 2 && slices[1].as_ptr() == place, as_it_is);
            assert_eq!(filled == 1, !as_it_is, "{role:?} {len}");
        }
    }
    // A server's frame with its header of 4 bytes.
    for (len, as_it_is) in [(4091, false), (4092, true), (4093, true)] {
        let prepared = Prepared::binary(&vec![7; len]);
        let place = [0, 1].map(|_| {
            let mut ws = open(Role::Server);
            ws.send(&prepared).unwrap();
            (ws.output().as_ptr(), ws)
        });
        let shared = place[0].0 == place[1].0;
        assert_eq!(shared, as_it_is, "{len}");
    }
}

/// Small frames are queued after each other, in pieces of 64 KiB; in a buffer that was lent, of four
/// times that.
#[test]
fn the_pieces_of_a_long_queue() {
    let slices = |ws: &Connection| ws.output_slices(&mut [&[][..]; 100]);
    for role in ROLES {
        for (lent, piece) in [(false, 64 << 10), (true, 256 << 10)] {
            let header = if role == Role::Server { 4 } else { 8 };
            // The longest header is what room is made for.
            for (last, pieces) in [(2000 - 14, 1), (2000 - 13, 2)] {
                let mut ws = open(role);
                if lent {
                    ws.lend_buffer(Vec::with_capacity(100));
                }
                let mut left = piece - 2000;
                while left > 0 {
                    let n = left.min(60_000);
                    ws.send(&vec![7; n - header]).unwrap();
                    left -= n;
                    assert_eq!(slices(&ws), 1, "{role:?} {left}");
                }
                ws.send(&vec![7; last]).unwrap();
                assert_eq!(slices(&ws), pieces, "{role:?} {lent} {last}");
            }
        }
    }
}

/// A spare waits for a message while the output has a buffer of its own, and the larger of two is
/// what is taken back.
#[test]
fn two_buffers() {
    for role in ROLES {
        let mut ws = open(role);
        ws.send("a").unwrap();
        take_output(&mut ws);
        let own = ws.memory_held();
        ws.lend_buffer(Vec::with_capacity(10_000));
        ws.send("a").unwrap();
        assert_eq!(ws.memory_held(), own + 10_000);
        take_output(&mut ws);
        assert_eq!(ws.take_buffer().map(|spare| spare.capacity()), Some(10_000));
        ws.take_buffer();
        // One for messages and one for output.
        let mut ws = open(role);
        ws.lend_buffer(Vec::with_capacity(10_000));
        ws.lend_buffer(Vec::with_capacity(20_000));
        assert_eq!(ws.memory_held(), 30_000);
        assert_eq!(ws.take_buffer().map(|spare| spare.capacity()), Some(20_000));
        assert_eq!(ws.memory_held(), 0);
    }
}

/// A buffer that was lent comes back from a connection that was lost, too.
#[test]
fn a_lent_buffer_comes_back_from_a_loss() {
    for role in ROLES {
        let mut ws = open(role);
        ws.lend_buffer(Vec::with_capacity(64 << 10));
        ws.send("a").unwrap();
        ws.transport_lost();
        assert_eq!(ws.output_len(), 0);
        let spare = ws.take_buffer().expect("what was lent");
        assert_eq!((spare.len(), spare.capacity()), (0, 64 << 10));
    }
}

/// A buffer that was lent is kept, whatever its size, until it is taken back: one spare goes round all
/// connections without an allocation.
#[test]
fn a_lent_buffer_comes_back() {
    for role in ROLES {
        let spare = Vec::with_capacity(64 << 10);
        let place = spare.as_ptr();
        let mut ws = open(role);
        ws.lend_buffer(spare);
        assert_eq!(ws.memory_held(), 64 << 10);
        for _ in 0..3 {
            ws.send(&[0; 10_000]).unwrap();
            assert_eq!(ws.memory_held(), 64 << 10, "no other buffer");
            assert_eq!(ws.output().as_ptr(), place);
            take_output(&mut ws);
        }
        let spare = ws.take_buffer().unwrap();
        assert_eq!((spare.as_ptr(), spare.capacity()), (place, 64 << 10));
        assert_eq!(ws.memory_held(), 0);
        // Nothing to lend is nothing.
        ws.lend_buffer(Vec::new());
        assert!(ws.take_buffer().is_none());
    }
}

/// Randomness of the system's that was drawn ahead counts as memory, and `take_buffer` frees it.
#[cfg(feature = "getrandom")]
#[test]
fn keys_drawn_ahead_are_freed() {
    let config = ClientConfig::new();
    let negotiated = sansocket::Negotiated::new;
    let given = client(&config);
    let own = Connection::upgraded_client(&config, negotiated());
    let [given, own] = [given, own].map(|mut ws| {
        while ws.receive(&mut &mut [][..]).is_some() {}
        ws.send("a").unwrap();
        take_output(&mut ws);
        let held = ws.memory_held();
        ws.take_buffer();
        assert_eq!(ws.memory_held(), 0);
        held
    });
    assert!(own > given);
}

/// What waits is not taken away by `take_buffer`, nor what is being gathered.
#[test]
fn reclaim_takes_only_what_is_empty() {
    for role in ROLES {
        let mut ws = open(role);
        ws.send("queued").unwrap();
        receive_frames(&mut ws, &[Frame::new(TEXT, "gather").more()]);
        let mut held = encode_for(role, &[Frame::new(CONTINUATION, "ed")]);
        ws.keep_input(&mut &mut held[..]);
        assert!(ws.take_buffer().is_none());
        assert_eq!(receive(&mut ws, b""), [Seen::text("gathered")]);
        assert_eq!(take_frames(&mut ws), [Frame::new(TEXT, "queued")]);
        // In the middle of a header, a split control frame, a message in parts.
        ws.send_part(Part::text(b"1")).unwrap();
        take_output(&mut ws);
        for byte in encode_for(role, &[Frame::new(PING, "ping")]) {
            ws.take_buffer();
            receive(&mut ws, &[byte]);
        }
        ws.take_buffer();
        ws.send_part(Part::text(b"2").last()).unwrap();
        let expected = [Frame::new(PONG, "ping"), Frame::new(CONTINUATION, "2")];
        assert_eq!(take_frames(&mut ws), expected);
    }
}

/// Memory that is held is counted: what is queued, kept, gathered.
#[test]
fn memory_held_counts() {
    for role in ROLES {
        let negotiated = sansocket::Negotiated::new().subprotocol("x".repeat(1000));
        let ws = Connection::upgraded_server(&server_config(), negotiated);
        assert!((1000..2000).contains(&ws.memory_held()));
        let mut ws = open(role);
        assert_eq!(ws.memory_held(), 0);
        ws.send(vec![0; 50_000]).unwrap();
        assert!(ws.memory_held() >= 50_000);
        take_output(&mut ws);
        assert!(ws.memory_held() <= 4096);
        if role == Role::Server {
            // Shared with whoever holds it: only its place in the queue is this connection's.
            ws.send(&Prepared::binary(&[0; 50_000])).unwrap();
            assert!(ws.memory_held() <= 4096);
            take_output(&mut ws);
        }
        let mut held = vec![0; 30_000];
        let mut gathering = encode_for(role, &[Frame::new(BINARY, "").more()]);
        receive(&mut ws, &gathering);
        ws.keep_input(&mut &mut held[..]);
        assert!(ws.memory_held() >= 30_000);
        ws.transport_lost();
        receive(&mut ws, b"");
        assert!(ws.memory_held() < 5000);
        gathering = encode_for(role, &[Frame::new(BINARY, [0; 20_000]).more()]);
        let mut ws = open(role);
        receive(&mut ws, &gathering);
        assert!((20_000..41_000).contains(&ws.memory_held()));
    }
}

/// §10.4: a long queue that a peer takes slowly is neither moved to grow nor kept after
/// what was taken: what is held is what waits and a little.
#[test]
fn a_long_queue_is_kept_in_pieces() {
    for role in ROLES {
        let mut ws = open(role);
        let mut sent = 0;
        for _ in 0..20_000 {
            if ws.send(&[7; 1000]).is_ok() {
                sent += 1;
            }
            if ws.output_len() >= 1 << 20 {
                ws.consume_output(700);
            }
            let (held, waits) = (ws.memory_held(), ws.output_len());
            assert!(held <= waits + (128 << 10), "{held} for {waits}");
        }
        assert!(sent > 10_000, "the queue was full now and then: {sent}");
        assert!(take_output(&mut ws).len() > 1 << 20);
        assert!(ws.memory_held() <= 4096);
    }
}

/// A queue that is written to and taken from for ever does not grow.
#[test]
fn the_queue_does_not_grow_while_it_is_taken() {
    for role in ROLES {
        let mut ws = open(role);
        let mut peak = 0;
        for i in 0..10_000 {
            ws.send(&[i as u8; 100]).unwrap();
            // Never quite empty.
            ws.consume_output(ws.output_len() - 1);
            peak = peak.max(ws.memory_held());
        }
        assert!(peak < 2000, "{peak}");
    }
}
