//! Where frames begin in bytes that were joined in the middle.
//!
//! A header is evidence if it is legal, masked as its direction asks for, and followed by another
//! one, in legal order, where its payload ends. One byte in fifty of random payload begins such a
//! header, so that a chain of them grows unlikely fast. Chains are counted from the end of the
//! bytes to their beginning: each position is looked at once.

use alloc::vec;
use alloc::vec::Vec;

use crate::error::ProtocolError;
use crate::frame::{HeaderReader, Opcode, Place, RawHeader};
use crate::mask::apply_mask;
use crate::role::Role;

/// What was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Boundary {
    /// Where the first frame begins.
    pub(super) at: usize,
    /// It continues a message.
    pub(super) in_message: bool,
    /// The chain is so long that chance is no explanation.
    pub(super) certain: bool,
}

/// What comes before a chain: a message that is not finished, none, or either.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Before {
    Either,
    Message,
    NoMessage,
}

/// The chain that begins at a position.
#[derive(Debug, Clone, Copy)]
struct Chain {
    frames: u8,
    before: Before,
    key: Option<[u8; 4]>,
}

const NONE: Chain = Chain {
    frames: 0,
    before: Before::Either,
    key: None,
};

/// How many frames in a row are enough where no bytes follow.
const AT_THE_END: u8 = 3;

/// Candidates whose text is validated in one search.
const TRIED: usize = 32;

/// The first position of which a chain says that a frame begins there. `ended`: no bytes follow, so
/// that a chain which ends with them is as good as a longer one.
///
/// `bits` are the reserved bits that data frames may have.
pub(super) fn search(bytes: &[u8], reader: Role, bits: u8, ended: bool) -> Option<Boundary> {
    let chains = chains(bytes, reader, bits);
    let needed = needed(bytes.len());
    // Fewer where nothing more comes: probable, and no more.
    let enough = if ended {
        needed.min(AT_THE_END)
    } else {
        needed
    };
    chains
        .iter()
        .enumerate()
        .filter(|(_, chain)| chain.frames >= enough)
        .take(TRIED)
        .find(|&(at, chain)| reads_as_text(bytes, at, chain.frames.min(needed)))
        .map(|(at, chain)| Boundary {
            at,
            in_message: chain.before == Before::Message,
            certain: chain.frames >= needed,
        })
}

/// How many frames in a row are enough among so many positions: `ln(bytes / 0.001) / 4`, at least four.
fn needed(bytes: usize) -> u8 {
    let doublings = usize::BITS - bytes.leading_zeros();
    // ln 2 / 4 for each of them, and ln 1000 / 4: in thousandths, rounded up.
    let frames = (doublings * 173 + 1727).div_ceil(1000);
    frames.max(4) as u8 // at most 13
}

fn chains(bytes: &[u8], reader: Role, bits: u8) -> Vec<Chain> {
    let mut chains = vec![NONE; bytes.len() + 1];
    for at in (0..bytes.len()).rev() {
        let Some(header) = header(&bytes[at..], reader, bits) else {
            continue;
        };
        let start = at + header.len();
        let next = usize::try_from(header.payload_len())
            .ok()
            .and_then(|len| start.checked_add(len));
        let next = match next {
            Some(next) if next < bytes.len() => chains[next],
            // It ends with the bytes, or after them: nothing speaks against it.
            _ => NONE,
        };
        let cut_off = next.frames == 0;
        let (opcode, fin) = (header.opcode(), header.fin());
        let after = match opcode {
            Some(Opcode::Text | Opcode::Binary | Opcode::Continuation) if fin => Before::NoMessage,
            Some(Opcode::Text | Opcode::Binary | Opcode::Continuation) => Before::Message,
            _ => Before::Either,
        };
        let before = match opcode {
            Some(Opcode::Continuation) => Before::Message,
            Some(Opcode::Text | Opcode::Binary) => Before::NoMessage,
            _ => next.before,
        };
        let follows =
            after == Before::Either || next.before == Before::Either || next.before == after;
        let key = header.masking_key();
        // Constant payload under one key reads as the same frame for ever.
        let same_key = key.is_some() && key == next.key && key != Some([0; 4]);
        let end = start.saturating_add(usize::try_from(header.payload_len()).unwrap_or(usize::MAX));
        let ends_chain = end >= bytes.len();
        if ends_chain || !cut_off && follows && !same_key {
            chains[at] = Chain {
                frames: next.frames.saturating_add(1),
                before,
                key,
            };
        }
    }
    chains.pop();
    chains
}

/// A legal header, wherever it stands.
fn header(bytes: &[u8], reader: Role, bits: u8) -> Option<RawHeader> {
    let mut headers = HeaderReader::default();
    let (_, whole) = headers.take(bytes, |_, _| Ok::<_, ()>(())).ok()?;
    let header = *headers.raw();
    let place = |in_message| Place {
        reader,
        bits,
        first_bits: 0,
        in_message,
    };
    let in_message = header.opcode() == Some(Opcode::Continuation);
    let legal = whole && place(in_message).broken(&header).next().is_none();
    // An empty frame that ends nothing is legal, and what a row of zeros reads as.
    let idle = header.payload_len() == 0 && !header.fin();
    (legal && !idle).then_some(header)
}

/// Whether the whole text messages among the first frames of a chain are UTF-8 (RFC 6455 §8.1).
fn reads_as_text(bytes: &[u8], mut at: usize, frames: u8) -> bool {
    for _ in 0..frames {
        let mut headers = HeaderReader::default();
        let rest = bytes.get(at..).unwrap_or_default();
        let Ok((len, true)) = headers.take(rest, |_, _| Ok::<_, ProtocolError>(())) else {
            return true;
        };
        let header = headers.raw();
        let start = at + len;
        let end = usize::try_from(header.payload_len())
            .ok()
            .and_then(|len| start.checked_add(len));
        let Some((end, payload)) = end.and_then(|end| Some((end, bytes.get(start..end)?))) else {
            return true;
        };
        let text =
            header.opcode() == Some(Opcode::Text) && header.fin() && header.reserved_bits() == 0;
        if text {
            let mut payload = payload.to_vec();
            if let Some(key) = header.masking_key() {
                apply_mask(&mut payload, key, 0);
            }
            if crate::utf8::validate(&payload).is_err() {
                return false;
            }
        }
        at = end;
    }
    true
}

#[cfg(test)]
mod tests {
    use super::reads_as_text;

    /// RFC 6455 §8.1: text that is not UTF-8 is no text, in whole messages of the first frames alone.
    #[test]
    fn what_reads_as_text() {
        for (bytes, frames, reads) in [
            (&b"\x81\x02\xc3\xa9\x81\x01a"[..], 2, true),
            (b"\x81\x01a\x81\x01\xff", 1, true),
            (b"\x81\x01a\x81\x01\xff", 2, false),
            // Masked, once with a key that makes it UTF-8.
            (b"\x81\x81\0\0\0\0\xff", 1, false),
            (b"\x81\x81\x9e\0\0\0\xff", 1, true),
            // Binary, compressed, in fragments.
            (b"\x82\x01\xff\xc1\x01\xff\x01\x01\xff", 3, true),
            // Cut off in the payload, in the header, at the end.
            (b"\x81\x05\xff", 1, true),
            (b"\x81\x01a\x81", 2, true),
            (b"\x81\x01a", 2, true),
        ] {
            assert_eq!(reads_as_text(bytes, 0, frames), reads, "{bytes:x?}");
        }
        assert!(!reads_as_text(b"\x81\x81\x01\xff", 1, 1));
    }
}
