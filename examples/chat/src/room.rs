//! Who is there, and what is said.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sansocket_tokio::{Message, Prepared, ServerConfig};
use tokio::select;
use tokio::sync::Notify;
use tokio::time::sleep;

use crate::queue::Queue;

/// How long a message waits for members whose queues are full. Who is still that far behind then is sent
/// away.
///
/// Who speaks is not read from meanwhile. So nobody can say more than the others take, and throw them out
/// that way; and nobody who takes nothing can silence the room for longer than this.
pub const PATIENCE: Duration = Duration::from_secs(5);

/// From so many bytes on a message is worth compressing.
const WORTH_COMPRESSING: usize = 64;

/// Where all meet. A clone is the same room.
#[derive(Clone)]
pub struct Room(Arc<Inside>);

struct Inside {
    config: ServerConfig,
    seats: usize,
    members: Mutex<Vec<Arc<Queue>>>,
    /// A queue has more room than before, or its member has left.
    freed: Notify,
}

impl Room {
    /// For so many members at most: each message goes to all of them.
    #[must_use]
    pub fn new(config: ServerConfig, seats: usize) -> Self {
        Self(Arc::new(Inside {
            config,
            seats,
            members: Mutex::default(),
            freed: Notify::new(),
        }))
    }

    /// Members now.
    #[must_use]
    pub fn members(&self) -> usize {
        self.lock().len()
    }

    pub(crate) fn config(&self) -> &ServerConfig {
        &self.0.config
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Arc<Queue>>> {
        let members = &self.0.members;
        members.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A seat, if one is free.
    pub(crate) fn enter(&self) -> Option<Seat> {
        let mut members = self.lock();
        if members.len() >= self.0.seats {
            return None;
        }
        let queue = Arc::<Queue>::default();
        members.push(queue.clone());
        let room = self.clone();
        Some(Seat { room, queue })
    }

    /// Says it to all, the one who says it among them, in the same order for all.
    pub(crate) async fn say(&self, message: &Message<'_>) {
        let len = message.as_bytes().len();
        // Encoded and compressed once, whoever is there to hear it.
        let mut prepared = match message {
            Message::Text(text) => Prepared::text(text),
            Message::Binary(bytes) => Prepared::binary(bytes),
        };
        if len >= WORTH_COMPRESSING {
            prepared = prepared.with_deflate(3, &[15]);
        }
        let late = sleep(PATIENCE);
        tokio::pin!(late);
        loop {
            let freed = self.0.freed.notified();
            if self.post(&prepared, len) {
                return;
            }
            select! {
                () = freed => {}
                () = &mut late => self.give_up_the_late(len),
            }
        }
    }

    /// To all or to nobody.
    fn post(&self, message: &Prepared, len: usize) -> bool {
        let members = self.lock();
        let all_have_room = members.iter().all(|queue| queue.has_room(len));
        if all_have_room {
            members.iter().for_each(|queue| queue.push(message, len));
        }
        all_have_room
    }

    fn give_up_the_late(&self, len: usize) {
        self.lock().retain(|queue| {
            let in_time = queue.has_room(len);
            if !in_time {
                queue.give_up();
            }
            in_time
        });
        self.0.freed.notify_waiters();
    }
}

/// A member's place, which is free again when this is dropped.
pub(crate) struct Seat {
    room: Room,
    queue: Arc<Queue>,
}

impl Seat {
    /// The next message for this member.
    pub(crate) async fn next(&self) -> Prepared {
        let message = self.queue.next().await;
        self.room.0.freed.notify_waiters();
        message
    }

    /// Until it is too far behind.
    pub(crate) async fn left_behind(&self) {
        self.queue.given_up().await;
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.room
            .lock()
            .retain(|queue| !Arc::ptr_eq(queue, &self.queue));
        self.room.0.freed.notify_waiters();
    }
}
