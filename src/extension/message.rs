//! The seam for extensions that change the payload of messages, such as compression.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;
use core::fmt;

use crate::error::identified;
use crate::frame::RSV1;
use crate::payload::extend_within;
use crate::role::Role;

use super::Extension;

/// An extension that changes the payload of messages (RFC 6455 §5.8, §9), as it is configured:
/// what is offered, what is answered, and the codec that was agreed on.
///
/// `PermessageDeflate` (feature `deflate`) is one. Others are given to
/// [`ServerConfig::extension`](crate::ServerConfig::extension) and
/// [`ClientConfig::extension`](crate::ClientConfig::extension). A connection uses one of them at
/// most: the first of the configuration's that both ends agree on.
///
/// The connection does the rest, so that an implementation knows nothing of frames: it marks the
/// first frame of an encoded message with the [`reserved_bit`](Self::reserved_bit), keeps two
/// extensions off one bit (RFC 7692 §5), checks limits while a message is decoded and UTF-8 after
/// it, and counts what waits as it was handed in.
///
/// ```
/// use sansocket::extension::{DecodeError, EncodeError, Extension, MessageCodec, MessageExtension};
/// use sansocket::{ClientConfig, Connection, Event, Message, Negotiated, Role, ServerConfig};
///
/// /// Every byte of a message plus one.
/// #[derive(Debug)]
/// struct PlusOne;
///
/// impl MessageExtension for PlusOne {
///     fn name(&self) -> &str {
///         "x-plus-one"
///     }
///     fn offer(&self) -> String {
///         self.name().into()
///     }
///     fn answer(&self, offers: &[Extension<'_>]) -> Option<String> {
///         offers.first().map(|_| self.name().into())
///     }
///     fn codec(&self, _: Role, _: &Extension<'_>) -> Option<Box<dyn MessageCodec>> {
///         Some(Box::new(PlusOne))
///     }
/// }
///
/// impl MessageCodec for PlusOne {
///     fn encode(&mut self, part: &[u8], _last: bool, out: &mut Vec<u8>) -> Result<(), EncodeError> {
///         out.extend(part.iter().map(|byte| byte.wrapping_add(1)));
///         Ok(())
///     }
///     fn decode<'c>(
///         &'c mut self, input: &mut &[u8], _last: bool, room: &'c mut [u8], _limit: u64,
///     ) -> Result<Option<&'c [u8]>, DecodeError> {
///         let n = input.len().min(room.len());
///         let (now, rest) = input.split_at(n);
///         room.iter_mut().zip(now).for_each(|(place, byte)| *place = byte.wrapping_sub(1));
///         *input = rest;
///         Ok((n > 0).then_some(&room[..n]))
///     }
/// }
///
/// let config = ServerConfig::upgraded().extension(PlusOne);
/// let agreed = Negotiated::new().extensions("x-plus-one");
/// let mut server = Connection::upgraded_server(&config, agreed.clone());
/// server.send("HAL")?;
/// assert_eq!(server.output(), b"\xc1\x03IBM"); // RSV1 and "text"
///
/// let mut client = Connection::upgraded_client(&ClientConfig::new().extension(PlusOne), agreed);
/// let mut read = server.output().to_vec();
/// let mut input = &mut read[..];
/// assert!(matches!(client.receive(&mut input), Some(Event::Open)));
/// let Some(Event::Message(Message::Text(text))) = client.receive(&mut input) else { panic!() };
/// assert_eq!(&*text, "HAL");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait MessageExtension: fmt::Debug + Send + Sync {
    /// The extension token (RFC 6455 §9.1), `permessage-deflate` for example.
    fn name(&self) -> &str;

    /// The reserved bit that marks the first frame of an encoded message (RFC 6455 §5.2): RSV1 is 4,
    /// RSV2 2, RSV3 1. RSV1, unless overridden.
    fn reserved_bit(&self) -> u8 {
        RSV1
    }

    /// Client: the element that offers it, or several, separated by commas, the preferred one first.
    fn offer(&self) -> String;

    /// Server: the element that answers the first of these offers that can be taken. They all
    /// have its [`name`](Self::name). `None`: the connection goes on without it.
    fn answer(&self, offers: &[Extension<'_>]) -> Option<String>;

    /// Client: whether the server's `answer` meets what was offered. Where it does not, the client
    /// fails the connection (RFC 6455 §9.1). Always, unless overridden.
    fn accepts(&self, answer: &Extension<'_>) -> bool {
        let _ = answer;
        true
    }

    /// Whether a codec can do with `memory` bytes of heap ([`Limits::memory`](crate::config::Limits::memory)).
    /// Where it cannot the extension is left out. Always, unless overridden.
    fn fits(&self, memory: usize) -> bool {
        let _ = memory;
        true
    }

    /// The same extension with codecs that each hold `memory` bytes of heap at most, such as with smaller
    /// windows. `None`, unless overridden: it is used as it is, and a codec that may hold more
    /// ([`MessageCodec::memory_most`]) fails the connection.
    fn within(&self, memory: usize) -> Option<Box<dyn MessageExtension>> {
        let _ = memory;
        None
    }

    /// Its settings, if it is the crate's own: a recording has them.
    #[cfg(all(feature = "deflate", feature = "replay"))]
    #[doc(hidden)]
    fn permessage_deflate(&self) -> Option<&super::PermessageDeflate> {
        None
    }

    /// The codec of one connection, by the server's `answer`, for the end in this role. `None`:
    /// parameters are unknown or given twice; a client fails the connection.
    fn codec(&self, role: Role, answer: &Extension<'_>) -> Option<Box<dyn MessageCodec>>;
}

/// Both directions of one connection whose messages an extension encodes.
///
/// Two methods are needed: [`encode`](Self::encode) and [`decode`](Self::decode). The others are
/// about memory, about what is worth encoding, or about doing it faster. See [`MessageExtension`]
/// for an example.
pub trait MessageCodec: Send + Sync {
    // ── what is sent

    /// Encodes the next part of a message and appends it to `out`: the payload of one frame. `last`: the
    /// message ends with this part, which may be empty.
    ///
    /// # Errors
    /// The codec cannot go on. The transport is to be closed then, as the message cannot be completed.
    fn encode(&mut self, part: &[u8], last: bool, out: &mut Vec<u8>) -> Result<(), EncodeError>;

    /// Whether a message of `len` bytes is worth encoding where
    /// [`Compress::Auto`](crate::extension::Compress::Auto) leaves it open. A message that is sent in parts has
    /// `usize::MAX`. Always, unless overridden.
    fn wants(&self, len: usize) -> bool {
        let _ = len;
        true
    }

    /// The next message is sent with [`Compress::Alone`](crate::extension::Compress::Alone): nothing in it may
    /// refer to messages before it, and later messages may not refer to it. A codec that keeps no
    /// context between messages has nothing to do.
    fn isolate(&mut self) {}

    /// Room that `len` bytes are likely to take, encoded.
    fn encoded_len(&self, len: usize) -> usize {
        len
    }

    /// Encodes a whole message at once, into memory of the codec's own, where that is faster.
    /// `None`: nothing was done, and [`encode`](Self::encode) is called. The payload is lent until
    /// [`encoded`](Self::encoded).
    fn encode_message(&mut self, message: &[u8]) -> Option<&[u8]> {
        let _ = message;
        None
    }

    /// What [`encode_message`](Self::encode_message) lent was copied.
    fn encoded(&mut self) {}

    /// Where messages do not refer to each other, the DEFLATE window in which one may have been
    /// compressed elsewhere to be sent in place of ours.
    #[doc(hidden)]
    fn shared_deflate_window(&self) -> Option<u8> {
        None
    }

    // ── what is received

    /// Decodes the next piece of a message into `room`, or into memory of the codec's own, and
    /// takes from `input` what it used. `None`: all of `input` was taken and nothing more comes out
    /// of it; with `last`, `input` ends the message, which is over then.
    ///
    /// `limit` is how many bytes the message may have in all. The connection is failed with the first
    /// byte above it, so that no more needs to be decoded; `room` is never longer than that.
    ///
    /// # Errors
    /// [`DecodeError::Corrupt`] for a payload that is not well-formed, a message that does not end
    /// where its last frame does included. The connection is failed.
    fn decode<'c>(
        &'c mut self,
        input: &mut &[u8],
        last: bool,
        room: &'c mut [u8],
        limit: u64,
    ) -> Result<Option<&'c [u8]>, DecodeError>;

    /// The header of a frame of an encoded message was read, with so much payload: for a codec that
    /// bounds the ratio between what comes in and what comes out.
    fn frame_begins(&mut self, payload_len: u64) {
        let _ = payload_len;
    }

    /// How long `room` is to be for so many bytes of payload; 0: the codec has room of its own. In
    /// chunked delivery `input_len` is 0. 16 KiB, unless overridden.
    fn room(&self, input_len: usize) -> usize {
        let _ = input_len;
        ROOM
    }

    /// As [`decode`](Self::decode), for all of `input`. The message is `message[..*filled]`, and what
    /// follows is room; both grow.
    ///
    /// # Errors
    /// As [`decode`](Self::decode), and [`DecodeError::TooLong`].
    fn decode_into(
        &mut self,
        mut input: &[u8],
        last: bool,
        message: &mut Vec<u8>,
        filled: &mut usize,
        limit: u64,
    ) -> Result<(), DecodeError> {
        message.truncate(*filled);
        let mut room = vec![0; bounded(self.room(input.len()), limit)];
        while let Some(piece) = self.decode(&mut input, last, &mut room, limit)? {
            let value = *filled as u64 + piece.len() as u64;
            if value > limit {
                return Err(DecodeError::TooLong { value, max: limit });
            }
            // `as`: a longer one does not fit into memory.
            extend_within(message, piece, limit as usize);
            *filled = message.len();
        }
        Ok(())
    }

    /// Decodes the payload of a whole message at once, into memory of the codec's own, where that
    /// is faster. `None`: nothing was done, and [`decode`](Self::decode) is called. The message is lent
    /// until [`decoded`](Self::decoded).
    fn decode_message(&mut self, payload: &[u8], limit: u64) -> Option<&[u8]> {
        let _ = (payload, limit);
        None
    }

    /// What [`decode_message`](Self::decode_message) lent was taken.
    fn decoded(&mut self) {}

    /// Messages before the next one were not seen, by an `Observer`: every byte in them
    /// that a later one may refer to counts as `byte`, whatever it was. Says how many these are.
    /// `None`, unless overridden: the codec cannot do so, or nothing is referred to.
    ///
    /// Called before the first message, on a codec that has [room](Self::room) of its own. What comes out of two
    /// codecs with different bytes is known where it is the same; the lengths of what comes out have to be.
    fn assume(&mut self, byte: u8) -> Option<usize> {
        let _ = byte;
        None
    }

    // ── to another process

    /// What a codec of another process needs to go on as this one would (`Connection::suspend` of the feature
    /// `handover`): what later messages may refer to of those that were received, and, of a message that is sent in parts and
    /// not whole, what its rest depends on. Called while no message is being received. `None`, unless overridden: such a
    /// connection cannot be handed over.
    fn context(&self) -> Option<Vec<u8>> {
        None
    }

    /// Goes on from what [`context`](Self::context) gave, in a codec that has done nothing yet. False, unless
    /// overridden: the codec cannot, or it is nothing that a codec gave which was agreed on alike.
    #[must_use]
    fn resume(&mut self, context: &[u8]) -> bool {
        let _ = context;
        false
    }

    // ── memory

    /// Gives up the memory that can be had again. Called between messages, for a connection that
    /// will be quiet for a while ([`Connection::park`](crate::Connection::park)).
    fn shrink(&mut self) {}

    /// Bytes of heap held, not counting the codec itself.
    fn memory_held(&self) -> usize {
        0
    }

    /// The most that [`memory_held`](Self::memory_held) will ever be, also while a buffer grows. Under a
    /// [ceiling](crate::config::Limits::memory) it is set aside for the codec. What is held now, unless overridden.
    fn memory_most(&self) -> usize {
        self.memory_held()
    }

    /// The most that `len` bytes may take, encoded, with what [`encode`](Self::encode) needs of room beside it:
    /// under a [ceiling](crate::config::Limits::memory) there is room for so much. [`encoded_len`](Self::encoded_len),
    /// unless overridden.
    fn encoded_most(&self, len: usize) -> usize {
        self.encoded_len(len)
    }
}

/// Why a message could not be decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum DecodeError {
    /// Not what the extension says, or cut off.
    Corrupt,
    /// The message has at least `value` bytes, more than it may have.
    TooLong {
        /// How many there are at least.
        value: u64,
        /// How many it may have.
        max: u64,
    },
    /// The message has more than `max` times the bytes that came in.
    Ratio {
        /// The bound that the extension sets.
        max: u32,
    },
}

identified! { DecodeError:
    Self::Corrupt = 1301, "decode_corrupt";
    Self::TooLong { .. } = 1302, "decode_too_long";
    Self::Ratio { .. } = 1303, "decode_ratio";
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Corrupt => f.write_str("a message that is not well-formed"),
            Self::TooLong { value, max } => write!(f, "a message of {value} bytes, at most {max}"),
            Self::Ratio { max } => write!(f, "a message of more than {max} times its payload"),
        }
    }
}

impl core::error::Error for DecodeError {}

/// A codec cannot encode any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EncodeError;

identified! { EncodeError:
    Self = 1304, "encode_failed";
}

impl fmt::Display for EncodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a message that the extension cannot encode")
    }
}

impl core::error::Error for EncodeError {}

/// How long `room` is in fact: with one byte over the limit the message is too long.
pub(crate) fn bounded(room: usize, limit: u64) -> usize {
    usize::try_from(limit).map_or(room, |limit| room.min(limit.saturating_add(1)))
}

/// Room for pieces of a message, unless the codec wants something else.
const ROOM: usize = 16 << 10;
