//! A client's frames, encoded beforehand, and a server's, counted as they come in.

use std::io::{self, Read};

use miniz_oxide::deflate::core::{CompressorOxide, TDEFLFlush, compress};
use miniz_oxide::inflate::core::{DecompressorOxide, decompress, inflate_flags};

use crate::wrong;

pub const RSV1: u8 = 0x40;
pub const TEXT: u8 = 1;
pub const BINARY: u8 = 2;
const PING: u8 = 9;
const PONG: u8 = 10;

const KEY: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

/// A whole message, masked (RFC 6455 §5.2).
pub fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![0x80 | first];
    match payload.len() {
        len @ ..=125 => frame.push(0x80 | len as u8),
        len @ ..=0xffff => {
            frame.push(0x80 | 126);
            frame.extend((len as u16).to_be_bytes());
        }
        len => {
            frame.push(0x80 | 127);
            frame.extend((len as u64).to_be_bytes());
        }
    }
    frame.extend(KEY);
    frame.extend(payload.iter().zip(KEY.iter().cycle()).map(|(a, b)| a ^ b));
    frame
}

/// The length of a server's header that begins like this, so far as it can be told.
fn header_len(header: &[u8]) -> usize {
    match header.get(1) {
        Some(126) => 4,
        Some(127) => 10,
        _ => 2,
    }
}

fn payload_len(header: &[u8]) -> u64 {
    let bytes = if header.len() == 2 {
        &header[1..]
    } else {
        &header[2..]
    };
    bytes
        .iter()
        .fold(0, |len, byte| len << 8 | u64::from(*byte))
}

/// The next frame that carries data: its first byte, and its payload.
pub fn read(stream: &mut impl Read) -> io::Result<(u8, Vec<u8>)> {
    loop {
        let mut header = [0; 10];
        stream.read_exact(&mut header[..2])?;
        let len = header_len(&header);
        stream.read_exact(&mut header[2..len])?;
        let mut payload = vec![0; payload_len(&header[..len]) as usize];
        stream.read_exact(&mut payload)?;
        if header[0] & 0x0f <= BINARY {
            return Ok((header[0], payload));
        }
    }
}

/// Where the stream of a server's frames is.
#[derive(Default)]
pub struct Counter {
    header: [u8; 10],
    have: usize,
    /// Of the payload.
    rest: u64,
    ping: Vec<u8>,
}

impl Counter {
    /// How many messages end in `input`. What is not as long as expected is an error, and pings are answered.
    pub fn count(
        &mut self,
        mut input: &[u8],
        expected: Option<u64>,
        pongs: &mut Vec<u8>,
    ) -> io::Result<usize> {
        let mut messages = 0;
        loop {
            let header_len = header_len(&self.header[..self.have]);
            if self.have < header_len || self.have < 2 {
                let take = input.len().min(header_len - self.have);
                if take == 0 {
                    return Ok(messages);
                }
                self.header[self.have..][..take].copy_from_slice(&input[..take]);
                self.have += take;
                input = &input[take..];
                let header = &self.header[..self.have];
                if self.have >= 2 && self.have == self::header_len(header) {
                    self.rest = payload_len(header);
                    if header[0] & 0x0f <= BINARY && expected.is_some_and(|len| len != self.rest) {
                        return Err(wrong("an answer of another length"));
                    }
                } else {
                    continue;
                }
            }
            let take = self.rest.min(input.len() as u64) as usize;
            if self.header[0] & 0x0f == PING {
                self.ping.extend(&input[..take]);
            }
            input = &input[take..];
            self.rest -= take as u64;
            if self.rest > 0 {
                return Ok(messages);
            }
            self.have = 0;
            match self.header[0] & 0x0f {
                PING => pongs.extend(frame(PONG, &std::mem::take(&mut self.ping))),
                PONG => {}
                TEXT | BINARY => messages += 1,
                _ => return Err(wrong("a frame that nobody asked for")),
            }
        }
    }
}

/// A message for permessage-deflate without context takeover (RFC 7692 §7.2.1).
pub fn deflated(payload: &[u8]) -> Vec<u8> {
    let mut out = vec![0; payload.len() + 64];
    // Raw, with as much effort as zlib's level 6.
    let mut compressor = CompressorOxide::new(128);
    let (_, _, len) = compress(&mut compressor, payload, &mut out, TDEFLFlush::Sync);
    out.truncate(len);
    assert!(out.ends_with(&[0, 0, 0xff, 0xff]));
    out.truncate(len - 4);
    out
}

/// What a message holds that was compressed with an empty window.
pub fn inflated(payload: &[u8], most: usize) -> Vec<u8> {
    let whole = [payload, &[0, 0, 0xff, 0xff]].concat();
    let mut out = vec![0; most];
    let flags = inflate_flags::TINFL_FLAG_USING_NON_WRAPPING_OUTPUT_BUF
        | inflate_flags::TINFL_FLAG_HAS_MORE_INPUT;
    let mut inflator = DecompressorOxide::new();
    let (_, _, len) = decompress(&mut inflator, &whole, &mut out, 0, flags);
    out.truncate(len);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As a server sends it.
    fn sent(first: u8, payload: &[u8]) -> Vec<u8> {
        let mut masked = frame(first, payload);
        let header = masked.len() - payload.len() - KEY.len();
        masked[1] &= 0x7f;
        masked.truncate(header);
        [&masked[..], payload].concat()
    }

    #[test]
    fn messages_are_counted_wherever_they_are_cut() {
        for len in [0, 125, 126, 300] {
            let payload = vec![7; len];
            let ping = sent(PING, b"are you there");
            let message = sent(BINARY, &payload);
            let stream = [&message[..], &ping, &message, &message].concat();
            for cut in 0..=stream.len() {
                let (mut counter, mut pongs) = (Counter::default(), Vec::new());
                let mut messages = 0;
                for part in [&stream[..cut], &stream[cut..]] {
                    let len = Some(len as u64);
                    messages += counter.count(part, len, &mut pongs).unwrap();
                }
                assert_eq!(messages, 3, "{len} bytes, cut at {cut}");
                assert_eq!(pongs, frame(PONG, b"are you there"));
            }
        }
    }

    #[test]
    fn a_message_in_many_pieces_is_one() {
        let stream = sent(BINARY, &vec![7; 70_000]);
        let (mut counter, mut pongs) = (Counter::default(), Vec::new());
        let mut messages = 0;
        for piece in stream.chunks(1) {
            messages += counter.count(piece, Some(70_000), &mut pongs).unwrap();
        }
        assert_eq!(messages, 1);
    }

    #[test]
    fn another_length_and_other_frames_are_errors() {
        for stream in [sent(BINARY, b"four"), sent(8, &[3, 0xe8])] {
            let mut counter = Counter::default();
            assert!(counter.count(&stream, Some(5), &mut Vec::new()).is_err());
        }
    }

    #[test]
    fn what_is_compressed_can_be_read_again() {
        let text = b"the same again, ".repeat(100);
        let compressed = deflated(&text);
        assert!(compressed.len() < text.len() / 10);
        assert_eq!(inflated(&compressed, text.len() + 1), text);
    }
}
