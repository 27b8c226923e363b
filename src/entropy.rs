//! Where nonces and masking keys come from (RFC 6455 §5.3, §10.3).

use crate::mask::MaskingKey;
use alloc::boxed::Box;

/// A source of randomness that nobody can predict: a client draws the 16 bytes of its nonce (RFC
/// 6455 §4.1) and 4 bytes for each frame's masking key (§5.3) from it.
///
/// The default, with feature `getrandom`, asks the operating system for 1 KiB at a time. Where many
/// small frames are sent, feature `chacha` asks it for a seed alone and draws the rest from a ChaCha20
/// (RFC 8439), which halves the time of such a frame; or pass a CSPRNG of your own. A source that can
/// be foretold puts proxies between the peers at risk (§10.3); use one in tests only.
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
    #[cfg(feature = "chacha")]
    seed: Option<chacha::Seed>,
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
            #[cfg(feature = "chacha")]
            block.seed.iter_mut().for_each(|seed| seed.fill(0));
            // Keeps the compiler from dropping the writes to memory that is about to be freed.
            core::hint::black_box(&block);
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
            #[cfg(feature = "chacha")]
            seed: None,
        })
    });
    #[cfg(feature = "chacha")]
    chacha::fill(&mut block.bytes, &mut block.seed)?;
    #[cfg(not(feature = "chacha"))]
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

/// ChaCha20 (RFC 8439), seeded by the operating system once. The first bytes of what it gives are the
/// seed of the next time and nothing else: what was drawn before cannot be found again from it.
#[cfg(feature = "chacha")]
mod chacha {
    use chacha20::ChaCha20Rng;
    use chacha20::rand_core::{Rng, SeedableRng};

    pub(super) type Seed = [u8; 32];

    pub(super) fn fill(bytes: &mut [u8], seed: &mut Option<Seed>) -> Option<()> {
        let now = match seed.take() {
            Some(seed) => seed,
            None => {
                let mut first = Seed::default();
                super::fill(&mut first)?;
                first
            }
        };
        let mut source = ChaCha20Rng::from_seed(now);
        source.fill_bytes(seed.insert(Seed::default()));
        source.fill_bytes(bytes);
        Some(())
    }

    #[cfg(test)]
    mod tests {
        use super::{Seed, fill};

        /// RFC 8439 A.1, test vectors 1 and 2: the key stream of a key of zeros.
        #[test]
        fn the_key_stream_behind_the_next_seed() {
            let mut seed = Some(Seed::default());
            let mut bytes = [0; 64];
            assert_eq!(fill(&mut bytes, &mut seed), Some(()));
            let next = *b"\x76\xb8\xe0\xad\xa0\xf1\x3d\x90\x40\x5d\x6a\xe5\x53\x86\xbd\x28\
                \xbd\xd2\x19\xb8\xa0\x8d\xed\x1a\xa8\x36\xef\xcc\x8b\x77\x0d\xc7";
            assert_eq!(seed, Some(next));
            assert_eq!(
                &bytes[..48],
                b"\xda\x41\x59\x7c\x51\x57\x48\x8d\x77\x24\xe0\x3f\xb8\xd8\x4a\x37\
                  \x6a\x43\xb8\xf4\x15\x18\xa1\x1c\xc3\x87\xb6\x69\xb2\xee\x65\x86\
                  \x9f\x07\xe7\xbe\x55\x51\x38\x7a\x98\xba\x97\x7c\x73\x2d\x08\x0d"
            );
            let first = bytes;
            fill(&mut bytes, &mut seed);
            assert_ne!(bytes, first);
            assert_ne!(seed, Some(next));
        }

        /// RFC 6455 §10.3: without a seed it is the operating system's.
        #[test]
        fn seeds_differ() {
            let (mut a, mut b) = ([0; 64], [0; 64]);
            fill(&mut a, &mut None);
            fill(&mut b, &mut None);
            assert_ne!(a, b);
        }
    }
}
