//! A connection of the generator: opened and checked by blocking calls, then without waiting.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use rustls::ClientConnection;

use crate::frames::{self, Counter};
use crate::{Plan, wrong};

/// The key and the answer to it of RFC 6455 §1.3.
const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

const PATIENCE: Duration = Duration::from_secs(20);

/// Bytes over TCP, or over TLS over TCP.
pub struct Pipe {
    pub stream: mio::net::TcpStream,
    tls: Option<Box<ClientConnection>>,
}

impl Pipe {
    /// Leaves for the socket what TLS has for it.
    fn push(&mut self) -> io::Result<()> {
        while let Some(tls) = &mut self.tls
            && tls.wants_write()
        {
            tls.write_tls(&mut self.stream)?;
        }
        Ok(())
    }
}

impl Read for Pipe {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let Some(tls) = &mut self.tls else {
            return self.stream.read(buf);
        };
        loop {
            match tls.reader().read(buf) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                done => return done,
            }
            if tls.read_tls(&mut self.stream)? == 0 {
                return Ok(0);
            }
            tls.process_new_packets().map_err(io::Error::other)?;
        }
    }
}

impl Write for Pipe {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        if self.tls.is_none() {
            return self.stream.write(buf);
        }
        self.push()?;
        match &mut self.tls {
            Some(tls) => tls.writer().write(buf),
            None => Ok(0),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.push()
    }
}

pub struct Link {
    pub pipe: Pipe,
    counter: Counter,
    /// Messages to be sent, of the first of which `at` bytes have left.
    owed: usize,
    at: usize,
    pongs: Vec<u8>,
}

impl Link {
    /// Through the opening handshake.
    pub fn open(plan: &Plan) -> io::Result<Self> {
        let stream = TcpStream::connect(SocketAddr::from(([127, 0, 0, 1], plan.port)))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let tls = match &plan.tls {
            Some(config) => {
                let name = "localhost".try_into().map_err(io::Error::other)?;
                let tls = ClientConnection::new(Arc::clone(config), name);
                Some(Box::new(tls.map_err(io::Error::other)?))
            }
            None => None,
        };
        // It blocks until `start`.
        let stream = mio::net::TcpStream::from_std(stream);
        let mut pipe = Pipe { stream, tls };
        if let Some(tls) = &mut pipe.tls {
            while tls.is_handshaking() {
                tls.complete_io(&mut pipe.stream)?;
            }
        }
        let extensions = match plan.deflate {
            true => {
                "Sec-WebSocket-Extensions: permessage-deflate; \
                client_no_context_takeover; server_no_context_takeover\r\n"
            }
            false => "",
        };
        let (path, port) = (&plan.path, plan.port);
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\n\
            Connection: Upgrade\r\nSec-WebSocket-Key: {KEY}\r\nSec-WebSocket-Version: 13\r\n\
            {extensions}\r\n"
        );
        pipe.write_all(request.as_bytes())?;
        pipe.flush()?;
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            pipe.read_exact(&mut byte)?;
            head.extend(byte);
        }
        let head = String::from_utf8_lossy(&head);
        if !head.starts_with("HTTP/1.1 101 ")
            || !head.contains(ACCEPT)
            || head.contains("permessage-deflate") != plan.deflate
        {
            return Err(wrong(format!("the server answers {head}")));
        }
        let (counter, owed, at, pongs) = (Counter::default(), 0, 0, Vec::new());
        Ok(Self {
            pipe,
            counter,
            owed,
            at,
            pongs,
        })
    }

    pub fn say(&mut self, plan: &Plan) -> io::Result<()> {
        self.pipe.write_all(&plan.pattern[..plan.frame_len])?;
        self.pipe.flush()
    }

    /// The next message is the one that was said, byte for byte.
    pub fn hear(&mut self, plan: &Plan) -> io::Result<()> {
        let (first, payload) = frames::read(&mut self.pipe)?;
        let payload = match first & frames::RSV1 {
            0 => payload,
            _ => frames::inflated(&payload, plan.payload.len() + 1),
        };
        let compressed = plan.first & frames::RSV1 == 0 || first & frames::RSV1 != 0;
        let kind = (first ^ plan.first) & 0x0f == 0;
        if !compressed || !kind || payload != plan.payload {
            return Err(wrong("what came back is not what was sent"));
        }
        Ok(())
    }

    /// From now on nothing waits.
    pub fn start(&mut self) -> io::Result<()> {
        let fd = std::os::fd::AsFd::as_fd(&self.pipe.stream);
        TcpStream::from(fd.try_clone_to_owned()?).set_nonblocking(true)
    }

    /// How many messages have come, of all that is there.
    pub fn receive(&mut self, plan: &Plan, buffer: &mut [u8]) -> io::Result<usize> {
        let expected = (!plan.deflate).then_some(plan.payload.len() as u64);
        let mut messages = 0;
        loop {
            match self.pipe.read(buffer) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(n) => {
                    messages += self
                        .counter
                        .count(&buffer[..n], expected, &mut self.pongs)?;
                    // A read that does not fill the buffer has emptied the socket.
                    if n < buffer.len() && self.pipe.tls.is_none() {
                        return Ok(messages);
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(messages),
                Err(error) => return Err(error),
            }
        }
    }

    /// Sends so many messages more, as far as the socket takes them, in as few writes as it can be.
    pub fn send(&mut self, plan: &Plan, messages: usize) -> io::Result<()> {
        self.owed += messages;
        loop {
            let pong = !self.pongs.is_empty() && self.at == 0;
            let rest = if pong {
                &self.pongs[..]
            } else {
                // Pongs wait for the end of a frame.
                let most = if self.pongs.is_empty() { self.owed } else { 1 };
                &plan.pattern[self.at..most * plan.frame_len]
            };
            let n = match rest.len() {
                0 => return ready(self.pipe.flush()).map(drop),
                _ => ready(self.pipe.write(rest))?,
            };
            match n {
                None => return Ok(()),
                Some(n) if pong => drop(self.pongs.drain(..n)),
                Some(n) => {
                    self.at += n;
                    self.owed -= self.at / plan.frame_len;
                    self.at %= plan.frame_len;
                }
            }
        }
    }
}

/// `None` where it would have to wait.
fn ready<T>(done: io::Result<T>) -> io::Result<Option<T>> {
    match done {
        Ok(done) => Ok(Some(done)),
        Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(None),
        Err(error) => Err(error),
    }
}
