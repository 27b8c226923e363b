//! Each thing that is told, by hand.

use super::*;

/// RFC 6455 §4: pages before it, a refusal, and then the opening handshake, on one connection.
#[test]
fn the_opening_handshake_and_what_goes_before_it() {
    let mut observer = Observer::new(&ObserverConfig::new());
    assert_eq!(observer.state(Role::Client), State::Initial);
    let page = b"GET / HTTP/1.1\r\nHost: h\r\n\r\n";
    assert_eq!(
        see(&mut observer, Role::Client, page),
        [Told::Request("/".into(), false)]
    );
    let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nHello";
    assert_eq!(
        see(&mut observer, Role::Server, answer),
        [Told::Response(200, false)]
    );
    assert_eq!(observer.state(Role::Client), State::Initial);

    let asked = see(&mut observer, Role::Client, REQUEST.as_bytes());
    assert_eq!(asked, [Told::Request("/chat".into(), false)]);
    assert_eq!(observer.state(Role::Client), State::Connecting);
    assert_eq!(observer.state(Role::Server), State::Initial);
    let chunks = b"HTTP/1.1 503 Busy\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nno\r\n0\r\n\r\n";
    assert_eq!(
        see(&mut observer, Role::Server, chunks),
        [Told::Response(503, false)]
    );
    assert_eq!(observer.state(Role::Client), State::Closed);
    // Any answer but 101 refuses.
    see(&mut observer, Role::Client, REQUEST.as_bytes());
    assert_eq!(observer.state(Role::Client), State::Connecting);
    see(&mut observer, Role::Server, answer);
    assert_eq!(observer.state(Role::Client), State::Closed);

    see(&mut observer, Role::Client, REQUEST.as_bytes());
    let early = frame(1, true, KEY, b"early");
    assert_eq!(see(&mut observer, Role::Client, &early), []);
    let interim = format!("HTTP/1.1 103 Early Hints\r\n\r\n{ANSWER}");
    assert_eq!(
        see(&mut observer, Role::Server, interim.as_bytes()),
        [
            Told::Response(103, false),
            Told::Response(101, false),
            Told::Opened(true)
        ]
    );
    assert_eq!(observer.state(Role::Client), State::Open);
    assert_eq!(observer.state(Role::Server), State::Open);
    assert_eq!(
        see(&mut observer, Role::Client, b""),
        [
            Told::Frame(0x81, vec![], false),
            Told::Message(
                Role::Client,
                Kind::Text,
                b"early".to_vec(),
                Content::Whole,
                false
            ),
        ]
    );
    assert_eq!(observer.memory_held(), size_of::<Negotiated>());
}

/// RFC 9110 §9.3.6: in a tunnel everything begins anew.
#[test]
fn through_a_proxy() {
    let mut observer = Observer::new(&ObserverConfig::new());
    see(
        &mut observer,
        Role::Client,
        b"CONNECT h:80 HTTP/1.1\r\nHost: h:80\r\n\r\n",
    );
    assert_eq!(
        see(
            &mut observer,
            Role::Server,
            b"HTTP/1.1 200 Established\r\n\r\n"
        ),
        [Told::Response(200, false), Told::Opened(false)]
    );
    see(&mut observer, Role::Client, REQUEST.as_bytes());
    see(&mut observer, Role::Server, ANSWER.as_bytes());
    assert_eq!(observer.state(Role::Server), State::Open);
}

/// RFC 6455 §4.1: a wrong Sec-WebSocket-Accept is named, and the frames are read all the same. So is
/// what is wrong with a request.
#[test]
fn a_broken_opening_handshake_is_followed() {
    let mut observer = Observer::new(&ObserverConfig::new());
    see(&mut observer, Role::Client, REQUEST.as_bytes());
    let wrong = ANSWER.replace("s3pP", "S3pP");
    let told = see(&mut observer, Role::Server, wrong.as_bytes());
    assert_eq!(told, [Told::Response(101, true), Told::Opened(true)]);
    assert_eq!(observer.report().server_violations, 1);
    let told = see(&mut observer, Role::Server, &frame(2, true, None, b"x"));
    assert_eq!(told.len(), 2);

    let mut observer = Observer::new(&ObserverConfig::new());
    let old = REQUEST.replace(": 13", ": 8");
    let mut input = old.as_bytes();
    let Some(Seen::Request(head)) = observer.see(Role::Client, &mut input) else {
        panic!("a request");
    };
    let violation = head.violation().unwrap();
    assert_eq!(violation.rule(), Rule::Handshake(HandshakeError::Version));
    assert_eq!(violation.rule().status(), Some(426));
    let missing = REQUEST.replace("Host: h\r\n", "");
    let mut observer = Observer::new(&ObserverConfig::new());
    let mut input = missing.as_bytes();
    let Some(Seen::Request(head)) = observer.see(Role::Client, &mut input) else {
        panic!("a request");
    };
    let rule = Rule::Handshake(HandshakeError::Missing(Field::Host));
    assert_eq!(head.violation().unwrap().rule(), rule);
}

/// Frames of a client that break one rule each (RFC 6455 §5).
fn broken_frames() -> [(Vec<u8>, ProtocolError); 9] {
    let long_ping = frame(9, true, KEY, &[b'p'; 126]);
    let not_minimal = [&[0x82, 0xfe, 0, 5][..], &[0; 4], b"Hello"].concat();
    [
        (
            frame(0xc2 & 0xf | 0x40, true, KEY, b"a"),
            ProtocolError::ReservedBits { bits: 4 },
        ),
        (
            frame(3, true, KEY, b"a"),
            ProtocolError::ReservedOpcode { opcode: 3 },
        ),
        (
            frame(11, true, KEY, b"a"),
            ProtocolError::ReservedOpcode { opcode: 11 },
        ),
        (frame(1, true, None, b"a"), ProtocolError::UnmaskedFrame),
        (not_minimal, ProtocolError::LengthNotMinimal),
        (long_ping, ProtocolError::ControlTooLong),
        (frame(9, false, KEY, b"a"), ProtocolError::ControlFragmented),
        (
            frame(0, true, KEY, b"a"),
            ProtocolError::UnexpectedContinuation,
        ),
        (
            [frame(1, false, KEY, b"a"), frame(1, true, KEY, b"b")].concat(),
            ProtocolError::MessageInterrupted { opcode: 1 },
        ),
    ]
}

/// RFC 6455 §5: each rule that a client breaks, and the frame after it.
#[test]
fn every_rule_and_the_frame_after_it() {
    for (bytes, error) in broken_frames() {
        for cut in [1, 3, 7, bytes.len()] {
            let mut observer = open();
            let mut told = Vec::new();
            for piece in bytes.chunks(cut) {
                told.extend(see(&mut observer, Role::Client, piece));
            }
            let all = told.iter().filter_map(|told| match told {
                Told::Frame(_, errors, _) => Some(errors.clone()),
                _ => None,
            });
            assert_eq!(all.flatten().collect::<Vec<_>>(), [error]);
            assert_eq!(observer.report().client_violations, 1);
            let after = see(&mut observer, Role::Client, &frame(2, true, KEY, b"after"));
            let expected = Told::Message(
                Role::Client,
                Kind::Binary,
                b"after".to_vec(),
                Content::Whole,
                false,
            );
            assert_eq!(
                after,
                [Told::Frame(0x82, vec![], false), expected],
                "{error}"
            );
        }
    }
}

/// RFC 6455 §5.1, §5.2, §8.1: a server that masks, several faults in one frame, text that is not UTF-8.
#[test]
fn the_rules_that_a_server_breaks() {
    let mut observer = open();
    let told = see(&mut observer, Role::Server, &frame(1, true, KEY, b"a"));
    assert_eq!(
        told[0],
        Told::Frame(0x81, vec![ProtocolError::MaskedFrame], false)
    );
    // Several at once.
    let told = see(&mut observer, Role::Server, &frame(0x73, false, KEY, b""));
    let Told::Frame(_, errors, _) = &told[0] else {
        panic!()
    };
    assert_eq!(errors.len(), 3);
    // RFC 6455 §8.1
    let told = see(&mut observer, Role::Server, &frame(1, true, None, b"\xff"));
    assert_eq!(
        told[1],
        Told::Message(
            Role::Server,
            Kind::Text,
            b"\xff".to_vec(),
            Content::Whole,
            true
        )
    );
    let told = see(
        &mut observer,
        Role::Server,
        &frame(1, true, None, "\u{e9}".as_bytes().split_at(1).0),
    );
    assert!(matches!(told[1], Told::Message(.., true)));
}

/// RFC 6455 §7: who closes, with which code, and who ends TCP.
#[test]
fn the_closing_handshake() {
    let mut observer = open();
    see(
        &mut observer,
        Role::Client,
        &frame(8, true, KEY, b"\x03\xe8bye"),
    );
    assert_eq!(observer.state(Role::Client), State::Closing);
    assert_eq!(observer.state(Role::Server), State::Closing);
    let told = see(&mut observer, Role::Client, &frame(1, true, KEY, b"late"));
    assert_eq!(told[0], Told::Frame(0x81, vec![], true));
    let told = see(
        &mut observer,
        Role::Server,
        &frame(8, true, None, b"\x03\xe8"),
    );
    assert_eq!(
        told[1],
        Told::Close(Role::Server, Some(1000), vec![], false)
    );
    observer.end(Role::Server);
    assert_eq!(observer.state(Role::Server), State::Closed);
    assert_eq!(observer.state(Role::Client), State::Closing);
    observer.end(Role::Client);
    assert_eq!(observer.state(Role::Client), State::Closed);
    let report = observer.report();
    assert!(report.is_clean());
    assert_eq!(report.begun_by, Some(Role::Client));
    assert_eq!(report.tcp_in_order(), Some(true));
    assert_eq!(report.code(Role::Server), 1000);

    // Codes that may not be on the wire, no code, and none at all.
    for (body, code, violation) in [
        (&b"\x03\xed"[..], Some(1005), true),
        (b"\x0b\xb8", Some(3000), false),
        (b"\x03", None, true),
        (b"", None, false),
        (b"\x03\xe8\xff", Some(1000), true),
    ] {
        let mut observer = open();
        let told = see(&mut observer, Role::Server, &frame(8, true, None, body));
        let Told::Close(_, own, _, broken) = &told[1] else {
            panic!()
        };
        assert_eq!((*own, *broken), (code, violation));
    }
    let mut observer = open();
    observer.reset(Role::Client);
    assert_eq!(observer.state(Role::Server), State::Closed);
    let report = observer.report();
    assert_eq!(
        (report.code(Role::Client), report.tcp_in_order()),
        (1006, Some(false))
    );
}

/// RFC 6455 §5.5.3, with the time between.
#[test]
fn pongs_are_matched_to_pings() {
    let mut observer = open();
    observer.advance_time(Duration::from_millis(10));
    see(&mut observer, Role::Server, &frame(9, true, None, b"1"));
    see(&mut observer, Role::Server, &frame(9, true, None, b"2"));
    observer.advance_time(Duration::from_millis(35));
    let pong = frame(10, true, KEY, b"2");
    let mut input = &pong[..];
    observer.see(Role::Client, &mut input);
    observer.see(Role::Client, &mut input);
    let Some(Seen::Pong {
        solicited,
        round_trip,
        ..
    }) = observer.see(Role::Client, &mut input)
    else {
        panic!("a pong");
    };
    assert_eq!(
        (solicited, round_trip),
        (true, Some(Duration::from_millis(25)))
    );
    let told = see(&mut observer, Role::Client, &frame(10, true, KEY, b"1"));
    assert_eq!(told[1], Told::Pong(Role::Client, b"1".to_vec(), false));
}

/// Where the last header says what is missing, nothing has to be searched.
#[test]
fn gaps() {
    let payload: Vec<u8> = (0..200).collect();
    let bytes = frame(2, true, KEY, &payload);
    let mut observer = open();
    see(&mut observer, Role::Client, &bytes[..20]);
    observer.gap(Role::Client, 100);
    let told = see(&mut observer, Role::Client, &bytes[120..]);
    let kept: Vec<u8> = [&payload[..12], &payload[112..]].concat();
    assert_eq!(
        told,
        [Told::Message(
            Role::Client,
            Kind::Binary,
            kept,
            Content::Holes,
            false
        )]
    );
    // Up to the end of the frame.
    see(&mut observer, Role::Client, &bytes[..20]);
    observer.gap(Role::Client, bytes.len() as u64 - 20);
    assert_eq!(see(&mut observer, Role::Client, b"").len(), 1);
    // What is missing of a text may have been the rest of a character.
    let text = frame(1, true, KEY, b"some \xe2\x82\xac");
    see(&mut observer, Role::Client, &text[..text.len() - 1]);
    observer.gap(Role::Client, 1);
    let (from, kept) = (Role::Client, b"some \xe2\x82".to_vec());
    let message = Told::Message(from, Kind::Text, kept, Content::Holes, false);
    assert_eq!(see(&mut observer, Role::Client, b""), [message]);
    // Over its end.
    let at = observer.offset(Role::Client) + 20;
    see(&mut observer, Role::Client, &bytes[..20]);
    observer.gap(Role::Client, bytes.len() as u64);
    let mut more = Vec::new();
    for n in 0..9_u8 {
        more.extend(frame(1, true, Some([n, 7, n ^ 9, 3]), b"some text"));
    }
    let told = see(&mut observer, Role::Client, &more);
    let found = observer.offset(Role::Client) - more.len() as u64;
    assert_eq!(told[..2], [Told::Lost(at), Told::Found(found)]);
    let texts = told
        .iter()
        .filter(|told| matches!(told, Told::Message(..)))
        .count();
    assert_eq!(texts, 9);
}

/// A tunnel of TLS, and what is neither.
#[test]
fn what_cannot_be_followed() {
    let mut observer = Observer::new(&ObserverConfig::new());
    let told = see(
        &mut observer,
        Role::Client,
        b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n",
    );
    assert_eq!(told, [Told::Opaque(true)]);
    let mut observer = Observer::new(&ObserverConfig::new());
    assert_eq!(see(&mut observer, Role::Client, b"\x16"), []);
    let told = see(&mut observer, Role::Client, b"\x03");
    assert_eq!(told, [Told::Opaque(true)], "the same byte by byte");
    // What is missing there is not missed.
    let at = observer.offset(Role::Client);
    observer.gap(Role::Client, 5);
    assert_eq!(see(&mut observer, Role::Client, b"more"), []);
    assert_eq!(observer.offset(Role::Client), at + 9);
    let mut observer = Observer::new(&ObserverConfig::new());
    let told = see(
        &mut observer,
        Role::Client,
        b"HELO relay.invalid\r\nfoo\r\n\r\n",
    );
    assert!(
        matches!(told[..], [Told::Broken(Rule::Handshake(_))]),
        "{told:?}"
    );
    // More waits for an answer than may.
    let mut limits = Limits::server();
    limits.held = 100;
    let mut observer = Observer::new(&ObserverConfig::new().limits(limits));
    see(&mut observer, Role::Client, REQUEST.as_bytes());
    assert_eq!(
        see(&mut observer, Role::Client, &[0; 1000]),
        [Told::Opaque(false)]
    );
    assert!(observer.memory_held() < 2000);
    // Once the answer has come, frames are searched for in what comes after that.
    let told = see(&mut observer, Role::Server, ANSWER.as_bytes());
    assert_eq!(told, [Told::Response(101, false), Told::Opened(true)]);
    let at = observer.offset(Role::Client);
    let frames: Vec<_> = (1..20)
        .flat_map(|n| frame(2, true, Some([n, 1, 2, 3]), b"found"))
        .collect();
    let told = see(
        &mut observer,
        Role::Client,
        &[&b"\xff"[..], &frames].concat(),
    );
    assert_eq!(told[0], Told::Found(at + 1), "{told:?}");
}

/// What it holds: the message that is not whole, and the bytes that wait for the other end; nothing after them.
#[test]
fn the_memory_of_what_waits() {
    let mut observer = open();
    let idle = observer.memory_held();
    see(
        &mut observer,
        Role::Server,
        &frame(2, false, None, &[7; 1000]),
    );
    assert!(observer.memory_held() >= idle + 1000);
    see(&mut observer, Role::Server, &frame(0, true, None, b""));
    assert_eq!(observer.memory_held(), idle);

    let mut observer = Observer::new(&ObserverConfig::new());
    see(&mut observer, Role::Client, REQUEST.as_bytes());
    let asked = observer.memory_held();
    see(
        &mut observer,
        Role::Client,
        &frame(2, true, KEY, &[7; 1000]),
    );
    assert!(observer.memory_held() >= asked + 1000);

    let long = "x-".repeat(100);
    let agreed = Negotiated::new().extensions(long);
    let observer = Observer::upgraded(&ObserverConfig::new(), agreed);
    assert!(observer.memory_held() >= size_of::<Negotiated>() + 200);
}

/// A message that is longer than the limit is told cut off.
#[test]
fn long_messages() {
    let mut limits = Limits::server();
    limits.message = 10;
    let mut observer = Observer::upgraded(&ObserverConfig::new().limits(limits), Negotiated::new());
    let told = see(&mut observer, Role::Server, &frame(2, true, None, &[7; 50]));
    assert_eq!(
        told[1],
        Told::Message(Role::Server, Kind::Binary, vec![7; 10], Content::Cut, false)
    );
}

/// RFC 6455 §8.1: the byte of the message, over its frames.
#[test]
fn where_text_broke() {
    for (bad, at, cut) in [
        (&b"\xe2("[..], 6, false),
        (b"\xe2\x82", 7, true),
        (b"\xe2(\xe2\x82", 6, false),
    ] {
        let mut observer = open();
        let mut input = frame(1, false, KEY, b"Hello");
        input.extend(frame(0, true, KEY, bad));
        let mut input = &input[..];
        let mut rules = Vec::new();
        while let Some(seen) = observer.see(Role::Client, &mut input) {
            if let Seen::Message(message) = seen {
                rules.extend(message.violation.map(|violation| violation.rule()));
            }
        }
        let error = ProtocolError::TextNotUtf8 { at, cut };
        assert_eq!(rules, [Rule::Protocol(error)]);
    }
}
