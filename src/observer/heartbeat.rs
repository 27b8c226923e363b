//! Pings and the pongs that answer them (RFC 6455 §5.5.2, §5.5.3).

use alloc::vec::Vec;
use core::time::Duration;

/// The Pings of one end that have no answer yet, the latest last.
#[derive(Default)]
pub(super) struct Unanswered(Vec<(Vec<u8>, Option<Duration>)>);

/// Older ones are forgotten.
const KEPT: usize = 16;

impl Unanswered {
    pub(super) fn sent(&mut self, payload: &[u8], now: Option<Duration>) {
        if self.0.len() == KEPT {
            self.0.remove(0);
        }
        self.0.push((payload.to_vec(), now));
    }

    /// Whether a Pong with this payload answers one of them, and how long that took. A Pong may
    /// answer the latest alone, so that those before it are done too.
    pub(super) fn answered(
        &mut self,
        payload: &[u8],
        now: Option<Duration>,
    ) -> (bool, Option<Duration>) {
        let Some(at) = self.0.iter().rposition(|(sent, _)| sent == payload) else {
            return (false, None);
        };
        let sent = self.0[at].1;
        self.0.drain(..=at);
        if self.0.is_empty() {
            self.0 = Vec::new();
        }
        (
            true,
            now.zip(sent).map(|(now, sent)| now.saturating_sub(sent)),
        )
    }

    pub(super) fn memory_held(&self) -> usize {
        let payloads: usize = self.0.iter().map(|(payload, _)| payload.capacity()).sum();
        payloads + self.0.capacity() * size_of::<(Vec<u8>, Option<Duration>)>()
    }
}
