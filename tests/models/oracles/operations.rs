//! Whatever the caller does in whatever order: the output is legal, the events come in order, a
//! refused operation changes nothing, the counts are right, and memory stays within the limits.

use super::cut::Setup;
use super::driven::{self, Driven};
use super::judge::Judge;
use super::model::Seen;
use super::{Taker, heads, wire};
use core::time::Duration;
use sansocket::config::{Delivery, Limits};
use sansocket::error::{Failure, SendError};
use sansocket::event::{Payload, Text};
#[cfg(feature = "deflate")]
use sansocket::extension::PermessageDeflate;
use sansocket::{
    Accept, CloseCode, Connection, Event, Kind, Message, Outgoing, Part, Prepared, Response, Role,
    State, Transport,
};

struct Bench {
    setup: Setup,
    ws: Driven,
    judge: Judge,
    /// Bytes that the peer has sent and nobody has read.
    wire: Vec<u8>,
    now: Duration,
    /// Payload that was taken for sending.
    handed: u64,
    /// The longest that may lie in the queue beside its mark.
    largest: usize,
    /// Held and lent by the caller, which no limit bounds.
    own: usize,
    state: State,
    failed: bool,
    close_received: bool,
    fail_may_have_come: bool,
    /// Our answer to the peer's Close frame is queued, or was: by `check`, which then looks at the queue.
    answered: bool,
    queued_at_close: usize,
    closed: bool,
    /// The highest ceiling on memory so far, and whether there was any.
    ceiling: u64,
    bounded: bool,
    /// Room was lent for a message, and bytes were counted that nobody had put there.
    lent: bool,
    made_up: bool,
    /// The application accepted without compression.
    uncompressed: bool,
    dropped_response: bool,
    eof: bool,
    lost: bool,
    unwritable: bool,
    /// A frame in pieces was begun at some time.
    in_pieces: bool,
    /// How much of the output was looked at.
    judged: usize,
    /// A message in parts was begun and not finished.
    in_parts: bool,
    trace: Vec<Seen>,
    #[cfg(feature = "bytes")]
    buffer: bytes::BytesMut,
}

/// Everything of a connection that can be seen from outside.
#[derive(Debug, PartialEq)]
struct Snapshot {
    debug: String,
    output: Vec<u8>,
    output_len: usize,
    buffered: u64,
    memory: usize,
    state: (State, Transport),
    can_send: Result<(), SendError>,
    deadline: Option<Duration>,
}

impl Bench {
    fn output(&self) -> Vec<u8> {
        let mut slices = vec![&[][..]; 64];
        let mut n = self.ws.output_slices(&mut slices);
        // Full: there may be more of them.
        while n == slices.len() {
            slices.resize(2 * n, &[]);
            n = self.ws.output_slices(&mut slices);
        }
        assert!(slices[..n].iter().all(|slice| !slice.is_empty()));
        let output = slices[..n].concat();
        assert_eq!(
            self.ws.output(),
            slices[..n].first().copied().unwrap_or_default()
        );
        output
    }

    fn snapshot(&self) -> Snapshot {
        let ws: &Connection = &self.ws;
        Snapshot {
            debug: format!("{ws:?}"),
            output: self.output(),
            output_len: ws.output_len(),
            buffered: ws.buffered_amount(),
            memory: ws.memory_held(),
            state: (ws.state(), ws.transport()),
            can_send: ws.can_send(),
            deadline: ws.next_deadline(),
        }
    }

    fn check(&mut self) {
        let output = self.output();
        assert!(output.len() <= self.ws.output_len());
        assert!(self.in_pieces || output.len() == self.ws.output_len());
        // What lies there is looked at again when there is more of it.
        if output.len() > self.judged {
            self.judge.clone().feed(&output);
        }
        self.judged = output.len();
        let buffered = self.ws.buffered_amount();
        if self.setup.deflate.is_none() {
            assert_eq!(buffered, self.handed - self.judge.data, "buffered_amount");
        } else {
            // As it was handed in, which cannot be seen in what is compressed.
            assert!(buffered <= self.handed, "buffered_amount");
            // What was dropped stays counted, and a compressor may keep a part that is not the last.
            let kept = self.in_parts || self.unwritable || self.ws.transport() == Transport::Close;
            assert!(buffered == 0 || kept || self.ws.output_len() > 0);
        }
        // Nothing is added after the answer to the peer's Close, pongs included.
        if self.answered && !self.in_pieces {
            assert!(output.len() <= self.queued_at_close);
        }
        self.queued_at_close = output.len();
        self.answered =
            self.close_received && (!self.setup.manual_close || self.ws.close_sent().is_some());
        let state = self.ws.state();
        assert!(
            state >= self.state,
            "from {:?} back to {state:?}",
            self.state
        );
        self.state = state;
        assert!(!self.closed || state == State::Closed);
        if self.ws.can_send().is_ok() {
            assert_eq!(state, State::Open);
            assert!(!self.unwritable);
        }
        assert!(!self.unwritable || self.ws.output_len() == 0);
        // What was agreed on is what was offered or asked for.
        let named = ["", "chat", "superchat"];
        assert!(named.contains(&self.ws.subprotocol().unwrap_or_default()));
        let compressed = self.ws.extensions().contains("permessage-deflate");
        assert!(!compressed || self.setup.deflate.is_some() && !self.uncompressed);
        if let Some(response) = self.ws.response() {
            assert_eq!((self.setup.role, response.status()), (Role::Client, 101));
        }
        let kept = self.setup.keep_response && self.setup.handshake;
        if kept && self.setup.role == Role::Client && state == State::Open {
            assert!(self.ws.response().is_some() || self.dropped_response);
        }
        if self.ws.failed_head().is_some() {
            assert!(self.setup.handshake && state >= State::Closing);
        }
        // A message in small fragments is a queue of small buffers: the caller's own choice.
        let per_byte = 4 + 128 / (self.setup.fragment.max(1) as usize);
        let own = per_byte * self.largest + 2 * self.own;
        let bound = self.setup.memory_bound().saturating_add(own);
        let held = self.ws.memory_held();
        assert!(held <= bound, "{held} bytes held, {bound} allowed");
        assert!(held as u64 <= self.ceiling, "{held} bytes held");
    }

    /// A refusal changes nothing; what is taken counts. Whether it was taken.
    fn attempt<E: std::fmt::Debug>(
        &mut self,
        payload: usize,
        operation: impl FnOnce(&mut Driven) -> Result<(), E>,
    ) -> bool {
        let before = self.snapshot();
        let result = operation(&mut self.ws);
        match result {
            Ok(()) => {
                self.handed += payload as u64;
                self.largest = self.largest.max(payload + 256);
            }
            Err(_) => assert_eq!(self.snapshot(), before, "{result:?} changed something"),
        }
        result.is_ok()
    }

    fn send<M: Outgoing>(&mut self, payload: usize, message: M, back: impl FnOnce(M::Back)) {
        let may = self.ws.can_send();
        #[cfg(feature = "deflate")]
        let compress = {
            use sansocket::extension::Compress;
            [
                Compress::Auto,
                Compress::Always,
                Compress::Alone,
                Compress::Never,
            ][(self.handed % 4) as usize]
        };
        self.attempt(payload, |ws| {
            #[cfg(feature = "deflate")]
            let result = ws.send_with(message, compress);
            #[cfg(not(feature = "deflate"))]
            let result = ws.send(message);
            let result = result.map_err(|unsent| {
                back(unsent.message);
                unsent.why
            });
            match result {
                // How much a message takes is only known with it.
                Err(SendError::Memory { .. }) => assert_eq!(may, Ok(())),
                _ => assert_eq!(result, may, "can_send"),
            }
            result
        });
    }

    fn event(&mut self, event: &Event<'_>) {
        assert!(!self.closed, "{event:?} after Closed");
        if self.failed {
            assert!(matches!(event, Event::Closed(_)), "{event:?} after Failed");
        }
        if self.close_received {
            assert!(
                matches!(event, Event::Closed(_) | Event::Failed(_)),
                "{event:?} after the peer's Close"
            );
        }
        match event {
            Event::Failed(_) => self.failed = true,
            Event::Close(_) => {
                self.close_received = true;
            }
            Event::Closed(report) => {
                self.closed = true;
                assert_eq!(self.ws.state(), State::Closed);
                let by_application = matches!(report.failure, Some(Failure::Application(_)));
                assert!(!by_application || self.fail_may_have_come);
                assert_eq!(
                    report.failure.is_some() && !by_application,
                    self.failed,
                    "{report:?}"
                );
                assert_eq!(report.sent.as_ref(), self.ws.close_sent());
                assert_eq!(report.received.as_ref(), self.ws.close_received());
                assert_eq!(
                    report.received.is_some(),
                    self.close_received,
                    "{report:?} {:?}",
                    self.trace
                );
                assert!(!report.clean || self.close_received && report.sent.is_some());
            }
            _ => {}
        }
        Seen::of(event).push_to(&mut self.trace);
        self.check();
    }

    fn events(&mut self) {
        while let Some(event) = self.ws.receive(&mut &mut [][..]) {
            self.event(&event);
        }
    }

    /// The next `n` bytes from the wire, one way or another.
    fn deliver(&mut self, n: usize, t: &mut Taker<'_>) {
        let n = n.min(self.wire.len());
        let mut bytes: Vec<u8> = self.wire.drain(..n).collect();
        let way = t.below(7);
        #[cfg(feature = "bytes")]
        if way == 5 || !self.buffer.is_empty() {
            let mut buffer = core::mem::take(&mut self.buffer);
            buffer.extend_from_slice(&bytes);
            while let Some(event) = self.ws.receive_bytes(&mut buffer) {
                self.event(&event);
            }
            assert!(buffer.len() <= self.setup.limits.message as usize + 14);
            self.buffer = buffer;
            return;
        }
        if way == 6 {
            let mut input = &bytes[..];
            while let Some(event) = self.ws.receive_copy(&mut input) {
                self.event(&event);
            }
            assert!(input.is_empty());
            return self.check();
        }
        let mut input = &mut bytes[..];
        match way {
            0 => {
                while self.ws.find_event(&mut input) {
                    let event = self.ws.receive(&mut input).expect("find_event promised it");
                    self.event(&event);
                }
            }
            1 => {
                // `find_event` and then something else.
                self.ws.find_event(&mut input);
                self.own = self.own.max(input.len());
                self.ws.keep_input(&mut input);
            }
            2 => {
                let mut events = t.below(3);
                while events > 0
                    && let Some(event) = self.ws.receive(&mut input)
                {
                    self.event(&event);
                    events -= 1;
                }
                // Held more than once, what lies there adds up.
                self.own += input.len();
                self.ws.keep_input(&mut input);
            }
            3 => {
                if let Some(target) = self.ws.receive_target() {
                    self.lent = true;
                    let n = target.len().min(input.len());
                    let (front, rest) = core::mem::take(&mut input).split_at_mut(n);
                    target[..n].copy_from_slice(front);
                    self.ws.receive_target_filled(n);
                    input = rest;
                }
                self.own += input.len();
                self.ws.keep_input(&mut input);
            }
            _ => {
                while let Some(event) = self.ws.receive(&mut input) {
                    if matches!(event, Event::Start(_)) && t.once_in(2) {
                        self.ws.stream_message();
                    }
                    self.event(&event);
                }
            }
        }
        assert!(input.is_empty());
        self.check();
    }

    fn consume(&mut self, n: usize) {
        let output = self.output();
        self.judge.feed(&output[..n.min(output.len())]);
        self.ws.consume_output(n.min(output.len()));
        self.queued_at_close = self.queued_at_close.min(output.len() - n.min(output.len()));
        self.check();
    }

    fn drain(&mut self) {
        // All at once: each look is at all of it, and a message may be thousands of fragments.
        while !self.ws.output().is_empty() {
            self.consume(usize::MAX);
        }
    }

    fn operation(&mut self, t: &mut Taker<'_>) {
        if let Some(held) = driven::between(&mut self.ws, &self.setup, self.now) {
            // Bytes that were shared count then; what is small has its part beside.
            self.ceiling = self.ceiling.max((held + (8 << 10)) as u64);
            self.own = self.own.max(held);
        }
        match t.below(30) {
            0..4 => {
                if !self.eof {
                    wire::item(t, self.setup.role.peer(), &mut self.wire);
                }
            }
            4..8 => {
                let n = if t.once_in(2) {
                    usize::from(t.u8())
                } else {
                    usize::MAX
                };
                self.deliver(n, t);
            }
            8..11 => self.send_something(t),
            11..14 => {
                let kind = t.pick(&[Kind::Text, Kind::Binary]);
                let (part, last) = (self.part(kind, t), t.once_in(3));
                let sent = self.attempt(part.len(), |ws| {
                    ws.send_part(Part::new(kind, &part).last_if(last))
                });
                if sent {
                    self.in_parts = !last;
                }
            }
            14 => {
                let kind = t.pick(&[Kind::Text, Kind::Binary]);
                let len = t.pick(&[0, 1, 5, 130, 200, 70_000, 1 << 40, 1 << 63, u64::MAX]);
                self.attempt(0, |ws| ws.begin_message(kind, len));
                self.in_pieces = true;
            }
            15..17 => {
                let kind = t.pick(&[Kind::Text, Kind::Binary]);
                let mut piece = self.part(kind, t);
                piece.truncate(if t.once_in(2) { 5 } else { usize::MAX });
                self.attempt(piece.len(), |ws| ws.write_message(&piece));
            }
            17 => {
                let payload = wire::binary(t);
                let is_ping = t.once_in(2);
                self.attempt(0, |ws| {
                    let result = if is_ping {
                        ws.ping(&payload)
                    } else {
                        ws.pong(&payload)
                    };
                    assert!(payload.len() <= 125 || result.is_err());
                    result
                });
            }
            18 => {
                let code = t.pick(&[1000, 1001, 1010, 3000, 4999, 1005, 0]);
                let reason = t
                    .pick(&["", "bye", "grüezi"])
                    .repeat(t.pick(&[1, 1, 20, 40]));
                match t.below(8) {
                    0 | 1 => _ = self.attempt(0, |ws| ws.close(CloseCode::new(code), &reason)),
                    2 => _ = self.attempt(0, |ws| ws.close_lossy(CloseCode::new(code), &reason)),
                    3 => {
                        let code = CloseCode::new(code).unwrap_or(CloseCode::INTERNAL_ERROR);
                        self.fail_may_have_come = true;
                        self.attempt(0, |ws| ws.fail(code, &reason));
                    }
                    _ => {}
                }
            }
            19..22 => {
                let n = t.pick(&[0, 1, 2, 7, 100, 5000, usize::MAX]);
                self.consume(n);
            }
            22..24 => {
                let millis = t.pick(&[0, 1, 10, 100, 1000, 6000]);
                // Now and then it goes backwards.
                let now = if t.once_in(8) {
                    Duration::ZERO
                } else {
                    self.now + Duration::from_millis(millis)
                };
                self.now = self.now.max(now);
                self.ws.advance_time(now);
                if t.once_in(2) {
                    self.tell_until_judged();
                }
            }
            24 => match t.below(24) {
                0 => {
                    // Nothing comes after the end of the stream.
                    self.wire.clear();
                    self.eof = true;
                    self.ws.receive_eof();
                }
                1 => {
                    self.ws.transport_lost();
                    self.lost = true;
                }
                2 => {
                    self.ws.tls_failed();
                    self.lost = true;
                }
                23 => {
                    self.ws.write_lost();
                    self.unwritable = true;
                    self.in_parts = false;
                }
                #[cfg(feature = "deflate")]
                3..6 => self.ws.park(),
                #[cfg(feature = "deflate")]
                6..9 => self.compressed_part(t),
                9..12 => {
                    let (part, bits) = (self.part(Kind::Binary, t), t.u8() & 7);
                    let last = t.once_in(2);
                    let sent = self.attempt(part.len(), |ws| {
                        ws.send_part(Part::binary(&part).last_if(last).reserved_bits(bits))
                    });
                    if sent {
                        self.in_parts = !last;
                        // Only what was agreed on is used.
                        assert_eq!(bits & !self.setup.reserved, 0);
                    }
                }
                #[cfg(feature = "deflate")]
                12..15 => {
                    let text = wire::text(t);
                    let prepared = Prepared::text(&text).with_deflate(1, &[9, 15]);
                    self.send(text.len(), &prepared, |()| ());
                }
                _ => self.events(),
            },
            25 => {
                if t.once_in(2) {
                    let len = t.pick(&[0, 10, 5000]);
                    self.own = self.own.max(2 * len);
                    self.lent = true;
                    self.ws.lend_buffer(vec![b'x'; len]);
                } else {
                    self.ws.take_buffer();
                }
            }
            26 => {
                let name = t.pick(&["chat", "superchat", "other", ""]);
                self.accept(name, t.u8());
            }
            27 => self.respond(t),
            28 => {
                self.ws.stream_message();
                let filled = t.below(200);
                self.made_up |= self.lent && filled > 0;
                self.ws.receive_target_filled(filled);
                match filled {
                    150..170 => self.set_limits(t),
                    170..175 => {
                        self.ws.drop_response();
                        self.dropped_response = true;
                    }
                    _ => {}
                }
            }
            _ => self.events(),
        }
        if self.lost {
            assert_eq!(self.ws.output_len(), 0);
            assert_eq!(self.ws.transport(), Transport::Close);
        }
        self.check();
    }

    /// Other limits from now on, with or without a ceiling on memory.
    fn set_limits(&mut self, t: &mut Taker<'_>) {
        let mut limits = *self.ws.limits();
        limits.message = t.pick(&[0, 125, 300, 70_000]);
        limits.frame = limits.message.max(125);
        limits.fragments = t.pick(&[1, 4, 30]);
        limits.output = t.pick(&[1, 200, 100_000]);
        limits.memory = t.pick(&[Limits::UNBOUNDED, 16 << 10, 64 << 10, 256 << 10]);
        self.ws.set_limits(limits);
        assert_eq!(*self.ws.limits(), limits);
        // What was stored before stays.
        let bound = &mut self.setup.limits;
        bound.message = bound.message.max(limits.message);
        bound.output = bound.output.max(limits.output);
        self.ceiling = self.ceiling.max(limits.memory);
        self.bounded |= limits.memory != Limits::UNBOUNDED;
    }

    /// One way or another to accept, if there is a request.
    fn accept(&mut self, name: &str, how: u8) {
        let mut accept = Accept::new();
        if how & 1 == 0 {
            accept = accept.subprotocol(name);
        }
        let how = how.saturating_sub(128) / 2;
        let preferred = ["superchat", "chat"];
        if how & 1 != 0 {
            accept = accept.prefer(preferred);
        }
        if how & 2 != 0 {
            accept = accept.uncompressed();
        }
        #[cfg(feature = "deflate")]
        if how & 4 != 0 {
            accept = accept.deflate(PermessageDeflate::server().threshold(4));
        }
        if !self.attempt(0, |ws| ws.accept(accept)) {
            return;
        }
        // The last of them counts.
        self.uncompressed = how & 6 == 2;
        if how & 4 != 0 && self.ws.extensions().contains("permessage-deflate") {
            self.setup.deflate = Some("permessage-deflate");
            self.judge = self.setup.judge();
        }
        if how & 1 != 0
            && let Some(name) = self.ws.subprotocol()
        {
            assert!(preferred.contains(&name));
        }
    }

    /// An answer over HTTP, or some of it.
    fn respond(&mut self, t: &mut Taker<'_>) {
        let response = Response::new(t.pick(&[404, 401, 200, 204, 199, 101, 600]));
        match t.below(8) {
            0 => _ = self.attempt(0, |ws| ws.respond(response.body("no"))),
            1 => {
                let len = t.pick(&[None, None, Some(0), Some(2), Some(300), Some(u64::MAX)]);
                self.attempt(0, |ws| ws.begin_response(response.body("no"), len));
            }
            2..7 => {
                let piece = wire::binary(t);
                let before = self.largest;
                self.largest = before.max(piece.len() + 256);
                self.attempt(0, |ws| ws.write_response(&piece));
            }
            _ => _ = self.attempt(0, Driven::end_response),
        }
    }

    #[cfg(feature = "deflate")]
    fn compressed_part(&mut self, t: &mut Taker<'_>) {
        use sansocket::extension::Compress;
        let kind = t.pick(&[Kind::Text, Kind::Binary]);
        let (part, last) = (self.part(kind, t), t.once_in(3));
        let compress = t.pick(&[
            Compress::Auto,
            Compress::Always,
            Compress::Alone,
            Compress::Never,
        ]);
        let sent = self.attempt(part.len(), |ws| {
            ws.send_part(Part::new(kind, &part).last_if(last).compress(compress))
        });
        if sent {
            self.in_parts = !last;
        }
    }

    /// A part of a message: of text it may begin or end inside a character, or be none.
    fn part(&self, kind: Kind, t: &mut Taker<'_>) -> Vec<u8> {
        match (kind, t.below(4)) {
            (Kind::Binary, _) => wire::binary(t),
            (_, 0) => t
                .pick(&[&b"\xc3"[..], b"\xa9", b"\xff", b"a\xe2\x82", b"\xac", b""])
                .to_vec(),
            _ => wire::text(t).into_bytes(),
        }
    }

    fn send_something(&mut self, t: &mut Taker<'_>) {
        let text = wire::text(t);
        let bytes = wire::binary(t);
        let (text_len, len) = (text.len(), bytes.len());
        match t.below(9) {
            0 => self.send(text_len, &*text, |()| ()),
            1 => self.send(len, &bytes[..], |()| ()),
            2 => {
                let copy = text.clone();
                self.send(text_len, text, |back| assert!(back == copy));
            }
            3 => {
                let copy = bytes.clone();
                self.send(len, bytes, |back| assert!(back == copy));
            }
            4 => self.send(text_len, &Message::Text(Text::from(text)), |()| ()),
            5 => self.send(len, &Message::Binary(Payload::from(bytes)), |()| ()),
            6 => self.send(text_len, &Prepared::text(&text), |()| ()),
            #[cfg(feature = "bytes")]
            7 => {
                let bytes = bytes::Bytes::from(bytes);
                self.send(len, bytes.clone(), |back| assert!(back == bytes));
            }
            _ => self.send(len, &Prepared::binary(&bytes), |()| ()),
        }
    }

    /// A driver that only tells the time: a deadline that has passed is judged, soon.
    fn tell_until_judged(&mut self) {
        // Two calls to read in between, for each of the deadlines that there are.
        for _ in 0..12 {
            if self.ws.next_deadline().is_none_or(|due| due > self.now) {
                return;
            }
            self.ws.advance_time(self.now);
        }
        panic!("a deadline that has passed: the driver would spin");
    }

    /// The end, in order: the output is written, the peer ends the stream.
    fn finish(&mut self) {
        let _ = self.ws.respond(Response::new(503));
        let _ = self.ws.end_response();
        self.drain();
        self.ws.receive_eof();
        self.events();
        self.drain();
        self.events();
        assert!(
            self.closed,
            "Closed did not come: {:?} {:?} {:?}",
            self.ws,
            self.trace,
            self.output()
        );
        assert_eq!(self.ws.state(), State::Closed);
        assert_eq!(self.ws.transport(), Transport::Close);
        assert_eq!(self.ws.next_deadline(), None);
        self.ws.advance_time(self.now + Duration::from_secs(1000));
        self.ws.receive_eof();
        self.ws.transport_lost();
        self.events();
    }
}

/// Arbitrary operations; what was seen, for comparing runs.
pub fn connection_ops(data: &[u8]) {
    trace(data);
}

/// As [`connection_ops`], with all that came out.
pub fn trace(data: &[u8]) -> Vec<Seen> {
    traced(data).0
}

/// The same, and whether something depends on how much room buffers have, or on how long a compressed message is.
pub fn traced(data: &[u8]) -> (Vec<Seen>, bool) {
    let mut bench = run(data);
    driven::ended(&mut bench.ws);
    let varies = bench.bounded || bench.made_up || !bench.ws.extensions().is_empty();
    (core::mem::take(&mut bench.trace), varies)
}

/// What was driven.
pub fn driven(data: &[u8]) -> Driven {
    run(data).ws
}

/// The connection after the operations, before its end; with how it was made, and the time that it was told.
pub fn unfinished(data: &[u8]) -> (Setup, Driven, Duration) {
    let bench = begin(data);
    (bench.setup, bench.ws, bench.now)
}

fn run(data: &[u8]) -> Bench {
    let mut bench = begin(data);
    bench.finish();
    bench
}

fn begin(data: &[u8]) -> Bench {
    let mut t = Taker::new(data);
    let handshake = t.once_in(3);
    let mut setup = Setup::draw(&mut t, handshake);
    if t.once_in(2) {
        setup.delivery = Delivery::Whole;
    }
    if setup.limits.message > 1 << 20 {
        setup.limits = Limits::server();
    }
    // Drawn with the rest, so that what was found earlier still means the same.
    if setup.echo && setup.fragment % 2 == 1 {
        setup.limits.memory = 16 << (10 + setup.fragment % 5);
    }
    let after = |t: &mut Taker<'_>| {
        t.once_in(2)
            .then(|| Duration::from_millis(t.pick(&[1, 20, 2000])))
    };
    (
        setup.timeouts.ping,
        setup.timeouts.pong,
        setup.timeouts.idle,
    ) = (after(&mut t), after(&mut t), after(&mut t));
    let mut wire = Vec::new();
    if handshake {
        wire = heads::head(&mut t, setup.role.peer());
    }
    let mut bench = Bench {
        ws: driven::new(&setup, data.len()),
        judge: setup.judge(),
        wire,
        now: Duration::ZERO,
        handed: 0,
        largest: 0,
        own: 0,
        state: State::Initial,
        failed: false,
        close_received: false,
        fail_may_have_come: false,
        answered: false,
        queued_at_close: 0,
        closed: false,
        ceiling: setup.limits.memory,
        bounded: setup.limits.memory != Limits::UNBOUNDED,
        lent: false,
        made_up: false,
        uncompressed: false,
        dropped_response: false,
        eof: false,
        lost: false,
        unwritable: false,
        in_pieces: false,
        judged: 0,
        in_parts: false,
        trace: Vec::new(),
        #[cfg(feature = "bytes")]
        buffer: bytes::BytesMut::new(),
        setup,
    };
    if bench.setup.role == Role::Server || t.once_in(2) {
        bench.check();
    }
    while !t.is_empty() {
        bench.operation(&mut t);
    }
    bench
}
