//! All conversations of a capture.

use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::hash::BuildHasher;
use core::time::Duration;
use core::{fmt, mem};

use hashbrown::{DefaultHashBuilder, HashTable};

use crate::conversation::{Stage, State};
use crate::event::{Conversation, End, Event, Kind};
use crate::key::Key;
use crate::segment::{Flags, Segment};

/// What [`Streams`] may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Config {
    /// Conversations at a time, 131,072 unless set. Beyond that those that have ended are forgotten, then a quiet one.
    pub conversations: usize,
    /// Conversations that have ended and are remembered for packets that come late, 1,024 unless set.
    pub ended: usize,
    /// Bytes that one direction keeps after a hole, 1 MiB unless set. Beyond that the hole is taken for lost.
    pub early: usize,
    /// Bytes that all directions keep after holes, 32 MiB unless set.
    pub early_in_all: usize,
    /// How many packets of a conversation may come between an acknowledgment and what it acknowledges, 0 unless set:
    /// some captures of cards with several queues are out of order.
    pub patience: u8,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            conversations: 1 << 17,
            ended: 1 << 10,
            early: 1 << 20,
            early_in_all: 32 << 20,
            patience: 0,
        }
    }
}

/// Puts the TCP conversations of a capture together.
///
/// ```
/// use sansocket_tcp_streams::{Config, Flags, Kind, Segment, Streams};
///
/// let mut streams = Streams::new(Config::default());
/// let mut text = Vec::new();
/// for (packet, seq, payload) in [(1, 7, "hel"), (2, 12, "world"), (3, 10, "lo")] {
///     let segment = Segment {
///         time: Default::default(),
///         packet,
///         from: "192.0.2.1:50000".parse()?,
///         to: "192.0.2.2:80".parse()?,
///         seq,
///         ack: 0,
///         flags: Flags::default(),
///         length: payload.len() as u32,
///         payload: payload.as_bytes(),
///     };
///     streams.receive(&segment, &mut |event| {
///         if let Kind::Data(bytes) = event.kind {
///             text.extend_from_slice(bytes);
///         }
///     });
/// }
/// assert_eq!(text, b"helloworld");
/// # Ok::<(), std::net::AddrParseError>(())
/// ```
pub struct Streams {
    config: Config,
    hasher: DefaultHashBuilder,
    /// From keys to slots.
    table: HashTable<u32>,
    slots: Vec<Option<State>>,
    free: Vec<u32>,
    /// Conversations that are over, the first first.
    over: VecDeque<Conversation>,
    /// Where to look for a quiet conversation next.
    hand: usize,
    /// What all keep that came too early.
    early: usize,
    begun: u64,
}

impl Streams {
    /// With these limits.
    #[must_use]
    pub fn new(config: Config) -> Self {
        Self {
            config: Config {
                conversations: config.conversations.clamp(1, 1 << 31),
                ..config
            },
            hasher: DefaultHashBuilder::default(),
            table: HashTable::new(),
            slots: Vec::new(),
            free: Vec::new(),
            over: VecDeque::new(),
            hand: 0,
            early: 0,
            begun: 0,
        }
    }

    /// Takes a segment and tells what it brings, also of other conversations that have to go for it. Returns its
    /// conversation.
    pub fn receive<F: FnMut(Event<'_>)>(
        &mut self,
        segment: &Segment<'_>,
        tell: &mut F,
    ) -> Conversation {
        let (key, end) = Key::of(segment.from, segment.to);
        let (packet, time) = (segment.packet, segment.time);
        let mut slot = self.find(&key);
        if let Some(old) = slot
            && self
                .state(old)
                .is_some_and(|state| state.is_other(end, segment))
        {
            self.remove(old, End::Replaced, packet, time, tell);
            slot = None;
        }
        let slot = slot.unwrap_or_else(|| self.begin(key, end, segment, tell));
        let (patience, most) = (self.config.patience, self.config.early);
        let mut stage = Stage {
            slot,
            packet,
            time,
            tell,
        };
        let Some(state) = self.slots.get_mut(slot as usize).and_then(Option::as_mut) else {
            return Conversation { number: 0, slot }; // a slot that was found has a state
        };
        let (before, was_over) = (state.cost(), state.over);
        state.touched = true;
        state.receive(end, segment, patience, &mut stage);
        state.shrink(end, most, &mut stage);
        let (cost, number, is_over) = (state.cost(), state.number, state.over);
        let conversation = Conversation { number, slot };
        self.early = self.early - before + cost;
        if is_over && !was_over {
            self.over.push_back(conversation);
            self.forget_ended(packet, time, tell);
        }
        self.bound_early(packet, time, tell);
        conversation
    }

    /// Waits no longer for bytes that their receiver has acknowledged, whatever the patience: for when a live capture
    /// is quiet.
    pub fn settle<F: FnMut(Event<'_>)>(&mut self, packet: u64, time: Duration, tell: &mut F) {
        for (slot, state) in (0..).zip(&mut self.slots) {
            if let Some(state) = state {
                let before = state.cost();
                state.settle(&mut Stage {
                    slot,
                    packet,
                    time,
                    tell,
                });
                self.early = self.early - before + state.cost();
            }
        }
    }

    /// The capture has ended: tells what waited for its turn, and the end of each conversation, in the order in which
    /// they began.
    pub fn finish<F: FnMut(Event<'_>)>(mut self, packet: u64, time: Duration, tell: &mut F) {
        let mut all: Vec<(u64, u32)> = (0..)
            .zip(&self.slots)
            .filter_map(|(slot, state)| state.as_ref().map(|state| (state.number, slot)))
            .collect();
        all.sort_unstable();
        for (_, slot) in all {
            let over = self.state(slot).is_some_and(|state| state.over);
            let end = if over { End::Over } else { End::Finished };
            self.remove(slot, end, packet, time, tell);
        }
    }

    /// How many conversations are remembered.
    #[must_use]
    pub fn len(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    /// Whether none is.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes that are kept because something before them is missing, with what it takes to keep them.
    #[must_use]
    pub fn early(&self) -> usize {
        self.early
    }

    fn state(&self, slot: u32) -> Option<&State> {
        self.slots.get(slot as usize)?.as_ref()
    }

    fn find(&self, key: &Key) -> Option<u32> {
        let same = |slot: &u32| self.state(*slot).is_some_and(|state| state.key == *key);
        self.table.find(self.hasher.hash_one(key), same).copied()
    }

    /// A conversation that was not known.
    fn begin<F: FnMut(Event<'_>)>(
        &mut self,
        key: Key,
        end: bool,
        segment: &Segment<'_>,
        tell: &mut F,
    ) -> u32 {
        let (packet, time) = (segment.packet, segment.time);
        if self.len() >= self.config.conversations {
            self.forget_one(packet, time, tell);
        }
        let from_start = segment.flags.has(Flags::SYN);
        let sender_is_client = if from_start {
            !segment.flags.has(Flags::ACK)
        } else {
            segment.from.port() >= segment.to.port()
        };
        let client = end == sender_is_client;
        self.begun += 1;
        let state = State::new(key, self.begun, client);
        let slot = self.free.pop().unwrap_or_else(|| {
            self.slots.push(None);
            // There are at most 2^31.
            u32::try_from(self.slots.len() - 1).unwrap_or(u32::MAX)
        });
        let begin = Kind::Begin {
            client: key.end(client),
            server: key.end(!client),
            from_start,
        };
        state
            .voice(
                client,
                &mut Stage {
                    slot,
                    packet,
                    time,
                    tell,
                },
            )
            .say(0, begin);
        if let Some(place) = self.slots.get_mut(slot as usize) {
            *place = Some(state);
        }
        let (hasher, slots) = (&self.hasher, &self.slots);
        let hash_of = |slot: &u32| {
            let state = slots.get(*slot as usize).and_then(Option::as_ref);
            state.map_or(0, |state| hasher.hash_one(state.key))
        };
        self.table
            .insert_unique(hasher.hash_one(key), slot, hash_of);
        slot
    }

    /// Tells what waited and the end, and frees the slot.
    fn remove<F: FnMut(Event<'_>)>(
        &mut self,
        slot: u32,
        end: End,
        packet: u64,
        time: Duration,
        tell: &mut F,
    ) {
        let Some(mut state) = self.slots.get_mut(slot as usize).and_then(Option::take) else {
            return;
        };
        let hash = self.hasher.hash_one(state.key);
        if let Ok(entry) = self.table.find_entry(hash, |other| *other == slot) {
            entry.remove();
        }
        self.free.push(slot);
        self.early -= state.cost();
        let mut stage = Stage {
            slot,
            packet,
            time,
            tell,
        };
        state.give_up(&mut stage);
        state.voice(state.client, &mut stage).say(0, Kind::End(end));
    }

    /// Forgets those that ended first, beyond as many as are to be remembered.
    fn forget_ended<F: FnMut(Event<'_>)>(&mut self, packet: u64, time: Duration, tell: &mut F) {
        while self.over.len() > self.config.ended {
            self.forget_first_ended(packet, time, tell);
        }
    }

    /// Returns whether there was one.
    fn forget_first_ended<F: FnMut(Event<'_>)>(
        &mut self,
        packet: u64,
        time: Duration,
        tell: &mut F,
    ) -> bool {
        while let Some(Conversation { number, slot }) = self.over.pop_front() {
            if self.state(slot).is_some_and(|state| state.number == number) {
                self.remove(slot, End::Over, packet, time, tell);
                return true;
            }
        }
        false
    }

    /// Makes room for a conversation.
    fn forget_one<F: FnMut(Event<'_>)>(&mut self, packet: u64, time: Duration, tell: &mut F) {
        if self.forget_first_ended(packet, time, tell) {
            return;
        }
        // Each step takes back what a packet gave, so that all steps together are as many as packets.
        while let Some(slot) = self.turn() {
            let state = self.slots.get_mut(slot as usize).and_then(Option::as_mut);
            if state.is_some_and(|state| !mem::take(&mut state.touched)) {
                return self.remove(slot, End::Forgotten, packet, time, tell);
            }
        }
    }

    /// Gives up holes of one conversation after the other while all together keep too much.
    fn bound_early<F: FnMut(Event<'_>)>(&mut self, packet: u64, time: Duration, tell: &mut F) {
        while self.early > self.config.early_in_all
            && let Some(slot) = self.turn()
        {
            if let Some(state) = self.slots.get_mut(slot as usize).and_then(Option::as_mut) {
                self.early -= state.cost();
                state.give_up(&mut Stage {
                    slot,
                    packet,
                    time,
                    tell,
                });
            }
        }
    }

    /// The next slot, again and again; none if there is none.
    fn turn(&mut self) -> Option<u32> {
        let slot = if self.hand < self.slots.len() {
            self.hand
        } else {
            0
        };
        self.hand = slot + 1;
        self.slots.get(slot)?;
        u32::try_from(slot).ok()
    }
}

impl fmt::Debug for Streams {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Streams")
            .field("config", &self.config)
            .field("conversations", &self.len())
            .field("early", &self.early)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_idle_conversation_is_small() {
        assert!(
            size_of::<Option<State>>() <= 128,
            "{}",
            size_of::<Option<State>>()
        );
    }
}
