//! Classes of characters: tokens and values of fields (RFC 9110 §5.6.2, §5.5), hosts, paths and queries (RFC 3986).

use sansocket::error::FieldError;
use sansocket::{ClientRequest, Connection, Event, Uri};

use crate::sampled;
use crate::support::{server_config, take_output};

/// RFC 9110 §5.6.2: tchar, letter by letter.
const TOKENS: &str =
    "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
/// RFC 3986 §2.3, §2.2: unreserved and sub-delims.
const NAMES: &str = "-._~!$&'()*+,;=0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";

fn request() -> ClientRequest {
    ClientRequest::new(Uri::parse("ws://h/").unwrap())
}

/// RFC 9110 §5.6.2, §5.1; RFC 6455 §4.1. Domain: all characters of one byte, and those from U+0080 to U+00FF, alone and in
/// each of three places of a name.
///
/// Why that is all: a name is one if it is not empty and each of its bytes is one of a token.
#[test]
fn names_that_a_client_sets() {
    assert_eq!(request().header("", b"").err(), Some(FieldError::BadName));
    for character in sampled('\0'..='\u{ff}', 13) {
        let token = TOKENS.contains(character);
        let names = [
            format!("{character}"),
            format!("{character}ab"),
            format!("a{character}b"),
            format!("ab{character}"),
        ];
        for name in names {
            let header = request().header(&name, b"").map(drop);
            assert_eq!(header.is_ok(), token, "{name:?}");
            assert!(token || header == Err(FieldError::BadName));
            assert_eq!(request().subprotocol(&name).is_ok(), token, "{name:?}");
        }
    }
}

/// RFC 9110 §5.5. Domain: all 256 bytes, alone and in each of three places of a value.
///
/// Why that is all: a value is one if each of its bytes may be in one.
#[test]
fn values_that_a_client_sets() {
    for byte in sampled(0..=255, 7) {
        // HTAB, SP, VCHAR and obs-text.
        let allowed = matches!(byte, 9 | 32..=126 | 128..=255);
        for value in [
            &[byte][..],
            &[byte, b'a', b'b'],
            &[b'a', byte, b'b'],
            &[b'a', b'b', byte],
        ] {
            let header = request().header("X", value).map(drop);
            assert_eq!(header.is_ok(), allowed, "{value:?}");
            assert!(allowed || header == Err(FieldError::BadValue));
        }
    }
}

/// What a server says of this line among those of a request: whether it is taken.
fn takes(line: &[u8]) -> bool {
    let mut head = b"GET / HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
        Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
        .to_vec();
    head.extend_from_slice(line);
    head.extend_from_slice(b"\r\n\r\n");
    let mut ws = Connection::server(&server_config());
    let mut input = &mut head[..];
    let taken = matches!(ws.receive(&mut input), Some(Event::Request(_)));
    assert!(taken || take_output(&mut ws).starts_with(b"HTTP/1.1 400 "));
    taken
}

/// RFC 9112 §5, RFC 9110 §5.1, §5.5. Domain: all 256 bytes as the first, a middle and the last one of a field's name, and of
/// a field's value, as a server reads them.
///
/// A colon ends the name early and CR or LF the line, so that what follows is judged as something else: they are told apart.
#[test]
fn fields_that_a_server_reads() {
    for byte in sampled(0..=255u8, 61) {
        let token = byte.is_ascii() && TOKENS.contains(char::from(byte));
        for name in [
            &[byte, b'x', b'y'][..],
            &[b'x', byte, b'y'],
            &[b'x', b'y', byte],
        ] {
            let line = [name, b": v"].concat();
            // `xy:` and `x:` are names; a line that begins with LF ends the head before it.
            let another = byte == b':' && name[0] != b':';
            let ends = byte == b'\n' && name[0] == b'\n';
            if !ends {
                assert_eq!(takes(&line), token || another, "{line:?}");
            }
        }
        let allowed = matches!(byte, 9 | 32..=126 | 128..=255);
        let line = [&b"X: a"[..], &[byte], b"b"].concat();
        // Read as a line of its own, `b` has no colon.
        assert_eq!(takes(&line), allowed, "{line:?}");
    }
}

/// RFC 3986 §3.2.2, §3.3, §3.4; RFC 6455 §3. Domain: all characters of one byte, and those from U+0080 to U+00FF, in a host,
/// a path and a query, beside a letter on either side.
#[test]
fn characters_of_uris() {
    for character in sampled('\0'..='\u{ff}', 17) {
        let name = NAMES.contains(character);
        let path = name || ":@/".contains(character);
        let query = path || character == '?';
        let parses = |text: String| Uri::parse(&text).is_ok();
        // What ends the host is followed by something else: a port, a path or a query.
        if !":/?".contains(character) {
            assert_eq!(parses(format!("ws://a{character}b")), name, "{character:?}");
        }
        if character != '?' {
            assert_eq!(
                parses(format!("ws://h/a{character}b")),
                path,
                "{character:?}"
            );
        }
        assert_eq!(
            parses(format!("ws://h/?a{character}b")),
            query,
            "{character:?}"
        );
    }
}

/// RFC 3986 §2.1. Domain: all 16,384 pairs of ASCII characters after a `%`, in a path and in a query; and one alone.
#[test]
fn hexadecimal_pairs() {
    let hex = |character: char| "0123456789abcdefABCDEF".contains(character);
    for a in sampled('\0'..='\u{7f}', 11) {
        assert!(Uri::parse(&format!("ws://h/%{a}")).is_err(), "{a:?}");
        for b in sampled('\0'..='\u{7f}', 41) {
            let valid = hex(a) && hex(b);
            assert_eq!(
                Uri::parse(&format!("ws://h/%{a}{b}")).is_ok(),
                valid,
                "{a:?} {b:?}"
            );
            assert_eq!(
                Uri::parse(&format!("ws://h/?%{a}{b}")).is_ok(),
                valid,
                "{a:?} {b:?}"
            );
        }
    }
}
