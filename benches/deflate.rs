//! permessage-deflate beside plain zlib-rs: the same bytes, the same settings, the same resets, so that
//! the difference is what the protocol around it takes (RFC 7692 §7.2).
//!
//! Messages are JSON text, 64 different ones of 1 KiB or 8 of 64 KiB, one after the other. Buffers are
//! used again on both sides, text is validated on both sides. `benches/deflate_peers` measures the
//! same in turns, with peers beside it, and writes the table `benches/deflate.md`.
#![allow(missing_docs, unreachable_pub, clippy::unwrap_used, clippy::panic)]

#[path = "common/compressed.rs"]
mod compressed;

use std::hint::black_box;
use std::time::{Duration, Instant};

use compressed::{OurReader, OurSender, PlainReader, PlainSender, Setting, messages};
use criterion::{BenchmarkId, Criterion, Throughput};

const SETTINGS: [Setting; 6] = [
    Setting::new(1, false, 15),
    Setting::new(1, true, 15),
    Setting::new(3, false, 15),
    Setting::new(3, true, 15),
    Setting::new(6, false, 15),
    Setting::new(6, true, 15),
];

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    for (len, name) in [(1 << 10, "1 KiB"), (64 << 10, "64 KiB")] {
        let messages = messages(len);
        let bytes: usize = messages.iter().map(String::len).sum();
        for way in ["compress", "decompress"] {
            let mut group = criterion.benchmark_group(format!("{way} {name} of JSON"));
            group.sample_size(20);
            group.warm_up_time(Duration::from_millis(300));
            group.measurement_time(Duration::from_millis(1500));
            group.throughput(Throughput::Bytes((bytes / messages.len()) as u64));
            for setting in SETTINGS {
                let mut run = |who: &str, work: &mut dyn FnMut()| {
                    group.bench_function(BenchmarkId::new(who, setting.name()), |b| {
                        b.iter_custom(|times| rounds(times, messages.len(), work));
                    });
                };
                if way == "compress" {
                    let mut sender = OurSender::new(setting);
                    let all = &messages;
                    run("sansocket", &mut || {
                        all.iter().for_each(|text| _ = sender.send(text));
                    });
                    let mut plain = PlainSender::new(setting);
                    run("zlib-rs", &mut || {
                        all.iter().for_each(|text| _ = plain.send(text));
                    });
                    continue;
                }
                // The second round refers to the first, as every later one does to the one before it.
                let mut sender = OurSender::new(setting);
                let mut round =
                    || -> Vec<_> { messages.iter().map(|text| sender.frame(text)).collect() };
                let (first, frames) = (round(), round());
                let mut reader = OurReader::new(setting);
                let mut plain = PlainReader::new(setting);
                for frame in &first {
                    assert_eq!(reader.read(frame), plain.read(frame));
                }
                run("sansocket", &mut || {
                    frames.iter().for_each(|frame| _ = reader.read(frame));
                });
                run("zlib-rs", &mut || {
                    frames.iter().for_each(|frame| _ = plain.read(frame));
                });
            }
            group.finish();
        }
    }
    criterion.final_summary();
}

/// The time of so many messages, as a part of whole rounds: in order, as what one refers to came before it.
fn rounds(times: u64, messages: usize, work: &mut dyn FnMut()) -> Duration {
    let rounds = times.div_ceil(messages as u64);
    let started = Instant::now();
    for _ in 0..rounds {
        black_box(&mut *work)();
    }
    started
        .elapsed()
        .mul_f64(times as f64 / (rounds * messages as u64) as f64)
}
