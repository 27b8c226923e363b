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

use super::accept::Offer;
use super::client::ClientRequest;
use super::extensions;
use super::field::{is_connection_specific, lower_case, trim};
use super::foreign::{ForeignResponse, Upgrade, Way};
use super::negotiated::Negotiated;
use super::refusal::Refusal;
use super::rules::{Gathered, is_resource_name};
use super::uri::Authority;

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
/// let (response, _) = upgrade.accept(Accept::new()).unwrap();
/// assert_eq!(response.status, 200);
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
    let authority = Authority::of_value(authority).ok_or(HandshakeError::Invalid(Field::Host))?;

    check_not_http1(fields.clone())?;
    let gathered = Gathered::from(fields.clone());
    gathered.check_host(&authority, scheme)?;
    if gathered.content {
        return Err(HandshakeError::Content);
    }
    gathered.check_version()?;
    let settings = config.settings();
    let (subprotocols, extensions) = gathered.lists(fields)?;
    gathered.check_origin(&authority, &settings.origin)?;
    Ok(Upgrade {
        configured: extensions::choose(settings, &extensions),
        offer: Offer {
            subprotocols,
            extensions,
            ..Offer::default()
        },
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
#[allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by a panic")]
mod tests {
    use alloc::vec;

    use super::super::accept::Accept;
    use super::super::foreign::tests::any_origin;
    use super::super::uri::Uri;
    use super::*;
    use crate::config::OriginPolicy;
    use crate::error::{AcceptError, FieldError};

    type Fields = Vec<(&'static str, &'static [u8])>;

    /// RFC 8441 §5.1.
    fn sample() -> Fields {
        vec![
            (":method", b"CONNECT"),
            (":protocol", b"websocket"),
            (":scheme", b"https"),
            (":path", b"/chat"),
            (":authority", b"server.example.com"),
            ("sec-websocket-protocol", b"chat, superchat"),
            ("sec-websocket-extensions", b"permessage-deflate"),
            ("sec-websocket-version", b"13"),
            ("origin", b"http://www.example.com"),
        ]
    }

    fn without(name: &str) -> Fields {
        sample()
            .into_iter()
            .filter(|(own, _)| *own != name)
            .collect()
    }

    fn with(name: &'static str, value: &'static [u8]) -> Fields {
        let mut fields = sample();
        match fields.iter_mut().find(|(own, _)| *own == name) {
            Some(field) => field.1 = value,
            None => fields.push((name, value)),
        }
        fields
    }

    fn error(fields: Fields) -> HandshakeError {
        check(&any_origin(), fields).unwrap_err()
    }

    fn client() -> ClientRequest {
        let request = ClientRequest::new(Uri::parse("wss://server.example.com/chat").unwrap());
        let request = request.subprotocol("chat").unwrap();
        let request = request.subprotocol("superchat").unwrap();
        let request = request.extension("permessage-deflate", 0).unwrap();
        request.origin("http://www.example.com").unwrap()
    }

    fn names(fields: &[(String, Vec<u8>)]) -> Vec<(&str, &[u8])> {
        fields
            .iter()
            .map(|(name, value)| (&**name, &**value))
            .collect()
    }

    /// E-1, E-3, E-4, E-6, E-7: the list of RFC 8441 §5.1, once the setting was seen.
    #[test]
    fn the_request() {
        assert_eq!(SETTINGS_ENABLE_CONNECT_PROTOCOL, 8);
        assert_eq!(
            request(&ClientConfig::new(), &client(), ConnectProtocol::NotEnabled),
            Err(ExtendedConnectError::NotEnabled)
        );
        let fields = request(&ClientConfig::new(), &client(), ConnectProtocol::Enabled).unwrap();
        let mut own = names(&fields);
        let mut expected = sample();
        own[5..].sort_unstable();
        expected[5..].sort_unstable();
        assert_eq!(own, expected);
    }

    /// E-5, E-6.
    #[test]
    fn other_requests() {
        let plain = ClientRequest::new(Uri::parse("ws://h:8080?x").unwrap());
        let plain = plain.header("X-Up", b"Case").unwrap();
        let fields = request(&ClientConfig::new(), &plain, ConnectProtocol::Enabled).unwrap();
        let expected: Fields = vec![
            (":method", b"CONNECT"),
            (":protocol", b"websocket"),
            (":scheme", b"http"),
            (":path", b"/?x"),
            (":authority", b"h:8080"),
            ("sec-websocket-version", b"13"),
            ("x-up", b"Case"),
        ];
        assert_eq!(names(&fields), expected);
        for name in ["Keep-Alive", "Proxy-Connection", "TE"] {
            let bad = plain.clone().header(name, b"x").unwrap();
            assert_eq!(
                request(&ClientConfig::new(), &bad, ConnectProtocol::Enabled),
                Err(ExtendedConnectError::Field(FieldError::Reserved))
            );
        }
    }

    /// E-7, E-8, E-9: 200 with the agreed values, in lower case, and no key or accept value.
    #[test]
    fn the_answer() {
        let upgrade = check(&any_origin(), sample()).unwrap();
        let offered: Vec<&str> = upgrade.subprotocols().collect();
        assert_eq!(offered, ["chat", "superchat"]);
        assert_eq!(upgrade.extensions(), "permessage-deflate");
        let accept = Accept::new()
            .subprotocol("chat")
            .header("X-Up", b"a")
            .unwrap();
        let (response, negotiated) = upgrade.accept(accept).unwrap();
        assert_eq!(response.status, 200);
        let expected: Fields = vec![("sec-websocket-protocol", b"chat"), ("x-up", b"a")];
        assert_eq!(names(&response.fields), expected);
        assert_eq!(negotiated, Negotiated::new().subprotocol("chat"));
        let result = upgrade.accept(Accept::new().subprotocol("other"));
        assert_eq!(result.unwrap_err(), AcceptError::SubprotocolNotOffered);
        let keep = Accept::new().header("Keep-Alive", b"1").unwrap();
        let reserved = AcceptError::Field(FieldError::Reserved);
        assert_eq!(upgrade.accept(keep).unwrap_err(), reserved);
        // The authority stands for Host.
        let same = ServerConfig::new(OriginPolicy::SameHost);
        assert_eq!(check(&same, sample()).unwrap_err(), HandshakeError::Origin);
        check(&same, with("origin", b"https://server.example.com")).unwrap();
    }

    /// E-4, E-6, E-7, E-10, D-22.
    #[test]
    fn bad_requests() {
        assert_eq!(error(without(":protocol")), HandshakeError::NotAnUpgrade);
        assert_eq!(
            error(with(":protocol", b"foo")),
            HandshakeError::UnknownProtocol
        );
        assert_eq!(error(with(":method", b"GET")), HandshakeError::Method);
        assert_eq!(error(without(":method")), HandshakeError::Method);
        assert_eq!(error(without(":scheme")), HandshakeError::PseudoHeader);
        assert_eq!(error(with(":scheme", b"wss")), HandshakeError::PseudoHeader);
        assert_eq!(error(without(":path")), HandshakeError::Target);
        for path in [&b""[..], b"*", b"chat", b"/a b", b"/\xff", b"/#"] {
            assert_eq!(error(with(":path", path)), HandshakeError::Target);
        }
        let missing = HandshakeError::Missing(Field::Host);
        assert_eq!(error(without(":authority")), missing);
        for authority in [&b""[..], b"u@h", b"a b", b"\xff"] {
            let invalid = HandshakeError::Invalid(Field::Host);
            assert_eq!(error(with(":authority", authority)), invalid);
        }
        for (name, field) in [
            ("connection", Field::Connection),
            ("upgrade", Field::Upgrade),
        ] {
            let invalid = HandshakeError::Invalid(field);
            assert_eq!(error(with(name, b"x")), invalid);
        }
        assert_eq!(error(with("content-length", b"5")), HandshakeError::Content);
        let missing = HandshakeError::Missing(Field::Version);
        assert_eq!(error(without("sec-websocket-version")), missing);
        assert_eq!(
            error(with("sec-websocket-version", b"8")),
            HandshakeError::Version
        );
        let twice: Fields = [sample(), vec![(":protocol", b"websocket")]].concat();
        assert_eq!(error(twice), HandshakeError::PseudoHeader);
        check(&any_origin(), with("sec-websocket-key", b"what")).unwrap();
        check(&any_origin(), with("sec-websocket-accept", b"ever")).unwrap();
    }

    /// RFC 9113 §8.3: pseudo-header fields are known, come once, and before all others.
    #[test]
    fn pseudo_headers() {
        let first = |name, value| {
            let mut fields = sample();
            fields.insert(0, (name, value));
            fields
        };
        for name in [":foo", ":status", ":Method", ":"] {
            assert_eq!(error(first(name, b"x")), HandshakeError::PseudoHeader);
        }
        assert_eq!(
            error(first(":scheme", b"https")),
            HandshakeError::PseudoHeader
        );
        let mut late = without(":path");
        late.push((":path", b"/chat"));
        assert_eq!(error(late), HandshakeError::PseudoHeader);
        // Also where this is no extended CONNECT.
        let plain: Fields = vec![(":method", b"GET"), ("accept", b"*/*"), (":path", b"/")];
        assert_eq!(error(plain), HandshakeError::PseudoHeader);
        let result = open(&ClientConfig::new(), &client(), 200, [(":foo", &b"x"[..])]);
        assert_eq!(result, Err(HandshakeError::PseudoHeader));
    }

    /// RFC 9113 §8.3.1: `Host` may repeat `:authority`, once, and name nothing else.
    #[test]
    fn host_beside_the_authority() {
        for host in [&b"server.example.com"[..], b"SERVER.example.com:443"] {
            check(&any_origin(), with("host", host)).unwrap();
        }
        let invalid = HandshakeError::Invalid(Field::Host);
        for host in [
            &b"other.example.com"[..],
            b"server.example.com:80",
            b"",
            b"\xff",
        ] {
            assert_eq!(error(with("host", host)), invalid);
        }
        let mut twice = with("host", b"server.example.com");
        twice.push(("Host", b"server.example.com"));
        assert_eq!(error(twice), HandshakeError::Repeated(Field::Host));
    }

    /// RFC 9113 §8.2.2: one list, in what is received and in what is sent.
    #[test]
    fn fields_of_a_connection() {
        let reserved = FieldError::Reserved;
        for (name, value) in [
            ("keep-alive", &b"timeout=5"[..]),
            ("Proxy-Connection", b"close"),
            ("te", b"gzip"),
            ("te", b"trailers, gzip"),
            ("TE", b""),
            ("transfer-encoding", b"chunked"),
        ] {
            let specific = HandshakeError::ConnectionSpecific;
            assert_eq!(error(with(name, value)), specific, "{name}");
            let result = open(&ClientConfig::new(), &client(), 200, [(name, value)]);
            assert_eq!(result, Err(specific), "{name}");
            // The application cannot add this one at all.
            if name == "transfer-encoding" {
                continue;
            }
            let asked = client().header(name, value).unwrap();
            let result = request(&ClientConfig::new(), &asked, ConnectProtocol::Enabled);
            assert_eq!(result, Err(ExtendedConnectError::Field(reserved)), "{name}");
            let accept = Accept::new().header(name, value).unwrap();
            let result = check(&any_origin(), sample()).unwrap().accept(accept);
            assert_eq!(result.unwrap_err(), AcceptError::Field(reserved), "{name}");
        }
        check(&any_origin(), with("te", b" Trailers")).unwrap();
        let asked = client().header("TE", b"trailers").unwrap();
        let fields = request(&ClientConfig::new(), &asked, ConnectProtocol::Enabled).unwrap();
        assert_eq!(fields.last(), Some(&("te".into(), b"trailers".to_vec())));
    }

    /// E-6, E-7, E-10: statuses, and no field of HTTP/1.
    #[test]
    fn refusals() {
        for (error, status) in [
            (HandshakeError::Missing(Field::Version), 400),
            (HandshakeError::Version, 400),
            (HandshakeError::UnknownProtocol, 501),
            (HandshakeError::Origin, 403),
            (HandshakeError::Invalid(Field::Upgrade), 400),
        ] {
            let response = refusal(error);
            assert_eq!(response.status, status);
            let expected: Fields = vec![
                ("sec-websocket-version", b"13"),
                ("content-type", b"text/plain; charset=utf-8"),
            ];
            assert_eq!(names(&response.fields), expected);
        }
    }

    /// E-7, E-8, HR-6 to HR-10, D-4, D-22.
    #[test]
    fn reading_the_answer() {
        let open = |status, fields: &Fields| {
            open(
                &ClientConfig::new(),
                &client(),
                status,
                fields.iter().copied(),
            )
        };
        let chat: Fields = vec![("sec-websocket-protocol", b"chat")];
        for status in [200, 204, 299] {
            let expected = Negotiated::new().subprotocol("chat");
            assert_eq!(open(status, &chat), Ok(Outcome::Open(expected)));
        }
        for status in [0, 100, 101, 103, 199] {
            assert_eq!(open(status, &chat), Err(HandshakeError::Status));
        }
        match open(403, &chat) {
            Ok(Outcome::Refused(refusal)) => {
                assert_eq!(refusal.status, 403);
                assert_eq!(refusal.header("Sec-WebSocket-Protocol"), Some(&b"chat"[..]));
            }
            other => panic!("{other:?}"),
        }
        let deflate: Fields = vec![("sec-websocket-extensions", b"permessage-deflate")];
        let expected = Negotiated::new().extensions("permessage-deflate");
        assert_eq!(open(200, &deflate), Ok(Outcome::Open(expected)));
        for (name, value, error) in [
            (
                "sec-websocket-protocol",
                &b"other"[..],
                HandshakeError::SubprotocolNotOffered,
            ),
            (
                "sec-websocket-protocol",
                b"",
                HandshakeError::Invalid(Field::Protocol),
            ),
            (
                "sec-websocket-extensions",
                b"foo",
                HandshakeError::ExtensionNotOffered,
            ),
            (
                "sec-websocket-extensions",
                b"a;",
                HandshakeError::Invalid(Field::Extensions),
            ),
            (
                "upgrade",
                b"websocket",
                HandshakeError::Invalid(Field::Upgrade),
            ),
            (
                "connection",
                b"Upgrade",
                HandshakeError::Invalid(Field::Connection),
            ),
        ] {
            assert_eq!(open(200, &vec![(name, value)]), Err(error), "{name}");
        }
        assert!(open(200, &vec![("sec-websocket-accept", b"x")]).is_ok());
        let required = ClientConfig::new().require_subprotocol();
        let result = super::open(&required, &client(), 200, []);
        assert_eq!(result, Err(HandshakeError::SubprotocolRequired));
    }
}
