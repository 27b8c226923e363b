//! A tunnel through a proxy (RFC 6455 §4.1 (3)).

use std::mem;

use sansocket::client::proxy::{ProxyError, Tunnel};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{Instant, timeout_at};

use super::MaybeTls;

/// Asks the proxy for a tunnel. After it, the stream leads to the server.
pub(super) async fn open(stream: &mut MaybeTls, mut tunnel: Tunnel) -> Result<(), ProxyError> {
    let born = Instant::now();
    let mut buf = vec![0; 4096];
    let mut read = 0;
    loop {
        let input = buf.get_mut(..mem::take(&mut read)).unwrap_or_default();
        tunnel.advance_time(born.elapsed());
        if let Some(opened) = tunnel.receive(input) {
            return opened;
        }
        let due = tunnel.next_deadline().map_or(born, |at| born + at);
        if !tunnel.output().is_empty() {
            let writing = async {
                let n = stream.write(tunnel.output()).await?;
                stream.flush().await.map(|()| n)
            };
            match timeout_at(due, writing).await {
                Ok(Ok(n @ 1..)) => tunnel.consume_output(n),
                Ok(_) => tunnel.transport_lost(),
                Err(_) => {}
            }
            continue;
        }
        match timeout_at(due, stream.read(&mut buf)).await {
            Ok(Ok(0)) => tunnel.receive_eof(),
            Ok(Ok(n)) => read = n,
            Ok(Err(_)) => tunnel.transport_lost(),
            Err(_) => {}
        }
    }
}
