//! The gate of the crate behind a lock: attempts of several threads or tasks, one at a time for each
//! address (RFC 6455 §4.1). A pass gives its place back when it is dropped.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

use sansocket::client::gate::{Destination, Gate, Ticket};

/// A [`Gate`] that tasks and threads share: clones are the same gate.
#[derive(Clone, Default)]
pub struct SharedGate(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    gate: Gate,
    /// Whom to wake when a waiting pass may start.
    wakers: BTreeMap<Ticket, Waker>,
}

impl SharedGate {
    /// Shares a gate.
    pub fn new(gate: Gate) -> Self {
        Self(Arc::new(Mutex::new(State {
            gate,
            wakers: BTreeMap::new(),
        })))
    }

    /// Puts an attempt in line. The pass holds the place until it is dropped: drop it when the
    /// connection is established or has failed.
    #[must_use = "dropping the pass gives the place back"]
    pub fn request(&self, place: Destination) -> Pass {
        Pass {
            ticket: self.state().gate.request(place),
            gate: self.clone(),
        }
    }

    /// No call leaves the gate half changed, so a panic elsewhere does not spoil it.
    fn state(&self) -> MutexGuard<'_, State> {
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
#[derive(Debug)]
pub struct Pass {
    gate: SharedGate,
    ticket: Ticket,
}

impl Pass {
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
        let waker_here = state.wakers.remove(&self.ticket);
        let next = state.gate.release(self.ticket);
        let waker = next.and_then(|next| state.wakers.remove(&next));
        drop(state);
        drop(waker_here);
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

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    fn address() -> Destination {
        SocketAddr::from(([192, 0, 2, 1], 80)).into()
    }

    #[derive(Default)]
    struct Count(AtomicUsize);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    #[test]
    fn a_dropped_pass_wakes_the_next_one() {
        let gate = SharedGate::new(Gate::new(1));
        let count = Arc::new(Count::default());
        let waker = Waker::from(Arc::clone(&count));
        let mut context = Context::from_waker(&waker);
        let mut passes: Vec<_> = (0..3)
            .map(|_| gate.request(Destination::name("a.example", 80)))
            .collect();
        assert!(passes[0].poll_turn(&mut context).is_ready());
        assert!(passes[1].poll_turn(&mut context).is_pending());
        assert!(passes[2].poll_turn(&mut context).is_pending());
        let waiting = gate
            .state()
            .gate
            .waiting_at(&Destination::name("a.example", 80));
        assert_eq!(waiting, 2);

        // One that waits gives up: nobody is woken. Then the holder ends: the last one is.
        drop(passes.remove(1));
        assert_eq!(count.0.load(Ordering::SeqCst), 0);
        drop(passes.remove(0));
        assert_eq!(count.0.load(Ordering::SeqCst), 1);
        assert!(passes[0].poll_turn(&mut context).is_ready());
        drop(passes);
        assert!(gate.state_is_empty());
    }

    #[test]
    fn clones_show_the_same_gate() {
        let gate = SharedGate::new(Gate::new(1));
        let empty = format!("{gate:?}");
        let clone = gate.clone();
        let pass = clone.request(Destination::name("a.example", 80));
        assert_ne!(format!("{gate:?}"), empty);
        assert_eq!(format!("{gate:?}"), format!("{clone:?}"));
        assert!(pass.may_start());
        let next = gate.request(Destination::name("a.example", 80));
        assert!(!next.may_start());
        drop(pass);
        assert!(next.may_start());
    }

    /// RFC 6455 §4.1 between threads: never two at once.
    #[test]
    fn threads_wait_for_their_turn() {
        let gate = SharedGate::default();
        let inside = AtomicUsize::new(0);
        let done = AtomicUsize::new(0);
        let first = gate.request(address());
        assert!(first.may_start());
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..50 {
                        let mut pass = gate.request(address());
                        pass.wait();
                        assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0);
                        assert_eq!(inside.fetch_sub(1, Ordering::SeqCst), 1);
                        done.fetch_add(1, Ordering::SeqCst);
                    }
                });
            }
            while gate.state().wakers.len() < 8 {
                std::thread::yield_now();
            }
            assert_eq!(done.load(Ordering::SeqCst), 0);
            drop(first);
        });
        assert_eq!(done.load(Ordering::SeqCst), 400);
        assert!(gate.state_is_empty());
    }

    impl Pass {
        fn may_start(&self) -> bool {
            self.gate.state().gate.may_start(self.ticket)
        }
    }

    impl SharedGate {
        fn state_is_empty(&self) -> bool {
            let state = self.state();
            state.gate.is_empty() && state.wakers.is_empty()
        }
    }
}
