//! The room over pipes in memory, with tokio's clock stopped: it only moves when all wait.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by a panic")]

use std::future::pending;
use std::time::Duration;

use chat::{PATIENCE, Room};
use sansocket_tokio::sansocket::event::CloseReport;
use sansocket_tokio::sansocket::extension::PermessageDeflate;
use sansocket_tokio::{
    ClientConfig, ClientRequest, CloseCode, Error, OriginPolicy, ServerConfig, Uri, WebSocket,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};

type Member = WebSocket<DuplexStream>;

fn room(seats: usize) -> Room {
    let config = ServerConfig::new(OriginPolicy::SameHost)
        .deflate(PermessageDeflate::server())
        .serve_http();
    Room::new(config, seats)
}

/// The near end of a pipe that takes so many bytes each way.
fn connect(room: &Room, pipe: usize) -> DuplexStream {
    let (near, far) = duplex(pipe);
    let room = room.clone();
    tokio::spawn(async move { room.serve(far, pending()).await });
    near
}

async fn open(stream: DuplexStream, config: ClientConfig) -> Result<Member, Error> {
    let request = ClientRequest::new(Uri::parse("ws://h/ws").unwrap());
    WebSocket::client(stream, &config, request).await
}

async fn join(room: &Room, pipe: usize) -> Member {
    open(connect(room, pipe), ClientConfig::new())
        .await
        .unwrap()
}

/// Until so many are in the room.
async fn filled(room: &Room, count: usize) {
    let filled = async {
        while room.members() != count {
            sleep(Duration::from_millis(1)).await;
        }
    };
    let in_time = timeout(Duration::from_secs(60), filled).await;
    assert!(in_time.is_ok(), "{} members, not {count}", room.members());
}

async fn hear(member: &mut Member) -> Vec<u8> {
    member.recv().await.unwrap().unwrap().as_bytes().to_vec()
}

async fn end(member: &mut Member) -> CloseReport {
    while let Some(Ok(_)) = member.recv().await {}
    member.report().unwrap().clone()
}

#[tokio::test(start_paused = true)]
async fn what_one_says_goes_to_all() {
    let room = room(3);
    let mut members = Vec::new();
    for pipe in [64, 1000, 7] {
        members.push(join(&room, pipe).await);
    }
    members[1].send("hello").await.unwrap();
    members[1].send(&[7; 5000]).await.unwrap();
    for member in [1, 0, 2] {
        assert_eq!(hear(&mut members[member]).await, b"hello");
        assert_eq!(hear(&mut members[member]).await, [7; 5000]);
    }
    for member in &mut members {
        let report = member.close(CloseCode::NORMAL_CLOSURE, "").await.unwrap();
        assert!(report.clean, "{report}");
    }
    filled(&room, 0).await;
}

/// Takes 10 Mbit/s until so many bytes have come: the lengths of the messages.
fn steady_reader(stream: DuplexStream, bytes: usize) -> JoinHandle<Vec<usize>> {
    tokio::spawn(async move {
        let mut member = open(stream, ClientConfig::new()).await.unwrap();
        let mut heard = Vec::new();
        while heard.iter().sum::<usize>() < bytes {
            let message = match member.recv().await {
                Some(Ok(message)) => message,
                other => panic!("{other:?}, after {heard:?}"),
            };
            let len = message.as_bytes().len();
            heard.push(len);
            sleep(Duration::from_secs_f64(len as f64 * 8.0 / 10e6)).await;
        }
        heard
    })
}

/// They take a kilobyte each from the one who says them, and a mebibyte for everybody else.
#[tokio::test(start_paused = true)]
async fn zeros_throw_nobody_out() {
    let room = room(100);
    let readers: Vec<_> = (0..20)
        .map(|_| steady_reader(connect(&room, 64 << 10), 8 << 20))
        .collect();
    filled(&room, 20).await;
    let config = ClientConfig::new().deflate(PermessageDeflate::client());
    let speaker = open(connect(&room, 64 << 10), config).await.unwrap();
    let (mut receiver, sender) = speaker.split();
    let listening = tokio::spawn(async move { while receiver.recv().await.is_some() {} });
    let zeros = vec![0; 1 << 20];
    for _ in 0..8 {
        sender.send(&zeros).await.unwrap();
    }
    for reader in readers {
        assert_eq!(reader.await.unwrap(), [1 << 20; 8]);
    }
    assert_eq!(
        room.members(),
        1,
        "the readers have left, the speaker has not"
    );
    listening.abort();
}

/// Who does not read is not waited for for ever, and the others only notice that once.
#[tokio::test(start_paused = true)]
async fn who_is_too_far_behind_is_sent_away() {
    let room = room(3);
    let mut slow = join(&room, 100).await;
    let mut other = join(&room, 100).await;
    let mut speaker = join(&room, 100).await;
    let began = Instant::now();
    for i in 0..1000 {
        let text = format!("{i} {}", "x".repeat(100));
        speaker.send(&text).await.unwrap();
        assert_eq!(hear(&mut speaker).await, text.as_bytes());
        assert_eq!(hear(&mut other).await, text.as_bytes());
    }
    let took = began.elapsed();
    assert!((PATIENCE..PATIENCE * 2).contains(&took), "{took:?}");
    assert_eq!(room.members(), 2);

    // It hears what was on its way, and why it has to go.
    assert!(hear(&mut slow).await.starts_with(b"0 "));
    let report = end(&mut slow).await;
    let received = report.received.unwrap();
    assert_eq!(received.code, Some(CloseCode::TRY_AGAIN_LATER));
    assert_eq!(received.reason(), "too far behind");
}

/// A queue holds as much as that, and nobody waits for who reads it late.
#[tokio::test(start_paused = true)]
async fn who_is_a_little_behind_stays() {
    let room = room(2);
    let mut slow = join(&room, 100).await;
    let mut speaker = join(&room, 100).await;
    let began = Instant::now();
    for i in 0..250 {
        speaker.send(&i.to_string()).await.unwrap();
        assert_eq!(hear(&mut speaker).await, i.to_string().as_bytes());
    }
    assert!(began.elapsed() < PATIENCE);
    for i in 0..250 {
        assert_eq!(hear(&mut slow).await, i.to_string().as_bytes());
    }
}

#[tokio::test(start_paused = true)]
async fn the_server_stops_in_order() {
    let room = room(1);
    let (near, far) = duplex(1000);
    let (stop, stopped) = oneshot::channel::<()>();
    let served = tokio::spawn({
        let room = room.clone();
        async move { room.serve(far, async { _ = stopped.await }).await }
    });
    let mut member = open(near, ClientConfig::new()).await.unwrap();
    stop.send(()).unwrap();
    let report = end(&mut member).await;
    assert!(report.clean, "{report}");
    assert_eq!(report.code, CloseCode::GOING_AWAY.get());
    assert_eq!(report.received.unwrap().reason(), "the server stops");
    assert!(served.await.unwrap().unwrap().unwrap().clean);
}

/// Who has not asked for anything yet holds nothing up.
#[tokio::test(start_paused = true)]
async fn the_server_stops_before_a_request() {
    let (mut near, far) = duplex(1000);
    let (stop, stopped) = oneshot::channel::<()>();
    let served = tokio::spawn(async move { room(1).serve(far, async { _ = stopped.await }).await });
    near.write_all(b"GET /ws HTTP/1.1\r\n").await.unwrap();
    stop.send(()).unwrap();
    assert!(served.await.unwrap().unwrap().is_none());
    assert_eq!(near.read(&mut [0]).await.unwrap(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_full_room_says_when_to_come_again() {
    let room = room(1);
    let mut first = join(&room, 1000).await;
    let second = open(connect(&room, 1000), ClientConfig::new()).await;
    let Err(Error::Refused(refusal)) = second else {
        panic!("{second:?}");
    };
    assert_eq!(refusal.status, 503);
    assert_eq!(refusal.header("Retry-After"), Some(&b"10"[..]));
    first.close(None, "").await.unwrap();
    filled(&room, 0).await;
    join(&room, 1000).await;
}

/// The same port serves the page, and nothing else.
#[tokio::test(start_paused = true)]
async fn a_browser_finds_the_page() {
    let ask = async |method: &str, path: &str| {
        let mut stream = connect(&room(1), 100);
        let request = format!("{method} {path} HTTP/1.1\r\nHost: h\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    };
    let page = ask("GET", "/").await;
    let (head, body) = page.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
    assert!(body.contains("<title>Chat</title>"), "{body}");
    // RFC 9110 §9.3.2
    assert_eq!(ask("HEAD", "/").await, format!("{head}\r\n\r\n"));
    assert!(ask("GET", "/other").await.starts_with("HTTP/1.1 404 "));
    assert!(ask("POST", "/").await.starts_with("HTTP/1.1 404 "));
}

/// A peer that goes away without a word.
#[tokio::test(start_paused = true)]
async fn the_end_of_the_stream_is_the_end() {
    let room = room(1);
    let member = join(&room, 100).await;
    filled(&room, 1).await;
    drop(member);
    filled(&room, 0).await;
}

/// The process is stopped for an hour, and the member had answered the ping before: it stays. One that had
/// not is closed.
#[tokio::test(start_paused = true)]
async fn a_room_that_was_stopped() {
    const REQUEST: &[u8] =
        b"GET /ws HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
        Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";
    for answers in [true, false] {
        // Pings after 20 s, which is the default of these connections.
        let mut near = connect(&room(1), 1000);
        near.write_all(REQUEST).await.unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(near.read_u8().await.unwrap());
        }
        let mut ping = [0; 4];
        near.read_exact(&mut ping).await.unwrap();
        assert_eq!(ping[..2], [0x89, 2]);
        if answers {
            near.write_all(&[0x8a, 0x82, 0, 0, 0, 0, ping[2], ping[3]])
                .await
                .unwrap();
        }
        tokio::time::advance(Duration::from_secs(3600)).await;
        let mut next = [0; 2];
        near.read_exact(&mut next).await.unwrap();
        assert_eq!(next[0], if answers { 0x89 } else { 0x88 });
    }
}
