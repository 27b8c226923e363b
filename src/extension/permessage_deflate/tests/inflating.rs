//! Messages in: vectors, what is refused, limits, and what later messages may refer to.

use super::*;

/// Ways to say "Hello".
const ENCODED_HELLO: &[&[u8]] = &[
    &[
        0x00, 0x05, 0x00, 0xfa, 0xff, 0x48, 0x65, 0x6c, 0x6c, 0x6f, 0x00,
    ],
    &[0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00, 0x00],
    &[
        0xf2, 0x48, 0x05, 0x00, 0x00, 0x00, 0xff, 0xff, 0xca, 0xc9, 0xc9, 0x07, 0x00,
    ],
    // The four bytes stand in a final block of their own.
    &[
        0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00, 0x00, 0x00, 0xff, 0xff, 0x01,
    ],
    &[0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00, 0x01],
    // A final block without the byte after it, as who finishes a stream leaves it.
    &[0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00],
    &[
        0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00, 0x00, 0x00, 0xff, 0xff, 0x03, 0x00,
    ],
    // A final block that is empty, and the byte.
    &[
        0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00, 0x01, 0, 0, 0xff, 0xff, 0x00,
    ],
];

/// RFC 7692 §7.2.2, §7.2.3: the examples, and what else is a message.
#[test]
fn vectors_that_inflate() {
    let hello = Ok(&b"Hello"[..]);
    for takeover in [false, true] {
        expect(takeover, &[(HELLO, hello), (HELLO, hello), (HELLO, hello)]);
        for payload in ENCODED_HELLO {
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

/// What is no DEFLATE, refers too far back, is cut off or does not end as RFC 7692 §7.2.1 has it.
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
            // The four bytes were left in place: an empty stored block, followed by half of another.
            &[
                0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00, 0x00, 0x00, 0xff, 0xff,
            ],
            // A final block that is cut off, and one with half a block after it.
            &[0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07],
            &[0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00, 0xf2],
            // The tail would be data of a stored block.
            &[0x00, 0x04, 0x00, 0xfb, 0xff],
        ] {
            expect(takeover, &[(payload, CORRUPT)]);
            expect(takeover, &[(&[0x00], Ok(&[])), (payload, CORRUPT)]);
            // After a final block that only the four bytes make whole.
            expect(takeover, &[(&[0x01], Ok(&[])), (payload, CORRUPT)]);
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
            let expected = reference::inflate(&[], reference::WINDOW, case).map(|read| read.out);
            for way in WAYS {
                let result = way(&mut inflater(false), &[case], NO_LIMIT);
                assert_eq!(result.ok(), expected, "level {level} case {i}");
            }
        }
    }
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

/// RFC 7692 §8: stops at the limit, not after it, with room for no more.
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

/// RFC 7692 §7.2.3.4: final blocks in the middle of messages, with what comes later referring to what came before.
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

/// RFC 7692 §7.1.2: the peer refers as far back as was agreed on, and no farther, after a final block too;
/// with 2^8 as far as 2^9, as peers made of zlib do.
#[test]
fn the_window_that_was_agreed_on() {
    let noise = noise(40_000);
    let first = PermessageDeflate::client().compress(15, &noise);
    // A final block, empty, with fixed codes; and up to the next byte.
    let final_block = [(0b011, 3), (0, 7), (0, 6)];
    let payload = |before: &[(u32, u32)], code: u32, extra: (u32, u32)| {
        let refers = [
            // Three bytes of so far back.
            (0b010, 3),
            (0b100_0000, 7),
            (code.reverse_bits() >> 27, 5),
            extra,
            (0, 7),
            (0, 3),
        ];
        bits(&[before, &refers].concat())
    };
    for bits in 8..=15 {
        let reach = bits.max(9);
        let len = 1 << reach;
        // The last distance of a code, and the first one of the next.
        let farthest = |before| payload(before, 2 * reach - 1, (u32::MAX, reach - 2));
        let farther = |before| payload(before, 2 * reach, (0, reach - 1));
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
            for before in [&[][..], &final_block] {
                assert_eq!(again(&farthest(before)).as_deref(), Ok(expected), "{bits}");
                if bits < 15 {
                    assert_eq!(again(&farther(before)), Err(DecodeError::Corrupt), "{bits}");
                }
            }
        }
    }
}
