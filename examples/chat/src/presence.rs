//! Who is in a room, over all processes.
//!
//! Each process tells the others the names of its members: when they change, and every two seconds as a sign of life.
//! Whose signs have ceased has nobody here any more.

use std::collections::hash_map::RandomState;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hash::{BuildHasher, Hasher};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::time::Instant;

/// How long it takes at most until another sign of life.
pub const SIGN: Duration = Duration::from_secs(2);

/// How long a process is believed to live after a sign.
pub const GONE: Duration = Duration::from_secs(7);

#[derive(Serialize, Deserialize)]
struct Told {
    from: u64,
    names: Vec<String>,
}

#[derive(Default)]
pub(crate) struct Presence {
    /// Random keys: another one in each process, and each time that the room opens in it.
    id: RandomState,
    /// How many members of this process have a name.
    own: BTreeMap<String, usize>,
    others: HashMap<u64, (Vec<String>, Instant)>,
    /// Those whose coming was shown.
    shown: BTreeSet<String>,
    changed: bool,
    told: Option<Instant>,
    /// Others cannot be heard: that they are not says nothing about them.
    deaf: bool,
}

impl Presence {
    fn id(&self) -> u64 {
        self.id.build_hasher().finish()
    }

    pub(crate) fn enter(&mut self, name: &str) {
        *self.own.entry(name.to_owned()).or_default() += 1;
        self.own_changed();
    }

    pub(crate) fn leave(&mut self, name: &str) {
        if let Some(count) = self.own.get_mut(name) {
            *count -= 1;
            self.own.retain(|_, count| *count > 0);
        }
        self.own_changed();
    }

    fn own_changed(&mut self) {
        self.changed = true;
        self.told = None;
    }

    /// Members of this process.
    pub(crate) fn own(&self) -> usize {
        self.own.values().sum()
    }

    /// All whose coming was shown, and whose leaving will be.
    pub(crate) fn shown(&self) -> BTreeSet<&str> {
        self.shown.iter().map(String::as_str).collect()
    }

    fn names(&self) -> BTreeSet<&str> {
        let others = self.others.values().flat_map(|(names, _)| names);
        self.own.keys().chain(others).map(String::as_str).collect()
    }

    /// What a process has told, perhaps this one.
    pub(crate) fn hear(&mut self, told: &str, now: Instant) {
        let Ok(told) = serde_json::from_str::<Told>(told) else {
            return; // of another version
        };
        if told.from != self.id() {
            let new = (told.names, now);
            let old = self.others.insert(told.from, new.clone());
            self.changed |= old.is_none_or(|old| old.0 != new.0);
        }
    }

    /// Others cannot be heard from now on. Whether they could.
    pub(crate) fn deafened(&mut self) -> bool {
        !std::mem::replace(&mut self.deaf, true)
    }

    /// They can, again.
    pub(crate) fn hears(&mut self, now: Instant) {
        self.deaf = false;
        self.others.values_mut().for_each(|(_, heard)| *heard = now);
    }

    /// Who has come and who has left since this was asked last.
    pub(crate) fn changes(&mut self, now: Instant) -> Option<(Vec<String>, Vec<String>)> {
        let before = self.others.len();
        let lives = |heard: Instant, names: &[String]| !names.is_empty() && now - heard < GONE;
        self.others
            .retain(|_, (names, heard)| self.deaf || lives(*heard, names));
        if !std::mem::take(&mut self.changed) && self.others.len() == before {
            return None;
        }
        let here = self.names().into_iter().map(str::to_owned).collect();
        let joined = BTreeSet::difference(&here, &self.shown).cloned().collect();
        let left = self.shown.difference(&here).cloned().collect();
        self.shown = here;
        Some((joined, left))
            .filter(|(joined, left): &(Vec<_>, Vec<_>)| !joined.is_empty() || !left.is_empty())
    }

    /// What to tell the others now, if it is time.
    pub(crate) fn sign(&mut self, now: Instant) -> Option<String> {
        if self.told.is_some_and(|told| now - told < SIGN) {
            return None;
        }
        self.told = Some(now);
        let (from, names) = (self.id(), self.own.keys().cloned().collect());
        serde_json::to_string(&Told { from, names }).ok()
    }

    /// Nobody of this process is here any more, and that was told.
    pub(crate) fn is_over(&self) -> bool {
        self.own.is_empty() && self.told.is_some()
    }
}
