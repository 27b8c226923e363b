//! Compressors and decompressors that go back to a pool, and are used again.

use super::*;

#[test]
fn without_takeover_codecs_go_back_to_the_pool() {
    let pool = crate::extension::DeflatePool::new(4);
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
                    let fresh = settings
                        .clone()
                        .pool(&crate::extension::DeflatePool::new(0));
                    assert_eq!(out, fresh.compress(bits, message), "{level} {bits} {way}");
                }
            }
        }
    }
}

/// The same in parts, of which some are empty: what was flushed before is nothing to them.
#[test]
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
            let alone = settings
                .clone()
                .pool(&crate::extension::DeflatePool::new(0));
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
