//! A room on `tungstenite`: each message is in bytes that all share.

use std::io::{self, ErrorKind};

use mio::event::Event;
use mio::net::TcpStream;
use sockets::over_mio::Client;
use sockets::room::{self, Member};
use tungstenite::{Error, Message};

const READ: usize = 4 << 10;

fn main() -> io::Result<()> {
    room::run::<Here>()
}

struct Here(Client);

impl Member for Here {
    type Message = Message;
    type Shared = ();

    fn new(stream: TcpStream, (): &()) -> Self {
        Self(Client::new(stream, READ))
    }

    fn wake(&mut self, event: &Event, (): &mut (), said: &mut Vec<Message>) -> io::Result<()> {
        self.0.wake(event);
        let ws = match &mut self.0 {
            Client::Opening(_) => return Ok(()),
            Client::Open(ws) => ws,
            Client::Over => return Err(ErrorKind::ConnectionAborted.into()),
        };
        loop {
            match ws.read() {
                Ok(message) if message.is_text() || message.is_binary() => said.push(message),
                Ok(_) => {}
                Err(Error::Io(error)) if error.kind() == ErrorKind::WouldBlock => {
                    return waits(ws.flush());
                }
                Err(error) => return Err(io::Error::other(error)),
            }
        }
    }

    fn send(&mut self, messages: &[Message], (): &mut ()) -> io::Result<()> {
        let Client::Open(ws) = &mut self.0 else {
            return Ok(());
        };
        for message in messages {
            waits(ws.write(message.clone()))?;
        }
        waits(ws.flush())
    }
}

/// What the socket does not take is no error.
fn waits(done: Result<(), Error>) -> io::Result<()> {
    match done {
        Err(Error::Io(error)) if error.kind() == ErrorKind::WouldBlock => Ok(()),
        done => done.map_err(io::Error::other),
    }
}
