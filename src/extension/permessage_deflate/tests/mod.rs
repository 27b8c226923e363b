//! The codec as agreed, against the vectors, the RFC's rules and a plain reader of DEFLATE.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot go on has failed"
)]

mod deflating;
mod inflating;
mod memory;
mod negotiation;
#[cfg(feature = "std")]
mod pool;
mod properties;

use alloc::format;
use alloc::string::ToString;
use alloc::vec;
use alloc::vec::Vec;

use proptest::prelude::*;

use crate::extension::{DecodeError, Extensions, MessageCodec};
use crate::role::Role;

use super::{Agreed, DeflateCodec, Deflater, Inflater, PermessageDeflate, reference};

const NO_LIMIT: u64 = u64::MAX;

/// "Hello" compressed, and what it is the second time with its context taken over.
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

fn expect_after(first: &[u8], payload: &[u8], expected: Inflated<'_>) {
    for way in WAYS {
        let mut inflater = inflater(true);
        way(&mut inflater, &[first], NO_LIMIT).unwrap();
        let result = way(&mut inflater, &[payload], NO_LIMIT);
        assert_eq!(result.as_deref(), expected.as_deref());
    }
}
