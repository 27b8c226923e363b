//! The gate behind a lock, with passes that are given back on drop.

use super::{Gate, Place, Ticket};
use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use alloc::task::Wake;
use core::fmt;
use core::future::poll_fn;
use core::task::{Context, Poll, Waker};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// A [`Gate`] that tasks and threads share: clones are the same gate. Needs feature `std`.
///
/// ```
/// use sansocket::gate::{Gate, Place, SharedGate};
/// let gate = SharedGate::new(Gate::default());
/// let server = Place::address("192.0.2.1:443".parse()?);
/// let mut first = gate.request(server.clone());
/// let mut second = gate.request(server);
/// first.wait(); // or `first.turn().await`
/// assert!(!second.may_start());
/// drop(first); // established, failed, or its task was cancelled
/// second.wait();
/// # Ok::<(), core::net::AddrParseError>(())
/// ```
#[derive(Clone, Default)]
pub struct SharedGate(Arc<Mutex<State>>);

#[derive(Default)]
pub(super) struct State {
    pub(super) gate: Gate,
    /// Whom to wake when a waiting pass may start.
    pub(super) wakers: BTreeMap<Ticket, Waker>,
}

impl SharedGate {
    /// Shares a gate.
    #[must_use]
    pub fn new(gate: Gate) -> Self {
        Self(Arc::new(Mutex::new(State {
            gate,
            wakers: BTreeMap::new(),
        })))
    }

    /// Puts an attempt in line, as [`Gate::request`]. The pass holds the place until it is dropped:
    /// drop it when the connection is established or has failed.
    #[must_use = "dropping the pass gives the place back"]
    pub fn request(&self, place: Place) -> Pass {
        Pass {
            ticket: self.state().gate.request(place),
            gate: self.clone(),
        }
    }

    /// As [`Gate::waiting_at`].
    #[must_use]
    pub fn waiting_at(&self, place: &Place) -> usize {
        self.state().gate.waiting_at(place)
    }

    /// No call leaves the book half written, so a panic elsewhere does not spoil it.
    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for SharedGate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SharedGate")
            .field(&self.state().gate)
            .finish()
    }
}

/// An attempt's place in line at a [`SharedGate`], given back on drop.
///
/// ```
/// # use sansocket::gate::{Gate, Place, SharedGate};
/// # let gate = SharedGate::new(Gate::default());
/// let mut pass = gate.request(Place::name("example.com", 443));
/// pass.wait();
/// // … connect, and do the opening handshake …
/// drop(pass);
/// ```
#[derive(Debug)]
pub struct Pass {
    gate: SharedGate,
    ticket: Ticket,
}

impl Pass {
    /// Whether the attempt may begin.
    #[must_use]
    pub fn may_start(&self) -> bool {
        self.gate.state().gate.may_start(self.ticket)
    }

    /// Ready when the attempt may begin; until then the task is woken when its turn comes.
    pub fn poll_turn(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let mut state = self.gate.state();
        if state.gate.may_start(self.ticket) {
            return Poll::Ready(());
        }
        let old = state.wakers.insert(self.ticket, context.waker().clone());
        // A waker is foreign code: it is not dropped while the lock is held.
        drop(state);
        drop(old);
        Poll::Pending
    }

    /// Waits for the turn in an `async fn`. Dropping the future keeps the place in line.
    pub async fn turn(&mut self) {
        poll_fn(|context| self.poll_turn(context)).await;
    }

    /// Blocks the calling thread until its turn comes.
    pub fn wait(&mut self) {
        let signal = Arc::new(Signal::default());
        let waker = Waker::from(Arc::clone(&signal));
        while self
            .poll_turn(&mut Context::from_waker(&waker))
            .is_pending()
        {
            signal.wait();
        }
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        let mut state = self.gate.state();
        let own = state.wakers.remove(&self.ticket);
        let next = state.gate.release(self.ticket);
        let waker = next.and_then(|next| state.wakers.remove(&next));
        drop(state);
        drop(own);
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

/// What a thread sleeps on.
#[derive(Default)]
struct Signal {
    given: Mutex<bool>,
    changed: Condvar,
}

impl Signal {
    fn wait(&self) {
        let given = self.given.lock().unwrap_or_else(PoisonError::into_inner);
        let mut given = self
            .changed
            .wait_while(given, |given| !*given)
            .unwrap_or_else(PoisonError::into_inner);
        *given = false;
    }
}

impl Wake for Signal {
    fn wake(self: Arc<Self>) {
        *self.given.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.changed.notify_one();
    }
}
