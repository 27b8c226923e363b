//! Against `flate2` on miniz_oxide, which shares no code with zlib-rs: what we compress it inflates, and
//! the reverse, message by message over a kept window.

use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress};
use proptest::prelude::*;
use sansocket::{ClientConfig, ServerConfig};
use sansocket::{Connection, Event, Message, OriginPolicy};
use sansocket_deflate_peer::{agreed, limits, settings};

const TAIL: [u8; 4] = [0, 0, 0xff, 0xff];
const NO_TAKEOVER: &str = "; server_no_context_takeover";

fn content() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        4 => "[a-d ]{0,30}".prop_map(String::into_bytes),
        1 => prop::collection::vec(any::<u8>(), 0..200),
        1 => (any::<u8>(), 0usize..70_000).prop_map(|(byte, n)| vec![byte; n]),
    ];
    prop::collection::vec(piece, 0..8).prop_map(|pieces| pieces.concat())
}

fn inflate(zlib: &mut Decompress, payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let input = [payload, &TAIL].concat();
    let mut at = 0;
    loop {
        out.reserve(1 << 16);
        let (read, written) = (zlib.total_in(), out.len());
        zlib.decompress_vec(&input[at..], &mut out, FlushDecompress::Sync)
            .unwrap();
        at += (zlib.total_in() - read) as usize;
        if zlib.total_in() == read && out.len() == written
            || at == input.len() && out.len() < out.capacity()
        {
            return out;
        }
    }
}

fn deflate(zlib: &mut Compress, message: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut at = 0;
    loop {
        out.reserve(message.len() + 64);
        let read = zlib.total_in();
        zlib.compress_vec(&message[at..], &mut out, FlushCompress::Sync)
            .unwrap();
        at += (zlib.total_in() - read) as usize;
        if at == message.len() && out.len() < out.capacity() {
            break;
        }
    }
    if out.ends_with(&TAIL) {
        out.truncate(out.len() - 4);
    } else {
        out.push(0);
    }
    out
}

fn frame(payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![0xc2, 127];
    match payload.len() {
        len @ 0..=125 => frame[1] = len as u8,
        len @ 126..=0xffff => {
            frame[1] = 126;
            frame.extend((len as u16).to_be_bytes());
        }
        len => frame.extend((len as u64).to_be_bytes()),
    }
    [frame, payload.to_vec()].concat()
}

/// How many conversations each way.
fn cases() -> ProptestConfig {
    let set = std::env::var("CONVERSATIONS").ok();
    ProptestConfig::with_cases(set.map_or(500, |set| set.parse().unwrap()))
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn what_we_compress(
        messages in prop::collection::vec(content(), 1..6),
        takeover in any::<bool>(),
        bits in 8u8..=15,
        level in 0u8..=9,
        mem_level in 1u8..=9,
    ) {
        let params = if takeover { "" } else { NO_TAKEOVER };
        let own = format!("{params}; level={level}; mem_level={mem_level}; server_max_window_bits={bits}");
        let config = ServerConfig::new(OriginPolicy::Application).deflate(settings(&own)).limits(limits());
        let mut ws = Connection::upgraded_server(&config, agreed(params));
        let mut zlib = Decompress::new(false);
        for message in &messages {
            ws.send(message).unwrap();
            let frame = ws.output().to_vec();
            ws.consume_output(frame.len());
            let header = match frame[1] { 126 => 4, 127 => 10, _ => 2 };
            if !takeover {
                zlib.reset(false);
            }
            prop_assert!(inflate(&mut zlib, &frame[header..]) == *message);
        }
    }

    #[test]
    fn what_flate2_compresses(
        messages in prop::collection::vec(content(), 1..6),
        takeover in any::<bool>(),
        level in 0u32..=9,
    ) {
        let params = if takeover { "" } else { NO_TAKEOVER };
        let config = ClientConfig::new().deflate(settings(params)).limits(limits());
        let mut ws = Connection::upgraded_client(&config, agreed(params));
        prop_assert!(matches!(ws.receive(&mut &mut [][..]), Some(Event::Open)));
        let mut zlib = Compress::new(Compression::new(level), false);
        for message in &messages {
            if !takeover {
                zlib.reset();
            }
            let mut frame = frame(&deflate(&mut zlib, message));
            let Some(Event::Message(Message::Binary(bytes))) = ws.receive(&mut &mut frame[..]) else {
                panic!("not a message");
            };
            prop_assert!(*bytes == **message);
        }
    }
}
