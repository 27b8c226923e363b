//! A queue of bytes that is filled from a stream.

use std::io::{Cursor, Read, Result};

use bytes::Buf;

/// Bytes that were read and not taken yet, as a cursor over a vector. A read asks for `CHUNK_SIZE` bytes
/// at most. Nothing is allocated before something is read.
#[derive(Debug, Default)]
pub struct ReadBuffer<const CHUNK_SIZE: usize> {
    unread: Cursor<Vec<u8>>,
}

impl<const CHUNK_SIZE: usize> ReadBuffer<CHUNK_SIZE> {
    /// An empty one.
    pub fn new() -> Self {
        Self::default()
    }

    /// An empty one with room for so many bytes.
    pub fn with_capacity(capacity: usize) -> Self {
        Self::from_partially_read(Vec::with_capacity(capacity))
    }

    /// One that begins with bytes that were read before.
    pub const fn from_partially_read(part: Vec<u8>) -> Self {
        Self {
            unread: Cursor::new(part),
        }
    }

    /// All bytes that are held; the cursor stands at the first that was not taken.
    pub const fn as_cursor(&self) -> &Cursor<Vec<u8>> {
        &self.unread
    }

    /// The same, to be moved.
    pub const fn as_cursor_mut(&mut self) -> &mut Cursor<Vec<u8>> {
        &mut self.unread
    }

    /// The bytes that were not taken.
    pub fn into_vec(mut self) -> Vec<u8> {
        self.forget_taken();
        self.unread.into_inner()
    }

    /// Reads once from the stream, after what is there, and returns how many bytes came.
    ///
    /// # Errors
    /// The stream's: nothing has changed then.
    pub fn read_from<S: Read>(&mut self, stream: &mut S) -> Result<usize> {
        self.forget_taken();
        let bytes = self.unread.get_mut();
        let before = bytes.len();
        bytes.resize(before + CHUNK_SIZE, 0);
        let came = stream.read(&mut bytes[before..]);
        // A stream that says more than there was room for is not believed.
        let n = came.as_ref().map_or(0, |&n| n.min(CHUNK_SIZE));
        bytes.truncate(before + n);
        came.map(|_| n)
    }

    fn forget_taken(&mut self) {
        // `as`: a position within a vector.
        let taken = self.unread.position() as usize;
        self.unread.set_position(0);
        let bytes = self.unread.get_mut();
        bytes.drain(..taken.min(bytes.len()));
    }
}

impl<const CHUNK_SIZE: usize> Buf for ReadBuffer<CHUNK_SIZE> {
    fn remaining(&self) -> usize {
        self.unread.remaining()
    }

    fn chunk(&self) -> &[u8] {
        self.unread.chunk()
    }

    fn advance(&mut self, count: usize) {
        self.unread.advance(count);
    }
}
