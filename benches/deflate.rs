//! permessage-deflate beside plain zlib-rs: the same bytes, the same settings, the same resets, so that
//! the difference is what the protocol around it takes (RFC 7692 §7.2).
//!
//! Messages are JSON text, 64 different ones of 1 KiB or 8 of 64 KiB, one after the other. Buffers are
//! used again on both sides, text is validated on both sides.
//!
//! While either of the two is measured both work in turns, so that whatever else the machine does meets both.
//! The line after them is the median of the ratios of these turns. `benches/deflate_peers` measures
//! the same with peers beside it, and writes the table `benches/deflate.md`.
#![allow(
    missing_docs,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a bench is no library, and fails by a panic"
)]

#[path = "common/compressed.rs"]
mod compressed;

use std::hint::black_box;
use std::rc::Rc;
use std::time::{Duration, Instant};

use compressed::{OurReader, OurSender, PlainReader, PlainSender, SETTINGS, Setting, messages};
use criterion::{BenchmarkId, Criterion, Throughput};

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    let mut over = Vec::new();
    for (len, name) in [(1 << 10, "1 KiB"), (64 << 10, "64 KiB")] {
        let messages = messages(len);
        for (way, make) in [("compress", compress as Make), ("decompress", decompress)] {
            let title = format!("{way} {name} of JSON");
            let mut group = criterion.benchmark_group(&title);
            group.sample_size(20);
            group.warm_up_time(Duration::from_millis(300));
            group.measurement_time(Duration::from_secs(1));
            group.throughput(Throughput::Bytes(len as u64));
            for setting in SETTINGS {
                let mut turns = None;
                for (i, who) in ["sansocket", "zlib-rs"].into_iter().enumerate() {
                    group.bench_function(BenchmarkId::new(who, setting.name()), |b| {
                        let turns =
                            turns.get_or_insert_with(|| Turns::new(make, setting, &messages));
                        b.iter_custom(|times| turns.take(times)[i]);
                    });
                }
                if let Some(ratio) = turns.and_then(Turns::ratio) {
                    println!(
                        "{title}, {}: {} over zlib-rs\n",
                        setting.name(),
                        percent(ratio)
                    );
                    over.push(ratio);
                }
            }
            group.finish();
        }
    }
    criterion.final_summary();
    if let Some(most) = over.iter().copied().reduce(f64::max) {
        let too_much = over.iter().filter(|&&ratio| ratio > 1.05).count();
        println!(
            "{} of {} more than 5 % over zlib-rs, {} at most",
            too_much,
            over.len(),
            percent(most)
        );
    }
}

fn percent(ratio: f64) -> String {
    format!("{:+.1} %", (ratio - 1.0) * 100.0)
}

/// Ours and plain zlib-rs, each of which goes once through all messages.
type Pair = [Box<dyn FnMut()>; 2];
type Make = fn(Setting, &[String]) -> Pair;

fn compress(setting: Setting, messages: &[String]) -> Pair {
    let mut ours = OurSender::new(setting);
    let mut plain = PlainSender::new(setting);
    let texts: Rc<[String]> = messages.iter().cloned().collect();
    let same = Rc::clone(&texts);
    [
        Box::new(move || texts.iter().for_each(|text| _ = ours.send(text))),
        Box::new(move || same.iter().for_each(|text| _ = plain.send(text))),
    ]
}

fn decompress(setting: Setting, messages: &[String]) -> Pair {
    // The second round refers to the first, as every later one does to the one before it.
    let mut sender = OurSender::new(setting);
    let mut round = || -> Vec<_> { messages.iter().map(|text| sender.frame(text)).collect() };
    let (first, frames) = (round(), Rc::new(round()));
    let mut ours = OurReader::new(setting);
    let mut plain = PlainReader::new(setting);
    for frame in &first {
        assert_eq!(ours.read(frame), plain.read(frame));
    }
    let same = Rc::clone(&frames);
    [
        Box::new(move || frames.iter().for_each(|frame| _ = ours.read(frame))),
        Box::new(move || same.iter().for_each(|frame| _ = plain.read(frame))),
    ]
}

/// How many pairs there are, each with memory and messages of its own. How these lie to each other makes
/// some percent of what one takes.
const PLACES: usize = 16;

/// Bytes from one place to the next: over some pages, and in none at the same place.
const MOVE: usize = 1_840;

/// Bytes of a turn at least.
const TURN: usize = 512 << 10;

struct Turns {
    pairs: Vec<Pair>,
    next: usize,
    /// Rounds through all messages in a turn, and messages in it.
    rounds: usize,
    messages: usize,
    /// Of each turn, ours over zlib-rs's.
    ratios: Vec<f64>,
}

impl Turns {
    fn new(make: Make, setting: Setting, messages: &[String]) -> Self {
        let bytes: usize = messages.iter().map(String::len).sum();
        let rounds = TURN.div_ceil(bytes);
        let place = |i| {
            let moved = black_box(vec![0_u8; i * MOVE]);
            let pair = make(setting, messages);
            drop(moved);
            pair
        };
        Self {
            pairs: (0..PLACES).map(place).collect(),
            next: 0,
            rounds,
            messages: rounds * messages.len(),
            ratios: Vec::new(),
        }
    }

    /// What so many messages take, as a part of whole turns: in order, as what one refers to came before it.
    fn take(&mut self, times: u64) -> [Duration; 2] {
        let turns = times.div_ceil(self.messages as u64);
        let mut sums = [Duration::ZERO; 2];
        for _ in 0..turns {
            let pair = &mut self.pairs[self.next % PLACES];
            let mut took = [Duration::ZERO; 2];
            for i in 0..2 {
                // Each is the first one in every other turn of a place.
                let i = (i + self.next / PLACES) % 2;
                // What the others left in the caches is not its own.
                pair[i]();
                let started = Instant::now();
                (0..self.rounds).for_each(|_| black_box(&mut pair[i])());
                took[i] = started.elapsed();
                sums[i] += took[i];
            }
            self.next += 1;
            self.ratios
                .push(took[0].as_secs_f64() / took[1].as_secs_f64());
        }
        let part = times as f64 / (turns * self.messages as u64) as f64;
        sums.map(|sum| sum.mul_f64(part))
    }

    /// The median; `None` if there were too few for one, as in a trial run.
    fn ratio(mut self) -> Option<f64> {
        self.ratios.sort_by(f64::total_cmp);
        let middle = self.ratios.get(self.ratios.len() / 2);
        middle.copied().filter(|_| self.ratios.len() > 2 * PLACES)
    }
}
