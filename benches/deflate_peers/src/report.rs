//! Tables, on the terminal as they are measured and in the end as Markdown.

use std::fmt::Write as _;
use std::path::Path;

use crate::machine;

pub struct Row {
    pub setting: String,
    /// Of ours, a message.
    pub nanos: f64,
    /// The floor first: name, nanoseconds a message, and the median of ours over theirs, round by round.
    pub others: Vec<(&'static str, f64, f64)>,
}

pub struct Table {
    title: String,
    rows: Vec<Row>,
}

impl Table {
    pub fn new(title: String) -> Self {
        println!("\n{title}");
        Self {
            title,
            rows: Vec::new(),
        }
    }

    pub fn add(&mut self, row: Row) {
        print!("  {:<24} {:>9}", row.setting, nanos(row.nanos));
        for (name, time, ratio) in &row.others {
            print!("   {name} {} ({ratio:.2})", nanos(*time));
        }
        println!();
        self.rows.push(row);
    }
}

/// Nanoseconds a KiB, and what is left of a byte.
pub struct Level {
    pub level: u8,
    pub compress: f64,
    pub decompress: f64,
    pub size: f64,
}

#[derive(Default)]
pub struct Report {
    tables: Vec<Table>,
    levels: Vec<(String, Vec<Level>)>,
}

/// What the protocol may take beside zlib-rs.
const MOST: f64 = 1.05;

/// Ratios that are less apart are not: it is what they differ from run to run.
const SAME: f64 = 1.02;

impl Report {
    pub fn add(&mut self, table: Table) {
        self.tables.push(table);
    }

    pub fn levels(&mut self, size: &str, takeover: bool, levels: Vec<Level>) {
        let takeover = if takeover { "kept" } else { "dropped" };
        let title = format!("{size}, context {takeover}");
        println!("\n{title}: ns a KiB to compress, to decompress, size");
        for level in &levels {
            println!(
                "  level {} {:>9.0} {:>9.0} {:>6.1} %",
                level.level,
                level.compress,
                level.decompress,
                level.size * 100.0
            );
        }
        self.levels.push((title, levels));
    }

    fn rows(&self) -> impl Iterator<Item = &Row> {
        self.tables.iter().flat_map(|table| &table.rows)
    }

    pub fn finish(&self, write: bool) {
        let text = self.verdict();
        println!("\n{text}");
        if !write {
            return;
        }
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deflate.md");
        match std::fs::write(path, self.markdown(&text)) {
            Ok(()) => println!("wrote benches/deflate.md"),
            Err(error) => println!("benches/deflate.md was not written: {error}"),
        }
    }

    /// Every row against the floor and the fastest peer.
    fn verdict(&self) -> String {
        let rows = self.rows().count();
        let over = |row: &&Row| row.others[0].2 > MOST;
        let behind = |row: &&Row| row.others[1..].iter().any(|other| other.2 > SAME);
        let (over, behind) = (
            self.rows().filter(over).count(),
            self.rows().filter(behind).count(),
        );
        let worst = self.rows().map(|row| row.others[0].2).fold(0.0, f64::max);
        format!(
            "{rows} rows: more than 5 % over zlib-rs in {over} (at most {:+.1} %), a peer more than 2 % faster in {behind}.",
            (worst - 1.0) * 100.0
        )
    }

    fn markdown(&self, verdict: &str) -> String {
        let mut out = String::from("# Compression beside plain zlib-rs, and beside peers\n\n");
        let _ = writeln!(
            out,
            "Written by `cargo run --release --manifest-path benches/deflate_peers/Cargo.toml`.\n\n{}.\n\n{}.\n\n{INTRODUCTION}\n{verdict}",
            machine::describe(),
            machine::versions(include_str!("../Cargo.toml"))
        );
        for table in &self.tables {
            let _ = writeln!(
                out,
                "\n## {}\n\n| setting | sansocket | zlib-rs | over it | yawc | sockudo-ws | wtx |\n|---|---:|---:|---:|---:|---:|---:|",
                table.title
            );
            for row in &table.rows {
                let (_, floor, over) = row.others[0];
                let _ = write!(
                    out,
                    "| {} | {} | {} | {:+.1} % |",
                    row.setting,
                    nanos(row.nanos),
                    nanos(floor),
                    (over - 1.0) * 100.0
                );
                for name in ["yawc", "sockudo-ws", "wtx"] {
                    let peer = row.others.iter().find(|other| other.0 == name);
                    let text = peer.map_or("–".into(), |(_, time, ratio)| {
                        format!("{} ({:.2} ×)", nanos(*time), 1.0 / ratio)
                    });
                    let _ = write!(out, " {text} |");
                }
                out.push('\n');
            }
        }
        out.push_str("\n## What a level costs\n\nNanoseconds a KiB of JSON, and what is left of it on the wire.\n");
        for (title, levels) in &self.levels {
            let _ = writeln!(
                out,
                "\n### {title}\n\n| level | compress | decompress | size |\n|---|---:|---:|---:|"
            );
            for level in levels {
                let _ = writeln!(
                    out,
                    "| {} | {:.0} | {:.0} | {:.1} % |",
                    level.level,
                    level.compress,
                    level.decompress,
                    level.size * 100.0
                );
            }
        }
        out
    }
}

const INTRODUCTION: &str = "In memory, no sockets, one process, CPU time, default target-cpu; the median of 101 rounds in turns, and \
the median of the ratios of each round. All are on zlib-rs, `mem_level` 8. The floor is zlib-rs itself: the same bytes, settings and resets, \
with the tail put on or taken off, in buffers that are there already; what it inflates is validated as text. The context is kept or dropped \
in both directions. `2^15` is the window. A peer's ratio is its time over ours. `wtx` never keeps a context, and flushes \
without looking whether all of the message came out.\n";

fn nanos(nanos: f64) -> String {
    match nanos {
        0.0..10_000.0 => format!("{nanos:.0} ns"),
        10_000.0..10_000_000.0 => format!("{:.1} µs", nanos / 1e3),
        _ => format!("{:.1} ms", nanos / 1e6),
    }
}
