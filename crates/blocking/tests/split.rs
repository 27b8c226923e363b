//! A connection in two halves, each in a thread of its own.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by a panic")]

#[cfg(feature = "rustls")]
mod certificates;

use std::io::Read;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread::{JoinHandle, spawn};
use std::time::{Duration, Instant};

use sansocket_blocking::sansocket::Side;
use sansocket_blocking::sansocket::config::Timeouts;
use sansocket_blocking::{
    Accept, ClientConfig, CloseCode, Connector, Incoming, OriginPolicy, ServerConfig, Stream,
    WebSocket,
};

fn echo<S: Stream>(incoming: Incoming<S>) {
    let mut ws = incoming.accept(Accept::new()).unwrap();
    while let Some(Ok(message)) = ws.recv() {
        if ws.send(message).is_err() {
            break;
        }
    }
}

fn serve(
    handle: impl FnOnce(Incoming<TcpStream>) + Send + 'static,
) -> (SocketAddr, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let server = spawn(move || {
        let (socket, _) = listener.accept().unwrap();
        let config = ServerConfig::new(OriginPolicy::SameHost);
        handle(WebSocket::server(socket, &config).unwrap());
    });
    (address, server)
}

fn connector() -> Connector {
    Connector::new().no_proxy()
}

#[test]
fn one_receives_and_two_send() {
    let (address, server) = serve(echo);
    let ws = connector().connect(&format!("ws://{address}/")).unwrap();
    let (mut receiver, sender) = ws.split().unwrap();
    let senders = [0_u8, 1].map(|number| {
        let sender = sender.clone();
        spawn(move || {
            for len in 0..500 {
                sender.send(&vec![number; len][..]).unwrap();
            }
        })
    });
    let mut next = [0, 0];
    while next != [500, 500] {
        let message = receiver.recv().unwrap().unwrap();
        let bytes = message.as_bytes();
        // Those of no bytes do not say whose they are.
        if let Some(&number) = bytes.first() {
            let next = &mut next[usize::from(number)];
            assert_eq!(bytes.len(), (*next).max(1), "in order");
            *next = bytes.len() + 1;
        }
    }
    for sender in senders {
        sender.join().unwrap();
    }
    sender.ping(b"mark").unwrap();
    sender.close(CloseCode::GOING_AWAY, "bye").unwrap();
    assert!(receiver.next().is_none());
    let report = receiver.report().unwrap();
    assert!(report.clean && report.began == Some(Side::Us));
    assert_eq!(sender.report(), Some(report));
    assert!(sender.send("late").is_err());
    server.join().unwrap();
}

/// Both ends send more than the sockets take before either receives all of it.
#[test]
fn both_ends_send_at_once() {
    const COUNT: usize = 20;
    fn both<S: sansocket_blocking::OverTcp + Send + 'static>(ws: WebSocket<S>) -> bool {
        let (receiver, sender) = ws.split().unwrap();
        let sending = spawn(move || {
            let message = vec![7; 1_000_000];
            for _ in 0..COUNT / 2 {
                sender.send(&message[..]).unwrap();
                sender.send(message.clone()).unwrap();
            }
            sender
        });
        let mut receiver = receiver;
        for _ in 0..COUNT {
            assert_eq!(
                receiver.recv().unwrap().unwrap().as_bytes().len(),
                1_000_000
            );
        }
        let sender = sending.join().unwrap();
        // Whoever comes second finds it closing.
        let _ = sender.close(CloseCode::NORMAL_CLOSURE, "");
        assert!(receiver.recv().is_none());
        receiver.report().unwrap().clean
    }
    let (address, server) = serve(|incoming| {
        assert!(both(incoming.accept(Accept::new()).unwrap()));
    });
    let ws = connector().connect(&format!("ws://{address}/")).unwrap();
    assert!(both(ws));
    server.join().unwrap();
}

/// The receiver finds the deadline that closing has brought, although nothing comes.
#[test]
fn a_peer_that_says_no_more() {
    let (address, server) = serve(|incoming| {
        let ws = incoming.accept(Accept::new()).unwrap();
        let mut socket = ws.get_ref().try_clone().unwrap();
        let mut read = Vec::new();
        let _ = socket.read_to_end(&mut read);
    });
    let mut timeouts = Timeouts::default();
    timeouts.close = Duration::from_millis(100);
    let config = ClientConfig::new().timeouts(timeouts);
    let connector = connector().config(config);
    let ws = connector.connect(&format!("ws://{address}/")).unwrap();
    let (mut receiver, sender) = ws.split().unwrap();
    let receiving = spawn(move || {
        let error = receiver.recv().unwrap().unwrap_err();
        assert!(!error.report().unwrap().clean);
        assert!(receiver.recv().is_none());
    });
    let start = Instant::now();
    sender.close(None, "").unwrap();
    receiving.join().unwrap();
    assert!(start.elapsed() < Duration::from_secs(10));
    drop(sender);
    server.join().unwrap();
}

/// A peer that is gone is an error, once, with what the socket said.
#[test]
fn a_peer_that_is_gone() {
    let (address, server) = serve(|incoming| drop(incoming.accept(Accept::new())));
    let ws = connector().connect(&format!("ws://{address}/")).unwrap();
    let (mut receiver, _sender) = ws.split().unwrap();
    let error = receiver.recv().unwrap().unwrap_err();
    assert_eq!(error.report().unwrap().code, 1006);
    assert!(receiver.recv().is_none());
    server.join().unwrap();
}

#[cfg(feature = "rustls")]
#[test]
fn with_tls() {
    use sansocket_blocking::rustls;
    use std::sync::Arc;

    let (certificate, server) = certificates::certificate();
    let client = certificates::client(&[certificate]);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let server = spawn(move || {
        let (socket, _) = listener.accept().unwrap();
        let tls = rustls::ServerConnection::new(Arc::new(server)).unwrap();
        let stream = rustls::StreamOwned::new(tls, socket);
        let config = ServerConfig::new(OriginPolicy::SameHost);
        echo(WebSocket::server(stream, &config).unwrap());
    });
    let connector = connector().tls(client);
    let ws = connector
        .connect(&format!("wss://localhost:{port}/"))
        .unwrap();
    let (mut receiver, sender) = ws.split().unwrap();
    let sending = spawn(move || {
        for len in [5, 40_000, 1_000_000] {
            sender.send(&vec![7; len][..]).unwrap();
        }
        sender
    });
    for len in [5, 40_000, 1_000_000] {
        let message = receiver.recv().unwrap().unwrap();
        assert_eq!(message.as_bytes(), vec![7; len]);
    }
    let sender = sending.join().unwrap();
    sender.close(CloseCode::NORMAL_CLOSURE, "").unwrap();
    assert!(receiver.recv().is_none());
    assert!(receiver.report().unwrap().clean);
    server.join().unwrap();
}
