//! HTTP/2 with `h2` (RFC 8441): each WebSocket is a stream, and many of them share a connection.
//!
//! `cargo run -p drivers --bin over_http2 ADDR CERTIFICATES KEY [SECONDS [CONNECTIONS]]`, both in PEM.
//! A peer may take 30 s (SECONDS) for TLS, from stream to stream, and to answer a ping; 1,000
//! (CONNECTIONS) with 100 streams each are served at once; SIGTERM tells each stream 1001.

use std::time::{Duration, Instant};
use std::{env, error::Error, fmt::Display, future::poll_fn, io, io::Write as _, sync::Arc};

use bytes::{Buf, Bytes};
use h2::server::{Builder, SendResponse};
use h2::{Reason, RecvStream, SendStream, ext::Protocol};
use http::{Method, Request, Response};
use sansocket::config::{Limits, Timeouts};
use sansocket::handshake::{Upgrade, extended_connect};
use sansocket::{Accept, CloseCode, Connection, Event, OriginPolicy, ServerConfig, Transport};
use sansocket::{error::SendError, extension::PermessageDeflate};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::{net::TcpListener, net::TcpStream, select, time};
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
use tokio_rustls::{TlsAcceptor, rustls};

const PAGE: &str = include_str!("../page/index.html");
/// What has come is with the connection's task first.
const GRACE: Duration = Duration::from_millis(20);

type Outcome = Result<(), Box<dyn Error + Send + Sync>>;

/// What a connection shares with its streams. It counts them by these.
#[derive(Clone)]
struct Guest {
    config: ServerConfig,
    stopped: watch::Receiver<()>,
    place: Arc<OwnedSemaphorePermit>,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Outcome {
    let mut args = env::args().skip(1);
    let mut file = || args.next().ok_or("ADDR CERTIFICATES KEY [SECONDS [CONNECTIONS]]");
    let (address, chain, key) = (file()?, file()?, file()?);
    let patience = Duration::from_secs(args.next().map_or(Ok(30), |seconds| seconds.parse())?);
    let places = Arc::new(Semaphore::new(args.next().map_or(Ok(1000), |number| number.parse())?));
    let chain = CertificateDer::pem_file_iter(chain)?.collect::<Result<_, _>>()?;
    let tls = rustls::ServerConfig::builder().with_no_client_auth();
    let mut tls = tls.with_single_cert(chain, PrivateKeyDer::from_pem_file(key)?)?;
    tls.alpn_protocols = vec![b"h2".into()];
    let tls = TlsAcceptor::from(Arc::new(tls));
    let listener = TcpListener::bind(&address).await?;
    let mut terminate = signal(SignalKind::terminate())?;
    println!("echo server: https://{}/ (WebSocket at /ws)", listener.local_addr()?);

    let (mut limits, mut timeouts) = (Limits::server(), Timeouts::default());
    (limits.frame, limits.message) = (64 << 20, 64 << 20);
    (timeouts.ping, timeouts.pong) = (Some(patience), Some(patience));
    let config = ServerConfig::new(OriginPolicy::SameHost).limits(limits).timeouts(timeouts);
    let config = config.deflate(PermessageDeflate::server());
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
        let (config, stopped, place) = (config.clone(), stopped.clone(), Arc::new(place?));
        let serving = serve(stream, tls.clone(), Guest { config, stopped, place }, patience);
        tokio::spawn(async move { serving.await.unwrap_or_else(|error| log(peer, error)) });
    }
    drop((listener, stopped));
    stop.send_replace(()); // each is told Close, and answers; who does not is left behind
    let _ = time::timeout(Duration::from_secs(10), stop.closed()).await;
    Ok(())
}

async fn serve(stream: TcpStream, tls: TlsAcceptor, mut guest: Guest, patience: Duration) -> Outcome {
    stream.set_nodelay(true)?;
    let mut http = Builder::new();
    // A stream that is not read, as its peer does not read, leaves window to the others.
    http.max_concurrent_streams(100).initial_connection_window_size(101 * 65_535);
    http.enable_connect_protocol();
    let tls = time::timeout(patience, tls.accept(stream)).await??;
    let mut http = time::timeout(patience, http.handshake(tls)).await??;
    let mut leaving = false;
    loop {
        select! {
            next = http.accept() => {
                let Some(next) = next else { return Ok(()) };
                let (request, respond) = next?;
                tokio::spawn(answer(request, respond, guest.clone()));
            }
            _ = guest.stopped.changed() => http.graceful_shutdown(),
            () = time::sleep(patience), if leaving => return Ok(()),
            () = time::sleep(patience) => leaving = Arc::strong_count(&guest.place) == 1,
        }
        if leaving {
            http.graceful_shutdown();
        }
    }
}

async fn answer(request: Request<RecvStream>, mut to: SendResponse<Bytes>, guest: Guest) -> Outcome {
    let protocol = request.extensions().get().map(Protocol::as_str);
    let checked = Upgrade::check_http_extended(&guest.config, &request, protocol);
    let (response, ws) = match (request.uri().path(), checked) {
        ("/ws", Ok(upgrade)) => {
            let (response, ws) = upgrade.accept(Accept::new())?;
            (response.into_http(), Some(ws))
        }
        ("/ws", Err(why)) => (extended_connect::refusal(why).into_http(), None),
        ("/", Err(_)) if request.method() == Method::GET => (Response::new(PAGE.into()), None),
        _ => (Response::builder().status(404).body(Vec::new())?, None),
    };
    let (head, body) = response.into_parts();
    let mut output = to.send_response(Response::from_parts(head, ()), false)?;
    match ws {
        Some(ws) => drive(request.into_body(), output, ws, guest).await,
        None => output.send_data(body.into(), true)?,
    }
    Ok(())
}

/// The loop of every driver: deliver, ask, then what comes first of reading, writing and the deadline.
async fn drive(mut body: RecvStream, mut output: SendStream<Bytes>, mut ws: Connection, mut guest: Guest) {
    let (born, mut input, mut ended, mut clean) = (Instant::now(), Bytes::new(), false, false);
    loop {
        ws.advance_time(born.elapsed());
        let mut unread = &input[..];
        let reads = loop {
            if matches!(ws.can_send(), Err(SendError::Full { .. })) {
                break false; // until the peer has read
            }
            match ws.receive_copy(&mut unread) {
                Some(Event::Message(message)) => drop(ws.send(&message)),
                Some(Event::Closed(report)) => (clean, _) = (report.clean, log("stream", report)),
                Some(_) => {}
                None => break !ended,
            }
        };
        let read = input.len() - unread.len();
        input.advance(read);
        let _ = body.flow_control().release_capacity(read); // the peer may send so much more
        match ws.transport() {
            _ if !ws.output().is_empty() => {}
            Transport::Close if !clean => return output.send_reset(Reason::CANCEL),
            Transport::Close => break drop(output.send_data(Bytes::new(), true)),
            Transport::ShutdownWrite => drop(output.send_data(Bytes::new(), true)),
            _ => {}
        }
        output.reserve_capacity(ws.output().len());
        let piece = &ws.output()[..output.capacity().min(ws.output().len())];
        if !piece.is_empty() {
            match output.send_data(Bytes::copy_from_slice(piece), false) {
                Ok(()) => ws.consume_output(piece.len()),
                Err(_) => ws.write_lost(), // read on: the peer may have said why
            }
            continue;
        }
        let wait = ws.next_deadline().map(|at| at.saturating_sub(born.elapsed()) + GRACE);
        select! {
            biased; // what has come counts before a deadline that has passed
            got = body.data(), if reads => match got {
                Some(Ok(bytes)) => input = bytes,
                Some(Err(_)) => (ended, _) = (true, ws.transport_lost()),
                None => (ended, _) = (true, ws.receive_eof()),
            },
            room = poll_fn(|cx| output.poll_capacity(cx)), if !ws.output().is_empty() => {
                room.and_then(Result::ok).map_or_else(|| ws.write_lost(), drop);
            }
            () = time::sleep(wait.unwrap_or_default()), if wait.is_some() => {}
            _ = guest.stopped.changed() => drop(ws.close(CloseCode::GOING_AWAY, "the server stops")),
        }
    }
    // Until the peer's end as well: what is dropped before is reset.
    while let Ok(Some(Ok(_))) = time::timeout(Duration::from_secs(5), body.data()).await {}
}

/// Where nobody reads the log any more, the server goes on without.
fn log(who: impl Display, what: impl Display) {
    let _ = writeln!(io::stderr(), "{who}: {what}");
}
