//! The real machine and the model given the same inputs, and what can be seen of both.

use std::time::Duration;

use sansocket::Side;
use sansocket::config::{self, Limits, Timeouts};
use sansocket::entropy::Entropy;
use sansocket::error::Failure;
use sansocket::error::NoEntropy;
use sansocket::error::{CloseError, SendError};
use sansocket::error::{Limit, ProtocolError, Timeout};
use sansocket::event::{CloseFrame, CloseReport, CutOff};
use sansocket::{ClientConfig, ServerConfig};
use sansocket::{
    CloseCode, Connection, Event, Kind, Message, Negotiated, OriginPolicy, Part, Prepared, State,
    Transport,
};

use super::alphabet::Does;
use super::reference::{
    self, Began, CloseAnswer, Cut, Delivery, Endpoint, Fault, Refused, Report, Rules,
};

/// The key of every frame of the client.
const OWN_KEY: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

struct OwnKey;

impl Entropy for OwnKey {
    fn fill(&mut self, out: &mut [u8]) -> Result<(), NoEntropy> {
        out.copy_from_slice(&OWN_KEY);
        Ok(())
    }
}

/// A role and its configuration, for the machine and for the model.
pub(crate) struct Setup {
    pub(crate) rules: Rules,
    clock: bool,
    /// The machine goes to another process before each input.
    moves: bool,
    server: ServerConfig,
    client: ClientConfig,
}

/// What a configuration is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum About {
    /// Everything is as it mostly is, and the time is told from the beginning.
    Usual,
    /// The time is told late or never.
    NoClock,
    /// Messages in pieces, as they come.
    Chunks,
    /// The application is asked.
    Ask,
    /// Pings are left to the application, and there is no wait for pongs.
    Pings,
    /// Messages are split.
    Split,
    /// The application answers Close frames itself.
    Closes,
    /// Close frames are answered with their reason, and a server takes frames that are not masked.
    Lenient,
    /// The peer compresses.
    #[cfg(feature = "deflate")]
    Deflate,
}

impl Setup {
    /// Low limits.
    pub(crate) fn narrow(server: bool, about: About) -> Self {
        let mut rules = Rules {
            server,
            key: OWN_KEY,
            frame: 200,
            message: 300,
            fragments: 3,
            output: 250,
            close_after: 8,
            ping_after: Some(10),
            pong_within: Some(4),
            idle_for: Some(12),
            message_within: None,
            delivery: Delivery::Whole,
            answers_pings: true,
            close_answer: CloseAnswer::Code,
            takes_unmasked: false,
            split: 0,
            inflates: false,
        };
        match about {
            About::Usual | About::NoClock => {}
            About::Chunks => {
                rules.delivery = Delivery::Chunks;
                rules.message_within = Some(8);
            }
            About::Ask => {
                rules.delivery = Delivery::ChunksAbove(100);
                rules.message_within = Some(4);
            }
            About::Pings => {
                rules.answers_pings = false;
                rules.pong_within = None;
                rules.idle_for = None;
            }
            About::Split => rules.split = 50,
            About::Closes => rules.close_answer = CloseAnswer::Application,
            About::Lenient => {
                rules.close_answer = CloseAnswer::CodeAndReason;
                rules.takes_unmasked = server;
            }
            #[cfg(feature = "deflate")]
            About::Deflate => rules.inflates = true,
        }
        Self::new(rules, about != About::NoClock)
    }

    /// 64 KiB pass the limits.
    pub(crate) fn wide(server: bool) -> Self {
        let mut setup = Self::narrow(server, About::Usual);
        setup.rules.frame = 0x1_0000;
        setup.rules.message = 0x1_ffff;
        setup.rules.output = 0x1_8000;
        setup.rules.fragments = 4096;
        Self::new(setup.rules, true)
    }

    pub(crate) fn new(rules: Rules, clock: bool) -> Self {
        let mut limits = Limits::server();
        limits.frame = rules.frame;
        limits.message = rules.message;
        limits.fragments = rules.fragments as u32;
        limits.output = rules.output as u32;
        let mut timeouts = Timeouts::default();
        timeouts.close = Duration::from_secs(rules.close_after);
        timeouts.ping = rules.ping_after.map(Duration::from_secs);
        timeouts.pong = rules.pong_within.map(Duration::from_secs);
        timeouts.idle = rules.idle_for.map(Duration::from_secs);
        timeouts.message = rules.message_within.map(Duration::from_secs);
        let delivery = match rules.delivery {
            Delivery::Whole => config::Delivery::Whole,
            Delivery::Chunks => config::Delivery::Chunks,
            Delivery::ChunksAbove(_) => config::Delivery::Ask,
        };
        let (mut server, mut client) = (
            ServerConfig::new(OriginPolicy::Application).silent_failures(),
            ClientConfig::new().silent_failures(),
        );
        if !rules.answers_pings {
            (server, client) = (server.manual_pong(), client.manual_pong());
        }
        (server, client) = match rules.close_answer {
            CloseAnswer::Code => (server, client),
            CloseAnswer::CodeAndReason => (server.echo_close_reason(), client.echo_close_reason()),
            CloseAnswer::Application => (server.manual_close(), client.manual_close()),
        };
        if rules.takes_unmasked {
            server = server.accept_unmasked();
        }
        #[cfg(feature = "deflate")]
        if rules.inflates {
            use sansocket::extension::PermessageDeflate;
            let nothing = |deflate: PermessageDeflate| deflate.threshold(usize::MAX);
            server = server.deflate(nothing(PermessageDeflate::server()));
            client = client.deflate(nothing(PermessageDeflate::client()));
        }
        Self {
            clock,
            moves: false,
            server: server
                .limits(limits)
                .timeouts(timeouts)
                .delivery(delivery)
                .fragment(rules.split as u32),
            client: client
                .limits(limits)
                .timeouts(timeouts)
                .delivery(delivery)
                .fragment(rules.split as u32),
            rules,
        }
    }

    /// The same, where each input comes to another process.
    #[cfg(feature = "handover")]
    pub(crate) fn moving(self) -> Self {
        Self {
            moves: true,
            ..self
        }
    }

    /// What the peer masks with, if it does.
    pub(crate) fn peer_key(&self) -> Option<[u8; 4]> {
        self.rules.server.then_some([0xa5, 0x01, 0xfe, 0x77])
    }

    pub(crate) fn model(&self) -> Endpoint {
        let mut model = Endpoint::new(self.rules.clone());
        if self.clock {
            model.advance_time(0);
        }
        model
    }

    pub(crate) fn real(&self) -> Real {
        let agreed = if self.rules.inflates {
            Negotiated::new().extensions("permessage-deflate")
        } else {
            Negotiated::default()
        };
        let mut ws = if self.rules.server {
            Connection::upgraded_server(&self.server, agreed)
        } else {
            Connection::upgraded_client_with_entropy(&self.client, agreed, Box::new(OwnKey))
        };
        if self.clock {
            ws.advance_time(Duration::ZERO);
        }
        assert!(matches!(ws.receive(&mut &mut [][..]), Some(Event::Open)));
        let chunks_above = match self.rules.delivery {
            Delivery::ChunksAbove(most) => most,
            _ => u64::MAX,
        };
        Real {
            ws,
            now: 0,
            born: 0,
            chunks_above,
        }
    }
}

/// What both can do.
pub(crate) trait Machine {
    fn read(&mut self, bytes: &[u8], way: Way, events: &mut Vec<reference::Event>);
    fn call(&mut self, does: &Does, events: &mut Vec<reference::Event>) -> Result<(), Refused>;
}

/// How a read is handed to the machine. It makes no difference.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Way {
    Receive,
    /// Held first, and taken from there.
    Hold,
    Prepare,
    /// The bytes stay as they are.
    Copy,
}

/// The model, and the time that it was told.
#[derive(Clone)]
pub(crate) struct Modelled {
    pub(crate) endpoint: Endpoint,
    pub(crate) now: u64,
}

impl Machine for Modelled {
    fn read(&mut self, bytes: &[u8], _: Way, events: &mut Vec<reference::Event>) {
        self.endpoint.receive(bytes);
        events.extend(self.endpoint.take_events());
    }

    fn call(&mut self, does: &Does, events: &mut Vec<reference::Event>) -> Result<(), Refused> {
        let Self { endpoint, now } = self;
        let result = match does {
            Does::Read(bytes, _) => {
                endpoint.receive(bytes);
                Ok(())
            }
            Does::Eof => {
                endpoint.receive_eof();
                Ok(())
            }
            Does::EofUnseen(n) => {
                endpoint.receive_eof();
                endpoint.consume(*n);
                Ok(())
            }
            Does::WriteLost => {
                endpoint.write_lost();
                Ok(())
            }
            Does::Lost => {
                endpoint.transport_lost();
                Ok(())
            }
            Does::TlsFailed => {
                endpoint.tls_failed();
                Ok(())
            }
            Does::Reclaim => Ok(()),
            Does::Pass(seconds) => {
                *now += seconds;
                endpoint.advance_time(*now);
                Ok(())
            }
            Does::Held(bytes, seconds) => {
                *now += seconds;
                endpoint.hold_until(*now, bytes);
                Ok(())
            }
            Does::LimitMessages(most) => {
                endpoint.limit_messages(*most);
                Ok(())
            }
            Does::Consume(n) => {
                endpoint.consume(*n);
                Ok(())
            }
            Does::Send(text, payload) | Does::SendPrepared(text, payload) => {
                endpoint.send(*text, payload)
            }
            Does::Part(text, part, last) => endpoint.send_part(*text, part, *last),
            Does::Begin(text, len) => endpoint.begin_message(*text, *len),
            Does::Write(piece) => endpoint.write_message(piece),
            Does::Ping(payload) => endpoint.ping(payload),
            Does::Pong(payload) => endpoint.pong(payload),
            Does::Close(code, reason) => endpoint.close(*code, reason),
            Does::CloseLossy(code, reason) => endpoint.close_lossy(*code, reason),
            Does::Fail => {
                endpoint.fail_by_application();
                Ok(())
            }
        };
        // The driver asks for events after each call, also without anything to read.
        endpoint.read_nothing();
        events.extend(endpoint.take_events());
        result
    }
}

/// The crate's connection.
pub(crate) struct Real {
    pub(crate) ws: Connection,
    now: u64,
    /// When its process began, from where it counts.
    born: u64,
    chunks_above: u64,
}

impl Real {
    /// Before the next input.
    #[cfg_attr(
        not(feature = "handover"),
        allow(clippy::needless_pass_by_ref_mut, reason = "nothing moves")
    )]
    pub(crate) fn between(&mut self, setup: &Setup) {
        if setup.moves {
            #[cfg(feature = "handover")]
            self.hand_over(setup);
        }
    }

    /// It goes on in a process that begins now.
    #[cfg(feature = "handover")]
    pub(crate) fn hand_over(&mut self, setup: &Setup) {
        let none = Connection::upgraded_server(&setup.server, Negotiated::new());
        let old = std::mem::replace(&mut self.ws, none);
        let (limits, role) = (*old.limits(), old.role());
        let state = match old.suspend(Duration::from_secs(self.now - self.born)) {
            Ok(state) => state,
            Err(not) => return self.ws = not.connection,
        };
        self.born = self.now;
        let resumed = if role == sansocket::Role::Server {
            let config = setup.server.clone().limits(limits);
            Connection::resume(&state, &config, None, Duration::ZERO)
        } else {
            let config = setup.client.clone().limits(limits);
            Connection::resume(&state, &config, Some(Box::new(OwnKey)), Duration::ZERO)
        };
        self.ws = resumed.expect("a connection that goes on");
    }

    /// The same as [`Machine::read`] where nobody looks at the events.
    pub(crate) fn read_unseen(&mut self, bytes: &mut [u8]) {
        let mut input = bytes;
        while let Some(event) = self.ws.receive(&mut input) {
            if let Event::Start(head) = event
                && head.frame_len > self.chunks_above
            {
                self.ws.stream_message();
            }
        }
    }

    fn operate(&mut self, does: &Does) -> Result<(), Refused> {
        let Self { ws, now, born, .. } = self;
        let kind = |text: &bool| if *text { Kind::Text } else { Kind::Binary };
        match does {
            Does::Read(..) => {}
            Does::Eof => ws.receive_eof(),
            Does::EofUnseen(n) => {
                ws.receive_eof();
                ws.consume_output(*n);
            }
            Does::WriteLost => ws.write_lost(),
            Does::Lost => ws.transport_lost(),
            Does::TlsFailed => ws.tls_failed(),
            Does::Reclaim => {
                ws.take_buffer();
                ws.lend_buffer(vec![0xee; 64]);
            }
            Does::Pass(seconds) => {
                *now += seconds;
                ws.advance_time(Duration::from_secs(*now - *born));
            }
            Does::Held(bytes, seconds) => {
                let mut bytes = bytes.clone();
                ws.keep_input(&mut &mut bytes[..]);
                *now += seconds;
                ws.advance_time(Duration::from_secs(*now - *born));
            }
            Does::LimitMessages(most) => {
                let mut limits = *ws.limits();
                limits.message = *most;
                ws.set_limits(limits);
            }
            Does::Consume(n) => ws.consume_output(*n),
            Does::Send(true, text) => ws
                .send(std::str::from_utf8(text).expect("text"))
                .map_err(refused)?,
            Does::Send(false, bytes) => ws.send(bytes.clone()).map_err(|unsent| {
                assert!(unsent.message == *bytes, "the message does not come back");
                refused(unsent.why)
            })?,
            Does::SendPrepared(true, text) => {
                ws.send(&Prepared::text(std::str::from_utf8(text).expect("text")))
                    .map_err(refused)?;
            }
            Does::SendPrepared(false, bytes) => {
                ws.send(&Prepared::binary(bytes)).map_err(refused)?
            }
            Does::Part(text, part, last) => ws
                .send_part(Part::new(kind(text), part).last_if(*last))
                .map_err(refused)?,
            Does::Begin(text, len) => ws.begin_message(kind(text), *len).map_err(refused)?,
            Does::Write(piece) => ws.write_message(piece).map_err(refused)?,
            Does::Ping(payload) => ws.ping(payload).map_err(refused)?,
            Does::Pong(payload) => ws.pong(payload).map_err(refused)?,
            Does::Close(code, reason) => {
                let code = code.map(|code| CloseCode::new(code).expect("a code"));
                ws.close(code, reason).map_err(not_closed)?;
            }
            Does::CloseLossy(code, reason) => {
                let code = code.map(|code| CloseCode::new(code).expect("a code"));
                ws.close_lossy(code, reason).map_err(not_closed)?;
            }
            Does::Fail => {
                let failed = ws.fail(CloseCode::POLICY_VIOLATION, "enough");
                failed.map_err(not_closed)?;
            }
        }
        Ok(())
    }

    pub(crate) fn call_unseen(&mut self, does: &Does, scratch: &mut Vec<u8>) {
        let _ = self.operate(does);
        scratch.clear();
        if let Does::Read(bytes, _) = does {
            scratch.extend(bytes);
        }
        self.read_unseen(scratch);
    }

    /// Everything that can be seen of the machine is as the model says.
    pub(crate) fn compare(&self, model: &Endpoint) -> Result<(), String> {
        let Self { ws, .. } = self;
        let mut slices = [&[][..]; 64];
        let filled = ws.output_slices(&mut slices);
        let mut output: Vec<u8> = slices[..filled].concat();
        if filled == slices.len() {
            // There may be more: a long message in short frames.
            let mut slices = vec![&[][..]; ws.output_len()];
            let filled = ws.output_slices(&mut slices);
            output = slices[..filled].concat();
        }
        same("output", &output, &model.output())?;
        same("output_len", &ws.output_len(), &model.output_len())?;
        same("buffered_amount", &ws.buffered_amount(), &model.buffered())?;
        let state = match ws.state() {
            State::Open => reference::State::Open,
            State::Closing => reference::State::Closing,
            State::Closed => reference::State::Closed,
            early => return Err(format!("state {early:?}")),
        };
        same("state", &state, &model.state())?;
        let transport = match ws.transport() {
            Transport::KeepOpen => reference::Transport::KeepOpen,
            Transport::ShutdownWrite => reference::Transport::ShutdownWrite,
            Transport::AwaitPeerEnd => reference::Transport::AwaitPeerEnd,
            Transport::Close => reference::Transport::Close,
            other => return Err(format!("transport {other:?}")),
        };
        same("transport", &transport, &model.transport())?;
        same(
            "can_send",
            &ws.can_send().map_err(refused),
            &model.can_send(),
        )?;
        // One that passed before its process began.
        let since_birth = |due: u64| Duration::from_secs(due.saturating_sub(self.born));
        let due = model.next_deadline().map(|(_, due)| since_birth(due));
        same("next_deadline", &ws.next_deadline(), &due)
    }
}

impl Real {
    fn see(&mut self, event: Event<'_>) -> reference::Event {
        if let Event::Start(head) = &event
            && head.frame_len > self.chunks_above
        {
            self.ws.stream_message();
        }
        see(event)
    }
}

impl Machine for Real {
    fn read(&mut self, bytes: &[u8], way: Way, events: &mut Vec<reference::Event>) {
        let mut bytes = bytes.to_vec();
        let mut input = &mut bytes[..];
        match way {
            Way::Receive => {}
            Way::Hold => self.ws.keep_input(&mut input),
            Way::Copy => {
                let mut input = &bytes[..];
                while let Some(event) = self.ws.receive_copy(&mut input) {
                    let event = self.see(event);
                    events.push(event);
                }
                assert!(input.is_empty(), "receive_copy takes everything");
                return;
            }
            Way::Prepare => {
                while self.ws.find_event(&mut input) {
                    let event = self.ws.receive(&mut input).expect("it was promised");
                    let event = self.see(event);
                    events.push(event);
                }
                assert!(input.is_empty(), "find_event takes everything");
                assert!(self.ws.receive(&mut input).is_none(), "an event more");
            }
        }
        while let Some(event) = self.ws.receive(&mut input) {
            let event = self.see(event);
            events.push(event);
        }
    }

    fn call(&mut self, does: &Does, events: &mut Vec<reference::Event>) -> Result<(), Refused> {
        let result = self.operate(does);
        let bytes = match does {
            Does::Read(bytes, _) => &bytes[..],
            _ => &[],
        };
        self.read(bytes, Way::Receive, events);
        result
    }
}

/// An error that shows both, if they differ.
pub(crate) fn same<T: PartialEq + std::fmt::Debug>(
    what: &str,
    real: &T,
    model: &T,
) -> Result<(), String> {
    if real == model {
        Ok(())
    } else {
        Err(format!("{what}\n  machine: {real:?}\n  model:   {model:?}"))
    }
}

fn refused(error: impl Into<SendError>) -> Refused {
    match error.into() {
        SendError::Closing => Refused::Closing,
        SendError::Full { .. } => Refused::Full,
        SendError::MessageInProgress => Refused::InProgress,
        SendError::NoMessageInProgress => Refused::NotInProgress,
        SendError::TooLong { len, max } if len > max => Refused::TooLong,
        SendError::NotUtf8 { .. } => Refused::NotUtf8,
        other => panic!("{other:?} cannot be"),
    }
}

fn not_closed(error: CloseError) -> Refused {
    match error {
        CloseError::ClientCode { code: 1010 } | CloseError::ReasonWithoutCode => Refused::BadCode,
        CloseError::ReasonTooLong { len, max: 123 } if len > 123 => Refused::TooLong,
        other => panic!("{other:?} cannot be"),
    }
}

fn see(event: Event<'_>) -> reference::Event {
    match event {
        Event::Message(Message::Text(text)) => reference::Event::Text(text.as_bytes().to_vec()),
        Event::Message(Message::Binary(bytes)) => reference::Event::Binary(bytes.to_vec()),
        Event::Start(head) => {
            reference::Event::Start(head.kind == Kind::Text, head.frame_len, head.fin)
        }
        Event::Chunk(chunk) => {
            let text = chunk.kind == Kind::Text;
            let payload = chunk.payload.to_vec();
            reference::Event::Chunk(text, payload, chunk.first, chunk.ends_frame, chunk.last)
        }
        Event::Ping(payload) => reference::Event::Ping(payload.to_vec()),
        Event::Pong(pong) => {
            let round_trip = pong.round_trip().map(|time| time.as_secs());
            reference::Event::Pong(pong.payload.to_vec(), round_trip)
        }
        Event::Close(frame) => {
            let (code, reason) = body(&frame);
            reference::Event::Close(code, reason)
        }
        Event::Failed(failure) => reference::Event::Failed(fault(failure)),
        Event::Closed(report) => reference::Event::Closed(seen_report(&report)),
        other => panic!("{other:?} cannot be"),
    }
}

fn body(frame: &CloseFrame) -> reference::CloseBody {
    (frame.code.map(CloseCode::get), frame.reason().to_owned())
}

fn seen_report(report: &CloseReport) -> Report {
    Report {
        clean: report.clean,
        code: report.code,
        sent: report.sent.as_ref().map(body),
        received: report.received.as_ref().map(body),
        failure: report.failure.map(fault),
        began: report.began.map(|side| match side {
            Side::Us => Began::Us,
            Side::Peer => Began::Peer,
            Side::Both => Began::Both,
        }),
        cut: report.cut_off.map(|cut| match cut {
            CutOff::Frame => Cut::Frame,
            CutOff::Message => Cut::Message,
            other => panic!("{other:?} cannot be"),
        }),
    }
}

/// The model's name of a failure; the code that it is closed with has to be the same.
fn fault(failure: Failure) -> Fault {
    let fault = match failure {
        Failure::Protocol(error) => match error {
            ProtocolError::ReservedBits { bits } => Fault::ReservedBits(bits),
            ProtocolError::ReservedOpcode { opcode } => Fault::ReservedOpcode(opcode),
            ProtocolError::UnmaskedFrame => Fault::Unmasked,
            ProtocolError::MaskedFrame => Fault::Masked,
            ProtocolError::LengthNotMinimal => Fault::NotShortest,
            ProtocolError::LengthTopBit => Fault::TopBit,
            ProtocolError::ControlTooLong => Fault::ControlTooLong,
            ProtocolError::ControlFragmented => Fault::ControlFragmented,
            ProtocolError::UnexpectedContinuation => Fault::NothingToContinue,
            ProtocolError::MessageInterrupted { .. } => Fault::MessageInterrupted,
            ProtocolError::CloseBodyTooShort => Fault::CloseTooShort,
            ProtocolError::CloseCode { code } => Fault::CloseCode(code),
            ProtocolError::CloseReasonNotUtf8 { at } => Fault::ReasonNotUtf8(at.into()),
            ProtocolError::TextNotUtf8 { at, cut } => Fault::TextNotUtf8 {
                at: at as usize,
                cut,
            },
            ProtocolError::CompressedData => Fault::CompressedData,
            ProtocolError::Limit { limit, value, .. } => match limit {
                Limit::Frame => Fault::FrameTooLong(value),
                Limit::Message => Fault::MessageTooLong(value),
                Limit::Fragments => Fault::TooManyFragments(value),
                other => panic!("{other:?} cannot be"),
            },
            other => panic!("{other:?} cannot be"),
        },
        Failure::Timeout(Timeout::Pong) => Fault::PongTimeout,
        Failure::Timeout(Timeout::Idle) => Fault::IdleTimeout,
        Failure::Timeout(Timeout::Message) => Fault::MessageTimeout,
        Failure::Timeout(Timeout::Close) => Fault::CloseTimeout,
        Failure::Application(_) => Fault::Application,
        other => panic!("{other:?} cannot be"),
    };
    assert_eq!(failure.close_code(), fault.code(), "{failure:?}");
    fault
}
