//! Headers of frames (RFC 6455 §5.2).

use sansocket::error::ProtocolError;
use sansocket::frame::{FrameHeader, HeaderReader, Opcode};

use crate::sampled;

const KEY: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

/// RFC 6455 §5.2 and §5.5 as a table of one header that is there as a whole or is cut: what it says and how long it is, or
/// that more is needed, or the first rule that is broken.
fn expected(bytes: &[u8]) -> Result<Option<(FrameHeader, usize)>, ProtocolError> {
    let Some(&first) = bytes.first() else {
        return Ok(None);
    };
    let number = first % 16;
    let opcode = match number {
        0 => Opcode::Continuation,
        1 => Opcode::Text,
        2 => Opcode::Binary,
        8 => Opcode::Close,
        9 => Opcode::Ping,
        10 => Opcode::Pong,
        opcode => return Err(ProtocolError::ReservedOpcode { opcode }),
    };
    let (fin, control) = (first >= 128, number >= 8);
    if control && !fin {
        return Err(ProtocolError::ControlFragmented);
    }
    let Some(&second) = bytes.get(1) else {
        return Ok(None);
    };
    let (masked, short) = (second >= 128, second % 128);
    let extended = match short {
        126 => 2,
        127 => 8,
        _ => 0,
    };
    let Some(digits) = bytes.get(2..2 + extended) else {
        return Ok(None);
    };
    // A number in base 256, the highest digit first.
    let number = |digits: &[u8]| {
        digits
            .iter()
            .fold(0, |n, digit| n * 256 + u64::from(*digit))
    };
    let payload_len = if extended == 0 {
        short.into()
    } else {
        number(digits)
    };
    match extended {
        2 if payload_len <= 125 => return Err(ProtocolError::LengthNotMinimal),
        8 if payload_len <= 65_535 => return Err(ProtocolError::LengthNotMinimal),
        8 if digits[0] >= 128 => return Err(ProtocolError::LengthTopBit),
        2 | 8 if control => return Err(ProtocolError::ControlTooLong),
        _ => {}
    }
    let end = 2 + extended;
    let masking_key = match (masked, bytes.get(end..end + 4)) {
        (false, _) => None,
        (true, None) => return Ok(None),
        (true, Some(key)) => Some(key.try_into().unwrap()),
    };
    let header = FrameHeader {
        fin,
        rsv: first / 16 % 8,
        opcode,
        masking_key,
        payload_len,
    };
    Ok(Some((header, if masked { end + 4 } else { end })))
}

/// A header with all that may follow its first two bytes, the key included.
fn header(first: u8, second: u8, len: u64) -> Vec<u8> {
    let mut bytes = vec![first, second];
    match second % 128 {
        126 => bytes.extend(&len.to_be_bytes()[6..]),
        127 => bytes.extend(len.to_be_bytes()),
        _ => {}
    }
    bytes.extend(KEY);
    bytes
}

/// Decoded at once, with something after it or not.
fn decodes(bytes: &[u8]) {
    let expected = expected(bytes);
    assert_eq!(FrameHeader::decode(bytes), expected, "{bytes:02x?}");
    let mut long = [0xa5; 24];
    long[..bytes.len()].copy_from_slice(bytes);
    if let Ok(Some((_, len))) = expected {
        assert_eq!(FrameHeader::decode(&long[..]), expected, "{bytes:02x?}");
        assert!(len <= bytes.len());
    }
}

/// Cut off anywhere, and read in two pieces that are cut there.
fn decodes_at_every_cut(bytes: &[u8]) {
    let once = expected(bytes);
    for cut in 0..=bytes.len() {
        let (mut front, mut rest) = bytes.split_at(cut);
        decodes(front);
        let mut reader = HeaderReader::default();
        let read = match reader.read(&mut front) {
            Ok(None) => {
                assert!(front.is_empty());
                reader.read(&mut rest)
            }
            read => read,
        };
        let header = once.map(|once| once.map(|(header, _)| header));
        assert_eq!(read, header, "{bytes:02x?} cut at {cut}");
        if let (Ok(Some(_)), Ok(Some((_, len)))) = (read, once) {
            assert_eq!(front.len() + rest.len(), bytes.len() - len);
        }
    }
}

/// The lengths at which a form begins or ends, and those beside them.
const EDGES: [u64; 14] = [
    0,
    1,
    125,
    126,
    127,
    255,
    256,
    65_535,
    65_536,
    65_537,
    u64::MAX / 2,
    u64::MAX / 2 + 1,
    u64::MAX - 1,
    u64::MAX,
];

/// RFC 6455 §5.2. Domain: all 65,536 pairs of first bytes, each with the lengths at the edges of each form, as a whole.
///
/// That is all of it beside the lengths, which `lengths_of_16_bits` and `lengths_of_64_bits` go through: a verdict depends
/// on the first byte, the second, the length and nothing else, and compares the length with the edges of the forms alone.
#[test]
fn every_pair_of_first_bytes() {
    for pair in sampled(0..=u16::MAX, 251) {
        let [first, second] = pair.to_be_bytes();
        let edges: &[u64] = if second % 128 >= 126 { &EDGES } else { &[0] };
        for &len in edges {
            decodes(&header(first, second, len));
        }
    }
}

/// RFC 6455 §5.2. Domain: all first bytes with those of the second that begin each form, each cut off and cut in two at
/// every byte.
///
/// All second bytes below 126 are one form, in which the byte is the length; with `DOMAINS=whole` each of them is cut too.
#[test]
fn every_cut() {
    let seconds = [0, 1, 125, 126, 127].map(|len: u8| [len, len | 128]);
    let few = seconds.into_iter().flatten();
    let seconds: Vec<u8> = if crate::whole() {
        (0..=255).collect()
    } else {
        few.collect()
    };
    for first in sampled(0..=255, 83) {
        for &second in &seconds {
            let edges = if second % 128 >= 126 {
                &EDGES[..]
            } else {
                &[0]
            };
            for &len in sampled(edges.iter(), 7) {
                decodes_at_every_cut(&header(first, second, len));
            }
        }
    }
}

/// The header of a data frame or a control frame is written as the text says, and read as what was written.
fn encodes(header: FrameHeader) {
    let mut wire =
        vec![(if header.fin { 128 } else { 0 }) + (header.rsv % 8) * 16 + header.opcode as u8];
    let mask = if header.masking_key.is_some() { 128 } else { 0 };
    let len = header.payload_len;
    let digit = |place: u32| (len / 256u64.pow(place) % 256) as u8;
    if len < 126 {
        wire.push(mask + digit(0));
    } else if len < 65_536 {
        wire.extend([mask + 126, digit(1), digit(0)]);
    } else {
        wire.push(mask + 127);
        wire.extend((0..8).rev().map(digit));
    }
    wire.extend(header.masking_key.into_iter().flatten());
    // What stood there does not shine through.
    let mut bytes = [0xa5; FrameHeader::MAX_LEN];
    let written = header.encode(&mut bytes);
    assert_eq!(bytes[..written], wire, "{header:?}");
    decodes(&wire);
}

/// RFC 6455 §5.2. Domain: every 16-bit length, written and read, and each of them also where it stands in 64 bits;
/// masked or not. The smallest ones are in the short form, so all lengths below 65,536 are here.
#[test]
fn lengths_of_16_bits() {
    for len in sampled(0..=u16::MAX, 2039) {
        for masking_key in [None, Some(KEY)] {
            encodes(FrameHeader {
                masking_key,
                ..FrameHeader::new(Opcode::Binary, len.into())
            });
        }
        for second in [126, 127] {
            decodes(&header(0x82, second, len.into()));
        }
    }
}

/// RFC 6455 §5.2. Domain: lengths of 64 bits in which one byte has each of its values and the others are all zeros, all
/// ones or two patterns; each power of two and its neighbors.
///
/// Why that is all: the number is the sum of its bytes, each at its own place, and what is asked of it is whether it is
/// above 65,535, which the six high bytes say, and whether its top bit is set. So each byte by itself shows where it goes,
/// and zeros in all other bytes show that it alone decides.
#[test]
fn lengths_of_64_bits() {
    let mut lengths = Vec::new();
    for rest in [0, u64::MAX, 0x0123_4567_89ab_cdef, 0x7edc_ba98_7654_3210u64] {
        for place in 0..8 {
            let shift = place * 8;
            lengths.extend((0..=255).map(|byte: u64| rest & !(255 << shift) | byte << shift));
        }
    }
    lengths.extend((0..64).flat_map(|bit| [(1 << bit) - 1, 1 << bit, (1 << bit) + 1]));
    lengths.extend(EDGES);
    for len in sampled(lengths.into_iter(), 211) {
        for second in [127, 255] {
            decodes(&header(0x82, second, len));
        }
        if len <= u64::MAX / 2 {
            encodes(FrameHeader::new(Opcode::Text, len));
        }
    }
}

/// RFC 6455 §5.2. Domain: FIN, all 256 values of the field for reserved bits (of which the high ones are ignored), each
/// opcode; each with the lengths at the edges that a frame may have, masked and not; and each key byte in each place.
///
/// The first byte, the length and the key are written one after the other, and none is asked about another: so each is
/// gone through while the others stand at their edges.
#[test]
fn what_is_written() {
    let opcodes = (0..=255).filter_map(Opcode::new);
    for opcode in opcodes {
        for rsv in sampled(0..=255, 97) {
            for fin in [false, true] {
                for len in [0, 125, 126, 65_535, 65_536, u64::MAX / 2] {
                    encodes(FrameHeader {
                        fin,
                        rsv,
                        ..FrameHeader::new(opcode, len)
                    });
                }
            }
        }
    }
    for place in 0..4 {
        for byte in sampled(0..=255, 97) {
            let mut key = KEY;
            key[place] = byte;
            for len in [0, 126, 65_536] {
                encodes(FrameHeader {
                    masking_key: Some(key),
                    ..FrameHeader::new(Opcode::Text, len)
                });
            }
        }
    }
}

/// RFC 6455 §11.8. Domain: all 256 numbers. Six are assigned, and of them those from 8 on are control frames.
#[test]
fn opcodes() {
    for number in 0..=255 {
        let opcode = Opcode::new(number);
        let assigned = [0, 1, 2, 8, 9, 10].contains(&number);
        assert_eq!(
            opcode.map(|opcode| opcode as u8),
            assigned.then_some(number)
        );
        assert!(opcode.is_none_or(|opcode| opcode.is_control() == (number >= 8)));
    }
    assert_eq!((0..=255).filter_map(Opcode::new).count(), 6);
}
