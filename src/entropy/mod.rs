//! Where nonces and masking keys come from (RFC 6455 §5.3, §10.3).
//!
//! A client draws 16 bytes for the nonce of its handshake and 4 bytes for the masking key of each
//! frame. A server draws none.
//!
//! | source | how to use it |
//! |---|---|
//! | the operating system, 1 KiB at a time (feature `getrandom`) | [`Connection::client`](crate::Connection::client) |
//! | a `ChaCha` that the system or the caller seeds (feature `chacha`): half the time for small messages | [`Connection::client_with_entropy`](crate::Connection::client_with_entropy) |
//! | any generator of the caller's that is an [`Entropy`] | the same |
//!
//! Any source can fail. What needed it is refused then with [`NoEntropy`], and nothing else changes.

#[cfg(feature = "chacha")]
mod chacha;

use alloc::boxed::Box;
use core::any::Any;

#[cfg(feature = "chacha")]
pub use chacha::ChaCha;

use crate::error::NoEntropy;
use crate::mask::MaskingKey;

/// A source of random bytes that nobody can predict.
///
/// A source that can be predicted puts the proxies between the peers at risk (RFC 6455 §10.3): use
/// one in tests only.
///
/// ```
/// use sansocket::entropy::Entropy;
/// use sansocket::error::NoEntropy;
/// use sansocket::{ClientConfig, ClientRequest, Connection, Uri};
///
/// struct Counter(u8); // for a test that needs the same bytes each time
/// impl Entropy for Counter {
///     fn fill(&mut self, out: &mut [u8]) -> Result<(), NoEntropy> {
///         for byte in out {
///             self.0 = self.0.wrapping_add(1);
///             *byte = self.0;
///         }
///         Ok(())
///     }
/// }
/// let request = ClientRequest::new(Uri::parse("ws://example.com/").unwrap());
/// let ws = Connection::client_with_entropy(&ClientConfig::new(), request, Box::new(Counter(0)))?;
/// let head = core::str::from_utf8(ws.output()).unwrap();
/// assert!(head.contains("Sec-WebSocket-Key: AQIDBAUGBwgJCgsMDQ4PEA==\r\n"));
/// # Ok::<(), NoEntropy>(())
/// ```
pub trait Entropy: Any {
    /// Fills `out` with random bytes.
    ///
    /// # Errors
    /// [`NoEntropy`]: there are none to be had now. What is in `out` is not used. The call that needed them
    /// returns this error and changes nothing, so that it can be made again: see
    /// [`SendError::NoEntropy`](crate::error::SendError::NoEntropy). A Pong waits for the next occasion, a keepalive
    /// ping is left out, and a peer whose Close frame cannot be answered is left at once.
    ///
    /// ```
    /// use sansocket::entropy::Entropy;
    /// use sansocket::error::{NoEntropy, SendError};
    /// use sansocket::{ClientConfig, Connection, Negotiated};
    ///
    /// struct Generator { ready: fn() -> bool }
    /// impl Entropy for Generator {
    ///     fn fill(&mut self, out: &mut [u8]) -> Result<(), NoEntropy> {
    ///         if !(self.ready)() {
    ///             return Err(NoEntropy);
    ///         }
    ///         out.fill(4); // chosen by fair dice roll
    ///         Ok(())
    ///     }
    /// }
    /// let source = Box::new(Generator { ready: || false });
    /// let (config, agreed) = (ClientConfig::new(), Negotiated::new());
    /// let mut ws = Connection::upgraded_client_with_entropy(&config, agreed, source);
    /// let unsent = ws.send(String::from("Hello")).unwrap_err();
    /// assert_eq!((unsent.why, &*unsent.message), (SendError::NoEntropy, "Hello"));
    /// ```
    fn fill(&mut self, out: &mut [u8]) -> Result<(), NoEntropy>;
}

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
    bytes: [u8; Self::LEN],
    used: usize,
    /// So many bytes of each block are not given: the next seed.
    keeps: usize,
    draw: fn(&mut [u8; Self::LEN]) -> Result<(), NoEntropy>,
}

impl Block {
    const LEN: usize = 1024;

    /// An empty one.
    const fn new(keeps: usize, draw: fn(&mut [u8; Self::LEN]) -> Result<(), NoEntropy>) -> Self {
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
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let next = self.bytes.get_mut(self.used..)?.first_chunk_mut()?;
        self.used += N;
        Some(core::mem::replace(next, [0; N]))
    }

    #[cold]
    #[inline(never)]
    fn refill(&mut self) -> Result<(), NoEntropy> {
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
fn system(bytes: &mut [u8]) -> Result<(), NoEntropy> {
    getrandom::fill(bytes).map_err(|_| NoEntropy)
}

#[cfg(not(feature = "getrandom"))]
fn system(_bytes: &mut [u8]) -> Result<(), NoEntropy> {
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
