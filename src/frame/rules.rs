//! What is asked of a frame (RFC 6455 §5): of its header alone, and of its header where it stands.
//! Pure functions; who reads takes the first that is broken, who watches takes all.

use crate::error::ProtocolError;
use crate::role::Role;

use super::Opcode;
use super::raw::RawHeader;

/// The parts of a header, each judged when its last byte is there, so that every cut fails at the
/// same byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum HeaderPart {
    /// FIN, the reserved bits and the opcode.
    First,
    /// The mask bit and the short length.
    Second,
    /// The length, which this is.
    Length { payload_len: u64 },
}

impl RawHeader {
    /// What the part breaks of the format itself, wherever the frame stands.
    ///
    /// # Errors
    /// A reserved opcode (RFC 6455 §5.2); a control frame without FIN or with more than 125 bytes
    /// (§5.5); a length that is not in its shortest form or has its top bit set (§5.2).
    #[inline(always)]
    pub(crate) fn check(&self, part: HeaderPart) -> Result<(), ProtocolError> {
        match part {
            HeaderPart::First => self.check_opcode(self.opcode()),
            HeaderPart::Second => Ok(()),
            HeaderPart::Length { payload_len } => self.check_length(payload_len),
        }
    }

    #[inline(always)]
    const fn check_opcode(&self, opcode: Option<Opcode>) -> Result<(), ProtocolError> {
        match opcode {
            None => Err(ProtocolError::ReservedOpcode {
                opcode: self.opcode_number(),
            }),
            Some(opcode) if opcode.is_control() && !self.fin() => {
                Err(ProtocolError::ControlFragmented)
            }
            Some(_) => Ok(()),
        }
    }

    #[inline(always)]
    const fn check_length(&self, payload_len: u64) -> Result<(), ProtocolError> {
        match (self.short_len(), payload_len) {
            (126, ..126) | (127, ..=0xffff) => Err(ProtocolError::LengthNotMinimal),
            (127, len) if len >> 63 != 0 => Err(ProtocolError::LengthTopBit),
            // What needs a longer form is beyond 125 bytes.
            (126 | 127, _) if self.is_control() => Err(ProtocolError::ControlTooLong),
            _ => Ok(()),
        }
    }
}

/// Where a frame stands, as far as it is judged by that.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    /// Who reads it.
    pub(crate) reader: Role,
    /// The reserved bits that extensions in use define for every data frame (RFC 6455 §5.2).
    pub(crate) bits: u8,
    /// Those that they define for the first frame of a message alone (RFC 7692 §6).
    pub(crate) first_bits: u8,
    /// A message was begun and has not ended.
    pub(crate) in_message: bool,
}

impl Place {
    /// Judges a part of a header, also by the format.
    ///
    /// # Errors
    /// The first rule that it breaks.
    #[inline(always)]
    pub(crate) fn check(self, part: HeaderPart, header: &RawHeader) -> Result<(), ProtocolError> {
        match part {
            HeaderPart::First => {
                let opcode = header.opcode();
                self.check_reserved_bits(header, opcode)?;
                header.check_opcode(opcode)?;
                self.check_sequence(opcode)
            }
            HeaderPart::Second => self.check_mask(header),
            HeaderPart::Length { payload_len } => header.check_length(payload_len),
        }
    }

    /// Everything that a whole header breaks, in the order in which a reader would find it.
    #[cfg(any(test, feature = "observer"))]
    pub(crate) fn broken(self, header: &RawHeader) -> impl Iterator<Item = ProtocolError> + use<> {
        let opcode = header.opcode();
        [
            self.check_reserved_bits(header, opcode),
            header.check_opcode(opcode),
            self.check_sequence(opcode),
            self.check_mask(header),
            header.check_length(header.payload_len()),
        ]
        .into_iter()
        .filter_map(Result::err)
    }

    /// RFC 6455 §5.2: only the bits that an extension in use defines, and none on a control frame
    /// or one that nobody knows.
    #[inline(always)]
    const fn check_reserved_bits(
        self,
        header: &RawHeader,
        opcode: Option<Opcode>,
    ) -> Result<(), ProtocolError> {
        let defined = match opcode {
            Some(Opcode::Continuation) => self.bits,
            Some(Opcode::Text | Opcode::Binary) => self.bits | self.first_bits,
            _ => 0,
        };
        match header.reserved_bits() & !defined {
            0 => Ok(()),
            bits => Err(ProtocolError::ReservedBits { bits }),
        }
    }

    /// RFC 6455 §5.4: fragments follow each other, with nothing but control frames in between.
    #[inline(always)]
    const fn check_sequence(self, opcode: Option<Opcode>) -> Result<(), ProtocolError> {
        match (opcode, self.in_message) {
            (Some(Opcode::Continuation), false) => Err(ProtocolError::UnexpectedContinuation),
            (Some(opcode @ (Opcode::Text | Opcode::Binary)), true) => {
                Err(ProtocolError::MessageInterrupted {
                    opcode: opcode as u8,
                })
            }
            _ => Ok(()),
        }
    }

    /// RFC 6455 §5.1: a client masks every frame, a server none.
    #[inline(always)]
    const fn check_mask(self, header: &RawHeader) -> Result<(), ProtocolError> {
        match (self.reader, header.is_masked()) {
            (Role::Server, false) => Err(ProtocolError::UnmaskedFrame),
            (Role::Client, true) => Err(ProtocolError::MaskedFrame),
            _ => Ok(()),
        }
    }
}
