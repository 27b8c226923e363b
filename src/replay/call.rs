//! The calls of a connection that a recording has, and what came of them.

use core::fmt;

use crate::connection::Event;
use crate::error::{AcceptError, CloseError, NoEntropy, SendError, Unsent};

use super::check::Check;
use super::wire::{Bad, Reader, Writer};

/// Numbers and names, which stay what they are.
macro_rules! calls {
    ($($call:ident = $number:literal, $name:literal;)*) => {
        /// A call of [`Connection`](crate::Connection), by its name there.
        #[allow(missing_docs, reason = "each is the method of its name")]
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Call {
            $($call,)*
        }

        impl Call {
            pub(super) const fn number(self) -> u8 {
                match self {
                    $(Self::$call => $number,)*
                }
            }

            pub(super) const fn of(number: u8) -> Option<Self> {
                match number {
                    $($number => Some(Self::$call),)*
                    _ => None,
                }
            }

            /// The name of the method.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$call => $name,)*
                }
            }
        }
    };
}

calls! {
    Server = 1, "server";
    Client = 2, "client";
    UpgradedServer = 3, "upgraded_server";
    UpgradedClient = 4, "upgraded_client";
    Receive = 8, "receive";
    ReceiveCopy = 9, "receive_copy";
    ReceiveBytes = 10, "receive_bytes";
    FindEvent = 11, "find_event";
    KeepInput = 12, "keep_input";
    ReceiveTarget = 13, "receive_target";
    ReceiveTargetFilled = 14, "receive_target_filled";
    StreamMessage = 15, "stream_message";
    ReceiveEof = 16, "receive_eof";
    WriteLost = 17, "write_lost";
    TransportLost = 18, "transport_lost";
    TlsFailed = 19, "tls_failed";
    AdvanceTime = 20, "advance_time";
    ConsumeOutput = 21, "consume_output";
    Send = 24, "send";
    SendPart = 25, "send_part";
    BeginMessage = 26, "begin_message";
    WriteMessage = 27, "write_message";
    Ping = 28, "ping";
    Pong = 29, "pong";
    Close = 30, "close";
    CloseLossy = 31, "close_lossy";
    Fail = 32, "fail";
    Accept = 40, "accept";
    Respond = 41, "respond";
    BeginResponse = 42, "begin_response";
    WriteResponse = 43, "write_response";
    EndResponse = 44, "end_response";
    DropResponse = 45, "drop_response";
    SetLimits = 48, "set_limits";
    AcceptUnmasked = 49, "accept_unmasked";
    LendBuffer = 50, "lend_buffer";
    TakeBuffer = 51, "take_buffer";
    Park = 52, "park";
}

/// What came of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Came {
    /// It is not known: the call did not return.
    Unknown,
    Nothing,
    Done,
    /// By the number of the error.
    Refused(u16),
    /// By its number, with the length of its payload, or its code.
    Event(u8, u64),
}

/// What can come of a call.
pub(super) trait Outcomes {
    fn came(&self, check: &mut Check) -> Came;
}

impl Outcomes for () {
    fn came(&self, _: &mut Check) -> Came {
        Came::Done
    }
}

impl Outcomes for bool {
    fn came(&self, _: &mut Check) -> Came {
        if *self { Came::Done } else { Came::Nothing }
    }
}

impl Outcomes for Option<Event<'_>> {
    #[inline]
    fn came(&self, check: &mut Check) -> Came {
        let Some(event) = self else {
            return Came::Nothing;
        };
        let (number, len) = number_and_len(event);
        check.number(number.into());
        check.event(event);
        Came::Event(number, len)
    }
}

impl<E: Numbered> Outcomes for Result<(), E> {
    fn came(&self, _: &mut Check) -> Came {
        match self {
            Ok(()) => Came::Done,
            Err(error) => Came::Refused(error.number()),
        }
    }
}

/// An error that has a number.
pub(super) trait Numbered {
    fn number(&self) -> u16;
}

impl Numbered for SendError {
    fn number(&self) -> u16 {
        self.code()
    }
}

impl Numbered for AcceptError {
    fn number(&self) -> u16 {
        self.code()
    }
}

impl Numbered for CloseError {
    fn number(&self) -> u16 {
        self.code()
    }
}

impl Numbered for NoEntropy {
    fn number(&self) -> u16 {
        self.code()
    }
}

impl<T> Numbered for Unsent<T> {
    fn number(&self) -> u16 {
        self.code()
    }
}

/// The number of an event, and what tells most about it: the length of its payload, or a code.
fn number_and_len(event: &Event<'_>) -> (u8, u64) {
    match event {
        Event::Request(request) => (1, request.target().len() as u64),
        Event::Http(request) => (2, request.target().len() as u64),
        Event::Refused(refusal) => (3, refusal.status.into()),
        Event::Open => (4, 0),
        Event::Start(head) => (5, head.frame_len),
        Event::Message(message) => (6, message.len() as u64),
        Event::Chunk(chunk) => (7, chunk.payload.len() as u64),
        Event::Ping(payload) => (8, payload.len() as u64),
        Event::Pong(pong) => (9, pong.payload.len() as u64),
        Event::Close(frame) => (10, frame.code.map_or(0, |code| code.get().into())),
        Event::Failed(failure) => (11, failure.code().into()),
        Event::Closed(report) => (12, report.code.into()),
    }
}

const EVENTS: [&str; 12] = [
    "Request", "Http", "Refused", "Open", "Start", "Message", "Chunk", "Ping", "Pong", "Close",
    "Failed", "Closed",
];

/// What came of a call, as far as a recording has it: a summary and a checksum.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outcome {
    pub(super) came: Came,
    /// Bytes taken of the input.
    pub(super) taken: u64,
    /// Bytes of output that wait after it.
    pub(super) output: u64,
    /// Bytes of its randomness that it has drawn; it stands elsewhere.
    pub(super) drawn: u64,
    pub(super) check: u16,
}

impl Outcome {
    /// That of a call which did not return.
    pub(super) const UNKNOWN: Self = Self {
        came: Came::Unknown,
        taken: 0,
        output: 0,
        drawn: 0,
        check: 0,
    };

    pub(super) fn write(self, writer: &mut Writer) {
        match self.came {
            Came::Nothing => writer.byte(0),
            Came::Done => writer.byte(1),
            Came::Unknown => writer.byte(3),
            Came::Refused(number) => {
                writer.byte(2);
                writer.number(number.into());
            }
            Came::Event(number, len) => {
                writer.byte(EVENT | number);
                writer.number(len);
            }
        }
        writer.number(self.taken);
        writer.number(self.output);
        let [low, high] = self.check.to_le_bytes();
        writer.byte(low);
        writer.byte(high);
    }

    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Self, Bad> {
        let came = match reader.byte()? {
            0 => Came::Nothing,
            1 => Came::Done,
            2 => Came::Refused(reader.small()?),
            3 => Came::Unknown,
            byte => {
                let number = byte ^ EVENT;
                if !(1..=EVENTS.len()).contains(&number.into()) {
                    return Err(Bad);
                }
                Came::Event(number, reader.number()?)
            }
        };
        Ok(Self {
            came,
            taken: reader.number()?,
            output: reader.number()?,
            drawn: 0,
            check: u16::from_le_bytes(reader.array()?),
        })
    }

    /// The name of the event that came, if one did.
    #[must_use]
    pub fn event(&self) -> Option<&'static str> {
        match self.came {
            Came::Event(number, _) => EVENTS.get(usize::from(number) - 1).copied(),
            _ => None,
        }
    }

    /// The number of the error that the call returned, if it did: its `code()`.
    #[must_use]
    pub const fn error(&self) -> Option<u16> {
        match self.came {
            Came::Refused(number) => Some(number),
            _ => None,
        }
    }

    /// How many bytes of output waited after the call.
    #[must_use]
    pub const fn output_len(&self) -> u64 {
        self.output
    }
}

/// One line.
impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.came, self.event()) {
            (Came::Event(_, len), Some(name)) => write!(f, "{name} ({len})")?,
            (Came::Refused(number), _) => write!(f, "error {number}")?,
            (Came::Nothing, _) => f.write_str("nothing")?,
            (Came::Unknown, _) => return f.write_str("no return"),
            _ => f.write_str("done")?,
        }
        write!(
            f,
            ", {} bytes taken, {} bytes drawn, {} bytes of output, checksum {:04x}",
            self.taken, self.drawn, self.output, self.check
        )
    }
}

/// The bit of what is an event.
const EVENT: u8 = 0x10;

#[cfg(test)]
mod tests {
    use super::*;

    /// Numbers come back as calls, and outcomes as what they were.
    #[test]
    fn both_ways() {
        let mut calls = 0;
        for number in 0..=u8::MAX {
            if let Some(call) = Call::of(number) {
                assert_eq!(call.number(), number);
                assert!(!call.name().is_empty());
                calls += 1;
            }
        }
        assert_eq!((calls, Call::of(0)), (38, None));
        let all = [Came::Nothing, Came::Done, Came::Refused(300), Came::Unknown].into_iter();
        for came in all.chain((1..=12).map(|number| Came::Event(number, 1000))) {
            let outcome = Outcome {
                came,
                taken: 7,
                output: 300,
                drawn: 0,
                check: 0x1234,
            };
            let mut writer = Writer::new(100);
            outcome.write(&mut writer);
            let bytes = writer.into_bytes();
            assert_eq!(Outcome::read(&mut Reader::new(&bytes, 0)), Ok(outcome));
        }
        for bad in [4, EVENT, EVENT | 13, 0x80] {
            let bytes = [bad, 1, 1, 1, 1, 1];
            assert_eq!(Outcome::read(&mut Reader::new(&bytes, 0)), Err(Bad));
        }
    }
    /// A refusal is told by the number of its error.
    #[test]
    fn refusals_have_numbers() {
        let mut check = Check::new(crate::replay::left_out::LeftOut::NOTHING);
        let number = |refused: Came| match refused {
            Came::Refused(number) => number,
            _ => 0,
        };
        let send = SendError::NotOpen;
        assert_eq!(number(Err::<(), _>(send).came(&mut check)), send.code());
        let unsent = Unsent {
            why: send,
            message: (),
        };
        assert_eq!(number(Err::<(), _>(unsent).came(&mut check)), send.code());
        let accept = AcceptError::NoRequest;
        let code = accept.code();
        assert_eq!(number(Err::<(), _>(accept).came(&mut check)), code);
        let close = CloseError::ReasonWithoutCode;
        assert_eq!(number(Err::<(), _>(close).came(&mut check)), close.code());
        let code = NoEntropy.code();
        assert_eq!(number(Err::<(), _>(NoEntropy).came(&mut check)), code);
        assert!(
            [send.code(), close.code(), code]
                .iter()
                .all(|code| *code > 1)
        );
    }

    /// What a person and a program are told of it.
    #[test]
    fn what_is_told() {
        for (came, event, error, shown) in [
            (Came::Event(6, 5), Some("Message"), None, "Message (5)"),
            (Came::Refused(300), None, Some(300), "error 300"),
            (Came::Nothing, None, None, "nothing"),
            (Came::Done, None, None, "done"),
        ] {
            let outcome = Outcome {
                came,
                taken: 7,
                output: 30,
                drawn: 4,
                check: 0xbeef,
            };
            assert_eq!((outcome.event(), outcome.error()), (event, error));
            assert_eq!(outcome.output_len(), 30);
            let rest = "7 bytes taken, 4 bytes drawn, 30 bytes of output, checksum beef";
            assert_eq!(
                alloc::format!("{outcome}"),
                alloc::format!("{shown}, {rest}")
            );
        }
        assert_eq!(alloc::format!("{}", Outcome::UNKNOWN), "no return");
    }
}
