//! Each way in which a server can take, answer and end a connection, by path: what the tests with a browser
//! connect to.
//!
//!     cargo run --example ways --features deflate [ADDRESS]
//!
//! | path | the server |
//! |---|---|
//! | `/` | answers with an empty page |
//! | `/echo` | sends back what it gets |
//! | `/subprotocol` | takes the first of `v2.example` and `v1.example` that is offered |
//! | `/close?CODE,REASON` | closes with them once a message came |
//! | `/cut` | drops the transport once a message came |
//! | `/silent` | leaves the transport open and reads nothing once a message came |
//! | `/stream?N` | sends N messages of 64 KiB |
//! | `/report` | echoes, and tells the next connection of `/reports` how it ended |
//! | others | refuses with 404 |
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program for people"
)]

use std::env;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

#[cfg(feature = "deflate")]
use sansocket_tokio::sansocket::extension::PermessageDeflate;
use sansocket_tokio::{
    Accept, CloseCode, Error, Incoming, OriginPolicy, Response, ServerConfig, WebSocket,
};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::sleep;

type Socket = WebSocket<TcpStream>;
type Reports = Arc<Mutex<Vec<String>>>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> std::io::Result<()> {
    let address = env::args()
        .nth(1)
        .unwrap_or_else(|| "127.0.0.1:9001".into());
    let listener = TcpListener::bind(address).await?;
    println!("http://{}/", listener.local_addr()?);
    let config = ServerConfig::new(OriginPolicy::SameHost).serve_http();
    #[cfg(feature = "deflate")]
    let config = config.deflate(PermessageDeflate::server());
    let reports = Reports::default();
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                let (config, reports) = (config.clone(), Arc::clone(&reports));
                tokio::spawn(async move {
                    if let Err(error) = serve(stream, &config, &reports).await {
                        eprintln!("{error}");
                    }
                });
            }
            // There may be no descriptors: others end some time.
            Err(error) => {
                eprintln!("accept: {error}");
                sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

async fn serve(stream: TcpStream, config: &ServerConfig, reports: &Reports) -> Result<(), Error> {
    let incoming = WebSocket::server(stream, config).await?;
    let (path, query) = (
        incoming.request().path().to_owned(),
        incoming.request().query().unwrap_or_default().to_owned(),
    );
    if !incoming.is_upgrade() {
        let status = if path == "/" { 200 } else { 404 };
        return page(incoming, status).await;
    }
    match &*path {
        "/echo" | "/report" | "/reports" | "/close" | "/cut" | "/silent" | "/stream" => {
            let ws = incoming.accept(Accept::new()).await?;
            opened(ws, &path, &query, reports).await
        }
        "/subprotocol" => {
            let ws = incoming
                .accept(Accept::new().prefer(["v2.example", "v1.example"]))
                .await?;
            echo(ws).await.map(drop)
        }
        _ => incoming.respond(Response::new(404)).await,
    }
}

async fn page(incoming: Incoming<TcpStream>, status: u16) -> Result<(), Error> {
    let html = "<!doctype html><title>ways</title>";
    let response = Response::new(status)
        .body(html)
        .header("Content-Type", b"text/html");
    incoming.respond(response.map_err(Error::Field)?).await
}

async fn opened(mut ws: Socket, path: &str, query: &str, reports: &Reports) -> Result<(), Error> {
    match path {
        "/report" => {
            let report = echo(ws).await?;
            reports
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push(report);
            return Ok(());
        }
        "/reports" => {
            let told = std::mem::take(&mut *reports.lock().unwrap_or_else(PoisonError::into_inner));
            ws.send(told.join("\n")).await?;
        }
        "/stream" => {
            for _ in 0..query.parse().unwrap_or(1) {
                ws.send(vec![7; 64 << 10]).await?;
            }
        }
        "/close" => {
            ws.recv().await;
            let (code, reason) = query.split_once(',').unwrap_or((query, ""));
            let code = code.parse().ok().and_then(CloseCode::new);
            return ws.close(code, reason).await.map(drop).map_err(Error::from);
        }
        "/cut" => {
            ws.recv().await;
            return Ok(());
        }
        "/silent" => {
            ws.recv().await;
            sleep(Duration::from_secs(3600)).await;
        }
        _ => return echo(ws).await.map(drop),
    }
    ws.close(CloseCode::NORMAL_CLOSURE, "").await?;
    Ok(())
}

/// Until the end, whose report it gives.
async fn echo(mut ws: Socket) -> Result<String, Error> {
    while let Some(message) = ws.recv().await {
        match message {
            Ok(message) => ws.send(message).await?,
            Err(error) => return Ok(error.to_string()),
        }
    }
    Ok(ws.report().map(ToString::to_string).unwrap_or_default())
}
