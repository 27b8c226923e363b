//! The opening handshake (RFC 6455 §4), which can stop wherever the stream would block.

pub mod client;
pub mod headers;
pub mod machine;
pub mod server;

use std::fmt;
use std::io::{Read, Write};

use http::Version;

use crate::error::{Error, ProtocolError};
use machine::{HandshakeMachine, RoundResult, StageResult, TryParse};

/// A handshake that is not complete.
#[derive(Debug)]
pub struct MidHandshake<Role: HandshakeRole> {
    role: Role,
    machine: HandshakeMachine<Role::InternalStream>,
}

impl<Role: HandshakeRole> MidHandshake<Role> {
    /// What reads and writes.
    pub const fn get_ref(&self) -> &HandshakeMachine<Role::InternalStream> {
        &self.machine
    }

    /// What reads and writes.
    pub const fn get_mut(&mut self) -> &mut HandshakeMachine<Role::InternalStream> {
        &mut self.machine
    }

    /// Goes on where it stopped.
    ///
    /// # Errors
    /// [`HandshakeError::Interrupted`] with the handshake where the stream would block again, and
    /// [`HandshakeError::Failure`].
    pub fn handshake(self) -> Result<Role::FinalResult, HandshakeError<Role>> {
        let Self {
            mut role,
            mut machine,
        } = self;
        loop {
            machine = match machine.single_round().map_err(|error| role.failed(error))? {
                RoundResult::WouldBlock(machine) => {
                    return Err(HandshakeError::Interrupted(Self { role, machine }));
                }
                RoundResult::Incomplete(machine) => machine,
                RoundResult::StageFinished(stage) => match role.stage_finished(stage)? {
                    ProcessingResult::Continue(machine) => machine,
                    ProcessingResult::Done(result) => return Ok(result),
                },
            };
        }
    }
}

/// Why there is no connection, or none yet.
pub enum HandshakeError<Role: HandshakeRole> {
    /// The stream would block: call [`handshake`](MidHandshake::handshake) when it no longer does.
    Interrupted(MidHandshake<Role>),
    /// There will be none.
    Failure(Error),
}

impl<Role: HandshakeRole> fmt::Debug for HandshakeError<Role> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Interrupted(_) => f.write_str("Interrupted(..)"),
            Self::Failure(error) => f.debug_tuple("Failure").field(error).finish(),
        }
    }
}

impl<Role: HandshakeRole> fmt::Display for HandshakeError<Role> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Interrupted(_) => f.write_str("the opening handshake would block"),
            Self::Failure(error) => error.fmt(f),
        }
    }
}

impl<Role: HandshakeRole> std::error::Error for HandshakeError<Role> {}

impl<Role: HandshakeRole> From<Error> for HandshakeError<Role> {
    fn from(error: Error) -> Self {
        Self::Failure(error)
    }
}

/// A client's or a server's part of the handshake.
pub trait HandshakeRole {
    #[doc(hidden)]
    type IncomingData: TryParse;
    #[doc(hidden)]
    type InternalStream: Read + Write;
    #[doc(hidden)]
    type FinalResult;

    #[doc(hidden)]
    fn stage_finished(
        &mut self,
        finish: StageResult<Self::IncomingData, Self::InternalStream>,
    ) -> Result<ProcessingResult<Self::InternalStream, Self::FinalResult>, Error>;

    /// What is told where the stream fails.
    #[doc(hidden)]
    fn failed(&mut self, error: Error) -> Error {
        error
    }
}

#[doc(hidden)]
#[derive(Debug)]
pub enum ProcessingResult<Stream, FinalResult> {
    Continue(HandshakeMachine<Stream>),
    Done(FinalResult),
}

/// The value of `Sec-WebSocket-Accept` for that of `Sec-WebSocket-Key` (RFC 6455 §4.2.2).
///
/// ```
/// # use tungstenite::handshake::derive_accept_key;
/// assert_eq!(derive_accept_key(b"dGhlIHNhbXBsZSBub25jZQ=="), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
/// ```
pub fn derive_accept_key(request_key: &[u8]) -> String {
    let value = sansocket::handshake::accept_key::accept_value(request_key);
    value.map(char::from).iter().collect()
}

/// As it stands in a head of HTTP/1.
fn version_text(version: Version) -> Result<&'static str, ProtocolError> {
    match version {
        Version::HTTP_09 => Ok("HTTP/0.9"),
        Version::HTTP_10 => Ok("HTTP/1.0"),
        Version::HTTP_11 => Ok("HTTP/1.1"),
        _ => Err(ProtocolError::WrongHttpVersion),
    }
}

/// One of the values of the field has this token (RFC 6455 §4.1, §4.2.1).
fn has_token(fields: &http::HeaderMap, name: http::HeaderName, token: &str) -> bool {
    let values = fields.get_all(name).iter();
    let mut tokens =
        values.flat_map(|value| value.as_bytes().split(|&byte| b", \t".contains(&byte)));
    tokens.any(|found| found.eq_ignore_ascii_case(token.as_bytes()))
}
