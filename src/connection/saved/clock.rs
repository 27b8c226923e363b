//! The clock, and times: all of them relative to what it was told last, as another process counts from elsewhere.

use crate::clock::{Clock, MILLI, NEVER, Nanos, Since, since};
use crate::wire::{Bad, Reader, Writer};

/// What times are counted from.
#[derive(Clone, Copy)]
pub(super) struct Base(Nanos);

impl Base {
    pub(super) fn of(clock: &Clock) -> Self {
        Self(clock.now)
    }

    /// The time is told.
    pub(super) const fn is_told(self) -> bool {
        self.0 != NEVER
    }

    /// What lies in the past.
    pub(super) fn save_past(self, then: Nanos, to: &mut Writer) {
        to.number(since(then, self.0));
    }

    pub(super) fn read_past(self, from: &mut Reader<'_>) -> Result<Nanos, Bad> {
        let passed: i64 = from.small()?;
        if !self.is_told() {
            return Err(Bad);
        }
        Ok(self.0.saturating_sub(passed))
    }

    /// What may lie in the future.
    pub(super) fn save(self, then: Nanos, to: &mut Writer) {
        to.signed(then.saturating_sub(self.0));
    }

    pub(super) fn read(self, from: &mut Reader<'_>) -> Result<Nanos, Bad> {
        let after = from.signed()?;
        if !self.is_told() {
            return Err(Bad);
        }
        Ok(self.0.saturating_add(after))
    }
}

/// `now` is the caller's time, which may be later than what the clock was told.
pub(super) fn save(clock: &Clock, now: Nanos, to: &mut Writer) {
    let Clock {
        now: told_last,
        heard,
        pinged,
        due,
        since: Since(noted),
        ping_number,
        unanswered,
    } = *clock;
    let base = Base::of(clock);
    let told = base.is_told();
    to.byte(
        u8::from(told)
            | u8::from(told && clock.is_bounded()) << 1
            | u8::from(told && unanswered) << 2,
    );
    if !told {
        return;
    }
    to.number(since(told_last, now));
    base.save_past(heard, to);
    base.save_past(pinged, to);
    to.number(noted.into());
    to.number(ping_number.into());
    if clock.is_bounded() {
        base.save(due, to);
    }
}

/// With `now` being the same moment in the caller's time.
pub(super) fn read(now: Nanos, from: &mut Reader<'_>) -> Result<Clock, Bad> {
    let facts = from.byte()?;
    match facts {
        0 => return Ok(Clock::default()),
        _ if facts & 1 == 0 || facts > 7 => return Err(Bad),
        _ => {}
    }
    let passed: i64 = from.small()?;
    let now = now.min(NEVER - 1).saturating_sub(passed);
    let base = Base(now);
    let clock = Clock {
        now,
        heard: base.read_past(from)?,
        pinged: base.read_past(from)?,
        since: Since(from.small()?),
        ping_number: from.small()?,
        due: if facts & 2 == 0 {
            NEVER
        } else {
            base.read(from)?
        },
        unanswered: facts & 4 != 0,
    };
    // The latest byte came before now, to the millisecond.
    let trickle = clock.since.trickle().unsigned_abs();
    let most = since(clock.heard, now) + MILLI.unsigned_abs();
    if clock.since.late() > Since::LATEST || trickle >= most {
        return Err(Bad);
    }
    Ok(clock)
}
