//! `tungstenite` on an event loop of mio: what its servers have in common.

use std::io::{self, ErrorKind, Read, Write};
use std::mem;

use mio::event::Event;
use mio::net::TcpStream;
use tungstenite::handshake::MidHandshake;
use tungstenite::handshake::server::{NoCallback, ServerHandshake};
use tungstenite::protocol::WebSocketConfig;
use tungstenite::{HandshakeError, WebSocket};

/// A socket that knows when it is empty, which saves the system call that would say so, as in our
/// server.
pub struct Socket {
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

pub enum Client {
    Opening(MidHandshake<ServerHandshake<Socket, NoCallback>>),
    Open(WebSocket<Socket>),
    Over,
}

type Handshake = Result<WebSocket<Socket>, HandshakeError<ServerHandshake<Socket, NoCallback>>>;

impl Client {
    /// Reads this much at once.
    pub fn new(stream: TcpStream, read: usize) -> Self {
        let (empty, ended) = (false, false);
        let socket = Socket {
            stream,
            empty,
            ended,
        };
        let config = WebSocketConfig::default().read_buffer_size(read);
        Self::from(tungstenite::accept_with_config(socket, Some(config)))
    }

    /// Heeds what its socket is ready for, and is open afterwards if it can be.
    pub fn wake(&mut self, event: &Event) {
        let socket = match self {
            Self::Opening(opening) => opening.get_mut().get_mut(),
            Self::Open(ws) => ws.get_mut(),
            Self::Over => return,
        };
        if event.is_readable() {
            socket.empty = false;
            socket.ended = event.is_read_closed();
        }
        if let Self::Opening(_) = self
            && let Self::Opening(opening) = mem::replace(self, Self::Over)
        {
            *self = Self::from(opening.handshake());
        }
    }
}

impl From<Handshake> for Client {
    fn from(result: Handshake) -> Self {
        match result {
            Ok(ws) => Self::Open(ws),
            Err(HandshakeError::Interrupted(opening)) => Self::Opening(opening),
            Err(HandshakeError::Failure(_)) => Self::Over,
        }
    }
}
