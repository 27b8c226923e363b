//! `echo_server` where something is short, and with peers that do not behave.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by a panic")]

mod support;

use std::io::Write;
use std::path::PathBuf;
use std::sync::LazyLock;

use support::{
    REQUEST, Server, assert_echo, assert_hears_what_came, assert_tries_again, example, frame,
    read_frame, read_head, read_to_end, stuff, until,
};

/// Seconds that it waits for clients, however slow the machine is.
const LONG: &str = "3600";

static PROGRAM: LazyLock<PathBuf> = LazyLock::new(|| example("echo_server"));

fn start(limits: &str, arguments: &[&str]) -> Server {
    Server::start(&PROGRAM, limits, arguments)
}

#[test]
fn messages_come_back() {
    let server = start("", &[LONG]);
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

#[test]
fn the_page() {
    start("", &[LONG]).assert_page("Every message comes back");
}

#[test]
fn stopped_for_longer_than_its_timeouts() {
    assert_hears_what_came(&start("", &["3"]));
}

#[test]
fn a_failed_accept_is_tried_again() {
    assert_tries_again(&start("", &[LONG]));
}

#[test]
fn more_connections_than_descriptors() {
    let server = start("ulimit -n 20", &[LONG]);
    let mut first = server.open();
    let mut streams: Vec<_> = (0..60).map(|_| server.connect()).collect();
    for stream in &mut streams {
        stream.write_all(REQUEST).unwrap();
    }
    until("a line of the log", || server.log().contains("os error 24"));
    assert_echo(&mut first, "still there");
    // Each that goes makes room for one.
    for mut stream in streams {
        assert!(read_head(&mut stream).starts_with("HTTP/1.1 101 "));
        assert_echo(&mut stream, "Hello");
    }
    assert_echo(&mut first, "still there");
    // It is one line, as long as it lasts.
    let lines = server.log().matches("os error 24").count();
    assert!(lines < 60, "{lines} lines");
}

#[test]
fn no_more_threads() {
    // Memory for some stacks, and not for all of them.
    let limits = "export RUST_MIN_STACK=67108864 MALLOC_ARENA_MAX=1; ulimit -v 700000";
    let server = start(limits, &[LONG]);
    let mut first = server.open();
    let streams: Vec<_> = (0..30).filter_map(|_| server.try_open()).collect();
    assert!((2..20).contains(&streams.len()), "{}", streams.len());
    assert_echo(&mut first, "still there");
    drop(streams);
    let mut last = None;
    until("a thread for another one", || {
        last = server.try_open();
        last.is_some()
    });
    assert_echo(&mut last.unwrap(), "Hello");
    assert_echo(&mut first, "still there");
}

#[test]
fn peers_that_never_read() {
    let server = start("", &["1"]);
    let idle = server.threads();
    // Neither do they leave.
    let mut greedy = Vec::new();
    for _ in 0..5 {
        let mut stream = server.open();
        stuff(&mut stream);
        greedy.push(stream);
    }
    until("their threads are free", || server.threads() == idle);
    drop(greedy);
    assert_echo(&mut server.open(), "Hello");
}

#[test]
fn as_many_as_it_serves() {
    let server = start("", &[LONG, "2"]);
    let (mut a, mut b) = (server.open(), server.open());
    let mut waiting = server.connect();
    waiting.write_all(REQUEST).unwrap();
    assert_echo(&mut a, "Hello");
    assert_eq!(server.threads(), 3);
    drop(a);
    // It takes the place of the one that left.
    assert!(read_head(&mut waiting).starts_with("HTTP/1.1 101 "));
    assert_echo(&mut waiting, "Hello");
    assert_echo(&mut b, "Hello");
}

/// There is no handler: no Close frame, which clients are told as 1006.
#[test]
fn sigterm() {
    let mut server = start("", &[LONG]);
    let mut stream = server.open();
    server.signal("TERM");
    assert!(!server.wait().success());
    assert_eq!(read_to_end(&mut stream), b"");
}
