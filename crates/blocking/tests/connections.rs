//! Connections over TCP and TLS, each end in a thread of its own.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by a panic")]

#[cfg(feature = "rustls")]
mod certificates;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread::{JoinHandle, spawn};
use std::time::{Duration, Instant};

use sansocket_blocking::sansocket::Side;
use sansocket_blocking::sansocket::client::backoff::Policy;
use sansocket_blocking::sansocket::client::proxy::ProxyError;
use sansocket_blocking::sansocket::client::socks5::Socks5Error;
use sansocket_blocking::sansocket::config::Timeouts;
use sansocket_blocking::sansocket::error::{AcceptError, Failure, SendError, Timeout};
use sansocket_blocking::{
    Accept, ClientConfig, ClientRequest, CloseCode, Connector, Error, Event, Incoming, Message,
    OriginPolicy, Response, ServerConfig, Stream, Uri, WebSocket,
};

fn listen() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

fn config() -> ServerConfig {
    ServerConfig::new(OriginPolicy::SameHost)
}

/// Serves one connection after the other, so often.
fn serve(
    count: usize,
    config: ServerConfig,
    handle: impl Fn(usize, Incoming<TcpStream>) + Send + 'static,
) -> (SocketAddr, JoinHandle<()>) {
    let (listener, address) = listen();
    let server = spawn(move || {
        for number in 0..count {
            let (socket, _) = listener.accept().unwrap();
            handle(number, WebSocket::server(socket, &config).unwrap());
        }
    });
    (address, server)
}

fn echo<S: Stream>(incoming: Incoming<S>) {
    let mut ws = incoming.accept(Accept::new()).unwrap();
    while let Some(Ok(message)) = ws.recv() {
        if ws.send(message).is_err() {
            break;
        }
    }
}

fn connector() -> Connector {
    Connector::new().no_proxy()
}

#[test]
fn messages_and_an_orderly_end() {
    let (address, server) = serve(1, config(), |_, incoming| {
        let mut ws = incoming.accept(Accept::new()).unwrap();
        for message in ws.messages() {
            let message = message.unwrap();
            if message.as_bytes() == b"last" {
                break;
            }
        }
        ws.send("all").unwrap();
        assert!(ws.recv().is_none());
        let report = ws.report().unwrap();
        assert!(report.clean && report.code == 1001 && report.began == Some(Side::Peer));
    });
    let mut ws = connector().connect(&format!("ws://{address}/")).unwrap();
    assert_eq!(ws.get_ref().tcp().peer_addr().unwrap(), address);
    for len in [0, 125, 126, 65_536, 1_000_000] {
        ws.send(vec![7; len]).unwrap();
    }
    ws.feed("last").unwrap();
    assert!(matches!(ws.recv(), Some(Ok(Message::Text(text))) if &*text == "all"));
    let report = ws.close(CloseCode::GOING_AWAY, "bye").unwrap();
    assert!(report.clean && report.began == Some(Side::Us));
    assert!(ws.recv().is_none());
    let unsent = ws.send(String::from("late")).unwrap_err();
    assert_eq!((unsent.why, &*unsent.message), (SendError::Closing, "late"));
    server.join().unwrap();
}

#[test]
fn echoes() {
    let (address, server) = serve(1, config(), |_, incoming| echo(incoming));
    let mut ws = connector().connect(&format!("ws://{address}/")).unwrap();
    for n in 0..2000 {
        ws.send(n.to_string()).unwrap();
        assert_eq!(
            ws.recv().unwrap().unwrap().as_bytes(),
            n.to_string().as_bytes()
        );
    }
    ws.ping(b"mark").unwrap();
    assert!(matches!(ws.next_event(), Some(Event::Pong(pong)) if &*pong.payload == b"mark"));
    drop(ws);
    server.join().unwrap();
}

#[test]
fn waiting_for_no_longer_than_told() {
    let (address, server) = serve(1, config(), |_, incoming| echo(incoming));
    let mut ws = connector().connect(&format!("ws://{address}/")).unwrap();
    let start = Instant::now();
    assert!(matches!(
        ws.recv_timeout(Duration::from_millis(60)),
        Some(Ok(None))
    ));
    assert!(start.elapsed() >= Duration::from_millis(60));
    ws.send("now").unwrap();
    let message = ws.recv_timeout(Duration::from_secs(20)).unwrap().unwrap();
    assert_eq!(message.unwrap().as_bytes(), b"now");
    assert!(ws.close(None, "").unwrap().clean);
    server.join().unwrap();
}

#[test]
fn requests_that_are_not_accepted() {
    let (address, server) = serve(3, config().serve_http(), |number, incoming| match number {
        0 => incoming.respond(Response::new(403).body("no")).unwrap(),
        1 => {
            let accepted = incoming.accept(Accept::new().subprotocol("none"));
            assert!(matches!(
                accepted,
                Err(Error::Accept(AcceptError::SubprotocolNotOffered))
            ));
        }
        _ => {
            assert!(!incoming.is_upgrade());
            incoming.respond(Response::new(200).body("page")).unwrap();
        }
    });
    for status in [403, 500] {
        let refused = connector().connect(&format!("ws://{address}/"));
        assert!(matches!(refused, Err(Error::Refused(refusal)) if refusal.status == status));
    }
    let mut socket = TcpStream::connect(address).unwrap();
    socket
        .write_all(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
        .unwrap();
    let mut page = String::new();
    socket.read_to_string(&mut page).unwrap();
    assert!(page.ends_with("\r\n\r\npage"), "{page}");
    drop(socket);
    server.join().unwrap();
}

// ── peers that misbehave

fn with(change: impl FnOnce(&mut Timeouts)) -> ServerConfig {
    let mut timeouts = Timeouts::default();
    change(&mut timeouts);
    config().timeouts(timeouts)
}

/// A peer that is there and says nothing: neither pongs nor Close frames.
fn mute(address: SocketAddr) -> TcpStream {
    let mut socket = TcpStream::connect(address).unwrap();
    let head = "GET / HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";
    socket.write_all(head.as_bytes()).unwrap();
    socket
}

#[test]
fn a_dead_peer_is_found() {
    let config = with(|timeouts| {
        timeouts.ping = Some(Duration::from_millis(50));
        timeouts.pong = Some(Duration::from_millis(100));
        timeouts.close = Duration::from_millis(50);
    });
    let (address, server) = serve(1, config, |_, incoming| {
        let mut ws = incoming.accept(Accept::new()).unwrap();
        let error = ws.recv().unwrap().unwrap_err();
        let failure = error.report().unwrap().failure;
        assert_eq!(failure, Some(Failure::Timeout(Timeout::Pong)));
        assert!(ws.recv().is_none());
    });
    let socket = mute(address);
    server.join().unwrap();
    drop(socket);
}

#[test]
fn closing_is_bounded() {
    let config = with(|timeouts| timeouts.close = Duration::from_millis(100));
    let (address, server) = serve(1, config, |_, incoming| {
        let mut ws = incoming.accept(Accept::new()).unwrap();
        // More than the sockets take.
        while ws.connection().output_len() < 500_000 {
            ws.feed(vec![0; 500_000]).unwrap();
        }
        let start = Instant::now();
        assert!(!ws.close(CloseCode::GOING_AWAY, "").unwrap().clean);
        assert!(
            start.elapsed() < Duration::from_secs(10),
            "{:?}",
            start.elapsed()
        );
    });
    let socket = mute(address);
    server.join().unwrap();
    drop(socket);
}

/// A peer that never stops sending cannot keep a connection open that is closing.
#[test]
fn a_flood_does_not_hold_up_the_end() {
    let config = with(|timeouts| timeouts.close = Duration::from_millis(50));
    let (address, server) = serve(1, config, |_, incoming| {
        let mut ws = incoming.accept(Accept::new()).unwrap();
        assert!(!ws.close(None, "").unwrap().clean);
    });
    let mut socket = mute(address);
    let frames = b"\x81\x81\0\0\0\0x".repeat(10_000);
    while socket.write_all(&frames).is_ok() {}
    server.join().unwrap();
}

#[test]
fn an_end_that_is_not_orderly_is_an_error_once() {
    let (address, server) = serve(1, config(), |_, incoming| {
        drop(incoming.accept(Accept::new()))
    });
    let mut ws = connector().connect(&format!("ws://{address}/")).unwrap();
    let error = ws.recv().unwrap().unwrap_err();
    assert_eq!(error.report().unwrap().code, 1006);
    assert!(ws.recv().is_none());
    server.join().unwrap();
}

// ── from a URI

#[test]
fn redirections() {
    let (other, second) = serve(1, config(), |_, incoming| {
        assert_eq!(incoming.request().header("Authorization"), None);
        echo(incoming);
    });
    let (address, first) = serve(1, config(), move |_, incoming| {
        assert_eq!(
            incoming.request().header("Authorization"),
            Some(&b"secret"[..])
        );
        let to = format!("ws://{other}/");
        let response = Response::new(307)
            .header("Location", to.as_bytes())
            .unwrap();
        incoming.respond(response).unwrap();
    });
    let connector = connector()
        .header("Authorization", b"secret")
        .unwrap()
        .redirects(1);
    let mut ws = connector.connect(&format!("ws://{address}/")).unwrap();
    ws.send("Hello").unwrap();
    assert_eq!(ws.recv().unwrap().unwrap().as_bytes(), b"Hello");
    assert!(ws.close(None, "").unwrap().clean);
    first.join().unwrap();
    second.join().unwrap();
}

/// RFC 9110 §11.6, RFC 7617: told a server that asks for them, and once.
#[test]
fn credentials() {
    let (address, server) = serve(4, config(), |number, incoming| {
        let told = incoming.request().header("Authorization");
        assert_eq!(told.is_some(), number % 2 == 1);
        if told == Some(b"Basic dXNlcjpwYXNz") {
            return echo(incoming);
        }
        let response = Response::new(401);
        let response = response.header("WWW-Authenticate", b"Basic realm=\"r\"");
        incoming.respond(response.unwrap()).unwrap();
    });
    let uri = format!("ws://{address}/");
    let connector = |password| connector().credentials("user", password).unwrap();
    let mut ws = connector("pass").connect(&uri).unwrap();
    assert!(ws.close(None, "").unwrap().clean);
    let error = connector("none").connect(&uri).unwrap_err();
    assert!(matches!(error, Error::Refused(refusal) if refusal.status == 401));
    server.join().unwrap();
}

/// What is read and written here goes there.
fn relay(mut client: TcpStream, address: SocketAddr) {
    let mut server = TcpStream::connect(address).unwrap();
    let (mut from_client, mut to_server) =
        (client.try_clone().unwrap(), server.try_clone().unwrap());
    let up = spawn(move || {
        let _ = std::io::copy(&mut from_client, &mut to_server);
        let _ = to_server.shutdown(std::net::Shutdown::Write);
    });
    let _ = std::io::copy(&mut server, &mut client);
    let _ = client.shutdown(std::net::Shutdown::Write);
    up.join().unwrap();
}

/// A proxy that reads so much before each of its answers: until it has that, at least.
fn proxy(
    address: SocketAddr,
    answers: Vec<(Vec<u8>, &'static [u8])>,
) -> (SocketAddr, JoinHandle<()>) {
    let (listener, proxy_address) = listen();
    let proxy = spawn(move || {
        let (mut client, _) = listener.accept().unwrap();
        for (wanted, answer) in answers {
            let mut read = vec![0; wanted.len()];
            client.read_exact(&mut read).unwrap();
            assert_eq!(read, wanted);
            client.write_all(answer).unwrap();
        }
        relay(client, address);
    });
    (proxy_address, proxy)
}

#[test]
fn proxies() {
    let reply = b"\x05\0\0\x01\0\0\0\0\0\0";
    for scheme in ["", "socks5://"] {
        let (address, server) = serve(1, config(), |_, incoming| echo(incoming));
        let [high, low] = address.port().to_be_bytes();
        let answers: Vec<(Vec<u8>, &[u8])> = match scheme {
            "" => vec![(
                format!("CONNECT {address} HTTP/1.1\r\nHost: {address}\r\n\r\n").into(),
                b"HTTP/1.1 200 OK\r\n\r\n",
            )],
            _ => vec![
                (vec![5, 1, 0], &[5, 0]),
                (vec![5, 1, 0, 1, 127, 0, 0, 1, high, low], reply),
            ],
        };
        let (proxy_address, proxy) = proxy(address, answers);
        let proxied = format!("{scheme}{proxy_address}").parse().unwrap();
        let connector = Connector::new().proxy(proxied);
        let mut ws = connector.connect(&format!("ws://{address}/")).unwrap();
        ws.send("through").unwrap();
        assert_eq!(ws.recv().unwrap().unwrap().as_bytes(), b"through");
        assert!(ws.close(None, "").unwrap().clean);
        drop(ws);
        proxy.join().unwrap();
        server.join().unwrap();
    }
}

#[test]
fn a_proxy_that_refuses() {
    for (scheme, wanted, answer) in [
        (
            "http",
            33,
            &b"HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n"[..],
        ),
        ("socks5", 3, b"\x05\xff"),
    ] {
        let (listener, address) = listen();
        let proxy = spawn(move || {
            let (mut client, _) = listener.accept().unwrap();
            client.read_exact(&mut vec![0; wanted]).unwrap();
            client.write_all(answer).unwrap();
            let _ = client.read_to_end(&mut Vec::new());
        });
        let connector = Connector::new().proxy(format!("{scheme}://{address}").parse().unwrap());
        match (scheme, connector.connect("ws://h/").unwrap_err()) {
            ("http", Error::Proxy(ProxyError::Refused(refusal))) => assert_eq!(refusal.status, 403),
            ("socks5", Error::Proxy(ProxyError::Socks5(error))) => {
                assert_eq!(error, Socks5Error::NoMethod);
            }
            (_, error) => panic!("{error:?}"),
        }
        proxy.join().unwrap();
    }
}

/// What needs TLS says so where TLS is not built in.
#[cfg(not(feature = "rustls"))]
#[test]
fn without_tls() {
    let (listener, address) = listen();
    let through = Connector::new().proxy(format!("https://{address}").parse().unwrap());
    for (connector, uri) in [
        (through, "ws://h/".into()),
        (connector(), format!("wss://{address}/")),
    ] {
        let error = connector.connect(&uri).unwrap_err();
        let Error::Tls(io) = &error else {
            panic!("{error:?}")
        };
        assert_eq!(io.kind(), std::io::ErrorKind::Unsupported);
        assert!(error.to_string().contains("feature `rustls`"), "{error}");
    }
    drop(listener);
}

#[test]
fn sessions() {
    let (address, server) = serve(4, config(), |number, incoming| {
        if number == 1 {
            return incoming.respond(Response::new(503)).unwrap();
        }
        let mut ws = incoming.accept(Accept::new()).unwrap();
        ws.send(number.to_string()).unwrap();
        match number {
            0 => drop(ws.close(CloseCode::SERVICE_RESTART, "").unwrap()),
            2 => drop(ws), // gone, without a word
            _ => drop(ws.close(CloseCode::NORMAL_CLOSURE, "").unwrap()),
        }
    });
    let mut policy = Policy::default();
    policy.first = Duration::from_millis(20);
    let mut heard = Vec::new();
    for ws in connector()
        .backoff(policy)
        .sessions(&format!("ws://{address}/"))
        .unwrap()
    {
        for message in ws.unwrap().messages().flatten() {
            heard.push(String::from_utf8(message.as_bytes().to_vec()).unwrap());
        }
    }
    assert_eq!(heard, ["0", "2", "3"]);
    server.join().unwrap();
}

/// A request of one's own over a socket of one's own.
#[test]
fn without_a_connector() {
    let (address, server) = serve(1, config(), |_, incoming| {
        assert_eq!(incoming.request().path(), "/own");
        assert_eq!(incoming.request().subprotocols().next(), Some("v1"));
        let ws = incoming.accept(Accept::new().subprotocol("v1")).unwrap();
        assert_eq!(ws.connection().subprotocol(), Some("v1"));
    });
    let uri = Uri::parse(&format!("ws://{address}/own")).unwrap();
    let request = ClientRequest::new(uri).subprotocol("v1").unwrap();
    let socket = TcpStream::connect(address).unwrap();
    let ws = WebSocket::client(socket, &ClientConfig::new(), request).unwrap();
    assert_eq!(ws.connection().subprotocol(), Some("v1"));
    server.join().unwrap();
}

#[cfg(feature = "rustls")]
mod tls {
    use std::sync::Arc;

    use sansocket_blocking::rustls;

    use super::certificates::{certificate, client};
    use super::*;

    #[test]
    fn with_tls() {
        let (certificate, server) = certificate();
        let (listener, address) = listen();
        let server = spawn(move || {
            let tls = || rustls::ServerConnection::new(Arc::new(server.clone())).unwrap();
            let (socket, _) = listener.accept().unwrap();
            let stream = rustls::StreamOwned::new(tls(), socket);
            echo(WebSocket::server(stream, &config()).unwrap());
            // The second one does not trust us.
            let (socket, _) = listener.accept().unwrap();
            let stream = rustls::StreamOwned::new(tls(), socket);
            assert!(WebSocket::server(stream, &config()).is_err());
        });
        let uri = format!("wss://localhost:{}/", address.port());
        let mut ws = connector()
            .tls(client(&[certificate]))
            .connect(&uri)
            .unwrap();
        for len in [5, 200_000] {
            ws.send(vec![7; len]).unwrap();
            assert_eq!(ws.recv().unwrap().unwrap().as_bytes(), vec![7; len]);
        }
        assert!(ws.close(None, "").unwrap().clean);
        let error = connector().tls(client(&[])).connect(&uri).unwrap_err();
        assert!(matches!(error, Error::Tls(_)), "{error:?}");
        server.join().unwrap();
    }

    /// TLS to the proxy, and inside it TLS to the server.
    #[test]
    fn through_a_proxy_with_tls() {
        let (certificate, server_config) = certificate();
        let (listener, address) = listen();
        let shown = server_config.clone();
        let server = spawn(move || {
            let (socket, _) = listener.accept().unwrap();
            let tls = rustls::ServerConnection::new(Arc::new(shown)).unwrap();
            echo(WebSocket::server(rustls::StreamOwned::new(tls, socket), &config()).unwrap());
        });
        let (listener, proxy_address) = listen();
        let proxy = spawn(move || {
            let (socket, _) = listener.accept().unwrap();
            let tls = rustls::ServerConnection::new(Arc::new(server_config)).unwrap();
            let mut client = rustls::StreamOwned::new(tls, socket);
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                let mut byte = [0];
                client.read_exact(&mut byte).unwrap();
                head.push(byte[0]);
            }
            assert!(head.starts_with(b"CONNECT localhost:"));
            client.write_all(b"HTTP/1.1 200 OK\r\n\r\n").unwrap();
            client.flush().unwrap();
            let mut server = TcpStream::connect(address).unwrap();
            // Now one way, now the other, until the client is gone.
            let wait = Some(Duration::from_millis(5));
            client.sock.set_read_timeout(wait).unwrap();
            server.set_read_timeout(wait).unwrap();
            let mut buf = [0; 4096];
            loop {
                match client.read(&mut buf) {
                    Ok(0) => break,
                    Ok(n) => server.write_all(&buf[..n]).unwrap(),
                    Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
                    Err(_) => break,
                }
                if let Ok(n @ 1..) = server.read(&mut buf) {
                    client.write_all(&buf[..n]).unwrap();
                    client.flush().unwrap();
                }
            }
        });
        let through = format!("https://localhost:{}", proxy_address.port());
        let connector = connector()
            .tls(client(&[certificate]))
            .proxy(through.parse().unwrap());
        let uri = format!("wss://localhost:{}/", address.port());
        let mut ws = connector.connect(&uri).unwrap();
        assert_eq!(ws.get_ref().tcp().peer_addr().unwrap(), proxy_address);
        for len in [5, 100_000] {
            ws.send(vec![7; len]).unwrap();
            assert_eq!(ws.recv().unwrap().unwrap().as_bytes(), vec![7; len]);
        }
        assert!(ws.close(None, "").unwrap().clean);
        drop(ws);
        proxy.join().unwrap();
        server.join().unwrap();
    }
}
