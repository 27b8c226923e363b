//! `tungstenite`, driven by the same event loop as ours: edge-triggered epoll by mio, one thread.
//! It has no timers.
//!
//! Reads of so many bytes may be given. Its documentation advises 4 KiB for many connections; the
//! default of 128 KiB is zeroed before each read.

use std::env;
use std::error::Error as StdError;
use std::io::ErrorKind;

use mio::net::TcpListener;
use mio::{Events, Interest, Poll, Token};
use slab::Slab;
use sockets::over_mio::{Client, Socket};
use tungstenite::{Error, WebSocket};

const LISTENER: Token = Token(usize::MAX);

fn main() -> Result<(), Box<dyn StdError>> {
    let read = env::args().nth(1).map_or(Ok(4 << 10), |arg| arg.parse())?;
    let mut poll = Poll::new()?;
    let mut listener = TcpListener::from_std(sockets::listen()?);
    poll.registry()
        .register(&mut listener, LISTENER, Interest::READABLE)?;
    let mut clients = Slab::new();
    let mut events = Events::with_capacity(1024);
    loop {
        poll.poll(&mut events, None)?;
        for event in &events {
            if event.token() == LISTENER {
                sockets::accept(&listener, poll.registry(), &mut clients, |stream| {
                    Client::new(stream, read)
                })?;
                continue;
            }
            let Some(client) = clients.get_mut(event.token().0) else {
                continue;
            };
            client.wake(event);
            let gone = match client {
                Client::Opening(_) => false,
                Client::Open(ws) => !is_wait(&echo(ws)),
                Client::Over => true,
            };
            if gone {
                clients.remove(event.token().0);
            }
        }
    }
}

fn is_wait(done: &Result<(), Error>) -> bool {
    matches!(done, Err(Error::Io(error)) if error.kind() == ErrorKind::WouldBlock)
}

/// All messages that are there. A peer that does not read is not read from.
fn echo(ws: &mut WebSocket<Socket>) -> Result<(), Error> {
    ws.flush()?;
    loop {
        match ws.read() {
            Ok(message) if message.is_text() || message.is_binary() => ws.write(message)?,
            Ok(_) => {}
            Err(error) => {
                ws.flush()?;
                return Err(error);
            }
        }
    }
}
