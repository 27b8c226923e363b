//! Sends the lines of its input to an echo server and prints what comes back.
//!
//! `cargo run --example echo_client [URI [SECONDS]]` (default `ws://127.0.0.1:9001/ws`)
//!
//! Keeps the connection alive with pings. A server may take 20 s (SECONDS) to answer one, and to read
//! on when it has stopped. At the end of the input it waits until everything it sent has come back,
//! closes with 1000, and ends with status 0 if that went cleanly.
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program for people"
)]

use std::error::Error;
use std::io::{self, BufRead, Read, Write};
use std::net::TcpStream;
use std::process::ExitCode;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::time::{Duration, Instant};
use std::{env, thread};

use sansocket::config::Timeouts;
use sansocket::{
    ClientConfig, ClientRequest, CloseCode, Connection, Event, Message, Transport, Uri,
};

/// What the two reading threads tell the one that owns the connection.
enum Input {
    Line(String),
    EndOfLines,
    Bytes(Vec<u8>),
    Eof,
    Lost,
}

fn main() -> ExitCode {
    run().unwrap_or_else(|error| {
        eprintln!("error: {error}");
        ExitCode::FAILURE
    })
}

fn run() -> Result<ExitCode, Box<dyn Error>> {
    let mut args = env::args().skip(1);
    let uri = args.next().unwrap_or("ws://127.0.0.1:9001/ws".into());
    let uri = Uri::parse(&uri)?;
    let seconds = args.next().map_or(Ok(20), |seconds| seconds.parse())?;
    let patience = Duration::from_secs(seconds);
    if uri.secure() {
        return Err("this example speaks ws:// only".into());
    }
    let stream = TcpStream::connect((uri.server_name(), uri.port()))?;
    stream.set_nodelay(true)?;
    stream.set_write_timeout(Some(patience))?;
    let mut timeouts = Timeouts::default();
    timeouts.ping = Some(patience);
    timeouts.pong = Some(patience);
    let ws = Connection::client(
        &ClientConfig::new().timeouts(timeouts),
        ClientRequest::new(uri),
    )?;

    let (sender, inputs) = mpsc::channel();
    let (lines, bytes) = (sender.clone(), sender);
    let reading = stream.try_clone()?;
    thread::spawn(move || read_socket(reading, &bytes));
    converse(ws, stream, &inputs, lines)
}

fn converse(
    mut ws: Connection,
    mut stream: TcpStream,
    inputs: &Receiver<Input>,
    lines: Sender<Input>,
) -> Result<ExitCode, Box<dyn Error>> {
    let born = Instant::now();
    let mut lines = Some(lines);
    let (mut awaited, mut no_more_lines, mut code) = (0u64, false, ExitCode::FAILURE);
    let mut bytes = Vec::new();
    loop {
        ws.advance_time(born.elapsed());
        let mut input = &mut bytes[..];
        while let Some(event) = ws.receive(&mut input) {
            match event {
                Event::Open => {
                    // Only now there is somebody to send to.
                    if let Some(lines) = lines.take() {
                        thread::spawn(move || read_lines(&lines));
                    }
                }
                Event::Message(message) => {
                    match message {
                        Message::Text(text) => println!("{}", printable(&text)),
                        Message::Binary(bytes) => println!("({} bytes)", bytes.len()),
                    }
                    awaited = awaited.saturating_sub(1);
                }
                Event::Refused(refusal) => eprintln!("refused with status {}", refusal.status),
                Event::Failed(failure) => eprintln!("failed: {failure}"),
                Event::Closed(report) => {
                    eprintln!("{report}");
                    code = if report.clean && report.code == 1000 {
                        ExitCode::SUCCESS
                    } else {
                        ExitCode::FAILURE
                    };
                }
                _ => {}
            }
        }
        bytes.clear();
        if no_more_lines && awaited == 0 {
            ws.close(Some(CloseCode::NORMAL_CLOSURE), "")?;
        }
        // The socket's timeout is an error as well: a server that does not read would hold us for ever.
        if !ws.output().is_empty() {
            match stream.write(ws.output()) {
                Ok(n) => ws.consume_output(n),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => ws.write_lost(),
            }
            continue;
        }
        if matches!(ws.transport(), Transport::Close | Transport::ShutdownWrite) {
            return Ok(code);
        }
        let wait = ws.next_deadline().map_or(Duration::from_secs(3600), |at| {
            // The thread that reads gets the time for it also after a deadline: what came before counts.
            at.saturating_sub(born.elapsed())
                .max(Duration::from_millis(20))
        });
        match inputs.recv_timeout(wait) {
            Ok(Input::Line(line)) => match ws.send(line) {
                Ok(()) => awaited += 1,
                Err(unsent) => eprintln!("not sent: {unsent}"),
            },
            Ok(Input::EndOfLines) => no_more_lines = true,
            Ok(Input::Bytes(read)) => bytes = read,
            Ok(Input::Eof) => ws.receive_eof(),
            Ok(Input::Lost) | Err(RecvTimeoutError::Disconnected) => ws.transport_lost(),
            Err(RecvTimeoutError::Timeout) => {}
        }
    }
}

/// A terminal obeys control characters, and those that turn text around: they are shown instead.
fn printable(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\t' => out.push(c),
            '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => out.extend(c.escape_unicode()),
            _ if c.is_control() => out.extend(c.escape_unicode()),
            _ => out.push(c),
        }
    }
    out
}

fn read_lines(inputs: &Sender<Input>) {
    for line in io::stdin().lock().lines().map_while(Result::ok) {
        if inputs.send(Input::Line(line)).is_err() {
            return;
        }
    }
    let _ = inputs.send(Input::EndOfLines);
}

fn read_socket(mut stream: TcpStream, inputs: &Sender<Input>) {
    let mut buf = vec![0; 64 << 10];
    loop {
        let (input, last) = match stream.read(&mut buf) {
            Ok(0) => (Input::Eof, true),
            Ok(n) => (Input::Bytes(buf[..n].to_vec()), false),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(_) => (Input::Lost, true),
        };
        if inputs.send(input).is_err() || last {
            return;
        }
    }
}
