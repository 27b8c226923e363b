//! Rooms in the memory of one process, which end with it.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use tokio::sync::Notify;

use super::{Engine, Error, News, Position};
use crate::ring::Ring;

/// How many rooms are remembered after all have left.
const ROOMS: usize = 64;

/// The engine that needs no server. A clone is the same.
#[derive(Debug, Default, Clone)]
pub struct Embedded(Arc<Mutex<HashMap<String, Log>>>);

#[derive(Debug)]
struct Log {
    epoch: u64,
    /// Identifiers and entries. The first that there was has the number 0 here, and 1 for others.
    entries: Ring<(String, String)>,
    /// Something was added. Who follows has a clone.
    news: Arc<Notify>,
}

impl Log {
    fn new() -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        Self {
            epoch: now.map_or(1, |now| now.as_nanos() as u64),
            entries: Ring::default(),
            news: Arc::default(),
        }
    }

    fn end(&self) -> Position {
        let (epoch, number) = (self.epoch, self.entries.end());
        Position { epoch, number }
    }
}

impl Embedded {
    fn with<T>(&self, room: &str, with: impl FnOnce(&mut Log) -> T) -> T {
        // Nothing is half done where that could panic.
        let mut logs = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if logs.len() >= ROOMS && !logs.contains_key(room) {
            logs.retain(|_, log| Arc::strong_count(&log.news) > 1);
        }
        with(logs.entry(room.to_owned()).or_insert_with(Log::new))
    }
}

impl Engine for Embedded {
    async fn append(&self, room: &str, id: &str, entry: String) -> Result<(), Error> {
        self.with(room, |log| {
            if log.entries.iter().all(|(_, (known, _))| known != id) {
                let len = id.len() + entry.len();
                log.entries.push((id.to_owned(), entry), len);
                log.news.notify_waiters();
            }
        });
        Ok(())
    }

    async fn tell(&self, _: &str, _: String) -> Result<(), Error> {
        Ok(()) // there is no other process
    }

    async fn follow(
        &self,
        room: &str,
        after: Option<Position>,
        mut hear: impl FnMut(News) + Send,
    ) -> Result<Infallible, Error> {
        let (end, news) = self.with(room, |log| (log.end(), log.news.clone()));
        let epoch = end.epoch;
        let known = after.filter(|after| after.epoch == epoch);
        let mut number = known.map_or(0, |after| after.number);
        let mut current = Some(News::Current(end));
        loop {
            let added = news.notified();
            self.with(room, |log| {
                number = number.max(log.entries.first());
                while let Some((_, entry)) = log.entries.get(number) {
                    number += 1;
                    hear(News::Entry(Position { epoch, number }, entry.clone()));
                }
            });
            current.take().into_iter().for_each(&mut hear);
            added.await;
        }
    }
}
