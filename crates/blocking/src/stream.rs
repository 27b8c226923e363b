//! What a connection runs over: TCP, with TLS over it or not.

use std::io::{self, IoSlice, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

/// A blocking stream below a connection. Reading and writing give way after a timeout, with
/// [`WouldBlock`](io::ErrorKind::WouldBlock) or [`TimedOut`](io::ErrorKind::TimedOut): deadlines pass then,
/// and two ends that only write do not wait for each other for ever.
pub trait Stream: Read + Write {
    /// Sets how long a read waits; `None`: as long as it takes. Never zero.
    ///
    /// # Errors
    /// Those of the stream.
    fn set_read_timeout(&mut self, timeout: Option<Duration>) -> io::Result<()>;

    /// Sets how long a write waits. Never zero.
    ///
    /// # Errors
    /// Those of the stream.
    fn set_write_timeout(&mut self, timeout: Duration) -> io::Result<()>;

    /// Ends writing; the peer reads the end.
    ///
    /// # Errors
    /// Those of the stream.
    fn shutdown_write(&mut self) -> io::Result<()>;

    /// Whether `write_vectored` writes more than the first piece. Large messages that are borrowed are not copied
    /// then: header and payload are two pieces.
    fn writes_vectored(&self) -> bool {
        false
    }
}

/// A stream over TCP, whose [`split`](crate::WebSocket::split) halves wait at the socket.
pub trait OverTcp: Stream {
    /// The socket.
    fn tcp(&self) -> &TcpStream;
}

impl OverTcp for TcpStream {
    fn tcp(&self) -> &TcpStream {
        self
    }
}

impl OverTcp for MaybeTls {
    fn tcp(&self) -> &TcpStream {
        Self::tcp(self)
    }
}

/// A server's end of TLS.
#[cfg(feature = "rustls")]
impl OverTcp for rustls::StreamOwned<rustls::ServerConnection, TcpStream> {
    fn tcp(&self) -> &TcpStream {
        &self.sock
    }
}

impl Stream for TcpStream {
    fn set_read_timeout(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        Self::set_read_timeout(self, timeout)
    }

    fn set_write_timeout(&mut self, timeout: Duration) -> io::Result<()> {
        Self::set_write_timeout(self, Some(timeout))
    }

    fn shutdown_write(&mut self) -> io::Result<()> {
        self.shutdown(Shutdown::Write)
    }

    fn writes_vectored(&self) -> bool {
        true
    }
}

/// The stream below a connection to a URI: TCP for ws, TLS over it for wss.
#[derive(Debug)]
#[non_exhaustive]
pub enum MaybeTls {
    /// ws.
    Plain(TcpStream),
    /// wss, or what leads to a proxy by https.
    #[cfg(feature = "rustls")]
    Tls(Box<rustls::StreamOwned<rustls::ClientConnection, Self>>),
}

impl MaybeTls {
    /// The socket.
    #[must_use]
    pub fn tcp(&self) -> &TcpStream {
        match self {
            Self::Plain(socket) => socket,
            #[cfg(feature = "rustls")]
            Self::Tls(stream) => stream.sock.tcp(),
        }
    }
}

/// The same call of whichever it is.
macro_rules! either {
    ($self:ident, $io:ident => $call:expr) => {
        match $self {
            Self::Plain($io) => $call,
            #[cfg(feature = "rustls")]
            Self::Tls($io) => $call,
        }
    };
}

impl Read for MaybeTls {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        either!(self, io => io.read(buf))
    }
}

impl Write for MaybeTls {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        either!(self, io => io.write(bytes))
    }

    fn write_vectored(&mut self, pieces: &[IoSlice<'_>]) -> io::Result<usize> {
        either!(self, io => io.write_vectored(pieces))
    }

    fn flush(&mut self) -> io::Result<()> {
        either!(self, io => io.flush())
    }
}

impl Stream for MaybeTls {
    fn set_read_timeout(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        self.tcp().set_read_timeout(timeout)
    }

    fn set_write_timeout(&mut self, timeout: Duration) -> io::Result<()> {
        self.tcp().set_write_timeout(Some(timeout))
    }

    fn shutdown_write(&mut self) -> io::Result<()> {
        #[cfg(feature = "rustls")]
        if let Self::Tls(stream) = self {
            stream.conn.send_close_notify();
            // What cannot leave in time is of no use any more.
            let _ = stream.flush();
            return stream.sock.shutdown_write();
        }
        self.tcp().shutdown(Shutdown::Write)
    }

    fn writes_vectored(&self) -> bool {
        true
    }
}

/// A server's end of TLS.
#[cfg(feature = "rustls")]
impl Stream for rustls::StreamOwned<rustls::ServerConnection, TcpStream> {
    fn set_read_timeout(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        self.sock.set_read_timeout(timeout)
    }

    fn set_write_timeout(&mut self, timeout: Duration) -> io::Result<()> {
        self.sock.set_write_timeout(Some(timeout))
    }

    fn shutdown_write(&mut self) -> io::Result<()> {
        self.conn.send_close_notify();
        let _ = self.flush();
        self.sock.shutdown(Shutdown::Write)
    }

    fn writes_vectored(&self) -> bool {
        true
    }
}
