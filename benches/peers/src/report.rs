//! Tables: on the terminal as they are measured, in the end as Markdown.

use std::fmt::Write as _;
use std::path::Path;

use crate::machine;
use crate::plot;
use crate::work::{Kind, Measured};

#[derive(Default)]
pub struct Report {
    works: Vec<Measured>,
}

impl Report {
    pub fn add(&mut self, work: Measured) {
        println!("\n{}", work.title);
        let mut order: Vec<_> = work.figures.iter().collect();
        order.sort_by(|a, b| a.nanos.total_cmp(&b.nanos));
        for figure in order {
            let mark = match figure.kind {
                Kind::Ours => "*",
                Kind::Floor => "_",
                Kind::Full => " ",
                Kind::Partial => "-",
            };
            println!(
                "  {mark} {:<46} {:>12}  {}",
                figure.name,
                nanos(figure.nanos),
                figure.note
            );
        }
        for verdict in &work.verdicts {
            let met = if verdict.met { "met   " } else { "MISSED" };
            println!("    {met} {}: {}", verdict.text, verdict.figure);
        }
        self.works.push(work);
    }

    pub fn finish(&self, write: bool) {
        let (met, missed) = self.works.iter().flat_map(|work| &work.verdicts).fold(
            (0, 0),
            |(met, missed), verdict| {
                if verdict.met {
                    (met + 1, missed)
                } else {
                    (met, missed + 1)
                }
            },
        );
        println!("\n{met} targets met, {missed} missed");
        if !write {
            return;
        }
        let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
        for (name, text) in [
            ("results.md", self.markdown(met, missed)),
            ("results.svg", plot::svg(&self.works)),
        ] {
            match std::fs::write(folder.join(name), text) {
                Ok(()) => println!("wrote benches/peers/{name}"),
                Err(error) => println!("{name} was not written: {error}"),
            }
        }
    }

    fn markdown(&self, met: usize, missed: usize) -> String {
        let mut out = String::from("# The same work by sansocket and its peers\n\n");
        let _ = writeln!(
            out,
            "Written by `cargo run --release --manifest-path benches/peers/Cargo.toml`.\n"
        );
        let _ = writeln!(
            out,
            "{}.\n\n{}.\n",
            machine::describe(),
            machine::versions(include_str!("../Cargo.toml"))
        );
        out.push_str(INTRODUCTION);
        out.push_str("\n## Ratios\n\n| work | sansocket | / floor | / fastest that checks | / fastest of any kind |\n|---|---|---|---|---|\n");
        for work in &self.works {
            let find = |kinds: &[Kind]| {
                let of_kind = work
                    .figures
                    .iter()
                    .filter(|figure| kinds.contains(&figure.kind));
                of_kind.min_by(|a, b| a.nanos.total_cmp(&b.nanos))
            };
            let Some(ours) = work.ours() else {
                continue;
            };
            let way = match ours.name.strip_prefix("sansocket, ") {
                Some(way) => format!(" ({way})"),
                None => String::new(),
            };
            let peer = |kinds: &[Kind]| {
                find(kinds).map_or_else(
                    || "–".into(),
                    |peer| {
                        format!(
                            "{:.2} ({} {})",
                            ours.nanos / peer.nanos,
                            peer.name,
                            nanos(peer.nanos)
                        )
                    },
                )
            };
            let floor = work
                .verdicts
                .iter()
                .find(|verdict| !verdict.text.contains("fastest"));
            let _ = writeln!(
                out,
                "| {} | {}{way} | {} | {} | {} |",
                work.title,
                nanos(ours.nanos),
                floor.map_or("–", |floor| &floor.figure),
                peer(&[Kind::Full]),
                peer(&[Kind::Full, Kind::Partial])
            );
        }
        let _ = writeln!(
            out,
            "\n## Targets\n\n{met} met, {missed} missed.\n\n| work | target | figure | |\n|---|---|---|---|"
        );
        for work in &self.works {
            for verdict in &work.verdicts {
                let met = if verdict.met { "met" } else { "**missed**" };
                let _ = writeln!(
                    out,
                    "| {} | {} | {} | {met} |",
                    work.title, verdict.text, verdict.figure
                );
            }
        }
        out.push_str("\n## Figures\n\nMedians, per message.\n");
        for work in &self.works {
            let _ = writeln!(out, "\n### {}\n\n| | |\n|---|---:|", work.title);
            let mut order: Vec<_> = work.figures.iter().collect();
            order.sort_by(|a, b| a.nanos.total_cmp(&b.nanos));
            for figure in order {
                let note = match &*figure.note {
                    "" => String::new(),
                    note => format!(" ({note})"),
                };
                let _ = writeln!(out, "| {}{note} | {} |", figure.name, nanos(figure.nanos));
            }
        }
        out
    }
}

const INTRODUCTION: &str = "In memory, no sockets, one process, default target-cpu. All do the same work in turns, round after round, and \
each has shown before that it delivers every payload. The copy into the read buffer is part of everybody's time, except where the fill \
is said to be counted out. Where reads are as long as suits each, that is the best of 1, 2, 4, 8, 16 and 64 KiB, and the table tells which. `websocket-sans-io` and `embedded-websocket` leave checks, and the first the assembly, to their user. \
Differences under 15 % are none.\n";

fn nanos(nanos: f64) -> String {
    match nanos {
        0.0..100.0 => format!("{nanos:.1} ns"),
        100.0..10_000.0 => format!("{nanos:.0} ns"),
        10_000.0..10_000_000.0 => format!("{:.1} µs", nanos / 1e3),
        _ => format!("{:.1} ms", nanos / 1e6),
    }
}
