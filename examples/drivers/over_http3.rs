//! HTTP/3 with `h3` and quinn (RFC 9220): each WebSocket is a stream of a QUIC connection.
//! `h3` 0.0.8 refuses `:protocol` other than WebTransport's; `tests/interop/drivers/run` mends a copy of it.
//!
//! `cargo run -p drivers --bin over_http3 ADDR CERTIFICATES KEY [SECONDS [CONNECTIONS]]`, both in PEM.
//! A peer may take 30 s (SECONDS) for anything that QUIC asks of it and to answer a ping; 1,000 (CONNECTIONS) with
//! 100 streams each are served at once, others are refused; SIGTERM tells each stream 1001.

use std::time::{Duration, Instant};
use std::{
    env, error::Error, fmt::Display, future::poll_fn, io, io::Write as _, pin::pin, sync::Arc, task::Poll,
};

use bytes::{Buf, Bytes};
use h3::error::{Code, StreamError};
use h3::{ext::Protocol, server};
use http::{Method, Response};
use quinn::rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
use quinn::{Endpoint, Incoming, crypto::rustls::QuicServerConfig, rustls};
use sansocket::config::{Limits, Timeouts};
use sansocket::handshake::{Upgrade, extended_connect};
use sansocket::{Accept, CloseCode, Connection, Event, OriginPolicy, ServerConfig, Transport};
use sansocket::{error::SendError, extension::PermessageDeflate};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::{select, time};

const PAGE: &str = include_str!("../page/index.html");
/// What has come is with the connection's task first.
const GRACE: Duration = Duration::from_millis(20);

type Outcome = Result<(), Box<dyn Error + Send + Sync>>;
type Input = server::RequestStream<h3_quinn::RecvStream, Bytes>;
type Output = server::RequestStream<h3_quinn::SendStream<Bytes>, Bytes>;

/// What a connection shares with its streams.
#[derive(Clone)]
struct Guest {
    config: ServerConfig,
    stopped: watch::Receiver<()>,
    _place: Arc<OwnedSemaphorePermit>,
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
    tls.alpn_protocols = vec![b"h3".into()];
    let mut quic = quinn::ServerConfig::with_crypto(Arc::new(QuicServerConfig::try_from(tls)?));
    let mut transport = quinn::TransportConfig::default();
    transport.max_concurrent_bidi_streams(100_u32.into()).max_idle_timeout(Some(patience.try_into()?));
    // Streams that are not read, as their peer does not read, leave window to the others.
    transport.stream_receive_window(65_536_u32.into()).receive_window((101 * 65_536_u32).into());
    transport.send_window(8 << 20);
    quic.transport_config(Arc::new(transport));
    let endpoint = Endpoint::server(quic, address.parse()?)?;
    let mut terminate = signal(SignalKind::terminate())?;
    println!("echo server: https://{}/ (WebSocket at /ws)", endpoint.local_addr()?);

    let (mut limits, mut timeouts) = (Limits::server(), Timeouts::default());
    (limits.frame, limits.message) = (64 << 20, 64 << 20);
    (timeouts.ping, timeouts.pong) = (Some(patience), Some(patience));
    let config = ServerConfig::new(OriginPolicy::SameHost).limits(limits).timeouts(timeouts);
    let config = config.deflate(PermessageDeflate::server());
    let (stop, stopped) = watch::channel(());
    loop {
        let incoming = select! {
            Some(incoming) = endpoint.accept() => incoming,
            _ = terminate.recv() => break,
        };
        let Ok(place) = places.clone().try_acquire_owned() else {
            incoming.refuse();
            continue;
        };
        let (peer, config, stopped) = (incoming.remote_address(), config.clone(), stopped.clone());
        let serving = serve(incoming, Guest { config, stopped, _place: Arc::new(place) });
        tokio::spawn(async move { serving.await.unwrap_or_else(|error| log(peer, error)) });
    }
    drop(stopped);
    stop.send_replace(()); // each is told Close, and answers; who does not is left behind
    let _ = time::timeout(Duration::from_secs(10), stop.closed()).await;
    endpoint.close(0x100_u32.into(), b""); // H3_NO_ERROR
    let _ = time::timeout(Duration::from_secs(1), endpoint.wait_idle()).await;
    Ok(())
}

async fn serve(incoming: Incoming, mut guest: Guest) -> Outcome {
    let quic = h3_quinn::Connection::new(incoming.await?);
    let mut http = server::builder().enable_extended_connect(true).build(quic).await?;
    loop {
        select! {
            next = http.accept() => {
                let Some(request) = next? else { return Ok(()) };
                tokio::spawn(answer(request, guest.clone()));
            }
            _ = guest.stopped.changed() => http.shutdown(0).await?,
        }
    }
}

async fn answer(resolver: server::RequestResolver<h3_quinn::Connection, Bytes>, guest: Guest) -> Outcome {
    let (request, mut stream) = resolver.resolve_request().await?;
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
    stream.send_response(Response::from_parts(head, ())).await?;
    match ws {
        Some(ws) => drive(stream.split(), ws, guest).await,
        None => {
            stream.send_data(body.into()).await?;
            stream.finish().await?;
        }
    }
    Ok(())
}

/// It has the stream until it is done: what is dropped in the middle of it cannot be gone on with.
async fn write(mut output: Output, piece: Bytes) -> (Output, Result<usize, StreamError>) {
    let n = piece.len();
    let sent = output.send_data(piece).await;
    (output, sent.map(|()| n))
}

/// The loop of every driver: deliver, ask, then what comes first of reading, writing and the deadline.
async fn drive((output, mut body): (Output, Input), mut ws: Connection, mut guest: Guest) {
    let (born, mut input, mut ended, mut clean) = (Instant::now(), Bytes::new(), false, false);
    let (mut output, mut writing) = (Some(output), pin!(None));
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
        input.advance(input.len() - unread.len());
        match (ws.transport(), &mut output) {
            _ if !ws.output().is_empty() => {}
            (Transport::Close, None) => return,
            (Transport::Close, Some(output)) if !clean => {
                return output.stop_stream(Code::H3_REQUEST_CANCELLED);
            }
            (Transport::Close, Some(output)) => break drop(output.finish().await),
            (Transport::ShutdownWrite, Some(output)) => drop(output.finish().await),
            _ => {}
        }
        if !ws.output().is_empty()
            && let Some(output) = output.take()
        {
            let piece = &ws.output()[..ws.output().len().min(64 << 10)];
            writing.set(Some(write(output, Bytes::copy_from_slice(piece))));
        }
        let wait = ws.next_deadline().map(|at| at.saturating_sub(born.elapsed()) + GRACE);
        select! {
            biased; // what has come counts before a deadline that has passed
            got = body.recv_data(), if reads => match got {
                Ok(Some(mut data)) => input = data.copy_to_bytes(data.remaining()),
                Ok(None) => (ended, _) = (true, ws.receive_eof()),
                Err(_) => (ended, _) = (true, ws.transport_lost()),
            },
            (again, put) = poll_fn(|cx| match writing.as_mut().as_pin_mut() {
                Some(write) => write.poll(cx),
                None => Poll::Pending,
            }) => {
                (output, _) = (Some(again), writing.set(None));
                match put {
                    Ok(n) => ws.consume_output(n),
                    Err(_) => ws.write_lost(), // read on: the peer may have said why
                }
            }
            () = time::sleep(wait.unwrap_or_default()), if wait.is_some() => {}
            _ = guest.stopped.changed() => drop(ws.close(CloseCode::GOING_AWAY, "the server stops")),
        }
    }
    // Until the peer's end as well: it would be told to stop sending.
    while let Ok(Ok(Some(_))) = time::timeout(Duration::from_secs(5), body.recv_data()).await {}
}

/// Where nobody reads the log any more, the server goes on without.
fn log(who: impl Display, what: impl Display) {
    let _ = writeln!(io::stderr(), "{who}: {what}");
}
