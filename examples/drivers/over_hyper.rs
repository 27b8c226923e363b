//! hyper 1 by hand: it reads the request and answers it, the core has the stream that it gives up.
//!
//! `cargo run -p drivers --bin over_hyper [ADDR [SECONDS [CONNECTIONS]]]`; <http://127.0.0.1:9001/>.
//! A peer may take 30 s (SECONDS) for its request and to answer a ping; 1,000 (CONNECTIONS) are
//! served at once; SIGTERM tells each of them 1001.

use std::time::{Duration, Instant};
use std::{env, error::Error, fmt::Display, future, io, io::Write as _, net::SocketAddr, sync::Arc};

use hyper::{Request, Response, server::conn::http1, service::service_fn, upgrade};
use hyper_util::rt::{TokioIo, TokioTimer};
use sansocket::config::{Limits, Timeouts};
use sansocket::handshake::{ForeignResponse, Upgrade};
use sansocket::{Accept, CloseCode, Connection, Event, OriginPolicy, ServerConfig, Transport};
use sansocket::{error::SendError, extension::PermessageDeflate};
use tokio::io::{AsyncReadExt, AsyncWriteExt, split};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::{net::TcpListener, select, time};

const PAGE: &str = include_str!("../page/index.html");
type Body = http_body_util::Full<hyper::body::Bytes>;

#[derive(Clone)]
struct Guest {
    peer: SocketAddr,
    stopped: watch::Receiver<()>,
    _place: Arc<OwnedSemaphorePermit>,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut args = env::args().skip(1);
    let address = args.next().unwrap_or_else(|| "127.0.0.1:9001".into());
    let patience = Duration::from_secs(args.next().map_or(Ok(30), |seconds| seconds.parse())?);
    let places = Arc::new(Semaphore::new(args.next().map_or(Ok(1000), |number| number.parse())?));
    let listener = TcpListener::bind(&address).await?;
    let mut terminate = signal(SignalKind::terminate())?;
    println!("echo server: http://{}/ (WebSocket at /ws)", listener.local_addr()?);

    let (mut limits, mut timeouts) = (Limits::server(), Timeouts::default());
    (limits.frame, limits.message) = (64 << 20, 64 << 20);
    (timeouts.ping, timeouts.pong) = (Some(patience), Some(patience));
    let config = ServerConfig::new(OriginPolicy::SameHost).limits(limits).timeouts(timeouts);
    let config = config.deflate(PermessageDeflate::server());
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(patience).keep_alive(false);
    let (stop, stopped) = watch::channel(());
    loop {
        let (place, accepted) = select! {
            both = async { (places.clone().acquire_owned().await, listener.accept().await) } => both,
            _ = terminate.recv() => break,
        };
        let Ok((stream, peer)) = accepted.inspect_err(|error| log("accept", error)) else {
            time::sleep(Duration::from_millis(500)).await; // there may be descriptors again then
            continue;
        };
        let _ = stream.set_nodelay(true);
        let guest = Guest { peer, stopped: stopped.clone(), _place: Arc::new(place?) };
        let (config, mut stopped) = (config.clone(), stopped.clone());
        let service = move |mut request| future::ready(answer(&mut request, &config, &guest));
        let http = http.serve_connection(TokioIo::new(stream), service_fn(service));
        tokio::spawn(async move {
            select! {
                ended = http.with_upgrades() => ended.unwrap_or_else(|error| log(peer, error)),
                _ = stopped.changed() => {}
            }
        });
    }
    drop((listener, stopped));
    stop.send_replace(()); // each is told Close, and answers; who does not is left behind
    let _ = time::timeout(Duration::from_secs(10), stop.closed()).await;
    Ok(())
}

/// hyper's service. The stream is there once the answer was sent.
fn answer(
    request: &mut Request<hyper::body::Incoming>,
    config: &ServerConfig,
    guest: &Guest,
) -> io::Result<Response<Body>> {
    let page = Response::builder().header("Content-Type", "text/html; charset=utf-8");
    let response = match (request.uri().path(), Upgrade::check_http(config, request)) {
        ("/ws", Ok(checked)) => {
            let (response, ws) = checked.accept(Accept::new()).map_err(io::Error::other)?;
            tokio::spawn(drive(upgrade::on(request), ws, guest.clone()));
            response.into_http()
        }
        ("/ws", Err(why)) => ForeignResponse::refusal(why).into_http(),
        ("/", Err(_)) => page.body(PAGE.into()).map_err(io::Error::other)?,
        _ => Response::builder().status(404).body("404\n".into()).map_err(io::Error::other)?,
    };
    Ok(response.map(Body::from))
}

/// The loop of every driver: deliver, ask, then what comes first of reading, writing and the deadline.
async fn drive(upgrade: upgrade::OnUpgrade, mut ws: Connection, mut guest: Guest) {
    let Ok(stream) = upgrade.await else { return };
    let (mut reader, mut writer) = split(TokioIo::new(stream));
    let (born, mut buf, mut read) = (Instant::now(), vec![0; 64 << 10], 0);
    let mut ended = false;
    loop {
        ws.advance_time(born.elapsed());
        let mut input = &mut buf[..read];
        read = 0;
        let reads = loop {
            if matches!(ws.can_send(), Err(SendError::Full { .. })) {
                ws.keep_input(&mut input); // and nothing is read until the peer has read
                break false;
            }
            match ws.receive(&mut input) {
                Some(Event::Message(message)) => drop(ws.send(&message)),
                Some(Event::Closed(report)) => log(guest.peer, report),
                Some(_) => {}
                None => break !ended,
            }
        };
        match ws.transport() {
            _ if !ws.output().is_empty() => {}
            Transport::Close => return,
            Transport::ShutdownWrite => drop(writer.shutdown().await),
            _ => {}
        }
        let wait = ws.next_deadline().map(|at| at.saturating_sub(born.elapsed()));
        select! {
            biased; // what has come counts before a deadline that has passed
            got = reader.read(&mut buf), if reads => match got {
                Ok(0) => (ended, _) = (true, ws.receive_eof()),
                Ok(n) => read = n,
                Err(_) => (ended, _) = (true, ws.transport_lost()),
            },
            put = writer.write(ws.output()), if !ws.output().is_empty() => match put {
                Ok(n) => ws.consume_output(n),
                Err(_) => ws.write_lost(), // read on: the peer may have said why
            },
            () = time::sleep(wait.unwrap_or_default()), if wait.is_some() => {}
            _ = guest.stopped.changed() => drop(ws.close(CloseCode::GOING_AWAY, "the server stops")),
        }
    }
}

/// Where nobody reads the log any more, the server goes on without.
fn log(who: impl Display, what: impl Display) {
    let _ = writeln!(io::stderr(), "{who}: {what}");
}
