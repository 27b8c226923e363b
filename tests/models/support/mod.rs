//! What the integration tests share: connections past their opening, a naive frame codec of its
//! own (so that nothing is checked against itself), events as plain values, and the ways in which
//! a driver can deliver its reads.
#![allow(dead_code, reason = "each crate of tests uses a part of it")]

use std::sync::{Arc, Mutex};
use std::time::Duration;

use sansocket::entropy::Entropy;
use sansocket::error::Failure;
use sansocket::error::NoEntropy;
use sansocket::event::CloseReport;
use sansocket::{ClientConfig, ServerConfig};
use sansocket::{Connection, Event, Kind, Message, Negotiated, OriginPolicy, Role};

// ── bytes

/// Bytes from their text: hexadecimal pairs, `xx*n` for n times the byte, `"ascii"` as it stands.
pub(crate) fn bytes(text: &str) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = text.trim();
    while !rest.is_empty() {
        if let Some(quoted) = rest.strip_prefix('"') {
            let end = quoted.find('"').expect("a closing quote");
            out.extend_from_slice(&quoted.as_bytes()[..end]);
            rest = quoted[end + 1..].trim_start();
            continue;
        }
        let end = rest.find(char::is_whitespace).unwrap_or(rest.len());
        let (token, count) = match rest[..end].split_once('*') {
            Some((token, count)) => (token, count.parse().expect("a count")),
            None => (&rest[..end], 1),
        };
        for _ in 0..count {
            for pair in token.as_bytes().chunks(2) {
                let pair = std::str::from_utf8(pair).expect("ascii");
                out.push(u8::from_str_radix(pair, 16).unwrap_or_else(|_| panic!("hex: {pair}")));
            }
        }
        rest = rest[end..].trim_start();
    }
    out
}

// ── randomness

/// The masking key of RFC 6455 §5.7.
pub(crate) const KEY: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

/// The same key for every frame, so that bytes can be compared with the RFC's.
pub(crate) struct SampleKey;

impl Entropy for SampleKey {
    fn fill(&mut self, out: &mut [u8]) -> Result<(), NoEntropy> {
        for (byte, key) in out.iter_mut().zip(KEY.into_iter().cycle()) {
            *byte = key;
        }
        Ok(())
    }
}

/// Every draw differs and is written down.
#[derive(Clone, Default)]
pub(crate) struct Recorder(Arc<Mutex<Vec<Vec<u8>>>>);

impl Recorder {
    pub(crate) fn draws(&self) -> Vec<Vec<u8>> {
        self.0.lock().unwrap().clone()
    }
}

impl Entropy for Recorder {
    fn fill(&mut self, out: &mut [u8]) -> Result<(), NoEntropy> {
        let mut draws = self.0.lock().unwrap();
        for (i, byte) in out.iter_mut().enumerate() {
            *byte = (draws.len() as u8)
                .wrapping_mul(61)
                .wrapping_add(i as u8 + 1);
        }
        draws.push(out.to_vec());
        Ok(())
    }
}

// ── connections

/// A server's configuration that leaves origins to the application. Failures give no reason, so that
/// their Close frames are codes.
pub(crate) fn server_config() -> ServerConfig {
    ServerConfig::new(OriginPolicy::Application).silent_failures()
}

/// A client's, likewise.
pub(crate) fn client_config() -> ClientConfig {
    ClientConfig::new().silent_failures()
}

/// An established server connection; `Event::Open` was taken.
pub(crate) fn server(config: &ServerConfig) -> Connection {
    opened(Connection::upgraded_server(config, Negotiated::default()))
}

/// An established client connection that masks with [`KEY`]; `Event::Open` was taken.
pub(crate) fn client(config: &ClientConfig) -> Connection {
    client_with(config, SampleKey)
}

pub(crate) fn client_with(
    config: &ClientConfig,
    entropy: impl Entropy + Send + Sync + 'static,
) -> Connection {
    opened(Connection::upgraded_client_with_entropy(
        config,
        Negotiated::default(),
        Box::new(entropy),
    ))
}

/// `Event::Open` is taken.
pub(crate) fn opened(mut ws: Connection) -> Connection {
    assert!(matches!(ws.receive(&mut &mut [][..]), Some(Event::Open)));
    ws
}

/// The default one of either role.
pub(crate) fn open(role: Role) -> Connection {
    match role {
        Role::Server => server(&server_config()),
        Role::Client => client(&client_config()),
    }
}

pub(crate) const ROLES: [Role; 2] = [Role::Server, Role::Client];

// ── frames

pub(crate) const CONTINUATION: u8 = 0;
pub(crate) const TEXT: u8 = 1;
pub(crate) const BINARY: u8 = 2;
pub(crate) const CLOSE: u8 = 8;
pub(crate) const PING: u8 = 9;
pub(crate) const PONG: u8 = 10;

/// A frame as RFC 6455 §5.2 lays it out. The payload is without its mask.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Frame {
    pub(crate) fin: bool,
    pub(crate) rsv: u8,
    pub(crate) opcode: u8,
    pub(crate) key: Option<[u8; 4]>,
    pub(crate) payload: Vec<u8>,
}

impl Frame {
    pub(crate) fn new(opcode: u8, payload: impl AsRef<[u8]>) -> Self {
        Self {
            fin: true,
            rsv: 0,
            opcode,
            key: None,
            payload: payload.as_ref().to_vec(),
        }
    }

    /// Not the last fragment.
    pub(crate) fn more(self) -> Self {
        Self { fin: false, ..self }
    }

    pub(crate) fn masked(self, key: [u8; 4]) -> Self {
        Self {
            key: Some(key),
            ..self
        }
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = vec![u8::from(self.fin) << 7 | self.rsv << 4 | self.opcode];
        let mask = u8::from(self.key.is_some()) << 7;
        match self.payload.len() {
            len @ 0..=125 => out.push(mask | len as u8),
            len @ 126..=0xffff => {
                out.push(mask | 126);
                out.extend_from_slice(&(len as u16).to_be_bytes());
            }
            len => {
                out.push(mask | 127);
                out.extend_from_slice(&(len as u64).to_be_bytes());
            }
        }
        let key = self.key.unwrap_or_default();
        out.extend(self.key.iter().flatten());
        out.extend(
            self.payload
                .iter()
                .zip(key.iter().cycle())
                .map(|(b, k)| b ^ k),
        );
        out
    }
}

/// The frames for a connection of this role: masked with [`KEY`] for a server.
pub(crate) fn encode_for(role: Role, frames: &[Frame]) -> Vec<u8> {
    let for_role = |frame: &Frame| match role {
        Role::Server => frame.clone().masked(KEY).encode(),
        Role::Client => frame.encode(),
    };
    frames.iter().flat_map(for_role).collect()
}

/// Bytes as whole frames. Panics where they are not, or a length is not in its shortest form.
pub(crate) fn decode(bytes: &[u8]) -> Vec<Frame> {
    let (frames, rest) = decode_prefix(bytes);
    assert!(rest.is_empty(), "an unfinished frame: {rest:02x?}");
    frames
}

/// The whole frames in front, and what is after them.
pub(crate) fn decode_prefix(mut bytes: &[u8]) -> (Vec<Frame>, &[u8]) {
    let mut frames = Vec::new();
    while let Some((frame, len)) = decode_one(bytes) {
        frames.push(frame);
        bytes = &bytes[len..];
    }
    (frames, bytes)
}

fn decode_one(bytes: &[u8]) -> Option<(Frame, usize)> {
    let (&first, &second) = (bytes.first()?, bytes.get(1)?);
    let (len, mut at) = match second & 0x7f {
        126 => {
            let len = u16::from_be_bytes(bytes.get(2..4)?.try_into().ok()?).into();
            assert!(len > 125, "a length not in its shortest form");
            (len, 4)
        }
        127 => {
            let len = u64::from_be_bytes(bytes.get(2..10)?.try_into().ok()?);
            assert!(len > 0xffff, "a length not in its shortest form");
            (len as usize, 10)
        }
        len => (len.into(), 2),
    };
    let key: Option<[u8; 4]> = if second & 0x80 == 0 {
        None
    } else {
        at += 4;
        Some(bytes.get(at - 4..at)?.try_into().ok()?)
    };
    let masked = bytes.get(at..at + len)?;
    let mask = key.unwrap_or_default();
    let payload = masked.iter().zip(mask.iter().cycle()).map(|(b, k)| b ^ k);
    let frame = Frame {
        fin: first & 0x80 != 0,
        rsv: first >> 4 & 7,
        opcode: first & 15,
        key,
        payload: payload.collect(),
    };
    Some((frame, at + len))
}

/// Tells the time of a deadline to a connection whose driver finds nothing to read in between.
pub(crate) fn pass(ws: &mut Connection, now: Duration) {
    for _ in 0..3 {
        ws.advance_time(now);
    }
}

/// Takes all of the output.
pub(crate) fn take_output(ws: &mut Connection) -> Vec<u8> {
    let mut out = Vec::new();
    while !ws.output().is_empty() {
        out.extend_from_slice(ws.output());
        ws.consume_output(ws.output().len());
    }
    out
}

/// Takes all of the output, as frames; those of a client have to have [`KEY`], a server's none.
pub(crate) fn take_frames(ws: &mut Connection) -> Vec<Frame> {
    let role = ws.role();
    let mut frames = decode(&take_output(ws));
    for frame in &mut frames {
        let key = frame.key.take();
        assert_eq!(key.is_some(), role == Role::Client, "{frame:?}");
    }
    frames
}

/// A copy of the output that leaves it there.
pub(crate) fn peek_output(ws: &Connection) -> Vec<u8> {
    let mut slices = [&[][..]; 1024];
    let filled = ws.output_slices(&mut slices);
    assert!(filled < slices.len());
    slices[..filled].concat()
}

// ── events

/// An event as a value that can be kept and compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Seen {
    Request {
        method: String,
        target: String,
    },
    Http {
        method: String,
        target: String,
    },
    Refused {
        status: u16,
        body: Vec<u8>,
        truncated: bool,
    },
    Open,
    Start {
        kind: Kind,
        frame_len: u64,
        fin: bool,
    },
    Text(String),
    Binary(Vec<u8>),
    Chunk {
        kind: Kind,
        payload: Vec<u8>,
        first: bool,
        last: bool,
    },
    Ping(Vec<u8>),
    Pong(Vec<u8>, Option<Duration>),
    Close(Option<u16>, String),
    Failed(Failure),
    Closed(CloseReport),
    Other(String),
}

impl Seen {
    pub(crate) fn text(text: &str) -> Self {
        Self::Text(text.into())
    }

    pub(crate) fn binary(bytes: impl AsRef<[u8]>) -> Self {
        Self::Binary(bytes.as_ref().to_vec())
    }

    pub(crate) fn ping(bytes: impl AsRef<[u8]>) -> Self {
        Self::Ping(bytes.as_ref().to_vec())
    }

    /// A Pong that answers no ping of ours.
    pub(crate) fn pong(bytes: impl AsRef<[u8]>) -> Self {
        Self::Pong(bytes.as_ref().to_vec(), None)
    }

    pub(crate) fn chunk(kind: Kind, payload: impl AsRef<[u8]>, first: bool, last: bool) -> Self {
        let payload = payload.as_ref().to_vec();
        Self::Chunk {
            kind,
            payload,
            first,
            last,
        }
    }

    pub(crate) fn failure(&self) -> Option<Failure> {
        match self {
            Self::Failed(failure) => Some(*failure),
            _ => None,
        }
    }
}

pub(crate) fn see(event: Event<'_>) -> Seen {
    match event {
        Event::Request(request) => Seen::Request {
            method: request.method().into(),
            target: request.target().into(),
        },
        Event::Http(request) => Seen::Http {
            method: request.method().into(),
            target: request.target().into(),
        },
        Event::Refused(refusal) => Seen::Refused {
            status: refusal.status,
            body: refusal.body.clone(),
            truncated: refusal.truncated,
        },
        Event::Open => Seen::Open,
        Event::Start(head) => Seen::Start {
            kind: head.kind,
            frame_len: head.frame_len,
            fin: head.fin,
        },
        Event::Message(Message::Text(text)) => Seen::Text(text.into_string()),
        Event::Message(Message::Binary(payload)) => Seen::Binary(payload.into_vec()),
        Event::Chunk(chunk) => Seen::Chunk {
            kind: chunk.kind,
            first: chunk.first,
            last: chunk.last,
            payload: chunk.payload.into_vec(),
        },
        Event::Ping(payload) => Seen::Ping(payload.into_vec()),
        Event::Pong(pong) => {
            let round_trip = pong.round_trip();
            Seen::Pong(pong.payload.into_vec(), round_trip)
        }
        Event::Close(frame) => Seen::Close(
            frame.code.map(sansocket::CloseCode::get),
            frame.reason().into(),
        ),
        Event::Failed(failure) => Seen::Failed(failure),
        Event::Closed(report) => Seen::Closed(*report),
        other => Seen::Other(format!("{other:?}")),
    }
}

/// Chunks of one message joined into the message (how a message is cut
/// depends on the reads); an unfinished one, and `Start`, left out.
pub(crate) fn joined(events: &[Seen]) -> Vec<Seen> {
    let mut out = Vec::new();
    let mut message: Option<Vec<u8>> = None;
    for event in events {
        match event {
            Seen::Start { .. } => {}
            Seen::Chunk {
                kind,
                payload,
                first,
                last,
            } => {
                assert_eq!(
                    *first,
                    message.is_none(),
                    "first and last bracket a message"
                );
                message.get_or_insert_default().extend_from_slice(payload);
                if *last {
                    let payload = message.take().unwrap_or_default();
                    out.push(match kind {
                        Kind::Text => Seen::Text(String::from_utf8(payload).expect("validated")),
                        Kind::Binary => Seen::Binary(payload),
                    });
                }
            }
            event => out.push(event.clone()),
        }
    }
    out
}

// ── ways to read

/// How the driver hands over what it has read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// `receive`, until it returns `None`.
    Lent,
    /// The same, and each event is made owned first.
    Owned,
    /// `keep_input`, then `receive` with an empty input.
    Held,
    /// `receive` for one event, then `keep_input` for the rest of the read.
    HeldRest,
    /// `find_event` until it says that an event is there, then `receive`.
    Prepared,
    /// `receive_target` and `receive_target_filled` wherever there is a target.
    Target,
    /// `receive_copy`.
    Copied,
    /// `receive_bytes` over a growing buffer.
    #[cfg(feature = "bytes")]
    Bytes,
}

pub(crate) const WAYS: &[Way] = &[
    Way::Lent,
    Way::Owned,
    Way::Held,
    Way::HeldRest,
    Way::Prepared,
    Way::Target,
    Way::Copied,
    #[cfg(feature = "bytes")]
    Way::Bytes,
];

/// A driver that delivers reads in one of the [`Way`]s and keeps what it saw.
pub(crate) struct Driver {
    pub(crate) ws: Connection,
    pub(crate) events: Vec<Seen>,
    way: Way,
    #[cfg(feature = "bytes")]
    buffer: bytes::BytesMut,
}

impl Driver {
    pub(crate) fn new(ws: Connection, way: Way) -> Self {
        Self {
            ws,
            events: Vec::new(),
            way,
            #[cfg(feature = "bytes")]
            buffer: bytes::BytesMut::new(),
        }
    }

    /// One read, and every event that comes of it.
    pub(crate) fn read(&mut self, read: &[u8]) {
        self.read_with(read, |_, _| ());
    }

    /// The same; `react` is called between an event and the next.
    pub(crate) fn read_with(&mut self, read: &[u8], mut react: impl FnMut(&mut Connection, &Seen)) {
        let Self { ws, events, .. } = self;
        let mut note = |ws: &mut Connection, seen: Seen| {
            react(ws, &seen);
            events.push(seen);
        };
        let mut read = read.to_vec();
        let mut input = &mut read[..];
        match self.way {
            Way::Lent => {
                while let Some(event) = ws.receive(&mut input) {
                    note(ws, see(event));
                }
                assert!(input.is_empty(), "receive takes everything");
            }
            Way::Owned => {
                while let Some(event) = ws.receive(&mut input) {
                    note(ws, see(event.into_owned()));
                }
            }
            Way::Held => {
                ws.keep_input(&mut input);
                assert!(input.is_empty(), "hold takes everything");
                while let Some(event) = ws.receive(&mut &mut [][..]) {
                    note(ws, see(event));
                }
            }
            Way::HeldRest => {
                while let Some(event) = ws.receive(&mut input) {
                    ws.keep_input(&mut input);
                    note(ws, see(event));
                }
            }
            Way::Prepared => {
                while ws.find_event(&mut input) {
                    let event = ws
                        .receive(&mut input)
                        .expect("prepare said that an event is there");
                    note(ws, see(event));
                }
                assert!(input.is_empty(), "find_event takes everything");
            }
            Way::Target => loop {
                while let Some(target) = ws.receive_target() {
                    let n = target.len().min(input.len());
                    if n == 0 {
                        break;
                    }
                    let (front, rest) = std::mem::take(&mut input).split_at_mut(n);
                    target[..n].copy_from_slice(front);
                    input = rest;
                    ws.receive_target_filled(n);
                }
                match ws.receive(&mut input) {
                    Some(event) => note(ws, see(event)),
                    None => break,
                }
            },
            Way::Copied => {
                let mut input = &*input;
                while let Some(event) = ws.receive_copy(&mut input) {
                    note(ws, see(event));
                }
                assert!(input.is_empty(), "receive_copy takes everything");
            }
            #[cfg(feature = "bytes")]
            Way::Bytes => {
                self.buffer.extend_from_slice(input);
                while let Some(event) = ws.receive_bytes(&mut self.buffer) {
                    note(ws, see(event));
                }
            }
        }
    }

    /// The failure that was reported, if one was.
    pub(crate) fn failure(&self) -> Option<Failure> {
        self.events.iter().find_map(Seen::failure)
    }

    /// Takes the output, then says that the peer will send no more; all of the output and events.
    pub(crate) fn finish(mut self) -> (Vec<Seen>, Vec<u8>) {
        let mut output = take_output(&mut self.ws);
        self.read(&[]);
        self.ws.receive_eof();
        self.read(&[]);
        output.extend(take_output(&mut self.ws));
        self.read(&[]);
        (self.events, output)
    }
}

/// All events that an input brings at once.
pub(crate) fn receive(ws: &mut Connection, input: &[u8]) -> Vec<Seen> {
    let mut input = input.to_vec();
    let mut input = &mut input[..];
    let mut events = Vec::new();
    while let Some(event) = ws.receive(&mut input) {
        events.push(see(event));
    }
    events
}

/// Frames that the peer sends, and the events that they bring.
pub(crate) fn receive_frames(ws: &mut Connection, frames: &[Frame]) -> Vec<Seen> {
    receive(ws, &encode_for(ws.role(), frames))
}
