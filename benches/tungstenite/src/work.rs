// The work. Included once for each of the two crates, as `tungstenite`.

use std::hint::black_box;

use tungstenite::protocol::Role;
use tungstenite::{Bytes, Message, Utf8Bytes, WebSocket};

use super::stream::{Memory, frames, resident};

fn socket(role: Role, bytes: &[u8], most: usize) -> WebSocket<Memory<'_>> {
    WebSocket::from_raw_socket(Memory { bytes, most }, role, None)
}

fn timed(work: impl FnOnce()) -> u64 {
    let before = std::time::Instant::now();
    work();
    before.elapsed().as_nanos() as u64
}

fn reads(role: Role, first: u8, messages: usize, size: usize) -> u64 {
    let bytes = frames(first, role == Role::Server, messages, size);
    let mut socket = socket(role, &bytes, usize::MAX);
    timed(|| {
        for _ in 0..messages {
            assert_eq!(black_box(socket.read()).unwrap().len(), size);
        }
    })
}

pub fn server_reads_text(messages: usize, size: usize) -> u64 {
    reads(Role::Server, 0x81, messages, size)
}

pub fn server_reads_binary(messages: usize, size: usize) -> u64 {
    reads(Role::Server, 0x82, messages, size)
}

pub fn client_reads_binary(messages: usize, size: usize) -> u64 {
    reads(Role::Client, 0x82, messages, size)
}

fn sends(role: Role, messages: usize, message: Message) -> u64 {
    let mut socket = socket(role, b"", 0);
    timed(|| {
        for _ in 0..messages {
            socket.send(message.clone()).unwrap();
        }
    })
}

pub fn server_sends_text(messages: usize, size: usize) -> u64 {
    sends(
        Role::Server,
        messages,
        Message::Text(Utf8Bytes::from("a".repeat(size))),
    )
}

pub fn client_sends_binary(messages: usize, size: usize) -> u64 {
    sends(
        Role::Client,
        messages,
        Message::Binary(Bytes::from(vec![7; size])),
    )
}

/// One message comes with each read.
pub fn server_echoes(messages: usize, size: usize) -> u64 {
    let bytes = frames(0x82, true, messages, size);
    let mut socket = socket(Role::Server, &bytes, bytes.len() / messages);
    timed(|| {
        for _ in 0..messages {
            let message = socket.read().unwrap();
            socket.send(message).unwrap();
        }
    })
}

/// What a connection keeps after one message each way.
pub fn idle(connections: usize) -> usize {
    let bytes = frames(0x82, true, 1, 32);
    let mut all = Vec::with_capacity(connections);
    let before = resident();
    for _ in 0..connections {
        let mut socket = socket(Role::Server, &bytes, usize::MAX);
        let message = socket.read().unwrap();
        socket.send(message).unwrap();
        assert!(socket.read().is_err());
        all.push(socket);
    }
    (resident() - before) / connections
}
