//! The content of a final answer that is not the one we hoped for (RFC 9112 §6, §7.1), bounded.
//!
//! The connection is closed behind it, so what is malformed ends the content and is no error.

use crate::config::Limits;
use crate::handshake::field::{has_element, trim};
use alloc::vec::Vec;

/// Reads content as it comes, into a buffer that never grows past the limit.
#[derive(Debug, Clone)]
pub(crate) struct Content {
    framing: Framing,
    /// Bytes that may be kept.
    room: u32,
    /// Bytes of chunk lines that may come: they are not kept, but an endless one is no content.
    overhead: u32,
}

#[derive(Debug, Clone, Copy)]
enum Framing {
    /// So many bytes are left, of `Content-Length` or of a chunk.
    Length {
        left: u64,
        chunk: bool,
    },
    /// Up to the end of the stream.
    End,
    Line(Line),
}

/// Where in the line before a chunk's data; a chunk's own CR LF belongs to the next one's line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Line {
    DataCr,
    DataLf,
    Size { size: u64, digits: u8 },
    Extension { size: u64 },
    Lf { size: u64 },
}

const FIRST_LINE: Line = Line::Size { size: 0, digits: 0 };

/// How far the content is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Progress {
    More,
    Whole,
    /// It was longer than the limit, or malformed.
    Cut,
}

impl Content {
    /// How the content of an answer is framed (RFC 9112 §6.3).
    pub(crate) fn of<'h>(
        status: u16,
        http10: bool,
        fields: impl Iterator<Item = (&'h str, &'h [u8])>,
        limits: &Limits,
    ) -> Self {
        let mut length = None;
        let mut bad_length = false;
        let mut coding = None;
        for (name, value) in fields {
            if name.eq_ignore_ascii_case("Content-Length") {
                // The same number twice is one number (RFC 9112 §6.3).
                let value = decimal(trim(value));
                bad_length |= value.is_none() || length.is_some_and(|length| Some(length) != value);
                length = value;
            } else if name.eq_ignore_ascii_case("Transfer-Encoding") {
                coding = Some(value);
            }
        }
        let framing = match (status, coding) {
            (204 | 304, _) => Framing::Length {
                left: 0,
                chunk: false,
            },
            // Chunks are undone, other codings left as they are; HTTP/1.0 has no chunks (RFC 9112 §6.1).
            (_, Some(coding)) if has_element(coding, b"chunked") && !http10 => {
                Framing::Line(FIRST_LINE)
            }
            (_, Some(_)) => Framing::End,
            (_, None) => match length.filter(|_| !bad_length) {
                Some(left) => Framing::Length { left, chunk: false },
                None => Framing::End,
            },
        };
        Self {
            framing,
            room: limits.body,
            overhead: limits.head,
        }
    }

    /// Takes what there is, and keeps what belongs to the content. Bytes behind the content are
    /// taken too and dropped.
    pub(crate) fn read(&mut self, mut input: &[u8], kept: &mut Vec<u8>) -> Progress {
        loop {
            match &mut self.framing {
                Framing::Length {
                    left: 0,
                    chunk: false,
                } => return Progress::Whole,
                Framing::Length {
                    left: 0,
                    chunk: true,
                } => {
                    self.framing = Framing::Line(Line::DataCr);
                    continue;
                }
                _ if input.is_empty() => return Progress::More,
                Framing::Length { left, .. } => {
                    let wanted = usize::try_from(*left).unwrap_or(usize::MAX);
                    let (data, rest) = input.split_at(wanted.min(input.len()));
                    *left -= data.len() as u64;
                    input = rest;
                    if !keep(&mut self.room, data, kept) {
                        return Progress::Cut;
                    }
                }
                Framing::End => {
                    return match keep(&mut self.room, input, kept) {
                        true => Progress::More,
                        false => Progress::Cut,
                    };
                }
                Framing::Line(line) => {
                    let [byte, rest @ ..] = input else {
                        return Progress::More;
                    };
                    input = rest;
                    let Some(overhead) = self.overhead.checked_sub(1) else {
                        return Progress::Cut;
                    };
                    self.overhead = overhead;
                    match line.next(*byte) {
                        // RFC 9112 §7.1: the last chunk; trailers are not waited for.
                        Some(Framing::Length { left: 0, .. }) => return Progress::Whole,
                        Some(framing) => self.framing = framing,
                        None => return Progress::Cut,
                    }
                }
            }
        }
    }

    /// The stream ended: whether that is the end of the content.
    pub(crate) fn ends_with_stream(&self) -> bool {
        matches!(self.framing, Framing::End)
    }
}

/// False if there was not room for all.
fn keep(room: &mut u32, data: &[u8], kept: &mut Vec<u8>) -> bool {
    let len = data.len().min(*room as usize);
    kept.extend_from_slice(data.get(..len).unwrap_or_default());
    *room -= len as u32;
    len == data.len()
}

impl Line {
    /// `[ CRLF ] 1*HEXDIG [ extension ] CRLF` (RFC 9112 §7.1), a byte at a time. `None`: malformed.
    fn next(self, byte: u8) -> Option<Framing> {
        Some(Framing::Line(match (self, byte) {
            (Self::DataCr, b'\r') => Self::DataLf,
            (Self::DataLf, b'\n') => FIRST_LINE,
            (Self::Size { size, digits }, byte) if byte.is_ascii_hexdigit() => Self::Size {
                // Sixteen digits are more than any content has.
                digits: digits.checked_add(1).filter(|&digits| digits <= 16)?,
                size: size << 4 | u64::from(char::from(byte).to_digit(16)?),
            },
            (Self::Size { digits: 0, .. }, _) => return None,
            (Self::Size { size, .. } | Self::Extension { size }, b'\r') => Self::Lf { size },
            (Self::Size { size, .. }, b';' | b' ' | b'\t') => Self::Extension { size },
            (Self::Extension { size }, byte) if byte != b'\n' => Self::Extension { size },
            (Self::Lf { size }, b'\n') => {
                return Some(Framing::Length {
                    left: size,
                    chunk: true,
                });
            }
            _ => return None,
        }))
    }
}

/// Digits only, and not more than fit.
fn decimal(digits: &[u8]) -> Option<u64> {
    let all = digits.iter().all(u8::is_ascii_digit);
    let text = core::str::from_utf8(digits).ok().filter(|_| all)?;
    text.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::{Content, Progress};
    use crate::config::Limits;
    use alloc::format;
    use alloc::vec::Vec;
    use proptest::prelude::*;

    fn limits(body: u32) -> Limits {
        let mut limits = Limits::client();
        limits.body = body;
        limits.head = 200;
        limits
    }

    fn of(status: u16, fields: &[(&str, &str)]) -> Content {
        let fields = fields.iter().map(|&(name, value)| (name, value.as_bytes()));
        Content::of(status, false, fields, &limits(8))
    }

    const CHUNKED: (&str, &str) = ("transfer-encoding", "Chunked");

    fn cut(mut content: Content, pieces: &[&[u8]]) -> (Progress, Vec<u8>) {
        let mut kept = Vec::new();
        let mut progress = content.read(b"", &mut kept);
        for piece in pieces {
            if progress == Progress::More {
                progress = content.read(piece, &mut kept);
            }
        }
        (progress, kept)
    }

    /// Whole, in two pieces anywhere, and byte by byte: the same.
    fn read(content: &Content, bytes: &str) -> (Progress, Vec<u8>) {
        let bytes = bytes.as_bytes();
        let whole = cut(content.clone(), &[bytes]);
        for at in 0..=bytes.len() {
            let (one, two) = bytes.split_at(at);
            assert_eq!(cut(content.clone(), &[one, two]), whole);
        }
        let each: Vec<_> = bytes.chunks(1).collect();
        assert_eq!(cut(content.clone(), &each), whole);
        whole
    }

    /// RFC 9112 §6.3: how long an answer is.
    #[test]
    fn framing() {
        for (status, fields, bytes, progress, kept) in [
            (
                403,
                &[("Content-Length", " 3 ")][..],
                "abcd",
                Progress::Whole,
                "abc",
            ),
            (403, &[("content-length", "3")], "ab", Progress::More, "ab"),
            (403, &[("Content-Length", "0")], "x", Progress::Whole, ""),
            (
                403,
                &[("Content-Length", "3"), ("Content-Length", "3")],
                "abc",
                Progress::Whole,
                "abc",
            ),
            (403, &[], "abc", Progress::More, "abc"),
            (204, &[("Content-Length", "3")], "abc", Progress::Whole, ""),
            (304, &[CHUNKED], "abc", Progress::Whole, ""),
            // What is no length says nothing.
            (
                403,
                &[("Content-Length", "3"), ("Content-Length", "4")],
                "abcd",
                Progress::More,
                "abcd",
            ),
            (
                403,
                &[("Content-Length", "+3")],
                "abcd",
                Progress::More,
                "abcd",
            ),
            (
                403,
                &[("Content-Length", "")],
                "abcd",
                Progress::More,
                "abcd",
            ),
            (
                403,
                &[("Content-Length", "99999999999999999999")],
                "abcd",
                Progress::More,
                "abcd",
            ),
            // Transfer-Encoding comes before it.
            (
                403,
                &[("Content-Length", "1"), CHUNKED],
                "2\r\nab\r\n0\r\n\r\n",
                Progress::Whole,
                "ab",
            ),
            (
                403,
                &[("Transfer-Encoding", "gzip"), ("Content-Length", "1")],
                "ab",
                Progress::More,
                "ab",
            ),
            // The limit is 8.
            (
                403,
                &[("Content-Length", "8")],
                "12345678",
                Progress::Whole,
                "12345678",
            ),
            (
                403,
                &[("Content-Length", "9")],
                "123456789",
                Progress::Cut,
                "12345678",
            ),
            (
                403,
                &[("Content-Length", "9")],
                "12345678",
                Progress::More,
                "12345678",
            ),
            (403, &[], "123456789", Progress::Cut, "12345678"),
        ] {
            let content = of(status, fields);
            assert_eq!(
                read(&content, bytes),
                (progress, kept.into()),
                "{fields:?} {bytes}"
            );
        }
        assert!(of(403, &[]).ends_with_stream());
        assert!(!of(403, &[("Content-Length", "3")]).ends_with_stream());
        let old = Content::of(
            403,
            true,
            [("Transfer-Encoding", &b"chunked"[..])].into_iter(),
            &limits(8),
        );
        assert!(old.ends_with_stream());
    }

    /// RFC 9112 §7.1.
    #[test]
    fn chunks() {
        let content = of(502, &[CHUNKED]);
        for (bytes, progress, kept) in [
            ("3\r\nabc\r\n0\r\n\r\n", Progress::Whole, "abc"),
            (
                "3;a=\"b\"\r\nabc\r\n0;x\r\nTrailer: y\r\n\r\n",
                Progress::Whole,
                "abc",
            ),
            ("1\r\na\r\n2 \r\nbc\r\n00\r\n", Progress::Whole, "abc"),
            ("0000000000000003\r\nabc\r\n", Progress::More, "abc"),
            ("A\r\n1234567890\r\n", Progress::Cut, "12345678"),
            ("5\r\n12345\r\n4\r\n6789\r\n", Progress::Cut, "12345678"),
            ("3\r\nab", Progress::More, "ab"),
            // Malformed: what came before stays.
            ("3\r\nabcX", Progress::Cut, "abc"),
            ("3\r\nabc\n", Progress::Cut, "abc"),
            ("3\nabc", Progress::Cut, ""),
            ("3;a\nabc", Progress::Cut, ""),
            ("\r\n", Progress::Cut, ""),
            ("-1\r\n", Progress::Cut, ""),
            ("x\r\n", Progress::Cut, ""),
            ("3\rabc", Progress::Cut, ""),
            ("00000000000000003\r\nabc", Progress::Cut, ""),
            ("ffffffffffffffff\r\nabc", Progress::More, "abc"),
        ] {
            assert_eq!(read(&content, bytes), (progress, kept.into()), "{bytes:?}");
        }
        // A line without end is no content; here 200 bytes of lines are taken.
        assert_eq!(
            read(&content, &format!("1;{}", "x".repeat(198))).0,
            Progress::More
        );
        assert_eq!(
            read(&content, &format!("1;{}", "x".repeat(199))).0,
            Progress::Cut
        );
    }

    proptest! {
        /// Peer bytes never panic; any cut gives the same; no more than the limit is kept.
        #[test]
        fn any_bytes(
            bytes in prop::collection::vec(prop_oneof![Just(b'\r'), Just(b'\n'), Just(b'0'), Just(b'2'), any::<u8>()], 0..60),
            at in any::<prop::sample::Index>(),
            body in 0..9u32,
            kind in 0..3usize,
        ) {
            let fields = [CHUNKED, ("Content-Length", "7"), ("X", "y")];
            let field = fields.iter().skip(kind).take(1).map(|&(name, value)| (name, value.as_bytes()));
            let content = Content::of(500, false, field, &limits(body));
            let whole = cut(content.clone(), &[&bytes]);
            let (one, two) = bytes.split_at(at.index(bytes.len() + 1));
            prop_assert_eq!(&cut(content, &[one, two]), &whole);
            prop_assert!(whole.1.len() <= body as usize);
        }
    }
}
