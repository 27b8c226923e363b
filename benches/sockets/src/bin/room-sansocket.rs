//! A room on sansocket: each message is encoded once, as a `Prepared`.

use std::io::{self, ErrorKind, Read, Write};
use std::mem;

use mio::event::Event;
use mio::net::TcpStream;
use sansocket::{Accept, Connection, OriginPolicy, Prepared, ServerConfig, Transport};
use sockets::room::{self, Member};

fn main() -> io::Result<()> {
    room::run::<Here>()
}

struct Shared {
    config: ServerConfig,
    read: Box<[u8]>,
    /// The queue of the member whose turn it is.
    spare: Vec<u8>,
}

impl Default for Shared {
    fn default() -> Self {
        Self {
            config: ServerConfig::new(OriginPolicy::SameHost),
            read: vec![0; 64 << 10].into(),
            spare: Vec::new(),
        }
    }
}

struct Here {
    stream: TcpStream,
    ws: Connection,
}

impl Member for Here {
    type Message = Prepared;
    type Shared = Shared;

    fn new(stream: TcpStream, shared: &Shared) -> Self {
        let ws = Connection::server(&shared.config);
        Self { stream, ws }
    }

    fn wake(
        &mut self,
        event: &Event,
        shared: &mut Shared,
        said: &mut Vec<Prepared>,
    ) -> io::Result<()> {
        while event.is_readable() {
            let n = match self.stream.read(&mut shared.read) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(n) => n,
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            };
            let mut input = &mut shared.read[..n];
            while let Some(event) = self.ws.receive(&mut input) {
                match event {
                    sansocket::Event::Request(_) => {
                        self.ws.accept(Accept::new()).map_err(io::Error::other)?;
                    }
                    sansocket::Event::Message(message) => {
                        said.push(Prepared::binary(message.as_bytes()));
                    }
                    _ => {}
                }
            }
            // A read that does not fill the buffer has emptied the socket.
            if n < shared.read.len() && !event.is_read_closed() {
                break;
            }
        }
        self.write(&mut shared.spare)
    }

    fn send(&mut self, messages: &[Prepared], shared: &mut Shared) -> io::Result<()> {
        self.ws.lend_buffer(mem::take(&mut shared.spare));
        for message in messages {
            let _ = self.ws.send(message); // an error: it is closing, or does not read
        }
        self.write(&mut shared.spare)
    }
}

impl Here {
    fn write(&mut self, spare: &mut Vec<u8>) -> io::Result<()> {
        while !self.ws.output().is_empty() {
            match self.stream.write(self.ws.output()) {
                Ok(n) => self.ws.consume_output(n),
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            }
        }
        if let Some(buffer) = self.ws.take_buffer()
            && buffer.capacity() > spare.capacity()
        {
            *spare = buffer;
        }
        match self.ws.transport() {
            Transport::Close => Err(ErrorKind::ConnectionAborted.into()),
            _ => Ok(()),
        }
    }
}
