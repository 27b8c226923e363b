//! The opening handshake (RFC 6455 §4): heads are read and judged, requests are answered.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::mem;

use crate::config::{ClientConfig, Limits, Settings};
use crate::entropy::Randomness;
use crate::error::{AcceptError, Failure, HandshakeError, Timeout};
use crate::extension::Codec;
use crate::handshake::{
    Accept, AcceptedHead, Answered, Asked, ClientRequest, Expectation, HeadReader, Negotiated,
    Refusal, RefusalReader, Request, Response, extensions, judge,
};
use crate::role::Role;

use super::decoding::{agreed_codec, codec};
use super::event::Event;
use super::reading::take_front;
use super::{Connection, InUse};

/// The opening handshake in progress.
pub(super) struct Opening {
    pub(super) head: HeadReader,
    pub(super) stage: Stage,
}

/// How far the opening handshake is.
pub(super) enum Stage {
    /// Server: the head of the request is read.
    Request,
    /// Server: the application answers a request.
    Deciding(Asked),
    /// Client: the head of the response is read.
    Response(Box<Expectation>),
    /// Client: the body of a refusal is read.
    Body(Box<RefusalReader>),
    /// Client: the connection is established, and the head of the response is kept until the application
    /// has seen `Event::Open`.
    Established(Vec<u8>),
    /// The handshake failed with this head, which was whole.
    Failed(Vec<u8>),
    /// It failed before the head was whole: this was read of it.
    Broken(Vec<u8>),
}

/// What reading comes to.
enum Found<'a> {
    /// A request, which the application answers.
    Request(Request<'a>),
    /// A request for no upgrade, which the application answers.
    Plain(Request<'a>),
    /// A response that establishes the connection.
    Open(Negotiated),
    /// A refusal, as complete as it will be.
    Refusal(Box<Refusal>),
}

impl Opening {
    const fn server() -> Self {
        Self {
            head: HeadReader::request(),
            stage: Stage::Request,
        }
    }

    fn client(expectation: Expectation) -> Self {
        Self {
            head: HeadReader::response(),
            stage: Stage::Response(Box::new(expectation)),
        }
    }

    /// Reads on. `None`: more bytes are needed, or no more are read.
    fn read<'a>(
        &mut self,
        input: &mut &'a mut [u8],
        settings: &Settings,
    ) -> Result<Option<Found<'a>>, HandshakeError> {
        let limits = &*settings.limits.of_opening();
        match &mut self.stage {
            Stage::Request => self.read_request(input, settings, limits),
            Stage::Response(expectation) => {
                let Some(head) = self.head.read(input, limits)? else {
                    return Ok(None);
                };
                let mut head = head.into_vec();
                let answered = match expectation.judge(&mut head, settings, limits) {
                    Ok(answered) => answered,
                    Err(error) => return self.failed(head, error),
                };
                match answered {
                    // RFC 9110 §15.2: read and skipped.
                    Answered::Informational => {
                        self.head.next(head.len());
                        Ok(None)
                    }
                    Answered::Open(negotiated) => {
                        self.stage = Stage::Established(head);
                        Ok(Some(Found::Open(negotiated)))
                    }
                    Answered::Refused(mut body) => {
                        let found = body.take_done().map(Found::Refusal);
                        self.stage = Stage::Body(Box::new(body));
                        Ok(found)
                    }
                }
            }
            Stage::Body(body) => {
                let used = body.feed(input);
                take_front(input, used);
                Ok(body.take_done().map(Found::Refusal))
            }
            _ => Ok(None),
        }
    }

    /// Server: reads on in the head of the request, and judges it when it is whole.
    fn read_request<'a>(
        &mut self,
        input: &mut &'a mut [u8],
        settings: &Settings,
        limits: &Limits,
    ) -> Result<Option<Found<'a>>, HandshakeError> {
        let Some(head) = self.head.read(input, limits)? else {
            return Ok(None);
        };
        let (target, asked) = match judge(&head, settings) {
            Ok(judged) => judged,
            Err(error) => return self.failed(head.into_vec(), error),
        };
        if let Asked::Plain(refusal) = asked
            && !settings.serve_http
        {
            return self.failed(head.into_vec(), refusal);
        }
        let request = Request::new(head, target);
        let found = match asked {
            Asked::Upgrade(_) => Found::Request(request),
            Asked::Plain(_) => Found::Plain(request),
        };
        self.stage = Stage::Deciding(asked);
        Ok(Some(found))
    }

    /// Keeps a whole head that fails the handshake.
    fn failed(
        &mut self,
        head: Vec<u8>,
        error: HandshakeError,
    ) -> Result<Option<Found<'static>>, HandshakeError> {
        self.stage = Stage::Failed(head);
        Err(error)
    }

    /// Nothing more is read: of the head there is what was read.
    fn end(&mut self) {
        if !matches!(self.stage, Stage::Failed(_)) {
            self.stage = Stage::Broken(self.head.take_read());
        }
    }

    pub(super) const fn stage(&self) -> &Stage {
        &self.stage
    }

    /// The application answers a request.
    pub(super) const fn is_deciding(&self) -> bool {
        matches!(self.stage, Stage::Deciding(_))
    }

    /// The request is HEAD.
    pub(super) const fn asks_head(&self) -> bool {
        self.head.asks_head()
    }

    /// The request is of HTTP/1.0.
    pub(super) const fn is_http10(&self) -> bool {
        matches!(
            self.stage,
            Stage::Deciding(Asked::Plain(HandshakeError::Http10))
        )
    }

    /// RFC 9110 §9.3.2: the response to HEAD has no body, whoever makes it.
    pub(super) const fn response_writer(&self) -> fn(&Response, &mut Vec<u8>) {
        if self.asks_head() {
            Response::write_head
        } else {
            Response::write
        }
    }

    /// The body that is being read.
    fn body(&mut self) -> Option<&mut RefusalReader> {
        match &mut self.stage {
            Stage::Body(body) => Some(body),
            _ => None,
        }
    }

    pub(super) fn memory_held(&self) -> usize {
        self.head.memory_held()
            + match &self.stage {
                Stage::Deciding(Asked::Upgrade(offer)) => offer.memory_held(),
                Stage::Response(expectation) => {
                    size_of::<Expectation>() + expectation.memory_held()
                }
                Stage::Body(body) => size_of::<RefusalReader>() + body.memory_held(),
                Stage::Established(head) | Stage::Failed(head) | Stage::Broken(head) => {
                    head.capacity()
                }
                Stage::Request | Stage::Deciding(Asked::Plain(_)) => 0,
            }
    }
}

impl Connection {
    /// A client's connection with its request queued.
    pub(super) fn client_from(
        config: &ClientConfig,
        request: &ClientRequest,
        nonce: &[u8; 16],
        entropy: Randomness,
    ) -> Self {
        let mut connection = Self::new(Role::Client, config.0.clone(), entropy);
        let offer = extensions::offer(config.settings());
        // Its lists are kept too, to be held against the answer.
        let most = 4 * request.most(offer.as_deref());
        if let Err(error) = connection.room().take(most) {
            let failed = connection.fail_opening(error.into());
            connection.rare().found = Some(failed);
            return connection;
        }
        let expectation = connection
            .output
            .head(|out| request.write(nonce, offer.as_deref(), out));
        connection.rare().opening = Some(Opening::client(expectation));
        connection
    }

    /// The application answers a request.
    pub(super) fn is_deciding(&self) -> bool {
        self.rare.as_ref().is_some_and(|rare| rare.is_deciding())
    }

    // ── reading

    /// Reads bytes of the opening handshake.
    pub(super) fn opening<'a>(&mut self, input: &mut &'a mut [u8]) -> Option<Event<'a>> {
        let opening = self.rare().opening.take();
        let mut opening = opening.unwrap_or_else(Opening::server);
        let found = opening.read(input, self.settings());
        self.rare().opening = Some(opening);
        match found {
            Ok(None) => None,
            Ok(Some(Found::Request(request))) => Some(Event::Request(request)),
            Ok(Some(Found::Plain(request))) => Some(Event::Http(request)),
            Ok(Some(Found::Open(negotiated))) => {
                self.establish(negotiated);
                None
            }
            Ok(Some(Found::Refusal(refusal))) => Some(self.refused(refusal)),
            Err(error) => Some(self.fail_opening(error.into())),
        }
    }

    /// Holds the bytes after a request that waits for its answer: they are frames if it is accepted.
    pub(super) fn hold_undecided<'a>(&mut self, input: &mut &'a mut [u8]) -> Option<Event<'a>> {
        let input = mem::take(input);
        let max = self.settings().limits.held as usize;
        let rare = self.rare();
        let stage = rare.opening.as_ref().map(Opening::stage);
        // Nothing is read after a request that cannot be accepted.
        if matches!(stage, Some(Stage::Deciding(Asked::Plain(_)))) {
            return None;
        }
        if rare.held.len().saturating_add(input.len()) > max {
            return Some(self.fail_opening(HandshakeError::HeldTooLong.into()));
        }
        let room = self.room();
        match self.rare().held.keep(input, max, room) {
            Ok(()) => None,
            Err(_) => Some(self.fail_opening(HandshakeError::HeldTooLong.into())),
        }
    }

    /// The end of the stream can end the body of a refusal; a loss cuts it.
    pub(super) fn opening_at_end(&mut self) -> Option<Event<'static>> {
        let life = &self.life;
        let lost = life.is_lost();
        let gone = life.is_reported() || (life.is_given_up() && !lost);
        if !life.has_eof() || !life.is_opening() || gone {
            return None;
        }
        let body = self.rare.as_mut()?.opening.as_mut()?.body()?;
        if lost {
            body.stop();
        } else {
            body.end();
        }
        let refusal = body.take_done()?;
        Some(self.refused(refusal))
    }

    /// The handshake deadline has passed. A refusal is handed out with the body that has come.
    pub(super) fn opening_timed_out(&mut self) {
        let opening = self.rare.as_mut().and_then(|rare| rare.opening.as_mut());
        let refusal = opening.and_then(Opening::body).and_then(|body| {
            body.stop();
            body.take_done()
        });
        let event = match refusal {
            Some(refusal) => self.refused(refusal),
            None => self.fail_opening(Timeout::Handshake.into()),
        };
        self.rare().found = Some(event);
    }

    // ── outcomes

    pub(super) fn establish(&mut self, negotiated: Negotiated) {
        let codec = agreed_codec(self.settings(), self.role(), &negotiated);
        self.establish_with(negotiated, codec);
    }

    fn establish_with(&mut self, negotiated: Negotiated, codec: Option<Codec>) {
        self.life.established();
        if negotiated != Negotiated::default() {
            self.output
                .mark_encoded(codec.as_ref().map_or(0, |codec| codec.bit));
            self.in_use = Some(Box::new(InUse { codec, negotiated }));
            self.check_codec();
        }
        self.start_idle_timers();
        if self.life.is_unwritable() {
            self.start_close_timer();
        }
        self.require_extension();
    }

    /// What was agreed on elsewhere may need more memory than there may be.
    fn check_codec(&mut self) {
        let most = self.codec().map_or(0, Codec::memory_most);
        if let Err(error) = self.room().take(0)
            && most > 0
        {
            self.fail_later(error.into());
        }
    }

    fn refused(&mut self, refusal: Box<Refusal>) -> Event<'static> {
        self.rare().opening = None;
        self.life.refused();
        self.give_up();
        self.rare().ending.answered = Some(refusal.status);
        Event::Refused(refusal)
    }

    /// RFC 6455 §7.1.7, before the connection is established: a server answers over HTTP, a client
    /// drops the transport.
    pub(super) fn fail_opening(&mut self, failure: Failure) -> Event<'static> {
        let deciding = self.is_deciding();
        self.life.refused();
        self.end_messages();
        let rare = self.rare();
        rare.ending.failure = Some(failure);
        let opening = rare.opening.get_or_insert_with(Opening::server);
        opening.end();
        let write = opening.response_writer();
        match self.role() {
            Role::Server => {
                let response = match failure {
                    Failure::Handshake(error) => Response::refusal(error),
                    // RFC 6585 §5: it was more than there is memory for.
                    Failure::Protocol(_) => Response::new(431),
                    // RFC 9110 §15.6.4, §15.5.9: the application was slow, or the client.
                    _ if deciding => Response::new(503),
                    _ => Response::new(408),
                };
                self.output.head(|out| write(&response, out));
                self.rare().ending.answered = Some(response.status());
            }
            Role::Client => self.give_up(),
        }
        self.start_close_timer();
        Event::Failed(failure)
    }

    // ── answers

    /// Accepts the upgrade that [`Event::Request`] asks for (RFC 6455 §4.2.2): queues the response.
    /// Messages may be sent at once; [`Event::Open`] comes from the next [`receive`](Self::receive).
    ///
    /// # Errors
    /// [`AcceptError::NoRequest`] if no such request waits,
    /// [`AcceptError::SubprotocolNotOffered`] and [`AcceptError::ExtensionNotOffered`] for what the
    /// client does not offer, [`AcceptError::ExtensionConflict`] for extensions that cannot be used
    /// together. Nothing changed then, and another answer can be given.
    pub fn accept(&mut self, accept: Accept) -> Result<(), AcceptError> {
        let gone = self.is_over();
        let opening = self.rare.as_ref().and_then(|rare| rare.opening.as_ref());
        let stage = opening.filter(|_| !gone).map(Opening::stage);
        let Some(Stage::Deciding(Asked::Upgrade(offer))) = stage else {
            return Err(AcceptError::NoRequest);
        };
        let configured = accept.configured(self.settings());
        let compression = configured.answer(&offer.extensions);
        let negotiated = offer.negotiate(&accept, compression.as_ref())?;
        let codec = codec(&configured, self.role(), &negotiated);
        if self.is_bounded() {
            let (len, most) = (offer.most(&accept, &negotiated), self.most_queued());
            if !self.output.reserve_head(len, most) {
                return Err(self.no_room_for_answer(len));
            }
        }
        self.output
            .head(|out| offer.write(&accept, &negotiated, out));
        self.settled(|ws| {
            ws.rare().opening = None;
            ws.establish_with(negotiated, codec);
        });
        Ok(())
    }

    // ── the head of the response

    /// Client: the head of the response that opened the connection, with its cookies and other fields
    /// (RFC 6455 §4.1). It is kept until the event after [`Event::Open`] is asked for. That of a
    /// 101 which failed the handshake is kept like [`failed_head`](Self::failed_head), as its cookies
    /// count all the same.
    #[must_use]
    pub fn response(&self) -> Option<AcceptedHead<'_>> {
        let head = match self.rare.as_ref()?.opening.as_ref()?.stage() {
            Stage::Established(head) => head,
            Stage::Failed(head) if self.role() == Role::Client => head,
            _ => return None,
        };
        Some(AcceptedHead::new(head)).filter(|head| head.status() == 101)
    }

    /// The bytes of the request or the response with which the opening handshake failed, as far as
    /// they were read and no further than [`Limits::head`](crate::config::Limits::head): for a log,
    /// though they can hold credentials. They are kept as long as the connection.
    ///
    /// ```
    /// # use sansocket::{Connection, Event, OriginPolicy, ServerConfig};
    /// # let mut ws = Connection::server(&ServerConfig::new(OriginPolicy::Any));
    /// let mut read = *b"HELO relay.example\r\n";
    /// let Some(Event::Failed(failure)) = ws.receive(&mut &mut read[..]) else { panic!() };
    /// assert_eq!(failure.to_string(), "line 1 of the head is not HTTP/1.1 (RFC 9112 §2)");
    /// assert_eq!(ws.failed_head(), Some(&b"HELO relay.example\r\n"[..]));
    /// ```
    #[must_use]
    pub fn failed_head(&self) -> Option<&[u8]> {
        match self.rare.as_ref()?.opening.as_ref()?.stage() {
            Stage::Failed(head) | Stage::Broken(head) => Some(head),
            _ => None,
        }
    }

    /// Drops the head of [`response`](Self::response), which is kept where
    /// [`keep_response`](crate::ClientConfig::keep_response) is set.
    pub fn drop_response(&mut self) {
        self.settled(Self::drop_answer);
    }

    /// The application has seen that head, or could have.
    pub(super) fn forget_answer(&mut self) {
        if !self.settings().keep_response {
            self.drop_answer();
        }
    }

    fn drop_answer(&mut self) {
        if let Some(rare) = &mut self.rare
            && let Some(Stage::Established(_)) = rare.opening.as_ref().map(Opening::stage)
        {
            rare.opening = None;
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by a panic")]
mod tests {
    use alloc::boxed::Box;
    use alloc::vec::Vec;
    use core::time::Duration;

    use crate::config::ClientConfig;
    use crate::entropy::Entropy;
    use crate::error::NoEntropy;
    use crate::{ClientRequest, Connection, Event, Negotiated, Transport, Uri};

    struct Zeros;

    impl Entropy for Zeros {
        fn fill(&mut self, out: &mut [u8]) -> Result<(), NoEntropy> {
            out.fill(0);
            Ok(())
        }
    }

    /// Events of a client whose server refuses with this, cut off in some way, and how the body came out.
    fn refused(head: &str, cut: fn(&mut Connection)) -> Option<(Vec<u8>, bool)> {
        let request = ClientRequest::new(Uri::parse("ws://h/").unwrap());
        let mut ws =
            Connection::client_with_entropy(&ClientConfig::new(), request, Box::new(Zeros))
                .unwrap();
        ws.advance_time(Duration::ZERO);
        ws.consume_output(usize::MAX);
        let mut bytes = head.as_bytes().to_vec();
        assert!(ws.receive(&mut &mut bytes[..]).is_none());
        cut(&mut ws);
        let mut found = None;
        let mut closed = 0;
        while let Some(event) = ws.receive(&mut &mut [][..]) {
            assert_eq!(closed, 0, "nothing comes after Closed");
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

    /// RFC 9112 §6.3, §8: only the end of the stream ends a body without a length; one that
    /// was cut off in any other way says so.
    #[test]
    fn a_refusal_that_is_cut_off_says_so() {
        let late = |ws: &mut Connection| {
            for _ in 0..3 {
                ws.advance_time(Duration::from_secs(60)); // nothing comes any more
            }
        };
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
