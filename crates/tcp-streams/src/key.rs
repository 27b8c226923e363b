//! The four numbers that name a TCP connection, without which end is which.

use core::net::{IpAddr, Ipv6Addr, SocketAddr};

/// Two ends in a fixed order.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Key {
    addresses: [[u8; 16]; 2],
    ports: [u16; 2],
    v4: bool,
}

impl Key {
    /// The key, and whether `from` is its second end.
    pub(crate) fn of(from: SocketAddr, to: SocketAddr) -> (Self, bool) {
        let ends = [(bytes(from), from.port()), (bytes(to), to.port())];
        let swapped = ends[0] > ends[1];
        let [first, second] = if swapped { [ends[1], ends[0]] } else { ends };
        let key = Self {
            addresses: [first.0, second.0],
            ports: [first.1, second.1],
            v4: from.is_ipv4() && to.is_ipv4(),
        };
        (key, swapped)
    }

    pub(crate) fn end(&self, second: bool) -> SocketAddr {
        let [bytes, port] = [usize::from(second); 2];
        let (bytes, port) = (self.addresses[bytes], self.ports[port]);
        let v6 = Ipv6Addr::from(bytes);
        let ip = if self.v4 {
            v6.to_ipv4_mapped().map_or(IpAddr::V6(v6), IpAddr::V4)
        } else {
            IpAddr::V6(v6)
        };
        SocketAddr::new(ip, port)
    }
}

fn bytes(address: SocketAddr) -> [u8; 16] {
    match address.ip() {
        IpAddr::V4(v4) => v4.to_ipv6_mapped().octets(),
        IpAddr::V6(v6) => v6.octets(),
    }
}
