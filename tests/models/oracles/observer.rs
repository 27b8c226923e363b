//! An observer of any bytes: it takes them all, tells the same however they are cut, keeps to its
//! limits, and what it tells is in the bytes. What it knows of compressed messages after others that it
//! has not seen is what was sent, with holes in their exact lengths.

use super::{Taker, wire};
use sansocket::config::Limits;
use sansocket::observer::{Content, Observer, ObserverConfig, Seen, SeenMessage, Stretch};
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
    #[cfg(feature = "deflate")]
    missed(data, &config);
}

/// Compressed messages, of which an observer does not see some.
#[cfg(feature = "deflate")]
fn missed(data: &[u8], config: &ObserverConfig) {
    use sansocket::extension::{Compress, PermessageDeflate};
    use sansocket::{Connection, ServerConfig};

    let mut t = Taker::new(data);
    let (bits, cut) = (9 + t.below(7), 1 + t.below(100));
    let agreed = format!("permessage-deflate; server_max_window_bits={bits}");
    let agreed = Negotiated::new().extensions(agreed);
    let server = ServerConfig::upgraded().deflate(PermessageDeflate::client());
    let mut server = Connection::upgraded_server(&server, agreed.clone());
    let mut observer = Observer::upgraded(config, agreed);
    let mut said = Vec::new();
    for _ in 0..12 {
        let (missed, mut message) = (t.once_in(3), t.bytes(40).to_vec());
        // Something that was said before, so that there is something to refer to.
        let from = t.below(said.len() + 1);
        message.extend(said[from..].iter().take(600));
        message.extend(t.bytes(5));
        said.extend(&message);
        assert!(server.send_with(&message[..], Compress::Always).is_ok());
        let frame = server.output().to_vec();
        server.consume_output(frame.len());
        if missed {
            let head = if frame[1] < 126 { 2 } else { 4 };
            take(&mut observer, Role::Server, &frame[..head], &mut Vec::new());
            observer.gap(Role::Server, (frame.len() - head) as u64);
            take(&mut observer, Role::Server, b"", &mut Vec::new());
            continue;
        }
        for mut piece in frame.chunks(cut) {
            while let Some(seen) = observer.see(Role::Server, &mut piece) {
                if let Seen::Message(own) = seen {
                    check(&own);
                    is_of(&own, &message);
                }
            }
        }
    }
}

/// What is known of a message is what was sent, at its place.
#[cfg(feature = "deflate")]
fn is_of(own: &SeenMessage<'_>, sent: &[u8]) {
    let (mut at, all) = (0, matches!(own.content, Content::Whole | Content::Holes));
    assert!(all || own.content == Content::Cut, "{own:?}");
    for stretch in own.stretches() {
        match stretch {
            Stretch::Known(bytes) => {
                assert_eq!(bytes, &sent[at..][..bytes.len()], "known, and was not sent");
                at += bytes.len();
            }
            Stretch::Hole(len) => at += len as usize,
        }
    }
    assert!(!all || at == sent.len(), "holes of another length");
}

/// The stretches of a message are its payload, and its length.
fn check(message: &SeenMessage<'_>) {
    let (mut known, mut len, mut holes) = (Vec::<u8>::new(), 0, 0);
    for stretch in message.stretches() {
        match stretch {
            Stretch::Known(bytes) => {
                known.extend(bytes);
                len += bytes.len() as u64;
            }
            Stretch::Hole(n) => (len, holes) = (len + n, holes + 1),
        }
    }
    assert_eq!(known, message.payload);
    match message.content {
        Content::Whole => assert_eq!((len, holes), (message.len, 0)),
        Content::Holes => assert!(len == message.len && holes > 0),
        _ => assert!(len <= message.len),
    }
}

/// What is told, without the pieces of payload, which follow the cuts.
fn follow(mut observer: Observer, items: &[Item], cut: usize, limits: &Limits) -> Vec<String> {
    let mut told = Vec::new();
    // Kept: a head, a message with its holes and its encoded form, what waits or is searched, and two
    // decompressors for each direction.
    let bound = 2 * (limits.head + limits.held) as usize
        + 6 * limits.message as usize
        + (3 << 20)
        + (600 << 10);
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
                check(message);
                let stretches: Vec<_> = message.stretches().collect();
                told.push(format!("{message:?} {stretches:?}"));
                continue;
            }
            _ => {}
        }
        told.push(format!("{seen:?}"));
    }
    assert!(input.is_empty(), "bytes are left");
}
