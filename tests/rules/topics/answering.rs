//! What a configuration, or the application, makes otherwise: the answer to Close, frames without a mask, the
//! head of the answer, limits after the opening, subprotocols by the server's order.

use std::time::Duration;

use sansocket::config::Limits;
use sansocket::error::{Failure, ProtocolError, SendError};
use sansocket::handshake::{HttpVersion, Upgrade};
use sansocket::{
    Accept, ClientConfig, CloseCode, Connection, Kind, Part, Role, ServerConfig, State, Transport,
};

use crate::support::*;

fn both(
    server_config: impl Fn(ServerConfig) -> ServerConfig,
    client_config: impl Fn(ClientConfig) -> ClientConfig,
) -> [Connection; 2] {
    [
        server(&server_config(self::server_config())),
        client(&client_config(ClientConfig::new())),
    ]
}

/// C-17: the application answers, with another code, after it has finished its message.
#[test]
fn the_application_answers_a_close_frame() {
    for mut ws in both(
        |config| config.manual_close(),
        |config| config.manual_close(),
    ) {
        ws.send_part(Part::text(b"be")).unwrap();
        let events = receive_frames(
            &mut ws,
            &[Frame::new(CLOSE, b"\x03\xe8bye"), Frame::new(TEXT, "a")],
        );
        assert!(matches!(&events[..], [Seen::Close(_, _)]), "{events:?}");
        assert_eq!(
            (ws.state(), ws.transport()),
            (State::Closing, Transport::KeepOpen)
        );
        assert!(ws.close_received().is_some() && ws.close_sent().is_none());
        // No new message, but the end of this one.
        assert_eq!(ws.send("new").unwrap_err().why, SendError::Closing);
        assert_eq!(ws.begin_message(Kind::Text, 1), Err(SendError::Closing));
        ws.send_part(Part::text(b"gun").last()).unwrap();
        assert_eq!(ws.send_part(Part::text(b"new")), Err(SendError::Closing));
        ws.close(CloseCode::GOING_AWAY, "done").unwrap();
        let expected = [
            Frame::new(TEXT, "be").more(),
            Frame::new(CONTINUATION, "gun"),
            Frame::new(CLOSE, b"\x03\xe9done"),
        ];
        assert_eq!(take_frames(&mut ws), expected);
        ws.receive_eof();
        let events = receive(&mut ws, b"");
        assert!(
            matches!(&events[..], [Seen::Closed(report)] if report.clean && report.code == 1000)
        );
    }
}

/// C-17: within the close timeout, and not after the end of the stream.
#[test]
fn an_answer_that_does_not_come() {
    for mut ws in both(
        |config| config.manual_close(),
        |config| config.manual_close(),
    ) {
        ws.advance_time(Duration::ZERO);
        receive_frames(&mut ws, &[Frame::new(CLOSE, "")]);
        assert_eq!(ws.output(), b"");
        ws.advance_time(Duration::from_secs(6));
        receive(&mut ws, b"");
        ws.advance_time(Duration::from_secs(7));
        let events = receive(&mut ws, b"");
        assert_eq!(
            (ws.state(), ws.transport()),
            (State::Closed, Transport::Close),
            "{events:?}"
        );
    }
    for mut ws in both(
        |config| config.manual_close(),
        |config| config.manual_close(),
    ) {
        receive_frames(&mut ws, &[Frame::new(CLOSE, "")]);
        ws.receive_eof();
        let events = receive(&mut ws, b"");
        assert!(
            matches!(&events[..], [Seen::Closed(report)] if !report.clean),
            "{events:?}"
        );
        ws.close(None, "").unwrap();
        assert_eq!(ws.output(), b"");
    }
}

/// C-18: the reason comes back where that is set.
#[test]
fn an_answer_with_the_reason() {
    for mut ws in both(
        |config| config.echo_close_reason(),
        |config| config.echo_close_reason(),
    ) {
        receive_frames(&mut ws, &[Frame::new(CLOSE, b"\x03\xe8bye")]);
        assert_eq!(take_frames(&mut ws), [Frame::new(CLOSE, b"\x03\xe8bye")]);
    }
}

/// M-9: frames without a mask are taken where that is set, beside those with one, and by a server alone.
#[test]
fn frames_without_a_mask() {
    for way in WAYS {
        let ws = server(&server_config().accept_unmasked());
        let mut driver = Driver::new(ws, *way);
        let mut bytes = Vec::new();
        for frame in [
            Frame::new(TEXT, "a"),
            Frame::new(TEXT, "b").masked([1, 2, 3, 4]),
            Frame::new(TEXT, "c").more(),
            Frame::new(PING, "x"),
            Frame::new(CONTINUATION, "d").masked([1, 2, 3, 4]),
        ] {
            bytes.extend(frame.encode());
        }
        driver.read(&bytes);
        let expected = [
            Seen::text("a"),
            Seen::text("b"),
            Seen::ping("x"),
            Seen::text("cd"),
        ];
        assert_eq!(driver.events, expected, "{way:?}");
    }
    let mut ws = open(Role::Server);
    let events = receive(&mut ws, &Frame::new(TEXT, "a").encode());
    let failure = Failure::Protocol(ProtocolError::UnmaskedFrame);
    assert_eq!(events[0].failure(), Some(failure));
}

/// M-9: from the next frame on, and no longer.
#[test]
fn frames_without_a_mask_from_now_on() {
    let mut ws = open(Role::Server);
    ws.accept_unmasked(true);
    let events = receive(&mut ws, &Frame::new(TEXT, "a").encode());
    assert_eq!(events, [Seen::text("a")]);
    ws.accept_unmasked(false);
    let events = receive(&mut ws, &Frame::new(TEXT, "a").encode());
    let failure = Failure::Protocol(ProtocolError::UnmaskedFrame);
    assert_eq!(events[0].failure(), Some(failure));
}

/// HS-29: the first of the server's list that the client offers.
#[test]
fn subprotocols_by_the_servers_order() {
    let chosen = |offered: &'static str, accept: Accept| {
        let fields = [
            ("Host", &b"h"[..]),
            ("Upgrade", b"websocket"),
            ("Connection", b"Upgrade"),
            ("Sec-WebSocket-Key", b"dGhlIHNhbXBsZSBub25jZQ=="),
            ("Sec-WebSocket-Version", b"13"),
            ("Sec-WebSocket-Protocol", offered.as_bytes()),
        ];
        let upgrade = Upgrade::check(&server_config(), "GET", "/", HttpVersion::Http11, fields);
        let (_, ws) = upgrade.unwrap().accept(accept).unwrap();
        ws.subprotocol().map(String::from)
    };
    let prefer = |list: &[&str]| Accept::new().prefer(list.iter().copied());
    assert_eq!(chosen("a, b", prefer(&["b", "a"])).as_deref(), Some("b"));
    assert_eq!(chosen("a, b", prefer(&["c", "a"])).as_deref(), Some("a"));
    // Byte for byte.
    assert_eq!(chosen("a, b", prefer(&["B", "ab", ""])), None);
    assert_eq!(chosen("a, b", prefer(&[])), None);
    // What was chosen by name goes first.
    assert_eq!(
        chosen("a, b", prefer(&["b"]).subprotocol("a")).as_deref(),
        Some("a")
    );
}

/// Limits that were set after the opening hold from then on.
#[test]
fn limits_after_the_opening() {
    for role in ROLES {
        let mut ws = open(role);
        let mut limits = *ws.limits();
        limits.message = 4;
        limits.output = 1;
        ws.set_limits(limits);
        assert_eq!(
            receive_frames(&mut ws, &[Frame::new(TEXT, "1234")]),
            [Seen::text("1234")]
        );
        ws.send("a").unwrap();
        assert!(matches!(
            ws.send("b").unwrap_err().why,
            SendError::Full { limit: 1, .. }
        ));
        assert_eq!(ws.limits().message, 4);
        // In the middle of a message, too.
        receive_frames(&mut ws, &[Frame::new(TEXT, "12").more()]);
        limits.message = 6;
        limits.output = 1 << 20;
        ws.set_limits(limits);
        let events = receive_frames(&mut ws, &[Frame::new(CONTINUATION, "3456")]);
        assert_eq!(events, [Seen::text("123456")]);
        ws.send("b").unwrap();
        let events = receive_frames(&mut ws, &[Frame::new(TEXT, "1234567")]);
        assert!(events[0].failure().is_some(), "{events:?}");
    }
    // Others that share the configuration keep theirs: one that was made, and the defaults.
    let config = server_config().limits(Limits::server());
    let (default_server, default_client) = (ServerConfig::upgraded(), ClientConfig::new());
    for (mut one, other, limits) in [
        (server(&config), server(&config), Limits::server()),
        (
            server(&default_server),
            server(&default_server),
            Limits::server(),
        ),
        (
            client(&default_client),
            client(&default_client),
            Limits::client(),
        ),
    ] {
        assert_eq!(*one.limits(), limits);
        one.set_limits(Limits::trusted());
        assert_eq!(*one.limits(), Limits::trusted());
        assert_eq!(*other.limits(), limits);
    }
}
