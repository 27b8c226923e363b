//! Who a server lets in, as lists that are the caller's (RFC 6455 §10.2; RFC 9110 §7.4).

use crate::config::{is_host_and_port, is_origin};
use crate::handshake::absolute_uri::Authority;
use crate::handshake::origin::{is_listed, names_host, same_host};
use crate::handshake::rules::Admission;

/// Which origins and hosts a server takes connections from. There is no default: leaving it open is how
/// cross-site WebSocket hijacking happens, and a device in a private network is what DNS rebinding aims at.
///
/// Only browsers send a true `Origin`; a request without the field passes, as other clients send none or any value.
///
/// ```
/// use sansocket::fixed::Admitted;
/// let own_pages = Admitted::same_host().hosts(&["192.168.0.17", "sensor.local"]).unwrap();
/// let one_site = Admitted::origins(&["https://example.com"]).unwrap();
/// assert!(Admitted::origins(&["https://example.com/path"]).is_none()); // never an origin
/// # let _ = (own_pages, one_site);
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Admitted<'b> {
    origins: Origins<'b>,
    hosts: Option<&'b [&'b str]>,
}

#[derive(Debug, Clone, Copy)]
enum Origins<'b> {
    Any,
    SameHost,
    Listed(&'b [&'b str]),
}

impl<'b> Admitted<'b> {
    /// Anyone: for public services that use no cookies or other ambient authority.
    #[must_use]
    pub const fn anyone() -> Self {
        Self {
            origins: Origins::Any,
            hosts: None,
        }
    }

    /// Pages whose host and port are those of the request itself, whatever that is.
    #[must_use]
    pub const fn same_host() -> Self {
        Self {
            origins: Origins::SameHost,
            hosts: None,
        }
    }

    /// Pages of these origins, as `scheme://host[:port]`; `https://*.example.com` stands for all hosts below
    /// `example.com`, `http://localhost:*` for every port, and `null` for what pages without an origin send. `None` if
    /// one entry is no origin.
    #[must_use]
    pub fn origins(origins: &'b [&'b str]) -> Option<Self> {
        let are_origins = origins.iter().all(|origin| is_origin(origin));
        are_origins.then_some(Self {
            origins: Origins::Listed(origins),
            hosts: None,
        })
    }

    /// The server answers to these hosts only, as `host[:port]`, others get 421: against DNS rebinding
    /// (RFC 9110 §7.4). `None` if one entry is no host.
    #[must_use]
    pub fn hosts(self, hosts: &'b [&'b str]) -> Option<Self> {
        let are_hosts = hosts.iter().all(|host| is_host_and_port(host));
        are_hosts.then_some(Self {
            hosts: Some(hosts),
            ..self
        })
    }
}

impl Admission for Admitted<'_> {
    fn answers_to(&self, host: &Authority<'_>) -> bool {
        self.hosts
            .is_none_or(|hosts| names_host(hosts.iter().copied(), host))
    }

    fn allows(&self, origin: &[u8], host: &Authority<'_>) -> bool {
        match self.origins {
            Origins::Any => true,
            Origins::SameHost => same_host(origin, host),
            Origins::Listed(origins) => is_listed(origins.iter().copied(), origin),
        }
    }

    fn requires_origin(&self) -> bool {
        false
    }
}
