//! The life of a connection: who closes, when, and what is still read and sent until then
//! (RFC 6455 §7). Everything that decides it is here; the rest of the connection tells what
//! happened and asks.
//!
//! # What happens, and what is read and sent after it
//!
//! | what happened | still read | still sent | the transport |
//! |---|---|---|---|
//! | [`established`](Life::established) (§4.1, §4.2.2) | frames | everything | stays open |
//! | [`refused`](Life::refused): the opening handshake ended otherwise | nothing | the HTTP answer | is closed once that has left |
//! | [`close_queued`](Life::close_queued) (§7.1.2) | messages, until the peer's Close frame (§5.5.1) | the frame that was begun, pongs (§5.5.2) | stays open |
//! | [`close_received`](Life::close_received) (§5.5.1) | nothing | our Close frame, if it was not sent before | with both: the server closes first, a client waits for that (§7.1.1) |
//! | [`failed`](Life::failed) (§7.1.7) | nothing | our Close frame, if none was queued before | is closed once that has left |
//! | [`write_lost`](Life::write_lost) | messages, until the peer's Close frame | nothing | is closed once that came, or the stream has ended |
//! | [`eof`](Life::eof): the peer sends no more | what came before | what is queued | is closed; clean only with both Close frames (§7.1.5) |
//! | [`lost`](Life::lost), [`tls_failed`](Life::tls_failed) | nothing | nothing | is closed at once |
//! | [`gave_up`](Life::gave_up): the close timeout, no masking key | nothing | nothing | is closed at once |
//! | [`reported`](Life::reported): `Event::Closed` was handed out | nothing | nothing | stays closed |
//!
//! A connection that ends between two of these rows follows the lower one.

use crate::role::Role;

mod state;

pub use state::{Side, State, Transport};

/// The life of one connection: what has happened to it, and what follows from that.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Life {
    role: Role,
    facts: Facts,
    /// The first byte of the output has left.
    pub(crate) has_sent: bool,
    /// What is asked for each frame, worked out at each change.
    reads_frames: bool,
    may_send: bool,
}

/// What has happened. Combinations that cannot happen cannot be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Facts {
    phase: Phase,
    stream: Stream,
    /// Nothing can be written any more.
    unwritable: bool,
    /// The transport is to be closed at once, whatever is queued.
    given_up: bool,
    /// `Event::Closed` was handed out.
    reported: bool,
}

/// How far the opening handshake came (RFC 6455 §4), and what came after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Under way: the request, the decision on it, the answer, the body of a refusal.
    Opening,
    /// It ended without a WebSocket connection.
    Refused,
    Established {
        /// `Event::Open` is due.
        open_due: bool,
        closes: Closes,
        failure: Failing,
    },
}

/// The Close frames (RFC 6455 §7.1.3): ours counts from when it is queued.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Closes {
    None,
    Ours,
    Peers,
    /// Both, with who sent the first.
    Both(Side),
}

/// Whether the connection was failed (RFC 6455 §7.1.7).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Failing {
    No,
    /// Yes, and `Event::Failed` is due.
    Due,
    Yes,
}

/// The transport below, as the driver told of it; each state is worse than the one before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Stream {
    Up,
    /// The peer sends no more.
    Ended,
    Lost,
    TlsFailed,
}

/// What the life of a connection depends on beside itself: how far its input was read and its
/// output was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Progress {
    /// Input that came before the end of the stream is still to be read, or an event of it to be handed out.
    pub(crate) unread: bool,
    /// Nothing is queued, and no answer over HTTP lacks some of its body.
    pub(crate) drained: bool,
    /// Something is queued that may leave now: it does not wait for the end of a frame in pieces.
    pub(crate) can_leave: bool,
    /// The last byte of our Close frame was taken.
    pub(crate) close_has_left: bool,
    /// The frame that is sent in pieces lacks some.
    pub(crate) in_frame: bool,
    /// A close deadline is running.
    pub(crate) bounded: bool,
}

impl Life {
    /// A connection whose opening handshake begins.
    pub(crate) const fn new(role: Role) -> Self {
        Self {
            role,
            facts: Facts {
                phase: Phase::Opening,
                stream: Stream::Up,
                unwritable: false,
                given_up: false,
                reported: false,
            },
            has_sent: false,
            reads_frames: false,
            may_send: false,
        }
    }

    // ── what happens

    /// The opening handshake succeeded (RFC 6455 §4.1, §4.2.2): `Event::Open` is due.
    pub(crate) fn established(&mut self) {
        self.change(|facts| {
            facts.phase = Phase::Established {
                open_due: true,
                closes: Closes::None,
                failure: Failing::No,
            };
        });
    }

    /// The opening handshake ended otherwise: with an answer over HTTP, or with nothing.
    pub(crate) fn refused(&mut self) {
        self.change(|facts| facts.phase = Phase::Refused);
    }

    /// Our Close frame was queued (RFC 6455 §7.1.2).
    pub(crate) fn close_queued(&mut self) {
        self.change_closes(|closes| match closes {
            Closes::None | Closes::Ours => Closes::Ours,
            Closes::Peers => Closes::Both(Side::Peer),
            both @ Closes::Both(_) => both,
        });
    }

    /// The peer's Close frame came (RFC 6455 §5.5.1). It answers ours only if that had left.
    pub(crate) fn close_received(&mut self, progress: Progress) {
        self.change_closes(|closes| match closes {
            Closes::None | Closes::Peers => Closes::Peers,
            Closes::Ours if progress.close_has_left => Closes::Both(Side::Us),
            Closes::Ours => Closes::Both(Side::Both),
            both @ Closes::Both(_) => both,
        });
    }

    /// The connection was failed (RFC 6455 §7.1.7), and the application is told.
    pub(crate) fn failed(&mut self) {
        self.set_failure(Failing::Yes);
    }

    /// The connection was failed by something that is no input: `Event::Failed` is due.
    pub(crate) fn failure_is_due(&mut self) {
        self.set_failure(Failing::Due);
    }

    /// The peer sends no more. False if that is not news.
    pub(crate) fn eof(&mut self) -> bool {
        let news = self.facts.stream == Stream::Up;
        if news {
            self.change(|facts| facts.stream = Stream::Ended);
        }
        news
    }

    /// Nothing can be written any more. False if that is not news.
    pub(crate) fn write_lost(&mut self) -> bool {
        let news = !self.facts.unwritable;
        if news {
            self.change(|facts| facts.unwritable = true);
        }
        news
    }

    /// The transport is gone in both directions. False if that is not news.
    pub(crate) fn lost(&mut self) -> bool {
        let news = !self.is_lost();
        if news {
            self.change(|facts| facts.stream = Stream::Lost);
        }
        news
    }

    /// TLS failed: the transport is gone, or is known now to have gone for this reason.
    pub(crate) fn tls_failed(&mut self) {
        self.change(|facts| facts.stream = Stream::TlsFailed);
    }

    /// The transport is to be closed at once.
    pub(crate) fn gave_up(&mut self) {
        self.change(|facts| facts.given_up = true);
    }

    /// `Event::Closed` is handed out. It is the last event.
    pub(crate) fn reported(&mut self) {
        self.change(|facts| facts.reported = true);
    }

    /// So many bytes of the output have left.
    #[inline]
    pub(crate) const fn output_left(&mut self, n: usize) {
        self.has_sent |= n > 0;
    }

    /// Whether `Event::Open` is due; it is handed out now.
    pub(crate) fn take_open(&mut self) -> bool {
        let due = self.open_is_due();
        if due {
            self.change(|facts| {
                if let Phase::Established { open_due, .. } = &mut facts.phase {
                    *open_due = false;
                }
            });
        }
        due
    }

    /// Whether `Event::Failed` is due; it is handed out now.
    pub(crate) fn take_failure(&mut self) -> bool {
        let due = self.failure() == Failing::Due;
        if due {
            self.failed();
        }
        due
    }

    fn set_failure(&mut self, now: Failing) {
        self.change(|facts| {
            if let Phase::Established { failure, .. } = &mut facts.phase {
                *failure = now;
            }
        });
    }

    fn change_closes(&mut self, next: impl FnOnce(Closes) -> Closes) {
        self.change(|facts| {
            if let Phase::Established { closes, .. } = &mut facts.phase {
                *closes = next(*closes);
            }
        });
    }

    /// The one place where anything changes.
    fn change(&mut self, change: impl FnOnce(&mut Facts)) {
        change(&mut self.facts);
        self.reads_frames = self.facts.read_frames();
        self.may_send = self.facts.let_send();
    }

    // ── how it stands

    pub(crate) const fn role(&self) -> Role {
        self.role
    }

    /// The opening handshake is under way.
    pub(crate) const fn is_opening(&self) -> bool {
        matches!(self.facts.phase, Phase::Opening)
    }

    pub(crate) const fn is_established(&self) -> bool {
        matches!(self.facts.phase, Phase::Established { .. })
    }

    /// The opening handshake ended without a connection.
    pub(crate) const fn is_refused(&self) -> bool {
        matches!(self.facts.phase, Phase::Refused)
    }

    pub(crate) const fn closes(&self) -> Closes {
        match self.facts.phase {
            Phase::Established { closes, .. } => closes,
            _ => Closes::None,
        }
    }

    pub(crate) const fn failure(&self) -> Failing {
        match self.facts.phase {
            Phase::Established { failure, .. } => failure,
            _ => Failing::No,
        }
    }

    /// Our Close frame was queued.
    pub(crate) const fn close_is_queued(&self) -> bool {
        matches!(self.closes(), Closes::Ours | Closes::Both(_))
    }

    const fn peer_has_closed(&self) -> bool {
        matches!(self.closes(), Closes::Peers | Closes::Both(_))
    }

    const fn closes_are_exchanged(&self) -> bool {
        matches!(self.closes(), Closes::Both(_))
    }

    /// Established, and failed since (RFC 6455 §7.1.7).
    pub(crate) const fn has_failed(&self) -> bool {
        !matches!(self.failure(), Failing::No)
    }

    /// `Event::Open` or `Event::Failed` is due.
    pub(crate) const fn event_is_due(&self) -> bool {
        matches!(
            self.facts.phase,
            Phase::Established { open_due: true, .. }
                | Phase::Established {
                    failure: Failing::Due,
                    ..
                }
        )
    }

    /// `Event::Open` is due.
    pub(crate) const fn open_is_due(&self) -> bool {
        matches!(self.facts.phase, Phase::Established { open_due: true, .. })
    }

    /// Nothing can be written any more.
    pub(crate) const fn is_unwritable(&self) -> bool {
        self.facts.unwritable
    }

    /// The peer sends no more.
    pub(crate) fn has_eof(&self) -> bool {
        self.facts.stream != Stream::Up
    }

    pub(crate) fn is_lost(&self) -> bool {
        self.facts.stream >= Stream::Lost
    }

    pub(crate) fn is_tls_failed(&self) -> bool {
        self.facts.stream == Stream::TlsFailed
    }

    pub(crate) const fn is_given_up(&self) -> bool {
        self.facts.given_up
    }

    pub(crate) const fn is_reported(&self) -> bool {
        self.facts.reported
    }

    // ── what is still read and sent

    /// Input is read as frames, and nothing is due before it. At the end of the stream more is.
    #[inline]
    pub(crate) const fn reads_frames(&self) -> bool {
        self.reads_frames
    }

    /// Messages and control frames of the application's are sent (RFC 6455 §6.1).
    #[inline]
    pub(crate) const fn may_send(&self) -> bool {
        self.may_send
    }

    /// Pings and pongs of the application's are sent (RFC 6455 §5.5.2, §5.5.3): a Ping has to be
    /// answered until the peer's Close frame has come, so also after ours, which forbids data only (§5.5.1).
    pub(crate) const fn may_send_control(&self) -> bool {
        self.facts.let_control()
    }

    /// Nothing that still comes is read: after the peer's Close frame (RFC 6455 §5.5.1), a failure
    /// (§7.1.7), a refusal, or the end.
    pub(crate) fn discards(&self) -> bool {
        self.is_refused()
            || self.peer_has_closed()
            || self.has_failed()
            || self.is_lost()
            || self.facts.given_up
            || self.facts.reported
    }

    /// A message that was begun may be finished: also after our Close frame was asked for, which
    /// cannot go into a frame (RFC 6455 §5.5.1), and not after a failure.
    pub(crate) fn may_finish_message(&self, progress: Progress) -> bool {
        !self.is_over(progress) && !self.has_failed() && !self.facts.unwritable
    }

    /// A Close frame may be asked for (RFC 6455 §7.1.2): there is one at most, and none after a failure.
    pub(crate) fn may_close(&self, progress: Progress) -> bool {
        !self.is_over(progress)
            && !self.close_is_queued()
            && !self.has_failed()
            && !self.is_refused()
            && !self.facts.unwritable
    }

    /// The peer has closed, and the application has not answered.
    pub(crate) fn may_answer_close(&self, progress: Progress) -> bool {
        matches!(self.closes(), Closes::Peers)
            && !self.is_over(progress)
            && !self.has_failed()
            && !self.facts.unwritable
    }

    /// The application may fail it (RFC 6455 §7.1.7): not once the peer has closed.
    pub(crate) fn may_fail(&self, progress: Progress) -> bool {
        !self.is_over(progress)
            && !self.has_failed()
            && !self.peer_has_closed()
            && !self.is_refused()
    }

    // ── when it is over, and who closes

    /// Whether the WebSocket connection is closed (RFC 6455 §7.1.4). For a server when both Close
    /// frames are through; for a client when the stream has ended too, as the server closes first.
    pub(crate) fn is_over(&self, progress: Progress) -> bool {
        if self.is_lost() || self.facts.given_up || self.facts.reported {
            return true;
        }
        let at_eof = self.facts.stream == Stream::Ended && !self.open_is_due() && !progress.unread;
        match self.facts.phase {
            Phase::Opening => at_eof,
            // The answer, or our Close frame, is still to leave.
            Phase::Refused => progress.drained || at_eof,
            Phase::Established { .. } if self.has_failed() => progress.drained || at_eof,
            // Our Close frame will never leave.
            Phase::Established { .. }
                if self.facts.unwritable && self.peer_has_closed() && !progress.close_has_left =>
            {
                true
            }
            // Our Close frame waits for the end of a frame in pieces: nobody reads either.
            Phase::Established { .. } if at_eof && progress.in_frame => true,
            Phase::Established { .. } if self.closes_are_exchanged() => {
                progress.drained && (self.role == Role::Server || at_eof)
            }
            Phase::Established { .. } => at_eof,
        }
    }

    /// Where the connection is in its life (RFC 6455 §4.1, §7.1.3, §7.1.4).
    pub(crate) fn state(&self, progress: Progress) -> State {
        if self.is_over(progress) {
            return State::Closed;
        }
        let connecting = self.role == Role::Client && self.has_sent;
        match self.facts.phase {
            Phase::Established { .. }
                if self.closes() != Closes::None || self.has_failed() || self.facts.unwritable =>
            {
                State::Closing
            }
            Phase::Established { .. } => State::Open,
            _ if connecting => State::Connecting,
            // A refusal that is still to be written is over for the WebSocket side.
            Phase::Refused => State::Closing,
            Phase::Opening => State::Initial,
        }
    }

    /// What to do with the transport (RFC 6455 §7.1.1).
    pub(crate) fn transport(&self, progress: Progress) -> Transport {
        if self.is_lost() || self.facts.given_up {
            return Transport::Close;
        }
        if !self.is_over(progress) {
            // The server closes first.
            return if self.closes_are_exchanged() && progress.drained {
                Transport::AwaitPeerEnd
            } else {
                Transport::KeepOpen
            };
        }
        // What waits for the end of a frame in pieces will never leave now.
        if progress.can_leave {
            return Transport::KeepOpen;
        }
        // A close at once could reset what the peer has not read yet (§7.1.1).
        let said_last = !self.facts.unwritable || progress.close_has_left;
        if !self.closes_are_exchanged() && !self.has_eof() && progress.bounded && said_last {
            Transport::ShutdownWrite
        } else {
            Transport::Close
        }
    }

    /// Whether the closing handshake was complete before the transport was closed (RFC 6455
    /// §7.1.4). Our Close frame is sent when its last byte was taken.
    pub(crate) const fn is_clean(&self, progress: Progress) -> bool {
        self.peer_has_closed() && !self.has_failed() && progress.close_has_left
    }

    /// Who sent the first Close frame.
    pub(crate) const fn began(&self) -> Option<Side> {
        match self.closes() {
            Closes::None => None,
            Closes::Ours => Some(Side::Us),
            Closes::Peers => Some(Side::Peer),
            Closes::Both(side) => Some(side),
        }
    }

    /// The close timeout has passed in vain: not both Close frames are through (RFC 6455 §7.1.1).
    pub(crate) const fn is_incomplete(&self, progress: Progress) -> bool {
        !(self.closes_are_exchanged() && progress.drained)
    }
}

impl Facts {
    /// Established, and nothing ends it but perhaps our Close frame, after which messages still
    /// come (RFC 6455 §5.5.1). `Event::Open` comes before them.
    const fn read_frames(self) -> bool {
        matches!(
            self,
            Self {
                phase: Phase::Established {
                    open_due: false,
                    closes: Closes::None | Closes::Ours,
                    failure: Failing::No,
                },
                stream: Stream::Up,
                given_up: false,
                ..
            }
        )
    }

    /// The same, and no Close frame: after one no more data is sent (RFC 6455 §5.5.1), and after
    /// the peer's none is read.
    const fn let_send(self) -> bool {
        self.let_control()
            && matches!(
                self.phase,
                Phase::Established {
                    closes: Closes::None,
                    ..
                }
            )
    }

    /// Established, and nothing ends it but perhaps our own Close frame.
    const fn let_control(self) -> bool {
        matches!(
            self,
            Self {
                phase: Phase::Established {
                    closes: Closes::None | Closes::Ours,
                    failure: Failing::No,
                    ..
                },
                stream: Stream::Up,
                unwritable: false,
                given_up: false,
                ..
            }
        )
    }
}

#[cfg(test)]
mod tests;
