//! An echo server on one thread that takes over the connections of the one before it, and gives its own to the next.

use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};
use std::{fs, net};

use mio::net::{TcpListener, TcpStream, UnixListener};
use mio::{Events, Interest, Poll, Token, Waker};
use sansocket::config::Timeouts;
use sansocket::{Accept, CloseCode, Connection, Event, OriginPolicy, ServerConfig, Transport};
use slab::Slab;

use crate::passing::{BATCH, borrowed, give, take};

/// What one read takes.
const READ: usize = 16 << 10;

/// How often the time is told to connections that nothing happens on.
const TICK: Duration = Duration::from_secs(1);

const LISTENER: Token = Token(usize::MAX);
const NEXT: Token = Token(usize::MAX - 1);
/// The parent has gone.
const END: Token = Token(usize::MAX - 2);

/// One connection and its socket.
struct Peer {
    stream: TcpStream,
    ws: Connection,
    shut: bool,
}

/// The server.
pub struct Server {
    poll: Poll,
    waker: Arc<Waker>,
    events: Events,
    listener: TcpListener,
    /// Where the next process asks for the connections.
    control: UnixListener,
    path: PathBuf,
    peers: Slab<Peer>,
    config: ServerConfig,
    began: Instant,
    told: Duration,
    buffer: Vec<u8>,
}

impl Server {
    /// A first one, with a port of its own.
    pub fn bind(path: &Path) -> io::Result<Self> {
        let listener = net::TcpListener::bind("127.0.0.1:0")?;
        // So many may ask at once, also while nobody accepts them.
        rustix::net::listen(&listener, 4096)?;
        Self::over(listener, path)
    }

    fn over(listener: net::TcpListener, path: &Path) -> io::Result<Self> {
        listener.set_nonblocking(true)?;
        let mut listener = TcpListener::from_std(listener);
        let mut control = UnixListener::bind(path)?;
        let poll = Poll::new()?;
        let registry = poll.registry();
        registry.register(&mut listener, LISTENER, Interest::READABLE)?;
        registry.register(&mut control, NEXT, Interest::READABLE)?;
        let mut timeouts = Timeouts::default();
        timeouts.ping = Some(Duration::from_secs(30));
        Ok(Self {
            waker: Arc::new(Waker::new(poll.registry(), END)?),
            poll,
            events: Events::with_capacity(1024),
            listener,
            control,
            path: path.into(),
            peers: Slab::new(),
            config: ServerConfig::new(OriginPolicy::SameHost).timeouts(timeouts),
            began: Instant::now(),
            told: Duration::ZERO,
            buffer: vec![0; READ],
        })
    }

    /// One that goes on with what the process before it had; how many connections there were.
    pub fn take_over(path: &Path) -> io::Result<(Self, usize)> {
        let old = UnixStream::connect(path)?;
        // Whoever comes next asks this process.
        fs::remove_file(path)?;
        let Some((listener, _)) = take(&old)?.pop() else {
            return Err(io::ErrorKind::InvalidData.into());
        };
        let mut server = Self::over(listener.into(), path)?;
        let mut taken = 0;
        loop {
            let batch = take(&old)?;
            if batch.is_empty() {
                return Ok((server, taken));
            }
            for (descriptor, state) in batch {
                let stream = net::TcpStream::from(descriptor);
                stream.set_nonblocking(true)?;
                let now = server.began.elapsed();
                match Connection::resume(&state, &server.config, None, now) {
                    Ok(ws) => server.add(stream, ws)?,
                    // It is lost: its socket closes.
                    Err(error) => eprintln!("a connection that cannot go on: {error}"),
                }
                taken += 1;
            }
        }
    }

    /// Where it listens.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Wakes the server for its end. One that is dropped would take its event along.
    pub fn waker(&self) -> Arc<Waker> {
        Arc::clone(&self.waker)
    }

    /// Serves until the connections have gone to the next process, or the parent has ended.
    pub fn run(mut self) -> io::Result<()> {
        loop {
            match self.poll.poll(&mut self.events, Some(TICK)) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                polled => polled?,
            }
            let ready: Vec<Token> = self.events.iter().map(|event| event.token()).collect();
            for token in ready {
                match token {
                    END => return fs::remove_file(&self.path),
                    LISTENER => self.accept()?,
                    NEXT => {
                        if let Ok((next, _)) = self.control.accept() {
                            return self.give_all(&next.into());
                        }
                    }
                    Token(at) => self.go_on(at),
                }
            }
            let now = self.began.elapsed();
            if now - self.told >= TICK {
                self.told = now;
                let all: Vec<usize> = self.peers.iter().map(|(at, _)| at).collect();
                all.into_iter().for_each(|at| self.go_on(at));
                self.accept()?;
            }
        }
    }

    /// The listening socket first, then the connections. Those that are in the middle of something that cannot go along
    /// (with compression, which is off here) would be served on until they can.
    fn give_all(mut self, next: &UnixStream) -> io::Result<()> {
        next.set_nonblocking(false)?;
        give(next, &borrowed(&[&self.listener]), &[Vec::new()])?;
        let mut peers: VecDeque<Peer> = self.peers.drain().collect();
        while !peers.is_empty() {
            let (mut streams, mut states) = (Vec::new(), Vec::new());
            for peer in peers.drain(..peers.len().min(BATCH)) {
                match peer.ws.suspend(self.began.elapsed()) {
                    Ok(state) => {
                        streams.push(peer.stream);
                        states.push(state);
                    }
                    Err(not) => eprintln!("a connection that cannot go: {not}"),
                }
            }
            give(next, &borrowed(&streams), &states)?;
        }
        give(next, &[], &[])
    }

    fn accept(&mut self) -> io::Result<()> {
        loop {
            match self.listener.accept() {
                Ok((stream, _)) => {
                    let ws = Connection::server(&self.config);
                    self.add(stream.into(), ws)?;
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                // One that has gone before it was accepted, or no descriptor left: those that wait are asked for again.
                Err(error) => {
                    eprintln!("accept: {error}");
                    return Ok(());
                }
            }
        }
    }

    fn add(&mut self, stream: net::TcpStream, ws: Connection) -> io::Result<()> {
        stream.set_nodelay(true)?;
        let mut stream = TcpStream::from_std(stream);
        let entry = self.peers.vacant_entry();
        let interest = Interest::READABLE | Interest::WRITABLE;
        let registry = self.poll.registry();
        registry.register(&mut stream, Token(entry.key()), interest)?;
        entry.insert(Peer {
            stream,
            ws,
            shut: false,
        });
        Ok(())
    }

    fn go_on(&mut self, at: usize) {
        let now = self.began.elapsed();
        let Some(peer) = self.peers.get_mut(at) else {
            return;
        };
        peer.ws.advance_time(now);
        if !peer.go_on(&mut self.buffer) {
            // Its socket closes, and leaves the poll with that.
            self.peers.remove(at);
        }
    }
}

impl Peer {
    /// Reads and writes until either would wait. False at the end.
    fn go_on(&mut self, buffer: &mut [u8]) -> bool {
        let mut read = 0;
        loop {
            let mut input = &mut buffer[..read];
            while let Some(event) = self.ws.receive(&mut input) {
                let said = match event {
                    Event::Request(_) => self.ws.accept(Accept::new()).is_ok(),
                    Event::Message(message) => self.ws.send(&message).is_ok(),
                    _ => true,
                };
                if !said {
                    // One that sends and never reads.
                    let _ = self
                        .ws
                        .close(CloseCode::POLICY_VIOLATION, "read what you asked for");
                }
            }
            read = 0;
            if !self.ws.output().is_empty() {
                match self.stream.write(self.ws.output()) {
                    Ok(n) => self.ws.consume_output(n),
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => return true,
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    Err(_) => self.ws.write_lost(),
                }
                continue;
            }
            match self.ws.transport() {
                Transport::Close => return false,
                Transport::ShutdownWrite if !self.shut => {
                    self.shut = true;
                    let _ = self.stream.shutdown(Shutdown::Write);
                }
                _ => {}
            }
            match self.stream.read(buffer) {
                Ok(0) => self.ws.receive_eof(),
                Ok(n) => read = n,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return true,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => self.ws.transport_lost(),
            }
        }
    }
}
