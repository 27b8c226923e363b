//! Answers to a request that open no connection (RFC 6455 §4.2.2): whole, or with a body that comes in
//! pieces (RFC 9112 §6).

use alloc::format;

use crate::error::{AcceptError, SendError};
use crate::handshake::{Framing, Response};

use super::Connection;
use super::opening::Opening;

/// The body of the answer that the application gives in pieces.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Body {
    pub(super) status: u16,
    /// What is left of it; `None` where there is no content, whatever is written.
    pub(super) framing: Option<Framing>,
}

impl Body {
    /// More of it is to come.
    pub(super) const fn is_unfinished(self) -> bool {
        !matches!(self.framing, None | Some(Framing::Length(0)))
    }
}

impl Connection {
    /// Answers the request of [`Event::Request`] or [`Event::Http`] with any other status, fields and
    /// body (RFC 6455 §4.2.2): a refusal or a page. The connection ends with it.
    /// [`begin_response`](Self::begin_response) is for a body that comes in pieces.
    ///
    /// [`Event::Request`]: crate::Event::Request
    /// [`Event::Http`]: crate::Event::Http
    ///
    /// ```
    /// use sansocket::{Connection, Event, OriginPolicy, Response, ServerConfig, Transport};
    /// let mut ws = Connection::server(&ServerConfig::new(OriginPolicy::SameHost).serve_http());
    /// let mut request = *b"GET / HTTP/1.1\r\nHost: example.com\r\n\r\n";
    /// assert!(matches!(ws.receive(&mut &mut request[..]), Some(Event::Http(_))));
    /// ws.respond(Response::new(200).body("Hello"))?;
    /// assert!(ws.output().starts_with(b"HTTP/1.1 200 OK\r\n"));
    /// # Ok::<(), sansocket::error::AcceptError>(())
    /// ```
    ///
    /// # Errors
    /// [`AcceptError::NoRequest`] if no request waits, [`AcceptError::BadStatus`]. Nothing changed then.
    pub fn respond(&mut self, response: Response) -> Result<(), AcceptError> {
        let write = self.decided_on()?.response_writer();
        response.check()?;
        self.make_room_for_answer(response.most())?;
        self.output.head(|out| write(&response, out));
        self.end_opening();
        self.rare().ending.answered = Some(response.status());
        Ok(())
    }

    /// Begins such an answer whose body comes in pieces, with [`write_response`](Self::write_response) and
    /// [`end_response`](Self::end_response): one that is long, or made while it is sent. The body of
    /// `response` itself goes out first.
    ///
    /// `len` is the length of the whole body, for `Content-Length`. Without it the body goes out chunked,
    /// or to a client of HTTP/1.0 up to the end of the stream (RFC 9112 §6.1, §6.3). There is no content
    /// with 204 and 304, nor in the answer to HEAD: what is written then is dropped (RFC 9110 §6.4.1).
    ///
    /// The close timeout runs while something is queued, and begins anew whenever the peer takes some of
    /// it. A client that ends the stream waits for no more. [`close`](Self::close) breaks the body off.
    ///
    /// ```
    /// use sansocket::{Connection, Event, Response, ServerConfig, Transport};
    /// let mut ws = Connection::server(&ServerConfig::upgraded().serve_http());
    /// let mut request = *b"GET / HTTP/1.1\r\nHost: example.com\r\n\r\n";
    /// assert!(matches!(ws.receive(&mut &mut request[..]), Some(Event::Http(_))));
    /// ws.begin_response(Response::new(200), None)?;
    /// ws.consume_output(ws.output_len());
    /// assert_eq!(ws.transport(), Transport::KeepOpen); // more is to come
    /// ws.write_response(b"Hello")?;
    /// ws.end_response()?;
    /// assert_eq!(ws.output(), b"5\r\nHello\r\n0\r\n\r\n");
    /// ws.consume_output(15);
    /// assert_eq!(ws.transport(), Transport::Close);
    /// # Ok::<(), Box<dyn core::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`respond`](Self::respond), and [`AcceptError::BodyTooLong`] if the body of `response` is longer
    /// than `len`. Nothing changed then.
    pub fn begin_response(
        &mut self,
        mut response: Response,
        len: Option<u64>,
    ) -> Result<(), AcceptError> {
        let opening = self.decided_on()?;
        let framing = match len {
            Some(len) => Framing::Length(len),
            None if opening.is_http10() => Framing::ToEnd,
            None => Framing::Chunked,
        };
        let has_content = response.has_content() && !opening.asks_head();
        response.check()?;
        let most = response.most();
        let first = response.take_body();
        if let (len, Framing::Length(max)) = (first.len() as u64, framing)
            && len > max
        {
            return Err(AcceptError::BodyTooLong { len, max });
        }
        self.make_room_for_answer(most + CHUNK)?;
        self.output.head(|out| response.write_framed(framing, out));
        self.end_opening();
        let body = Body {
            status: response.status(),
            framing: Some(framing).filter(|_| has_content),
        };
        self.queue_content(body, &first);
        Ok(())
    }

    /// Queues the next piece of the body that [`begin_response`](Self::begin_response) began. One of a
    /// length that was announced ends by itself when all is there.
    ///
    /// # Errors
    /// [`SendError::NoResponseInProgress`], [`SendError::TooLong`] for more bytes than were announced,
    /// [`SendError::Full`]; [`SendError::Closing`] if the peer has gone, or has taken nothing in time.
    /// Nothing changed then.
    pub fn write_response(&mut self, piece: &[u8]) -> Result<(), SendError> {
        let body = self.body_in_progress()?;
        let len = piece.len() as u64;
        match body.framing {
            Some(Framing::Length(max)) if len > max => {
                return Err(SendError::TooLong { len, max });
            }
            Some(_) if body.is_unfinished() => self.check_room()?,
            _ => return Ok(()),
        }
        self.make_room_for_part(piece.len() + CHUNK, false)?;
        self.queue_content(body, piece);
        Ok(())
    }

    /// The body is whole. The connection ends when it has left, as after [`respond`](Self::respond).
    ///
    /// # Errors
    /// [`SendError::NoResponseInProgress`], [`SendError::Incomplete`] for fewer bytes than were announced;
    /// [`SendError::Closing`] if the peer has gone, or has taken nothing in time. Nothing changed then.
    pub fn end_response(&mut self) -> Result<(), SendError> {
        let body = self.body_in_progress()?;
        let drained = self.output.is_empty();
        match body.framing {
            Some(Framing::Length(missing @ 1..)) => return Err(SendError::Incomplete { missing }),
            Some(Framing::Chunked) => self.output.content(b"0\r\n\r\n"),
            _ => {}
        }
        self.rare().body = None;
        if body.is_unfinished() {
            self.rare().ending.answered = Some(body.status);
            self.content_queued(drained);
        }
        Ok(())
    }

    /// The body will not be whole, and the connection ends when what there is of it has left. False if
    /// there is none in progress.
    pub(super) fn break_response_off(&mut self) -> bool {
        let unfinished = self.body_is_unfinished();
        if unfinished {
            self.rare().body = None;
            self.content_queued(self.output.is_empty());
        }
        unfinished
    }

    /// More of a body is to come, and can leave.
    pub(super) fn body_is_unfinished(&self) -> bool {
        let body = self.rare.as_deref().and_then(|rare| rare.body);
        body.is_some_and(Body::is_unfinished) && !self.life.is_unwritable()
    }

    /// Nothing is queued, and the application has more to give.
    pub(super) fn awaits_content(&self) -> bool {
        self.output.is_empty() && self.body_is_unfinished()
    }

    fn body_in_progress(&self) -> Result<Body, SendError> {
        let body = self.rare.as_deref().and_then(|rare| rare.body);
        let body = body.ok_or(SendError::NoResponseInProgress)?;
        if body.is_unfinished() && self.is_over() {
            return Err(SendError::Closing);
        }
        Ok(body)
    }

    fn queue_content(&mut self, mut body: Body, piece: &[u8]) {
        let drained = self.output.is_empty();
        match &mut body.framing {
            Some(Framing::Length(left)) => {
                *left = left.saturating_sub(piece.len() as u64);
                self.output.content(piece);
            }
            Some(Framing::ToEnd) => self.output.content(piece),
            // RFC 9112 §7.1: one of no bytes would be the last.
            Some(Framing::Chunked) if !piece.is_empty() => {
                let size = format!("{:x}\r\n", piece.len());
                self.output.content(size.as_bytes());
                self.output.content(piece);
                self.output.content(b"\r\n");
            }
            _ => {}
        }
        self.rare().body = Some(body);
        if !body.is_unfinished() {
            self.rare().ending.answered = Some(body.status);
        }
        self.content_queued(drained);
    }

    /// The wait for what was queued begins, if nothing was `drained` before; and that for the end.
    fn content_queued(&mut self, drained: bool) {
        if drained && !self.awaits_content() {
            self.start_close_timer();
        }
    }

    /// The request that waits for an answer.
    fn decided_on(&self) -> Result<&Opening, AcceptError> {
        let gone = self.is_over();
        let opening = self.rare.as_ref().and_then(|rare| rare.opening.as_ref());
        let opening = opening.filter(|opening| !gone && opening.is_deciding());
        opening.ok_or(AcceptError::NoRequest)
    }

    /// The opening handshake ends with an answer over HTTP.
    fn end_opening(&mut self) {
        self.settled(|ws| {
            ws.life.refused();
            ws.end_messages();
            ws.rare().opening = None;
            ws.start_close_timer();
        });
    }
}

/// What frames a chunk, and the last one (RFC 9112 §7.1): there is room for the last one after each.
const CHUNK: usize = 64;
