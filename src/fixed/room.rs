//! Where what comes in pieces is put together.

use crate::frame::MAX_CONTROL_PAYLOAD;

/// Room for what the peer sends in pieces: the head of the opening handshake, and then the message in progress.
///
/// One belongs to each [`Endpoint`](super::Endpoint), and is given to each of its
/// [`receive`](super::Endpoint::receive)s. How long it is bounds what the peer may send: a head has one byte
/// less, a message [`message`](Self::message) bytes, however either is cut.
///
/// ```
/// use sansocket::fixed::Room;
/// let mut bytes = [0; 1024];
/// assert_eq!(Room::new(&mut bytes).message(), 1024 - 125);
/// ```
pub struct Room<'b> {
    bytes: &'b mut [u8],
    used: usize,
    /// Bytes of a control frame, which may come between those of a message: at the end.
    control: usize,
}

impl<'b> Room<'b> {
    /// All of these bytes. 125 of them are set aside for control frames (RFC 6455 §5.5).
    pub fn new(bytes: &'b mut [u8]) -> Self {
        Self {
            bytes,
            used: 0,
            control: 0,
        }
    }

    /// The most bytes that a message can have.
    #[must_use]
    pub const fn message(&self) -> usize {
        self.bytes.len().saturating_sub(MAX_CONTROL_PAYLOAD)
    }

    /// The most bytes that the payload of a control frame can have.
    pub(super) const fn control(&self) -> usize {
        self.bytes.len() - self.message()
    }

    /// The most bytes that a head can have: one more would be seen to be too many.
    pub(super) const fn head(&self) -> usize {
        self.bytes.len().saturating_sub(1)
    }

    pub(super) const fn used(&self) -> usize {
        self.used
    }

    /// Appends as much as there is room for below `max`; returns the place of it.
    pub(super) fn gather(&mut self, piece: &[u8], max: usize) -> &mut [u8] {
        let len = piece.len().min(max.saturating_sub(self.used));
        let place = &mut self.bytes[self.used..self.used + len];
        place.copy_from_slice(&piece[..len]);
        self.used += len;
        place
    }

    /// What has been gathered.
    pub(super) fn gathered(&self) -> &[u8] {
        &self.bytes[..self.used]
    }

    /// What was gathered, of which so much is asked for. The next begins.
    pub(super) fn take(&mut self, len: usize) -> &mut [u8] {
        let len = len.min(self.used);
        self.used = 0;
        &mut self.bytes[..len]
    }

    /// Appends to the payload of a control frame, which has no more bytes than that; returns its place.
    pub(super) fn gather_control(&mut self, piece: &[u8]) -> &mut [u8] {
        let from = self.message() + self.control;
        let place = &mut self.bytes[from..];
        let len = piece.len().min(place.len());
        let place = &mut place[..len];
        place.copy_from_slice(&piece[..len]);
        self.control += len;
        place
    }

    /// The payload of the control frame. The next begins.
    pub(super) fn take_control(&mut self) -> &mut [u8] {
        let from = self.message();
        let len = core::mem::take(&mut self.control);
        &mut self.bytes[from..][..len]
    }
}

/// Lengths, never what is in it.
impl core::fmt::Debug for Room<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Room({} of {} bytes)", self.used, self.bytes.len())
    }
}
