//! An event that was found and not asked for yet, and what events carry. The numbers are those of the events in C.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

use crate::close_code::CloseCode;
use crate::event::{
    Chunk, CloseFrame, CloseReport, CutOff, Kind, Message, MessageHead, Payload, Pong, Text,
};
use crate::handshake::{Refusal, Request};
use crate::life::Side;
use crate::wire::{Bad, Reader, Saved, Writer};

use super::super::event::Event;

impl Saved for Event<'static> {
    fn save(&self, to: &mut Writer) {
        match self {
            Self::Request(request) => numbered(REQUEST, request, to),
            Self::Http(request) => numbered(HTTP, request, to),
            Self::Refused(refusal) => numbered(REFUSED, &**refusal, to),
            Self::Open => to.byte(OPEN),
            Self::Start(head) => numbered(START, head, to),
            Self::Message(message) => {
                to.byte(MESSAGE);
                message.kind().save(to);
                to.string(message.as_bytes());
            }
            Self::Chunk(chunk) => numbered(CHUNK, chunk, to),
            Self::Ping(payload) => {
                to.byte(PING);
                to.string(payload);
            }
            Self::Pong(pong) => {
                to.byte(PONG);
                to.string(&pong.payload);
                to.number(pong.round_trip_micros.into());
            }
            Self::Close(frame) => numbered(CLOSE, &**frame, to),
            Self::Failed(failure) => numbered(FAILED, failure, to),
            Self::Closed(report) => numbered(CLOSED, &**report, to),
        }
    }

    fn read(from: &mut Reader<'_>) -> Result<Self, Bad> {
        Ok(match from.byte()? {
            REQUEST => Self::Request(Request::read(from)?),
            HTTP => Self::Http(Request::read(from)?),
            REFUSED => Self::Refused(Box::new(Refusal::read(from)?)),
            OPEN => Self::Open,
            START => Self::Start(MessageHead::read(from)?),
            MESSAGE => Self::Message(match Kind::read(from)? {
                Kind::Text => Message::Text(Text::from(from.owned_text()?)),
                Kind::Binary => Message::Binary(payload(from)?),
            }),
            CHUNK => Self::Chunk(Chunk::read(from)?),
            PING => Self::Ping(payload(from)?),
            PONG => Self::Pong(Pong {
                payload: payload(from)?,
                round_trip_micros: from.small()?,
            }),
            CLOSE => Self::Close(Box::new(CloseFrame::read(from)?)),
            FAILED => Self::Failed(Saved::read(from)?),
            CLOSED => Self::Closed(Box::new(CloseReport::read(from)?)),
            _ => return Err(Bad),
        })
    }
}

fn numbered(number: u8, value: &impl Saved, to: &mut Writer) {
    to.byte(number);
    value.save(to);
}

fn payload(from: &mut Reader<'_>) -> Result<Payload<'static>, Bad> {
    Ok(Payload::from(Vec::from(from.string()?)))
}

impl Saved for MessageHead {
    fn save(&self, to: &mut Writer) {
        self.kind.save(to);
        to.number(self.frame_len);
        to.flag(self.fin);
        to.flag(self.compressed);
        to.byte(self.reserved_bits);
    }

    fn read(from: &mut Reader<'_>) -> Result<Self, Bad> {
        Ok(Self {
            kind: Kind::read(from)?,
            frame_len: from.number()?,
            fin: from.flag()?,
            compressed: from.flag()?,
            reserved_bits: from.byte()?,
        })
    }
}

impl Saved for Chunk<'static> {
    fn save(&self, to: &mut Writer) {
        self.kind.save(to);
        to.string(&self.payload);
        for flag in [self.first, self.ends_frame, self.last] {
            to.flag(flag);
        }
        to.byte(self.reserved_bits);
    }

    fn read(from: &mut Reader<'_>) -> Result<Self, Bad> {
        Ok(Self {
            kind: Kind::read(from)?,
            payload: payload(from)?,
            first: from.flag()?,
            ends_frame: from.flag()?,
            last: from.flag()?,
            reserved_bits: from.byte()?,
        })
    }
}

impl Saved for CloseFrame {
    fn save(&self, to: &mut Writer) {
        to.number(self.code.map_or(0, CloseCode::get).into());
        to.string(self.reason().as_bytes());
    }

    fn read(from: &mut Reader<'_>) -> Result<Self, Bad> {
        let code = match from.small()? {
            0 => None,
            code => Some(CloseCode::new(code).ok_or(Bad)?),
        };
        let reason = from.text()?;
        let fits = match code {
            None => reason.is_empty(),
            Some(_) => reason.len() <= REASON,
        };
        if !fits {
            return Err(Bad);
        }
        Ok(Self::new(code, String::from(reason)))
    }
}

impl Saved for CloseReport {
    fn save(&self, to: &mut Writer) {
        to.flag(self.clean);
        to.number(self.code.into());
        to.maybe(self.answered, |to, status| to.number(status.into()));
        to.maybe(self.sent.as_ref(), |to, frame| frame.save(to));
        to.maybe(self.received.as_ref(), |to, frame| frame.save(to));
        to.maybe(self.failure, |to, failure| failure.save(to));
        to.byte(match self.began {
            None => 0,
            Some(Side::Us) => 1,
            Some(Side::Peer) => 2,
            Some(Side::Both) => 3,
        });
        save_cut_off(self.cut_off, to);
    }

    fn read(from: &mut Reader<'_>) -> Result<Self, Bad> {
        Ok(Self {
            clean: from.flag()?,
            code: from.small()?,
            answered: from.maybe(Reader::small)?,
            sent: from.maybe(CloseFrame::read)?,
            received: from.maybe(CloseFrame::read)?,
            failure: from.maybe(Saved::read)?,
            began: match from.byte()? {
                0 => None,
                1 => Some(Side::Us),
                2 => Some(Side::Peer),
                3 => Some(Side::Both),
                _ => return Err(Bad),
            },
            cut_off: read_cut_off(from)?,
        })
    }
}

pub(super) fn save_cut_off(cut_off: Option<CutOff>, to: &mut Writer) {
    to.byte(match cut_off {
        None => 0,
        Some(CutOff::Frame) => 1,
        Some(CutOff::Message) => 2,
    });
}

pub(super) fn read_cut_off(from: &mut Reader<'_>) -> Result<Option<CutOff>, Bad> {
    match from.byte()? {
        0 => Ok(None),
        1 => Ok(Some(CutOff::Frame)),
        2 => Ok(Some(CutOff::Message)),
        _ => Err(Bad),
    }
}

const REQUEST: u8 = 1;
const HTTP: u8 = 2;
const REFUSED: u8 = 3;
const OPEN: u8 = 4;
const START: u8 = 5;
const MESSAGE: u8 = 6;
const CHUNK: u8 = 7;
const PING: u8 = 8;
const PONG: u8 = 9;
const CLOSE: u8 = 10;
const FAILED: u8 = 11;
const CLOSED: u8 = 12;

/// The longest reason (RFC 6455 §5.5).
const REASON: usize = crate::frame::MAX_CONTROL_PAYLOAD - 2;

#[cfg(test)]
mod tests {
    use alloc::format;
    use alloc::vec;

    use crate::error::{Failure, Timeout};

    use super::*;

    fn report(began: Option<Side>, cut_off: Option<CutOff>) -> Event<'static> {
        let frame = CloseFrame::new(Some(CloseCode::GOING_AWAY), "bye".into());
        Event::Closed(Box::new(CloseReport {
            clean: began.is_some(),
            code: 1001,
            answered: Some(404),
            sent: Some(frame),
            received: Some(CloseFrame::new(None, String::new())),
            failure: Some(Failure::Timeout(Timeout::Idle)),
            began,
            cut_off,
        }))
    }

    /// Each comes back as it was, and what is cut is none.
    #[test]
    fn every_event_both_ways() {
        let mut refusal = Refusal::new(404, [("X", &b"y"[..])].into_iter());
        refusal.body = vec![1, 2];
        let events = [
            Event::Refused(Box::new(refusal)),
            Event::Open,
            Event::Start(MessageHead {
                kind: Kind::Text,
                frame_len: 1 << 40,
                fin: true,
                compressed: false,
                reserved_bits: 3,
            }),
            Event::Message(Message::text("text")),
            Event::Message(Message::binary(vec![0xff])),
            Event::Chunk(Chunk {
                kind: Kind::Binary,
                payload: Payload::from(vec![7; 3]),
                first: true,
                ends_frame: false,
                last: false,
                reserved_bits: 1,
            }),
            Event::Ping(Payload::from(vec![1])),
            Event::Pong(Pong {
                payload: Payload::from(vec![2]),
                round_trip_micros: 77,
            }),
            Event::Failed(Failure::Timeout(Timeout::Pong)),
            report(None, None),
            report(Some(Side::Us), Some(CutOff::Frame)),
            report(Some(Side::Peer), Some(CutOff::Message)),
            report(Some(Side::Both), None),
        ];
        for event in events {
            let mut to = Writer::new(200);
            event.save(&mut to);
            let mut from = Reader::new(to.written(), 0);
            let read = Event::read(&mut from);
            let read = read.map(|read| format!("{read:?}"));
            assert_eq!(read, Ok(format!("{event:?}")));
            assert!(from.is_empty());
            for cut in 0..to.len() {
                assert!(Event::read(&mut Reader::new(&to.written()[..cut], 0)).is_err());
            }
        }
        assert!(Event::read(&mut Reader::new(&[13], 0)).is_err());
    }
}
