//! `io_uring` itself (Linux 6.0): one thread, one ring, multishot receives into buffers that all connections share.
//! What the kernel reads from and writes to stays where it is until it says that it has done so: hence `unsafe`.
//!
//! `cargo run -p drivers --bin over_io_uring [ADDR [SECONDS [CONNECTIONS]]]`; <http://127.0.0.1:9001/>.
//! A peer may take 30 s (SECONDS) for its request and to answer a ping; 1,000 (CONNECTIONS) are served at once;
//! SIGTERM tells each of them 1001.
#![allow(unsafe_code, reason = "the crate `io-uring` leaves it to its user what the kernel may touch")]

use std::mem::ManuallyDrop;
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::fd::{AsRawFd, FromRawFd};
use std::sync::{Arc, atomic::AtomicBool, atomic::Ordering};
use std::time::{Duration, Instant};
use std::{env, error::Error, fmt::Display, io, io::Write as _, ptr};

use io_uring::types::{Fd, SubmitArgs, Timespec};
use io_uring::{IoUring, cqueue, opcode, squeue};
use sansocket::config::{Limits, Timeouts};
use sansocket::error::{AcceptError, SendError};
use sansocket::{Accept, CloseCode, Connection, Event, OriginPolicy, ServerConfig, Transport};
use sansocket::{Response, extension::PermessageDeflate};
use signal_hook::{consts::SIGTERM, flag};
use slab::Slab;

const PAGE: &str = include_str!("../page/index.html");
/// Of the buffers for receiving, and of one for sending.
const LEN: usize = 64 << 10;
const BUFFERS: usize = 64;
const PAUSE: Duration = Duration::from_millis(500);
/// How late a deadline may be seen: looked at after each event, thousands of them would cost more than the messages.
const TICK: Duration = Duration::from_millis(100);

/// What was asked of the kernel, in the lowest bits of `user_data`: the others are the connection's key.
const ACCEPT: u64 = 0;
const RECEIVE: u64 = 1;
const SEND: u64 = 2;
const OTHER: u64 = 3;

struct Server {
    ring: IoUring,
    /// Those that the kernel receives into, for as long as the process lives.
    buffers: &'static mut [u8],
    clients: Slab<Client>,
}

struct Client {
    peer: SocketAddr,
    stream: TcpStream,
    ws: Connection,
    born: Instant,
    /// The kernel has it while `sending`.
    output: Vec<u8>,
    sending: bool,
    receiving: bool,
    /// Nothing comes any more.
    ended: bool,
    /// Only what the kernel still has keeps it here.
    over: bool,
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = env::args().skip(1);
    let address = args.next().unwrap_or_else(|| "127.0.0.1:9001".into());
    let patience = Duration::from_secs(args.next().map_or(Ok(30), |seconds| seconds.parse())?);
    let places = args.next().map_or(Ok(1000), |number| number.parse::<usize>())?;
    let ring =
        IoUring::new(256).map_err(|why| format!("no io_uring here, over_compio does without: {why}"))?;
    let (buffers, clients) = (vec![0; BUFFERS * LEN].leak(), Slab::new());
    let mut server = ManuallyDrop::new(Server { ring, buffers, clients }); // the kernel may still send from it
    server.provide(0, BUFFERS);
    let listener = TcpListener::bind(&address)?;
    let stop = Arc::new(AtomicBool::new(false));
    flag::register(SIGTERM, stop.clone())?;
    println!("echo server: http://{}/ (WebSocket at /ws)", listener.local_addr()?);

    let (mut limits, mut timeouts) = (Limits::server(), Timeouts::default());
    (limits.frame, limits.message) = (256 << 20, 256 << 20);
    timeouts.handshake = patience;
    (timeouts.ping, timeouts.pong) = (Some(patience), Some(patience));
    let config = ServerConfig::new(OriginPolicy::SameHost).limits(limits).timeouts(timeouts);
    let config = config.deflate(PermessageDeflate::server()).serve_http();
    let (mut accepting, mut accept_at, mut stop_by) = (false, Instant::now(), None);
    let mut look_at = Instant::now();
    while stop_by.is_none_or(|at| at > Instant::now() && !server.clients.is_empty()) {
        let accepts = stop_by.is_none() && server.clients.len() < places && accept_at <= Instant::now();
        if accepts && !accepting {
            accepting = true;
            let fd = Fd(listener.as_raw_fd());
            server.ask(opcode::Accept::new(fd, ptr::null_mut(), ptr::null_mut()).build(), 0, ACCEPT);
        }
        for (key, result, flags) in server.wait()? {
            match (key & 3, result) {
                (ACCEPT, 0..) => {
                    accepting = false;
                    // SAFETY: the kernel has just made it, and nobody else has it.
                    let stream = unsafe { TcpStream::from_raw_fd(result) };
                    server.welcome(stream, Connection::server(&config));
                }
                (ACCEPT, _) => {
                    log("accept", io::Error::from_raw_os_error(-result));
                    (accepting, accept_at) = (false, Instant::now() + PAUSE); // there may be descriptors then
                }
                (OTHER, _) => {}
                (kind, _) => server.done((key >> 2) as usize, kind, result, flags),
            }
        }
        let now = Instant::now();
        let stops = stop.load(Ordering::Relaxed) && stop_by.is_none();
        if stops || look_at <= now {
            look_at = now + TICK;
            server.look(now, stops);
        }
        if stops {
            stop_by = Some(now + Duration::from_secs(10)); // who does not answer is left behind
        }
    }
    Ok(())
}

impl Server {
    fn ask(&mut self, operation: squeue::Entry, key: usize, kind: u64) {
        let operation = operation.user_data((key as u64) << 2 | kind);
        // SAFETY: `buffers` are never freed, and a client stays until the kernel has done with its `output`.
        while unsafe { self.ring.submission().push(&operation) }.is_err() {
            let _ = self.ring.submit(); // it is full
        }
    }

    /// Gives buffers to the kernel.
    fn provide(&mut self, first: usize, count: usize) {
        let start = self.buffers[first * LEN..].as_mut_ptr();
        let gift = opcode::ProvideBuffers::new(start, LEN as i32, count as u16, 0, first as u16);
        self.ask(gift.build(), 0, OTHER);
    }

    /// At every deadline; when the server stops, all are told.
    fn look(&mut self, now: Instant, stops: bool) {
        for key in 0..self.clients.capacity() {
            let Some(client) = self.clients.get_mut(key) else { continue };
            if stops {
                let _ = client.ws.close(CloseCode::GOING_AWAY, "the server stops");
            }
            if stops || client.ws.next_deadline().is_some_and(|at| client.born + at <= now) {
                self.turn(key, &mut []);
            }
        }
    }

    /// What the kernel has done, after a while nothing.
    fn wait(&mut self) -> io::Result<Vec<(u64, i32, u32)>> {
        let wait = Timespec::from(TICK);
        match self.ring.submitter().submit_with_args(1, &SubmitArgs::new().timespec(&wait)) {
            Err(error) if !matches!(error.raw_os_error(), Some(libc::ETIME | libc::EINTR | libc::EBUSY)) => {
                Err(error)
            }
            _ => Ok(self
                .ring
                .completion()
                .map(|done| (done.user_data(), done.result(), done.flags()))
                .collect()),
        }
    }

    fn welcome(&mut self, stream: TcpStream, ws: Connection) {
        let Ok(peer) = stream.peer_addr() else { return };
        let _ = stream.set_nodelay(true);
        let (output, born) = (Vec::with_capacity(LEN), Instant::now());
        let (sending, receiving, ended, over) = (false, false, false, false);
        let client = Client { peer, stream, ws, born, output, sending, receiving, ended, over };
        let key = self.clients.insert(client);
        self.turn(key, &mut []);
    }

    /// The kernel has received something or sent something.
    fn done(&mut self, key: usize, kind: u64, result: i32, flags: u32) {
        let client = &mut self.clients[key];
        if kind == SEND {
            client.sending = false;
            match usize::try_from(result) {
                Ok(n) => client.ws.consume_output(n),
                Err(_) => client.ws.write_lost(), // read on: the peer may have said why
            }
            return self.turn(key, &mut []);
        }
        client.receiving = cqueue::more(flags);
        match (cqueue::buffer_select(flags), -result) {
            (Some(buffer), _) => {
                let read = std::mem::take(&mut self.buffers);
                let start = usize::from(buffer) * LEN;
                self.turn(key, &mut read[start..start + result as usize]);
                self.buffers = read;
                self.provide(buffer.into(), 1);
            }
            // Receiving was stopped, or all buffers were full: it begins again when it can.
            (None, libc::ECANCELED | libc::ENOBUFS) => self.turn(key, &mut []),
            (None, error) => {
                client.ended = true;
                if error == 0 {
                    client.ws.receive_eof()
                } else {
                    client.ws.transport_lost()
                }
                self.turn(key, &mut []);
            }
        }
    }

    /// The turn of every driver: deliver, ask, begin what can be begun.
    fn turn(&mut self, key: usize, mut input: &mut [u8]) {
        let client = &mut self.clients[key];
        let ws = &mut client.ws;
        ws.advance_time(client.born.elapsed());
        let full = loop {
            if matches!(ws.can_send(), Err(SendError::Full { .. })) {
                ws.keep_input(&mut input);
                break true;
            }
            let Some(event) = ws.receive(&mut input) else { break false };
            handle(ws, &client.peer, event).unwrap_or_else(|error| log(client.peer, error));
        };
        match ws.transport() {
            _ if client.over || !ws.output().is_empty() => {}
            // What is received now ends by it.
            Transport::Close => (client.over, _) = (true, client.stream.shutdown(Shutdown::Both)),
            Transport::ShutdownWrite => drop(client.stream.shutdown(Shutdown::Write)),
            _ => {}
        }
        if client.over && !client.sending && !client.receiving {
            self.clients.remove(key);
            return;
        }
        let fd = Fd(client.stream.as_raw_fd());
        let receives = !full && !client.ended && !client.over;
        let starts = receives && !client.receiving;
        let stops = full && client.receiving; // until the peer has read
        client.receiving |= starts;
        if !client.sending && !client.ws.output().is_empty() {
            client.sending = true;
            client.output.clear();
            let most = client.ws.output().len().min(LEN);
            client.output.extend_from_slice(&client.ws.output()[..most]);
            let (start, len) = (client.output.as_ptr(), client.output.len() as u32);
            self.ask(opcode::Send::new(fd, start, len).build(), key, SEND);
        }
        if starts {
            self.ask(opcode::RecvMulti::new(fd, 0).build(), key, RECEIVE);
        }
        if stops {
            self.ask(opcode::AsyncCancel::new((key as u64) << 2 | RECEIVE).build(), 0, OTHER);
        }
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
