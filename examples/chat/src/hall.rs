//! The rooms of this process: each is followed once, however many of its members are here.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use sansocket_tokio::ServerConfig;
use tokio::select;
use tokio::time::{Instant, interval, sleep, timeout};

use crate::engine::{Engine, Position};
use crate::log;
use crate::member::Member;
use crate::room::Room;
use crate::wire::{Entry, Event, Say};

/// How long an engine may take to answer.
pub const PATIENCE: Duration = Duration::from_secs(5);

/// How often those who came and left are shown, and how soon an engine that failed is tried again.
const TICK: Duration = Duration::from_millis(250);

/// All rooms of this process. A clone is the same.
pub struct Hall<E>(Arc<Inside<E>>);

struct Inside<E> {
    engine: E,
    config: ServerConfig,
    seats: usize,
    rooms: Mutex<HashMap<String, Arc<Room>>>,
}

impl<E> Clone for Hall<E> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<E: Engine> Hall<E> {
    /// For so many members at most in this process, whose rooms are kept by the engine.
    #[must_use]
    pub fn new(engine: E, config: ServerConfig, seats: usize) -> Self {
        Self(Arc::new(Inside {
            engine,
            config,
            seats,
            rooms: Mutex::default(),
        }))
    }

    /// Members in this process.
    #[must_use]
    pub fn members(&self) -> usize {
        self.lock().values().map(|room| room.members()).sum()
    }

    /// Tells other processes that nobody is here any more.
    pub async fn leave(&self) {
        let rooms: Vec<_> = self.lock().drain().collect();
        for (name, room) in rooms {
            let farewell = room.lock().presence.farewell();
            self.tell(&name, farewell).await;
        }
    }

    pub(crate) fn config(&self) -> &ServerConfig {
        &self.0.config
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Arc<Room>>> {
        let rooms = &self.0.rooms;
        rooms.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A new member, unless there is no seat, or the engine does not answer.
    pub(crate) async fn enter(
        &self,
        room: &str,
        name: String,
        after: Option<Position>,
    ) -> Result<Member, &'static str> {
        let mut member = self.seat(room, name).ok_or("all seats are taken\n")?;
        let begun = timeout(PATIENCE, member.begin(after)).await;
        begun.map_err(|_| "the engine does not answer\n")?;
        Ok(member)
    }

    fn seat(&self, name: &str, member: String) -> Option<Member> {
        if self.members() >= self.0.seats {
            return None;
        }
        let mut rooms = self.lock();
        let room = rooms.entry(name.to_owned()).or_insert_with(|| {
            let room = Arc::<Room>::default();
            tokio::spawn(self.clone().keep(name.to_owned(), room.clone()));
            room
        });
        Some(Member::new(room.clone(), member))
    }

    /// Says it to all, and answers.
    pub(crate) async fn say(&self, room: &str, name: &str, Say { say, id }: Say) -> Event<'static> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let entry = Entry {
            name: name.to_owned(),
            text: say,
            time: now.map_or(0, |now| now.as_millis() as u64),
        };
        let entry = serde_json::to_string(&entry).unwrap_or_default(); // strings and a number
        match timeout(PATIENCE, self.0.engine.append(room, &id, entry)).await {
            Ok(Ok(())) => Event::Kept { id },
            Ok(Err(_)) | Err(_) => Event::Failed { id },
        }
    }

    /// Keeps a room up to date as long as somebody is there.
    async fn keep(self, name: String, room: Arc<Room>) {
        select! {
            () = self.count(&name, &room) => {}
            _ = self.follow(&name, &room) => {}
        }
        let farewell = room.lock().presence.farewell();
        self.tell(&name, farewell).await;
    }

    async fn follow(&self, name: &str, room: &Room) -> Infallible {
        loop {
            let heard = room.lock().heard;
            let hear = |news| room.hear(news);
            let Err(error) = self.0.engine.follow(name, heard, hear).await;
            if room.lock().presence.deafened() {
                log(format_args!("room {name}"), error);
            }
            sleep(TICK).await;
        }
    }

    async fn count(&self, name: &str, room: &Room) {
        let mut ticks = interval(TICK);
        loop {
            ticks.tick().await;
            if let Some(sign) = room.tick(Instant::now()) {
                self.tell(name, sign).await;
            }
            let mut rooms = self.lock();
            if room.members() == 0 {
                rooms.remove(name);
                return;
            }
        }
    }

    /// Is not heard where it fails: the next sign is.
    async fn tell(&self, room: &str, what: String) {
        let _ = timeout(PATIENCE, self.0.engine.tell(room, what)).await;
    }
}
