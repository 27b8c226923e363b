//! A second opinion: a WebSocket endpoint past its opening handshake, written down from RFC 6455
//! as slowly and plainly as it goes. It shares no code with the crate. Given reads, calls and the
//! time it says what has to follow: events, output, state, and what to do with the transport.
//!
//! Sections are those of RFC 6455; D-numbers are the choices that the crate documents where the
//! text leaves one.
#![allow(dead_code, reason = "each crate of tests uses a part of it")]

pub(crate) mod frame;
mod inflate;

use frame::{BINARY, CLOSE, CONTINUATION, Incoming, PING, PONG, TEXT};
use inflate::{End, inflate};

/// Seconds, in the time of the caller.
pub(crate) type Seconds = u64;

/// What the endpoint was made with.
#[derive(Debug, Clone)]
pub(crate) struct Rules {
    pub(crate) server: bool,
    /// The key that a client masks every frame with (a real one draws a fresh one each time, §5.3).
    pub(crate) key: [u8; 4],
    /// §10.4: limits on what the peer sends.
    pub(crate) frame: u64,
    pub(crate) message: u64,
    pub(crate) fragments: u64,
    /// Bytes queued from which on nothing more is taken.
    pub(crate) output: usize,
    pub(crate) close_after: Seconds,
    pub(crate) ping_after: Option<Seconds>,
    pub(crate) pong_within: Option<Seconds>,
    pub(crate) idle_for: Option<Seconds>,
    pub(crate) message_within: Option<Seconds>,
    pub(crate) delivery: Delivery,
    /// Pings are answered by the endpoint (§5.5.2), not by the application.
    pub(crate) answers_pings: bool,
    /// What answers the peer's Close frame (§5.5.1).
    pub(crate) close_answer: CloseAnswer,
    /// §5.1: a server takes frames that are not masked, too.
    pub(crate) takes_unmasked: bool,
    /// Longer messages go out in fragments of this size (§5.4); 0: none does.
    pub(crate) split: usize,
    /// RFC 7692: the peer may compress, with context takeover. What the endpoint sends it does not.
    pub(crate) inflates: bool,
}

/// What answers the peer's Close frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CloseAnswer {
    Code,
    CodeAndReason,
    /// The application's own close, later.
    Application,
}

/// How a message is handed to the application.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Delivery {
    Whole,
    /// Piece by piece, as it comes.
    Chunks,
    /// In pieces if its first frame is longer than this.
    ChunksAbove(u64),
}

/// What the peer did wrong, or did not do in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    ReservedBits(u8),
    ReservedOpcode(u8),
    Unmasked,
    Masked,
    NotShortest,
    TopBit,
    ControlTooLong,
    ControlFragmented,
    NothingToContinue,
    MessageInterrupted,
    CloseTooShort,
    CloseCode(u16),
    /// At this byte of the reason.
    ReasonNotUtf8(usize),
    /// The first byte that cannot be, or the length if the end cuts a character.
    TextNotUtf8 {
        at: usize,
        cut: bool,
    },
    CompressedData,
    FrameTooLong(u64),
    MessageTooLong(u64),
    TooManyFragments(u64),
    PongTimeout,
    IdleTimeout,
    MessageTimeout,
    CloseTimeout,
    Application,
}

impl Fault {
    /// §7.4.1; `None` where no Close frame is sent at all.
    pub(crate) const fn code(self) -> Option<u16> {
        match self {
            // "an endpoint is terminating the connection due to a protocol error"
            Self::ReservedBits(_)
            | Self::ReservedOpcode(_)
            | Self::Unmasked
            | Self::Masked
            | Self::NotShortest
            | Self::TopBit
            | Self::ControlTooLong
            | Self::ControlFragmented
            | Self::NothingToContinue
            | Self::MessageInterrupted
            | Self::CloseTooShort
            | Self::CloseCode(_) => Some(1002),
            // "data within a message that was not consistent with the type of the message"
            Self::ReasonNotUtf8(_) | Self::TextNotUtf8 { .. } | Self::CompressedData => Some(1007),
            // "a message that violates its policy"
            Self::TooManyFragments(_) | Self::MessageTimeout | Self::Application => Some(1008),
            // "a message that is too big for it to process"
            Self::FrameTooLong(_) | Self::MessageTooLong(_) => Some(1009),
            Self::PongTimeout => Some(1011),
            Self::IdleTimeout => Some(1001),
            Self::CloseTimeout => None,
        }
    }
}

/// The body of a Close frame: a code and a reason, or nothing (§5.5.1).
pub(crate) type CloseBody = (Option<u16>, String);

/// Who sent the first Close frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Began {
    Us,
    Peer,
    /// The peer's came before ours had left.
    Both,
}

/// How it ended (§7.1.4 to §7.1.6).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Report {
    pub(crate) clean: bool,
    pub(crate) code: u16,
    pub(crate) sent: Option<CloseBody>,
    pub(crate) received: Option<CloseBody>,
    pub(crate) failure: Option<Fault>,
    pub(crate) began: Option<Began>,
    /// The end of the stream cut a frame, or else a message.
    pub(crate) cut: Option<Cut>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cut {
    Frame,
    Message,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Event {
    Text(Vec<u8>),
    Binary(Vec<u8>),
    /// The application is asked how it wants the message: whether it is text, the length of its
    /// first frame, and whether that is its last.
    Start(bool, u64, bool),
    /// A piece of a message: whether it is text; whether it is the first one, ends its frame, and is the last one.
    Chunk(bool, Vec<u8>, bool, bool, bool),
    Ping(Vec<u8>),
    /// With the round trip, if it answers a ping of ours whose time is known.
    Pong(Vec<u8>, Option<Seconds>),
    Close(Option<u16>, String),
    Failed(Fault),
    Closed(Report),
}

/// Why a call is refused. Nothing changes then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refused {
    Closing,
    Full,
    InProgress,
    NotInProgress,
    TooLong,
    NotUtf8,
    BadCode,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    Open,
    Closing,
    Closed,
}

/// What the driver does once the output is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Transport {
    KeepOpen,
    ShutdownWrite,
    AwaitPeerEnd,
    Close,
}

/// What a queued byte belongs to.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    /// Payload that the application handed in.
    Message,
    /// The first byte of a Pong.
    PongStart,
    /// The first byte of a further fragment of a message that the endpoint has split.
    FragmentStart,
    /// Our Close frame.
    Close,
    Other,
}

/// The message on its way in.
#[derive(Clone)]
struct Message {
    opcode: u8,
    /// As it is delivered.
    payload: Vec<u8>,
    /// As it came, if it is compressed.
    compressed: Option<Vec<u8>>,
    frames: u64,
    /// §5.6: so much of a text is whole characters.
    valid: usize,
    /// It is handed out in pieces, of which there was one.
    chunks: Option<bool>,
}

/// The message on its way out.
#[derive(Clone)]
enum Sending {
    /// In fragments (§5.4): the kind, and what is left of a character.
    Parts { text: bool, rest: Vec<u8> },
    /// In one frame, its payload piece by piece: so many bytes are missing of so many.
    Pieces {
        text: bool,
        rest: Vec<u8>,
        left: u64,
        len: u64,
    },
}

/// The time, once it was told.
#[derive(Clone)]
struct Clock {
    now: Seconds,
    /// When the last frame ended, or the last KiB of one was full.
    heard: Seconds,
    /// When the last byte came.
    byte: Seconds,
    /// From when on the answer to the last keepalive ping is waited for.
    pinged: Seconds,
    /// Nothing was heard since it was sent.
    asked: bool,
    /// The keepalive ping that was not answered: its number and when it was sent.
    unanswered: Option<(u16, Seconds)>,
    /// When the message that has not ended began, or the frame that has not.
    begun: Option<Seconds>,
    /// When the wait for the closing handshake ends.
    close_by: Option<Seconds>,
    /// How often a deadline was found to have passed, which one, and when that was seen first.
    late: u8,
    late_since: Option<(Seconds, Seconds)>,
    /// When the peer last took some of a queue that was full at a deadline.
    taken: Option<Seconds>,
}

impl Clock {
    fn in_time(&mut self) {
        self.late = 0;
        self.late_since = None;
    }
}

#[derive(Clone)]
pub(crate) struct Endpoint {
    rules: Rules,
    // what comes in
    frame: Incoming,
    message: Option<Message>,
    /// RFC 7692 §7.1.1: what the messages before this one inflated to.
    context: Vec<u8>,
    // what goes out
    queue: Vec<(u8, Part)>,
    /// Control frames that wait for the end of a frame in pieces.
    waiting: Vec<(u8, Part)>,
    sending: Option<Sending>,
    /// Payload that was queued and never left.
    dropped: u64,
    /// §5.5.3: the latest ping that has no answer yet because many wait.
    late_ping: Option<Vec<u8>>,
    /// The application's last ping, and when it was sent.
    own_ping: Option<(Vec<u8>, Option<Seconds>)>,
    pings_sent: u16,
    /// Bytes queued before the last keepalive ping that have not left.
    before_ping: u64,
    clock: Option<Clock>,
    // what has happened
    sent: Option<CloseBody>,
    received: Option<CloseBody>,
    began: Option<Began>,
    failure: Option<Fault>,
    eof: bool,
    /// Nothing can be written any more.
    unwritable: bool,
    lost: bool,
    tls_failed: bool,
    /// The transport is closed without waiting for anything.
    dropped_transport: bool,
    /// Our Close frame was dropped before it had left.
    close_dropped: bool,
    reported: bool,
    cut: Option<Cut>,
    events: Vec<Event>,
}

/// Pongs that wait at once; beyond that the latest ping alone is kept (§5.5.3).
const PONGS: usize = 16;

impl Endpoint {
    pub(crate) fn new(rules: Rules) -> Self {
        Self {
            rules,
            frame: Incoming::default(),
            message: None,
            context: Vec::new(),
            queue: Vec::new(),
            waiting: Vec::new(),
            sending: None,
            dropped: 0,
            late_ping: None,
            own_ping: None,
            pings_sent: 0,
            before_ping: 0,
            clock: None,
            sent: None,
            received: None,
            began: None,
            failure: None,
            eof: false,
            unwritable: false,
            lost: false,
            tls_failed: false,
            dropped_transport: false,
            close_dropped: false,
            reported: false,
            cut: None,
            events: Vec::new(),
        }
    }

    // ── what can be seen

    /// The events since the last time.
    pub(crate) fn take_events(&mut self) -> Vec<Event> {
        std::mem::take(&mut self.events)
    }

    /// The bytes that may be written now.
    pub(crate) fn output(&self) -> Vec<u8> {
        self.queue.iter().map(|(byte, _)| *byte).collect()
    }

    /// All that waits.
    pub(crate) fn output_len(&self) -> usize {
        self.queue.len() + self.waiting.len()
    }

    pub(crate) fn buffered(&self) -> u64 {
        let waiting = self.queue.iter().filter(|(_, part)| *part == Part::Message);
        self.dropped + waiting.count() as u64
    }

    pub(crate) fn state(&self) -> State {
        if self.is_over() {
            State::Closed
        } else if self.sent.is_some()
            || self.received.is_some()
            || self.failure.is_some()
            || self.unwritable
        {
            // §7.1.3
            State::Closing
        } else {
            State::Open
        }
    }

    pub(crate) fn transport(&self) -> Transport {
        if self.lost || self.dropped_transport {
            return Transport::Close;
        }
        let handshake_done = self.sent.is_some() && self.received.is_some();
        if self.is_over() {
            let bounded = self
                .clock
                .as_ref()
                .is_some_and(|clock| clock.close_by.is_some());
            let said_last = !self.unwritable || self.close_has_left();
            return if !self.queue.is_empty() {
                Transport::KeepOpen
            } else if !handshake_done && !self.eof && bounded && said_last {
                // §7.1.1: the last bytes are not lost to a reset.
                Transport::ShutdownWrite
            } else {
                Transport::Close
            };
        }
        // §7.1.1: the server closes first.
        if handshake_done && self.output_len() == 0 {
            Transport::AwaitPeerEnd
        } else {
            Transport::KeepOpen
        }
    }

    /// §7.1.4
    fn is_over(&self) -> bool {
        let drained = self.output_len() == 0;
        if self.lost || self.dropped_transport || self.reported {
            return true;
        }
        if self.failure.is_some() {
            return drained || self.eof;
        }
        if self.unwritable && self.received.is_some() && !self.close_has_left() {
            return true;
        }
        if self.sent.is_some() && self.received.is_some() {
            // A frame that is not finished never will be: nobody reads it.
            let stuck = self.eof && self.frame_left() > 0;
            return stuck || drained && (self.rules.server || self.eof);
        }
        self.eof
    }

    /// Messages and pings may be sent.
    fn is_writable(&self) -> bool {
        self.state() == State::Open
    }

    /// Pings and pongs of the application's may be sent.
    fn takes_control(&self) -> bool {
        self.is_writable()
            || self.state() == State::Closing
                && self.sent.is_some()
                && self.received.is_none()
                && self.failure.is_none()
                && !self.eof
                && !self.unwritable
    }

    // ── the peer

    /// One read.
    pub(crate) fn receive(&mut self, bytes: &[u8]) {
        if bytes.is_empty() {
            return self.read_nothing();
        }
        if let Some(clock) = &mut self.clock {
            clock.byte = clock.now;
            clock.late = 0;
        }
        let mut bytes = bytes;
        while !bytes.is_empty() && !self.reads_no_more() {
            let before = self.frame.payload.len();
            let result = self.read(&mut bytes);
            // What ends nothing, and is less than a KiB, may be a drip that never ends.
            let ended = self.frame.is_empty() || self.frame.payload.len() / 1024 > before / 1024;
            if let Some(clock) = &mut self.clock
                && ended
            {
                clock.heard = clock.now;
                clock.asked = false;
            }
            if let Err(fault) = result {
                self.fail(fault);
            }
            self.time_message();
        }
        self.finish();
    }

    /// The driver had nothing to deliver: what has to have come by now does not come.
    pub(crate) fn read_nothing(&mut self) {
        let waits = !self.events.is_empty();
        let Some(clock) = &mut self.clock else { return };
        if waits && clock.late > 0 {
            clock.late = 0;
        }
        if clock.late < 2 {
            return;
        }
        if let Some((what, _)) = self.next_deadline().filter(|(_, due)| *due <= self.now())
            && what != Deadline::Ping
        {
            self.deadline_passed(what);
            self.finish();
        }
    }

    /// Notes when something began that has not ended.
    fn time_message(&mut self) {
        let complete = self.frame.is_empty() && self.message.is_none();
        if let Some(clock) = &mut self.clock {
            if complete {
                clock.begun = None;
            } else {
                clock.begun.get_or_insert(clock.now);
            }
        }
    }

    /// §5.5.1, §7.1.7: after the peer's Close frame or a failure nothing is read.
    fn reads_no_more(&self) -> bool {
        self.received.is_some()
            || self.failure.is_some()
            || self.lost
            || self.dropped_transport
            || self.reported
    }

    /// A byte of a header, or as much payload as there is.
    fn read(&mut self, bytes: &mut &[u8]) -> Result<(), Fault> {
        if !self.frame.header_is_whole() {
            let message = self.message.as_ref();
            let so_far = message.map(|message| {
                let bytes = message.payload.len() as u64;
                (bytes, message.frames, message.compressed.is_some())
            });
            self.frame.push(bytes[0], &self.rules, so_far)?;
            *bytes = &bytes[1..];
            if !self.frame.header_is_whole() {
                return Ok(());
            }
            self.begin_payload();
        }
        let piece = self.frame.take_payload(bytes);
        if !frame::is_control(self.frame.opcode()) {
            return self.data(&piece);
        }
        if self.frame.is_whole() {
            let frame = std::mem::take(&mut self.frame);
            return self.control(frame.opcode(), frame.payload);
        }
        Ok(())
    }

    /// The header is whole: a data frame begins a message or goes on with it (§5.4).
    fn begin_payload(&mut self) {
        let opcode = self.frame.opcode();
        if !frame::is_control(opcode) {
            let compressed = self.frame.is_compressed();
            let message = self.message.get_or_insert_with(|| Message {
                opcode,
                payload: Vec::new(),
                compressed: compressed.then(Vec::new),
                frames: 0,
                valid: 0,
                chunks: None,
            });
            message.frames += 1;
            if message.frames > 1 {
                return;
            }
            let (text, len) = (opcode == TEXT, self.frame.len().unwrap_or_default());
            match self.rules.delivery {
                Delivery::Whole => {}
                Delivery::Chunks => message.chunks = Some(false),
                Delivery::ChunksAbove(most) => {
                    message.chunks = (len > most).then_some(false);
                    let fin = self.frame.fin();
                    self.events.push(Event::Start(text, len, fin));
                }
            }
        }
    }

    /// Payload of a data frame (§5.4, §6.2).
    fn data(&mut self, piece: &[u8]) -> Result<(), Fault> {
        let Some(message) = &mut self.message else {
            return Ok(());
        };
        let last = self.frame.is_whole() && self.frame.fin();
        let mut end = End::Open;
        let piece = match &mut message.compressed {
            None => piece.to_vec(),
            Some(compressed) => {
                // §10.4: the limit may have come down since.
                let len = message.payload.len() as u64;
                if len > self.rules.message {
                    return Err(Fault::MessageTooLong(len));
                }
                // RFC 7692 §7.2.2, from the beginning each time.
                compressed.extend(piece);
                let inflated = inflate(&self.context, compressed);
                end = inflated.end;
                inflated.out[message.payload.len()..].to_vec()
            }
        };
        for byte in &piece {
            message.payload.push(*byte);
            let len = message.payload.len() as u64;
            if message.compressed.is_some() && len > self.rules.message {
                return Err(Fault::MessageTooLong(len));
            }
            // §5.6, §8.1: at the first byte that nothing can make valid (D-21).
            if message.opcode == TEXT {
                match std::str::from_utf8(&message.payload[message.valid..]) {
                    Ok(_) => message.valid = message.payload.len(),
                    Err(error) if error.error_len().is_some() => {
                        let at = message.payload.len() - 1;
                        return Err(Fault::TextNotUtf8 { at, cut: false });
                    }
                    Err(_) => {}
                }
            }
        }
        if end == End::Corrupt {
            return Err(Fault::CompressedData);
        }
        if last && let Some(compressed) = &mut message.compressed {
            // RFC 7692 §7.2.1, §7.2.2: the end that was taken off is put back, and has to be one (D-17).
            // A stream that was finished has its own (RFC 1951 §3.2.3).
            if inflate(&self.context, compressed).end != End::Final {
                compressed.extend([0, 0, 0xff, 0xff]);
                let inflated = inflate(&self.context, compressed);
                let ends = matches!(inflated.end, End::EmptyStored | End::Final);
                if !ends || inflated.out.len() != message.payload.len() {
                    return Err(Fault::CompressedData);
                }
            }
            self.context.extend(&message.payload);
        }
        if last && message.opcode == TEXT && message.valid < message.payload.len() {
            let at = message.payload.len();
            return Err(Fault::TextNotUtf8 { at, cut: true });
        }
        if let Some(begun) = &mut message.chunks
            && (self.frame.is_whole() || !piece.is_empty())
        {
            let (text, first) = (message.opcode == TEXT, !*begun);
            *begun = true;
            let ends = self.frame.is_whole();
            self.events
                .push(Event::Chunk(text, piece, first, ends, last));
        }
        if self.frame.is_whole() {
            self.frame = Incoming::default();
        }
        if last
            && let Some(message) = self.message.take()
            && message.chunks.is_none()
        {
            self.events.push(match message.opcode {
                TEXT => Event::Text(message.payload),
                _ => Event::Binary(message.payload),
            });
        }
        Ok(())
    }

    /// A whole control frame (§5.5).
    fn control(&mut self, opcode: u8, payload: Vec<u8>) -> Result<(), Fault> {
        match opcode {
            PING => {
                self.events.push(Event::Ping(payload.clone()));
                // §5.5.2: answered, also after our own Close frame (D-14). §5.5.3: the latest will do.
                if !self.rules.answers_pings || self.unwritable {
                    return Ok(());
                }
                if self.pongs_waiting() < PONGS {
                    self.queue_control(PONG, &payload, Part::PongStart);
                } else {
                    self.late_ping = Some(payload);
                }
            }
            PONG => {
                let round_trip = self.round_trip(&payload);
                self.events.push(Event::Pong(payload, round_trip));
            }
            _ => self.close_frame(&payload)?,
        }
        Ok(())
    }

    /// §5.5.3: which ping of ours this answers, and how long that took.
    fn round_trip(&mut self, payload: &[u8]) -> Option<Seconds> {
        if let Some(clock) = &mut self.clock
            && let Some((number, sent)) = clock.unanswered
            && payload == number.to_be_bytes()
        {
            clock.unanswered = None;
            return Some(round_trip(sent, clock.now));
        }
        if self
            .own_ping
            .as_ref()
            .is_some_and(|(own, _)| own == payload)
        {
            let (_, sent) = self.own_ping.take()?;
            return Some(round_trip(sent?, self.clock.as_ref()?.now));
        }
        None
    }

    /// The peer's Close frame (§5.5.1).
    fn close_frame(&mut self, payload: &[u8]) -> Result<(), Fault> {
        let body = match payload {
            [] => (None, String::new()),
            [_] => return Err(Fault::CloseTooShort),
            [high, low, reason @ ..] => {
                let code = u16::from_be_bytes([*high, *low]);
                if !may_be_sent(code) {
                    return Err(Fault::CloseCode(code));
                }
                let good = String::from_utf8(reason.to_vec());
                // §8.1, RFC 3629: the first byte that nothing can make valid, or the end.
                let hopeless = |n: &usize| {
                    let begun = std::str::from_utf8(&reason[..*n]);
                    begun.is_err_and(|error| error.error_len().is_some())
                };
                let bad = (1..=reason.len()).find(hopeless);
                let at = bad.map_or(reason.len(), |n| n - 1);
                (Some(code), good.map_err(|_| Fault::ReasonNotUtf8(at))?)
            }
        };
        self.began = Some(match self.sent {
            None => Began::Peer,
            Some(_) if self.close_has_left() => Began::Us,
            Some(_) => Began::Both,
        });
        self.received = Some(body.clone());
        self.events.push(Event::Close(body.0, body.1.clone()));
        self.forget_input();
        // §5.5.1: answered if ours was not sent; the same code, no reason (D-13).
        let reason = match self.rules.close_answer {
            CloseAnswer::Code => "",
            CloseAnswer::CodeAndReason => &body.1,
            CloseAnswer::Application => {
                self.await_close();
                return Ok(());
            }
        };
        if self.unwritable {
            self.dropped_transport |= self.sent.is_none();
        } else if self.sent.is_none() {
            self.queue_close(body.0, reason);
        }
        Ok(())
    }

    /// §7.1.7
    fn fail(&mut self, fault: Fault) {
        self.events.push(Event::Failed(fault));
        self.fail_with(fault, "");
    }

    fn fail_with(&mut self, fault: Fault, reason: &str) {
        self.failure = Some(fault);
        self.forget_input();
        // One Close frame at most (D-27), and none inside a frame that was begun.
        if self.sent.is_some() || self.frame_left() > 0 || self.unwritable {
            self.dropped_transport = true;
        } else {
            self.queue_close(fault.code(), reason);
        }
        self.await_close();
    }

    /// §7.1.7, by the application: nothing is delivered any more.
    pub(crate) fn fail_by_application(&mut self) {
        if self.state() != State::Closed && self.failure.is_none() && self.received.is_none() {
            self.fail_with(Fault::Application, "enough");
        }
        self.finish();
    }

    fn forget_input(&mut self) {
        self.frame = Incoming::default();
        self.message = None;
        self.late_ping = None;
    }

    pub(crate) fn receive_eof(&mut self) {
        if !self.eof && !self.lost {
            self.eof = true;
            self.await_close();
        }
        self.finish();
    }

    /// §7.1.5: what the peer said last is still read.
    pub(crate) fn write_lost(&mut self) {
        if !self.unwritable {
            self.unwritable = true;
            self.drop_output();
            self.late_ping = None;
            self.before_ping = 0;
            self.await_close();
        }
        self.finish();
    }

    /// §7.2.1
    pub(crate) fn transport_lost(&mut self) {
        if !self.lost {
            self.lost = true;
            self.look_at_the_cut();
            self.forget_input();
            self.drop_output();
        }
        self.finish();
    }

    /// §4.1, §7.4.1
    pub(crate) fn tls_failed(&mut self) {
        self.tls_failed = true;
        self.transport_lost();
    }

    fn drop_output(&mut self) {
        self.close_dropped |= self.sent.is_some() && !self.close_has_left();
        self.dropped = self.buffered();
        self.queue.clear();
        self.waiting.clear();
        self.sending = None;
    }

    /// `Closed` comes once, and last.
    fn finish(&mut self) {
        if !self.is_over() || self.reported {
            return;
        }
        self.reported = true;
        if self.eof {
            self.look_at_the_cut();
        }
        self.forget_input();
        // §7.1.5
        let code = match &self.received {
            _ if self.tls_failed => 1015,
            Some((Some(code), _)) => *code,
            Some((None, _)) => 1005,
            None => 1006,
        };
        self.events.push(Event::Closed(Report {
            // §7.1.4, D-20
            clean: self.received.is_some() && self.close_has_left() && self.failure.is_none(),
            code,
            sent: self.sent.clone(),
            received: self.received.clone(),
            failure: self.failure,
            began: self.began,
            cut: self.cut,
        }));
    }

    fn look_at_the_cut(&mut self) {
        if !self.frame.is_empty() {
            self.cut = Some(Cut::Frame);
        } else if self.message.is_some() {
            self.cut = Some(Cut::Message);
        }
    }

    // ── output

    fn key(&self) -> Option<[u8; 4]> {
        // §5.1, §5.3: a client masks.
        (!self.rules.server).then_some(self.rules.key)
    }

    fn queue(&mut self, bytes: &[u8], part: Part) {
        self.queue.extend(bytes.iter().map(|byte| (*byte, part)));
    }

    fn queue_data(&mut self, fin: bool, opcode: u8, payload: &[u8]) {
        let header = frame::header(fin, opcode, payload.len() as u64, self.key());
        self.queue(&header, Part::Other);
        self.queue(&frame::mask(payload, 0, self.key()), Part::Message);
    }

    /// §5.4: between frames, never inside one. `first` is what its first byte is.
    fn queue_control(&mut self, opcode: u8, payload: &[u8], first: Part) {
        let mut bytes = frame::header(true, opcode, payload.len() as u64, self.key());
        bytes.extend(frame::mask(payload, 0, self.key()));
        let rest = if opcode == CLOSE {
            Part::Close
        } else {
            Part::Other
        };
        let mut bytes: Vec<_> = bytes.into_iter().map(|byte| (byte, rest)).collect();
        bytes[0].1 = first;
        if self.frame_left() > 0 {
            self.waiting.extend(bytes);
            return;
        }
        // Between the fragments of a message (§5.4), but for a Close frame: that ends it all.
        let gap = |(_, part): &(u8, Part)| *part == Part::FragmentStart && opcode != CLOSE;
        let at = self.queue.iter().position(gap);
        let at = at.unwrap_or(self.queue.len());
        self.queue.splice(at..at, bytes);
    }

    fn queue_close(&mut self, code: Option<u16>, reason: &str) {
        let mut payload = Vec::new();
        if let Some(code) = code {
            payload.extend(code.to_be_bytes());
            payload.extend(reason.as_bytes());
        }
        self.queue_control(CLOSE, &payload, Part::Close);
        self.sent = Some((code, reason.to_owned()));
        self.began.get_or_insert(Began::Us);
        // §5.5.1: no data after it. A frame that was begun is finished first.
        if self.frame_left() == 0 {
            self.sending = None;
        }
        self.await_close();
    }

    fn close_has_left(&self) -> bool {
        let queued = |(_, part): &(u8, Part)| *part == Part::Close;
        self.sent.is_some()
            && !self.close_dropped
            && !self.queue.iter().any(queued)
            && !self.waiting.iter().any(queued)
    }

    fn pongs_waiting(&self) -> usize {
        let all = self.queue.iter().chain(&self.waiting);
        all.filter(|(_, part)| *part == Part::PongStart).count()
    }

    /// What is missing of the frame in pieces.
    fn frame_left(&self) -> u64 {
        match self.sending {
            Some(Sending::Pieces { left, .. }) => left,
            _ => 0,
        }
    }

    /// The driver has written so many bytes.
    pub(crate) fn consume(&mut self, n: usize) {
        let n = n.min(self.queue.len());
        // §5.4: a peer that reads what stands before a ping cannot answer it yet.
        if n > 0 && self.before_ping > 0 {
            self.before_ping = self.before_ping.saturating_sub(n as u64);
            if let Some(clock) = &mut self.clock {
                clock.late = 0;
            }
            self.wait_anew();
        }
        let close_had_left = self.close_has_left();
        self.queue.drain(..n);
        let (left, after) = (self.output_len(), self.rules.close_after);
        if let Some(clock) = &mut self.clock
            && n > 0
        {
            // The driver has written, and not read since.
            clock.late = 0;
            if clock.taken.is_some() {
                clock.taken = (left > 0).then_some(clock.now);
            }
            // §7.1.1: the wait begins when our Close frame has left, and a peer that reads has time.
            if clock.close_by.is_some() && !close_had_left {
                clock.close_by = Some(clock.now + after);
                clock.in_time();
            }
        }
        if self.pongs_waiting() < PONGS
            && let Some(ping) = self.late_ping.take()
        {
            self.queue_control(PONG, &ping, Part::PongStart);
        }
        self.finish();
    }

    // ── the application

    pub(crate) fn can_send(&self) -> Result<(), Refused> {
        if !self.is_writable() {
            Err(Refused::Closing)
        } else if self.sending.is_some() {
            Err(Refused::InProgress)
        } else {
            self.check_room()
        }
    }

    fn check_room(&self) -> Result<(), Refused> {
        if self.output_len() < self.rules.output {
            Ok(())
        } else {
            Err(Refused::Full)
        }
    }

    /// §6.1
    pub(crate) fn send(&mut self, text: bool, payload: &[u8]) -> Result<(), Refused> {
        self.can_send()?;
        if self.rules.split == 0 || payload.len() <= self.rules.split {
            self.queue_data(true, opcode(text), payload);
            return Ok(());
        }
        // §5.4
        let fragments: Vec<_> = payload.chunks(self.rules.split).collect();
        for (i, fragment) in fragments.iter().enumerate() {
            let opcode = if i == 0 { opcode(text) } else { CONTINUATION };
            let start = self.queue.len();
            self.queue_data(i == fragments.len() - 1, opcode, fragment);
            if i > 0 {
                self.queue[start].1 = Part::FragmentStart;
            }
        }
        Ok(())
    }

    /// §5.4
    pub(crate) fn send_part(&mut self, text: bool, part: &[u8], last: bool) -> Result<(), Refused> {
        // §5.5.1: what was begun may be finished before the peer's Close frame is answered.
        let may_finish = self.owes_close() && self.sending.is_some();
        if !self.is_writable() && !may_finish {
            return Err(Refused::Closing);
        }
        let (begun, rest) = match &self.sending {
            None => (false, Vec::new()),
            Some(Sending::Parts { text: own, rest }) if *own == text => (true, rest.clone()),
            Some(_) => return Err(Refused::InProgress),
        };
        self.check_room()?;
        let rest = characters(text, &rest, part, last)?;
        let opcode = if begun { CONTINUATION } else { opcode(text) };
        self.queue_data(last, opcode, part);
        self.sending = (!last).then_some(Sending::Parts { text, rest });
        Ok(())
    }

    /// A frame of which only the header is queued.
    pub(crate) fn begin_message(&mut self, text: bool, len: u64) -> Result<(), Refused> {
        self.can_send()?;
        // §5.2: 63 bits.
        if len >> 63 == 1 {
            return Err(Refused::TooLong);
        }
        let header = frame::header(true, opcode(text), len, self.key());
        self.queue(&header, Part::Other);
        if len > 0 {
            let rest = Vec::new();
            self.sending = Some(Sending::Pieces {
                text,
                rest,
                left: len,
                len,
            });
        }
        Ok(())
    }

    pub(crate) fn write_message(&mut self, piece: &[u8]) -> Result<(), Refused> {
        if self.is_over() || self.failure.is_some() || self.unwritable {
            return Err(Refused::Closing);
        }
        let Some(Sending::Pieces {
            text,
            rest,
            left,
            len,
        }) = self.sending.clone()
        else {
            return Err(Refused::NotInProgress);
        };
        if piece.len() as u64 > left {
            return Err(Refused::TooLong);
        }
        self.check_room()?;
        let left_then = left - piece.len() as u64;
        let rest = characters(text, &rest, piece, left_then == 0)?;
        let masked = frame::mask(piece, (len - left) as usize, self.key());
        self.queue(&masked, Part::Message);
        if left_then == 0 {
            self.sending = None;
            let waiting = std::mem::take(&mut self.waiting);
            self.queue.extend(waiting);
        } else {
            self.sending = Some(Sending::Pieces {
                text,
                rest,
                left: left_then,
                len,
            });
        }
        Ok(())
    }

    /// §5.5.2
    pub(crate) fn ping(&mut self, payload: &[u8]) -> Result<(), Refused> {
        self.send_control(PING, payload, Part::Other)?;
        self.own_ping = Some((payload.to_vec(), self.clock.as_ref().map(|clock| clock.now)));
        Ok(())
    }

    /// §5.5.3: also one that nobody asked for.
    pub(crate) fn pong(&mut self, payload: &[u8]) -> Result<(), Refused> {
        self.send_control(PONG, payload, Part::PongStart)
    }

    fn send_control(&mut self, opcode: u8, payload: &[u8], first: Part) -> Result<(), Refused> {
        // §5.5.2: a Ping wants its answer until the peer's Close frame, also after ours.
        if !self.takes_control() {
            return Err(Refused::Closing);
        }
        // §5.5
        if payload.len() > 125 {
            return Err(Refused::TooLong);
        }
        self.check_room()?;
        self.queue_control(opcode, payload, first);
        Ok(())
    }

    /// §7.1.2
    pub(crate) fn close(&mut self, code: Option<u16>, reason: &str) -> Result<(), Refused> {
        // §7.4.1: 1010 is the client's. D-31: a reason needs a code.
        if code == Some(1010) && self.rules.server || code.is_none() && !reason.is_empty() {
            return Err(Refused::BadCode);
        }
        if reason.len() > 123 {
            return Err(Refused::TooLong);
        }
        if self.state() == State::Open || self.owes_close() {
            self.queue_close(code, reason);
        }
        self.finish();
        Ok(())
    }

    /// The peer's Close frame waits for the application's answer.
    fn owes_close(&self) -> bool {
        self.received.is_some()
            && self.sent.is_none()
            && self.failure.is_none()
            && !self.unwritable
            && !self.is_over()
    }

    /// As [`close`](Self::close), with as much of the reason as a frame takes (§5.5).
    pub(crate) fn close_lossy(&mut self, code: Option<u16>, reason: &str) -> Result<(), Refused> {
        let fits = (0..=123.min(reason.len())).rev();
        let end = fits.into_iter().find(|end| reason.is_char_boundary(*end));
        self.close(code, &reason[..end.unwrap_or_default()])
    }

    /// §10.4: another limit, from the next byte on.
    pub(crate) fn limit_messages(&mut self, most: u64) {
        self.rules.message = most;
    }

    // ── the time

    /// §7.1.1: a wait for the rest of the closing, once the time is told.
    fn await_close(&mut self) {
        let after = self.rules.close_after;
        if let Some(clock) = &mut self.clock
            && !self.dropped_transport
            && clock.close_by.is_none()
        {
            clock.close_by = Some(clock.now + after);
            clock.in_time();
        }
    }

    pub(crate) fn advance_time(&mut self, now: Seconds) {
        self.advance(now, false);
    }

    /// The application holds what has come until that time, and takes it then. What waits for the peer
    /// stands still, unless it is the peer that takes nothing of a full queue.
    pub(crate) fn hold_until(&mut self, now: Seconds, bytes: &[u8]) {
        if self.reads_no_more() {
            self.receive(bytes);
            return self.advance_time(now);
        }
        if let Some(clock) = &mut self.clock {
            clock.byte = clock.now;
            clock.late = 0;
        }
        self.advance(now, true);
        self.receive(bytes);
    }

    fn stands_still(&self, holds: bool) -> bool {
        holds && (!self.is_writable() || self.check_room().is_ok())
    }

    fn stand_still(&mut self, passed: Seconds) {
        let nothing_queued = self.output_len() == 0;
        if let Some(clock) = &mut self.clock {
            clock.byte = clock.now;
            if clock.asked {
                clock.pinged = clock.now;
            }
            if let Some(begun) = &mut clock.begun {
                *begun += passed;
            }
            if let Some(by) = &mut clock.close_by
                && nothing_queued
            {
                *by += passed;
            }
        }
    }

    /// The deadline that counts while the application holds input, or not.
    fn due(&self, holds: bool) -> Option<(Deadline, Seconds)> {
        let (still, writable) = (self.stands_still(holds), self.is_writable());
        let counts = |what| match what {
            _ if !still => true,
            Deadline::Ping => true,
            Deadline::Close => !writable && self.output_len() > 0,
            _ => false,
        };
        let all = self.deadlines().into_iter();
        let first = all
            .filter(|(what, _)| counts(*what))
            .min_by_key(|(_, due)| *due);
        first.filter(|(_, due)| *due <= self.now())
    }

    fn advance(&mut self, now: Seconds, holds: bool) {
        let still = self.stands_still(holds);
        match &mut self.clock {
            Some(clock) => {
                let passed = now.saturating_sub(clock.now);
                clock.now += passed;
                if still {
                    self.stand_still(passed);
                }
            }
            None => {
                self.clock = Some(Clock {
                    now,
                    heard: now,
                    byte: now,
                    pinged: now,
                    asked: false,
                    unanswered: None,
                    begun: None,
                    close_by: None,
                    late: 0,
                    late_since: None,
                    taken: None,
                });
                self.time_message();
                if !self.is_writable() {
                    self.await_close();
                }
            }
        }
        // A deadline can bring another one, which has time then.
        for _ in 0..3 {
            let Some((what, due)) = self.due(holds) else {
                if let Some(clock) = &mut self.clock {
                    clock.in_time();
                }
                break;
            };
            if what != Deadline::Ping && !self.is_judged(what, due) {
                break;
            }
            self.deadline_passed(what);
        }
        self.finish();
    }

    /// What lies in the socket may meet the deadline: two calls give the time to read it. What has to be
    /// whole by then has as long again at most, however much comes.
    fn is_judged(&mut self, what: Deadline, due: Seconds) -> bool {
        let whole = match what {
            Deadline::Close => Some(self.rules.close_after),
            Deadline::Message => self.rules.message_within,
            Deadline::Pong => self.rules.pong_within,
            Deadline::Idle => self.rules.idle_for,
            Deadline::Ping => None,
        };
        let Some(clock) = &mut self.clock else {
            return false;
        };
        // Another than before: each has its time.
        if clock.late_since.is_some_and(|(before, _)| before != due) {
            clock.in_time();
        }
        let had = clock.late == 2;
        clock.late += u8::from(!had);
        let over = whole.is_some_and(|whole| {
            let (_, since) = *clock.late_since.get_or_insert((due, clock.now));
            clock.now > since && since + whole <= clock.now
        });
        had || over
    }

    fn deadline_passed(&mut self, what: Deadline) {
        if let Some(clock) = &mut self.clock {
            clock.in_time();
        }
        if self.takes_what_is_queued(what) {
            return;
        }
        match what {
            Deadline::Ping => self.keep_alive(),
            // §5.4: it waits for the application to finish a frame.
            Deadline::Pong if self.before_ping > 0 && self.queue.is_empty() => {
                self.wait_anew();
            }
            Deadline::Pong => self.fail(Fault::PongTimeout),
            Deadline::Idle => self.fail(Fault::IdleTimeout),
            Deadline::Message => self.fail(Fault::MessageTimeout),
            Deadline::Close => self.give_up(),
        }
    }

    /// With a full queue nobody reads what the peer sends: it lives if it has taken something.
    fn takes_what_is_queued(&mut self, what: Deadline) -> bool {
        let full = self.check_room().is_err();
        let within = match what {
            Deadline::Pong if self.before_ping == 0 => self.rules.pong_within,
            Deadline::Idle => self.rules.idle_for,
            Deadline::Message => self.rules.message_within,
            _ => None,
        };
        let (Some(within), Some(clock), true) = (within, &mut self.clock, full) else {
            return false;
        };
        let taken = *clock.taken.get_or_insert(clock.now);
        if taken + within <= clock.now {
            return false;
        }
        match what {
            Deadline::Pong => clock.pinged = clock.now,
            Deadline::Message => clock.begun = Some(clock.now),
            _ => clock.byte = clock.now,
        }
        true
    }

    fn now(&self) -> Seconds {
        self.clock.as_ref().map_or(0, |clock| clock.now)
    }

    /// The first one; of several at once the first of this list.
    pub(crate) fn next_deadline(&self) -> Option<(Deadline, Seconds)> {
        self.deadlines().into_iter().min_by_key(|(_, due)| *due)
    }

    fn deadlines(&self) -> Vec<(Deadline, Seconds)> {
        let mut all = Vec::new();
        let Some(clock) = &self.clock else { return all };
        if self.transport() == Transport::Close {
            return all;
        }
        let Rules {
            ping_after,
            pong_within,
            idle_for,
            message_within,
            ..
        } = self.rules;
        if self.is_writable() {
            if clock.asked
                && let Some(within) = pong_within
            {
                let due = clock.pinged.max(clock.byte) + within;
                all.push((Deadline::Pong, due.min(clock.pinged + 2 * within)));
            }
            if !(clock.asked && pong_within.is_some())
                && let Some(after) = ping_after
            {
                all.push((Deadline::Ping, clock.heard.max(clock.pinged) + after));
            }
            if let Some(idle) = idle_for {
                all.push((Deadline::Idle, clock.byte + idle));
            }
            if let (Some(begun), Some(within)) = (clock.begun, message_within) {
                all.push((Deadline::Message, begun + within));
            }
        }
        all.extend(clock.close_by.map(|by| (Deadline::Close, by)));
        all
    }

    /// §5.5.2: "a Ping frame may serve [...] as a keepalive". One at most waits after other output.
    fn keep_alive(&mut self) {
        let before = self.output_len() as u64 + self.frame_left();
        let Some(clock) = &mut self.clock else { return };
        clock.pinged = clock.now;
        clock.asked = true;
        if self.before_ping == 0 {
            self.before_ping = before;
            self.pings_sent += 1;
            clock.unanswered = Some((self.pings_sent, clock.now));
            let number = self.pings_sent.to_be_bytes();
            self.queue_control(PING, &number, Part::Other);
        }
    }

    /// The wait for the answer to the keepalive ping begins now.
    fn wait_anew(&mut self) {
        if let Some(clock) = &mut self.clock {
            clock.pinged = clock.now;
        }
    }

    /// §7.1.1: enough was waited.
    fn give_up(&mut self) {
        if let Some(clock) = &mut self.clock {
            clock.close_by = None;
            clock.late = 0;
        }
        let done = self.sent.is_some() && self.received.is_some() && self.output_len() == 0;
        if !done {
            self.lost = true;
            if self.failure.is_none() && !self.eof {
                self.failure = Some(Fault::CloseTimeout);
                self.events.push(Event::Failed(Fault::CloseTimeout));
                self.forget_input();
            }
        }
        self.dropped_transport = true;
        self.drop_output();
    }
}

/// It is told in 32 bits of microseconds.
fn round_trip(sent: Seconds, now: Seconds) -> Seconds {
    (now - sent).min(u64::from(u32::MAX) / 1_000_000)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Deadline {
    Pong,
    Ping,
    Idle,
    Message,
    Close,
}

/// §7.4.2, §11.7 and the registry: the codes that may stand in a Close frame (D-12).
pub(crate) const fn may_be_sent(code: u16) -> bool {
    matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999)
}

const fn opcode(text: bool) -> u8 {
    if text { TEXT } else { BINARY }
}

/// §5.6: what is left of a character after the next bytes of a text; a binary message has none.
fn characters(text: bool, rest: &[u8], bytes: &[u8], last: bool) -> Result<Vec<u8>, Refused> {
    if !text {
        return Ok(Vec::new());
    }
    let bytes = [rest, bytes].concat();
    match std::str::from_utf8(&bytes) {
        Ok(_) => Ok(Vec::new()),
        Err(error) if error.error_len().is_none() && !last => {
            Ok(bytes[error.valid_up_to()..].to_vec())
        }
        Err(_) => Err(Refused::NotUtf8),
    }
}
