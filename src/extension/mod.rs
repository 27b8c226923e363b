//! Extensions of the protocol (RFC 6455 §9): the grammar in which they are offered and accepted,
//! and permessage-deflate (RFC 7692, feature `deflate`).

mod grammar;
#[cfg(feature = "deflate")]
pub(crate) mod permessage_deflate;

/// The registered name (RFC 7692 §9.1).
pub(crate) const PERMESSAGE_DEFLATE: &str = "permessage-deflate";

pub use grammar::{Extension, Extensions, Malformed, Param, Params};
#[cfg(all(feature = "deflate", feature = "std"))]
pub use permessage_deflate::DeflatePool;
#[cfg(feature = "deflate")]
pub use permessage_deflate::PermessageDeflate;
