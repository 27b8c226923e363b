//! From a URI to a connection: TLS, proxies, redirections, one attempt at a time, sessions.

#![cfg(feature = "rustls")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by a panic")]

mod support;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use sansocket_tokio::sansocket::client::backoff::Policy;
use sansocket_tokio::sansocket::client::proxy::ProxyError;
use sansocket_tokio::sansocket::client::socks5::Socks5Error;
use sansocket_tokio::sansocket::handshake::Refusal;
use sansocket_tokio::{
    Accept, CloseCode, Connector, Error, Incoming, Message, Response, WebSocket,
};
use support::server_config;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio_rustls::TlsAcceptor;

async fn listen() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

fn connector() -> Connector {
    Connector::new().no_proxy()
}

async fn echo<S: AsyncRead + AsyncWrite + Unpin>(incoming: Incoming<S>) {
    let mut ws = incoming.accept(Accept::new()).await.unwrap();
    while let Some(Ok(message)) = ws.recv().await {
        if ws.send(message).await.is_err() {
            break;
        }
    }
}

/// Serves each connection that comes.
async fn serve<F: Future<Output = ()> + Send>(
    listener: TcpListener,
    handle: impl Fn(Incoming<TcpStream>) -> F + Send + Sync + 'static,
) {
    let handle = Arc::new(handle);
    while let Ok((socket, _)) = listener.accept().await {
        let handle = handle.clone();
        tokio::spawn(async move {
            if let Ok(incoming) = WebSocket::server(socket, &server_config()).await {
                handle(incoming).await;
            }
        });
    }
}

async fn says_hello<S: AsyncRead + AsyncWrite + Unpin>(ws: &mut WebSocket<S>) {
    ws.send("Hello").await.unwrap();
    let echo = ws.recv().await.unwrap().unwrap();
    assert_eq!(echo.as_bytes(), b"Hello");
}

#[tokio::test]
async fn without_tls() {
    let (listener, address) = listen().await;
    tokio::spawn(serve(listener, echo));
    let mut ws = connector()
        .connect(&format!("ws://{address}/"))
        .await
        .unwrap();
    says_hello(&mut ws).await;
    assert_eq!(ws.get_ref().tcp().peer_addr().unwrap(), address);
    assert!(ws.close(None, "").await.unwrap().clean);
    let error = connector().connect("http://h/").await.unwrap_err();
    assert!(matches!(error, Error::Uri(_)));
}

#[tokio::test]
async fn nobody_there() {
    let (listener, address) = listen().await;
    drop(listener);
    let error = connector()
        .connect(&format!("ws://{address}/"))
        .await
        .unwrap_err();
    let Error::Connect(io) = &error else {
        panic!("{error:?}")
    };
    assert_eq!(io.kind(), std::io::ErrorKind::ConnectionRefused);
    assert!(error.to_string().contains(&address.to_string()), "{error}");
}

// ── TLS

/// A certificate for localhost: what a server shows, and what a client trusts.
fn certificate() -> (TlsAcceptor, Arc<rustls::ClientConfig>) {
    let made = rcgen::generate_simple_self_signed(["localhost".into()]).unwrap();
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()));
    let certificate = made.cert.der().clone();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let server = rustls::ServerConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.clone()], key)
        .unwrap();
    let mut roots = rustls::RootCertStore::empty();
    roots.add(certificate).unwrap();
    let client = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    (TlsAcceptor::from(Arc::new(server)), Arc::new(client))
}

async fn serve_tls(listener: TcpListener, acceptor: TlsAcceptor) {
    while let Ok((socket, _)) = listener.accept().await {
        let Ok(stream) = acceptor.accept(socket).await else {
            continue;
        };
        tokio::spawn(async move {
            echo(WebSocket::server(stream, &server_config()).await.unwrap()).await;
        });
    }
}

#[tokio::test]
async fn with_tls() {
    let (listener, address) = listen().await;
    let (acceptor, trusted) = certificate();
    tokio::spawn(serve_tls(listener, acceptor));
    let uri = format!("wss://localhost:{}/", address.port());
    let connector = connector().tls(trusted);
    let mut ws = connector.connect(&uri).await.unwrap();
    says_hello(&mut ws).await;
    // Larger than a record, and than what TLS keeps.
    for len in [100_000, 1_000_000] {
        let (mut receiver, sender) = ws.split();
        let sending = tokio::spawn(async move {
            sender.send(vec![7; len]).await.unwrap();
            sender
        });
        let echo = receiver.recv().await.unwrap().unwrap();
        assert_eq!(echo.as_bytes().len(), len);
        let sender = sending.await.unwrap();
        sender.close(CloseCode::NORMAL_CLOSURE, "").await.unwrap();
        assert!(receiver.recv().await.is_none());
        assert!(receiver.report().unwrap().clean);
        ws = connector.connect(&uri).await.unwrap();
    }
    assert!(ws.close(None, "").await.unwrap().clean);
}

#[tokio::test]
async fn a_certificate_that_nobody_trusts() {
    let (listener, address) = listen().await;
    let (acceptor, _) = certificate();
    let (_, others) = certificate();
    tokio::spawn(serve_tls(listener, acceptor));
    let connector = connector().tls(others);
    let uri = format!("wss://localhost:{}/", address.port());
    let error = connector.connect(&uri).await.unwrap_err();
    assert!(matches!(error, Error::Tls(_)), "{error:?}");
    // Another attempt does not make it valid.
    let mut sessions = connector.sessions(&uri).unwrap();
    assert!(matches!(sessions.next().await, Some(Err(Error::Tls(_)))));
    assert!(sessions.next().await.is_none());
}

// ── redirections

#[tokio::test]
async fn redirections() {
    let (other, other_address) = listen().await;
    tokio::spawn(serve(other, |incoming| async move {
        assert_eq!(incoming.request().header("Authorization"), None);
        assert_eq!(incoming.request().header("User-Agent"), Some(&b"test"[..]));
        echo(incoming).await;
    }));
    let (listener, address) = listen().await;
    tokio::spawn(serve(listener, move |incoming| async move {
        assert_eq!(
            incoming.request().header("Authorization"),
            Some(&b"secret"[..])
        );
        let to = match incoming.request().path() {
            "/" => "/second".into(),
            "/second" => format!("ws://{other_address}/third"),
            path => panic!("{path}"),
        };
        let response = Response::new(307)
            .header("Location", to.as_bytes())
            .unwrap();
        incoming.respond(response).await.unwrap();
    }));
    let uri = format!("ws://{address}/");
    let connector = connector()
        .header("Authorization", b"secret")
        .unwrap()
        .header("User-Agent", b"test")
        .unwrap();
    let error = connector.connect(&uri).await.unwrap_err();
    assert!(matches!(error, Error::Refused(refusal) if refusal.status == 307));
    let error = connector
        .clone()
        .redirects(1)
        .connect(&uri)
        .await
        .unwrap_err();
    assert!(matches!(error, Error::Redirect(_)), "{error:?}");
    let mut ws = connector.redirects(2).connect(&uri).await.unwrap();
    says_hello(&mut ws).await;
}

// ── credentials

/// RFC 9110 §11.6, RFC 7617, RFC 7616: told a server that asks for them.
#[tokio::test]
async fn credentials() {
    let (listener, address) = listen().await;
    tokio::spawn(serve(listener, |incoming| async move {
        let (path, told) = (incoming.request().path(), "Authorization");
        let told = incoming.request().header(told).unwrap_or_default();
        let scheme = if path == "/digest" {
            &b"Digest "[..]
        } else {
            b"Basic dXNlcjpwYXNz"
        };
        if told.starts_with(scheme) {
            return echo(incoming).await;
        }
        let asks: &[u8] = match scheme {
            b"Digest " => b"Digest realm=\"r\", nonce=\"n\", qop=\"auth\"",
            _ => b"Basic realm=\"r\"",
        };
        let response = Response::new(401).header("WWW-Authenticate", asks).unwrap();
        incoming.respond(response).await.unwrap();
    }));
    for path in ["basic", "digest"] {
        let uri = format!("ws://{address}/{path}");
        let connector = connector().credentials("user", "pass").unwrap();
        let opened = connector.connect(&uri).await;
        if path == "digest" && cfg!(not(feature = "digest")) {
            assert!(matches!(opened, Err(Error::Refused(_))));
            continue;
        }
        says_hello(&mut opened.unwrap()).await;
        let unknown = self::connector().credentials("user", "none").unwrap();
        if path == "basic" {
            let error = unknown.connect(&uri).await.unwrap_err();
            assert!(matches!(error, Error::Refused(refusal) if refusal.status == 401));
        }
    }
}

// ── proxies

/// Opens tunnels for who knows the password, inside TLS or not.
async fn proxy(listener: TcpListener, tls: Option<TlsAcceptor>, tunnels: Arc<AtomicUsize>) {
    while let Ok((socket, _)) = listener.accept().await {
        let (tls, tunnels) = (tls.clone(), tunnels.clone());
        tokio::spawn(async move {
            match tls {
                None => tunnel(socket, tunnels).await,
                Some(tls) => tunnel(tls.accept(socket).await.unwrap(), tunnels).await,
            }
        });
    }
}

async fn tunnel(mut socket: impl AsyncRead + AsyncWrite + Unpin, tunnels: Arc<AtomicUsize>) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(socket.read_u8().await.unwrap());
    }
    let head = String::from_utf8(head).unwrap();
    let target = head.split(' ').nth(1).unwrap();
    if !head.contains("Proxy-Authorization: Basic dXNlcjpwYXNz\r\n") {
        let answer = "HTTP/1.1 407 Who?\r\nContent-Length: 0\r\n\r\n";
        socket.write_all(answer.as_bytes()).await.unwrap();
        return socket.shutdown().await.unwrap();
    }
    let mut server = TcpStream::connect(target).await.unwrap();
    socket.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.unwrap();
    tunnels.fetch_add(1, Ordering::SeqCst);
    let _ = copy_bidirectional(&mut socket, &mut server).await;
}

#[tokio::test]
async fn proxies() {
    let (listener, address) = listen().await;
    tokio::spawn(serve(listener, echo));
    let (acceptor, trusted) = certificate();
    let (tls, tls_address) = listen().await;
    tokio::spawn(serve_tls(tls, acceptor.clone()));
    let tunnels = Arc::new(AtomicUsize::new(0));
    let mut opened = 0;
    for (scheme, tls) in [("http", None), ("https", Some(acceptor))] {
        let (listener, proxy_address) = listen().await;
        tokio::spawn(proxy(listener, tls, tunnels.clone()));
        let through = |credentials: &str| {
            let proxy = format!("{scheme}://{credentials}localhost:{}", proxy_address.port());
            connector()
                .tls(trusted.clone())
                .proxy(proxy.parse().unwrap())
        };
        for uri in [
            format!("ws://{address}/"),
            format!("wss://localhost:{}/", tls_address.port()),
        ] {
            let mut ws = through("user:pass@").connect(&uri).await.unwrap();
            says_hello(&mut ws).await;
            assert_eq!(ws.get_ref().tcp().peer_addr().unwrap(), proxy_address);
            assert!(ws.close(None, "").await.unwrap().clean);
            opened += 1;
            assert_eq!(tunnels.load(Ordering::SeqCst), opened);
            let error = through("").connect(&uri).await.unwrap_err();
            let is_407 = |refusal: &Refusal| refusal.status == 407;
            assert!(
                matches!(&error, Error::Proxy(ProxyError::Refused(refusal)) if is_407(refusal))
            );
        }
    }
}

/// RFC 1928, RFC 1929: a name and a password, and the name of the server for the proxy to resolve.
async fn socks5(listener: TcpListener) {
    while let Ok((mut socket, _)) = listener.accept().await {
        let mut read = [0; 4];
        socket.read_exact(&mut read).await.unwrap();
        assert_eq!(read, [5, 2, 0, 2]);
        socket.write_all(&[5, 2]).await.unwrap();
        let mut read = [0; 11];
        socket.read_exact(&mut read).await.unwrap();
        let is_known = read == *b"\x01\x04user\x04pass";
        socket.write_all(&[1, u8::from(!is_known)]).await.unwrap();
        if !is_known {
            continue;
        }
        let mut read = [0; 5 + 9 + 2];
        socket.read_exact(&mut read).await.unwrap();
        let (head, port) = read.split_at(5 + 9);
        assert_eq!(head, b"\x05\x01\0\x03\x09localhost");
        let port = u16::from_be_bytes(port.try_into().unwrap());
        let mut server = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        let reply = b"\x05\0\0\x01\0\0\0\0\0\0";
        socket.write_all(reply).await.unwrap();
        tokio::spawn(async move { copy_bidirectional(&mut socket, &mut server).await });
    }
}

#[tokio::test]
async fn socks5_proxies() {
    let (listener, address) = listen().await;
    tokio::spawn(serve(listener, echo));
    let (acceptor, trusted) = certificate();
    let (tls, tls_address) = listen().await;
    tokio::spawn(serve_tls(tls, acceptor));
    let (listener, proxy_address) = listen().await;
    tokio::spawn(socks5(listener));
    let through = |password: &str| {
        let proxy = format!("socks5://user:{password}@{proxy_address}");
        connector()
            .tls(trusted.clone())
            .proxy(proxy.parse().unwrap())
    };
    for uri in [
        format!("ws://localhost:{}/", address.port()),
        format!("wss://localhost:{}/", tls_address.port()),
    ] {
        let mut ws = through("pass").connect(&uri).await.unwrap();
        says_hello(&mut ws).await;
        assert!(ws.close(None, "").await.unwrap().clean);
        let error = through("none").connect(&uri).await.unwrap_err();
        let refused = ProxyError::Socks5(Socks5Error::Credentials);
        assert!(matches!(&error, Error::Proxy(why) if why.to_string() == refused.to_string()));
    }
}

// ── one at a time

/// RFC 6455 §4.1 (2): the second attempt to an address waits for the first to open or to fail.
#[tokio::test]
async fn one_attempt_at_a_time() {
    let (listener, address) = listen().await;
    let connector = connector();
    let (opened, mut order) = mpsc::unbounded_channel();
    for _ in 0..3 {
        let (connector, opened) = (connector.clone(), opened.clone());
        tokio::spawn(async move {
            let ws = connector.connect(&format!("ws://{address}/")).await;
            opened.send(ws.is_ok()).unwrap();
        });
    }
    for is_accepted in [true, false, true] {
        let (socket, _) = listener.accept().await.unwrap();
        let another = tokio::time::timeout(Duration::from_millis(30), listener.accept()).await;
        assert!(another.is_err(), "a second one is under way");
        let incoming = WebSocket::server(socket, &server_config()).await.unwrap();
        if is_accepted {
            tokio::spawn(echo(incoming));
        } else {
            incoming.respond(Response::new(503)).await.unwrap();
        }
        assert_eq!(order.recv().await, Some(is_accepted));
    }
}

// ── sessions

#[tokio::test]
async fn sessions() {
    let (listener, address) = listen().await;
    let count = Arc::new(AtomicUsize::new(0));
    tokio::spawn(serve(listener, move |incoming| {
        let number = count.fetch_add(1, Ordering::SeqCst);
        async move {
            if number == 1 {
                return incoming.respond(Response::new(503)).await.unwrap();
            }
            let mut ws = incoming.accept(Accept::new()).await.unwrap();
            ws.send(number.to_string()).await.unwrap();
            match number {
                0 => drop(ws.close(CloseCode::SERVICE_RESTART, "").await.unwrap()),
                2 => drop(ws), // gone, without a word
                _ => drop(ws.close(CloseCode::NORMAL_CLOSURE, "").await.unwrap()),
            }
        }
    }));
    let mut policy = Policy::default();
    policy.first = Duration::from_millis(20);
    let connector = connector().backoff(policy);
    let mut sessions = connector.sessions(&format!("ws://{address}/")).unwrap();
    let mut heard = Vec::new();
    while let Some(ws) = sessions.next().await {
        // In halves, and dropped before the next one comes.
        let (mut receiver, _sender) = ws.unwrap().split();
        while let Some(Ok(Message::Text(text))) = receiver.recv().await {
            heard.push(text.into_string());
        }
    }
    assert_eq!(heard, ["0", "2", "3"]);
    assert!(sessions.next().await.is_none());
}

#[tokio::test]
async fn sessions_end_where_another_attempt_would_not_help() {
    let (listener, address) = listen().await;
    tokio::spawn(serve(listener, |incoming| async move {
        incoming.respond(Response::new(404)).await.unwrap();
    }));
    let mut sessions = connector().sessions(&format!("ws://{address}/")).unwrap();
    let error = sessions.next().await.unwrap().unwrap_err();
    assert!(matches!(error, Error::Refused(refusal) if refusal.status == 404));
    assert!(sessions.next().await.is_none());
}
