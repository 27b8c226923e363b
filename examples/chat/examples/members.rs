//! Members of a chat over several processes, who come back after a loss with their position, and check all they hear.
//!
//!     members COUNT PER_SECOND SECONDS ADDRESS...
//!
//! Prints `begun` when all know of each other, and a line of JSON at the end. Together they say PER_SECOND messages.

use std::collections::{HashMap, HashSet, VecDeque};
use std::env;
use std::error::Error;
use std::io::{self, BufRead, Write};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use sansocket_tokio::{ClientConfig, ClientRequest, Uri, WebSocket};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::select;
use tokio::time::{Instant, MissedTickBehavior, interval_at, sleep, timeout};

type Failure = Box<dyn Error + Send + Sync>;

/// What all of them know.
struct All {
    addresses: Vec<String>,
    count: usize,
    began: Instant,
    /// Who knows of everybody.
    ready: AtomicUsize,
    speak: AtomicBool,
    /// What was said and kept, and where.
    kept: AtomicUsize,
    said: AtomicUsize,
    heard: Mutex<Heard>,
}

#[derive(Default)]
struct Heard {
    /// The text at each position.
    texts: HashMap<String, String>,
    /// When each was said, and how long it took, in microseconds.
    delays: Vec<(u64, u64)>,
}

/// What one has heard.
#[derive(Default)]
struct Member {
    number: usize,
    at: Option<(u64, u64)>,
    here: HashSet<String>,
    unsaid: VecDeque<String>,
    in_flight: bool,
    next: usize,
    heard: usize,
    missed: usize,
    lost: usize,
    doubled: usize,
    returned: usize,
}

impl Member {
    async fn live(&mut self, all: &All, every: Duration, end: Instant) {
        let first = all.began + every.mul_f64(self.number as f64 / all.count as f64);
        let mut speak = interval_at(first.max(Instant::now()), every);
        speak.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut turn = self.number;
        let mut ready = false;
        while Instant::now() < end {
            let address = &all.addresses[turn % all.addresses.len()];
            turn += 1;
            let Ok(Ok(mut ws)) = timeout(Duration::from_secs(8), self.connect(address)).await
            else {
                sleep(Duration::from_millis(100 + (self.number % 10) as u64 * 40)).await;
                continue;
            };
            self.in_flight = false;
            loop {
                self.say(&mut ws).await;
                select! {
                    _ = tokio::time::sleep_until(end) => return,
                    _ = speak.tick() => if all.speak.load(Ordering::Relaxed) {
                        all.said.fetch_add(1, Ordering::Relaxed);
                        let micros = all.began.elapsed().as_micros();
                        self.unsaid.push_back(format!("{} {} {micros}", self.number, self.next));
                        self.next += 1;
                    },
                    message = ws.recv() => match message {
                        Some(Ok(message)) => self.hear(all, message.as_bytes()),
                        _ => break,
                    },
                }
                if !ready && self.here.len() == all.count {
                    ready = true;
                    all.ready.fetch_add(1, Ordering::Relaxed);
                }
            }
            self.returned += 1;
        }
    }

    async fn connect(&self, address: &str) -> Result<WebSocket<TcpStream>, Failure> {
        let after = self
            .at
            .map(|(epoch, number)| format!("&after={epoch}-{number}"));
        let after = after.unwrap_or_default();
        let uri = format!("ws://{address}/ws?room=load&name=m{}{after}", self.number);
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let request = ClientRequest::new(Uri::parse(&uri)?);
        Ok(WebSocket::client(stream, &ClientConfig::new(), request).await?)
    }

    /// One at a time, until it is kept.
    async fn say(&mut self, ws: &mut WebSocket<TcpStream>) {
        if let Some(text) = self.unsaid.front().filter(|_| !self.in_flight) {
            self.in_flight = true;
            let say = json!({ "say": text, "id": text }).to_string();
            let _ = ws.send(&say).await;
        }
    }

    fn hear(&mut self, all: &All, event: &[u8]) {
        let event: Value = serde_json::from_slice(event).unwrap_or_default();
        let names = |key: &str| {
            event[key]
                .as_array()
                .into_iter()
                .flatten()
                .filter_map(Value::as_str)
                .map(str::to_owned)
                .collect::<Vec<_>>()
        };
        match event["event"].as_str() {
            Some("said") => self.hear_said(all, &event),
            Some("missed") => (self.missed, self.at) = (self.missed + 1, None),
            Some("here") => self.here = names("names").into_iter().collect(),
            Some("changed") => {
                names("left")
                    .iter()
                    .for_each(|name| _ = self.here.remove(name));
                self.here.extend(names("joined"));
            }
            Some("kept") => {
                self.unsaid.pop_front();
                self.in_flight = false;
                all.kept.fetch_add(1, Ordering::Relaxed);
            }
            _ => self.in_flight = false,
        }
    }

    fn hear_said(&mut self, all: &All, event: &Value) {
        let (at, text) = (&event["at"], &event["text"]);
        let (Some(at), Some(text)) = (at.as_str(), text.as_str()) else {
            return;
        };
        let Some((epoch, number)) = at.split_once('-') else {
            return;
        };
        let (epoch, number) = (epoch.parse().unwrap_or(0), number.parse().unwrap_or(0));
        match self.at {
            Some((known, before)) if known == epoch && number <= before => self.doubled += 1,
            Some((known, before)) if known != epoch || number != before + 1 => self.lost += 1,
            _ => {}
        }
        self.at = Some((epoch, number));
        self.heard += 1;
        let sent = text
            .rsplit(' ')
            .next()
            .and_then(|sent| sent.parse().ok())
            .unwrap_or(0);
        let delay = all.began.elapsed().as_micros() as u64 - sent;
        let mut heard = all.heard.lock().unwrap_or_else(PoisonError::into_inner);
        heard.delays.push((sent, delay));
        let same = heard
            .texts
            .entry(at.to_owned())
            .or_insert_with(|| text.to_owned());
        self.lost += usize::from(same != text); // another one stands there for others
    }
}

/// The delay that so many of a hundred do not exceed, in milliseconds.
fn percentile(delays: &[(u64, u64)], percent: usize) -> f64 {
    let mut delays: Vec<_> = delays.iter().map(|(_, delay)| *delay).collect();
    delays.sort_unstable();
    let at = (delays.len() * percent / 100).min(delays.len().saturating_sub(1));
    delays.get(at).map_or(0.0, |delay| *delay as f64 / 1000.0)
}

fn say(line: &str) {
    let _ = writeln!(io::stdout(), "{line}").and_then(|()| io::stdout().flush());
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Failure> {
    let mut args = env::args().skip(1);
    let mut number = || args.next().ok_or("COUNT PER_SECOND SECONDS ADDRESS...");
    let (count, per_second, seconds): (usize, f64, f64) =
        (number()?.parse()?, number()?.parse()?, number()?.parse()?);
    let all = Arc::new(All {
        addresses: args.collect(),
        count,
        began: Instant::now(),
        ready: AtomicUsize::new(0),
        speak: AtomicBool::new(false),
        kept: AtomicUsize::new(0),
        said: AtomicUsize::new(0),
        heard: Mutex::default(),
    });
    let every = Duration::from_secs_f64(count as f64 / per_second);
    let (stop, stopped) = tokio::sync::watch::channel(false);
    let mut tasks = tokio::task::JoinSet::new();
    for number in 0..count {
        let (all, mut stopped) = (all.clone(), stopped.clone());
        tasks.spawn(async move {
            let mut member = Member {
                number,
                ..Member::default()
            };
            let end = Instant::now() + Duration::from_secs(3600);
            select! {
                () = member.live(&all, every, end) => {}
                _ = stopped.wait_for(|stop| *stop) => {}
            }
            member
        });
    }
    let joined = until(60, || all.ready.load(Ordering::Relaxed) == count).await;
    say(if joined {
        "begun"
    } else {
        "not all know of each other"
    });
    all.speak.store(true, Ordering::Relaxed);
    let begun = all.began.elapsed();
    sleep(Duration::from_secs_f64(seconds)).await;
    all.speak.store(false, Ordering::Relaxed);
    let kept = || all.kept.load(Ordering::Relaxed) == all.said.load(Ordering::Relaxed);
    let all_kept = until(60, kept).await;
    let said = all.said.load(Ordering::Relaxed);
    sleep(Duration::from_secs(2)).await; // what is doubled has come, too
    say("end");
    let _ = io::stdin().lock().read_line(&mut String::new()); // the CPU seconds are read
    stop.send_replace(true);

    let mut sum = Member::default();
    let mut short = 0;
    while let Some(member) = tasks.join_next().await {
        let member = member?;
        short += usize::from(member.heard != said && member.missed == 0);
        sum.heard += member.heard;
        sum.missed += member.missed;
        sum.lost += member.lost;
        sum.doubled += member.doubled;
        sum.returned += member.returned;
    }
    let heard = all.heard.lock().unwrap_or_else(PoisonError::into_inner);
    let different: HashSet<_> = heard.texts.values().collect();
    let calm_until = (begun + Duration::from_secs_f64(seconds / 3.0)).as_micros() as u64;
    let calm: Vec<_> = heard
        .delays
        .iter()
        .copied()
        .filter(|(sent, _)| *sent < calm_until)
        .collect();
    say(&json!({
        "said": said, "all_kept": all_kept, "different": different.len(), "positions": heard.texts.len(),
        "heard": sum.heard, "missed": sum.missed, "lost": sum.lost, "doubled": sum.doubled, "short": short,
        "returned": sum.returned, "calm_p50": percentile(&calm, 50), "calm_p99": percentile(&calm, 99),
        "p99": percentile(&heard.delays, 99),
    }).to_string());
    Ok(())
}

async fn until(seconds: u64, holds: impl Fn() -> bool) -> bool {
    let end = Instant::now() + Duration::from_secs(seconds);
    while !holds() && Instant::now() < end {
        sleep(Duration::from_millis(20)).await;
    }
    holds()
}
