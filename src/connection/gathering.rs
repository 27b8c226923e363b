//! Gathering: pieces of payload into messages and chunks (RFC 6455 §5.4, §6.2, §8.1). It is told
//! what was read, and asks for nothing.

use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;
use core::mem;

use crate::error::ProtocolError;
use crate::event::{Chunk, Kind, Message};
use crate::mask::{self, MaskingKey, apply_mask, extend_masked};
use crate::payload::{Payload, Text};
use crate::utf8::{self, NotUtf8, Validator};

use super::event::Event;
use super::memory::{Grown, grow, grow_text};
use super::reading::Piece;

/// The message in progress, and the buffer for it.
#[derive(Default)]
pub(super) struct Gathering {
    pub(super) message: InProgress,
    pub(super) buffer: Buffer,
}

/// The message in progress.
#[derive(Default)]
pub(super) struct InProgress {
    /// Payload bytes of the message that have come; of an encoded one, that came out.
    pub(super) len: u64,
    /// Frames of the message so far.
    pub(super) fragments: u32,
    pub(super) kind: Option<Kind>,
    /// It is delivered in chunks.
    pub(super) in_chunks: bool,
    /// Its first chunk was delivered.
    pub(super) begun: bool,
    /// The reserved bit of the codec that encoded it, or 0.
    pub(super) codec_bit: u8,
    /// The reserved bits of the frame that are the application's.
    pub(super) frame_bits: u8,
    /// Those of all its frames so far.
    pub(super) own_bits: u8,
    /// Those that `Event::Start` has told.
    pub(super) told_bits: u8,
    /// More may come out of what the codec took already.
    pub(super) pulling: bool,
    pub(super) utf8: Validator,
}

/// What a message is gathered in.
#[derive(Default)]
pub(super) enum Buffer {
    #[default]
    None,
    /// The first [`InProgress::len`] bytes are the message's. What comes after them is initialized room.
    Bytes(Vec<u8>),
    /// Validated text.
    Text(String),
}

/// What ends with a piece of payload.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Ends {
    Nothing,
    /// Its frame.
    Frame,
    /// Its frame, which is the last one of the message.
    Message,
}

/// What comes of a piece of payload.
pub(super) enum Came<'a> {
    /// More input or the next frame is needed.
    Nothing,
    /// The end of a message, which lies in the buffer. Its event is made where it is handed out:
    /// one that passes through several returns is copied at each.
    Gathered,
    Event(Event<'a>),
    /// The connection is to be failed.
    Failed(ProtocolError),
}

impl Ends {
    const fn of(piece: &Piece<'_>) -> Self {
        Self::at(piece.ends_frame, piece.ends_message())
    }

    /// At the end of a frame, and of the message if `last`.
    pub(super) const fn at(end: bool, last: bool) -> Self {
        match (end, last) {
            (false, _) => Self::Nothing,
            (true, false) => Self::Frame,
            (true, true) => Self::Message,
        }
    }
}

impl From<Result<Self, ProtocolError>> for Came<'_> {
    fn from(came: Result<Self, ProtocolError>) -> Self {
        came.unwrap_or_else(Self::Failed)
    }
}

impl Gathering {
    // ── frames

    /// The first frame of a message begins.
    #[inline]
    pub(super) const fn begin(&mut self, kind: Kind, codec_bit: u8, reserved_bits: u8) {
        self.message.kind = Some(kind);
        self.message.codec_bit = codec_bit;
        self.go_on(reserved_bits);
    }

    /// A frame of the message begins.
    #[inline]
    pub(super) const fn go_on(&mut self, reserved_bits: u8) {
        self.message.fragments += 1;
        self.message.frame_bits = reserved_bits & !self.message.codec_bit;
        self.message.own_bits |= self.message.frame_bits;
    }

    /// `Event::Start` tells the reserved bits of the first frame; these are the application's.
    pub(super) const fn tell_bits(&mut self) -> u8 {
        self.message.told_bits = self.message.frame_bits;
        self.message.told_bits
    }

    /// The message that has begun comes in chunks.
    pub(super) const fn in_chunks(&mut self) {
        self.message.in_chunks = true;
    }

    // ── payload

    /// Adds a piece of payload that no extension has encoded, for which there is room.
    #[inline(always)]
    pub(super) fn add<'a>(&mut self, piece: Piece<'a>) -> Came<'a> {
        let Some(kind) = self.message.kind else {
            return Came::Nothing;
        };
        let last = piece.ends_message();
        if self.message.in_chunks {
            let ends = Ends::of(&piece);
            return self.chunk(kind, piece.unmasked().into(), ends).into();
        }
        if last && self.message.len == 0 && self.message.own_bits == self.message.told_bits {
            self.end();
            return Came::Event(Event::Message(match kind {
                Kind::Binary => Message::Binary(piece.unmasked().into()),
                Kind::Text => match whole_text(piece.unmasked()) {
                    Ok(text) => Message::Text(text),
                    Err(error) => return Came::Failed(error),
                },
            }));
        }
        match kind {
            Kind::Binary => self.add_bytes(piece.bytes, piece.key()),
            Kind::Text => {
                if let Err(error) = self.add_text(piece.unmasked()) {
                    return Came::Failed(error);
                }
            }
        }
        if last { Came::Gathered } else { Came::Nothing }
    }

    /// The message that was gathered, which has ended.
    ///
    /// # Errors
    /// Text that ends inside a character.
    #[inline(always)]
    pub(super) fn finish<'a>(&mut self) -> Result<Event<'a>, ProtocolError> {
        let InProgress {
            kind,
            len,
            own_bits,
            told_bits,
            ..
        } = self.message;
        let complete = self.message.utf8.is_complete();
        self.end();
        let gathered = mem::take(&mut self.buffer);
        let message = match kind {
            Some(Kind::Text) if !complete => {
                return Err(cut_off(len));
            }
            Some(Kind::Text) => Message::Text(gathered.into_text().into()),
            _ => {
                let mut bytes = gathered.into_bytes();
                // `as`: it was gathered in memory.
                bytes.truncate(len as usize);
                Message::Binary(bytes.into())
            }
        };
        Ok(if own_bits == told_bits {
            Event::Message(message)
        } else {
            with_bits(message, own_bits)
        })
    }

    /// A part of the message as it is handed out, with what ends with it; nothing if there is nothing to
    /// tell.
    ///
    /// # Errors
    /// Text that is not UTF-8.
    pub(super) fn chunk<'a>(
        &mut self,
        kind: Kind,
        payload: Payload<'a>,
        ends: Ends,
    ) -> Result<Came<'a>, ProtocolError> {
        let last = ends == Ends::Message;
        let ends_frame = ends >= Ends::Frame;
        let before = self.message.len;
        let len = before + payload.len() as u64;
        self.message.len = len;
        if kind == Kind::Text {
            let utf8 = &mut self.message.utf8;
            if let Err(bad) = utf8.push(&payload) {
                return Err(bad_text(before, bad));
            }
            if last && !utf8.is_complete() {
                return Err(cut_off(len));
            }
        }
        if payload.is_empty() && !ends_frame {
            return Ok(Came::Nothing);
        }
        let first = !mem::replace(&mut self.message.begun, true);
        let reserved_bits = self.message.frame_bits;
        if last {
            self.end();
        }
        Ok(Came::Event(Event::Chunk(Chunk {
            kind,
            payload,
            first,
            ends_frame,
            last,
            reserved_bits,
        })))
    }

    #[inline]
    fn end(&mut self) {
        self.message = InProgress::default();
    }

    /// Unmasks while copying, into what is initialized already as far as it goes.
    #[inline(always)]
    fn add_bytes(&mut self, payload: &[u8], key: Option<MaskingKey>) {
        // There was room to be made for the first bytes.
        let Buffer::Bytes(bytes) = &mut self.buffer else {
            return;
        };
        // `as`: it was gathered in memory.
        let at = self.message.len as usize;
        let (over, fresh) = payload.split_at(payload.len().min(bytes.len() - at));
        self.message.len += payload.len() as u64;
        if !over.is_empty() {
            let place = &mut bytes[at..at + over.len()];
            match key {
                Some(key) => mask::copy_masked(place, over, key),
                None => place.copy_from_slice(over),
            }
        }
        if !fresh.is_empty() {
            let key = key.map(|key| mask::rotate(key, over.len() as u64));
            extend_masked(bytes, key, fresh);
        }
    }

    /// Validates, and pushes what is text.
    fn add_text(&mut self, payload: &[u8]) -> Result<(), ProtocolError> {
        if payload.is_empty() {
            return Ok(());
        }
        let mut text = self.take_text();
        self.push_text(payload, &mut text)?;
        self.put_text(text);
        Ok(())
    }

    /// There is no room for `n` bytes more.
    #[inline(always)]
    pub(super) fn lacks(&self, n: usize) -> bool {
        self.message.len + n as u64 > self.memory_held() as u64
    }

    /// The next payload is gathered, and neither lent nor handed out as it comes; `last`: it ends the message.
    pub(super) const fn gathers(&self, last: bool) -> bool {
        let InProgress {
            len,
            own_bits,
            told_bits,
            in_chunks,
            ..
        } = self.message;
        !(in_chunks || last && len == 0 && own_bits == told_bits)
    }

    /// Makes room for `n` bytes more.
    ///
    /// # Errors
    /// Those of `grown`, which says to what capacity a buffer of one grows for what is needed.
    pub(super) fn make_room(&mut self, n: usize, grown: impl Grown) -> Result<(), ProtocolError> {
        // `as`: it was gathered in memory.
        let needed = self.message.len as usize + n;
        if self.message.kind == Some(Kind::Text) {
            let mut text = self.take_text();
            grow_text(&mut text, needed, grown)?;
            self.put_text(text);
        } else {
            let mut bytes = mem::take(&mut self.buffer).into_bytes();
            grow(&mut bytes, needed, grown)?;
            self.buffer = Buffer::Bytes(bytes);
        }
        Ok(())
    }

    // ── what is decoded

    /// Validates the next bytes of a text and puts them to what was gathered, which has room for them.
    ///
    /// # Errors
    /// Text that is not UTF-8.
    pub(super) fn push_text(
        &mut self,
        piece: &[u8],
        gathered: &mut String,
    ) -> Result<(), ProtocolError> {
        let before = self.message.len;
        self.message.len += piece.len() as u64;
        for (i, part) in piece.chunks(CACHED).enumerate() {
            let pushed = self.message.utf8.push(part);
            let (finished, text) =
                pushed.map_err(|bad| bad_text(before + (i * CACHED) as u64, bad))?;
            gathered.extend(finished);
            gathered.push_str(text);
        }
        Ok(())
    }

    /// The text so far, or a buffer for it. It is put back with [`put_text`](Self::put_text).
    pub(super) fn take_text(&mut self) -> String {
        mem::take(&mut self.buffer).into_text()
    }

    pub(super) fn put_text(&mut self, text: String) {
        self.buffer = Buffer::Text(text);
    }

    /// The same, and room of `len` bytes for what comes out of a codec: a lent buffer of about that
    /// length need not be zeroed.
    pub(super) fn take_text_and_room(&mut self, len: usize) -> (String, Vec<u8>) {
        let begins = self.message.len == 0;
        let spare_len = self.memory_held();
        if begins && len > 0 && (len..2 * len).contains(&spare_len) {
            let mut room = mem::take(&mut self.buffer).into_bytes();
            room.resize(len, 0);
            (String::with_capacity(len), room)
        } else {
            (self.take_text(), vec![0; len])
        }
    }

    /// The bytes so far, or a buffer for them; and how many there are.
    pub(super) fn take_bytes(&mut self) -> (Vec<u8>, usize) {
        let bytes = mem::take(&mut self.buffer).into_bytes();
        // `as`: it was gathered in memory.
        (bytes, self.message.len as usize)
    }

    /// Puts back what was taken, of which the first `len` bytes are the message's.
    pub(super) fn put_bytes(&mut self, bytes: Vec<u8>, len: usize) {
        self.message.len = len as u64;
        self.buffer = Buffer::Bytes(bytes);
    }

    /// More may come out of what the codec took already.
    pub(super) const fn set_pulling(&mut self, pulling: bool) {
        self.message.pulling = pulling;
    }

    // ── reading straight into the message

    /// Where the next bytes of a binary message are gathered, of whose frame `left` bytes have not come.
    /// Nowhere if there is no room for it.
    pub(super) fn target(&mut self, left: u64, grown: impl Grown) -> Option<&mut [u8]> {
        let want = self.target_len(left)?;
        // `as`: it was gathered in memory.
        let at = self.message.len as usize;
        if !matches!(&self.buffer, Buffer::Bytes(bytes) if bytes.len() >= at + want) {
            let mut bytes = mem::take(&mut self.buffer).into_bytes();
            let grown = grow(&mut bytes, at + want, grown);
            if grown.is_ok() {
                bytes.resize(at + want, 0);
            }
            self.buffer = Buffer::Bytes(bytes);
            grown.ok()?;
        }
        match &mut self.buffer {
            Buffer::Bytes(bytes) => bytes.get_mut(at..at + want),
            _ => None,
        }
    }

    /// How long the target is, if there is one.
    fn target_len(&self, left: u64) -> Option<usize> {
        let InProgress { kind, len, .. } = self.message;
        let whole = kind == Some(Kind::Binary) && !self.message.in_chunks && !self.is_encoded();
        if !whole || left < TARGET_MIN {
            return None;
        }
        // `as`: the longest is what was gathered in memory, or 64 KiB.
        Some(left.min(len.max(64 << 10)) as usize)
    }

    /// The first `n` bytes of the target were filled; returns how many of them count.
    pub(super) fn target_filled(&mut self, n: usize, left: u64, key: Option<MaskingKey>) -> usize {
        let (Some(len), Buffer::Bytes(bytes)) = (self.target_len(left), &mut self.buffer) else {
            return 0;
        };
        // `as`: it was gathered in memory.
        let room = bytes
            .get_mut(self.message.len as usize..)
            .unwrap_or_default();
        let n = n.min(len).min(room.len());
        if let Some(key) = key {
            apply_mask(&mut room[..n], key, 0);
        }
        self.message.len += n as u64;
        n
    }

    // ── the buffer

    /// Takes a buffer in for the next message; gives it back where it is not needed.
    pub(super) fn lend_buffer(&mut self, buffer: Vec<u8>) -> Option<Vec<u8>> {
        if self.is_idle() && matches!(self.buffer, Buffer::None) {
            self.buffer = Buffer::Bytes(buffer);
            return None;
        }
        Some(buffer)
    }

    /// The buffer, if it is not in use.
    pub(super) fn take_buffer(&mut self) -> Option<Vec<u8>> {
        if self.is_idle() {
            mem::take(&mut self.buffer).into_spare()
        } else {
            None
        }
    }

    /// Bytes of heap that the buffer takes.
    pub(super) fn memory_held(&self) -> usize {
        match &self.buffer {
            Buffer::None => 0,
            Buffer::Bytes(bytes) => bytes.capacity(),
            Buffer::Text(text) => text.capacity(),
        }
    }

    // ── how it stands

    /// Between two messages.
    #[inline]
    pub(super) const fn is_idle(&self) -> bool {
        self.message.kind.is_none()
    }

    /// Nothing of the message has come, or has come out.
    pub(super) const fn is_empty(&self) -> bool {
        self.message.len == 0
    }

    /// The next frame, which is being read, is the message's first one.
    pub(super) const fn is_first_frame(&self) -> bool {
        self.message.fragments == 1
    }

    pub(super) const fn is_in_chunks(&self) -> bool {
        self.message.in_chunks
    }

    /// The kind of the message in progress.
    pub(super) const fn kind(&self) -> Option<Kind> {
        self.message.kind
    }

    /// The extension in use encoded the message.
    #[inline]
    pub(super) const fn is_encoded(&self) -> bool {
        self.message.codec_bit != 0
    }

    pub(super) const fn is_pulling(&self) -> bool {
        self.message.pulling
    }

    #[inline]
    pub(super) const fn len(&self) -> u64 {
        self.message.len
    }

    #[inline]
    pub(super) const fn fragments(&self) -> u32 {
        self.message.fragments
    }
}

impl Buffer {
    /// The buffer itself. Text is one of a message, and goes with it.
    fn into_spare(self) -> Option<Vec<u8>> {
        match self {
            Self::Bytes(bytes) => Some(bytes),
            Self::None | Self::Text(_) => None,
        }
    }

    /// As bytes, in whatever buffer there is.
    fn into_bytes(self) -> Vec<u8> {
        self.into_spare().unwrap_or_default()
    }

    /// As text, in whatever buffer there is.
    fn into_text(self) -> String {
        match self {
            Self::Text(text) => text,
            spare => {
                let mut bytes = spare.into_bytes();
                bytes.clear();
                String::from_utf8(bytes).unwrap_or_default()
            }
        }
    }
}

/// A text that lies in the input as a whole.
#[inline(always)]
pub(super) fn whole_text(payload: &[u8]) -> Result<Text<'_>, ProtocolError> {
    match utf8::validate(payload) {
        Ok(text) => Ok(Text::lent(text)),
        Err(bad) => Err(bad_whole_text(payload, bad)),
    }
}

/// The error of text that breaks after `before` bytes of the message and those up to `bad`.
#[cold]
#[inline(never)]
const fn bad_text(before: u64, bad: NotUtf8) -> ProtocolError {
    ProtocolError::TextNotUtf8 {
        at: before + bad.at as u64,
        cut: false,
    }
}

/// The error of text of `len` bytes whose end cuts a character.
#[cold]
#[inline(never)]
const fn cut_off(len: u64) -> ProtocolError {
    ProtocolError::TextNotUtf8 { at: len, cut: true }
}

/// The error of a whole text.
#[cold]
#[inline(never)]
pub(super) const fn bad_whole_text(text: &[u8], bad: NotUtf8) -> ProtocolError {
    ProtocolError::TextNotUtf8 {
        at: bad.at as u64,
        cut: bad.at == text.len(),
    }
}

/// A whole message with reserved bits of the application's that were not told: its only chunk.
#[cold]
fn with_bits<'a>(message: Message<'a>, reserved_bits: u8) -> Event<'a> {
    let (kind, payload) = match message {
        Message::Text(text) => (Kind::Text, text.into_string().into_bytes().into()),
        Message::Binary(payload) => (Kind::Binary, payload),
    };
    Event::Chunk(Chunk {
        kind,
        payload,
        first: true,
        ends_frame: true,
        last: true,
        reserved_bits,
    })
}

/// Bytes of text that are still in the first cache, having been validated, when they are copied.
const CACHED: usize = 8 << 10;

/// Where less payload is due, it goes through the read buffer with whatever comes after it.
const TARGET_MIN: u64 = 4096;
