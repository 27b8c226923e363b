//! Begins recordings, and writes them.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::time::Duration;

use crate::config::{ClientConfig, ServerConfig};
use crate::connection::Connection;
use crate::entropy::{Entropy, Randomness};
use crate::error::NoEntropy;
use crate::event::Kind;
use crate::handshake::{ClientRequest, Negotiated};
use crate::wire::checksum::seal;

use super::call::{Call, Came, Outcome};
use super::check::Check;
use super::entropy::Noted;
use super::left_out::{Direction, LeftOut, empty};
use super::recorded::Recorded;
use super::wire::Writer;
use super::{Ended, MAGIC, VERSION, settings};

/// How connections are recorded, and what begins one.
///
/// ```
/// use sansocket::ServerConfig;
/// use sansocket::replay::Recorder;
/// let recorder = Recorder::new(1 << 20).without_payloads().without_secrets();
/// let ws = recorder.server(&ServerConfig::upgraded());
/// assert!(ws.is_recording());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Recorder {
    most: usize,
    pub(super) left_out: LeftOut,
    epoch: Duration,
}

impl Recorder {
    /// Recordings of `most` bytes at most, or of 64 if that is less. When one is full it ends there and says so, and its
    /// connection goes on.
    #[must_use]
    pub const fn new(most: usize) -> Self {
        Self {
            most: if most < LEAST { LEAST } else { most },
            left_out: LeftOut::NOTHING,
            epoch: Duration::ZERO,
        }
    }

    /// Leaves out the payloads of messages and the reasons of Close frames: see [what is left of
    /// them](crate::replay#what-can-be-left-out).
    #[must_use]
    pub const fn without_payloads(mut self) -> Self {
        self.left_out.payloads = true;
        self
    }

    /// Leaves out the values of `Authorization`, `Cookie` and their like, and the query of the request's target.
    #[must_use]
    pub const fn without_secrets(mut self) -> Self {
        self.left_out.secrets = true;
        self
    }

    /// The time since 1970 at which the driver's clock, as it is told to
    /// [`advance_time`](Connection::advance_time), stands at zero: for who reads the recording.
    #[must_use]
    pub const fn epoch(mut self, epoch: Duration) -> Self {
        self.epoch = epoch;
        self
    }

    // ── what begins a connection

    /// As [`Connection::server`].
    #[must_use]
    pub fn server(&self, config: &ServerConfig) -> Recorded {
        let mut recording = self.begin(false);
        recording.call(Call::Server);
        settings::write_settings(&mut recording.writer, config.0.as_deref());
        recording.begun(Connection::server(config))
    }

    /// As [`Connection::client`].
    ///
    /// # Errors
    /// [`NoEntropy`] if the operating system gives none, or without the feature `getrandom`.
    pub fn client(
        &self,
        config: &ClientConfig,
        request: ClientRequest,
    ) -> Result<Recorded, NoEntropy> {
        self.client_from(config, request, Randomness::SYSTEM)
    }

    /// As [`Connection::client_with_entropy`].
    ///
    /// # Errors
    /// [`NoEntropy`] if the source gives none.
    pub fn client_with_entropy(
        &self,
        config: &ClientConfig,
        request: ClientRequest,
        entropy: Box<dyn Entropy + Send + Sync>,
    ) -> Result<Recorded, NoEntropy> {
        self.client_from(config, request, Randomness::custom(entropy))
    }

    fn client_from(
        &self,
        config: &ClientConfig,
        request: ClientRequest,
        source: Randomness,
    ) -> Result<Recorded, NoEntropy> {
        let mut recording = self.begin(false);
        recording.call(Call::Client);
        settings::write_settings(&mut recording.writer, config.0.as_deref());
        settings::write_request(&mut recording.writer, &request, self.left_out);
        let entropy = Box::new(Noted::new(source));
        let connection = Connection::client_with_entropy(config, request, entropy)?;
        Ok(recording.begun(connection))
    }

    /// As [`Connection::upgraded_server`].
    #[must_use]
    pub fn upgraded_server(&self, config: &ServerConfig, negotiated: Negotiated) -> Recorded {
        let mut recording = self.begin(true);
        recording.call(Call::UpgradedServer);
        settings::write_settings(&mut recording.writer, config.0.as_deref());
        settings::write_negotiated(&mut recording.writer, &negotiated);
        recording.begun(Connection::upgraded_server(config, negotiated))
    }

    /// As [`Connection::upgraded_client`].
    #[must_use]
    pub fn upgraded_client(&self, config: &ClientConfig, negotiated: Negotiated) -> Recorded {
        self.upgraded_client_from(config, negotiated, Randomness::SYSTEM)
    }

    /// As [`Connection::upgraded_client_with_entropy`].
    #[must_use]
    pub fn upgraded_client_with_entropy(
        &self,
        config: &ClientConfig,
        negotiated: Negotiated,
        entropy: Box<dyn Entropy + Send + Sync>,
    ) -> Recorded {
        self.upgraded_client_from(config, negotiated, Randomness::custom(entropy))
    }

    fn upgraded_client_from(
        &self,
        config: &ClientConfig,
        negotiated: Negotiated,
        source: Randomness,
    ) -> Recorded {
        let mut recording = self.begin(true);
        recording.call(Call::UpgradedClient);
        settings::write_settings(&mut recording.writer, config.0.as_deref());
        settings::write_negotiated(&mut recording.writer, &negotiated);
        let entropy = Box::new(Noted::new(source));
        recording.begun(Connection::upgraded_client_with_entropy(
            config, negotiated, entropy,
        ))
    }

    fn begin(&self, upgraded: bool) -> Recording {
        let mut writer = Writer::new(self.most - END);
        writer.raw(&MAGIC);
        writer.number(VERSION);
        writer.flag(self.left_out.payloads);
        writer.flag(self.left_out.secrets);
        writer.time(self.epoch);
        let check = Check::new(self.left_out);
        Recording {
            writer,
            left_out: self.left_out,
            check,
            begun: (0, check),
            in_call: false,
            ended: None,
            rest: Rest::default(),
            input: Direction::new(self.left_out, upgraded),
            output: Direction::new(self.left_out, upgraded),
            scratch: Vec::new(),
            pieces: Kind::Binary,
        }
    }
}

/// A recording that is written.
pub(super) struct Recording {
    pub(super) writer: Writer,
    pub(super) left_out: LeftOut,
    pub(super) check: Check,
    /// Where the step on the way begins, and the checksum before it.
    begun: (usize, Check),
    /// It has not returned yet.
    in_call: bool,
    ended: Option<Ended>,
    rest: Rest,
    input: Direction,
    output: Direction,
    scratch: Vec<u8>,
    /// The kind of the message that is sent in pieces.
    pub(super) pieces: Kind,
}

impl Recording {
    fn begun(mut self, mut connection: Connection) -> Recorded {
        self.done(&mut connection, Came::Done, 0);
        Recorded::new(connection, Some(Box::new(self)))
    }

    pub(super) const fn goes_on(&self) -> bool {
        self.ended.is_none()
    }

    /// Begins a step.
    #[inline]
    pub(super) fn call(&mut self, call: Call) {
        self.begun = (self.writer.len(), self.check);
        self.in_call = true;
        self.writer.byte(call.number());
    }

    /// Ends a step.
    #[inline]
    pub(super) fn done(&mut self, connection: &mut Connection, came: Came, taken: usize) {
        if let Some(noted) = connection.entropy_of::<Noted>() {
            let drawn = noted.drawn();
            self.writer.string(drawn);
            drawn.clear();
        } else {
            self.writer.byte(0);
        }
        let outcome = Outcome {
            came,
            taken: taken as u64,
            output: connection.output_len() as u64,
            drawn: 0,
            check: self.check.short(),
        };
        outcome.write(&mut self.writer);
        self.in_call = false;
        if self.ended.is_some() || self.writer.is_full() {
            self.stop(connection);
        }
    }

    /// Ends the recording before the step on the way.
    #[cold]
    fn stop(&mut self, connection: &mut Connection) {
        let (len, check) = self.begun;
        self.writer.truncate(len);
        self.check = check;
        self.ended.get_or_insert(Ended::Full);
        if let Some(noted) = connection.entropy_of::<Noted>() {
            noted.stop();
        }
    }

    /// The step on the way cannot be told without what is left out.
    pub(super) const fn give_up(&mut self) {
        self.ended = Some(Ended::LeftOut);
    }

    // ── what enters

    /// The input of a call: what is new in it. `appended`: the caller appends to what was left, wherever that is.
    pub(super) fn input(&mut self, input: &[u8], appended: bool, connection: &Connection) {
        let fresh = match self.rest.in_front_of(input, appended) {
            Some(fresh) => {
                self.writer.byte(GOES_ON);
                fresh
            }
            None if input.is_empty() => return self.writer.byte(ASIDE),
            None => {
                self.writer.byte(ANEW);
                input
            }
        };
        self.received(fresh, connection);
    }

    /// Bytes from the peer.
    pub(super) fn received(&mut self, bytes: &[u8], connection: &Connection) {
        if !self.left_out.anything() {
            return self.writer.string(bytes);
        }
        self.scratch.clear();
        let encodes = connection.may_decode();
        let left = self.input.leave_out(bytes, encodes, &mut self.scratch);
        if left.is_err() {
            self.give_up();
        }
        self.writer.packed(&self.scratch);
    }

    /// What the call has left of its input.
    pub(super) fn left(&mut self, rest: &[u8], given: usize) {
        if given > 0 {
            self.rest = Rest::of(rest);
        }
    }

    /// A payload of the application's.
    pub(super) fn payload(&mut self, kind: Kind, payload: &[u8]) {
        if !self.left_out.anything() {
            return self.writer.string(payload);
        }
        self.scratch.clear();
        self.scratch.extend_from_slice(payload);
        if self.left_out.payloads {
            empty(kind, &mut self.scratch);
        }
        self.writer.packed(&self.scratch);
    }

    // ── what comes out

    /// The first `n` bytes of the output leave.
    pub(super) fn leaves(&mut self, connection: &Connection, n: usize) {
        let (check, output, scratch) = (&mut self.check, &mut self.output, &mut self.scratch);
        let encodes = connection.may_decode();
        let told = tell_output(connection, n, |piece| {
            leaves(check, output, scratch, piece, encodes)
        });
        if told.is_err() {
            self.give_up();
        }
    }

    /// The whole recording.
    pub(super) fn into_bytes(mut self, connection: &mut Connection) -> Vec<u8> {
        if self.in_call && self.goes_on() {
            self.end_in_call(connection);
        }
        let before = self.check;
        let mut output = 0;
        if self.goes_on() {
            self.leaves(connection, usize::MAX);
            output = connection.output_len();
        }
        if self.ended == Some(Ended::LeftOut) {
            (self.check, output) = (before, 0);
        }
        let ended = self.ended.unwrap_or(Ended::Taken);
        self.writer.raise(END);
        self.writer.byte(0);
        self.writer.byte(ended.number());
        self.writer.number(output as u64);
        self.writer.raw(&self.check.whole().to_le_bytes());
        let seal = seal(self.writer.written());
        self.writer.raw(&seal.to_le_bytes());
        self.writer.into_bytes()
    }

    /// The call on the way panicked.
    fn end_in_call(&mut self, connection: &mut Connection) {
        self.ended = Some(Ended::InCall);
        self.check = self.begun.1;
        let noted = connection.entropy_of::<Noted>();
        self.writer.string(noted.map_or(&[], |noted| noted.drawn()));
        Outcome::UNKNOWN.write(&mut self.writer);
        if self.writer.is_full() {
            self.ended = None;
            self.stop(connection);
        }
    }

    /// Bytes of heap that it holds.
    pub(super) const fn memory_held(&self) -> usize {
        self.writer.capacity() + self.scratch.capacity()
    }
}

/// A piece of output, as far as it is recorded.
pub(super) fn leaves(
    check: &mut Check,
    output: &mut Direction,
    scratch: &mut Vec<u8>,
    piece: &[u8],
    encodes: bool,
) -> Result<(), super::left_out::Encoded> {
    if !output.leaves_out() {
        check.bytes(piece);
        return Ok(());
    }
    scratch.clear();
    output.leave_out(piece, encodes, scratch)?;
    check.bytes(scratch);
    Ok(())
}

/// Tells the first `n` bytes of the output in pieces.
pub(super) fn tell_output<E>(
    connection: &Connection,
    n: usize,
    mut tell: impl FnMut(&[u8]) -> Result<(), E>,
) -> Result<(), E> {
    let first = connection.output();
    if n <= first.len() || first.len() == connection.output_len() {
        return tell(&first[..n.min(first.len())]);
    }
    let mut slices: Vec<&[u8]> = alloc::vec![&[]; 16];
    loop {
        let filled = connection.output_slices(&mut slices);
        let len: usize = slices[..filled].iter().map(|slice| slice.len()).sum();
        if filled < slices.len() || len >= n {
            break;
        }
        slices.resize(2 * filled, &[]);
    }
    let mut left = n;
    for slice in slices {
        let len = left.min(slice.len());
        tell(&slice[..len])?;
        left -= len;
    }
    Ok(())
}

/// What was left of the last input: where it is, how long, its beginning and its end.
#[derive(Default)]
struct Rest {
    address: usize,
    len: usize,
    front: [u8; SAMPLE],
    back: [u8; SAMPLE],
}

impl Rest {
    #[inline]
    fn of(rest: &[u8]) -> Self {
        let (address, len) = (rest.as_ptr().addr(), rest.len());
        if let (Some(front), Some(back)) = (rest.first_chunk(), rest.last_chunk()) {
            let (front, back) = (*front, *back);
            return Self {
                address,
                len,
                front,
                back,
            };
        }
        let mut front = [0; SAMPLE];
        front[..len].copy_from_slice(rest);
        Self {
            address,
            len,
            front,
            back: front,
        }
    }

    /// What follows it in this input, if that begins with it. A driver that drops what was left and reads other
    /// bytes, as many, into the same place, the same at both ends, is taken for one that goes on.
    #[inline]
    fn in_front_of<'i>(&self, input: &'i [u8], appended: bool) -> Option<&'i [u8]> {
        if self.len == 0 || !appended && self.address != input.as_ptr().addr() {
            return None;
        }
        let (rest, fresh) = input.split_at_checked(self.len)?;
        let same = Self::of(rest);
        (same.front == self.front && same.back == self.back).then_some(fresh)
    }
}

/// So many bytes at either end of a rest are compared.
const SAMPLE: usize = 16;

/// Where an input comes from: what was left is dropped, goes on, or is left aside for this call.
pub(super) const ANEW: u8 = 0;
pub(super) const GOES_ON: u8 = 1;
pub(super) const ASIDE: u8 = 2;

/// The shortest recordings: a beginning and an end.
const LEAST: usize = 64;

/// Room for the end of a recording.
const END: usize = 2 + 10 + 8 + 8;
