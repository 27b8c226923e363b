//! Heads of HTTP messages: where one ends, what stands in it, and the walk over its fields
//! (RFC 9112 §2, §3, §5).
//!
//! The scanner has the only idea of a line end, CR LF, and refuses the others at once. So the parser
//! behind it, which would take a lone LF, can never see an end where the scanner sees none, and bytes
//! of a head can never be taken for frames (D-10).

use crate::config::Limits;
use crate::error::HandshakeError;
use crate::handshake::field::trim;
use crate::token::is_token_byte;
use core::fmt;
use core::mem::MaybeUninit;
use memchr::{memchr, memchr3};

/// What the scanner says about the bytes so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scan {
    /// The head goes on.
    More,
    /// The head has this many bytes, its empty line included.
    Head(usize),
    /// No head can start like this, or it passes a limit.
    Bad(HandshakeError),
}

/// Finds the end of a head, each byte looked at once, however the bytes are cut.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scanner {
    request: bool,
    /// Bytes of heads before this one: 1xx answers count against the same limit (D-30).
    spent: u32,
    /// Where to look on: everything before is whole lines and the start of one without CR, LF, NUL.
    at: u32,
    line_start: u32,
    /// Lines that have ended, the empty one before a request aside.
    lines: u32,
}

impl Scanner {
    pub(crate) const fn request() -> Self {
        Self {
            request: true,
            spent: 0,
            at: 0,
            line_start: 0,
            lines: 0,
        }
    }

    pub(crate) const fn response() -> Self {
        Self {
            request: false,
            ..Self::request()
        }
    }

    /// Starts over for the head that follows one of `len` bytes, on the same limit of bytes (D-30).
    pub(crate) fn next_head(&mut self, len: usize) {
        *self = Self {
            request: self.request,
            spent: self
                .spent
                .saturating_add(u32::try_from(len).unwrap_or(u32::MAX)),
            ..Self::request()
        };
    }

    /// Goes on with the head of which `bytes` is everything so far. The verdict is the same for
    /// every cut of the bytes: it is the first one that a prefix of them gives.
    pub(crate) fn scan(&mut self, bytes: &[u8], limits: &Limits) -> Scan {
        let max = limits.head.saturating_sub(self.spent) as usize;
        let within = &bytes[..bytes.len().min(max)];
        match self.lines(within, limits.fields.min(MAX_FIELDS as u16)) {
            Ok(Some(len)) => Scan::Head(len),
            Ok(None) if bytes.len() <= max => Scan::More,
            // RFC 9112 §3: a request line that is too long is a target that is too long.
            Ok(None) if self.request && self.lines == 0 => Scan::Bad(HandshakeError::TargetTooLong),
            Ok(None) => Scan::Bad(HandshakeError::HeadTooLong),
            Err(error) => Scan::Bad(error),
        }
    }

    fn lines(&mut self, bytes: &[u8], max_fields: u16) -> Result<Option<usize>, HandshakeError> {
        if self.lines == 0 {
            self.check_start(bytes)?;
        }
        if self.at == 0 && is_plain_head(bytes, max_fields) {
            return Ok(Some(bytes.len()));
        }
        loop {
            let from = self.at as usize;
            let Some(at) = memchr3(b'\r', b'\n', 0, &bytes[from..]).map(|found| from + found)
            else {
                self.at = position(bytes.len())?;
                return Ok(None);
            };
            // RFC 9112 §2.2: a CR without LF is an error; a lone LF is taken by some (D-10: not here).
            match bytes[at..] {
                [b'\r'] => {
                    self.at = position(at)?;
                    return Ok(None);
                }
                [b'\r', b'\n', ..] => {}
                _ => return Err(HandshakeError::LineEnd),
            }
            let next = at + 2;
            let empty = at == self.line_start as usize;
            self.at = position(next)?;
            self.line_start = self.at;
            if !empty {
                self.lines += 1;
                // The first line is no field.
                if self.lines > u32::from(max_fields) + 1 {
                    return Err(HandshakeError::TooManyFields);
                }
            } else if self.lines > 0 {
                return Ok(Some(next));
            }
            // RFC 9112 §2.2: one empty line before a request is skipped; `check_start` refuses a second.
        }
    }

    /// What can be told from the first bytes: another protocol (TLS, SSH, an old draft) is not waited for.
    fn check_start(&self, bytes: &[u8]) -> Result<(), HandshakeError> {
        let fits = if self.request {
            let line = bytes.strip_prefix(b"\r\n").unwrap_or(bytes);
            let method = &line[..line.len().min(MAX_METHOD + 1)];
            match method.iter().position(|&byte| !is_token_byte(byte)) {
                Some(end) => line[end] == b' ' && end > 0 || line == b"\r",
                None => method.len() <= MAX_METHOD,
            }
        } else {
            let len = bytes.len().min(5);
            bytes[..len] == b"HTTP/"[..len]
        };
        if fits {
            Ok(())
        } else {
            Err(HandshakeError::Malformed)
        }
    }
}

/// Whether the bytes are one head and nothing else, with nothing to object to, which is how nearly
/// all requests come. `false` says nothing: then the lines are walked for the verdict.
fn is_plain_head(bytes: &[u8], max_fields: u16) -> bool {
    let Some(lines @ [_, behind @ ..]) = bytes.strip_suffix(b"\r\n") else {
        return false;
    };
    // What a lane can count.
    if behind.len() >= 255 * LANES {
        return false;
    }
    let mut pairs = Pairs::default();
    let (words, rest) = lines[..behind.len()].as_chunks();
    let (words_behind, rest_behind) = behind.as_chunks();
    for (word, behind) in words.iter().zip(words_behind) {
        pairs.add(word, behind);
    }
    let (mut word, mut word_behind) = ([b' '; LANES], [b' '; LANES]);
    word[..rest.len()].copy_from_slice(rest);
    word_behind[..rest.len()].copy_from_slice(rest_behind);
    pairs.add(&word, &word_behind);
    // The first line is no field.
    lines.ends_with(b"\n") && pairs.odd == [0; LANES] && pairs.ends() <= usize::from(max_fields) + 1
}

const LANES: usize = 16;

/// What the pairs of bytes that stand side by side say of line ends, in lanes, so that a processor
/// looks at many at once.
#[derive(Default)]
struct Pairs {
    /// A CR or an LF without the other, an empty line, NUL.
    odd: [u8; LANES],
    ends: [u8; LANES],
}

impl Pairs {
    #[inline]
    fn add(&mut self, bytes: &[u8; LANES], behind: &[u8; LANES]) {
        for i in 0..LANES {
            let (byte, next) = (bytes[i], behind[i]);
            let end = next == b'\n';
            let empty = (byte == b'\n') & (next == b'\r');
            self.odd[i] |= u8::from(((byte == b'\r') != end) | empty | (byte == 0));
            self.ends[i] += u8::from(end);
        }
    }

    fn ends(&self) -> usize {
        self.ends.iter().copied().map(usize::from).sum()
    }
}

/// The longest registered method has 17 letters.
const MAX_METHOD: usize = 20;

/// How many fields a head can have at most, whatever the limits say.
pub(crate) const MAX_FIELDS: usize = 128;

/// Positions lie below [`Limits::head`], which is a `u32`.
fn position(at: usize) -> Result<u32, HandshakeError> {
    u32::try_from(at).map_err(|_| HandshakeError::HeadTooLong)
}

/// Room on the stack for the fields of a head while it is judged.
pub(crate) type Slots<'h> = [MaybeUninit<httparse::Header<'h>>; MAX_FIELDS];

pub(crate) const fn slots<'h>() -> Slots<'h> {
    [const { MaybeUninit::uninit() }; MAX_FIELDS]
}

/// The request line (RFC 9112 §3), out of a head or from another HTTP stack.
#[derive(Clone, Copy)]
pub(crate) struct RequestLine<'h> {
    pub(crate) method: &'h str,
    pub(crate) target: &'h str,
    pub(crate) http10: bool,
}

/// Checks a whole request head and cuts it up.
pub(crate) fn parse_request<'s, 'h>(
    head: &'h [u8],
    slots: &'s mut Slots<'h>,
) -> Result<(RequestLine<'h>, &'s [httparse::Header<'h>]), HandshakeError> {
    let mut request = httparse::Request::new(&mut []);
    let parsed = request.parse_with_uninit_headers(head, slots);
    whole(parsed, head)?;
    match (request.method, request.path, request.version) {
        (Some(method), Some(target), Some(version)) => {
            let http10 = version == 0;
            let line = RequestLine {
                method,
                target,
                http10,
            };
            Ok((line, request.headers))
        }
        _ => Err(HandshakeError::Malformed),
    }
}

/// The status line (RFC 9112 §4).
#[derive(Clone, Copy)]
pub(crate) struct StatusLine {
    pub(crate) status: u16,
    pub(crate) http10: bool,
}

/// Checks a whole response head, in which [`unfold`] left no folded line, and cuts it up.
pub(crate) fn parse_response<'s, 'h>(
    head: &'h [u8],
    slots: &'s mut Slots<'h>,
) -> Result<(StatusLine, &'s [httparse::Header<'h>]), HandshakeError> {
    let mut response = httparse::Response::new(&mut []);
    let config = httparse::ParserConfig::default();
    let parsed = config.parse_response_with_uninit_headers(&mut response, head, slots);
    whole(parsed, head)?;
    match (response.code, response.version) {
        (Some(status), Some(version)) => {
            let http10 = version == 0;
            Ok((StatusLine { status, http10 }, response.headers))
        }
        _ => Err(HandshakeError::Malformed),
    }
}

/// The parser has to end where the scanner ended.
fn whole(parsed: httparse::Result<usize>, head: &[u8]) -> Result<(), HandshakeError> {
    match parsed {
        Ok(httparse::Status::Complete(len)) if len == head.len() => Ok(()),
        Ok(_) => Err(HandshakeError::Malformed),
        Err(httparse::Error::TooManyHeaders) => Err(HandshakeError::TooManyFields),
        Err(httparse::Error::Version) => Err(HandshakeError::HttpVersion),
        Err(_) => Err(HandshakeError::Malformed),
    }
}

/// The fields as the rules take them, whoever parsed them.
pub(crate) fn pairs<'s, 'h>(
    fields: &'s [httparse::Header<'h>],
) -> impl Iterator<Item = (&'h str, &'h [u8])> + Clone + use<'s, 'h> {
    fields.iter().map(|field| (field.name, field.value))
}

/// Puts blanks in the place of the line ends inside folded values, which is what a user agent has to
/// do before it reads an answer (RFC 9112 §5.2). The first field has nothing to be the continuation of.
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

/// Where the first line of a validated head starts.
pub(crate) fn line_start(head: &[u8]) -> usize {
    if head.starts_with(b"\r\n") { 2 } else { 0 }
}

/// The first line of a validated head, without its end; and where it starts.
pub(crate) fn first_line(head: &[u8]) -> (usize, &[u8]) {
    let start = line_start(head);
    let line = &head[start..];
    let end = memchr(b'\r', line).unwrap_or(line.len());
    (start, &line[..end])
}

/// The fields of a request or an answer, in order, with their names as they were sent.
///
/// It walks the validated head again: no index is stored, nothing is allocated.
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
        let end = memchr(b'\n', self.rest)?;
        let (line, rest) = self.rest.split_at(end + 1);
        self.rest = rest;
        let colon = memchr(b':', line)?;
        let name = core::str::from_utf8(&line[..colon]).ok()?;
        Some((name, trim(line[colon + 1..].trim_ascii_end())))
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
#[allow(clippy::unwrap_used)]
pub(crate) mod tests {
    use super::*;
    use alloc::format;
    use alloc::string::String;
    use alloc::vec::Vec;

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

    const LIMITS: Limits = Limits::server();

    fn whole_verdict(mut scanner: Scanner, bytes: &[u8], limits: &Limits) -> Scan {
        scanner.scan(bytes, limits)
    }

    /// Fed at these cuts, in order; the first verdict that is not `More`.
    fn cut_verdict(mut scanner: Scanner, bytes: &[u8], limits: &Limits, cuts: &[usize]) -> Scan {
        for &cut in cuts {
            match scanner.scan(&bytes[..cut], limits) {
                Scan::More => {}
                verdict => return verdict,
            }
        }
        scanner.scan(bytes, limits)
    }

    /// The same verdict whole, byte by byte, and cut in two anywhere.
    fn verdict(scanner: Scanner, bytes: &[u8], limits: &Limits) -> Scan {
        let expected = whole_verdict(scanner, bytes, limits);
        let each: Vec<usize> = (0..bytes.len()).collect();
        assert_eq!(cut_verdict(scanner, bytes, limits, &each), expected);
        for cut in each {
            assert_eq!(cut_verdict(scanner, bytes, limits, &[cut]), expected);
        }
        expected
    }

    fn request(bytes: impl AsRef<[u8]>) -> Scan {
        verdict(Scanner::request(), bytes.as_ref(), &LIMITS)
    }

    fn response(bytes: impl AsRef<[u8]>) -> Scan {
        verdict(Scanner::response(), bytes.as_ref(), &LIMITS)
    }

    /// HS-25: nothing before the last byte, the same for every cut, and nothing behind it counted in.
    #[test]
    fn the_end_of_a_head() {
        for end in 0..SAMPLE.len() {
            assert_eq!(
                whole_verdict(Scanner::request(), &SAMPLE.as_bytes()[..end], &LIMITS),
                Scan::More
            );
        }
        assert_eq!(request(SAMPLE), Scan::Head(SAMPLE.len()));
        assert_eq!(
            request(format!("{SAMPLE}\u{1}\n\0")),
            Scan::Head(SAMPLE.len())
        );
        assert_eq!(request("GET / HTTP/1.1\r\n\r\n"), Scan::Head(18));
        assert_eq!(response("HTTP/1.1 101\r\n\r\n"), Scan::Head(16));
    }

    /// HS-23: one empty line before a request is skipped, a second is not, and none before an answer.
    #[test]
    fn an_empty_line_before_the_request() {
        assert_eq!(
            request(format!("\r\n{SAMPLE}")),
            Scan::Head(SAMPLE.len() + 2)
        );
        let malformed = Scan::Bad(HandshakeError::Malformed);
        assert_eq!(request(format!("\r\n\r\n{SAMPLE}")), malformed);
        assert_eq!(request("\r\n\r"), Scan::More);
        assert_eq!(response("\r\nHTTP/1.1 101\r\n\r\n"), malformed);
    }

    /// D-10, HR-11: a lone LF, a bare CR and NUL are refused as soon as they are seen, in both roles.
    #[test]
    fn one_idea_of_a_line_end() {
        let bad = Scan::Bad(HandshakeError::LineEnd);
        for tail in [
            "\n",
            "\rX",
            "\r\r",
            "\0",
            "\r\nA: b\n",
            "\r\nA: b\rc",
            "\r\nA: \0",
            "\r\nA: b\0\n\r\n",
        ] {
            assert_eq!(request(format!("GET / HTTP/1.1{tail}")), bad, "{tail:?}");
            assert_eq!(response(format!("HTTP/1.1 101 x{tail}")), bad, "{tail:?}");
        }
        assert_eq!(request("GET / HTTP/1.1\r\n\n"), bad);
        assert_eq!(request("GET / HTTP/1.1\r"), Scan::More);
    }

    /// HS-1, HR-11: another protocol is told from its first bytes.
    #[test]
    fn not_http_from_the_first_bytes() {
        let bad = Scan::Bad(HandshakeError::Malformed);
        for bytes in [
            &b"\x16"[..],
            b"\x16\x03\x01\x02\x00",
            b" GET",
            b"GET\t",
            b"G\0",
            b"GET\r\n",
            b"\n",
            b"\rG",
            b"{\"a\":1}",
            b"\xff\x00",
            b"AMETHODOFTWENTYONEBYT",
        ] {
            assert_eq!(request(bytes), bad, "{bytes:?}");
        }
        assert_eq!(request("AMETHODOFTWENTYBYTES "), Scan::More);
        for bytes in [
            "ICY 101", "h", "HTTQ", "HTTP 1.1", "SSH-2.0", "\u{16}", " HTTP/",
        ] {
            assert_eq!(response(bytes), bad, "{bytes:?}");
        }
        assert_eq!(response("HTTP"), Scan::More);
    }

    /// HS-24, D-30: 8000 bytes of target pass; over the limit it is 414, fields are 431.
    #[test]
    fn limits() {
        let target = format!("GET /{} HTTP/1.1\r\n\r\n", "a".repeat(8000));
        let whole = whole_verdict(Scanner::request(), target.as_bytes(), &LIMITS);
        assert_eq!(whole, Scan::Head(target.len()));

        let mut small = LIMITS;
        small.head = 40;
        small.fields = 2;
        let scan = |text: &str| verdict(Scanner::request(), text.as_bytes(), &small);
        let long = "GET /aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
        assert_eq!(scan(long), Scan::Bad(HandshakeError::TargetTooLong));
        assert_eq!(scan(&long[..40]), Scan::More);
        let exact = "GET / HTTP/1.1\r\nA: 1234567890123456\r\n\r\n";
        assert_eq!((exact.len(), scan(exact)), (39, Scan::Head(39)));
        let over = "GET / HTTP/1.1\r\nA: 123456789012345678\r\n\r\n";
        assert_eq!(scan(over), Scan::Bad(HandshakeError::HeadTooLong));
        assert_eq!(scan("GET / HTTP/1.1\r\nA:\r\nB:\r\n\r\n"), Scan::Head(26));
        let many = Scan::Bad(HandshakeError::TooManyFields);
        assert_eq!(scan("GET / HTTP/1.1\r\nA:\r\nB:\r\nC:\r\n"), many);
        let scan = |text: &str| verdict(Scanner::response(), text.as_bytes(), &small);
        let long = "HTTP/1.1 101 aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
        assert_eq!(scan(long), Scan::Bad(HandshakeError::HeadTooLong));
    }

    /// CVE-2024-37890: no number of fields passes the room for them.
    #[test]
    fn more_fields_than_there_is_room_for() {
        let mut wide = Limits::trusted();
        wide.fields = u16::MAX;
        let head = |count| format!("GET / HTTP/1.1\r\n{}\r\n", "A: b\r\n".repeat(count));
        let scan = |head: &str| whole_verdict(Scanner::request(), head.as_bytes(), &wide);
        let fits = head(MAX_FIELDS);
        assert_eq!(scan(&fits), Scan::Head(fits.len()));
        let mut slots = slots();
        let (_, fields) = parse_request(fits.as_bytes(), &mut slots).unwrap();
        assert_eq!(fields.len(), MAX_FIELDS);
        let over = Scan::Bad(HandshakeError::TooManyFields);
        assert_eq!(scan(&head(MAX_FIELDS + 1)), over);
        assert_eq!(scan(&head(2000)), over);
        // More line ends than a byte counts, all in one lane.
        for lines in 250..260 {
            let head = format!(
                "GET / HTTP/1.1\r\n{}\r\n",
                "A: 45678901234\r\n".repeat(lines)
            );
            assert_eq!(head.len(), 16 * (lines + 1) + 2);
            assert_eq!(scan(&head), over, "{lines}");
        }
    }

    /// HR-13, D-30: answers before the final one share its limit.
    #[test]
    fn heads_in_a_row_share_a_limit() {
        let mut limits = LIMITS;
        limits.head = 100;
        let mut scanner = Scanner::response();
        let head = b"HTTP/1.1 103 Early\r\n\r\n";
        for _ in 0..4 {
            assert_eq!(scanner.scan(head, &limits), Scan::Head(22));
            scanner.next_head(22);
        }
        assert_eq!(scanner.scan(&head[..12], &limits), Scan::More);
        let bad = Scan::Bad(HandshakeError::HeadTooLong);
        assert_eq!(scanner.scan(head, &limits), bad);
        scanner.next_head(usize::MAX);
        assert_eq!(scanner.scan(b"H", &limits), bad);
    }

    /// CVE-2023-43669: each call looks only at what is new, so a head that comes a byte at a time
    /// costs linear time.
    #[test]
    fn each_byte_is_looked_at_once() {
        let mut limits = LIMITS;
        limits.head = 1 << 17;
        let mut head = String::from("GET / HTTP/1.1\r\nA: ");
        head.push_str(&"a".repeat(64 << 10));
        let mut scanner = Scanner::request();
        for end in 1..=head.len() {
            assert_eq!(scanner.scan(&head.as_bytes()[..end], &limits), Scan::More);
            // All of it is behind the scanner: the next call starts at the next byte.
            assert_eq!(
                scanner.at as usize,
                end - usize::from(head.as_bytes()[end - 1] == b'\r')
            );
        }
        // The start line is looked at again only until it is whole, and no further than its method.
        assert_eq!(scanner.lines, 1);
    }

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

    /// HS-12, HT-5, HT-6: the walk gives what the parser gave.
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

    /// HS-23: what a strict parser refuses in a request.
    #[test]
    fn strict_requests() {
        for (head, error) in [
            (
                "GET / HTTP/1.1\r\nHost : h\r\n\r\n",
                HandshakeError::Malformed,
            ),
            (
                "GET / HTTP/1.1\r\nA: b\r\n c\r\n\r\n",
                HandshakeError::Malformed,
            ),
            ("GET / HTTP/1.1\r\n X: y\r\n\r\n", HandshakeError::Malformed),
            ("GET / HTTP/1.1\r\n: y\r\n\r\n", HandshakeError::Malformed),
            (
                "GET / HTTP/1.1\r\nnocolon\r\n\r\n",
                HandshakeError::Malformed,
            ),
            (
                "GET / HTTP/1.1\r\nA\u{e9}: b\r\n\r\n",
                HandshakeError::Malformed,
            ),
            (
                "GET / HTTP/1.1\r\nA: \x07\r\n\r\n",
                HandshakeError::Malformed,
            ),
            (
                "GET / HTTP/1.1\r\nA: \x7f\r\n\r\n",
                HandshakeError::Malformed,
            ),
            ("GET  / HTTP/1.1\r\n\r\n", HandshakeError::Malformed),
            ("GET / HTTP/1.1 \r\n\r\n", HandshakeError::Malformed),
            ("GET / HTTP/2.0\r\n\r\n", HandshakeError::HttpVersion),
            ("PRI * HTTP/2.0\r\n\r\n", HandshakeError::HttpVersion),
            ("GET / http/1.1\r\n\r\n", HandshakeError::HttpVersion),
            ("GET / \r\n\r\n", HandshakeError::HttpVersion),
        ] {
            let scan = whole_verdict(Scanner::request(), head.as_bytes(), &LIMITS);
            assert_eq!(scan, Scan::Head(head.len()));
            assert_eq!(fields(head).unwrap_err(), error, "{head:?}");
        }
        assert!(fields("GET /\r\n\r\n").is_err());
        assert!(fields("GET\r\n\r\n").is_err());
        // Fewer or more bytes than the scanner found are no head.
        assert!(fields("GET / HTTP/1.1\r\n").is_err());
        assert!(fields("GET / HTTP/1.1\r\n\r\n ").is_err());
    }

    /// D-10: folded lines of an answer become blanks; the length stays.
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
        let (line, fields) = parse_response(head.as_bytes(), &mut slots).unwrap();
        assert_eq!(line.status, 200);
        assert_eq!(pairs(fields).collect::<Vec<_>>(), [("A", &b"b"[..])]);
        let folded = b"HTTP/1.1 200 x\r\n A: b\r\n\r\n";
        assert!(parse_response(folded, &mut super::slots()).is_err());
    }

    mod properties {
        use super::*;
        use proptest::prelude::*;

        fn http_like() -> impl Strategy<Value = Vec<u8>> {
            const PIECES: &[&[u8]] = &[
                b"GET / HTTP/1.1",
                b"HTTP/1.1 101",
                b"\r\n",
                b"\r\n",
                b"\r\n\r\n",
                b"\r",
                b"\n",
                b"\0",
                b"A: b",
                b" ",
                b"\t",
                b":",
                b"\xff",
                b"Host: h",
            ];
            let piece = prop::sample::select(PIECES);
            prop::collection::vec(piece, 0..14).prop_map(|pieces| pieces.concat())
        }

        proptest! {
            /// Any bytes, any cuts, any limits: one verdict; and nothing panics on what passed.
            #[test]
            fn any_cut_gives_the_same_verdict(
                bytes in http_like(), mut cuts in prop::collection::vec(0usize..60, 0..5), head in 0u32..80, fields in 0u16..4, is_request: bool,
            ) {
                let mut limits = LIMITS;
                (limits.head, limits.fields) = (head, fields);
                let scanner = if is_request { Scanner::request() } else { Scanner::response() };
                cuts.retain(|&cut| cut < bytes.len());
                cuts.sort_unstable();
                let expected = verdict(scanner, &bytes, &limits);
                prop_assert_eq!(cut_verdict(scanner, &bytes, &limits, &cuts), expected);
                if let Scan::Head(len) = expected {
                    prop_assert!(len <= head as usize && bytes[..len].ends_with(b"\r\n\r\n"));
                    let mut own = bytes[..len].to_vec();
                    if is_request {
                        if let Ok((_, fields)) = parse_request(&bytes[..len], &mut slots()) {
                            prop_assert_eq!(Headers::of(&bytes[..len]).collect::<Vec<_>>(), pairs(fields).collect::<Vec<_>>());
                        }
                    } else {
                        unfold(&mut own);
                        if let Ok((_, fields)) = parse_response(&own, &mut slots()) {
                            prop_assert_eq!(Headers::of(&own).collect::<Vec<_>>(), pairs(fields).collect::<Vec<_>>());
                        }
                    }
                }
            }
        }
    }
}
