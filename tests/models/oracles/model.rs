//! The receiving half written down naively: a whole stream in, the expected events out.

use super::cut::Setup;
use super::inflate;
use sansocket::config::{Delivery, Rate};
use sansocket::error::Failure;
use sansocket::error::{Limit, ProtocolError};
use sansocket::{Event, Kind, Message, Role};

/// An event, free of the input and comparable.
#[derive(Debug, Clone, PartialEq)]
pub enum Seen {
    /// A request or plain request: method, target, and all fields.
    Request(bool, String, Vec<(String, Vec<u8>)>),
    Refused(u16, Vec<u8>, bool),
    Open,
    Start(Kind, u64, bool),
    Message(Kind, Vec<u8>),
    /// Whether it is the first one, ends its frame, and is the last one.
    Chunk(Kind, Vec<u8>, bool, bool, bool),
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    Close(Option<u16>, String),
    Failed(Failure),
    Closed(sansocket::event::CloseReport),
}

impl Seen {
    pub fn of(event: &Event<'_>) -> Self {
        match event {
            Event::Request(request) | Event::Http(request) => Self::Request(
                matches!(event, Event::Http(_)),
                format!("{} {}", request.method(), request.target()),
                request
                    .headers()
                    .map(|(name, value)| (name.to_owned(), value.to_vec()))
                    .collect(),
            ),
            Event::Refused(refusal) => {
                Self::Refused(refusal.status, refusal.body.clone(), refusal.truncated)
            }
            Event::Open => Self::Open,
            Event::Start(head) => Self::Start(head.kind, head.frame_len, head.fin),
            Event::Message(message) => {
                if let Message::Text(text) = message {
                    assert!(core::str::from_utf8(text.as_bytes()).is_ok());
                }
                Self::Message(message.kind(), message.as_bytes().to_vec())
            }
            Event::Chunk(chunk) => {
                assert!(chunk.ends_frame || !chunk.last && !chunk.payload.is_empty());
                let payload = chunk.payload.to_vec();
                Self::Chunk(
                    chunk.kind,
                    payload,
                    chunk.first,
                    chunk.ends_frame,
                    chunk.last,
                )
            }
            Event::Ping(payload) => Self::Ping(payload.to_vec()),
            Event::Pong(pong) => Self::Pong(pong.payload.to_vec()),
            Event::Close(frame) => {
                Self::Close(frame.code.map(u16::from), frame.reason().to_owned())
            }
            Event::Failed(failure) => Self::Failed(*failure),
            Event::Closed(report) => Self::Closed((**report).clone()),
            other => panic!("an event that the tests do not know: {other:?}"),
        }
    }

    /// Puts it after the others; the chunks of a frame are joined.
    pub fn push_to(self, all: &mut Vec<Self>) {
        if let Self::Chunk(kind, bytes, first, ends, last) = &self
            && let Some(Self::Chunk(own, joined, _, ended @ false, end)) = all.last_mut()
        {
            assert!(own == kind && !first && !*end, "a chunk of another message");
            joined.extend_from_slice(bytes);
            (*ended, *end) = (*ends, *last);
            return;
        }
        all.push(self);
    }
}

/// Which messages the tests stream with [`Delivery::Ask`]: a function of the head, so that every cut
/// makes the same choice.
pub fn streams(len: u64, fin: bool) -> bool {
    len % 3 == u64::from(fin)
}

/// What comes out of an established connection.
pub struct Expected {
    pub events: Vec<Seen>,
    /// Bytes at the end of the last chunk that stood in the frame that failed.
    pub slack: usize,
}

/// RFC 6455 §5 to §8 over the whole stream. Ends with the peer's Close or a failure, if there is one.
pub fn expected(stream: &[u8], setup: &Setup) -> Expected {
    let mut events = Vec::new();
    let (failure, slack) = match read(stream, setup, &mut events) {
        Ok(()) => (None, 0),
        Err((error, slack)) => (Some(error), slack),
    };
    events.extend(failure.map(|error| Seen::Failed(error.into())));
    Expected { events, slack }
}

struct InProgress {
    kind: Kind,
    stream: bool,
    begun: bool,
    bytes: Vec<u8>,
    frames: u64,
    /// The application's reserved bits on its frames, and those of them that `Event::Start` told.
    bits: u8,
    told_bits: u8,
    /// RFC 7692 §6.2: the payload as it came, of a compressed message.
    compressed: Option<Vec<u8>>,
    /// Of the window and what came out of it, the part before this is forgotten.
    known_from: usize,
    /// What its frames said that it has.
    announced: u64,
}

type Stop = (ProtocolError, usize);

fn read(mut rest: &[u8], setup: &Setup, events: &mut Vec<Seen>) -> Result<(), Stop> {
    let Setup {
        role,
        limits,
        delivery,
        reserved,
        ..
    } = *setup;
    let mut message: Option<InProgress> = None;
    // RFC 7692 §7.2.2: what a message may refer to.
    let mut window: Vec<u8> = Vec::new();
    let fail = |error| Err((error, 0));
    let budgets = limits.budgets;
    let mut spent = Spent::default();
    loop {
        let Some(&first) = rest.first() else {
            return Ok(());
        };
        let (fin, bits, opcode) = (first & 0x80 != 0, first >> 4 & 7, first & 15);
        // Extensions are about data frames.
        let unknown = match opcode {
            0 => bits & !reserved,
            1 | 2 => bits & !(reserved | if setup.deflate.is_some() { RSV1 } else { 0 }),
            _ => bits,
        };
        if unknown != 0 {
            return fail(ProtocolError::ReservedBits { bits: unknown });
        }
        let begins_compressed = opcode != 0 && setup.deflate.is_some() && bits & RSV1 != 0;
        match (opcode, &message) {
            (3..=7 | 11.., _) => return fail(ProtocolError::ReservedOpcode { opcode }),
            (8..=10, _) if !fin => return fail(ProtocolError::ControlFragmented),
            (0, None) => return fail(ProtocolError::UnexpectedContinuation),
            (1 | 2, Some(_)) => return fail(ProtocolError::MessageInterrupted { opcode }),
            (0, Some(message)) if message.frames + 1 > limits.fragments.into() => {
                return fail(ProtocolError::Limit {
                    limit: Limit::Fragments,
                    value: message.frames + 1,
                    max: limits.fragments.into(),
                });
            }
            _ => {}
        }
        let Some(&second) = rest.get(1) else {
            return Ok(());
        };
        match (role, second & 0x80 != 0) {
            (Role::Server, false) if !setup.unmasked => return fail(ProtocolError::UnmaskedFrame),
            (Role::Client, true) => return fail(ProtocolError::MaskedFrame),
            _ => {}
        }
        let short = second & 0x7f;
        let form = match short {
            126 => 2,
            127 => 8,
            _ => 0,
        };
        let Some(extended) = rest.get(2..2 + form) else {
            return Ok(());
        };
        let len = match form {
            0 => u64::from(short),
            _ => extended
                .iter()
                .fold(0, |len, byte| len << 8 | u64::from(*byte)),
        };
        if form == 2 && len < 126 || form == 8 && len < 0x1_0000 {
            return fail(ProtocolError::LengthNotMinimal);
        }
        if len >> 63 != 0 {
            return fail(ProtocolError::LengthTopBit);
        }
        if opcode >= 8 && len > 125 {
            return fail(ProtocolError::ControlTooLong);
        }
        if opcode < 8 {
            let limit = |limit, value, max| fail(ProtocolError::Limit { limit, value, max });
            if len > limits.frame {
                return limit(Limit::Frame, len, limits.frame);
            }
            let value = len
                + message
                    .as_ref()
                    .map_or(0, |message| message.bytes.len() as u64);
            let inflates = |message: &InProgress| message.compressed.is_some();
            let inflates = begins_compressed || message.as_ref().is_some_and(inflates);
            // What a compressed one comes to is not known yet.
            if value > limits.message && !inflates {
                return limit(Limit::Message, value, limits.message);
            }
        }
        let masked = second & 0x80 != 0;
        let start = 2 + form + if masked { 4 } else { 0 };
        let Some(key) = rest.get(2 + form..start) else {
            return Ok(());
        };
        let key = key.to_vec();
        rest = &rest[start..];
        if opcode == 1 || opcode == 2 {
            spent.one(Limit::Messages, budgets.messages)?;
        }
        match len {
            _ if fin => {}
            0 => spent.one(Limit::EmptyFrames, budgets.empty_frames)?,
            1..=63 => spent.one(Limit::TinyFragments, budgets.tiny_fragments)?,
            _ => {}
        }
        let have = usize::try_from(len).map_or(rest.len(), |len| len.min(rest.len()));
        let whole = have as u64 == len;
        let payload: Vec<u8> = rest[..have]
            .iter()
            .enumerate()
            .map(|(i, byte)| if masked { byte ^ key[i % 4] } else { *byte })
            .collect();
        rest = &rest[have..];
        if opcode >= 8 {
            if !whole {
                return Ok(());
            }
            if opcode > 8 {
                // No ping of ours is waited for.
                spent.one(Limit::Pings, budgets.pings)?;
            }
            match opcode {
                8 => {
                    let (code, reason) = close(&payload).map_err(|error| (error, 0))?;
                    events.push(Seen::Close(code, reason));
                    return Ok(());
                }
                9 => events.push(Seen::Ping(payload)),
                _ => events.push(Seen::Pong(payload)),
            }
            continue;
        }
        let current = message.get_or_insert_with(|| {
            let kind = if opcode == 1 {
                Kind::Text
            } else {
                Kind::Binary
            };
            if delivery == Delivery::Ask {
                events.push(Seen::Start(kind, len, fin));
            }
            InProgress {
                kind,
                stream: delivery == Delivery::Chunks
                    || delivery == Delivery::Ask && streams(len, fin),
                begun: false,
                bytes: Vec::new(),
                frames: 0,
                bits: 0,
                told_bits: 0,
                compressed: begins_compressed.then(Vec::new),
                known_from: 0,
                announced: 0,
            }
        });
        let told = current.frames == 0 && delivery == Delivery::Ask;
        let codec_bit = if current.compressed.is_some() {
            RSV1
        } else {
            0
        };
        if told {
            current.told_bits = bits & !codec_bit;
        }
        current.bits |= bits & !codec_bit;
        current.frames += 1;
        current.announced += len;
        let before = current.bytes.len();
        let mut wrong = None;
        match &mut current.compressed {
            None => current.bytes.extend_from_slice(&payload),
            Some(packed) => {
                packed.extend_from_slice(&payload);
                (current.bytes, current.known_from, wrong) =
                    inflated(&window, packed, whole && fin, current.announced, setup);
            }
        }
        let last = whole && fin && wrong.is_none();
        let bad = match core::str::from_utf8(&current.bytes) {
            Err(error) if current.kind == Kind::Text => match error.error_len() {
                // The first byte that no continuation makes valid.
                Some(_) => Some(first_bad_byte(&current.bytes, error.valid_up_to())),
                None if last => Some(current.bytes.len()),
                None => None,
            },
            _ => None,
        };
        let good = &current.bytes[before..bad.unwrap_or(current.bytes.len())];
        let ends = whole && bad.is_none() && wrong.is_none();
        if current.stream && (!good.is_empty() || ends) {
            let first = !core::mem::replace(&mut current.begun, true);
            let last = last && ends;
            Seen::Chunk(current.kind, good.to_vec(), first, ends, last).push_to(events);
        }
        if let Some(bad) = bad {
            let slack = if current.stream { good.len() } else { 0 };
            let error = ProtocolError::TextNotUtf8 {
                at: bad as u64,
                cut: bad == current.bytes.len(),
            };
            return Err((error, slack));
        }
        if let Some(error) = wrong {
            return fail(error);
        }
        if !whole {
            return Ok(());
        }
        let done = if fin { message.take() } else { None };
        if let Some(done) = done.as_ref().filter(|done| done.compressed.is_some()) {
            window.extend_from_slice(&done.bytes);
            // After a message the window is kept, and no more.
            let old = window.len().saturating_sub(setup.window(role.peer()));
            window.drain(
                ..if setup.takes_over(role.peer()) {
                    old.max(done.known_from)
                } else {
                    window.len()
                },
            );
        }
        if let Some(done) = done.filter(|done| !done.stream) {
            // Only a chunk can tell bits.
            events.push(if done.bits == done.told_bits {
                Seen::Message(done.kind, done.bytes)
            } else {
                Seen::Chunk(done.kind, done.bytes, true, true, true)
            });
        }
    }
}

/// What came of each thing that has a budget, while no time passes.
#[derive(Default)]
struct Spent(Vec<Limit>);

impl Spent {
    fn one(&mut self, limit: Limit, rate: Option<Rate>) -> Result<(), Stop> {
        self.0.push(limit);
        let value = self.0.iter().filter(|other| **other == limit).count() as u64;
        match rate.map(|rate| u64::from(rate.most_at_once())) {
            Some(max) if value > max => Err((ProtocolError::Limit { limit, value, max }, 0)),
            _ => Ok(()),
        }
    }
}

/// The reserved bit of RFC 7692 §6.
const RSV1: u8 = 4;

/// What any message may come to, whatever the ratio limit says.
const RATIO_FREE: u64 = 64 << 10;

/// What comes out of `packed`, up to the first thing that is wrong (RFC 7692 §6.2, §7.2.2), and from
/// where on the next message may refer to the window and it.
fn inflated(
    window: &[u8],
    packed: &[u8],
    last: bool,
    announced: u64,
    setup: &Setup,
) -> (Vec<u8>, usize, Option<ProtocolError>) {
    let size = setup.window(setup.role.peer());
    let whole = if last {
        inflate::inflate(window, size, packed)
    } else {
        None
    };
    let ends = whole.is_some();
    let (read, stop) = match whole {
        Some(read) => (read, inflate::Stop::Edge),
        None => inflate::so_far(window, size, packed),
    };
    let mut bytes = read.out[window.len()..].to_vec();
    let by_ratio = match setup.ratio {
        0 => u64::MAX,
        ratio => RATIO_FREE.max(announced.saturating_mul(ratio.into())),
    };
    let max = setup.limits.message;
    let most = max.min(by_ratio);
    let wrong = if bytes.len() as u64 > most {
        bytes.truncate(most as usize);
        Some(if by_ratio < max {
            ProtocolError::CompressionRatio { max: setup.ratio }
        } else {
            ProtocolError::Limit {
                limit: Limit::Message,
                value: max + 1,
                max,
            }
        })
    } else {
        // Broken, or at the end of the message not at its end.
        let cut_off = last && !ends;
        (stop == inflate::Stop::Corrupt || cut_off).then_some(ProtocolError::CompressedData)
    };
    (bytes, read.known_from, wrong)
}

/// RFC 3629: the shortest prefix that is past saving.
fn first_bad_byte(bytes: &[u8], valid: usize) -> usize {
    (valid..bytes.len())
        .find(|end| {
            let prefix = core::str::from_utf8(&bytes[..=*end]);
            prefix.is_err_and(|error| error.error_len().is_some())
        })
        .unwrap_or(bytes.len())
}

fn close(payload: &[u8]) -> Result<(Option<u16>, String), ProtocolError> {
    match payload {
        [] => Ok((None, String::new())),
        [_] => Err(ProtocolError::CloseBodyTooShort),
        [high, low, reason @ ..] => {
            let code = u16::from_be_bytes([*high, *low]);
            if !matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999) {
                return Err(ProtocolError::CloseCode { code });
            }
            let text = core::str::from_utf8(reason);
            let reason = text.map_err(|error| ProtocolError::CloseReasonNotUtf8 {
                at: first_bad_byte(reason, error.valid_up_to()) as u8,
            })?;
            Ok((Some(code), reason.to_owned()))
        }
    }
}
