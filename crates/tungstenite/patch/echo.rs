//! Both ends with the real tokio-tungstenite, whichever tungstenite is below it.

use futures_util::{SinkExt, StreamExt};
use tokio::net::TcpListener;
use tokio_tungstenite::tungstenite::handshake::server::{ErrorResponse, Request, Response};
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{accept_hdr_async, connect_async};

#[tokio::test]
async fn echoes_and_closes() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let add = |_: &Request, mut response: Response| -> Result<Response, ErrorResponse> {
            response.headers_mut().insert("x-added", "1".parse().unwrap());
            Ok(response)
        };
        let mut socket = accept_hdr_async(stream, add).await?;
        while let Some(message) = socket.next().await {
            let message = message?;
            if message.is_text() || message.is_binary() {
                socket.send(message).await?;
            }
        }
        Ok::<(), Error>(())
    });
    let (socket, response) = connect_async(format!("ws://{address}/")).await.unwrap();
    assert_eq!(response.headers()["x-added"], "1");
    let (mut sink, mut stream) = socket.split();
    for message in [Message::text("Grüezi"), Message::binary(vec![7; 1 << 20])] {
        sink.send(message.clone()).await.unwrap();
        assert!(stream.next().await.unwrap().unwrap() == message);
    }
    sink.send(Message::Ping("?".into())).await.unwrap();
    assert_eq!(stream.next().await.unwrap().unwrap(), Message::Pong("?".into()));
    let close = Some(CloseFrame { code: 1000.into(), reason: "done".into() });
    sink.send(Message::Close(close.clone())).await.unwrap();
    assert_eq!(stream.next().await.unwrap().unwrap(), Message::Close(close));
    assert!(stream.next().await.is_none());
    server.await.unwrap().unwrap();
}
