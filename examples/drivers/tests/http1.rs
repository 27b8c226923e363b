//! The servers that speak HTTP/1.1, where something is short, with peers that do not behave, stopped for a
//! while, and ended by a signal.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by a panic")]

#[rustfmt::skip] // it has the width of its own crate
#[path = "../../tests/support/mod.rs"]
mod support;

use std::io::{Read, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use support::{
    REQUEST, Server, assert_echo, assert_hears_what_came, frame, read_frame, read_head, read_to_end, stuff,
    until,
};

/// Seconds that it waits for clients, however slow the machine is.
const LONG: &str = "3600";

fn messages_come_back(server: &Server) {
    let mut stream = server.open();
    assert_echo(&mut stream, "Hello");
    assert_echo(&mut stream, &"x".repeat(300_000));
    stream.write_all(&frame(0x88, b"\x03\xe8")).unwrap();
    assert_eq!(read_frame(&mut stream), (0x88, b"\x03\xe8".to_vec()));
    assert_eq!(read_to_end(&mut stream), b"");
    let peer = stream.local_addr().unwrap();
    let line = format!("{peer}: closed cleanly, code 1000, begun by the peer\n");
    until("a line of the log", || server.log().contains(&line));
}

/// RFC 6455 §7.1.1: both Close frames, and the server ends TCP. Who does not answer is not waited for.
fn sigterm(mut server: Server) {
    let mut clients: Vec<_> = (0..20).map(|_| server.open()).collect();
    let mut silent = server.open();
    let mut greedy = server.open();
    stuff(&mut greedy);
    let mut undecided = server.connect();
    undecided.write_all(&REQUEST[..20]).unwrap();
    let sent = Instant::now();
    server.signal("TERM");
    for client in &mut clients {
        let close = b"\x03\xe9the server stops".to_vec();
        assert_eq!(read_frame(client), (0x88, close));
        client.write_all(&frame(0x88, b"\x03\xe9")).unwrap();
        assert_eq!(read_to_end(client), b"");
    }
    // Nothing but the end: a reset, if it was not read.
    assert!(!matches!(undecided.read(&mut [0]), Ok(1)));
    assert!(server.wait().success());
    let took = sent.elapsed();
    assert!(took < Duration::from_secs(40), "{took:?}");
    drop((read_to_end(&mut silent), greedy));
    let peer = clients[0].local_addr().unwrap();
    let line = format!("{peer}: closed cleanly, code 1001, begun by this end\n");
    until("a line of the log", || server.log().contains(&line));
}

/// No descriptor is left, and nobody there who could leave.
fn a_failed_accept_is_tried_again(server: &Server) {
    server.limit_descriptors(1);
    // One may be let in by what was asked for before.
    let mut waiting = [server.connect(), server.connect()];
    until("a line of the log", || server.log().contains("os error 24"));
    server.limit_descriptors(1000);
    for stream in &mut waiting {
        stream.write_all(REQUEST).unwrap();
        assert!(read_head(stream).starts_with("HTTP/1.1 101 "));
    }
}

fn as_many_as_it_serves(server: &Server) {
    let (mut a, mut b) = (server.open(), server.open());
    let mut waiting = server.connect();
    waiting.write_all(REQUEST).unwrap();
    assert_echo(&mut a, "Hello");
    waiting.set_nonblocking(true).unwrap();
    assert!(waiting.peek(&mut [0]).is_err(), "it is served");
    waiting.set_nonblocking(false).unwrap();
    drop(a);
    // It takes the place of the one that left.
    assert!(read_head(&mut waiting).starts_with("HTTP/1.1 101 "));
    assert_echo(&mut waiting, "Hello");
    assert_echo(&mut b, "Hello");
}

fn peers_that_never_read(server: &Server) {
    drop(server.open()); // what it has for ever, it has now
    let idle = server.descriptors();
    // Neither do they leave.
    let mut greedy = Vec::new();
    for _ in 0..5 {
        let mut stream = server.open();
        stuff(&mut stream);
        greedy.push(stream);
    }
    let mut half = server.connect();
    half.write_all(&REQUEST[..20]).unwrap();
    until("they are gone", || server.descriptors() <= idle);
    assert_echo(&mut server.open(), "Hello");
    drop((greedy, half));
}

macro_rules! servers {
    ($($name:ident)*) => {$(
        mod $name {
            use super::*;

            pub(super) fn start(arguments: &[&str]) -> Server {
                let program = Path::new(env!(concat!("CARGO_BIN_EXE_", stringify!($name))));
                Server::start(program, "", arguments)
            }

            #[test]
            fn messages_come_back() {
                super::messages_come_back(&start(&[LONG]));
            }

            #[test]
            fn the_page() {
                start(&[LONG]).assert_page("Every message comes back");
            }

            #[test]
            fn stopped_for_longer_than_its_timeouts() {
                assert_hears_what_came(&start(&["3"]));
            }

            #[test]
            fn a_failed_accept_is_tried_again() {
                super::a_failed_accept_is_tried_again(&start(&[LONG]));
            }

            #[test]
            fn as_many_as_it_serves() {
                super::as_many_as_it_serves(&start(&[LONG, "2"]));
            }

            #[test]
            fn peers_that_never_read() {
                super::peers_that_never_read(&start(&["1"]));
            }
        }
    )*};
}

/// There are no signals where `over_wasi` is at home.
macro_rules! ended_by_signals {
    ($($name:ident)*) => {
        mod sigterm {
            use super::*;

            $(
                #[test]
                fn $name() {
                    sigterm(super::$name::start(&[LONG]));
                }
            )*
        }
    };
}

servers!(over_compio over_hyper over_io_uring over_smol over_wasi);
ended_by_signals!(over_compio over_hyper over_io_uring over_smol);
