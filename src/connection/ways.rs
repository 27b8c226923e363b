//! Other ways to read: input that is kept, events found before they are lent, a buffer that grows,
//! and payload read straight into the message.

use alloc::string::String;
use alloc::vec::Vec;
use core::mem;

use crate::config::Delivery;
use crate::event::Message;
use crate::frame::{FrameHeader, Opcode, WholeMessage};
use crate::mask::extend_masked;
use crate::role::Role;
use crate::utf8;

use super::Connection;
use super::event::Event;
use super::gathering::bad_whole_text;
use super::reading::take_front;

impl Connection {
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
    /// ws.keep_input(&mut input); // the next connection is full
    /// assert!(input.is_empty());
    /// // later
    /// assert!(matches!(ws.receive(&mut &mut [][..]), Some(Event::Message(_))));
    /// ```
    pub fn keep_input(&mut self, input: &mut &mut [u8]) {
        let input = mem::take(input);
        self.hear(input);
        if !input.is_empty() && !self.life.discards() {
            self.settled(|ws| ws.keep_within(input));
        }
    }

    /// As [`receive`](Self::receive), over input that may not be written to, such as a buffer that belongs
    /// to another language: what is taken is copied, and unmasked on the way. The events are owned.
    ///
    /// ```
    /// # use sansocket::{Connection, Event, Negotiated, ServerConfig};
    /// # let mut ws = Connection::upgraded_server(&ServerConfig::upgraded(), Negotiated::default());
    /// let read: &[u8] = b"\x81\x82\0\0\0\0Hi";
    /// let mut input = read;
    /// assert!(matches!(ws.receive_copy(&mut input), Some(Event::Open)));
    /// let Some(Event::Message(message)) = ws.receive_copy(&mut input) else { panic!() };
    /// assert_eq!(message, "Hi");
    /// assert!(ws.receive_copy(&mut input).is_none() && input.is_empty());
    /// ```
    pub fn receive_copy(&mut self, input: &mut &[u8]) -> Option<Event<'static>> {
        if let Some(whole) = self.next_whole(input, 0) {
            let (frame, rest) = input.split_at(whole.end);
            *input = rest;
            self.clock.heard_again();
            return Some(self.copied(whole, frame));
        }
        if self.settings().delivery != Delivery::Whole && self.reads_frames() {
            return self.copy_chunks(input);
        }
        let mut copy = [0; COPIED];
        // Not all of it at first, as a small frame may end it.
        let long = self.reading.in_payload() && self.reading.left() >= COPIED as u64;
        let mut most = if long { COPIED } else { COPIED / 16 };
        loop {
            let n = input.len().min(most);
            copy[..n].copy_from_slice(&input[..n]);
            let mut piece = &mut copy[..n];
            let event = self.receive(&mut piece).map(Event::into_owned);
            let left = piece.len();
            *input = &input[n - left..];
            if event.is_some() || input.is_empty() {
                return event;
            }
            most = COPIED.min(2 * most);
        }
    }

    /// A header by itself, so that a chunk is as long as the payload in the input.
    fn copy_chunks(&mut self, input: &mut &[u8]) -> Option<Event<'static>> {
        loop {
            let n = if self.reading.in_payload() {
                self.reading.next_len(input)
            } else if self.reading.is_idle()
                && let Ok(Some((_, len))) = FrameHeader::decode(input)
            {
                len
            } else {
                1
            };
            // Where nothing of the payload is missing, too: something is taken each time.
            let n = n.max(1).min(input.len());
            let mut copy = input[..n].to_vec();
            let mut piece = &mut copy[..];
            let event = self.receive(&mut piece).map(Event::into_owned);
            let left = piece.len();
            *input = &input[n - left..];
            if event.is_some() || input.is_empty() {
                return event;
            }
        }
    }

    /// A message in one frame, copied once.
    fn copied(&mut self, whole: WholeMessage, frame: &[u8]) -> Event<'static> {
        let (header, payload) = frame.split_at(whole.start);
        let key = header.last_chunk().copied();
        let key = key.filter(|_| self.role() == Role::Server);
        let mut bytes = Vec::with_capacity(payload.len());
        extend_masked(&mut bytes, key, payload);
        if whole.opcode == Opcode::Binary {
            return Event::Message(Message::Binary(bytes.into()));
        }
        match String::from_utf8(bytes) {
            Ok(text) => Event::Message(Message::Text(text.into())),
            Err(error) => {
                let text = error.as_bytes();
                let error = bad_whole_text(text, utf8::first_bad(text));
                self.settled(|ws| ws.fail_for(error.into()))
            }
        }
    }

    /// Works on in `input` until the next event is certain: `true` means that the next
    /// [`receive`](Self::receive) on what is left of `input` returns `Some`, `false` that `input`
    /// is used up and more has to be read.
    ///
    /// So it also tells, after an event, whether another one comes out of this read, or that was the last
    /// of it: for who acts on the newest message only, or flushes once for each read.
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
    ///             let found = self.ws.find_event(&mut input);
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
    pub fn find_event(&mut self, input: &mut &mut [u8]) -> bool {
        loop {
            if self.event_is_due() || self.lends_next(input) {
                self.no_longer_late();
                return true;
            }
            // The last look is at what needs no input, such as Closed after a failure.
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
            if last && !self.event_is_due() && !self.settled(Self::judge_last_chance) {
                return self.event_is_due();
            }
        }
    }

    /// The next event of the input that can be found without lending it.
    fn prepare_step(&mut self, input: &mut &mut [u8]) -> Option<Event<'static>> {
        if let Some(event) = self.step_held() {
            return Some(event);
        }
        // An answer that was held has opened the connection: what else was held comes before this input.
        if self.due_is_set() {
            return None;
        }
        if input.is_empty() && !self.frame_is_due() {
            return self.opening_at_end().or_else(|| self.closed_event());
        }
        self.hear(input);
        if !self.life.is_established() || self.life.discards() {
            return self.step(input).map(|event| self.own(event));
        }
        // One frame at most, so that the next one can be lent; its payload by itself, as what there
        // is of it may be lent too.
        if self.reading.in_payload() {
            let len = self.reading.next_len(input);
            let mut payload = &mut input[..len];
            let event = self.frames_rarely(&mut payload);
            let event = event.map(|event| self.own(event));
            let used = len - payload.len();
            take_front(input, used);
            return event;
        }
        let place = self.reading.place();
        let event = match self.header(input) {
            Ok(event) => event,
            Err(error) => Some(self.fail_for(error.into())),
        };
        self.note_heard(place, true);
        event
    }

    fn event_is_due(&self) -> bool {
        self.due_is_set() || self.rare.as_ref().is_some_and(|rare| rare.found.is_some())
    }

    /// The input begins with something whose event will be lent from it, or comes out of what is held.
    fn lends_next(&self, input: &[u8]) -> bool {
        let (reading, gathering) = (&self.reading, &self.gathering);
        if !reading.in_payload() {
            return self.next_whole(input, 0).is_some();
        }
        let whole = input.len() as u64 >= reading.left();
        if !reading.in_payload_of_data() {
            let begun = |rare: &super::Rare| !rare.control.is_empty();
            return whole && !self.rare.as_deref().is_some_and(begun);
        }
        if gathering.is_encoded() {
            return false;
        }
        if gathering.is_in_chunks() {
            // An empty fragment has nothing to lend.
            return reading.left() > 0 && !input.is_empty();
        }
        whole && reading.ends_message_with(reading.next_len(input)) && gathering.is_empty()
    }

    /// Where the rest of a large binary message is gathered: read into it from the transport
    /// instead of the read buffer, then say how much came with [`receive_target_filled`](Self::receive_target_filled).
    ///
    /// `None` unless the payload of a binary message that is delivered whole is due, 4 KiB of it at
    /// least: less goes through the read buffer with whatever follows it. The target ends with
    /// the frame at the latest and is never longer than 64 KiB or than what came before,
    /// so that memory follows what was received, not what was announced (RFC 6455 §10.4).
    ///
    /// ```
    /// # use sansocket::{Connection, Event, Message, Negotiated, OriginPolicy, ServerConfig};
    /// # fn read(target: &mut [u8]) -> usize { target.len() }
    /// # let mut ws = Connection::upgraded_client(&Default::default(), Negotiated::default());
    /// # let mut head = [0x82, 0x7e, 0x40, 0x00];
    /// # let mut input = &mut head[..];
    /// # while ws.receive(&mut input).is_some() {}
    /// // The header of a frame of 16 KiB has come; now its payload:
    /// while let Some(target) = ws.receive_target() {
    ///     let n = read(target);
    ///     ws.receive_target_filled(n);
    /// }
    /// let Some(Event::Message(Message::Binary(payload))) = ws.receive(&mut &mut [][..]) else { panic!() };
    /// assert_eq!(payload.len(), 16 << 10);
    /// ```
    pub fn receive_target(&mut self) -> Option<&mut [u8]> {
        let left = self.target_left();
        let limit = self.settings().limits.message;
        let room = self.room_to_gather();
        let grown = |capacity, needed| room.grown(capacity, needed, limit);
        self.gathering.target(left, grown)
    }

    /// Payload bytes of a data frame that are due next; 0 if anything comes first.
    fn target_left(&self) -> u64 {
        let rare = self.rare.as_deref();
        let first = rare.is_some_and(|rare| !rare.held.is_empty() || rare.found.is_some());
        if !self.reading.in_payload_of_data() || first || self.life.open_is_due() {
            return 0;
        }
        self.reading.left()
    }

    /// The first `n` bytes of the [`receive_target`](Self::receive_target) were filled from the
    /// transport. The message comes from the next [`receive`](Self::receive). Without a target, or
    /// with more than it has room for, excess bytes are ignored.
    pub fn receive_target_filled(&mut self, n: usize) {
        let left = self.target_left();
        let n = self.gathering.target_filled(n, left, self.reading.key());
        if n > 0 {
            let place = self.reading.place();
            self.reading.advance(n);
            self.note_heard(place, true);
        }
    }
}

/// So much of the input is copied at a time, where it is not one whole message.
const COPIED: usize = 2048;
