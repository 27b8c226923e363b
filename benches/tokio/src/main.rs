//! Echo servers over tokio side by side: `cargo run --release [-- --short]` in this folder writes
//! `results.md`.
//!
//! A server and the generator of load are processes of one thread each. What counts is the processor time
//! of the server, as the machine and the generator have the same part in all. The servers take turns
//! within each round, and each figure is the median of the rounds. `-- borrowed` prints what messages take that are
//! written from where they lie, and copied.
//!
//! | file | what of it |
//! |---|---|
//! | `servers` | the same echo on each library |
//! | `load` | connections that send frames and count what comes back |
//! | `measure` | processes, their time and their memory |
//! | `main` | which measurements, and the report |

mod load;
mod measure;
mod servers;

use std::fmt::Write as _;

use load::Ask;
use measure::{Load, Server};

/// What is loaded: its name, and what of it.
const SERVERS: [(&str, &str); 5] = [
    ("sansocket-tokio", "`recv`, `send`"),
    ("sansocket-tokio feed", "`recv`, `feed`"),
    ("tokio-tungstenite", "`next`, `send`"),
    (
        "tokio-tungstenite tuned",
        "`feed` while messages are there, then `flush`; a read buffer of 4 KiB",
    ),
    ("fastwebsockets", "`read_frame`, `write_frame`"),
];

/// No WebSocket: what a task and a socket take by themselves.
const BARE: &str = "tcp";

const CONNECTIONS: [usize; 3] = [1, 100, 5000];
const IN_FLIGHT: [usize; 2] = [1, 64];
const SIZES: [usize; 3] = [32, 1024, 16 << 10];

/// More bytes in flight than this is a test of the kernel's memory.
const MOST: usize = 512 << 20;

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match args[..] {
        ["serve", server] => servers::run(server),
        ["load", address, connections, in_flight, kind, size] => {
            let number = |text: &str| text.parse().expect("a number");
            let ask = match kind {
                "echo" => Ask::Echo(number(size)),
                _ => Ask::Answer(number(size)),
            };
            load::run(address, number(connections), number(in_flight), ask);
        }
        ["idle", address, connections] => {
            load::idle(address, connections.parse().expect("a number"))
        }
        ["row", connections, in_flight, size] => {
            let number = |text: &str| text.parse().expect("a number");
            let work = (number(connections), number(in_flight), number(size));
            row(&mut String::new(), 5, 0.5, work);
        }
        ["borrowed"] => borrowed(9, 0.5),
        ["memory"] => memory(&mut String::new(), 1),
        [] => all(3, 1.0),
        ["--short"] => all(1, 0.2),
        _ => panic!(
            "--short, row CONNECTIONS IN_FLIGHT SIZE, borrowed, memory or nothing is wanted, not {args:?}"
        ),
    }
}

fn all(rounds: usize, seconds: f64) {
    let mut report = String::from("# Echo servers over tokio\n\n");
    measure::machine(&mut report, rounds, seconds);
    memory(&mut report, rounds);
    speed(&mut report, rounds, seconds);
    let place = concat!(env!("CARGO_MANIFEST_DIR"), "/results.md");
    std::fs::write(place, report).expect("results.md can be written");
}

fn memory(report: &mut String, rounds: usize) {
    const COUNT: usize = 4000;
    report.push_str(
        "## Memory of an idle connection\n\n\
         Resident memory of the server's process, KiB a connection: 4,000 connections that are open, after one message \
         of 32 B each, and after one of 100 KB each, and some time without anything. What the kernel holds is not in it. \
         Without the last line, which is what the task and the socket take, it is the connection's own.\n\n\
         | server | open | after 32 B | after 100 KB | above the task and the socket |\n|---|---:|---:|---:|---:|\n",
    );
    let mut lines = Vec::new();
    for name in SERVERS.map(|(name, _)| name).into_iter().chain([BARE]) {
        let mut samples = vec![Vec::new(); 3];
        for _ in 0..rounds.min(3) {
            let server = Server::start(name);
            // What is there before the first connection, and once for all of them.
            let before = server.memory();
            let mut load = Load::idle(&server, COUNT);
            for (at, samples) in samples.iter_mut().enumerate() {
                if at > 0 {
                    load.exchange();
                }
                load.rest();
                samples.push((server.memory() - before) / COUNT as f64 / 1024.0);
            }
        }
        let medians: Vec<f64> = samples.iter_mut().map(|all| median(all)).collect();
        println!("{name}: {medians:.2?} KiB");
        lines.push((name, medians));
    }
    let task = lines.last().map_or(0.0, |(_, medians)| medians[1]);
    for (name, medians) in lines {
        let [open, small, large] = medians[..] else {
            continue;
        };
        let _ = writeln!(
            report,
            "| {name} | {open:.2} | {small:.2} | {large:.2} | {:.2} |",
            small - task
        );
    }
}

fn speed(report: &mut String, rounds: usize, seconds: f64) {
    report.push_str(
        "\n## Echoes for each second of the server's processor\n\n| server | how |\n|---|---|\n",
    );
    for (name, how) in SERVERS {
        let _ = writeln!(report, "| {name} | {how} |");
    }
    report.push_str(
        "\nThousands of echoes; the ratio is that of the best of ours to the best of the peers, of the same round.\n\n\
         | connections | in flight | message |",
    );
    for (name, _) in SERVERS {
        let _ = write!(report, " {name} |");
    }
    report.push_str(" ratio |\n|---:|---:|---:|");
    report.push_str(&"---:|".repeat(SERVERS.len() + 1));
    report.push('\n');
    for connections in CONNECTIONS {
        for in_flight in IN_FLIGHT {
            for size in SIZES {
                if connections * in_flight * size > MOST {
                    continue;
                }
                row(report, rounds, seconds, (connections, in_flight, size));
            }
        }
    }
}

fn row(report: &mut String, rounds: usize, seconds: f64, work: (usize, usize, usize)) {
    let (connections, in_flight, size) = work;
    let mut rates = vec![Vec::new(); SERVERS.len()];
    let mut ratios = Vec::new();
    for _ in 0..rounds {
        for (at, (name, _)) in SERVERS.iter().enumerate() {
            let server = Server::start(name);
            let mut load = Load::start(&server, connections, in_flight, Ask::Echo(size));
            load.warm_up(seconds / 4.0);
            let rate = load.measure(&server, seconds);
            rates[at].push(rate);
        }
        let last = |at: usize| rates[at].last().copied().unwrap_or_default();
        let ours = last(0).max(last(1));
        let theirs = last(2).max(last(3)).max(last(4));
        ratios.push(ours / theirs);
    }
    let _ = write!(report, "| {connections} | {in_flight} | {size} |");
    print!("{connections} x {in_flight} x {size}:");
    for all in &mut rates {
        let rate = median(all) / 1000.0;
        let _ = write!(report, " {rate:.0} |");
        print!(" {rate:.0}");
    }
    let ratio = median(&mut ratios);
    let _ = writeln!(report, " {ratio:.2} |");
    println!(", {ratio:.2}");
}

/// What a borrowed message takes that is written from where it lies, and one that is copied into the queue before:
/// answers to a short message, as of a broadcast, and echoes. The processor time of the server for each, and the median
/// of the ratios of the rounds.
fn borrowed(rounds: usize, seconds: f64) {
    const SIZES: [usize; 6] = [1 << 10, 4 << 10, 16 << 10, 32 << 10, 64 << 10, 1 << 20];
    for connections in [1, 100] {
        let answers = SIZES.map(Ask::Answer);
        let echoes = [16 << 10, 1 << 20].map(Ask::Echo);
        for ask in answers.into_iter().chain(echoes) {
            let (mut times, mut ratios) = ([vec![], vec![]], vec![]);
            for _ in 0..rounds {
                for (name, times) in ["copied", "borrowed"].iter().zip(&mut times) {
                    let server = Server::start(name);
                    let mut load = Load::start(&server, connections, 1, ask);
                    load.warm_up(seconds / 4.0);
                    times.push(1e6 / load.measure(&server, seconds));
                }
                let [copied, borrowed] = times.each_ref().map(|all| all[all.len() - 1]);
                ratios.push(borrowed / copied);
            }
            let [copied, borrowed] = times.each_mut().map(|all| median(all));
            let ratio = median(&mut ratios);
            println!(
                "{connections} x {ask:?}: {copied:.2} µs copied, {borrowed:.2} borrowed, {ratio:.3}"
            );
        }
    }
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}
