//! Every way that a client and a server can go together: each order of sending, writing, delivering, closing, losing the
//! transport and waiting, with two real connections over a transport that cuts, stalls and loses.
//!
//! What has been seen is known by the state of the two connections as [`Connection::suspend`] writes it down, in which
//! times are relative to now, beside what is on its way between them. So the search ends, and holds for all that can
//! happen within what each of them may do: see [`Allowed`].
//!
//! In each state: `Closed` comes once, last; what was delivered is what was sent, in order, once; the memory held is
//! below the ceiling. At each end: both were told, both transports are closed, the reports agree, and the server closed
//! first if nothing was lost (RFC 6455 §7.1.1). From each state an end can be reached, and without any deadline if none
//! has passed and nothing was lost: there is no deadlock.
//!
//! `SEARCH=whole` allows more.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test fails by a panic, and one that searches tells how far"
)]

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use sansocket::config::{Limits, Timeouts};
use sansocket::entropy::Entropy;
use sansocket::error::{Failure, NoEntropy};
use sansocket::event::CloseReport;
use sansocket::{
    Accept, ClientConfig, ClientRequest, Connection, Event, Negotiated, OriginPolicy, Role,
    ServerConfig, State, Transport, Uri,
};

const CLIENT: usize = 0;

/// What may happen at all, beside writing, delivering, obeying and waiting.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Allowed {
    /// It begins with the opening handshake, and not after it.
    opening: bool,
    /// Messages that each end may send, and how long they are.
    messages: [u8; 2],
    len: usize,
    /// Closing handshakes that it may begin.
    closes: [u8; 2],
    /// Times that the transport takes or gives a single byte.
    cuts: u8,
    /// Times that the transport is lost.
    losses: u8,
    /// The connections send pings by themselves.
    keepalive: bool,
    /// Times that a deadline passes, where there is always another.
    waits: Option<u8>,
}

/// One end, with what is on its way from there.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct End {
    /// The connection, suspended.
    state: Vec<u8>,
    pipe: Vec<u8>,
    /// After those bytes comes the end of the stream.
    ended: bool,
    /// It comes as a reset.
    reset: bool,
    /// The other end was told.
    heard: bool,
    /// The transport is closed here.
    gone: bool,
    sent: u8,
    got: u8,
    report: Option<Told>,
}

/// What a report says.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Told {
    clean: bool,
    code: u16,
    sent: Option<String>,
    received: Option<String>,
    failed: Option<String>,
    timed_out: bool,
}

impl Told {
    fn of(report: &CloseReport) -> Self {
        Self {
            clean: report.clean,
            code: report.code,
            sent: report.sent.as_ref().map(|frame| format!("{frame:?}")),
            received: report.received.as_ref().map(|frame| format!("{frame:?}")),
            failed: report.failure.map(|failure| failure.to_string()),
            timed_out: matches!(report.failure, Some(Failure::Timeout(_))),
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct World {
    ends: [End; 2],
    left: Allowed,
    lost: bool,
    /// A deadline has passed.
    waited: bool,
    /// Who closed its transport first.
    first_gone: Option<usize>,
}

/// What happens next, at one end or on the way from there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Send(usize),
    Close(usize),
    /// The transport takes one byte, or all.
    Write(usize, bool),
    /// It says that the peer is gone.
    WriteFails(usize),
    /// One byte comes, or all, or the end.
    Deliver(usize, bool),
    Obey(usize),
    /// What is on its way comes still, or not; and a reset instead of an end.
    Lose(usize, bool),
    /// The time of the next deadline comes.
    Wait,
}

/// Keys of zeros, and one nonce: what is random is none of the rules.
struct Zeros;

impl Entropy for Zeros {
    fn fill(&mut self, out: &mut [u8]) -> Result<(), NoEntropy> {
        out.fill(0);
        Ok(())
    }
}

/// The time at which each step begins.
const NOW: Duration = Duration::from_secs(1000);

/// The ceiling on the memory of each end: the lowest there is.
const CEILING: u64 = 16 << 10;

struct Search {
    client: ClientConfig,
    server: ServerConfig,
    /// Each state by its hash, and where it comes from.
    seen: HashMap<u128, u32>,
    from: Vec<(u32, Option<Step>)>,
    /// Whether nothing was lost there, and no deadline has passed.
    quiet: Vec<bool>,
    /// Which state leads to which.
    edges: Vec<(u32, u32)>,
    ends: Vec<u32>,
}

impl Search {
    fn new(keepalive: bool) -> Self {
        let mut limits = Limits::server();
        limits.memory = CEILING;
        let mut timeouts = Timeouts::default();
        timeouts.ping = keepalive.then_some(Duration::from_secs(20));
        timeouts.pong = keepalive.then_some(Duration::from_secs(5));
        Self {
            client: ClientConfig::new()
                .limits(limits)
                .timeouts(timeouts)
                .silent_failures(),
            server: ServerConfig::new(OriginPolicy::Application)
                .limits(limits)
                .timeouts(timeouts)
                .silent_failures(),
            seen: HashMap::new(),
            from: Vec::new(),
            quiet: Vec::new(),
            edges: Vec::new(),
            ends: Vec::new(),
        }
    }

    fn connection(&self, world: &World, at: usize) -> Connection {
        let state = &world.ends[at].state;
        let entropy = Some(Box::new(Zeros) as Box<_>);
        let connection = if at == CLIENT {
            Connection::resume(state, &self.client, entropy, NOW)
        } else {
            Connection::resume(state, &self.server, entropy, NOW)
        };
        connection.unwrap()
    }

    fn begin(&self, left: Allowed) -> World {
        let request = ClientRequest::new(Uri::parse("ws://h/").unwrap());
        let [client, server] = if left.opening {
            let zeros = Box::new(Zeros);
            let client = Connection::client_with_entropy(&self.client, request, zeros);
            [client.unwrap(), Connection::server(&self.server)]
        } else {
            let (zeros, agreed) = (Box::new(Zeros), Negotiated::default());
            let client =
                Connection::upgraded_client_with_entropy(&self.client, agreed.clone(), zeros);
            [client, Connection::upgraded_server(&self.server, agreed)]
        };
        let end = |mut ws: Connection| {
            ws.advance_time(NOW);
            End {
                state: ws.suspend(NOW).unwrap(),
                pipe: Vec::new(),
                ended: false,
                reset: false,
                heard: false,
                gone: false,
                sent: 0,
                got: 0,
                report: None,
            }
        };
        World {
            ends: [end(client), end(server)],
            left,
            lost: false,
            waited: false,
            first_gone: None,
        }
    }

    /// The world after this step; nothing if it cannot be taken.
    fn after(&self, world: &World, step: Step) -> Option<World> {
        let mut next = world.clone();
        if step == Step::Wait {
            return self.wait(next);
        }
        let (Step::Send(at)
        | Step::Close(at)
        | Step::Write(at, _)
        | Step::WriteFails(at)
        | Step::Deliver(at, _)
        | Step::Obey(at)
        | Step::Lose(at, _)) = step
        else {
            return None;
        };
        // What comes from one end is received by the other.
        let acts = if matches!(step, Step::Deliver(..)) {
            1 - at
        } else {
            at
        };
        let mut ws = self.connection(world, acts);
        let peer_gone = world.ends[1 - at].gone;
        let end = &mut next.ends[at];
        match step {
            Step::Send(_) => {
                if next.left.messages[at] == 0 || ws.send(&vec![end.sent; next.left.len]).is_err() {
                    return None;
                }
                next.left.messages[at] -= 1;
                end.sent += 1;
            }
            Step::Close(_) => {
                if next.left.closes[at] == 0 || ws.close(None, "").is_err() {
                    return None;
                }
                next.left.closes[at] -= 1;
            }
            Step::Write(_, one) => {
                let len = ws.output().len();
                if len == 0 || end.gone || one && (len == 1 || next.left.cuts == 0) {
                    return None;
                }
                next.left.cuts -= u8::from(one);
                let n = if one { 1 } else { len };
                if !peer_gone && !end.ended {
                    end.pipe.extend_from_slice(&ws.output()[..n]);
                }
                ws.consume_output(n);
            }
            Step::WriteFails(_) => {
                if ws.output().is_empty() || end.gone || !peer_gone {
                    return None;
                }
                ws.write_lost();
            }
            Step::Deliver(_, one) => {
                let bytes = if end.pipe.is_empty() {
                    if !end.ended || end.heard || one || peer_gone {
                        return None;
                    }
                    end.heard = true;
                    if end.reset {
                        ws.transport_lost();
                    } else {
                        ws.receive_eof();
                    }
                    Vec::new()
                } else {
                    let len = end.pipe.len();
                    if one && (len == 1 || next.left.cuts == 0) {
                        return None;
                    }
                    next.left.cuts -= u8::from(one);
                    end.pipe.drain(..if one { 1 } else { len }).collect()
                };
                if !peer_gone {
                    self.receive(&mut ws, &mut next, acts, bytes);
                }
            }
            Step::Obey(_) => {
                if !ws.output().is_empty() || end.gone {
                    return None;
                }
                match ws.transport() {
                    Transport::Close => {
                        end.gone = true;
                        end.ended = true;
                        next.first_gone.get_or_insert(at);
                    }
                    Transport::ShutdownWrite if !end.ended => end.ended = true,
                    _ => return None,
                }
            }
            Step::Lose(_, kept) => {
                if next.left.losses == 0 || end.gone {
                    return None;
                }
                next.left.losses -= 1;
                next.lost = true;
                if !kept {
                    end.pipe.clear();
                }
                (end.reset, end.ended, end.gone) = (true, true, true);
                ws.transport_lost();
            }
            Step::Wait => {}
        }
        self.receive(&mut ws, &mut next, acts, Vec::new());
        next.ends[acts].state = ws.suspend(NOW).unwrap();
        Some(next)
    }

    /// The next deadline of either passes at both.
    fn wait(&self, mut next: World) -> Option<World> {
        if let Some(waits) = &mut next.left.waits {
            *waits = waits.checked_sub(1)?;
        }
        let mut both = [0, 1].map(|at| self.connection(&next, at));
        let waits =
            |(at, ws): (usize, &Connection)| ws.next_deadline().filter(|_| !next.ends[at].gone);
        let then = both.iter().enumerate().filter_map(waits).min()?.max(NOW);
        next.waited = true;
        for (at, ws) in both.iter_mut().enumerate() {
            ws.advance_time(then);
            self.receive(ws, &mut next, at, Vec::new());
        }
        for (at, ws) in both.into_iter().enumerate() {
            next.ends[at].state = ws.suspend(then).unwrap();
        }
        Some(next)
    }

    /// Takes what comes out, and judges it.
    fn receive(&self, ws: &mut Connection, next: &mut World, at: usize, mut bytes: Vec<u8>) {
        let mut input = &mut bytes[..];
        while let Some(event) = ws.receive(&mut input) {
            let end = &mut next.ends[at];
            assert!(end.report.is_none(), "{event:?} after Closed");
            match event {
                Event::Request(_) => ws.accept(Accept::new()).unwrap(),
                Event::Message(message) => {
                    let expected = vec![end.got; next.left.len];
                    assert_eq!(message.as_bytes(), expected, "not what was sent next");
                    end.got += 1;
                }
                Event::Closed(report) => end.report = Some(Told::of(&report)),
                _ => {}
            }
        }
        assert!(input.is_empty());
        assert!(next.ends[at].got <= next.ends[1 - at].sent);
        let held = ws.memory_held() as u64;
        assert!(held <= CEILING, "{held} bytes are held");
        let reported = next.ends[at].report.is_some();
        assert!(!reported || ws.state() == State::Closed);
    }

    /// What holds where nothing more can happen.
    fn judge_end(world: &World) {
        let [client, server] = &world.ends;
        let (Some(own), Some(peers)) = (&client.report, &server.report) else {
            panic!("{world:?} ends without a report");
        };
        assert!(
            client.gone && server.gone,
            "{world:?} ends with a transport"
        );
        for (own, peers, got, sent) in [
            (own, peers, client.got, server.sent),
            (peers, own, server.got, client.sent),
        ] {
            assert!(!own.clean || own.sent.is_some() && own.received.is_some());
            if own.received.is_some() {
                assert_eq!(own.received, peers.sent, "another Close frame");
                assert_eq!(got, sent, "a message before the Close frame is missing");
            }
        }
        let failed = own.failed.is_some() || peers.failed.is_some();
        if !world.lost && !failed {
            assert_eq!(own.clean, peers.clean, "{world:?}");
            if own.clean {
                assert_eq!(own.code, peers.code);
                // A client waits for the server until the close timeout.
                let first = world.first_gone.map(role);
                let served = first == Some(Role::Server) || world.waited;
                assert!(served, "the client closed TCP first: {world:?}");
            }
        }
    }

    /// The number of this state, and whether it is new.
    fn number(&mut self, world: &World, from: u32, step: Option<Step>) -> (u32, bool) {
        let hash = |salt: u64| {
            let mut hasher = DefaultHasher::new();
            salt.hash(&mut hasher);
            world.hash(&mut hasher);
            u128::from(hasher.finish())
        };
        let new = self.seen.len() as u32;
        let number = *self.seen.entry(hash(1) << 64 | hash(2)).or_insert(new);
        if number == new {
            self.from.push((from, step));
            self.quiet.push(!world.lost && !world.waited);
        }
        (number, number == new)
    }

    /// The steps to this state.
    fn way(&self, mut number: u32) -> Vec<Step> {
        let mut way = Vec::new();
        while let (from, Some(step)) = self.from[number as usize] {
            way.push(step);
            number = from;
        }
        way.reverse();
        way
    }

    fn run(&mut self, left: Allowed) {
        let first = self.begin(left);
        self.number(&first, 0, None);
        let mut waiting = vec![(0, first)];
        while let Some((number, world)) = waiting.pop() {
            let mut any = false;
            for step in STEPS {
                let after = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                    self.after(&world, step)
                }));
                let Ok(after) = after else {
                    panic!("after {:?}, then {step:?}", self.way(number));
                };
                let Some(next) = after else { continue };
                any = true;
                let (to, new) = self.number(&next, number, Some(step));
                self.edges.push((number, to));
                if new {
                    waiting.push((to, next));
                }
            }
            if !any {
                let judged = std::panic::catch_unwind(|| Self::judge_end(&world));
                assert!(judged.is_ok(), "after {:?}", self.way(number));
                self.ends.push(number);
            }
        }
        self.judge_all();
    }

    /// From each state an end can be reached, and from a quiet one without waiting for a deadline.
    fn judge_all(&mut self) {
        self.edges.sort_unstable_by_key(|&(_, to)| to);
        let quiet_ends = self.ends.iter().copied();
        let quiet_ends = quiet_ends.filter(|&end| self.quiet[end as usize]);
        let quietly = self.leading_to(quiet_ends.collect());
        let anyhow = self.leading_to(self.ends.clone());
        for number in 0..self.from.len() {
            let leads = if self.quiet[number] {
                &quietly
            } else {
                &anyhow
            };
            if !leads[number] {
                panic!("no end is reached after {:?}", self.way(number as u32));
            }
        }
        println!(
            "{} states, {} steps, {} ends",
            self.from.len(),
            self.edges.len(),
            self.ends.len()
        );
    }

    /// From which states one of these can be reached.
    fn leading_to(&self, mut waiting: Vec<u32>) -> Vec<bool> {
        let mut leads = vec![false; self.from.len()];
        while let Some(number) = waiting.pop() {
            if std::mem::replace(&mut leads[number as usize], true) {
                continue;
            }
            let first = self.edges.partition_point(|&(_, to)| to < number);
            let to_here = self.edges[first..]
                .iter()
                .take_while(|(_, to)| *to == number);
            waiting.extend(to_here.map(|&(from, _)| from));
        }
        leads
    }
}

const fn role(at: usize) -> Role {
    if at == CLIENT {
        Role::Client
    } else {
        Role::Server
    }
}

const STEPS: [Step; 21] = [
    Step::Send(0),
    Step::Send(1),
    Step::Close(0),
    Step::Close(1),
    Step::Write(0, false),
    Step::Write(1, false),
    Step::Write(0, true),
    Step::Write(1, true),
    Step::WriteFails(0),
    Step::WriteFails(1),
    Step::Deliver(0, false),
    Step::Deliver(1, false),
    Step::Deliver(0, true),
    Step::Deliver(1, true),
    Step::Obey(0),
    Step::Obey(1),
    Step::Lose(0, true),
    Step::Lose(0, false),
    Step::Lose(1, true),
    Step::Lose(1, false),
    Step::Wait,
];

const CLOSING: Allowed = Allowed {
    opening: false,
    messages: [0, 0],
    len: 1,
    closes: [1, 1],
    cuts: 0,
    losses: 0,
    keepalive: false,
    waits: None,
};

/// Searches the first, or with `SEARCH=whole` the second, which is more.
fn search(sample: Allowed, whole: Allowed) {
    let all = std::env::var("SEARCH").is_ok_and(|much| much == "whole");
    let left = if all { whole } else { sample };
    Search::new(left.keepalive).run(left);
}

#[test]
fn from_the_opening_handshake() {
    let sample = Allowed {
        opening: true,
        closes: [1, 0],
        ..CLOSING
    };
    let whole = Allowed {
        closes: [1, 1],
        messages: [1, 1],
        losses: 1,
        ..sample
    };
    search(sample, whole);
}

#[test]
fn closing_handshakes_that_cross() {
    let whole = Allowed {
        opening: true,
        cuts: 2,
        ..CLOSING
    };
    search(CLOSING, whole);
}

#[test]
fn messages_both_ways() {
    let sample = Allowed {
        messages: [1, 1],
        closes: [0, 1],
        ..CLOSING
    };
    let whole = Allowed {
        opening: true,
        messages: [2, 2],
        closes: [1, 1],
        ..sample
    };
    search(sample, whole);
}

#[test]
fn a_transport_that_cuts() {
    let sample = Allowed {
        messages: [1, 0],
        closes: [0, 1],
        cuts: 1,
        ..CLOSING
    };
    let whole = Allowed {
        messages: [2, 1],
        cuts: 3,
        ..CLOSING
    };
    search(sample, whole);
}

/// Three messages of which one fits.
#[test]
fn the_ceiling_on_memory() {
    let sample = Allowed {
        messages: [0, 3],
        len: 6000,
        closes: [0, 1],
        ..CLOSING
    };
    let whole = Allowed {
        messages: [3, 1],
        closes: [1, 1],
        ..sample
    };
    search(sample, whole);
}

#[test]
fn a_transport_that_is_lost() {
    let sample = Allowed {
        messages: [1, 0],
        closes: [1, 0],
        losses: 1,
        ..CLOSING
    };
    let whole = Allowed {
        messages: [2, 1],
        closes: [1, 1],
        cuts: 1,
        ..sample
    };
    search(sample, whole);
}

#[test]
fn keepalive() {
    let sample = Allowed {
        closes: [1, 0],
        keepalive: true,
        waits: Some(2),
        ..CLOSING
    };
    let whole = Allowed {
        messages: [1, 0],
        closes: [1, 1],
        waits: Some(4),
        ..sample
    };
    search(sample, whole);
}
