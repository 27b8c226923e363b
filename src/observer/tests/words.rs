//! What is told of each thing beyond what it is: offsets, headers, rules in words, debug text.

use super::*;

/// A frame, its bytes as they stand on the wire, and its payload piece by piece.
#[test]
fn frames_and_pieces() {
    let bytes = frame(2, true, KEY, &[b'x'; 300]);
    let mut observer = open();
    let at = observer.offset(Role::Client);
    let mut input = &bytes[..];
    let Some(Seen::Frame(header)) = observer.see(Role::Client, &mut input) else {
        panic!("a header");
    };
    assert_eq!((header.from(), header.offset()), (Role::Client, at));
    assert_eq!(header.header(), &bytes[..8]);
    assert_eq!(
        (header.opcode_number(), header.opcode()),
        (2, Some(Opcode::Binary))
    );
    assert_eq!((header.length_bits(), header.payload_len()), (16, 300));
    assert_eq!((header.masking_key(), header.is_certain()), (KEY, true));
    let Some(Seen::Payload(piece)) = observer.see(Role::Client, &mut input) else {
        panic!("payload");
    };
    assert_eq!((piece.from(), piece.offset()), (Role::Client, 0));
    assert_eq!(piece.wire(), &bytes[8..]);
    let mut place = [0; 10];
    assert_eq!((piece.unmask_into(&mut place), place), (10, [b'x'; 10]));
    assert_eq!(format!("{piece:?}"), "SeenPiece(300 bytes at 0)");
    let long = frame(2, true, None, &vec![0; 70_000]);
    let mut input = &long[..];
    let Some(Seen::Frame(header)) = observer.see(Role::Server, &mut input) else {
        panic!("a header");
    };
    assert_eq!(header.length_bits(), 64);
    see(&mut observer, Role::Server, input);
    let short = frame(2, true, None, b"x");
    let mut input = &short[..];
    let Some(Seen::Frame(header)) = observer.see(Role::Server, &mut input) else {
        panic!("a header");
    };
    assert_eq!(header.length_bits(), 7);
    let text = format!("{observer:?}");
    assert!(
        text.starts_with("Observer { client: Open, server: Open, memory_held: "),
        "{text}"
    );
}

/// A message as debug text: what is known of it but what it says.
#[test]
fn messages() {
    let bytes = frame(1, true, None, b"SECRET");
    let (mut input, mut told) = (&bytes[..], Vec::new());
    let mut observer = open();
    while let Some(seen) = observer.see(Role::Server, &mut input) {
        told.push(format!("{seen:?}"));
    }
    let message = "Message(SeenMessage { from: Server, kind: Text, len: 6, wire_len: 6, frames: 1, \
        encoded: false, content: Whole, violation: None, .. })";
    assert_eq!(told.last().map(|text| &**text), Some(message));
    assert!(told.iter().all(|text| !text.contains("SECRET")));
}

/// Heads with their fields, and rules with their sections and answers.
#[test]
fn heads_and_rules() {
    let mut observer = Observer::new(&ObserverConfig::default());
    let wrong = REQUEST.replace("Host: h\r\n", "");
    let mut input = wrong.as_bytes();
    let Some(Seen::Request(head)) = observer.see(Role::Client, &mut input) else {
        panic!("a request");
    };
    assert_eq!((head.bytes(), head.offset()), (wrong.as_bytes(), 0));
    assert_eq!((head.method(), head.headers().count()), ("GET", 4));
    let violation = head.violation().unwrap();
    assert_eq!((violation.by(), violation.offset()), (Role::Client, 0));
    let rule = violation.rule();
    assert_eq!((rule.section(), rule.close_code()), ("RFC 9112 §3.2", None));
    let text = format!("{violation}");
    assert!(
        text.starts_with("client: ") && text.ends_with("(RFC 9112 §3.2)"),
        "{text}"
    );
    let rule = Rule::Protocol(ProtocolError::TextNotUtf8 { at: 1, cut: false });
    assert_eq!(
        (rule.section(), rule.close_code(), rule.status()),
        ("RFC 6455 §8.1", Some(1007), None)
    );
    let rule = Rule::AfterClose;
    assert_eq!(
        (rule.section(), rule.close_code()),
        ("RFC 6455 §5.5.1", None)
    );
    let violation = Violation {
        by: Role::Server,
        rule,
        offset: 7,
    };
    assert_eq!(
        format!("{violation}"),
        "server: data after a Close frame (RFC 6455 §5.5.1)"
    );
    let rule = Rule::Protocol(ProtocolError::MaskedFrame);
    assert!(format!("{rule}").ends_with("(RFC 6455 §5.1)"));
    assert!(observer.negotiated().is_none());
}

/// RFC 9110 §9.3.2, RFC 9112 §6: content of requests, answers to HEAD, answers up to the end.
#[test]
fn content_is_skipped() {
    let mut observer = Observer::new(&ObserverConfig::new());
    let post = b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\nbodyHEAD /x HTTP/1.1\r\nHost: h\r\n\r\n";
    let told = see(&mut observer, Role::Client, post);
    assert_eq!(
        told,
        [
            Told::Request("/".into(), false),
            Told::Request("/x".into(), false)
        ]
    );
    let empty = b"POST /y HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n";
    assert_eq!(see(&mut observer, Role::Client, empty).len(), 1);
    let answers = b"HTTP/1.1 204 No Content\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n\
        HTTP/1.1 200 OK\r\n\r\nuntil";
    let told = see(&mut observer, Role::Server, answers);
    let statuses = [204, 200, 200].map(|status| Told::Response(status, false));
    assert_eq!(told, statuses);
    assert!(observer.memory_held() > 0);
    assert_eq!(see(&mut observer, Role::Server, b" the end"), []);
    observer.end(Role::Server);
    assert_eq!(see(&mut observer, Role::Server, b""), []);
}

/// However long it is, also where it waits for the answer to what came before.
#[test]
fn long_content_is_skipped() {
    let mut limits = Limits::server();
    limits.held = 1 << 20;
    let mut observer = Observer::new(&ObserverConfig::new().limits(limits));
    let mut pages = b"POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 200000\r\n\r\n".to_vec();
    pages.extend([b'x'; 200_000]);
    pages.extend(b"GET /y HTTP/1.1\r\nHost: h\r\n\r\n");
    let told = ["/x", "/y"].map(|target| Told::Request(target.into(), false));
    assert_eq!(see(&mut observer, Role::Client, &pages), told);
    for _ in 0..2 {
        let answer = b"HTTP/1.1 404 x\r\nContent-Length: 0\r\n\r\n";
        see(&mut observer, Role::Server, answer);
    }
    see(&mut observer, Role::Client, REQUEST.as_bytes());
    assert_eq!(see(&mut observer, Role::Client, &pages), []);
    see(
        &mut observer,
        Role::Server,
        b"HTTP/1.1 404 x\r\nContent-Length: 0\r\n\r\n",
    );
    assert_eq!(see(&mut observer, Role::Client, b""), told);
}

/// The payload of frames that waited for the answer is told as it stands on the wire.
#[test]
fn pieces_of_what_waited() {
    let mut observer = Observer::new(&ObserverConfig::new());
    see(&mut observer, Role::Client, REQUEST.as_bytes());
    let frames = [frame(2, true, KEY, b"one"), frame(2, true, KEY, b"second")];
    see(&mut observer, Role::Client, &frames.concat());
    see(&mut observer, Role::Server, ANSWER.as_bytes());
    let (mut none, mut pieces) = (&b""[..], Vec::new());
    while let Some(seen) = observer.see(Role::Client, &mut none) {
        if let Seen::Payload(piece) = seen {
            pieces.push(piece.wire().to_vec());
        }
    }
    assert_eq!(pieces, [&frames[0][6..], &frames[1][6..]]);
}

/// Bytes that are shown after the end are read all the same, and nothing is waited for.
#[test]
fn bytes_after_the_end() {
    let mut observer = Observer::new(&ObserverConfig::new());
    observer.end(Role::Client);
    assert_eq!(see(&mut observer, Role::Client, b"\xff"), [Told::Lost(0)]);
    let mut observer = Observer::new(&ObserverConfig::new());
    assert_eq!(see(&mut observer, Role::Client, b"G"), []);
    observer.end(Role::Client);
    let rest = &REQUEST.as_bytes()[1..];
    let told = see(&mut observer, Role::Client, rest);
    assert_eq!(told, [Told::Request("/chat".into(), false)]);
}

/// A 101 with a line that is no field opens a connection all the same; an answer that is none ends it.
#[test]
fn answers_that_are_broken() {
    for (answer, opened) in [
        (ANSWER.replace("\r\n\r\n", "\r\nX Foo: 1\r\n\r\n"), true),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n".to_owned(),
            false,
        ),
        ("HTTP/3.0 200 OK\r\n\r\n".to_owned(), false),
        ("HTTP/1.1 200 O\x01K\r\n\r\n".to_owned(), false),
    ] {
        let mut observer = Observer::new(&ObserverConfig::new());
        see(&mut observer, Role::Client, REQUEST.as_bytes());
        see(&mut observer, Role::Server, answer.as_bytes());
        assert_eq!(
            observer.state(Role::Server) == State::Open,
            opened,
            "{answer}"
        );
        assert_eq!(observer.negotiated().is_some(), opened);
        assert_eq!(observer.report().server_violations, 1);
        // What follows an answer that is none cannot be read.
        let more = see(&mut observer, Role::Server, &frame(1, true, None, b"x"));
        assert_eq!(more.is_empty(), !opened, "{answer}");
    }
}

/// What a broken answer says was agreed on is what can be read of it.
#[test]
fn extensions_of_a_broken_answer() {
    let mut observer = Observer::new(&ObserverConfig::new());
    see(&mut observer, Role::Client, REQUEST.as_bytes());
    let mut answer = ANSWER.replace("s3pP", "S3pP").into_bytes();
    answer.truncate(answer.len() - 2);
    for value in [&b"x-one"[..], b"x-\xff", b"x-two"] {
        answer.extend_from_slice(b"Sec-WebSocket-Extensions: ");
        answer.extend_from_slice(value);
        answer.extend_from_slice(b"\r\n");
    }
    answer.extend_from_slice(b"\r\n");
    let told = see(&mut observer, Role::Server, &answer);
    assert_eq!(told, [Told::Response(101, true), Told::Opened(true)]);
    let agreed = observer.negotiated().map(|own| own.extensions.as_str());
    assert_eq!(agreed, Some("x-one, x-two"));
}

/// RFC 9112 §6.3: nobody knows where the content of a request ends whose length is no number.
#[test]
fn a_request_of_no_length() {
    let mut observer = Observer::new(&ObserverConfig::new());
    let requests = b"HEAD / HTTP/1.1\r\nHost: h\r\nContent-Length: x\r\n\r\nGET /y HTTP/1.1\r\nHost: h\r\n\r\n";
    let told = see(&mut observer, Role::Client, requests);
    assert_eq!(told, [Told::Request("/".into(), false)]);
}
