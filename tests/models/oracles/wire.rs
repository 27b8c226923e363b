//! Frames as a peer may send them: legal ones, and one of each way to be wrong.

use super::Taker;
use sansocket::Role;

/// A frame in its shortest form, masked if there is a key (RFC 6455 §5.2).
pub fn frame(out: &mut Vec<u8>, first: u8, key: Option<[u8; 4]>, payload: &[u8]) {
    let form = match payload.len() {
        0..=125 => 0,
        126..=0xffff => 2,
        _ => 8,
    };
    raw_frame(out, first, key, form, payload.len() as u64, payload);
}

/// A frame with a length field of `form` bytes that says `len`, whatever the payload is.
pub fn raw_frame(
    out: &mut Vec<u8>,
    first: u8,
    key: Option<[u8; 4]>,
    form: usize,
    len: u64,
    payload: &[u8],
) {
    let mask = if key.is_some() { 0x80 } else { 0 };
    out.push(first);
    out.push(
        mask | match form {
            0 => len as u8 & 0x7f,
            2 => 126,
            _ => 127,
        },
    );
    out.extend_from_slice(&len.to_be_bytes()[8 - form..]);
    let key = key.inspect(|key| out.extend_from_slice(key));
    out.extend(
        payload
            .iter()
            .enumerate()
            .map(|(i, byte)| byte ^ key.map_or(0, |key| key[i % 4])),
    );
}

/// The lengths where something changes.
const LENGTHS: [usize; 22] = [
    0, 1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 33, 64, 124, 125, 126, 127, 128, 255, 256, 300,
];
const LONG: [usize; 7] = [1000, 4095, 4096, 8192, 65_535, 65_536, 70_000];

pub fn len(t: &mut Taker<'_>) -> usize {
    if t.once_in(32) {
        t.pick(&LONG)
    } else {
        t.pick(&LENGTHS)
    }
}

pub fn binary(t: &mut Taker<'_>) -> Vec<u8> {
    let (len, seed) = (len(t), t.u8());
    (0..len)
        .map(|i| (i as u8).wrapping_mul(31) ^ seed)
        .collect()
}

/// Text with characters of each length and the borders of RFC 3629.
pub fn text(t: &mut Taker<'_>) -> String {
    const PIECES: [&str; 12] = [
        "a",
        "Hello",
        "\u{7f}",
        "\u{80}",
        "é",
        "\u{7ff}",
        "\u{800}",
        "€",
        "\u{d7ff}",
        "\u{ffff}",
        "😀",
        "\u{10ffff}",
    ];
    let (len, mut pick) = (len(t), usize::from(t.u8()));
    let mut text = String::new();
    while text.len() < len {
        text.push_str(PIECES[pick % 12]);
        pick = (pick * 7 + 3) % 1000;
    }
    text
}

/// A control payload.
fn control(t: &mut Taker<'_>) -> Vec<u8> {
    let mut payload = binary(t);
    payload.truncate(125);
    payload
}

/// Frames from a peer of this role: legal for the most part.
pub fn stream(t: &mut Taker<'_>, from: Role, frames: usize) -> Vec<u8> {
    let mut out = Vec::new();
    for _ in 0..frames {
        if t.is_empty() {
            break;
        }
        item(t, from, &mut out);
    }
    mutate(t, &mut out);
    out
}

/// Changes a byte or a few, or none.
pub fn mutate(t: &mut Taker<'_>, out: &mut [u8]) {
    if t.once_in(5) && !out.is_empty() {
        for _ in 0..=t.below(3) {
            let at = t.below(out.len().min(65_536));
            out[at] ^= t.u8();
        }
    }
}

/// A message, a control frame, or something wrong.
pub fn item(t: &mut Taker<'_>, from: Role, out: &mut Vec<u8>) {
    let key = |t: &mut Taker<'_>| from.masks().then(|| t.key());
    match t.below(18) {
        0..3 => {
            let (text, key) = (text(t), key(t));
            frame(out, 0x81, key, text.as_bytes());
        }
        3..6 => {
            let (payload, key) = (binary(t), key(t));
            frame(out, 0x82, key, &payload);
        }
        6..11 => {
            let is_text = t.once_in(2);
            let payload = if is_text {
                text(t).into_bytes()
            } else {
                binary(t)
            };
            let mut rest = &payload[..];
            let parts = 1 + t.below(5);
            for part in 0..=parts {
                let last = part == parts;
                let n = if last {
                    rest.len()
                } else {
                    t.below((rest.len() + 1).min(65_536))
                };
                let (front, behind) = rest.split_at(n);
                rest = behind;
                let opcode = match (part, is_text) {
                    (0, true) => 1,
                    (0, false) => 2,
                    _ => 0,
                };
                let key = key(t);
                frame(out, u8::from(last) << 7 | opcode, key, front);
                if !last && t.once_in(3) {
                    let (payload, key) = (control(t), from.masks().then(|| t.key()));
                    frame(out, t.pick(&[0x89, 0x8a]), key, &payload);
                }
            }
        }
        11..13 => {
            let (payload, key) = (control(t), key(t));
            // More than are answered one by one.
            for _ in 0..if t.once_in(6) { 20 } else { 1 } {
                frame(out, 0x89, key, &payload);
            }
        }
        13 => {
            let (payload, key) = (control(t), key(t));
            frame(out, 0x8a, key, &payload);
        }
        14 => {
            let key = key(t);
            match t.below(4) {
                0 => frame(out, 0x88, key, b""),
                1 => frame(out, 0x88, key, &1000u16.to_be_bytes()),
                2 => frame(out, 0x88, key, b"\x0b\xb8gr\xc3\xbcezi"),
                _ => frame(out, 0x89, key, b"not yet"),
            }
        }
        15 => broken(t, from, out),
        _ => {
            let (n, key) = (t.below(12), key(t));
            let payload = t.bytes(n);
            frame(out, 0x82, key, payload);
        }
    }
}

/// One of each rule that a frame can break.
fn broken(t: &mut Taker<'_>, from: Role, out: &mut Vec<u8>) {
    let key = from.masks().then(|| t.key());
    let other = if from.masks() { None } else { Some(t.key()) };
    match t.below(20) {
        0 => frame(out, 0x81 | (t.u8() & 0x70), key, b"reserved bits"),
        1 => frame(out, 0x83 + (t.u8() % 5), key, b"opcode"),
        2 => frame(out, 0x8b + (t.u8() % 5), key, b"opcode"),
        3 => frame(out, 0x82, other, b"mask"),
        4 => raw_frame(out, 0x82, key, 2, 125, &[7; 125]),
        5 => raw_frame(out, 0x82, key, 8, 0xffff, b"length"),
        6 => raw_frame(out, 0x82, key, 8, 1 << 63, b"length"),
        7 => raw_frame(out, 0x82, key, 8, (1 << 63) - 1, b"length"),
        8 => frame(out, 0x89, key, &[7; 126]),
        9 => raw_frame(out, 0x8a, key, 2, 5, b"short"),
        10 => frame(out, 0x09, key, b"fin"),
        11 => frame(out, 0x80, key, b"continues nothing"),
        12 => {
            frame(out, 0x01, key, b"a");
            frame(out, 0x82, key, b"b");
        }
        13 => frame(out, 0x88, key, b"\x03"),
        14 => {
            let code = t.pick(&[0u16, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 0xffff]);
            frame(out, 0x88, key, &code.to_be_bytes());
        }
        15 => frame(out, 0x88, key, b"\x03\xe8\xc3("),
        16 => {
            let (mut bytes, at) = (text(t).into_bytes(), t.u16());
            bytes.push(b'.');
            let at = usize::from(at) % bytes.len();
            bytes[at] = t.pick(&[0x80, 0xbf, 0xc0, 0xed, 0xf5, 0xff]);
            frame(out, 0x81, key, &bytes);
        }
        17 => {
            let cut = t.pick(&[
                &b"\xc3"[..],
                b"\xe2\x82",
                b"\xf0\x9f\x92",
                b"\xed\xa0",
                b"\xf4\x90",
            ]);
            frame(out, 0x01, key, cut);
            frame(out, 0x80, key, b"");
        }
        18 => {
            frame(out, 0x02, key, b"");
            for _ in 0..40 {
                frame(out, 0x00, key, b"");
            }
        }
        _ => out.extend_from_slice(t.bytes(20)),
    }
}

/// The checksum that recordings and states end with: words of eight bytes, each turned in and multiplied.
pub fn seal(bytes: &[u8]) -> u64 {
    let mut state = 0x243f_6a88_85a3_08d3_u64;
    let mut turn = |word: u64| {
        state = (state.rotate_left(23) ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    };
    let words = bytes.chunks(8).map(|chunk| {
        let word = chunk
            .iter()
            .rev()
            .fold(0, |word, &byte| word << 8 | u64::from(byte));
        (word, chunk.len())
    });
    for (word, len) in words {
        turn(word);
        if len < 8 {
            turn(len as u64);
        }
    }
    state
}
