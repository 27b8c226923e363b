//! The request as the server's application sees it (RFC 6455 §4.2.1).

use alloc::borrow::Cow;
use alloc::format;
use core::fmt;

use crate::error::Field;
use crate::extension::{Extension, Extensions};
use crate::payload::Payload;

use super::field::elements;
use super::head::{Headers, HttpVersion, first_line};
use super::rules::Span;

/// A request whose head was checked: a view that walks it, with nothing copied and no index.
///
/// It borrows from the input it arrived in; [`into_owned`](Self::into_owned) copies it for a decision
/// that is made elsewhere.
///
/// ```no_run
/// # fn decide(request: sansocket::handshake::Request<'_>) -> bool {
/// request.path() == "/chat"
///     && request.subprotocols().any(|name| name == "v2.chat")
///     && request.header("Authorization") == Some(b"Bearer x")
/// # }
/// ```
pub struct Request<'a> {
    pub(super) head: Payload<'a>,
    target: Span,
}

impl<'a> Request<'a> {
    /// The head has passed [`judge`](super::accept::judge), which found the target.
    pub(crate) fn new(head: Payload<'a>, target: Span) -> Self {
        Self { head, target }
    }

    /// Bytes that it lends.
    pub(crate) fn lent(&self) -> usize {
        if self.head.is_lent() {
            self.head.len()
        } else {
            0
        }
    }

    /// Bytes of heap.
    pub(crate) const fn memory_held(&self) -> usize {
        self.head.memory_held()
    }

    /// The method: GET where this asks for WebSocket.
    #[must_use]
    pub fn method(&self) -> &str {
        let (_, line) = first_line(&self.head);
        let method = line.split(|&byte| byte == b' ').next();
        text(method.unwrap_or_default())
    }

    /// The version of HTTP/1. Only plain requests come in HTTP/1.0, which has no upgrade (RFC 9110 §7.8).
    #[must_use]
    pub fn version(&self) -> HttpVersion {
        let (_, line) = first_line(&self.head);
        if line.ends_with(b"HTTP/1.0") {
            HttpVersion::Http10
        } else {
            HttpVersion::Http11
        }
    }

    /// The request target as it was sent: a path and a query, or an absolute URI (RFC 9112 §3.2).
    #[must_use]
    pub fn target(&self) -> &str {
        let (from, to) = self.target;
        text(
            self.head
                .get(from as usize..to as usize)
                .unwrap_or_default(),
        )
    }

    /// The authority of an absolute target, and the path and query after it.
    fn split_target(&self) -> (Option<&str>, &str) {
        match self.target().split_once("://") {
            Some((scheme, rest)) if !scheme.starts_with('/') => {
                let (authority, rest) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
                (Some(authority), rest)
            }
            _ => (None, self.target()),
        }
    }

    /// The path of the resource name, without the query, as sent: percent-encoded, dots included.
    #[must_use]
    pub fn path(&self) -> &str {
        let (_, rest) = self.split_target();
        match rest.split_once('?').map_or(rest, |(path, _)| path) {
            "" => "/",
            path => path,
        }
    }

    /// What follows the first `?` of the target.
    #[must_use]
    pub fn query(&self) -> Option<&str> {
        self.target().split_once('?').map(|(_, query)| query)
    }

    /// The resource name (RFC 6455 §3): path and query. Borrowed, unless an absolute target has a
    /// query and no path.
    #[must_use]
    pub fn resource_name(&self) -> Cow<'_, str> {
        match self.split_target() {
            (_, "") => "/".into(),
            (_, query) if query.starts_with('?') => format!("/{query}").into(),
            (_, rest) => rest.into(),
        }
    }

    /// Host and port that the request is for: those of an absolute target (RFC 9112 §3.2.2), else the
    /// value of `Host`. Empty if there is none, which only HTTP/1.0 allows.
    #[must_use]
    pub fn authority(&self) -> &str {
        let host = || text(self.header(Field::Host.name()).unwrap_or_default());
        self.split_target().0.unwrap_or_else(host)
    }

    /// The value of the first field of this name, which is compared without regard to ASCII case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&[u8]> {
        self.headers().all(name).next()
    }

    /// All fields, in order, with their names as they were sent.
    #[must_use]
    pub fn headers(&self) -> Headers<'_> {
        Headers::of(&self.head)
    }

    /// The subprotocols that the client offers, most wanted first (RFC 6455 §1.9).
    pub fn subprotocols(&self) -> impl Iterator<Item = &str> {
        let values = self.headers().all(Field::Protocol.name());
        values.flat_map(elements).map(text)
    }

    /// The extensions that the client offers, most wanted first (RFC 6455 §9.1).
    pub fn extensions(&self) -> impl Iterator<Item = Extension<'_>> {
        let values = self.headers().all(Field::Extensions.name());
        Extensions::parse(values).ok().into_iter().flatten()
    }

    /// The value of `Origin`, as sent. `None` means that the client is not a browser (RFC 6455 §4.2.1).
    /// Clients that are not browsers can send any value (§10.2).
    #[must_use]
    pub fn origin(&self) -> Option<&str> {
        self.header(Field::Origin.name()).map(text)
    }

    /// The same request, with a copy of what it borrowed.
    #[must_use]
    pub fn into_owned(self) -> Request<'static> {
        Request {
            head: self.head.into_owned(),
            target: self.target,
        }
    }
}

/// Empty for what is not UTF-8, which the rules allow only in fields that they do not read.
fn text(bytes: &[u8]) -> &str {
    core::str::from_utf8(bytes).unwrap_or_default()
}

/// Lengths only: targets and fields can hold credentials.
impl fmt::Debug for Request<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request")
            .field("head", &self.head.len())
            .field("target", &self.target().len())
            .finish()
    }
}

#[cfg(test)]
#[allow(clippy::panic, reason = "a test fails by a panic")]
mod tests {
    use alloc::string::String;
    use alloc::vec::Vec;

    use crate::config::{OriginPolicy, Settings};

    use super::super::accept::judge;
    use super::super::head::tests::SAMPLE;
    use super::*;

    fn request(head: &mut [u8]) -> Request<'_> {
        let settings = Settings {
            origin: OriginPolicy::Any,
            ..Settings::SERVER
        };
        match judge(head, &settings) {
            Ok((target, _)) => Request::new(Payload::from(head), target),
            Err(error) => panic!("{error}"),
        }
    }

    #[test]
    fn the_sample() {
        let mut head = Vec::from(SAMPLE);
        let request = request(&mut head);
        assert_eq!(request.method(), "GET");
        assert_eq!(request.target(), "/chat");
        assert_eq!(request.path(), "/chat");
        assert_eq!(request.query(), None);
        assert_eq!(request.resource_name(), "/chat");
        assert_eq!(request.authority(), "server.example.com");
        assert_eq!(request.origin(), Some("http://example.com"));
        let subprotocols: Vec<&str> = request.subprotocols().collect();
        assert_eq!(subprotocols, ["chat", "superchat"]);
        assert_eq!(request.extensions().count(), 0);
        assert_eq!(request.headers().count(), 7);
        assert_eq!(request.header("HOST"), Some(&b"server.example.com"[..]));
        assert_eq!(request.header("Cookie"), None);
        let owned = request.into_owned();
        drop(head);
        assert_eq!(owned.path(), "/chat");
        assert_eq!(
            format!("{owned:?}"),
            format!("Request {{ head: {}, target: 5 }}", SAMPLE.len())
        );
    }

    /// The absolute form.
    #[test]
    fn targets() {
        for (target, path, query, name, authority) in [
            (
                "/a/b?c?d",
                "/a/b",
                Some("c?d"),
                "/a/b?c?d",
                "server.example.com",
            ),
            ("/?", "/", Some(""), "/?", "server.example.com"),
            (
                "/a?x=http://h/",
                "/a",
                Some("x=http://h/"),
                "/a?x=http://h/",
                "server.example.com",
            ),
            (
                "/http://h/",
                "/http://h/",
                None,
                "/http://h/",
                "server.example.com",
            ),
            ("http://h/chat", "/chat", None, "/chat", "h"),
            ("https://h:1", "/", None, "/", "h:1"),
            ("http://[::1]?x=1", "/", Some("x=1"), "/?x=1", "[::1]"),
        ] {
            let mut head = Vec::from(SAMPLE.replace("/chat", target));
            let request = request(&mut head);
            assert_eq!(request.target(), target);
            assert_eq!((request.path(), request.query()), (path, query));
            assert_eq!(&*request.resource_name(), name);
            assert_eq!(request.authority(), authority);
        }
    }

    /// Lists over several fields.
    #[test]
    fn lists() {
        let more = "\r\nsec-websocket-protocol: , x,\r\nSec-WebSocket-Extensions: a; b=1\r\nSec-WebSocket-Extensions: c\r\n\r\n";
        let mut head = Vec::from(String::from(SAMPLE.trim_end()) + more);
        let request = request(&mut head);
        let subprotocols: Vec<&str> = request.subprotocols().collect();
        assert_eq!(subprotocols, ["chat", "superchat", "x"]);
        let extensions: Vec<&str> = request.extensions().map(|e| e.name()).collect();
        assert_eq!(extensions, ["a", "c"]);
    }

    #[test]
    fn a_plain_request() {
        let mut head = *b"\r\nHEAD /health HTTP/1.0\r\nX: caf\xe9\r\nOrigin: \xff\r\n\r\n";
        let request = request(&mut head);
        assert_eq!((request.method(), request.path()), ("HEAD", "/health"));
        assert_eq!(request.authority(), "");
        // RFC 9110 §5.5: opaque bytes are reported as they are.
        assert_eq!(request.header("x"), Some(&b"caf\xe9"[..]));
        assert_eq!(request.origin(), Some(""));
    }

    #[test]
    #[cfg(not(feature = "bytes"))]
    fn a_request_fits_into_an_event() {
        assert!(size_of::<Request<'_>>() <= 32);
    }
}
