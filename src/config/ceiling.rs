//! What a ceiling on memory leaves for each part of a connection.

use alloc::borrow::Cow;

use crate::extension::Configured;

use super::{Limits, Settings};

impl Limits {
    /// The ceiling, if there is one.
    pub(crate) fn ceiling(&self) -> Option<u64> {
        (self.memory != Self::UNBOUNDED).then(|| self.memory.max(LEAST))
    }

    /// What a ceiling leaves for all that is not small.
    fn shared(&self) -> Option<usize> {
        let shared = self.ceiling()? - SET_ASIDE as u64;
        Some(usize::try_from(shared).unwrap_or(usize::MAX))
    }

    /// The most that the codec of an extension may hold.
    pub(crate) fn codec(&self) -> usize {
        self.shared().map_or(usize::MAX, |shared| shared / 2)
    }

    /// Those of the opening handshake: its heads are held several times over while they are judged.
    pub(crate) fn of_opening(&self) -> Cow<'_, Self> {
        let Some(shared) = self.shared() else {
            return Cow::Borrowed(self);
        };
        let share = shared / 8;
        let bytes = u32::try_from(share).unwrap_or(u32::MAX);
        Cow::Owned(Self {
            head: self.head.min(bytes),
            body: self.body.min(bytes),
            fields: self
                .fields
                .min(u16::try_from(share / FIELD).unwrap_or(u16::MAX)),
            ..*self
        })
    }
}

impl Settings {
    /// The extensions that the ceiling has room for.
    pub(crate) fn fitting(&self) -> Cow<'_, Configured> {
        self.fitted(&self.extensions)
    }

    /// Those of these that it has room for.
    pub(crate) fn fitted<'c>(&self, extensions: &'c Configured) -> Cow<'c, Configured> {
        if self.limits.ceiling().is_none() {
            return Cow::Borrowed(extensions);
        }
        Cow::Owned(extensions.within(self.limits.codec()))
    }
}

/// Of a ceiling, so much is set aside for what is small: boxes, control frames, reasons, masking keys.
pub(crate) const SET_ASIDE: usize = 8 << 10;

/// The least ceiling; a lower one counts as this.
const LEAST: u64 = 16 << 10;

/// What a field of a head takes beside its bytes, at most.
const FIELD: usize = 64;

#[cfg(test)]
mod tests {
    use super::{FIELD, LEAST, Limits, SET_ASIDE};

    fn with_ceiling(memory: u64) -> Limits {
        let mut limits = Limits::server();
        limits.memory = memory;
        (limits.head, limits.body, limits.fields) = (u32::MAX, u32::MAX, u16::MAX);
        limits
    }

    /// [`Limits::memory`]: what is small has its own part; a codec may have half of the rest, a head an eighth.
    #[test]
    fn the_parts_of_a_ceiling() {
        let limits = with_ceiling(64 << 10);
        let shared = (64 << 10) - SET_ASIDE;
        assert_eq!(limits.codec(), shared / 2);
        let opening = limits.of_opening();
        let share = shared / 8;
        assert_eq!((opening.head, opening.body), (share as u32, share as u32));
        assert_eq!(usize::from(opening.fields), share / FIELD);
        assert_eq!(opening.memory, limits.memory);
        // What is less already stays.
        let mut less = limits;
        (less.head, less.body, less.fields) = (1000, 10, 20);
        assert_eq!(*less.of_opening(), less);
        // A lower one counts as the least.
        let (low, least) = (with_ceiling(0), with_ceiling(LEAST));
        assert_eq!(low.codec(), least.codec());
        // Without one nothing changes.
        let unbounded = with_ceiling(Limits::UNBOUNDED);
        assert_eq!(*unbounded.of_opening(), unbounded);
        assert_eq!(unbounded.codec(), usize::MAX);
    }
}
