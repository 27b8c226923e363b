//! TCP to the first address that answers (RFC 8305).

use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

use sansocket::client::connecting::Dial;
use sansocket::client::dialing::Dialing;
use sansocket::client::gate::Destination;
use tokio::net::{TcpStream, lookup_host};
use tokio::time::{Instant, timeout, timeout_at};

use super::gate::{Pass, SharedGate};

/// A socket, and the place that is held for it if the address is one.
type Connected = (TcpStream, Option<Pass>);

/// Dials when the turn of the place has come, or that of each address.
pub(super) async fn dial(
    dial: &Dial,
    gate: &SharedGate,
    patience: Duration,
) -> io::Result<Connected> {
    let mut held = None;
    if let Some(place) = &dial.place {
        held = Some(gate.turn(place.clone()).await);
    }
    let host = &*dial.host;
    let addresses = lookup_host((host, dial.port)).await?;
    let gate = held.is_none().then_some(gate);
    let (socket, pass) = first_of(addresses, gate, patience).await.map_err(|error| {
        let none = || io::Error::new(io::ErrorKind::NotFound, format!("{host} has no address"));
        error.unwrap_or_else(none)
    })?;
    Ok((socket, held.or(pass)))
}

/// The first of the addresses that answers; the last error, if there were any.
async fn first_of(
    addresses: impl Iterator<Item = SocketAddr>,
    gate: Option<&SharedGate>,
    patience: Duration,
) -> Result<Connected, Option<io::Error>> {
    let mut dialing = Dialing::new(addresses);
    let mut error = None;
    let born = Instant::now();
    let mut attempts = UnderWay(Vec::new());
    loop {
        while let Some(address) = dialing.next(born.elapsed()) {
            attempts.0.push(Box::pin(attempt(address, gate, patience)));
        }
        let due = dialing.next_deadline();
        match attempts.next(due.map(|due| born + due)).await {
            Some(Ok(connected)) => return Ok(connected),
            Some(Err(why)) => {
                error = Some(why);
                dialing.failed();
            }
            None if due.is_none() => return Err(error),
            None => {}
        }
    }
}

async fn attempt(
    address: SocketAddr,
    gate: Option<&SharedGate>,
    patience: Duration,
) -> io::Result<Connected> {
    let mut pass = None;
    if let Some(gate) = gate {
        pass = Some(gate.turn(Destination::address(address)).await);
    }
    let connected = timeout(patience, TcpStream::connect(address)).await;
    let socket = connected
        .unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
        .map_err(|error| io::Error::new(error.kind(), format!("{address}: {error}")))?;
    socket.set_nodelay(true)?;
    Ok((socket, pass))
}

/// Attempts that go on beside each other. Dropped, they are given up.
struct UnderWay<'g>(Vec<Pin<Box<dyn Future<Output = io::Result<Connected>> + Send + 'g>>>);

impl UnderWay<'_> {
    /// What comes of the first one that is done. `None` if there is none, or none until then.
    async fn next(&mut self, until: Option<Instant>) -> Option<io::Result<Connected>> {
        let first = poll_fn(|cx| {
            let mut attempts = self.0.iter_mut().enumerate();
            let done = attempts.find_map(|(n, attempt)| match attempt.as_mut().poll(cx) {
                Poll::Ready(done) => Some((n, done)),
                Poll::Pending => None,
            });
            match done {
                Some((n, done)) => {
                    drop(self.0.swap_remove(n));
                    Poll::Ready(Some(done))
                }
                None if self.0.is_empty() => Poll::Ready(None),
                None => Poll::Pending,
            }
        });
        match until {
            Some(until) => timeout_at(until, first).await.ok().flatten(),
            None => first.await,
        }
    }
}

#[cfg(test)]
mod tests {
    use sansocket::client::gate::Gate;
    use tokio::net::TcpListener;

    use super::*;

    /// RFC 8305 §5: the next address after one that has failed, and beside one that does not answer; here it waits
    /// for its turn.
    #[tokio::test]
    async fn the_first_address_that_answers() -> io::Result<()> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let there = listener.local_addr()?;
        let nobody = SocketAddr::from(([127, 0, 0, 2], there.port()));
        let patience = Duration::from_secs(10);
        let gate = SharedGate::new(Gate::default());
        let mut held = None;
        for _ in 0..2 {
            let connected = first_of([nobody, there].into_iter(), Some(&gate), patience).await;
            let Ok((socket, Some(_))) = connected else {
                return Err(io::ErrorKind::NotConnected.into());
            };
            assert_eq!(socket.peer_addr()?, there);
            if held.is_none() {
                held = Some(gate.turn(Destination::address(nobody)).await);
            }
        }
        let error = first_of([nobody].into_iter(), None, patience).await.err();
        let refused = error.flatten().map(|error| error.kind());
        assert_eq!(refused, Some(io::ErrorKind::ConnectionRefused));
        let none = first_of([].into_iter(), Some(&gate), patience).await;
        assert!(matches!(none, Err(None)));
        Ok(())
    }
}
