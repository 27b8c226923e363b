//! What goes along when `-L` leads to another place, and what does not.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by a panic")]

use std::io::{Read, Write};
use std::net::TcpListener;
use std::process::{Command, Stdio};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// Gives these answers, each on a connection of its own, and returns the heads of the requests.
fn serve(listener: TcpListener, answers: Vec<String>) -> JoinHandle<Vec<String>> {
    listener.set_nonblocking(true).unwrap();
    let asked = Instant::now();
    thread::spawn(move || {
        let answer = |answer: String| {
            let mut stream = loop {
                match listener.accept() {
                    Ok((stream, _)) => break stream,
                    Err(error) if asked.elapsed() > Duration::from_secs(60) => panic!("{error}"),
                    Err(_) => thread::sleep(Duration::from_millis(5)),
                }
            };
            stream.set_nonblocking(false).unwrap();
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                let mut byte = [0];
                stream.read_exact(&mut byte).unwrap();
                head.extend(byte);
            }
            stream.write_all(answer.as_bytes()).unwrap();
            String::from_utf8(head).unwrap()
        };
        answers.into_iter().map(answer).collect()
    })
}

fn found(location: &str) -> String {
    format!("HTTP/1.1 302 Found\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n")
}

/// Cookies, credentials and subprotocols, some of which are tokens, stay with their origin, which becomes `null`.
#[test]
fn credentials_stay_at_home() {
    let listen = || TcpListener::bind("127.0.0.1:0").unwrap();
    let (first, second) = (listen(), listen());
    let uri = format!("ws://{}/", first.local_addr().unwrap());
    let other = format!("ws://{}/", second.local_addr().unwrap());
    let first = serve(first, vec![found("/login"), found(&other)]);
    let gone = "HTTP/1.1 410 Gone\r\nContent-Length: 0\r\n\r\n";
    let second = serve(second, vec![gone.into()]);
    let output = Command::new(env!("CARGO_BIN_EXE_client"))
        .args(["-L", "-s", "token", "--origin", "http://home.example"])
        .args(["-H", "Cookie: a=b", "-H", "Authorization: secret"])
        .args(["-H", "X-Api-Key: k", "-H", "User-Agent: test", &uri])
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(3), "{output:?}");
    let own = [
        "Sec-WebSocket-Protocol: token",
        "Origin: http://home.example",
        "Cookie: a=b",
        "Authorization: secret",
        "X-Api-Key: k",
        "User-Agent: test",
    ];
    let at_home = first.join().unwrap();
    assert!(at_home[1].starts_with("GET /login HTTP/1.1\r\n"));
    for (head, line) in at_home.iter().flat_map(|head| own.map(|line| (head, line))) {
        assert!(head.contains(line), "{line} in {head}");
    }
    let [elsewhere] = &second.join().unwrap()[..] else {
        panic!("one request");
    };
    let mut names: Vec<_> = elsewhere.lines().skip(1).collect();
    names
        .iter_mut()
        .for_each(|line| *line = line.split(':').next().unwrap());
    names.sort_unstable();
    let expected =
        "/Connection/Host/Origin/Sec-WebSocket-Key/Sec-WebSocket-Version/Upgrade/User-Agent";
    assert_eq!(names, expected.split('/').collect::<Vec<_>>());
    assert!(elsewhere.contains("Origin: null\r\n"), "{elsewhere}");
}
