//! The records of one end (RFC 8446 §5.1), found again after bytes that are missing.

use std::collections::VecDeque;

use super::suite::{HEADER, Keys};

/// The most bytes of one end that wait: for the rest of a record, for keys that are still to be logged, for an answer.
pub const WAITING: usize = 256 << 10;

/// The most that a record has after its header: of TLS 1.2, which may add more (RFC 5246 §6.2.3).
const LONGEST: usize = (1 << 14) + 2048;

/// After a loss, so many sequence numbers are tried at most.
const WINDOW: u64 = 1 << 10;

/// How much may be opened in vain: so much at once, and so much for each byte that comes.
const CREDIT: u64 = 4 << 20;
const CREDIT_OF_A_BYTE: u64 = 16;

/// What keys are for, in their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Epoch {
    /// What a client sends before the server has answered.
    Early,
    Handshake,
    Application,
}

/// The records of one end, as far as they were not read.
pub(super) struct Half {
    bytes: Vec<u8>,
    start: usize,
    /// So many bytes of a record that is not there whole are still to come.
    skip: usize,
    /// Where the next record begins is not known.
    searching: bool,
    /// Bytes of records that were lost since the last one that could be opened.
    missing: u64,
    /// The records among them whose header was there.
    known: u64,
    keys: Option<(Epoch, Keys)>,
    sequence: u64,
    /// The keys that come after those.
    later: VecDeque<(Epoch, Keys)>,
    credit: u64,
    /// Of TLS 1.2: what follows is encrypted.
    pub(super) changed: bool,
    /// Messages of the handshake that are not there whole.
    pub(super) handshake: Vec<u8>,
    /// Records that no key opens, before the application's.
    pub(super) failed: u32,
}

/// The next record.
pub(super) enum Next {
    /// A record of this kind; `length` counts its header too.
    Record { kind: u8, length: usize },
    /// More bytes are needed.
    Nothing,
    /// There is none at this place.
    Bad,
}

/// A record that was opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Opened {
    pub(super) kind: u8,
    pub(super) epoch: Epoch,
    /// Bytes of the application that were lost before.
    pub(super) gap: u64,
}

impl Half {
    pub(super) fn new() -> Self {
        Self {
            bytes: Vec::new(),
            start: 0,
            skip: 0,
            searching: false,
            missing: 0,
            known: 0,
            keys: None,
            sequence: 0,
            later: VecDeque::new(),
            credit: CREDIT,
            changed: false,
            handshake: Vec::new(),
            failed: 0,
        }
    }

    /// Takes what comes next.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        let skipped = self.skip.min(bytes.len());
        self.skip -= skipped;
        let more = bytes.len() as u64 * CREDIT_OF_A_BYTE;
        self.credit = (self.credit + more).min(CREDIT);
        self.bytes.extend(&bytes[skipped..]);
    }

    /// How many bytes wait.
    pub(super) fn waiting(&self) -> usize {
        self.bytes.len() - self.start
    }

    /// Its first bytes.
    pub(super) fn front(&self, length: usize) -> &[u8] {
        &self.bytes[self.start..self.start + length]
    }

    pub(super) fn take(&mut self, length: usize) {
        self.start += length;
        if self.start == self.bytes.len() {
            (self.bytes, self.start) = (Vec::new(), 0);
        } else if self.start > LONGEST {
            self.bytes.drain(..self.start);
            self.start = 0;
        }
    }

    /// Nothing of it is read any longer.
    pub(super) fn clear(&mut self) {
        *self = Self::new();
    }

    /// These keys come next, after those that were there.
    pub(super) fn add(&mut self, epoch: Epoch, keys: Keys) {
        self.later.push_back((epoch, keys));
    }

    pub(super) fn epoch(&self) -> Option<Epoch> {
        self.keys.as_ref().map(|(epoch, _)| *epoch)
    }

    /// So many bytes are missing.
    pub(super) fn lose(&mut self, length: u64) {
        let skipped = length.min(self.skip as u64);
        self.skip -= skipped as usize; // not more than it is
        let length = length - skipped;
        if length == 0 {
            return;
        }
        let waiting = self.waiting();
        let left = match self.next() {
            Next::Nothing if waiting >= HEADER && !self.searching => {
                record_length(self.front(HEADER)).saturating_sub(waiting)
            }
            _ => 0,
        };
        self.missing = self.missing.saturating_add(waiting as u64 + length);
        if length <= left as u64 {
            self.skip = left - length as usize; // less than a record
            self.missing += self.skip as u64;
            self.known += 1;
        } else {
            self.searching = true;
        }
        self.take(waiting);
    }

    /// What stands at the front.
    pub(super) fn next(&self) -> Next {
        let waiting = self.waiting();
        if self.searching || waiting == 0 {
            return Next::Nothing;
        }
        if waiting < HEADER {
            return Next::Nothing;
        }
        let header = self.front(HEADER);
        let length = record_length(header);
        if !matches!(header[0], 20..=24) || header[1] != 3 || length > HEADER + LONGEST {
            return Next::Bad;
        }
        if waiting < length {
            return Next::Nothing;
        }
        Next::Record {
            kind: header[0],
            length,
        }
    }

    /// Looks for a record that can be opened, after a loss.
    pub(super) fn search(&mut self, out: &mut Vec<u8>) -> Option<Opened> {
        while self.searching {
            let bytes = &self.bytes[self.start..];
            let marks = [23, 3, 3];
            let found = bytes.windows(marks.len()).position(|at| *at == marks);
            // The beginning of one may be there.
            let passed = found.unwrap_or_else(|| bytes.len().saturating_sub(marks.len() - 1));
            self.missing += passed as u64;
            self.take(passed);
            let waiting = self.waiting();
            if found.is_none() || waiting < HEADER {
                return None;
            }
            let length = record_length(self.front(HEADER));
            if length <= HEADER + LONGEST {
                if waiting < length {
                    return None;
                }
                if let Some(opened) = self.open(length, out) {
                    self.searching = false;
                    self.take(length);
                    return Some(opened);
                }
            }
            self.missing += 1;
            self.take(1);
        }
        None
    }

    /// The record at the front cannot be read: it is as if it were lost.
    pub(super) fn fail(&mut self, length: usize) {
        self.missing += length as u64;
        self.known += 1;
        self.take(length);
    }

    /// There is none at the front.
    pub(super) fn lose_place(&mut self) {
        self.searching = true;
    }

    /// Opens a record at the front with the first key and sequence number that fit it.
    pub(super) fn open(&mut self, length: usize, out: &mut Vec<u8>) -> Option<Opened> {
        let record = &self.bytes[self.start..self.start + length];
        let credit = &mut self.credit;
        let mut attempt = |keys: &Keys, sequence: u64| {
            *credit = credit.checked_sub(record.len() as u64)?;
            keys.open(sequence, record, out)
        };
        let (missing, known) = (self.missing, self.known);
        if let Some((epoch, keys)) = &self.keys {
            let each = (HEADER + keys.suite().overhead()) as u64;
            let least = missing.div_ceil((HEADER + LONGEST) as u64).max(known);
            let most = (missing / each).min(least + WINDOW);
            for lost in least..=most {
                if let Some(kind) = attempt(keys, self.sequence + lost) {
                    self.sequence += lost + 1;
                    (self.missing, self.known) = (0, 0);
                    return Some(Opened {
                        kind,
                        epoch: *epoch,
                        gap: missing - lost * each,
                    });
                }
            }
        }
        if self.later.is_empty()
            && let Some((epoch, keys)) = &self.keys
            && let Some(next) = keys.next()
        {
            self.later.push_back((*epoch, next));
        }
        for (n, (epoch, keys)) in self.later.iter().enumerate() {
            let each = (HEADER + keys.suite().overhead()) as u64;
            // The first may have been lost with what was.
            let most = (missing / each).clamp(1, WINDOW);
            for lost in 0..=most {
                let Some(kind) = attempt(keys, lost) else {
                    continue;
                };
                let gap = match self.keys {
                    Some((Epoch::Application, _)) => missing.saturating_sub((lost + 1) * each),
                    _ if lost != 0 => missing.saturating_sub(lost * each),
                    _ => 0,
                };
                let epoch = *epoch;
                self.keys = self.later.drain(..=n).next_back();
                self.sequence = lost + 1;
                (self.missing, self.known) = (0, 0);
                return Some(Opened { kind, epoch, gap });
            }
        }
        None
    }

    /// Bytes of the application that are missing at the end, if it is known in how many records they were.
    pub(super) fn rest(&mut self) -> u64 {
        let missing = std::mem::take(&mut self.missing);
        match &self.keys {
            Some((Epoch::Application, keys)) if !self.searching => {
                let each = (HEADER + keys.suite().overhead()) as u64;
                missing.saturating_sub(self.known * each)
            }
            _ => 0,
        }
    }
}

/// Of a header, with it.
fn record_length(header: &[u8]) -> usize {
    HEADER + (usize::from(header[3]) << 8 | usize::from(header[4]))
}
