//! Connections move to a new process while a third one talks over them (Linux).
//!
//! `cargo run --release -p handover [CONNECTIONS [SECONDS]]`
//!
//! It starts an echo server, a client with so many connections (10,000), of which half are in the middle of a message at any
//! time, and after some seconds (3) a new server, which takes them all over, the listening socket first. Each echo is
//! looked at: none is lost, none comes twice. What it prints: how long the move took, and how long each connection
//! waited for its longest echo, before it and while it lasted.
//!
//! The parts can be run apart: `handover serve PATH`, `handover take PATH` and `handover talk ADDRESS CONNECTIONS`; each ends with its
//! standard input.

mod passing;
mod server;
mod talker;

use std::error::Error;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitCode, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use std::{env, process, thread};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use server::Server;
use talker::{Talker, Told};

type Failed = Box<dyn Error + Send + Sync>;

fn main() -> ExitCode {
    let args: Vec<String> = env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let done = match args[..] {
        ["serve", path] => serve(Path::new(path)),
        ["take", path] => take(Path::new(path)),
        ["talk", address, count] => talk(address, count),
        [] => all("10000", "3"),
        [count] => all(count, "3"),
        [count, seconds] => all(count, seconds),
        _ => Err("handover [CONNECTIONS [SECONDS]]".into()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("handover: {error}");
            ExitCode::FAILURE
        }
    }
}

// ── the three processes

fn serve(path: &Path) -> Result<(), Failed> {
    raise_limit()?;
    let server = Server::bind(path)?;
    println!("{}", server.local_addr()?);
    run(server)
}

fn take(path: &Path) -> Result<(), Failed> {
    raise_limit()?;
    let began = Instant::now();
    let (server, taken) = Server::take_over(path)?;
    println!("{taken} connections in {} ms", began.elapsed().as_millis());
    run(server)
}

fn run(server: Server) -> Result<(), Failed> {
    let waker = server.waker();
    thread::spawn(move || {
        let _ = io::stdin().read_to_end(&mut Vec::new());
        waker.wake()
    });
    Ok(server.run()?)
}

/// Each line of the input is the next part of the talk: the waits are told and counted anew.
fn talk(address: &str, count: &str) -> Result<(), Failed> {
    raise_limit()?;
    let mut talker = Talker::open(address.parse()?, count.parse()?)?;
    println!("open");
    static PARTS: AtomicUsize = AtomicUsize::new(0);
    thread::spawn(|| {
        for _ in io::stdin().lines() {
            PARTS.fetch_add(1, Ordering::Relaxed);
        }
        PARTS.store(usize::MAX, Ordering::Relaxed);
    });
    let mut before = 0;
    loop {
        let parts = PARTS.load(Ordering::Relaxed);
        if parts == usize::MAX {
            break;
        }
        if parts > before {
            before = parts;
            println!("{}", waits(&talker.waits()));
            talker.forget();
        }
        talker.turn();
    }
    let told = talker.end();
    println!("{}", waits(&told));
    println!(
        "{} connections, {} echoes, {} faults",
        told.connections, told.echoes, told.faults
    );
    if told.faults > 0 {
        return Err("something was lost or doubled".into());
    }
    Ok(())
}

fn waits(told: &Told) -> String {
    let millis = |percent| told.wait(percent).as_secs_f64() * 1000.0;
    let (half, most, longest) = (millis(50), millis(99), millis(100));
    format!(
        "longest wait of a connection for an echo: median {half:.1} ms, 99 % below {most:.1} ms, all below {longest:.1} ms"
    )
}

/// Each connection is a descriptor.
fn raise_limit() -> io::Result<()> {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    let current = maximum;
    Ok(setrlimit(Resource::Nofile, Rlimit { current, maximum })?)
}

// ── all of it

/// A part in a process of its own, which ends with this one.
struct Part {
    child: Child,
    says: BufReader<ChildStdout>,
    hears: Option<ChildStdin>,
}

impl Part {
    fn start(args: &[&str]) -> io::Result<Self> {
        let mut command = Command::new(env::current_exe()?);
        let command = command
            .args(args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        let mut child = command.spawn()?;
        let says = child.stdout.take().ok_or(io::ErrorKind::BrokenPipe)?;
        let hears = child.stdin.take();
        let says = BufReader::new(says);
        Ok(Self { child, says, hears })
    }

    fn line(&mut self) -> io::Result<String> {
        let mut line = String::new();
        self.says.read_line(&mut line)?;
        if line.is_empty() {
            return Err(io::Error::other("a part has ended early"));
        }
        Ok(line.trim_end().into())
    }

    fn tell(&mut self) -> io::Result<()> {
        self.hears
            .as_mut()
            .map_or(Ok(()), |hears| hears.write_all(b"\n"))
    }

    fn end(&mut self) -> Result<(), Failed> {
        drop(self.hears.take());
        if self.child.wait()?.success() {
            Ok(())
        } else {
            Err("a part has failed".into())
        }
    }
}

/// Whatever happens.
impl Drop for Part {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn all(count: &str, seconds: &str) -> Result<(), Failed> {
    let pause = Duration::from_secs_f64(seconds.parse()?);
    let path: PathBuf = env::temp_dir().join(format!("sansocket-handover-{}", process::id()));
    let path = path
        .to_str()
        .ok_or("a folder for temporary files that is text")?;
    let mut old = Part::start(&["serve", path])?;
    let address = old.line()?;
    let mut talker = Part::start(&["talk", &address, count])?;
    talker.line()?;
    // The opening handshakes are over.
    thread::sleep(pause / 2);
    talker.tell()?;
    talker.line()?;
    thread::sleep(pause);
    talker.tell()?;
    println!("before: {}", talker.line()?);
    let mut new = Part::start(&["take", path])?;
    println!("moved:  {}", new.line()?);
    if !old.child.wait()?.success() {
        return Err("the old server has failed".into());
    }
    thread::sleep(pause);
    drop(talker.hears.take());
    println!("while:  {}", talker.line()?);
    println!("{}", talker.line()?);
    talker.end()?;
    new.end()
}
