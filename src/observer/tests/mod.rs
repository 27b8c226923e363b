//! What an observer tells of conversations: real ones, broken ones, and parts of them.

use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;
use alloc::{borrow::ToOwned, format};

mod codecs;
#[cfg(feature = "deflate")]
mod compressed;
mod conversations;
mod joins;
mod rules;
mod words;

use crate::config::Limits;
use crate::error::{Field, HandshakeError, ProtocolError};
use crate::event::message::Kind;
use crate::frame::FrameHeader;
use crate::mask::apply_mask;

use super::*;

const REQUEST: &str = "GET /chat HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";
const ANSWER: &str = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";

/// What is told, in words.
#[derive(Debug, Clone, PartialEq)]
enum Told {
    Request(String, bool),
    Response(u16, bool),
    Opened(bool),
    Frame(u8, Vec<ProtocolError>, bool),
    Message(Role, Kind, Vec<u8>, Content, bool),
    Ping(Role, Vec<u8>),
    Pong(Role, Vec<u8>, bool),
    Close(Role, Option<u16>, Vec<u8>, bool),
    Broken(Rule),
    Lost(u64),
    Found(u64),
    Opaque(bool),
}

/// All that comes of these bytes; the pieces of each payload have to be the payload of its message.
fn see(observer: &mut Observer, from: Role, mut input: &[u8]) -> Vec<Told> {
    let mut told = Vec::new();
    while let Some(seen) = observer.see(from, &mut input) {
        told.push(match seen {
            Seen::Request(head) => {
                Told::Request(head.target().to_owned(), head.violation().is_some())
            }
            Seen::Response(head) => {
                Told::Response(head.status().unwrap_or(0), head.violation().is_some())
            }
            Seen::Opened(negotiated) => Told::Opened(negotiated.is_some()),
            Seen::Frame(frame) => {
                let protocol = frame
                    .violations()
                    .filter_map(|violation| match violation.rule() {
                        Rule::Protocol(error) => Some(error),
                        _ => None,
                    });
                let after_close = frame.violations().any(|own| own.rule() == Rule::AfterClose);
                Told::Frame(frame.header()[0], protocol.collect(), after_close)
            }
            Seen::Payload(piece) => {
                assert!(!piece.wire().is_empty(), "nothing to tell");
                continue;
            }
            Seen::Message(own) => Told::Message(
                own.from,
                own.kind,
                own.payload.to_vec(),
                own.content,
                own.violation.is_some(),
            ),
            Seen::Ping { from, payload } => Told::Ping(from, payload.to_vec()),
            Seen::Pong {
                from,
                payload,
                solicited,
                ..
            } => Told::Pong(from, payload.to_vec(), solicited),
            Seen::Close {
                from,
                code,
                reason,
                violation,
            } => Told::Close(from, code, reason.to_vec(), violation.is_some()),
            Seen::Broken(violation) => Told::Broken(violation.rule()),
            Seen::Lost { offset, .. } => Told::Lost(offset),
            Seen::Found {
                offset, skipped, ..
            } => {
                assert!(skipped <= offset, "no more than there was");
                Told::Found(offset)
            }
            Seen::Opaque { tls, .. } => Told::Opaque(tls),
        });
    }
    assert!(input.is_empty(), "see takes all");
    told
}

fn open() -> Observer {
    let mut observer = Observer::new(&ObserverConfig::new());
    see(&mut observer, Role::Client, REQUEST.as_bytes());
    see(&mut observer, Role::Server, ANSWER.as_bytes());
    observer
}

fn frame(opcode: u8, fin: bool, key: Option<[u8; 4]>, payload: &[u8]) -> Vec<u8> {
    let mut header = [0; FrameHeader::MAX_LEN];
    let len = FrameHeader {
        fin,
        masking_key: key,
        ..FrameHeader::new(Opcode::Binary, payload.len() as u64)
    }
    .encode(&mut header);
    let mut frame = header[..len].to_vec();
    frame[0] = frame[0] & 0x80 | opcode;
    let start = frame.len();
    frame.extend_from_slice(payload);
    if let Some(key) = key {
        apply_mask(&mut frame[start..], key, 0);
    }
    frame
}

/// The payload of a frame is missing; its header tells where the next one begins.
fn miss(observer: &mut Observer, frame: &[u8]) {
    see(observer, Role::Server, &frame[..2]);
    observer.gap(Role::Server, frame.len() as u64 - 2);
}

const KEY: Option<[u8; 4]> = Some([0x37, 0xfa, 0x21, 0x3d]);
