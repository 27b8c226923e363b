//! A stream that follows a script, and what is written down of a conversation.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, Read, Write};

pub type Conversation = fn(&mut Log);

/// What was done, and what came of it.
#[derive(Default)]
pub struct Log(pub Vec<(String, String)>);

impl Log {
    pub fn step(&mut self, what: &str, outcome: impl Into<String>) {
        let what = format!("{}. {what}", self.0.len() + 1);
        self.0.push((what.trim().into(), outcome.into()));
    }
}

/// What one read brings.
#[derive(Clone)]
pub enum In {
    Bytes(Vec<u8>),
    Block,
    Reset,
    /// The end below TLS, without its goodbye.
    Cut,
}

/// What one write does, where it does not take everything.
#[derive(Clone, Copy)]
pub enum Out {
    Some(usize),
    Block,
    Reset,
}

#[derive(Default)]
pub struct Wire {
    pub reads: VecDeque<In>,
    pub writes: VecDeque<Out>,
    pub written: Vec<u8>,
}

impl Wire {
    pub fn of(reads: impl IntoIterator<Item = In>) -> Self {
        Self {
            reads: reads.into_iter().collect(),
            ..Self::default()
        }
    }

    pub fn bytes(bytes: impl AsRef<[u8]>) -> Self {
        Self::of([In::Bytes(bytes.as_ref().to_vec())])
    }

    pub fn writes(mut self, writes: impl IntoIterator<Item = Out>) -> Self {
        self.writes.extend(writes);
        self
    }

    /// What was written since, frame by frame.
    pub fn frames(&mut self) -> String {
        let bytes = std::mem::take(&mut self.written);
        let (mut rest, mut shown) = (&bytes[..], Vec::new());
        while !rest.is_empty() {
            match frame(rest) {
                Some((text, len)) => {
                    shown.push(text);
                    rest = &rest[len..];
                }
                None => {
                    shown.push(format!("{} more bytes", rest.len()));
                    break;
                }
            }
        }
        if shown.is_empty() {
            "nothing".into()
        } else {
            shown.join(", ")
        }
    }

    /// What was written since, as text.
    pub fn text(&mut self) -> String {
        let bytes = std::mem::take(&mut self.written);
        String::from_utf8_lossy(&bytes).replace("\r\n", "⏎")
    }
}

fn frame(bytes: &[u8]) -> Option<(String, usize)> {
    let (&first, &second) = (bytes.first()?, bytes.get(1)?);
    let (len, mut at) = match second & 127 {
        126 => (
            u16::from_be_bytes(*bytes.get(2..)?.first_chunk()?).into(),
            4,
        ),
        127 => (
            u64::from_be_bytes(*bytes.get(2..)?.first_chunk()?) as usize,
            10,
        ),
        short => (usize::from(short), 2),
    };
    let mut key = [0; 4];
    if second & 128 != 0 {
        key = *bytes.get(at..)?.first_chunk()?;
        at += 4;
    }
    let payload: Vec<u8> = bytes
        .get(at..at + len)?
        .iter()
        .enumerate()
        .map(|(i, b)| b ^ key[i % 4])
        .collect();
    let kind = [
        "cont", "text", "binary", "3", "4", "5", "6", "7", "close", "ping", "pong",
    ]
    .get(usize::from(first & 15))
    .copied()
    .unwrap_or("?");
    let more = if first & 128 == 0 { "+" } else { "" };
    let rsv = if first & 0x70 == 0 {
        String::new()
    } else {
        format!(" rsv {}", first >> 4 & 7)
    };
    let masked = if second & 128 != 0 { "m" } else { "" };
    let shown = match (kind, &payload[..]) {
        ("close", [a, b, reason @ ..]) => {
            format!(
                " {} {}",
                u16::from_be_bytes([*a, *b]),
                String::from_utf8_lossy(reason)
            )
        }
        (_, long) if long.len() > 130 => format!(" {} bytes", long.len()),
        (_, payload) => format!(" {}", String::from_utf8_lossy(payload)),
    };
    Some((
        format!("{masked}{kind}{more}{rsv}{}", shown.trim_end()),
        at + len,
    ))
}

impl Read for Wire {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        match self.reads.pop_front() {
            None => Ok(0),
            Some(In::Block) => Err(ErrorKind::WouldBlock.into()),
            Some(In::Reset) => Err(ErrorKind::ConnectionReset.into()),
            Some(In::Cut) => Err(ErrorKind::UnexpectedEof.into()),
            Some(In::Bytes(mut bytes)) => {
                let n = bytes.len().min(room.len());
                room[..n].copy_from_slice(&bytes[..n]);
                if n < bytes.len() {
                    self.reads.push_front(In::Bytes(bytes.split_off(n)));
                }
                Ok(n)
            }
        }
    }
}

impl Write for Wire {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let n = match self.writes.pop_front() {
            Some(Out::Block) => return Err(ErrorKind::WouldBlock.into()),
            Some(Out::Reset) => return Err(ErrorKind::ConnectionReset.into()),
            Some(Out::Some(most)) => bytes.len().min(most),
            None => bytes.len(),
        };
        self.written.extend_from_slice(&bytes[..n]);
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A frame, masked with a key that shows the payload as it is.
pub fn masked(first: u8, payload: impl AsRef<[u8]>) -> Vec<u8> {
    build(first, 128, payload.as_ref())
}

/// A frame without a mask.
pub fn plain(first: u8, payload: impl AsRef<[u8]>) -> Vec<u8> {
    build(first, 0, payload.as_ref())
}

fn build(first: u8, mask: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![first];
    match payload.len() {
        len @ 0..=125 => frame.push(mask | len as u8),
        len => {
            frame.push(mask | 126);
            frame.extend((len as u16).to_be_bytes());
        }
    }
    if mask != 0 {
        frame.extend([0; 4]);
    }
    frame.extend_from_slice(payload);
    frame
}

/// The payload of a Close frame.
pub fn close(code: u16, reason: &str) -> Vec<u8> {
    [&code.to_be_bytes(), reason.as_bytes()].concat()
}
