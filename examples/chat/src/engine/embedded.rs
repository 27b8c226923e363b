//! Rooms in the memory of one process, which end with it.

use std::collections::{HashMap, VecDeque};
use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use tokio::sync::Notify;

use super::{Engine, Error, KEPT, News, Position};

/// How many rooms are remembered after all have left.
const ROOMS: usize = 64;

/// The engine that needs no server.
#[derive(Debug, Default, Clone)]
pub struct Embedded(Arc<Mutex<HashMap<String, Log>>>);

#[derive(Debug)]
struct Log {
    last: Position,
    /// Identifiers and entries, with the position of the last at the end.
    kept: VecDeque<(String, String)>,
    /// Something was added. Who follows has a clone.
    news: Arc<Notify>,
}

impl Log {
    fn new() -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        Self {
            last: Position {
                epoch: now.map_or(1, |now| now.as_nanos() as u64),
                number: 0,
            },
            kept: VecDeque::new(),
            news: Arc::default(),
        }
    }

    fn add(&mut self, id: &str, entry: String) {
        if self.kept.iter().any(|(known, _)| known == id) {
            return;
        }
        self.last.number += 1;
        self.kept.push_back((id.to_owned(), entry));
        if self.kept.len() > KEPT {
            self.kept.pop_front();
        }
        self.news.notify_waiters();
    }

    /// Each entry with its position, from that number on.
    fn from(&self, number: u64) -> impl Iterator<Item = News> {
        let Position {
            epoch,
            number: last,
        } = self.last;
        let numbers = last - self.kept.len() as u64 + 1..;
        let entries = numbers.zip(&self.kept);
        entries
            .skip_while(move |(at, _)| *at < number)
            .map(move |(number, (_, entry))| News::Entry(Position { epoch, number }, entry.clone()))
    }
}

impl Embedded {
    fn lock(&self) -> MutexGuard<'_, HashMap<String, Log>> {
        // Nothing is half done where that could panic.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn with<T>(&self, room: &str, with: impl FnOnce(&mut Log) -> T) -> T {
        let mut logs = self.lock();
        if logs.len() >= ROOMS && !logs.contains_key(room) {
            logs.retain(|_, log| Arc::strong_count(&log.news) > 1);
        }
        with(logs.entry(room.to_owned()).or_insert_with(Log::new))
    }
}

impl Engine for Embedded {
    async fn append(&self, room: &str, id: &str, entry: String) -> Result<(), Error> {
        self.with(room, |log| log.add(id, entry));
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
        let (end, news) = self.with(room, |log| (log.last, log.news.clone()));
        let mut next = match after {
            Some(after) if after.epoch == end.epoch => after.number + 1,
            _ => 0,
        };
        let mut current = Some(News::Current(end));
        loop {
            let added = news.notified();
            self.with(room, |log| {
                log.from(next).for_each(&mut hear);
                next = log.last.number + 1;
            });
            current.take().into_iter().for_each(&mut hear);
            added.await;
        }
    }
}
