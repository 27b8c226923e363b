//! From a stream to a server's connection.

use std::io::{Read, Write};

use crate::handshake::HandshakeError;
use crate::handshake::server::{Callback, NoCallback, ServerHandshake};
use crate::protocol::{WebSocket, WebSocketConfig};

/// Reads the opening handshake from the stream and lets the client in. A client whose request is wrong is told
/// so.
///
/// # Errors
/// [`HandshakeError::Interrupted`] where the stream would block, and [`HandshakeError::Failure`].
pub fn accept<S: Read + Write>(
    stream: S,
) -> Result<WebSocket<S>, HandshakeError<ServerHandshake<S, NoCallback>>> {
    accept_with_config(stream, None)
}

/// [`accept`] with a configuration.
pub fn accept_with_config<S: Read + Write>(
    stream: S,
    config: Option<WebSocketConfig>,
) -> Result<WebSocket<S>, HandshakeError<ServerHandshake<S, NoCallback>>> {
    accept_hdr_with_config(stream, NoCallback, config)
}

/// [`accept`] with a callback, which sees the request and adds to the response, or refuses the client. Nothing
/// else looks at the request's origin: a server that pages of browsers may reach has to (RFC 6455 §10.2).
pub fn accept_hdr<S: Read + Write, C: Callback>(
    stream: S,
    callback: C,
) -> Result<WebSocket<S>, HandshakeError<ServerHandshake<S, C>>> {
    accept_hdr_with_config(stream, callback, None)
}

/// [`accept_hdr`] with a configuration.
pub fn accept_hdr_with_config<S: Read + Write, C: Callback>(
    stream: S,
    callback: C,
    config: Option<WebSocketConfig>,
) -> Result<WebSocket<S>, HandshakeError<ServerHandshake<S, C>>> {
    ServerHandshake::start(stream, callback, config).handshake()
}
