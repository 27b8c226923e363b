//! Connections whose opening handshake is done, or was done elsewhere.

mod buffers;
mod config;
mod context;
pub mod frame;
mod message;
mod sending;

use std::io::{Read, Write};

#[cfg(feature = "deflate")]
pub use config::Deflate;
pub use config::WebSocketConfig;
pub use context::WebSocketContext;
pub use frame::CloseFrame;
pub use message::Message;
pub use sansocket::Role;

use crate::error::Result;

/// A connection over a stream. Errors are those of the methods of [`WebSocketContext`] with the same names.
///
/// ```
/// use tungstenite::{Error, Message, WebSocket, protocol::Role};
/// # fn main() -> Result<(), Error> {
/// let stream = std::io::Cursor::new(b"\x81\x02Hi\x88\x00".to_vec());
/// let mut socket = WebSocket::from_raw_socket(stream, Role::Client, None);
/// assert_eq!(socket.read()?, Message::text("Hi"));
/// assert_eq!(socket.read()?, Message::Close(None));
/// assert!(matches!(socket.read(), Err(Error::ConnectionClosed)));
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct WebSocket<Stream> {
    stream: Stream,
    context: WebSocketContext,
}

impl<Stream> WebSocket<Stream> {
    /// A connection over a stream whose opening handshake is done.
    pub fn from_raw_socket(stream: Stream, role: Role, config: Option<WebSocketConfig>) -> Self {
        Self::from_partially_read(stream, Vec::new(), role, config)
    }

    /// The same, where some bytes after the handshake were read already.
    pub fn from_partially_read(
        stream: Stream,
        part: Vec<u8>,
        role: Role,
        config: Option<WebSocketConfig>,
    ) -> Self {
        let context = WebSocketContext::from_partially_read(part, role, config);
        Self { stream, context }
    }

    /// The same, with the extension that the opening handshake has agreed on.
    #[cfg(feature = "handshake")]
    pub(crate) fn agreed(
        stream: Stream,
        part: Vec<u8>,
        role: Role,
        config: Option<WebSocketConfig>,
        extension: Option<String>,
    ) -> Self {
        let agreed = sansocket::Negotiated::new().extensions(extension.unwrap_or_default());
        let context = WebSocketContext::agreed(part, role, config, agreed);
        Self { stream, context }
    }

    /// The stream alone. What was read of it and not taken is lost.
    pub fn into_inner(self) -> Stream {
        self.stream
    }

    /// The stream.
    pub const fn get_ref(&self) -> &Stream {
        &self.stream
    }

    /// The stream.
    pub const fn get_mut(&mut self) -> &mut Stream {
        &mut self.stream
    }

    /// Changes the configuration: limits hold from the next frame on.
    pub fn set_config(&mut self, set_func: impl FnOnce(&mut WebSocketConfig)) {
        self.context.set_config(set_func);
    }

    /// The configuration.
    pub const fn get_config(&self) -> &WebSocketConfig {
        self.context.get_config()
    }

    /// Messages may still come: the peer's Close frame has not.
    pub const fn can_read(&self) -> bool {
        self.context.can_read()
    }

    /// Messages may still be sent: no Close frame was sent or has come.
    pub const fn can_write(&self) -> bool {
        self.context.can_write()
    }
}

impl<Stream: Read + Write> WebSocket<Stream> {
    /// The next message: waits for it if the stream does. Pings and Close frames are answered on the way.
    pub fn read(&mut self) -> Result<Message> {
        self.context.read(&mut self.stream)
    }

    /// Writes a message and flushes.
    pub fn send(&mut self, message: Message) -> Result<()> {
        self.write(message)?;
        self.flush()
    }

    /// Queues a message, and writes if much is queued.
    pub fn write(&mut self, message: Message) -> Result<()> {
        self.context.write(&mut self.stream, message)
    }

    /// Writes and flushes all that is queued.
    pub fn flush(&mut self) -> Result<()> {
        self.context.flush(&mut self.stream)
    }

    /// Closes the connection. What the peer still sends is to be read, until
    /// [`Error::ConnectionClosed`](crate::Error::ConnectionClosed).
    pub fn close(&mut self, code: Option<CloseFrame>) -> Result<()> {
        self.context.close(&mut self.stream, code)
    }

    /// [`read`](Self::read).
    #[deprecated(note = "use `read`")]
    pub fn read_message(&mut self) -> Result<Message> {
        self.read()
    }

    /// [`send`](Self::send).
    #[deprecated(note = "use `send`")]
    pub fn write_message(&mut self, message: Message) -> Result<()> {
        self.send(message)
    }

    /// [`flush`](Self::flush).
    #[deprecated(note = "use `flush`")]
    pub fn write_pending(&mut self) -> Result<()> {
        self.flush()
    }
}
