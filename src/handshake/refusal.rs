//! A refused handshake as the client sees it: status, fields and a bounded body (RFC 6455 §4.1 (1)).

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use crate::decimal::decimal;
use crate::error::Field;

use super::field::{elements, values};
use super::head::HttpVersion;

/// The server refused the handshake: it answered with a status that does not open the connection
/// (RFC 6455 §4.1), such as an error, a redirect or a demand to authenticate. The caller may try again.
///
/// ```no_run
/// # fn again(refusal: &sansocket::handshake::Refusal) {
/// match refusal.status {
///     301 | 302 | 303 | 307 | 308 => { let _ = refusal.header("Location"); }
///     401 => { let _ = refusal.header("WWW-Authenticate"); }
///     _ => {}
/// }
/// # }
/// ```
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Refusal {
    /// The status, 200 or above.
    pub status: u16,
    /// The version of HTTP/1. `None` over extended CONNECT, where no status line tells one.
    pub version: Option<HttpVersion>,
    /// The reason phrase, often empty: for people only (RFC 9112 §4). What is not UTF-8 in it is replaced.
    pub reason: String,
    /// The fields, in order, with their names as they were sent.
    pub fields: Vec<(String, Vec<u8>)>,
    /// The body, up to [`Limits::body`](crate::config::Limits::body).
    pub body: Vec<u8>,
    /// The body is not complete: it was cut at the limit, by the end of the stream, or by a deadline.
    pub truncated: bool,
    /// HTTP/1: the server takes another request on this transport (RFC 9112 §9.3). The body ended by itself,
    /// and nothing asked for the end of the transport.
    pub reusable: bool,
}

impl Refusal {
    pub(crate) fn new<'h>(status: u16, fields: impl Iterator<Item = (&'h str, &'h [u8])>) -> Self {
        Self {
            status,
            version: None,
            reason: String::new(),
            fields: fields
                .map(|(name, value)| (name.into(), value.into()))
                .collect(),
            body: Vec::new(),
            truncated: false,
            reusable: false,
        }
    }

    /// Bytes of heap.
    pub(crate) fn memory_held(&self) -> usize {
        let field = |(name, value): &(String, Vec<u8>)| name.capacity() + value.capacity();
        self.reason.capacity()
            + self.body.capacity()
            + self.fields.capacity() * size_of::<(String, Vec<u8>)>()
            + self.fields.iter().map(field).sum::<usize>()
    }

    fn iter(&self) -> impl Iterator<Item = (&str, &[u8])> + Clone {
        self.fields.iter().map(|(name, value)| (&**name, &**value))
    }

    /// The value of the first field of this name, which is compared without regard to ASCII case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&[u8]> {
        let mut fields = self.iter();
        fields
            .find(|(found, _)| found.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    }

    /// The versions of the protocol that the server takes, if it says so (RFC 6455 §4.4). This client
    /// speaks 13 only: trying again is of no use if 13 is not among them.
    pub fn versions(&self) -> impl Iterator<Item = u8> {
        let lists = values(self.iter(), Field::Version).flat_map(elements);
        lists.filter_map(|version| u8::try_from(decimal(version)?).ok())
    }
}

/// The status, and lengths.
impl fmt::Debug for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Refusal")
            .field("status", &self.status)
            .field("fields", &self.fields.len())
            .field("body", &self.body.len())
            .field("truncated", &self.truncated)
            .field("reusable", &self.reusable)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use alloc::format;

    use super::*;

    fn refusal_of(fields: &[(&str, &str)]) -> Refusal {
        Refusal::new(
            404,
            fields.iter().map(|&(name, value)| (name, value.as_bytes())),
        )
    }

    #[test]
    fn versions() {
        let fields = [
            ("sec-websocket-version", "13"),
            ("Sec-WebSocket-Version", "8, ,7, x, 300"),
        ];
        let refusal = refusal_of(&fields);
        assert_eq!(refusal.versions().collect::<Vec<_>>(), [13, 8, 7]);
        assert_eq!(refusal.header("SEC-WEBSOCKET-VERSION"), Some(&b"13"[..]));
        assert_eq!(refusal.header("Location"), None);
        assert_eq!(refusal_of(&[]).versions().count(), 0);
    }

    #[test]
    fn debug_shows_lengths_only() {
        let mut refusal = refusal_of(&[("Set-Cookie", "secret")]);
        refusal.body.extend(b"secret");
        let expected =
            "Refusal { status: 404, fields: 1, body: 6, truncated: false, reusable: false }";
        assert_eq!(format!("{refusal:?}"), expected);
    }
}
