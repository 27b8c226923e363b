//! Compressed conversations under a bound on memory: parked they are read as before, and what is given up is told.
#![allow(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    dead_code,
    reason = "a test fails by a panic, its numbers are small, and it calls a part of the example"
)]

#[path = "../examples/captures.rs"]
mod captures;

use std::io::{Cursor, Write};
use std::sync::{Arc, Mutex};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use flate2::{Compress, Compression, FlushCompress};
use sansocket_inspect::program;
use sansocket_inspect::write::{Conversation, Format, Sent};
use sansocket_tcp_streams::Sender::{self, Client, Server};
use serde_json::Value;

const TALKS: usize = 60;

/// Bytes that do not get shorter.
fn noise(talk: usize, len: usize) -> Vec<u8> {
    let mut state = talk as u64 + 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state as u8
    };
    (0..len).map(|_| next()).collect()
}

/// A conversation of this number.
fn opened(n: usize) -> Conversation {
    let mut talk = captures::opened("permessage-deflate");
    let ends = [([10, 0, 0, n as u8], 50_000).into(), talk.ends[1]];
    for sent in &mut talk.packets {
        let own = usize::from(sent.from.port() == 80);
        (sent.from, sent.to) = (ends[own], ends[1 - own]);
    }
    talk.ends = ends;
    talk
}

/// A message of a context, as RFC 7692 §7.2.1 has it.
fn compressed(from: Sender, context: &mut Compress, message: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(2 * message.len() + 1000);
    let before = context.total_in();
    context
        .compress_vec(message, &mut out, FlushCompress::Sync)
        .unwrap();
    assert_eq!(context.total_in() - before, message.len() as u64);
    assert!(out.ends_with(&[0, 0, 0xff, 0xff]));
    out.truncate(out.len() - 4);
    captures::frame(from, 0xc2, &out)
}

/// Conversations that say noise in turn, and then a part of it again, the last one first.
fn packets() -> Vec<Sent> {
    let mut talks: Vec<_> = (0..TALKS)
        .map(|n| (n, opened(n), Compress::new(Compression::fast(), false)))
        .collect();
    let mut packets = Vec::new();
    for round in 0..2 {
        for (n, talk, context) in &mut talks {
            let noise = noise(*n, 30_000);
            let message = if round == 0 {
                &noise[..]
            } else {
                &noise[500..600]
            };
            let frame = compressed(Client, context, message);
            for part in frame.chunks(1400) {
                talk.send(Client, part);
            }
            packets.append(&mut talk.packets);
        }
        talks.reverse();
    }
    packets
}

#[derive(Clone, Default)]
struct Shared(Arc<Mutex<Vec<u8>>>);

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// What is shown of a file.
fn shown(file: &[u8], how: &str, memory: &str) -> String {
    let out = Shared::default();
    let arguments = [how, "--memory", memory, "-"];
    let input = Box::new(Cursor::new(file.to_vec()));
    let outcome = program::show(&arguments, input, Box::new(out.clone()));
    assert_eq!(outcome.unwrap(), None);
    let bytes = out.0.lock().unwrap().clone();
    String::from_utf8(bytes).unwrap()
}

fn lines(file: &[u8], memory: &str) -> Vec<Value> {
    let shown = shown(file, "--json", memory);
    let lines = shown.lines();
    lines
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// What is told of the second messages, how many contexts were given up, and the sums.
fn read(file: &[u8], memory: &str) -> (Vec<Value>, usize, String) {
    let (mut second, mut given_up) = (Vec::new(), 0);
    for line in lines(file, memory) {
        given_up += usize::from(line["event"] == "context_given_up");
        if line["event"] == "message" && line["length"] == 100 {
            second.push(line);
        }
    }
    (second, given_up, shown(file, "--stats", memory))
}

/// 300,000 bytes as they are and 700,000 compressed ones, both ways, over many segments.
#[test]
fn long_messages_both_ways() {
    let mut talk = captures::opened("permessage-deflate");
    let mut said = Vec::new();
    for (n, from) in [Client, Server].into_iter().enumerate() {
        let mut context = Compress::new(Compression::fast(), false);
        let (plain, packed) = (noise(n, 300_000), noise(n + 2, 700_000));
        let frame = compressed(from, &mut context, &packed);
        assert!(frame.len() > 700_000);
        for frame in [captures::frame(from, 0x82, &plain), frame] {
            talk.send(from, &frame);
        }
        said.extend([(plain, false), (packed, true)]);
    }
    let file = Format::default().write(&talk.packets);
    let told = lines(&file, "1024");
    let told = told.iter().filter(|line| line["event"] == "message");
    let told: Vec<(Vec<u8>, bool)> = told
        .map(|line| {
            assert!(line["missing"].is_null() && line["violations"].is_null());
            let data = STANDARD.decode(line["data"].as_str().unwrap());
            (data.unwrap(), line["compressed"].as_bool().unwrap())
        })
        .collect();
    assert!(told == said, "{}", told.len());
}

#[test]
fn what_is_parked_is_read_as_before_and_what_is_given_up_is_told() {
    let file = Format::default().write(&packets());
    // All of it awake; parked, 1.8 MB of windows; more than there is room for.
    for (memory, whole) in [("100", true), ("4", true), ("1", false)] {
        let (second, given_up, sums) = read(&file, memory);
        assert_eq!(second.len(), TALKS, "{memory}");
        assert_eq!(given_up == 0, whole, "{memory}: {given_up}");
        assert_eq!(sums.contains("given up"), !whole, "{sums}");
        let mut read = 0;
        for (n, message) in second.iter().enumerate() {
            let text = noise(TALKS - 1 - n, 30_000)[500..600].to_vec();
            if let Some(data) = message["data"].as_str() {
                assert_eq!(STANDARD.decode(data).unwrap(), text, "{memory}");
                read += 1;
            } else {
                let parts = message["parts"].as_array().unwrap();
                let len = |part: &Value| {
                    part["hole"].as_u64().unwrap_or_else(|| {
                        STANDARD
                            .decode(part["data"].as_str().unwrap())
                            .unwrap()
                            .len() as u64
                    })
                };
                assert_eq!(parts.iter().map(len).sum::<u64>(), 100);
                assert!(message["missing"].is_string());
            }
        }
        assert_eq!(read == TALKS, whole, "{memory}: {read}");
        assert!(whole || read > 5, "{memory}: {read}");
    }
}
