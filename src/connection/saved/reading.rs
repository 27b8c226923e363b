//! The frame and the message in progress.

use alloc::string::String;
use alloc::vec::Vec;

use crate::event::Kind;
use crate::frame::{HeaderReader, Opcode};
use crate::mask;
use crate::utf8::Validator;
use crate::wire::{Bad, Reader, Saved, Writer};

use super::super::gathering::{Buffer, Gathering, InProgress};
use super::super::reading::Reading;

impl Saved for Reading {
    fn save(&self, to: &mut Writer) {
        let Self {
            left,
            key: _, // that of the header, as it stands where the payload is
            header,
            ended,
            waiting,
        } = self;
        to.string(header.came());
        if header.is_whole() {
            to.number(*left);
        }
        to.flag(*ended);
        to.number((*waiting).into());
    }

    fn read(from: &mut Reader<'_>) -> Result<Self, Bad> {
        let came = from.string()?;
        let mut header = HeaderReader::default();
        let judged = header.take(came, |part, raw| raw.check(part));
        let (taken, whole) = judged.map_err(|_| Bad)?;
        if taken < came.len() {
            return Err(Bad);
        }
        let mut reading = Self::default();
        if whole {
            let raw = *header.raw();
            reading.left = from.number()?;
            let read = raw.payload_len().checked_sub(reading.left).ok_or(Bad)?;
            reading.key = mask::rotate(raw.masking_key().unwrap_or_default(), read);
        }
        reading.header = header;
        reading.ended = from.flag()?;
        reading.waiting = from.small()?;
        Ok(reading)
    }
}

impl Saved for Gathering {
    fn save(&self, to: &mut Writer) {
        let InProgress {
            len,
            fragments,
            kind,
            in_chunks,
            begun,
            // Between two messages of it, or none.
            codec_bit: _,
            pulling: _,
            frame_bits,
            own_bits,
            told_bits,
            utf8,
        } = &self.message;
        let Some(kind) = *kind else {
            return to.byte(0);
        };
        kind.save(to);
        to.byte(u8::from(*in_chunks) | u8::from(*begun) << 1);
        for bits in [frame_bits, own_bits, told_bits] {
            to.byte(*bits);
        }
        to.number(*len);
        to.number((*fragments).into());
        utf8.save(to);
        if !in_chunks {
            to.string(match (&self.buffer, kind) {
                (Buffer::Text(text), Kind::Text) => text.as_bytes(),
                // `as`: it was gathered in memory.
                (Buffer::Bytes(bytes), Kind::Binary) => bytes.get(..*len as usize).unwrap_or(bytes),
                _ => &[],
            });
        }
    }

    fn read(from: &mut Reader<'_>) -> Result<Self, Bad> {
        let Some(kind) = kind_or_none(from)? else {
            return Ok(Self::default());
        };
        let facts = from.byte()?;
        let [frame_bits, own_bits, told_bits] = from.array()?;
        let message = InProgress {
            kind: Some(kind),
            in_chunks: facts & 1 != 0,
            begun: facts & 2 != 0,
            frame_bits,
            own_bits,
            told_bits,
            len: from.number()?,
            fragments: from.small()?,
            utf8: Validator::read(from)?,
            codec_bit: 0,
            pulling: false,
        };
        let carried = message.utf8.unfinished().len() as u64;
        let fits = facts < 4
            && message.in_chunks >= message.begun
            && message.fragments > 0
            && (frame_bits | told_bits) & !own_bits == 0
            && carried <= message.len
            && (carried == 0 || kind == Kind::Text);
        if !fits {
            return Err(Bad);
        }
        let buffer = if message.in_chunks {
            Buffer::None
        } else {
            let gathered = from.string()?;
            if gathered.len() as u64 != message.len - carried {
                return Err(Bad);
            }
            buffered(kind, gathered)?
        };
        Ok(Self { message, buffer })
    }
}

fn buffered(kind: Kind, gathered: &[u8]) -> Result<Buffer, Bad> {
    Ok(match kind {
        _ if gathered.is_empty() => Buffer::None,
        Kind::Binary => Buffer::Bytes(Vec::from(gathered)),
        Kind::Text => {
            let text = core::str::from_utf8(gathered).map_err(|_| Bad)?;
            Buffer::Text(String::from(text))
        }
    })
}

/// What the header and the message in progress are to each other.
pub(super) fn fit(reading: &Reading, gathering: &Gathering) -> bool {
    let message = &gathering.message;
    let Some(kind) = message.kind else {
        return !reading.in_payload_of_data();
    };
    if !reading.in_payload_of_data() {
        return true;
    }
    let begins = match reading.opcode() {
        Some(Opcode::Text) => Some(Kind::Text),
        Some(Opcode::Binary) => Some(Kind::Binary),
        _ => None,
    };
    match begins {
        Some(begun) => begun == kind && message.fragments == 1,
        None => message.fragments > 1,
    }
}

impl Saved for Validator {
    fn save(&self, to: &mut Writer) {
        to.string(self.unfinished());
    }

    fn read(from: &mut Reader<'_>) -> Result<Self, Bad> {
        let unfinished = from.string()?;
        let mut validator = Self::new();
        let pushed = validator.push(unfinished).map_err(|_| Bad)?;
        match pushed {
            (None, "") => Ok(validator),
            _ => Err(Bad),
        }
    }
}

impl Saved for Kind {
    fn save(&self, to: &mut Writer) {
        to.byte(match self {
            Self::Text => 1,
            Self::Binary => 2,
        });
    }

    fn read(from: &mut Reader<'_>) -> Result<Self, Bad> {
        kind_or_none(from)?.ok_or(Bad)
    }
}

fn kind_or_none(from: &mut Reader<'_>) -> Result<Option<Kind>, Bad> {
    match from.byte()? {
        0 => Ok(None),
        1 => Ok(Some(Kind::Text)),
        2 => Ok(Some(Kind::Binary)),
        _ => Err(Bad),
    }
}
