//! An extractor for axum.

use std::fmt;
use std::future::Future;

use ::http::Request;
use ::http::request::Parts;
use axum_core::body::Body;
use axum_core::extract::FromRequestParts;
use axum_core::response::{IntoResponse, Response};
use sansocket::handshake::Upgrade;
use sansocket::{Accept, OriginPolicy, ServerConfig};

use super::{HttpStream, HttpUpgrade, NotUpgraded, check};
use crate::socket::WebSocket;

/// An extractor for axum: a request for WebSocket, over HTTP/1.1 or HTTP/2 (RFC 8441).
///
/// Anything else is answered with 426 or 400, which says what is wrong. An origin other than the request's
/// own host is refused with 403, unless [`origin`](Self::origin) or [`config`](Self::config) says otherwise:
/// a page of somebody else's would speak with the cookies of who looks at it (RFC 6455 §10.2).
///
/// ```
/// use axum::{Router, response::Response, routing::any};
/// use sansocket_tokio::WebSocketUpgrade;
///
/// async fn chat(upgrade: WebSocketUpgrade) -> Response {
///     upgrade.protocols(["chat.v2", "chat"]).on_upgrade(|mut ws| async move {
///         while let Some(Ok(message)) = ws.recv().await {
///             if ws.send(message).await.is_err() {
///                 break;
///             }
///         }
///     })
/// }
///
/// let app: Router = Router::new().route("/chat", any(chat)); // `any`: GET in HTTP/1.1, CONNECT in HTTP/2
/// # let _ = app;
/// ```
pub struct WebSocketUpgrade {
    request: Request<()>,
    /// As it was checked for all but its origin.
    checked: Upgrade,
    config: ServerConfig,
    protocols: Vec<String>,
    accept: Accept,
}

impl WebSocketUpgrade {
    /// The subprotocols of the server's, most wanted first: the first one that the client offers is
    /// chosen, and none if it offers none of them (RFC 6455 §1.9).
    #[must_use]
    pub fn protocols<P: Into<String>>(mut self, protocols: impl IntoIterator<Item = P>) -> Self {
        self.protocols = protocols.into_iter().map(Into::into).collect();
        self
    }

    /// Sets limits, timeouts, compression, and the policy on origins. Make it once, for all connections.
    #[must_use]
    pub fn config(mut self, config: &ServerConfig) -> Self {
        self.config = config.clone();
        self
    }

    /// Sets which origins are let in, and leaves the rest of the configuration as it is.
    #[must_use]
    pub fn origin(mut self, policy: OriginPolicy) -> Self {
        self.config = self.config.origin(policy);
        self
    }

    /// Answers with these header fields and extensions too.
    #[must_use]
    pub fn accept(mut self, accept: Accept) -> Self {
        self.accept = accept;
        self
    }

    /// The subprotocols that the client offers, most wanted first.
    pub fn offered(&self) -> impl Iterator<Item = &str> {
        self.checked.subprotocols()
    }

    /// Answers the request, and runs a handler with the connection in a task of its own. An origin that is
    /// not let in and an [`accept`](Self::accept) that does not fit get the answers to these.
    pub fn on_upgrade<F, Fut>(self, handler: F) -> Response
    where
        F: FnOnce(WebSocket<HttpStream>) -> Fut + Send + 'static,
        Fut: Future<Output = ()> + Send + 'static,
    {
        let Self {
            mut request,
            checked,
            config,
            protocols,
            mut accept,
        } = self;
        let offered = |wanted: &String| checked.subprotocols().any(|offered| offered == wanted);
        if let Some(chosen) = protocols.into_iter().find(offered) {
            accept = accept.subprotocol(chosen);
        }
        let upgrade = match HttpUpgrade::of(&mut request, &config) {
            Ok(upgrade) => upgrade,
            Err(refused) => return refused.into_response(),
        };
        let (response, upgrading) = match upgrade.accept::<Body>(accept) {
            Ok(accepted) => accepted,
            // The application's mistake.
            Err(why) => {
                let status = ::http::StatusCode::INTERNAL_SERVER_ERROR;
                return (status, why.to_string()).into_response();
            }
        };
        tokio::spawn(async move {
            // If the client is gone before it has the answer, there is nobody to serve.
            if let Ok(ws) = upgrading.await {
                handler(ws).await;
            }
        });
        response
    }
}

impl<S: Sync> FromRequestParts<S> for WebSocketUpgrade {
    type Rejection = NotUpgraded;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, NotUpgraded> {
        // Who looks at the parts after this one finds them all, but for the stream.
        let mut request = Request::from_parts(parts.clone(), ());
        let checked = check(&request, &ServerConfig::new(OriginPolicy::Application))?;
        if let Some(on_upgrade) = parts.extensions.remove::<hyper::upgrade::OnUpgrade>() {
            request.extensions_mut().insert(on_upgrade);
        }
        Ok(Self {
            request,
            checked,
            config: ServerConfig::new(OriginPolicy::SameHost),
            protocols: Vec::new(),
            accept: Accept::new(),
        })
    }
}

impl IntoResponse for NotUpgraded {
    fn into_response(self) -> Response {
        self.response()
    }
}

/// Lengths only.
impl fmt::Debug for WebSocketUpgrade {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("WebSocketUpgrade")
            .field(&self.checked)
            .finish()
    }
}
