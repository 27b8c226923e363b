//! Sends the lines of its input to an echo server and prints what comes back.
//!
//! `cargo run --example echo_client [URI]` (default `ws://127.0.0.1:9001/ws`)
//!
//! Keeps the connection alive with pings. At the end of the input it waits until everything it
//! sent has come back, closes with 1000, and ends with status 0 if that went cleanly.
#![allow(clippy::print_stdout, clippy::print_stderr)]

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
    let uri = Uri::parse(
        &env::args()
            .nth(1)
            .unwrap_or_else(|| "ws://127.0.0.1:9001/ws".into()),
    )?;
    if uri.secure() {
        return Err("this example speaks ws:// only".into());
    }
    let stream = TcpStream::connect((uri.server_name(), uri.port()))?;
    stream.set_nodelay(true)?;
    let mut timeouts = Timeouts::default();
    timeouts.ping = Some(Duration::from_secs(20));
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
                        Message::Text(text) => println!("{}", &*text),
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
        if !ws.output().is_empty() {
            match stream.write(ws.output()) {
                Ok(n) => ws.consume_output(n),
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
