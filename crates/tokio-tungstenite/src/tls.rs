//! TLS below a client's connection.

use tokio::io::{AsyncRead, AsyncWrite};
use tungstenite::Result;
use tungstenite::client::{IntoClientRequest, uri_mode};
#[cfg(feature = "__rustls-tls")]
use tungstenite::error::TlsError;
use tungstenite::error::UrlError;
use tungstenite::handshake::client::Response;
use tungstenite::protocol::WebSocketConfig;
use tungstenite::stream::Mode;

use crate::{MaybeTlsStream, WebSocketStream, client_async_with_config};

/// How TLS is done.
#[non_exhaustive]
#[derive(Debug, Clone)]
pub enum Connector {
    /// Not at all: wss is refused.
    Plain,
    /// With rustls, configured like this.
    #[cfg(feature = "__rustls-tls")]
    Rustls(std::sync::Arc<rustls::ClientConfig>),
}

/// Does the opening handshake as a client, over a stream that leads to the server, with TLS for wss.
///
/// # Errors
/// As [`client_async`](crate::client_async), and [`Error::Tls`](tungstenite::Error::Tls).
///
/// # Panics
/// For wss, if rustls has no provider of cryptography, or several: install one.
#[cfg(feature = "__rustls-tls")]
pub async fn client_async_tls<R, S>(
    request: R,
    stream: S,
) -> Result<(WebSocketStream<MaybeTlsStream<S>>, Response)>
where
    R: IntoClientRequest + Unpin,
    S: 'static + AsyncRead + AsyncWrite + Send + Unpin,
{
    client_async_tls_with_config(request, stream, None, None).await
}

/// [`client_async_tls`] with a configuration and a connector.
///
/// # Errors
/// As there.
///
/// # Panics
/// As there, without a connector.
#[cfg_attr(
    not(feature = "__rustls-tls"),
    allow(unreachable_pub, reason = "it is for `connect_async` then")
)]
pub async fn client_async_tls_with_config<R, S>(
    request: R,
    stream: S,
    config: Option<WebSocketConfig>,
    connector: Option<Connector>,
) -> Result<(WebSocketStream<MaybeTlsStream<S>>, Response)>
where
    R: IntoClientRequest + Unpin,
    S: 'static + AsyncRead + AsyncWrite + Send + Unpin,
{
    let request = request.into_client_request()?;
    let stream = match (uri_mode(request.uri())?, connector) {
        (Mode::Plain, _) => MaybeTlsStream::Plain(stream),
        #[cfg(feature = "__rustls-tls")]
        (Mode::Tls, None) => {
            let config = tungstenite::Connector::default_rustls()?;
            MaybeTlsStream::Rustls(encrypted(stream, request.uri(), config).await?)
        }
        #[cfg(feature = "__rustls-tls")]
        (Mode::Tls, Some(Connector::Rustls(config))) => {
            MaybeTlsStream::Rustls(encrypted(stream, request.uri(), config).await?)
        }
        (Mode::Tls, _) => return Err(UrlError::TlsFeatureNotEnabled.into()),
    };
    client_async_with_config(request, stream, config).await
}

#[cfg(feature = "__rustls-tls")]
async fn encrypted<S: AsyncRead + AsyncWrite + Unpin>(
    stream: S,
    uri: &tungstenite::http::Uri,
    config: std::sync::Arc<rustls::ClientConfig>,
) -> Result<tokio_rustls::client::TlsStream<S>> {
    let host = host(uri)?.to_owned();
    let name = rustls::pki_types::ServerName::try_from(host);
    let name = name.map_err(|_| TlsError::InvalidDnsName)?;
    let connector = tokio_rustls::TlsConnector::from(config);
    Ok(connector.connect(name, stream).await?)
}

/// An address of IPv6 without its brackets, as resolvers and certificates have it.
pub(crate) fn host(uri: &tungstenite::http::Uri) -> Result<&str> {
    let host = uri.host().ok_or(UrlError::NoHostName)?;
    let inner = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'));
    Ok(inner.unwrap_or(host))
}
