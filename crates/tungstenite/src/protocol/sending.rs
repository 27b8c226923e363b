//! What goes: messages, answers and the Close frame into the queue, and the queue to the stream.

use std::io::{self, IoSlice, Read, Write};

use bytes::{Buf, Bytes, BytesMut};
use sansocket::error::{SendError, Unsent};
use sansocket::frame::MAX_CONTROL_PAYLOAD;
use sansocket::{Connection, Role};

use super::buffers::{LARGEST_SPARE, give_spare, take_spare};
use super::context::{Stage, WebSocketContext};
use super::frame::coding::{CloseCode, Data, OpCode};
use super::frame::{CloseFrame, Frame};
use super::message::Message;
use crate::error::{Error, ProtocolError, Result};
use crate::masks;

/// Payloads from so many bytes on are queued as they are, and written together with their header: from there on that
/// takes less time than a copy.
const GATHERED: usize = 32 << 10;

/// From so many on they are so where the stream takes one piece at a time, too.
const APART: usize = 64 << 10;

/// Pieces of output for one write.
const PIECES: usize = 16;

/// The most that is queued at once, whatever the configuration says.
const LONGEST_QUEUE: usize = u32::MAX as usize;

impl WebSocketContext {
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
            Message::Pong(payload) => {
                check_control(&payload)?;
                // One answer at a time: this replaces that to the last Ping.
                self.pong = Some(payload);
                return self.answer(stream).map(drop);
            }
            Message::Close(close) => return self.close(stream, close),
            message => self.queue(message)?,
        }
        self.write_if_much(stream)?;
        if (self.pong.is_some() || self.unflushed) && self.answer(stream)? {
            self.flush(stream)?;
        }
        Ok(())
    }

    /// Queues what is neither a Pong nor a Close frame. What is short is not moved on the way.
    #[inline]
    fn queue(&mut self, message: Message) -> Result<()> {
        let copied = if self.gathers { GATHERED } else { APART };
        let sent = match &message {
            Message::Text(text) if text.len() < copied && self.has_room(text.len()) => {
                self.lent().send(text.as_str())
            }
            Message::Binary(bytes) if bytes.len() < copied && self.has_room(bytes.len()) => {
                self.lent().send(&bytes[..])
            }
            _ => return self.queue_other(message),
        };
        queued(sent)
    }

    #[inline(never)]
    fn queue_other(&mut self, message: Message) -> Result<()> {
        if let Message::Ping(payload) = &message {
            check_control(payload)?;
        }
        let frame = match message {
            Message::Text(text) if self.has_room(text.len()) => {
                return queued(self.lent().send(text.into_shared()));
            }
            Message::Binary(bytes) if self.has_room(bytes.len()) => {
                // A client masks what nobody else has where it is.
                if self.ws.role() == Role::Client && bytes.is_unique() {
                    return queued(self.lent().send(Vec::from(bytes)));
                }
                return queued(self.lent().send(bytes));
            }
            Message::Ping(payload) if self.has_room(payload.len()) => {
                return Ok(self.lent().ping(&payload).map_err(io::Error::other)?);
            }
            Message::Frame(frame) if self.has_room(frame.payload().len()) => {
                return self.queue_raw(frame);
            }
            Message::Text(text) => Frame::message(text, OpCode::Data(Data::Text), true),
            Message::Frame(frame) => frame,
            Message::Ping(payload) => Frame::ping(payload),
            other => Frame::message(other.into_data(), OpCode::Data(Data::Binary), true),
        };
        Err(Error::WriteBufferFull(Message::Frame(frame).into()))
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

    /// Queues a frame as it is.
    fn queue_raw(&mut self, mut frame: Frame) -> Result<()> {
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
    #[inline]
    fn has_room(&self, len: usize) -> bool {
        let header = match len {
            0..=125 => 2,
            126..=0xffff => 4,
            _ => 10,
        };
        let key = if self.ws.role() == Role::Client { 4 } else { 0 };
        let queued = self.queued().saturating_add(header + key);
        queued.saturating_add(len) <= self.config.max_write_buffer_size.min(LONGEST_QUEUE)
    }

    pub(super) fn queued(&self) -> usize {
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
    fn queue_pong(&mut self) -> io::Result<bool> {
        let Some(pong) = self.pong.take() else {
            return Ok(false);
        };
        if !self.has_room(pong.len()) {
            self.pong = Some(pong);
            return Ok(false);
        }
        match self.ws.pong(&pong) {
            Ok(()) | Err(SendError::Closing) => Ok(true),
            Err(why) => Err(io::Error::other(why)),
        }
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

    pub(super) fn write_out<Stream: Write>(&mut self, stream: &mut Stream) -> io::Result<()> {
        let much = self.queued() > LARGEST_SPARE;
        while !self.raw.is_empty() {
            let n = written(stream.write(&self.raw)?)?;
            self.raw.advance(n.min(self.raw.len()));
            if self.raw.is_empty() {
                self.raw = BytesMut::new();
            }
        }
        loop {
            let first = self.ws.output();
            if first.is_empty() {
                break;
            }
            let n = if self.gathers && first.len() < self.ws.output_len() {
                self.write_gathered(stream)?
            } else {
                written(stream.write(first)?)?
            };
            self.ws.consume_output(n);
        }
        if much {
            self.give_back();
        }
        Ok(())
    }

    pub(super) fn give_back(&mut self) {
        if std::mem::take(&mut self.lent)
            && let Some(spare) = self.ws.take_buffer()
        {
            give_spare(spare);
        }
    }

    /// As many pieces as there are in one write, if the stream takes that.
    #[inline(never)]
    fn write_gathered<Stream: Write>(&mut self, stream: &mut Stream) -> io::Result<usize> {
        let mut pieces = [&[][..]; PIECES];
        let filled = self.ws.output_slices(&mut pieces);
        let pieces = pieces.map(IoSlice::new);
        let n = stream.write_vectored(pieces.get(..filled).unwrap_or_default())?;
        // What takes the first piece alone, as `Write` does by itself, is not asked again.
        self.gathers = n != self.ws.output().len();
        written(n)
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

fn written(n: usize) -> io::Result<usize> {
    match n {
        0 => Err(io::ErrorKind::ConnectionReset.into()),
        n => Ok(n),
    }
}

/// Nothing but the lack of randomness keeps a message from the queue here.
fn queued<M>(sent: Result<(), Unsent<M>>) -> Result<()> {
    sent.map_err(|unsent| io::Error::other(unsent.why).into())
}

fn check_control(payload: &Bytes) -> Result<()> {
    if payload.len() > MAX_CONTROL_PAYLOAD {
        return Err(ProtocolError::ControlFrameTooBig.into());
    }
    Ok(())
}
