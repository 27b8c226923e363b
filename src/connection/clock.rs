//! The clock of a connection: what is waited for, and until when. The time is an input: nothing
//! here reads one.

use core::time::Duration;

use crate::config::Timeouts;

/// What is waited for, and until when. Before the time is told nothing is.
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

/// What a deadline is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Deadline {
    /// The end of the opening handshake, or of the closing one.
    Handshake,
    /// The next keepalive ping.
    Ping,
    /// The answer to the last one.
    Pong,
    /// Anything from the peer.
    Idle,
    /// The end of the message in progress.
    Message,
}

/// Nanoseconds since the caller's origin; 584 years of them.
pub(super) type Nanos = u64;

impl Clock {
    // ── the time

    /// Tells the time. True if it is the first: the clock starts. Time that goes backwards is ignored.
    pub(super) fn tell(&mut self, now: Duration) -> bool {
        let now = nanos(now);
        let starts = !self.running;
        if starts {
            *self = Self {
                now,
                heard: now,
                running: true,
                ..Self::default()
            };
        }
        self.now = self.now.max(now);
        starts
    }

    /// The time, if it was told.
    pub(super) fn now(&self) -> Option<Nanos> {
        self.running.then_some(self.now)
    }

    /// Whether a deadline has passed.
    pub(super) const fn is_past(&self, due: Nanos) -> bool {
        due <= self.now
    }

    // ── the handshakes

    /// The opening or closing handshake has to end in time. Nothing is bounded before the time is told.
    pub(super) fn bound(&mut self, after: Duration) {
        if self.running {
            self.due = self.now.saturating_add(nanos(after));
        }
    }

    /// The handshake has ended, or its deadline has passed.
    pub(super) const fn unbound(&mut self) {
        self.due = NEVER;
    }

    /// A handshake has to end in time.
    pub(super) const fn is_bounded(&self) -> bool {
        self.due != NEVER
    }

    // ── the peer

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
    pub(super) fn wait_anew(&mut self) {
        if self.unanswered {
            let micros = (self.now - self.pinged) / 1000;
            self.prolonged = self
                .prolonged
                .saturating_add(u32::try_from(micros).unwrap_or(u32::MAX));
            self.pinged = self.now;
        }
    }

    /// It is time for a keepalive ping, and none can be queued: the next try comes as late as the
    /// next ping would.
    pub(super) fn put_ping_off(&mut self) {
        self.wait_anew();
        self.pinged = self.now;
    }

    /// A keepalive ping begins.
    pub(super) const fn begin_ping(&mut self) {
        self.pinged = self.now;
        self.prolonged = 0;
    }

    /// The keepalive ping is queued. Its payload is a number of our own, so that a Pong that nobody
    /// asked for proves nothing.
    pub(super) const fn ping_queued(&mut self) -> [u8; 2] {
        self.ping_number = self.ping_number.wrapping_add(1);
        self.unanswered = true;
        self.ping_number.to_be_bytes()
    }

    /// When the keepalive ping was queued, if this answers it.
    pub(super) fn ping_answered(&mut self, payload: &[u8]) -> Option<Nanos> {
        let answers = self.unanswered && payload == self.ping_number.to_be_bytes();
        if !answers {
            return None;
        }
        self.unanswered = false;
        let prolonged = u64::from(self.prolonged) * 1000;
        Some(self.pinged.saturating_sub(prolonged))
    }

    /// Microseconds since then, as far as they can be told.
    pub(super) fn micros_since(&self, then: Nanos) -> Option<u32> {
        u32::try_from((self.now - then) / 1000).ok()
    }

    // ── deadlines

    /// The earliest deadline of a handshake.
    pub(super) fn handshake_deadline(&self) -> Option<(Deadline, Nanos)> {
        set(Deadline::Handshake, self.due)
    }

    /// The earliest deadline while the peer may send, with the message that it began at that time.
    pub(super) fn earliest(
        &self,
        timeouts: &Timeouts,
        message_since: Option<Nanos>,
    ) -> Option<(Deadline, Nanos)> {
        let since = |start: Nanos, after: Option<Duration>| {
            after.map_or(NEVER, |after| start.saturating_add(nanos(after)))
        };
        let waits = self.unanswered && timeouts.pong.is_some();
        let (pong, ping) = if waits {
            (since(self.pinged, timeouts.pong), NEVER)
        } else {
            let last = self.heard.max(self.pinged);
            (NEVER, since(last, timeouts.ping))
        };
        let message = since(message_since.unwrap_or(NEVER), timeouts.message);
        [
            set(Deadline::Pong, pong),
            set(Deadline::Ping, ping),
            set(Deadline::Idle, since(self.heard, timeouts.idle)),
            set(Deadline::Message, message),
            self.handshake_deadline(),
        ]
        .into_iter()
        .flatten()
        .min_by_key(|(_, due)| *due)
    }
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

fn set(deadline: Deadline, due: Nanos) -> Option<(Deadline, Nanos)> {
    (due != NEVER).then_some((deadline, due))
}

fn nanos(duration: Duration) -> Nanos {
    // 584 years are enough; a longer wait is one without a deadline.
    Nanos::try_from(duration.as_nanos()).unwrap_or(NEVER)
}

/// No deadline is set.
const NEVER: Nanos = Nanos::MAX;
