//! Frames as RFC 6455 §5.2 draws them: written, and read as far as the bytes go.

use super::{Fault, Rules};

/// The opcodes of RFC 6455 §5.2.
pub(crate) const CONTINUATION: u8 = 0;
pub(crate) const TEXT: u8 = 1;
pub(crate) const BINARY: u8 = 2;
pub(crate) const CLOSE: u8 = 8;
pub(crate) const PING: u8 = 9;
pub(crate) const PONG: u8 = 10;

/// §5.5: control frames are the opcodes with the highest bit.
pub(crate) const fn is_control(opcode: u8) -> bool {
    opcode >= 8
}

/// The header of a frame with a payload of `len` bytes (§5.2), with a key if it is masked (§5.3).
pub(crate) fn header(fin: bool, opcode: u8, len: u64, key: Option<[u8; 4]>) -> Vec<u8> {
    let mut out = vec![if fin { 0x80 } else { 0 } | opcode];
    let mask_bit = if key.is_some() { 0x80 } else { 0 };
    // §5.2: "the minimal number of bytes MUST be used".
    if len <= 125 {
        out.push(mask_bit | len as u8);
    } else if len <= 0xffff {
        out.push(mask_bit | 126);
        out.extend((len as u16).to_be_bytes());
    } else {
        out.push(mask_bit | 127);
        out.extend(len.to_be_bytes());
    }
    out.extend(key.into_iter().flatten());
    out
}

/// §5.3: byte i of the payload with byte i modulo 4 of the key.
pub(crate) fn mask(payload: &[u8], offset: usize, key: Option<[u8; 4]>) -> Vec<u8> {
    let key = key.unwrap_or_default();
    let masked = |(i, byte)| byte ^ key[(offset + i) % 4];
    payload.iter().enumerate().map(masked).collect()
}

/// A frame on its way in: its header byte by byte, its payload as it comes.
#[derive(Clone, Default)]
pub(crate) struct Incoming {
    header: Vec<u8>,
    /// Without its mask.
    pub(crate) payload: Vec<u8>,
}

impl Incoming {
    /// Nothing of the frame has come.
    pub(crate) fn is_empty(&self) -> bool {
        self.header.is_empty()
    }

    pub(crate) fn fin(&self) -> bool {
        self.header[0] & 0x80 != 0
    }

    pub(crate) fn opcode(&self) -> u8 {
        self.header[0] & 15
    }

    /// RFC 7692 §6: the first reserved bit.
    pub(crate) fn is_compressed(&self) -> bool {
        self.header[0] & 0x40 != 0
    }

    /// The header has come as a whole.
    pub(crate) fn header_is_whole(&self) -> bool {
        let masked = self.header.get(1).is_some_and(|byte| byte & 0x80 != 0);
        self.len()
            .is_some_and(|_| self.header.len() == self.length_end() + if masked { 4 } else { 0 })
    }

    pub(crate) fn is_whole(&self) -> bool {
        self.header_is_whole() && self.len() == Some(self.payload.len() as u64)
    }

    fn length_end(&self) -> usize {
        2 + match self.header[1] & 0x7f {
            126 => 2,
            127 => 8,
            _ => 0,
        }
    }

    /// The length of the payload, once its last byte has come.
    pub(super) fn len(&self) -> Option<u64> {
        let short = self.header.get(1)? & 0x7f;
        let extended = self.header.get(2..self.length_end())?;
        Some(match short {
            126 | 127 => extended
                .iter()
                .fold(0, |len, byte| len << 8 | u64::from(*byte)),
            short => u64::from(short),
        })
    }

    /// Takes the next byte of the header, and judges what is certain with it: not earlier, not later.
    /// `message` is what came of the message in progress: bytes, frames, and whether it is compressed.
    pub(crate) fn push(
        &mut self,
        byte: u8,
        rules: &Rules,
        message: Option<(u64, u64, bool)>,
    ) -> Result<(), Fault> {
        self.header.push(byte);
        match self.header.len() {
            1 => self.judge_first(rules, message),
            at => {
                if at == 2 {
                    self.judge_second(rules)?;
                }
                if at == self.length_end() {
                    self.judge_length(rules, message)?;
                }
                Ok(())
            }
        }
    }

    fn judge_first(&self, rules: &Rules, message: Option<(u64, u64, bool)>) -> Result<(), Fault> {
        let (first, opcode) = (self.header[0], self.opcode());
        // §5.2: only what an extension defines. RFC 7692 §6: on the first frame of a message.
        let defined = match opcode {
            TEXT | BINARY if rules.inflates => 0x40,
            _ => 0,
        };
        let undefined = first & 0x70 & !defined;
        if undefined != 0 {
            return Err(Fault::ReservedBits(undefined >> 4));
        }
        match opcode {
            CONTINUATION | TEXT | BINARY | CLOSE | PING | PONG => {}
            // §5.2: an unknown opcode fails the connection.
            _ => return Err(Fault::ReservedOpcode(opcode)),
        }
        // §5.5: control frames are never fragmented.
        if is_control(opcode) && !self.fin() {
            return Err(Fault::ControlFragmented);
        }
        // §5.4: what may follow what.
        match (opcode, message) {
            (CONTINUATION, None) => Err(Fault::NothingToContinue),
            (TEXT | BINARY, Some(_)) => Err(Fault::MessageInterrupted),
            // §10.4: limits of the implementation.
            (CONTINUATION, Some((_, frames, _))) if frames + 1 > rules.fragments => {
                Err(Fault::TooManyFragments(frames + 1))
            }
            _ => Ok(()),
        }
    }

    fn judge_second(&self, rules: &Rules) -> Result<(), Fault> {
        let masked = self.header[1] & 0x80 != 0;
        // §5.1: a client masks every frame, a server none.
        match (rules.server, masked) {
            (true, false) if !rules.takes_unmasked => return Err(Fault::Unmasked),
            (false, true) => return Err(Fault::Masked),
            _ => {}
        }
        Ok(())
    }

    fn judge_length(&self, rules: &Rules, message: Option<(u64, u64, bool)>) -> Result<(), Fault> {
        let len = self.len().unwrap_or_default();
        // §5.2: the most significant bit must be 0.
        if len >> 63 == 1 {
            return Err(Fault::TopBit);
        }
        // §5.2, D-11: the shortest form.
        let shortest = match self.header[1] & 0x7f {
            126 => len > 125,
            127 => len > 0xffff,
            _ => true,
        };
        if !shortest {
            return Err(Fault::NotShortest);
        }
        // §5.5: at most 125 bytes of payload in a control frame.
        if is_control(self.opcode()) && len > 125 {
            return Err(Fault::ControlTooLong);
        }
        // §10.4, at the header: before a byte of payload is stored.
        if !is_control(self.opcode()) {
            if len > rules.frame {
                return Err(Fault::FrameTooLong(len));
            }
            let whole = message.map_or(0, |(bytes, ..)| bytes) + len;
            let compressed = self.is_compressed() || message.is_some_and(|(_, _, z)| z);
            // What a compressed one comes to is seen while it is inflated.
            if whole > rules.message && !compressed {
                return Err(Fault::MessageTooLong(whole));
            }
        }
        Ok(())
    }

    /// Takes what it needs of the front of `bytes` as payload.
    pub(crate) fn take_payload(&mut self, bytes: &mut &[u8]) -> Vec<u8> {
        let missing = self.len().unwrap_or_default() - self.payload.len() as u64;
        let (front, rest) = bytes.split_at(bytes.len().min(missing as usize));
        *bytes = rest;
        let key = self.header[self.length_end()..].try_into().ok();
        let piece = mask(front, self.payload.len(), key);
        self.payload.extend(&piece);
        piece
    }
}
