//! What of the opening handshake is kept outside of a process.

use alloc::string::String;
use alloc::vec::Vec;

use crate::config::Limits;
use crate::extension::Extensions;
use crate::role::Role;
use crate::token::is_token;
use crate::wire::{Bad, Reader, Saved, Writer};

use super::accept::Offer;
use super::accept_key::AcceptValue;
use super::answer::Expectation;
use super::extensions::ApplicationExtensions;
use super::field::elements;
use super::head::{HttpVersion, line_start, parse_request, slots};
use super::head_reader::HeadReader;
use super::refusal::Refusal;
use super::refusal_reader::{BodyLeft, ChunkState, RefusalReader};
use super::request::Request;
use super::scanner::MAX_FIELDS;

impl HeadReader {
    pub(crate) fn save(&self, to: &mut Writer) {
        to.number(self.scanner.spent.into());
        to.flag(self.asks_head());
        to.string(&self.gathered);
    }

    /// What was gathered is scanned again: no other state can be read.
    ///
    /// # Errors
    /// It is not the start of a head.
    pub(crate) fn resumed(role: Role, from: &mut Reader<'_>) -> Result<Self, Bad> {
        let mut reader = match role {
            Role::Server => Self::request(),
            Role::Client => Self::response(),
        };
        reader.scanner.spent = from.small()?;
        let asks_head = from.flag()?;
        let mut gathered = Vec::from(from.string()?);
        if gathered.is_empty() {
            reader.scanner.start_line.is_head = asks_head;
        } else {
            // What comes is judged by the limits that there are then.
            let limits = Limits {
                head: u32::MAX,
                fields: u16::MAX,
                ..Limits::server()
            };
            if !matches!(reader.read(&mut &mut gathered[..], &limits), Ok(None)) {
                return Err(Bad);
            }
        }
        let server = role == Role::Server;
        if reader.asks_head() != asks_head || !server && asks_head {
            return Err(Bad);
        }
        Ok(reader)
    }
}

impl Saved for Offer {
    fn save(&self, to: &mut Writer) {
        to.raw(&self.accept);
        to.string(self.subprotocols.as_bytes());
        to.string(self.extensions.as_bytes());
        to.flag(self.expect_continue);
    }

    fn read(from: &mut Reader<'_>) -> Result<Self, Bad> {
        Ok(Self {
            accept: accept_value(from)?,
            subprotocols: tokens(from)?,
            extensions: extensions(from)?,
            expect_continue: from.flag()?,
        })
    }
}

impl Saved for Expectation {
    fn save(&self, to: &mut Writer) {
        to.maybe(self.accept.as_ref(), |to, accept| to.raw(accept));
        to.string(self.subprotocols.as_bytes());
        to.string(self.extensions.as_bytes());
        to.number(self.application.0.len() as u64);
        for (text, bits) in &self.application.0 {
            to.string(text.as_bytes());
            to.byte(*bits);
        }
    }

    fn read(from: &mut Reader<'_>) -> Result<Self, Bad> {
        let accept = from.maybe(accept_value)?;
        let (subprotocols, extensions) = (tokens(from)?, extensions(from)?);
        let mut application = ApplicationExtensions::default();
        for _ in 0..from.number()? {
            let (text, bits) = (from.text()?, from.byte()?);
            application.add(text, bits).map_err(|_| Bad)?;
        }
        Ok(Self {
            accept,
            subprotocols,
            extensions,
            application,
        })
    }
}

/// It is written to the peer as it is.
fn accept_value(from: &mut Reader<'_>) -> Result<AcceptValue, Bad> {
    let value: AcceptValue = from.array()?;
    let base64 = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=');
    if value.iter().all(base64) {
        Ok(value)
    } else {
        Err(Bad)
    }
}

fn tokens(from: &mut Reader<'_>) -> Result<String, Bad> {
    let list = from.owned_text()?;
    if elements(list.as_bytes()).all(is_token) {
        Ok(list)
    } else {
        Err(Bad)
    }
}

fn extensions(from: &mut Reader<'_>) -> Result<String, Bad> {
    let list = from.owned_text()?;
    if list.is_empty() || Extensions::parse([list.as_bytes()]).is_ok() {
        Ok(list)
    } else {
        Err(Bad)
    }
}

impl Saved for Request<'static> {
    fn save(&self, to: &mut Writer) {
        to.string(&self.head);
    }

    fn read(from: &mut Reader<'_>) -> Result<Self, Bad> {
        let head = Vec::from(from.string()?);
        let mut slots = slots();
        let (line, _) = parse_request(&head, &mut slots).map_err(|_| Bad)?;
        let start = line_start(&head) + line.method.len() + 1;
        let place = |at: usize| u32::try_from(at).map_err(|_| Bad);
        let target = (place(start)?, place(start + line.target.len())?);
        Ok(Self::new(head.into(), target))
    }
}

impl Saved for Refusal {
    fn save(&self, to: &mut Writer) {
        to.number(self.status.into());
        to.byte(match self.version {
            None => 0,
            Some(HttpVersion::Http10) => 1,
            Some(HttpVersion::Http11) => 2,
        });
        to.string(self.reason.as_bytes());
        to.number(self.fields.len() as u64);
        for (name, value) in &self.fields {
            to.string(name.as_bytes());
            to.string(value);
        }
        to.string(&self.body);
        to.flag(self.truncated);
        to.flag(self.reusable);
    }

    fn read(from: &mut Reader<'_>) -> Result<Self, Bad> {
        let status = from.small()?;
        let version = match from.byte()? {
            0 => None,
            1 => Some(HttpVersion::Http10),
            2 => Some(HttpVersion::Http11),
            _ => return Err(Bad),
        };
        let reason = from.owned_text()?;
        let (mut fields, count) = (Vec::new(), from.small()?);
        if count > MAX_FIELDS {
            return Err(Bad);
        }
        for _ in 0..count {
            fields.push((from.owned_text()?, Vec::from(from.string()?)));
        }
        Ok(Self {
            status,
            version,
            reason,
            fields,
            body: Vec::from(from.string()?),
            truncated: from.flag()?,
            reusable: from.flag()?,
        })
    }
}

impl RefusalReader {
    pub(crate) fn save(&self, to: &mut Writer) {
        self.refusal.save(to);
        self.framing.save(to);
        to.number(self.overhead.into());
    }

    /// Goes on up to the limit that there is now.
    pub(crate) fn resumed(limits: &Limits, from: &mut Reader<'_>) -> Result<Self, Bad> {
        let refusal = Refusal::read(from)?;
        Ok(Self {
            max_body: refusal.body.len().max(limits.body as usize),
            refusal,
            framing: BodyLeft::read(from)?,
            overhead: from.small()?,
        })
    }
}

impl Saved for BodyLeft {
    fn save(&self, to: &mut Writer) {
        let (state, number) = match *self {
            Self::Done => (0, 0),
            Self::UntilEnd => (1, 0),
            Self::Length(left) => (2, left),
            Self::Chunked(ChunkState::Size { size, digits }) => (3 + u8::from(digits), size),
            Self::Chunked(ChunkState::Extension { size }) => (5, size),
            Self::Chunked(ChunkState::SizeEnd { size }) => (6, size),
            Self::Chunked(ChunkState::Data(left)) => (7, left),
            Self::Chunked(ChunkState::DataEnd) => (8, 0),
            Self::Chunked(ChunkState::Trailer { empty }) => (9, empty.into()),
            Self::Chunked(ChunkState::TrailerEnd { empty }) => (10, empty.into()),
        };
        to.byte(state);
        to.number(number);
    }

    fn read(from: &mut Reader<'_>) -> Result<Self, Bad> {
        let (state, number) = (from.byte()?, from.number()?);
        let chunk = match (state, number) {
            (1, 0) => return Ok(Self::UntilEnd),
            (2, left @ 1..) => return Ok(Self::Length(left)),
            (3, 0) => ChunkState::Size {
                size: 0,
                digits: false,
            },
            (4, size) => ChunkState::Size { size, digits: true },
            (5, size) => ChunkState::Extension { size },
            (6, size) => ChunkState::SizeEnd { size },
            (7, left) => ChunkState::Data(left),
            (8, 0) => ChunkState::DataEnd,
            (9, empty @ 0..2) => ChunkState::Trailer { empty: empty == 1 },
            (10, empty @ 0..2) => ChunkState::TrailerEnd { empty: empty == 1 },
            // One that is done was told.
            _ => return Err(Bad),
        };
        Ok(Self::Chunked(chunk))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Read back as it was written.
    fn again<T: Saved>(value: &T) -> Result<T, Bad> {
        let mut to = Writer::new(usize::MAX);
        value.save(&mut to);
        let bytes = to.into_bytes();
        let mut from = Reader::new(&bytes, 0);
        let read = T::read(&mut from);
        assert!(read.is_err() || from.is_empty());
        read
    }

    #[test]
    fn the_rest_of_a_body_both_ways() {
        let chunked = [false, true].into_iter().flat_map(|is| {
            [
                ChunkState::Size {
                    size: if is { 7 } else { 0 },
                    digits: is,
                },
                ChunkState::Extension { size: is.into() },
                ChunkState::SizeEnd { size: is.into() },
                ChunkState::Data(is.into()),
                ChunkState::DataEnd,
                ChunkState::Trailer { empty: is },
                ChunkState::TrailerEnd { empty: is },
            ]
        });
        for left in [BodyLeft::UntilEnd, BodyLeft::Length(1)]
            .into_iter()
            .chain(chunked.map(BodyLeft::Chunked))
        {
            assert_eq!(again(&left), Ok(left));
        }
        // A reader of such a body has told it.
        for done in [BodyLeft::Done, BodyLeft::Length(0)] {
            assert_eq!(again(&done), Err(Bad));
        }
    }

    /// As many fields as a head may have, and no more.
    #[test]
    fn the_fields_of_a_refusal() {
        for (count, fits) in [(0, true), (MAX_FIELDS, true), (MAX_FIELDS + 1, false)] {
            let fields = (0..count).map(|_| ("X", &b"y"[..]));
            let refusal = Refusal::new(404, fields);
            assert_eq!(
                again(&refusal),
                fits.then_some(refusal).ok_or(Bad),
                "{count}"
            );
        }
    }
}
