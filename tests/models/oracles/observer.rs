//! An observer of any bytes: it takes them all, tells the same however they are cut, keeps to its
//! limits, and what it tells is in the bytes.

use super::{Taker, wire};
use sansocket::config::Limits;
use sansocket::observer::{Content, Observer, ObserverConfig, Seen};
use sansocket::{Negotiated, Role};

/// A run of bytes of one end, or a hole.
enum Item {
    Bytes(Role, Vec<u8>),
    Gap(Role, u64),
}

const REQUEST: &[u8] =
    b"GET / HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\
    Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n";
const ANSWER: &[u8] = b"HTTP/1.1 101 \r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\
    Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n";

pub fn observer(data: &[u8]) {
    let mut t = Taker::new(data);
    let mut limits = Limits::server();
    limits.message = t.pick(&[0, 10, 300, 70_000]);
    limits.held = t.pick(&[0, 50, 5000]);
    let config = ObserverConfig::new().limits(limits);
    let start = t.below(4);
    let mut items = Vec::new();
    while !t.is_empty() && items.len() < 40 {
        let role = t.role();
        items.push(match t.below(8) {
            0 => Item::Gap(role, t.below(300) as u64),
            1 => Item::Bytes(Role::Client, REQUEST.to_vec()),
            2 => Item::Bytes(Role::Server, ANSWER.to_vec()),
            3 => Item::Bytes(role, t.bytes(60).to_vec()),
            _ => Item::Bytes(role, wire::stream(&mut t, role, 4)),
        });
    }
    let make = || match start {
        0 => Observer::new(&config),
        1 => Observer::midway(&config, Negotiated::new()),
        2 => Observer::upgraded(&config, Negotiated::new().extensions("permessage-deflate")),
        _ => Observer::upgraded(&config, Negotiated::new().reserved_bits(3)),
    };
    let whole = follow(make(), &items, usize::MAX, &limits);
    for cut in [1, 7, 300] {
        let cut = follow(make(), &items, cut, &limits);
        for (one, other) in whole.iter().zip(&cut) {
            assert_eq!(one, other, "told otherwise where it is cut");
        }
        assert_eq!(whole.len(), cut.len());
    }
}

/// What is told, without the pieces of payload, which follow the cuts.
fn follow(mut observer: Observer, items: &[Item], cut: usize, limits: &Limits) -> Vec<String> {
    let mut told = Vec::new();
    // Kept: a head, a message and its encoded form, what waits or is searched, and a decompressor.
    let bound = 2 * (limits.head + limits.held) as usize
        + 4 * limits.message as usize
        + (3 << 20)
        + (500 << 10);
    for item in items {
        match item {
            Item::Gap(role, len) => {
                observer.gap(*role, *len);
                take(&mut observer, *role, b"", &mut told);
            }
            Item::Bytes(role, bytes) => {
                for piece in bytes.chunks(cut.min(bytes.len().max(1))) {
                    take(&mut observer, *role, piece, &mut told);
                    let held = observer.memory_held();
                    assert!(held <= bound, "{held} bytes held, {bound} allowed");
                }
            }
        }
    }
    for role in [Role::Client, Role::Server] {
        observer.end(role);
        take(&mut observer, role, b"", &mut told);
    }
    told.push(format!("{:?}", observer.report()));
    told
}

fn take(observer: &mut Observer, role: Role, mut input: &[u8], told: &mut Vec<String>) {
    while let Some(seen) = observer.see(role, &mut input) {
        match &seen {
            Seen::Payload(_) => continue,
            Seen::Message(message) => {
                let len = message.payload.len() as u64;
                match message.content {
                    Content::Whole => assert_eq!(len, message.len),
                    _ => assert!(len <= message.len),
                }
                told.push(format!("{message:?} {:?}", message.payload));
                continue;
            }
            _ => {}
        }
        told.push(format!("{seen:?}"));
    }
    assert!(input.is_empty(), "bytes are left");
}
