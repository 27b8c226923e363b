//! Both halves of both ends as tasks of their own, polled in thousands of orders over a stream that keeps
//! one waker for each direction, cuts, stalls, holds what is not flushed, and takes one piece or several. A task that sleeps although
//! something has happened to its end shows as a deadlock.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by a panic")]

mod support;

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::fmt;
use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use sansocket_tokio::sansocket::config::Limits;
use sansocket_tokio::{
    ClientConfig, CloseCode, Connection, Negotiated, OriginPolicy, Receiver, Sender, ServerConfig,
    WebSocket,
};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// A small generator of numbers, the same for all.
#[derive(Clone)]
struct Chance(Rc<Cell<u64>>);

impl Chance {
    fn below(&self, n: usize) -> usize {
        let mut x = self.0.get();
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        self.0.set(x);
        (x >> 20) as usize % n
    }

    fn one_in(&self, n: usize) -> bool {
        self.below(n) == 0
    }
}

// ── the stream

/// One direction.
#[derive(Default)]
struct Pipe {
    /// Written, and not flushed.
    kept: Vec<u8>,
    bytes: VecDeque<u8>,
    room: usize,
    ended: bool,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

impl fmt::Display for Pipe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (kept, bytes, room) = (self.kept.len(), self.bytes.len(), self.room);
        let waits = (self.reader.is_some(), self.writer.is_some());
        write!(
            f,
            "{kept} kept, {bytes} of {room} there, reader and writer wait: {waits:?}"
        )
    }
}

struct Stream {
    from: Rc<RefCell<Pipe>>,
    to: Rc<RefCell<Pipe>>,
    vectored: bool,
    chance: Chance,
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let mut pipe = self.from.borrow_mut();
        // Who was told "ready" is not told again: nobody is woken for nothing.
        pipe.reader = None;
        if pipe.bytes.is_empty() && pipe.ended {
            return Poll::Ready(Ok(()));
        }
        if pipe.bytes.is_empty() || self.chance.one_in(4) {
            pipe.reader = Some(cx.waker().clone());
            return Poll::Pending;
        }
        let n = 1 + self.chance.below(pipe.bytes.len().min(buf.remaining()));
        for byte in pipe.bytes.drain(..n) {
            buf.put_slice(&[byte]);
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let mut pipe = self.to.borrow_mut();
        pipe.writer = None;
        assert!(!pipe.ended, "written after the end");
        let room = pipe.room - pipe.bytes.len() - pipe.kept.len();
        if room == 0 {
            // As a stream has to that is full of what nobody has flushed.
            let kept = std::mem::take(&mut pipe.kept);
            pipe.bytes.extend(kept);
        }
        if room == 0 || self.chance.one_in(4) {
            pipe.writer = Some(cx.waker().clone());
            return Poll::Pending;
        }
        let n = 1 + self.chance.below(room.min(bytes.len()));
        pipe.kept.extend_from_slice(&bytes[..n]);
        Poll::Ready(Ok(n))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let bytes: Vec<u8> = pieces.iter().flat_map(|piece| piece.to_vec()).collect();
        self.poll_write(cx, &bytes)
    }

    fn is_write_vectored(&self) -> bool {
        self.vectored
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut pipe = self.to.borrow_mut();
        pipe.writer = None;
        if self.chance.one_in(4) {
            pipe.writer = Some(cx.waker().clone());
            return Poll::Pending;
        }
        let kept = std::mem::take(&mut pipe.kept);
        pipe.bytes.extend(kept);
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        std::task::ready!(self.as_mut().poll_flush(cx))?;
        self.to.borrow_mut().ended = true;
        Poll::Ready(Ok(()))
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.to.borrow_mut().ended = true;
    }
}

/// Wakes somebody who waits for what there is now. False if there is nobody.
fn something_happens(pipes: &[Rc<RefCell<Pipe>>], chance: &Chance) -> bool {
    let start = chance.below(2 * pipes.len());
    for at in 0..2 * pipes.len() {
        let at = (start + at) % (2 * pipes.len());
        let mut pipe = pipes[at / 2].borrow_mut();
        let waker = if at.is_multiple_of(2) {
            let readable = !pipe.bytes.is_empty() || pipe.ended;
            readable.then(|| pipe.reader.take()).flatten()
        } else {
            let writable = pipe.bytes.len() < pipe.room;
            writable.then(|| pipe.writer.take()).flatten()
        };
        drop(pipe);
        if let Some(waker) = waker {
            waker.wake();
            return true;
        }
    }
    false
}

// ── the tasks

struct Flag(AtomicBool);

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::SeqCst);
    }
}

struct Task<'a> {
    name: &'static str,
    woken: Arc<Flag>,
    future: Pin<Box<dyn Future<Output = ()> + 'a>>,
}

fn task<'a>(name: &'static str, future: impl Future<Output = ()> + 'a) -> Task<'a> {
    Task {
        name,
        woken: Arc::new(Flag(AtomicBool::new(true))),
        future: Box::pin(future),
    }
}

fn run(mut tasks: Vec<Task<'_>>, pipes: &[Rc<RefCell<Pipe>>], chance: &Chance) {
    while !tasks.is_empty() {
        let woken: Vec<usize> = (0..tasks.len())
            .filter(|at| tasks[*at].woken.0.load(Ordering::SeqCst))
            .collect();
        if woken.is_empty() || chance.one_in(3) {
            let happened = something_happens(pipes, chance);
            if woken.is_empty() && !happened {
                let names: Vec<_> = tasks.iter().map(|task| task.name).collect();
                let pipes: Vec<_> = pipes.iter().map(|pipe| pipe.borrow().to_string()).collect();
                panic!("all asleep: {names:?}, {pipes:?}");
            }
            continue;
        }
        let at = woken[chance.below(woken.len())];
        let task = &mut tasks[at];
        task.woken.0.store(false, Ordering::SeqCst);
        let waker = task.woken.clone().into();
        if task
            .future
            .as_mut()
            .poll(&mut Context::from_waker(&waker))
            .is_ready()
        {
            tasks.remove(at);
        }
    }
}

/// Drops a future that waits now and then, and makes a new one.
async fn perhaps_dropped<T>(chance: &Chance, mut make: impl AsyncFnMut() -> T) -> T {
    loop {
        let mut future = pin!(make());
        let done = poll_fn(|cx| match future.as_mut().poll(cx) {
            Poll::Ready(done) => Poll::Ready(Some(done)),
            Poll::Pending if chance.one_in(4) => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        })
        .await;
        if let Some(done) = done {
            return done;
        }
    }
}

// ── the conversation

const SENDERS: usize = 2;
const MESSAGES: usize = 12;

/// What the receivers and the senders of both ends have done.
#[derive(Default)]
struct Done {
    received: Cell<usize>,
    sent: Cell<usize>,
    waker: RefCell<Option<Waker>>,
}

impl Done {
    fn another(&self, count: &Cell<usize>) {
        count.set(count.get() + 1);
        if let Some(waker) = self.waker.borrow_mut().take() {
            waker.wake();
        }
    }

    async fn all_sent(&self) {
        poll_fn(|cx| {
            if self.sent.get() == 2 * SENDERS {
                return Poll::Ready(());
            }
            *self.waker.borrow_mut() = Some(cx.waker().clone());
            Poll::Pending
        })
        .await;
    }
}

async fn receive(mut receiver: Receiver<Stream>, done: &Done, chance: &Chance) {
    let mut next = [0; SENDERS];
    while let Some(message) = perhaps_dropped(chance, async || receiver.recv().await).await {
        let message = message.unwrap();
        let bytes = message.as_bytes();
        let (sender, number) = (usize::from(bytes[0]), usize::from(bytes[1]));
        assert_eq!(number, next[sender], "in order, and once");
        next[sender] += 1;
        done.another(&done.received);
    }
    assert_eq!(next, [MESSAGES; SENDERS]);
    let report = receiver.report().unwrap();
    assert!(report.clean && report.code == 1000, "{report}");
}

async fn send(sender: Sender<Stream>, me: usize, done: &Done, chance: &Chance) {
    for number in 0..MESSAGES {
        // From 4 KiB on it goes past the queue.
        let len = match chance.below(32) {
            0 => 4096 + chance.below(500),
            1..9 => chance.below(500),
            _ => chance.below(20),
        };
        let mut message = vec![7; 2 + len];
        (message[0], message[1]) = (me as u8, number as u8);
        if chance.one_in(2) {
            perhaps_dropped(chance, async || sender.send(&message[..]).await)
                .await
                .unwrap();
        } else {
            perhaps_dropped(chance, async || sender.feed(&message[..]).await)
                .await
                .unwrap();
        }
        if chance.one_in(4) {
            perhaps_dropped(chance, async || sender.flush().await)
                .await
                .unwrap();
        }
    }
    done.another(&done.sent);
}

/// Writes for others now and then, also while the connection ends.
async fn flush(sender: Sender<Stream>, chance: &Chance) {
    for _ in 0..60 {
        let _ = perhaps_dropped(chance, async || sender.flush().await).await;
        let mut again = false;
        poll_fn(|cx| {
            cx.waker().wake_by_ref();
            if std::mem::replace(&mut again, true) {
                Poll::Ready(())
            } else {
                Poll::Pending
            }
        })
        .await;
    }
}

async fn close(sender: Sender<Stream>, done: &Done) {
    done.all_sent().await;
    sender.close(CloseCode::NORMAL_CLOSURE, "").await.unwrap();
}

fn conversation(seed: u64) {
    let chance = &Chance(Rc::new(Cell::new(
        seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1,
    )));
    let pipes = [(); 2].map(|()| {
        Rc::new(RefCell::new(Pipe {
            room: 1 + chance.below([300, 6000][chance.below(2)]),
            ..Pipe::default()
        }))
    });
    let vectored = chance.one_in(2);
    let stream = |from: usize, to: usize| Stream {
        from: pipes[from].clone(),
        to: pipes[to].clone(),
        vectored,
        chance: chance.clone(),
    };
    let mut limits = Limits::server();
    limits.output = [1, 50, 1 << 20][chance.below(3)];
    let server = ServerConfig::new(OriginPolicy::Application).limits(limits);
    let server = Connection::upgraded_server(&server, Negotiated::default());
    let client = ClientConfig::new().limits(limits);
    let client = Connection::upgraded_client(&client, Negotiated::default());
    let done = &Done::default();

    let mut tasks = Vec::new();
    let (from_server, to_server) = WebSocket::from_connection(stream(0, 1), client).split();
    let (from_client, to_client) = WebSocket::from_connection(stream(1, 0), server).split();
    for me in 0..SENDERS {
        tasks.push(task(
            "client's sender",
            send(to_server.clone(), me, done, chance),
        ));
        tasks.push(task(
            "server's sender",
            send(to_client.clone(), me, done, chance),
        ));
    }
    tasks.push(task("client's flusher", flush(to_server.clone(), chance)));
    tasks.push(task("server's flusher", flush(to_client.clone(), chance)));
    let closer = if chance.one_in(2) {
        to_server
    } else {
        to_client
    };
    tasks.push(task("closer", close(closer, done)));
    tasks.push(task(
        "client's receiver",
        receive(from_server, done, chance),
    ));
    tasks.push(task(
        "server's receiver",
        receive(from_client, done, chance),
    ));
    run(tasks, &pipes, chance);
    assert_eq!(done.received.get(), 2 * SENDERS * MESSAGES);
}

/// `SCHEDULES=100000` for more of them, `SCHEDULE=SEED` for one.
#[test]
fn no_order_of_polls_loses_or_sleeps() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    // For timers, which never pass here.
    let _entered = runtime.enter();
    let number = |name| {
        std::env::var(name)
            .ok()
            .map(|text| text.parse::<u64>().unwrap())
    };
    if let Some(seed) = number("SCHEDULE") {
        return conversation(seed);
    }
    for seed in 1..=number("SCHEDULES").unwrap_or(1500) {
        let outcome = std::panic::catch_unwind(|| conversation(seed));
        assert!(outcome.is_ok(), "SCHEDULE={seed}");
    }
}
