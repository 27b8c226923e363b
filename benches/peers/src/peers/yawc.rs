use futures_util::{SinkExt, StreamExt};
use yawc::{Frame, Options, Role, WebSocket};

use crate::common::traffic::{Content, Sink, Traffic};
use crate::peer::{Memory, Messages, Peer, READ, Written, block_on};

pub struct Yawc;

const LIMIT: usize = 64 << 20;

fn socket<'m>(memory: Memory<'m>, role: sansocket::Role) -> WebSocket<Memory<'m>> {
    let role = match role {
        sansocket::Role::Server => Role::Server,
        sansocket::Role::Client => Role::Client,
    };
    // Text is not checked unless it is asked for, and a message of 1 MiB is above its limit.
    let options = Options::default().with_utf8().with_limits(LIMIT, 2 * LIMIT);
    WebSocket::from_stream(memory, role, options).unwrap()
}

impl Peer for Yawc {
    fn receive<S: Sink>(traffic: &Traffic, read: usize, sink: &mut S) -> bool {
        let mut written = Written::default();
        let mut ws = socket(
            Memory::new(&traffic.bytes, read, &mut written),
            traffic.receiver,
        );
        block_on(async {
            while let Some(frame) = ws.next().await {
                sink.message(frame.payload());
            }
        });
        true
    }

    fn send(messages: &Messages, written: &mut Written) -> bool {
        let mut ws = socket(Memory::new(&[], READ, written), messages.role);
        block_on(async {
            for sent in 1..=messages.count {
                let payload = messages.payload.clone();
                let frame = match messages.content {
                    Content::Binary => Frame::binary(payload),
                    _ => Frame::text(payload),
                };
                ws.feed(frame).await.unwrap();
                if sent % messages.batch == 0 {
                    ws.flush().await.unwrap();
                }
            }
            ws.flush().await.unwrap();
        });
        true
    }

    fn echo(traffic: &Traffic, batch: usize, written: &mut Written) -> bool {
        let mut ws = socket(Memory::new(&traffic.bytes, READ, written), traffic.receiver);
        let mut queued = 0;
        block_on(async {
            while let Some(frame) = ws.next().await {
                ws.feed(frame).await.unwrap();
                queued += 1;
                if queued == batch {
                    queued = 0;
                    ws.flush().await.unwrap();
                }
            }
            _ = ws.flush().await;
        });
        true
    }
}
