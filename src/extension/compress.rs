//! How a message is to be encoded by an extension.

/// How one message is to be compressed, or whatever else the extension in use does with messages
/// ([`MessageExtension`](crate::extension::MessageExtension)). It is the sender's choice for each
/// message (RFC 7692 §6), and says nothing where no such extension was agreed on.
///
/// ```
/// # #[cfg(feature = "deflate")] {
/// # use sansocket::extension::Compress;
/// # use sansocket::{Connection, Negotiated, ServerConfig};
/// # use sansocket::extension::PermessageDeflate;
/// # let config = ServerConfig::upgraded().deflate(PermessageDeflate::server());
/// # let mut ws = Connection::upgraded_server(&config, Negotiated::new().extensions("permessage-deflate"));
/// ws.send_with("a token that nobody shall guess", Compress::Never)?;
/// assert_eq!(ws.output()[0], 0x81);
/// # }
/// # Ok::<(), sansocket::error::SendError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Compress {
    /// As the extension has it: permessage-deflate compresses from a threshold on.
    #[default]
    Auto,
    /// Not at all: for what is compressed already, and for secrets.
    Never,
    /// Whatever its length.
    Always,
    /// In a context of its own: nothing in it refers to other messages and none of them to it, so
    /// that its length says nothing about theirs (RFC 7692 §8).
    Alone,
}
