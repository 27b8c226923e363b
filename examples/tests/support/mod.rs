//! The server of an example in a process of its own, under limits, and clients that write their bytes
//! themselves. The tests of the other example servers include this file.
#![allow(dead_code, reason = "each test uses a part of it")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by a panic")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use std::{env, fs, thread};

/// What a test waits for comes long before this, however busy the machine is.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Asks again and again.
pub fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let asked = Instant::now();
    while !holds() {
        assert!(asked.elapsed() < PATIENCE, "it never came: {what}");
        thread::sleep(Duration::from_millis(5));
    }
}

/// Cargo builds no example for a single test, and would leave an old one there.
pub fn example(name: &str) -> PathBuf {
    let test = env::current_exe().unwrap();
    let target = test.ancestors().nth(3).unwrap();
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["build", "--quiet", "--example", name]);
    cargo.current_dir(env!("CARGO_MANIFEST_DIR"));
    cargo.arg("--target-dir").arg(target);
    assert!(cargo.status().unwrap().success());
    target.join("debug/examples").join(name)
}

/// A server that ends with the test.
pub struct Server {
    child: Child,
    pub address: SocketAddr,
    log: Arc<Mutex<String>>,
}

impl Server {
    /// `limits` are commands of the shell, such as `ulimit -n 20`. The first line that the program prints
    /// says where it listens.
    pub fn start(program: &Path, limits: &str, arguments: &[&str]) -> Self {
        let mut command = Command::new("sh");
        command.args(["-c", &format!("{limits}\nexec \"$0\" \"$@\"")]);
        command.arg(program).arg("127.0.0.1:0").args(arguments);
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        stdout.read_line(&mut line).unwrap();
        let log = Arc::new(Mutex::new(String::new()));
        let mut stderr = BufReader::new(child.stderr.take().unwrap());
        let lines = log.clone();
        thread::spawn(move || {
            let mut line = String::new();
            while matches!(stderr.read_line(&mut line), Ok(1..)) {
                eprint!("server: {line}");
                lines.lock().unwrap().push_str(&line);
                line.clear();
            }
        });
        let (_, place) = line.split_once("://").unwrap();
        let (place, _) = place.split_once('/').unwrap();
        Self {
            address: place.parse().unwrap(),
            child,
            log,
        }
    }

    /// What it has written to its standard error.
    pub fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    pub fn threads(&self) -> usize {
        self.count("task")
    }

    pub fn descriptors(&self) -> usize {
        self.count("fd")
    }

    fn count(&self, what: &str) -> usize {
        let entries = fs::read_dir(format!("/proc/{}/{what}", self.child.id()));
        entries.unwrap().count()
    }

    /// As `ps` shows it: `T` if it was stopped.
    fn state(&self) -> char {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.child.id())).unwrap();
        let (_, state) = stat.rsplit_once(") ").unwrap();
        state.chars().next().unwrap()
    }

    /// How many descriptors it may have from now on: those that it has stay.
    pub fn limit_descriptors(&self, limit: usize) {
        let pid = self.child.id().to_string();
        let limit = format!("--nofile={limit}:");
        let status = Command::new("prlimit")
            .args(["--pid", &pid, &limit])
            .status();
        assert!(status.unwrap().success());
    }

    pub fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        let status = Command::new("kill").args(["-s", name, &pid]).status();
        assert!(status.unwrap().success());
    }

    /// Whether it has ended, and how.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().unwrap()
    }

    pub fn wait(&mut self) -> ExitStatus {
        until("the end of the server", || self.ended().is_some());
        self.ended().unwrap()
    }

    /// What it answers to a request without a body; nothing if it closed without an answer.
    pub fn ask(&self, method: &str, path: &str) -> String {
        let mut stream = self.connect();
        let request = format!("{method} {path} HTTP/1.1\r\nHost: h\r\n\r\n");
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        String::from_utf8(answer).unwrap()
    }

    /// `HEAD` answers as `GET` does, without the page (RFC 9110 §9.3.2).
    pub fn assert_page(&self, word: &str) {
        let page = self.ask("GET", "/");
        let (head, body) = page.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
        assert!(body.contains(word), "{body}");
        assert_eq!(self.ask("HEAD", "/"), format!("{head}\r\n\r\n"));
        assert!(self.ask("GET", "/other").starts_with("HTTP/1.1 404 "));
    }

    pub fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).unwrap();
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        stream
    }

    /// A connection to `/ws` that is open.
    pub fn open(&self) -> TcpStream {
        let mut stream = self.connect();
        stream.write_all(REQUEST).unwrap();
        assert!(read_head(&mut stream).starts_with("HTTP/1.1 101 "));
        stream
    }

    /// A connection on which it answers in time, or not at all.
    pub fn try_open(&self) -> Option<TcpStream> {
        let mut stream = TcpStream::connect(self.address).ok()?;
        let soon = Some(Duration::from_millis(500));
        stream.set_read_timeout(soon).unwrap();
        stream.write_all(REQUEST).ok()?;
        stream.read_exact(&mut [0]).ok()?;
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        assert!(read_head(&mut stream).starts_with("TTP/1.1 101 "));
        Some(stream)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub const REQUEST: &[u8] =
    b"GET /ws HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";

/// The head of an answer.
pub fn read_head(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.extend(read(stream, 1));
    }
    String::from_utf8(head).unwrap()
}

pub fn read(stream: &mut TcpStream, len: usize) -> Vec<u8> {
    let mut bytes = vec![0; len];
    stream.read_exact(&mut bytes).unwrap();
    bytes
}

/// The next frame of a server (RFC 6455 §5.2): its first byte and its payload.
pub fn read_frame(stream: &mut TcpStream) -> (u8, Vec<u8>) {
    let start = read(stream, 2);
    let len = match start[1] {
        126 => read(stream, 2),
        127 => read(stream, 8),
        len => vec![len],
    };
    let len = len
        .iter()
        .fold(0, |len, byte| len << 8 | usize::from(*byte));
    (start[0], read(stream, len))
}

/// The next message, after pings that are answered.
pub fn read_message(stream: &mut TcpStream) -> (u8, Vec<u8>) {
    loop {
        match read_frame(stream) {
            (0x89, ping) => stream.write_all(&frame(0x8a, &ping)).unwrap(),
            frame => return frame,
        }
    }
}

/// A frame of a client, masked with zeros.
pub fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let len = payload.len();
    let mut frame = vec![first];
    match len {
        0..=125 => frame.push(0x80 | len as u8),
        126..=0xffff => {
            frame.push(0x80 | 126);
            frame.extend((len as u16).to_be_bytes());
        }
        _ => {
            frame.push(0x80 | 127);
            frame.extend((len as u64).to_be_bytes());
        }
    }
    frame.extend([0; 4]);
    frame.extend(payload);
    frame
}

/// A server sends back what it got.
pub fn assert_echo(stream: &mut TcpStream, text: &str) {
    stream.write_all(&frame(0x81, text.as_bytes())).unwrap();
    assert_eq!(read_message(stream), (0x81, text.into()));
}

/// Sends until the server takes nothing more, or has closed, and reads nothing.
pub fn stuff(stream: &mut TcpStream) {
    let whole = frame(0x82, &vec![0; 1 << 20]);
    stream
        .set_write_timeout(Some(Duration::from_millis(200)))
        .unwrap();
    let mut at = 0;
    while let Ok(n) = stream.write(&whole[at..]) {
        at = (at + n) % whole.len();
    }
}

/// A server that has no descriptor left and nobody who could leave answers who waits as soon as it has one.
pub fn assert_tries_again(server: &Server) {
    server.limit_descriptors(1);
    let mut waiting = server.connect();
    waiting.write_all(REQUEST).unwrap();
    until("a line of the log", || server.log().contains("os error 24"));
    server.limit_descriptors(1000);
    assert!(read_head(&mut waiting).starts_with("HTTP/1.1 101 "));
}

/// A server that waits 3 s for the answer to a ping, and was stopped for longer than that, with an answer that
/// had come all the same.
pub fn assert_hears_what_came(server: &Server) {
    let mut stream = server.open();
    let (first, ping) = read_frame(&mut stream);
    assert_eq!(first, 0x89);
    server.signal("STOP");
    until("it has stopped", || server.state() == 'T');
    stream.write_all(&frame(0x8a, &ping)).unwrap();
    thread::sleep(Duration::from_secs(7));
    server.signal("CONT");
    assert_echo(&mut stream, "still there");
}

/// All that still comes, and that the stream has ended in order.
pub fn read_to_end(stream: &mut TcpStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).unwrap();
    bytes
}
