//! Payloads into messages and chunks (RFC 6455 §5.4, §6.2, §8.1).

use alloc::string::String;
use alloc::vec::Vec;
use core::mem;

use super::Connection;
use crate::error::ProtocolError;
use crate::event::{Chunk, Event, Kind, Message};
use crate::frame::{HeaderReader, Opcode};
use crate::mask::{self, MaskingKey, apply_mask, extend_masked};
use crate::payload::{Payload, Text, growth, make_room};
use crate::utf8::{self, Validator};

/// Bytes of text that are still in the first cache, having been validated, when they are copied.
const CACHED: usize = 8 << 10;

/// Less payload than this is not worth a read of its own: it goes through the read buffer.
const TARGET_MIN: u64 = 4096;

/// The frame and the message in progress.
#[derive(Default)]
pub(super) struct Incoming {
    /// Payload bytes of the frame that have not come.
    pub(super) left: u64,
    /// Payload bytes of the message that have come.
    pub(super) len: u64,
    /// The key as it stands at the next byte of payload.
    pub(super) key: MaskingKey,
    /// Frames of the message so far.
    pub(super) fragments: u32,
    /// The header as far as it has come; it stays while the payload comes.
    pub(super) header: HeaderReader,
    /// The header is whole: payload comes next.
    pub(super) in_payload: bool,
    /// A read ended inside the frame.
    pub(super) split: bool,
    /// The message in progress.
    pub(super) kind: Option<Kind>,
    /// It is delivered in chunks.
    pub(super) stream: bool,
    /// Bytes of an unfinished frame that `receive_bytes` leaves with the caller.
    #[cfg(feature = "bytes")]
    pub(super) waiting: u32,
    /// The reserved bit of the codec that encoded it, or 0.
    codec_bit: u8,
    /// More may come out of what was taken already.
    pub(super) pulling: bool,
    /// Its first chunk was delivered.
    begun: bool,
    utf8: Validator,
}

impl Incoming {
    /// Between two messages, and not inside a header.
    pub(super) const fn is_idle(&self) -> bool {
        self.header.is_empty() && self.kind.is_none()
    }

    /// Nothing of a message or a frame has come that lacks its end.
    pub(super) const fn is_complete(&self) -> bool {
        #[cfg(feature = "bytes")]
        return self.is_idle() && self.waiting == 0;
        #[cfg(not(feature = "bytes"))]
        self.is_idle()
    }

    /// A part of a frame has come, and its last byte has not.
    pub(super) const fn lacks_bytes(&self) -> bool {
        !self.header.is_empty() && (!self.in_payload || self.left > 0)
    }

    pub(super) const fn fin(&self) -> bool {
        self.header.raw().fin()
    }

    pub(super) fn opcode(&self) -> Option<Opcode> {
        self.header.raw().opcode()
    }

    /// The payload length in the header, which is there.
    pub(super) fn payload_len(&self) -> u64 {
        self.header.raw().payload_len()
    }

    /// The reserved bits of the frame, but for that of a codec.
    pub(super) const fn reserved_bits(&self) -> u8 {
        self.header.raw().reserved_bits() & !self.codec_bit
    }

    /// The message is encoded by the extension in use.
    pub(super) const fn is_encoded(&self) -> bool {
        self.codec_bit != 0
    }

    /// The first frame of a message.
    pub(super) const fn begin_message(&mut self, kind: Kind, codec_bit: u8) {
        self.kind = Some(kind);
        self.fragments = 1;
        self.codec_bit = codec_bit;
    }

    /// The frame is complete.
    pub(super) const fn end_frame(&mut self) {
        self.header.restart();
        self.in_payload = false;
        self.split = false;
    }

    fn end_message(&mut self) {
        *self = Self::default();
    }

    /// How much of the input is payload of the frame.
    pub(super) fn take_len(&self, input: &[u8]) -> usize {
        usize::try_from(self.left).map_or(input.len(), |left| left.min(input.len()))
    }

    /// All of the message are these `len` bytes: with them it ends, and nothing of it came before.
    pub(super) const fn is_whole(&self, len: usize) -> bool {
        self.left == len as u64 && self.fin() && self.len == 0
    }

    /// Validates the next bytes of a text and puts them to what was gathered.
    pub(super) fn push_text(
        &mut self,
        piece: &[u8],
        gathered: &mut String,
        limit: u64,
    ) -> Result<(), ProtocolError> {
        self.len += piece.len() as u64;
        // `as`: it is gathered in memory.
        let needed = self.len as usize;
        gathered.reserve_exact(growth(gathered.capacity(), needed, limit) - gathered.len());
        for part in piece.chunks(CACHED) {
            let (finished, text) = self
                .utf8
                .push(part)
                .map_err(|_| ProtocolError::TextNotUtf8)?;
            gathered.extend(finished);
            gathered.push_str(text);
        }
        Ok(())
    }

    /// A part of the message as it is handed out; `None` if there is nothing to tell.
    pub(super) fn chunk<'a>(
        &mut self,
        kind: Kind,
        payload: Payload<'a>,
        last: bool,
    ) -> Result<Option<Event<'a>>, ProtocolError> {
        if kind == Kind::Text {
            let valid = self.utf8.push(&payload).is_ok() && (!last || self.utf8.is_complete());
            if !valid {
                return Err(ProtocolError::TextNotUtf8);
            }
        }
        if payload.is_empty() && !last {
            return Ok(None);
        }
        let first = !mem::replace(&mut self.begun, true);
        let reserved_bits = self.reserved_bits();
        if last {
            self.end_message();
        }
        Ok(Some(Event::Chunk(Chunk {
            kind,
            payload,
            first,
            last,
            reserved_bits,
        })))
    }

    /// The key for the next `len` bytes of payload, `None` if there is nothing to take off.
    fn next_key(&mut self, len: usize) -> Option<MaskingKey> {
        let key = self.key;
        self.key = mask::rotate(key, len as u64);
        (key != [0; 4]).then_some(key)
    }

    /// Takes the mask off the next bytes of payload.
    pub(super) fn unmask(&mut self, bytes: &mut [u8]) {
        if let Some(key) = self.next_key(bytes.len()) {
            apply_mask(bytes, key, 0);
        }
    }
}

/// What came of a piece of payload.
pub(super) enum Came<'a> {
    /// More input or the next frame is needed.
    Nothing,
    /// The end of a message, which lies in the buffer that it was gathered in: its event is made
    /// where it is handed out.
    Gathered,
    Event(Event<'a>),
}

impl<'a> From<Option<Event<'a>>> for Came<'a> {
    fn from(event: Option<Event<'a>>) -> Self {
        event.map_or(Self::Nothing, Self::Event)
    }
}

/// What a message is gathered in.
pub(super) enum Gather {
    None,
    /// The first [`Incoming::len`] bytes are the message's. What is behind them is initialised room.
    Bytes(Vec<u8>),
    /// Validated text.
    Text(String),
}

impl Gather {
    pub(super) const fn take(&mut self) -> Self {
        mem::replace(self, Self::None)
    }

    /// The buffer itself. Text is one of a message, and goes with it.
    pub(super) fn into_spare(self) -> Option<Vec<u8>> {
        match self {
            Self::Bytes(bytes) => Some(bytes),
            Self::None | Self::Text(_) => None,
        }
    }

    pub(super) fn memory_held(&self) -> usize {
        match self {
            Self::None => 0,
            Self::Bytes(bytes) => bytes.capacity(),
            Self::Text(text) => text.capacity(),
        }
    }

    /// As bytes, in whatever buffer there is.
    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.into_spare().unwrap_or_default()
    }

    /// As text, in whatever buffer there is.
    pub(super) fn into_text(self) -> String {
        match self {
            Self::Text(text) => text,
            spare => {
                let mut bytes = spare.into_bytes();
                bytes.clear();
                String::from_utf8(bytes).unwrap_or_default()
            }
        }
    }
}

impl Connection {
    /// Payload of a data frame.
    pub(super) fn data<'a>(&mut self, input: &mut &'a mut [u8]) -> Came<'a> {
        let incoming = &mut self.incoming;
        let Some(kind) = incoming.kind else {
            return Came::Nothing;
        };
        if incoming.is_encoded() {
            return self.decode(kind, input).into();
        }
        let payload = take_front(input, incoming.take_len(input));
        if incoming.stream {
            incoming.unmask(payload);
            incoming.left -= payload.len() as u64;
            incoming.len += payload.len() as u64;
            let last = incoming.left == 0 && incoming.fin();
            if incoming.left == 0 {
                incoming.end_frame();
            }
            return match incoming.chunk(kind, payload.into(), last) {
                Ok(event) => event.into(),
                Err(error) => Came::Event(self.fail(error.into())),
            };
        }
        if incoming.is_whole(payload.len()) {
            incoming.unmask(payload);
            incoming.end_message();
            return Came::Event(match kind {
                Kind::Binary => Event::Message(Message::Binary(payload.into())),
                Kind::Text => self.whole_text(payload),
            });
        }
        incoming.left -= payload.len() as u64;
        match kind {
            Kind::Binary => self.gather_bytes(payload),
            Kind::Text => {
                if let Err(error) = self.gather_text(payload) {
                    return Came::Event(self.fail(error.into()));
                }
            }
        }
        match self.message_ends() {
            true => Came::Gathered,
            false => Came::Nothing,
        }
    }

    /// After payload was gathered: the frame may be complete, and with it the message.
    pub(super) fn message_ends(&mut self) -> bool {
        let incoming = &mut self.incoming;
        let ends = incoming.left == 0 && incoming.fin();
        if incoming.left == 0 {
            incoming.end_frame();
        }
        ends
    }

    /// The message that was gathered, which has ended.
    pub(super) fn gathered<'a>(&mut self) -> Event<'a> {
        let incoming = &mut self.incoming;
        let (kind, len, complete) = (incoming.kind, incoming.len, incoming.utf8.is_complete());
        incoming.end_message();
        let gathered = self.gather.take();
        match kind {
            Some(Kind::Text) if !complete => self.not_utf8(),
            Some(Kind::Text) => Event::Message(Message::Text(gathered.into_text().into())),
            _ => {
                let mut bytes = gathered.into_bytes();
                // `as`: it was gathered in memory.
                bytes.truncate(len as usize);
                Event::Message(Message::Binary(bytes.into()))
            }
        }
    }

    /// A text that lies in the input as a whole. Inlined: the event is made where it is handed out.
    #[inline(always)]
    pub(super) fn whole_text<'a>(&mut self, payload: &'a mut [u8]) -> Event<'a> {
        match utf8::validate_mut(payload) {
            Ok(text) => Event::Message(Message::Text(Text::from(text))),
            Err(_) => self.not_utf8(),
        }
    }

    #[cold]
    #[inline(never)]
    fn not_utf8<'a>(&mut self) -> Event<'a> {
        self.settled(|ws| ws.fail(ProtocolError::TextNotUtf8.into()))
    }

    /// Unmasks while copying, into what is initialised already as far as it goes.
    fn gather_bytes(&mut self, payload: &[u8]) {
        if payload.is_empty() {
            return;
        }
        let limit = self.settings().limits.message;
        let incoming = &mut self.incoming;
        // What is not moved needs not wait for its own store.
        if !matches!(self.gather, Gather::Bytes(_)) {
            self.gather = Gather::Bytes(self.gather.take().into_bytes());
        }
        let Gather::Bytes(bytes) = &mut self.gather else {
            return;
        };
        // `as`: it was gathered in memory.
        let at = incoming.len as usize;
        let (over, fresh) = payload.split_at(payload.len().min(bytes.len() - at));
        let key = incoming.next_key(payload.len());
        incoming.len += payload.len() as u64;
        if !over.is_empty() {
            let place = &mut bytes[at..at + over.len()];
            match key {
                Some(key) => mask::copy_masked(place, over, key),
                None => place.copy_from_slice(over),
            }
        }
        if !fresh.is_empty() {
            make_room(bytes, at + payload.len(), limit);
            let key = key.map(|key| mask::rotate(key, over.len() as u64));
            extend_masked(bytes, key, fresh);
        }
    }

    /// Unmasks in the input, validates, and pushes what is text.
    fn gather_text(&mut self, payload: &mut [u8]) -> Result<(), ProtocolError> {
        if payload.is_empty() {
            return Ok(());
        }
        let limit = self.settings().limits.message;
        let incoming = &mut self.incoming;
        incoming.unmask(payload);
        let mut text = self.gather.take().into_text();
        incoming.push_text(payload, &mut text, limit)?;
        self.gather = Gather::Text(text);
        Ok(())
    }

    // ── reading straight into the message

    /// Where the rest of a large binary message is gathered: read into it from the transport
    /// instead of the read buffer, then say how much came with [`received`](Self::received).
    ///
    /// `None` unless the payload of a binary message that is delivered whole is due, 4 KiB of it at
    /// least: less goes through the read buffer with whatever is behind it. The target ends with
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
    ///     ws.received(n);
    /// }
    /// let Some(Event::Message(Message::Binary(payload))) = ws.receive(&mut &mut [][..]) else { panic!() };
    /// assert_eq!(payload.len(), 16 << 10);
    /// ```
    pub fn receive_target(&mut self) -> Option<&mut [u8]> {
        let want = self.target_len()?;
        let limit = self.settings().limits.message;
        // `as`: it was gathered in memory.
        let at = self.incoming.len as usize;
        if !matches!(&self.gather, Gather::Bytes(bytes) if bytes.len() >= at + want) {
            let mut bytes = self.gather.take().into_bytes();
            make_room(&mut bytes, at + want, limit);
            bytes.resize(at + want, 0);
            self.gather = Gather::Bytes(bytes);
        }
        match &mut self.gather {
            Gather::Bytes(bytes) => bytes.get_mut(at..at + want),
            _ => None,
        }
    }

    /// How long a target is, if there is one.
    fn target_len(&self) -> Option<usize> {
        let incoming = &self.incoming;
        let binary = incoming.in_payload
            && incoming.kind == Some(Kind::Binary)
            && !incoming.stream
            && !incoming.is_encoded();
        let data = incoming.opcode().is_some_and(|opcode| !opcode.is_control());
        let clear = self
            .rare
            .as_ref()
            .is_none_or(|rare| rare.held.is_empty() && rare.found.is_none());
        if !binary || !data || !clear || incoming.left < TARGET_MIN || self.life.open_is_due() {
            return None;
        }
        // `as`: the longest is what was gathered in memory, or 64 KiB.
        Some(incoming.left.min(incoming.len.max(64 << 10)) as usize)
    }

    /// The first `n` bytes of the [`receive_target`](Self::receive_target) were filled from the
    /// transport. The message comes from the next [`receive`](Self::receive). Without a target, or
    /// with more than it has room for, the bytes beyond are not there and nothing is done for them.
    pub fn received(&mut self, n: usize) {
        let (Some(len), Gather::Bytes(bytes)) = (self.target_len(), &mut self.gather) else {
            return;
        };
        let incoming = &mut self.incoming;
        // `as`: it was gathered in memory.
        let room = bytes.get_mut(incoming.len as usize..).unwrap_or_default();
        let n = n.min(len).min(room.len());
        if n == 0 {
            return;
        }
        incoming.unmask(&mut room[..n]);
        incoming.len += n as u64;
        incoming.left -= n as u64;
        self.clock.heard();
        self.clock.frame_goes_on();
    }
}

/// Splits the first `n` bytes off the input.
#[inline]
pub(super) fn take_front<'a>(input: &mut &'a mut [u8], n: usize) -> &'a mut [u8] {
    let (front, rest) = mem::take(input).split_at_mut(n);
    *input = rest;
    front
}
