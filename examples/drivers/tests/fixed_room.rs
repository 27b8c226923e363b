//! Two endpoints in fixed room over smoltcp, which is what a device without an operating system has: one stack,
//! whose buffers are small, with the time as an input.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by a panic")]

use std::time::Duration;

use sansocket::entropy::Entropy;
use sansocket::error::{NoEntropy, SendError};
use sansocket::fixed::{Admitted, Ask, Endpoint, Incoming, Options, Room};
use sansocket::{CloseCode, Transport};
use smoltcp::iface::{Config, Interface, SocketHandle, SocketSet, SocketStorage};
use smoltcp::phy::{Loopback, Medium};
use smoltcp::socket::tcp::{Socket, SocketBuffer};
use smoltcp::time::Instant;
use smoltcp::wire::{HardwareAddress, IpAddress, IpCidr};

struct Generator(u32);

impl Entropy for Generator {
    fn fill(&mut self, out: &mut [u8]) -> Result<(), NoEntropy> {
        for byte in out {
            self.0 = self.0.wrapping_mul(1_103_515_245).wrapping_add(12_345);
            *byte = self.0.to_be_bytes()[0];
        }
        Ok(())
    }
}

/// What the application does with what came.
type Handle<'h> = &'h mut dyn FnMut(&mut Endpoint<'_>, Incoming<'_>);

/// Takes what has come out of the stack's own buffer, and puts what is to go into it. Whether it is over.
fn turn(
    ws: &mut Endpoint<'_>,
    room: &mut Room<'_>,
    socket: &mut Socket<'_>,
    now: Duration,
    handle: Handle<'_>,
) -> bool {
    ws.advance_time(now);
    if !socket.may_recv() && !socket.can_recv() {
        ws.receive_eof();
    }
    while ws.receive(&mut &mut [][..], room).is_some() {}
    while socket.can_recv() {
        let taken = socket.recv(|mut input| {
            let len = input.len();
            while let Some(incoming) = ws.receive(&mut input, room) {
                handle(ws, incoming);
            }
            (len, ())
        });
        taken.unwrap();
    }
    while let Ok(n @ 1..) = socket.send_slice(ws.output()) {
        ws.consume_output(n);
    }
    match ws.transport() {
        Transport::Close => socket.close(),
        Transport::ShutdownWrite if ws.output().is_empty() => socket.close(),
        _ => {}
    }
    ws.transport() == Transport::Close && ws.output().is_empty()
}

/// Messages of all lengths up to what the buffers of a segment take, there and back, and the end in order.
#[test]
fn a_conversation() {
    let mut device = Loopback::new(Medium::Ip);
    let mut network = Interface::new(Config::new(HardwareAddress::Ip), &mut device, Instant::ZERO);
    let home = IpCidr::new(IpAddress::v4(127, 0, 0, 1), 8);
    network.update_ip_addrs(|list| list.push(home).unwrap());
    let mut storage = [SocketStorage::EMPTY, SocketStorage::EMPTY];
    let mut sockets = SocketSet::new(&mut storage[..]);
    let mut buffers = [[0; 1024]; 4];
    let [a, b, c, d] = &mut buffers;
    let mut socket = |rx, tx| sockets.add(Socket::new(SocketBuffer::new(rx), SocketBuffer::new(tx)));
    let (server_socket, client_socket): (SocketHandle, SocketHandle) =
        (socket(&mut a[..], &mut b[..]), socket(&mut c[..], &mut d[..]));
    sockets.get_mut::<Socket<'_>>(server_socket).listen(9001).unwrap();
    let server_at = (IpAddress::v4(127, 0, 0, 1), 9001);
    let context = network.context();
    sockets.get_mut::<Socket<'_>>(client_socket).connect(context, server_at, 50_000).unwrap();

    let (mut room, mut output) = ([0; 1024], [0; 1024]);
    let mut server_room = Room::new(&mut room);
    let mut server = Endpoint::server(Admitted::same_host(), Options::new(), &mut output);
    let (mut room, mut output, mut random) = ([0; 1024], [0; 1024], Generator(7));
    let mut client_room = Room::new(&mut room);
    let ask = Ask::new("127.0.0.1:9001", "/");
    let mut client = Endpoint::client(&ask, Options::new(), &mut random, &mut output).unwrap();

    let message = [b'x'; 700];
    let (mut echoes, mut ends) = (0, Vec::new());
    let (mut serves, mut asks) = (false, false);
    for step in 0..20_000 {
        let now = Duration::from_millis(step);
        network.poll(Instant::from_millis(step as i64), &mut device, &mut sockets);
        let socket = sockets.get_mut::<Socket<'_>>(server_socket);
        serves |= socket.may_send();
        let over = serves
            && turn(&mut server, &mut server_room, socket, now, &mut |ws, incoming| match incoming {
                Incoming::Request(request) => ws.accept(&request, None).unwrap(),
                Incoming::Binary(bytes) => ws.send_binary(bytes).unwrap(),
                _ => {}
            });
        let socket = sockets.get_mut::<Socket<'_>>(client_socket);
        asks |= socket.may_send();
        let left = asks
            && turn(&mut client, &mut client_room, socket, now, &mut |ws, incoming| {
                match incoming {
                    Incoming::Accepted(_) => {}
                    Incoming::Binary(bytes) => {
                        assert_eq!(bytes, &message[..echoes]);
                        echoes += 1;
                    }
                    Incoming::Close { code, .. } => return ends.push(code),
                    Incoming::Closed(_) => return,
                    other => panic!("{other:?}"),
                }
                let sent = match message.get(..echoes) {
                    Some(next) => ws.send_binary(next),
                    None => return ws.close(CloseCode::NORMAL_CLOSURE, "").unwrap(),
                };
                assert!(matches!(sent, Ok(()) | Err(SendError::Full { .. })), "{sent:?}");
            });
        if over && left {
            break;
        }
    }
    assert_eq!(echoes, 701);
    assert_eq!(ends, [Some(CloseCode::NORMAL_CLOSURE)]);
    assert_eq!((server.transport(), client.transport()), (Transport::Close, Transport::Close));
}
