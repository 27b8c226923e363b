//! What a recording leaves out on demand: payloads of messages, and what is secret in heads.
//!
//! The bytes stay as many and keep what a connection decides by, so that a replay takes the same way: of text
//! the class of each byte, by which UTF-8 is judged, of binary messages their length.

use alloc::vec::Vec;
use core::convert::Infallible;

use crate::decimal::decimal;
use crate::event::Kind;
use crate::frame::{HeaderReader, Opcode};
use crate::mask::{MaskingKey, apply_mask};

/// What is left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct LeftOut {
    pub(super) payloads: bool,
    pub(super) secrets: bool,
}

impl LeftOut {
    pub(super) const NOTHING: Self = Self {
        payloads: false,
        secrets: false,
    };

    pub(super) const fn anything(self) -> bool {
        self.payloads || self.secrets
    }
}

/// One direction of a connection, from its first byte on: where its heads and payloads are.
pub(super) struct Direction {
    left_out: LeftOut,
    place: Place,
    line: Line,
    /// The status of the answer whose head is on the way.
    status: Option<u64>,
    header: HeaderReader,
    /// What is left of the frame's payload, and how much of it went by.
    left: u64,
    gone: u64,
    opcode: Opcode,
    key: Option<MaskingKey>,
    /// The kind of the message on the way, and whether its first frame has reserved bits.
    message: (Kind, bool),
}

/// A line of a head, as far as it has come.
#[derive(Default)]
struct Line {
    /// A head has begun: this is not its first line.
    is_field: bool,
    /// Its beginning.
    start: Vec<u8>,
    /// Blanks so far.
    blanks: usize,
    /// What follows is a secret.
    hides: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Head,
    /// The body of an answer over HTTP, which ends the connection.
    Body,
    Frames,
}

impl Line {
    /// Takes the next byte; whether it is of a secret.
    fn hides_next(&mut self, byte: u8) -> bool {
        // A line that begins with a blank goes on with the one before (RFC 9112 §5.2).
        if self.start.is_empty() && !matches!(byte, b' ' | b'\t') {
            self.hides = false;
        }
        let hides = self.hides;
        if self.start.len() < START {
            self.start.push(byte);
        }
        if self.is_field {
            if byte == b':' && !hides {
                let name = self.start.split(|&byte| byte == b':').next();
                self.hides = name.is_some_and(is_secret);
            }
            return hides;
        }
        // Of a request line the query.
        match byte {
            b' ' => (self.blanks, self.hides) = (self.blanks + 1, false),
            b'?' if self.blanks == 1 => self.hides = true,
            _ => {}
        }
        hides && byte != b' '
    }
}

/// The payload of a message that an extension has encoded: nothing can stand for it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Encoded;

impl Direction {
    pub(super) fn new(left_out: LeftOut, upgraded: bool) -> Self {
        Self {
            left_out,
            place: if upgraded { Place::Frames } else { Place::Head },
            line: Line::default(),
            status: None,
            header: HeaderReader::default(),
            left: 0,
            gone: 0,
            opcode: Opcode::Binary,
            key: None,
            message: (Kind::Binary, false),
        }
    }

    pub(super) const fn leaves_out(&self) -> bool {
        self.left_out.anything()
    }

    /// Appends what is left of these bytes, which follow those before. `encodes`: an extension that encodes
    /// messages is in use.
    ///
    /// # Errors
    /// [`Encoded`]; some of it was appended then.
    pub(super) fn leave_out(
        &mut self,
        bytes: &[u8],
        encodes: bool,
        out: &mut Vec<u8>,
    ) -> Result<(), Encoded> {
        let mut rest = bytes;
        while !rest.is_empty() {
            match self.place {
                Place::Body => {
                    out.extend_from_slice(rest);
                    return Ok(());
                }
                Place::Head => self.head(&mut rest, out),
                Place::Frames if self.left > 0 => self.payload(&mut rest, encodes, out)?,
                Place::Frames => self.frame_header(&mut rest, out),
            }
        }
        Ok(())
    }

    // ── heads

    /// The next byte of a head (RFC 9112 §2.2).
    fn head(&mut self, rest: &mut &[u8], out: &mut Vec<u8>) {
        let Some((&byte, after)) = rest.split_first() else {
            return;
        };
        *rest = after;
        if byte == b'\n' {
            out.push(byte);
            return self.line_ends();
        }
        // Where lines end is followed for what comes after them, too.
        let hides = self.line.hides_next(byte) && self.left_out.secrets;
        out.push(if hides { hidden_byte(byte) } else { byte });
    }

    fn line_ends(&mut self) {
        let line = &mut self.line;
        let start = core::mem::take(&mut line.start);
        line.blanks = 0;
        if !matches!(&*start, b"" | b"\r") {
            if !line.is_field && start.starts_with(b"HTTP/") {
                let code = start.split(|&byte| byte == b' ').nth(1);
                self.status = code.and_then(decimal);
            }
            line.is_field = true;
        } else if core::mem::take(&mut line.is_field) {
            self.place = match self.status.take() {
                // A request, or the answer that opens the connection.
                None | Some(101) => Place::Frames,
                Some(100..200) => Place::Head,
                Some(_) => Place::Body,
            };
        }
    }

    // ── frames

    fn frame_header(&mut self, rest: &mut &[u8], out: &mut Vec<u8>) {
        // What is wrong with it is the connection's to find.
        let Ok((taken, whole)) = self.header.take(rest, |_, _| Ok::<_, Infallible>(()));
        let (now, after) = rest.split_at(taken);
        out.extend_from_slice(now);
        *rest = after;
        if !whole {
            return;
        }
        let raw = *self.header.raw();
        self.header.restart();
        (self.left, self.gone) = (raw.payload_len(), 0);
        self.key = raw.masking_key();
        self.opcode = raw.opcode().unwrap_or(Opcode::Binary);
        let marked = raw.reserved_bits() != 0;
        match self.opcode {
            Opcode::Text => self.message = (Kind::Text, marked),
            Opcode::Binary => self.message = (Kind::Binary, marked),
            _ => {}
        }
    }

    fn payload(
        &mut self,
        rest: &mut &[u8],
        encodes: bool,
        out: &mut Vec<u8>,
    ) -> Result<(), Encoded> {
        let len = usize::try_from(self.left).map_or(rest.len(), |left| left.min(rest.len()));
        let (now, after) = rest.split_at(len);
        let from = out.len();
        out.extend_from_slice(now);
        let (kind, marked) = match self.opcode {
            Opcode::Close => (Kind::Text, false),
            _ => self.message,
        };
        let stays = match self.opcode {
            Opcode::Ping | Opcode::Pong => len,
            // The code of a Close frame.
            Opcode::Close => usize::from(2_u8.saturating_sub(self.gone.min(2) as u8)).min(len),
            _ if marked && encodes && self.left_out.payloads => return Err(Encoded),
            _ => 0,
        };
        if self.left_out.payloads {
            let emptied = &mut out[from + stays..];
            let (key, offset) = (self.key.unwrap_or_default(), self.gone + stays as u64);
            apply_mask(emptied, key, offset);
            empty(kind, emptied);
            apply_mask(emptied, key, offset);
        }
        *rest = after;
        self.left -= len as u64;
        self.gone += len as u64;
        Ok(())
    }
}

/// What is left of the payload of a message.
pub(super) fn empty(kind: Kind, payload: &mut [u8]) {
    match kind {
        Kind::Text => payload.iter_mut().for_each(|byte| *byte = class(*byte)),
        Kind::Binary => payload.fill(0),
    }
}

/// A byte that stands for all that mean the same to a validator of UTF-8 (RFC 3629 §4).
pub(super) const fn class(byte: u8) -> u8 {
    match byte {
        ..0x80 => b'x',
        0x80..0x90 => 0x80,
        0x90..0xa0 => 0x90,
        0xa0..0xc0 => 0xa0,
        0xc0 | 0xc1 => 0xc0,
        0xc2..0xe0 => 0xc2,
        0xe1..=0xec | 0xee | 0xef => 0xe1,
        0xf1..=0xf3 => 0xf1,
        0xf5.. => 0xf5,
        0xe0 | 0xed | 0xf0 | 0xf4 => byte,
    }
}

/// The value of such a field is a secret, or may be one.
pub(super) fn is_secret(name: &[u8]) -> bool {
    SECRETS
        .iter()
        .any(|secret| name.eq_ignore_ascii_case(secret))
}

/// What stands for a byte of a secret: what is not of it, such as a blank, stays.
pub(super) const fn hidden_byte(byte: u8) -> u8 {
    match byte {
        byte if byte.is_ascii_alphanumeric() => b'x',
        0x80.. => 0x80,
        _ => byte,
    }
}

/// The value of a secret field, as it is recorded.
pub(super) fn hidden(value: &[u8]) -> Vec<u8> {
    value.iter().map(|&byte| hidden_byte(byte)).collect()
}

const SECRETS: [&[u8]; 6] = [
    b"Authorization",
    b"Proxy-Authorization",
    b"Cookie",
    b"Set-Cookie",
    b"WWW-Authenticate",
    b"Authentication-Info",
];

/// So much of a line has to be known: more than the longest name of a secret field.
const START: usize = 32;
