//! The chat over pipes in memory, with tokio's clock stopped: it only moves when all wait.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by a panic")]

mod memory;

use std::time::Duration;

use chat::engine::{Embedded, Engine, KEPT, Position};
use chat::{GONE, Hall, PATIENCE, SIGN};
use memory::{Again, Shared, connect, hall, join, named, open};
use sansocket_tokio::{ClientConfig, CloseCode, Error};
use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};
use tokio::sync::{oneshot, watch};
use tokio::time::{Instant, sleep, timeout};

/// Until so many are in the hall.
async fn filled<E: Engine>(hall: &Hall<E>, count: usize) {
    let filled = async {
        while hall.members() != count {
            sleep(Duration::from_millis(1)).await;
        }
    };
    let in_time = timeout(Duration::from_secs(60), filled).await;
    assert!(in_time.is_ok(), "{} members, not {count}", hall.members());
}

#[tokio::test(start_paused = true)]
async fn what_one_says_goes_to_all() {
    let hall = hall(Embedded::default(), 4);
    let mut members = Vec::new();
    for pipe in [64, 1000, 7] {
        members.push(join(&hall, pipe, "").await);
    }
    let mut elsewhere = join(&hall, 100, "room=elsewhere").await;
    let long = "x".repeat(5000);
    members[1].say("hello").await;
    members[1].say(&long).await;
    elsewhere.say("nobody hears this").await;
    for member in [1, 0, 2] {
        assert_eq!(members[member].hear().await, "hello");
        assert_eq!(members[member].hear().await, long);
    }
    assert_eq!(elsewhere.hear().await, "nobody hears this");
    for member in members.iter_mut().chain([&mut elsewhere]) {
        let report = member
            .ws
            .close(CloseCode::NORMAL_CLOSURE, "")
            .await
            .unwrap();
        assert!(report.clean, "{report}");
    }
    filled(&hall, 0).await;
}

/// One that was said twice, as its answer was lost, is heard once.
#[tokio::test(start_paused = true)]
async fn what_is_said_again_is_heard_once() {
    let hall = hall(Embedded::default(), 2);
    let mut member = join(&hall, 100, "").await;
    for say in [
        r#"{"say":"a","id":"1"}"#,
        r#"{"say":"a","id":"1"}"#,
        r#"{"say":"b","id":"2"}"#,
    ] {
        member.ws.send(say).await.unwrap();
    }
    let mut heard = (Vec::new(), Vec::new());
    while heard.0.len() + heard.1.len() < 5 {
        let event = member.event().await;
        match named(&event) {
            "said" => heard.0.push(event["text"].as_str().unwrap().to_owned()),
            "kept" => heard.1.push(event["id"].as_str().unwrap().to_owned()),
            _ => {}
        }
    }
    assert_eq!(heard.0, ["a", "b"]);
    assert_eq!(heard.1, ["1", "1", "2"]);
}

/// Who comes back goes on where it was; and is told where that is no more.
#[tokio::test(start_paused = true)]
async fn who_was_away_hears_the_rest() {
    let engine = Embedded::default();
    let hall = hall(engine.clone(), 3);
    let mut speaker = join(&hall, 1000, "name=Eve").await;
    let mut away = join(&hall, 1000, "").await;
    speaker.say("0").await;
    assert_eq!(away.hear().await, "0");
    let after = format!("after={}", away.at);
    drop(away);
    for i in 1..=KEPT {
        speaker.say(&i.to_string()).await;
        while speaker.hear().await != i.to_string() {}
    }
    let mut back = join(&hall, 1000, &after).await;
    for i in 1..=KEPT {
        assert_eq!(back.hear().await, i.to_string());
    }
    assert_eq!(back.missed, 0);

    speaker.say("one more").await;
    assert_eq!(speaker.hear().await, "one more");
    let mut late = join(&hall, 1000, &after).await;
    assert_eq!(late.hear().await, "2");
    assert_eq!(late.missed, 1);
}

/// Another log, as that of a process that was started again, goes on nowhere; nor do positions that are ahead.
#[tokio::test(start_paused = true)]
async fn positions_of_another_log() {
    let hall = hall(Embedded::default(), 4);
    let mut first = join(&hall, 1000, "").await;
    first.say("first").await;
    assert_eq!(first.hear().await, "first");
    let mut other = join(&hall, 1000, "after=5-1").await;
    assert_eq!(other.hear().await, "first");
    assert_eq!(other.missed, 1);

    // It was connected to a process that is ahead of this one.
    let (epoch, _) = first.at.split_once('-').unwrap();
    let mut ahead = join(&hall, 1000, &format!("after={epoch}-2")).await;
    first.say("second").await;
    first.say("third").await;
    assert_eq!(ahead.hear().await, "third");
    assert_eq!(ahead.missed, 0);
}

/// Only the last are shown to who comes for the first time.
#[tokio::test(start_paused = true)]
async fn what_was_said_before() {
    let hall = hall(Embedded::default(), 2);
    let mut speaker = join(&hall, 1000, "").await;
    for i in 0..80 {
        speaker.say(&i.to_string()).await;
        assert_eq!(speaker.hear().await, i.to_string());
    }
    let mut new = join(&hall, 1000, "").await;
    assert_eq!(new.hear().await, "30");
    assert_eq!(new.missed, 0);
}

/// Who does not read holds nobody up, and is told what that costs.
#[tokio::test(start_paused = true)]
async fn who_is_slow_misses_some() {
    let hall = hall(Embedded::default(), 3);
    let mut slow = join(&hall, 100, "").await;
    let mut other = join(&hall, 100, "").await;
    let mut speaker = join(&hall, 100, "").await;
    let began = Instant::now();
    for i in 0..3 * KEPT {
        let text = format!("{i} {}", "x".repeat(100));
        speaker.say(&text).await;
        assert_eq!(speaker.hear().await, text);
        assert_eq!(other.hear().await, text);
    }
    assert!(began.elapsed() < PATIENCE, "{:?}", began.elapsed());
    let mut heard = Vec::new();
    while heard.last() != Some(&(3 * KEPT - 1)) {
        let text = slow.hear().await;
        let (number, _) = text.split_once(' ').unwrap();
        heard.push(number.parse().unwrap());
    }
    assert_eq!(slow.missed, 1);
    let holes = heard.windows(2).filter(|two| two[1] != two[0] + 1).count();
    assert_eq!(holes, 1, "{heard:?}");
    assert!((KEPT..KEPT + 10).contains(&heard.len()), "{}", heard.len());
}

/// Who reads nothing and says much ends that way, and nobody else notices.
#[tokio::test(start_paused = true)]
async fn who_takes_no_answers_goes() {
    let hall = hall(Embedded::default(), 2);
    let member = join(&hall, 100, "").await;
    let (_receiver, sender) = member.ws.split();
    let text = format!(r#"{{"say":"x","id":"{}"}}"#, "i".repeat(60));
    let sends = async { while sender.send(&*text).await.is_ok() {} };
    timeout(Duration::from_secs(60), sends).await.unwrap();
    filled(&hall, 0).await;
}

#[tokio::test(start_paused = true)]
async fn what_is_no_message_ends_it() {
    let hall = hall(Embedded::default(), 2);
    for wrong in ["hello", "{}", r#"{"say":1,"id":"x"}"#] {
        let mut member = join(&hall, 100, "").await;
        member.ws.send(wrong).await.unwrap();
        let report = member.end().await;
        let received = report.received.unwrap();
        assert_eq!(received.code, Some(CloseCode::POLICY_VIOLATION));
    }
}

/// Two processes, one of which is killed.
#[tokio::test(start_paused = true)]
async fn who_is_here_over_processes() {
    let engine = Shared::default();
    let other = engine.again();
    let (one, two) = (hall(engine.clone(), 9), hall(other.clone(), 9));
    let mut ann = join(&one, 1000, "name=Ann").await;
    assert_eq!(ann.here_are(1).await, ["Ann"]);
    let _ann_again = join(&two, 1000, "name=Ann").await;
    let mut bob = join(&two, 1000, "name=Bob+%C3%9C.").await;
    assert_eq!(ann.here_are(2).await, ["Ann", "Bob Ü."]);
    assert_eq!(bob.here_are(2).await, ["Ann", "Bob Ü."]);

    // Signs of life keep them here.
    let began = Instant::now();
    let more = timeout(3 * GONE, ann.here_are(3)).await;
    assert!(more.is_err(), "{more:?}");
    other.cut();
    assert_eq!(ann.here_are(1).await, ["Ann"]);
    let took = began.elapsed() - 3 * GONE;
    assert!((GONE - SIGN..GONE + SIGN).contains(&took), "{took:?}");
}

/// Who has seen somebody come sees them leave, however soon.
#[tokio::test(start_paused = true)]
async fn who_leaves_soon() {
    let hall = hall(Embedded::default(), 9);
    let mut ann = join(&hall, 1000, "name=Ann").await;
    for wait in 0..30 {
        let bob = join(&hall, 1000, "name=Bob").await;
        sleep(Duration::from_millis(wait * 10)).await;
        let mut eve = join(&hall, 1000, "name=Eve").await;
        drop(bob);
        sleep(SIGN).await;
        let text = wait.to_string();
        eve.say(&text).await;
        while eve.hear().await != text {}
        assert_eq!(eve.here, ["Ann", "Eve"]);
        assert_eq!(ann.hear().await, text);
        assert_eq!(ann.here, ["Ann", "Eve"]);
        drop(eve);
        sleep(SIGN).await;
    }
}

#[tokio::test(start_paused = true)]
async fn who_leaves_is_gone_at_once() {
    let engine = Shared::default();
    let other = engine.again();
    let (one, two) = (hall(engine.clone(), 9), hall(other.clone(), 9));
    let mut ann = join(&one, 1000, "name=Ann").await;
    let bob = join(&two, 1000, "name=Bob").await;
    assert_eq!(ann.here_are(2).await, ["Ann", "Bob"]);
    drop(bob);
    let left = timeout(SIGN, ann.here_are(1)).await;
    assert_eq!(left.unwrap(), ["Ann"]);
}

/// The engine fails: members stay, are told that nothing can be said, and go on where they were.
#[tokio::test(start_paused = true)]
async fn an_engine_that_fails_for_a_while() {
    let engine = Shared::default();
    let other = engine.again();
    let (one, two) = (hall(engine.clone(), 9), hall(other.clone(), 9));
    let mut ann = join(&one, 1000, "name=Ann").await;
    let mut bob = join(&two, 1000, "name=Bob").await;
    assert_eq!(ann.here_are(2).await, ["Ann", "Bob"]);
    bob.say("before").await;
    assert_eq!(ann.hear().await, "before");
    engine.fail(true);
    bob.say("meanwhile").await;
    while named(&bob.event().await) != "failed" {}
    // No sign is heard, and nobody is taken for gone.
    sleep(2 * GONE).await;
    engine.fail(false);
    bob.say("after").await;
    assert_eq!(ann.hear().await, "after");
    assert_eq!((ann.missed, ann.here.len()), (0, 2));
    let before = ann.at.clone();

    // It has forgotten what it had.
    engine.fail(true);
    sleep(SIGN).await;
    engine.forget();
    engine.fail(false);
    bob.say("new").await;
    assert_eq!(ann.hear().await, "new");
    assert_eq!(ann.missed, 1);

    // Who was there before goes on with what is new; who was not hears what this process remembers.
    let mut back = join(&one, 1000, &format!("after={before}")).await;
    assert_eq!(back.hear().await, "new");
    assert_eq!(back.missed, 1);
    let mut new = join(&one, 1000, "").await;
    assert_eq!(new.hear().await, "before");
    assert_eq!(new.hear().await, "after");
    assert_eq!(new.hear().await, "new");
}

/// A log with two epochs is told again from its beginning, after it has lost its end, and by another process.
#[tokio::test(start_paused = true)]
async fn what_an_engine_tells_again() {
    let at = |epoch, number| Position { epoch, number };
    let (log, told) = watch::channel(vec![at(1, 1), at(1, 2), at(2, 1), at(2, 2)]);
    let hall = hall(Again(told), 2);
    let mut member = join(&hall, 1000, "").await;
    for known in ["1-1", "1-2", "2-1", "2-2"] {
        assert_eq!(member.hear().await, known);
    }
    member.missed = 0;
    log.send_replace(vec![at(1, 1), at(1, 2), at(2, 1), at(3, 1)]);
    assert_eq!(member.hear().await, "3-1");
    assert_eq!(member.missed, 1);
    log.send_replace(vec![at(1, 1), at(1, 2), at(2, 1), at(3, 1), at(3, 2)]);
    assert_eq!(member.hear().await, "3-2");
    assert_eq!(member.missed, 1);
    let mut back = join(&hall, 1000, "after=2-1").await;
    assert_eq!(back.hear().await, "2-2");
}

/// Who comes while the engine fails is told to come again.
#[tokio::test(start_paused = true)]
async fn an_engine_that_is_not_there() {
    let engine = Shared::default();
    engine.fail(true);
    let hall = hall(engine.clone(), 1);
    for _ in 0..2 {
        let refused = open(connect(&hall, 1000), ClientConfig::new(), "").await;
        let Err(Error::Refused(refusal)) = refused else {
            panic!("it is let in");
        };
        assert_eq!(refusal.status, 503);
    }
    engine.fail(false);
    join(&hall, 1000, "").await;
}

#[tokio::test(start_paused = true)]
async fn the_server_stops_in_order() {
    let hall = hall(Embedded::default(), 1);
    let (near, far) = duplex(1000);
    let (stop, stopped) = oneshot::channel::<()>();
    let served = tokio::spawn({
        let hall = hall.clone();
        async move { hall.serve(far, async { _ = stopped.await }).await }
    });
    let mut member = open(near, ClientConfig::new(), "").await.unwrap();
    stop.send(()).unwrap();
    let report = member.end().await;
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
    let served = tokio::spawn(async move {
        let hall = hall(Embedded::default(), 1);
        hall.serve(far, async { _ = stopped.await }).await
    });
    near.write_all(b"GET /ws HTTP/1.1\r\n").await.unwrap();
    stop.send(()).unwrap();
    assert!(served.await.unwrap().unwrap().is_none());
    assert_eq!(near.read(&mut [0]).await.unwrap(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_full_hall_says_when_to_come_again() {
    let hall = hall(Embedded::default(), 1);
    let mut first = join(&hall, 1000, "").await;
    let second = open(connect(&hall, 1000), ClientConfig::new(), "room=b").await;
    let Err(Error::Refused(refusal)) = second else {
        panic!("it is let in");
    };
    assert_eq!(refusal.status, 503);
    assert_eq!(refusal.header("Retry-After"), Some(&b"10"[..]));
    first.ws.close(None, "").await.unwrap();
    filled(&hall, 0).await;
    join(&hall, 1000, "").await;
}

/// The same port serves the page, and nothing else.
#[tokio::test(start_paused = true)]
async fn a_browser_finds_the_page() {
    let ask = async |method: &str, path: &str| {
        let mut stream = connect(&hall(Embedded::default(), 1), 100);
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

#[tokio::test(start_paused = true)]
async fn rooms_and_names_that_are_none() {
    let hall = hall(Embedded::default(), 1);
    let long = format!("room={}", "x".repeat(33));
    for query in [
        "room=",
        "room=a%20b",
        "room=%2e",
        &long,
        "name=+",
        "after=1",
        "after=x-1",
    ] {
        let refused = open(connect(&hall, 1000), ClientConfig::new(), query).await;
        let Err(Error::Refused(refusal)) = refused else {
            panic!("{query} is let in");
        };
        assert_eq!(refusal.status, 400, "{query}");
    }
}

/// A peer that goes away without a word.
#[tokio::test(start_paused = true)]
async fn the_end_of_the_stream_is_the_end() {
    let hall = hall(Embedded::default(), 1);
    let member = join(&hall, 100, "").await;
    filled(&hall, 1).await;
    drop(member);
    filled(&hall, 0).await;
}

/// The process is stopped for an hour, and the member had answered the ping before: it stays. One that had
/// not is closed.
#[tokio::test(start_paused = true)]
async fn a_process_that_was_stopped() {
    const REQUEST: &[u8] =
        b"GET /ws HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
        Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";
    for answers in [true, false] {
        // Pings after 20 s, which is the default of these connections.
        let mut near = connect(&hall(Embedded::default(), 1), 1000);
        near.write_all(REQUEST).await.unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(near.read_u8().await.unwrap());
        }
        let mut control = async || loop {
            let mut start = [0; 2];
            near.read_exact(&mut start).await.unwrap();
            let mut payload = vec![0; usize::from(start[1])];
            near.read_exact(&mut payload).await.unwrap();
            if start[0] & 8 != 0 {
                return (start[0], payload);
            }
        };
        let (first, ping) = control().await;
        assert_eq!((first, ping.len()), (0x89, 2));
        if answers {
            let pong = [0x8a, 0x82, 0, 0, 0, 0, ping[0], ping[1]];
            near.write_all(&pong).await.unwrap();
        }
        tokio::time::advance(Duration::from_secs(3600)).await;
        let mut next = [0; 2];
        near.read_exact(&mut next).await.unwrap();
        assert_eq!(next[0], if answers { 0x89 } else { 0x88 });
    }
}
