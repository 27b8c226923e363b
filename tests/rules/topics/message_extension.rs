//! An extension of the caller's that changes messages (RFC 6455 §5.8, §9), with nothing but what it has to
//! implement, on RSV2: run lengths, each as a count and a byte.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use sansocket::config::{Delivery, Limits};
use sansocket::error::{Failure, Limit, ProtocolError, SendError};
use sansocket::extension::{
    Compress, DecodeError, EncodeError, Extension, MessageCodec, MessageExtension,
};
use sansocket::{
    Accept, ClientConfig, ClientRequest, Connection, Negotiated, Part, Prepared, Role, Transport,
    Uri,
};

use crate::support::*;

const RSV2: u8 = 2;

#[derive(Debug)]
struct RunLengths;

impl MessageExtension for RunLengths {
    fn name(&self) -> &str {
        "x-run-lengths"
    }

    fn reserved_bit(&self) -> u8 {
        RSV2
    }

    fn offer(&self) -> String {
        "x-run-lengths".into()
    }

    fn answer(&self, offers: &[Extension<'_>]) -> Option<String> {
        assert!(offers.iter().all(|offer| offer.name() == "x-run-lengths"));
        Some("x-run-lengths".into())
    }

    fn codec(&self, _: Role, answer: &Extension<'_>) -> Option<Box<dyn MessageCodec>> {
        let codec = Codec::default();
        answer
            .params()
            .next()
            .is_none()
            .then(|| Box::new(codec) as _)
    }
}

/// A run of which less than two bytes came, or that has not come out as a whole.
#[derive(Default)]
struct Codec {
    count: Option<u8>,
    left: (u8, u8),
}

impl MessageCodec for Codec {
    fn encode(&mut self, part: &[u8], _: bool, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        for run in part.chunk_by(|a, b| a == b).flat_map(|run| run.chunks(255)) {
            out.extend([run.len() as u8, run[0]]);
        }
        // What it cannot encode.
        if part.contains(&b'!') {
            Err(EncodeError)
        } else {
            Ok(())
        }
    }

    fn decode<'c>(
        &'c mut self,
        input: &mut &[u8],
        last: bool,
        room: &'c mut [u8],
        _: u64,
    ) -> Result<Option<&'c [u8]>, DecodeError> {
        let mut filled = 0;
        while filled < room.len() {
            if self.left.0 > 0 {
                self.left.0 -= 1;
                room[filled] = self.left.1;
                filled += 1;
                continue;
            }
            let Some((&byte, rest)) = input.split_first() else {
                break;
            };
            *input = rest;
            match self.count.take() {
                None => self.count = Some(byte),
                Some(0) => return Err(DecodeError::Corrupt),
                Some(count) => self.left = (count, byte),
            }
        }
        if filled == 0 && last && self.count.is_some() {
            return Err(DecodeError::Corrupt);
        }
        Ok((filled > 0).then_some(&room[..filled]))
    }
}

/// RFC 6455 §10.4: an observer keeps no more of a message than the limit, whatever the codec makes of it, and
/// reads the next one.
#[test]
#[cfg(feature = "observer")]
fn an_observer_keeps_to_the_limit() {
    use sansocket::observer::{Content, Observer, ObserverConfig, Seen};
    let mut limits = Limits::server();
    limits.message = 1000;
    let config = ObserverConfig::new().extension(RunLengths).limits(limits);
    let agreed = Negotiated::new().extensions("x-run-lengths");
    let mut observer = Observer::upgraded(&config, agreed);
    let message = |runs: &[u8]| Frame {
        rsv: RSV2,
        ..Frame::new(BINARY, runs)
    };
    let sent = encode_for(
        Role::Client,
        &[message(&[255, 7].repeat(5)), message(&[3, 8])],
    );
    let mut input = &sent[..];
    let mut told = Vec::new();
    while let Some(seen) = observer.see(Role::Server, &mut input) {
        if let Seen::Message(message) = seen {
            told.push((message.payload.to_vec(), message.content));
        }
    }
    assert_eq!(
        told,
        [(vec![7; 1000], Content::Cut), (vec![8; 3], Content::Whole)]
    );
}

fn open_with(role: Role, limits: Limits, delivery: Delivery, fragment: u32) -> Connection {
    let agreed = Negotiated::new().extensions("x-run-lengths");
    opened(match role {
        Role::Server => {
            let config = server_config().limits(limits).delivery(delivery);
            Connection::upgraded_server(&config.fragment(fragment).extension(RunLengths), agreed)
        }
        Role::Client => {
            let config = ClientConfig::new().limits(limits).delivery(delivery);
            let config = config.fragment(fragment).extension(RunLengths);
            Connection::upgraded_client_with_entropy(&config, agreed, Box::new(SampleKey))
        }
    })
}

fn open(role: Role) -> Connection {
    open_with(role, Limits::server(), Delivery::Whole, 0)
}

/// RFC 6455 §10.4: an extension that says nothing of memory is used under a ceiling, too. What it encodes is asked
/// for as long as it says that it can become, whole and in fragments; what does not fit comes back.
#[test]
fn under_a_ceiling_on_memory() {
    for role in ROLES {
        for fragment in [0, 1000] {
            let mut limits = Limits::trusted();
            limits.memory = 64 << 10;
            let mut ws = open_with(role, limits, Delivery::Whole, fragment);
            let message: Vec<u8> = (0..8000u32).map(|i| (i / 2 % 30) as u8).collect();
            let mut sent = 0;
            let unsent = loop {
                match ws.send(&message[..]) {
                    Ok(()) => sent += 1,
                    Err(unsent) => break unsent,
                }
                assert!(ws.memory_held() <= 64 << 10);
            };
            assert!(matches!(unsent.why, SendError::Memory { .. }), "{unsent:?}");
            assert!(sent >= 1);
            let payload: usize = take_frames(&mut ws)
                .iter()
                .map(|frame| frame.payload.len())
                .sum();
            assert_eq!(payload, sent * message.len());
            ws.send(&message[..]).unwrap();
            let unsent = loop {
                if let Err(why) = ws.send_part(Part::binary(&message)) {
                    break why;
                }
            };
            assert!(matches!(unsent, SendError::Memory { .. }), "{unsent:?}");
        }
    }
    // The handshake agrees on it.
    let mut limits = Limits::trusted();
    limits.memory = 64 << 10;
    let config = server_config().limits(limits).extension(RunLengths);
    let mut ws = Connection::server(&config);
    let request = b"GET / HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
        Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
        Sec-WebSocket-Extensions: x-run-lengths\r\n\r\n";
    receive(&mut ws, request);
    ws.accept(Accept::new()).unwrap();
    assert_eq!(ws.extensions(), "x-run-lengths");
}

/// RFC 6455 §10.4: where a ceiling leaves nothing for what comes out of the codec, the connection fails.
#[test]
fn what_comes_at_the_ceiling() {
    for role in ROLES {
        for delivery in [Delivery::Whole, Delivery::Chunks] {
            for kind in [TEXT, BINARY] {
                let mut limits = Limits::trusted();
                limits.memory = 64 << 10;
                let mut ws = open_with(role, limits, delivery, 0);
                for len in [4000, 60, 1] {
                    while ws.send_part(Part::binary(&vec![b'a'; len])).is_ok() {}
                }
                let frame = Frame {
                    rsv: RSV2,
                    ..Frame::new(kind, [3, b'a'])
                };
                let events = receive_frames(&mut ws, &[frame]);
                let failure = events.iter().find_map(Seen::failure);
                let Some(Failure::Protocol(ProtocolError::Limit { limit, max, .. })) = failure
                else {
                    panic!("{events:?}")
                };
                assert_eq!((limit, max), (Limit::Memory, 64 << 10));
                assert!(ws.memory_held() <= 64 << 10);
            }
        }
    }
}

/// The bit is on the first frame, and everything that can be sent is encoded.
#[test]
fn what_is_sent_is_encoded() {
    for role in ROLES {
        let mut ws = open(role);
        ws.send("aaab").unwrap();
        ws.send(vec![7; 300]).unwrap();
        ws.send(&Prepared::text("cc")).unwrap();
        ws.send_with("plain", Compress::Never).unwrap();
        ws.send_with("d", Compress::Alone).unwrap();
        ws.send_part(Part::text(b"ee")).unwrap();
        ws.send_part(Part::text(b"").last()).unwrap();
        ws.send("").unwrap();
        assert_eq!(ws.buffered_amount(), 4 + 300 + 2 + 5 + 1 + 2);
        let seen: Vec<_> = take_frames(&mut ws)
            .into_iter()
            .map(|frame| (frame.rsv, frame.opcode, frame.fin, frame.payload))
            .collect();
        let expected = [
            (RSV2, TEXT, true, b"\x03a\x01b".to_vec()),
            (RSV2, BINARY, true, vec![255, 7, 45, 7]),
            (RSV2, TEXT, true, b"\x02c".to_vec()),
            (0, TEXT, true, b"plain".to_vec()),
            (RSV2, TEXT, true, b"\x01d".to_vec()),
            (RSV2, TEXT, false, b"\x02e".to_vec()),
            (0, CONTINUATION, true, vec![]),
            (RSV2, TEXT, true, vec![]),
        ];
        assert_eq!(seen, expected);
        assert_eq!(ws.buffered_amount(), 0);
        // The encoded message is what is split.
        let mut ws = open_with(role, Limits::server(), Delivery::Whole, 3);
        ws.send("abc").unwrap();
        ws.send("").unwrap();
        let lens: Vec<_> = take_frames(&mut ws)
            .iter()
            .map(|frame| frame.payload.len())
            .collect();
        assert_eq!(lens, [3, 3, 0]);
    }
}

/// Frames and runs may be cut anywhere; UTF-8 is checked after decoding.
#[test]
fn what_comes_is_decoded() {
    for role in ROLES {
        for delivery in [Delivery::Whole, Delivery::Chunks] {
            for cut in 0..=4 {
                let (first, rest) = b"\x03a\xffb".split_at(cut);
                for opcode in [TEXT, BINARY] {
                    let mut start = Frame::new(opcode, first).more();
                    start.rsv = RSV2;
                    let frames = [start, Frame::new(PING, ""), Frame::new(CONTINUATION, rest)];
                    let mut ws = open_with(role, Limits::server(), delivery, 0);
                    let bytes = encode_for(role, &frames);
                    let seen: Vec<_> = bytes
                        .chunks(1)
                        .flat_map(|byte| receive(&mut ws, byte))
                        .collect();
                    let mut got = (Vec::new(), 0);
                    for one in seen {
                        match one {
                            Seen::Text(text) => got = (text.into_bytes(), 1),
                            Seen::Binary(bytes) => got = (bytes, 1),
                            Seen::Chunk { payload, last, .. } => {
                                got.0.extend(payload);
                                got.1 += u32::from(last);
                            }
                            other => assert_eq!(other, Seen::ping("")),
                        }
                    }
                    let text = "aaa".to_owned() + &"b".repeat(255);
                    assert_eq!(got, (text.into_bytes(), 1), "{opcode} {delivery:?} {cut}");
                }
            }
            for (payload, error) in [
                (&b"\x01"[..], ProtocolError::CompressedData),
                (b"\x00a", ProtocolError::CompressedData),
                (
                    b"\x01\xff",
                    ProtocolError::TextNotUtf8 { at: 0, cut: false },
                ),
                (b"\x01\xc3", ProtocolError::TextNotUtf8 { at: 1, cut: true }),
            ] {
                let mut frame = Frame::new(TEXT, payload);
                frame.rsv = RSV2;
                let mut ws = open_with(role, Limits::server(), delivery, 0);
                let seen = receive_frames(&mut ws, &[frame]);
                let error = Failure::Protocol(error);
                assert_eq!(
                    seen.iter().find_map(Seen::failure),
                    Some(error),
                    "{payload:?}"
                );
            }
        }
    }
}

/// Decodes messages that are there as a whole, and nothing else. It counts those that were taken.
#[derive(Debug, Clone, Default)]
struct AtOnce {
    taken: Arc<AtomicUsize>,
}

impl MessageExtension for AtOnce {
    fn name(&self) -> &str {
        "x-at-once"
    }

    fn reserved_bit(&self) -> u8 {
        RSV2
    }

    fn offer(&self) -> String {
        "x-at-once".into()
    }

    fn answer(&self, _: &[Extension<'_>]) -> Option<String> {
        None
    }

    fn codec(&self, _: Role, _: &Extension<'_>) -> Option<Box<dyn MessageCodec>> {
        let (taken, lent) = (Arc::clone(&self.taken), Vec::new());
        Some(Box::new(AtOnceCodec { taken, lent }))
    }
}

struct AtOnceCodec {
    taken: Arc<AtomicUsize>,
    lent: Vec<u8>,
}

impl MessageCodec for AtOnceCodec {
    fn encode(&mut self, _: &[u8], _: bool, _: &mut Vec<u8>) -> Result<(), EncodeError> {
        Err(EncodeError)
    }

    fn decode<'c>(
        &'c mut self,
        _: &mut &[u8],
        _: bool,
        _: &'c mut [u8],
        _: u64,
    ) -> Result<Option<&'c [u8]>, DecodeError> {
        Err(DecodeError::Corrupt)
    }

    fn decode_message(&mut self, payload: &[u8], _: u64) -> Option<&[u8]> {
        self.lent = payload.iter().rev().copied().collect();
        Some(&self.lent)
    }

    fn decoded(&mut self) {
        self.taken.fetch_add(1, Ordering::Relaxed);
    }
}

/// [`MessageCodec::decode_message`]: asked for a message that the input has as a whole, and told when it was taken; of
/// one that is cut [`decode`](MessageCodec::decode) gets the parts.
#[test]
fn a_message_that_is_decoded_at_once() {
    for role in ROLES {
        let at_once = AtOnce::default();
        let agreed = Negotiated::new().extensions("x-at-once");
        let mut ws = opened(match role {
            Role::Server => {
                let config = server_config().extension(at_once.clone());
                Connection::upgraded_server(&config, agreed)
            }
            Role::Client => {
                let config = ClientConfig::new().extension(at_once.clone());
                Connection::upgraded_client_with_entropy(&config, agreed, Box::new(SampleKey))
            }
        });
        let frame = |opcode| Frame {
            rsv: RSV2,
            ..Frame::new(opcode, "abc")
        };
        let whole = encode_for(role, &[frame(TEXT), frame(BINARY)]);
        let expected = [Seen::text("cba"), Seen::binary("cba")];
        assert_eq!(receive(&mut ws, &whole), expected);
        assert_eq!(at_once.taken.load(Ordering::Relaxed), 2);
        let mut events = receive(&mut ws, &whole[..4]);
        events.extend(receive(&mut ws, &whole[4..]));
        let corrupt = Failure::Protocol(ProtocolError::CompressedData);
        assert_eq!(events, [Seen::Failed(corrupt)]);
        assert_eq!(at_once.taken.load(Ordering::Relaxed), 2);
    }
}

/// The limit holds whatever the codec does, before more than a piece over it has come out.
#[test]
fn the_limit_holds_while_it_is_decoded() {
    let mut limits = Limits::server();
    limits.message = 1000;
    for role in ROLES {
        for delivery in [Delivery::Whole, Delivery::Chunks] {
            for opcode in [TEXT, BINARY] {
                for (runs, fits) in [
                    (&[250, b'a', 250, b'a'].repeat(2)[..], true),
                    (&[255, b'a'].repeat(4), false),
                ] {
                    let mut frame = Frame::new(opcode, runs);
                    frame.rsv = RSV2;
                    let mut ws = open_with(role, limits, delivery, 0);
                    let failure = receive_frames(&mut ws, &[frame])
                        .iter()
                        .find_map(Seen::failure);
                    let (limit, value, max) = (Limit::Message, 1001, 1000);
                    let error = ProtocolError::Limit { limit, value, max };
                    assert_eq!(
                        failure,
                        (!fits).then_some(error.into()),
                        "{opcode} {delivery:?}"
                    );
                }
            }
        }
    }
}

/// A message that cannot be encoded cannot end: nothing goes out in its place.
#[test]
fn a_codec_that_cannot_go_on() {
    for role in ROLES {
        for fragment in [0, 3] {
            let mut ws = open_with(role, Limits::server(), Delivery::Whole, fragment);
            ws.send("before").unwrap();
            let before = ws.output_len();
            ws.send("aaa!").unwrap();
            assert_eq!(
                (ws.output_len(), ws.transport()),
                (before, Transport::Close)
            );
        }
        let mut ws = open(role);
        ws.send_part(Part::text(b"aaa")).unwrap();
        ws.send_part(Part::text(b"!").last()).unwrap();
        assert_eq!(ws.transport(), Transport::Close);
        assert!(matches!(&receive(&mut ws, b"")[..], [Seen::Closed(report)] if !report.clean));
    }
}

/// Offered, answered and agreed on; not where an extension of the application uses the bit.
#[test]
fn agreed_on() {
    for (bit, expected) in [(4, "x-own, x-run-lengths"), (RSV2, "x-own")] {
        let request = ClientRequest::new(Uri::parse("ws://h/").unwrap());
        let request = request.extension("x-own", bit).unwrap();
        let config = ClientConfig::new().extension(RunLengths);
        let mut client =
            Connection::client_with_entropy(&config, request, Box::new(SampleKey)).unwrap();
        let mut server = Connection::server(&server_config().extension(RunLengths));
        receive(&mut server, &take_output(&mut client));
        server
            .accept(Accept::new().extension("x-own", bit).unwrap())
            .unwrap();
        receive(&mut client, &take_output(&mut server));
        receive(&mut server, b"");
        let mut named: Vec<_> = client.extensions().split(", ").collect();
        named.sort_unstable();
        assert_eq!(named.join(", "), expected);
        server.send("aaaaaaaa").unwrap();
        let output = take_output(&mut server);
        assert_eq!(output.len(), if bit == RSV2 { 10 } else { 4 });
        assert_eq!(receive(&mut client, &output), [Seen::text("aaaaaaaa")]);
    }
}

/// A codec that holds no heap: nothing is given up, and what it is itself is counted.
#[test]
fn a_codec_without_heap() {
    let mut ws = open_with(Role::Server, Limits::server(), Delivery::Whole, 0);
    let before = ws.memory_held();
    assert!(before >= size_of::<Codec>());
    ws.park();
    assert_eq!(ws.memory_held(), before);
}

/// What a codec says of a message is told with the limit and the value.
#[test]
fn the_errors_of_a_codec() {
    for (error, text) in [
        (DecodeError::Corrupt, "a message that is not well-formed"),
        (
            DecodeError::TooLong { value: 5, max: 4 },
            "a message of 5 bytes, at most 4",
        ),
        (
            DecodeError::Ratio { max: 10 },
            "a message of more than 10 times its payload",
        ),
    ] {
        assert_eq!(error.to_string(), text);
    }
    assert_eq!(
        EncodeError.to_string(),
        "a message that the extension cannot encode"
    );
}
