//! TCP, the proxy's tunnel, and TLS: bytes of the WebSocket connection in and out.
//!
//! TLS is a machine as well: what a thread reads from the socket goes through it here, in the
//! thread that owns everything.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream, ToSocketAddrs};
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore};
use sansocket::Uri;
use sansocket::client::gate::Destination;
use sansocket::client::proxy::{Protocol, Proxy};

use crate::args::Args;
use crate::gate::{Pass, SharedGate};
use crate::session::End;
use crate::tunnel::tunnel;

/// For each address of a name.
const CONNECT: Duration = Duration::from_secs(10);

/// A write gives way after this long, so that reading goes on: two ends that only write would
/// wait for each other for ever.
const WRITE: Duration = Duration::from_millis(10);

pub struct Transport {
    socket: TcpStream,
    tls: Option<ClientConnection>,
    /// Held until the connection is established or has failed (RFC 6455 §4.1).
    pass: Option<Pass>,
}

/// What the socket gave.
#[derive(Default)]
pub struct Fed {
    pub bytes: Vec<u8>,
    /// The stream ends after them.
    pub end: bool,
}

impl Transport {
    /// Connects to the server, through the proxy if there is one (RFC 6455 §4.1 (3)).
    pub fn connect(args: &Args, uri: &Uri, gate: &SharedGate) -> Result<Self, End> {
        let (mut socket, mut pass);
        match proxy(args, uri)? {
            Some(proxy) => {
                // The proxy resolves the name.
                pass = gate.request(Destination::name(uri.host(), uri.port()));
                pass.wait();
                let place = (proxy.host(), proxy.port());
                socket = connect(place, |_| ()).map_err(End::Io)?.0;
                tunnel(&mut socket, uri, &proxy)?;
            }
            None => {
                let turn = |address| {
                    let mut pass = gate.request(Destination::address(address));
                    pass.wait();
                    pass
                };
                let place = (uri.server_name(), uri.port());
                (socket, pass) = connect(place, turn).map_err(End::Io)?;
            }
        }
        socket.set_read_timeout(None).map_err(End::Io)?;
        socket.set_write_timeout(Some(WRITE)).map_err(End::Io)?;
        let tls = match uri.secure() {
            true => Some(tls(args, uri)?),
            false => None,
        };
        Ok(Self {
            socket,
            tls,
            pass: Some(pass),
        })
    }

    /// The connection is open: the next attempt may begin.
    pub fn established(&mut self) {
        self.pass = None;
    }

    /// The socket, for a thread that reads from it.
    pub fn reader(&self) -> io::Result<TcpStream> {
        self.socket.try_clone()
    }

    /// Still in the TLS handshake.
    pub fn is_handshaking(&self) -> bool {
        self.tls.as_ref().is_some_and(|tls| tls.is_handshaking())
    }

    /// Takes what was read from the socket, gives what it means to the connection.
    pub fn feed(&mut self, bytes: Vec<u8>) -> Result<Fed, rustls::Error> {
        let Some(tls) = &mut self.tls else {
            return Ok(Fed { bytes, end: false });
        };
        let mut fed = Fed::default();
        let mut rest = &bytes[..];
        while !rest.is_empty() {
            // Reading from memory does not fail.
            let taken = tls.read_tls(&mut rest).unwrap_or(0);
            let state = tls.process_new_packets()?;
            let at = fed.bytes.len();
            fed.bytes.resize(at + state.plaintext_bytes_to_read(), 0);
            // So many are there.
            let _ = tls.reader().read_exact(&mut fed.bytes[at..]);
            fed.end = state.peer_has_closed();
            if taken == 0 {
                break;
            }
        }
        Ok(fed)
    }

    /// Writes some of it; 0 if the socket takes nothing at present.
    pub fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.tls {
            None => blocked(self.socket.write(bytes)),
            Some(tls) => {
                let n = tls.writer().write(bytes)?;
                self.flush()?;
                Ok(n)
            }
        }
    }

    /// Writes what TLS has to say.
    pub fn flush(&mut self) -> io::Result<()> {
        if let Some(tls) = &mut self.tls {
            while tls.wants_write() && blocked(tls.write_tls(&mut self.socket))? > 0 {}
        }
        Ok(())
    }

    /// TLS waits for the socket.
    pub fn wants_write(&self) -> bool {
        self.tls.as_ref().is_some_and(|tls| tls.wants_write())
    }

    /// Ends writing, or everything.
    pub fn shutdown(&mut self, how: Shutdown) {
        if let Some(tls) = &mut self.tls {
            tls.send_close_notify();
        }
        let _ = self.flush();
        let _ = self.socket.shutdown(how);
    }
}

/// A socket that does not take anything is no error.
fn blocked(written: io::Result<usize>) -> io::Result<usize> {
    written.or_else(|error| match error.kind() {
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut | io::ErrorKind::Interrupted => Ok(0),
        _ => Err(error),
    })
}

/// Tries the addresses in order, each when `turn` returns.
fn connect<P>(place: (&str, u16), turn: impl Fn(SocketAddr) -> P) -> io::Result<(TcpStream, P)> {
    let none = format!("{} has no address", place.0);
    let mut last = io::Error::new(io::ErrorKind::NotFound, none);
    for address in place.to_socket_addrs()? {
        let pass = turn(address);
        match TcpStream::connect_timeout(&address, CONNECT) {
            Ok(socket) => {
                socket.set_nodelay(true)?;
                return Ok((socket, pass));
            }
            Err(error) => last = io::Error::new(error.kind(), format!("{address}: {error}")),
        }
    }
    Err(last)
}

/// The proxy that was asked for, or the environment's.
fn proxy(args: &Args, uri: &Uri) -> Result<Option<Proxy>, End> {
    let setup = |error: &dyn std::fmt::Display| End::Setup(format!("proxy: {error}"));
    let proxy = match &args.proxy {
        Some(proxy) => Some(proxy.clone()),
        None => args.environment.proxy(uri).map_err(|error| setup(&error))?,
    };
    match &proxy {
        Some(proxy) if proxy.protocol() == Protocol::Https => {
            Err(setup(&"TLS to a proxy is not in this example"))
        }
        _ => Ok(proxy),
    }
}

/// RFC 6455 §4.1 (5): the server's certificate is checked, and SNI is used.
fn tls(args: &Args, uri: &Uri) -> Result<ClientConnection, End> {
    let setup = |error: &dyn std::fmt::Display| End::Setup(format!("TLS: {error}"));
    let mut roots = RootCertStore::empty();
    match &args.ca {
        Some(pem) => {
            for certificate in CertificateDer::pem_slice_iter(pem) {
                let certificate = certificate.map_err(|error| setup(&error))?;
                roots.add(certificate).map_err(|error| setup(&error))?;
            }
        }
        None => {
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        }
    }
    if roots.is_empty() {
        return Err(setup(&"no certificates to trust; give --ca FILE"));
    }
    let mut config = ClientConfig::builder()
        .with_root_certificates(roots)
        .with_no_client_auth();
    // The opening handshake is one of HTTP/1.1.
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    let host = uri.server_name().to_owned();
    let name = ServerName::try_from(host).map_err(|error| setup(&error))?;
    ClientConnection::new(Arc::new(config), name).map_err(|error| setup(&error))
}
