//! Servers as processes.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::{env, process};

/// It ends with the test.
pub struct Running(pub Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A server, and where it listens.
pub fn start(command: &[&str]) -> (Running, u16) {
    let mut process = Command::new(command[0]);
    process.args(&command[1..]).stderr(Stdio::null());
    let mut server = Running(process.stdout(Stdio::piped()).spawn().unwrap());
    let mut line = String::new();
    let mut stdout = BufReader::new(server.0.stdout.take().unwrap());
    stdout.read_line(&mut line).unwrap();
    let port = line.trim().strip_prefix("port ").unwrap().parse().unwrap();
    (server, port)
}

/// A file of this test's own.
#[allow(dead_code, reason = "not each test has TLS")]
pub fn certificate() -> String {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let file = format!("sockets-{}-{number}.der", process::id());
    env::temp_dir().join(file).to_str().unwrap().into()
}
