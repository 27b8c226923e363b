//! What recording costs: the same messages through a connection, through one that could be recorded, and through
//! one that is. Counted as those of `main.rs` are.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a bench is no library, and fails by a panic"
)]

#[path = "../common/mod.rs"]
mod common;

use std::hint::black_box;

use common::traffic::{Content, Sizes, Traffic};
use sansocket::replay::{Recorded, Recorder};
use sansocket::{Connection, Event, Negotiated, Role, ServerConfig};

/// What a driver does. The name keeps the compiler from making one function of two alike.
macro_rules! case {
    ($name:ident, $type:ty) => {
        #[inline(never)]
        fn $name(ws: &mut $type, mut input: &mut [u8]) -> usize {
            black_box(stringify!($name));
            let mut messages = 0;
            while let Some(event) = ws.receive(&mut input) {
                let Event::Message(message) = event else {
                    panic!("{event:?}")
                };
                ws.send(&message).unwrap();
                messages += 1;
                let n = black_box(ws.output()).len();
                ws.consume_output(n);
            }
            messages
        }
    };
}

case!(echoed_32, Connection);
case!(echoed_32_off, Recorded);
case!(echoed_32_recorded, Recorded);
case!(echoed_32_emptied, Recorded);
case!(echoed_1024, Connection);
case!(echoed_1024_recorded, Recorded);

fn main() {
    let config = ServerConfig::upgraded();
    let plain = || {
        let mut ws = Connection::upgraded_server(&config, Negotiated::default());
        assert!(matches!(ws.receive(&mut &mut [][..]), Some(Event::Open)));
        ws
    };
    let recorded = |recorder: Recorder| {
        let mut ws = recorder.upgraded_server(&config, Negotiated::default());
        assert!(matches!(ws.receive(&mut &mut [][..]), Some(Event::Open)));
        ws
    };
    let recorder = Recorder::new(1 << 20);
    let input = |len: usize| {
        let sizes = Sizes::All(len);
        Traffic::of_len(Role::Server, Content::Binary, sizes, 1, 64 << 10).bytes
    };
    let report = |name: &str, messages: usize| println!("{name} {messages}");
    report("echoed_32", echoed_32(&mut plain(), &mut input(32)));
    let mut off = Recorded::from(plain());
    report("echoed_32_off", echoed_32_off(&mut off, &mut input(32)));
    let mut on = recorded(recorder);
    report(
        "echoed_32_recorded",
        echoed_32_recorded(&mut on, &mut input(32)),
    );
    assert!(on.is_recording());
    let mut emptied = recorded(recorder.without_payloads());
    let messages = echoed_32_emptied(&mut emptied, &mut input(32));
    report("echoed_32_emptied", messages);
    report("echoed_1024", echoed_1024(&mut plain(), &mut input(1024)));
    let mut on = recorded(recorder);
    let messages = echoed_1024_recorded(&mut on, &mut input(1024));
    report("echoed_1024_recorded", messages);
    assert!(on.is_recording());
}
