//! The server where something is short, with peers that do not behave, and ended by a signal.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by a panic")]

#[path = "../../tests/support/mod.rs"]
mod support;

use std::io::Write;
use std::net::TcpStream;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use support::{
    REQUEST, Server, assert_tries_again, frame, read_frame, read_head, read_message, read_to_end,
    until,
};

/// Seconds that it waits for clients, however slow the machine is.
const LONG: &str = "3600";

fn start(limits: &str, arguments: &[&str]) -> Server {
    Server::start(Path::new(env!("CARGO_BIN_EXE_chat")), limits, arguments)
}

/// It hears what it says.
fn assert_hears(stream: &mut TcpStream, text: &str) {
    let say = format!(r#"{{"say":"{text}","id":"{text}"}}"#);
    stream.write_all(&frame(0x81, say.as_bytes())).unwrap();
    loop {
        let (first, event) = read_message(stream);
        let event = String::from_utf8(event).unwrap();
        assert_eq!(first, 0x81, "{event}");
        if event.contains(r#""event":"said""#) {
            assert!(event.contains(&format!(r#""text":"{text}""#)), "{event}");
            return;
        }
    }
}

#[test]
fn the_page() {
    start("", &[LONG]).assert_page("<title>Chat</title>");
}

/// RFC 6455 §7.1.1: both Close frames, and the server ends TCP. Who does not answer is not waited for.
#[test]
fn signals() {
    for signal in ["TERM", "INT"] {
        let mut server = start("", &[LONG]);
        let mut members: Vec<_> = (0..20).map(|_| server.open()).collect();
        let mut silent = server.open();
        let _undecided = server.connect();
        let sent = Instant::now();
        server.signal(signal);
        for member in &mut members {
            let close = loop {
                match read_message(member) {
                    (0x88, close) => break close,
                    (0x81, _) => {}
                    other => panic!("{other:?}"),
                }
            };
            assert_eq!(close, b"\x03\xe9the server stops");
            member.write_all(&frame(0x88, &close[..2])).unwrap();
            assert_eq!(read_to_end(member), b"");
        }
        assert!(server.wait().success());
        let took = sent.elapsed();
        assert!(took < Duration::from_secs(40), "{took:?}");
        drop(read_to_end(&mut silent));
        let peer = members[0].local_addr().unwrap();
        let line = format!("{peer}: closed cleanly, code 1001, begun by this end\n");
        until("a line of the log", || server.log().contains(&line));
    }
}

#[test]
fn stopped_for_longer_than_its_timeouts() {
    let server = start("", &["3"]);
    let mut stream = server.open();
    let ping = loop {
        match read_frame(&mut stream) {
            (0x89, ping) => break ping,
            (first, event) => assert_eq!(first, 0x81, "{event:?}"),
        }
    };
    server.signal("STOP");
    stream.write_all(&frame(0x8a, &ping)).unwrap();
    thread::sleep(Duration::from_secs(7));
    server.signal("CONT");
    assert_hears(&mut stream, "still there");
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
    until("a line of the log", || server.log().contains("os error 24"));
    assert_hears(&mut first, "one");
    for stream in &mut streams {
        stream.write_all(REQUEST).unwrap();
    }
    // Each that goes makes room for one.
    for mut stream in streams {
        assert!(read_head(&mut stream).starts_with("HTTP/1.1 101 "));
    }
    assert_hears(&mut first, "two");
    let lines = server.log().matches("os error 24").count();
    assert!(lines < 60, "{lines} lines");
}

/// A member that says more than others could read.
#[test]
fn who_says_too_much_is_sent_away() {
    let server = start("", &[LONG]);
    let (mut other, mut loud) = (server.open(), server.open());
    let flood: Vec<_> = (0..400)
        .flat_map(|i| frame(0x81, format!(r#"{{"say":"x","id":"{i}"}}"#).as_bytes()))
        .collect();
    loud.write_all(&flood).unwrap();
    let close = loop {
        match read_message(&mut loud) {
            (0x88, close) => break close,
            (first, _) => assert_eq!(first, 0x81),
        }
    };
    assert_eq!(close[..2], 1008_u16.to_be_bytes());
    let mut heard = 0;
    let say = frame(0x81, br#"{"say":"quiet","id":"quiet"}"#);
    other.write_all(&say).unwrap();
    loop {
        let (_, event) = read_message(&mut other);
        let event = String::from_utf8(event).unwrap();
        if event.contains("quiet\",") {
            break;
        }
        heard += usize::from(event.contains(r#""text":"x""#));
    }
    assert!((200..250).contains(&heard), "{heard}");
}

#[test]
fn as_many_as_it_serves() {
    let server = start("", &[LONG, "4"]);
    let (mut first, second) = (server.open(), server.open());
    let mut refused = server.connect();
    refused.write_all(REQUEST).unwrap();
    let answer = String::from_utf8(read_to_end(&mut refused)).unwrap();
    assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
    assert!(answer.contains("\r\nRetry-After: 10\r\n"), "{answer}");

    let undecided = [server.connect(), server.connect()];
    let mut waiting = server.connect();
    waiting.write_all(REQUEST).unwrap();
    assert_hears(&mut first, "Hello");
    waiting.set_nonblocking(true).unwrap();
    assert!(waiting.peek(&mut [0]).is_err(), "it is served");
    waiting.set_nonblocking(false).unwrap();
    drop((second, undecided));
    assert!(read_head(&mut waiting).starts_with("HTTP/1.1 101 "));
}
