//! The protocol over a stream that is given to each call.

use std::fmt;
use std::io::{self, Read, Write};

use bytes::{Buf, Bytes, BytesMut};
use sansocket::error::{Failure, Limit, ProtocolError as Broken, SendError};
use sansocket::{Connection, Event, Negotiated, Role};

use super::buffers::{Input, LARGEST_SPARE, give_spare, take_spare};
use super::config::WebSocketConfig;
use super::frame::coding::{CloseCode, Data, OpCode};
use super::frame::{CloseFrame, Frame, Utf8Bytes};
use super::message::Message;
use crate::error::{CapacityError, Error, ProtocolError, Result};
use crate::masks;

/// Longer payloads are queued by reference, and not copied to the others.
const COPIED: usize = 64 << 10;

/// The most that the payload of a control frame has (RFC 6455 §5.5).
const CONTROL: usize = 125;

/// No read asks for less, or for more: what stays in the fastest cache is the fastest.
const SMALLEST_READ: usize = 14;
const LARGEST_READ: usize = 16 << 10;

/// A connection without its stream, which is given to each call, and always has to be the same one.
pub struct WebSocketContext {
    ws: Connection,
    config: WebSocketConfig,
    stage: Stage,
    input: Input,
    /// Frames of the application's own making: they leave before what `ws` has queued.
    raw: BytesMut,
    /// The answer to the last Ping, where it was not queued yet.
    pong: Option<Bytes>,
    /// An answer of this end was not flushed yet.
    unflushed: bool,
    /// `ws` has the thread's spare buffer.
    lent: bool,
}

const _: () = assert!(size_of::<WebSocketContext>() <= 512);

/// How far the connection is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Open,
    CloseSent,
    /// The answer is queued.
    CloseReceived,
    /// Both Close frames were exchanged, the first by this end.
    CloseAnswered,
    /// The peer broke a rule: it is told why, and nothing more is read.
    Failed,
    Over,
}

impl WebSocketContext {
    /// A connection whose opening handshake is done.
    ///
    /// # Panics
    /// If `max_write_buffer_size` is not above `write_buffer_size`.
    pub fn new(role: Role, config: Option<WebSocketConfig>) -> Self {
        Self::from_partially_read(Vec::new(), role, config)
    }

    /// The same, where some bytes after the handshake were read already.
    ///
    /// # Panics
    /// If `max_write_buffer_size` is not above `write_buffer_size`.
    pub fn from_partially_read(part: Vec<u8>, role: Role, config: Option<WebSocketConfig>) -> Self {
        Self::agreed(part, role, config, Negotiated::default())
    }

    /// The same, with what the opening handshake has agreed on.
    pub(super) fn agreed(
        part: Vec<u8>,
        role: Role,
        config: Option<WebSocketConfig>,
        agreed: Negotiated,
    ) -> Self {
        let config = config.unwrap_or_default();
        config.assert_valid();
        Self {
            ws: config.connection(role, agreed),
            config,
            stage: Stage::Open,
            input: Input::holding(part),
            raw: BytesMut::new(),
            pong: None,
            unflushed: false,
            lent: false,
        }
    }

    /// Changes the configuration: limits hold from the next frame on.
    ///
    /// # Panics
    /// If `max_write_buffer_size` is not above `write_buffer_size` then.
    pub fn set_config(&mut self, set_func: impl FnOnce(&mut WebSocketConfig)) {
        let before = self.config;
        set_func(&mut self.config);
        self.config.assert_valid();
        let (limits, unmasked) = (self.config.limits(), self.config.accept_unmasked_frames);
        if limits != before.limits() {
            self.ws.set_limits(limits);
        }
        if unmasked != before.accept_unmasked_frames {
            self.ws.accept_unmasked(unmasked);
        }
    }

    /// The configuration.
    pub const fn get_config(&self) -> &WebSocketConfig {
        &self.config
    }

    /// Messages may still come: the peer's Close frame has not.
    pub const fn can_read(&self) -> bool {
        matches!(self.stage, Stage::Open | Stage::CloseSent)
    }

    /// Messages may still be sent: no Close frame was sent or has come.
    pub const fn can_write(&self) -> bool {
        matches!(self.stage, Stage::Open)
    }

    // ── what comes

    /// The next message. What has to be answered was answered, or is with the next call.
    ///
    /// # Errors
    /// [`Error::ConnectionClosed`] at the orderly end, [`Error::AlreadyClosed`] after any end; the rules that
    /// the peer broke ([`Error::Protocol`], [`Error::Capacity`], [`Error::Utf8`], and [`Error::Io`] with
    /// `InvalidData` for those that have no name here): the peer has been told then, and nothing more
    /// comes. [`Error::Io`] for the stream's own errors: after `WouldBlock` and `Interrupted`, read again.
    pub fn read<Stream: Read + Write>(&mut self, stream: &mut Stream) -> Result<Message> {
        if matches!(self.stage, Stage::Failed | Stage::Over) {
            return Err(Error::AlreadyClosed);
        }
        if self.pong.is_some() || self.unflushed {
            self.unflushed = true;
            match self.flush(stream) {
                Err(Error::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => {}
                flushed => flushed?,
            }
        } else if self.ends_first() {
            return Err(self.end());
        }
        let read = self.next(stream);
        self.input.rest();
        read
    }

    fn next<Stream: Read + Write>(&mut self, stream: &mut Stream) -> Result<Message> {
        loop {
            while let Some(event) = self.input.offer(|rest| self.ws.receive(rest)) {
                match received(event) {
                    Received::Message(message) => return Ok(message),
                    Received::Ping(payload) => {
                        if self.stage == Stage::Open {
                            self.pong = Some(payload.clone());
                        }
                        return Ok(Message::Ping(payload));
                    }
                    Received::Close(close) => return Ok(self.close_came(close)),
                    Received::Broken(broken) => return self.broken(broken, stream),
                    Received::Nothing => {}
                }
            }
            let came = self.fill(stream).map_err(|error| self.judge(error))?;
            if came == 0 {
                return Err(self.end());
            }
        }
    }

    /// Reads once. The rest of a long message goes straight to where it is gathered.
    fn fill<Stream: Read>(&mut self, stream: &mut Stream) -> io::Result<usize> {
        // Nobody knows for how long there will be nothing to do.
        self.give_back();
        if let Some(target) = self.ws.receive_target() {
            let n = stream.read(target)?;
            self.ws.receive_target_filled(n);
            return Ok(n);
        }
        let len = self
            .config
            .read_buffer_size
            .clamp(SMALLEST_READ, LARGEST_READ);
        let room = self.input.room(len);
        let n = stream.read(room)?.min(room.len());
        self.input.filled(n);
        Ok(n)
    }

    fn close_came(&mut self, close: Option<CloseFrame>) -> Message {
        self.pong = None;
        if self.stage == Stage::Open {
            self.stage = Stage::CloseReceived;
            self.unflushed = true;
        } else {
            self.stage = Stage::CloseAnswered;
        }
        Message::Close(close)
    }

    /// The peer broke a rule. Only a close code that may not be sent closes the connection in another way:
    /// it is answered with the code for that.
    fn broken<Stream: Write>(&mut self, broken: Broken, stream: &mut Stream) -> Result<Message> {
        if let Broken::CloseCode { code } = broken {
            let close = match (self.stage, self.ws.close_sent()) {
                (Stage::Open, Some(answer)) => CloseFrame {
                    code: CloseCode::Protocol,
                    reason: answer.reason().into(),
                },
                _ => CloseFrame {
                    code: code.into(),
                    reason: Utf8Bytes::default(),
                },
            };
            return Ok(self.close_came(Some(close)));
        }
        self.stage = Stage::Failed;
        self.pong = None;
        // As far as the stream takes it now; `flush` and `close` go on with the rest.
        let _ = self.write_out(stream).and_then(|()| Ok(stream.flush()?));
        Err(error_for(broken))
    }

    /// A server ends the connection when both Close frames were exchanged, a client waits for that
    /// (RFC 6455 §7.1.1).
    fn ends_first(&self) -> bool {
        self.ws.role() == Role::Server
            && matches!(self.stage, Stage::CloseReceived | Stage::CloseAnswered)
    }

    /// What the end of the stream means, or of what a server does.
    fn end(&mut self) -> Error {
        let stage = std::mem::replace(&mut self.stage, Stage::Over);
        match stage {
            Stage::CloseReceived | Stage::CloseAnswered => Error::ConnectionClosed,
            _ => ProtocolError::ResetWithoutClosingHandshake.into(),
        }
    }

    /// Where the peer has said its last word, a reset is an end like any other, and so is an end below TLS
    /// without its goodbye: nothing can be missing.
    fn judge(&mut self, error: io::Error) -> Error {
        use io::ErrorKind::{ConnectionReset, UnexpectedEof};
        if !self.can_read() && matches!(error.kind(), ConnectionReset | UnexpectedEof) {
            return self.end();
        }
        error.into()
    }

    // ── what goes

    /// Queues a message, and writes if more is queued than `write_buffer_size`. A Close frame is flushed, too.
    ///
    /// # Errors
    /// [`Error::WriteBufferFull`] with the message, which was not queued. [`Error::Io`] for the stream's
    /// own: the message is queued. [`ProtocolError::SendAfterClosing`], [`Error::AlreadyClosed`],
    /// [`ProtocolError::ControlFrameTooBig`], [`ProtocolError::InvalidCloseSequence`]: nothing was done.
    pub fn write<Stream: Read + Write>(
        &mut self,
        stream: &mut Stream,
        message: Message,
    ) -> Result<()> {
        match self.stage {
            Stage::Open => {}
            Stage::Failed | Stage::Over => return Err(Error::AlreadyClosed),
            _ => return Err(ProtocolError::SendAfterClosing.into()),
        }
        match message {
            Message::Text(text) if !self.has_room(text.len()) => return Err(full(TEXT, text)),
            Message::Binary(bytes) if !self.has_room(bytes.len()) => {
                return Err(full(BINARY, bytes));
            }
            Message::Text(text) => send_text(self.lent(), text)?,
            Message::Binary(bytes) => send_bytes(self.lent(), bytes)?,
            Message::Ping(payload) => self.queue_ping(payload)?,
            Message::Pong(payload) => {
                check_control(&payload)?;
                // One answer at a time: this replaces that to the last Ping.
                self.pong = Some(payload);
                return self.answer(stream).map(drop);
            }
            Message::Close(close) => return self.close(stream, close),
            Message::Frame(frame) => self.queue_raw(frame)?,
        }
        self.write_if_much(stream)?;
        if (self.pong.is_some() || self.unflushed) && self.answer(stream)? {
            self.flush(stream)?;
        }
        Ok(())
    }

    /// The connection, with the thread's spare buffer to queue in.
    #[inline]
    fn lent(&mut self) -> &mut Connection {
        if !self.lent {
            self.lent = true;
            self.ws.lend_buffer(take_spare());
        }
        &mut self.ws
    }

    fn queue_ping(&mut self, payload: Bytes) -> Result<()> {
        check_control(&payload)?;
        if !self.has_room(payload.len()) {
            return Err(Error::WriteBufferFull(
                Message::Frame(Frame::ping(payload)).into(),
            ));
        }
        Ok(self.lent().ping(&payload).map_err(io::Error::other)?)
    }

    /// Queues a frame as it is.
    fn queue_raw(&mut self, mut frame: Frame) -> Result<()> {
        if !self.has_room(frame.payload().len()) {
            return Err(Error::WriteBufferFull(Message::Frame(frame).into()));
        }
        if self.ws.role() == Role::Client {
            frame.header_mut().mask = Some(masks::random()?);
        }
        while !self.ws.output().is_empty() {
            self.raw.extend_from_slice(self.ws.output());
            self.ws.consume_output(self.ws.output().len());
        }
        let mut bytes = Vec::with_capacity(frame.len());
        frame.format(&mut bytes)?;
        self.raw.extend_from_slice(&bytes);
        Ok(())
    }

    /// There is room for a frame with so much payload.
    fn has_room(&self, len: usize) -> bool {
        let header = match len {
            0..=CONTROL => 2,
            126..=0xffff => 4,
            _ => 10,
        };
        let key = if self.ws.role() == Role::Client { 4 } else { 0 };
        let queued = self.queued().saturating_add(header + key);
        queued.saturating_add(len) <= self.config.max_write_buffer_size
    }

    fn queued(&self) -> usize {
        self.raw.len() + self.ws.output_len()
    }

    /// Queues the pong that is due. True if something of ours waits for a flush.
    fn answer<Stream: Write>(&mut self, stream: &mut Stream) -> Result<bool> {
        if !self.queue_pong()? {
            return Ok(self.unflushed);
        }
        self.write_if_much(stream)?;
        Ok(true)
    }

    /// False if no pong is due, or there is no room for it.
    fn queue_pong(&mut self) -> Result<bool> {
        let Some(pong) = &self.pong else {
            return Ok(false);
        };
        if !self.has_room(pong.len()) {
            return Ok(false);
        }
        match self.ws.pong(pong) {
            Ok(()) | Err(SendError::Closing) => {}
            Err(why) => return Err(io::Error::other(why).into()),
        }
        self.pong = None;
        Ok(true)
    }

    fn write_if_much<Stream: Write>(&mut self, stream: &mut Stream) -> Result<()> {
        if self.queued() > self.config.write_buffer_size {
            self.write_out(stream)?;
        }
        Ok(())
    }

    /// Writes and flushes all that is queued.
    ///
    /// # Errors
    /// [`Error::Io`] for the stream's own: what was not written stays queued. [`Error::ConnectionClosed`]
    /// where that was the end: a server's answer to a Close frame.
    pub fn flush<Stream: Read + Write>(&mut self, stream: &mut Stream) -> Result<()> {
        if self.pong.is_some() {
            self.answer(stream)?;
        }
        self.write_out(stream)?;
        stream.flush()?;
        self.unflushed = false;
        if self.ends_first() || self.stage == Stage::Over && self.ws.role() == Role::Server {
            self.stage = Stage::Over;
            return Err(Error::ConnectionClosed);
        }
        Ok(())
    }

    fn write_out<Stream: Write>(&mut self, stream: &mut Stream) -> Result<()> {
        let much = self.queued() > LARGEST_SPARE;
        while !self.raw.is_empty() {
            let n = write_some(stream, &self.raw)?;
            self.raw.advance(n);
            if self.raw.is_empty() {
                self.raw = BytesMut::new();
            }
        }
        while !self.ws.output().is_empty() {
            let n = write_some(stream, self.ws.output())?;
            self.ws.consume_output(n);
        }
        if much {
            self.give_back();
        }
        Ok(())
    }

    fn give_back(&mut self) {
        if std::mem::take(&mut self.lent)
            && let Some(spare) = self.ws.take_buffer()
        {
            give_spare(spare);
        }
    }

    /// Closes the connection: a Close frame is queued and flushed. What the peer still sends is to be read,
    /// until [`Error::ConnectionClosed`]. Where it was closed before, this only flushes.
    ///
    /// # Errors
    /// As [`flush`](Self::flush), and [`ProtocolError::InvalidCloseSequence`] for a code that may not be
    /// sent (RFC 6455 §7.4): nothing was done then. 1005 stands for no code.
    pub fn close<Stream: Read + Write>(
        &mut self,
        stream: &mut Stream,
        code: Option<CloseFrame>,
    ) -> Result<()> {
        if self.stage == Stage::Open {
            let close = code.filter(|close| close.code != CloseCode::Status);
            let (code, reason) = match &close {
                None => (None, ""),
                Some(close) => match sansocket::CloseCode::new(close.code.into()) {
                    Some(code) => (Some(code), close.reason.as_str()),
                    None => return Err(ProtocolError::InvalidCloseSequence.into()),
                },
            };
            self.queue_pong()?;
            let closed = self.ws.close_lossy(code, reason);
            closed.map_err(|_| ProtocolError::InvalidCloseSequence)?;
            self.stage = Stage::CloseSent;
        }
        self.flush(stream)
    }
}

fn write_some<Stream: Write>(stream: &mut Stream, bytes: &[u8]) -> io::Result<usize> {
    match stream.write(bytes)? {
        0 => Err(io::ErrorKind::ConnectionReset.into()),
        n => Ok(n.min(bytes.len())),
    }
}

/// States and lengths only.
impl fmt::Debug for WebSocketContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebSocketContext")
            .field("role", &self.ws.role())
            .field("stage", &self.stage)
            .field("queued", &self.queued())
            .field("config", &self.config)
            .finish_non_exhaustive()
    }
}

/// What an event is here, free of what it was lent from.
enum Received {
    Message(Message),
    Ping(Bytes),
    Close(Option<CloseFrame>),
    Broken(Broken),
    Nothing,
}

#[inline]
fn received(event: Event<'_>) -> Received {
    match event {
        Event::Message(sansocket::Message::Text(text)) => {
            Received::Message(Message::text(text.into_string()))
        }
        Event::Message(sansocket::Message::Binary(bytes)) => {
            Received::Message(Message::Binary(bytes.into_bytes()))
        }
        Event::Ping(payload) => Received::Ping(payload.into_bytes()),
        Event::Pong(pong) => Received::Message(Message::Pong(pong.payload.into_bytes())),
        Event::Close(close) => Received::Close(close.code.map(|code| CloseFrame {
            code: code.get().into(),
            reason: close.reason().into(),
        })),
        Event::Failed(Failure::Protocol(broken)) => Received::Broken(broken),
        // No time is told and no handshake is read: nothing else fails.
        _ => Received::Nothing,
    }
}

const TEXT: OpCode = OpCode::Data(Data::Text);
const BINARY: OpCode = OpCode::Data(Data::Binary);

fn send_text(ws: &mut Connection, text: Utf8Bytes) -> Result<()> {
    if text.len() < COPIED {
        let sent = ws.send(text.as_str());
        return sent.map_err(|unsent| refused(unsent.why, TEXT, text));
    }
    let sent = ws.send(text.into_shared());
    sent.map_err(|unsent| refused(unsent.why, TEXT, unsent.message.into_bytes()))
}

fn send_bytes(ws: &mut Connection, bytes: Bytes) -> Result<()> {
    if bytes.len() < COPIED {
        let sent = ws.send(&bytes[..]);
        return sent.map_err(|unsent| refused(unsent.why, BINARY, bytes));
    }
    let sent = ws.send(bytes);
    sent.map_err(|unsent| refused(unsent.why, BINARY, unsent.message))
}

#[cold]
fn refused(why: SendError, opcode: OpCode, payload: impl Into<Bytes>) -> Error {
    match why {
        SendError::Full { .. } => full(opcode, payload),
        other => io::Error::other(other).into(),
    }
}

#[cold]
fn full(opcode: OpCode, payload: impl Into<Bytes>) -> Error {
    Error::WriteBufferFull(Message::Frame(Frame::message(payload, opcode, true)).into())
}

fn check_control(payload: &[u8]) -> Result<()> {
    if payload.len() > CONTROL {
        return Err(ProtocolError::ControlFrameTooBig.into());
    }
    Ok(())
}

/// The names that broken rules have here.
fn error_for(broken: Broken) -> Error {
    match broken {
        Broken::ReservedBits { .. } => ProtocolError::NonZeroReservedBits.into(),
        Broken::ReservedOpcode { opcode } => ProtocolError::InvalidOpcode(opcode).into(),
        Broken::UnmaskedFrame => ProtocolError::UnmaskedFrameFromClient.into(),
        Broken::MaskedFrame => ProtocolError::MaskedFrameFromServer.into(),
        Broken::ControlTooLong => ProtocolError::ControlFrameTooBig.into(),
        Broken::ControlFragmented => ProtocolError::FragmentedControlFrame.into(),
        Broken::UnexpectedContinuation => ProtocolError::UnexpectedContinueFrame.into(),
        Broken::MessageInterrupted { opcode } => ProtocolError::ExpectedFragment(match opcode {
            1 => Data::Text,
            _ => Data::Binary,
        })
        .into(),
        Broken::CloseBodyTooShort => ProtocolError::InvalidCloseSequence.into(),
        Broken::CloseReasonNotUtf8 { .. } | Broken::TextNotUtf8 { .. } => {
            Error::Utf8(broken.to_string())
        }
        Broken::Limit {
            limit: Limit::Frame | Limit::Message,
            value,
            max,
        } => {
            let bytes = |n: u64| usize::try_from(n).unwrap_or(usize::MAX);
            let (size, max_size) = (bytes(value), bytes(max));
            CapacityError::MessageTooLong { size, max_size }.into()
        }
        other => io::Error::new(io::ErrorKind::InvalidData, other).into(),
    }
}
