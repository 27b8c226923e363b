//! The gate of the core, shared by threads: attempts to one address wait for each other (RFC 6455 §4.1).

use std::sync::{Arc, Condvar, Mutex, PoisonError};

use sansocket::client::gate::{Destination, Gate, Ticket};

/// A gate that clones share.
#[derive(Clone)]
pub(super) struct SharedGate(Arc<(Mutex<Gate>, Condvar)>);

impl SharedGate {
    pub(super) fn new(gate: Gate) -> Self {
        Self(Arc::new((Mutex::new(gate), Condvar::new())))
    }

    /// Waits until an attempt may start. The pass holds the place until it is dropped.
    pub(super) fn turn(&self, place: Destination) -> Pass {
        let (gate, released) = &*self.0;
        // No call leaves the gate half changed.
        let mut gate = gate.lock().unwrap_or_else(PoisonError::into_inner);
        let ticket = gate.request(place);
        drop(released.wait_while(gate, |gate| !gate.may_start(ticket)));
        Pass {
            gate: self.clone(),
            ticket,
        }
    }
}

/// An attempt's place, given back on drop.
pub(super) struct Pass {
    gate: SharedGate,
    ticket: Ticket,
}

impl Drop for Pass {
    fn drop(&mut self) {
        let (gate, released) = &*self.gate.0;
        let mut gate = gate.lock().unwrap_or_else(PoisonError::into_inner);
        // Which one may start now its thread finds out itself.
        let _ = gate.release(self.ticket);
        drop(gate);
        released.notify_all();
    }
}
