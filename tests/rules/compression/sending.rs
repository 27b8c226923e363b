//! Messages out: the bytes of RFC 7692 §7.2.3, which messages are compressed, contexts, fragments.

use sansocket::config::Limits;
use sansocket::error::SendError;
use sansocket::extension::Compress;
use sansocket::extension::PermessageDeflate;
use sansocket::{Connection, Kind, Part, Prepared, Role};

use super::{End, NO_TAKEOVER, TAKEOVER, answer, noise, open};
use crate::support::*;

/// The next message of a peer that has these frames.
fn read_back(peer: &mut Connection, frames: &[Frame]) -> Vec<Seen> {
    receive_frames(peer, frames)
}

fn hex(frame: &Frame) -> String {
    let bytes: Vec<_> = frame
        .encode()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    bytes.join(" ")
}

fn sent(ws: &mut Connection) -> Vec<String> {
    take_frames(ws).iter().map(hex).collect()
}

/// VD-3, VD-5, VD-6, VE-1, PC-6, PF-3, PF-8: byte for byte, in both roles.
#[test]
fn the_rfc_s_examples() {
    for role in ROLES {
        let mut ws = open(role, NO_TAKEOVER);
        for _ in 0..3 {
            ws.send("Hello").unwrap();
            assert_eq!(sent(&mut ws), ["c1 07 f2 48 cd c9 c9 07 00"], "VD-5");
        }
        ws.send(&b"Hello"[..]).unwrap();
        assert_eq!(sent(&mut ws), ["c2 07 f2 48 cd c9 c9 07 00"]);
        let mut ws = open(role, TAKEOVER);
        ws.send("Hello").unwrap();
        ws.send("").unwrap();
        ws.send("Hello").unwrap();
        let expected = [
            "c1 07 f2 48 cd c9 c9 07 00",
            "c1 01 00",
            "c1 05 f2 00 11 00 00",
        ];
        assert_eq!(sent(&mut ws), expected, "VD-6, VE-3");
    }
}

/// PF-8: what is masked is what was compressed.
#[test]
fn a_client_masks_after_compressing() {
    let mut ws = open(Role::Client, NO_TAKEOVER);
    ws.send("Hello").unwrap();
    let masked = "c1 87 37 fa 21 3d c5 b2 ec f4 fe fd 21";
    assert_eq!(peek_output(&ws), bytes(masked));
}

/// PC-5, VD-10, VE-5: parts keep their four bytes, the last does not, and may be empty.
#[test]
fn parts() {
    for role in ROLES {
        let mut ws = open(role, NO_TAKEOVER);
        ws.send_part(Part::text(b"He")).unwrap();
        ws.ping(b"x").unwrap();
        ws.send_part(Part::text(b"llo").last()).unwrap();
        let expected = [
            "41 08 f2 48 05 00 00 00 ff ff",
            "89 01 78",
            "80 05 ca c9 c9 07 00",
        ];
        assert_eq!(sent(&mut ws), expected);
        ws.send_part(Part::text(b"Hello")).unwrap();
        ws.send_part(Part::text(b"").last()).unwrap();
        let expected = ["41 0b f2 48 cd c9 c9 07 00 00 00 ff ff", "80 01 00"];
        assert_eq!(sent(&mut ws), expected);
        // A message of one part is a message.
        ws.send_part(Part::text(b"Hello").last()).unwrap();
        assert_eq!(sent(&mut ws), ["c1 07 f2 48 cd c9 c9 07 00"]);
    }
}

/// A character over two parts; text that is none changes nothing, the window neither.
#[test]
fn a_refused_part_leaves_no_trace() {
    let mut ws = open(Role::Server, TAKEOVER);
    let mut peer = open(Role::Client, TAKEOVER);
    ws.send_part(Part::text(b"\xe4\xb8")).unwrap();
    assert_eq!(
        ws.send_part(Part::text(b"\xff").last()),
        Err(SendError::NotUtf8 { at: 0 })
    );
    assert_eq!(
        ws.send_part(Part::text(b"").last()),
        Err(SendError::NotUtf8 { at: 0 })
    );
    assert_eq!(
        ws.send("Hello").unwrap_err().why,
        SendError::MessageInProgress
    );
    ws.send_part(Part::text(b"\x96").last()).unwrap();
    ws.send("\u{4e16}").unwrap();
    let frames = take_frames(&mut ws);
    assert_eq!(
        read_back(&mut peer, &frames),
        [Seen::text("世"), Seen::text("世")]
    );
}

/// A queue that is full refuses before the compressor has seen a byte (a message that is compressed and
/// not sent would be in the window of one end only).
#[test]
fn a_refused_message_leaves_no_trace() {
    let mut limits = Limits::client();
    limits.output = 8;
    for role in ROLES {
        let peer_role = if role == Role::Server {
            Role::Client
        } else {
            Role::Server
        };
        let end = End {
            limits,
            ..End::default()
        };
        let mut ws = end.open(role, answer(TAKEOVER));
        let mut peer = open(peer_role, TAKEOVER);
        for i in 0..20 {
            let text = format!("a message of some length, number {i}, and the same words again");
            ws.send(&text).unwrap();
            for compress in [Compress::Always, Compress::Alone, Compress::Auto] {
                let unsent = ws.send_with(text.clone() + " lost", compress).unwrap_err();
                assert!(matches!(unsent.why, SendError::Full { .. }));
                assert_eq!(unsent.message, text.clone() + " lost");
            }
            assert!(matches!(
                ws.send_part(Part::text(b"lost")),
                Err(SendError::Full { .. })
            ));
            let frames = take_frames(&mut ws);
            assert_eq!(read_back(&mut peer, &frames), [Seen::text(&text)]);
        }
    }
}

/// PC-14, PF-1: the threshold, and each way to override it.
#[test]
fn what_is_compressed() {
    let deflate = PermessageDeflate::client().threshold(6);
    let end = End {
        deflate,
        ..End::default()
    };
    let mut ws = end.open(Role::Server, answer(NO_TAKEOVER));
    let plain = "81 05 48 65 6c 6c 6f";
    let compressed = "c1 07 f2 48 cd c9 c9 07 00";
    for (text, compress, expected) in [
        ("Hello", Compress::Auto, plain),
        ("Hello", Compress::Always, compressed),
        ("Hello", Compress::Alone, compressed),
        ("Hello", Compress::Never, plain),
        ("Hello!", Compress::Never, "81 06 48 65 6c 6c 6f 21"),
        ("Hello!", Compress::Auto, "c1 08 f2 48 cd c9 c9 57 04 00"),
    ] {
        ws.send_with(text, compress).unwrap();
        assert_eq!(sent(&mut ws), [expected], "{text} {compress:?}");
        ws.send_part(Part::text(text.as_bytes()).last().compress(compress))
            .unwrap();
        assert_eq!(sent(&mut ws), [expected], "{text} {compress:?}");
    }
    // Of several parts all are as the first one says; more are expected, so it is not too short.
    for (compress, first, rest) in [
        (
            Compress::Auto,
            "41 08 f2 48 05 00 00 00 ff ff",
            "80 05 ca c9 c9 07 00",
        ),
        (
            Compress::Always,
            "41 08 f2 48 05 00 00 00 ff ff",
            "80 05 ca c9 c9 07 00",
        ),
        (
            Compress::Alone,
            "41 08 f2 48 05 00 00 00 ff ff",
            "80 05 ca c9 c9 07 00",
        ),
        (Compress::Never, "01 02 48 65", "80 03 6c 6c 6f"),
    ] {
        ws.send_part(Part::text(b"He").compress(compress)).unwrap();
        ws.send_part(Part::text(b"llo").last().compress(Compress::Never))
            .unwrap();
        assert_eq!(sent(&mut ws), [first, rest], "{compress:?}");
    }
    // In one frame of known length nothing is compressed: its length could not be known.
    ws.begin_message(Kind::Text, 6).unwrap();
    ws.write_message(b"Hello!").unwrap();
    assert_eq!(sent(&mut ws), ["81 06 48 65 6c 6c 6f 21"]);
    // Without agreed compression everything goes out as it is.
    let mut ws = End::default().open(Role::Server, sansocket::Negotiated::new());
    ws.send_with("Hello", Compress::Always).unwrap();
    ws.send_part(Part::text(b"Hello").last().compress(Compress::Alone))
        .unwrap();
    assert_eq!(sent(&mut ws), [plain, plain]);
}

/// RFC 7692 §8: what is sent alone finds nothing of what was sent before, and what is sent later
/// finds nothing of it.
#[test]
fn alone_leaves_nothing_in_the_shared_window() {
    let secret = "csrf-token=0123456789abcdef0123456789abcdef";
    for role in ROLES {
        let fresh = |text: &str| {
            let mut ws = open(role, TAKEOVER);
            ws.send_with(text, Compress::Always).unwrap();
            take_frames(&mut ws)
        };
        let mut ws = open(role, TAKEOVER);
        let peer_role = if role == Role::Server {
            Role::Client
        } else {
            Role::Server
        };
        let mut peer = open(peer_role, TAKEOVER);
        let mut check = |ws: &mut Connection, text: &str| {
            let frames = take_frames(ws);
            assert_eq!(read_back(&mut peer, &frames), [Seen::text(text)]);
            frames
        };
        ws.send(secret).unwrap();
        check(&mut ws, secret);
        ws.send_with(secret, Compress::Alone).unwrap();
        assert_eq!(check(&mut ws, secret), fresh(secret), "nothing from before");
        ws.send(secret).unwrap();
        assert_eq!(
            check(&mut ws, secret),
            fresh(secret),
            "nothing of the one alone"
        );
        ws.send(secret).unwrap();
        assert!(
            check(&mut ws, secret)[0].payload.len() < 10,
            "the context goes on"
        );
        // In parts too.
        let (a, b) = secret.as_bytes().split_at(20);
        ws.send_part(Part::text(a).compress(Compress::Alone))
            .unwrap();
        ws.send_part(Part::text(b).last().compress(Compress::Auto))
            .unwrap();
        let parts = check(&mut ws, secret);
        assert!(parts[0].payload.len() > 20);
        ws.send(secret).unwrap();
        assert_eq!(
            check(&mut ws, secret),
            fresh(secret),
            "nothing of the parts alone"
        );
        // Not compressed at all, it is in no window.
        let other = "another-token=fedcba9876543210";
        ws.send_with(other, Compress::Never).unwrap();
        check(&mut ws, other);
        ws.send(other).unwrap();
        assert!(check(&mut ws, other)[0].payload.len() > 20);
        // Parked, the next message starts afresh.
        ws.park();
        ws.send(secret).unwrap();
        assert_eq!(check(&mut ws, secret), fresh(secret));
    }
}

/// RFC 7692 §6.1, RFC 6455 §5.4: split by the size on the wire; RSV1 on the first only; control frames slip in between.
#[test]
fn automatic_fragments() {
    for role in ROLES {
        let peer_role = if role == Role::Server {
            Role::Client
        } else {
            Role::Server
        };
        for size in [1, 2, 6, 7, 8, 1000] {
            let end = End {
                fragment: size,
                ..End::default()
            };
            let mut ws = end.open(role, answer(TAKEOVER));
            let mut peer = open(peer_role, TAKEOVER);
            for text in ["Hello", "", &"long ".repeat(3000)] {
                ws.send(text).unwrap();
                ws.ping(b"between").unwrap();
                let frames = take_frames(&mut ws);
                let data: Vec<_> = frames.iter().filter(|frame| frame.opcode < 8).collect();
                for (i, frame) in data.iter().enumerate() {
                    let last = i + 1 == data.len();
                    assert_eq!(frame.rsv, if i == 0 { 4 } else { 0 });
                    assert_eq!(frame.opcode, if i == 0 { TEXT } else { CONTINUATION });
                    assert_eq!(frame.fin, last);
                    assert!(last || frame.payload.len() == size as usize);
                }
                let at = frames.iter().position(|frame| frame.opcode == PING);
                assert_eq!(
                    at,
                    Some(if data.len() > 1 { 1 } else { data.len() }),
                    "{size}"
                );
                let mut seen = read_back(&mut peer, &frames);
                seen.retain(|event| *event != Seen::ping("between"));
                assert_eq!(seen, [Seen::text(text)]);
            }
        }
    }
}

/// What does not shrink arrives too, some bytes longer.
#[test]
fn noise_arrives() {
    for params in [TAKEOVER, NO_TAKEOVER] {
        let mut ws = open(Role::Server, params);
        let mut peer = open(Role::Client, params);
        for len in [1, 100, 65_535, 65_536, 200_000] {
            let noise = noise(len);
            ws.send(&noise).unwrap();
            let frames = take_frames(&mut ws);
            assert!(frames[0].payload.len() <= len + len / 1000 + 16);
            assert!(read_back(&mut peer, &frames) == [Seen::Binary(noise)]);
        }
    }
}

/// A prepared message goes out in the form that the connection takes, shared if it can be.
#[test]
fn prepared_messages() {
    let text = "the same for all of you, ".repeat(400);
    let prepared = Prepared::text(&text).with_deflate(6, &[9, 15]);
    let config = PermessageDeflate::client().level(6).threshold(0);
    let end = || End {
        deflate: config.clone(),
        ..End::default()
    };
    let form = |params: &str, prepared: &Prepared, compress: Compress| {
        let mut ws = end().open(Role::Server, answer(params));
        ws.send_with(prepared, compress).unwrap();
        let frames = take_frames(&mut ws);
        let mut peer = open(Role::Client, params);
        assert_eq!(read_back(&mut peer, &frames), [Seen::text(&text)]);
        frames
    };
    let no_server = "; server_no_context_takeover";
    // The largest window that the connection has.
    let full = form(no_server, &prepared, Compress::Auto);
    let small = form(
        &format!("{no_server}; server_max_window_bits=9"),
        &prepared,
        Compress::Auto,
    );
    let middle = form(
        &format!("{no_server}; server_max_window_bits=12"),
        &prepared,
        Compress::Auto,
    );
    assert_eq!(small, middle, "the form for 2^9 is good for 2^12");
    assert_ne!(small, full);
    // None for it: compressed for this one connection.
    let none = form(
        &format!("{no_server}; server_max_window_bits=8"),
        &prepared,
        Compress::Auto,
    );
    assert_eq!(none[0].rsv, 4);
    // With takeover a message of another context cannot stand in the row.
    let mut ws = end().open(Role::Server, answer(TAKEOVER));
    let mut peer = open(Role::Client, TAKEOVER);
    ws.send(&prepared).unwrap();
    ws.send(&prepared).unwrap();
    let frames = take_frames(&mut ws);
    assert!(frames[1].payload.len() < frames[0].payload.len());
    assert_eq!(
        read_back(&mut peer, &frames),
        [Seen::text(&text), Seen::text(&text)]
    );
    // Said to be plain, it is.
    assert_eq!(form(no_server, &prepared, Compress::Never)[0].rsv, 0);
    // A client masks its own.
    let mut ws = end().open(Role::Client, answer(TAKEOVER));
    let mut peer = open(Role::Server, TAKEOVER);
    ws.send(&prepared).unwrap();
    let frames = take_frames(&mut ws);
    assert_eq!(frames[0].rsv, 4);
    assert_eq!(read_back(&mut peer, &frames), [Seen::text(&text)]);
}

/// RFC 6455 §5.5.1: a message in parts that the closing cuts off.
#[test]
fn closing_inside_a_message_in_parts() {
    for role in ROLES {
        let mut ws = open(role, TAKEOVER);
        ws.send_part(Part::text(b"unfinished")).unwrap();
        ws.close(Some(sansocket::CloseCode::NORMAL_CLOSURE), "")
            .unwrap();
        assert_eq!(
            ws.send_part(Part::text(b"more").last()),
            Err(SendError::Closing)
        );
        let frames = take_frames(&mut ws);
        let opcodes: Vec<_> = frames.iter().map(|frame| frame.opcode).collect();
        assert_eq!(opcodes, [TEXT, CLOSE]);
        assert_eq!(ws.buffered_amount(), 0);
        // What still comes is inflated (D-15).
        let hello = Frame {
            rsv: 4,
            ..Frame::new(TEXT, bytes("f2 48 cd c9 c9 07 00"))
        };
        assert_eq!(receive_frames(&mut ws, &[hello]), [Seen::text("Hello")]);
    }
}

/// The level is what the compressor works with: the least finds less than the most.
#[test]
fn the_level_counts() {
    let words = [
        "frame", "payload", "message", "mask", "close", "ping", "pong",
    ];
    let pick = |byte: u8| words[usize::from(byte) % words.len()];
    let text = noise(5000).into_iter().map(pick).collect::<String>();
    let len = |level| {
        let deflate = PermessageDeflate::server().level(level);
        let end = End {
            deflate,
            ..End::default()
        };
        let mut ws = end.open(Role::Server, answer(TAKEOVER));
        ws.send(&text).unwrap();
        take_output(&mut ws).len()
    };
    assert!(len(1) > len(9), "{} and {}", len(1), len(9));
}

/// RFC 6455 §5.3: each frame of a client has a fresh key, also where a compressed message is split.
#[test]
fn each_compressed_fragment_has_a_key_of_its_own() {
    let keys = Recorder::default();
    let end = End {
        fragment: 100,
        ..End::default()
    };
    let entropy = Box::new(keys.clone());
    let config = end.client();
    let mut ws = Connection::upgraded_client_with_entropy(&config, answer(TAKEOVER), entropy);
    while ws.receive(&mut &mut [][..]).is_some() {}
    ws.send_with(&noise(1000)[..], Compress::Always).unwrap();
    let frames = decode(&take_output(&mut ws));
    assert!(frames.len() > 5 && frames[0].rsv == 4);
    let used: Vec<_> = frames
        .iter()
        .map(|frame| frame.key.unwrap().to_vec())
        .collect();
    assert_eq!(used, keys.draws());
}
