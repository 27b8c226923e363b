//! Connections that axum and hyper let in, over HTTP/1.1 and HTTP/2.

#![cfg(all(feature = "axum", feature = "client"))]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by a panic")]

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::{fmt, io};

use axum::Router;
use axum::response::Response as AxumResponse;
use axum::routing::{any, get};
use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Empty, Full};
use hyper::body::Incoming;
use hyper::ext::Protocol;
use hyper::rt;
use hyper::service::service_fn;
use sansocket_tokio::sansocket::extension::PermessageDeflate;
use sansocket_tokio::sansocket::handshake::extended_connect::{self, ConnectProtocol, Outcome};
use sansocket_tokio::{
    Accept, ClientConfig, ClientRequest, CloseCode, Connection, Connector, Error, HttpStream,
    HttpUpgrade, OriginPolicy, ServerConfig, Uri, WebSocket, WebSocketUpgrade,
};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};

async fn echo<S: AsyncRead + AsyncWrite + Unpin>(mut ws: WebSocket<S>) {
    if let Some(subprotocol) = ws.connection().subprotocol() {
        let subprotocol = subprotocol.to_owned();
        ws.send(subprotocol).await.unwrap();
    }
    while let Some(Ok(message)) = ws.recv().await {
        if ws.send(message).await.is_err() {
            break;
        }
    }
}

fn app() -> Router {
    async fn chat(upgrade: WebSocketUpgrade) -> AxumResponse {
        let offered = upgrade.offered().count();
        let accept = Accept::new().header("X-Offered", offered.to_string().as_bytes());
        let config = ServerConfig::new(OriginPolicy::SameHost).deflate(PermessageDeflate::server());
        upgrade
            .protocols(["v2", "v1"])
            .accept(accept.unwrap())
            .config(&config)
            .on_upgrade(echo)
    }
    async fn open(upgrade: WebSocketUpgrade) -> AxumResponse {
        upgrade.origin(OriginPolicy::Any).on_upgrade(echo)
    }
    Router::new()
        .route("/chat", any(chat))
        .route("/open", any(open))
        .route("/page", get(|| async { "a page" }))
}

async fn serve_axum() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, app()).await.unwrap() });
    address
}

async fn converse<S: AsyncRead + AsyncWrite + Unpin>(ws: WebSocket<S>) {
    let (mut receiver, sender) = ws.split();
    for len in [5, 70_000, 400_000] {
        // Both ways at once, as neither window has room for all of it.
        let message = vec![7; len];
        let send = async {
            sender.send(&message).await.unwrap();
            sender.flush().await.unwrap();
        };
        let ((), echo) = tokio::join!(send, receiver.recv());
        assert_eq!(echo.unwrap().unwrap().as_bytes(), message);
    }
    sender.close(CloseCode::NORMAL_CLOSURE, "").await.unwrap();
    assert!(receiver.recv().await.is_none());
    assert!(receiver.report().unwrap().clean);
}

fn request(uri: &str) -> ClientRequest {
    ClientRequest::new(Uri::parse(uri).unwrap())
}

#[tokio::test]
async fn axum_over_http_1() {
    let address = serve_axum().await;
    let connector = Connector::new().no_proxy();
    let config = ClientConfig::new().deflate(PermessageDeflate::client());
    let uri = format!("ws://{address}/chat");
    let request_ = request(&uri)
        .subprotocol("v1")
        .unwrap()
        .subprotocol("v2")
        .unwrap();
    let mut ws = connector.config(config).open(request_).await.unwrap();
    assert_eq!(ws.connection().subprotocol(), Some("v2"));
    assert!(
        ws.connection()
            .extensions()
            .starts_with("permessage-deflate")
    );
    assert_eq!(ws.recv().await.unwrap().unwrap().as_bytes(), b"v2");
    converse(ws).await;
}

/// RFC 6455 §10.2: a page of somebody else's.
#[tokio::test]
async fn axum_and_origins() {
    let address = serve_axum().await;
    let connector = Connector::new().no_proxy();
    let from = |path: &str, origin: &str| {
        request(&format!("ws://{address}{path}"))
            .origin(origin)
            .unwrap()
    };
    let own = format!("http://{address}");
    connector.open(from("/chat", &own)).await.unwrap();
    connector
        .open(from("/open", "http://evil.example"))
        .await
        .unwrap();
    let refused = connector.open(from("/chat", "http://evil.example")).await;
    assert!(matches!(refused, Err(Error::Refused(refusal)) if refusal.status == 403));
}

#[tokio::test]
async fn axum_and_requests_for_something_else() {
    let address = serve_axum().await;
    let socket = TokioIo(TcpStream::connect(address).await.unwrap());
    let (mut sender, connection) = hyper::client::conn::http1::handshake(socket).await.unwrap();
    tokio::spawn(connection);
    for (path, status) in [
        ("/chat", StatusCode::UPGRADE_REQUIRED),
        ("/page", StatusCode::OK),
    ] {
        let request = Request::get(path)
            .header("Host", "h")
            .body(Empty::<Bytes>::new())
            .unwrap();
        let response = sender.send_request(request).await.unwrap();
        assert_eq!(response.status(), status);
        let body = response.into_body().collect().await.unwrap().to_bytes();
        assert!(!body.is_empty());
    }
}

/// RFC 8441: two connections and a page on one socket.
#[tokio::test]
async fn axum_over_http_2() {
    let address = serve_axum().await;
    let socket = TokioIo(TcpStream::connect(address).await.unwrap());
    let (mut sender, connection) = hyper::client::conn::http2::handshake(Spawn, socket)
        .await
        .unwrap();
    tokio::spawn(connection);
    let page = Request::get(format!("http://{address}/page"))
        .body(Empty::<Bytes>::new())
        .unwrap();
    assert_eq!(
        sender.send_request(page).await.unwrap().status(),
        StatusCode::OK
    );

    let config = ClientConfig::new().deflate(PermessageDeflate::client());
    let uri = format!("ws://{address}/chat");
    let request_ = request(&uri).subprotocol("v1").unwrap();
    let mut sockets = Vec::new();
    for _ in 0..2 {
        let response = sender
            .send_request(extended(&config, &request_))
            .await
            .unwrap();
        let fields = response.headers().iter();
        let fields: Vec<_> = fields
            .map(|(name, value)| (name.as_str(), value.as_bytes()))
            .collect();
        assert!(fields.contains(&("x-offered", b"1")), "{fields:?}");
        let status = response.status().as_u16();
        let outcome = extended_connect::open(&config, &request_, status, fields.iter().copied());
        let Ok(Outcome::Open(negotiated)) = outcome else {
            panic!("{outcome:?}")
        };
        let connection = Connection::upgraded_client(&config, negotiated);
        let upgraded = hyper::upgrade::on(response).await.unwrap();
        sockets.push(WebSocket::from_connection(
            HttpStream::from(upgraded),
            connection,
        ));
    }
    for mut ws in sockets {
        assert_eq!(ws.connection().subprotocol(), Some("v1"));
        assert_eq!(ws.recv().await.unwrap().unwrap().as_bytes(), b"v1");
        converse(ws).await;
    }
    // An origin that is not let in.
    let request_ = request_.origin("http://evil.example").unwrap();
    let response = sender
        .send_request(extended(&config, &request_))
        .await
        .unwrap();
    assert_eq!(response.status(), StatusCode::FORBIDDEN);
}

/// The request of hyper's for it.
fn extended(config: &ClientConfig, request: &ClientRequest) -> Request<Empty<Bytes>> {
    let fields = extended_connect::request(config, request, ConnectProtocol::Enabled).unwrap();
    let field = |wanted: &str| {
        let found = fields.iter().find(|(name, _)| name == wanted);
        String::from_utf8(found.unwrap().1.clone()).unwrap()
    };
    let uri = format!(
        "{}://{}{}",
        field(":scheme"),
        field(":authority"),
        field(":path")
    );
    let mut made = Request::new(Empty::new());
    *made.method_mut() = Method::CONNECT;
    *made.uri_mut() = uri.parse().unwrap();
    for (name, value) in fields.iter().filter(|(name, _)| !name.starts_with(':')) {
        let name = http::HeaderName::from_bytes(name.as_bytes()).unwrap();
        made.headers_mut()
            .append(name, http::HeaderValue::from_bytes(value).unwrap());
    }
    made.extensions_mut()
        .insert(Protocol::from_static("websocket"));
    made
}

/// The rule that is broken, with its number and name.
#[test]
fn requests_that_open_no_connection() {
    let config = ServerConfig::new(OriginPolicy::SameHost);
    let mut request = Request::new(());
    let refused = HttpUpgrade::of(&mut request, &config).unwrap_err();
    assert_eq!((refused.code(), refused.name()), (318, "field_missing"));
    assert_eq!(refused.code(), refused.why().code());
    assert_eq!(refused.to_string(), refused.why().to_string());
}

#[tokio::test]
async fn hyper_by_itself() {
    async fn answer(mut request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
        let config = ServerConfig::new(OriginPolicy::SameHost);
        let upgrade = match HttpUpgrade::of(&mut request, &config) {
            Ok(upgrade) => upgrade,
            Err(refused) => return Ok(refused.response()),
        };
        assert_eq!(upgrade.subprotocols().count(), 0);
        let (response, upgrading) = upgrade.accept(Accept::new()).unwrap();
        tokio::spawn(async move { echo(upgrading.await.unwrap()).await });
        Ok(response)
    }
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            let connection = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo(socket), service_fn(answer))
                .with_upgrades();
            tokio::spawn(connection);
        }
    });
    let connector = Connector::new().no_proxy();
    converse(
        connector
            .connect(&format!("ws://{address}/"))
            .await
            .unwrap(),
    )
    .await;
    let evil = request(&format!("ws://{address}/"))
        .origin("http://evil.example")
        .unwrap();
    let refused = connector.open(evil).await;
    assert!(matches!(refused, Err(Error::Refused(refusal)) if refusal.status == 403));
}

// ── tokio's streams and tasks for hyper

#[derive(Clone)]
struct Spawn;

impl<F: Future<Output: Send> + Send + 'static> rt::Executor<F> for Spawn {
    fn execute(&self, future: F) {
        tokio::spawn(future);
    }
}

struct TokioIo(TcpStream);

impl rt::Read for TokioIo {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        mut cursor: rt::ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        let mut bytes = [0; 16 << 10];
        let len = cursor.remaining().min(bytes.len());
        let mut buf = ReadBuf::new(&mut bytes[..len]);
        ready!(Pin::new(&mut self.0).poll_read(cx, &mut buf))?;
        cursor.put_slice(buf.filled());
        Poll::Ready(Ok(()))
    }
}

impl rt::Write for TokioIo {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

impl fmt::Debug for TokioIo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokioIo")
    }
}
