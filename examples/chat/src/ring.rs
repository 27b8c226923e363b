//! The last ones of many, each with a number that stays.

use std::collections::VecDeque;

use crate::engine::KEPT;

/// How many bytes a ring holds at most.
const BYTES: usize = 4 << 20;

#[derive(Debug)]
pub(crate) struct Ring<T> {
    /// With their lengths.
    items: VecDeque<(T, usize)>,
    first: u64,
    bytes: usize,
}

impl<T> Default for Ring<T> {
    fn default() -> Self {
        let items = VecDeque::new();
        let (first, bytes) = (0, 0);
        Self {
            items,
            first,
            bytes,
        }
    }
}

impl<T> Ring<T> {
    pub(crate) fn push(&mut self, item: T, len: usize) {
        self.items.push_back((item, len));
        self.bytes += len;
        while self.items.len() > KEPT || self.bytes > BYTES {
            self.bytes -= self.items.pop_front().map_or(0, |(_, len)| len);
            self.first += 1;
        }
    }

    /// The number of the first.
    pub(crate) fn first(&self) -> u64 {
        self.first
    }

    /// The number of the next that will come.
    pub(crate) fn end(&self) -> u64 {
        self.first + self.items.len() as u64
    }

    pub(crate) fn get(&self, number: u64) -> Option<&T> {
        let at = number.checked_sub(self.first)?;
        self.items
            .get(usize::try_from(at).ok()?)
            .map(|(item, _)| item)
    }

    /// All, with their numbers.
    pub(crate) fn iter(&self) -> impl DoubleEndedIterator<Item = (u64, &T)> {
        let items = self.items.iter().enumerate();
        items.map(|(at, (item, _))| (self.first + at as u64, item))
    }
}
