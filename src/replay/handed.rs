//! Messages as they are handed over, both ways.

use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

use crate::connection::handed::Way;
use crate::connection::{Connection, Outgoing, Prepared};
use crate::event::Kind;
use crate::extension::Compress;

use super::act::Source;
use super::call::{Came, Outcomes};
use super::check::Check;
use super::recorder::Recording;
use super::wire::{Bad, Reader, Unread};

/// What is sent.
pub(super) fn write<M: Outgoing>(
    recording: &mut Recording,
    connection: &Connection,
    message: &M,
    compress: Compress,
) {
    let handed = message.handed();
    let writer = &mut recording.writer;
    writer.byte(kind_number(handed.kind));
    writer.byte(compress_number(compress));
    let encodes = connection.would_encode(handed.bytes.len(), compress);
    let emptied = recording.left_out.payloads;
    match handed.way {
        Way::Copied => writer.byte(COPIED),
        Way::Over(held) => {
            writer.byte(HANDED_OVER);
            writer.number(held as u64);
        }
        Way::Prepared(prepared) => {
            writer.byte(PREPARED);
            for (window_bits, frame) in prepared.compressed_forms().filter(|_| !emptied) {
                writer.byte(window_bits);
                writer.string(frame);
            }
            writer.byte(0);
        }
    }
    if emptied && encodes {
        recording.give_up();
    }
    recording.payload(handed.kind, handed.bytes);
}

/// How a message is handed over.
const COPIED: u8 = 0;
const HANDED_OVER: u8 = 1;
const PREPARED: u8 = 2;

pub(super) const fn kind_number(kind: Kind) -> u8 {
    match kind {
        Kind::Text => 1,
        Kind::Binary => 2,
    }
}

pub(super) const fn compress_number(compress: Compress) -> u8 {
    match compress {
        Compress::Auto => 0,
        Compress::Never => 1,
        Compress::Always => 2,
        Compress::Alone => 3,
    }
}

/// A message as it was handed over.
pub(super) enum Message {
    Copied(Kind, Vec<u8>),
    Text(String),
    Bytes(Vec<u8>),
    SharedText(Arc<str>),
    SharedBytes(Arc<[u8]>),
    Prepared(Prepared),
}

/// What was handed over.
pub(super) fn read(
    source: &mut Source<'_>,
    reader: &mut Reader<'_>,
) -> Result<(Message, Compress), Unread> {
    let (kind, compress) = (read_kind(reader)?, read_compress(reader)?);
    let message = match reader.byte()? {
        COPIED => Message::Copied(kind, text_or_bytes(source, kind, reader)?),
        HANDED_OVER => {
            let held = source.memory(reader)?;
            let bytes = text_or_bytes(source, kind, reader)?;
            handed_over(kind, bytes, held)?
        }
        PREPARED => {
            let mut forms = Vec::new();
            loop {
                match reader.byte()? {
                    0 => break,
                    bits @ 8..=15 => forms.push((bits, reader.string()?.to_vec())),
                    _ => return Err(Unread::Bad),
                }
            }
            let bytes = text_or_bytes(source, kind, reader)?;
            Message::Prepared(Prepared::of_forms(kind, &bytes, forms))
        }
        _ => return Err(Unread::Bad),
    };
    Ok((message, compress))
}

/// A whole message; text is UTF-8.
fn text_or_bytes(
    source: &mut Source<'_>,
    kind: Kind,
    reader: &mut Reader<'_>,
) -> Result<Vec<u8>, Unread> {
    let bytes = source.payload(reader)?;
    if kind == Kind::Text && core::str::from_utf8(&bytes).is_err() {
        return Err(Unread::Bad);
    }
    Ok(bytes)
}

impl Message {
    pub(super) fn send(self, ws: &mut Connection, compress: Compress, check: &mut Check) -> Came {
        match self {
            Self::Copied(Kind::Text, bytes) => match core::str::from_utf8(&bytes) {
                Ok(text) => ws.send_with(text, compress).came(check),
                Err(_) => Came::Nothing,
            },
            Self::Copied(Kind::Binary, bytes) => ws.send_with(&bytes[..], compress).came(check),
            Self::Text(text) => ws.send_with(text, compress).came(check),
            Self::Bytes(bytes) => ws.send_with(bytes, compress).came(check),
            Self::SharedText(text) => ws.send_with(text, compress).came(check),
            Self::SharedBytes(bytes) => ws.send_with(bytes, compress).came(check),
            Self::Prepared(prepared) => ws.send_with(&prepared, compress).came(check),
        }
    }
}

/// With as much heap of its own as it had.
fn handed_over(kind: Kind, bytes: Vec<u8>, held: usize) -> Result<Message, Bad> {
    let shared = held == 0 && !bytes.is_empty();
    let mut own = Vec::with_capacity(if shared { bytes.len() } else { held });
    own.extend_from_slice(&bytes);
    if kind == Kind::Binary {
        return Ok(if shared {
            Message::SharedBytes(own.into())
        } else {
            Message::Bytes(own)
        });
    }
    let text = String::from_utf8(own).map_err(|_| Bad)?;
    Ok(if shared {
        Message::SharedText(text.into())
    } else {
        Message::Text(text)
    })
}

pub(super) fn read_kind(reader: &mut Reader<'_>) -> Result<Kind, Bad> {
    match reader.byte()? {
        1 => Ok(Kind::Text),
        2 => Ok(Kind::Binary),
        _ => Err(Bad),
    }
}

pub(super) fn read_compress(reader: &mut Reader<'_>) -> Result<Compress, Bad> {
    match reader.byte()? {
        0 => Ok(Compress::Auto),
        1 => Ok(Compress::Never),
        2 => Ok(Compress::Always),
        3 => Ok(Compress::Alone),
        _ => Err(Bad),
    }
}
