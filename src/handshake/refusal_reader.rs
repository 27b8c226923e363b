//! The body of a refusal, read as HTTP/1 frames it (RFC 9112 §6).

use alloc::boxed::Box;
use alloc::string::String;
use core::{iter, mem};

use crate::config::Limits;
use crate::decimal::decimal;
use crate::error::{Field, HandshakeError};
use crate::payload::extend_within;

use super::field::{elements, has_element, trim, values};
use super::head::{HttpVersion, StatusLine};
use super::refusal::Refusal;

/// Reads the body of a refusal: by its length, in chunks, or up to the end of the stream
/// (RFC 9112 §6.3), and never more than the limit.
#[derive(Clone)]
pub(crate) struct RefusalReader {
    pub(super) refusal: Refusal,
    pub(super) framing: BodyLeft,
    pub(super) max_body: usize,
    /// Bytes that the framing of chunks may still take: sizes, extensions and trailers.
    pub(super) overhead: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BodyLeft {
    Length(u64),
    UntilEnd,
    Chunked(ChunkState),
    Done,
}

/// Where in the chunked coding the next byte is (RFC 9112 §7.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ChunkState {
    /// In the digits of a size: its value so far, and whether there was a digit.
    Size { size: u64, digits: bool },
    /// After the size: extensions are skipped.
    Extension { size: u64 },
    /// At the LF after a size.
    SizeEnd { size: u64 },
    /// In data of this length; at 0, the CR after it.
    Data(u64),
    /// At the LF after data.
    DataEnd,
    /// In a line of the trailer section; whether it has a byte.
    Trailer { empty: bool },
    /// At the LF after such a line; the body ends after an empty one.
    TrailerEnd { empty: bool },
}

impl RefusalReader {
    /// Begins after the head of a final response that is not 101.
    pub(crate) fn new<'h>(
        line: StatusLine<'_>,
        fields: impl Iterator<Item = (&'h str, &'h [u8])> + Clone,
        limits: &Limits,
    ) -> Result<Self, HandshakeError> {
        let framing = framing(line.status, fields.clone())?;
        let reusable = framing != BodyLeft::UntilEnd && persists(line.version, fields.clone());
        Ok(Self {
            framing,
            refusal: Refusal {
                version: Some(line.version),
                reason: String::from_utf8_lossy(line.reason).into_owned(),
                reusable,
                ..Refusal::new(line.status, fields)
            },
            max_body: limits.body as usize,
            overhead: limits.head.max(limits.body),
        })
    }

    /// The body is complete, or was cut.
    pub(crate) fn is_done(&self) -> bool {
        self.framing == BodyLeft::Done
    }

    /// Takes what belongs to the body and returns its length. Bytes after the end of the body are not
    /// taken.
    pub(crate) fn feed(&mut self, input: &[u8]) -> usize {
        let mut rest = input;
        while !rest.is_empty() {
            match self.framing {
                BodyLeft::Done => break,
                BodyLeft::UntilEnd => {
                    self.take(&mut rest, u64::MAX);
                }
                BodyLeft::Length(left) => {
                    let left = left - self.take(&mut rest, left);
                    self.go_on(match left {
                        0 => BodyLeft::Done,
                        left => BodyLeft::Length(left),
                    });
                }
                BodyLeft::Chunked(ChunkState::Data(left @ 1..)) => {
                    let left = left - self.take(&mut rest, left);
                    self.go_on(BodyLeft::Chunked(ChunkState::Data(left)));
                }
                BodyLeft::Chunked(chunk) => {
                    let byte = rest[0];
                    rest = &rest[1..];
                    match (chunk.step(byte), self.overhead.checked_sub(1)) {
                        (Some(next), Some(left)) => {
                            self.overhead = left;
                            self.framing = next;
                        }
                        // Broken, or framing without end: the body ends here.
                        _ => self.cut(),
                    }
                }
            }
        }
        input.len() - rest.len()
    }

    /// The stream ended, which ends a body that has no other end (RFC 9112 §6.3 (8)).
    pub(crate) fn end(&mut self) {
        match self.framing {
            BodyLeft::Done | BodyLeft::UntilEnd => self.framing = BodyLeft::Done,
            BodyLeft::Length(_) | BodyLeft::Chunked(_) => self.cut(),
        }
    }

    /// Nothing more will come: the transport was lost, or the caller stops waiting.
    pub(crate) fn stop(&mut self) {
        if !self.is_done() {
            self.cut();
        }
    }

    /// Forgets what was read of the body: for who only wants to know where it ends.
    #[cfg(feature = "observer")]
    pub(crate) fn forget(&mut self) {
        drop(mem::take(&mut self.refusal.body));
    }

    /// Bytes of heap.
    pub(crate) fn memory_held(&self) -> usize {
        self.refusal.memory_held()
    }

    /// The refusal, once its body is complete or was cut.
    pub(crate) fn take_done(&mut self) -> Option<Box<Refusal>> {
        let nothing = Refusal::new(0, iter::empty());
        self.is_done()
            .then(|| Box::new(mem::replace(&mut self.refusal, nothing)))
    }

    fn cut(&mut self) {
        self.refusal.truncated = true;
        self.refusal.reusable = false;
        self.framing = BodyLeft::Done;
    }

    /// Sets the next state, unless the limit ended the body.
    fn go_on(&mut self, framing: BodyLeft) {
        if !self.is_done() {
            self.framing = framing;
        }
    }

    /// Moves up to `max` bytes into the body and returns how many. At the limit the body is cut.
    fn take(&mut self, rest: &mut &[u8], max: u64) -> u64 {
        let available = usize::try_from(max).map_or(rest.len(), |max| rest.len().min(max));
        let room = self.max_body - self.refusal.body.len();
        let (taken, after) = rest.split_at(available.min(room));
        extend_within(&mut self.refusal.body, taken, self.max_body);
        *rest = after;
        if available > room {
            self.cut();
        }
        taken.len() as u64
    }
}

impl ChunkState {
    /// The state after this byte. `None`: this is not the chunked coding.
    fn step(self, byte: u8) -> Option<BodyLeft> {
        Some(BodyLeft::Chunked(match (self, byte) {
            (Self::Size { size, .. }, _) if byte.is_ascii_hexdigit() => {
                let digit = char::from(byte).to_digit(16)?;
                let size = size.checked_mul(16)?.checked_add(u64::from(digit))?;
                Self::Size { size, digits: true }
            }
            (Self::Size { digits: false, .. }, _) => return None,
            (Self::Size { size, .. } | Self::Extension { size }, b'\r') => Self::SizeEnd { size },
            (Self::Size { size, .. }, b';' | b' ' | b'\t') => Self::Extension { size },
            (Self::Extension { .. }, b'\n') => return None,
            (Self::Extension { .. }, _) => self,
            (Self::SizeEnd { size: 0 }, b'\n') => Self::Trailer { empty: true },
            (Self::SizeEnd { size }, b'\n') => Self::Data(size),
            (Self::Data(_), b'\r') => Self::DataEnd,
            (Self::DataEnd, b'\n') => Self::Size {
                size: 0,
                digits: false,
            },
            (Self::Trailer { empty }, b'\r') => Self::TrailerEnd { empty },
            (Self::Trailer { .. }, b'\n') => return None,
            (Self::Trailer { .. }, _) => Self::Trailer { empty: false },
            (Self::TrailerEnd { empty: true }, b'\n') => return Some(BodyLeft::Done),
            (Self::TrailerEnd { empty: false }, b'\n') => Self::Trailer { empty: true },
            _ => return None,
        }))
    }
}

/// Whether the sender keeps the transport open after the response (RFC 9112 §9.3). Old proxies say so in a
/// field of their own.
fn persists<'h>(
    version: HttpVersion,
    fields: impl Iterator<Item = (&'h str, &'h [u8])> + Clone,
) -> bool {
    let says = |option: &[u8]| {
        let mut fields = fields.clone();
        fields.any(|(name, value)| {
            let named = |known: &str| name.eq_ignore_ascii_case(known);
            (named("Connection") || named("Proxy-Connection")) && has_element(trim(value), option)
        })
    };
    match version {
        _ if says(b"close") => false,
        HttpVersion::Http10 => says(b"keep-alive"),
        HttpVersion::Http11 => true,
    }
}

/// How long the body is (RFC 9112 §6.3).
fn framing<'h>(
    status: u16,
    fields: impl Iterator<Item = (&'h str, &'h [u8])> + Clone,
) -> Result<BodyLeft, HandshakeError> {
    // (1) No content, whatever the fields say.
    if matches!(status, 204 | 304) {
        return Ok(BodyLeft::Done);
    }
    // (3), (4) A transfer coding overrides the length. If the last one is not chunked, the end of the
    // stream ends the body.
    let codings = values(fields.clone(), Field::TransferEncoding);
    if let Some(last) = codings.last() {
        return Ok(match elements(last).last() {
            Some(coding) if has_element(coding, b"chunked") => {
                BodyLeft::Chunked(ChunkState::Size {
                    size: 0,
                    digits: false,
                })
            }
            _ => BodyLeft::UntilEnd,
        });
    }
    // (5) A broken length is an error; the same one several times counts as one.
    let mut length = None;
    for value in values(fields, Field::ContentLength) {
        for number in value.split(|&byte| byte == b',') {
            let number = decimal(trim(number));
            if number.is_none() || length.is_some() && length != number {
                return Err(HandshakeError::Invalid(Field::ContentLength));
            }
            length = number;
        }
    }
    Ok(match length {
        Some(0) => BodyLeft::Done,
        Some(length) => BodyLeft::Length(length),
        // (8)
        None => BodyLeft::UntilEnd,
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by a panic")]
mod tests {
    use alloc::format;
    use alloc::vec;
    use alloc::vec::Vec;

    use super::*;

    const fn line(status: u16) -> StatusLine<'static> {
        StatusLine {
            status,
            version: HttpVersion::Http11,
            reason: b"",
        }
    }

    /// RFC 9112 §9.3: the body ends by itself, and nobody asked for the end of the transport.
    #[test]
    fn what_leaves_the_transport_usable() {
        let reusable = |version, fields: &[(&str, &str)], body: &[u8]| {
            let fields = fields.iter().map(|&(name, value)| (name, value.as_bytes()));
            let line = StatusLine {
                version,
                ..line(407)
            };
            let mut reader = RefusalReader::new(line, fields, &Limits::client()).unwrap();
            reader.feed(body);
            reader.end();
            reader.take_done().unwrap().reusable
        };
        let (old, new) = (HttpVersion::Http10, HttpVersion::Http11);
        let length = ("content-length", "2");
        assert!(reusable(new, &[length], b"ab"));
        assert!(reusable(new, &[("Content-Length", "0")], b""));
        let chunked = ("Transfer-Encoding", "chunked");
        assert!(reusable(new, &[chunked], b"0\r\n\r\n"));
        assert!(!reusable(new, &[chunked], b"0\r\n"));
        assert!(!reusable(new, &[], b"ab"), "the end of the stream ends it");
        assert!(!reusable(new, &[length], b"a"), "cut off");
        for close in [("connection", "x, Close"), ("Proxy-Connection", "close")] {
            assert!(!reusable(new, &[length, close], b"ab"));
        }
        assert!(!reusable(old, &[length], b"ab"));
        for keep in [
            ("Connection", "keep-alive"),
            ("proxy-connection", "Keep-Alive"),
        ] {
            assert!(reusable(old, &[length, keep], b"ab"));
        }
    }

    fn reader_with(max_body: u32, status: u16, fields: &[(&str, &str)]) -> RefusalReader {
        let mut limits = Limits::client();
        limits.body = max_body;
        limits.head = 100;
        let fields = fields.iter().map(|&(name, value)| (name, value.as_bytes()));
        RefusalReader::new(line(status), fields, &limits).unwrap()
    }

    fn reader(fields: &[(&str, &str)]) -> RefusalReader {
        reader_with(10, 404, fields)
    }

    /// Body, cut or not, bytes taken, and whether it was over before the stream ended: the same for
    /// every cut of the input.
    fn read(reader: &RefusalReader, input: &[u8]) -> (Vec<u8>, bool, usize, bool) {
        let run = |cut: &mut dyn FnMut(usize) -> usize| {
            let mut reader = reader.clone();
            let mut at = 0;
            while at < input.len() && !reader.is_done() {
                let end = cut(at).min(input.len());
                at += reader.feed(&input[at..end]);
            }
            let done = reader.is_done();
            reader.end();
            assert!(reader.is_done());
            let refusal = reader.refusal;
            (refusal.body, refusal.truncated, at, done)
        };
        let whole = run(&mut |_| input.len());
        assert_eq!(run(&mut |at| at + 1), whole);
        for first in 1..input.len() {
            assert_eq!(
                run(&mut |at| if at < first { first } else { input.len() }),
                whole
            );
        }
        whole
    }

    const CHUNKED: &[(&str, &str)] = &[("Transfer-Encoding", "chunked")];

    /// Content-Length.
    #[test]
    fn by_length() {
        let three = reader(&[("content-length", "3")]);
        assert_eq!(read(&three, b"abcX"), (b"abc".to_vec(), false, 3, true));
        assert_eq!(read(&three, b"ab"), (b"ab".to_vec(), true, 2, false));
        let none = reader(&[("Content-Length", "0")]);
        assert!(none.is_done());
        let same = reader(&[("Content-Length", "3, 3"), ("Content-Length", "3")]);
        assert_eq!(read(&same, b"abc"), (b"abc".to_vec(), false, 3, true));
        // A length beyond the limit is read to the limit, and nothing is reserved for it.
        let huge = reader(&[("Content-Length", "18446744073709551615")]);
        assert_eq!(huge.refusal.body.capacity(), 0);
        assert_eq!(read(&huge, &[b'a'; 12]), (vec![b'a'; 10], true, 10, true));
        let exact = reader(&[("Content-Length", "10")]);
        assert_eq!(read(&exact, &[b'a'; 10]), (vec![b'a'; 10], false, 10, true));
    }

    #[test]
    fn broken_lengths() {
        for value in [
            "",
            "x",
            "-1",
            "+1",
            "1 2",
            "1,2",
            "3,",
            "18446744073709551616",
        ] {
            let fields = [("Content-Length", value.as_bytes())];
            let result = RefusalReader::new(line(404), fields.into_iter(), &Limits::client());
            let expected = HandshakeError::Invalid(Field::ContentLength);
            assert_eq!(result.err(), Some(expected), "{value}");
        }
    }

    /// Up to the end of the stream, and the limit.
    #[test]
    fn until_the_end() {
        let plain = reader(&[]);
        assert_eq!(read(&plain, b"abc"), (b"abc".to_vec(), false, 3, false));
        assert_eq!(
            read(&plain, &[b'a'; 10]),
            (vec![b'a'; 10], false, 10, false)
        );
        assert_eq!(read(&plain, &[b'a'; 11]), (vec![b'a'; 10], true, 10, true));
        // RFC 9112 §6.3 (4): chunked is not the last coding.
        let coded = reader(&[
            ("Transfer-Encoding", "chunked, gzip"),
            ("Content-Length", "1"),
        ]);
        assert_eq!(read(&coded, b"abc"), (b"abc".to_vec(), false, 3, false));
    }

    /// Chunks; RFC 9112 §7.1.
    #[test]
    fn in_chunks() {
        for (input, body) in [
            ("3\r\nabc\r\n0\r\n\r\n", "abc"),
            ("3\r\nabc\r\n2;a=b;c\r\nde\r\n000\r\n\r\n", "abcde"),
            ("A\r\n0123456789\r\n0\r\nX: y\r\nZ: \r\n\r\n", "0123456789"),
            ("0\r\n\r\n", ""),
            ("1 \r\na\r\n0 ; x\r\n\r\n", "a"),
        ] {
            let whole = (body.into(), false, input.len(), true);
            let input = format!("{input}left");
            assert_eq!(read(&reader(CHUNKED), input.as_bytes()), whole, "{input}");
        }
        // The coding overrides the length (RFC 9112 §6.3 (3)).
        let both = reader(&[
            ("Content-Length", "1"),
            ("transfer-encoding", "gzip, Chunked"),
        ]);
        assert_eq!(read(&both, b"2\r\nab\r\n0\r\n\r\n").0, b"ab");
        for (broken, body) in [
            ("x", ""),
            ("\r\n", ""),
            ("g\r\n", ""),
            ("1\nab", ""),
            ("1;\nab", ""),
            ("1\r\nab\r\n", "a"),
            ("1\r\na\n", "a"),
            ("1\r\na\rX", "a"),
            ("-1\r\na", ""),
            ("10000000000000000\r\n", ""),
            ("0\r\nX: y\nZ", ""),
            ("0\r\n\rX", ""),
        ] {
            let (got, truncated, _, done) = read(&reader(CHUNKED), broken.as_bytes());
            assert_eq!(
                (&*got, truncated, done),
                (body.as_bytes(), true, true),
                "{broken:?}"
            );
        }
        let half = read(&reader(CHUNKED), b"3\r\nab");
        assert_eq!((half.0, half.1), (b"ab".to_vec(), true));
        let over = read(&reader(CHUNKED), b"6\r\nabcdef\r\n6\r\nabcdef\r\n0\r\n\r\n");
        assert_eq!((&*over.0, over.1), (&b"abcdefabcd"[..], true));
        let huge = read(&reader(CHUNKED), b"ffffffffffffffff\r\nab");
        assert_eq!((&*huge.0, huge.1), (&b"ab"[..], true));
    }

    /// Chunk extensions and trailers without end do not hold the handshake up for ever.
    #[test]
    fn endless_framing_is_cut() {
        for start in ["1;", "0\r\n", "0\r\nA: "] {
            let endless = format!("{start}{}", "a".repeat(200));
            let (_, truncated, taken, done) = read(&reader(CHUNKED), endless.as_bytes());
            assert!(truncated && done && taken <= 102, "{taken}");
        }
    }

    /// RFC 9112 §6.3 (1).
    #[test]
    fn statuses_without_content() {
        for status in [204, 304] {
            assert!(reader_with(10, status, &[("Content-Length", "5")]).is_done());
        }
    }

    mod properties {
        use proptest::prelude::*;

        use super::*;

        proptest! {
            /// Any bytes as chunks: no panic, the body within the limit, the same for every cut.
            #[test]
            fn any_chunks(input in prop::collection::vec(prop::sample::select(&b"0123aF;\r\n\r\n: x"[..]), 0..40)) {
                let (body, ..) = read(&reader(CHUNKED), &input);
                prop_assert!(body.len() <= 10);
            }
        }
    }
}
