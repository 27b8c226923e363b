//! smoltcp, a TCP of one's own: `Server` is what runs without an operating system too, `main` gives it a TUN device
//! of Linux in the place of a network card.
//!
//! `cargo run -p drivers --bin over_smoltcp [TUN [ADDR [SECONDS [CONNECTIONS]]]]`, as root, and once it runs
//! `ip addr add 192.168.69.1/24 dev tun0; ip link set tun0 up`; <http://192.168.69.2:9001/>.
//! A peer may take 30 s (SECONDS) for its request and to answer a ping; 64 (CONNECTIONS) are served at once, and
//! others are reset; SIGTERM tells each of them 1001.

use std::net::SocketAddrV4;
use std::os::fd::AsRawFd;
use std::sync::{Arc, atomic::AtomicBool, atomic::Ordering};
use std::{env, error::Error, fmt::Display, io, io::Write as _, time::Duration, time::Instant};

use sansocket::config::{Limits, Timeouts};
use sansocket::error::{AcceptError, SendError};
use sansocket::{Accept, CloseCode, Connection, Event, OriginPolicy, ServerConfig, Transport};
use sansocket::{Response, extension::PermessageDeflate};
use signal_hook::{consts::SIGTERM, flag};
use smoltcp::iface::{Config, Interface, SocketHandle, SocketSet};
use smoltcp::phy::{self, Medium, TunTapInterface};
use smoltcp::socket::tcp::{Socket, SocketBuffer};
use smoltcp::wire::{HardwareAddress, IpCidr};

const PAGE: &str = include_str!("../page/index.html");
/// How long the peer may take to end TCP.
const END: Duration = Duration::from_secs(5);

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = env::args().skip(1);
    let mut device = TunTapInterface::new(args.next().as_deref().unwrap_or("tun0"), Medium::Ip)?;
    let address = args.next().unwrap_or_else(|| "192.168.69.2:9001".into()).parse::<SocketAddrV4>()?;
    let patience = Duration::from_secs(args.next().map_or(Ok(30), |seconds| seconds.parse())?);
    let places = args.next().map_or(Ok(64), |number| number.parse())?;
    let stop = Arc::new(AtomicBool::new(false));
    flag::register(SIGTERM, stop.clone())?;
    let mut network =
        Interface::new(Config::new(HardwareAddress::Ip), &mut device, smoltcp::time::Instant::ZERO);
    network.update_ip_addrs(|list| _ = list.push(IpCidr::new((*address.ip()).into(), 24)));

    let (mut limits, mut timeouts) = (Limits::server(), Timeouts::default());
    (limits.frame, limits.message) = (64 << 20, 64 << 20);
    timeouts.handshake = patience;
    (timeouts.ping, timeouts.pong) = (Some(patience), Some(patience));
    let config = ServerConfig::new(OriginPolicy::SameHost).limits(limits).timeouts(timeouts);
    let config = config.deflate(PermessageDeflate::server()).serve_http();
    let mut sockets = SocketSet::new(Vec::new());
    let mut server = Server::new(&mut sockets, address.port(), config, places);
    println!("echo server: http://{address}/ (WebSocket at /ws)");
    let (born, mut stop_by) = (Instant::now(), Duration::MAX);
    while born.elapsed() < stop_by && !server.has_stopped(&sockets) {
        let now = born.elapsed();
        let time = smoltcp::time::Instant::from_micros(now.as_micros() as i64);
        if stop.load(Ordering::Relaxed) && stop_by == Duration::MAX {
            stop_by = now + 2 * END; // who does not answer is left behind
            server.stop(&mut sockets, now);
        }
        network.poll(time, &mut device, &mut sockets);
        let deadline = server.poll(&mut sockets, now);
        network.poll(time, &mut device, &mut sockets);
        let wait = deadline.saturating_sub(now).min(Duration::from_millis(200)); // there may be a signal
        let wait = network.poll_delay(time, &sockets).map_or(wait, |delay| wait.min(delay.into()));
        if let Err(error) = phy::wait(device.as_raw_fd(), Some(wait.into()))
            && error.kind() != io::ErrorKind::Interrupted
        {
            return Err(error.into());
        }
    }
    Ok(())
}

/// As many sockets as are served at once, as there is no queue of those that wait.
pub struct Server {
    port: u16,
    config: ServerConfig,
    places: Vec<Place>,
    stopping: bool,
}

struct Place {
    socket: SocketHandle,
    /// While its peer is there.
    ws: Option<Connection>,
    ended: bool,
    /// By when TCP is over.
    end: Duration,
}

impl Server {
    pub fn new(sockets: &mut SocketSet<'_>, port: u16, config: ServerConfig, places: usize) -> Self {
        let buffer = || SocketBuffer::new(vec![0; 16 << 10]);
        let mut place = || {
            let mut socket = Socket::new(buffer(), buffer());
            socket.set_nagle_enabled(false);
            Place { socket: sockets.add(socket), ws: None, ended: false, end: Duration::ZERO }
        };
        Self { port, config, places: (0..places).map(|_| place()).collect(), stopping: false }
    }

    /// The turns of all, after the stack's own: by when the next one is due.
    pub fn poll(&mut self, sockets: &mut SocketSet<'_>, now: Duration) -> Duration {
        let Self { port, config, places, stopping } = self;
        let turns = places.iter_mut().map(|place| {
            let socket = sockets.get_mut::<Socket<'_>>(place.socket);
            if place.ws.is_none() && socket.may_send() {
                (place.ws, place.ended) = (Some(Connection::server(config)), false);
            }
            if place.ws.as_mut().is_some_and(|ws| turn(ws, socket, &mut place.ended, now)) {
                (place.ws, place.end) = (None, now + END);
                socket.close();
            }
            if let Some(ws) = &place.ws {
                return ws.next_deadline().unwrap_or(Duration::MAX);
            } else if socket.is_active() && place.end <= now {
                socket.abort();
            } else if !socket.is_open() && !*stopping && socket.listen(*port).is_ok() {
                place.end = Duration::MAX;
            }
            place.end
        });
        turns.min().unwrap_or(Duration::MAX)
    }

    /// Each is told Close, and nobody else comes.
    pub fn stop(&mut self, sockets: &mut SocketSet<'_>, now: Duration) {
        self.stopping = true;
        for place in &mut self.places {
            let socket = sockets.get_mut::<Socket<'_>>(place.socket);
            if let Some(ws) = &mut place.ws {
                let _ = ws.close(CloseCode::GOING_AWAY, "the server stops");
            } else if socket.is_listening() {
                socket.close();
            }
        }
        self.poll(sockets, now);
    }

    /// All have gone after `stop`.
    pub fn has_stopped(&self, sockets: &SocketSet<'_>) -> bool {
        let gone = |place: &Place| !sockets.get::<Socket<'_>>(place.socket).is_active();
        self.stopping && self.places.iter().all(gone)
    }
}

/// The turn of every driver: deliver, write, ask. Whether it is over.
fn turn(ws: &mut Connection, socket: &mut Socket<'_>, ended: &mut bool, now: Duration) -> bool {
    ws.advance_time(now);
    if !*ended && !socket.may_recv() {
        *ended = true;
        if socket.is_active() { ws.receive_eof() } else { ws.transport_lost() }
    }
    loop {
        deliver(ws, socket);
        match socket.send_slice(ws.output()) {
            _ if ws.output().is_empty() => break,
            Ok(0) => break, // until the peer has read
            Ok(n) => ws.consume_output(n),
            Err(_) => ws.write_lost(),
        }
    }
    match ws.transport() {
        _ if !ws.output().is_empty() => false,
        Transport::ShutdownWrite => {
            socket.close(); // doing it again does nothing
            false
        }
        asks => asks == Transport::Close,
    }
}

/// All events for which there is room, from where the stack has put what it received.
fn deliver(ws: &mut Connection, socket: &mut Socket<'_>) {
    let peer = socket.remote_endpoint().map_or_else(String::new, |peer| peer.to_string());
    let mut events = |mut input: &mut [u8]| {
        let len = input.len();
        while !matches!(ws.can_send(), Err(SendError::Full { .. })) {
            let Some(event) = ws.receive(&mut input) else { return (len, true) };
            handle(ws, event, &peer).unwrap_or_else(|error| log(&peer, error));
        }
        (len - input.len(), false)
    };
    // What is there without input comes first.
    let mut more = events(&mut []).1;
    while more && socket.can_recv() {
        more = socket.recv(&mut events).unwrap_or(false);
    }
}

fn handle(ws: &mut Connection, event: Event<'_>, peer: impl Display) -> Result<(), AcceptError> {
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
