//! Messages as they are put together (RFC 6455 §5.4), unmasked and decoded.

use alloc::boxed::Box;
use alloc::vec;
use alloc::vec::Vec;

use crate::error::ProtocolError;
use crate::event::message::Kind;
use crate::extension::{DecodeError, MessageCodec};
use crate::mask::{MaskingKey, apply_mask};
use crate::utf8::Validator;

use super::seen::Content;

/// The message under way in one direction.
pub(super) struct UnderWay {
    pub(super) kind: Kind,
    pub(super) payload: Vec<u8>,
    pub(super) len: u64,
    pub(super) wire_len: u64,
    pub(super) frames: u32,
    pub(super) encoded: bool,
    pub(super) content: Content,
    pub(super) error: Option<ProtocolError>,
    utf8: Validator,
}

/// What decodes the messages of one direction.
pub(super) struct Decoder {
    codec: Box<dyn MessageCodec>,
    /// Later messages may refer to earlier ones.
    takes_over: bool,
    /// Earlier messages were not all seen.
    pub(super) lost: bool,
}

impl Decoder {
    pub(super) fn new(codec: Box<dyn MessageCodec>, takes_over: bool, lost: bool) -> Self {
        Self {
            codec,
            takes_over,
            lost,
        }
    }

    pub(super) fn frame_begins(&mut self, payload_len: u64) {
        self.codec.frame_begins(payload_len);
    }

    pub(super) fn memory_held(&self) -> usize {
        size_of_val(&*self.codec) + self.codec.memory_held()
    }
}

/// A codec that has to be replaced: it stopped inside a message.
pub(super) struct Spoiled;

impl UnderWay {
    pub(super) fn new(kind: Kind, encoded: bool) -> Self {
        Self {
            kind,
            payload: Vec::new(),
            len: 0,
            wire_len: 0,
            frames: 0,
            encoded,
            content: Content::Whole,
            error: None,
            utf8: Validator::default(),
        }
    }

    /// A piece of payload that no extension encoded.
    pub(super) fn plain(&mut self, piece: &[u8], key: Option<MaskingKey>, at: u64, limit: u64) {
        let start = self.payload.len();
        self.wire_len += piece.len() as u64;
        self.len += piece.len() as u64;
        let room = usize::try_from(limit).unwrap_or(usize::MAX) - start;
        let kept = &piece[..piece.len().min(room)];
        if kept.len() < piece.len() && self.content == Content::Whole {
            self.content = Content::Cut;
        }
        self.payload.extend_from_slice(kept);
        if let Some(key) = key {
            apply_mask(&mut self.payload[start..], key, at);
        }
        self.validate(start);
    }

    /// A piece of payload that the codec of an extension encoded; `last`: the message ends with it.
    ///
    /// # Errors
    /// The codec cannot go on from here.
    pub(super) fn encoded(
        &mut self,
        decoder: &mut Decoder,
        (piece, key, at): (&[u8], Option<MaskingKey>, u64),
        last: bool,
        limit: u64,
    ) -> Result<(), Spoiled> {
        self.wire_len += piece.len() as u64;
        if self.content != Content::Whole {
            return Ok(());
        }
        let mut unmasked = piece.to_vec();
        if let Some(key) = key {
            apply_mask(&mut unmasked, key, at);
        }
        let mut input = &unmasked[..];
        let mut room = vec![0; decoder.codec.room(0)];
        loop {
            let piece = match decoder.codec.decode(&mut input, last, &mut room, limit) {
                Ok(Some(piece)) => piece,
                Ok(None) => return Ok(()),
                Err(error) => {
                    self.undecodable(error, decoder);
                    return Err(Spoiled);
                }
            };
            let start = self.payload.len();
            self.len += piece.len() as u64;
            self.payload.extend_from_slice(piece);
            if self.len > limit {
                self.payload
                    .truncate(usize::try_from(limit).unwrap_or(usize::MAX));
                self.content = Content::Cut;
                return Err(Spoiled);
            }
            self.validate(start);
        }
    }

    fn undecodable(&mut self, error: DecodeError, decoder: &Decoder) {
        self.content = match error {
            DecodeError::TooLong { .. } | DecodeError::Ratio { .. } => Content::Cut,
            // A message that refers to what was not seen looks like one that is broken. What came out of it so
            // far does not, and is right.
            DecodeError::Corrupt if decoder.lost && decoder.takes_over => Content::Unknown,
            DecodeError::Corrupt => {
                self.error = Some(ProtocolError::CompressedData);
                Content::Corrupt
            }
        };
    }

    /// Bytes of it are missing.
    pub(super) fn hole(&mut self, len: u64) {
        self.wire_len += len;
        if !self.encoded {
            self.len += len;
        }
        if self.content == Content::Whole {
            self.content = if self.encoded {
                Content::Unknown
            } else {
                Content::Holes
            };
        }
    }

    /// The message has ended. RFC 6455 §8.1: text ends where a character ends.
    pub(super) fn end(&mut self) {
        let text = self.kind == Kind::Text && self.content == Content::Whole;
        if text && self.error.is_none() && !self.utf8.is_complete() {
            self.error = Some(ProtocolError::TextNotUtf8 {
                at: self.len,
                cut: true,
            });
        }
    }

    fn validate(&mut self, start: usize) {
        let whole = matches!(self.content, Content::Whole | Content::Cut);
        if self.kind == Kind::Text
            && whole
            && self.error.is_none()
            && let Err(bad) = self.utf8.push(&self.payload[start..])
        {
            // What was kept is the message so far.
            self.error = Some(ProtocolError::TextNotUtf8 {
                at: (start + bad.at) as u64,
                cut: false,
            });
        }
    }
}
