//! A member: a place in the room's rings. How slow it is costs nobody else anything.

use std::sync::Arc;

use sansocket_tokio::Prepared;

use crate::engine::Position;
use crate::room::{Room, State};
use crate::wire::Event;

/// How much of what was said before one hears who comes for the first time.
const BEFORE: u64 = 50;

pub(crate) struct Member {
    room: Arc<Room>,
    pub name: String,
    place: Place,
}

/// What it hears next.
#[derive(Default)]
struct Place {
    said: u64,
    /// Where what it heard last stands.
    after: Option<Position>,
    /// Who came and left; nothing before it was told who is here.
    changes: Option<u64>,
    missed: bool,
}

impl Member {
    /// In a room that is open.
    pub(crate) fn new(room: Arc<Room>, name: String) -> Self {
        room.lock().presence.enter(&name);
        let place = Place::default();
        Self { room, name, place }
    }

    /// Takes its place once the room is open: after what it heard before, or near the end.
    pub(crate) async fn begin(&mut self, after: Option<Position>) {
        let place = |state: &State| state.open.then(|| Place::new(state, after));
        self.place = self.room.when(place).await;
    }

    /// The next message for this member.
    pub(crate) async fn next(&mut self) -> Prepared {
        let (place, name) = (&mut self.place, &self.name);
        self.room.when(|state| place.next(state, name)).await
    }
}

impl Place {
    fn new(state: &State, after: Option<Position>) -> Self {
        let (ring, heard) = (&state.said, state.heard.unwrap_or_default());
        let start = |after: Position| {
            let covered = ring.iter().rfind(|(_, (at, _))| after.covers(*at));
            let mut same = ring
                .iter()
                .skip_while(|(_, (at, _))| at.epoch != after.epoch);
            match covered {
                Some((number, _)) => Some(number + 1),
                None if after.epoch != heard.epoch => None,
                None => Some(same.next().map_or(ring.end(), |(number, _)| number)),
            }
        };
        let known = after.and_then(|after| Some((start(after)?, after)));
        let recent = || {
            let start = ring.first().max(ring.end().saturating_sub(BEFORE));
            (start, ring.get(start).map_or(heard, |(at, _)| at.before()))
        };
        let (said, last) = known.unwrap_or_else(recent);
        Self {
            said,
            after: Some(last),
            changes: None,
            missed: after.is_some() && known.is_none(),
        }
    }

    fn next(&mut self, state: &State, name: &str) -> Option<Prepared> {
        match self.changes {
            Some(number) if number >= state.changes.first() => {
                if let Some(change) = state.changes.get(number) {
                    self.changes = Some(number + 1);
                    return Some(change.clone());
                }
            }
            _ => {
                self.changes = Some(state.changes.end());
                let mut names = state.presence.shown();
                names.insert(name); // that it came is perhaps not shown yet
                return Some(Event::Here { names }.prepared().0);
            }
        }
        if std::mem::take(&mut self.missed) {
            return Some(Event::Missed.prepared().0);
        }
        self.next_said(state)
    }

    /// What it has already is passed over, and a hole is told: in the log, or cut by the ring.
    fn next_said(&mut self, state: &State) -> Option<Prepared> {
        self.said = self.said.max(state.said.first());
        loop {
            let (at, message) = state.said.get(self.said)?;
            match self.after {
                Some(after) if after.covers(*at) => self.said += 1,
                Some(after) if !after.comes_before(*at) => {
                    self.after = None;
                    return Some(Event::Missed.prepared().0);
                }
                _ => {
                    self.said += 1;
                    self.after = Some(*at);
                    return Some(message.clone());
                }
            }
        }
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        self.room.lock().presence.leave(&self.name);
    }
}
