//! Clients over TLS, by rustls and by the platform, with a server of either.
#![cfg(any(feature = "native-tls", feature = "__rustls-tls"))]
#![allow(clippy::unwrap_used, reason = "a test fails by a panic")]

use std::future::Future;
use std::sync::Arc;

use futures_util::{SinkExt, StreamExt};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{Connector, accept_async, connect_async_tls_with_config};

/// A certificate for `localhost` that nobody else trusts, and its key: PEM.
struct Made {
    certificate: String,
    key: String,
}

#[cfg(feature = "__rustls-tls")]
mod with_rustls {
    use rustls::pki_types::pem::PemObject;
    use rustls::pki_types::{CertificateDer, PrivateKeyDer};

    use super::*;

    fn provider() -> Arc<rustls::crypto::CryptoProvider> {
        Arc::new(rustls::crypto::ring::default_provider())
    }

    pub(crate) async fn server(
        made: Arc<Made>,
        stream: TcpStream,
    ) -> impl AsyncRead + AsyncWrite + Unpin + Send {
        let certificate = CertificateDer::from_pem_slice(made.certificate.as_bytes()).unwrap();
        let key = PrivateKeyDer::from_pem_slice(made.key.as_bytes()).unwrap();
        let config = rustls::ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate], key)
            .unwrap();
        let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
        acceptor.accept(stream).await.unwrap()
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
    use tokio_native_tls::native_tls::{Certificate, Identity, TlsAcceptor, TlsConnector};

    use super::*;

    pub(crate) async fn server(
        made: Arc<Made>,
        stream: TcpStream,
    ) -> impl AsyncRead + AsyncWrite + Unpin + Send {
        let identity = Identity::from_pkcs8(made.certificate.as_bytes(), made.key.as_bytes());
        let acceptor = TlsAcceptor::new(identity.unwrap()).unwrap();
        let acceptor = tokio_native_tls::TlsAcceptor::from(acceptor);
        acceptor.accept(stream).await.unwrap()
    }

    pub(crate) fn client(made: &Made) -> Connector {
        let certificate = Certificate::from_pem(made.certificate.as_bytes()).unwrap();
        let mut builder = TlsConnector::builder();
        let connector = builder.add_root_certificate(certificate).build();
        Connector::NativeTls(connector.unwrap())
    }
}

async fn conversation<S, F>(
    encrypted: impl Fn(Arc<Made>, TcpStream) -> F + Send + 'static,
    client: impl FnOnce(&Made) -> Connector,
) where
    S: AsyncRead + AsyncWrite + Unpin + Send,
    F: Future<Output = S> + Send,
{
    let made = rcgen::generate_simple_self_signed(["localhost".into()]).unwrap();
    let made = Arc::new(Made {
        certificate: made.cert.pem(),
        key: made.signing_key.serialize_pem(),
    });
    let listener = TcpListener::bind("localhost:0").await.unwrap();
    let url = format!("wss://localhost:{}/", listener.local_addr().unwrap().port());
    let theirs = made.clone();
    let server = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let mut socket = accept_async(encrypted(theirs, stream).await).await.unwrap();
        while let Some(message) = socket.next().await {
            let message = message.unwrap();
            if message.is_binary() {
                socket.send(message).await.unwrap();
            }
        }
    });
    let connector = Some(client(&made));
    let connected = connect_async_tls_with_config(&url, None, true, connector).await;
    let (mut socket, _) = connected.unwrap();
    assert!(socket.get_ref().get_ref().nodelay().unwrap());
    for len in [5, 100_000, 1 << 20] {
        let message = Message::binary(vec![7; len]);
        socket.send(message.clone()).await.unwrap();
        assert!(socket.next().await.unwrap().unwrap() == message);
    }
    socket.close(None).await.unwrap();
    assert!(socket.next().await.unwrap().is_ok() && socket.next().await.is_none());
    server.await.unwrap();
}

#[cfg(feature = "__rustls-tls")]
#[tokio::test]
async fn rustls_with_rustls() {
    conversation(with_rustls::server, with_rustls::client).await;
}

#[cfg(feature = "native-tls")]
#[tokio::test]
async fn the_platform_with_the_platform() {
    conversation(with_native_tls::server, with_native_tls::client).await;
}

#[cfg(all(feature = "native-tls", feature = "__rustls-tls"))]
#[tokio::test]
async fn each_with_the_other() {
    conversation(with_native_tls::server, with_rustls::client).await;
    conversation(with_rustls::server, with_native_tls::client).await;
}

/// A stream that is to be plain is not for wss.
#[tokio::test]
async fn no_tls() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("wss://{}/", listener.local_addr().unwrap());
    let refused = connect_async_tls_with_config(&url, None, true, Some(Connector::Plain)).await;
    assert!(matches!(refused, Err(Error::Url(_))));
}

/// Whatever other crates have asked of the crate below, this one has a way to encrypt.
#[tokio::test]
async fn no_connector() {
    let listener = TcpListener::bind("localhost:0").await.unwrap();
    let url = format!("wss://localhost:{}/", listener.local_addr().unwrap().port());
    let server = tokio::spawn(async move { drop(listener.accept().await.unwrap()) });
    let refused = connect_async_tls_with_config(&url, None, true, None).await;
    assert!(matches!(refused, Err(Error::Io(_) | Error::Tls(_))));
    server.await.unwrap();
}
