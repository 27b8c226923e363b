//! Who is let in: the origins of pages (RFC 6455 §10.2) and the hosts that a server answers to
//! (RFC 9110 §7.4). Entries are checked when they are given, so that none is there that never fits.

use alloc::string::String;
use alloc::vec::Vec;

use crate::error::BadEntry;

use super::{is_host_and_port, is_origin};

/// Which origins a server takes connections from (RFC 6455 §4.2.2, §10.2). There is no default:
/// leaving it open is how cross-site WebSocket hijacking happens.
///
/// Only browsers send a true `Origin`; other clients send none or any value. So a request without the
/// field passes every policy unless [`ServerConfig::require_origin`](crate::ServerConfig::require_origin)
/// says otherwise, and no policy replaces authentication.
///
/// A server that browsers can reach by another name than its own, above all one on `127.0.0.1` or in a
/// private network, also needs [`ServerConfig::hosts`](crate::ServerConfig::hosts): a page can have its own name
/// resolve to such an address (DNS rebinding), and then its origin is the same host as the request's.
///
/// ```
/// use sansocket::{OriginPolicy, ServerConfig};
/// let own_pages = ServerConfig::new(OriginPolicy::SameHost).hosts(["example.com"])?;
/// let sites = ServerConfig::new(OriginPolicy::list(["https://example.com", "https://*.example.com"])?);
/// # let _ = (own_pages, sites);
/// # Ok::<(), sansocket::error::BadEntry>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum OriginPolicy {
    /// The origin's host and port are those of the request's own authority, whatever that is; the scheme is
    /// not compared, as a server does not see whether TLS ended before it. Others get 403.
    SameHost,
    /// One of these; see [`list`](Self::list). Others get 403.
    List(Origins),
    /// Anyone: for public services that use no cookies or other ambient authority.
    Any,
    /// The application looks at [`Request::origin`](crate::handshake::Request::origin) itself.
    Application,
}

impl OriginPolicy {
    /// The origins of this list: each is `scheme://host[:port]`, without a path, compared without regard to
    /// ASCII case (RFC 6454 §6.1). `https://*.example.com` stands for all hosts below `example.com`, and
    /// `http://localhost:*` for every port. `null` is what pages without an origin send: sandboxed ones, files.
    ///
    /// ```
    /// use sansocket::OriginPolicy;
    /// assert!(OriginPolicy::list(["https://*.example.com", "http://localhost:*"]).is_ok());
    /// let error = OriginPolicy::list(["https://example.com/"]).unwrap_err();
    /// assert!(error.to_string().starts_with("\"https://example.com/\" is no origin"));
    /// ```
    ///
    /// # Errors
    /// [`BadEntry::Origin`] for an entry that no origin fits, such as one with a path.
    pub fn list<S: Into<String>>(origins: impl IntoIterator<Item = S>) -> Result<Self, BadEntry> {
        let origins = origins.into_iter().map(Into::into).map(|origin: String| {
            if is_origin(&origin) {
                Ok(origin)
            } else {
                Err(BadEntry::Origin(origin))
            }
        });
        Ok(Self::List(Origins(origins.collect::<Result<_, _>>()?)))
    }
}

/// Origins, and patterns for them: see [`OriginPolicy::list`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origins(Vec<String>);

impl Origins {
    /// The entries as they were given.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|origin| &**origin)
    }
}

/// The hosts that a server answers to: see [`ServerConfig::hosts`](crate::ServerConfig::hosts).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Hosts(Vec<String>);

impl Hosts {
    pub(crate) fn new<S: Into<String>>(
        hosts: impl IntoIterator<Item = S>,
    ) -> Result<Self, BadEntry> {
        let hosts = hosts.into_iter().map(Into::into).map(|host: String| {
            if is_host_and_port(&host) {
                Ok(host)
            } else {
                Err(BadEntry::Host(host))
            }
        });
        Ok(Self(hosts.collect::<Result<_, _>>()?))
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|host| &**host)
    }
}

#[cfg(test)]
mod tests {
    use super::{Hosts, OriginPolicy};

    /// What would never fit is refused when it is given.
    #[test]
    fn entries() {
        for origin in [
            "https://example.com",
            "https://*.example.com:444",
            "http://localhost:*",
            "http://[::1]:8080",
            "http://[::1]",
            "chrome-extension://abc",
            "null",
        ] {
            assert!(OriginPolicy::list([origin]).is_ok(), "{origin}");
        }
        for origin in [
            "https://example.com/",
            "https://example.com/*",
            "example.com",
            "*",
            "https://*",
            "https://*.",
            "https://ex*.com",
            "https://*.*.com",
            "*://example.com",
            "https://*example.com",
            "https://u@example.com",
            "https://example.com:port",
            "https://example.com:+1",
            "https://example.com:",
            "https://a b",
            "https://b\u{fc}cher.example",
            "https://[::1",
            "https://*.[::1]",
            "https://",
            "",
        ] {
            assert!(OriginPolicy::list([origin]).is_err(), "{origin}");
        }
        assert!(Hosts::new(["example.com", "*.example.com", "[::1]:81", "10.0.0.1"]).is_ok());
        for host in [
            "https://example.com",
            "example.com/",
            "*",
            "",
            "a:b:c",
            "::1",
        ] {
            assert!(Hosts::new([host]).is_err(), "{host}");
        }
    }
}
