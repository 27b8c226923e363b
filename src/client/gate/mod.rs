//! At most one connection in CONNECTING for an address and port (RFC 6455 §4.1, erratum 3473).
//!
//! A [`Gate`] is a book of who is under way to where. An attempt asks for a [`Ticket`], begins when
//! [`Gate::may_start`] says so, and gives the ticket back when the connection is established or has
//! failed (`Open`, `Refused`, `Closed`), or when it no longer wants to wait. Established connections
//! hold no place: §4.1 does not limit their number.
//!
//! ```
//! use sansocket::client::gate::{Gate, Place};
//! let mut gate = Gate::default();
//! let server = Place::address("192.0.2.1:443".parse()?);
//! let first = gate.request(server.clone());
//! let second = gate.request(server);
//! assert!(gate.may_start(first) && !gate.may_start(second));
//!
//! // The first is established, or has failed: the second may begin.
//! assert_eq!(gate.release(first), Some(second));
//! assert!(gate.may_start(second));
//! # Ok::<(), core::net::AddrParseError>(())
//! ```
//!
//! `examples/client` shares a gate between threads and tasks, with passes that are given back on drop.

#[cfg(test)]
mod tests;

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::sync::Arc;
use core::net::{IpAddr, SocketAddr};

/// Where an attempt goes: an address and port, or a host name and port where somebody else (a
/// proxy) resolves the name.
///
/// ```
/// use sansocket::client::gate::Place;
/// // An address is an address, however it is written (RFC 6455 §4.1: "even if known by another name").
/// let address = Place::address("[2001:db8::1]:80".parse()?);
/// assert_eq!(Place::name("[2001:db8:0::1]", 80), address);
/// assert_eq!(Place::name("Example.com", 80), Place::name("example.com", 80));
/// assert_ne!(Place::name("example.com", 80), Place::name("example.com", 81));
/// # Ok::<(), core::net::AddrParseError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place(Spot);

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Spot {
    /// The scope tells link-local IPv6 addresses of several interfaces apart.
    Address {
        ip: IpAddr,
        scope: u32,
        port: u16,
    },
    Name(Arc<str>, u16),
}

impl Place {
    /// A known address. An IPv4 address inside an IPv6 one (`::ffff:192.0.2.1`) is the IPv4 address.
    #[must_use]
    pub fn address(address: SocketAddr) -> Self {
        Self(Spot::Address {
            ip: address.ip().to_canonical(),
            scope: match address {
                SocketAddr::V4(_) => 0,
                SocketAddr::V6(address) => address.scope_id(),
            },
            port: address.port(),
        })
    }

    /// A host whose address is not known, compared without regard to ASCII case: each name counts
    /// as a host of its own (RFC 6455 §4.1). An IP literal, in brackets or not, is a known address.
    #[must_use]
    pub fn name(host: &str, port: u16) -> Self {
        let bare = host
            .strip_prefix('[')
            .and_then(|host| host.strip_suffix(']'))
            .unwrap_or(host);
        match bare.parse::<IpAddr>() {
            Ok(ip) => Self::address(SocketAddr::new(ip, port)),
            Err(_) => Self(Spot::Name(host.to_ascii_lowercase().into(), port)),
        }
    }

    const fn is_name(&self) -> bool {
        matches!(self.0, Spot::Name(..))
    }
}

impl From<SocketAddr> for Place {
    fn from(address: SocketAddr) -> Self {
        Self::address(address)
    }
}

/// One attempt's place in the line of a [`Gate`]. A number that the gate never gives out again, so
/// that releasing twice does no harm; it means nothing to another gate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket(u64);

/// Lets attempts to connect begin one at a time for each [`Place`], in the order in which they asked.
///
/// For places that are names a bound on all that are under way comes on top (RFC 6455 §4.1: a
/// "reasonably low number"); there the hosts take turns, so that none keeps the others waiting.
/// Every call takes logarithmic time, whatever the number of hosts, and a gate with nobody under way
/// or waiting holds no heap. How many may wait is not bounded here: see [`waiting_at`](Self::waiting_at).
///
/// ```
/// use sansocket::client::gate::{Gate, Place};
/// let mut gate = Gate::new(2); // at most two names at once
/// let a = gate.request(Place::name("a.example", 80));
/// let b = gate.request(Place::name("b.example", 80));
/// let c = gate.request(Place::name("c.example", 80));
/// assert!(gate.may_start(a) && gate.may_start(b) && !gate.may_start(c));
/// assert_eq!(gate.release(b), Some(c));
/// ```
#[derive(Debug)]
pub struct Gate {
    /// How many names may be under way at once.
    limit: usize,
    names_under_way: usize,
    issued: u64,
    places: BTreeMap<Ticket, Place>,
    lines: BTreeMap<Place, Line>,
    /// Names with somebody waiting and nobody under way, in the order of their turns. Not empty
    /// only while `names_under_way == limit`.
    ready: BTreeMap<u64, Place>,
    turns: u64,
}

/// Who is at one place. Never empty.
#[derive(Debug, Default)]
struct Line {
    under_way: Option<Ticket>,
    waiting: BTreeSet<Ticket>,
    /// The place's number in `ready`.
    turn: Option<u64>,
}

impl Default for Gate {
    /// At most 8 names under way at once.
    fn default() -> Self {
        Self::new(8)
    }
}

impl Gate {
    /// A gate that lets at most `names` attempts (at least one) be under way to hosts whose address
    /// is not known. Known addresses are not counted.
    #[must_use]
    pub const fn new(names: usize) -> Self {
        Self {
            limit: if names == 0 { 1 } else { names },
            names_under_way: 0,
            issued: 0,
            places: BTreeMap::new(),
            lines: BTreeMap::new(),
            ready: BTreeMap::new(),
            turns: 0,
        }
    }

    /// Puts an attempt in line. It may begin if [`may_start`](Self::may_start) says so, or when a
    /// later [`release`](Self::release) returns this ticket.
    #[must_use = "a ticket that is never released keeps others waiting"]
    pub fn request(&mut self, place: Place) -> Ticket {
        let ticket = Ticket(self.issued);
        self.issued += 1;
        self.places.insert(ticket, place.clone());
        let line = self.lines.entry(place.clone()).or_default();
        let first = line.under_way.is_none() && line.waiting.is_empty();
        line.waiting.insert(ticket);
        if first {
            self.admit(place);
        }
        ticket
    }

    /// Whether the attempt may begin, or is under way.
    #[must_use]
    pub fn may_start(&self, ticket: Ticket) -> bool {
        self.line(ticket)
            .is_some_and(|line| line.under_way == Some(ticket))
    }

    /// Gives a ticket back: the connection is established or has failed, or the attempt no longer
    /// waits. Returns the attempt that may begin now, if any. A ticket that was given back before
    /// changes nothing.
    pub fn release(&mut self, ticket: Ticket) -> Option<Ticket> {
        let place = self.places.remove(&ticket)?;
        let line = self.lines.get_mut(&place)?;
        let was_under_way = line.under_way == Some(ticket);
        if was_under_way {
            line.under_way = None;
        } else {
            line.waiting.remove(&ticket);
        }
        let waiting = !line.waiting.is_empty();
        if !waiting && line.under_way.is_none() {
            if let Some(turn) = line.turn {
                self.ready.remove(&turn);
            }
            self.lines.remove(&place);
        }
        if !was_under_way {
            return None;
        }
        if place.is_name() {
            self.names_under_way -= 1;
        }
        match waiting {
            true => self.admit(place),
            false => self.next_name(),
        }
    }

    /// How many attempts wait for this place, so that a caller who takes orders from strangers can
    /// bound them.
    #[must_use]
    pub fn waiting_at(&self, place: &Place) -> usize {
        self.lines.get(place).map_or(0, |line| line.waiting.len())
    }

    /// How many tickets are out: attempts under way and waiting.
    #[must_use]
    pub fn len(&self) -> usize {
        self.places.len()
    }

    /// Whether nobody is under way or waiting.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    fn line(&self, ticket: Ticket) -> Option<&Line> {
        self.lines.get(self.places.get(&ticket)?)
    }

    /// A place has somebody waiting and nobody under way: an address starts, a name takes its turn.
    fn admit(&mut self, place: Place) -> Option<Ticket> {
        if !place.is_name() {
            return self.start(&place);
        }
        let turn = self.turns;
        self.turns += 1;
        self.lines.get_mut(&place)?.turn = Some(turn);
        self.ready.insert(turn, place);
        self.next_name()
    }

    /// RFC 6455 §4.1: where addresses are not known, the total under way is limited instead.
    fn next_name(&mut self) -> Option<Ticket> {
        if self.names_under_way >= self.limit {
            return None;
        }
        let (_, place) = self.ready.pop_first()?;
        self.names_under_way += 1;
        self.start(&place)
    }

    fn start(&mut self, place: &Place) -> Option<Ticket> {
        let line = self.lines.get_mut(place)?;
        line.turn = None;
        line.under_way = line.waiting.pop_first();
        line.under_way
    }
}
