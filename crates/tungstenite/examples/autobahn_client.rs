//! The echo client that the conformance suite's server tests, with tungstenite's API, compression included.
//!
//! `cargo run --release -p sansocket-tungstenite --all-features --example autobahn_client [ws://127.0.0.1:9001 [AGENT]]`
//!
//! A server that neither sends nor reads for a minute is given up.
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program for people"
)]

use std::env;
use std::net::TcpStream;
use std::process::ExitCode;
use std::time::Duration;

use tungstenite::client::client_with_config;
use tungstenite::http::Uri;
use tungstenite::protocol::WebSocketConfig;
use tungstenite::{Error, HandshakeError, Message, WebSocket};

const PATIENCE: Duration = Duration::from_secs(60);

type Failure = Box<dyn std::error::Error>;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), Failure> {
    let mut args = env::args().skip(1);
    let base = args.next().unwrap_or("ws://127.0.0.1:9001".into());
    let agent = args.next().unwrap_or("sansocket-tungstenite".into());
    let mut cases = 0;
    converse(&format!("{base}/getCaseCount"), |_, message| {
        cases = message.to_text()?.parse().unwrap_or(0);
        Ok(())
    })?;
    println!("{cases} cases");
    for case in 1..=cases {
        // Whatever a case does, the next one follows.
        let uri = format!("{base}/runCase?case={case}&agent={agent}");
        if let Err(error) = converse(&uri, |socket, message| socket.send(message)) {
            eprintln!("case {case}: {error}");
        }
    }
    converse(
        &format!("{base}/updateReports?agent={agent}"),
        |_, _| Ok(()),
    )?;
    if cases == 0 {
        return Err("the server has no cases".into());
    }
    Ok(())
}

/// One connection from its request to its end.
fn converse(
    uri: &str,
    mut on_message: impl FnMut(&mut WebSocket<TcpStream>, Message) -> Result<(), Error>,
) -> Result<(), Failure> {
    let uri: Uri = uri.parse()?;
    let host = uri.host().ok_or("no host")?;
    let stream = TcpStream::connect((host, uri.port_u16().unwrap_or(80)))?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let config = WebSocketConfig::default();
    #[cfg(feature = "deflate")]
    let config = config.deflate(Some(Default::default()));
    let (mut socket, _response) = match client_with_config(uri, stream, Some(config)) {
        Ok(opened) => opened,
        Err(HandshakeError::Failure(error)) => return Err(error.into()),
        Err(HandshakeError::Interrupted(_)) => return Err("no answer in time".into()),
    };
    loop {
        match socket.read() {
            Ok(message) if message.is_text() || message.is_binary() => {
                on_message(&mut socket, message)?;
            }
            Ok(_) => {}
            Err(Error::ConnectionClosed) => return Ok(()),
            Err(error) => return Err(error.into()),
        }
    }
}
