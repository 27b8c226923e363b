//! Calls that are read out of a recording, and made again.

use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use crate::close_code::CloseCode;
use crate::config::Limits;
use crate::connection::{Connection, Part};
use crate::event::Kind;
use crate::extension::Compress;
use crate::handshake::{Accept, Response};

use super::call::{Call, Came, Outcomes};
use super::check::Check;
use super::handed::{self, Message};
use super::settings::{self, Extensions};
use super::wire::{Bad, Reader, Unread};

/// A call that takes no input, with what it takes.
pub(super) enum Act<'r> {
    /// Without arguments and result.
    Plain(fn(&mut Connection)),
    ReceiveTarget,
    EndResponse,
    TakeBuffer,
    AdvanceTime(Duration),
    ConsumeOutput(usize),
    Filled(usize, Vec<u8>),
    Send(Message, Compress),
    SendPart {
        kind: Kind,
        compress: Compress,
        last: bool,
        reserved_bits: u8,
        bytes: Vec<u8>,
    },
    BeginMessage(Kind, u64),
    WriteMessage(Vec<u8>),
    Ping(&'r [u8]),
    Pong(&'r [u8]),
    Close(Call, Option<CloseCode>, String),
    Accept(Accept),
    Respond(Response),
    BeginResponse(Response, Option<u64>),
    WriteResponse(&'r [u8]),
    SetLimits(Limits),
    AcceptUnmasked(bool),
    LendBuffer(Vec<u8>),
}

/// What is needed to read a call.
pub(super) struct Source<'s> {
    pub(super) extensions: &'s Extensions,
    /// Strings are packed.
    pub(super) packed: bool,
    /// So many bytes may be made of what is not there in full.
    pub(super) room: &'s mut u64,
}

impl Source<'_> {
    pub(super) fn payload(&mut self, reader: &mut Reader<'_>) -> Result<Vec<u8>, Unread> {
        let mut payload = Vec::new();
        if self.packed {
            reader.packed(self.room, &mut payload)?;
        } else {
            payload.extend_from_slice(reader.string()?);
        }
        Ok(payload)
    }

    /// So many bytes of memory, which are nowhere in the recording.
    pub(super) fn memory(&mut self, reader: &mut Reader<'_>) -> Result<usize, Unread> {
        let len = reader.number()?;
        *self.room = self.room.checked_sub(len).ok_or(Unread::TooMuch)?;
        usize::try_from(len).map_err(|_| Unread::Bad)
    }

    fn reason(&mut self, reader: &mut Reader<'_>) -> Result<String, Unread> {
        Ok(String::from_utf8(self.payload(reader)?).map_err(|_| Bad)?)
    }

    /// The arguments of this call.
    pub(super) fn read<'r>(
        &mut self,
        call: Call,
        reader: &mut Reader<'r>,
    ) -> Result<Act<'r>, Unread> {
        Ok(match call {
            Call::AdvanceTime => Act::AdvanceTime(reader.time()?),
            Call::ConsumeOutput => Act::ConsumeOutput(most(reader)?),
            Call::ReceiveTargetFilled => Act::Filled(most(reader)?, self.payload(reader)?),
            Call::Send => {
                let (message, compress) = handed::read(self, reader)?;
                Act::Send(message, compress)
            }
            Call::SendPart => Act::SendPart {
                kind: handed::read_kind(reader)?,
                compress: handed::read_compress(reader)?,
                last: reader.flag()?,
                reserved_bits: reader.byte()?,
                bytes: self.payload(reader)?,
            },
            Call::BeginMessage => Act::BeginMessage(handed::read_kind(reader)?, reader.number()?),
            Call::WriteMessage => Act::WriteMessage(self.payload(reader)?),
            Call::Ping => Act::Ping(reader.string()?),
            Call::Pong => Act::Pong(reader.string()?),
            Call::Close | Call::CloseLossy | Call::Fail => {
                let code = match reader.small()? {
                    0 => None,
                    number => Some(CloseCode::new(number).ok_or(Bad)?),
                };
                Act::Close(call, code, self.reason(reader)?)
            }
            Call::Accept => Act::Accept(settings::read_accept(reader, self.extensions)?),
            Call::Respond => Act::Respond(settings::read_response(reader)?),
            Call::BeginResponse => {
                let response = settings::read_response(reader)?;
                let (has_len, len) = (reader.flag()?, reader.number()?);
                Act::BeginResponse(response, has_len.then_some(len))
            }
            Call::WriteResponse => Act::WriteResponse(reader.string()?),
            Call::SetLimits => Act::SetLimits(settings::read_limits(reader)?),
            Call::AcceptUnmasked => Act::AcceptUnmasked(reader.flag()?),
            Call::LendBuffer => {
                let len = reader.small()?;
                let mut buffer = Vec::with_capacity(self.memory(reader)?);
                if len > buffer.capacity() {
                    return Err(Unread::Bad);
                }
                buffer.resize(len, 0);
                Act::LendBuffer(buffer)
            }
            Call::ReceiveTarget => Act::ReceiveTarget,
            Call::EndResponse => Act::EndResponse,
            Call::TakeBuffer => Act::TakeBuffer,
            other => Act::Plain(plain(other).ok_or(Bad)?),
        })
    }
}

/// A call without arguments and result.
const fn plain(call: Call) -> Option<fn(&mut Connection)> {
    Some(match call {
        Call::StreamMessage => Connection::stream_message,
        Call::ReceiveEof => Connection::receive_eof,
        Call::WriteLost => Connection::write_lost,
        Call::TransportLost => Connection::transport_lost,
        Call::TlsFailed => Connection::tls_failed,
        Call::DropResponse => Connection::drop_response,
        Call::Park => Connection::park,
        _ => return None,
    })
}

impl Act<'_> {
    /// Makes the call.
    pub(super) fn again(self, ws: &mut Connection, check: &mut Check) -> Came {
        match self {
            Self::Plain(call) => call(ws),
            Self::AdvanceTime(now) => ws.advance_time(now),
            Self::ConsumeOutput(n) => ws.consume_output(n),
            Self::Filled(n, bytes) => {
                if let Some(target) = ws.receive_target() {
                    let len = bytes.len().min(target.len());
                    target[..len].copy_from_slice(&bytes[..len]);
                }
                ws.receive_target_filled(n);
            }
            Self::SetLimits(limits) => ws.set_limits(limits),
            Self::AcceptUnmasked(accept) => ws.accept_unmasked(accept),
            Self::LendBuffer(buffer) => ws.lend_buffer(buffer),
            other => return other.ask_again(ws, check),
        }
        Came::Done
    }

    /// Makes a call that has a result.
    fn ask_again(self, ws: &mut Connection, check: &mut Check) -> Came {
        match self {
            Self::Send(message, compress) => message.send(ws, compress, check),
            Self::SendPart {
                kind,
                compress,
                last,
                reserved_bits,
                bytes,
            } => {
                let part = Part::new(kind, &bytes).last_if(last);
                let part = part.reserved_bits(reserved_bits).compress(compress);
                ws.send_part(part).came(check)
            }
            Self::BeginMessage(kind, len) => ws.begin_message(kind, len).came(check),
            Self::WriteMessage(piece) => ws.write_message(&piece).came(check),
            Self::Ping(payload) => ws.ping(payload).came(check),
            Self::Pong(payload) => ws.pong(payload).came(check),
            Self::Close(Call::CloseLossy, code, reason) => {
                ws.close_lossy(code, &reason).came(check)
            }
            Self::Close(Call::Fail, Some(code), reason) => ws.fail(code, &reason).came(check),
            Self::Close(_, code, reason) => ws.close(code, &reason).came(check),
            Self::Accept(accept) => ws.accept(accept).came(check),
            Self::Respond(response) => ws.respond(response).came(check),
            Self::BeginResponse(response, len) => ws.begin_response(response, len).came(check),
            Self::WriteResponse(piece) => ws.write_response(piece).came(check),
            Self::ReceiveTarget => ws.receive_target().is_some().came(check),
            Self::EndResponse => ws.end_response().came(check),
            Self::TakeBuffer => ws.take_buffer().is_some().came(check),
            _ => Came::Nothing,
        }
    }
}

/// A number of bytes; more than there can be are all.
fn most(reader: &mut Reader<'_>) -> Result<usize, Bad> {
    let number = reader.number()?;
    Ok(usize::try_from(number).unwrap_or(usize::MAX))
}
