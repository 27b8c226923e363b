//! How much heap a connection holds, and the ceiling on it ([`Limits::memory`]). What is small is set aside, a
//! codec has the most that it may ever need, and whatever else grows asks here before it does.

use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use crate::config::{Limits, SET_ASIDE};
use crate::error::{AcceptError, Failure, Limit, ProtocolError, SendError};
use crate::extension::{Codec, Compress};
use crate::frame::Opcode;
use crate::output::Output;
use crate::payload::growth_within;
use crate::role::Role;

use super::budgets::Spent;
use super::event::Event;
use super::rare::Rare;
use super::{Connection, InUse};

/// A ceiling, and what is below it already.
#[derive(Debug, Clone, Copy)]
pub(super) struct Room {
    ceiling: u64,
    taken: u64,
}

impl Room {
    pub(super) const UNBOUNDED: Self = Self {
        ceiling: u64::MAX,
        taken: 0,
    };

    /// The same with so much more taken.
    pub(super) const fn beside(self, bytes: usize) -> Self {
        let taken = self.taken.saturating_add(bytes as u64);
        Self { taken, ..self }
    }

    /// What may still be taken.
    pub(super) fn left(self) -> usize {
        usize::try_from(self.ceiling.saturating_sub(self.taken)).unwrap_or(usize::MAX)
    }

    /// So many bytes are to be taken.
    ///
    /// # Errors
    /// They are too many, or there were too many before.
    pub(super) fn take(self, bytes: usize) -> Result<(), ProtocolError> {
        if self.needed(bytes) <= self.ceiling {
            return Ok(());
        }
        let (value, max) = (self.needed(bytes), self.ceiling);
        let limit = Limit::Memory;
        Err(ProtocolError::Limit { limit, value, max })
    }

    /// The capacity that a buffer grows to for `needed` bytes, which is the only one that is not taken yet.
    ///
    /// # Errors
    /// There is no room for so much beside the buffer as it is.
    pub(super) fn grown(
        self,
        capacity: usize,
        needed: usize,
        limit: u64,
    ) -> Result<usize, ProtocolError> {
        let room = self.beside(capacity);
        match growth_within(capacity, needed, limit, room.left()) {
            Some(grown) => Ok(grown),
            None => room.take(needed).map(|()| needed),
        }
    }

    /// A buffer for what comes out of a codec that wants so much: half of what is left at most, as the message
    /// grows beside it.
    ///
    /// # Errors
    /// There is less than the least.
    pub(super) fn for_pieces(self, wanted: usize) -> Result<Vec<u8>, ProtocolError> {
        self.take(2 * wanted.min(LEAST_PIECE))?;
        Ok(vec![0; wanted.min(self.left() / 2)])
    }

    /// What would be held with so many bytes more.
    const fn needed(self, bytes: usize) -> u64 {
        self.taken.saturating_add(bytes as u64)
    }
}

impl Connection {
    /// Bytes of heap that the connection holds, as an allocator counts them. Not counted are its configuration, a
    /// source of randomness of the caller's, and bytes that it shares with others.
    /// [`Limits::memory`] bounds it.
    #[must_use]
    pub fn memory_held(&self) -> usize {
        let rare = self
            .rare
            .as_ref()
            .map_or(0, |rare| size_of::<Rare>() + rare.memory_held());
        let in_use = self.in_use.as_ref().map_or(0, |in_use| {
            size_of::<InUse>() + in_use.negotiated.memory_held()
        });
        self.gathering.memory_held()
            + self.output.memory_held()
            + self.entropy.memory_held()
            + self.codec().map_or(0, Codec::memory_held)
            + rare
            + in_use
    }

    /// There is a ceiling.
    #[inline]
    pub(super) fn is_bounded(&self) -> bool {
        self.settings().limits.memory != Limits::UNBOUNDED
    }

    /// What is left of the ceiling beside all that is held.
    pub(super) fn room(&self) -> Room {
        self.room_to_gather().beside(self.gathering.memory_held())
    }

    /// What is left of it beside all but the message that is gathered.
    #[inline]
    pub(super) fn room_to_gather(&self) -> Room {
        match self.settings().limits.ceiling() {
            None => Room::UNBOUNDED,
            Some(ceiling) => self.room_below(ceiling),
        }
    }

    #[cold]
    #[inline(never)]
    fn room_below(&self, ceiling: u64) -> Room {
        let in_use = self.in_use.as_ref().map_or(0, |in_use| {
            let codec = in_use.codec.as_ref().map_or(0, Codec::memory_most);
            codec.saturating_add(in_use.negotiated.memory_held())
        });
        let rare = self.rare.as_ref().map_or(0, |rare| rare.memory_of_input());
        let taken = [SET_ASIDE, in_use, rare, self.output.memory_held()];
        let add = |sum: u64, part: &usize| sum.saturating_add(*part as u64);
        let taken = taken.iter().fold(0, add);
        Room { ceiling, taken }
    }

    /// How much the queue may hold.
    pub(super) fn most_queued(&self) -> usize {
        self.room().left().saturating_add(self.output.memory_held())
    }

    /// Whether the queue has room, which `reserve` makes below what it may hold.
    fn queue_reserves(&mut self, reserve: impl FnOnce(&mut Output, usize) -> bool) -> bool {
        !self.is_bounded() || {
            let most = self.most_queued();
            reserve(&mut self.output, most)
        }
    }

    // ── what is sent

    /// Makes room for a message of `len` bytes; `handed_over`: the heap that comes with it.
    ///
    /// # Errors
    /// [`SendError::Memory`] if there is none below the ceiling.
    #[inline]
    pub(super) fn make_room_for_message(
        &mut self,
        len: usize,
        handed_over: Option<usize>,
        compress: Compress,
    ) -> Result<(), SendError> {
        if self.is_bounded() {
            return self.make_bounded_room(len, handed_over, compress);
        }
        Ok(())
    }

    #[cold]
    #[inline(never)]
    fn make_bounded_room(
        &mut self,
        len: usize,
        handed_over: Option<usize>,
        compress: Compress,
    ) -> Result<(), SendError> {
        self.use_spare();
        let most = self.most_queued();
        let size = self.settings().fragment as usize;
        // Bytes that others share are masked in a copy.
        let handed_over = handed_over.filter(|held| *held > 0 || self.role() == Role::Server);
        if self.encodes(len, compress) {
            let len = self.encoded_most(len);
            let made = match size {
                0 => self.output.reserve_encoded(len, most),
                _ => self.output.reserve_encoded_fragments(len, size, most),
            };
            return self.if_there_was_room(made, len);
        }
        let made = match handed_over {
            _ if self.splits(len) => {
                // The keys of its frames lie beside it, once over while they grow in number.
                let keys = 12 * len.div_ceil(size.max(1)) + 64;
                let most = most.saturating_sub(keys);
                self.output.reserve_fragments(len, size, most)
            }
            Some(held) => self.output.reserve_handed_over(len, held, most),
            None => self.output.reserve_copied(len, most),
        };
        self.if_there_was_room(made, handed_over.unwrap_or(len).max(len))
    }

    /// Makes room for a part of a message, which is a frame.
    pub(super) fn make_room_for_part(
        &mut self,
        len: usize,
        encoded: bool,
    ) -> Result<(), SendError> {
        if !self.is_bounded() {
            return Ok(());
        }
        let most = self.most_queued();
        let (made, len) = if encoded {
            let len = self.encoded_most(len);
            (self.output.reserve_encoded(len, most), len)
        } else {
            (self.output.reserve_copied(len, most), len)
        };
        self.if_there_was_room(made, len)
    }

    /// Makes room for the header of a frame in pieces.
    pub(super) fn make_room_for_frame(&mut self) -> Result<(), SendError> {
        let made = self.queue_reserves(Output::reserve_frame_in_pieces);
        self.if_there_was_room(made, 0)
    }

    /// Makes room for a piece of it.
    pub(super) fn make_room_for_piece(&mut self, len: usize) -> Result<(), SendError> {
        let made = self.queue_reserves(|output, most| output.reserve_piece(len, most));
        self.if_there_was_room(made, len)
    }

    /// Makes room for a control frame of the application's, or a pong.
    pub(super) fn make_room_for_control(
        &mut self,
        opcode: Opcode,
        len: usize,
    ) -> Result<(), SendError> {
        let made =
            self.queue_reserves(|output, most| output.reserve_control(opcode, len, most, false));
        self.if_there_was_room(made, len)
    }

    /// Makes room for a keepalive ping or a Close frame, for which some is set aside.
    pub(super) fn makes_room_from_aside(&mut self, opcode: Opcode, len: usize) -> bool {
        if !self.is_bounded() {
            return true;
        }
        let room = self.room();
        // Nothing of it was used for a ping before.
        let aside = opcode == Opcode::Close || room.taken <= room.ceiling;
        let most = self.most_queued();
        self.output.reserve_control(opcode, len, most, aside)
    }

    /// Makes room for an answer to a request.
    pub(super) fn make_room_for_answer(&mut self, len: usize) -> Result<(), AcceptError> {
        if self.queue_reserves(|output, most| output.reserve_head(len, most)) {
            return Ok(());
        }
        Err(self.no_room_for_answer(len))
    }

    pub(super) fn no_room_for_answer(&self, len: usize) -> AcceptError {
        let room = self.room();
        AcceptError::Memory {
            needed: room.needed(len),
            limit: room.ceiling,
        }
    }

    fn encoded_most(&self, len: usize) -> usize {
        self.codec()
            .map_or(len, |codec| codec.messages.encoded_most(len))
    }

    fn if_there_was_room(&self, made: bool, len: usize) -> Result<(), SendError> {
        if made {
            return Ok(());
        }
        let room = self.room();
        Err(SendError::Memory {
            needed: room.needed(len).max(room.ceiling.saturating_add(1)),
            limit: room.ceiling,
        })
    }

    // ── what is received

    /// An event that is kept, or comes out of what was kept: what it lends is copied.
    pub(super) fn own(&mut self, event: Event<'_>) -> Event<'static> {
        let lent = event.lent();
        // What lends nothing takes nothing more, also below a ceiling that has come down.
        if lent > 0
            && let Err(error) = self.room().take(lent)
        {
            return self.fail_at_any_time(error.into());
        }
        event.into_owned()
    }

    /// Input is not kept that there is no room for.
    pub(super) fn keep_within(&mut self, input: &[u8]) {
        let room = self.room();
        if let Err(error) = self.rare().held.keep(input, usize::MAX, room) {
            let failed = self.fail_at_any_time(error.into());
            self.rare().found = Some(failed);
        }
    }

    fn fail_at_any_time(&mut self, failure: Failure) -> Event<'static> {
        if self.life.is_opening() {
            self.fail_opening(failure)
        } else {
            self.fail_for(failure)
        }
    }
}

/// The capacity that a buffer of this capacity grows to for so many bytes, or why it may not.
pub(super) trait Grown: FnOnce(usize, usize) -> Result<usize, ProtocolError> {}

impl<T: FnOnce(usize, usize) -> Result<usize, ProtocolError>> Grown for T {}

/// Makes room for `needed` bytes.
pub(super) fn grow(
    bytes: &mut Vec<u8>,
    needed: usize,
    grown: impl Grown,
) -> Result<(), ProtocolError> {
    let capacity = grown(bytes.capacity(), needed)?;
    bytes.reserve_exact(capacity - bytes.len());
    Ok(())
}

/// The same for text.
pub(super) fn grow_text(
    text: &mut String,
    needed: usize,
    grown: impl Grown,
) -> Result<(), ProtocolError> {
    let capacity = grown(text.capacity(), needed)?;
    text.reserve_exact(capacity - text.len());
    Ok(())
}

/// A codec that wants as much gets no less.
const LEAST_PIECE: usize = 256;

const _: () = {
    const CONTROL_FRAMES: usize = 20 * 140;
    let boxes = size_of::<Rare>() + size_of::<Spent>() + size_of::<InUse>();
    assert!(boxes + CONTROL_FRAMES + (1 << 10) <= SET_ASIDE * 3 / 4);
};

#[cfg(test)]
mod tests {
    use super::{LEAST_PIECE, Room};

    /// [`Limits::memory`](crate::config::Limits::memory): a codec gets what it wants, or half of what is left;
    /// less than the least is none.
    #[test]
    fn room_for_the_pieces_of_a_codec() {
        for wanted in [0, 1, LEAST_PIECE - 1, LEAST_PIECE, LEAST_PIECE + 1, 4096] {
            let all = Room::UNBOUNDED.for_pieces(wanted);
            assert!(all.is_ok_and(|buffer| buffer.len() == wanted));
            for left in 0..3 * LEAST_PIECE {
                let room = Room {
                    ceiling: 10_000,
                    taken: 10_000 - left as u64,
                };
                let len = wanted.min(left / 2);
                let expected = (len == wanted || len >= LEAST_PIECE).then_some(len);
                let got = room.for_pieces(wanted).ok().map(|buffer| buffer.len());
                assert_eq!(got, expected, "{wanted} {left}");
            }
        }
    }
}
