//! From a request to a connection (RFC 6455 §4.1, first list): what to do next, and what to make of what came of it.
//!
//! An attempt begins with [`Connecting::dial`]: where TCP goes to, the server or its proxy. Then the
//! [`steps`](Connecting::step) over that stream: TLS to the proxy, the tunnel, TLS to the server, the opening
//! handshake. A redirection or a challenge that can be answered makes another attempt. The caller does the IO.
//!
//! ```
//! use sansocket::client::connecting::{Connecting, Options, Step};
//! use sansocket::{ClientRequest, Uri};
//!
//! let request = ClientRequest::new(Uri::parse("wss://example.com/chat")?);
//! let variables = |name: &str| (name == "https_proxy").then(|| "http://proxy:3128".into()); // std::env::var(name).ok()
//! let mut connecting = Connecting::new(request, &Options::new(), variables);
//!
//! let dial = connecting.dial()?;
//! assert_eq!((&*dial.host, dial.port), ("proxy", 3128));
//! // Connected to it, over that stream:
//! let Some(Step::Tunnel(tunnel)) = connecting.step() else { unreachable!() };
//! assert!(tunnel.output().starts_with(b"CONNECT example.com:443 "));
//! # let random = [0; 16];
//! assert!(connecting.tunnelled(Ok(()), &random)?); // the proxy let us through
//! assert!(matches!(connecting.step(), Some(Step::Tls(name)) if name == "example.com"));
//! assert!(matches!(connecting.step(), Some(Step::Handshake(request)) if request.uri().resource_name() == "/chat"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod options;
#[cfg(test)]
mod tests;

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

pub use options::Options;

use crate::handshake::uri::Uri;
use crate::handshake::{ClientRequest, Refusal};

use super::credentials::Credentials;
use super::gate::Destination;
use super::proxy::{Environment, Protocol, Proxy, ProxyError, Tunnel};
use super::redirect::{NoRedirect, Redirects};

/// Where the TCP connection of an attempt goes to.
///
/// ```
/// use sansocket::client::connecting::{Connecting, Options};
/// # use sansocket::{ClientRequest, Uri};
/// let request = ClientRequest::new(Uri::parse("ws://[::1]:9001/")?);
/// let dial = Connecting::new(request, &Options::new().no_proxy(), |_| None).dial()?;
/// assert_eq!((&*dial.host, dial.port, dial.place), ("::1", 9001, None));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Dial {
    /// A name to resolve, or an address without brackets.
    pub host: String,
    /// The port.
    pub port: u16,
    /// The place whose turn at the [`Gate`](super::gate::Gate) the attempt waits for, as only the proxy will know the
    /// server's address. `None`: each address of the host that is tried is a place of its own. Either is held until
    /// the attempt is over (RFC 6455 §4.1 (2)).
    pub place: Option<Destination>,
}

/// What to do next over the stream of an attempt.
///
/// ```
/// # use sansocket::client::connecting::{Connecting, Options, Step};
/// # use sansocket::{ClientRequest, Uri};
/// # let request = ClientRequest::new(Uri::parse("wss://example.com/")?);
/// # let mut connecting = Connecting::new(request, &Options::new().no_proxy(), |_| None);
/// # connecting.dial()?;
/// while let Some(step) = connecting.step() {
///     match step {
///         Step::Tls(name) => assert_eq!(name, "example.com"), // over the stream there is TLS now
///         Step::Tunnel(_tunnel) => unreachable!("without a proxy"), // drive it, and tell what came of it
///         Step::Handshake(_request) => {} // Connection::client(&config, request)
///     }
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub enum Step {
    /// A TLS handshake, with SNI and a certificate for this name (RFC 6455 §4.1 (5)).
    Tls(String),
    /// Ask the proxy for a tunnel (RFC 6455 §4.1 (3)), and tell [`Connecting::tunnelled`] what came of it.
    Tunnel(Tunnel),
    /// The opening handshake with this request, and [`Connecting::refused`] if the server refuses. The last step.
    Handshake(ClientRequest),
}

/// One request on its way to a connection, in one attempt or several.
pub struct Connecting {
    options: Options,
    /// If that is to choose the proxies.
    environment: Option<Environment>,
    request: ClientRequest,
    redirects: Redirects,
    /// For the server, until an attempt leaves its origin.
    credentials: Option<Credentials>,
    /// Of the attempts for this request.
    proxy: Option<Proxied>,
    /// The last one is next.
    steps: Vec<Step>,
}

/// A proxy, and what it may still be told.
struct Proxied {
    proxy: Proxy,
    credentials: Option<Credentials>,
    /// It has asked for other credentials and gets them next.
    is_asked_again: bool,
}

impl Connecting {
    /// Begins. The variables are looked up only if the options leave the proxy to the environment: with
    /// `|name| std::env::var(name).ok()` in the process's.
    #[must_use]
    pub fn new(
        request: ClientRequest,
        options: &Options,
        variable: impl FnMut(&str) -> Option<String>,
    ) -> Self {
        Self {
            environment: options
                .asks_the_environment()
                .then(|| Environment::new(variable)),
            redirects: Redirects::new(request.uri().clone()).limit(options.redirects),
            credentials: options.new_credentials(),
            options: options.clone(),
            request,
            proxy: None,
            steps: Vec::new(),
        }
    }

    /// Begins an attempt: the first one, and another when [`tunnelled`](Self::tunnelled) or [`refused`](Self::refused)
    /// say so. The stream of the one before is to be closed, and its place at the gate given back.
    ///
    /// # Errors
    /// [`ProxyError`]: the environment names something that is no proxy, or the server's name is too long for it.
    pub fn dial(&mut self) -> Result<Dial, ProxyError> {
        self.choose_proxy()?;
        let uri = self.request.uri();
        self.steps.clear();
        self.steps.push(Step::Handshake(self.request.clone()));
        if uri.secure() {
            self.steps.push(Step::Tls(uri.server_name().into()));
        }
        let Some(Proxied { proxy, .. }) = &self.proxy else {
            return Ok(Dial {
                host: uri.server_name().into(),
                port: uri.port(),
                place: None,
            });
        };
        self.steps.push(Step::Tunnel(Tunnel::new(uri, proxy)?));
        if proxy.protocol() == Protocol::Https {
            self.steps.push(Step::Tls(proxy.host().into()));
        }
        Ok(Dial {
            host: proxy.host().into(),
            port: proxy.port(),
            place: Some(Destination::name(uri.host(), uri.port())),
        })
    }

    /// What to do next over the stream; those before have succeeded. `None`: the attempt is over.
    #[must_use]
    pub fn step(&mut self) -> Option<Step> {
        self.steps.pop()
    }

    /// Takes what came of a [`Tunnel`]. `true`: on with the next [`step`](Self::step). `false`: the proxy asks for other
    /// credentials, which it gets in another attempt; begin it with [`dial`](Self::dial).
    ///
    /// `random` is drawn anew for each call, for an answer by Digest.
    ///
    /// # Errors
    /// The error of the tunnel, if there is nothing else to try.
    pub fn tunnelled(
        &mut self,
        outcome: Result<(), ProxyError>,
        random: &[u8; 16],
    ) -> Result<bool, ProxyError> {
        let Err(error) = outcome else {
            return Ok(true);
        };
        self.steps.clear();
        let is_answered = match (&error, &mut self.proxy) {
            (ProxyError::Refused(refusal), Some(proxied)) => {
                proxied.answer(refusal, self.request.uri(), random)
            }
            _ => false,
        };
        if is_answered { Ok(false) } else { Err(error) }
    }

    /// Takes the answer of a server that refuses the handshake (RFC 6455 §4.1, "Once the client's opening handshake has
    /// been sent", 1). `true`: it is a redirection that is followed, or a challenge that is answered, in another attempt;
    /// begin it with [`dial`](Self::dial). `false`: the refusal stands.
    ///
    /// `random` is drawn anew for each call, for an answer by Digest.
    ///
    /// # Errors
    /// [`NoRedirect`]: a redirection that is wanted and leads nowhere.
    pub fn refused(&mut self, refusal: &Refusal, random: &[u8; 16]) -> Result<bool, NoRedirect> {
        self.steps.clear();
        if refusal.status == 401 {
            return Ok(self.authorize(refusal, random).is_some());
        }
        if self.options.redirects == 0 || !(300..400).contains(&refusal.status) {
            return Ok(false);
        }
        let redirect = self.redirects.next(refusal)?;
        if redirect.downgrade {
            return Ok(false);
        }
        self.credentials = None;
        if redirect.same_origin {
            self.credentials = self.options.new_credentials();
        }
        self.request = redirect.request(self.request.clone());
        Ok(true)
    }

    /// The request with an answer to the server's challenge.
    fn authorize(&mut self, refusal: &Refusal, random: &[u8; 16]) -> Option<()> {
        const AUTHORIZATION: &str = "Authorization";
        let credentials = self.credentials.as_mut()?;
        let target = self.request.uri().resource_name();
        let value = credentials.answer(refusal, "GET", target, random)?;
        let request = self.request.clone().without_header(AUTHORIZATION);
        self.request = request.header(AUTHORIZATION, &value).ok()?;
        Some(())
    }

    /// The proxy for the present request. What it was told before holds for one attempt.
    fn choose_proxy(&mut self) -> Result<(), ProxyError> {
        if let Some(proxied) = &mut self.proxy
            && core::mem::take(&mut proxied.is_asked_again)
        {
            return Ok(());
        }
        let uri = self.request.uri();
        let proxy = self.options.proxy_for(uri, self.environment.as_ref())?;
        self.proxy = proxy.map(Proxied::new);
        Ok(())
    }
}

impl Proxied {
    fn new(proxy: Proxy) -> Self {
        let credentials = proxy.credentials();
        let credentials = credentials.map(|(user, password)| {
            let unused = Credentials::new(user, password);
            match proxy.is_authorized() {
                true => unused.basic_sent(),
                false => unused,
            }
        });
        Self {
            credentials,
            proxy,
            is_asked_again: false,
        }
    }

    /// Whether there is an answer to what the proxy asks for.
    fn answer(&mut self, refusal: &Refusal, uri: &Uri, random: &[u8; 16]) -> bool {
        if refusal.status != 407 {
            return false;
        }
        let target = uri.host_and_port();
        let credentials = self.credentials.as_mut();
        let answered = credentials
            .and_then(|credentials| credentials.answer(refusal, "CONNECT", &target, random))
            .and_then(|value| self.proxy.authorized(&value));
        self.is_asked_again = answered.is_some();
        if let Some(proxy) = answered {
            self.proxy = proxy;
        }
        self.is_asked_again
    }
}

/// Without fields and credentials.
impl fmt::Debug for Connecting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connecting")
            .field("options", &self.options)
            .field("steps", &self.steps.len())
            .finish_non_exhaustive()
    }
}
