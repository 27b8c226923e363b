//! Failures by the numbers that they have for ever.

use crate::close_code::CloseCode;
use crate::error::{Failure, Field, HandshakeError, Limit, ProtocolError, Timeout};
use crate::wire::{Bad, Reader, Saved, Writer};

impl Saved for Failure {
    fn save(&self, to: &mut Writer) {
        to.number(self.code().into());
        match self {
            Self::Protocol(error) => save_protocol(error, to),
            Self::Handshake(error) => save_handshake(error, to),
            Self::Timeout(_) => {}
            Self::Application(code) => to.number(code.get().into()),
        }
    }

    fn read(from: &mut Reader<'_>) -> Result<Self, Bad> {
        let code = from.small()?;
        Ok(match code {
            ..200 => read_protocol(code, from)?.into(),
            251 => Self::Application(CloseCode::new(from.small()?).ok_or(Bad)?),
            200..300 => numbered(&TIMEOUTS, Timeout::code, code)?.into(),
            _ => read_handshake(code, from)?.into(),
        })
    }
}

impl Saved for HandshakeError {
    fn save(&self, to: &mut Writer) {
        Failure::from(*self).save(to);
    }

    fn read(from: &mut Reader<'_>) -> Result<Self, Bad> {
        match Failure::read(from)? {
            Failure::Handshake(error) => Ok(error),
            _ => Err(Bad),
        }
    }
}

/// The one of these with that number.
fn numbered<T: Copy>(all: &[T], number: fn(&T) -> u16, wanted: u16) -> Result<T, Bad> {
    let found = all.iter().find(|one| number(one) == wanted);
    found.copied().ok_or(Bad)
}

fn save_protocol(error: &ProtocolError, to: &mut Writer) {
    match *error {
        ProtocolError::ReservedBits { bits: byte }
        | ProtocolError::ReservedOpcode { opcode: byte }
        | ProtocolError::MessageInterrupted { opcode: byte }
        | ProtocolError::CloseReasonNotUtf8 { at: byte } => to.byte(byte),
        ProtocolError::CloseCode { code } => to.number(code.into()),
        ProtocolError::TextNotUtf8 { at, cut } => {
            to.number(at);
            to.flag(cut);
        }
        ProtocolError::CompressionRatio { max } => to.number(max.into()),
        ProtocolError::Limit { value, max, .. } => {
            to.number(value);
            to.number(max);
        }
        ProtocolError::UnmaskedFrame
        | ProtocolError::MaskedFrame
        | ProtocolError::LengthNotMinimal
        | ProtocolError::LengthTopBit
        | ProtocolError::ControlTooLong
        | ProtocolError::ControlFragmented
        | ProtocolError::UnexpectedContinuation
        | ProtocolError::CloseBodyTooShort
        | ProtocolError::CompressedData
        | ProtocolError::ExtensionMissing => {}
    }
}

fn read_protocol(code: u16, from: &mut Reader<'_>) -> Result<ProtocolError, Bad> {
    Ok(match numbered(&PROTOCOL, ProtocolError::code, code)? {
        ProtocolError::ReservedBits { .. } => ProtocolError::ReservedBits { bits: from.byte()? },
        ProtocolError::ReservedOpcode { .. } => ProtocolError::ReservedOpcode {
            opcode: from.byte()?,
        },
        ProtocolError::MessageInterrupted { .. } => ProtocolError::MessageInterrupted {
            opcode: from.byte()?,
        },
        ProtocolError::CloseReasonNotUtf8 { .. } => {
            ProtocolError::CloseReasonNotUtf8 { at: from.byte()? }
        }
        ProtocolError::CloseCode { .. } => ProtocolError::CloseCode {
            code: from.small()?,
        },
        ProtocolError::TextNotUtf8 { .. } => ProtocolError::TextNotUtf8 {
            at: from.number()?,
            cut: from.flag()?,
        },
        ProtocolError::CompressionRatio { .. } => {
            ProtocolError::CompressionRatio { max: from.small()? }
        }
        ProtocolError::Limit { limit, .. } => ProtocolError::Limit {
            limit,
            value: from.number()?,
            max: from.number()?,
        },
        plain => plain,
    })
}

fn save_handshake(error: &HandshakeError, to: &mut Writer) {
    match *error {
        HandshakeError::Malformed { line } | HandshakeError::LineEnd { line } => to.byte(line),
        HandshakeError::Missing(field)
        | HandshakeError::Repeated(field)
        | HandshakeError::Invalid(field) => {
            let at = FIELDS.iter().position(|own| *own == field);
            to.number(at.unwrap_or(FIELDS.len()) as u64);
        }
        _ => {}
    }
}

fn read_handshake(code: u16, from: &mut Reader<'_>) -> Result<HandshakeError, Bad> {
    let field = |from: &mut Reader<'_>| {
        let at: usize = from.small()?;
        FIELDS.get(at).copied().ok_or(Bad)
    };
    Ok(match numbered(&HANDSHAKE, HandshakeError::code, code)? {
        HandshakeError::Malformed { .. } => HandshakeError::Malformed { line: from.byte()? },
        HandshakeError::LineEnd { .. } => HandshakeError::LineEnd { line: from.byte()? },
        HandshakeError::Missing(_) => HandshakeError::Missing(field(from)?),
        HandshakeError::Repeated(_) => HandshakeError::Repeated(field(from)?),
        HandshakeError::Invalid(_) => HandshakeError::Invalid(field(from)?),
        plain => plain,
    })
}

const TIMEOUTS: [Timeout; 5] = [
    Timeout::Handshake,
    Timeout::Pong,
    Timeout::Idle,
    Timeout::Message,
    Timeout::Close,
];

const fn limit(limit: Limit) -> ProtocolError {
    ProtocolError::Limit {
        limit,
        value: 0,
        max: 0,
    }
}

const PROTOCOL: [ProtocolError; 25] = [
    ProtocolError::ReservedBits { bits: 0 },
    ProtocolError::ReservedOpcode { opcode: 0 },
    ProtocolError::UnmaskedFrame,
    ProtocolError::MaskedFrame,
    ProtocolError::LengthNotMinimal,
    ProtocolError::LengthTopBit,
    ProtocolError::ControlTooLong,
    ProtocolError::ControlFragmented,
    ProtocolError::UnexpectedContinuation,
    ProtocolError::MessageInterrupted { opcode: 0 },
    ProtocolError::CloseBodyTooShort,
    ProtocolError::CloseCode { code: 0 },
    ProtocolError::CloseReasonNotUtf8 { at: 0 },
    ProtocolError::TextNotUtf8 { at: 0, cut: false },
    ProtocolError::CompressedData,
    ProtocolError::CompressionRatio { max: 0 },
    ProtocolError::ExtensionMissing,
    limit(Limit::Frame),
    limit(Limit::Message),
    limit(Limit::Fragments),
    limit(Limit::Memory),
    limit(Limit::Pings),
    limit(Limit::EmptyFrames),
    limit(Limit::TinyFragments),
    limit(Limit::Messages),
];

const HANDSHAKE: [HandshakeError; 28] = [
    HandshakeError::Malformed { line: 0 },
    HandshakeError::LineEnd { line: 0 },
    HandshakeError::TargetTooLong,
    HandshakeError::HeadTooLong,
    HandshakeError::TooManyFields,
    HandshakeError::HeldTooLong,
    HandshakeError::HttpVersion,
    HandshakeError::Http10,
    HandshakeError::Method,
    HandshakeError::Target,
    HandshakeError::NotAnUpgrade,
    HandshakeError::Content,
    HandshakeError::Version,
    HandshakeError::Origin,
    HandshakeError::UnknownProtocol,
    HandshakeError::PseudoHeader,
    HandshakeError::ConnectionSpecific,
    HandshakeError::Missing(Field::Host),
    HandshakeError::Repeated(Field::Host),
    HandshakeError::Invalid(Field::Host),
    HandshakeError::AcceptMismatch,
    HandshakeError::SubprotocolNotOffered,
    HandshakeError::SubprotocolRequired,
    HandshakeError::ExtensionNotOffered,
    HandshakeError::ExtensionParameters,
    HandshakeError::ExtensionConflict,
    HandshakeError::Status,
    HandshakeError::Misdirected,
];

/// Their places here are their numbers: new ones go to the end.
const FIELDS: [Field; 12] = [
    Field::Host,
    Field::Upgrade,
    Field::Connection,
    Field::Key,
    Field::Accept,
    Field::Version,
    Field::Protocol,
    Field::Extensions,
    Field::Origin,
    Field::Expect,
    Field::ContentLength,
    Field::TransferEncoding,
];

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by a panic")]
mod tests {
    use super::{
        CloseCode, FIELDS, Failure, HANDSHAKE, HandshakeError, PROTOCOL, ProtocolError, Reader,
        Saved, TIMEOUTS, Writer,
    };

    /// Each comes back with what it says, and takes a few bytes.
    #[test]
    fn every_failure_both_ways() {
        let limits = |error| match error {
            ProtocolError::Limit { limit, .. } => ProtocolError::Limit {
                limit,
                value: 70_000,
                max: u64::MAX,
            },
            error => error,
        };
        let told = [
            ProtocolError::TextNotUtf8 { at: 300, cut: true }.into(),
            ProtocolError::CompressionRatio { max: 300 }.into(),
            ProtocolError::CloseCode { code: 1005 }.into(),
            ProtocolError::CloseReasonNotUtf8 { at: 122 }.into(),
            ProtocolError::ReservedBits { bits: 5 }.into(),
            ProtocolError::ReservedOpcode { opcode: 11 }.into(),
            ProtocolError::MessageInterrupted { opcode: 2 }.into(),
            HandshakeError::LineEnd { line: 9 }.into(),
            HandshakeError::Malformed { line: 255 }.into(),
            Failure::Application(CloseCode::GOING_AWAY),
        ];
        let fields = FIELDS.iter().flat_map(|&field| {
            [
                HandshakeError::Missing(field),
                HandshakeError::Repeated(field),
                HandshakeError::Invalid(field),
            ]
        });
        let all = PROTOCOL.map(|error| limits(error).into()).into_iter();
        let all = all.chain(HANDSHAKE.map(Failure::from)).chain(told);
        let all = all.chain(TIMEOUTS.map(Failure::from));
        for failure in all.chain(fields.map(Failure::from)) {
            let mut to = Writer::new(30);
            failure.save(&mut to);
            let mut from = Reader::new(to.written(), 0);
            assert_eq!(Failure::read(&mut from), Ok(failure));
            assert!(from.is_empty());
        }
        for none in [&[0][..], &[99], &[0xc7, 1], &[0xff, 1], &[0xff, 0x7f]] {
            assert!(Failure::read(&mut Reader::new(none, 0)).is_err());
        }
    }
}
