//! One connection, from the opening handshake to the end.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by a panic")]

mod support;

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use sansocket_tokio::sansocket::Side;
use sansocket_tokio::sansocket::error::{AcceptError, CloseError, Failure, SendError, Timeout};
use sansocket_tokio::{
    Accept, ClientConfig, CloseCode, Connection, Error, Event, Message, Negotiated, Prepared,
    Response, ServerConfig, WebSocket,
};
use support::{accept, pair, pair_with, quiet, request, server_config};
use tokio::io::{
    AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream, ReadBuf, duplex,
};
use tokio::time::{Instant, Sleep, advance, sleep, timeout};

fn text(message: Option<Result<Message<'static>, Error>>) -> String {
    match message {
        Some(Ok(Message::Text(text))) => text.into_string(),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn messages_of_every_kind_both_ways() {
    let (mut client, mut server) = pair().await;
    let prepared = Prepared::text("prepared");
    client.send("borrowed").await.unwrap();
    client.send(String::from("owned")).await.unwrap();
    client.send(&prepared).await.unwrap();
    client.send(&b"bytes"[..]).await.unwrap();
    client.try_send(vec![7; 10_000]).unwrap();
    assert_eq!(text(server.recv().await), "borrowed");
    assert_eq!(text(server.recv().await), "owned");
    assert_eq!(text(server.recv().await), "prepared");
    let message = server.recv().await.unwrap().unwrap();
    assert_eq!(message.as_bytes(), b"bytes");
    server.send(message).await.unwrap();
    assert_eq!(
        server.recv().await.unwrap().unwrap().as_bytes(),
        [7; 10_000]
    );
    assert_eq!(client.recv().await.unwrap().unwrap().as_bytes(), b"bytes");
}

/// RFC 6455 §7.1: both codes, who began, and the server ends the stream first.
#[tokio::test]
async fn an_orderly_end() {
    let (mut client, mut server) = pair().await;
    let served = tokio::spawn(async move {
        assert!(server.recv().await.is_none());
        assert!(server.recv().await.is_none());
        server.report().unwrap().clone()
    });
    let report = client.close(CloseCode::GOING_AWAY, "bye").await.unwrap();
    assert!(report.clean);
    assert_eq!((report.code, report.began), (1001, Some(Side::Us)));
    let report = served.await.unwrap();
    assert!(report.clean);
    assert_eq!((report.code, report.began), (1001, Some(Side::Peer)));
    assert_eq!(report.received.unwrap().reason(), "bye");
    assert!(client.recv().await.is_none());
    let unsent = client.send(String::from("late")).await.unwrap_err();
    assert_eq!((unsent.why, &*unsent.message), (SendError::Closing, "late"));
}

/// Messages that were queued before it leave before the Close frame.
#[tokio::test]
async fn closing_loses_nothing() {
    let (mut client, mut server) = pair_with(100, &ClientConfig::new(), &server_config()).await;
    let reader = tokio::spawn(async move {
        let mut lengths = Vec::new();
        while let Some(message) = client.recv().await {
            lengths.push(message.unwrap().as_bytes().len());
        }
        lengths
    });
    for len in [1, 1000, 100_000] {
        server.feed(vec![0; len]).await.unwrap();
    }
    assert!(server.close(None, "").await.unwrap().clean);
    assert_eq!(reader.await.unwrap(), [1, 1000, 100_000]);
}

#[tokio::test]
async fn a_close_that_cannot_be() {
    let (mut client, _server) = pair().await;
    let error = client.close(None, "why").await.unwrap_err();
    assert_eq!(error, CloseError::ReasonWithoutCode);
    client.send("still open").await.unwrap();
}

/// A peer that goes away without a Close frame.
#[tokio::test]
async fn an_end_that_is_not_orderly_is_an_error_once() {
    let (mut client, server) = pair().await;
    drop(server);
    let error = client.recv().await.unwrap().unwrap_err();
    let report = error.report().unwrap();
    assert_eq!((report.clean, report.code), (false, 1006));
    assert!(client.recv().await.is_none());
    assert_eq!(error.to_string(), "closed not cleanly, code 1006");
}

#[tokio::test]
async fn a_request_that_is_refused() {
    let (a, b) = duplex(1000);
    let server = tokio::spawn(async move {
        let incoming = WebSocket::server(b, &server_config()).await.unwrap();
        assert!(incoming.is_upgrade());
        assert_eq!(incoming.request().path(), "/secret");
        incoming
            .respond(Response::new(403).body("no"))
            .await
            .unwrap();
    });
    let result = WebSocket::client(a, &ClientConfig::new(), request("/secret")).await;
    let Err(Error::Refused(refusal)) = result else {
        panic!("{result:?}")
    };
    assert_eq!((refusal.status, &*refusal.body), (403, &b"no"[..]));
    server.await.unwrap();
}

#[tokio::test]
async fn a_page() {
    let (mut a, b) = duplex(1000);
    a.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        .await
        .unwrap();
    let config = server_config().serve_http();
    let incoming = WebSocket::server(b, &config).await.unwrap();
    assert!(!incoming.is_upgrade());
    let (answered, page) = tokio::join!(incoming.respond(Response::new(200).body("page")), async {
        let mut page = String::new();
        a.read_to_string(&mut page).await.unwrap();
        drop(a);
        page
    });
    answered.unwrap();
    assert!(
        page.starts_with("HTTP/1.1 200 ") && page.ends_with("\r\n\r\npage"),
        "{page}"
    );
}

/// A caller's mistake: the client is not left waiting.
#[tokio::test]
async fn an_answer_that_cannot_be() {
    let (a, b) = duplex(1000);
    let server = tokio::spawn(async move {
        let incoming = WebSocket::server(b, &server_config()).await.unwrap();
        incoming.accept(Accept::new().subprotocol("none")).await
    });
    let result = WebSocket::client(a, &ClientConfig::new(), request("/")).await;
    assert!(matches!(result, Err(Error::Refused(refusal)) if refusal.status == 500));
    let result = server.await.unwrap();
    assert!(matches!(
        result,
        Err(Error::Accept(AcceptError::SubprotocolNotOffered))
    ));
}

#[tokio::test]
async fn a_request_that_is_wrong() {
    let (mut a, b) = duplex(1000);
    a.write_all(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
        .await
        .unwrap();
    let config = server_config();
    let (result, answer) = tokio::join!(WebSocket::server(b, &config), async {
        let mut answer = String::new();
        a.read_to_string(&mut answer).await.unwrap();
        drop(a);
        answer
    });
    assert!(answer.starts_with("HTTP/1.1 426 "), "{answer}");
    let error = result.unwrap_err();
    assert!(matches!(
        error.report().unwrap().failure,
        Some(Failure::Handshake(_))
    ));
}

/// Several ways at once: a stream and a sink of the `futures` crates.
#[tokio::test]
async fn stream_and_sink() {
    let (client, mut server) = pair().await;
    let (mut sink, mut stream) = client.split_into();
    let echo = tokio::spawn(async move {
        while let Some(message) = server.recv().await {
            server.send(message.unwrap()).await.unwrap();
        }
    });
    let sender = tokio::spawn(async move {
        for n in 0..1000 {
            sink.send(n.to_string()).await.unwrap();
        }
        sink.close().await.unwrap();
    });
    for n in 0..1000 {
        assert_eq!(text(stream.next().await), n.to_string());
    }
    assert!(stream.next().await.is_none());
    sender.await.unwrap();
    echo.await.unwrap();
}

/// `StreamExt::split`, whose halves poll one value with two wakers.
trait SplitInto<S>: Sized {
    fn split_into(
        self,
    ) -> (
        futures_util::stream::SplitSink<Self, String>,
        futures_util::stream::SplitStream<Self>,
    );
}

impl<S> SplitInto<S> for WebSocket<S>
where
    Self: futures_util::Sink<String> + futures_util::Stream,
{
    fn split_into(
        self,
    ) -> (
        futures_util::stream::SplitSink<Self, String>,
        futures_util::stream::SplitStream<Self>,
    ) {
        StreamExt::split(self)
    }
}

#[tokio::test]
async fn pings_of_the_application() {
    let (mut client, mut server) = pair().await;
    client.ping(b"mark").unwrap();
    let answer = tokio::spawn(async move { server.recv().await.is_none() });
    match client.next_event().await.unwrap() {
        Event::Pong(pong) => {
            assert_eq!(&*pong.payload, b"mark");
            assert!(pong.round_trip().is_some());
        }
        other => panic!("{other:?}"),
    }
    client.close(None, "").await.unwrap();
    assert!(answer.await.unwrap());
}

// ── the time

/// Nobody asked for pings.
#[tokio::test(start_paused = true)]
async fn an_idle_connection_is_kept_alive() {
    let (mut client, mut server) = pair().await;
    let idle = tokio::spawn(async move { timeout(Duration::from_secs(100), client.recv()).await });
    let mut signs = 0;
    let _ = timeout(Duration::from_secs(90), async {
        while let Some(event) = server.next_event().await {
            assert!(matches!(event, Event::Ping(_) | Event::Pong(_)));
            signs += 1;
        }
    })
    .await;
    assert!(signs >= 4, "{signs}");
    assert!(idle.await.unwrap().is_err(), "the connection lives");
}

/// A peer whose host is gone: neither a byte nor an error.
#[tokio::test(start_paused = true)]
async fn a_dead_peer_is_found() {
    let (mut client, server) = pair().await;
    let start = Instant::now();
    let error = client.recv().await.unwrap().unwrap_err();
    let report = error.report().unwrap();
    assert_eq!(report.failure, Some(Failure::Timeout(Timeout::Pong)));
    assert!(
        start.elapsed() < Duration::from_secs(50),
        "{:?}",
        start.elapsed()
    );
    drop(server);
}

/// The answer to a ping has come in time, and the application looks at it when it is long overdue.
#[tokio::test(start_paused = true)]
async fn a_peer_that_answered_in_time_is_alive() {
    let config = server_config().timeouts(quiet()).manual_pong();
    let (mut client, mut server) = pair_with(1 << 20, &ClientConfig::new(), &config).await;
    let peer = tokio::spawn(async move {
        let mut first = true;
        while let Some(event) = server.next_event().await {
            if let Event::Ping(payload) = event
                && std::mem::take(&mut first)
            {
                let payload = payload.into_vec();
                sleep(Duration::from_secs(5)).await;
                // Other things come first, more than one read has room for.
                server.send(vec![0; 100_000]).await.unwrap();
                server.send("busy").await.unwrap();
                server.connection_mut().pong(&payload).unwrap();
                server.flush().await.unwrap();
            }
        }
        server.report().unwrap().clean
    });
    // The ping leaves.
    let nothing = timeout(Duration::from_secs(22), client.recv()).await;
    assert!(nothing.is_err());
    sleep(Duration::from_secs(70)).await;
    assert_eq!(
        client.recv().await.unwrap().unwrap().as_bytes().len(),
        100_000
    );
    sleep(Duration::from_secs(70)).await;
    assert_eq!(text(client.recv().await), "busy");
    sleep(Duration::from_secs(70)).await;
    assert!(client.close(None, "").await.unwrap().clean);
    assert!(peer.await.unwrap());
}

/// The sender waits for a peer that is gone.
#[tokio::test(start_paused = true)]
async fn a_dead_peer_does_not_hold_a_sender_for_ever() {
    let (mut client, server) = pair().await;
    let start = Instant::now();
    let unsent = loop {
        match client.send(vec![0; 100_000]).await {
            Ok(()) => {}
            Err(unsent) => break unsent,
        }
    };
    assert_eq!(
        (unsent.why, unsent.message.len()),
        (SendError::Closing, 100_000)
    );
    assert!(
        start.elapsed() < Duration::from_secs(70),
        "{:?}",
        start.elapsed()
    );
    drop(server);
}

/// A peer that takes nothing and says nothing: closing is bounded.
#[tokio::test(start_paused = true)]
async fn closing_takes_no_longer_than_configured() {
    let (mut client, server) = pair().await;
    client.feed(vec![0; 500_000]).await.unwrap();
    let start = Instant::now();
    let report = client.close(CloseCode::NORMAL_CLOSURE, "").await.unwrap();
    assert!(!report.clean);
    let took = start.elapsed();
    assert!((5..=11).contains(&took.as_secs()), "{took:?}");
    drop(server);
}

/// The handshake of a client that sends a byte now and then.
#[tokio::test(start_paused = true)]
async fn a_slow_handshake_is_bounded() {
    let (mut a, b) = duplex(1000);
    tokio::spawn(async move {
        for byte in b"GET / HTTP/1.1\r\nHost: ".iter().cycle() {
            sleep(Duration::from_millis(600)).await;
            if a.write_all(&[*byte]).await.is_err() {
                return;
            }
        }
    });
    let start = Instant::now();
    let error = WebSocket::server(b, &server_config()).await.unwrap_err();
    let failure = error.report().unwrap().failure;
    assert_eq!(failure, Some(Failure::Timeout(Timeout::Handshake)));
    assert!(start.elapsed() < Duration::from_secs(20));
}

/// A peer that never stops sending cannot keep a connection open that is closing.
#[tokio::test]
async fn a_flood_does_not_hold_up_the_end() {
    let (mut a, b) = duplex(64 << 10);
    let mut timeouts = quiet();
    timeouts.close = Duration::from_millis(50);
    let config = server_config().timeouts(timeouts);
    let flood = tokio::spawn(async move {
        let head = "GET / HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";
        a.write_all(head.as_bytes()).await.unwrap();
        let frames = b"\x81\x81\0\0\0\0x".repeat(10_000);
        while a.write_all(&frames).await.is_ok() {}
    });
    let mut server = accept(b, &config).await;
    let report = timeout(Duration::from_secs(20), server.close(None, ""))
        .await
        .unwrap()
        .unwrap();
    assert!(!report.clean);
    drop(server);
    flood.await.unwrap();
}

/// Time that passes while nobody waits does no harm either.
#[tokio::test(start_paused = true)]
async fn a_busy_application() {
    let (mut client, mut server) = pair().await;
    advance(Duration::from_secs(3600)).await;
    server.send("an hour later").await.unwrap();
    assert_eq!(text(client.recv().await), "an hour later");
    client.send("so what").await.unwrap();
    assert_eq!(text(server.recv().await), "so what");
}

/// Buffers are the thread's. A client has randomness at hand as long as it is busy.
#[tokio::test(start_paused = true)]
async fn an_idle_connection_holds_no_heap() {
    let (mut client, mut server) = pair().await;
    for len in [10, 100_000] {
        client.feed(vec![7; len]).await.unwrap();
        let (flushed, message) = tokio::join!(client.flush(), server.recv());
        flushed.unwrap();
        server.feed(message.unwrap().unwrap()).await.unwrap();
        let (flushed, echo) = tokio::join!(server.flush(), client.recv());
        flushed.unwrap();
        assert_eq!(echo.unwrap().unwrap().as_bytes().len(), len);
        let nothing = timeout(Duration::from_millis(1), server.recv()).await;
        assert!(nothing.is_err());
        assert_eq!(server.connection().memory_held(), 0);
    }
    let idle = async { tokio::join!(client.recv(), server.recv()) };
    assert!(timeout(Duration::from_secs(50), idle).await.is_err());
    assert_eq!(server.connection().memory_held(), 0);
    assert_eq!(client.connection().memory_held(), 0);
}

/// RFC 6455 §10.4: the queue of output is bounded, and room comes back.
#[tokio::test]
async fn room_for_output() {
    let (mut client, mut server) = pair().await;
    let unsent = loop {
        if let Err(unsent) = client.try_send(vec![1; 50_000]) {
            break unsent;
        }
    };
    assert!(matches!(unsent.why, SendError::Full { .. }));
    let before = client.connection().output_len();
    let reader = tokio::spawn(async move {
        let mut bytes = 0;
        while let Some(message) = server.recv().await {
            bytes += message.unwrap().as_bytes().len();
        }
        bytes
    });
    client.send(unsent.message).await.unwrap();
    assert!(client.connection().output_len() < before + 50_000);
    client.flush().await.unwrap();
    assert_eq!(client.connection().output_len(), 0);
    client.close(None, "").await.unwrap();
    assert!(reader.await.unwrap() >= 1 << 20);
}

/// A stream that tells what has come when the runtime has looked for it.
struct Unlooked {
    io: DuplexStream,
    looked: Pin<Box<Sleep>>,
}

impl AsyncRead for Unlooked {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        ready!(self.looked.as_mut().poll(cx));
        Pin::new(&mut self.io).poll_read(cx, buf)
    }
}

impl AsyncWrite for Unlooked {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}

/// As after a stop of the whole process: the deadline has passed, and tokio does not know yet what came.
#[tokio::test(start_paused = true)]
async fn what_came_in_time_is_read_before_a_deadline_is_judged() {
    let (io, mut peer) = duplex(1000);
    let mut timeouts = quiet();
    timeouts.ping = Some(Duration::from_secs(20));
    timeouts.pong = Some(Duration::from_secs(20));
    let config = ServerConfig::upgraded().timeouts(timeouts);
    let connection = Connection::upgraded_server(&config, Negotiated::default());
    let looked = Box::pin(sleep(Duration::from_millis(40_001)));
    let mut ws = WebSocket::from_connection(Unlooked { io, looked }, connection);
    peer.write_all(b"\x81\x81\0\0\0\0a").await.unwrap();
    assert_eq!(text(ws.recv().await), "a");
}

#[test]
fn halves_can_be_sent_between_threads() {
    fn is_send<T: Send>(_: T) {}
    async fn all(mut ws: WebSocket<DuplexStream>) {
        let _ = ws.recv().await;
        let _ = ws.next_event().await;
        let _ = ws.send("a").await;
        let _ = ws.close(None, "").await;
        let (mut receiver, sender) = ws.split();
        let _ = receiver.next_event().await;
        let _ = receiver.recv().await;
        let _ = sender.send("a").await;
        let _ = sender.close(None, "").await;
    }
    fn check(ws: WebSocket<DuplexStream>) {
        is_send(all(ws));
    }
    let _ = check;
}
