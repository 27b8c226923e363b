//! An endpoint whose room is given once does what a `Connection` with the same limits does: it tells the same,
//! writes the same, and stands in the same state, whatever comes, however it is cut, and whatever is called.

use core::time::Duration;

use super::{ACCEPT, Scripted, Taker, heads, wire};
use sansocket::Side;
use sansocket::config::{Budgets, Limits, Timeouts};
use sansocket::error::{CloseError, Failure, SendError};
use sansocket::fixed::{Admitted, Ask, Endpoint, Incoming, Options, Room};
use sansocket::{
    Accept, ClientConfig, ClientRequest, CloseCode, Connection, Event, Message, OriginPolicy,
    Response, Role, ServerConfig, State, Transport, Uri,
};

/// What is told, in the words of both.
#[derive(Debug, PartialEq)]
enum Told {
    /// The target, and whether it was accepted, if it was to be.
    Request(String, Option<bool>),
    Accepted(Option<String>),
    Refused(u16),
    Text(String),
    Binary(Vec<u8>),
    Ping(Vec<u8>),
    Pong(Vec<u8>, Option<Duration>),
    Close(Option<u16>, String),
    Failed(Failure),
    Closed {
        clean: bool,
        code: u16,
        answered: Option<u16>,
        failure: Option<Failure>,
        began: Option<Side>,
    },
}

const REQUEST: &[u8] = b"GET /chat HTTP/1.1\r\nHost: example.com\r\nUpgrade: websocket\r\n\
    Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
    Sec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: chat\r\n\r\n";

const ANSWER: &str = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Protocol: chat\r\nSec-WebSocket-Accept: ";

/// So many pongs a connection queues.
const PINGS: usize = 16;

/// Bytes of the room for output: never full, as it is drained.
const OUTPUT: usize = 1 << 20;

struct Both<'b> {
    role: Role,
    ws: Connection,
    fixed: Endpoint<'b>,
    room: Room<'b>,
    now: Duration,
    /// Pings that have come since the output was drained.
    pings: usize,
    /// They do not say the same from now on: a client was refused, which a connection tells with the body, or
    /// there are more pings than a connection answers one by one.
    apart: bool,
}

/// What both ends are made with.
struct Setup {
    role: Role,
    /// Bytes of the room, and of that for output.
    room: usize,
    output: usize,
    timeouts: Timeouts,
    fragments: u32,
    require_subprotocol: bool,
}

pub fn fixed(data: &[u8]) {
    let t = &mut Taker::new(data);
    let mut setup = Setup {
        role: t.role(),
        room: t.pick(&[300, 400, 1000, 70_200]),
        output: OUTPUT,
        timeouts: Timeouts::default(),
        fragments: t.pick(&[1, 2, 5, 4096]),
        require_subprotocol: t.once_in(4),
    };
    if t.once_in(2) {
        let seconds = |n| (n > 0).then(|| Duration::from_secs(n));
        setup.timeouts.ping = seconds(t.below(9) as u64);
        setup.timeouts.pong = seconds(t.below(9) as u64);
        setup.timeouts.idle = seconds(t.below(30) as u64);
        setup.timeouts.message = seconds(t.below(9) as u64);
    }
    setup.run(|both| {
        if t.once_in(2) {
            both.tell_time(0);
        }
        both.open(t);
        while !t.is_empty() && !both.apart {
            both.step(t);
        }
    });
}

/// One input of a short conversation.
#[derive(Clone, Copy, Debug)]
pub enum Input {
    /// A head that opens the connection.
    Head,
    Text,
    /// A frame that is no message yet, and the header of the next one.
    Fragment,
    Ping,
    /// The answer to the keepalive ping, if one is queued.
    Pong,
    Close,
    /// A frame that breaks a rule.
    Wrong,
    /// Nothing, as when a driver has waited in vain.
    Nothing,
    Eof,
    WriteLost,
    Lost,
    /// All output leaves, or a byte of it.
    Drain,
    Byte,
    /// The application sends, and closes.
    Send,
    Shut,
    /// So many seconds.
    Pass(u64),
}

/// The same after each input, with deadlines for pings, their answers and messages, and for silence alone.
pub fn script(role: Role, inputs: &[Input]) {
    let seconds = |seconds| Some(Duration::from_secs(seconds));
    let mut lively = Timeouts::default();
    (lively.ping, lively.pong, lively.message) = (seconds(4), seconds(5), seconds(8));
    let mut idle = Timeouts::default();
    idle.idle = seconds(9);
    for timeouts in [lively, idle] {
        let setup = Setup {
            role,
            room: 300,
            output: 2000,
            timeouts,
            fragments: 4,
            require_subprotocol: false,
        };
        setup.run(|both| {
            both.tell_time(0);
            for &input in inputs {
                both.input(input);
                both.compare("after an input");
            }
        });
    }
}

impl Setup {
    /// Makes both ends, lets them do the same, and ends them.
    fn run(self, act: impl FnOnce(&mut Both<'_>)) {
        let (mut room, mut output) = (vec![0; self.room], vec![0; self.output]);
        let mut random = Scripted::sample();
        let room = Room::new(&mut room);
        let mut limits = Limits::trusted();
        limits.message = room.message() as u64;
        limits.frame = u64::MAX;
        limits.head = self.room as u32 - 1;
        limits.fields = 48;
        limits.fragments = self.fragments;
        limits.budgets = Budgets::NONE;
        let mut options = Options::new();
        options.timeouts = self.timeouts;
        options.fragments = self.fragments;
        options.require_subprotocol = self.require_subprotocol;
        let ws = self.connection(limits);
        let fixed = match self.role {
            Role::Server => Endpoint::server(Admitted::same_host(), options, &mut output),
            Role::Client => {
                let ask = Ask {
                    subprotocols: "chat, superchat",
                    fields: &[("X-Own", b"1")],
                    ..Ask::new("example.com", "/chat?a=b")
                };
                Endpoint::client(&ask, options, &mut random, &mut output).unwrap()
            }
        };
        let mut both = Both {
            role: self.role,
            ws,
            fixed,
            room,
            now: Duration::ZERO,
            pings: 0,
            apart: false,
        };
        both.compare("at birth");
        act(&mut both);
        if !both.apart {
            both.end();
        }
    }

    fn connection(&self, limits: Limits) -> Connection {
        if self.role == Role::Server {
            let config = ServerConfig::new(OriginPolicy::SameHost).limits(limits);
            return Connection::server(&config.timeouts(self.timeouts).silent_failures());
        }
        let config = ClientConfig::new().limits(limits);
        let mut config = config.timeouts(self.timeouts).silent_failures();
        if self.require_subprotocol {
            config = config.require_subprotocol();
        }
        let uri = Uri::parse("ws://example.com/chat?a=b").unwrap();
        let request = ClientRequest::new(uri).subprotocol("chat").unwrap();
        let request = request.subprotocol("superchat").unwrap();
        let request = request.header("X-Own", b"1").unwrap();
        Connection::client_with_entropy(&config, request, Scripted::boxed()).unwrap()
    }
}

impl Both<'_> {
    /// The opening handshake: valid for the most part.
    fn open(&mut self, t: &mut Taker<'_>) {
        if t.once_in(4) {
            let head = heads::head(t, self.role.peer());
            self.deliver(head, t);
        } else {
            self.input(Input::Head);
        }
        self.drain(usize::MAX);
    }

    fn input(&mut self, input: Input) {
        match input {
            Input::Head => {
                let mut head = match self.role {
                    Role::Server => REQUEST.to_vec(),
                    Role::Client => format!("{ANSWER}{ACCEPT}\r\n\r\n").into_bytes(),
                };
                self.receive(&mut head);
            }
            Input::Text => self.frame(0x81, b"Hello"),
            Input::Fragment => {
                self.frame(0x01, b"Hel");
                self.receive(&mut [0x80]);
            }
            Input::Ping => self.frame(0x89, b"alive?"),
            Input::Pong => self.frame(0x8a, &[0, 1]),
            Input::Close => self.frame(0x88, b"\x03\xe8bye"),
            Input::Wrong => self.frame(0x83, b""),
            Input::Nothing => self.receive(&mut []),
            Input::Eof => self.both(|ws| ws.receive_eof(), |fixed| fixed.receive_eof()),
            Input::WriteLost => self.both(|ws| ws.write_lost(), |fixed| fixed.write_lost()),
            Input::Lost => self.both(|ws| ws.transport_lost(), |fixed| fixed.transport_lost()),
            Input::Drain => self.drain(usize::MAX),
            Input::Byte => self.drain(1),
            Input::Send => {
                let theirs = self.ws.send("Hello").map_err(|unsent| unsent.why);
                let ours = self.fixed.send_text("Hello");
                self.same_answer(ours, theirs);
            }
            Input::Shut => {
                let code = CloseCode::GOING_AWAY;
                assert_eq!(self.fixed.close(code, "bye"), self.ws.close(code, "bye"));
            }
            Input::Pass(seconds) => self.tell_time(1000 * seconds),
        }
    }

    fn frame(&mut self, first: u8, payload: &[u8]) {
        let key = (self.role == Role::Server).then_some([7; 4]);
        let mut frame = Vec::new();
        wire::frame(&mut frame, first, key, payload);
        self.receive(&mut frame);
    }

    fn step(&mut self, t: &mut Taker<'_>) {
        match t.below(16) {
            0..=5 => {
                let bytes = wire::stream(t, self.role.peer(), 4);
                self.deliver(bytes, t);
            }
            6 => {
                let n = t.below(300);
                self.drain(n);
            }
            7 => self.drain(usize::MAX),
            8 => {
                let text = wire::text(t);
                let ours = self.fixed.send_text(&text);
                let theirs = self.ws.send(text).map_err(|unsent| unsent.why);
                self.same_answer(ours, theirs);
            }
            9 => {
                let bytes = wire::binary(t);
                let ours = self.fixed.send_binary(&bytes);
                let theirs = self.ws.send(bytes).map_err(|unsent| unsent.why);
                self.same_answer(ours, theirs);
            }
            10 => {
                // Told apart from those of keepalive, of which alone an endpoint tells the round trip.
                let payload = [b"own", &*wire::binary(t)].concat();
                let ours = self.fixed.ping(&payload);
                let theirs = self.ws.ping(&payload);
                self.same_answer(ours, theirs);
            }
            11 => self.close(t),
            12 => {
                let millis = u64::from(t.u16());
                self.tell_time(millis);
            }
            13 => {
                let millis = u64::from(t.u8()) * 500;
                self.tell_time(millis);
                self.receive(&mut []);
            }
            14 => match t.below(8) {
                0 => self.both(|ws| ws.receive_eof(), |fixed| fixed.receive_eof()),
                1 => self.both(|ws| ws.write_lost(), |fixed| fixed.write_lost()),
                2 => self.both(|ws| ws.transport_lost(), |fixed| fixed.transport_lost()),
                _ => self.receive(&mut []),
            },
            _ => {
                let bytes = t.bytes(20).to_vec();
                self.deliver(bytes, t);
            }
        }
        self.compare("after a step");
    }

    fn both(&mut self, ws: fn(&mut Connection), fixed: fn(&mut Endpoint<'_>)) {
        ws(&mut self.ws);
        fixed(&mut self.fixed);
    }

    fn close(&mut self, t: &mut Taker<'_>) {
        let code = t.pick(&[None, Some(1000), Some(1001), Some(1010), Some(4000)]);
        let code = code.and_then(CloseCode::new);
        let reason = t
            .pick(&["", "bye", &"r".repeat(123), &"r".repeat(124)])
            .to_owned();
        let ours = self.fixed.close(code, &reason);
        let theirs: Result<(), CloseError> = self.ws.close(code, &reason);
        assert_eq!(ours, theirs);
    }

    fn same_answer(&self, ours: Result<(), SendError>, theirs: Result<(), SendError>) {
        assert_eq!(ours, theirs);
    }

    /// In one read or in several.
    fn deliver(&mut self, mut bytes: Vec<u8>, t: &mut Taker<'_>) {
        if self.pings > 4 {
            self.drain(usize::MAX);
        }
        let mut rest = &mut bytes[..];
        while !rest.is_empty() {
            let most = rest.len();
            let len = match t.below(4) {
                0 => most,
                1 => 1 + t.below(3),
                _ => 1 + t.below(most.min(65_536)),
            };
            let (read, after) = rest.split_at_mut(len.min(most));
            rest = after;
            self.receive(read);
        }
    }

    /// Both take the same bytes, and tell the same.
    fn receive(&mut self, read: &mut [u8]) {
        let mut copy = read.to_vec();
        let theirs = receive(&mut self.ws, &mut copy);
        let ours = receive_fixed(&mut self.fixed, read, &mut self.room);
        let pings = ours.iter().filter(|told| matches!(told, Told::Ping(_)));
        self.pings += pings.count();
        self.apart |= self.pings > PINGS;
        self.apart |= ours.iter().any(|told| matches!(told, Told::Refused(_)));
        if self.apart {
            return;
        }
        assert_eq!(ours, theirs, "told: ours and the connection's");
        self.compare("after a read");
    }

    fn drain(&mut self, n: usize) {
        if self.apart {
            return;
        }
        let n = if self.is_refusing() { usize::MAX } else { n };
        self.ws.consume_output(n.min(self.ws.output_len()));
        self.fixed.consume_output(n);
        if n > 0 && self.fixed.output().is_empty() {
            self.pings = 0;
        }
        self.compare("after a write");
    }

    fn tell_time(&mut self, millis: u64) {
        self.now += Duration::from_millis(millis);
        self.ws.advance_time(self.now);
        self.fixed.advance_time(self.now);
        self.compare("after time has passed");
    }

    /// A status is queued that a connection explains in the body.
    fn is_refusing(&self) -> bool {
        let ours = self.fixed.output();
        ours.starts_with(b"HTTP/1.1 4") || ours.starts_with(b"HTTP/1.1 5")
    }

    fn compare(&self, when: &str) {
        if self.apart {
            return;
        }
        let theirs = self.ws.output();
        let ours = self.fixed.output();
        if self.is_refusing() {
            assert_eq!(ours.get(..12), theirs.get(..12), "{when}");
        } else if self.ws.output_len() == theirs.len() {
            assert_eq!(ours, theirs, "output {when}");
        }
        assert_eq!(self.fixed.state(), self.ws.state(), "{when}");
        assert_eq!(self.fixed.transport(), self.ws.transport(), "{when}");
        assert_eq!(
            self.fixed.next_deadline(),
            self.ws.next_deadline(),
            "deadline {when}"
        );
    }

    /// Both end.
    fn end(&mut self) {
        self.both(|ws| ws.receive_eof(), |fixed| fixed.receive_eof());
        self.receive(&mut []);
        self.drain(usize::MAX);
        self.receive(&mut []);
        assert_eq!(self.fixed.state(), State::Closed);
        assert_eq!(self.fixed.transport(), Transport::Close);
    }
}

fn receive(ws: &mut Connection, read: &mut [u8]) -> Vec<Told> {
    let mut input = read;
    let mut told = Vec::new();
    while let Some(event) = ws.receive(&mut input) {
        told.push(match event {
            Event::Request(request) => {
                let target = request.target().to_owned();
                let accept = request.path() != "/";
                Told::Request(
                    target,
                    if accept {
                        Some(ws.accept(Accept::new().prefer(["chat"])).is_ok())
                    } else {
                        let _ = ws.respond(Response::new(404));
                        None
                    },
                )
            }
            Event::Open if ws.role() == Role::Server => continue,
            Event::Open => Told::Accepted(ws.subprotocol().map(str::to_owned)),
            Event::Refused(refusal) => Told::Refused(refusal.status),
            Event::Message(Message::Text(text)) => Told::Text(text.to_string()),
            Event::Message(Message::Binary(bytes)) => Told::Binary(bytes.to_vec()),
            Event::Ping(payload) => Told::Ping(payload.to_vec()),
            Event::Pong(pong) => {
                let round_trip = pong.round_trip().filter(|_| pong.payload.len() == 2);
                Told::Pong(pong.payload.to_vec(), round_trip)
            }
            Event::Close(frame) => {
                Told::Close(frame.code.map(CloseCode::get), frame.reason().to_owned())
            }
            Event::Failed(failure) => Told::Failed(failure),
            Event::Closed(report) => Told::Closed {
                clean: report.clean,
                code: report.code,
                answered: report.answered,
                failure: report.failure,
                began: report.began,
            },
            other => panic!("{other:?}"),
        });
    }
    told
}

fn receive_fixed(ws: &mut Endpoint<'_>, read: &mut [u8], room: &mut Room<'_>) -> Vec<Told> {
    let mut input = read;
    let mut told = Vec::new();
    while let Some(incoming) = ws.receive(&mut input, room) {
        told.push(match incoming {
            Incoming::Request(request) => {
                let chosen = request.subprotocols().any(|name| name == "chat");
                // Else it is refused by the next call.
                let accepted = (request.path() != "/")
                    .then(|| ws.accept(&request, chosen.then_some("chat")).is_ok());
                Told::Request(request.target().to_owned(), accepted)
            }
            Incoming::Accepted(head) => Told::Accepted(head.subprotocol().map(str::to_owned)),
            Incoming::Refused(status) => Told::Refused(status),
            Incoming::Text(text) => Told::Text(text.to_owned()),
            Incoming::Binary(bytes) => Told::Binary(bytes.to_vec()),
            Incoming::Ping(payload) => Told::Ping(payload.to_vec()),
            Incoming::Pong {
                payload,
                round_trip,
            } => Told::Pong(payload.to_vec(), round_trip),
            Incoming::Close { code, reason } => {
                Told::Close(code.map(CloseCode::get), reason.to_owned())
            }
            Incoming::Failed(failure) => Told::Failed(failure),
            Incoming::Closed(ended) => Told::Closed {
                clean: ended.clean,
                code: ended.code,
                answered: ended.answered,
                failure: ended.failure,
                began: ended.began,
            },
            other => panic!("{other:?}"),
        });
    }
    told
}
