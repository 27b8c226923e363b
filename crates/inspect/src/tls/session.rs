//! Both ends of a session: what they say in the clear, and which keys follow from it.

use sansocket_tcp_streams::Sender;

use super::half::{Epoch, Half, Next, WAITING};
use super::hello::{self, ClientHello, ServerHello};
use super::keylog::{KeyLog, Label, Secrets};
use super::suite::{Keys, Suite};
use super::{Told, Why};

/// Records that the handshake may have which no key opens.
const FAILED: u32 = 64;

/// The most of a hello: no client says as much.
const HELLO: usize = 64 << 10;

const CHANGE_CIPHER_SPEC: u8 = 20;
const ALERT: u8 = 21;
const HANDSHAKE: u8 = 22;
const DATA: u8 = 23;

const CLIENT_HELLO: u8 = 1;
const SERVER_HELLO: u8 = 2;
const ENCRYPTED_EXTENSIONS: u8 = 8;
const KEY_UPDATE: u8 = 24;

/// A session of TLS, from its first byte on.
pub struct Session {
    halves: [Half; 2],
    stage: Stage,
    random: [u8; 32],
    /// Whether the client's early data is taken, once it has sent some.
    early: Early,
    /// Bytes of the last record of it that could not be opened: the very last one is of the handshake.
    early_lost: u64,
    asked: bool,
    /// Keys may still be logged.
    patient: bool,
}

/// How much is known.
enum Stage {
    /// The hellos are not there.
    Hello,
    /// There are no keys yet.
    Waiting(ServerHello, Suite),
    Ready,
    Over,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Early {
    None,
    Undecided,
    Accepted,
    Refused,
}

/// Hears what a session tells, and of whom.
type Tell<'t> = dyn FnMut(Sender, Told<'_>) + 't;

impl Session {
    /// `patient`: the keys may be logged later than their bytes are captured, as they are now.
    #[must_use]
    pub fn new(patient: bool) -> Self {
        Self {
            halves: [Half::new(), Half::new()],
            stage: Stage::Hello,
            random: [0; 32],
            early: Early::None,
            early_lost: 0,
            asked: false,
            patient,
        }
    }

    /// Whether these bytes begin with a record of TLS, as far as they say: those of a session from its beginning, or
    /// from somewhere.
    #[must_use]
    pub fn fits(bytes: &[u8]) -> bool {
        match bytes {
            [kind, major, minor, high, ..] => {
                matches!(*kind, CHANGE_CIPHER_SPEC..=DATA)
                    && *major == 3
                    && *minor <= 3
                    && *high <= 0x48
            }
            [kind, major, ..] => *kind == HANDSHAKE && *major == 3,
            _ => false,
        }
    }

    /// Whether it waits for keys: another look at the log is worth it.
    #[must_use]
    pub fn wants_keys(&self) -> bool {
        matches!(self.stage, Stage::Hello | Stage::Waiting(..))
    }

    /// Takes the next bytes of an end, or none to look at the log again.
    pub fn receive(&mut self, from: Sender, bytes: &[u8], log: &KeyLog, tell: &mut Tell<'_>) {
        if matches!(self.stage, Stage::Over) {
            return;
        }
        self.half(from).push(bytes);
        self.advance(from, log, tell);
        if self.patient && self.halves.iter().any(|half| half.waiting() > WAITING) {
            self.give_up(from, Why::NoKeys, tell);
        }
    }

    /// So many bytes of an end are missing.
    pub fn gap(&mut self, from: Sender, length: u64, tell: &mut Tell<'_>) {
        match self.stage {
            Stage::Over => {}
            Stage::Ready if self.early != Early::Undecided => self.half(from).lose(length),
            _ => self.give_up(from, Why::NoHandshake, tell),
        }
    }

    /// An end has ended its direction: what waits will not come.
    pub fn end(&mut self, from: Sender, tell: &mut Tell<'_>) {
        match self.stage {
            Stage::Over => {}
            Stage::Hello => self.give_up(from, Why::NoHandshake, tell),
            Stage::Waiting(..) if self.patient => {}
            Stage::Waiting(..) => self.give_up(from, Why::NoKeys, tell),
            Stage::Ready => {
                let half = self.half(from);
                if half.failed != 0 && half.epoch() != Some(Epoch::Application) {
                    return self.give_up(from, Why::WrongKeys, tell);
                }
                let rest = half.rest();
                if rest != 0 {
                    tell(from, Told::Gap(rest));
                }
            }
        }
    }

    /// Nothing more comes of either end.
    pub fn finish(&mut self, tell: &mut Tell<'_>) {
        self.patient = false;
        if !matches!(self.stage, Stage::Hello) {
            self.end(Sender::Client, tell);
            self.end(Sender::Server, tell);
        }
    }

    fn half(&mut self, from: Sender) -> &mut Half {
        &mut self.halves[usize::from(from == Sender::Server)]
    }

    fn give_up(&mut self, from: Sender, why: Why, tell: &mut Tell<'_>) {
        self.stage = Stage::Over;
        self.halves.iter_mut().for_each(Half::clear);
        tell(from, Told::Unreadable(why));
    }

    /// Reads what waits of both ends, as one may have waited for the other.
    fn advance(&mut self, from: Sender, log: &KeyLog, tell: &mut Tell<'_>) {
        let mut out = Vec::new();
        loop {
            self.look_up(from, log, tell);
            let before = self.halves.each_ref().map(Half::waiting);
            for from in [from, from.peer()] {
                while self.step(from, &mut out, tell) {}
            }
            let waits = matches!(self.stage, Stage::Waiting(..)) && !self.patient;
            if !waits && before == self.halves.each_ref().map(Half::waiting) {
                return;
            }
        }
    }

    /// Reads a record. Returns whether there may be another one.
    fn step(&mut self, from: Sender, out: &mut Vec<u8>, tell: &mut Tell<'_>) -> bool {
        let ready = matches!(self.stage, Stage::Ready);
        let undecided = self.early == Early::Undecided && from == Sender::Client;
        if matches!(self.stage, Stage::Over | Stage::Waiting(..)) {
            return false;
        }
        let half = self.half(from);
        if ready && let Some(opened) = half.search(out) {
            self.opened(from, opened, out, tell);
            return true;
        }
        match half.next() {
            Next::Nothing => false,
            Next::Bad if ready && half.epoch().is_some() => {
                half.lose_place();
                true
            }
            Next::Bad => {
                self.give_up(from, Why::Damaged, tell);
                false
            }
            // Early data, of which is not known what becomes of it.
            Next::Record { kind: DATA, .. } if undecided && half.waiting() < WAITING / 2 => false,
            Next::Record { kind, length } => {
                let encrypted = kind == DATA || ready && kind != CHANGE_CIPHER_SPEC && half.changed;
                if encrypted && ready {
                    self.encrypted(from, length, out, tell);
                } else {
                    let record = half.front(length).to_vec();
                    half.take(length);
                    self.plain(from, kind, &record[5..], tell);
                }
                true
            }
        }
    }

    fn encrypted(&mut self, from: Sender, length: usize, out: &mut Vec<u8>, tell: &mut Tell<'_>) {
        let early = self.early;
        let half = self.half(from);
        if let Some(opened) = half.open(length, out) {
            half.take(length);
            return self.opened(from, opened, out, tell);
        }
        if half.epoch() == Some(Epoch::Application) {
            return half.fail(length);
        }
        half.take(length);
        // Early data whose key was not logged.
        if from == Sender::Client && half.epoch().is_none() && early != Early::None {
            let lost =
                std::mem::replace(&mut self.early_lost, length.saturating_sub(5 + 17) as u64);
            if early == Early::Accepted && lost != 0 {
                tell(from, Told::Gap(lost));
            }
            return;
        }
        half.failed += 1;
        if half.failed == FAILED {
            self.give_up(from, Why::WrongKeys, tell);
        }
    }

    fn opened(
        &mut self,
        from: Sender,
        opened: super::half::Opened,
        out: &[u8],
        tell: &mut Tell<'_>,
    ) {
        if opened.gap != 0 {
            tell(from, Told::Gap(opened.gap));
        }
        let message = hello::message(out);
        match opened.kind {
            // What is refused, the server throws away.
            DATA if opened.epoch == Epoch::Early && self.early != Early::Accepted => {}
            DATA if !out.is_empty() => tell(from, Told::Data(out)),
            ALERT => {
                if let Some(alert) = out.get(1) {
                    tell(from, Told::Alert(*alert));
                }
            }
            HANDSHAKE if message.as_ref().is_some_and(|it| it.kind == KEY_UPDATE) => {
                tell(from, Told::KeyUpdate);
            }
            _ => {}
        }
        if from == Sender::Server && self.early == Early::Undecided {
            let accepted = message.is_some_and(|it| {
                it.kind == ENCRYPTED_EXTENSIONS && hello::takes_early_data(it.body)
            });
            self.decide(accepted, tell);
        }
    }

    fn decide(&mut self, accepted: bool, tell: &mut Tell<'_>) {
        if self.early == Early::Undecided {
            self.early = if accepted {
                Early::Accepted
            } else {
                Early::Refused
            };
            tell(Sender::Server, Told::Early { accepted });
        }
    }

    /// A record that is not encrypted.
    fn plain(&mut self, from: Sender, kind: u8, body: &[u8], tell: &mut Tell<'_>) {
        let hello = matches!(self.stage, Stage::Hello);
        match kind {
            CHANGE_CIPHER_SPEC => {
                // In TLS 1.3 it says nothing, and its records are encrypted by their kind.
                self.half(from).changed = true;
            }
            ALERT => {
                if let Some(alert) = body.get(1) {
                    tell(from, Told::Alert(*alert));
                }
            }
            DATA if hello && !self.asked => self.give_up(from, Why::NoHandshake, tell),
            HANDSHAKE if hello => {
                let handshake = &mut self.half(from).handshake;
                handshake.extend(body);
                if handshake.len() > HELLO {
                    return self.give_up(from, Why::Damaged, tell);
                }
                while matches!(self.stage, Stage::Hello) && self.hello(from, tell) {}
            }
            _ => {}
        }
    }

    /// Reads a message, and returns whether there was one.
    fn hello(&mut self, from: Sender, tell: &mut Tell<'_>) -> bool {
        let bytes = std::mem::take(&mut self.half(from).handshake);
        let Some(message) = hello::message(&bytes) else {
            self.half(from).handshake = bytes;
            return false;
        };
        let length = 4 + message.body.len();
        match (from, message.kind) {
            (Sender::Client, CLIENT_HELLO) => self.client_hello(message.body, tell),
            (Sender::Server, SERVER_HELLO) => self.server_hello(message.body, tell),
            _ => {}
        }
        if matches!(self.stage, Stage::Hello) {
            self.half(from).handshake = bytes[length..].to_vec();
        }
        true
    }

    fn client_hello(&mut self, body: &[u8], tell: &mut Tell<'_>) {
        let Some(hello) = ClientHello::read(body) else {
            return self.give_up(Sender::Client, Why::Damaged, tell);
        };
        self.random = hello.random;
        if hello.early && self.early == Early::None {
            self.early = Early::Undecided;
        }
        if !std::mem::replace(&mut self.asked, true) {
            let server_name = hello.server_name;
            tell(Sender::Client, Told::Asked { server_name });
        }
    }

    fn server_hello(&mut self, body: &[u8], tell: &mut Tell<'_>) {
        let hello = match ServerHello::read(body) {
            Ok(hello) => hello,
            Err(why) => return self.give_up(Sender::Server, why, tell),
        };
        if hello.retry {
            return self.decide(false, tell);
        }
        let (version, number) = (hello.version, hello.suite);
        tell(
            Sender::Server,
            Told::Agreed {
                version,
                suite: number,
            },
        );
        if !self.asked {
            return self.give_up(Sender::Server, Why::NoHandshake, tell);
        }
        match Suite::of(number) {
            Some(suite) if suite.is_tls13() == (version == 0x0304) => {
                if version != 0x0304 {
                    self.decide(false, tell);
                }
                self.stage = Stage::Waiting(hello, suite);
            }
            _ => self.give_up(Sender::Server, Why::Suite(number), tell),
        }
    }

    /// Takes the keys from the log, once they are there.
    fn look_up(&mut self, from: Sender, log: &KeyLog, tell: &mut Tell<'_>) {
        let Stage::Waiting(hello, suite) = &self.stage else {
            return;
        };
        let secrets = log.secrets(&self.random);
        if self.patient && !secrets.is_some_and(Secrets::are_enough) {
            return;
        }
        let Some(keys) = secrets.and_then(|secrets| keys(secrets, &self.random, hello, *suite))
        else {
            return self.give_up(from, Why::NoKeys, tell);
        };
        for (half, keys) in self.halves.iter_mut().zip(keys) {
            half.handshake = Vec::new();
            keys.into_iter()
                .for_each(|(epoch, keys)| half.add(epoch, keys));
        }
        self.stage = Stage::Ready;
    }
}

/// Those of the client and the server in the order in which they use them; none if none is the application's.
fn keys(
    secrets: &Secrets,
    random: &[u8; 32],
    hello: &ServerHello,
    suite: Suite,
) -> Option<[Vec<(Epoch, Keys)>; 2]> {
    if !suite.is_tls13() {
        let master = secrets.get(Label::Master)?;
        let both = Keys::of_master(suite, master, [random, &hello.random])?;
        return Some(both.map(|keys| vec![(Epoch::Application, keys)]));
    }
    let of = |epoch, label| {
        let keys = Keys::of_secret(suite, secrets.get(label)?)?;
        Some((epoch, keys))
    };
    let all = [
        [
            of(Epoch::Early, Label::ClientEarly),
            of(Epoch::Handshake, Label::ClientHandshake),
            of(Epoch::Application, Label::Client),
        ],
        [
            None,
            of(Epoch::Handshake, Label::ServerHandshake),
            of(Epoch::Application, Label::Server),
        ],
    ];
    let found = all.iter().any(|of_end| of_end[2].is_some());
    found.then(|| all.map(|of_end| of_end.into_iter().flatten().collect()))
}
