//! An echo server with tungstenite's API, compression included: what the conformance suite tests.
//!
//! `cargo run --release -p sansocket-tungstenite --all-features --example autobahn_server [127.0.0.1:9001]`
//!
//! A thread for each connection, and at most a thousand of them. A peer that neither sends nor reads for two
//! minutes is dropped.
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program for people"
)]

use std::env;
use std::io;
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use tungstenite::protocol::WebSocketConfig;
use tungstenite::{Error, HandshakeError, accept_with_config};

const CONNECTIONS: usize = 1000;
const PATIENCE: Duration = Duration::from_secs(120);

fn main() -> io::Result<()> {
    let address = env::args().nth(1).unwrap_or("127.0.0.1:9001".into());
    let listener = TcpListener::bind(&address)?;
    println!("listening on {}", listener.local_addr()?);
    let served = Arc::new(());
    loop {
        let (stream, peer) = match listener.accept() {
            Ok(accepted) => accepted,
            Err(error) => {
                // Out of descriptors, or the client has gone: the next one may come.
                eprintln!("accept: {error}");
                thread::sleep(Duration::from_millis(50));
                continue;
            }
        };
        if Arc::strong_count(&served) > CONNECTIONS {
            eprintln!("{peer}: too many connections");
            continue;
        }
        let one_of_them = Arc::clone(&served);
        let serving = thread::Builder::new().spawn(move || {
            let _one_of_them = one_of_them;
            if let Err(error) = serve(stream) {
                eprintln!("{peer}: {error}");
            }
        });
        if let Err(error) = serving {
            eprintln!("{peer}: {error}");
        }
    }
}

fn serve(stream: TcpStream) -> Result<(), Error> {
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let config = WebSocketConfig::default();
    #[cfg(feature = "deflate")]
    let config = config.deflate(Some(Default::default()));
    let mut socket = match accept_with_config(stream, Some(config)) {
        Ok(socket) => socket,
        Err(HandshakeError::Failure(error)) => return Err(error),
        Err(HandshakeError::Interrupted(_)) => {
            return Err(io::Error::from(io::ErrorKind::TimedOut).into());
        }
    };
    loop {
        match socket.read() {
            Ok(message) if message.is_text() || message.is_binary() => socket.send(message)?,
            Ok(_) => {}
            Err(Error::ConnectionClosed) => return Ok(()),
            Err(error) => return Err(error),
        }
    }
}
