//! The protocol in a conversation of TCP: this is all that knows the observer of the core.

use std::net::SocketAddr;
use std::time::Duration;

use crate::contexts::Context;
use crate::tls::{KeyLog, Session, Told};
use sansocket::observer::{ConversationReport, Observer, ObserverConfig, Seen};
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
    /// Frames and messages alone do not change them.
    settled: bool,
    /// What TLS carries is what the observer sees.
    tls: Option<Box<Session>>,
    /// It has TLS.
    pub(crate) secure: bool,
    /// What follows is for the host behind a proxy.
    tunnel: bool,
    /// It had a compressed message.
    pub(crate) compressed: bool,
    pub(crate) context: Context,
}

/// What all conversations are read with.
pub(crate) struct Tools {
    pub(crate) config: ObserverConfig,
    pub(crate) keys: KeyLog,
    /// Keys may be logged after what they are for was captured.
    pub(crate) live: bool,
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
    /// What TLS says.
    Tls(Told<'a>),
    /// What its bytes are.
    Seen(&'a Seen<'a>),
    /// What its compressed messages may refer to was given up, as there is no memory for it.
    GivenUp,
    /// The states of the client and the server, which have changed.
    States([State; 2]),
    /// How it went, when it has ended.
    Report(ConversationReport),
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

    pub(crate) fn entry(self, sender: Sender, what: What<'_>) -> Entry<'_> {
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
            settled: false,
            tls: None,
            secure: false,
            tunnel: false,
            compressed: false,
            context: Context::default(),
        }
    }

    /// Follows what TCP tells; tells that, and what it is for the protocol.
    pub(crate) fn hear(&mut self, tools: &Tools, at: At, kind: Kind<'_>, tell: &mut Tell<'_>) {
        tell(self, &at.entry(at.sender, What::Tcp(kind)));
        if let Kind::Data(bytes) = kind
            && self.tls.is_none()
            && (self.observer.is_none() || self.tunnel && at.sender == Sender::Client)
            && Session::fits(bytes)
        {
            self.secure = true;
            self.tls = Some(Box::new(Session::new(tools.live)));
            self.observer = Some(Box::new(Observer::new(&tools.config)));
        }
        let Some(mut session) = self.tls.take() else {
            return self.follow(tools, at, kind, tell);
        };
        let mut told =
            |from, told: Told<'_>| self.told(tools, At { sender: from, ..at }, told, tell);
        match kind {
            Kind::Data(bytes) => session.receive(at.sender, bytes, &tools.keys, &mut told),
            Kind::Gap(length) => session.gap(at.sender, length, &mut told),
            Kind::Fin => session.end(at.sender, &mut told),
            Kind::End(_) => session.finish(&mut told),
            _ => {}
        }
        if !matches!(kind, Kind::Data(_) | Kind::Gap(_)) {
            self.follow(tools, at, kind, tell);
        }
        self.tls = Some(session);
    }

    /// Bytes that its observer holds.
    pub(crate) fn memory_held(&self) -> usize {
        self.observer.as_ref().map_or(0, |own| own.memory_held())
    }

    /// Gives up what can be had again.
    pub(crate) fn park(&mut self) {
        if let Some(observer) = &mut self.observer {
            observer.park();
        }
    }

    /// Gives up what compressed messages may refer to.
    pub(crate) fn forget_context(&mut self) {
        if let Some(observer) = &mut self.observer {
            observer.forget_context();
        }
    }

    /// Keys may have been logged since.
    pub(crate) fn look_again(&mut self, tools: &Tools, at: At, tell: &mut Tell<'_>) {
        if let Some(mut session) = self.tls.take_if(|session| session.wants_keys()) {
            let mut told =
                |from, told: Told<'_>| self.told(tools, At { sender: from, ..at }, told, tell);
            session.receive(at.sender, &[], &tools.keys, &mut told);
            self.tls = Some(session);
        }
    }

    /// Follows what TLS tells.
    fn told(&mut self, tools: &Tools, at: At, told: Told<'_>, tell: &mut Tell<'_>) {
        match told {
            Told::Data(bytes) => self.follow(tools, at, Kind::Data(bytes), tell),
            Told::Gap(length) => {
                tell(self, &at.entry(at.sender, What::Tls(told)));
                self.follow(tools, at, Kind::Gap(length), tell);
            }
            _ => tell(self, &at.entry(at.sender, What::Tls(told))),
        }
    }

    /// Follows what the ends send each other.
    fn follow(&mut self, tools: &Tools, at: At, kind: Kind<'_>, tell: &mut Tell<'_>) {
        let At { sender, time, .. } = at;
        let role = role(sender);
        let mut input: &[u8] = &[];
        if let Kind::Data(bytes) = kind {
            input = bytes;
            if self.observer.is_none() {
                self.observer = Some(Box::new(observer(self, bytes, &tools.config)));
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
        let data = matches!(kind, Kind::Data(_));
        self.settled &= data;
        let only_messages = self.see(&mut observer, role, &mut input, at, tell);
        // What one end sends may be what bytes of the other one have waited for.
        if !data || !only_messages {
            self.see(&mut observer, role.peer(), &mut &[][..], at, tell);
        }
        self.observer = Some(observer);
    }

    /// Returns whether there was nothing but frames and messages, which change neither states nor the other direction.
    fn see(
        &mut self,
        observer: &mut Observer,
        role: Role,
        input: &mut &[u8],
        at: At,
        tell: &mut Tell<'_>,
    ) -> bool {
        let mut only_messages = true;
        loop {
            let seen = observer.see(role, input);
            let done = seen.is_none();
            match seen {
                // Told with its message.
                Some(Seen::Payload(_)) => continue,
                Some(seen) => {
                    let of_message = matches!(seen, Seen::Frame(_) | Seen::Message(_));
                    only_messages &= of_message;
                    self.compressed |= matches!(&seen, Seen::Message(own) if own.encoded);
                    self.tunnel = matches!(seen, Seen::Opened(None));
                    tell(self, &at.entry(sender_of(role), What::Seen(&seen)));
                    if of_message && self.settled {
                        continue;
                    }
                }
                None if only_messages && self.settled => return true,
                None => {}
            }
            self.settled = true;
            let states = [observer.state(Role::Client), observer.state(Role::Server)];
            if states != self.states {
                self.states = states;
                tell(self, &at.entry(at.sender, What::States(states)));
            }
            if done {
                return only_messages;
            }
        }
    }
}

/// Hears of a conversation.
pub(crate) type Tell<'t> = dyn FnMut(&Talk, &Entry<'_>) + 't;

/// For a conversation whose first bytes these are.
fn observer(talk: &Talk, bytes: &[u8], config: &ObserverConfig) -> Observer {
    // Bytes that no packet has brought begin with a frame if not with HTTP.
    let alone = talk.client.ip().is_unspecified();
    if is_http(bytes) || talk.from_start && !alone {
        Observer::new(config)
    } else if alone {
        Observer::upgraded(config, Negotiated::new())
    } else {
        // Whether messages are compressed was said before; the bit of those that are says it again (RFC 7692 §6).
        let perhaps = Negotiated::new().extensions("permessage-deflate");
        Observer::midway(config, perhaps)
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
