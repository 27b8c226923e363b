//! The third process: it talks over many connections at once, and looks at each echo.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use sansocket::{ClientConfig, ClientRequest, CloseCode, Connection, Event, State, Transport, Uri};

/// How often each connection takes a step: what it has to say goes out in two of them, so that half of them are in the
/// middle of a message at any time.
const STEP: Duration = Duration::from_millis(200);

/// How many turns that has, in each of which some connections take theirs.
const TURNS: usize = 20;

/// How long everything may take to end.
const PATIENCE: Duration = Duration::from_secs(60);

/// What came of it.
#[derive(Default)]
pub struct Told {
    pub connections: usize,
    pub echoes: u64,
    /// Echoes that did not come, came twice or in another order, and connections that broke.
    pub faults: u64,
    /// The longest that each connection waited for an echo, the shortest first.
    pub waits: Vec<Duration>,
}

impl Told {
    /// That of so many in a hundred.
    pub fn wait(&self, percent: usize) -> Duration {
        let at = (self.waits.len() * percent / 100).min(self.waits.len().saturating_sub(1));
        self.waits.get(at).copied().unwrap_or_default()
    }
}

struct Talk {
    stream: TcpStream,
    ws: Connection,
    said: u64,
    echoed: u64,
    /// The rest of a message that has begun to leave goes with the next step.
    held: bool,
    /// When the last of it left.
    since: Instant,
    longest: Duration,
    clean: bool,
    broken: bool,
}

/// All of them.
pub struct Talker {
    talks: Vec<Talk>,
    turn: usize,
}

impl Talker {
    /// Opens so many connections.
    pub fn open(address: SocketAddr, count: usize) -> io::Result<Self> {
        let uri = Uri::parse(&format!("ws://{address}/")).map_err(io::Error::other)?;
        let mut talks = Vec::with_capacity(count);
        for _ in 0..count {
            let request = ClientRequest::new(uri.clone());
            let ws = Connection::client(&ClientConfig::new(), request).map_err(io::Error::other)?;
            let stream = TcpStream::connect(address)?;
            stream.set_nodelay(true)?;
            stream.set_nonblocking(true)?;
            talks.push(Talk {
                stream,
                ws,
                said: 0,
                echoed: 0,
                held: false,
                since: Instant::now(),
                longest: Duration::ZERO,
                clean: false,
                broken: false,
            });
        }
        let mut talker = Self { talks, turn: 0 };
        let until = Instant::now() + PATIENCE;
        while !talker
            .talks
            .iter()
            .all(|talk| talk.ws.state() == State::Open)
        {
            if Instant::now() > until {
                return Err(io::ErrorKind::TimedOut.into());
            }
            talker
                .talks
                .iter_mut()
                .for_each(|talk| talk.go_on(usize::MAX));
        }
        Ok(talker)
    }

    /// One turn: some connections take a step, and all that came is looked at.
    pub fn turn(&mut self) {
        let began = Instant::now();
        self.turn = (self.turn + 1) % TURNS;
        for (at, talk) in self.talks.iter_mut().enumerate() {
            if at % TURNS == self.turn {
                talk.step();
            } else {
                talk.go_on(0);
            }
        }
        let rest = (STEP / TURNS as u32).saturating_sub(began.elapsed());
        std::thread::sleep(rest);
    }

    /// The longest wait of each connection so far.
    pub fn waits(&self) -> Told {
        let mut waits: Vec<Duration> = self.talks.iter().map(|talk| talk.longest).collect();
        waits.sort_unstable();
        Told {
            waits,
            ..Told::default()
        }
    }

    /// From here on the waits are counted anew.
    pub fn forget(&mut self) {
        for talk in &mut self.talks {
            talk.longest = Duration::ZERO;
        }
    }

    /// Waits for each echo, and closes.
    pub fn end(mut self) -> Told {
        let until = Instant::now() + PATIENCE;
        for talk in self.talks.iter_mut().filter(|talk| talk.held) {
            talk.step();
        }
        let waits = |talk: &Talk| !talk.broken && talk.echoed < talk.said;
        while self.talks.iter().any(waits) && Instant::now() < until {
            self.talks
                .iter_mut()
                .for_each(|talk| talk.go_on(usize::MAX));
        }
        for talk in &mut self.talks {
            let _ = talk.ws.close(CloseCode::NORMAL_CLOSURE, "");
        }
        while self.talks.iter().any(|talk| !talk.clean && !talk.broken) && Instant::now() < until {
            self.talks
                .iter_mut()
                .for_each(|talk| talk.go_on(usize::MAX));
        }
        let mut told = Told {
            connections: self.talks.len(),
            ..Told::default()
        };
        for talk in &self.talks {
            told.echoes += talk.echoed;
            told.faults += u64::from(talk.broken || !talk.clean || talk.echoed != talk.said);
            told.waits.push(talk.longest);
        }
        told.waits.sort_unstable();
        told
    }
}

impl Talk {
    /// Says something, or the rest of it.
    fn step(&mut self) {
        if self.held {
            (self.held, self.since) = (false, Instant::now());
            return self.go_on(usize::MAX);
        }
        // What was said before was heard.
        if self.echoed == self.said && !self.broken {
            if self.ws.send(&*message(self.said)).is_ok() {
                self.said += 1;
                self.held = true;
            }
            let some = self.ws.output_len() / 2;
            return self.go_on(some);
        }
        self.go_on(0);
    }

    /// Writes so many bytes at most, and reads what there is.
    fn go_on(&mut self, most: usize) {
        let (mut most, mut read, mut buffer) = (most, 0, [0; 4096]);
        loop {
            let mut input = &mut buffer[..read];
            while let Some(event) = self.ws.receive(&mut input) {
                match event {
                    Event::Message(echo) if echo == *message(self.echoed) => {
                        self.echoed += 1;
                        self.longest = self.longest.max(self.since.elapsed());
                    }
                    Event::Closed(report) => {
                        self.clean = report.clean;
                        self.broken |= !report.clean;
                    }
                    Event::Open | Event::Ping(_) | Event::Close(_) => {}
                    // Lost, doubled, or something else.
                    _ => self.broken = true,
                }
            }
            read = 0;
            let output = self.ws.output();
            let output = &output[..output.len().min(most)];
            if !output.is_empty() {
                match self.stream.write(output) {
                    Ok(n) => {
                        most -= n;
                        self.ws.consume_output(n);
                        continue;
                    }
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                    Err(_) => {
                        self.ws.write_lost();
                        continue;
                    }
                }
            }
            if self.ws.transport() == Transport::Close || self.broken {
                return;
            }
            match self.stream.read(&mut buffer) {
                Ok(0) => self.ws.receive_eof(),
                Ok(n) => read = n,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(_) => self.ws.transport_lost(),
            }
        }
    }
}

/// What is said for the n-th time: no two are alike.
fn message(n: u64) -> String {
    format!("{n:>5} {}", "and so on, ".repeat(1 + n as usize % 7))
}
