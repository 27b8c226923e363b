//! `over_http2` with streams that do not behave beside others on the same connection, where something is short,
//! stopped for a while, and ended by a signal. The client is made with `h2`, its frames are written here.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by a panic")]

#[rustfmt::skip] // it has the width of its own crate
#[path = "../../tests/support/mod.rs"]
mod support;

use std::fs;
use std::future::poll_fn;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use h2::client::{self, SendRequest};
use h2::ext::Protocol;
use h2::{Reason, RecvStream, SendStream};
use http::{Request, StatusCode};
use support::{Server, frame};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName, pem::PemObject};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

/// Seconds that it waits for clients, however slow the machine is.
const LONG: &str = "3600";
const PATIENCE: Duration = Duration::from_secs(60);

/// A certificate and its key, in files of this test's.
fn certificate(name: &str) -> [String; 2] {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let files = ["pem", "key"].map(|end| folder.join(format!("{name}.{end}")));
    fs::write(&files[0], made.cert.pem()).unwrap();
    fs::write(&files[1], made.signing_key.serialize_pem()).unwrap();
    files.map(|file| file.to_str().unwrap().to_owned())
}

struct Tested {
    server: Server,
    tls: TlsConnector,
}

impl Tested {
    fn start(name: &str, arguments: &[&str]) -> Self {
        let [chain, key] = certificate(name);
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(&chain).unwrap()).unwrap();
        let mut tls = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
        tls.alpn_protocols = vec![b"h2".into()];
        let arguments = [&[&*chain, &*key], arguments].concat();
        let program = Path::new(env!("CARGO_BIN_EXE_over_http2"));
        Self { server: Server::start(program, "", &arguments), tls: TlsConnector::from(Arc::new(tls)) }
    }

    /// A connection of HTTP/2, with its IO in a task.
    async fn connect(&self) -> SendRequest<Bytes> {
        let stream = TcpStream::connect(self.server.address).await.unwrap();
        let name = ServerName::try_from("localhost").unwrap();
        let stream = self.tls.connect(name, stream).await.unwrap();
        // Streams that are not read leave window to the others.
        let mut builder = client::Builder::new();
        builder.initial_connection_window_size(1 << 24);
        let (requests, http) = builder.handshake(stream).await.unwrap();
        tokio::spawn(http);
        requests
    }

    async fn open(&self) -> WebSocket {
        WebSocket::open(&self.connect().await).await
    }
}

/// Asks again and again.
async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let asked = Instant::now();
    while !holds() {
        assert!(asked.elapsed() < PATIENCE, "it never came: {what}");
        sleep(Duration::from_millis(5)).await;
    }
}

struct WebSocket {
    output: SendStream<Bytes>,
    body: RecvStream,
    read: BytesMut,
}

impl WebSocket {
    async fn open(requests: &SendRequest<Bytes>) -> Self {
        let mut requests = requests.clone().ready().await.unwrap();
        // It comes with the first SETTINGS.
        until("extended CONNECT", || requests.is_extended_connect_protocol_enabled()).await;
        let request = Request::connect("https://localhost/ws").header("sec-websocket-version", "13");
        let request = request.extension(Protocol::from_static("websocket")).body(()).unwrap();
        let (response, output) = requests.send_request(request, false).unwrap();
        let response = response.await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        Self { output, body: response.into_body(), read: BytesMut::new() }
    }

    fn send(&mut self, first: u8, payload: &[u8]) {
        self.output.send_data(frame(first, payload).into(), false).unwrap();
    }

    /// What has come next; `None` is the end of the stream, and of what it ended with.
    async fn data(&mut self) -> Result<Option<Bytes>, h2::Error> {
        loop {
            let data = timeout(PATIENCE, self.body.data()).await.unwrap();
            let Some(data) = data.transpose()? else { return Ok(None) };
            self.body.flow_control().release_capacity(data.len())?;
            if !data.is_empty() {
                return Ok(Some(data));
            }
        }
    }

    async fn take(&mut self, n: usize) -> BytesMut {
        while self.read.len() < n {
            let data = self.data().await.unwrap().unwrap();
            self.read.extend_from_slice(&data);
        }
        self.read.split_to(n)
    }

    async fn frame(&mut self) -> (u8, BytesMut) {
        let start = self.take(2).await;
        let len = match start[1] {
            126 => self.take(2).await,
            127 => self.take(8).await,
            len => BytesMut::from(&[len][..]),
        };
        let len = len.iter().fold(0, |len, byte| len << 8 | usize::from(*byte));
        (start[0], self.take(len).await)
    }

    async fn assert_echo(&mut self, text: &str) {
        self.send(0x81, text.as_bytes());
        loop {
            match self.frame().await {
                (0x89, ping) => self.send(0x8a, &ping),
                (first, payload) => {
                    assert!((first, &payload[..]) == (0x81, text.as_bytes()), "{first:x}");
                    return;
                }
            }
        }
    }

    /// Sends what the server never gets to send back, as nothing is read here.
    async fn stuff(&mut self) {
        let message: Bytes = frame(0x82, &[0; 50_000]).into();
        loop {
            self.output.reserve_capacity(message.len());
            while self.output.capacity() < message.len() {
                let room = poll_fn(|cx| self.output.poll_capacity(cx));
                let Ok(room) = timeout(Duration::from_millis(500), room).await else { return };
                room.unwrap().unwrap();
            }
            self.output.send_data(message.clone(), false).unwrap();
        }
    }
}

#[tokio::test]
async fn messages_come_back() {
    let tested = Tested::start("messages", &[LONG]);
    let http = tested.connect().await;
    let mut a = WebSocket::open(&http).await;
    let mut b = WebSocket::open(&http).await;
    a.assert_echo("Hello").await;
    b.assert_echo(&"x".repeat(3_000_000)).await;
    a.assert_echo(&"y".repeat(300_000)).await;
    // RFC 8441 §5: after both Close frames, the stream ends as TCP would.
    a.send(0x88, b"\x03\xe8");
    assert_eq!(a.frame().await, (0x88, BytesMut::from(&b"\x03\xe8"[..])));
    assert_eq!(a.data().await.unwrap(), None);
    b.assert_echo("still there").await;
    until("a line of the log", || {
        tested.server.log().contains("closed cleanly, code 1000, begun by the peer")
    })
    .await;
}

#[tokio::test]
async fn the_page_and_other_requests() {
    let tested = Tested::start("page", &[LONG]);
    let mut http = tested.connect().await.ready().await.unwrap();
    for (method, path, status, part) in
        [("GET", "/", 200, "Every message comes back"), ("GET", "/ws", 400, ""), ("GET", "/other", 404, "")]
    {
        let request = Request::builder().method(method).uri(format!("https://localhost{path}"));
        let (response, _) = http.send_request(request.body(()).unwrap(), true).unwrap();
        let response = response.await.unwrap();
        assert_eq!(response.status(), status, "{path}");
        let mut body = response.into_body();
        let mut text = Vec::new();
        while let Some(data) = body.data().await {
            text.extend_from_slice(&data.unwrap());
        }
        assert!(String::from_utf8(text).unwrap().contains(part), "{path}");
    }
}

/// What broke a rule hears which, before its stream ends.
#[tokio::test]
async fn a_failure_has_its_last_words() {
    let tested = Tested::start("failure", &[LONG]);
    let mut ws = tested.open().await;
    ws.send(0x81, b"\xff");
    let (first, close) = ws.frame().await;
    assert_eq!((first, &close[..2]), (0x88, &1007_u16.to_be_bytes()[..]));
    assert_eq!(ws.data().await.unwrap(), None);
}

#[tokio::test]
async fn sigterm() {
    let mut tested = Tested::start("sigterm", &[LONG]);
    let http = tested.connect().await;
    let mut clients = Vec::new();
    for _ in 0..20 {
        clients.push(WebSocket::open(&http).await);
    }
    let silent = WebSocket::open(&http).await;
    let mut greedy = tested.open().await;
    greedy.stuff().await;
    let sent = Instant::now();
    tested.server.signal("TERM");
    for client in &mut clients {
        let (first, payload) = client.frame().await;
        assert_eq!((first, &payload[..]), (0x88, &b"\x03\xe9the server stops"[..]));
        client.send(0x88, b"\x03\xe9");
        assert_eq!(client.data().await.unwrap(), None);
    }
    assert!(tested.server.wait().success());
    let took = sent.elapsed();
    assert!(took < Duration::from_secs(40), "{took:?}");
    drop((silent, greedy));
}

/// They are cut one by one, and meanwhile the others on the same connection go on.
#[tokio::test]
async fn streams_that_never_read() {
    let tested = Tested::start("unread", &["2"]);
    let http = tested.connect().await;
    let mut greedy = Vec::new();
    for _ in 0..5 {
        let mut ws = WebSocket::open(&http).await;
        ws.stuff().await;
        greedy.push(ws);
    }
    WebSocket::open(&http).await.assert_echo("Hello").await;
    for mut ws in greedy {
        let reset = poll_fn(|cx| ws.output.poll_reset(cx));
        assert_eq!(timeout(PATIENCE, reset).await.unwrap().unwrap(), Reason::CANCEL);
    }
    WebSocket::open(&http).await.assert_echo("Hello").await;
}

#[tokio::test]
async fn a_connection_that_does_nothing() {
    let tested = Tested::start("nothing", &["1"]);
    tested.open().await.assert_echo("Hello").await;
    let idle = tested.server.descriptors() - 1;
    let without_tls = TcpStream::connect(tested.server.address).await.unwrap();
    let without_streams = tested.connect().await;
    until("they have gone", || tested.server.descriptors() <= idle).await;
    drop((without_tls, without_streams));
}

#[tokio::test]
async fn stopped_for_longer_than_its_timeouts() {
    let tested = Tested::start("stopped", &["3"]);
    let mut ws = tested.open().await;
    let (first, ping) = ws.frame().await;
    assert_eq!(first, 0x89);
    tested.server.signal("STOP");
    ws.send(0x8a, &ping);
    sleep(Duration::from_secs(7)).await;
    tested.server.signal("CONT");
    ws.assert_echo("still there").await;
}

#[tokio::test]
async fn a_failed_accept_is_tried_again() {
    let tested = Tested::start("descriptors", &[LONG]);
    tested.server.limit_descriptors(1);
    let waiting = TcpStream::connect(tested.server.address).await.unwrap();
    until("a line of the log", || tested.server.log().contains("os error 24")).await;
    tested.server.limit_descriptors(1000);
    drop(waiting);
    tested.open().await.assert_echo("Hello").await;
}
