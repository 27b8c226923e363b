//! Every short conversation of an endpoint in fixed room, beside a connection with the same limits.

use sansocket::Role;

use crate::oracle::fixed::{Input, script};

const INPUTS: [Input; 18] = [
    Input::Head,
    Input::Text,
    Input::Fragment,
    Input::Ping,
    Input::Pong,
    Input::Close,
    Input::Wrong,
    Input::Nothing,
    Input::Eof,
    Input::WriteLost,
    Input::Lost,
    Input::Drain,
    Input::Byte,
    Input::Send,
    Input::Shut,
    Input::Pass(1),
    Input::Pass(5),
    Input::Pass(100),
];

/// What brings deadlines about, and what puts them off.
const WAITS: [Input; 8] = [
    Input::Pass(3),
    Input::Pass(5),
    Input::Pass(100),
    Input::Nothing,
    Input::Drain,
    Input::Fragment,
    Input::Pong,
    Input::Shut,
];

/// Says which conversation fails.
struct Shown<'s>(Role, &'s [Input]);

impl Drop for Shown<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            println!("{:?}: {:?}", self.0, self.1);
        }
    }
}

/// All sequences of so many of the inputs, after the first ones, in both roles.
fn every(first: &[Input], inputs: &[Input], len: u32) {
    let mut sequence = first.to_vec();
    for number in 0..inputs.len().pow(len) {
        sequence.truncate(first.len());
        let mut rest = number;
        for _ in 0..len {
            sequence.push(inputs[rest % inputs.len()]);
            rest /= inputs.len();
        }
        for role in [Role::Server, Role::Client] {
            let _shown = Shown(role, &sequence);
            script(role, &sequence);
        }
    }
}

/// How long they are: `CONVERSATIONS=4` or more to search further. Where the highest byte comes first, which is
/// emulated, a sample.
fn len() -> u32 {
    let len = std::env::var("CONVERSATIONS").ok();
    let least = if cfg!(target_endian = "big") { 2 } else { 3 };
    let len = len.and_then(|len| len.parse().ok());
    len.unwrap_or(least).max(least)
}

#[test]
fn every_short_conversation() {
    every(&[], &INPUTS, len() - 1);
    every(&[Input::Drain, Input::Head], &INPUTS, len());
    every(
        &[Input::Drain, Input::Head, Input::Shut],
        &INPUTS,
        len() - 1,
    );
    every(
        &[Input::Drain, Input::Head, Input::Wrong],
        &INPUTS,
        len() - 1,
    );
}

#[test]
fn every_short_wait() {
    every(&[], &WAITS, len() + 1);
    every(&[Input::Drain, Input::Head], &WAITS, len() + 1);
    every(
        &[Input::Drain, Input::Head, Input::Drain],
        &WAITS,
        len() + 1,
    );
    // The end: of an opening handshake that took too long, and of both Close frames.
    every(&[Input::Pass(100), Input::Pass(100)], &INPUTS, len() - 1);
    let closed = [
        Input::Drain,
        Input::Head,
        Input::Shut,
        Input::Drain,
        Input::Close,
    ];
    every(&closed, &WAITS, len());
}
