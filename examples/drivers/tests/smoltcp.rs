//! `Server` of `over_smoltcp` and a client of ours on one stack, with the time as an input.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by a panic")]

#[path = "../over_smoltcp.rs"]
#[allow(dead_code, reason = "its main has no test here")]
mod over_smoltcp;

use std::time::Duration;

use over_smoltcp::Server;
use sansocket::config::Timeouts;
use sansocket::{
    ClientConfig, ClientRequest, Connection, Event, Message, OriginPolicy, ServerConfig, Transport, Uri,
};
use smoltcp::iface::{Config, Interface, SocketHandle, SocketSet};
use smoltcp::phy::{Loopback, Medium};
use smoltcp::socket::tcp::{Socket, SocketBuffer};
use smoltcp::time::Instant;
use smoltcp::wire::{HardwareAddress, IpAddress, IpCidr};

const PATIENCE: Duration = Duration::from_secs(30);
const STEP: Duration = Duration::from_millis(10);

struct World {
    device: Loopback,
    network: Interface,
    sockets: SocketSet<'static>,
    server: Server,
    now: Duration,
}

struct Client {
    socket: SocketHandle,
    ws: Connection,
    came: Vec<Message<'static>>,
    report: Option<String>,
    reads: bool,
}

impl World {
    fn new(places: usize) -> Self {
        let mut device = Loopback::new(Medium::Ip);
        let mut network = Interface::new(Config::new(HardwareAddress::Ip), &mut device, Instant::ZERO);
        let home = IpCidr::new(IpAddress::v4(127, 0, 0, 1), 8);
        network.update_ip_addrs(|list| list.push(home).unwrap());
        let mut timeouts = Timeouts::default();
        timeouts.handshake = PATIENCE;
        (timeouts.ping, timeouts.pong) = (Some(PATIENCE), Some(PATIENCE));
        let config = ServerConfig::new(OriginPolicy::SameHost).timeouts(timeouts);
        let mut sockets = SocketSet::new(Vec::new());
        let mut server = Server::new(&mut sockets, 9001, config, places);
        server.poll(&mut sockets, Duration::ZERO);
        Self { device, network, sockets, server, now: Duration::ZERO }
    }

    fn connect(&mut self) -> Client {
        let buffer = || SocketBuffer::new(vec![0; 4096]);
        let socket = self.sockets.add(Socket::new(buffer(), buffer()));
        let port = 50_000 + (self.now.as_millis() % 10_000) as u16;
        let server = (IpAddress::v4(127, 0, 0, 1), 9001);
        let context = self.network.context();
        self.sockets.get_mut::<Socket<'_>>(socket).connect(context, server, port).unwrap();
        let request = ClientRequest::new(Uri::parse("ws://127.0.0.1:9001/ws").unwrap());
        let ws = Connection::client(&ClientConfig::new(), request).unwrap();
        Client { socket, ws, came: Vec::new(), report: None, reads: true }
    }

    fn step(&mut self, clients: &mut [&mut Client]) {
        self.now += STEP;
        let time = Instant::from_micros(self.now.as_micros() as i64);
        self.network.poll(time, &mut self.device, &mut self.sockets);
        self.server.poll(&mut self.sockets, self.now);
        for client in clients {
            client.turn(&mut self.sockets, self.now);
        }
        self.network.poll(time, &mut self.device, &mut self.sockets);
    }

    /// Goes on until it holds, for a minute and a half of this world.
    fn until(&mut self, clients: &mut [&mut Client], what: &str, holds: impl Fn(&mut [&mut Client]) -> bool) {
        let began = self.now;
        while !holds(clients) {
            assert!(self.now - began < 3 * PATIENCE, "it never came: {what}");
            self.step(clients);
        }
    }

    fn open(&mut self) -> Client {
        let mut client = self.connect();
        self.until(&mut [&mut client], "open", |clients| clients[0].ws.can_send().is_ok());
        client
    }
}

impl Client {
    fn turn(&mut self, sockets: &mut SocketSet<'_>, now: Duration) {
        let socket = sockets.get_mut::<Socket<'_>>(self.socket);
        self.ws.advance_time(now);
        if !socket.is_active() {
            self.ws.transport_lost();
        }
        let mut buf = vec![0; 4096];
        let n = if self.reads && socket.can_recv() { socket.recv_slice(&mut buf).unwrap() } else { 0 };
        let mut input = &mut buf[..n];
        while let Some(event) = self.ws.receive(&mut input) {
            match event {
                Event::Message(message) => self.came.push(message.into_owned()),
                Event::Closed(report) => self.report = Some(report.to_string()),
                _ => {}
            }
        }
        if socket.can_send() && !self.ws.output().is_empty() {
            let n = socket.send_slice(self.ws.output()).unwrap();
            self.ws.consume_output(n);
        }
        if self.ws.output().is_empty() && self.ws.transport() == Transport::Close {
            socket.close();
        }
    }

    fn over(&self) -> bool {
        self.report.is_some()
    }
}

#[test]
fn messages_come_back_through_small_windows() {
    let mut world = World::new(2);
    let (mut a, mut b) = (world.open(), world.open());
    let long: String = ('a'..='z').cycle().take(300_000).collect();
    a.ws.send(&*long).unwrap();
    b.ws.send("Hello").unwrap();
    world.until(&mut [&mut a, &mut b], "both echoes", |clients| clients.iter().all(|it| it.came.len() == 1));
    assert!(a.came[0] == *long);
    assert!(b.came[0] == *"Hello");
    a.ws.close(None, "").unwrap();
    world.until(&mut [&mut a, &mut b], "the end of one", |clients| clients[0].over());
    assert_eq!(a.report.unwrap(), "closed cleanly, code 1005, begun by this end");
    b.ws.send("still there").unwrap();
    world.until(&mut [&mut b], "an echo", |clients| clients[0].came.len() == 2);
}

/// The place of one that has gone is for the next one.
#[test]
fn as_many_as_it_serves() {
    let mut world = World::new(1);
    for _ in 0..3 {
        let mut client = world.open();
        let mut late = world.connect();
        world.until(&mut [&mut client, &mut late], "a reset", |clients| clients[1].over());
        client.ws.send("Hello").unwrap();
        world.until(&mut [&mut client], "an echo", |clients| clients[0].came.len() == 1);
        client.ws.close(None, "").unwrap();
        world.until(&mut [&mut client], "its end", |clients| clients[0].over());
        for _ in 0..20 {
            world.step(&mut [&mut client]);
        }
    }
}

#[test]
fn peers_that_never_read_or_never_ask() {
    let mut world = World::new(2);
    let mut greedy = world.open();
    greedy.reads = false;
    for _ in 0..50 {
        greedy.ws.send(vec![0; 20_000]).unwrap();
    }
    // It has TCP, and says nothing.
    let silent = world.connect();
    let idle = |world: &World| {
        let states = world.sockets.iter().filter(
            |(_, socket)| matches!(socket, smoltcp::socket::Socket::Tcp(socket) if socket.is_listening()),
        );
        states.count() == 2
    };
    let began = world.now;
    while !idle(&world) {
        assert!(world.now - began < 4 * PATIENCE, "they are still there");
        world.step(&mut [&mut greedy]);
    }
    assert!(world.now - began >= PATIENCE);
    drop(silent);
    let mut next = world.open();
    next.ws.send("Hello").unwrap();
    world.until(&mut [&mut next], "an echo", |clients| clients[0].came.len() == 1);
}

#[test]
fn stopped() {
    let mut world = World::new(3);
    let (mut a, mut b) = (world.open(), world.open());
    world.server.stop(&mut world.sockets, world.now);
    world.until(&mut [&mut a, &mut b], "both ends", |clients| clients.iter().all(|it| it.over()));
    for client in [&a, &b] {
        let report = client.report.as_deref().unwrap();
        assert!(report.starts_with("closed cleanly, code 1001, begun by the peer"), "{report}");
    }
    let began = world.now;
    while !world.server.has_stopped(&world.sockets) {
        assert!(world.now - began < PATIENCE);
        world.step(&mut [&mut a, &mut b]);
    }
}
