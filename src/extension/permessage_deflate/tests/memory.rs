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
