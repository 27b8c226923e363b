//! Writes the library of captures: `cargo run --example captures [FOLDER]`.
//!
//! They are the same each time, so that a difference is a change of this file or of the writer.
#![allow(
    missing_docs,
    unreachable_pub,
    clippy::print_stdout,
    clippy::cast_possible_truncation,
    reason = "a program for people; its numbers are small"
)]

use std::path::{Path, PathBuf};
use std::{env, fs, io};

use sansocket_inspect::write::{Conversation, Format, Link, Sent};
use sansocket_tcp_streams::Sender::{self, Client, Server};

/// The key and what answers it, of RFC 6455 §1.3.
const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";
const DEFLATE: &str = "permessage-deflate";

const FIN: u8 = 0x80;
const RSV1: u8 = 0x40;
const MORE: u8 = 0;
const TEXT: u8 = 1;
const BINARY: u8 = 2;
const CLOSE: u8 = 8;
const PING: u8 = 9;
const PONG: u8 = 10;

/// A frame (RFC 6455 §5.2), masked if it is the client's, with a key that is made from its payload.
pub fn frame(from: Sender, first: u8, payload: &[u8]) -> Vec<u8> {
    let mask = if from == Client { 0x80 } else { 0 };
    let mut frame = vec![first];
    match payload.len() {
        n @ 0..126 => frame.push(mask | n as u8),
        n @ 126..65_536 => {
            frame.push(mask | 126);
            frame.extend((n as u16).to_be_bytes());
        }
        n => {
            frame.push(mask | 127);
            frame.extend((n as u64).to_be_bytes());
        }
    }
    if from == Server {
        frame.extend(payload);
        return frame;
    }
    // Another one for each payload, as a client would take.
    let key = payload.iter().fold(0x811c_9dc5_u32, |key, byte| {
        (key ^ u32::from(*byte)).wrapping_mul(0x0100_0193)
    });
    let key = key.to_be_bytes();
    frame.extend(key);
    frame.extend(
        payload
            .iter()
            .zip(key.iter().cycle())
            .map(|(byte, key)| byte ^ key),
    );
    frame
}

fn close(from: Sender, code: u16, reason: &str) -> Vec<u8> {
    frame(
        from,
        FIN | CLOSE,
        &[&code.to_be_bytes(), reason.as_bytes()].concat(),
    )
}

fn request(extensions: &str) -> String {
    let extensions = field("Sec-WebSocket-Extensions", extensions);
    format!(
        "GET /chat HTTP/1.1\r\nHost: server.example.com\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Key: {KEY}\r\nOrigin: http://example.com\r\nSec-WebSocket-Version: 13\r\n{extensions}\r\n"
    )
}

fn answer(accept: &str, extensions: &str) -> String {
    let extensions = field("Sec-WebSocket-Extensions", extensions);
    format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {accept}\r\n{extensions}\r\n"
    )
}

fn field(name: &str, value: &str) -> String {
    if value.is_empty() {
        String::new()
    } else {
        format!("{name}: {value}\r\n")
    }
}

/// A conversation whose opening handshake is complete.
pub fn opened(extensions: &str) -> Conversation {
    let mut talk = Conversation::new();
    talk.open()
        .send(Client, request(extensions).as_bytes())
        .ack(Server);
    talk.send(Server, answer(ACCEPT, extensions).as_bytes())
        .ack(Client);
    talk
}

/// The closing handshake, begun by the client; the server ends TCP first.
fn end(talk: &mut Conversation) {
    talk.send(Client, &close(Client, 1000, "bye"))
        .send(Server, &close(Server, 1000, "bye"));
    talk.fin(Server).ack(Client).fin(Client).ack(Server);
}

/// The file of a capture.
pub fn file(name: &str, format: Format, packets: &[Sent]) -> Vec<u8> {
    let secrets = if name == "tls.pcapng" {
        secrets()
    } else {
        String::new()
    };
    format.write_with(secrets.as_bytes(), packets)
}

/// All of them: a name, how it is written, its packets.
pub fn library() -> Vec<(&'static str, Format, Vec<Sent>)> {
    let pcap = Format::default();
    let on = |link| Format { link, ..pcap };
    let ng = Format {
        ng: true,
        nanoseconds: true,
        ..pcap
    };
    vec![
        ("hello.pcap", pcap, hello()),
        ("ping.pcap", on(Link::Sll), ping()),
        ("fragments.pcapng", ng, fragments()),
        (
            "compressed.pcapng",
            Format { big: true, ..ng },
            compressed(false),
        ),
        ("compressed-lost.pcap", pcap, compressed(true)),
        ("compressed-fragments.pcap", pcap, compressed_fragments()),
        ("takeover.pcap", pcap, takeover()),
        ("middle-between.pcap", pcap, middle_between()),
        ("middle-compressed.pcap", pcap, middle_compressed()),
        ("close-codes.pcap", pcap, close_codes()),
        ("refused.pcap", on(Link::Vlan), refused()),
        ("reset.pcap", on(Link::Null), reset()),
        ("both-close.pcap", on(Link::Loop), both_close()),
        ("gap.pcap", on(Link::Raw), gap()),
        ("middle.pcap", pcap, middle()),
        ("proxy.pcap", on(Link::Sll2), proxy()),
        ("snap.pcap", Format { snap: 300, ..pcap }, large()),
        ("snap-100.pcap", Format { snap: 100, ..pcap }, large()),
        ("wrapped.pcap", Format { big: true, ..pcap }, wrapped()),
        ("violations.pcap", pcap, violations()),
        ("tls.pcap", pcap, tls()),
        ("tls.pcapng", ng, tls()),
        ("two.pcapng", ng, two()),
        ("json.pcap", pcap, json()),
    ]
}

fn hello() -> Vec<Sent> {
    let mut talk = opened("");
    talk.send(Server, &frame(Server, FIN | TEXT, b"ticket 4711"))
        .ack(Client);
    talk.send(Client, &frame(Client, FIN | TEXT, b"hello world"))
        .ack(Server);
    end(&mut talk);
    talk.packets
}

fn ping() -> Vec<Sent> {
    let mut talk = opened("");
    talk.send(Server, &frame(Server, FIN | PING, b"1"))
        .send(Client, &frame(Client, FIN | PONG, b"1"));
    talk.send(Client, &frame(Client, FIN | PONG, b"nobody asked"))
        .ack(Server);
    end(&mut talk);
    talk.packets
}

fn fragments() -> Vec<Sent> {
    let mut talk = opened("");
    talk.send(Client, &frame(Client, TEXT, b"first, "))
        .send(Server, &frame(Server, BINARY, &[1, 2]));
    talk.send(Client, &frame(Client, FIN | PING, b"between"))
        .send(Server, &frame(Server, FIN | PONG, b"between"));
    talk.send(Client, &frame(Client, MORE, b"second"))
        .send(Server, &frame(Server, FIN | MORE, &[3]));
    talk.send(Client, &frame(Client, FIN | MORE, b""))
        .ack(Server);
    talk.send(Client, &frame(Client, FIN | TEXT, b"next"))
        .ack(Server);
    end(&mut talk);
    talk.packets
}

/// `Hello`, and once more with what the first one left in the window (RFC 7692 §7.2.3).
fn compressed(lost: bool) -> Vec<Sent> {
    let mut talk = opened(DEFLATE);
    talk.send(Client, &frame(Client, FIN | RSV1 | TEXT, &HELLO))
        .ack(Server);
    let at = talk.packets.len() - 2;
    talk.send(Client, &frame(Client, FIN | RSV1 | TEXT, &AGAIN))
        .ack(Server);
    talk.send(Client, &frame(Client, FIN | TEXT, b"not compressed"))
        .ack(Server);
    end(&mut talk);
    if lost {
        talk.packets.remove(at);
    }
    talk.packets
}

/// `Hello` (RFC 7692 §7.2.3.1), and the same once more out of the window (§7.2.3.2).
const HELLO: [u8; 7] = [0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00];
const AGAIN: [u8; 5] = [0xf2, 0x00, 0x11, 0x00, 0x00];

/// Compressed messages in fragments, both ways at once, with pings between and an empty last frame.
fn compressed_fragments() -> Vec<Sent> {
    let mut talk = opened(DEFLATE);
    for hello in [&HELLO[..], &AGAIN] {
        let (first, rest) = hello.split_at(2);
        talk.send(Client, &frame(Client, RSV1 | TEXT, first))
            .send(Server, &frame(Server, RSV1 | BINARY, first));
        talk.send(Client, &frame(Client, FIN | PING, b"between"))
            .send(Server, &frame(Server, FIN | PONG, b"between"));
        talk.send(Server, &frame(Server, FIN | MORE, rest))
            .send(Client, &frame(Client, MORE, rest));
        talk.send(Client, &frame(Client, FIN | MORE, b""))
            .ack(Server);
    }
    end(&mut talk);
    talk.packets
}

/// One side alone starts each message with an empty window: the server, and in a second conversation the client.
fn takeover() -> Vec<Sent> {
    let mut packets = Vec::new();
    for (n, without) in [Server, Client].into_iter().enumerate() {
        let side = if without == Server {
            "server"
        } else {
            "client"
        };
        let mut talk = opened(&format!("{DEFLATE}; {side}_no_context_takeover"));
        for (from, message) in [
            (Client, &HELLO[..]),
            (Server, &HELLO),
            (without, &HELLO),
            (without.peer(), &AGAIN),
            (without, &HELLO),
            (without.peer(), &AGAIN),
        ] {
            talk.send(from, &frame(from, FIN | RSV1 | TEXT, message));
        }
        end(&mut talk);
        packets.extend(with_port(talk.packets, n));
    }
    packets
}

/// Of another client, as many of them are told apart by their ports.
fn with_port(mut packets: Vec<Sent>, n: usize) -> Vec<Sent> {
    for sent in &mut packets {
        for end in [&mut sent.from, &mut sent.to] {
            if end.port() != 80 {
                end.set_port(50_000 + n as u16);
            }
        }
    }
    packets
}

/// The capture begins between two frames.
fn middle_between() -> Vec<Sent> {
    let mut talk = opened("");
    let count = talk.packets.len();
    for n in 0..12 {
        for from in [Client, Server] {
            let text = format!("message {n} of the {from:?}");
            talk.send(from, &frame(from, FIN | TEXT, text.as_bytes()));
        }
    }
    end(&mut talk);
    talk.packets.split_off(count)
}

/// The capture begins inside the second of many compressed messages.
fn middle_compressed() -> Vec<Sent> {
    let mut talk = opened(DEFLATE);
    talk.send(Client, &frame(Client, FIN | RSV1 | TEXT, &HELLO));
    let count = talk.packets.len();
    talk.segment = 8;
    talk.send(Client, &frame(Client, FIN | RSV1 | TEXT, &AGAIN));
    talk.segment = 1400;
    for n in 0..12 {
        let message = if n % 3 == 1 { &HELLO[..] } else { &AGAIN };
        let mut frame = frame(Client, FIN | RSV1 | TEXT, message);
        // The same payload under another key.
        for (byte, other) in frame[2..]
            .iter_mut()
            .zip([n, 7 * n, n, 3 * n].iter().cycle())
        {
            *byte ^= other;
        }
        talk.send(Client, &frame).ack(Server);
    }
    end(&mut talk);
    talk.packets.split_off(count + 1)
}

/// Every class of close code, those that may be sent and those that may not (RFC 6455 §7.4), and payloads that are none.
fn close_codes() -> Vec<Sent> {
    let codes = [
        0, 999, 1000, 1001, 1002, 1003, 1004, 1005, 1006, 1007, 1008, 1009, 1010, 1011, 1012, 1013,
        1014, 1015, 1016, 2999, 3000, 3999, 4000, 4999, 5000, 65_535,
    ];
    let mut payloads: Vec<Vec<u8>> = codes
        .into_iter()
        .map(|code: u16| [&code.to_be_bytes()[..], b"a reason"].concat())
        .collect();
    payloads.extend([vec![], vec![3], vec![3, 232, 0xc3, 0x28]]);
    let mut packets = Vec::new();
    for (n, payload) in payloads.into_iter().enumerate() {
        let mut talk = opened("");
        let from = if n % 2 == 0 { Client } else { Server };
        talk.send(from, &frame(from, FIN | CLOSE, &payload))
            .send(from.peer(), &close(from.peer(), 1000, ""));
        talk.fin(Server).ack(Client).fin(Client).ack(Server);
        packets.extend(with_port(talk.packets, n));
    }
    packets
}

fn refused() -> Vec<Sent> {
    let mut talk = Conversation::new();
    talk.open().send(Client, request("").as_bytes()).ack(Server);
    talk.send(
        Server,
        b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
    );
    talk.fin(Server).ack(Client).fin(Client).ack(Server);
    talk.packets
}

fn reset() -> Vec<Sent> {
    let mut talk = opened("");
    talk.send(Server, &frame(Server, FIN | TEXT, b"still there?"))
        .reset(Client);
    talk.packets
}

fn both_close() -> Vec<Sent> {
    let mut talk = opened("");
    let mut other = talk.clone();
    talk.send(Client, &close(Client, 1001, "going away"));
    // Sent before that of the client came.
    other.send(Server, &close(Server, 1012, "restart"));
    talk.packets.extend(other.packets.pop());
    talk.next[1] = other.next[1];
    talk.fin(Server).fin(Client).ack(Server);
    talk.packets
}

/// A segment within a payload is lost.
fn gap() -> Vec<Sent> {
    let mut talk = opened("");
    let text: String = (0..100).map(|n| format!("line {n}, ")).collect();
    talk.segment = 400;
    talk.send(Server, &frame(Server, FIN | TEXT, text.as_bytes()))
        .ack(Client);
    let at = talk.packets.len() - 3;
    talk.send(Server, &frame(Server, FIN | TEXT, b"after it"))
        .ack(Client);
    end(&mut talk);
    talk.packets.remove(at);
    talk.packets
}

/// The capture begins inside a payload.
fn middle() -> Vec<Sent> {
    let mut talk = opened("");
    let count = talk.packets.len();
    let text: String = (0..50).map(|n| format!("line {n}, ")).collect();
    talk.segment = 200;
    talk.send(Client, &frame(Client, FIN | TEXT, text.as_bytes()))
        .ack(Server);
    for n in 0..12 {
        talk.send(
            Client,
            &frame(Client, FIN | TEXT, format!("message {n}").as_bytes()),
        )
        .ack(Server);
    }
    end(&mut talk);
    talk.packets.split_off(count + 1)
}

/// Through a proxy, with an answer that is not to the key, and packets in another order.
fn proxy() -> Vec<Sent> {
    let mut talk = Conversation::new();
    talk.open().send(
        Client,
        b"CONNECT server.example.com:80 HTTP/1.1\r\nHost: server.example.com:80\r\n\r\n",
    );
    talk.send(Server, b"HTTP/1.1 200 Connection established\r\n\r\n");
    talk.send(Client, request("").as_bytes());
    talk.send(
        Server,
        answer("AAAAAAAAAAAAAAAAAAAAAAAAAAA=", "").as_bytes(),
    );
    let at = talk.packets.len();
    talk.send(Server, &frame(Server, FIN | TEXT, b"one"))
        .send(Server, &frame(Server, FIN | TEXT, b"two"));
    talk.send(Server, &frame(Server, FIN | TEXT, b"three"))
        .ack(Client);
    end(&mut talk);
    talk.packets.swap(at, at + 2);
    talk.packets
}

fn large() -> Vec<Sent> {
    let mut talk = opened("");
    talk.send(Server, &frame(Server, FIN | BINARY, &[0xab; 3000]))
        .ack(Client);
    talk.send(Client, &frame(Client, FIN | TEXT, b"short"))
        .ack(Server);
    end(&mut talk);
    talk.packets
}

/// Sequence numbers wrap, and packets come twice.
fn wrapped() -> Vec<Sent> {
    let mut talk = Conversation::new();
    talk.next = [u32::MAX - 100, u32::MAX - 3];
    talk.open()
        .send(Client, request("").as_bytes())
        .send(Server, answer(ACCEPT, "").as_bytes());
    talk.send(Client, &frame(Client, FIN | TEXT, b"once"));
    let again = talk.packets[5].clone();
    talk.packets.push(again);
    end(&mut talk);
    talk.packets
}

fn violations() -> Vec<Sent> {
    let mut talk = opened("");
    let wrong = [
        (Client, frame(Server, FIN | TEXT, b"not masked")),
        (Server, frame(Client, FIN | TEXT, b"masked")),
        (Client, frame(Client, FIN | RSV1 | TEXT, b"a reserved bit")),
        (Server, frame(Server, FIN | 3, b"a reserved opcode")),
        (Client, frame(Client, FIN | MORE, b"nothing to continue")),
        (Server, frame(Server, PING, b"a ping in fragments")),
        (Server, vec![FIN | TEXT, 126, 0, 2, b'o', b'k']),
        (Client, frame(Client, FIN | TEXT, &[0xc3, 0x28])),
        (Server, frame(Server, FIN | PING, &[b'x'; 126])),
        (Client, frame(Client, FIN | RSV1 | PONG, b"a bit on a pong")),
        (Client, frame(Client, TEXT, b"begun, ")),
        (Client, frame(Client, FIN | TEXT, b"another in between")),
        (Server, frame(Server, FIN | CLOSE, &[3])),
        (Server, close(Server, 1005, "a code that is never sent")),
    ];
    for (from, bytes) in wrong {
        talk.send(from, &bytes);
    }
    talk.send(Server, &frame(Server, FIN | TEXT, b"after the Close frame"));
    talk.send(Client, &close(Client, 1002, ""))
        .fin(Server)
        .fin(Client)
        .ack(Server);
    talk.packets
}

/// What the ends of `hello.pcap` say.
pub fn conversation() -> Vec<(Sender, Vec<u8>)> {
    vec![
        (Client, request("").into_bytes()),
        (Server, answer(ACCEPT, "").into_bytes()),
        (Server, frame(Server, FIN | TEXT, b"ticket 4711")),
        (Client, frame(Client, FIN | TEXT, b"hello world")),
        (Client, close(Client, 1000, "bye")),
        (Server, close(Server, 1000, "bye")),
    ]
}

/// A session of TLS 1.3 that was recorded: `cargo test --test tls -- --ignored` records another one.
const SESSION: &str = include_str!("../captures/tls.session");

/// Its secrets.
pub fn secrets() -> String {
    let lines = SESSION.lines().filter(|line| line.contains("_SECRET"));
    lines.map(|line| format!("{line}\n")).collect()
}

/// What each end has given to TCP.
pub fn session() -> Vec<(Sender, Vec<u8>)> {
    let mut records = Vec::new();
    for line in SESSION.lines() {
        let (from, hex) = match line.split_once(' ') {
            Some(("Client", hex)) => (Client, hex),
            Some(("Server", hex)) => (Server, hex),
            _ => continue,
        };
        let digits = hex
            .bytes()
            .map(|digit| char::from(digit).to_digit(16).unwrap_or(0) as u8);
        let digits: Vec<u8> = digits.collect();
        let bytes = digits
            .chunks(2)
            .map(|pair| pair[0] << 4 | pair[1])
            .collect();
        records.push((from, bytes));
    }
    records
}

fn tls() -> Vec<Sent> {
    let mut talk = Conversation::new();
    talk.ends[1].set_port(443);
    talk.open();
    for (from, bytes) in session() {
        talk.send(from, &bytes).ack(from.peer());
    }
    talk.fin(Server).ack(Client).fin(Client).ack(Server);
    talk.packets
}

/// Texts that are JSON.
fn json() -> Vec<Sent> {
    let mut talk = opened("");
    let ask = br#"{"type":"subscribe","id":1,"channels":["trades","books"],"filter":{}}"#;
    talk.send(Client, &frame(Client, FIN | TEXT, ask))
        .ack(Server);
    let answer = br#"{"id": 1, "ok": true, "prices": [[101.50, 3], [101.25, 12]]}"#;
    talk.send(Server, &frame(Server, FIN | TEXT, answer))
        .ack(Client);
    end(&mut talk);
    talk.packets
}

/// Two conversations at a time, the second over IPv6, and the ports of the first used again.
fn two() -> Vec<Sent> {
    let first = hello();
    let mut talk = Conversation {
        ends: [
            ([0x2001, 0xdb8, 0, 0, 0, 0, 0, 1], 50_001).into(),
            ([0x2001, 0xdb8, 0, 0, 0, 0, 0, 2], 80).into(),
        ],
        ..opened("")
    };
    let mut second: Vec<Sent> = talk.packets.drain(..).collect();
    let ends = talk.ends;
    for sent in &mut second {
        let own = usize::from(sent.from.port() == 80);
        (sent.from, sent.to) = (ends[own], ends[1 - own]);
    }
    talk.packets = second;
    talk.send(Client, &frame(Client, FIN | TEXT, b"from the second"))
        .ack(Server);
    end(&mut talk);
    let mut both = Vec::new();
    let mut others = talk.packets.into_iter();
    for sent in first {
        both.push(sent);
        both.extend(others.next());
    }
    both.extend(others);
    let mut again = Conversation {
        next: [77, 88],
        ..Conversation::new()
    };
    again
        .open()
        .send(Client, request("").as_bytes())
        .reset(Server);
    both.extend(again.packets);
    both
}

pub fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("captures")
}

fn main() -> io::Result<()> {
    let folder = env::args_os().nth(1).map_or_else(folder, PathBuf::from);
    fs::create_dir_all(&folder)?;
    for (name, format, packets) in library() {
        fs::write(folder.join(name), file(name, format, &packets))?;
        println!("{name}: {} packets", packets.len());
    }
    Ok(())
}
