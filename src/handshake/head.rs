//! Heads of HTTP messages: the start line, the fields, and the walk over them (RFC 9112 §3, §4, §5).

use core::fmt;
use core::mem::MaybeUninit;
use core::ops::{Range, RangeInclusive};

use memchr::memchr;

use crate::decimal::decimal;
use crate::error::HandshakeError;
use crate::token::is_token;

use super::field::{is_value, trim};
#[cfg(any(test, feature = "alloc"))]
use super::scanner::MAX_FIELDS;

/// Room for one field of a head while it is judged.
pub(crate) type Slot<'h> = MaybeUninit<httparse::Header<'h>>;

/// Room on the stack for as many as a head can have.
#[cfg(any(test, feature = "alloc"))]
pub(crate) const fn slots<'h>() -> [Slot<'h>; MAX_FIELDS] {
    [const { MaybeUninit::uninit() }; MAX_FIELDS]
}

/// The request line (RFC 9112 §3), from a head or from another HTTP stack.
#[derive(Clone, Copy)]
pub(crate) struct RequestLine<'h> {
    pub(crate) method: &'h str,
    pub(crate) target: &'h str,
    pub(crate) version: HttpVersion,
}

/// A version of HTTP/1 (RFC 9112 §2.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum HttpVersion {
    /// HTTP/1.0, which has no upgrade (RFC 9110 §7.8).
    Http10,
    /// HTTP/1.1, and minor versions above it, which mean the same (RFC 9110 §2.5).
    Http11,
}

impl HttpVersion {
    /// Of the minor version.
    const fn minor(minor: u8) -> Self {
        if minor == 0 {
            Self::Http10
        } else {
            Self::Http11
        }
    }
}

/// Parses a whole request head.
pub(crate) fn parse_request<'s, 'h>(
    head: &'h [u8],
    slots: &'s mut [Slot<'h>],
) -> Result<(RequestLine<'h>, &'s [httparse::Header<'h>]), HandshakeError> {
    let mut request = httparse::Request::new(&mut []);
    let parsed = request.parse_with_uninit_headers(head, slots);
    whole(parsed, head)?;
    match (request.method, request.path, request.version) {
        (Some(method), Some(target), Some(minor)) => {
            let line = RequestLine {
                method,
                target,
                version: HttpVersion::minor(minor),
            };
            Ok((line, request.headers))
        }
        _ => Err(HandshakeError::Malformed { line: 1 }),
    }
}

/// The status line (RFC 9112 §4).
#[derive(Clone, Copy)]
pub(crate) struct StatusLine<'h> {
    pub(crate) status: u16,
    pub(crate) version: HttpVersion,
    /// The reason phrase, often empty.
    pub(crate) reason: &'h [u8],
}

/// Parses a whole response head, in which [`unfold`] left no folded line. A line that is no field fails a
/// response whose status is one of `opening`; of any other the status counts, and the line is left out.
pub(crate) fn parse_response<'s, 'h>(
    head: &'h [u8],
    opening: RangeInclusive<u64>,
    slots: &'s mut [Slot<'h>],
) -> Result<(StatusLine<'h>, &'s [httparse::Header<'h>]), HandshakeError> {
    let mut response = httparse::Response::new(&mut []);
    let mut config = httparse::ParserConfig::default();
    let (_, line) = first_line(head);
    let status = line.get(STATUS).and_then(decimal);
    let opens = status.is_some_and(|status| opening.contains(&status));
    config.ignore_invalid_headers_in_responses(!opens);
    let parsed = config.parse_response_with_uninit_headers(&mut response, head, slots);
    whole(parsed, head)?;
    match (response.code, response.version) {
        (Some(status), Some(minor)) => {
            let version = HttpVersion::minor(minor);
            let line = StatusLine {
                status,
                version,
                reason: reason_phrase(head),
            };
            Ok((line, response.headers))
        }
        _ => Err(HandshakeError::Malformed { line: 1 }),
    }
}

/// Where the status stands in a status line.
const STATUS: Range<usize> = 9..12;

/// The parser has to end where the scanner found the end.
fn whole(parsed: httparse::Result<usize>, head: &[u8]) -> Result<(), HandshakeError> {
    match parsed {
        Ok(httparse::Status::Complete(len)) if len == head.len() => Ok(()),
        Ok(_) => Err(HandshakeError::Malformed { line: 1 }),
        Err(httparse::Error::TooManyHeaders) => Err(HandshakeError::TooManyFields),
        Err(httparse::Error::Version) => Err(HandshakeError::HttpVersion),
        Err(_) => Err(HandshakeError::Malformed {
            line: malformed_line(head),
        }),
    }
}

/// The number of the first line that is no field, or 1 for the first line of the head if all are.
fn malformed_line(head: &[u8]) -> u8 {
    let fields = &head[line_start(head)..];
    let lines = fields.split(|&byte| byte == b'\n').zip(1..).skip(1);
    let is_field = |line: &[u8]| {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let mut parts = line.splitn(2, |&byte| byte == b':');
        let (name, value) = (parts.next().unwrap_or_default(), parts.next());
        line.is_empty() || is_token(name) && value.is_some_and(is_value)
    };
    let mut bad = lines.filter(|(line, _)| !is_field(line));
    bad.next().map_or(1, |(_, number)| number)
}

/// The fields as the rules take them, whichever parser they come from.
pub(crate) fn pairs<'s, 'h>(
    fields: &'s [httparse::Header<'h>],
) -> impl Iterator<Item = (&'h str, &'h [u8])> + Clone + use<'s, 'h> {
    fields.iter().map(|field| (field.name, field.value))
}

/// Replaces the line ends inside folded values by blanks, as a user agent must before it reads a
/// response (RFC 9112 §5.2). The first field cannot continue another one.
pub(crate) fn unfold(head: &mut [u8]) {
    let mut from = memchr(b'\n', head).map_or(head.len(), |end| end + 1);
    while let Some(end) = memchr(b'\n', &head[from..]).map(|found| from + found) {
        let first_line = from;
        from = end + 1;
        let folded = matches!(head.get(from), Some(b' ' | b'\t'));
        if folded && end > first_line && head[end - 1] == b'\r' {
            head[end - 1..=end].fill(b' ');
        }
    }
}

/// Where the first line of a parsed head starts.
pub(crate) fn line_start(head: &[u8]) -> usize {
    if head.starts_with(b"\r\n") { 2 } else { 0 }
}

/// The start of the first line of a parsed head, and the line without its end.
pub(crate) fn first_line(head: &[u8]) -> (usize, &[u8]) {
    let start = line_start(head);
    let line = &head[start..];
    let end = memchr(b'\r', line).unwrap_or(line.len());
    (start, &line[..end])
}

/// What follows the status in the status line of a response (RFC 9112 §4).
pub(crate) fn reason_phrase(head: &[u8]) -> &[u8] {
    let (_, line) = first_line(head);
    line.get(STATUS.end + 1..).unwrap_or_default()
}

/// The fields of a request or a response, in order, with their names as they were sent.
///
/// It walks the bytes of the head: no index is stored, nothing is allocated.
#[derive(Clone)]
pub struct Headers<'r> {
    rest: &'r [u8],
}

impl<'r> Headers<'r> {
    /// The head has passed the scanner and the parser.
    pub(crate) fn of(head: &'r [u8]) -> Self {
        let (start, line) = first_line(head);
        let rest = head.get(start + line.len() + 2..).unwrap_or_default();
        Self { rest }
    }

    /// The values of all fields of this name, in order (RFC 9110 §5.3).
    pub(crate) fn all<'n>(self, name: &'n str) -> Values<'r, 'n> {
        Values {
            headers: self,
            name,
        }
    }
}

impl<'r> Iterator for Headers<'r> {
    type Item = (&'r str, &'r [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let end = memchr(b'\n', self.rest)?;
            let (line, rest) = self.rest.split_at(end + 1);
            self.rest = rest;
            // Only a head that failed has lines that are no fields.
            let Some(colon) = memchr(b':', line) else {
                continue;
            };
            let Ok(name) = core::str::from_utf8(&line[..colon]) else {
                continue;
            };
            return Some((name, trim(line[colon + 1..].trim_ascii_end())));
        }
    }
}

/// How many bytes are left, never which.
impl fmt::Debug for Headers<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Headers({} bytes)", self.rest.len())
    }
}

/// The values of one field name.
#[derive(Clone)]
pub(crate) struct Values<'r, 'n> {
    headers: Headers<'r>,
    name: &'n str,
}

impl<'r> Iterator for Values<'r, '_> {
    type Item = &'r [u8];

    fn next(&mut self) -> Option<&'r [u8]> {
        let name = self.name;
        self.headers
            .find(|(found, _)| found.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by a panic")]
pub(crate) mod tests {
    use alloc::format;
    use alloc::string::String;
    use alloc::vec::Vec;

    use crate::config::Limits;

    use super::super::scanner::{Scan, Scanner};
    use super::*;

    /// RFC 6455 §1.3.
    pub(crate) const SAMPLE: &str = "GET /chat HTTP/1.1\r\n\
        Host: server.example.com\r\n\
        Upgrade: websocket\r\n\
        Connection: Upgrade\r\n\
        Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
        Origin: http://example.com\r\n\
        Sec-WebSocket-Protocol: chat, superchat\r\n\
        Sec-WebSocket-Version: 13\r\n\
        \r\n";

    fn fields(head: &str) -> Result<Vec<(String, Vec<u8>)>, HandshakeError> {
        let mut slots = slots();
        let (_, fields) = parse_request(head.as_bytes(), &mut slots)?;
        let walked: Vec<_> = Headers::of(head.as_bytes()).collect();
        assert_eq!(walked, pairs(fields).collect::<Vec<_>>());
        Ok(walked
            .into_iter()
            .map(|(n, v)| (n.into(), v.to_vec()))
            .collect())
    }

    /// The walk gives what the parser gave.
    #[test]
    fn the_walk_over_a_head() {
        let head = "GET / HTTP/1.1\r\nhOst:h\r\nA:\t b c \t\r\nEmpty:\r\nB: : \u{e9}\r\n\r\n";
        let expected = [
            ("hOst", "h"),
            ("A", "b c"),
            ("Empty", ""),
            ("B", ": \u{e9}"),
        ];
        let expected = expected.map(|(name, value)| (name.into(), value.into()));
        assert_eq!(fields(head).unwrap(), expected);
        assert_eq!(fields(&format!("\r\n{head}")).unwrap(), expected);
        assert_eq!(fields("GET / HTTP/1.1\r\n\r\n").unwrap(), []);
        let all = Headers::of(SAMPLE.as_bytes()).all("sec-websocket-VERSION");
        assert_eq!(all.collect::<Vec<_>>(), [b"13"]);
        let debug = format!("{:?}", Headers::of(SAMPLE.as_bytes()));
        assert_eq!(debug, format!("Headers({} bytes)", SAMPLE.len() - 20));
    }

    /// In a head that failed, lines that are no fields are passed over.
    #[test]
    fn a_walk_over_a_head_that_failed() {
        let head = b"HTTP/1.1 101 x\r\nnocolon\r\nA\xe9: b\r\nC: d\r\n\r\n";
        let walked: Vec<_> = Headers::of(head).collect();
        assert_eq!(walked, [("C", &b"d"[..])]);
    }

    /// What a strict parser refuses in a request.
    #[test]
    fn strict_requests() {
        let malformed = |line| HandshakeError::Malformed { line };
        for (head, error) in [
            ("GET / HTTP/1.1\r\nHost : h\r\n\r\n", malformed(2)),
            ("GET / HTTP/1.1\r\nA: b\r\n c\r\n\r\n", malformed(3)),
            ("GET / HTTP/1.1\r\n X: y\r\n\r\n", malformed(2)),
            ("\r\nGET / HTTP/1.1\r\n: y\r\n\r\n", malformed(2)),
            (
                "GET / HTTP/1.1\r\nA: b\r\nC:\r\nnocolon\r\n\r\n",
                malformed(4),
            ),
            ("GET / HTTP/1.1\r\nA\u{e9}: b\r\n\r\n", malformed(2)),
            ("GET / HTTP/1.1\r\nA: \x07\r\n\r\n", malformed(2)),
            ("GET / HTTP/1.1\r\nA: \x7f\r\n\r\n", malformed(2)),
            ("GET /\u{7f} HTTP/1.1\r\n\r\n", malformed(1)),
        ] {
            let scan = Scanner::request().scan(head.as_bytes(), &Limits::server());
            assert_eq!(scan, Scan::Head(head.len()));
            assert_eq!(fields(head).unwrap_err(), error, "{head:?}");
        }
        for (head, error) in [
            ("GET  / HTTP/1.1\r\n\r\n", malformed(1)),
            ("GET / HTTP/1.1 \r\n\r\n", malformed(1)),
            ("GET / HTTP/2.0\r\n\r\n", HandshakeError::HttpVersion),
            ("PRI * HTTP/2.0\r\n\r\n", HandshakeError::HttpVersion),
            ("GET / http/1.1\r\n\r\n", HandshakeError::HttpVersion),
            ("GET / \r\n\r\n", HandshakeError::HttpVersion),
        ] {
            let scan = Scanner::request().scan(head.as_bytes(), &Limits::server());
            assert_eq!(scan, Scan::Bad(error));
            assert_eq!(fields(head).unwrap_err(), error, "{head:?}");
        }
        assert!(fields("GET /\r\n\r\n").is_err());
        assert!(fields("GET\r\n\r\n").is_err());
        // Fewer or more bytes than the scanner found are no head.
        assert!(fields("GET / HTTP/1.1\r\n").is_err());
        assert!(fields("GET / HTTP/1.1\r\n\r\n ").is_err());
    }

    /// Folded lines of an answer become blanks; the length stays.
    #[test]
    fn folded_lines_of_an_answer() {
        let unfolded = |text: &str| {
            let mut bytes = Vec::from(text);
            unfold(&mut bytes);
            String::from_utf8(bytes).unwrap()
        };
        assert_eq!(
            unfolded("HTTP/1.1 200 x\r\nA: b\r\n c\r\n\td\r\nB: e\r\n\r\n"),
            "HTTP/1.1 200 x\r\nA: b   c  \td\r\nB: e\r\n\r\n"
        );
        // The first line is not a field that could go on.
        for same in [
            "HTTP/1.1 200 x\r\n A: b\r\n\r\n",
            "HTTP/1.1 200 x\r\n\r\n",
            "",
            "a",
        ] {
            assert_eq!(unfolded(same), same);
        }
        let head = unfolded("HTTP/1.1 200 x\r\nA:\r\n b\r\n\r\n");
        let mut slots = slots();
        let (line, fields) = parse_response(head.as_bytes(), 101..=101, &mut slots).unwrap();
        assert_eq!(line.status, 200);
        assert_eq!(pairs(fields).collect::<Vec<_>>(), [("A", &b"b"[..])]);
        let folded = b"HTTP/1.1 101 x\r\n A: b\r\n\r\n";
        let error = parse_response(folded, 101..=101, &mut super::slots()).err();
        assert_eq!(error, Some(HandshakeError::Malformed { line: 2 }));
    }

    /// A line that is no field hides neither the status nor the other fields; in a 101 it fails.
    #[test]
    fn a_bad_line_of_an_answer() {
        for bad in [
            "X Foo: 1",
            "X-Foo : 1",
            "nocolon",
            ": x",
            "A: \x07",
            " b: c",
        ] {
            for status in [100, 200, 302, 503] {
                let head = format!("HTTP/1.1 {status} x\r\n{bad}\r\nA: b\r\n{bad}\r\n\r\n");
                let mut slots = slots();
                let (line, fields) =
                    parse_response(head.as_bytes(), 101..=101, &mut slots).unwrap();
                assert_eq!(line.status, status);
                assert_eq!(pairs(fields).collect::<Vec<_>>(), [("A", &b"b"[..])]);
            }
            let head = format!("HTTP/1.1 101 x\r\nA: b\r\n{bad}\r\n\r\n");
            let error = parse_response(head.as_bytes(), 101..=101, &mut slots()).err();
            assert_eq!(error, Some(HandshakeError::Malformed { line: 3 }), "{bad}");
        }
    }
}
