//! Which of a host's addresses to dial, and when: both families in turn (RFC 8305, Happy Eyeballs).

use alloc::collections::VecDeque;
use core::net::SocketAddr;
use core::time::Duration;

/// The addresses of a host, each to be dialled when its time has come: when the one before has failed, or has not
/// answered after a moment. The first connection counts; drop the others.
///
/// ```
/// use core::time::Duration;
/// use sansocket::client::dialing::Dialing;
/// let addresses = ["[2001:db8::1]:80", "[2001:db8::2]:80", "192.0.2.1:80"]; // as they were resolved
/// let mut dialing = Dialing::new(addresses.map(|address| address.parse().unwrap()));
/// let mut now = Duration::ZERO; // since an origin that the caller picks
/// assert_eq!(dialing.next(now), "[2001:db8::1]:80".parse().ok());
/// assert_eq!(dialing.next(now), None); // not yet
/// assert_eq!(dialing.next_deadline(), Some(Duration::from_millis(250)));
/// now = Duration::from_millis(250);
/// assert_eq!(dialing.next(now), "192.0.2.1:80".parse().ok()); // the other family's
/// dialing.failed();
/// assert_eq!(dialing.next(now), "[2001:db8::2]:80".parse().ok());
/// assert_eq!(dialing.next_deadline(), None); // there are no more
/// ```
#[derive(Debug, Clone)]
pub struct Dialing {
    waiting: VecDeque<SocketAddr>,
    delay: Duration,
    next: Duration,
}

impl Dialing {
    /// The families take turns, beginning with that of the first address (RFC 8305 §4). Each address is dialled once.
    /// 250 ms lie between two attempts (§5).
    pub fn new(addresses: impl IntoIterator<Item = SocketAddr>) -> Self {
        let mut families = [VecDeque::new(), VecDeque::new()];
        let mut first = None;
        for address in addresses {
            let first = *first.get_or_insert(address.is_ipv4());
            let [same, other] = &mut families;
            let family = if address.is_ipv4() == first {
                same
            } else {
                other
            };
            if !family.contains(&address) {
                family.push_back(address);
            }
        }
        let [mut same, mut other] = families;
        let mut waiting = VecDeque::with_capacity(same.len() + other.len());
        while !same.is_empty() || !other.is_empty() {
            waiting.extend(same.pop_front());
            waiting.extend(other.pop_front());
        }
        Self {
            waiting,
            delay: Duration::from_millis(250),
            next: Duration::ZERO,
        }
    }

    /// Sets how long one attempt goes on alone. RFC 8305 §8 asks for no less than 10 ms.
    #[must_use]
    pub const fn delay(mut self, delay: Duration) -> Self {
        self.delay = delay;
        self
    }

    /// The address to dial now, if one is due. Call it again until there is none.
    pub fn next(&mut self, now: Duration) -> Option<SocketAddr> {
        if now < self.next {
            return None;
        }
        self.next = now.saturating_add(self.delay);
        self.waiting.pop_front()
    }

    /// An attempt has failed: the next one is due at once (RFC 8305 §5).
    pub const fn failed(&mut self) {
        self.next = Duration::ZERO;
    }

    /// When the next one is due, a time that may have passed; `None`: there are no more.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Duration> {
        self.waiting.front().map(|_| self.next)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use alloc::format;
    use alloc::vec::Vec;

    use super::*;

    fn address(text: &str) -> SocketAddr {
        let text = match text.split_once(':') {
            Some(_) => format!("[{text}]:80"),
            None => format!("192.0.2.{text}:80"),
        };
        text.parse().unwrap()
    }

    /// RFC 8305 §4.
    #[test]
    fn the_families_take_turns() {
        for (resolved, order) in [
            (&[][..], &[][..]),
            (&["1"], &["1"]),
            (&["1", "2", "3"], &["1", "2", "3"]),
            (
                &["::1", "::2", "::3", "1", "2"],
                &["::1", "1", "::2", "2", "::3"],
            ),
            (&["1", "2", "::1"], &["1", "::1", "2"]),
            (&["1", "::1", "1", "::1"], &["1", "::1"]),
        ] {
            let mut dialing = Dialing::new(resolved.iter().map(|text| address(text)));
            let mut seen = Vec::new();
            while let Some(next) = dialing.next(Duration::MAX) {
                seen.push(next);
            }
            let order: Vec<_> = order.iter().map(|text| address(text)).collect();
            assert_eq!(seen, order);
            assert_eq!(dialing.next_deadline(), None);
        }
    }

    /// RFC 8305 §5: after a moment, or after a failure.
    #[test]
    fn when_the_next_one_is_due() {
        let second = Duration::from_secs(1);
        let all = ["1", "::1", "2", "3"].map(address);
        let mut dialing = Dialing::new(all).delay(second);
        assert_eq!(dialing.next_deadline(), Some(Duration::ZERO));
        assert_eq!(dialing.next(second), Some(address("1")));
        assert_eq!(dialing.next(second), None);
        assert_eq!(dialing.next_deadline(), Some(2 * second));
        dialing.failed();
        assert_eq!(dialing.next(second), Some(address("::1")));
        assert_eq!(dialing.next(second), None);
        assert_eq!(dialing.next(3 * second), Some(address("2")));
        assert_eq!(dialing.next_deadline(), Some(4 * second));
        dialing.failed();
        assert_eq!(dialing.next(3 * second), Some(address("3")));
        dialing.failed();
        assert_eq!(dialing.next(3 * second), None);
    }
}
