//! Plays recordings.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::time::Duration;

use crate::config::{ClientConfig, ServerConfig, Settings};
use crate::connection::{Connection, Event};
use crate::extension::MessageExtension;
use crate::wire::checksum::seal;

use super::act::{Act, Source};
use super::call::{Call, Came, Outcome, Outcomes};
use super::check::Check;
use super::entropy::Given;
use super::input::{Input, Told};
use super::left_out::{Direction, LeftOut};
use super::recorder::{leaves, tell_output};
use super::settings::{self, Extensions};
use super::wire::{Bad, Reader, Unread};
use super::{Ended, MAGIC, ReplayError, VERSION};

/// A recording that is played, call by call.
///
/// ```
/// use sansocket::replay::{Recorder, Replay};
/// use sansocket::{Event, Negotiated, ServerConfig};
/// let mut ws = Recorder::new(1 << 20).upgraded_server(&ServerConfig::upgraded(), Negotiated::new());
/// let mut read = *b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58"; // RFC 6455 §5.7
/// let mut input = &mut read[..];
/// while ws.receive(&mut input).is_some() {}
/// let recording = ws.take_recording().unwrap();
///
/// let mut replay = Replay::new(&recording)?;
/// while let Some(step) = replay.step()? {
///     println!("{}: {}, {}", step.number, step.call.name(), step.outcome);
///     if let Some(Event::Message(message)) = step.event {
///         assert_eq!(message.as_str(), Some("Hello"));
///     }
/// }
/// # Ok::<(), sansocket::replay::ReplayError>(())
/// ```
pub struct Replay<'r> {
    reader: Reader<'r>,
    left_out: LeftOut,
    epoch: Duration,
    extensions: Extensions,
    room: u64,
    connection: Option<Connection>,
    check: Check,
    input: Input,
    output: Direction,
    scratch: Vec<u8>,
    /// The bytes that the step took from the peer, and those that left for it.
    received: Vec<u8>,
    sent: Vec<u8>,
    now: Option<Duration>,
    steps: u64,
    ended: Option<Ended>,
}

/// A call that was made again, with the same result.
#[derive(Debug)]
#[non_exhaustive]
pub struct Step<'s> {
    /// From 0 on, which begins the connection.
    pub number: u64,
    /// Which call it was.
    pub call: Call,
    /// What was last told to [`advance_time`](Connection::advance_time), if anything was.
    pub now: Option<Duration>,
    /// The bytes of the peer that it took.
    pub received: &'s [u8],
    /// The bytes for the peer that left with it.
    pub sent: &'s [u8],
    /// The event that came.
    pub event: Option<Event<'static>>,
    /// What came of it, as the recording has it.
    pub outcome: Outcome,
}

/// What a recording was that was played to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Replayed {
    /// How many calls it has, the one that begins the connection included.
    pub steps: u64,
    /// Why it ends.
    pub ended: Ended,
}

impl<'r> Replay<'r> {
    /// Begins to play.
    ///
    /// # Errors
    /// [`ReplayError::Foreign`], [`ReplayError::Version`], [`ReplayError::Damaged`], [`ReplayError::Malformed`].
    pub fn new(recording: &'r [u8]) -> Result<Self, ReplayError> {
        if !recording.starts_with(&MAGIC) {
            return Err(ReplayError::Foreign);
        }
        let mut reader = Reader::new(recording, MAGIC.len());
        let malformed = |at| ReplayError::Malformed { at };
        let version = reader.number().map_err(|_| malformed(MAGIC.len()))?;
        if version != VERSION {
            return Err(ReplayError::Version { version });
        }
        let (sealed, own_seal) = recording
            .split_last_chunk()
            .ok_or(malformed(recording.len()))?;
        if seal(sealed) != u64::from_le_bytes(*own_seal) {
            return Err(ReplayError::Damaged);
        }
        let mut reader = Reader::new(sealed, reader.at());
        let mut head = || {
            let (payloads, secrets) = (reader.flag()?, reader.flag()?);
            Ok((LeftOut { payloads, secrets }, reader.time()?))
        };
        let (left_out, epoch) = head().map_err(|Bad| malformed(MAGIC.len()))?;
        Ok(Self {
            reader,
            left_out,
            epoch,
            extensions: Extensions::new(),
            room: ROOM,
            connection: None,
            check: Check::new(left_out),
            input: Input::default(),
            output: Direction::new(left_out, false),
            scratch: Vec::new(),
            received: Vec::new(),
            sent: Vec::new(),
            now: None,
            steps: 0,
            ended: None,
        })
    }

    /// An extension of the application's, for the recording of a connection that had one of this name.
    #[must_use]
    pub fn extension(mut self, extension: impl MessageExtension + 'static) -> Self {
        self.extensions.push(Arc::new(extension));
        self
    }

    /// At most so many bytes may come of what the recording only tells the length of, such as payloads that were
    /// left out and buffers that were lent. 1 GiB, unless set.
    #[must_use]
    pub const fn most(mut self, bytes: u64) -> Self {
        self.room = bytes;
        self
    }

    /// Plays it to its end.
    ///
    /// # Errors
    /// Those of [`step`](Self::step).
    pub fn run(mut self) -> Result<Replayed, ReplayError> {
        while self.step()?.is_some() {}
        Ok(Replayed {
            steps: self.steps,
            ended: self.ended.unwrap_or(Ended::Taken),
        })
    }

    /// The next call; `None` at the end.
    ///
    /// # Errors
    /// [`ReplayError::Parted`] where something else came of it, [`ReplayError::Malformed`] for what no recording
    /// has, and [`ReplayError::Extension`], [`ReplayError::Feature`] and [`ReplayError::TooMuch`] for what is needed.
    /// Nothing can be played after that.
    pub fn step(&mut self) -> Result<Option<Step<'_>>, ReplayError> {
        if self.ended.is_some() {
            return Ok(None);
        }
        let at = self.reader.at();
        let call = match self.reader.byte() {
            Ok(0) => {
                self.end(at)?;
                return Ok(None);
            }
            Ok(number) => Call::of(number),
            Err(Bad) => None,
        };
        let call = call.ok_or(ReplayError::Malformed { at })?;
        self.received.clear();
        self.sent.clear();
        let (expected, got, event) = self.again(call).map_err(|why| self.error(why, at))?;
        let number = self.steps;
        if got != expected && expected.came != Came::Unknown {
            self.ended = Some(Ended::Taken);
            return Err(ReplayError::Parted {
                step: number,
                call,
                expected,
                got,
            });
        }
        self.steps += 1;
        Ok(Some(Step {
            number,
            call,
            now: self.now,
            received: &self.received,
            sent: &self.sent,
            event,
            outcome: expected,
        }))
    }

    /// Makes the call.
    fn again(&mut self, call: Call) -> Result<(Outcome, Outcome, Option<Event<'static>>), Unread> {
        if matches!(
            call,
            Call::Server | Call::Client | Call::UpgradedServer | Call::UpgradedClient
        ) {
            let (expected, got) = self.begin(call)?;
            return Ok((expected, got, None));
        }
        let mut source = Source {
            extensions: &self.extensions,
            packed: self.left_out.anything(),
            room: &mut self.room,
        };
        if takes_input(call) {
            self.input.read(call, &mut self.reader, &mut source)?;
            return self.receive_again(call);
        }
        let act = source.read(call, &mut self.reader)?;
        let (drawn, expected) = read_outcome(&mut self.reader)?;
        self.seen(&act);
        let ws = self.connection.as_mut().ok_or(Bad)?;
        give(ws, drawn);
        let came = act.again(ws, &mut self.check);
        Ok((expected, self.outcome(came, 0), None))
    }

    /// Makes a call that takes the input.
    fn receive_again(
        &mut self,
        call: Call,
    ) -> Result<(Outcome, Outcome, Option<Event<'static>>), Unread> {
        let (drawn, expected) = read_outcome(&mut self.reader)?;
        let ws = self.connection.as_mut().ok_or(Bad)?;
        give(ws, drawn);
        let received = &mut self.received;
        let (told, taken) = self.input.give(call, ws, expected.taken, received)?;
        let (came, event) = match told {
            Told::Event(event) => (event.came(&mut self.check), event),
            Told::Found(found) => (found.came(&mut self.check), None),
        };
        Ok((expected, self.outcome(came, taken), event))
    }

    /// What can be seen of a call before it is made.
    fn seen(&mut self, act: &Act<'_>) {
        match act {
            Act::AdvanceTime(now) => self.now = Some(*now),
            Act::Filled(_, bytes) => self.received.extend_from_slice(bytes),
            Act::ConsumeOutput(n) => self.leave(*n),
            _ => {}
        }
    }

    /// The first `n` bytes of the output leave.
    fn leave(&mut self, n: usize) {
        let Some(ws) = &self.connection else {
            return;
        };
        let encodes = ws.may_decode();
        // What is left out and encoded parts: the recording would have ended.
        let _ = tell_output(ws, n, |piece| {
            self.sent.extend_from_slice(piece);
            let (output, scratch) = (&mut self.output, &mut self.scratch);
            leaves(&mut self.check, output, scratch, piece, encodes)
        });
    }

    fn outcome(&mut self, came: Came, taken: usize) -> Outcome {
        let connection = self.connection.as_mut();
        let (output, drawn) = connection.map_or((0, 0), |ws| {
            let used = ws.entropy_of::<Given>().map_or(0, |given| given.used);
            (ws.output_len(), used)
        });
        Outcome {
            came,
            taken: taken as u64,
            output: output as u64,
            drawn: drawn as u64,
            check: self.check.short(),
        }
    }

    /// Begins the connection.
    fn begin(&mut self, call: Call) -> Result<(Outcome, Outcome), Unread> {
        if self.connection.is_some() {
            return Err(Unread::Bad);
        }
        let reader = &mut self.reader;
        let server = matches!(call, Call::Server | Call::UpgradedServer);
        let defaults = if server {
            Settings::SERVER
        } else {
            Settings::CLIENT
        };
        let config = settings::read_settings(reader, defaults, &self.extensions)?;
        let request = (call == Call::Client).then(|| settings::read_request(reader));
        let upgraded = matches!(call, Call::UpgradedServer | Call::UpgradedClient);
        let negotiated = upgraded.then(|| settings::read_negotiated(reader));
        let (request, negotiated) = (request.transpose()?, negotiated.transpose()?);
        let (drawn, expected) = read_outcome(reader)?;
        let mut given = Given::default();
        given.drawn.extend_from_slice(drawn);
        let connection = match (server, request, negotiated) {
            (false, Some(request), _) => {
                let config = ClientConfig(config);
                let entropy = Box::new(given);
                Connection::client_with_entropy(&config, request, entropy).map_err(|_| Bad)?
            }
            (false, None, Some(agreed)) => Connection::upgraded_client_with_entropy(
                &ClientConfig(config),
                agreed,
                Box::new(given),
            ),
            (true, _, Some(agreed)) => Connection::upgraded_server(&ServerConfig(config), agreed),
            _ => Connection::server(&ServerConfig(config)),
        };
        self.output = Direction::new(self.left_out, upgraded);
        self.connection = Some(connection);
        Ok((expected, self.outcome(Came::Done, 0)))
    }

    /// The end, and what waits there.
    fn end(&mut self, at: usize) -> Result<(), ReplayError> {
        let malformed = |Bad| ReplayError::Malformed { at };
        let number = self.reader.byte().map_err(malformed)?;
        let ended = Ended::of(number).ok_or(ReplayError::Malformed { at })?;
        let output = self.reader.number().map_err(malformed)?;
        let whole = self.reader.array().map_err(malformed)?;
        if !self.reader.is_empty() {
            return Err(ReplayError::Malformed {
                at: self.reader.at(),
            });
        }
        let mut waits = 0;
        if ended == Ended::Taken {
            let connection = self.connection.as_ref();
            waits = connection.map_or(0, |ws| ws.output_len() as u64);
            self.leave(usize::MAX);
        }
        self.ended = Some(ended);
        // What a call did that never returned is not known.
        if ended == Ended::InCall {
            return Ok(());
        }
        if (waits, self.check.whole()) == (output, u64::from_le_bytes(whole)) {
            Ok(())
        } else {
            Err(ReplayError::PartedAtEnd { steps: self.steps })
        }
    }

    fn error(&mut self, why: Unread, at: usize) -> ReplayError {
        self.ended = Some(Ended::Taken);
        match why {
            Unread::Bad => ReplayError::Malformed { at },
            Unread::TooMuch => ReplayError::TooMuch { at },
            Unread::Extension(name) => ReplayError::Extension { name },
            Unread::Feature(name) => ReplayError::Feature { name },
        }
    }

    // ── facts

    /// The connection as it is after the last step; `None` before the first one.
    #[must_use]
    pub const fn connection(&self) -> Option<&Connection> {
        self.connection.as_ref()
    }

    /// The time since 1970 at which the clock of the steps stands at zero, if the [recorder](super::Recorder::epoch)
    /// was told; zero if not.
    #[must_use]
    pub const fn epoch(&self) -> Duration {
        self.epoch
    }

    /// Payloads of messages were left out.
    #[must_use]
    pub const fn without_payloads(&self) -> bool {
        self.left_out.payloads
    }

    /// Why the recording ends, once the last step was made.
    #[must_use]
    pub const fn ended(&self) -> Option<Ended> {
        self.ended
    }
}

/// What was drawn in a step, and what came of it.
fn read_outcome<'r>(reader: &mut Reader<'r>) -> Result<(&'r [u8], Outcome), Bad> {
    let drawn = reader.string()?;
    let mut expected = Outcome::read(reader)?;
    expected.drawn = drawn.len() as u64;
    Ok((drawn, expected))
}

/// The randomness of the next step.
fn give(connection: &mut Connection, drawn: &[u8]) {
    if let Some(given) = connection.entropy_of::<Given>() {
        given.drawn.clear();
        given.drawn.extend_from_slice(drawn);
        given.used = 0;
    }
}

const fn takes_input(call: Call) -> bool {
    matches!(
        call,
        Call::Receive | Call::ReceiveCopy | Call::ReceiveBytes | Call::FindEvent | Call::KeepInput
    )
}

/// So many bytes may come of lengths alone.
const ROOM: u64 = 1 << 30;
