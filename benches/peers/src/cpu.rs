//! Time that this thread was on a processor: what else runs on the machine does not count.

use std::sync::OnceLock;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

fn now() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

/// What the work took, without what it takes to ask the clock.
pub fn timed(work: impl FnOnce()) -> Duration {
    let asking = asking();
    let started = now();
    work();
    (now() - started).saturating_sub(asking)
}

fn asking() -> Duration {
    static ASKING: OnceLock<Duration> = OnceLock::new();
    *ASKING.get_or_init(|| {
        let mut times: Vec<Duration> = (0..1001)
            .map(|_| {
                let started = now();
                now() - started
            })
            .collect();
        times.sort();
        times[times.len() / 2]
    })
}
