//! Where compressors and decompressors come from, and where they go while no message needs them.

use super::window::Window;
use alloc::boxed::Box;
use alloc::vec::Vec;
use zlib_rs::{Deflate, DeflateConfig, Inflate};

/// Bytes that one of zlib-rs's inflaters holds.
const INFLATE_LEN: usize = 47_552;

/// Bytes of a payload that is short.
pub(super) const INPUT: usize = 1 << 10;

/// What makes one compressor different from another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Shape {
    pub(super) level: u8,
    /// 9 to 15.
    pub(super) window_bits: u8,
    pub(super) mem_level: u8,
}

impl Shape {
    fn make(self) -> Box<Deflating> {
        Box::new(Deflating {
            zlib: Deflate::new_with_config(DeflateConfig {
                level: i32::from(self.level),
                // Negative: raw DEFLATE, without the header of zlib.
                window_bits: -i32::from(self.window_bits),
                mem_level: i32::from(self.mem_level),
                ..DeflateConfig::default()
            }),
            desk: Vec::new(),
        })
    }

    /// Bytes that such a compressor of zlib-rs holds: state, hash heads, window and its links,
    /// buffers for symbols and output.
    const fn len(self) -> usize {
        3_200 + (128 << 10) + (4 << self.window_bits) + (7 << (self.mem_level + 6))
    }
}

/// A compressor with what short messages become, which may be empty.
pub(super) struct Deflating {
    pub(super) zlib: Deflate,
    pub(super) desk: Vec<u8>,
}

impl Deflating {
    pub(super) fn memory_held(&self, shape: Shape) -> usize {
        size_of::<Self>() + shape.len() + self.desk.capacity()
    }
}

/// An inflater with the buffers that it works with, which may be empty. In a box: what moves in and
/// out of the pool with each message has to be small.
pub(super) struct Inflating {
    pub(super) zlib: Inflate,
    /// zlib has a window too, which it forgets behind a final block.
    pub(super) window: Window,
    pub(super) input: Input,
}

/// For a short payload with more behind it: copied and read in whole lines of the cache.
#[repr(align(64))]
pub(super) struct Input(pub(super) [u8; INPUT]);

impl Inflating {
    pub(super) fn memory_held(&self) -> usize {
        INFLATE_LEN + size_of::<Self>() + self.window.memory_held()
    }
}

/// Makes what is asked for, or takes it from the pool if there is one.
#[derive(Clone, Default)]
pub(super) struct Supply {
    #[cfg(feature = "std")]
    pub(super) pool: Option<DeflatePool>,
}

impl Supply {
    /// An inflater with an empty window, whose size is still to be told.
    pub(super) fn inflate(&self) -> Box<Inflating> {
        #[cfg(feature = "std")]
        if let Some(idle) = self.pool.as_ref().and_then(DeflatePool::take_inflate) {
            return idle;
        }
        Box::new(Inflating {
            // The largest window: it is the only one that zlib-rs makes.
            zlib: Inflate::new(false, 15),
            window: Window::default(),
            input: Input([0; INPUT]),
        })
    }

    /// A compressor with an empty window.
    pub(super) fn deflate(&self, shape: Shape) -> Box<Deflating> {
        #[cfg(feature = "std")]
        if let Some(idle) = self.pool.as_ref().and_then(|pool| pool.take_deflate(shape)) {
            return idle;
        }
        shape.make()
    }

    #[cfg_attr(not(feature = "std"), allow(clippy::unused_self))]
    pub(super) fn give_inflate(&self, inflate: Box<Inflating>) {
        #[cfg(feature = "std")]
        if let Some(pool) = &self.pool {
            return pool.give_inflate(inflate);
        }
        drop(inflate);
    }

    /// Takes a compressor with an empty window.
    #[cfg_attr(not(feature = "std"), allow(clippy::unused_self))]
    pub(super) fn give_deflate(&self, shape: Shape, deflate: Box<Deflating>) {
        #[cfg(feature = "std")]
        if let Some(pool) = &self.pool {
            return pool.give_deflate(shape, deflate);
        }
        let _ = shape;
        drop(deflate);
    }
}

#[cfg(feature = "std")]
pub use shared::DeflatePool;

#[cfg(feature = "std")]
mod shared {
    extern crate std;

    use super::{Deflating, Inflating, Shape};
    use alloc::boxed::Box;
    use alloc::collections::VecDeque;
    use alloc::sync::Arc;
    use core::fmt;
    use std::sync::{Mutex, MutexGuard, PoisonError};

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

    pub(super) struct Idle {
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

        // The last one given back is the first one taken: its memory is the likeliest to be cached.
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

        /// Nothing that is done under the lock can leave it half done, so a panic elsewhere is no matter.
        pub(super) fn lock(&self) -> MutexGuard<'_, Idle> {
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
}

#[cfg(all(test, feature = "std"))]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::{DeflatePool, Inflating, Shape, Supply, Window};
    use alloc::boxed::Box;
    use alloc::vec::Vec;

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
        extern crate std;
        let pool = DeflatePool::new(1);
        let clone = pool.clone();
        let panicked = std::thread::spawn(move || {
            let _guard = clone.lock();
            std::panic::resume_unwind(Box::new(()));
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
