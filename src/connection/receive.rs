//! Bytes in, events out.

use core::mem;

use super::Connection;
use super::assembly::{Came, take_front};
use super::rules::Rules;
use crate::config::Delivery;
use crate::error::ProtocolError;
use crate::event::{Event, Kind, Message, MessageHead};
#[cfg(feature = "bytes")]
use crate::frame::HeaderReader;
use crate::frame::{Opcode, WholeMessage};
use crate::mask::apply_mask;
use crate::role::Role;

impl Connection {
    /// Takes bytes from the peer and returns the next event, or `None` when all of `input` was
    /// taken. What an event lends is a part of `input`, unmasked in place.
    ///
    /// Call it until it returns `None`, also with an empty input: the end of the stream, deadlines
    /// and written output bring events too. It never fails: what the peer did wrong is
    /// [`Event::Failed`], and the answer is queued.
    ///
    /// ```
    /// # use sansocket::{Connection, Event, Message, Negotiated, OriginPolicy, ServerConfig};
    /// # let mut ws = Connection::upgraded_server(&ServerConfig::new(OriginPolicy::Application), Negotiated::default());
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
        let Some(whole) = self.whole_message::<MASKED>(input, 0) else {
            return self.settled(|ws| ws.receive_any(input));
        };
        self.clock.heard();
        let payload = whole.payload(take_front(input, whole.end), MASKED);
        match whole.opcode {
            Opcode::Text => Some(self.whole_text(payload)),
            _ => Some(Event::Message(Message::Binary(payload.into()))),
        }
    }

    /// A whole message at the front of the input that is handed out at once.
    #[inline(always)]
    fn whole_message<const MASKED: bool>(&self, input: &[u8], bits: u8) -> Option<WholeMessage> {
        WholeMessage::find::<MASKED>(input, bits, self.fast().whole_below())
    }

    #[inline(always)]
    fn next_whole(&self, input: &[u8], bits: u8) -> Option<WholeMessage> {
        match self.role() {
            Role::Server => self.whole_message::<true>(input, bits),
            Role::Client => self.whole_message::<false>(input, bits),
        }
    }

    /// The general way.
    fn receive_any<'a>(&mut self, input: &mut &'a mut [u8]) -> Option<Event<'a>> {
        let bit = self.codec_bit();
        if bit != 0
            && let Some(whole) = self.next_whole(input, bit)
        {
            self.clock.heard();
            let payload = whole.payload(take_front(input, whole.end), self.role() == Role::Server);
            let kind = if whole.opcode == Opcode::Text {
                Kind::Text
            } else {
                Kind::Binary
            };
            return self.decode_frame(kind, payload);
        }
        if self.reads_frames() {
            if input.is_empty() && !self.frame_is_due() {
                return None;
            }
            if !input.is_empty() {
                self.clock.heard();
            }
            return self.noting_split_frames(input, Self::frames);
        }
        self.next_event(input)
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
            if !input.is_empty() {
                self.clock.heard();
            }
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
    fn frame_is_due(&self) -> bool {
        let incoming = &self.incoming;
        incoming.in_payload && (incoming.left == 0 || incoming.pulling) && !self.life.discards()
    }

    /// Reads on in the input: an event, or `None` when it is used up or something else is due.
    fn step<'a>(&mut self, input: &mut &'a mut [u8]) -> Option<Event<'a>> {
        if self.life.discards() {
            *input = &mut [];
            return None;
        }
        if self.life.is_established() {
            self.noting_split_frames(input, Self::frames)
        } else if self.is_deciding() {
            self.hold_undecided(input)
        } else {
            self.opening(input)
        }
    }

    // ── frames

    /// Tells the clock when bytes of a frame came that is split over reads: some read ended inside
    /// it. An event between its header and its payload splits nothing.
    fn noting_split_frames<'a, T>(
        &mut self,
        input: &mut &'a mut [u8],
        read: impl FnOnce(&mut Self, &mut &'a mut [u8]) -> T,
    ) -> T {
        let was_split = self.incoming.split;
        let event = read(self, input);
        self.incoming.split |= input.is_empty() && self.incoming.lacks_bytes();
        if was_split || self.incoming.split {
            self.clock.frame_goes_on();
        }
        event
    }

    fn frames<'a>(&mut self, input: &mut &'a mut [u8]) -> Option<Event<'a>> {
        loop {
            if !self.incoming.in_payload {
                match self.header(input) {
                    Ok(Some(event)) => return Some(event),
                    Ok(None) if self.incoming.in_payload => {}
                    Ok(None) => return None,
                    Err(error) => return Some(self.fail(error.into())),
                }
            }
            match self.incoming.opcode() {
                Some(opcode) if opcode.is_control() => {
                    if let Some(event) = self.control(opcode, input) {
                        return Some(event);
                    }
                }
                _ => match self.data(input) {
                    Came::Nothing => {}
                    Came::Gathered => return Some(self.gathered()),
                    Came::Event(event) => return Some(event),
                },
            }
            if self.incoming.in_payload || input.is_empty() {
                return None;
            }
        }
    }

    /// The header as far as it comes; each byte is judged when it is there. An event if the
    /// application is asked what to do with the message.
    fn header<'a>(&mut self, input: &mut &'a mut [u8]) -> Result<Option<Event<'a>>, ProtocolError> {
        let rules = self.rules();
        let header = &mut self.incoming.header;
        // `move`: by reference the rules would lie in memory, for the call that reads few bytes.
        let (taken, whole) = header.take(input, move |part, header| rules.check(part, header))?;
        take_front(input, taken);
        if !whole {
            return Ok(None);
        }
        Ok(self.begin_payload(rules))
    }

    /// The header is whole. An event if the application is asked what to do with the message.
    #[inline]
    fn begin_payload<'a>(&mut self, rules: Rules) -> Option<Event<'a>> {
        let delivery = self.settings().delivery;
        let incoming = &mut self.incoming;
        let header = incoming.header.raw();
        let codec_bit = rules.begins_encoded(header);
        let opcode = header.opcode();
        incoming.left = header.payload_len();
        incoming.key = header.masking_key().unwrap_or_default();
        incoming.in_payload = true;
        match opcode {
            Some(Opcode::Continuation) => incoming.fragments += 1,
            Some(Opcode::Text) => incoming.begin_message(Kind::Text, codec_bit),
            Some(Opcode::Binary) => incoming.begin_message(Kind::Binary, codec_bit),
            _ => return None,
        }
        if incoming.is_encoded() {
            self.encoded_frame_begins();
        }
        let incoming = &mut self.incoming;
        if incoming.fragments > 1 {
            return None;
        }
        incoming.stream = delivery == Delivery::Chunks;
        match incoming.kind {
            Some(kind) if delivery == Delivery::Ask => Some(Event::Start(MessageHead {
                kind,
                frame_len: incoming.left,
                fin: incoming.fin(),
                compressed: incoming.is_encoded(),
                reserved_bits: incoming.reserved_bits(),
            })),
            _ => None,
        }
    }

    /// The payload of a control frame: lent if it is there as a whole, gathered otherwise.
    fn control<'a>(&mut self, opcode: Opcode, input: &mut &'a mut [u8]) -> Option<Event<'a>> {
        // `as`: at most 125, checked at the header.
        let left = self.incoming.left as usize;
        let key = self.incoming.key;
        let gathered = self.rare.as_ref().map_or(0, |rare| rare.control.len());
        if gathered == 0 && input.len() >= left {
            let payload = take_front(input, left);
            self.end_control();
            apply_mask(payload, key, 0);
            return Some(self.control_received(opcode, payload.into()));
        }
        let part = take_front(input, left.min(input.len()));
        apply_mask(part, key, gathered as u64);
        let control = &mut self.rare().control;
        control.extend_from_slice(part);
        self.incoming.left -= part.len() as u64;
        if self.incoming.left > 0 {
            return None;
        }
        let payload = mem::take(&mut self.rare().control);
        self.end_control();
        Some(self.control_received(opcode, payload.into()))
    }

    /// RFC 6455 §5.4: a control frame leaves the message it stands in alone.
    fn end_control(&mut self) {
        self.incoming.left = 0;
        self.incoming.end_frame();
    }

    /// For [`Delivery::Ask`]: the message whose [`Event::Start`] is being looked at comes in
    /// chunks. Without this call it comes whole. At any other moment nothing changes.
    ///
    /// ```
    /// use sansocket::{Connection, Event, Negotiated, config::{ClientConfig, Delivery}};
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
        let incoming = &mut self.incoming;
        let at_start = incoming.in_payload
            && incoming.fragments == 1
            && incoming.left == incoming.payload_len();
        if asked && at_start && incoming.opcode().is_some_and(|opcode| !opcode.is_control()) {
            incoming.stream = true;
        }
    }

    // ── input that is kept

    /// Copies what is left of `input` into the connection, so that a read buffer shared with
    /// others is free again while the application cannot take more events. The next
    /// [`receive`](Self::receive), also with an empty input, goes on from there; its events are owned.
    ///
    /// ```
    /// # use sansocket::{Connection, Event, Negotiated};
    /// # let mut ws = Connection::upgraded_client(&Default::default(), Negotiated::default());
    /// # let mut read = *b"\x81\x01a\x81\x01b";
    /// # let mut input = &mut read[..];
    /// # assert!(matches!(ws.receive(&mut input), Some(Event::Open)));
    /// assert!(matches!(ws.receive(&mut input), Some(Event::Message(_))));
    /// ws.hold(&mut input); // the relay behind us is full
    /// assert!(input.is_empty());
    /// // later
    /// assert!(matches!(ws.receive(&mut &mut [][..]), Some(Event::Message(_))));
    /// ```
    pub fn hold(&mut self, input: &mut &mut [u8]) {
        let input = mem::take(input);
        if !input.is_empty() && !self.life.discards() {
            self.clock.heard();
            self.settled(|ws| ws.rare().held.keep(input, usize::MAX));
        }
    }

    /// Reads on in what was kept.
    fn step_held(&mut self) -> Option<Event<'static>> {
        while !self.is_deciding() {
            let rare = self.rare.as_mut()?;
            if rare.held.is_empty() {
                return None;
            }
            let (mut held, at) = rare.held.take();
            let mut input = held.get_mut(at..).unwrap_or_default();
            let event = self.step(&mut input).map(Event::into_owned);
            let left = input.len();
            if left > 0 && !self.life.discards() {
                self.rare().held.put_back(held, left);
            }
            if event.is_some() || self.due_is_set() {
                return event;
            }
        }
        None
    }

    fn due_is_set(&self) -> bool {
        self.life.event_is_due()
    }

    // ── other ways to read

    /// Works on in `input` until the next event is certain: `true` means that the next
    /// [`receive`](Self::receive) on what is left of `input` returns `Some`, `false` that `input`
    /// is used up and more has to be read.
    ///
    /// For an `async fn next(&mut self) -> Option<Event<'_>>` that lends events out of its own
    /// read loop: today's borrow checker refuses to return from inside such a loop what was
    /// borrowed in it, so this does the looping and `receive` the lending.
    ///
    /// ```
    /// use sansocket::{Connection, Event, Message, Transport};
    /// struct Reader<S> { ws: Connection, socket: S, buf: Vec<u8>, start: usize, end: usize }
    ///
    /// impl<S: FnMut(&mut [u8]) -> usize> Reader<S> {
    ///     fn next(&mut self) -> Option<Event<'_>> {
    ///         loop {
    ///             let mut input = &mut self.buf[self.start..self.end];
    ///             let found = self.ws.prepare(&mut input);
    ///             self.start = self.end - input.len();
    ///             if found {
    ///                 break;
    ///             }
    ///             if self.ws.transport() == Transport::Close {
    ///                 return None;
    ///             }
    ///             let n = (self.socket)(&mut self.buf); // an async driver awaits here
    ///             if n == 0 { self.ws.receive_eof() }
    ///             (self.start, self.end) = (0, n);
    ///         }
    ///         let mut input = &mut self.buf[self.start..self.end];
    ///         let before = input.len();
    ///         let event = self.ws.receive(&mut input);
    ///         self.start += before - input.len();
    ///         event
    ///     }
    /// }
    /// # let mut reads = [&b"\x81\x02"[..], b"Hi\x81\x02", b"yo", b""].into_iter();
    /// # let socket = move |buf: &mut [u8]| { let read = reads.next().unwrap_or(b""); buf[..read.len()].copy_from_slice(read); read.len() };
    /// # let ws = Connection::upgraded_client(&Default::default(), Default::default());
    /// # let mut reader = Reader { ws, socket, buf: vec![0; 64], start: 0, end: 0 };
    /// # let mut texts = Vec::new();
    /// # while let Some(event) = reader.next() { if let Event::Message(message) = event { texts.push(message.as_bytes().to_vec()) } }
    /// # assert_eq!(texts, [b"Hi", b"yo"]);
    /// ```
    pub fn prepare(&mut self, input: &mut &mut [u8]) -> bool {
        loop {
            if self.event_is_due() || self.lends_next(input) {
                return true;
            }
            // The last look is at what needs no input, such as Closed behind a failure.
            let last = input.is_empty() && !self.frame_is_due();
            // None of what is found now is lent: that was asked before.
            let mut rest = &mut input[..];
            let before = rest.len();
            let found = self.settled(|ws| {
                let event = ws.prepare_step(&mut rest);
                let found = event.is_some();
                if found {
                    ws.rare().found = event;
                }
                found
            });
            let used = before - rest.len();
            take_front(input, used);
            if found {
                return true;
            }
            if last {
                return self.event_is_due();
            }
        }
    }

    /// The next event of the input that can be found without lending it.
    fn prepare_step(&mut self, input: &mut &mut [u8]) -> Option<Event<'static>> {
        if let Some(event) = self.step_held() {
            return Some(event);
        }
        if input.is_empty() && !self.frame_is_due() {
            return self.opening_at_end().or_else(|| self.closed_event());
        }
        if !input.is_empty() {
            self.clock.heard();
        }
        // One frame at most, so that the next one can be lent.
        if self.life.is_established() && !self.life.discards() {
            return self.noting_split_frames(input, Self::one_frame);
        }
        self.step(input).map(Event::into_owned)
    }

    fn one_frame(&mut self, input: &mut &mut [u8]) -> Option<Event<'static>> {
        if !self.incoming.in_payload {
            // What there is of the payload may be lent.
            return match self.header(input) {
                Ok(event) => event.map(Event::into_owned),
                Err(error) => Some(self.fail(error.into())),
            };
        }
        let len = self.incoming.take_len(input);
        let mut payload = &mut input[..len];
        let event = self.frames(&mut payload).map(Event::into_owned);
        let used = len - payload.len();
        take_front(input, used);
        event
    }

    fn event_is_due(&self) -> bool {
        self.due_is_set() || self.rare.as_ref().is_some_and(|rare| rare.found.is_some())
    }

    /// The input begins with something whose event will be lent from it, or comes out of what is held.
    fn lends_next(&self, input: &[u8]) -> bool {
        let incoming = &self.incoming;
        if !incoming.in_payload {
            return self.next_whole(input, 0).is_some();
        }
        let whole = input.len() as u64 >= incoming.left;
        match incoming.opcode() {
            Some(opcode) if opcode.is_control() => {
                whole
                    && self
                        .rare
                        .as_ref()
                        .is_none_or(|rare| rare.control.is_empty())
            }
            _ if incoming.is_encoded() => false,
            // An empty fragment has nothing to lend, and may bring no event.
            _ if incoming.stream => incoming.left > 0 && !input.is_empty(),
            _ => whole && incoming.is_whole(incoming.take_len(input)),
        }
    }

    /// As [`receive`](Self::receive), for a driver that dedicates a growing buffer to the
    /// connection: an uncompressed binary frame that is not there as a whole stays in `input`, so
    /// that it is not copied twice, and comes out as [`bytes::Bytes`] of that buffer, or copied if it is small.
    /// Everything else is taken as it comes. `None`: read more, behind what is left in `input`.
    ///
    /// ```
    /// use bytes::BytesMut;
    /// use sansocket::{Connection, Event, Message};
    /// let mut ws = Connection::upgraded_client(&Default::default(), Default::default());
    /// let mut input = BytesMut::from(&b"\x82\x03ab"[..]);
    /// assert!(matches!(ws.receive_bytes(&mut input), Some(Event::Open)));
    /// assert!(ws.receive_bytes(&mut input).is_none());
    /// input.extend_from_slice(b"c");
    /// let Some(Event::Message(Message::Binary(payload))) = ws.receive_bytes(&mut input) else { panic!() };
    /// assert_eq!(payload.into_bytes(), "abc");
    /// ```
    #[cfg(feature = "bytes")]
    pub fn receive_bytes(&mut self, input: &mut bytes::BytesMut) -> Option<Event<'static>> {
        use bytes::Buf;

        if self.fast().whole_below() > 0 && input.first() == Some(&0x82) {
            if let Some(whole) = self.next_whole(input, 0) {
                self.clock.heard();
                if mem::take(&mut self.incoming.waiting) != 0 {
                    self.clock.frame_goes_on();
                    self.time_message();
                }
                let mut frame = input.split_to(whole.end);
                whole.payload(&mut frame, self.role() == Role::Server);
                frame.advance(whole.start);
                let payload = if frame.len() < SHARED_MIN {
                    bytes::Bytes::copy_from_slice(&frame)
                } else {
                    frame.freeze()
                };
                return Some(Event::Message(Message::Binary(payload.into())));
            }
            if self.may_become_whole(input) {
                let waiting = u32::try_from(input.len()).unwrap_or(u32::MAX);
                if mem::replace(&mut self.incoming.waiting, waiting) != waiting {
                    self.clock.heard();
                    self.clock.frame_goes_on();
                    self.time_message();
                }
                return self.settled(Self::closed_event);
            }
        }
        let mut rest = &mut input[..];
        let before = rest.len();
        let event = self.settled(|ws| ws.receive_any(&mut rest).map(Event::into_owned));
        let used = before - rest.len();
        input.advance(used);
        event
    }

    /// The input begins with a binary message in one frame that is legal as far as it has come.
    #[cfg(feature = "bytes")]
    fn may_become_whole(&self, input: &[u8]) -> bool {
        let mut reader = HeaderReader::default();
        let rules = self.rules();
        let legal = reader.take(input, |part, header| rules.check(part, header));
        let len = reader.payload_len();
        legal.is_ok() && len.is_none_or(|len| len < self.fast().whole_below().into())
    }
}

/// Smaller payloads are copied out of a buffer that could be shared: they would pin all of it.
#[cfg(feature = "bytes")]
const SHARED_MIN: usize = 4096;
