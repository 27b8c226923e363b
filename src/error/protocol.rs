//! One variant for each rule that a peer can break once the connection is established.

use core::fmt;

use super::id::identified;

/// A limit of [`Limits`](crate::config::Limits) that the peer passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Limit {
    /// The payload of one frame, in bytes.
    Frame,
    /// The payload of one whole message, in bytes (after decompression).
    Message,
    /// How many frames make one message, empty ones included.
    Fragments,
    /// The heap that the connection would hold, in bytes ([`Limits::memory`](crate::config::Limits::memory)).
    Memory,
    /// How many pings, and pongs that nobody asked for, come at once: the first of the
    /// [`Budgets`](crate::config::Budgets) over time. What is allowed is [`Rate::at_once`](crate::config::Rate::at_once).
    Pings,
    /// How many frames without payload that do not end a message come at once.
    EmptyFrames,
    /// How many frames of few bytes that do not end a message come at once.
    TinyFragments,
    /// How many messages come at once.
    Messages,
}

/// The peer broke a rule of the protocol, or passed a limit.
///
/// `Copy` and at most 24 bytes. [`close_code`](Self::close_code) is total: each variant has one
/// code (RFC 6455 §7.4.1), which is in the Close frame that was queued.
///
/// ```
/// use sansocket::error::{Limit, ProtocolError};
/// let error = ProtocolError::Limit { limit: Limit::Message, value: 5, max: 4 };
/// assert_eq!(error.close_code(), 1009);
/// assert_eq!(error.to_string(), "message of 5 bytes, at most 4 are allowed (RFC 6455 §10.4)");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ProtocolError {
    /// A reserved bit that no extension in use defines (RFC 6455 §5.2). `bits`: RSV1 is 4, RSV2 2, RSV3 1.
    ReservedBits {
        /// The offending bits.
        bits: u8,
    },
    /// An opcode that is not assigned (RFC 6455 §5.2).
    ReservedOpcode {
        /// The opcode, 3–7 or 11–15.
        opcode: u8,
    },
    /// A client's frame without a mask (RFC 6455 §5.1).
    UnmaskedFrame,
    /// A server's frame with a mask (RFC 6455 §5.1).
    MaskedFrame,
    /// A payload length that is not in its shortest form (RFC 6455 §5.2).
    LengthNotMinimal,
    /// A 64-bit payload length with its top bit set (RFC 6455 §5.2).
    LengthTopBit,
    /// A control frame of more than 125 bytes (RFC 6455 §5.5).
    ControlTooLong,
    /// A control frame without FIN (RFC 6455 §5.5).
    ControlFragmented,
    /// A continuation frame with no message to continue (RFC 6455 §5.4).
    UnexpectedContinuation,
    /// A new message before the last fragment of the one under way (RFC 6455 §5.4).
    MessageInterrupted {
        /// The opcode of its first frame.
        opcode: u8,
    },
    /// A Close frame with a body of one byte (RFC 6455 §5.5.1).
    CloseBodyTooShort,
    /// A Close frame with a code that may not be on the wire (RFC 6455 §7.4).
    CloseCode {
        /// The code received.
        code: u16,
    },
    /// A Close frame whose reason is not UTF-8 (RFC 6455 §5.5.1).
    CloseReasonNotUtf8 {
        /// Where in the reason the first byte is that cannot be there, counted from 0; after the last one
        /// if the end cuts a character.
        at: u8,
    },
    /// A text message that is not UTF-8 (RFC 6455 §8.1).
    TextNotUtf8 {
        /// Where in the message, after decompression, the first byte is that cannot be there, counted from 0; the
        /// length of the message if its end cuts a character.
        at: u64,
        /// The end of the message cuts a character.
        cut: bool,
    },
    /// A compressed message that is not valid DEFLATE, or is cut off (RFC 7692 §7.2.2).
    CompressedData,
    /// A compressed message that inflates to more than `max` times its size (RFC 7692 §8).
    CompressionRatio {
        /// The most that is allowed.
        max: u32,
    },
    /// The server did not agree to an extension that is required (RFC 6455 §7.4.1).
    ExtensionMissing,
    /// A limit was passed (RFC 6455 §10.4).
    Limit {
        /// Which one.
        limit: Limit,
        /// What the peer sent or announced.
        value: u64,
        /// What is allowed.
        max: u64,
    },
}

impl ProtocolError {
    /// The status code of the Close frame that answers it (RFC 6455 §7.4.1).
    #[must_use]
    pub const fn close_code(self) -> u16 {
        match self {
            Self::ReservedBits { .. }
            | Self::ReservedOpcode { .. }
            | Self::UnmaskedFrame
            | Self::MaskedFrame
            | Self::LengthNotMinimal
            | Self::LengthTopBit
            | Self::ControlTooLong
            | Self::ControlFragmented
            | Self::UnexpectedContinuation
            | Self::MessageInterrupted { .. }
            | Self::CloseBodyTooShort
            | Self::CloseCode { .. } => 1002,
            Self::CloseReasonNotUtf8 { .. } | Self::TextNotUtf8 { .. } | Self::CompressedData => {
                1007
            }
            Self::CompressionRatio { .. } => 1009,
            Self::ExtensionMissing => 1010,
            Self::Limit {
                limit:
                    Limit::Fragments
                    | Limit::Pings
                    | Limit::EmptyFrames
                    | Limit::TinyFragments
                    | Limit::Messages,
                ..
            } => 1008,
            Self::Limit {
                limit: Limit::Frame | Limit::Message | Limit::Memory,
                ..
            } => 1009,
        }
    }

    /// The section that the rule stands in, as `RFC 6455 §5.2`.
    #[must_use]
    pub const fn section(self) -> &'static str {
        match self {
            Self::ReservedBits { .. }
            | Self::ReservedOpcode { .. }
            | Self::LengthNotMinimal
            | Self::LengthTopBit => "RFC 6455 §5.2",
            Self::UnmaskedFrame | Self::MaskedFrame => "RFC 6455 §5.1",
            Self::ControlTooLong | Self::ControlFragmented => "RFC 6455 §5.5",
            Self::UnexpectedContinuation | Self::MessageInterrupted { .. } => "RFC 6455 §5.4",
            Self::CloseBodyTooShort | Self::CloseReasonNotUtf8 { .. } => "RFC 6455 §5.5.1",
            Self::CloseCode { .. } => "RFC 6455 §7.4",
            Self::TextNotUtf8 { .. } => "RFC 6455 §8.1",
            Self::CompressedData => "RFC 7692 §7.2.2",
            Self::CompressionRatio { .. } => "RFC 7692 §8",
            Self::ExtensionMissing => "RFC 6455 §7.4.1",
            Self::Limit { .. } => "RFC 6455 §10.4",
        }
    }
}

identified! { ProtocolError:
    Self::ReservedBits { .. } = 101, "reserved_bits";
    Self::ReservedOpcode { .. } = 102, "reserved_opcode";
    Self::UnmaskedFrame = 103, "unmasked_frame";
    Self::MaskedFrame = 104, "masked_frame";
    Self::LengthNotMinimal = 105, "length_not_minimal";
    Self::LengthTopBit = 106, "length_top_bit";
    Self::ControlTooLong = 107, "control_too_long";
    Self::ControlFragmented = 108, "control_fragmented";
    Self::UnexpectedContinuation = 109, "unexpected_continuation";
    Self::MessageInterrupted { .. } = 110, "message_interrupted";
    Self::CloseBodyTooShort = 111, "close_body_too_short";
    Self::CloseCode { .. } = 112, "close_code";
    Self::CloseReasonNotUtf8 { .. } = 113, "close_reason_not_utf8";
    Self::TextNotUtf8 { .. } = 114, "text_not_utf8";
    Self::CompressedData = 115, "compressed_data";
    Self::CompressionRatio { .. } = 116, "compression_ratio";
    Self::ExtensionMissing = 117, "extension_missing";
    Self::Limit { limit: Limit::Frame, .. } = 118, "frame_limit";
    Self::Limit { limit: Limit::Message, .. } = 119, "message_limit";
    Self::Limit { limit: Limit::Fragments, .. } = 120, "fragments_limit";
    Self::Limit { limit: Limit::Pings, .. } = 121, "pings_limit";
    Self::Limit { limit: Limit::EmptyFrames, .. } = 122, "empty_frames_limit";
    Self::Limit { limit: Limit::TinyFragments, .. } = 123, "tiny_fragments_limit";
    Self::Limit { limit: Limit::Messages, .. } = 124, "messages_limit";
    Self::Limit { limit: Limit::Memory, .. } = 125, "memory_limit";
}

impl fmt::Display for ProtocolError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ReservedBits { bits } => write!(
                f,
                "reserved bits {bits:03b} without an extension that uses them"
            )?,
            Self::ReservedOpcode { opcode } => write!(f, "reserved opcode {opcode}")?,
            Self::UnmaskedFrame => f.write_str("a client's frame without a mask")?,
            Self::MaskedFrame => f.write_str("a server's frame with a mask")?,
            Self::LengthNotMinimal => {
                f.write_str("a payload length that is not in its shortest form")?
            }
            Self::LengthTopBit => f.write_str("a payload length with its top bit set")?,
            Self::ControlTooLong => f.write_str("a control frame of more than 125 bytes")?,
            Self::ControlFragmented => f.write_str("a fragmented control frame")?,
            Self::UnexpectedContinuation => {
                f.write_str("a continuation frame with no message to continue")?
            }
            Self::MessageInterrupted { opcode } => {
                write!(f, "a new message (opcode {opcode}) inside a fragmented one")?;
            }
            Self::CloseBodyTooShort => f.write_str("a Close frame with a body of one byte")?,
            Self::CloseCode { code } => write!(
                f,
                "a Close frame with the code {code}, which may not be sent"
            )?,
            Self::CloseReasonNotUtf8 { at } => {
                write!(f, "a Close frame whose reason is not UTF-8 at byte {at}")?;
            }
            Self::TextNotUtf8 { at, cut: false } => {
                write!(f, "a text message that is not UTF-8 at byte {at}")?;
            }
            Self::TextNotUtf8 { at, cut: true } => {
                write!(
                    f,
                    "a text message of {at} bytes that ends inside a character"
                )?;
            }
            Self::CompressedData => {
                f.write_str("a compressed message that cannot be decompressed")?
            }
            Self::CompressionRatio { max } => {
                write!(
                    f,
                    "a message that inflates to more than {max} times its size"
                )?;
            }
            Self::ExtensionMissing => {
                f.write_str("the server did not agree to a required extension")?
            }
            Self::Limit { limit, value, max } => {
                limit.write_passed(f, *value)?;
                write!(f, ", at most {max} are allowed")?;
            }
        }
        write!(f, " ({})", self.section())
    }
}

impl Limit {
    /// What passed it.
    fn write_passed(self, f: &mut fmt::Formatter<'_>, value: u64) -> fmt::Result {
        match self {
            Self::Frame => write!(f, "frame of {value} bytes"),
            Self::Message => write!(f, "message of {value} bytes"),
            Self::Fragments => write!(f, "message of {value} frames"),
            Self::Memory => write!(f, "{value} bytes of memory"),
            Self::Pings => write!(f, "{value} pings at once"),
            Self::EmptyFrames => write!(f, "{value} empty frames at once"),
            Self::TinyFragments => write!(f, "{value} tiny fragments at once"),
            Self::Messages => write!(f, "{value} messages at once"),
        }
    }
}

impl core::error::Error for ProtocolError {}

const _: () = assert!(size_of::<ProtocolError>() <= 24);
