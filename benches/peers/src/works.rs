//! What is measured, and the targets.

use std::hint::black_box;
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use sansocket::entropy::ChaCha;
use sansocket::frame::FrameHeader;
use sansocket::mask::apply_mask;
use sansocket::{ClientConfig, ClientRequest, Connection, Event, Role, Uri};

use crate::common::floor;
use crate::common::traffic::{Content, Count, Digest, Random, Sink, Sizes, Traffic, fill};
use crate::cpu::timed;
use crate::peer::{Entry, Messages, PACKET, READ, READS, Written};
use crate::peers::{self, Ours, OursBytes, OursChaCha, OursOwned, OursSystem, OursThrough};
use crate::work::{Against, Bound, Kind, Work};

const OURS: &str = "sansocket";
const CHACHA: &str = "sansocket, the caller's ChaCha";
const SYSTEM: &str = "sansocket, the system's keys";
const BYTES: &str = "sansocket, Bytes of a buffer of its own";
const BYTES_HELD: &str = "sansocket, the last 8 of those held";
const THROUGH: &str = "sansocket, past the queue";
const OWNED: &str = "sansocket, Bytes handed over";
const NET: &str = "sansocket, without the fill";
const BARE: &str = "bare loop";

/// Runs a work if its title is asked for.
type Run<'r> = &'r mut dyn FnMut(&str, &mut dyn FnMut() -> Work);

pub fn run(run: Run<'_>) {
    for role in [Role::Server, Role::Client] {
        for sizes in [8, 32, 125]
            .map(Sizes::All)
            .into_iter()
            .chain([40, 125].map(Sizes::UpTo))
        {
            let title = format!("receive, {}, {}", side(role), sizes.name());
            run(&title, &mut || receive_small(&title, role, sizes));
        }
        for sizes in [1 << 10, 16 << 10, 1 << 20]
            .map(Sizes::All)
            .into_iter()
            .chain([Sizes::UpTo(2000), Sizes::Between(8 << 10, 24 << 10)])
        {
            for read in [Reads::Best, Reads::Of(READ), Reads::Of(PACKET)] {
                let title = format!(
                    "receive, {}, {}, reads of {}",
                    side(role),
                    sizes.name(),
                    match read {
                        Reads::Best => "what suits each",
                        Reads::Of(READ) => "64 KiB",
                        Reads::Of(_) => "1,500 B",
                    }
                );
                run(&title, &mut || receive_large(&title, role, sizes, read));
            }
        }
    }
    for content in [Content::Ascii, Content::Multibyte] {
        for size in [8, 32, 125, 1 << 10, 16 << 10] {
            let title = format!(
                "receive, masked, {} text, {}",
                content.name(),
                Sizes::All(size).name()
            );
            run(&title, &mut || text(&title, content, size));
        }
    }
    for content in [Content::Binary, Content::Ascii, Content::Multibyte] {
        let title = format!("receive, masked, 16 fragments of 1 KiB, {}", content.name());
        run(&title, &mut || fragments(&title, content));
    }
    for role in [Role::Server, Role::Client] {
        for size in [8, 32, 125, 1 << 10, 16 << 10, 1 << 20] {
            for batch in [64, 1] {
                let flushed = if batch == 1 {
                    "each flushed"
                } else {
                    "64 a flush"
                };
                let title = format!(
                    "send, {}, {}, {flushed}",
                    role_name(role),
                    Sizes::All(size).name()
                );
                run(&title, &mut || send(&title, role, size, batch));
            }
        }
    }
    run("send, server, prepared", &mut shared);
    for size in [32, 1 << 10, 16 << 10] {
        let title = format!("echo, server, {}", Sizes::All(size).name());
        run(&title, &mut || echo(&title, size));
    }
    run("opening handshake, server", &mut accept);
    run("opening handshake, client", &mut connect);
    for what in ["head of 64 KiB", "message of 16 MiB"] {
        let title = format!("byte by byte, {what}");
        run(&title, &mut || byte_by_byte(&title, what));
    }
}

fn side(receiver: Role) -> &'static str {
    match receiver {
        Role::Server => "masked",
        Role::Client => "unmasked",
    }
}

fn role_name(role: Role) -> &'static str {
    match role {
        Role::Server => "server",
        Role::Client => "client",
    }
}

fn kind(entry: &Entry) -> Kind {
    if entry.full {
        Kind::Full
    } else {
        Kind::Partial
    }
}

// ── receiving

/// How long reads are.
#[derive(Clone, Copy)]
enum Reads {
    Of(usize),
    /// As suits each peer best.
    Best,
}

impl Reads {
    fn of(self, entry: &Entry, traffic: &Traffic) -> usize {
        let time = |read: &usize| {
            let run = || timed(|| _ = (entry.receive)(traffic, *read, &mut Count::default()));
            (0..5).map(|_| run()).min()
        };
        match self {
            Self::Of(read) => read,
            Self::Best => [1 << 10, 2 << 10, 4 << 10, 8 << 10, 16 << 10, READ]
                .into_iter()
                .min_by_key(time)
                .unwrap_or(READ),
        }
    }
}

/// Rows for all who receive; each has shown first that it delivers every payload.
fn receivers(work: &mut Work, traffic: &Rc<Traffic>, reads: Reads) {
    let mut entries = vec![(Entry::new::<Ours>(OURS, true), Kind::Ours)];
    entries.push((Entry::new::<OursBytes<0>>(BYTES, true), Kind::Ours));
    entries.push((Entry::new::<OursBytes<8>>(BYTES_HELD, true), Kind::Ours));
    entries.extend(peers::all().into_iter().map(|entry| (entry, kind(&entry))));
    for (entry, kind) in entries {
        let mut digest = Digest::default();
        let read = reads.of(&entry, traffic);
        let before = READS.get();
        if !(entry.digest)(traffic, read, &mut digest) {
            continue;
        }
        let reads_made = READS.get() - before;
        assert_eq!(
            digest.0, traffic.digest,
            "{}: {} delivered something else",
            work.title, entry.name
        );
        let traffic = Rc::clone(traffic);
        let a_message = reads_made as f64 / traffic.messages as f64;
        let note = match reads {
            Reads::Best => format!("{} KiB, {a_message:.2} reads", read >> 10),
            Reads::Of(_) => String::new(),
        };
        work.row_with_note(entry.name, note, kind, move || {
            let mut count = Count::default();
            let took = timed(|| _ = (entry.receive)(&traffic, read, &mut count));
            assert_eq!(
                (count.messages, count.payload),
                (traffic.messages, traffic.payload)
            );
            took
        });
    }
}

fn bare(work: &mut Work, traffic: &Rc<Traffic>) {
    let traffic = Rc::clone(traffic);
    work.row(BARE, Kind::Floor, move || {
        let mut buf = vec![0; READ];
        let (mut at, mut kept) = (0, 0);
        let mut count = Count::default();
        let mut net = Duration::ZERO;
        while at < traffic.bytes.len() {
            let n = (buf.len() - kept).min(traffic.bytes.len() - at);
            fill(&mut buf[kept..kept + n], &traffic.bytes[at..at + n]);
            at += n;
            let mut left = 0;
            net += timed(|| {
                left = match traffic.receiver {
                    Role::Server => floor::receive::<true, _>(&mut buf[..kept + n], &mut count),
                    Role::Client => floor::receive::<false, _>(&mut buf[..kept + n], &mut count),
                }
            });
            buf.copy_within(kept + n - left..kept + n, 0);
            kept = left;
        }
        assert_eq!(
            (count.messages, count.payload),
            (traffic.messages, traffic.payload)
        );
        net
    });
}

fn net(work: &mut Work, name: &str, traffic: &Rc<Traffic>) {
    let traffic = Rc::clone(traffic);
    work.row(name, Kind::Ours, move || {
        let mut count = Count::default();
        let took = peers::receive_net(&traffic, READ, &mut count);
        assert_eq!(
            (count.messages, count.payload),
            (traffic.messages, traffic.payload)
        );
        took
    });
}

fn receive_small(title: &str, role: Role, sizes: Sizes) -> Work {
    let traffic = Rc::new(Traffic::whole(role, Content::Binary, sizes));
    let mut work = Work::new(title, traffic.messages);
    bare(&mut work, &traffic);
    net(&mut work, NET, &traffic);
    receivers(&mut work, &traffic, Reads::Of(READ));
    let most = match sizes {
        Sizes::All(125) => 1.7,
        Sizes::All(_) => 2.0,
        Sizes::UpTo(_) | Sizes::Between(..) => 1.4,
    };
    work.target(NET, Against::Row(BARE.into()), Bound::Ratio(most));
    work.target(OURS, Against::FastestPeer, Bound::Ratio(1.0 / 2.5));
    work.target(OURS, Against::FastestFull, Bound::Ratio(1.0 / 4.0));
    work
}

const COPY: &str = "copy into the buffer";
const COPY_XOR: &str = "copy into the buffer and XOR in place";

/// The copy into the read buffer, and the XOR over it in place.
fn copy(work: &mut Work, traffic: &Rc<Traffic>, read: usize, xor: bool) {
    let traffic = Rc::clone(traffic);
    work.row(if xor { COPY_XOR } else { COPY }, Kind::Floor, move || {
        let mut buf = vec![0; read];
        timed(|| {
            for bytes in traffic.bytes.chunks(read) {
                let buf = &mut buf[..bytes.len()];
                fill(buf, bytes);
                if xor {
                    apply_mask(buf, [1, 2, 3, 4], 0);
                }
                black_box(&buf);
            }
        })
    });
}

fn receive_large(title: &str, role: Role, sizes: Sizes, reads: Reads) -> Work {
    let traffic = Rc::new(Traffic::whole(role, Content::Binary, sizes));
    let mut work = Work::new(title, traffic.messages);
    let read = match reads {
        Reads::Of(read) => read,
        Reads::Best => 8 << 10,
    };
    copy(&mut work, &traffic, read, false);
    if role == Role::Server {
        copy(&mut work, &traffic, read, true);
    }
    receivers(&mut work, &traffic, reads);
    let one_length = matches!((reads, sizes), (Reads::Of(_), Sizes::All(_)));
    if role == Role::Server && one_length {
        work.target(
            OURS,
            Against::Row(COPY_XOR.into()),
            Bound::Ratio(1.0 / 0.85),
        );
    }
    work.target(OURS, Against::FastestPeer, Bound::Ratio(1.0));
    work
}

/// Validates what the traffic carries, message by message.
fn validate(work: &mut Work, traffic: &Rc<Traffic>) {
    let mut payloads: Vec<Vec<u8>> = Vec::new();
    #[derive(Default)]
    struct Keep(Vec<Vec<u8>>);
    impl Sink for Keep {
        fn message(&mut self, payload: &[u8]) {
            self.0.push(payload.to_vec());
        }
    }
    let mut keep = Keep::default();
    peers::receive_net(traffic, READ, &mut keep);
    payloads.append(&mut keep.0);
    // As they lie in a read buffer: warm, one after the other.
    let sizes: Vec<usize> = payloads.iter().map(Vec::len).collect();
    let bytes: Rc<(Vec<usize>, Vec<u8>)> = Rc::new((sizes, payloads.concat()));
    let mut row = |name, valid: fn(&[u8]) -> bool| {
        let bytes = Rc::clone(&bytes);
        work.row(name, Kind::Floor, move || {
            let (sizes, bytes) = &*bytes;
            let mut buf = vec![0; READ.max(sizes[0])];
            let mut net = Duration::ZERO;
            let (mut at, mut first) = (0, 0);
            while first < sizes.len() {
                let mut len = 0;
                let last = sizes[first..].iter().take_while(|&&size| {
                    let fits = len + size <= buf.len();
                    len += if fits { size } else { 0 };
                    fits
                });
                let last = first + last.count();
                fill(&mut buf[..len], &bytes[at..at + len]);
                at += len;
                net += timed(|| {
                    let mut rest = &buf[..len];
                    for &size in &sizes[first..last] {
                        let (text, behind) = rest.split_at(size);
                        rest = behind;
                        assert!(valid(black_box(text)));
                    }
                });
                first = last;
            }
            net
        });
    };
    row("std::str::from_utf8", |bytes| str::from_utf8(bytes).is_ok());
    row("simdutf8", |bytes| {
        simdutf8::basic::from_utf8(bytes).is_ok()
    });
}

const BINARY: &str = "sansocket, binary, without the fill";
const BINARY_VALID: &str = "binary and validation";

fn text(title: &str, content: Content, size: usize) -> Work {
    let traffic = Rc::new(Traffic::whole(Role::Server, content, Sizes::All(size)));
    let binary = Rc::new(Traffic::whole(
        Role::Server,
        Content::Binary,
        Sizes::All(size),
    ));
    let mut work = Work::new(title, traffic.messages);
    net(&mut work, NET, &traffic);
    net(&mut work, BINARY, &binary);
    validate(&mut work, &traffic);
    work.sum(BINARY_VALID, BINARY, &["std::str::from_utf8", "simdutf8"]);
    let reads = if size < 1 << 10 {
        Reads::Of(READ)
    } else {
        Reads::Best
    };
    receivers(&mut work, &traffic, reads);
    let most = if size < 256 { 1.3 } else { 1.15 };
    work.target(NET, Against::Row(BINARY_VALID.into()), Bound::Ratio(most));
    work.target(OURS, Against::FastestFull, Bound::Ratio(1.0));
    work
}

fn fragments(title: &str, content: Content) -> Work {
    let sizes = Sizes::All(1 << 10);
    let traffic = Rc::new(Traffic::new(Role::Server, content, sizes, 16));
    let mut work = Work::new(title, traffic.messages);
    if content == Content::Binary {
        copy(&mut work, &traffic, READ, true);
    } else {
        let binary = Rc::new(Traffic::new(Role::Server, Content::Binary, sizes, 16));
        net(&mut work, NET, &traffic);
        net(&mut work, BINARY, &binary);
        validate(&mut work, &traffic);
        work.sum(BINARY_VALID, BINARY, &["std::str::from_utf8", "simdutf8"]);
        work.target(NET, Against::Row(BINARY_VALID.into()), Bound::Ratio(1.3));
    }
    receivers(&mut work, &traffic, Reads::Of(READ));
    // Of text only those who validate it have done the work.
    let against = match content {
        Content::Binary => Against::FastestPeer,
        _ => Against::FastestFull,
    };
    work.target(OURS, against, Bound::Ratio(1.0 / 1.4));
    work
}

// ── sending

/// The digest of the payloads in a stream of frames.
fn digest(role: Role, mut bytes: Vec<u8>) -> u64 {
    let mut digest = Digest::default();
    let left = match role {
        Role::Server => floor::receive::<false, _>(&mut bytes, &mut digest),
        Role::Client => floor::receive::<true, _>(&mut bytes, &mut digest),
    };
    assert_eq!(left, 0);
    digest.0
}

fn messages(role: Role, size: usize, batch: usize) -> Messages {
    let mut payload = Vec::new();
    Content::Binary.write(&mut Random(1), size, &mut payload);
    Messages {
        role,
        content: Content::Binary,
        payload: Bytes::from(payload),
        count: ((32 << 20) / size).clamp(64, 100_000).next_multiple_of(64),
        batch,
    }
}

/// Rows for all who send; each has shown first that every payload is in its output.
fn senders(work: &mut Work, messages: &Rc<Messages>) {
    let mut entries = vec![(Entry::new::<Ours>(OURS, true), Kind::Ours)];
    entries.push((Entry::new::<OursThrough>(THROUGH, true), Kind::Ours));
    entries.push((Entry::new::<OursOwned>(OWNED, true), Kind::Ours));
    entries.push((Entry::new::<OursChaCha>(CHACHA, true), Kind::Ours));
    entries.push((Entry::new::<OursSystem>(SYSTEM, true), Kind::Ours));
    entries.extend(peers::all().into_iter().map(|entry| (entry, kind(&entry))));
    let mut expected = Digest::default();
    for _ in 0..messages.count {
        expected.message(&messages.payload);
    }
    for (entry, kind) in entries {
        let mut written = Written::kept();
        if !(entry.send)(messages, &mut written) {
            continue;
        }
        let sent = digest(messages.role, written.kept.unwrap());
        assert_eq!(
            sent, expected.0,
            "{}: {} sent something else",
            work.title, entry.name
        );
        let messages = Rc::clone(messages);
        work.row(entry.name, kind, move || {
            let mut written = Written::default();
            let took = timed(|| _ = (entry.send)(&messages, &mut written));
            assert!(written.bytes >= messages.count * messages.payload.len());
            took
        });
    }
}

fn send(title: &str, role: Role, size: usize, batch: usize) -> Work {
    let messages = Rc::new(messages(role, size, batch));
    let mut work = Work::new(title, messages.count);
    let name = match role {
        Role::Server => "header and copy",
        Role::Client => "header and masked copy, fixed key",
    };
    {
        let messages = Rc::clone(&messages);
        work.row(name, Kind::Floor, move || {
            let mut out = Vec::new();
            let mut written = Written::default();
            timed(|| {
                let mut left = messages.count;
                while left > 0 {
                    for _ in 0..batch {
                        match role {
                            Role::Server => {
                                floor::send(&mut out, 0x82, black_box(&messages.payload))
                            }
                            Role::Client => floor::send_masked(
                                &mut out,
                                0x82,
                                [1, 2, 3, 4],
                                black_box(&messages.payload),
                            ),
                        }
                    }
                    written.write(&out);
                    out.clear();
                    left -= batch;
                }
            })
        });
    }
    senders(&mut work, &messages);
    let floor = || Against::Row(name.into());
    match role {
        Role::Server if size <= 125 && batch > 1 => work.target(OURS, floor(), Bound::Ratio(1.5)),
        Role::Client if size <= 32 && batch > 1 => {
            work.target(CHACHA, floor(), Bound::Ratio(2.0));
            work.target(OURS, floor(), Bound::Ratio(2.0));
            work.target(SYSTEM, floor(), Bound::Plus(10.0));
        }
        Role::Client if size >= 1 << 10 && batch > 1 => {
            work.target(CHACHA, floor(), Bound::Ratio(1.0 / 0.85));
            work.target(OURS, floor(), Bound::Ratio(1.0 / 0.85));
        }
        _ => {}
    }
    // What suits best: past the queue, unless frames are gathered, or a client's payload is longer than the cache.
    let ours = match role {
        _ if size < 1 << 10 && batch > 1 => OURS,
        Role::Client if size > 16 << 10 => OURS,
        _ => THROUGH,
    };
    let most = if role == Role::Server && size >= 1 << 10 {
        0.6
    } else {
        1.0
    };
    work.target(ours, Against::FastestPeer, Bound::Ratio(most));
    work
}

/// No pass over it at all: sixty-four times the bytes take the same time.
fn shared() -> Work {
    let mut work = Work::new("send, server, prepared", 64 * 64);
    for (size, name) in [
        (16 << 10, "sansocket, prepared 16 KiB"),
        (1 << 20, "sansocket, prepared 1 MiB"),
    ] {
        let mut payload = Vec::new();
        Content::Binary.write(&mut Random(1), size, &mut payload);
        let prepared = sansocket::Prepared::binary(&payload);
        let mut ws = peers::connection(Role::Server);
        work.row(name, Kind::Ours, move || {
            let mut written = Written::default();
            let took = timed(|| peers::send_prepared(&mut ws, &prepared, 64 * 64, &mut written));
            assert!(written.bytes > 64 * 64 * size);
            took
        });
    }
    let messages = Rc::new(messages(Role::Server, 16 << 10, 1));
    let scale = 64 * 64 / messages.count as u32;
    for entry in peers::all() {
        let messages = Rc::clone(&messages);
        let mut written = Written::default();
        if !(entry.send)(&messages, &mut written) {
            continue;
        }
        work.row(entry.name, kind(&entry), move || {
            let mut written = Written::default();
            timed(|| _ = (entry.send)(&messages, &mut written)) * scale
        });
    }
    work.target(
        "sansocket, prepared 1 MiB",
        Against::Row("sansocket, prepared 16 KiB".into()),
        Bound::Ratio(1.5),
    );
    work.target(
        "sansocket, prepared 16 KiB",
        Against::FastestPeer,
        Bound::Ratio(1.0),
    );
    work
}

fn echo(title: &str, size: usize) -> Work {
    let traffic = Rc::new(Traffic::whole(
        Role::Server,
        Content::Binary,
        Sizes::All(size),
    ));
    let batch = if size > 1 << 10 { 1 } else { 64 };
    let mut work = Work::new(title, traffic.messages);
    let mut entries = vec![(Entry::new::<Ours>(OURS, true), Kind::Ours)];
    entries.push((Entry::new::<OursThrough>(THROUGH, true), Kind::Ours));
    entries.extend(peers::all().into_iter().map(|entry| (entry, kind(&entry))));
    for (entry, kind) in entries {
        let mut written = Written::kept();
        if !(entry.echo)(&traffic, batch, &mut written) {
            continue;
        }
        // What was not flushed when the stream ended is not there.
        let mut count = Count::default();
        floor::receive::<false, _>(&mut written.kept.unwrap(), &mut count);
        assert!(
            count.messages + batch > traffic.messages,
            "{}: {} sent {count:?}",
            work.title,
            entry.name
        );
        let traffic = Rc::clone(&traffic);
        work.row(entry.name, kind, move || {
            let mut written = Written::default();
            timed(|| _ = (entry.echo)(&traffic, batch, &mut written))
        });
    }
    let most = match size {
        0..1024 => 1.0 / 2.0,
        1024..16384 => 1.0 / 1.3,
        _ => 1.0,
    };
    // What is lent or was gathered goes back from where it lies.
    let ours = if size > 1 << 10 { THROUGH } else { OURS };
    work.target(ours, Against::FastestPeer, Bound::Ratio(most));
    work
}

// ── opening handshakes

/// As a browser sends it.
const REQUEST: &[u8] = b"GET /chat HTTP/1.1\r\n\
Host: server.example.com\r\n\
User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0\r\n\
Accept: */*\r\n\
Accept-Language: en-US,en;q=0.5\r\n\
Accept-Encoding: gzip, deflate, br, zstd\r\n\
Sec-WebSocket-Version: 13\r\n\
Origin: https://server.example.com\r\n\
Sec-WebSocket-Extensions: permessage-deflate\r\n\
Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
Connection: keep-alive, Upgrade\r\n\
Pragma: no-cache\r\n\
Cache-Control: no-cache\r\n\
Upgrade: websocket\r\n\r\n";

const PARTS: &str = "memmem, httparse, SHA-1, base64, an allocation";
const GUID: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

fn accept_key(key: &[u8]) -> [u8; 28] {
    let mut sha1 = sha1_smol::Sha1::new();
    sha1.update(key);
    sha1.update(GUID);
    let mut out = [0; 28];
    base64::Engine::encode_slice(
        &base64::prelude::BASE64_STANDARD,
        sha1.digest().bytes(),
        &mut out,
    )
    .unwrap();
    out
}

fn accept() -> Work {
    const COUNT: usize = 2000;
    let mut work = Work::new("opening handshake, server", COUNT);
    work.row(PARTS, Kind::Floor, || {
        timed(|| {
            for _ in 0..COUNT {
                let request = black_box(REQUEST);
                let end = memchr::memmem::find(request, b"\r\n\r\n").unwrap() + 4;
                let mut fields = [httparse::EMPTY_HEADER; 32];
                let mut parsed = httparse::Request::new(&mut fields);
                parsed.parse(&request[..end]).unwrap();
                let mut out = Vec::with_capacity(256);
                out.extend_from_slice(&accept_key(b"dGhlIHNhbXBsZSBub25jZQ=="));
                black_box(&out);
            }
        })
    });
    let mut entries = vec![(Entry::new::<Ours>(OURS, true), Kind::Ours)];
    entries.extend(peers::all().into_iter().map(|entry| (entry, kind(&entry))));
    for (entry, kind) in entries {
        // As it lies in a read buffer, which nobody has to keep as it is.
        let mut request = REQUEST.to_vec();
        let mut written = Written::kept();
        if !(entry.accept)(&mut request, &mut written) {
            continue;
        }
        let answer = written.kept.unwrap();
        let answer = String::from_utf8_lossy(&answer);
        assert!(
            answer.starts_with("HTTP/1.1 101 ") && answer.contains("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="),
            "{}: {answer}",
            entry.name
        );
        work.row(entry.name, kind, move || {
            let mut written = Written::default();
            timed(|| {
                for _ in 0..COUNT {
                    (entry.accept)(black_box(&mut request), &mut written);
                }
            })
        });
    }
    work.target(OURS, Against::Row(PARTS.into()), Bound::Ratio(1.5));
    work.target(OURS, Against::FastestFull, Bound::Ratio(1.0));
    work
}

/// The answer's half: the request is made beforehand, as it is the application's.
fn connect() -> Work {
    const COUNT: usize = 2000;
    let request = ClientRequest::new(Uri::parse("ws://server.example.com/chat").unwrap());
    let client = move || {
        let keys = Box::new(ChaCha::new().unwrap());
        Connection::client_with_entropy(&ClientConfig::new(), request.clone(), keys).unwrap()
    };
    // A server's answers to our own requests.
    let clients = move || -> Vec<(Connection, Vec<u8>)> {
        (0..COUNT)
            .map(|_| {
                let mut ws = client();
                let mut answer = Written::kept();
                let mut request = ws.output().to_vec();
                assert!((Entry::new::<Ours>(OURS, true).accept)(
                    &mut request,
                    &mut answer
                ));
                ws.consume_output(usize::MAX);
                (ws, answer.kept.unwrap())
            })
            .collect()
    };
    let mut work = Work::new("opening handshake, client", COUNT);
    let (_, answer) = clients().swap_remove(0);
    work.row(PARTS, Kind::Floor, move || {
        timed(|| {
            for _ in 0..COUNT {
                let answer = black_box(&answer[..]);
                let end = memchr::memmem::find(answer, b"\r\n\r\n").unwrap() + 4;
                let mut fields = [httparse::EMPTY_HEADER; 32];
                let mut parsed = httparse::Response::new(&mut fields);
                parsed.parse(&answer[..end]).unwrap();
                let mut out = Vec::with_capacity(256);
                out.extend_from_slice(&accept_key(b"dGhlIHNhbXBsZSBub25jZQ=="));
                black_box(&out);
            }
        })
    });
    work.row(OURS, Kind::Ours, move || {
        let mut clients = clients();
        timed(|| {
            for (ws, answer) in &mut clients {
                let mut input = &mut answer[..];
                assert!(matches!(ws.receive(&mut input), Some(Event::Open)));
            }
        })
    });
    work.target(OURS, Against::Row(PARTS.into()), Bound::Ratio(1.5));
    work
}

// ── byte by byte

fn byte_by_byte(title: &str, what: &str) -> Work {
    let mut work = Work::new(title, 1);
    let head = what.starts_with("head");
    for (name, scale) in [("half of it", 1), ("all of it", 2)] {
        work.row(name, Kind::Ours, move || {
            let (mut ws, mut bytes) = if head {
                half_head(scale)
            } else {
                half_message(scale)
            };
            timed(|| {
                for byte in bytes.chunks_mut(1) {
                    let mut input = byte;
                    while let Some(event) = ws.receive(&mut input) {
                        black_box(&event);
                    }
                }
            })
        });
    }
    work.target(
        "all of it",
        Against::Row("half of it".into()),
        Bound::Ratio(2.2),
    );
    work
}

fn half_head(scale: usize) -> (Connection, Vec<u8>) {
    use sansocket::config::Limits;
    let mut limits = Limits::server();
    limits.head = 1 << 17;
    limits.fields = 4096;
    let config = sansocket::ServerConfig::new(sansocket::OriginPolicy::Application).limits(limits);
    let mut bytes = b"GET /chat HTTP/1.1\r\n".to_vec();
    while bytes.len() < (32 << 10) * scale {
        bytes.extend_from_slice(b"Some-Field: some value of no importance at all\r\n");
    }
    (Connection::server(&config), bytes)
}

fn half_message(scale: usize) -> (Connection, Vec<u8>) {
    let len = (8 << 20) * scale;
    let mut header = FrameHeader::new(sansocket::frame::Opcode::Binary, len as u64);
    header.masking_key = Some([1, 2, 3, 4]);
    let mut bytes = vec![0; FrameHeader::MAX_LEN];
    header.encode((&mut bytes[..]).try_into().unwrap());
    bytes.resize(FrameHeader::MAX_LEN + len, 7);
    (peers::connection(Role::Server), bytes)
}
