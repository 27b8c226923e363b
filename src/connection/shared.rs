//! Input in a buffer whose parts can be shared, so that large messages are not copied.

use alloc::vec::Vec;
use core::mem;

use bytes::{Buf, Bytes, BytesMut};

use crate::event::{Message, Text};
use crate::frame::{FrameHeader, HeaderReader, Opcode};
use crate::role::Role;
use crate::utf8;

use super::Connection;
use super::event::Event;
use super::gathering::{bad_whole_text, whole_text};

impl Connection {
    /// As [`receive`](Self::receive), for a driver that dedicates a growing buffer to the
    /// connection: an uncompressed binary frame that is not there as a whole stays in `input`, so
    /// that it is not copied twice, and comes out as [`bytes::Bytes`] of that buffer, or copied if it is small.
    /// So does a text in one frame that is there as a whole; one that is not is taken as it comes, as
    /// each of its bytes is judged at once, and so is everything else. `None`: read more, after what is left
    /// in `input`.
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
    pub fn receive_bytes(&mut self, input: &mut BytesMut) -> Option<Event<'static>> {
        let below = self.whole_below_whenever();
        if below > 0 && matches!(input.first(), Some(0x81 | 0x82)) {
            if let Some(whole) = self.whole_message_below(input, 0, below) {
                let (waited, _) = self.reading.wait_with(0);
                if waited || !self.clock.is_undisturbed() {
                    self.settled(|ws| ws.clock.heard());
                } else {
                    self.clock.heard_again();
                }
                let masked = self.role() == Role::Server;
                if whole.end - whole.start < SHARED_MIN {
                    let payload = whole.payload(&mut input[..whole.end], masked);
                    let event = match whole.opcode {
                        Opcode::Text => match whole_text(payload) {
                            Ok(text) => Event::Message(Message::Text(text.into_string().into())),
                            Err(error) => self.settled(|ws| ws.fail_for(error.into())),
                        },
                        _ => Event::Message(Message::Binary(payload.to_vec().into())),
                    };
                    input.advance(whole.end);
                    return Some(event);
                }
                let mut frame = input.split_to(whole.end);
                whole.payload(&mut frame, masked);
                frame.advance(whole.start);
                return Some(self.shared(whole.opcode, frame.freeze()));
            }
            if input.first() == Some(&0x82) && self.may_become_whole(input, below) {
                let (more, moved_on) = self.reading.wait_with(input.len());
                if more {
                    self.settled(|ws| {
                        if moved_on {
                            ws.clock.heard();
                        } else {
                            ws.clock.trickled();
                        }
                    });
                }
                return self.settled(|ws| ws.receive_in_time(&mut &mut [][..]));
            }
        }
        // What waited there is delivered now.
        self.reading.wait_with(0);
        let mut rest = &mut input[..];
        let before = rest.len();
        let event = self.settled(|ws| ws.receive_in_time(&mut rest).map(Event::into_owned));
        let used = before - rest.len();
        input.advance(used);
        event
    }

    /// Makes room for the next read at the end of the buffer that [`receive_bytes`](Self::receive_bytes) takes, and
    /// returns how much should be read: 64 KiB, or what lacks of a binary frame of 4 KiB and more whose beginning
    /// waits there. So the buffer ends with the frame, and the message keeps no memory beyond its own.
    ///
    /// It is never more than 64 KiB or than what has come of the frame, so that memory follows what was received,
    /// not what was announced (RFC 6455 §10.4).
    ///
    /// ```
    /// use bytes::BytesMut;
    /// use sansocket::{Connection, Event};
    /// # fn read(to: &mut BytesMut, n: usize) { to.extend(std::iter::repeat_n(7, n)); }
    /// let mut ws = Connection::upgraded_client(&Default::default(), Default::default());
    /// let mut input = BytesMut::from(&b"\x82\x7e\x40\x00"[..]);
    /// assert!(matches!(ws.receive_bytes(&mut input), Some(Event::Open)));
    /// assert!(ws.receive_bytes(&mut input).is_none());
    /// let room = ws.receive_bytes_room(&mut input);
    /// assert_eq!((room, input.capacity()), (16 << 10, 4 + (16 << 10)));
    /// read(&mut input, room);
    /// assert!(matches!(ws.receive_bytes(&mut input), Some(Event::Message(_))));
    /// ```
    pub fn receive_bytes_room(&self, input: &mut BytesMut) -> usize {
        let Some(lacks) = self.lacks_of_waiting(input) else {
            input.reserve(READ);
            return READ;
        };
        if input.capacity() - input.len() < lacks {
            // `BytesMut` would double.
            let mut exact = Vec::from(mem::take(input));
            exact.reserve_exact(lacks);
            *input = Bytes::from(exact).into();
        }
        lacks
    }

    /// What lacks of a large frame that begins the input, up to what may be read next.
    fn lacks_of_waiting(&self, input: &[u8]) -> Option<usize> {
        let (header, header_len) = FrameHeader::decode(input).ok()??;
        if !self.reading.is_idle() || header.payload_len < SHARED_MIN as u64 {
            return None;
        }
        let frame_len = header.payload_len.saturating_add(header_len as u64);
        let lacks = frame_len.saturating_sub(input.len() as u64);
        let most = input.len().max(READ) as u64;
        // `as`: `most` is in memory.
        (lacks > 0).then(|| lacks.min(most) as usize)
    }

    /// A message in one frame, in bytes that are shared.
    fn shared(&mut self, opcode: Opcode, payload: Bytes) -> Event<'static> {
        if opcode == Opcode::Binary {
            return Event::Message(Message::Binary(payload.into()));
        }
        match Text::from_bytes(payload.clone()) {
            Ok(text) => Event::Message(Message::Text(text)),
            Err(_) => {
                let error = bad_whole_text(&payload, utf8::first_bad(&payload));
                self.settled(|ws| ws.fail_for(error.into()))
            }
        }
    }

    /// The input begins with a binary message in one frame that is legal as far as it has come.
    fn may_become_whole(&self, input: &[u8], below: u32) -> bool {
        let mut reader = HeaderReader::default();
        let rules = self.rules();
        let legal = reader.take(input, |part, header| rules.check(part, header));
        let len = reader.payload_len();
        // One without a mask, where a server takes it, goes the general way.
        let usual = input.len() < 2 || reader.raw().is_masked() == (self.role() == Role::Server);
        legal.is_ok() && usual && len.is_none_or(|len| len < below.into())
    }
}

/// Smaller payloads are copied out of a buffer that could be shared: they would pin all of it.
const SHARED_MIN: usize = 4096;

/// What is read at a time where nothing is known of what comes.
const READ: usize = 64 << 10;
