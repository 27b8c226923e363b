//! Opening handshakes of another HTTP stack, which parses the request and writes the response: the same
//! rules, over lists of fields.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use crate::config::ServerConfig;
use crate::error::{AcceptError, Field, HandshakeError};

use super::accept::{Accept, Asked, Offer, negotiated_fields};
use super::extra::{FieldList, lower_case};
use super::head::{HttpVersion, RequestLine};
use super::negotiated::Negotiated;
use super::response::Response;

/// A request for WebSocket that another HTTP stack has parsed, checked by the rules of RFC 6455 §4.2.
///
/// ```
/// use sansocket::{Accept, OriginPolicy, ServerConfig, handshake::{HttpVersion, Upgrade}};
/// let config = ServerConfig::new(OriginPolicy::SameHost);
/// let fields = [
///     ("host", &b"example.com"[..]),
///     ("upgrade", b"websocket"),
///     ("connection", b"Upgrade"),
///     ("sec-websocket-key", b"dGhlIHNhbXBsZSBub25jZQ=="),
///     ("sec-websocket-version", b"13"),
///     ("sec-websocket-protocol", b"chat"),
/// ];
/// let upgrade = Upgrade::check(&config, "GET", "/ws", HttpVersion::Http11, fields).unwrap();
/// let (response, ws) = upgrade.accept(Accept::new().subprotocol("chat")).unwrap();
/// assert_eq!(response.status, 101);
/// assert_eq!(ws.subprotocol(), Some("chat"));
/// // Send `response`, take the upgraded stream, and go on with `ws`.
/// ```
#[derive(Clone)]
pub struct Upgrade {
    pub(crate) offer: Offer,
    pub(crate) way: Way,
    /// What the connection will have.
    pub(crate) config: ServerConfig,
}

impl Upgrade {
    /// Checks a request of HTTP/1: its method, its target as it was sent, its version, and its fields.
    ///
    /// # Errors
    /// The rule that is broken; [`ForeignResponse::refusal`] makes the response to it.
    /// [`HandshakeError::NotAnUpgrade`]: the request may be for another handler.
    pub fn check<'h, F>(
        config: &ServerConfig,
        method: &'h str,
        target: &'h str,
        version: HttpVersion,
        fields: F,
    ) -> Result<Self, HandshakeError>
    where
        F: IntoIterator<Item = (&'h str, &'h [u8]), IntoIter: Clone>,
    {
        let line = RequestLine {
            method,
            target,
            version,
        };
        match Asked::judge(line, fields.into_iter(), config.settings())? {
            Asked::Upgrade(offer) => Ok(Self {
                offer,
                way: Way::Http1,
                config: config.clone(),
            }),
            Asked::Plain(refusal) => Err(refusal),
        }
    }

    /// The subprotocols that the client offers, most wanted first (RFC 6455 §1.9).
    pub fn subprotocols(&self) -> impl Iterator<Item = &str> {
        self.offer.subprotocols()
    }

    /// The extensions that the client offers, as the value of `Sec-WebSocket-Extensions`
    /// (RFC 6455 §9.1). Empty: none.
    #[must_use]
    pub fn extensions(&self) -> &str {
        &self.offer.extensions
    }

    /// As [`accept`](Self::accept), for a connection that is made elsewhere: the response that opens
    /// it, and what it agrees to, from which
    /// [`upgraded_server`](crate::Connection::upgraded_server) starts. Message extensions of `accept`'s own
    /// have to be those of the configuration there.
    ///
    /// # Errors
    /// [`AcceptError::SubprotocolNotOffered`] and [`AcceptError::ExtensionNotOffered`] for what the
    /// client does not offer, [`AcceptError::ExtensionConflict`] if the extensions cannot be used
    /// together; in HTTP/2 and HTTP/3 [`AcceptError::Field`] for a field of `accept` that exists only
    /// in HTTP/1.
    pub fn negotiate(&self, accept: Accept) -> Result<(ForeignResponse, Negotiated), AcceptError> {
        let extensions = accept.configured(self.config.settings());
        let configured = extensions.answer(&self.offer.extensions);
        let negotiated = self.offer.negotiate(&accept, configured.as_ref())?;
        let mut response = match self.way {
            Way::Http1 => {
                let mut response = ForeignResponse::new(101);
                response.add(Field::Upgrade, b"websocket");
                response.add(Field::Connection, b"Upgrade");
                response.add(Field::Accept, &self.offer.accept);
                response
            }
            Way::ExtendedConnect => ForeignResponse::new(200),
        };
        for (field, value) in negotiated_fields(&negotiated) {
            response.add(field, value.as_bytes());
        }
        response.fields.extend(accept.into_fields());
        if self.way == Way::ExtendedConnect {
            lower_case(&mut response.fields)?;
        }
        Ok((response, negotiated))
    }
}

/// Lengths only.
impl fmt::Debug for Upgrade {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Upgrade")
            .field("way", &self.way)
            .field("subprotocols", &self.subprotocols().count())
            .field("extensions", &self.offer.extensions.len())
            .finish()
    }
}

/// Which HTTP carries the handshake.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// `GET` with `Upgrade` and 101 (RFC 6455 §4).
    Http1,
    /// Extended CONNECT and 200, in HTTP/2 and HTTP/3 (RFC 8441, RFC 9220).
    ExtendedConnect,
}

/// A response for another HTTP stack to write, which frames the body itself.
///
/// ```
/// use sansocket::{error::HandshakeError, handshake::ForeignResponse};
/// let response = ForeignResponse::refusal(HandshakeError::Version);
/// assert_eq!(response.status, 426);
/// assert!(response.fields.contains(&("Sec-WebSocket-Version".into(), b"13".to_vec())));
/// ```
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ForeignResponse {
    /// The status.
    pub status: u16,
    /// The fields, in order. No `Content-Length` among them.
    pub fields: Vec<(String, Vec<u8>)>,
    /// The body; empty in a response that opens.
    pub body: Vec<u8>,
}

impl ForeignResponse {
    fn new(status: u16) -> Self {
        Self {
            status,
            fields: FieldList::new(),
            body: Vec::new(),
        }
    }

    /// The ready-made response to a bad handshake in HTTP/1: the fitting status, the version of the
    /// protocol that is spoken here, and a line of text (RFC 6455 §4.2.2, §4.4).
    #[must_use]
    pub fn refusal(error: HandshakeError) -> Self {
        let (status, fields, body) = Response::refusal(error).into_parts();
        let mut response = Self {
            status,
            fields,
            body,
        };
        // RFC 9110 §7.8: an Upgrade field is named in Connection.
        if status == 426 {
            response.add(Field::Connection, b"Upgrade");
        }
        response
    }

    /// The same for HTTP/2 and HTTP/3, where nothing is upgraded: 400 instead of 426.
    pub(crate) fn refusal_extended(error: HandshakeError) -> Self {
        let (status, fields, body) = Response::refusal(error).into_parts();
        let mut response = Self {
            status: if status == 426 { 400 } else { status },
            fields,
            body,
        };
        response
            .fields
            .retain(|(name, _)| Field::of(name) != Some(Field::Upgrade));
        for (name, _) in &mut response.fields {
            name.make_ascii_lowercase();
        }
        response
    }

    fn add(&mut self, field: Field, value: &[u8]) {
        self.fields.push((field.name().into(), value.into()));
    }
}

/// The status, and lengths.
impl fmt::Debug for ForeignResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ForeignResponse")
            .field("status", &self.status)
            .field("fields", &self.fields.len())
            .field("body", &self.body.len())
            .finish()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by a panic")]
pub(crate) mod tests {
    use alloc::format;

    use crate::config::OriginPolicy;

    use super::*;

    pub(crate) fn any_origin() -> ServerConfig {
        ServerConfig::new(OriginPolicy::Any)
    }

    pub(crate) const SAMPLE: [(&str, &[u8]); 7] = [
        ("host", b"server.example.com"),
        ("upgrade", b"websocket"),
        ("connection", b"Upgrade"),
        ("sec-websocket-key", b"dGhlIHNhbXBsZSBub25jZQ=="),
        ("origin", b"http://example.com"),
        ("sec-websocket-protocol", b"chat, superchat"),
        ("sec-websocket-version", b"13"),
    ];

    fn check(fields: &[(&'static str, &'static [u8])]) -> Result<Upgrade, HandshakeError> {
        Upgrade::check(
            &any_origin(),
            "GET",
            "/chat",
            HttpVersion::Http11,
            fields.iter().copied(),
        )
    }

    fn text(fields: &[(String, Vec<u8>)]) -> String {
        let line = |(name, value): &(String, Vec<u8>)| {
            format!("{name}: {}\n", core::str::from_utf8(value).unwrap())
        };
        fields.iter().map(line).collect()
    }

    /// The same answer as to our own bytes.
    #[test]
    fn the_sample() {
        let upgrade = check(&SAMPLE).unwrap();
        let offered: Vec<&str> = upgrade.subprotocols().collect();
        assert_eq!(offered, ["chat", "superchat"]);
        let accept = Accept::new()
            .subprotocol("chat")
            .header("Set-Cookie", b"a=1");
        let (response, negotiated) = upgrade.negotiate(accept.unwrap()).unwrap();
        assert_eq!((response.status, response.body.len()), (101, 0));
        assert_eq!(
            text(&response.fields),
            "Upgrade: websocket\nConnection: Upgrade\n\
             Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\n\
             Sec-WebSocket-Protocol: chat\nSet-Cookie: a=1\n"
        );
        assert_eq!(negotiated, Negotiated::new().subprotocol("chat"));
    }

    #[test]
    fn only_what_was_offered() {
        let upgrade = check(&SAMPLE).unwrap();
        let result = upgrade.negotiate(Accept::new().subprotocol("other"));
        assert_eq!(result.unwrap_err(), AcceptError::SubprotocolNotOffered);
        let mut fields = SAMPLE.to_vec();
        fields.push(("sec-websocket-extensions", b"foo; a=1"));
        fields.push(("Sec-WebSocket-Extensions", b"bar"));
        let upgrade = check(&fields).unwrap();
        assert_eq!(upgrade.extensions(), "foo; a=1, bar");
        let accept = Accept::new().extension("bar", 0).unwrap();
        let (response, negotiated) = upgrade.negotiate(accept).unwrap();
        assert!(text(&response.fields).ends_with("Sec-WebSocket-Extensions: bar\n"));
        assert_eq!(negotiated.extensions, "bar");
    }

    /// The rules do not depend on who parsed the head; HTTP/1.0 is not let through.
    #[test]
    fn the_same_rules() {
        let config = ServerConfig::new(OriginPolicy::SameHost);
        let run = |config: &ServerConfig, method, target, version| {
            Upgrade::check(config, method, target, version, SAMPLE).err()
        };
        assert_eq!(
            run(&config, "GET", "/", HttpVersion::Http11),
            Some(HandshakeError::Origin)
        );
        let config = any_origin();
        assert_eq!(run(&config, "GET", "/", HttpVersion::Http11), None);
        assert_eq!(
            run(&config, "POST", "/", HttpVersion::Http11),
            Some(HandshakeError::Method)
        );
        assert_eq!(
            run(&config, "GET", "/", HttpVersion::Http10),
            Some(HandshakeError::Http10)
        );
        assert_eq!(
            run(&config, "GET", "*", HttpVersion::Http11),
            Some(HandshakeError::Target)
        );
        for (without, error) in [
            ("host", HandshakeError::Missing(Field::Host)),
            ("upgrade", HandshakeError::NotAnUpgrade),
            ("connection", HandshakeError::Missing(Field::Connection)),
            ("sec-websocket-key", HandshakeError::Missing(Field::Key)),
            (
                "sec-websocket-version",
                HandshakeError::Missing(Field::Version),
            ),
        ] {
            let rest: Vec<_> = SAMPLE
                .into_iter()
                .filter(|(name, _)| *name != without)
                .collect();
            assert_eq!(check(&rest).err(), Some(error));
        }
    }

    #[test]
    fn refusals() {
        let response = ForeignResponse::refusal(HandshakeError::Version);
        assert_eq!(response.status, 426);
        assert_eq!(
            text(&response.fields),
            "Upgrade: websocket\nSec-WebSocket-Version: 13\n\
             Content-Type: text/plain; charset=utf-8\nConnection: Upgrade\n"
        );
        let response = ForeignResponse::refusal(HandshakeError::Origin);
        assert_eq!(response.status, 403);
        assert!(!text(&response.fields).contains("Upgrade"));
    }

    #[test]
    fn debug_shows_lengths_only() {
        let upgrade = check(&SAMPLE).unwrap();
        let (response, _) = upgrade.negotiate(Accept::new()).unwrap();
        let text = format!("{upgrade:?} {response:?}");
        assert!(!text.contains("chat") && !text.contains("s3p"), "{text}");
    }
}
