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
#[cfg(feature = "alloc")]
mod randomness;

use core::any::Any;

#[cfg(feature = "chacha")]
pub use chacha::ChaCha;
#[cfg(feature = "alloc")]
pub(crate) use randomness::Randomness;

use crate::error::NoEntropy;

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
