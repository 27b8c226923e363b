//! TLS with rustls, and no provider of cryptography that is forced on anybody.

use std::io;
use std::sync::Arc;

use rustls::ClientConfig;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::ServerName;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::MaybeTls;

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

/// The certificate is checked for this name, and SNI is used (RFC 6455 §4.1 (5)).
pub(super) async fn open(
    stream: MaybeTls,
    config: Arc<ClientConfig>,
    name: &str,
) -> io::Result<TlsStream<MaybeTls>> {
    let name = ServerName::try_from(name.to_owned()).map_err(io::Error::other)?;
    TlsConnector::from(config).connect(name, stream).await
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
