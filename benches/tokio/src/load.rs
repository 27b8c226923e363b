//! Connections that send frames and count the bytes that come back. The same for every server.

use std::io::{BufRead, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

const REQUEST: &str = "GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";

/// What a client asks for.
#[derive(Clone, Copy, Debug)]
pub enum Ask {
    /// So many bytes back.
    Echo(usize),
    /// So many bytes, by a short message.
    Answer(usize),
}

/// A client's frame, and how long the server's is that comes back.
fn frame(ask: Ask) -> (Vec<u8>, usize) {
    match ask {
        Ask::Echo(size) => {
            let (mut frame, header) = head(size);
            // A mask, and the payload: anything.
            frame.extend_from_slice(&[0x12, 0x34, 0x56, 0x78]);
            frame.resize(frame.len() + size, b'x');
            (frame, header + size)
        }
        Ask::Answer(size) => {
            let number = format!("{size:9}");
            let (mut frame, _) = head(number.len());
            frame.extend_from_slice(&[0; 4]);
            frame.extend_from_slice(number.as_bytes());
            (frame, head(size).1 + size)
        }
    }
}

/// A client's header without its mask, and how long a server's is.
fn head(size: usize) -> (Vec<u8>, usize) {
    let mut frame = vec![0x82];
    match size {
        0..126 => frame.push(0x80 | size as u8),
        126..65_536 => {
            frame.push(0x80 | 126);
            frame.extend_from_slice(&(size as u16).to_be_bytes());
        }
        _ => {
            frame.push(0x80 | 127);
            frame.extend_from_slice(&(size as u64).to_be_bytes());
        }
    }
    let len = frame.len();
    (frame, len)
}

async fn open(address: &str) -> TcpStream {
    let mut socket = loop {
        // The queue of those who wait may be full.
        match TcpStream::connect(address).await {
            Ok(socket) => break socket,
            Err(_) => tokio::time::sleep(Duration::from_millis(5)).await,
        }
    };
    socket.set_nodelay(true).expect("TCP");
    socket
        .write_all(REQUEST.as_bytes())
        .await
        .expect("a server");
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(socket.read_u8().await.expect("an answer"));
    }
    assert!(head.starts_with(b"HTTP/1.1 101 "), "not opened");
    socket
}

/// Each line of standard input asks for the count of echoes so far.
pub fn run(address: &str, connections: usize, in_flight: usize, ask: Ask) {
    let count = Arc::new(AtomicU64::new(0));
    let counted = count.clone();
    let address = address.to_owned();
    let (ready, is_ready) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        block_on(async move {
            let mut sockets = Vec::new();
            for _ in 0..connections {
                sockets.push(open(&address).await);
            }
            ready.send(()).expect("the other thread");
            let mut tasks = JoinSet::new();
            for socket in sockets {
                tasks.spawn(exchange(socket, in_flight, ask, count.clone()));
            }
            tasks.join_all().await;
        });
    });
    is_ready.recv().expect("the other thread");
    println!("ready");
    for line in std::io::stdin().lock().lines() {
        if line.is_err() {
            return;
        }
        println!("{}", counted.load(Ordering::Relaxed));
        std::io::stdout().flush().expect("a reader");
    }
}

/// Keeps so many in flight: as many are sent again as have come back.
async fn exchange(socket: TcpStream, in_flight: usize, ask: Ask, count: Arc<AtomicU64>) {
    let (frame, answer) = frame(ask);
    let (mut reader, mut writer) = socket.into_split();
    // Many at once for small messages, as they come back together too.
    let batch = (in_flight / 2).clamp(1, (64 << 10) / frame.len().max(1) + 1);
    let frames = frame.repeat(batch);
    let (back, mut has_come) = tokio::sync::mpsc::unbounded_channel::<usize>();
    let writing = tokio::spawn(async move {
        let mut free = in_flight;
        loop {
            while free < batch {
                let Some(more) = has_come.recv().await else {
                    return;
                };
                free += more;
            }
            free -= batch;
            if writer.write_all(&frames).await.is_err() {
                return;
            }
        }
    });
    let mut buffer = vec![0; 64 << 10];
    let mut bytes = 0;
    while let Ok(n @ 1..) = reader.read(&mut buffer).await {
        bytes += n;
        let echoes = bytes / answer;
        bytes %= answer;
        if echoes > 0 {
            count.fetch_add(echoes as u64, Ordering::Relaxed);
            if back.send(echoes).is_err() {
                break;
            }
        }
    }
    writing.abort();
}

/// Opens connections and says so; for each line of standard input one more exchange, and says so.
pub fn idle(address: &str, connections: usize) {
    block_on(async {
        let mut sockets = Vec::new();
        for _ in 0..connections {
            sockets.push(open(address).await);
        }
        let mut sizes = [32, 100_000].into_iter();
        loop {
            tokio::time::sleep(Duration::from_millis(300)).await;
            println!("ready");
            std::io::stdout().flush().expect("a reader");
            let mut line = String::new();
            let Ok(1..) = std::io::stdin().lock().read_line(&mut line) else {
                return;
            };
            let Some(size) = sizes.next() else { return };
            let (frame, answer) = frame(Ask::Echo(size));
            let mut echo = vec![0; answer];
            for socket in &mut sockets {
                let (mut reader, mut writer) = socket.split();
                let (sent, read) =
                    tokio::join!(writer.write_all(&frame), reader.read_exact(&mut echo));
                sent.expect("a server");
                read.expect("an echo");
            }
        }
    });
}

fn block_on(future: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    runtime.expect("a runtime").block_on(future);
}
