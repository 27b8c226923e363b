//! The settings of permessage-deflate, written once for both roles.

use alloc::vec::Vec;
use core::fmt;

use super::pool::{DeflatePool, Shape, Supply};
use super::{DeflateCodec, Deflater, Inflater};

/// The largest window of RFC 7692, which is also the largest of DEFLATE: 2^15 bytes.
pub(super) const MAX_BITS: u8 = 15;
const MIN_BITS: u8 = 8;

/// permessage-deflate (RFC 7692) is offered or accepted, with these settings.
///
/// The four parameters have the RFC's names and mean the same on both ends: those that begin with
/// `server_` are about what the server sends, those with `client_` about what the client sends.
/// They are wishes: what was agreed is what both ends then do.
///
/// Start from the preset of the role. A value out of range is taken as the nearest one in it.
///
/// ```
/// use sansocket::extension::PermessageDeflate;
/// // Small messages that resemble each other: keep the context, pay with memory per connection.
/// let chat = PermessageDeflate::server()
///     .server_no_context_takeover(false)
///     .client_no_context_takeover(false)
///     .server_max_window_bits(12)
///     .mem_level(5);
/// # let _ = chat;
/// ```
///
/// Debug builds: set `opt-level = 3` in `[profile.dev.package.zlib-rs]`, or each message takes twenty times as long.
///
/// How to choose, and what to keep out of it: [`manual::compression`](crate::manual::compression).
/// Time for each level, and the overhead over zlib-rs alone: `benches/deflate.md`.
///
/// # Secrets
///
/// The length of a compressed message tells what it has in common with what was sent before it
/// (CRIME, BREACH; RFC 7692 §8). Send secrets with [`Compress::Never`](crate::extension::Compress::Never) or
/// [`Compress::Alone`](crate::extension::Compress::Alone).
///
/// # Memory
///
/// A direction without context takeover holds nothing between messages. What the others hold is a table in
/// the [manual](crate::manual::compression).
#[derive(Clone)]
pub struct PermessageDeflate {
    pub(super) level: u8,
    mem_level: u8,
    pub(super) threshold: usize,
    pub(super) ratio: u32,
    pub(super) server_no_context_takeover: bool,
    pub(super) client_no_context_takeover: bool,
    pub(super) server_max_window_bits: u8,
    pub(super) client_max_window_bits: u8,
    pub(super) fallback: bool,
    /// Client: `client_max_window_bits` is left out of the offer.
    pub(super) omit_client_max_window_bits: bool,
    /// Server: only an offer with `client_max_window_bits` is taken.
    pub(super) require_client_max_window_bits: bool,
    pub(super) supply: Supply,
}

impl PermessageDeflate {
    /// For a server of many connections: no context takeover in either direction, so that an idle
    /// connection holds nothing, and a pool for all that share these settings.
    #[must_use]
    pub fn server() -> Self {
        Self {
            server_no_context_takeover: true,
            client_no_context_takeover: true,
            ..Self::client()
        }
    }

    /// For a client: the offer is `permessage-deflate; client_max_window_bits`, as browsers make
    /// it, and the context is taken over if the server lets it.
    #[must_use]
    pub fn client() -> Self {
        Self {
            level: 3,
            mem_level: 8,
            threshold: 64,
            ratio: 0,
            server_no_context_takeover: false,
            client_no_context_takeover: false,
            server_max_window_bits: MAX_BITS,
            client_max_window_bits: MAX_BITS,
            fallback: false,
            omit_client_max_window_bits: false,
            require_client_max_window_bits: false,
            supply: Supply {
                pool: DeflatePool::preset(),
            },
        }
    }

    /// How hard to compress, from 0 (not at all) to 9. The default, 3, is zlib's level 6 in a third
    /// of the time for about a sixth more bytes; 1 is three times faster again.
    #[must_use]
    pub fn level(mut self, level: u8) -> Self {
        self.level = level.min(9);
        self
    }

    /// How much memory a compressor takes for its buffers, from 1 to 9. 8, unless set.
    #[must_use]
    pub fn mem_level(mut self, level: u8) -> Self {
        self.mem_level = level.clamp(1, 9);
        self
    }

    /// Messages of fewer bytes go out uncompressed (RFC 7692 §6 leaves it to the sender). 64, unless set.
    #[must_use]
    pub fn threshold(mut self, len: usize) -> Self {
        self.threshold = len;
        self
    }

    /// Fails the connection when a message inflates to more than `ratio` times the payload of its
    /// frames. A message may always have 64 KiB. 0, the default, sets no such limit; that of the
    /// message's length holds in any case (RFC 7692 §8).
    #[must_use]
    pub fn ratio(mut self, ratio: u32) -> Self {
        self.ratio = ratio;
        self
    }

    /// The server starts each message with an empty window (RFC 7692 §7.1.1.1). A client that asks for
    /// it goes without compression if the server will not do it, unless it has a [`fallback`](Self::fallback).
    #[must_use]
    pub fn server_no_context_takeover(mut self, wanted: bool) -> Self {
        self.server_no_context_takeover = wanted;
        self
    }

    /// The client starts each message with an empty window (RFC 7692 §7.1.1.2).
    #[must_use]
    pub fn client_no_context_takeover(mut self, wanted: bool) -> Self {
        self.client_no_context_takeover = wanted;
        self
    }

    /// The server's window has at most 2^`bits` bytes, 8 to 15 (RFC 7692 §7.1.2.1). A client that
    /// asks for less than 15 goes without compression if the server will not do it, unless it has
    /// a [`fallback`](Self::fallback).
    #[must_use]
    pub fn server_max_window_bits(mut self, bits: u8) -> Self {
        self.server_max_window_bits = bits.clamp(MIN_BITS, MAX_BITS);
        self
    }

    /// The client's window has at most 2^`bits` bytes, 8 to 15 (RFC 7692 §7.1.2.2). A server can only ask
    /// for it if the client has offered it.
    #[must_use]
    pub fn client_max_window_bits(mut self, bits: u8) -> Self {
        self.client_max_window_bits = bits.clamp(MIN_BITS, MAX_BITS);
        self
    }

    /// A client leaves `client_max_window_bits` out of its offer: an answer that asks for a
    /// smaller window of the client fails the connection then (RFC 7692 §7.1.2.2). For servers that choke on
    /// the parameter.
    #[must_use]
    pub fn omit_client_max_window_bits(mut self) -> Self {
        self.omit_client_max_window_bits = true;
        self
    }

    /// A server goes without compression where the client does not offer `client_max_window_bits`, and so
    /// cannot be asked for a smaller window (RFC 7692 §7.1.2.2): the memory for each connection is known.
    #[must_use]
    pub fn require_client_max_window_bits(mut self) -> Self {
        self.require_client_max_window_bits = true;
        self
    }

    /// A client adds a second offer that demands nothing of the server (RFC 7692 §5.2).
    #[must_use]
    pub fn fallback(mut self) -> Self {
        self.fallback = true;
        self
    }

    /// Takes compressors and decompressors from this pool, which any number of settings can share.
    /// Without it each preset has one of its own, for 16 of either.
    #[cfg(feature = "std")]
    #[must_use]
    pub fn pool(mut self, pool: &DeflatePool) -> Self {
        self.supply.pool = Some(pool.clone());
        self
    }

    /// With smaller windows, so that a connection takes `memory` bytes for both directions at most;
    /// `None` if not even the smallest ones do.
    pub(super) fn fitting(&self, memory: usize) -> Option<Self> {
        let most = |bits: &u8| {
            Deflater::most(
                self.shape(
                    self.server_max_window_bits
                        .max(self.client_max_window_bits)
                        .min(*bits),
                ),
            ) + Inflater::most(*bits)
                + size_of::<DeflateCodec>()
        };
        let bits = (MIN_BITS..=MAX_BITS)
            .rev()
            .find(|bits| most(bits) <= memory)?;
        if bits == MAX_BITS {
            return Some(self.clone());
        }
        Some(Self {
            server_max_window_bits: self.server_max_window_bits.min(bits),
            client_max_window_bits: self.client_max_window_bits.min(bits),
            // Without it a peer's window is the largest.
            omit_client_max_window_bits: false,
            require_client_max_window_bits: true,
            fallback: false,
            ..self.clone()
        })
    }

    pub(super) fn shape(&self, window_bits: u8) -> Shape {
        Shape {
            level: self.level,
            // zlib makes no compressor with a window of 2^8. One with 2^9 keeps to it: it never
            // refers further back than its window less 262 bytes (a longest match and its lookahead).
            window_bits: window_bits.max(MIN_BITS + 1),
            mem_level: self.mem_level,
        }
    }

    /// One message on its own, as any connection takes it whose window is not smaller.
    pub(crate) fn compress(&self, window_bits: u8, message: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        Deflater::new(false, window_bits, self).deflate(message, true, &mut out);
        out
    }
}

#[cfg(feature = "replay")]
impl PermessageDeflate {
    /// All settings but the pool, which changes nothing of what is sent.
    pub(crate) fn to_numbers(&self) -> [u64; 11] {
        [
            self.level.into(),
            self.mem_level.into(),
            self.threshold as u64,
            self.ratio.into(),
            self.server_no_context_takeover.into(),
            self.client_no_context_takeover.into(),
            self.server_max_window_bits.into(),
            self.client_max_window_bits.into(),
            self.fallback.into(),
            self.omit_client_max_window_bits.into(),
            self.require_client_max_window_bits.into(),
        ]
    }

    /// The settings with these numbers; `None` if one is out of range.
    pub(crate) fn of_numbers(numbers: [u64; 11]) -> Option<Self> {
        let byte = |at: usize| u8::try_from(numbers[at]).ok();
        let flag = |at: usize| numbers[at] == 1;
        let settings = Self {
            level: byte(0)?.min(9),
            mem_level: byte(1)?.clamp(1, 9),
            threshold: usize::try_from(numbers[2]).ok()?,
            ratio: u32::try_from(numbers[3]).ok()?,
            server_no_context_takeover: flag(4),
            client_no_context_takeover: flag(5),
            server_max_window_bits: byte(6)?.clamp(MIN_BITS, MAX_BITS),
            client_max_window_bits: byte(7)?.clamp(MIN_BITS, MAX_BITS),
            fallback: flag(8),
            omit_client_max_window_bits: flag(9),
            require_client_max_window_bits: flag(10),
            ..Self::client()
        };
        (settings.to_numbers() == numbers).then_some(settings)
    }
}

impl fmt::Debug for PermessageDeflate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PermessageDeflate")
            .field("level", &self.level)
            .field("mem_level", &self.mem_level)
            .field("threshold", &self.threshold)
            .field("ratio", &self.ratio)
            .field(
                "server_no_context_takeover",
                &self.server_no_context_takeover,
            )
            .field(
                "client_no_context_takeover",
                &self.client_no_context_takeover,
            )
            .field("server_max_window_bits", &self.server_max_window_bits)
            .field("client_max_window_bits", &self.client_max_window_bits)
            .field("fallback", &self.fallback)
            .field(
                "omit_client_max_window_bits",
                &self.omit_client_max_window_bits,
            )
            .field(
                "require_client_max_window_bits",
                &self.require_client_max_window_bits,
            )
            .finish_non_exhaustive()
    }
}
