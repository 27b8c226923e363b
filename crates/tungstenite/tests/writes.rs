//! How messages reach the stream: in how many writes, and whole.
#![allow(clippy::unwrap_used, reason = "a test fails by a panic")]

use std::io::{self, Cursor, IoSlice, Read, Write};

use tungstenite::protocol::{Role, WebSocketConfig};
use tungstenite::{Error, Message, WebSocket};

/// Keeps what is written, and how much each write took.
#[derive(Default)]
struct Counted {
    bytes: Vec<u8>,
    writes: Vec<usize>,
    /// It takes one piece at a time, as `Write` does by itself.
    piecewise: bool,
    /// It takes so much at once, and blocks every other time.
    most: Option<usize>,
    blocks: bool,
}

impl Read for Counted {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        Err(io::ErrorKind::WouldBlock.into())
    }
}

impl Write for Counted {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_vectored(&[IoSlice::new(bytes)])
    }

    fn write_vectored(&mut self, pieces: &[IoSlice<'_>]) -> io::Result<usize> {
        self.blocks = self.most.is_some() && !self.blocks;
        if self.blocks {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let pieces = if self.piecewise { &pieces[..1] } else { pieces };
        let mut n = 0;
        for piece in pieces {
            let room = self
                .most
                .map_or(piece.len(), |most| most - n)
                .min(piece.len());
            self.bytes.extend_from_slice(&piece[..room]);
            n += room;
        }
        self.writes.push(n);
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

const ROLES: [(Role, Role); 2] = [(Role::Server, Role::Client), (Role::Client, Role::Server)];

fn socket(role: Role, stream: Counted) -> WebSocket<Counted> {
    WebSocket::from_raw_socket(stream, role, None)
}

fn text(len: usize) -> Message {
    Message::text("ü".repeat(len / 2))
}

fn binary(len: usize) -> Message {
    Message::binary((0..len).map(|i| i as u8).collect::<Vec<_>>())
}

/// What the peer gets is what was sent.
fn assert_received(socket: WebSocket<Counted>, peer: Role, messages: &[Message]) {
    let stream = Cursor::new(socket.into_inner().bytes);
    let mut peer = WebSocket::from_raw_socket(stream, peer, None);
    for message in messages {
        assert!(peer.read().unwrap() == *message, "{} bytes", message.len());
    }
    assert!(peer.read().is_err());
}

/// Header and payload leave together, whatever the length.
#[test]
fn one_write_for_each_message() {
    for (role, peer) in ROLES {
        let mut socket = socket(role, Counted::default());
        let mut messages = Vec::new();
        for len in [2, 200, 16 << 10, 64 << 10, 100_000, 1 << 20] {
            for message in [text(len), binary(len)] {
                socket.send(message.clone()).unwrap();
                messages.push(message);
                // That nobody else has: a client masks it where it is.
                socket.send(binary(len)).unwrap();
                messages.push(binary(len));
            }
        }
        assert_eq!(socket.get_ref().writes.len(), messages.len(), "{role:?}");
        assert_received(socket, peer, &messages);
    }
}

/// Many that are queued leave together, and a queue of many pieces in few writes.
#[test]
fn many_messages_in_few_writes() {
    let config = WebSocketConfig::default().write_buffer_size(usize::MAX - 1);
    let mut socket = WebSocket::from_raw_socket(Counted::default(), Role::Server, Some(config));
    let messages: Vec<_> = (0..20).flat_map(|_| [binary(40_000), text(10)]).collect();
    for message in &messages {
        socket.write(message.clone()).unwrap();
    }
    assert!(socket.get_ref().writes.is_empty());
    socket.flush().unwrap();
    assert_eq!(socket.get_ref().writes.len(), 3);
    assert_received(socket, Role::Client, &messages);
}

/// A stream that takes one piece at a time gets a header by itself once, and only very long messages in two writes.
#[test]
fn a_stream_that_does_not_gather() {
    for (role, peer) in ROLES {
        let piecewise = true;
        let mut socket = socket(
            role,
            Counted {
                piecewise,
                ..Counted::default()
            },
        );
        let lens = [40_000, 40_000, 60_000, 100_000, 40_000, 100];
        let mut before = 0;
        for (len, writes) in lens.into_iter().zip([2, 1, 1, 2, 1, 1]) {
            socket.send(binary(len)).unwrap();
            let after = socket.get_ref().writes.len();
            assert_eq!(after - before, writes, "{role:?}, {len} bytes");
            before = after;
        }
        assert_received(socket, peer, &lens.map(binary));
    }
}

/// Wherever a stream stops, nothing is lost or sent twice.
#[test]
fn a_stream_that_takes_little() {
    for most in [1, 3, 4, 7, 14, 999] {
        for (role, peer) in ROLES {
            let mut socket = socket(
                role,
                Counted {
                    most: Some(most),
                    ..Counted::default()
                },
            );
            let messages = [binary(40_000), text(6), text(50_000), binary(40_000)];
            for message in &messages {
                let mut done = socket.send(message.clone());
                while let Err(Error::Io(error)) = done {
                    assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
                    done = socket.flush();
                }
                done.unwrap();
            }
            assert_received(socket, peer, &messages);
        }
    }
}
