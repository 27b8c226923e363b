//! The protocol in a conversation of TCP: this is all that knows the observer of the core.

use std::net::SocketAddr;
use std::time::Duration;

use sansocket::observer::{Observer, ObserverConfig, Report, Seen};
use sansocket::{Negotiated, Role, State};
use sansocket_tcp_streams::{Event, Kind, Sender};

/// A conversation that is followed.
pub(crate) struct Talk {
    pub(crate) number: u64,
    pub(crate) client: SocketAddr,
    pub(crate) server: SocketAddr,
    /// Its SYN was captured.
    from_start: bool,
    /// Once there are bytes.
    observer: Option<Box<Observer>>,
    states: [State; 2],
}

/// One thing to show.
pub(crate) struct Entry<'a> {
    pub(crate) sender: Sender,
    pub(crate) packet: u64,
    pub(crate) time: Duration,
    pub(crate) offset: u64,
    pub(crate) what: What<'a>,
}

pub(crate) enum What<'a> {
    /// What TCP does.
    Tcp(Kind<'a>),
    /// What its bytes are.
    Seen(Seen<'a>),
    /// The states of the client and the server, which have changed.
    States([State; 2]),
    /// How it went, when it has ended.
    Report(Report),
}

/// Whose bytes or deed something is, and where.
#[derive(Clone, Copy)]
pub(crate) struct At {
    pub(crate) sender: Sender,
    pub(crate) packet: u64,
    pub(crate) time: Duration,
    pub(crate) offset: u64,
}

impl At {
    pub(crate) fn of(event: &Event<'_>) -> Self {
        Self {
            sender: event.sender,
            packet: event.packet,
            time: event.time,
            offset: event.offset,
        }
    }

    fn entry(self, sender: Sender, what: What<'_>) -> Entry<'_> {
        let Self {
            packet,
            time,
            offset,
            ..
        } = self;
        Entry {
            sender,
            packet,
            time,
            offset,
            what,
        }
    }
}

impl Talk {
    pub(crate) fn new(
        number: u64,
        client: SocketAddr,
        server: SocketAddr,
        from_start: bool,
    ) -> Self {
        let states = [State::Initial; 2];
        Self {
            number,
            client,
            server,
            from_start,
            observer: None,
            states,
        }
    }

    /// Follows what TCP tells; tells that, and what it is for the protocol.
    pub(crate) fn hear(
        &mut self,
        config: &ObserverConfig,
        at: At,
        kind: Kind<'_>,
        tell: &mut dyn FnMut(&Self, &Entry<'_>),
    ) {
        let At { sender, time, .. } = at;
        tell(self, &at.entry(sender, What::Tcp(kind)));
        let role = role(sender);
        let mut input: &[u8] = &[];
        if let Kind::Data(bytes) = kind {
            input = bytes;
            if self.observer.is_none() {
                self.observer = Some(Box::new(observer(self, bytes, config)));
            }
        }
        let Some(mut observer) = self.observer.take() else {
            return;
        };
        observer.advance_time(time);
        match kind {
            Kind::Data(_) => {}
            Kind::Gap(length) => observer.gap(role, length),
            Kind::Fin => observer.end(role),
            Kind::Reset => observer.reset(role),
            Kind::End(_) => {
                let report = observer.report();
                return tell(self, &at.entry(sender, What::Report(report)));
            }
            _ => {
                self.observer = Some(observer);
                return;
            }
        }
        // What one end sends may be what bytes of the other one have waited for.
        for (role, mut input) in [(role, input), (role.peer(), &[][..])] {
            loop {
                let seen = observer.see(role, &mut input);
                let done = seen.is_none();
                if let Some(seen) = seen {
                    tell(self, &at.entry(sender_of(role), What::Seen(seen)));
                }
                let states = [observer.state(Role::Client), observer.state(Role::Server)];
                if states != self.states {
                    self.states = states;
                    tell(self, &at.entry(sender, What::States(states)));
                }
                if done {
                    break;
                }
            }
        }
        self.observer = Some(observer);
    }
}

/// For a conversation whose first bytes these are.
fn observer(talk: &Talk, bytes: &[u8], config: &ObserverConfig) -> Observer {
    // Bytes that no packet has brought begin with a frame if not with HTTP.
    let alone = talk.client.ip().is_unspecified();
    if is_http(bytes) || talk.from_start && !alone {
        Observer::new(config)
    } else if alone {
        Observer::upgraded(config, Negotiated::new())
    } else {
        Observer::midway(config, Negotiated::new())
    }
}

fn role(sender: Sender) -> Role {
    match sender {
        Sender::Client => Role::Client,
        Sender::Server => Role::Server,
    }
}

fn sender_of(role: Role) -> Sender {
    match role {
        Role::Client => Sender::Client,
        Role::Server => Sender::Server,
    }
}

/// Whether a request or an answer begins here.
pub(crate) fn is_http(bytes: &[u8]) -> bool {
    [&b"GET "[..], b"CONNECT ", b"HTTP/1."]
        .iter()
        .any(|http| bytes.starts_with(http))
}
