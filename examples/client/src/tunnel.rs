//! Through a proxy of either kind: a machine of the crate.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use sansocket::Uri;
use sansocket::client::proxy::{Proxy, Tunnel};

use crate::session::End;

/// Asks the proxy for a tunnel.
pub fn tunnel(socket: &mut TcpStream, uri: &Uri, proxy: &Proxy) -> Result<(), End> {
    let mut tunnel = Tunnel::new(uri, proxy).map_err(End::Proxy)?;
    let born = Instant::now();
    let mut buf = vec![0; 16 << 10];
    let mut input: &mut [u8] = &mut [];
    loop {
        tunnel.advance_time(born.elapsed());
        if let Some(opened) = tunnel.receive(input) {
            return opened.map_err(End::Proxy);
        }
        input = &mut [];
        if !tunnel.output().is_empty() {
            match socket.write(tunnel.output()) {
                Ok(n) => tunnel.consume_output(n),
                Err(_) => tunnel.transport_lost(),
            }
            continue;
        }
        let wait = tunnel.next_deadline().map(|at| {
            let wait = at.saturating_sub(born.elapsed());
            wait.max(Duration::from_millis(1))
        });
        socket.set_read_timeout(wait).map_err(End::Io)?;
        match blocked_read(socket.read(&mut buf)) {
            Ok(Some(0)) => tunnel.receive_eof(),
            Ok(n) => input = &mut buf[..n.unwrap_or(0)],
            Err(_) => tunnel.transport_lost(),
        }
    }
}

/// `None`: nothing has come in time.
fn blocked_read(read: io::Result<usize>) -> io::Result<Option<usize>> {
    read.map(Some).or_else(|error| match error.kind() {
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut | io::ErrorKind::Interrupted => {
            Ok(None)
        }
        _ => Err(error),
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by a panic")]
mod tests {
    use std::net::TcpListener;
    use std::thread;

    use sansocket::client::proxy::ProxyError;
    use sansocket::client::socks5::Socks5Error;

    use super::*;

    /// A proxy that says these things, one after each read; what it read.
    fn through(url: &str, answers: Vec<&'static [u8]>) -> (Result<(), End>, Vec<u8>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut socket = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let proxy = thread::spawn(move || {
            let (mut socket, _) = listener.accept().unwrap();
            let (mut seen, mut buf) = (Vec::new(), [0; 1024]);
            for answer in answers {
                let n = socket.read(&mut buf).unwrap();
                seen.extend_from_slice(&buf[..n]);
                socket.write_all(answer).unwrap();
            }
            seen
        });
        let uri = Uri::parse("ws://server.example/").unwrap();
        let result = tunnel(&mut socket, &uri, &Proxy::parse(url).unwrap());
        (result, proxy.join().unwrap())
    }

    #[test]
    fn through_either_kind_of_proxy() {
        let (result, seen) = through("http://h", vec![b"HTTP/1.1 200 ok\r\n\r\n"]);
        assert!(result.is_ok());
        assert!(seen.starts_with(b"CONNECT server.example:80 HTTP/1.1\r\n"));
        let reply = b"\x05\0\0\x01\0\0\0\0\0\0";
        let (result, seen) = through("socks5://me:secret@h", vec![b"\x05\x02", b"\x01\0", reply]);
        assert!(result.is_ok());
        assert!(seen.ends_with(b"\x0eserver.example\0\x50"));
        let (result, _) = through("socks5://h", vec![b"\x05\0", b"\x05\x05"]);
        assert!(matches!(
            result,
            Err(End::Proxy(ProxyError::Socks5(Socks5Error::Refused(5))))
        ));
    }
}
