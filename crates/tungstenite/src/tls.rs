//! TLS below a client's connection.

use std::io::{Read, Write};
use std::sync::Arc;

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use crate::client::{IntoClientRequest, client_with_config, uri_mode, without_brackets};
use crate::error::{Result, TlsError, UrlError};
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
    /// With rustls, configured like this.
    Rustls(Arc<ClientConfig>),
}

impl Connector {
    /// What is done where no connector is given: rustls with the certificates that the features bring along.
    ///
    /// # Errors
    /// If the operating system trusts no certificate.
    ///
    /// # Panics
    /// If rustls has no provider of cryptography, or several: install one.
    pub fn default_rustls() -> Result<Arc<ClientConfig>> {
        #[allow(unused_mut, reason = "it depends on the features")]
        let mut roots = RootCertStore::empty();
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
        let config = ClientConfig::builder().with_root_certificates(roots);
        Ok(Arc::new(config.with_no_client_auth()))
    }
}

type Connected<S> = (WebSocket<MaybeTlsStream<S>>, Response);
type NotConnected<S> = HandshakeError<ClientHandshake<MaybeTlsStream<S>>>;

/// Does the opening handshake over a stream that leads to the server, with TLS for wss.
///
/// # Errors
/// As [`client`](crate::client()), and [`Error::Tls`](crate::Error::Tls).
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
    let host = request.uri().host().ok_or(UrlError::NoHostName);
    let host = host.map_err(crate::Error::from)?;
    let stream = match uri_mode(request.uri())? {
        Mode::Plain => MaybeTlsStream::Plain(stream),
        Mode::Tls => MaybeTlsStream::Rustls(encrypted(stream, host, connector)?),
    };
    client_with_config(request, stream, config)
}

fn encrypted<S: Read + Write>(
    stream: S,
    host: &str,
    connector: Option<Connector>,
) -> Result<StreamOwned<ClientConnection, S>> {
    let config = match connector {
        Some(Connector::Rustls(config)) => config,
        Some(Connector::Plain) => return Err(UrlError::TlsFeatureNotEnabled.into()),
        None => Connector::default_rustls()?,
    };
    let name = ServerName::try_from(without_brackets(host).to_owned());
    let name = name.map_err(|_| TlsError::InvalidDnsName)?;
    let connection = ClientConnection::new(config, name).map_err(TlsError::from)?;
    Ok(StreamOwned::new(connection, stream))
}
