//! Messages in that an extension encoded (RFC 6455 §5.8, RFC 7692 §6): what comes out of the codec
//! becomes messages and chunks. Limits are checked as it comes out, UTF-8 after that.

use alloc::boxed::Box;
use alloc::vec::Vec;

use crate::config::Settings;
use crate::error::{Limit, ProtocolError};
use crate::event::{Kind, Message};
use crate::extension::{Codec, Configured, DecodeError, bounded};
use crate::handshake::Negotiated;
use crate::mask::{self, apply_mask};
use crate::role::Role;
use crate::utf8;

use super::event::Event;
use super::gathering::{Came, Ends, Gathering, bad_whole_text};
use super::memory::{Room, grow, grow_text};
use super::reading::take_front;
use super::{Connection, InUse};

impl Connection {
    /// Gives up the memory of the extension's codec that it can have again, for a connection that
    /// will be quiet for a while. With permessage-deflate that is the compressor and, where the
    /// peer's context is taken over, all but its window; the next message sent starts with an empty
    /// window, as any message may (RFC 7692 §7.2.1).
    pub fn park(&mut self) {
        if let Some(codec) = codec_of(&mut self.in_use) {
            codec.messages.shrink();
        }
    }

    /// A client that needs an extension closes with 1010 if none was agreed on.
    pub(super) fn require_extension(&mut self) {
        if self.role() == Role::Client
            && self.settings().require_extension
            && self.codec().is_none()
        {
            self.fail_later(ProtocolError::ExtensionMissing.into());
        }
    }

    /// The header of a frame of an encoded message was read.
    pub(super) fn encoded_frame_begins(&mut self) {
        let bounded = self.is_bounded();
        if let Some(codec) = codec_of(&mut self.in_use) {
            if self.gathering.is_first_frame() {
                codec.in_pieces = bounded;
            }
            codec.messages.frame_begins(self.reading.left());
        }
    }

    /// Payload of an encoded message.
    pub(super) fn decode<'a>(
        &mut self,
        input: &mut &'a mut [u8],
    ) -> Result<Came<'a>, ProtocolError> {
        let Some(kind) = self.gathering.kind() else {
            return Ok(Came::Nothing);
        };
        // The limit may have come down since.
        within(self.gathering.len(), self.settings().limits.message)?;
        if self.gathering.is_in_chunks() {
            return self.decode_chunk(kind, input);
        }
        let piece = self.reading.piece(input);
        let last = piece.ends_message();
        self.decode_part(kind, piece.unmasked(), last)?;
        Ok(if last { Came::Gathered } else { Came::Nothing })
    }

    /// An encoded message in one frame, whose payload lies in the input as a whole, unmasked.
    pub(super) fn decode_frame<'a>(&mut self, kind: Kind, payload: &[u8]) -> Option<Event<'a>> {
        let limit = self.settings().limits.message;
        let (bounded, room) = (self.is_bounded(), self.room_to_gather());
        let Codec {
            bit,
            messages,
            in_pieces,
        } = codec_of(&mut self.in_use)?;
        *in_pieces = bounded;
        messages.frame_begins(payload.len() as u64);
        let Some(bytes) = messages.decode_message(payload, limit) else {
            self.gathering.begin(kind, *bit, *bit);
            return Some(match self.decode_part(kind, payload, true) {
                Ok(()) => self.gathered(),
                Err(error) => self.fail_for(error.into()),
            });
        };
        let grown = |capacity, needed| room.grown(capacity, needed, limit);
        let message = match kind {
            Kind::Text => {
                let text = match utf8::validate(bytes) {
                    Ok(text) => text,
                    Err(bad) => {
                        let error = bad_whole_text(bytes, bad);
                        return Some(self.fail_for(error.into()));
                    }
                };
                let mut whole = self.gathering.take_text();
                if let Err(error) = grow_text(&mut whole, text.len(), grown) {
                    return Some(self.fail_for(error.into()));
                }
                whole.push_str(text);
                Message::Text(whole.into())
            }
            Kind::Binary => {
                let (mut whole, _) = self.gathering.take_bytes();
                whole.clear();
                if let Err(error) = grow(&mut whole, bytes.len(), grown) {
                    return Some(self.fail_for(error.into()));
                }
                whole.extend_from_slice(bytes);
                Message::Binary(whole.into())
            }
        };
        messages.decoded();
        Some(Event::Message(message))
    }

    /// The next part of a message's payload; `last`: the message ends with it.
    fn decode_part(&mut self, kind: Kind, payload: &[u8], last: bool) -> Result<(), ProtocolError> {
        match kind {
            Kind::Binary => self.decode_bytes(payload, last),
            Kind::Text => self.decode_text(payload, last),
        }
    }

    fn decode_bytes(&mut self, payload: &[u8], last: bool) -> Result<(), ProtocolError> {
        let limit = self.settings().limits.message;
        let room = self.room_to_gather();
        let Some(codec) = codec_of(&mut self.in_use) else {
            return Ok(());
        };
        if codec.in_pieces {
            return pieces(codec, &mut self.gathering, payload, last, limit, room);
        }
        let (mut bytes, mut filled) = self.gathering.take_bytes();
        let decoded = codec
            .messages
            .decode_into(payload, last, &mut bytes, &mut filled, limit);
        self.gathering.put_bytes(bytes, filled);
        decoded?;
        within(filled as u64, limit)
    }

    fn decode_text(&mut self, payload: &[u8], last: bool) -> Result<(), ProtocolError> {
        let limit = self.settings().limits.message;
        let mut left = self.room_to_gather();
        let gathering = &mut self.gathering;
        let Some(Codec {
            messages,
            in_pieces,
            ..
        }) = codec_of(&mut self.in_use)
        else {
            return Ok(());
        };
        let (mut text, mut room) = if *in_pieces {
            let wanted = bounded(messages.room(0), limit);
            let room = left.beside(gathering.memory_held()).for_pieces(wanted)?;
            left = left.beside(room.len());
            (gathering.take_text(), room)
        } else {
            gathering.take_text_and_room(bounded(messages.room(payload.len()), limit))
        };
        let mut rest = payload;
        while let Some(piece) = messages.decode(&mut rest, last, &mut room, limit)? {
            within(gathering.len() + piece.len() as u64, limit)?;
            let grown = |capacity, needed| left.grown(capacity, needed, limit);
            // `as`: it is gathered in memory.
            grow_text(&mut text, gathering.len() as usize + piece.len(), grown)?;
            gathering.push_text(piece, &mut text)?;
        }
        gathering.put_text(text);
        Ok(())
    }

    fn decode_chunk<'a>(
        &mut self,
        kind: Kind,
        input: &mut &'a mut [u8],
    ) -> Result<Came<'a>, ProtocolError> {
        let limit = self.settings().limits.message;
        let left = self.room();
        let (reading, gathering) = (&mut self.reading, &mut self.gathering);
        let Some(Codec { messages, .. }) = codec_of(&mut self.in_use) else {
            return Ok(Came::Nothing);
        };
        let mut room = left.for_pieces(bounded(messages.room(0), limit))?;
        let left = left.beside(room.len());
        loop {
            let n = reading.next_len(input).min(STEP);
            let last = reading.ends_message_with(n);
            let part = &mut input[..n];
            let key = reading.key().unwrap_or_default();
            apply_mask(part, key, 0);
            let mut rest = &*part;
            let piece = messages.decode(&mut rest, last, &mut room, limit)?;
            let used = n - rest.len();
            left.take(piece.map_or(0, <[u8]>::len))?;
            let piece = piece.map(<[u8]>::to_vec);
            reading.advance(used);
            apply_mask(&mut input[used..n], mask::rotate(key, used as u64), 0);
            take_front(input, used);
            gathering.set_pulling(piece.is_some());
            if let Some(piece) = piece {
                within(gathering.len() + piece.len() as u64, limit)?;
                return gathering.chunk(kind, piece.into(), Ends::Nothing);
            }
            if reading.left() == 0 {
                reading.end_frame();
                return gathering.chunk(kind, Vec::new().into(), Ends::at(true, last));
            }
            if input.is_empty() {
                return Ok(Came::Nothing);
            }
        }
    }

    /// The reserved bit of an encoded message's first frame, 0 without an extension that encodes.
    pub(super) fn codec_bit(&self) -> u8 {
        self.codec().map_or(0, |codec| codec.bit)
    }

    pub(super) fn codec(&self) -> Option<&Codec> {
        self.in_use.as_ref()?.codec.as_ref()
    }

    /// Nothing more is received or sent.
    pub(super) fn drop_codec(&mut self) {
        if let Some(in_use) = &mut self.in_use {
            in_use.codec = None;
        }
    }
}

impl From<DecodeError> for ProtocolError {
    fn from(error: DecodeError) -> Self {
        match error {
            DecodeError::Corrupt => Self::CompressedData,
            DecodeError::Ratio { max } => Self::CompressionRatio { max },
            DecodeError::TooLong { value, max } => Self::Limit {
                limit: Limit::Message,
                value,
                max,
            },
        }
    }
}

/// What encodes the messages that somebody agreed on.
pub(super) fn agreed_codec(
    settings: &Settings,
    role: Role,
    negotiated: &Negotiated,
) -> Option<Codec> {
    let fitting = codec(&settings.fitting(), role, negotiated);
    // What was agreed on elsewhere and does not fit is refused later.
    fitting.or_else(|| codec(&settings.extensions, role, negotiated))
}

/// What encodes the messages that were agreed on.
pub(super) fn codec(configured: &Configured, role: Role, negotiated: &Negotiated) -> Option<Codec> {
    if negotiated.extensions.is_empty() {
        return None;
    }
    configured.codec(role, &negotiated.extensions, negotiated.reserved_bits)
}

/// The codec while other fields are in use too.
pub(super) fn codec_of(in_use: &mut Option<Box<InUse>>) -> Option<&mut Codec> {
    in_use.as_mut()?.codec.as_mut()
}

/// Decodes the next part of a binary message piece by piece, so that nothing grows before it was asked for.
fn pieces(
    codec: &mut Codec,
    gathering: &mut Gathering,
    payload: &[u8],
    last: bool,
    limit: u64,
    left: Room,
) -> Result<(), ProtocolError> {
    let messages = &mut codec.messages;
    let wanted = bounded(messages.room(0), limit);
    let mut room = left.beside(gathering.memory_held()).for_pieces(wanted)?;
    let left = left.beside(room.len());
    let (mut bytes, filled) = gathering.take_bytes();
    bytes.truncate(filled);
    let mut rest = payload;
    while let Some(piece) = messages.decode(&mut rest, last, &mut room, limit)? {
        let len = bytes.len() + piece.len();
        within(len as u64, limit)?;
        grow(&mut bytes, len, |capacity, needed| {
            left.grown(capacity, needed, limit)
        })?;
        bytes.extend_from_slice(piece);
    }
    let filled = bytes.len();
    gathering.put_bytes(bytes, filled);
    Ok(())
}

/// RFC 6455 §10.4, whatever the codec makes of its limit.
fn within(value: u64, max: u64) -> Result<(), ProtocolError> {
    if value > max {
        return Err(DecodeError::TooLong { value, max }.into());
    }
    Ok(())
}

/// Input of one step in chunked delivery. What the codec does not take of it is masked again.
const STEP: usize = 16 << 10;
