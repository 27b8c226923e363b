//! Any cut of the input gives the same events and, drained at the same points of the stream, the
//! same output.

use super::judge::Judge;
use super::model::{Seen, expected, streams};
use super::opening::{self, Leads};
use super::{Scripted, Taker, heads, wire};
use sansocket::Side;
use sansocket::config::{Delivery, Limits, Rate, Timeouts};
use sansocket::error::Failure;
use sansocket::event::CloseReport;
#[cfg(feature = "deflate")]
use sansocket::extension::PermessageDeflate;
use sansocket::{
    Accept, ClientConfig, ClientRequest, CloseCode, Connection, Event, Negotiated, OriginPolicy,
    Response, Role, ServerConfig, State, Transport, Uri,
};

/// A way to hand bytes to a connection.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Way {
    Receive,
    /// `find_event`, then `receive`.
    Prepare,
    /// One event, then the rest of the read is held.
    Hold,
    /// Payload straight into the message, where it is asked for.
    Target,
    /// Input that may not be written to.
    Copied,
    /// A growing buffer.
    #[cfg(feature = "bytes")]
    Bytes,
}

pub const WAYS: &[Way] = &[
    Way::Receive,
    Way::Prepare,
    Way::Hold,
    Way::Target,
    Way::Copied,
    #[cfg(feature = "bytes")]
    Way::Bytes,
];

/// How a connection is made and what its application does.
#[derive(Clone, Debug)]
pub struct Setup {
    pub role: Role,
    /// It begins with the opening handshake.
    pub handshake: bool,
    pub delivery: Delivery,
    pub limits: Limits,
    pub timeouts: Timeouts,
    pub manual_pong: bool,
    pub manual_close: bool,
    pub echo_close_reason: bool,
    /// A server takes frames that are not masked.
    pub unmasked: bool,
    pub keep_response: bool,
    pub serve_http: bool,
    /// permessage-deflate as it was agreed on, where the feature is on.
    pub deflate: Option<&'static str>,
    /// The most that a compressed message may become for each byte of it; 0 is no such limit.
    pub ratio: u32,
    /// Reserved bits that an extension of the application's uses.
    pub reserved: u8,
    /// Messages are sent back.
    pub echo: bool,
    /// Longer messages are sent in frames of this size.
    pub fragment: u32,
}

/// Why the application closes, where the answer to a Close frame is its own.
const OWN_REASON: &str = "as we like";

/// What may be agreed on of permessage-deflate.
const AGREED: [&str; 3] = [
    "permessage-deflate",
    "permessage-deflate; server_no_context_takeover; client_no_context_takeover",
    "permessage-deflate; server_max_window_bits=10; client_max_window_bits=9",
];

/// The settings that both roles have: the setup, the configuration and the role's compression.
macro_rules! for_both {
    ($setup:ident, $config:ident, $deflate:expr) => {{
        $config = $config
            .timeouts($setup.timeouts)
            .limits($setup.limits)
            .delivery($setup.delivery)
            .fragment($setup.fragment);
        if $setup.manual_pong {
            $config = $config.manual_pong();
        }
        if $setup.manual_close {
            $config = $config.manual_close();
        }
        if $setup.echo_close_reason {
            $config = $config.echo_close_reason();
        }
        #[cfg(feature = "deflate")]
        if $setup.deflate.is_some() {
            $config = $config.deflate($deflate.threshold(4).ratio($setup.ratio));
        }
        $config
    }};
}

impl Setup {
    pub fn draw(t: &mut Taker<'_>, handshake: bool) -> Self {
        let role = t.role();
        let mut limits = if role == Role::Server {
            Limits::server()
        } else {
            Limits::client()
        };
        if t.once_in(2) {
            limits.message = t.pick(&[0, 1, 125, 126, 200, 300, 70_000]);
            limits.frame = t.pick(&[125, 200, 300, 70_000]);
            limits.fragments = t.pick(&[1, 2, 4, 30]);
            limits.output = t.pick(&[1, 200, 1000]);
        }
        if handshake && t.once_in(2) {
            limits.head = t.pick(&[100, 200, 300, 1000]);
            limits.fields = t.pick(&[3, 6, 10]);
            limits.held = t.pick(&[0, 3, 20, 1000]);
            limits.body = t.pick(&[0, 3, 20, 1000]);
        }
        let delivery = t.u8();
        let deflate = [
            None,
            None,
            None,
            None,
            None,
            None,
            Some(0),
            Some(1),
            Some(2),
        ];
        let deflate = deflate[usize::from(delivery) / 3 % 9].filter(|_| cfg!(feature = "deflate"));
        if let budget @ 1.. = u32::from(delivery).saturating_sub(224) {
            // In turn: none, one, or few at once.
            let budget =
                |i: u32| (budget >> i & 1 == 0).then(|| Rate::per_second(1).at_once(budget % 5));
            limits.budgets.pings = budget(0);
            limits.budgets.empty_frames = budget(1);
            limits.budgets.tiny_fragments = budget(2);
            limits.budgets.messages = budget(3);
        }
        let manual = t.u8();
        // Most have what is usual, as those had that were drawn before there was a choice.
        let unusual = |least: u8, bit: u8| manual >= least && (manual / 4) & bit != 0;
        let serve_http = t.u8();
        // Compression has RSV1.
        let reserved = match (handshake, deflate, serve_http) {
            (false, None, 240..) => serve_http & 7,
            (false, Some(_), 240..) => serve_http & 3,
            _ => 0,
        };
        Self {
            role,
            handshake,
            delivery: [Delivery::Whole, Delivery::Chunks, Delivery::Ask][usize::from(delivery) % 3],
            limits,
            timeouts: Timeouts::default(),
            manual_pong: manual % 4 == 3,
            manual_close: unusual(160, 1),
            echo_close_reason: unusual(128, 2) && !unusual(160, 1),
            unmasked: unusual(128, 4),
            keep_response: unusual(128, 8),
            serve_http: serve_http % 3 == 2,
            deflate: deflate.map(|at| AGREED[at]),
            ratio: 0,
            reserved,
            echo: t.once_in(3),
            fragment: if t.once_in(4) {
                20 + t.below(200) as u32
            } else {
                0
            },
        }
    }

    fn negotiated(&self) -> Negotiated {
        Negotiated::new()
            .extensions(self.deflate.unwrap_or_default())
            .reserved_bits(self.reserved)
    }

    pub fn connection(&self) -> Connection {
        match (self.role, self.handshake) {
            (Role::Server, true) => Connection::server(&self.server_config()),
            (Role::Server, false) => {
                Connection::upgraded_server(&self.server_config(), self.negotiated())
            }
            (Role::Client, true) => {
                let (config, request) = (self.client_config(), Self::request());
                Connection::client_with_entropy(&config, request, Scripted::boxed())
                    .expect("entropy")
            }
            (Role::Client, false) => Connection::upgraded_client_with_entropy(
                &self.client_config(),
                self.negotiated(),
                Scripted::boxed(),
            ),
        }
    }

    /// The same, recorded.
    #[cfg(feature = "replay")]
    pub fn recorded(&self, recorder: sansocket::replay::Recorder) -> sansocket::replay::Recorded {
        match (self.role, self.handshake) {
            (Role::Server, true) => recorder.server(&self.server_config()),
            (Role::Server, false) => {
                recorder.upgraded_server(&self.server_config(), self.negotiated())
            }
            (Role::Client, true) => {
                let (config, request) = (self.client_config(), Self::request());
                recorder
                    .client_with_entropy(&config, request, Scripted::boxed())
                    .expect("entropy")
            }
            (Role::Client, false) => recorder.upgraded_client_with_entropy(
                &self.client_config(),
                self.negotiated(),
                Scripted::boxed(),
            ),
        }
    }

    pub fn server_config(&self) -> ServerConfig {
        let mut config = ServerConfig::new(OriginPolicy::SameHost);
        if self.serve_http {
            config = config.serve_http();
        }
        if self.unmasked {
            config = config.accept_unmasked();
        }
        for_both!(self, config, PermessageDeflate::server())
    }

    pub fn client_config(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        if self.keep_response {
            config = config.keep_response();
        }
        for_both!(self, config, PermessageDeflate::client())
    }

    fn request() -> ClientRequest {
        let uri = Uri::parse("ws://example.com/chat").expect("a URI");
        ClientRequest::new(uri)
            .subprotocol("chat")
            .and_then(|request| request.extension("x-test; a; b=2", 0))
            .expect("a request")
    }

    /// Whether this role's messages may refer to those before them (RFC 7692 §7.1.1).
    pub fn takes_over(&self, role: Role) -> bool {
        let agreed = self.deflate.unwrap_or_default();
        !agreed.contains(match role {
            Role::Server => "server_no_context_takeover",
            Role::Client => "client_no_context_takeover",
        })
    }

    /// How much of what was sent before `role` may refer to (RFC 7692 §7.1.2): the engine has no window
    /// smaller than 2^9.
    pub fn window(&self, role: Role) -> usize {
        let agreed = self.deflate.unwrap_or_default();
        let name = match role {
            Role::Server => "server_max_window_bits=",
            Role::Client => "client_max_window_bits=",
        };
        let bits = agreed.split(name).nth(1).map_or(15, |rest| {
            let digits = rest.split(';').next().unwrap_or_default();
            digits.parse().expect("a number of bits")
        });
        1 << u32::max(bits, 9)
    }

    pub fn judge(&self) -> Judge {
        let judge = if self.handshake {
            Judge::new(self.role)
        } else {
            Judge::upgraded(self.role)
        };
        judge.with_extensions(self.deflate.is_some(), self.reserved)
    }

    /// RFC 6455 §5.5.1: the answer to a Close frame has its code, and its reason where that is set; or it is the
    /// application's.
    fn check_answer(&self, report: &CloseReport) {
        let (Some(received), Some(Side::Peer)) = (&report.received, report.began) else {
            return;
        };
        let expected = if self.manual_close {
            (Some(CloseCode::GOING_AWAY), OWN_REASON)
        } else if self.echo_close_reason {
            (received.code, received.reason())
        } else {
            (received.code, "")
        };
        let sent = report.sent.as_ref().expect("it was answered");
        assert_eq!((sent.code, sent.reason()), expected);
    }

    /// What the connection may hold, a generous constant included: twice a message in the making,
    /// the queue up to its mark and one message after it (also a moving one), what is held, a head.
    pub fn memory_bound(&self) -> usize {
        let Limits {
            message,
            output,
            held,
            head,
            body,
            ..
        } = self.limits;
        let queue = u64::from(output).saturating_add(message);
        let fixed = 2 * (u64::from(held) + u64::from(head) + u64::from(body)) + (64 << 10);
        // A compressor and a decompressor.
        let codec = self.deflate.map_or(0, |_| 500 << 10);
        let bound = message.saturating_add(queue).saturating_mul(2);
        usize::try_from(bound.saturating_add(fixed + codec)).unwrap_or(usize::MAX)
    }
}

/// What a run showed.
#[derive(Debug, PartialEq)]
pub struct Run {
    pub seen: Vec<Seen>,
    /// What was drained at each point.
    pub outputs: Vec<Vec<u8>>,
    /// The head of an opening handshake that failed.
    pub failed_head: Option<Vec<u8>>,
}

/// Points of the stream.
fn points(t: &mut Taker<'_>, len: usize) -> Vec<usize> {
    let mut points: Vec<usize> = match t.below(6) {
        0 => Vec::new(),
        // Every byte, as far as that is cheap.
        1 => (0..len.min(400)).collect(),
        2 => {
            let step = 1 + t.below(50);
            (0..len).step_by(step).take(400).collect()
        }
        _ => (0..1 + t.below(12))
            .map(|_| usize::from(t.u16()) % (len + 1))
            .collect(),
    };
    points.push(len);
    points.sort_unstable();
    points.dedup();
    points
}

struct Bench<'s> {
    setup: &'s Setup,
    ws: Connection,
    judge: Judge,
    run: Run,
    /// What the caller has it hold: its own choice.
    own: usize,
    #[cfg(feature = "bytes")]
    buffer: bytes::BytesMut,
}

impl Bench<'_> {
    fn event(&mut self, event: Event<'_>) {
        let ws = &mut self.ws;
        match &event {
            Event::Request(request) => {
                let accept = match request.subprotocols().next() {
                    Some(name) => Accept::new().subprotocol(name),
                    None => Accept::new(),
                };
                ws.accept(accept).expect("it can be accepted");
            }
            Event::Http(_) => ws.respond(Response::new(404)).expect("it can be answered"),
            Event::Start(head) if streams(head.frame_len, head.fin) => ws.stream_message(),
            Event::Message(message) if self.setup.echo => {
                let _ = ws.send(message);
            }
            Event::Close(_) if self.setup.manual_close => ws
                .close(CloseCode::GOING_AWAY, OWN_REASON)
                .expect("it is ours to answer"),
            Event::Closed(report) => self.setup.check_answer(report),
            _ => {}
        }
        Seen::of(&event).push_to(&mut self.run.seen);
        let (held, bound) = (self.ws.memory_held(), self.setup.memory_bound());
        assert!(
            held <= bound.saturating_add(2 * self.own),
            "{held} bytes held, {bound} allowed"
        );
    }

    fn deliver(&mut self, bytes: &[u8], way: Way) {
        let mut bytes = bytes.to_vec();
        let mut input = &mut bytes[..];
        match way {
            Way::Receive => {
                while let Some(event) = self.ws.receive(&mut input) {
                    self.event(event);
                }
            }
            Way::Prepare => {
                while self.ws.find_event(&mut input) {
                    let event = self.ws.receive(&mut input).expect("find_event promised it");
                    self.event(event);
                }
            }
            Way::Hold => {
                self.own = input.len();
                while let Some(event) = self.ws.receive(&mut input) {
                    self.event(event);
                    self.ws.keep_input(&mut input);
                }
            }
            Way::Copied => {
                let mut lent = &*input;
                while let Some(event) = self.ws.receive_copy(&mut lent) {
                    self.event(event);
                }
                assert!(lent.is_empty());
                input = &mut [];
            }
            Way::Target => {
                // As much as a header, then the payload into its place.
                let mut step = 14;
                loop {
                    if let Some(target) = self.ws.receive_target() {
                        let n = target.len().min(input.len());
                        let (front, rest) = core::mem::take(&mut input).split_at_mut(n);
                        target[..n].copy_from_slice(front);
                        self.ws.receive_target_filled(n);
                        input = rest;
                    } else {
                        let n = step.min(input.len());
                        let (mut front, rest) = core::mem::take(&mut input).split_at_mut(n);
                        while let Some(event) = self.ws.receive(&mut front) {
                            self.event(event);
                        }
                        assert!(front.is_empty());
                        input = rest;
                        step = 6;
                    }
                    while let Some(event) = self.ws.receive(&mut &mut [][..]) {
                        self.event(event);
                    }
                    if input.is_empty() {
                        break;
                    }
                }
            }
            #[cfg(feature = "bytes")]
            Way::Bytes => {
                self.buffer.extend_from_slice(input);
                input = &mut [];
                let mut buffer = core::mem::take(&mut self.buffer);
                while let Some(event) = self.ws.receive_bytes(&mut buffer) {
                    self.event(event);
                }
                self.buffer = buffer;
            }
        }
        assert!(input.is_empty(), "{way:?} leaves input");
    }

    fn drain(&mut self, way: Way) {
        let mut drained = Vec::new();
        loop {
            let output = self.ws.output();
            if output.is_empty() {
                break;
            }
            drained.extend_from_slice(output);
            let n = output.len();
            self.judge.feed(&drained[drained.len() - n..]);
            self.ws.consume_output(n);
            self.deliver(&[], way);
        }
        self.run.outputs.push(drained);
    }
}

/// Hands `stream` over, cut and drained at these points.
pub fn run(setup: &Setup, stream: &[u8], drains: &[usize], cuts: &[usize], way: Way) -> Run {
    let mut bench = Bench {
        setup,
        ws: setup.connection(),
        judge: setup.judge(),
        run: Run {
            seen: Vec::new(),
            outputs: Vec::new(),
            failed_head: None,
        },
        own: 0,
        #[cfg(feature = "bytes")]
        buffer: bytes::BytesMut::new(),
    };
    // The time stands still: nothing that was spent comes back, and no deadline passes.
    bench.ws.advance_time(core::time::Duration::ZERO);
    let mut pieces: Vec<usize> = drains.iter().chain(cuts).copied().collect();
    pieces.sort_unstable();
    pieces.dedup();
    let mut at = 0;
    for end in pieces {
        bench.deliver(&stream[at..end], way);
        at = end;
        if drains.contains(&end) {
            bench.drain(way);
        }
    }
    bench.ws.receive_eof();
    bench.deliver(&[], way);
    bench.drain(way);
    assert_eq!(bench.ws.state(), State::Closed);
    assert_eq!(bench.ws.transport(), Transport::Close);
    let head = bench.ws.failed_head();
    assert!(head.is_none_or(|head| head.len() <= setup.limits.head as usize));
    bench.run.failed_head = head.map(<[u8]>::to_vec);
    assert!(
        matches!(bench.run.seen.last(), Some(Seen::Closed(_))),
        "Closed comes last"
    );
    bench.run
}

/// What is in front of the failure, the chunk that it cut, and the rest.
fn at_failure(seen: &[Seen]) -> (&[Seen], &[u8], &[Seen]) {
    let Some(failed) = seen.iter().position(|seen| matches!(seen, Seen::Failed(_))) else {
        return (seen, &[], &[]);
    };
    match seen[..failed].last() {
        Some(Seen::Chunk(_, bytes, _, false, false)) => {
            (&seen[..failed - 1], bytes, &seen[failed..])
        }
        _ => (&seen[..failed], &[], &seen[failed..]),
    }
}

/// The same events; before a failure the joined chunks may differ by what stood in the failing frame.
pub fn assert_same(one: &Run, other: &Run) {
    let (before, chunk, after) = at_failure(&one.seen);
    let (other_before, other_chunk, other_after) = at_failure(&other.seen);
    assert_eq!(before, other_before);
    assert_eq!(after, other_after);
    assert!(
        chunk.starts_with(other_chunk) || other_chunk.starts_with(chunk),
        "chunks before the failure are not the same bytes"
    );
    assert_eq!(one.outputs, other.outputs);
    // As far as it was read: the rest of a longer read is there too.
    match (&one.failed_head, &other.failed_head) {
        (None, None) => {}
        (Some(one), Some(other)) => assert!(one.starts_with(other) || other.starts_with(one)),
        heads => panic!("{heads:?}"),
    }
}

/// The events, without Closed, are those of the naive model.
fn assert_expected(seen: &[Seen], stream: &[u8], setup: &Setup) {
    let model = expected(stream, setup);
    let (before, chunk, after) = at_failure(&model.events);
    let (own_before, own_chunk, own_after) = at_failure(seen);
    assert_eq!(own_before, before);
    assert_eq!(own_after, after);
    assert!(chunk.starts_with(own_chunk));
    assert!(
        own_chunk.len() + model.slack >= chunk.len(),
        "less than before the failing frame"
    );
}

fn any_cut(t: &mut Taker<'_>, setup: &Setup, stream: &[u8]) -> Run {
    let drains = points(t, stream.len());
    let base = run(setup, stream, &drains, &[], Way::Receive);
    let cuts = points(t, stream.len());
    for &way in WAYS {
        assert_same(&base, &run(setup, stream, &drains, &cuts, way));
    }
    base
}

/// The same for any cut, and what the model expects.
pub fn any_cut_as_expected(t: &mut Taker<'_>, setup: &Setup, stream: &[u8]) {
    let run = any_cut(t, setup, stream);
    let [Seen::Open, seen @ .., Seen::Closed(_)] = &run.seen[..] else {
        panic!("{:?}", run.seen);
    };
    assert_expected(seen, stream, setup);
}

/// Frames to an established connection: legal ones, broken ones, or whatever.
pub fn connection_bytes(data: &[u8]) {
    let mut t = Taker::new(data);
    let setup = Setup::draw(&mut t, false);
    // The cuts come first, so that a fuzzer can change the stream after them byte by byte.
    let cuts = t.bytes(40);
    let stream = if t.once_in(4) {
        t.rest().to_vec()
    } else if setup.deflate.is_some() {
        compressed(&mut t, &setup)
    } else {
        wire::stream(&mut t, setup.role.peer(), 24)
    };
    any_cut_as_expected(&mut Taker::new(cuts), &setup, &stream);
}

/// What a peer with compression sends, and something else now and then.
fn compressed(t: &mut Taker<'_>, setup: &Setup) -> Vec<u8> {
    let mut out = Vec::new();
    #[cfg(feature = "deflate")]
    {
        use sansocket::extension::Compress;
        let peer = Setup {
            role: setup.role.peer(),
            limits: Limits::trusted(),
            ..setup.clone()
        };
        let mut peer = peer.connection();
        for _ in 0..12 {
            let compress = t.pick(&[
                Compress::Auto,
                Compress::Always,
                Compress::Alone,
                Compress::Never,
            ]);
            let _ = match t.below(5) {
                _ if t.is_empty() => break,
                0 => {
                    wire::item(t, setup.role.peer(), &mut out);
                    continue;
                }
                1 => peer.send_with(&wire::binary(t), compress),
                2 => peer.send_with(t.bytes(20), compress),
                _ => peer.send_with(&wire::text(t), compress),
            };
            while !peer.output().is_empty() {
                out.extend_from_slice(peer.output());
                peer.consume_output(peer.output().len());
            }
        }
        wire::mutate(t, &mut out);
    }
    let _ = (t, setup, &mut out);
    out
}

/// A request and what comes after it.
pub fn request_head(data: &[u8]) {
    head(data, Role::Server);
}

/// An answer and what comes after it.
pub fn response_head(data: &[u8]) {
    head(data, Role::Client);
}

fn head(data: &[u8], role: Role) {
    let mut t = Taker::new(data);
    let mut setup = Setup::draw(&mut t, true);
    if setup.role != role {
        setup.role = role;
        setup.limits.message = setup.limits.message.min(1 << 20);
    }
    let cuts = t.bytes(40);
    let stream = match t.below(4) {
        0 => t.rest().to_vec(),
        _ => {
            let mut stream = heads::head(&mut t, role.peer());
            stream.extend(wire::stream(&mut t, role.peer(), 4));
            stream
        }
    };
    let run = any_cut(&mut Taker::new(cuts), &setup, &stream);
    let (leads, rest) = opening::read(&stream, &setup);
    match (&leads, &run.seen[..]) {
        (Leads::Nowhere, [Seen::Closed(_)])
        | (Leads::ToFailure, [Seen::Failed(Failure::Handshake(_)), Seen::Closed(_)]) => {}
        (Leads::To(expected), [first, Seen::Closed(_)]) => assert_eq!(first, expected),
        (Leads::ToFrames(request), [seen @ .., Seen::Closed(_)]) => {
            let frames = match (request, seen) {
                (Some(expected), [first, Seen::Open, frames @ ..]) => {
                    assert_eq!(first, expected);
                    frames
                }
                (None, [Seen::Open, frames @ ..]) => frames,
                _ => panic!("{leads:?}, but {:?}", run.seen),
            };
            if setup.deflate.is_none() {
                assert_expected(frames, rest, &setup);
            }
        }
        _ => panic!("{leads:?}, but {:?}", run.seen),
    }
}
