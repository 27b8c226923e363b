//! Extensions of the application's own (RFC 6455 §9): rows through the opening handshake, their
//! reserved bits (§5.2, §5.8), and beside permessage-deflate (PN-17).

use sansocket::config::Delivery;
use sansocket::error::{AcceptError, FieldError, HandshakeError, SendError};
use sansocket::extension::Compress;
use sansocket::extension::PermessageDeflate;
use sansocket::handshake::{HttpVersion, Upgrade};
use sansocket::{
    Accept, ClientConfig, ClientRequest, Connection, Event, Kind, Negotiated, Part, Role, Uri,
};

use super::negotiation::{answer_with, connecting, deliver, extensions_of, request};
use super::{End, NO_TAKEOVER, answer};
use crate::support::*;

const RSV1: u8 = 4;
const RSV2: u8 = 2;
const RSV3: u8 = 1;

fn own(extensions: &[(&str, u8)]) -> Accept {
    let accept = Accept::new();
    let add =
        |accept: Accept, &(element, bits): &(&str, u8)| accept.extension(element, bits).unwrap();
    extensions.iter().fold(accept, add)
}

/// RFC 6455 §5.2: there are three reserved bits. What the extensions say stays out of logs; how many
/// there are does not.
#[test]
fn any_of_three_bits() {
    for bits in 0..=255 {
        let added = Accept::new().extension("x-own", bits);
        assert_eq!(added.is_ok(), bits < 8, "{bits}");
    }
    let printed = format!("{:?}", own(&[("x-own", 1), ("x-other", 2)]));
    assert!(printed.contains("extensions: 2"), "{printed}");
    assert!(!printed.contains("x-own"), "{printed}");
}

/// The answer of a server to these offers.
fn answered(deflate: bool, offers: &[&str], accept: Accept) -> Result<Option<String>, AcceptError> {
    let config = match deflate {
        true => server_config().deflate(PermessageDeflate::client()),
        false => server_config(),
    };
    let mut ws = Connection::server(&config);
    deliver(&mut ws, &request(offers));
    let refused = ws.accept(accept.clone());
    if refused.is_err() {
        // Nothing changed: it can still be accepted.
        assert_eq!(ws.output_len(), 0);
        ws.accept(Accept::new()).unwrap();
    }
    let written = extensions_of(&take_output(&mut ws));
    // The same over another HTTP stack.
    let list = offers.join(", ");
    let fields = [
        ("host", &b"h"[..]),
        ("upgrade", b"websocket"),
        ("connection", b"upgrade"),
        ("sec-websocket-key", b"dGhlIHNhbXBsZSBub25jZQ=="),
        ("sec-websocket-version", b"13"),
        ("sec-websocket-extensions", list.as_bytes()),
    ];
    let upgrade = Upgrade::check(&config, "GET", "/", HttpVersion::Http11, fields).unwrap();
    match upgrade.negotiate(accept) {
        Ok((response, negotiated)) => {
            let field = |(name, _): &&(String, Vec<u8>)| name == "Sec-WebSocket-Extensions";
            let value = response.fields.iter().find(field);
            let value = value.map(|(_, value)| String::from_utf8(value.clone()).unwrap());
            assert_eq!((refused, &value), (Ok(()), &written));
            assert_eq!(negotiated.extensions, written.clone().unwrap_or_default());
        }
        Err(error) => assert_eq!(refused, Err(error)),
    }
    refused.map(|()| written)
}

/// answered in the order given, what is unknown left out, only what was offered.
#[test]
fn a_server_accepts_in_order() {
    let offers = ["foo, bar; baz=2", "other"];
    let written = |accept| answered(false, &offers, accept);
    assert_eq!(written(Accept::new()), Ok(None));
    let foo_bar = own(&[("foo; x=1", RSV2), ("bar", 0)]);
    assert_eq!(written(foo_bar), Ok(Some("foo; x=1, bar".into())));
    let bar_foo = own(&[("bar; baz=2", RSV1 | RSV3), ("foo", RSV2)]);
    assert_eq!(written(bar_foo), Ok(Some("bar; baz=2, foo".into())));
    assert_eq!(
        written(own(&[("none", 0)])),
        Err(AcceptError::ExtensionNotOffered)
    );
    assert_eq!(
        written(own(&[("Foo", 0)])),
        Err(AcceptError::ExtensionNotOffered)
    );
    // Of one name, or on one bit.
    let conflict = Err(AcceptError::ExtensionConflict);
    assert_eq!(written(own(&[("foo", 0), ("foo; x", 0)])), conflict);
    assert_eq!(
        written(own(&[("foo", RSV1), ("bar", RSV1 | RSV2)])),
        conflict
    );
    for bad in ["", ",", "foo;", "a b", "foo\r\nX: y"] {
        assert_eq!(
            Accept::new().extension(bad, 0).unwrap_err(),
            FieldError::BadExtension
        );
    }
    assert_eq!(
        Accept::new().extension("foo", 8).unwrap_err(),
        FieldError::BadExtension
    );
}

/// X-7, PN-17, RFC 7692 §5: compression goes after what changes messages and in front of what marks
/// frames; with another extension on RSV1, or where it would be after one with bits, it is declined.
#[test]
fn a_server_declines_compression_in_conflict() {
    let offers = ["foo, permessage-deflate, bar"];
    let written = |accept| answered(true, &offers, accept).unwrap().unwrap_or_default();
    for (accept, answer) in [
        (own(&[]), "permessage-deflate"),
        (own(&[("foo", 0)]), "foo, permessage-deflate"),
        (
            own(&[("foo", 0), ("bar", 0)]),
            "foo, bar, permessage-deflate",
        ),
        (own(&[("foo", RSV2)]), "permessage-deflate, foo"),
        (
            own(&[("bar", 0), ("foo", RSV2)]),
            "bar, permessage-deflate, foo",
        ),
        (
            own(&[("bar", RSV3), ("foo", RSV2)]),
            "permessage-deflate, bar, foo",
        ),
        (own(&[("foo", RSV1)]), "foo"),
        (own(&[("foo", RSV1 | RSV2), ("bar", RSV3)]), "foo, bar"),
        (own(&[("foo", RSV2), ("bar", 0)]), "foo, bar"),
        // The application compresses itself.
        (
            own(&[("permessage-deflate; x", RSV1)]),
            "permessage-deflate; x",
        ),
        (
            own(&[("permessage-deflate; x", 0)]),
            "permessage-deflate; x",
        ),
    ] {
        assert_eq!(written(accept.clone()), answer, "{accept:?}");
    }
}

/// outside the grammar nothing is answered but 400, whatever the configuration.
#[test]
fn offers_outside_the_grammar() {
    for offer in [
        "",
        ",",
        "a;",
        "a; =1",
        "a; b=",
        "a b",
        ";a",
        "a; b=\"x",
        "a; b=\"c,d\"",
        "a; b=\"\"",
    ] {
        for config in [
            server_config(),
            server_config().deflate(PermessageDeflate::server()),
        ] {
            let mut ws = Connection::server(&config);
            deliver(&mut ws, &request(&[offer]));
            let answer = take_output(&mut ws);
            assert!(answer.starts_with(b"HTTP/1.1 400 "), "{offer:?}");
        }
    }
    //
    for offer in ["foo; b=\"10\"", "foo ;b;c=1\t, bar", ", foo,", "foo;b = 1"] {
        let accepted = answered(false, &[offer], own(&[("foo", 0)]));
        assert_eq!(accepted, Ok(Some("foo".into())), "{offer}");
    }
}

fn client(deflate: bool, offers: &[(&str, u8)]) -> Connection {
    let uri = Uri::parse("ws://server.example.com/").unwrap();
    let request = ClientRequest::new(uri);
    let add = |request: ClientRequest, &(offer, bits): &(&str, u8)| {
        request.extension(offer, bits).unwrap()
    };
    let request = offers.iter().fold(request, add);
    let config = ClientConfig::new().delivery(Delivery::Ask);
    let config = match deflate {
        true => config.deflate(PermessageDeflate::client()),
        false => config,
    };
    connecting(&config, request)
}

/// X-6, PN-17: the answer to a client's offers.
#[test]
fn a_client_judges_the_answer() {
    let offers = [
        ("foo; x=1, foo", RSV2),
        ("bar", RSV1 | RSV2),
        ("plain", 0),
        ("baz", RSV3),
    ];
    let conflict = Some(HandshakeError::ExtensionConflict);
    let malformed = Some(HandshakeError::Invalid(sansocket::error::Field::Extensions));
    for (answer, error) in [
        ("foo", None),
        ("foo; y, plain", None),
        ("plain, foo, baz", None),
        ("baz, bar", None),
        ("plain, permessage-deflate, foo, baz", None),
        ("permessage-deflate, plain", None),
        ("foo, foo", conflict),
        ("foo, bar", conflict),
        ("permessage-deflate, bar", conflict),
        ("bar, permessage-deflate", conflict),
        ("foo, permessage-deflate", conflict),
        ("plain, baz, permessage-deflate", conflict),
        ("other", Some(HandshakeError::ExtensionNotOffered)),
        ("foo;", malformed),
        ("", malformed),
        (",", malformed),
    ] {
        let mut ws = client(true, &offers);
        let head = answer_with(&mut ws, answer);
        let expected = match error {
            None => Seen::Open,
            Some(error) => Seen::Failed(error.into()),
        };
        assert_eq!(receive(&mut ws, &head)[0], expected, "{answer}");
        if error.is_none() {
            assert_eq!(ws.extensions(), answer);
        }
    }
}

/// The bits that were agreed on, and no others, in both roles; on data frames only.
#[test]
fn bits_that_are_let_through() {
    for role in ROLES {
        for claimed in 0..8 {
            for rsv in 0..8 {
                let open = || {
                    End {
                        delivery: Delivery::Chunks,
                        ..End::default()
                    }
                    .open(
                        role,
                        Negotiated::new().extensions("own").reserved_bits(claimed),
                    )
                };
                let allowed = rsv & !claimed == 0;
                let data = [
                    Frame {
                        rsv,
                        ..Frame::new(TEXT, "a").more()
                    },
                    Frame {
                        rsv,
                        ..Frame::new(CONTINUATION, "b")
                    },
                    Frame::new(BINARY, "c"),
                ];
                let mut ws = open();
                let mut bytes = encode_for(role, &data);
                let mut input = &mut bytes[..];
                let mut seen = Vec::new();
                while let Some(event) = ws.receive(&mut input) {
                    match event {
                        Event::Chunk(chunk) => {
                            seen.push((chunk.payload.to_vec(), chunk.reserved_bits))
                        }
                        Event::Failed(failure) => assert_eq!(failure.close_code(), Some(1002)),
                        event => panic!("{event:?}"),
                    }
                }
                let expected = match allowed {
                    true => vec![
                        (b"a".to_vec(), rsv),
                        (b"b".to_vec(), rsv),
                        (b"c".to_vec(), 0),
                    ],
                    false => vec![],
                };
                assert_eq!(seen, expected, "{claimed:03b} {rsv:03b}");
                for opcode in [PING, PONG, CLOSE, 3, 11] {
                    let frame = Frame {
                        rsv,
                        ..Frame::new(opcode, "")
                    };
                    let seen = receive_frames(&mut open(), &[frame]);
                    let failed = matches!(seen[..], [Seen::Failed(_)]);
                    assert_eq!(failed, rsv != 0 || matches!(opcode, 3 | 11));
                }
            }
        }
    }
}

/// The head of a message tells its bits; RSV1 of compression is none of them.
#[test]
fn bits_of_a_head() {
    let marked = Negotiated::new()
        .extensions("own")
        .reserved_bits(RSV1 | RSV3);
    let compressed = answer(NO_TAKEOVER).reserved_bits(RSV3);
    for (negotiated, rsv, payload, bits, is_compressed) in [
        (marked.clone(), RSV1, &b"Hello"[..], RSV1, false),
        (marked.clone(), RSV1 | RSV3, b"Hello", RSV1 | RSV3, false),
        (marked, 0, b"Hello", 0, false),
        (compressed.clone(), RSV3, b"Hello", RSV3, false),
        (
            compressed.clone(),
            RSV1,
            b"\xf2\x48\xcd\xc9\xc9\x07\0",
            0,
            true,
        ),
        (
            compressed,
            RSV1 | RSV3,
            b"\xf2\x48\xcd\xc9\xc9\x07\0",
            RSV3,
            true,
        ),
    ] {
        for (delivery, role) in [(Delivery::Ask, Role::Server), (Delivery::Ask, Role::Client)] {
            let end = End {
                delivery,
                ..End::default()
            };
            let mut ws = end.open(role, negotiated.clone());
            let mut bytes = encode_for(
                role,
                &[Frame {
                    rsv,
                    ..Frame::new(TEXT, payload)
                }],
            );
            let mut input = &mut bytes[..];
            let Some(Event::Start(head)) = ws.receive(&mut input) else {
                panic!()
            };
            assert_eq!((head.reserved_bits, head.compressed), (bits, is_compressed));
            assert_eq!(ws.receive(&mut input).map(see), Some(Seen::text("Hello")));
        }
    }
}

/// A message with marks of its own out, in both roles, beside compression.
#[test]
fn bits_that_are_sent() {
    for role in ROLES {
        let mut ws = End::default().open(role, answer(NO_TAKEOVER).reserved_bits(RSV2));
        ws.send_part(Part::text(b"Hello").last().reserved_bits(RSV2))
            .unwrap();
        ws.send_part(Part::text(b"He")).unwrap();
        ws.send_part(Part::text(b"llo").last().reserved_bits(RSV2))
            .unwrap();
        ws.send("Hello").unwrap();
        ws.send_with("Hello", Compress::Never).unwrap();
        let sent: Vec<_> = take_frames(&mut ws)
            .iter()
            .map(|frame| (frame.rsv, frame.opcode))
            .collect();
        assert_eq!(
            sent,
            [(RSV1 | RSV2, 1), (RSV1, 1), (RSV2, 0), (RSV1, 1), (0, 1)]
        );
        for bits in [RSV1, RSV3, RSV1 | RSV2, 7, 8, 0xff] {
            let refused = ws.send_part(Part::text(b"Hello").last().reserved_bits(bits));
            let bits = bits & !RSV2;
            assert_eq!(refused, Err(SendError::ReservedBits { bits }));
        }
        // Without an extension there are none to send, and garbage claims nothing that does not exist.
        let mut ws = End::default().open(role, Negotiated::new().reserved_bits(0xff));
        assert_eq!(
            ws.send_part(Part::text(b"x").last().reserved_bits(8)),
            Err(SendError::ReservedBits { bits: 8 })
        );
        let mut ws = End::default().open(role, Negotiated::new());
        assert_eq!(
            ws.send_part(Part::text(b"x").last().reserved_bits(1)),
            Err(SendError::ReservedBits { bits: 1 })
        );
        ws.send_part(Part::text(b"x").last()).unwrap();
    }
}

/// RSV1 as an own extension's: counted as it stands in the queue.
#[test]
fn rsv1_without_compression_is_counted() {
    let mut ws = End::default().open(
        Role::Server,
        Negotiated::new().extensions("x").reserved_bits(RSV1),
    );
    ws.send_part(Part::binary(b"abcd").last().reserved_bits(RSV1))
        .unwrap();
    ws.send_part(Part::binary(b"efgh").last().reserved_bits(RSV1))
        .unwrap();
    for left in [8, 8, 7, 6, 5, 4, 4, 4, 3, 2, 1, 0] {
        ws.consume_output(1);
        assert_eq!(ws.buffered_amount(), left);
    }
}

/// a whole conversation; both applications see the same list, and the marks arrive.
#[test]
fn both_ends() {
    let mut client = client(true, &[("x-case", 0), ("x-mark; levels=3", RSV3)]);
    let mut server =
        Connection::server(&server_config().deflate(PermessageDeflate::client().threshold(0)));
    deliver(&mut server, &take_output(&mut client));
    let accept = own(&[("x-case", 0), ("x-mark; levels=2", RSV3)]);
    server.accept(accept).unwrap();
    assert_eq!(
        server.extensions(),
        "x-case, permessage-deflate, x-mark; levels=2"
    );
    // First the application's work on the message, then compression, then the mark.
    server
        .send_part(
            Part::text("Hello".to_uppercase().as_bytes())
                .last()
                .reserved_bits(RSV3),
        )
        .unwrap();
    let mut bytes = take_output(&mut server);
    let mut input = &mut bytes[..];
    assert!(matches!(client.receive(&mut input), Some(Event::Open)));
    assert_eq!(client.extensions(), server.extensions());
    let Some(Event::Start(head)) = client.receive(&mut input) else {
        panic!()
    };
    assert_eq!((head.reserved_bits, head.compressed), (RSV3, true));
    assert_eq!(
        client.receive(&mut input).map(see),
        Some(Seen::text("HELLO"))
    );
    // And back.
    client
        .send_part(Part::binary(b"marked").last().reserved_bits(RSV3))
        .unwrap();
    let mut bytes = take_output(&mut client);
    let mut input = &mut bytes[..];
    assert!(matches!(server.receive(&mut input), Some(Event::Open)));
    let Some(Event::Chunk(chunk)) = server.receive(&mut input) else {
        panic!()
    };
    assert_eq!((chunk.first, chunk.last), (true, true));
    assert_eq!(
        (&*chunk.payload, chunk.reserved_bits),
        (&b"marked"[..], RSV3)
    );
}

/// RFC 6455 §5.2: the reserved bits of an application's extension arrive in every delivery. A
/// message with some that no `Start` has told is its only chunk, with those of all its frames.
#[test]
fn own_bits_of_a_whole_message() {
    let negotiated = Negotiated::new().extensions("x").reserved_bits(RSV2 | RSV3);
    let frame = |fin, rsv, opcode, payload: &str| Frame {
        fin,
        rsv,
        ..Frame::new(opcode, payload)
    };
    let one = |rsv, opcode, payload| vec![frame(true, rsv, opcode, payload)];
    let two = |first, second| {
        vec![
            frame(false, first, TEXT, "Hel"),
            frame(true, second, 0, "lo"),
        ]
    };
    for (frames, seen, bits) in [
        (one(0, BINARY, "b"), Seen::binary("b"), None),
        (
            one(RSV2, BINARY, "b"),
            Seen::chunk(Kind::Binary, "b", true, true),
            Some(RSV2),
        ),
        (
            one(RSV3, TEXT, "Hello"),
            Seen::chunk(Kind::Text, "Hello", true, true),
            Some(RSV3),
        ),
        (
            one(RSV3, TEXT, ""),
            Seen::chunk(Kind::Text, "", true, true),
            Some(RSV3),
        ),
        (two(0, 0), Seen::text("Hello"), None),
        (
            two(RSV2, 0),
            Seen::chunk(Kind::Text, "Hello", true, true),
            Some(RSV2),
        ),
        (
            two(0, RSV3),
            Seen::chunk(Kind::Text, "Hello", true, true),
            Some(RSV3),
        ),
        (
            two(RSV2, RSV3),
            Seen::chunk(Kind::Text, "Hello", true, true),
            Some(RSV2 | RSV3),
        ),
    ] {
        for cut in 0..encode_for(Role::Server, &frames).len() {
            let mut ws = End::default().open(Role::Server, negotiated.clone());
            let mut bytes = encode_for(Role::Server, &frames);
            let (first, second) = bytes.split_at_mut(cut);
            let mut found = None;
            for mut input in [first, second] {
                while let Some(event) = ws.receive(&mut input) {
                    assert!(found.is_none(), "one event");
                    let bits = match &event {
                        Event::Chunk(chunk) => Some(chunk.reserved_bits),
                        _ => None,
                    };
                    found = Some((see(event), bits));
                }
            }
            assert_eq!(found, Some((seen.clone(), bits)), "cut at {cut}");
        }
    }
}
