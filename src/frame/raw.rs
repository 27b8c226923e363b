//! The header of a frame as it stands on the wire (RFC 6455 §5.2), whatever is wrong with it.

use crate::mask::MaskingKey;

use super::{FrameHeader, Opcode};

/// The bytes of a header, with every bit that was on the wire. Nothing is judged.
///
/// What it says of parts that have not come yet is undefined; [`HeaderReader`](super::HeaderReader)
/// knows how far it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct RawHeader {
    pub(super) bytes: [u8; FrameHeader::MAX_LEN],
}

impl RawHeader {
    /// The last frame of its message.
    #[inline]
    pub(crate) const fn fin(&self) -> bool {
        self.bytes[0] & 0x80 != 0
    }

    /// RSV1 is 4, RSV2 is 2, RSV3 is 1.
    #[inline]
    pub(crate) const fn reserved_bits(&self) -> u8 {
        self.bytes[0] >> 4 & 7
    }

    /// The number of the opcode, which may be a reserved one.
    #[inline]
    pub(crate) const fn opcode_number(&self) -> u8 {
        self.bytes[0] & 15
    }

    #[inline]
    pub(crate) const fn opcode(&self) -> Option<Opcode> {
        Opcode::new(self.opcode_number())
    }

    /// Opcodes from 8 on are control frames, the reserved ones too (RFC 6455 §5.2).
    #[inline]
    pub(crate) const fn is_control(&self) -> bool {
        self.bytes[0] & 8 != 0
    }

    #[inline]
    pub(crate) const fn is_masked(&self) -> bool {
        self.bytes[1] & 0x80 != 0
    }

    /// The length in 7 bits: 126 and 127 say that it follows in 2 and in 8 bytes.
    #[inline]
    pub(crate) const fn short_len(&self) -> u8 {
        self.bytes[1] & 0x7f
    }

    /// Bytes of payload, in whatever form and size they are told.
    #[inline]
    pub(crate) fn payload_len(&self) -> u64 {
        let [_, _, extended @ ..] = &self.bytes;
        match (
            self.short_len(),
            extended.first_chunk(),
            extended.first_chunk(),
        ) {
            (126, Some(len), _) => u64::from(u16::from_be_bytes(*len)),
            (127, _, Some(len)) => u64::from_be_bytes(*len),
            (len, _, _) => u64::from(len),
        }
    }

    /// The masking key, if the payload is masked.
    #[inline]
    pub(crate) fn masking_key(&self) -> Option<MaskingKey> {
        let key = self.bytes[self.length_end()..].first_chunk();
        key.filter(|_| self.is_masked()).copied()
    }

    /// Where the length ends.
    #[inline]
    pub(super) const fn length_end(&self) -> usize {
        match self.short_len() {
            126 => 4,
            127 => 10,
            _ => 2,
        }
    }

    /// Bytes of the header, the key included.
    #[inline]
    pub(crate) const fn len(&self) -> usize {
        self.length_end() + if self.is_masked() { 4 } else { 0 }
    }
}
