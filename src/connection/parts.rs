//! Messages out in parts: as fragments, or as one frame in pieces (RFC 6455 §5.4).

use core::fmt;

use crate::error::SendError;
use crate::event::Kind;
use crate::extension::Compress;
use crate::frame::{Opcode, first_byte};
use crate::mask::MaskingKey;
use crate::utf8::Validator;

use super::Connection;

/// A part of a message, which becomes a frame ([`Connection::send_part`]).
///
/// ```
/// use sansocket::extension::Compress;
/// use sansocket::Part;
/// let part = Part::text(b"lo").last().reserved_bits(2).compress(Compress::Never);
/// assert_eq!(format!("{part:?}"), "Part(Text, 2 bytes, last)");
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Part<'p> {
    pub(crate) kind: Kind,
    pub(crate) bytes: &'p [u8],
    pub(crate) last: bool,
    pub(crate) reserved_bits: u8,
    pub(crate) compress: Compress,
}

impl<'p> Part<'p> {
    /// A part of a text message. It may end inside a character.
    #[must_use]
    pub const fn text(bytes: &'p [u8]) -> Self {
        Self::new(Kind::Text, bytes)
    }

    /// A part of a binary message.
    #[must_use]
    pub const fn binary(bytes: &'p [u8]) -> Self {
        Self::new(Kind::Binary, bytes)
    }

    /// A part of a message of this kind.
    #[must_use]
    pub const fn new(kind: Kind, bytes: &'p [u8]) -> Self {
        Self {
            kind,
            bytes,
            last: false,
            reserved_bits: 0,
            compress: Compress::Auto,
        }
    }

    /// The message ends with this part, which may be empty.
    #[must_use]
    pub const fn last(self) -> Self {
        self.last_if(true)
    }

    /// The message ends with this part if `last`.
    #[must_use]
    pub const fn last_if(mut self, last: bool) -> Self {
        self.last = last;
        self
    }

    /// Sets reserved bits of the frame that extensions of the application use (RFC 6455 §5.2): RSV1 is
    /// 4, RSV2 2, RSV3 1. None, unless set.
    #[must_use]
    pub const fn reserved_bits(mut self, bits: u8) -> Self {
        self.reserved_bits = bits;
        self
    }

    /// How the message is to be compressed. Only what the first part says counts.
    #[must_use]
    pub const fn compress(mut self, compress: Compress) -> Self {
        self.compress = compress;
        self
    }
}

/// Kind and length only.
impl fmt::Debug for Part<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let last = if self.last { ", last" } else { "" };
        write!(f, "Part({:?}, {} bytes{last})", self.kind, self.bytes.len())
    }
}

impl Connection {
    /// Queues a part of a message as a fragment, a frame of its own (RFC 6455 §5.4). The first part
    /// begins the message and the [`last`](Part::last) one ends it; control frames may go in
    /// between, other messages not. A single last part is a whole message.
    ///
    /// # Errors
    /// As [`send`](Self::send), and [`SendError::MessageInProgress`] if a message of the other kind or
    /// one of known length was begun, [`SendError::NotUtf8`] for text that is not,
    /// [`SendError::ReservedBits`]. Nothing changed then.
    ///
    /// ```
    /// # use sansocket::{Connection, Negotiated, Part, ServerConfig, error::SendError};
    /// # let config = ServerConfig::upgraded();
    /// let negotiated = Negotiated::new().extensions("x-priority").reserved_bits(2);
    /// let mut ws = Connection::upgraded_server(&config, negotiated);
    /// ws.send_part(Part::text(b"Hel"))?;
    /// ws.send_part(Part::text(b"lo").last())?;
    /// assert_eq!(ws.output(), b"\x01\x03Hel\x80\x02lo"); // RFC 6455 §5.7
    /// # ws.consume_output(10);
    /// ws.send_part(Part::text(b"now").last().reserved_bits(2))?;
    /// assert_eq!(ws.output(), b"\xa1\x03now");
    /// # Ok::<(), SendError>(())
    /// ```
    pub fn send_part(&mut self, part: Part<'_>) -> Result<(), SendError> {
        // RFC 6455 §5.5.1: a message that was begun may be finished before the peer's Close is answered.
        if self.in_parts().is_none() || !self.life.may_answer_close(self.progress()) {
            self.check_writable()?;
        }
        let bits = part.reserved_bits & !self.own_bits();
        if bits != 0 {
            return Err(SendError::ReservedBits { bits });
        }
        let (begun, mut utf8, encoded) = match self.in_parts() {
            Some(&InParts::Fragments {
                kind,
                utf8,
                encoded,
            }) if kind == part.kind => (true, utf8, encoded),
            Some(_) => return Err(SendError::MessageInProgress),
            None => {
                // A message of several parts is worth encoding, whatever the first one is.
                let len = if part.last {
                    part.bytes.len()
                } else {
                    usize::MAX
                };
                (false, Validator::new(), self.encodes(len, part.compress))
            }
        };
        self.check_room()?;
        check_text(part.kind, &mut utf8, part.bytes, part.last)?;
        let key = self.masking_key()?;
        self.make_room_for_part(part.bytes.len(), encoded)?;
        if encoded {
            self.queue_encoded_part(part, begun, key);
        } else {
            let first = part.first_byte(begun, 0);
            self.output.frame(first, key, part.bytes);
        }
        if begun || !part.last {
            let kind = part.kind;
            self.set_in_parts((!part.last).then_some(InParts::Fragments {
                kind,
                utf8,
                encoded,
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
    /// As [`send`](Self::send); [`SendError::TooLong`] from 2^63 bytes on (§5.2).
    ///
    /// ```
    /// # use sansocket::{Connection, Kind, Negotiated, ServerConfig, error::SendError};
    /// # let mut ws = Connection::upgraded_server(&ServerConfig::upgraded(), Negotiated::default());
    /// ws.begin_message(Kind::Binary, 6)?;
    /// ws.write_message(b"abc")?;
    /// ws.ping(b"")?; // waits
    /// ws.write_message(b"def")?;
    /// assert_eq!(ws.output(), b"\x82\x06abcdef\x89\x00");
    /// # Ok::<(), SendError>(())
    /// ```
    pub fn begin_message(&mut self, kind: Kind, len: u64) -> Result<(), SendError> {
        self.can_send()?;
        if len > MAX_PAYLOAD {
            let max = MAX_PAYLOAD;
            return Err(SendError::TooLong { len, max });
        }
        let key = self.masking_key()?;
        self.make_room_for_frame()?;
        self.output
            .begin_frame(first_byte(true, 0, kind.opcode()), key, len);
        if len > 0 {
            self.set_in_parts(Some(InParts::Frame {
                kind,
                utf8: Validator::new(),
                key,
                offset: 0,
            }));
        }
        Ok(())
    }

    /// Queues the next bytes of the message that [`begin_message`](Self::begin_message) began. It
    /// ends by itself when all are there. It goes on while the connection is closing, as our Close
    /// frame waits for it.
    ///
    /// # Errors
    /// [`SendError::NoMessageInProgress`], [`SendError::TooLong`] for more bytes than were announced,
    /// [`SendError::NotUtf8`], [`SendError::Full`], [`SendError::Closing`]. Nothing changed then.
    pub fn write_message(&mut self, piece: &[u8]) -> Result<(), SendError> {
        if !self.life.may_finish_message(self.progress()) {
            return Err(self.not_writable());
        }
        let Some(&InParts::Frame {
            kind,
            mut utf8,
            key,
            offset,
        }) = self.in_parts()
        else {
            return Err(SendError::NoMessageInProgress);
        };
        let (len, max) = (piece.len() as u64, self.output.frame_left());
        if len > max {
            return Err(SendError::TooLong { len, max });
        }
        self.check_room()?;
        let last = len == max;
        check_text(kind, &mut utf8, piece, last)?;
        self.make_room_for_piece(piece.len())?;
        self.output.frame_piece(key, offset, piece);
        self.set_in_parts((!last).then_some(InParts::Frame {
            kind,
            utf8,
            key,
            offset: offset + len,
        }));
        Ok(())
    }

    pub(super) fn in_parts(&self) -> Option<&InParts> {
        self.rare.as_ref().and_then(|rare| rare.in_parts.as_ref())
    }

    fn set_in_parts(&mut self, in_parts: Option<InParts>) {
        self.settled(|ws| ws.rare().in_parts = in_parts);
    }

    /// Queues a part that an extension encodes. `begun`: it is not the first one.
    fn queue_encoded_part(&mut self, part: Part<'_>, begun: bool, key: Option<MaskingKey>) {
        // RFC 7692 §6.1: the bit stands on the first frame.
        let codec_bit = if begun { 0 } else { self.codec_bit() };
        if !begun && part.compress == Compress::Alone {
            self.isolate_message();
        }
        let first = part.first_byte(begun, codec_bit);
        self.queue_encoded_frame(first, key, part.bytes, part.last);
    }
}

impl Part<'_> {
    fn first_byte(&self, begun: bool, codec_bit: u8) -> u8 {
        let opcode = if begun {
            Opcode::Continuation
        } else {
            self.kind.opcode()
        };
        first_byte(self.last, self.reserved_bits | codec_bit, opcode)
    }
}

/// The message that the application sends in parts.
#[derive(Clone, Copy)]
pub(super) enum InParts {
    /// As fragments, which an extension encodes or not.
    Fragments {
        kind: Kind,
        utf8: Validator,
        encoded: bool,
    },
    /// As one frame in pieces, masked with this key, of which `offset` bytes were queued.
    Frame {
        kind: Kind,
        utf8: Validator,
        key: Option<MaskingKey>,
        offset: u64,
    },
}

/// The longest payload of a frame (RFC 6455 §5.2).
const MAX_PAYLOAD: u64 = u64::MAX >> 1;

/// RFC 6455 §5.6: text is UTF-8, as a whole.
fn check_text(kind: Kind, utf8: &mut Validator, part: &[u8], last: bool) -> Result<(), SendError> {
    if kind == Kind::Binary {
        return Ok(());
    }
    match utf8.push(part) {
        Err(bad) => Err(SendError::NotUtf8 { at: bad.at }),
        Ok(_) if last && !utf8.is_complete() => Err(SendError::NotUtf8 { at: part.len() }),
        Ok(_) => Ok(()),
    }
}
