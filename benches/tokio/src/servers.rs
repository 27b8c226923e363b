//! The same echo on each library: one thread, a task for each connection.

use std::cell::RefCell;
use std::io::{self, ErrorKind, Write as _};
use std::pin::Pin;
use std::task::{Context, Poll};

use fastwebsockets::{Frame, OpCode, Role, WebSocket as Fast};
use futures_util::{FutureExt, SinkExt, StreamExt};
use sansocket_tokio::{Accept, OriginPolicy, ServerConfig, WebSocket};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::{accept_async, accept_async_with_config};

pub fn run(server: &str) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    runtime.expect("a runtime").block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        println!("{}", listener.local_addr().expect("an address"));
        std::io::stdout().flush().expect("a reader");
        let config = ServerConfig::new(OriginPolicy::Any);
        loop {
            let Ok((socket, _)) = listener.accept().await else {
                continue;
            };
            socket.set_nodelay(true).expect("TCP");
            let config = config.clone();
            // Tasks of different sizes: each is its own type.
            match server {
                "sansocket-tokio" => drop(tokio::spawn(async move {
                    let _ = ours(socket, &config).await;
                })),
                "sansocket-tokio feed" => drop(tokio::spawn(async move {
                    let _ = ours_fed(socket, &config).await;
                })),
                "borrowed" => drop(tokio::spawn(async move {
                    let _ = borrowed(socket, &config).await;
                })),
                "copied" => drop(tokio::spawn(async move {
                    let _ = borrowed(OnePiece(socket), &config).await;
                })),
                "tokio-tungstenite" => drop(tokio::spawn(tungstenite(socket))),
                "tokio-tungstenite tuned" => drop(tokio::spawn(tungstenite_tuned(socket))),
                "fastwebsockets" => drop(tokio::spawn(fast(socket))),
                "tcp" => drop(tokio::spawn(tcp(socket))),
                other => panic!("no server {other}"),
            }
        }
    });
}

async fn ours(socket: TcpStream, config: &ServerConfig) -> Result<(), sansocket_tokio::Error> {
    let incoming = WebSocket::server(socket, config).await?;
    let mut ws = incoming.accept(Accept::new()).await?;
    while let Some(message) = ws.recv().await {
        ws.send(message?).await?;
    }
    Ok(())
}

async fn ours_fed(socket: TcpStream, config: &ServerConfig) -> Result<(), sansocket_tokio::Error> {
    let incoming = WebSocket::server(socket, config).await?;
    let mut ws = incoming.accept(Accept::new()).await?;
    while let Some(message) = ws.recv().await {
        ws.feed(message?).await?;
    }
    Ok(())
}

/// Each message is answered with as many bytes as its text says, or as it has. They are borrowed.
async fn borrowed<S: AsyncRead + AsyncWrite + Unpin>(
    io: S,
    config: &ServerConfig,
) -> Result<(), sansocket_tokio::Error> {
    let incoming = WebSocket::server(io, config).await?;
    let mut ws = incoming.accept(Accept::new()).await?;
    while let Some(message) = ws.recv().await {
        let message = message?;
        ws.send(answer(message.as_bytes())).await?;
    }
    Ok(())
}

/// A stream that takes one piece at a time: what is sent over it is copied into one.
struct OnePiece(TcpStream);

impl AsyncRead for OnePiece {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buf)
    }
}

impl AsyncWrite for OnePiece {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

/// A number asks for so many bytes; anything else is an echo.
fn answer(message: &[u8]) -> &[u8] {
    static BYTES: [u8; 1 << 20] = [7; 1 << 20];
    let number = std::str::from_utf8(message).ok();
    let number = number.and_then(|text| text.trim().parse::<usize>().ok());
    number.map_or(message, |len| &BYTES[..len])
}

async fn tungstenite(socket: TcpStream) {
    let Ok(mut ws) = accept_async(socket).await else {
        return;
    };
    while let Some(Ok(message)) = ws.next().await {
        if (message.is_text() || message.is_binary()) && ws.send(message).await.is_err() {
            return;
        }
    }
}

async fn tungstenite_tuned(socket: TcpStream) {
    let config = WebSocketConfig::default().read_buffer_size(4096);
    let Ok(mut ws) = accept_async_with_config(socket, Some(config)).await else {
        return;
    };
    loop {
        let next = match ws.next().now_or_never() {
            Some(next) => next,
            None => {
                if ws.flush().await.is_err() {
                    return;
                }
                ws.next().await
            }
        };
        let Some(Ok(message)) = next else { return };
        if (message.is_text() || message.is_binary()) && ws.feed(message).await.is_err() {
            return;
        }
    }
}

async fn fast(mut socket: TcpStream) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let Ok(byte) = socket.read_u8().await else {
            return;
        };
        head.push(byte);
    }
    let head = String::from_utf8(head).expect("a request of ours");
    let (_, key) = head.split_once("Sec-WebSocket-Key: ").expect("a key");
    let (key, _) = key.split_once("\r\n").expect("a line");
    let accept = derive_accept_key(key.as_bytes());
    let answer = format!(
        "HTTP/1.1 101 x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {accept}\r\n\r\n"
    );
    drop(head);
    if socket.write_all(answer.as_bytes()).await.is_err() {
        return;
    }
    let mut ws = Fast::after_handshake(socket, Role::Server);
    ws.set_auto_close(true);
    ws.set_auto_pong(true);
    while let Ok(frame) = ws.read_frame().await {
        let echo = match frame.opcode {
            OpCode::Close => return,
            OpCode::Text | OpCode::Binary => Frame::new(true, frame.opcode, None, frame.payload),
            _ => continue,
        };
        if ws.write_frame(echo).await.is_err() {
            return;
        }
    }
}

/// Not a WebSocket: what a task and a socket take by themselves. It answers a request and one frame at a
/// time, with zeros for a payload.
async fn tcp(mut socket: TcpStream) {
    static ZEROS: [u8; 128 << 10] = [0; 128 << 10];
    thread_local! {
        static BUFFER: RefCell<Vec<u8>> = RefCell::new(vec![0; 64 << 10]);
    }
    let mut unread = REQUEST_END;
    while unread > 0 {
        let Ok(byte) = socket.read_u8().await else {
            return;
        };
        unread = if byte == b"\r\n\r\n"[REQUEST_END - unread] {
            unread - 1
        } else {
            REQUEST_END
        };
    }
    if socket.write_all(b"HTTP/1.1 101 x\r\n\r\n").await.is_err() {
        return;
    }
    loop {
        let mut header = [0; 14];
        let Ok(2..) = socket.peek(&mut header).await else {
            return;
        };
        let [_, first, a, b, ..] = header;
        // A server's header has no mask of four bytes.
        let (own, len) = match first & 0x7f {
            126 => (4, u16::from_be_bytes([a, b]).into()),
            127 => (
                10,
                header[2..10]
                    .iter()
                    .fold(0, |len, byte| len << 8 | usize::from(*byte)),
            ),
            len => (2, len.into()),
        };
        let mut unread = own + 4 + len;
        while unread > 0 {
            if socket.readable().await.is_err() {
                return;
            }
            let read = BUFFER.with_borrow_mut(|buffer| {
                let most = unread.min(buffer.len());
                socket.try_read(&mut buffer[..most])
            });
            match read {
                Ok(n @ 1..) => unread -= n,
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                _ => return,
            }
        }
        if socket.write_all(&ZEROS[..own + len]).await.is_err() {
            return;
        }
    }
}

/// The length of the empty line that ends a request, with the end of the line before.
const REQUEST_END: usize = 4;
