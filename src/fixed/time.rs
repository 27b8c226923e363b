//! Deadlines (RFC 6455 §7.1.1, §5.5.2). The time is an input.

use core::time::Duration;

use crate::clock::{Deadline, Nanos, after};
use crate::error::Timeout;
use crate::frame::Opcode;
use crate::life::Transport;

use super::queue::Leaves;
use super::{Endpoint, Stage};

/// What is waited for beside what the [`Clock`](crate::clock::Clock) knows.
pub(super) struct Waits {
    /// The deadline of a handshake is that of the closing one.
    closing: bool,
    /// When the message in progress began.
    message_since: Option<Nanos>,
    /// Bytes that were queued before the last keepalive ping and have not left: the peer cannot answer before.
    before_ping: usize,
    /// How much later than the keepalive ping its answer was waited for.
    later: Nanos,
    /// The deadline that was found to have passed, and when.
    late: Option<(Nanos, Nanos)>,
}

impl Waits {
    pub(super) const NONE: Self = Self {
        closing: false,
        message_since: None,
        before_ping: 0,
        later: 0,
        late: None,
    };
}

impl Endpoint<'_> {
    /// Tells the time: `now` since an origin of the caller's choice. The first call starts the clock: call it once at
    /// birth and before each [`receive`](Self::receive). Time that goes backwards is ignored. A caller that never calls
    /// it has no timers.
    ///
    /// What arrived before a deadline counts, however late it is read: the call that finds a deadline passed gives
    /// the driver the time to read once. What a deadline brings comes from the next `receive`.
    pub fn advance_time(&mut self, now: Duration) {
        if self.clock.tell(now).is_none() {
            self.start_first_timer();
            self.note_message_time();
        }
        // Thrice at most: a ping, and a failure, which starts the close timer.
        for _ in 0..3 {
            let Some((deadline, due)) = self.past_deadline() else {
                return self.be_in_time();
            };
            if !self.find_late(deadline, due) {
                return;
            }
            self.deadline_passed(deadline);
        }
    }

    /// When [`advance_time`](Self::advance_time) has to be called next, in the caller's time;
    /// `None` while nothing is waited for, and before the first `advance_time`.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Duration> {
        let (_, due) = self.earliest()?;
        Some(Duration::from_nanos(due.max(0).unsigned_abs()))
    }

    fn earliest(&self) -> Option<(Deadline, Nanos)> {
        if !self.clock.is_told() || self.transport() == Transport::Close {
            return None;
        }
        if self.life.may_send() {
            let since = self.waits.message_since;
            self.clock.earliest(&self.options.timeouts, since)
        } else {
            self.clock.handshake_deadline()
        }
    }

    fn past_deadline(&self) -> Option<(Deadline, Nanos)> {
        self.earliest().filter(|(_, due)| self.clock.is_past(*due))
    }

    /// A deadline was found to have passed. True if what came before it must have been read by now.
    fn find_late(&mut self, deadline: Deadline, due: Nanos) -> bool {
        let timeouts = &self.options.timeouts;
        let whole = match deadline {
            Deadline::Handshake if self.life.is_opening() => timeouts.handshake,
            Deadline::Handshake => timeouts.close,
            Deadline::Message => timeouts.message.unwrap_or_default(),
            Deadline::Pong => timeouts.pong.unwrap_or_default(),
            Deadline::Idle => timeouts.idle.unwrap_or_default(),
            Deadline::Ping => return true,
        };
        let now = self.clock.now().unwrap_or_default();
        if self.waits.late.is_some_and(|(late, _)| late != due) {
            // What was late before has come.
            self.be_in_time();
        }
        let (_, since) = *self.waits.late.get_or_insert((due, now));
        self.clock.find_late() || now > since && after(since, whole) <= now
    }

    /// No deadline has passed, and the one that had is forgotten.
    fn be_in_time(&mut self) {
        self.clock.in_time();
        self.waits.late = None;
    }

    fn deadline_passed(&mut self, deadline: Deadline) {
        self.be_in_time();
        match deadline {
            Deadline::Ping => self.keep_alive(),
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

    /// The driver had the time to read, and nothing came. True if the deadline is judged now.
    pub(super) fn judge_last_chance(&mut self) -> bool {
        if !self.clock.is_last_chance() {
            return false;
        }
        let passed = self.past_deadline();
        let judged = passed.filter(|(deadline, _)| *deadline != Deadline::Ping);
        if let Some((deadline, _)) = judged {
            self.deadline_passed(deadline);
        }
        judged.is_some()
    }

    /// A server says that the request came too late; a client drops the transport.
    fn opening_timed_out(&mut self) {
        let is_server = matches!(&self.stage, Stage::Opening(opening) if opening.is_server());
        self.report.failure = Some(Timeout::Handshake.into());
        self.report.untold = true;
        if !is_server || self.answer(REQUEST_TIMEOUT).is_err() {
            self.give_up();
        }
    }

    // ── keepalive

    /// Queues a keepalive ping. At most one: a second one after one that has not left proves nothing.
    fn keep_alive(&mut self) {
        if self.waits.before_ping > 0 {
            // Its round trip goes on.
            self.waits.later += self.clock.put_ping_off();
            return;
        }
        self.clock.begin_ping();
        self.waits.later = 0;
        if !self.queue.has_room(KEEPALIVE, Leaves::Close) {
            self.waits.later += self.clock.put_ping_off();
            return;
        }
        let Ok(key) = self.masking_key() else { return };
        self.waits.before_ping = self.queue.len();
        let payload = self.clock.ping_queued();
        // There is room for it.
        let ping = (true, Opcode::Ping);
        self.queue.frame(ping, key, &payload, Leaves::Close);
    }

    /// How long the answer took, if this is the answer to the last keepalive ping.
    pub(super) fn pong_came(&mut self, payload: &[u8]) -> Option<Duration> {
        let since = self.clock.ping_answered(payload)?;
        let since = since.saturating_sub(self.waits.later);
        let micros = self.clock.micros_since(since).unwrap_or(u32::MAX);
        Some(Duration::from_micros(micros.into()))
    }

    // ── what begins and ends

    /// Notes when a message, or the header of a frame, began that is not complete.
    pub(super) fn note_message_time(&mut self) {
        let idle = !matches!(&self.stage, Stage::Frames(frames) if !frames.is_idle());
        let since = self.waits.message_since.or_else(|| self.clock.now());
        self.waits.message_since = since.filter(|_| !idle);
    }

    pub(super) fn start_idle_timers(&mut self) {
        self.be_in_time();
        self.clock.unbound();
        self.clock.heard();
    }

    /// A Close frame, a failure, a refusal or the end of the stream: the rest has to come in time. A further reason
    /// does not prolong the wait, once it runs for closing.
    pub(super) fn start_close_timer(&mut self) {
        let runs = self.life.is_established() && self.clock.is_bounded();
        if !runs && !self.life.is_given_up() {
            self.waits.closing = true;
            self.be_in_time();
            self.clock.bound(self.options.timeouts.close);
        }
    }

    /// So many bytes have left. While the connection closes, the end is waited for from when our Close frame has
    /// left, and before that a peer that takes something has time for the rest.
    pub(super) fn output_left(&mut self, n: usize, close_had_left: bool) {
        self.clock.in_time();
        if self.waits.before_ping > 0 {
            self.waits.before_ping = self.waits.before_ping.saturating_sub(n);
            self.waits.later += self.clock.wait_anew();
        }
        if self.waits.closing && self.clock.is_bounded() && !close_had_left {
            self.be_in_time();
            self.clock.bound(self.options.timeouts.close);
        }
    }

    /// The clock starts, perhaps in the middle of something.
    fn start_first_timer(&mut self) {
        if self.life.is_opening() && !self.life.has_eof() {
            self.clock.bound(self.options.timeouts.handshake);
        } else if !self.life.may_send() {
            self.start_close_timer();
        }
    }
}

/// Bytes of a keepalive ping, with a masking key.
const KEEPALIVE: usize = 2 + 4 + 2;

/// RFC 9110 §15.5.9.
const REQUEST_TIMEOUT: u16 = 408;
