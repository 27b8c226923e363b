//! `tungstenite`, driven by the same event loop as ours: edge-triggered epoll by mio, one thread.
//! It has no timers.

use std::io::{self, ErrorKind, Read, Write};
use std::mem;

use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};
use slab::Slab;
use tungstenite::handshake::MidHandshake;
use tungstenite::handshake::server::{NoCallback, ServerHandshake};
use tungstenite::protocol::WebSocketConfig;
use tungstenite::{Error, HandshakeError, WebSocket};

const LISTENER: Token = Token(usize::MAX);

/// Its documentation advises 4 KiB for many connections. The default of 128 KiB is zeroed before
/// each read, and slower.
const READ: usize = 4 << 10;

/// A socket that knows when it is empty, which saves the system call that would say so, as in our
/// server.
struct Socket {
    stream: TcpStream,
    empty: bool,
    ended: bool,
}

impl Read for Socket {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if self.empty {
            return Err(ErrorKind::WouldBlock.into());
        }
        let n = self.stream.read(buf)?;
        self.empty = n < buf.len() && !self.ended;
        Ok(n)
    }
}

impl Write for Socket {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.stream.write(buf)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

enum Client {
    Opening(MidHandshake<ServerHandshake<Socket, NoCallback>>),
    Open(WebSocket<Socket>),
    Over,
}

fn main() -> io::Result<()> {
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
                while let Ok((mut stream, _)) = listener.accept() {
                    stream.set_nodelay(true)?;
                    let entry = clients.vacant_entry();
                    let both = Interest::READABLE | Interest::WRITABLE;
                    poll.registry()
                        .register(&mut stream, Token(entry.key()), both)?;
                    let (empty, ended) = (false, false);
                    let socket = Socket {
                        stream,
                        empty,
                        ended,
                    };
                    let config = WebSocketConfig::default().read_buffer_size(READ);
                    let client = handshake(tungstenite::accept_with_config(socket, Some(config)));
                    entry.insert(client);
                }
                continue;
            }
            let Some(client) = clients.get_mut(event.token().0) else {
                continue;
            };
            if event.is_readable() {
                let socket = match client {
                    Client::Opening(opening) => opening.get_mut().get_mut(),
                    Client::Open(ws) => ws.get_mut(),
                    Client::Over => continue,
                };
                socket.empty = false;
                socket.ended = event.is_read_closed();
            }
            turn(client);
            if matches!(client, Client::Over) {
                clients.remove(event.token().0);
            }
        }
    }
}

type Handshake = Result<WebSocket<Socket>, HandshakeError<ServerHandshake<Socket, NoCallback>>>;

fn handshake(result: Handshake) -> Client {
    match result {
        Ok(ws) => Client::Open(ws),
        Err(HandshakeError::Interrupted(opening)) => Client::Opening(opening),
        Err(HandshakeError::Failure(_)) => Client::Over,
    }
}

fn turn(client: &mut Client) {
    if let Client::Opening(_) = client
        && let Client::Opening(opening) = mem::replace(client, Client::Over)
    {
        *client = handshake(opening.handshake());
    }
    if let Client::Open(ws) = client {
        match echo(ws) {
            Err(Error::Io(error)) if error.kind() == ErrorKind::WouldBlock => {}
            _ => *client = Client::Over,
        }
    }
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
