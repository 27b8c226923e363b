//! Frames over a stream, and nothing answered.

use std::io::{self, Cursor, Read, Write};

use bytes::{Buf, BytesMut};

use super::{Frame, FrameHeader};
use crate::error::{CapacityError, Result};

/// What one read asks for.
const READ: usize = 16 << 10;

/// Reads and writes frames as they are: nothing is unmasked, judged or answered. For tests and relays.
#[derive(Debug)]
pub struct FrameSocket<Stream> {
    stream: Stream,
    unread: BytesMut,
    unwritten: BytesMut,
}

impl<Stream> FrameSocket<Stream> {
    /// Frames over this stream.
    pub fn new(stream: Stream) -> Self {
        Self::from_partially_read(stream, Vec::new())
    }

    /// The same, where some bytes were read already.
    pub fn from_partially_read(stream: Stream, part: Vec<u8>) -> Self {
        Self {
            stream,
            unread: BytesMut::from(&part[..]),
            unwritten: BytesMut::new(),
        }
    }

    /// The stream, and what was read and not taken.
    pub fn into_inner(self) -> (Stream, BytesMut) {
        (self.stream, self.unread)
    }

    /// The stream.
    pub const fn get_ref(&self) -> &Stream {
        &self.stream
    }

    /// The stream.
    pub const fn get_mut(&mut self) -> &mut Stream {
        &mut self.stream
    }
}

impl<Stream: Read> FrameSocket<Stream> {
    /// The next frame; `None` at the end of the stream. Memory follows what has come, not what was announced.
    ///
    /// # Errors
    /// [`CapacityError::MessageTooLong`] for a payload above `max_size`, those of
    /// [`FrameHeader::parse`], and the stream's.
    pub fn read(&mut self, max_size: Option<usize>) -> Result<Option<Frame>> {
        let max_size = max_size.unwrap_or(usize::MAX);
        loop {
            let mut cursor = Cursor::new(&self.unread);
            if let Some((header, payload_len)) = FrameHeader::parse(&mut cursor)? {
                let size = usize::try_from(payload_len).unwrap_or(usize::MAX);
                if payload_len > max_size as u64 {
                    return Err(CapacityError::MessageTooLong { size, max_size }.into());
                }
                // `as`: a position within a buffer.
                let len = cursor.position() as usize;
                if self.unread.len() - len >= size {
                    self.unread.advance(len);
                    let payload = self.unread.split_to(size).freeze();
                    return Ok(Some(Frame::from_payload(header, payload)));
                }
            }
            let before = self.unread.len();
            // As much again as has come, so that a long frame takes few reads.
            self.unread
                .resize(before + before.clamp(READ, 64 * READ), 0);
            let came = self.stream.read(&mut self.unread[before..]);
            let n = *came.as_ref().unwrap_or(&0);
            self.unread.truncate(before + n);
            if came? == 0 {
                return Ok(None);
            }
        }
    }
}

impl<Stream: Write> FrameSocket<Stream> {
    /// Writes the frame and flushes.
    ///
    /// # Errors
    /// The stream's: [`flush`](Self::flush) goes on.
    pub fn send(&mut self, frame: Frame) -> Result<()> {
        self.write(frame)?;
        self.flush()
    }

    /// Queues the frame, and writes as much as the stream takes.
    ///
    /// # Errors
    /// The stream's: the frame is queued.
    pub fn write(&mut self, frame: Frame) -> Result<()> {
        let mut bytes = Vec::with_capacity(frame.len());
        frame.format(&mut bytes)?;
        self.unwritten.extend_from_slice(&bytes);
        self.write_out()
    }

    /// Writes all that is queued and flushes the stream.
    ///
    /// # Errors
    /// The stream's.
    pub fn flush(&mut self) -> Result<()> {
        self.write_out()?;
        Ok(self.stream.flush()?)
    }

    fn write_out(&mut self) -> Result<()> {
        while !self.unwritten.is_empty() {
            match self.stream.write(&self.unwritten)? {
                0 => return Err(io::Error::from(io::ErrorKind::ConnectionReset).into()),
                n => self.unwritten.advance(n.min(self.unwritten.len())),
            }
        }
        Ok(())
    }
}
