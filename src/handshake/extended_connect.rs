//! The opening handshake in HTTP/2 and HTTP/3: extended CONNECT (RFC 8441, RFC 9220), as lists of
//! fields in and out, pseudo-header fields among them.
//!
//! Afterwards the stream is what TCP is elsewhere (RFC 8441 §5): frames go in DATA and clients mask
//! them; END_STREAM, or FIN in HTTP/3, is [`receive_eof`](crate::Connection::receive_eof), and a reset is
//! [`transport_lost`](crate::Connection::transport_lost). Where the connection asks for its transport to be
//! closed before the closing handshake is complete, the stream is reset with CANCEL or
//! H3_REQUEST_CANCELLED.
//!
//! A server that sent [`SETTINGS_ENABLE_CONNECT_PROTOCOL`] with 1 never sends it with 0 later, and ignores it
//! when received (RFC 8441 §3). Through a forward proxy a plain CONNECT comes first, whatever version of
//! HTTP the proxy speaks (§7).

use crate::config::{ClientConfig, ServerConfig};
use crate::error::{Field, HandshakeError, Misuse};
use crate::handshake::agreement;
use crate::handshake::client::ClientRequest;
use crate::handshake::field::trim;
use crate::handshake::foreign::{Negotiated, Reply, Upgrade, Way, lower_case, rules};
use crate::handshake::refusal::Refusal;
use crate::handshake::rules::{Gathered, Offer, is_resource_name};
use crate::handshake::uri::Authority;
use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

/// The setting by which a server says that it takes extended CONNECT, with the value 1 (RFC 8441 §3;
/// the same number in HTTP/3: RFC 9220 §3).
pub const SETTINGS_ENABLE_CONNECT_PROTOCOL: u16 = 8;

/// What a server's answer means to a client.
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
    /// The server said no. The body, if any, is what the stream still brings.
    Refused(Box<Refusal>),
}

/// The fields of a client's request (RFC 8441 §4, §5). `peer_allows` says that the server's
/// [`SETTINGS_ENABLE_CONNECT_PROTOCOL`] of 1 was received.
///
/// ```
/// use sansocket::{ClientConfig, ClientRequest, Uri, handshake::extended_connect};
/// let request = ClientRequest::new(Uri::parse("ws://h:8080?x").unwrap());
/// let fields = extended_connect::request(&ClientConfig::new(), &request, true)?;
/// assert_eq!(fields[0], (":method".into(), b"CONNECT".to_vec()));
/// assert_eq!(fields[4], (":authority".into(), b"h:8080".to_vec()));
/// # Ok::<(), sansocket::Misuse>(())
/// ```
///
/// # Errors
/// [`Misuse::NotEnabled`] without that setting; [`Misuse::ReservedHeader`] for an added field that exists
/// only in HTTP/1 (RFC 9113 §8.2.2).
pub fn request(
    config: &ClientConfig,
    request: &ClientRequest,
    peer_allows: bool,
) -> Result<Vec<(String, Vec<u8>)>, Misuse> {
    if !peer_allows {
        return Err(Misuse::NotEnabled);
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
    let offer = agreement::offer(config.settings());
    let expectation = request.expectation(None, offer.as_deref());
    for (field, value) in request.negotiated_fields(&expectation) {
        fields.push((field.name().into(), value.into()));
    }
    fields.extend(
        request
            .headers()
            .map(|(name, value)| (name.into(), value.into())),
    );
    lower_case(&mut fields)?;
    Ok(fields)
}

/// Reads the final answer to such a request: its status, and its fields without `:status`.
/// Any 2xx opens (RFC 9113 §8.5; D-22).
///
/// # Errors
/// The rule of RFC 6455 §4.1 that the answer breaks: the stream is to be reset.
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
    Gathered::from(fields.clone()).check_no_http1()?;
    let settings = config.settings();
    let offer = agreement::offer(settings);
    let expectation = request.expectation(None, offer.as_deref());
    let answer = expectation.check_lists(fields, settings.require_subprotocol)?;
    let extensions = answer.extensions.as_deref().unwrap_or_default();
    let bits = agreement::check(settings, &expectation.own, extensions)?;
    Ok(Outcome::Open(Negotiated::from(answer).reserved_bits(bits)))
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
/// let (reply, _) = upgrade.accept(Accept::new()).unwrap();
/// assert_eq!(reply.status, 200);
/// ```
///
/// # Errors
/// The rule that is broken; [`refusal`] makes the answer to it.
/// [`HandshakeError::NotAnUpgrade`]: no extended CONNECT, and so for another handler.
pub fn check<'h, F>(config: &ServerConfig, fields: F) -> Result<Upgrade, HandshakeError>
where
    F: IntoIterator<Item = (&'h str, &'h [u8]), IntoIter: Clone>,
{
    let fields = fields.into_iter();
    let pseudo = |name| pseudo(fields.clone(), name);
    let (method, protocol) = (pseudo(":method")?, pseudo(":protocol")?);
    let Some(protocol) = protocol else {
        return Err(HandshakeError::NotAnUpgrade);
    };
    // RFC 8441 §4: only CONNECT has a `:protocol`.
    if method != Some(b"CONNECT") {
        return Err(HandshakeError::Method);
    }
    if !protocol.eq_ignore_ascii_case(b"websocket") {
        return Err(HandshakeError::UnknownProtocol);
    }
    if !matches!(pseudo(":scheme")?, Some(b"https" | b"http")) {
        return Err(HandshakeError::Malformed);
    }
    let path = pseudo(":path")?.and_then(|path| core::str::from_utf8(path).ok());
    if !path.is_some_and(is_resource_name) {
        return Err(HandshakeError::Target);
    }
    let authority = pseudo(":authority")?.ok_or(HandshakeError::Missing(Field::Host))?;
    let authority = core::str::from_utf8(authority).ok();
    let authority = authority.and_then(|authority| Authority::of(authority).ok());
    let authority = authority.ok_or(HandshakeError::Invalid(Field::Host))?;

    let gathered = Gathered::from(fields.clone());
    gathered.check_no_http1()?;
    if gathered.content {
        return Err(HandshakeError::Content);
    }
    gathered.check_version()?;
    let rules = rules(config);
    let (subprotocols, extensions) = gathered.lists(fields, rules.keep_extensions)?;
    gathered.check_origin(&authority, rules.origin)?;
    Ok(Upgrade {
        agreed: agreement::choose(config.settings(), &extensions),
        offer: Offer {
            subprotocols,
            extensions,
            ..Offer::default()
        },
        way: Way::ExtendedConnect,
    })
}

/// The ready-made answer to a bad request (RFC 6455 §4.2.2; RFC 9220 §3: 501 for another protocol).
/// There is nothing to upgrade here, so 400 stands in the place of 426.
#[must_use]
pub fn refusal(error: HandshakeError) -> Reply {
    Reply::refusal_extended(error)
}

/// A pseudo-header field, which comes once (RFC 9113 §8.3).
fn pseudo<'h>(
    fields: impl Iterator<Item = (&'h str, &'h [u8])>,
    name: &str,
) -> Result<Option<&'h [u8]>, HandshakeError> {
    let mut values = fields
        .filter(|&(own, _)| own == name)
        .map(|(_, value)| trim(value));
    match (values.next(), values.next()) {
        (value, None) => Ok(value),
        _ => Err(HandshakeError::Malformed),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)]
mod tests {
    use super::*;
    use crate::config::OriginPolicy;
    use crate::handshake::foreign::tests::any_origin;
    use crate::handshake::server::Accept;
    use crate::handshake::uri::Uri;
    use alloc::vec;

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
        let mut fields = without(name);
        fields.push((name, value));
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
            request(&ClientConfig::new(), &client(), false),
            Err(Misuse::NotEnabled)
        );
        let fields = request(&ClientConfig::new(), &client(), true).unwrap();
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
        let fields = request(&ClientConfig::new(), &plain, true).unwrap();
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
                request(&ClientConfig::new(), &bad, true),
                Err(Misuse::ReservedHeader)
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
        let (reply, negotiated) = upgrade.accept(accept).unwrap();
        assert_eq!(reply.status, 200);
        let expected: Fields = vec![("sec-websocket-protocol", b"chat"), ("x-up", b"a")];
        assert_eq!(names(&reply.fields), expected);
        assert_eq!(negotiated, Negotiated::new().subprotocol("chat"));
        let result = upgrade.accept(Accept::new().subprotocol("other"));
        assert_eq!(result.unwrap_err(), Misuse::NotOffered);
        let keep = Accept::new().header("Keep-Alive", b"1").unwrap();
        assert_eq!(upgrade.accept(keep).unwrap_err(), Misuse::ReservedHeader);
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
        assert_eq!(error(without(":scheme")), HandshakeError::Malformed);
        assert_eq!(error(with(":scheme", b"wss")), HandshakeError::Malformed);
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
        assert_eq!(error(twice), HandshakeError::Malformed);
        check(&any_origin(), with("sec-websocket-key", b"what")).unwrap();
        check(&any_origin(), with("sec-websocket-accept", b"ever")).unwrap();
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
            let reply = refusal(error);
            assert_eq!(reply.status, status);
            let expected: Fields = vec![
                ("sec-websocket-version", b"13"),
                ("content-type", b"text/plain; charset=utf-8"),
            ];
            assert_eq!(names(&reply.fields), expected);
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
