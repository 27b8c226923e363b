//! Streams that are encrypted or not.

use std::io::{IoSlice, Result};
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// A stream, or TLS over one.
#[derive(Debug)]
#[non_exhaustive]
#[allow(
    clippy::large_enum_variant,
    reason = "the variants are tokio-tungstenite's, and there is one for each connection"
)]
pub enum MaybeTlsStream<S> {
    /// The stream itself.
    Plain(S),
    /// TLS by the platform.
    #[cfg(feature = "native-tls")]
    NativeTls(tokio_native_tls::TlsStream<S>),
    /// TLS by rustls.
    #[cfg(feature = "__rustls-tls")]
    Rustls(tokio_rustls::client::TlsStream<S>),
}

impl<S> MaybeTlsStream<S> {
    /// The stream at the bottom.
    pub fn get_ref(&self) -> &S {
        match self {
            Self::Plain(stream) => stream,
            #[cfg(feature = "native-tls")]
            Self::NativeTls(stream) => stream.get_ref().get_ref().get_ref(),
            #[cfg(feature = "__rustls-tls")]
            Self::Rustls(stream) => stream.get_ref().0,
        }
    }
}

/// Runs the same code on whichever it is.
macro_rules! either {
    ($this:expr, $stream:ident => $code:expr) => {
        match $this.get_mut() {
            MaybeTlsStream::Plain(inner) => {
                let $stream = Pin::new(inner);
                $code
            }
            #[cfg(feature = "native-tls")]
            MaybeTlsStream::NativeTls(inner) => {
                let $stream = Pin::new(inner);
                $code
            }
            #[cfg(feature = "__rustls-tls")]
            MaybeTlsStream::Rustls(inner) => {
                let $stream = Pin::new(inner);
                $code
            }
        }
    };
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for MaybeTlsStream<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        room: &mut ReadBuf<'_>,
    ) -> Poll<Result<()>> {
        either!(self, stream => stream.poll_read(cx, room))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for MaybeTlsStream<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<Result<usize>> {
        either!(self, stream => stream.poll_write(cx, bytes))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<Result<usize>> {
        either!(self, stream => stream.poll_write_vectored(cx, slices))
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Self::Plain(stream) => stream.is_write_vectored(),
            #[cfg(feature = "native-tls")]
            Self::NativeTls(stream) => stream.is_write_vectored(),
            #[cfg(feature = "__rustls-tls")]
            Self::Rustls(stream) => stream.is_write_vectored(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        either!(self, stream => stream.poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        either!(self, stream => stream.poll_shutdown(cx))
    }
}
