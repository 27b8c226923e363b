//! What a connection does when time passes.

use core::time::Duration;

use crate::error::Timeout;
use crate::event::Pong;
use crate::frame::Opcode;

use super::clock::{Deadline, Nanos};
use super::{Connection, Transport};

impl Connection {
    /// Tells the time: `now` since an origin of the caller's choice, the same for the life of the
    /// connection. The first call starts the clock and the handshake deadline: call it once at
    /// birth and before each [`receive`](Self::receive). Time that goes backwards is ignored. A
    /// caller that never calls it has no timers.
    ///
    /// What a deadline brings comes as an event from the next `receive`.
    pub fn advance_time(&mut self, now: Duration) {
        if self.clock.tell(now) {
            self.start_first_timer();
            self.time_message();
        }
        // Twice at most: a failure starts the close timer.
        for _ in 0..2 {
            let Some((deadline, due)) = self.earliest() else {
                break;
            };
            if !self.clock.is_past(due) {
                break;
            }
            self.settled(|ws| ws.deadline_passed(deadline));
        }
    }

    /// When [`advance_time`](Self::advance_time) has to be called next, in the caller's time;
    /// `None` while nothing is waited for, and before the first `advance_time`. A driver bounds
    /// its read by it.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Duration> {
        self.earliest().map(|(_, due)| Duration::from_nanos(due))
    }

    fn earliest(&self) -> Option<(Deadline, Nanos)> {
        if self.clock.now().is_none() || self.transport() == Transport::Close {
            return None;
        }
        // The peer's bytes are only waited for while it may send any.
        if self.life.may_send() {
            let timeouts = &self.settings().timeouts;
            self.clock.earliest(timeouts, self.message_since())
        } else {
            self.clock.handshake_deadline()
        }
    }

    fn deadline_passed(&mut self, deadline: Deadline) {
        match deadline {
            Deadline::Ping => self.keep_alive(),
            // The application has not finished the frame that the ping has to follow.
            Deadline::Pong if self.ping_waits() && self.output().is_empty() => {
                self.clock.wait_anew();
            }
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

    // ── keepalive

    /// Queues a keepalive ping. It passes the limit on queued output, so that a peer that reads
    /// nothing is found dead. At most one: a second ping queued after one that has not left proves nothing.
    fn keep_alive(&mut self) {
        if self.ping_waits() {
            // Its round trip goes on.
            return self.clock.put_ping_off();
        }
        self.clock.begin_ping();
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
            self.clock.wait_anew();
        }
    }

    /// The round trip in microseconds if this is the answer to a ping of ours.
    pub(super) fn pong_received(&mut self, payload: &[u8]) -> u32 {
        let sent = self.clock.ping_answered(payload).or_else(|| {
            let pings = &mut self.rare.as_deref_mut()?.pings;
            let (_, sent) = pings.last.take_if(|(ping, _)| ping == payload)?;
            sent
        });
        sent.map_or(Pong::NO_ROUND_TRIP, |sent| {
            let micros = self.clock.micros_since(sent);
            micros.unwrap_or(Pong::NO_ROUND_TRIP - 1)
        })
    }

    // ── messages

    /// Notes when a message, or the header of a frame, began that is not complete.
    #[inline]
    pub(super) fn time_message(&mut self) {
        if self.settings().timeouts.message.is_none() {
            return;
        }
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
    pub(super) const fn start_idle_timers(&mut self) {
        self.clock.unbound();
        self.clock.heard();
    }

    /// A Close frame, a failure, a refusal or the end of the stream: the rest has to come in time.
    /// A further reason does not prolong the wait, once it runs for closing.
    pub(super) fn start_close_timer(&mut self) {
        let closing = self.life.is_established() && self.clock.is_bounded();
        if !closing && !self.life.is_given_up() {
            self.clock.bound(self.settings().timeouts.close);
        }
    }

    /// The clock starts in the middle of something.
    fn start_first_timer(&mut self) {
        if self.life.is_opening() && !self.life.has_eof() {
            self.clock.bound(self.settings().timeouts.handshake);
        } else if !self.life.may_send() {
            self.start_close_timer();
        }
    }
}
