//! Servers for one connection, and a conversation with them.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread::{self, JoinHandle};

use tungstenite::error::Error;
use tungstenite::protocol::frame::CloseFrame;
use tungstenite::protocol::frame::coding::CloseCode;
use tungstenite::{Message, WebSocket};

/// A server for one connection.
pub(crate) fn serve<T: Send + 'static>(
    serve: impl FnOnce(TcpStream) -> T + Send + 'static,
) -> (SocketAddr, JoinHandle<T>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    (
        address,
        thread::spawn(move || serve(listener.accept().unwrap().0)),
    )
}

/// Sends back what comes, and says how it ended.
pub(crate) fn echo<S: Read + Write>(mut socket: WebSocket<S>) -> Error {
    loop {
        match socket.read() {
            Ok(message @ (Message::Text(_) | Message::Binary(_))) => socket.send(message).unwrap(),
            Ok(_) => {}
            Err(error) => return error,
        }
    }
}

pub(crate) fn close_frame(code: CloseCode) -> Option<CloseFrame> {
    let reason = "done".into();
    Some(CloseFrame { code, reason })
}

/// RFC 6455 §7.1.1: the server ends TCP first, and both ends know that it was in order.
pub(crate) fn echoes_and_closes<S: Read + Write>(socket: &mut WebSocket<S>) {
    for message in [
        Message::text("Grüezi"),
        Message::binary(vec![7; 70_000]),
        Message::text("a".repeat(300_000)),
        Message::text(""),
    ] {
        socket.send(message.clone()).unwrap();
        assert!(socket.read().unwrap() == message);
    }
    socket.close(close_frame(CloseCode::Normal)).unwrap();
    assert_eq!(
        socket.read().unwrap(),
        Message::Close(close_frame(CloseCode::Normal))
    );
    assert!(matches!(socket.read(), Err(Error::ConnectionClosed)));
    assert!(matches!(socket.read(), Err(Error::AlreadyClosed)));
}
