//! The exports, called as JavaScript calls them, against the core itself.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::cast_possible_truncation,
    reason = "a test fails by a panic"
)]

use std::time::Duration;

use proptest::prelude::*;
use sansocket::{Accept, CloseCode, Connection, Event, OriginPolicy, ServerConfig};
use sansocket_wasm::numbers::*;
use sansocket_wasm::*;

const REQUEST: &str = "GET /chat?a=1 HTTP/1.1\r\nHost: example.com\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: a, b\r\n\r\n";

type Entries<'e> = &'e [(u32, &'e [u8])];

fn list(entries: Entries<'_>) -> Vec<u8> {
    let mut list = Vec::new();
    for (what, bytes) in entries {
        list.extend(what.to_le_bytes());
        list.extend((bytes.len() as u32).to_le_bytes());
        list.extend(*bytes);
    }
    list
}

fn number(number: f64) -> [u8; 8] {
    number.to_le_bytes()
}

fn bytes(data: *const u8, len: usize) -> Vec<u8> {
    if data.is_null() {
        return Vec::new();
    }
    // SAFETY: a call has told of so many bytes, and none came after it.
    unsafe { std::slice::from_raw_parts(data, len) }.to_vec()
}

/// The number of a refusal, its name and its sentence, whose memory is given back.
fn refusal(told: &ws_told) -> (u32, String, String) {
    let text = |data, len| String::from_utf8(bytes(data, len)).unwrap();
    let refusal = (
        told.code,
        text(told.name, told.name_len),
        text(told.data, told.len),
    );
    // SAFETY: the sentence of a refusal is the caller's.
    unsafe { ws_dealloc(told.data.cast_mut(), told.len) };
    refusal
}

struct Settings(*mut ws_server);

impl Settings {
    fn new(list: &[u8]) -> Result<Self, (u32, String, String)> {
        let mut told = ws_told::default();
        // SAFETY: the list is one of so many bytes.
        let settings = unsafe { ws_server_settings(list.as_ptr(), list.len(), &raw mut told) };
        if settings.is_null() {
            Err(refusal(&told))
        } else {
            Ok(Self(settings))
        }
    }

    fn connection(&self) -> Ours {
        // SAFETY: the settings are not freed.
        Ours(unsafe { ws_server_new(self.0) })
    }
}

impl Drop for Settings {
    fn drop(&mut self) {
        // SAFETY: they are not used afterwards.
        unsafe { ws_server_settings_free(self.0) };
    }
}

/// A connection through the exports.
struct Ours(*mut ws_connection);

impl Drop for Ours {
    fn drop(&mut self) {
        // SAFETY: it is not used afterwards.
        unsafe { ws_free(self.0) };
    }
}

// SAFETY, of all calls below: the handle lives as long as `self`, and pointers point to what their lengths say.
impl Ours {
    fn client(list: &[u8]) -> Result<Self, (u32, String, String)> {
        let mut told = ws_told::default();
        // SAFETY: see above.
        let made = unsafe { ws_client_new(list.as_ptr(), list.len(), 0, &raw mut told) };
        if made.is_null() {
            Err(refusal(&told))
        } else {
            Ok(Self(made))
        }
    }

    /// What comes of bytes: events as words, in which the payload is written out.
    fn receive(&self, input: &[u8]) -> Vec<String> {
        let mut input = input.to_vec();
        let (mut events, mut used) = (Vec::new(), 0);
        loop {
            let mut told = ws_told::default();
            // SAFETY: see above.
            used += unsafe {
                let rest = &mut input[used..];
                ws_receive(self.0, rest.as_mut_ptr(), rest.len(), &raw mut told)
            };
            if told.what == event::NONE {
                return events;
            }
            events.push(format!(
                "{} {} {:?}",
                told.what,
                told.code,
                String::from_utf8_lossy(&bytes(told.data, told.len))
            ));
        }
    }

    /// Takes the input up to its first event.
    fn first(&self, input: &[u8]) -> u32 {
        let (mut input, mut told) = (input.to_vec(), ws_told::default());
        // SAFETY: see above.
        unsafe { ws_receive(self.0, input.as_mut_ptr(), input.len(), &raw mut told) };
        told.what
    }

    fn output(&self) -> Vec<u8> {
        let mut pieces = [ws_piece {
            data: std::ptr::null(),
            len: 0,
        }; 3];
        let mut output = Vec::new();
        // SAFETY: see above.
        unsafe {
            while ws_output_len(self.0) > 0 {
                let n = ws_output(self.0, pieces.as_mut_ptr(), pieces.len());
                for piece in &pieces[..n] {
                    output.extend(bytes(piece.data, piece.len));
                }
                ws_consume_output(self.0, pieces[..n].iter().map(|piece| piece.len).sum());
            }
        }
        output
    }

    fn accept(&self, list: &[u8]) -> Result<(), (u32, String, String)> {
        let mut told = ws_told::default();
        // SAFETY: see above.
        match unsafe { ws_accept(self.0, list.as_ptr(), list.len(), &raw mut told) } {
            0 => Ok(()),
            _ => Err(refusal(&told)),
        }
    }

    fn send(&self, kind: u32, data: &[u8], part: u32) -> Result<(), (u32, String, String)> {
        let mut told = ws_told::default();
        // SAFETY: see above.
        match unsafe {
            ws_send(
                self.0,
                kind,
                data.as_ptr(),
                data.len(),
                part,
                compress::AUTO,
                &raw mut told,
            )
        } {
            0 => Ok(()),
            _ => Err(refusal(&told)),
        }
    }

    fn close(&self, code: u32, why: &str) -> Result<(), (u32, String, String)> {
        let mut told = ws_told::default();
        // SAFETY: see above.
        match unsafe { ws_close(self.0, code, why.as_ptr(), why.len(), &raw mut told) } {
            0 => Ok(()),
            _ => Err(refusal(&told)),
        }
    }

    fn part(&self, what: u32) -> Option<String> {
        let mut told = ws_told::default();
        // SAFETY: see above.
        unsafe { ws_part(self.0, what, &raw mut told) };
        (!told.data.is_null()).then(|| String::from_utf8(bytes(told.data, told.len)).unwrap())
    }
}

fn any_origin() -> Settings {
    Settings::new(&list(&[(entry::ORIGIN_POLICY, &number(2.0))])).unwrap()
}

/// A client and a server, once they are open.
fn both_ends() -> (Ours, Ours) {
    let client = Ours::client(&list(&[
        (entry::URI, b"ws://example.com/chat?a=1"),
        (entry::SUBPROTOCOL, b"b"),
        (entry::FIELD_NAME, b"X-Trace"),
        (entry::FIELD_VALUE, b"\xff7"),
        (entry::OWN_ORIGIN, b"https://example.com"),
    ]))
    .unwrap();
    let settings = any_origin();
    let server = settings.connection();
    // What is told of a request is there until the next call that receives.
    assert_eq!(server.first(&client.output()), event::REQUEST);
    let parts = [
        part::METHOD,
        part::TARGET,
        part::PATH,
        part::QUERY,
        part::AUTHORITY,
        part::ORIGIN,
        part::OFFERED,
    ];
    let told = parts.map(|what| server.part(what).unwrap());
    assert_eq!(
        told,
        [
            "GET",
            "/chat?a=1",
            "/chat",
            "a=1",
            "example.com",
            "https://example.com",
            "b"
        ]
    );
    let mut headers = ws_told::default();
    // SAFETY: the handle lives.
    unsafe { ws_headers(server.0, &raw mut headers) };
    let field = list(&[
        (entry::FIELD_NAME, b"X-Trace"),
        (entry::FIELD_VALUE, b"\xff7"),
    ]);
    let headers = bytes(headers.data, headers.len);
    assert!(headers.windows(field.len()).any(|part| part == field));
    let (code, name, why) = server
        .accept(&list(&[(entry::SUBPROTOCOL, b"c")]))
        .unwrap_err();
    assert_eq!((code, &*name), (602, "accepted_subprotocol_not_offered"));
    assert!(why.contains("subprotocol"), "{why}");
    server
        .accept(&list(&[(entry::PREFER, b"x"), (entry::PREFER, b"b")]))
        .unwrap();
    assert_eq!(server.receive(b""), ["4 0 \"\""]);
    assert_eq!(client.receive(&server.output()), ["4 0 \"\""]);
    assert_eq!(client.part(part::SUBPROTOCOL).as_deref(), Some("b"));

    (client, server)
}

#[test]
fn both_ends_from_the_request_to_the_end() {
    let (client, server) = both_ends();
    client.send(kind::TEXT, "Grüße".as_bytes(), 0).unwrap();
    client.send(kind::BINARY, b"a", 2).unwrap();
    client.send(kind::BINARY, b"b", 1).unwrap();
    assert_eq!(client.send(kind::TEXT, b"\xff", 0).unwrap_err().0, 407);
    assert_eq!(
        server.receive(&client.output()),
        ["6 0 \"Grüße\"", "6 0 \"ab\""]
    );
    assert_eq!(client.close(1005, "").unwrap_err().0, refused::BAD_ARGUMENT);
    assert_eq!(
        client.close(70_000, "").unwrap_err().0,
        refused::BAD_ARGUMENT
    );
    client.close(1000, "bye").unwrap();
    assert_eq!(server.receive(&client.output())[0], "10 1000 \"bye\"");
    // The server ends TCP first (RFC 6455 §7.1.1).
    assert_eq!(client.receive(&server.output())[0], "10 1000 \"\"");
    // SAFETY: the handles live.
    unsafe {
        assert_eq!(ws_get_transport(server.0), transport::CLOSE_TRANSPORT);
        assert_eq!(ws_get_transport(client.0), transport::AWAIT_PEER_END);
        ws_tell(client.0, tell::EOF);
        assert!(client.receive(b"")[0].starts_with("12 1000"));
        assert_eq!(ws_get_state(client.0), state::CLOSED);
    }
}

#[test]
fn what_is_wrong_is_refused_with_a_sentence() {
    let wrong: [(Entries<'_>, u32, &str); 9] = [
        (&[(entry::URI, b"ws://h/")], 1, "no place"),
        (&[(999, b"")], 1, "no place"),
        (&[(entry::MAX_HEAD, b"1234")], 1, "64 bits"),
        (&[(entry::MAX_HEAD, &number(0.5))], 1, "whole"),
        (&[(entry::MAX_HEAD, &number(f64::NAN))], 1, "whole"),
        (&[(entry::DELIVERY, &number(3.0))], 1, "delivery"),
        (&[(entry::PRESET, &number(4.0))], 1, "preset"),
        (
            &[
                (entry::ORIGIN_POLICY, &number(1.0)),
                (entry::ORIGIN, b"https://a/b"),
            ],
            2,
            "https://a/b",
        ),
        (&[(entry::HOST, b"\xff")], 1, "UTF-8"),
    ];
    for (entries, status, words) in wrong {
        let (code, name, why) = Settings::new(&list(entries)).err().unwrap();
        assert_eq!(code, status, "{why}");
        assert!(why.contains(words) && !name.is_empty(), "{name}: {why}");
    }
    let cut = &list(&[(entry::HOST, b"example.com")])[..12];
    assert!(Settings::new(cut).err().unwrap().2.contains("ends within"));
    let (code, name, _) = Ours::client(&list(&[(entry::URI, b"http://h/")]))
        .err()
        .unwrap();
    assert_eq!((code, &*name), (refused::BAD_URI, "uri_scheme"));
    assert_eq!(Ours::client(&[]).err().unwrap().0, refused::BAD_ARGUMENT);
    let reserved = list(&[
        (entry::URI, b"ws://h/"),
        (entry::FIELD_NAME, b"Host"),
        (entry::FIELD_VALUE, b"a"),
    ]);
    assert_eq!(Ours::client(&reserved).err().unwrap().0, 703);
    let nameless = list(&[(entry::URI, b"ws://h/"), (entry::FIELD_VALUE, b"a")]);
    assert_eq!(
        Ours::client(&nameless).err().unwrap().0,
        refused::BAD_ARGUMENT
    );
    let deflate = Settings::new(&list(&[(entry::FLAGS, &number(256.0))]));
    assert_eq!(deflate.is_ok(), cfg!(feature = "deflate"));
}

#[test]
fn an_answer_over_http() {
    let settings = any_origin();
    let server = settings.connection();
    server.receive(REQUEST.as_bytes());
    let fields = list(&[
        (entry::FIELD_NAME, b"Retry-After"),
        (entry::FIELD_VALUE, b"7"),
    ]);
    let respond = |status, list: &[u8]| {
        let mut told = ws_told::default();
        // SAFETY: the handle lives, and pointers point to what their lengths say.
        match unsafe {
            ws_respond(
                server.0,
                status,
                list.as_ptr(),
                list.len(),
                b"later".as_ptr(),
                5,
                &raw mut told,
            )
        } {
            0 => 0,
            _ => refusal(&told).0,
        }
    };
    assert_eq!(respond(101, &[]), 605);
    assert_eq!(respond(65_536 + 200, &[]), 605);
    assert_eq!(
        respond(503, &list(&[(entry::URI, b"")])),
        refused::BAD_ARGUMENT
    );
    assert_eq!(respond(503, &fields), 0);
    let answer = String::from_utf8(server.output()).unwrap();
    assert!(
        answer.starts_with("HTTP/1.1 503") && answer.contains("Retry-After: 7\r\n"),
        "{answer}"
    );
    assert!(answer.ends_with("\r\n\r\nlater"), "{answer}");
}

/// Settings that cut messages cut text, too, and a text is no part of a message that was begun.
#[test]
fn text_is_a_message_of_its_own() {
    let settings = Settings::new(&list(&[(entry::FRAGMENT, &number(4.0))])).unwrap();
    let mut told = ws_told::default();
    // SAFETY: the settings live.
    let server =
        Ours(unsafe { ws_server_upgraded(settings.0, std::ptr::null(), 0, &raw mut told) });
    assert_eq!(server.receive(b""), ["4 0 \"\""]);
    server.send(kind::TEXT, b"abcdef", 0).unwrap();
    assert_eq!(server.output(), b"\x01\x04abcd\x80\x02ef");
    server.send(kind::TEXT, b"ab\xc3", 2).unwrap();
    assert_eq!(
        server.send(kind::TEXT, b"\xa4", 0).unwrap_err().1,
        "message_in_progress"
    );
    server.send(kind::TEXT, b"\xa4", 1).unwrap();
    assert_eq!(server.send(kind::TEXT, b"ab\xc3", 0).unwrap_err().0, 407);
}

#[test]
fn time_goes_in_milliseconds() {
    let times = list(&[
        (entry::HANDSHAKE_TIMEOUT, &number(1500.0)),
        (entry::PONG_TIMEOUT, &number(f64::INFINITY)),
    ]);
    let settings = Settings::new(&times).unwrap();
    let server = settings.connection();
    // SAFETY: the handle lives.
    unsafe {
        assert_eq!(ws_next_deadline(server.0), f64::INFINITY);
        ws_advance_time(server.0, 250.25);
        assert_eq!(ws_next_deadline(server.0), 1750.25);
        ws_advance_time(server.0, f64::NAN);
        ws_advance_time(server.0, f64::INFINITY);
        ws_advance_time(server.0, -1.0);
        for now in [1750.25, 1751.0, 4000.0] {
            ws_advance_time(server.0, now);
        }
    }
    assert!(server.receive(b"")[0].starts_with("11 0"));
}

#[test]
fn memory_is_the_callers() {
    let memory = ws_alloc(1 << 16);
    // SAFETY: there is that much, and it is given back once.
    unsafe {
        assert!((0..1 << 16).all(|at| memory.add(at).read() == 0));
        ws_dealloc(memory, 1 << 16);
        ws_dealloc(ws_alloc(0), 0);
    }
}

/// What the core itself says.
fn told_by_core(event: &Event<'_>) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (what, code, data) = match event {
        Event::Message(message) => (event::MESSAGE, 0, text(message.as_bytes())),
        Event::Ping(payload) => (event::PING, 0, text(payload)),
        Event::Pong(pong) => (event::PONG, 0, text(&pong.payload)),
        Event::Close(frame) => (
            event::CLOSE,
            frame.code.map_or(0, CloseCode::get),
            frame.reason().into(),
        ),
        Event::Failed(failure) => (
            event::FAILED,
            failure.close_code().unwrap_or(0),
            failure.to_string(),
        ),
        Event::Closed(report) => (event::CLOSED, report.code, report.to_string()),
        Event::Open => (event::OPEN, 0, String::new()),
        Event::Request(_) => (event::REQUEST, 0, String::new()),
        other => panic!("{other:?}"),
    };
    format!("{what} {code} {data:?}")
}

/// One of the calls, with bytes.
type Call = (u8, Vec<u8>);

fn calls() -> impl Strategy<Value = Vec<Call>> {
    let payload = prop::collection::vec(any::<u8>(), 0..30);
    prop::collection::vec((0_u8..14, payload), 0..30)
}

/// A frame of a client's, whose mask changes nothing.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![first, 0x80 | payload.len() as u8, 0, 0, 0, 0];
    frame.extend(payload);
    frame
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_same_as_the_core(calls in calls()) {
        let settings = any_origin();
        let ours = settings.connection();
        let mut core = Connection::server(&ServerConfig::new(OriginPolicy::Any));
        ours.receive(REQUEST.as_bytes());
        assert!(core.receive(&mut &mut REQUEST.as_bytes().to_vec()[..]).is_some());
        ours.accept(&[]).unwrap();
        core.accept(Accept::new()).unwrap();
        for (call, payload) in calls {
            let input = match call {
                0..=7 => frame([0x81, 0x82, 0x01, 0x80, 0x89, 0x8a, 0x88, 0xc1][usize::from(call)], &payload),
                8 => payload.clone(),
                _ => Vec::new(),
            };
            let (code, told) = same_call(call, &payload, &ours, &mut core);
            prop_assert_eq!(code, told);
            let mut wanted = Vec::new();
            let mut copy = input.clone();
            let mut rest = &mut copy[..];
            while let Some(event) = core.receive(&mut rest) {
                wanted.push(told_by_core(&event));
            }
            prop_assert_eq!(ours.receive(&input), wanted);
            let mut output = Vec::new();
            while !core.output().is_empty() {
                output.extend(core.output());
                core.consume_output(core.output().len());
            }
            prop_assert_eq!(ours.output(), output);
        }
    }
}

/// A call on both: the numbers that they are refused with.
fn same_call(call: u8, payload: &[u8], ours: &Ours, core: &mut Connection) -> (u32, u32) {
    let code = |refused: Result<(), (u32, String, String)>| refused.err().map_or(0, |why| why.0);
    match call {
        9 => {
            let sent = core.send(payload).map_err(|unsent| unsent.why);
            (
                code(ours.send(kind::BINARY, payload, 0)),
                sent.err().map_or(0, |why| why.code().into()),
            )
        }
        10 => {
            let last = payload.len().is_multiple_of(2);
            let part = sansocket::Part::text(payload).last_if(last);
            let sent = core.send_part(part);
            let part = if last { 1 } else { 2 };
            (
                code(ours.send(kind::TEXT, payload, part)),
                sent.err().map_or(0, |why| why.code().into()),
            )
        }
        11 => {
            let closed = core.close(Some(CloseCode::GOING_AWAY), "away");
            (
                code(ours.close(1001, "away")),
                closed.err().map_or(0, |why| why.code().into()),
            )
        }
        12 => {
            core.advance_time(Duration::from_millis(payload.len() as u64 * 1000));
            // SAFETY: the handle lives.
            unsafe { ws_advance_time(ours.0, payload.len() as f64 * 1000.0) };
            (0, 0)
        }
        13 => {
            core.receive_eof();
            // SAFETY: the handle lives.
            unsafe { ws_tell(ours.0, tell::EOF) };
            (0, 0)
        }
        _ => (0, 0),
    }
}
