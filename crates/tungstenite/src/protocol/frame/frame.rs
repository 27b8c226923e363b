//! One frame, as it stands on the wire (RFC 6455 §5.2): nothing of it is judged but its opcode.

use std::fmt;
use std::io::{Cursor, Write};
use std::str::Utf8Error;

use bytes::{Bytes, BytesMut};
use sansocket::mask::apply_mask;

use super::Utf8Bytes;
use super::coding::{CloseCode, Control, Data, OpCode};
use crate::error::{ProtocolError, Result};

/// The body of a Close frame (RFC 6455 §5.5.1).
#[derive(Debug, Clone, Eq, PartialEq)]
pub struct CloseFrame {
    /// Why.
    pub code: CloseCode,
    /// The same for people, at most 123 bytes: a longer one is cut when it is sent.
    pub reason: Utf8Bytes,
}

impl fmt::Display for CloseFrame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.reason, self.code)
    }
}

/// The header of a frame without its length.
#[derive(Debug, Clone, Eq, PartialEq)]
pub struct FrameHeader {
    /// The last frame of its message.
    pub is_final: bool,
    /// The first reserved bit.
    pub rsv1: bool,
    /// The second.
    pub rsv2: bool,
    /// The third.
    pub rsv3: bool,
    /// What the frame is.
    pub opcode: OpCode,
    /// The masking key, if the payload is masked.
    pub mask: Option<[u8; 4]>,
}

/// That of a Close frame.
impl Default for FrameHeader {
    fn default() -> Self {
        Self::new(OpCode::Control(Control::Close), true)
    }
}

impl FrameHeader {
    const fn new(opcode: OpCode, is_final: bool) -> Self {
        Self {
            is_final,
            rsv1: false,
            rsv2: false,
            rsv3: false,
            opcode,
            mask: None,
        }
    }

    /// Takes a header from the cursor, with the length of the payload. `Ok(None)`: more bytes are needed, and
    /// the cursor stands where it stood.
    ///
    /// # Errors
    /// [`ProtocolError::InvalidOpcode`].
    pub fn parse(cursor: &mut Cursor<impl AsRef<[u8]>>) -> Result<Option<(Self, u64)>> {
        let at = usize::try_from(cursor.position()).unwrap_or(usize::MAX);
        let bytes = cursor.get_ref().as_ref();
        let bytes = bytes.get(at..).unwrap_or_default();
        let Some((&[first, second], rest)) = bytes.split_first_chunk() else {
            return Ok(None);
        };
        let opcode = OpCode::from(first & 15);
        if let OpCode::Data(Data::Reserved(number)) | OpCode::Control(Control::Reserved(number)) =
            opcode
        {
            return Err(ProtocolError::InvalidOpcode(number).into());
        }
        let (len, rest) = match (second & 0x7f, rest) {
            (126, [a, b, rest @ ..]) => (u16::from_be_bytes([*a, *b]).into(), rest),
            (127, rest) => match rest.split_first_chunk() {
                Some((len, rest)) => (u64::from_be_bytes(*len), rest),
                None => return Ok(None),
            },
            (126, _) => return Ok(None),
            (short, rest) => (short.into(), rest),
        };
        let (mask, rest) = match rest.split_first_chunk() {
            _ if second & 0x80 == 0 => (None, rest),
            Some((key, rest)) => (Some(*key), rest),
            None => return Ok(None),
        };
        let header = Self {
            rsv1: first & 0x40 != 0,
            rsv2: first & 0x20 != 0,
            rsv3: first & 0x10 != 0,
            mask,
            ..Self::new(opcode, first & 0x80 != 0)
        };
        let taken = bytes.len() - rest.len();
        cursor.set_position((at + taken) as u64);
        Ok(Some((header, len)))
    }

    /// Bytes of the header with a payload of this length.
    #[allow(clippy::len_without_is_empty, reason = "a header is never empty")]
    pub const fn len(&self, length: u64) -> usize {
        let extended = match length {
            0..=125 => 0,
            126..=0xffff => 2,
            _ => 8,
        };
        2 + extended + if self.mask.is_some() { 4 } else { 0 }
    }

    /// Writes the header for a payload of this length.
    ///
    /// # Errors
    /// Those of `output`.
    pub fn format(&self, length: u64, output: &mut impl Write) -> Result<()> {
        let bits = [self.is_final, self.rsv1, self.rsv2, self.rsv3];
        let bits = bits
            .into_iter()
            .fold(0, |all, bit| all << 1 | u8::from(bit));
        let masked = if self.mask.is_some() { 0x80 } else { 0 };
        let first = bits << 4 | u8::from(self.opcode);
        // `as`: each arm's bound makes the value fit.
        match length {
            0..=125 => output.write_all(&[first, masked | length as u8])?,
            126..=0xffff => {
                output.write_all(&[first, masked | 126])?;
                output.write_all(&(length as u16).to_be_bytes())?;
            }
            _ => {
                output.write_all(&[first, masked | 127])?;
                output.write_all(&length.to_be_bytes())?;
            }
        }
        if let Some(key) = self.mask {
            output.write_all(&key)?;
        }
        Ok(())
    }
}

/// A frame: its header, and its payload as it is before it is masked.
#[derive(Debug, Clone, Eq, PartialEq)]
#[allow(clippy::module_name_repetitions, reason = "the name is tungstenite's")]
pub struct Frame {
    header: FrameHeader,
    payload: Bytes,
}

impl Frame {
    /// A frame of a header and a payload.
    pub const fn from_payload(header: FrameHeader, payload: Bytes) -> Self {
        Self { header, payload }
    }

    /// A data frame.
    pub fn message(data: impl Into<Bytes>, opcode: OpCode, is_final: bool) -> Self {
        debug_assert!(matches!(opcode, OpCode::Data(_)), "{opcode} is no data");
        Self::from_payload(FrameHeader::new(opcode, is_final), data.into())
    }

    /// A Ping.
    pub fn ping(data: impl Into<Bytes>) -> Self {
        Self::control(Control::Ping, data.into())
    }

    /// A Pong.
    pub fn pong(data: impl Into<Bytes>) -> Self {
        Self::control(Control::Pong, data.into())
    }

    /// A Close frame.
    pub fn close(body: Option<CloseFrame>) -> Self {
        let payload = body.map_or_else(BytesMut::new, |body| {
            let mut payload = BytesMut::from(&u16::from(body.code).to_be_bytes()[..]);
            payload.extend_from_slice(body.reason.as_bytes());
            payload
        });
        Self::control(Control::Close, payload.freeze())
    }

    const fn control(opcode: Control, payload: Bytes) -> Self {
        Self::from_payload(FrameHeader::new(OpCode::Control(opcode), true), payload)
    }

    /// Bytes of the frame, header and payload.
    pub fn len(&self) -> usize {
        let payload = self.payload.len();
        self.header.len(payload as u64) + payload
    }

    /// Never: a frame has a header.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The header.
    pub const fn header(&self) -> &FrameHeader {
        &self.header
    }

    /// The header, to be changed.
    pub const fn header_mut(&mut self) -> &mut FrameHeader {
        &mut self.header
    }

    /// The payload.
    pub fn payload(&self) -> &[u8] {
        &self.payload
    }

    /// The payload alone.
    pub fn into_payload(self) -> Bytes {
        self.payload
    }

    /// The payload as text.
    ///
    /// # Errors
    /// [`Utf8Error`] says where the first byte is that is not UTF-8.
    pub fn into_text(self) -> Result<Utf8Bytes, Utf8Error> {
        self.payload.try_into()
    }

    /// The payload as text.
    ///
    /// # Errors
    /// [`Utf8Error`] says where the first byte is that is not UTF-8.
    pub fn to_text(&self) -> Result<&str, Utf8Error> {
        str::from_utf8(&self.payload)
    }

    /// Writes the frame, masked with the key of its header if that has one.
    ///
    /// # Errors
    /// Those of `output`.
    pub fn format(self, output: &mut impl Write) -> Result<()> {
        self.header.format(self.payload.len() as u64, output)?;
        match self.header.mask {
            None => output.write_all(&self.payload)?,
            Some(key) => {
                let mut masked = Vec::from(self.payload);
                apply_mask(&mut masked, key, 0);
                output.write_all(&masked)?;
            }
        }
        Ok(())
    }
}

/// The header in words, and the payload in hexadecimal.
impl fmt::Display for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let header = &self.header;
        let fin = if header.is_final { ", final" } else { "" };
        let rsv = [header.rsv1, header.rsv2, header.rsv3].map(u8::from);
        write!(f, "{}{fin}, reserved bits {rsv:?}, ", header.opcode)?;
        write!(f, "payload: {} bytes, 0x", self.payload.len())?;
        self.payload
            .iter()
            .try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}
