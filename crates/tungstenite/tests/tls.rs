//! Clients over TLS, by rustls and by the platform, with a server of either.
#![cfg(any(feature = "native-tls", feature = "__rustls-tls"))]
#![allow(clippy::unwrap_used, reason = "a test fails by a panic")]

mod peers;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;

use peers::{echo, echoes_and_closes, serve};
use tungstenite::{Connector, Error, accept, client_tls_with_config};

/// A certificate for `localhost` that nobody else trusts, and its key: PEM.
struct Made {
    certificate: String,
    key: String,
}

fn make() -> Made {
    let made = rcgen::generate_simple_self_signed(["localhost".into()]).unwrap();
    Made {
        certificate: made.cert.pem(),
        key: made.signing_key.serialize_pem(),
    }
}

#[cfg(feature = "__rustls-tls")]
mod with_rustls {
    use rustls::pki_types::pem::PemObject;
    use rustls::pki_types::{CertificateDer, PrivateKeyDer};

    use super::*;

    fn provider() -> Arc<rustls::crypto::CryptoProvider> {
        Arc::new(rustls::crypto::ring::default_provider())
    }

    pub(crate) fn server(made: &Made, stream: TcpStream) -> impl Read + Write + use<> {
        let certificate = CertificateDer::from_pem_slice(made.certificate.as_bytes()).unwrap();
        let key = PrivateKeyDer::from_pem_slice(made.key.as_bytes()).unwrap();
        let config = rustls::ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate], key)
            .unwrap();
        let connection = rustls::ServerConnection::new(Arc::new(config)).unwrap();
        rustls::StreamOwned::new(connection, stream)
    }

    pub(crate) fn client(made: &Made) -> Connector {
        let mut roots = rustls::RootCertStore::empty();
        let certificate = CertificateDer::from_pem_slice(made.certificate.as_bytes()).unwrap();
        roots.add(certificate).unwrap();
        let config = rustls::ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        Connector::Rustls(Arc::new(config))
    }
}

#[cfg(feature = "native-tls")]
mod with_native_tls {
    use native_tls_crate::{Certificate, Identity, TlsAcceptor, TlsConnector};

    use super::*;

    pub(crate) fn server(made: &Made, stream: TcpStream) -> impl Read + Write + use<> {
        let identity = Identity::from_pkcs8(made.certificate.as_bytes(), made.key.as_bytes());
        let acceptor = TlsAcceptor::new(identity.unwrap()).unwrap();
        acceptor.accept(stream).unwrap()
    }

    pub(crate) fn client(made: &Made) -> Connector {
        let certificate = Certificate::from_pem(made.certificate.as_bytes()).unwrap();
        let mut builder = TlsConnector::builder();
        let connector = builder.add_root_certificate(certificate).build();
        Connector::NativeTls(connector.unwrap())
    }
}

fn conversation<S: Read + Write + 'static>(
    server: impl FnOnce(&Made, TcpStream) -> S + Send + 'static,
    client: impl FnOnce(&Made) -> Connector,
) {
    let made = Arc::new(make());
    let theirs = made.clone();
    let (address, server) = serve(move |stream| echo(accept(server(&theirs, stream)).unwrap()));
    let stream = TcpStream::connect(address).unwrap();
    let url = format!("wss://localhost:{}/", address.port());
    let (mut socket, _) = client_tls_with_config(url, stream, None, Some(client(&made))).unwrap();
    echoes_and_closes(&mut socket);
    assert!(matches!(server.join().unwrap(), Error::ConnectionClosed));
}

#[cfg(feature = "__rustls-tls")]
#[test]
fn rustls_with_rustls() {
    conversation(with_rustls::server, with_rustls::client);
}

#[cfg(feature = "native-tls")]
#[test]
fn the_platform_with_the_platform() {
    conversation(with_native_tls::server, with_native_tls::client);
}

#[cfg(all(feature = "native-tls", feature = "__rustls-tls"))]
#[test]
fn each_with_the_other() {
    conversation(with_native_tls::server, with_rustls::client);
    conversation(with_rustls::server, with_native_tls::client);
}

/// Where no connector is given the platform's TLS comes first, and trusts what the system trusts.
#[cfg(all(feature = "native-tls", feature = "__rustls-tls"))]
#[test]
fn a_certificate_that_nobody_trusts() {
    use tungstenite::error::TlsError;

    let made = make();
    let (address, _server) =
        serve(move |stream| accept(with_rustls::server(&made, stream)).is_err());
    let refused = tungstenite::connect(format!("wss://localhost:{}/", address.port()));
    assert!(matches!(refused, Err(Error::Tls(TlsError::Native(_)))));
}
