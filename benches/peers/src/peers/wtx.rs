use wtx::collection::Vector;
use wtx::rng::Xorshift64;
use wtx::web_socket::{Frame, OpCode, WebSocketBuffer, WebSocketOwned, WebSocketPayloadOrigin};

use crate::common::traffic::{Content, Sink, Traffic};
use crate::peer::{Memory, Messages, Peer, READ, Written, block_on};

pub struct Wtx;

type Socket<'m, const CLIENT: bool> = WebSocketOwned<(), Xorshift64, Memory<'m>, CLIENT>;

fn socket<const CLIENT: bool>(memory: Memory<'_>) -> Socket<'_, CLIENT> {
    let random = Xorshift64::new(0x5eed);
    WebSocketOwned::new((), false, random, memory, WebSocketBuffer::new())
}

fn receive<S: Sink, const CLIENT: bool>(traffic: &Traffic, read: usize, sink: &mut S) {
    let mut written = Written::default();
    let mut ws = socket::<CLIENT>(Memory::new(&traffic.bytes, read, &mut written));
    let mut buffer = Vector::new();
    block_on(async {
        for _ in 0..traffic.messages {
            let frame = ws
                .read_frame(&mut buffer, WebSocketPayloadOrigin::Adaptive)
                .await
                .unwrap();
            sink.message(frame.payload());
        }
    });
}

fn send<const CLIENT: bool>(messages: &Messages, written: &mut Written) {
    let mut ws = socket::<CLIENT>(Memory::new(&[], READ, written));
    let opcode = match messages.content {
        Content::Binary => OpCode::Binary,
        _ => OpCode::Text,
    };
    // It masks where the payload lies: the caller has to have a copy of its own for each.
    let mut payload = messages.payload.to_vec();
    block_on(async {
        for _ in 0..messages.count {
            if CLIENT {
                payload.copy_from_slice(&messages.payload);
            }
            let mut frame = Frame::<_, CLIENT>::new_fin(opcode, &mut payload[..]);
            ws.write_frame(&mut frame).await.unwrap();
        }
    });
}

fn echo<const CLIENT: bool>(traffic: &Traffic, written: &mut Written) {
    let mut ws = socket::<CLIENT>(Memory::new(&traffic.bytes, READ, written));
    let mut buffer = Vector::new();
    block_on(async {
        let (mut common, mut reader, mut writer) = ws.split_mut();
        for _ in 0..traffic.messages {
            let mut frame = reader
                .read_frame(&mut buffer, &mut common, WebSocketPayloadOrigin::Adaptive)
                .await
                .unwrap();
            writer.write_frame(&mut common, &mut frame).await.unwrap();
        }
    });
}

impl Peer for Wtx {
    fn receive<S: Sink>(traffic: &Traffic, read: usize, sink: &mut S) -> bool {
        match traffic.receiver {
            sansocket::Role::Server => receive::<S, false>(traffic, read, sink),
            sansocket::Role::Client => receive::<S, true>(traffic, read, sink),
        }
        true
    }

    fn send(messages: &Messages, written: &mut Written) -> bool {
        match messages.role {
            sansocket::Role::Server => send::<false>(messages, written),
            sansocket::Role::Client => send::<true>(messages, written),
        }
        true
    }

    fn echo(traffic: &Traffic, _batch: usize, written: &mut Written) -> bool {
        match traffic.receiver {
            sansocket::Role::Server => echo::<false>(traffic, written),
            sansocket::Role::Client => echo::<true>(traffic, written),
        }
        true
    }
}
