//! What is held, given back and used again.

use super::*;

/// Nothing until the first message; afterwards only what was agreed on.
#[test]
fn memory_is_held_only_where_agreed() {
    let settings = PermessageDeflate::client();
    let (mut s, mut c) = pair(&settings.offers(), &settings, &settings);
    assert_eq!(s.memory_held() + c.memory_held(), 0);
    send(&mut s, &mut c, b"Hello");
    let (compressor, decompressor) = if cfg!(target_pointer_width = "64") {
        (380_184, 65_152)
    } else {
        (380_116, 65_088)
    };
    assert_eq!(s.memory_held(), compressor);
    let hello_again = s.deflater.short(b"Hello").map(<[u8]>::to_vec);
    assert_eq!(hello_again.as_deref(), Some(HELLO_AGAIN));
    assert_eq!(s.memory_held(), compressor + 2048);
    s.deflater.end();
    assert_eq!(s.memory_held(), compressor + 2048);
    assert_eq!(c.memory_held(), decompressor);
    // A short message that is there as a whole, and a long limit.
    let hello = short(&mut c.inflater, &[HELLO_AGAIN], NO_LIMIT);
    assert_eq!(hello.as_deref(), Ok(&b"Hello"[..]));
    assert_eq!(c.memory_held(), decompressor);
    // Parked, only what was received stays.
    c.shrink();
    assert_eq!(c.memory_held(), 10);
    send(&mut s, &mut c, &[b'l'; 40_000]);
    assert_eq!(c.memory_held(), decompressor + (32 << 10));
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
