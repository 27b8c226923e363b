//! From a URL to a connection.

use tokio::net::TcpStream;
use tungstenite::client::{IntoClientRequest, host, uri_mode};
use tungstenite::handshake::client::Response;
use tungstenite::protocol::WebSocketConfig;
use tungstenite::stream::Mode;
use tungstenite::{Connector, Result};

use crate::tls::client_async_tls_with_config;
use crate::{MaybeTlsStream, WebSocketStream};

type Connected = (WebSocketStream<MaybeTlsStream<TcpStream>>, Response);

/// Connects to a ws or wss URL, which needs a feature for TLS. Redirections are not followed.
///
/// # Errors
/// [`Error::Url`](tungstenite::Error::Url) for a URL that is of no use,
/// [`Error::Http`](tungstenite::Error::Http) where the server answers with something else than a connection, and
/// those of the stream and of the handshake.
///
/// # Panics
/// For wss, if rustls has no provider of cryptography, or several: install one.
pub async fn connect_async<R>(request: R) -> Result<Connected>
where
    R: IntoClientRequest + Unpin,
{
    connect_async_with_config(request, None, false).await
}

/// [`connect_async`] with a configuration. `disable_nagle`: small writes are sent at once.
///
/// # Errors
/// As there.
///
/// # Panics
/// As there.
pub async fn connect_async_with_config<R>(
    request: R,
    config: Option<WebSocketConfig>,
    disable_nagle: bool,
) -> Result<Connected>
where
    R: IntoClientRequest + Unpin,
{
    connect(request, config, disable_nagle, None).await
}

/// [`connect_async_with_config`] with a connector.
///
/// # Errors
/// As there.
///
/// # Panics
/// As there, without a connector.
#[cfg(any(feature = "native-tls", feature = "__rustls-tls"))]
pub async fn connect_async_tls_with_config<R>(
    request: R,
    config: Option<WebSocketConfig>,
    disable_nagle: bool,
    connector: Option<Connector>,
) -> Result<Connected>
where
    R: IntoClientRequest + Unpin,
{
    connect(request, config, disable_nagle, connector).await
}

async fn connect<R: IntoClientRequest>(
    request: R,
    config: Option<WebSocketConfig>,
    disable_nagle: bool,
    connector: Option<Connector>,
) -> Result<Connected> {
    let request = request.into_client_request()?;
    let default_port = match uri_mode(request.uri())? {
        Mode::Plain => 80,
        Mode::Tls => 443,
    };
    let port = request.uri().port_u16().unwrap_or(default_port);
    let stream = TcpStream::connect((host(request.uri())?, port)).await?;
    if disable_nagle {
        stream.set_nodelay(true)?;
    }
    client_async_tls_with_config(request, stream, config, connector).await
}
