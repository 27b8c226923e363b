use futures_util::{SinkExt, StreamExt};
use tokio_websockets::{ClientBuilder, Limits, Message, Payload, ServerBuilder, WebSocketStream};

use crate::common::traffic::{Content, Sink, Traffic};
use crate::peer::{Memory, Messages, Peer, READ, Written, block_on};

pub struct TokioWebSockets;

fn socket<'m>(memory: Memory<'m>, role: sansocket::Role) -> WebSocketStream<Memory<'m>> {
    match role {
        sansocket::Role::Server => ServerBuilder::new().limits(Limits::default()).serve(memory),
        sansocket::Role::Client => ClientBuilder::new().take_over(memory),
    }
}

impl Peer for TokioWebSockets {
    fn receive<S: Sink>(traffic: &Traffic, read: usize, sink: &mut S) -> bool {
        let mut written = Written::default();
        let mut ws = socket(
            Memory::new(&traffic.bytes, read, &mut written),
            traffic.receiver,
        );
        block_on(async {
            while let Some(Ok(message)) = ws.next().await {
                sink.message(message.as_payload());
            }
        });
        true
    }

    fn send(messages: &Messages, written: &mut Written) -> bool {
        let mut ws = socket(Memory::new(&[], READ, written), messages.role);
        block_on(async {
            for sent in 1..=messages.count {
                let payload = Payload::from(messages.payload.clone());
                let message = match messages.content {
                    Content::Binary => Message::binary(payload),
                    _ => Message::text(payload),
                };
                ws.feed(message).await.unwrap();
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
            while let Some(Ok(message)) = ws.next().await {
                ws.feed(message).await.unwrap();
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

    fn accept(request: &mut [u8], written: &mut Written) -> bool {
        block_on(ServerBuilder::new().accept(Memory::new(request, READ, written))).is_ok()
    }
}
