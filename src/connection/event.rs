//! What a connection tells its application.

use alloc::boxed::Box;

use crate::error::Failure;
use crate::event::{Chunk, CloseFrame, CloseReport, Message, MessageHead, Pong};
use crate::handshake::{Refusal, Request};
use crate::payload::Payload;

/// What happened. An event may borrow from the input, never from the connection, so the application can
/// answer while it holds one.
///
/// The protocol works whatever the application handles: pongs, Close replies and the Close frames of
/// failures are queued already. Only a request waits for the application's decision.
#[derive(Debug)]
#[non_exhaustive]
pub enum Event<'a> {
    /// Server: a valid upgrade request waits for [`accept`](crate::Connection::accept) or
    /// [`respond`](crate::Connection::respond) (RFC 6455 §4.2).
    Request(Request<'a>),
    /// Server, with [`serve_http`](crate::ServerConfig::serve_http): a request that asks for no
    /// upgrade waits for [`respond`](crate::Connection::respond).
    Http(Request<'a>),
    /// Client: the server refused the handshake with this answer (RFC 6455 §4.1).
    Refused(Box<Refusal>),
    /// The connection is established (RFC 6455 §4.1, §4.2.2).
    Open,
    /// The head of a message, with [`Delivery::Ask`](crate::config::Delivery::Ask).
    Start(MessageHead),
    /// A whole message (RFC 6455 §6.2).
    Message(Message<'a>),
    /// A part of a message, if messages come in chunks; or a whole message, if its frames have
    /// reserved bits of the application's extensions ([`Chunk::reserved_bits`]).
    Chunk(Chunk<'a>),
    /// A Ping. The Pong is queued already, unless it is left to the application (RFC 6455 §5.5.2).
    Ping(Payload<'a>),
    /// A Pong, asked for or not (RFC 6455 §5.5.3).
    Pong(Pong<'a>),
    /// The peer's Close frame. The answer is queued already (RFC 6455 §5.5.1).
    Close(Box<CloseFrame>),
    /// The connection was failed (RFC 6455 §7.1.7). A Close frame is queued if one may be sent. At most once.
    Failed(Failure),
    /// The connection is closed (RFC 6455 §7.1.4). Exactly once, and last.
    Closed(Box<CloseReport>),
}

impl Event<'_> {
    /// The same event without a borrow: what was lent is copied.
    #[must_use]
    pub fn into_owned(self) -> Event<'static> {
        match self {
            Self::Request(request) => Event::Request(request.into_owned()),
            Self::Http(request) => Event::Http(request.into_owned()),
            Self::Refused(refusal) => Event::Refused(refusal),
            Self::Open => Event::Open,
            Self::Start(head) => Event::Start(head),
            Self::Message(message) => Event::Message(message.into_owned()),
            Self::Chunk(chunk) => Event::Chunk(chunk.into_owned()),
            Self::Ping(payload) => Event::Ping(payload.into_owned()),
            Self::Pong(pong) => Event::Pong(pong.into_owned()),
            Self::Close(frame) => Event::Close(frame),
            Self::Failed(failure) => Event::Failed(failure),
            Self::Closed(report) => Event::Closed(report),
        }
    }

    /// Bytes that it lends, and an owned one copies.
    pub(super) fn lent(&self) -> usize {
        match self {
            Self::Message(message) if message.is_lent() => message.as_bytes().len(),
            Self::Chunk(chunk) if chunk.payload.is_lent() => chunk.payload.len(),
            Self::Request(request) | Self::Http(request) => request.lent(),
            _ => 0,
        }
    }

    /// Bytes of heap.
    pub(super) fn memory_held(&self) -> usize {
        let reason = |frame: &CloseFrame| frame.reason().len();
        match self {
            Self::Request(request) | Self::Http(request) => request.memory_held(),
            Self::Refused(refusal) => size_of::<Refusal>() + refusal.memory_held(),
            Self::Message(message) => message.memory_held(),
            Self::Chunk(chunk) => chunk.payload.memory_held(),
            Self::Ping(payload) => payload.memory_held(),
            Self::Pong(pong) => pong.payload.memory_held(),
            Self::Close(frame) => size_of::<CloseFrame>() + reason(frame),
            Self::Closed(report) => {
                let frames = [&report.sent, &report.received].into_iter().flatten();
                size_of::<CloseReport>() + frames.map(reason).sum::<usize>()
            }
            Self::Open | Self::Start(_) | Self::Failed(_) => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::String;
    use alloc::vec;

    use crate::CloseCode;
    use crate::event::Kind;

    use super::{Box, Chunk, CloseFrame, CloseReport, Event, Message, Payload, Refusal, Request};

    /// What is owned already is not copied again.
    #[test]
    fn only_what_is_lent_counts() {
        let [mut one, mut other, mut ping] = [[7; 10]; 3];
        let chunk = |payload| {
            Event::Chunk(Chunk {
                kind: Kind::Binary,
                payload,
                first: true,
                ends_frame: true,
                last: true,
                reserved_bits: 0,
            })
        };
        let message = |payload| Event::Message(Message::Binary(payload));
        assert_eq!(chunk(Payload::from(&mut one[..])).lent(), 10);
        assert_eq!(message(Payload::from(&mut other[..])).lent(), 10);
        assert_eq!(chunk(Payload::from(vec![7; 10])).lent(), 0);
        assert_eq!(message(Payload::from(vec![7; 10])).lent(), 0);
        // Control frames have what is set aside for them.
        assert_eq!(Event::Ping(Payload::from(&mut ping[..])).lent(), 0);
        assert_eq!(Event::Open.lent(), 0);
    }

    /// What a request lends is its head, and what a box holds counts with it.
    #[test]
    fn what_events_hold() {
        let mut head = *b"GET / HTTP/1.1\r\nHost: h\r\n\r\n";
        let (len, lent) = (
            head.len(),
            Request::new(Payload::from(&mut head[..]), (4, 5)),
        );
        let event = Event::Http(lent);
        assert_eq!((event.lent(), event.memory_held()), (len, 0));
        let owned = event.into_owned();
        assert_eq!((owned.lent(), owned.memory_held()), (0, len));

        let frame =
            |reason: &str| CloseFrame::new(Some(CloseCode::NORMAL_CLOSURE), String::from(reason));
        let close = Event::Close(Box::new(frame("four")));
        assert_eq!(close.memory_held(), size_of::<CloseFrame>() + 4);
        let report = Event::Closed(Box::new(CloseReport {
            clean: true,
            code: 1000,
            answered: None,
            sent: Some(frame("six...")),
            received: Some(frame("four")),
            failure: None,
            began: None,
            cut_off: None,
        }));
        assert_eq!(report.memory_held(), size_of::<CloseReport>() + 6 + 4);
        let refusal = Refusal::new(404, [("X", &b"four"[..])].into_iter());
        let held = refusal.memory_held();
        assert!(held > 5);
        let refused = Event::Refused(Box::new(refusal));
        assert_eq!(refused.memory_held(), size_of::<Refusal>() + held);
    }
}
