//! What an observer says that it holds (`Observer::memory_held`) is what the allocator counts, after every step.
#![cfg(all(feature = "deflate", feature = "observer"))]

use sansocket::config::Limits;
use sansocket::observer::{Observer, ObserverConfig};
use sansocket::{Negotiated, Role};
use sansocket_heap::oracle::{Taker, wire};
use sansocket_heap::{count, random};

/// Requests and answers: plain, with content, refused, upgraded.
const HEADS: [(Role, &[u8]); 8] = [
    (Role::Client, b"GET /page HTTP/1.1\r\nHost: h\r\n\r\n"),
    (Role::Client, b"HEAD /page HTTP/1.1\r\nHost: h\r\n\r\n"),
    (
        Role::Client,
        b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\n0123456789",
    ),
    (
        Role::Server,
        b"HTTP/1.1 200 OK\r\nContent-Length: 30\r\n\r\n012345678901234567890123456789",
    ),
    (
        Role::Server,
        b"HTTP/1.1 404 no\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nHello\r\n0\r\nX: y\r\n\r\n",
    ),
    (Role::Server, b"HTTP/1.1 503 no\r\n\r\nto the end"),
    (
        Role::Client,
        b"GET / HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
        Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\
        Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n",
    ),
    (
        Role::Server,
        b"HTTP/1.1 101 \r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
        Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\
        Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n",
    ),
];

#[test]
fn what_an_observer_holds() {
    let mut most = 0;
    for seed in 1..400 {
        let bytes = random(seed, 1000);
        let mut t = Taker::new(&bytes);
        let mut limits = Limits::server();
        limits.message = t.pick(&[0, 300, 70_000]);
        let config = ObserverConfig::new().limits(limits);
        let start = t.below(4);
        let (mut observer, made) = count(|| match start {
            0 => Observer::midway(&config, Negotiated::new()),
            1 => Observer::upgraded(&config, Negotiated::new().extensions("permessage-deflate")),
            _ => Observer::new(&config),
        });
        let mut held = made.kept;
        assert_eq!(observer.memory_held() as isize, held, "{seed}");
        while !t.is_empty() {
            let (role, bytes) = match t.below(6) {
                0..3 if start > 1 => {
                    let (role, head) = t.pick(&HEADS);
                    (role, head.to_vec())
                }
                3 => (t.role(), t.bytes(60).to_vec()),
                _ => {
                    let role = t.role();
                    (role, wire::stream(&mut t, role, 4))
                }
            };
            let gap = if t.once_in(10) { t.below(300) } else { 0 };
            let cut = t.pick(&[1, 9, 1000]);
            for piece in bytes.chunks(cut) {
                let mut input = piece;
                let (_, used) = count(|| while observer.see(role, &mut input).is_some() {});
                held += used.kept;
                assert_eq!(observer.memory_held() as isize, held, "{seed} {observer:?}");
            }
            if gap > 0 {
                held += count(|| observer.gap(role, gap as u64)).1.kept;
                assert_eq!(observer.memory_held() as isize, held, "{seed} after a gap");
            }
            most = most.max(held);
        }
        held += count(|| {
            observer.end(Role::Client);
            observer.end(Role::Server);
        })
        .1
        .kept;
        assert_eq!(observer.memory_held() as isize, held, "{seed} at the end");
    }
    assert!(most > 50_000, "no decompressor was held");
}
