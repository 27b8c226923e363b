//! `wsinspect proxy` between real sockets.
#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "a test fails by a panic")]

#[path = "../examples/captures.rs"]
#[allow(dead_code, reason = "it has more than is needed here")]
mod library;

use std::env;
use std::fs;
use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::process::{Child, ChildStderr, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use sansocket_tcp_streams::Sender::{Client, Server};

/// A proxy, and the server that it connects to.
struct Proxy {
    child: Child,
    errors: BufReader<ChildStderr>,
    address: String,
    listener: TcpListener,
}

impl Proxy {
    fn new(arguments: &[&str]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let to = listener.local_addr().unwrap().to_string();
        Self::of(listener, &to, arguments)
    }

    fn of(listener: TcpListener, to: &str, arguments: &[&str]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_wsinspect"))
            .env_remove("SSLKEYLOGFILE")
            .args(["proxy", "--listen", "127.0.0.1:0", "--to", to])
            .args(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut errors = BufReader::new(child.stderr.take().unwrap());
        let mut line = String::new();
        errors.read_line(&mut line).unwrap();
        let address = line.strip_prefix("wsinspect: listening on ").unwrap();
        let address = address.split(',').next().unwrap().to_owned();
        Self {
            child,
            errors,
            address,
            listener,
        }
    }

    fn client(&self) -> TcpStream {
        let client = TcpStream::connect(&self.address).unwrap();
        client
            .set_read_timeout(Some(Duration::from_secs(20)))
            .unwrap();
        client
    }

    /// A client, and the server's end.
    fn pair(&self) -> [TcpStream; 2] {
        let client = self.client();
        let (server, _) = self.listener.accept().unwrap();
        server
            .set_read_timeout(Some(Duration::from_secs(20)))
            .unwrap();
        [client, server]
    }

    /// Ctrl-C; what it has said, and the rest of its errors.
    fn stop(mut self) -> (String, String) {
        let pid = self.child.id().to_string();
        assert!(
            Command::new("kill")
                .args(["-INT", &pid])
                .status()
                .unwrap()
                .success()
        );
        let (mut out, mut errors) = (String::new(), String::new());
        self.child
            .stdout
            .take()
            .unwrap()
            .read_to_string(&mut out)
            .unwrap();
        self.errors.read_to_string(&mut errors).unwrap();
        assert_eq!(self.child.wait().unwrap().code(), Some(0), "{errors}");
        (out, errors)
    }
}

fn receive(stream: &mut TcpStream, length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    stream.read_exact(&mut bytes).unwrap();
    bytes
}

/// What the ends of `hello.pcap` say, one after the other.
fn converse([client, server]: &mut [TcpStream; 2]) {
    for (from, bytes) in library::conversation() {
        let (own, other) = match from {
            Client => (&mut *client, &mut *server),
            Server => (&mut *server, &mut *client),
        };
        own.write_all(&bytes).unwrap();
        assert_eq!(receive(other, bytes.len()), bytes);
    }
    server.shutdown(Shutdown::Write).unwrap();
    assert_eq!(client.read(&mut [0]).unwrap(), 0);
    client.shutdown(Shutdown::Write).unwrap();
    assert_eq!(server.read(&mut [0]).unwrap(), 0);
}

#[test]
fn a_conversation_is_shown_and_can_be_kept() {
    let path = env::temp_dir().join(format!("wsinspect-proxy-{}.pcap", std::process::id()));
    let file = path.to_str().unwrap();
    let proxy = Proxy::new(&["--write", file]);
    converse(&mut proxy.pair());
    let (shown, errors) = proxy.stop();
    for part in [
        "GET /chat HTTP/1.1",
        "client Open, server Open",
        "text \"ticket 4711\", 11 bytes",
        "close 1000 \"bye\"",
        "#1 closed cleanly, begun by the client, the client sent 1000, the server sent 1000, the server ended TCP first",
    ] {
        assert!(shown.contains(part), "{part} in {shown}");
    }
    assert_eq!(errors, "");
    // What was written is the same, read as a capture.
    let read = Command::new(env!("CARGO_BIN_EXE_wsinspect"))
        .arg(file)
        .output()
        .unwrap();
    let read = String::from_utf8(read.stdout).unwrap();
    fs::remove_file(path).unwrap();
    let things = |text: &str| -> Vec<String> {
        let lines = text
            .lines()
            .filter(|line| line.starts_with("         ") || line.starts_with("#1 cl"));
        lines.map(str::to_owned).collect()
    };
    assert_eq!(things(&shown), things(&read));
}

#[test]
fn bytes_are_forwarded_as_they_are_both_ways_at_once() {
    let proxy = Proxy::new(&["--stats"]);
    let [mut client, mut server] = proxy.pair();
    let bytes = |seed: u32| -> Vec<u8> {
        (0..3_000_000_u32)
            .map(|n| (n.wrapping_mul(2_654_435_761).wrapping_add(seed) >> 24) as u8)
            .collect()
    };
    let (first, second) = (bytes(1), bytes(2));
    thread::scope(|scope| {
        let (mut sender, mut answerer) = (client.try_clone().unwrap(), server.try_clone().unwrap());
        let (first, second) = (&first, &second);
        scope.spawn(move || sender.write_all(first).unwrap());
        scope.spawn(move || answerer.write_all(second).unwrap());
        scope.spawn(|| assert!(receive(&mut server, first.len()) == *first));
        assert!(receive(&mut client, second.len()) == *second);
    });
    // One direction ends, and the other one goes on.
    client.shutdown(Shutdown::Write).unwrap();
    assert_eq!(server.read(&mut [0]).unwrap(), 0);
    server.write_all(b"still here").unwrap();
    assert_eq!(receive(&mut client, 10), b"still here");
    drop(server);
    assert_eq!(client.read(&mut [0]).unwrap(), 0);
    let (shown, _) = proxy.stop();
    assert!(shown.contains("  bytes        6000010\n"), "{shown}");
}

#[test]
fn who_does_not_read_stops_nobody_else() {
    let proxy = Proxy::new(&["--json"]);
    let [slow, mut server] = proxy.pair();
    server
        .set_write_timeout(Some(Duration::from_millis(300)))
        .unwrap();
    let block = vec![0; 1 << 20];
    // As much as the system and the proxy keep.
    let full = (0..200)
        .find_map(|_| server.write_all(&block).err())
        .unwrap();
    assert!(
        matches!(full.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut),
        "{full}"
    );
    converse(&mut proxy.pair());
    drop(slow);
    let (shown, _) = proxy.stop();
    assert!(shown.contains("\"hello world\""), "{shown}");
}

#[test]
fn a_server_that_is_not_there() {
    let gone = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .to_string();
    let mut proxy = Proxy::of(TcpListener::bind("127.0.0.1:0").unwrap(), &gone, &[]);
    assert_eq!(proxy.client().read(&mut [0]).unwrap(), 0);
    let mut line = String::new();
    proxy.errors.read_line(&mut line).unwrap();
    assert!(
        line.starts_with(&format!("wsinspect: connection 1 gets none to {gone}: ")),
        "{line}"
    );
    assert_eq!(proxy.client().read(&mut [0]).unwrap(), 0);
    assert_eq!(proxy.stop().0, "");
}

#[test]
fn as_many_connections_as_may_be() {
    let proxy = Proxy::new(&["--connections", "1"]);
    let [first, server] = proxy.pair();
    let mut second = proxy.client();
    second.write_all(b"waits").unwrap();
    proxy.listener.set_nonblocking(true).unwrap();
    thread::sleep(Duration::from_millis(200));
    assert!(proxy.listener.accept().is_err());
    drop((first, server));
    proxy.listener.set_nonblocking(false).unwrap();
    let (mut server, _) = proxy.listener.accept().unwrap();
    server.set_nonblocking(false).unwrap();
    assert_eq!(receive(&mut server, 5), b"waits");
    proxy.stop();
}

#[test]
fn an_end_that_vanishes_is_told_to_the_other() {
    let proxy = Proxy::new(&[]);
    let [mut client, mut server] = proxy.pair();
    client.write_all(b"GET / HTTP/1.1\r\n").unwrap();
    receive(&mut server, 16);
    // Bytes that it has not read make its end a reset.
    server.write_all(b"HTTP").unwrap();
    let mut first = [0];
    client.peek(&mut first).unwrap();
    drop(client);
    assert_eq!(server.read(&mut [0]).unwrap_or(0), 0);
    drop(server);
    let (shown, _) = proxy.stop();
    assert!(
        shown.contains("the client reset TCP") || shown.contains("RST"),
        "{shown}"
    );
    assert!(!shown.contains("FIN"), "{shown}");
}

/// What was received is forwarded before it ends, and open conversations are told.
#[test]
fn ctrl_c_ends_in_order() {
    let proxy = Proxy::new(&[]);
    let [mut client, mut server] = proxy.pair();
    client.write_all(b"the last").unwrap();
    receive(&mut server, 8);
    let begun = Instant::now();
    let (shown, _) = proxy.stop();
    assert!(begun.elapsed() < Duration::from_secs(10));
    assert_eq!(
        (
            server.read(&mut [0]).unwrap(),
            client.read(&mut [0]).unwrap()
        ),
        (0, 0)
    );
    assert!(shown.ends_with("#1 no WebSocket connection\n"), "{shown}");
}

/// The session of `tls.pcap`, whose keys are logged while it goes on.
#[test]
fn tls_is_read_as_soon_as_its_keys_are_there() {
    let path = env::temp_dir().join(format!("wsinspect-proxy-{}.keys", std::process::id()));
    let proxy = Proxy::new(&["--keylog", path.to_str().unwrap()]);
    let [mut client, mut server] = proxy.pair();
    for (n, (from, bytes)) in library::session().into_iter().enumerate() {
        let (own, other) = if from == Client {
            (&mut client, &mut server)
        } else {
            (&mut server, &mut client)
        };
        own.write_all(&bytes).unwrap();
        receive(other, bytes.len());
        if n == 5 {
            fs::write(&path, library::secrets()).unwrap();
        }
    }
    drop(client);
    drop(server);
    let (shown, errors) = proxy.stop();
    fs::remove_file(path).unwrap();
    assert_eq!(errors, "");
    for part in [
        "TLS for localhost",
        "ticket 4711",
        "hello world",
        "#1 closed cleanly",
    ] {
        assert!(shown.contains(part), "{part} in {shown}");
    }
}
