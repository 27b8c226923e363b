//! What compressed conversations hold: decompressors of some, of others only the bytes that messages may refer to, and
//! of none anything beyond the memory that there may be.

use std::collections::BTreeMap;

use crate::follow::Talk;

/// What one conversation holds.
#[derive(Default)]
pub(crate) struct Context {
    held: usize,
    place: Place,
}

#[derive(Clone, Copy, Default)]
enum Place {
    /// Nothing is held.
    #[default]
    None,
    /// With its decompressors, since this turn.
    Awake(u64),
    /// Without them, since this turn.
    Parked(u64),
}

/// All of them.
pub(crate) struct Contexts {
    /// Bytes that they may hold. Beyond half of that decompressors are parked, the oldest first.
    most: usize,
    held: usize,
    turn: u64,
    awake: BTreeMap<u64, usize>,
    parked: BTreeMap<u64, usize>,
}

impl Contexts {
    pub(crate) fn new(most: usize) -> Self {
        Self {
            most,
            held: 0,
            turn: 0,
            awake: BTreeMap::new(),
            parked: BTreeMap::new(),
        }
    }

    /// This conversation had a compressed message. Others are parked for it, and their contexts are given up and told
    /// if that is not enough.
    pub(crate) fn heard(
        &mut self,
        talks: &mut [Option<Talk>],
        index: usize,
        given_up: &mut dyn FnMut(&Talk),
    ) {
        let Some(talk) = talks.get_mut(index).and_then(Option::as_mut) else {
            return;
        };
        self.measure(talk);
        if !matches!(talk.context.place, Place::Awake(_)) {
            self.leave(talk.context.place);
            self.turn += 1;
            talk.context.place = Place::Awake(self.turn);
            self.awake.insert(self.turn, index);
        }
        while self.held > self.most / 2
            && let Some((_, index)) = self.awake.pop_first()
        {
            if let Some(talk) = talks.get_mut(index).and_then(Option::as_mut) {
                talk.park();
                self.measure(talk);
                self.turn += 1;
                talk.context.place = Place::Parked(self.turn);
                self.parked.insert(self.turn, index);
            }
        }
        while self.held > self.most
            && let Some((_, index)) = self.parked.pop_first()
        {
            if let Some(talk) = talks.get_mut(index).and_then(Option::as_mut) {
                talk.forget_context();
                self.measure(talk);
                talk.context.place = Place::None;
                given_up(talk);
            }
        }
    }

    /// This conversation is over.
    pub(crate) fn end(&mut self, talk: &Talk) {
        self.held -= talk.context.held;
        self.leave(talk.context.place);
    }

    fn leave(&mut self, place: Place) {
        match place {
            Place::None => None,
            Place::Awake(turn) => self.awake.remove(&turn),
            Place::Parked(turn) => self.parked.remove(&turn),
        };
    }

    fn measure(&mut self, talk: &mut Talk) {
        let held = talk.memory_held();
        self.held = self.held - talk.context.held + held;
        talk.context.held = held;
    }
}
