//! Compressed messages by `sansocket`, by plain zlib-rs (the floor: the same bytes, settings and
//! resets), and by the crates that have compression, in turns in one process, in CPU time. All are
//! on zlib-rs. How the memory of a program lies makes a difference of some percent for all of its
//! life, so the program starts itself again and again, each time with everything in another
//! place, and what is told is the median of the starts.
//! Writes `benches/deflate.md`.
//!
//! ```sh
//! cargo run --release --manifest-path benches/deflate_peers/Cargo.toml             # two minutes
//! cargo run --release --manifest-path benches/deflate_peers/Cargo.toml -- --short  # writes nothing
//! ```

#[path = "../../common/compressed.rs"]
mod compressed;
#[path = "../../peers/src/cpu.rs"]
mod cpu;
#[path = "../../peers/src/machine.rs"]
mod machine;
mod peer;
mod peers;
mod report;

use std::process::{Command, ExitCode, Stdio};

use compressed::{OurReader, OurSender, PlainReader, PlainSender, SETTINGS, Setting, messages};
use cpu::timed;
use peer::{Reader, Sender, Text};
use peers::{Sockudo, Wtx, Yawc};
use report::{Level, Other, Report, Row, Table, median};

const SIZES: [(usize, &str); 2] = [(1 << 10, "1 KiB"), (64 << 10, "64 KiB")];

/// How often the program is started, and how many turns each way of doing it has then.
const STARTS: usize = 9;
const ROUNDS: usize = 21;

fn main() -> ExitCode {
    let (starts, rounds) = match std::env::args().nth(1).as_deref() {
        None => (STARTS, ROUNDS),
        Some("--short") => (1, 3),
        Some(ONE_START) => {
            let number = |n| -> usize { std::env::args().nth(n).unwrap().parse().unwrap() };
            let (start, rounds) = (number(2), number(3));
            // Moves all that is allocated later; what lies in pages of its own does not move.
            let moved = std::hint::black_box(vec![0_u8; start * MOVE]);
            tables(rounds).iter().for_each(Table::tell);
            drop(moved);
            return ExitCode::SUCCESS;
        }
        Some(_) => {
            println!("deflate-peers [--short]");
            return ExitCode::SUCCESS;
        }
    };
    let starts: Vec<Vec<Table>> = (0..starts).map(|i| start(i, rounds)).collect();
    let mut report = Report::new(Table::medians(&starts));
    for (len, name) in SIZES {
        let messages: Vec<Text> = messages(len).into_iter().map(Text::from).collect();
        for takeover in [false, true] {
            let levels = (0..=9).map(|level| {
                let setting = Setting::new(level, takeover, 15);
                measured(setting, &messages, rounds)
            });
            report.levels(name, takeover, levels.collect());
        }
    }
    report.finish(starts.len() > 1);
    ExitCode::SUCCESS
}

/// Measure and tell, for the process that started this one: which start it is, and how many rounds.
const ONE_START: &str = "--one-start";

/// Bytes from one start to the next: over some pages, and in none at the same place.
const MOVE: usize = 1_840;

/// The tables as another process measures them.
fn start(i: usize, rounds: usize) -> Vec<Table> {
    let program = std::env::current_exe().unwrap();
    let mut command = Command::new(program);
    let output = command
        .args([ONE_START, &i.to_string(), &rounds.to_string()])
        .stderr(Stdio::inherit())
        .output();
    let output = output.unwrap();
    assert!(output.status.success(), "{}", output.status);
    Table::told(&String::from_utf8(output.stdout).unwrap())
}

fn tables(rounds: usize) -> Vec<Table> {
    let mut tables = Vec::new();
    for (len, name) in SIZES {
        let messages: Vec<Text> = messages(len).into_iter().map(Text::from).collect();
        let ways = [
            ("Compress", compress as fn(Setting, &[Text], usize) -> Row),
            ("Decompress", decompress),
        ];
        for (way, measure) in ways {
            let rows = SETTINGS.map(|setting| measure(setting, &messages, rounds));
            tables.push(Table::new(format!("{way} {name} of JSON"), rows.into()));
        }
    }
    tables
}

/// A way to go once through all messages.
type Work<'w> = (&'static str, Box<dyn FnMut() + 'w>);

/// Bytes of one turn at least: what another one left in the caches and in the predictor of branches
/// is a small part of it then.
const TURN: usize = 256 << 10;

/// The first is the floor, the second ours. Nanoseconds a message.
fn turns(setting: Setting, messages: &[Text], rounds: usize, mut works: Vec<Work<'_>>) -> Row {
    let bytes: usize = messages.iter().map(|text| text.text.len()).sum();
    let passes = TURN.div_ceil(bytes);
    let each = 1e9 / (passes * messages.len()) as f64;
    let n = works.len();
    let mut times = vec![Vec::new(); n];
    for round in 0..=rounds {
        for i in 0..n {
            // Not always the same one after the same other: each one first, forwards and backwards.
            let i = (i + round / 2) % n;
            let i = if round % 2 == 0 { i } else { n - 1 - i };
            let work = &mut works[i].1;
            let took = timed(|| (0..passes).for_each(|_| work())).as_secs_f64() * each;
            // The first turn is not counted.
            if round > 0 {
                times[i].push(took);
            }
        }
    }
    let ratio = |i: usize| {
        let pairs = times[1].iter().zip(&times[i]);
        median(pairs.map(|(ours, other)| ours / other).collect())
    };
    Row {
        setting: setting.name(),
        nanos: median(times[1].clone()),
        others: (0..n)
            .filter(|&i| i != 1)
            .map(|i| Other {
                name: works[i].0.into(),
                nanos: median(times[i].clone()),
                ratio: ratio(i),
            })
            .collect(),
    }
}

fn compress(setting: Setting, messages: &[Text], rounds: usize) -> Row {
    let mut senders: Vec<(&'static str, Box<dyn Sender>)> = vec![
        ("zlib-rs", Box::new(PlainSender::new(setting))),
        ("sansocket", Box::new(OurSender::new(setting))),
        ("yawc", Box::new(Yawc::new(setting, yawc::Role::Server))),
        ("sockudo-ws", Box::new(Sockudo::new(setting, true))),
    ];
    if let Some(wtx) = Wtx::<false>::new(setting) {
        senders.push(("wtx", Box::new(wtx)));
    }
    let plain: usize = messages.iter().map(|text| text.text.len()).sum();
    let works = senders.into_iter().map(|(name, mut sender)| {
        let work = move || {
            let sent: usize = messages.iter().map(|text| sender.send(text)).sum();
            assert!(
                sent * 4 < plain * 3,
                "{name} does not compress: {sent} bytes"
            );
        };
        (name, Box::new(work) as Box<dyn FnMut() + '_>)
    });
    turns(setting, messages, rounds, works.collect())
}

fn decompress(setting: Setting, messages: &[Text], rounds: usize) -> Row {
    let mut sender = OurSender::new(setting);
    let mut round = || -> Vec<Vec<u8>> {
        messages
            .iter()
            .map(|text| sender.frame(&text.text))
            .collect()
    };
    // The second round refers to the first, as every later one does to the one before it.
    let (first, frames) = (round(), round());
    let frames = &frames;
    let mut readers: Vec<(&'static str, Box<dyn Reader>)> = vec![
        ("zlib-rs", Box::new(PlainReader::new(setting))),
        ("sansocket", Box::new(OurReader::new(setting))),
        ("yawc", Box::new(Yawc::new(setting, yawc::Role::Client))),
        ("sockudo-ws", Box::new(Sockudo::new(setting, false))),
    ];
    if let Some(wtx) = Wtx::<true>::new(setting) {
        readers.push(("wtx", Box::new(wtx)));
    }
    let works = readers.into_iter().map(|(name, mut reader)| {
        for frame in &first {
            reader.read(frame);
        }
        let work = move || {
            for (frame, text) in frames.iter().zip(messages) {
                assert_eq!(reader.read(frame), text.text.len(), "{name}");
            }
        };
        (name, Box::new(work) as Box<dyn FnMut() + '_>)
    });
    turns(setting, messages, rounds, works.collect())
}

/// What a level costs, and what it gains.
fn measured(setting: Setting, messages: &[Text], rounds: usize) -> Level {
    let mut sender = OurSender::new(setting);
    let mut reader = OurReader::new(setting);
    let bytes: usize = messages.iter().map(|text| text.text.len()).sum();
    let (mut out, mut back) = (Vec::new(), Vec::new());
    let mut sent = 0;
    for round in 0..=rounds {
        let mut frames = Vec::new();
        let took = timed(|| frames.extend(messages.iter().map(|text| sender.frame(&text.text))));
        let took_back = timed(|| frames.iter().for_each(|frame| _ = reader.read(frame)));
        sent = frames.iter().map(Vec::len).sum();
        if round > 0 {
            let each = |took: std::time::Duration| took.as_secs_f64() * 1e9 * 1024.0 / bytes as f64;
            out.push(each(took));
            back.push(each(took_back));
        }
    }
    Level {
        level: setting.level,
        compress: median(out),
        decompress: median(back),
        size: sent as f64 / bytes as f64,
    }
}
