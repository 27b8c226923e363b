//! `echo_client` and `conformance_client` with servers that do not behave, and what the examples say of errors.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by a panic")]

mod support;

use std::io::{BufWriter, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::LazyLock;
use std::thread;

use sansocket::{Accept, Connection, Event, OriginPolicy, ServerConfig};
use support::{PATIENCE, example, until};

static ECHO: LazyLock<PathBuf> = LazyLock::new(|| example("echo_client"));
static CONFORMANCE: LazyLock<PathBuf> = LazyLock::new(|| example("conformance_client"));

/// Its output is a pipe, and nothing is left of it after the test.
struct Client(Child);

impl Client {
    fn start(program: &Path, arguments: &[&str]) -> Self {
        let mut command = Command::new(program);
        command.args(arguments).stdin(Stdio::piped());
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        Self(command.spawn().unwrap())
    }

    /// What it has said, after it has ended by itself.
    fn output(mut self) -> Output {
        until("the end of the client", || {
            self.0.try_wait().unwrap().is_some()
        });
        let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
        let pipes = (self.0.stdout.take(), self.0.stderr.take());
        pipes.0.unwrap().read_to_end(&mut stdout).unwrap();
        pipes.1.unwrap().read_to_end(&mut stderr).unwrap();
        Output {
            status: self.0.wait().unwrap(),
            stdout,
            stderr,
        }
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn listen() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let uri = format!("ws://{}", listener.local_addr().unwrap());
    (listener, uri)
}

/// The next connection, open, after which everything depends on the test.
fn open(listener: &TcpListener) -> TcpStream {
    listener.set_nonblocking(true).unwrap();
    let mut accepted = None;
    until("a connection", || {
        accepted = listener.accept().ok();
        accepted.is_some()
    });
    let (mut stream, _) = accepted.unwrap();
    stream.set_nonblocking(false).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
    let mut ws = Connection::server(&ServerConfig::new(OriginPolicy::SameHost));
    let mut buf = [0; 4096];
    let mut is_open = false;
    while !is_open {
        let n = stream.read(&mut buf).unwrap();
        assert!(n > 0, "the client has gone");
        let mut input = &mut buf[..n];
        while let Some(event) = ws.receive(&mut input) {
            match event {
                Event::Request(_) => ws.accept(Accept::new()).unwrap(),
                Event::Open => is_open = true,
                _ => {}
            }
        }
    }
    stream.write_all(ws.output()).unwrap();
    stream
}

/// A large message of a server in one frame.
fn large(payload: &[u8]) -> Vec<u8> {
    let len = (payload.len() as u64).to_be_bytes();
    [b"\x82\x7f", &len[..], payload].concat()
}

/// The server closes TCP first, once it has the Close frame of the client (RFC 6455 §7.1.1), which is the last
/// that comes.
fn close_after_it(mut stream: TcpStream) {
    let mut bytes = Vec::new();
    while bytes.len() < 8 || bytes[bytes.len() - 8..][..2] != [0x88, 0x82] {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        bytes.push(byte[0]);
    }
}

#[test]
fn echo_client_and_a_server_that_never_reads() {
    let (listener, uri) = listen();
    let mut client = Client::start(&ECHO, &[&uri, "1"]);
    let stdin = client.0.stdin.take().unwrap();
    // More than the socket's buffers take, and then no end: only what is written can end it.
    let feeding = thread::spawn(move || {
        let mut lines = BufWriter::new(stdin);
        for _ in 0..64 {
            if writeln!(lines, "{}", "x".repeat(1 << 20)).is_err() {
                return None;
            }
        }
        Some(lines)
    });
    let stream = open(&listener);
    let output = client.output();
    assert!(!output.status.success());
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("closed not cleanly, code 1006"), "{said}");
    drop((stream, feeding.join()));
}

#[test]
fn conformance_client_and_a_server_that_never_reads() {
    let (listener, uri) = listen();
    let client = Client::start(&CONFORMANCE, &[&uri, "agent", "1"]);
    let mut count = open(&listener);
    count.write_all(b"\x81\x011\x88\x02\x03\xe8").unwrap();
    close_after_it(count);
    // It answers with more than the socket's buffers take.
    let mut case = open(&listener);
    case.write_all(&large(&vec![0; 60 << 20])).unwrap();
    let mut reports = open(&listener);
    reports.write_all(b"\x88\x02\x03\xe8").unwrap();
    close_after_it(reports);
    assert!(client.output().status.success());
    drop(case);
}

#[test]
fn control_characters_are_escaped() {
    let (listener, uri) = listen();
    let client = Client::start(&ECHO, &[&uri]);
    let mut stream = open(&listener);
    let text = "\x1b]0;owned\x07\u{9b}31m\u{202e}red\r\n\tü";
    let frame = [
        &[0x81, text.len() as u8],
        text.as_bytes(),
        b"\x88\x02\x03\xe8",
    ]
    .concat();
    stream.write_all(&frame).unwrap();
    close_after_it(stream);
    let output = client.output();
    assert!(output.status.success());
    assert_eq!(
        String::from_utf8(output.stdout).unwrap(),
        "\\u{1b}]0;owned\\u{7}\\u{9b}31m\\u{202e}red\\u{d}\\u{a}\tü\n"
    );
}

/// A person reads it: no names of types, no quotes around it, and what is wrong.
#[test]
fn errors_are_sentences() {
    let (listener, nobody) = listen();
    drop(listener);
    let (listener, taken) = listen();
    let server = example("echo_server");
    for (program, argument, said) in [
        (&*ECHO, "foo", "error: the scheme is not ws or wss"),
        (&ECHO, &nobody, "error: Connection refused"),
        (
            &ECHO,
            "wss://127.0.0.1/",
            "error: this example speaks ws:// only",
        ),
        (&CONFORMANCE, "foo", "error: the scheme is not ws or wss"),
        (&CONFORMANCE, &nobody, "error: Connection refused"),
        (&server, "foo", "error: invalid socket address"),
        (
            &server,
            taken.trim_start_matches("ws://"),
            "error: Address already in use",
        ),
    ] {
        let output = Client::start(program, &[argument]).output();
        assert_eq!(output.status.code(), Some(1), "{argument}");
        assert_eq!(output.stdout, b"");
        let error = String::from_utf8(output.stderr).unwrap();
        assert!(error.starts_with(said), "{argument}: {error}");
        assert_eq!(error.lines().count(), 1, "{error}");
    }
    drop(listener);
}
