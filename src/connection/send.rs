//! Messages out (RFC 6455 §6.1), and control frames of the application's.

use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;

use super::Connection;
use super::compression::Compress;
use crate::error::{Misuse, Unsent};
use crate::event::{Kind, Message};
use crate::frame::{FrameHeader, MAX_CONTROL_PAYLOAD, Opcode, write_header};
use crate::mask::MaskingKey;
use crate::output::{Owned, first_byte};
use crate::role::Role;
use crate::utf8::Validator;

/// The message that the application sends in parts.
#[derive(Clone, Copy)]
pub(super) struct InParts {
    kind: Kind,
    utf8: Validator,
    /// For one frame in pieces: its key and how much of it was queued.
    key: Option<MaskingKey>,
    offset: u64,
    /// Its frames are compressed.
    compressed: bool,
    /// A fragment was queued already.
    begun: bool,
}

/// What [`Connection::send`] takes: borrowed data is copied (and masked on the way), a `Vec<u8>`,
/// `String` or `Bytes` is handed over, and queued without a copy when it is large. So is a received
/// [`Message`], if it was gathered and not lent from the input.
///
/// ```
/// # if cfg!(not(feature = "getrandom")) { return Ok(()) }
/// # use sansocket::{Connection, Misuse};
/// # let mut ws = Connection::upgraded_client(&Default::default(), Default::default());
/// ws.send("text")?;
/// ws.send(&b"binary"[..])?;
/// ws.send(String::from("text"))?;
/// ws.send(vec![0; 1 << 20])?;
/// # Ok::<(), Misuse>(())
/// ```
pub trait Outgoing: sealed::Sealed + Sized {
    /// What a refusal gives back: `()` for borrowed data, the value itself for owned data.
    type Back;

    #[doc(hidden)]
    fn send_on(
        self,
        connection: &mut Connection,
        compress: Compress,
    ) -> Result<(), Unsent<Self::Back>>;
}

mod sealed {
    use super::{Message, Prepared, String, Vec};

    pub trait Sealed {}
    impl Sealed for &str {}
    impl Sealed for &String {}
    impl Sealed for &[u8] {}
    impl<const N: usize> Sealed for &[u8; N] {}
    impl Sealed for &Vec<u8> {}
    impl Sealed for &Message<'_> {}
    impl Sealed for Message<'_> {}
    impl Sealed for &Prepared {}
    impl Sealed for Vec<u8> {}
    impl Sealed for String {}
    #[cfg(feature = "bytes")]
    impl Sealed for bytes::Bytes {}
}

const fn unsent(why: Misuse) -> Unsent<()> {
    Unsent { why, message: () }
}

impl Outgoing for &str {
    type Back = ();

    #[inline]
    fn send_on(self, connection: &mut Connection, compress: Compress) -> Result<(), Unsent<()>> {
        connection
            .send_borrowed(Kind::Text, self.as_bytes(), compress)
            .map_err(unsent)
    }
}

impl Outgoing for &String {
    type Back = ();

    #[inline]
    fn send_on(self, connection: &mut Connection, compress: Compress) -> Result<(), Unsent<()>> {
        self.as_str().send_on(connection, compress)
    }
}

impl Outgoing for &[u8] {
    type Back = ();

    #[inline]
    fn send_on(self, connection: &mut Connection, compress: Compress) -> Result<(), Unsent<()>> {
        connection
            .send_borrowed(Kind::Binary, self, compress)
            .map_err(unsent)
    }
}

impl<const N: usize> Outgoing for &[u8; N] {
    type Back = ();

    #[inline]
    fn send_on(self, connection: &mut Connection, compress: Compress) -> Result<(), Unsent<()>> {
        self.as_slice().send_on(connection, compress)
    }
}

impl Outgoing for &Vec<u8> {
    type Back = ();

    #[inline]
    fn send_on(self, connection: &mut Connection, compress: Compress) -> Result<(), Unsent<()>> {
        self.as_slice().send_on(connection, compress)
    }
}

impl Outgoing for &Message<'_> {
    type Back = ();

    #[inline]
    fn send_on(self, connection: &mut Connection, compress: Compress) -> Result<(), Unsent<()>> {
        connection
            .send_borrowed(self.kind(), self.as_bytes(), compress)
            .map_err(unsent)
    }
}

impl Outgoing for Message<'_> {
    type Back = Self;

    fn send_on(self, connection: &mut Connection, compress: Compress) -> Result<(), Unsent<Self>> {
        let kind = self.kind();
        if self.is_lent() {
            let sent = connection.send_borrowed(kind, self.as_bytes(), compress);
            return sent.map_err(|why| Unsent { why, message: self });
        }
        connection.send_owned(kind, self, compress)
    }
}

impl From<Message<'_>> for Owned {
    fn from(message: Message<'_>) -> Self {
        match message {
            Message::Text(text) => text.into_string().into(),
            #[cfg(feature = "bytes")]
            Message::Binary(payload) if payload.is_shared() => payload.into_bytes().into(),
            Message::Binary(payload) => payload.into_vec().into(),
        }
    }
}

impl Outgoing for &Prepared {
    type Back = ();

    fn send_on(self, connection: &mut Connection, compress: Compress) -> Result<(), Unsent<()>> {
        connection.send_prepared(self, compress).map_err(unsent)
    }
}

impl Outgoing for Vec<u8> {
    type Back = Self;

    fn send_on(self, connection: &mut Connection, compress: Compress) -> Result<(), Unsent<Self>> {
        connection.send_owned(Kind::Binary, self, compress)
    }
}

impl Outgoing for String {
    type Back = Self;

    fn send_on(self, connection: &mut Connection, compress: Compress) -> Result<(), Unsent<Self>> {
        connection.send_owned(Kind::Text, self, compress)
    }
}

#[cfg(feature = "bytes")]
impl Outgoing for bytes::Bytes {
    type Back = Self;

    fn send_on(self, connection: &mut Connection, compress: Compress) -> Result<(), Unsent<Self>> {
        connection.send_owned(Kind::Binary, self, compress)
    }
}

/// A message encoded once, to be sent to any number of connections. Servers' connections share its
/// bytes by reference count; a client's masks a copy, as it has to (RFC 6455 §5.3).
///
/// ```
/// # use sansocket::{Connection, Negotiated, OriginPolicy, Prepared, ServerConfig};
/// # let config = ServerConfig::new(OriginPolicy::Application);
/// # let mut connections = [Connection::upgraded_server(&config, Negotiated::default())];
/// let news = Prepared::text("to all of you");
/// for ws in &mut connections {
///     let _ = ws.send(&news); // an error: that one is closing, or does not read
/// }
/// assert_eq!(connections[0].output(), b"\x81\x0dto all of you");
/// ```
#[derive(Clone)]
pub struct Prepared {
    /// A server's frame.
    pub(super) frame: Arc<[u8]>,
    pub(super) header_len: u8,
    pub(super) kind: Kind,
    #[cfg(feature = "deflate")]
    pub(super) compressed: Arc<[super::compression::Compressed]>,
}

impl Prepared {
    /// A text message.
    #[must_use]
    pub fn text(text: &str) -> Self {
        Self::new(Kind::Text, text.as_bytes())
    }

    /// A binary message.
    #[must_use]
    pub fn binary(bytes: &[u8]) -> Self {
        Self::new(Kind::Binary, bytes)
    }

    fn new(kind: Kind, payload: &[u8]) -> Self {
        let (frame, header_len) = Self::frame(kind, 0, payload);
        Self {
            frame,
            header_len,
            kind,
            #[cfg(feature = "deflate")]
            compressed: Arc::default(),
        }
    }

    /// A server's frame, and how long its header is.
    pub(super) fn frame(kind: Kind, rsv: u8, payload: &[u8]) -> (Arc<[u8]>, u8) {
        let mut header = [0; FrameHeader::MAX_LEN];
        let first = first_byte(true, rsv, kind.opcode());
        let len = write_header(&mut header, first, 0, payload.len() as u64);
        let mut frame = Vec::with_capacity(len + payload.len());
        frame.extend_from_slice(&header[..len]);
        frame.extend_from_slice(payload);
        (frame.into(), len as u8) // at most 14
    }

    pub(super) fn payload(&self) -> &[u8] {
        &self.frame[usize::from(self.header_len)..]
    }
}

/// Kind and length only.
impl fmt::Debug for Prepared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "Prepared({:?}, {} bytes)",
            self.kind,
            self.payload().len()
        )
    }
}

impl Connection {
    // ── whole messages

    /// Queues a message (RFC 6455 §6.1). It is taken as a whole or not at all.
    ///
    /// # Errors
    /// With the message, if it was handed over, and nothing changed: [`Misuse::NotOpen`],
    /// [`Misuse::Closing`], [`Misuse::Full`], [`Misuse::MessageInProgress`], [`Misuse::NoEntropy`].
    ///
    /// ```
    /// # use sansocket::{Connection, Misuse, Negotiated, OriginPolicy, ServerConfig};
    /// # let mut ws = Connection::upgraded_server(&ServerConfig::new(OriginPolicy::Application), Negotiated::default());
    /// ws.send("Hello")?;
    /// assert_eq!(ws.output(), b"\x81\x05Hello"); // RFC 6455 §5.7
    /// # Ok::<(), Misuse>(())
    /// ```
    #[inline]
    pub fn send<M: Outgoing>(&mut self, message: M) -> Result<(), Unsent<M::Back>> {
        message.send_on(self, Compress::Auto)
    }

    /// Whether [`send`](Self::send) would take a message now.
    ///
    /// # Errors
    /// What `send` would return.
    #[inline]
    pub fn can_send(&self) -> Result<(), Misuse> {
        self.check_writable()?;
        if self.in_parts().is_some() {
            Err(Misuse::MessageInProgress)
        } else {
            self.check_room()
        }
    }

    #[inline]
    fn check_writable(&self) -> Result<(), Misuse> {
        if self.writable {
            Ok(())
        } else {
            Err(self.not_writable())
        }
    }

    #[cold]
    fn not_writable(&self) -> Misuse {
        if self.ready_state() == 0 {
            Misuse::NotOpen
        } else {
            Misuse::Closing
        }
    }

    /// Below the high-water mark.
    #[inline]
    pub(super) fn check_room(&self) -> Result<(), Misuse> {
        let max = self.settings().limits.output;
        if self.output.len() < usize::try_from(max).unwrap_or(usize::MAX) {
            Ok(())
        } else {
            Err(Misuse::Full)
        }
    }

    fn in_parts(&self) -> Option<&InParts> {
        self.rare.as_ref().and_then(|rare| rare.in_parts.as_ref())
    }

    fn set_in_parts(&mut self, in_parts: Option<InParts>) {
        self.rare().in_parts = in_parts;
        self.settle();
    }

    /// A fresh key for each frame of a client (RFC 6455 §5.3), none for a server's.
    #[inline]
    pub(super) fn masking_key(&mut self) -> Result<Option<MaskingKey>, Misuse> {
        if self.role == Role::Server {
            return Ok(None);
        }
        self.entropy
            .masking_key()
            .map(Some)
            .ok_or(Misuse::NoEntropy)
    }

    #[inline]
    fn key_to_send(&mut self) -> Result<Option<MaskingKey>, Misuse> {
        self.can_send()?;
        self.masking_key()
    }

    /// Inlined where it is called, a server's frame with it.
    #[inline(always)]
    fn send_borrowed(
        &mut self,
        kind: Kind,
        payload: &[u8],
        compress: Compress,
    ) -> Result<(), Misuse> {
        if payload.len() as u64 >= self.plain_below.into() || self.check_room().is_err() {
            return self.send_otherwise(kind, payload, compress);
        }
        let first = first_byte(true, 0, kind.opcode());
        if self.role == Role::Client {
            return self.send_masked(first, payload);
        }
        self.use_spare();
        self.output.frame(first, None, payload);
        Ok(())
    }

    #[inline(never)]
    fn send_masked(&mut self, first: u8, payload: &[u8]) -> Result<(), Misuse> {
        let Some(key) = self.entropy.masking_key() else {
            return Err(Misuse::NoEntropy);
        };
        self.use_spare();
        self.output.frame(first, Some(key), payload);
        Ok(())
    }

    /// Whatever is not simply one frame.
    #[inline(never)]
    fn send_otherwise(
        &mut self,
        kind: Kind,
        payload: &[u8],
        compress: Compress,
    ) -> Result<(), Misuse> {
        let key = self.key_to_send()?;
        self.use_spare();
        if self.compresses(payload.len(), compress) {
            self.queue_compressed(kind, key, payload, compress);
        } else if self.splits(payload.len()) {
            self.queue_split(kind, key, payload);
        } else {
            self.output
                .frame(first_byte(true, 0, kind.opcode()), key, payload);
        }
        Ok(())
    }

    /// What is handed over comes back if it is refused.
    fn send_owned<M: Into<Owned>>(
        &mut self,
        kind: Kind,
        message: M,
        compress: Compress,
    ) -> Result<(), Unsent<M>> {
        match self.key_to_send() {
            Ok(key) => {
                self.queue_owned(kind, key, message.into(), compress);
                Ok(())
            }
            Err(why) => Err(Unsent { why, message }),
        }
    }

    fn queue_owned(
        &mut self,
        kind: Kind,
        key: Option<MaskingKey>,
        payload: Owned,
        compress: Compress,
    ) {
        let len = payload.as_slice().len();
        if self.compresses(len, compress) {
            self.queue_compressed(kind, key, payload.as_slice(), compress);
        } else if self.splits(len) {
            self.queue_split(kind, key, payload.as_slice());
        } else {
            self.output
                .frame_owned(first_byte(true, 0, kind.opcode()), key, payload);
        }
    }

    fn send_prepared(&mut self, prepared: &Prepared, compress: Compress) -> Result<(), Misuse> {
        let len = prepared.payload().len();
        if self.role == Role::Client || self.splits(len) {
            return self.send_borrowed(prepared.kind, prepared.payload(), compress);
        }
        self.can_send()?;
        if self.compresses(len, compress) {
            #[cfg(feature = "deflate")]
            if self.queue_prepared_compressed(prepared) {
                return Ok(());
            }
            self.queue_compressed(prepared.kind, None, prepared.payload(), compress);
            return Ok(());
        }
        self.output.frame_shared(&prepared.frame, len);
        Ok(())
    }

    /// A buffer that was lent for gathering serves the output while nothing is gathered.
    #[inline]
    fn use_spare(&mut self) {
        if self.output.lacks_buffer() && self.incoming.kind.is_none() {
            self.lend_spare();
        }
    }

    fn lend_spare(&mut self) {
        if let Some(spare) = self.gather.take().into_spare() {
            self.output.lend(spare);
        }
    }

    #[inline]
    fn splits(&self, len: usize) -> bool {
        let fragment = self.settings().fragment;
        fragment > 0 && len as u64 > u64::from(fragment)
    }

    /// RFC 6455 §5.4: the message as fragments, each by itself in the queue, so that control
    /// frames slip in between.
    fn queue_split(&mut self, kind: Kind, key: Option<MaskingKey>, payload: &[u8]) {
        // `max`: a fragment of nothing would never end; `as`: u32 fits where the payload does.
        let size = self.settings().fragment.max(1) as usize;
        let last = payload.len().div_ceil(size) - 1;
        let mut key = key;
        for (i, piece) in payload.chunks(size).enumerate() {
            let opcode = if i == 0 {
                kind.opcode()
            } else {
                Opcode::Continuation
            };
            if i > 0 {
                // A source that ran dry in the middle: without a fresh key nothing may go out.
                let Ok(fresh) = self.masking_key() else {
                    self.facts.given_up = true;
                    return self.settle();
                };
                key = fresh;
            }
            self.output
                .fragment(first_byte(i == last, 0, opcode), key, piece);
        }
    }

    // ── messages in parts

    /// Queues a part of a message as a fragment, a whole frame (RFC 6455 §5.4): the first call
    /// begins the message, `last` ends it. Control frames may go in between, other messages not.
    /// Parts of a text may end inside a character.
    ///
    /// # Errors
    /// As [`send`](Self::send), and [`Misuse::MessageInProgress`] if a message of the other kind or
    /// one of known length was begun, [`Misuse::NotUtf8`] for text that is not. Nothing changed then.
    ///
    /// ```
    /// # use sansocket::{Connection, Misuse, Negotiated, OriginPolicy, ServerConfig, Kind};
    /// # let mut ws = Connection::upgraded_server(&ServerConfig::new(OriginPolicy::Application), Negotiated::default());
    /// ws.send_part(Kind::Text, b"Hel", false)?;
    /// ws.send_part(Kind::Text, b"lo", true)?;
    /// assert_eq!(ws.output(), b"\x01\x03Hel\x80\x02lo"); // RFC 6455 §5.7
    /// # Ok::<(), Misuse>(())
    /// ```
    pub fn send_part(&mut self, kind: Kind, part: &[u8], last: bool) -> Result<(), Misuse> {
        self.queue_part(kind, part, last, Compress::Auto, 0)
    }

    /// As [`send_part`](Self::send_part), with reserved bits on this frame that extensions of the
    /// application's use (RFC 6455 §5.2): RSV1 is 4, RSV2 2, RSV3 1. A whole message is one last part.
    ///
    /// # Errors
    /// As `send_part`, and [`Misuse::ReservedBits`] for others.
    ///
    /// ```
    /// # use sansocket::{Connection, Misuse, Negotiated, OriginPolicy, ServerConfig, Kind};
    /// # let config = ServerConfig::new(OriginPolicy::Application);
    /// let negotiated = Negotiated::new().extensions("x-priority").reserved_bits(2);
    /// let mut ws = Connection::upgraded_server(&config, negotiated);
    /// ws.send_part_with_bits(Kind::Text, b"now", true, 2)?;
    /// assert_eq!(ws.output(), b"\xa1\x03now");
    /// # Ok::<(), Misuse>(())
    /// ```
    pub fn send_part_with_bits(
        &mut self,
        kind: Kind,
        part: &[u8],
        last: bool,
        reserved_bits: u8,
    ) -> Result<(), Misuse> {
        self.queue_part(kind, part, last, Compress::Auto, reserved_bits)
    }

    pub(super) fn queue_part(
        &mut self,
        kind: Kind,
        part: &[u8],
        last: bool,
        compress: Compress,
        bits: u8,
    ) -> Result<(), Misuse> {
        self.check_writable()?;
        if bits & !self.own_bits() != 0 {
            return Err(Misuse::ReservedBits);
        }
        let (mut utf8, compressed, begun) = match self.in_parts() {
            Some(parts) if parts.begun && parts.kind == kind => {
                (parts.utf8, parts.compressed, true)
            }
            Some(_) => return Err(Misuse::MessageInProgress),
            None => {
                // A message of several parts is worth compressing, whatever the first one is.
                let len = if last { part.len() } else { usize::MAX };
                (Validator::new(), self.compresses(len, compress), false)
            }
        };
        self.check_room()?;
        if kind == Kind::Text {
            utf8.push(part).map_err(|_| Misuse::NotUtf8)?;
            if last && !utf8.is_complete() {
                return Err(Misuse::NotUtf8);
            }
        }
        let key = self.masking_key()?;
        let opcode = if begun {
            Opcode::Continuation
        } else {
            kind.opcode()
        };
        if compressed {
            let alone = !begun && compress == Compress::Alone;
            // RFC 7692 §6.1: RSV1 on the first frame.
            let rsv = bits | if begun { 0 } else { 4 };
            self.queue_compressed_part(first_byte(last, rsv, opcode), key, part, last, alone);
        } else {
            self.output.frame(first_byte(last, bits, opcode), key, part);
        }
        if begun || !last {
            self.set_in_parts((!last).then_some(InParts {
                kind,
                utf8,
                key: None,
                offset: 0,
                compressed,
                begun: true,
            }));
        }
        Ok(())
    }

    /// Begins a message of `len` bytes that is sent in one frame, piece by piece, with
    /// [`write_message`](Self::write_message). Until it is whole, control frames wait (RFC 6455
    /// §5.4 has no place for them inside a frame). If the connection fails before, there is no
    /// Close frame and [`transport`](Self::transport) is `Close`.
    ///
    /// # Errors
    /// As [`send`](Self::send); [`Misuse::TooLong`] from 2^63 bytes on (§5.2).
    ///
    /// ```
    /// # use sansocket::{Connection, Misuse, Negotiated, OriginPolicy, ServerConfig, Kind};
    /// # let mut ws = Connection::upgraded_server(&ServerConfig::new(OriginPolicy::Application), Negotiated::default());
    /// ws.begin_message(Kind::Binary, 6)?;
    /// ws.write_message(b"abc")?;
    /// ws.ping(b"")?; // waits
    /// ws.write_message(b"def")?;
    /// assert_eq!(ws.output(), b"\x82\x06abcdef\x89\x00");
    /// # Ok::<(), Misuse>(())
    /// ```
    pub fn begin_message(&mut self, kind: Kind, len: u64) -> Result<(), Misuse> {
        self.can_send()?;
        if len >> 63 != 0 {
            return Err(Misuse::TooLong);
        }
        let key = self.masking_key()?;
        self.output
            .begin_frame(first_byte(true, 0, kind.opcode()), key, len);
        if len > 0 {
            self.set_in_parts(Some(InParts {
                kind,
                utf8: Validator::new(),
                key,
                offset: 0,
                compressed: false,
                begun: false,
            }));
        }
        Ok(())
    }

    /// Queues the next bytes of the message that [`begin_message`](Self::begin_message) began. It
    /// ends by itself when all are there. Goes on while the connection is closing, as our Close
    /// frame waits for it.
    ///
    /// # Errors
    /// [`Misuse::NoMessageInProgress`], [`Misuse::TooLong`] for more bytes than were announced,
    /// [`Misuse::NotUtf8`], [`Misuse::Full`], [`Misuse::Closing`]. Nothing changed then.
    pub fn write_message(&mut self, piece: &[u8]) -> Result<(), Misuse> {
        if self.is_over() || self.facts.failed {
            return Err(self.not_writable());
        }
        let Some(InParts {
            kind,
            mut utf8,
            key,
            offset,
            begun: false,
            ..
        }) = self.in_parts().copied()
        else {
            return Err(Misuse::NoMessageInProgress);
        };
        let left = self.output.frame_left();
        if piece.len() as u64 > left {
            return Err(Misuse::TooLong);
        }
        self.check_room()?;
        let last = piece.len() as u64 == left;
        if kind == Kind::Text {
            utf8.push(piece).map_err(|_| Misuse::NotUtf8)?;
            if last && !utf8.is_complete() {
                return Err(Misuse::NotUtf8);
            }
        }
        self.output.frame_piece(key, offset, piece);
        let offset = offset + piece.len() as u64;
        self.set_in_parts((!last).then_some(InParts {
            kind,
            utf8,
            key,
            offset,
            compressed: false,
            begun: false,
        }));
        Ok(())
    }

    // ── control frames

    /// Queues a Ping (RFC 6455 §5.5.2). The Pong that answers it has the round trip, if the time is told.
    ///
    /// # Errors
    /// [`Misuse::TooLong`] over 125 bytes (§5.5), [`Misuse::NotOpen`], [`Misuse::Closing`],
    /// [`Misuse::Full`], [`Misuse::NoEntropy`].
    pub fn ping(&mut self, payload: &[u8]) -> Result<(), Misuse> {
        self.control_frame(Opcode::Ping, payload)?;
        let now = self.clock.now();
        self.rare().ping = Some((payload.to_vec(), now));
        Ok(())
    }

    /// Queues a Pong: the answer to a ping where pings are left to the application, or one that
    /// nobody asked for (RFC 6455 §5.5.3).
    ///
    /// # Errors
    /// As [`ping`](Self::ping).
    pub fn pong(&mut self, payload: &[u8]) -> Result<(), Misuse> {
        self.control_frame(Opcode::Pong, payload)
    }

    fn control_frame(&mut self, opcode: Opcode, payload: &[u8]) -> Result<(), Misuse> {
        self.check_writable()?;
        if payload.len() > MAX_CONTROL_PAYLOAD {
            return Err(Misuse::TooLong);
        }
        self.check_room()?;
        let key = self.masking_key()?;
        self.output.control(opcode, key, payload);
        Ok(())
    }
}

#[cfg(test)]
#[cfg(not(feature = "getrandom"))]
#[allow(clippy::unwrap_used, clippy::panic)]
mod tests {
    use crate::entropy::Source;
    use crate::{ClientConfig, Connection, Event, Negotiated, Transport};

    /// RFC 6455 §5.3, §5.4: a source that runs dry inside a message in fragments. What began cannot end,
    /// so that the connection does.
    fn dry(config: ClientConfig, negotiated: Negotiated, send: impl FnOnce(&mut Connection)) {
        let mut ws = Connection::upgraded_client(&config.fragment(5), negotiated);
        assert!(matches!(ws.receive(&mut &mut [][..]), Some(Event::Open)));
        ws.entropy = Source::with_keys(2);
        send(&mut ws);
        assert_eq!(ws.transport(), Transport::Close);
        match ws.receive(&mut &mut [][..]) {
            Some(Event::Closed(report)) => assert_eq!((report.clean, report.code), (false, 1006)),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_source_that_runs_dry_inside_a_message() {
        dry(ClientConfig::new(), Negotiated::default(), |ws| {
            ws.send(b"0123456789ab").unwrap();
        });
    }

    #[cfg(feature = "deflate")]
    #[test]
    fn a_source_that_runs_dry_inside_a_compressed_message() {
        let config = ClientConfig::new().deflate(crate::extension::PermessageDeflate::client());
        let agreed = Negotiated::new().extensions("permessage-deflate");
        dry(config, agreed, |ws| {
            ws.send_with(b"0123456789ab", crate::Compress::Always)
                .unwrap();
        });
    }
}
