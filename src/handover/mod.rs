//! Live hand-over: a connection becomes bytes in one process and goes on in another, whose program may be a newer one
//! (feature `handover`).
//!
//! [`Connection::suspend`] gives the state, and [`Connection::resume`] goes on from it: between any two calls, also in
//! the middle of a frame, a message or a handshake. The transport goes along by other means, such as a descriptor over a
//! Unix socket, and nothing is said to the peer.
//!
//! ```
//! use core::time::Duration;
//! use sansocket::{Connection, Event, Negotiated, ServerConfig};
//!
//! let config = ServerConfig::upgraded();
//! let mut ws = Connection::upgraded_server(&config, Negotiated::new());
//! assert!(matches!(ws.receive(&mut &mut [][..]), Some(Event::Open)));
//! let mut read = *b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f"; // RFC 6455 §5.7, cut in the middle
//! assert!(ws.receive(&mut &mut read[..]).is_none());
//!
//! let now = Duration::from_secs(7_000_000); // whatever the old process counts from
//! let state = ws.suspend(now)?;
//! assert!(state.len() < 60);
//!
//! let now = Duration::ZERO; // the same moment, as the new process counts
//! let mut ws = Connection::resume(&state, &config, None, now)?;
//! let mut read = *b"\x4d\x51\x58";
//! let Some(Event::Message(message)) = ws.receive(&mut &mut read[..]) else { panic!() };
//! assert_eq!(message, "Hello");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # What goes along
//!
//! | what | what becomes of it |
//! |---|---|
//! | output that is queued, what was gathered of a message or a head, input that was [kept](Connection::keep_input), an event that was [found](Connection::find_event) | goes along, and so do subprotocol, extensions, and what the report will say |
//! | input that `receive` has not taken | is the driver's to move, or to [keep](Connection::keep_input) before |
//! | randomness | stays: a state that was resumed twice would repeat masking keys. `resume` takes a source; without one a client asks the operating system. Only the key of a frame that is being sent in pieces goes along |
//! | deadlines | stand still: `now` of `resume` is the moment that `now` of `suspend` was. Whoever wants the time between to count resumes with a `now` that lies before the present one by as much, and tells the time |
//! | limits and other settings | are those of the configuration that `resume` is given. They hold for what comes, a message in progress included, as with [`set_limits`](Connection::set_limits); what is there already stays, in chunks or whole as it began. What `set_limits` and `accept_unmasked` had changed is forgotten |
//! | what was negotiated | stays. A configuration without the extension that encodes messages cannot go on ([`ResumeError::Extension`]) |
//! | the window of the peer's compressed messages | goes along, 32 KiB at most; our own messages begin with an empty one, as any may (RFC 7692 §7.2.1) |
//! | a compressed message that is being received | cannot: [`SuspendError::InCompressedMessage`], until it is whole |
//! | bytes that are shared with others ([`Prepared`](crate::Prepared), `Bytes`) | are the connection's own afterwards, and count as its memory |
//!
//! Beside what is queued, gathered, held or kept, and the strings that were negotiated, an idle open connection takes 96
//! bytes at most, and any other 320.
//!
//! The state holds what was said and, in the opening handshake, fields such as `Cookie`: it is as secret as the
//! memory of the process. Resume it once: what is queued would leave twice.
//!
//! # The format
//!
//! `89 57 53 48`, the version (1), the state, and a checksum of all. Numbers take seven bits a byte; those of errors and
//! events are the ones that stay the same in every version. Later versions of the crate read what this one writes.
//! Nothing in it makes `resume` panic, nor take memory beyond its length in proportion; what no connection can be in is
//! [`ResumeError::Corrupt`]. The checksum tells accidents, not forgers: a state from where nobody else can write is
//! the caller's part.

mod error;

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::time::Duration;

pub use error::{ResumeError, SuspendError, Unsuspended};

use crate::config::{ClientConfig, ServerConfig, Settings};
use crate::connection::Connection;
use crate::entropy::{Entropy, Randomness};
use crate::role::Role;
use crate::wire::checksum::seal;
use crate::wire::{Reader, Writer};

/// How a state begins.
pub const MAGIC: [u8; 4] = *b"\x89WSH";

const VERSION: u64 = 1;

/// Bytes of the checksum at the end.
const SEAL: usize = 8;

/// The configuration of a connection that is resumed, for its role.
#[derive(Debug, Clone, Copy)]
pub enum Config<'c> {
    /// Of a server's connection.
    Server(&'c ServerConfig),
    /// Of a client's connection.
    Client(&'c ClientConfig),
}

impl Config<'_> {
    const fn role(self) -> Role {
        match self {
            Self::Server(_) => Role::Server,
            Self::Client(_) => Role::Client,
        }
    }

    fn settings(self) -> Option<Arc<Settings>> {
        match self {
            Self::Server(config) => config.0.clone(),
            Self::Client(config) => config.0.clone(),
        }
    }
}

impl<'c> From<&'c ServerConfig> for Config<'c> {
    fn from(config: &'c ServerConfig) -> Self {
        Self::Server(config)
    }
}

impl<'c> From<&'c ClientConfig> for Config<'c> {
    fn from(config: &'c ClientConfig) -> Self {
        Self::Client(config)
    }
}

impl Connection {
    /// Ends the connection here, and gives its state as bytes, to [`resume`](Self::resume) it elsewhere. Nothing is
    /// said to the peer. [`handover`](crate::handover) says what goes along.
    ///
    /// `now` is the time as [`advance_time`](Self::advance_time) is told it; no deadline is judged. For a connection
    /// that was never told the time it means nothing.
    ///
    /// # Errors
    /// [`SuspendError::InCompressedMessage`] and [`SuspendError::Extension`], with the connection as it was.
    ///
    /// ```
    /// # use core::time::Duration;
    /// # use sansocket::{Connection, Negotiated, ServerConfig};
    /// # let (now, mut states) = (Duration::ZERO, vec![]);
    /// # let ws = Connection::upgraded_server(&ServerConfig::upgraded(), Negotiated::new());
    /// match ws.suspend(now) {
    ///     Ok(state) => states.push(state),
    ///     Err(not) => drop(not.connection), // or read on, and try again
    /// }
    /// # assert_eq!(states.len(), 1);
    /// ```
    pub fn suspend(self, now: Duration) -> Result<Vec<u8>, Box<Unsuspended>> {
        let mut to = Writer::new(usize::MAX);
        to.raw(&MAGIC);
        to.number(VERSION);
        to.byte(number(self.role()));
        if let Err(unsaved) = self.save(now, &mut to) {
            return Err(Box::new(Unsuspended {
                why: unsaved.into(),
                connection: self,
            }));
        }
        let seal = seal(to.written());
        to.raw(&seal.to_le_bytes());
        Ok(to.into_bytes())
    }

    /// Goes on with a connection that was [suspended](Self::suspend), here or in another process: as if nothing had
    /// happened, but for what [`handover`](crate::handover) says.
    ///
    /// `entropy` is where a client has its randomness from; without one that is the operating system (feature
    /// `getrandom`). `now` is the moment at which the connection was suspended, as `advance_time` is going to count.
    ///
    /// # Errors
    /// [`ResumeError`]: other bytes, another version, or a configuration that is not for it.
    ///
    /// ```
    /// # use core::time::Duration;
    /// # use sansocket::{ClientConfig, Connection, Negotiated, ServerConfig, Role, handover::ResumeError};
    /// # let now = Duration::ZERO;
    /// # let ws = Connection::upgraded_server(&ServerConfig::upgraded(), Negotiated::new());
    /// # let state = ws.suspend(now).unwrap();
    /// let ws = Connection::resume(&state, &ServerConfig::upgraded(), None, now)?;
    /// let error = Connection::resume(&state, &ClientConfig::new(), None, now).unwrap_err();
    /// assert_eq!(error, ResumeError::Role { role: Role::Server });
    /// # Ok::<(), ResumeError>(())
    /// ```
    pub fn resume<'c>(
        state: &[u8],
        config: impl Into<Config<'c>>,
        entropy: Option<Box<dyn Entropy + Send + Sync>>,
        now: Duration,
    ) -> Result<Self, ResumeError> {
        let config = config.into();
        let (role, mut from) = open(state)?;
        if role != config.role() {
            return Err(ResumeError::Role { role });
        }
        let entropy = entropy.map_or(Randomness::SYSTEM, Randomness::custom);
        let connection = Self::read(role, config.settings(), entropy, now, &mut from)?;
        if from.is_empty() {
            Ok(connection)
        } else {
            Err(ResumeError::Corrupt)
        }
    }
}

/// Whose connection this is the state of, for who has both and picks a configuration by it.
///
/// # Errors
/// [`ResumeError`]: it is no state, or one that is not known here.
///
/// ```
/// # use core::time::Duration;
/// # use sansocket::{Connection, Negotiated, Role, ServerConfig, handover};
/// # let ws = Connection::upgraded_server(&ServerConfig::upgraded(), Negotiated::new());
/// # let state = ws.suspend(Duration::ZERO).unwrap();
/// assert_eq!(handover::role_of(&state), Ok(Role::Server));
/// ```
pub fn role_of(state: &[u8]) -> Result<Role, ResumeError> {
    open(state).map(|(role, _)| role)
}

/// The role, and what comes after it.
fn open(state: &[u8]) -> Result<(Role, Reader<'_>), ResumeError> {
    if !state.starts_with(&MAGIC) {
        return Err(ResumeError::Foreign);
    }
    let version = Reader::new(state, MAGIC.len()).number();
    match version {
        Ok(VERSION) => {}
        Ok(version) => return Err(ResumeError::Version { version }),
        Err(_) => return Err(ResumeError::Damaged),
    }
    let (sealed, own_seal) = state
        .split_last_chunk::<SEAL>()
        .ok_or(ResumeError::Damaged)?;
    if seal(sealed) != u64::from_le_bytes(*own_seal) {
        return Err(ResumeError::Damaged);
    }
    let mut from = Reader::new(sealed, MAGIC.len());
    from.number()?;
    let role = match from.byte()? {
        SERVER => Role::Server,
        CLIENT => Role::Client,
        _ => return Err(ResumeError::Corrupt),
    };
    Ok((role, from))
}

const fn number(role: Role) -> u8 {
    match role {
        Role::Server => SERVER,
        Role::Client => CLIENT,
    }
}

const SERVER: u8 = 0;
const CLIENT: u8 = 1;
