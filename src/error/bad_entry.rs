//! Entries of a server's lists that would never fit anything.

use alloc::string::String;
use core::fmt;

use super::id::identified;

/// An entry of a list of origins or hosts that nothing could ever fit: a mistake in the configuration.
///
/// ```
/// use sansocket::{OriginPolicy, error::BadEntry};
/// let error = OriginPolicy::list(["https://example.com/chat"]).unwrap_err();
/// assert_eq!(error, BadEntry::Origin("https://example.com/chat".into()));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum BadEntry {
    /// This is no origin and no pattern for some.
    Origin(String),
    /// This is no host and no pattern for some.
    Host(String),
}

identified! { BadEntry:
    Self::Origin(_) = 1501, "bad_origin_entry";
    Self::Host(_) = 1502, "bad_host_entry";
}

impl fmt::Display for BadEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Origin(entry) => write!(
                f,
                "{entry:?} is no origin: scheme://host[:port] in ASCII and without a path, where *. may begin the \
                 host and * be the port (RFC 6454 §6.1)"
            ),
            Self::Host(entry) => write!(
                f,
                "{entry:?} is no host: host[:port] in ASCII, where *. may begin the host (RFC 9110 §7.2)"
            ),
        }
    }
}

impl core::error::Error for BadEntry {}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use super::*;

    /// Each names the entry, and says what one looks like.
    #[test]
    fn what_is_wrong_with_an_entry() {
        let origin = BadEntry::Origin("a/b".into()).to_string();
        assert!(
            origin.starts_with("\"a/b\" is no origin: scheme://host"),
            "{origin}"
        );
        let host = BadEntry::Host("a/b".into()).to_string();
        assert!(
            host.starts_with("\"a/b\" is no host: host[:port]"),
            "{host}"
        );
    }
}
