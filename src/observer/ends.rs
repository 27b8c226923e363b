//! The states of both ends, as functions of what was seen (RFC 6455 §4, §7), and how it ended.

use crate::State;
use crate::close_code::CloseCode;
use crate::role::Role;

/// What was seen of the life of a connection.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct BothEnds {
    pub(super) asked: bool,
    pub(super) refused: bool,
    pub(super) opened: bool,
    client: OneEnd,
    server: OneEnd,
    first_close: Option<Role>,
    first_fin: Option<Role>,
    reset: Option<Role>,
}

#[derive(Debug, Clone, Copy, Default)]
struct OneEnd {
    closed: bool,
    code: Option<u16>,
    fin: bool,
    violations: u32,
}

/// How a conversation went, as far as it was seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct ConversationReport {
    /// The opening handshake was completed.
    pub opened: bool,
    /// Who sent the first Close frame.
    pub begun_by: Option<Role>,
    /// The status code of the client's Close frame, as it was sent: `Some(None)` for a frame without one.
    pub client_code: Option<Option<u16>>,
    /// That of the server's.
    pub server_code: Option<Option<u16>>,
    /// Who ended TCP first, by FIN or RST.
    pub tcp_ended_by: Option<Role>,
    /// TCP was ended by RST.
    pub tcp_reset: bool,
    /// Rules that the client broke.
    pub client_violations: u32,
    /// Rules that the server broke.
    pub server_violations: u32,
    /// Bytes of the client that are not told, as no frame was known to begin before them: in searches that found
    /// one ([`Seen::Found`](super::Seen::Found)), and in the last one if it found none.
    pub client_skipped: u64,
    /// Such bytes of the server.
    pub server_skipped: u64,
}

impl ConversationReport {
    /// Both sent a Close frame: the closing handshake is complete (RFC 6455 §7.1.4).
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.client_code.is_some() && self.server_code.is_some()
    }

    /// The code that an application of this end is told (RFC 6455 §7.1.5): the one that it
    /// received first; 1005 for a frame without one, 1006 without a frame.
    #[must_use]
    pub fn code(&self, end: Role) -> u16 {
        let received = match end {
            Role::Client => self.server_code,
            Role::Server => self.client_code,
        };
        match received {
            None => CloseCode::ABNORMAL_CLOSURE,
            Some(code) => code.unwrap_or(CloseCode::NO_STATUS_RECEIVED),
        }
    }

    /// Whether whoever ended TCP first was the one to do so: the server, after both Close frames
    /// (RFC 6455 §7.1.1). `None` while nobody has.
    #[must_use]
    pub fn tcp_in_order(&self) -> Option<bool> {
        let by = self.tcp_ended_by?;
        Some(by == Role::Server && self.is_clean() && !self.tcp_reset)
    }
}

impl BothEnds {
    fn end(&mut self, role: Role) -> &mut OneEnd {
        match role {
            Role::Client => &mut self.client,
            Role::Server => &mut self.server,
        }
    }

    /// A new request begins: what was refused before is over.
    pub(super) fn ask(&mut self) {
        self.asked = true;
        self.refused = false;
    }

    /// The first Close frame of this end counts.
    pub(super) fn close(&mut self, from: Role, code: Option<u16>) {
        self.first_close.get_or_insert(from);
        let end = self.end(from);
        if !end.closed {
            end.closed = true;
            end.code = code;
        }
    }

    pub(super) fn has_closed(&self, from: Role) -> bool {
        match from {
            Role::Client => self.client.closed,
            Role::Server => self.server.closed,
        }
    }

    pub(super) fn fin(&mut self, from: Role) {
        self.first_fin.get_or_insert(from);
        self.end(from).fin = true;
    }

    pub(super) fn reset(&mut self, from: Role) {
        self.first_fin.get_or_insert(from);
        self.reset.get_or_insert(from);
    }

    pub(super) fn broke(&mut self, by: Role, rules: usize) {
        let end = self.end(by);
        let rules = u32::try_from(rules).unwrap_or(u32::MAX);
        end.violations = end.violations.saturating_add(rules);
    }

    /// Each end as it is after what was seen so far has arrived.
    pub(super) fn state(&self, role: Role) -> State {
        let (own, other) = match role {
            Role::Client => (self.client, self.server),
            Role::Server => (self.server, self.client),
        };
        let both_closed = own.closed && other.closed;
        // Without a closing handshake an end is over when both directions are.
        let tcp_over = self.reset.is_some() || own.fin && (other.fin || both_closed);
        if tcp_over || self.refused {
            State::Closed
        } else if own.closed || other.closed || self.opened && (own.fin || other.fin) {
            State::Closing
        } else if self.opened {
            State::Open
        } else if self.asked && role == Role::Client {
            // A server that reads a request is in no state of its own (RFC 6455 §4.2).
            State::Connecting
        } else {
            State::Initial
        }
    }

    pub(super) fn report(&self) -> ConversationReport {
        let code = |end: OneEnd| end.closed.then_some(end.code);
        ConversationReport {
            opened: self.opened,
            begun_by: self.first_close,
            client_code: code(self.client),
            server_code: code(self.server),
            tcp_ended_by: self.first_fin,
            tcp_reset: self.reset.is_some(),
            client_violations: self.client.violations,
            server_violations: self.server.violations,
            client_skipped: 0,
            server_skipped: 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open() -> BothEnds {
        BothEnds {
            asked: true,
            opened: true,
            ..BothEnds::default()
        }
    }

    fn states(ends: &BothEnds) -> [State; 2] {
        [Role::Client, Role::Server].map(|role| ends.state(role))
    }

    /// RFC 6455 §7.1.3: the first Close frame makes both ends close, and so does the end of one direction.
    #[test]
    fn whatever_begins_the_end() {
        assert_eq!(states(&open()), [State::Open; 2]);
        for from in [Role::Client, Role::Server] {
            let mut ends = open();
            ends.close(from, Some(1000));
            assert_eq!(states(&ends), [State::Closing; 2], "{from:?}");
            ends.fin(from);
            assert_eq!(states(&ends), [State::Closing; 2], "{from:?}");
            // With both Close frames through, who has ended TCP waits for nothing.
            ends.close(from.peer(), None);
            let [own, other] = [from, from.peer()].map(|role| ends.state(role));
            assert_eq!([own, other], [State::Closed, State::Closing], "{from:?}");
            let mut ends = open();
            ends.fin(from);
            assert_eq!(states(&ends), [State::Closing; 2], "{from:?}");
            ends.reset(from);
            assert_eq!(states(&ends), [State::Closed; 2], "{from:?}");
            // Before it was open there is nothing to close.
            let mut ends = BothEnds::default();
            ends.fin(from);
            assert_eq!(states(&ends), [State::Initial; 2], "{from:?}");
        }
    }

    /// RFC 6455 §7.1.1, §7.1.4: clean is what both have closed, and the server ends TCP after that.
    #[test]
    fn how_it_ended() {
        for (first, second) in [(Role::Client, Role::Server), (Role::Server, Role::Client)] {
            let mut ends = open();
            assert!(!ends.report().is_clean());
            ends.close(first, Some(3000));
            assert!(!ends.report().is_clean(), "{first:?} alone");
            assert_eq!(ends.report().tcp_in_order(), None);
            let mut early = ends;
            early.fin(Role::Server);
            assert_eq!(early.report().tcp_in_order(), Some(false));
            ends.close(second, None);
            let report = ends.report();
            assert!(report.is_clean());
            assert_eq!(report.begun_by, Some(first));
            assert_eq!((report.code(second), report.code(first)), (3000, 1005));
            let mut reset = ends;
            ends.fin(first);
            let in_order = first == Role::Server;
            assert_eq!(ends.report().tcp_in_order(), Some(in_order));
            reset.reset(Role::Server);
            assert_eq!(reset.report().tcp_in_order(), Some(false));
        }
    }
}
