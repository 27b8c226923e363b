//! Frames out (RFC 6455 §6.1).

use crate::error::{NoEntropy, SendError};
use crate::frame::{MAX_CONTROL_PAYLOAD, Opcode};
use crate::life::State;
use crate::mask::MaskingKey;
use crate::role::Role;

use super::Endpoint;
use super::queue::Leaves;

impl Endpoint<'_> {
    /// Queues a text message (RFC 6455 §5.6).
    ///
    /// # Errors
    /// [`SendError::NotOpen`], [`SendError::Closing`], [`SendError::Full`] while what is queued leaves no room for
    /// it, [`SendError::TooLong`] if there never is, [`SendError::NoEntropy`].
    pub fn send_text(&mut self, text: &str) -> Result<(), SendError> {
        self.send(Opcode::Text, text.as_bytes())
    }

    /// Queues a binary message (RFC 6455 §5.6).
    ///
    /// # Errors
    /// As [`send_text`](Self::send_text).
    pub fn send_binary(&mut self, bytes: &[u8]) -> Result<(), SendError> {
        self.send(Opcode::Binary, bytes)
    }

    /// Queues a Ping with up to 125 bytes (RFC 6455 §5.5.2).
    ///
    /// # Errors
    /// As [`send_text`](Self::send_text); [`SendError::TooLong`] for a longer payload.
    pub fn ping(&mut self, payload: &[u8]) -> Result<(), SendError> {
        if !self.life.may_send_control() {
            return Err(self.not_writable());
        }
        let (len, max) = (payload.len() as u64, MAX_CONTROL_PAYLOAD as u64);
        if len > max {
            return Err(SendError::TooLong { len, max });
        }
        let key = self.masking_key()?;
        if (self.queue).frame((true, Opcode::Ping), key, payload, Leaves::Close) {
            Ok(())
        } else {
            Err(self.full())
        }
    }

    fn send(&mut self, opcode: Opcode, payload: &[u8]) -> Result<(), SendError> {
        if !self.life.may_send() {
            return Err(self.not_writable());
        }
        let key = self.masking_key()?;
        if (self.queue).frame((true, opcode), key, payload, Leaves::Control) {
            return Ok(());
        }
        match self.queue.longest_message(key) {
            max if payload.len() > max => Err(SendError::TooLong {
                len: payload.len() as u64,
                max: max as u64,
            }),
            _ => Err(self.full()),
        }
    }

    fn not_writable(&self) -> SendError {
        if matches!(self.state(), State::Initial | State::Connecting) {
            SendError::NotOpen
        } else {
            SendError::Closing
        }
    }

    fn full(&self) -> SendError {
        SendError::Full {
            queued: self.queue.len(),
            limit: u32::try_from(self.queue.capacity()).unwrap_or(u32::MAX),
        }
    }

    /// A key for one frame of a client's (RFC 6455 §5.3).
    pub(super) fn masking_key(&mut self) -> Result<Option<MaskingKey>, NoEntropy> {
        if self.role() == Role::Server {
            return Ok(None);
        }
        let mut key = [0; 4];
        self.entropy.as_mut().ok_or(NoEntropy)?.fill(&mut key)?;
        Ok(Some(key))
    }
}
