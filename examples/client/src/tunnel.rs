//! Through a proxy: HTTP or SOCKS5, each a machine of the crate.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use sansocket::Uri;
use sansocket::client::environment::{Protocol, Proxy};
use sansocket::client::proxy::{self, Connect, ConnectOutcome};
use sansocket::client::socks5::{self, Socks5, Socks5Outcome};

use crate::session::End;

/// Asks the proxy for a tunnel; what it sent after its answer is from the server already.
pub fn tunnel(socket: &mut TcpStream, uri: &Uri, proxy: &Proxy) -> Result<Vec<u8>, End> {
    let setup = |error: &dyn std::fmt::Display| End::Setup(format!("proxy: {error}"));
    if proxy.protocol == Protocol::Socks5 {
        let mut options = socks5::Options::new();
        if let Some((user, password)) = &proxy.credentials {
            let with_password = options.password(user, password);
            options = with_password.map_err(|error| setup(&error))?;
        }
        let socks = Socks5::new(uri, &options).map_err(End::Socks)?;
        return drive(socket, socks);
    }
    let mut options = proxy::Options::new();
    if let Some((user, password)) = &proxy.credentials {
        options = options
            .basic(user, password)
            .map_err(|error| setup(&error))?;
    }
    drive(socket, Connect::new(uri, &options))
}

/// What both machines do.
trait Tunnel {
    fn output(&self) -> &[u8];
    fn consume_output(&mut self, n: usize);
    /// Whether it is open.
    fn receive(&mut self, input: &mut &mut [u8]) -> Option<Result<(), End>>;
    fn receive_eof(&mut self);
    fn transport_lost(&mut self);
    fn advance_time(&mut self, now: Duration);
    fn next_deadline(&self) -> Option<Duration>;
}

macro_rules! tunnel {
    ($machine:ty, $outcome:ident => $result:expr) => {
        impl Tunnel for $machine {
            fn output(&self) -> &[u8] {
                self.output()
            }
            fn consume_output(&mut self, n: usize) {
                self.consume_output(n);
            }
            fn receive(&mut self, input: &mut &mut [u8]) -> Option<Result<(), End>> {
                self.receive(input).map(|$outcome| $result)
            }
            fn receive_eof(&mut self) {
                self.receive_eof();
            }
            fn transport_lost(&mut self) {
                self.transport_lost();
            }
            fn advance_time(&mut self, now: Duration) {
                self.advance_time(now);
            }
            fn next_deadline(&self) -> Option<Duration> {
                self.next_deadline()
            }
        }
    };
}

tunnel!(Connect, outcome => match outcome {
    ConnectOutcome::Open => Ok(()),
    ConnectOutcome::Refused(refusal) => Err(End::ProxyRefused(refusal)),
    ConnectOutcome::Failed(error) => Err(End::Proxy(error)),
});
tunnel!(Socks5, outcome => match outcome {
    Socks5Outcome::Open => Ok(()),
    Socks5Outcome::Failed(error) => Err(End::Socks(error)),
});

fn drive(socket: &mut TcpStream, mut tunnel: impl Tunnel) -> Result<Vec<u8>, End> {
    let born = Instant::now();
    let mut buf = vec![0; 16 << 10];
    let mut input: &mut [u8] = &mut [];
    loop {
        tunnel.advance_time(born.elapsed());
        if let Some(result) = tunnel.receive(&mut input) {
            return result.map(|()| input.to_vec());
        }
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
        let n = match blocked_read(socket.read(&mut buf)) {
            Ok(Some(0)) => {
                tunnel.receive_eof();
                0
            }
            Ok(n) => n.unwrap_or(0),
            Err(_) => {
                tunnel.transport_lost();
                0
            }
        };
        input = &mut buf[..n];
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
#[allow(clippy::unwrap_used)]
mod tests {
    use std::net::TcpListener;
    use std::thread;

    use super::*;

    /// A proxy that says these things, one after each read; what it read.
    fn through(url: &str, answers: Vec<&'static [u8]>) -> (Result<Vec<u8>, End>, Vec<u8>) {
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
        let (result, seen) = through("http://h", vec![b"HTTP/1.1 200 ok\r\n\r\nearly"]);
        assert_eq!(result.ok().unwrap(), b"early");
        assert!(seen.starts_with(b"CONNECT server.example:80 HTTP/1.1\r\n"));
        let reply = b"\x05\0\0\x01\0\0\0\0\0\0early";
        let (result, seen) = through("socks5://me:secret@h", vec![b"\x05\x02", b"\x01\0", reply]);
        assert_eq!(result.ok().unwrap(), b"early");
        assert!(seen.ends_with(b"\x0eserver.example\0\x50"));
        let (result, _) = through("socks5://h", vec![b"\x05\0", b"\x05\x05"]);
        assert!(matches!(
            result,
            Err(End::Socks(socks5::Socks5Error::Refused(5)))
        ));
    }
}
