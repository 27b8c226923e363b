//! The closing handshake and its end (RFC 6455 §7): our Close frame, failures, the state, the
//! report, and who closes the transport.

use alloc::boxed::Box;
use alloc::string::{String, ToString};

use crate::close_code::CloseCode;
use crate::config::CloseAnswer;
use crate::error::{CloseError, Failure, ProtocolError, Timeout};
use crate::event::{CloseFrame, CloseReport, CutOff};
use crate::frame::{MAX_CONTROL_PAYLOAD, Opcode, decode_close, encode_close};
use crate::life::{Progress, State, Transport};
use crate::role::Role;

use super::Connection;
use super::event::Event;
use super::gathering::Gathering;
use super::rare::Rare;
use super::reading::Reading;

impl Connection {
    /// Where the connection is in its life.
    #[must_use]
    pub fn state(&self) -> State {
        self.life.state(self.progress())
    }

    /// What to do with the transport, once [`output`](Self::output) has been written.
    #[must_use]
    pub fn transport(&self) -> Transport {
        self.life.transport(self.progress())
    }

    /// How far input and output are, as the rules of [`Life`](crate::life::Life) ask for it.
    pub(super) fn progress(&self) -> Progress {
        Progress {
            unread: self.frame_is_due() || self.rare.as_deref().is_some_and(Rare::has_unread),
            drained: self.output.is_empty() && !self.body_is_unfinished(),
            can_leave: !self.output.first().is_empty(),
            close_has_left: self.output.close_has_left(),
            in_frame: self.output.frame_left() > 0,
            bounded: self.clock.is_bounded(),
        }
    }

    pub(super) fn is_over(&self) -> bool {
        self.life.is_over(self.progress())
    }

    /// Starts the closing handshake (RFC 6455 §7.1.2) with a code, or with `None`. What was queued
    /// before still goes out first; a message that was begun in parts is left unfinished.
    ///
    /// Before the connection is established it ends it without a Close frame (§7.1.7, §7.2.2); an
    /// answer over HTTP [in pieces](Self::begin_response) is broken off. Closing again, or after the peer has, does nothing.
    ///
    /// # Errors
    /// [`CloseError::ClientCode`] for 1010 on a server (§7.4.1), [`CloseError::ReasonWithoutCode`],
    /// [`CloseError::ReasonTooLong`] from 124 bytes on (§5.5), [`CloseError::NoEntropy`].
    ///
    /// ```
    /// # use sansocket::{CloseCode, Connection, Negotiated, ServerConfig, error::CloseError};
    /// # let mut ws = Connection::upgraded_server(&ServerConfig::upgraded(), Negotiated::default());
    /// ws.close(CloseCode::GOING_AWAY, "back in a minute")?;
    /// assert_eq!(ws.output(), b"\x88\x12\x03\xe9back in a minute");
    /// # Ok::<(), CloseError>(())
    /// ```
    pub fn close(
        &mut self,
        code: impl Into<Option<CloseCode>>,
        reason: &str,
    ) -> Result<(), CloseError> {
        self.close_with(code.into(), reason)
    }

    fn close_with(&mut self, code: Option<CloseCode>, reason: &str) -> Result<(), CloseError> {
        self.check_code(code)?;
        if code.is_none() && !reason.is_empty() {
            return Err(CloseError::ReasonWithoutCode);
        }
        let (len, max) = (reason.len(), MAX_CONTROL_PAYLOAD - 2);
        if len > max {
            return Err(CloseError::ReasonTooLong { len, max });
        }
        if self.break_response_off() || !self.life.may_close(self.progress()) {
            return Ok(());
        }
        self.settled(|ws| {
            if !ws.life.is_established() {
                ws.give_up();
            } else if !ws.queue_close(code, reason) {
                return Err(CloseError::NoEntropy);
            }
            Ok(())
        })
    }

    /// As [`close`](Self::close), for a reason that may be too long: it is cut at a character.
    ///
    /// # Errors
    /// As [`close`](Self::close), but for [`CloseError::ReasonTooLong`].
    ///
    /// ```
    /// # use sansocket::{CloseCode, Connection, Negotiated, ServerConfig, error::CloseError};
    /// # let mut ws = Connection::upgraded_server(&ServerConfig::upgraded(), Negotiated::default());
    /// ws.close_lossy(CloseCode::INTERNAL_ERROR, &"the database is away; ".repeat(10))?;
    /// assert_eq!(ws.close_sent().map(|frame| frame.reason().len()), Some(123));
    /// # Ok::<(), CloseError>(())
    /// ```
    pub fn close_lossy(
        &mut self,
        code: impl Into<Option<CloseCode>>,
        reason: &str,
    ) -> Result<(), CloseError> {
        self.close_with(code.into(), cut_reason(reason))
    }

    /// Our Close frame, as soon as it is queued.
    #[must_use]
    pub fn close_sent(&self) -> Option<&CloseFrame> {
        self.rare.as_deref()?.ending.sent.as_ref()
    }

    /// The peer's Close frame, as soon as it was read.
    #[must_use]
    pub fn close_received(&self) -> Option<&CloseFrame> {
        self.rare.as_deref()?.ending.received.as_ref()
    }

    /// RFC 6455 §7.4.1: 1010 is sent by clients.
    fn check_code(&self, code: Option<CloseCode>) -> Result<(), CloseError> {
        if code == Some(CloseCode::MANDATORY_EXTENSION) && self.role() == Role::Server {
            let code = CloseCode::MANDATORY_EXTENSION.into();
            return Err(CloseError::ClientCode { code });
        }
        Ok(())
    }

    /// The transport is to be closed at once, and nothing more is to be written.
    pub(super) fn give_up(&mut self) {
        self.life.gave_up();
        self.drop_output();
    }

    /// What is queued never leaves.
    fn drop_output(&mut self) {
        if let Some(rare) = &mut self.rare
            && !self.output.is_empty()
        {
            rare.ending.answered = None;
        }
        self.output.clear();
    }

    /// Queues our Close frame and notes what the report will say. False if it could not leave, or
    /// there is no masking key.
    pub(super) fn queue_close(&mut self, code: Option<CloseCode>, reason: &str) -> bool {
        if self.life.is_unwritable() {
            return false;
        }
        let mut payload = [0; MAX_CONTROL_PAYLOAD];
        let Some(len) = encode_close(code, reason, &mut payload) else {
            return false;
        };
        self.makes_room_from_aside(Opcode::Close, len);
        let Ok(key) = self.masking_key() else {
            return false;
        };
        self.output.control(Opcode::Close, key, &payload[..len]);
        self.life.close_queued();
        self.rare().ending.sent = Some(CloseFrame::new(code, String::from(reason)));
        // A message in parts ends here; one frame in pieces is finished first (RFC 6455 §5.5.1).
        if self.output.frame_left() == 0 {
            self.rare().in_parts = None;
        }
        self.start_close_timer();
        true
    }

    /// The peer's Close frame (RFC 6455 §5.5.1): judged, answered, and the last that is read.
    pub(super) fn close_came(&mut self, payload: &[u8]) -> Event<'static> {
        let (code, reason) = match decode_close(payload) {
            Ok(body) => body,
            Err(error) => return self.fail_for(error.into()),
        };
        let frame = CloseFrame::new(code, String::from(reason));
        self.end_receiving();
        if self.settings().close_answer != CloseAnswer::Application {
            self.drop_codec();
        }
        self.rare().ending.received = Some(frame.clone());
        self.life.close_received(self.progress());
        if !self.life.close_is_queued() {
            self.answer_close(&frame);
        }
        Event::Close(Box::new(frame))
    }

    /// The answer has the same code, as §5.5.1 has it, and no reason: that one was the peer's.
    fn answer_close(&mut self, frame: &CloseFrame) {
        let reason = match self.settings().close_answer {
            CloseAnswer::Code => "",
            CloseAnswer::CodeAndReason => frame.reason(),
            CloseAnswer::Application => return self.start_close_timer(),
        };
        if !self.queue_close(frame.code, reason) {
            self.life.gave_up();
        }
    }

    /// Fails the connection for a reason of the application's (RFC 6455 §7.1.7): a Close frame with this
    /// code is queued, nothing is delivered any more, not even what has come, and
    /// [`transport`](Self::transport) says `Close` when the Close frame has left. A reason of more than 123
    /// bytes is cut at a character.
    ///
    /// [`close`](Self::close) is the orderly way: it delivers what comes until the peer has closed too.
    /// Where our Close frame was queued before, or a frame in pieces is not whole, no Close frame is added
    /// and the transport is to be closed at once. Before the connection is established this ends it, as
    /// `close` does; once the peer has closed it does nothing.
    ///
    /// # Errors
    /// [`CloseError::ClientCode`] for 1010 on a server (§7.4.1).
    ///
    /// ```
    /// # use sansocket::{CloseCode, Connection, Event, Negotiated, ServerConfig, Transport, error::CloseError};
    /// # let mut ws = Connection::upgraded_server(&ServerConfig::upgraded(), Negotiated::default());
    /// # assert!(matches!(ws.receive(&mut &mut [][..]), Some(Event::Open)));
    /// ws.fail(CloseCode::POLICY_VIOLATION, "too many requests")?;
    /// let mut more = *b"\x81\x82\0\0\0\0hi";
    /// assert!(ws.receive(&mut &mut more[..]).is_none());
    /// ws.consume_output(ws.output_len());
    /// let Some(Event::Closed(report)) = ws.receive(&mut &mut [][..]) else { panic!() };
    /// assert_eq!(report.sent.unwrap().reason(), "too many requests");
    /// assert_eq!(ws.transport(), Transport::Close);
    /// # Ok::<(), CloseError>(())
    /// ```
    pub fn fail(&mut self, code: CloseCode, reason: &str) -> Result<(), CloseError> {
        self.check_code(Some(code))?;
        if self.life.may_fail(self.progress()) {
            self.settled(|ws| {
                if ws.life.is_established() {
                    ws.rare().found = None;
                    ws.fail_because(Failure::Application(code), cut_reason(reason));
                } else {
                    ws.give_up();
                }
            });
        }
        Ok(())
    }

    /// Fails the connection (RFC 6455 §7.1.7): nothing more of the input is processed, and a Close
    /// frame with the fitting code is queued, unless one was queued before or a frame was begun,
    /// which it cannot go into.
    #[cold]
    pub(super) fn fail_for(&mut self, failure: Failure) -> Event<'static> {
        let reason = match failure {
            // RFC 6455 §7.4.1: 1010 lists what was expected.
            Failure::Protocol(ProtocolError::ExtensionMissing) => {
                self.settings().extensions.names()
            }
            _ if self.settings().explain_failures => failure.to_string(),
            _ => String::new(),
        };
        self.fail_because(failure, cut_reason(&reason));
        Event::Failed(failure)
    }

    fn fail_because(&mut self, failure: Failure, reason: &str) {
        self.life.failed();
        self.end_messages();
        self.rare().ending.failure = Some(failure);
        let fits = !self.life.close_is_queued() && self.output.frame_left() == 0;
        let code = failure.close_code().and_then(CloseCode::new);
        if !fits || code.is_none() || !self.queue_close(code, reason) {
            self.life.gave_up();
        }
        self.start_close_timer();
    }

    /// The same where no input is the reason: the event comes from the next `receive`.
    pub(super) fn fail_later(&mut self, failure: Failure) {
        self.fail_for(failure);
        self.life.failure_is_due();
    }

    /// The close timeout has passed (RFC 6455 §7.1.1: a client may close after a reasonable time).
    pub(super) fn give_up_waiting(&mut self) {
        if self.life.is_incomplete(self.progress()) {
            if self.life.is_established() && !self.life.has_failed() && !self.life.has_eof() {
                self.life.failure_is_due();
                self.end_messages();
                self.rare().ending.failure = Some(Timeout::Close.into());
            }
            // A peer that takes nothing has lost the transport as well: a driver that waits to write ends.
            self.life.lost();
        }
        self.give_up();
    }

    /// The peer will send no more: the end of the stream, a FIN, or END_STREAM. Without both Close
    /// frames the connection is over (RFC 6455 §7.1.5: 1006); what is queued may still be written.
    pub fn receive_eof(&mut self) {
        self.settled(|ws| {
            // The wait for a refusal to leave runs already.
            if ws.life.eof() && !ws.life.is_refused() {
                ws.start_close_timer();
            }
        });
    }

    /// Nothing can be written any more: an error while writing, or a peer that refuses to read. What
    /// is queued is dropped, nothing is queued from now on, and [`send`](Self::send) returns
    /// [`SendError::Closing`](crate::error::SendError::Closing).
    ///
    /// Reading goes on, since the peer may have said why: what arrived is delivered up to its Close
    /// frame, or to the end of the stream, for the close timeout at most, and
    /// [`transport`](Self::transport) says when to stop. The report has the peer's code, and is not
    /// clean unless our Close frame had left. A client waits for the answer to its request in the
    /// same way; a server that has not answered yet is over.
    ///
    /// ```
    /// # use sansocket::{Connection, Event, Transport};
    /// # let mut ws = Connection::upgraded_client(&Default::default(), Default::default());
    /// # assert!(matches!(ws.receive(&mut &mut [][..]), Some(Event::Open)));
    /// ws.write_lost(); // "broken pipe": the server has closed
    /// let mut read = *b"\x88\x02\x03\xf1"; // and its last words were 1009
    /// let mut input = &mut read[..];
    /// assert!(matches!(ws.receive(&mut input), Some(Event::Close(_))));
    /// let Some(Event::Closed(report)) = ws.receive(&mut input) else { panic!() };
    /// assert_eq!(report.to_string(), "closed not cleanly, code 1009, begun by the peer");
    /// assert_eq!(ws.transport(), Transport::Close);
    /// ```
    pub fn write_lost(&mut self) {
        // Nobody waits for what the peer could still ask.
        if self.life.is_opening() && self.role() == Role::Server {
            return self.transport_lost();
        }
        self.settled(|ws| {
            if !ws.life.write_lost() {
                return;
            }
            ws.drop_output();
            if let Some(rare) = &mut ws.rare {
                rare.end_sending();
            }
            if ws.life.is_established() {
                ws.start_close_timer();
            }
        });
    }

    /// The transport is gone in both directions: an error while reading, a reset. What is queued is
    /// dropped; the report says 1006, unless the closing handshake was complete. An error while
    /// writing is [`write_lost`](Self::write_lost).
    pub fn transport_lost(&mut self) {
        self.settled(|ws| {
            if ws.life.lost() {
                ws.note_cut_off();
                ws.end_messages();
                ws.drop_output();
            }
        });
    }

    /// The TLS handshake failed (RFC 6455 §4.1): as [`transport_lost`](Self::transport_lost), and the report says 1015.
    pub fn tls_failed(&mut self) {
        self.transport_lost();
        self.life.tls_failed();
    }

    /// No message comes or goes any more: drops what was gathered and held, and the codec.
    pub(super) fn end_messages(&mut self) {
        self.end_receiving();
        self.drop_codec();
    }

    /// No message comes any more.
    fn end_receiving(&mut self) {
        self.reading = Reading::default();
        self.gathering = Gathering::default();
        if let Some(rare) = &mut self.rare {
            rare.end_messages();
        }
    }

    /// `Event::Closed`, once.
    pub(super) fn closed_event(&mut self) -> Option<Event<'static>> {
        if self.life.is_reported() || !self.is_over() {
            return None;
        }
        if self.life.has_eof() {
            self.note_cut_off();
        }
        self.life.reported();
        self.end_messages();
        Some(Event::Closed(Box::new(self.report())))
    }

    /// The peer sends no more: notes what lacks its end.
    fn note_cut_off(&mut self) {
        let cut_off = match (self.reading.is_complete(), self.gathering.is_idle()) {
            (false, _) => CutOff::Frame,
            (true, false) => CutOff::Message,
            (true, true) => return,
        };
        self.rare().ending.cut_off = Some(cut_off);
    }

    fn report(&self) -> CloseReport {
        let ending = self.rare.as_deref().map(|rare| &rare.ending);
        let received = ending.and_then(|ending| ending.received.clone());
        // RFC 6455 §7.1.5.
        let code = match &received {
            _ if self.life.is_tls_failed() => CloseCode::TLS_HANDSHAKE,
            Some(frame) => frame
                .code
                .map_or(CloseCode::NO_STATUS_RECEIVED, CloseCode::get),
            None => CloseCode::ABNORMAL_CLOSURE,
        };
        CloseReport {
            clean: self.life.is_clean(self.progress()),
            code,
            answered: ending
                .and_then(|ending| ending.answered)
                .filter(|_| self.output.is_empty()),
            sent: ending.and_then(|ending| ending.sent.clone()),
            received,
            failure: ending.and_then(|ending| ending.failure),
            began: self.life.began(),
            cut_off: ending.and_then(|ending| ending.cut_off),
        }
    }
}

/// As much of a reason as fits, to the end of a character (RFC 6455 §5.5).
fn cut_reason(reason: &str) -> &str {
    let mut end = reason.len().min(MAX_CONTROL_PAYLOAD - 2);
    while !reason.is_char_boundary(end) {
        end -= 1;
    }
    &reason[..end]
}
