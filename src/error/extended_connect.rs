//! What a client's caller can get wrong in an extended CONNECT.

use core::fmt;

use super::FieldError;
use super::id::identified;

/// An extended CONNECT could not be made (RFC 8441, RFC 9220).
///
/// ```
/// use sansocket::{ClientConfig, ClientRequest, Uri, error::ExtendedConnectError};
/// use sansocket::handshake::extended_connect::{ConnectProtocol, request};
/// let uri = Uri::parse("wss://example.com/").unwrap();
/// let result = request(&ClientConfig::new(), &ClientRequest::new(uri), ConnectProtocol::NotEnabled);
/// assert_eq!(result, Err(ExtendedConnectError::NotEnabled));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ExtendedConnectError {
    /// The server has not said that it takes extended CONNECT (RFC 8441 §3).
    NotEnabled,
    /// A field that these versions of HTTP do not have (RFC 9113 §8.2.2).
    Field(FieldError),
}

identified! { ExtendedConnectError:
    Self::NotEnabled = 901, "extended_connect_not_enabled";
    Self::Field(FieldError::BadName) = 701, "bad_name";
    Self::Field(FieldError::BadValue) = 702, "bad_value";
    Self::Field(FieldError::Reserved) = 703, "reserved_field";
    Self::Field(FieldError::BadSubprotocol) = 704, "bad_subprotocol";
    Self::Field(FieldError::BadExtension) = 705, "bad_extension";
}

impl fmt::Display for ExtendedConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotEnabled => {
                f.write_str("the server has not enabled extended CONNECT (RFC 8441 §3)")
            }
            Self::Field(error) => error.fmt(f),
        }
    }
}

impl core::error::Error for ExtendedConnectError {}

impl From<FieldError> for ExtendedConnectError {
    fn from(error: FieldError) -> Self {
        Self::Field(error)
    }
}
