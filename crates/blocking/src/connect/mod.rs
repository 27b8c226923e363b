//! From a URI to a connection: names, TCP, proxies, TLS, redirections, and again after an end.

mod dial;
mod gate;
mod sessions;
#[cfg(feature = "rustls")]
mod tls;
mod tunnel;

use std::fmt;
use std::hash::{BuildHasher, Hasher, RandomState};
#[cfg(not(feature = "rustls"))]
use std::io;
#[cfg(feature = "rustls")]
use std::sync::Arc;
use std::time::Duration;

use sansocket::client::backoff::Policy;
use sansocket::client::connecting::{Connecting, Options, Step};
use sansocket::client::gate::Gate;
use sansocket::client::proxy::Proxy;
use sansocket::error::FieldError;
use sansocket::{ClientConfig, ClientRequest, Uri};

use crate::error::Error;
use crate::socket::WebSocket;
use crate::stream::MaybeTls;

use gate::SharedGate;

pub use sessions::Sessions;

/// Opens a connection to a ws or wss URI, with a [`Connector`] as it is made.
///
/// # Errors
/// As [`Connector::connect`].
///
/// ```no_run
/// # fn main() -> Result<(), sansocket_blocking::Error> {
/// let mut ws = sansocket_blocking::connect("ws://127.0.0.1:9001/")?;
/// ws.send("Hello")?;
/// # Ok(())
/// # }
/// ```
pub fn connect(uri: &str) -> Result<WebSocket<MaybeTls>, Error> {
    Connector::new().connect(uri)
}

/// How connections to URIs are opened: with which configuration, header fields, certificates, proxies.
///
/// Clones share one gate: attempts to one address wait for each other, as RFC 6455 §4.1 asks for.
///
/// ```no_run
/// use sansocket_blocking::{Connector, Error};
///
/// # fn main() -> Result<(), Error> {
/// let connector = Connector::new()
///     .header("Authorization", b"Bearer x")?
///     .redirects(3);
/// let mut ws = connector.connect("ws://127.0.0.1:9001/")?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Connector {
    config: ClientConfig,
    /// With a URI that is replaced.
    request: ClientRequest,
    options: Options,
    timeout: Duration,
    policy: Policy,
    gate: SharedGate,
    #[cfg(feature = "rustls")]
    tls: Option<Arc<rustls::ClientConfig>>,
}

impl Default for Connector {
    fn default() -> Self {
        Self::new()
    }
}

impl Connector {
    /// The default configuration, the proxies of the environment, no redirections.
    #[must_use]
    pub fn new() -> Self {
        Self {
            config: ClientConfig::new(),
            request: ClientRequest::new(anywhere()),
            options: Options::new(),
            timeout: Duration::from_secs(10),
            policy: Policy::default(),
            gate: SharedGate::new(Gate::default()),
            #[cfg(feature = "rustls")]
            tls: None,
        }
    }

    /// Sets limits, timeouts, compression and delivery.
    #[must_use]
    pub fn config(mut self, config: ClientConfig) -> Self {
        self.config = config;
        self
    }

    /// Sends a header field with each request.
    ///
    /// # Errors
    /// As [`ClientRequest::header`].
    pub fn header(mut self, name: &str, value: &[u8]) -> Result<Self, FieldError> {
        self.request = self.request.header(name, value)?;
        Ok(self)
    }

    /// Offers a subprotocol with each request, less wanted than those before it.
    ///
    /// # Errors
    /// As [`ClientRequest::subprotocol`].
    pub fn subprotocol(mut self, subprotocol: &str) -> Result<Self, FieldError> {
        self.request = self.request.subprotocol(subprotocol)?;
        Ok(self)
    }

    /// Sends an origin with each request, as browsers do.
    ///
    /// # Errors
    /// As [`ClientRequest::origin`].
    pub fn origin(mut self, origin: &str) -> Result<Self, FieldError> {
        self.request = self.request.origin(origin)?;
        Ok(self)
    }

    /// Goes through this proxy, whatever the environment says.
    ///
    /// ```
    /// use sansocket_blocking::Connector;
    /// let connector = Connector::new().proxy("http://user:password@proxy.example.com:3128".parse()?);
    /// # let _ = connector;
    /// # Ok::<(), sansocket_blocking::sansocket::client::proxy::BadProxy>(())
    /// ```
    #[must_use]
    pub fn proxy(mut self, proxy: Proxy) -> Self {
        self.options = self.options.proxy(proxy);
        self
    }

    /// Goes through no proxy. Otherwise the variables of the
    /// [`Environment`](sansocket::client::proxy::Environment) say which.
    #[must_use]
    pub fn no_proxy(mut self) -> Self {
        self.options = self.options.no_proxy();
        self
    }

    /// Follows so many redirections for one connection. None, unless set, as in browsers. What could hold a
    /// secret stays behind when the origin changes, and none leads from wss to ws.
    #[must_use]
    pub fn redirects(mut self, hops: u8) -> Self {
        self.options = self.options.redirects(hops);
        self
    }

    /// Answers a 401 of the server, and of no other origin, with this name and password: by Digest (feature `digest`)
    /// if it asks for that, or by Basic. Those for a proxy are part of the [`Proxy`].
    ///
    /// # Errors
    /// As [`Options::credentials`].
    pub fn credentials(mut self, user: &str, password: &str) -> Result<Self, FieldError> {
        self.options = self.options.credentials(user, password)?;
        Ok(self)
    }

    /// Sets how long TCP may take for each address, and TLS. 10 s. The handshake of WebSocket has the timeout
    /// of the configuration.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Sets when [`sessions`](Self::sessions) connect again.
    #[must_use]
    pub fn backoff(mut self, policy: Policy) -> Self {
        self.policy = policy;
        self
    }

    /// Opens TLS like this: certificates to trust, certificates of the client's, the provider of
    /// cryptography. The protocol in ALPN is set here, to the HTTP/1.1 of the handshake.
    #[cfg(feature = "rustls")]
    #[must_use]
    pub fn tls(mut self, config: Arc<rustls::ClientConfig>) -> Self {
        self.tls = Some(tls::for_http_1(config));
        self
    }

    /// Opens a connection to a ws or wss URI.
    ///
    /// # Errors
    /// [`Error::Uri`], [`Error::Connect`], [`Error::Tls`], [`Error::Proxy`] and [`Error::Redirect`] say how far it
    /// came; [`Error::Refused`] has the server's answer, which may be a redirection that is not to be followed.
    pub fn connect(&self, uri: &str) -> Result<WebSocket<MaybeTls>, Error> {
        self.open(self.request_to(uri)?)
    }

    /// The same with a request of the caller's, in place of the connector's header fields, subprotocols and
    /// origin.
    ///
    /// # Errors
    /// As [`connect`](Self::connect).
    pub fn open(&self, request: ClientRequest) -> Result<WebSocket<MaybeTls>, Error> {
        let variable = |name: &str| std::env::var(name).ok();
        let mut connecting = Connecting::new(request, &self.options, variable);
        loop {
            if let Some(ws) = self.attempt(&mut connecting)? {
                return Ok(ws);
            }
        }
    }

    /// Connects, and connects again after each end that this can help with, with growing delays at random
    /// between (RFC 6455 §7.2.3).
    ///
    /// # Errors
    /// [`Error::Uri`].
    pub fn sessions(&self, uri: &str) -> Result<Sessions, Error> {
        let request = self.request_to(uri)?;
        Ok(Sessions::new(self.clone(), request, self.policy))
    }

    fn request_to(&self, uri: &str) -> Result<ClientRequest, Error> {
        Ok(self.request.clone().with_uri(Uri::parse(uri)?))
    }

    /// One attempt; `None`: another one is to be made.
    fn attempt(&self, connecting: &mut Connecting) -> Result<Option<WebSocket<MaybeTls>>, Error> {
        let dialed = dial::dial(&connecting.dial()?, &self.gate, self.timeout);
        // Held until the connection is open, or there is none.
        let (socket, _pass) = dialed.map_err(Error::Connect)?;
        let mut stream = MaybeTls::Plain(socket);
        while let Some(step) = connecting.step() {
            match step {
                Step::Tls(name) => stream = self.secure(stream, &name)?,
                Step::Tunnel(tunnel) => {
                    let outcome = tunnel::open(&mut stream, tunnel);
                    connecting.tunnelled(outcome, &random_bytes())?;
                }
                Step::Handshake(request) => {
                    let opened = WebSocket::client(stream, &self.config, request);
                    return match opened {
                        Err(Error::Refused(refusal)) => {
                            match connecting.refused(&refusal, &random_bytes())? {
                                true => Ok(None),
                                false => Err(Error::Refused(refusal)),
                            }
                        }
                        opened => opened.map(Some),
                    };
                }
            }
        }
        Ok(None)
    }

    /// TLS, with a certificate for this name.
    #[cfg(feature = "rustls")]
    fn secure(&self, stream: MaybeTls, name: &str) -> Result<MaybeTls, Error> {
        let config = match &self.tls {
            Some(config) => config.clone(),
            None => tls::default_config().map_err(Error::Tls)?,
        };
        let opened = tls::open(stream, config, name, self.timeout);
        Ok(MaybeTls::Tls(Box::new(opened.map_err(Error::Tls)?)))
    }

    #[cfg(not(feature = "rustls"))]
    fn secure(&self, _stream: MaybeTls, _name: &str) -> Result<MaybeTls, Error> {
        let error = "wss and https proxies need the feature `rustls` of sansocket-blocking";
        let error = io::Error::new(io::ErrorKind::Unsupported, error);
        Err(Error::Tls(error))
    }
}

/// No values: header fields can hold credentials.
impl fmt::Debug for Connector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connector")
            .field("headers", &self.request.headers().count())
            .field("options", &self.options)
            .field("timeout", &self.timeout)
            .finish_non_exhaustive()
    }
}

/// What stands for a URI until there is one.
fn anywhere() -> Uri {
    match Uri::parse("ws://localhost/") {
        Ok(uri) => uri,
        Err(_) => unreachable!("that is a URI"),
    }
}

/// Random for each process and each call, which is all that is asked for.
fn random() -> u64 {
    RandomState::new().build_hasher().finish()
}

fn random_bytes() -> [u8; 16] {
    (u128::from(random()) << 64 | u128::from(random())).to_be_bytes()
}
