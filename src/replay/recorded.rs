//! A connection that is recorded: every call that changes it, by the same name.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;
use core::ops::Deref;
use core::time::Duration;

use crate::close_code::CloseCode;
use crate::config::Limits;
use crate::connection::{Connection, Event, Outgoing, Part};
use crate::error::{AcceptError, CloseError, SendError, Unsent};
use crate::event::Kind;
use crate::extension::Compress;
use crate::handshake::{Accept, Response};

use super::call::{Call, Came, Outcomes};
use super::entropy::Noted;
use super::recorder::Recording;
use super::{handed, settings};

/// A [`Connection`] that may be recorded: it has all its methods, under the same names, and each that changes
/// something is written down.
///
/// [`Recorder`](super::Recorder) begins one that is. One made [from a connection](From) is not, so that a driver
/// uses one type whether it records or not; that costs some thirty instructions for each call.
pub struct Recorded {
    connection: Connection,
    recording: Option<Box<Recording>>,
}

impl Recorded {
    pub(super) const fn new(connection: Connection, recording: Option<Box<Recording>>) -> Self {
        Self {
            connection,
            recording,
        }
    }

    /// Ends the recording and gives it; `None` if there is none. The connection goes on unrecorded.
    pub fn take_recording(&mut self) -> Option<Vec<u8>> {
        let recording = self.recording.take()?;
        let bytes = recording.into_bytes(&mut self.connection);
        if let Some(noted) = self.connection.entropy_of::<Noted>() {
            noted.stop();
        }
        Some(bytes)
    }

    /// The connection is recorded, and the recording is not full yet.
    #[must_use]
    pub fn is_recording(&self) -> bool {
        let recording = self.recording.as_deref();
        recording.is_some_and(Recording::goes_on)
    }

    /// Bytes of heap that the recording takes.
    #[must_use]
    pub fn recording_held(&self) -> usize {
        let recording = self.recording.as_deref();
        recording.map_or(0, |recording| {
            size_of::<Recording>() + recording.memory_held()
        })
    }

    /// The connection alone; its recording is dropped.
    #[must_use]
    pub fn into_connection(mut self) -> Connection {
        self.take_recording();
        self.connection
    }

    /// What is written to, if anything is.
    #[inline]
    fn recording(&mut self) -> Option<(&mut Recording, &mut Connection)> {
        let recording = self.recording.as_deref_mut()?;
        let goes_on = recording.goes_on();
        goes_on.then_some((recording, &mut self.connection))
    }

    /// As far as a call gets that panics.
    #[cfg(test)]
    pub(super) fn begun_in_a_panic(&mut self) {
        if let Some((recording, connection)) = self.recording() {
            recording.call(Call::Ping);
            recording.writer.string(b"?");
            let _ = connection.ping(b"?");
        }
    }

    /// A call that takes input. `appended`: the caller appends to what was left, wherever that is.
    #[inline]
    fn taking<I: Deref<Target = [u8]>, T: Outcomes>(
        &mut self,
        call: Call,
        input: &mut I,
        appended: bool,
        act: impl FnOnce(&mut Connection, &mut I) -> T,
    ) -> T {
        let Some((recording, connection)) = self.recording() else {
            return act(&mut self.connection, input);
        };
        recording.call(call);
        recording.input(input, appended, connection);
        let before = input.len();
        let result = act(connection, input);
        recording.left(input, before);
        let came = result.came(&mut recording.check);
        recording.done(connection, came, before - input.len());
        result
    }

    /// A call that takes no input, and to which something is handed over that is written before.
    #[inline]
    fn handing<V, T: Outcomes>(
        &mut self,
        call: Call,
        value: V,
        write: impl FnOnce(&mut Recording, &Connection, &V),
        act: impl FnOnce(&mut Connection, V) -> T,
    ) -> T {
        let Some((recording, connection)) = self.recording() else {
            return act(&mut self.connection, value);
        };
        recording.call(call);
        write(recording, connection, &value);
        let result = act(connection, value);
        let came = result.came(&mut recording.check);
        recording.done(connection, came, 0);
        result
    }

    /// The same where nothing is handed over.
    #[inline]
    fn step<T: Outcomes>(
        &mut self,
        call: Call,
        write: impl FnOnce(&mut Recording, &Connection),
        act: impl FnOnce(&mut Connection) -> T,
    ) -> T {
        let write = |recording: &mut Recording, ws: &Connection, (): &()| write(recording, ws);
        self.handing(call, (), write, |ws, ()| act(ws))
    }

    /// A call without arguments.
    #[inline]
    fn plain<T: Outcomes>(&mut self, call: Call, act: impl FnOnce(&mut Connection) -> T) -> T {
        self.step(call, |_, _| (), act)
    }

    // ── what comes in

    /// As [`Connection::receive`].
    #[inline]
    pub fn receive<'a>(&mut self, input: &mut &'a mut [u8]) -> Option<Event<'a>> {
        self.taking(Call::Receive, input, false, Connection::receive)
    }

    /// As [`Connection::receive_copy`].
    pub fn receive_copy(&mut self, input: &mut &[u8]) -> Option<Event<'static>> {
        self.taking(Call::ReceiveCopy, input, false, Connection::receive_copy)
    }

    /// As [`Connection::receive_bytes`].
    #[cfg(feature = "bytes")]
    pub fn receive_bytes(&mut self, input: &mut bytes::BytesMut) -> Option<Event<'static>> {
        self.taking(Call::ReceiveBytes, input, true, Connection::receive_bytes)
    }

    /// As [`Connection::find_event`].
    pub fn find_event(&mut self, input: &mut &mut [u8]) -> bool {
        self.taking(Call::FindEvent, input, false, Connection::find_event)
    }

    /// As [`Connection::keep_input`].
    pub fn keep_input(&mut self, input: &mut &mut [u8]) {
        self.taking(Call::KeepInput, input, false, Connection::keep_input);
    }

    /// As [`Connection::receive_target`].
    pub fn receive_target(&mut self) -> Option<&mut [u8]> {
        if self.is_recording() {
            self.plain(Call::ReceiveTarget, |ws| ws.receive_target().is_some());
        }
        self.connection.receive_target()
    }

    /// As [`Connection::receive_target_filled`].
    pub fn receive_target_filled(&mut self, n: usize) {
        let Some((recording, connection)) = self.recording() else {
            return self.connection.receive_target_filled(n);
        };
        recording.call(Call::ReceiveTargetFilled);
        recording.writer.number(n as u64);
        let target = connection.receive_target().unwrap_or_default();
        let filled = target[..n.min(target.len())].to_vec();
        recording.received(&filled, connection);
        connection.receive_target_filled(n);
        recording.done(connection, Came::Done, 0);
    }

    /// As [`Connection::stream_message`].
    pub fn stream_message(&mut self) {
        self.plain(Call::StreamMessage, Connection::stream_message);
    }

    /// As [`Connection::receive_eof`].
    pub fn receive_eof(&mut self) {
        self.plain(Call::ReceiveEof, Connection::receive_eof);
    }

    /// As [`Connection::write_lost`].
    pub fn write_lost(&mut self) {
        self.plain(Call::WriteLost, Connection::write_lost);
    }

    /// As [`Connection::transport_lost`].
    pub fn transport_lost(&mut self) {
        self.plain(Call::TransportLost, Connection::transport_lost);
    }

    /// As [`Connection::tls_failed`].
    pub fn tls_failed(&mut self) {
        self.plain(Call::TlsFailed, Connection::tls_failed);
    }

    /// As [`Connection::advance_time`].
    #[inline]
    pub fn advance_time(&mut self, now: Duration) {
        self.step(
            Call::AdvanceTime,
            |recording, _| recording.writer.time(now),
            |ws| ws.advance_time(now),
        );
    }

    // ── what goes out

    /// As [`Connection::consume_output`].
    #[inline]
    pub fn consume_output(&mut self, n: usize) {
        self.step(
            Call::ConsumeOutput,
            |recording, connection| {
                recording.writer.number(n as u64);
                recording.leaves(connection, n);
            },
            |ws| ws.consume_output(n),
        );
    }

    /// As [`Connection::send`].
    ///
    /// # Errors
    /// Those of [`Connection::send`].
    #[inline]
    pub fn send<M: Outgoing>(&mut self, message: M) -> Result<(), Unsent<M::Back>> {
        self.send_with(message, Compress::Auto)
    }

    /// As [`Connection::send_with`].
    ///
    /// # Errors
    /// Those of [`Connection::send_with`].
    #[inline]
    pub fn send_with<M: Outgoing>(
        &mut self,
        message: M,
        compress: Compress,
    ) -> Result<(), Unsent<M::Back>> {
        self.handing(
            Call::Send,
            message,
            |recording, ws, message| handed::write(recording, ws, message, compress),
            |ws, message| ws.send_with(message, compress),
        )
    }

    /// As [`Connection::send_through`], which is recorded as what it does: a message is queued, and output is
    /// taken. So a payload is copied.
    ///
    /// # Errors
    /// Those of [`Connection::send_through`].
    pub fn send_through<M: Outgoing>(
        &mut self,
        message: M,
        write: impl FnOnce(&[&[u8]]) -> usize,
    ) -> Result<(), Unsent<M::Back>> {
        self.send(message)?;
        let taken = self.connection.offer_output(write);
        self.consume_output(taken);
        Ok(())
    }

    /// As [`Connection::send_part`].
    ///
    /// # Errors
    /// Those of [`Connection::send_part`].
    pub fn send_part(&mut self, part: Part<'_>) -> Result<(), SendError> {
        self.step(
            Call::SendPart,
            |recording, connection| {
                recording.writer.byte(handed::kind_number(part.kind));
                recording
                    .writer
                    .byte(handed::compress_number(part.compress));
                recording.writer.flag(part.last);
                recording.writer.byte(part.reserved_bits);
                let len = usize::MAX;
                if recording.left_out.payloads && connection.would_encode(len, part.compress) {
                    recording.give_up();
                }
                recording.payload(part.kind, part.bytes);
            },
            |ws| ws.send_part(part),
        )
    }

    /// As [`Connection::begin_message`].
    ///
    /// # Errors
    /// Those of [`Connection::begin_message`].
    pub fn begin_message(&mut self, kind: Kind, len: u64) -> Result<(), SendError> {
        let begun = self.step(
            Call::BeginMessage,
            |recording, _| {
                recording.writer.byte(handed::kind_number(kind));
                recording.writer.number(len);
            },
            |ws| ws.begin_message(kind, len),
        );
        if let (Some(recording), Ok(())) = (&mut self.recording, begun) {
            recording.pieces = kind;
        }
        begun
    }

    /// As [`Connection::write_message`].
    ///
    /// # Errors
    /// Those of [`Connection::write_message`].
    pub fn write_message(&mut self, piece: &[u8]) -> Result<(), SendError> {
        self.step(
            Call::WriteMessage,
            |recording, _| recording.payload(recording.pieces, piece),
            |ws| ws.write_message(piece),
        )
    }

    /// As [`Connection::ping`].
    ///
    /// # Errors
    /// Those of [`Connection::ping`].
    pub fn ping(&mut self, payload: &[u8]) -> Result<(), SendError> {
        self.step(
            Call::Ping,
            |recording, _| recording.writer.string(payload),
            |ws| ws.ping(payload),
        )
    }

    /// As [`Connection::pong`].
    ///
    /// # Errors
    /// Those of [`Connection::pong`].
    pub fn pong(&mut self, payload: &[u8]) -> Result<(), SendError> {
        self.step(
            Call::Pong,
            |recording, _| recording.writer.string(payload),
            |ws| ws.pong(payload),
        )
    }

    // ── the end

    fn closing(
        &mut self,
        call: Call,
        code: Option<CloseCode>,
        reason: &str,
        act: impl FnOnce(&mut Connection) -> Result<(), CloseError>,
    ) -> Result<(), CloseError> {
        self.step(
            call,
            |recording, _| {
                let number = code.map_or(0, CloseCode::get);
                recording.writer.number(number.into());
                recording.payload(Kind::Text, reason.as_bytes());
            },
            act,
        )
    }

    /// As [`Connection::close`].
    ///
    /// # Errors
    /// Those of [`Connection::close`].
    pub fn close(
        &mut self,
        code: impl Into<Option<CloseCode>>,
        reason: &str,
    ) -> Result<(), CloseError> {
        let code = code.into();
        self.closing(Call::Close, code, reason, |ws| ws.close(code, reason))
    }

    /// As [`Connection::close_lossy`].
    ///
    /// # Errors
    /// Those of [`Connection::close_lossy`].
    pub fn close_lossy(
        &mut self,
        code: impl Into<Option<CloseCode>>,
        reason: &str,
    ) -> Result<(), CloseError> {
        let code = code.into();
        self.closing(Call::CloseLossy, code, reason, |ws| {
            ws.close_lossy(code, reason)
        })
    }

    /// As [`Connection::fail`].
    ///
    /// # Errors
    /// Those of [`Connection::fail`].
    pub fn fail(&mut self, code: CloseCode, reason: &str) -> Result<(), CloseError> {
        self.closing(Call::Fail, Some(code), reason, |ws| ws.fail(code, reason))
    }

    // ── the opening handshake

    /// As [`Connection::accept`].
    ///
    /// # Errors
    /// Those of [`Connection::accept`].
    pub fn accept(&mut self, accept: Accept) -> Result<(), AcceptError> {
        self.handing(
            Call::Accept,
            accept,
            |recording, _, accept| {
                settings::write_accept(&mut recording.writer, accept, recording.left_out);
            },
            Connection::accept,
        )
    }

    /// As [`Connection::respond`].
    ///
    /// # Errors
    /// Those of [`Connection::respond`].
    pub fn respond(&mut self, response: Response) -> Result<(), AcceptError> {
        self.handing(
            Call::Respond,
            response,
            |recording, _, response| {
                settings::write_response(&mut recording.writer, response, recording.left_out);
            },
            Connection::respond,
        )
    }

    /// As [`Connection::begin_response`].
    ///
    /// # Errors
    /// Those of [`Connection::begin_response`].
    pub fn begin_response(
        &mut self,
        response: Response,
        len: Option<u64>,
    ) -> Result<(), AcceptError> {
        self.handing(
            Call::BeginResponse,
            response,
            |recording, _, response| {
                settings::write_response(&mut recording.writer, response, recording.left_out);
                recording.writer.flag(len.is_some());
                recording.writer.number(len.unwrap_or(0));
            },
            |ws, response| ws.begin_response(response, len),
        )
    }

    /// As [`Connection::write_response`].
    ///
    /// # Errors
    /// Those of [`Connection::write_response`].
    pub fn write_response(&mut self, piece: &[u8]) -> Result<(), SendError> {
        self.step(
            Call::WriteResponse,
            |recording, _| recording.writer.string(piece),
            |ws| ws.write_response(piece),
        )
    }

    /// As [`Connection::end_response`].
    ///
    /// # Errors
    /// Those of [`Connection::end_response`].
    pub fn end_response(&mut self) -> Result<(), SendError> {
        self.plain(Call::EndResponse, Connection::end_response)
    }

    /// As [`Connection::drop_response`].
    pub fn drop_response(&mut self) {
        self.plain(Call::DropResponse, Connection::drop_response);
    }

    // ── settings and memory

    /// As [`Connection::set_limits`].
    pub fn set_limits(&mut self, limits: Limits) {
        self.step(
            Call::SetLimits,
            |recording, _| settings::write_limits(&mut recording.writer, &limits),
            |ws| ws.set_limits(limits),
        );
    }

    /// As [`Connection::accept_unmasked`].
    pub fn accept_unmasked(&mut self, accept: bool) {
        self.step(
            Call::AcceptUnmasked,
            |recording, _| recording.writer.flag(accept),
            |ws| ws.accept_unmasked(accept),
        );
    }

    /// As [`Connection::lend_buffer`].
    pub fn lend_buffer(&mut self, buffer: Vec<u8>) {
        let (len, capacity) = (buffer.len(), buffer.capacity());
        self.step(
            Call::LendBuffer,
            |recording, _| {
                recording.writer.number(len as u64);
                recording.writer.number(capacity as u64);
            },
            |ws| ws.lend_buffer(buffer),
        );
    }

    /// As [`Connection::take_buffer`].
    pub fn take_buffer(&mut self) -> Option<Vec<u8>> {
        let mut taken = None;
        self.plain(Call::TakeBuffer, |ws| {
            taken = ws.take_buffer();
            taken.is_some()
        });
        taken
    }

    /// As [`Connection::park`].
    pub fn park(&mut self) {
        self.plain(Call::Park, Connection::park);
    }
}

/// What only looks at the connection.
impl Deref for Recorded {
    type Target = Connection;

    #[inline]
    fn deref(&self) -> &Connection {
        &self.connection
    }
}

/// One that is not recorded.
impl From<Connection> for Recorded {
    fn from(connection: Connection) -> Self {
        Self::new(connection, None)
    }
}

/// As the connection, and how long the recording is.
impl fmt::Debug for Recorded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recorded")
            .field("connection", &self.connection)
            .field("recording_held", &self.recording_held())
            .finish()
    }
}
