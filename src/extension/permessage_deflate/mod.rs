//! permessage-deflate (RFC 7692): negotiation as a value that builds the codec, so that what was
//! promised is what is done.
//!
//! Nothing here knows of frames or connections: which messages are compressed, where RSV1 stands and
//! where frames end (RFC 7692 §6) is the connection's, as for any
//! [`MessageExtension`](super::MessageExtension).

mod codec;
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

use codec::DeflateCodec;
use deflate::Deflater;
use inflate::Inflater;
use params::Agreed;

pub use config::PermessageDeflate;
pub use params::AgreedDeflate;
#[cfg(feature = "std")]
pub use pool::shared::DeflatePool;

/// The registered name (RFC 7692 §9.1).
const NAME: &str = "permessage-deflate";
