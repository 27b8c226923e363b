//! Servers on one thread of tokio, as the peers' own benchmarks have them.

use std::io;

use futures_util::{FutureExt, Sink, SinkExt, Stream, StreamExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::unconstrained;

/// Messages that are answered together at most.
const MOST: usize = 64;

/// Serves each connection in a task of its own.
pub fn run<F: Future<Output = ()> + Send + 'static>(
    serve: impl Fn(TcpStream) -> F,
) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .enable_time()
        .build()?;
    runtime.block_on(async {
        let listener = TcpListener::from_std(crate::listen()?)?;
        loop {
            let (stream, _) = listener.accept().await?;
            stream.set_nodelay(true)?;
            tokio::spawn(unconstrained(serve(stream)));
        }
    })
}

/// Takes all messages that are there, and then answers them together: `tokio-websockets` writes what waits
/// before it reads on.
pub async fn echo<S, M, E>(mut ws: S, is_data: impl Fn(&M) -> bool) -> Result<(), E>
where
    S: Stream<Item = Result<M, E>> + Sink<M, Error = E> + Unpin,
{
    let mut messages = Vec::new();
    let mut next = ws.next().await;
    loop {
        match next {
            Some(Ok(message)) if is_data(&message) => messages.push(message),
            Some(other) => drop(other?),
            None => return Ok(()),
        }
        next = match ws.next().now_or_never() {
            Some(next) if messages.len() < MOST => next,
            rest => {
                for message in messages.drain(..) {
                    ws.feed(message).await?;
                }
                ws.flush().await?;
                match rest {
                    Some(next) => next,
                    None => ws.next().await,
                }
            }
        };
    }
}
