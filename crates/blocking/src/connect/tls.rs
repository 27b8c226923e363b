//! TLS with rustls, and no provider of cryptography that is forced on anybody.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::crypto::CryptoProvider;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, StreamOwned};

use crate::stream::{MaybeTls, Stream};

/// The opening handshake is one of HTTP/1.1.
pub(super) fn for_http_1(config: Arc<ClientConfig>) -> Arc<ClientConfig> {
    const HTTP_1: &[u8] = b"http/1.1";
    if config.alpn_protocols == [HTTP_1] {
        return config;
    }
    let mut config = Arc::unwrap_or_clone(config);
    config.alpn_protocols = vec![HTTP_1.into()];
    Arc::new(config)
}

/// Shakes hands. The certificate is checked for this name, and SNI is used (RFC 6455 §4.1 (5)).
pub(super) fn open(
    mut stream: MaybeTls,
    config: Arc<ClientConfig>,
    name: &str,
    timeout: Duration,
) -> io::Result<StreamOwned<ClientConnection, MaybeTls>> {
    let start = Instant::now();
    let name = ServerName::try_from(name.to_owned()).map_err(io::Error::other)?;
    let mut tls = ClientConnection::new(config, name).map_err(io::Error::other)?;
    while tls.is_handshaking() {
        let left = timeout.saturating_sub(start.elapsed());
        if left.is_zero() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        stream.set_read_timeout(Some(left))?;
        stream.set_write_timeout(left)?;
        if tls.wants_write() {
            tls.write_tls(&mut stream)?;
        } else if tls.read_tls(&mut stream)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        } else if let Err(error) = tls.process_new_packets() {
            // The peer is told why.
            let _ = tls.write_tls(&mut stream);
            return Err(io::Error::new(io::ErrorKind::InvalidData, error));
        }
    }
    Ok(StreamOwned::new(tls, stream))
}

/// The certificates that the features bring along, with the provider that the process has.
pub(super) fn default_config() -> io::Result<Arc<ClientConfig>> {
    let config = ClientConfig::builder_with_provider(provider()?)
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?;
    Ok(for_http_1(Arc::new(with_roots(config)?)))
}

type Versions = rustls::ConfigBuilder<ClientConfig, rustls::WantsVerifier>;

#[cfg(feature = "platform-verifier")]
fn with_roots(config: Versions) -> io::Result<ClientConfig> {
    use rustls_platform_verifier::BuilderVerifierExt;
    let config = config.with_platform_verifier().map_err(io::Error::other)?;
    Ok(config.with_no_client_auth())
}

#[cfg(all(feature = "webpki-roots", not(feature = "platform-verifier")))]
fn with_roots(config: Versions) -> io::Result<ClientConfig> {
    let roots = rustls::RootCertStore {
        roots: webpki_roots::TLS_SERVER_ROOTS.into(),
    };
    Ok(config.with_root_certificates(roots).with_no_client_auth())
}

#[cfg(not(any(feature = "webpki-roots", feature = "platform-verifier")))]
fn with_roots(_config: Versions) -> io::Result<ClientConfig> {
    missing(
        "no certificates to trust: give Connector::tls some, or switch on a feature that has them",
    )
}

fn provider() -> io::Result<Arc<CryptoProvider>> {
    if let Some(provider) = CryptoProvider::get_default() {
        return Ok(provider.clone());
    }
    #[cfg(feature = "ring")]
    return Ok(Arc::new(rustls::crypto::ring::default_provider()));
    #[cfg(not(feature = "ring"))]
    missing("no cryptography: install a CryptoProvider of rustls, or switch on the feature `ring`")
}

#[cfg(not(all(
    any(feature = "webpki-roots", feature = "platform-verifier"),
    feature = "ring",
)))]
fn missing<T>(what: &str) -> io::Result<T> {
    Err(io::Error::new(io::ErrorKind::Unsupported, what))
}
