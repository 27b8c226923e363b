//! Every pair of state and input (the table in the documentation of `Connection`), both roles.

use std::collections::BTreeMap;
use std::time::Duration;

use sansocket::ClientConfig;
use sansocket::config::Timeouts;
use sansocket::error::SendError;
use sansocket::{Accept, ClientRequest, CloseCode, Connection, Kind, Part, Response, Role, Uri};

use crate::support::*;

const REQUEST: &[u8] =
    b"GET / HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";

/// For the nonce of the sample key's bytes, four times.
const ANSWER: &[u8] = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\
    Connection: Upgrade\r\nSec-WebSocket-Accept: @\r\n\r\n";

const SITUATIONS: [&str; 13] = [
    "initial",
    "connecting",
    "deciding",
    "open",
    "closing-ours",
    "closing-ours-sent",
    "closing-theirs",
    "closing-failed",
    "refused",
    "responding",
    "write-lost",
    "closed",
    "lost",
];

/// A connection in one of the situations; at 100 s, pings after 20 s, close timeout 5 s.
fn connection(role: Role, situation: &str) -> Option<Connection> {
    let mut timeouts = Timeouts::default();
    timeouts.ping = Some(Duration::from_secs(20));
    let server_config = server_config().timeouts(timeouts);
    let client_config = ClientConfig::new().timeouts(timeouts);
    let mut ws = match (role, situation) {
        (Role::Server, "initial" | "deciding" | "refused" | "responding") => {
            Connection::server(&server_config)
        }
        (Role::Client, "initial" | "connecting") => {
            let request = ClientRequest::new(Uri::parse("ws://h/").unwrap());
            Connection::client_with_entropy(&client_config, request, Box::new(SampleKey)).unwrap()
        }
        (_, "connecting" | "deciding" | "refused" | "responding") => return None,
        (Role::Server, _) => server(&server_config),
        (Role::Client, _) => client(&client_config),
    };
    ws.advance_time(Duration::from_secs(100));
    match situation {
        "connecting" => ws.consume_output(1),
        "deciding" => assert_eq!(receive(&mut ws, REQUEST).len(), 1),
        "refused" => {
            receive(&mut ws, REQUEST);
            ws.respond(Response::new(404)).unwrap();
        }
        "responding" => {
            receive(&mut ws, REQUEST);
            ws.begin_response(Response::new(404), None).unwrap();
        }
        "closing-ours" => ws.close(None, "").unwrap(),
        "closing-ours-sent" => {
            ws.close(None, "").unwrap();
            take_output(&mut ws);
        }
        "closing-theirs" => {
            receive_frames(&mut ws, &[Frame::new(CLOSE, "")]);
        }
        "closing-failed" => {
            receive(&mut ws, &[0x83]);
        }
        "write-lost" => ws.write_lost(),
        "closed" => {
            ws.receive_eof();
            receive(&mut ws, b"");
        }
        "lost" => {
            ws.transport_lost();
            receive(&mut ws, b"");
        }
        _ => {}
    }
    Some(ws)
}

fn answer() -> Vec<u8> {
    // The accept value of the sample key's nonce, from a server of ours.
    let request = ClientRequest::new(Uri::parse("ws://h/").unwrap());
    let mut client =
        Connection::client_with_entropy(&ClientConfig::new(), request, Box::new(SampleKey))
            .unwrap();
    let mut server = Connection::server(&server_config());
    receive(&mut server, &take_output(&mut client));
    server.accept(Accept::new()).unwrap();
    let output = String::from_utf8(take_output(&mut server)).unwrap();
    let value = output
        .split("Accept: ")
        .nth(1)
        .unwrap()
        .lines()
        .next()
        .unwrap();
    String::from_utf8(ANSWER.to_vec())
        .unwrap()
        .replace('@', value)
        .into_bytes()
}

/// An error by its name.
fn named<E: std::fmt::Debug>(result: Result<(), E>) -> Result<(), String> {
    result.map_err(|error| format!("{error:?}"))
}

/// Does it, and says what came of it: the result, the events, the state, and what the output did.
fn apply(ws: &mut Connection, input: &str) -> String {
    let role = ws.role();
    let before = peek_output(ws);
    let facts = |ws: &Connection| (ws.buffered_amount(), ws.memory_held(), ws.transport());
    let facts_before = facts(ws);
    let mut events = Vec::new();
    let result: Result<(), String> = match input {
        "handshake" => {
            let bytes = if role == Role::Server {
                REQUEST.to_vec()
            } else {
                answer()
            };
            events = receive(ws, &bytes);
            Ok(())
        }
        "message" => {
            events = receive_frames(ws, &[Frame::new(TEXT, "a")]);
            Ok(())
        }
        "ping-frame" => {
            events = receive_frames(ws, &[Frame::new(PING, "")]);
            Ok(())
        }
        "close-frame" => {
            events = receive_frames(ws, &[Frame::new(CLOSE, [3, 0xe8])]);
            Ok(())
        }
        "bad-frame" => {
            events = receive(ws, &[0x83, 0]);
            Ok(())
        }
        "eof" => {
            ws.receive_eof();
            Ok(())
        }
        "write_lost" => {
            ws.write_lost();
            Ok(())
        }
        "lost" => {
            ws.transport_lost();
            Ok(())
        }
        "late" => {
            // Past the handshake, ping and close deadlines, before that of the pong.
            pass(ws, Duration::from_secs(121));
            Ok(())
        }
        "accept" => named(ws.accept(Accept::new())),
        "respond" => named(ws.respond(Response::new(404))),
        "begin_response" => named(ws.begin_response(Response::new(404), None)),
        "write_response" => named(ws.write_response(b"a")),
        "end_response" => named(ws.end_response()),
        "send" => named(ws.send("a").map_err(SendError::from)),
        "send_part" => named(ws.send_part(Part::text(b"a"))),
        "begin_message" => named(ws.begin_message(Kind::Text, 2)),
        "write_message" => named(ws.write_message(b"a")),
        "ping" => named(ws.ping(b"")),
        "pong" => named(ws.pong(b"")),
        "close" => named(ws.close(Some(CloseCode::NORMAL_CLOSURE), "")),
        "stream_message" => {
            ws.stream_message();
            Ok(())
        }
        "receive_target_filled" => {
            assert!(ws.receive_target().is_none());
            ws.receive_target_filled(1);
            Ok(())
        }
        "drain" => {
            take_output(ws);
            Ok(())
        }
        _ => panic!("{input}"),
    };
    if result.is_err() {
        assert_eq!(
            facts(ws),
            facts_before,
            "refused, but {input} changed something"
        );
    }
    let after = peek_output(ws);
    let output = match () {
        () if after == before => "=",
        () if after.starts_with(&before) => "+",
        () if after.is_empty() => "0",
        () => "?",
    };
    events.extend(receive(ws, b""));
    let names: Vec<_> = events
        .iter()
        .map(|event| {
            let name = format!("{event:?}");
            name[..name
                .find(|c: char| !c.is_alphabetic())
                .unwrap_or(name.len())]
                .to_string()
        })
        .collect();
    let result = match result {
        Ok(()) => "ok".into(),
        Err(why) => why,
    };
    format!("{result} [{}] {:?} {output}", names.join(" "), ws.state())
}

/// TX-1, C-13, K-2, K-9, W-1, W-8, W-10: `tests/models/data/states.txt`, every pair once.
#[test]
fn every_state_and_input() {
    let mut expected = BTreeMap::new();
    let mut situation = "";
    let table = include_str!("../../models/data/states.txt");
    for line in table.lines().filter(|line| !line.starts_with('#')) {
        match line.split_once(" → ") {
            Some((inputs, outcome)) => {
                for input in inputs.split_whitespace() {
                    let twice = expected.insert(format!("{situation}: {input}"), outcome);
                    assert_eq!(twice, None, "{line}");
                }
            }
            None => situation = line,
        }
    }
    for role in ROLES {
        for situation in SITUATIONS {
            for input in INPUTS {
                if let Some(mut ws) = connection(role, situation) {
                    let name = if role == Role::Server {
                        "server"
                    } else {
                        "client"
                    };
                    let pair = format!("{name} {situation}: {input}");
                    let outcome = apply(&mut ws, input);
                    assert_eq!(expected.remove(&pair), Some(&*outcome), "{pair}");
                }
            }
        }
    }
    assert_eq!(expected, BTreeMap::new(), "all of the table was run");
}

const INPUTS: [&str; 24] = [
    "handshake",
    "message",
    "ping-frame",
    "close-frame",
    "bad-frame",
    "eof",
    "write_lost",
    "lost",
    "late",
    "accept",
    "respond",
    "begin_response",
    "write_response",
    "end_response",
    "send",
    "send_part",
    "begin_message",
    "write_message",
    "ping",
    "pong",
    "close",
    "stream_message",
    "receive_target_filled",
    "drain",
];
