//! The server's answer that opens a connection (RFC 6455 §4.2.2).

use alloc::borrow::Cow;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;
use core::iter::once;

use crate::config::Settings;
use crate::error::{AcceptError, Field, FieldError, HandshakeError};
use crate::extension::{Answer, Configured, MessageExtension};

use super::accept_key::AcceptValue;
use super::extensions::ApplicationExtensions;
use super::extra::{self, Extra, FieldList, join};
use super::field::{SingleField, elements, values};
use super::head::{RequestLine, pairs, parse_request, slots};
use super::negotiated::Negotiated;
use super::rules::{Gathered, Judged, Span, judge_fields, target_span};

/// How a server accepts a request: with a subprotocol or none, extensions that the application does
/// itself, and fields of its own (RFC 6455 §4.2.2).
///
/// ```
/// use sansocket::{Accept, error::FieldError};
/// let accept = Accept::new()
///     .subprotocol("chat")
///     .header("Set-Cookie", b"session=1")?;
/// assert_eq!(accept.chosen(), Some("chat"));
/// # Ok::<(), FieldError>(())
/// ```
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Accept {
    subprotocol: Option<String>,
    /// Those of which the first that is offered is chosen.
    pub(crate) preferred: Vec<String>,
    /// The message extensions of this request, in place of those of the configuration.
    pub(crate) own: Option<Configured>,
    pub(crate) extensions: ApplicationExtensions,
    pub(crate) fields: Extra,
}

impl Accept {
    /// Accepts, without a subprotocol.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Chooses one of the subprotocols that the client offers (RFC 6455 §1.9). With any other,
    /// accepting fails with [`AcceptError::SubprotocolNotOffered`].
    ///
    /// A browser that offers some and finds none chosen fails the connection: choose one, or refuse.
    /// [`prefer`](Self::prefer) chooses by the server's order.
    #[must_use]
    pub fn subprotocol(mut self, subprotocol: impl Into<String>) -> Self {
        self.subprotocol = Some(subprotocol.into());
        self
    }

    /// Chooses the first of these subprotocols that the client offers, so by the server's order; none if
    /// it offers none of them, and then a browser that offered others fails the connection.
    ///
    /// ```
    /// use sansocket::{Accept, ServerConfig, handshake::{HttpVersion, Upgrade}};
    /// let fields = [
    ///     ("host", &b"example.com"[..]),
    ///     ("upgrade", b"websocket"),
    ///     ("connection", b"Upgrade"),
    ///     ("sec-websocket-key", b"dGhlIHNhbXBsZSBub25jZQ=="),
    ///     ("sec-websocket-version", b"13"),
    ///     ("sec-websocket-protocol", b"v1.chat, v2.chat"),
    /// ];
    /// let config = ServerConfig::upgraded();
    /// let upgrade = Upgrade::check(&config, "GET", "/", HttpVersion::Http11, fields).unwrap();
    /// let (_, ws) = upgrade.accept(Accept::new().prefer(["v3.chat", "v2.chat", "v1.chat"])).unwrap();
    /// assert_eq!(ws.subprotocol(), Some("v2.chat"));
    /// ```
    #[must_use]
    pub fn prefer<S: Into<String>>(mut self, subprotocols: impl IntoIterator<Item = S>) -> Self {
        self.preferred = subprotocols.into_iter().map(Into::into).collect();
        self
    }

    /// Accepts without the configuration's compression, or other extension of messages, for this one
    /// connection, such as one that carries secrets (RFC 7692 §8).
    #[must_use]
    pub fn uncompressed(mut self) -> Self {
        self.own = Some(Configured::NONE);
        self
    }

    /// Accepts with this extension for messages, if the client offers it, in place of those of the
    /// configuration, for this one connection. With several the one given first is preferred.
    #[must_use]
    pub fn message_extension(mut self, extension: impl MessageExtension + 'static) -> Self {
        let own = self.own.get_or_insert(Configured::NONE);
        own.add(Arc::new(extension));
        self
    }

    /// Accepts with these settings of permessage-deflate in place of the configuration's, for this one
    /// connection: other parameters for a small device, or compression for one path only (RFC 7692).
    ///
    /// ```
    /// use sansocket::extension::PermessageDeflate;
    /// use sansocket::{Accept, Connection, Event, ServerConfig};
    /// # let mut read = *b"GET /feed HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    /// #   Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\
    /// #   Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n";
    /// # let mut input = &mut read[..];
    /// let mut ws = Connection::server(&ServerConfig::upgraded());
    /// while let Some(event) = ws.receive(&mut input) {
    ///     if let Event::Request(request) = event {
    ///         let accept = match request.path() {
    ///             "/feed" => Accept::new().deflate(PermessageDeflate::server().server_max_window_bits(10)),
    ///             _ => Accept::new(),
    ///         };
    ///         ws.accept(accept)?;
    ///     }
    /// }
    /// assert_eq!(ws.agreed_deflate().unwrap().server_max_window_bits, 10);
    /// # Ok::<(), sansocket::error::AcceptError>(())
    /// ```
    #[cfg(feature = "deflate")]
    #[must_use]
    pub fn deflate(self, deflate: crate::extension::PermessageDeflate) -> Self {
        self.message_extension(deflate)
    }

    /// Accepts an extension that the application does itself, as `name; parameter=value` with what was
    /// agreed on (RFC 6455 §9.1). `reserved_bits` are those that it uses in data frames (§5.2): RSV1
    /// is 4, RSV2 2, RSV3 1, and 0 none. Add extensions in the order in which they work on what is sent.
    ///
    /// A message that has such bits comes as [`Event::Chunk`](crate::Event::Chunk) in every
    /// delivery, whole deliveries included: there it is one chunk, with the bits of all its frames.
    /// Only the bits of a first frame that [`Event::Start`](crate::Event::Start) has told are left
    /// at that.
    ///
    /// Accepting fails with [`AcceptError::ExtensionNotOffered`] for an extension that the client does
    /// not offer, and with [`AcceptError::ExtensionConflict`] for two of one name or on one bit. The
    /// configuration's compression goes after the extensions without bits and before those with bits;
    /// if there is no such place, or an extension uses RSV1, the answer is without compression
    /// (RFC 7692 §5).
    ///
    /// ```
    /// use sansocket::Accept;
    /// let accept = Accept::new().extension("x-priority; levels=2", 2)?;
    /// # let _ = accept;
    /// # Ok::<(), sansocket::error::FieldError>(())
    /// ```
    ///
    /// # Errors
    /// [`FieldError::BadExtension`] if it is outside the grammar, or the bits do not exist.
    pub fn extension(mut self, element: &str, reserved_bits: u8) -> Result<Self, FieldError> {
        self.extensions.add(element, reserved_bits)?;
        Ok(self)
    }

    /// Adds a field to the answer, in the order and the spelling given.
    ///
    /// # Errors
    /// [`FieldError::BadName`] and [`FieldError::BadValue`] for what is outside the grammar of fields,
    /// [`FieldError::Reserved`] for a field that the handshake sets itself.
    pub fn header(mut self, name: &str, value: &[u8]) -> Result<Self, FieldError> {
        self.fields.add(name, value, |_| true)?;
        Ok(self)
    }

    /// The subprotocol chosen.
    #[must_use]
    pub fn chosen(&self) -> Option<&str> {
        self.subprotocol.as_deref()
    }

    /// The message extensions that are answered to an offer.
    pub(crate) fn configured<'s>(&'s self, settings: &'s Settings) -> Cow<'s, Configured> {
        settings.fitted(self.own.as_ref().unwrap_or(&settings.extensions))
    }

    /// Those of this request alone.
    pub(crate) const fn own(&self) -> Option<&Configured> {
        self.own.as_ref()
    }

    pub(crate) fn into_fields(self) -> FieldList {
        self.fields.0
    }
}

/// Names of the fields, lengths of the rest.
impl fmt::Debug for Accept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Accept")
            .field("subprotocol", &self.subprotocol.as_ref().map(String::len))
            .field("extensions", &self.extensions)
            .field("fields", &self.fields)
            .finish()
    }
}

/// What a well-formed request asks for, when its head is gone.
pub(crate) enum Asked {
    /// WebSocket: a valid opening handshake.
    Upgrade(Offer),
    /// No upgrade to WebSocket; the answer of a server that serves nothing else.
    Plain(HandshakeError),
}

/// Judges a whole head, as the scanner cut it off: where its target is, and what it asks for.
pub(crate) fn judge(head: &[u8], settings: &Settings) -> Result<(Span, Asked), HandshakeError> {
    let mut slots = slots();
    let (line, fields) = parse_request(head, &mut slots)?;
    let target = target_span(head, &line)?;
    Ok((target, Asked::judge(line, pairs(fields), settings)?))
}

impl Asked {
    /// Judges a request of HTTP/1, whichever parser it comes from.
    pub(crate) fn judge<'h>(
        line: RequestLine<'h>,
        fields: impl Iterator<Item = (&'h str, &'h [u8])> + Clone,
        settings: &Settings,
    ) -> Result<Self, HandshakeError> {
        Ok(match judge_fields(line, fields.clone(), settings)? {
            Judged::Upgrade(accept, gathered) => Self::Upgrade(Offer {
                accept,
                expect_continue: gathered.expect_continue,
                ..Offer::without_key(&gathered, fields)?
            }),
            Judged::Plain(refusal) => Self::Plain(refusal),
        })
    }
}

/// A valid request for WebSocket: what is needed to answer it when its head is gone.
#[derive(Clone, Default)]
pub(crate) struct Offer {
    /// Unused over extended CONNECT, where there is no key (RFC 8441 §5).
    pub(crate) accept: AcceptValue,
    /// Tokens, joined by commas; no allocation if there are none.
    pub(crate) subprotocols: String,
    /// The values of the fields, joined by commas: inside the grammar.
    pub(crate) extensions: String,
    /// The client waits for 100 (RFC 9110 §10.1.1).
    pub(crate) expect_continue: bool,
}

impl Offer {
    /// The subprotocols and the extensions that are offered: the lists were checked. The fields are walked
    /// again only where a list is spread over several.
    pub(super) fn without_key<'h>(
        gathered: &Gathered<'h>,
        fields: impl Iterator<Item = (&'h str, &'h [u8])> + Clone,
    ) -> Result<Self, HandshakeError> {
        let subprotocols = match gathered.protocols {
            SingleField::Never => Some(String::new()),
            SingleField::Once(value) => join(elements(value)),
            SingleField::Again => join(values(fields.clone(), Field::Protocol).flat_map(elements)),
        };
        let extensions = match gathered.extensions {
            SingleField::Never => Some(String::new()),
            SingleField::Once(value) => join(once(value)),
            SingleField::Again => join(values(fields, Field::Extensions)),
        };
        Ok(Self {
            subprotocols: subprotocols.ok_or(HandshakeError::Invalid(Field::Protocol))?,
            extensions: extensions.ok_or(HandshakeError::Invalid(Field::Extensions))?,
            ..Self::default()
        })
    }

    /// What is agreed on (RFC 6455 §4.2.2), with the answer of the message extensions to the offer.
    ///
    /// # Errors
    /// [`AcceptError::SubprotocolNotOffered`] if the subprotocol, byte for byte, is none of the
    /// client's, and what [`ApplicationExtensions::answer`] says of the extensions.
    pub(crate) fn negotiate(
        &self,
        accept: &Accept,
        configured: Option<&Answer>,
    ) -> Result<Negotiated, AcceptError> {
        let is_offered = |chosen: &str| self.subprotocols().any(|offered| offered == chosen);
        if accept.chosen().is_some_and(|chosen| !is_offered(chosen)) {
            return Err(AcceptError::SubprotocolNotOffered);
        }
        let negotiated = accept.extensions.answer(configured, &self.extensions)?;
        let preferred = || {
            let mut preferred = accept.preferred.iter();
            preferred.find(|preferred| is_offered(preferred)).cloned()
        };
        Ok(Negotiated {
            subprotocol: accept.subprotocol.clone().or_else(preferred),
            ..negotiated
        })
    }

    /// Appends the 101 (RFC 6455 §4.2.2), with what was [`negotiate`](Self::negotiate)d.
    pub(crate) fn write(&self, accept: &Accept, negotiated: &Negotiated, out: &mut Vec<u8>) {
        out.reserve(256);
        if self.expect_continue {
            // RFC 9110 §10.1.1: 100 goes before 101.
            out.extend_from_slice(b"HTTP/1.1 100 Continue\r\n\r\n");
        }
        out.extend_from_slice(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
              Sec-WebSocket-Accept: ",
        );
        out.extend_from_slice(&self.accept);
        out.extend_from_slice(b"\r\n");
        for (field, value) in negotiated_fields(negotiated) {
            extra::write(out, field.name(), &[value.as_bytes()]);
        }
        accept.fields.write(out);
        out.extend_from_slice(b"\r\n");
    }

    /// The offered subprotocols, most wanted first.
    pub(crate) fn subprotocols(&self) -> impl Iterator<Item = &str> + Clone {
        let tokens = elements(self.subprotocols.as_bytes());
        tokens.filter_map(|token| core::str::from_utf8(token).ok())
    }

    /// How long the answer is, written, at most.
    pub(crate) fn most(&self, accept: &Accept, negotiated: &Negotiated) -> usize {
        FIXED
            + accept.fields.len()
            + negotiated.extensions.len()
            + negotiated.subprotocol.as_ref().map_or(0, String::len)
    }

    pub(crate) fn memory_held(&self) -> usize {
        self.subprotocols.capacity() + self.extensions.capacity()
    }
}

/// The fields of the answer that say what was agreed on, in every version of HTTP.
pub(crate) fn negotiated_fields(negotiated: &Negotiated) -> impl Iterator<Item = (Field, &str)> {
    let extensions = Some(&*negotiated.extensions).filter(|list| !list.is_empty());
    [
        (Field::Protocol, negotiated.subprotocol.as_deref()),
        (Field::Extensions, extensions),
    ]
    .into_iter()
    .filter_map(|(field, value)| Some((field, value?)))
}

/// The status line, and the fields that every answer has.
const FIXED: usize = 256;

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by a panic")]
mod tests {
    use alloc::vec;

    use super::super::accept_key::accept_value;
    use super::*;

    /// What room is made for is enough, and little more: each part that can be long counts once.
    #[test]
    fn the_most_that_it_takes() {
        let long = || "a".repeat(3000);
        let field = || Accept::new().header("X", long().as_bytes()).unwrap();
        let subprotocol = || Negotiated::new().subprotocol(long());
        for (accept, negotiated) in [
            (Accept::new(), Negotiated::new()),
            (field(), Negotiated::new()),
            (Accept::new(), subprotocol()),
            (Accept::new(), Negotiated::new().extensions(long())),
            (field(), subprotocol().extensions(long())),
        ] {
            for expect_continue in [false, true] {
                let offer = Offer {
                    accept: accept_value(b"dGhlIHNhbXBsZSBub25jZQ=="),
                    subprotocols: String::new(),
                    extensions: String::new(),
                    expect_continue,
                };
                let mut out = vec![];
                offer.write(&accept, &negotiated, &mut out);
                let most = offer.most(&accept, &negotiated);
                assert!(
                    (out.len()..=out.len() + FIXED).contains(&most),
                    "{} {most}",
                    out.len()
                );
            }
        }
    }
}
