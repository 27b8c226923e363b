//! One connection after the other to the same URI.

use std::fmt;
use std::io;
use std::sync::PoisonError;
use std::thread::sleep;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use sansocket::ClientRequest;
use sansocket::client::backoff::{Attempts, Ended, Policy};

use super::{Connector, random};
use crate::error::Error;
use crate::socket::{Last, WebSocket};
use crate::stream::MaybeTls;

/// Connections to one URI, each opened when the one before has ended: made by
/// [`Connector::sessions`].
///
/// A server that restarts, a network that is gone for a while, a status of 503 lead to a new attempt, after
/// a delay that grows and is random, so that not all clients come back at once. A connection that was
/// closed as one that is done, a request that is refused for good, a wrong certificate do not.
///
/// ```no_run
/// use sansocket_blocking::{Connector, Error};
///
/// # fn main() -> Result<(), Error> {
/// let sessions = Connector::new().sessions("ws://127.0.0.1:9001/feed")?;
/// for ws in sessions {
///     let mut ws = ws?;
///     ws.send("subscribe")?;
///     for message in ws.messages().flatten() {
///         println!("{} bytes", message.as_bytes().len());
///     }
/// }
/// # Ok(())
/// # }
/// ```
pub struct Sessions {
    connector: Connector,
    request: ClientRequest,
    attempts: Attempts,
    born: Instant,
    /// How the connection ended that was given out last.
    last: Option<Last>,
}

impl Sessions {
    pub(super) fn new(connector: Connector, request: ClientRequest, policy: Policy) -> Self {
        Self {
            connector,
            request,
            attempts: Attempts::new(policy),
            born: Instant::now(),
            last: None,
        }
    }

    /// The next connection, once it is open. `None` when the last one was closed as done: by this end, or
    /// with a code that asks for no other. An error, once, when another attempt would not help: it is that
    /// of the last one.
    ///
    /// A connection that was dropped before its end counts as lost.
    ///
    fn advance(&mut self) -> Option<Result<WebSocket<MaybeTls>, Error>> {
        if let Some(last) = self.last.take() {
            let report = last.lock().unwrap_or_else(PoisonError::into_inner).take();
            let ended = report.as_ref().map_or(Ended::Unreachable, Ended::from);
            self.ended(ended);
        }
        while let Some(due) = self.attempts.due() {
            sleep(due.saturating_sub(self.born.elapsed()));
            let error = match self.connector.open(self.request.clone()) {
                Ok(mut ws) => {
                    self.attempts.opened(self.born.elapsed());
                    self.last = Some(ws.tell_end());
                    return Some(Ok(ws));
                }
                Err(error) => error,
            };
            self.ended(ended(&error));
            if self.attempts.due().is_none() {
                return Some(Err(error));
            }
        }
        None
    }

    /// The request that the next connections are opened with: with new credentials, for example.
    pub fn set_request(&mut self, request: ClientRequest) {
        self.request = request;
        self.attempts.resume();
    }

    fn ended(&mut self, ended: Ended) {
        self.attempts.ended(ended, self.born.elapsed(), random());
    }
}

/// What the error of an attempt is to the back-off.
fn ended(error: &Error) -> Ended {
    let wall = SystemTime::now().duration_since(UNIX_EPOCH).ok();
    match error {
        Error::Refused(refusal) => Ended::refused(refusal, wall),
        Error::Closed(closed) => Ended::from(&closed.report),
        Error::Proxy(error) => Ended::at_proxy(error, wall),
        Error::Connect(_) => Ended::Unreachable,
        // A certificate or a setting that is wrong stays wrong; a peer that went away may come back.
        Error::Tls(error) => match error.kind() {
            io::ErrorKind::InvalidData | io::ErrorKind::Unsupported => Ended::Tls,
            _ => Ended::Unreachable,
        },
        // Our own mistakes.
        _ => Ended::ByUs,
    }
}

impl Iterator for Sessions {
    type Item = Result<WebSocket<MaybeTls>, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        self.advance()
    }
}

impl fmt::Debug for Sessions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sessions")
            .field("attempts", &self.attempts)
            .finish_non_exhaustive()
    }
}
