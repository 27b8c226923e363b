//! At most one connection in CONNECTING for an address and port (RFC 6455 §4.1, erratum 3473).
//!
//! A [`Gate`] tracks which attempts to connect are in progress. An attempt asks for a [`Ticket`], begins
//! when [`Gate::may_start`] says so, and gives the ticket back when the connection is established or
//! has failed (`Open`, `Refused`, `Closed`), or when it no longer wants to wait. Established
//! connections hold no place: §4.1 does not limit their number.
//!
//! ```
//! use sansocket::client::gate::{Gate, Destination};
//! let mut gate = Gate::default();
//! let server = Destination::address("192.0.2.1:443".parse()?);
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

/// Where an attempt goes: an address and port, or a host name and port if a proxy resolves the name.
///
/// ```
/// use sansocket::client::gate::Destination;
/// // However it is written, an address is one place (RFC 6455 §4.1: "even if known by another name").
/// let address = Destination::address("[2001:db8::1]:80".parse()?);
/// assert_eq!(Destination::name("[2001:db8:0::1]", 80), address);
/// assert_eq!(Destination::name("Example.com", 80), Destination::name("example.com", 80));
/// assert_ne!(Destination::name("example.com", 80), Destination::name("example.com", 81));
/// # Ok::<(), core::net::AddrParseError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Destination(Spot);

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

impl Destination {
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

    /// A host whose address is not known. Each name counts as a host of its own (RFC 6455 §4.1), without
    /// regard to ASCII case. An IP address, in brackets or not, is a known one.
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

impl From<SocketAddr> for Destination {
    fn from(address: SocketAddr) -> Self {
        Self::address(address)
    }
}

/// One attempt's place in the line of a [`Gate`]. The gate never gives the same ticket twice, so
/// releasing one twice does no harm. It means nothing to another gate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket(u64);

/// Lets attempts to connect begin one at a time for each [`Destination`], in the order in which they asked.
///
/// For names there is a bound on all attempts in progress, too (RFC 6455 §4.1: a "reasonably low
/// number"); hosts take turns, so that none keeps the others waiting. Every call takes logarithmic
/// time, and an empty gate holds no heap. How many may wait is not bounded: see
/// [`waiting_at`](Self::waiting_at).
///
/// ```
/// use sansocket::client::gate::{Gate, Destination};
/// let mut gate = Gate::new(2); // at most two names at once
/// let a = gate.request(Destination::name("a.example", 80));
/// let b = gate.request(Destination::name("b.example", 80));
/// let c = gate.request(Destination::name("c.example", 80));
/// assert!(gate.may_start(a) && gate.may_start(b) && !gate.may_start(c));
/// assert_eq!(gate.release(b), Some(c));
/// ```
#[derive(Debug)]
pub struct Gate {
    /// How many names may be in progress at once.
    limit: usize,
    names_in_progress: usize,
    issued: u64,
    places: BTreeMap<Ticket, Destination>,
    lines: BTreeMap<Destination, Line>,
    /// Names with attempts that wait and none in progress, in the order of their turns. Empty unless
    /// `names_in_progress == limit`.
    ready: BTreeMap<u64, Destination>,
    turns: u64,
}

/// The attempts for one place. Never empty.
#[derive(Debug, Default)]
struct Line {
    in_progress: Option<Ticket>,
    waiting: BTreeSet<Ticket>,
    /// The place's number in `ready`.
    turn: Option<u64>,
}

impl Default for Gate {
    /// At most 8 names in progress at once.
    fn default() -> Self {
        Self::new(8)
    }
}

impl Gate {
    /// Lets at most `names` attempts (at least one) be in progress to hosts whose address is not known.
    /// Known addresses are not counted.
    #[must_use]
    pub const fn new(names: usize) -> Self {
        Self {
            limit: if names == 0 { 1 } else { names },
            names_in_progress: 0,
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
    pub fn request(&mut self, place: Destination) -> Ticket {
        let ticket = Ticket(self.issued);
        self.issued += 1;
        self.places.insert(ticket, place.clone());
        let line = self.lines.entry(place.clone()).or_default();
        let first = line.in_progress.is_none() && line.waiting.is_empty();
        line.waiting.insert(ticket);
        if first {
            self.admit(place);
        }
        ticket
    }

    /// Whether the attempt may begin, or is in progress.
    #[must_use]
    pub fn may_start(&self, ticket: Ticket) -> bool {
        self.line(ticket)
            .is_some_and(|line| line.in_progress == Some(ticket))
    }

    /// Gives a ticket back: the connection is established or has failed, or the attempt no longer
    /// waits. Returns the attempt that may begin now, if any. A ticket that was given back before
    /// changes nothing.
    pub fn release(&mut self, ticket: Ticket) -> Option<Ticket> {
        let place = self.places.remove(&ticket)?;
        let line = self.lines.get_mut(&place)?;
        let was_in_progress = line.in_progress == Some(ticket);
        if was_in_progress {
            line.in_progress = None;
        } else {
            line.waiting.remove(&ticket);
        }
        let waiting = !line.waiting.is_empty();
        if !waiting && line.in_progress.is_none() {
            if let Some(turn) = line.turn {
                self.ready.remove(&turn);
            }
            self.lines.remove(&place);
        }
        if !was_in_progress {
            return None;
        }
        if place.is_name() {
            self.names_in_progress -= 1;
        }
        if waiting {
            self.admit(place)
        } else {
            self.next_name()
        }
    }

    /// How many attempts wait for this place: a caller that connects for strangers can bound them.
    #[must_use]
    pub fn waiting_at(&self, place: &Destination) -> usize {
        self.lines.get(place).map_or(0, |line| line.waiting.len())
    }

    /// How many tickets are out: attempts in progress and waiting.
    #[must_use]
    pub fn len(&self) -> usize {
        self.places.len()
    }

    /// Whether no ticket is out.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    fn line(&self, ticket: Ticket) -> Option<&Line> {
        self.lines.get(self.places.get(&ticket)?)
    }

    /// Starts the next attempt for an address, or gives a name its turn. Attempts wait and none is in progress.
    fn admit(&mut self, place: Destination) -> Option<Ticket> {
        if !place.is_name() {
            return self.start(&place);
        }
        let turn = self.turns;
        self.turns += 1;
        self.lines.get_mut(&place)?.turn = Some(turn);
        self.ready.insert(turn, place);
        self.next_name()
    }

    /// Starts the name whose turn it is, if the bound allows (RFC 6455 §4.1).
    fn next_name(&mut self) -> Option<Ticket> {
        if self.names_in_progress >= self.limit {
            return None;
        }
        let (_, place) = self.ready.pop_first()?;
        self.names_in_progress += 1;
        self.start(&place)
    }

    fn start(&mut self, place: &Destination) -> Option<Ticket> {
        let line = self.lines.get_mut(place)?;
        line.turn = None;
        line.in_progress = line.waiting.pop_first();
        line.in_progress
    }
}
