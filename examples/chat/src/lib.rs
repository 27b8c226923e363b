//! A chat over `sansocket-tokio`: what one says in a room goes to all who are in it, whichever process they are
//! connected to. The README beside it has the frames that members and this server send each other.
//!
//! | file | what of it |
//! |---|---|
//! | `lib` | one connection, from the request to the end |
//! | `hall` | the rooms of this process |
//! | `room`, `ring`, `member` | what was said lately, and a place in it |
//! | `presence` | who is there, over all processes |
//! | `engine` | what keeps the rooms: this process, NATS, or Redis |
//! | `wire` | frames and entries as JSON |
//! | `main` | TCP, as many connections as are served, the end by a signal |

pub mod engine;
mod hall;
mod member;
mod presence;
mod ring;
mod room;
mod wire;

use std::fmt::Display;
use std::future::pending;
use std::io::{self, Write};
use std::pin::pin;
use std::sync::Arc;

use sansocket_tokio::sansocket::event::CloseReport;
use sansocket_tokio::{Accept, CloseCode, Error, Message, Prepared, Response, Sender, WebSocket};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::select;
use tokio::sync::mpsc;
use tokio::time::timeout;

use engine::{Engine, Position};
pub use hall::{Hall, PATIENCE};
use member::Member;
pub use presence::{GONE, SIGN};
use wire::Say;

const PAGE: &str = include_str!("page.html");

/// How many answers wait for a member that says much and reads nothing.
const ANSWERS: usize = 16;

/// Who wants to come in.
struct Wish {
    room: String,
    name: String,
    after: Option<Position>,
}

impl Wish {
    /// `room=R&name=N&after=P`, all of them optional.
    fn from_query(query: &str) -> Option<Self> {
        let mut wish = Self {
            room: "lobby".into(),
            name: "somebody".into(),
            after: None,
        };
        for (key, value) in form_urlencoded::parse(query.as_bytes()) {
            match &*key {
                "room" => wish.room = value.into(),
                "name" => wish.name = value.trim().into(),
                "after" => wish.after = Some(value.parse().ok()?),
                _ => {}
            }
        }
        let word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        let fits = |text: &str, most| (1..=most).contains(&text.chars().count());
        let good = fits(&wish.room, 32) && wish.room.bytes().all(word) && fits(&wish.name, 30);
        good.then_some(wish)
    }
}

impl<E: Engine> Hall<E> {
    /// Serves one connection to its end, which `stop` brings about in an orderly way. How it ended, if it was
    /// a member's.
    ///
    /// # Errors
    /// That it did not end in an orderly way.
    pub async fn serve<S>(
        self: &Arc<Self>,
        stream: S,
        stop: impl Future<Output = ()>,
    ) -> Result<Option<CloseReport>, Error>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let mut stop = pin!(stop);
        let incoming = select! {
            incoming = WebSocket::server(stream, &self.config) => incoming?,
            () = &mut stop => return Ok(None), // nothing was asked for
        };
        let request = incoming.request();
        let wish = Wish::from_query(request.query().unwrap_or_default());
        let answer = match (incoming.is_upgrade(), request.method(), request.path()) {
            (true, _, "/ws") => match wish {
                None => Response::new(400).body("no such room, name or position\n"),
                Some(wish) => {
                    let room = wish.room.clone();
                    let entered = select! {
                        entered = self.enter(wish) => entered,
                        () = &mut stop => return Ok(None),
                    };
                    match entered {
                        Err(why) => Response::new(503).header("Retry-After", b"10")?.body(why),
                        Ok(member) => {
                            let ws = incoming.accept(Accept::new()).await?;
                            return self.converse(ws, &room, member, stop).await;
                        }
                    }
                }
            },
            (false, "GET" | "HEAD", "/") => {
                let html = b"text/html; charset=utf-8";
                Response::new(200).header("Content-Type", html)?.body(PAGE)
            }
            _ => Response::new(404).body("there is nothing here\n"),
        };
        incoming.respond(answer).await.map(|()| None)
    }

    async fn converse<S>(
        &self,
        ws: WebSocket<S>,
        room: &str,
        mut member: Member,
        stop: impl Future<Output = ()>,
    ) -> Result<Option<CloseReport>, Error>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let (mut receiver, sender) = ws.split();
        let (to_answer, mut answers) = mpsc::channel(ANSWERS);
        let name = member.name.clone();
        let listen = async {
            while let Some(message) = receiver.recv().await {
                // One after the other, so that nobody says more than the engine takes.
                let answer = match understood(&message?) {
                    Some(say) => Some(self.say(room, &name, say).await.prepared().0),
                    None => None,
                };
                if timeout(PATIENCE, to_answer.send(answer)).await.is_err() {
                    break; // it reads nothing
                }
            }
            Ok(receiver.report())
        };
        let speak = async {
            let end = select! {
                () = stop => Some((CloseCode::GOING_AWAY, "the server stops")),
                end = pass_on(&mut member, &mut answers, &sender) => end,
            };
            answers.close();
            drop(member);
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

fn understood(message: &Message<'_>) -> Option<Say> {
    let say: Say = serde_json::from_slice(message.as_bytes()).ok()?;
    (say.id.len() <= 64).then_some(say)
}

/// What the room says and what is answered, until the member is to go, or nothing can be sent any more.
async fn pass_on<S>(
    member: &mut Member,
    answers: &mut mpsc::Receiver<Option<Prepared>>,
    sender: &Sender<S>,
) -> Option<(CloseCode, &'static str)>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    loop {
        let message = select! {
            biased;
            Some(answer) = answers.recv() => match answer {
                Some(answer) => answer,
                None => return Some((CloseCode::POLICY_VIOLATION, "that is no message of a chat")),
            },
            message = member.next() => message,
        };
        // Not more than one is in the connection: the others wait where all members share them.
        if sender.send(&message).await.is_err() || sender.flush().await.is_err() {
            return None;
        }
    }
}

/// Where nobody reads the log any more, the server goes on without.
pub fn log(who: impl Display, what: impl Display) {
    let _ = writeln!(io::stderr(), "{who}: {what}");
}
