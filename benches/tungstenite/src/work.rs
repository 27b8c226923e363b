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

/// Both ends over TCP, in two threads: a message there and back.
pub fn echoes_over_tcp(messages: usize, size: usize) -> u64 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let near = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (far, _) = listener.accept().unwrap();
    near.set_nodelay(true).unwrap();
    far.set_nodelay(true).unwrap();
    let server = std::thread::spawn(move || {
        let mut socket = WebSocket::from_raw_socket(far, Role::Server, None);
        for _ in 0..messages {
            let message = socket.read().unwrap();
            socket.send(message).unwrap();
        }
    });
    let mut socket = WebSocket::from_raw_socket(near, Role::Client, None);
    let mut message = Message::Binary(Bytes::from(vec![7; size]));
    let taken = timed(|| {
        for _ in 0..messages {
            socket.send(std::mem::replace(&mut message, Message::Ping(Bytes::new()))).unwrap();
            message = socket.read().unwrap();
        }
    });
    server.join().unwrap();
    assert_eq!(message.len(), size);
    taken
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
