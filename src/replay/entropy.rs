//! Sources of randomness that note what was drawn, and give it again.

use alloc::vec::Vec;

use crate::entropy::{Entropy, Randomness};
use crate::error::NoEntropy;

/// Notes each draw: its length in a byte and what came, or 0 if nothing did.
pub(super) struct Noted {
    source: Randomness,
    drawn: Option<Vec<u8>>,
}

impl Noted {
    pub(super) const fn new(source: Randomness) -> Self {
        Self {
            source,
            drawn: Some(Vec::new()),
        }
    }

    /// What was drawn since the last call.
    pub(super) fn drawn(&mut self) -> &mut Vec<u8> {
        self.drawn.get_or_insert_default()
    }

    /// Notes no more.
    pub(super) fn stop(&mut self) {
        self.drawn = None;
    }
}

impl Entropy for Noted {
    fn fill(&mut self, out: &mut [u8]) -> Result<(), NoEntropy> {
        let filled = fill(&mut self.source, out);
        if let Some(drawn) = &mut self.drawn {
            match (filled, u8::try_from(out.len())) {
                (Ok(()), Ok(len)) => {
                    drawn.push(len);
                    drawn.extend_from_slice(out);
                }
                _ => drawn.push(0),
            }
        }
        filled
    }
}

/// From the caller's source as it asks, from the operating system's key by key.
fn fill(source: &mut Randomness, out: &mut [u8]) -> Result<(), NoEntropy> {
    if let Randomness::Custom(source) = source {
        return source.fill(out);
    }
    for piece in out.chunks_mut(4) {
        let bytes: [u8; 4] = source.draw()?;
        piece.copy_from_slice(&bytes[..piece.len()]);
    }
    Ok(())
}

/// Gives what was drawn once, in the same order.
#[derive(Default)]
pub(super) struct Given {
    pub(super) drawn: Vec<u8>,
    /// How much of it was given.
    pub(super) used: usize,
}

impl Given {
    fn next(&mut self, out: &mut [u8]) -> Option<()> {
        let (&len, rest) = self.drawn.get(self.used..)?.split_first()?;
        if usize::from(len) == out.len() {
            out.copy_from_slice(rest.get(..out.len())?);
            self.used += 1 + out.len();
            return Some(());
        }
        if len == 0 {
            self.used += 1;
        }
        None
    }
}

impl Entropy for Given {
    fn fill(&mut self, out: &mut [u8]) -> Result<(), NoEntropy> {
        self.next(out).ok_or(NoEntropy)
    }
}
