//! The opening handshake (RFC 6455 §4), by the rules of [`handshake`](crate::handshake).

use core::mem;
use core::mem::MaybeUninit;

use crate::config::Limits;
use crate::error::{AcceptError, Failure, Field, HandshakeError};
use crate::handshake::HttpVersion;
use crate::handshake::accept_key::{AcceptValue, KeyText, accept_value, key_text};
use crate::handshake::answer_rules::{check_101, check_extensions, chosen_subprotocol};
use crate::handshake::field::values;
use crate::handshake::head::{Slot, pairs, parse_request, parse_response, unfold};
use crate::handshake::rules::{Judged, judge_fields, target_span};
use crate::handshake::scanner::{Scan, Scanner};

use super::head::{RequestHead, ResponseHead};
use super::queue::Queue;
use super::reading::{Came, What, take_front};
use super::{Admitted, Ask, AskError, Endpoint, Frames, Incoming, Room, Stage};

/// The opening handshake, until the connection is established.
pub(super) struct Opening<'b> {
    scanner: Scanner,
    way: Way<'b>,
    /// By which a whole head is judged. A pointer, so that a program with one role has no code of the other.
    judge: Judge,
}

/// Judges a whole head, also by whether a subprotocol is required.
type Judge = for<'e> fn(&Way<'_>, &'e mut [u8], bool) -> Result<Judgement<'e>, HandshakeError>;

enum Way<'b> {
    /// A request is waited for.
    Request(Admitted<'b>),
    /// A valid request waits for its answer.
    Deciding(Offered),
    /// The answer is waited for: what it has to prove, and the subprotocols it may choose from.
    Answer(AcceptValue, &'b str),
}

/// What is kept of a request.
#[derive(Clone, Copy)]
struct Offered {
    accept: AcceptValue,
    /// The client waits for 100 (RFC 9110 §10.1.1).
    expect_continue: bool,
}

/// The most fields of a head: each takes room on the stack while it is judged.
const FIELDS: usize = 48;

impl<'b> Opening<'b> {
    pub(super) const fn server(admitted: Admitted<'b>) -> Self {
        Self {
            scanner: Scanner::request(),
            way: Way::Request(admitted),
            judge: judge_request,
        }
    }

    /// Writes the request (RFC 6455 §4.1).
    pub(super) fn client(
        ask: &Ask<'b>,
        nonce: [u8; 16],
        queue: &mut Queue<'_>,
    ) -> Result<Self, AskError> {
        let key = key_text(&nonce);
        if !write_request(ask, &key, queue) {
            let room = queue.capacity();
            return Err(AskError::TooLong { room });
        }
        Ok(Self {
            scanner: Scanner::response(),
            way: Way::Answer(accept_value(&key), ask.subprotocols),
            judge: judge_answer,
        })
    }
}

fn write_request(ask: &Ask<'_>, key: &KeyText, queue: &mut Queue<'_>) -> bool {
    // In the order of the example in RFC 6455 §1.3.
    let optional = [
        (Field::Origin, ask.origin),
        (Field::Protocol, ask.subprotocols),
        (Field::Version, "13"),
    ];
    let start: [&[u8]; 7] = [
        b"GET ",
        ask.resource_name.as_bytes(),
        b" HTTP/1.1\r\nHost: ",
        ask.host.as_bytes(),
        b"\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: ",
        key,
        b"\r\n",
    ];
    let mut fits = queue.text(&start);
    for (field, value) in optional {
        fits = fits && (value.is_empty() || write_field(queue, field.name(), value.as_bytes()));
    }
    for (name, value) in ask.fields {
        fits = fits && write_field(queue, name, value);
    }
    fits && queue.text(&[b"\r\n"])
}

fn write_field(queue: &mut Queue<'_>, name: &str, value: &[u8]) -> bool {
    queue.text(&[name.as_bytes(), b": ", value, b"\r\n"])
}

/// The status as it is written.
fn digits(status: u16) -> [u8; 3] {
    [status / 100 % 10, status / 10 % 10, status % 10].map(|digit| b'0' + digit as u8)
}

impl Endpoint<'_> {
    /// Server: accepts the request, with one of the subprotocols that it offers or with none (RFC 6455 §4.2.2).
    ///
    /// # Errors
    /// [`AcceptError::NoRequest`] if none waits, [`AcceptError::SubprotocolNotOffered`],
    /// [`AcceptError::Memory`] if there is no room for the answer.
    pub fn accept(
        &mut self,
        request: &RequestHead<'_>,
        subprotocol: Option<&str>,
    ) -> Result<(), AcceptError> {
        let Some(offered) = self.request_waits() else {
            return Err(AcceptError::NoRequest);
        };
        let chosen = subprotocol.unwrap_or_default();
        if subprotocol.is_some() && !request.subprotocols().any(|offered| offered == chosen) {
            return Err(AcceptError::SubprotocolNotOffered);
        }
        // RFC 9110 §10.1.1: 100 goes before 101.
        let interim: &[u8] = if offered.expect_continue {
            b"HTTP/1.1 100 Continue\r\n\r\n"
        } else {
            b""
        };
        let named: &[u8] = if subprotocol.is_some() {
            b"\r\nSec-WebSocket-Protocol: "
        } else {
            b""
        };
        self.write_answer(&[
            interim,
            SWITCHING,
            &offered.accept,
            named,
            chosen.as_bytes(),
        ])?;
        self.established();
        Ok(())
    }

    /// Server: refuses the request with a status from 400 to 599. The connection ends after it.
    ///
    /// # Errors
    /// [`AcceptError::NoRequest`] if none waits, [`AcceptError::BadStatus`],
    /// [`AcceptError::Memory`] if there is no room for the answer.
    pub fn refuse(&mut self, status: u16) -> Result<(), AcceptError> {
        if self.request_waits().is_none() {
            return Err(AcceptError::NoRequest);
        }
        if !(400..600).contains(&status) {
            return Err(AcceptError::BadStatus { status });
        }
        self.answer(status)
    }

    /// The request that waits for an answer.
    fn request_waits(&self) -> Option<Offered> {
        match self.stage {
            Stage::Opening(Opening {
                way: Way::Deciding(offered),
                ..
            }) if self.life.is_opening() && !self.is_over() => Some(offered),
            _ => None,
        }
    }

    /// Answers over HTTP.
    pub(super) fn answer(&mut self, status: u16) -> Result<(), AcceptError> {
        let own: &[u8] = match status {
            // RFC 9110 §15.5.22.
            426 => b"\r\nUpgrade: websocket\r\nConnection: Upgrade, close",
            // RFC 9110 §15.5.6.
            405 => b"\r\nAllow: GET\r\nConnection: close",
            _ => b"\r\nConnection: close",
        };
        self.write_answer(&[
            b"HTTP/1.1 ",
            &digits(status),
            // The reason may be left out, and the blank before it may not (RFC 9112 §4).
            b" ",
            own,
            // RFC 6455 §4.4.
            b"\r\nSec-WebSocket-Version: 13\r\nContent-Length: 0",
        ])?;
        self.report.answered = Some(status);
        self.life.refused();
        self.start_close_timer();
        Ok(())
    }

    /// Appends a head, of which all but the last line ends is given.
    fn write_answer(&mut self, head: &[&[u8]]) -> Result<(), AcceptError> {
        let (queued, room) = (self.queue.len(), self.queue.capacity());
        let len: usize = head.iter().map(|piece| piece.len()).sum();
        if queued + len + END.len() > room {
            return Err(AcceptError::Memory {
                needed: (queued + len + END.len()) as u64,
                limit: room as u64,
            });
        }
        // There is room for both.
        self.queue.text(head);
        self.queue.text(&[END]);
        Ok(())
    }

    fn established(&mut self) {
        self.life.established();
        self.life.take_open();
        self.stage = Stage::Frames(Frames::default());
        self.start_idle_timers();
        // An end that nothing can be written to any more closes in time.
        if self.life.is_unwritable() {
            self.start_close_timer();
        }
    }

    /// A request that was neither accepted nor refused: nobody serves it.
    pub(super) fn answer_undecided(&mut self) {
        if self.request_waits().is_some() && self.answer(404).is_err() {
            self.give_up();
        }
    }

    /// The head is whole.
    pub(super) fn head_came<'e>(&mut self, head: &'e mut [u8]) -> Incoming<'e> {
        let Stage::Opening(opening) = &mut self.stage else {
            return Incoming::Binary(head);
        };
        opening.scanner.lower_minor(head);
        match (opening.judge)(&opening.way, head, self.options.require_subprotocol) {
            Ok(Judgement::Request(offered, head)) => {
                opening.way = Way::Deciding(offered);
                Incoming::Request(head)
            }
            Ok(Judgement::Accepted(head)) => {
                self.established();
                Incoming::Accepted(head)
            }
            Ok(Judgement::Refused(status)) => {
                self.report.answered = Some(status);
                self.life.refused();
                Incoming::Refused(status)
            }
            Err(error) => self.opening_failed(error),
        }
    }

    /// RFC 6455 §4.2.2: a server answers with a status; §4.1: a client drops the transport.
    pub(super) fn opening_failed<'e>(&mut self, error: HandshakeError) -> Incoming<'e> {
        let failure = error.into();
        self.report.failure = Some(failure);
        let is_server = matches!(&self.stage, Stage::Opening(opening) if opening.is_server());
        if !is_server || self.answer(error.status()).is_err() {
            self.give_up();
        }
        Incoming::Failed(failure)
    }
}

impl Opening<'_> {
    pub(super) const fn is_server(&self) -> bool {
        !matches!(self.way, Way::Answer(..))
    }

    /// Reads on in the head: lent from the input if it came in one piece. Interim responses are passed over
    /// (RFC 9110 §15.2).
    pub(super) fn read<'i>(
        &mut self,
        input: &mut &'i mut [u8],
        room: &mut Room<'_>,
    ) -> Result<Option<Came<'i>>, Failure> {
        loop {
            let came = self.gather(input, room)?;
            let len = match &came {
                Some(Came::Lent(_, head)) if is_interim(head) => head.len(),
                Some(Came::Gathered(What::Head(len))) if is_interim(room.gathered()) => {
                    room.take(*len).len()
                }
                _ => return Ok(came),
            };
            self.scanner.next_head(len);
        }
    }

    fn gather<'i>(
        &mut self,
        input: &mut &'i mut [u8],
        room: &mut Room<'_>,
    ) -> Result<Option<Came<'i>>, HandshakeError> {
        if input.is_empty() {
            return Ok(None);
        }
        let max = room.head();
        let limits = Limits {
            head: u32::try_from(max).unwrap_or(u32::MAX),
            fields: FIELDS as u16,
            ..Limits::server()
        };
        let before = room.used();
        let scan = if before == 0 {
            self.scanner.scan(input, &limits)
        } else {
            // One byte over the limit is enough to see that it is passed.
            room.gather(input, max + 1);
            self.scanner.scan(room.gathered(), &limits)
        };
        match scan {
            Scan::Head(len) => {
                let head = take_front(input, len - before);
                Ok(Some(if before == 0 {
                    Came::Lent(What::Head(len), head)
                } else {
                    Came::Gathered(What::Head(len))
                }))
            }
            Scan::More => {
                let rest = mem::take(input);
                if before == 0 {
                    room.gather(rest, max);
                }
                Ok(None)
            }
            Scan::Bad(error) => Err(error),
        }
    }
}

/// What a whole head is.
enum Judgement<'e> {
    Request(Offered, RequestHead<'e>),
    Accepted(ResponseHead<'e>),
    /// The server refuses with this status.
    Refused(u16),
}

/// A response with a status of 1xx but 101 (RFC 9110 §15.2). In HTTP/1.0 there are none (§2.5).
fn is_interim(head: &[u8]) -> bool {
    let status = head
        .strip_prefix(b"HTTP/1.")
        .and_then(|rest| rest.get(2..5));
    status.is_some_and(|status| status[0] == b'1' && status != b"101") && head[7] != b'0'
}

fn slots<'h>() -> [Slot<'h>; FIELDS] {
    [const { MaybeUninit::uninit() }; FIELDS]
}

/// As the server reads it (RFC 6455 §4.2.1).
fn judge_request<'e>(
    way: &Way<'_>,
    head: &'e mut [u8],
    _: bool,
) -> Result<Judgement<'e>, HandshakeError> {
    let Way::Request(admitted) = way else {
        return Err(HandshakeError::Malformed { line: 1 });
    };
    let head: &[u8] = head;
    let mut slots = slots();
    let (line, fields) = parse_request(head, &mut slots)?;
    let target = target_span(head, &line)?;
    match judge_fields(line, pairs(fields), admitted)? {
        Judged::Upgrade(accept, gathered) => {
            let offered = Offered {
                accept,
                expect_continue: gathered.expect_continue,
            };
            Ok(Judgement::Request(offered, RequestHead::new(head, target)))
        }
        Judged::Plain(refusal) => Err(refusal),
    }
}

/// As the client reads it (RFC 6455 §4.1).
fn judge_answer<'e>(
    way: &Way<'_>,
    head: &'e mut [u8],
    require_subprotocol: bool,
) -> Result<Judgement<'e>, HandshakeError> {
    let &Way::Answer(accept, offered) = way else {
        return Err(HandshakeError::Malformed { line: 1 });
    };
    unfold(head);
    let head: &[u8] = head;
    let mut slots = slots();
    let (line, fields) = parse_response(head, 101..=101, &mut slots)?;
    let fields = pairs(fields);
    match line.status {
        // RFC 9110 §2.5: HTTP/1.0 has neither 101 nor other interim responses.
        100..200 if line.version == HttpVersion::Http10 => Err(HandshakeError::HttpVersion),
        101 => {
            check_101(fields.clone(), Some(&accept))?;
            let chosen = chosen_subprotocol(fields.clone(), offered, require_subprotocol)?;
            // None was offered.
            check_extensions(values(fields, Field::Extensions), "")?;
            Ok(Judgement::Accepted(ResponseHead::new(head, chosen)))
        }
        200.. => Ok(Judgement::Refused(line.status)),
        _ => Err(HandshakeError::Malformed { line: 1 }),
    }
}

const SWITCHING: &[u8] =
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Accept: ";

const END: &[u8] = b"\r\n\r\n";
