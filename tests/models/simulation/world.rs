//! Two ends, what lies between them, and the time.

use std::collections::VecDeque;
use std::time::Duration;

use sansocket::ClientConfig;
use sansocket::config::{Delivery, Limits, Timeouts};
use sansocket::error::Failure;
use sansocket::error::ProtocolError;
use sansocket::{
    ClientRequest, CloseCode, Connection, OriginPolicy, ServerConfig, State, Transport, Uri,
};

use crate::end::{Bound, CLOSE, Driven, End};
use crate::random::Random;

/// One direction of the transport.
#[derive(Default)]
struct Pipe {
    bytes: VecDeque<u8>,
    /// Nothing more goes in: the sender has shut down or closed.
    ended: bool,
    /// The receiver has heard of it.
    heard: bool,
    /// Takes and gives nothing until then: a stall, a delay, a reader that is busy.
    stalled: Duration,
    /// What goes in is thrown away: a network that is gone and says nothing.
    drops: bool,
}

struct World {
    random: Random,
    ends: [End; 2],
    /// `pipes[i]` leads away from `ends[i]`.
    pipes: [Pipe; 2],
    /// The transport is closed at this end.
    gone: [bool; 2],
    /// The process of this end does nothing until then, and its clock jumps when it goes on.
    stopped: [Duration; 2],
    now: Duration,
    /// Bytes were lost on the way.
    lossy: bool,
    #[cfg(feature = "handover")]
    handing: Option<crate::handed_over::Handing>,
}

/// One pair of connections, from birth to the end. With `steps` only so many random ones.
/// How many messages arrived.
pub(crate) fn simulate(seed: u64, steps: usize) -> u64 {
    World::new(seed, false).run(steps, |_| ())
}

/// The recordings of both ends of one that fails, the server's first; `also` may make it fail after any step.
#[cfg(feature = "replay")]
pub(crate) fn record(seed: u64, steps: usize, also: impl Fn(&[End; 2])) -> Option<[Vec<u8>; 2]> {
    let mut world = World::new(seed, true);
    let run = std::panic::AssertUnwindSafe(|| world.run(steps, also));
    // One that moves is not recorded, and may fail only then.
    std::panic::catch_unwind(run).err()?;
    Some(world.ends.map(|mut end| end.ws.take_recording().unwrap()))
}

/// Without the feature nothing is recorded.
#[cfg(not(feature = "replay"))]
fn driven(ws: Connection, recorded: bool) -> Driven {
    assert!(!recorded);
    ws
}

#[cfg(feature = "replay")]
fn driven(ws: Connection, recorded: bool) -> Driven {
    assert!(!recorded);
    Driven::from(ws)
}

/// A simulation is short.
#[cfg(feature = "replay")]
const RECORDER: sansocket::replay::Recorder = sansocket::replay::Recorder::new(64 << 20);

impl World {
    fn run(&mut self, steps: usize, also: impl Fn(&[End; 2])) -> u64 {
        let planned = 20 + self.random.below(100);
        for _ in 0..planned.min(steps) {
            #[cfg(feature = "handover")]
            self.hand_over();
            self.step();
            also(&self.ends);
        }
        self.finish();
        self.judge();
        self.ends.iter().map(|end| end.delivered).sum()
    }

    fn new(seed: u64, recorded: bool) -> Self {
        let mut random = Random(seed.wrapping_mul(0x2545_f491_4f6c_dd1d));
        let mut timeouts = Timeouts::default();
        timeouts.close = CLOSE;
        let pings = random.once_in(3);
        if pings {
            timeouts.ping = Some(Duration::from_millis(400));
            timeouts.pong = Some(Duration::from_secs(2));
        }
        if random.once_in(4) {
            timeouts.idle = Some(Duration::from_secs(4));
        }
        if random.once_in(6) {
            timeouts.message = Some(Duration::from_secs(3));
        }
        // What the one sends may be too much for the other.
        let output = random.pick(&[300, 100_000, 1 << 20]);
        let limits = [(); 2].map(|()| {
            let mut limits = Limits::server();
            limits.output = output;
            limits.message = random.pick(&[1 << 20, 1 << 20, 1 << 20, 3000]);
            limits.frame = random.pick(&[1 << 20, 1 << 20, 1 << 20, 1000]);
            limits.fragments = random.pick(&[4096, 4096, 4096, 5]);
            let memory = [Limits::UNBOUNDED; 3].into_iter();
            let ceilings: Vec<u64> = memory.chain([16 << 10, 40_000, 1 << 20]).collect();
            limits.memory = random.pick(&ceilings);
            limits.budgets = random.pick(&[Limits::server().budgets, Limits::strict().budgets]);
            limits
        });
        // Small ones would be too many for the usual limit on their number.
        let fragment = random.pick(&[0, 0, 0, 100, 5000]);
        let all = [Delivery::Whole, Delivery::Chunks, Delivery::Ask];
        let deliveries = [(); 2].map(|()| random.pick(&all));
        let answers_pings = [(); 2].map(|()| !random.once_in(10));
        let answers_close = [(); 2].map(|()| random.once_in(10));
        let mut server = ServerConfig::new(OriginPolicy::SameHost)
            .timeouts(timeouts)
            .limits(limits[0])
            .fragment(fragment)
            .delivery(deliveries[0]);
        let mut client = ClientConfig::new()
            .timeouts(timeouts)
            .limits(limits[1])
            .fragment(fragment)
            .delivery(deliveries[1]);
        if !answers_pings[0] {
            server = server.manual_pong();
        }
        if !answers_pings[1] {
            client = client.manual_pong();
        }
        if answers_close[0] {
            server = server.manual_close();
        }
        if answers_close[1] {
            client = client.manual_close();
        }
        let compresses = random.once_in(3) && cfg!(feature = "deflate");
        #[cfg(feature = "deflate")]
        let (server, client) = if compresses {
            use sansocket::extension::PermessageDeflate;
            let bits = random.pick(&[9, 11, 15]);
            let wanted = PermessageDeflate::client()
                .threshold(10)
                .server_max_window_bits(bits)
                .client_max_window_bits(bits);
            (
                server.deflate(PermessageDeflate::server()),
                client.deflate(wanted),
            )
        } else {
            (server, client)
        };
        // A wait for a pong depends on the reads, so that a twin may give up at another time.
        // So does what a buffer grows to, below a ceiling.
        let bounded = limits
            .iter()
            .any(|limits| limits.memory != Limits::UNBOUNDED);
        let twins = !pings && !bounded && random.once_in(4);
        let key = random.next();
        let new_client = |recorded: bool| {
            let request = ClientRequest::new(Uri::parse("ws://example.com/").expect("a URI"));
            let entropy = Box::new(Random(key));
            #[cfg(feature = "replay")]
            if recorded {
                let recorded = RECORDER.client_with_entropy(&client, request, entropy);
                return recorded.unwrap();
            }
            driven(
                Connection::client_with_entropy(&client, request, entropy).unwrap(),
                recorded,
            )
        };
        let new_server = |recorded: bool| {
            #[cfg(feature = "replay")]
            if recorded {
                return RECORDER.server(&server);
            }
            driven(Connection::server(&server), recorded)
        };
        let extra = if compresses { 600 << 10 } else { 0 };
        let held = if fragment > 0 { 8 } else { 4 };
        let end = |at: usize, new: &dyn Fn(bool) -> Driven| {
            let limits: Limits = limits[at];
            let usual =
                2 * limits.message as usize + held * limits.output as usize + extra + (400 << 10);
            let bound = match limits.memory {
                Limits::UNBOUNDED => Bound::Proportion(usual),
                ceiling => Bound::Ceiling(ceiling as usize),
            };
            let twin = twins.then(|| new(false));
            End::new(
                new(recorded),
                twin,
                compresses,
                answers_pings[at],
                answers_close[at],
                limits.message,
                bound,
            )
        };
        let ends = [end(0, &new_server), end(1, &new_client)];
        let mut world = Self {
            random,
            ends,
            pipes: <[Pipe; 2]>::default(),
            gone: [false; 2],
            stopped: [Duration::ZERO; 2],
            now: Duration::from_secs(1),
            lossy: false,
            #[cfg(feature = "handover")]
            handing: crate::handed_over::Handing::new(seed, &server, &client, compresses)
                .filter(|_| !recorded),
        };
        if !world.random.once_in(10) {
            world.tell_time();
        }
        // Mostly the opening handshake is not what it is about; otherwise it takes its time.
        if !world.random.once_in(4) {
            world.write(1, usize::MAX);
            world.deliver(1, usize::MAX);
            world.ends[0].decide(&mut world.random);
            world.write(0, usize::MAX);
            world.deliver(0, usize::MAX);
        }
        world
    }

    #[cfg(feature = "handover")]
    fn hand_over(&mut self) {
        if let Some(handing) = &mut self.handing
            && let Some(at) = handing.next()
        {
            self.ends[at].hand_over(handing);
        }
    }

    fn tell_time(&mut self) {
        for at in 0..2 {
            if self.stopped[at] > self.now {
                continue;
            }
            let awake = std::mem::take(&mut self.stopped[at]) == Duration::ZERO;
            let in_time = self.ends[at].late == 0;
            self.ends[at].tell(self.now, &mut self.random);
            if !awake && in_time {
                self.wake(at);
            }
        }
    }

    /// What arrived while the process stood still is read, and counts.
    fn wake(&mut self, at: usize) {
        let from = 1 - at;
        let alive = self.ends[at].failed.is_none();
        let arrived = !self.pipes[from].bytes.is_empty() && self.pipes[from].stalled <= self.now;
        self.deliver(from, usize::MAX);
        if let Some(Failure::Timeout(timeout)) = self.ends[at].failed
            && alive
            && arrived
        {
            panic!("{timeout:?}, though something had arrived");
        }
    }

    fn step(&mut self) {
        let at = self.random.below(2);
        if self.stopped[at] > self.now {
            if self.random.once_in(2) {
                self.now = self.stopped[at];
                self.tell_time();
            }
            return;
        }
        match self.random.below(20) {
            0..6 => self.ends[at].act(&mut self.random),
            6..10 => {
                let n = self.random.pick(&[1, 2, 10, 100, 5000, usize::MAX]);
                self.write(at, n);
            }
            10..15 => {
                let n = self.random.pick(&[1, 2, 10, 100, 5000, usize::MAX]);
                self.deliver(at, n);
            }
            15 => {
                let millis = self.random.pick(&[1, 50, 500, 500, 3000, 60_000]);
                self.now += Duration::from_millis(millis);
                self.tell_time();
            }
            16 => {
                if self.random.once_in(2) {
                    self.ends[at].decide(&mut self.random);
                } else {
                    self.obey(at);
                }
            }
            17 => {
                let millis = self.random.pick(&[10, 400, 2500]);
                self.pipes[at].stalled = self.now + Duration::from_millis(millis);
            }
            18 if self.random.once_in(3) => {
                let millis = self.random.pick(&[100, 5000, 3_600_000]);
                self.stopped[at] = self.now + Duration::from_millis(millis);
            }
            18 => self.write(at, usize::MAX),
            _ => {
                if self.random.once_in(12) {
                    self.fault(at);
                }
            }
        }
        let [server, client] = &mut self.ends;
        server.compare(client);
        client.compare(server);
    }

    /// The network fails in one of its ways.
    fn fault(&mut self, at: usize) {
        self.lossy = true;
        match self.random.below(5) {
            // The peer has closed its reading half: nothing can be written here, and its last words come.
            4 => {
                self.pipes[at].bytes.clear();
                self.pipes[at].ended = true;
                self.ends[at].write_lost(&mut self.random);
            }
            // A reset here; the other end hears of the end after a part of what was on its way.
            0 => {
                let kept = self.random.below(self.pipes[at].bytes.len() + 1);
                self.pipes[at].bytes.truncate(kept);
                self.pipes[at].ended = true;
                self.gone[at] = true;
                self.ends[at].lost(&mut self.random);
            }
            // A half is closed by something in between.
            1 => self.pipes[at].ended = true,
            // Both ends see a reset.
            2 => {
                for at in 0..2 {
                    self.pipes[at].bytes.clear();
                    self.pipes[at].ended = true;
                    self.gone[at] = true;
                    self.ends[at].lost(&mut self.random);
                }
            }
            // The tail is dropped, and all that follows, and nobody hears of it.
            _ => {
                let kept = self.random.below(self.pipes[at].bytes.len() + 1);
                self.pipes[at].bytes.truncate(kept);
                self.pipes[at].drops = true;
            }
        }
    }

    /// The driver of this end writes what it can.
    fn write(&mut self, at: usize, n: usize) {
        let pipe = &mut self.pipes[at];
        if self.gone[at] || pipe.stalled > self.now || self.ends[at].ws.output().is_empty() {
            return;
        }
        let bytes = self.ends[at].write(n, &mut self.random);
        if !pipe.ended && !pipe.drops {
            pipe.bytes.extend(bytes);
        }
    }

    /// Up to `n` bytes from this end arrive at the other one, or the end of the stream does.
    fn deliver(&mut self, from: usize, n: usize) {
        let pipe = &mut self.pipes[from];
        let to = 1 - from;
        if pipe.stalled > self.now || self.stopped[to] > self.now {
            return;
        }
        let bytes: Vec<u8> = pipe.bytes.drain(..n.min(pipe.bytes.len())).collect();
        if self.gone[to] {
            return;
        }
        if !bytes.is_empty() {
            self.ends[to].receive(&bytes, &mut self.random);
        }
        if pipe.bytes.is_empty() && pipe.ended && !std::mem::replace(&mut pipe.heard, true) {
            self.ends[to].eof(&mut self.random);
        }
    }

    /// The driver does what it is told once nothing is left to write.
    fn obey(&mut self, at: usize) {
        let end = &mut self.ends[at];
        if !end.ws.output().is_empty() || self.gone[at] {
            return;
        }
        match end.ws.transport() {
            Transport::Close => {
                self.gone[at] = true;
                self.pipes[at].ended = true;
            }
            Transport::ShutdownWrite => self.pipes[at].ended = true,
            _ => {}
        }
    }

    /// Nothing fails any more; whoever is open closes; whoever waits is told the time.
    fn finish(&mut self) {
        if self.stopped != [Duration::ZERO; 2] {
            self.now = self.now.max(self.stopped[0]).max(self.stopped[1]);
            self.tell_time();
        }
        for round in 0..200 {
            for at in 0..2 {
                self.ends[at].decide(&mut self.random);
                self.pipes[at].stalled = Duration::ZERO;
                while !self.ends[at].ws.output().is_empty() && !self.gone[at] {
                    self.write(at, usize::MAX);
                }
                self.deliver(at, usize::MAX);
                self.obey(at);
                self.ends[at].write_piece(u64::MAX);
                let [server, client] = &mut self.ends;
                server.compare(client);
                client.compare(server);
            }
            if self.ends.iter().all(|end| end.report.is_some()) && self.gone == [true; 2] {
                return;
            }
            if round > 20 {
                let end = &mut self.ends[round % 2];
                if end.ws.state() <= State::Open {
                    end.close(Some(CloseCode::NORMAL_CLOSURE), "done", &mut self.random);
                }
            }
            if round > 30 {
                self.now += Duration::from_millis(700);
                self.tell_time();
            }
        }
        let [server, client] = &self.ends;
        panic!("they do not end: {:?} {:?}", server.ws, client.ws);
    }

    /// `Event::Closed` comes once, last.
    fn judge(&self) {
        for at in 0..2 {
            let (own, peer) = (&self.ends[at], &self.ends[1 - at]);
            // No rule is broken; what is too much is told so.
            if let Some(Failure::Protocol(error)) = own.failed {
                let limit = matches!(error, ProtocolError::Limit { .. });
                assert!(limit, "{error:?}");
            }
            let (Some(report), Some(peers)) = (&own.report, &peer.report) else {
                panic!("no report");
            };
            if report.received.is_some() {
                assert_eq!(report.received, peers.sent, "the Close frame is another");
                // Before the Close frame came all that the peer had sent.
                assert!(
                    peer.sent.is_empty(),
                    "{} messages are missing",
                    peer.sent.len()
                );
            }
            assert!(!report.clean || report.received.is_some() && report.sent.is_some());
            if !self.lossy && report.failure.is_none() && peers.failure.is_none() {
                assert_eq!(report.clean, peers.clean, "{report} against {peers}");
            }
        }
    }
}
