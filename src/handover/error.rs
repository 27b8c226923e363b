//! Why a connection is not handed over.

use alloc::string::String;
use core::fmt;

use crate::connection::Connection;
use crate::connection::saved::{Unread, Unsaved};
use crate::error::identified;
use crate::role::Role;
use crate::wire::Bad;

/// Why a connection cannot be suspended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SuspendError {
    /// Not yet: a compressed message is being received. What its codec has taken cannot go along; read on until the message
    /// is whole, or until the connection is closed.
    InCompressedMessage,
    /// Never: the codec of an extension of the application's cannot go along
    /// ([`MessageCodec::context`](crate::extension::MessageCodec::context)).
    Extension,
}

identified! { SuspendError:
    Self::InCompressedMessage = 1901, "in_compressed_message";
    Self::Extension = 1902, "codec_cannot_move";
}

impl fmt::Display for SuspendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::InCompressedMessage => {
                "not in the middle of a compressed message: read on until it is whole"
            }
            Self::Extension => {
                "the codec of an extension cannot be handed over: see MessageCodec::context"
            }
        })
    }
}

impl core::error::Error for SuspendError {}

impl From<Unsaved> for SuspendError {
    fn from(unsaved: Unsaved) -> Self {
        match unsaved {
            Unsaved::InEncodedMessage => Self::InCompressedMessage,
            Unsaved::Codec => Self::Extension,
        }
    }
}

/// A connection that was not suspended, as it was before.
#[derive(Debug)]
pub struct Unsuspended {
    /// Why.
    pub why: SuspendError,
    /// The connection.
    pub connection: Connection,
}

impl Unsuspended {
    /// The number of this kind of error, the same in every version: that of [`why`](Self::why).
    #[must_use]
    pub const fn code(&self) -> u16 {
        self.why.code()
    }

    /// The name of this kind of error, the same in every version: that of [`why`](Self::why).
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.why.name()
    }
}

impl fmt::Display for Unsuspended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.why.fmt(f)
    }
}

impl core::error::Error for Unsuspended {}

/// Why a connection cannot be resumed.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ResumeError {
    /// It does not begin as a state does.
    Foreign,
    /// It is of a version that is not known here, such as one of a newer program.
    Version {
        /// Which one.
        version: u64,
    },
    /// Its checksum is not that of its bytes: it was changed or cut.
    Damaged,
    /// No connection can be in such a state.
    Corrupt,
    /// It is that of a connection of the other role.
    Role {
        /// Whose it is.
        role: Role,
    },
    /// Its messages are encoded by an extension that the configuration does not have, or not in this way.
    Extension {
        /// What was negotiated, as the server answered it.
        extensions: String,
    },
}

identified! { ResumeError:
    Self::Foreign = 1911, "no_state";
    Self::Version { .. } = 1912, "state_version";
    Self::Damaged = 1913, "state_damaged";
    Self::Corrupt = 1914, "state_corrupt";
    Self::Role { .. } = 1915, "state_role";
    Self::Extension { .. } = 1916, "state_extension";
}

impl fmt::Display for ResumeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Foreign => f.write_str("not the state of a connection"),
            Self::Version { version } => {
                write!(
                    f,
                    "a state of version {version}; version {} is known",
                    super::VERSION
                )
            }
            Self::Damaged => {
                f.write_str("a state that was changed or cut: its checksum is another")
            }
            Self::Corrupt => f.write_str("a state that no connection can be in"),
            Self::Role { role: Role::Server } => {
                f.write_str("the state of a server's connection: give a ServerConfig")
            }
            Self::Role { role: Role::Client } => {
                f.write_str("the state of a client's connection: give a ClientConfig")
            }
            Self::Extension { extensions } => write!(
                f,
                "the state of a connection with the extensions {extensions:?}: give a configuration that has them"
            ),
        }
    }
}

impl core::error::Error for ResumeError {}

impl From<Unread> for ResumeError {
    fn from(unread: Unread) -> Self {
        match unread {
            Unread::Bad => Self::Corrupt,
            Unread::Extension(extensions) => Self::Extension { extensions },
        }
    }
}

impl From<Bad> for ResumeError {
    fn from(_: Bad) -> Self {
        Self::Corrupt
    }
}
