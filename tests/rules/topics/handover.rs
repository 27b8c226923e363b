//! Connections that are suspended in one process and resumed in another (feature `handover`).

use std::time::Duration;

use sansocket::config::{Budgets, Delivery, Limits, Rate, Timeouts};
use sansocket::error::{Failure, Limit, ProtocolError, SendError, Timeout};
use sansocket::handover::{MAGIC, ResumeError, role_of};
use sansocket::{
    Accept, ClientConfig, ClientRequest, CloseCode, Connection, Event, Kind, Negotiated,
    OriginPolicy, Part, Prepared, Response, Role, ServerConfig, State, Uri,
};

use crate::support::*;

const fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

const REQUEST: &str = "GET /chat?x=1 HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\
    Sec-WebSocket-Protocol: chat, superchat\r\nExpect: 100-continue\r\n\r\n";

/// What one end is set to.
#[derive(Clone)]
pub(crate) struct Settings {
    pub(crate) server: ServerConfig,
    pub(crate) client: ClientConfig,
}

impl Settings {
    pub(crate) fn new() -> Self {
        Self {
            server: server_config(),
            client: client_config(),
        }
    }

    pub(crate) fn with(limits: Limits, timeouts: Timeouts) -> Self {
        Self {
            server: server_config().limits(limits).timeouts(timeouts),
            client: client_config().limits(limits).timeouts(timeouts),
        }
    }

    pub(crate) fn open(&self, role: Role) -> Connection {
        match role {
            Role::Server => server(&self.server),
            Role::Client => client(&self.client),
        }
    }

    pub(crate) fn resume(
        &self,
        state: &[u8],
        role: Role,
        now: Duration,
    ) -> Result<Connection, ResumeError> {
        match role {
            Role::Server => Connection::resume(state, &self.server, None, now),
            Role::Client => Connection::resume(state, &self.client, Some(Box::new(SampleKey)), now),
        }
    }

    /// In another process, whose clock stands elsewhere.
    pub(crate) fn moved(&self, ws: Connection, now: Duration, then: Duration) -> Connection {
        let role = ws.role();
        let state = ws.suspend(now).unwrap();
        assert_eq!(role_of(&state), Ok(role));
        self.resume(&state, role, then).unwrap()
    }
}

/// Moves it without the time.
fn moved(ws: Connection) -> Connection {
    Settings::new().moved(ws, Duration::ZERO, Duration::ZERO)
}

/// What one is told and says while the peer's bytes come one by one; `moves`: it goes to another process before each.
fn told(ws: Connection, settings: &Settings, stream: &[u8], moves: bool) -> (Vec<Seen>, Vec<u8>) {
    let (mut ws, mut seen, mut said) = (ws, Vec::new(), Vec::new());
    for byte in stream {
        if moves {
            ws = settings.moved(ws, Duration::ZERO, Duration::ZERO);
        }
        let mut read = [*byte];
        let mut input = &mut read[..];
        while let Some(event) = ws.receive(&mut input) {
            seen.push(see(event));
            match seen.last() {
                Some(Seen::Request { .. }) => {
                    ws.accept(Accept::new().subprotocol("superchat")).unwrap();
                }
                Some(Seen::Text(text)) => ws.send(&**text).unwrap(),
                _ => {}
            }
        }
        // A part of it leaves.
        let n = ws.output().len().div_ceil(3);
        said.extend_from_slice(&ws.output()[..n]);
        ws.consume_output(n);
    }
    ws.receive_eof();
    if moves {
        ws = settings.moved(ws, Duration::ZERO, Duration::ZERO);
    }
    said.extend(take_output(&mut ws));
    while let Some(event) = ws.receive(&mut &mut [][..]) {
        seen.push(see(event));
    }
    seen.push(Seen::Other(format!(
        "{:?} {:?}",
        ws.failed_head(),
        ws.state()
    )));
    (seen, said)
}

/// Frames of each kind, text cut inside a character, a control frame between fragments, and a Close frame.
fn frames(role: Role) -> Vec<u8> {
    let frames = [
        Frame::new(TEXT, "H\u{e9}"),
        Frame::new(TEXT, b"caf\xc3").more(),
        Frame::new(PING, "there?"),
        Frame::new(CONTINUATION, b"\xa9, \xf0\x9f").more(),
        Frame::new(CONTINUATION, b"\x98\x80"),
        Frame::new(BINARY, [7; 300]),
        Frame::new(BINARY, [8; 3]).more(),
        Frame::new(CONTINUATION, ""),
        Frame::new(PONG, ""),
        Frame::new(TEXT, ""),
        Frame::new(CLOSE, b"\x03\xe8bye"),
    ];
    let key = (role == Role::Server).then_some(KEY);
    let encode = |frame: Frame| Frame { key, ..frame }.encode();
    frames.into_iter().flat_map(encode).collect()
}

fn asking(settings: &Settings) -> Connection {
    let request = ClientRequest::new(Uri::parse("ws://h/chat").unwrap())
        .subprotocol("chat")
        .and_then(|request| request.extension("x-own; level=1", 2))
        .unwrap();
    Connection::client_with_entropy(&settings.client, request, Box::new(SampleKey)).unwrap()
}

fn answers() -> [String; 5] {
    let mut ws = asking(&Settings::new());
    let request = String::from_utf8(take_output(&mut ws)).unwrap();
    let (_, key) = request.split_once("Sec-WebSocket-Key: ").unwrap();
    let accept = sansocket::handshake::accept_key::accept_value(&key.as_bytes()[..24]);
    let accept = std::str::from_utf8(&accept).unwrap();
    [
        format!(
            "HTTP/1.1 103 Early\r\nLink: x\r\n\r\nHTTP/1.1 101 x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Accept: {accept}\r\nSec-WebSocket-Protocol: chat\r\n\
             Sec-WebSocket-Extensions: x-own; level=1\r\nSet-Cookie: a\r\n b\r\n\r\n"
        ),
        "HTTP/1.1 101 x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n".into(),
        "HTTP/1.1 404 No\r\nContent-Length: 5\r\nX: y\r\n\r\nnever".into(),
        "HTTP/1.0 503 No\r\n\r\nnot now".into(),
        "HTTP/1.1 401 No\r\nTransfer-Encoding: chunked\r\n\r\n5;x=1\r\nwho a\r\n4\r\nre u\r\n0\r\nT: r\r\n\r\n"
            .into(),
    ]
}

/// HO-1: the opening handshake, frames, messages and the closing handshake, byte by byte.
#[test]
fn between_any_two_bytes() {
    for delivery in [Delivery::Whole, Delivery::Chunks, Delivery::Ask] {
        let mut settings = Settings::new();
        settings.server = settings.server.delivery(delivery).serve_http();
        settings.client = settings.client.delivery(delivery).keep_response();
        let same = |new: &dyn Fn() -> Connection, stream: &[u8]| {
            let plain = told(new(), &settings, stream, false);
            assert!(plain.0.len() > 1);
            assert_eq!(told(new(), &settings, stream, true), plain);
        };
        let new_server = || Connection::server(&settings.server);
        for head in [
            REQUEST,
            "\r\nHEAD / HTTP/1.0\r\nX: y\r\n\r\n",
            "HELO relay\r\n",
            "GET / HTTP/2.0",
        ] {
            same(
                &new_server,
                &[head.as_bytes(), &frames(Role::Server)].concat(),
            );
        }
        for head in answers() {
            same(
                &|| asking(&settings),
                &[head.as_bytes(), &frames(Role::Client)].concat(),
            );
        }
        for role in ROLES {
            same(&|| settings.open(role), &frames(role));
            let mut bad = frames(role);
            bad[0] |= 0x40;
            same(&|| settings.open(role), &bad);
        }
    }
}

/// HO-1: what an application sends in parts and in pieces, with control frames that wait, and the keys of a client.
#[test]
fn in_the_middle_of_what_is_sent() {
    let say = |role: Role, moves: bool| {
        let mut ws = Settings::new().open(role);
        let mut said = Vec::new();
        let mut step = |act: &dyn Fn(&mut Connection)| {
            let mut old = std::mem::replace(&mut ws, open(role));
            act(&mut old);
            let n = old.output().len() / 2;
            said.extend_from_slice(&old.output()[..n]);
            old.consume_output(n);
            ws = if moves { moved(old) } else { old };
            let snapshot = (ws.output_len(), ws.buffered_amount(), ws.state());
            said.extend(format!("{snapshot:?}").into_bytes());
        };
        step(&|ws| ws.send_part(Part::text(b"caf\xc3")).unwrap());
        step(&|ws| ws.ping(b"ping").unwrap());
        step(&|ws| {
            let error = ws.send_part(Part::text(b"x")).unwrap_err();
            assert_eq!(error, SendError::NotUtf8 { at: 0 });
        });
        step(&|ws| ws.send_part(Part::text(b"\xa9").last()).unwrap());
        step(&|ws| ws.send(vec![1; 70_000]).unwrap());
        step(&|ws| ws.send(&Prepared::binary(&[2; 5000])).unwrap());
        step(&|ws| ws.begin_message(Kind::Binary, 300).unwrap());
        step(&|ws| ws.write_message(&[3; 100]).unwrap());
        step(&|ws| ws.pong(b"waits").unwrap());
        step(&|ws| ws.close(CloseCode::GOING_AWAY, "moving").unwrap());
        step(&|ws| ws.write_message(&[4; 200]).unwrap());
        step(&|ws| {
            let answer = Frame::new(CLOSE, 1001u16.to_be_bytes());
            let key = (ws.role() == Role::Server).then_some(KEY);
            let mut bytes = Frame { key, ..answer }.encode();
            assert!(ws.receive(&mut &mut bytes[..]).is_some());
        });
        said.extend(take_output(&mut ws));
        ws.receive_eof();
        let Some(Event::Closed(report)) = ws.receive(&mut &mut [][..]) else {
            panic!("{ws:?}");
        };
        (said, *report)
    };
    for role in ROLES {
        assert_eq!(say(role, true), say(role, false));
    }
}

/// HO-2: the numbers stand in the documentation. A connection that was open for weeks, and one that has everything.
#[test]
fn sizes() {
    let now = secs(30 * 24 * 3600) + Duration::from_nanos(123_456_789);
    for role in ROLES {
        let mut ws = open(role);
        ws.advance_time(now - secs(7));
        ws.advance_time(now);
        let state = ws.suspend(now).unwrap();
        assert!(state.len() <= 96, "{}", state.len());
    }
    let agreed = Negotiated::new()
        .subprotocol("v2.chat.example.com")
        .extensions("x-own; level=9")
        .reserved_bits(2);
    let strings = "v2.chat.example.comx-own; level=9".len();
    let ws = Connection::upgraded_server(&server_config(), agreed);
    assert!(ws.suspend(now).unwrap().len() <= 96 + strings);

    // Budgets of each kind spent, a ping that waits, a message in each direction, a deadline that has passed.
    let mut limits = Limits::server();
    let rate = Some(Rate::new(7, secs(3600)).at_once(u32::MAX));
    (limits.budgets.pings, limits.budgets.messages) = (rate, rate);
    (limits.budgets.empty_frames, limits.budgets.tiny_fragments) = (rate, rate);
    limits.output = 10;
    let mut timeouts = Timeouts::default();
    (timeouts.ping, timeouts.pong) = (Some(secs(20)), Some(secs(10)));
    (timeouts.idle, timeouts.message) = (Some(secs(50)), Some(secs(100)));
    let settings = Settings::with(limits, timeouts);
    let mut ws = settings.open(Role::Client);
    ws.advance_time(now);
    ws.send_part(Part::text(b"caf\xc3")).unwrap();
    ws.consume_output(3);
    let mut read = [
        Frame::new(TEXT, b"caf\xc3").more().encode(),
        Frame::new(PONG, "y").encode(),
        Frame::new(CONTINUATION, "").more().encode(),
        Frame::new(CONTINUATION, [b'x'; 70_000]).encode()[..12].to_vec(),
    ]
    .concat();
    let len = read.len();
    let mut input = &mut read[..];
    while ws.receive(&mut input).is_some() {}
    ws.advance_time(now + secs(21));
    ws.advance_time(now + secs(40));
    ws.advance_time(now + secs(45));
    let beside = ws.output_len() + len;
    let state = ws.suspend(now + secs(50)).unwrap();
    assert!(state.len() <= 320 + beside, "{} of {beside}", state.len());
}

/// The events of a connection without input, and what it is told of the time.
fn events(ws: &mut Connection) -> Vec<Seen> {
    let mut seen = Vec::new();
    while let Some(event) = ws.receive(&mut &mut [][..]) {
        seen.push(see(event));
    }
    seen
}

/// HO-3: each deadline comes as long after the hand-over as it would have without, whatever the other clock counts from.
#[test]
fn deadlines_stand_still() {
    let mut timeouts = Timeouts::default();
    (timeouts.ping, timeouts.pong) = (Some(secs(20)), Some(secs(10)));
    (timeouts.idle, timeouts.message) = (Some(secs(300)), Some(secs(100)));
    let settings = Settings::with(Limits::server(), timeouts);
    let now = secs(1000);
    // How long after the hand-over each deadline comes, and what it brings.
    let come = |role: Role, wait: u64, then: Option<Duration>| {
        let mut ws = settings.open(role);
        ws.advance_time(now - secs(wait));
        let mut drip = Frame::new(BINARY, "more").more().encode();
        assert!(ws.receive(&mut &mut drip[..1]).is_none());
        ws.advance_time(now);
        let (mut ws, origin) = match then {
            Some(then) => (settings.moved(ws, now, then), then),
            None => (ws, now),
        };
        let mut come = Vec::new();
        while let Some(due) = ws.next_deadline() {
            ws.advance_time(due.max(origin));
            let left = due.saturating_sub(origin);
            come.push((left, ws.output_len(), events(&mut ws)));
        }
        come
    };
    for role in ROLES {
        for wait in 0..45 {
            let expected = come(role, wait, None);
            assert!(expected.len() > 1, "{expected:?}");
            for then in [Duration::ZERO, secs(1), secs(5), now, secs(1 << 32)] {
                assert_eq!(
                    come(role, wait, Some(then)),
                    expected,
                    "{role:?} {wait} {then:?}"
                );
            }
        }
    }
}

/// HO-3: a round trip is told right, what came last counts, and a pause counts for whoever says so.
#[test]
fn times_go_along() {
    let mut timeouts = Timeouts::default();
    timeouts.idle = Some(secs(60));
    let settings = Settings::with(Limits::server(), timeouts);
    let mut ws = settings.open(Role::Client);
    ws.advance_time(secs(100));
    ws.ping(b"mine").unwrap();
    ws.advance_time(secs(103));
    // Two seconds pass before it is suspended, and none until it is resumed.
    let mut ws = settings.moved(ws, secs(105), Duration::ZERO);
    ws.advance_time(secs(1));
    let mut pong = Frame::new(PONG, "mine").encode();
    let Some(Event::Pong(pong)) = ws.receive(&mut &mut pong[..]) else {
        panic!("{ws:?}");
    };
    assert_eq!(pong.round_trip(), Some(secs(6)));
    assert_eq!(ws.next_deadline(), Some(secs(61)));
    // It paused for ten seconds, which are to count.
    let now = secs(50);
    let mut ws = settings.moved(ws, secs(1), now - secs(10));
    ws.advance_time(now);
    assert_eq!(ws.next_deadline(), Some(secs(100)));
    // A connection that was never told the time has none.
    let mut ws = settings.moved(settings.open(Role::Server), secs(9), secs(7));
    assert_eq!(ws.next_deadline(), None);
    ws.advance_time(secs(3));
    assert_eq!(ws.next_deadline(), Some(secs(63)));
}

/// HO-3: a keepalive ping is answered after the move, and its round trip is told.
#[test]
fn the_answer_to_a_keepalive_ping() {
    let mut timeouts = Timeouts::default();
    (timeouts.ping, timeouts.pong) = (Some(secs(20)), Some(secs(10)));
    let settings = Settings::with(Limits::server(), timeouts);
    for role in ROLES {
        let mut ws = settings.open(role);
        ws.advance_time(secs(100));
        ws.advance_time(secs(120));
        let [ping] = &take_frames(&mut ws)[..] else {
            panic!("{ws:?}");
        };
        assert_eq!(ping.opcode, PING);
        let mut ws = settings.moved(ws, secs(121), secs(7));
        ws.advance_time(secs(9));
        let mut pong = encode_for(role, &[Frame::new(PONG, &ping.payload)]);
        let Some(Event::Pong(pong)) = ws.receive(&mut &mut pong[..]) else {
            panic!("{ws:?}");
        };
        assert_eq!(pong.round_trip(), Some(secs(3)));
    }
}

/// HO-3: one that was found late has the driver's read to come, as it would have here.
#[test]
fn a_deadline_that_has_passed() {
    let mut timeouts = Timeouts::default();
    timeouts.idle = Some(secs(60));
    let settings = Settings::with(Limits::server(), timeouts);
    let late = |moves: bool| {
        let mut ws = settings.open(Role::Server);
        ws.advance_time(secs(100));
        let mut seen = Vec::new();
        for _ in 0..3 {
            ws.advance_time(secs(200));
            seen.push((ws.next_deadline(), ws.state()));
            if moves {
                ws = settings.moved(ws, secs(200), secs(200));
            }
        }
        (seen, events(&mut ws))
    };
    assert_eq!(late(true), late(false));
    assert_eq!(
        late(true).1,
        [Seen::Failed(Failure::Timeout(Timeout::Idle))]
    );
}

/// HO-4: other limits hold for what comes, and what is there stays.
#[test]
fn other_limits_from_now_on() {
    let mut limits = Limits::server();
    let mut ws = Settings::new().open(Role::Client);
    let mut read = Frame::new(BINARY, [7; 500]).more().encode();
    assert!(ws.receive(&mut &mut read[..]).is_none());
    ws.send(vec![1; 5000]).unwrap();
    limits.message = 100;
    limits.output = 10;
    let settings = Settings::with(limits, Timeouts::default());
    let mut ws = settings.moved(ws, Duration::ZERO, Duration::ZERO);
    assert_eq!(*ws.limits(), limits);
    assert_eq!(ws.output_len(), 5008);
    assert!(matches!(
        ws.can_send(),
        Err(SendError::Full { limit: 10, .. })
    ));
    let mut read = Frame::new(CONTINUATION, "x").encode();
    let Some(Event::Failed(failure)) = ws.receive(&mut &mut read[..]) else {
        panic!("{ws:?}");
    };
    let (limit, value, max) = (Limit::Message, 501, 100);
    let error = ProtocolError::Limit { limit, value, max };
    assert_eq!(failure, Failure::Protocol(error));
    // What was changed for this connection alone is forgotten.
    let mut ws = Settings::new().open(Role::Server);
    ws.set_limits(Limits::trusted());
    assert_eq!(moved(ws).limits().budgets, Budgets::default());
}

/// HO-4: a head goes on up to the limit that the caller has set, however much of it has come before.
#[test]
fn a_long_head() {
    let mut limits = Limits::server();
    limits.head = 64 << 10;
    let settings = Settings::with(limits, Timeouts::default());
    let field = format!("X: {}\r\n\r\n", "y".repeat(50_000));
    let head = format!("{}{field}", REQUEST.strip_suffix("\r\n").unwrap());
    for cut in [10_000, 20_000, 50_000] {
        let (mut begin, mut rest) = (
            head[..cut].to_owned().into_bytes(),
            head[cut..].to_owned().into_bytes(),
        );
        let mut ws = Connection::server(&settings.server);
        assert!(ws.receive(&mut &mut begin[..]).is_none());
        let mut ws = settings.moved(ws, Duration::ZERO, Duration::ZERO);
        let Some(Event::Request(request)) = ws.receive(&mut &mut rest[..]) else {
            panic!("{cut} {ws:?}");
        };
        assert_eq!(request.path(), "/chat");
    }
}

/// HO-5: the source that is given is asked from then on, and nothing that was drawn goes along.
#[test]
fn fresh_randomness() {
    let old = Recorder::default();
    let mut ws = client_with(&client_config(), old.clone());
    ws.send("a").unwrap();
    let [used] = &old.draws()[..] else { panic!() };
    let state = {
        ws.consume_output(usize::MAX);
        ws.suspend(Duration::ZERO).unwrap()
    };
    assert!(!state.windows(4).any(|window| window == used));
    let resume = |entropy| {
        let config = client_config();
        let mut ws = Connection::resume(&state, &config, Some(entropy), Duration::ZERO).unwrap();
        ws.send("b").unwrap();
        ws.output().to_vec()
    };
    // Resumed twice it says the same with other keys.
    let new = Recorder::default();
    assert_ne!(resume(Box::new(new.clone())), resume(Box::new(SampleKey)));
    assert_eq!((new.draws().len(), old.draws().len()), (1, 1));
}

/// HO-6: what is no state, or not for this configuration, is told apart.
#[test]
fn what_cannot_be_resumed() {
    let settings = Settings::new();
    let state = || settings.open(Role::Server).suspend(Duration::ZERO).unwrap();
    let resume = |state: &[u8]| {
        let resumed = settings.resume(state, Role::Server, Duration::ZERO);
        resumed.map(|ws| ws.state())
    };
    assert_eq!(resume(&state()), Ok(State::Open));
    for foreign in [
        &b""[..],
        b"GET / HTTP/1.1\r\n",
        &MAGIC[..3],
        b"\x89WSR\r\n\x1a\n\x01",
    ] {
        assert_eq!(resume(foreign), Err(ResumeError::Foreign));
        assert_eq!(role_of(foreign), Err(ResumeError::Foreign));
    }
    assert_eq!(resume(b"\x89WSH\x80"), Err(ResumeError::Damaged));
    let mut newer = state();
    newer[4] = 2;
    assert_eq!(resume(&newer), Err(ResumeError::Version { version: 2 }));
    for cut in 5..state().len() {
        assert_eq!(resume(&state()[..cut]), Err(ResumeError::Damaged));
    }
    for at in 5..state().len() {
        let mut changed = state();
        changed[at] ^= 1;
        assert_eq!(resume(&changed), Err(ResumeError::Damaged));
    }
    let (server, client) = (
        state(),
        settings.open(Role::Client).suspend(secs(1)).unwrap(),
    );
    let wrong = Connection::resume(&client, &settings.server, None, secs(1)).unwrap_err();
    assert_eq!(wrong, ResumeError::Role { role: Role::Client });
    let wrong = Connection::resume(&server, &settings.client, None, secs(1)).unwrap_err();
    assert_eq!(wrong, ResumeError::Role { role: Role::Server });
    // Each says what to do about it.
    for (error, says) in [
        (ResumeError::Foreign, "not the state of a connection"),
        (
            ResumeError::Version { version: 2 },
            "a state of version 2; version 1 is known",
        ),
        (ResumeError::Damaged, "changed or cut"),
        (ResumeError::Corrupt, "no connection can be in"),
        (
            ResumeError::Role { role: Role::Server },
            "give a ServerConfig",
        ),
        (
            ResumeError::Role { role: Role::Client },
            "give a ClientConfig",
        ),
        (
            ResumeError::Extension {
                extensions: "x".into(),
            },
            "with the extensions \"x\"",
        ),
    ] {
        assert!(error.to_string().contains(says), "{error}");
    }
}

/// HO-1: input that was kept, an event that was found and not taken, each kind of it, and an answer in pieces.
#[test]
fn what_waits_for_the_application() {
    let settings = Settings::new();
    for role in ROLES {
        let stream = frames(role);
        let mut plain = settings.open(role);
        let mut read = stream.clone();
        let mut expected = Vec::new();
        let mut input = &mut read[..];
        while let Some(event) = plain.receive(&mut input) {
            expected.push(see(event));
        }
        let mut ws = settings.open(role);
        let mut read = stream.clone();
        ws.keep_input(&mut &mut read[..]);
        let mut seen = Vec::new();
        loop {
            ws = moved(ws);
            if !ws.find_event(&mut &mut [][..]) {
                break;
            }
            ws = moved(ws);
            let mut none = &mut [][..];
            seen.push(see(ws.receive(&mut none).unwrap()));
        }
        assert_eq!(seen, expected);
        assert_eq!(take_output(&mut ws), take_output(&mut plain));
    }
    // A request, and a page in pieces.
    let config = ServerConfig::new(OriginPolicy::Any).serve_http();
    let mut ws = Connection::server(&config);
    let mut read = b"GET /p?q HTTP/1.1\r\nHost: h\r\n\r\n".to_vec();
    assert!(ws.find_event(&mut &mut read[..]));
    let again = |ws: Connection| {
        let state = ws.suspend(Duration::ZERO).unwrap();
        Connection::resume(&state, &config, None, Duration::ZERO).unwrap()
    };
    let mut ws = again(ws);
    let Some(Event::Http(request)) = ws.receive(&mut &mut [][..]) else {
        panic!("{ws:?}");
    };
    assert_eq!((request.path(), request.query()), ("/p", Some("q")));
    let mut ws = again(ws);
    ws.begin_response(Response::new(200), Some(5)).unwrap();
    let mut ws = again(ws);
    ws.write_response(b"pa").unwrap();
    let mut ws = again(ws);
    ws.write_response(b"ges").unwrap();
    let mut ws = again(ws);
    ws.end_response().unwrap();
    let page = String::from_utf8(take_output(&mut ws)).unwrap();
    assert!(page.contains("\r\nContent-Length: 5\r\n") && page.ends_with("\r\n\r\npages"));
    let mut ws = again(ws);
    let Some(Event::Closed(report)) = ws.receive(&mut &mut [][..]) else {
        panic!("{ws:?}");
    };
    assert_eq!(report.answered, Some(200));
    assert!(again(ws).receive(&mut &mut [][..]).is_none());
}

/// HO-1: bytes that others share are its own then, and counted.
#[test]
fn what_was_shared() {
    let mut ws = Settings::new().open(Role::Server);
    ws.send(&Prepared::binary(&[2; 5000])).unwrap();
    assert!(ws.memory_held() < 5000);
    let ws = moved(ws);
    assert!(ws.memory_held() >= 5000);
    assert_eq!(ws.output_len(), 5004);
}
