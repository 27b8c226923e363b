//! An echo server over blocking sockets, one thread for each connection.
//!
//! `cargo run --example echo_server [ADDR [SECONDS [CONNECTIONS]]]`, then open <http://127.0.0.1:9001/>.
//! The page at `/` opens a WebSocket to `/ws`, where every message comes back; other paths get 404.
//!
//! - A peer may take 30 s (SECONDS) to send its request, to answer a ping, to read on when it has stopped.
//! - 1,000 (CONNECTIONS) are served at once, as most systems let a process have 1,024 descriptors.
//!   Others wait in the listen queue until one of them ends.
//! - SIGTERM and Ctrl-C end it at once, and clients see 1006: std has no signals. `epoll_server` and
//!   `chat` say Close first.

use std::convert::Infallible;
use std::error::Error;
use std::fmt::Display;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::process::ExitCode;
use std::sync::mpsc::{self, Sender};
use std::time::{Duration, Instant};
use std::{env, thread};

use sansocket::config::{Limits, Timeouts};
use sansocket::error::{AcceptError, SendError};
use sansocket::{Accept, Connection, Event, OriginPolicy, Response, ServerConfig, Transport};

const PAGE: &str = include_str!("page/index.html");

/// Given back when the connection's thread ends, however it does.
struct Place(Sender<()>);

impl Drop for Place {
    fn drop(&mut self) {
        let _ = self.0.send(());
    }
}

fn main() -> ExitCode {
    let Err(error) = run();
    log("error", error);
    ExitCode::FAILURE
}

fn run() -> Result<Infallible, Box<dyn Error>> {
    let mut args = env::args().skip(1);
    let addr = args.next().unwrap_or_else(|| "127.0.0.1:9001".into());
    let seconds = args.next().map_or(Ok(30), |seconds| seconds.parse())?;
    let connections = args.next().map_or(Ok(1000), |number| number.parse())?;
    let listener = TcpListener::bind(&addr)?;
    let addr = listener.local_addr()?;
    println!("echo server: http://{addr}/ (WebSocket at /ws)");

    let mut limits = Limits::server();
    limits.frame = 64 << 20; // the conformance suite sends 16 MiB
    limits.message = 64 << 20;
    limits.fragments = 1 << 20;
    let patience = Duration::from_secs(seconds);
    let mut timeouts = Timeouts::default();
    timeouts.handshake = patience;
    timeouts.ping = Some(patience);
    timeouts.pong = Some(patience);
    let config = ServerConfig::new(OriginPolicy::SameHost);
    let config = config.limits(limits).timeouts(timeouts).serve_http();
    #[cfg(feature = "deflate")]
    let config = config.deflate(sansocket::extension::PermessageDeflate::server());

    let (back, places) = mpsc::channel();
    (0..connections).try_for_each(|_| back.send(()))?;
    let mut failed = false;
    loop {
        places.recv()?;
        let (place, config) = (Place(back.clone()), config.clone());
        let started = listener.accept().and_then(|(stream, peer)| {
            stream.set_write_timeout(Some(patience))?;
            thread::Builder::new().spawn(move || {
                let _place = place;
                serve(stream, peer, &config).unwrap_or_else(|error| log(peer, error));
            })
        });
        // No descriptor, no memory, no thread: those who are there go on, and it may work when one has left.
        if let Err(error) = &started {
            if !failed {
                log("accept", error);
            }
            thread::sleep(Duration::from_millis(100));
        }
        failed = started.is_err();
    }
}

/// The loop of every driver: deliver, write and flush, ask, read. A TCP socket has nothing to flush.
fn serve(mut stream: TcpStream, peer: SocketAddr, config: &ServerConfig) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let born = Instant::now();
    let mut ws = Connection::server(config);
    let mut buf = vec![0; 64 << 10];
    let mut input: &mut [u8] = &mut [];
    let mut shut = false;
    loop {
        ws.advance_time(born.elapsed());
        // Deliver. A full queue stops it until the peer has read: that is all the back-pressure there is to do.
        while !matches!(ws.can_send(), Err(SendError::Full { .. })) {
            let Some(event) = ws.receive(&mut input) else {
                break;
            };
            handle(&mut ws, peer, event).map_err(io::Error::other)?;
        }
        // Write. The socket's timeout is an error as well: who does not read would hold the thread for ever.
        if !ws.output().is_empty() {
            match stream.write(ws.output()) {
                Ok(n) => ws.consume_output(n),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => ws.write_lost(),
            }
            continue;
        }
        if !input.is_empty() {
            continue;
        }
        // Ask.
        match ws.transport() {
            Transport::Close => return Ok(()),
            Transport::ShutdownWrite if !shut => {
                shut = true;
                let _ = stream.shutdown(Shutdown::Write);
            }
            _ => {}
        }
        // Read, until the next deadline at the latest.
        let wait = ws
            .next_deadline()
            .map(|at| at.saturating_sub(born.elapsed()));
        stream.set_read_timeout(wait.map(|wait| wait.max(Duration::from_millis(1))))?;
        let read = stream.read(&mut buf);
        match read.as_ref().map_err(io::Error::kind) {
            Ok(0) => ws.receive_eof(),
            Ok(_) => {}
            Err(ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted) => {}
            Err(_) => ws.transport_lost(),
        }
        input = &mut buf[..read.unwrap_or(0)];
    }
}

fn handle(ws: &mut Connection, peer: SocketAddr, event: Event<'_>) -> Result<(), AcceptError> {
    match event {
        Event::Request(request) if request.path() == "/ws" => ws.accept(Accept::new())?,
        Event::Http(request)
            if request.path() == "/" && matches!(request.method(), "GET" | "HEAD") =>
        {
            let page = Response::new(200).header("Content-Type", b"text/html; charset=utf-8")?;
            ws.respond(page.body(PAGE))?;
        }
        Event::Request(_) | Event::Http(_) => {
            ws.respond(Response::new(404).body("there is nothing here\n"))?;
        }
        // An error means that the connection closes: the echo is not wanted any more.
        Event::Message(message) => drop(ws.send(&message)),
        Event::Closed(report) => log(peer, report),
        _ => {}
    }
    Ok(())
}

/// Where nobody reads the log any more, the server goes on without.
fn log(who: impl Display, what: impl Display) {
    let _ = writeln!(io::stderr(), "{who}: {what}");
}
