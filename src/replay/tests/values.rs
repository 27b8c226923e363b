//! What stands in a recording, one of each: settings, requests, answers, messages; and what is none of them.

use alloc::borrow::Cow;
use alloc::format;
use alloc::sync::Arc;

use crate::config::Delivery;
use crate::event::{Message, Payload, Text};
use crate::replay::left_out::class;
use crate::{Kind, Prepared};

use super::*;

/// Each kind of answer to the question which origins are let in, and which hosts are answered to.
#[test]
fn settings() {
    let list = OriginPolicy::list(["https://example.com", "https://*.example.com"]).unwrap();
    for origin in [
        OriginPolicy::SameHost,
        OriginPolicy::Any,
        OriginPolicy::Application,
        list,
    ] {
        for delivery in [Delivery::Whole, Delivery::Chunks, Delivery::Ask] {
            let config = ServerConfig::new(origin.clone())
                .hosts(["h", "example.com"])
                .unwrap()
                .delivery(delivery);
            let mut ws = all().server(&config);
            read(&mut ws, REQUEST);
            let accept = Accept::new().prefer(["chat", "other"]);
            let accepted = ws.accept(accept.header("X", b"y").unwrap());
            read(&mut ws, &masked(0x81, b"Hello"));
            let recording = ws.take_recording().unwrap();
            assert!(play(&recording).unwrap() > 2, "{accepted:?}");
        }
    }
    let config = ServerConfig::upgraded;
    for config in [
        config(),
        config().echo_close_reason(),
        config().manual_close(),
    ] {
        let mut ws = all().upgraded_server(&config, Negotiated::new().subprotocol("chat"));
        ws.accept_unmasked(true);
        read(&mut ws, b"\x81\x05Hello");
        assert_eq!(ws.subprotocol(), Some("chat"));
        read(&mut ws, &masked(0x88, b"\x03\xe8bye"));
        assert!(play(&ws.take_recording().unwrap()).unwrap() > 3);
    }
}

/// An accepted request with what it names: a subprotocol, an extension of the application's.
#[test]
fn accepted() {
    let request = String::from_utf8(REQUEST.to_vec()).unwrap().replace(
        "X: y",
        "Sec-WebSocket-Protocol: chat, other\r\nSec-WebSocket-Extensions: x-own; a=1",
    );
    let mut ws = all().server(&ServerConfig::new(OriginPolicy::Any));
    read(&mut ws, request.as_bytes());
    let accept = Accept::new().subprotocol("chat").extension("x-own; a=1", 2);
    ws.accept(accept.unwrap()).unwrap();
    write(&mut ws);
    assert!(play(&ws.take_recording().unwrap()).unwrap() > 2);
}

/// Whatever is sent is sent again as it was: borrowed, handed over, shared.
#[test]
fn each_way_to_hand_a_message_over() {
    let mut ws = upgraded(all());
    let long = "x".repeat(20_000);
    let (mut lent, mut more) = (*b"lent", *b"more");
    let sent = [
        ws.send("borrowed").is_ok(),
        ws.send(&String::from("borrowed")).is_ok(),
        ws.send(b"array").is_ok(),
        ws.send(*b"an array").is_ok(),
        ws.send(&vec![1, 2, 3]).is_ok(),
        ws.send(long.clone()).is_ok(),
        ws.send(long.clone().into_boxed_str()).is_ok(),
        ws.send(Arc::<str>::from(&*long)).is_ok(),
        ws.send(Arc::<[u8]>::from(long.as_bytes())).is_ok(),
        ws.send(vec![7; 20_000]).is_ok(),
        ws.send(Cow::Borrowed("cow")).is_ok(),
        ws.send(Cow::<str>::Owned(long.clone())).is_ok(),
        ws.send(Cow::Borrowed(&b"cow"[..])).is_ok(),
        ws.send(Payload::from(&mut lent[..])).is_ok(),
        ws.send(Payload::from(vec![7; 20_000])).is_ok(),
        ws.send(Text::from(long.clone())).is_ok(),
        ws.send(Message::Binary(Payload::from(&mut more[..])))
            .is_ok(),
        ws.send(Message::Text(Text::from(long))).is_ok(),
    ];
    assert!(sent.into_iter().all(|sent| sent));
    // More slices than are looked at in one go, of which all but a few leave at once.
    let waits = ws.output_len();
    ws.consume_output(waits - 10);
    assert!(format!("{ws:?}").contains("recording_held"));
    let recording = ws.take_recording().unwrap();
    let mut replay = Replay::new(&recording).unwrap();
    let mut steps = 0;
    while replay.step().unwrap().is_some() {
        steps += 1;
        assert!(replay.connection().is_some());
    }
    assert_eq!(steps, sent.len() + 2);
}

/// A message that was compressed elsewhere comes again as it was, not as the connection compresses it.
#[cfg(feature = "deflate")]
#[test]
fn compressed_elsewhere() {
    use crate::extension::PermessageDeflate;
    let config = ServerConfig::upgraded().deflate(PermessageDeflate::server());
    let agreed = || Negotiated::new().extensions("permessage-deflate; server_no_context_takeover");
    // What comes again in it lies beyond the smaller windows.
    let once: String = (0..1000).map(|n| format!("{n}, ")).collect();
    let text = once.repeat(2);
    let forms: Vec<Prepared> = [&[][..], &[15], &[12], &[9], &[9, 12, 15]]
        .map(|windows| Prepared::text(&text).with_deflate(6, windows))
        .into();
    let mut lens = vec![];
    for prepared in &forms {
        let mut ws = all().upgraded_server(&config, agreed());
        ws.send(prepared).unwrap();
        lens.push(ws.output_len());
        write(&mut ws);
        assert_eq!(play(&ws.take_recording().unwrap()), Ok(3));
    }
    // Each is another one, and the best is taken.
    assert!((1..4).all(|n| lens[n] != lens[n - 1]), "{lens:?}");
    assert_eq!(lens[4], lens[1]);
}

/// A reason that was cut is cut again.
#[test]
fn a_reason_that_is_too_long() {
    let mut ws = upgraded(all());
    let long = "why ".repeat(100);
    ws.close(CloseCode::GOING_AWAY, &long).unwrap_err();
    ws.close_lossy(CloseCode::GOING_AWAY, &long).unwrap();
    assert!(ws.output_len() > 100);
    assert_eq!(play(&ws.take_recording().unwrap()), Ok(3));
}

/// An answer that is kept, and given up.
#[test]
fn a_kept_answer() {
    let request = ClientRequest::new(Uri::parse("ws://h/").unwrap());
    let config = ClientConfig::new().keep_response();
    let mut ws = all().client_with_entropy(&config, request, keys()).unwrap();
    let mut server = all().server(&ServerConfig::new(OriginPolicy::Any));
    read(&mut server, &write(&mut ws));
    server.accept(Accept::new()).unwrap();
    let events = read(&mut ws, &write(&mut server));
    assert!(matches!(events[..], [Event::Open]));
    let held = ws.memory_held();
    ws.drop_response();
    assert!(ws.memory_held() < held);
    let recording = ws.take_recording().unwrap();
    assert!(play(&recording).unwrap() > 3);
}

/// A client with the operating system's randomness.
#[test]
fn keys_of_the_operating_system() {
    let request = ClientRequest::new(Uri::parse("ws://h/").unwrap());
    let ws = all().client(&ClientConfig::new(), request);
    assert_eq!(ws.is_ok(), cfg!(feature = "getrandom"));
    if let Ok(mut ws) = ws {
        ws.advance_time(Duration::ZERO);
        assert_eq!(play(&ws.take_recording().unwrap()), Ok(2));
    }
}

/// Each error says what is wrong, and where.
#[test]
fn words() {
    let outcome = super::super::Outcome::UNKNOWN;
    let call = super::super::Call::of(1).unwrap();
    for (error, words) in [
        (ReplayError::Foreign, "not a recording"),
        (ReplayError::Version { version: 7 }, "of version 7"),
        (ReplayError::Damaged, "changed or cut"),
        (ReplayError::Malformed { at: 30 }, "at byte 30"),
        (ReplayError::TooMuch { at: 31 }, "at byte 31"),
        (
            ReplayError::Extension {
                name: "x-own".into(),
            },
            "extension x-own",
        ),
        (ReplayError::Feature { name: "bytes" }, "feature bytes"),
        (
            ReplayError::Parted {
                step: 5,
                call,
                expected: outcome,
                got: outcome,
            },
            "parts at step 5",
        ),
        (ReplayError::PartedAtEnd { steps: 9 }, "after 9 steps"),
    ] {
        assert!(format!("{error}").contains(words), "{error}");
    }
}

/// RFC 3629 §4: each byte stands for those that a validator cannot tell from it.
#[test]
fn classes_of_bytes() {
    for byte in 0..=u8::MAX {
        let own = class(byte);
        assert_eq!(class(own), own);
        // Wherever it stands, it is right or wrong as the other is.
        for before in [
            &[][..],
            &[0xc2],
            &[0xe0],
            &[0xe1],
            &[0xed],
            &[0xf0],
            &[0xf1],
            &[0xf4],
        ] {
            for after in [&[][..], &[0x80], &[0x80, 0x80], &[0x80, 0x80, 0x80]] {
                let text = |byte: u8| [before, &[byte], after].concat();
                let judged = |byte| {
                    let judged = core::str::from_utf8(&text(byte)).map(|_| ());
                    judged.map_err(|error| (error.valid_up_to(), error.error_len()))
                };
                assert_eq!(judged(byte), judged(own), "{byte:02x} {before:02x?}");
            }
        }
    }
}

/// Any byte may be another one, with its seal: nothing panics, and each replay ends.
#[test]
fn any_byte_changed() {
    let (recording, _) = served(all());
    let mut ws = upgraded(all().without_payloads());
    read(&mut ws, &masked(0x81, "gr\u{fc}ezi".as_bytes()));
    ws.send(Arc::<str>::from("shared")).unwrap();
    ws.send(&Prepared::text("prepared")).unwrap();
    ws.send_part(Part::new(Kind::Binary, b"part")).unwrap();
    ws.lend_buffer(vec![7; 10]);
    ws.begin_message(Kind::Binary, 3).unwrap_err();
    let short = ws.take_recording().unwrap();
    let (mut played, mut refused) = (0, 0);
    for recording in [recording, short] {
        for at in MAGIC.len()..recording.len() - 8 {
            let cut = [&recording[..at], &[0; 8]].concat();
            assert!(play(&sealed(cut)).is_err(), "cut at {at}");
            for byte in [0, 1, 2, 3, 4, 5, 9, 17, 33, 40, 0x7f, 0x80, 0xff] {
                let mut changed = recording.clone();
                changed[at] = byte;
                match play(&sealed(changed)) {
                    Ok(_) => played += 1,
                    Err(_) => refused += 1,
                }
            }
        }
    }
    assert!(played > 100 && refused > 1000, "{played} {refused}");
}

/// Payloads are left out after an opening handshake that is kept as it was, and heads where payloads are kept.
#[test]
fn either_is_left_out_alone() {
    let payload = masked(0, b"SECRET")[6..].to_vec();
    let (payloads, secrets) = (all().without_payloads(), all().without_secrets());
    for (recorder, has_payloads) in [(payloads, false), (secrets, true)] {
        let (recording, _) = served(recorder);
        assert_eq!(contains(&recording, &payload), has_payloads);
        assert_eq!(contains(&recording, b"SESAME"), !has_payloads);
        assert!(play(&recording).is_ok());
    }
}

/// Only what an extension may have encoded ends a recording without payloads: not a reserved bit that nobody uses.
#[test]
fn reserved_bits_of_nobody() {
    let without = || all().without_payloads();
    let ended = |mut ws: Recorded, bytes: &[u8]| {
        read(&mut ws, bytes);
        let recording = ws.take_recording().unwrap();
        let mut replay = Replay::new(&recording).unwrap();
        while replay.step().unwrap().is_some() {}
        replay.ended()
    };
    let frame = masked(0xc1, b"SECRET");
    let config = ServerConfig::new(OriginPolicy::Any);
    let with_frame = [REQUEST, &frame].concat();
    assert_eq!(
        ended(without().server(&config), &with_frame),
        Some(Ended::Taken)
    );
    #[cfg(feature = "deflate")]
    {
        let deflate = crate::extension::PermessageDeflate::server();
        let may = ServerConfig::upgraded().deflate(deflate);
        let ws = without().upgraded_server(&may, Negotiated::new());
        assert_eq!(ended(ws, &frame), Some(Ended::Taken));
    }
}

/// What was left in a buffer that grows is read on from where it lies.
#[cfg(feature = "bytes")]
#[test]
fn shared_bytes_and_then_others() {
    let frame = masked(0x82, b"0123456789");
    let mut ws = upgraded(all());
    read(&mut ws, b"");
    let mut buffer = bytes::BytesMut::with_capacity(100);
    buffer.extend_from_slice(&frame[..9]);
    assert!(ws.receive_bytes(&mut buffer).is_none());
    assert_eq!(buffer.len(), 9);
    buffer.extend_from_slice(&frame[9..]);
    assert!(matches!(
        ws.receive(&mut &mut buffer[..]),
        Some(Event::Message(_))
    ));
    assert_eq!(play(&ws.take_recording().unwrap()), Ok(5));
}

/// RFC 9112 §2.2: the empty line that may come before a request does not end its head.
#[test]
fn after_an_empty_line() {
    let mut ws = all()
        .without_payloads()
        .server(&ServerConfig::new(OriginPolicy::Any));
    let request = [b"\r\n", REQUEST].concat();
    assert!(matches!(read(&mut ws, &request)[..], [Event::Request(_)]));
    ws.accept(Accept::new()).unwrap();
    write(&mut ws);
    let events = read(&mut ws, &masked(0x82, b"SECRET"));
    assert!(matches!(events[..], [Event::Open, Event::Message(_)]));
    let recording = ws.take_recording().unwrap();
    assert!(!contains(&recording, &masked(0, b"SECRET")[6..]));
    assert!(contains(&recording, b"SESAME"));
    assert!(play(&recording).is_ok());
}
