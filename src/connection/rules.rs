//! What a connection asks of the next frame: the rules of the protocol for the place where it
//! stands, and its own limits (RFC 6455 §10.4), before a byte of payload is stored.

use crate::error::{Limit, ProtocolError};
use crate::frame::{HeaderPart, Opcode, Place, RESERVED_BITS, RawHeader};

use super::Connection;

/// What the next frame has to keep to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Rules {
    place: Place,
    /// Frames without a mask are taken from clients.
    unmasked: bool,
    max_frame: u64,
    max_message: u64,
    max_fragments: u32,
    /// Frames of the message so far.
    fragments: u32,
    /// Payload bytes of the message so far.
    len: u64,
    /// An extension encoded the message.
    encoded: bool,
}

impl Rules {
    /// Judges a part of the header: the rules first, then the limits on what it says.
    #[inline(always)]
    pub(super) fn check(&self, part: HeaderPart, header: &RawHeader) -> Result<(), ProtocolError> {
        if !(self.unmasked && matches!(part, HeaderPart::Second)) {
            self.place.check(part, header)?;
        }
        match part {
            HeaderPart::First if header.opcode() == Some(Opcode::Continuation) => {
                self.check_fragments()
            }
            HeaderPart::Length { payload_len } if !header.is_control() => {
                self.check_limits(header, payload_len)
            }
            _ => Ok(()),
        }
    }

    /// The codec's bit if the header has it: that of an encoded message's first frame, if it is that
    /// of a first frame.
    pub(super) const fn begins_encoded(&self, header: &RawHeader) -> u8 {
        header.reserved_bits() & self.place.first_bits
    }

    #[inline]
    fn check_fragments(&self) -> Result<(), ProtocolError> {
        let value = u64::from(self.fragments) + 1;
        check_limit(Limit::Fragments, value, self.max_fragments.into())
    }

    #[inline]
    fn check_limits(&self, header: &RawHeader, len: u64) -> Result<(), ProtocolError> {
        check_limit(Limit::Frame, len, self.max_frame)?;
        // How long an encoded message is shows while it is decoded.
        if self.encoded || self.begins_encoded(header) != 0 {
            return Ok(());
        }
        check_limit(
            Limit::Message,
            self.len.saturating_add(len),
            self.max_message,
        )
    }
}

#[inline]
const fn check_limit(limit: Limit, value: u64, max: u64) -> Result<(), ProtocolError> {
    if value > max {
        return Err(ProtocolError::Limit { limit, value, max });
    }
    Ok(())
}

impl Connection {
    /// What the next frame has to keep to.
    #[inline(always)]
    pub(super) fn rules(&self) -> Rules {
        let settings = self.settings();
        let limits = &settings.limits;
        let message = &self.gathering;
        Rules {
            place: Place {
                reader: self.role(),
                bits: self.own_bits(),
                first_bits: self.codec_bit(),
                in_message: !message.is_idle(),
            },
            unmasked: settings.unmasked,
            max_frame: limits.frame,
            max_message: limits.message,
            max_fragments: limits.fragments,
            fragments: message.fragments(),
            len: message.len(),
            encoded: message.is_encoded(),
        }
    }

    /// The reserved bits that extensions of the application's use.
    pub(super) fn own_bits(&self) -> u8 {
        let in_use = self.in_use.as_ref();
        in_use.map_or(0, |in_use| in_use.negotiated.reserved_bits & RESERVED_BITS)
    }
}
