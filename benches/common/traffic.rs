//! Streams of frames, as a peer would send them.

use sansocket::Role;
use sansocket::frame::{FrameHeader, Opcode};
use sansocket::mask::apply_mask;

/// How large the messages are.
#[derive(Clone, Copy)]
pub enum Sizes {
    All(usize),
    /// From 1 to this, each as likely, in an order that does not repeat.
    UpTo(usize),
    /// From the first to the second, likewise.
    Between(usize, usize),
}

impl Sizes {
    pub fn name(self) -> String {
        let human = |n: usize| match n {
            0..1024 => format!("{n} B"),
            1024..0x10_0000 => format!("{} KiB", n >> 10),
            _ => format!("{} MiB", n >> 20),
        };
        match self {
            Self::All(len) => human(len),
            Self::UpTo(max) => format!("1..{max} B"),
            Self::Between(min, max) => format!("{}..{} KiB", min >> 10, max >> 10),
        }
    }

    fn next(self, random: &mut Random) -> usize {
        match self {
            Self::All(len) => len,
            Self::UpTo(max) => 1 + random.below(max),
            Self::Between(min, max) => min + random.below(max - min),
        }
    }

    /// So much that nothing of it is learnt by heart: random sizes are told apart by their order,
    /// so they need more.
    fn stream_len(self) -> usize {
        match self {
            Self::All(len) if len >= 1 << 20 => 48 * len,
            Self::All(len) => (1 << 20).max(8 * len),
            Self::UpTo(_) | Self::Between(..) => 16 << 20,
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Content {
    Binary,
    Ascii,
    /// Characters of one to four bytes.
    Multibyte,
}

impl Content {
    pub fn name(self) -> &'static str {
        match self {
            Self::Binary => "binary",
            Self::Ascii => "ASCII",
            Self::Multibyte => "multi-byte",
        }
    }

    /// `len` bytes of it at the end of `out`.
    pub fn write(self, random: &mut Random, len: usize, out: &mut Vec<u8>) {
        let end = out.len() + len;
        match self {
            Self::Binary => {
                while out.len() < end {
                    out.extend_from_slice(&random.next().to_le_bytes());
                }
                out.truncate(end);
            }
            Self::Ascii => {
                while out.len() < end {
                    out.extend(random.next().to_le_bytes().map(|byte| b' ' + byte % 95));
                }
                out.truncate(end);
            }
            Self::Multibyte => {
                const CHARS: [char; 8] = ['e', 'ß', 'и', '語', '字', '한', '🦀', 'λ'];
                let mut bytes = [0; 4];
                while out.len() < end {
                    let char = CHARS[random.below(CHARS.len())].encode_utf8(&mut bytes);
                    let fits = out.len() + char.len() <= end;
                    out.extend_from_slice(if fits { char.as_bytes() } else { b"." });
                }
            }
        }
    }
}

/// The bytes that a peer sends.
pub struct Traffic {
    pub bytes: Vec<u8>,
    pub messages: usize,
    /// Bytes of payload.
    pub payload: usize,
    /// Of all payloads, in order, whatever their cuts.
    pub digest: u64,
    pub content: Content,
    /// Who receives it.
    pub receiver: Role,
}

impl Traffic {
    /// Messages in one frame each.
    pub fn whole(receiver: Role, content: Content, sizes: Sizes) -> Self {
        Self::new(receiver, content, sizes, 1)
    }

    /// Messages of `fragments` frames, each of a size of `sizes`.
    pub fn new(receiver: Role, content: Content, sizes: Sizes, fragments: usize) -> Self {
        Self::of_len(receiver, content, sizes, fragments, sizes.stream_len())
    }

    /// The same with at least `enough` bytes.
    pub fn of_len(
        receiver: Role,
        content: Content,
        sizes: Sizes,
        fragments: usize,
        enough: usize,
    ) -> Self {
        let mut random = Random(0x5eed);
        let mut traffic = Self {
            bytes: Vec::with_capacity(enough + (2 << 20)),
            messages: 0,
            payload: 0,
            digest: Digest::default().0,
            content,
            receiver,
        };
        let mut digest = Digest::default();
        let mut message = Vec::new();
        while traffic.bytes.len() < enough {
            let cuts: Vec<usize> = (0..fragments).map(|_| sizes.next(&mut random)).collect();
            let len = cuts.iter().sum();
            message.clear();
            content.write(&mut random, len, &mut message);
            digest.message(&message);
            let mut rest = &mut message[..];
            for (i, &cut) in cuts.iter().enumerate() {
                let (payload, behind) = rest.split_at_mut(cut);
                rest = behind;
                let opcode = match content {
                    _ if i > 0 => Opcode::Continuation,
                    Content::Binary => Opcode::Binary,
                    _ => Opcode::Text,
                };
                let mut header = FrameHeader::new(opcode, cut as u64);
                header.fin = i + 1 == cuts.len();
                if receiver == Role::Server {
                    let key = (random.next() as u32).to_le_bytes();
                    header.masking_key = Some(key);
                    apply_mask(payload, key, 0);
                }
                let mut bytes = [0; FrameHeader::MAX_LEN];
                let header_len = header.encode(&mut bytes);
                traffic.bytes.extend_from_slice(&bytes[..header_len]);
                traffic.bytes.extend_from_slice(payload);
            }
            traffic.messages += 1;
            traffic.payload += len;
        }
        traffic.digest = digest.0;
        traffic
    }
}

/// What a transport does: the bytes into a buffer of the same length.
///
/// In blocks, as a network's bytes come too. The C library's copy of several KiB at once is made
/// with `rep movsb`, which on this kind of processor takes up to five times as long where the two
/// places happen to lie alike in their pages.
#[inline]
pub fn fill(to: &mut [u8], from: &[u8]) {
    const BLOCK: usize = 1024;
    for (to, from) in to.chunks_mut(BLOCK).zip(from.chunks(BLOCK)) {
        to.copy_from_slice(from);
    }
}

/// Told of each message.
pub trait Sink: Default {
    fn message(&mut self, payload: &[u8]);
}

/// Counts, and sees to it that the payload has to be there.
#[derive(Default, Clone, Copy, PartialEq, Eq, Debug)]
pub struct Count {
    pub messages: usize,
    pub payload: usize,
}

impl Sink for Count {
    #[inline(always)]
    fn message(&mut self, payload: &[u8]) {
        self.messages += 1;
        self.payload += payload.len();
        std::hint::black_box(payload);
    }
}

/// Remembers what came, byte by byte: FNV-1a of lengths and bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Digest(pub u64);

impl Default for Digest {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Sink for Digest {
    fn message(&mut self, payload: &[u8]) {
        let mut hash = self.0;
        let mut mix =
            |word: u64| hash = (hash ^ word).wrapping_mul(0x0100_0000_01b3).rotate_left(29);
        mix(payload.len() as u64);
        let (words, rest) = payload.as_chunks::<8>();
        for word in words {
            mix(u64::from_le_bytes(*word));
        }
        for &byte in rest {
            mix(byte.into());
        }
        self.0 = hash;
    }
}

/// SplitMix64 (Steele, Lea, Flood 2014): the same numbers in every run.
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Below `bound`.
    pub fn below(&mut self, bound: usize) -> usize {
        ((u128::from(self.next()) * bound as u128) >> 64) as usize
    }
}
