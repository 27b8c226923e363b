//! The server's reading of a request (RFC 6455 §4.2.1), whoever parsed it: the rules run over a
//! request line and an iterator of fields.

use crate::config::OriginPolicy;
use crate::error::{Field, HandshakeError};
use crate::extension::Extensions;
use crate::handshake::accept_key::{AcceptValue, accept_value, is_key};
use crate::handshake::field::{Seen, elements, has_element, trim};
use crate::handshake::head::RequestLine;
use crate::handshake::origin;
use crate::handshake::uri::{Authority, Parts};
use crate::token::is_token;
use alloc::string::String;
use core::iter::once;

/// What the server decided before the request came.
#[derive(Clone, Copy)]
pub(crate) struct Rules<'a> {
    pub(crate) origin: &'a OriginPolicy,
    /// Whether the offered extensions will be wanted; without, they are checked and not copied.
    pub(crate) keep_extensions: bool,
}

/// A valid request for WebSocket: what is needed to answer it when its head is gone.
#[derive(Clone, Default)]
pub(crate) struct Offer {
    /// Of no meaning over extended CONNECT, where there is no key (RFC 8441 §5).
    pub(crate) accept: AcceptValue,
    /// Tokens, joined by commas; no allocation if there are none.
    pub(crate) subprotocols: String,
    /// The values of the fields, joined by commas: inside the grammar.
    pub(crate) extensions: String,
    /// The client waits for 100 (RFC 9110 §10.1.1).
    pub(crate) expect_continue: bool,
}

impl Offer {
    pub(crate) fn memory_held(&self) -> usize {
        self.subprotocols.capacity() + self.extensions.capacity()
    }
}

/// What a well-formed request is.
pub(crate) enum Asked {
    /// A valid opening handshake.
    Upgrade(Offer),
    /// No upgrade to WebSocket; the error is the answer unless the application serves HTTP (D-6).
    Plain(HandshakeError),
}

/// The fields that the rules look at, gathered in one walk.
#[derive(Default)]
pub(crate) struct Gathered<'h> {
    host: Seen<'h>,
    key: Seen<'h>,
    version: Seen<'h>,
    origin: Seen<'h>,
    websocket: bool,
    has_upgrade: bool,
    has_connection: bool,
    connection_upgrade: bool,
    pub(crate) content: bool,
    expect_continue: bool,
    protocols: Seen<'h>,
    extensions: Seen<'h>,
}

impl<'h> Gathered<'h> {
    pub(crate) fn from(fields: impl Iterator<Item = (&'h str, &'h [u8])>) -> Self {
        let mut own = Self::default();
        for (name, value) in fields {
            let Some(field) = Field::of(name) else {
                continue;
            };
            let value = trim(value);
            match field {
                Field::Host => own.host.note(value),
                Field::Key => own.key.note(value),
                Field::Version => own.version.note(value),
                Field::Origin => own.origin.note(value),
                // RFC 9110 §7.8: a list, of which one element is enough (D-3).
                Field::Upgrade => {
                    own.has_upgrade = true;
                    own.websocket |= has_element(value, b"websocket");
                }
                Field::Connection => {
                    own.has_connection = true;
                    own.connection_upgrade |= has_element(value, b"Upgrade");
                }
                Field::ContentLength => own.content |= value != b"0",
                Field::TransferEncoding => own.content = true,
                Field::Expect => own.expect_continue |= has_element(value, b"100-continue"),
                Field::Protocol => own.protocols.note(value),
                Field::Extensions => own.extensions.note(value),
                // Of answers; unknown fields are ignored (RFC 6455 §4.2.1).
                Field::Accept => {}
            }
        }
        own
    }

    /// The only version is 13. Before the key: older drafts have other keys, and learn here what
    /// this server takes (RFC 6455 §4.4).
    pub(crate) fn check_version(&self) -> Result<(), HandshakeError> {
        let value = self.version.required(Field::Version)?;
        if value == b"13" {
            return Ok(());
        }
        // RFC 6455 §4.3: 0 to 255 without leading zeros. Three digits compare as their number does.
        let number = match value {
            [b'0'..=b'9'] => true,
            [b'1'..=b'9', rest @ ..] => {
                let short = value.len() == 2 || value.len() == 3 && value <= b"255".as_slice();
                short && rest.iter().all(u8::is_ascii_digit)
            }
            _ => false,
        };
        match number {
            true => Err(HandshakeError::Version),
            false => Err(HandshakeError::Invalid(Field::Version)),
        }
    }

    /// RFC 8441 §5; RFC 9113 §8.2.2: what belongs to a connection of HTTP/1 makes a message of a later
    /// version malformed.
    pub(crate) fn check_no_http1(&self) -> Result<(), HandshakeError> {
        match (self.has_connection, self.has_upgrade) {
            (false, false) => Ok(()),
            (true, _) => Err(HandshakeError::Invalid(Field::Connection)),
            (false, true) => Err(HandshakeError::Invalid(Field::Upgrade)),
        }
    }

    fn accept(&self) -> Result<AcceptValue, HandshakeError> {
        let key = self.key.required(Field::Key)?;
        if !is_key(key) {
            return Err(HandshakeError::Invalid(Field::Key));
        }
        Ok(accept_value(key))
    }

    /// RFC 6455 §10.2. Without the field the client is no browser, and the policy has nothing to say.
    pub(crate) fn check_origin(
        &self,
        authority: &Authority<'_>,
        policy: &OriginPolicy,
    ) -> Result<(), HandshakeError> {
        let Some(value) = self.origin.optional(Field::Origin)? else {
            return Ok(());
        };
        if !value.is_ascii() {
            return Err(HandshakeError::Invalid(Field::Origin));
        }
        match origin::allowed(policy, value, authority) {
            true => Ok(()),
            false => Err(HandshakeError::Origin),
        }
    }

    /// The lists that both sides choose from. Only what is spread over several fields is walked again.
    pub(crate) fn lists(
        &self,
        fields: impl Iterator<Item = (&'h str, &'h [u8])> + Clone,
        keep_extensions: bool,
    ) -> Result<(String, String), HandshakeError> {
        let subprotocols = match self.protocols {
            Seen::Never => String::new(),
            Seen::Once(value) => offered_subprotocols(once(value))?,
            Seen::Again => offered_subprotocols(values(fields.clone(), Field::Protocol))?,
        };
        let extensions = match self.extensions {
            Seen::Never => String::new(),
            Seen::Once(value) => offered_extensions(once(value), keep_extensions)?,
            Seen::Again => offered_extensions(values(fields, Field::Extensions), keep_extensions)?,
        };
        Ok((subprotocols, extensions))
    }
}

/// The values of one field, in order.
pub(crate) fn values<'h>(
    fields: impl Iterator<Item = (&'h str, &'h [u8])> + Clone,
    field: Field,
) -> impl Iterator<Item = &'h [u8]> + Clone {
    fields
        .filter(move |&(name, _)| Field::of(name) == Some(field))
        .map(|(_, value)| trim(value))
}

/// One list out of several values (RFC 9110 §5.3). `None` if one is not text.
pub(crate) fn join<'h>(values: impl Iterator<Item = &'h [u8]>) -> Option<String> {
    let mut texts = values.map(|value| core::str::from_utf8(value).ok());
    let mut list = String::from(texts.next().unwrap_or(Some(""))?);
    for text in texts {
        list.push_str(", ");
        list.push_str(text?);
    }
    Some(list)
}

/// RFC 6455 §4.2.1 (8), §4.3: tokens, at least one, in order over all fields.
fn offered_subprotocols<'h>(
    values: impl Iterator<Item = &'h [u8]> + Clone,
) -> Result<String, HandshakeError> {
    let tokens = values.flat_map(elements);
    let list = match tokens.clone().all(is_token) {
        true => join(tokens).filter(|list| !list.is_empty()),
        false => None,
    };
    list.ok_or(HandshakeError::Invalid(Field::Protocol))
}

/// RFC 6455 §9.1: a value outside the grammar stops the handshake, wanted or not.
fn offered_extensions<'h>(
    values: impl Iterator<Item = &'h [u8]> + Clone,
    keep: bool,
) -> Result<String, HandshakeError> {
    let list = match (Extensions::parse(values.clone()), keep) {
        (Ok(_), true) => join(values),
        (Ok(_), false) => Some(String::new()),
        (Err(_), _) => None,
    };
    list.ok_or(HandshakeError::Invalid(Field::Extensions))
}

/// The request target (RFC 6455 §4.2.1 (1)): the resource name, which gives `None`, or an absolute
/// http or https URI.
fn target(target: &str) -> Result<Option<Parts<'_>>, HandshakeError> {
    if is_resource_name(target) {
        return Ok(None);
    }
    let absolute = Parts::of(target).ok();
    let absolute = absolute.filter(|parts| parts.web().is_some());
    absolute.map(Some).ok_or(HandshakeError::Target)
}

/// A path and a query (RFC 9112 §3.2.1): visible ASCII; a fragment is never sent.
pub(crate) fn is_resource_name(target: &str) -> bool {
    let visible = |byte: u8| byte.is_ascii_graphic() && byte != b'#';
    target.starts_with('/') && target.bytes().all(visible)
}

/// `Host`: once, valid, and there unless this is HTTP/1.0 (RFC 9112 §3.2).
fn host<'h>(host: Seen<'h>, http10: bool) -> Result<Option<Authority<'h>>, HandshakeError> {
    let value = match http10 {
        true => host.optional(Field::Host)?,
        false => Some(host.required(Field::Host)?),
    };
    let parse = |value| Authority::of(core::str::from_utf8(value).ok()?).ok();
    match value {
        None => Ok(None),
        Some(value) => match parse(value) {
            Some(authority) => Ok(Some(authority)),
            None => Err(HandshakeError::Invalid(Field::Host)),
        },
    }
}

/// The rules of RFC 6455 §4.2.1, for a request of HTTP/1.
///
/// First what makes it an HTTP request at all, then whether it asks for WebSocket, then whether it
/// asks in the right way, and the policy last.
pub(crate) fn judge_fields<'h>(
    line: RequestLine<'h>,
    fields: impl Iterator<Item = (&'h str, &'h [u8])> + Clone,
    rules: &Rules<'_>,
) -> Result<Asked, HandshakeError> {
    let absolute = target(line.target)?;
    let gathered = Gathered::from(fields.clone());
    let host = host(gathered.host, line.http10)?;
    // RFC 9110 §7.8: in HTTP/1.0 Upgrade is ignored.
    if line.http10 {
        return Ok(Asked::Plain(HandshakeError::Http10));
    }
    if !gathered.websocket {
        return Ok(Asked::Plain(match line.method {
            "GET" => HandshakeError::NotAnUpgrade,
            _ => HandshakeError::Method,
        }));
    }
    if line.method != "GET" {
        return Err(HandshakeError::Method);
    }
    // RFC 9110 §7.8: the protocol changes behind the content, so content that we do not read would
    // be taken for frames (D-9).
    if gathered.content {
        return Err(HandshakeError::Content);
    }
    if !gathered.has_connection {
        return Err(HandshakeError::Missing(Field::Connection));
    }
    if !gathered.connection_upgrade {
        return Err(HandshakeError::Invalid(Field::Connection));
    }
    gathered.check_version()?;
    let accept = gathered.accept()?;
    // RFC 9112 §3.2.2: in absolute form the target's host counts, and `Host` is ignored.
    let authority = absolute.map(|parts| parts.authority).or(host);
    let authority = authority.ok_or(HandshakeError::Missing(Field::Host))?;
    let (subprotocols, extensions) = gathered.lists(fields, rules.keep_extensions)?;
    gathered.check_origin(&authority, rules.origin)?;
    Ok(Asked::Upgrade(Offer {
        accept,
        subprotocols,
        extensions,
        expect_continue: gathered.expect_continue,
    }))
}
