// Opening handshakes. Included once for each of the two crates, as `tungstenite`.

use tungstenite::client::{IntoClientRequest, client_with_config, uri_mode};
use tungstenite::handshake::client::{generate_key, generate_request};
use tungstenite::handshake::server::{ErrorResponse, Request, Response, create_response};
use tungstenite::handshake::{HandshakeError, HandshakeRole};
use tungstenite::{ClientRequestBuilder, accept, accept_hdr};

pub const HANDSHAKES: &[(&str, Conversation)] = &[
    ("a client's request", a_clients_request),
    ("requests that cannot be", requests_that_cannot_be),
    ("a client's handshake blocks", a_clients_handshake_blocks),
    ("a response and frames", a_response_and_frames),
    ("responses of another status", responses_of_another_status),
    ("responses with a fault", responses_with_a_fault),
    ("subprotocols", subprotocols),
    ("responses that do not end", responses_that_do_not_end),
    ("a server's response", a_servers_response),
    ("a server's handshake blocks", a_servers_handshake_blocks),
    ("a callback adds fields", a_callback_adds_fields),
    ("a callback refuses", a_callback_refuses),
    ("requests with a fault", requests_with_a_fault),
    (
        "requests with a fault are answered",
        requests_with_a_fault_are_answered,
    ),
    ("requests that do not end", requests_that_do_not_end),
    ("a request byte by byte", a_request_byte_by_byte),
    ("responses for others", responses_for_others),
    ("redirections", redirections),
    ("what goes to another origin", what_goes_to_another_origin),
];

const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

fn request() -> tungstenite::handshake::client::Request {
    let mut request = "ws://localhost:3012/path?query"
        .into_client_request()
        .unwrap();
    request
        .headers_mut()
        .insert("Sec-WebSocket-Key", KEY.parse().unwrap());
    request
}

fn response(fields: &str) -> String {
    format!("HTTP/1.1 101 Switching Protocols\r\n{fields}\r\n")
}

fn right() -> String {
    response(&format!(
        "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {ACCEPT}\r\n"
    ))
}

fn outcome<R: HandshakeRole>(result: Result<R::FinalResult, HandshakeError<R>>) -> String {
    match result {
        Ok(_) => "connected".into(),
        Err(HandshakeError::Interrupted(_)) => "interrupted".into(),
        Err(HandshakeError::Failure(error)) => show_error(&error),
    }
}

fn a_clients_request(log: &mut Log) {
    let text = |request| {
        let (bytes, key) = generate_request(request).unwrap();
        String::from_utf8(bytes)
            .unwrap()
            .replace("\r\n", "⏎")
            .replace(&key, "KEY")
    };
    for url in [
        "ws://localhost",
        "wss://user:secret@host:9001/a?b",
        "ws://[::1]:80/",
        "WS://HOST/",
    ] {
        log.step(url, text(url.into_client_request().unwrap()));
    }
    let builder = ClientRequestBuilder::new("ws://h/".parse().unwrap())
        .with_header("Origin", "http://h")
        .with_header("x-b", "1")
        .with_sub_protocol("a")
        .with_sub_protocol("b");
    log.step("built", text(builder.into_client_request().unwrap()));
    let mut odd = request();
    odd.headers_mut().insert(
        "x-name",
        tungstenite::http::HeaderValue::from_bytes(b"caf\xe9").unwrap(),
    );
    log.step(
        "not ASCII",
        format!("{} bytes", generate_request(odd).unwrap().0.len()),
    );
    log.step("a key", format!("{} characters", generate_key().len()));
}

fn requests_that_cannot_be(log: &mut Log) {
    for url in ["http://h/", "/path", "ws:///path", "no url", "ws://@/"] {
        let result = url.into_client_request();
        log.step(
            url,
            match result {
                Ok(request) => uri_mode(request.uri())
                    .map_or_else(|error| show_error(&error), |mode| format!("{mode:?}")),
                Err(error) => show_error(&error),
            },
        );
    }
    type Change = fn(&mut tungstenite::handshake::client::Request);
    let change: [(&str, Change); 6] = [
        ("another method", |request| {
            *request.method_mut() = tungstenite::http::Method::POST
        }),
        ("HTTP/1.0", |request| {
            *request.version_mut() = tungstenite::http::Version::HTTP_10
        }),
        ("HTTP/2", |request| {
            *request.version_mut() = tungstenite::http::Version::HTTP_2
        }),
        ("no key", |request| {
            drop(request.headers_mut().remove("Sec-WebSocket-Key"))
        }),
        ("no host", |request| {
            drop(request.headers_mut().remove("Host"))
        }),
        ("two upgrades", |request| {
            request.headers_mut().append("Upgrade", "h2c".parse().unwrap());
        }),
    ];
    for (what, change) in change {
        let mut request = request();
        change(&mut request);
        log.step(
            what,
            outcome(client_with_config(request, Wire::default(), None)),
        );
    }
}

fn a_clients_handshake_blocks(log: &mut Log) {
    let right = right();
    let (head, rest) = right.split_at(40);
    let reads_ = [
        In::Block,
        In::Bytes(head.into()),
        In::Block,
        In::Bytes(rest.into()),
        In::Bytes(plain(0x81, "Hi")),
    ];
    let wire = Wire::of(reads_).writes([Out::Some(10), Out::Block, Out::Block]);
    let mut result = client_with_config(request(), wire, None);
    for _ in 0..9 {
        result = match result {
            Err(HandshakeError::Interrupted(mid)) => {
                log.step(
                    "handshake",
                    format!(
                        "interrupted, {} bytes written",
                        mid.get_ref().get_ref().written.len()
                    ),
                );
                mid.handshake()
            }
            other => {
                result = other;
                break;
            }
        };
    }
    match result {
        Ok((mut socket, response)) => {
            log.step("response", response.status().to_string());
            log.step("written", socket.get_mut().text());
            log.step("read", show(socket.read()));
        }
        other => log.step("handshake", outcome(other)),
    }
}

fn a_response_and_frames(log: &mut Log) {
    let bytes = [
        right().into_bytes(),
        plain(0x81, "at once"),
        plain(0x88, ""),
    ]
    .concat();
    let (mut socket, response) = client_with_config(request(), Wire::bytes(bytes), None).unwrap();
    log.step(
        "response",
        format!("{} {:?}", response.status(), response.body()),
    );
    socket.get_mut().written.clear();
    reads(log, &mut socket, 3);
}

fn answered(log: &mut Log, what: &str, head: impl AsRef<[u8]>) {
    log.step(
        what,
        outcome(client_with_config(request(), Wire::bytes(head), None)),
    );
}

fn responses_of_another_status(log: &mut Log) {
    answered(
        log,
        "404",
        "HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\ngone",
    );
    answered(
        log,
        "302",
        "HTTP/1.1 302 Found\r\nLocation: ws://other/\r\n\r\n",
    );
    answered(log, "200", "HTTP/1.1 200 OK\r\n\r\n");
    answered(log, "503 of HTTP/1.0", "HTTP/1.0 503 Busy\r\n\r\n");
    answered(log, "101 of HTTP/1.0", right().replace("1.1", "1.0"));
}

fn responses_with_a_fault(log: &mut Log) {
    let accept = format!("Sec-WebSocket-Accept: {ACCEPT}\r\n");
    for (what, fields) in [
        ("nothing", String::new()),
        ("no Upgrade", format!("Connection: Upgrade\r\n{accept}")),
        (
            "another Upgrade",
            format!("Upgrade: h2c\r\nConnection: Upgrade\r\n{accept}"),
        ),
        ("no Connection", format!("Upgrade: websocket\r\n{accept}")),
        (
            "keep-alive, Upgrade",
            format!("Upgrade: WebSocket\r\nConnection: keep-alive, Upgrade\r\n{accept}"),
        ),
        (
            "no Accept",
            "Upgrade: websocket\r\nConnection: upgrade\r\n".into(),
        ),
        (
            "another Accept",
            "Upgrade: websocket\r\nConnection: upgrade\r\nSec-WebSocket-Accept: AAAA\r\n".into(),
        ),
        (
            "an extension",
            format!(
                "Upgrade: websocket\r\nConnection: upgrade\r\n{accept}Sec-WebSocket-Extensions: permessage-deflate\r\n"
            ),
        ),
    ] {
        answered(log, what, response(&fields));
    }
}

fn subprotocols(log: &mut Log) {
    for (what, offered, chosen) in [
        ("one of two", Some("a, b"), Some("b")),
        ("none of two", Some("a, b"), None),
        ("another", Some("a"), Some("c")),
        ("not asked", None, Some("c")),
    ] {
        let mut request = request();
        if let Some(offered) = offered {
            request
                .headers_mut()
                .insert("Sec-WebSocket-Protocol", offered.parse().unwrap());
        }
        let mut fields = right();
        if let Some(chosen) = chosen {
            fields = fields.replace(
                "\r\n\r\n",
                &format!("\r\nSec-WebSocket-Protocol: {chosen}\r\n\r\n"),
            );
        }
        log.step(
            what,
            outcome(client_with_config(request, Wire::bytes(fields), None)),
        );
    }
}

fn responses_that_do_not_end(log: &mut Log) {
    answered(log, "nothing", "");
    answered(log, "half a head", "HTTP/1.1 101 Swit");
    answered(log, "no HTTP", "SSH-2.0-OpenSSH\r\n");
    answered(log, "200 fields", response(&"A: b\r\n".repeat(200)));
    answered(
        log,
        "100 KB",
        format!("HTTP/1.1 101 A\r\nB: {}", "c".repeat(100_000)),
    );
}

fn asking(fields: &str) -> String {
    format!("GET /path HTTP/1.1\r\nHost: h\r\n{fields}\r\n")
}

fn right_request() -> String {
    asking(&format!(
        "Connection: keep-alive, Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {KEY}\r\n"
    ))
}

fn a_servers_response(log: &mut Log) {
    let mut socket = accept(Wire::of([
        In::Bytes(right_request().into()),
        In::Bytes(masked(0x81, "Hi")),
    ]))
    .unwrap();
    let written = socket.get_mut().text().to_ascii_lowercase();
    let mut fields: Vec<_> = written.split('⏎').collect();
    fields[1..].sort_unstable();
    log.step("written", fields.join("⏎"));
    reads(log, &mut socket, 1);
}

fn a_servers_handshake_blocks(log: &mut Log) {
    let right = right_request();
    let (head, rest) = right.split_at(30);
    let reads_ = [
        In::Block,
        In::Bytes(head.into()),
        In::Block,
        In::Bytes(rest.into()),
    ];
    let mut result =
        accept(Wire::of(reads_).writes([Out::Some(7), Out::Block, Out::Some(1), Out::Block]));
    for _ in 0..9 {
        result = match result {
            Err(HandshakeError::Interrupted(mid)) => {
                log.step(
                    "handshake",
                    format!(
                        "interrupted, {} bytes written",
                        mid.get_ref().get_ref().written.len()
                    ),
                );
                mid.handshake()
            }
            other => {
                result = other;
                break;
            }
        };
    }
    log.step("handshake", outcome(result));
}

fn a_callback_adds_fields(log: &mut Log) {
    let callback = |request: &Request, mut response: Response| {
        assert_eq!(request.uri().path(), "/path");
        let fields = response.headers_mut();
        fields.append("Set-Cookie", "a=1".parse().unwrap());
        fields.append("Set-Cookie", "b=2".parse().unwrap());
        fields.insert("Sec-WebSocket-Protocol", "chat".parse().unwrap());
        Ok(response)
    };
    let mut socket = accept_hdr(Wire::bytes(right_request()), callback).unwrap();
    let written = socket.get_mut().text().to_ascii_lowercase();
    for field in [
        "set-cookie: a=1⏎",
        "set-cookie: b=2⏎",
        "sec-websocket-protocol: chat⏎",
    ] {
        log.step(field, written.contains(field).to_string());
    }
}

fn a_callback_refuses(log: &mut Log) {
    for (status, body) in [(403, Some("go away")), (302, None), (200, None)] {
        let callback = move |_: &Request, _: Response| {
            let mut refusal = ErrorResponse::new(body.map(String::from));
            *refusal.status_mut() = tungstenite::http::StatusCode::from_u16(status).unwrap();
            refusal
                .headers_mut()
                .insert("Location", "/".parse().unwrap());
            Err(refusal)
        };
        let mut wire = Wire::bytes(right_request());
        log.step(
            &format!("with {status}"),
            outcome(accept_hdr(&mut wire, callback)),
        );
        log.step(&format!("written for {status}"), wire.text());
    }
}

fn requests_with_a_fault(log: &mut Log) {
    let right = right_request();
    for (what, head) in [
        ("POST", right.replace("GET", "POST")),
        ("HTTP/1.0", right.replace("HTTP/1.1", "HTTP/1.0")),
        ("no Connection", right.replace("Connection", "X")),
        (
            "Connection: close",
            right.replace("keep-alive, Upgrade", "close"),
        ),
        ("no Upgrade", right.replace("Upgrade: ", "X: ")),
        (
            "Upgrade: h2c, websocket",
            right.replace(": websocket", ": h2c, websocket"),
        ),
        ("version 8", right.replace("13", "8")),
        ("no version", right.replace("Sec-WebSocket-Version", "X")),
        ("no key", right.replace("Sec-WebSocket-Key", "X")),
        ("a short key", right.replace(KEY, "AAAA")),
        (
            "a key with padding bits",
            right.replace(KEY, "AQIDBAUGBwgJCgsMDQ4PEC=="),
        ),
        ("a frame after it", format!("{right}\u{1}")),
    ] {
        log.step(what, outcome(accept(Wire::bytes(head))));
    }
}

fn requests_with_a_fault_are_answered(log: &mut Log) {
    for (fault, instead) in [("GET", "POST"), ("13", "8"), (KEY, "AAAA")] {
        let mut wire = Wire::bytes(right_request().replace(fault, instead));
        let _ = accept(&mut wire);
        log.step(
            &format!("written for {instead}"),
            wire.text().split('⏎').next().unwrap_or_default().to_owned(),
        );
    }
}

fn requests_that_do_not_end(log: &mut Log) {
    for (what, head) in [
        ("nothing", String::new()),
        ("half a head", "GET / HTTP/1.1\r\nHo".into()),
        ("no HTTP", "\u{16}\u{3}\u{1}\r\n".into()),
        ("no HTTP, and no line", "HELO you".into()),
        ("200 fields", asking(&"A: b\r\n".repeat(200))),
        (
            "100 KB",
            format!("GET / HTTP/1.1\r\nB: {}", "c".repeat(100_000)),
        ),
    ] {
        log.step(what, outcome(accept(Wire::bytes(head))));
    }
}

fn a_request_byte_by_byte(log: &mut Log) {
    let bytes = right_request().into_bytes();
    log.step(
        "accept",
        outcome(accept(Wire::of(
            bytes.into_iter().map(|byte| In::Bytes(vec![byte])),
        ))),
    );
}

fn responses_for_others(log: &mut Log) {
    let request = tungstenite::http::Request::get("/")
        .header("Connection", "upgrade")
        .header("Upgrade", "websocket")
        .header("Sec-WebSocket-Version", "13")
        .header("Sec-WebSocket-Key", KEY)
        .body(())
        .unwrap();
    let response = create_response(&request).unwrap();
    log.step(
        "status",
        format!("{:?} {}", response.version(), response.status()),
    );
    log.step(
        "accept",
        format!("{:?}", response.headers()["sec-websocket-accept"]),
    );
    log.step(
        "no request",
        create_response(&Request::new(()))
            .map_or_else(|error| show_error(&error), |_| "made".into()),
    );
}

/// Answers each request, as long as there are any, and says what came: `None` stops it.
fn server(
    answer: impl Fn(&str) -> String + Send + 'static,
) -> (String, std::thread::JoinHandle<Vec<String>>) {
    use std::io::{Read as _, Write as _};
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let thread = std::thread::spawn(move || {
        let mut heads = Vec::new();
        loop {
            let (mut stream, _) = listener.accept().unwrap();
            let mut head = Vec::new();
            let mut byte = [0];
            while !head.ends_with(b"\r\n\r\n") {
                if stream.read(&mut byte).unwrap() == 0 {
                    return heads;
                }
                head.push(byte[0]);
            }
            let head = String::from_utf8(head).unwrap();
            write!(stream, "{}", answer(&head)).unwrap();
            heads.push(head);
        }
    });
    (address, thread)
}

/// What the server has got until now.
fn stop((address, thread): (String, std::thread::JoinHandle<Vec<String>>)) -> Vec<String> {
    drop(std::net::TcpStream::connect(address).unwrap());
    thread.join().unwrap()
}

fn no_place(_: &str) -> String {
    "HTTP/1.1 404 Not Found\r\n\r\n".into()
}

fn redirections(log: &mut Log) {
    for location in ["ws://THERE/x", "http://THERE/x", "//THERE/x", "/x", "x", "?y", "ftp://THERE/"] {
        let there = server(no_place);
        let place = location.replace("THERE", &there.0);
        let here = server(move |head| match head.starts_with("GET /a/b ") {
            true => format!("HTTP/1.1 302 Found\r\nLocation: {place}\r\n\r\n"),
            false => no_place(head),
        });
        assert!(tungstenite::connect(format!("ws://{}/a/b", here.0)).is_err());
        let (here, there) = (stop(here), stop(there));
        let targets = |heads: Vec<String>| {
            let targets: Vec<_> = heads.iter().filter_map(|head| head.split(' ').nth(1)).collect();
            if targets.is_empty() { "nothing".to_owned() } else { targets.join(", ") }
        };
        log.step(location, format!("here {}; there {}", targets(here), targets(there)));
    }
}

fn what_goes_to_another_origin(log: &mut Log) {
    let there = server(no_place);
    let place = there.0.clone();
    let here = server(move |_| format!("HTTP/1.1 302 Found\r\nLocation: ws://{place}/\r\n\r\n"));
    let mut request = format!("ws://{}/", here.0).into_client_request().unwrap();
    let names = [
        "authorization", "cookie", "proxy-authorization", "origin", "sec-websocket-protocol", "user-agent", "x-own",
    ];
    for name in names {
        request.headers_mut().insert(name, "mine".parse().unwrap());
    }
    assert!(tungstenite::connect(request).is_err());
    let place = there.0.clone();
    let (here, there) = (stop(here).remove(0), stop(there).remove(0));
    let field = |head: &str, name: &str| {
        let mut lines = head.lines().filter_map(|line| line.split_once(": "));
        let found = lines.find(|(found, _)| found.eq_ignore_ascii_case(name));
        found.map_or("nothing".to_owned(), |(_, value)| value.to_owned())
    };
    log.step("host", if field(&there, "host") == place { "the new one" } else { "the first one" });
    let keys = [&here, &there].map(|head| field(head, "sec-websocket-key"));
    log.step("key", if keys[0] == keys[1] { "the same" } else { "a new one" });
    for name in names {
        log.step(name, field(&there, name));
    }
}
