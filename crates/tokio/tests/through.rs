//! Messages past the queue: what is sent from where it lies leaves as what is sent by way of the queue, wherever the
//! stream stops, waits or fails.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by a panic")]

mod support;

use std::cell::{RefCell, RefMut};
use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use sansocket_tokio::sansocket::config::Limits;
use sansocket_tokio::sansocket::entropy::Entropy;
use sansocket_tokio::sansocket::error::{NoEntropy, SendError};
use sansocket_tokio::sansocket::{Outgoing, Role};
use sansocket_tokio::{
    ClientConfig, Connection, Error, Negotiated, OriginPolicy, Prepared, ServerConfig, WebSocket,
};
use support::quiet;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::timeout;

// ── a stream

/// What a write comes to.
#[derive(Clone, Copy, Debug)]
enum Step {
    Takes(usize),
    Waits,
    Fails,
}

/// What was written to a stream, and what it does next.
#[derive(Default)]
struct Seen {
    wire: Vec<u8>,
    /// Where the pieces of each write lay, and how long they were.
    writes: Vec<Vec<(usize, usize)>>,
    /// The last one first; then it takes all.
    steps: Vec<Step>,
    /// How often a flush waits.
    flushes_wait: usize,
    waker: Option<Waker>,
    failed: bool,
}

/// It is never read from.
struct Stream {
    seen: Rc<RefCell<Seen>>,
    vectored: bool,
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        _: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.seen.borrow().failed {
            return Poll::Ready(Ok(()));
        }
        Poll::Pending
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.seen.borrow_mut().write(cx, &[IoSlice::new(bytes)])
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        assert!(self.vectored);
        self.seen.borrow_mut().write(cx, pieces)
    }

    fn is_write_vectored(&self) -> bool {
        self.vectored
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut seen = self.seen.borrow_mut();
        if seen.flushes_wait > 0 {
            seen.flushes_wait -= 1;
            seen.waker = Some(cx.waker().clone());
            return Poll::Pending;
        }
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

impl Seen {
    fn write(&mut self, cx: &Context<'_>, pieces: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        assert!(!self.failed, "written after an error");
        let mut given = Vec::new();
        for piece in pieces {
            given.extend_from_slice(piece);
        }
        assert!(!given.is_empty());
        let places = pieces
            .iter()
            .map(|piece| (piece.as_ptr().addr(), piece.len()));
        self.writes.push(places.collect());
        match self.steps.pop().unwrap_or(Step::Takes(usize::MAX)) {
            Step::Waits => {
                self.waker = Some(cx.waker().clone());
                Poll::Pending
            }
            Step::Fails => {
                self.failed = true;
                Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()))
            }
            Step::Takes(n) => {
                self.failed = n == 0;
                let n = n.min(given.len());
                self.wire.extend_from_slice(&given[..n]);
                Poll::Ready(Ok(n))
            }
        }
    }
}

// ── a connection

/// The same keys for all.
struct Keys(u8);

impl Entropy for Keys {
    fn fill(&mut self, out: &mut [u8]) -> Result<(), NoEntropy> {
        for byte in out {
            self.0 = self.0.wrapping_mul(5).wrapping_add(37);
            *byte = self.0;
        }
        Ok(())
    }
}

fn connection(role: Role, limit: u32) -> Connection {
    let mut limits = Limits::server();
    limits.output = limit;
    match role {
        Role::Server => {
            let config = ServerConfig::new(OriginPolicy::Application);
            let config = config.limits(limits).timeouts(quiet());
            Connection::upgraded_server(&config, Negotiated::default())
        }
        Role::Client => {
            let config = ClientConfig::new().limits(limits).timeouts(quiet());
            Connection::upgraded_client_with_entropy(
                &config,
                Negotiated::default(),
                Box::new(Keys(1)),
            )
        }
    }
}

struct End {
    ws: WebSocket<Stream>,
    seen: Rc<RefCell<Seen>>,
    /// By way of the queue.
    model: Connection,
    /// So much of what was written has left the model, too.
    checked: usize,
}

fn over(connection: Connection, vectored: bool) -> (WebSocket<Stream>, Rc<RefCell<Seen>>) {
    let seen = Rc::<RefCell<Seen>>::default();
    let stream = Stream {
        seen: seen.clone(),
        vectored,
    };
    (WebSocket::from_connection(stream, connection), seen)
}

fn end(role: Role, vectored: bool, limit: u32) -> End {
    let (ws, seen) = over(connection(role, limit), vectored);
    End {
        ws,
        seen,
        model: connection(role, u32::MAX),
        checked: 0,
    }
}

fn output(ws: &Connection) -> Vec<u8> {
    let mut pieces = vec![&[][..]; 1000];
    let n = ws.output_slices(&mut pieces);
    pieces[..n].concat()
}

impl End {
    fn seen(&self) -> RefMut<'_, Seen> {
        self.seen.borrow_mut()
    }

    /// What has left since the last time and what is queued are what the model has.
    fn check(&mut self, context: &str) {
        let seen = self.seen.borrow();
        let left = &seen.wire[self.checked..];
        assert!(output(&self.model).starts_with(left), "{context}");
        self.model.consume_output(left.len());
        self.checked = seen.wire.len();
        let ws = self.ws.connection();
        if seen.failed {
            assert_eq!(ws.output_len(), 0, "{context}");
            return;
        }
        assert!(output(&self.model) == output(ws), "{context}");
        let counts = |ws: &Connection| (ws.output_len(), ws.buffered_amount(), ws.state());
        assert_eq!(counts(&self.model), counts(ws), "{context}");
    }
}

/// Polled so often, if it is not ready before.
async fn polled<T>(times: usize, future: impl Future<Output = T>) -> Option<T> {
    let mut future = pin!(future);
    for _ in 0..times {
        if let Poll::Ready(done) = poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx))).await {
            return Some(done);
        }
    }
    None
}

const ROLES: [Role; 2] = [Role::Client, Role::Server];

// ── what is copied

/// The stream sees a large message where it lies, after a header; what it has no room for is copied.
#[tokio::test]
async fn a_large_borrowed_message_is_not_copied() {
    let text = "a text ".repeat(1000);
    let mut bytes = vec![7; 5000];
    let place = bytes.as_ptr().addr();
    let mut client = end(Role::Client, true, 1 << 20);
    client.ws.send(&mut bytes[..]).await.unwrap();
    client.model.send(&[7; 5000]).unwrap();
    assert_eq!(client.seen().writes[0][1], (place, 5000));
    client.check("masked where it is");

    let mut server = end(Role::Server, true, 1 << 20);
    server.seen().steps = vec![Step::Takes(3000), Step::Takes(7)];
    server.ws.try_send(&*text).unwrap();
    server.model.send(&text).unwrap();
    let place = text.as_ptr().addr();
    let writes = server.seen().writes.clone();
    assert_eq!(writes[0][1], (place, 7000));
    assert_eq!(writes[1][0], (place + 3, 6997), "as long as it takes some");
    assert_eq!(writes[2][0], (place + 3003, 3997));
    server.check("in three writes");

    let (_receiver, sender) = server.ws.split();
    sender.send(&*text).await.unwrap();
    sender.try_send(&*text).unwrap();
    let writes = server.seen.borrow().writes.clone();
    assert_eq!([writes[3][1], writes[4][1]], [(place, 7000); 2]);
    sender.send("by way of the queue").await.unwrap();
    assert_eq!(sender.with_connection(|ws| ws.memory_held()), 0);
}

/// What is queued before it leaves in the same write.
#[tokio::test]
async fn what_is_queued_leaves_with_it() {
    let mut server = end(Role::Server, true, 1 << 20);
    let bytes = vec![7; 5000];
    server.ws.feed("before").await.unwrap();
    server.ws.send(&bytes[..]).await.unwrap();
    server.model.send("before").unwrap();
    server.model.send(&bytes).unwrap();
    assert_eq!(server.seen().writes.len(), 1);
    server.check("two messages");
}

/// Of a small message, or where the stream writes one piece at a time, a write has header and payload.
#[tokio::test]
async fn a_header_does_not_leave_by_itself() {
    for role in ROLES {
        for (vectored, len) in [(true, 10), (true, 4000), (false, 10), (false, 100_000)] {
            let mut end = end(role, vectored, 1 << 20);
            let mut bytes = vec![7; len];
            end.model.send(&bytes).unwrap();
            end.ws.send(&mut bytes[..]).await.unwrap();
            assert_eq!(end.seen().writes.len(), 1);
            assert_eq!(end.seen().writes[0].len(), 1);
            end.check("one piece");
        }
    }
}

/// Connections share a prepared message, also where their streams take a part of it.
#[tokio::test]
async fn a_prepared_message_is_shared() {
    let prepared = Prepared::binary(&[7; 1 << 20]);
    let mut server = end(Role::Server, true, 1 << 20);
    server.seen().steps = vec![Step::Waits, Step::Takes(1000)];
    server.ws.send(&prepared).await.unwrap();
    let connection = server.ws.connection();
    assert_eq!(connection.output_len(), (1 << 20) + 10 - 1000);
    assert!(connection.memory_held() < 1 << 16);
}

// ── who waits

struct Flag(AtomicBool);

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::SeqCst);
    }
}

impl Flag {
    fn new() -> Arc<Self> {
        Arc::new(Self(AtomicBool::new(false)))
    }
}

/// A stream that waits wakes the receiver, which writes the rest.
#[tokio::test]
async fn the_rest_of_a_message_leaves_with_the_receiver() {
    let bytes = vec![7; 50_000];
    for step in [None, Some(Step::Takes(1)), Some(Step::Takes(20_000))] {
        let server = end(Role::Server, true, 1 << 20);
        let (mut receiver, sender) = server.ws.split();
        let mut recv = pin!(receiver.recv());
        let flag = Flag::new();
        let waker = flag.clone().into();
        let cx = &mut Context::from_waker(&waker);
        assert!(recv.as_mut().poll(cx).is_pending());
        server.seen.borrow_mut().steps =
            [Step::Waits, Step::Waits].into_iter().chain(step).collect();
        sender.send(&bytes[..]).await.unwrap();
        server.seen.borrow_mut().waker.take().unwrap().wake();
        assert!(flag.0.load(Ordering::SeqCst));
        assert!(recv.as_mut().poll(cx).is_pending());
        assert_eq!(server.seen.borrow().wire.len(), 50_004);
    }
}

/// Who waits for room or for a flush hears of an error of another's write.
#[tokio::test]
async fn an_error_wakes_all() {
    let bytes = vec![7; 50_000];
    for step in [Step::Fails, Step::Takes(0)] {
        let server = end(Role::Server, true, 1 << 20);
        let (_receiver, sender) = server.ws.split();
        sender.feed("waits").await.unwrap();
        server.seen.borrow_mut().steps = vec![step, Step::Waits];
        let another = sender.clone();
        let mut flush = pin!(another.flush());
        let flag = Flag::new();
        let waker = flag.clone().into();
        let cx = &mut Context::from_waker(&waker);
        assert!(flush.as_mut().poll(cx).is_pending());
        sender.send(&bytes[..]).await.unwrap();
        assert!(flag.0.load(Ordering::SeqCst));
        assert_eq!(
            flush.as_mut().poll(cx),
            Poll::Ready(Err(SendError::Closing))
        );
        assert!(sender.send(&bytes[..]).await.is_err());
    }
}

/// A peer that takes a part of another's message is not given up as one that takes nothing for 20 s.
#[tokio::test(start_paused = true)]
async fn what_leaves_past_the_queue_is_progress() {
    let config = ServerConfig::upgraded().default_ping(Duration::from_secs(1));
    let connection = Connection::upgraded_server(&config, Negotiated::default());
    let (ws, seen) = over(connection, true);
    let (_receiver, sender) = ws.split();
    sender.feed("waits").await.unwrap();
    seen.borrow_mut().steps = vec![Step::Waits; 100];
    let another = sender.clone();
    let mut flush = pin!(another.flush());
    assert!(timeout(Duration::from_secs(15), &mut flush).await.is_err());
    seen.borrow_mut().steps.push(Step::Takes(20_000));
    sender.send(&[7; 50_000][..]).await.unwrap();
    let waits = sender.with_connection(|ws| ws.output_len());
    assert!(timeout(Duration::from_secs(19), &mut flush).await.is_err());
    assert_eq!(sender.with_connection(|ws| ws.output_len()), waits);
    // Then a ping is due, which may find it dead.
    assert!(timeout(Duration::from_secs(2), &mut flush).await.is_err());
    assert!(sender.with_connection(|ws| ws.output_len()) > waits);
}

/// What the stream keeps until it is flushed is flushed, at once or by who waits.
#[tokio::test]
async fn it_is_flushed() {
    let mut server = end(Role::Server, true, 1 << 20);
    server.seen().flushes_wait = 2;
    server.ws.send(&[7; 50_000][..]).await.unwrap();
    assert_eq!(server.seen().flushes_wait, 1);
    assert!(polled(1, server.ws.flush()).await.is_none());
    assert!(polled(1, server.ws.flush()).await.is_some());
}

// ── at random

#[derive(Clone)]
struct Chance(u64);

impl Chance {
    fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 20) as usize % n
    }

    fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    fn step(&mut self, len: usize) -> Step {
        match self.below(60) {
            0 => Step::Fails,
            1 => Step::Takes(0),
            2..20 => Step::Waits,
            20..26 => Step::Takes(1),
            26..32 => Step::Takes(7),
            32..44 => Step::Takes(1 + len / 2),
            44..50 => Step::Takes(1 + self.below(len + 20)),
            _ => Step::Takes(usize::MAX),
        }
    }
}

/// Sends, dropped after some polls or tried once. True if it was taken.
async fn send<M: Outgoing>(end: &mut End, chance: &mut Chance, message: M) -> bool {
    let unsent = match chance.below(4) {
        0 => end.ws.try_send(message).err(),
        1 => match polled(chance.below(3), end.ws.feed(message)).await {
            Some(sent) => sent.err(),
            None => return false,
        },
        _ => match polled(chance.below(3), end.ws.send(message)).await {
            Some(sent) => sent.err(),
            None => return false,
        },
    };
    let Some(unsent) = unsent else { return true };
    match unsent.why {
        SendError::Full { .. } => assert!(end.ws.connection().output_len() > 0),
        why => assert!(why == SendError::Closing && end.seen().failed, "{why}"),
    }
    false
}

async fn a_message(end: &mut End, chance: &mut Chance) {
    let len = [0, 10, 4000, 4096, 5000, 70_000][chance.below(6)] + chance.below(200);
    let mut bytes = vec![b'a' + chance.below(20) as u8; len];
    let as_sent = bytes.clone();
    let text = String::from_utf8(bytes.clone()).unwrap();
    let steps = (0..chance.below(5)).map(|_| chance.step(len)).collect();
    end.seen().steps = steps;
    end.seen().flushes_wait = chance.below(2);
    match chance.below(6) {
        0 => {
            if send(end, chance, &mut bytes[..]).await {
                end.model.send(&as_sent).unwrap();
            } else {
                assert_eq!(bytes, as_sent, "as it was");
            }
        }
        1 if send(end, chance, &*text).await => end.model.send(&text).unwrap(),
        2 if send(end, chance, bytes.clone()).await => end.model.send(&as_sent).unwrap(),
        3 if send(end, chance, &Prepared::binary(&bytes)).await => {
            end.model.send(&as_sent).unwrap();
        }
        4 | 5 if send(end, chance, &as_sent[..]).await => end.model.send(&as_sent).unwrap(),
        _ => {}
    }
}

async fn conversation(seed: u64) {
    let mut chance = Chance(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    let (role, vectored) = (ROLES[chance.below(2)], !chance.one_in(4));
    let limit = [1, 6000, 1 << 20][chance.below(3)];
    let mut end = end(role, vectored, limit);
    for n in 0..12 {
        a_message(&mut end, &mut chance).await;
        end.check(&format!("SEED={seed}, {n}"));
        if chance.one_in(4) {
            let _ = polled(chance.below(3), end.ws.flush()).await;
        } else if chance.one_in(4) && end.ws.ping(b"a ping").is_ok() {
            end.model.ping(b"a ping").unwrap();
        }
        end.check(&format!("SEED={seed}, after {n}"));
    }
    end.seen().steps.clear();
    let flushed = end.ws.flush().await;
    end.check(&format!("SEED={seed}, at the end"));
    if end.seen().failed {
        assert_eq!(flushed, Err(SendError::Closing));
        let Some(Err(Error::Closed(closed))) = end.ws.recv().await else {
            panic!("SEED={seed}")
        };
        assert!(!closed.report.clean && closed.io.is_some());
    } else {
        assert_eq!(flushed, Ok(()));
        assert_eq!(end.ws.connection().output_len(), 0, "SEED={seed}");
    }
}

/// `SEEDS=100000` for more of them, `SEED=1` for one.
#[tokio::test(start_paused = true)]
async fn any_stream_gets_what_was_sent() {
    let number = |name| std::env::var(name).ok().map(|text| text.parse().unwrap());
    if let Some(seed) = number("SEED") {
        return conversation(seed).await;
    }
    for seed in 1..=number("SEEDS").unwrap_or(600) {
        conversation(seed).await;
    }
}
