//! Events, as calls tell them.

use alloc::boxed::Box;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::ops::Range;

use sansocket::Side;
use sansocket::error::Failure;
use sansocket::handshake::{Refusal, Request};
use sansocket::{Event, Kind, Message};

use crate::abi::{milliseconds, ws_told};
use crate::entries;
use crate::numbers::{entry, event, kind, mark};

/// What the last event's pointers point to, where that is not the caller's input.
#[allow(dead_code, reason = "some of it is only read through those pointers")]
pub(crate) enum Kept {
    Message(Message<'static>),
    Bytes(Vec<u8>),
    Request(Request<'static>),
    Refusal(Box<Refusal>),
}

impl Kept {
    /// The header fields of a head, as a list of names and values.
    pub(crate) fn fields(&self) -> Vec<u8> {
        match self {
            Self::Request(request) => list(request.headers()),
            Self::Refusal(refusal) => {
                let fields = refusal.fields.iter();
                list(fields.map(|(name, value)| (&**name, &**value)))
            }
            Self::Message(_) | Self::Bytes(_) => Vec::new(),
        }
    }
}

/// Header fields as entries.
pub(crate) fn list<'a>(fields: impl Iterator<Item = (&'a str, &'a [u8])>) -> Vec<u8> {
    let mut list = Vec::new();
    for (name, value) in fields {
        entries::push(&mut list, entry::FIELD_NAME, name.as_bytes());
        entries::push(&mut list, entry::FIELD_VALUE, value);
    }
    list
}

pub(crate) fn kind(kind: Kind) -> u32 {
    match kind {
        Kind::Text => kind::TEXT,
        Kind::Binary => kind::BINARY,
    }
}

fn mark(set: bool, mark: u32) -> u32 {
    if set { mark } else { 0 }
}

fn only(what: u32) -> ws_told {
    ws_told {
        what,
        ..ws_told::default()
    }
}

/// One event of a connection: what is told, and what has to be kept for it.
pub(crate) struct Teller<'k> {
    pub(crate) kept: &'k mut Option<Kept>,
    /// Where the caller's input lies.
    pub(crate) input: Range<*const u8>,
}

impl Teller<'_> {
    pub(crate) fn tell(&mut self, event: Event<'_>) -> ws_told {
        match event {
            Event::Message(message) => self.message(message),
            Event::Chunk(chunk) => ws_told {
                kind: kind(chunk.kind),
                marks: mark(chunk.first, mark::FIRST)
                    | mark(chunk.last, mark::LAST)
                    | mark(chunk.ends_frame, mark::ENDS_FRAME),
                ..self.payload(event::CHUNK, &chunk.payload)
            },
            Event::Ping(payload) => self.payload(event::PING, &payload),
            Event::Pong(pong) => ws_told {
                number: milliseconds(pong.round_trip()),
                ..self.payload(event::PONG, &pong.payload)
            },
            Event::Start(head) => ws_told {
                kind: kind(head.kind),
                marks: mark(head.fin, mark::LAST) | mark(head.compressed, mark::COMPRESSED),
                number: head.frame_len as f64,
                ..only(event::START)
            },
            Event::Request(request) => self.request(event::REQUEST, request),
            Event::Http(request) => self.request(event::HTTP, request),
            Event::Refused(refusal) => self.refused(refusal),
            Event::Open => only(event::OPEN),
            Event::Close(frame) => ws_told {
                code: frame.code.map_or(0, |code| code.get().into()),
                ..self.bytes(event::CLOSE, frame.reason().as_bytes().to_vec())
            },
            Event::Failed(failure) => self.failed(failure),
            Event::Closed(report) => ws_told {
                marks: mark(report.clean, mark::CLEAN) | begun(report.began),
                code: report.code.into(),
                number: report.answered.map_or(0.0, f64::from),
                ..self.text(event::CLOSED, report.to_string())
            },
            _ => only(event::OTHER),
        }
    }

    /// Bytes that lie in the caller's input stay there.
    fn is_lent(&self, bytes: &[u8]) -> bool {
        self.input.contains(&bytes.as_ptr())
    }

    fn message(&mut self, message: Message<'_>) -> ws_told {
        let of = |message: &Message<'_>| ws_told {
            kind: kind(message.kind()),
            marks: mark::FIRST | mark::LAST,
            ..only(event::MESSAGE).bytes(message.as_bytes())
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

    fn payload(&mut self, what: u32, payload: &[u8]) -> ws_told {
        if self.is_lent(payload) {
            return only(what).bytes(payload);
        }
        self.bytes(what, payload.to_vec())
    }

    fn text(&mut self, what: u32, text: String) -> ws_told {
        self.bytes(what, text.into_bytes())
    }

    fn bytes(&mut self, what: u32, bytes: Vec<u8>) -> ws_told {
        let told = only(what).bytes(&bytes);
        *self.kept = Some(Kept::Bytes(bytes));
        told
    }

    fn request(&mut self, what: u32, request: Request<'_>) -> ws_told {
        *self.kept = Some(Kept::Request(request.into_owned()));
        only(what)
    }

    fn refused(&mut self, refusal: Box<Refusal>) -> ws_told {
        let told = ws_told {
            marks: mark(refusal.truncated, mark::TRUNCATED)
                | mark(refusal.reusable, mark::REUSABLE),
            code: refusal.status.into(),
            ..only(event::REFUSED).bytes(&refusal.body)
        };
        *self.kept = Some(Kept::Refusal(refusal));
        told
    }

    fn failed(&mut self, failure: Failure) -> ws_told {
        ws_told {
            code: failure.close_code().map_or(0, u32::from),
            number: failure.code().into(),
            ..self
                .text(event::FAILED, failure.to_string())
                .named(failure.name())
        }
    }
}

fn begun(began: Option<Side>) -> u32 {
    mark(
        matches!(began, Some(Side::Us | Side::Both)),
        mark::BEGUN_BY_US,
    ) | mark(
        matches!(began, Some(Side::Peer | Side::Both)),
        mark::BEGUN_BY_PEER,
    )
}
