//! Extensions of the protocol (RFC 6455 §9): the grammar in which they are offered and accepted,
//! the seam for those that change the payload of messages ([`MessageExtension`]), and
//! permessage-deflate (RFC 7692, feature `deflate`), which comes along.
//!
//! An extension that only marks frames needs none of this: the application names it in
//! [`Accept::extension`](crate::Accept::extension) or
//! [`ClientRequest::extension`](crate::ClientRequest::extension), and gets and sets its reserved bits.

#[cfg(feature = "alloc")]
mod compress;
#[cfg(feature = "alloc")]
mod configured;
mod grammar;
#[cfg(feature = "alloc")]
mod message;
#[cfg(feature = "deflate")]
mod permessage_deflate;

#[cfg(feature = "alloc")]
pub use compress::Compress;
pub use grammar::{Extension, Extensions, Malformed, Param, Params};
#[cfg(feature = "alloc")]
pub use message::{DecodeError, EncodeError, MessageCodec, MessageExtension};
#[cfg(all(feature = "deflate", feature = "std"))]
pub use permessage_deflate::DeflatePool;
#[cfg(feature = "deflate")]
pub use permessage_deflate::{AgreedDeflate, PermessageDeflate};

#[cfg(feature = "alloc")]
pub(crate) use configured::{Answer, Codec, Configured, elements};
#[cfg(feature = "alloc")]
pub(crate) use message::bounded;
