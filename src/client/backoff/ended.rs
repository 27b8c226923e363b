//! How a connection or an attempt ended, and what would help.

use core::fmt;
use core::time::Duration;

use crate::client::proxy::{ConnectError, ProxyError};
use crate::client::socks5::Socks5Error;
use crate::close_code::CloseCode;
use crate::error::{Failure, HandshakeError, Timeout};
use crate::event::CloseReport;
use crate::handshake::Refusal;
use crate::life::Side;

/// How a connection or an attempt to get one ended: what a [`Backoff`](super::Backoff) decides by.
///
/// An application may translate what it was given, such as a private close code:
/// [`Unreachable`](Self::Unreachable) is always tried again, [`ByUs`](Self::ByUs) never.
///
/// ```
/// use sansocket::client::backoff::Ended;
/// let ended = match 4100 { // the code of the close report
///     4100 => Ended::Unreachable, // "back soon", in this application
///     code => Ended::Closed(code),
/// };
/// assert_eq!(ended.to_string(), "no connection, or it was lost");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Ended {
    /// The application closed it, and nothing was wrong. Not tried again.
    ByUs,
    /// It was closed with this code in the report: the peer's, or 1005, 1006 or 1015.
    ///
    /// Tried again: 1001, 1006, 1011, 1012, 1013, 1014 and 3008 (timeout). With credentials: 3000
    /// (unauthorized). Not tried again: the others, which say that all is done (1000, 1005), that a
    /// new attempt would fail the same way, or belong to the application (3000–4999).
    Closed(u16),
    /// We failed it (RFC 6455 §7.1.7). Tried again after a timeout; not after a broken rule, which the
    /// peer would break again.
    Failed(Failure),
    /// The server or a proxy refused with this status.
    ///
    /// Tried again with credentials: 401, 407, 511. At once, over a new connection: 421, 425. Later: 408,
    /// 429, each 5xx but 501, 505, 506 and 510, and each 4xx with a `Retry-After`.
    Refused {
        /// The status.
        status: u16,
        /// The pause that the server asks for, see [`retry_after`](super::retry_after()).
        retry_after: Option<Duration>,
    },
    /// There was no connection, or it was lost: no address, nobody there, a reset, a timeout. Tried
    /// again.
    Unreachable,
    /// The TLS handshake failed. Not tried again: that does not make a certificate valid.
    Tls,
}

/// What would help.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Remedy {
    Now,
    /// After this pause at least.
    Later(Duration),
    /// With credentials for this challenge.
    Authorize(u16),
}

impl Ended {
    /// From the answer of a server or a proxy. A `Retry-After` with a date needs `wall`, the time since
    /// 1970-01-01 00:00 UTC (see [`retry_after`](super::retry_after())).
    #[must_use]
    pub fn refused(refusal: &Refusal, wall: Option<Duration>) -> Self {
        Self::Refused {
            status: refusal.status,
            retry_after: refusal
                .header("Retry-After")
                .and_then(|value| super::retry_after(value, wall)),
        }
    }

    /// From a proxy that gave no tunnel, with the time for [`refused`](Self::refused).
    #[must_use]
    pub fn at_proxy(error: &ProxyError, wall: Option<Duration>) -> Self {
        match error {
            ProxyError::Bad(_) => Self::ByUs,
            ProxyError::Refused(refusal) => Self::refused(refusal, wall),
            ProxyError::Http(error) => (*error).into(),
            ProxyError::Socks5(error) => (*error).into(),
            // Asked again it would do the same.
            ProxyError::Early => Self::Failed(HandshakeError::Status.into()),
        }
    }

    /// What would help, `None` for nothing.
    pub(super) fn remedy(self) -> Option<Remedy> {
        match self {
            Self::ByUs | Self::Tls => None,
            Self::Unreachable => Some(Remedy::Later(Duration::ZERO)),
            Self::Closed(code) => closed(code),
            Self::Failed(Failure::Timeout(_)) => Some(Remedy::Later(Duration::ZERO)),
            Self::Failed(_) => None,
            Self::Refused {
                status,
                retry_after,
            } => refused(status, retry_after),
        }
    }
}

/// Which close codes a new attempt can help with (RFC 6455 §7.4.1 and the IANA registry).
const fn closed(code: u16) -> Option<Remedy> {
    match code {
        3000 => Some(Remedy::Authorize(code)),
        1001 | 1006 | 1011..=1014 | 3008 => Some(Remedy::Later(Duration::ZERO)),
        _ => None,
    }
}

/// Which statuses a new attempt can help with: RFC 9110 §15.5, §15.6, §10.2.3, RFC 6585 for 429 and 511,
/// RFC 8470 for 425.
fn refused(status: u16, retry_after: Option<Duration>) -> Option<Remedy> {
    let later = Some(Remedy::Later(retry_after.unwrap_or_default()));
    match status {
        401 | 407 | 511 => Some(Remedy::Authorize(status)),
        421 | 425 if retry_after.is_none() => Some(Remedy::Now),
        408 | 421 | 425 | 429 => later,
        501 | 505 | 506 | 510 => None,
        500..=599 => later,
        400..=499 if retry_after.is_some() => later,
        _ => None,
    }
}

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ByUs => f.write_str("closed by us"),
            Self::Closed(code) => match meaning(*code) {
                Some(meaning) => write!(f, "closed with {code} ({meaning})"),
                None => write!(f, "closed with {code}"),
            },
            Self::Failed(failure) => failure.fmt(f),
            Self::Refused { status, .. } => write!(f, "refused with status {status}"),
            Self::Unreachable => f.write_str("no connection, or it was lost"),
            Self::Tls => f.write_str("the TLS handshake failed"),
        }
    }
}

/// The registered meanings of close codes (RFC 6455 §11.7 and the IANA registry).
const fn meaning(code: u16) -> Option<&'static str> {
    Some(match code {
        1000 => "normal closure",
        1001 => "going away",
        1002 => "protocol error",
        1003 => "unsupported data",
        1005 => "no status received",
        1006 => "lost without a Close frame",
        1007 => "invalid frame payload data",
        1008 => "policy violation",
        1009 => "message too big",
        1010 => "mandatory extension",
        1011 => "internal error",
        1012 => "service restart",
        1013 => "try again later",
        1014 => "bad gateway",
        1015 => "TLS handshake",
        3000 => "unauthorized",
        3003 => "forbidden",
        3008 => "timeout",
        _ => return None,
    })
}

impl From<&CloseReport> for Ended {
    /// From the report in `Event::Closed`. After `Event::Refused` the refusal says more: pass that.
    fn from(report: &CloseReport) -> Self {
        // Our Close frame was the application's wish unless a failure sent it.
        let sent = report.sent.as_ref().and_then(|frame| frame.code);
        let failing = report.failure.and_then(Failure::close_code);
        let wished = failing.is_none() || sent.map(CloseCode::get) != failing;
        let by_application = matches!(report.failure, Some(Failure::Application(_)));
        if by_application || matches!(report.began, Some(Side::Us | Side::Both)) && wished {
            return Self::ByUs;
        }
        match (report.failure, report.code) {
            // A peer that was only slow to close has said why it leaves.
            (Some(failure), _) if failure != Failure::Timeout(Timeout::Close) => {
                Self::Failed(failure)
            }
            (_, CloseCode::TLS_HANDSHAKE) => Self::Tls,
            (_, code) => Self::Closed(code),
        }
    }
}

impl From<&Refusal> for Ended {
    /// From the answer of a server or a proxy, without a date in `Retry-After`: see
    /// [`refused`](Self::refused).
    fn from(refusal: &Refusal) -> Self {
        Self::refused(refusal, None)
    }
}

impl From<ConnectError> for Ended {
    /// From a proxy that gave no answer.
    fn from(error: ConnectError) -> Self {
        match error {
            ConnectError::Answer(error) => Self::Failed(error.into()),
            ConnectError::Status(_) => Self::Failed(HandshakeError::Status.into()),
            ConnectError::Closed | ConnectError::Timeout => Self::Unreachable,
        }
    }
}

impl From<Socks5Error> for Ended {
    /// From a SOCKS5 proxy that gave no tunnel.
    fn from(error: Socks5Error) -> Self {
        match error {
            Socks5Error::Refused(1 | 3..=6) | Socks5Error::Closed | Socks5Error::Timeout => {
                Self::Unreachable
            }
            // Asked again it would say the same.
            _ => Self::Failed(HandshakeError::Status.into()),
        }
    }
}
