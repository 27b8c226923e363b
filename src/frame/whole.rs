//! The fast way to the most common input: a message in one frame that is there as a whole. It
//! judges what [`HeaderReader`](super::HeaderReader) and the rules of a frame judge, and a
//! property test holds it against them.

use crate::mask::apply_mask;

use super::Opcode;

/// A message in one frame at the front of the input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct WholeMessage {
    /// Text or Binary.
    pub(crate) opcode: Opcode,
    /// Where its payload starts.
    pub(crate) start: usize,
    /// Where it ends.
    pub(crate) end: usize,
}

impl WholeMessage {
    /// Returns the message if `input` starts with one complete, valid, unfragmented data frame whose
    /// reserved bits equal `bits` and whose payload is shorter than `below`; outside of a message.
    ///
    /// It only looks: frames that follow each other do not wait for what was written here, and
    /// the input is split once, where it is taken.
    #[inline(always)]
    pub(crate) fn find<const MASKED: bool>(input: &[u8], bits: u8, below: u32) -> Option<Self> {
        let &[first, second, ..] = input else {
            return None;
        };
        let opcode = match first ^ bits << 4 {
            0x81 => Opcode::Text,
            0x82 => Opcode::Binary,
            _ => return None,
        };
        let (mask, key): (u8, usize) = if MASKED { (0x80, 4) } else { (0, 0) };
        let (start, len) = match second ^ mask {
            len @ 0..=125 => (2 + key, usize::from(len)),
            126 => {
                let len = u16::from_be_bytes([*input.get(2)?, *input.get(3)?]);
                (4 + key, usize::from(len))
            }
            127 => {
                let len = u64::from_be_bytes(*input.get(2..)?.first_chunk()?);
                (10 + key, usize::try_from(len).ok()?)
            }
            _ => return None, // the mask bit is wrong
        };
        // RFC 6455 §5.2: the shortest form.
        let minimal = match start - key {
            2 => true,
            4 => len >= 126,
            _ => len > 0xffff,
        };
        let end = start.checked_add(len)?;
        let legal = minimal && (len as u64) < below.into();
        (legal && end <= input.len()).then_some(Self { opcode, start, end })
    }

    /// The payload of `frame`, which is this one, unmasked.
    #[inline(always)]
    pub(crate) fn payload(self, frame: &mut [u8], masked: bool) -> &mut [u8] {
        let (header, payload) = frame.split_at_mut(self.start);
        if masked && let Some(key) = header.last_chunk() {
            apply_mask(payload, *key, 0);
        }
        payload
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use proptest::prelude::*;

    use crate::error::ProtocolError;
    use crate::role::Role;

    use super::super::raw::RawHeader;
    use super::super::rules::Place;
    use super::super::{FrameHeader, HeaderReader};
    use super::*;

    /// The same question, asked of the reader and the rules.
    fn slowly(place: Place, input: &[u8], bits: u8, below: u32) -> Option<WholeMessage> {
        let mut reader = HeaderReader::default();
        let taken = reader.take(input, |part, raw| place.check(part, raw));
        let (start, true) = taken.ok()? else {
            return None;
        };
        let header = reader.raw();
        let opcode = header
            .opcode()
            .filter(|opcode| matches!(opcode, Opcode::Text | Opcode::Binary) && header.fin())?;
        let len = header.payload_len();
        let end = usize::try_from(len).ok()?.checked_add(start)?;
        let fits = header.reserved_bits() == bits && len < below.into() && end <= input.len();
        fits.then_some(WholeMessage { opcode, start, end })
    }

    /// A frame with any header, and payload that is as long as it says or another length.
    fn frames() -> impl Strategy<Value = Vec<u8>> {
        let first = prop_oneof![Just(0x81), Just(0x82), Just(0xc1), any::<u8>()];
        let len = prop_oneof![0u64..140, 120u64..300, 65_500u64..65_600, any::<u64>()];
        (first, len, 0u8..4, any::<bool>(), any::<[u8; 4]>()).prop_map(
            |(first, len, form, masked, key)| {
                let mask = if masked { 0x80 } else { 0 };
                let mut bytes = Vec::from([first]);
                // The shortest form, and the longer ones.
                match (form, len) {
                    (0 | 1, ..126) => bytes.push(mask | len as u8),
                    (0..=2, ..=0xffff) => {
                        bytes.push(mask | 126);
                        bytes.extend((len as u16).to_be_bytes());
                    }
                    _ => {
                        bytes.push(mask | 127);
                        bytes.extend(len.to_be_bytes());
                    }
                }
                if masked {
                    bytes.extend(key);
                }
                bytes.resize(bytes.len() + len.min(70_000) as usize, b'x');
                bytes
            },
        )
    }

    proptest! {
        /// RFC 6455 §5.2: the fast way finds what the reader finds, at every cut of a frame.
        #[test]
        fn the_fast_way_is_the_reader(frame in frames(), bits in 0u8..8, below: u32, server: bool) {
            let reader = if server { Role::Server } else { Role::Client };
            let place = Place { reader, bits, first_bits: 0, in_message: false };
            let below = [below, 126, 1 << 17, u32::MAX][below as usize % 4];
            let cuts = (0..frame.len().min(150)).chain([frame.len() - 1, frame.len()]);
            for cut in cuts {
                let input = &frame[..cut];
                let fast = if server {
                    WholeMessage::find::<true>(input, bits, below)
                } else {
                    WholeMessage::find::<false>(input, bits, below)
                };
                prop_assert_eq!(fast, slowly(place, input, bits, below), "{} of {:?}", cut, &frame[..frame.len().min(20)]);
            }
        }

        /// Every cut of a header fails with the same rule or not at all, and the whole breaks that one first.
        #[test]
        fn the_first_rule_that_is_broken_is_found_at_every_cut(frame in frames(), cuts: [u8; 3], bits in 0u8..8, first_bits in 0u8..8, server: bool, in_message: bool) {
            let reader = if server { Role::Server } else { Role::Client };
            let place = Place { reader, bits, first_bits, in_message };
            let once = read(place, &[&frame]);
            let mut cuts = cuts.map(|cut| usize::from(cut % 15).min(frame.len()));
            cuts.sort_unstable();
            let [a, b, c] = cuts;
            let pieces = [&frame[..a], &frame[a..b], &frame[b..c], &frame[c..]];
            prop_assert_eq!(once, read(place, &pieces));
            match once {
                Err(error) => {
                    let mut bytes = [0; FrameHeader::MAX_LEN];
                    let len = frame.len().min(bytes.len());
                    bytes[..len].copy_from_slice(&frame[..len]);
                    prop_assert_eq!(place.broken(&RawHeader { bytes }).next(), Some(error));
                }
                Ok(Some((raw, _))) => prop_assert_eq!(place.broken(&raw).next(), None),
                Ok(None) => {}
            }
        }
    }

    /// Reads the header that comes in these pieces: the header and how many bytes it took.
    fn read(place: Place, pieces: &[&[u8]]) -> Result<Option<(RawHeader, usize)>, ProtocolError> {
        let mut reader = HeaderReader::default();
        let mut taken = 0;
        for piece in pieces {
            let (n, whole) = reader.take(piece, |part, raw| place.check(part, raw))?;
            taken += n;
            if whole {
                let mut raw = *reader.raw();
                // What lies after the header is no part of it.
                let len = raw.len();
                raw.bytes[len..].fill(0);
                return Ok(Some((raw, taken)));
            }
        }
        Ok(None)
    }
}
