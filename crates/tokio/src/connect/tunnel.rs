//! A tunnel through an HTTP proxy (RFC 6455 §4.1 (3)).

use std::io;
use std::mem;

use sansocket::Uri;
use sansocket::client::proxy::{Connect, ConnectOutcome, Proxy};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};

use crate::error::Error;

/// Asks the proxy for a tunnel. After it, the socket leads to the server.
pub(super) async fn open(socket: &mut TcpStream, uri: &Uri, proxy: &Proxy) -> Result<(), Error> {
    let born = Instant::now();
    let mut connect = Connect::new(uri, proxy.options());
    let mut buf = vec![0; 4096];
    let mut read = 0;
    loop {
        let mut input = buf.get_mut(..mem::take(&mut read)).unwrap_or_default();
        connect.advance_time(born.elapsed());
        match connect.receive(&mut input) {
            // The server speaks after us, with TLS as without.
            Some(ConnectOutcome::Open) if !input.is_empty() => {
                let error = "the proxy sent more than its answer";
                return Err(Error::Connect(io::Error::new(
                    io::ErrorKind::InvalidData,
                    error,
                )));
            }
            Some(ConnectOutcome::Open) => return Ok(()),
            Some(ConnectOutcome::Refused(refusal)) => return Err(Error::ProxyRefused(refusal)),
            Some(ConnectOutcome::Failed(error)) => return Err(Error::Proxy(error)),
            None => {}
        }
        let due = connect.next_deadline().map_or(born, |at| born + at);
        if !connect.output().is_empty() {
            match timeout_at(due, socket.write(connect.output())).await {
                Ok(Ok(n @ 1..)) => connect.consume_output(n),
                Ok(_) => connect.transport_lost(),
                Err(_) => {}
            }
            continue;
        }
        match timeout_at(due, socket.read(&mut buf)).await {
            Ok(Ok(0)) => connect.receive_eof(),
            Ok(Ok(n)) => read = n,
            Ok(Err(_)) => connect.transport_lost(),
            Err(_) => {}
        }
    }
}
