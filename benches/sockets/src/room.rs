//! Rooms: what a member says goes to all members, itself among them. One thread, edge-triggered epoll by
//! mio, the same loop for each library; no timers.

use std::io;

use mio::event::Event;
use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};
use slab::Slab;

const LISTENER: Token = Token(usize::MAX);

/// A connection of a library.
pub trait Member: Sized {
    /// What is made of a message once, for all.
    type Message;

    /// What the members share.
    type Shared: Default;

    fn new(stream: TcpStream, shared: &Self::Shared) -> Self;

    /// Reads all that is there, and writes what waits. What was said is pushed. An error: it has gone.
    fn wake(
        &mut self,
        event: &Event,
        shared: &mut Self::Shared,
        said: &mut Vec<Self::Message>,
    ) -> io::Result<()>;

    /// Sends all of these, in one write if it can be. What the socket does not take waits.
    fn send(&mut self, messages: &[Self::Message], shared: &mut Self::Shared) -> io::Result<()>;
}

/// A room of them, for as long as the process lives.
pub fn run<M: Member>() -> io::Result<()> {
    let mut poll = Poll::new()?;
    let mut listener = TcpListener::from_std(crate::listen()?);
    poll.registry()
        .register(&mut listener, LISTENER, Interest::READABLE)?;
    let mut members: Slab<M> = Slab::new();
    let mut shared = M::Shared::default();
    let mut events = Events::with_capacity(1024);
    let mut said = Vec::new();
    loop {
        poll.poll(&mut events, None)?;
        for event in &events {
            if event.token() == LISTENER {
                crate::accept(&listener, poll.registry(), &mut members, |stream| {
                    M::new(stream, &shared)
                })?;
                continue;
            }
            let key = event.token().0;
            if let Some(member) = members.get_mut(key)
                && member.wake(event, &mut shared, &mut said).is_err()
            {
                members.remove(key);
            }
        }
        if !said.is_empty() {
            members.retain(|_, member| member.send(&said, &mut shared).is_ok());
            said.clear();
        }
    }
}
