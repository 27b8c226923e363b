//! How an event loop drives sansocket: an echo server for any number of connections on one thread.
//!
//! - There is one read buffer for all connections, since what `receive` lends is done with before
//!   the next read, and one spare buffer, which is lent to the connection whose turn it is. An idle
//!   connection costs its `Client` and nothing else.
//! - Readiness is edge-triggered: it is told once, and again after a registration. So a turn that
//!   leaves something to be read registers again, and no connection keeps the others waiting for
//!   longer than one read takes.
//! - A peer that does not read is not read from: see `Client::register`.
//! - Deadlines are in a heap. An entry is not moved when its deadline is, which every message does:
//!   it leads to a turn without effect, and the new deadline is entered then.
//! - Who cannot be let in waits in the listen queue: for a descriptor, for memory, or for a place among the
//!   connections that are served at once. The listener does not tell of them again, so it is asked when
//!   somebody has gone, and after a while in any case.
//! - A signal is an event as any other.
//!
//! It relies on what epoll and kqueue have in common: a read that does not fill the buffer has
//! emptied the socket.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fmt::Display;
use std::io::{self, ErrorKind, Read, Write};
use std::mem;
use std::net::{Shutdown, SocketAddr};
use std::time::{Duration, Instant};

use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Registry, Token};
use sansocket::error::{AcceptError, SendError};
use sansocket::{Accept, CloseCode, Connection, Event, Response, ServerConfig, Transport};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook_mio::v1_0::Signals;
use slab::Slab;

const LISTENER: Token = Token(usize::MAX);
const SIGNALS: Token = Token(usize::MAX - 1);

const PAGE: &str = include_str!("../../page/index.html");

/// As much as a peer has sent meanwhile, at once: large messages are not cut, and all that answers a read leaves in
/// one write. Memory is taken as it is first used.
const READ: usize = 512 << 10;

/// After a failed accept it is tried again, even if nobody has gone.
const PAUSE: Duration = Duration::from_millis(100);

/// How long the server waits for its clients when it stops: twice what a closing handshake may take.
const END: Duration = Duration::from_secs(10);

/// What the connections share.
pub struct Server {
    poll: Poll,
    /// `None` when the server stops.
    listener: Option<TcpListener>,
    /// When to ask the listener, as somebody may wait there.
    accept_at: Option<Duration>,
    /// The last accept failed.
    failing: bool,
    signals: Option<Signals>,
    /// By when the server has stopped.
    stop_by: Option<Duration>,
    clients: Slab<Client>,
    /// Clients at once.
    capacity: usize,
    /// When whose turn is due, the earliest first.
    timers: BinaryHeap<Reverse<(Duration, usize)>>,
    /// The origin of the time that the connections are told.
    born: Instant,
    config: ServerConfig,
    buffers: Buffers,
}

struct Buffers {
    read: Box<[u8]>,
    spare: Vec<u8>,
}

struct Client {
    peer: SocketAddr,
    socket: TcpStream,
    ws: Connection,
    /// What it is registered for.
    interest: Interest,
    /// Its entry among the timers: its deadline, or earlier.
    timer: Option<Duration>,
}

/// What is known when a turn begins.
#[derive(Clone, Copy, Default)]
struct Readiness {
    readable: bool,
    /// The end of the stream is there, maybe after bytes.
    ended: bool,
}

/// What a turn leaves behind.
enum Turn {
    /// There may be more to read.
    Unfinished,
    Finished,
    /// The socket is to be closed.
    Over,
}

impl Server {
    /// Serves `capacity` clients at once.
    pub fn bind(address: SocketAddr, config: ServerConfig, capacity: usize) -> io::Result<Self> {
        let poll = Poll::new()?;
        let mut listener = TcpListener::bind(address)?;
        poll.registry()
            .register(&mut listener, LISTENER, Interest::READABLE)?;
        Ok(Self {
            poll,
            listener: Some(listener),
            accept_at: None,
            failing: false,
            signals: None,
            stop_by: None,
            clients: Slab::new(),
            capacity,
            timers: BinaryHeap::new(),
            born: Instant::now(),
            config,
            buffers: Buffers {
                read: vec![0; READ].into(),
                spare: Vec::new(),
            },
        })
    }

    /// Stops in an orderly way at SIGTERM and SIGINT, which are the whole process's.
    pub fn stop_at_signals(&mut self) -> io::Result<()> {
        let mut signals = Signals::new([SIGTERM, SIGINT])?;
        self.poll
            .registry()
            .register(&mut signals, SIGNALS, Interest::READABLE)?;
        self.signals = Some(signals);
        Ok(())
    }

    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        let listener = self.listener.as_ref().ok_or(ErrorKind::NotConnected)?;
        listener.local_addr()
    }

    /// Serves until it is stopped, or epoll itself fails.
    pub fn run(&mut self) -> io::Result<()> {
        let mut events = Events::with_capacity(1024);
        while !self.has_stopped() {
            let timer = self.timers.peek().map(|Reverse((at, _))| *at);
            let times = [timer, self.accept_at, self.stop_by];
            let next = times.into_iter().flatten().min();
            let wait = next.map(|at| at.saturating_sub(self.born.elapsed()));
            match self.poll.poll(&mut events, wait) {
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                polled => polled?,
            }
            let now = self.born.elapsed();
            for event in &events {
                match event.token() {
                    LISTENER => self.accept_at = Some(now),
                    SIGNALS => self.heed_signals(now),
                    Token(key) => {
                        let readiness = Readiness {
                            readable: event.is_readable(),
                            ended: event.is_read_closed(),
                        };
                        self.turn(key, readiness, now);
                    }
                }
            }
            self.run_timers(now);
            if self.accept_at.is_some_and(|at| at <= now) {
                self.accept(now);
            }
        }
        Ok(())
    }

    /// All that want to connect, as long as there is a place for them.
    fn accept(&mut self, now: Duration) {
        self.accept_at = None;
        while let Some(listener) = &self.listener {
            if self.clients.len() >= self.capacity {
                self.accept_at = Some(Duration::MAX); // when somebody has gone
                return;
            }
            match listener.accept() {
                Ok((socket, peer)) => {
                    self.failing = false;
                    self.welcome(socket, peer, now);
                }
                Err(error) => match error.kind() {
                    ErrorKind::WouldBlock => return,
                    // That one has gone already.
                    ErrorKind::ConnectionAborted | ErrorKind::Interrupted => {}
                    // No descriptor is free, or no memory.
                    _ => {
                        if !mem::replace(&mut self.failing, true) {
                            log("accept", error);
                        }
                        self.accept_at = Some(now + PAUSE);
                        return;
                    }
                },
            }
        }
    }

    fn welcome(&mut self, mut socket: TcpStream, peer: SocketAddr, now: Duration) {
        // Without it an answer may wait for the peer's acknowledgement of the one before.
        let _ = socket.set_nodelay(true);
        let interest = Interest::READABLE;
        let entry = self.clients.vacant_entry();
        let key = entry.key();
        let registry = self.poll.registry();
        if let Err(error) = registry.register(&mut socket, Token(key), interest) {
            return log(peer, error);
        }
        entry.insert(Client {
            peer,
            socket,
            ws: Connection::server(&self.config),
            interest,
            timer: None,
        });
        // It starts the clock. If something can be read already, an event is on its way.
        self.turn(key, Readiness::default(), now);
    }

    fn heed_signals(&mut self, now: Duration) {
        let signals = self.signals.as_mut();
        if signals.is_some_and(|signals| signals.pending().count() > 0) && self.stop_by.is_none() {
            self.stop(now);
        }
    }

    /// Nobody else comes, and everybody is told Close.
    fn stop(&mut self, now: Duration) {
        self.listener = None;
        self.stop_by = Some(now + END);
        let keys: Vec<_> = self.clients.iter().map(|(key, _)| key).collect();
        for key in keys {
            if let Some(Client { ws, .. }) = self.clients.get_mut(key) {
                ws.advance_time(now);
                // A server needs no randomness, and the reason is short: this cannot fail.
                let _ = ws.close(CloseCode::GOING_AWAY, "the server stops");
                self.turn(key, Readiness::default(), now);
            }
        }
    }

    /// All have gone, or had the time to.
    fn has_stopped(&self) -> bool {
        let stop_by = self.stop_by;
        stop_by.is_some_and(|at| self.clients.is_empty() || at <= self.born.elapsed())
    }

    fn turn(&mut self, key: usize, readiness: Readiness, now: Duration) {
        let Some(client) = self.clients.get_mut(key) else {
            return;
        };
        client.ws.advance_time(now);
        let mut readiness = readiness;
        // What meets a deadline that has passed may be there already: one try to read, unless the queue is full.
        let passed = client.ws.next_deadline().is_some_and(|at| at <= now);
        if passed && !matches!(client.ws.can_send(), Err(SendError::Full { .. })) {
            readiness.readable = true;
        }
        let turn = client.turn(readiness, &mut self.buffers);
        let registry = self.poll.registry();
        let over = matches!(turn, Turn::Over);
        let unfinished = matches!(turn, Turn::Unfinished);
        if over || client.register(registry, Token(key), unfinished).is_err() {
            self.clients.remove(key); // which closes the socket, and so ends its registration
            if self.accept_at.is_some() {
                self.accept_at = Some(now);
            }
            return;
        }
        if let Some(at) = client.ws.next_deadline()
            && client.timer.is_none_or(|timer| at < timer)
        {
            client.timer = Some(at);
            self.timers.push(Reverse((at, key)));
        }
    }

    fn run_timers(&mut self, now: Duration) {
        while let Some(&Reverse((at, key))) = self.timers.peek()
            && at <= now
        {
            self.timers.pop();
            // Otherwise an earlier one has taken its place, or the connection is another by now.
            if let Some(client) = self.clients.get_mut(key)
                && client.timer.take_if(|timer| *timer == at).is_some()
            {
                self.turn(key, Readiness::default(), now);
            }
        }
    }
}

impl Client {
    /// Read, deliver, write and flush, ask. A TCP socket has nothing to flush.
    fn turn(&mut self, readiness: Readiness, buffers: &mut Buffers) -> Turn {
        let Self {
            peer, socket, ws, ..
        } = self;
        // With output left it has a buffer already.
        if ws.output().is_empty() {
            ws.lend_buffer(mem::take(&mut buffers.spare));
        }

        // Read, once.
        let mut input: &mut [u8] = &mut [];
        let mut turn = Turn::Finished;
        if readiness.readable {
            match socket.read(&mut buffers.read) {
                Ok(0) => ws.receive_eof(),
                Ok(n) => {
                    if n == buffers.read.len() || readiness.ended {
                        turn = Turn::Unfinished;
                    }
                    input = &mut buffers.read[..n];
                }
                Err(error) => match error.kind() {
                    ErrorKind::WouldBlock => {}
                    ErrorKind::Interrupted => turn = Turn::Unfinished,
                    _ => ws.transport_lost(),
                },
            }
        }

        // Deliver and write by turns: what was written makes room for what was held, and can bring
        // an event.
        loop {
            deliver(ws, *peer, &mut input);
            if ws.output().is_empty() {
                break;
            }
            match socket.write(ws.output()) {
                Ok(n) => ws.consume_output(n),
                Err(error) => match error.kind() {
                    ErrorKind::WouldBlock => break,
                    ErrorKind::Interrupted => {}
                    // What the peer said last may still be there to be read.
                    _ => {
                        ws.write_lost();
                        turn = Turn::Unfinished;
                    }
                },
            }
        }
        if let Some(buffer) = ws.take_buffer()
            && buffer.capacity() > buffers.spare.capacity()
        {
            buffers.spare = buffer;
        }

        // Ask.
        if ws.output().is_empty() {
            match ws.transport() {
                Transport::Close => return Turn::Over,
                // Doing it again does nothing. What is read from now on is dropped by `receive`.
                Transport::ShutdownWrite => {
                    let _ = socket.shutdown(Shutdown::Write);
                }
                _ => {}
            }
        }
        turn
    }

    /// Waits until it can be written only while output is left. While so much is left that no more
    /// can be queued it is not read: its next bytes stay in the socket, until its own writes wait
    /// for its reads. `again`: tell what it is ready for even if that was told before.
    fn register(&mut self, registry: &Registry, token: Token, again: bool) -> io::Result<()> {
        let interest = if self.ws.output().is_empty() {
            Interest::READABLE
        } else if matches!(self.ws.can_send(), Err(SendError::Full { .. })) {
            Interest::WRITABLE
        } else {
            Interest::READABLE | Interest::WRITABLE
        };
        if again || interest != self.interest {
            self.interest = interest;
            registry.reregister(&mut self.socket, token, interest)?;
        }
        Ok(())
    }
}

/// All events, as long as there is room for what answers them. The read buffer is the next
/// connection's: what is left of it stays with this one.
fn deliver(ws: &mut Connection, peer: SocketAddr, input: &mut &mut [u8]) {
    loop {
        if matches!(ws.can_send(), Err(SendError::Full { .. })) {
            ws.keep_input(input);
            return;
        }
        match ws.receive(input) {
            Some(event) => handle(ws, peer, event).unwrap_or_else(|error| log(peer, error)),
            None => return,
        }
    }
}

/// The application.
fn handle(ws: &mut Connection, peer: SocketAddr, event: Event<'_>) -> Result<(), AcceptError> {
    match event {
        Event::Request(_) => ws.accept(Accept::new())?,
        Event::Http(request) => ws.respond(match (request.method(), request.path()) {
            ("GET" | "HEAD", "/") => Response::new(200)
                .header("Content-Type", b"text/html; charset=utf-8")?
                .body(PAGE),
            _ => Response::new(404).body("there is nothing here\n"),
        })?,
        Event::Message(message) => {
            // An error says that the connection is closing: there is nothing to do.
            let _ = ws.send(&message);
            if let Some(buffer) = message.into_buffer() {
                ws.lend_buffer(buffer); // the next message is gathered in it
            }
        }
        Event::Closed(report) => log(peer, report),
        // Pongs and Close replies are queued already.
        _ => {}
    }
    Ok(())
}

/// Where nobody reads the log any more, the server goes on without.
pub fn log(who: impl Display, what: impl Display) {
    let _ = writeln!(io::stderr(), "{who}: {what}");
}
