//! The opening handshake in HTTP/2 and HTTP/3: extended CONNECT (RFC 8441, RFC 9220), as lists of
//! fields in and out, pseudo-header fields among them.
//!
//! Afterwards the stream stands for the TCP connection (RFC 8441 §5): frames go in DATA, and clients
//! mask them; END_STREAM, or FIN in HTTP/3, is [`receive_eof`](crate::Connection::receive_eof), and a
//! reset is [`transport_lost`](crate::Connection::transport_lost). Where the connection asks for its
//! transport to be closed before the closing handshake is complete, the stream is reset with CANCEL or
//! H3_REQUEST_CANCELLED.
//!
//! A server that sent [`SETTINGS_ENABLE_CONNECT_PROTOCOL`] with 1 never sends it with 0 later, and
//! ignores it when received (RFC 8441 §3). Through a forward proxy a plain CONNECT comes first,
//! whatever version of HTTP the proxy speaks (§7).
//!
//! The HTTP stack refuses what makes a single field malformed, such as upper case in its name
//! (RFC 9113 §8.2.1). Which fields there are is checked here: pseudo-header fields (§8.3), `Host`
//! beside `:authority` (§8.3.1), and fields that belong to a connection of HTTP/1 (§8.2.2).

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

use crate::config::{ClientConfig, ServerConfig};
use crate::error::{ExtendedConnectError, Field, HandshakeError};

use super::absolute_uri::Authority;
use super::accept::Offer;
use super::client::ClientRequest;
use super::extensions;
use super::extra::lower_case;
use super::field::{is_connection_specific, trim};
use super::foreign::{ForeignResponse, Upgrade, Way};
use super::negotiated::Negotiated;
use super::refusal::Refusal;
use super::rules::{Admission, Gathered, is_resource_name};

/// The setting by which a server says that it takes extended CONNECT, with the value 1 (RFC 8441 §3;
/// the same number in HTTP/3: RFC 9220 §3).
pub const SETTINGS_ENABLE_CONNECT_PROTOCOL: u16 = 8;

/// Whether the server takes extended CONNECT (RFC 8441 §3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ConnectProtocol {
    /// A [`SETTINGS_ENABLE_CONNECT_PROTOCOL`] of 1 was received.
    Enabled,
    /// It was not, or not yet.
    NotEnabled,
}

/// What a server's response means to a client.
///
/// ```
/// use sansocket::{ClientConfig, ClientRequest, Uri};
/// use sansocket::handshake::extended_connect::{Outcome, open};
/// let request = ClientRequest::new(Uri::parse("wss://example.com/").unwrap());
/// let outcome = open(&ClientConfig::new(), &request, 200, []).unwrap();
/// assert!(matches!(outcome, Outcome::Open(_)));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The connection is established: start it from this.
    Open(Negotiated),
    /// The server refuses. The stream may still bring a body.
    Refused(Box<Refusal>),
}

/// The fields of a client's request (RFC 8441 §4, §5).
///
/// ```
/// use sansocket::{ClientConfig, ClientRequest, Uri};
/// use sansocket::handshake::extended_connect::{ConnectProtocol, request};
/// let asked = ClientRequest::new(Uri::parse("ws://h:8080?x").unwrap());
/// let fields = request(&ClientConfig::new(), &asked, ConnectProtocol::Enabled)?;
/// assert_eq!(fields[0], (":method".into(), b"CONNECT".to_vec()));
/// assert_eq!(fields[4], (":authority".into(), b"h:8080".to_vec()));
/// # Ok::<(), sansocket::error::ExtendedConnectError>(())
/// ```
///
/// # Errors
/// [`ExtendedConnectError::NotEnabled`] unless the server takes extended CONNECT; [`ExtendedConnectError::Field`] for an
/// added field that exists only in HTTP/1 (RFC 9113 §8.2.2).
pub fn request(
    config: &ClientConfig,
    request: &ClientRequest,
    server: ConnectProtocol,
) -> Result<Vec<(String, Vec<u8>)>, ExtendedConnectError> {
    if server == ConnectProtocol::NotEnabled {
        return Err(ExtendedConnectError::NotEnabled);
    }
    let uri = request.uri();
    let scheme = if uri.secure() { "https" } else { "http" };
    let authority = uri.authority();
    let mut fields: Vec<(String, Vec<u8>)> = [
        (":method", "CONNECT"),
        (":protocol", "websocket"),
        (":scheme", scheme),
        (":path", uri.resource_name()),
        (":authority", &authority),
    ]
    .map(|(name, value)| (name.into(), value.into()))
    .into();
    let offer = extensions::offer(config.settings());
    let expectation = request.expectation(None, offer.as_deref());
    for (field, value) in request.negotiated_fields(&expectation) {
        fields.push((field.name().into(), value.into()));
    }
    for (name, value) in request.headers() {
        fields.push((name.into(), value.into()));
    }
    lower_case(&mut fields)?;
    Ok(fields)
}

/// Reads the final response to such a request: its status, and its fields without `:status`.
/// Any 2xx opens (RFC 9113 §8.5).
///
/// # Errors
/// The rule that the response breaks (RFC 6455 §4.1): the stream is to be reset.
pub fn open<'h, F>(
    config: &ClientConfig,
    request: &ClientRequest,
    status: u16,
    fields: F,
) -> Result<Outcome, HandshakeError>
where
    F: IntoIterator<Item = (&'h str, &'h [u8]), IntoIter: Clone>,
{
    let fields = fields.into_iter();
    match status {
        200..300 => {}
        300.. => return Ok(Outcome::Refused(Box::new(Refusal::new(status, fields)))),
        // RFC 9113 §8.6: there is no 101.
        _ => return Err(HandshakeError::Status),
    }
    if fields.clone().any(|(name, _)| name.starts_with(':')) {
        return Err(HandshakeError::PseudoHeader);
    }
    check_not_http1(fields.clone())?;
    let settings = config.settings();
    let offer = extensions::offer(settings);
    let expectation = request.expectation(None, offer.as_deref());
    expectation.check_lists(fields, settings).map(Outcome::Open)
}

/// Checks a request that a server received: all its fields, pseudo-header fields included.
///
/// ```
/// use sansocket::{Accept, OriginPolicy, ServerConfig, handshake::extended_connect};
/// let fields = [
///     (":method", &b"CONNECT"[..]),
///     (":protocol", b"websocket"),
///     (":scheme", b"https"),
///     (":path", b"/chat"),
///     (":authority", b"server.example.com"),
///     ("sec-websocket-version", b"13"),
/// ];
/// let config = ServerConfig::new(OriginPolicy::SameHost);
/// let upgrade = extended_connect::check(&config, fields).unwrap();
/// let (response, ws) = upgrade.accept(Accept::new()).unwrap();
/// assert_eq!(response.status, 200);
/// # let _ = ws;
/// ```
///
/// # Errors
/// The rule that is broken; [`refusal`] makes the response to it.
/// [`HandshakeError::NotAnUpgrade`]: this is not an extended CONNECT, and so for another handler.
pub fn check<'h, F>(config: &ServerConfig, fields: F) -> Result<Upgrade, HandshakeError>
where
    F: IntoIterator<Item = (&'h str, &'h [u8]), IntoIter: Clone>,
{
    let fields = fields.into_iter();
    let pseudo = PseudoHeader::read(fields.clone())?;
    let protocol = pseudo.protocol.ok_or(HandshakeError::NotAnUpgrade)?;
    // RFC 8441 §4: only CONNECT has a `:protocol`.
    if pseudo.method != Some(b"CONNECT") {
        return Err(HandshakeError::Method);
    }
    if !protocol.eq_ignore_ascii_case(b"websocket") {
        return Err(HandshakeError::UnknownProtocol);
    }
    let scheme = pseudo.scheme.unwrap_or_default();
    if !matches!(scheme, b"https" | b"http") {
        return Err(HandshakeError::PseudoHeader);
    }
    let path = pseudo.path.and_then(|path| core::str::from_utf8(path).ok());
    if !path.is_some_and(is_resource_name) {
        return Err(HandshakeError::Target);
    }
    let authority = pseudo
        .authority
        .ok_or(HandshakeError::Missing(Field::Host))?;
    let authority = Authority::of(authority).map_err(|_| HandshakeError::Invalid(Field::Host))?;

    check_not_http1(fields.clone())?;
    let gathered = Gathered::from(fields.clone());
    gathered.check_host(&authority, scheme)?;
    let settings = config.settings();
    if !settings.answers_to(&authority) {
        return Err(HandshakeError::Misdirected);
    }
    if gathered.content {
        return Err(HandshakeError::Content);
    }
    gathered.check_version()?;
    gathered.check_lists(fields.clone())?;
    gathered.check_origin(&authority, settings)?;
    Ok(Upgrade {
        config: config.clone(),
        offer: Offer::without_key(&gathered, fields)?,
        way: Way::ExtendedConnect,
    })
}

/// The ready-made response to a bad request (RFC 6455 §4.2.2; RFC 9220 §3: 501 for another protocol).
/// Nothing is upgraded here, so it is 400 instead of 426.
#[must_use]
pub fn refusal(error: HandshakeError) -> ForeignResponse {
    ForeignResponse::refusal_extended(error)
}

/// The pseudo-header fields of a request (RFC 9113 §8.3.1; RFC 8441 §4).
#[derive(Default)]
struct PseudoHeader<'h> {
    method: Option<&'h [u8]>,
    protocol: Option<&'h [u8]>,
    scheme: Option<&'h [u8]>,
    path: Option<&'h [u8]>,
    authority: Option<&'h [u8]>,
}

impl<'h> PseudoHeader<'h> {
    /// Each comes once, before all other fields, and there are no others (RFC 9113 §8.3).
    fn read(fields: impl Iterator<Item = (&'h str, &'h [u8])>) -> Result<Self, HandshakeError> {
        let mut pseudo = Self::default();
        let mut others_began = false;
        for (name, value) in fields {
            if !name.starts_with(':') {
                others_began = true;
                continue;
            }
            let place = match name {
                ":method" => &mut pseudo.method,
                ":protocol" => &mut pseudo.protocol,
                ":scheme" => &mut pseudo.scheme,
                ":path" => &mut pseudo.path,
                ":authority" => &mut pseudo.authority,
                _ => return Err(HandshakeError::PseudoHeader),
            };
            if others_began || place.replace(trim(value)).is_some() {
                return Err(HandshakeError::PseudoHeader);
            }
        }
        Ok(pseudo)
    }
}

/// RFC 8441 §5; RFC 9113 §8.2.2: a field of a connection of HTTP/1 makes the message malformed.
fn check_not_http1<'h>(
    mut fields: impl Iterator<Item = (&'h str, &'h [u8])>,
) -> Result<(), HandshakeError> {
    let Some((name, _)) = fields.find(|(name, value)| is_connection_specific(name, value)) else {
        return Ok(());
    };
    Err(match Field::of(name) {
        Some(field @ (Field::Connection | Field::Upgrade)) => HandshakeError::Invalid(field),
        _ => HandshakeError::ConnectionSpecific,
    })
}

#[cfg(test)]
mod tests;
