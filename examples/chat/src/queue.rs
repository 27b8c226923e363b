//! What waits for one member while its socket is slow.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use sansocket_tokio::Prepared;
use tokio::sync::Notify;

/// How many messages wait at most.
const MESSAGES: usize = 256;

/// How many bytes: four of the largest messages. Queues share them, so they do not add up.
const BYTES: usize = 4 << 20;

#[derive(Default)]
pub(crate) struct Queue {
    waiting: Mutex<Waiting>,
    /// A message has come.
    news: Notify,
    /// It was given up.
    behind: Notify,
}

#[derive(Default)]
struct Waiting {
    /// With their lengths.
    messages: VecDeque<(Prepared, usize)>,
    bytes: usize,
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        // Nothing is half done where that could panic.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn has_room(&self, len: usize) -> bool {
        let waiting = self.lock();
        let messages = waiting.messages.len();
        messages == 0 || (messages < MESSAGES && waiting.bytes + len <= BYTES)
    }

    pub(crate) fn push(&self, message: &Prepared, len: usize) {
        let mut waiting = self.lock();
        waiting.bytes += len;
        waiting.messages.push_back((message.clone(), len));
        self.news.notify_one();
    }

    /// The first one; waits until there is one.
    pub(crate) async fn next(&self) -> Prepared {
        loop {
            if let Some(message) = self.pop() {
                return message;
            }
            self.news.notified().await;
        }
    }

    fn pop(&self) -> Option<Prepared> {
        let mut waiting = self.lock();
        let (message, len) = waiting.messages.pop_front()?;
        waiting.bytes -= len;
        Some(message)
    }

    /// Its member is too far behind: what waits is not wanted any more.
    pub(crate) fn give_up(&self) {
        *self.lock() = Waiting::default();
        self.behind.notify_one();
    }

    pub(crate) async fn given_up(&self) {
        self.behind.notified().await;
    }
}
