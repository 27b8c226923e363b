//! The client's request (RFC 6455 §4.1).

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use crate::error::{Field, FieldError};
use crate::token::is_token;

use super::accept_key::{accept_value, key_text};
use super::answer::Expectation;
use super::extensions::{ApplicationExtensions, append};
use super::extra::{self, Extra};
use super::field::elements;
use super::uri::Uri;

/// What a client asks for: a URI, subprotocols, extensions, an origin, and fields of its own
/// (RFC 6455 §4.1).
///
/// ```
/// use sansocket::{ClientRequest, Uri, error::FieldError};
/// let uri = Uri::parse("wss://example.com/chat").unwrap();
/// let request = ClientRequest::new(uri)
///     .subprotocol("v2.chat")?
///     .subprotocol("chat")?
///     .header("Authorization", b"Bearer x")?;
/// assert_eq!(request.header("Host", b"other").unwrap_err(), FieldError::Reserved);
/// # Ok::<(), FieldError>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct ClientRequest {
    uri: Uri,
    pub(crate) origin: String,
    subprotocols: String,
    pub(crate) extensions: ApplicationExtensions,
    fields: Extra,
}

impl ClientRequest {
    /// Asks for this resource, and nothing else.
    #[must_use]
    pub fn new(uri: Uri) -> Self {
        Self {
            uri,
            origin: String::new(),
            subprotocols: String::new(),
            extensions: ApplicationExtensions::default(),
            fields: Extra::default(),
        }
    }

    /// Adds a field, in the order and the spelling given: cookies, Authorization (RFC 6455 §4.1 (12)).
    ///
    /// # Errors
    /// [`FieldError::BadName`] and [`FieldError::BadValue`] for what is outside the grammar of fields,
    /// [`FieldError::Reserved`] for a field that the handshake sets itself and for
    /// `Proxy-Authorization`, which is for the proxy (feature `client`: `client::proxy::ConnectOptions::basic`) and
    /// not for the server to see (RFC 6455 §4.1 (3)). `Origin` has its own method.
    pub fn header(mut self, name: &str, value: &[u8]) -> Result<Self, FieldError> {
        if name.eq_ignore_ascii_case("Proxy-Authorization") {
            return Err(FieldError::Reserved);
        }
        self.fields.add(name, value, |_| true)?;
        Ok(self)
    }

    /// Offers a subprotocol, less wanted than those before it (RFC 6455 §4.1 (10)).
    ///
    /// # Errors
    /// [`FieldError::BadSubprotocol`] if it is not a token, or offered already (compared with regard to
    /// case).
    pub fn subprotocol(mut self, subprotocol: &str) -> Result<Self, FieldError> {
        let is_offered = self.subprotocols().any(|offered| offered == subprotocol);
        if !is_token(subprotocol.as_bytes()) || is_offered {
            return Err(FieldError::BadSubprotocol);
        }
        append(&mut self.subprotocols, subprotocol);
        Ok(self)
    }

    /// Offers one or several extensions that the application does itself, less wanted than those before
    /// them, as `name; parameter=value` (RFC 6455 §4.1 (11), §9.1). `reserved_bits` are those that
    /// they use in data frames if they are accepted (§5.2): RSV1 is 4, RSV2 2, RSV3 1, and 0 none.
    ///
    /// A message that has such bits comes as [`Event::Chunk`](crate::Event::Chunk) in every
    /// delivery, whole deliveries included: there it is one chunk, with the bits of all its frames.
    /// Only the bits of a first frame that [`Event::Start`](crate::Event::Start) has told are left
    /// at that.
    ///
    /// What was accepted is in [`Connection::extensions`](crate::Connection::extensions). An answer
    /// with two extensions that use the same bit fails the connection (RFC 7692 §5).
    ///
    /// # Errors
    /// [`FieldError::BadExtension`] if the offer is outside the grammar, or the bits do not exist.
    pub fn extension(mut self, offer: &str, reserved_bits: u8) -> Result<Self, FieldError> {
        self.extensions.add(offer, reserved_bits)?;
        Ok(self)
    }

    /// Sets `Origin`, which browsers have to send and others may (RFC 6455 §4.1 (8)).
    ///
    /// # Errors
    /// [`FieldError::BadValue`] if it is empty or not visible ASCII.
    pub fn origin(mut self, origin: &str) -> Result<Self, FieldError> {
        if origin.is_empty() || !origin.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(FieldError::BadValue);
        }
        self.origin = origin.into();
        Ok(self)
    }

    /// The same request to another URI. Remove what is only for the first one, such as credentials, with
    /// [`retain_headers`](Self::retain_headers); after a redirect
    /// `client::redirect::Redirect::request` (feature `client`) does both.
    #[must_use]
    pub fn with_uri(mut self, uri: Uri) -> Self {
        self.uri = uri;
        self
    }

    /// The request without the added fields of this name.
    #[must_use]
    pub fn without_header(self, name: &str) -> Self {
        self.retain_headers(|added| !added.eq_ignore_ascii_case(name))
    }

    /// The request with only those added fields for whose names `keep` is true.
    ///
    /// ```
    /// use sansocket::{ClientRequest, Uri};
    /// let request = ClientRequest::new(Uri::parse("wss://example.com/").unwrap())
    ///     .header("Cookie", b"id=1")?
    ///     .header("User-Agent", b"client/1")?
    ///     .retain_headers(|name| name == "User-Agent");
    /// assert_eq!(request.headers().count(), 1);
    /// # Ok::<(), sansocket::error::FieldError>(())
    /// ```
    #[must_use]
    pub fn retain_headers(mut self, mut keep: impl FnMut(&str) -> bool) -> Self {
        self.fields.0.retain(|(name, _)| keep(name));
        self
    }

    /// The request without subprotocols. Some services put tokens there, which are not for another origin.
    ///
    /// ```
    /// use sansocket::{ClientRequest, Uri};
    /// let request = ClientRequest::new(Uri::parse("wss://example.com/").unwrap())
    ///     .subprotocol("bearer.SECRET")?
    ///     .without_subprotocols();
    /// assert_eq!(request.subprotocols().count(), 0);
    /// # Ok::<(), sansocket::error::FieldError>(())
    /// ```
    #[must_use]
    pub fn without_subprotocols(mut self) -> Self {
        self.subprotocols = String::new();
        self
    }

    /// Replaces the origin, if there is one, by the one that names nobody (RFC 6454 §7.3).
    #[cfg(feature = "client")]
    pub(crate) fn with_opaque_origin(mut self) -> Self {
        if !self.origin.is_empty() {
            self.origin = "null".into();
        }
        self
    }

    /// Where the request goes.
    #[must_use]
    pub fn uri(&self) -> &Uri {
        &self.uri
    }

    /// The fields added with [`header`](Self::header), in order.
    pub fn headers(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.fields.iter()
    }

    /// The subprotocols offered, most wanted first.
    pub fn subprotocols(&self) -> impl Iterator<Item = &str> {
        let tokens = elements(self.subprotocols.as_bytes());
        tokens.filter_map(|token| core::str::from_utf8(token).ok())
    }

    /// Appends the request (RFC 6455 §4.1), with `more_extensions` offered after the application's, and
    /// gives what the response is checked against.
    pub(crate) fn write(
        &self,
        nonce: &[u8; 16],
        more_extensions: Option<&str>,
        out: &mut Vec<u8>,
    ) -> Expectation {
        let expectation = self.expectation(Some(nonce), more_extensions);
        out.extend_from_slice(b"GET ");
        out.extend_from_slice(self.uri.resource_name().as_bytes());
        out.extend_from_slice(b" HTTP/1.1\r\n");
        // RFC 9110 §7.2: Host first.
        let host = self.uri.authority();
        extra::write(out, Field::Host.name(), &[host.as_bytes()]);
        extra::write(out, Field::Upgrade.name(), &[b"websocket"]);
        extra::write(out, Field::Connection.name(), &[b"Upgrade"]);
        extra::write(out, Field::Key.name(), &[&key_text(nonce)]);
        for (field, value) in self.negotiated_fields(&expectation) {
            extra::write(out, field.name(), &[value.as_bytes()]);
        }
        self.fields.write(out);
        out.extend_from_slice(b"\r\n");
        expectation
    }

    /// How long it is, written, at most.
    pub(crate) fn most(&self, more_extensions: Option<&str>) -> usize {
        FIXED
            + self.uri.resource_name().len()
            + self.uri.authority().len()
            + self.subprotocols.len()
            + self.extensions.list().len()
            + more_extensions.map_or(0, str::len)
            + self.fields.len()
    }

    /// What the response is checked against. Without a nonce there is no key (RFC 8441 §5).
    pub(crate) fn expectation(
        &self,
        nonce: Option<&[u8; 16]>,
        more_extensions: Option<&str>,
    ) -> Expectation {
        let mut extensions = self.extensions.list();
        if let Some(more) = more_extensions {
            append(&mut extensions, more);
        }
        Expectation {
            accept: nonce.map(|nonce| accept_value(&key_text(nonce))),
            subprotocols: self.subprotocols.clone(),
            extensions,
            application: self.extensions.clone(),
        }
    }

    /// The fields that mean the same in every version of HTTP (RFC 8441 §5), in the order of the
    /// example in RFC 6455 §1.3.
    pub(crate) fn negotiated_fields<'r>(
        &'r self,
        expectation: &'r Expectation,
    ) -> impl Iterator<Item = (Field, &'r str)> {
        [
            (Field::Origin, &*self.origin),
            (Field::Protocol, &*self.subprotocols),
            (Field::Version, "13"),
            (Field::Extensions, &*expectation.extensions),
        ]
        .into_iter()
        .filter(|(_, value)| !value.is_empty())
    }
}

/// Names of fields, and lengths: values can be credentials.
impl fmt::Debug for ClientRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientRequest")
            .field("secure", &self.uri.secure())
            .field("resource_name", &self.uri.resource_name().len())
            .field("subprotocols", &self.subprotocols().count())
            .field("fields", &self.fields)
            .finish_non_exhaustive()
    }
}

/// The request line, and the fields that every request has.
const FIXED: usize = 512;

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by a panic")]
mod tests {
    use alloc::format;
    use alloc::vec;

    use super::*;

    fn request(uri: &str) -> ClientRequest {
        ClientRequest::new(Uri::parse(uri).unwrap())
    }

    fn written(request: &ClientRequest) -> String {
        let mut out = vec![];
        request.write(b"the sample nonce", None, &mut out);
        String::from_utf8(out).unwrap()
    }

    /// What room is made for is enough, and little more: each part that can be long counts once.
    #[test]
    fn the_most_that_it_takes() {
        let long = "a".repeat(3000);
        let plain = || request("ws://h/");
        let more = Some(&*long);
        for (request, more) in [
            (plain(), None),
            (plain(), more),
            (request(&format!("ws://h/{long}")), None),
            (
                request(&format!("ws://{}/", vec!["a".repeat(60); 20].join("."))),
                None,
            ),
            (plain().subprotocol(&long).unwrap(), None),
            (plain().extension(&long, 0).unwrap(), more),
            (plain().header("X", long.as_bytes()).unwrap(), more),
        ] {
            let mut out = vec![];
            request.write(b"the sample nonce", more, &mut out);
            let most = request.most(more);
            assert!(
                (out.len()..=out.len() + FIXED).contains(&most),
                "{} {most}",
                out.len()
            );
        }
    }

    /// The sample of RFC 6455 §1.3, byte for byte.
    #[test]
    fn the_sample() {
        let request = request("ws://server.example.com/chat")
            .origin("http://example.com")
            .unwrap()
            .subprotocol("chat")
            .unwrap()
            .subprotocol("superchat")
            .unwrap();
        assert_eq!(written(&request), crate::handshake::head::tests::SAMPLE);
    }

    #[test]
    fn target_and_host() {
        for (uri, start) in [
            ("ws://h:80/", "GET / HTTP/1.1\r\nHost: h\r\n"),
            ("ws://h:8080?x=1", "GET /?x=1 HTTP/1.1\r\nHost: h:8080\r\n"),
            ("wss://h:80/a?", "GET /a HTTP/1.1\r\nHost: h:80\r\n"),
            ("ws://[::1]:81/", "GET / HTTP/1.1\r\nHost: [::1]:81\r\n"),
        ] {
            let text = written(&request(uri));
            assert!(text.starts_with(start), "{text}");
            assert!(text.ends_with("\r\n\r\n"));
            for absent in [
                "Content-Length",
                "Transfer-Encoding",
                "Expect",
                "Origin",
                "Protocol",
                "Extensions",
            ] {
                assert!(!text.contains(absent), "{absent}");
            }
            for once in [
                "Host",
                "Upgrade: websocket",
                "Connection: Upgrade",
                "Sec-WebSocket-Key",
                "Sec-WebSocket-Version: 13",
            ] {
                assert_eq!(text.matches(&format!("\r\n{once}")).count(), 1, "{once}");
            }
        }
    }

    /// The key is that of the nonce.
    #[test]
    fn the_key() {
        let mut out = vec![];
        let nonce = core::array::from_fn(|i| i as u8 + 1);
        let expectation = request("ws://h/").write(&nonce, None, &mut out);
        let text = String::from_utf8(out).unwrap();
        assert!(text.contains("\r\nSec-WebSocket-Key: AQIDBAUGBwgJCgsMDQ4PEA==\r\n"));
        let accept = expectation.accept.unwrap();
        assert_eq!(&accept, b"C/0nmHhBztSRGR1CwL6Tf4ZjwpY=");
    }

    #[test]
    fn origin() {
        let text = written(&request("ws://h/").origin("null").unwrap());
        assert_eq!(text.matches("\r\nOrigin: null\r\n").count(), 1);
        for bad in ["", "a b", "a\r\nb", "\u{e9}"] {
            assert_eq!(request("ws://h/").origin(bad), Err(FieldError::BadValue));
        }
    }

    #[test]
    fn subprotocols() {
        let own = request("ws://h/").subprotocol("chat").unwrap();
        for bad in ["", "a b", "a,b", "a/b", "\u{e9}", "chat", "a\r\nb", " chat"] {
            let result = own.clone().subprotocol(bad);
            assert_eq!(result, Err(FieldError::BadSubprotocol), "{bad:?}");
        }
        let own = own.subprotocol("Chat").unwrap();
        assert!(written(&own).contains("\r\nSec-WebSocket-Protocol: chat, Chat\r\n"));
        assert_eq!(own.subprotocols().collect::<Vec<_>>(), ["chat", "Chat"]);
    }

    /// In order, inside the grammar, without empty elements.
    #[test]
    fn extensions() {
        let own = request("ws://h/")
            .extension("permessage-deflate; server_max_window_bits=10", 0)
            .unwrap()
            .extension(", permessage-deflate ,", 0)
            .unwrap();
        let mut out = vec![];
        let expectation = own.write(&[0; 16], Some("foo"), &mut out);
        let list = "permessage-deflate; server_max_window_bits=10, permessage-deflate, foo";
        let line = format!("\r\nSec-WebSocket-Extensions: {list}\r\n");
        assert!(String::from_utf8(out).unwrap().contains(&line));
        assert_eq!(expectation.extensions, list);
        for bad in ["", ",", "a b", "a;", "a\r\nb", "\u{e9}"] {
            let result = request("ws://h/").extension(bad, 0);
            assert_eq!(result, Err(FieldError::BadExtension), "{bad:?}");
        }
        let result = request("ws://h/").extension("a", 8);
        assert_eq!(
            result,
            Err(FieldError::BadExtension),
            "there are three bits"
        );
    }

    /// CVE-2026-1527.
    #[test]
    fn fields_of_the_caller() {
        let own = request("ws://h/")
            .header("cookie", b"a=b")
            .unwrap()
            .header("X-b", b"caf\xe9")
            .unwrap()
            .header("COOKIE", b"c=d")
            .unwrap();
        let mut out = vec![];
        own.write(&[0; 16], None, &mut out);
        assert!(out.ends_with(b"\r\ncookie: a=b\r\nX-b: caf\xe9\r\nCOOKIE: c=d\r\n\r\n"));
        for name in [
            "Host",
            "upgrade",
            "Connection",
            "Sec-WebSocket-Key",
            "SEC-WEBSOCKET-VERSION",
            "Sec-WebSocket-Accept",
            "Sec-WebSocket-Protocol",
            "Sec-WebSocket-Extensions",
            "Content-Length",
            "Transfer-Encoding",
            "Expect",
            "Origin",
            "Proxy-Authorization",
            "proxy-authorization",
        ] {
            let result = own.clone().header(name, b"x");
            assert_eq!(result, Err(FieldError::Reserved), "{name}");
        }
        for (name, value, error) in [
            ("X", &b"x\r\nY: z"[..], FieldError::BadValue),
            ("a b", b"x", FieldError::BadName),
            ("X", b"\0", FieldError::BadValue),
            ("X\r\nY", b"", FieldError::BadName),
        ] {
            assert_eq!(own.clone().header(name, value), Err(error));
        }
        let bare = own.without_header("Cookie");
        assert_eq!(
            bare.headers().collect::<Vec<_>>(),
            [("X-b", &b"caf\xe9"[..])]
        );
        let moved = bare.with_uri(Uri::parse("ws://other/").unwrap());
        assert_eq!(moved.uri().host(), "other");
    }

    #[test]
    fn debug_shows_no_values() {
        let own = request("ws://h/?token=secret")
            .header("Authorization", b"secret")
            .unwrap();
        let text = format!("{own:?}");
        assert!(
            text.contains("Authorization") && !text.contains("secret"),
            "{text}"
        );
    }
}
