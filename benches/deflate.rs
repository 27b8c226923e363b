//! permessage-deflate beside plain zlib-rs: the same bytes, the same settings, the same resets, so that
//! the difference is what the protocol around it takes (RFC 7692 §7.2).
//!
//! Messages are JSON text, 64 different ones of 1 KiB or 8 of 64 KiB, one after the other. Buffers are
//! used again on both sides, text is validated on both sides. A table at the end says the overhead,
//! measured in turns so that what else the machine does falls on both.
#![allow(missing_docs, clippy::unwrap_used, clippy::panic, clippy::print_stdout)]

use std::fmt::Write;
use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion, Throughput};
use sansocket::config::{ClientConfig, Limits, ServerConfig};
use sansocket::extension::PermessageDeflate;
use sansocket::{Connection, Event, Message, Negotiated, OriginPolicy};
use zlib_rs::{Deflate, DeflateConfig, DeflateFlush, Inflate, InflateFlush};

const TAIL: [u8; 4] = [0, 0, 0xff, 0xff];

#[derive(Clone, Copy)]
struct Setting {
    level: u8,
    takeover: bool,
}

const SETTINGS: [Setting; 6] = [
    Setting {
        level: 1,
        takeover: false,
    },
    Setting {
        level: 1,
        takeover: true,
    },
    Setting {
        level: 3,
        takeover: false,
    },
    Setting {
        level: 3,
        takeover: true,
    },
    Setting {
        level: 6,
        takeover: false,
    },
    Setting {
        level: 6,
        takeover: true,
    },
];

impl Setting {
    fn name(self) -> String {
        let takeover = if self.takeover {
            "takeover"
        } else {
            "no takeover"
        };
        format!("level {}, {takeover}", self.level)
    }

    fn deflate(self) -> PermessageDeflate {
        PermessageDeflate::client().level(self.level)
    }

    fn agreed(self) -> Negotiated {
        let params = if self.takeover {
            ""
        } else {
            "; server_no_context_takeover; client_no_context_takeover"
        };
        Negotiated::new().extensions(format!("permessage-deflate{params}"))
    }

    fn server(self) -> Connection {
        let mut limits = Limits::server();
        limits.output = u32::MAX;
        let config = ServerConfig::new(OriginPolicy::Application)
            .deflate(self.deflate())
            .limits(limits);
        opened(Connection::upgraded_server(&config, self.agreed()))
    }

    /// Its frames are read unmasked.
    fn client(self) -> Connection {
        let config = ClientConfig::new().deflate(self.deflate());
        opened(Connection::upgraded_client(&config, self.agreed()))
    }
}

fn opened(mut ws: Connection) -> Connection {
    assert!(matches!(ws.receive(&mut &mut [][..]), Some(Event::Open)));
    ws
}

/// What applications send: keys that come again, numbers and words that differ.
fn messages(len: usize) -> Vec<String> {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut random = |below: u64| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 20) % below
    };
    let words = [
        "alpha",
        "grüße",
        "temperature",
        "pending",
        "Zürich",
        "open",
        "closed",
        "x",
    ];
    let count = if len < 10_000 { 64 } else { 8 };
    let message = |_| {
        let mut text = String::from("{\"items\":[");
        while text.len() + 110 < len {
            let word = words[random(8) as usize];
            let (id, price) = (random(1_000_000), random(100_000));
            let (flag, at) = (random(2) == 0, random(1 << 40));
            let _ = write!(
                text,
                "{{\"id\":{id},\"name\":\"{word}\",\"price\":{}.{:02},\"active\":{flag},\"at\":{at}}},",
                price / 100,
                price % 100
            );
        }
        text.pop();
        text + "]}"
    };
    (0..count).map(message).collect()
}

// ── out

struct Sender {
    ws: Connection,
}

impl Sender {
    fn send(&mut self, text: &str) -> usize {
        self.ws.send(text).unwrap();
        let len = black_box(self.ws.output()).len();
        self.ws.consume_output(len);
        len
    }
}

struct PlainSender {
    zlib: Deflate,
    takeover: bool,
    out: Vec<u8>,
}

impl PlainSender {
    fn new(setting: Setting) -> Self {
        Self {
            zlib: Deflate::new_with_config(DeflateConfig {
                level: setting.level.into(),
                window_bits: -15,
                ..DeflateConfig::default()
            }),
            takeover: setting.takeover,
            out: vec![0; 1 << 20],
        }
    }

    fn send(&mut self, text: &str) -> usize {
        let before = self.zlib.total_out();
        let flush = DeflateFlush::SyncFlush;
        self.zlib
            .compress(text.as_bytes(), &mut self.out, flush)
            .unwrap();
        let len = (self.zlib.total_out() - before) as usize - TAIL.len();
        black_box(&self.out[..len]);
        if !self.takeover {
            self.zlib.reset();
        }
        len
    }
}

// ── in

struct Reader {
    ws: Connection,
    buf: Vec<u8>,
}

impl Reader {
    fn read(&mut self, frame: &[u8]) -> usize {
        let buf = &mut self.buf[..frame.len()];
        buf.copy_from_slice(frame);
        let mut input = buf;
        match self.ws.receive(&mut input) {
            Some(Event::Message(Message::Text(text))) => {
                let text = black_box(text).into_string();
                let len = text.len();
                self.ws.recycle(text.into_bytes());
                len
            }
            event => panic!("{event:?}"),
        }
    }
}

struct PlainReader {
    zlib: Inflate,
    takeover: bool,
    buf: Vec<u8>,
    out: Vec<u8>,
}

impl PlainReader {
    fn new(setting: Setting) -> Self {
        Self {
            zlib: Inflate::new(false, 15),
            takeover: setting.takeover,
            buf: vec![0; 1 << 20],
            out: vec![0; 1 << 20],
        }
    }

    /// The payload with its tail, as a whole.
    fn read(&mut self, payload: &[u8]) -> usize {
        let buf = &mut self.buf[..payload.len()];
        buf.copy_from_slice(payload);
        let before = self.zlib.total_out();
        let flush = InflateFlush::SyncFlush;
        self.zlib.decompress(buf, &mut self.out, flush).unwrap();
        let len = (self.zlib.total_out() - before) as usize;
        let mut utf8 = sansocket::utf8::Validator::new();
        black_box(utf8.push(&self.out[..len]).unwrap());
        if !self.takeover {
            self.zlib.reset(false);
        }
        len
    }
}

/// The frames of these messages, as they are once the window is full, and the payloads with their tails.
fn frames(setting: Setting, messages: &[String]) -> (Vec<Vec<u8>>, Vec<Vec<u8>>) {
    let mut ws = setting.server();
    let mut round = || {
        let frame = |text: &String| {
            ws.send(text).unwrap();
            let frame = ws.output().to_vec();
            ws.consume_output(frame.len());
            frame
        };
        messages.iter().map(frame).collect::<Vec<_>>()
    };
    round();
    let frames = round();
    let payload = |frame: &Vec<u8>| {
        let header = if frame[1] < 126 { 2 } else { 4 };
        [&frame[header..], &TAIL].concat()
    };
    let payloads = frames.iter().map(payload).collect();
    (frames, payloads)
}

/// Before the first of these frames there has to be what they refer to.
fn fill_windows(
    setting: Setting,
    messages: &[String],
    reader: &mut Reader,
    plain: &mut PlainReader,
) {
    let mut ws = setting.server();
    for text in messages {
        ws.send(text).unwrap();
        let frame = ws.output().to_vec();
        ws.consume_output(frame.len());
        reader.read(&frame);
        let header = if frame[1] < 126 { 2 } else { 4 };
        plain.read(&[&frame[header..], &TAIL].concat());
    }
}

/// One after the other, again and again.
struct Cycle(usize);

impl Cycle {
    fn next<'v>(&mut self, values: &'v [String]) -> &'v str {
        self.0 += 1;
        &values[(self.0 - 1) % values.len()]
    }
}

/// Two ways to do one round of work, measured in turns: the median of how much longer the first takes.
fn overhead(rounds: usize, mut ours: impl FnMut(), mut floor: impl FnMut()) -> (f64, Duration) {
    let time = |work: &mut dyn FnMut()| {
        let started = Instant::now();
        work();
        started.elapsed()
    };
    let mut ratios = Vec::new();
    let mut best = Duration::MAX;
    for _ in 0..rounds {
        let (a, b) = (time(&mut ours), time(&mut floor));
        let (c, d) = (time(&mut floor), time(&mut ours));
        let (ours, floor) = (a.min(d), b.min(c));
        ratios.push(ours.as_secs_f64() / floor.as_secs_f64());
        best = best.min(ours);
    }
    ratios.sort_by(f64::total_cmp);
    ((ratios[rounds / 2] - 1.0) * 100.0, best)
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    let testing = std::env::args().any(|arg| arg == "--test");
    let mut table = String::new();
    for (len, name) in [(1 << 10, "1 KiB"), (64 << 10, "64 KiB")] {
        let messages = messages(len);
        let bytes: usize = messages.iter().map(String::len).sum();
        let mut group = criterion.benchmark_group(format!("compress {name} of JSON"));
        group.sample_size(20);
        group.warm_up_time(Duration::from_millis(300));
        group.measurement_time(Duration::from_millis(1500));
        group.throughput(Throughput::Bytes((bytes / messages.len()) as u64));
        for setting in SETTINGS {
            let mut sender = Sender {
                ws: setting.server(),
            };
            let mut plain = PlainSender::new(setting);
            let (mut i, mut j) = (Cycle(0), Cycle(0));
            group.bench_function(BenchmarkId::new("sansocket", setting.name()), |b| {
                b.iter(|| sender.send(i.next(&messages)));
            });
            group.bench_function(BenchmarkId::new("zlib-rs", setting.name()), |b| {
                b.iter(|| plain.send(j.next(&messages)));
            });
            let (over, time) = overhead(
                if testing { 1 } else { 101 },
                || messages.iter().for_each(|text| _ = sender.send(text)),
                || messages.iter().for_each(|text| _ = plain.send(text)),
            );
            let each = time / messages.len() as u32;
            let _ = writeln!(
                table,
                "compress   {name:>6} {:<20} {each:>9.1?} {over:>5.1} %",
                setting.name()
            );
        }
        group.finish();
        let mut group = criterion.benchmark_group(format!("decompress {name} of JSON"));
        group.sample_size(20);
        group.warm_up_time(Duration::from_millis(300));
        group.measurement_time(Duration::from_millis(1500));
        group.throughput(Throughput::Bytes((bytes / messages.len()) as u64));
        for setting in SETTINGS {
            let (frames, payloads) = frames(setting, &messages);
            let mut reader = Reader {
                ws: setting.client(),
                buf: vec![0; 1 << 20],
            };
            let mut plain = PlainReader::new(setting);
            fill_windows(setting, &messages, &mut reader, &mut plain);
            let round = |read: &mut dyn FnMut(&Vec<u8>) -> usize, values: &[Vec<u8>]| {
                values.iter().map(read).sum::<usize>()
            };
            assert_eq!(round(&mut |frame| reader.read(frame), &frames), bytes);
            assert_eq!(round(&mut |payload| plain.read(payload), &payloads), bytes);
            let (over, time) = overhead(
                if testing { 1 } else { 101 },
                || frames.iter().for_each(|frame| _ = reader.read(frame)),
                || payloads.iter().for_each(|payload| _ = plain.read(payload)),
            );
            let each = time / messages.len() as u32;
            let _ = writeln!(
                table,
                "decompress {name:>6} {:<20} {each:>9.1?} {over:>5.1} %",
                setting.name()
            );
            // In order: what one refers to came before it.
            group.bench_function(BenchmarkId::new("sansocket", setting.name()), |b| {
                b.iter_custom(|times| in_order(times, &frames, |frame| reader.read(frame)));
            });
            group.bench_function(BenchmarkId::new("zlib-rs", setting.name()), |b| {
                b.iter_custom(|times| in_order(times, &payloads, |payload| plain.read(payload)));
            });
        }
        group.finish();
    }
    println!("\nover plain zlib-rs, time of one message:\n{table}");
    criterion.final_summary();
}

/// The time of so many messages, as a part of whole rounds.
fn in_order(times: u64, values: &[Vec<u8>], mut read: impl FnMut(&[u8]) -> usize) -> Duration {
    let rounds = times.div_ceil(values.len() as u64);
    let started = Instant::now();
    for _ in 0..rounds {
        for value in values {
            black_box(read(value));
        }
    }
    let all = rounds * values.len() as u64;
    started.elapsed().mul_f64(times as f64 / all as f64)
}
