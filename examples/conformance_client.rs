//! The echo client that the Autobahn fuzzing server tests.
//!
//! `cargo run --release --example conformance_client [ws://127.0.0.1:9001 [AGENT [SECONDS]]]`
//!
//! The server may take 60 s (SECONDS) to read on when it has stopped.
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program for people"
)]

use std::env;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use sansocket::config::Limits;
use sansocket::error::SendError;
use sansocket::{ClientConfig, ClientRequest, Connection, Event, Message, Transport, Uri};

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = env::args().skip(1);
    let base = args.next().unwrap_or("ws://127.0.0.1:9001".into());
    let agent = args.next().unwrap_or("sansocket-client".into());
    let seconds = args.next().map_or(Ok(60), |seconds| seconds.parse())?;
    let patience = Duration::from_secs(seconds);
    let mut cases = 0;
    converse(&format!("{base}/getCaseCount"), patience, |_, message| {
        cases = core::str::from_utf8(message.as_bytes())
            .ok()
            .and_then(|n| n.parse().ok())
            .unwrap_or(0);
    })?;
    println!("{cases} cases");
    for case in 1..=cases {
        // Whatever a case does, the next one follows.
        let echoed = converse(
            &format!("{base}/runCase?case={case}&agent={agent}"),
            patience,
            |ws, message| {
                let _closing = match message {
                    Message::Text(text) => ws.send(&**text),
                    Message::Binary(bytes) => ws.send(&**bytes),
                };
            },
        );
        if let Err(error) = echoed {
            eprintln!("case {case}: {error}");
        }
    }
    let reports = format!("{base}/updateReports?agent={agent}");
    converse(&reports, patience, |_, _| {})?;
    if cases == 0 {
        Err("the server has no cases".into())
    } else {
        Ok(())
    }
}

/// One connection from its request to its end.
fn converse(
    uri: &str,
    patience: Duration,
    mut on_message: impl FnMut(&mut Connection, &Message<'_>),
) -> Result<(), Box<dyn std::error::Error>> {
    let uri = Uri::parse(uri)?;
    let mut stream = TcpStream::connect((uri.server_name(), uri.port()))?;
    stream.set_nodelay(true)?;
    stream.set_write_timeout(Some(patience))?;
    let mut limits = Limits::client();
    limits.frame = 64 << 20; // the suite sends 16 MiB
    limits.message = 64 << 20;
    limits.fragments = 1 << 20;
    let born = Instant::now();
    let config = ClientConfig::new().limits(limits);
    #[cfg(feature = "deflate")]
    let config = config.deflate(sansocket::extension::PermessageDeflate::client());
    let mut ws = Connection::client(&config, ClientRequest::new(uri))?;
    let mut buf = vec![0; 64 << 10];
    let mut input: &mut [u8] = &mut [];
    loop {
        ws.advance_time(born.elapsed());
        while !matches!(ws.can_send(), Err(SendError::Full { .. })) {
            let Some(event) = ws.receive(&mut input) else {
                break;
            };
            if let Event::Message(message) = &event {
                on_message(&mut ws, message);
            }
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
        if !input.is_empty() {
            continue;
        }
        if matches!(ws.transport(), Transport::Close | Transport::ShutdownWrite) {
            return Ok(());
        }
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
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut
                ) =>
            {
                0
            }
            Err(_) => {
                ws.transport_lost();
                0
            }
        };
        input = &mut buf[..n];
    }
}
