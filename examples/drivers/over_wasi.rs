//! A component for `wasm32-wasip2`: sockets of std that never block, and `poll`. It runs on Unix as well.
//!
//! `cargo build -p drivers --no-default-features --features wasi --bin over_wasi --target wasm32-wasip2`, then
//! `wasmtime run -S inherit-network over_wasi.wasm [ADDR [SECONDS [CONNECTIONS]]]`; <http://127.0.0.1:9001/>.
//! A peer may take 30 s (SECONDS) for its request and to answer a ping; 1,000 (CONNECTIONS) are served at once.
//! WASI has no signals: its end is the runtime's, and clients see 1006.

use std::io::{self, ErrorKind, Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::{env, error::Error, fmt::Display, time::Duration, time::Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use sansocket::config::{Limits, Timeouts};
use sansocket::error::{AcceptError, SendError};
use sansocket::{Accept, Connection, Event, OriginPolicy, ServerConfig, Transport};
use sansocket::{Response, extension::PermessageDeflate};

const PAGE: &str = include_str!("../page/index.html");
const PAUSE: Duration = Duration::from_millis(500);
const FAR: Duration = Duration::from_secs(86_400);

struct Client {
    peer: SocketAddr,
    stream: TcpStream,
    ws: Connection,
    ended: bool,
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = env::args().skip(1);
    let address = args.next().unwrap_or_else(|| "127.0.0.1:9001".into());
    let patience = Duration::from_secs(args.next().map_or(Ok(30), |seconds| seconds.parse())?);
    let places = args.next().map_or(Ok(1000), |number| number.parse::<usize>())?;
    let listener = TcpListener::bind(&address)?;
    listener.set_nonblocking(true)?;
    println!("echo server: http://{}/ (WebSocket at /ws)", listener.local_addr()?);

    let (mut limits, mut timeouts) = (Limits::server(), Timeouts::default());
    (limits.frame, limits.message) = (64 << 20, 64 << 20);
    timeouts.handshake = patience;
    (timeouts.ping, timeouts.pong) = (Some(patience), Some(patience));
    let config = ServerConfig::new(OriginPolicy::SameHost).limits(limits).timeouts(timeouts);
    let config = config.deflate(PermessageDeflate::server()).serve_http();
    let (born, mut accept_at, mut buf) = (Instant::now(), Duration::ZERO, vec![0; 64 << 10]);
    let mut clients: Vec<Client> = Vec::new();
    loop {
        let now = born.elapsed();
        let accepts = clients.len() < places && accept_at <= now;
        let mut asked: Vec<_> = clients.iter().map(Client::asks).collect();
        asked.extend(accepts.then(|| PollFd::new(&listener, PollFlags::IN)));
        let deadlines = clients.iter().filter_map(|client| client.ws.next_deadline());
        let next = deadlines.chain((accept_at > now).then_some(accept_at)).min().unwrap_or(FAR);
        let wait = next.saturating_sub(now) + Duration::from_millis(1);
        match poll(&mut asked, Some(&Timespec::try_from(wait)?)) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        let mut ready = asked.iter().map(PollFd::revents).collect::<Vec<_>>().into_iter();
        let now = born.elapsed();
        clients.retain_mut(|client| client.turn(ready.next().unwrap_or(PollFlags::empty()), now, &mut buf));
        while accepts && clients.len() < places {
            let accepted = listener.accept().and_then(|(stream, peer)| {
                stream.set_nonblocking(true)?;
                stream.set_nodelay(true)?;
                Ok(Client { peer, stream, ws: Connection::server(&config), ended: false })
            });
            match accepted {
                Ok(client) => clients.push(client),
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => {
                    log("accept", error); // there may be descriptors again then
                    accept_at = now + PAUSE;
                    break;
                }
            }
        }
    }
}

impl Client {
    fn is_full(&self) -> bool {
        matches!(self.ws.can_send(), Err(SendError::Full { .. }))
    }

    /// What it waits for. While nothing more can be queued it is not read.
    fn asks(&self) -> PollFd<'_> {
        let mut flags = PollFlags::empty();
        flags.set(PollFlags::IN, !self.is_full() && !self.ended);
        flags.set(PollFlags::OUT, !self.ws.output().is_empty());
        PollFd::new(&self.stream, flags)
    }

    /// Read, deliver, write, ask. `false`: it is over.
    fn turn(&mut self, ready: PollFlags, now: Duration, buf: &mut [u8]) -> bool {
        self.ws.advance_time(now);
        let late = self.ws.next_deadline().is_some_and(|at| at <= now);
        let mut input: &mut [u8] = &mut [];
        // What meets a deadline that has passed may be there already.
        if (late || !ready.is_empty()) && !self.is_full() && !self.ended {
            match self.stream.read(buf) {
                Ok(0) => (self.ended, _) = (true, self.ws.receive_eof()),
                Ok(n) => input = &mut buf[..n],
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {}
                Err(_) => (self.ended, _) = (true, self.ws.transport_lost()),
            }
        }
        loop {
            while !self.is_full()
                && let Some(event) = self.ws.receive(&mut input)
            {
                handle(&mut self.ws, &self.peer, event).unwrap_or_else(|error| log(self.peer, error));
            }
            if self.ws.output().is_empty() {
                break;
            }
            match self.stream.write(self.ws.output()) {
                Ok(n) => self.ws.consume_output(n),
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => self.ws.write_lost(), // read on: the peer may have said why
            }
        }
        self.ws.keep_input(&mut input); // the buffer is the next one's
        if self.ws.output().is_empty() && self.ws.transport() == Transport::ShutdownWrite {
            let _ = self.stream.shutdown(Shutdown::Write);
        }
        !self.ws.output().is_empty() || self.ws.transport() != Transport::Close
    }
}

fn handle(ws: &mut Connection, peer: &impl Display, event: Event<'_>) -> Result<(), AcceptError> {
    match event {
        Event::Request(request) if request.path() == "/ws" => ws.accept(Accept::new())?,
        Event::Http(request) if request.path() == "/" => {
            let page = Response::new(200).header("Content-Type", b"text/html; charset=utf-8")?;
            ws.respond(page.body(PAGE))?;
        }
        Event::Request(_) | Event::Http(_) => ws.respond(Response::new(404).body("404\n"))?,
        Event::Message(message) => drop(ws.send(&message)),
        Event::Closed(report) => log(peer, report),
        _ => {}
    }
    Ok(())
}

/// Where nobody reads the log any more, the server goes on without.
fn log(who: impl Display, what: impl Display) {
    let _ = writeln!(io::stderr(), "{who}: {what}");
}
