//! Both ends with the real async-tungstenite, over tokio and over smol, whichever tungstenite is below it.

use async_tungstenite::tungstenite::handshake::client::Response as Answer;
use async_tungstenite::tungstenite::handshake::server::{ErrorResponse, Request, Response};
use async_tungstenite::tungstenite::protocol::CloseFrame;
use async_tungstenite::tungstenite::{Error, Message};
use async_tungstenite::{
    WebSocketStream, accept_hdr_async, smol as over_smol, tokio as over_tokio,
};
use futures_util::future::join;
use futures_util::{AsyncRead, AsyncWrite, StreamExt};

#[tokio::test]
async fn echoes_and_closes_over_tokio() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("ws://{}/", listener.local_addr().unwrap());
    let server = async {
        let (stream, _) = listener.accept().await.unwrap();
        echo(over_tokio::accept_hdr_async(stream, add).await.unwrap())
            .await
            .unwrap();
    };
    let client = async {
        let (socket, answer) = over_tokio::connect_async(url).await.unwrap();
        talk(socket, answer).await;
    };
    join(server, client).await;
}

#[test]
fn echoes_and_closes_over_smol() {
    smol::block_on(async {
        let listener = smol::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("ws://{}/", listener.local_addr().unwrap());
        let server = async {
            let (stream, _) = listener.accept().await.unwrap();
            echo(accept_hdr_async(stream, add).await.unwrap())
                .await
                .unwrap();
        };
        let client = async {
            let (socket, answer) = over_smol::connect_async(url).await.unwrap();
            talk(socket, answer).await;
        };
        join(server, client).await;
    });
}

#[expect(clippy::result_large_err, reason = "the signature of a callback")]
fn add(_: &Request, mut response: Response) -> Result<Response, ErrorResponse> {
    response
        .headers_mut()
        .insert("x-added", "1".parse().unwrap());
    Ok(response)
}

async fn echo<S: AsyncRead + AsyncWrite + Unpin>(
    mut socket: WebSocketStream<S>,
) -> Result<(), Error> {
    while let Some(message) = socket.next().await {
        let message = message?;
        if message.is_text() || message.is_binary() {
            socket.send(message).await?;
        }
    }
    Ok(())
}

/// Both halves are used at the same time: the large message comes back while it is still sent.
async fn talk<S: AsyncRead + AsyncWrite + Unpin>(socket: WebSocketStream<S>, answer: Answer) {
    assert_eq!(answer.headers()["x-added"], "1");
    let (mut sender, mut receiver) = socket.split();
    for message in [Message::text("Grüezi"), Message::binary(vec![7; 1 << 20])] {
        let (sent, read) = join(sender.send(message.clone()), receiver.next()).await;
        sent.unwrap();
        assert!(read.unwrap().unwrap() == message);
    }
    sender.send(Message::Ping("?".into())).await.unwrap();
    assert_eq!(
        receiver.next().await.unwrap().unwrap(),
        Message::Pong("?".into())
    );
    let close = CloseFrame {
        code: 1000.into(),
        reason: "done".into(),
    };
    sender.close(Some(close.clone())).await.unwrap();
    assert_eq!(
        receiver.next().await.unwrap().unwrap(),
        Message::Close(Some(close))
    );
    assert!(receiver.next().await.is_none());
}
