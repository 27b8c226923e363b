//! The closing handshake and its end (RFC 6455 §7): our Close frame, failures, the state, the
//! report, and who closes the transport.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

use super::{Connection, Phase};
use crate::close_code::CloseCode;
use crate::error::{Failure, Misuse, Timeout};
use crate::event::{CloseFrame, CloseReport, Event, Side};
use crate::frame::{MAX_CONTROL_PAYLOAD, Opcode, encode_close};
use crate::role::Role;

/// Where a connection is in its life (RFC 6455 §4.1, §7.1.3, §7.1.4).
///
/// A client goes from `Initial` (the request is queued and none of it has left) over `Connecting`
/// to `Open`; a server is `Initial` until it accepts. A connection that is refused, dropped or
/// lost goes to `Closed` from wherever it is. There is no way back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum State {
    /// Nothing was sent yet.
    Initial,
    /// Client: the request is on its way, or the answer.
    Connecting,
    /// Established: messages flow both ways.
    Open,
    /// A Close frame was queued or received, or the connection was failed.
    Closing,
    /// The connection is over. What to do with the transport: [`Connection::transport`].
    Closed,
}

/// What to do with the transport below (RFC 6455 §7.1.1). Written output comes first: a driver
/// asks when [`output`](Connection::output) is empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Transport {
    /// Read and write on.
    KeepOpen,
    /// Nothing more will be written: shut down writing, then read and discard until the peer's end
    /// or the deadline, so that the last bytes are not lost to a reset (RFC 6455 §7.1.1). Only
    /// asked of a caller that tells the time, as it has to be bounded; others get `Close`. A
    /// driver that cannot shut down one direction may close at once.
    ShutdownWrite,
    /// Both Close frames were exchanged and the server ends the transport first: a client waits
    /// for that, until the close timeout at the latest. Reading goes on.
    AwaitPeerEnd,
    /// Close it now. If the report says that the closing handshake was not complete, an HTTP/2 or
    /// HTTP/3 stream is reset (RFC 8441 §5).
    Close,
}

impl Connection {
    /// Where the connection is in its life.
    #[must_use]
    pub fn state(&self) -> State {
        let facts = &self.facts;
        if self.is_over() {
            return State::Closed;
        }
        match self.phase {
            Phase::Established if facts.close_sent || facts.close_received || facts.failed => {
                State::Closing
            }
            Phase::Established => State::Open,
            _ if self.role == Role::Client && facts.request_left => State::Connecting,
            // A refusal that is still to be written is over for the WebSocket side.
            Phase::Refused => State::Closing,
            _ => State::Initial,
        }
    }

    /// The state as the WHATWG API numbers it: 0 CONNECTING, 1 OPEN, 2 CLOSING, 3 CLOSED.
    #[must_use]
    pub fn ready_state(&self) -> u8 {
        match self.state() {
            State::Initial | State::Connecting => 0,
            State::Open => 1,
            State::Closing => 2,
            State::Closed => 3,
        }
    }

    /// What to do with the transport, once [`output`](Self::output) has been written.
    #[must_use]
    pub fn transport(&self) -> Transport {
        let facts = &self.facts;
        if facts.lost || facts.given_up {
            return Transport::Close;
        }
        let drained = self.output.is_empty();
        if self.is_over() {
            let complete = facts.close_sent && facts.close_received;
            // What waits for the end of a frame in pieces will never leave now.
            return if !self.output.first().is_empty() {
                Transport::KeepOpen
            } else if !complete && !facts.eof && self.clock.is_bounded() {
                Transport::ShutdownWrite
            } else {
                Transport::Close
            };
        }
        // RFC 6455 §7.1.1: the server closes first.
        if facts.close_sent && facts.close_received && drained {
            Transport::AwaitPeerEnd
        } else {
            Transport::KeepOpen
        }
    }

    /// Starts the closing handshake (RFC 6455 §7.1.2) with a code, or with none. What was queued
    /// before still goes out first; a message that was begun in parts is left unfinished.
    ///
    /// Before the connection is established it ends it without a Close frame (§7.1.7, §7.2.2).
    /// Closing again, or after the peer has, does nothing.
    ///
    /// # Errors
    /// [`Misuse::BadCloseCode`] for 1010 on a server (§7.4.1) and for a reason without a code;
    /// [`Misuse::TooLong`] for a reason of more than 123 bytes (§5.5); [`Misuse::NoEntropy`].
    pub fn close(&mut self, code: Option<CloseCode>, reason: &str) -> Result<(), Misuse> {
        if code == Some(CloseCode::MANDATORY_EXTENSION) && self.role == Role::Server {
            return Err(Misuse::BadCloseCode);
        }
        if code.is_none() && !reason.is_empty() {
            return Err(Misuse::BadCloseCode);
        }
        if reason.len() > MAX_CONTROL_PAYLOAD - 2 {
            return Err(Misuse::TooLong);
        }
        if self.is_over()
            || self.facts.close_sent
            || self.facts.failed
            || self.phase == Phase::Refused
        {
            return Ok(());
        }
        if self.phase == Phase::Established {
            if !self.queue_close(code, reason) {
                return Err(Misuse::NoEntropy);
            }
        } else {
            self.give_up();
        }
        self.settle();
        Ok(())
    }

    /// The transport is to be closed at once, and nothing more is to be written.
    pub(super) fn give_up(&mut self) {
        self.facts.given_up = true;
        self.output.clear();
    }

    /// Queues our Close frame and notes what the report will say. False if there is no masking key.
    pub(super) fn queue_close(&mut self, code: Option<CloseCode>, reason: &str) -> bool {
        let mut payload = [0; MAX_CONTROL_PAYLOAD];
        let Some(len) = encode_close(code, reason, &mut payload) else {
            return false;
        };
        let Ok(key) = self.masking_key() else {
            return false;
        };
        self.output.control(Opcode::Close, key, &payload[..len]);
        self.facts.close_sent = true;
        let began = if self.facts.close_received {
            Side::Peer
        } else {
            Side::Us
        };
        let rare = self.rare();
        rare.sent = Some(CloseFrame::new(code, String::from(reason)));
        rare.began.get_or_insert(began);
        // A message in parts ends here; one frame in pieces is finished first (RFC 6455 §5.5.1).
        if self.output.frame_left() == 0 {
            self.rare().in_parts = None;
        }
        self.start_close_timer();
        true
    }

    /// Fails the connection (RFC 6455 §7.1.7): nothing more of the input is processed, and a Close
    /// frame with the fitting code is queued, unless one was sent before.
    #[cold]
    pub(super) fn fail(&mut self, failure: Failure) -> Event<'static> {
        let facts = &mut self.facts;
        facts.failed = true;
        let silent = facts.close_sent || self.output.frame_left() > 0;
        self.discard_input();
        self.rare().failure = Some(failure);
        // D-27: no second Close frame; and none inside a frame that was begun.
        let code = failure.close_code().and_then(CloseCode::new);
        let reason = match failure {
            Failure::Protocol(error) => error.close_reason(),
            _ => "",
        };
        if silent || code.is_none() || !self.queue_close(code, reason) {
            self.facts.given_up = true;
        }
        self.start_close_timer();
        self.settle();
        Event::Failed(failure)
    }

    /// The close timeout has passed (RFC 6455 §7.1.1: a client may close after a reasonable time).
    pub(super) fn give_up_waiting(&mut self) {
        let facts = &mut self.facts;
        let complete = facts.close_sent && facts.close_received && self.output.is_empty();
        if !complete {
            // A peer that takes nothing has lost the transport as well: a driver that waits to write ends.
            facts.lost = true;
            if !facts.failed && !facts.eof && self.phase == Phase::Established {
                facts.failed = true;
                facts.failure_due = true;
                self.discard_input();
                self.rare().failure = Some(Timeout::Close.into());
            }
        }
        self.give_up();
        self.settle();
    }

    /// The peer will send no more: the end of the stream, a FIN, or END_STREAM. Without both Close
    /// frames the connection is over (RFC 6455 §7.1.5: 1006); what is queued may still be written.
    pub fn receive_eof(&mut self) {
        if !self.facts.eof && !self.facts.lost {
            self.facts.eof = true;
            // The wait for a refusal to leave runs already.
            if self.phase != Phase::Refused {
                self.start_close_timer();
            }
            self.settle();
        }
    }

    /// The transport is gone in both directions: an error while reading or writing, a reset. What
    /// is queued is dropped; the report says 1006, unless the closing handshake was complete.
    pub fn transport_lost(&mut self) {
        if self.facts.lost {
            return;
        }
        self.facts.lost = true;
        self.discard_input();
        self.output.clear();
        self.settle();
    }

    /// The TLS handshake failed (RFC 6455 §4.1): as [`transport_lost`](Self::transport_lost), and the report says 1015.
    pub fn tls_failed(&mut self) {
        self.facts.tls_failed = true;
        self.transport_lost();
    }

    /// Drops what was gathered and held: nothing of it will be delivered.
    pub(super) fn discard_input(&mut self) {
        self.incoming = super::Incoming::default();
        self.gather = super::Gather::None;
        // Nothing more is sent either: the peer has closed, or the connection is over.
        self.drop_codec();
        if let Some(rare) = &mut self.rare {
            rare.held = Vec::new();
            rare.held_at = 0;
            rare.control = Vec::new();
            rare.unanswered = None;
        }
    }

    /// Whether the peer's end has been reached, everything before it included. What is held behind
    /// a request that nobody decided on does not count: its client is gone.
    pub(super) fn at_eof(&self) -> bool {
        let unread = |rare: &super::Rare| {
            rare.found.is_some() || (!rare.held.is_empty() && self.phase != Phase::Deciding)
        };
        self.facts.eof
            && !self.facts.opened
            && !self.incoming.pulling
            && !self.rare.as_deref().is_some_and(unread)
    }

    /// RFC 6455 §7.1.4. For a server when both Close frames are through, for a client at the end of the stream too.
    pub(super) fn is_over(&self) -> bool {
        let facts = &self.facts;
        if facts.lost || facts.given_up || facts.reported {
            return true;
        }
        let eof = self.at_eof();
        let drained = self.output.is_empty();
        match self.phase {
            Phase::Refused => drained || eof,
            Phase::Established if facts.failed => drained || eof,
            // Our Close frame waits for the end of a frame in pieces: nobody reads either.
            Phase::Established if eof && self.output.frame_left() > 0 => true,
            Phase::Established if facts.close_sent && facts.close_received => {
                drained && (self.role == Role::Server || eof)
            }
            Phase::Established | Phase::Opening | Phase::Deciding => eof,
        }
    }

    /// `Event::Closed`, once.
    pub(super) fn closed_event(&mut self) -> Option<Event<'static>> {
        if self.facts.reported || !self.is_over() {
            return None;
        }
        self.facts.reported = true;
        self.discard_input();
        self.settle();
        Some(Event::Closed(Box::new(self.report())))
    }

    fn report(&self) -> CloseReport {
        let facts = &self.facts;
        let rare = self.rare.as_deref();
        let received = rare.and_then(|rare| rare.received.clone());
        // RFC 6455 §7.1.5.
        let code = match &received {
            _ if facts.tls_failed => CloseCode::TLS_HANDSHAKE,
            Some(frame) => frame
                .code
                .map_or(CloseCode::NO_STATUS_RECEIVED, CloseCode::get),
            None => CloseCode::ABNORMAL_CLOSURE,
        };
        CloseReport {
            // D-20: our Close frame is sent when its last byte was taken.
            clean: facts.close_received && !facts.failed && self.output.close_has_left(),
            code,
            sent: rare.and_then(|rare| rare.sent.clone()),
            received,
            failure: rare.and_then(|rare| rare.failure),
            began: rare.and_then(|rare| rare.began),
        }
    }
}
