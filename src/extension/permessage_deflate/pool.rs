//! Where compressors and decompressors come from, and where they go while no message needs them.

#[cfg(feature = "std")]
pub(super) mod shared;

use alloc::boxed::Box;
use alloc::vec::Vec;

use zlib_rs::{Deflate, DeflateConfig, Inflate};

use super::window::Window;

pub(super) use shared::DeflatePool;

/// Bytes that one of zlib-rs's inflaters holds.
pub(super) const INFLATE_LEN: usize = 47_552;

/// The window of each has 2^this bytes: zlib-rs makes no other.
pub(super) const INFLATE_BITS: u8 = 15;

/// A short payload has less than so many bytes.
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
            scratch: Vec::new(),
        })
    }

    /// Bytes that such a compressor of zlib-rs holds: state, hash heads, window and its links,
    /// buffers for symbols and output.
    pub(super) const fn len(self) -> usize {
        3_200 + (128 << 10) + (4 << self.window_bits) + (7 << (self.mem_level + 6))
    }
}

/// A compressor and its scratch buffer, in which short messages are compressed and which may be empty.
pub(super) struct Deflating {
    pub(super) zlib: Deflate,
    pub(super) scratch: Vec<u8>,
}

impl Deflating {
    pub(super) fn memory_held(&self, shape: Shape) -> usize {
        size_of::<Self>() + shape.len() + self.scratch.capacity()
    }
}

/// An inflater and its buffers, which may be empty. It is always boxed, as it moves into the pool and
/// out of it with each message.
pub(super) struct Inflating {
    pub(super) zlib: Inflate,
    /// zlib has a window too, which it forgets after a final block.
    pub(super) window: Window,
    pub(super) input: Input,
}

/// For a short payload with more bytes after it: copied and read in whole lines of the cache.
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
    pub(super) pool: Option<DeflatePool>,
}

impl Supply {
    /// An inflater with an empty window, whose size is still to be set.
    pub(super) fn inflate(&self) -> Box<Inflating> {
        let idle = self.pool.as_ref().and_then(DeflatePool::take_inflate);
        idle.unwrap_or_else(|| {
            Box::new(Inflating {
                zlib: Inflate::new(false, INFLATE_BITS),
                window: Window::default(),
                input: Input([0; INPUT]),
            })
        })
    }

    /// A compressor with an empty window.
    pub(super) fn deflate(&self, shape: Shape) -> Box<Deflating> {
        let idle = self.pool.as_ref().and_then(|pool| pool.take_deflate(shape));
        idle.unwrap_or_else(|| shape.make())
    }

    pub(super) fn give_inflate(&self, inflate: Box<Inflating>) {
        if let Some(pool) = &self.pool {
            pool.give_inflate(inflate);
        }
    }

    /// Takes a compressor back whose window is empty.
    pub(super) fn give_deflate(&self, shape: Shape, deflate: Box<Deflating>) {
        if let Some(pool) = &self.pool {
            pool.give_deflate(shape, deflate);
        }
    }
}

/// Without `std` there is no lock, and so no pool: a type without values.
#[cfg(not(feature = "std"))]
mod shared {
    use alloc::boxed::Box;

    use super::{Deflating, Inflating, Shape};

    #[derive(Clone)]
    pub(in super::super) enum DeflatePool {}

    impl DeflatePool {
        pub(in super::super) const fn preset() -> Option<Self> {
            None
        }

        pub(super) const fn take_inflate(&self) -> Option<Box<Inflating>> {
            match *self {}
        }

        pub(super) const fn take_deflate(&self, _: Shape) -> Option<Box<Deflating>> {
            match *self {}
        }

        pub(super) fn give_inflate(&self, _: Box<Inflating>) {
            match *self {}
        }

        pub(super) fn give_deflate(&self, _: Shape, _: Box<Deflating>) {
            match *self {}
        }
    }
}
