//! TLS below a client's connection.

use tokio::io::{AsyncRead, AsyncWrite};
#[cfg(any(feature = "native-tls", feature = "__rustls-tls"))]
use tungstenite::client::host;
use tungstenite::client::{IntoClientRequest, uri_mode};
#[cfg(any(feature = "native-tls", feature = "__rustls-tls"))]
use tungstenite::error::TlsError;
use tungstenite::error::UrlError;
use tungstenite::handshake::client::Response;
use tungstenite::http::Uri;
use tungstenite::protocol::WebSocketConfig;
use tungstenite::stream::Mode;
use tungstenite::{Connector, Result};

use crate::{MaybeTlsStream, WebSocketStream, client_async_with_config};

/// Does the opening handshake as a client, over a stream that leads to the server, with TLS for wss.
///
/// # Errors
/// As [`client_async`](crate::client_async), and [`Error::Tls`](tungstenite::Error::Tls).
///
/// # Panics
/// For wss, if rustls has no provider of cryptography, or several: install one.
#[cfg(any(feature = "native-tls", feature = "__rustls-tls"))]
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
    not(any(feature = "native-tls", feature = "__rustls-tls")),
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
    let stream = match uri_mode(request.uri())? {
        Mode::Plain => MaybeTlsStream::Plain(stream),
        Mode::Tls => encrypted(stream, request.uri(), connector).await?,
    };
    client_async_with_config(request, stream, config).await
}

#[cfg_attr(
    not(any(feature = "native-tls", feature = "__rustls-tls")),
    allow(unused_variables, reason = "there is nothing to encrypt with")
)]
async fn encrypted<S: AsyncRead + AsyncWrite + Unpin>(
    stream: S,
    uri: &Uri,
    connector: Option<Connector>,
) -> Result<MaybeTlsStream<S>> {
    match connector.map_or_else(by_features, Ok)? {
        #[cfg(feature = "native-tls")]
        Connector::NativeTls(connector) => {
            let connector = tokio_native_tls::TlsConnector::from(connector);
            let stream = connector.connect(host(uri)?, stream).await;
            Ok(MaybeTlsStream::NativeTls(stream.map_err(TlsError::from)?))
        }
        #[cfg(feature = "__rustls-tls")]
        Connector::Rustls(config) => {
            let name = rustls::pki_types::ServerName::try_from(host(uri)?.to_owned());
            let name = name.map_err(|_| TlsError::InvalidDnsName)?;
            let connector = tokio_rustls::TlsConnector::from(config);
            Ok(MaybeTlsStream::Rustls(
                connector.connect(name, stream).await?,
            ))
        }
        _ => Err(UrlError::TlsFeatureNotEnabled.into()),
    }
}

/// By this crate's features: those of the crate below may be more.
fn by_features() -> Result<Connector> {
    #[cfg(feature = "native-tls")]
    return Connector::default_native_tls();
    #[cfg(all(feature = "__rustls-tls", not(feature = "native-tls")))]
    return Connector::default_rustls();
    #[cfg(not(any(feature = "native-tls", feature = "__rustls-tls")))]
    Ok(Connector::Plain)
}
