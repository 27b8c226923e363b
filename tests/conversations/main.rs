//! Every short conversation, in both roles: the machine against the model of `../reference`.
//!
//! ```text
//! cargo test --test conversations                                      up to 3 inputs
//! CONVERSATIONS=4 cargo test --release --test conversations            what CI runs
//! CONVERSATIONS=5 cargo test --release --test conversations            some hours
//! ```
//!
//! Up to 4 inputs: 53 million conversations, about 3 minutes on 2 cores.
//!
//! Each conversation is had twice: each read as a whole, and with the reads cut inside the frames,
//! where it tells most, so that what is left of a frame comes together with what follows.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout
)]

mod alphabet;
mod machine;
#[path = "../reference/mod.rs"]
mod reference;
mod walk;

use alphabet::{Input, narrow, wide};
use machine::Setup;
use walk::walk;

/// Whether the time is told from the beginning.
const CLOCKS: [bool; 2] = [true, false];

/// How long the conversations are.
fn longest() -> usize {
    let given = std::env::var("CONVERSATIONS").ok();
    given.map_or(3, |text| text.parse().expect("a length"))
}

fn try_all(
    what: &str,
    alphabet: fn(&Setup) -> Vec<Input>,
    setup: impl Fn(bool) -> Setup,
    len: usize,
) {
    let began = std::time::Instant::now();
    let mut count = 0;
    let mut inputs = 0;
    for server in [true, false] {
        let setup = setup(server);
        let alphabet = alphabet(&setup);
        inputs = alphabet.len();
        count += walk(&setup, &alphabet, len);
    }
    println!(
        "{what}: {count} conversations of up to {len} of {inputs} inputs, {:.1} s",
        began.elapsed().as_secs_f64()
    );
}

#[test]
fn every_short_conversation() {
    let longest = longest();
    for clock in CLOCKS {
        // Without the time there are fewer things to happen: one input less.
        let len = if clock { longest } else { longest - 1 };
        let what = if clock {
            "with a clock"
        } else {
            "without a clock"
        };
        try_all(what, narrow, |server| Setup::narrow(server, clock), len);
    }
}

/// Every kind of frame at every boundary size, legal or not, and what they meet.
#[test]
fn every_size() {
    let len = if longest() > 3 { 2 } else { 1 };
    try_all("sizes up to 64 KiB", wide, Setup::wide, len);
}

/// What was found to be told otherwise, or nearly was.
#[test]
fn conversations_worth_their_names() {
    let cases: [(bool, &[&str]); 6] = [
        // A ping before the time was told has no round trip.
        (false, &["ping", "10 s", "pong of 1"]),
        // §7.1.4, D-20: our Close frame had left, whatever is queued behind it (D-14).
        (true, &["close", "consume all", "ping of 0", "close 1000"]),
        (
            true,
            &["close", "consume all", "ping of 0", "close 1000", "lost"],
        ),
        // §5.5.1: the Close frame waits for the end of a frame in pieces.
        (
            true,
            &[
                "begin binary of 2",
                "close",
                "ping of 0",
                "write 1",
                "write 1",
                "consume all",
            ],
        ),
        // §5.5.3: sixteen pongs at most, those that left not counted.
        (
            true,
            &[
                "pong",
                "begin binary of 2",
                "ping of 0",
                "consume all",
                "18 pings",
                "write 1",
                "write 1",
                "consume 1",
            ],
        ),
        // The same behind a frame in pieces.
        (
            true,
            &[
                "pong",
                "begin binary of 2",
                "consume all",
                "18 pings",
                "write 1",
                "write 1",
                "consume all",
            ],
        ),
    ];
    let mut wrong = Vec::new();
    for server in [true, false] {
        for (clock, names) in cases {
            let setup = Setup::narrow(server, clock);
            wrong.extend(walk::one(&setup, &narrow(&setup), names).err());
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
