//! What a peer has spent of its budgets over time ([`Budgets`], RFC 6455 §10.4): a bucket for each that
//! fills with what comes and empties as time passes, in whole numbers.

use crate::clock::{Nanos, since};
use crate::config::{Budgets, Rate};
use crate::error::{Limit, ProtocolError};
use crate::frame::Opcode;

use super::Connection;

/// What has a budget.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Budget {
    Pings,
    EmptyFrames,
    TinyFragments,
    Messages,
}

impl Budget {
    const ALL: [Self; 4] = [
        Self::Pings,
        Self::EmptyFrames,
        Self::TinyFragments,
        Self::Messages,
    ];

    const fn limit(self) -> Limit {
        match self {
            Self::Pings => Limit::Pings,
            Self::EmptyFrames => Limit::EmptyFrames,
            Self::TinyFragments => Limit::TinyFragments,
            Self::Messages => Limit::Messages,
        }
    }

    const fn rate(self, budgets: &Budgets) -> Option<Rate> {
        match self {
            Self::Pings => budgets.pings,
            Self::EmptyFrames => budgets.empty_frames,
            Self::TinyFragments => budgets.tiny_fragments,
            Self::Messages => budgets.messages,
        }
    }
}

/// What was spent of each, in the order of [`Budget`].
#[derive(Default, PartialEq, Eq)]
pub(super) struct Spent(pub(super) [Bucket; Budget::ALL.len()]);

/// What was spent of one budget, as it stood at some time.
#[derive(Default, PartialEq, Eq, Clone, Copy)]
pub(super) struct Bucket {
    /// Each that comes adds [`Rate::per`] in nanoseconds, each nanosecond takes [`Rate::count`] away: so
    /// nothing is rounded.
    pub(super) level: u128,
    pub(super) at: Nanos,
}

impl Bucket {
    /// Takes what has run out since.
    fn run(&mut self, rate: Rate, now: Nanos) {
        let passed = u128::from(since(self.at, now));
        self.level = self.level.saturating_sub(passed * u128::from(rate.count()));
        self.at = now;
    }

    /// One more came.
    ///
    /// # Errors
    /// How many are there at once, if they are more than there may be.
    fn add(&mut self, rate: Rate, now: Nanos) -> Result<(), u64> {
        self.run(rate, now);
        let each = rate.per().as_nanos();
        self.level += each;
        // Each is less than 2^94, and as many as 2^32.
        if self.level > each * u128::from(rate.most_at_once()) {
            return Err(u64::from(rate.most_at_once()) + 1);
        }
        Ok(())
    }
}

impl Connection {
    /// One more of what has this budget has come.
    ///
    /// # Errors
    /// There were too many.
    #[cold]
    #[inline(never)]
    pub(super) fn spend(&mut self, budget: Budget) -> Result<(), ProtocolError> {
        let (Some(now), Some(rate)) = (
            self.clock.now(),
            budget.rate(&self.settings().limits.budgets),
        ) else {
            return Ok(());
        };
        if budget == Budget::Pings && self.comes_alone(rate, now) {
            return Ok(());
        }
        let spent = self.rare().spent.get_or_insert_default();
        let added = spent.0[budget as usize].add(rate, now);
        added.map_err(|value| {
            let (limit, max) = (budget.limit(), rate.most_at_once().into());
            ProtocolError::Limit { limit, value, max }
        })
    }

    /// A ping comes after a silence in which the budget of one runs out, and nothing is left of what came before: it
    /// is not counted, so that an idle connection holds nothing for the keepalive of its peer.
    fn comes_alone(&mut self, rate: Rate, now: Nanos) -> bool {
        let silence = u128::from(since(self.clock.last_heard(), now));
        if silence * u128::from(rate.count()) < rate.per().as_nanos() || rate.most_at_once() == 0 {
            return false;
        }
        self.forget_spent();
        self.rare.as_ref().is_none_or(|rare| rare.spent.is_none())
    }

    /// Counts the frame whose header has come, where it is one of those that are counted.
    #[inline(never)]
    pub(super) fn count_frame(&mut self) -> Result<(), ProtocolError> {
        let header = self.reading.header();
        // Control frames are never without FIN.
        let (small, begins) = (
            !header.fin() && header.payload_len() < TINY,
            matches!(header.opcode(), Some(Opcode::Text | Opcode::Binary)),
        );
        let empty = self.reading.left() == 0;
        if begins {
            self.spend(Budget::Messages)?;
        }
        match (small, empty) {
            (false, _) => Ok(()),
            (true, true) => self.spend(Budget::EmptyFrames),
            (true, false) => self.spend(Budget::TinyFragments),
        }
    }

    /// Forgets what was spent so long ago that it counts no more.
    pub(super) fn forget_spent(&mut self) {
        let budgets = self.settings().limits.budgets;
        if let Some(now) = self.clock.now()
            && let Some(rare) = &mut self.rare
            && let Some(spent) = &mut rare.spent
            && spent.has_run_out(&budgets, now)
        {
            rare.spent = None;
        }
    }
}

impl Spent {
    fn has_run_out(&mut self, budgets: &Budgets, now: Nanos) -> bool {
        let mut all = self.0.iter_mut().zip(Budget::ALL);
        all.all(|(bucket, budget)| {
            let Some(rate) = budget.rate(budgets) else {
                return true;
            };
            bucket.run(rate, now);
            bucket.level == 0
        })
    }
}

/// A fragment is tiny that has fewer bytes. Autobahn's smallest have 64.
const TINY: u64 = 64;
