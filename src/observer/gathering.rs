//! Messages as they are put together (RFC 6455 §5.4), unmasked and decoded.

use alloc::vec;
use alloc::vec::Vec;

use crate::error::ProtocolError;
use crate::event::message::Kind;
use crate::extension::DecodeError;
use crate::mask::{MaskingKey, apply_mask};
use crate::utf8::Validator;

use super::decoder::Decoder;
use super::holes::Holes;
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
    /// Where `payload`, which has what is known, is not all of it.
    pub(super) holes: Holes,
    utf8: Validator,
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
            holes: Holes::default(),
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
        if kept.len() < piece.len() {
            self.content = Content::Cut;
        }
        self.payload.extend_from_slice(kept);
        if let Some(key) = key {
            apply_mask(&mut self.payload[start..], key, at);
        }
        self.holes.add_known(kept.len() as u64);
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
        if !matches!(self.content, Content::Whole | Content::Holes) {
            return Ok(());
        }
        let mut unmasked = piece.to_vec();
        if let Some(key) = key {
            apply_mask(&mut unmasked, key, at);
        }
        let mut input = &unmasked[..];
        let mut room = vec![0; decoder.room()];
        loop {
            match decoder.decode(&mut input, last, &mut room, limit) {
                Ok(Some((one, other))) => self.decoded(one, other, limit)?,
                Ok(None) => return Ok(()),
                Err(error) => {
                    self.undecodable(error, decoder);
                    return Err(Spoiled);
                }
            }
        }
    }

    /// A piece came out, in two ways: where these differ it is not known.
    fn decoded(&mut self, one: &[u8], other: &[u8], limit: u64) -> Result<(), Spoiled> {
        let room = limit.saturating_sub(self.len);
        self.len += one.len() as u64;
        let kept = usize::try_from(room).map_or(one.len(), |room| room.min(one.len()));
        let (mut rest, mut others) = (&one[..kept], &other[..kept]);
        while !rest.is_empty() {
            let known = alike(rest, others);
            let start = self.payload.len();
            self.payload.extend_from_slice(&rest[..known]);
            self.holes.add_known(known as u64);
            self.validate(start);
            (rest, others) = (&rest[known..], &others[known..]);
            let hole = rest.iter().zip(others).take_while(|(a, b)| a != b).count();
            if hole > 0 {
                self.holes.add_hole(hole as u64);
                self.content = Content::Holes;
            }
            (rest, others) = (&rest[hole..], &others[hole..]);
        }
        if self.len > limit {
            self.content = Content::Cut;
            return Err(Spoiled);
        }
        Ok(())
    }

    fn undecodable(&mut self, error: DecodeError, decoder: &Decoder) {
        self.content = match error {
            DecodeError::TooLong { .. } | DecodeError::Ratio { .. } => Content::Cut,
            // A message that refers to what was not seen may look like one that is broken, and so does what was
            // found by a search and is no frame. What came out of it so far does not, and is right.
            DecodeError::Corrupt if decoder.is_lost() => Content::Unknown,
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
        if !matches!(self.content, Content::Whole | Content::Holes) {
            return;
        }
        // How many bytes come of those that are missing is not known.
        self.content = if self.encoded {
            Content::Unknown
        } else {
            self.holes.add_hole(len);
            Content::Holes
        };
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
        // After a hole it is not known where a character begins.
        if self.kind == Kind::Text
            && !self.holes.any()
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

/// How many bytes the two begin with that are the same.
fn alike(one: &[u8], other: &[u8]) -> usize {
    if one == other {
        return one.len();
    }
    one.iter().zip(other).take_while(|(a, b)| a == b).count()
}
