//! An echo server over blocking sockets, one thread for each connection.
//!
//! `cargo run --example echo_server [ADDR]`, then open <http://127.0.0.1:9001/> in a browser.
//! The page at `/` opens a WebSocket to `/ws`, where every message comes back; other paths get 404.
#![allow(clippy::print_stdout, clippy::print_stderr)]

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::process::ExitCode;
use std::time::{Duration, Instant};
use std::{env, thread};

use sansocket::config::{Limits, Timeouts};
use sansocket::error::AcceptError;
use sansocket::error::SendError;
use sansocket::{
    Accept, Connection, Event, Message, OriginPolicy, Response, ServerConfig, Transport,
};

const PAGE: &str = include_str!("page/index.html");

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> io::Result<()> {
    let addr = env::args()
        .nth(1)
        .unwrap_or_else(|| "127.0.0.1:9001".into());
    let listener = TcpListener::bind(&addr)?;
    println!(
        "echo server: http://{}/ (WebSocket at /ws)",
        listener.local_addr()?
    );

    let mut limits = Limits::server();
    limits.frame = 64 << 20; // the conformance suite sends 16 MiB
    limits.message = 64 << 20;
    limits.fragments = 1 << 20;
    let mut timeouts = Timeouts::default();
    timeouts.ping = Some(Duration::from_secs(30));
    let config = ServerConfig::new(OriginPolicy::SameHost)
        .limits(limits)
        .timeouts(timeouts)
        .serve_http();
    #[cfg(feature = "deflate")]
    let config = config.deflate(sansocket::extension::PermessageDeflate::server());

    for stream in listener.incoming() {
        let (stream, config) = (stream?, config.clone());
        thread::spawn(move || {
            if let Err(error) = serve(stream, &config) {
                eprintln!("connection: {error}");
            }
        });
    }
    Ok(())
}

/// The loop of every driver: deliver, write, ask, read.
fn serve(mut stream: TcpStream, config: &ServerConfig) -> io::Result<()> {
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
            handle(&mut ws, event).map_err(io::Error::other)?;
        }
        // Write.
        if !ws.output().is_empty() {
            match stream.write(ws.output()) {
                Ok(n) => ws.consume_output(n),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
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
                stream.shutdown(Shutdown::Write)?;
            }
            _ => {}
        }
        // Read, until the next deadline at the latest.
        let wait = ws.next_deadline().map(|at| {
            at.saturating_sub(born.elapsed())
                .max(Duration::from_millis(1))
        });
        stream.set_read_timeout(wait)?;
        let n = match stream.read(&mut buf) {
            Ok(0) => {
                ws.receive_eof();
                0
            }
            Ok(n) => n,
            Err(error) => match error.kind() {
                io::ErrorKind::WouldBlock
                | io::ErrorKind::TimedOut
                | io::ErrorKind::Interrupted => 0,
                _ => {
                    ws.transport_lost();
                    0
                }
            },
        };
        input = &mut buf[..n];
    }
}

fn handle(ws: &mut Connection, event: Event<'_>) -> Result<(), AcceptError> {
    match event {
        Event::Request(request) if request.path() == "/ws" => ws.accept(Accept::new()),
        Event::Http(request) if request.path() == "/" && request.method() == "GET" => {
            let page = Response::new(200).header("Content-Type", b"text/html; charset=utf-8")?;
            ws.respond(page.body(PAGE))
        }
        Event::Request(_) | Event::Http(_) => {
            ws.respond(Response::new(404).body("there is nothing here\n"))
        }
        // An error means that the connection closes: the echo is not wanted any more.
        Event::Message(Message::Text(text)) => ws.send(&*text).or(Ok(())),
        Event::Message(Message::Binary(bytes)) => ws.send(&*bytes).or(Ok(())),
        Event::Failed(failure) => {
            eprintln!("failed: {failure}");
            Ok(())
        }
        Event::Closed(report) => {
            println!("{report}");
            Ok(())
        }
        _ => Ok(()),
    }
}
