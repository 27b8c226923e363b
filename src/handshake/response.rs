//! A server's response that opens no connection (RFC 6455 §4.2.2).

use alloc::format;
use alloc::vec::Vec;
use core::{fmt, mem};

use crate::error::{AcceptError, Field, FieldError, HandshakeError};

use super::extra::{self, Extra, FieldList};

/// How the body of a response ends (RFC 9112 §6.3).
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Framing {
    /// After so many bytes.
    Length(u64),
    /// With the last chunk (§7.1).
    Chunked,
    /// With the stream.
    ToEnd,
}

/// A response with any status from 200 to 599, for [`Connection::respond`](crate::Connection::respond)
/// (RFC 6455 §4.2.2): a refusal, authentication, a redirect, a page.
///
/// It goes out as it is, with `Content-Length` and `Connection: close` added.
///
/// ```
/// use sansocket::{Response, error::FieldError};
/// let response = Response::new(401)
///     .header("WWW-Authenticate", b"Basic realm=\"chat\"")?
///     .body("who are you?");
/// assert_eq!(response.status(), 401);
/// assert_eq!(response.header("Content-Length", b"7"), Err(FieldError::Reserved));
/// # Ok::<(), FieldError>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Response {
    status: u16,
    pub(crate) fields: Extra,
    pub(crate) body: Vec<u8>,
}

impl Response {
    /// A response with this status, no fields and no body. Responding with a status below 200 or above
    /// 599 fails with [`AcceptError::BadStatus`].
    #[must_use]
    pub fn new(status: u16) -> Self {
        Self {
            status,
            fields: Extra::default(),
            body: Vec::new(),
        }
    }

    /// Adds a field, in the order and the spelling given.
    ///
    /// # Errors
    /// [`FieldError::BadName`] and [`FieldError::BadValue`] for what is outside the grammar of fields,
    /// [`FieldError::Reserved`] for fields that frame the response or belong to an accepted handshake.
    pub fn header(mut self, name: &str, value: &[u8]) -> Result<Self, FieldError> {
        // RFC 9110 §7.8: Upgrade and the versions may stand in any response, and have to in a 426.
        let reserved = |field| !matches!(field, Field::Upgrade | Field::Version);
        self.fields.add(name, value, reserved)?;
        Ok(self)
    }

    /// Sets the body. It is left out where HTTP has none: with 204 and 304, and in the response to HEAD.
    #[must_use]
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    /// The status.
    #[must_use]
    pub fn status(&self) -> u16 {
        self.status
    }

    /// How long it is, written, at most.
    pub(crate) fn most(&self) -> usize {
        FIXED + self.fields.len() + self.body.len()
    }

    /// [`AcceptError::BadStatus`] if the status does not answer a request.
    pub(crate) fn check(&self) -> Result<(), AcceptError> {
        match self.status {
            200..=599 => Ok(()),
            status => Err(AcceptError::BadStatus { status }),
        }
    }

    /// Appends the response to a request. The connection ends after it.
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        self.write_head(out);
        if self.has_content() {
            out.extend_from_slice(&self.body);
        }
    }

    /// Appends the response to HEAD, which has no body (RFC 9110 §9.3.2).
    pub(crate) fn write_head(&self, out: &mut Vec<u8>) {
        self.write_framed(Framing::Length(self.body.len() as u64), out);
    }

    /// Appends the head of a response whose body is framed like this, if it has one.
    pub(crate) fn write_framed(&self, framing: Framing, out: &mut Vec<u8>) {
        status_line(self.status, out);
        self.fields.write(out);
        if self.has_content() {
            match framing {
                Framing::Length(len) => {
                    extra::write(out, "Content-Length", &[format!("{len}").as_bytes()]);
                }
                Framing::Chunked => extra::write(out, "Transfer-Encoding", &[b"chunked"]),
                Framing::ToEnd => {}
            }
        }
        // RFC 9110 §7.8: an Upgrade field is named in Connection.
        let upgrade = self
            .fields
            .iter()
            .any(|(name, _)| Field::of(name) == Some(Field::Upgrade));
        let connection: &[u8] = if upgrade { b"Upgrade, close" } else { b"close" };
        extra::write(out, "Connection", &[connection]);
        out.extend_from_slice(b"\r\n");
    }

    /// RFC 9110 §6.4.1: not with 204 and 304. RFC 9110 §8.6, RFC 9112 §6.1: so there is no
    /// Content-Length; with 304 it would be that of another response.
    pub(crate) fn has_content(&self) -> bool {
        !matches!(self.status, 204 | 304)
    }

    /// The body, which goes out by itself.
    pub(crate) fn take_body(&mut self) -> Vec<u8> {
        mem::take(&mut self.body)
    }

    /// Status, fields and body for another HTTP stack, which frames them itself.
    pub(crate) fn into_parts(self) -> (u16, FieldList, Vec<u8>) {
        (self.status, self.fields.0, self.body)
    }

    /// The ready-made response to a bad handshake. Each names the version that is spoken here.
    pub(crate) fn refusal(error: HandshakeError) -> Self {
        let mut response = Self::new(error.status()).body(format!("{error}\n"));
        let mut add =
            |name: &str, value: &[u8]| response.fields.0.push((name.into(), value.into()));
        match response.status {
            // RFC 9110 §15.5.22.
            426 => add("Upgrade", b"websocket"),
            // RFC 9110 §15.5.6.
            405 => add("Allow", b"GET"),
            _ => {}
        }
        // RFC 6455 §4.4.
        add(Field::Version.name(), b"13");
        add("Content-Type", b"text/plain; charset=utf-8");
        response
    }
}

/// Names of the fields, lengths of the rest.
impl fmt::Debug for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Response")
            .field("status", &self.status)
            .field("fields", &self.fields)
            .field("body", &self.body.len())
            .finish()
    }
}

/// The status line (RFC 9112 §4). The reason phrase may be empty; the blank before it may not be left
/// out.
pub(crate) fn status_line(status: u16, out: &mut Vec<u8>) {
    let line = format!("HTTP/1.1 {status} {}\r\n", reason(status));
    out.extend_from_slice(line.as_bytes());
}

/// The reason phrases (RFC 9110 §15) of what answers an opening handshake.
const fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        204 => "No Content",
        301 => "Moved Permanently",
        302 => "Found",
        303 => "See Other",
        304 => "Not Modified",
        307 => "Temporary Redirect",
        308 => "Permanent Redirect",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        406 => "Not Acceptable",
        408 => "Request Timeout",
        409 => "Conflict",
        410 => "Gone",
        413 => "Content Too Large",
        414 => "URI Too Long",
        421 => "Misdirected Request",
        426 => "Upgrade Required",
        429 => "Too Many Requests",
        431 => "Request Header Fields Too Large",
        500 => "Internal Server Error",
        501 => "Not Implemented",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        505 => "HTTP Version Not Supported",
        _ => "",
    }
}

/// The status line, and the fields that are added.
const FIXED: usize = 256;

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by a panic")]
mod tests {
    use alloc::string::{String, ToString};
    use alloc::vec;

    use super::*;

    fn written(response: &Response) -> String {
        let mut out = vec![];
        response.write(&mut out);
        String::from_utf8(out).unwrap()
    }

    fn written_to_head(response: &Response) -> String {
        let mut out = vec![];
        response.write_head(&mut out);
        String::from_utf8(out).unwrap()
    }

    /// What it takes at most is no less than it takes, and little more.
    #[test]
    fn how_long_it_is_at_most() {
        let plain = Response::new(404);
        let field = || Response::new(421).header("X", &[b'x'; 3000]).unwrap();
        for response in [
            plain.clone(),
            plain.body(vec![b'b'; 5000]),
            field(),
            field().body(vec![b'b'; 5000]),
        ] {
            let (len, most) = (written(&response).len(), response.most());
            assert!((len..=len + FIXED).contains(&most), "{len} {most}");
        }
    }

    /// RFC 9110 §15: the registered phrases; others have none (RFC 9112 §4).
    #[test]
    fn the_reason_phrases() {
        let phrases = [
            (200, "OK"),
            (204, "No Content"),
            (301, "Moved Permanently"),
            (302, "Found"),
            (303, "See Other"),
            (304, "Not Modified"),
            (307, "Temporary Redirect"),
            (308, "Permanent Redirect"),
            (401, "Unauthorized"),
            (404, "Not Found"),
            (406, "Not Acceptable"),
            (408, "Request Timeout"),
            (409, "Conflict"),
            (410, "Gone"),
            (413, "Content Too Large"),
            (421, "Misdirected Request"),
            (429, "Too Many Requests"),
            (500, "Internal Server Error"),
            (501, "Not Implemented"),
            (502, "Bad Gateway"),
            (503, "Service Unavailable"),
            (504, "Gateway Timeout"),
            (599, ""),
        ];
        for (status, phrase) in phrases {
            let response = Response::new(status);
            assert_eq!(response.status(), status);
            let line = alloc::format!("HTTP/1.1 {status} {phrase}\r\n");
            assert!(written(&response).starts_with(&line), "{status}");
        }
    }

    fn refused(error: HandshakeError) -> String {
        written(&Response::refusal(error))
    }

    /// Exactly that answer, framed, and the end of the connection.
    #[test]
    fn an_answer_of_the_application() {
        let response = Response::new(302)
            .header("location", b"/b")
            .unwrap()
            .header("Set-Cookie", b"a=1")
            .unwrap()
            .header("Set-Cookie", b"b=2")
            .unwrap()
            .body("no");
        assert_eq!(
            written(&response),
            "HTTP/1.1 302 Found\r\nlocation: /b\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\n\
             Content-Length: 2\r\nConnection: close\r\n\r\nno"
        );
        assert!(
            written_to_head(&response).ends_with("Content-Length: 2\r\nConnection: close\r\n\r\n")
        );
        assert_eq!(
            written(&Response::new(499)),
            "HTTP/1.1 499 \r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        );
    }

    /// RFC 9110 §8.6, §15.4.5.
    #[test]
    fn statuses_without_a_body() {
        for status in [204, 304] {
            let text = written(&Response::new(status).body("x"));
            assert!(text.ends_with("\r\nConnection: close\r\n\r\n"), "{text}");
            assert!(!text.contains("Content-Length"));
        }
    }

    #[test]
    fn a_status_that_refuses_nothing() {
        for status in [0, 99, 100, 101, 199, 600, 1000, u16::MAX] {
            let result = Response::new(status).check();
            assert_eq!(result, Err(AcceptError::BadStatus { status }));
        }
    }

    #[test]
    fn fields_that_are_not_the_callers() {
        for name in [
            "content-length",
            "Transfer-Encoding",
            "CONNECTION",
            "Sec-WebSocket-Accept",
            "Sec-WebSocket-Extensions",
        ] {
            let result = Response::new(400).header(name, b"1");
            assert_eq!(result, Err(FieldError::Reserved), "{name}");
        }
        let result = Response::new(400).header("Location", b"/\r\nX: y");
        assert_eq!(result, Err(FieldError::BadValue));
    }

    #[test]
    fn the_ready_made_answer_to_a_wrong_version() {
        for error in [
            HandshakeError::Version,
            HandshakeError::Missing(Field::Version),
        ] {
            let body = error.to_string() + "\n";
            assert_eq!(
                refused(error),
                format!(
                    "HTTP/1.1 426 Upgrade Required\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
                     Content-Type: text/plain; charset=utf-8\r\nContent-Length: {}\r\n\
                     Connection: Upgrade, close\r\n\r\n{body}",
                    body.len()
                )
            );
        }
    }

    /// Every refusal names the version, has a length, and ends the connection.
    #[test]
    fn every_ready_made_answer() {
        for (error, line) in [
            (HandshakeError::Malformed { line: 1 }, "400 Bad Request"),
            (HandshakeError::Origin, "403 Forbidden"),
            (HandshakeError::Method, "405 Method Not Allowed"),
            (HandshakeError::TargetTooLong, "414 URI Too Long"),
            (
                HandshakeError::HeadTooLong,
                "431 Request Header Fields Too Large",
            ),
            (
                HandshakeError::HttpVersion,
                "505 HTTP Version Not Supported",
            ),
        ] {
            let text = refused(error);
            assert!(text.starts_with(&format!("HTTP/1.1 {line}\r\n")), "{text}");
            assert!(text.contains("\r\nSec-WebSocket-Version: 13\r\n"));
            assert!(text.contains("\r\nConnection: close\r\n\r\n"));
            assert_eq!(
                text.contains("\r\nAllow: GET\r\n"),
                error == HandshakeError::Method
            );
            assert!(!text.contains("Upgrade"));
        }
    }

    #[test]
    fn debug_shows_no_values() {
        let response = Response::new(401)
            .header("X-Key", b"secret")
            .unwrap()
            .body("secret");
        let text = format!("{response:?}");
        assert!(text.contains("X-Key") && !text.contains("secret"), "{text}");
    }
}
