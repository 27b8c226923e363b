//! Streams that are encrypted or not.

use std::fmt;
use std::io::{IoSlice, Read, Result, Write};
use std::net::TcpStream;

/// Whether a URL asks for TLS.
#[derive(Debug, Clone, Copy)]
pub enum Mode {
    /// ws.
    Plain,
    /// wss.
    Tls,
}

/// Streams over TCP, or over something that gathers small writes as TCP does.
pub trait NoDelay {
    /// Sends small writes at once (`TCP_NODELAY`), or no longer.
    ///
    /// # Errors
    /// The socket's.
    fn set_nodelay(&mut self, nodelay: bool) -> Result<()>;
}

impl NoDelay for TcpStream {
    fn set_nodelay(&mut self, nodelay: bool) -> Result<()> {
        Self::set_nodelay(self, nodelay)
    }
}

#[cfg(feature = "native-tls")]
impl<S: Read + Write + NoDelay> NoDelay for native_tls_crate::TlsStream<S> {
    fn set_nodelay(&mut self, nodelay: bool) -> Result<()> {
        self.get_mut().set_nodelay(nodelay)
    }
}

#[cfg(feature = "__rustls-tls")]
impl<S, T, D> NoDelay for rustls::StreamOwned<S, T>
where
    S: std::ops::Deref<Target = rustls::ConnectionCommon<D>>,
    T: Read + Write + NoDelay,
    D: rustls::SideData,
{
    fn set_nodelay(&mut self, nodelay: bool) -> Result<()> {
        self.sock.set_nodelay(nodelay)
    }
}

/// A stream, or TLS over one.
#[non_exhaustive]
#[allow(
    clippy::large_enum_variant,
    reason = "the variants are tungstenite's, and there is one for each connection"
)]
pub enum MaybeTlsStream<S: Read + Write> {
    /// The stream itself.
    Plain(S),
    /// TLS by the platform.
    #[cfg(feature = "native-tls")]
    NativeTls(native_tls_crate::TlsStream<S>),
    /// TLS by rustls.
    #[cfg(feature = "__rustls-tls")]
    Rustls(rustls::StreamOwned<rustls::ClientConnection, S>),
}

/// Runs the same code on whichever it is.
macro_rules! either {
    ($this:expr, $stream:ident => $code:expr) => {
        match $this {
            MaybeTlsStream::Plain($stream) => $code,
            #[cfg(feature = "native-tls")]
            MaybeTlsStream::NativeTls($stream) => $code,
            #[cfg(feature = "__rustls-tls")]
            MaybeTlsStream::Rustls($stream) => $code,
        }
    };
}

impl<S: Read + Write> Read for MaybeTlsStream<S> {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        either!(self, stream => stream.read(buffer))
    }
}

impl<S: Read + Write> Write for MaybeTlsStream<S> {
    fn write(&mut self, bytes: &[u8]) -> Result<usize> {
        either!(self, stream => stream.write(bytes))
    }

    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> Result<usize> {
        either!(self, stream => stream.write_vectored(slices))
    }

    fn flush(&mut self) -> Result<()> {
        either!(self, stream => stream.flush())
    }
}

impl<S: Read + Write + NoDelay> NoDelay for MaybeTlsStream<S> {
    fn set_nodelay(&mut self, nodelay: bool) -> Result<()> {
        either!(self, stream => stream.set_nodelay(nodelay))
    }
}

impl<S: Read + Write + fmt::Debug> fmt::Debug for MaybeTlsStream<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Plain(stream) => f.debug_tuple("Plain").field(stream).finish(),
            #[cfg(feature = "native-tls")]
            Self::NativeTls(stream) => f.debug_tuple("NativeTls").field(stream.get_ref()).finish(),
            #[cfg(feature = "__rustls-tls")]
            Self::Rustls(stream) => f.debug_tuple("Rustls").field(&stream.sock).finish(),
        }
    }
}
