//! The gate of the core, shared by tasks: attempts to one address wait for each other (RFC 6455 §4.1).

use std::collections::BTreeMap;
use std::future::poll_fn;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use sansocket::client::gate::{Destination, Gate, Ticket};

/// A gate that clones share.
#[derive(Clone)]
pub(super) struct SharedGate(Arc<Mutex<State>>);

struct State {
    gate: Gate,
    /// Whom to wake when a waiting attempt may start.
    wakers: BTreeMap<Ticket, Waker>,
}

impl SharedGate {
    pub(super) fn new(gate: Gate) -> Self {
        Self(Arc::new(Mutex::new(State {
            gate,
            wakers: BTreeMap::new(),
        })))
    }

    /// Waits until an attempt may start. The pass holds the place until it is dropped.
    pub(super) async fn turn(&self, place: Destination) -> Pass {
        let ticket = self.state().gate.request(place);
        let gate = self.clone();
        let pass = Pass { gate, ticket };
        poll_fn(|cx| pass.poll_turn(cx)).await;
        pass
    }

    /// No call leaves the gate half changed.
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An attempt's place, given back on drop.
pub(super) struct Pass {
    gate: SharedGate,
    ticket: Ticket,
}

impl Pass {
    fn poll_turn(&self, cx: &Context<'_>) -> Poll<()> {
        let mut state = self.gate.state();
        if state.gate.may_start(self.ticket) {
            return Poll::Ready(());
        }
        let old = state.wakers.insert(self.ticket, cx.waker().clone());
        // Another's code: not run while the lock is held.
        drop(state);
        drop(old);
        Poll::Pending
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        let mut state = self.gate.state();
        let mine = state.wakers.remove(&self.ticket);
        let next = state.gate.release(self.ticket);
        let waker = next.and_then(|next| state.wakers.remove(&next));
        drop(state);
        drop(mine);
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}
