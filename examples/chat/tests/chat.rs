//! The driver and the room over pipes in memory, with tokio's clock stopped: it only moves when all wait.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::time::Duration;

use chat::{Room, Socket};
use sansocket::config::{Limits, Timeouts};
use sansocket::error::Failure;
use sansocket::error::Timeout;
use sansocket::event::CloseReport;
use sansocket::extension::PermessageDeflate;
use sansocket::{
    ClientConfig, ClientRequest, CloseCode, Connection, Event, OriginPolicy, ServerConfig, Uri,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::time::{Instant, timeout};

fn config() -> ServerConfig {
    ServerConfig::new(OriginPolicy::SameHost).serve_http()
}

fn client(stream: DuplexStream, config: &ClientConfig) -> Socket<DuplexStream> {
    let request = ClientRequest::new(Uri::parse("ws://h/ws").unwrap());
    Socket::new(Connection::client(config, request).unwrap(), stream)
}

/// A member of the room behind a pipe that takes so many bytes.
fn join(room: &Room, pipe: usize) -> Socket<DuplexStream> {
    let (near, far) = duplex(pipe);
    let room = room.clone();
    tokio::spawn(async move { room.serve(far, std::future::pending()).await });
    client(near, &ClientConfig::new())
}

async fn open(socket: &mut Socket<DuplexStream>) {
    let (_, event) = socket.next().await.unwrap();
    assert!(matches!(event, Event::Open), "{event:?}");
}

/// Until so many are in the room.
async fn filled(room: &Room, count: usize) {
    for _ in 0..1000 {
        if room.members() == count {
            return;
        }
        tokio::time::sleep(Duration::from_millis(1)).await; // the clock is stopped: it is others' turn
    }
    panic!("{} members, not {count}", room.members());
}

async fn message(socket: &mut Socket<DuplexStream>) -> Vec<u8> {
    loop {
        match socket.next().await.expect("a message").1 {
            Event::Message(message) => return message.as_bytes().to_vec(),
            Event::Ping(_) | Event::Pong(_) => {}
            event => panic!("{event:?}"),
        }
    }
}

async fn report(socket: &mut Socket<DuplexStream>) -> CloseReport {
    let mut report = None;
    while let Some((_, event)) = socket.next().await {
        assert!(report.is_none(), "nothing comes behind Closed");
        if let Event::Closed(closed) = event {
            report = Some(*closed);
        }
    }
    report.expect("Closed")
}

#[tokio::test(start_paused = true)]
async fn what_one_says_goes_to_all() {
    let room = Room::new(config());
    let mut members = [join(&room, 64), join(&room, 1000), join(&room, 7)];
    for member in &mut members {
        open(member).await;
    }
    filled(&room, 3).await;
    members[1].connection().send("hello").unwrap();
    members[1].connection().send(&[7; 5000]).unwrap();
    // Its messages leave while it waits for them to come back.
    assert_eq!(message(&mut members[1]).await, b"hello");
    assert_eq!(message(&mut members[1]).await, [7; 5000]);
    for member in [0, 2] {
        assert_eq!(message(&mut members[member]).await, b"hello");
        assert_eq!(message(&mut members[member]).await, [7; 5000]);
    }
    for member in &mut members {
        member
            .connection()
            .close(Some(CloseCode::NORMAL_CLOSURE), "")
            .unwrap();
        let report = report(member).await;
        assert!(report.clean, "{report}");
    }
    assert_eq!(room.members(), 0);
}

/// A future that is dropped loses nothing, wherever that happens: here after each single poll.
#[tokio::test(start_paused = true)]
async fn nothing_is_lost_when_the_future_is_dropped() {
    for pipe in [1, 3, 64, 4096] {
        let room = Room::new(config().deflate(PermessageDeflate::server()));
        let (near, far) = duplex(pipe);
        let served = tokio::spawn({
            let room = room.clone();
            async move { room.serve(far, std::future::pending()).await }
        });
        let config = ClientConfig::new().deflate(PermessageDeflate::client());
        let mut socket = client(near, &config);
        let mut seen = Vec::new();
        let mut sent = 0;
        loop {
            let next = tokio::select! {
                biased;
                next = socket.next() => next,
                () = tokio::task::yield_now() => continue, // dropped
            };
            let Some((ws, event)) = next else { break };
            match event {
                Event::Open | Event::Message(_) if sent < 20 => {
                    if let Event::Message(message) = event {
                        seen.push(message.as_bytes().to_vec());
                    }
                    ws.send(&vec![sent; usize::from(sent) * 97]).unwrap();
                    sent += 1;
                }
                Event::Message(message) => {
                    seen.push(message.as_bytes().to_vec());
                    ws.close(None, "").unwrap();
                }
                Event::Closed(report) => assert!(report.clean, "{report}"),
                _ => {}
            }
        }
        let expected: Vec<_> = (0..20).map(|n| vec![n; usize::from(n) * 97]).collect();
        assert_eq!(seen, expected, "a pipe of {pipe}");
        served.await.unwrap();
    }
}

/// Who does not read is not read from, and his queue stays bounded; in the end he is told to go.
#[tokio::test(start_paused = true)]
async fn a_slow_member_is_sent_away() {
    let mut limits = Limits::server();
    limits.output = 10_000;
    let room = Room::new(config().limits(limits));
    let mut slow = join(&room, 100);
    open(&mut slow).await;
    let mut fast = join(&room, 100);
    open(&mut fast).await;
    filled(&room, 2).await;
    for _ in 0..200 {
        fast.connection().send(&[1; 1000]).unwrap();
        assert_eq!(message(&mut fast).await, [1; 1000]);
    }
    let mut heard = 0;
    let report = loop {
        match slow.next().await.unwrap().1 {
            Event::Message(message) => heard += message.as_bytes().len() / 1000,
            Event::Closed(report) => break report,
            _ => {}
        }
    };
    assert!((9..20).contains(&heard), "{heard} messages were queued");
    let received = report.received.expect("a Close frame");
    assert_eq!(received.code, Some(CloseCode::TRY_AGAIN_LATER));
    assert_eq!(received.reason(), "too slow");
}

#[tokio::test(start_paused = true)]
async fn a_silent_peer_is_found_by_the_clock() {
    let mut timeouts = Timeouts::default();
    timeouts.ping = Some(Duration::from_secs(30));
    timeouts.pong = Some(Duration::from_secs(10));
    let born = Instant::now();
    let (near, mut far) = duplex(4096);
    let mut socket = client(near, &ClientConfig::new().timeouts(timeouts));
    // A server made of three lines, which falls silent behind its answer.
    let answered = async {
        let mut request = vec![0; 4096];
        let n = far.read(&mut request).await.unwrap();
        let mut server = Connection::server(&config());
        let mut input = &mut request[..n];
        while let Some(event) = server.receive(&mut input) {
            if matches!(event, Event::Request(_)) {
                server.accept(sansocket::Accept::new()).unwrap();
            }
        }
        far.write_all(server.output()).await.unwrap();
        std::future::pending::<()>().await;
    };
    let mut failure = None;
    let mut open = false;
    tokio::select! {
        () = answered => {}
        () = async {
            while let Some((_, event)) = socket.next().await {
                open |= matches!(event, Event::Open);
                if let Event::Failed(failed) = event {
                    failure = Some(failed);
                }
            }
        } => {}
    }
    assert!(open);
    assert_eq!(failure, Some(Failure::Timeout(Timeout::Pong)));
    // 30 s of silence, 10 s without an answer, 5 s until the peer would have closed.
    let took = born.elapsed();
    assert!((40..=45).contains(&took.as_secs()), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn the_server_stops_in_order() {
    let room = Room::new(config());
    let (near, far) = duplex(1000);
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let served = tokio::spawn({
        let room = room.clone();
        async move { room.serve(far, async { _ = stopped.await }).await }
    });
    let mut socket = client(near, &ClientConfig::new());
    open(&mut socket).await;
    stop.send(()).unwrap();
    let report = report(&mut socket).await;
    assert!(report.clean, "{report}");
    assert_eq!(report.code, CloseCode::GOING_AWAY.get());
    served.await.unwrap();
}

/// The same port serves the page, and nothing else.
#[tokio::test(start_paused = true)]
async fn a_browser_finds_the_page() {
    for (path, status) in [("/", "200"), ("/other", "404")] {
        let (mut near, far) = duplex(100);
        let room = Room::new(config());
        let served = tokio::spawn(async move { room.serve(far, std::future::pending()).await });
        let request = format!("GET {path} HTTP/1.1\r\nHost: h\r\n\r\n");
        near.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        let read = near.read_to_string(&mut answer);
        timeout(Duration::from_secs(60), read)
            .await
            .unwrap()
            .unwrap();
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status} ")),
            "{answer}"
        );
        drop(near);
        served.await.unwrap();
    }
}

/// A peer that goes away without a word.
#[tokio::test(start_paused = true)]
async fn the_end_of_the_stream_is_the_end() {
    let room = Room::new(config());
    let mut socket = join(&room, 100);
    open(&mut socket).await;
    filled(&room, 1).await;
    drop(socket);
    filled(&room, 0).await;
}
