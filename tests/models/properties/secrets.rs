//! Debug output shows lengths, opcodes and states; never payloads, reasons, header values, masking
//! keys or credentials. A marker is planted wherever the application or the peer can
//! put bytes, and everything that can be printed is searched for it.

use crate::oracle::ACCEPT;
use crate::support::{Frame, encode_for, open};
use core::fmt::Debug;
use sansocket::entropy::Entropy;
use sansocket::error::NoEntropy;
use sansocket::extension::Extensions;
use sansocket::handshake::{Upgrade, extended_connect};
use sansocket::{
    Accept, ClientConfig, ClientRequest, CloseCode, Connection, Event, Kind, Negotiated,
    OriginPolicy, Part, Prepared, Response, Role, ServerConfig, Uri,
};

/// Eight bytes, so that a masking key is found too: each key is half of it.
const MARKER: &str = "KQXJKQXJ";

/// Also as a list of numbers and in hexadecimal.
#[track_caller]
fn clean(value: &impl Debug) {
    let quarter = &MARKER[..4];
    let numbers = format!("{:?}", quarter.as_bytes());
    let hex: String = quarter.bytes().map(|byte| format!("{byte:02x}")).collect();
    for text in [format!("{value:?}"), format!("{value:#?}")] {
        assert!(!text.is_empty(), "it says nothing");
        let packed: String = text.split_whitespace().collect();
        let numbers: String = numbers
            .trim_matches(['[', ']'])
            .split_whitespace()
            .collect();
        assert!(
            !text.contains(quarter)
                && !packed.contains(&numbers)
                && !text.to_lowercase().contains(&hex),
            "it prints what it should not: {text}"
        );
    }
}

struct MarkedKeys;

impl Entropy for MarkedKeys {
    fn fill(&mut self, out: &mut [u8]) -> Result<(), NoEntropy> {
        // The nonce of RFC 6455 §1.3, so that the answer is known.
        let source = if out.len() == 16 {
            "the sample nonce"
        } else {
            MARKER
        };
        out.copy_from_slice(&source.as_bytes()[..out.len()]);
        Ok(())
    }
}

/// Delivers bytes in two halves, so that something is gathered, and looks at all that comes.
fn receive(ws: &mut Connection, bytes: &[u8]) {
    let middle = bytes.len() / 2;
    for half in [&bytes[..middle], &bytes[middle..]] {
        let mut half = half.to_vec();
        let mut input = &mut half[..];
        while let Some(event) = ws.receive(&mut input) {
            clean(&event);
            match &event {
                Event::Request(request) => {
                    for extension in request.extensions() {
                        clean(&extension);
                        extension.params().for_each(|param| clean(&param));
                    }
                    clean(&request.headers());
                }
                Event::Closed(report) => clean(&report.to_string()),
                _ => {}
            }
            clean(&event.into_owned());
            clean(ws);
        }
        clean(ws);
    }
}

#[test]
fn frames_both_ways() {
    for role in [Role::Server, Role::Client] {
        let mut ws = match role {
            Role::Server => open(role),
            Role::Client => Connection::upgraded_client_with_entropy(
                &ClientConfig::new(),
                Negotiated::new().subprotocol(MARKER),
                Box::new(MarkedKeys),
            ),
        };
        let text = MARKER.repeat(20);
        for opcode in [1, 2, 9, 10] {
            let payload = if opcode > 2 { MARKER } else { &text };
            receive(&mut ws, &encode_for(role, &[Frame::new(opcode, payload)]));
        }
        let fragments = [Frame::new(1, MARKER).more(), Frame::new(0, MARKER)];
        receive(&mut ws, &encode_for(role, &fragments));
        ws.send(MARKER).unwrap();
        ws.send(text.clone()).unwrap();
        ws.send(MARKER.repeat(1000).into_bytes()).unwrap();
        ws.ping(MARKER.as_bytes()).unwrap();
        ws.begin_message(Kind::Text, 100).unwrap();
        ws.write_message(MARKER.as_bytes()).unwrap();
        clean(
            &ws.send(text.clone())
                .map_err(|unsent| (format!("{unsent}"), unsent)),
        );
        clean(&ws.send_part(Part::text(MARKER.as_bytes())));
        ws.write_message(&[b'x'; 92]).unwrap();
        clean(&ws.close(None, MARKER));
        ws.close(Some(CloseCode::NORMAL_CLOSURE), MARKER).unwrap();
        let close = [b"\x03\xe8", MARKER.as_bytes()].concat();
        receive(&mut ws, &encode_for(role, &[Frame::new(8, close)]));
        ws.consume_output(usize::MAX);
        ws.receive_eof();
        receive(&mut ws, &[]);
    }
    clean(&Prepared::text(MARKER));
    clean(&Prepared::binary(MARKER.as_bytes()));
}

#[test]
fn failures() {
    for role in [Role::Server, Role::Client] {
        let close = [b"\x03\xe8\xff", MARKER.as_bytes()].concat();
        for frame in [
            Frame::new(1, [MARKER.as_bytes(), b"\xff"].concat()),
            Frame::new(9, MARKER.repeat(20)),
            Frame::new(8, close),
            Frame::new(3, MARKER),
        ] {
            let mut ws = open(role);
            receive(&mut ws, &encode_for(role, &[frame]));
            ws.consume_output(usize::MAX);
            ws.receive_eof();
            receive(&mut ws, &[]);
        }
    }
}

#[test]
fn handshakes() {
    let policy = OriginPolicy::list([format!("https://{MARKER}.example")]).unwrap();
    let server = ServerConfig::new(policy);
    let request = |fields: &str| {
        format!(
            "GET /{MARKER}?{MARKER} HTTP/1.1\r\nHost: {MARKER}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
             Cookie: {MARKER}\r\nAuthorization: {MARKER}\r\n{fields}\r\n"
        )
    };
    let offers = format!(
        "Sec-WebSocket-Protocol: {MARKER}, b\r\nSec-WebSocket-Extensions: {MARKER}; {MARKER}={MARKER}\r\n\
         Origin: https://{MARKER}.example\r\n"
    );
    let mut ws = Connection::server(&server);
    receive(&mut ws, request(&offers).as_bytes());
    let accept = Accept::new()
        .subprotocol(MARKER)
        .header("Set-Cookie", MARKER.as_bytes())
        .unwrap();
    clean(&accept);
    clean(&ws.accept(Accept::new().subprotocol(format!("{MARKER}x"))));
    ws.accept(accept).unwrap();
    receive(&mut ws, &[]);

    for wrong in [
        format!("Origin: {MARKER}\r\n"),
        format!("Sec-WebSocket-Extensions: {MARKER}=\r\n"),
        format!("Sec-WebSocket-Protocol: {MARKER} {MARKER}\r\n"),
        format!("{MARKER}\r\n"),
        format!("Content-Length: {MARKER}\r\n"),
    ] {
        let mut ws = Connection::server(&server);
        receive(&mut ws, request(&wrong).as_bytes());
        ws.consume_output(usize::MAX);
        receive(&mut ws, &[]);
    }

    let mut ws = Connection::server(&server.clone().serve_http());
    receive(
        &mut ws,
        format!("GET /{MARKER} HTTP/1.1\r\nHost: a\r\nCookie: {MARKER}\r\n\r\n").as_bytes(),
    );
    let response = Response::new(404)
        .header("Location", MARKER.as_bytes())
        .unwrap()
        .body(MARKER);
    clean(&response);
    ws.respond(response).unwrap();
    clean(&ws);

    let client = || {
        let uri = Uri::parse(&format!("ws://example.com/{MARKER}?{MARKER}")).unwrap();
        clean(&uri);
        let request = ClientRequest::new(uri)
            .header("Authorization", MARKER.as_bytes())
            .and_then(|request| request.header("Cookie", MARKER.as_bytes()))
            .and_then(|request| request.subprotocol(MARKER))
            .and_then(|request| request.extension(&format!("{MARKER}; {MARKER}={MARKER}"), 0))
            .unwrap();
        clean(
            &request
                .clone()
                .header("X", format!("{MARKER}\n").as_bytes())
                .err(),
        );
        clean(&request);
        let config = ClientConfig::new();
        Connection::client_with_entropy(&config, request, Box::new(MarkedKeys)).unwrap()
    };
    for answer in [
        format!(
            "HTTP/1.1 101 {MARKER}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {ACCEPT}\r\n\
             Set-Cookie: {MARKER}\r\nSec-WebSocket-Protocol: {MARKER}\r\n\r\n"
        ),
        format!(
            "HTTP/1.1 401 {MARKER}\r\nContent-Length: 8\r\nSet-Cookie: {MARKER}\r\n\r\n{MARKER}"
        ),
        format!("HTTP/1.1 101 {MARKER}\r\nUpgrade: {MARKER}\r\n\r\n"),
        format!("{MARKER}\r\n\r\n"),
    ] {
        let mut ws = client();
        clean(&ws);
        receive(&mut ws, answer.as_bytes());
        clean(&ws.response());
        if let Some(head) = ws.response() {
            clean(&head.headers());
        }
    }
    clean(&Uri::parse(&format!("ws://{MARKER}@h/")));
    clean(&Negotiated::new().subprotocol(MARKER).extensions(MARKER));
    clean(&Extensions::parse([MARKER.as_bytes()]));
    clean(&Extensions::parse([format!("{MARKER}; =").as_bytes()]).err());
}

#[test]
fn handshakes_of_other_stacks() {
    let config = ServerConfig::new(OriginPolicy::Any);
    let marker = MARKER.as_bytes();
    let fields: [(&str, &[u8]); 9] = [
        (":method", b"CONNECT"),
        (":protocol", b"websocket"),
        (":scheme", b"https"),
        (":path", b"/KQXJKQXJ"),
        (":authority", marker),
        ("sec-websocket-version", b"13"),
        ("sec-websocket-protocol", marker),
        ("cookie", marker),
        ("origin", b"https://KQXJKQXJ"),
    ];
    let upgrade: Upgrade = extended_connect::check(&config, fields.iter().copied()).unwrap();
    clean(&upgrade);
    let accept = Accept::new()
        .subprotocol(MARKER)
        .header("set-cookie", marker)
        .unwrap();
    let (reply, negotiated) = upgrade.negotiate(accept).unwrap();
    clean(&reply);
    clean(&negotiated);
    clean(&Connection::upgraded_server(&config, negotiated));
}
