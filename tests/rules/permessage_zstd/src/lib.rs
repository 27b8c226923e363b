//! permessage-zstd: messages compressed with Zstandard (RFC 8878), as an extension that a user's crate
//! adds. It is registered nowhere; the grammar is that of permessage-deflate.
//!
//! Each message is one frame of Zstandard, so that no message refers to another.

use sansocket::Role;
use sansocket::extension::{DecodeError, EncodeError, Extension, MessageCodec, MessageExtension};
use std::io;
use zstd::stream::raw::{CParameter, DParameter, Decoder, Encoder, InBuffer, Operation, OutBuffer};

/// What both ends are configured with.
#[derive(Debug, Clone)]
pub struct PermessageZstd {
    /// How hard to compress, 1 to 22.
    pub level: i32,
    /// Shorter messages go out as they are.
    pub threshold: usize,
    /// The largest window, 10 to 27: 2 to that power bytes.
    pub max_window_log: u32,
    /// How many times the bytes of its frames a message may have; each may have 64 KiB. 0: any number.
    pub ratio: u32,
}

impl Default for PermessageZstd {
    fn default() -> Self {
        Self {
            level: 3,
            threshold: 64,
            max_window_log: 20,
            ratio: 0,
        }
    }
}

/// The one parameter of an element. `None`: another one, or a value that is none.
fn window_log(element: &Extension<'_>) -> Option<Option<u32>> {
    let mut params = element.params();
    let Some(param) = params.next() else {
        return Some(None);
    };
    let log = param
        .value()?
        .parse()
        .ok()
        .filter(|log| (10..=27).contains(log))?;
    (param.name() == "max_window_log" && params.next().is_none()).then_some(Some(log))
}

impl MessageExtension for PermessageZstd {
    fn name(&self) -> &str {
        "permessage-zstd"
    }

    fn offer(&self) -> String {
        format!("permessage-zstd; max_window_log={}", self.max_window_log)
    }

    fn answer(&self, offers: &[Extension<'_>]) -> Option<String> {
        let offered = offers.iter().find_map(window_log)?;
        let log = offered.map_or(self.max_window_log, |log| log.min(self.max_window_log));
        Some(format!("permessage-zstd; max_window_log={log}"))
    }

    fn accepts(&self, answer: &Extension<'_>) -> bool {
        matches!(window_log(answer), Some(Some(log)) if log <= self.max_window_log)
    }

    fn codec(&self, _: Role, answer: &Extension<'_>) -> Option<Box<dyn MessageCodec>> {
        let mut settings = self.clone();
        settings.max_window_log = window_log(answer)?.unwrap_or(self.max_window_log);
        Some(Box::new(Codec {
            settings,
            ..Codec::default()
        }))
    }
}

#[derive(Default)]
struct Codec {
    settings: PermessageZstd,
    /// Both are made for the first message in their direction, and after `shrink`.
    sending: Option<Encoder<'static>>,
    receiving: Option<Decoder<'static>>,
    /// The frame of the message that comes in is whole.
    whole: bool,
    /// More may come out without more input.
    more: bool,
    /// Bytes that are there of the message that comes in, encoded and decoded.
    came: u64,
    put_out: u64,
}

impl Codec {
    fn compress(&mut self, part: &[u8], last: bool, out: &mut Vec<u8>) -> io::Result<()> {
        let encoder = ready(&mut self.sending, || {
            let mut encoder = Encoder::new(self.settings.level)?;
            encoder.set_parameter(CParameter::WindowLog(self.settings.max_window_log))?;
            Ok(encoder)
        })?;
        let mut input = InBuffer::around(part);
        let mut room = [0; 8 << 10];
        loop {
            let mut output = OutBuffer::around(&mut room[..]);
            let left = if input.pos() < part.len() {
                encoder.run(&mut input, &mut output)?.max(1)
            } else if last {
                encoder.finish(&mut output, true)?
            } else {
                encoder.flush(&mut output)?
            };
            out.extend_from_slice(output.as_slice());
            if left == 0 {
                return if last { encoder.reinit() } else { Ok(()) };
            }
        }
    }

    /// The next piece; how long it is.
    fn decompress(&mut self, input: &mut &[u8], room: &mut [u8]) -> io::Result<usize> {
        let decoder = ready(&mut self.receiving, || {
            let mut decoder = Decoder::new()?;
            decoder.set_parameter(DParameter::WindowLogMax(self.settings.max_window_log))?;
            Ok(decoder)
        })?;
        while self.more || !input.is_empty() {
            if self.whole {
                return Err(io::ErrorKind::InvalidData.into()); // something follows the frame
            }
            let mut from = InBuffer::around(input);
            let mut to = OutBuffer::around(&mut *room);
            self.whole = decoder.run(&mut from, &mut to)? == 0;
            let (read, written) = (from.pos(), to.pos());
            *input = &input[read..];
            self.more = !self.whole && written == room.len();
            if written > 0 {
                return Ok(written);
            }
        }
        Ok(0)
    }

    fn message_ends(&mut self) -> Result<(), DecodeError> {
        (self.came, self.put_out) = (0, 0);
        let reset = self.receiving.as_mut().map_or(Ok(()), Operation::reinit);
        if !std::mem::take(&mut self.whole) || reset.is_err() {
            return Err(DecodeError::Corrupt);
        }
        Ok(())
    }
}

impl MessageCodec for Codec {
    fn encode(&mut self, part: &[u8], last: bool, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        self.compress(part, last, out).map_err(|_| EncodeError)
    }

    fn wants(&self, len: usize) -> bool {
        len >= self.settings.threshold
    }

    fn decode<'c>(
        &'c mut self,
        input: &mut &[u8],
        last: bool,
        room: &'c mut [u8],
        _limit: u64,
    ) -> Result<Option<&'c [u8]>, DecodeError> {
        let written = self
            .decompress(input, room)
            .map_err(|_| DecodeError::Corrupt)?;
        self.put_out += written as u64;
        let max = self.settings.ratio;
        if max > 0 && self.put_out > (self.came * u64::from(max)).max(64 << 10) {
            return Err(DecodeError::Ratio { max });
        }
        if written == 0 && last {
            self.message_ends()?;
        }
        Ok((written > 0).then_some(&room[..written]))
    }

    fn frame_begins(&mut self, payload_len: u64) {
        self.came += payload_len;
    }

    fn shrink(&mut self) {
        self.sending = None;
        if self.came == 0 {
            self.receiving = None;
        }
    }
}

/// The coder that is there, or a new one.
fn ready<T>(coder: &mut Option<T>, new: impl FnOnce() -> io::Result<T>) -> io::Result<&mut T> {
    if coder.is_none() {
        *coder = Some(new()?);
    }
    coder.as_mut().ok_or(io::ErrorKind::Other.into())
}
