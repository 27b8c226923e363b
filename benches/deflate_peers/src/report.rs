//! Tables, on the terminal as they are measured and in the end as Markdown.

use std::fmt::Write as _;
use std::path::Path;

use crate::machine;

pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

pub struct Row {
    pub setting: String,
    /// Of ours, a message.
    pub nanos: f64,
    /// The floor first.
    pub others: Vec<Other>,
}

pub struct Other {
    pub name: String,
    /// A message.
    pub nanos: f64,
    /// The median of ours over theirs, round by round.
    pub ratio: f64,
}

pub struct Table {
    title: String,
    rows: Vec<Row>,
}

impl Table {
    pub fn new(title: String, rows: Vec<Row>) -> Self {
        Self { title, rows }
    }

    /// Writes it to standard output, for [`told`](Self::told) of the process that started this one.
    pub fn tell(&self) {
        println!("{}", self.title);
        for row in &self.rows {
            print!("\t{}\t{}", row.setting, row.nanos);
            for Other { name, nanos, ratio } in &row.others {
                print!("\t{name}\t{nanos}\t{ratio}");
            }
            println!();
        }
    }

    /// The tables of that text.
    pub fn told(text: &str) -> Vec<Self> {
        let mut tables: Vec<Self> = Vec::new();
        for line in text.lines() {
            let Some(row) = line.strip_prefix('\t') else {
                tables.push(Self::new(line.into(), Vec::new()));
                continue;
            };
            let cells: Vec<&str> = row.split('\t').collect();
            let others = cells[2..].chunks(3).map(|cells| Other {
                name: cells[0].into(),
                nanos: cells[1].parse().unwrap(),
                ratio: cells[2].parse().unwrap(),
            });
            tables.last_mut().unwrap().rows.push(Row {
                setting: cells[0].into(),
                nanos: cells[1].parse().unwrap(),
                others: others.collect(),
            });
        }
        tables
    }

    /// The same tables with the median of each figure, on the terminal too.
    pub fn medians(starts: &[Vec<Self>]) -> Vec<Self> {
        let table = |t: usize| {
            let first = &starts[0][t];
            println!("\n{}", first.title);
            let rows = (0..first.rows.len()).map(|r| {
                let rows: Vec<&Row> = starts.iter().map(|tables| &tables[t].rows[r]).collect();
                Row::medians(&rows)
            });
            Self::new(first.title.clone(), rows.collect())
        };
        (0..starts[0].len()).map(table).collect()
    }
}

impl Row {
    fn medians(starts: &[&Self]) -> Self {
        let of =
            |figure: &dyn Fn(&Self) -> f64| median(starts.iter().map(|row| figure(row)).collect());
        let others = starts[0].others.iter().enumerate().map(|(i, other)| Other {
            name: other.name.clone(),
            nanos: of(&|row| row.others[i].nanos),
            ratio: of(&|row| row.others[i].ratio),
        });
        let row = Self {
            setting: starts[0].setting.clone(),
            nanos: of(&|row| row.nanos),
            others: others.collect(),
        };
        print!("  {:<24} {:>9}", row.setting, nanos(row.nanos));
        for other in &row.others {
            print!(
                "   {} {} ({:.2})",
                other.name,
                nanos(other.nanos),
                other.ratio
            );
        }
        println!();
        row
    }
}

/// Nanoseconds a KiB, and what is left of a byte.
pub struct Level {
    pub level: u8,
    pub compress: f64,
    pub decompress: f64,
    pub size: f64,
}

pub struct Report {
    tables: Vec<Table>,
    levels: Vec<(String, Vec<Level>)>,
}

/// What the protocol may take beside zlib-rs.
const MOST: f64 = 1.05;

/// Ratios that are less apart are not: it is what they differ from run to run.
const SAME: f64 = 1.02;

impl Report {
    pub fn new(tables: Vec<Table>) -> Self {
        let levels = Vec::new();
        Self { tables, levels }
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
        let over = |row: &&Row| row.others[0].ratio > MOST;
        let behind = |row: &&Row| row.others[1..].iter().any(|other| other.ratio > SAME);
        let (over, behind) = (
            self.rows().filter(over).count(),
            self.rows().filter(behind).count(),
        );
        let worst = self
            .rows()
            .map(|row| row.others[0].ratio)
            .fold(0.0, f64::max);
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
                let floor = &row.others[0];
                let _ = write!(
                    out,
                    "| {} | {} | {} | {:+.1} % |",
                    row.setting,
                    nanos(row.nanos),
                    nanos(floor.nanos),
                    (floor.ratio - 1.0) * 100.0
                );
                for name in ["yawc", "sockudo-ws", "wtx"] {
                    let peer = row.others.iter().find(|other| other.name == name);
                    let text = peer.map_or("–".into(), |peer| {
                        format!("{} ({:.2} ×)", nanos(peer.nanos), 1.0 / peer.ratio)
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

const INTRODUCTION: &str = "In memory, no sockets, one process, CPU time, default target-cpu; each figure is the median of nine \
starts of the program, with its memory in nine places, and of a start the median of 21 rounds in turns, the ratio that of the ratios of each round. All are on zlib-rs, `mem_level` 8. The floor is zlib-rs itself: the same bytes, settings and resets, \
with the tail put on or taken off, in buffers that are there already; what it inflates is validated as text. Peers' texts are taken as `str` by what \
each has for that. The context is kept or dropped in both directions. `2^15` is the window. A peer's ratio is its time over ours. `wtx` never keeps a context, and flushes \
without looking whether all of the message came out.\n";

fn nanos(nanos: f64) -> String {
    match nanos {
        0.0..10_000.0 => format!("{nanos:.0} ns"),
        10_000.0..10_000_000.0 => format!("{:.1} µs", nanos / 1e3),
        _ => format!("{:.1} ms", nanos / 1e6),
    }
}
