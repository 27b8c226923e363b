//! Loads a server: so many connections, so many messages in flight on each, one thread.
//!
//!     load PORT [--connections N] [--in-flight N] [--size N] [--room] [--rate N] [--deflate]
//!               [--certificate FILE] [--path PATH]
//!
//! Each connection first sends one message and compares what comes back. Then `open` is printed, and twice
//! a second how many messages have come back since. What is sent was encoded beforehand.
//!
//! `--room`: the server sends each message to all. One connection sends as many as shall be in flight, and
//! again when all have come to all. `--rate`: so many messages a second, from one connection after the other.

mod frames;
mod link;

use std::io::{self, Write};
use std::sync::Arc;
use std::time::{Duration, Instant};
use std::{env, error::Error, str::FromStr};

use mio::{Events, Interest, Poll, Token};

use link::Link;

const INTERVAL: Duration = Duration::from_millis(500);
const TICK: Duration = Duration::from_millis(1);

/// What all connections do.
pub struct Plan {
    port: u16,
    path: String,
    connections: usize,
    in_flight: usize,
    room: bool,
    rate: Option<u32>,
    deflate: bool,
    tls: Option<Arc<rustls::ClientConfig>>,
    payload: Vec<u8>,
    /// The first byte of the frame, without FIN.
    first: u8,
    frame_len: usize,
    /// So many frames that all in flight can be written at once.
    pattern: Vec<u8>,
}

impl Plan {
    fn of(mut args: impl Iterator<Item = String>) -> Result<Self, Box<dyn Error>> {
        let mut plan = Self {
            port: parsed(args.next())?,
            path: "/".into(),
            connections: 1,
            in_flight: 1,
            room: false,
            rate: None,
            deflate: false,
            tls: None,
            payload: Vec::new(),
            first: frames::BINARY,
            frame_len: 0,
            pattern: Vec::new(),
        };
        let mut size = 32;
        while let Some(option) = args.next() {
            match &*option {
                "--connections" => plan.connections = parsed(args.next())?,
                "--in-flight" => plan.in_flight = parsed(args.next())?,
                "--size" => size = parsed(args.next())?,
                "--room" => plan.room = true,
                "--rate" => plan.rate = Some(parsed(args.next())?),
                "--deflate" => plan.deflate = true,
                "--certificate" => {
                    plan.tls = Some(sockets::tls::client(&parsed::<String>(args.next())?)?)
                }
                "--path" => plan.path = parsed(args.next())?,
                _ => return Err(format!("no such option: {option}").into()),
            }
        }
        let frame = if plan.deflate {
            plan.payload = text(size);
            plan.first = frames::TEXT | frames::RSV1;
            frames::frame(plan.first, &frames::deflated(&plan.payload))
        } else {
            plan.payload = (0..size).map(|at| (at * 7) as u8).collect();
            frames::frame(plan.first, &plan.payload)
        };
        plan.frame_len = frame.len();
        plan.pattern = frame.repeat(plan.in_flight);
        Ok(plan)
    }
}

fn parsed<T: FromStr<Err: Error + 'static>>(arg: Option<String>) -> Result<T, Box<dyn Error>> {
    Ok(arg.ok_or("a value is missing")?.parse()?)
}

/// JSON as people send it: names that come again, values that do not.
fn text(size: usize) -> Vec<u8> {
    let mut text = String::new();
    let mut random = 1u32;
    while text.len() < size {
        random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let (id, price) = (random >> 8, random >> 20);
        text +=
            &format!("{{\"id\":{id},\"symbol\":\"EURUSD\",\"price\":1.{price},\"side\":\"buy\"}},");
    }
    text.truncate(size);
    text.into_bytes()
}

pub fn wrong(what: impl Into<Box<dyn Error + Send + Sync>>) -> io::Error {
    io::Error::other(what)
}

fn main() -> Result<(), Box<dyn Error>> {
    let plan = Plan::of(env::args().skip(1))?;
    let links = open(&plan)?;
    println!("open");
    Ok(Load::new(&plan, links)?.run()?)
}

/// All connections, each of which has had its answer.
fn open(plan: &Plan) -> io::Result<Vec<Link>> {
    let mut links = Vec::with_capacity(plan.connections);
    for _ in 0..plan.connections {
        let mut link = Link::open(plan)?;
        if !plan.room {
            link.say(plan)?;
            link.hear(plan)?;
        }
        links.push(link);
    }
    if plan.room {
        links[0].say(plan)?;
        links.iter_mut().try_for_each(|link| link.hear(plan))?;
    }
    Ok(links)
}

struct Load<'p> {
    plan: &'p Plan,
    links: Vec<Link>,
    poll: Poll,
    /// Messages that came.
    came: u64,
    /// In a room: how many have to come before the next are sent.
    due: u64,
    /// With a rate: how many were sent.
    sent: u64,
}

impl<'p> Load<'p> {
    fn new(plan: &'p Plan, mut links: Vec<Link>) -> io::Result<Self> {
        let poll = Poll::new()?;
        for (key, link) in links.iter_mut().enumerate() {
            link.start()?;
            let both = Interest::READABLE | Interest::WRITABLE;
            poll.registry()
                .register(&mut link.pipe.stream, Token(key), both)?;
        }
        let (came, due, sent) = (0, 0, 0);
        Ok(Self {
            plan,
            links,
            poll,
            came,
            due,
            sent,
        })
    }

    /// For as long as the process lives, or until something is wrong.
    fn run(&mut self) -> io::Result<()> {
        let mut events = Events::with_capacity(1024);
        let mut buffer = vec![0; 256 << 10];
        let began = Instant::now();
        let mut tell_at = INTERVAL;
        if !self.plan.room && self.plan.rate.is_none() {
            for link in &mut self.links {
                link.send(self.plan, self.plan.in_flight)?;
            }
        }
        loop {
            self.begin(began.elapsed())?;
            let rest = tell_at.saturating_sub(began.elapsed());
            let wait = if self.plan.rate.is_some() {
                rest.min(TICK)
            } else {
                rest
            };
            match self.poll.poll(&mut events, Some(wait)) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                polled => polled?,
            }
            for event in &events {
                let link = &mut self.links[event.token().0];
                let mut more = 0;
                if event.is_readable() {
                    let messages = link.receive(self.plan, &mut buffer)?;
                    self.came += messages as u64;
                    if !self.plan.room && self.plan.rate.is_none() {
                        more = messages;
                    }
                }
                link.send(self.plan, more)?;
            }
            if began.elapsed() >= tell_at {
                tell_at += INTERVAL;
                writeln!(io::stdout(), "messages {}", self.came)?;
            }
        }
    }

    /// What is due by the plan and not by an answer.
    fn begin(&mut self, now: Duration) -> io::Result<()> {
        if self.plan.room && self.came >= self.due {
            self.due += (self.plan.connections * self.plan.in_flight) as u64;
            self.links[0].send(self.plan, self.plan.in_flight)?;
        }
        if let Some(rate) = self.plan.rate {
            let due = (now.as_secs_f64() * f64::from(rate)) as u64;
            while self.sent < due {
                let key = self.sent as usize % self.links.len();
                self.links[key].send(self.plan, 1)?;
                self.sent += 1;
            }
        }
        Ok(())
    }
}
