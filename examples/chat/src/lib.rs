//! A chat room over tokio: what one says goes to all.
//!
//! | file | what of it |
//! |---|---|
//! | `socket` | the driver: a connection over any stream of tokio's |
//! | `lib` | the room, and what a server says to each event |
//! | `main` | TCP, and the end at Ctrl-C |

mod socket;

use sansocket::error::AcceptError;
use sansocket::error::SendError;
use sansocket::{Accept, CloseCode, Connection, Event, Message, Prepared, Response, ServerConfig};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::broadcast::{self, error::RecvError};

pub use socket::Socket;

const PAGE: &str = include_str!("../../page/index.html");

/// Messages that a slow member may be behind.
const BEHIND: usize = 64;

/// Where all meet. A clone is the same room.
#[derive(Clone)]
pub struct Room {
    news: broadcast::Sender<Prepared>,
    config: ServerConfig,
}

impl Room {
    #[must_use]
    pub fn new(config: ServerConfig) -> Self {
        Self {
            news: broadcast::channel(BEHIND).0,
            config,
        }
    }

    /// Members now.
    #[must_use]
    pub fn members(&self) -> usize {
        self.news.receiver_count()
    }

    /// Serves one connection to its end; `stop` ends it in an orderly way.
    pub async fn serve<S>(&self, stream: S, stop: impl Future<Output = ()>)
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let mut socket = Socket::new(Connection::server(&self.config), stream);
        let mut member: Option<broadcast::Receiver<Prepared>> = None;
        let mut stop = std::pin::pin!(stop);
        let mut stopping = false;
        loop {
            // Two of the three futures are dropped each time: nothing of what they did is lost.
            let (code, why) = tokio::select! {
                next = socket.next() => {
                    let Some((ws, event)) = next else { return };
                    if matches!(event, Event::Open) {
                        member = Some(self.news.subscribe());
                    }
                    match self.answer(ws, event) {
                        Ok(()) => continue,
                        Err(_) => (CloseCode::INTERNAL_ERROR, ""),
                    }
                }
                news = heard(&mut member) => match news {
                    Ok(message) => match socket.connection().send(&message).map_err(SendError::from) {
                        Err(SendError::Full { .. }) => (CloseCode::TRY_AGAIN_LATER, "too slow"),
                        _ => continue, // sent, or the connection is closing anyway
                    },
                    Err(RecvError::Lagged(_)) => (CloseCode::TRY_AGAIN_LATER, "too slow"),
                    Err(RecvError::Closed) => (CloseCode::GOING_AWAY, ""),
                },
                () = &mut stop, if !stopping => {
                    stopping = true;
                    (CloseCode::GOING_AWAY, "the server stops")
                }
            };
            member = None;
            // A server needs no randomness, and the reasons are short: this cannot fail.
            let _ = socket.connection().close(Some(code), why);
        }
    }

    fn answer(&self, ws: &mut Connection, event: Event<'_>) -> Result<(), AcceptError> {
        match event {
            Event::Request(request) if request.path() == "/ws" => ws.accept(Accept::new()),
            Event::Http(request) if request.path() == "/" && request.method() == "GET" => {
                let page =
                    Response::new(200).header("Content-Type", b"text/html; charset=utf-8")?;
                ws.respond(page.body(PAGE))
            }
            Event::Request(_) | Event::Http(_) => {
                ws.respond(Response::new(404).body("there is nothing here\n"))
            }
            Event::Message(message) => {
                // Encoded once, whoever is there to hear it: the one who said it at least.
                let _ = self.news.send(match &message {
                    Message::Text(text) => Prepared::text(text),
                    Message::Binary(bytes) => Prepared::binary(bytes),
                });
                Ok(())
            }
            _ => Ok(()), // pongs and Close replies are queued already
        }
    }
}

/// The next message for a member; nothing ever for who is none.
async fn heard(member: &mut Option<broadcast::Receiver<Prepared>>) -> Result<Prepared, RecvError> {
    match member {
        Some(member) => member.recv().await,
        None => std::future::pending().await,
    }
}
