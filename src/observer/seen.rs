//! What an observer tells.

use core::fmt;
use core::time::Duration;

use crate::decimal::decimal_in;
use crate::error::{HandshakeError, ProtocolError};
use crate::event::message::Kind;
use crate::frame::{Opcode, Place, RawHeader};
use crate::handshake::{Headers, Negotiated};
use crate::mask::{MaskingKey, apply_mask};
use crate::role::Role;

use super::holes::{Holes, Stretch};

/// One thing that was seen, in the order of the bytes of its direction.
#[derive(Debug)]
#[non_exhaustive]
pub enum Seen<'a> {
    /// The client's request, or a request of plain HTTP before it.
    Request(Head<'a>),
    /// An answer to a request: interim, a refusal, a page, or 101.
    Response(Head<'a>),
    /// The opening handshake is complete: frames follow. It comes after the 101, or after a proxy's
    /// answer with `None`: a tunnel, in which everything begins anew.
    Opened(Option<Negotiated>),
    /// The header of a frame.
    Frame(Frame),
    /// A piece of the payload of the last frame of its direction.
    Payload(SeenPiece<'a>),
    /// The end of a message.
    Message(SeenMessage<'a>),
    /// The end of a Ping frame.
    Ping {
        /// Who sent it.
        from: Role,
        /// Its payload, unmasked.
        payload: &'a [u8],
    },
    /// The end of a Pong frame.
    Pong {
        /// Who sent it.
        from: Role,
        /// Its payload, unmasked.
        payload: &'a [u8],
        /// It answers a Ping of the other end.
        solicited: bool,
        /// The time since that Ping, if the times of both are known.
        round_trip: Option<Duration>,
    },
    /// The end of a Close frame.
    Close {
        /// Who sent it.
        from: Role,
        /// The first two bytes of its payload, whatever they are.
        code: Option<u16>,
        /// The rest of its payload, unmasked.
        reason: &'a [u8],
        /// What is wrong with its payload (RFC 6455 §5.5.1, §7.4).
        violation: Option<Violation>,
    },
    /// A rule is broken outside a frame: in the opening handshake.
    Broken(Violation),
    /// Bytes are missing, or what stands there is no frame, or the conversation is joined there: where the next
    /// frame begins is not known.
    Lost {
        /// Whose bytes.
        from: Role,
        /// Where it was lost, in bytes of this direction.
        offset: u64,
    },
    /// The beginning of a frame was found by the chain of frames that it leads.
    Found {
        /// Whose frame.
        from: Role,
        /// Where it begins, in bytes of this direction.
        offset: u64,
        /// So many bytes of this direction came before it since [`Seen::Lost`], and are not told: bytes
        /// that were seen, without those that are missing.
        skipped: u64,
    },
    /// What goes this way is neither HTTP nor WebSocket that could be followed.
    Opaque {
        /// Whose bytes.
        from: Role,
        /// The bytes look like TLS (RFC 8446 §5.1).
        tls: bool,
    },
}

/// The head of an HTTP message, as it was sent.
#[derive(Clone, Copy)]
pub struct Head<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) offset: u64,
    pub(super) violation: Option<Violation>,
}

impl<'a> Head<'a> {
    /// A head of which nothing else is known yet.
    pub(super) fn plain(bytes: &'a [u8]) -> Self {
        Self {
            bytes,
            offset: 0,
            violation: None,
        }
    }

    /// All of it, with the empty line.
    #[must_use]
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// Where it begins, in bytes of its direction.
    #[must_use]
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// The first line: a request line or a status line.
    #[must_use]
    pub fn first_line(&self) -> &'a str {
        let bytes = self.bytes.trim_ascii_start();
        let line = bytes.split(|&byte| byte == b'\r').next();
        core::str::from_utf8(line.unwrap_or_default()).unwrap_or_default()
    }

    /// The method of a request.
    #[must_use]
    pub fn method(&self) -> &'a str {
        self.first_line().split(' ').next().unwrap_or_default()
    }

    /// The target of a request.
    #[must_use]
    pub fn target(&self) -> &'a str {
        self.first_line().split(' ').nth(1).unwrap_or_default()
    }

    /// The status of an answer.
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        self.first_line().split(' ').nth(1).and_then(decimal_in)
    }

    /// All fields, in order.
    #[must_use]
    pub fn headers(&self) -> Headers<'a> {
        Headers::of(self.bytes)
    }

    /// The first rule of the opening handshake that it breaks.
    #[must_use]
    pub fn violation(&self) -> Option<Violation> {
        self.violation
    }
}

/// Length and place only: targets and fields may hold secrets.
impl fmt::Debug for Head<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Head")
            .field("bytes", &self.bytes.len())
            .field("offset", &self.offset)
            .field("violation", &self.violation)
            .finish()
    }
}

/// The header of a frame (RFC 6455 §5.2), with all that is wrong with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frame {
    pub(super) from: Role,
    pub(super) offset: u64,
    pub(super) raw: RawHeader,
    pub(super) certain: bool,
    /// What it is judged by, and whether it breaks anything: most do not, and all are kept small.
    pub(super) place: Place,
    pub(super) broken: bool,
    pub(super) after_close: bool,
}

impl Frame {
    /// Who sent it.
    #[must_use]
    pub fn from(&self) -> Role {
        self.from
    }

    /// Where its header begins, in bytes of its direction.
    #[must_use]
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// The bytes of the header, 2 to 14.
    #[must_use]
    pub fn header(&self) -> &[u8] {
        self.raw.as_bytes()
    }

    /// The last frame of its message.
    #[must_use]
    pub fn fin(&self) -> bool {
        self.raw.fin()
    }

    /// The reserved bits: RSV1 is 4, RSV2 is 2, RSV3 is 1.
    #[must_use]
    pub fn reserved_bits(&self) -> u8 {
        self.raw.reserved_bits()
    }

    /// The number of the opcode, which may be a reserved one.
    #[must_use]
    pub fn opcode_number(&self) -> u8 {
        self.raw.opcode_number()
    }

    /// The opcode; `None` for a reserved one.
    #[must_use]
    pub fn opcode(&self) -> Option<Opcode> {
        self.raw.opcode()
    }

    /// The key that its payload is masked with.
    #[must_use]
    pub fn masking_key(&self) -> Option<MaskingKey> {
        self.raw.masking_key()
    }

    /// Bytes of payload.
    #[must_use]
    pub fn payload_len(&self) -> u64 {
        self.raw.payload_len()
    }

    /// Bits that the length is written in: 7, 16 or 64.
    #[must_use]
    pub fn length_bits(&self) -> u8 {
        match self.raw.short_len() {
            126 => 16,
            127 => 64,
            _ => 7,
        }
    }

    /// Whether it is certain that a frame begins there. The first one that was found after bytes were
    /// missing is only probable: about one search in a hundred finds payload that ends where a frame begins.
    #[must_use]
    pub fn is_certain(&self) -> bool {
        self.certain
    }

    /// All rules that its header breaks, in the order in which an endpoint would find them.
    pub fn violations(&self) -> impl Iterator<Item = Violation> + use<> {
        let Self { from, offset, .. } = *self;
        let rules = self.broken.then(|| self.place.broken(&self.raw));
        let rules = rules.into_iter().flatten().map(Rule::Protocol);
        let after_close = self.after_close.then_some(Rule::AfterClose);
        rules.chain(after_close).map(move |rule| Violation {
            by: from,
            rule,
            offset,
        })
    }
}

/// A piece of a frame's payload, as it stands on the wire.
#[derive(Clone, Copy)]
pub struct SeenPiece<'a> {
    pub(super) from: Role,
    pub(super) bytes: &'a [u8],
    pub(super) offset: u64,
    pub(super) key: Option<MaskingKey>,
}

impl<'a> SeenPiece<'a> {
    /// Who sent it.
    #[must_use]
    pub fn from(&self) -> Role {
        self.from
    }

    /// The bytes, masked if the frame is.
    #[must_use]
    pub fn wire(&self) -> &'a [u8] {
        self.bytes
    }

    /// Where it begins in the frame's payload.
    #[must_use]
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// Writes it into `place`, unmasked; as much as there is room for, which is returned.
    pub fn unmask_into(&self, place: &mut [u8]) -> usize {
        let len = self.bytes.len().min(place.len());
        place[..len].copy_from_slice(&self.bytes[..len]);
        if let Some(key) = self.key {
            apply_mask(&mut place[..len], key, self.offset);
        }
        len
    }
}

/// Lengths only.
impl fmt::Debug for SeenPiece<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "SeenPiece({} bytes at {})",
            self.bytes.len(),
            self.offset
        )
    }
}

/// A message that has ended, put together and decoded.
#[derive(Clone, Copy)]
#[non_exhaustive]
pub struct SeenMessage<'a> {
    /// Who sent it.
    pub from: Role,
    /// Text or binary.
    pub kind: Kind,
    /// The payload, unmasked and decoded: what is known of it, joined. That is all of it only where
    /// [`content`](Self::content) is [`Content::Whole`].
    pub payload: &'a [u8],
    pub(super) holes: &'a Holes,
    /// Bytes that the payload has, decoded, with the holes in it, as far as that was seen.
    pub len: u64,
    /// Bytes of payload on the wire.
    pub wire_len: u64,
    /// Its frames.
    pub frames: u32,
    /// The codec of an extension encoded it, such as permessage-deflate.
    pub encoded: bool,
    /// What of it is there.
    pub content: Content,
    /// What is wrong with its content: text that is not UTF-8, data that is not what the codec reads.
    pub violation: Option<Violation>,
}

impl<'a> SeenMessage<'a> {
    /// What is known of the payload, and between that the holes in their exact lengths. Together they
    /// have [`len`](Self::len) bytes where the content is [`Content::Whole`] or [`Content::Holes`], and
    /// are its beginning otherwise.
    pub fn stretches(&self) -> impl Iterator<Item = Stretch<'a>> + use<'a> {
        self.holes.stretches(self.payload)
    }
}

/// Lengths only.
impl fmt::Debug for SeenMessage<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SeenMessage")
            .field("from", &self.from)
            .field("kind", &self.kind)
            .field("len", &self.len)
            .field("wire_len", &self.wire_len)
            .field("frames", &self.frames)
            .field("encoded", &self.encoded)
            .field("content", &self.content)
            .field("violation", &self.violation)
            .finish_non_exhaustive()
    }
}

/// What of a message is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Content {
    /// All of it: only such a message was read.
    Whole,
    /// It is longer than the limit: its beginning, which may have holes.
    Cut,
    /// Some of it is not known: bytes are missing from the capture, or are copied from messages of
    /// which they are missing (RFC 7692 §7.2.2). [`SeenMessage::stretches`] tells where.
    Holes,
    /// A part of what is encoded is missing: what comes before that, which may have holes.
    Unknown,
    /// It cannot be decoded: what came out before the fault.
    Corrupt,
}

/// A rule that one end broke.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Violation {
    pub(super) by: Role,
    pub(super) rule: Rule,
    pub(super) offset: u64,
}

impl Violation {
    /// Who broke it.
    #[must_use]
    pub fn by(&self) -> Role {
        self.by
    }

    /// The rule.
    #[must_use]
    pub fn rule(&self) -> Rule {
        self.rule
    }

    /// Where the frame, message or head begins that breaks it, in bytes of its direction.
    #[must_use]
    pub fn offset(&self) -> u64 {
        self.offset
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let by = match self.by {
            Role::Client => "client",
            Role::Server => "server",
        };
        write!(f, "{by}: {}", self.rule)
    }
}

/// A rule that can be broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Rule {
    /// A rule of the opening handshake.
    Handshake(HandshakeError),
    /// A rule of frames and messages.
    Protocol(ProtocolError),
    /// No data frame follows one's own Close frame (RFC 6455 §5.5.1).
    AfterClose,
}

impl Rule {
    /// The number of this rule, the same in every version: that of the error in it.
    #[must_use]
    pub const fn code(&self) -> u16 {
        match self {
            Self::Handshake(error) => error.code(),
            Self::Protocol(error) => error.code(),
            Self::AfterClose => 1601,
        }
    }

    /// The name of this rule, the same in every version: that of the error in it.
    ///
    /// ```
    /// use sansocket::observer::Rule;
    /// assert_eq!((Rule::AfterClose.code(), Rule::AfterClose.name()), (1601, "data_after_close"));
    /// ```
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Handshake(error) => error.name(),
            Self::Protocol(error) => error.name(),
            Self::AfterClose => "data_after_close",
        }
    }

    /// The section that it stands in, as `RFC 6455 §5.2`.
    #[must_use]
    pub const fn section(self) -> &'static str {
        match self {
            Self::Handshake(error) => error.section(),
            Self::Protocol(error) => error.section(),
            Self::AfterClose => "RFC 6455 §5.5.1",
        }
    }

    /// The status code of the Close frame that a strict endpoint answers with (RFC 6455 §7.4.1);
    /// `None` before there are frames, and where nothing is read any more.
    #[must_use]
    pub const fn close_code(self) -> Option<u16> {
        match self {
            Self::Protocol(error) => Some(error.close_code()),
            Self::Handshake(_) | Self::AfterClose => None,
        }
    }

    /// The HTTP status that a strict server answers with.
    #[must_use]
    pub const fn status(self) -> Option<u16> {
        match self {
            Self::Handshake(error) => Some(error.status()),
            Self::Protocol(_) | Self::AfterClose => None,
        }
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Handshake(error) => error.fmt(f),
            Self::Protocol(error) => error.fmt(f),
            Self::AfterClose => f.write_str("data after a Close frame (RFC 6455 §5.5.1)"),
        }
    }
}

/// The body of a Close frame, whatever is wrong with it.
pub(super) fn close_body(payload: &[u8]) -> (Option<u16>, &[u8]) {
    match payload.split_first_chunk() {
        Some((code, reason)) => (Some(u16::from_be_bytes(*code)), reason),
        None => (None, &[]),
    }
}
