//! `cargo run -p chat [ADDR [SECONDS [CONNECTIONS]]] [ENGINE]`, then open <http://127.0.0.1:9002/> in two browser
//! windows.
//!
//! - A peer may take 20 s (SECONDS) to send its request and to answer a ping.
//! - 1,000 (CONNECTIONS) are served at once, as most systems let a process have 1,024 descriptors; others wait
//!   in the listen queue until one of them ends. Half of them may be members: the others are for the page, and
//!   for the answer that all seats are taken (503, with Retry-After).
//! - Who says more than 20 messages a second for long is sent away: others would miss some.
//! - Rooms are shared with other processes over `nats://HOST` or `redis://HOST` (ENGINE), where the crate is built
//!   with that feature. They are this process's own otherwise.
//! - SIGTERM and Ctrl-C end it in order: each member is told 1001, for no longer than 10 s.

use std::io;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;
use std::{env, future};

use chat::engine::{Embedded, Engine, Error};
use chat::{Hall, log};
use sansocket_tokio::sansocket::config::{Limits, Rate, Timeouts};
use sansocket_tokio::sansocket::extension::PermessageDeflate;
use sansocket_tokio::{OriginPolicy, ServerConfig};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::{sleep, timeout};
use tokio::{select, signal, task};

/// Twice what a closing handshake may take.
const END: Duration = Duration::from_secs(10);

/// What may be said at once, in bytes of the frame.
const LONGEST: u64 = 16 << 10;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            log("error", error);
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<(), Error> {
    let (engines, arguments): (Vec<_>, Vec<_>) =
        env::args().skip(1).partition(|word| word.contains("://"));
    match engines.first().map(String::as_str) {
        None => serve(Embedded::default(), arguments).await,
        #[cfg(feature = "nats")]
        Some(url) if url.starts_with("nats:") => {
            serve(chat::engine::Nats::connect(url).await?, arguments).await
        }
        #[cfg(feature = "redis")]
        Some(url) if url.starts_with("redis:") => {
            serve(chat::engine::Redis::connect(url)?, arguments).await
        }
        Some(url) => Err(format!("{url}: this is built without such an engine").into()),
    }
}

async fn serve(engine: impl Engine, arguments: Vec<String>) -> Result<(), Error> {
    let mut args = arguments.into_iter();
    let addr = args.next().unwrap_or_else(|| "127.0.0.1:9002".into());
    let seconds = args.next().map_or(Ok(20), |seconds| seconds.parse())?;
    let connections = args.next().map_or(Ok(1000), |number| number.parse())?;
    let mut door = Door {
        listener: TcpListener::bind(&addr).await?,
        places: Arc::new(Semaphore::new(connections)),
        failed: false,
    };
    let mut asked_to_end = Box::pin(asked_to_end()?);
    println!("chat: http://{}/", door.listener.local_addr()?);

    let hall = Hall::new(
        engine,
        config(Duration::from_secs(seconds)),
        connections.div_ceil(2),
    );
    let (stop, stopped) = watch::channel(());
    let mut tasks = task::JoinSet::new();
    loop {
        select! {
            (stream, peer, place) = door.accept() => {
                let _ = stream.set_nodelay(true);
                let (hall, mut stopped) = (hall.clone(), stopped.clone());
                tasks.spawn(async move {
                    let _place = place;
                    match hall.serve(stream, async { _ = stopped.changed().await }).await {
                        Ok(Some(report)) => log(peer, report),
                        Ok(None) => {}
                        Err(error) => log(peer, error),
                    }
                });
            }
            Some(_) = tasks.join_next() => {}
            () = &mut asked_to_end => break,
        }
    }
    // Nobody else comes, and each is told Close and answers: who does not is left behind.
    drop((door, stop));
    let end = async { while tasks.join_next().await.is_some() {} };
    let _ = timeout(END, end).await;
    tasks.shutdown().await;
    let _ = timeout(END, hall.deserted()).await;
    Ok(())
}

fn config(patience: Duration) -> ServerConfig {
    let mut timeouts = Timeouts::default();
    timeouts.handshake = patience;
    timeouts.ping = Some(patience);
    timeouts.pong = Some(patience);
    let mut limits = Limits::server();
    (limits.frame, limits.message) = (LONGEST, LONGEST);
    limits.budgets.messages = Some(Rate::per_second(20).at_once(200));
    ServerConfig::new(OriginPolicy::SameHost)
        .timeouts(timeouts)
        .limits(limits)
        .deflate(PermessageDeflate::server())
        .serve_http()
}

/// Where connections come in.
struct Door {
    listener: TcpListener,
    places: Arc<Semaphore>,
    failed: bool,
}

impl Door {
    /// The next connection, when there is a place for it.
    async fn accept(&mut self) -> (TcpStream, SocketAddr, OwnedSemaphorePermit) {
        loop {
            // It is never closed.
            let Ok(place) = self.places.clone().acquire_owned().await else {
                return future::pending().await;
            };
            match self.listener.accept().await {
                Ok((stream, peer)) => {
                    self.failed = false;
                    return (stream, peer, place);
                }
                Err(error) => {
                    // No descriptor or no memory: those who are there go on, and it may work when one has left.
                    if !std::mem::replace(&mut self.failed, true) {
                        log("accept", error);
                    }
                    sleep(Duration::from_millis(100)).await;
                }
            }
        }
    }
}

/// SIGTERM, as a service manager sends it, or Ctrl-C.
#[cfg(unix)]
fn asked_to_end() -> io::Result<impl Future<Output = ()>> {
    use signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}

#[cfg(not(unix))]
fn asked_to_end() -> io::Result<impl Future<Output = ()>> {
    Ok(async { _ = signal::ctrl_c().await })
}
