//! What compression takes from the heap (RFC 7692 §8; RFC 6455 §10.4).
#![cfg(feature = "deflate")]

use sansocket::ClientConfig;
use sansocket::config::{Delivery, Limits};
use sansocket::error::Failure;
use sansocket::error::{Limit, ProtocolError};
use sansocket::extension::Compress;
use sansocket::extension::{DeflatePool, PermessageDeflate};
use sansocket::{Connection, Event, Kind, Message, Negotiated, Part, ServerConfig};
use sansocket_heap::count;

const MIB: usize = 1 << 20;

/// 1 GiB of zeros as one compressed message in one frame: about a mebibyte, made while it is read.
struct Bomb {
    head: Vec<u8>,
    first: Vec<u8>,
    /// The same 1 MiB again and again: it only refers to what came before.
    again: Vec<u8>,
    last: Vec<u8>,
}

impl Bomb {
    const MIBS: usize = 1024;

    fn new(opcode: u8) -> Self {
        let config = server(
            PermessageDeflate::client(),
            Limits::trusted(),
            Delivery::Whole,
        );
        let mut sender = Connection::upgraded_server(&config, agreed(""));
        let zeros = vec![0; MIB];
        let mut part = |last| {
            let kind = Kind::Binary;
            sender
                .send_part(
                    Part::new(kind, &zeros)
                        .last_if(last)
                        .compress(Compress::Always),
                )
                .unwrap();
            let frame = sender.output().to_vec();
            sender.consume_output(frame.len());
            assert_eq!(frame[1], 126, "some hundred bytes");
            frame[4..].to_vec()
        };
        let (first, again, third, last) = (part(false), part(false), part(false), part(true));
        assert_eq!(again, third);
        let len = first.len() + (Self::MIBS - 2) * again.len() + last.len();
        assert!((MIB..5 * MIB / 4).contains(&len), "{len} bytes on the wire");
        let mut head = vec![0xc0 | opcode, 127];
        head.extend((len as u64).to_be_bytes());
        Self {
            head,
            first,
            again,
            last,
        }
    }

    fn pieces(&self) -> impl Iterator<Item = &[u8]> {
        let again = std::iter::repeat_n(&self.again[..], Self::MIBS - 2);
        [&self.head[..], &self.first]
            .into_iter()
            .chain(again)
            .chain([&self.last[..]])
    }
}

fn agreed(params: &str) -> Negotiated {
    Negotiated::new().extensions(format!("permessage-deflate{params}"))
}

fn server(deflate: PermessageDeflate, limits: Limits, delivery: Delivery) -> ServerConfig {
    ServerConfig::new(sansocket::OriginPolicy::Application)
        .deflate(deflate)
        .limits(limits)
        .delivery(delivery)
}

/// Clients read unmasked frames.
fn client(limits: Limits, delivery: Delivery) -> Connection {
    let config = ClientConfig::new()
        .deflate(PermessageDeflate::client())
        .limits(limits)
        .delivery(delivery);
    let mut ws = Connection::upgraded_client(&config, agreed(""));
    assert!(matches!(ws.receive(&mut &mut [][..]), Some(Event::Open)));
    ws
}

fn read(ws: &mut Connection, bytes: &[u8], buf: &mut [u8], mut on: impl FnMut(Event<'_>)) {
    let buf = &mut buf[..bytes.len()];
    buf.copy_from_slice(bytes);
    let mut input = buf;
    while let Some(event) = ws.receive(&mut input) {
        on(event);
    }
}

/// Gathered, it stops at the limit, and what is held is the limit and a step.
#[test]
fn a_gibibyte_stops_at_the_limit() {
    for (opcode, limit) in [
        (1, MIB),
        (2, MIB),
        (1, 16 * MIB),
        (2, 16 * MIB),
        (2, 1),
        (1, 0),
    ] {
        let bomb = Bomb::new(opcode);
        let mut limits = Limits::client();
        limits.message = limit as u64;
        let mut ws = client(limits, Delivery::Whole);
        let mut buf = vec![0; 4096];
        let (codec, step) = (100 << 10, 128 << 10);
        let (read_bytes, used) = count(|| {
            let mut failure = None;
            let mut read_bytes = 0;
            for piece in bomb.pieces() {
                read(&mut ws, piece, &mut buf, |event| match event {
                    Event::Failed(why) => failure = Some(why),
                    event => panic!("{event:?}"),
                });
                read_bytes += piece.len();
                assert!(ws.memory_held() <= limit + codec + step);
                if failure.is_some() {
                    break;
                }
            }
            let error = ProtocolError::Limit {
                limit: Limit::Message,
                value: limit as u64 + 1,
                max: limit as u64,
            };
            assert_eq!(failure, Some(Failure::Protocol(error)));
            assert_eq!(error.close_code(), 1009);
            read_bytes
        });
        // A buffer that has to move to grow stands there twice for that moment.
        assert!(used.peak <= 2 * limit + codec + step, "{limit}: {used:?}");
        // Nothing was inflated for later.
        assert!(
            read_bytes <= limit / 900 + 2 * bomb.first.len(),
            "{read_bytes}"
        );
        assert!(used.kept < 2048, "{used:?}");
    }
}

/// Streamed without any limit, memory is constant, whatever the ratio.
#[test]
fn a_gibibyte_in_chunks_takes_constant_memory() {
    for opcode in [1, 2] {
        let bomb = Bomb::new(opcode);
        let mut limits = Limits::client();
        limits.message = u64::MAX;
        let mut ws = client(limits, Delivery::Chunks);
        let mut buf = vec![0; 4096];
        let (len, used) = count(|| {
            let mut len = 0;
            for piece in bomb.pieces() {
                read(&mut ws, piece, &mut buf, |event| match event {
                    Event::Chunk(chunk) => {
                        assert!(chunk.payload.len() <= 16 << 10);
                        len += chunk.payload.len();
                    }
                    event => panic!("{event:?}"),
                });
            }
            len
        });
        assert_eq!(len, Bomb::MIBS * MIB);
        assert!(used.peak < 128 << 10, "{used:?}");
    }
}

/// The frame of a client that says "Hello" compressed.
const HELLO: [u8; 13] = [
    0xc1,
    0x87,
    1,
    2,
    3,
    4,
    0xf2 ^ 1,
    0x48 ^ 2,
    0xcd ^ 3,
    0xc9 ^ 4,
    0xc9 ^ 1,
    0x07 ^ 2,
    3,
];

/// Ten thousand connections without takeover, one message each way: idle, they hold nothing for
/// compression, and the pool holds what one of them needed at a time.
#[test]
fn ten_thousand_idle_connections() {
    const CONNECTIONS: usize = 10_000;
    let pool = DeflatePool::new(64);
    let deflate = PermessageDeflate::server().threshold(0).pool(&pool);
    let config = server(deflate, Limits::server(), Delivery::Whole);
    let no_takeover = agreed("; server_no_context_takeover; client_no_context_takeover");
    let (mut all, opened) = count(|| {
        let open = |_| {
            let mut ws = Connection::upgraded_server(&config, no_takeover.clone());
            assert!(matches!(ws.receive(&mut &mut [][..]), Some(Event::Open)));
            ws
        };
        (0..CONNECTIONS).map(open).collect::<Vec<_>>()
    });
    // What was negotiated is kept, of course: its text, and the settings of the codec.
    let each = opened.kept as usize / CONNECTIONS - size_of::<Connection>();
    assert!(each <= 384, "{each} bytes of heap for each connection");
    let (_, used) = count(|| {
        let mut spare = Vec::with_capacity(4096);
        for ws in &mut all {
            let mut bytes = HELLO;
            ws.lend_buffer(std::mem::take(&mut spare));
            let event = ws.receive(&mut &mut bytes[..]);
            let Some(Event::Message(Message::Text(text))) = event else {
                panic!("{event:?}");
            };
            assert_eq!(&*text, "Hello");
            drop(text);
            ws.send("Hello").unwrap();
            assert_eq!(ws.output(), b"\xc1\x07\xf2\x48\xcd\xc9\xc9\x07\0");
            ws.consume_output(9);
            spare = ws.take_buffer().unwrap_or_default();
        }
    });
    assert_eq!(
        pool.idle(),
        2,
        "one compressor and one decompressor were in use at once"
    );
    let held = used.kept - pool.memory_held() as isize;
    // The pool's own two queues.
    assert!(
        held.unsigned_abs() < 1024,
        "{held} bytes beside the pool's {}",
        pool.memory_held()
    );
    let idle: usize = all.iter().map(Connection::memory_held).sum();
    assert!(idle / CONNECTIONS <= each, "{idle}");
}

/// The table in `manual::compression`.
#[test]
fn the_table_is_true() {
    for (window, mem_level, bytes) in [
        (15, 8, 382_232),
        (15, 5, 281_880),
        (12, 5, 167_192),
        (9, 1, 139_416),
    ] {
        let deflate = PermessageDeflate::client()
            .server_max_window_bits(window)
            .mem_level(mem_level)
            .threshold(0)
            .pool(&DeflatePool::new(0));
        let config = server(deflate, Limits::server(), Delivery::Whole);
        let params = format!("; client_max_window_bits={window}");
        let mut ws = Connection::upgraded_server(&config, agreed(&params));
        let (_, sending) = count(|| {
            ws.send("Hello").unwrap();
            ws.consume_output(usize::MAX);
            ws.take_buffer();
        });
        near(sending.kept, bytes);
        let (_, receiving) = count(|| {
            let mut bytes = HELLO;
            let mut input = &mut bytes[..];
            while ws.receive(&mut input).is_some() {}
        });
        near(receiving.kept, 65_152);
        let mut long = sent_by_a_client(&"long ".repeat(8_000));
        let (_, more) = count(|| {
            let mut input = &mut long[..];
            while ws.receive(&mut input).is_some() {}
        });
        near(receiving.kept + more.kept, 65_152 + (1 << window));
        let (_, parked) = count(|| ws.park());
        near(-parked.kept, bytes + 65_152);
    }
}

fn sent_by_a_client(text: &str) -> Vec<u8> {
    let config = ClientConfig::new().deflate(PermessageDeflate::client());
    let mut client = Connection::upgraded_client(&config, agreed(""));
    client.send(text).unwrap();
    client.output().to_vec()
}

fn near(counted: isize, said: isize) {
    assert!(
        (counted - said).abs() <= said / 100,
        "{counted} counted, {said} said"
    );
}
