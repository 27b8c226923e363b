//! What a connection holds, and when. Heap is counted in tests/assurance/heap/tests/compression.rs.

use sansocket::config::Delivery;
use sansocket::extension::Compress;
use sansocket::extension::{DeflatePool, PermessageDeflate};
use sansocket::{Part, Role};

use super::{End, NO_TAKEOVER, TAKEOVER, answer, delivering, open};
use crate::support::*;

fn hello() -> Frame {
    Frame {
        rsv: 4,
        ..Frame::new(TEXT, bytes("f2 48 cd c9 c9 07 00"))
    }
}

/// Nothing until the first compressed message in a direction; nothing afterwards without takeover.
#[test]
fn nothing_until_it_is_needed() {
    for role in ROLES {
        let mut ws = open(role, TAKEOVER);
        let idle = ws.memory_held();
        receive_frames(&mut ws, &[Frame::new(TEXT, "plain")]);
        ws.send_with("plain", Compress::Never).unwrap();
        take_output(&mut ws);
        ws.take_buffer();
        assert_eq!(ws.memory_held(), idle);
        receive_frames(&mut ws, &[hello()]);
        let receiving = ws.memory_held() - idle;
        assert!((60_000..70_000).contains(&receiving), "{receiving}");
        ws.send("Hello").unwrap();
        take_output(&mut ws);
        ws.take_buffer();
        let sending = ws.memory_held() - idle - receiving;
        assert!((300_000..400_000).contains(&sending), "{sending}");
        // Parked, only the other end's window is left, which was agreed on: what came out so far.
        ws.park();
        assert_eq!(ws.memory_held() - idle, "Hello".len());
        let again = Frame {
            rsv: 4,
            ..Frame::new(TEXT, bytes("f2 00 11 00 00"))
        };
        assert_eq!(receive_frames(&mut ws, &[again]), [Seen::text("Hello")]);

        let mut ws = open(role, NO_TAKEOVER);
        let idle = ws.memory_held();
        for _ in 0..3 {
            receive_frames(&mut ws, &[hello()]);
            ws.send("Hello").unwrap();
            take_output(&mut ws);
            ws.take_buffer();
            assert_eq!(ws.memory_held(), idle);
        }
    }
}

/// A buffer that was lent, of whatever length, serves a text that is inflated, and nothing that was in it
/// comes out.
#[test]
fn a_lent_buffer_and_a_long_text() {
    let text: String = (0..9_000u64).map(|i| format!("{}, ", i * i)).collect();
    for role in ROLES {
        let mut peer = open(role.peer(), NO_TAKEOVER);
        peer.send(&text).unwrap();
        let frame = take_output(&mut peer);
        for capacity in [1_000, 70_000, 100_000, 300_000] {
            let mut ws = open(role, NO_TAKEOVER);
            ws.lend_buffer(b"secret! ".repeat(capacity / 8));
            assert_eq!(receive(&mut ws, &frame), [Seen::text(&text)], "{capacity}");
            // And where it comes in two reads.
            ws.lend_buffer(b"secret! ".repeat(capacity / 8));
            let (head, tail) = frame.split_at(frame.len() / 3);
            assert_eq!(receive(&mut ws, head), []);
            assert_eq!(receive(&mut ws, tail), [Seen::text(&text)], "{capacity}");
        }
    }
}

/// Without takeover: what the pool holds serves the next message, of whatever connection.
#[test]
fn the_pool() {
    let pool = DeflatePool::new(4);
    let end = End {
        deflate: PermessageDeflate::server().threshold(0).pool(&pool),
        ..End::default()
    };
    let mut all: Vec<_> = (0..10)
        .map(|_| end.clone().open(Role::Server, answer(NO_TAKEOVER)))
        .collect();
    for ws in &mut all {
        receive_frames(ws, &[hello()]);
        ws.send("Hello").unwrap();
        assert_eq!(pool.idle(), 2, "one in each direction");
    }
    // Three messages at once, of three connections.
    for ws in &mut all[..3] {
        ws.send_part(Part::text(b"a part")).unwrap();
    }
    assert_eq!(pool.idle(), 1);
    for ws in &mut all[..3] {
        ws.send_part(Part::text(b"").last()).unwrap();
    }
    assert_eq!(pool.idle(), 4);
}

/// Once nothing more can come or go the codec is given up: at the peer's Close, at a failure, at the end.
#[test]
fn codecs_end_with_the_conversation() {
    for role in ROLES {
        for (frame, delivery) in [
            (Frame::new(CLOSE, ""), Delivery::Whole),
            (Frame::new(3, ""), Delivery::Whole),
            (
                Frame {
                    rsv: 4,
                    ..Frame::new(TEXT, "")
                },
                Delivery::Chunks,
            ),
        ] {
            let mut ws = delivering(delivery, role, TAKEOVER);
            receive_frames(&mut ws, &[hello()]);
            ws.send("Hello").unwrap();
            assert!(ws.memory_held() > 400_000);
            receive_frames(&mut ws, &[frame]);
            take_output(&mut ws);
            assert!(ws.memory_held() < 2000, "{}", ws.memory_held());
        }
        let mut ws = open(role, TAKEOVER);
        ws.send("Hello").unwrap();
        ws.transport_lost();
        assert!(ws.memory_held() < 2000);
        let mut ws = open(role, TAKEOVER);
        ws.send("Hello").unwrap();
        take_output(&mut ws);
        ws.receive_eof();
        assert!(matches!(receive(&mut ws, b"")[..], [Seen::Closed(_)]));
        assert!(ws.memory_held() < 2000);
    }
}
