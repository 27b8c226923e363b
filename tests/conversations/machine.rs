//! The real machine and the model behind the same inputs, and what can be seen of both.

use std::time::Duration;

use sansocket::config::{ClientConfig, Limits, ServerConfig, Timeouts};
use sansocket::error::{Limit, ProtocolError, Timeout};
use sansocket::{
    CloseCode, CloseFrame, CloseReport, Connection, Entropy, Event, Failure, Kind, Message, Misuse,
    Negotiated, OriginPolicy, Side, State, Transport,
};

use crate::alphabet::Does;
use crate::reference::{self, Began, Endpoint, Fault, Refused, Report, Rules};

/// The key of every frame of the client.
const OWN_KEY: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

struct OwnKey;

impl Entropy for OwnKey {
    fn fill(&mut self, out: &mut [u8]) {
        out.copy_from_slice(&OWN_KEY);
    }
}

/// A role and its configuration, for the machine and for the model.
pub(crate) struct Setup {
    pub(crate) rules: Rules,
    clock: bool,
    server: ServerConfig,
    client: ClientConfig,
}

impl Setup {
    /// Low limits.
    pub(crate) fn narrow(server: bool, clock: bool) -> Self {
        Self::new(server, clock, [200, 300, 250], 3)
    }

    /// 64 KiB pass them.
    pub(crate) fn wide(server: bool) -> Self {
        Self::new(server, true, [0x1_0000, 0x1_ffff, 0x1_8000], 4096)
    }

    fn new(server: bool, clock: bool, [frame, message, output]: [u64; 3], fragments: u32) -> Self {
        let rules = Rules {
            server,
            key: OWN_KEY,
            frame,
            message,
            fragments: fragments.into(),
            output: output as usize,
            close_after: 8,
            ping_after: Some(10),
            pong_within: Some(4),
            idle_for: Some(12),
        };
        let mut limits = Limits::server();
        limits.frame = frame;
        limits.message = message;
        limits.fragments = fragments;
        limits.output = output as u32;
        let mut timeouts = Timeouts::default();
        timeouts.close = Duration::from_secs(rules.close_after);
        timeouts.ping = rules.ping_after.map(Duration::from_secs);
        timeouts.pong = rules.pong_within.map(Duration::from_secs);
        timeouts.idle = rules.idle_for.map(Duration::from_secs);
        Self {
            rules,
            clock,
            server: ServerConfig::new(OriginPolicy::Application)
                .limits(limits)
                .timeouts(timeouts),
            client: ClientConfig::new().limits(limits).timeouts(timeouts),
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
        let agreed = Negotiated::default();
        let mut ws = if self.rules.server {
            Connection::upgraded_server(&self.server, agreed)
        } else {
            Connection::upgraded_client_with_entropy(&self.client, agreed, Box::new(OwnKey))
        };
        if self.clock {
            ws.advance_time(Duration::ZERO);
        }
        assert!(matches!(ws.receive(&mut &mut [][..]), Some(Event::Open)));
        Real { ws, now: 0 }
    }
}

/// What both can do.
pub(crate) trait Machine {
    fn read(&mut self, bytes: &[u8], events: &mut Vec<reference::Event>);
    fn call(&mut self, does: &Does, events: &mut Vec<reference::Event>) -> Result<(), Refused>;
}

/// The model, and the time that it was told.
#[derive(Clone)]
pub(crate) struct Modelled {
    pub(crate) endpoint: Endpoint,
    pub(crate) now: u64,
}

impl Machine for Modelled {
    fn read(&mut self, bytes: &[u8], events: &mut Vec<reference::Event>) {
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
            Does::Lost => {
                endpoint.transport_lost();
                Ok(())
            }
            Does::Pass(seconds) => {
                *now += seconds;
                endpoint.advance_time(*now);
                Ok(())
            }
            Does::Consume(n) => {
                endpoint.consume(*n);
                Ok(())
            }
            Does::Send(text, payload) => endpoint.send(*text, payload),
            Does::Part(text, part, last) => endpoint.send_part(*text, part, *last),
            Does::Begin(text, len) => endpoint.begin_message(*text, *len),
            Does::Write(piece) => endpoint.write_message(piece),
            Does::Ping(payload) => endpoint.ping(payload),
            Does::Pong(payload) => endpoint.pong(payload),
            Does::Close(code, reason) => endpoint.close(*code, reason),
        };
        events.extend(endpoint.take_events());
        result
    }
}

/// The crate's connection.
pub(crate) struct Real {
    pub(crate) ws: Connection,
    now: u64,
}

impl Real {
    /// The same as [`Machine::read`] where nobody looks at the events.
    pub(crate) fn read_unseen(&mut self, bytes: &mut [u8]) {
        let mut input = bytes;
        while self.ws.receive(&mut input).is_some() {}
    }

    fn operate(&mut self, does: &Does) -> Result<(), Misuse> {
        let Self { ws, now } = self;
        let kind = |text: &bool| if *text { Kind::Text } else { Kind::Binary };
        match does {
            Does::Read(..) => {}
            Does::Eof => ws.receive_eof(),
            Does::Lost => ws.transport_lost(),
            Does::Pass(seconds) => {
                *now += seconds;
                ws.advance_time(Duration::from_secs(*now));
            }
            Does::Consume(1) => ws.consume_output(1),
            // Part by part, as a driver does.
            Does::Consume(_) => {
                let ready = drained_len(ws);
                ws.consume_output(ready);
            }
            Does::Send(true, text) => ws.send(std::str::from_utf8(text).expect("text"))?,
            Does::Send(false, bytes) => ws.send(bytes.clone()).map_err(|unsent| {
                assert!(unsent.message == *bytes, "the message does not come back");
                unsent.why
            })?,
            Does::Part(text, part, last) => ws.send_part(kind(text), part, *last)?,
            Does::Begin(text, len) => ws.begin_message(kind(text), *len)?,
            Does::Write(piece) => ws.write_message(piece)?,
            Does::Ping(payload) => ws.ping(payload)?,
            Does::Pong(payload) => ws.pong(payload)?,
            Does::Close(code, reason) => {
                let code = code.map(|code| CloseCode::new(code).expect("a code"));
                ws.close(code, reason)?;
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
        let output: Vec<u8> = slices[..filled].concat();
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
        let due = model
            .next_deadline()
            .map(|(_, due)| Duration::from_secs(due));
        same("next_deadline", &ws.next_deadline(), &due)
    }
}

/// What may be written now.
fn drained_len(ws: &Connection) -> usize {
    let mut slices = [&[][..]; 64];
    let filled = ws.output_slices(&mut slices);
    slices[..filled].iter().map(|slice| slice.len()).sum()
}

impl Machine for Real {
    fn read(&mut self, bytes: &[u8], events: &mut Vec<reference::Event>) {
        let mut bytes = bytes.to_vec();
        let mut input = &mut bytes[..];
        while let Some(event) = self.ws.receive(&mut input) {
            events.push(see(event));
        }
    }

    fn call(&mut self, does: &Does, events: &mut Vec<reference::Event>) -> Result<(), Refused> {
        let result = self.operate(does).map_err(refused);
        let bytes = match does {
            Does::Read(bytes, _) => &bytes[..],
            _ => &[],
        };
        self.read(bytes, events);
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

fn refused(misuse: Misuse) -> Refused {
    match misuse {
        Misuse::Closing => Refused::Closing,
        Misuse::Full => Refused::Full,
        Misuse::MessageInProgress => Refused::InProgress,
        Misuse::NoMessageInProgress => Refused::NotInProgress,
        Misuse::TooLong => Refused::TooLong,
        Misuse::NotUtf8 => Refused::NotUtf8,
        Misuse::BadCloseCode => Refused::BadCode,
        other => panic!("{other:?} cannot be"),
    }
}

fn see(event: Event<'_>) -> reference::Event {
    match event {
        Event::Message(Message::Text(text)) => reference::Event::Text(text.as_bytes().to_vec()),
        Event::Message(Message::Binary(bytes)) => reference::Event::Binary(bytes.to_vec()),
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
            ProtocolError::MessageInterrupted => Fault::MessageInterrupted,
            ProtocolError::CloseBodyTooShort => Fault::CloseTooShort,
            ProtocolError::CloseCode { code } => Fault::CloseCode(code),
            ProtocolError::CloseReasonNotUtf8 => Fault::ReasonNotUtf8,
            ProtocolError::TextNotUtf8 => Fault::TextNotUtf8,
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
        Failure::Timeout(Timeout::Close) => Fault::CloseTimeout,
        other => panic!("{other:?} cannot be"),
    };
    assert_eq!(failure.close_code(), fault.code(), "{failure:?}");
    fault
}
