//! One waker for everyone who waits for a connection.
//!
//! A stream of tokio's keeps one waker for each direction. If a receiver and a sender each polled it
//! with their own, the later one would take the earlier one's place, which then slept for ever; and
//! below TLS either direction waits for both. So the stream and the timer only ever see this one, which
//! wakes all who wait.

use std::fmt;
use std::mem;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Wake, Waker};

/// Who waits for a connection.
#[derive(Default)]
pub(crate) struct Wakers {
    waiting: Mutex<Waiting>,
    /// How many senders wait: nearly always none does.
    senders: AtomicUsize,
}

#[derive(Default)]
struct Waiting {
    receiver: Option<Waker>,
    senders: Vec<(u64, Waker)>,
    places: u64,
}

impl Wakers {
    /// The receiver waits.
    pub(crate) fn receiver_waits(&self, waker: &Waker) {
        let mut waiting = self.waiting();
        match &waiting.receiver {
            Some(known) if known.will_wake(waker) => {}
            _ => {
                let old = waiting.receiver.replace(waker.clone());
                // Another's code: not run while the lock is held.
                drop(waiting);
                drop(old);
            }
        }
    }

    pub(crate) fn wake_receiver(&self) {
        let waker = self.waiting().receiver.take();
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    pub(crate) fn wake_senders(&self) {
        if self.senders.load(Ordering::Acquire) == 0 {
            return;
        }
        let mut waiting = self.waiting();
        let senders = mem::take(&mut waiting.senders);
        self.count(&waiting);
        drop(waiting);
        for (_, waker) in senders {
            waker.wake();
        }
    }

    fn count(&self, waiting: &Waiting) {
        self.senders.store(waiting.senders.len(), Ordering::Release);
    }

    /// A crash elsewhere leaves nothing half changed here.
    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Wake for Wakers {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.wake_receiver();
        self.wake_senders();
    }
}

impl fmt::Debug for Wakers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Wakers")
    }
}

/// A sender's place among those who wait, given up on drop.
#[derive(Debug)]
pub(crate) struct Place {
    wakers: Arc<Wakers>,
    number: u64,
}

impl Place {
    pub(crate) fn new(wakers: &Arc<Wakers>) -> Self {
        let mut waiting = wakers.waiting();
        let number = waiting.places;
        waiting.places += 1;
        drop(waiting);
        Self {
            wakers: wakers.clone(),
            number,
        }
    }

    /// The sender waits.
    pub(crate) fn waits(&self, waker: &Waker) {
        let mut waiting = self.wakers.waiting();
        let mine = waiting.senders.iter().position(|(n, _)| *n == self.number);
        let old = match mine.and_then(|at| waiting.senders.get_mut(at)) {
            Some((_, known)) if known.will_wake(waker) => None,
            Some((_, known)) => Some(mem::replace(known, waker.clone())),
            None => {
                waiting.senders.push((self.number, waker.clone()));
                self.wakers.count(&waiting);
                None
            }
        };
        drop(waiting);
        drop(old);
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut waiting = self.wakers.waiting();
        let mine = waiting.senders.iter().position(|(n, _)| *n == self.number);
        let old = mine.map(|at| waiting.senders.swap_remove(at));
        self.wakers.count(&waiting);
        drop(waiting);
        drop(old);
    }
}
