//! What a connection does when time passes.

use core::mem;
use core::time::Duration;

use crate::clock::{Deadline, Nanos, after, since};
use crate::error::Timeout;
use crate::event::Pong;
use crate::frame::Opcode;

use super::rare::Rare;
use super::{Connection, Transport};

impl Connection {
    /// Tells the time: `now` since an origin of the caller's choice, the same for the life of the
    /// connection. The first call starts the clock and the handshake deadline: call it once at
    /// birth and before each [`receive`](Self::receive). Time that goes backwards is ignored. A
    /// caller that never calls it has no timers.
    ///
    /// What is read counts as of the time that was told last: a driver that has waited tells the time, then
    /// reads.
    ///
    /// What arrived before a deadline counts, however late it is read: the call that finds a deadline
    /// passed gives the driver the time to read once, and what then comes settles it. The next call and
    /// the `receive` after it, or a third call, end the connection if nothing came. Where the
    /// [`Timeouts`](crate::config::Timeouts) bound the whole of something, such as a handshake, they do so
    /// however much still comes, by as long again at most.
    ///
    /// What a deadline brings comes as an event from the next `receive`.
    pub fn advance_time(&mut self, now: Duration) {
        match self.clock.tell(now) {
            None => {
                self.start_first_timer();
                self.time_message();
            }
            Some(passed) => self.stand_still(passed),
        }
        // Thrice at most: a ping, and a failure, which starts the close timer.
        for _ in 0..3 {
            let Some((deadline, due)) = self.past_deadline() else {
                return self.be_in_time();
            };
            if !self.settled(|ws| ws.find_late(deadline, due)) {
                return;
            }
            self.settled(|ws| ws.deadline_passed(deadline));
        }
    }

    /// When [`advance_time`](Self::advance_time) has to be called next, in the caller's time;
    /// `None` while nothing is waited for, and before the first `advance_time`. A driver bounds
    /// its read by it, and reads without waiting if that time has passed.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Duration> {
        // One of before the caller's origin has passed, in any case.
        let since_origin = |due| Duration::from_nanos(since(0, due));
        self.earliest().map(|(_, due)| since_origin(due))
    }

    fn earliest(&self) -> Option<(Deadline, Nanos)> {
        if self.clock.now().is_none() || self.transport() == Transport::Close {
            return None;
        }
        let stands_still = self.stands_still();
        let timeouts = &self.settings().timeouts;
        match self.life.may_send() {
            // The peer's bytes are only waited for while it may send any.
            true if stands_still => self.clock.ping_deadline(timeouts),
            true => self.clock.earliest(timeouts, self.message_since()),
            false if stands_still && self.output.is_empty() => None,
            false => self.clock.handshake_deadline(),
        }
    }

    fn past_deadline(&self) -> Option<(Deadline, Nanos)> {
        self.earliest().filter(|(_, due)| self.clock.is_past(*due))
    }

    fn deadline_passed(&mut self, deadline: Deadline) {
        self.be_in_time();
        if self.counts_what_is_taken(deadline) {
            return;
        }
        match deadline {
            Deadline::Ping => self.keep_alive(),
            // The application has not finished the frame that the ping has to follow.
            Deadline::Pong if self.ping_waits() && self.output().is_empty() => self.wait_anew(),
            Deadline::Pong => self.fail_later(Timeout::Pong.into()),
            Deadline::Idle => self.fail_later(Timeout::Idle.into()),
            Deadline::Message => self.fail_later(Timeout::Message.into()),
            Deadline::Handshake => {
                self.clock.unbound();
                if self.life.is_opening() && !self.life.has_eof() {
                    self.opening_timed_out();
                } else {
                    self.give_up_waiting();
                }
            }
        }
    }

    // ── a deadline that has passed

    /// A deadline was found to have passed. True if what came before it must have been read by now.
    fn find_late(&mut self, deadline: Deadline, due: Nanos) -> bool {
        let timeouts = self.settings().timeouts;
        let whole = match deadline {
            Deadline::Handshake if self.life.is_opening() => timeouts.handshake,
            Deadline::Handshake => timeouts.close,
            Deadline::Message => timeouts.message.unwrap_or_default(),
            Deadline::Pong => timeouts.pong.unwrap_or_default(),
            Deadline::Idle => timeouts.idle.unwrap_or_default(),
            Deadline::Ping => return true,
        };
        let now = self.clock.now().unwrap_or_default();
        if self.rare().late.is_some_and(|(late, _)| late != due) {
            // What was late before has come.
            self.be_in_time();
        }
        let (_, since) = *self.rare().late.get_or_insert((due, now));
        self.clock.find_late() || now > since && after(since, whole) <= now
    }

    /// The driver had the time to read, and nothing came. True if the deadline is judged now.
    pub(super) fn judge_last_chance(&mut self) -> bool {
        if !self.clock.is_last_chance() {
            return false;
        }
        match self.past_deadline() {
            None | Some((Deadline::Ping, _)) => false,
            Some((deadline, _)) => {
                self.deadline_passed(deadline);
                true
            }
        }
    }

    /// No deadline has passed, or something came after it had.
    pub(super) fn no_longer_late(&mut self) {
        if self.clock.is_late() {
            self.settled(|ws| ws.clock.in_time());
        }
    }

    /// The same, and the deadline that had passed is forgotten.
    fn be_in_time(&mut self) {
        self.no_longer_late();
        if let Some(rare) = &mut self.rare {
            rare.late = None;
        }
    }

    /// The application has not taken what has come: the next answer may be among it.
    fn holds_input(&self) -> bool {
        let rare = self.rare.as_deref();
        rare.is_some_and(Rare::has_unread) && !self.life.discards()
    }

    /// A full queue stops a driver from reading: then what the peer takes counts like what it sends. True
    /// if it took something within the time that has passed.
    fn counts_what_is_taken(&mut self, deadline: Deadline) -> bool {
        let timeouts = &self.settings().timeouts;
        let wait = match deadline {
            Deadline::Pong if !self.ping_waits() => timeouts.pong,
            Deadline::Idle => timeouts.idle,
            Deadline::Message => timeouts.message,
            _ => None,
        };
        let (Some(wait), Some(now)) = (wait, self.clock.now()) else {
            return false;
        };
        if self.has_room() {
            return false;
        }
        // What was taken before is not known, at first.
        let taken = *self.rare().taken.get_or_insert(now);
        if after(taken, wait) <= now {
            return false;
        }
        match deadline {
            Deadline::Pong => self.wait_anew(),
            Deadline::Message => self.rare().message_since = Some(now),
            _ => self.clock.begin_idle(),
        }
        true
    }

    /// The application holds input, and is not kept from going on by a peer that takes nothing of a full queue.
    fn stands_still(&self) -> bool {
        self.holds_input() && (!self.life.may_send() || self.has_room())
    }

    /// What waits for the peer stands still while it is the application that has to go on.
    fn stand_still(&mut self, passed: Nanos) {
        if !self.stands_still() {
            return;
        }
        self.settled(|ws| ws.clock.begin_idle());
        if self.clock.is_asked() {
            self.wait_anew();
        }
        if let Some(since) = &mut self.rare().message_since {
            *since = since.saturating_add(passed);
        }
        if self.clock.is_bounded() && self.output.is_empty() {
            self.clock.prolong(passed);
        }
    }

    // ── keepalive

    /// Queues a keepalive ping. It passes the limit on queued output, so that a peer that reads
    /// nothing is found dead. At most one: a second ping queued after one that has not left proves nothing.
    fn keep_alive(&mut self) {
        if self.ping_waits() {
            // Its round trip goes on.
            let later = self.clock.put_ping_off();
            self.rare().pings.later += later;
            return;
        }
        self.clock.begin_ping();
        if let Some(rare) = &mut self.rare {
            rare.pings.later = 0;
        }
        if !self.makes_room_from_aside(Opcode::Ping, KEEPALIVE) {
            let later = self.clock.put_ping_off();
            self.rare().pings.later += later;
            return;
        }
        let Ok(key) = self.masking_key() else { return };
        let before = (self.output.len() as u64).saturating_add(self.output.frame_left());
        if before > 0 {
            self.rare().pings.before = before;
        }
        let payload = self.clock.ping_queued();
        self.output.control(Opcode::Ping, key, &payload);
    }

    /// The keepalive ping waits for other output to leave.
    fn ping_waits(&self) -> bool {
        self.rare.as_ref().is_some_and(|rare| rare.pings.before > 0)
    }

    /// So much output has left. A peer that still reads what was queued before the ping cannot
    /// answer it: the wait begins with the latest of that.
    pub(super) fn output_before_ping_left(&mut self, n: usize) {
        if n > 0 && self.ping_waits() {
            let before = &mut self.rare().pings.before;
            *before = before.saturating_sub(n as u64);
            self.no_longer_late();
            self.wait_anew();
        }
    }

    /// The wait for a Pong begins now. Its round trip goes on.
    fn wait_anew(&mut self) {
        let later = self.clock.wait_anew();
        self.rare().pings.later += later;
    }

    /// The round trip in microseconds if this is the answer to a ping of ours.
    pub(super) fn pong_received(&mut self, payload: &[u8]) -> u32 {
        let mut pings = self.rare.as_deref_mut().map(|rare| &mut rare.pings);
        let sent = match self.clock.ping_answered(payload) {
            Some(since) => {
                let later = pings.map(|pings| mem::take(&mut pings.later));
                Some(since.saturating_sub(later.unwrap_or_default()))
            }
            None => pings
                .as_mut()
                .and_then(|pings| pings.last.take_if(|(ping, _)| ping == payload)?.1),
        };
        sent.map_or(Pong::NO_ROUND_TRIP, |sent| {
            let micros = self.clock.micros_since(sent).unwrap_or(u32::MAX);
            micros.min(Pong::NO_ROUND_TRIP - 1)
        })
    }

    // ── messages

    /// Notes when a message, or the header of a frame, began that is not complete.
    #[inline]
    pub(super) fn time_message(&mut self) {
        if self.settings().timeouts.message.is_some() {
            self.note_message_time();
        }
    }

    fn note_message_time(&mut self) {
        let complete = self.gathering.is_idle() && self.reading.is_complete();
        match self.message_since() {
            Some(_) if complete => self.rare().message_since = None,
            None if !complete => self.rare().message_since = self.clock.now(),
            _ => {}
        }
    }

    fn message_since(&self) -> Option<Nanos> {
        self.rare.as_ref().and_then(|rare| rare.message_since)
    }

    // ── handshakes

    /// The connection is established: the handshake deadline is off.
    pub(super) fn start_idle_timers(&mut self) {
        self.be_in_time();
        self.clock.unbound();
        self.clock.heard();
    }

    /// A Close frame, a failure, a refusal or the end of the stream: the rest has to come in time.
    /// A further reason does not prolong the wait, once it runs for closing.
    pub(super) fn start_close_timer(&mut self) {
        let closing = self.life.is_established() && self.clock.is_bounded();
        if !closing && !self.life.is_given_up() {
            self.rare().closing = true;
            self.restart_close_timer();
        }
    }

    fn restart_close_timer(&mut self) {
        self.be_in_time();
        self.clock.bound(self.settings().timeouts.close);
    }

    /// Output has left. While the connection closes, the end is waited for from when our Close frame has
    /// left, and before that a peer that takes something has time for the rest.
    pub(super) fn note_taken(&mut self, close_had_left: bool) {
        // It wrote, and has not read since.
        self.no_longer_late();
        let now = self.clock.now();
        let empty = self.output.is_empty();
        let rare = self.rare();
        if rare.taken.is_some() {
            rare.taken = now.filter(|_| !empty);
        }
        if self.awaits_content() {
            self.clock.unbound();
        } else if self.clock.is_bounded() && self.rare().closing && !close_had_left {
            self.restart_close_timer();
        }
    }

    /// The clock starts in the middle of something.
    fn start_first_timer(&mut self) {
        if self.life.is_opening() && !self.life.has_eof() {
            self.clock.bound(self.settings().timeouts.handshake);
        } else if !self.life.may_send() && !self.awaits_content() {
            self.start_close_timer();
        }
    }
}

/// Bytes of payload of a keepalive ping.
const KEEPALIVE: usize = 2;
