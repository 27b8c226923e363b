//! Pure functions over all that can be given to them, where that can be counted: each against the text of its RFC, written
//! here a second time in another form, or against the standard library.
//!
//! Where a domain is too large to be gone through, it falls into parts that do not depend on each other, and each part is
//! gone through. The comment of a test says what the domain is and why that is all of it. What is argued there of a
//! function (that it branches on lengths and not on bytes, that it reads a byte in one place) is read in its source, and
//! no test can show it.
//!
//! Not here, as no enumeration reaches them: SHA-1, DEFLATE and random numbers.
//!
//! `DOMAINS=whole`, in a release build, leaves out less of what follows from the rest anyway: all sequences of four bytes
//! as UTF-8, every header at every cut, a connection for every close code. Under Miri all are samples.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test fails by a panic, and one that goes through a domain tells how far"
)]

#[path = "../support/mod.rs"]
mod support;

#[cfg(feature = "client")]
mod backoff;
mod bodies;
mod characters;
mod close_codes;
mod deadlines;
mod headers;
mod keys;
mod masks;
mod numbers;
mod utf8;

/// Whether less is to be left out.
fn whole() -> bool {
    std::env::var("DOMAINS").is_ok_and(|much| much == "whole")
}

/// All of it; under Miri, which is a thousand times slower, one of so many, and the first.
fn sampled<T>(domain: impl Iterator<Item = T>, one_of: usize) -> impl Iterator<Item = T> {
    domain.step_by(if cfg!(miri) { one_of } else { 1 })
}

/// All of it if the whole is asked for, otherwise one of so many, and the first; under Miri some dozen.
fn thinned<T>(domain: impl ExactSizeIterator<Item = T>, one_of: usize) -> impl Iterator<Item = T> {
    let step = match (cfg!(miri), whole()) {
        (true, _) => (domain.len() / 12).max(1),
        (false, true) => 1,
        (false, false) => one_of,
    };
    domain.step_by(step)
}
