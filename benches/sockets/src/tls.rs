//! TLS of both ends: the same library, provider of cryptography and cipher for all.

use std::error::Error;
use std::sync::Arc;
use std::{env, fs};

use rustls::crypto::CryptoProvider;
use rustls::crypto::ring::{cipher_suite, default_provider};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

fn provider() -> Arc<CryptoProvider> {
    Arc::new(CryptoProvider {
        cipher_suites: vec![cipher_suite::TLS13_AES_128_GCM_SHA256],
        ..default_provider()
    })
}

/// With a new certificate for localhost, which is left in this file.
fn server(file: &str) -> Result<Arc<ServerConfig>, Box<dyn Error>> {
    let made = rcgen::generate_simple_self_signed(["localhost".into()])?;
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()));
    fs::write(file, made.cert.der())?;
    let config = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)?;
    Ok(Arc::new(config))
}

/// Serves each connection in a task of its own. The certificate is left in the file that the first argument names.
pub fn run<F, R>(
    serve: impl Fn(TlsStream<TcpStream>) -> F + Copy + Send + 'static,
) -> Result<(), Box<dyn Error>>
where
    F: Future<Output = R> + Send + 'static,
    R: Send,
{
    let file = env::args()
        .nth(1)
        .ok_or("where to leave the certificate?")?;
    let acceptor = TlsAcceptor::from(server(&file)?);
    crate::over_tokio::run(move |stream| {
        let accepted = acceptor.accept(stream);
        async move {
            // An error: the peer has gone.
            if let Ok(stream) = accepted.await {
                let _ = serve(stream).await;
            }
        }
    })?;
    Ok(())
}

/// It trusts the certificate in this file.
pub fn client(file: &str) -> Result<Arc<ClientConfig>, Box<dyn Error>> {
    let mut roots = RootCertStore::empty();
    roots.add(fs::read(file)?.into())?;
    let config = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::new(config))
}
