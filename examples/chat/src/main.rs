//! `cargo run -p chat [ADDR]`, then open <http://127.0.0.1:9002/> in two browser windows.

use std::process::ExitCode;
use std::time::Duration;
use std::{env, io};

use chat::Room;
use sansocket::config::Timeouts;
use sansocket::extension::PermessageDeflate;
use sansocket::{OriginPolicy, ServerConfig};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::time::sleep;
use tokio::{select, signal, task};

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run() -> io::Result<()> {
    let addr = env::args()
        .nth(1)
        .unwrap_or_else(|| "127.0.0.1:9002".into());
    let listener = TcpListener::bind(&addr).await?;
    println!("chat: http://{}/", listener.local_addr()?);

    let mut timeouts = Timeouts::default();
    timeouts.ping = Some(Duration::from_secs(30));
    let config = ServerConfig::new(OriginPolicy::SameHost)
        .timeouts(timeouts)
        .deflate(PermessageDeflate::server())
        .serve_http();
    let room = Room::new(config);
    let (stop, stopped) = watch::channel(());
    let mut tasks = task::JoinSet::new();
    loop {
        select! {
            accepted = listener.accept() => {
                let (stream, _) = match accepted {
                    Ok(accepted) => accepted,
                    Err(error) => {
                        // Such as too many open files: it takes others to leave.
                        eprintln!("accept: {error}");
                        sleep(Duration::from_millis(100)).await;
                        continue;
                    }
                };
                let _ = stream.set_nodelay(true);
                let (room, mut stopped) = (room.clone(), stopped.clone());
                tasks.spawn(async move {
                    room.serve(stream, async { _ = stopped.changed().await }).await;
                });
            }
            Some(_) = tasks.join_next() => {}
            _ = signal::ctrl_c() => break,
        }
    }
    // Each says Close and waits for the answer, bounded by the close timeout.
    drop(stop);
    while tasks.join_next().await.is_some() {}
    Ok(())
}
