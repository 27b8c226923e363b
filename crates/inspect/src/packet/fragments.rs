//! Packets that came in parts (RFC 791 §3.2, RFC 8200 §4.5).

use std::collections::VecDeque;
use std::net::IpAddr;

/// Packets that can be incomplete at a time: beyond that the oldest is forgotten.
const PACKETS: usize = 64;
/// Holes and parts of one packet.
const PARTS: usize = 128;
const LONGEST: usize = 65_535;

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Key {
    pub(super) from: IpAddr,
    pub(super) to: IpAddr,
    pub(super) id: u32,
}

pub(super) struct Fragment<'a> {
    pub(super) from: IpAddr,
    pub(super) to: IpAddr,
    pub(super) key: Key,
    pub(super) offset: usize,
    pub(super) more: bool,
    pub(super) data: &'a [u8],
}

/// Packets that are not complete.
#[derive(Default)]
pub(super) struct Fragments {
    waiting: VecDeque<Waiting>,
    /// The last one that was completed.
    whole: Vec<u8>,
}

struct Waiting {
    key: Key,
    bytes: Vec<u8>,
    /// Which of them are known: in order, apart from each other.
    known: Vec<(usize, usize)>,
    /// All of them, once the last fragment has come.
    length: Option<usize>,
}

impl Fragments {
    /// Keeps a fragment; returns the packet's payload if that completes it.
    pub(super) fn add(&mut self, fragment: Fragment<'_>) -> Option<&[u8]> {
        if fragment.offset + fragment.data.len() > LONGEST {
            return None;
        }
        let found = self
            .waiting
            .iter()
            .position(|waiting| waiting.key == fragment.key);
        let at = found.unwrap_or_else(|| {
            if self.waiting.len() == PACKETS {
                self.waiting.pop_front();
            }
            let (key, bytes, known) = (fragment.key, Vec::new(), Vec::new());
            self.waiting.push_back(Waiting {
                key,
                bytes,
                known,
                length: None,
            });
            self.waiting.len() - 1
        });
        let waiting = self.waiting.get_mut(at)?;
        waiting.add(&fragment);
        if waiting.known.len() > PARTS {
            self.waiting.remove(at);
            return None;
        }
        if waiting.known.as_slice() != [(0, waiting.length?)] {
            return None;
        }
        let whole = self.waiting.remove(at)?;
        self.whole = whole.bytes;
        self.whole.truncate(whole.length?);
        Some(&self.whole)
    }
}

impl Waiting {
    /// What came first stays.
    fn add(&mut self, fragment: &Fragment<'_>) {
        let (start, end) = (fragment.offset, fragment.offset + fragment.data.len());
        if !fragment.more {
            self.length.get_or_insert(end);
        }
        if self.bytes.len() < end {
            self.bytes.resize(end, 0);
        }
        let (mut at, mut known) = (start, Vec::with_capacity(self.known.len() + 1));
        let mut merged = (start, end);
        for &(from, to) in &self.known {
            if at < from.min(end) {
                self.bytes[at..from.min(end)]
                    .copy_from_slice(&fragment.data[at - start..from.min(end) - start]);
            }
            if from <= end && to >= start {
                at = at.max(to);
                merged = (merged.0.min(from), merged.1.max(to));
            } else {
                known.push((from, to));
            }
        }
        if at < end {
            self.bytes[at..end].copy_from_slice(&fragment.data[at - start..]);
        }
        known.push(merged);
        known.sort_unstable();
        self.known = known;
    }
}
