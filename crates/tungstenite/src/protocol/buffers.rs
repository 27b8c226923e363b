//! Buffers that connections borrow from the thread while bytes move: an idle connection has none.

use std::cell::Cell;
use std::mem;

thread_local! {
    /// To read into.
    static READ: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
    /// To queue output in.
    static SPARE: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

const FIRST_SPARE: usize = 1 << 10;

/// A spare one that is larger is freed.
pub(super) const LARGEST_SPARE: usize = 64 << 10;

/// The thread's, or the first one.
pub(super) fn take_spare() -> Vec<u8> {
    let spare = SPARE.try_with(Cell::take).unwrap_or_default();
    if spare.capacity() == 0 {
        return Vec::with_capacity(FIRST_SPARE);
    }
    spare
}

pub(super) fn give_spare(buffer: Vec<u8>) {
    if buffer.capacity() <= LARGEST_SPARE {
        let _ = SPARE.try_with(|spare| spare.set(buffer));
    }
}

/// What was read and not taken by the connection. It has a buffer only while there is some of it.
#[derive(Default)]
pub(super) struct Input {
    buffer: Vec<u8>,
    start: usize,
    end: usize,
}

impl Input {
    pub(super) const fn holding(part: Vec<u8>) -> Self {
        let end = part.len();
        Self {
            buffer: part,
            start: 0,
            end,
        }
    }

    /// Lets `take` have what there is; what it leaves stays.
    #[inline]
    pub(super) fn offer<'a, T>(&'a mut self, take: impl FnOnce(&mut &'a mut [u8]) -> T) -> T {
        let mut rest = self
            .buffer
            .get_mut(self.start..self.end)
            .unwrap_or_default();
        let before = rest.len();
        let taken = take(&mut rest);
        self.start += before - rest.len();
        taken
    }

    /// `len` bytes to read into, as nothing is left.
    pub(super) fn room(&mut self, len: usize) -> &mut [u8] {
        (self.start, self.end) = (0, 0);
        if self.buffer.len() < len {
            let pooled = READ.try_with(Cell::take).unwrap_or_default();
            if pooled.len() > self.buffer.len() {
                self.buffer = pooled;
            }
            if self.buffer.len() < len {
                self.buffer.resize(len, 0);
            }
        }
        &mut self.buffer[..len]
    }

    pub(super) const fn filled(&mut self, n: usize) {
        self.end = n;
    }

    /// Gives the buffer back if all of it was taken.
    #[inline]
    pub(super) fn rest(&mut self) {
        if self.start == self.end && !self.buffer.is_empty() {
            let buffer = mem::take(&mut self.buffer);
            let _ = READ.try_with(|read| read.set(buffer));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_is_held_while_something_is_left() {
        let mut input = Input::holding(b"ab".to_vec());
        input.offer(|rest| *rest = &mut mem::take(rest)[1..]);
        input.rest();
        assert_eq!(input.buffer, b"ab");
        input.offer(|rest| *rest = &mut []);
        input.room(4)[..3].copy_from_slice(b"cde");
        input.filled(3);
        assert_eq!(input.offer(|rest| mem::take(rest).to_vec()), b"cde");
        input.rest();
        assert_eq!(input.buffer.capacity(), 0);
        // The next connection reads into the same one.
        let mut next = Input::default();
        assert_eq!(next.room(3), b"cde");
        assert_eq!(next.room(5), b"cde\0\0");
    }

    #[test]
    fn large_spare_buffers_are_freed() {
        give_spare(Vec::with_capacity(10));
        give_spare(Vec::with_capacity(LARGEST_SPARE + 1));
        assert_eq!(take_spare().capacity(), 10);
        assert_eq!(take_spare().capacity(), FIRST_SPARE);
    }
}
