use fastwebsockets::{FragmentCollector, Frame, OpCode, Payload, Role, WebSocket};

use crate::common::traffic::{Content, Sink, Traffic};
use crate::peer::{Memory, Messages, Peer, READ, Written, block_on};

pub struct FastWebSockets;

fn socket<'m>(memory: Memory<'m>, role: sansocket::Role) -> WebSocket<Memory<'m>> {
    let role = match role {
        sansocket::Role::Server => Role::Server,
        sansocket::Role::Client => Role::Client,
    };
    WebSocket::after_handshake(memory, role)
}

impl Peer for FastWebSockets {
    fn receive<S: Sink>(traffic: &Traffic, read: usize, sink: &mut S) -> bool {
        let mut written = Written::default();
        let ws = socket(
            Memory::new(&traffic.bytes, read, &mut written),
            traffic.receiver,
        );
        let mut ws = FragmentCollector::new(ws);
        block_on(async {
            while let Ok(frame) = ws.read_frame().await {
                sink.message(&frame.payload);
            }
        });
        true
    }

    fn send(messages: &Messages, written: &mut Written) -> bool {
        let mut ws = socket(Memory::new(&[], READ, written), messages.role);
        let opcode = match messages.content {
            Content::Binary => OpCode::Binary,
            _ => OpCode::Text,
        };
        block_on(async {
            for sent in 1..=messages.count {
                let payload = Payload::Borrowed(&messages.payload);
                ws.write_frame(Frame::new(true, opcode, None, payload))
                    .await
                    .unwrap();
                if sent % messages.batch == 0 {
                    ws.flush().await.unwrap();
                }
            }
        });
        true
    }

    fn echo(traffic: &Traffic, _batch: usize, written: &mut Written) -> bool {
        let ws = socket(Memory::new(&traffic.bytes, READ, written), traffic.receiver);
        let mut ws = FragmentCollector::new(ws);
        block_on(async {
            while let Ok(frame) = ws.read_frame().await {
                // As in its example: each frame is written by itself.
                ws.write_frame(frame).await.unwrap();
            }
        });
        true
    }
}
