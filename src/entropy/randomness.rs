//! The random bytes of a connection: drawn in blocks, or from the caller's source.

use alloc::boxed::Box;
#[cfg(feature = "chacha")]
use core::any::Any;

use crate::error::NoEntropy;
use crate::mask::MaskingKey;

#[cfg(feature = "chacha")]
use super::ChaCha;
use super::Entropy;

/// The caller's source.
type Caller = Box<dyn Entropy + Send + Sync>;

/// The source that a connection owns. A server's is never asked.
pub(crate) enum Randomness {
    /// Drawn in blocks. `None`: from the operating system, when the first is needed.
    Blocks(Option<Box<Block>>),
    /// The caller's, asked each time.
    Custom(Caller),
}

impl Randomness {
    pub(crate) const SYSTEM: Self = Self::Blocks(None);

    pub(crate) fn custom(entropy: Caller) -> Self {
        // Its block is drawn from here: the call through the trait object is 3 ns of the 12 of a small frame.
        #[cfg(feature = "chacha")]
        if (&*entropy as &dyn Any).is::<ChaCha>() {
            let entropy: Box<dyn Any> = entropy;
            return Self::Blocks(entropy.downcast::<ChaCha>().ok().map(|own| own.0));
        }
        Self::Custom(entropy)
    }

    /// Random bytes, or an error if the source has none to give.
    #[inline]
    pub(crate) fn draw<const N: usize>(&mut self) -> Result<[u8; N], NoEntropy> {
        const { assert!(N <= Block::LEN / 2) };
        match self {
            Self::Custom(source) => {
                let mut out = [0; N];
                source.fill(&mut out)?;
                Ok(out)
            }
            Self::Blocks(block) => {
                if let Some(bytes) = block.as_mut().and_then(|block| block.take()) {
                    return Ok(bytes);
                }
                let block = block.get_or_insert_with(Block::system);
                block.refill()?;
                block.take().ok_or(NoEntropy)
            }
        }
    }

    /// A masking key for one frame.
    #[inline]
    pub(crate) fn masking_key(&mut self) -> Result<MaskingKey, NoEntropy> {
        self.draw()
    }

    /// Wipes and frees what was drawn from the operating system and not used.
    pub(crate) fn reclaim(&mut self) {
        if self.memory_held() > 0 {
            *self = Self::SYSTEM;
        }
    }

    /// Bytes of heap held, the caller's source not counted.
    pub(crate) fn memory_held(&self) -> usize {
        match self {
            Self::Blocks(Some(block)) if block.keeps == 0 => size_of::<Block>(),
            _ => 0,
        }
    }
}

/// Random bytes that were drawn at once and are given one by one. Wiped when dropped.
pub(crate) struct Block {
    pub(super) bytes: [u8; Self::LEN],
    pub(super) used: usize,
    /// So many bytes of each block are not given: the next seed.
    pub(super) keeps: usize,
    draw: fn(&mut [u8; Self::LEN]) -> Result<(), NoEntropy>,
}

impl Block {
    pub(super) const LEN: usize = 1024;

    /// An empty one.
    pub(super) const fn new(
        keeps: usize,
        draw: fn(&mut [u8; Self::LEN]) -> Result<(), NoEntropy>,
    ) -> Self {
        Self {
            bytes: [0; Self::LEN],
            used: Self::LEN,
            keeps,
            draw,
        }
    }

    #[cold]
    #[inline(never)]
    fn system() -> Box<Self> {
        Box::new(Self::new(0, |bytes| system(bytes)))
    }

    /// The next bytes, which are forgotten here.
    #[inline]
    pub(super) fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let next = self.bytes.get_mut(self.used..)?.first_chunk_mut()?;
        self.used += N;
        Some(core::mem::replace(next, [0; N]))
    }

    #[cold]
    #[inline(never)]
    pub(super) fn refill(&mut self) -> Result<(), NoEntropy> {
        (self.draw)(&mut self.bytes)?;
        self.used = self.keeps;
        Ok(())
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        self.bytes.fill(0);
        // Keeps the compiler from dropping the writes to memory that is about to be freed.
        core::hint::black_box(&self.bytes);
    }
}

/// Asks the operating system.
#[cfg(feature = "getrandom")]
pub(super) fn system(bytes: &mut [u8]) -> Result<(), NoEntropy> {
    getrandom::fill(bytes).map_err(|_| NoEntropy)
}

#[cfg(not(feature = "getrandom"))]
pub(super) fn system(_bytes: &mut [u8]) -> Result<(), NoEntropy> {
    Err(NoEntropy)
}

#[cfg(test)]
impl Randomness {
    /// One that has so many masking keys to give, and no more.
    pub(crate) fn with_keys(keys: usize) -> Self {
        let mut block = Block::new(0, |_| Err(NoEntropy));
        block.bytes = [7; Block::LEN];
        block.used = Block::LEN - 4 * keys;
        Self::Blocks(Some(Box::new(block)))
    }
}
