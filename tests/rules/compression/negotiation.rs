//! RFC 7692 §5, §7 through the opening handshake: rows PN-1 to PN-16, D-18, D-19, D-23.

use sansocket::error::Failure;
use sansocket::error::{HandshakeError, ProtocolError};
use sansocket::extension::{AgreedDeflate, Compress, PermessageDeflate};
use sansocket::handshake::{HttpVersion, Upgrade};
use sansocket::{
    Accept, ClientConfig, ClientRequest, Connection, Event, Negotiated, Role, ServerConfig, State,
    Uri,
};

use crate::support::*;

/// The client's request with these offers in the place of its own, if there are any.
pub(super) fn request(offers: &[&str]) -> Vec<u8> {
    let mut text = String::from(
        "GET /chat HTTP/1.1\r\nHost: server.example.com\r\nUpgrade: websocket\r\n\
         Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
         Sec-WebSocket-Version: 13\r\n",
    );
    for offer in offers {
        text += &format!("Sec-WebSocket-Extensions: {offer}\r\n");
    }
    (text + "\r\n").into_bytes()
}

/// The value of `Sec-WebSocket-Extensions` in a head.
pub(super) fn extensions_of(head: &[u8]) -> Option<String> {
    let head = std::str::from_utf8(head).unwrap();
    let name = "Sec-WebSocket-Extensions: ";
    let mut values = head.lines().filter_map(|line| line.strip_prefix(name));
    let value = values.next().map(String::from);
    assert!(values.next().is_none(), "one field at most");
    value
}

pub(super) fn deliver(ws: &mut Connection, bytes: &[u8]) {
    let mut bytes = bytes.to_vec();
    let mut input = &mut bytes[..];
    while let Some(event) = ws.receive(&mut input) {
        if let Event::Request(_) = event {
            return assert!(input.is_empty());
        }
    }
}

fn accepted(config: &ServerConfig, offers: &[&str]) -> (Connection, Option<String>) {
    let mut ws = Connection::server(config);
    deliver(&mut ws, &request(offers));
    ws.accept(Accept::new()).unwrap();
    assert!(matches!(ws.receive(&mut &mut [][..]), Some(Event::Open)));
    let answer = extensions_of(&take_output(&mut ws));
    assert_eq!(ws.extensions(), answer.clone().unwrap_or_default());
    (ws, answer)
}

fn answer_to(deflate: &PermessageDeflate, offers: &[&str]) -> Option<String> {
    let (mut ws, answer) = accepted(&server_config().deflate(deflate.clone()), offers);
    // What was said is what is done.
    ws.send_with("Hello", Compress::Always).unwrap();
    let rsv = if answer.is_some() { 4 } else { 0 };
    assert_eq!(take_frames(&mut ws)[0].rsv, rsv);
    let mut input = encode_for(
        Role::Server,
        &[Frame {
            rsv: 4,
            ..Frame::new(TEXT, bytes("f2 48 cd c9 c9 07 00"))
        }],
    );
    let event = ws.receive(&mut &mut input[..]).map(see);
    match answer {
        Some(_) => assert_eq!(event, Some(Seen::text("Hello"))),
        None => assert!(matches!(event, Some(Seen::Failed(_)))),
    }
    answer
}

fn both() -> PermessageDeflate {
    PermessageDeflate::client()
}

/// The parameters of an answer.
fn with(params: &str) -> Option<String> {
    Some(format!("permessage-deflate{params}"))
}

#[test]
fn a_server_answers() {
    let pd = "permessage-deflate";
    for (offers, answer) in [
        // PN-2, PN-3.
        (vec![pd], with("")),
        (vec![], None),
        (vec!["foo", "bar; x"], None),
        (vec!["Permessage-Deflate"], None),
        // PN-1, PN-4, PN-5: the first that can be taken, over one field or several.
        (vec!["permessage-deflate; x, permessage-deflate"], with("")),
        (
            vec!["permessage-deflate; x", "foo", "permessage-deflate"],
            with(""),
        ),
        (
            vec!["permessage-deflate; server_no_context_takeover, permessage-deflate"],
            with("; server_no_context_takeover"),
        ),
        // PN-7, PN-12, D-18: every window can be kept to; quoted is the same.
        (
            vec!["permessage-deflate; server_max_window_bits=\"10\""],
            with("; server_max_window_bits=10"),
        ),
        (
            vec!["permessage-deflate; server_max_window_bits=8"],
            with("; server_max_window_bits=8"),
        ),
        (
            vec!["permessage-deflate ;\tserver_max_window_bits = 15"],
            with("; server_max_window_bits=15"),
        ),
        // PN-8, PN-10.
        (
            vec!["permessage-deflate; client_no_context_takeover; server_no_context_takeover"],
            with("; server_no_context_takeover; client_no_context_takeover"),
        ),
        // PN-14, PN-15: a hint is used; without a value there is nothing to say.
        (vec!["permessage-deflate; client_max_window_bits"], with("")),
        (
            vec!["permessage-deflate; client_max_window_bits=12"],
            with("; client_max_window_bits=12"),
        ),
    ] {
        assert_eq!(answer_to(&both(), &offers), answer, "{offers:?}");
    }
}

/// PN-4, PN-5, PN-7: each of these alone is declined, and in front of a good one skipped.
#[test]
fn a_server_declines() {
    for params in [
        "x",
        "x=1",
        "server_no_context_takeover=1",
        "client_no_context_takeover=true",
        "server_no_context_takeover; server_no_context_takeover",
        "client_no_context_takeover; client_no_context_takeover",
        "client_max_window_bits; client_max_window_bits",
        "client_max_window_bits=10; client_max_window_bits=10",
        "server_max_window_bits=10; server_max_window_bits=11",
        "server_max_window_bits",
        "server_max_window_bits=7",
        "server_max_window_bits=16",
        "server_max_window_bits=08",
        "server_max_window_bits=+9",
        "server_max_window_bits=1e1",
        "server_max_window_bits=\"16\"",
        "client_max_window_bits=7",
        "client_max_window_bits=16",
        "client_max_window_bits=010",
        "client_max_window_bits=-9",
        "client_max_window_bits=256",
        "Server_no_context_takeover",
    ] {
        let offer = format!("permessage-deflate; {params}");
        assert_eq!(answer_to(&both(), &[&offer]), None, "{offer}");
        let two = format!("{offer}, permessage-deflate");
        assert_eq!(answer_to(&both(), &[&two]), with(""), "{two}");
    }
}

/// PN-9, PN-13: what a server may say unasked; a client's window only where it was offered (PN-14).
#[test]
fn a_server_s_own_wishes() {
    let wishes = PermessageDeflate::server()
        .server_max_window_bits(11)
        .client_max_window_bits(10);
    let both_ways = "; server_no_context_takeover; client_no_context_takeover";
    for (offer, more) in [
        ("permessage-deflate", "; server_max_window_bits=11"),
        (
            "permessage-deflate; client_max_window_bits",
            "; server_max_window_bits=11; client_max_window_bits=10",
        ),
        (
            "permessage-deflate; client_max_window_bits=9; server_max_window_bits=12",
            "; server_max_window_bits=11; client_max_window_bits=9",
        ),
        (
            "permessage-deflate; server_max_window_bits=9",
            "; server_max_window_bits=9",
        ),
    ] {
        let answer = with(&format!("{both_ways}{more}"));
        assert_eq!(answer_to(&wishes, &[offer]), answer, "{offer}");
    }
}

/// X-10, PN-3: a server that was not told to compress.
#[test]
fn a_server_without() {
    let (_, answer) = accepted(&server_config(), &["permessage-deflate"]);
    assert_eq!(answer, None);
}

fn uri() -> Uri {
    Uri::parse("ws://server.example.com/chat").unwrap()
}

pub(super) fn connecting(config: &ClientConfig, request: ClientRequest) -> Connection {
    Connection::client_with_entropy(config, request, Box::new(SampleKey)).unwrap()
}

/// A server's 101 to the client's request, with this value of the field for extensions.
pub(super) fn answer_with(client: &mut Connection, extensions: &str) -> Vec<u8> {
    let mut server = Connection::server(&server_config());
    deliver(&mut server, &take_output(client));
    server.accept(Accept::new()).unwrap();
    let head = String::from_utf8(take_output(&mut server)).unwrap();
    let head = head.strip_suffix("\r\n").unwrap();
    format!("{head}Sec-WebSocket-Extensions: {extensions}\r\n\r\n").into_bytes()
}

/// What a client with this configuration makes of the answer.
fn judged(deflate: &PermessageDeflate, answer: &str) -> Result<Connection, Failure> {
    let mut client = connecting(
        &ClientConfig::new().deflate(deflate.clone()),
        ClientRequest::new(uri()),
    );
    let mut head = answer_with(&mut client, answer);
    let event = client.receive(&mut &mut head[..]).map(see);
    match event {
        Some(Seen::Open) => {
            assert_eq!(client.extensions(), answer);
            Ok(client)
        }
        Some(Seen::Failed(failure)) => {
            // Nothing more is written to such a server.
            assert_eq!((client.state(), client.output_len()), (State::Closed, 0));
            Err(failure)
        }
        event => panic!("{event:?}"),
    }
}

/// D-19, PN-1: what a client offers.
#[test]
fn offers() {
    for (deflate, offer) in [
        (both(), "permessage-deflate; client_max_window_bits"),
        (
            both()
                .client_max_window_bits(11)
                .client_no_context_takeover(true),
            "permessage-deflate; client_no_context_takeover; client_max_window_bits=11",
        ),
        (
            both().server_max_window_bits(10).fallback(),
            "permessage-deflate; server_max_window_bits=10; client_max_window_bits, \
             permessage-deflate; client_max_window_bits",
        ),
    ] {
        let config = ClientConfig::new().deflate(deflate);
        let own = ClientRequest::new(uri())
            .extension("x-own; a=1", 0)
            .unwrap();
        let mut client = connecting(&config, own);
        let offered = extensions_of(&take_output(&mut client)).unwrap();
        assert_eq!(offered, format!("x-own; a=1, {offer}"));
    }
}

/// PN-9 to PN-11, PN-13 to PN-15, and what the client then does.
#[test]
fn answers_that_a_client_takes() {
    for (params, second) in [
        ("", "f2 00 11 00 00"),
        ("; server_no_context_takeover", "f2 00 11 00 00"),
        ("; client_no_context_takeover", "f2 48 cd c9 c9 07 00"),
        ("; client_max_window_bits=12", "f2 00 11 00 00"),
        (
            "; client_max_window_bits=\"8\"; server_max_window_bits=9",
            "f2 00 11 00 00",
        ),
    ] {
        let mut ws = judged(&both(), &with(params).unwrap()).unwrap();
        for expected in ["f2 48 cd c9 c9 07 00", second] {
            ws.send_with("Hello", Compress::Always).unwrap();
            assert_eq!(take_frames(&mut ws)[0].payload, bytes(expected), "{params}");
        }
        // PC-9: the server's direction.
        let hello = |payload| Frame {
            rsv: 4,
            ..Frame::new(TEXT, bytes(payload))
        };
        let first = hello("f2 48 cd c9 c9 07 00");
        assert_eq!(receive_frames(&mut ws, &[first]), [Seen::text("Hello")]);
        let seen = receive_frames(&mut ws, &[hello("f2 00 11 00 00")]);
        if params.contains("server_no_context_takeover") {
            assert!(matches!(seen[..], [Seen::Failed(_)]));
        } else {
            assert_eq!(seen, [Seen::text("Hello")]);
        }
    }
}

/// PN-6, PN-7, PN-14, PN-16.
#[test]
fn answers_that_a_client_refuses() {
    let parameters = HandshakeError::ExtensionParameters;
    for answer in [
        "permessage-deflate; x",
        "permessage-deflate; client_max_window_bits",
        "permessage-deflate; client_max_window_bits=7",
        "permessage-deflate; client_max_window_bits=16",
        "permessage-deflate; server_max_window_bits",
        "permessage-deflate; server_max_window_bits=08",
        "permessage-deflate; server_no_context_takeover=1",
        "permessage-deflate; server_no_context_takeover; server_no_context_takeover",
        "permessage-deflate, permessage-deflate",
        "permessage-deflate, permessage-deflate; server_no_context_takeover",
    ] {
        assert_eq!(
            judged(&both(), answer).unwrap_err(),
            parameters.into(),
            "{answer}"
        );
    }
    let demanding = both()
        .server_max_window_bits(10)
        .server_no_context_takeover(true);
    for (params, taken) in [
        (
            "; server_no_context_takeover; server_max_window_bits=10",
            true,
        ),
        (
            "; server_no_context_takeover; server_max_window_bits=8",
            true,
        ),
        (
            "; server_no_context_takeover; server_max_window_bits=11",
            false,
        ),
        ("; server_no_context_takeover", false),
        ("; server_max_window_bits=10", false),
        ("", false),
    ] {
        let answer = with(params).unwrap();
        assert_eq!(judged(&demanding, &answer).is_ok(), taken, "{answer}");
        assert!(judged(&demanding.clone().fallback(), &answer).is_ok());
    }
    // Not offered at all.
    let mut client = connecting(&ClientConfig::new(), ClientRequest::new(uri()));
    let mut head = answer_with(&mut client, "permessage-deflate");
    let event = client.receive(&mut &mut head[..]).map(see);
    let failure = Failure::from(HandshakeError::ExtensionNotOffered);
    assert_eq!(event, Some(Seen::Failed(failure)));
}

/// D-23, RFC 7692 §5.1: open, and closed at once with 1010; nothing is delivered.
#[test]
fn a_client_that_needs_compression() {
    let config = ClientConfig::new().deflate(both()).require_extension();
    let mut client = connecting(&config, ClientRequest::new(uri()));
    let mut server = Connection::server(&server_config());
    deliver(&mut server, &take_output(&mut client));
    server.accept(Accept::new()).unwrap();
    server.send("lost").unwrap();
    let mut bytes = take_output(&mut server);
    let events = receive(&mut client, &bytes);
    let failure = Failure::from(ProtocolError::ExtensionMissing);
    assert_eq!(events, [Seen::Open, Seen::Failed(failure)]);
    let close = take_frames(&mut client).remove(0);
    assert_eq!(
        close.payload,
        [&[0x03, 0xf2], &b"permessage-deflate"[..]].concat()
    );
    assert_eq!(
        client.send("late").unwrap_err().why,
        sansocket::error::SendError::Closing
    );
    // With it nothing happens.
    let mut client = connecting(&config, ClientRequest::new(uri()));
    bytes = answer_with(&mut client, "permessage-deflate");
    assert_eq!(receive(&mut client, &bytes), [Seen::Open]);
    assert_eq!(client.state(), State::Open);
}

/// Both ends of one handshake, in each takeover mode, three messages each way.
#[test]
fn both_ends() {
    for (server, client) in [
        (both(), both()),
        (PermessageDeflate::server(), both()),
        (both(), both().server_no_context_takeover(true)),
        (both(), both().client_no_context_takeover(true)),
        (
            both().server_max_window_bits(8),
            both().client_max_window_bits(8),
        ),
    ] {
        let mut client = connecting(
            &ClientConfig::new().deflate(client.threshold(0)),
            ClientRequest::new(uri()),
        );
        let mut peer = Connection::server(&server_config().deflate(server.threshold(0)));
        deliver(&mut peer, &take_output(&mut client));
        peer.accept(Accept::new()).unwrap();
        assert!(matches!(peer.receive(&mut &mut [][..]), Some(Event::Open)));
        let head = take_output(&mut peer);
        assert_eq!(receive(&mut client, &head), [Seen::Open]);
        assert_eq!(client.extensions(), peer.extensions());
        for i in 0..3 {
            let text = format!("message {i}, with the same words again");
            client.send(&text).unwrap();
            let frames = take_frames(&mut client);
            assert_eq!(frames[0].rsv, 4);
            assert_eq!(receive_frames(&mut peer, &frames), [Seen::text(&text)]);
            peer.send(&text).unwrap();
            let frames = take_frames(&mut peer);
            assert_eq!(receive_frames(&mut client, &frames), [Seen::text(&text)]);
        }
    }
}

/// PN-18: the offer without it, and an answer that has it all the same.
#[test]
fn an_offer_without_the_client_s_window() {
    let deflate = both().omit_client_max_window_bits();
    let config = ClientConfig::new().deflate(deflate.clone());
    let client = connecting(&config, ClientRequest::new(uri()));
    let head = String::from_utf8(client.output().to_vec()).unwrap();
    let offer = "Sec-WebSocket-Extensions: permessage-deflate\r\n";
    assert!(head.contains(offer), "{head}");
    assert!(judged(&deflate, "permessage-deflate").is_ok());
    assert!(judged(&deflate, "permessage-deflate; server_max_window_bits=10").is_ok());
    let failure = Failure::from(HandshakeError::ExtensionParameters);
    let answer = "permessage-deflate; client_max_window_bits=10";
    assert_eq!(judged(&deflate, answer).unwrap_err(), failure);
    assert!(judged(&both(), answer).is_ok());
}

/// What a server with these settings answers to this offer, and the windows.
fn answered(deflate: PermessageDeflate, offer: &str, accept: Accept) -> (String, Option<(u8, u8)>) {
    let (answer, agreed) = agreed(deflate, offer, accept);
    let windows =
        agreed.map(|agreed| (agreed.server_max_window_bits, agreed.client_max_window_bits));
    (answer, windows)
}

fn agreed(
    deflate: PermessageDeflate,
    offer: &str,
    accept: Accept,
) -> (String, Option<AgreedDeflate>) {
    let fields = [
        ("Host", &b"h"[..]),
        ("Upgrade", b"websocket"),
        ("Connection", b"Upgrade"),
        ("Sec-WebSocket-Key", b"dGhlIHNhbXBsZSBub25jZQ=="),
        ("Sec-WebSocket-Version", b"13"),
        ("Sec-WebSocket-Extensions", offer.as_bytes()),
    ];
    let config = server_config().deflate(deflate);
    let upgrade = Upgrade::check(&config, "GET", "/", HttpVersion::Http11, fields).unwrap();
    let (_, ws) = upgrade.accept(accept).unwrap();
    (ws.extensions().into(), ws.agreed_deflate())
}

/// PN-19: only an offer with it is taken, the first one that has it.
#[test]
fn a_server_that_needs_the_client_s_window() {
    let needs = || {
        both()
            .require_client_max_window_bits()
            .client_max_window_bits(10)
    };
    let plain = "permessage-deflate";
    let with = "permessage-deflate; client_max_window_bits";
    let agreed = "permessage-deflate; client_max_window_bits=10".to_string();
    let answer = |offer: &str| answered(needs(), offer, Accept::new());
    assert_eq!(answer(plain), (String::new(), None));
    assert_eq!(answer(with), (agreed.clone(), Some((15, 10))));
    assert_eq!(
        answer(&format!("{plain}, {with}")),
        (agreed, Some((15, 10)))
    );
    let usual = answered(both(), plain, Accept::new());
    assert_eq!(usual, (plain.into(), Some((15, 15))));
}

/// PN-21: what was agreed on, as a value, with what each end gives up (RFC 7692 §7.1).
#[test]
fn what_was_agreed_on() {
    for server in [false, true] {
        for client in [false, true] {
            let mut element = "permessage-deflate".to_string();
            for (needed, name) in [
                (server, "server_no_context_takeover"),
                (client, "client_no_context_takeover"),
            ] {
                if needed {
                    element = format!("{element}; {name}");
                }
            }
            let negotiated = Negotiated::new().extensions(&element);
            let config = server_config().deflate(both());
            let upgraded = Connection::upgraded_server(&config, negotiated);
            let (answer, by_offer) = agreed(both(), &element, Accept::new());
            assert_eq!(answer, element);
            for agreed in [upgraded.agreed_deflate(), by_offer].map(Option::unwrap) {
                assert_eq!(agreed.server_no_context_takeover, server, "{element}");
                assert_eq!(agreed.client_no_context_takeover, client, "{element}");
            }
        }
    }
}

/// SEC-9: without compression for this one request.
#[test]
fn one_request_without_compression() {
    let offer = "permessage-deflate; client_max_window_bits";
    let answer = answered(both(), offer, Accept::new().uncompressed());
    assert_eq!(answer, (String::new(), None));
    // What was said last counts.
    let accept = || Accept::new().uncompressed().deflate(both());
    assert_eq!(answered(both(), offer, accept()).1, Some((15, 15)));
    let answer = answered(both(), offer, accept().uncompressed());
    assert_eq!(answer, (String::new(), None));
    assert!(accept() != accept() && Accept::new().uncompressed() == Accept::new().uncompressed());
    let accept = accept();
    assert!(accept == accept.clone());
}

/// PN-20: other parameters for this one request, over our own HTTP and over that of others; and compression
/// where the configuration has none. Both ends do what was answered.
#[test]
fn one_request_with_other_parameters() {
    let own = || {
        both()
            .server_no_context_takeover(true)
            .client_max_window_bits(9)
    };
    let offer = "permessage-deflate; client_max_window_bits";
    let agreed = "permessage-deflate; server_no_context_takeover; client_max_window_bits=9";
    let answer = answered(both(), offer, Accept::new().deflate(own()));
    assert_eq!(answer, (agreed.into(), Some((15, 9))));
    // What the request's own settings need counts, not what the configuration does.
    let needs = || both().require_client_max_window_bits();
    let plain = "permessage-deflate";
    assert_eq!(
        answered(both(), plain, Accept::new().deflate(needs())).1,
        None
    );
    assert_eq!(
        answered(needs(), plain, Accept::new().deflate(both())).1,
        Some((15, 15))
    );

    for config in [server_config(), server_config().deflate(both())] {
        let mut client = connecting(
            &ClientConfig::new().deflate(both().threshold(0)),
            ClientRequest::new(uri()),
        );
        let mut peer = Connection::server(&config);
        deliver(&mut peer, &take_output(&mut client));
        let accept = Accept::new().deflate(own().threshold(0));
        peer.accept(accept).unwrap();
        assert_eq!(peer.extensions(), agreed);
        assert!(matches!(peer.receive(&mut &mut [][..]), Some(Event::Open)));
        assert_eq!(receive(&mut client, &take_output(&mut peer)), [Seen::Open]);
        let text = "the same words again, ".repeat(9);
        let mut lengths = Vec::new();
        for _ in 0..2 {
            peer.send(&text).unwrap();
            let frames = take_frames(&mut peer);
            lengths.push(frames[0].payload.len());
            assert_eq!(frames[0].rsv, 4);
            assert_eq!(receive_frames(&mut client, &frames), [Seen::text(&text)]);
            client.send(&text).unwrap();
            let frames = take_frames(&mut client);
            assert_eq!(receive_frames(&mut peer, &frames), [Seen::text(&text)]);
        }
        assert_eq!(lengths[0], lengths[1], "no context was taken over");
    }
}
