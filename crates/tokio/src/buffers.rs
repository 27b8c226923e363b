//! Buffers that connections borrow while bytes move, and none of them keeps while it is idle.
//!
//! Each thread has a few. A task reads into one, handles what came, and gives it back before it waits.

use std::cell::RefCell;
use std::mem;

/// What one read takes at most.
const READ: usize = 64 << 10;

/// Spare buffers that grew beyond this are freed.
const SPARE: usize = 64 << 10;

/// How many of each kind a thread keeps.
const KEPT: usize = 4;

thread_local! {
    /// Of [`READ`] bytes each.
    static READS: RefCell<Vec<Vec<u8>>> = const { RefCell::new(Vec::new()) };
    /// For output and for gathering messages, of any capacity.
    static SPARES: RefCell<Vec<Vec<u8>>> = const { RefCell::new(Vec::new()) };
}

/// A buffer for output or for a message, if the thread has one to spare.
pub(crate) fn take_spare() -> Option<Vec<u8>> {
    // While the thread ends there is no pool any more.
    SPARES.try_with(|pool| pool.borrow_mut().pop()).ok()?
}

/// Keeps a buffer for the thread's next connection.
pub(crate) fn give_spare(buffer: Vec<u8>) {
    if buffer.capacity() <= SPARE {
        let _ = SPARES.try_with(|pool| keep(&mut pool.borrow_mut(), buffer));
    }
}

fn keep(pool: &mut Vec<Vec<u8>>, buffer: Vec<u8>) {
    if pool.len() < KEPT {
        pool.push(buffer);
    }
}

/// What was read from the stream and not taken by the connection. It has a buffer only while there is
/// some of it.
#[derive(Default)]
pub(crate) struct Input {
    /// The thread's, of [`READ`] bytes, or a small one of its own.
    buf: Vec<u8>,
    start: usize,
    end: usize,
}

impl Input {
    pub(crate) const fn is_empty(&self) -> bool {
        self.start == self.end
    }

    /// Lets `take` have what is left; what it leaves stays.
    pub(crate) fn offer<'a, T>(&'a mut self, take: impl FnOnce(&mut &'a mut [u8]) -> T) -> T {
        let mut rest = self.buf.get_mut(self.start..self.end).unwrap_or_default();
        let before = rest.len();
        let taken = take(&mut rest);
        self.start += before - rest.len();
        taken
    }

    /// The buffer to read into: nothing is left in it.
    pub(crate) fn room(&mut self) -> &mut [u8] {
        (self.start, self.end) = (0, 0);
        if self.buf.len() != READ {
            let pooled = READS.try_with(|pool| pool.borrow_mut().pop());
            self.buf = pooled.ok().flatten().unwrap_or_else(|| vec![0; READ]);
        }
        &mut self.buf
    }

    /// So many bytes were read.
    pub(crate) fn filled(&mut self, n: usize) {
        (self.start, self.end) = (0, n.min(self.buf.len()));
    }

    /// The task may wait: gives the buffer back and keeps what is left by itself, unless that is much.
    pub(crate) fn rest(&mut self) {
        let left = self.buf.get(self.start..self.end).unwrap_or_default();
        if self.buf.len() != READ || left.len() > READ / 4 {
            return;
        }
        let left = left.to_vec();
        (self.start, self.end) = (0, left.len());
        let buffer = mem::replace(&mut self.buf, left);
        let _ = READS.try_with(|pool| keep(&mut pool.borrow_mut(), buffer));
    }
}

impl Drop for Input {
    fn drop(&mut self) {
        (self.start, self.end) = (0, 0);
        self.rest();
    }
}

#[cfg(test)]
mod tests {
    use super::{Input, READ};

    #[test]
    fn a_buffer_is_held_only_while_something_is_left() {
        let mut input = Input::default();
        let n = input.room().len();
        assert_eq!(n, READ);
        input.room()[..3].copy_from_slice(b"abc");
        input.filled(3);
        input.offer(|rest| *rest = &mut std::mem::take(rest)[1..]);
        input.rest();
        assert_eq!(input.buf, b"bc");
        input.offer(|rest| *rest = &mut []);
        assert_eq!(input.start, input.end);
        let n = input.room().len();
        assert_eq!(n, READ);
        input.rest();
        assert_eq!(input.buf.capacity(), 0);
    }

    #[test]
    fn a_large_rest_stays_where_it_is() {
        let mut input = Input::default();
        let n = input.room().len();
        input.filled(n);
        input.offer(|rest| *rest = &mut std::mem::take(rest)[1..]);
        input.rest();
        assert_eq!((input.buf.len(), input.end - input.start), (READ, READ - 1));
    }
}
