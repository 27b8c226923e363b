//! A tunnel through an HTTP proxy (RFC 6455 §4.1 (3)).

use std::io::{self, Read, Write};
use std::mem;
use std::net::TcpStream;
use std::time::{Duration, Instant};

use sansocket::Uri;
use sansocket::client::proxy::{Connect, ConnectOutcome, Proxy};

use crate::error::Error;
use crate::socket::gives_way;

/// Asks the proxy for a tunnel. After it, the socket leads to the server.
pub(super) fn open(socket: &mut TcpStream, uri: &Uri, proxy: &Proxy) -> Result<(), Error> {
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
        let left = connect
            .next_deadline()
            .map(|at| at.saturating_sub(born.elapsed()));
        let left = left.map(|left| left.max(Duration::from_millis(1)));
        socket.set_read_timeout(left).map_err(Error::Connect)?;
        socket.set_write_timeout(left).map_err(Error::Connect)?;
        if connect.output().is_empty() {
            match socket.read(&mut buf) {
                Ok(0) => connect.receive_eof(),
                Ok(n) => read = n,
                Err(error) if gives_way(&error) => {}
                Err(_) => connect.transport_lost(),
            }
        } else {
            match socket.write(connect.output()) {
                Ok(n) => connect.consume_output(n),
                Err(error) if gives_way(&error) => {}
                Err(_) => connect.transport_lost(),
            }
        }
    }
}
