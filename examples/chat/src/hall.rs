//! The rooms of this process: each is followed once, however many of its members are here.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use sansocket_tokio::ServerConfig;
use tokio::select;
use tokio::time::{Instant, interval, sleep, timeout};

use crate::engine::Engine;
use crate::member::Member;
use crate::room::Room;
use crate::wire::{Entry, Event, Say};
use crate::{Wish, log};

/// How long an engine may take to answer.
pub const PATIENCE: Duration = Duration::from_secs(5);

/// How often those who came and left are shown, and how soon an engine that failed is tried again.
const TICK: Duration = Duration::from_millis(250);

/// All rooms of this process.
pub struct Hall<E> {
    pub(crate) config: ServerConfig,
    engine: E,
    seats: usize,
    rooms: Mutex<HashMap<String, Arc<Room>>>,
}

impl<E: Engine> Hall<E> {
    /// For so many members at most in this process, whose rooms are kept by the engine.
    #[must_use]
    pub fn new(engine: E, config: ServerConfig, seats: usize) -> Arc<Self> {
        Arc::new(Self {
            config,
            engine,
            seats,
            rooms: Mutex::default(),
        })
    }

    /// Members in this process.
    #[must_use]
    pub fn members(&self) -> usize {
        self.lock()
            .values()
            .map(|room| room.lock().presence.own())
            .sum()
    }

    /// Until other processes have been told that nobody is here any more.
    pub async fn deserted(&self) {
        while !self.lock().is_empty() {
            sleep(TICK).await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Arc<Room>>> {
        self.rooms.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A new member, or why there is none.
    pub(crate) async fn enter(self: &Arc<Self>, wish: Wish) -> Result<Member, &'static str> {
        let mut member = self
            .seat(wish.room, wish.name)
            .ok_or("all seats are taken\n")?;
        let begun = timeout(PATIENCE, member.begin(wish.after)).await;
        begun.map_err(|_| "the engine does not answer\n")?;
        Ok(member)
    }

    fn seat(self: &Arc<Self>, room: String, name: String) -> Option<Member> {
        if self.members() >= self.seats {
            return None;
        }
        let mut rooms = self.lock();
        let room = rooms.entry(room).or_insert_with_key(|name| {
            let room = Arc::<Room>::default();
            tokio::spawn(self.clone().keep(name.clone(), room.clone()));
            room
        });
        Some(Member::new(room.clone(), name))
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
        match timeout(PATIENCE, self.engine.append(room, &id, entry)).await {
            Ok(Ok(())) => Event::Kept { id },
            Ok(Err(_)) | Err(_) => Event::Failed { id },
        }
    }

    /// Keeps a room up to date as long as somebody is there.
    async fn keep(self: Arc<Self>, name: String, room: Arc<Room>) {
        select! {
            () = self.count(&name, &room) => {}
            _ = self.follow(&name, &room) => {}
        }
    }

    async fn follow(&self, name: &str, room: &Room) -> Infallible {
        loop {
            let heard = room.lock().heard;
            let hear = |news| room.hear(news);
            let Err(error) = self.engine.follow(name, heard, hear).await;
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
                // Where this fails, the next sign is heard.
                let _ = timeout(PATIENCE, self.engine.tell(name, sign)).await;
            }
            let mut rooms = self.lock();
            if room.lock().presence.is_over() {
                rooms.remove(name);
                return;
            }
        }
    }
}
