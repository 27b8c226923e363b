//! Messages in that an extension encoded (RFC 6455 §5.8, RFC 7692 §6): what comes out of the codec
//! becomes messages and chunks. Limits are checked as it comes out, UTF-8 after that.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use crate::error::{Limit, ProtocolError};
use crate::event::{Event, Kind, Message};
use crate::extension::{Codec, DecodeError, bounded};
use crate::mask::{self, apply_mask};
use crate::payload::{growth, make_room};
use crate::role::Role;
use crate::utf8;

use super::assembly::{Gather, take_front};
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
        if let Some(codec) = codec_of(&mut self.in_use) {
            codec.messages.frame_begins(self.incoming.left);
        }
    }

    /// Payload of an encoded message.
    pub(super) fn decode<'a>(&mut self, kind: Kind, input: &mut &'a mut [u8]) -> Option<Event<'a>> {
        let decoded = if self.incoming.stream {
            self.decode_chunk(kind, input)
        } else {
            self.decode_gathered(kind, input)
        };
        decoded.unwrap_or_else(|error| Some(self.fail(error.into())))
    }

    /// An encoded message in one frame, whose payload lies in the input as a whole, unmasked.
    pub(super) fn decode_frame<'a>(&mut self, kind: Kind, payload: &[u8]) -> Option<Event<'a>> {
        let limit = self.settings().limits.message;
        let Codec { bit, messages } = codec_of(&mut self.in_use)?;
        messages.frame_begins(payload.len() as u64);
        let Some(bytes) = messages.decode_message(payload, limit) else {
            self.incoming.begin_message(kind, *bit);
            return Some(match self.decode_part(kind, payload, true) {
                Ok(()) => self.gathered(),
                Err(error) => self.fail(error.into()),
            });
        };
        let message = match kind {
            Kind::Text => {
                let Ok(text) = utf8::validate(bytes) else {
                    return Some(self.fail(ProtocolError::TextNotUtf8.into()));
                };
                let mut whole = self.gather.take().into_text();
                whole.reserve_exact(growth(whole.capacity(), text.len(), limit));
                whole.push_str(text);
                Message::Text(whole.into())
            }
            Kind::Binary => {
                let mut whole = self.gather.take().into_bytes();
                whole.clear();
                make_room(&mut whole, bytes.len(), limit);
                whole.extend_from_slice(bytes);
                Message::Binary(whole.into())
            }
        };
        messages.decoded();
        Some(Event::Message(message))
    }

    fn decode_gathered<'a>(
        &mut self,
        kind: Kind,
        input: &mut &'a mut [u8],
    ) -> Result<Option<Event<'a>>, ProtocolError> {
        let incoming = &mut self.incoming;
        let n = incoming.take_len(input);
        let payload = take_front(input, n);
        incoming.unmask(payload);
        incoming.left -= n as u64;
        let last = incoming.left == 0 && incoming.fin();
        self.decode_part(kind, payload, last)?;
        Ok(self.message_ends().then(|| self.gathered()))
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
        let Some(codec) = codec_of(&mut self.in_use) else {
            return Ok(());
        };
        let mut bytes = self.gather.take().into_bytes();
        // `as`: it was gathered in memory.
        let mut filled = self.incoming.len as usize;
        let decoded = codec
            .messages
            .decode_into(payload, last, &mut bytes, &mut filled, limit);
        self.incoming.len = filled as u64;
        self.gather = Gather::Bytes(bytes);
        decoded?;
        within(self.incoming.len, limit)
    }

    fn decode_text(&mut self, payload: &[u8], last: bool) -> Result<(), ProtocolError> {
        let limit = self.settings().limits.message;
        let incoming = &mut self.incoming;
        let Some(Codec { messages, .. }) = codec_of(&mut self.in_use) else {
            return Ok(());
        };
        let spare = self.gather.take();
        let len = bounded(messages.room(payload.len()), limit);
        let begins = incoming.len == 0;
        let (mut text, mut room) = match spare.memory_held() {
            // A lent buffer of about that length need not be zeroed.
            spare_len if begins && len > 0 && (len..2 * len).contains(&spare_len) => {
                let mut room = spare.into_bytes();
                room.resize(len, 0);
                (String::with_capacity(len), room)
            }
            _ => (spare.into_text(), vec![0; len]),
        };
        let mut rest = payload;
        while let Some(piece) = messages.decode(&mut rest, last, &mut room, limit)? {
            within(incoming.len + piece.len() as u64, limit)?;
            incoming.push_text(piece, &mut text, limit)?;
        }
        self.gather = Gather::Text(text);
        Ok(())
    }

    fn decode_chunk<'a>(
        &mut self,
        kind: Kind,
        input: &mut &'a mut [u8],
    ) -> Result<Option<Event<'a>>, ProtocolError> {
        let limit = self.settings().limits.message;
        let incoming = &mut self.incoming;
        let Some(Codec { messages, .. }) = codec_of(&mut self.in_use) else {
            return Ok(None);
        };
        let mut room = vec![0; bounded(messages.room(0), limit)];
        loop {
            let n = incoming.take_len(input).min(STEP);
            let part = &mut input[..n];
            apply_mask(part, incoming.key, 0);
            let last = incoming.fin() && incoming.left == n as u64;
            let mut rest = &*part;
            let piece = messages.decode(&mut rest, last, &mut room, limit)?;
            let used = n - rest.len();
            incoming.left -= used as u64;
            let piece = piece.map(<[u8]>::to_vec);
            let masked = mask::rotate(incoming.key, used as u64);
            apply_mask(&mut input[used..n], masked, 0);
            take_front(input, used);
            incoming.key = masked;
            incoming.pulling = piece.is_some();
            if let Some(piece) = piece {
                incoming.len += piece.len() as u64;
                within(incoming.len, limit)?;
                return incoming.chunk(kind, piece.into(), false);
            }
            if incoming.left == 0 {
                return if last {
                    incoming.chunk(kind, Vec::new().into(), true)
                } else {
                    incoming.end_frame();
                    Ok(None)
                };
            }
            if input.is_empty() {
                return Ok(None);
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

/// The codec while other fields are in use too.
pub(super) fn codec_of(in_use: &mut Option<Box<InUse>>) -> Option<&mut Codec> {
    in_use.as_mut()?.codec.as_mut()
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
