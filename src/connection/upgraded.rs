//! Connections over streams that were upgraded elsewhere: by another HTTP stack, or over HTTP/2 or
//! HTTP/3.

use alloc::boxed::Box;

use crate::config::{ClientConfig, ServerConfig};
use crate::entropy::{Entropy, Randomness};
use crate::error::AcceptError;
use crate::handshake::{Accept, ForeignResponse, Negotiated, Upgrade};
use crate::role::Role;

use super::Connection;

impl Connection {
    /// A server's end of a stream that was upgraded elsewhere: by another HTTP stack, or over
    /// HTTP/2 or HTTP/3. Bytes that were read after the handshake go into the first
    /// [`receive`](Self::receive).
    ///
    /// ```
    /// use sansocket::{Connection, Event, Negotiated, ServerConfig, State};
    /// let mut ws = Connection::upgraded_server(&ServerConfig::upgraded(), Negotiated::default());
    /// assert_eq!(ws.state(), State::Open);
    /// assert!(matches!(ws.receive(&mut &mut [][..]), Some(Event::Open)));
    /// ```
    #[must_use]
    pub fn upgraded_server(config: &ServerConfig, negotiated: Negotiated) -> Self {
        Self::new(Role::Server, config.0.clone(), Randomness::SYSTEM).upgraded(negotiated)
    }

    /// A client's end of a stream that was upgraded elsewhere.
    #[must_use]
    pub fn upgraded_client(config: &ClientConfig, negotiated: Negotiated) -> Self {
        Self::upgraded_client_from(config, negotiated, Randomness::SYSTEM)
    }

    /// The same with a source of randomness of the caller's.
    #[must_use]
    pub fn upgraded_client_with_entropy(
        config: &ClientConfig,
        negotiated: Negotiated,
        entropy: Box<dyn Entropy + Send + Sync>,
    ) -> Self {
        Self::upgraded_client_from(config, negotiated, Randomness::custom(entropy))
    }

    fn upgraded_client_from(
        config: &ClientConfig,
        negotiated: Negotiated,
        entropy: Randomness,
    ) -> Self {
        Self::new(Role::Client, config.0.clone(), entropy).upgraded(negotiated)
    }

    fn upgraded(mut self, negotiated: Negotiated) -> Self {
        self.settled(|ws| ws.establish(negotiated));
        self
    }
}

impl Upgrade {
    /// Accepts the request: the response that opens the connection, and the connection, for the
    /// stream after it. It has the configuration that the request was checked with.
    ///
    /// # Errors
    /// [`AcceptError::SubprotocolNotOffered`] and [`AcceptError::ExtensionNotOffered`] for what the
    /// client does not offer, [`AcceptError::ExtensionConflict`] if the extensions cannot be used
    /// together; in HTTP/2 and HTTP/3 [`AcceptError::Field`] for a field of `accept` that exists only
    /// in HTTP/1.
    pub fn accept(&self, accept: Accept) -> Result<(ForeignResponse, Connection), AcceptError> {
        let own = accept.own().cloned();
        let (response, negotiated) = self.negotiate(accept)?;
        let mut config = self.config.clone();
        if let Some(own) = own {
            config = config.with(|settings| settings.extensions = own);
        }
        let connection = Connection::upgraded_server(&config, negotiated);
        Ok((response, connection))
    }
}
