//! What a ceiling on memory leaves for each part of a connection.

use alloc::borrow::Cow;

use crate::extension::Configured;

use super::{Limits, Settings};

impl Limits {
    /// No ceiling on memory.
    pub const UNBOUNDED: u64 = u64::MAX;

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
