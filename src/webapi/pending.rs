//! What a script sent and the connection does not have yet, as bytes before it are still being read.

use alloc::collections::VecDeque;
use alloc::string::String;

use crate::close_code::CloseCode;
use crate::event::Message;

use super::halves::framed;

/// A place among the messages of a `WebSocket`, for a Blob whose bytes come later: see
/// [`WebSocket::reserve`](super::WebSocket::reserve).
#[derive(Debug, PartialEq, Eq, Hash)]
#[must_use = "what is sent later waits until the place is filled or given up"]
pub struct Place(u64);

/// A queue in the order of the calls. Only what stands before the first place without bytes can leave.
#[derive(Default)]
pub(super) struct Pending {
    entries: VecDeque<Entry>,
    /// Places so far.
    places: u64,
    /// Bytes of payload, those that are still to come too.
    bytes: u64,
}

pub(super) enum Entry {
    Message(Message<'static>),
    /// A place without bytes: its number and their length.
    Place(u64, u64),
    /// `close`, after all that was sent before.
    Close(Option<CloseCode>, String),
}

impl Pending {
    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    pub(super) const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The bytes with the framing that they will have, at most.
    pub(super) fn framed(&self) -> u64 {
        let lens = self.entries.iter().map(Entry::len);
        lens.map(framed).fold(0, u64::saturating_add)
    }

    /// A new place, which is to be pushed, and its number.
    pub(super) fn place(&mut self) -> (Place, u64) {
        let number = self.places;
        self.places += 1;
        (Place(number), number)
    }

    pub(super) fn push(&mut self, entry: Entry) {
        self.bytes = self.bytes.saturating_add(entry.len());
        self.entries.push_back(entry);
    }

    /// Puts the message where the place was, or nothing; returns the length that was told, if there is such a place.
    pub(super) fn fill(&mut self, place: &Place, message: Option<Message<'static>>) -> Option<u64> {
        let is_it = |entry: &Entry| matches!(entry, Entry::Place(number, _) if *number == place.0);
        let at = self.entries.iter().position(is_it)?;
        let told = self.entries.remove(at)?.len();
        self.bytes = self.bytes.saturating_sub(told);
        if let Some(message) = message {
            let entry = Entry::Message(message);
            self.bytes = self.bytes.saturating_add(entry.len());
            self.entries.insert(at, entry);
        }
        Some(told)
    }

    /// The next that can leave.
    pub(super) fn pop(&mut self) -> Option<Entry> {
        if matches!(self.entries.front(), Some(Entry::Place(..))) {
            return None;
        }
        let entry = self.entries.pop_front()?;
        self.bytes = self.bytes.saturating_sub(entry.len());
        Some(entry)
    }
}

impl Entry {
    fn len(&self) -> u64 {
        match self {
            Self::Message(message) => message.as_bytes().len() as u64,
            Self::Place(_, len) => *len,
            Self::Close(..) => 0,
        }
    }
}
