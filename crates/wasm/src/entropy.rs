//! Randomness of the caller's.

use sansocket::entropy::Entropy;
use sansocket::error::NoEntropy;

/// A source that the caller knows by its number.
pub(crate) struct Source(pub(crate) u32);

impl Entropy for Source {
    fn fill(&mut self, out: &mut [u8]) -> Result<(), NoEntropy> {
        if fill(self.0, out) {
            Ok(())
        } else {
            Err(NoEntropy)
        }
    }
}

#[cfg(target_arch = "wasm32")]
fn fill(source: u32, out: &mut [u8]) -> bool {
    #[link(wasm_import_module = "sansocket")]
    unsafe extern "C" {
        /// Fills `out` with `len` random bytes that nobody can predict. 0: it cannot.
        fn entropy(source: u32, out: *mut u8, len: usize) -> u32;
    }
    // SAFETY: the import fills the bytes that it is given, and calls nothing of this module.
    unsafe { entropy(source, out.as_mut_ptr(), out.len()) != 0 }
}

#[cfg(not(target_arch = "wasm32"))]
fn fill(_: u32, out: &mut [u8]) -> bool {
    getrandom::fill(out).is_ok()
}
