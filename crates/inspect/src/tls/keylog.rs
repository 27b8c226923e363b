//! Secrets that an end has logged: lines of a label, the client's random and a secret, in hexadecimal
//! (draft-ietf-tls-keylogfile).

use std::collections::{HashMap, VecDeque};

/// The most sessions whose secrets are kept; of more, the first are forgotten.
pub const SESSIONS: usize = 1 << 16;

/// No line that says something is longer.
const LINE: usize = 512;

/// The most bytes that a secret has: those of SHA-384, and of a master secret.
const SECRET: usize = 48;

/// Secrets by the random of the client's hello.
#[derive(Debug, Default)]
pub struct KeyLog {
    sessions: HashMap<[u8; 32], Secrets>,
    order: VecDeque<[u8; 32]>,
    /// The beginning of a line.
    line: Vec<u8>,
    /// The line is too long to say anything.
    long: bool,
}

/// The secrets of a session.
#[derive(Clone, Copy, Default)]
pub struct Secrets {
    of: [Option<Secret>; 6],
}

/// A secret of 32 or 48 bytes.
#[derive(Clone, Copy)]
struct Secret {
    bytes: [u8; SECRET],
    length: u8,
}

/// What a secret is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Label {
    /// TLS 1.2.
    Master,
    ClientEarly,
    ClientHandshake,
    ServerHandshake,
    Client,
    Server,
}

impl Label {
    fn of(name: &[u8]) -> Option<Self> {
        Some(match name {
            b"CLIENT_RANDOM" => Self::Master,
            b"CLIENT_EARLY_TRAFFIC_SECRET" => Self::ClientEarly,
            b"CLIENT_HANDSHAKE_TRAFFIC_SECRET" => Self::ClientHandshake,
            b"SERVER_HANDSHAKE_TRAFFIC_SECRET" => Self::ServerHandshake,
            b"CLIENT_TRAFFIC_SECRET_0" => Self::Client,
            b"SERVER_TRAFFIC_SECRET_0" => Self::Server,
            _ => return None,
        })
    }
}

impl Secrets {
    pub(super) fn get(&self, label: Label) -> Option<&[u8]> {
        let secret = self.of[label as usize].as_ref()?;
        secret.bytes.get(..usize::from(secret.length))
    }

    /// Whether the application's bytes can be read with them.
    pub(super) fn are_enough(&self) -> bool {
        let has = |label| self.get(label).is_some();
        has(Label::Master) || has(Label::Client) && has(Label::Server)
    }
}

/// Shows no secret.
impl std::fmt::Debug for Secrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let known = self.of.iter().flatten().count();
        write!(f, "Secrets({known} of them)")
    }
}

impl KeyLog {
    /// Adds the next bytes of a file: a line that they do not end goes on with the next ones. Lines that say nothing
    /// are passed over, as comments are.
    pub fn add(&mut self, bytes: &[u8]) {
        for part in bytes.split_inclusive(|byte| *byte == b'\n') {
            self.long |= self.line.len() + part.len() > LINE;
            if self.long {
                self.line.clear();
            } else {
                self.line.extend(part);
            }
            if part.ends_with(b"\n") {
                self.end_line();
            }
        }
    }

    /// Adds a whole file.
    pub fn add_file(&mut self, bytes: &[u8]) {
        self.add(bytes);
        self.end();
    }

    /// The bytes so far are a whole file.
    pub fn end(&mut self) {
        self.end_line();
    }

    /// Those of the session whose client has said this random.
    #[must_use]
    pub fn secrets(&self, client_random: &[u8; 32]) -> Option<&Secrets> {
        self.sessions.get(client_random)
    }

    /// Whether no secret was read.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.sessions.is_empty()
    }

    fn end_line(&mut self) {
        let line = std::mem::take(&mut self.line);
        if !std::mem::take(&mut self.long) {
            self.read(&line);
        }
    }

    fn read(&mut self, line: &[u8]) -> Option<()> {
        let mut words = line
            .split(u8::is_ascii_whitespace)
            .filter(|word| !word.is_empty());
        let label = Label::of(words.next()?)?;
        let mut random = [0; 32];
        if hex(words.next()?, &mut random)? != random.len() {
            return None;
        }
        let mut bytes = [0; SECRET];
        let length = hex(words.next()?, &mut bytes)?;
        if length < 32 {
            return None;
        }
        let secret = Secret {
            bytes,
            length: u8::try_from(length).ok()?,
        };
        if !self.sessions.contains_key(&random) {
            if self.order.len() == SESSIONS
                && let Some(first) = self.order.pop_front()
            {
                self.sessions.remove(&first);
            }
            self.order.push_back(random);
        }
        self.sessions.entry(random).or_default().of[label as usize] = Some(secret);
        Some(())
    }
}

/// How many bytes it is, if it is hexadecimal and there is room for them.
fn hex(text: &[u8], out: &mut [u8]) -> Option<usize> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let (pairs, []) = text.as_chunks::<2>() else {
        return None;
    };
    let out = out.get_mut(..pairs.len())?;
    for (to, [high, low]) in out.iter_mut().zip(pairs) {
        *to = u8::try_from(digit(*high)? << 4 | digit(*low)?).ok()?;
    }
    Some(pairs.len())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by a panic")]
    use super::*;

    #[test]
    fn lines_of_a_key_log() {
        let random = "ab".repeat(32);
        let (short, long) = ("01".repeat(32), "02".repeat(48));
        let mut log = KeyLog::default();
        let text = format!(
            "# a comment\r\nCLIENT_RANDOM {random} {long}\r\n\nSERVER_TRAFFIC_SECRET_0 {random} {short}\n\
             CLIENT_TRAFFIC_SECRET_0 {random} {long}00\nCLIENT_TRAFFIC_SECRET_0 {random} 0g\nRSA 00 00\n\
             CLIENT_TRAFFIC_SECRET_0 {random} 00\n{}\nCLIENT_EARLY_TRAFFIC_SECRET {random} {short}",
            "x".repeat(2000)
        );
        for piece in text.as_bytes().chunks(7) {
            log.add(piece);
        }
        let secrets = |log: &KeyLog| *log.secrets(&[0xab; 32]).unwrap();
        assert_eq!(secrets(&log).get(Label::Master), Some(&[2; 48][..]));
        assert_eq!(secrets(&log).get(Label::Server), Some(&[1; 32][..]));
        assert_eq!(secrets(&log).get(Label::Client), None);
        assert_eq!(secrets(&log).get(Label::ClientEarly), None);
        log.end();
        assert_eq!(secrets(&log).get(Label::ClientEarly), Some(&[1; 32][..]));
        assert_eq!(format!("{:?}", secrets(&log)), "Secrets(3 of them)");
    }

    #[test]
    fn the_first_sessions_are_forgotten() {
        let mut log = KeyLog::default();
        for n in 0..=SESSIONS {
            let line = format!("CLIENT_RANDOM {n:064x} {}\n", "00".repeat(48));
            log.add(line.as_bytes());
        }
        assert_eq!(log.sessions.len(), SESSIONS);
        assert!(log.secrets(&[0; 32]).is_none() && !log.is_empty());
    }
}
