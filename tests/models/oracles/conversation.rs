//! A connection and the model of `tests/models/reference` given the same inputs, of any number and size:
//! the same events, results, output, states and deadlines after each.

#![allow(
    dead_code,
    reason = "of what walks every short conversation a part is used here"
)]

#[path = "../conversations/alphabet.rs"]
mod alphabet;
#[path = "../conversations/machine.rs"]
mod machine;
#[path = "../reference/mod.rs"]
mod reference;

use super::{Taker, wire};
use alphabet::Does;
use machine::{About, Machine, Modelled, same};
pub(crate) use machine::{Real, Setup};
use sansocket::Role;

pub fn conversation(data: &[u8]) {
    converse(data, |_, _| ());
}

/// With something done to the connection `between` any two calls.
pub(crate) fn converse(data: &[u8], between: impl Fn(&mut Real, &Setup)) {
    let mut t = Taker::new(data);
    let server = t.once_in(2);
    let about = [
        About::Usual,
        About::NoClock,
        About::Chunks,
        About::Ask,
        About::Pings,
        About::Split,
        About::Closes,
        About::Lenient,
        #[cfg(feature = "deflate")]
        About::Deflate,
    ];
    let about = t.pick(&about);
    let setup = match t.below(3) {
        0 => Setup::narrow(server, about),
        1 => Setup::wide(server),
        _ => {
            let mut rules = Setup::narrow(server, about).rules;
            let sizes = [1, 2, 125, 126, 200, 1000, 70_000];
            (rules.frame, rules.message) = (t.pick(&sizes), t.pick(&sizes));
            (rules.output, rules.fragments) = (t.pick(&sizes) as usize, t.pick(&[1, 2, 20]));
            Setup::new(rules, about != About::NoClock)
        }
    };
    let from = if server { Role::Client } else { Role::Server };
    let alphabet = alphabet::narrow(&setup);
    let endpoint = setup.model();
    let mut model = Modelled { endpoint, now: 0 };
    let mut real = setup.real();
    while !t.is_empty() {
        let at = t.below(2 * alphabet.len());
        let drawn;
        let does = match alphabet.get(at) {
            Some(input) => &input.does,
            None => {
                drawn = draw(&mut t, at % 8, from);
                &drawn
            }
        };
        // The model inflates and does not compress: that is up to the sender.
        if setup.rules.inflates && matches!(does, Does::Part(..)) {
            continue;
        }
        // A read comes in as many pieces as the next bytes say.
        let mut pieces = Vec::new();
        if let Does::Read(bytes, _) = does {
            let mut rest = &bytes[..];
            while t.once_in(3) && !rest.is_empty() {
                let (front, behind) = rest.split_at(t.below(rest.len().min(65_536)));
                pieces.push(Does::Read(front.to_vec(), 0));
                rest = behind;
            }
            pieces.push(Does::Read(rest.to_vec(), 0));
        }
        let one = core::slice::from_ref(does);
        for does in if pieces.is_empty() { one } else { &pieces } {
            between(&mut real, &setup);
            let (mut expected, mut seen) = (Vec::new(), Vec::new());
            let result = model.call(does, &mut expected);
            same("result", &real.call(does, &mut seen), &result)
                .and_then(|()| same("events", &seen, &expected))
                .and_then(|()| real.compare(&model.endpoint))
                .unwrap_or_else(|what| panic!("at {does:?}: {what}"));
        }
    }
}

/// What the alphabet does not have: frames and bytes as they come, other sizes, other times.
fn draw(t: &mut Taker<'_>, which: usize, from: Role) -> Does {
    match which {
        0..3 => {
            let mut bytes = Vec::new();
            wire::item(t, from, &mut bytes);
            wire::mutate(t, &mut bytes);
            Does::Read(bytes, 0)
        }
        3 => {
            let n = t.below(40);
            Does::Read(t.bytes(n).to_vec(), 0)
        }
        4 => Does::Pass(t.below(14) as u64),
        5 => Does::Consume(t.below(300)),
        _ => call(t),
    }
}

fn call(t: &mut Taker<'_>) -> Does {
    let text = t.once_in(2);
    let payload = |t: &mut Taker<'_>| match t.below(8) {
        0 => t
            .pick(&[&b"\xc3"[..], b"\xa9", b"\xff", b"a\xe2\x82", b"\xac"])
            .to_vec(),
        _ if text => wire::text(t).into_bytes(),
        _ => wire::binary(t),
    };
    match t.below(8) {
        0 if t.once_in(3) => Does::SendPrepared(false, wire::binary(t)),
        0 if text => Does::Send(true, wire::text(t).into_bytes()),
        0 | 1 => Does::Send(false, wire::binary(t)),
        2 => Does::Part(text, payload(t), t.once_in(2)),
        3 => Does::Begin(text, wire::len(t) as u64),
        4 => Does::Write(payload(t)),
        5 => Does::Ping(wire::binary(t)),
        6 => Does::Pong(wire::binary(t)),
        _ => {
            let code = t.pick(&[None, Some(1000), Some(1010), Some(3000), Some(4999)]);
            let reason = t
                .pick(&["", "bye", "grüezi"])
                .repeat(t.pick(&[1, 1, 20, 40]));
            Does::Close(code, reason)
        }
    }
}
