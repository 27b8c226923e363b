//! The saved seeds of the fuzz targets, through the same oracles; and the saved recordings.
#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    unreachable_pub,
    dead_code,
    reason = "a test fails by a panic, and prints which seed was the last; it calls some of the oracles"
)]

extern crate alloc; // of what the unit tests use too

#[path = "oracles/mod.rs"]
mod oracle;

use std::path::Path;
use std::{env, fs};

/// Every file under `tests/models/seeds/<oracle>/`. `SEED=<oracle>:<hex>` tries one input instead.
#[test]
fn seeds() {
    if let Ok(seed) = env::var("SEED") {
        let (name, hex) = seed.split_once(':').expect("oracle:hex");
        let bytes: Vec<u8> = (0..hex.len() / 2)
            .map(|i| u8::from_str_radix(&hex[2 * i..2 * i + 2], 16).expect("hex"))
            .collect();
        let (_, oracle) = oracle::ALL
            .iter()
            .find(|own| own.0 == name)
            .expect("an oracle");
        oracle(&bytes);
        return;
    }
    let seeds = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/models/seeds");
    for (name, oracle) in oracle::ALL {
        let mut tried = 0;
        for file in fs::read_dir(seeds.join(name)).expect("a directory of seeds") {
            let path = file.expect("a file").path();
            println!("{}", path.display());
            oracle(&fs::read(&path).expect("bytes"));
            tried += 1;
        }
        assert!(tried > 0, "no seed for {name}");
    }
}

/// Every file under `tests/models/recordings/` plays to its end, in this version too.
#[cfg(feature = "replay")]
#[test]
fn recordings() {
    use sansocket::replay::{Replay, ReplayError};

    let recordings = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/models/recordings");
    let mut played = 0;
    for file in fs::read_dir(recordings).expect("a directory of recordings") {
        let path = file.expect("a file").path();
        println!("{}", path.display());
        let recording = fs::read(&path).expect("bytes");
        match Replay::new(&recording).and_then(Replay::run) {
            Ok(replayed) => assert!(replayed.steps > 0),
            Err(ReplayError::Feature { name }) => println!("needs {name}"),
            Err(error) => panic!("{}: {error}", path.display()),
        }
        played += 1;
    }
    assert!(played > 2, "{played} recordings");
}
