//! Recordings of all that enters a connection, and their replay: a fault becomes a file, and the file a test
//! (feature `replay`).
//!
//! A [`Recorder`] begins a connection that is [`Recorded`]: it has the methods of a [`Connection`](crate::Connection)
//! and writes each call that changes something into memory, with its arguments, the time, the randomness drawn, and a
//! checksum of what came out. The driver takes it as bytes. A [`Replay`] makes the same calls again: the same events
//! and the same output come, byte for byte, or it says where they part.
//!
//! ```
//! use sansocket::replay::{Recorder, Replay};
//! use sansocket::{CloseCode, Event, Negotiated, ServerConfig};
//!
//! let mut ws = Recorder::new(1 << 20).upgraded_server(&ServerConfig::upgraded(), Negotiated::new());
//! let mut read = *b"\x88\x82\0\0\0\0\x03\xe8"; // the driver goes on as it would without
//! let mut input = &mut read[..];
//! while let Some(event) = ws.receive(&mut input) {
//!     if let Event::Open = event {
//!         ws.send("Hello")?;
//!     }
//! }
//! ws.consume_output(ws.output_len());
//! let recording = ws.take_recording().unwrap(); // to be written to a file
//! assert!(recording.len() < 150);
//! # let file = std::env::temp_dir().join(format!("sansocket-replay-{}", std::process::id()));
//! # std::fs::write(&file, &recording)?;
//!
//! // The whole test:
//! let recording = std::fs::read(&file)?;
//! let replayed = Replay::new(&recording)?.run()?;
//! assert_eq!(replayed.steps, 6);
//! # std::fs::remove_file(&file)?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! `wsinspect` (package `sansocket-inspect`) shows a recording like a capture.
//!
//! # What can be left out
//!
//! A recording has everything that the peers said. [`Recorder::without_payloads`] leaves out the payloads of messages
//! and the reasons of Close frames, [`Recorder::without_secrets`] the values of fields such as `Authorization` and
//! `Cookie` and the query of the request's target. Something of the same length stands in their place, so that the
//! replay takes the same way:
//!
//! | what | what is left of it |
//! |---|---|
//! | binary messages | their length: zeros |
//! | text, reasons | the class of each byte, by which UTF-8 is judged: every ASCII character is `x`, and where text is not UTF-8 it is not in the replay either |
//! | masked payloads | the same under the same key; keys stay |
//! | messages that an extension encodes, such as compressed ones | nothing can stand for them: the recording ends before the first one, and [says so](Ended::LeftOut) |
//! | secret fields, the query | letters and digits are `x`, signs stay |
//!
//! Pings and pongs stay, as what answers what depends on them; so do bodies of answers over HTTP, subprotocols and
//! extensions. What the application decided by a payload is in the calls that it made.
//!
//! # What a replay shows
//!
//! Every event with all that it tells, every result of a call, and each byte of output when it leaves. Not what only
//! looks at a connection, such as [`next_deadline`](crate::Connection::next_deadline). The version of the crate that
//! plays it may be another one, and the recording parts where it behaves otherwise. Compressed output depends on the
//! version of zlib-rs too, and what a [ceiling on memory](crate::config::Limits::memory) refuses on the width of
//! pointers. A connection with an extension of the application's needs [that extension](Replay::extension).
//!
//! A recorded client has its randomness from a source of the [recorder's](Recorder), even where that asks the
//! operating system, and so draws it key by key; [`memory_held`](crate::Connection::memory_held) does not count it.
//!
//! # The format
//!
//! The magic `89 57 53 52 0d 0a 1a 0a`, the version (1), and then calls, each with its number, its arguments, what was
//! drawn, and what came of it, up to the end with its reason and a checksum of all. Numbers take seven bits a byte.
//! Later versions of the crate read what this one writes. Nothing in a recording makes its reader panic, nor take
//! memory beyond its length and [a bound](Replay::most).

mod act;
mod call;
mod check;
mod entropy;
mod handed;
mod input;
mod left_out;
mod player;
mod recorded;
mod recorder;
mod settings;
#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by a panic")]
mod tests;
mod wire;

use alloc::string::String;
use core::fmt;

pub use call::{Call, Outcome};
pub use player::{Replay, Replayed, Step};
pub use recorded::Recorded;
pub use recorder::Recorder;

/// How a recording begins.
pub const MAGIC: [u8; 8] = *b"\x89WSR\r\n\x1a\n";

const VERSION: u64 = 1;

/// Why a recording ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Ended {
    /// It was [taken](Recorded::take_recording).
    Taken,
    /// It was as long as it may be.
    Full,
    /// A message that an extension encodes came or went, and payloads are left out.
    LeftOut,
    /// Its last call did not return: it panicked. The replay makes that call too.
    InCall,
}

impl Ended {
    const fn number(self) -> u8 {
        match self {
            Self::Taken => 0,
            Self::Full => 1,
            Self::LeftOut => 2,
            Self::InCall => 3,
        }
    }

    const fn of(number: u8) -> Option<Self> {
        match number {
            0 => Some(Self::Taken),
            1 => Some(Self::Full),
            2 => Some(Self::LeftOut),
            3 => Some(Self::InCall),
            _ => None,
        }
    }
}

/// Why a recording cannot be played, or where it parts.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ReplayError {
    /// It does not begin as a recording does.
    Foreign,
    /// It is of a version that is not known here.
    Version {
        /// Which one.
        version: u64,
    },
    /// Its checksum is not that of its bytes: it was changed or cut.
    Damaged,
    /// What stands in it is not what a recording has.
    Malformed {
        /// Where, in bytes: the call that begins there.
        at: usize,
    },
    /// More would come of lengths that it tells than [there may](Replay::most).
    TooMuch {
        /// Where, in bytes: the call that begins there.
        at: usize,
    },
    /// The connection had an extension of this name: give it to the [replay](Replay::extension).
    Extension {
        /// Its name.
        name: String,
    },
    /// It needs this feature of the crate.
    Feature {
        /// Its name.
        name: &'static str,
    },
    /// Something else came of a call than was recorded.
    Parted {
        /// The number of the call, from 0 on.
        step: u64,
        /// Which call it was.
        call: Call,
        /// What the recording has.
        expected: Outcome,
        /// What came.
        got: Outcome,
    },
    /// All calls had the same results, but the output that waits after them is another.
    PartedAtEnd {
        /// How many calls there were.
        steps: u64,
    },
}

impl fmt::Display for ReplayError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Foreign => f.write_str("not a recording of a connection"),
            Self::Version { version } => {
                write!(
                    f,
                    "a recording of version {version}; version {VERSION} is known"
                )
            }
            Self::Damaged => {
                f.write_str("a recording that was changed or cut: its checksum is another")
            }
            Self::Malformed { at } => {
                write!(f, "a recording with a call at byte {at} that is none")
            }
            Self::TooMuch { at } => write!(
                f,
                "a recording whose call at byte {at} takes more memory than is allowed: raise Replay::most"
            ),
            Self::Extension { name } => write!(
                f,
                "a recording with the extension {name}: give it with Replay::extension"
            ),
            Self::Feature { name } => write!(f, "a recording that needs the feature {name}"),
            Self::Parted {
                step,
                call,
                expected,
                got,
            } => write!(
                f,
                "the replay parts at step {step}, {}: recorded {expected}; got {got}",
                call.name()
            ),
            Self::PartedAtEnd { steps } => write!(
                f,
                "the replay parts at its end, after {steps} steps: other output waits"
            ),
        }
    }
}

impl core::error::Error for ReplayError {}
