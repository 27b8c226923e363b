//! This crate, in the loop of its documentation.

use std::collections::VecDeque;
use std::io::Read;
use std::sync::LazyLock;
use std::time::Duration;

use bytes::BytesMut;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};
use sansocket::entropy::ChaCha;
use sansocket::entropy::Entropy;
use sansocket::error::NoEntropy;
use sansocket::frame::FrameHeader;
use sansocket::{
    Accept, ClientConfig, Connection, Event, Negotiated, OriginPolicy, Prepared, Role, ServerConfig,
};

use crate::common::traffic::{Content, Sink, Traffic, fill};
use crate::cpu::timed;
use crate::peer::{FLUSH, Memory, Messages, PACKET, Peer, READ, Written};

pub fn connection(role: Role) -> Connection {
    opened(match role {
        Role::Server => Connection::upgraded_server(&server_config(), Negotiated::default()),
        Role::Client => Connection::upgraded_client_with_entropy(
            &ClientConfig::new(),
            Negotiated::default(),
            Box::new(ChaCha::new().unwrap()),
        ),
    })
}

/// With a spare buffer, as an event loop lends it, that takes all that is queued before a flush.
fn lent(mut ws: Connection, batch: usize, size: usize) -> Connection {
    let frame = size + FrameHeader::MAX_LEN;
    ws.lend_buffer(Vec::with_capacity(
        (batch * frame).min(FLUSH + frame).max(READ),
    ));
    ws
}

fn server_config() -> ServerConfig {
    ServerConfig::new(OriginPolicy::Application)
}

fn opened(mut ws: Connection) -> Connection {
    assert!(matches!(ws.receive(&mut &mut [][..]), Some(Event::Open)));
    ws
}

struct ChaCha8(ChaCha8Rng);

impl Entropy for ChaCha8 {
    #[inline]
    fn fill(&mut self, out: &mut [u8]) -> Result<(), NoEntropy> {
        // Word by word is its fastest way.
        for word in out.chunks_mut(4) {
            word.copy_from_slice(&self.0.next_u32().to_le_bytes()[..word.len()]);
        }
        Ok(())
    }
}

/// Reads all: the rest of a large message straight to where it is gathered, all else through the buffer.
fn read_all<S: Sink>(ws: &mut Connection, memory: &mut Memory<'_>, buf: &mut [u8], sink: &mut S) {
    loop {
        let mut filled = false;
        while let Some(target) = ws.receive_target() {
            let n = memory.read(target).unwrap();
            ws.receive_target_filled(n);
            filled = true;
        }
        if filled {
            events(ws, &mut [], sink);
        }
        let n = memory.read(buf).unwrap();
        if n == 0 {
            return;
        }
        events(ws, &mut buf[..n], sink);
    }
}

#[inline(never)]
fn events<S: Sink>(ws: &mut Connection, mut input: &mut [u8], sink: &mut S) {
    while let Some(event) = ws.receive(&mut input) {
        match event {
            Event::Message(message) => {
                sink.message(message.as_bytes());
                // The buffer of one that was gathered serves the next.
                if let Some(buffer) = message.into_buffer() {
                    ws.lend_buffer(buffer);
                }
            }
            other => panic!("{other:?}"),
        }
    }
}

fn flush(ws: &mut Connection, written: &mut Written) {
    loop {
        let output = ws.output();
        if output.is_empty() {
            return;
        }
        written.write(output);
        let n = output.len();
        ws.consume_output(n);
    }
}

/// The same with a vectored write, for a queue in pieces.
fn flush_pieces(ws: &mut Connection, written: &mut Written) {
    loop {
        let mut slices = [&[][..]; 16];
        let filled = ws.output_slices(&mut slices);
        if filled == 0 {
            return;
        }
        slices[..filled]
            .iter()
            .for_each(|slice| written.write(slice));
        let n = slices[..filled].iter().map(|slice| slice.len()).sum();
        ws.consume_output(n);
    }
}

/// Receives all; the time without the copies into the read buffer.
pub fn receive_net<S: Sink>(traffic: &Traffic, read: usize, sink: &mut S) -> Duration {
    let mut ws = connection(traffic.receiver);
    let mut buf = vec![0; read];
    let mut net = Duration::ZERO;
    for bytes in traffic.bytes.chunks(read) {
        let buf = &mut buf[..bytes.len()];
        fill(buf, bytes);
        net += timed(|| events(&mut ws, buf, sink));
    }
    net
}

fn send_all(ws: &mut Connection, messages: &Messages, written: &mut Written) {
    // A long queue is written before the batch is whole, as others do by themselves.
    let frame = messages.payload.len() + FrameHeader::MAX_LEN;
    let batch = messages.batch.min(FLUSH.div_ceil(frame));
    let mut left = messages.count;
    while left > 0 {
        let batch = left.min(batch);
        match messages.content {
            Content::Binary => {
                for _ in 0..batch {
                    ws.send(&messages.payload[..]).unwrap();
                }
            }
            _ => {
                let text = str::from_utf8(&messages.payload).unwrap();
                for _ in 0..batch {
                    ws.send(text).unwrap();
                }
            }
        }
        flush(ws, written);
        left -= batch;
    }
}

pub struct Ours;

impl Peer for Ours {
    fn receive<S: Sink>(traffic: &Traffic, read: usize, sink: &mut S) -> bool {
        let mut written = Written::default();
        // What is read into the message itself is as long as the transport allows.
        let most = if read == PACKET { PACKET } else { READ };
        let mut memory = Memory::new(&traffic.bytes, most, &mut written);
        let mut ws = connection(traffic.receiver);
        read_all(&mut ws, &mut memory, &mut vec![0; read], sink);
        true
    }

    fn send(messages: &Messages, written: &mut Written) -> bool {
        let ws = connection(messages.role);
        let mut ws = lent(ws, messages.batch, messages.payload.len());
        send_all(&mut ws, messages, written);
        true
    }

    fn echo(traffic: &Traffic, batch: usize, written: &mut Written) -> bool {
        let ws = connection(traffic.receiver);
        let mut ws = lent(ws, batch, traffic.payload / traffic.messages);
        let mut buf = vec![0; READ];
        let mut queued = 0;
        for bytes in traffic.bytes.chunks(READ) {
            let mut input = &mut buf[..bytes.len()];
            fill(input, bytes);
            while let Some(event) = ws.receive(&mut input) {
                let Event::Message(message) = event else {
                    panic!("{event:?}")
                };
                ws.send(&message).unwrap();
                queued += 1;
                if queued == batch {
                    queued = 0;
                    flush(&mut ws, written);
                }
            }
        }
        flush(&mut ws, written);
        true
    }

    fn accept(request: &mut [u8], written: &mut Written) -> bool {
        // A server has one configuration.
        static CONFIG: LazyLock<ServerConfig> = LazyLock::new(server_config);
        let mut ws = Connection::server(&CONFIG);
        match ws.receive(&mut &mut *request) {
            Some(Event::Request(_)) => ws.accept(Accept::new()).unwrap(),
            other => panic!("{other:?}"),
        }
        flush(&mut ws, written);
        true
    }
}

/// The same past the queue: a server's payloads where they lie, a client's in a copy of the caller's own, as it is
/// masked in place.
pub struct OursThrough;

impl Peer for OursThrough {
    fn send(messages: &Messages, written: &mut Written) -> bool {
        let mut ws = connection(messages.role);
        let mut own = match messages.role {
            Role::Server => Vec::new(),
            Role::Client => messages.payload.to_vec(),
        };
        for _ in 0..messages.count {
            let write = |slices: &[&[u8]]| {
                slices.iter().for_each(|slice| written.write(slice));
                usize::MAX
            };
            match messages.role {
                Role::Server => ws.send_through(&messages.payload[..], write).unwrap(),
                Role::Client => {
                    own.copy_from_slice(&messages.payload);
                    ws.send_through(&mut own[..], write).unwrap();
                }
            }
        }
        true
    }

    fn echo(traffic: &Traffic, _batch: usize, written: &mut Written) -> bool {
        let mut ws = connection(traffic.receiver);
        let mut buf = vec![0; 8 << 10];
        let mut memory_written = Written::default();
        let mut memory = Memory::new(&traffic.bytes, READ, &mut memory_written);
        loop {
            let mut empty: &mut [u8] = &mut [];
            let n;
            let mut input = if let Some(target) = ws.receive_target() {
                n = memory.read(target).unwrap();
                ws.receive_target_filled(n);
                empty
            } else {
                n = memory.read(&mut buf).unwrap();
                empty = &mut buf[..n];
                empty
            };
            if n == 0 {
                return true;
            }
            while let Some(event) = ws.receive(&mut input) {
                let Event::Message(message) = event else {
                    panic!("{event:?}")
                };
                ws.send_through(&message, |slices| {
                    slices.iter().for_each(|slice| written.write(slice));
                    usize::MAX
                })
                .unwrap();
                if let Some(buffer) = message.into_buffer() {
                    ws.lend_buffer(buffer);
                }
            }
        }
    }
}

/// The same with payloads that are handed over, shared.
pub struct OursOwned;

impl Peer for OursOwned {
    fn send(messages: &Messages, written: &mut Written) -> bool {
        let ws = connection(messages.role);
        let mut ws = lent(ws, messages.batch, messages.payload.len());
        for sent in 1..=messages.count {
            ws.send(messages.payload.clone()).unwrap();
            if sent % messages.batch == 0 || ws.output_len() >= FLUSH {
                flush_pieces(&mut ws, written);
            }
        }
        flush_pieces(&mut ws, written);
        true
    }
}

/// Messages out of a buffer of the connection's own, of which the last `HELD` are kept.
pub struct OursBytes<const HELD: usize>;

impl<const HELD: usize> Peer for OursBytes<HELD> {
    fn receive<S: Sink>(traffic: &Traffic, read: usize, sink: &mut S) -> bool {
        let mut written = Written::default();
        let mut memory = Memory::new(&traffic.bytes, read, &mut written);
        let mut ws = connection(traffic.receiver);
        let mut input = BytesMut::new();
        let mut held = VecDeque::with_capacity(HELD + 1);
        loop {
            while let Some(event) = ws.receive_bytes(&mut input) {
                let Event::Message(message) = event else {
                    panic!("{event:?}")
                };
                sink.message(message.as_bytes());
                if HELD > 0 {
                    held.push_back(message);
                    if held.len() > HELD {
                        held.pop_front();
                    }
                }
            }
            let room = ws.receive_bytes_room(&mut input);
            let bytes = memory.front(room);
            if bytes.is_empty() {
                return true;
            }
            for block in bytes.chunks(1024) {
                input.extend_from_slice(block);
            }
        }
    }
}

/// A client with masking keys from elsewhere.
fn send_with_keys(
    messages: &Messages,
    written: &mut Written,
    keys: impl Entropy + Send + Sync + 'static,
) -> bool {
    if messages.role == Role::Server {
        return false;
    }
    let ws = opened(Connection::upgraded_client_with_entropy(
        &ClientConfig::new(),
        Negotiated::default(),
        Box::new(keys),
    ));
    let mut ws = lent(ws, messages.batch, messages.payload.len());
    send_all(&mut ws, messages, written);
    true
}

/// The same with masking keys from a ChaCha of the caller's.
pub struct OursChaCha;

impl Peer for OursChaCha {
    fn send(messages: &Messages, written: &mut Written) -> bool {
        let keys = ChaCha8(ChaCha8Rng::seed_from_u64(1));
        send_with_keys(messages, written, keys)
    }
}

/// The same with masking keys from the operating system, as a client draws them that is given no source.
pub struct OursSystem;

struct System {
    block: [u8; 1024],
    used: usize,
}

impl Entropy for System {
    #[inline]
    fn fill(&mut self, out: &mut [u8]) -> Result<(), NoEntropy> {
        if self.block.len() - self.used < out.len() {
            getrandom::fill(&mut self.block).unwrap();
            self.used = 0;
        }
        let end = self.used + out.len();
        out.copy_from_slice(&self.block[self.used..end]);
        self.used = end;
        Ok(())
    }
}

impl Peer for OursSystem {
    fn send(messages: &Messages, written: &mut Written) -> bool {
        let keys = System {
            block: [0; 1024],
            used: 1024,
        };
        send_with_keys(messages, written, keys)
    }
}

/// Sends a message that was prepared once, past the queue.
pub fn send_prepared(
    ws: &mut Connection,
    prepared: &Prepared,
    count: usize,
    written: &mut Written,
) {
    for _ in 0..count {
        ws.send_through(prepared, |slices| {
            slices.iter().for_each(|slice| written.write(slice));
            usize::MAX
        })
        .unwrap();
    }
}
