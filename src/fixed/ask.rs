//! What a client asks for (RFC 6455 §4.1).

use crate::error::{Field, FieldError};
use crate::handshake::absolute_uri::Authority;
use crate::handshake::field::{is_value, trim};
use crate::handshake::rules::is_resource_name;
use crate::token::is_token;

/// The request of a client: where to, and what it offers (RFC 6455 §4.1).
///
/// ```
/// use sansocket::fixed::Ask;
/// let ask = Ask {
///     subprotocols: "v2.telemetry, v1.telemetry",
///     fields: &[("Authorization", b"Bearer x")],
///     ..Ask::new("example.com", "/devices/17?kind=sensor")
/// };
/// assert_eq!(ask.host, "example.com");
/// ```
#[derive(Clone, Copy)]
pub struct Ask<'r> {
    /// The host, and the port if it is not the default one, as in a URI: ASCII, IPv6 addresses in brackets.
    pub host: &'r str,
    /// Path and query.
    pub resource_name: &'r str,
    /// Subprotocols, most wanted first, with commas between them; empty for none.
    pub subprotocols: &'r str,
    /// `Origin`, which browsers send and others need not; empty for none.
    pub origin: &'r str,
    /// Fields of the caller's, in order: cookies, Authorization.
    pub fields: &'r [(&'r str, &'r [u8])],
}

impl<'r> Ask<'r> {
    /// Asks for this resource, and nothing else.
    #[must_use]
    pub const fn new(host: &'r str, resource_name: &'r str) -> Self {
        Self {
            host,
            resource_name,
            subprotocols: "",
            origin: "",
            fields: &[],
        }
    }

    /// # Errors
    /// What cannot be written, or is not the caller's.
    pub(super) fn check(&self) -> Result<(), FieldError> {
        let host = Authority::of(self.host.as_bytes());
        if host.is_err() || !is_resource_name(self.resource_name) {
            return Err(FieldError::BadValue);
        }
        if !self.origin.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(FieldError::BadValue);
        }
        let subprotocols = self.subprotocols.as_bytes();
        let mut offered = subprotocols.split(|&byte| byte == b',').map(trim);
        while let Some(subprotocol) = offered.next() {
            let again = offered.clone().any(|other| other == subprotocol);
            if !subprotocols.is_empty() && (again || !is_token(subprotocol)) {
                return Err(FieldError::BadSubprotocol);
            }
        }
        for &(name, value) in self.fields {
            if !is_token(name.as_bytes()) {
                return Err(FieldError::BadName);
            }
            if !is_value(value) {
                return Err(FieldError::BadValue);
            }
            if Field::of(name).is_some() || name.eq_ignore_ascii_case("Proxy-Authorization") {
                return Err(FieldError::Reserved);
            }
        }
        Ok(())
    }
}

/// Lengths only: targets and fields can hold credentials.
impl core::fmt::Debug for Ask<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Ask")
            .field("host", &self.host)
            .field("resource_name", &self.resource_name.len())
            .field("subprotocols", &self.subprotocols.len())
            .field("fields", &self.fields.len())
            .finish_non_exhaustive()
    }
}
