//! A chat room over `sansocket-tokio`: what one says goes to all.
//!
//! | file | what of it |
//! |---|---|
//! | `lib` | one connection, from the request to the end |
//! | `room` | who is there, and what is said |
//! | `queue` | what waits for one member while its socket is slow |
//! | `main` | TCP, as many connections as are served, the end by a signal |

mod queue;
mod room;

use std::future::pending;
use std::pin::pin;

use sansocket_tokio::sansocket::event::CloseReport;
use sansocket_tokio::{Accept, CloseCode, Error, Incoming, Response, Sender, WebSocket};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::select;

use room::Seat;
pub use room::{PATIENCE, Room};

const PAGE: &str = include_str!("page.html");

impl Room {
    /// Serves one connection to its end, which `stop` brings about in an orderly way. How it ended, if it was
    /// a member's.
    ///
    /// # Errors
    /// That it did not end in an orderly way.
    pub async fn serve<S>(
        &self,
        stream: S,
        stop: impl Future<Output = ()>,
    ) -> Result<Option<CloseReport>, Error>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let mut stop = pin!(stop);
        let incoming = select! {
            incoming = WebSocket::server(stream, self.config()) => incoming?,
            () = &mut stop => return Ok(None), // nothing was asked for
        };
        let request = incoming.request();
        let seat = match (incoming.is_upgrade(), request.method(), request.path()) {
            (true, _, "/ws") => self.enter(),
            (false, "GET" | "HEAD", "/") => return answer(incoming, page()?).await,
            _ => {
                let nothing = Response::new(404).body("there is nothing here\n");
                return answer(incoming, nothing).await;
            }
        };
        let Some(seat) = seat else {
            return answer(incoming, full()?).await;
        };

        let ws = incoming.accept(Accept::new()).await?;
        let (mut receiver, sender) = ws.split();
        let listen = async {
            while let Some(message) = receiver.recv().await {
                self.say(&message?).await;
            }
            Ok(receiver.report())
        };
        let speak = async {
            let end = select! {
                () = seat.left_behind() => Some((CloseCode::TRY_AGAIN_LATER, "too far behind")),
                () = stop => Some((CloseCode::GOING_AWAY, "the server stops")),
                () = pass_on(&seat, &sender) => None,
            };
            drop(seat);
            if let Some((code, why)) = end {
                let _ = sender.close(code, why).await;
            }
            pending().await // the end comes to the one that listens
        };
        select! {
            ended = listen => ended,
            ended = speak => ended,
        }
    }
}

/// What the room says, until nothing can be sent any more.
async fn pass_on<S>(seat: &Seat, sender: &Sender<S>)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    loop {
        let message = seat.next().await;
        // Not more than one is in the connection: the others wait where they are counted.
        if sender.send(&message).await.is_err() || sender.flush().await.is_err() {
            return;
        }
    }
}

async fn answer<S>(incoming: Incoming<S>, response: Response) -> Result<Option<CloseReport>, Error>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    incoming.respond(response).await.map(|()| None)
}

fn page() -> Result<Response, Error> {
    let page = Response::new(200).header("Content-Type", b"text/html; charset=utf-8")?;
    Ok(page.body(PAGE))
}

fn full() -> Result<Response, Error> {
    let full = Response::new(503).header("Retry-After", b"10")?;
    Ok(full.body("the room is full\n"))
}
