//! How a client gets to a server.

use alloc::borrow::ToOwned;
use alloc::boxed::Box;
use alloc::string::String;
use core::fmt;

use crate::client::credentials::{Credentials, basic};
use crate::client::proxy::{Environment, Proxy, ProxyError};
use crate::error::FieldError;
use crate::handshake::uri::Uri;

/// How a client gets to a server: through which proxy, after how many redirections, with which credentials.
///
/// ```
/// use sansocket::client::connecting::Options;
/// use sansocket::client::proxy::Proxy;
/// let options = Options::new()
///     .proxy(Proxy::parse("socks5://proxy.example")?)
///     .redirects(3)
///     .credentials("ednamode", "nocapes!")?;
/// # let _ = options;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Default)]
pub struct Options {
    proxies: Proxies,
    pub(super) redirects: u8,
    credentials: Option<(String, String)>,
}

#[derive(Debug, Clone, Default)]
enum Proxies {
    #[default]
    Environment,
    One(Box<Proxy>),
    None,
}

impl Options {
    /// The proxies of the environment, no redirections, no credentials.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Goes through this proxy, whatever the environment says.
    #[must_use]
    pub fn proxy(mut self, proxy: Proxy) -> Self {
        self.proxies = Proxies::One(Box::new(proxy));
        self
    }

    /// Goes through no proxy. Otherwise the variables of the [`Environment`] say which.
    #[must_use]
    pub fn no_proxy(mut self) -> Self {
        self.proxies = Proxies::None;
        self
    }

    /// Follows so many redirections. None, unless set, as in browsers. What could hold a secret stays behind when the
    /// origin changes, and none leads from wss to ws.
    #[must_use]
    pub fn redirects(mut self, hops: u8) -> Self {
        self.redirects = hops;
        self
    }

    /// Answers a 401 of the server with this name and password: by Digest (feature `digest`) if it asks for that, or by
    /// Basic, which whoever can read the connection can read. No other origin is given them, and none that does not
    /// ask. Those for a proxy are part of the [`Proxy`].
    ///
    /// # Errors
    /// [`FieldError::BadValue`]: a control character, or a colon in the name (RFC 7617 §2).
    pub fn credentials(mut self, user: &str, password: &str) -> Result<Self, FieldError> {
        basic(user, password)?;
        self.credentials = Some((user.to_owned(), password.to_owned()));
        Ok(self)
    }

    /// The proxy that leads to this server.
    pub(super) fn proxy_for(
        &self,
        uri: &Uri,
        environment: Option<&Environment>,
    ) -> Result<Option<Proxy>, ProxyError> {
        match (&self.proxies, environment) {
            (Proxies::One(proxy), _) => Ok(Some(Proxy::clone(proxy))),
            (Proxies::Environment, Some(environment)) => Ok(environment.proxy(uri)?),
            (Proxies::Environment | Proxies::None, _) => Ok(None),
        }
    }

    pub(super) const fn asks_the_environment(&self) -> bool {
        matches!(self.proxies, Proxies::Environment)
    }

    pub(super) fn new_credentials(&self) -> Option<Credentials> {
        let (user, password) = self.credentials.as_ref()?;
        Some(Credentials::new(user, password))
    }
}

/// Without the credentials.
impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("proxies", &self.proxies)
            .field("redirects", &self.redirects)
            .field("credentials", &self.credentials.is_some())
            .finish()
    }
}
