//! `futures-io`, here with smol: one task for each connection, which waits for both directions at once.
//!
//! `cargo run -p drivers --bin over_smol [ADDR [SECONDS [CONNECTIONS]]]`; <http://127.0.0.1:9001/>.
//! A peer may take 30 s (SECONDS) for its request and to answer a ping; 1,000 (CONNECTIONS) are
//! served at once; SIGTERM tells each of them 1001.

use std::time::{Duration, Instant};
use std::{
    env,
    error::Error,
    fmt::Display,
    io,
    io::Write as _,
    pin::{Pin, pin},
    sync::Arc,
    task::Poll,
};

use async_signal::{Signal, Signals};
use sansocket::config::{Limits, Timeouts};
use sansocket::error::{AcceptError, SendError};
use sansocket::{Accept, CloseCode, Connection, Event, OriginPolicy, ServerConfig, Transport};
use sansocket::{Response, extension::PermessageDeflate};
use smol::future::{FutureExt as _, poll_fn};
use smol::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _};
use smol::{Timer, channel, lock::Semaphore, net::TcpListener, stream::StreamExt as _};

const PAGE: &str = include_str!("../page/index.html");

fn main() -> Result<(), Box<dyn Error>> {
    smol::block_on(run())
}

async fn run() -> Result<(), Box<dyn Error>> {
    let mut args = env::args().skip(1);
    let address = args.next().unwrap_or_else(|| "127.0.0.1:9001".into());
    let patience = Duration::from_secs(args.next().map_or(Ok(30), |seconds| seconds.parse())?);
    let places = Arc::new(Semaphore::new(args.next().map_or(Ok(1000), |number| number.parse())?));
    let listener = TcpListener::bind(&address).await?;
    let mut terminate = Signals::new([Signal::Term])?;
    println!("echo server: http://{}/ (WebSocket at /ws)", listener.local_addr()?);

    let (mut limits, mut timeouts) = (Limits::server(), Timeouts::default());
    (limits.frame, limits.message) = (64 << 20, 64 << 20);
    timeouts.handshake = patience;
    (timeouts.ping, timeouts.pong) = (Some(patience), Some(patience));
    let config = ServerConfig::new(OriginPolicy::SameHost).limits(limits).timeouts(timeouts);
    let config = config.deflate(PermessageDeflate::server()).serve_http();
    let (stop, stopped) = channel::bounded::<()>(1);
    let (alive, all_gone) = channel::bounded::<()>(1);
    loop {
        let next = async { Some((places.acquire_arc().await, listener.accept().await)) };
        let Some((place, accepted)) = next.or(async { terminate.next().await.and(None) }).await else {
            break;
        };
        let Ok((stream, peer)) = accepted.inspect_err(|error| log("accept", error)) else {
            Timer::after(Duration::from_millis(500)).await; // there may be descriptors again then
            continue;
        };
        let _ = stream.set_nodelay(true);
        let (ws, stopped, alive) = (Connection::server(&config), stopped.clone(), alive.clone());
        let task = async move {
            drive(stream, ws, peer, pin!(stopped.recv())).await;
            drop((place, alive));
        };
        smol::spawn(task).detach();
    }
    drop((listener, alive));
    stop.close(); // each is told Close, and answers; who does not is left behind
    let late = async { _ = Timer::after(Duration::from_secs(10)).await };
    async { _ = all_gone.recv().await }.or(late).await;
    Ok(())
}

/// The loop of every driver, over any stream: deliver, ask, then what comes first.
async fn drive<S: AsyncRead + AsyncWrite + Unpin>(
    mut stream: S,
    mut ws: Connection,
    peer: impl Display,
    mut stopped: impl Future + Unpin,
) {
    let (born, mut buf, mut read) = (Instant::now(), vec![0; 64 << 10], 0);
    let (mut ended, mut stopping) = (false, false);
    loop {
        ws.advance_time(born.elapsed());
        let mut input = &mut buf[..read];
        read = 0;
        let reads = loop {
            if matches!(ws.can_send(), Err(SendError::Full { .. })) {
                ws.keep_input(&mut input); // and nothing is read until the peer has read
                break false;
            }
            let Some(event) = ws.receive(&mut input) else { break !ended };
            handle(&mut ws, &peer, event).unwrap_or_else(|error| log(&peer, error));
        };
        match ws.transport() {
            _ if !ws.output().is_empty() => {}
            Transport::Close => return,
            Transport::ShutdownWrite => drop(stream.close().await),
            _ => {}
        }
        let mut timer = ws.next_deadline().map_or_else(Timer::never, |at| Timer::at(born + at));
        poll_fn(|cx| {
            if reads && let Poll::Ready(got) = Pin::new(&mut stream).poll_read(cx, &mut buf) {
                match got {
                    Ok(0) => (ended, _) = (true, ws.receive_eof()),
                    Ok(n) => read = n,
                    Err(_) => (ended, _) = (true, ws.transport_lost()),
                }
            } else if !ws.output().is_empty()
                && let Poll::Ready(put) = Pin::new(&mut stream).poll_write(cx, ws.output())
            {
                match put {
                    Ok(n) => ws.consume_output(n),
                    Err(_) => ws.write_lost(), // read on: the peer may have said why
                }
            } else if !stopping && Pin::new(&mut stopped).poll(cx).is_ready() {
                stopping = true;
                let _ = ws.close(CloseCode::GOING_AWAY, "the server stops");
            } else {
                return Pin::new(&mut timer).poll(cx).map(drop);
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
