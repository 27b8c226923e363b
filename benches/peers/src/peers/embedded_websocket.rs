use embedded_websocket::{
    Error, WebSocket, WebSocketClient, WebSocketSendMessageType, WebSocketServer, WebSocketState,
    WebSocketType, read_http_header,
};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore as _, SeedableRng};
use rand_core06::RngCore;

use crate::common::traffic::{Content, Sink, Traffic, fill};
use crate::peer::{Messages, Peer, READ, Written};

/// Copies from one buffer of the caller's to another; text is not checked.
pub struct EmbeddedWebSocket;

/// The same source as the others'.
struct Keys(ChaCha8Rng);

impl RngCore for Keys {
    fn next_u32(&mut self) -> u32 {
        self.0.next_u32()
    }
    fn next_u64(&mut self) -> u64 {
        self.0.next_u64()
    }
    fn fill_bytes(&mut self, out: &mut [u8]) {
        for word in out.chunks_mut(4) {
            word.copy_from_slice(&self.0.next_u32().to_le_bytes()[..word.len()]);
        }
    }
    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), rand_core06::Error> {
        self.fill_bytes(out);
        Ok(())
    }
}

fn server() -> WebSocketServer {
    let mut ws = WebSocketServer::new_server();
    ws.state = WebSocketState::Open;
    ws
}

fn client() -> WebSocketClient<Keys> {
    let mut ws = WebSocketClient::new_client(Keys(ChaCha8Rng::seed_from_u64(1)));
    ws.state = WebSocketState::Open;
    ws
}

fn frames<R: RngCore, T: WebSocketType>(
    ws: &mut WebSocket<R, T>,
    traffic: &Traffic,
    read: usize,
    mut message: impl FnMut(&mut WebSocket<R, T>, &[u8]),
) -> bool {
    // A header that is cut off is moved to the front of the buffer.
    let mut buf = vec![0; read + 16];
    let mut to = vec![0; (1 << 20) + 64];
    let (mut kept, mut filled) = (0, 0);
    for bytes in traffic.bytes.chunks(read) {
        fill(&mut buf[kept..kept + bytes.len()], bytes);
        let end = kept + bytes.len();
        let mut at = 0;
        while at < end {
            match ws.read(&buf[at..end], &mut to[filled..]) {
                Ok(result) => {
                    at += result.len_from;
                    filled += result.len_to;
                    if result.end_of_message {
                        message(ws, &to[..filled]);
                        filled = 0;
                    }
                }
                Err(Error::ReadFrameIncomplete) => break,
                // It knows no message of three fragments.
                Err(Error::UnexpectedContinuationFrame) => return false,
                Err(other) => panic!("{other:?}"),
            }
        }
        buf.copy_within(at..end, 0);
        kept = end - at;
    }
    true
}

fn send<R: RngCore, T: WebSocketType>(
    ws: &mut WebSocket<R, T>,
    messages: &Messages,
    written: &mut Written,
) {
    let kind = kind(messages.content);
    let mut out = vec![0; messages.batch * (messages.payload.len() + 14)];
    let mut at = 0;
    for sent in 1..=messages.count {
        at += ws
            .write(kind, true, &messages.payload, &mut out[at..])
            .unwrap();
        if sent % messages.batch == 0 {
            written.write(&out[..at]);
            at = 0;
        }
    }
    written.write(&out[..at]);
}

fn echo<R: RngCore, T: WebSocketType>(
    ws: &mut WebSocket<R, T>,
    traffic: &Traffic,
    batch: usize,
    written: &mut Written,
) {
    let kind = kind(traffic.content);
    let mut out = vec![0; batch * (traffic.payload / traffic.messages + 14)];
    let (mut at, mut queued) = (0, 0);
    frames(ws, traffic, READ, |ws, payload| {
        at += ws.write(kind, true, payload, &mut out[at..]).unwrap();
        queued += 1;
        if queued == batch {
            written.write(&out[..at]);
            (at, queued) = (0, 0);
        }
    });
    written.write(&out[..at]);
}

fn kind(content: Content) -> WebSocketSendMessageType {
    match content {
        Content::Binary => WebSocketSendMessageType::Binary,
        _ => WebSocketSendMessageType::Text,
    }
}

impl Peer for EmbeddedWebSocket {
    fn receive<S: Sink>(traffic: &Traffic, read: usize, sink: &mut S) -> bool {
        match traffic.receiver {
            sansocket::Role::Server => frames(&mut server(), traffic, read, |_, payload| {
                sink.message(payload)
            }),
            sansocket::Role::Client => frames(&mut client(), traffic, read, |_, payload| {
                sink.message(payload)
            }),
        }
    }

    fn send(messages: &Messages, written: &mut Written) -> bool {
        match messages.role {
            sansocket::Role::Server => send(&mut server(), messages, written),
            sansocket::Role::Client => send(&mut client(), messages, written),
        }
        true
    }

    fn echo(traffic: &Traffic, batch: usize, written: &mut Written) -> bool {
        match traffic.receiver {
            sansocket::Role::Server => echo(&mut server(), traffic, batch, written),
            sansocket::Role::Client => echo(&mut client(), traffic, batch, written),
        }
        true
    }

    fn accept(request: &mut [u8], written: &mut Written) -> bool {
        let mut fields = [httparse::EMPTY_HEADER; 32];
        let mut parsed = httparse::Request::new(&mut fields);
        let Ok(httparse::Status::Complete(_)) = parsed.parse(request) else {
            return false;
        };
        let fields = parsed.headers.iter().map(|field| (field.name, field.value));
        let Ok(Some(context)) = read_http_header(fields) else {
            return false;
        };
        let mut out = [0; 1000];
        let n = WebSocketServer::new_server()
            .server_accept(&context.sec_websocket_key, None, &mut out)
            .unwrap();
        written.write(&out[..n]);
        true
    }
}
