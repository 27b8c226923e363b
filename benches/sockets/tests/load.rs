//! The generator loads each of the servers in each way, and notices one that does not do the work.

mod support;

use std::io::{BufRead, BufReader, Read};
use std::net::TcpListener;
use std::process::{Command, Stdio};
use std::thread;

use support::{Running, certificate, start};
use tungstenite::Message;

const LOAD: &str = env!("CARGO_BIN_EXE_load");

/// Counts are told twice a second: by then what is waited for has come, or never comes.
const COUNTS: usize = 120;

/// Loads a server until so many messages have come back, and returns how many that were then.
fn load(server: &[&str], options: &[&str], at_least: u64) -> u64 {
    let (_server, port) = start(server);
    let mut command = Command::new(LOAD);
    command.arg(port.to_string()).args(options);
    let mut load = Running(command.stdout(Stdio::piped()).spawn().unwrap());
    let mut lines = BufReader::new(load.0.stdout.take().unwrap()).lines();
    let mut line = || lines.next().expect("it goes on").unwrap();
    assert_eq!(line(), "open", "{server:?} {options:?}");
    let mut counts = (0..COUNTS).map(|_| {
        let line = line();
        line.strip_prefix("messages ").unwrap().parse().unwrap()
    });
    let enough = counts.find(|count| *count >= at_least);
    enough.expect("more and more messages come back")
}

#[test]
fn echoes_come_back() {
    for program in [
        env!("CARGO_BIN_EXE_sansocket"),
        env!("CARGO_BIN_EXE_tungstenite"),
        env!("CARGO_BIN_EXE_fastwebsockets"),
        env!("CARGO_BIN_EXE_tokio-websockets"),
    ] {
        let options = "--connections 5 --in-flight 16 --size 16384";
        let options: Vec<_> = options.split(' ').collect();
        load(&[program], &options, 5 * 16 * 2);
    }
}

/// Without it there are thousands in a second.
#[test]
fn echoes_come_at_a_rate() {
    let program = env!("CARGO_BIN_EXE_sansocket");
    let options = ["--connections", "5", "--rate", "20"];
    let count = load(&[program], &options, 1);
    assert!(count < 500, "{count}");
}

#[test]
fn compressed_echoes_come_back() {
    let program = env!("CARGO_BIN_EXE_sansocket");
    let options = ["--connections", "5", "--size", "1024", "--deflate"];
    load(&[program, "deflate"], &options, 5 * 2);
}

#[test]
fn a_room_sends_to_all() {
    for program in [
        env!("CARGO_BIN_EXE_room-sansocket"),
        env!("CARGO_BIN_EXE_room-tungstenite"),
    ] {
        for in_flight in ["1", "16"] {
            let options = ["--connections", "50", "--room", "--in-flight", in_flight];
            load(&[program], &options, 50 * 16 * 2);
        }
    }
}

#[test]
fn echoes_come_back_over_tls() {
    for program in [
        env!("CARGO_BIN_EXE_tls-sansocket"),
        env!("CARGO_BIN_EXE_tls-tungstenite"),
    ] {
        let file = certificate();
        let options = "--connections 5 --in-flight 4 --size 16384 --certificate";
        let options: Vec<_> = options.split(' ').chain([&*file]).collect();
        load(&[program, &file], &options, 5 * 4 * 2);
    }
}

/// What the generator says of a server that sends `answer` for the first message and `later` for all others.
fn complaint(answer: Message, later: Message) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let server = thread::spawn(move || {
        let mut ws = tungstenite::accept(listener.accept().unwrap().0).unwrap();
        let mut answer = Some(answer);
        for _ in 0..100 {
            if ws.read().is_err() {
                return;
            }
            let answer = answer.take().unwrap_or_else(|| later.clone());
            if ws.send(answer).is_err() {
                return;
            }
        }
    });
    let mut command = Command::new(LOAD);
    command.args([&port.to_string(), "--size", "4"]);
    let mut load = Running(
        command
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap(),
    );
    let mut said = String::new();
    let mut stderr = load.0.stderr.take().unwrap();
    stderr.read_to_string(&mut said).unwrap();
    assert!(!load.0.wait().unwrap().success());
    server.join().unwrap();
    said
}

#[test]
fn a_server_that_does_not_echo_is_noticed() {
    // What it says itself.
    let right = Message::binary((0..4).map(|at| (at * 7) as u8).collect::<Vec<_>>());
    let wrong = Message::binary(&b"else"[..]);
    assert!(complaint(wrong.clone(), right.clone()).contains("not what was sent"));
    let longer = Message::binary(&b"too long"[..]);
    assert!(complaint(right, longer).contains("another length"));
}
