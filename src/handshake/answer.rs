//! The client's reading of the response (RFC 6455 §4.1): of bytes, or of a list of fields.

use alloc::borrow::Cow;
use alloc::string::String;
use core::fmt;

use crate::config::{Limits, Settings};
use crate::decimal::decimal;
use crate::error::{Field, HandshakeError};

use super::accept_key::AcceptValue;
use super::answer_rules::{check_101, check_extensions, chosen_subprotocol};
use super::extensions::{self, ApplicationExtensions};
use super::extra::join;
use super::field::values;
use super::head::{
    Headers, HttpVersion, first_line, pairs, parse_response, reason_phrase, slots, unfold,
};
use super::negotiated::Negotiated;
use super::refusal_reader::RefusalReader;

/// What the response to a request is checked against.
#[derive(Clone)]
pub(crate) struct Expectation {
    /// `None` over extended CONNECT, where there is no key.
    pub(crate) accept: Option<AcceptValue>,
    /// The subprotocols offered, joined by commas.
    pub(crate) subprotocols: String,
    /// The extensions offered, joined by commas.
    pub(crate) extensions: String,
    /// Those of the application.
    pub(crate) application: ApplicationExtensions,
}

/// What a whole response head is.
pub(crate) enum Answered {
    /// An interim response: the next head follows (RFC 9110 §15.2).
    Informational,
    /// The connection is established.
    Open(Negotiated),
    /// The server refuses; the body follows (RFC 6455 §4.1 (1)).
    Refused(RefusalReader),
}

impl Expectation {
    /// Judges a whole head, as the scanner cut it off. Line ends inside folded values become blanks, so
    /// that whoever walks the head later sees what was judged.
    ///
    /// # Errors
    /// The response is not valid: the connection fails (RFC 6455 §7.1.7).
    pub(crate) fn judge(
        &self,
        head: &mut [u8],
        settings: &Settings,
        limits: &Limits,
    ) -> Result<Answered, HandshakeError> {
        unfold(head);
        let mut slots = slots();
        let (line, fields) = parse_response(head, 101..=101, &mut slots)?;
        let fields = pairs(fields);
        Ok(match line.status {
            // RFC 9110 §2.5: HTTP/1.0 has neither 101 nor other interim responses.
            100..200 if line.version == HttpVersion::Http10 => {
                return Err(HandshakeError::HttpVersion);
            }
            101 => Answered::Open(self.check_upgrade(fields, settings)?),
            100..200 => Answered::Informational,
            // In HTTP/1.0 too, such as a 503.
            200.. => Answered::Refused(RefusalReader::new(line, fields, limits)?),
            _ => return Err(HandshakeError::Malformed { line: 1 }),
        })
    }

    /// Bytes of heap.
    pub(crate) fn memory_held(&self) -> usize {
        self.subprotocols.capacity() + self.extensions.capacity() + self.application.memory_held()
    }

    /// The rules for a 101 (RFC 6455 §4.1, third list).
    pub(crate) fn check_upgrade<'h>(
        &self,
        fields: impl Iterator<Item = (&'h str, &'h [u8])> + Clone,
        settings: &Settings,
    ) -> Result<Negotiated, HandshakeError> {
        check_101(fields.clone(), self.accept.as_ref())?;
        self.check_lists(fields, settings)
    }

    /// (5) and (6): what the server chose was offered. These rules hold in every version of HTTP.
    pub(crate) fn check_lists<'h>(
        &self,
        fields: impl Iterator<Item = (&'h str, &'h [u8])> + Clone,
        settings: &Settings,
    ) -> Result<Negotiated, HandshakeError> {
        let subprotocol = self.subprotocol(fields.clone(), settings.require_subprotocol)?;
        let extensions = self.extensions(fields)?;
        let reserved_bits = extensions::check(settings, &self.application, &extensions)?;
        Ok(Negotiated {
            subprotocol,
            extensions,
            reserved_bits,
        })
    }

    fn subprotocol<'h>(
        &self,
        fields: impl Iterator<Item = (&'h str, &'h [u8])> + Clone,
        required: bool,
    ) -> Result<Option<String>, HandshakeError> {
        let chosen = chosen_subprotocol(fields, &self.subprotocols, required)?;
        Ok(chosen.map(Into::into))
    }

    /// The accepted extensions: inside the grammar, and each name was offered.
    fn extensions<'h>(
        &self,
        fields: impl Iterator<Item = (&'h str, &'h [u8])> + Clone,
    ) -> Result<String, HandshakeError> {
        // RFC 6455 erratum 3433: one list, over one field or several.
        let values = values(fields, Field::Extensions);
        check_extensions(values.clone(), &self.extensions)?;
        join(values).ok_or(HandshakeError::Invalid(Field::Extensions))
    }
}

/// The head of the response that opened a connection, with `Set-Cookie` and the server's other fields
/// (RFC 6455 §4.1). A view that walks the head; nothing is copied.
///
/// ```no_run
/// # fn cookies(head: sansocket::handshake::AcceptedHead<'_>) {
/// for (name, value) in head.headers() {
///     if name.eq_ignore_ascii_case("set-cookie") {
///         // one cookie
///         # let _ = value;
///     }
/// }
/// # }
/// ```
#[derive(Clone, Copy)]
pub struct AcceptedHead<'a> {
    head: &'a [u8],
}

impl<'a> AcceptedHead<'a> {
    /// The head has passed [`Expectation::judge`].
    pub(crate) fn new(head: &'a [u8]) -> Self {
        Self { head }
    }

    /// The status: 101.
    #[must_use]
    pub fn status(&self) -> u16 {
        let (_, line) = first_line(self.head);
        let status = line.split(|&byte| byte == b' ').nth(1).and_then(decimal);
        status
            .and_then(|status| u16::try_from(status).ok())
            .unwrap_or_default()
    }

    /// The reason phrase, often empty: for people only (RFC 9112 §4). What is not UTF-8 in it is replaced.
    #[must_use]
    pub fn reason(&self) -> Cow<'a, str> {
        String::from_utf8_lossy(reason_phrase(self.head))
    }

    /// The value of the first field of this name, which is compared without regard to ASCII case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&'a [u8]> {
        self.headers().all(name).next()
    }

    /// All fields, in order, each by itself, with their names as they were sent.
    #[must_use]
    pub fn headers(&self) -> Headers<'a> {
        Headers::of(self.head)
    }
}

/// Lengths only.
impl fmt::Debug for AcceptedHead<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AcceptedHead({} bytes)", self.head.len())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by a panic")]
mod tests {
    use alloc::format;
    use alloc::vec;
    use alloc::vec::Vec;

    use super::super::client::ClientRequest;
    use super::super::scanner::{Scan, Scanner};
    use super::super::uri::Uri;
    use super::*;

    const ANSWER: &str = "HTTP/1.1 101 Switching Protocols\r\n\
        Upgrade: websocket\r\n\
        Connection: Upgrade\r\n\
        Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\
        Sec-WebSocket-Protocol: chat\r\n\
        \r\n";
    const UPGRADE: &str = "Upgrade: websocket\r\n";
    const CONNECTION: &str = "Connection: Upgrade\r\n";
    const ACCEPT: &str = "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n";
    const PROTOCOL: &str = "Sec-WebSocket-Protocol: chat\r\n";

    /// Offers chat, superchat, foo and bar; the nonce of the sample.
    fn expectation() -> Expectation {
        let request = ClientRequest::new(Uri::parse("ws://h/").unwrap());
        let request = request.subprotocol("chat").unwrap();
        let request = request.subprotocol("superchat").unwrap();
        let request = request.extension("foo; x, bar", 0).unwrap();
        request.write(b"the sample nonce", None, &mut vec![])
    }

    fn judged_by(
        expectation: &Expectation,
        head: &[u8],
        required: bool,
    ) -> Result<Answered, HandshakeError> {
        let settings = Settings {
            require_subprotocol: required,
            ..Settings::CLIENT
        };
        match Scanner::response().scan(head, &settings.limits) {
            Scan::Head(len) => assert_eq!(len, head.len()),
            Scan::Bad(error) => return Err(error),
            Scan::More => panic!("no end"),
        }
        expectation.judge(&mut head.to_vec(), &settings, &settings.limits)
    }

    fn open(head: &str) -> Negotiated {
        match judged_by(&expectation(), head.as_bytes(), false) {
            Ok(Answered::Open(negotiated)) => negotiated,
            Err(error) => panic!("{error} in {head}"),
            _ => panic!("{head}"),
        }
    }

    fn bad(head: &str) -> HandshakeError {
        match judged_by(&expectation(), head.as_bytes(), false) {
            Err(error) => error,
            _ => panic!("taken: {head}"),
        }
    }

    fn with(line: &str, new: &str) -> String {
        assert!(ANSWER.contains(line));
        ANSWER.replace(line, new)
    }

    #[test]
    fn valid_answers() {
        assert_eq!(open(ANSWER).subprotocol.as_deref(), Some("chat"));
        assert_eq!(open(ANSWER).extensions, "");
        assert_eq!(open(&with(PROTOCOL, "")).subprotocol, None);
        open(&with("Switching Protocols", ""));
        open(&with(" Switching Protocols", ""));
        let mut lines: Vec<&str> = ANSWER.split_inclusive("\r\n").collect();
        lines[1..5].reverse();
        lines.insert(2, "X: y\r\n");
        open(&lines.concat());
        open(&with("Upgrade:", "UPGRADE:").replace("Sec-WebSocket-Accept", "sec-websocket-accept"));
        // Whatever the fields say, a 101 has no content.
        open(&with(
            UPGRADE,
            "Upgrade: websocket\r\nContent-Length: 7\r\nTransfer-Encoding: chunked\r\n",
        ));
    }

    #[test]
    fn upgrade() {
        open(&with(UPGRADE, "Upgrade: WebSocket\r\n"));
        assert_eq!(
            bad(&with(UPGRADE, "")),
            HandshakeError::Missing(Field::Upgrade)
        );
        for value in [
            "h2c",
            "websocket, h2c",
            "websocket/13",
            "",
            "web\u{17f}ocket",
        ] {
            let head = with(UPGRADE, &format!("Upgrade: {value}\r\n"));
            assert_eq!(
                bad(&head),
                HandshakeError::Invalid(Field::Upgrade),
                "{value}"
            );
        }
        let twice = with(UPGRADE, &format!("{UPGRADE}{UPGRADE}"));
        assert_eq!(bad(&twice), HandshakeError::Repeated(Field::Upgrade));
    }

    #[test]
    fn connection() {
        open(&with(CONNECTION, "Connection: keep-alive, uPgRaDe\r\n"));
        open(&with(
            CONNECTION,
            "Connection: keep-alive\r\nConnection: Upgrade\r\n",
        ));
        let missing = HandshakeError::Missing(Field::Connection);
        assert_eq!(bad(&with(CONNECTION, "")), missing);
        for value in ["close", "upgraded", ""] {
            let head = with(CONNECTION, &format!("Connection: {value}\r\n"));
            assert_eq!(bad(&head), HandshakeError::Invalid(Field::Connection));
        }
    }

    #[test]
    fn accept() {
        open(&with(
            ACCEPT,
            "Sec-WebSocket-Accept:\t s3pPLMBiTxaQ9kYGzzhZRbK+xOo= \t\r\n",
        ));
        assert_eq!(
            bad(&with(ACCEPT, "")),
            HandshakeError::Missing(Field::Accept)
        );
        for value in [
            "ICX+Yqv66kxgM0FcWaLWlFLwTAI=",
            "s3pplmbitxaq9kygzzhzrbk+xoo=",
            "s3pPLMBiTxaQ9kYGzzhZRbK+xOo",
            "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=, s3pPLMBiTxaQ9kYGzzhZRbK+xOo=",
            "",
        ] {
            let head = with(ACCEPT, &format!("Sec-WebSocket-Accept: {value}\r\n"));
            assert_eq!(bad(&head), HandshakeError::AcceptMismatch, "{value}");
        }
        let twice = with(ACCEPT, &format!("{ACCEPT}{ACCEPT}"));
        assert_eq!(bad(&twice), HandshakeError::Repeated(Field::Accept));
    }

    /// bun#32825.
    #[test]
    fn extensions() {
        let answer = |lines: &str| with(PROTOCOL, lines);
        let two = answer("Sec-WebSocket-Extensions: bar; y=1\r\nsec-websocket-extensions: foo\r\n");
        assert_eq!(open(&two).extensions, "bar; y=1, foo");
        for value in ["baz", "foo, baz", "Foo", "x", "permessage-deflate"] {
            let head = answer(&format!("Sec-WebSocket-Extensions: {value}\r\n"));
            assert_eq!(bad(&head), HandshakeError::ExtensionNotOffered, "{value}");
        }
        for value in [
            "",
            ",",
            "foo;;",
            "foo; =1",
            "foo bar",
            "foo; a=\"b",
            "\u{e9}",
            "foo; a=\"b c\"",
        ] {
            let head = answer(&format!("Sec-WebSocket-Extensions: {value}\r\n"));
            let expected = HandshakeError::Invalid(Field::Extensions);
            assert_eq!(bad(&head), expected, "{value}");
        }
        let nothing_offered = Expectation {
            extensions: String::new(),
            ..expectation()
        };
        let head = answer("Sec-WebSocket-Extensions: foo\r\n");
        let judged = judged_by(&nothing_offered, head.as_bytes(), false);
        assert!(matches!(judged, Err(HandshakeError::ExtensionNotOffered)));
    }

    #[test]
    fn subprotocol() {
        let answer = |value: &str| with(PROTOCOL, &format!("Sec-WebSocket-Protocol: {value}\r\n"));
        assert_eq!(
            open(&answer("superchat")).subprotocol.as_deref(),
            Some("superchat")
        );
        for value in ["Chat", "other"] {
            assert_eq!(bad(&answer(value)), HandshakeError::SubprotocolNotOffered);
        }
        for value in ["", "chat, superchat", "chat,", "\u{e9}", "\"chat\""] {
            assert_eq!(
                bad(&answer(value)),
                HandshakeError::Invalid(Field::Protocol),
                "{value}"
            );
        }
        let twice = with(PROTOCOL, &format!("{PROTOCOL}{PROTOCOL}"));
        assert_eq!(bad(&twice), HandshakeError::Repeated(Field::Protocol));
        let nothing_offered = Expectation {
            subprotocols: String::new(),
            ..expectation()
        };
        let judged = judged_by(&nothing_offered, ANSWER.as_bytes(), false);
        assert!(matches!(judged, Err(HandshakeError::SubprotocolNotOffered)));
        let without = with(PROTOCOL, "");
        let judged = judged_by(&expectation(), without.as_bytes(), true);
        assert!(matches!(judged, Err(HandshakeError::SubprotocolRequired)));
        // Nothing was offered, so nothing is required.
        let judged = judged_by(&nothing_offered, without.as_bytes(), true);
        assert!(matches!(judged, Ok(Answered::Open(_))));
    }

    #[test]
    fn only_http_1_1() {
        assert_eq!(
            bad(&with("HTTP/1.1", "HTTP/1.0")),
            HandshakeError::HttpVersion
        );
        assert_eq!(
            bad(&with("HTTP/1.1", "HTTP/2")),
            HandshakeError::HttpVersion
        );
        assert_eq!(
            bad(&with("HTTP/1.1", "ICY")),
            HandshakeError::Malformed { line: 1 }
        );
        assert_eq!(
            bad(&with("101", "1O1")),
            HandshakeError::Malformed { line: 1 }
        );
        assert_eq!(
            bad(&with("101", "99")),
            HandshakeError::Malformed { line: 1 }
        );
        assert_eq!(
            bad(&with("101", "099")),
            HandshakeError::Malformed { line: 1 }
        );
        assert_eq!(
            bad(&with("chat", "ch\0at")),
            HandshakeError::LineEnd { line: 5 }
        );
        assert_eq!(
            bad(&with("chat", "ch\rat")),
            HandshakeError::LineEnd { line: 5 }
        );
        assert_eq!(
            bad(&with("chat\r\n", "chat\n")),
            HandshakeError::LineEnd { line: 5 }
        );
        assert_eq!(
            bad(&with("Upgrade:", "Upgrade :")),
            HandshakeError::Malformed { line: 2 }
        );
    }

    #[test]
    fn interim_answers() {
        for head in [
            "HTTP/1.1 100 Continue\r\n\r\n",
            "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n",
            "HTTP/1.1 199\r\n\r\n",
        ] {
            let judged = judged_by(&expectation(), head.as_bytes(), false);
            assert!(matches!(judged, Ok(Answered::Informational)), "{head}");
        }
        assert_eq!(bad("HTTP/1.0 100 x\r\n\r\n"), HandshakeError::HttpVersion);
    }

    /// Any final status is an answer of HTTP, of any version of it that we read.
    #[test]
    fn refusals() {
        for (line, status) in [
            ("HTTP/1.1 401 x", 401),
            ("HTTP/1.0 503 x", 503),
            ("HTTP/1.1 200", 200),
            ("HTTP/1.1 999 ?", 999),
        ] {
            let head = format!("{line}\r\nA: b\r\n\r\n");
            match judged_by(&expectation(), head.as_bytes(), false) {
                Ok(Answered::Refused(mut reader)) => {
                    reader.stop();
                    assert_eq!(reader.take_done().unwrap().status, status)
                }
                _ => panic!("{line}"),
            }
        }
        let bad_length = "HTTP/1.1 404 x\r\nContent-Length: x\r\n\r\n";
        assert_eq!(
            bad(bad_length),
            HandshakeError::Invalid(Field::ContentLength)
        );
    }

    /// The fields of the answer, a folded one too.
    #[test]
    fn the_head_of_the_answer() {
        let more = "Set-Cookie: a=1\r\nSet-Cookie: b=2;\r\n\tc\r\n";
        let mut head = Vec::from(with(PROTOCOL, more));
        let judged = expectation().judge(&mut head, &Settings::CLIENT, &Settings::CLIENT.limits);
        assert!(matches!(judged, Ok(Answered::Open(_))));
        let view = AcceptedHead::new(&head);
        assert_eq!(
            (view.status(), &*view.reason()),
            (101, "Switching Protocols")
        );
        let cookies: Vec<&[u8]> = view.headers().all("set-cookie").collect();
        assert_eq!(cookies, [&b"a=1"[..], b"b=2;  \tc"]);
        assert_eq!(view.header("UPGRADE"), Some(&b"websocket"[..]));
        assert_eq!(
            format!("{view:?}"),
            format!("AcceptedHead({} bytes)", head.len())
        );
    }

    mod properties {
        use proptest::prelude::*;

        use super::*;

        proptest! {
            /// Damage is judged without panic, and never opens with another accept value.
            #[test]
            fn any_damage(at in 0usize..ANSWER.len(), bytes in prop::collection::vec(any::<u8>(), 0..6), cut in 0usize..4) {
                let mut head = ANSWER.as_bytes().to_vec();
                let end = (at + cut).min(head.len());
                head.splice(at..end, bytes);
                let Scan::Head(len) = Scanner::response().scan(&head, &Settings::CLIENT.limits) else { return Ok(()) };
                if let Ok(Answered::Open(_)) = expectation().judge(&mut head[..len], &Settings::CLIENT, &Settings::CLIENT.limits) {
                    let text = String::from_utf8_lossy(&head[..len]).into_owned();
                    prop_assert!(text.contains("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=") && text.starts_with("HTTP/1.1 101"));
                }
            }
        }
    }
}
