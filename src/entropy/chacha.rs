//! ChaCha20 (RFC 8439) as a source of masking keys.

use alloc::boxed::Box;
use core::fmt;

use chacha20::ChaCha20Rng;
use chacha20::rand_core::{Rng, SeedableRng};

use crate::error::NoEntropy;

use super::Entropy;
use super::randomness::{Block, system};

/// Random bytes from ChaCha20 (RFC 8439), for clients that send many small messages: half the time
/// of asking the operating system. Feature `chacha`.
///
/// It draws 1 KiB at a time and keeps the first 32 bytes of it as the next seed, so that what was
/// drawn before cannot be found again from what it holds. It holds 1 KiB of heap, which is wiped when it
/// is dropped. It cannot be cloned, as two connections must not have the same keys.
///
/// ```
/// # fn main() -> Result<(), sansocket::error::NoEntropy> {
/// # if cfg!(not(feature = "getrandom")) { return Ok(()) }
/// use sansocket::entropy::ChaCha;
/// use sansocket::{ClientConfig, ClientRequest, Connection, Uri};
/// let request = ClientRequest::new(Uri::parse("ws://example.com/").unwrap());
/// let keys = Box::new(ChaCha::new()?);
/// let ws = Connection::client_with_entropy(&ClientConfig::new(), request, keys)?;
/// assert!(ws.output().starts_with(b"GET / HTTP/1.1\r\n"));
/// # Ok(())
/// # }
/// ```
pub struct ChaCha(pub(super) Box<Block>);

impl ChaCha {
    /// Seeded by the operating system.
    ///
    /// # Errors
    /// [`NoEntropy`] if the operating system gives no seed, or without the feature `getrandom`.
    pub fn new() -> Result<Self, NoEntropy> {
        let mut seed = [0; SEED];
        system(&mut seed)?;
        Ok(Self::from_seed(seed))
    }

    /// Seeded by the caller: with 32 bytes that nobody else knows, and never twice with the same.
    ///
    /// ```
    /// use sansocket::entropy::{ChaCha, Entropy};
    /// let seed = [7; 32]; // in truth from a hardware generator, say
    /// let (mut a, mut b) = ([0; 16], [0; 16]);
    /// ChaCha::from_seed(seed).fill(&mut a)?;
    /// ChaCha::from_seed(seed).fill(&mut b)?;
    /// assert_eq!(a, b);
    /// # Ok::<(), sansocket::error::NoEntropy>(())
    /// ```
    #[must_use]
    pub fn from_seed(seed: [u8; 32]) -> Self {
        let mut block = Box::new(Block::new(SEED, go_on));
        block.bytes[..SEED].copy_from_slice(&seed);
        Self(block)
    }
}

impl Entropy for ChaCha {
    fn fill(&mut self, out: &mut [u8]) -> Result<(), NoEntropy> {
        for byte in out {
            if self.0.used == Block::LEN {
                self.0.refill()?;
            }
            if let Some([next]) = self.0.take() {
                *byte = next;
            }
        }
        Ok(())
    }
}

/// Nothing of what it holds.
impl fmt::Debug for ChaCha {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChaCha").finish_non_exhaustive()
    }
}

/// The next block, from the seed at the beginning of this one.
fn go_on(block: &mut [u8; Block::LEN]) -> Result<(), NoEntropy> {
    let mut seed = [0; SEED];
    seed.copy_from_slice(&block[..SEED]);
    ChaCha20Rng::from_seed(seed).fill_bytes(block);
    Ok(())
}

const SEED: usize = 32;

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by a panic")]
mod tests {
    use alloc::boxed::Box;
    use alloc::format;

    use crate::entropy::Randomness;
    use crate::error::NoEntropy;

    use super::{Block, ChaCha, Entropy, SEED};

    /// RFC 8439 A.1, test vectors 1 and 2: the key stream of a key of zeros, after the next seed.
    #[test]
    fn the_key_stream_after_the_next_seed() {
        let mut source = ChaCha::from_seed([0; SEED]);
        let mut bytes = [0; 48];
        source.fill(&mut bytes).unwrap();
        assert_eq!(
            bytes,
            *b"\xda\x41\x59\x7c\x51\x57\x48\x8d\x77\x24\xe0\x3f\xb8\xd8\x4a\x37\
              \x6a\x43\xb8\xf4\x15\x18\xa1\x1c\xc3\x87\xb6\x69\xb2\xee\x65\x86\
              \x9f\x07\xe7\xbe\x55\x51\x38\x7a\x98\xba\x97\x7c\x73\x2d\x08\x0d"
        );
        let next = *b"\x76\xb8\xe0\xad\xa0\xf1\x3d\x90\x40\x5d\x6a\xe5\x53\x86\xbd\x28\
            \xbd\xd2\x19\xb8\xa0\x8d\xed\x1a\xa8\x36\xef\xcc\x8b\x77\x0d\xc7";
        assert_eq!(source.0.bytes[..SEED], next);
        // What was given is forgotten.
        assert_eq!(source.0.bytes[SEED..SEED + 48], [0; 48]);
    }

    /// The next block comes from the seed in the first one, and words of any length from one stream.
    #[test]
    fn the_stream_goes_on_in_the_next_block() {
        let mut whole = [0; 3000];
        ChaCha::from_seed([1; SEED]).fill(&mut whole).unwrap();
        let mut source = ChaCha::from_seed([1; SEED]);
        let mut pieces = [0; 3000];
        for piece in pieces.chunks_mut(4) {
            source.fill(piece).unwrap();
        }
        assert_eq!(pieces[..], whole[..]);
        let mut next = ChaCha::from_seed([1; SEED]);
        next.fill(&mut [0; 4]).unwrap();
        let mut seed = [0; SEED];
        seed.copy_from_slice(&next.0.bytes[..SEED]);
        let mut after = [0; 64];
        ChaCha::from_seed(seed).fill(&mut after).unwrap();
        assert_eq!(after, whole[Block::LEN - SEED..][..64]);
        assert_ne!(whole[..64], after);
    }

    /// RFC 6455 §10.3: seeds of the operating system's differ.
    #[test]
    #[cfg(feature = "getrandom")]
    fn seeds_differ() {
        let draw = || {
            let mut bytes = [0; 64];
            ChaCha::new()?.fill(&mut bytes)?;
            Ok::<_, NoEntropy>(bytes)
        };
        assert!(draw().is_ok());
        assert_ne!(draw(), draw());
    }

    /// A connection draws the same from it as anybody, also where it asks without the trait object.
    #[test]
    fn a_connection_draws_the_same() {
        let mut source = ChaCha::from_seed([1; SEED]);
        let mut bytes = [0; 8];
        source.fill(&mut bytes[..4]).unwrap();
        let mut drawn = Randomness::custom(Box::new(ChaCha::from_seed([1; SEED])));
        assert!(matches!(drawn, Randomness::Blocks(_)));
        assert_eq!(
            drawn.masking_key(),
            Ok([bytes[0], bytes[1], bytes[2], bytes[3]])
        );
        source.fill(&mut bytes[4..]).unwrap();
        // The seed of the caller's is not given up.
        drawn.reclaim();
        assert_eq!(
            drawn.draw::<4>(),
            Ok([bytes[4], bytes[5], bytes[6], bytes[7]])
        );
        assert_eq!(drawn.memory_held(), 0);
    }

    #[test]
    fn secrets_stay_out_of_logs() {
        assert_eq!(
            format!("{:?}", ChaCha::from_seed([1; SEED])),
            "ChaCha { .. }"
        );
    }
}
