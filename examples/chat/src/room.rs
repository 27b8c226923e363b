//! A room in this process: what was said lately, for members to read at their own pace.

use std::sync::{Mutex, MutexGuard, PoisonError};

use sansocket_tokio::Prepared;
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::engine::{News, Position};
use crate::presence::Presence;
use crate::ring::Ring;
use crate::wire::Event;

#[derive(Default)]
pub(crate) struct Room {
    state: Mutex<State>,
    news: Notify,
}

#[derive(Default)]
pub(crate) struct State {
    pub said: Ring<(Position, Prepared)>,
    /// Who came and who left.
    pub changes: Ring<Prepared>,
    pub presence: Presence,
    /// Up to where the log was heard.
    pub heard: Option<Position>,
    /// All that it had when it began to be followed has been.
    pub open: bool,
}

impl Room {
    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing is half done where that could panic.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Until there is what the question asks for.
    pub(crate) async fn when<T>(&self, mut question: impl FnMut(&State) -> Option<T>) -> T {
        loop {
            let news = self.news.notified();
            if let Some(answer) = question(&self.lock()) {
                return answer;
            }
            news.await;
        }
    }

    pub(crate) fn hear(&self, news: News) {
        let mut state = self.lock();
        match news {
            News::Told(told) => return state.presence.hear(&told, Instant::now()),
            News::Entry(at, entry) => state.hear(at, &entry),
            News::Current(at) => {
                state.open = true;
                state.presence.hears(Instant::now());
                if !state.has_heard(at) {
                    state.heard = Some(at);
                }
            }
        }
        drop(state);
        self.news.notify_waiters();
    }

    /// Shows who came and left. What to tell other processes, if it is time.
    pub(crate) fn tick(&self, now: Instant) -> Option<String> {
        let mut state = self.lock();
        if let Some((joined, left)) = state.presence.changes(now) {
            let event = Event::Changed {
                joined: joined.iter().map(String::as_str).collect(),
                left: left.iter().map(String::as_str).collect(),
            };
            let (message, len) = event.prepared();
            state.changes.push(message, len);
            self.news.notify_waiters();
        }
        state.presence.sign(now)
    }
}

impl State {
    /// Also of a log before this one, which an engine may tell again.
    fn has_heard(&self, at: Position) -> bool {
        let next = self.heard.is_some_and(|heard| heard.comes_before(at));
        let known = self.said.iter().map(|(_, (known, _))| *known);
        !next && known.chain(self.heard).any(|known| known.covers(at))
    }

    fn hear(&mut self, at: Position, entry: &str) {
        if self.has_heard(at) {
            return;
        }
        self.heard = Some(at);
        // What is no entry is a hole, which members are told of.
        if let Ok(entry) = serde_json::from_str(entry) {
            let (message, len) = Event::said(at, entry).prepared();
            self.said.push((at, message), len);
        }
    }
}
