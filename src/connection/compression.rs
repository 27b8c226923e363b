//! permessage-deflate in a connection (RFC 7692 §6): which messages are compressed, where RSV1
//! stands, and how what comes out of the codec becomes messages and chunks.

use super::Connection;

/// How one message is to be compressed, where compression was agreed on (RFC 7692 §6: it is the
/// sender's choice for each message).
///
/// ```
/// # #[cfg(feature = "deflate")] {
/// # use sansocket::{Compress, Connection, Negotiated, OriginPolicy, ServerConfig};
/// # use sansocket::extension::PermessageDeflate;
/// # let config = ServerConfig::new(OriginPolicy::Application).deflate(PermessageDeflate::server());
/// # let mut ws = Connection::upgraded_server(&config, Negotiated::new().extensions("permessage-deflate"));
/// ws.send_with("a token that nobody shall guess", Compress::Never)?;
/// assert_eq!(ws.output()[0], 0x81);
/// # }
/// # Ok::<(), sansocket::Misuse>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Compress {
    /// From the threshold of the configuration on.
    #[default]
    Auto,
    /// Not at all: for what is compressed already, and for secrets.
    Never,
    /// Whatever its length.
    Always,
    /// In a context of its own: nothing in it refers to other messages and none of them to it, so
    /// that its length says nothing about theirs (RFC 7692 §8).
    Alone,
}

#[cfg(feature = "deflate")]
mod on {
    use alloc::boxed::Box;
    use alloc::string::String;
    use alloc::vec;
    use alloc::vec::Vec;

    use super::super::InUse;
    use super::super::assembly::{Gather, take_front};
    use super::super::outgoing::Prepared;
    use super::{Compress, Connection};
    use crate::error::{Limit, ProtocolError};
    use crate::event::{Event, Kind, Message};
    use crate::extension::permessage_deflate::{Codec, Deflater, InflateError, Inflater};
    use crate::frame::{Opcode, RSV1, first_byte};
    use crate::handshake::{Negotiated, extensions};
    use crate::mask::{self, MaskingKey, apply_mask};
    use crate::payload::{growth, make_room};
    use crate::role::Role;
    use crate::utf8;

    impl From<InflateError> for ProtocolError {
        fn from(error: InflateError) -> Self {
            match error {
                InflateError::Corrupt => Self::CompressedData,
                InflateError::Limit { value, max } => Self::Limit {
                    limit: Limit::Message,
                    value,
                    max,
                },
                InflateError::Ratio { max } => Self::CompressionRatio { max },
            }
        }
    }

    /// The codec while other fields are in use too.
    fn codec_of(in_use: &mut Option<Box<InUse>>) -> Option<&mut Codec> {
        in_use.as_mut()?.codec.as_mut()
    }

    /// Input of one step in streaming delivery. What the codec does not take of it is masked again.
    const STEP: usize = 16 << 10;

    impl Connection {
        /// The codec that was negotiated: the answer's text is the one value that says it. Where the
        /// application has RSV1 it compresses itself (RFC 7692 §5).
        pub(in super::super) fn codec_for(&self, negotiated: &Negotiated) -> Option<Codec> {
            if negotiated.reserved_bits & RSV1 != 0 {
                return None;
            }
            let agreed = extensions::agreed(&negotiated.extensions)?;
            Some(agreed.codec(self.role(), self.settings().deflate.as_ref()?))
        }

        fn codec(&self) -> Option<&Codec> {
            self.in_use.as_ref()?.codec.as_ref()
        }

        /// D-23: a client that needs compression closes with 1010 if it was not agreed on.
        pub(in super::super) fn require_compression(&mut self) {
            if self.role() == Role::Client
                && self.settings().require_deflate
                && self.codec().is_none()
            {
                self.fail_later(ProtocolError::ExtensionMissing.into());
            }
        }

        /// The reserved bit of a compressed message's first frame (RFC 7692 §6), where compression
        /// was agreed on.
        pub(in super::super) fn compression_bit(&self) -> u8 {
            if self.codec().is_some() { RSV1 } else { 0 }
        }

        /// The header of a frame of a compressed message was read.
        pub(in super::super) fn compressed_frame(&mut self) {
            if let Some(codec) = codec_of(&mut self.in_use) {
                codec.inflater.frame(self.incoming.left);
            }
        }

        /// Payload of a compressed message.
        pub(in super::super) fn inflate<'a>(
            &mut self,
            kind: Kind,
            input: &mut &'a mut [u8],
        ) -> Option<Event<'a>> {
            let inflated = if self.incoming.stream {
                self.inflate_chunk(kind, input)
            } else {
                self.inflate_whole(kind, input)
            };
            inflated.unwrap_or_else(|error| Some(self.fail(error.into())))
        }

        /// A compressed message in one frame, whose payload lies in the input as a whole, unmasked.
        pub(in super::super) fn inflate_frame<'a>(
            &mut self,
            kind: Kind,
            payload: &[u8],
        ) -> Option<Event<'a>> {
            let limit = self.settings().limits.message;
            let inflater = &mut codec_of(&mut self.in_use)?.inflater;
            inflater.frame(payload.len() as u64);
            if let Some(bytes) = inflater.short(payload, limit) {
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
                inflater.end();
                return Some(Event::Message(message));
            }
            self.incoming.begin_message(kind, true);
            Some(match self.inflate_part(kind, payload, true) {
                Ok(()) => self.gathered(),
                Err(error) => self.fail(error.into()),
            })
        }

        fn inflate_whole<'a>(
            &mut self,
            kind: Kind,
            input: &mut &'a mut [u8],
        ) -> Result<Option<Event<'a>>, ProtocolError> {
            let incoming = &mut self.incoming;
            let n = incoming.take_len(input);
            let payload = take_front(input, n);
            incoming.unmask(payload);
            incoming.left -= n as u64;
            let end = incoming.left == 0 && incoming.fin();
            self.inflate_part(kind, payload, end)?;
            Ok(self.message_ends().then(|| self.gathered()))
        }

        /// The next part of a message's payload; `end`: it is the last one.
        fn inflate_part(
            &mut self,
            kind: Kind,
            payload: &[u8],
            end: bool,
        ) -> Result<(), ProtocolError> {
            let limit = self.settings().limits.message;
            let incoming = &mut self.incoming;
            let Some(codec) = codec_of(&mut self.in_use) else {
                return Ok(());
            };
            match kind {
                Kind::Binary => {
                    let mut bytes = self.gather.take().into_bytes();
                    // `as`: it was gathered in memory.
                    let mut filled = incoming.len as usize;
                    let inflated =
                        codec
                            .inflater
                            .inflate(payload, end, &mut bytes, &mut filled, limit);
                    incoming.len = filled as u64;
                    self.gather = Gather::Bytes(bytes);
                    inflated?;
                }
                Kind::Text => {
                    let spare = self.gather.take();
                    let len = Inflater::room_for(payload.len(), limit);
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
                    while let Some(piece) =
                        codec.inflater.piece(&mut rest, end, &mut room, limit)?
                    {
                        incoming.push_text(piece, &mut text, limit)?;
                    }
                    self.gather = Gather::Text(text);
                }
            }
            Ok(())
        }

        fn inflate_chunk<'a>(
            &mut self,
            kind: Kind,
            input: &mut &'a mut [u8],
        ) -> Result<Option<Event<'a>>, ProtocolError> {
            let limit = self.settings().limits.message;
            let incoming = &mut self.incoming;
            let Some(codec) = codec_of(&mut self.in_use) else {
                return Ok(None);
            };
            loop {
                let n = incoming.take_len(input).min(STEP);
                let part = &mut input[..n];
                apply_mask(part, incoming.key, 0);
                let end = incoming.fin() && incoming.left == n as u64;
                let mut rest = &*part;
                let piece = codec.inflater.piece(&mut rest, end, &mut [], limit)?;
                let used = n - rest.len();
                incoming.left -= used as u64;
                let piece = piece.map(|piece| piece.to_vec());
                let masked = mask::rotate(incoming.key, used as u64);
                apply_mask(&mut input[used..n], masked, 0);
                take_front(input, used);
                incoming.key = masked;
                incoming.pulling = piece.is_some();
                if let Some(piece) = piece {
                    return incoming.chunk(kind, piece.into(), false);
                }
                if incoming.left == 0 {
                    return if end {
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

        // ── sending

        /// Whether a message of this length goes out compressed. Decided before the compressor has
        /// seen a byte of it: what it has seen stays in the window.
        pub(in super::super) fn compresses(&self, len: usize, compress: Compress) -> bool {
            let Some(codec) = self.codec() else {
                return false;
            };
            match compress {
                Compress::Auto => codec.deflater.wants(len),
                Compress::Never => false,
                Compress::Always | Compress::Alone => true,
            }
        }

        /// Queues a whole message compressed.
        pub(in super::super) fn queue_compressed(
            &mut self,
            kind: Kind,
            key: Option<MaskingKey>,
            payload: &[u8],
            compress: Compress,
        ) {
            let size = self.settings().fragment as usize;
            let Some(codec) = codec_of(&mut self.in_use) else {
                return;
            };
            if compress == Compress::Alone {
                codec.deflater.alone();
            }
            let first = first_byte(true, RSV1, kind.opcode());
            if size == 0 {
                let len = payload.len();
                if let Some(compressed) = codec.deflater.short(payload) {
                    self.output.frame_encoded(first, key, compressed, len);
                    return codec.deflater.end();
                }
                let room = Deflater::room(len);
                let deflate = |out: &mut Vec<u8>| codec.deflater.deflate(payload, true, out);
                return self.output.frame_to_encode(first, key, len, room, deflate);
            }
            let mut compressed = Vec::new();
            codec.deflater.deflate(payload, true, &mut compressed);
            let last = compressed.len().div_ceil(size) - 1;
            let mut key = key;
            for (i, piece) in compressed.chunks(size).enumerate() {
                if i > 0 {
                    let Ok(fresh) = self.masking_key() else {
                        return self.settled(|ws| ws.life.gave_up());
                    };
                    key = fresh;
                }
                let (rsv, opcode) = if i == 0 {
                    (RSV1, kind.opcode())
                } else {
                    (0, Opcode::Continuation)
                };
                // The message counts with its last frame.
                let counted = if i == last { payload.len() } else { 0 };
                let first = first_byte(i == last, rsv, opcode);
                self.output.fragment_encoded(first, key, piece, counted);
            }
        }

        /// Queues a part of a message as a frame.
        pub(in super::super) fn queue_compressed_part(
            &mut self,
            first: u8,
            key: Option<MaskingKey>,
            part: &[u8],
            last: bool,
            alone: bool,
        ) {
            let Some(codec) = codec_of(&mut self.in_use) else {
                return;
            };
            if alone {
                codec.deflater.alone();
            }
            let (len, room) = (part.len(), Deflater::room(part.len()));
            let deflate = |out: &mut Vec<u8>| codec.deflater.deflate(part, last, out);
            self.output.frame_to_encode(first, key, len, room, deflate);
        }

        /// Queues the compressed form of a prepared message, if it has one that this peer takes.
        pub(in super::super) fn queue_prepared_compressed(&mut self, prepared: &Prepared) -> bool {
            let deflater = self.codec().map(|codec| &codec.deflater);
            let frame = deflater
                .filter(|deflater| !deflater.takeover())
                .and_then(|deflater| prepared.compressed(deflater.window_bits()));
            if let Some(frame) = frame {
                let len = prepared.payload().len();
                self.output.frame_shared_encoded(frame, len);
            }
            frame.is_some()
        }

        /// Gives up what the codec can have again, for a connection that will be quiet for a while:
        /// the compressor and, where the peer's context is taken over, all but its window. The next
        /// message sent starts with an empty window, as any message may (RFC 7692 §7.2.1).
        pub fn park(&mut self) {
            if let Some(codec) = codec_of(&mut self.in_use) {
                codec.park();
            }
        }

        pub(in super::super) fn codec_memory_held(&self) -> usize {
            self.codec().map_or(0, Codec::memory_held)
        }

        /// Nothing more is received or sent.
        pub(in super::super) fn drop_codec(&mut self) {
            if let Some(in_use) = &mut self.in_use {
                in_use.codec = None;
            }
        }
    }
}

/// Without the feature nothing is compressed.
#[cfg(not(feature = "deflate"))]
#[allow(clippy::unused_self, clippy::needless_pass_by_ref_mut)]
mod off {
    use super::super::outgoing::Prepared;
    use super::{Compress, Connection};
    use crate::event::{Event, Kind};
    use crate::mask::MaskingKey;

    impl Connection {
        pub(in super::super) const fn require_compression(&mut self) {}
        pub(in super::super) const fn compression_bit(&self) -> u8 {
            0
        }
        pub(in super::super) const fn compressed_frame(&mut self) {}
        pub(in super::super) const fn inflate<'a>(
            &mut self,
            _: Kind,
            _: &mut &'a mut [u8],
        ) -> Option<Event<'a>> {
            None
        }
        pub(in super::super) const fn inflate_frame<'a>(
            &mut self,
            _: Kind,
            _: &[u8],
        ) -> Option<Event<'a>> {
            None
        }
        pub(in super::super) const fn compresses(&self, _: usize, _: Compress) -> bool {
            false
        }
        pub(in super::super) const fn queue_compressed(
            &mut self,
            _: Kind,
            _: Option<MaskingKey>,
            _: &[u8],
            _: Compress,
        ) {
        }
        pub(in super::super) const fn queue_compressed_part(
            &mut self,
            _: u8,
            _: Option<MaskingKey>,
            _: &[u8],
            _: bool,
            _: bool,
        ) {
        }
        pub(in super::super) const fn queue_prepared_compressed(&mut self, _: &Prepared) -> bool {
            false
        }
        pub(in super::super) const fn codec_memory_held(&self) -> usize {
            0
        }
        pub(in super::super) const fn drop_codec(&mut self) {}
    }
}
