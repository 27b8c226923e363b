//! Connections whose opening handshake an HTTP server of the application's carries.

#[cfg(feature = "axum")]
mod extract;
mod stream;

use std::fmt;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use ::http::{Request, Response, Version};
use hyper::ext::Protocol;
use hyper::upgrade::OnUpgrade;
use sansocket::error::{AcceptError, HandshakeError};
use sansocket::handshake::{ForeignResponse, Upgrade, extended_connect};
use sansocket::{Accept, Connection, ServerConfig};

use crate::handshake::server_with_ping;
use crate::socket::WebSocket;

#[cfg(feature = "axum")]
pub use extract::WebSocketUpgrade;
pub use stream::HttpStream;

/// A request for WebSocket that hyper has read, over HTTP/1.1 or HTTP/2 (RFC 6455 §4.2, RFC 8441).
///
/// Over HTTP/1.1 the server has to allow upgrades (`with_upgrades`), over HTTP/2 extended CONNECT
/// (`enable_connect_protocol`).
///
/// ```
/// use bytes::Bytes;
/// use http::{Request, Response};
/// use http_body_util::Full;
/// use sansocket_tokio::{Accept, HttpUpgrade, OriginPolicy, ServerConfig};
///
/// /// A service of hyper's.
/// async fn answer<B>(mut request: Request<B>) -> Response<Full<Bytes>> {
///     let config = ServerConfig::new(OriginPolicy::SameHost);
///     let upgrade = match HttpUpgrade::of(&mut request, &config) {
///         Ok(upgrade) => upgrade,
///         Err(refused) => return refused.response(),
///     };
///     let Ok((response, upgrading)) = upgrade.accept(Accept::new()) else {
///         unreachable!("nothing is asked for that was not offered");
///     };
///     tokio::spawn(async move {
///         if let Ok(mut ws) = upgrading.await {
///             let _ = ws.send("Hello").await;
///             let _ = ws.close(None, "").await;
///         }
///     });
///     response
/// }
/// # let _ = answer::<()>;
/// ```
pub struct HttpUpgrade {
    upgrade: Upgrade,
    on_upgrade: OnUpgrade,
}

impl HttpUpgrade {
    /// Checks a request. The stream is taken out of it if it is one for WebSocket.
    ///
    /// # Errors
    /// [`NotUpgraded`] has the rule that is broken and the response to it. A request that is none for
    /// WebSocket ([`HandshakeError::NotAnUpgrade`]) may be another handler's.
    pub fn of<B>(request: &mut Request<B>, config: &ServerConfig) -> Result<Self, NotUpgraded> {
        let upgrade = check(request, &server_with_ping(config))?;
        let extended = request.version() >= Version::HTTP_2;
        match request.extensions_mut().remove::<OnUpgrade>() {
            Some(on_upgrade) => Ok(Self {
                upgrade,
                on_upgrade,
            }),
            // The server allows no upgrades.
            None => Err(NotUpgraded {
                why: HandshakeError::NotAnUpgrade,
                extended,
            }),
        }
    }

    /// The subprotocols that the client offers, most wanted first (RFC 6455 §1.9).
    pub fn subprotocols(&self) -> impl Iterator<Item = &str> {
        self.upgrade.subprotocols()
    }

    /// The response to send, with an empty body, and the connection that is there once it was sent.
    ///
    /// # Errors
    /// [`AcceptError`] for what the client does not offer.
    pub fn accept<B: Default>(
        self,
        accept: Accept,
    ) -> Result<(Response<B>, Upgrading), AcceptError> {
        let (response, connection) = self.upgrade.accept(accept)?;
        let response = response.into_http().map(|_| B::default());
        let upgrading = Upgrading {
            on_upgrade: self.on_upgrade,
            connection: Some(connection),
        };
        Ok((response, upgrading))
    }
}

/// The rules of either handshake.
fn check<B>(request: &Request<B>, config: &ServerConfig) -> Result<Upgrade, NotUpgraded> {
    let extended = request.version() >= Version::HTTP_2;
    let checked = if extended {
        let protocol = request.extensions().get::<Protocol>();
        Upgrade::check_http_extended(config, request, protocol.map(Protocol::as_str))
    } else {
        Upgrade::check_http(config, request)
    };
    checked.map_err(|why| NotUpgraded { why, extended })
}

/// Lengths only.
impl fmt::Debug for HttpUpgrade {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("HttpUpgrade").field(&self.upgrade).finish()
    }
}

/// A request that opens no connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotUpgraded {
    why: HandshakeError,
    /// Over HTTP/2.
    extended: bool,
}

impl NotUpgraded {
    /// The rule that is broken.
    #[must_use]
    pub const fn why(&self) -> HandshakeError {
        self.why
    }

    /// The number of this kind of error, the same in every version: that of [`why`](Self::why).
    #[must_use]
    pub const fn code(&self) -> u16 {
        self.why.code()
    }

    /// The name of this kind of error, the same in every version: that of [`why`](Self::why).
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.why.name()
    }

    /// The response to it: the fitting status, the version of the protocol that is spoken here, and a line
    /// of text.
    #[must_use]
    pub fn response<B: From<Vec<u8>>>(&self) -> Response<B> {
        let response = if self.extended {
            extended_connect::refusal(self.why)
        } else {
            ForeignResponse::refusal(self.why)
        };
        response.into_http().map(B::from)
    }
}

impl fmt::Display for NotUpgraded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.why.fmt(f)
    }
}

impl std::error::Error for NotUpgraded {}

/// The connection that is there once the response was sent: a future.
pub struct Upgrading {
    on_upgrade: OnUpgrade,
    connection: Option<Connection>,
}

impl Future for Upgrading {
    type Output = io::Result<WebSocket<HttpStream>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let upgraded = ready!(Pin::new(&mut self.on_upgrade).poll(cx));
        let stream = HttpStream::from(upgraded.map_err(io::Error::other)?);
        Poll::Ready(match self.connection.take() {
            Some(connection) => Ok(WebSocket::from_connection(stream, connection)),
            None => Err(io::Error::other("polled after it was ready")),
        })
    }
}

impl fmt::Debug for Upgrading {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Upgrading")
    }
}
