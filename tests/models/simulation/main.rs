//! Long conversations by chance: two connections, a transport that cuts, delays, stalls, closes
//! one half or both and drops the tail, a clock, and two applications that do what they like.
//!
//! ```text
//! cargo test --test simulation                                                2,000 of them
//! SIMULATIONS=50000 cargo test --release --all-features --test simulation     what CI runs
//! SIMULATIONS=1000000 cargo test --release --all-features --test simulation   the full run
//! SIMULATION=SEED:STEPS cargo test --test simulation                          one again, with the same features
//! ```
//!
//! With the feature `replay` one that fails leaves the recordings of both ends in files, and tells where; with
//! `handover` in every other one the ends move to another process now and then, which a recording does not.
//!
//! The last full run is in `tests/record.md`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test fails by a panic, and prints how much it ran"
)]

mod end;
#[cfg(feature = "handover")]
mod handed_over;
mod judge;
mod random;
#[cfg(feature = "replay")]
mod recorded;
mod world;

use std::panic::{catch_unwind, set_hook, take_hook};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use world::simulate;

/// A seed means the same only with the same ones.
const FEATURES: &str = if cfg!(feature = "deflate") {
    " --all-features"
} else {
    ""
};

/// The seeds of all runs start here.
const FIRST: u64 = 1;

#[test]
fn long_conversations() {
    if let Ok(one) = std::env::var("SIMULATION") {
        let (seed, steps) = one.split_once(':').expect("SEED:STEPS");
        simulate(seed.parse().expect("a seed"), steps.parse().expect("steps"));
        return;
    }
    let count: u64 = std::env::var("SIMULATIONS").map_or(2000, |n| n.parse().expect("a number"));
    let began = Instant::now();
    let next = AtomicU64::new(FIRST);
    let messages = AtomicU64::new(0);
    let work = || {
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= FIRST + count {
                return;
            }
            if let Ok(delivered) = catch_unwind(|| simulate(seed, usize::MAX)) {
                messages.fetch_add(delivered, Ordering::Relaxed);
            } else {
                next.store(FIRST + count, Ordering::Relaxed);
                // The shortest beginning that fails too, looked for in silence.
                let told = take_hook();
                set_hook(Box::new(|_| ()));
                let fails = |steps: &usize| catch_unwind(|| simulate(seed, *steps)).is_err();
                let steps = (0..).find(fails).unwrap();
                #[cfg(feature = "replay")]
                if let Some(recordings) = world::record(seed, steps, |_| ()) {
                    recorded::write(seed, &recordings);
                }
                set_hook(told);
                panic!("again: SIMULATION={seed}:{steps} cargo test{FEATURES} --test simulation");
            }
        }
    };
    let threads = std::thread::available_parallelism().map_or(2, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(work);
        }
    });
    let seconds = began.elapsed().as_secs_f64();
    println!(
        "{count} pairs of connections, seeds {FIRST} to {}, {} messages, {seconds:.1} s, {:.0} pairs a second on {threads} threads",
        FIRST + count - 1,
        messages.load(Ordering::Relaxed),
        count as f64 / seconds
    );
}
