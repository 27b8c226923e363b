//! Every short conversation, in both roles: the machine against the model of `../reference`.
//!
//! ```text
//! cargo test --test conversations                                      up to 3 inputs
//! CONVERSATIONS=4 cargo test --release --all-features --test conversations    what CI runs
//! CONVERSATIONS=5 SHARD=7/200 cargo test --release --test conversations       a part of length 5
//! ```
//!
//! Each conversation is run twice: each read as a whole, and with the reads cut inside the frames,
//! where it tells most, so that what is left of a frame comes together with what follows; there
//! the reads are handed over in the ways that there are.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test fails by a panic, and prints how much it ran"
)]

mod alphabet;
mod machine;
#[path = "../reference/mod.rs"]
mod reference;
mod walk;

use alphabet::{Input, narrow, wide};
use machine::{About, Setup};
use walk::{Shard, walk};

/// How long the conversations are.
fn longest() -> usize {
    let given = std::env::var("CONVERSATIONS").ok();
    given.map_or(3, |text| text.parse().expect("a length"))
}

/// Which of them, as one of how many: `SHARD=0/100` to `SHARD=99/100`.
fn shard() -> Shard {
    let Ok(text) = std::env::var("SHARD") else {
        return Shard { one: 0, of: 1 };
    };
    let (one, of) = text.split_once('/').expect("one/of");
    let (one, of) = (one.parse().unwrap(), of.parse().unwrap());
    assert!(one < of, "shards are numbered from 0");
    Shard { one, of }
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
        count += walk(&setup, &alphabet, len, shard());
    }
    println!(
        "{what}: {count} conversations of up to {len} of {inputs} inputs, {:.1} s",
        began.elapsed().as_secs_f64()
    );
}

#[test]
fn every_short_conversation() {
    let setup = |server| Setup::narrow(server, About::Usual);
    try_all("usual", narrow, setup, longest());
}

/// What is configured otherwise: an input less, which is where it first shows.
#[test]
fn every_configuration() {
    for about in [
        About::NoClock,
        About::Chunks,
        About::Ask,
        About::Pings,
        About::Split,
        About::Closes,
        About::Lenient,
    ] {
        let setup = |server| Setup::narrow(server, about);
        try_all(&format!("{about:?}"), narrow, setup, longest() - 1);
    }
    #[cfg(feature = "deflate")]
    {
        let setup = |server| Setup::narrow(server, About::Deflate);
        try_all("Deflate", alphabet::compressed, setup, longest() - 1);
    }
}

/// Each input comes to another process, whose clock begins with it.
#[cfg(feature = "handover")]
#[test]
fn every_hand_over() {
    for about in [
        About::Usual,
        About::NoClock,
        About::Ask,
        About::Split,
        About::Closes,
    ] {
        let setup = |server| Setup::narrow(server, about).moving();
        try_all(&format!("{about:?}, moving"), narrow, setup, longest() - 1);
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
    let cases: [(About, &[&str]); 9] = [
        // A ping before the time was told has no round trip.
        (About::NoClock, &["ping", "10 s", "pong of 1"]),
        // §7.1.4, D-20: our Close frame had left, whatever is queued after it (D-14).
        (
            About::Usual,
            &["close", "consume all", "ping of 0", "close 1000"],
        ),
        (
            About::Usual,
            &["close", "consume all", "ping of 0", "close 1000", "lost"],
        ),
        // §5.5.1: the Close frame waits for the end of a frame in pieces.
        (
            About::Usual,
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
            About::Usual,
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
        // The same after a frame in pieces.
        (
            About::Usual,
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
        // A keepalive ping in a full queue, a peer that reads a part of it in time, or nothing.
        (About::Usual, &["send 126", "send 126", "10 s", "4 s"]),
        (
            About::Usual,
            &[
                "send 126",
                "send 126",
                "10 s",
                "consume 1",
                "4 s",
                "consume all",
                "4 s",
            ],
        ),
        // A ping that waits for room, and the end of the stream.
        (About::Usual, &["18 pings", "eof, 1 leaves unseen"]),
    ];
    let mut wrong = Vec::new();
    for server in [true, false] {
        for (about, names) in cases {
            let setup = Setup::narrow(server, about);
            wrong.extend(walk::one(&setup, &narrow(&setup), names).err());
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
