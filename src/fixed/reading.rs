//! Frames in (RFC 6455 §5, §6.2), by the rules of [`frame`](crate::frame).

use core::mem;

use crate::error::{Failure, Limit, ProtocolError};
use crate::frame::{HeaderPart, HeaderReader, MAX_CONTROL_PAYLOAD, Opcode, Place, RawHeader};
use crate::mask::apply_mask;
use crate::utf8::{self, NotUtf8, Validator};

use super::queue::Leaves;
use super::{Endpoint, Incoming, Room, Stage};

/// How far reading has come.
#[derive(Default)]
pub(super) struct Frames {
    reader: HeaderReader,
    /// Bytes of the frame's payload that have come.
    have: u64,
    /// Bytes of it since the peer counted as heard.
    unheard: u64,
    /// The message in progress.
    message: Option<InProgress>,
    /// The payload of a Ping whose answer waits for room.
    pub(super) unanswered: Option<Payload>,
}

/// A message of which the first frame has begun.
struct InProgress {
    text: bool,
    /// Frames so far.
    fragments: u32,
    /// Bytes of the frames that have ended.
    len: u64,
    /// Of a text.
    validator: Validator,
}

/// The payload of a control frame.
pub(super) struct Payload {
    len: u8,
    bytes: [u8; MAX_CONTROL_PAYLOAD],
}

impl Payload {
    fn new(payload: &[u8]) -> Self {
        let mut bytes = [0; MAX_CONTROL_PAYLOAD];
        let len = payload.len().min(bytes.len());
        bytes[..len].copy_from_slice(&payload[..len]);
        Self {
            len: len as u8, // at most 125
            bytes,
        }
    }

    fn as_slice(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }
}

impl Frames {
    /// A frame without payload has come whole, and was not handed out.
    fn is_due(&self) -> bool {
        self.reader.is_whole() && self.reader.raw().payload_len() == self.have
    }

    /// Nothing that was begun lacks its end.
    pub(super) fn is_idle(&self) -> bool {
        self.reader.is_empty() && self.message.is_none()
    }

    /// Reads on in a header. True when it is whole.
    fn read_header(
        &mut self,
        input: &mut &mut [u8],
        place: Place,
        limits: &FrameLimits,
    ) -> Result<bool, ProtocolError> {
        if self.reader.is_whole() {
            return Ok(true);
        }
        let message = self.message.as_ref();
        let judge = |part: HeaderPart, header: &RawHeader| {
            place.check(part, header)?;
            limits.check(part, header, message)
        };
        let (taken, whole) = self.reader.take(input, judge)?;
        take_front(input, taken);
        if whole {
            self.have = 0;
            self.begin_frame();
        }
        Ok(whole)
    }

    /// The header of a frame is whole, and was judged.
    fn begin_frame(&mut self) {
        let text = match self.reader.raw().opcode() {
            Some(Opcode::Text) => true,
            Some(Opcode::Binary) => false,
            Some(Opcode::Continuation) => {
                if let Some(message) = &mut self.message {
                    message.fragments += 1;
                }
                return;
            }
            _ => return,
        };
        self.message = Some(InProgress {
            text,
            fragments: 1,
            len: 0,
            validator: Validator::new(),
        });
    }

    /// As much of the payload as there is, unmasked; true if it is the end of it.
    fn take_payload<'i>(&mut self, input: &mut &'i mut [u8]) -> (&'i mut [u8], bool) {
        let left = self.reader.raw().payload_len() - self.have;
        let len = usize::try_from(left).map_or(input.len(), |left| left.min(input.len()));
        let payload = take_front(input, len);
        if let Some(key) = self.reader.raw().masking_key() {
            apply_mask(payload, key, self.have);
        }
        self.have += len as u64;
        self.unheard += len as u64;
        (payload, len as u64 == left)
    }

    /// Appends a piece of the message in progress.
    fn gather<'i>(
        &mut self,
        payload: &'i mut [u8],
        (begins, ends): (bool, bool),
        room: &mut Room<'_>,
    ) -> Result<Option<Came<'i>>, ProtocolError> {
        let last = ends && self.reader.raw().fin();
        let Some(message) = &mut self.message else {
            return Ok(None);
        };
        let what = if message.text {
            What::Text
        } else {
            What::Binary
        };
        if begins && last && message.fragments == 1 {
            self.message = None;
            return Ok(Some(Came::Lent(what, payload)));
        }
        if message.text {
            let before = room.used() as u64;
            let broken = |bad: NotUtf8| not_utf8(before + bad.at as u64, false);
            message.validator.push(payload).map_err(broken)?;
        }
        room.gather(payload, room.message());
        if ends {
            message.len = room.used() as u64;
        }
        if !last {
            return Ok(None);
        }
        if !message.validator.is_complete() {
            return Err(not_utf8(room.used() as u64, true));
        }
        self.message = None;
        Ok(Some(Came::Gathered(what)))
    }

    /// Reads on, up to what can be told.
    fn read<'i>(
        &mut self,
        input: &mut &'i mut [u8],
        room: &mut Room<'_>,
        place: Place,
        fragments: u32,
    ) -> Result<Option<Came<'i>>, ProtocolError> {
        let limits = FrameLimits {
            control: room.control() as u64,
            message: room.message() as u64,
            fragments,
        };
        loop {
            let place = Place {
                in_message: self.message.is_some(),
                ..place
            };
            if !self.read_header(input, place, &limits)? || input.is_empty() && !self.is_due() {
                return Ok(None);
            }
            let begins = self.have == 0;
            let (payload, ends) = self.take_payload(input);
            let came = match self.reader.raw().opcode() {
                Some(opcode) if opcode.is_control() => {
                    gather_control(opcode, payload, (begins, ends), room)
                }
                _ => self.gather(payload, (begins, ends), room)?,
            };
            if ends {
                self.reader.restart();
                self.unheard = HEARD;
            }
            if came.is_some() {
                return Ok(came);
            }
        }
    }

    /// A frame has ended, or much of one has come, since this was asked last.
    fn take_heard(&mut self) -> bool {
        let heard = self.unheard >= HEARD;
        if heard {
            self.unheard = 0;
        }
        heard
    }
}

/// Appends a piece of a control frame's payload.
fn gather_control<'i>(
    opcode: Opcode,
    payload: &'i mut [u8],
    (begins, ends): (bool, bool),
    room: &mut Room<'_>,
) -> Option<Came<'i>> {
    let what = What::Control(opcode);
    if begins && ends {
        return Some(Came::Lent(what, payload));
    }
    room.gather_control(payload);
    ends.then_some(Came::Gathered(what))
}

/// So many bytes of an unfinished frame prove that the peer lives.
const HEARD: u64 = 1024;

const fn not_utf8(at: u64, cut: bool) -> ProtocolError {
    ProtocolError::TextNotUtf8 { at, cut }
}

/// What the caller's room and settings let through (RFC 6455 §10.4).
struct FrameLimits {
    control: u64,
    message: u64,
    fragments: u32,
}

impl FrameLimits {
    fn check(
        &self,
        part: HeaderPart,
        header: &RawHeader,
        message: Option<&InProgress>,
    ) -> Result<(), ProtocolError> {
        let (limit, value, max) = match part {
            // Of a room that is too short for them.
            HeaderPart::Length { payload_len } if header.is_control() => {
                (Limit::Frame, payload_len, self.control)
            }
            _ if header.is_control() => return Ok(()),
            HeaderPart::First => {
                let fragments = message.map_or(1, |message| message.fragments + 1);
                (Limit::Fragments, fragments.into(), self.fragments.into())
            }
            HeaderPart::Second => return Ok(()),
            HeaderPart::Length { payload_len } => {
                let before = message.map_or(0, |message| message.len);
                (
                    Limit::Message,
                    before.saturating_add(payload_len),
                    self.message,
                )
            }
        };
        if value <= max {
            Ok(())
        } else {
            Err(ProtocolError::Limit { limit, value, max })
        }
    }
}

/// Takes so many bytes off the front.
pub(super) fn take_front<'i>(input: &mut &'i mut [u8], len: usize) -> &'i mut [u8] {
    let (front, rest) = mem::take(input).split_at_mut(len);
    *input = rest;
    front
}

/// What came, before it is told.
pub(super) enum Came<'i> {
    /// It lies in the input.
    Lent(What, &'i mut [u8]),
    /// It was put together in the room.
    Gathered(What),
}

/// What it is.
#[derive(Clone, Copy)]
pub(super) enum What {
    /// Of an opening handshake: so many bytes of what is in the room.
    Head(usize),
    Text,
    Binary,
    Control(Opcode),
}

impl Endpoint<'_> {
    /// Takes bytes from the peer and returns what came of them, or `None` when all of `input` was taken.
    ///
    /// Call it until it returns `None`, also with an empty input: the end of the stream, deadlines and written
    /// output bring something too. `room` is the same at each call. What is lent is lent from `input`, unmasked
    /// in place, or from `room`.
    pub fn receive<'e, 'i: 'e>(
        &mut self,
        input: &mut &'i mut [u8],
        room: &'e mut Room<'_>,
    ) -> Option<Incoming<'e>> {
        if let Some(told) = self.due() {
            return Some(told);
        }
        let read = self.read(input, room);
        if !matches!(read, Ok(None)) {
            self.clock.in_time();
        }
        Some(match read {
            Ok(None) => return self.nothing_came(),
            Err(Failure::Handshake(error)) => self.opening_failed(error),
            Err(failure) => self.failed(failure),
            Ok(Some(Came::Lent(what, bytes))) => self.tell(what, bytes),
            Ok(Some(Came::Gathered(what))) => {
                let bytes = match what {
                    What::Head(len) => room.take(len),
                    What::Text | What::Binary => room.take(room.used()),
                    What::Control(_) => room.take_control(),
                };
                self.tell(what, bytes)
            }
        })
    }

    /// The end, and what deadlines bring.
    fn nothing_came<'e>(&mut self) -> Option<Incoming<'e>> {
        let told = self.closed();
        if told.is_some() {
            self.clock.in_time();
        } else if self.judge_last_chance() {
            return self.due().or_else(|| self.closed());
        }
        told
    }

    /// What needs no input.
    fn due<'e>(&mut self) -> Option<Incoming<'e>> {
        if !mem::take(&mut self.report.untold) && !self.life.take_failure() {
            return None;
        }
        self.clock.in_time();
        self.report.failure.map(Incoming::Failed)
    }

    /// Reads on, up to what can be told.
    fn read<'i>(
        &mut self,
        input: &mut &'i mut [u8],
        room: &mut Room<'_>,
    ) -> Result<Option<Came<'i>>, Failure> {
        self.answer_undecided();
        if !input.is_empty() {
            self.clock.trickled();
        }
        if self.life.discards() {
            *input = &mut [];
            return Ok(None);
        }
        let came = match &mut self.stage {
            Stage::Opening(opening) => opening.read(input, room)?,
            Stage::Frames(frames) => {
                let place = Place {
                    reader: self.life.role(),
                    bits: 0,
                    first_bits: 0,
                    in_message: false,
                };
                let came = frames.read(input, room, place, self.options.fragments);
                if frames.take_heard() {
                    self.clock.heard();
                }
                came?
            }
        };
        self.note_message_time();
        Ok(came)
    }

    fn tell<'e>(&mut self, what: What, bytes: &'e mut [u8]) -> Incoming<'e> {
        match what {
            What::Head(_) => self.head_came(bytes),
            What::Text => match utf8::validate(bytes) {
                Ok(text) => Incoming::Text(text),
                Err(bad) => {
                    let error = not_utf8(bad.at as u64, bad.at == bytes.len());
                    self.failed(error.into())
                }
            },
            What::Binary => Incoming::Binary(bytes),
            What::Control(Opcode::Ping) => {
                self.answer_ping(bytes);
                Incoming::Ping(bytes)
            }
            What::Control(Opcode::Pong) => Incoming::Pong {
                round_trip: self.pong_came(bytes),
                payload: bytes,
            },
            What::Control(_) => self.close_came(bytes),
        }
    }

    // ── pings of the peer's

    /// RFC 6455 §5.5.2: answered with the same payload, also after our own Close frame.
    fn answer_ping(&mut self, payload: &[u8]) {
        if self.life.is_unwritable() || self.queue_pong(payload) {
            return;
        }
        // §5.5.3: where pongs pile up only the latest ping needs its answer.
        if let Stage::Frames(frames) = &mut self.stage {
            frames.unanswered = Some(Payload::new(payload));
        }
    }

    fn queue_pong(&mut self, payload: &[u8]) -> bool {
        let pong = (true, Opcode::Pong);
        let key = self.masking_key();
        key.is_ok_and(|key| self.queue.frame(pong, key, payload, Leaves::Close))
    }

    /// Output has left: there may be room for the answer that had to wait.
    pub(super) fn answer_latest_ping(&mut self) {
        let Stage::Frames(frames) = &mut self.stage else {
            return;
        };
        if let Some(ping) = frames.unanswered.take()
            && !self.is_over()
            && !self.queue_pong(ping.as_slice())
            && let Stage::Frames(frames) = &mut self.stage
        {
            frames.unanswered = Some(ping);
        }
    }
}
