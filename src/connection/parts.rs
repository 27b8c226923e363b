//! Messages out in parts: as fragments, or as one frame in pieces (RFC 6455 §5.4).

use super::Connection;
use super::outgoing::Compress;
use crate::error::Misuse;
use crate::event::Kind;
use crate::frame::{Opcode, first_byte};
use crate::mask::MaskingKey;
use crate::utf8::Validator;

impl Connection {
    /// Queues a part of a message as a fragment, a whole frame (RFC 6455 §5.4): the first call
    /// begins the message, `last` ends it. Control frames may go in between, other messages not.
    /// Parts of a text may end inside a character.
    ///
    /// # Errors
    /// As [`send`](Self::send), and [`Misuse::MessageInProgress`] if a message of the other kind or
    /// one of known length was begun, [`Misuse::NotUtf8`] for text that is not. Nothing changed then.
    ///
    /// ```
    /// # use sansocket::{Connection, Misuse, Negotiated, OriginPolicy, ServerConfig, Kind};
    /// # let mut ws = Connection::upgraded_server(&ServerConfig::new(OriginPolicy::Application), Negotiated::default());
    /// ws.send_part(Kind::Text, b"Hel", false)?;
    /// ws.send_part(Kind::Text, b"lo", true)?;
    /// assert_eq!(ws.output(), b"\x01\x03Hel\x80\x02lo"); // RFC 6455 §5.7
    /// # Ok::<(), Misuse>(())
    /// ```
    pub fn send_part(&mut self, kind: Kind, part: &[u8], last: bool) -> Result<(), Misuse> {
        self.queue_part(kind, part, last, Compress::Auto, 0)
    }

    /// As [`send_part`](Self::send_part), with reserved bits on this frame that extensions of the
    /// application's use (RFC 6455 §5.2): RSV1 is 4, RSV2 2, RSV3 1. A whole message is one last part.
    ///
    /// # Errors
    /// As `send_part`, and [`Misuse::ReservedBits`] for others.
    ///
    /// ```
    /// # use sansocket::{Connection, Misuse, Negotiated, OriginPolicy, ServerConfig, Kind};
    /// # let config = ServerConfig::new(OriginPolicy::Application);
    /// let negotiated = Negotiated::new().extensions("x-priority").reserved_bits(2);
    /// let mut ws = Connection::upgraded_server(&config, negotiated);
    /// ws.send_part_with_bits(Kind::Text, b"now", true, 2)?;
    /// assert_eq!(ws.output(), b"\xa1\x03now");
    /// # Ok::<(), Misuse>(())
    /// ```
    pub fn send_part_with_bits(
        &mut self,
        kind: Kind,
        part: &[u8],
        last: bool,
        reserved_bits: u8,
    ) -> Result<(), Misuse> {
        self.queue_part(kind, part, last, Compress::Auto, reserved_bits)
    }

    /// As [`send_part`](Self::send_part), saying how the message is to be encoded. Only what is
    /// said with the first part counts.
    ///
    /// # Errors
    /// As [`send_part`](Self::send_part).
    pub fn send_part_with(
        &mut self,
        kind: Kind,
        part: &[u8],
        last: bool,
        compress: Compress,
    ) -> Result<(), Misuse> {
        self.queue_part(kind, part, last, compress, 0)
    }

    fn queue_part(
        &mut self,
        kind: Kind,
        part: &[u8],
        last: bool,
        compress: Compress,
        bits: u8,
    ) -> Result<(), Misuse> {
        self.check_writable()?;
        if bits & !self.own_bits() != 0 {
            return Err(Misuse::ReservedBits);
        }
        let (mut utf8, encoded, begun) = match self.in_parts() {
            Some(parts) if parts.begun && parts.kind == kind => (parts.utf8, parts.encoded, true),
            Some(_) => return Err(Misuse::MessageInProgress),
            None => {
                // A message of several parts is worth compressing, whatever the first one is.
                let len = if last { part.len() } else { usize::MAX };
                (Validator::new(), self.encodes(len, compress), false)
            }
        };
        self.check_room()?;
        if kind == Kind::Text {
            utf8.push(part).map_err(|_| Misuse::NotUtf8)?;
            if last && !utf8.is_complete() {
                return Err(Misuse::NotUtf8);
            }
        }
        let key = self.masking_key()?;
        let opcode = if begun {
            Opcode::Continuation
        } else {
            kind.opcode()
        };
        if encoded {
            if !begun && compress == Compress::Alone {
                self.isolate_message();
            }
            // RFC 7692 §6.1: the bit stands on the first frame.
            let rsv = bits | if begun { 0 } else { self.codec_bit() };
            self.queue_encoded_part(first_byte(last, rsv, opcode), key, part, last);
        } else {
            self.output.frame(first_byte(last, bits, opcode), key, part);
        }
        if begun || !last {
            self.set_in_parts((!last).then_some(InParts {
                kind,
                utf8,
                key: None,
                offset: 0,
                encoded,
                begun: true,
            }));
        }
        Ok(())
    }

    /// Begins a message of `len` bytes that is sent in one frame, piece by piece, with
    /// [`write_message`](Self::write_message). Until it is whole, control frames wait (RFC 6455
    /// §5.4 has no place for them inside a frame). If the connection fails before, there is no
    /// Close frame and [`transport`](Self::transport) is `Close`.
    ///
    /// # Errors
    /// As [`send`](Self::send); [`Misuse::TooLong`] from 2^63 bytes on (§5.2).
    ///
    /// ```
    /// # use sansocket::{Connection, Misuse, Negotiated, OriginPolicy, ServerConfig, Kind};
    /// # let mut ws = Connection::upgraded_server(&ServerConfig::new(OriginPolicy::Application), Negotiated::default());
    /// ws.begin_message(Kind::Binary, 6)?;
    /// ws.write_message(b"abc")?;
    /// ws.ping(b"")?; // waits
    /// ws.write_message(b"def")?;
    /// assert_eq!(ws.output(), b"\x82\x06abcdef\x89\x00");
    /// # Ok::<(), Misuse>(())
    /// ```
    pub fn begin_message(&mut self, kind: Kind, len: u64) -> Result<(), Misuse> {
        self.can_send()?;
        if len >> 63 != 0 {
            return Err(Misuse::TooLong);
        }
        let key = self.masking_key()?;
        self.output
            .begin_frame(first_byte(true, 0, kind.opcode()), key, len);
        if len > 0 {
            self.set_in_parts(Some(InParts {
                kind,
                utf8: Validator::new(),
                key,
                offset: 0,
                encoded: false,
                begun: false,
            }));
        }
        Ok(())
    }

    /// Queues the next bytes of the message that [`begin_message`](Self::begin_message) began. It
    /// ends by itself when all are there. Goes on while the connection is closing, as our Close
    /// frame waits for it.
    ///
    /// # Errors
    /// [`Misuse::NoMessageInProgress`], [`Misuse::TooLong`] for more bytes than were announced,
    /// [`Misuse::NotUtf8`], [`Misuse::Full`], [`Misuse::Closing`]. Nothing changed then.
    pub fn write_message(&mut self, piece: &[u8]) -> Result<(), Misuse> {
        if !self.life.may_finish_message(self.progress()) {
            return Err(self.not_writable());
        }
        let Some(InParts {
            kind,
            mut utf8,
            key,
            offset,
            begun: false,
            ..
        }) = self.in_parts().copied()
        else {
            return Err(Misuse::NoMessageInProgress);
        };
        let left = self.output.frame_left();
        if piece.len() as u64 > left {
            return Err(Misuse::TooLong);
        }
        self.check_room()?;
        let last = piece.len() as u64 == left;
        if kind == Kind::Text {
            utf8.push(piece).map_err(|_| Misuse::NotUtf8)?;
            if last && !utf8.is_complete() {
                return Err(Misuse::NotUtf8);
            }
        }
        self.output.frame_piece(key, offset, piece);
        let offset = offset + piece.len() as u64;
        self.set_in_parts((!last).then_some(InParts {
            kind,
            utf8,
            key,
            offset,
            encoded: false,
            begun: false,
        }));
        Ok(())
    }

    pub(super) fn in_parts(&self) -> Option<&InParts> {
        self.rare.as_ref().and_then(|rare| rare.in_parts.as_ref())
    }

    fn set_in_parts(&mut self, in_parts: Option<InParts>) {
        self.settled(|ws| ws.rare().in_parts = in_parts);
    }
}

/// The message that the application sends in parts.
#[derive(Clone, Copy)]
pub(super) struct InParts {
    kind: Kind,
    utf8: Validator,
    /// For one frame in pieces: its key and how much of it was queued.
    key: Option<MaskingKey>,
    offset: u64,
    /// An extension encodes it.
    encoded: bool,
    /// A fragment was queued already.
    begun: bool,
}
