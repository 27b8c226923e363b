//! The opening handshake of either side (RFC 6455 §4).

use std::cell::RefCell;
use std::fmt;
use std::time::Duration;

use sansocket::error::AcceptError;
use sansocket::event::CloseReport;
use sansocket::handshake::Request;
use sansocket::{Accept, ClientConfig, ClientRequest, Connection, Event, Response, ServerConfig};
use tokio::io::{AsyncRead, AsyncWrite};

use crate::error::{Closed, Error};
use crate::socket::WebSocket;

/// How often a connection is kept alive by a ping, unless the configuration says so itself: often enough
/// for the proxies between, most of which give up after 30 to 60 s.
pub const PING: Duration = Duration::from_secs(20);

/// A configuration with pings. Each thread keeps the last one, so that connections share it as they share
/// the one that it is made from.
macro_rules! with_ping {
    ($name:ident, $config:ty) => {
        pub(crate) fn $name(config: &$config) -> $config {
            thread_local! {
                static LAST: RefCell<Option<($config, $config)>> = const { RefCell::new(None) };
            }
            let last = LAST.try_with(|last| last.borrow().clone()).ok().flatten();
            if let Some((plain, pinging)) = last
                && plain.is_same(config)
            {
                return pinging;
            }
            let pinging = config.clone().default_ping(PING);
            let pair = (config.clone(), pinging.clone());
            // While the thread ends nothing is kept.
            let _ = LAST.try_with(|last| last.replace(Some(pair)));
            pinging
        }
    };
}

with_ping!(client_with_ping, ClientConfig);
with_ping!(server_with_ping, ServerConfig);

impl<S: AsyncRead + AsyncWrite + Unpin> WebSocket<S> {
    /// Opens a connection over a stream that leads to the server (RFC 6455 §4.1).
    ///
    /// The configuration's timeouts hold: 10 s for this. Where it sets no ping, there is one every
    /// [`PING`], and a peer that does not answer is dead; a ping of [`Duration::MAX`] switches them off.
    ///
    /// Dropped: there is no connection.
    ///
    /// # Errors
    /// [`Error::Refused`] with the server's answer if that is not the one that opens; [`Error::Closed`] if
    /// there was none, or a wrong one, or it took too long.
    ///
    /// ```no_run
    /// use sansocket_tokio::{ClientConfig, ClientRequest, Error, Uri, WebSocket};
    /// use tokio::net::TcpStream;
    ///
    /// # #[tokio::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let socket = TcpStream::connect("127.0.0.1:9001").await?;
    /// let request = ClientRequest::new(Uri::parse("ws://127.0.0.1:9001/chat")?).subprotocol("chat")?;
    /// let mut ws = WebSocket::client(socket, &ClientConfig::new(), request).await?;
    /// ws.send("Hello").await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn client(
        io: S,
        config: &ClientConfig,
        request: ClientRequest,
    ) -> Result<Self, Error> {
        let connection = Connection::client(&client_with_ping(config), request)?;
        let mut ws = Self::from_connection(io, connection);
        ws.opened().await?;
        Ok(ws)
    }

    /// Waits for a client's request (RFC 6455 §4.2), which is to be accepted or answered otherwise.
    ///
    /// The configuration's timeouts hold, with a ping as in [`client`](Self::client). Where it
    /// [serves HTTP](ServerConfig::serve_http), plain requests come as well. A request that is wrong is
    /// answered here.
    ///
    /// Dropped: there is no connection.
    ///
    /// # Errors
    /// [`Error::Closed`] if no valid request came in time.
    pub async fn server(io: S, config: &ServerConfig) -> Result<Incoming<S>, Error> {
        let connection = Connection::server(&server_with_ping(config));
        let mut ws = Self::from_connection(io, connection);
        loop {
            match ws.next_event().await {
                Some(Event::Request(request)) => {
                    let (request, is_upgrade) = (request.into_owned(), true);
                    return Ok(Incoming {
                        ws,
                        request,
                        is_upgrade,
                    });
                }
                Some(Event::Http(request)) => {
                    let (request, is_upgrade) = (request.into_owned(), false);
                    return Ok(Incoming {
                        ws,
                        request,
                        is_upgrade,
                    });
                }
                Some(Event::Closed(report)) => return Err(ws.ended(report).await),
                _ => {}
            }
        }
    }

    /// Waits until the connection is established.
    async fn opened(&mut self) -> Result<(), Error> {
        loop {
            match self.next_event().await {
                Some(Event::Open) => {
                    // A server's answer is still to leave; if it cannot, whoever receives is told.
                    let _ = self.flush().await;
                    return Ok(());
                }
                Some(Event::Refused(refusal)) => return Err(Error::Refused(refusal)),
                Some(Event::Closed(report)) => return Err(self.ended(report).await),
                _ => {}
            }
        }
    }

    /// Ends the stream in an orderly way, and says how the connection ended.
    async fn ended(&mut self, report: Box<CloseReport>) -> Error {
        while self.next_event().await.is_some() {}
        let (report, io) = (*report, self.take_error());
        Error::Closed(Box::new(Closed { report, io }))
    }
}

/// A request that waits for the server's answer (RFC 6455 §4.2.2).
///
/// ```no_run
/// use sansocket_tokio::{Accept, Error, OriginPolicy, Response, ServerConfig, WebSocket};
/// use tokio::net::TcpStream;
///
/// async fn serve(socket: TcpStream) -> Result<(), Error> {
///     let config = ServerConfig::new(OriginPolicy::SameHost).serve_http();
///     let incoming = WebSocket::server(socket, &config).await?;
///     let mut ws = match (incoming.is_upgrade(), incoming.request().path()) {
///         (true, "/chat") => incoming.accept(Accept::new()).await?,
///         (false, "/") => return incoming.respond(Response::new(200).body("Hello!\n")).await,
///         _ => return incoming.respond(Response::new(404)).await,
///     };
///     ws.send("welcome").await?;
///     ws.close(None, "").await?;
///     Ok(())
/// }
/// ```
pub struct Incoming<S> {
    ws: WebSocket<S>,
    request: Request<'static>,
    is_upgrade: bool,
}

impl<S> Incoming<S> {
    /// What the client asks for: path, query, subprotocols, origin, fields.
    #[must_use]
    pub const fn request(&self) -> &Request<'static> {
        &self.request
    }

    /// Whether it asks for WebSocket: otherwise it is a plain HTTP request, which comes only with
    /// [`serve_http`](ServerConfig::serve_http), and can be [answered](Self::respond) only.
    #[must_use]
    pub const fn is_upgrade(&self) -> bool {
        self.is_upgrade
    }

    /// The stream below.
    #[must_use]
    pub const fn get_ref(&self) -> &S {
        self.ws.get_ref()
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Incoming<S> {
    /// Opens the connection.
    ///
    /// # Errors
    /// [`Error::Accept`] if that is no answer to this request, such as a subprotocol that was not offered:
    /// the client is told 500. [`Error::Closed`] if the connection is lost on the way.
    pub async fn accept(mut self, accept: Accept) -> Result<WebSocket<S>, Error> {
        if let Err(why) = self.ws.connection_mut().accept(accept) {
            return Err(self.failed(why).await);
        }
        self.ws.opened().await?;
        Ok(self.ws)
    }

    /// Answers with a page or a refusal, and ends the stream in an orderly way. One request is answered
    /// for each stream.
    ///
    /// # Errors
    /// [`Error::Accept`] if that is no answer to any request, such as a status of 99: the client is told
    /// 500. [`Error::Closed`] if the stream failed before the answer had left.
    pub async fn respond(mut self, response: Response) -> Result<(), Error> {
        if let Err(why) = self.ws.connection_mut().respond(response) {
            return Err(self.failed(why).await);
        }
        self.answered().await
    }

    async fn failed(&mut self, why: AcceptError) -> Error {
        // Nothing is wrong with this one.
        let _ = self.ws.connection_mut().respond(Response::new(500));
        let _ = self.answered().await;
        Error::Accept(why)
    }

    async fn answered(&mut self) -> Result<(), Error> {
        let mut ended = None;
        while let Some(event) = self.ws.next_event().await {
            if let Event::Closed(report) = event {
                ended = Some(report);
            }
        }
        match (ended, self.ws.take_error()) {
            (Some(report), io @ Some(_)) => {
                let report = *report;
                Err(Error::Closed(Box::new(Closed { report, io })))
            }
            _ => Ok(()),
        }
    }
}

/// Lengths only: targets and fields can hold credentials.
impl<S> fmt::Debug for Incoming<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Incoming")
            .field("request", &self.request)
            .field("is_upgrade", &self.is_upgrade)
            .finish_non_exhaustive()
    }
}
