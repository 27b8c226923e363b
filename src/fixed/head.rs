//! Heads of the opening handshake, as the application sees them (RFC 6455 §4.1, §4.2.1).

use core::fmt;

use crate::error::Field;
use crate::handshake::Headers;
use crate::handshake::field::elements;

/// The head of a valid request for WebSocket, lent from the input or from the [`Room`](super::Room).
///
/// ```no_run
/// # fn decide(request: sansocket::fixed::RequestHead<'_>) -> bool {
/// request.path() == "/sensor" && request.header("Authorization") == Some(b"Bearer x")
/// # }
/// ```
#[derive(Clone, Copy)]
pub struct RequestHead<'e> {
    head: &'e [u8],
    target: &'e str,
}

impl<'e> RequestHead<'e> {
    /// Of a head that was judged, and the target in it.
    pub(super) fn new(head: &'e [u8], (from, to): (u32, u32)) -> Self {
        let target = head.get(from as usize..to as usize);
        Self {
            head,
            target: text(target.unwrap_or_default()),
        }
    }

    /// The request target as it was sent: a path and a query, or an absolute URI (RFC 9112 §3.2).
    #[must_use]
    pub const fn target(&self) -> &'e str {
        self.target
    }

    /// The path, without the query, as sent: percent-encoded, dots included.
    #[must_use]
    pub fn path(&self) -> &'e str {
        let target = self.target.as_bytes();
        let find = |from: usize, end: fn(u8) -> bool| {
            let found = target[from..].iter().position(|&byte| end(byte));
            found.map_or(target.len(), |at| from + at)
        };
        // RFC 9112 §3.2: else it is an absolute URI, and its path begins after the authority.
        let authority = match target {
            [b'/', ..] => 0,
            _ => (find(0, |byte| byte == b'/') + 2).min(target.len()),
        };
        let start = match authority {
            0 => 0,
            at => find(at, |byte| matches!(byte, b'/' | b'?')),
        };
        match &target[start..find(start, |byte| byte == b'?')] {
            [] => "/",
            path => text(path),
        }
    }

    /// What follows the first `?` of the target.
    #[must_use]
    pub fn query(&self) -> Option<&'e str> {
        let target = self.target.as_bytes();
        let mark = target.iter().position(|&byte| byte == b'?')?;
        Some(text(&target[mark + 1..]))
    }

    /// The value of the first field of this name, which is compared without regard to ASCII case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&'e [u8]> {
        self.headers().all(name).next()
    }

    /// All fields, in order, with their names as they were sent.
    #[must_use]
    pub fn headers(&self) -> Headers<'e> {
        Headers::of(self.head)
    }

    /// The subprotocols that the client offers, most wanted first (RFC 6455 §1.9).
    pub fn subprotocols(&self) -> impl Iterator<Item = &'e str> + use<'e> {
        let values = self.headers().all(Field::Protocol.name());
        values.flat_map(elements).map(text)
    }

    /// The value of `Origin`, as sent; without it the client is not a browser (RFC 6455 §4.2.1).
    #[must_use]
    pub fn origin(&self) -> Option<&'e str> {
        self.header(Field::Origin.name()).map(text)
    }
}

/// The head of the response that opened a client's connection, lent from the input or from the
/// [`Room`](super::Room).
#[derive(Clone, Copy)]
pub struct ResponseHead<'e> {
    head: &'e [u8],
    subprotocol: Option<&'e str>,
}

impl<'e> ResponseHead<'e> {
    /// Of a head that was judged.
    pub(super) const fn new(head: &'e [u8], subprotocol: Option<&'e str>) -> Self {
        Self { head, subprotocol }
    }

    /// The subprotocol that the server chose of those offered (RFC 6455 §1.9).
    #[must_use]
    pub const fn subprotocol(&self) -> Option<&'e str> {
        self.subprotocol
    }

    /// The value of the first field of this name, which is compared without regard to ASCII case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&'e [u8]> {
        self.headers().all(name).next()
    }

    /// All fields, in order, with their names as they were sent.
    #[must_use]
    pub fn headers(&self) -> Headers<'e> {
        Headers::of(self.head)
    }
}

/// Empty for what is not UTF-8, which the rules allow only in fields that they do not read.
fn text(bytes: &[u8]) -> &str {
    core::str::from_utf8(bytes).unwrap_or_default()
}

/// Lengths only: targets and fields can hold credentials.
impl fmt::Debug for RequestHead<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequestHead")
            .field("head", &self.head.len())
            .field("target", &self.target.len())
            .finish()
    }
}

/// Its length only.
impl fmt::Debug for ResponseHead<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ResponseHead({} bytes)", self.head.len())
    }
}
