//! The server's reading of a request (RFC 6455 §4.2.1): the rules for a request line and its fields,
//! whichever parser they come from.

use core::iter::once;

use crate::error::{Field, HandshakeError};
use crate::extension::Extensions;
use crate::token::is_token;

use super::absolute_uri::{AbsoluteUri, Authority};
use super::accept_key::{AcceptValue, accept_value, is_key};
use super::field::{SingleField, elements, has_element, trim, values};
use super::head::{HttpVersion, RequestLine, line_start};
use super::scanner::SMALL;

/// What a well-formed request asks for.
pub(crate) enum Judged<'h> {
    /// WebSocket: a valid opening handshake, with what it proves to have been read.
    Upgrade(AcceptValue, Gathered<'h>),
    /// No upgrade to WebSocket; the answer of a server that serves nothing else.
    Plain(HandshakeError),
}

/// Who is let in.
pub(crate) trait Admission {
    /// The server answers to this host and port (RFC 9110 §7.4).
    fn answers_to(&self, host: &Authority<'_>) -> bool;

    /// The policy allows this value of `Origin` in a request to this host and port (RFC 6455 §10.2).
    fn allows(&self, origin: &[u8], host: &Authority<'_>) -> bool;

    /// A request without `Origin` is refused.
    fn requires_origin(&self) -> bool;
}

/// Where the request target stands in the head, in bytes.
pub(crate) type Span = (u32, u32);

/// Where the target of a parsed request stands in its head.
pub(crate) fn target_span(head: &[u8], line: &RequestLine<'_>) -> Result<Span, HandshakeError> {
    let start = line_start(head) + line.method.len() + 1;
    let offset = |at: usize| u32::try_from(at).map_err(|_| HandshakeError::HeadTooLong);
    Ok((offset(start)?, offset(start + line.target.len())?))
}

/// Judges a request of HTTP/1.
///
/// First what makes it an HTTP request at all, then whether it asks for WebSocket, then whether it
/// asks in the right way, and the policy last.
pub(crate) fn judge_fields<'h>(
    line: RequestLine<'h>,
    fields: impl Iterator<Item = (&'h str, &'h [u8])> + Clone,
    admission: &impl Admission,
) -> Result<Judged<'h>, HandshakeError> {
    let absolute = target(line.target)?;
    let gathered = Gathered::from(fields.clone());
    let host = host(gathered.host, line.version)?;
    // RFC 9112 §3.2.2: in absolute form the target's host counts, and `Host` is ignored.
    let authority = absolute.map(|uri| uri.authority).or(host);
    if authority.is_some_and(|authority| !admission.answers_to(&authority)) {
        return Err(HandshakeError::Misdirected);
    }
    // RFC 9110 §7.8: in HTTP/1.0 Upgrade is ignored.
    if line.version == HttpVersion::Http10 {
        return Ok(Judged::Plain(HandshakeError::Http10));
    }
    if !gathered.websocket && line.method == "GET" {
        return Ok(Judged::Plain(HandshakeError::NotAnUpgrade));
    }
    if !gathered.websocket {
        return Ok(Judged::Plain(HandshakeError::Method));
    }
    if line.method != "GET" {
        return Err(HandshakeError::Method);
    }
    // RFC 9110 §7.8: the protocol changes after the content. We read none, so it would be taken for
    // frames.
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
    let authority = authority.ok_or(HandshakeError::Missing(Field::Host))?;
    gathered.check_lists(fields)?;
    gathered.check_origin(&authority, admission)?;
    Ok(Judged::Upgrade(accept, gathered))
}

/// The fields that the rules look at, gathered in one walk.
#[derive(Default)]
pub(crate) struct Gathered<'h> {
    host: SingleField<'h>,
    key: SingleField<'h>,
    version: SingleField<'h>,
    origin: SingleField<'h>,
    websocket: bool,
    has_connection: bool,
    connection_upgrade: bool,
    pub(crate) content: bool,
    pub(crate) expect_continue: bool,
    pub(super) protocols: SingleField<'h>,
    pub(super) extensions: SingleField<'h>,
}

impl<'h> Gathered<'h> {
    pub(crate) fn from(fields: impl Iterator<Item = (&'h str, &'h [u8])>) -> Self {
        let mut gathered = Self::default();
        for (name, value) in fields {
            if let Some(field) = Field::of(name) {
                gathered.note(field, trim(value));
            }
        }
        gathered
    }

    // One loop over the fields of a request, without a call for each; a call where code counts more than time.
    #[cfg_attr(not(target_os = "none"), inline(always))]
    #[cfg_attr(target_os = "none", inline(never))]
    fn note(&mut self, field: Field, value: &'h [u8]) {
        match field {
            Field::Host => self.host.note(value),
            Field::Key => self.key.note(value),
            Field::Version => self.version.note(value),
            Field::Origin => self.origin.note(value),
            // RFC 9110 §7.8: a list, of which one element is enough.
            Field::Upgrade => self.websocket |= has_element(value, b"websocket"),
            Field::Connection => {
                self.has_connection = true;
                self.connection_upgrade |= has_element(value, b"Upgrade");
            }
            Field::ContentLength => self.content |= value != b"0",
            Field::TransferEncoding => self.content = true,
            Field::Expect => self.expect_continue |= has_element(value, b"100-continue"),
            Field::Protocol => self.protocols.note(value),
            Field::Extensions => self.extensions.note(value),
            // Of responses; unknown fields are ignored (RFC 6455 §4.2.1).
            Field::Accept => {}
        }
    }

    /// The only version is 13. Checked before the key: older drafts have other keys, and learn here
    /// which version this server speaks (RFC 6455 §4.4).
    pub(crate) fn check_version(&self) -> Result<(), HandshakeError> {
        let value = self.version.required(Field::Version)?;
        if value == b"13" {
            return Ok(());
        }
        // RFC 6455 §4.3: 0 to 255 without leading zeros. Three digits compare as their number does.
        let is_version = match value {
            [b'0'..=b'9'] => true,
            [b'1'..=b'9', rest @ ..] => {
                let short = value.len() == 2 || value.len() == 3 && value <= b"255".as_slice();
                short && rest.iter().all(u8::is_ascii_digit)
            }
            _ => false,
        };
        Err(if is_version {
            HandshakeError::Version
        } else {
            HandshakeError::Invalid(Field::Version)
        })
    }

    fn accept(&self) -> Result<AcceptValue, HandshakeError> {
        let key = self.key.required(Field::Key)?;
        if !is_key(key) {
            return Err(HandshakeError::Invalid(Field::Key));
        }
        Ok(accept_value(key))
    }

    /// HTTP/2 and HTTP/3: `Host` may come beside `:authority`, once, and names the same host and port
    /// (RFC 9113 §8.3.1).
    pub(crate) fn check_host(
        &self,
        authority: &Authority<'_>,
        scheme: &[u8],
    ) -> Result<(), HandshakeError> {
        let Some(value) = self.host.optional(Field::Host)? else {
            return Ok(());
        };
        let host = Authority::of(value).map_err(|_| HandshakeError::Invalid(Field::Host))?;
        if host.same(authority, scheme == b"https") {
            Ok(())
        } else {
            Err(HandshakeError::Invalid(Field::Host))
        }
    }

    /// RFC 6455 §10.2. A client that sends no `Origin` is not a browser: the policy does not apply to it.
    pub(crate) fn check_origin(
        &self,
        authority: &Authority<'_>,
        admission: &impl Admission,
    ) -> Result<(), HandshakeError> {
        let Some(value) = self.origin.optional(Field::Origin)? else {
            let missing = HandshakeError::Missing(Field::Origin);
            return if admission.requires_origin() {
                Err(missing)
            } else {
                Ok(())
            };
        };
        if !value.is_ascii() {
            return Err(HandshakeError::Invalid(Field::Origin));
        }
        if admission.allows(value, authority) {
            Ok(())
        } else {
            Err(HandshakeError::Origin)
        }
    }

    /// The subprotocols and the extensions that are offered are inside the grammar.
    pub(crate) fn check_lists(
        &self,
        fields: impl Iterator<Item = (&'h str, &'h [u8])> + Clone,
    ) -> Result<(), HandshakeError> {
        match self.protocols {
            SingleField::Never => {}
            SingleField::Once(value) if !SMALL => check_subprotocols(once(value))?,
            _ => check_subprotocols(values(fields.clone(), Field::Protocol))?,
        }
        match self.extensions {
            SingleField::Never => Ok(()),
            SingleField::Once(value) if !SMALL => check_extensions(once(value)),
            _ => check_extensions(values(fields, Field::Extensions)),
        }
    }
}

/// Tokens, at least one, in order over all fields (RFC 6455 §4.2.1 (8), §4.3).
fn check_subprotocols<'h>(
    values: impl Iterator<Item = &'h [u8]> + Clone,
) -> Result<(), HandshakeError> {
    let tokens = values.flat_map(elements);
    if tokens.clone().next().is_none() || !tokens.clone().all(is_token) {
        return Err(HandshakeError::Invalid(Field::Protocol));
    }
    Ok(())
}

/// RFC 6455 §9.1: a value outside the grammar fails the handshake, wanted or not.
fn check_extensions<'h>(
    values: impl Iterator<Item = &'h [u8]> + Clone,
) -> Result<(), HandshakeError> {
    let malformed = HandshakeError::Invalid(Field::Extensions);
    Extensions::parse(values).map_err(|_| malformed)?;
    Ok(())
}

/// The request target (RFC 6455 §4.2.1 (1)): `None` for a resource name, or an absolute http or https
/// URI.
fn target(target: &str) -> Result<Option<AbsoluteUri<'_>>, HandshakeError> {
    if is_resource_name(target) {
        return Ok(None);
    }
    let absolute = AbsoluteUri::of(target).ok();
    let absolute = absolute.filter(|uri| uri.web().is_some());
    absolute.map(Some).ok_or(HandshakeError::Target)
}

/// A path and a query (RFC 9112 §3.2.1): visible ASCII; a fragment is never sent.
pub(crate) fn is_resource_name(target: &str) -> bool {
    let visible = |byte: u8| byte.is_ascii_graphic() && byte != b'#';
    target.starts_with('/') && target.bytes().all(visible)
}

/// `Host`, once and valid. Only HTTP/1.0 may leave it out (RFC 9112 §3.2).
fn host<'h>(
    host: SingleField<'h>,
    version: HttpVersion,
) -> Result<Option<Authority<'h>>, HandshakeError> {
    let value = match version {
        HttpVersion::Http10 => host.optional(Field::Host)?,
        HttpVersion::Http11 => Some(host.required(Field::Host)?),
    };
    let Some(value) = value else {
        return Ok(None);
    };
    let authority = Authority::of(value);
    authority
        .map(Some)
        .map_err(|_| HandshakeError::Invalid(Field::Host))
}

#[cfg(all(test, feature = "alloc"))]
mod tests;
