//! The four numbers that name a TCP connection, without which end is which.

use core::hash::{Hash, Hasher};
use core::net::{IpAddr, Ipv6Addr, SocketAddr};

/// Two ends in a fixed order.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Key {
    /// As numbers, in two halves each.
    addresses: [[u64; 2]; 2],
    ports: [u16; 2],
    v4: bool,
}

impl Key {
    /// The key, and whether `from` is its second end.
    pub(crate) fn of(from: SocketAddr, to: SocketAddr) -> (Self, bool) {
        let ends = [(halves(from), from.port()), (halves(to), to.port())];
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
        let ([high, low], port) = (self.addresses[bytes], self.ports[port]);
        let v6 = Ipv6Addr::from_bits(u128::from(high) << 64 | u128::from(low));
        let ip = if self.v4 {
            v6.to_ipv4_mapped().map_or(IpAddr::V6(v6), IpAddr::V4)
        } else {
            IpAddr::V6(v6)
        };
        SocketAddr::new(ip, port)
    }
}

/// An IPv4 address as one of IPv6 that stands for it (RFC 4291 §2.5.5.2).
const fn halves(address: SocketAddr) -> [u64; 2] {
    match address.ip() {
        IpAddr::V4(v4) => [0, 0xffff_0000_0000 | v4.to_bits() as u64],
        IpAddr::V6(v6) => {
            let bits = v6.to_bits();
            [(bits >> 64) as u64, (bits & u64::MAX as u128) as u64]
        }
    }
}

/// In few steps, as it is done for each packet.
impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let [[high, low], [other_high, other_low]] = self.addresses;
        let ports = u64::from(self.ports[0]) << 16 | u64::from(self.ports[1]);
        state.write_u64(low);
        state.write_u64(other_low);
        state.write_u64(ports);
        // Those of IPv4 are zero.
        if high | other_high != 0 {
            state.write_u64(high);
            state.write_u64(other_high);
        }
    }
}
