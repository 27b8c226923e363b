//! The codec as agreed, against the vectors, the RFC's rules and a plain reader of DEFLATE.
#![allow(clippy::unwrap_used, clippy::panic)]

use super::{Agreed, DeflateCodec, Deflater, Inflater, PermessageDeflate, reference};
use crate::extension::{DecodeError, Extensions, MessageCodec};
use crate::role::Role;
use alloc::format;
use alloc::string::ToString;
use alloc::vec;
use alloc::vec::Vec;
use proptest::prelude::*;

const NO_LIMIT: u64 = u64::MAX;

/// VD-2, and what "Hello" is the second time with its context taken over.
const HELLO: &[u8] = &[0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00];
const HELLO_AGAIN: &[u8] = &[0xf2, 0x00, 0x11, 0x00, 0x00];

fn inflater(takeover: bool) -> Inflater {
    Inflater::new(takeover, 15, 0, Default::default())
}

/// A message in parts, whole.
fn whole(inflater: &mut Inflater, parts: &[&[u8]], limit: u64) -> Result<Vec<u8>, DecodeError> {
    let (mut out, mut filled) = (Vec::new(), 0);
    for (i, part) in parts.iter().enumerate() {
        inflater.frame(part.len() as u64);
        let fin = i + 1 == parts.len();
        inflater.inflate(part, fin, &mut out, &mut filled, limit)?;
        assert!(out.capacity() as u64 <= limit, "{} bytes", out.capacity());
    }
    out.truncate(filled);
    Ok(out)
}

/// The same in pieces, in the window.
fn pieces(inflater: &mut Inflater, parts: &[&[u8]], limit: u64) -> Result<Vec<u8>, DecodeError> {
    gathered(inflater, parts, &mut [], limit)
}

/// The same in room of the caller's.
fn in_room(inflater: &mut Inflater, parts: &[&[u8]], limit: u64) -> Result<Vec<u8>, DecodeError> {
    gathered(inflater, parts, &mut [0; 3000], limit)
}

fn gathered(
    inflater: &mut Inflater,
    parts: &[&[u8]],
    room: &mut [u8],
    limit: u64,
) -> Result<Vec<u8>, DecodeError> {
    let most = if room.is_empty() {
        16 << 10
    } else {
        room.len()
    };
    let mut out = Vec::new();
    for (i, mut part) in parts.iter().copied().enumerate() {
        inflater.frame(part.len() as u64);
        let fin = i + 1 == parts.len();
        while let Some(piece) = inflater.piece(&mut part, fin, room, limit)? {
            assert!(!piece.is_empty() && piece.len() <= most);
            out.extend_from_slice(piece);
            assert!(out.len() as u64 <= limit);
        }
        assert!(part.is_empty());
    }
    Ok(out)
}

/// A short message by the way of those, if it can go that way, and all others by the general one.
fn short(inflater: &mut Inflater, parts: &[&[u8]], limit: u64) -> Result<Vec<u8>, DecodeError> {
    let payload = parts.concat();
    inflater.frame(payload.len() as u64);
    let Some(whole) = inflater.short(&payload, limit).map(<[u8]>::to_vec) else {
        return gathered(inflater, &[&payload], &mut [], limit);
    };
    inflater.end();
    Ok(whole)
}

type Way = fn(&mut Inflater, &[&[u8]], u64) -> Result<Vec<u8>, DecodeError>;
const WAYS: [Way; 4] = [short, whole, pieces, in_room];

type Inflated<'m> = Result<&'m [u8], DecodeError>;

/// Messages in a row, in each way, uncut, cut at each byte, and byte by byte.
fn expect(takeover: bool, messages: &[(&[u8], Inflated<'_>)]) {
    let longest = messages.iter().map(|(payload, _)| payload.len()).max();
    for way in WAYS {
        for cut in 0..=longest.unwrap() {
            let mut inflater = inflater(takeover);
            for (payload, expected) in messages {
                let (head, tail) = payload.split_at(cut.min(payload.len()));
                let result = way(&mut inflater, &[head, tail], NO_LIMIT);
                assert_eq!(
                    result.as_deref(),
                    expected.as_deref(),
                    "{payload:02x?} {cut}"
                );
            }
        }
        let mut inflater = inflater(takeover);
        for (payload, expected) in messages {
            let mut parts: Vec<&[u8]> = payload.chunks(1).collect();
            parts.extend([&[][..], &[][..]]);
            let result = way(&mut inflater, &parts, NO_LIMIT);
            assert_eq!(result.as_deref(), expected.as_deref(), "{payload:02x?}");
        }
    }
}

const CORRUPT: Inflated<'_> = Err(DecodeError::Corrupt);

/// VD-2 to VD-10, VE-1 to VE-5, VE-10, VE-11, VE-16; PC-2, PC-3, PC-9.
#[test]
fn vectors_that_inflate() {
    let hello = Ok(&b"Hello"[..]);
    for takeover in [false, true] {
        expect(takeover, &[(HELLO, hello), (HELLO, hello), (HELLO, hello)]);
        for payload in [
            &[
                0x00, 0x05, 0x00, 0xfa, 0xff, 0x48, 0x65, 0x6c, 0x6c, 0x6f, 0x00,
            ][..],
            &[0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00, 0x00],
            &[
                0xf2, 0x48, 0x05, 0x00, 0x00, 0x00, 0xff, 0xff, 0xca, 0xc9, 0xc9, 0x07, 0x00,
            ],
            // The four bytes stand in a final block of their own.
            &[
                0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00, 0x00, 0x00, 0xff, 0xff, 0x01,
            ],
            &[0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00, 0x01],
            // A final block that is empty, and the byte.
            &[
                0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00, 0x01, 0, 0, 0xff, 0xff, 0x00,
            ],
        ] {
            expect(
                takeover,
                &[(payload, hello), (HELLO, hello), (payload, hello)],
            );
            if takeover {
                expect(
                    true,
                    &[(payload, hello), (HELLO_AGAIN, hello), (payload, hello)],
                );
            }
        }
        let empty = Ok(&[][..]);
        expect(
            takeover,
            &[
                (&[0x00], empty),
                (&[0x01], empty),
                (&[0x00], empty),
                (HELLO, hello),
            ],
        );
        expect(
            takeover,
            &[
                (&[0xfa, 0x0f, 0x00], Ok(&[0xff])),
                (&[0x4a, 0x04, 0x00], Ok(b"a")),
            ],
        );
    }
    expect(
        true,
        &[(HELLO, hello), (HELLO_AGAIN, hello), (HELLO_AGAIN, hello)],
    );
    expect(
        true,
        &[(HELLO, hello), (&[0x00], Ok(&[])), (HELLO_AGAIN, hello)],
    );
}

/// VE-6 to VE-9, VE-17, VE-18; PC-13, D-16, D-17.
#[test]
fn vectors_that_fail() {
    for takeover in [false, true] {
        for payload in [
            HELLO_AGAIN,
            &[0x06],
            &[
                0x00, 0x05, 0x00, 0x00, 0x00, 0x48, 0x65, 0x6c, 0x6c, 0x6f, 0x00,
            ],
            &[],
            &HELLO[..6],
            &HELLO[..5],
            // The four bytes were left in place: an empty stored block with half of another behind it.
            &[
                0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00, 0x00, 0x00, 0xff, 0xff,
            ],
            // A final block, and not the byte behind it.
            &[0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00],
            // The tail would be data of a stored block.
            &[0x00, 0x04, 0x00, 0xfb, 0xff],
        ] {
            expect(takeover, &[(payload, CORRUPT)]);
            expect(takeover, &[(&[0x00], Ok(&[])), (payload, CORRUPT)]);
        }
    }
    // Without takeover the window is gone.
    expect(false, &[(HELLO, Ok(b"Hello")), (HELLO_AGAIN, CORRUPT)]);
}

/// Each prefix of a message, and each with one bit changed, is judged as the plain reader judges it.
#[test]
fn cut_or_changed_payloads_against_the_reference() {
    let text = json(1_000);
    for level in [0, 1, 9] {
        let settings = PermessageDeflate::client().level(level);
        let payload = settings.compress(15, &text);
        let mut cases: Vec<Vec<u8>> = (0..payload.len()).map(|n| payload[..n].to_vec()).collect();
        for bit in 0..payload.len().min(200) * 8 {
            let mut changed = payload.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            cases.push(changed);
        }
        for (i, case) in cases.iter().enumerate() {
            let expected = reference::inflate(&[], case).map(|read| read.out);
            for way in WAYS {
                let result = way(&mut inflater(false), &[case], NO_LIMIT);
                assert_eq!(result.ok(), expected, "level {level} case {i}");
            }
        }
    }
}

/// Text like that of an API: the same keys, changing values.
pub(super) fn json(len: usize) -> Vec<u8> {
    let mut text = Vec::new();
    let mut seed = 7u32;
    while text.len() < len {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let (id, name) = (
            seed >> 12,
            ["alice", "bob", "carol", "dave"][(seed >> 9) as usize % 4],
        );
        let row = format!(
            "{{\"id\":{id},\"name\":\"{name}\",\"price\":{}.5}},",
            seed % 997
        );
        text.extend(row.as_bytes());
    }
    text.truncate(len);
    text
}

fn noise(len: usize) -> Vec<u8> {
    let mut seed = 99u64;
    let mut next = || {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (seed >> 56) as u8
    };
    (0..len).map(|_| next()).collect()
}

fn pair(
    offer: &str,
    server: &PermessageDeflate,
    client: &PermessageDeflate,
) -> (DeflateCodec, DeflateCodec) {
    let offers = Extensions::parse([offer.as_bytes()]).unwrap();
    let agreed = server.choose(offers).unwrap();
    let answer = agreed.to_string();
    let answers = Extensions::parse([answer.as_bytes()]).unwrap();
    let same = client.check(answers).unwrap().unwrap();
    assert_eq!(same, agreed);
    (
        agreed.codec(Role::Server, server),
        same.codec(Role::Client, client),
    )
}

fn send(from: &mut DeflateCodec, to: &mut DeflateCodec, message: &[u8]) -> Vec<u8> {
    let mut payload = Vec::new();
    from.deflater.deflate(message, true, &mut payload);
    assert!(!payload.ends_with(&[0, 0, 0xff, 0xff]));
    let inflated = whole(&mut to.inflater, &[&payload], message.len() as u64);
    assert!(inflated.unwrap() == message);
    payload
}

/// Messages that are short go another way to the same bytes, and there is always room for them.
#[test]
fn short_messages_become_the_same() {
    let messages = [
        json(5),
        Vec::new(),
        noise(1600),
        json(1600),
        Vec::new(),
        vec![0xff; 1600],
        json(700),
    ];
    for (level, bits) in (0..=9).flat_map(|level| [(level, 8), (level, 12), (level, 15)]) {
        for (mem_level, takeover) in [(1, true), (8, false), (9, true)] {
            let settings = PermessageDeflate::client()
                .level(level)
                .mem_level(mem_level);
            let mut deflater = Deflater::new(takeover, bits, &settings);
            let mut same = Deflater::new(takeover, bits, &settings);
            let mut held = 0;
            for (i, message) in messages.iter().chain(&messages).enumerate() {
                // Not the first one: with that the context would be as new in any case.
                if i == 5 {
                    deflater.alone();
                    same.alone();
                }
                let payload = deflater.short(message).unwrap().to_vec();
                let now = deflater.memory_held();
                assert!(i == 0 || now == held, "it has grown");
                held = now;
                deflater.end();
                let mut expected = Vec::new();
                same.deflate(message, true, &mut expected);
                assert!(payload == expected, "{level} {bits} {mem_level} {i}");
            }
            assert_eq!(deflater.memory_held(), if takeover { held } else { 0 });
            // Nothing was done to a longer one.
            assert_eq!(deflater.short(&json(1601)), None);
        }
    }
}

/// VD-1, VD-2, VD-5, VD-6, PC-1, PC-6, PC-8.
#[test]
fn vectors_that_are_sent() {
    let settings = PermessageDeflate::client();
    let mut out = b"before".to_vec();
    let mut taking_over = Deflater::new(true, 15, &settings);
    let mut fresh = Deflater::new(false, 15, &settings);
    taking_over.deflate(b"Hello", true, &mut out);
    assert_eq!(out, [b"before", HELLO].concat());
    out.clear();
    taking_over.deflate(b"", true, &mut out);
    taking_over.deflate(b"", true, &mut out);
    taking_over.deflate(b"Hello", true, &mut out);
    assert_eq!(out, [&[0, 0], HELLO_AGAIN].concat());
    for _ in 0..3 {
        out.clear();
        fresh.deflate(b"Hello", true, &mut out);
        assert_eq!(out, HELLO);
        out.clear();
        fresh.deflate(b"", true, &mut out);
        assert_eq!(out, [0]);
    }
}

/// VE-5, VD-10, PC-5: parts keep the four bytes, all but the last.
#[test]
fn messages_in_parts() {
    let settings = PermessageDeflate::client();
    for takeover in [false, true] {
        let mut deflater = Deflater::new(takeover, 15, &settings);
        let mut inflater = inflater(takeover);
        for parts in [
            &[&b"He"[..], b"llo"][..],
            &[b"", b""],
            &[b"Hello", b""],
            &[b"", b"Hello", b"", b"Hello"],
        ] {
            let mut frames: Vec<Vec<u8>> = Vec::new();
            for (i, part) in parts.iter().enumerate() {
                let mut frame = Vec::new();
                deflater.deflate(part, i + 1 == parts.len(), &mut frame);
                frames.push(frame);
            }
            let (last, others) = frames.split_last().unwrap();
            assert!(
                others
                    .iter()
                    .all(|f| f.is_empty() || f.ends_with(&[0, 0, 0xff, 0xff]))
            );
            assert!(!last.is_empty());
            let frames: Vec<&[u8]> = frames.iter().map(|f| &f[..]).collect();
            assert_eq!(
                whole(&mut inflater, &frames, NO_LIMIT).unwrap(),
                parts.concat()
            );
        }
        let mut frame = Vec::new();
        deflater.deflate(b"He", false, &mut frame);
        if !takeover {
            assert_eq!(frame, [0xf2, 0x48, 0x05, 0x00, 0x00, 0x00, 0xff, 0xff]);
            frame.clear();
            deflater.deflate(b"llo", true, &mut frame);
            assert_eq!(frame, [0xca, 0xc9, 0xc9, 0x07, 0x00]);
        }
    }
}

/// All windows, levels and modes: messages in a row, of which some end at the edges of buffers.
#[test]
fn every_window_both_ways() {
    let client = PermessageDeflate::client();
    let messages = [
        json(10),
        json(5_000),
        Vec::new(),
        noise(40_000),
        json(65_536),
        json(40),
        vec![0; 100_000],
    ];
    for takeover in [false, true] {
        for bits in 8..=15 {
            let level = bits % 10;
            let server = PermessageDeflate::server()
                .server_no_context_takeover(!takeover)
                .client_no_context_takeover(!takeover)
                .server_max_window_bits(bits)
                .client_max_window_bits(bits)
                .level(level);
            let (mut s, mut c) = pair(&client.offers(), &server, &client);
            for message in messages.iter().chain(&messages[..2]) {
                send(&mut s, &mut c, message);
                send(&mut c, &mut s, message);
            }
            assert_eq!(s.deflater.takeover(), takeover);
            assert_eq!(s.deflater.window_bits(), bits);
            if takeover {
                assert!(s.memory_held() > 0);
                s.shrink();
                c.shrink();
                for message in &messages[..3] {
                    send(&mut s, &mut c, message);
                    send(&mut c, &mut s, message);
                }
            } else {
                assert_eq!((s.memory_held(), c.memory_held()), (0, 0));
            }
        }
    }
}

/// PC-7: no distance beyond the window, at any level; 2^8 too, which zlib has no compressor for.
#[test]
fn no_distance_beyond_the_window() {
    for bits in 8..=15u8 {
        let window = 1usize << bits;
        // The same bytes again just within the window, on its edges, and far beyond.
        let block = noise(window / 2);
        let mut text = Vec::new();
        for gap in [
            window / 2,
            10,
            window - 6,
            window + 300,
            window.saturating_sub(262),
            window.saturating_sub(261),
            3 * window,
        ] {
            text.extend(&block);
            text.extend(noise(gap.saturating_sub(block.len())));
            text.extend(json(gap % 1_000));
        }
        for level in 0..=9 {
            let settings = PermessageDeflate::client().level(level).mem_level(level);
            let mut deflater = Deflater::new(true, bits, &settings);
            let mut history: Vec<u8> = Vec::new();
            let mut farthest = 0;
            for message in [&text[..], &block, &block, &text[..window]] {
                let mut payload = Vec::new();
                deflater.deflate(message, true, &mut payload);
                let read = reference::inflate(&history, &payload).unwrap();
                assert!(read.out[history.len()..] == *message);
                farthest = farthest.max(read.farthest);
                history = read.out;
            }
            assert!(farthest <= window, "{farthest} > {window}, level {level}");
            assert!(level == 0 || farthest > window / 4);
        }
    }
}

/// PC-11: as far back as DEFLATE goes.
#[test]
fn a_distance_of_32_kib() {
    // A match of length 3 at distance 32768: fixed codes, 257 and 29 with 13 extra bits set.
    let payload = bits(&[
        (0b010, 3),
        (0b1000000, 7),
        (0b10111, 5),
        (0x1fff, 13),
        (0, 7),
        (0, 3),
    ]);
    let mut random = noise(32_768);
    let mut stored = vec![0x00, 0xff, 0x7f, 0x00, 0x80];
    stored.extend(&random[..32_767]);
    stored.extend([0x00, 0x01, 0x00, 0xfe, 0xff, random[32_767], 0x00]);
    let again = random[..3].to_vec();
    for way in WAYS {
        let mut inflater = inflater(true);
        assert!(way(&mut inflater, &[&stored], NO_LIMIT).unwrap() == random);
        assert_eq!(way(&mut inflater, &[&payload], NO_LIMIT).unwrap(), again);
        // One more byte has come since, and the window was rebuilt from what was kept.
        inflater.park();
        assert_eq!(
            way(&mut inflater, &[&payload], NO_LIMIT).unwrap(),
            random[3..6]
        );
    }
    random.truncate(32_767);
    let mut short = vec![0x00, 0xff, 0x7f, 0x00, 0x80];
    short.extend(&random);
    short.push(0);
    expect_after(&short, &payload, CORRUPT);
}

fn expect_after(first: &[u8], payload: &[u8], expected: Inflated<'_>) {
    for way in WAYS {
        let mut inflater = inflater(true);
        way(&mut inflater, &[first], NO_LIMIT).unwrap();
        let result = way(&mut inflater, &[payload], NO_LIMIT);
        assert_eq!(result.as_deref(), expected.as_deref());
    }
}

/// Fields of bits, lowest first; codes of DEFLATE are given reversed.
fn bits(fields: &[(u32, u32)]) -> Vec<u8> {
    let mut out = vec![0];
    let mut at = 0;
    for &(value, len) in fields {
        for bit in 0..len {
            if at == 8 {
                out.push(0);
                at = 0;
            }
            *out.last_mut().unwrap() |= ((value >> bit & 1) as u8) << at;
            at += 1;
        }
    }
    out
}

/// PC-12: stops at the limit, not behind it, with room for no more.
#[test]
fn bombs() {
    let settings = PermessageDeflate::client().level(9);
    let zeros = vec![0; 1 << 20];
    let bomb = settings.compress(15, &zeros);
    assert!(bomb.len() < 1_100);
    for limit in [0, 1, 1_000, 65_536, (1 << 20) - 1] {
        for way in WAYS {
            for chunk in [1, 10, 10_000] {
                let parts: Vec<&[u8]> = bomb.chunks(chunk).collect();
                let error = way(&mut inflater(true), &parts, limit).unwrap_err();
                let value = limit + 1;
                assert_eq!(error, DecodeError::TooLong { value, max: limit });
            }
        }
    }
    for way in WAYS {
        for chunk in [1, 10_000] {
            let parts: Vec<&[u8]> = bomb.chunks(chunk).collect();
            assert!(way(&mut inflater(true), &parts, 1 << 20).unwrap() == zeros);
        }
    }
    // A message of exactly the limit passes, and so does an empty one where nothing is allowed.
    for way in WAYS {
        assert_eq!(way(&mut inflater(true), &[HELLO], 5).unwrap(), b"Hello");
        assert!(way(&mut inflater(true), &[HELLO], 4).is_err());
        assert_eq!(way(&mut inflater(true), &[&[0]], 0).unwrap(), b"");
    }
}

/// The ratio limit counts by the frames announced, so that every cut gives the same result.
#[test]
fn the_ratio_limit() {
    let bomb = PermessageDeflate::client()
        .level(9)
        .compress(15, &vec![0; 1 << 20]);
    let small = PermessageDeflate::client()
        .level(9)
        .compress(15, &vec![0; 64 << 10]);
    for way in WAYS {
        for (payload, ratio, passes) in
            [(&bomb, 100, false), (&bomb, 1_100, true), (&small, 1, true)]
        {
            let mut inflater = Inflater::new(true, 15, ratio, Default::default());
            let result = way(&mut inflater, &[payload], NO_LIMIT);
            match passes {
                true => drop(result.unwrap()),
                false => assert_eq!(result, Err(DecodeError::Ratio { max: ratio })),
            }
        }
        // The lower limit is the one that is named.
        let mut inflater = Inflater::new(true, 15, 100, Default::default());
        let error = way(&mut inflater, &[&bomb], 70_000).unwrap_err();
        assert_eq!(
            error,
            DecodeError::TooLong {
                value: 70_001,
                max: 70_000
            }
        );
        let mut inflater = Inflater::new(true, 15, 1, Default::default());
        let error = way(&mut inflater, &[&bomb], 65_536).unwrap_err();
        assert_eq!(
            error,
            DecodeError::TooLong {
                value: 65_537,
                max: 65_536
            }
        );
    }
    for cut in [1, 7, 300, 2_000] {
        let mut inflater = Inflater::new(true, 15, 100, Default::default());
        inflater.frame(bomb.len() as u64);
        let (mut out, mut filled) = (Vec::new(), 0);
        let result = bomb
            .chunks(cut)
            .try_for_each(|part| inflater.inflate(part, false, &mut out, &mut filled, NO_LIMIT));
        assert_eq!(result, Err(DecodeError::Ratio { max: 100 }));
        assert_eq!(filled, bomb.len() * 100);
    }
}

/// A text of 64 KiB comes out in one piece: inflating slows down at each end of its room.
#[test]
fn a_long_text_is_one_piece() {
    let text: Vec<u8> = (0..)
        .flat_map(|i: u64| {
            format!("{{\"id\":{i},\"name\":\"item {}\"}},", i * i % 999_983).into_bytes()
        })
        .take(64 << 10)
        .collect();
    let payload = PermessageDeflate::client().compress(15, &text);
    assert!((text.len() / 6..text.len() / 3).contains(&payload.len()));
    for takeover in [false, true] {
        let mut inflater = inflater(takeover);
        let mut room = vec![0; Inflater::room_for(payload.len())];
        let mut rest = &*payload;
        inflater.frame(payload.len() as u64);
        let piece = inflater.piece(&mut rest, true, &mut room, NO_LIMIT);
        assert_eq!(piece.unwrap().map(<[u8]>::len), Some(text.len()));
        let piece = inflater.piece(&mut rest, true, &mut room, NO_LIMIT);
        assert_eq!(piece, Ok(None));
    }
}

/// A buffer that comes initialised is used as it is, and none is made.
#[test]
fn room_that_is_there_is_used() {
    let mut out = vec![7; 100];
    let (at, mut filled) = (out.as_ptr(), 0);
    let mut inflater = inflater(false);
    inflater
        .inflate(HELLO, true, &mut out, &mut filled, 100)
        .unwrap();
    assert_eq!(
        (&out[..filled], out.len(), out.as_ptr()),
        (&b"Hello"[..], 100, at)
    );
}

/// Nothing until the first message; afterwards only what was agreed on.
#[test]
fn memory_is_held_only_where_agreed() {
    let settings = PermessageDeflate::client();
    let (mut s, mut c) = pair(&settings.offers(), &settings, &settings);
    assert_eq!(s.memory_held() + c.memory_held(), 0);
    send(&mut s, &mut c, b"Hello");
    assert_eq!(s.memory_held(), 380_184);
    let hello_again = s.deflater.short(b"Hello").map(<[u8]>::to_vec);
    assert_eq!(hello_again.as_deref(), Some(HELLO_AGAIN));
    assert_eq!(s.memory_held(), 382_232);
    s.deflater.end();
    assert_eq!(s.memory_held(), 382_232);
    assert_eq!(c.memory_held(), 65_152);
    // A short message that is there as a whole, and a long limit.
    let hello = short(&mut c.inflater, &[HELLO_AGAIN], NO_LIMIT);
    assert_eq!(hello.as_deref(), Ok(&b"Hello"[..]));
    assert_eq!(c.memory_held(), 65_152);
    // Parked, only what was received stays.
    c.shrink();
    assert_eq!(c.memory_held(), 10);
    send(&mut s, &mut c, &[b'l'; 40_000]);
    assert_eq!(c.memory_held(), 65_152 + (32 << 10));
    s.shrink();
    c.shrink();
    assert_eq!(s.memory_held(), 0);
    assert_eq!(c.memory_held(), 32 << 10);
    assert_eq!(send(&mut s, &mut c, b"Hello"), HELLO);
    assert_eq!(send(&mut s, &mut c, b"Hello"), HELLO_AGAIN);
    // In the middle of a message nothing is given up.
    let mut frame = Vec::new();
    s.deflater.deflate(b"Hel", false, &mut frame);
    whole_part(&mut c, &frame);
    s.shrink();
    c.shrink();
    assert!(s.memory_held() > 0 && c.inflater.memory_held() > 32 << 10);
}

fn whole_part(codec: &mut DeflateCodec, payload: &[u8]) {
    let (mut out, mut filled) = (Vec::new(), 0);
    codec
        .inflater
        .inflate(payload, false, &mut out, &mut filled, NO_LIMIT)
        .unwrap();
}

#[cfg(feature = "std")]
#[test]
fn without_takeover_codecs_go_back_to_the_pool() {
    let pool = super::DeflatePool::new(4);
    let settings = PermessageDeflate::server().pool(&pool);
    let mut connections: Vec<_> = (0..50)
        .map(|_| pair("permessage-deflate", &settings, &settings))
        .collect();
    for (s, c) in &mut connections {
        send(s, c, b"Hello, Hello");
        send(c, s, b"Hello, Hello");
        assert_eq!(s.memory_held() + c.memory_held(), 0);
    }
    // One message at a time: one of each was ever in use.
    assert_eq!(pool.idle(), 2);
    // What one connection inflated, another cannot refer to.
    let (s, _) = &mut connections[0];
    for way in WAYS {
        assert_eq!(
            way(&mut s.inflater, &[HELLO_AGAIN], NO_LIMIT),
            Err(DecodeError::Corrupt)
        );
    }
    let text = format!("{pool:?} {s:?} {settings:?}");
    assert!(!text.contains("Hello"), "{text}");
    for name in [
        "DeflatePool {",
        "Inflater {",
        "Deflater {",
        "PermessageDeflate {",
    ] {
        assert!(text.contains(name), "{text}");
    }
    assert_eq!(text.matches("memory_held").count(), 2, "{text}");
}

/// RFC 7692 §7.1.1: a compressor out of the pool gives the bytes of a new one, whatever it compressed
/// before: without takeover, alone, or parked with a context.
#[test]
#[cfg(feature = "std")]
fn a_compressor_used_again_is_as_new() {
    let messages = [json(5000), noise(300), json(70_000), Vec::new(), json(900)];
    for level in 0..=9 {
        for bits in [9, 12, 15] {
            let settings = PermessageDeflate::server().level(level);
            for way in ["dropped", "alone", "parked"] {
                let mut used = Deflater::new(way != "dropped", bits, &settings);
                for message in messages.iter().chain(&messages) {
                    match way {
                        "alone" => used.alone(),
                        "parked" => used.park(),
                        _ => {}
                    }
                    let mut out = Vec::new();
                    used.deflate(message, true, &mut out);
                    let fresh = settings.clone().pool(&super::DeflatePool::new(0));
                    assert_eq!(out, fresh.compress(bits, message), "{level} {bits} {way}");
                }
            }
        }
    }
}

/// The same in parts, of which some are empty: what was flushed before is nothing to them.
#[test]
#[cfg(feature = "std")]
fn a_compressor_used_again_is_as_new_in_parts() {
    let in_parts = |deflater: &mut Deflater, parts: &[&[u8]]| -> Vec<Vec<u8>> {
        let (last, others) = parts.split_last().unwrap();
        let part = |deflater: &mut Deflater, part: &[u8], fin| {
            let mut out = Vec::new();
            deflater.deflate(part, fin, &mut out);
            out
        };
        let mut all: Vec<_> = others
            .iter()
            .map(|own| part(deflater, own, false))
            .collect();
        all.push(part(deflater, last, true));
        all
    };
    let messages: [&[&[u8]]; 5] = [
        &[b"", b"abc"],
        &[b"abc", b""],
        &[b"", b""],
        &[b"abcabc", b"", b"abc"],
        &[b""],
    ];
    for level in 0..=9 {
        let settings = PermessageDeflate::server().level(level);
        let mut used = Deflater::new(false, 15, &settings);
        for message in messages.iter().chain(&messages) {
            let alone = settings.clone().pool(&super::DeflatePool::new(0));
            let mut fresh = Deflater::new(false, 15, &alone);
            let expected = in_parts(&mut fresh, message);
            assert_eq!(
                in_parts(&mut used, message),
                expected,
                "{level} {message:?}"
            );
        }
    }
}

/// A message of its own context refers to nothing, and nothing refers to it.
#[test]
fn a_secret_alone() {
    let settings = PermessageDeflate::client();
    let (mut s, mut c) = pair(&settings.offers(), &settings, &settings);
    send(&mut s, &mut c, b"Hello");
    s.deflater.alone();
    assert_eq!(send(&mut s, &mut c, b"Hello"), HELLO);
    assert_eq!(send(&mut s, &mut c, b"Hello"), HELLO);
    assert_eq!(send(&mut s, &mut c, b"Hello"), HELLO_AGAIN);
}

#[test]
fn a_message_compressed_elsewhere() {
    let settings = PermessageDeflate::server();
    let (_, mut c) = pair(
        "permessage-deflate",
        &settings,
        &PermessageDeflate::client(),
    );
    let text = json(10_000);
    for bits in 8..=15 {
        let payload = settings.compress(bits, &text);
        assert!(whole(&mut c.inflater, &[&payload], NO_LIMIT).unwrap() == text);
    }
}

/// In small cuts too: work that grew with the square of the length would not end here.
#[test]
fn sixteen_mebibytes() {
    let settings = PermessageDeflate::client().level(1);
    let text = json(16 << 20);
    let payload = settings.compress(15, &text);
    for way in WAYS {
        for chunk in [1_000, 100_000, payload.len()] {
            let parts: Vec<&[u8]> = payload.chunks(chunk).collect();
            assert!(way(&mut inflater(true), &parts, 16 << 20).unwrap() == text);
        }
    }
}

/// PC-3, PC-4: final blocks in the middle of messages, with what comes later referring to what came before.
#[test]
fn final_blocks_keep_the_window() {
    let settings = PermessageDeflate::client();
    let text = json(50_000);
    let cuts = [(10, 777), (999, 1), (40_000, 5), (40_000, 100_000)];
    for (way, takeover) in WAYS.into_iter().flat_map(|way| [(way, true), (way, false)]) {
        for (part_len, cut) in cuts {
            let mut deflater = Deflater::new(true, 15, &settings);
            let mut inflater = inflater(takeover);
            let mut lens = Vec::new();
            for _ in 0..3 {
                // Within a message its parts refer to each other in any case.
                if !takeover {
                    deflater = Deflater::new(true, 15, &settings);
                }
                let mut payload = Vec::new();
                for part in text.chunks(part_len) {
                    deflater.deflate(part, false, &mut payload);
                    // An empty final block with fixed codes: ten bits, and six to pad.
                    payload.extend([0x03, 0x00]);
                }
                payload.push(0x00);
                let parts: Vec<&[u8]> = payload.chunks(cut).collect();
                assert!(way(&mut inflater, &parts, NO_LIMIT).unwrap() == text);
                lens.push(payload.len());
            }
            // The compressor did refer to earlier messages.
            assert!(
                !takeover || part_len != 40_000 || lens[1] < lens[0],
                "{lens:?}"
            );
        }
    }
}

/// RFC 7692 §7.1.2: behind a final block the peer refers as far back as was agreed on, and no farther;
/// with 2^8 as far as 2^9, as peers made of zlib do.
#[test]
fn final_blocks_keep_the_window_that_was_agreed_on() {
    let noise = noise(40_000);
    let first = PermessageDeflate::client().compress(15, &noise);
    let behind_final = |code: u32, extra: (u32, u32)| {
        bits(&[
            // A final block, empty, with fixed codes; and up to the next byte.
            (0b011, 3),
            (0, 7),
            (0, 6),
            // Three bytes of so far back.
            (0b010, 3),
            (0b100_0000, 7),
            (code.reverse_bits() >> 27, 5),
            extra,
            (0, 7),
            (0, 3),
        ])
    };
    for bits in 8..=15 {
        let reach = bits.max(9);
        let len = 1 << reach;
        // The last distance of a code, and the first one of the next.
        let farthest = behind_final(2 * reach - 1, (u32::MAX, reach - 2));
        let farther = behind_final(2 * reach, (0, reach - 1));
        for (way, parked) in WAYS.into_iter().flat_map(|way| [(way, true), (way, false)]) {
            let again = |payload: &[u8]| {
                let settings = PermessageDeflate::client();
                let server = settings.clone().client_max_window_bits(bits as u8);
                let mut inflater = pair(&settings.offers(), &server, &settings).0.inflater;
                assert!(way(&mut inflater, &[&first], NO_LIMIT).unwrap() == noise);
                if parked {
                    inflater.park();
                    assert_eq!(inflater.memory_held(), len);
                }
                way(&mut inflater, &[payload], NO_LIMIT)
            };
            let expected = &noise[noise.len() - len..][..3];
            assert_eq!(again(&farthest).as_deref(), Ok(expected), "{bits}");
            if bits < 15 {
                assert_eq!(again(&farther), Err(DecodeError::Corrupt), "{bits}");
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    /// Short messages in a row, of any blocks, cut off or changed: the way of short messages that are
    /// there as a whole ends as the general way does, and leaves the same window (D-17).
    #[test]
    fn any_short_messages(
        messages in prop::collection::vec(
            (prop::collection::vec((0usize..5, 0usize..300), 0..5), 0usize..9, any::<u16>()),
            1..6,
        ),
        takeover: bool,
        level in 0u8..=9,
    ) {
        let mut deflater = Deflater::new(takeover, 15, &PermessageDeflate::client().level(level));
        let mut readers = WAYS.map(|way| (way, inflater(takeover)));
        for (blocks, damage, at) in messages {
            let mut payload = Vec::new();
            for (kind, len) in blocks {
                match kind {
                    // Final and empty, with fixed codes or stored; stored and empty.
                    0 => payload.extend([0x03, 0x00]),
                    1 => payload.extend([0x01, 0x00, 0x00, 0xff, 0xff]),
                    2 => payload.extend([0x00, 0x00, 0x00, 0xff, 0xff]),
                    3 => deflater.deflate(&vec![b'x'; len * 60], false, &mut payload),
                    _ => deflater.deflate(&json(len), false, &mut payload),
                }
            }
            payload.push(0x00);
            let at = usize::from(at) % (payload.len() * 8);
            match damage {
                0 => payload.truncate(at / 8),
                1 => payload[at / 8] ^= 1 << (at % 8),
                2 => payload.insert(at / 8, 0x03),
                _ => {}
            }
            let mut results = readers
                .iter_mut()
                .map(|(way, inflater)| way(inflater, &[&payload], NO_LIMIT))
                .collect::<Vec<_>>();
            let last = results.pop().unwrap();
            for result in results {
                prop_assert_eq!(&result, &last, "{:02x?}", payload);
            }
            if last.is_err() {
                break;
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    /// Any messages in any cut, with any parameters, both ways of reading.
    #[test]
    fn any_conversation(
        seeds in prop::collection::vec((0u8..3, 0usize..100_000, 1usize..40_000), 1..6),
        takeover: bool,
        bits in 8u8..=15,
        level in 0u8..=9,
        streamed: bool,
    ) {
        let settings = PermessageDeflate::client().level(level);
        let mut deflater = Deflater::new(takeover, bits, &settings);
        let mut inflater = inflater(takeover);
        for (kind, len, cut) in seeds {
            let message = match kind {
                0 => json(len),
                1 => noise(len),
                _ => vec![b'x'; len],
            };
            let mut payload = Vec::new();
            let half = message.len() / 2;
            if cut % 2 == 0 {
                deflater.deflate(&message[..half], false, &mut payload);
                deflater.deflate(&message[half..], true, &mut payload);
            } else {
                deflater.deflate(&message, true, &mut payload);
            }
            let parts: Vec<&[u8]> = payload.chunks(cut).collect();
            let way = WAYS[usize::from(streamed)];
            prop_assert!(way(&mut inflater, &parts, len as u64).unwrap() == message);
        }
    }

    /// Any bytes: a result, no panic, the same in any cut and in both ways.
    #[test]
    fn any_payload(
        payload in prop::collection::vec(any::<u8>(), 0..60),
        cut in 1usize..20,
        limit in prop::sample::select(vec![5_000, 20_000]),
    ) {
        let uncut = whole(&mut inflater(true), &[&payload], limit);
        for way in WAYS {
            let mut parts: Vec<&[u8]> = payload.chunks(cut).collect();
            parts.push(&[]);
            prop_assert_eq!(&way(&mut inflater(true), &parts, limit), &uncut);
        }
        let limit = |out: &Vec<u8>| out.len() as u64 <= limit;
        let expected = reference::inflate(&[], &payload).map(|read| read.out).filter(limit);
        prop_assert_eq!(uncut.ok(), expected);
        // What has come out and what is certain before the end is known.
        let (read, stop) = reference::so_far(&[], &payload);
        let (mut out, mut filled) = (Vec::new(), 0);
        let begun = inflater(true).inflate(&payload, false, &mut out, &mut filled, NO_LIMIT);
        prop_assert_eq!(begun.is_err(), stop == reference::Stop::Corrupt);
        prop_assert!(begun.is_err() || out[..filled] == read.out);
    }
}

mod negotiation {
    use super::{Agreed, Extensions, PermessageDeflate, Role, ToString};
    use alloc::string::String;
    use alloc::vec::Vec;

    fn plain() -> PermessageDeflate {
        PermessageDeflate::client()
    }

    fn choose(settings: &PermessageDeflate, offers: &str) -> Option<String> {
        let offers = Extensions::parse([offers.as_bytes()]).unwrap();
        settings.choose(offers).map(|agreed| agreed.to_string())
    }

    fn check(settings: &PermessageDeflate, answer: &str) -> Result<Option<Agreed>, ()> {
        let answers = Extensions::parse([answer.as_bytes()]).map_err(drop)?;
        settings.check(answers).map_err(drop)
    }

    /// PN-2, PN-8, PN-10, PN-12, PN-13, PN-14, PN-15: offer, settings, answer.
    #[test]
    fn answers() {
        let strict = PermessageDeflate::server();
        let small = plain()
            .server_max_window_bits(10)
            .client_max_window_bits(11);
        for (settings, offer, answer) in [
            (plain(), "", ""),
            (
                plain(),
                "; server_no_context_takeover",
                "; server_no_context_takeover",
            ),
            (
                plain(),
                "; client_no_context_takeover",
                "; client_no_context_takeover",
            ),
            (plain(), "; client_max_window_bits", ""),
            (
                plain(),
                "; client_max_window_bits=12",
                "; client_max_window_bits=12",
            ),
            (plain(), "; client_max_window_bits=15", ""),
            (
                plain(),
                "; server_max_window_bits=8",
                "; server_max_window_bits=8",
            ),
            (
                plain(),
                "; server_max_window_bits=10",
                "; server_max_window_bits=10",
            ),
            (
                plain(),
                "; server_max_window_bits=15",
                "; server_max_window_bits=15",
            ),
            (
                plain(),
                "; server_max_window_bits=\"10\"",
                "; server_max_window_bits=10",
            ),
            (
                strict.clone(),
                "",
                "; server_no_context_takeover; client_no_context_takeover",
            ),
            (small.clone(), "", "; server_max_window_bits=10"),
            (
                small.clone(),
                "; server_max_window_bits=12",
                "; server_max_window_bits=10",
            ),
            (
                small.clone(),
                "; server_max_window_bits=9",
                "; server_max_window_bits=9",
            ),
            (
                small.clone(),
                "; client_max_window_bits",
                "; server_max_window_bits=10; client_max_window_bits=11",
            ),
            (
                small.clone(),
                "; client_max_window_bits=9",
                "; server_max_window_bits=10; client_max_window_bits=9",
            ),
            (
                small.clone(),
                "; client_max_window_bits=14",
                "; server_max_window_bits=10; client_max_window_bits=11",
            ),
        ] {
            let offer = String::from("permessage-deflate") + offer;
            let answer = String::from("permessage-deflate") + answer;
            assert_eq!(choose(&settings, &offer), Some(answer), "{offer}");
        }
    }

    /// PN-1, PN-4, PN-5, PN-7: what is declined, and that the next offer counts then.
    #[test]
    fn declined_offers() {
        for params in [
            "x",
            "x=1",
            "client_max_window_bits; client_max_window_bits",
            "client_max_window_bits=10; client_max_window_bits",
            "server_max_window_bits=10; server_max_window_bits=10",
            "server_no_context_takeover; server_no_context_takeover",
            "client_no_context_takeover; client_no_context_takeover",
            "server_no_context_takeover=1",
            "client_no_context_takeover=true",
            "server_max_window_bits",
            "Server_No_Context_Takeover",
            "constructor",
            "__proto__",
        ] {
            let offer = String::from("permessage-deflate; ") + params;
            assert_eq!(choose(&plain(), &offer), None, "{offer}");
            let fallback = offer + ", permessage-deflate";
            assert_eq!(
                choose(&plain(), &fallback).as_deref(),
                Some("permessage-deflate")
            );
        }
        for name in ["server", "client"] {
            for value in [
                "0",
                "7",
                "08",
                "015",
                "16",
                "+9",
                "1e1",
                "x",
                "-8",
                "8.0",
                "115",
                "99999999999999999999",
            ] {
                let offer =
                    String::from("permessage-deflate; ") + name + "_max_window_bits=" + value;
                assert_eq!(choose(&plain(), &offer), None, "{offer}");
            }
            let good: Vec<bool> = (0..=20)
                .map(|bits| {
                    String::from("permessage-deflate; ")
                        + name
                        + "_max_window_bits="
                        + &bits.to_string()
                })
                .map(|offer| choose(&plain(), &offer).is_some())
                .collect();
            assert!(
                good.iter()
                    .enumerate()
                    .all(|(bits, &good)| good == (8..=15).contains(&bits))
            );
        }
        for other in [
            "foo",
            "Permessage-Deflate",
            "permessage-deflate2",
            "x-webkit-deflate-frame",
        ] {
            assert_eq!(choose(&plain(), other), None);
        }
        assert_eq!(
            choose(
                &plain(),
                "foo, permessage-deflate; x, permessage-deflate; server_max_window_bits=9, permessage-deflate"
            ),
            Some("permessage-deflate; server_max_window_bits=9".into())
        );
    }

    /// D-19, PN-1.
    #[test]
    fn offers() {
        assert_eq!(
            plain().offers(),
            "permessage-deflate; client_max_window_bits"
        );
        assert_eq!(plain().fallback().offers(), plain().offers());
        let demanding = plain()
            .server_no_context_takeover(true)
            .client_no_context_takeover(true)
            .server_max_window_bits(10)
            .client_max_window_bits(12);
        let first = "permessage-deflate; server_no_context_takeover; client_no_context_takeover; \
                     server_max_window_bits=10; client_max_window_bits=12";
        assert_eq!(demanding.offers(), first);
        assert_eq!(
            demanding.fallback().offers(),
            String::from(first)
                + ", permessage-deflate; client_no_context_takeover; client_max_window_bits=12"
        );
    }

    /// PN-6, PN-9, PN-11, PN-13, PN-14, PN-16.
    #[test]
    fn checked_answers() {
        for answer in [
            "permessage-deflate",
            "permessage-deflate; server_no_context_takeover",
            "permessage-deflate; client_no_context_takeover",
            "permessage-deflate; server_max_window_bits=9",
            "permessage-deflate; client_max_window_bits=12",
            "foo, permessage-deflate",
        ] {
            assert!(matches!(check(&plain(), answer), Ok(Some(_))), "{answer}");
        }
        assert_eq!(check(&plain(), "foo"), Ok(None));
        for answer in [
            "permessage-deflate, permessage-deflate",
            "permessage-deflate; x",
            "permessage-deflate; client_max_window_bits",
            "permessage-deflate; server_max_window_bits",
            "permessage-deflate; server_max_window_bits=16",
            "permessage-deflate; client_max_window_bits=7",
            "permessage-deflate; client_max_window_bits=08",
            "permessage-deflate; client_max_window_bits=\"\"",
            "permessage-deflate; server_no_context_takeover=1",
            "permessage-deflate; server_no_context_takeover; server_no_context_takeover",
            "permessage-deflate; server_max_window_bits=9; server_max_window_bits=9",
        ] {
            assert_eq!(check(&plain(), answer), Err(()), "{answer}");
        }
        let fresh = plain().server_no_context_takeover(true);
        let small = plain().server_max_window_bits(10);
        let hint = plain().client_no_context_takeover(true);
        for (settings, answer, good) in [
            (&fresh, "", false),
            (&fresh, "; server_no_context_takeover", true),
            (&small, "", false),
            (&small, "; server_max_window_bits=11", false),
            (&small, "; server_max_window_bits=10", true),
            (&small, "; server_max_window_bits=8", true),
            (&hint, "", true),
            (&hint, "; client_no_context_takeover", true),
        ] {
            let answer = String::from("permessage-deflate") + answer;
            assert_eq!(check(settings, &answer).is_ok(), good, "{answer}");
            assert!(check(&settings.clone().fallback(), &answer).is_ok());
        }
    }

    /// What was agreed is what is done, on both ends.
    #[test]
    fn agreed_is_done() {
        let server = plain().client_max_window_bits(9);
        let client = plain()
            .client_no_context_takeover(true)
            .client_max_window_bits(12);
        for (offer, server_takeover, client_takeover, server_bits, client_bits) in [
            ("permessage-deflate", true, true, 15, 15),
            (
                "permessage-deflate; server_no_context_takeover",
                false,
                true,
                15,
                15,
            ),
            (
                "permessage-deflate; client_no_context_takeover; client_max_window_bits",
                true,
                false,
                15,
                9,
            ),
            (
                "permessage-deflate; server_max_window_bits=8",
                true,
                true,
                8,
                15,
            ),
        ] {
            let offers = Extensions::parse([offer.as_bytes()]).unwrap();
            let agreed = server.choose(offers).unwrap();
            let s = agreed.codec(Role::Server, &server).deflater;
            assert_eq!(
                (s.takeover(), s.window_bits()),
                (server_takeover, server_bits)
            );
            let c = agreed.codec(Role::Client, &plain()).deflater;
            assert_eq!(
                (c.takeover(), c.window_bits()),
                (client_takeover, client_bits)
            );
            // A client keeps to its own hints, answered or not (PN-10, PN-15).
            let c = agreed.codec(Role::Client, &client).deflater;
            assert_eq!(
                (c.takeover(), c.window_bits()),
                (false, client_bits.min(12))
            );
            assert!(!c.wants(63) && c.wants(64));
        }
    }
}
