//! Where the head of an HTTP message ends (RFC 9112 §2, §3, §5).
//!
//! Only CR LF ends a line; a lone CR or LF and NUL are refused as soon as they are seen. The parser that
//! reads the head afterwards would take a lone LF: with this scanner before it the two cannot see
//! different ends, and bytes of a head are never taken for frames.

use memchr::memchr3;

use crate::config::Limits;
use crate::error::HandshakeError;

use super::start_line::{StartLine, position};

/// What the scanner says about the bytes so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scan {
    /// The head is not complete.
    More,
    /// The head has this many bytes, its empty line included.
    Head(usize),
    /// No head starts like this, or it passes a limit.
    Bad(HandshakeError),
}

/// Finds the end of a head, looking at each byte once, however the bytes are cut.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scanner {
    request: bool,
    /// Bytes of the heads before this one: interim answers (1xx) count against the same limit.
    pub(super) spent: u32,
    /// Where to continue: before it are whole lines and the start of one without CR, LF, NUL.
    at: u32,
    line_start: u32,
    /// Lines that have ended, not counting the empty one before a request.
    lines: u32,
    pub(super) start_line: StartLine,
}

impl Scanner {
    pub(crate) const fn request() -> Self {
        Self {
            request: true,
            spent: 0,
            at: 0,
            line_start: 0,
            lines: 0,
            start_line: StartLine::NEW,
        }
    }

    pub(crate) const fn response() -> Self {
        Self {
            request: false,
            ..Self::request()
        }
    }

    /// Starts over for the head after one of `len` bytes, on the same limit of bytes.
    pub(crate) fn next_head(&mut self, len: usize) {
        *self = Self {
            request: self.request,
            spent: self
                .spent
                .saturating_add(u32::try_from(len).unwrap_or(u32::MAX)),
            ..Self::request()
        };
    }

    /// Continues; `bytes` is the head from its first byte on. The verdict does not depend on the cuts:
    /// it is the first one that a prefix of the bytes gives.
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

    /// Makes a higher minor version of a whole head the one that the parser knows.
    pub(crate) fn lower_minor(&self, head: &mut [u8]) {
        self.start_line.lower_minor(head);
    }

    /// The number of the line that is read: 1 is the first.
    fn line(&self) -> u8 {
        u8::try_from(self.lines + 1).unwrap_or(u8::MAX)
    }

    fn lines(&mut self, bytes: &[u8], max_fields: u16) -> Result<Option<usize>, HandshakeError> {
        if self.lines == 0 {
            if self.request {
                self.start_line.request(bytes)?;
            } else {
                self.start_line.response(bytes)?;
            }
        }
        if !SMALL && self.at == 0 && is_plain_head(bytes, max_fields) {
            return Ok(Some(bytes.len()));
        }
        loop {
            let from = self.at as usize;
            let Some(at) = memchr3(b'\r', b'\n', 0, &bytes[from..]).map(|found| from + found)
            else {
                self.at = position(bytes.len())?;
                return Ok(None);
            };
            // RFC 9112 §2.2: a CR without LF is an error. A recipient may take a lone LF; we do not.
            match bytes[at..] {
                [b'\r'] => {
                    self.at = position(at)?;
                    return Ok(None);
                }
                [b'\r', b'\n', ..] => {}
                _ => return Err(HandshakeError::LineEnd { line: self.line() }),
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
            // RFC 9112 §2.2: one empty line before a request is skipped; a second is no request line.
        }
    }
}

/// Whether the bytes are exactly one head without fault, as nearly all requests come. `false` means
/// nothing: the lines are then walked for the verdict.
fn is_plain_head(bytes: &[u8], max_fields: u16) -> bool {
    let Some(lines @ [_, after @ ..]) = bytes.strip_suffix(b"\r\n") else {
        return false;
    };
    // A lane counts to 255.
    if after.len() >= 255 * LANES {
        return false;
    }
    let mut pairs = Pairs::NONE;
    let (words, rest) = lines[..after.len()].as_chunks();
    let (words_after, rest_after) = after.as_chunks();
    for (word, after) in words.iter().zip(words_after) {
        pairs.add(word, after);
    }
    let (mut word, mut word_after) = ([b' '; LANES], [b' '; LANES]);
    word[..rest.len()].copy_from_slice(rest);
    word_after[..rest.len()].copy_from_slice(rest_after);
    pairs.add(&word, &word_after);
    // The first line is no field.
    lines.ends_with(b"\n") && !pairs.is_odd() && pairs.ends() <= usize::from(max_fields) + 1
}

/// Where code counts more than time: a head has a kilobyte, and comes once.
pub(super) const SMALL: bool = cfg!(target_os = "none");

const LANES: usize = 16;

/// What neighboring bytes say about line ends, counted in lanes so that the compiler uses vector
/// instructions.
struct Pairs {
    /// A CR or an LF without the other, an empty line.
    odd: [u8; LANES],
    /// The least byte.
    least: [u8; LANES],
    ends: [u8; LANES],
}

impl Pairs {
    const NONE: Self = Self {
        odd: [0; LANES],
        least: [u8::MAX; LANES],
        ends: [0; LANES],
    };

    #[inline]
    fn add(&mut self, bytes: &[u8; LANES], after: &[u8; LANES]) {
        for i in 0..LANES {
            let (byte, next) = (bytes[i], after[i]);
            let end = next == b'\n';
            let empty = (byte == b'\n') & (next == b'\r');
            self.odd[i] |= u8::from(((byte == b'\r') != end) | empty);
            self.least[i] = self.least[i].min(byte);
            self.ends[i] += u8::from(end);
        }
    }

    fn is_odd(&self) -> bool {
        let odd = |i: usize| self.odd[i] | u8::from(self.least[i] == 0);
        (0..LANES).fold(0, |any, i| any | odd(i)) != 0
    }

    fn ends(&self) -> usize {
        self.ends.iter().copied().map(usize::from).sum()
    }
}

/// The most fields of a head, whatever the limits say: there is room for them on the stack.
pub(crate) const MAX_FIELDS: usize = 128;

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by a panic")]
mod tests {
    use alloc::format;
    use alloc::string::String;
    use alloc::vec::Vec;

    use super::super::head::tests::SAMPLE;
    use super::super::head::{
        Headers, StatusLine, pairs, parse_request, parse_response, slots, unfold,
    };
    use super::*;

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

    /// Nothing before the last byte, the same for every cut, and nothing after it counted in.
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

    /// One empty line before a request is skipped, a second is not, and none before an answer.
    #[test]
    fn an_empty_line_before_the_request() {
        assert_eq!(
            request(format!("\r\n{SAMPLE}")),
            Scan::Head(SAMPLE.len() + 2)
        );
        let malformed = Scan::Bad(HandshakeError::Malformed { line: 1 });
        assert_eq!(request(format!("\r\n\r\n{SAMPLE}")), malformed);
        assert_eq!(request("\r\n\r"), Scan::More);
        assert_eq!(response("\r\nHTTP/1.1 101\r\n\r\n"), malformed);
    }

    /// A lone LF, a bare CR and NUL are refused as soon as they are seen, in both roles.
    #[test]
    fn one_idea_of_a_line_end() {
        let bad = |line| Scan::Bad(HandshakeError::LineEnd { line });
        for (tail, line) in [
            ("\n", 1),
            ("\rX", 1),
            ("\r\r", 1),
            ("\0", 1),
            ("\r\nA: b\n", 2),
            ("\r\nA: b\rc", 2),
            ("\r\nA: \0", 2),
            ("\r\nA:\r\nB: b\0\n\r\n", 3),
            // One in each place of a vector.
            (&format!("\r\nA: {}\r\n\r\n", "\0".repeat(2 * LANES)), 2),
        ] {
            let bad = bad(line);
            assert_eq!(request(format!("GET / HTTP/1.1{tail}")), bad, "{tail:?}");
            assert_eq!(response(format!("HTTP/1.1 101 x{tail}")), bad, "{tail:?}");
        }
        assert_eq!(request("GET / HTTP/1.1\r\n\n"), bad(2));
        assert_eq!(request("\r\nGET / HTTP/1.1\n"), bad(1));
        assert_eq!(request("GET / HTTP/1.1\r"), Scan::More);
    }

    /// Another protocol is told from its first bytes.
    #[test]
    fn not_http_from_the_first_bytes() {
        let bad = Scan::Bad(HandshakeError::Malformed { line: 1 });
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

    /// 8000 bytes of target pass; over the limit it is 414, fields are 431.
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

    /// Answers before the final one share its limit.
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
            // All of it has been scanned: the next call starts at the next byte.
            assert_eq!(
                scanner.at as usize,
                end - usize::from(head.as_bytes()[end - 1] == b'\r')
            );
        }
        // The start line is looked at again only until it is whole, and no further than its method.
        assert_eq!(scanner.lines, 1);
    }

    mod properties {
        use proptest::prelude::*;

        use super::*;

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
                        if let Ok((StatusLine { status: 101, .. }, fields)) = parse_response(&own, 101..=101, &mut slots()) {
                            prop_assert_eq!(Headers::of(&own).collect::<Vec<_>>(), pairs(fields).collect::<Vec<_>>());
                        }
                    }
                }
            }
        }
    }
}
