//! The frame header (RFC 6455 §5.2): decoding and encoding.

use crate::error::ProtocolError;
use crate::mask::MaskingKey;

use super::{HeaderReader, Opcode, RawHeader};

/// The header of one frame (RFC 6455 §5.2).
///
/// ```
/// use sansocket::frame::{FrameHeader, Opcode};
/// let header = FrameHeader::new(Opcode::Binary, 256);
/// let mut bytes = [0; FrameHeader::MAX_LEN];
/// let len = header.encode(&mut bytes);
/// assert_eq!(&bytes[..len], [0x82, 0x7e, 0x01, 0x00]);
/// assert_eq!(FrameHeader::decode(&bytes[..len]), Ok(Some((header, 4))));
/// assert_eq!(FrameHeader::decode(&bytes[..3]), Ok(None)); // more is needed
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FrameHeader {
    /// The last frame of its message.
    pub fin: bool,
    /// The reserved bits: RSV1 is 4, RSV2 is 2, RSV3 is 1. Higher bits are ignored when encoding.
    pub rsv: u8,
    /// What the frame is.
    pub opcode: Opcode,
    /// The masking key, if the payload is masked.
    pub masking_key: Option<MaskingKey>,
    /// Bytes of payload, the key not counted; at most 2^63 − 1.
    pub payload_len: u64,
}

impl FrameHeader {
    /// The most bytes that a header takes.
    pub const MAX_LEN: usize = 14;

    /// The header of an unmasked frame that is a whole message or a control frame.
    #[must_use]
    pub const fn new(opcode: Opcode, payload_len: u64) -> Self {
        Self {
            fin: true,
            rsv: 0,
            opcode,
            masking_key: None,
            payload_len,
        }
    }

    /// The header at the start of `bytes` and its length in bytes; `None` if more bytes are needed.
    ///
    /// # Errors
    /// As soon as the bytes decide it: a reserved opcode, a control frame without FIN or with more
    /// than 125 bytes (RFC 6455 §5.5), a length that is not in its shortest form or has its top
    /// bit set (§5.2). Reserved bits and the mask are reported, not judged.
    pub fn decode(bytes: &[u8]) -> Result<Option<(Self, usize)>, ProtocolError> {
        let mut reader = HeaderReader::default();
        let (len, whole) = reader.take(bytes, |part, raw| raw.check(part))?;
        let header = Self::from_raw(reader.raw()).filter(|_| whole);
        Ok(header.map(|header| (header, len)))
    }

    /// `None` for a reserved opcode.
    pub(super) fn from_raw(raw: &RawHeader) -> Option<Self> {
        Some(Self {
            fin: raw.fin(),
            rsv: raw.reserved_bits(),
            opcode: raw.opcode()?,
            masking_key: raw.masking_key(),
            payload_len: raw.payload_len(),
        })
    }

    /// Writes the header with its length in the shortest form (RFC 6455 §5.2) and returns how many
    /// bytes it takes.
    pub fn encode(&self, bytes: &mut [u8; Self::MAX_LEN]) -> usize {
        let first = first_byte(self.fin, self.rsv & 7, self.opcode);
        write_header(bytes, first, self.masking_key, self.payload_len)
    }
}

/// The first byte of a frame's header.
#[inline]
pub(crate) const fn first_byte(fin: bool, rsv: u8, opcode: Opcode) -> u8 {
    (fin as u8) << 7 | rsv << 4 | opcode as u8
}

/// Whether a frame that begins so is the last of its message.
pub(crate) const fn is_final(first: u8) -> bool {
    first & 0x80 != 0
}

/// Whether a frame that begins so goes on with a message.
pub(crate) const fn is_continuation(first: u8) -> bool {
    first & 15 == Opcode::Continuation as u8
}

/// How many bytes the header of such a frame has.
pub(crate) fn header_len(key: Option<MaskingKey>, payload_len: u64) -> usize {
    with_header(0, key, payload_len, <[u8]>::len)
}

/// The header into a buffer that has room for it; returns its length.
#[inline]
pub(crate) fn write_header(
    bytes: &mut [u8; FrameHeader::MAX_LEN],
    first: u8,
    key: Option<MaskingKey>,
    payload_len: u64,
) -> usize {
    with_header(first, key, payload_len, |header| {
        bytes[..header.len()].copy_from_slice(header);
        header.len()
    })
}

/// Hands out the header with its key, if it has one, at once: each call that extends a buffer asks for room.
#[inline(always)]
pub(super) fn with_header<R>(
    first: u8,
    key: Option<MaskingKey>,
    payload_len: u64,
    write: impl FnOnce(&[u8]) -> R,
) -> R {
    let Some(key) = key else {
        return with_length(first, 0, payload_len, write);
    };
    with_length(first, 0x80, payload_len, |header| {
        let mut whole = [0; FrameHeader::MAX_LEN];
        whole[..header.len()].copy_from_slice(header);
        whole[header.len()..][..key.len()].copy_from_slice(&key);
        write(&whole[..header.len() + key.len()])
    })
}

/// Hands out the header without its key. Three calls with arrays, so that what copies the
/// header knows how long it is.
#[inline(always)]
fn with_length<R>(first: u8, mask: u8, payload_len: u64, write: impl FnOnce(&[u8]) -> R) -> R {
    match payload_len {
        // `as`: each arm's bound makes the value fit.
        0..=125 => write(&[first, mask | payload_len as u8]),
        126..=0xffff => {
            let [a, b] = (payload_len as u16).to_be_bytes();
            write(&[first, mask | 126, a, b])
        }
        _ => {
            let [a, b, c, d, e, f, g, h] = payload_len.to_be_bytes();
            write(&[first, mask | 127, a, b, c, d, e, f, g, h])
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn decode(bytes: &[u8]) -> Result<Option<(FrameHeader, usize)>, ProtocolError> {
        FrameHeader::decode(bytes)
    }

    /// RFC 6455 §5.2: the smallest and the largest length of each form, both ways, masked and not.
    #[test]
    fn lengths_take_their_shortest_form() {
        let rows: [(u64, &[u8]); 8] = [
            (0, &[0x00]),
            (1, &[0x01]),
            (125, &[0x7d]),
            (126, &[0x7e, 0, 0x7e]),
            (127, &[0x7e, 0, 0x7f]),
            (65535, &[0x7e, 0xff, 0xff]),
            (65536, &[0x7f, 0, 0, 0, 0, 0, 1, 0, 0]),
            (
                u64::MAX >> 1,
                &[0x7f, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
            ),
        ];
        for (payload_len, length) in rows {
            for masking_key in [None, Some([0x37, 0xfa, 0x21, 0x3d])] {
                let header = FrameHeader {
                    masking_key,
                    ..FrameHeader::new(Opcode::Binary, payload_len)
                };
                let mut expected = [0; FrameHeader::MAX_LEN];
                expected[0] = 0x82;
                expected[1..1 + length.len()].copy_from_slice(length);
                let mut len = 1 + length.len();
                if let Some(key) = masking_key {
                    expected[1] |= 0x80;
                    expected[len..len + 4].copy_from_slice(&key);
                    len += 4;
                }
                let mut bytes = [0; FrameHeader::MAX_LEN];
                assert_eq!(header.encode(&mut bytes), len);
                assert_eq!(header_len(masking_key, payload_len), len);
                assert_eq!(bytes, expected);
                assert_eq!(decode(&bytes), Ok(Some((header, len))));
                for cut in 0..len {
                    assert_eq!(decode(&bytes[..cut]), Ok(None));
                }
            }
        }
    }

    /// RFC 6455 §5.2, §5.5: each at the byte that decides it.
    #[test]
    fn what_the_format_forbids_is_refused_at_once() {
        for opcode in [3, 4, 5, 6, 7, 11, 12, 13, 14, 15] {
            assert_eq!(
                decode(&[0x80 | opcode]),
                Err(ProtocolError::ReservedOpcode { opcode })
            );
        }
        assert_eq!(
            decode(&[0x82, 0x7e, 0, 0x7d]),
            Err(ProtocolError::LengthNotMinimal)
        );
        assert_eq!(
            decode(&[0x82, 0x7f, 0, 0, 0, 0, 0, 0, 0xff, 0xff]),
            Err(ProtocolError::LengthNotMinimal)
        );
        assert_eq!(
            decode(&[0x82, 0x7f, 0x80, 0, 0, 0, 0, 0, 0, 0]),
            Err(ProtocolError::LengthTopBit)
        );
        assert_eq!(
            decode(&[0x89, 0x7e, 0, 0x7e]),
            Err(ProtocolError::ControlTooLong)
        );
        assert_eq!(
            decode(&[0x89, 0xff, 0, 0, 0, 0, 0, 1, 0, 0]),
            Err(ProtocolError::ControlTooLong)
        );
        // Five bytes are not too many; their length is in a longer form than it needs.
        assert_eq!(decode(&[0x89, 0x7e]), Ok(None));
        assert_eq!(
            decode(&[0x89, 0x7e, 0, 5]),
            Err(ProtocolError::LengthNotMinimal)
        );
        assert_eq!(
            decode(&[0x88, 0x7f, 0, 0, 0, 0, 0, 0, 0, 0x7e]),
            Err(ProtocolError::LengthNotMinimal)
        );
        assert_eq!(decode(&[0x09]), Err(ProtocolError::ControlFragmented));
        assert_eq!(decode(&[0x08]), Err(ProtocolError::ControlFragmented));
    }

    proptest! {
        /// RFC 6455 §5.4, for relays: what was decoded is encoded to the same bytes, and the other way round.
        #[test]
        fn headers_survive_both_ways(fin: bool, rsv in 0u8..8, opcode in 0u8..16, masking_key: Option<[u8; 4]>, payload_len: u64, shift in 1u32..64) {
            let Some(opcode) = Opcode::new(opcode) else { return Ok(()) };
            let payload_len = payload_len >> shift;
            let (fin, payload_len) = if opcode.is_control() { (true, payload_len % 126) } else { (fin, payload_len) };
            let header = FrameHeader { fin, rsv, opcode, masking_key, payload_len };
            let mut bytes = [0; FrameHeader::MAX_LEN];
            let len = header.encode(&mut bytes);
            prop_assert_eq!(decode(&bytes[..len]), Ok(Some((header, len))));
        }

        /// Bytes never panic, and what decodes encodes to what was read.
        #[test]
        fn bytes_survive_both_ways(bytes in proptest::collection::vec(any::<u8>(), 0..20)) {
            if let Ok(Some((header, len))) = decode(&bytes) {
                let mut encoded = [0; FrameHeader::MAX_LEN];
                prop_assert_eq!(header.encode(&mut encoded), len);
                prop_assert_eq!(&encoded[..len], &bytes[..len]);
            }
        }
    }
}
