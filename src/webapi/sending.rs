//! `send`, `bufferedAmount` and `close`.

use alloc::vec::Vec;

use crate::close_code::CloseCode;
use crate::config::Limits;
use crate::connection::Connection;
use crate::error::{SendError, Unsent};
use crate::event::Message;

use super::pending::{Entry, Place};
use super::{Exception, Link, ReadyState, WebSocket};

impl WebSocket {
    /// `send(data)`: text from a `&str` or `String`, binary from bytes. What does not fit into
    /// [`Init::buffer`](super::Init::buffer) closes the connection at once. When closing, nothing is sent, and the message
    /// still counts in [`buffered_amount`](Self::buffered_amount).
    ///
    /// # Errors
    /// [`Exception::InvalidState`] while connecting.
    pub fn send<'m>(&mut self, data: impl Into<Message<'m>>) -> Result<(), Exception> {
        if self.ready_state == ReadyState::Connecting {
            return Err(Exception::InvalidState);
        }
        let message = data.into();
        if self.ready_state > ReadyState::Open {
            self.count(&message);
        } else if self.pending.is_empty() {
            self.deliver(message);
        } else {
            self.pending.push(Entry::Message(message.into_owned()));
        }
        Ok(())
    }

    /// Sends, or gives the message back where there is no room for it: ask again when some output was written. It
    /// changes nothing then. This is what a `WebSocketStream` writes with, whose sink waits, with an
    /// [`Init::buffer`](super::Init::buffer) of the size that it wants.
    ///
    /// ```
    /// # if cfg!(not(feature = "getrandom")) { return Ok(()) }
    /// # use sansocket::{ClientConfig, Negotiated, error::SendError, webapi::{Init, WebSocket}};
    /// # let mut ws = WebSocket::connecting("ws://h/", Init::new().buffer(8))?;
    /// # ws.established(&ClientConfig::new(), Negotiated::new());
    /// # while let Some(_) = ws.receive(&mut &mut [][..]) {}
    /// ws.try_send(vec![0; 100]).unwrap();
    /// let unsent = ws.try_send(vec![1; 100]).unwrap_err();
    /// assert!(matches!(unsent.why, SendError::Full { .. }));
    /// ws.consume_output(usize::MAX); // written
    /// ws.try_send(unsent.message).unwrap();
    /// # Ok::<(), sansocket::webapi::Exception>(())
    /// ```
    ///
    /// # Errors
    /// Those of [`Connection::send`](crate::Connection::send); and [`SendError::MessageInProgress`] while a
    /// [`Place`] before it waits for its bytes.
    pub fn try_send<'m>(
        &mut self,
        data: impl Into<Message<'m>>,
    ) -> Result<(), Unsent<Message<'m>>> {
        let message = data.into();
        let why = match (self.ready_state, &mut self.link) {
            (ReadyState::Connecting, _) => SendError::NotOpen,
            (ReadyState::Open, _) if !self.pending.is_empty() => SendError::MessageInProgress,
            (ReadyState::Open, Link::Connection(connection)) => return connection.send(message),
            _ => SendError::Closing,
        };
        Err(Unsent { why, message })
    }

    /// As `send`, however much is queued: the script's half has counted it.
    pub(super) fn send_within(&mut self, message: Message<'static>) {
        let Link::Connection(connection) = &mut self.link else {
            return self.count(&message);
        };
        let limits = *connection.limits();
        let full = matches!(connection.can_send(), Err(SendError::Full { .. }));
        if full {
            let output = u32::MAX;
            connection.set_limits(Limits { output, ..limits });
        }
        let _ = self.send(message); // open, as the script was told
        if let (true, Link::Connection(connection)) = (full, &mut self.link) {
            connection.set_limits(limits);
        }
    }

    /// What is queued, framing included, and what waits for a place before it.
    pub(super) fn queued(&self) -> u64 {
        let output = self.connection().map_or(0, Connection::output_len) as u64;
        output.saturating_add(self.pending.framed())
    }

    /// `send(blob)` for a Blob of this size whose bytes are still to be read: they count in
    /// [`buffered_amount`](Self::buffered_amount) at once, and what is sent later waits for them, as does the
    /// Close frame.
    ///
    /// ```
    /// # if cfg!(not(feature = "getrandom")) { return Ok(()) }
    /// # use sansocket::{ClientConfig, Negotiated, webapi::{Init, WebSocket}};
    /// # let mut ws = WebSocket::connecting("ws://h/", Init::new())?;
    /// # ws.established(&ClientConfig::new(), Negotiated::new());
    /// # while let Some(_) = ws.receive(&mut &mut [][..]) {}
    /// let blob = ws.reserve(3)?;
    /// ws.send("after it")?;
    /// assert_eq!((ws.buffered_amount(), ws.output().len()), (11, 0));
    /// ws.fill(blob, vec![1, 2, 3]);
    /// assert_eq!(ws.buffered_amount(), 11);
    /// assert_eq!(ws.output().first(), Some(&0x82)); // a binary frame
    /// # Ok::<(), sansocket::webapi::Exception>(())
    /// ```
    ///
    /// # Errors
    /// [`Exception::InvalidState`] while connecting.
    pub fn reserve(&mut self, len: u64) -> Result<Place, Exception> {
        if self.ready_state == ReadyState::Connecting {
            return Err(Exception::InvalidState);
        }
        let (place, number) = self.pending.place();
        if self.ready_state == ReadyState::Open {
            self.pending.push(Entry::Place(number, len));
        } else {
            self.unsent = self.unsent.saturating_add(len);
        }
        Ok(place)
    }

    /// The bytes of the Blob are there. Nothing happens if the connection is closing since before the place.
    pub fn fill(&mut self, place: Place, bytes: impl Into<Vec<u8>>) {
        let message = Message::Binary(bytes.into().into());
        self.pending.fill(&place, Some(message));
        self.go_on();
    }

    /// The Blob could not be read: what was sent after it goes out without it, unless the engine closes the
    /// connection. It stays in [`buffered_amount`](Self::buffered_amount), as data that was not sent.
    pub fn give_up(&mut self, place: Place) {
        let len = self.pending.fill(&place, None);
        self.unsent = self.unsent.saturating_add(len.unwrap_or(0));
        self.go_on();
    }

    /// `bufferedAmount`: bytes of payload that [`send`](Self::send) took and that were not written.
    /// Closing does not reset it. A script must not see it fall within a task: do not write meanwhile,
    /// or ask before.
    #[must_use]
    pub fn buffered_amount(&self) -> u64 {
        let queued = self.connection().map_or(0, Connection::buffered_amount);
        let waiting = self.pending.bytes().saturating_add(self.unsent);
        queued.saturating_add(waiting)
    }

    /// `close(code, reason)`. Messages sent before go out first. Before the connection is open it is
    /// dropped; when it is closing or closed nothing happens. A reason without a code goes out with 1000,
    /// as it cannot be encoded alone.
    ///
    /// # Errors
    /// [`Exception::InvalidAccess`] for a code that is neither 1000 nor from 3000 to 4999,
    /// [`Exception::Syntax`] for a reason of more than 123 bytes of UTF-8.
    pub fn close(&mut self, code: Option<u16>, reason: Option<&str>) -> Result<(), Exception> {
        let (code, reason) = close_frame(code, reason)?;
        self.start_closing(code, reason);
        Ok(())
    }

    /// Closes with 1001 because the page goes away ("make disappear"); drops a connection that is not
    /// open yet.
    pub fn go_away(&mut self) {
        self.start_closing(Some(CloseCode::GOING_AWAY), "");
    }

    /// Closes without a code because nobody holds the object any more (garbage collection).
    pub fn abandon(&mut self) {
        self.start_closing(None, "");
    }

    pub(super) fn start_closing(&mut self, code: Option<CloseCode>, reason: &str) {
        if self.ready_state >= ReadyState::Closing {
            return;
        }
        self.ready_state = ReadyState::Closing;
        self.pending.push(Entry::Close(code, reason.into()));
        self.go_on();
    }

    /// Hands over what waits for nothing any more.
    fn go_on(&mut self) {
        while let Some(entry) = self.pending.pop() {
            match entry {
                Entry::Message(message) => self.deliver(message),
                Entry::Close(code, reason) => {
                    let closes = match &mut self.link {
                        Link::Connection(connection) => connection.close(code, &reason).is_ok(),
                        Link::Elsewhere(_) | Link::Failed => false,
                    };
                    // Without a masking key there is no Close frame.
                    if !closes {
                        self.transport_lost();
                    }
                }
                Entry::Place(..) => {}
            }
        }
    }

    fn deliver(&mut self, message: Message<'_>) {
        let Link::Connection(connection) = &mut self.link else {
            return self.count(&message);
        };
        if let Err(unsent) = connection.send(message) {
            self.count(&unsent.message);
            // The standard flags a full connection. `Closing`: its event has not been asked for yet.
            if unsent.why != SendError::Closing {
                self.transport_lost();
            }
        }
    }

    /// It is not sent, and counts all the same.
    fn count(&mut self, message: &Message<'_>) {
        let len = message.as_bytes().len() as u64;
        self.unsent = self.unsent.saturating_add(len);
    }
}

/// What `close(code, reason)` sends.
pub(super) fn close_frame(
    code: Option<u16>,
    reason: Option<&str>,
) -> Result<(Option<CloseCode>, &str), Exception> {
    let code = match code {
        None => None,
        Some(code @ (1000 | 3000..=4999)) => CloseCode::new(code),
        Some(_) => return Err(Exception::InvalidAccess),
    };
    let reason = reason.unwrap_or_default();
    if reason.len() > 123 {
        return Err(Exception::Syntax);
    }
    let code = code.or_else(|| (!reason.is_empty()).then_some(CloseCode::NORMAL_CLOSURE));
    Ok((code, reason))
}
