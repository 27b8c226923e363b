//! A pool that connections share.

extern crate std;

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::sync::Arc;
use core::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::{Deflating, Inflating, Shape};

/// Compressors and decompressors that any number of connections share: without context takeover a
/// connection takes one for a message and gives it back at the message's end (RFC 7692 §7.1.1).
///
/// A clone is the same pool. It never holds more than were in use at the same time, nor more
/// than its bound. What they compressed stays in their memory until it is overwritten, but no
/// other message can refer to it.
///
/// ```
/// use sansocket::extension::{DeflatePool, PermessageDeflate};
/// let pool = DeflatePool::new(8);
/// let settings = PermessageDeflate::server().pool(&pool);
/// assert_eq!((pool.idle(), pool.memory_held()), (0, 0));
/// # let _ = settings;
/// ```
#[derive(Clone)]
pub struct DeflatePool {
    shared: Arc<Mutex<Idle>>,
}

struct Idle {
    max: usize,
    inflate: VecDeque<Box<Inflating>>,
    deflate: VecDeque<(Shape, Box<Deflating>)>,
}

impl DeflatePool {
    /// A pool that keeps at most `max` compressors and `max` decompressors while they are idle.
    #[must_use]
    pub fn new(max: usize) -> Self {
        Self {
            shared: Arc::new(Mutex::new(Idle {
                max,
                inflate: VecDeque::new(),
                deflate: VecDeque::new(),
            })),
        }
    }

    /// The pool of a preset.
    pub(in super::super) fn preset() -> Option<Self> {
        Some(Self::new(PRESET))
    }

    /// How many compressors and decompressors are idle in the pool.
    #[must_use]
    pub fn idle(&self) -> usize {
        let idle = self.lock();
        idle.inflate.len() + idle.deflate.len()
    }

    /// Bytes that these hold.
    #[must_use]
    pub fn memory_held(&self) -> usize {
        let idle = self.lock();
        let inflate = idle.inflate.iter();
        let deflate = idle.deflate.iter();
        inflate
            .map(|inflate| inflate.memory_held())
            .chain(deflate.map(|(shape, deflate)| deflate.memory_held(*shape)))
            .sum()
    }

    // The last one given back is the first one taken: its memory is the likeliest to be in the cache.
    pub(super) fn take_inflate(&self) -> Option<Box<Inflating>> {
        self.lock().inflate.pop_back()
    }

    pub(super) fn take_deflate(&self, shape: Shape) -> Option<Box<Deflating>> {
        let deflate = &mut self.lock().deflate;
        let at = deflate.iter().rposition(|(idle, _)| *idle == shape)?;
        deflate.remove(at).map(|(_, idle)| idle)
    }

    pub(super) fn give_inflate(&self, mut inflate: Box<Inflating>) {
        inflate.zlib.reset(false);
        let mut guard = self.lock();
        let max = guard.max;
        let dropped = push(&mut guard.inflate, max, inflate);
        drop(guard);
        // Freed outside of the lock.
        drop(dropped);
    }

    pub(super) fn give_deflate(&self, shape: Shape, deflate: Box<Deflating>) {
        let mut guard = self.lock();
        let max = guard.max;
        let dropped = push(&mut guard.deflate, max, (shape, deflate));
        drop(guard);
        drop(dropped);
    }

    /// Nothing is left half done under the lock, so that a panic of another thread does not matter.
    fn lock(&self) -> MutexGuard<'_, Idle> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Puts one in; what has been idle longest makes room, so that shapes out of use do not stay.
fn push<T>(queue: &mut VecDeque<T>, max: usize, item: T) -> Option<T> {
    if max == 0 {
        return Some(item);
    }
    let oldest = if queue.len() >= max {
        queue.pop_front()
    } else {
        None
    };
    queue.push_back(item);
    oldest
}

/// How many are idle.
impl fmt::Debug for DeflatePool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DeflatePool")
            .field("idle", &self.idle())
            .finish_non_exhaustive()
    }
}

/// How many compressors and decompressors the pool of a preset keeps.
const PRESET: usize = 16;

#[cfg(test)]
mod tests {
    use alloc::boxed::Box;
    use alloc::vec::Vec;
    use std::panic::resume_unwind;
    use std::thread;

    use super::super::super::window::Window;
    use super::super::{Inflating, Shape, Supply};
    use super::{DeflatePool, std};

    const SHAPE: Shape = Shape {
        level: 1,
        window_bits: 9,
        mem_level: 1,
    };

    #[test]
    fn all_that_an_inflater_holds_is_told() {
        let mut inflating = *Supply::default().inflate();
        let empty = inflating.memory_held();
        inflating.window.room();
        assert_eq!(inflating.memory_held(), empty + Window::ROOM);
    }

    #[test]
    fn a_bounded_pool_keyed_by_shape() {
        let pool = DeflatePool::new(2);
        let supply = Supply {
            pool: Some(pool.clone()),
        };
        let inflate: Vec<Box<Inflating>> = (0..3).map(|_| supply.inflate()).collect();
        assert_eq!(pool.idle(), 0);
        inflate.into_iter().for_each(|one| supply.give_inflate(one));
        assert_eq!(pool.idle(), 2);
        let other = Shape { level: 2, ..SHAPE };
        supply.give_deflate(SHAPE, supply.deflate(SHAPE));
        assert!(pool.take_deflate(other).is_none());
        assert!(pool.take_deflate(SHAPE).is_some());
        // The one that has been idle longest makes room.
        for level in 1..=3 {
            let shape = Shape { level, ..SHAPE };
            supply.give_deflate(shape, shape.make());
        }
        assert_eq!(pool.idle(), 4);
        assert!(pool.take_deflate(SHAPE).is_none());
        assert!(pool.take_deflate(other).is_some());
        let none = DeflatePool::new(0);
        none.give_deflate(SHAPE, SHAPE.make());
        assert_eq!(none.idle(), 0);
    }

    #[test]
    fn it_outlives_a_panic_of_another_thread() {
        let pool = DeflatePool::new(1);
        let clone = pool.clone();
        let panicked = thread::spawn(move || {
            let _guard = clone.lock();
            resume_unwind(Box::new(()));
        });
        assert!(panicked.join().is_err());
        let deflate = SHAPE.make();
        let held = deflate.memory_held(SHAPE);
        pool.give_deflate(SHAPE, deflate);
        assert_eq!(pool.memory_held(), held);
    }

    fn shared_between_threads<T: Send + Sync + Clone>(_: &T) {}

    #[test]
    fn a_pool_is_shared_between_threads() {
        shared_between_threads(&DeflatePool::new(1));
    }
}
