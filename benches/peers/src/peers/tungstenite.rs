use tungstenite::protocol::{Role, WebSocket, WebSocketConfig};
use tungstenite::{Bytes, Message};

use crate::common::traffic::{Content, Sink, Traffic};
use crate::peer::{Memory, Messages, Peer, READ, Written};

pub struct Tungstenite;

fn socket<'m>(memory: Memory<'m>, role: sansocket::Role) -> WebSocket<Memory<'m>> {
    let role = match role {
        sansocket::Role::Server => Role::Server,
        sansocket::Role::Client => Role::Client,
    };
    WebSocket::from_raw_socket(memory, role, Some(WebSocketConfig::default()))
}

impl Peer for Tungstenite {
    fn receive<S: Sink>(traffic: &Traffic, read: usize, sink: &mut S) -> bool {
        let mut written = Written::default();
        let mut ws = socket(
            Memory::new(&traffic.bytes, read, &mut written),
            traffic.receiver,
        );
        while let Ok(message) = ws.read() {
            match &message {
                Message::Text(text) => sink.message(text.as_bytes()),
                Message::Binary(bytes) => sink.message(bytes),
                other => panic!("{other:?}"),
            }
        }
        true
    }

    fn send(messages: &Messages, written: &mut Written) -> bool {
        let mut ws = socket(Memory::new(&[], READ, written), messages.role);
        for sent in 1..=messages.count {
            let payload = Bytes::clone(&messages.payload);
            let message = match messages.content {
                Content::Binary => Message::Binary(payload),
                _ => Message::Text(payload.try_into().unwrap()),
            };
            ws.write(message).unwrap();
            if sent % messages.batch == 0 {
                ws.flush().unwrap();
            }
        }
        ws.flush().unwrap();
        true
    }

    fn echo(traffic: &Traffic, batch: usize, written: &mut Written) -> bool {
        let mut ws = socket(Memory::new(&traffic.bytes, READ, written), traffic.receiver);
        let mut queued = 0;
        while let Ok(message) = ws.read() {
            ws.write(message).unwrap();
            queued += 1;
            if queued == batch {
                queued = 0;
                ws.flush().unwrap();
            }
        }
        // The stream is at its end, so what is left cannot be flushed through the socket.
        true
    }

    fn accept(request: &mut [u8], written: &mut Written) -> bool {
        tungstenite::accept(Memory::new(request, READ, written)).is_ok()
    }
}
