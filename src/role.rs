//! The two roles of RFC 6455 §1.2: who asked for the connection and who answered.

/// Which end of the connection this is.
///
/// The role decides who masks (RFC 6455 §5.1: the client masks every frame, the server none) and
/// who ends TCP first (§7.1.1: the server).
///
/// ```
/// use sansocket::Role;
/// assert!(Role::Client.masks());
/// assert_eq!(Role::Client.peer(), Role::Server);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// The end that sent the opening handshake's request.
    Client,
    /// The end that answered it.
    Server,
}

impl Role {
    /// Whether frames sent in this role are masked (RFC 6455 §5.1).
    #[must_use]
    pub const fn masks(self) -> bool {
        matches!(self, Self::Client)
    }

    /// The role of the other end.
    #[must_use]
    pub const fn peer(self) -> Self {
        match self {
            Self::Client => Self::Server,
            Self::Server => Self::Client,
        }
    }
}
