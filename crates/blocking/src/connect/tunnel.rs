//! A tunnel through a proxy (RFC 6455 §4.1 (3)).

use std::io::{Read, Write};
use std::mem;
use std::time::{Duration, Instant};

use sansocket::client::proxy::{ProxyError, Tunnel};

use crate::socket::gives_way;
use crate::stream::{MaybeTls, Stream};

/// Asks the proxy for a tunnel. After it, the stream leads to the server.
pub(super) fn open(stream: &mut MaybeTls, mut tunnel: Tunnel) -> Result<(), ProxyError> {
    let born = Instant::now();
    let mut buf = vec![0; 4096];
    let mut read = 0;
    loop {
        let input = buf.get_mut(..mem::take(&mut read)).unwrap_or_default();
        tunnel.advance_time(born.elapsed());
        if let Some(opened) = tunnel.receive(input) {
            return opened;
        }
        let due = tunnel.next_deadline().unwrap_or_default();
        let left = due.saturating_sub(born.elapsed());
        let left = left.max(Duration::from_millis(1));
        let set = stream.set_read_timeout(Some(left));
        if set.and_then(|()| stream.set_write_timeout(left)).is_err() {
            tunnel.transport_lost();
        } else if tunnel.output().is_empty() {
            match stream.read(&mut buf) {
                Ok(0) => tunnel.receive_eof(),
                Ok(n) => read = n,
                Err(error) if gives_way(&error) => {}
                Err(_) => tunnel.transport_lost(),
            }
        } else {
            let written = stream.write(tunnel.output());
            let flushed = written.and_then(|n| {
                tunnel.consume_output(n);
                stream.flush()
            });
            if flushed.is_err_and(|error| !gives_way(&error)) {
                tunnel.transport_lost();
            }
        }
    }
}
