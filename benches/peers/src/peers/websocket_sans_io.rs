use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};
use websocket_sans_io::{
    FrameInfo, Opcode, WebsocketFrameDecoder, WebsocketFrameEncoder, WebsocketFrameEvent,
};

use crate::common::traffic::{Content, Sink, Traffic, fill};
use crate::peer::{Messages, Peer, READ, Written};

/// Frames only: the assembly is this program's, and nothing is checked.
pub struct WebSocketSansIo;

/// Hands out what lies in the read whole, and gathers the rest.
fn frames(
    decoder: &mut WebsocketFrameDecoder,
    gathered: &mut Vec<u8>,
    mut input: &mut [u8],
    mut message: impl FnMut(&mut [u8]),
) {
    let mut pending: Option<&mut [u8]> = None;
    loop {
        let result = decoder.add_data(input).unwrap();
        let (part, rest) = std::mem::take(&mut input).split_at_mut(result.consumed_bytes);
        input = rest;
        match result.event {
            Some(WebsocketFrameEvent::PayloadChunk { .. }) => {
                if let Some(earlier) = pending.take() {
                    gathered.extend_from_slice(earlier);
                }
                pending = Some(part);
            }
            Some(WebsocketFrameEvent::End { frame_info, .. }) if frame_info.fin => {
                match pending.take() {
                    Some(whole) if gathered.is_empty() => message(whole),
                    last => {
                        gathered.extend_from_slice(last.as_deref().unwrap_or_default());
                        message(gathered);
                        gathered.clear();
                    }
                }
            }
            Some(_) => {}
            None if part.is_empty() => break,
            None => {}
        }
    }
    if let Some(earlier) = pending.take() {
        gathered.extend_from_slice(earlier);
    }
}

fn encode(
    encoder: &mut WebsocketFrameEncoder,
    opcode: Opcode,
    mask: Option<[u8; 4]>,
    payload: &[u8],
    out: &mut Vec<u8>,
) {
    let header = encoder.start_frame(&FrameInfo {
        opcode,
        payload_length: payload.len() as u64,
        mask,
        fin: true,
        reserved: 0,
    });
    out.extend_from_slice(&header);
    let start = out.len();
    out.extend_from_slice(payload);
    if encoder.transform_needed() {
        encoder.transform_frame_payload(&mut out[start..]);
    }
}

fn opcode(content: Content) -> Opcode {
    match content {
        Content::Binary => Opcode::Binary,
        _ => Opcode::Text,
    }
}

impl Peer for WebSocketSansIo {
    fn receive<S: Sink>(traffic: &Traffic, read: usize, sink: &mut S) -> bool {
        let mut decoder = WebsocketFrameDecoder::new();
        let (mut buf, mut gathered) = (vec![0; read], Vec::new());
        for bytes in traffic.bytes.chunks(read) {
            let buf = &mut buf[..bytes.len()];
            fill(buf, bytes);
            frames(&mut decoder, &mut gathered, buf, |payload| {
                sink.message(payload)
            });
        }
        true
    }

    fn send(messages: &Messages, written: &mut Written) -> bool {
        let mut encoder = WebsocketFrameEncoder::new();
        let mut random = ChaCha8Rng::seed_from_u64(1);
        let mut out = Vec::new();
        for sent in 1..=messages.count {
            let mask = messages
                .role
                .masks()
                .then(|| random.next_u32().to_le_bytes());
            encode(
                &mut encoder,
                opcode(messages.content),
                mask,
                &messages.payload,
                &mut out,
            );
            if sent % messages.batch == 0 {
                written.write(&out);
                out.clear();
            }
        }
        written.write(&out);
        true
    }

    fn echo(traffic: &Traffic, batch: usize, written: &mut Written) -> bool {
        let mut decoder = WebsocketFrameDecoder::new();
        let mut encoder = WebsocketFrameEncoder::new();
        let (mut buf, mut gathered, mut out) = (vec![0; READ], Vec::new(), Vec::new());
        let mut random = ChaCha8Rng::seed_from_u64(1);
        let mut queued = 0;
        for bytes in traffic.bytes.chunks(READ) {
            let buf = &mut buf[..bytes.len()];
            fill(buf, bytes);
            frames(&mut decoder, &mut gathered, buf, |payload| {
                let mask = traffic
                    .receiver
                    .masks()
                    .then(|| random.next_u32().to_le_bytes());
                encode(
                    &mut encoder,
                    opcode(traffic.content),
                    mask,
                    payload,
                    &mut out,
                );
                queued += 1;
                if queued == batch {
                    queued = 0;
                    written.write(&out);
                    out.clear();
                }
            });
        }
        written.write(&out);
        true
    }
}
