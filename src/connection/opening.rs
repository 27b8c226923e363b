//! The opening handshake (RFC 6455 §4): heads gathered and judged, requests decided on.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::mem;

use super::assembly::take_front;
use super::{Connection, InUse};
use crate::config::ClientConfig;
use crate::entropy::Source;
use crate::error::{Failure, HandshakeError, Misuse, Timeout};
use crate::event::Event;
use crate::handshake::agreement;
use crate::handshake::{
    Accept, Answered, ClientRequest, Expectation, Judged, Negotiated, Offer, RefusalReader,
    Request, Response, ResponseHead, Rules, Scan, Scanner, judge, refusal,
};
use crate::payload::{Payload, extend_within};
use crate::role::Role;

/// The opening handshake in progress.
pub(super) struct Opening {
    scanner: Scanner,
    /// The head as far as it has come, where it came in several reads. A client's stays until the
    /// application has seen `Event::Open`.
    head: Vec<u8>,
    stage: Stage,
}

enum Stage {
    /// Server: waits for the request.
    Request,
    /// Server: the application decides on an upgrade.
    Upgrade(Offer),
    /// Server: the application answers a plain request, to which HEAD or not.
    Http { to_head: bool },
    /// Client: waits for the answer.
    Answer(Box<Expectation>),
    /// Client: reads the body of a refusal.
    Body(Box<RefusalReader>),
    /// Client: established.
    Answered,
}

impl Opening {
    const fn server() -> Self {
        Self {
            scanner: Scanner::request(),
            head: Vec::new(),
            stage: Stage::Request,
        }
    }

    fn client(expectation: Expectation) -> Self {
        Self {
            scanner: Scanner::response(),
            head: Vec::new(),
            stage: Stage::Answer(Box::new(expectation)),
        }
    }

    /// The application decides on a request.
    pub(super) const fn is_deciding(&self) -> bool {
        matches!(self.stage, Stage::Upgrade(_) | Stage::Http { .. })
    }

    pub(super) fn memory_held(&self) -> usize {
        self.head.capacity()
            + match &self.stage {
                Stage::Upgrade(offer) => offer.memory_held(),
                Stage::Answer(_) => size_of::<Expectation>(),
                Stage::Body(body) => size_of::<RefusalReader>() + body.memory_held(),
                Stage::Request | Stage::Http { .. } | Stage::Answered => 0,
            }
    }
}

impl Connection {
    pub(super) fn is_deciding(&self) -> bool {
        self.rare.as_ref().is_some_and(|rare| rare.is_deciding())
    }

    pub(super) fn client_from(
        config: &ClientConfig,
        request: ClientRequest,
        entropy: Source,
        nonce: [u8; 16],
    ) -> Self {
        let mut connection = Self::new(Role::Client, config.0.clone(), entropy);
        let offer = agreement::offer(config.settings());
        let expectation = connection
            .output
            .head(|out| request.write(&nonce, offer.as_deref(), out));
        connection.rare().opening = Some(Opening::client(expectation));
        connection
    }

    // ── heads

    /// Bytes of the opening handshake.
    pub(super) fn opening<'a>(&mut self, input: &mut &'a mut [u8]) -> Option<Event<'a>> {
        let limits = self.settings().limits;
        let opening = self.rare().opening.get_or_insert_with(Opening::server);
        if let Stage::Body(body) = &mut opening.stage {
            let used = body.feed(input);
            let done = body.is_done();
            take_front(input, used);
            return if done { self.refused() } else { None };
        }
        let gathered = opening.head.len();
        let scan = if gathered == 0 {
            opening.scanner.scan(input, &limits)
        } else {
            // One byte over the limit is enough to see that it is passed.
            let room = (limits.head as usize)
                .saturating_sub(gathered)
                .saturating_add(1);
            let more = &input[..room.min(input.len())];
            let limit = (limits.head as usize).saturating_add(1);
            extend_within(&mut opening.head, more, limit);
            opening.scanner.scan(&opening.head, &limits)
        };
        match scan {
            Scan::More => {
                let rest = mem::take(input);
                if gathered == 0 {
                    opening.head.extend_from_slice(rest);
                }
                None
            }
            Scan::Bad(error) => {
                *input = &mut [];
                Some(self.fail_opening(error.into()))
            }
            Scan::Head(len) => {
                let last = take_front(input, len - gathered);
                let head = if gathered == 0 {
                    Payload::from(last)
                } else {
                    let mut head = mem::take(&mut opening.head);
                    head.truncate(len);
                    Payload::from(head)
                };
                match self.role() {
                    Role::Server => Some(self.judge_request(head)),
                    Role::Client => self.judge_answer(head),
                }
            }
        }
    }

    fn judge_request<'a>(&mut self, head: Payload<'a>) -> Event<'a> {
        let settings = self.settings();
        let serve_http = settings.serve_http;
        match judge(
            &head,
            &Rules {
                origin: &settings.origin,
                keep_extensions: true,
            },
        ) {
            Judged::Upgrade { target, offer } => {
                self.decide(Stage::Upgrade(offer));
                Event::Request(Request::new(head, target))
            }
            Judged::Plain { target, .. } if serve_http => {
                let request = Request::new(head, target);
                self.decide(Stage::Http {
                    to_head: request.method() == "HEAD",
                });
                Event::Http(request)
            }
            Judged::Plain { answer: error, .. } | Judged::Refused(error) => {
                self.fail_opening(error.into())
            }
        }
    }

    fn decide(&mut self, stage: Stage) {
        if let Some(opening) = &mut self.rare().opening {
            opening.stage = stage;
        }
    }

    /// Bytes behind a request that the application has not decided on (D-8).
    pub(super) fn hold_undecided<'a>(&mut self, input: &mut &'a mut [u8]) -> Option<Event<'a>> {
        let input = mem::take(input);
        let max = self.settings().limits.held as usize;
        let rare = self.rare();
        // Behind a plain request nothing is read any more.
        if matches!(
            rare.opening,
            Some(Opening {
                stage: Stage::Http { .. },
                ..
            })
        ) {
            return None;
        }
        if rare.held.len().saturating_add(input.len()) > max {
            return Some(self.fail_opening(HandshakeError::HeldTooLong.into()));
        }
        rare.held.keep(input, max);
        None
    }

    fn judge_answer<'a>(&mut self, mut head: Payload<'a>) -> Option<Event<'a>> {
        let mut opening = self.rare().opening.take()?;
        let Stage::Answer(expectation) = &opening.stage else {
            return None;
        };
        let settings = self.settings();
        let answered = expectation.judge(
            head.as_mut_slice()?,
            settings.require_subprotocol,
            &settings.limits,
        );
        match answered {
            // RFC 9110 §15.2: read and skipped.
            Answered::Informational => {
                opening.scanner.next_head(head.len());
                self.rare().opening = Some(opening);
                None
            }
            Answered::Open(answer) => {
                let extensions = answer.extensions.as_deref().unwrap_or_default();
                let bits = match agreement::check(settings, &expectation.own, extensions) {
                    Ok(bits) => bits,
                    Err(error) => return Some(self.fail_opening(error.into())),
                };
                opening.head = head.into_vec();
                opening.stage = Stage::Answered;
                self.rare().opening = Some(opening);
                self.establish(Negotiated::from(answer).reserved_bits(bits));
                None
            }
            Answered::Refused(body) => {
                let done = body.is_done();
                opening.stage = Stage::Body(Box::new(body));
                self.rare().opening = Some(opening);
                if done { self.refused() } else { None }
            }
            Answered::Bad(error) => Some(self.fail_opening(error.into())),
        }
    }

    /// The refusal is there as far as it will come.
    fn refused(&mut self) -> Option<Event<'static>> {
        let opening = self.rare().opening.take()?;
        let Stage::Body(body) = opening.stage else {
            return None;
        };
        self.life.refused();
        self.give_up();
        Some(Event::Refused(Box::new(body.into_refusal())))
    }

    /// The end of the stream may be the end of a refusal's body; a loss cuts it.
    pub(super) fn opening_at_end(&mut self) -> Option<Event<'static>> {
        let life = &self.life;
        let lost = life.is_lost();
        let gone = life.is_reported() || (life.is_given_up() && !lost);
        if !life.has_eof() || !life.is_opening() || gone {
            return None;
        }
        match &mut self.rare.as_mut()?.opening {
            Some(Opening {
                stage: Stage::Body(body),
                ..
            }) => {
                if lost {
                    body.stop();
                } else {
                    body.end();
                }
                self.refused()
            }
            _ => None,
        }
    }

    pub(super) fn establish(&mut self, negotiated: Negotiated) {
        self.life.established();
        if negotiated != Negotiated::default() {
            self.in_use = Some(Box::new(InUse {
                #[cfg(feature = "deflate")]
                codec: self.codec_for(&negotiated),
                negotiated,
            }));
        }
        self.start_idle_timers();
        self.require_compression();
    }

    // ── failures

    /// RFC 6455 §7.1.7, before the connection is established: a server answers over HTTP, a client
    /// drops the transport.
    fn fail_opening(&mut self, failure: Failure) -> Event<'static> {
        let deciding = self.is_deciding();
        self.life.refused();
        self.end_messages();
        let rare = self.rare();
        rare.opening = None;
        rare.ending.failure = Some(failure);
        match (self.role(), failure) {
            (Role::Server, Failure::Handshake(error)) => {
                self.output.head(|out| refusal(error, out))
            }
            // RFC 9110 §15.5.9, §15.6.4: the client was slow, or our application.
            (Role::Server, _) => {
                let late = Response::new(if deciding { 503 } else { 408 });
                let written = self.output.head(|out| late.write(false, out));
                debug_assert!(written.is_ok());
            }
            (Role::Client, _) => self.give_up(),
        }
        self.start_close_timer();
        Event::Failed(failure)
    }

    /// The handshake deadline has passed. A refusal's body that is late is cut there.
    pub(super) fn opening_timed_out(&mut self) {
        let opening = self.rare.as_mut().and_then(|rare| rare.opening.as_mut());
        let event = match opening {
            Some(Opening {
                stage: Stage::Body(body),
                ..
            }) => {
                body.stop();
                self.refused()
            }
            _ => Some(self.fail_opening(Timeout::Handshake.into())),
        };
        self.rare().found = event;
    }

    // ── decisions

    /// Accepts the upgrade that [`Event::Request`] brought (RFC 6455 §4.2.2): queues the answer.
    /// Messages may be sent at once; [`Event::Open`] comes from the next [`receive`](Self::receive).
    ///
    /// # Errors
    /// [`Misuse::NotOpen`] if there is no such request, [`Misuse::NotOffered`] for a subprotocol or
    /// an extension that the client did not offer, [`Misuse::BadExtension`] for extensions that cannot
    /// be used together. Nothing changed then, and another answer can be given.
    pub fn accept(&mut self, accept: Accept) -> Result<(), Misuse> {
        let gone = self.is_over();
        let opening = self.rare.as_ref().and_then(|rare| rare.opening.as_ref());
        let Some(Opening {
            stage: Stage::Upgrade(offer),
            ..
        }) = opening.filter(|_| !gone)
        else {
            return Err(Misuse::NotOpen);
        };
        let agreed = agreement::choose(self.settings(), &offer.extensions);
        let negotiated = offer.negotiate(&accept, agreed.as_deref())?;
        self.output
            .head(|out| offer.answer(&accept, &negotiated, out));
        self.settled(|ws| {
            ws.rare().opening = None;
            ws.establish(negotiated);
        });
        Ok(())
    }

    /// Answers the request that [`Event::Request`] or [`Event::Http`] brought with any other
    /// status, fields and body (RFC 6455 §4.2.2). The connection ends with it.
    ///
    /// # Errors
    /// [`Misuse::NotOpen`] if there is no request, [`Misuse::BadStatus`]. Nothing changed then.
    pub fn reject(&mut self, response: Response) -> Result<(), Misuse> {
        let opening = self.rare.as_ref().and_then(|rare| rare.opening.as_ref());
        let to_head = match opening {
            Some(Opening {
                stage: Stage::Upgrade(_),
                ..
            }) => false,
            Some(Opening {
                stage: Stage::Http { to_head },
                ..
            }) => *to_head,
            _ => return Err(Misuse::NotOpen),
        };
        if self.is_over() {
            return Err(Misuse::NotOpen);
        }
        self.output.head(|out| response.write(to_head, out))?;
        self.settled(|ws| {
            ws.life.refused();
            ws.end_messages();
            ws.rare().opening = None;
            ws.start_close_timer();
        });
        Ok(())
    }

    /// The answer's head has been seen, or could have been.
    pub(super) fn forget_answer(&mut self) {
        if let Some(rare) = &mut self.rare
            && matches!(
                rare.opening,
                Some(Opening {
                    stage: Stage::Answered,
                    ..
                })
            )
        {
            rare.opening = None;
        }
    }

    /// Client: the head of the answer that opened the connection, with its cookies and other
    /// fields (RFC 6455 §4.1). It is kept until the event behind [`Event::Open`] is asked for.
    #[must_use]
    pub fn response(&self) -> Option<ResponseHead<'_>> {
        let opening = self.rare.as_ref()?.opening.as_ref()?;
        matches!(opening.stage, Stage::Answered).then(|| ResponseHead::new(&opening.head))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)]
mod tests {
    use crate::config::ClientConfig;
    use crate::{ClientRequest, Connection, Entropy, Event, Negotiated, Transport, Uri};
    use alloc::boxed::Box;
    use alloc::vec::Vec;
    use core::time::Duration;

    struct Zeros;

    impl Entropy for Zeros {
        fn fill(&mut self, out: &mut [u8]) {
            out.fill(0);
        }
    }

    /// Events of a client whose server refuses with this, cut off in some way, and how the body came out.
    fn refused(head: &str, cut: fn(&mut Connection)) -> Option<(Vec<u8>, bool)> {
        let request = ClientRequest::new(Uri::parse("ws://h/").unwrap());
        let mut ws =
            Connection::client_with_entropy(&ClientConfig::new(), request, Box::new(Zeros));
        ws.advance_time(Duration::ZERO);
        ws.consume_output(usize::MAX);
        let mut bytes = head.as_bytes().to_vec();
        assert!(ws.receive(&mut &mut bytes[..]).is_none());
        cut(&mut ws);
        let mut found = None;
        let mut closed = 0;
        while let Some(event) = ws.receive(&mut &mut [][..]) {
            assert_eq!(closed, 0, "nothing comes behind Closed");
            match event {
                Event::Refused(refusal) => found = Some((refusal.body, refusal.truncated)),
                Event::Closed(report) => {
                    assert_eq!((report.clean, report.code), (false, 1006));
                    closed += 1;
                }
                event => panic!("{event:?}"),
            }
        }
        assert_eq!((closed, ws.transport()), (1, Transport::Close));
        // Whatever comes late changes nothing.
        ws.receive_eof();
        ws.transport_lost();
        assert!(ws.receive(&mut &mut b"late".to_vec()[..]).is_none());
        found
    }

    /// HR-1, RFC 9112 §6.3, §8: only the end of the stream ends a body without a length; one that
    /// was cut off in any other way says so.
    #[test]
    fn a_refusal_that_is_cut_off_says_so() {
        let late = |ws: &mut Connection| ws.advance_time(Duration::from_secs(60));
        let without_length = "HTTP/1.1 503 x\r\n\r\nbody";
        let with_length = "HTTP/1.1 503 x\r\nContent-Length: 5\r\n\r\nbody";
        let chunked = "HTTP/1.1 503 x\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nbody";
        for (head, cut, truncated) in [
            (without_length, Connection::receive_eof as fn(&mut _), false),
            (without_length, Connection::transport_lost, true),
            (without_length, late, true),
            (with_length, Connection::receive_eof, true),
            (with_length, Connection::transport_lost, true),
            (with_length, late, true),
            (chunked, Connection::receive_eof, true),
            (chunked, Connection::transport_lost, true),
        ] {
            let found = refused(head, cut);
            assert_eq!(found, Some((b"body".to_vec(), truncated)), "{head:?}");
        }
    }

    /// A head that is cut off is no refusal, and who closes does not wait for one.
    #[test]
    fn half_a_refusal_is_none() {
        assert_eq!(refused("HTTP/1.1 503", Connection::transport_lost), None);
        let close = |ws: &mut Connection| ws.close(None, "").unwrap();
        assert_eq!(refused("HTTP/1.1 503 x\r\n\r\nbody", close), None);
        let close_at_the_end = |ws: &mut Connection| {
            ws.close(None, "").unwrap();
            ws.receive_eof();
        };
        let found = refused("HTTP/1.1 503 x\r\n\r\nbody", close_at_the_end);
        assert_eq!(found, None);
    }

    /// After the opening handshake a loss is a loss.
    #[test]
    fn a_loss_once_open_is_no_refusal() {
        let mut ws = Connection::upgraded_client(&ClientConfig::new(), Negotiated::default());
        ws.transport_lost();
        let event = |ws: &mut Connection| ws.receive(&mut &mut [][..]).map(Event::into_owned);
        assert!(matches!(event(&mut ws), Some(Event::Open)));
        assert!(matches!(event(&mut ws), Some(Event::Closed(_))));
        assert!(event(&mut ws).is_none());
    }
}
