//! tungstenite and the crate with its API, side by side in memory and over TCP: `cargo run --release [-- --short]` in this
//! folder writes `results.md`.
//!
//! The two take turns in short rounds, as the machine's load has a part in all times; a figure is the median.

mod stream;

/// The same work with tungstenite.
mod with_original {
    use original as tungstenite;
    include!("work.rs");
}

/// The same work with this crate.
mod with_ours {
    use ours as tungstenite;
    include!("work.rs");
}

use std::fmt::Write as _;

const SIZES: [usize; 3] = [32, 1 << 10, 16 << 10];

const SIZES_OVER_TCP: [usize; 3] = [16 << 10, 64 << 10, 1 << 20];

/// What is done, with how many messages of a size, and what it takes in nanoseconds.
type Work = fn(usize, usize) -> u64;

const WORK: [(&str, Work, Work, [usize; 3]); 7] = [
    (
        "a server reads text",
        with_original::server_reads_text,
        with_ours::server_reads_text,
        SIZES,
    ),
    (
        "a server reads binary",
        with_original::server_reads_binary,
        with_ours::server_reads_binary,
        SIZES,
    ),
    (
        "a client reads binary",
        with_original::client_reads_binary,
        with_ours::client_reads_binary,
        SIZES,
    ),
    (
        "a server sends text",
        with_original::server_sends_text,
        with_ours::server_sends_text,
        SIZES,
    ),
    (
        "a client sends binary",
        with_original::client_sends_binary,
        with_ours::client_sends_binary,
        SIZES,
    ),
    (
        "a server echoes, one by one",
        with_original::server_echoes,
        with_ours::server_echoes,
        SIZES,
    ),
    (
        "an echo over TCP",
        with_original::echoes_over_tcp,
        with_ours::echoes_over_tcp,
        SIZES_OVER_TCP,
    ),
];

fn main() -> std::io::Result<()> {
    let short = std::env::args().any(|arg| arg == "--short");
    let (rounds, bytes, idle) = if short {
        (15, 1 << 20, 1000)
    } else {
        (101, 4 << 20, 4000)
    };
    // Memory first, while nothing was freed that could be used again.
    let memory = [with_ours::idle(idle), with_original::idle(idle)].map(|n| n as f64 / 1024.0);
    let mut report = format!(
        "# tungstenite's API over sansocket, beside tungstenite\n\n{}. Written by `cargo run --release` in this \
         folder: in memory, the last lines over TCP; medians of {rounds} rounds. tungstenite 0.30.0.\n\n\
         | nanoseconds for a message | bytes | tungstenite | sansocket-tungstenite | times as fast |\n\
         |---|---:|---:|---:|---:|\n",
        machine()
    );
    for (what, original, ours, sizes) in WORK {
        for size in sizes {
            let messages = (bytes / size).min(50_000);
            let mut times: [Vec<f64>; 3] = Default::default();
            for _ in 0..rounds {
                let theirs = original(messages, size) as f64 / messages as f64;
                let here = ours(messages, size) as f64 / messages as f64;
                for (all, time) in times.iter_mut().zip([theirs, here, theirs / here]) {
                    all.push(time);
                }
            }
            let [theirs, here, ratio] = times.map(median);
            let _ = writeln!(
                report,
                "| {what} | {size} | {theirs:.0} | {here:.0} | {ratio:.2} |"
            );
        }
    }
    let _ = write!(
        report,
        "\nResident memory of an idle connection, after one message: tungstenite {:.1} KiB, \
         sansocket-tungstenite {:.2} KiB ({idle} connections, their streams included).\n",
        memory[1], memory[0]
    );
    print!("{report}");
    if !short {
        std::fs::write(concat!(env!("CARGO_MANIFEST_DIR"), "/results.md"), report)?;
    }
    Ok(())
}

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

fn machine() -> String {
    let cpu = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let name = cpu
        .lines()
        .find_map(|line| line.strip_prefix("model name\t: "))
        .unwrap_or("?");
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    format!("{name}, {cores} cores")
}
