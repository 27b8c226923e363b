//! The bytes for the peer, in room that is the caller's.

use crate::frame::{FrameHeader, MAX_CONTROL_PAYLOAD, Opcode, first_byte, write_header};
use crate::mask::{MaskingKey, apply_mask};

/// Bytes that were written and have not left: a stretch of the room, which moves to its front when its end
/// is reached.
pub(super) struct Queue<'b> {
    room: &'b mut [u8],
    start: usize,
    end: usize,
    /// Bytes up to the end of our Close frame. `None` before it is queued.
    close: Option<usize>,
}

/// What is written, and how much room it leaves to what has to follow.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Leaves {
    /// Data: a Pong and the Close frame.
    Control,
    /// A Ping or a Pong: the Close frame.
    Close,
    /// The Close frame, and heads, which no frame follows yet: nothing.
    Nothing,
}

impl Leaves {
    const fn bytes(self) -> usize {
        match self {
            Self::Control => 2 * CONTROL_FRAME,
            Self::Close => CONTROL_FRAME,
            Self::Nothing => 0,
        }
    }
}

/// The longest control frame: its header, a masking key, the payload (RFC 6455 §5.5).
const CONTROL_FRAME: usize = 2 + 4 + MAX_CONTROL_PAYLOAD;

impl<'b> Queue<'b> {
    pub(super) const fn new(room: &'b mut [u8]) -> Self {
        Self {
            room,
            start: 0,
            end: 0,
            close: None,
        }
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.room[self.start..self.end]
    }

    pub(super) const fn len(&self) -> usize {
        self.end - self.start
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.start == self.end
    }

    /// All of the room.
    pub(super) const fn capacity(&self) -> usize {
        self.room.len()
    }

    /// How many bytes of payload a message has at most that finds the queue empty.
    pub(super) fn longest_message(&self, key: Option<MaskingKey>) -> usize {
        let room = self.room.len().saturating_sub(Leaves::Control.bytes());
        let header = |len: usize| {
            let mut bytes = [0; FrameHeader::MAX_LEN];
            write_header(&mut bytes, 0, key, len as u64)
        };
        room.saturating_sub(header(room))
    }

    /// Appends the pieces, if all of them fit. False if not.
    pub(super) fn text(&mut self, pieces: &[&[u8]]) -> bool {
        let len = pieces.iter().map(|piece| piece.len()).sum();
        let Some(mut place) = self.take_room(len, Leaves::Nothing) else {
            return false;
        };
        for piece in pieces {
            let (front, rest) = place.split_at_mut(piece.len());
            front.copy_from_slice(piece);
            place = rest;
        }
        true
    }

    /// Appends a frame, if it fits. False if not.
    pub(super) fn frame(
        &mut self,
        (fin, opcode): (bool, Opcode),
        key: Option<MaskingKey>,
        payload: &[u8],
        leaves: Leaves,
    ) -> bool {
        let mut header = [0; FrameHeader::MAX_LEN];
        let first = first_byte(fin, 0, opcode);
        let len = write_header(&mut header, first, key, payload.len() as u64);
        let Some(place) = self.take_room(len + payload.len(), leaves) else {
            return false;
        };
        let (head, body) = place.split_at_mut(len);
        head.copy_from_slice(&header[..len]);
        body.copy_from_slice(payload);
        if let Some(key) = key {
            apply_mask(body, key, 0);
        }
        if opcode == Opcode::Close {
            self.close = Some(self.len());
        }
        true
    }

    /// There is room for so many bytes.
    pub(super) const fn has_room(&self, len: usize, leaves: Leaves) -> bool {
        let needed = self.len().saturating_add(len);
        needed.saturating_add(leaves.bytes()) <= self.room.len()
    }

    /// Room for so many bytes at the end of the queue.
    fn take_room(&mut self, len: usize, leaves: Leaves) -> Option<&mut [u8]> {
        if !self.has_room(len, leaves) {
            return None;
        }
        if self.room.len() - self.end < len {
            // Byte by byte: `copy_within` brings 2 KiB of code.
            for at in self.start..self.end {
                self.room[at - self.start] = self.room[at];
            }
            self.end -= self.start;
            self.start = 0;
        }
        let place = self.end..self.end + len;
        self.end = place.end;
        Some(&mut self.room[place])
    }

    /// So many bytes have left, or all that there are.
    pub(super) fn consume(&mut self, n: usize) {
        let n = n.min(self.len());
        self.start += n;
        self.close = self.close.map(|close| close.saturating_sub(n));
        if self.is_empty() {
            (self.start, self.end) = (0, 0);
        }
    }

    /// The last byte of our Close frame has left.
    pub(super) fn close_has_left(&self) -> bool {
        self.close == Some(0)
    }

    /// What is queued never leaves.
    pub(super) fn clear(&mut self) {
        (self.start, self.end) = (0, 0);
        self.close = self.close.filter(|&close| close == 0);
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::*;

    /// Data leaves room for a Pong and the Close frame, a Pong for the Close frame; what does not fit changes
    /// nothing.
    #[test]
    fn room_is_set_aside() {
        let mut room = vec![0; 2 * CONTROL_FRAME + 10];
        let mut queue = Queue::new(&mut room);
        assert_eq!(queue.longest_message(None), 8);
        assert_eq!(queue.longest_message(Some([0; 4])), 4);
        assert!(!queue.frame((true, Opcode::Text), None, &[b'a'; 9], Leaves::Control));
        assert!(queue.is_empty());
        assert!(queue.frame((true, Opcode::Text), None, &[b'a'; 8], Leaves::Control));
        let (payload, key) = ([b'p'; MAX_CONTROL_PAYLOAD], Some([1, 2, 3, 4]));
        assert!(queue.frame((true, Opcode::Pong), key, &payload, Leaves::Close));
        assert!(!queue.frame((true, Opcode::Pong), key, &payload, Leaves::Close));
        assert!(!queue.close_has_left());
        assert!(queue.frame((true, Opcode::Close), key, &payload, Leaves::Nothing));
        assert_eq!(queue.len(), queue.capacity());
        assert!(!queue.text(&[b"x"]));
        queue.consume(queue.len() - 1);
        assert!(!queue.close_has_left());
        queue.consume(2);
        assert!(queue.close_has_left() && queue.is_empty());
        queue.clear();
        assert!(queue.close_has_left());
    }

    /// What is left moves to the front when the end of the room is reached, and stays in order.
    #[test]
    fn the_room_is_used_again() {
        let mut room = [0; 10];
        let mut queue = Queue::new(&mut room);
        assert!(queue.text(&[b"0123", b"4567"]));
        queue.consume(5);
        assert!(!queue.text(&[b"89abcdef"]));
        assert!(queue.text(&[b"89", b"", b"abcde"]));
        assert_eq!(queue.bytes(), b"56789abcde");
    }
}
