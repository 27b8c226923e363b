//! What has to hold for any input: functions of bytes that panic when it does not.
//!
//! The property tests call them with random bytes, the fuzz targets with what coverage leads to,
//! and `tests/models/fuzz_replay.rs` with the saved seeds. Nothing here uses the crate's own codec, so
//! that the two cannot be wrong together.

#[cfg(feature = "client")]
pub mod client_tools;
pub mod codec;
pub mod conversation;
pub mod cut;
#[cfg(feature = "deflate")]
pub mod deflate;
pub mod driven;
pub mod fixed;
#[cfg(feature = "handover")]
pub mod handed_over;
pub mod heads;
/// DEFLATE, bit by bit: shares nothing with the engine that the crate uses.
#[path = "../../../src/extension/permessage_deflate/reference.rs"]
mod inflate;
pub mod judge;
pub mod model;
#[cfg(feature = "observer")]
pub mod observer;
pub mod opening;
pub mod operations;
pub mod pair;
#[cfg(feature = "replay")]
pub mod replay;
pub mod through;
pub mod wire;

use sansocket::Role;
use sansocket::entropy::Entropy;
use sansocket::error::NoEntropy;

/// An oracle that has a fuzz target and seeds of its own.
pub type Oracle = fn(&[u8]);

/// All of them, by the name of their target.
pub const ALL: &[(&str, Oracle)] = &[
    ("frame_header", codec::frame_header),
    ("mask", codec::mask),
    ("utf8", codec::utf8),
    ("uri", codec::uri),
    ("extension_grammar", codec::extension_grammar),
    ("request_head", cut::request_head),
    ("response_head", cut::response_head),
    #[cfg(feature = "deflate")]
    ("permessage_deflate", deflate::permessage_deflate),
    #[cfg(feature = "client")]
    ("client_tools", client_tools::client_tools),
    ("connection_bytes", cut::connection_bytes),
    ("connection_ops", operations::connection_ops),
    ("conversation", conversation::conversation),
    ("fixed", fixed::fixed),
    ("pair", pair::pair),
    ("through", through::through),
    #[cfg(feature = "observer")]
    ("observer", observer::observer),
    #[cfg(feature = "replay")]
    ("replay", replay::replay),
    #[cfg(feature = "handover")]
    ("handed_over", handed_over::handed_over),
    #[cfg(feature = "handover")]
    ("state", handed_over::state),
];

/// Decisions drawn from bytes; zeros when they run out, so that every input ends.
pub struct Taker<'d>(&'d [u8]);

impl<'d> Taker<'d> {
    pub fn new(bytes: &'d [u8]) -> Self {
        Self(bytes)
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn u8(&mut self) -> u8 {
        let Some((&first, rest)) = self.0.split_first() else {
            return 0;
        };
        self.0 = rest;
        first
    }

    pub fn u16(&mut self) -> u16 {
        u16::from_be_bytes([self.u8(), self.u8()])
    }

    /// A number below `n`, which is 65,536 at most.
    pub fn below(&mut self, n: usize) -> usize {
        match n {
            0 | 1 => 0,
            2..=256 => usize::from(self.u8()) % n,
            _ => usize::from(self.u16()) % n,
        }
    }

    /// True once in `n` draws, never when the bytes have run out.
    pub fn once_in(&mut self, n: u8) -> bool {
        self.u8() % n == n - 1
    }

    pub fn pick<T: Copy>(&mut self, table: &[T]) -> T {
        table[self.below(table.len())]
    }

    /// Up to `n` bytes.
    pub fn bytes(&mut self, n: usize) -> &'d [u8] {
        let (front, rest) = self.0.split_at(n.min(self.0.len()));
        self.0 = rest;
        front
    }

    pub fn rest(&mut self) -> &'d [u8] {
        core::mem::take(&mut self.0)
    }

    pub fn role(&mut self) -> Role {
        self.pick(&[Role::Server, Role::Client])
    }

    pub fn key(&mut self) -> [u8; 4] {
        match self.bytes(4) {
            &[a, b, c, d] => [a, b, c, d],
            _ => [0; 4],
        }
    }
}

/// The nonce of RFC 6455 §1.3, then keys that can be told apart. The same for every run.
pub struct Scripted(u64);

impl Scripted {
    pub fn sample() -> Self {
        Self(0x9e37_79b9_7f4a_7c15)
    }

    pub fn boxed() -> Box<dyn Entropy + Send + Sync> {
        Box::new(Self::sample())
    }
}

/// What belongs to the nonce of [`Scripted`] (RFC 6455 §1.3).
pub const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

impl Entropy for Scripted {
    fn fill(&mut self, out: &mut [u8]) -> Result<(), NoEntropy> {
        if out.len() == 16 {
            out.copy_from_slice(b"the sample nonce");
            return Ok(());
        }
        for byte in out {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            *byte = self.0 as u8;
        }
        Ok(())
    }
}
