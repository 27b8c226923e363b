use bytes::BytesMut;
use sockudo_ws::Message;
use sockudo_ws::protocol::{Protocol, Role};

use crate::common::traffic::{Content, Sink, Traffic};
use crate::peer::{Memory, Messages, Peer, READ, Written};

pub struct SockudoWs;

const LIMIT: usize = 64 << 20;

fn protocol(role: sansocket::Role) -> Protocol {
    let role = match role {
        sansocket::Role::Server => Role::Server,
        sansocket::Role::Client => Role::Client,
    };
    Protocol::new(role, LIMIT, LIMIT)
}

fn flush(out: &mut BytesMut, written: &mut Written) {
    written.write(out);
    out.clear();
}

impl Peer for SockudoWs {
    fn receive<S: Sink>(traffic: &Traffic, read: usize, sink: &mut S) -> bool {
        let mut written = Written::default();
        let mut memory = Memory::new(&traffic.bytes, read, &mut written);
        let mut protocol = protocol(traffic.receiver);
        let (mut buf, mut messages) = (BytesMut::with_capacity(read), Vec::new());
        loop {
            let bytes = memory.front(read);
            if bytes.is_empty() {
                return true;
            }
            buf.reserve(bytes.len());
            for block in bytes.chunks(1024) {
                buf.extend_from_slice(block);
            }
            protocol.process_into(&mut buf, &mut messages).unwrap();
            for message in &messages {
                sink.message(message.as_bytes());
            }
        }
    }

    fn send(messages: &Messages, written: &mut Written) -> bool {
        let mut protocol = protocol(messages.role);
        let mut out = BytesMut::new();
        for sent in 1..=messages.count {
            let payload = messages.payload.clone();
            let message = match messages.content {
                Content::Binary => Message::Binary(payload),
                _ => Message::Text(payload),
            };
            protocol.encode_message(&message, &mut out).unwrap();
            if sent % messages.batch == 0 {
                flush(&mut out, written);
            }
        }
        flush(&mut out, written);
        true
    }

    fn echo(traffic: &Traffic, batch: usize, written: &mut Written) -> bool {
        let mut protocol = protocol(traffic.receiver);
        let (mut buf, mut messages) = (BytesMut::with_capacity(READ), Vec::new());
        let mut out = BytesMut::new();
        let mut queued = 0;
        for bytes in traffic.bytes.chunks(READ) {
            buf.reserve(bytes.len());
            for block in bytes.chunks(1024) {
                buf.extend_from_slice(block);
            }
            protocol.process_into(&mut buf, &mut messages).unwrap();
            for message in &messages {
                protocol.encode_message(message, &mut out).unwrap();
                queued += 1;
                if queued == batch {
                    queued = 0;
                    flush(&mut out, written);
                }
            }
        }
        flush(&mut out, written);
        true
    }

    fn accept(request: &mut [u8], written: &mut Written) -> bool {
        use sockudo_ws::handshake::{build_response, generate_accept_key, parse_request};
        let Ok(Some((request, _))) = parse_request(request) else {
            return false;
        };
        let accept = generate_accept_key(request.key);
        written.write(&build_response(&accept, None, None));
        true
    }
}
