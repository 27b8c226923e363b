//! An allocator that counts, thread by thread. It is unsafe code, which the crate itself and its
//! tests do without, so it lives in a crate of its own.

extern crate alloc;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

#[path = "../../../models/oracles/mod.rs"]
#[allow(dead_code, reason = "some of the oracles are called here")]
pub mod oracle;

#[cfg(feature = "deflate")]
pub mod attacks;

struct Counting;

thread_local! {
    static LIVE: Cell<usize> = const { Cell::new(0) };
    static PEAK: Cell<usize> = const { Cell::new(0) };
    static TOTAL: Cell<usize> = const { Cell::new(0) };
    static CALLS: Cell<usize> = const { Cell::new(0) };
}

fn taken(bytes: usize) {
    LIVE.with(|live| {
        live.set(live.get().wrapping_add(bytes));
        PEAK.with(|peak| peak.set(peak.get().max(live.get())));
    });
    TOTAL.with(|total| total.set(total.get() + bytes));
    CALLS.with(|calls| calls.set(calls.get() + 1));
}

fn given_back(bytes: usize) {
    LIVE.with(|live| live.set(live.get().wrapping_sub(bytes)));
}

// SAFETY: every call goes to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        taken(layout.size());
        // SAFETY: as above.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        given_back(layout.size());
        // SAFETY: as above.
        unsafe { System.dealloc(at, layout) }
    }

    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // At worst both are there for a moment.
        taken(size);
        given_back(layout.size());
        // SAFETY: as above.
        unsafe { System.realloc(at, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// What some work took from the heap on this thread.
#[derive(Debug, Clone, Copy)]
pub struct Use {
    /// The most that was there at once, beyond what was there before.
    pub peak: usize,
    /// What is there now, beyond what was there before; negative if some of that was given back.
    pub kept: isize,
    /// All that was asked for, one after the other.
    pub total: usize,
    /// How often something was asked for.
    pub calls: usize,
}

/// Counts what `work` takes.
pub fn count<T>(work: impl FnOnce() -> T) -> (T, Use) {
    let (live, total, calls) = (LIVE.get(), TOTAL.get(), CALLS.get());
    PEAK.set(live);
    let result = work();
    let used = Use {
        peak: PEAK.get() - live,
        kept: LIVE.get().wrapping_sub(live) as isize,
        total: TOTAL.get() - total,
        calls: CALLS.get() - calls,
    };
    (result, used)
}

/// Random bytes, the same in each run.
#[must_use]
pub fn random(seed: u64, len: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let step = |_| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 24) as u8
    };
    (0..len).map(step).collect()
}
