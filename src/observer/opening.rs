//! The opening handshake as it is seen (RFC 6455 §4), with what goes before it on the same
//! connection: pages of HTTP, and a proxy's CONNECT.

use alloc::collections::VecDeque;
use alloc::string::String;
use alloc::vec::Vec;

use crate::config::{Limits, Settings};
use crate::error::HandshakeError;
use crate::handshake::extensions::ApplicationExtensions;
use crate::handshake::head::{StatusLine, pairs, parse_response, slots, unfold};
use crate::handshake::{
    Answered, Asked, Expectation, HeadReader, Headers, HttpVersion, Negotiated, RefusalReader,
    judge,
};

use super::seen::Head;

/// The requests that have no final answer yet.
#[derive(Default)]
pub(super) struct Requests {
    asked: VecDeque<RequestKind>,
}

/// What a request asks for, as far as the meaning of its answer depends on it.
enum RequestKind {
    Plain,
    /// Its answer has no content (RFC 9110 §9.3.2).
    Head,
    /// A tunnel (RFC 9110 §9.3.6).
    Connect,
    /// WebSocket, with what the answer is checked against if it is a valid request.
    Upgrade(Option<Expectation>),
}

/// What follows a head in its direction.
pub(super) enum Follows {
    /// The next head.
    Head,
    /// Content, and then the next head.
    Body(RefusalReader),
    /// What the answer decides.
    Answer,
    /// Everything begins anew, in both directions.
    Tunnel,
    /// Frames, in both directions.
    Frames(Negotiated),
    /// Nothing that could be followed.
    Nothing,
}

/// Enough of these unanswered, and no conversation is followed any more.
const PIPELINED: usize = 64;

impl Requests {
    pub(super) fn request(
        &mut self,
        head: &[u8],
        settings: &Settings,
    ) -> (Follows, Option<HandshakeError>) {
        let seen = Head::plain(head);
        let (request, violation) = match (seen.method(), judge(head, settings)) {
            ("CONNECT", _) => (RequestKind::Connect, None),
            ("HEAD", _) => (RequestKind::Head, None),
            (_, Ok((_, Asked::Upgrade(offer)))) => {
                let expectation = Expectation {
                    accept: Some(offer.accept),
                    subprotocols: offer.subprotocols,
                    extensions: offer.extensions,
                    application: ApplicationExtensions::default(),
                };
                (RequestKind::Upgrade(Some(expectation)), None)
            }
            (_, Ok((_, Asked::Plain(_)))) => (RequestKind::Plain, None),
            (_, Err(error)) => (RequestKind::Upgrade(None), Some(error)),
        };
        let follows = match &request {
            RequestKind::Connect | RequestKind::Upgrade(_) => Follows::Answer,
            RequestKind::Plain | RequestKind::Head => body_of_a_request(head),
        };
        if self.asked.len() < PIPELINED {
            self.asked.push_back(request);
        }
        (follows, violation)
    }

    /// Line ends inside folded values of `head` become blanks, as for an endpoint.
    pub(super) fn response(
        &mut self,
        head: &mut [u8],
        settings: &Settings,
    ) -> (Follows, Option<HandshakeError>) {
        unfold(head);
        let mut slots = slots();
        let (line, fields) = match parse_response(head, 101..=101, &mut slots) {
            Ok(parsed) => parsed,
            Err(error) => {
                // A 101 with a field that is none is an answer with frames after it all the same.
                let upgraded = Head::plain(head).status() == Some(101);
                let follows = if upgraded {
                    self.asked.pop_front();
                    Follows::Frames(told(head))
                } else {
                    Follows::Nothing
                };
                return (follows, Some(error));
            }
        };
        if line.status < 200 && line.status != 101 {
            return (Follows::Head, None);
        }
        let request = self.asked.pop_front();
        match (request, line.status) {
            (Some(RequestKind::Upgrade(Some(expectation))), 101) => {
                match expectation.judge(head, settings, &settings.limits) {
                    Ok(Answered::Open(negotiated)) => (Follows::Frames(negotiated), None),
                    other => (Follows::Frames(told(head)), other.err()),
                }
            }
            (_, 101) => (Follows::Frames(told(head)), None),
            (Some(RequestKind::Connect), 200..300) => (Follows::Tunnel, None),
            (Some(RequestKind::Head), _) => (Follows::Head, None),
            _ => match RefusalReader::new(line, pairs(fields), &endless(settings)) {
                Ok(reader) if reader.is_done() => (Follows::Head, None),
                Ok(reader) => (Follows::Body(reader), None),
                Err(error) => (Follows::Nothing, Some(error)),
            },
        }
    }

    pub(super) fn memory_held(&self) -> usize {
        let texts = |kind: &RequestKind| match kind {
            RequestKind::Upgrade(Some(expectation)) => expectation.memory_held(),
            _ => 0,
        };
        self.asked.capacity() * size_of::<RequestKind>()
            + self.asked.iter().map(texts).sum::<usize>()
    }
}

/// Content is skipped, however long it is.
fn endless(settings: &Settings) -> Limits {
    let mut limits = settings.limits;
    limits.body = u32::MAX;
    limits
}

/// What the answer says that was agreed on, whatever is wrong with it.
fn told(head: &[u8]) -> Negotiated {
    let text = |value: &[u8]| core::str::from_utf8(value).ok().map(String::from);
    let mut extensions = String::new();
    for value in Headers::of(head).all("Sec-WebSocket-Extensions") {
        if let Some(value) = text(value) {
            extensions.push_str(if extensions.is_empty() { "" } else { ", " });
            extensions.push_str(&value);
        }
    }
    let mut negotiated = Negotiated::new().extensions(extensions);
    let subprotocol = Headers::of(head).all("Sec-WebSocket-Protocol").next();
    negotiated.subprotocol = subprotocol.and_then(text);
    negotiated
}

/// The content of a request is announced (RFC 9112 §6.3 (7)).
fn body_of_a_request(head: &[u8]) -> Follows {
    let announced = ["Content-Length", "Transfer-Encoding"]
        .iter()
        .any(|name| Headers::of(head).all(name).next().is_some());
    if !announced {
        return Follows::Head;
    }
    // Any status whose content is framed by the same fields.
    let line = StatusLine {
        status: 200,
        version: HttpVersion::Http11,
        reason: b"",
    };
    match RefusalReader::new(line, Headers::of(head), &endless(&Settings::SERVER)) {
        Ok(reader) if reader.is_done() => Follows::Head,
        Ok(reader) => Follows::Body(reader),
        Err(_) => Follows::Nothing,
    }
}

/// Reads a head, of which `before` bytes were read, from bytes that are not to be touched; says how
/// many were taken, and gives the head once it is whole. What fails is no longer than a head may
/// be, so that the reader still has all of it.
pub(super) fn read_head(
    reader: &mut HeadReader,
    before: u64,
    bytes: &[u8],
    limits: &Limits,
) -> (usize, Result<Option<Vec<u8>>, HandshakeError>) {
    // One byte more than a head may have shows that it is too long.
    let most = (limits.head as usize).max(1);
    let most = match usize::try_from(before) {
        Ok(0) => most,
        before => (most + 1).saturating_sub(before.unwrap_or(most)).max(1),
    };
    let mut copy = bytes[..bytes.len().min(most)].to_vec();
    let len = copy.len();
    let mut rest = &mut copy[..];
    let read = reader.read(&mut rest, limits);
    let head = read.map(|head| head.map(|head| head.to_vec()));
    let left = rest.len();
    (len - left, head)
}

#[cfg(test)]
mod tests {
    use super::{RequestKind, Requests};

    /// Only a request that an answer is checked against keeps text.
    #[test]
    fn what_requests_hold() {
        let mut requests = Requests::default();
        assert_eq!(requests.memory_held(), 0);
        requests.asked.push_back(RequestKind::Plain);
        requests.asked.push_back(RequestKind::Upgrade(None));
        let held = requests.asked.capacity() * size_of::<RequestKind>();
        assert_eq!(requests.memory_held(), held);
    }
}
