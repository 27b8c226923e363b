//! TLS 1.2 and 1.3 as it was captured, read with the secrets that an end has logged.
//!
//! A [`Session`] is given the bytes of both directions of a conversation, as TCP brought them, and tells what they
//! carry. The secrets come from a [`KeyLog`], in the format of NSS that browsers, curl, OpenSSL and rustls write
//! (`SSLKEYLOGFILE`), or that a pcapng file has in it. Bytes that are missing are told by [`gap`](Session::gap):
//! a record is one only if its tag is right, so that the number of those that were lost is known as well.
//!
//! It does no IO, keeps at most [`WAITING`] bytes of a direction, and never takes more time than the bytes are worth.

mod half;
mod hello;
mod keylog;
mod session;
mod suite;

pub use half::WAITING;
pub use keylog::{KeyLog, SESSIONS, Secrets};
pub use session::Session;
pub use suite::Suite;

use std::fmt;

/// What a session tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Told<'a> {
    /// What the client asks for: the name of the server, if it says one (RFC 6066 §3).
    Asked {
        /// The name, in letters that a host has.
        server_name: Option<&'a str>,
    },
    /// What the server has chosen.
    Agreed {
        /// 0x0303 for TLS 1.2, 0x0304 for TLS 1.3.
        version: u16,
        /// The number of its cipher suite.
        suite: u16,
    },
    /// Bytes of the application, in order.
    Data(&'a [u8]),
    /// So many bytes of the application are missing. Where records were lost whole, that is right if they had no
    /// padding.
    Gap(u64),
    /// Whether the server takes what the client has sent before its answer (RFC 8446 §2.3).
    Early {
        /// It does; what it refused is not told.
        accepted: bool,
    },
    /// This end says how it ends, or what is wrong (RFC 8446 §6).
    Alert(u8),
    /// This end goes on with another key (RFC 8446 §4.6.3).
    KeyUpdate,
    /// Nothing more can be read, of either end.
    Unreadable(Why),
}

/// Why the rest of a session cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Why {
    /// There are no secrets for it.
    NoKeys,
    /// What it says is not what its secrets are for.
    WrongKeys,
    /// Its handshake is not there, at least not whole.
    NoHandshake,
    /// A version that is not read.
    Version(u16),
    /// A cipher suite that is not read.
    Suite(u16),
    /// This is not TLS, or damaged.
    Damaged,
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoKeys => f.write_str(
                "no keys for it: have an end log them with SSLKEYLOGFILE=FILE, and read with --keylog FILE",
            ),
            Self::WrongKeys => f.write_str("the keys in the key log do not fit"),
            Self::NoHandshake => f.write_str(
                "its handshake was not captured whole, without which no key is known to be for it",
            ),
            Self::Version(version) => write!(f, "version {version:04x}, which is not read"),
            Self::Suite(suite) => write!(f, "cipher suite {suite:04x}, which is not read"),
            Self::Damaged => f.write_str("what follows is no record of it"),
        }
    }
}

/// The name of a version.
#[must_use]
pub const fn version_name(version: u16) -> &'static str {
    match version {
        0x0303 => "TLS 1.2",
        0x0304 => "TLS 1.3",
        _ => "TLS",
    }
}

/// The name of an alert (RFC 8446 §6).
#[must_use]
pub const fn alert_name(alert: u8) -> Option<&'static str> {
    Some(match alert {
        0 => "close_notify",
        10 => "unexpected_message",
        20 => "bad_record_mac",
        22 => "record_overflow",
        40 => "handshake_failure",
        42 => "bad_certificate",
        43 => "unsupported_certificate",
        44 => "certificate_revoked",
        45 => "certificate_expired",
        46 => "certificate_unknown",
        47 => "illegal_parameter",
        48 => "unknown_ca",
        49 => "access_denied",
        50 => "decode_error",
        51 => "decrypt_error",
        70 => "protocol_version",
        71 => "insufficient_security",
        80 => "internal_error",
        86 => "inappropriate_fallback",
        90 => "user_canceled",
        109 => "missing_extension",
        110 => "unsupported_extension",
        112 => "unrecognized_name",
        113 => "bad_certificate_status_response",
        115 => "unknown_psk_identity",
        116 => "certificate_required",
        120 => "no_application_protocol",
        _ => return None,
    })
}
