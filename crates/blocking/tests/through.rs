//! Messages past the queue: what is sent from where it lies leaves as what is sent by way of the queue, wherever the
//! stream stops, gives way or fails.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by a panic")]

use std::cell::{RefCell, RefMut};
use std::io::{self, ErrorKind, IoSlice, Read, Write};
use std::rc::Rc;
use std::time::Duration;

use sansocket_blocking::sansocket::config::{Limits, Timeouts};
use sansocket_blocking::sansocket::entropy::Entropy;
use sansocket_blocking::sansocket::error::{NoEntropy, SendError};
use sansocket_blocking::sansocket::{Outgoing, Role};
use sansocket_blocking::{
    ClientConfig, Connection, Error, Negotiated, OriginPolicy, Prepared, ServerConfig, Stream,
    WebSocket,
};

// ── a stream

/// What a write comes to.
#[derive(Clone, Copy, Debug)]
enum Step {
    Takes(usize),
    Fails(ErrorKind),
}

/// What was written to a stream, and what it does next.
#[derive(Default)]
struct Seen {
    wire: Vec<u8>,
    /// Where the pieces of each write lay, and how long they were.
    writes: Vec<Vec<(usize, usize)>>,
    /// The last one first; then it takes all.
    steps: Vec<Step>,
    unflushed: bool,
    failed: bool,
}

/// Nothing comes from it but its end, after an error.
struct Memory {
    seen: Rc<RefCell<Seen>>,
    vectored: bool,
}

impl Read for Memory {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        if self.seen.borrow().failed {
            return Ok(0);
        }
        Err(ErrorKind::WouldBlock.into())
    }
}

impl Write for Memory {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.seen.borrow_mut().write(&[IoSlice::new(bytes)])
    }

    fn write_vectored(&mut self, pieces: &[IoSlice<'_>]) -> io::Result<usize> {
        assert!(self.vectored);
        self.seen.borrow_mut().write(pieces)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.seen.borrow_mut().unflushed = false;
        Ok(())
    }
}

impl Stream for Memory {
    fn set_read_timeout(&mut self, _: Option<Duration>) -> io::Result<()> {
        Ok(())
    }

    fn set_write_timeout(&mut self, _: Duration) -> io::Result<()> {
        Ok(())
    }

    fn shutdown_write(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn writes_vectored(&self) -> bool {
        self.vectored
    }
}

impl Seen {
    fn write(&mut self, pieces: &[IoSlice<'_>]) -> io::Result<usize> {
        assert!(!self.failed, "written after an error");
        let mut given = Vec::new();
        for piece in pieces {
            given.extend_from_slice(piece);
        }
        assert!(!given.is_empty());
        let places = pieces
            .iter()
            .map(|piece| (piece.as_ptr().addr(), piece.len()));
        self.writes.push(places.collect());
        match self.steps.pop().unwrap_or(Step::Takes(usize::MAX)) {
            Step::Takes(n) => {
                self.failed = n == 0;
                self.unflushed = true;
                let n = n.min(given.len());
                self.wire.extend_from_slice(&given[..n]);
                Ok(n)
            }
            Step::Fails(kind) => {
                self.failed = kind == ErrorKind::BrokenPipe;
                Err(kind.into())
            }
        }
    }
}

// ── a connection

/// The same keys for all.
struct Keys(u8);

impl Entropy for Keys {
    fn fill(&mut self, out: &mut [u8]) -> Result<(), NoEntropy> {
        for byte in out {
            self.0 = self.0.wrapping_mul(5).wrapping_add(37);
            *byte = self.0;
        }
        Ok(())
    }
}

fn connection(role: Role, limit: u32) -> Connection {
    let mut limits = Limits::server();
    limits.output = limit;
    let mut timeouts = Timeouts::default();
    timeouts.ping = Some(Duration::MAX);
    match role {
        Role::Server => {
            let config = ServerConfig::new(OriginPolicy::Application);
            let config = config.limits(limits).timeouts(timeouts);
            Connection::upgraded_server(&config, Negotiated::default())
        }
        Role::Client => {
            let config = ClientConfig::new().limits(limits).timeouts(timeouts);
            Connection::upgraded_client_with_entropy(
                &config,
                Negotiated::default(),
                Box::new(Keys(1)),
            )
        }
    }
}

struct End {
    ws: WebSocket<Memory>,
    seen: Rc<RefCell<Seen>>,
    /// By way of the queue.
    model: Connection,
    /// So much of what was written has left the model, too.
    checked: usize,
}

fn end(role: Role, vectored: bool, limit: u32) -> End {
    let seen = Rc::<RefCell<Seen>>::default();
    let stream = Memory {
        seen: seen.clone(),
        vectored,
    };
    End {
        ws: WebSocket::from_connection(stream, connection(role, limit)).unwrap(),
        seen,
        model: connection(role, u32::MAX),
        checked: 0,
    }
}

fn output(ws: &Connection) -> Vec<u8> {
    let mut pieces = vec![&[][..]; 1000];
    let n = ws.output_slices(&mut pieces);
    pieces[..n].concat()
}

impl End {
    fn seen(&self) -> RefMut<'_, Seen> {
        self.seen.borrow_mut()
    }

    /// What has left since the last time and what is queued are what the model has.
    fn check(&mut self, context: &str) {
        let seen = self.seen.borrow();
        let left = &seen.wire[self.checked..];
        assert!(output(&self.model).starts_with(left), "{context}");
        self.model.consume_output(left.len());
        self.checked = seen.wire.len();
        let ws = self.ws.connection();
        if seen.failed {
            assert_eq!(ws.output_len(), 0, "{context}");
            return;
        }
        assert!(output(&self.model) == output(ws), "{context}");
        let counts = |ws: &Connection| (ws.output_len(), ws.buffered_amount(), ws.state());
        assert_eq!(counts(&self.model), counts(ws), "{context}");
    }
}

const ROLES: [Role; 2] = [Role::Client, Role::Server];

// ── what is copied

/// The stream sees a large message where it lies, after a header; what one write leaves is copied.
#[test]
fn a_large_borrowed_message_is_not_copied() {
    let text = "a text ".repeat(1000);
    let mut bytes = vec![7; 5000];
    let place = bytes.as_ptr().addr();
    let mut client = end(Role::Client, true, 1 << 20);
    client.ws.send(&mut bytes[..]).unwrap();
    client.model.send(&[7; 5000]).unwrap();
    assert_eq!(client.seen().writes[0][1], (place, 5000));
    client.check("masked where it is");

    let mut server = end(Role::Server, true, 1 << 20);
    server.ws.feed("before").unwrap();
    server.seen().steps = vec![Step::Takes(3012)];
    server.ws.send(&*text).unwrap();
    server.model.send("before").unwrap();
    server.model.send(&text).unwrap();
    let writes = server.seen().writes.clone();
    assert_eq!(writes[0][2], (text.as_ptr().addr(), 7000));
    assert_eq!((writes.len(), writes[1][0].1), (2, 4000));
    server.check("in two writes");
}

/// A write has header and payload where the stream takes several pieces, and of a small message everywhere.
#[test]
fn a_header_does_not_leave_by_itself() {
    for role in ROLES {
        for (vectored, len) in [(true, 10), (true, 4000), (false, 10), (false, 100_000)] {
            let mut end = end(role, vectored, 1 << 20);
            let mut bytes = vec![7; len];
            end.model.send(&bytes).unwrap();
            end.ws.send(&mut bytes[..]).unwrap();
            assert_eq!(end.seen().writes.len(), 1);
            assert_eq!(end.seen().writes[0].len(), 1);
            end.check("one piece");
        }
        let mut end = end(role, true, 1 << 20);
        end.ws.send(vec![7; 100_000]).unwrap();
        end.model.send(vec![7; 100_000]).unwrap();
        assert_eq!(end.seen().writes.len(), 1);
        end.check("handed over");
    }
}

/// Connections share a prepared message, also where their streams take a part of it.
#[test]
fn a_prepared_message_is_shared() {
    let prepared = Prepared::binary(&[7; 1 << 20]);
    let mut server = end(Role::Server, true, 1 << 20);
    server.seen().steps = vec![Step::Takes(1000)];
    server.ws.send(&prepared).unwrap();
    let writes = server.seen().writes.clone();
    let (place, len) = writes[0][0];
    assert_eq!(writes[1], [(place + 1000, len - 1000)]);
}

// ── at random

struct Chance(u64);

impl Chance {
    fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 20) as usize % n
    }

    fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    fn step(&mut self, len: usize) -> Step {
        match self.below(60) {
            0 => Step::Fails(ErrorKind::BrokenPipe),
            1 => Step::Takes(0),
            2..8 => Step::Fails(ErrorKind::WouldBlock),
            8..14 => Step::Fails(ErrorKind::TimedOut),
            14..20 => Step::Fails(ErrorKind::Interrupted),
            20..26 => Step::Takes(1),
            26..32 => Step::Takes(7),
            32..44 => Step::Takes(1 + len / 2),
            44..50 => Step::Takes(1 + self.below(len + 20)),
            _ => Step::Takes(usize::MAX),
        }
    }
}

/// True if it was taken.
fn send<M: Outgoing>(end: &mut End, chance: &mut Chance, message: M) -> bool {
    let fed = chance.one_in(3);
    let sent = if fed {
        end.ws.feed(message)
    } else {
        end.ws.send(message)
    };
    let Err(unsent) = sent else {
        let seen = end.seen();
        assert!(fed || seen.failed || !seen.unflushed, "all has left");
        return true;
    };
    assert!(unsent.why == SendError::Closing && end.seen().failed);
    false
}

fn a_message(end: &mut End, chance: &mut Chance) {
    let len = [0, 10, 4000, 4096, 5000, 70_000][chance.below(6)] + chance.below(200);
    let mut bytes = vec![b'a' + chance.below(20) as u8; len];
    let as_sent = bytes.clone();
    let text = String::from_utf8(bytes.clone()).unwrap();
    let steps = (0..chance.below(5)).map(|_| chance.step(len)).collect();
    end.seen().steps = steps;
    match chance.below(6) {
        0 => {
            if send(end, chance, &mut bytes[..]) {
                end.model.send(&as_sent).unwrap();
            } else {
                assert_eq!(bytes, as_sent, "as it was");
            }
        }
        1 if send(end, chance, &*text) => end.model.send(&text).unwrap(),
        2 if send(end, chance, bytes.clone()) => end.model.send(&as_sent).unwrap(),
        3 if send(end, chance, &Prepared::binary(&bytes)) => end.model.send(&as_sent).unwrap(),
        4 | 5 if send(end, chance, &as_sent[..]) => end.model.send(&as_sent).unwrap(),
        _ => {}
    }
}

fn conversation(seed: u64) {
    let mut chance = Chance(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    let (role, vectored) = (ROLES[chance.below(2)], !chance.one_in(4));
    let limit = [1, 6000, 1 << 20][chance.below(3)];
    let mut end = end(role, vectored, limit);
    for n in 0..12 {
        a_message(&mut end, &mut chance);
        end.check(&format!("SEED={seed}, {n}"));
        if chance.one_in(4) && end.ws.ping(b"a ping").is_ok() {
            end.model.ping(b"a ping").unwrap();
        }
        end.check(&format!("SEED={seed}, after {n}"));
    }
    let flushed = end.ws.flush();
    end.check(&format!("SEED={seed}, at the end"));
    if end.seen().failed {
        assert_eq!(flushed, Err(SendError::Closing));
        let Some(Err(Error::Closed(closed))) = end.ws.recv() else {
            panic!("SEED={seed}")
        };
        assert!(!closed.report.clean && closed.io.is_some());
    } else {
        assert_eq!(flushed, Ok(()));
        assert_eq!(end.ws.connection().output_len(), 0, "SEED={seed}");
    }
}

/// `SEEDS=100000` for more of them, `SEED=1` for one.
#[test]
fn any_stream_gets_what_was_sent() {
    let number = |name| std::env::var(name).ok().map(|text| text.parse().unwrap());
    if let Some(seed) = number("SEED") {
        return conversation(seed);
    }
    for seed in 1..=number("SEEDS").unwrap_or(600) {
        conversation(seed);
    }
}
