//! What every exchange with a proxy has: bytes to write, a deadline, an end.

use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;

/// The caller's side of an exchange.
pub(super) struct Exchange {
    /// The bytes to write, and how many of them were written.
    output: Vec<u8>,
    written: usize,
    timeout: Duration,
    started: Option<Duration>,
    end: Option<End>,
}

/// Why no more will come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    Eof,
    Lost,
    Timeout,
}

impl Exchange {
    pub(super) const fn new(output: Vec<u8>, timeout: Duration) -> Self {
        Self {
            output,
            written: 0,
            timeout,
            started: None,
            end: None,
        }
    }

    pub(super) fn output(&self) -> &[u8] {
        self.output.get(self.written..).unwrap_or_default()
    }

    pub(super) fn consume_output(&mut self, n: usize) {
        self.written = self.written.saturating_add(n).min(self.output.len());
        if self.written == self.output.len() {
            self.forget_output();
        }
    }

    /// Credentials need not stay in memory.
    pub(super) fn forget_output(&mut self) {
        self.output = Vec::new();
        self.written = 0;
    }

    pub(super) fn send(&mut self, bytes: &[u8]) {
        self.output.extend_from_slice(bytes);
    }

    /// The first reason counts.
    pub(super) fn end_with(&mut self, end: End) {
        self.end.get_or_insert(end);
    }

    pub(super) const fn end(&self) -> Option<End> {
        self.end
    }

    pub(super) fn advance_time(&mut self, now: Duration) {
        let started = *self.started.get_or_insert(now);
        if now >= started.saturating_add(self.timeout) {
            self.end_with(End::Timeout);
        }
    }

    pub(super) fn deadline(&self) -> Option<Duration> {
        Some(self.started?.saturating_add(self.timeout))
    }
}

/// Lengths only, as the bytes may hold credentials.
impl fmt::Debug for Exchange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Exchange")
            .field("output", &self.output().len())
            .field("end", &self.end)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use alloc::format;

    use super::{Duration, End, Exchange};

    /// RFC 9110 §11: what is written may hold a password, which no log is to show.
    #[test]
    fn its_debug_form_has_lengths_alone() {
        let mut exchange = Exchange::new(b"secret".into(), Duration::from_secs(1));
        exchange.end_with(End::Eof);
        let shown = format!("{exchange:?}");
        assert_eq!(shown, "Exchange { output: 6, end: Some(Eof), .. }");
    }
}
