//! One direction of a conversation: heads, then frames (RFC 6455 §5), as the bytes come.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::mem;

use crate::config::Settings;
use crate::error::HandshakeError;
use crate::event::message::Kind;
use crate::frame::{HeaderReader, Opcode, Place, decode_close};
use crate::handshake::{HeadReader, RefusalReader};
use crate::mask::{MaskingKey, apply_mask};
use crate::role::Role;

use super::decoder::Decoder;
use super::gathering::UnderWay;
use super::opening::read_head;
use super::search::search;
use super::seen::{Frame, Rule, Violation};

/// The bytes that one end sends.
pub(super) struct Half {
    pub(super) from: Role,
    /// Where in its direction the next byte is.
    pub(super) offset: u64,
    pub(super) phase: NextByte,
    /// The head, the control payload or the message that was told last: lent until the next call.
    pub(super) told: Vec<u8>,
    pub(super) told_at: u64,
    wire: Wire,
}

/// What the next byte is.
pub(super) enum NextByte {
    Head(Box<HeadReader>, u64),
    Body(Box<RefusalReader>),
    /// Nothing can be said before the other direction has answered.
    Waiting,
    Frames(FrameStage),
    Searching,
    Opaque,
}

#[derive(Clone, Copy)]
pub(super) enum FrameStage {
    Header,
    /// In the payload of the frame, of which so many bytes are left.
    Payload(u64),
    /// All of the frame is there.
    End,
}

/// The frames of a direction.
struct Wire {
    headers: HeaderReader,
    frame: Option<Frame>,
    /// Boxed, as most conversations are between messages.
    message: Option<Box<UnderWay>>,
    /// The message that was told last.
    ended: Option<Box<UnderWay>>,
    control: Vec<u8>,
    decoder: Option<Decoder>,
    /// The reserved bits that are in use (RFC 6455 §5.2), and the codec's.
    bits: u8,
    codec_bit: u8,
    /// A message was begun; `None` if its beginning may have been missed.
    in_message: Option<bool>,
    /// The next frame is one that was searched for.
    probable: bool,
    uncertain: bool,
    /// So many bytes are needed for another search.
    next_search: usize,
    /// Bytes that this search has passed over, and those of all searches before it.
    passed: u64,
    passed_before: u64,
}

/// What came of the bytes, as far as it does not lie in them.
pub(super) enum HalfStep {
    /// A head lies in `told`.
    Head,
    /// A head fails before it is whole.
    BadHead(HandshakeError),
    /// A header: it is [`Half::frame`].
    Frame,
    /// The bytes that were taken.
    Payload {
        offset: u64,
        key: Option<MaskingKey>,
    },
    Message,
    Control(Opcode),
    /// Where a frame begins, and how many bytes were passed over before it.
    Found(u64, u64),
    /// Nothing to tell, and the next step may be taken.
    On,
    /// More bytes, or the other direction.
    Nothing,
}

/// A search looks at so many bytes at a time at most.
pub(super) const WINDOW: usize = 1 << 20;

/// And at so many at least.
const SEARCHED: usize = 32;

/// Payload of control frames that is kept, of those too that are longer than they may be.
const CONTROL: usize = 125;

impl Half {
    pub(super) fn new(from: Role) -> Self {
        Self {
            from,
            offset: 0,
            phase: NextByte::Head(Box::new(head_reader(from)), 0),
            told: Vec::new(),
            told_at: 0,
            wire: Wire {
                headers: HeaderReader::default(),
                frame: None,
                message: None,
                ended: None,
                control: Vec::new(),
                decoder: None,
                bits: 0,
                codec_bit: 0,
                in_message: Some(false),
                probable: false,
                uncertain: false,
                next_search: SEARCHED,
                passed: 0,
                passed_before: 0,
            },
        }
    }

    /// The next head begins here.
    pub(super) fn next_head(&mut self) {
        self.phase = NextByte::Head(Box::new(head_reader(self.from)), self.offset);
    }

    /// What was read of a head that is none, and where it begins.
    pub(super) fn take_head(&mut self) -> (Vec<u8>, u64) {
        match &mut self.phase {
            NextByte::Head(reader, at) => (reader.take_read(), *at),
            _ => (Vec::new(), self.offset),
        }
    }

    /// Frames begin here.
    pub(super) fn open(&mut self, bits: u8, decoder: Option<(Decoder, u8)>) {
        self.phase = NextByte::Frames(FrameStage::Header);
        self.wire.bits = bits;
        let (decoder, bit) = decoder.unzip();
        self.wire.decoder = decoder;
        self.wire.codec_bit = bit.unwrap_or_default();
    }

    /// Where the next frame begins is not known, and the codec's context is not the sender's any more.
    pub(super) fn lose(&mut self) {
        self.phase = NextByte::Searching;
        self.wire.decoder = None;
        self.wire.headers.restart();
        self.wire.message = None;
        self.wire.in_message = None;
        self.wire.next_search = SEARCHED;
        self.wire.passed_before += mem::take(&mut self.wire.passed);
    }

    /// Bytes that were seen are not told, if it is in a search.
    pub(super) fn pass(&mut self, len: u64) {
        if matches!(self.phase, NextByte::Searching) {
            self.wire.passed += len;
        }
    }

    /// Bytes that searches have passed over.
    pub(super) fn passed(&self) -> u64 {
        self.wire.passed_before + self.wire.passed
    }

    pub(super) fn message(&self) -> Option<&UnderWay> {
        self.wire.ended.as_deref()
    }

    pub(super) fn frame(&self) -> Option<&Frame> {
        self.wire.frame.as_ref()
    }

    /// The codec stopped inside a message, or missed some.
    pub(super) fn needs_decoder(&self) -> bool {
        self.wire.decoder.is_none() && self.wire.codec_bit != 0
    }

    pub(super) fn set_decoder(&mut self, decoder: Option<Decoder>) {
        self.wire.decoder = decoder;
    }

    /// Gives up memory of the codec that can be had again.
    pub(super) fn park(&mut self) {
        if let Some(decoder) = &mut self.wire.decoder {
            decoder.park();
        }
    }

    /// Gives up the codec, and with it what later messages refer to.
    pub(super) fn forget_context(&mut self) {
        self.wire.decoder = None;
        if let Some(message) = self.wire.message.as_mut().filter(|own| own.encoded) {
            message.hole(0);
        }
    }

    /// Takes from the front of `bytes`, and says how many; `ended`: no others follow them.
    pub(super) fn step(
        &mut self,
        bytes: &[u8],
        ended: bool,
        after_close: bool,
        settings: &Settings,
    ) -> (usize, HalfStep) {
        let (taken, step) = match &mut self.phase {
            NextByte::Head(_, at) if *at == self.offset && bytes.len() < 2 && !ended => {
                (0, HalfStep::Nothing)
            }
            NextByte::Head(reader, at) => {
                let before = self.offset - *at;
                let (taken, head) = read_head(reader, before, bytes, &settings.limits);
                let step = match head {
                    Ok(None) => HalfStep::Nothing,
                    Ok(Some(head)) => {
                        (self.told, self.told_at) = (head, *at);
                        HalfStep::Head
                    }
                    Err(error) => HalfStep::BadHead(error),
                };
                (taken, step)
            }
            NextByte::Body(reader) => {
                // In parts, so that what it keeps stays small.
                let part = &bytes[..bytes.len().min(64 << 10)];
                let taken = reader.feed(part);
                reader.forget();
                if ended && taken == bytes.len() {
                    reader.end();
                }
                if reader.is_done() {
                    self.offset += taken as u64;
                    self.next_head();
                    return (taken, HalfStep::On);
                }
                (taken, HalfStep::Nothing)
            }
            NextByte::Waiting => (0, HalfStep::Nothing),
            NextByte::Opaque => (bytes.len(), HalfStep::Nothing),
            NextByte::Searching => self.search(bytes, ended),
            NextByte::Frames(stage) => {
                let stage = *stage;
                self.frames(stage, bytes, after_close, settings)
            }
        };
        self.offset += taken as u64;
        (taken, step)
    }

    fn search(&mut self, bytes: &[u8], ended: bool) -> (usize, HalfStep) {
        // At the same lengths however the bytes are cut, each twice the one before, so that no byte is
        // looked at more than twice.
        let next = self.wire.next_search;
        let (part, last) = match bytes.get(..next) {
            Some(part) => (part, false),
            None if ended => (bytes, true),
            None => return (0, HalfStep::Nothing),
        };
        let bits = self.wire.bits | self.wire.codec_bit;
        if let Some(found) = search(part, self.from.peer(), bits, last) {
            self.phase = NextByte::Frames(FrameStage::Header);
            self.wire.in_message = Some(found.in_message);
            self.wire.probable = true;
            self.wire.uncertain = !found.certain;
            self.wire.passed += found.at as u64;
            let at = self.offset + found.at as u64;
            return (found.at, HalfStep::Found(at, self.wire.passed));
        }
        if last {
            self.wire.passed += bytes.len() as u64;
            return (bytes.len(), HalfStep::Nothing);
        }
        self.wire.next_search = (2 * next).min(WINDOW);
        let taken = if next == WINDOW { WINDOW / 2 } else { 0 };
        self.wire.passed += taken as u64;
        (taken, HalfStep::On)
    }

    fn frames(
        &mut self,
        stage: FrameStage,
        bytes: &[u8],
        after_close: bool,
        settings: &Settings,
    ) -> (usize, HalfStep) {
        match stage {
            FrameStage::Header => self.header(bytes, after_close),
            FrameStage::Payload(0) => {
                self.phase = NextByte::Frames(FrameStage::End);
                (0, self.payload(&[], 0, settings))
            }
            FrameStage::Payload(_) if bytes.is_empty() => (0, HalfStep::Nothing),
            FrameStage::Payload(left) => {
                let taken = usize::try_from(left).map_or(bytes.len(), |left| left.min(bytes.len()));
                let left = left - taken as u64;
                self.phase = NextByte::Frames(if left == 0 {
                    FrameStage::End
                } else {
                    FrameStage::Payload(left)
                });
                (taken, self.payload(&bytes[..taken], left, settings))
            }
            FrameStage::End => {
                self.phase = NextByte::Frames(FrameStage::Header);
                (0, self.end_of_frame())
            }
        }
    }

    fn header(&mut self, bytes: &[u8], after_close: bool) -> (usize, HalfStep) {
        let started = self.offset - self.wire.headers.taken() as u64;
        let read = self.wire.headers.take(bytes, |_, _| Ok::<_, ()>(()));
        let Ok((taken, true)) = read else {
            return (read.map_or(0, |(taken, _)| taken), HalfStep::Nothing);
        };
        let raw = *self.wire.headers.raw();
        self.wire.headers.restart();
        let frame = self.wire.judge(raw, self.from, started, after_close);
        self.wire.frame = Some(frame);
        if raw.payload_len() >> 63 != 0 {
            // RFC 6455 §5.2: no frame has such a length. What follows it is found by a search.
            self.lose();
        } else {
            self.wire.begin(&frame);
            self.phase = NextByte::Frames(FrameStage::Payload(raw.payload_len()));
        }
        (taken, HalfStep::Frame)
    }

    fn payload(&mut self, bytes: &[u8], left: u64, settings: &Settings) -> HalfStep {
        let Some(frame) = self.wire.frame else {
            return HalfStep::Nothing;
        };
        let offset = frame.payload_len() - left - bytes.len() as u64;
        self.wire.take(&frame, bytes, offset, left == 0, settings);
        HalfStep::Payload {
            offset,
            key: frame.masking_key(),
        }
    }

    fn end_of_frame(&mut self) -> HalfStep {
        let Some(frame) = self.wire.frame else {
            return HalfStep::On;
        };
        match frame.opcode() {
            Some(opcode) if opcode.is_control() => {
                self.told = mem::take(&mut self.wire.control);
                HalfStep::Control(opcode)
            }
            Some(_) if frame.fin() => {
                self.wire.in_message = Some(false);
                match self.wire.message.take() {
                    Some(mut message) => {
                        message.end();
                        self.wire.ended = Some(message);
                        HalfStep::Message
                    }
                    None => HalfStep::On,
                }
            }
            _ => HalfStep::On,
        }
    }

    /// So many bytes are missing here. Where that leaves the reader in the middle of a known
    /// payload or at its end it goes on from there.
    pub(super) fn gap(&mut self, len: u64) -> Option<u64> {
        let at = self.offset;
        self.offset += len;
        match &mut self.phase {
            NextByte::Frames(FrameStage::Payload(left)) if len <= *left => {
                *left -= len;
                let done = *left == 0;
                if done {
                    self.phase = NextByte::Frames(FrameStage::End);
                }
                self.wire.hole(len);
                return None;
            }
            NextByte::Opaque => return None,
            NextByte::Searching => {
                self.wire.next_search = SEARCHED;
                return None;
            }
            _ => {}
        }
        self.lose();
        Some(at)
    }

    /// What is wrong with the payload of a Close frame.
    pub(super) fn close_violation(&self, payload: &[u8]) -> Option<Violation> {
        let offset = self.wire.frame.map_or(0, |frame| frame.offset());
        let error = decode_close(payload).err()?;
        Some(Violation {
            by: self.from,
            rule: Rule::Protocol(error),
            offset,
        })
    }

    /// Gives up what was told.
    pub(super) fn forget(&mut self) {
        self.told = Vec::new();
        self.wire.ended = None;
    }

    pub(super) fn memory_held(&self) -> usize {
        let gathered = |message: &Option<Box<UnderWay>>| {
            message.as_ref().map_or(0, |message| {
                size_of::<UnderWay>() + message.payload.capacity() + message.holes.memory_held()
            })
        };
        let wire = &self.wire;
        let phase = match &self.phase {
            NextByte::Head(reader, _) => size_of::<HeadReader>() + reader.memory_held(),
            NextByte::Body(reader) => size_of::<RefusalReader>() + reader.memory_held(),
            _ => 0,
        };
        phase
            + self.told.capacity()
            + wire.control.capacity()
            + gathered(&wire.message)
            + gathered(&wire.ended)
            + wire.decoder.as_ref().map_or(0, Decoder::memory_held)
    }
}

impl Wire {
    fn judge(
        &mut self,
        raw: crate::frame::RawHeader,
        from: Role,
        offset: u64,
        after_close: bool,
    ) -> Frame {
        let continues = raw.opcode() == Some(Opcode::Continuation);
        let place = Place {
            reader: from.peer(),
            bits: self.bits,
            first_bits: self.codec_bit,
            in_message: self.in_message.unwrap_or(continues),
        };
        let broken = place.broken(&raw).next().is_some();
        let raw = raw.alone();
        let certain = !mem::take(&mut self.probable) && !self.uncertain;
        Frame {
            from,
            offset,
            raw,
            certain,
            place,
            broken,
            after_close: after_close && !raw.is_control(),
        }
    }

    /// A frame begins: of a message, or among its frames.
    fn begin(&mut self, frame: &Frame) {
        let kind = match frame.opcode() {
            Some(Opcode::Text) => Kind::Text,
            Some(Opcode::Binary) => Kind::Binary,
            Some(Opcode::Continuation) => {
                self.in_message = Some(true);
                return self.frame_of_the_message(frame);
            }
            _ => return,
        };
        self.in_message = Some(true);
        let encoded = frame.reserved_bits() & self.codec_bit != 0;
        self.message = Some(Box::new(UnderWay::new(kind, encoded)));
        self.frame_of_the_message(frame);
    }

    fn frame_of_the_message(&mut self, frame: &Frame) {
        if let Some(message) = &mut self.message {
            message.frames = message.frames.saturating_add(1);
            if message.encoded
                && let Some(decoder) = &mut self.decoder
            {
                decoder.frame_begins(frame.payload_len());
            }
        }
    }

    /// A piece of the frame's payload; `last`: all of the payload was taken with it.
    fn take(&mut self, frame: &Frame, piece: &[u8], at: u64, last: bool, settings: &Settings) {
        let key = frame.masking_key();
        let limit = settings.limits.message;
        match (frame.opcode(), &mut self.message) {
            (Some(opcode), _) if opcode.is_control() => {
                let start = self.control.len();
                let kept = piece.len().min(CONTROL - start);
                self.control.extend_from_slice(&piece[..kept]);
                if let Some(key) = key {
                    apply_mask(&mut self.control[start..], key, at);
                }
            }
            (Some(_), Some(message)) if message.encoded => {
                let last = last && frame.fin();
                let decoded = match &mut self.decoder {
                    Some(decoder) => message.encoded(decoder, (piece, key, at), last, limit),
                    None => {
                        message.hole(piece.len() as u64);
                        Ok(())
                    }
                };
                if decoded.is_err() {
                    self.decoder = None;
                }
            }
            (Some(_), Some(message)) => message.plain(piece, key, at, limit),
            _ => {}
        }
    }

    /// So many bytes of the payload are missing.
    fn hole(&mut self, len: u64) {
        if len == 0 {
            return;
        }
        let control = self.frame.and_then(|frame| frame.opcode());
        if control.is_some_and(Opcode::is_control) {
            return;
        }
        if let Some(message) = &mut self.message {
            message.hole(len);
            if message.encoded {
                self.decoder = None;
            }
        }
    }
}

fn head_reader(from: Role) -> HeadReader {
    match from {
        Role::Client => HeadReader::request(),
        Role::Server => HeadReader::response(),
    }
}
