//! The protocol over a stream that is given to each call.

use std::fmt;
use std::io::{self, Read, Write};

use bytes::{Bytes, BytesMut};
use sansocket::error::{Failure, Limit, ProtocolError as Broken};
use sansocket::{Connection, Event, Negotiated, Role};

use super::buffers::Input;
use super::config::WebSocketConfig;
use super::frame::coding::{CloseCode, Data};
use super::frame::{CloseFrame, Utf8Bytes};
use super::message::Message;
use crate::error::{CapacityError, Error, ProtocolError, Result};

/// No read asks for less, or for more: what stays in the fastest cache is the fastest.
const SMALLEST_READ: usize = 14;
const LARGEST_READ: usize = 16 << 10;

/// A connection without its stream, which is given to each call, and always has to be the same one.
pub struct WebSocketContext {
    pub(super) ws: Connection,
    pub(super) config: WebSocketConfig,
    pub(super) stage: Stage,
    input: Input,
    /// Frames of the application's own making: they leave before what `ws` has queued.
    pub(super) raw: BytesMut,
    /// The answer to the last Ping, where it was not queued yet.
    pub(super) pong: Option<Bytes>,
    /// An answer of this end was not flushed yet.
    pub(super) unflushed: bool,
    /// `ws` has the thread's spare buffer.
    pub(super) lent: bool,
    /// The stream takes several pieces in one write, as far as is known.
    pub(super) gathers: bool,
}

const _: () = assert!(size_of::<WebSocketContext>() <= 512);

/// How far the connection is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
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
            gathers: true,
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
        let _ = self.write_out(stream).and_then(|()| stream.flush());
        Err(error_for(broken))
    }

    /// A server ends the connection when both Close frames were exchanged, a client waits for that
    /// (RFC 6455 §7.1.1).
    pub(super) fn ends_first(&self) -> bool {
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
