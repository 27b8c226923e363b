//! Processes, their time on the processor, and their memory, as /proc of Linux tells.

use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::load::Ask;

fn program(args: &[&str]) -> Child {
    Command::new(std::env::current_exe().expect("this program"))
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("this program again")
}

fn line(out: &mut BufReader<ChildStdout>) -> String {
    let mut line = String::new();
    out.read_line(&mut line).expect("a line");
    assert!(!line.is_empty(), "the other program has ended");
    line.trim().into()
}

/// A server in a process of its own, which ends with this value.
pub struct Server {
    child: Child,
    address: String,
}

impl Server {
    pub fn start(name: &str) -> Self {
        let mut child = program(&["serve", name]);
        let mut out = BufReader::new(child.stdout.take().expect("piped"));
        let address = line(&mut out);
        Self { child, address }
    }

    /// Seconds on the processor.
    fn time(&self) -> f64 {
        let text = std::fs::read_to_string(format!("/proc/{}/schedstat", self.child.id()));
        let text = text.expect("/proc of Linux");
        let nanos = text
            .split(' ')
            .next()
            .and_then(|nanos| nanos.parse::<f64>().ok());
        nanos.expect("a number") / 1e9
    }

    /// Bytes that are resident.
    pub fn memory(&self) -> f64 {
        let text = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()));
        let text = text.expect("/proc of Linux");
        let (_, rest) = text.split_once("RssAnon:").expect("a line of it");
        let kib = rest
            .split_whitespace()
            .next()
            .and_then(|kib| kib.parse::<f64>().ok());
        kib.expect("a number") * 1024.0
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The generator, in a process of its own, which ends with this value.
pub struct Load {
    child: Child,
    ask: ChildStdin,
    out: BufReader<ChildStdout>,
}

impl Load {
    fn new(mut child: Child) -> Self {
        let ask = child.stdin.take().expect("piped");
        let mut out = BufReader::new(child.stdout.take().expect("piped"));
        assert_eq!(line(&mut out), "ready");
        Self { child, ask, out }
    }

    pub fn start(server: &Server, connections: usize, in_flight: usize, ask: Ask) -> Self {
        let (kind, size) = match ask {
            Ask::Echo(size) => ("echo", size),
            Ask::Answer(size) => ("answer", size),
        };
        let numbers = [connections, in_flight, size].map(|number| number.to_string());
        let [connections, in_flight, size] = &numbers;
        Self::new(program(&[
            "load",
            &server.address,
            connections,
            in_flight,
            kind,
            size,
        ]))
    }

    pub fn idle(server: &Server, connections: usize) -> Self {
        Self::new(program(&[
            "idle",
            &server.address,
            &connections.to_string(),
        ]))
    }

    /// Nothing happens for a moment.
    pub fn rest(&self) {
        sleep(Duration::from_millis(500));
    }

    /// After the next exchange.
    pub fn exchange(&mut self) {
        self.ask.write_all(b"\n").expect("the generator");
        assert_eq!(line(&mut self.out), "ready");
    }

    pub fn warm_up(&mut self, seconds: f64) {
        sleep(Duration::from_secs_f64(seconds));
    }

    /// Echoes for each second of the server's processor, over so many seconds, and more while there are none.
    pub fn measure(&mut self, server: &Server, seconds: f64) -> f64 {
        let (count, time, start) = (self.count(), server.time(), Instant::now());
        loop {
            sleep(Duration::from_secs_f64(seconds));
            let (echoes, time) = (self.count() - count, server.time() - time);
            if echoes > 0.0 && time > 0.0 {
                return echoes / time;
            }
            assert!(
                start.elapsed() < Duration::from_secs(60),
                "nothing comes back"
            );
        }
    }

    fn count(&mut self) -> f64 {
        self.ask.write_all(b"\n").expect("the generator");
        line(&mut self.out).parse().expect("a number")
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What it was measured on.
pub fn machine(report: &mut String, rounds: usize, seconds: f64) {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let cpus = read("/proc/cpuinfo");
    let model = cpus
        .lines()
        .find_map(|line| line.strip_prefix("model name\t: "))
        .unwrap_or("?");
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let kernel = read("/proc/sys/kernel/osrelease");
    let load = read("/proc/loadavg");
    let load = load.split(' ').next().unwrap_or("?");
    let _ = writeln!(
        report,
        "{model}, {cores} cores, Linux {}. Written by `cargo run --release` in this folder: {rounds} rounds of {seconds} s \
         each, medians. The machine's load when it began: {load}. tokio-tungstenite 0.30.0, fastwebsockets 0.10.0.\n",
        kernel.trim()
    );
}
