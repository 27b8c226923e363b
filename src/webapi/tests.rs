#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod closing;
mod halves;
mod queue;

use alloc::string::ToString;
use alloc::vec;
use alloc::vec::Vec;

use proptest::prelude::*;

use crate::config::{Delivery, OriginPolicy, ServerConfig, Timeouts};
use crate::error::{NoEntropy, SendError};
use crate::handshake::Accept;
use crate::{Message, State};

use super::*;

/// Masking keys of zero, so that payloads can be read in the output.
struct Zeros;

impl Entropy for Zeros {
    fn fill(&mut self, out: &mut [u8]) -> Result<(), NoEntropy> {
        out.fill(0);
        Ok(())
    }
}

fn connecting(config: &ClientConfig, protocols: &[&str]) -> WebSocket {
    connecting_to("ws://example.com/chat", config, protocols)
}

fn connecting_to(url: &str, config: &ClientConfig, init: impl Into<Init>) -> WebSocket {
    WebSocket::with_entropy(config, url, init, Box::new(Zeros)).unwrap()
}

/// Without a source of the caller's, randomness is the operating system's.
#[test]
#[cfg(feature = "getrandom")]
fn constructed_with_the_systems_randomness() {
    let ws = WebSocket::new(&ClientConfig::new(), "ws://example.com/chat", "chat").unwrap();
    assert_eq!(ws.ready_state(), ReadyState::Connecting);
}

fn event<'a>(ws: &mut WebSocket, mut input: &'a mut [u8]) -> Option<DomEvent<'a>> {
    let event = ws.receive(&mut input);
    assert!(input.is_empty() || event.is_some());
    event
}

/// All events of these bytes, owned.
fn events(ws: &mut WebSocket, bytes: &[u8]) -> Vec<DomEvent<'static>> {
    let mut bytes = bytes.to_vec();
    let mut input = &mut bytes[..];
    let mut found = vec![];
    while let Some(event) = ws.receive(&mut input) {
        found.push(event.into_owned());
    }
    found
}

const ANSWER: &str = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\
    Connection: Upgrade\r\nSec-WebSocket-Accept: ICX+Yqv66kxgM0FcWaLWlFLwTAI=\r\n";

fn open_with(config: &ClientConfig) -> WebSocket {
    opened(connecting(config, &[]))
}

fn opened(mut ws: WebSocket) -> WebSocket {
    ws.advance_time(Duration::ZERO);
    ws.consume_output(usize::MAX);
    let answer = ANSWER.to_string() + "\r\n";
    assert_eq!(events(&mut ws, answer.as_bytes()), [DomEvent::Open]);
    ws
}

fn open() -> WebSocket {
    open_with(&ClientConfig::new())
}

fn close_event(was_clean: bool, code: u16, reason: &str) -> DomEvent<'static> {
    DomEvent::Close(CloseEvent {
        was_clean,
        code,
        reason: reason.into(),
    })
}

fn failed() -> [DomEvent<'static>; 2] {
    [DomEvent::Error, close_event(false, 1006, "")]
}

fn text(text: &str) -> DomEvent<'static> {
    DomEvent::Message(Message::Text(text.to_string().into()))
}

/// Each transition gives its number, never back; it changes with its event.
#[test]
fn ready_states() {
    assert_eq!(
        [
            ReadyState::Connecting,
            ReadyState::Open,
            ReadyState::Closing,
            ReadyState::Closed
        ]
        .map(|state| state as u16),
        [0, 1, 2, 3]
    );
    let mut ws = connecting(&ClientConfig::new(), &[]);
    assert_eq!(ws.ready_state(), ReadyState::Connecting);
    ws.consume_output(usize::MAX);
    assert_eq!(ws.ready_state(), ReadyState::Connecting);

    // The server closes.
    let mut ws = open();
    assert_eq!(ws.ready_state(), ReadyState::Open);
    assert!(event(&mut ws, &mut [0x88, 2, 3, 0xe8]).is_none());
    assert_eq!(ws.ready_state(), ReadyState::Closing);
    ws.consume_output(usize::MAX);
    ws.receive_eof();
    assert_eq!(ws.ready_state(), ReadyState::Closing);
    assert_eq!(events(&mut ws, b""), [close_event(true, 1000, "")]);
    assert_eq!(ws.ready_state(), ReadyState::Closed);

    // The script closes.
    let mut ws = open();
    ws.close(None, None).unwrap();
    assert_eq!(ws.ready_state(), ReadyState::Closing);

    // A loss is seen with the event.
    let mut ws = open();
    ws.transport_lost();
    assert_eq!(ws.ready_state(), ReadyState::Open);
    assert_eq!(event(&mut ws, &mut []), Some(DomEvent::Error));
    assert_eq!(ws.ready_state(), ReadyState::Closed);

    // A failure with a Close frame begins a closing handshake.
    let mut ws = open();
    assert!(events(&mut ws, &[0x83, 0]).is_empty());
    assert_eq!(ws.ready_state(), ReadyState::Closing);
}

/// Http stands for ws, fragments and other schemes are syntax errors.
#[test]
fn urls() {
    for (url, printed, origin) in [
        ("ws://h", "ws://h/", "ws://h"),
        ("http://h:80/a?b", "ws://h/a?b", "ws://h"),
        ("https://h/", "wss://h/", "wss://h"),
        ("HTTPS://H:8443/x", "wss://h:8443/x", "wss://h:8443"),
        ("wss://[::1]:443/", "wss://[::1]/", "wss://[::1]"),
    ] {
        let ws = connecting_to(url, &ClientConfig::new(), []);
        assert_eq!((ws.url(), ws.url_record().as_str()), (printed, printed));
        assert_eq!(ws.origin(), origin);
    }
    for url in [
        "ws://h/#a",
        "ws://h/#",
        "ftp://h/",
        "/chat",
        "",
        "ws://",
        "ws://h:99999/",
    ] {
        let error = WebSocket::connecting(url, []).unwrap_err();
        assert_eq!(error, Exception::Syntax, "{url}");
    }
}

/// Subprotocols are tokens that differ; fields and the origin are what fields may be.
#[test]
fn protocols() {
    for bad in [
        &["chat", "chat"][..],
        &[""],
        &["a b"],
        &["a,b"],
        &["\u{e9}"],
        &["a\r\nb"],
    ] {
        let error = WebSocket::connecting("ws://h/", bad).unwrap_err();
        assert_eq!(error, Exception::Syntax, "{bad:?}");
    }
    let both = ["v2.chat", "chat"];
    for (init, offers) in [
        (Init::from("chat"), &["chat"][..]),
        (both.into(), &both),
        ((&both).into(), &both),
        ((&both[..]).into(), &both),
    ] {
        let ws = WebSocket::connecting("ws://h/", init).unwrap();
        let offered: Vec<_> = ws.request().unwrap().subprotocols().collect();
        assert_eq!(offered, offers);
    }
    let init = Init::new()
        .protocols(["chat", "Chat"])
        .header("Cookie", b"id=1");
    let init = init
        .origin("https://page.example")
        .base("https://example.com/app/");
    let ws = WebSocket::connecting("ws", init.clone()).unwrap();
    let request = ws.request().unwrap();
    assert_eq!(request.uri().to_string(), "wss://example.com/app/ws");
    assert_eq!(request.subprotocols().collect::<Vec<_>>(), ["chat", "Chat"]);
    assert_eq!(
        request.headers().collect::<Vec<_>>(),
        [("Cookie", &b"id=1"[..])]
    );
    for bad in [
        init.clone().header("Host", b"evil"),
        init.clone().header("X", b"a\r\nY: b"),
        init.clone().origin("a b"),
    ] {
        let error = WebSocket::connecting("ws", bad).unwrap_err();
        assert_eq!(error, Exception::Syntax);
    }
    let shown = format!("{:?}", init.header("X-Key", b"secret"));
    assert!(shown.contains("X-Key") && !shown.contains("secret") && !shown.contains("id=1"));
}

/// Whatever fails before it is open looks the same to a script.
#[test]
fn failures_before_open_look_alike() {
    let answers = [
        "HTTP/1.1 302 Found\r\nLocation: /x\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nno",
        "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 101 x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: x\r\n\r\n",
        "SSH-2.0-x\r\n\r\n",
        &(ANSWER.to_string() + "Sec-WebSocket-Protocol: other\r\n\r\n"),
        &(ANSWER.to_string() + "Sec-WebSocket-Extensions: other\r\n\r\n"),
    ];
    for answer in answers {
        let mut ws = connecting(&ClientConfig::new(), &[]);
        ws.consume_output(usize::MAX);
        assert_eq!(events(&mut ws, answer.as_bytes()), failed(), "{answer}");
        assert_eq!(ws.transport(), Transport::Close);
    }
    let ways: [fn(&mut WebSocket); 5] = [
        WebSocket::tls_failed,
        WebSocket::transport_lost,
        WebSocket::receive_eof,
        |ws| ws.close(None, None).unwrap(),
        |ws| pass(ws, Duration::from_secs(11)),
    ];
    for fail in ways {
        let mut ws = connecting(&ClientConfig::new(), &[]);
        ws.advance_time(Duration::ZERO);
        ws.consume_output(usize::MAX);
        fail(&mut ws);
        assert_eq!(events(&mut ws, b""), failed());
        assert!(ws.output().is_empty());
        assert_eq!(ws.transport(), Transport::Close);
    }
}

/// The engine's console may know more than the script.
#[test]
fn the_truth_is_for_the_console() {
    let mut ws = connecting(&ClientConfig::new(), &[]);
    ws.consume_output(usize::MAX);
    events(&mut ws, b"HTTP/1.1 404 x\r\nContent-Length: 0\r\n\r\n");
    assert_eq!(ws.refusal().unwrap().status, 404);
    let mut ws = connecting(&ClientConfig::new(), &[]);
    ws.tls_failed();
    assert!(ws.report().is_none());
    events(&mut ws, b"");
    assert_eq!(ws.report().unwrap().code, 1015);
}

/// The server has to choose one of the protocols; what it chose is known once open.
#[test]
fn the_protocol_that_was_chosen() {
    let try_with = |line: &str| {
        let mut ws = connecting(&ClientConfig::new(), &["chat", "superchat"]);
        ws.consume_output(usize::MAX);
        assert_eq!((ws.protocol(), ws.extensions()), ("", ""));
        let events = events(&mut ws, (ANSWER.to_string() + line + "\r\n").as_bytes());
        (events, ws)
    };
    let (events, ws) = try_with("Sec-WebSocket-Protocol: superchat\r\n");
    assert_eq!(events, [DomEvent::Open]);
    assert_eq!((ws.protocol(), ws.extensions()), ("superchat", ""));
    for line in [
        "",
        "Sec-WebSocket-Protocol:\r\n",
        "Sec-WebSocket-Protocol: Chat\r\n",
        "Sec-WebSocket-Protocol: chat, superchat\r\n",
    ] {
        let (events, ws) = try_with(line);
        assert_eq!(events, failed(), "{line}");
        assert_eq!(ws.protocol(), "");
    }
}

/// The engine's own HTTP stack made the opening handshake, or did not come to an end with it.
#[test]
fn a_handshake_of_somebody_elses() {
    let connecting = || WebSocket::connecting("wss://h/x", "chat").unwrap();
    let mut ws = connecting();
    assert_eq!(ws.request().unwrap().uri().resource_name(), "/x");
    assert!(ws.output().is_empty() && ws.next_deadline().is_none());
    assert_eq!(ws.transport(), Transport::KeepOpen);
    assert_eq!(ws.send("early"), Err(Exception::InvalidState));
    assert!(events(&mut ws, b"not for it").is_empty());
    #[cfg(feature = "getrandom")]
    {
        ws.established(
            &ClientConfig::new().manual_pong(),
            Negotiated::new().subprotocol("chat"),
        );
        assert!(ws.request().is_none());
        assert_eq!(
            events(&mut ws, b"\x81\x02hi\x89\0"),
            [DomEvent::Open, text("hi")]
        );
        assert_eq!((ws.protocol(), ws.output().len()), ("chat", 6));
    }
    for fail in [
        WebSocket::transport_lost as fn(&mut WebSocket),
        WebSocket::tls_failed,
        |ws| ws.refused(Box::new(Refusal::new(404, core::iter::empty()))),
        |ws| ws.close(Some(1000), None).unwrap(),
        WebSocket::go_away,
    ] {
        let mut ws = connecting();
        fail(&mut ws);
        assert_eq!(ws.transport(), Transport::Close);
        // Too late.
        ws.established(&ClientConfig::new(), Negotiated::new());
        assert_eq!(events(&mut ws, b""), failed());
        assert_eq!(ws.ready_state(), ReadyState::Closed);
        assert!(events(&mut ws, b"").is_empty());
    }
    let mut ws = connecting();
    ws.refused(Box::new(Refusal::new(401, core::iter::empty())));
    assert_eq!(ws.refusal().unwrap().status, 401);
}

/// Fetch stores cookies before anything else is looked at.
#[test]
fn cookies_of_an_answer_that_fails() {
    let mut ws = connecting(&ClientConfig::new(), &[]);
    ws.consume_output(usize::MAX);
    let answer = ANSWER.to_string() + "Sec-WebSocket-Protocol: no\r\nSet-Cookie: a=1\r\n\r\n";
    assert_eq!(events(&mut ws, answer.as_bytes()), failed());
    let head = ws.response().unwrap();
    assert_eq!(head.header("set-cookie"), Some(&b"a=1"[..]));
}

/// Messages only while open, text as text and bytes as bytes.
#[test]
fn messages_only_while_open() {
    let mut ws = open();
    let wire = b"\x81\x02hi\x82\x01\xff\x01\x01a\x89\x00\x80\x01b";
    let binary = DomEvent::Message(Message::Binary(vec![0xff].into()));
    assert_eq!(events(&mut ws, wire), [text("hi"), binary, text("ab")]);
    assert_eq!(ws.binary_type(), BinaryType::Blob);
    ws.set_binary_type(BinaryType::ArrayBuffer);
    assert_eq!(ws.binary_type().as_str(), "arraybuffer");
    assert_eq!(BinaryType::new("Blob"), None);

    // What comes after our close is not reported here.
    ws.close(None, None).unwrap();
    assert!(events(&mut ws, b"\x81\x02hi\x01\x01a\x80\x01b").is_empty());
    ws.consume_output(usize::MAX);
    assert!(events(&mut ws, b"\x81\x02hi\x88\x00\x81\x02hi").is_empty());
    ws.receive_eof();
    assert_eq!(events(&mut ws, b""), [close_event(true, 1005, "")]);

    // After the answer, in the same read.
    let mut ws = connecting(&ClientConfig::new(), &[]);
    ws.consume_output(usize::MAX);
    let bytes = [ANSWER.as_bytes(), b"\r\n\x81\x02hi"].concat();
    assert_eq!(events(&mut ws, &bytes), [DomEvent::Open, text("hi")]);
}

/// The caller's ways to receive are not a script's.
#[test]
fn the_configuration_cannot_change_the_api() {
    for delivery in [Delivery::Chunks, Delivery::Ask] {
        let config = ClientConfig::new().delivery(delivery).manual_pong();
        let mut ws = open_with(&config);
        assert_eq!(events(&mut ws, b"\x81\x02hi\x89\x01x"), [text("hi")]);
        assert_eq!(ws.output(), b"\x8a\x81\0\0\0\0x");
        // The same for a handshake of somebody else's.
        let config = super::config(&config);
        let settings = config.settings();
        assert_eq!(settings.delivery, Delivery::Whole);
        assert!(settings.auto_pong && settings.require_subprotocol);
        assert_eq!(settings.limits.output, u32::MAX);
    }
}

/// An error event if the connection was failed, and only then.
#[test]
fn error_and_close() {
    // A reason, cleanly.
    let mut ws = open();
    assert!(events(&mut ws, b"\x88\x06\x0f\xa0\xe2\x82\xac!").is_empty());
    ws.consume_output(usize::MAX);
    ws.receive_eof();
    assert_eq!(events(&mut ws, b""), [close_event(true, 4000, "\u{20ac}!")]);

    // A rule was broken: our Close frame says which kind, the script learns 1006.
    let mut ws = open();
    assert!(events(&mut ws, b"\x81\x01\xff").is_empty());
    assert_eq!(ws.output().get(6..14), Some(&b"\x03\xefa text"[..]));
    ws.consume_output(usize::MAX);
    assert_eq!(events(&mut ws, b""), failed());

    // 1015 is no code for a Close frame.
    let mut ws = open();
    assert!(events(&mut ws, b"\x88\x02\x03\xf7").is_empty());
    ws.consume_output(usize::MAX);
    assert_eq!(events(&mut ws, b""), failed());

    // The end without a Close frame, and the closing handshake that nobody answers.
    let mut ws = open();
    ws.receive_eof();
    assert_eq!(events(&mut ws, b""), failed());
    let mut ws = open();
    ws.close(Some(1000), None).unwrap();
    ws.consume_output(usize::MAX);
    pass(&mut ws, Timeouts::default().close);
    assert_eq!(events(&mut ws, b""), failed());

    // Their Close frame came, ours never left: the code is known, and it was not clean.
    let mut ws = open();
    assert!(events(&mut ws, b"\x88\x04\x0f\xa0ab").is_empty());
    ws.transport_lost();
    let wanted = [DomEvent::Error, close_event(false, 4000, "ab")];
    assert_eq!(events(&mut ws, b""), wanted);
}

/// The time of a deadline, told by a driver that finds nothing to read in between.
fn pass(ws: &mut WebSocket, now: Duration) {
    for _ in 0..3 {
        ws.advance_time(now);
    }
}

/// Pings and pongs are not visible, keepalive is the configuration's.
#[test]
fn pings_are_invisible() {
    let timeouts = Timeouts {
        ping: Some(Duration::from_secs(20)),
        ..Timeouts::default()
    };
    let mut ws = open_with(&ClientConfig::new().timeouts(timeouts));
    assert!(events(&mut ws, b"\x89\x01x\x8a\x01y").is_empty());
    assert_eq!(ws.output(), b"\x8a\x81\0\0\0\0x");
    ws.consume_output(usize::MAX);
    assert_eq!(ws.next_deadline(), Some(Duration::from_secs(20)));
    ws.advance_time(Duration::from_secs(20));
    assert_eq!(ws.output()[0], 0x89);
    assert_eq!(ws.buffered_amount(), 0);
    pass(&mut ws, Duration::from_secs(40));
    ws.consume_output(usize::MAX);
    assert_eq!(events(&mut ws, b""), failed());
}

/// A page that goes away, and an object that nobody holds.
#[test]
fn going_away_and_garbage() {
    let mut ws = open();
    ws.go_away();
    assert_eq!(ws.output(), b"\x88\x82\0\0\0\0\x03\xe9");
    let mut ws = open();
    ws.abandon();
    assert_eq!(ws.output(), b"\x88\x80\0\0\0\0");
    ws.go_away();
    assert_eq!(ws.output(), b"\x88\x80\0\0\0\0");
    for leave in [WebSocket::go_away, WebSocket::abandon] {
        let mut ws = connecting(&ClientConfig::new(), &[]);
        ws.consume_output(usize::MAX);
        leave(&mut ws);
        assert!(ws.output().is_empty());
        assert_eq!(events(&mut ws, b""), failed());
    }
}

#[test]
fn debug_shows_no_reason() {
    let event = close_event(true, 1000, "secret");
    let text = alloc::format!("{event:?} {:?}", open());
    assert!(text.contains("1000") && !text.contains("secret"), "{text}");
    assert!(text.contains("WebSocket { ready_state: Open"), "{text}");
}

/// A whole life against a server of ours.
#[test]
fn against_a_server() {
    let mut ws = connecting_to("http://h/", &ClientConfig::new(), ["a"]);
    let mut server = Connection::server(&ServerConfig::new(OriginPolicy::SameHost));
    let mut heard = vec![];
    for _ in 0..10 {
        let mut up = ws.output().to_vec();
        ws.consume_output(up.len());
        let mut input = &mut up[..];
        while let Some(event) = server.receive(&mut input) {
            match event {
                Event::Request(_) => {
                    server.accept(Accept::new().subprotocol("a")).unwrap();
                }
                Event::Message(message) => server.send(&message).unwrap(),
                _ => {}
            }
        }
        let down = server.output().to_vec();
        server.consume_output(down.len());
        for event in events(&mut ws, &down) {
            match &event {
                DomEvent::Open => ws.send("ping").unwrap(),
                DomEvent::Message(_) => ws.close(Some(3001), Some("done")).unwrap(),
                _ => {}
            }
            heard.push(event);
        }
        if server.state() == State::Closed {
            ws.receive_eof();
        }
    }
    assert_eq!(
        heard,
        [DomEvent::Open, text("ping"), close_event(true, 3001, "")]
    );
    assert_eq!((ws.protocol(), ws.ready_state() as u16), ("a", 3));
}

proptest! {
    /// Whatever a server sends and a script does, states only go on, a message comes
    /// only while open, close comes once and last, an error right before it and nowhere else, and
    /// only unclean ends have one.
    #[test]
    fn any_life(steps in prop::collection::vec((0..13u8, prop::collection::vec(any::<u8>(), 0..12)), 0..24), opens: bool) {
        let ws = connecting_to("ws://h/", &ClientConfig::new(), Init::new().buffer(64));
        let mut ws = if opens { opened(ws) } else { ws };
        let mut places = vec![];
        let mut state = ws.ready_state();
        let mut fired = vec![];
        let mut sent = 0;
        for (step, bytes) in steps {
            match step {
                0 => ws.consume_output(bytes.len()),
                1 => if ws.send(bytes.clone()).is_ok() { sent += bytes.len() as u64 },
                2 => { let _ = ws.close(bytes.first().map(|&code| 2990 + u16::from(code)), None); }
                3 if bytes.len() > 9 => ws.receive_eof(),
                4 if bytes.len() > 9 => ws.transport_lost(),
                5 => ws.advance_time(Duration::from_secs(bytes.len() as u64)),
                9 => if ws.try_send(bytes.clone()).is_ok() { sent += bytes.len() as u64 },
                10 => if let Ok(place) = ws.reserve(bytes.len() as u64) {
                    sent += bytes.len() as u64;
                    places.push((place, bytes));
                },
                11 => if let Some((place, bytes)) = places.pop() { ws.fill(place, bytes) },
                12 => if let Some((place, _)) = places.pop() { ws.give_up(place) },
                6 => { let _ = events(&mut ws, b"").into_iter().map(|event| fired.push(event)).count(); }
                _ => {
                    let before = ws.ready_state();
                    let frame = match step { 7 => bytes, _ => [&[0x82, bytes.len() as u8][..], &bytes].concat() };
                    let found = events(&mut ws, &frame);
                    let messages = found.iter().any(|event| matches!(event, DomEvent::Message(_)));
                    prop_assert!(!messages || before == ReadyState::Open);
                    fired.extend(found);
                }
            }
            prop_assert!(ws.ready_state() >= state);
            prop_assert!(ws.buffered_amount() <= sent);
            state = ws.ready_state();
        }
        ws.transport_lost();
        fired.extend(events(&mut ws, b""));
        prop_assert_eq!(ws.ready_state(), ReadyState::Closed);
        let Some((DomEvent::Close(close), before)) = fired.split_last() else { panic!("no close event") };
        let (error, before) = match before.split_last() {
            Some((DomEvent::Error, before)) => (true, before),
            _ => (false, before),
        };
        prop_assert_eq!(error, !close.was_clean);
        prop_assert!(before.iter().all(|event| !matches!(event, DomEvent::Error | DomEvent::Close(_))));
        prop_assert!(close.code != 1015);
    }
}
