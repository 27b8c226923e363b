//! Connections over streams that were upgraded elsewhere: another HTTP stack, HTTP/2, HTTP/3
//! (P-11, E-11, E-12).

use sansocket::config::Limits;
use sansocket::error::{AcceptError, Failure, HandshakeError};
use sansocket::handshake::{HttpVersion, Upgrade};
use sansocket::{
    Accept, ClientConfig, Connection, Negotiated, Role, ServerConfig, State, Transport,
};

use crate::support::*;

fn upgraded(role: Role, negotiated: Negotiated) -> Connection {
    match role {
        Role::Server => Connection::upgraded_server(&server_config(), negotiated),
        Role::Client => Connection::upgraded_client_with_entropy(
            &ClientConfig::new(),
            negotiated,
            Box::new(SampleKey),
        ),
    }
}

/// P-11: it starts OPEN, with what was agreed on; `Open` is the first event; what was read after the
/// handshake goes into the first read.
#[test]
fn it_starts_open() {
    for role in ROLES {
        for way in WAYS {
            let ws = upgraded(role, Negotiated::new().subprotocol("chat"));
            assert_eq!((ws.state(), ws.role()), (State::Open, role));
            assert_eq!((ws.subprotocol(), ws.extensions()), (Some("chat"), ""));
            assert_eq!(ws.output(), b"");
            assert!(ws.response().is_none());
            let mut driver = Driver::new(ws, *way);
            driver.read(&encode_for(role, &[Frame::new(TEXT, "left over")]));
            assert_eq!(
                driver.events,
                [Seen::Open, Seen::text("left over")],
                "{way:?}"
            );
        }
    }
}

/// HS-20: messages may be sent before the first event; there is no request to decide on.
#[test]
fn it_can_send_at_once() {
    for role in ROLES {
        let mut ws = upgraded(role, Negotiated::default());
        ws.send("first").unwrap();
        assert_eq!(ws.accept(Accept::new()), Err(AcceptError::NoRequest));
        assert_eq!(take_frames(&mut ws), [Frame::new(TEXT, "first")]);
        assert_eq!(receive(&mut ws, b""), [Seen::Open]);
    }
}

/// E-11, M-1, M-3: the frames are those of RFC 6455, masked by the client, over HTTP/2 too.
#[test]
fn frames_are_masked_by_the_client_alone() {
    let (mut client, mut server) = (
        upgraded(Role::Client, Negotiated::default()),
        upgraded(Role::Server, Negotiated::default()),
    );
    client.send("Hello").unwrap();
    server.send("Hello").unwrap();
    let (sent, answered) = (take_output(&mut client), take_output(&mut server));
    assert_eq!(sent, bytes("81 85 37 fa 21 3d 7f 9f 4d 51 58"));
    assert_eq!(answered, bytes("81 05 48 65 6c 6c 6f"));
    assert_eq!(
        receive(&mut server, &sent),
        [Seen::Open, Seen::text("Hello")]
    );
    assert_eq!(
        receive(&mut client, &answered),
        [Seen::Open, Seen::text("Hello")]
    );
}

/// E-12, E-13: END_STREAM or FIN is the end of the stream; a reset is a lost transport. "Close now"
/// with an incomplete closing handshake is where the stream is reset.
#[test]
fn the_ends_of_a_stream() {
    for role in ROLES {
        let mut ws = upgraded(role, Negotiated::default());
        receive_frames(&mut ws, &[Frame::new(CLOSE, "")]);
        take_output(&mut ws);
        ws.receive_eof();
        let events = receive(&mut ws, b"");
        assert!(
            matches!(&events[..], [Seen::Closed(report)] if report.clean),
            "{events:?}"
        );
        assert_eq!(ws.transport(), Transport::Close);

        let mut ws = upgraded(role, Negotiated::default());
        ws.transport_lost();
        let events = receive(&mut ws, b"");
        let Some(Seen::Closed(report)) = events.last() else {
            panic!("{events:?}")
        };
        assert_eq!((report.clean, report.code), (false, 1006));
        assert_eq!(ws.transport(), Transport::Close);
    }
}

/// The way from another HTTP/1 stack: its request judged, its answer made, the connection started.
#[test]
fn from_another_http_stack() {
    let fields = [
        ("Host", &b"server.example.com"[..]),
        ("Upgrade", b"websocket"),
        ("Connection", b"Upgrade"),
        ("Sec-WebSocket-Key", b"dGhlIHNhbXBsZSBub25jZQ=="),
        ("Sec-WebSocket-Protocol", b"chat, superchat"),
        ("Sec-WebSocket-Version", b"13"),
    ];
    let mut limits = Limits::server();
    limits.message = 4;
    let config = server_config().limits(limits);
    let upgrade = Upgrade::check(&config, "GET", "/chat", HttpVersion::Http11, fields).unwrap();
    assert_eq!(
        upgrade.subprotocols().collect::<Vec<_>>(),
        ["chat", "superchat"]
    );
    let accept = Accept::new().subprotocol("superchat");
    assert_eq!(
        (accept.chosen(), Accept::new().chosen()),
        (Some("superchat"), None)
    );
    let (response, ws) = upgrade.accept(accept.clone()).unwrap();
    assert_eq!(response.status, 101);
    // The same in two steps.
    let (again, negotiated) = upgrade.negotiate(accept).unwrap();
    assert_eq!(response, again);
    let accept = (
        "Sec-WebSocket-Accept".to_string(),
        b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=".to_vec(),
    );
    assert!(response.fields.contains(&accept));
    for mut ws in [ws, Connection::upgraded_server(&config, negotiated)] {
        assert_eq!(
            (ws.subprotocol(), ws.state()),
            (Some("superchat"), State::Open)
        );
        // The connection has the configuration of the check: a message of 5 bytes is too long for it.
        let events = receive_frames(&mut ws, &[Frame::new(TEXT, "Hello")]);
        assert!(
            matches!(events[..], [Seen::Open, Seen::Failed(_)]),
            "{events:?}"
        );
    }
}

/// Streams that were upgraded elsewhere need no word about origins; a connection that reads the request
/// itself holds to its own host with the same configuration.
#[test]
fn a_configuration_without_an_origin_policy() {
    let config = ServerConfig::upgraded();
    let ws = Connection::upgraded_server(&config, Negotiated::default());
    assert_eq!(ws.state(), State::Open);
    let mut ws = Connection::server(&config);
    let foreign = "GET / HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
        Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\
        Origin: http://elsewhere.example\r\n\r\n";
    let events = receive(&mut ws, foreign.as_bytes());
    let refused = Some(Failure::Handshake(HandshakeError::Origin));
    assert_eq!(events[0].failure(), refused, "{events:?}");
}
