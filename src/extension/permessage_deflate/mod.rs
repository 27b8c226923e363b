//! permessage-deflate (RFC 7692): negotiation as a value that builds the codec, so that what was
//! promised is what is done.
//!
//! Nothing here knows of frames or connections. RSV1, which messages to compress and where frames
//! end is the connection's (RFC 7692 §6).

mod config;
mod deflate;
mod inflate;
mod params;
mod pool;
mod window;

#[cfg(test)]
mod reference;
#[cfg(test)]
mod tests;

pub use config::PermessageDeflate;
#[cfg(feature = "std")]
pub use pool::DeflatePool;

pub(crate) use deflate::Deflater;
pub(crate) use inflate::{InflateError, Inflater};
pub(crate) use params::Agreed;

/// Both directions of a connection, as agreed. Owns no heap until a compressed message comes or goes.
#[derive(Debug)]
pub(crate) struct Codec {
    pub(crate) inflater: Inflater,
    pub(crate) deflater: Deflater,
}

impl Codec {
    /// Gives up what can be had again: for a connection that is idle.
    pub(crate) fn park(&mut self) {
        self.inflater.park();
        self.deflater.park();
    }

    /// Bytes of heap held.
    pub(crate) fn memory_held(&self) -> usize {
        self.inflater.memory_held() + self.deflater.memory_held()
    }
}
