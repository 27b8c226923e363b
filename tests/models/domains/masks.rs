//! Masking (RFC 6455 §5.3): transformed-octet-i = original-octet-i XOR masking-key-octet-(i mod 4).
//!
//! One thought for all of these: the code asks for the length of a payload and, from 4,096 bytes on, for its address,
//! but never for a byte of it or of the key. What it does is a choice of XORs by length, address and offset. So every
//! pair of bytes in each place mod 4, and every length, address and offset with one payload in which no two neighbors
//! are alike, are together every payload.

use sansocket::entropy::Entropy;
use sansocket::error::NoEntropy;
use sansocket::mask::apply_mask;
use sansocket::{Connection, Event, Message, Role};

use crate::sampled;
use crate::support::{Frame, client_config, client_with, server, server_config, take_output};

const KEY: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

/// RFC 6455 §5.3, word for word.
fn naive(payload: &[u8], key: [u8; 4], offset: u64) -> Vec<u8> {
    let transformed = |(i, octet): (usize, &u8)| octet ^ key[(i + (offset % 4) as usize) % 4];
    payload.iter().enumerate().map(transformed).collect()
}

/// Bytes of which each differs from those 1, 2, 3, 4, 16, 32 and 64 after it.
fn payload(len: usize) -> Vec<u8> {
    (0..len)
        .map(|i| (i * 37 + i / 256 * 11 + 5) as u8)
        .collect()
}

/// Four times each byte in a row: each is in each place.
fn each_in_each_place() -> Vec<u8> {
    sampled((0..1024).map(|i| (i / 4) as u8), 9).collect()
}

/// All lengths at which another way begins, with those around them: words of 4, 16 and 32 bytes twice and four times, blocks
/// of 64, and the vectors and the aligned words of long payloads. `DOMAINS=whole`: every length to beyond the last of them.
fn lengths() -> Vec<usize> {
    let short = sampled(0..300, 29);
    if crate::whole() {
        return (0..4096 + 300).collect();
    }
    let long = [480..560, 1000..1100, 4090..4170];
    let long = sampled(long.into_iter().flatten().rev(), 150);
    short.chain(long).collect()
}

/// RFC 6455 §5.3. Domain: all 65,536 pairs of a key byte and a payload byte, in each of the four places, at each offset
/// mod 4, in payloads that are worked on byte by byte, in short words and in long ones.
#[test]
fn every_byte_with_every_key_byte() {
    let all = each_in_each_place();
    for byte in sampled(0..=255u8, 201) {
        let key = [0, 64, 128, 192].map(|more| byte.wrapping_add(more));
        for offset in 0..4 {
            for len in [1024, 128, 64, 12, 3] {
                let mut masked = all.clone();
                for piece in masked.chunks_mut(len) {
                    apply_mask(piece, key, offset);
                }
                let expected: Vec<u8> = all
                    .chunks(len)
                    .flat_map(|piece| naive(piece, key, offset))
                    .collect();
                assert_eq!(masked, expected, "{key:02x?} at {offset}, {len} at once");
            }
        }
    }
}

/// RFC 6455 §5.3. Domain: every length at which another way begins, each offset mod 4, each address mod 64 (four of them,
/// where the code does not ask for the address); nothing beside the payload changes.
#[test]
fn every_length_offset_and_address() {
    for len in lengths() {
        let bytes = payload(len);
        let addresses = if len >= 4096 || crate::whole() { 64 } else { 4 };
        for offset in sampled(0..4, 3) {
            let expected = naive(&bytes, KEY, offset);
            let mut room = vec![0xee; len + 128];
            let base = room.as_ptr().align_offset(64).min(63);
            for address in sampled(0..addresses, 29) {
                room.fill(0xee);
                let (before, rest) = room.split_at_mut(base + address);
                let (place, after) = rest.split_at_mut(len);
                place.copy_from_slice(&bytes);
                apply_mask(place, KEY, offset);
                assert!(
                    place == expected,
                    "{len} bytes at {offset}, address {address}"
                );
                assert!(before.iter().chain(&*after).all(|byte| *byte == 0xee));
            }
        }
    }
}

/// RFC 6455 §5.3. Domain: offsets of 64 bits, of which the two lowest bits count: each bit by itself, and where 32 bits
/// and 64 bits end, with each length that has a way of its own.
#[test]
fn every_bit_of_the_offset() {
    let ends = [0, u64::from(u32::MAX), u64::MAX - 4].map(|end| end..=end + 4);
    let offsets = (0..64)
        .map(|bit| 1u64 << bit)
        .chain(ends.into_iter().flatten());
    for offset in sampled(offsets, 11) {
        for len in [1, 3, 5, 17, 63, 65, 129] {
            let mut bytes = payload(len);
            apply_mask(&mut bytes, KEY, offset);
            assert_eq!(
                bytes,
                naive(&payload(len), KEY, offset),
                "{len} at {offset}"
            );
        }
    }
}

/// The same key each time.
struct Same([u8; 4]);

impl Entropy for Same {
    fn fill(&mut self, out: &mut [u8]) -> Result<(), NoEntropy> {
        for (byte, key) in out.iter_mut().zip(self.0.into_iter().cycle()) {
            *byte = key;
        }
        Ok(())
    }
}

fn masks_with(key: [u8; 4]) -> Connection {
    client_with(&client_config(), Same(key))
}

/// RFC 6455 §5.3: what is masked while it is copied into the queue. Domain: every length at which another way begins, whole
/// and in two pieces of one frame, the second of which begins at each place mod 4; and all 65,536 pairs of bytes.
#[test]
fn masked_into_the_queue() {
    let mut ws = masks_with(KEY);
    for len in lengths() {
        let bytes = payload(len);
        let frame = Frame::new(2, &bytes).masked(KEY).encode();
        ws.send(bytes.as_slice()).unwrap();
        assert!(take_output(&mut ws) == frame, "{len} bytes");
        for cut in sampled(1..len.min(5), 2) {
            ws.begin_message(sansocket::Kind::Binary, len as u64)
                .unwrap();
            ws.write_message(&bytes[..cut]).unwrap();
            ws.write_message(&bytes[cut..]).unwrap();
            assert!(take_output(&mut ws) == frame, "{len} bytes, cut at {cut}");
        }
    }
    let all = each_in_each_place();
    for byte in sampled(0..=255u8, 201) {
        let key = [0, 64, 128, 192].map(|more| byte.wrapping_add(more));
        let mut ws = masks_with(key);
        for piece in [1024, 48, 12, 6, 3] {
            for bytes in all.chunks(piece).step_by(1 + 1024 / piece / 64) {
                ws.send(bytes).unwrap();
                let frame = Frame::new(2, bytes).masked(key).encode();
                assert_eq!(take_output(&mut ws), frame);
            }
        }
    }
}

/// RFC 6455 §5.3: what is unmasked in place, while it is copied, and over what a buffer held before. Domain: every length at
/// which another way begins, whole and cut within its first bytes, near its end, and at one place between.
#[test]
fn unmasked_by_the_reader() {
    let mut ws = server(&server_config());
    assert_eq!(ws.role(), Role::Server);
    for len in lengths() {
        let bytes = payload(len);
        let frame = Frame::new(2, &bytes).masked(KEY).encode();
        let header = frame.len() - len;
        let ends = (0..5).chain([len / 2 + 1, len.saturating_sub(2), len]);
        for cut in sampled(ends, 5).filter(|cut| *cut <= len) {
            let mut wire = frame.clone();
            let (front, rest) = wire.split_at_mut(header + cut);
            let mut got = None;
            for mut piece in [front, rest] {
                while let Some(event) = ws.receive(&mut piece) {
                    if let Event::Message(message) = event {
                        got = Some(Message::into_vec(message));
                    }
                }
                assert!(piece.is_empty());
            }
            assert!(got.as_ref() == Some(&bytes), "{len} bytes, cut at {cut}");
            // The buffer of this message has the next one written over what is in it.
            ws.lend_buffer(got.unwrap());
        }
    }
}
