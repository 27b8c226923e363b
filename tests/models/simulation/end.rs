//! One end: a connection, an application that does whatever comes to its mind, and what must hold.

use std::collections::VecDeque;
use std::time::Duration;

use sansocket::error::Failure;
use sansocket::event::CloseReport;
use sansocket::{Accept, CloseCode, Event, Kind, Part, Prepared, Response, Role, State, Transport};

/// Either end, which may be recorded.
#[cfg(not(feature = "replay"))]
pub(crate) use sansocket::Connection as Driven;
#[cfg(feature = "replay")]
pub(crate) use sansocket::replay::Recorded as Driven;

use crate::judge::Judge;
use crate::random::Random;

/// The close timeout of both ends.
pub(crate) const CLOSE: Duration = Duration::from_secs(4);

/// An event as far as the ends can agree on it; chunks of a message joined.
#[derive(Debug, PartialEq)]
enum Seen {
    Bytes(Kind, Vec<u8>, bool),
    Other(String),
}

pub(crate) struct End {
    pub(crate) ws: Driven,
    /// The same inputs, but for how the reads are cut and handed over.
    twin: Option<Driven>,
    judge: Judge,
    /// What was taken for sending, and what came, as far as whole messages go.
    pub(crate) sent: VecDeque<(Kind, Vec<u8>)>,
    pub(crate) delivered: u64,
    chunks: Option<(Kind, Vec<u8>)>,
    arrived: VecDeque<(Kind, Vec<u8>)>,
    parts: Option<(Kind, Vec<u8>)>,
    pieces: Option<(Vec<u8>, u64)>,
    /// Pings that are left to the application, of which the last is to be answered.
    pinged: Option<Vec<u8>>,
    answers_pings: bool,
    /// The peer's Close frame is the application's to answer.
    answers_close: bool,
    /// It has called for a failure, and the connection was open then.
    fails: bool,
    gave_up: bool,
    pub(crate) undecided: bool,
    /// An answer over HTTP was begun in pieces.
    responding: bool,
    pub(crate) report: Option<CloseReport>,
    pub(crate) failed: Option<Failure>,
    close_received: bool,
    state: State,
    now: Option<Duration>,
    /// When it was first seen to be closing, or last took a step towards its end.
    closing_since: Option<Duration>,
    /// How often a deadline was found to have passed since anything came or went, and which one.
    pub(crate) late: u8,
    late_for: Option<Duration>,
    /// The most that a message has.
    message: u64,
    /// What of the application's own may lie in the queue at once.
    largest: usize,
    bound: Bound,
}

/// The most memory.
#[derive(Clone, Copy)]
pub(crate) enum Bound {
    /// The limits and what compression keeps, and what the application hands over several times.
    Proportion(usize),
    /// The ceiling of the configuration, whatever happens.
    Ceiling(usize),
}

impl End {
    pub(crate) fn new(
        ws: Driven,
        twin: Option<Driven>,
        compresses: bool,
        answers_pings: bool,
        answers_close: bool,
        message: u64,
        bound: Bound,
    ) -> Self {
        Self {
            judge: Judge::new(ws.role() == Role::Client, compresses),
            ws,
            twin,
            sent: VecDeque::new(),
            delivered: 0,
            chunks: None,
            arrived: VecDeque::new(),
            parts: None,
            pieces: None,
            pinged: None,
            answers_pings,
            answers_close,
            fails: false,
            gave_up: false,
            undecided: false,
            responding: false,
            report: None,
            failed: None,
            close_received: false,
            state: State::Initial,
            now: None,
            closing_since: None,
            late: 0,
            late_for: None,
            message,
            largest: 0,
            bound,
        }
    }

    /// In another process from now on.
    #[cfg(feature = "handover")]
    pub(crate) fn hand_over(&mut self, handing: &mut crate::handed_over::Handing) {
        let now = self.now.unwrap_or_default();
        handing.hand_over(&mut self.ws, self.twin.as_mut(), now);
        // Bytes that were shared count now, until they have left; what is small has its part beside.
        let held = self.ws.memory_held();
        if let Bound::Ceiling(ceiling) = &mut self.bound {
            *ceiling = (held + (8 << 10)).max(*ceiling);
        }
        self.check();
    }

    /// The same on the twin; both answer alike.
    fn both<T: PartialEq + std::fmt::Debug>(&mut self, act: impl Fn(&mut Driven) -> T) -> T {
        let result = act(&mut self.ws);
        if let Some(twin) = &mut self.twin {
            assert_eq!(act(twin), result, "the twin answers otherwise");
        }
        result
    }

    /// What is refused changes nothing.
    fn attempt<E: std::fmt::Debug + PartialEq>(
        &mut self,
        act: impl Fn(&mut Driven) -> Result<(), E>,
    ) -> bool {
        let seen = |ws: &Driven| {
            (
                ws.output_len(),
                ws.buffered_amount(),
                ws.state(),
                ws.transport(),
                ws.next_deadline(),
            )
        };
        let before = seen(&self.ws);
        let result = self.both(act);
        if result.is_err() {
            assert_eq!(seen(&self.ws), before, "{result:?} changed something");
        }
        self.check();
        result.is_ok()
    }

    /// The bounds of memory, no way back between states, and the twin.
    fn check(&mut self) {
        let state = self.ws.state();
        assert!(
            state >= self.state,
            "from {:?} back to {state:?}",
            self.state
        );
        self.state = state;
        if state >= State::Closing && self.closing_since.is_none() {
            self.closing_since = self.now;
        }
        let held = self.ws.memory_held();
        let bound = match self.bound {
            Bound::Proportion(bound) => bound + 4 * self.largest,
            Bound::Ceiling(ceiling) => ceiling,
        };
        assert!(held <= bound, "{held} bytes held, {bound} allowed");
        if let Some(twin) = &self.twin {
            let see = |ws: &Driven| {
                (
                    ws.state(),
                    ws.transport(),
                    ws.output_len(),
                    ws.buffered_amount(),
                    ws.next_deadline(),
                )
            };
            assert_eq!(see(twin), see(&self.ws), "the twin stands otherwise");
        }
    }

    /// One read of the driver; the twin's reads are cut elsewhere.
    pub(crate) fn receive(&mut self, bytes: &[u8], random: &mut Random) {
        let mut own = Vec::new();
        let mut read = bytes.to_vec();
        let mut input = &mut read[..];
        if !bytes.is_empty() {
            self.late = 0;
        }
        while let Some(event) = next(&mut self.ws, &mut input) {
            self.event(&event);
            keep(&event, &mut own);
        }
        assert!(input.is_empty(), "receive takes everything");
        if let Some(twin) = &mut self.twin {
            let mut others = Vec::new();
            let mut rest = bytes.to_vec();
            let mut input = &mut rest[..];
            loop {
                // A read of nothing says that nothing came.
                let n = if random.once_in(3) || input.is_empty() {
                    input.len()
                } else {
                    1 + random.below(input.len())
                };
                let (mut read, rest) = input.split_at_mut(n);
                input = rest;
                match random.below(4) {
                    0 => twin.keep_input(&mut read),
                    1 => {
                        let mut copied = &*read;
                        while let Some(event) = told(twin, |ws| ws.receive_copy(&mut copied)) {
                            keep(&event, &mut others);
                        }
                        assert!(copied.is_empty(), "receive_copy takes everything");
                        read = &mut [];
                    }
                    2 => {
                        while twin.find_event(&mut read) {
                            keep(&next(twin, &mut read).expect("promised"), &mut others);
                        }
                    }
                    _ => {}
                }
                while let Some(event) = next(twin, &mut read) {
                    keep(&event, &mut others);
                }
                if input.is_empty() {
                    break;
                }
            }
            assert_eq!(own, others, "another cut, other events");
        }
        if !self.is_late() {
            self.late = 0;
        }
        self.check();
    }

    /// A deadline has passed and was not judged yet.
    fn is_late(&self) -> bool {
        let due = self.ws.next_deadline();
        due.is_some_and(|due| Some(due) <= self.now)
    }

    /// Within the limits, nothing after a failure; and what came.
    fn event(&mut self, event: &Event<'_>) {
        self.late = 0;
        assert!(self.report.is_none(), "{event:?} after Closed");
        let last = matches!(event, Event::Closed(_));
        assert!(
            last || self.failed.is_none() && !self.gave_up,
            "{event:?} after a failure"
        );
        let failed = matches!(event, Event::Failed(_));
        assert!(
            last || failed || !self.close_received,
            "{event:?} after Close"
        );
        match event {
            Event::Request(_) => self.undecided = true,
            Event::Message(message) => {
                let len = message.as_bytes().len() as u64;
                assert!(len <= self.message, "too long a message");
                let whole = (message.kind(), message.as_bytes().to_vec());
                self.arrived.push_back(whole);
            }
            Event::Chunk(chunk) => {
                assert_eq!(chunk.first, self.chunks.is_none(), "the first chunk");
                assert!(chunk.ends_frame || !chunk.last && !chunk.payload.is_empty());
                let message = self.chunks.get_or_insert((chunk.kind, Vec::new()));
                message.1.extend_from_slice(&chunk.payload);
                let len = message.1.len() as u64;
                assert!(len <= self.message, "too long a message");
                if chunk.last {
                    self.arrived.extend(self.chunks.take());
                }
            }
            Event::Ping(payload) if !self.answers_pings => self.pinged = Some(payload.to_vec()),
            Event::Close(_) => self.close_received = true,
            Event::Failed(failure) => self.failed = Some(*failure),
            Event::Closed(report) => {
                assert_eq!(self.ws.state(), State::Closed);
                if let Some(Failure::Application(_)) = report.failure {
                    assert!(self.fails);
                    self.failed = report.failure;
                }
                assert_eq!(report.failure, self.failed);
                assert_eq!(report.received.is_some(), self.close_received);
                self.report = Some((**report).clone());
            }
            _ => {}
        }
    }

    /// What came is what the other has sent, in its order.
    pub(crate) fn compare(&mut self, peer: &mut Self) {
        while let Some(message) = self.arrived.pop_front() {
            let sent = peer.sent.pop_front();
            assert!(
                sent.as_ref() == Some(&message),
                "a message that was not sent"
            );
            self.delivered += 1;
        }
        if let Some((kind, begun)) = &self.chunks {
            // Of the next message, which may still be in the making over there.
            let next = peer.sent.front().map(|(kind, bytes)| (*kind, &bytes[..]));
            let parts = peer.parts.as_ref().map(|(kind, bytes)| (*kind, &bytes[..]));
            let pieces = peer
                .pieces
                .as_ref()
                .map(|(bytes, _)| (Kind::Binary, &bytes[..]));
            let (own, bytes) = next.or(parts).or(pieces).expect("chunks of nothing");
            assert!(
                own == *kind && bytes.starts_with(begun),
                "chunks that were not sent"
            );
        }
    }

    /// The transport takes up to `n` bytes.
    pub(crate) fn write(&mut self, n: usize, random: &mut Random) -> Vec<u8> {
        let n = n.min(self.ws.output().len());
        let bytes = self.ws.output()[..n].to_vec();
        self.judge.feed(&bytes);
        if let Some(twin) = &self.twin {
            let mut slices = [&[][..]; 64];
            let filled = twin.output_slices(&mut slices);
            let mut theirs = slices[..filled].concat();
            theirs.truncate(n);
            assert!(theirs == bytes, "another cut, other output");
        }
        self.both(|ws| ws.consume_output(n));
        self.late = 0;
        if n > 0 && self.closing_since.is_some() {
            self.closing_since = self.now;
        }
        self.receive(&[], random);
        bytes
    }

    pub(crate) fn tell(&mut self, now: Duration, random: &mut Random) {
        self.now = Some(now);
        self.both(|ws| ws.advance_time(now));
        if self.is_late() {
            // What came before it is to be read, and that has an end. Pong, idle and message may be due at
            // the same time.
            let due = self.ws.next_deadline();
            if std::mem::replace(&mut self.late_for, due) != due {
                self.late = 0;
            }
            self.late += 1;
            assert!(self.late <= 3 * 2, "the driver would spin");
        }
        self.receive(&[], random);
        // RFC 6455 §7.1.1: closing ends, and only a peer that takes what is queued prolongs it, or the
        // application, whose answer is not whole.
        if let Some(since) = self.closing_since
            && self.ws.transport() != Transport::Close
            && !(self.responding && self.ws.output().is_empty())
        {
            let due = self.ws.next_deadline().expect("a bound");
            assert!(due <= since + CLOSE, "the end is late");
        }
    }

    /// Nothing can be written any more.
    pub(crate) fn write_lost(&mut self, random: &mut Random) {
        self.both(Driven::write_lost);
        assert_eq!(self.ws.output_len(), 0);
        self.receive(&[], random);
    }

    pub(crate) fn eof(&mut self, random: &mut Random) {
        self.both(Driven::receive_eof);
        self.receive(&[], random);
    }

    pub(crate) fn lost(&mut self, random: &mut Random) {
        self.both(Driven::transport_lost);
        assert_eq!(self.ws.output_len(), 0);
        self.receive(&[], random);
    }

    /// The answer to the request, or to the Close frame, when the application is in the mood.
    pub(crate) fn decide(&mut self, random: &mut Random) {
        if self.answers_close && self.close_received && random.once_in(2) {
            self.close(Some(CloseCode::GOING_AWAY), "", random);
        }
        if std::mem::take(&mut self.undecided) {
            if random.once_in(30) {
                let len = random.pick(&[None, Some(2)]);
                let no = || Response::new(403).body("n");
                self.responding = random.once_in(2);
                if self.responding {
                    self.attempt(|ws| ws.begin_response(no(), len));
                } else {
                    self.attempt(|ws| ws.respond(no()));
                }
            } else {
                self.attempt(|ws| ws.accept(Accept::new()));
            }
            self.receive(&[], random);
        } else if self.responding {
            if self.ws.output().is_empty() && self.closing_since.is_some() {
                self.closing_since = self.now;
            }
            self.attempt(|ws| ws.write_response(b"o"));
            if random.once_in(3) {
                self.responding = !self.attempt(Driven::end_response);
            }
            self.receive(&[], random);
        }
    }

    pub(crate) fn close(&mut self, code: Option<CloseCode>, reason: &str, random: &mut Random) {
        self.attempt(|ws| ws.close(code, reason));
        self.receive(&[], random);
    }

    /// Whatever an application may do.
    pub(crate) fn act(&mut self, random: &mut Random) {
        match random.below(12) {
            0..3 => {
                let text = text(random);
                self.largest = self.largest.max(text.len());
                if self.attempt(|ws| ws.send(&*text)) {
                    self.sent.push_back((Kind::Text, text.into_bytes()));
                }
            }
            3..5 => {
                let bytes = bytes(random);
                self.largest = self.largest.max(bytes.len());
                // Handed over, shared with others, or borrowed.
                let way = random.below(3);
                let send = |ws: &mut Driven| match way {
                    0 => ws.send(bytes.clone()).map_err(|unsent| {
                        assert!(unsent.message == bytes, "a message does not come back");
                        unsent.why
                    }),
                    1 => ws.send(&Prepared::binary(&bytes)).map_err(Into::into),
                    _ => ws.send(&bytes).map_err(Into::into),
                };
                if self.attempt(send) {
                    self.sent.push_back((Kind::Binary, bytes));
                }
            }
            5..7 => {
                // Text is cut anywhere, also inside characters.
                let kind = self.parts.as_ref().map_or_else(
                    || random.pick(&[Kind::Text, Kind::Binary]),
                    |(kind, _)| *kind,
                );
                let (part, last) = (text(random).into_bytes(), random.once_in(2));
                self.largest = self.largest.max(part.len());
                if self.attempt(|ws| ws.send_part(Part::new(kind, &part).last_if(last))) {
                    let message = self.parts.get_or_insert((kind, Vec::new()));
                    message.1.extend(part);
                    if last {
                        self.sent.extend(self.parts.take());
                    }
                }
            }
            7 => {
                let len = random.pick(&[0, 3, 126, 300, 70_000]);
                if self.pieces.is_none() && self.attempt(|ws| ws.begin_message(Kind::Binary, len)) {
                    if len == 0 {
                        self.sent.push_back((Kind::Binary, Vec::new()));
                    } else {
                        self.pieces = Some((Vec::new(), len));
                    }
                }
            }
            8 => self.write_piece(random.pick(&[1, 3, 100, 70_000])),
            9 => {
                let payload = vec![b'p'; random.pick(&[0, 1, 125, 126])];
                let sent = self.attempt(|ws| ws.ping(&payload));
                assert!(!sent || payload.len() <= 125);
            }
            10 => {
                let payload = self.pinged.take().unwrap_or_else(|| b"unasked".to_vec());
                self.attempt(|ws| ws.pong(&payload));
                if random.once_in(4) {
                    self.both(|ws| ws.lend_buffer(vec![0xee; 5000]));
                } else if random.once_in(4) {
                    self.ws.take_buffer();
                }
            }
            _ => {
                if random.once_in(8) {
                    let code = CloseCode::new(random.pick(&[1000, 1001, 4000, 1010]));
                    let code = code.filter(|_| !random.once_in(3));
                    let reason = if code.is_some() {
                        random.pick(&["", "bye", "grüezi"])
                    } else {
                        ""
                    };
                    self.close(code, reason, random);
                } else if random.once_in(8) {
                    self.act_rarely(random);
                }
            }
        }
    }

    fn act_rarely(&mut self, random: &mut Random) {
        match random.below(3) {
            // Too long for a Close frame.
            0 => {
                let reason = "é".repeat(random.pick(&[61, 62, 1000]));
                self.attempt(|ws| ws.close_lossy(CloseCode::GOING_AWAY, &reason));
            }
            1 => {
                self.gave_up |= self.ws.state() == State::Open;
                self.fails = true;
                self.attempt(|ws| ws.fail(CloseCode::POLICY_VIOLATION, "enough"));
            }
            _ => {
                let message = random.pick(&[1000, self.message]).min(self.message);
                self.both(|ws| {
                    let mut limits = *ws.limits();
                    limits.message = message;
                    ws.set_limits(limits);
                });
            }
        }
        self.receive(&[], random);
    }

    pub(crate) fn write_piece(&mut self, n: u64) {
        let Some((_, left)) = &self.pieces else {
            return;
        };
        let piece = vec![7; n.min(*left) as usize];
        self.largest = self.largest.max(piece.len());
        if self.attempt(|ws| ws.write_message(&piece))
            && let Some((bytes, left)) = &mut self.pieces
        {
            *left -= piece.len() as u64;
            bytes.extend(piece);
            if *left == 0 {
                self.sent.push_back((Kind::Binary, std::mem::take(bytes)));
                self.pieces = None;
            }
        }
    }
}

/// The next event. Where the application is asked, every other message comes in chunks.
fn next<'a>(ws: &mut Driven, input: &mut &'a mut [u8]) -> Option<Event<'a>> {
    told(ws, |ws| ws.receive(input))
}

fn told<'a>(
    ws: &mut Driven,
    receive: impl FnOnce(&mut Driven) -> Option<Event<'a>>,
) -> Option<Event<'a>> {
    let event = receive(ws);
    if let Some(Event::Start(head)) = &event
        && head.frame_len % 2 == 1
    {
        ws.stream_message();
    }
    event
}

/// Puts an event after the others, chunks of a message joined.
fn keep(event: &Event<'_>, all: &mut Vec<Seen>) {
    let (kind, bytes, last) = match event {
        Event::Message(message) => (message.kind(), message.as_bytes(), true),
        Event::Chunk(chunk) => (chunk.kind, &chunk.payload[..], chunk.last),
        // Its offsets are of no concern, and it has no more than text.
        Event::Closed(report) => return all.push(Seen::Other(format!("{report:?}"))),
        Event::Ping(payload) => return all.push(Seen::Other(format!("ping {:?}", &payload[..]))),
        other => return all.push(Seen::Other(format!("{other:?}"))),
    };
    if let Some(Seen::Bytes(own, joined, end)) = all.last_mut()
        && !*end
    {
        assert_eq!(*own, kind);
        joined.extend_from_slice(bytes);
        *end = last;
        return;
    }
    all.push(Seen::Bytes(kind, bytes.to_vec(), last));
}

fn len(random: &mut Random) -> usize {
    match random.below(40) {
        0 => random.below(200_000),
        1..4 => random.below(5000),
        4..8 => random.pick(&[0, 125, 126, 127]),
        _ => random.below(60),
    }
}

fn text(random: &mut Random) -> String {
    let letters = random.pick(&["a", "é", "grüezi ", "€", "🦀"]);
    letters.repeat(len(random) / letters.len())
}

fn bytes(random: &mut Random) -> Vec<u8> {
    let (first, step) = (random.next() as u8, random.pick(&[0, 1, 7]));
    (0..len(random))
        .map(|i| first.wrapping_add((i * step) as u8))
        .collect()
}
