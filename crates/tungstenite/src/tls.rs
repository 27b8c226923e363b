//! TLS below a client's connection.

use std::io::{Read, Write};
#[cfg(feature = "__rustls-tls")]
use std::sync::Arc;

use crate::client::{IntoClientRequest, client_with_config, host, uri_mode};
#[cfg(any(feature = "native-tls", feature = "__rustls-tls"))]
use crate::error::TlsError;
use crate::error::{Result, UrlError};
use crate::handshake::HandshakeError;
use crate::handshake::client::{ClientHandshake, Response};
use crate::protocol::{WebSocket, WebSocketConfig};
use crate::stream::{MaybeTlsStream, Mode};

/// How TLS is done.
#[non_exhaustive]
#[derive(Debug, Clone)]
pub enum Connector {
    /// Not at all: wss is refused.
    Plain,
    /// By the platform, configured like this.
    #[cfg(feature = "native-tls")]
    NativeTls(native_tls_crate::TlsConnector),
    /// By rustls, configured like this.
    #[cfg(feature = "__rustls-tls")]
    Rustls(Arc<rustls::ClientConfig>),
}

impl Connector {
    /// The platform's TLS, as it is configured where no connector is given.
    ///
    /// # Errors
    /// Those of the platform.
    #[cfg(feature = "native-tls")]
    pub fn default_native_tls() -> Result<Self> {
        let connector = native_tls_crate::TlsConnector::new();
        Ok(Self::NativeTls(connector.map_err(TlsError::from)?))
    }

    /// Rustls with the certificates that the features bring along, as where no connector is given.
    ///
    /// # Errors
    /// If the operating system trusts no certificate.
    ///
    /// # Panics
    /// If rustls has no provider of cryptography, or several: install one.
    #[cfg(feature = "__rustls-tls")]
    pub fn default_rustls() -> Result<Self> {
        #[allow(unused_mut, reason = "it depends on the features")]
        let mut roots = rustls::RootCertStore::empty();
        #[cfg(feature = "rustls-tls-webpki-roots")]
        roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
        #[cfg(feature = "rustls-tls-native-roots")]
        {
            let found = rustls_native_certs::load_native_certs();
            roots.add_parsable_certificates(found.certs);
            if roots.is_empty() {
                let why = format!("the system trusts no certificate: {:?}", found.errors);
                return Err(std::io::Error::new(std::io::ErrorKind::NotFound, why).into());
            }
        }
        let config = rustls::ClientConfig::builder().with_root_certificates(roots);
        Ok(Self::Rustls(Arc::new(config.with_no_client_auth())))
    }

    fn by_features() -> Result<Self> {
        #[cfg(feature = "native-tls")]
        return Self::default_native_tls();
        #[cfg(all(feature = "__rustls-tls", not(feature = "native-tls")))]
        return Self::default_rustls();
        #[cfg(not(any(feature = "native-tls", feature = "__rustls-tls")))]
        Ok(Self::Plain)
    }
}

type Connected<S> = (WebSocket<MaybeTlsStream<S>>, Response);
type NotConnected<S> = HandshakeError<ClientHandshake<MaybeTlsStream<S>>>;

/// Does the opening handshake over a stream that leads to the server, with TLS for wss.
///
/// # Errors
/// As [`client`](crate::client()), and [`Error::Tls`](crate::Error::Tls). The platform's TLS waits for the stream: one
/// that would block is an [`Error::Io`](crate::Error::Io) there.
///
/// # Panics
/// For wss, if rustls has no provider of cryptography, or several: install one.
pub fn client_tls<R, S>(request: R, stream: S) -> Result<Connected<S>, NotConnected<S>>
where
    R: IntoClientRequest,
    S: Read + Write,
{
    client_tls_with_config(request, stream, None, None)
}

/// [`client_tls`] with a configuration and a connector.
pub fn client_tls_with_config<R, S>(
    request: R,
    stream: S,
    config: Option<WebSocketConfig>,
    connector: Option<Connector>,
) -> Result<Connected<S>, NotConnected<S>>
where
    R: IntoClientRequest,
    S: Read + Write,
{
    let request = request.into_client_request()?;
    let host = host(request.uri())?;
    let stream = match uri_mode(request.uri())? {
        Mode::Plain => MaybeTlsStream::Plain(stream),
        Mode::Tls => encrypted(stream, host, connector)?,
    };
    client_with_config(request, stream, config)
}

#[cfg_attr(
    not(any(feature = "native-tls", feature = "__rustls-tls")),
    allow(unused_variables, reason = "there is nothing to encrypt with")
)]
fn encrypted<S: Read + Write>(
    stream: S,
    host: &str,
    connector: Option<Connector>,
) -> Result<MaybeTlsStream<S>> {
    match connector.map_or_else(Connector::by_features, Ok)? {
        Connector::Plain => Err(UrlError::TlsFeatureNotEnabled.into()),
        #[cfg(feature = "native-tls")]
        Connector::NativeTls(connector) => match connector.connect(host, stream) {
            Ok(stream) => Ok(MaybeTlsStream::NativeTls(stream)),
            Err(native_tls_crate::HandshakeError::Failure(error)) => {
                Err(TlsError::from(error).into())
            }
            Err(native_tls_crate::HandshakeError::WouldBlock(_)) => {
                Err(std::io::Error::from(std::io::ErrorKind::WouldBlock).into())
            }
        },
        #[cfg(feature = "__rustls-tls")]
        Connector::Rustls(config) => {
            let name = rustls::pki_types::ServerName::try_from(host.to_owned());
            let name = name.map_err(|_| TlsError::InvalidDnsName)?;
            let connection = rustls::ClientConnection::new(config, name).map_err(TlsError::from)?;
            let stream = rustls::StreamOwned::new(connection, stream);
            Ok(MaybeTlsStream::Rustls(stream))
        }
    }
}
