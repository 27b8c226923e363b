//! The server, over sockets, against a client of others (`tungstenite`) and against bytes.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by a panic"
)]

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;
use std::{fs, thread};

use epoll_server::Server;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::net::sockopt;
use rustix::process::{Pid, Resource, Rlimit, getrlimit, setrlimit};
use rustix::thread::gettid;
use sansocket::config::{Limits, Timeouts};
use sansocket::{OriginPolicy, ServerConfig};
use tungstenite::protocol::CloseFrame;
use tungstenite::protocol::frame::coding::CloseCode;
use tungstenite::{Message, WebSocket};

/// Seconds that the server waits for clients, however slow the machine is.
const PATIENCE: &str = "3600";

/// The example itself, in a process of its own that ends with the test.
struct Process {
    child: Child,
    address: SocketAddr,
}

impl Process {
    fn start() -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_epoll_server"));
        Self::spawn(command.args(["127.0.0.1:0", PATIENCE]))
    }

    fn spawn(command: &mut Command) -> Self {
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        stdout.read_line(&mut line).unwrap();
        let (_, address) = line
            .split_once("http://")
            .expect("it says where it listens");
        let (address, _) = address.split_once('/').unwrap();
        let address = address.parse().unwrap();
        Self { child, address }
    }

    fn descriptors(&self) -> usize {
        let open = fs::read_dir(format!("/proc/{}/fd", self.child.id())).unwrap();
        open.count()
    }

    /// Bytes of memory that it had in use at most.
    fn peak(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kilobytes = line.unwrap().trim().trim_end_matches(" kB");
        kilobytes.parse::<u64>().unwrap() << 10
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// As [`PATIENCE`].
fn patient() -> Timeouts {
    let mut timeouts = Timeouts::default();
    timeouts.handshake = Duration::from_secs(3600);
    timeouts.pong = Some(Duration::from_secs(3600));
    timeouts
}

/// The same server in a thread, with another configuration: its address and the thread's number.
fn serve(config: impl FnOnce(ServerConfig) -> ServerConfig) -> (SocketAddr, Pid) {
    let patient = ServerConfig::new(OriginPolicy::SameHost).timeouts(patient());
    let config = config(patient);
    let mut server = Server::bind("127.0.0.1:0".parse().unwrap(), config, 1000).unwrap();
    let address = server.local_addr().unwrap();
    let (sender, number) = mpsc::channel();
    thread::spawn(move || {
        sender.send(gettid()).unwrap();
        server.run()
    });
    (address, number.recv().unwrap())
}

/// The thread waits for something.
fn sleeps(thread: Pid) -> bool {
    let stat = fs::read_to_string(format!("/proc/{thread}/stat")).unwrap();
    let (_, state) = stat.rsplit_once(") ").unwrap();
    state.starts_with('S')
}

fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_nodelay(true).unwrap();
    // A test that waits for what never comes fails.
    stream
        .set_read_timeout(Some(Duration::from_secs(500)))
        .unwrap();
    stream
}

fn client(address: SocketAddr) -> WebSocket<TcpStream> {
    let (ws, answer) =
        tungstenite::client(format!("ws://{address}/"), connect(address)).expect("a handshake");
    assert_eq!(answer.status(), 101);
    ws
}

const REQUEST: &[u8] =
    b"GET / HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";

/// A connection whose frames the test writes itself.
fn opened(address: SocketAddr) -> TcpStream {
    let mut stream = connect(address);
    stream.write_all(REQUEST).unwrap();
    read_answer(&mut stream);
    stream
}

fn read_answer(stream: &mut TcpStream) {
    let mut answer = Vec::new();
    while !answer.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        answer.push(byte[0]);
    }
    // RFC 6455 §1.3
    let answer = String::from_utf8(answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 101 "), "{answer}");
    assert!(answer.contains("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="), "{answer}");
}

/// A client's frame (RFC 6455 §5.2).
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![first];
    match payload.len() {
        len @ 0..=125 => frame.push(0x80 | len as u8),
        len @ 126..=0xffff => {
            frame.push(0x80 | 126);
            frame.extend_from_slice(&(len as u16).to_be_bytes());
        }
        len => {
            frame.push(0x80 | 127);
            frame.extend_from_slice(&(len as u64).to_be_bytes());
        }
    }
    let key = [0x37, 0xfa, 0x21, 0x3d];
    frame.extend_from_slice(&key);
    let masked = payload.iter().zip(key.iter().cycle());
    frame.extend(masked.map(|(byte, key)| byte ^ key));
    frame
}

/// Bytes that tell where in the message they belong.
fn payload(len: usize) -> Vec<u8> {
    (0..len).map(|i| (i * 31 + i / 251) as u8).collect()
}

fn read_exact(stream: &mut TcpStream, len: usize) -> Vec<u8> {
    let mut bytes = vec![0; len];
    stream.read_exact(&mut bytes).unwrap();
    bytes
}

fn read_to_end(stream: &mut TcpStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).unwrap();
    bytes
}

fn assert_echoes(ws: &mut WebSocket<TcpStream>, message: Message) {
    ws.send(message.clone()).unwrap();
    assert!(ws.read().unwrap() == message, "{} bytes", message.len());
}

#[test]
fn every_length_comes_back() {
    let server = Process::start();
    let mut ws = client(server.address);
    // On both sides of each form of the length (RFC 6455 §5.2), and of the server's read buffer.
    for len in [0, 1, 125, 126, 127, 65_527, 65_528, 65_535, 65_536, 1 << 20] {
        assert_echoes(&mut ws, Message::binary(payload(len)));
        assert_echoes(&mut ws, Message::text("ü".repeat(len / 2)));
    }
    for i in 0..1000 {
        ws.write(Message::binary(payload(i))).unwrap();
    }
    ws.flush().unwrap();
    for i in 0..1000 {
        assert_eq!(ws.read().unwrap(), Message::binary(payload(i)));
    }
}

#[test]
fn many_frames_in_many_reads() {
    let server = Process::start();
    let mut stream = connect(server.address);
    // A frame that comes with the request waits for the answer (RFC 6455 §4.1).
    let early = frame(0x81, b"early");
    stream.write_all(&[REQUEST, &early].concat()).unwrap();
    read_answer(&mut stream);
    assert_eq!(read_exact(&mut stream, 7), b"\x81\x05early");

    // RFC 6455 §5.4, with a Ping between the fragments (§5.5.2), in single bytes.
    let message = payload(3000);
    let mut wire = frame(0x02, &message[..1000]);
    wire.extend(frame(0x89, b"ping"));
    wire.extend(frame(0x00, &message[1000..1001]));
    wire.extend(frame(0x00, b""));
    wire.extend(frame(0x80, &message[1001..]));
    for byte in wire {
        stream.write_all(&[byte]).unwrap();
    }
    assert_eq!(read_exact(&mut stream, 6), b"\x8a\x04ping");
    assert_eq!(read_exact(&mut stream, 4), [0x82, 126, 0x0b, 0xb8]);
    assert_eq!(read_exact(&mut stream, 3000), message);
}

#[test]
fn a_client_that_closes() {
    let server = Process::start();
    let before = server.descriptors();
    let mut ws = client(server.address);
    assert_echoes(&mut ws, Message::text("Hello"));
    let frame = CloseFrame {
        code: CloseCode::Normal,
        reason: "done".into(),
    };
    ws.close(Some(frame)).unwrap();
    // The same code comes back (RFC 6455 §5.5.1), and the server closes TCP first (§7.1.1).
    match ws.read().unwrap() {
        Message::Close(Some(frame)) => assert_eq!(frame.code, CloseCode::Normal),
        other => panic!("{other:?}"),
    }
    assert!(matches!(
        ws.read(),
        Err(tungstenite::Error::ConnectionClosed)
    ));
    // Its turn has ended before that of another connection begins.
    assert_echoes(&mut client(server.address), Message::text("Hello"));
    assert!(server.descriptors() <= before + 1);
}

#[test]
fn a_client_that_breaks_a_rule() {
    let server = Process::start();
    let mut stream = opened(server.address);
    // RFC 6455 §5.1: a frame without a mask. What comes after it must not turn the Close frame into a reset.
    let mut wire = b"\x81\x05Hello".to_vec();
    wire.resize(300_000, 0);
    stream.write_all(&wire).unwrap();
    let close = read_exact(&mut stream, 4);
    assert_eq!((close[0], &close[2..]), (0x88, &1002_u16.to_be_bytes()[..]));
    // It ends what it writes at once, and reads on until the client has ended as well.
    read_exact(&mut stream, usize::from(close[1]) - 2);
    assert_eq!(read_to_end(&mut stream), b"");
    stream.write_all(&frame(0x88, &close[2..])).unwrap();
}

#[test]
fn a_client_that_sends_no_more() {
    let server = Process::start();
    // The end comes with the last bytes, or by itself.
    for _ in 0..100 {
        let mut stream = opened(server.address);
        stream.write_all(&frame(0x81, b"the last one")).unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        // What is queued may still be written.
        assert_eq!(read_to_end(&mut stream), b"\x81\x0cthe last one");
    }
}

#[test]
fn deadlines() {
    let soon = Duration::from_millis(20);
    // The handshake: an answer to a request that never came, and the end.
    let (address, _) = serve(|config| {
        let mut timeouts = patient();
        timeouts.handshake = soon;
        timeouts.close = soon;
        config.timeouts(timeouts)
    });
    let answer = String::from_utf8(read_to_end(&mut connect(address))).unwrap();
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");

    // Idle, which comes before the deadline that was known: a Close frame with 1001; and the end,
    // although nobody answers it.
    let (address, _) = serve(|config| {
        let mut timeouts = patient();
        timeouts.idle = Some(soon);
        timeouts.close = soon;
        config.timeouts(timeouts)
    });
    let mut stream = opened(address);
    let close = read_to_end(&mut stream);
    assert_eq!(
        (close[0], &close[2..4]),
        (0x88, &1001_u16.to_be_bytes()[..])
    );

    // Keepalive: a Ping as long as it is answered, and then another one (RFC 6455 §5.5.2).
    let (address, _) = serve(|config| {
        let mut timeouts = patient();
        timeouts.ping = Some(soon);
        config.timeouts(timeouts)
    });
    let mut stream = opened(address);
    for _ in 0..3 {
        let ping = read_exact(&mut stream, 4);
        assert_eq!(ping[..2], [0x89, 2]);
        stream.write_all(&frame(0x8a, &ping[2..])).unwrap();
    }
    // It is alive, so messages still come back.
    stream.write_all(&frame(0x81, b"Hello")).unwrap();
    loop {
        match read_exact(&mut stream, 2)[..] {
            [0x89, 2] => drop(read_exact(&mut stream, 2)),
            [0x81, 5] => break assert_eq!(read_exact(&mut stream, 5), b"Hello"),
            ref other => panic!("{other:x?}"),
        }
    }
}

/// Sends all of it, and reads one message only when the server sleeps and nothing more can be written:
/// far more than all buffers of the kernel hold has to wait somewhere. Tells how often that was.
fn slow_reader(address: SocketAddr, server: Pid, message: &[u8], total: usize) -> usize {
    let mut stream = opened(address);
    // The rest of the echoes is to be in the server's buffers, not in this one.
    sockopt::set_socket_recv_buffer_size(&stream, 64 << 10).unwrap();
    stream.set_nonblocking(true).unwrap();
    let wire = frame(0x82, message);
    let len = (message.len() as u16).to_be_bytes();
    let echo = [&[0x82, 126], &len[..], message].concat();
    let count = total / wire.len();
    let (mut written, mut read, mut waits) = (0, 0, 0);
    let mut buf = vec![0; echo.len()];
    while read < count * echo.len() {
        let unsent = count * wire.len() - written;
        if unsent > 0 {
            match stream.write(&wire[written % wire.len()..]) {
                Ok(n) => {
                    written += n;
                    continue;
                }
                Err(error) => assert_eq!(error.kind(), io::ErrorKind::WouldBlock),
            }
            if !sleeps(server) || ready(&stream, PollFlags::OUT, Duration::ZERO) {
                thread::yield_now();
                continue;
            }
            waits += 1;
        }
        let at = read % echo.len();
        match stream.read(&mut buf[..echo.len() - at]) {
            Ok(0) => panic!("the end, after {read} bytes"),
            Ok(n) => {
                assert!(buf[..n] == echo[at..at + n], "not the echo, at {read}");
                read += n;
            }
            Err(error) => {
                assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
                let flags = match unsent {
                    0 => PollFlags::IN,
                    _ => PollFlags::IN | PollFlags::OUT,
                };
                let patience = Duration::from_secs(500);
                assert!(ready(&stream, flags, patience), "stuck, after {read} bytes");
            }
        }
    }
    waits
}

fn ready(stream: &TcpStream, flags: PollFlags, wait: Duration) -> bool {
    let wait = wait.try_into().unwrap();
    poll(&mut [PollFd::new(stream, flags)], Some(&wait)).unwrap() > 0
}

#[test]
fn a_client_that_does_not_read() {
    let server = Process::start();
    let waits = slow_reader(
        server.address,
        Pid::from_child(&server.child),
        &payload(60_000),
        200 << 20,
    );
    assert!(waits > 100, "{waits}");
    // 1 MiB is queued at most, and a read and a message after it.
    let peak = server.peak();
    assert!(peak < 16 << 20, "{peak} bytes");

    let queue_of = |output| {
        serve(move |config| {
            let mut limits = Limits::server();
            limits.output = output;
            config.limits(limits)
        })
    };
    // It is full with every message: each read is held and read on many times.
    let (address, server) = queue_of(1);
    let waits = slow_reader(address, server, &payload(300), 30 << 20);
    assert!(waits > 100, "{waits}");
    // It takes everything: what is left is written when nothing comes any more.
    let (address, server) = queue_of(u32::MAX);
    slow_reader(address, server, &payload(60_000), 60 << 20);
}

#[test]
fn a_thousand_clients() {
    // As many descriptors as may be had, for the server as well: the usual limit is 1024.
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    let all = Rlimit {
        current: maximum,
        maximum,
    };
    setrlimit(Resource::Nofile, all).unwrap();
    let server = Process::start();
    let before = server.descriptors();
    // All of them connect before one of them is read from.
    let mut streams: Vec<_> = (0..1000).map(|_| connect(server.address)).collect();
    for stream in &mut streams {
        stream.write_all(REQUEST).unwrap();
    }
    for stream in &mut streams {
        read_answer(stream);
    }
    assert_eq!(server.descriptors(), before + 1000);
    // One buffer serves all of them, for gathering and for what is written.
    for stream in &mut streams {
        let message = payload(50_000);
        stream.write_all(&frame(0x02, &message[..20_000])).unwrap();
        stream.write_all(&frame(0x80, &message[20_000..])).unwrap();
        assert_eq!(read_exact(stream, 4), [0x82, 126, 0xc3, 0x50]);
        assert!(read_exact(stream, 50_000) == message);
    }
    let peak = server.peak();
    assert!(peak < 16 << 20, "{peak} bytes");
    for round in 0..3 {
        for (i, stream) in streams.iter_mut().enumerate() {
            let message = format!("{round} {i:04}");
            stream.write_all(&frame(0x81, message.as_bytes())).unwrap();
        }
        for (i, stream) in streams.iter_mut().enumerate() {
            assert_eq!(read_exact(stream, 2), [0x81, 6]);
            let echo = read_exact(stream, 6);
            assert_eq!(echo, format!("{round} {i:04}").as_bytes());
        }
    }
    // RFC 6455 §7.1.1: each Close frame is answered, and TCP closed.
    for stream in &mut streams {
        stream.write_all(&frame(0x88, b"\x03\xe8")).unwrap();
    }
    for stream in &mut streams {
        assert_eq!(read_to_end(stream), b"\x88\x02\x03\xe8");
    }
    assert_eq!(server.descriptors(), before);
}

#[test]
fn clients_that_reset() {
    let server = Process::start();
    let before = server.descriptors();
    let mut bystander = client(server.address);
    for i in 0..300 {
        let mut stream = connect(server.address);
        // In the middle of the request, of a frame, of a message, with an echo on its way.
        let whole = frame(0x82, &payload(50_000));
        let part = match i % 5 {
            0 => &REQUEST[..i % REQUEST.len()],
            1 => REQUEST,
            _ => {
                stream.write_all(REQUEST).unwrap();
                read_answer(&mut stream);
                match i % 5 {
                    2 => &whole[..i],
                    3 => &whole[..40_000],
                    _ => &whole[..],
                }
            }
        };
        stream.write_all(part).unwrap();
        sockopt::set_socket_linger(&stream, Some(Duration::ZERO)).unwrap();
        drop(stream);
        assert_echoes(&mut bystander, Message::text("still there"));
    }
    // A reset is there before what is sent later, so it was seen before this came back.
    assert_echoes(&mut bystander, Message::text("still there"));
    assert_eq!(server.descriptors(), before + 1);
}

#[test]
fn more_clients_than_descriptors() {
    let program = env!("CARGO_BIN_EXE_epoll_server");
    let mut command = Command::new("sh");
    let script = "ulimit -n 20; exec \"$0\" 127.0.0.1:0 \"$1\"";
    command.args(["-c", script, program, PATIENCE]);
    let server = Process::spawn(&mut command);
    // Some are accepted, the others wait in the kernel.
    let mut streams: Vec<_> = (0..60).map(|_| connect(server.address)).collect();
    for stream in &mut streams {
        stream.write_all(REQUEST).unwrap();
    }
    // Each that goes makes room for one.
    for mut stream in streams {
        read_answer(&mut stream);
        stream.write_all(&frame(0x81, b"Hello")).unwrap();
        assert_eq!(read_exact(&mut stream, 7), b"\x81\x05Hello");
    }
}
