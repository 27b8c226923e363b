//! The first line of a head, judged as far as it has come (RFC 9112 §3, §4): what cannot become one is
//! another protocol, and is answered at once.

use crate::error::HandshakeError;
use crate::token::is_token_byte;

/// What is known of a first line. Each byte is looked at once, but for the few of the method and the
/// version.
#[derive(Debug, Clone, Copy)]
pub(super) struct StartLine {
    /// Bytes up to where the target of a request ends, as far as it has come.
    target_end: u32,
    /// Bytes before the digit of the minor version, once that is known.
    minor_at: u32,
    /// The method is HEAD.
    pub(super) is_head: bool,
}

impl StartLine {
    /// Nothing has come.
    pub(super) const NEW: Self = Self {
        target_end: 0,
        minor_at: 0,
        is_head: false,
    };

    /// `method SP request-target SP HTTP-version`. `bytes` is the head from its first byte on.
    ///
    /// # Errors
    /// No request line begins like this, or it is one of another major version. Line ends and NUL
    /// inside it are the scanner's to name.
    pub(super) fn request(&mut self, bytes: &[u8]) -> Result<(), HandshakeError> {
        let line = bytes.strip_prefix(b"\r\n").unwrap_or(bytes);
        let skipped = bytes.len() - line.len();
        let method = &line[..line.len().min(MAX_METHOD + 1)];
        // Nearly all of them.
        let get = line.starts_with(b"GET ").then_some(3);
        let end = || method.iter().position(|&byte| !is_token_byte(byte));
        let Some(method_end) = get.or_else(end) else {
            return fits(method.len() <= MAX_METHOD);
        };
        if line[method_end] != b' ' || method_end == 0 {
            return fits(line == b"\r");
        }
        self.is_head = &line[..method_end] == b"HEAD";
        let target = method_end + 1;
        let seen = (self.target_end as usize).max(target);
        let end = line[seen..].iter().position(|&byte| byte <= b' ');
        let target_end = end.map_or(line.len(), |end| seen + end);
        self.target_end = position(target_end)?;
        match line.get(target_end) {
            None | Some(b'\n' | 0) => Ok(()),
            Some(b' ') if target_end > target => {
                self.minor_at = position(skipped + target_end + 1 + MINOR)?;
                let version = &line[target_end + 1..];
                // Nearly all of them.
                if version.starts_with(b"HTTP/1.1\r") {
                    return Ok(());
                }
                let version = before_stray(version);
                check_version(version)?;
                fits(matches!(version.get(MINOR + 1), None | Some(b'\r')))
            }
            Some(_) => fits(false),
        }
    }

    /// `HTTP-version SP status-code`, and a reason after a blank, which may be left out with it.
    ///
    /// # Errors
    /// As for a request.
    pub(super) fn response(&mut self, bytes: &[u8]) -> Result<(), HandshakeError> {
        self.minor_at = MINOR as u32;
        let name = &bytes[..bytes.len().min(5)];
        fits(b"HTTP/".starts_with(name))?;
        check_version(before_stray(bytes))?;
        let after = before_stray(bytes).iter().skip(MINOR + 1).take(5);
        fits(after.enumerate().all(|(at, &byte)| match at {
            0 => byte == b' ',
            1 => matches!(byte, b'1'..=b'9'),
            2 | 3 => byte.is_ascii_digit(),
            _ => matches!(byte, b' ' | b'\r'),
        }))
    }

    /// The response to this request has no content (RFC 9110 §9.3.2).
    pub(super) const fn is_head(&self) -> bool {
        self.is_head
    }

    /// A minor version above 1 means what 1 does to whoever does not know it (RFC 9110 §6.2): the parser of
    /// whole heads knows none.
    pub(super) fn lower_minor(&self, head: &mut [u8]) {
        if let Some(minor @ b'2'..=b'9') = head.get_mut(self.minor_at as usize) {
            *minor = b'1';
        }
    }
}

/// `HTTP/1.` and a digit, as far as it has come.
fn check_version(version: &[u8]) -> Result<(), HandshakeError> {
    for (at, &byte) in version.iter().take(MINOR + 1).enumerate() {
        match b"HTTP/1.".get(at) {
            Some(&expected) if byte == expected => {}
            None if byte.is_ascii_digit() => {}
            _ => return Err(HandshakeError::HttpVersion),
        }
    }
    Ok(())
}

/// The start of it, without a line feed or NUL and what follows: the scanner names those.
fn before_stray(bytes: &[u8]) -> &[u8] {
    let start = &bytes[..bytes.len().min(LONGEST)];
    let stray = start.iter().position(|byte| matches!(byte, b'\n' | 0));
    &start[..stray.unwrap_or(start.len())]
}

const fn fits(fits: bool) -> Result<(), HandshakeError> {
    if fits {
        Ok(())
    } else {
        Err(HandshakeError::Malformed { line: 1 })
    }
}

/// Positions lie below [`Limits::head`](crate::config::Limits::head), which is a `u32`.
pub(super) fn position(at: usize) -> Result<u32, HandshakeError> {
    u32::try_from(at).map_err(|_| HandshakeError::HeadTooLong)
}

/// The longest registered method has 17 letters.
const MAX_METHOD: usize = 20;

/// Bytes of a version before its minor number.
const MINOR: usize = 7;

/// Bytes of a status line that are looked at.
const LONGEST: usize = 13;

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by a panic")]
mod tests {
    use super::*;

    type Judge = fn(&mut StartLine, &[u8]) -> Result<(), HandshakeError>;

    /// The error, and after how many bytes it shows when they come one by one.
    fn judged(judge: Judge, line: &str) -> Option<(HandshakeError, usize)> {
        let mut one_by_one = StartLine::NEW;
        let bytes = line.as_bytes();
        let found = (1..=bytes.len())
            .find_map(|len| Some((judge(&mut one_by_one, &bytes[..len]).err()?, len)));
        let mut at_once = StartLine::NEW;
        let whole = judge(&mut at_once, bytes).err();
        assert_eq!(found.map(|(error, _)| error), whole, "{line:?}");
        found
    }

    /// RFC 9112 §3: refused at the byte that decides it, without waiting for the end of the head.
    #[test]
    fn request_lines() {
        for line in [
            "GET / HTTP/1.1\r\n",
            "GET / HTTP/1.0\r\nA: b",
            "\r\nHEAD /a?b HTTP/1.9\r",
            "AMETHODOFTWENTYBYTES http://h/ HTTP/1.1\r\n",
            "GET /\u{e9} HTTP/1.1",
            "GET /",
            "\r",
            // The scanner names these.
            "GET /\n",
            "GET / HTT\n",
            "GET / HTT\nabcdefghi",
            "GET / \0abcdefghi",
            "GET / HTTP/1.1\n",
            "GET /\0",
        ] {
            assert_eq!(judged(StartLine::request, line), None, "{line:?}");
        }
        let malformed = HandshakeError::Malformed { line: 1 };
        for (line, error, at) in [
            ("HELO relay.invalid\r\n", malformed, 19),
            ("GET\r\n", malformed, 4),
            ("\r\n\r\n", malformed, 4),
            ("GET  / HTTP/1.1", malformed, 5),
            ("GET /a\tb", malformed, 7),
            ("GET / HTTP/1.1 ", malformed, 15),
            ("GET / HTTP/1.10", malformed, 15),
            ("AMETHODOFTWENTYONEBYT", malformed, 21),
            ("GET / http/1.1", HandshakeError::HttpVersion, 7),
            ("GET / \r\n", HandshakeError::HttpVersion, 7),
            (
                "MAIL FROM:<a@b> SIZE=1\r\n",
                HandshakeError::HttpVersion,
                17,
            ),
            ("PRI * HTTP/2.0\r\n", HandshakeError::HttpVersion, 12),
            ("GET / HTTP/1.x", HandshakeError::HttpVersion, 14),
        ] {
            assert_eq!(
                judged(StartLine::request, line),
                Some((error, at)),
                "{line:?}"
            );
        }
    }

    /// RFC 9112 §4.
    #[test]
    fn status_lines() {
        for line in [
            "HTTP/1.1 101 Switching Protocols\r\n",
            "HTTP/1.0 200\r\n",
            "HTTP/1.2 999 \r\n",
            "HTTP/1.1 101 \u{e7}",
            "HTTP",
            "HTTP/1.1\n",
            "HTTP/1.1 10\0",
            "HTTP/1.1 1\nxyz",
            "HTTP/1\0xyz abcdef",
        ] {
            assert_eq!(judged(StartLine::response, line), None, "{line:?}");
        }
        let malformed = HandshakeError::Malformed { line: 1 };
        for (line, error, at) in [
            ("ICY 200 OK", malformed, 1),
            ("http/1.1", malformed, 1),
            ("HTTP 1.1", malformed, 5),
            ("\r\nHTTP/1.1", malformed, 1),
            ("HTTP/2 200", HandshakeError::HttpVersion, 6),
            ("HTTP/1.1\r\n", malformed, 9),
            ("HTTP/1.1  101", malformed, 10),
            ("HTTP/1.1 099", malformed, 10),
            ("HTTP/1.1 1O1", malformed, 11),
            ("HTTP/1.1 99 x", malformed, 12),
            ("HTTP/1.1 1010", malformed, 13),
        ] {
            assert_eq!(
                judged(StartLine::response, line),
                Some((error, at)),
                "{line:?}"
            );
        }
    }

    /// RFC 9110 §6.2: higher minor versions are read as 1, and 0 stays what it is.
    #[test]
    fn minor_versions() {
        for (line, lowered) in [
            ("GET / HTTP/1.2\r\n", "GET / HTTP/1.1\r\n"),
            ("\r\nGET /2 HTTP/1.9\r\n", "\r\nGET /2 HTTP/1.1\r\n"),
            ("GET / HTTP/1.0\r\n", "GET / HTTP/1.0\r\n"),
        ] {
            let mut start = StartLine::NEW;
            let mut head = line.as_bytes().to_vec();
            start.request(&head).unwrap();
            start.lower_minor(&mut head);
            assert_eq!(head, lowered.as_bytes());
        }
        let mut start = StartLine::NEW;
        let mut head = *b"HTTP/1.2 101\r\n";
        start.response(&head).unwrap();
        start.lower_minor(&mut head);
        assert_eq!(&head, b"HTTP/1.1 101\r\n");
    }
}
