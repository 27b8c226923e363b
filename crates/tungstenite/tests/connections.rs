//! Connections over TCP and TLS, from the opening handshake to the end.
#![allow(clippy::unwrap_used, reason = "a test fails by a panic")]
#![allow(
    clippy::result_large_err,
    reason = "what a callback refuses with is tungstenite's"
)]

mod peers;

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread::{self, JoinHandle};

use peers::{echo, echoes_and_closes, serve};

use tungstenite::client::{IntoClientRequest, client_with_config};
use tungstenite::error::{Error, ProtocolError};
use tungstenite::handshake::server::{ErrorResponse, Request, Response};
use tungstenite::protocol::frame::coding::CloseCode;
use tungstenite::protocol::frame::{Frame, coding};
use tungstenite::protocol::{Role, WebSocketConfig};
use tungstenite::{Message, WebSocket, accept, accept_hdr, connect};

#[test]
fn over_tcp() {
    let (address, server) = serve(|stream| echo(accept(stream).unwrap()));
    let (mut socket, response) = connect(format!("ws://{address}/")).unwrap();
    assert_eq!(response.status(), 101);
    echoes_and_closes(&mut socket);
    assert!(matches!(server.join().unwrap(), Error::ConnectionClosed));
}

/// RFC 6455 §7.1.7: the peer is told which rule it broke.
#[test]
fn a_failure_is_told() {
    let (address, server) = serve(|stream| {
        let mut socket = accept(stream).unwrap();
        (socket.read().unwrap_err(), socket.read().unwrap_err())
    });
    let (mut socket, _) = connect(format!("ws://{address}/")).unwrap();
    let mut frame = Frame::message("?", coding::OpCode::Data(coding::Data::Text), true);
    frame.header_mut().rsv2 = true;
    socket.send(Message::Frame(frame)).unwrap();
    let Message::Close(Some(close)) = socket.read().unwrap() else {
        unreachable!("the server fails the connection")
    };
    assert_eq!(close.code, CloseCode::Protocol);
    assert!(close.reason.contains("reserved bits 010"), "{close}");
    let (first, second) = server.join().unwrap();
    assert!(matches!(
        first,
        Error::Protocol(ProtocolError::NonZeroReservedBits)
    ));
    assert!(matches!(second, Error::AlreadyClosed));
}

/// Sends a client elsewhere, and says what it saw of the request, in lower case.
fn redirect(mut stream: TcpStream, to: &str) -> String {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).unwrap();
        head.push(byte[0]);
    }
    write!(stream, "HTTP/1.1 302 Found\r\nLocation: {to}\r\n\r\n").unwrap();
    String::from_utf8(head).unwrap().to_ascii_lowercase()
}

fn redirects(to: String) -> (SocketAddr, JoinHandle<String>) {
    serve(move |stream| redirect(stream, &to))
}

/// RFC 9110 §15.4: secrets do not go elsewhere, not on the way back either, and the host is the new one. What has to be
/// agreed on goes along.
#[test]
fn redirections() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let there = listener.local_addr().unwrap();
    let (here, back) = redirects(format!("//{there}/new?x"));
    let server = thread::spawn(move || {
        let first = redirect(listener.accept().unwrap().0, &format!("http://{here}/on"));
        let mut seen = None;
        let see = |request: &Request, mut response: Response| {
            seen = Some(request.clone());
            let fields = response.headers_mut();
            fields.insert("sec-websocket-protocol", "chat".parse().unwrap());
            Ok(response)
        };
        let end = echo(accept_hdr(listener.accept().unwrap().0, see).unwrap());
        (first, seen.unwrap(), end)
    });
    let mut request = format!("ws://{there}/old").into_client_request().unwrap();
    let secrets = ["authorization", "cookie", "proxy-authorization"];
    for name in secrets.into_iter().chain(["x-kept"]) {
        let fields = request.headers_mut();
        fields.insert(name, "secret".parse().unwrap());
    }
    let fields = request.headers_mut();
    fields.insert("sec-websocket-protocol", "chat".parse().unwrap());
    let (mut socket, _) = connect(request).unwrap();
    echoes_and_closes(&mut socket);
    let ((first, last, end), between) = (server.join().unwrap(), back.join().unwrap());
    assert!(matches!(end, Error::ConnectionClosed));
    assert_eq!(last.uri(), "/new?x");
    assert_eq!(last.headers()["host"], there.to_string());
    assert_eq!(last.headers()["x-kept"], "secret");
    assert!(between.contains(&format!("host: {here}\r\n")) && between.starts_with("get /on "));
    assert!(between.contains("sec-websocket-protocol: chat") && between.contains("x-kept: secret"));
    let key = |head: &str| {
        head.split("-key: ")
            .nth(1)
            .map(|rest| rest[..24].to_owned())
    };
    assert_ne!(key(&first), key(&between));
    for name in secrets {
        assert!(first.contains(&format!("{name}: secret\r\n")), "{first}");
        assert!(!between.contains(name), "{between}");
        assert!(!last.headers().contains_key(name), "{last:?}");
    }
}

#[test]
fn redirections_that_lead_nowhere() {
    let (here, _server) = redirects("/loop".into());
    let result = tungstenite::client::connect_with_config(format!("ws://{here}/"), None, 0);
    assert!(matches!(result, Err(Error::Http(response)) if response.status() == 302));
    let (here, _server) = redirects("ftp://localhost/".into());
    assert!(matches!(
        connect(format!("ws://{here}/")),
        Err(Error::Url(_))
    ));
}

#[test]
fn a_client_that_is_refused_reads_why() {
    let (address, server) = serve(|stream| {
        let refuse = |_: &Request, _: Response| {
            let mut refusal = ErrorResponse::new(Some("not today".into()));
            *refusal.status_mut() = http::StatusCode::FORBIDDEN;
            Err(refusal)
        };
        accept_hdr(stream, refuse)
            .map(drop)
            .map_err(|error| format!("{error:?}"))
    });
    let Err(Error::Http(response)) = connect(format!("ws://{address}/")) else {
        unreachable!("it is refused")
    };
    assert_eq!(response.status(), 403);
    assert!(server.join().unwrap().unwrap_err().contains("403"));
    let (address, server) =
        serve(|stream| accept(stream).map(drop).map_err(|error| error.to_string()));
    let mut stream = TcpStream::connect(address).unwrap();
    stream
        .write_all(
            b"GET / HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
        )
        .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(
        answer.starts_with("HTTP/1.1 426 Upgrade Required\r\nsec-websocket-version: 13\r\n"),
        "{answer}"
    );
    assert!(server.join().unwrap().is_err());
}

/// Two ends in one thread: what either writes, the other reads.
#[derive(Clone, Default)]
struct Pipe {
    bytes: std::rc::Rc<std::cell::RefCell<[Vec<u8>; 2]>>,
    end: usize,
    /// All bytes that were written to either end.
    written: std::rc::Rc<std::cell::Cell<usize>>,
}

impl Pipe {
    fn pair() -> [Self; 2] {
        let one = Self::default();
        let other = Self {
            end: 1,
            ..one.clone()
        };
        [one, other]
    }
}

impl Read for Pipe {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        let incoming = &mut self.bytes.borrow_mut()[self.end];
        if incoming.is_empty() {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let n = room.len().min(incoming.len());
        room[..n].copy_from_slice(&incoming[..n]);
        incoming.drain(..n);
        Ok(n)
    }
}

impl Write for Pipe {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.bytes.borrow_mut()[1 - self.end].extend_from_slice(bytes);
        self.written.set(self.written.get() + bytes.len());
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

type Ends = (
    WebSocket<Pipe>,
    WebSocket<Pipe>,
    tungstenite::handshake::client::Response,
);

/// Both opening handshakes, which wait for each other.
fn meet(client: WebSocketConfig, server: WebSocketConfig, request: &str) -> Result<Ends, Error> {
    use tungstenite::HandshakeError::{Failure, Interrupted};
    let [near, far] = Pipe::pair();
    let mut request = request.into_client_request()?;
    if request.uri().path() == "/own" {
        let own = "permessage-deflate; x-own".parse().unwrap();
        request
            .headers_mut()
            .insert("sec-websocket-extensions", own);
    }
    let Err(Interrupted(waits)) = client_with_config(request, near, Some(client)) else {
        unreachable!("nobody has answered")
    };
    let server = match tungstenite::accept_with_config(far, Some(server)) {
        Ok(server) => server,
        Err(Failure(error)) => return Err(error),
        Err(Interrupted(_)) => unreachable!("the request is there"),
    };
    match waits.handshake() {
        Ok((client, response)) => Ok((client, server, response)),
        Err(Failure(error)) => Err(error),
        Err(Interrupted(_)) => unreachable!("the response is there"),
    }
}

#[cfg(feature = "deflate")]
mod deflate {
    use tungstenite::protocol::Deflate;

    use super::*;

    fn with(deflate: Deflate) -> WebSocketConfig {
        WebSocketConfig::default().deflate(Some(deflate))
    }

    fn sent(from: &mut WebSocket<Pipe>, to: &mut WebSocket<Pipe>, text: &str) -> usize {
        let before = from.get_ref().written.get();
        from.send(text.into()).unwrap();
        assert_eq!(to.read().unwrap(), Message::text(text));
        from.get_ref().written.get() - before
    }

    /// RFC 7692 §5.1, §7: where both ends want it messages are compressed, both ways.
    #[test]
    fn messages_are_compressed() {
        let text = "the same again and again, ".repeat(100);
        for takeover in [false, true] {
            let deflate = Deflate::default().level(6).context_takeover(takeover);
            let (mut client, mut server, response) =
                meet(with(deflate), with(deflate), "ws://h/").unwrap();
            let agreed = response.headers()["sec-websocket-extensions"]
                .to_str()
                .unwrap();
            assert!(agreed.starts_with("permessage-deflate"), "{agreed}");
            assert_eq!(agreed.contains("no_context_takeover"), !takeover);
            let first = sent(&mut client, &mut server, &text);
            let again = sent(&mut client, &mut server, &text);
            assert!(first < 100, "{first} bytes for {}", text.len());
            assert_eq!(again < first, takeover, "{again} bytes after {first}");
            assert!(sent(&mut server, &mut client, &text) < 100);
            // A message of the application's own making goes out as it is.
            let frame = Frame::message("raw", coding::OpCode::Data(coding::Data::Text), true);
            client.send(Message::Frame(frame)).unwrap();
            assert_eq!(server.read().unwrap(), Message::text("raw"));
        }
    }

    #[test]
    fn it_takes_both_ends() {
        let plain = WebSocketConfig::default();
        let deflate = with(Deflate::default());
        for (client, server) in [(deflate, plain), (plain, deflate)] {
            let (mut client, mut server, response) = meet(client, server, "ws://h/").unwrap();
            assert!(!response.headers().contains_key("sec-websocket-extensions"));
            assert!(sent(&mut client, &mut server, &"a".repeat(1000)) > 1000);
            assert!(sent(&mut server, &mut client, &"a".repeat(1000)) > 1000);
        }
        // The application's own offer stays as it is.
        let (_, _, response) = meet(deflate, plain, "ws://h/own").unwrap();
        assert!(!response.headers().contains_key("sec-websocket-extensions"));
    }

    /// RFC 7692 §8: what a message inflates to counts.
    #[test]
    fn limits_hold_after_decompression() {
        let deflate = with(Deflate::default());
        let server = deflate.max_message_size(Some(10_000));
        let (mut client, mut server, _) = meet(deflate, server, "ws://h/").unwrap();
        client.send("a".repeat(10_001).into()).unwrap();
        assert!(matches!(server.read(), Err(Error::Capacity(_))));
    }
}

/// RFC 6455 §5.4: with either role, whatever the cuts, nothing is lost and nothing changes.
#[test]
fn many_messages_in_pieces() {
    let config = WebSocketConfig::default().read_buffer_size(1);
    let (mut client, mut server, _) = meet(config, config, "ws://h/").unwrap();
    for round in 0..50 {
        let message = Message::binary(vec![round; usize::from(round) * 40]);
        let (from, to) = match round % 2 {
            0 => (&mut client, &mut server),
            _ => (&mut server, &mut client),
        };
        from.write(Message::Ping(vec![round].into())).unwrap();
        from.send(message.clone()).unwrap();
        assert_eq!(to.read().unwrap(), Message::Ping(vec![round].into()));
        assert_eq!(to.read().unwrap(), message);
        to.flush().unwrap();
        assert_eq!(from.read().unwrap(), Message::Pong(vec![round].into()));
    }
    assert!(
        matches!(client.read(), Err(Error::Io(error)) if error.kind() == io::ErrorKind::WouldBlock)
    );
}

/// A server's large message is queued by reference, in order with the others.
#[test]
fn large_messages_and_raw_frames_stay_in_order() {
    let [near, far] = Pipe::pair();
    let mut server = WebSocket::from_raw_socket(
        near,
        Role::Server,
        Some(WebSocketConfig::default().write_buffer_size(1 << 20)),
    );
    let mut client = WebSocket::from_raw_socket(far, Role::Client, None);
    let large = "x".repeat(100_000);
    let part = |text: &'static str, opcode, last| {
        Message::Frame(Frame::message(text, coding::OpCode::Data(opcode), last))
    };
    server.write(large.as_str().into()).unwrap();
    server.write(part("a", coding::Data::Text, false)).unwrap();
    server
        .write(part("b", coding::Data::Continue, true))
        .unwrap();
    server.write(large.as_str().into()).unwrap();
    server.write("end".into()).unwrap();
    server.flush().unwrap();
    for text in [large.as_str(), "ab", &large, "end"] {
        assert!(client.read().unwrap() == Message::text(text));
    }
}

/// A stream that is to be plain is not for wss.
#[test]
fn no_tls() {
    use tungstenite::{Connector, HandshakeError, client_tls_with_config};
    let nothing = io::Cursor::new(Vec::new());
    let refused = client_tls_with_config("wss://h/", nothing, None, Some(Connector::Plain));
    assert!(matches!(
        refused,
        Err(HandshakeError::Failure(Error::Url(_)))
    ));
}
