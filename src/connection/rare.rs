//! What few connections need, and none while idle: it takes one pointer of a connection.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::mem;

use crate::clock::Nanos;
use crate::error::{Failure, ProtocolError};
use crate::event::{CloseFrame, CutOff};
use crate::payload::growth_within;

use super::Connection;
use super::budgets::Spent;
use super::event::Event;
use super::memory::Room;
use super::opening::Opening;
use super::parts::InParts;
use super::responding::Body;

/// What few connections need.
#[derive(Default)]
pub(super) struct Rare {
    pub(super) opening: Option<Opening>,
    pub(super) held: Held,
    /// An event that was found before it was asked for.
    pub(super) found: Option<Event<'static>>,
    /// The payload of the control frame that is split over reads.
    pub(super) control: Vec<u8>,
    /// The latest Ping that was not answered because too many pongs are queued (RFC 6455 §5.5.3).
    pub(super) unanswered: Option<Vec<u8>>,
    pub(super) pings: Pings,
    /// The deadline that was found to have passed, and when that was.
    pub(super) late: Option<(Nanos, Nanos)>,
    /// When the peer last took some of a full queue.
    pub(super) taken: Option<Nanos>,
    /// The close timer runs.
    pub(super) closing: bool,
    /// When the message in progress began, if there is a deadline for messages.
    pub(super) message_since: Option<Nanos>,
    /// The message being sent in parts.
    pub(super) in_parts: Option<InParts>,
    /// The answer over HTTP that the application gives in pieces.
    pub(super) body: Option<Body>,
    pub(super) ending: Ending,
    /// What the peer has spent of its budgets, once it spends some.
    pub(super) spent: Option<Box<Spent>>,
}

/// Pings whose answers are waited for.
#[derive(Default, PartialEq, Eq)]
pub(super) struct Pings {
    /// Bytes queued before the keepalive ping that have not left.
    pub(super) before: u64,
    /// How much later than it was queued its answer is waited for.
    pub(super) later: Nanos,
    /// The last ping of the application, and when it was queued, if the time was told.
    pub(super) last: Option<(Vec<u8>, Option<Nanos>)>,
}

/// What the report will say.
#[derive(Default, PartialEq, Eq)]
pub(super) struct Ending {
    pub(super) sent: Option<CloseFrame>,
    pub(super) received: Option<CloseFrame>,
    pub(super) failure: Option<Failure>,
    /// The status of the HTTP answer, unless some of it was dropped.
    pub(super) answered: Option<u16>,
    pub(super) cut_off: Option<CutOff>,
}

/// Input that was kept.
#[derive(Default, PartialEq, Eq)]
pub(super) struct Held {
    pub(super) bytes: Vec<u8>,
    /// How much of it has been read.
    pub(super) at: usize,
    /// Bytes of heap that were taken out, to be read.
    out: usize,
}

impl Held {
    /// Puts input after what is held already. What was read of that is dropped once it is half of
    /// it, so that fewer bytes are moved than were read, however often input is kept.
    ///
    /// # Errors
    /// There is no `room` for it.
    pub(super) fn keep(
        &mut self,
        input: &[u8],
        limit: usize,
        room: Room,
    ) -> Result<(), ProtocolError> {
        if self.at >= self.len() {
            self.bytes.drain(..self.at);
            self.at = 0;
        }
        let needed = self.bytes.len() + input.len();
        // What is held was counted already.
        let grown = growth_within(self.bytes.capacity(), needed, limit as u64, room.left());
        let Some(capacity) = grown else {
            return room.take(needed);
        };
        self.bytes.reserve_exact(capacity - self.bytes.len());
        self.bytes.extend_from_slice(input);
        Ok(())
    }

    /// Takes everything out, to be read from the returned place on.
    pub(super) fn take(&mut self) -> (Vec<u8>, usize) {
        self.out = self.bytes.capacity();
        (mem::take(&mut self.bytes), mem::take(&mut self.at))
    }

    /// What was taken out was freed, and counts no more.
    pub(super) const fn freed(&mut self) {
        self.out = 0;
    }

    /// Puts back what was taken, of which the last `left` bytes are unread.
    pub(super) fn put_back(&mut self, bytes: Vec<u8>, left: usize) {
        self.at = bytes.len() - left;
        self.bytes = bytes;
        self.out = 0;
    }

    /// Bytes that have not been read.
    pub(super) fn len(&self) -> usize {
        self.bytes.len() - self.at
    }

    pub(super) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }
}

impl Connection {
    /// Made at the first need.
    pub(super) fn rare(&mut self) -> &mut Rare {
        self.rare.get_or_insert_default()
    }
}

impl Rare {
    /// Something comes before the input: input that was held, or an event.
    pub(super) fn comes_first(&self) -> bool {
        !self.held.is_empty() || self.found.is_some() || self.opening.is_some()
    }

    /// Input that was read by the driver before the end of the stream is still to be read, or told.
    /// What is held after a request that nobody decided on does not count: its client is gone.
    pub(super) fn has_unread(&self) -> bool {
        self.found.is_some() || (!self.held.is_empty() && !self.is_deciding())
    }

    /// The application decides on a request.
    pub(super) fn is_deciding(&self) -> bool {
        self.opening.as_ref().is_some_and(Opening::is_deciding)
    }

    /// Drops what was to become messages.
    pub(super) fn end_messages(&mut self) {
        self.held = Held::default();
        self.control = Vec::new();
        self.unanswered = None;
    }

    /// Drops what was to be sent.
    pub(super) fn end_sending(&mut self) {
        self.unanswered = None;
        self.pings.before = 0;
        self.in_parts = None;
    }

    /// Nothing in it is needed any more. Each field is named, so that none is forgotten.
    pub(super) fn is_idle(&self) -> bool {
        let Self {
            opening,
            held,
            found,
            control,
            unanswered,
            pings,
            late,
            taken,
            closing,
            message_since,
            in_parts,
            body,
            ending,
            spent,
        } = self;
        opening.is_none()
            && held.is_empty()
            && found.is_none()
            && control.is_empty()
            && unanswered.is_none()
            && *pings == Pings::default()
            && late.is_none()
            && taken.is_none()
            && !closing
            && message_since.is_none()
            && in_parts.is_none()
            && body.is_none()
            && *ending == Ending::default()
            && spent.is_none()
    }

    /// Bytes of heap that input takes, and what came of it.
    pub(super) fn memory_of_input(&self) -> usize {
        self.held.bytes.capacity()
            + self.held.out
            + self.found.as_ref().map_or(0, Event::memory_held)
            + self.opening.as_ref().map_or(0, Opening::memory_held)
    }

    /// Bytes of heap that it holds.
    pub(super) fn memory_held(&self) -> usize {
        let reason =
            |frame: &Option<CloseFrame>| frame.as_ref().map_or(0, |frame| frame.reason().len());
        let ping = self.pings.last.as_ref();
        self.memory_of_input()
            + self.spent.as_ref().map_or(0, |spent| size_of_val(&**spent))
            + self.control.capacity()
            + self.unanswered.as_ref().map_or(0, Vec::capacity)
            + ping.map_or(0, |(ping, _)| ping.capacity())
            + reason(&self.ending.sent)
            + reason(&self.ending.received)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by a panic")]
mod tests {
    use super::{Held, Room};

    #[test]
    fn holding_again_and_again_moves_no_more_than_was_read() {
        let mut held = Held::default();
        held.keep(&[0; 1000], usize::MAX, Room::UNBOUNDED).unwrap();
        let mut moved = 0;
        for _ in 0..5000 {
            held.at += 1;
            let at = held.at;
            held.keep(&[1], usize::MAX, Room::UNBOUNDED).unwrap();
            moved += if held.at < at { 999 } else { 0 };
            assert_eq!(held.len(), 1000);
        }
        assert!((1..=5000).contains(&moved), "{moved} bytes moved");
        assert!(held.bytes.len() <= 2001);
    }
}
