//! The same conversations with tungstenite and with this crate. What differs has to stand in the table of the
//! README, with its reason, and the other way round.
#![allow(
    clippy::result_large_err,
    reason = "what a callback refuses with is tungstenite's"
)]

mod wire;

/// The conversations with tungstenite.
mod with_original {
    use original as tungstenite;
    include!("conversations.rs");
    include!("handshakes.rs");
}

/// The conversations with this crate.
mod with_ours {
    use ours as tungstenite;
    include!("conversations.rs");
    include!("handshakes.rs");
}

use std::collections::BTreeMap;
use std::process::ExitCode;

use wire::{Conversation, Log};

const README: &str = include_str!("../../README.md");

/// What differs: where, and what either has done.
type Row = [String; 3];

fn main() -> ExitCode {
    if compare() == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// How many conversations, and rows of the table, are not as they should be.
fn compare() -> usize {
    let mut listed: BTreeMap<Row, bool> = listed().into_iter().map(|row| (row, false)).collect();
    let (mut passed, mut failed) = (0, 0);
    let pairs = pairs(with_original::CONVERSATIONS, with_ours::CONVERSATIONS)
        .chain(pairs(with_original::HANDSHAKES, with_ours::HANDSHAKES));
    for (name, original, ours) in pairs {
        let (original, ours) = (run(original), run(ours));
        let mut unlisted = 0;
        for row in differences(name, &original, &ours) {
            let known = listed.get_mut(&row);
            let mark = if known.is_some() {
                "listed  "
            } else {
                "UNLISTED"
            };
            println!("{mark} | `{}` |", row.join("` | `"));
            match known {
                Some(seen) => *seen = true,
                None => unlisted += 1,
            }
        }
        if unlisted == 0 {
            passed += 1;
            println!("ok       {name}: {} steps", ours.0.len());
        } else {
            failed += 1;
            println!("FAILED   {name}: {unlisted} differences that are not in the README's table");
        }
    }
    for (row, _) in listed.iter().filter(|(_, seen)| !**seen) {
        failed += 1;
        println!(
            "FAILED   in the README's table, and no longer so: | `{}` |",
            row.join("` | `")
        );
    }
    println!("{passed} passed, {failed} failed");
    failed
}

fn pairs(
    original: &'static [(&str, Conversation)],
    ours: &'static [(&str, Conversation)],
) -> impl Iterator<Item = (&'static str, Conversation, Conversation)> {
    let both = original.iter().zip(ours);
    both.map(|(&(name, original), &(_, ours))| (name, original, ours))
}

fn run(conversation: Conversation) -> Log {
    let mut log = Log::default();
    let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| conversation(&mut log)));
    if result.is_err() {
        log.step("", "panics");
    }
    log
}

fn differences(name: &str, original: &Log, ours: &Log) -> Vec<Row> {
    let steps = original.0.len().max(ours.0.len());
    let cell = |log: &Log, at: usize| log.0.get(at).map_or("nothing", |step| &step.1).to_owned();
    let mut rows = Vec::new();
    for at in 0..steps {
        let (theirs, here) = (cell(original, at), cell(ours, at));
        if theirs != here {
            let step = ours
                .0
                .get(at)
                .or(original.0.get(at))
                .map_or("", |step| &step.0);
            rows.push([format!("{name}: {step}"), theirs, here]);
        }
    }
    rows
}

/// The first three cells of the rows of the README's table of differences.
fn listed() -> Vec<Row> {
    let table = README
        .split("<!-- differences -->")
        .nth(1)
        .unwrap_or_default();
    let rows = table.lines().filter(|line| line.starts_with("| `"));
    rows.filter_map(|row| {
        let mut cells = row.trim_matches('|').split(" | ").map(|cell| cell.trim());
        let mut next = || Some(cells.next()?.trim_matches('`').to_owned());
        Some([next()?, next()?, next()?])
    })
    .collect()
}

#[cfg(test)]
mod tests {
    #[test]
    fn what_differs_is_listed_with_its_reason() {
        assert_eq!(super::compare(), 0);
    }
}
