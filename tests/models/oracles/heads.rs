//! Heads of the opening handshake: valid for the most part, with lines changed, doubled and left out.

use super::{ACCEPT, Taker};
use sansocket::Role;

const REQUEST_LINES: [&str; 16] = [
    "GET /chat HTTP/1.1",
    "GET /chat?a=b HTTP/1.1",
    "GET http://example.com/chat HTTP/1.1",
    "GET / HTTP/1.0",
    "POST /chat HTTP/1.1",
    "GET chat HTTP/1.1",
    "GET /a#b HTTP/1.1",
    "GET /chat HTTP/2.0",
    "HEAD / HTTP/1.1",
    "GET  /chat HTTP/1.1",
    "GET /\u{e9} HTTP/1.1",
    "OPTIONS * HTTP/1.1",
    "GET /chat HTTP/1.2",
    "HELO relay.invalid",
    "GET /chat HTTP/1.10",
    "GET /chat",
];

const REQUEST_FIELDS: [&str; 6] = [
    "Host: example.com",
    "Upgrade: websocket",
    "Connection: Upgrade",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    "Origin: http://example.com",
];

const REQUEST_EXTRA: [&str; 26] = [
    "Sec-WebSocket-Protocol: chat, superchat",
    "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits",
    "Sec-WebSocket-Protocol: a b",
    "Sec-WebSocket-Extensions: foo; a=1, bar",
    "Sec-WebSocket-Extensions: foo; =",
    "Sec-WebSocket-Version: 8",
    "Sec-WebSocket-Version: 013",
    "Sec-WebSocket-Key: short",
    "Upgrade: h2c, WebSocket",
    "Connection: keep-alive, upgrade",
    "Origin: null",
    "Origin: http://elsewhere.test",
    "Content-Length: 0",
    "Content-Length: 5",
    "Transfer-Encoding: chunked",
    "Expect: 100-continue",
    "Host: example.com:80",
    "Host: b ad",
    "Cookie: a=b; c=d",
    "X-Empty:",
    "X-Long: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    " folded: line",
    "no colon",
    "Bad Name: x",
    "X-Nul: a\0b",
    "X-Bare: a\rb",
];

const STATUS_LINES: [&str; 17] = [
    "HTTP/1.1 101 Switching Protocols",
    "HTTP/1.1 101 Switching Protocols",
    "HTTP/1.1 101 ",
    "HTTP/1.1 101",
    "HTTP/1.1 100 Continue",
    "HTTP/1.1 103 Early Hints",
    "HTTP/1.1 200 OK",
    "HTTP/1.1 204 No Content",
    "HTTP/1.1 302 Found",
    "HTTP/1.1 401 Unauthorized",
    "HTTP/1.0 503 Unavailable",
    "HTTP/1.1 99 X",
    "HTTP/2 101 X",
    "HTTP/1.1 1010 X",
    "HTTP/1.2 101 X",
    "HTTP/1.9 503 X",
    "HTTP/1.1  101",
];

const ANSWER_EXTRA: [&str; 25] = [
    "Sec-WebSocket-Protocol: chat",
    "Sec-WebSocket-Protocol: other",
    "Sec-WebSocket-Protocol: chat, chat",
    "Sec-WebSocket-Extensions: x-test; a",
    "Sec-WebSocket-Extensions: x-test; c",
    "Sec-WebSocket-Extensions: other",
    "Sec-WebSocket-Extensions: ;",
    "Sec-WebSocket-Accept: wrong",
    "Upgrade: h2c",
    "Upgrade: WebSocket, h2c",
    "Connection: keep-alive, Upgrade",
    "Connection: close",
    "Content-Length: 0",
    "Content-Length: 5",
    "Content-Length: 5, 5",
    "Content-Length: 99999999999999999999",
    "Transfer-Encoding: chunked",
    "Transfer-Encoding: gzip",
    "Set-Cookie: a=b",
    " folded",
    "Sec-WebSocket-Extensions: permessage-deflate",
    "Location: ws://example.com/other",
    "no colon",
    "X Foo: 1",
    "Content-Length : 5",
];

const BODIES: [&str; 9] = [
    "",
    "hello",
    "5\r\nhello\r\n0\r\n\r\n",
    "5;x=y\r\nhello\r\n0\r\nTrailer: x\r\n\r\n",
    "5\r\nhelloX",
    "ffffffffffffffff\r\nx",
    "fffffffffffffffff\r\nx",
    "0\r\n\r\nbehind",
    "x\r\n",
];

/// A head from this role.
pub fn head(t: &mut Taker<'_>, from: Role) -> Vec<u8> {
    let mut out = Vec::new();
    match from {
        Role::Client => {
            request(t, &mut out);
        }
        Role::Server => {
            for _ in 0..t.below(3) {
                if t.once_in(4) {
                    out.extend_from_slice(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n");
                }
            }
            answer(t, &mut out);
        }
    }
    if t.once_in(5) {
        let at = usize::from(t.u16()) % out.len();
        out[at] = t.pick(b"\n\r\0 :,;\"\\=\x80\xff");
    }
    out
}

fn lines(t: &mut Taker<'_>, first: &str, fields: &[&str], extra: &[&str], out: &mut Vec<u8>) {
    let mut lines = vec![first];
    for field in fields {
        if !t.once_in(24) {
            lines.push(field);
        }
    }
    for _ in 0..t.below(4) {
        let at = 1 + t.below(lines.len());
        lines.insert(at, t.pick(extra));
    }
    if t.once_in(16) {
        let at = 1 + t.below(lines.len().max(2) - 1);
        lines.push(lines[at.min(lines.len() - 1)]);
    }
    for line in lines {
        out.extend_from_slice(line.as_bytes());
        out.extend_from_slice(if t.once_in(64) { b"\n" } else { b"\r\n" });
    }
    out.extend_from_slice(if t.once_in(64) { b"\n" } else { b"\r\n" });
}

fn request(t: &mut Taker<'_>, out: &mut Vec<u8>) {
    let first = if t.once_in(4) {
        t.pick(&REQUEST_LINES)
    } else {
        REQUEST_LINES[0]
    };
    lines(t, first, &REQUEST_FIELDS, &REQUEST_EXTRA, out);
}

fn answer(t: &mut Taker<'_>, out: &mut Vec<u8>) {
    let first = if t.once_in(2) {
        t.pick(&STATUS_LINES)
    } else {
        STATUS_LINES[0]
    };
    let accept = format!("Sec-WebSocket-Accept: {ACCEPT}");
    let fields = ["Upgrade: websocket", "Connection: Upgrade", &accept];
    let opens = first.starts_with("HTTP/1.1 101");
    lines(
        t,
        first,
        if opens { &fields } else { &[] },
        &ANSWER_EXTRA,
        out,
    );
    if !opens {
        out.extend_from_slice(t.pick(&BODIES).as_bytes());
    }
}
