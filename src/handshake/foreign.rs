//! Opening handshakes whose bytes are somebody else's: an HTTP stack parsed the request and writes
//! the answer. The rules are the same ones; only lists of fields go in and out.

use crate::config::ServerConfig;
use crate::error::{Field, HandshakeError, Misuse};
use crate::handshake::agreement;
use crate::handshake::answer::Answer;
use crate::handshake::head::RequestLine;
use crate::handshake::response::Response;
use crate::handshake::rules::{Asked, Offer, Rules, judge_fields};
use crate::handshake::server::Accept;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

/// What the two sides agreed on: what a connection over an already upgraded stream starts from.
///
/// ```
/// use sansocket::handshake::Negotiated;
/// let negotiated = Negotiated::new().subprotocol("chat");
/// assert_eq!(negotiated.subprotocol.as_deref(), Some("chat"));
/// ```
#[derive(Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Negotiated {
    /// The subprotocol in use (RFC 6455 §1.9).
    pub subprotocol: Option<String>,
    /// The extensions in use with their parameters, as the value of `Sec-WebSocket-Extensions` in the
    /// answer (RFC 6455 §9.1). Empty: none.
    pub extensions: String,
    /// The reserved bits that extensions of the application's own use in data frames
    /// (RFC 6455 §5.2): RSV1 is 4, RSV2 2, RSV3 1.
    pub reserved_bits: u8,
}

impl Negotiated {
    /// No subprotocol and no extensions.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the subprotocol in use.
    #[must_use]
    pub fn subprotocol(mut self, subprotocol: impl Into<String>) -> Self {
        self.subprotocol = Some(subprotocol.into());
        self
    }

    /// Sets the extensions in use, as the server's answer had them.
    #[must_use]
    pub fn extensions(mut self, extensions: impl Into<String>) -> Self {
        self.extensions = extensions.into();
        self
    }

    /// Sets the reserved bits that extensions of the application's own use, of those in use.
    #[must_use]
    pub fn reserved_bits(mut self, bits: u8) -> Self {
        self.reserved_bits = bits;
        self
    }

    /// The fields of the answer that say it.
    pub(crate) fn fields(&self) -> impl Iterator<Item = (Field, &str)> {
        let extensions = Some(&self.extensions).filter(|list| !list.is_empty());
        [
            (Field::Protocol, self.subprotocol.as_ref()),
            (Field::Extensions, extensions),
        ]
        .into_iter()
        .filter_map(|(field, value)| Some((field, value?.as_str())))
    }

    /// Bytes of heap.
    pub(crate) fn memory_held(&self) -> usize {
        self.subprotocol.as_ref().map_or(0, String::capacity) + self.extensions.capacity()
    }
}

impl From<Answer> for Negotiated {
    fn from(answer: Answer) -> Self {
        Self {
            subprotocol: answer.subprotocol,
            extensions: answer.extensions.unwrap_or_default(),
            reserved_bits: 0,
        }
    }
}

/// Lengths only.
impl fmt::Debug for Negotiated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Negotiated")
            .field("subprotocol", &self.subprotocol.as_ref().map(String::len))
            .field("extensions", &self.extensions.len())
            .field("reserved_bits", &self.reserved_bits)
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

/// A request for WebSocket that another HTTP stack has parsed, checked by the rules of RFC 6455 §4.2.
///
/// ```
/// use sansocket::{Accept, OriginPolicy, ServerConfig, handshake::Upgrade};
/// let config = ServerConfig::new(OriginPolicy::SameHost);
/// let fields = [
///     ("host", &b"example.com"[..]),
///     ("upgrade", b"websocket"),
///     ("connection", b"Upgrade"),
///     ("sec-websocket-key", b"dGhlIHNhbXBsZSBub25jZQ=="),
///     ("sec-websocket-version", b"13"),
///     ("sec-websocket-protocol", b"chat"),
/// ];
/// let upgrade = Upgrade::check(&config, "GET", "/ws", true, fields).unwrap();
/// let (reply, negotiated) = upgrade.accept(Accept::new().subprotocol("chat")).unwrap();
/// assert_eq!(reply.status, 101);
/// assert_eq!(negotiated.subprotocol.as_deref(), Some("chat"));
/// // Send `reply`, take the upgraded stream and start a connection from `negotiated`.
/// ```
#[derive(Clone)]
pub struct Upgrade {
    pub(crate) offer: Offer,
    pub(crate) way: Way,
    /// What the configuration agrees to of the extensions offered.
    pub(crate) agreed: Option<String>,
}

impl Upgrade {
    /// Checks a request of HTTP/1: its method, its target as it was sent, whether the version is 1.1
    /// (or higher), and its fields.
    ///
    /// # Errors
    /// The rule that is broken; [`Reply::refusal`] makes the answer to it.
    /// [`HandshakeError::NotAnUpgrade`] is a request that may well be for another handler.
    pub fn check<'h, F>(
        config: &ServerConfig,
        method: &'h str,
        target: &'h str,
        http_11: bool,
        fields: F,
    ) -> Result<Self, HandshakeError>
    where
        F: IntoIterator<Item = (&'h str, &'h [u8]), IntoIter: Clone>,
    {
        let line = RequestLine {
            method,
            target,
            http10: !http_11,
        };
        match judge_fields(line, fields.into_iter(), &rules(config))? {
            Asked::Upgrade(offer) => Ok(Self {
                agreed: agreement::choose(config.settings(), &offer.extensions),
                offer,
                way: Way::Http1,
            }),
            Asked::Plain(error) => Err(error),
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

    /// The answer that opens the connection, and what it says.
    ///
    /// # Errors
    /// [`Misuse::NotOffered`] if the subprotocol or an extension is none of the client's,
    /// [`Misuse::BadExtension`] if the extensions cannot be used together; in HTTP/2 and HTTP/3
    /// [`Misuse::ReservedHeader`] for a field of `accept` that exists only in HTTP/1.
    pub fn accept(&self, accept: Accept) -> Result<(Reply, Negotiated), Misuse> {
        let negotiated = self.offer.negotiate(&accept, self.agreed.as_deref())?;
        let more = accept.into_fields();
        let mut reply = Reply::new(200);
        if self.way == Way::Http1 {
            reply.status = 101;
            reply.add(Field::Upgrade, b"websocket");
            reply.add(Field::Connection, b"Upgrade");
            reply.add(Field::Accept, &self.offer.accept);
        }
        for (field, value) in negotiated.fields() {
            reply.add(field, value.as_bytes());
        }
        reply.fields.extend(more);
        if self.way == Way::ExtendedConnect {
            lower_case(&mut reply.fields)?;
        }
        Ok((reply, negotiated))
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

/// An answer for another HTTP stack to write, which frames the body itself.
///
/// ```
/// use sansocket::{error::HandshakeError, handshake::Reply};
/// let reply = Reply::refusal(HandshakeError::Version);
/// assert_eq!(reply.status, 426);
/// assert!(reply.fields.contains(&("Sec-WebSocket-Version".into(), b"13".to_vec())));
/// ```
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Reply {
    /// The status.
    pub status: u16,
    /// The fields, in order. No `Content-Length` among them.
    pub fields: Vec<(String, Vec<u8>)>,
    /// The body; empty in an answer that opens.
    pub body: Vec<u8>,
}

impl Reply {
    fn new(status: u16) -> Self {
        Self {
            status,
            fields: Vec::new(),
            body: Vec::new(),
        }
    }

    fn add(&mut self, field: Field, value: &[u8]) {
        self.fields.push((field.name().into(), value.into()));
    }

    /// The ready-made answer to a bad handshake in HTTP/1: the fitting status, the version that is
    /// spoken here, and a line of text (RFC 6455 §4.2.2, §4.4).
    #[must_use]
    pub fn refusal(error: HandshakeError) -> Self {
        let (status, fields, body) = Response::refusal(error).into_parts();
        let mut own = Self {
            status,
            fields,
            body,
        };
        // RFC 9110 §7.8: an Upgrade field is named in Connection.
        if status == 426 {
            own.add(Field::Connection, b"Upgrade");
        }
        own
    }

    /// The same for HTTP/2 and HTTP/3, where there is nothing to upgrade: 400 in the place of 426.
    pub(crate) fn refusal_extended(error: HandshakeError) -> Self {
        let mut own = Self::refusal(error);
        if own.status == 426 {
            own.status = 400;
        }
        let http1 =
            |name: &str| matches!(Field::of(name), Some(Field::Upgrade | Field::Connection));
        own.fields.retain(|(name, _)| !http1(name));
        for (name, _) in &mut own.fields {
            name.make_ascii_lowercase();
        }
        own
    }
}

/// The status, and lengths.
impl fmt::Debug for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reply")
            .field("status", &self.status)
            .field("fields", &self.fields.len())
            .field("body", &self.body.len())
            .finish()
    }
}

/// Names as HTTP/2 and HTTP/3 want them (RFC 9113 §8.2), and none that belong to a connection of
/// HTTP/1 (§8.2.2).
pub(crate) fn lower_case(fields: &mut [(String, Vec<u8>)]) -> Result<(), Misuse> {
    for (name, _) in fields {
        name.make_ascii_lowercase();
        if matches!(
            name.as_str(),
            "connection"
                | "upgrade"
                | "keep-alive"
                | "proxy-connection"
                | "transfer-encoding"
                | "te"
        ) {
            return Err(Misuse::ReservedHeader);
        }
    }
    Ok(())
}

/// The rules as this configuration has them.
pub(crate) fn rules(config: &ServerConfig) -> Rules<'_> {
    Rules {
        origin: &config.settings().origin,
        keep_extensions: true,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
pub(crate) mod tests {
    use super::*;
    use crate::config::OriginPolicy;
    use alloc::format;

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
        Upgrade::check(&any_origin(), "GET", "/chat", true, fields.iter().copied())
    }

    fn text(fields: &[(String, Vec<u8>)]) -> String {
        let line = |(name, value): &(String, Vec<u8>)| {
            format!("{name}: {}\n", core::str::from_utf8(value).unwrap())
        };
        fields.iter().map(line).collect()
    }

    /// HS-17, HS-18: the same answer as to our own bytes.
    #[test]
    fn the_sample() {
        let upgrade = check(&SAMPLE).unwrap();
        let offered: Vec<&str> = upgrade.subprotocols().collect();
        assert_eq!(offered, ["chat", "superchat"]);
        let accept = Accept::new()
            .subprotocol("chat")
            .header("Set-Cookie", b"a=1");
        let (reply, negotiated) = upgrade.accept(accept.unwrap()).unwrap();
        assert_eq!((reply.status, reply.body.len()), (101, 0));
        assert_eq!(
            text(&reply.fields),
            "Upgrade: websocket\nConnection: Upgrade\n\
             Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\n\
             Sec-WebSocket-Protocol: chat\nSet-Cookie: a=1\n"
        );
        assert_eq!(negotiated, Negotiated::new().subprotocol("chat"));
    }

    /// HS-15, HS-16.
    #[test]
    fn only_what_was_offered() {
        let upgrade = check(&SAMPLE).unwrap();
        let result = upgrade.accept(Accept::new().subprotocol("other"));
        assert_eq!(result.unwrap_err(), Misuse::NotOffered);
        let mut fields = SAMPLE.to_vec();
        fields.push(("sec-websocket-extensions", b"foo; a=1"));
        fields.push(("Sec-WebSocket-Extensions", b"bar"));
        let upgrade = check(&fields).unwrap();
        assert_eq!(upgrade.extensions(), "foo; a=1, bar");
        let accept = Accept::new().extension("bar", 0).unwrap();
        let (reply, negotiated) = upgrade.accept(accept).unwrap();
        assert!(text(&reply.fields).ends_with("Sec-WebSocket-Extensions: bar\n"));
        assert_eq!(negotiated.extensions, "bar");
    }

    /// HS-1 to HS-8, HS-14: the rules do not depend on who parsed the head; HTTP/1.0 is not let through.
    #[test]
    fn the_same_rules() {
        let config = ServerConfig::new(OriginPolicy::SameHost);
        let run = |config: &ServerConfig, method, target, http_11| {
            Upgrade::check(config, method, target, http_11, SAMPLE).err()
        };
        assert_eq!(run(&config, "GET", "/", true), Some(HandshakeError::Origin));
        let config = any_origin();
        assert_eq!(run(&config, "GET", "/", true), None);
        assert_eq!(
            run(&config, "POST", "/", true),
            Some(HandshakeError::Method)
        );
        assert_eq!(
            run(&config, "GET", "/", false),
            Some(HandshakeError::Http10)
        );
        assert_eq!(run(&config, "GET", "*", true), Some(HandshakeError::Target));
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

    /// V-1, V-2, D-5.
    #[test]
    fn refusals() {
        let reply = Reply::refusal(HandshakeError::Version);
        assert_eq!(reply.status, 426);
        assert_eq!(
            text(&reply.fields),
            "Upgrade: websocket\nSec-WebSocket-Version: 13\n\
             Content-Type: text/plain; charset=utf-8\nConnection: Upgrade\n"
        );
        let reply = Reply::refusal(HandshakeError::Origin);
        assert_eq!(reply.status, 403);
        assert!(!text(&reply.fields).contains("Upgrade"));
    }

    #[test]
    fn debug_shows_lengths_only() {
        let upgrade = check(&SAMPLE).unwrap();
        let (reply, _) = upgrade.accept(Accept::new()).unwrap();
        let text = format!("{upgrade:?} {reply:?}");
        assert!(!text.contains("chat") && !text.contains("s3p"), "{text}");
    }
}
