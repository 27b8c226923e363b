//! Completion IO with compio: the kernel has the buffers while it reads and writes, and no operation is dropped
//! to wait for something else, as what it has read by then would be lost.
//!
//! `cargo run -p drivers --bin over_compio [ADDR [SECONDS [CONNECTIONS]]]`; <http://127.0.0.1:9001/>.
//! A peer may take 30 s (SECONDS) for its request and to answer a ping; 1,000 (CONNECTIONS) are served at once;
//! SIGTERM tells each of them 1001.

use std::time::{Duration, Instant};
use std::{env, error::Error, fmt::Display, io, io::Write as _, pin::pin, sync::Arc, task::Poll};

use async_channel::{Receiver, bounded};
use async_lock::Semaphore;
use compio::io::{AsyncRead, AsyncWrite};
use compio::net::{TcpListener, TcpStream};
use compio::{BufResult, runtime, signal::unix::signal, time};
use futures_lite::future::{FutureExt as _, poll_fn};
use sansocket::config::{Limits, Timeouts};
use sansocket::error::{AcceptError, SendError};
use sansocket::{Accept, CloseCode, Connection, Event, OriginPolicy, ServerConfig, Transport};
use sansocket::{Response, extension::PermessageDeflate};

const PAGE: &str = include_str!("../page/index.html");
const SIGTERM: i32 = 15;
/// The kernel tells after a timer what it had read before.
const GRACE: Duration = Duration::from_millis(20);
const FAR: Duration = Duration::from_secs(86_400);

#[compio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut args = env::args().skip(1);
    let address = args.next().unwrap_or_else(|| "127.0.0.1:9001".into());
    let patience = Duration::from_secs(args.next().map_or(Ok(30), |seconds| seconds.parse())?);
    let places = Arc::new(Semaphore::new(args.next().map_or(Ok(1000), |number| number.parse())?));
    let listener = TcpListener::bind(&address).await?;
    let mut terminate = pin!(signal(SIGTERM));
    println!("echo server: http://{}/ (WebSocket at /ws)", listener.local_addr()?);

    let (mut limits, mut timeouts) = (Limits::server(), Timeouts::default());
    (limits.frame, limits.message) = (256 << 20, 256 << 20);
    timeouts.handshake = patience;
    (timeouts.ping, timeouts.pong) = (Some(patience), Some(patience));
    let config = ServerConfig::new(OriginPolicy::SameHost).limits(limits).timeouts(timeouts);
    let config = config.deflate(PermessageDeflate::server()).serve_http();
    let (stop, stopped) = bounded::<()>(1);
    let (alive, all_gone) = bounded::<()>(1);
    loop {
        let next = async { Some((places.acquire_arc().await, listener.accept().await)) };
        let Some((place, accepted)) = next.or(async { terminate.as_mut().await.ok().and(None) }).await else {
            break;
        };
        let Ok((stream, peer)) = accepted.inspect_err(|error| log("accept", error)) else {
            time::sleep(Duration::from_millis(500)).await; // there may be descriptors again then
            continue;
        };
        let _ = stream.set_nodelay(true);
        let (ws, stopped, alive) = (Connection::server(&config), stopped.clone(), alive.clone());
        let task = async move {
            drive(stream, ws, peer, stopped).await;
            drop((place, alive));
        };
        runtime::spawn(task).detach();
    }
    drop((listener, alive));
    stop.close(); // each is told Close, and answers; who does not is left behind
    let _ = time::timeout(Duration::from_secs(10), all_gone.recv()).await;
    Ok(())
}

async fn read(mut stream: &TcpStream, buf: Vec<u8>) -> BufResult<usize, Vec<u8>> {
    stream.read(buf).await
}

async fn write(mut stream: &TcpStream, buf: Vec<u8>) -> BufResult<usize, Vec<u8>> {
    stream.write(buf).await
}

/// The loop of every driver: deliver, ask, begin what can be begun, then what comes first.
async fn drive(stream: TcpStream, mut ws: Connection, peer: impl Display, stopped: Receiver<()>) {
    let (born, mut ended, mut stopping) = (Instant::now(), false, false);
    // Each is either here or with the kernel.
    let (mut input, mut output) = (Some(Vec::with_capacity(64 << 10)), Some(Vec::with_capacity(64 << 10)));
    let (mut reading, mut writing) = (pin!(None), pin!(None));
    let mut stop = pin!(stopped.recv());
    loop {
        ws.advance_time(born.elapsed());
        let mut unread = input.as_mut().map_or(&mut [][..], |input| &mut input[..]);
        let reads = loop {
            if matches!(ws.can_send(), Err(SendError::Full { .. })) {
                ws.keep_input(&mut unread); // and nothing is read until the peer has read
                break false;
            }
            let Some(event) = ws.receive(&mut unread) else { break !ended };
            handle(&mut ws, &peer, event).unwrap_or_else(|error| log(&peer, error));
        };
        input.as_mut().map(Vec::clear);
        if reads && let Some(buf) = input.take() {
            reading.set(Some(read(&stream, buf)));
        }
        if !ws.output().is_empty()
            && let Some(mut buf) = output.take()
        {
            buf.clear();
            buf.extend_from_slice(&ws.output()[..ws.output().len().min(buf.capacity())]);
            writing.set(Some(write(&stream, buf)));
        }
        match ws.transport() {
            _ if !ws.output().is_empty() => {}
            Transport::Close => return,
            Transport::ShutdownWrite => drop((&stream).shutdown().await),
            _ => {}
        }
        let deadline = born + ws.next_deadline().unwrap_or(FAR);
        let mut timer = pin!(async {
            time::sleep_until(deadline).await;
            time::sleep(GRACE).await;
        });
        // What was written was so before what came as its answer, and that before the deadline.
        poll_fn(|cx| {
            if let Some(op) = writing.as_mut().as_pin_mut()
                && let Poll::Ready(BufResult(put, buf)) = op.poll(cx)
            {
                writing.set(None);
                output = Some(buf);
                match put {
                    Ok(n) => ws.consume_output(n),
                    Err(_) => ws.write_lost(), // read on: the peer may have said why
                }
            } else if let Some(op) = reading.as_mut().as_pin_mut()
                && let Poll::Ready(BufResult(got, buf)) = op.poll(cx)
            {
                reading.set(None);
                input = Some(buf);
                match got {
                    Ok(0) => (ended, _) = (true, ws.receive_eof()),
                    Ok(_) => {}
                    Err(_) => (ended, _) = (true, ws.transport_lost()),
                }
            } else if !stopping && stop.as_mut().poll(cx).is_ready() {
                stopping = true;
                let _ = ws.close(CloseCode::GOING_AWAY, "the server stops");
            } else {
                return timer.as_mut().poll(cx);
            }
            Poll::Ready(())
        })
        .await;
    }
}

fn handle(ws: &mut Connection, peer: &impl Display, event: Event<'_>) -> Result<(), AcceptError> {
    match event {
        Event::Request(request) if request.path() == "/ws" => ws.accept(Accept::new())?,
        Event::Http(request) if request.path() == "/" => {
            let page = Response::new(200).header("Content-Type", b"text/html; charset=utf-8")?;
            ws.respond(page.body(PAGE))?;
        }
        Event::Request(_) | Event::Http(_) => ws.respond(Response::new(404).body("404\n"))?,
        Event::Message(message) => drop(ws.send(&message)),
        Event::Closed(report) => log(peer, report),
        _ => {}
    }
    Ok(())
}

/// Where nobody reads the log any more, the server goes on without.
fn log(who: impl Display, what: impl Display) {
    let _ = writeln!(io::stderr(), "{who}: {what}");
}
