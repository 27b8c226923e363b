//! Futures that are dropped at every point: nothing is lost, and nothing happens twice.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by a panic")]

mod support;

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use sansocket_tokio::{ClientConfig, Event, Message};
use support::{pair_with, server_config};
use tokio::task::yield_now;
use tokio::time::timeout;

/// Polls a future so often, drops it, and makes a new one, until one is ready.
async fn dropped_after<T>(polls: usize, mut make: impl AsyncFnMut() -> T) -> T {
    loop {
        let mut future = pin!(make());
        for _ in 0..polls {
            let polled = poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx))).await;
            if let Poll::Ready(done) = polled {
                return done;
            }
            yield_now().await;
        }
    }
}

/// Lengths around what a frame's header, the pipe and a read have room for.
const LENGTHS: [usize; 9] = [0, 1, 125, 126, 900, 5_000, 65_535, 65_536, 150_000];

fn message(n: usize) -> Vec<u8> {
    vec![n as u8; LENGTHS[n % LENGTHS.len()] + n]
}

/// Every call of both ends, dropped after 1, 2, … polls, over a pipe with room for little.
#[tokio::test]
async fn at_every_await() {
    for polls in 1..=6 {
        for pipe in [1, 1000] {
            let count = if pipe == 1 { 5 } else { 2 * LENGTHS.len() };
            let config = server_config();
            let (mut client, mut server) = pair_with(pipe, &ClientConfig::new(), &config).await;
            let serve = async {
                let mut n = 0;
                while let Some(received) = dropped_after(polls, async || server.recv().await).await
                {
                    let received = received.unwrap();
                    assert_eq!(
                        received.as_bytes(),
                        message(n),
                        "{n}, dropped after {polls}"
                    );
                    n += 1;
                    // A message that was not sent is made again.
                    let echo = received.as_bytes();
                    dropped_after(polls, async || server.send(echo).await)
                        .await
                        .unwrap();
                    dropped_after(polls, async || server.flush().await)
                        .await
                        .unwrap();
                }
                assert_eq!(n, count);
                assert!(server.report().unwrap().clean);
            };
            let drive = async {
                for n in 0..count {
                    dropped_after(polls, async || client.feed(message(n)).await)
                        .await
                        .unwrap();
                    let echo = dropped_after(polls, async || match client.next_event().await {
                        Some(Event::Message(message)) => Some(message.into_owned()),
                        Some(_) => None,
                        None => panic!("closed"),
                    })
                    .await;
                    assert_eq!(echo.as_ref().map(Message::as_bytes), Some(&*message(n)));
                }
                let report = dropped_after(polls, async || client.close(None, "").await).await;
                assert!(report.unwrap().clean);
            };
            tokio::join!(serve, drive);
        }
    }
}

/// 20,000 echoes through two halves, and a receiver that gives up every 50 µs.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_receiver_that_gives_up_all_the_time() {
    const COUNT: usize = 20_000;
    let config = server_config();
    let (client, mut server) = pair_with(4096, &ClientConfig::new(), &config).await;
    let echo = tokio::spawn(async move {
        while let Some(message) = server.recv().await {
            server.feed(message.unwrap()).await.unwrap();
        }
        server.report().unwrap().clean
    });
    let (mut receiver, sender) = client.split();
    let closer = sender.clone();
    let sending = tokio::spawn(async move {
        for n in 0..COUNT {
            sender.send(n.to_string()).await.unwrap();
        }
    });
    let mut given_up = 0;
    for n in 0..COUNT {
        let message = loop {
            match timeout(Duration::from_micros(50), receiver.recv()).await {
                Ok(message) => break message.unwrap().unwrap(),
                Err(_) => given_up += 1,
            }
        };
        assert_eq!(message.as_bytes(), n.to_string().as_bytes());
    }
    sending.await.unwrap();
    closer.close(None, "").await.unwrap();
    assert!(receiver.recv().await.is_none());
    assert!(receiver.report().unwrap().clean && echo.await.unwrap());
    assert!(given_up > 0, "the timeouts were too long to show anything");
}
