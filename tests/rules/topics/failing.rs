//! Failing by the application, what a failure says to the peer, reasons that are too long.

use sansocket::config::Limits;
use sansocket::error::{CloseError, Failure, ProtocolError};
use sansocket::{ClientConfig, CloseCode, Connection, Kind, Role, ServerConfig, State, Transport};

use crate::support::*;

fn report_of(ws: &mut Connection) -> sansocket::event::CloseReport {
    match &receive(ws, b"")[..] {
        [Seen::Closed(report)] => report.clone(),
        events => panic!("{events:?}"),
    }
}

/// K-23: a Close frame goes out, nothing is delivered after the call, and the transport is closed.
#[test]
fn the_application_fails_it() {
    for role in ROLES {
        let mut ws = open(role);
        ws.send("before").unwrap();
        ws.fail(CloseCode::POLICY_VIOLATION, "enough").unwrap();
        assert_eq!(
            (ws.state(), ws.transport()),
            (State::Closing, Transport::KeepOpen)
        );
        let more = [
            Frame::new(TEXT, "a"),
            Frame::new(PING, ""),
            Frame::new(CLOSE, ""),
        ];
        assert_eq!(receive_frames(&mut ws, &more), []);
        assert_eq!(
            take_frames(&mut ws),
            [
                Frame::new(TEXT, "before"),
                Frame::new(CLOSE, b"\x03\xf0enough")
            ]
        );
        let report = report_of(&mut ws);
        assert_eq!(
            report.failure,
            Some(Failure::Application(CloseCode::POLICY_VIOLATION))
        );
        assert_eq!((report.clean, report.code), (false, 1006));
        let failure = report.failure.map(|failure| failure.to_string());
        assert_eq!(
            failure.as_deref(),
            Some("failed by this end with code 1008")
        );
        assert_eq!(ws.transport(), Transport::Close);
        // Once is enough.
        assert_eq!(ws.fail(CloseCode::POLICY_VIOLATION, "again"), Ok(()));
        assert_eq!(ws.output(), b"");
    }
}

/// K-23: what has come and was not delivered is dropped: kept input, a found event, half a message.
#[test]
fn what_has_come_is_not_delivered() {
    let bytes = encode_for(
        Role::Server,
        &[Frame::new(TEXT, "a"), Frame::new(TEXT, "b")],
    );
    let half = encode_for(Role::Server, &[Frame::new(TEXT, "a").more()]);
    for prepare in [
        (|ws, mut read| ws.keep_input(&mut read)) as fn(&mut Connection, &mut [u8]),
        |ws, mut read| assert!(ws.find_event(&mut read)),
        |ws, mut read| assert!(ws.receive(&mut read).is_some()),
    ] {
        let mut ws = open(Role::Server);
        prepare(&mut ws, &mut bytes.clone());
        ws.fail(CloseCode::GOING_AWAY, "").unwrap();
        take_output(&mut ws);
        report_of(&mut ws);
    }
    let mut ws = open(Role::Server);
    assert_eq!(receive(&mut ws, &half), []);
    ws.fail(CloseCode::GOING_AWAY, "").unwrap();
    assert_eq!(
        receive_frames(&mut ws, &[Frame::new(CONTINUATION, "b")]),
        []
    );
}

/// K-23, C-8: no second Close frame, none inside a frame, none before the connection is established, and
/// nothing once the peer has closed.
#[test]
fn where_no_close_frame_fits() {
    let code = CloseCode::INTERNAL_ERROR;
    let mut ws = open(Role::Server);
    ws.close(CloseCode::NORMAL_CLOSURE, "").unwrap();
    ws.fail(code, "late").unwrap();
    assert_eq!(ws.transport(), Transport::Close);
    assert_eq!(report_of(&mut ws).failure, Some(Failure::Application(code)));

    let mut ws = open(Role::Server);
    ws.begin_message(Kind::Binary, 2).unwrap();
    ws.fail(code, "").unwrap();
    assert_eq!(
        (ws.transport(), report_of(&mut ws).sent),
        (Transport::Close, None)
    );

    let mut ws = Connection::server(&server_config());
    ws.fail(code, "").unwrap();
    let report = report_of(&mut ws);
    assert_eq!((ws.transport(), report.failure), (Transport::Close, None));

    let mut ws = open(Role::Server);
    receive_frames(&mut ws, &[Frame::new(CLOSE, "")]);
    ws.fail(code, "").unwrap();
    assert_eq!(take_frames(&mut ws), [Frame::new(CLOSE, "")]);
    assert!(report_of(&mut ws).clean);

    // §7.4.1
    let client_code = Err(CloseError::ClientCode { code: 1010 });
    let mut ws = open(Role::Server);
    assert_eq!(ws.fail(CloseCode::MANDATORY_EXTENSION, ""), client_code);
    assert_eq!((ws.state(), ws.output()), (State::Open, &b""[..]));
    let mut ws = open(Role::Client);
    assert_eq!(ws.fail(CloseCode::MANDATORY_EXTENSION, ""), Ok(()));
}

/// K-24: a failure says why, in a reason that fits, unless it is told not to.
#[test]
fn a_failure_says_why() {
    let mut limits = Limits::server();
    limits.message = 4;
    let silent = server(&server_config().limits(limits));
    let telling = server(&ServerConfig::upgraded().limits(limits));
    for (mut ws, told) in [(silent, false), (telling, true)] {
        receive_frames(&mut ws, &[Frame::new(TEXT, "12345")]);
        let error = ProtocolError::Limit {
            limit: sansocket::error::Limit::Message,
            value: 5,
            max: 4,
        };
        let reason = if told {
            error.to_string()
        } else {
            String::new()
        };
        let body = [b"\x03\xf1", reason.as_bytes()].concat();
        assert_eq!(take_frames(&mut ws), [Frame::new(CLOSE, body)]);
        assert_eq!(report_of(&mut ws).sent.unwrap().reason(), reason);
    }
    let mut ws = client(&ClientConfig::new().silent_failures());
    receive(&mut ws, b"\x83\x00");
    assert_eq!(take_frames(&mut ws), [Frame::new(CLOSE, b"\x03\xea")]);
}

/// K-25: a reason is cut at the end of a character.
#[test]
fn reasons_are_cut() {
    for (reason, kept) in [
        ("bye".to_string(), 3),
        ("a".repeat(123), 123),
        ("a".repeat(124), 123),
        (format!("{}é", "a".repeat(121)), 123),
        (format!("{}é", "a".repeat(122)), 122),
        (format!("{}€", "a".repeat(121)), 121),
        ("🦀".repeat(40), 120),
    ] {
        for role in ROLES {
            let mut ws = open(role);
            ws.close_lossy(CloseCode::NORMAL_CLOSURE, &reason).unwrap();
            let body = [b"\x03\xe8", &reason.as_bytes()[..kept]].concat();
            assert_eq!(take_frames(&mut ws), [Frame::new(CLOSE, body.clone())]);
            let mut ws = open(role);
            ws.fail(CloseCode::NORMAL_CLOSURE, &reason).unwrap();
            assert_eq!(take_frames(&mut ws), [Frame::new(CLOSE, body)]);
        }
    }
    let mut ws = open(Role::Server);
    assert_eq!(
        ws.close_lossy(None, "why"),
        Err(CloseError::ReasonWithoutCode)
    );
    assert_eq!(ws.close_lossy(None, ""), Ok(()));
}

/// Which side has closed, before the end.
#[test]
fn who_has_closed() {
    for role in ROLES {
        let mut ws = open(role);
        assert_eq!((ws.close_sent(), ws.close_received()), (None, None));
        ws.close(CloseCode::GOING_AWAY, "bye").unwrap();
        let sent = ws.close_sent().unwrap();
        assert_eq!(
            (sent.code, sent.reason()),
            (Some(CloseCode::GOING_AWAY), "bye")
        );
        assert_eq!(ws.close_received(), None);
        receive_frames(&mut ws, &[Frame::new(CLOSE, b"\x03\xe8so long")]);
        let received = ws.close_received().unwrap();
        assert_eq!(
            (received.code, received.reason()),
            (Some(CloseCode::NORMAL_CLOSURE), "so long")
        );
    }
}
