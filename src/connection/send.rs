//! Whole messages out (RFC 6455 §6.1), and the application's control frames.

use alloc::vec::Vec;

use crate::error::{NoEntropy, SendError, Unsent};
use crate::event::Kind;
use crate::extension::Compress;
use crate::frame::{MAX_CONTROL_PAYLOAD, Opcode, first_byte};
use crate::mask::MaskingKey;
use crate::payload::{HandedOver, OwnedBytes};
use crate::role::Role;

use super::outgoing::{Outgoing, Prepared};
use super::{Connection, State};

impl Connection {
    // ── whole messages

    /// Queues a message (RFC 6455 §6.1). It is taken as a whole or not at all.
    ///
    /// # Errors
    /// With the message, if it was handed over, and nothing changed: [`SendError::NotOpen`],
    /// [`SendError::Closing`], [`SendError::Full`], [`SendError::MessageInProgress`], [`SendError::NoEntropy`].
    ///
    /// ```
    /// # use sansocket::{Connection, Negotiated, ServerConfig, error::SendError};
    /// # let mut ws = Connection::upgraded_server(&ServerConfig::upgraded(), Negotiated::default());
    /// ws.send("Hello")?;
    /// assert_eq!(ws.output(), b"\x81\x05Hello"); // RFC 6455 §5.7
    /// # Ok::<(), SendError>(())
    /// ```
    #[inline]
    pub fn send<M: Outgoing>(&mut self, message: M) -> Result<(), Unsent<M::Back>> {
        message.send_on(self, Compress::Auto)
    }

    /// As [`send`](Self::send), saying how the message is to be compressed. Without agreed
    /// compression it goes out as it is.
    ///
    /// # Errors
    /// As [`send`](Self::send).
    pub fn send_with<M: Outgoing>(
        &mut self,
        message: M,
        compress: Compress,
    ) -> Result<(), Unsent<M::Back>> {
        message.send_on(self, compress)
    }

    /// Whether [`send`](Self::send) would take a message now.
    ///
    /// # Errors
    /// What `send` would return.
    #[inline]
    pub fn can_send(&self) -> Result<(), SendError> {
        self.check_writable()?;
        if self.in_parts().is_some() {
            Err(SendError::MessageInProgress)
        } else {
            self.check_room()
        }
    }

    #[inline]
    pub(super) fn check_writable(&self) -> Result<(), SendError> {
        if self.life.may_send() {
            Ok(())
        } else {
            Err(self.not_writable())
        }
    }

    #[cold]
    pub(super) fn not_writable(&self) -> SendError {
        if matches!(self.state(), State::Initial | State::Connecting) {
            SendError::NotOpen
        } else {
            SendError::Closing
        }
    }

    /// Refuses where the queue is full.
    #[inline]
    pub(super) fn check_room(&self) -> Result<(), SendError> {
        if self.has_room() {
            return Ok(());
        }
        let (queued, limit) = (self.output.len(), self.settings().limits.output);
        Err(SendError::Full { queued, limit })
    }

    #[inline]
    pub(super) fn has_room(&self) -> bool {
        let limit = self.settings().limits.output;
        self.output.len() < usize::try_from(limit).unwrap_or(usize::MAX)
    }

    /// A payload of this length goes out as it is, in one frame, and there is room for it.
    #[inline(always)]
    pub(super) fn sends_plain(&self, len: usize) -> bool {
        (len as u64) < self.fast().plain_below().into() && self.has_room()
    }

    /// A fresh key for each frame of a client (RFC 6455 §5.3), none for a server's.
    #[inline]
    pub(super) fn masking_key(&mut self) -> Result<Option<MaskingKey>, NoEntropy> {
        if self.role() == Role::Server {
            return Ok(None);
        }
        Ok(Some(self.entropy.masking_key()?))
    }

    #[inline]
    fn key_to_send(
        &mut self,
        len: usize,
        handed_over: usize,
        compress: Compress,
    ) -> Result<Option<MaskingKey>, SendError> {
        self.can_send()?;
        let key = self.masking_key()?;
        self.make_room_for_message(len, Some(handed_over), compress)?;
        Ok(key)
    }

    /// Inlined where it is called, with a server's frame: the common case is one call of the caller.
    #[inline(always)]
    pub(super) fn send_borrowed(
        &mut self,
        kind: Kind,
        payload: &[u8],
        compress: Compress,
    ) -> Result<(), SendError> {
        if !self.sends_plain(payload.len()) {
            return self.send_otherwise(kind, payload, compress);
        }
        let first = first_byte(true, 0, kind.opcode());
        if self.role() == Role::Client {
            return Ok(self.send_masked(first, payload)?);
        }
        self.use_spare();
        self.output.frame(first, None, payload);
        Ok(())
    }

    /// A client's frame. A call, so that a server's, which is inlined, is not slowed by what only
    /// this needs; with the small error, which comes back in a register.
    #[inline(never)]
    fn send_masked(&mut self, first: u8, payload: &[u8]) -> Result<(), NoEntropy> {
        let key = self.entropy.masking_key()?;
        self.use_spare();
        self.output.frame(first, Some(key), payload);
        Ok(())
    }

    /// A message that is refused, split or encoded: off the fast path, so that this stays small.
    #[inline(never)]
    fn send_otherwise(
        &mut self,
        kind: Kind,
        payload: &[u8],
        compress: Compress,
    ) -> Result<(), SendError> {
        self.can_send()?;
        let key = self.masking_key()?;
        self.make_room_for_message(payload.len(), None, compress)?;
        let further = self.further_keys(payload.len(), compress)?;
        self.use_spare();
        if self.encodes(payload.len(), compress) {
            self.queue_encoded(kind, key, payload, compress);
        } else if self.splits(payload.len()) {
            self.queue_split(kind, key, &further, payload);
        } else {
            self.output
                .frame(first_byte(true, 0, kind.opcode()), key, payload);
        }
        Ok(())
    }

    /// A message that was handed over, which comes back if it is refused.
    pub(super) fn send_owned<M: Into<OwnedBytes> + HandedOver>(
        &mut self,
        kind: Kind,
        len: usize,
        message: M,
        compress: Compress,
    ) -> Result<(), Unsent<M>> {
        let keys = self
            .key_to_send(len, message.memory_held(), compress)
            .and_then(|key| Ok((key, self.further_keys(len, compress)?)));
        match keys {
            Ok((key, further)) => {
                self.queue_owned(kind, key, further, message.into(), compress);
                Ok(())
            }
            Err(why) => Err(Unsent { why, message }),
        }
    }

    fn queue_owned(
        &mut self,
        kind: Kind,
        key: Option<MaskingKey>,
        further: Vec<MaskingKey>,
        payload: OwnedBytes,
        compress: Compress,
    ) {
        let len = payload.len();
        self.use_spare();
        if self.encodes(len, compress) {
            self.queue_encoded(kind, key, &payload, compress);
        } else if self.splits(len) {
            self.queue_split(kind, key, &further, &payload);
        } else {
            self.output
                .frame_owned(first_byte(true, 0, kind.opcode()), key, payload);
        }
    }

    pub(super) fn send_prepared(
        &mut self,
        prepared: &Prepared,
        compress: Compress,
    ) -> Result<(), SendError> {
        let len = prepared.payload_len();
        if self.role() == Role::Client {
            return self.send_borrowed(prepared.kind(), prepared.payload(), compress);
        }
        if !self.sends_plain(len) {
            return self.send_prepared_otherwise(prepared, compress);
        }
        self.output.frame_shared(prepared.frame(), len);
        Ok(())
    }

    /// A server's message that is not simply one frame.
    #[inline(never)]
    fn send_prepared_otherwise(
        &mut self,
        prepared: &Prepared,
        compress: Compress,
    ) -> Result<(), SendError> {
        let len = prepared.payload_len();
        if self.splits(len) {
            return self.send_otherwise(prepared.kind(), prepared.payload(), compress);
        }
        self.can_send()?;
        self.make_room_for_message(len, Some(0), compress)?;
        if !self.encodes(len, compress) {
            self.output.frame_shared(prepared.frame(), len);
        } else if !self.queue_prepared_encoded(prepared) {
            self.queue_encoded(prepared.kind(), None, prepared.payload(), compress);
        }
        Ok(())
    }

    /// While nothing is gathered, the buffer that was lent for that serves the output.
    #[inline]
    pub(super) fn use_spare(&mut self) {
        if self.output.lacks_buffer() && self.gathering.is_idle() {
            self.lend_spare();
        }
    }

    #[inline(never)]
    fn lend_spare(&mut self) {
        if let Some(spare) = self.gathering.take_buffer() {
            self.output.lend(spare);
        }
    }

    #[inline]
    pub(super) fn splits(&self, len: usize) -> bool {
        let fragment = self.settings().fragment;
        fragment > 0 && len as u64 > u64::from(fragment)
    }

    /// The message as fragments (RFC 6455 §5.4), each in a segment of its own in the queue, so that
    /// control frames can go in between.
    fn queue_split(
        &mut self,
        kind: Kind,
        key: Option<MaskingKey>,
        further: &[MaskingKey],
        payload: &[u8],
    ) {
        // `max`: a fragment of nothing would never end; `as`: u32 fits where the payload does.
        let size = self.settings().fragment.max(1) as usize;
        let last = payload.len().div_ceil(size) - 1;
        for (i, piece) in payload.chunks(size).enumerate() {
            let (opcode, key) = if i == 0 {
                (kind.opcode(), key)
            } else {
                (Opcode::Continuation, further.get(i - 1).copied())
            };
            self.output
                .fragment(first_byte(i == last, 0, opcode), key, piece);
        }
    }

    /// The keys of a client's further frames, where a message is split: drawn before anything is queued, as
    /// a message that was begun has to be finished (RFC 6455 §5.3, §5.4).
    #[inline]
    fn further_keys(
        &mut self,
        len: usize,
        compress: Compress,
    ) -> Result<Vec<MaskingKey>, NoEntropy> {
        if self.role() == Role::Server || !self.splits(len) || self.encodes(len, compress) {
            return Ok(Vec::new());
        }
        let size = self.settings().fragment.max(1) as usize;
        let further = 1..len.div_ceil(size);
        further.map(|_| self.entropy.masking_key()).collect()
    }

    // ── control frames

    /// Queues a Ping (RFC 6455 §5.5.2). The Pong that answers it has the round trip if the caller tells
    /// the time. It may follow our own Close frame, until the peer's has come.
    ///
    /// # Errors
    /// [`SendError::TooLong`] over 125 bytes (§5.5), [`SendError::NotOpen`], [`SendError::Closing`],
    /// [`SendError::Full`], [`SendError::NoEntropy`].
    pub fn ping(&mut self, payload: &[u8]) -> Result<(), SendError> {
        self.control_frame(Opcode::Ping, payload)?;
        let now = self.clock.now();
        self.rare().pings.last = Some((payload.to_vec(), now));
        Ok(())
    }

    /// Queues a Pong: the answer to a ping where pings are left to the application, or one that
    /// nobody asked for (RFC 6455 §5.5.3). It may follow our own Close frame; once the peer's has come,
    /// no Ping asks for an answer any more (§5.5.2), and this returns [`SendError::Closing`].
    ///
    /// # Errors
    /// As [`ping`](Self::ping).
    pub fn pong(&mut self, payload: &[u8]) -> Result<(), SendError> {
        self.control_frame(Opcode::Pong, payload)
    }

    fn control_frame(&mut self, opcode: Opcode, payload: &[u8]) -> Result<(), SendError> {
        if !self.life.may_send_control() {
            return Err(self.not_writable());
        }
        let (len, max) = (payload.len() as u64, MAX_CONTROL_PAYLOAD as u64);
        if len > max {
            return Err(SendError::TooLong { len, max });
        }
        self.check_room()?;
        let key = self.masking_key()?;
        self.make_room_for_control(opcode, payload.len())?;
        self.output.control(opcode, key, payload);
        Ok(())
    }
}

#[cfg(test)]
#[allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot go on has failed"
)]
mod tests {
    use alloc::string::String;

    use crate::entropy::Randomness;
    use crate::error::SendError;
    use crate::{ClientConfig, Connection, Event, Negotiated, State};

    /// With two keys left, and messages in fragments of five bytes.
    fn dry(config: ClientConfig, negotiated: Negotiated) -> Connection {
        let mut ws = Connection::upgraded_client(&config.fragment(5), negotiated);
        assert!(matches!(ws.receive(&mut &mut [][..]), Some(Event::Open)));
        ws.entropy = Randomness::with_keys(2);
        ws
    }

    /// RFC 6455 §5.3: a message needs all of its keys, or nothing of it goes out and it comes back.
    #[test]
    fn a_source_that_runs_dry_inside_a_message() {
        let open = || dry(ClientConfig::new(), Negotiated::default());
        let sent = |mut ws: Connection, text: &str| {
            let refused = ws.send(text).map_err(|unsent| unsent.why);
            (refused, ws.output_len(), ws.state())
        };
        let refused = (Err(SendError::NoEntropy), 0, State::Open);
        assert_eq!(sent(open(), "0123456789ab"), refused);
        assert_eq!(sent(open(), "0123456789"), (Ok(()), 22, State::Open));
        let mut ws = open();
        let unsent = ws.send(String::from("0123456789ab")).unwrap_err();
        assert_eq!(unsent.message, "0123456789ab");
        assert_eq!((ws.output_len(), ws.state()), (0, State::Open));
        let mut ws = open();
        ws.send(String::from("0123456789")).unwrap();
        assert_eq!(ws.output_len(), 22);
    }

    /// RFC 6455 §5.3, §5.4: one that went through a compressor has begun. It cannot end, so that the connection
    /// does.
    #[cfg(feature = "deflate")]
    #[test]
    fn a_source_that_runs_dry_inside_a_compressed_message() {
        let config = ClientConfig::new().deflate(crate::extension::PermessageDeflate::client());
        let agreed = Negotiated::new().extensions("permessage-deflate");
        let mut ws = dry(config, agreed);
        ws.send_with(b"0123456789ab", crate::extension::Compress::Always)
            .unwrap();
        assert_eq!(ws.transport(), crate::Transport::Close);
        match ws.receive(&mut &mut [][..]) {
            Some(Event::Closed(report)) => assert_eq!((report.clean, report.code), (false, 1006)),
            other => panic!("{other:?}"),
        }
    }
}
