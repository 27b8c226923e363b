//! Reads a head from a stream, or writes one to it.

use std::io::{Read, Write};

use bytes::{Buf, Bytes};

use crate::buffer::ReadBuffer;
use crate::error::{Error, ProtocolError, Result};
use crate::util::NonBlockingResult;

/// What one read asks for.
const READ: usize = 4096;

/// The most bytes that a head has.
const LONGEST: usize = 64 << 10;

/// A stream, and what it is used for next.
#[derive(Debug)]
pub struct HandshakeMachine<Stream> {
    stream: Stream,
    state: State,
}

#[derive(Debug)]
enum State {
    Reading {
        buffer: ReadBuffer<READ>,
        progress: Progress,
    },
    Writing(Bytes),
    Flushing,
}

/// How much of a head was searched for its end, and how much there was when it was last parsed.
#[derive(Debug, Default)]
struct Progress {
    searched: usize,
    parsed: usize,
}

impl<Stream> HandshakeMachine<Stream> {
    /// Reads the peer's head.
    pub fn start_read(stream: Stream) -> Self {
        let state = State::Reading {
            buffer: ReadBuffer::new(),
            progress: Progress::default(),
        };
        Self { stream, state }
    }

    /// Writes a head, or whatever it is, and flushes.
    pub fn start_write<D: Into<Vec<u8>>>(stream: Stream, data: D) -> Self {
        let state = State::Writing(Bytes::from(data.into()));
        Self { stream, state }
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

impl<Stream: Read + Write> HandshakeMachine<Stream> {
    /// Reads, writes or flushes once.
    ///
    /// # Errors
    /// [`ProtocolError::HandshakeIncomplete`] at the end of the stream, [`Error::AttackAttempt`] for a head of
    /// more than 64 KiB, what `Obj` refuses, and the stream's own, but for `WouldBlock`.
    pub fn single_round<Obj: TryParse>(mut self) -> Result<RoundResult<Obj, Stream>> {
        let stream = &mut self.stream;
        match &mut self.state {
            State::Reading { buffer, progress } => match buffer.read_from(stream).no_block()? {
                None => return Ok(RoundResult::WouldBlock(self)),
                Some(0) => return Err(ProtocolError::HandshakeIncomplete.into()),
                Some(_) => {
                    if let Some((len, result)) = progress.parse(buffer.chunk())? {
                        buffer.advance(len);
                        let tail = std::mem::take(buffer).into_vec();
                        let stream = self.stream;
                        return Ok(RoundResult::StageFinished(StageResult::DoneReading {
                            result,
                            stream,
                            tail,
                        }));
                    }
                }
            },
            State::Writing(bytes) if bytes.is_empty() => self.state = State::Flushing,
            State::Writing(bytes) => match stream.write(bytes).no_block()? {
                None => return Ok(RoundResult::WouldBlock(self)),
                Some(0) => return Err(std::io::Error::from(std::io::ErrorKind::WriteZero).into()),
                Some(n) => bytes.advance(n.min(bytes.len())),
            },
            State::Flushing => {
                return Ok(match stream.flush().no_block()? {
                    None => RoundResult::WouldBlock(self),
                    Some(()) => RoundResult::StageFinished(StageResult::DoneWriting(self.stream)),
                });
            }
        }
        Ok(RoundResult::Incomplete(self))
    }
}

impl Progress {
    /// Parses where the head may be whole, and where twice as much has come since it was last parsed: so what is
    /// no head is found early, and time is linear in what has come, however it is cut.
    fn parse<Obj: TryParse>(&mut self, head: &[u8]) -> Result<Option<(usize, Obj)>> {
        let news = &head[self.searched.saturating_sub(2)..];
        self.searched = head.len();
        let ends = |at: usize| news[at..].starts_with(b"\n\n") || news[at..].starts_with(b"\n\r\n");
        if head.len() / 2 >= self.parsed || (0..news.len()).any(ends) {
            self.parsed = head.len();
            if let Some(whole) = Obj::try_parse(head)? {
                return Ok(Some(whole));
            }
        }
        if head.len() > LONGEST {
            return Err(Error::AttackAttempt);
        }
        Ok(None)
    }
}

/// What one round has brought.
#[derive(Debug)]
pub enum RoundResult<Obj, Stream> {
    /// Nothing: the stream would block.
    WouldBlock(HandshakeMachine<Stream>),
    /// Something, and there is more to do.
    Incomplete(HandshakeMachine<Stream>),
    /// All was read, or written.
    StageFinished(StageResult<Obj, Stream>),
}

/// What there is when all was read or written.
#[derive(Debug)]
pub enum StageResult<Obj, Stream> {
    /// The peer's head.
    DoneReading {
        /// The head.
        result: Obj,
        /// The stream.
        stream: Stream,
        /// What was read after the head.
        tail: Vec<u8>,
    },
    /// All was written and flushed.
    DoneWriting(Stream),
}

/// What can be read from the front of some bytes.
pub trait TryParse: Sized {
    /// What there is, and how many bytes it takes; `Ok(None)` if more are needed.
    ///
    /// # Errors
    /// Where the bytes cannot become one.
    fn try_parse(data: &[u8]) -> Result<Option<(usize, Self)>>;
}
