//! Real peers over loopback: tokio-tungstenite, and this crate where it has to see the worst.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by a panic")]

mod support;

use std::net::SocketAddr;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use sansocket_tokio::sansocket::Side;
use sansocket_tokio::sansocket::error::{Failure, SendError, Timeout};
use sansocket_tokio::{Accept, ClientConfig, ClientRequest, CloseCode, Message, Uri, WebSocket};
use support::{accept, quiet, server_config};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};
use tokio_tungstenite::tungstenite;
use tungstenite::protocol::{CloseFrame, frame::coding::CloseCode as TheirCode};

async fn listen() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

fn request(address: SocketAddr) -> ClientRequest {
    ClientRequest::new(Uri::parse(&format!("ws://{address}/")).unwrap())
}

async fn connect(address: SocketAddr) -> WebSocket<TcpStream> {
    let socket = TcpStream::connect(address).await.unwrap();
    WebSocket::client(socket, &ClientConfig::new(), request(address))
        .await
        .unwrap()
}

/// Lengths around the forms of a frame's length, and beyond what sockets and reads take at once.
const LENGTHS: [usize; 8] = [0, 1, 125, 126, 65_535, 65_536, 300_000, 1_000_000];

// ── tokio-tungstenite

#[tokio::test]
async fn its_server() {
    let (listener, address) = listen().await;
    let server = tokio::spawn(async move {
        let (socket, _) = listener.accept().await.unwrap();
        let mut ws = tokio_tungstenite::accept_async(socket).await.unwrap();
        ws.send(tungstenite::Message::Ping("are you there".into()))
            .await
            .unwrap();
        let mut pongs = 0;
        loop {
            match ws.next().await.unwrap().unwrap() {
                message if message.is_text() || message.is_binary() => {
                    ws.send(message).await.unwrap();
                }
                tungstenite::Message::Pong(payload) => {
                    assert_eq!(payload, "are you there");
                    pongs += 1;
                }
                tungstenite::Message::Close(frame) => {
                    let frame = frame.unwrap();
                    assert_eq!((frame.code, &*frame.reason), (TheirCode::Away, "bye"));
                    break;
                }
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(pongs, 1);
        while ws.next().await.is_some_and(|next| next.is_ok()) {}
    });
    let mut ws = connect(address).await;
    for len in LENGTHS {
        ws.send(vec![7; len]).await.unwrap();
        assert_eq!(ws.recv().await.unwrap().unwrap().as_bytes(), vec![7; len]);
    }
    ws.send("grüezi").await.unwrap();
    assert!(matches!(ws.recv().await, Some(Ok(Message::Text(text))) if &*text == "grüezi"));
    let report = ws.close(CloseCode::GOING_AWAY, "bye").await.unwrap();
    assert!(report.clean);
    assert_eq!(report.began, Some(Side::Us));
    server.await.unwrap();
}

#[tokio::test]
async fn its_client() {
    let (listener, address) = listen().await;
    let server = tokio::spawn(async move {
        let (socket, _) = listener.accept().await.unwrap();
        let mut ws = accept(socket, &server_config()).await;
        while let Some(message) = ws.recv().await {
            ws.send(message.unwrap()).await.unwrap();
        }
        ws.report().unwrap().clone()
    });
    let uri = format!("ws://{address}/");
    let (mut ws, _) = tokio_tungstenite::connect_async(uri).await.unwrap();
    for len in LENGTHS {
        ws.send(tungstenite::Message::binary(vec![7; len]))
            .await
            .unwrap();
        assert_eq!(ws.next().await.unwrap().unwrap().into_data(), vec![7; len]);
    }
    let frame = CloseFrame {
        code: TheirCode::Normal,
        reason: "done".into(),
    };
    ws.close(Some(frame)).await.unwrap();
    while ws.next().await.is_some() {}
    let report = server.await.unwrap();
    assert!(report.clean);
    assert_eq!((report.code, report.began), (1000, Some(Side::Peer)));
}

// ── peers that misbehave

/// A client that sends too much is told, although writing fails before it has sent it all: with 1006 it
/// would try again for ever.
#[tokio::test]
async fn the_last_words_of_a_server_are_heard_after_an_error_while_writing() {
    for _ in 0..20 {
        let (listener, address) = listen().await;
        let server = tokio::spawn(async move {
            let (mut socket, _) = listener.accept().await.unwrap();
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                head.push(socket.read_u8().await.unwrap());
            }
            let head = String::from_utf8(head).unwrap();
            let key = head.split_once("Sec-WebSocket-Key: ").unwrap().1;
            let key = key.split_once("\r\n").unwrap().0;
            let accept = tungstenite::handshake::derive_accept_key(key.as_bytes());
            let answer = format!(
                "HTTP/1.1 101 x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                 Sec-WebSocket-Accept: {accept}\r\n\r\n"
            );
            socket.write_all(answer.as_bytes()).await.unwrap();
            // The first frame's header is enough to know, and the rest is of no interest.
            socket.read_u64().await.unwrap();
            socket.write_all(b"\x88\x02\x03\xf1").await.unwrap();
            // What is not read makes closing a reset.
        });
        let mut ws = connect(address).await;
        let _ = ws.send(vec![0; 8 << 20]).await;
        server.await.unwrap();
        let error = ws.recv().await.unwrap().unwrap_err();
        let code = error.report().unwrap().code;
        // A reset can still overtake what was not read yet: then the kernel has dropped it.
        assert!(code == 1009 || error.io().is_some(), "{error}");
        assert!(ws.recv().await.is_none());
    }
}

/// The same where no reset can drop it: the error while writing comes first, the Close frame is there.
#[tokio::test]
async fn an_error_while_writing_does_not_hide_the_peers_close_frame() {
    let io = tokio_test_io();
    let connection = sansocket_tokio::Connection::upgraded_client(
        &ClientConfig::new(),
        sansocket_tokio::Negotiated::default(),
    );
    let mut ws = WebSocket::from_connection(io, connection);
    ws.send(vec![0; 100]).await.unwrap();
    let error = ws.recv().await.unwrap().unwrap_err();
    let report = error.report().unwrap();
    assert_eq!((report.clean, report.code), (false, 1009));
    assert_eq!(error.io().unwrap().kind(), std::io::ErrorKind::BrokenPipe);
    let unsent = ws.send("more").await.unwrap_err();
    assert_eq!(unsent.why, SendError::Closing);
}

/// Writing fails; a Close frame with 1009 can be read.
fn tokio_test_io() -> impl tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin {
    struct Broken(&'static [u8]);

    impl tokio::io::AsyncRead for Broken {
        fn poll_read(
            mut self: std::pin::Pin<&mut Self>,
            _: &mut std::task::Context<'_>,
            buf: &mut tokio::io::ReadBuf<'_>,
        ) -> std::task::Poll<std::io::Result<()>> {
            buf.put_slice(std::mem::take(&mut self.0));
            std::task::Poll::Ready(Ok(()))
        }
    }

    impl tokio::io::AsyncWrite for Broken {
        fn poll_write(
            self: std::pin::Pin<&mut Self>,
            _: &mut std::task::Context<'_>,
            _: &[u8],
        ) -> std::task::Poll<std::io::Result<usize>> {
            std::task::Poll::Ready(Err(std::io::ErrorKind::BrokenPipe.into()))
        }

        fn poll_flush(
            self: std::pin::Pin<&mut Self>,
            _: &mut std::task::Context<'_>,
        ) -> std::task::Poll<std::io::Result<()>> {
            std::task::Poll::Ready(Ok(()))
        }

        fn poll_shutdown(
            self: std::pin::Pin<&mut Self>,
            _: &mut std::task::Context<'_>,
        ) -> std::task::Poll<std::io::Result<()>> {
            std::task::Poll::Ready(Ok(()))
        }
    }

    Broken(b"\x88\x02\x03\xf1")
}

/// A peer that never reads: memory is bounded, and the end comes.
#[tokio::test]
async fn a_peer_that_never_reads() {
    let (listener, address) = listen().await;
    let peer = tokio::spawn(async move { connect(address).await });
    let (socket, _) = listener.accept().await.unwrap();
    let mut timeouts = quiet();
    timeouts.close = Duration::from_millis(200);
    let mut server = accept(socket, &server_config().timeouts(timeouts)).await;
    let peer = peer.await.unwrap();
    let mut sent = 0;
    while timeout(Duration::from_millis(100), server.send(vec![0; 500_000]))
        .await
        .is_ok()
    {
        sent += 500_000;
        assert!(sent < 200 << 20, "the sockets take all of it");
    }
    let queued = server.connection().output_len();
    assert!(queued < (1 << 20) + 600_000, "{queued}");
    let start = Instant::now();
    let report = server.close(CloseCode::GOING_AWAY, "").await.unwrap();
    assert!(!report.clean);
    assert!(
        start.elapsed() < Duration::from_secs(3),
        "{:?}",
        start.elapsed()
    );
    drop(peer);
}

/// A peer that stops in the middle of a message, over TCP and in real time.
#[tokio::test]
async fn a_peer_that_stops() {
    let (listener, address) = listen().await;
    let peer = tokio::spawn(async move {
        let mut socket = TcpStream::connect(address).await.unwrap();
        let head = "GET / HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";
        socket.write_all(head.as_bytes()).await.unwrap();
        socket
            .write_all(b"\x82\xfe\x10\x00\0\0\0\0half")
            .await
            .unwrap();
        let mut all = Vec::new();
        socket.read_to_end(&mut all).await.unwrap();
        all
    });
    let (socket, _) = listener.accept().await.unwrap();
    let mut timeouts = quiet();
    timeouts.message = Some(Duration::from_millis(100));
    timeouts.close = Duration::from_millis(100);
    let mut server = accept(socket, &server_config().timeouts(timeouts)).await;
    let error = server.recv().await.unwrap().unwrap_err();
    let failure = error.report().unwrap().failure;
    assert_eq!(failure, Some(Failure::Timeout(Timeout::Message)));
    drop(server);
    // It was told why, with 1008 and a reason.
    let all = peer.await.unwrap();
    let close = all
        .windows(4)
        .position(|at| at[0] == 0x88 && at[2..] == [0x03, 0xf0]);
    let close = &all[close.unwrap()..];
    assert_eq!(close.len(), 2 + usize::from(close[1]));
}

// ── the end of many

/// Every end of many connections is orderly on both sides. `CONNECTIONS=10000` for more.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_end_of_many_connections() {
    let count = std::env::var("CONNECTIONS").map_or(500, |count| count.parse().unwrap());
    let (listener, address) = listen().await;
    let server = tokio::spawn(async move {
        let config = server_config();
        let mut connections = JoinSet::new();
        for number in 0..count {
            let (socket, _) = listener.accept().await.unwrap();
            let config = config.clone();
            connections.spawn(async move {
                let incoming = WebSocket::server(socket, &config).await.unwrap();
                let mut ws = incoming.accept(Accept::new()).await.unwrap();
                ws.send("welcome").await.unwrap();
                if number % 2 == 0 {
                    let report = ws.close(CloseCode::GOING_AWAY, "stopping").await.unwrap();
                    assert!(report.clean, "{report}");
                } else {
                    assert!(ws.recv().await.is_none());
                }
            });
        }
        connections.join_all().await;
    });
    let mut clients = JoinSet::new();
    let limit = std::sync::Arc::new(tokio::sync::Semaphore::new(200));
    for _ in 0..count {
        let permit = limit.clone().acquire_owned().await.unwrap();
        clients.spawn(async move {
            let mut ws = connect(address).await;
            drop(permit);
            let welcome = ws.recv().await.unwrap().unwrap();
            assert_eq!(welcome.as_bytes(), b"welcome");
            if let Ok(next) = timeout(Duration::from_millis(500), ws.recv()).await {
                assert!(next.is_none(), "{next:?}");
            } else {
                assert!(ws.close(CloseCode::NORMAL_CLOSURE, "").await.unwrap().clean);
            }
            let report = ws.report().unwrap();
            assert!(
                report.clean && matches!(report.code, 1000 | 1001),
                "{report}"
            );
        });
    }
    clients.join_all().await;
    server.await.unwrap();
}
