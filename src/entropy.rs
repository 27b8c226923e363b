//! Where nonces and masking keys come from (RFC 6455 §5.3, §10.3).

use crate::mask::MaskingKey;
use alloc::boxed::Box;

/// A source of randomness that nobody can predict: a client draws the 16 bytes of its nonce (RFC
/// 6455 §4.1) and 4 bytes for each frame's masking key (§5.3) from it.
///
/// Pass a CSPRNG of your own (ChaCha, for instance) where many small frames are sent; the default,
/// with feature `getrandom`, asks the operating system for 1 KiB at a time. A source that can be
/// foretold puts proxies between the peers at risk (§10.3); use one in tests only.
///
/// ```
/// use sansocket::{ClientConfig, ClientRequest, Connection, Entropy, Uri};
///
/// struct Counter(u8); // for a test that needs the same bytes each time
/// impl Entropy for Counter {
///     fn fill(&mut self, out: &mut [u8]) {
///         for byte in out {
///             self.0 = self.0.wrapping_add(1);
///             *byte = self.0;
///         }
///     }
/// }
/// let request = ClientRequest::new(Uri::parse("ws://example.com/").unwrap());
/// let ws = Connection::client_with_entropy(&ClientConfig::new(), request, Box::new(Counter(0))).unwrap();
/// let head = core::str::from_utf8(ws.output()).unwrap();
/// assert!(head.contains("Sec-WebSocket-Key: AQIDBAUGBwgJCgsMDQ4PEA==\r\n"));
/// ```
pub trait Entropy {
    /// Fills `out` with random bytes.
    fn fill(&mut self, out: &mut [u8]);
}

/// The source that a connection owns. A server's is never asked.
pub(crate) enum Source {
    /// The operating system, in blocks.
    System(Option<Box<Block>>),
    /// The caller's.
    Custom(Box<dyn Entropy + Send + Sync>),
}

/// What was drawn from the operating system and not used yet.
pub(crate) struct Block {
    bytes: [u8; Self::LEN],
    used: usize,
}

impl Block {
    const LEN: usize = 1024;

    /// The next bytes, which are forgotten here.
    #[inline]
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let next = self.bytes.get_mut(self.used..)?.first_chunk_mut()?;
        self.used += N;
        Some(core::mem::replace(next, [0; N]))
    }
}

impl Source {
    /// Random bytes, or `None` if the operating system has none to give.
    #[inline]
    pub(crate) fn draw<const N: usize>(&mut self) -> Option<[u8; N]> {
        const { assert!(N <= Block::LEN) };
        match self {
            Self::Custom(source) => {
                let mut out = [0; N];
                source.fill(&mut out);
                Some(out)
            }
            Self::System(block) => {
                if let Some(bytes) = block.as_mut().and_then(|block| block.take()) {
                    return Some(bytes);
                }
                refill(block)?.take()
            }
        }
    }

    /// A masking key for one frame.
    #[inline]
    pub(crate) fn masking_key(&mut self) -> Option<MaskingKey> {
        self.draw()
    }

    /// Wipes and frees what was drawn and not used.
    pub(crate) fn reclaim(&mut self) {
        if let Self::System(block) = self
            && let Some(mut block) = block.take()
        {
            block.bytes.fill(0);
            // Keeps the compiler from dropping the writes to memory that is about to be freed.
            core::hint::black_box(&block.bytes);
        }
    }

    /// Bytes of heap held, the caller's source not counted.
    pub(crate) fn memory_held(&self) -> usize {
        match self {
            Self::System(Some(_)) => size_of::<Block>(),
            _ => 0,
        }
    }
}

#[cfg(test)]
#[cfg(not(feature = "getrandom"))]
impl Source {
    /// One that has so many masking keys to give, and no more.
    pub(crate) fn with_keys(keys: usize) -> Self {
        Self::System(Some(Box::new(Block {
            bytes: [7; Block::LEN],
            used: Block::LEN - 4 * keys,
        })))
    }
}

#[cold]
#[inline(never)]
fn refill(block: &mut Option<Box<Block>>) -> Option<&mut Block> {
    let block = block.get_or_insert_with(|| {
        Box::new(Block {
            bytes: [0; Block::LEN],
            used: Block::LEN,
        })
    });
    fill(&mut block.bytes)?;
    block.used = 0;
    Some(block)
}

#[cfg(feature = "getrandom")]
fn fill(bytes: &mut [u8]) -> Option<()> {
    getrandom::fill(bytes).ok()
}

#[cfg(not(feature = "getrandom"))]
fn fill(_bytes: &mut [u8]) -> Option<()> {
    None
}
