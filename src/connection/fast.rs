//! What the fast paths ask before they take a message in one frame or send one: two numbers,
//! worked out from the rest of the connection here alone.

use crate::config::{Delivery, Limits};

use super::Connection;

/// The bounds of the fast paths. A payload that is not below goes the general way, which looks at
/// everything; so do all payloads from 4 GiB on.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Fast {
    whole_below: u32,
    plain_below: u32,
}

impl Fast {
    /// Shorter payloads may be a message in one frame that is handed out at once; 0 unless frames
    /// are read, none is in progress, nothing else is due before them, messages are delivered whole and
    /// not counted, and the clock only has to note that the peer was heard.
    #[inline(always)]
    pub(super) const fn whole_below(self) -> u32 {
        self.whole_below
    }

    /// Shorter payloads go out as they are, in one frame, if there is room; 0 unless messages may
    /// be sent, none is being sent in parts, no extension encodes them and no ceiling on memory is set.
    #[inline(always)]
    pub(super) const fn plain_below(self) -> u32 {
        self.plain_below
    }

    #[inline]
    fn of(ws: &Connection) -> Self {
        let settings = ws.settings();
        let rare = ws.rare.as_deref();
        let plain = ws.life.may_send()
            && rare.is_none_or(|rare| rare.in_parts.is_none())
            && ws.codec().is_none()
            && settings.limits.memory == Limits::UNBOUNDED;
        Self {
            whole_below: if ws.clock.is_undisturbed() {
                ws.wholes_below()
            } else {
                0
            },
            plain_below: match settings.fragment {
                _ if !plain => 0,
                0 => u32::MAX,
                fragment => up_to(fragment.into()),
            },
        }
    }
}

/// The bound below which what is that long, or shorter, is.
fn up_to(longest: u64) -> u32 {
    u32::try_from(longest).map_or(u32::MAX, |n| n.saturating_add(1))
}

impl Connection {
    /// Makes a change, and works out anew what the fast paths ask and whether a message is in
    /// progress. Every public method that may change what they depend on does so in here;
    /// [`Connection::fast`] tells those that do not.
    #[inline]
    pub(super) fn settled<R>(&mut self, change: impl FnOnce(&mut Self) -> R) -> R {
        let result = change(self);
        self.settle();
        result
    }

    /// Out of line: in the loop of a driver it takes registers from the way of a whole message.
    #[inline(never)]
    fn settle(&mut self) {
        self.fast = Fast::of(self);
        self.time_message();
    }

    /// The bounds of the fast paths.
    #[inline(always)]
    pub(super) fn fast(&self) -> Fast {
        debug_assert_eq!(self.fast, Fast::of(self), "a change was not settled");
        self.fast
    }

    /// [`Fast::whole_below`] whatever the clock has to note.
    fn wholes_below(&self) -> u32 {
        let settings = self.settings();
        let whole = self.reading.is_idle()
            && self.gathering.is_idle()
            && self.reads_frames()
            && settings.limits.budgets.messages.is_none()
            && matches!(settings.delivery, Delivery::Whole);
        if whole {
            up_to(settings.limits.frame.min(settings.limits.message))
        } else {
            0
        }
    }

    /// The same, for a way that tells the clock everything.
    #[cfg(feature = "bytes")]
    #[inline]
    pub(super) fn whole_below_whenever(&self) -> u32 {
        if self.clock.is_undisturbed() {
            self.fast().whole_below()
        } else {
            self.wholes_below()
        }
    }

    /// Input is read as frames at once: nothing was held or found before.
    pub(super) fn reads_frames(&self) -> bool {
        self.life.reads_frames() && self.rare.as_deref().is_none_or(|rare| !rare.comes_first())
    }
}
