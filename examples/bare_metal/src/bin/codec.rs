//! The codec alone: echoes the payload of each frame that comes over the serial line, until a Close frame.
#![no_std]
#![no_main]

use bare_metal::{Serial, Stack, end, say};
use cortex_m_rt::entry;
use sansocket::frame::{FrameHeader, HeaderReader, MAX_CONTROL_PAYLOAD, Opcode, decode_close};
use sansocket::mask::apply_mask;
use sansocket::utf8::Validator;

const BYTES: usize = 512;

#[entry]
fn main() -> ! {
    let stack = Stack::mark();
    let closed = echo();
    say("stack", stack.used() - BYTES);
    end(closed)
}

/// Until a Close frame has come. False for what is no frame, no text, or too long.
#[inline(never)]
fn echo() -> bool {
    let mut serial = Serial::new();
    let (mut reader, mut bytes) = (HeaderReader::default(), [0; BYTES]);
    loop {
        let header = loop {
            let mut one = [0];
            if serial.read(&mut one) == 1 {
                match reader.read(&mut &one[..]) {
                    Ok(None) => {}
                    Ok(Some(header)) => break header,
                    Err(_) => return false,
                }
            }
        };
        let len = usize::try_from(header.payload_len);
        let Some(payload) = len.ok().and_then(|len| bytes.get_mut(..len)) else {
            return false;
        };
        let mut have = 0;
        while have < payload.len() {
            have += serial.read(&mut payload[have..]);
        }
        if let Some(key) = header.masking_key {
            apply_mask(payload, key, 0);
        }
        let is_text = || Validator::new().push(payload).is_ok();
        if header.opcode == Opcode::Text && !is_text() {
            return false;
        }
        let answer = FrameHeader {
            masking_key: None,
            ..header
        };
        let mut head = [0; FrameHeader::MAX_LEN];
        let len = answer.encode(&mut head);
        serial.write(&head[..len]);
        serial.write(payload);
        if header.opcode == Opcode::Close {
            return payload.len() <= MAX_CONTROL_PAYLOAD && decode_close(payload).is_ok();
        }
    }
}
