//! Messages out: vectors, parts, windows, and what stays by itself.

use super::*;

/// RFC 7692 §7.2.1, §7.2.3: the examples, empty messages, with and without context takeover.
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

/// RFC 7692 §7.2.1: parts keep the four bytes, all but the last.
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

/// RFC 7692 §7.1.2: no distance beyond the window, at any level; 2^8 too, which zlib has no compressor for.
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
                let read = reference::inflate(&history, reference::WINDOW, &payload).unwrap();
                assert!(read.out[history.len()..] == *message);
                farthest = farthest.max(read.farthest);
                history = read.out;
            }
            assert!(farthest <= window, "{farthest} > {window}, level {level}");
            assert!(level == 0 || farthest > window / 4);
        }
    }
}

/// RFC 7692 §7.1.2: as far back as DEFLATE goes.
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
