//! Events as a structure of C.

use sansocket::Side;
use sansocket::error::Failure;
use sansocket::handshake::{Refusal, Request};
use sansocket::{Event, Kind, Message};

use crate::abi::{nanos, ss_field, ss_kind, ss_slice};

/// What happened. The fields of `ss_event` that each has are named here; `type` is one of these.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ss_event_type {
    /// Nothing: all of the input was taken.
    #[default]
    SS_EVENT_NONE = 0,
    /// Server: a request waits for `ss_accept` or `ss_respond`. `ss_request_part` and `ss_headers` tell what it has.
    SS_EVENT_REQUEST = 1,
    /// Server, with `SS_SERVE_HTTP`: a request that asks for no upgrade waits for `ss_respond`.
    SS_EVENT_HTTP = 2,
    /// Client: the server refused: `status`, the body as `data`, `SS_TRUNCATED` and `SS_REUSABLE` in `flags`, and
    /// `ss_headers`.
    SS_EVENT_REFUSED = 3,
    /// The connection is open. For a client `ss_headers` has those of the answer.
    SS_EVENT_OPEN = 4,
    /// With `SS_ASK`, the head of a message: `kind`, `number` bytes in its first frame, `SS_LAST` if that is all of
    /// it, `SS_COMPRESSED`.
    SS_EVENT_START = 5,
    /// A message: `kind` and `data`.
    SS_EVENT_MESSAGE = 6,
    /// A part of a message: `kind`, `data`, `SS_FIRST`, `SS_LAST` and `SS_ENDS_FRAME`. It is empty only where it ends a
    /// frame.
    SS_EVENT_CHUNK = 7,
    /// A Ping: `data`. The Pong is queued already, unless `SS_MANUAL_PONG` is set.
    SS_EVENT_PING = 8,
    /// A Pong: `data`, and in `number` the nanoseconds since the ping that it answers, or `SS_NEVER`.
    SS_EVENT_PONG = 9,
    /// The peer's Close frame: `code`, 0 if it has none, and the reason as `data`. The answer is queued already,
    /// unless `SS_MANUAL_CLOSE` is set.
    SS_EVENT_CLOSE = 10,
    /// The connection was failed: `number` is the stable number of the failure, `name` its name, `code` that of our
    /// Close frame or 0, and a sentence as `data`.
    SS_EVENT_FAILED = 11,
    /// The connection is closed, once and last: `code`, which is 1005 for a Close without a code and 1006 without a
    /// Close; `SS_CLEAN`, `SS_BEGUN_BY_US` and `SS_BEGUN_BY_PEER` in `flags`; `status` if an HTTP answer was the end;
    /// a sentence as `data`.
    SS_EVENT_CLOSED = 12,
    /// An event that this version of the library cannot tell more about.
    SS_EVENT_OTHER = 13,
}

use ss_event_type::*;

/// The first part of its message.
pub const SS_FIRST: u32 = 1;
/// The last part of its message, or all of it.
pub const SS_LAST: u32 = 2;
/// The frame ends here (RFC 6455 §5.4).
pub const SS_ENDS_FRAME: u32 = 256;
/// The message is compressed.
pub const SS_COMPRESSED: u32 = 4;
/// The body was cut at a limit or by the end of the stream.
pub const SS_TRUNCATED: u32 = 8;
/// The transport can be used for another request.
pub const SS_REUSABLE: u32 = 16;
/// The closing handshake was complete.
pub const SS_CLEAN: u32 = 32;
/// This end sent the first Close frame, or both at once.
pub const SS_BEGUN_BY_US: u32 = 64;
/// The peer sent the first Close frame, or both at once.
pub const SS_BEGUN_BY_PEER: u32 = 128;

/// An event. Its pointers are valid until the next call on the connection, and while the input is not touched:
/// payloads that arrived whole lie in the caller's own buffer.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct ss_event {
    /// Which event it is.
    pub r#type: ss_event_type,
    /// The kind of a message.
    pub kind: ss_kind,
    /// What `ss_event_type` says of each.
    pub flags: u32,
    /// A close code.
    pub code: u16,
    /// A status of HTTP.
    pub status: u16,
    /// A payload, a reason, a body or a sentence.
    pub data: *const u8,
    /// How many bytes of it there are.
    pub len: usize,
    /// A length, a time or a number.
    pub number: u64,
    /// A name in lower case, which lives for ever.
    pub name: ss_slice,
}

impl Default for ss_event {
    fn default() -> Self {
        Self {
            r#type: SS_EVENT_NONE,
            kind: ss_kind::default(),
            flags: 0,
            code: 0,
            status: 0,
            data: std::ptr::null(),
            len: 0,
            number: 0,
            name: ss_slice::NONE,
        }
    }
}

/// What the last event's pointers point to, where that is not the caller's input.
#[allow(dead_code, reason = "some of it is only read through those pointers")]
pub(crate) enum Kept {
    Message(Message<'static>),
    Bytes(Vec<u8>),
    Request(Request<'static>),
    Refusal(Box<Refusal>),
}

impl Kept {
    pub(crate) fn fields(&self) -> Vec<ss_field> {
        let field = |(name, value): (&str, &[u8])| ss_field {
            name: ss_slice::of(name.as_bytes()),
            value: ss_slice::of(value),
        };
        match self {
            Self::Request(request) => request.headers().map(field).collect(),
            Self::Refusal(refusal) => refusal
                .fields
                .iter()
                .map(|(name, value)| field((name, value)))
                .collect(),
            Self::Message(_) | Self::Bytes(_) => Vec::new(),
        }
    }
}

fn flag(set: bool, flag: u32) -> u32 {
    if set { flag } else { 0 }
}

fn kind(kind: Kind) -> ss_kind {
    match kind {
        Kind::Text => ss_kind::SS_TEXT,
        Kind::Binary => ss_kind::SS_BINARY,
    }
}

/// One event of a connection: what is told, and what has to be kept for it.
pub(crate) struct Teller<'k> {
    pub(crate) kept: &'k mut Option<Kept>,
    /// Where the caller's input lies.
    pub(crate) input: std::ops::Range<*const u8>,
}

impl Teller<'_> {
    pub(crate) fn tell(&mut self, event: Event<'_>) -> ss_event {
        match event {
            Event::Message(message) => self.message(message),
            Event::Chunk(chunk) => ss_event {
                kind: kind(chunk.kind),
                flags: flag(chunk.first, SS_FIRST)
                    | flag(chunk.last, SS_LAST)
                    | flag(chunk.ends_frame, SS_ENDS_FRAME),
                ..self.payload(SS_EVENT_CHUNK, &chunk.payload)
            },
            Event::Ping(payload) => self.payload(SS_EVENT_PING, &payload),
            Event::Pong(pong) => ss_event {
                number: nanos(pong.round_trip()),
                ..self.payload(SS_EVENT_PONG, &pong.payload)
            },
            Event::Start(head) => ss_event {
                r#type: SS_EVENT_START,
                kind: kind(head.kind),
                flags: flag(head.fin, SS_LAST) | flag(head.compressed, SS_COMPRESSED),
                number: head.frame_len,
                ..ss_event::default()
            },
            Event::Request(request) => self.request(SS_EVENT_REQUEST, request),
            Event::Http(request) => self.request(SS_EVENT_HTTP, request),
            Event::Refused(refusal) => self.refused(refusal),
            Event::Open => ss_event {
                r#type: SS_EVENT_OPEN,
                ..ss_event::default()
            },
            Event::Close(frame) => ss_event {
                code: frame.code.map_or(0, |code| code.get()),
                ..self.text(SS_EVENT_CLOSE, frame.reason().into())
            },
            Event::Failed(failure) => self.failed(failure),
            Event::Closed(report) => ss_event {
                flags: flag(report.clean, SS_CLEAN)
                    | flag(
                        matches!(report.began, Some(Side::Us | Side::Both)),
                        SS_BEGUN_BY_US,
                    )
                    | flag(
                        matches!(report.began, Some(Side::Peer | Side::Both)),
                        SS_BEGUN_BY_PEER,
                    ),
                code: report.code,
                status: report.answered.unwrap_or_default(),
                ..self.text(SS_EVENT_CLOSED, report.to_string())
            },
            _ => ss_event {
                r#type: SS_EVENT_OTHER,
                ..ss_event::default()
            },
        }
    }

    /// Bytes that lie in the caller's input stay there.
    fn is_lent(&self, bytes: &[u8]) -> bool {
        self.input.contains(&bytes.as_ptr())
    }

    fn message(&mut self, message: Message<'_>) -> ss_event {
        let of = |message: &Message<'_>| {
            let bytes = message.as_bytes();
            ss_event {
                r#type: SS_EVENT_MESSAGE,
                kind: kind(message.kind()),
                flags: SS_FIRST | SS_LAST,
                data: bytes.as_ptr(),
                len: bytes.len(),
                ..ss_event::default()
            }
        };
        if self.is_lent(message.as_bytes()) {
            return of(&message);
        }
        // What was gathered is owned, and moving it moves none of its bytes.
        let message = message.into_owned();
        let told = of(&message);
        *self.kept = Some(Kept::Message(message));
        told
    }

    fn payload(&mut self, r#type: ss_event_type, payload: &[u8]) -> ss_event {
        if self.is_lent(payload) {
            return ss_event {
                r#type,
                data: payload.as_ptr(),
                len: payload.len(),
                ..ss_event::default()
            };
        }
        self.bytes(r#type, payload.to_vec())
    }

    fn text(&mut self, r#type: ss_event_type, text: String) -> ss_event {
        self.bytes(r#type, text.into_bytes())
    }

    fn bytes(&mut self, r#type: ss_event_type, bytes: Vec<u8>) -> ss_event {
        let told = ss_event {
            r#type,
            data: bytes.as_ptr(),
            len: bytes.len(),
            ..ss_event::default()
        };
        *self.kept = Some(Kept::Bytes(bytes));
        told
    }

    fn request(&mut self, r#type: ss_event_type, request: Request<'_>) -> ss_event {
        *self.kept = Some(Kept::Request(request.into_owned()));
        ss_event {
            r#type,
            ..ss_event::default()
        }
    }

    fn refused(&mut self, refusal: Box<Refusal>) -> ss_event {
        let told = ss_event {
            r#type: SS_EVENT_REFUSED,
            flags: flag(refusal.truncated, SS_TRUNCATED) | flag(refusal.reusable, SS_REUSABLE),
            status: refusal.status,
            data: refusal.body.as_ptr(),
            len: refusal.body.len(),
            ..ss_event::default()
        };
        *self.kept = Some(Kept::Refusal(refusal));
        told
    }

    fn failed(&mut self, failure: Failure) -> ss_event {
        ss_event {
            code: failure.close_code().unwrap_or_default(),
            number: failure.code().into(),
            name: ss_slice::of(failure.name().as_bytes()),
            ..self.text(SS_EVENT_FAILED, failure.to_string())
        }
    }
}
