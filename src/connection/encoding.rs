//! Messages out that an extension encodes (RFC 6455 §5.8, RFC 7692 §6): which ones, and how they
//! become frames.

use alloc::vec::Vec;

use crate::event::Kind;
use crate::extension::Compress;
use crate::extension::{Codec, EncodeError};
use crate::frame::{Opcode, first_byte};
use crate::mask::MaskingKey;

use super::Connection;
use super::decoding::codec_of;
use super::outgoing::Prepared;

impl Connection {
    /// Whether a message of this length goes out encoded. Decided before the codec has seen a byte
    /// of it, as it may keep what it has seen for later messages.
    pub(super) fn encodes(&self, len: usize, compress: Compress) -> bool {
        let Some(codec) = self.codec() else {
            return false;
        };
        match compress {
            Compress::Auto => codec.messages.wants(len),
            Compress::Never => false,
            Compress::Always | Compress::Alone => true,
        }
    }

    /// Queues a whole message, encoded.
    pub(super) fn queue_encoded(
        &mut self,
        kind: Kind,
        key: Option<MaskingKey>,
        payload: &[u8],
        compress: Compress,
    ) {
        let size = self.settings().fragment as usize;
        let Some(Codec { bit, messages, .. }) = codec_of(&mut self.in_use) else {
            return;
        };
        if compress == Compress::Alone {
            messages.isolate();
        }
        let first = first_byte(true, *bit, kind.opcode());
        if size > 0 {
            return self.queue_encoded_split(kind, key, payload, size);
        }
        if let Some(encoded) = messages.encode_message(payload) {
            self.output
                .frame_encoded(first, key, encoded, payload.len());
            return messages.encoded();
        }
        let room = messages.encoded_len(payload.len());
        let encode = |out: &mut Vec<u8>| messages.encode(payload, true, out);
        let queued = self
            .output
            .frame_to_encode(first, key, payload.len(), room, encode);
        self.give_up_unless(queued);
    }

    /// Queues a whole message, encoded, as fragments of this size.
    fn queue_encoded_split(
        &mut self,
        kind: Kind,
        mut key: Option<MaskingKey>,
        payload: &[u8],
        size: usize,
    ) {
        let bounded = self.is_bounded();
        let Some(&mut Codec {
            bit,
            ref mut messages,
            ..
        }) = codec_of(&mut self.in_use)
        else {
            return;
        };
        // Under a ceiling there is room for what it comes to at most.
        let most = if bounded {
            messages.encoded_most(payload.len())
        } else {
            0
        };
        let mut encoded = Vec::with_capacity(most);
        if messages.encode(payload, true, &mut encoded).is_err() {
            return self.give_up_unless(Err(EncodeError));
        }
        // At least one frame, if nothing comes out too.
        let last = encoded.len().div_ceil(size).max(1) - 1;
        for i in 0..=last {
            let piece = &encoded[i * size..encoded.len().min((i + 1) * size)];
            if i > 0 {
                // Without a fresh key nothing may go out (RFC 6455 §5.3).
                let Ok(fresh) = self.masking_key() else {
                    return self.give_up_unless(Err(EncodeError));
                };
                key = fresh;
            }
            let (rsv, opcode) = if i == 0 {
                (bit, kind.opcode())
            } else {
                (0, Opcode::Continuation)
            };
            // The message counts with its last frame.
            let counted = if i == last { payload.len() } else { 0 };
            let first = first_byte(i == last, rsv, opcode);
            self.output.fragment_encoded(first, key, piece, counted);
        }
    }

    /// Queues a part of a message as a frame; `last`: the message ends with it.
    pub(super) fn queue_encoded_frame(
        &mut self,
        first: u8,
        key: Option<MaskingKey>,
        part: &[u8],
        last: bool,
    ) {
        let Some(Codec { messages, .. }) = codec_of(&mut self.in_use) else {
            return;
        };
        let room = messages.encoded_len(part.len());
        let encode = |out: &mut Vec<u8>| messages.encode(part, last, out);
        let queued = self
            .output
            .frame_to_encode(first, key, part.len(), room, encode);
        self.give_up_unless(queued);
    }

    /// The next message has a context of its own.
    pub(super) fn isolate_message(&mut self) {
        if let Some(codec) = codec_of(&mut self.in_use) {
            codec.messages.isolate();
        }
    }

    /// Queues the compressed form of a prepared message, if it has one that this peer takes.
    pub(super) fn queue_prepared_encoded(&mut self, prepared: &Prepared) -> bool {
        let window_bits = self
            .codec()
            .and_then(|codec| codec.messages.shared_deflate_window());
        let Some(frame) = window_bits.and_then(|bits| prepared.compressed(bits)) else {
            return false;
        };
        self.output
            .frame_shared_encoded(frame, prepared.payload_len());
        true
    }

    /// A message that cannot be completed ends the connection: nothing else may go out in its place.
    fn give_up_unless(&mut self, queued: Result<(), EncodeError>) {
        if queued.is_err() {
            self.settled(|ws| ws.life.gave_up());
        }
    }
}
