//! The running checksum of what came out of a connection, and what each event and result adds to it.

use crate::connection::Event;
use crate::error::Failure;
use crate::event::{CloseFrame, CloseReport, CutOff, Kind};
use crate::handshake::Request;
use crate::life::Side;
use crate::wire::checksum::Checksum;

use super::left_out::{self, LeftOut};

/// A running checksum that leaves out what is left out of the recording.
#[derive(Clone, Copy)]
pub(super) struct Check {
    sum: Checksum,
    left_out: LeftOut,
}

impl Check {
    pub(super) const fn new(left_out: LeftOut) -> Self {
        Self {
            sum: Checksum::NEW,
            left_out,
        }
    }

    #[inline]
    pub(super) fn number(&mut self, number: u64) {
        self.sum.number(number);
    }

    /// Bytes, which may come in pieces.
    pub(super) fn bytes(&mut self, bytes: &[u8]) {
        self.sum.bytes(bytes);
    }

    /// A string, with its length.
    fn string(&mut self, bytes: &[u8]) {
        self.number(bytes.len() as u64);
        self.bytes(bytes);
    }

    /// The payload of a message: of text what is left of it where payloads are left out.
    fn payload(&mut self, kind: Kind, bytes: &[u8]) {
        self.number(bytes.len() as u64);
        if !self.left_out.payloads {
            return self.bytes(bytes);
        }
        if kind == Kind::Text {
            for &byte in bytes {
                self.bytes(&[left_out::class(byte)]);
            }
        }
    }

    fn reason(&mut self, frame: Option<&CloseFrame>) {
        let Some(frame) = frame else {
            return self.number(0);
        };
        self.number(1 + frame.code.map_or(0, |code| u64::from(code.get())));
        self.payload(Kind::Text, frame.reason().as_bytes());
    }

    fn field(&mut self, name: &str, value: &[u8]) {
        self.string(name.as_bytes());
        if self.left_out.secrets && left_out::is_secret(name.as_bytes()) {
            self.number(value.len() as u64);
        } else {
            self.string(value);
        }
    }

    fn request(&mut self, request: &Request<'_>) {
        self.string(request.method().as_bytes());
        let target = request.target();
        let shown = if self.left_out.secrets {
            target.split_once('?').map_or(target, |(path, _)| path)
        } else {
            target
        };
        self.number(target.len() as u64);
        self.string(shown.as_bytes());
        for (name, value) in request.headers() {
            self.field(name, value);
        }
    }

    fn failure(&mut self, failure: Option<&Failure>) {
        self.number(failure.map_or(0, |failure| failure.code().into()));
        let code = failure.and_then(|failure| failure.close_code());
        self.number(code.unwrap_or(0).into());
    }

    fn report(&mut self, report: &CloseReport) {
        self.number(report.clean.into());
        self.number(report.code.into());
        self.number(report.answered.unwrap_or(0).into());
        self.reason(report.sent.as_ref());
        self.reason(report.received.as_ref());
        self.failure(report.failure.as_ref());
        self.number(match report.began {
            None => 0,
            Some(Side::Us) => 1,
            Some(Side::Peer) => 2,
            Some(Side::Both) => 3,
        });
        self.number(match report.cut_off {
            None => 0,
            Some(CutOff::Frame) => 1,
            Some(CutOff::Message) => 2,
        });
    }

    /// All that an event tells.
    pub(super) fn event(&mut self, event: &Event<'_>) {
        match event {
            Event::Request(request) | Event::Http(request) => self.request(request),
            Event::Refused(refusal) => {
                self.number(refusal.status.into());
                self.string(refusal.reason.as_bytes());
                for (name, value) in &refusal.fields {
                    self.field(name, value);
                }
                self.string(&refusal.body);
                self.number(u64::from(refusal.truncated) << 1 | u64::from(refusal.reusable));
            }
            Event::Open => {}
            Event::Start(head) => {
                self.number(kind(head.kind));
                self.number(head.frame_len);
                let bits = head.reserved_bits;
                self.flags([head.fin, head.compressed], bits);
            }
            Event::Message(message) => {
                self.number(kind(message.kind()));
                self.payload(message.kind(), message.as_bytes());
            }
            Event::Chunk(chunk) => {
                self.number(kind(chunk.kind));
                self.payload(chunk.kind, &chunk.payload);
                self.flags([chunk.first, chunk.last], chunk.reserved_bits);
                self.number(chunk.ends_frame.into());
            }
            Event::Ping(payload) => self.string(payload),
            Event::Pong(pong) => {
                self.string(&pong.payload);
                let micros = pong.round_trip().map(|time| time.as_micros() as u64);
                self.number(micros.unwrap_or(u64::MAX));
            }
            Event::Close(frame) => self.reason(Some(frame)),
            Event::Failed(failure) => self.failure(Some(failure)),
            Event::Closed(report) => self.report(report),
        }
    }

    fn flags(&mut self, [a, b]: [bool; 2], bits: u8) {
        self.number(u64::from(bits) << 2 | u64::from(a) << 1 | u64::from(b));
    }

    /// What is written after each step: a difference shows at once but for one in 65,536, and then later.
    pub(super) fn short(&mut self) -> u16 {
        // `as`: the highest bits, which depend on all others.
        (self.sum.whole() >> 48) as u16
    }

    /// What is written at the end.
    pub(super) fn whole(&mut self) -> u64 {
        self.sum.whole()
    }
}

const fn kind(kind: Kind) -> u64 {
    match kind {
        Kind::Text => 1,
        Kind::Binary => 2,
    }
}
