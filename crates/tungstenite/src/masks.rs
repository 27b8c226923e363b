//! Random bytes: masking keys (RFC 6455 §5.3) and nonces (§4.1), from one generator for each thread, so
//! that connections hold none.

use std::cell::RefCell;
use std::io;

use sansocket::entropy::{ChaCha, Entropy};
use sansocket::error::NoEntropy;

thread_local! {
    static THREAD: RefCell<Option<ChaCha>> = const { RefCell::new(None) };
}

/// The thread's generator, whichever thread asks.
pub(crate) struct OfThread;

impl Entropy for OfThread {
    fn fill(&mut self, out: &mut [u8]) -> Result<(), NoEntropy> {
        THREAD
            .try_with(|thread| {
                let mut thread = thread.borrow_mut();
                if thread.is_none() {
                    *thread = Some(ChaCha::new()?);
                }
                thread.as_mut().map_or(Ok(()), |source| source.fill(out))
            })
            // While the thread ends there is no generator any more.
            .unwrap_or_else(|_| ChaCha::new()?.fill(out))
    }
}

/// Random bytes.
///
/// # Errors
/// If the operating system gives no seed.
pub(crate) fn random<const N: usize>() -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    OfThread.fill(&mut bytes).map_err(io::Error::other)?;
    Ok(bytes)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn no_two_are_the_same() {
        let here: [u8; 16] = random().unwrap();
        let there: [u8; 16] = std::thread::spawn(|| random().unwrap()).join().unwrap();
        let mut again = [0; 16];
        OfThread.fill(&mut again).unwrap();
        assert!(here != there && here != again && there != again && here != [0; 16]);
    }
}
