//! The same work by `sansocket`, by its peers and by the least code that could do it, in turns in
//! one process. Prints a table per kind of work and writes them, with the targets, to
//! `results.md` and `results.svg` beside this crate.
//!
//! ```sh
//! cargo run --release --manifest-path benches/peers/Cargo.toml             # all, some minutes
//! cargo run --release --manifest-path benches/peers/Cargo.toml -- --short  # fewer rounds, writes nothing
//! cargo run --release --manifest-path benches/peers/Cargo.toml -- echo     # what has this in its title
//! ```

#[path = "../../common/mod.rs"]
mod common;
mod cpu;
mod machine;
mod peer;
mod peers;
mod plot;
mod report;
mod work;
mod works;

use std::process::ExitCode;

use report::Report;

fn main() -> ExitCode {
    let mut rounds = 15;
    let mut only = Vec::new();
    for argument in std::env::args().skip(1) {
        match argument.as_str() {
            "--short" => rounds = 5,
            "--help" | "-h" => {
                println!("peers [--short] [TITLE]...");
                return ExitCode::SUCCESS;
            }
            title => only.push(title.to_owned()),
        }
    }
    let complete = rounds > 5 && only.is_empty();
    let mut report = Report::default();
    works::run(&mut |title, work| {
        if only.is_empty() || only.iter().any(|only| title.contains(only.as_str())) {
            report.add(work().run(rounds));
        }
    });
    report.finish(complete);
    ExitCode::SUCCESS
}
