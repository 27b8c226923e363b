//! Connections over tokio: both ends, the original as the peer, split halves, dropped futures, TLS.
#![allow(clippy::unwrap_used, reason = "a test fails by a panic")]

use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use futures_util::stream::FusedStream;
use futures_util::{FutureExt, Sink, SinkExt, Stream, StreamExt};
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, duplex};
use tokio::net::TcpListener;
use tokio_tungstenite::tungstenite::handshake::server::{ErrorResponse, Request, Response};
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, accept_async, client_async, connect_async};

async fn echo<S: AsyncRead + AsyncWrite + Unpin>(
    mut socket: WebSocketStream<S>,
) -> Result<(), Error> {
    while let Some(message) = socket.next().await {
        let message = message?;
        if message.is_text() || message.is_binary() {
            socket.send(message).await?;
        }
    }
    Ok(())
}

async fn echo_server() -> (
    std::net::SocketAddr,
    tokio::task::JoinHandle<Result<(), Error>>,
) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        echo(accept_async(stream).await?).await
    });
    (address, server)
}

/// A pair over a pipe that holds so many bytes.
fn pair(room: usize) -> (WebSocketStream<DuplexStream>, WebSocketStream<DuplexStream>) {
    let (near, far) = duplex(room);
    let ready = |stream, role| {
        WebSocketStream::from_raw_socket(stream, role, None)
            .now_or_never()
            .unwrap()
    };
    (ready(near, Role::Client), ready(far, Role::Server))
}

#[tokio::test]
async fn over_tcp() {
    let (address, server) = echo_server().await;
    let (mut socket, response) = connect_async(format!("ws://{address}/")).await.unwrap();
    assert_eq!(response.status(), 101);
    for message in [Message::text("Grüezi"), Message::binary(vec![7; 1 << 20])] {
        socket.send(message.clone()).await.unwrap();
        assert!(socket.next().await.unwrap().unwrap() == message);
    }
    let code = CloseFrame {
        code: 4000.into(),
        reason: "done".into(),
    };
    socket.close(Some(code.clone())).await.unwrap();
    assert_eq!(
        socket.next().await.unwrap().unwrap(),
        Message::Close(Some(code))
    );
    assert!(socket.next().await.is_none() && socket.next().await.is_none());
    server.await.unwrap().unwrap();
}

#[tokio::test]
async fn the_original_as_the_peer() {
    use original::tungstenite::Message as Theirs;

    let (address, server) = echo_server().await;
    let (mut socket, _) = original::connect_async(format!("ws://{address}/"))
        .await
        .unwrap();
    for message in [Theirs::text("Grüezi"), Theirs::binary(vec![7; 1 << 20])] {
        socket.send(message.clone()).await.unwrap();
        assert!(socket.next().await.unwrap().unwrap() == message);
    }
    socket.send(Theirs::Ping("?".into())).await.unwrap();
    assert_eq!(
        socket.next().await.unwrap().unwrap(),
        Theirs::Pong("?".into())
    );
    socket.close(None).await.unwrap();
    assert!(matches!(socket.next().await, Some(Ok(Theirs::Close(None)))));
    assert!(socket.next().await.is_none());
    server.await.unwrap().unwrap();

    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let stream = listener.accept().await.unwrap().0;
        let mut socket = original::accept_async(stream).await.unwrap();
        while let Some(Ok(message)) = socket.next().await {
            socket.send(message).await.unwrap();
        }
    });
    let (mut socket, _) = connect_async(format!("ws://{address}/")).await.unwrap();
    socket.send("Hello".into()).await.unwrap();
    assert_eq!(
        socket.next().await.unwrap().unwrap(),
        Message::text("Hello")
    );
}

/// A callback adds a field, and refuses.
#[tokio::test]
async fn callbacks() {
    let (near, far) = duplex(4096);
    let server = tokio::spawn(async {
        #[allow(clippy::result_large_err, reason = "the type is tungstenite's")]
        let add = |_: &Request, mut response: Response| -> Result<Response, ErrorResponse> {
            response
                .headers_mut()
                .insert("x-added", "1".parse().unwrap());
            Ok(response)
        };
        echo(tokio_tungstenite::accept_hdr_async(far, add).await?).await
    });
    let (mut socket, response) = client_async("ws://h/", near).await.unwrap();
    assert_eq!(response.headers()["x-added"], "1");
    SinkExt::close(&mut socket).await.unwrap();
    assert_eq!(socket.next().await.unwrap().unwrap(), Message::Close(None));
    assert!(socket.next().await.is_none());
    server.await.unwrap().unwrap();
    let (near, far) = duplex(4096);
    tokio::spawn(async {
        #[allow(clippy::result_large_err, reason = "the type is tungstenite's")]
        let refuse = |_: &Request, _: Response| Err(ErrorResponse::new(None).tap(403));
        let _ = tokio_tungstenite::accept_hdr_async(far, refuse).await;
    });
    let refused = client_async("ws://h/", near).await;
    assert!(matches!(refused, Err(Error::Http(response)) if response.status() == 403));
}

trait Tap {
    fn tap(self, status: u16) -> Self;
}

impl Tap for ErrorResponse {
    fn tap(mut self, status: u16) -> Self {
        *self.status_mut() = status.try_into().unwrap();
        self
    }
}

/// Two tasks share a connection, in both directions at once, over a pipe that is always full: no wake-up is lost.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn split_halves_in_two_tasks() {
    const MESSAGES: usize = 5_000;
    let (near, far) = pair(64);
    let (mut sinks, mut streams) = (Vec::new(), Vec::new());
    for socket in [near, far] {
        let (mut sink, mut stream) = socket.split();
        sinks.push(tokio::spawn(async move {
            for i in 0..MESSAGES {
                sink.send(Message::text(format!("message {i}")))
                    .await
                    .unwrap();
                if i % 100 == 0 {
                    sink.send(Message::Ping(vec![1].into())).await.unwrap();
                }
            }
            sink
        }));
        let stream = tokio::spawn(async move {
            let mut next = 0;
            while next < MESSAGES {
                if let Message::Text(text) = stream.next().await.unwrap().unwrap() {
                    assert_eq!(text, format!("message {next}"));
                    next += 1;
                }
            }
            stream
        });
        streams.push(stream);
    }
    let limit = Duration::from_secs(60);
    // One that has all may not go while the other still flushes what it sent last.
    let mut done = Vec::new();
    for (sink, stream) in sinks.into_iter().zip(streams) {
        let sink = tokio::time::timeout(limit, sink).await.unwrap().unwrap();
        let stream = tokio::time::timeout(limit, stream).await.unwrap().unwrap();
        done.push((sink, stream));
    }
    for (sink, stream) in done {
        assert!(!sink.reunite(stream).unwrap().is_terminated());
    }
}

/// Counts how often it was woken.
#[derive(Default)]
struct Counter(AtomicUsize);

impl Wake for Counter {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// Polls a future once, and drops it if it is not done.
fn once<T>(future: impl Future<Output = T>) -> Option<T> {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => Some(value),
        Poll::Pending => None,
    }
}

/// Every future is dropped wherever it waits, over a pipe of so few bytes: what comes is all there and in order.
#[test]
fn dropped_futures_lose_nothing() {
    for room in [1, 2, 3, 7, 64] {
        let (mut near, mut far) = pair(room);
        let (mut queued, mut got) = (0, 0);
        for _ in 0..100_000 {
            if queued < 50 && once(near.feed(Message::text(format!("message {queued}")))).is_some()
            {
                queued += 1;
            }
            let _ = once(near.flush());
            if let Some(message) = once(far.next()) {
                assert_eq!(
                    message.unwrap().unwrap(),
                    Message::text(format!("message {got}"))
                );
                got += 1;
            }
            if got == 50 {
                break;
            }
        }
        assert_eq!((queued, got), (50, 50), "with {room} bytes");
        // The end, too.
        let mut ends = [false; 2];
        for _ in 0..10_000 {
            let _ = once(near.close(None));
            let _ = once(far.flush());
            for (socket, end) in [&mut near, &mut far].into_iter().zip(&mut ends) {
                // The pipe has no end of its own before it is dropped: the client waits for it.
                *end |= matches!(
                    once(socket.next()),
                    Some(None | Some(Ok(Message::Close(None))))
                );
            }
            if ends == [true; 2] {
                break;
            }
        }
        assert_eq!(ends, [true; 2], "with {room} bytes");
    }
}

/// Both halves wait, and whatever happens wakes both: neither takes the other's place.
#[test]
fn who_waits_is_woken() {
    let (mut near, mut far) = pair(16);
    let (reader, writer) = (Arc::new(Counter::default()), Arc::new(Counter::default()));
    let (reading, writing) = (Waker::from(reader.clone()), Waker::from(writer.clone()));
    // The pipe is full: the sender waits.
    Pin::new(&mut near)
        .start_send(Message::text("a".repeat(200)))
        .unwrap();
    let mut cx = Context::from_waker(&writing);
    assert!(Pin::new(&mut near).poll_flush(&mut cx).is_pending());
    let mut cx = Context::from_waker(&reading);
    assert!(Pin::new(&mut near).poll_next(&mut cx).is_pending());
    let before = (
        reader.0.load(Ordering::Relaxed),
        writer.0.load(Ordering::Relaxed),
    );
    assert!(once(far.next()).is_none());
    assert!(writer.0.load(Ordering::Relaxed) > before.1);
    // Now something comes.
    let mut cx = Context::from_waker(&reading);
    let _ = Pin::new(&mut near).poll_next(&mut cx);
    let before = reader.0.load(Ordering::Relaxed);
    let _ = once(far.send(Message::text("b")));
    assert!(reader.0.load(Ordering::Relaxed) > before);
}

/// What is fed stays bounded by the pipe: `poll_ready` waits until what blocks has left.
#[test]
fn a_slow_peer_holds_the_sender() {
    let (near, _far) = duplex(100);
    let config = WebSocketConfig::default().write_buffer_size(0);
    let socket = WebSocketStream::from_raw_socket(near, Role::Server, Some(config));
    let mut socket = socket.now_or_never().unwrap();
    let fed = (0..100).take_while(|_| once(socket.feed(Message::text("0123456789"))).is_some());
    assert!(fed.count() < 12);
}

#[tokio::test]
async fn a_peer_that_is_gone() {
    let (mut near, far) = pair(64);
    drop(far);
    assert!(near.next().await.unwrap().is_err());
    assert!(near.next().await.is_none());
}
