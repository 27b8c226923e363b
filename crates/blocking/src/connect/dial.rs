//! TCP to the first address that answers (RFC 8305).

use std::io;
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::sync::mpsc;
use std::sync::{Arc, Weak};
use std::thread;
use std::time::{Duration, Instant};

use sansocket::client::connecting::Dial;
use sansocket::client::dialing::Dialing;
use sansocket::client::gate::Destination;

use super::gate::{Pass, SharedGate};

/// A socket, and the place that is held for it if the address is one.
type Connected = (TcpStream, Option<Pass>);

/// Dials when the turn of the place has come, or that of each address.
pub(super) fn dial(dial: &Dial, gate: &SharedGate, patience: Duration) -> io::Result<Connected> {
    let held = dial.place.clone().map(|place| gate.turn(place));
    let host = &*dial.host;
    let addresses = (host, dial.port).to_socket_addrs()?;
    let gate = held.is_none().then_some(gate);
    let (socket, pass) = first_of(addresses, gate, patience).map_err(|error| {
        let none = || io::Error::new(io::ErrorKind::NotFound, format!("{host} has no address"));
        error.unwrap_or_else(none)
    })?;
    Ok((socket, held.or(pass)))
}

/// The first of the addresses that answers; the last error, if there were any. One address is dialled here, several
/// each in a thread of its own.
fn first_of(
    addresses: impl Iterator<Item = SocketAddr>,
    gate: Option<&SharedGate>,
    patience: Duration,
) -> Result<Connected, Option<io::Error>> {
    let mut dialing = Dialing::new(addresses);
    let mut error = None;
    let (tell, told) = mpsc::channel();
    let (born, wanted) = (Instant::now(), Arc::new(()));
    let mut under_way = 0_usize;
    loop {
        while let Some(address) = dialing.next(born.elapsed()) {
            let attempt = Attempt {
                address,
                gate: gate.cloned(),
                patience,
                wanted: Arc::downgrade(&wanted),
            };
            under_way += 1;
            if under_way == 1 && dialing.next_deadline().is_none() {
                let _ = tell.send(attempt.run());
                continue;
            }
            let thread_tell = tell.clone();
            let run = move || drop(thread_tell.send(attempt.run()));
            if let Err(why) = thread::Builder::new().spawn(run) {
                let _ = tell.send(Err(why));
            }
        }
        let next = match dialing.next_deadline() {
            None if under_way == 0 => return Err(error),
            None => told.recv().ok(),
            Some(due) => {
                let wait = due.saturating_sub(born.elapsed());
                told.recv_timeout(wait).ok()
            }
        };
        match next {
            Some(Ok(connected)) => return Ok(connected),
            Some(Err(why)) => {
                under_way -= 1;
                error = Some(why);
                dialing.failed();
            }
            None => {}
        }
    }
}

struct Attempt {
    address: SocketAddr,
    gate: Option<SharedGate>,
    patience: Duration,
    /// Gone when another attempt has succeeded.
    wanted: Weak<()>,
}

impl Attempt {
    fn run(self) -> io::Result<Connected> {
        let address = self.address;
        let place = Destination::address(address);
        let pass = self.gate.map(|gate| gate.turn(place));
        if self.wanted.upgrade().is_none() {
            return Err(io::ErrorKind::Interrupted.into());
        }
        let connected = TcpStream::connect_timeout(&address, self.patience);
        let socket = connected
            .map_err(|error| io::Error::new(error.kind(), format!("{address}: {error}")))?;
        socket.set_nodelay(true)?;
        Ok((socket, pass))
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use sansocket::client::gate::Gate;

    use super::*;

    /// RFC 8305 §5: the next address after one that has failed, and beside one that does not answer; here it waits
    /// for its turn.
    #[test]
    fn the_first_address_that_answers() -> io::Result<()> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let there = listener.local_addr()?;
        let nobody = SocketAddr::from(([127, 0, 0, 2], there.port()));
        let patience = Duration::from_secs(10);
        let gate = SharedGate::new(Gate::default());
        let mut held = None;
        for _ in 0..2 {
            let connected = first_of([nobody, there].into_iter(), Some(&gate), patience);
            let Ok((socket, Some(_))) = connected else {
                return Err(io::ErrorKind::NotConnected.into());
            };
            assert_eq!(socket.peer_addr()?, there);
            held.get_or_insert_with(|| gate.turn(Destination::address(nobody)));
        }
        let error = first_of([nobody].into_iter(), None, patience).err();
        let refused = error.flatten().map(|error| error.kind());
        assert_eq!(refused, Some(io::ErrorKind::ConnectionRefused));
        let none = first_of([].into_iter(), Some(&gate), patience);
        assert!(matches!(none, Err(None)));
        Ok(())
    }
}
