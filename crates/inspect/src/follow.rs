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

/// Where something was told.
#[derive(Clone, Copy)]
struct At {
    packet: u64,
    time: Duration,
    offset: u64,
}

impl At {
    fn entry(self, sender: Sender, what: What<'_>) -> Entry<'_> {
        let Self {
            packet,
            time,
            offset,
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
        event: &Event<'_>,
        tell: &mut dyn FnMut(&Self, &Entry<'_>),
    ) {
        let Event {
            sender,
            packet,
            time,
            offset,
            kind,
            ..
        } = *event;
        let at = At {
            packet,
            time,
            offset,
        };
        tell(self, &at.entry(sender, What::Tcp(kind)));
        let role = role(sender);
        let mut input: &[u8] = &[];
        if let Kind::Data(bytes) = kind {
            input = bytes;
            self.observer
                .get_or_insert_with(|| Box::new(observer(self.from_start, bytes, config)));
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

/// For a conversation whose first captured bytes these are.
fn observer(from_start: bool, bytes: &[u8], config: &ObserverConfig) -> Observer {
    let http = [&b"GET "[..], b"CONNECT ", b"HTTP/1."]
        .iter()
        .any(|http| bytes.starts_with(http));
    if from_start || http {
        Observer::new(config)
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
