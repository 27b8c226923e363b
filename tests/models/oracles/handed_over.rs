//! A connection that is handed over between any two operations does what it would have done without; other bytes are
//! no connection, or one that holds to every rule.

use super::{Scripted, Taker, cut, heads, judge, model, wire};
use core::time::Duration;
use sansocket::config::Limits;
use sansocket::handover::{MAGIC, ResumeError};
use sansocket::{Connection, Event, Role};

/// Arbitrary operations, on a connection that is handed over before each.
#[path = "operations.rs"]
#[allow(clippy::duplicate_mod, reason = "what it drives is another connection")]
pub mod operations;

/// What these are done to.
pub mod driven {
    use super::{Duration, cut::Setup, resumed};
    use std::cell::Cell;

    pub use sansocket::Connection as Driven;

    thread_local! {
        /// For comparison, it stays where it is.
        pub static STAYS: Cell<bool> = const { Cell::new(false) };
    }

    pub fn new(setup: &Setup, _: usize) -> Driven {
        setup.connection()
    }

    /// Another process.
    pub fn between(ws: &mut Driven, setup: &Setup, now: Duration) -> Option<usize> {
        if STAYS.get() {
            return None;
        }
        let none = Driven::server(&sansocket::ServerConfig::upgraded());
        let limits = *ws.limits();
        let old = core::mem::replace(ws, none);
        *ws = match old.suspend(now) {
            Ok(state) => resumed(&state, setup, limits, now).unwrap_or_else(|error| {
                panic!("{error}: {state:02x?}");
            }),
            Err(not) => not.connection,
        };
        Some(ws.memory_held()).filter(|held| *held as u64 > limits.memory)
    }

    pub fn ended(_: &mut Driven) {}
}

/// Goes on with these limits, and compression where it was agreed on for this connection alone.
fn resumed(
    state: &[u8],
    setup: &cut::Setup,
    limits: Limits,
    now: Duration,
) -> Result<Connection, ResumeError> {
    let (server, client) = (setup.server_config(), setup.client_config());
    let (server, client) = (server.limits(limits), client.limits(limits));
    let resume = |server: &_| match setup.role {
        Role::Server => Connection::resume(state, server, None, now),
        Role::Client => Connection::resume(state, &client, Some(Scripted::boxed()), now),
    };
    match resume(&server) {
        #[cfg(feature = "deflate")]
        Err(ResumeError::Extension { .. }) if setup.handshake => {
            use sansocket::extension::PermessageDeflate;
            resume(
                &server
                    .clone()
                    .deflate(PermessageDeflate::server().threshold(4)),
            )
        }
        resumed => resumed,
    }
}

/// The same operations with and without: the same events.
pub fn handed_over(data: &[u8]) {
    driven::STAYS.set(false);
    let (handed_over, varies) = operations::traced(data);
    driven::STAYS.set(true);
    let (plain, _) = operations::traced(data);
    driven::STAYS.set(false);
    if !varies {
        for (at, (handed_over, plain)) in handed_over.iter().zip(&plain).enumerate() {
            assert_eq!(handed_over, plain, "event {at}");
        }
        assert_eq!(handed_over.len(), plain.len());
    }
}

/// Each call at another process, whose clock begins with it, against the model.
pub fn conversation_handed_over(data: &[u8]) {
    super::conversation::converse(data, super::conversation::Real::hand_over);
}

/// A client and a server that move before each step.
pub fn pair_handed_over(data: &[u8]) {
    super::pair::talk(data, |ws, server, client, now| {
        let old = core::mem::replace(ws, Connection::server(server));
        let role = old.role();
        let resumed = match (old.suspend(now), role) {
            (Err(not), _) => Ok(not.connection),
            (Ok(state), Role::Server) => Connection::resume(&state, server, None, now),
            (Ok(state), Role::Client) => {
                Connection::resume(&state, client, Some(Scripted::boxed()), now)
            }
        };
        *ws = resumed.expect("a connection that goes on");
    });
}

/// Any bytes as a state, and states in which something was changed.
pub fn state(data: &[u8]) {
    let mut t = Taker::new(data);
    let (role, made_up) = (t.role(), t.once_in(4));
    if made_up {
        let role = u8::from(role == Role::Client);
        let state = [&MAGIC[..], &[1, role], t.rest()].concat();
        for delivery in 0..2 {
            let data = [role, 0, delivery];
            let setup = cut::Setup::draw(&mut Taker::new(&data), false);
            look_at(state.clone(), &setup, Duration::from_secs(1));
        }
        return;
    }
    let changes = t.bytes(12);
    driven::STAYS.set(false);
    let (setup, ws, now) = operations::unfinished(t.rest());
    let Ok(mut state) = ws.suspend(now) else {
        return;
    };
    // What nothing was done to goes on.
    let same = resumed(&state, &setup, Limits::client(), now);
    assert!(same.is_ok(), "{same:?}");
    state.truncate(state.len() - SEAL);
    let head = MAGIC.len() + 2;
    let mut rest = state.split_off(head);
    wire::mutate(&mut Taker::new(changes), &mut rest);
    state.extend(rest);
    look_at(state, &setup, now);
}

/// The bytes of a state but its seal, as one of either role.
pub fn looked_at(state: Vec<u8>) {
    for role in 0..2 {
        let setup = cut::Setup::draw(&mut Taker::new(&[role, 0, 0]), false);
        look_at(state.clone(), &setup, Duration::from_secs(1));
    }
}

/// The bytes without their seal, then with it.
fn look_at(mut state: Vec<u8>, setup: &cut::Setup, now: Duration) {
    let resume = |state: &[u8]| resumed(state, setup, setup.limits, now);
    assert_eq!(resume(&state).err(), Some(ResumeError::Damaged));
    seal(&mut state);
    let Ok(ws) = resume(&state) else {
        return;
    };
    let held = ws.memory_held();
    assert!(
        held <= 64 * state.len() + 8192,
        "{held} bytes of {}",
        state.len()
    );
    // What it is now is written down and read alike.
    let Ok(written) = ws.suspend(now) else {
        return;
    };
    let again = resume(&written).expect("what was written");
    assert!(again.suspend(now).is_ok_and(|again| again == written));
    assert!(written.len() <= 2 * state.len() + 64);
    let resumed = resume(&written).expect("what was written");
    use_up(resumed, setup, now);
}

/// Whatever it is, it goes on, and it ends.
fn use_up(mut ws: Connection, setup: &cut::Setup, now: Duration) {
    let mut closed = 0;
    let mut receive = |ws: &mut Connection, bytes: &[u8]| {
        let mut bytes = bytes.to_vec();
        let mut input = &mut bytes[..];
        while let Some(event) = ws.receive(&mut input) {
            assert_eq!(closed, 0, "{event:?} after Closed");
            closed += usize::from(matches!(event, Event::Closed(_)));
            look_into(&event);
        }
        assert!(input.is_empty());
    };
    if let Some(response) = ws.response() {
        assert_eq!(response.status(), 101);
        let _ = (response.reason(), response.headers().count());
    }
    let _ = (format!("{ws:?}"), ws.failed_head(), ws.next_deadline());
    ws.advance_time(now);
    let mut frames = Vec::new();
    for _ in 0..3 {
        wire::item(&mut Taker::new(b"\x07ping"), setup.role.peer(), &mut frames);
    }
    receive(&mut ws, &frames[..frames.len() / 2]);
    let _ = (ws.send("Hello"), ws.ping(b"there"), ws.write_message(b"x"));
    ws.consume_output(ws.output().len() / 2);
    receive(&mut ws, &frames[frames.len() / 2..]);
    let _ = (ws.end_response(), ws.take_buffer());
    ws.park();
    for second in 0..8 {
        ws.advance_time(now + Duration::from_secs(second * 1000));
        receive(&mut ws, b"");
        ws.consume_output(1 << second);
    }
    let _ = ws.close(None, "");
    ws.receive_eof();
    receive(&mut ws, b"");
    ws.consume_output(usize::MAX);
    ws.transport_lost();
    receive(&mut ws, b"");
    assert_eq!(ws.output_len(), 0);
}

/// All that an event says.
fn look_into(event: &Event<'_>) {
    match event {
        Event::Request(request) | Event::Http(request) => {
            let _ = (request.path(), request.query(), request.resource_name());
            let _ = (request.method(), request.authority(), request.version());
            let _ = (request.subprotocols().count(), request.extensions().count());
        }
        Event::Refused(refusal) => _ = (refusal.versions().count(), refusal.header("x")),
        Event::Failed(failure) => _ = (failure.to_string(), failure.close_code()),
        Event::Closed(report) => _ = report.to_string(),
        event => _ = format!("{event:?}"),
    }
}

/// The checksum of a state, as that of a recording.
fn seal(state: &mut Vec<u8>) {
    let seal = wire::seal(state);
    state.extend_from_slice(&seal.to_le_bytes());
}

/// Bytes of the seal.
const SEAL: usize = 8;
