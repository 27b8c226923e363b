//! Whole connections that use an extension of somebody else's.
#![allow(clippy::unwrap_used, clippy::panic, reason = "these are tests")]

use permessage_zstd::PermessageZstd;
use proptest::prelude::*;
use sansocket::config::{Delivery, Limits};
use sansocket::error::Failure;
use sansocket::error::{HandshakeError, Limit, ProtocolError};
use sansocket::extension::Compress;
use sansocket::extension::{Extension, Extensions, MessageExtension, PermessageDeflate};
use sansocket::{
    Accept, ClientConfig, ClientRequest, Connection, Event, Kind, Message, Negotiated,
    OriginPolicy, Part, Prepared, Role, ServerConfig, Uri,
};

const ROLES: [Role; 2] = [Role::Client, Role::Server];
const ANSWER: &str = "permessage-zstd; max_window_log=20";

/// What is seen of an event.
#[derive(Debug, Clone, PartialEq)]
enum Seen {
    Open,
    Message(Kind, Vec<u8>),
    Chunk(Kind, Vec<u8>, bool),
    Failed(Failure),
    Other,
}

fn see(event: Event<'_>) -> Seen {
    match event {
        Event::Open => Seen::Open,
        Event::Message(Message::Text(text)) => Seen::Message(Kind::Text, text.as_bytes().to_vec()),
        Event::Message(Message::Binary(bytes)) => Seen::Message(Kind::Binary, bytes.to_vec()),
        Event::Chunk(chunk) => Seen::Chunk(chunk.kind, chunk.payload.to_vec(), chunk.last),
        Event::Failed(failure) => Seen::Failed(failure),
        _ => Seen::Other,
    }
}

fn receive(ws: &mut Connection, bytes: &[u8]) -> Vec<Seen> {
    let mut bytes = bytes.to_vec();
    let mut input = &mut bytes[..];
    std::iter::from_fn(|| ws.receive(&mut input).map(see)).collect()
}

fn take_output(ws: &mut Connection) -> Vec<u8> {
    let mut all = vec![];
    while !ws.output().is_empty() {
        all.extend(ws.output());
        ws.consume_output(ws.output().len());
    }
    all
}

/// An open end of a connection that agreed on the extension.
fn open_with(role: Role, zstd: PermessageZstd, limits: Limits, delivery: Delivery) -> Connection {
    let agreed = Negotiated::new().extensions(ANSWER);
    let mut ws = match role {
        Role::Server => {
            let config = ServerConfig::new(OriginPolicy::Application).extension(zstd);
            Connection::upgraded_server(&config.limits(limits).delivery(delivery), agreed)
        }
        Role::Client => {
            let config = ClientConfig::new().extension(zstd);
            Connection::upgraded_client(&config.limits(limits).delivery(delivery), agreed)
        }
    };
    assert_eq!(receive(&mut ws, &[]), [Seen::Open]);
    ws
}

fn open(role: Role) -> Connection {
    open_with(
        role,
        PermessageZstd::default(),
        Limits::server(),
        Delivery::Whole,
    )
}

fn pair(role: Role) -> (Connection, Connection) {
    match role {
        Role::Client => (open(Role::Client), open(Role::Server)),
        Role::Server => (open(Role::Server), open(Role::Client)),
    }
}

fn other(role: Role) -> Role {
    match role {
        Role::Client => Role::Server,
        Role::Server => Role::Client,
    }
}

fn words(len: usize) -> Vec<u8> {
    b"the same words again and again, "
        .iter()
        .copied()
        .cycle()
        .take(len)
        .collect()
}

/// A frame of that payload, by this role.
fn frame(role: Role, first: u8, payload: &[u8]) -> Vec<u8> {
    let mask = if role == Role::Client { 0x80 } else { 0 };
    let mut bytes = vec![first];
    match u16::try_from(payload.len()) {
        Ok(len @ ..=125) => bytes.push(mask | len as u8),
        Ok(len) => {
            bytes.push(mask | 126);
            bytes.extend(len.to_be_bytes());
        }
        Err(_) => {
            bytes.push(mask | 127);
            bytes.extend((payload.len() as u64).to_be_bytes());
        }
    }
    if mask != 0 {
        bytes.extend([0; 4]);
    }
    bytes.extend(payload);
    bytes
}

fn encoded(message: &[u8]) -> Vec<u8> {
    let mut elements = Extensions::parse([ANSWER.as_bytes()]).unwrap();
    let answer: Extension<'_> = elements.next().unwrap();
    let mut codec = PermessageZstd::default()
        .codec(Role::Server, &answer)
        .unwrap();
    let mut out = vec![];
    codec.encode(message, true, &mut out).unwrap();
    out
}

#[test]
fn text_and_binary() {
    for role in ROLES {
        let (mut from, mut to) = pair(role);
        for len in [0, 1, 63, 64, 1000, 100_000] {
            let bytes = words(len);
            from.send(std::str::from_utf8(&bytes).unwrap()).unwrap();
            from.send(&bytes[..]).unwrap();
            from.send(bytes.clone()).unwrap();
            assert_eq!(from.buffered_amount(), 3 * len as u64);
            let output = take_output(&mut from);
            assert_eq!(
                output[0] & 0x40 != 0,
                len >= 64,
                "RSV1 marks what is compressed"
            );
            assert!(len < 1000 || output.len() < len, "{len}");
            let [text, binary] =
                [Kind::Text, Kind::Binary].map(|kind| Seen::Message(kind, bytes.clone()));
            assert_eq!(receive(&mut to, &output), [text, binary.clone(), binary]);
            assert_eq!((from.buffered_amount(), from.output_len()), (0, 0));
        }
    }
}

#[test]
fn parts_and_fragments() {
    for role in ROLES {
        let (mut from, mut to) = pair(role);
        let bytes = words(5000);
        let parts = bytes.chunks(1234);
        for (i, part) in parts.clone().enumerate() {
            from.send_part(Part::text(part).last_if(i + 1 == parts.len()))
                .unwrap();
        }
        let output = take_output(&mut from);
        assert_eq!(output[0], 0x41);
        assert_eq!(
            receive(&mut to, &output),
            [Seen::Message(Kind::Text, bytes.clone())]
        );
        // An empty last part ends it too, and what is not to be compressed is not.
        from.send_part(Part::binary(b"a").compress(Compress::Always))
            .unwrap();
        from.send_part(Part::binary(b"").last()).unwrap();
        from.send_with(&bytes[..], Compress::Never).unwrap();
        let output = take_output(&mut from);
        assert!(output.len() > 5000);
        let expected = [b"a".to_vec(), bytes].map(|bytes| Seen::Message(Kind::Binary, bytes));
        assert_eq!(receive(&mut to, &output), expected);
    }
    // Automatic fragments: several frames, one message, the bit on the first.
    let config = ServerConfig::new(OriginPolicy::Application).fragment(10);
    let agreed = Negotiated::new().extensions(ANSWER);
    let mut from =
        Connection::upgraded_server(&config.extension(PermessageZstd::default()), agreed);
    from.send_with(
        "a message that takes more than one frame of ten bytes",
        Compress::Alone,
    )
    .unwrap();
    let output = take_output(&mut from);
    assert_eq!((output[0], output[1], output[12]), (0x41, 10, 0x00));
    let seen = receive(&mut open(Role::Client), &output);
    assert!(
        matches!(&seen[..], [Seen::Message(Kind::Text, text)] if text.len() == 53),
        "{seen:?}"
    );
}

/// Limits are passed while it unpacks: a bomb is never in memory, in every delivery.
#[test]
fn a_bomb() {
    let bomb = encoded(&vec![0; 50 << 20]);
    assert!(bomb.len() < 10_000, "{}", bomb.len());
    for role in ROLES {
        for kind in [0xc1, 0xc2] {
            for delivery in [Delivery::Whole, Delivery::Chunks] {
                let bytes = frame(other(role), kind, &bomb);
                let mut limits = Limits::server();
                limits.message = 100_000;
                let zstd = PermessageZstd::default();
                let mut ws = open_with(role, zstd.clone(), limits, delivery);
                let seen = receive(&mut ws, &bytes);
                let Some(Seen::Failed(Failure::Protocol(error))) = seen.last() else {
                    panic!("{seen:?}")
                };
                let ProtocolError::Limit {
                    limit: Limit::Message,
                    value,
                    max: 100_000,
                } = *error
                else {
                    panic!("{error:?}")
                };
                assert!(value > 100_000 && value <= 100_001 + (16 << 10), "{value}");
                assert!(ws.memory_held() < 300_000, "{}", ws.memory_held());

                let zstd = PermessageZstd { ratio: 50, ..zstd };
                let mut ws = open_with(role, zstd, Limits::trusted(), delivery);
                let seen = receive(&mut ws, &bytes);
                let error = ProtocolError::CompressionRatio { max: 50 };
                assert_eq!(seen.last(), Some(&Seen::Failed(error.into())));
            }
        }
    }
}

/// What is not a frame of Zstandard, what is cut off, and what has something after it.
#[test]
fn corrupt() {
    let good = encoded(&words(1000));
    let cut = &good[..good.len() - 1];
    let long = [&good[..], b"x"].concat();
    let twice = [&good[..], &good].concat();
    for role in ROLES {
        for bad in [b"", &b"not zstd"[..], cut, &long, &twice] {
            for first in [0xc1, 0xc2] {
                let mut ws = open(role);
                let seen = receive(&mut ws, &frame(other(role), first, bad));
                assert_eq!(
                    seen[0],
                    Seen::Failed(ProtocolError::CompressedData.into()),
                    "{bad:?}"
                );
                assert_eq!(ws.output()[2..4].len(), 2);
            }
        }
        // UTF-8 is checked after decoding.
        let mut ws = open(role);
        let seen = receive(&mut ws, &frame(other(role), 0xc1, &encoded(b"\xff")));
        assert_eq!(
            seen[0],
            Seen::Failed(ProtocolError::TextNotUtf8 { at: 0, cut: false }.into())
        );
    }
}

/// The opening handshake of both ends; the server takes what it prefers of what the client offers.
#[test]
fn agreed_on() {
    let shake = |server: ServerConfig, client: ClientConfig, accept: Accept, own: &str| {
        let mut request = ClientRequest::new(Uri::parse("ws://h/").unwrap());
        if !own.is_empty() {
            request = request.extension(own, 4).unwrap();
        }
        let mut client = Connection::client(&client, request).unwrap();
        let mut server = Connection::server(&server);
        receive(&mut server, &take_output(&mut client));
        server.accept(accept).unwrap();
        assert_eq!(
            receive(&mut client, &take_output(&mut server))[0],
            Seen::Open
        );
        assert_eq!(receive(&mut server, b"")[0], Seen::Open);
        assert_eq!(server.extensions(), client.extensions());
        for role in ROLES {
            let (from, to) = match role {
                Role::Client => (&mut client, &mut server),
                Role::Server => (&mut server, &mut client),
            };
            from.send(&words(1000)).unwrap();
            let seen = receive(to, &take_output(from));
            assert_eq!(seen, [Seen::Message(Kind::Binary, words(1000))]);
        }
        client.extensions().to_owned()
    };
    let server = || ServerConfig::new(OriginPolicy::SameHost);
    let small = || PermessageZstd {
        max_window_log: 15,
        ..PermessageZstd::default()
    };
    let zstd = PermessageZstd::default;
    let deflate = PermessageDeflate::client;
    let accept = Accept::new;
    let both = server().extension(zstd()).deflate(deflate());
    let client = ClientConfig::new().extension(zstd());
    let agreed = shake(both.clone(), client.clone(), accept(), "");
    assert_eq!(agreed, ANSWER);
    let agreed = shake(
        both.clone(),
        ClientConfig::new().extension(small()),
        accept(),
        "",
    );
    assert_eq!(agreed, "permessage-zstd; max_window_log=15");
    let agreed = shake(
        both.clone(),
        client.clone().deflate(deflate()),
        accept(),
        "",
    );
    assert_eq!(agreed, ANSWER);
    let agreed = shake(both, ClientConfig::new().deflate(deflate()), accept(), "");
    assert_eq!(agreed, "permessage-deflate");
    let agreed = shake(
        server().deflate(deflate()),
        client.clone().deflate(deflate()),
        accept(),
        "",
    );
    assert_eq!(agreed, "permessage-deflate");
    assert_eq!(shake(server(), client.clone(), accept(), ""), "");
    // Two extensions never share a bit (RFC 7692 §5).
    let own = accept().extension("x-own", 4).unwrap();
    assert_eq!(
        shake(server().extension(zstd()), client, own, "x-own"),
        "x-own"
    );
}

/// Parameters that were not offered, and none at all where it is needed (RFC 6455 §7.4.1).
#[test]
fn not_agreed_on() {
    let connecting = |config: &ClientConfig| {
        let request = ClientRequest::new(Uri::parse("ws://h/").unwrap());
        let mut client = Connection::client(config, request).unwrap();
        let mut server = Connection::server(&ServerConfig::new(OriginPolicy::SameHost));
        receive(&mut server, &take_output(&mut client));
        server.accept(Accept::new()).unwrap();
        (client, take_output(&mut server))
    };
    let config = ClientConfig::new().extension(PermessageZstd::default());
    for bad in [
        "; max_window_log=21",
        "; max_window_log",
        "; max_window_log=9",
        "; other=1",
        "",
    ] {
        let (mut client, answer) = connecting(&config);
        let fields = format!("\r\nSec-WebSocket-Extensions: permessage-zstd{bad}\r\n\r\n");
        let answer = [&answer[..answer.len() - 4], fields.as_bytes()].concat();
        let error = HandshakeError::ExtensionParameters;
        assert_eq!(
            receive(&mut client, &answer)[0],
            Seen::Failed(error.into()),
            "{bad}"
        );
    }
    let (mut client, answer) = connecting(&config.require_extension());
    let error = ProtocolError::ExtensionMissing;
    assert_eq!(
        receive(&mut client, &answer)[..2],
        [Seen::Open, Seen::Failed(error.into())]
    );
    let mut output = take_output(&mut client);
    let key = [output[2], output[3], output[4], output[5]];
    output.drain(..6);
    output
        .iter_mut()
        .zip(key.iter().cycle())
        .for_each(|(byte, key)| *byte ^= key);
    assert_eq!(output, b"\x03\xf2permessage-zstd");
}

/// A prepared message goes out compressed by each connection; idle ones give their memory back.
#[test]
fn prepared_and_parked() {
    for role in ROLES {
        let (mut from, mut to) = pair(role);
        let bytes = words(1000);
        let prepared = Prepared::binary(&bytes).with_deflate(6, &[15]);
        for _ in 0..3 {
            from.send(&prepared).unwrap();
            let output = take_output(&mut from);
            assert_eq!((output[0], output.len() < 200), (0xc2, true));
            assert_eq!(
                receive(&mut to, &output),
                [Seen::Message(Kind::Binary, bytes.clone())]
            );
            from.park();
            to.park();
        }
    }
}

/// Where frames and reads are cut makes no difference, in any delivery.
fn at_every_cut(
    messages: &[(bool, Vec<u8>)],
    part: usize,
    cuts: &[usize],
    role: Role,
    delivery: Delivery,
) {
    let mut from = open(role);
    let limits = Limits::server();
    let mut to = open_with(other(role), PermessageZstd::default(), limits, delivery);
    let mut expected = vec![];
    for (text, content) in messages {
        let (kind, content) = match text {
            true => (
                Kind::Text,
                String::from_utf8_lossy(content).into_owned().into_bytes(),
            ),
            false => (Kind::Binary, content.clone()),
        };
        let mut parts = content.chunks(part).peekable();
        if parts.peek().is_none() {
            from.send_part(Part::new(kind, b"").last()).unwrap();
        }
        while let Some(bytes) = parts.next() {
            let part = Part::new(kind, bytes).last_if(parts.peek().is_none());
            from.send_part(part.compress(Compress::Always)).unwrap();
        }
        expected.push((kind, content));
    }
    let output = take_output(&mut from);
    let mut rest = &output[..];
    let mut seen = vec![];
    for cut in cuts.iter().cycle() {
        let (now, later) = rest.split_at((cut + 1).min(rest.len()));
        seen.extend(receive(&mut to, now));
        rest = later;
        if rest.is_empty() {
            break;
        }
    }
    let mut messages = vec![];
    let mut pieces = vec![];
    for one in seen {
        match one {
            Seen::Message(kind, bytes) => messages.push((kind, bytes)),
            Seen::Chunk(kind, bytes, last) => {
                pieces.extend(bytes);
                if last {
                    messages.push((kind, std::mem::take(&mut pieces)));
                }
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(messages, expected);
}

proptest! {
    #[test]
    fn any_cut(
        messages in prop::collection::vec((any::<bool>(), prop::collection::vec(97u8..101, 0..3000)), 1..5),
        part in 1usize..3000,
        cuts in prop::collection::vec(0usize..700, 1..8),
        server: bool,
        chunks: bool,
    ) {
        let role = if server { Role::Server } else { Role::Client };
        let delivery = if chunks { Delivery::Chunks } else { Delivery::Whole };
        at_every_cut(&messages, part, &cuts, role, delivery);
    }
}
