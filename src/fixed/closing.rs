//! The closing handshake and the end (RFC 6455 §7). Who closes, and when, is [`Life`](crate::life::Life)'s.

use crate::close_code::CloseCode;
use crate::error::{CloseError, Failure, Timeout};
use crate::frame::{MAX_CONTROL_PAYLOAD, Opcode, decode_close, encode_close};
use crate::life::Progress;
use crate::role::Role;

use super::queue::Leaves;
use super::{Ended, Endpoint, Incoming};

impl Endpoint<'_> {
    /// How far input and output are, as the rules of [`Life`](crate::life::Life) ask for it.
    pub(super) fn progress(&self) -> Progress {
        Progress {
            unread: self.report.untold,
            drained: self.queue.is_empty(),
            can_leave: !self.queue.is_empty(),
            close_has_left: self.queue.close_has_left(),
            in_frame: false,
            bounded: self.clock.is_bounded(),
        }
    }

    pub(super) fn is_over(&self) -> bool {
        self.life.is_over(self.progress())
    }

    /// Starts the closing handshake (RFC 6455 §7.1.2) with a code, or with `None`. What was queued
    /// before still goes out first.
    ///
    /// Before the connection is established it ends it without a Close frame (§7.1.7, §7.2.2). Closing again, or
    /// after the peer has, does nothing.
    ///
    /// # Errors
    /// [`CloseError::ClientCode`] for 1010 on a server (§7.4.1), [`CloseError::ReasonWithoutCode`],
    /// [`CloseError::ReasonTooLong`] from 124 bytes on (§5.5), [`CloseError::NoEntropy`].
    pub fn close(
        &mut self,
        code: impl Into<Option<CloseCode>>,
        reason: &str,
    ) -> Result<(), CloseError> {
        let code = code.into();
        if code == Some(CloseCode::MANDATORY_EXTENSION) && self.role() == Role::Server {
            let code = CloseCode::MANDATORY_EXTENSION.into();
            return Err(CloseError::ClientCode { code });
        }
        if code.is_none() && !reason.is_empty() {
            return Err(CloseError::ReasonWithoutCode);
        }
        let (len, max) = (reason.len(), MAX_CONTROL_PAYLOAD - 2);
        if len > max {
            return Err(CloseError::ReasonTooLong { len, max });
        }
        if !self.life.may_close(self.progress()) {
            return Ok(());
        }
        if !self.life.is_established() {
            self.give_up();
        } else if !self.queue_close(code, reason) {
            return Err(CloseError::NoEntropy);
        }
        Ok(())
    }

    /// Queues our Close frame, for which room is set aside. False if it could not leave, or there is no
    /// masking key.
    fn queue_close(&mut self, code: Option<CloseCode>, reason: &str) -> bool {
        let mut payload = [0; MAX_CONTROL_PAYLOAD];
        let Some(len) = encode_close(code, reason, &mut payload) else {
            return false;
        };
        let Ok(key) = self.masking_key() else {
            return false;
        };
        let close = (true, Opcode::Close);
        let fits = !self.life.is_unwritable()
            && (self.queue).frame(close, key, &payload[..len], Leaves::Nothing);
        if fits {
            self.life.close_queued();
            self.start_close_timer();
        }
        fits
    }

    /// The peer's Close frame (RFC 6455 §5.5.1): judged, answered with its code, and the last that is read.
    pub(super) fn close_came<'e>(&mut self, payload: &'e [u8]) -> Incoming<'e> {
        let (code, reason) = match decode_close(payload) {
            Ok(body) => body,
            Err(error) => return self.failed(error.into()),
        };
        let received = code.map_or(CloseCode::NO_STATUS_RECEIVED, CloseCode::get);
        self.report.received = Some(received);
        self.life.close_received(self.progress());
        if !self.life.close_is_queued() && !self.queue_close(code, "") {
            self.life.gave_up();
        }
        Incoming::Close { code, reason }
    }

    /// Fails the connection (RFC 6455 §7.1.7): nothing more is read, and a Close frame with the fitting code is
    /// queued, unless one was queued before.
    pub(super) fn failed<'e>(&mut self, failure: Failure) -> Incoming<'e> {
        self.life.failed();
        self.report.failure = Some(failure);
        let code = failure.close_code().and_then(CloseCode::new);
        if self.life.close_is_queued() || code.is_none() || !self.queue_close(code, "") {
            self.life.gave_up();
        }
        self.start_close_timer();
        Incoming::Failed(failure)
    }

    /// The same where no input is the reason: the next [`receive`](Self::receive) tells it.
    pub(super) fn fail_later(&mut self, failure: Failure) {
        self.failed(failure);
        self.life.failure_is_due();
    }

    /// The close timeout has passed.
    pub(super) fn give_up_waiting(&mut self) {
        if self.life.is_incomplete(self.progress()) {
            if self.life.is_established() && !self.life.has_failed() && !self.life.has_eof() {
                self.life.failure_is_due();
                self.report.failure = Some(Timeout::Close.into());
            }
            self.life.lost();
        }
        self.give_up();
    }

    /// The transport is to be closed at once, and nothing more is to be written.
    pub(super) fn give_up(&mut self) {
        self.life.gave_up();
        self.drop_output();
    }

    fn drop_output(&mut self) {
        if !self.queue.is_empty() && self.role() == Role::Server {
            self.report.answered = None;
        }
        self.queue.clear();
    }

    /// The peer will send no more: the end of the stream. Without both Close frames the connection is over
    /// (RFC 6455 §7.1.5: 1006); what is queued may still be written.
    pub fn receive_eof(&mut self) {
        if self.life.eof() && !self.life.is_refused() {
            self.start_close_timer();
        }
    }

    /// Nothing can be written any more. Reading goes on, since the peer may have said why.
    pub fn write_lost(&mut self) {
        // Nobody waits for what the peer could still ask.
        if self.life.is_opening() && self.role() == Role::Server {
            return self.transport_lost();
        }
        if self.life.write_lost() {
            self.drop_output();
            if self.life.is_established() {
                self.start_close_timer();
            }
        }
    }

    /// The transport is gone in both directions: an error while reading, a reset.
    pub fn transport_lost(&mut self) {
        if self.life.lost() {
            self.drop_output();
        }
    }

    /// `Incoming::Closed`, once.
    pub(super) fn closed<'e>(&mut self) -> Option<Incoming<'e>> {
        if self.life.is_reported() || !self.is_over() {
            return None;
        }
        let clean = self.life.is_clean(self.progress());
        self.life.reported();
        let report = &self.report;
        Some(Incoming::Closed(Ended {
            clean,
            // RFC 6455 §7.1.5.
            code: report.received.unwrap_or(CloseCode::ABNORMAL_CLOSURE),
            answered: report.answered.filter(|_| self.queue.is_empty()),
            failure: report.failure,
            began: self.life.began(),
        }))
    }
}
