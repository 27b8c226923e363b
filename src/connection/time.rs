//! Deadlines. The time is an input: the core reads no clock.

use core::time::Duration;

use super::{Connection, Transport};
use crate::config::Timeouts;
use crate::error::Timeout;
use crate::event::Pong;
use crate::frame::Opcode;

/// Nanoseconds since the caller's origin; 584 years of them.
type Nanos = u64;

/// No deadline is set.
const NEVER: Nanos = Nanos::MAX;

pub(super) struct Clock {
    now: Nanos,
    /// When the peer was last heard.
    heard: Nanos,
    /// When the last keepalive ping was queued, or later: from when on its answer is waited for.
    pinged: Nanos,
    /// The handshake or close deadline.
    due: Nanos,
    /// How much later, in microseconds.
    prolonged: u32,
    /// The payload of the last keepalive ping.
    ping_number: u16,
    /// The time was told at least once.
    running: bool,
    /// The last keepalive ping was not answered yet.
    unanswered: bool,
}

impl Default for Clock {
    fn default() -> Self {
        Self {
            now: 0,
            heard: 0,
            pinged: 0,
            due: NEVER,
            prolonged: 0,
            ping_number: 0,
            running: false,
            unanswered: false,
        }
    }
}

impl Clock {
    /// The peer was heard. Once per read and frame, never per byte.
    #[inline]
    pub(super) const fn heard(&mut self) {
        self.heard = self.now;
    }

    /// Bytes came of a frame that is split over reads: a Pong cannot come inside it (RFC 6455
    /// §5.4), so the wait for one begins with its latest bytes.
    pub(super) fn frame_goes_on(&mut self) {
        if self.heard == self.now {
            self.wait_anew();
        }
    }

    /// The wait for a Pong begins now.
    fn wait_anew(&mut self) {
        if self.unanswered {
            let micros = (self.now - self.pinged) / 1000;
            self.prolonged = self
                .prolonged
                .saturating_add(u32::try_from(micros).unwrap_or(u32::MAX));
            self.pinged = self.now;
        }
    }

    /// A close deadline is running.
    pub(super) const fn is_bounded(&self) -> bool {
        self.due != NEVER
    }

    /// The time, if it was told.
    pub(super) fn now(&self) -> Option<Nanos> {
        self.running.then_some(self.now)
    }
}

impl Connection {
    /// Tells the time: `now` since an origin of the caller's choice, the same for the life of the
    /// connection. The first call starts the clock and the handshake deadline: call it once at
    /// birth and before each [`receive`](Self::receive). Time that goes backwards is ignored. A
    /// caller that never calls it has no timers.
    ///
    /// What a deadline brings comes as an event from the next `receive`.
    pub fn advance_time(&mut self, now: Duration) {
        let now = nanos(now);
        let clock = &mut self.clock;
        if clock.running {
            clock.now = clock.now.max(now);
        } else {
            *clock = Clock {
                now,
                heard: now,
                running: true,
                ..Clock::default()
            };
            self.start_first_timer();
            self.time_message();
        }
        // Twice at most: a failure starts the close timer.
        for _ in 0..2 {
            let Some((deadline, due)) = self.earliest() else {
                break;
            };
            if due > self.clock.now {
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
        let clock = &self.clock;
        if !clock.running || self.transport() == Transport::Close {
            return None;
        }
        let one = |deadline, due| (due != NEVER).then_some((deadline, due));
        let timeouts = &self.settings().timeouts;
        // The peer's bytes are only waited for while it may send any.
        let alive = self.life.may_send().then(|| {
            let since = |start: Nanos, after: Option<Duration>| {
                after.map_or(NEVER, |after| start.saturating_add(nanos(after)))
            };
            let pong = if clock.unanswered {
                since(clock.pinged, timeouts.pong)
            } else {
                NEVER
            };
            let quiet = !clock.unanswered || timeouts.pong.is_none();
            let ping = if quiet {
                since(clock.heard.max(clock.pinged), timeouts.ping)
            } else {
                NEVER
            };
            [
                one(Deadline::Pong, pong),
                one(Deadline::Ping, ping),
                one(Deadline::Idle, since(clock.heard, timeouts.idle)),
                one(
                    Deadline::Message,
                    since(self.message_since().unwrap_or(NEVER), timeouts.message),
                ),
            ]
        });
        let main = one(Deadline::Main, clock.due);
        alive
            .into_iter()
            .flatten()
            .chain([main])
            .flatten()
            .min_by_key(|(_, due)| *due)
    }

    fn deadline_passed(&mut self, deadline: Deadline) {
        match deadline {
            Deadline::Ping => self.keep_alive(),
            // The application has not finished the frame that the ping has to follow.
            Deadline::Pong if self.ping_is_behind() && self.output().is_empty() => {
                self.clock.wait_anew();
            }
            Deadline::Pong => self.fail_later(Timeout::Pong.into()),
            Deadline::Idle => self.fail_later(Timeout::Idle.into()),
            Deadline::Message => self.fail_later(Timeout::Message.into()),
            Deadline::Main => {
                self.clock.due = NEVER;
                if self.life.is_opening() && !self.life.has_eof() {
                    self.opening_timed_out();
                } else {
                    self.give_up_waiting();
                }
            }
        }
    }

    /// Queues a keepalive ping. Its payload is a number of our own, so that a Pong that nobody
    /// asked for proves nothing.
    ///
    /// It passes the limit on queued output, so that a peer that reads nothing is found dead. It
    /// is one: behind one that could not leave yet another would tell nothing.
    fn keep_alive(&mut self) {
        if self.ping_is_behind() {
            // Its round trip goes on; the next try comes as late as the next ping would.
            self.clock.wait_anew();
            self.clock.pinged = self.clock.now;
            return;
        }
        self.clock.pinged = self.clock.now;
        self.clock.prolonged = 0;
        let Ok(key) = self.masking_key() else { return };
        let before = (self.output.len() as u64).saturating_add(self.output.frame_left());
        if before > 0 {
            self.rare().pings.before = before;
        }
        let clock = &mut self.clock;
        clock.ping_number = clock.ping_number.wrapping_add(1);
        clock.unanswered = true;
        let payload = clock.ping_number.to_be_bytes();
        self.output.control(Opcode::Ping, key, &payload);
    }

    /// The keepalive ping waits behind other output.
    fn ping_is_behind(&self) -> bool {
        self.rare.as_ref().is_some_and(|rare| rare.pings.before > 0)
    }

    /// So much output has left. A peer that still reads what was queued before the ping cannot
    /// answer it: the wait begins with the latest of that.
    pub(super) fn output_before_ping_left(&mut self, n: usize) {
        if n > 0 && self.ping_is_behind() {
            let before = &mut self.rare().pings.before;
            *before = before.saturating_sub(n as u64);
            self.clock.wait_anew();
        }
    }

    /// The round trip in microseconds if this is the answer to a ping of ours.
    pub(super) fn pong_received(&mut self, payload: &[u8]) -> u32 {
        let clock = &mut self.clock;
        let sent = if clock.unanswered && payload == clock.ping_number.to_be_bytes() {
            clock.unanswered = false;
            Some(
                clock
                    .pinged
                    .saturating_sub(u64::from(clock.prolonged) * 1000),
            )
        } else {
            let rare = self.rare.as_deref_mut();
            rare.and_then(|rare| rare.pings.last.take_if(|(ping, _)| ping == payload))
                .and_then(|(_, sent)| sent)
        };
        sent.map_or(Pong::NO_ROUND_TRIP, |sent| {
            u32::try_from((self.clock.now - sent) / 1000).unwrap_or(Pong::NO_ROUND_TRIP - 1)
        })
    }

    /// Notes when a message, or the header of a frame, began that is not complete.
    pub(super) fn time_message(&mut self) {
        if self.settings().timeouts.message.is_none() {
            return;
        }
        let complete = self.gathering.is_idle() && self.reading.is_complete();
        match self.message_since() {
            Some(_) if complete => self.rare().message_since = None,
            None if !complete => {
                self.rare().message_since = self.clock.now();
            }
            _ => {}
        }
    }

    fn message_since(&self) -> Option<Nanos> {
        self.rare.as_ref().and_then(|rare| rare.message_since)
    }

    /// The connection is established: the handshake deadline is off.
    pub(super) const fn start_idle_timers(&mut self) {
        let clock = &mut self.clock;
        clock.due = NEVER;
        clock.heard = clock.now;
    }

    /// A Close frame, a failure, a refusal or the end of the stream: the rest has to come in time.
    pub(super) fn start_close_timer(&mut self) {
        if self.clock.running && !self.life.is_given_up() {
            let due = self
                .clock
                .now
                .saturating_add(nanos(self.settings().timeouts.close));
            // A further reason does not prolong the wait, once it runs for closing.
            let closing = self.life.is_established() && self.clock.due != NEVER;
            if !closing {
                self.clock.due = due;
            }
        }
    }

    /// The clock starts in the middle of something.
    fn start_first_timer(&mut self) {
        let Timeouts { handshake, .. } = self.settings().timeouts;
        if self.life.is_opening() && !self.life.has_eof() {
            self.clock.due = self.clock.now.saturating_add(nanos(handshake));
        } else if !self.life.may_send() {
            self.start_close_timer();
        }
    }
}

#[derive(Clone, Copy)]
enum Deadline {
    /// Handshake or close.
    Main,
    Ping,
    Pong,
    Idle,
    Message,
}

fn nanos(duration: Duration) -> Nanos {
    // 584 years are enough; a longer wait is one without a deadline.
    Nanos::try_from(duration.as_nanos()).unwrap_or(NEVER)
}
