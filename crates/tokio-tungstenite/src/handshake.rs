//! Opening handshakes (RFC 6455 §4).

use std::future::poll_fn;
use std::task::Poll;

use tokio::io::{AsyncRead, AsyncWrite};
use tungstenite::client::IntoClientRequest;
use tungstenite::handshake::client::{ClientHandshake, Response};
use tungstenite::handshake::server::{Callback, NoCallback, ServerHandshake};
use tungstenite::handshake::{HandshakeError, HandshakeRole, MidHandshake};
use tungstenite::protocol::WebSocketConfig;
use tungstenite::{Error, Result};

use crate::WebSocketStream;
use crate::io::{Blocking, Half};

/// Does the opening handshake as a client, over a stream that leads to the server.
///
/// # Errors
/// [`Error::Http`] where the server answers with something else than a connection, the rules that it breaks, and
/// the stream's own.
pub async fn client_async<R, S>(request: R, stream: S) -> Result<(WebSocketStream<S>, Response)>
where
    R: IntoClientRequest + Unpin,
    S: AsyncRead + AsyncWrite + Unpin,
{
    client_async_with_config(request, stream, None).await
}

/// [`client_async`] with a configuration.
///
/// # Errors
/// As there.
pub async fn client_async_with_config<R, S>(
    request: R,
    stream: S,
    config: Option<WebSocketConfig>,
) -> Result<(WebSocketStream<S>, Response)>
where
    R: IntoClientRequest + Unpin,
    S: AsyncRead + AsyncWrite + Unpin,
{
    let request = request.into_client_request()?;
    let handshake = ClientHandshake::start(Blocking::new(stream), request, config)?;
    let (socket, response) = done(handshake).await?;
    Ok((WebSocketStream::new(socket), response))
}

/// Reads the opening handshake from the stream and lets the client in. A client whose request is wrong is told so.
///
/// # Errors
/// The rules that the client breaks, and the stream's own.
pub async fn accept_async<S>(stream: S) -> Result<WebSocketStream<S>>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    accept_async_with_config(stream, None).await
}

/// [`accept_async`] with a configuration.
///
/// # Errors
/// As there.
pub async fn accept_async_with_config<S>(
    stream: S,
    config: Option<WebSocketConfig>,
) -> Result<WebSocketStream<S>>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    accept_hdr_async_with_config(stream, NoCallback, config).await
}

/// [`accept_async`] with a callback, which sees the request and adds to the response, or refuses the client.
///
/// # Errors
/// As there; [`Error::Http`] where the callback has refused the client.
pub async fn accept_hdr_async<S, C>(stream: S, callback: C) -> Result<WebSocketStream<S>>
where
    S: AsyncRead + AsyncWrite + Unpin,
    C: Callback + Unpin,
{
    accept_hdr_async_with_config(stream, callback, None).await
}

/// [`accept_hdr_async`] with a configuration.
///
/// # Errors
/// As there.
pub async fn accept_hdr_async_with_config<S, C>(
    stream: S,
    callback: C,
    config: Option<WebSocketConfig>,
) -> Result<WebSocketStream<S>>
where
    S: AsyncRead + AsyncWrite + Unpin,
    C: Callback + Unpin,
{
    let handshake = ServerHandshake::start(Blocking::new(stream), callback, config);
    Ok(WebSocketStream::new(done(handshake).await?))
}

async fn done<R, S>(handshake: MidHandshake<R>) -> Result<R::FinalResult>
where
    R: HandshakeRole<InternalStream = Blocking<S>>,
{
    let mut handshake = Some(handshake);
    poll_fn(|cx| {
        let Some(waits) = handshake.take() else {
            return Poll::Ready(Err(Error::AlreadyClosed));
        };
        waits.get_ref().get_ref().waits(Half::Receiver, cx);
        match waits.handshake() {
            Ok(result) => Poll::Ready(Ok(result)),
            Err(HandshakeError::Failure(error)) => Poll::Ready(Err(error)),
            Err(HandshakeError::Interrupted(waits)) => {
                handshake = Some(waits);
                Poll::Pending
            }
        }
    })
    .await
}
