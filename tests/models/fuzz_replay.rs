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

/// Every file under `tests/models/states/` goes on, in this version too, and ends. Those of this version are written as
/// they were read.
#[cfg(feature = "handover")]
#[test]
fn states() {
    use core::time::Duration;
    use sansocket::handover::{ResumeError, role_of};
    use sansocket::{ClientConfig, Connection, Event, OriginPolicy, Role, ServerConfig, State};

    let server = ServerConfig::new(OriginPolicy::Any).serve_http();
    let client = ClientConfig::new();
    #[cfg(feature = "deflate")]
    let server = server.deflate(sansocket::extension::PermessageDeflate::client());
    let now = Duration::from_secs(1000);
    let resume = |state: &[u8]| match role_of(state).expect("a state") {
        Role::Server => Connection::resume(state, &server, None, now),
        Role::Client => Connection::resume(state, &client, Some(oracle::Scripted::boxed()), now),
    };
    let states = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/models/states");
    let mut resumed = 0;
    for file in fs::read_dir(states).expect("a directory of states") {
        let path = file.expect("a file").path();
        println!("{}", path.display());
        let state = fs::read(&path).expect("bytes");
        let mut ws = match resume(&state) {
            Ok(ws) => ws,
            Err(ResumeError::Extension { .. }) if cfg!(not(feature = "deflate")) => continue,
            Err(error) => panic!("{}: {error}", path.display()),
        };
        let name = path.file_name().expect("a name").to_string_lossy();
        if name.starts_with("v1_") {
            let again = resume(&state).expect("as before").suspend(now);
            assert!(
                again.expect("a state") == state,
                "{name} is written otherwise"
            );
        }
        let closed = ws.state() == State::Closed && name.contains("closed");
        ws.consume_output(usize::MAX);
        ws.receive_eof();
        let mut last = None;
        while let Some(event) = ws.receive(&mut &mut [][..]) {
            last = Some(event);
        }
        ws.consume_output(usize::MAX);
        let last = ws.receive(&mut &mut [][..]).or(last);
        assert!(closed == last.is_none(), "{name}: {last:?}");
        assert!(
            closed || matches!(last, Some(Event::Closed(_))),
            "{name}: {last:?}"
        );
        resumed += 1;
    }
    assert!(resumed > 20, "{resumed} states");
}

/// Each byte of those states changed to others: refused, or a connection that ends.
#[cfg(feature = "handover")]
#[test]
fn changed_states() {
    let states = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/models/states");
    for file in fs::read_dir(states).expect("a directory of states") {
        let path = file.expect("a file").path();
        println!("{}", path.display());
        let state = fs::read(&path).expect("bytes");
        for at in (5..state.len() - 8).take(150) {
            for byte in [0, 1, 2, 3, 4, 9, 0x0f, 0x40, 0x7f, 0x80, 0xff] {
                let mut changed = state[..state.len() - 8].to_vec();
                changed[at] = byte;
                oracle::handed_over::looked_at(changed);
            }
        }
    }
}
