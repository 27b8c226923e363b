//! The values that a script meets: states, binary types, exceptions.

use core::fmt;

/// `readyState`; `as u16` gives its number.
///
/// ```
/// use sansocket::webapi::ReadyState;
/// assert_eq!(ReadyState::Closing as u16, 2);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u16)]
pub enum ReadyState {
    /// Not established yet.
    Connecting = 0,
    /// Established.
    Open = 1,
    /// The closing handshake has begun, or `close` was called.
    Closing = 2,
    /// Closed, or could not be opened.
    Closed = 3,
}

/// `binaryType`: the type in which a script wants binary messages. They are bytes here in any case; the
/// engine converts them when it fires the event.
///
/// ```
/// use sansocket::webapi::BinaryType;
/// assert_eq!(BinaryType::new("arraybuffer"), Some(BinaryType::ArrayBuffer));
/// assert_eq!(BinaryType::default().as_str(), "blob");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum BinaryType {
    /// `blob`
    #[default]
    Blob,
    /// `arraybuffer`
    ArrayBuffer,
}

impl BinaryType {
    /// The type of this name. Ignore other values that a script assigns (Web IDL enumerations).
    #[must_use]
    pub fn new(name: &str) -> Option<Self> {
        [Self::Blob, Self::ArrayBuffer]
            .into_iter()
            .find(|known| known.as_str() == name)
    }

    /// The name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Blob => "blob",
            Self::ArrayBuffer => "arraybuffer",
        }
    }
}

/// What a script's call throws: a `DOMException` of this [`name`](Self::name).
///
/// ```
/// use sansocket::webapi::Exception;
/// assert_eq!(Exception::Syntax.name(), "SyntaxError");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Exception {
    /// `SyntaxError`: an invalid URL or list of protocols, or a reason that is too long.
    Syntax,
    /// `InvalidAccessError`: a close code that scripts may not use.
    InvalidAccess,
    /// `InvalidStateError`: not while connecting.
    InvalidState,
    /// `OperationError`: there is no source of randomness.
    Operation,
}

impl Exception {
    /// The number of this kind of error, the same in every version. No other type of the crate has it, and it is not the
    /// `code` of the `DOMException`, which is a matter of the name.
    ///
    /// ```
    /// assert_eq!(sansocket::webapi::Exception::Syntax.code(), 1701);
    /// ```
    #[must_use]
    pub const fn code(self) -> u16 {
        match self {
            Self::Syntax => 1701,
            Self::InvalidAccess => 1702,
            Self::InvalidState => 1703,
            Self::Operation => 1704,
        }
    }

    /// The name of the `DOMException`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Syntax => "SyntaxError",
            Self::InvalidAccess => "InvalidAccessError",
            Self::InvalidState => "InvalidStateError",
            Self::Operation => "OperationError",
        }
    }
}

impl fmt::Display for Exception {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Syntax => "a URL, a subprotocol or a close reason that is not allowed",
            Self::InvalidAccess => "a close code has to be 1000 or from 3000 to 4999",
            Self::InvalidState => "the connection is not established yet",
            Self::Operation => "there is no source of randomness",
        })
    }
}

impl core::error::Error for Exception {}
