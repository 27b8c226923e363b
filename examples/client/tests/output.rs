//! What is printed of a server that sends escape sequences.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by a panic")]

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Output, Stdio};
use std::thread;

use sansocket::{Accept, CloseCode, Connection, Event, OriginPolicy, ServerConfig, Transport};

const TEXT: &str = "\x1b]0;owned\x07\u{9b}31m\u{202e}red\r";
const BYTES: &[u8] = b"\x1bc\xff";

/// Says both, and closes.
fn serve(mut stream: TcpStream) {
    let mut ws = Connection::server(&ServerConfig::new(OriginPolicy::SameHost));
    let mut buf = vec![0; 4096];
    let mut input: &mut [u8] = &mut [];
    while ws.transport() != Transport::Close {
        while let Some(event) = ws.receive(&mut input) {
            match event {
                Event::Request(_) => ws.accept(Accept::new()).unwrap(),
                Event::Open => {
                    ws.send(TEXT).unwrap();
                    ws.send(BYTES).unwrap();
                    ws.close(CloseCode::NORMAL_CLOSURE, TEXT).unwrap();
                }
                _ => {}
            }
        }
        let n = stream.write(ws.output()).unwrap();
        ws.consume_output(n);
        if ws.output().is_empty() && ws.transport() != Transport::Close && n == 0 {
            let n = stream.read(&mut buf).unwrap();
            input = &mut buf[..n];
            if n == 0 {
                ws.receive_eof();
            }
        }
    }
}

fn client(options: &[&str]) -> Output {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let uri = format!("ws://{}/", listener.local_addr().unwrap());
    let served = thread::spawn(move || serve(listener.accept().unwrap().0));
    let output = Command::new(env!("CARGO_BIN_EXE_client"))
        .args(options)
        .args(["--stay", &uri])
        .stdin(Stdio::null())
        .output()
        .unwrap();
    served.join().unwrap();
    assert!(output.status.success(), "{output:?}");
    output
}

fn assert_harmless(bytes: &[u8]) {
    let text = str::from_utf8(bytes).unwrap();
    let harmful = |c: char| c != '\n' && (c.is_control() || c == '\u{202e}');
    assert!(!text.contains(harmful), "{text:?}");
}

#[test]
fn control_characters_are_escaped() {
    let output = client(&[]);
    assert_eq!(
        String::from_utf8(output.stdout).unwrap(),
        "\\u{1b}]0;owned\\u{7}\\u{9b}31m\\u{202e}red\\u{d}\n\\u{1b}c\\xff\n"
    );
    assert_harmless(&output.stderr);
    assert!(str::from_utf8(&output.stderr).unwrap().contains("owned"));
}

#[test]
fn in_json_as_well() {
    let output = client(&["--json"]);
    assert_harmless(&output.stdout);
    assert_harmless(&output.stderr);
    let mut said = Vec::new();
    for line in str::from_utf8(&output.stdout).unwrap().lines() {
        let event: serde_json::Value = serde_json::from_str(line).unwrap();
        said.extend(event["text"].as_str().map(str::to_owned));
        said.extend(event["reason"].as_str().map(str::to_owned));
    }
    assert_eq!(said, [TEXT, TEXT]);
}

#[test]
fn binary_output_is_as_it_is() {
    let output = client(&["--binary"]);
    assert_eq!(output.stdout, [TEXT.as_bytes(), b"\n", BYTES].concat());
    assert_harmless(&output.stderr);
}
