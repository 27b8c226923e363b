//! Bytes in, events out: what comes first, frames by [`Reading`](super::reading::Reading), and
//! their payload into [`Gathering`](super::gathering::Gathering).

use core::mem;

use crate::config::Delivery;
use crate::error::ProtocolError;
use crate::event::{Kind, Message, MessageHead};
use crate::frame::{Opcode, WholeMessage};
use crate::role::Role;

use super::Connection;
use super::event::Event;
use super::gathering::{Came, whole_text};
use super::reading::{ReadSoFar, take_front};

impl Connection {
    /// Takes bytes from the peer and returns the next event, or `None` when all of `input` was
    /// taken. What an event lends is a part of `input`, unmasked in place.
    ///
    /// Pass a variable that holds what was read, `let mut input = &mut buf[..n];`, as `&mut input`: each
    /// call moves it past what it took. With nothing to read, `&mut &mut [][..]` will do. A function that
    /// returns the event out of its own read loop needs [`find_event`](Self::find_event).
    ///
    /// Call it until it returns `None`, also with an empty input: the end of the stream, deadlines
    /// and written output bring events too. It never fails: what the peer did wrong is
    /// [`Event::Failed`], and the answer is queued.
    ///
    /// ```
    /// # use sansocket::{Connection, Event, Message, Negotiated, ServerConfig};
    /// # let mut ws = Connection::upgraded_server(&ServerConfig::upgraded(), Negotiated::default());
    /// # assert!(matches!(ws.receive(&mut &mut [][..]), Some(Event::Open)));
    /// // RFC 6455 §5.7: a single-frame masked text message.
    /// let mut read = [0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58];
    /// let mut input = &mut read[..];
    /// let Some(Event::Message(Message::Text(text))) = ws.receive(&mut input) else { panic!() };
    /// assert_eq!(&*text, "Hello");
    /// assert!(ws.receive(&mut input).is_none());
    /// ```
    #[inline]
    pub fn receive<'a>(&mut self, input: &mut &'a mut [u8]) -> Option<Event<'a>> {
        match self.role() {
            Role::Server => self.receive_frame::<true>(input),
            Role::Client => self.receive_frame::<false>(input),
        }
    }

    #[inline(always)]
    fn receive_frame<'a, const MASKED: bool>(
        &mut self,
        input: &mut &'a mut [u8],
    ) -> Option<Event<'a>> {
        let below = self.fast().whole_below();
        let Some(whole) = WholeMessage::find::<MASKED>(input, 0, below) else {
            return self.settled(|ws| ws.receive_in_time(input));
        };
        self.clock.heard_again();
        let payload = whole.payload(take_front(input, whole.end), MASKED);
        match whole.opcode {
            Opcode::Text => Some(match whole_text(payload) {
                Ok(text) => Event::Message(Message::Text(text)),
                Err(error) => self.settled(|ws| ws.fail_for(error.into())),
            }),
            _ => Some(Event::Message(Message::Binary(payload.into()))),
        }
    }

    /// A whole message at the front of the input that is handed out at once.
    #[inline(always)]
    pub(super) fn next_whole(&self, input: &[u8], bits: u8) -> Option<WholeMessage> {
        self.whole_message_below(input, bits, self.fast().whole_below())
    }

    /// A whole message at the front of the input, with a payload shorter than that.
    #[inline(always)]
    pub(super) fn whole_message_below(
        &self,
        input: &[u8],
        bits: u8,
        below: u32,
    ) -> Option<WholeMessage> {
        match self.role() {
            Role::Server => WholeMessage::find::<true>(input, bits, below),
            Role::Client => WholeMessage::find::<false>(input, bits, below),
        }
    }

    /// The general way, and what to do where a deadline has passed.
    #[inline]
    pub(super) fn receive_in_time<'a>(&mut self, input: &mut &'a mut [u8]) -> Option<Event<'a>> {
        let event = self.receive_any(input);
        if self.clock.is_late() {
            return self.receive_late(event, input);
        }
        event
    }

    /// What came before the deadline counts, and is read first.
    #[cold]
    fn receive_late<'a>(
        &mut self,
        event: Option<Event<'a>>,
        input: &mut &'a mut [u8],
    ) -> Option<Event<'a>> {
        if event.is_some() {
            self.clock.in_time();
        } else if self.settled(Self::judge_last_chance) {
            return self.receive_any(input);
        }
        event
    }

    /// The general way.
    pub(super) fn receive_any<'a>(&mut self, input: &mut &'a mut [u8]) -> Option<Event<'a>> {
        let bit = self.codec_bit();
        if bit != 0
            && let Some(whole) = self.next_whole(input, bit)
        {
            self.clock.heard_again();
            let payload = whole.payload(take_front(input, whole.end), self.role() == Role::Server);
            return self.decode_frame(kind(whole.opcode), payload);
        }
        if !self.reads_frames() {
            return self.next_event(input);
        }
        if input.is_empty() && !self.frame_is_due() {
            return None;
        }
        self.frames(input)
    }

    /// Notes that bytes came, if there are any.
    pub(super) fn hear(&mut self, input: &[u8]) {
        if !input.is_empty() {
            self.clock.trickled();
        }
    }

    fn next_event<'a>(&mut self, input: &mut &'a mut [u8]) -> Option<Event<'a>> {
        loop {
            if let Some(event) = self.due_event() {
                return Some(event);
            }
            if let Some(event) = self.step_held() {
                return Some(event);
            }
            // An answer that was held has opened the connection.
            if self.due_is_set() {
                continue;
            }
            if input.is_empty() && !self.frame_is_due() {
                break;
            }
            self.hear(input);
            if let Some(event) = self.step(input) {
                return Some(event);
            }
        }
        if let Some(event) = self.opening_at_end() {
            return Some(event);
        }
        self.closed_event()
    }

    /// Events that need no input.
    fn due_event(&mut self) -> Option<Event<'static>> {
        if self.life.take_open() {
            return Some(Event::Open);
        }
        self.forget_answer();
        if let Some(event) = self.rare.as_mut().and_then(|rare| rare.found.take()) {
            return Some(event);
        }
        if self.life.take_failure() {
            return self
                .rare
                .as_ref()
                .and_then(|rare| rare.ending.failure)
                .map(Event::Failed);
        }
        None
    }

    /// An event needs no input: the header of a frame without payload was read, or more comes out of
    /// what was taken already.
    pub(super) fn frame_is_due(&self) -> bool {
        let (reading, gathering) = (&self.reading, &self.gathering);
        let due = reading.in_payload() && (reading.left() == 0 || gathering.is_pulling());
        due && !self.life.discards()
    }

    /// Reads on in the input: an event, or `None` when it is used up or something else is due.
    pub(super) fn step<'a>(&mut self, input: &mut &'a mut [u8]) -> Option<Event<'a>> {
        if self.life.discards() {
            *input = &mut [];
            return None;
        }
        if self.life.is_established() {
            self.frames_rarely(input)
        } else if self.is_deciding() {
            self.hold_undecided(input)
        } else {
            self.opening(input)
        }
    }

    /// Reads on in what was kept.
    pub(super) fn step_held(&mut self) -> Option<Event<'static>> {
        while !self.is_deciding() {
            let rare = self.rare.as_mut()?;
            if rare.held.is_empty() {
                return None;
            }
            let (mut held, at) = rare.held.take();
            let mut input = held.get_mut(at..).unwrap_or_default();
            let event = self.step(&mut input).map(|event| self.own(event));
            let left = input.len();
            if left > 0 && !self.life.discards() {
                self.rare().held.put_back(held, left);
            } else if let Some(rare) = &mut self.rare {
                rare.held.freed();
            }
            if event.is_some() || self.due_is_set() {
                return event;
            }
        }
        None
    }

    pub(super) fn due_is_set(&self) -> bool {
        self.life.event_is_due()
    }

    // ── frames

    /// Reads frames up to the next event.
    ///
    /// Inlined with all that it calls where nothing else comes first; [`frames_rarely`] is the
    /// other copy.
    ///
    /// [`frames_rarely`]: Self::frames_rarely
    #[inline(always)]
    fn frames<'a>(&mut self, input: &mut &'a mut [u8]) -> Option<Event<'a>> {
        let (place, came) = (self.reading.place(), !input.is_empty());
        let event = self.read_frames(input);
        self.note_heard(place, came);
        event
    }

    #[inline(never)]
    pub(super) fn frames_rarely<'a>(&mut self, input: &mut &'a mut [u8]) -> Option<Event<'a>> {
        self.frames(input)
    }

    /// Tells the clock what came since reading stood there, if anything did.
    #[inline]
    pub(super) fn note_heard(&mut self, place: ReadSoFar, came: bool) {
        if self.reading.has_moved_on(place) && came {
            self.clock.heard();
        } else if came {
            self.clock.trickled();
        }
    }

    #[inline(always)]
    fn read_frames<'a>(&mut self, input: &mut &'a mut [u8]) -> Option<Event<'a>> {
        loop {
            if !self.reading.in_payload() {
                match self.header(input) {
                    Ok(Some(event)) => return Some(event),
                    Ok(None) if self.reading.in_payload() => {}
                    Ok(None) => return None,
                    Err(error) => return Some(self.fail_for(error.into())),
                }
            }
            if self.reading.in_payload_of_data() {
                match self.data(input) {
                    Came::Nothing => {}
                    Came::Gathered => return Some(self.gathered()),
                    Came::Event(event) => return Some(event),
                    Came::Failed(error) => return Some(self.fail_for(error.into())),
                }
            } else if let Some(event) = self.control(input) {
                return Some(event);
            }
            if self.reading.in_payload() {
                return None;
            }
        }
    }

    /// The header as far as it comes. An event if the application is asked what to do with the message.
    #[inline(always)]
    pub(super) fn header<'a>(
        &mut self,
        input: &mut &mut [u8],
    ) -> Result<Option<Event<'a>>, ProtocolError> {
        let rules = self.rules();
        if !self.reading.read_header(input, rules)? {
            return Ok(None);
        }
        if self.clock.is_told() {
            self.count_frame()?;
        }
        let header = self.reading.header();
        let codec_bit = rules.begins_encoded(header);
        Ok(match header.opcode() {
            Some(Opcode::Continuation) => {
                self.gathering.go_on(header.reserved_bits());
                if self.gathering.is_encoded() {
                    self.encoded_frame_begins();
                }
                None
            }
            Some(opcode @ (Opcode::Text | Opcode::Binary)) => {
                self.message_begins(kind(opcode), codec_bit)
            }
            _ => None,
        })
    }

    #[inline(always)]
    fn message_begins<'a>(&mut self, kind: Kind, codec_bit: u8) -> Option<Event<'a>> {
        let delivery = self.settings().delivery;
        let header = self.reading.header();
        self.gathering
            .begin(kind, codec_bit, header.reserved_bits());
        if codec_bit != 0 {
            self.encoded_frame_begins();
        }
        match delivery {
            Delivery::Whole => return None,
            Delivery::Chunks => {
                self.gathering.in_chunks();
                return None;
            }
            Delivery::Ask => {}
        }
        let header = self.reading.header();
        Some(Event::Start(MessageHead {
            kind,
            frame_len: header.payload_len(),
            fin: header.fin(),
            compressed: codec_bit != 0,
            reserved_bits: self.gathering.tell_bits(),
        }))
    }

    /// Payload of a data frame.
    #[inline(always)]
    fn data<'a>(&mut self, input: &mut &'a mut [u8]) -> Came<'a> {
        if self.gathering.is_encoded() {
            return self.decode(input).into();
        }
        let n = self.reading.next_len(input);
        if self.gathering.lacks(n)
            && let Err(error) = self.make_room_to_gather(n)
        {
            return Came::Failed(error);
        }
        let piece = self.reading.piece(input);
        self.gathering.add(piece)
    }

    /// Makes room for the next `n` bytes of payload, where they are gathered.
    #[cold]
    #[inline(never)]
    fn make_room_to_gather(&mut self, n: usize) -> Result<(), ProtocolError> {
        let last = self.reading.ends_message_with(n);
        if !self.gathering.gathers(last) {
            return Ok(());
        }
        let (limit, room) = (self.settings().limits.message, self.room_to_gather());
        let grown = |capacity, needed| room.grown(capacity, needed, limit);
        self.gathering.make_room(n, grown)
    }

    /// The message that was gathered, which has ended.
    #[inline(always)]
    pub(super) fn gathered<'a>(&mut self) -> Event<'a> {
        match self.gathering.finish() {
            Ok(event) => event,
            Err(error) => self.fail_for(error.into()),
        }
    }

    /// The payload of a control frame: lent if it is there as a whole, gathered otherwise.
    fn control<'a>(&mut self, input: &mut &'a mut [u8]) -> Option<Event<'a>> {
        let opcode = self.reading.opcode()?;
        let piece = self.reading.piece(input);
        let whole = piece.ends_frame;
        let begun = self
            .rare
            .as_ref()
            .is_some_and(|rare| !rare.control.is_empty());
        let payload = piece.unmasked();
        if whole && !begun {
            return Some(self.control_received(opcode, payload.into()));
        }
        let control = &mut self.rare().control;
        control.extend_from_slice(payload);
        if !whole {
            return None;
        }
        let payload = mem::take(control);
        Some(self.control_received(opcode, payload.into()))
    }

    /// For [`Delivery::Ask`]: the message whose [`Event::Start`] is being looked at comes in
    /// chunks. Without this call it comes whole. At any other moment nothing changes.
    ///
    /// ```
    /// use sansocket::config::Delivery;
    /// use sansocket::{ClientConfig, Connection, Event, Negotiated};
    /// let config = ClientConfig::new().delivery(Delivery::Ask);
    /// let mut ws = Connection::upgraded_client(&config, Negotiated::default());
    /// let mut read = *b"\x82\x05large";
    /// let mut input = &mut read[..];
    /// while let Some(event) = ws.receive(&mut input) {
    ///     match event {
    ///         Event::Start(head) if head.frame_len >= 5 => ws.stream_message(),
    ///         Event::Chunk(chunk) => assert_eq!((&*chunk.payload, chunk.first, chunk.last), (&b"large"[..], true, true)),
    ///         Event::Message(_) => panic!(),
    ///         _ => {}
    ///     }
    /// }
    /// ```
    pub fn stream_message(&mut self) {
        let asked = self.settings().delivery == Delivery::Ask;
        let at_start = self.reading.is_at_payload_of_data() && self.gathering.is_first_frame();
        if asked && at_start {
            self.gathering.in_chunks();
        }
    }
}

/// The kind of a message that begins with this opcode.
#[inline(always)]
const fn kind(opcode: Opcode) -> Kind {
    match opcode {
        Opcode::Text => Kind::Text,
        _ => Kind::Binary,
    }
}
