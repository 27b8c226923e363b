//! Writes captures: conversations of TCP that never were, the same each time, for tests and for teaching.
//!
//! ```
//! use sansocket_inspect::write::{Conversation, Format};
//! use sansocket_tcp_streams::Sender::{Client, Server};
//!
//! let mut conversation = Conversation::new();
//! conversation.open().send(Client, b"hello").ack(Server).fin(Client).fin(Server).ack(Client);
//! let mut packets = conversation.packets;
//! packets.remove(3);                                 // as if it had been lost
//! let file = Format::default().write(&packets);
//! assert_eq!(file[..4], 0xa1b2c3d4u32.to_le_bytes());
//! ```

use std::net::{IpAddr, SocketAddr};

use sansocket_tcp_streams::{Flags, Sender};

/// A conversation, packet by packet.
#[derive(Debug, Clone)]
pub struct Conversation {
    /// All packets so far: what is lost, doubled or in another order is up to you.
    pub packets: Vec<Sent>,
    /// The most that a packet carries, 1,460 bytes unless set.
    pub segment: usize,
    /// The end that connects, and the other one.
    pub ends: [SocketAddr; 2],
    /// The next sequence number of each end.
    pub next: [u32; 2],
}

/// A packet that an end has sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sent {
    /// Who sent it.
    pub from: SocketAddr,
    /// For whom.
    pub to: SocketAddr,
    /// Its sequence number.
    pub seq: u32,
    /// Its acknowledgment number.
    pub ack: u32,
    /// Its control bits.
    pub flags: Flags,
    /// Its bytes.
    pub payload: Vec<u8>,
}

impl Default for Conversation {
    fn default() -> Self {
        Self::new()
    }
}

impl Conversation {
    /// Between 192.0.2.1, port 50000, and 192.0.2.2, port 80.
    #[must_use]
    pub fn new() -> Self {
        let ends = [([192, 0, 2, 1], 50_000).into(), ([192, 0, 2, 2], 80).into()];
        Self {
            packets: Vec::new(),
            segment: 1460,
            ends,
            next: [1_000_000, 2_000_000],
        }
    }

    /// SYN, SYN ACK, ACK.
    pub fn open(&mut self) -> &mut Self {
        self.packet(Sender::Client, Flags::SYN, &[]);
        self.packet(Sender::Server, Flags::SYN.and(Flags::ACK), &[]);
        self.ack(Sender::Client)
    }

    /// Bytes of one end, in as many packets as they take.
    pub fn send(&mut self, from: Sender, bytes: &[u8]) -> &mut Self {
        for chunk in bytes.chunks(self.segment.max(1)) {
            self.packet(from, Flags::PSH.and(Flags::ACK), chunk);
        }
        self
    }

    /// An acknowledgment alone.
    pub fn ack(&mut self, from: Sender) -> &mut Self {
        self.packet(from, Flags::ACK, &[])
    }

    /// This end ends its direction.
    pub fn fin(&mut self, from: Sender) -> &mut Self {
        self.packet(from, Flags::FIN.and(Flags::ACK), &[])
    }

    /// This end resets the conversation.
    pub fn reset(&mut self, from: Sender) -> &mut Self {
        self.packet(from, Flags::RST.and(Flags::ACK), &[])
    }

    /// Any packet that is next.
    pub fn packet(&mut self, from: Sender, flags: Flags, payload: &[u8]) -> &mut Self {
        let own = usize::from(from == Sender::Server);
        let ack = if flags.has(Flags::ACK) {
            self.next[1 - own]
        } else {
            0
        };
        self.packets.push(Sent {
            from: self.ends[own],
            to: self.ends[1 - own],
            seq: self.next[own],
            ack,
            flags,
            payload: payload.to_vec(),
        });
        let taken = flags.has(Flags::SYN) || flags.has(Flags::FIN);
        // Sequence numbers count modulo 2^32.
        let step = payload.len() as u32 + u32::from(taken);
        self.next[own] = self.next[own].wrapping_add(step);
        self
    }
}

/// How a capture is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Format {
    /// pcapng, not pcap.
    pub ng: bool,
    /// The highest byte comes first.
    pub big: bool,
    /// Times in nanoseconds, not microseconds.
    pub nanoseconds: bool,
    /// What each packet begins with.
    pub link: Link,
    /// The most that is kept of a packet.
    pub snap: usize,
}

/// What stands before the IP header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Link {
    /// Ethernet.
    Ethernet,
    /// Ethernet with a VLAN tag.
    Vlan,
    /// As on Linux's device `any`.
    Sll,
    /// As on Linux's device `any`, in newer captures.
    Sll2,
    /// As on loopback devices of BSD.
    Null,
    /// As on loopback devices of OpenBSD.
    Loop,
    /// Nothing.
    Raw,
}

impl Default for Format {
    fn default() -> Self {
        Self {
            ng: false,
            big: false,
            nanoseconds: false,
            link: Link::Ethernet,
            snap: 262_144,
        }
    }
}

impl Format {
    /// A file of these packets, a hundredth of a second apart, from the beginning of 2026 on.
    #[must_use]
    pub fn write(&self, packets: &[Sent]) -> Vec<u8> {
        self.write_with(&[], packets)
    }

    /// The same, with a key log of TLS in front of them. Only pcapng has a place for it.
    #[must_use]
    pub fn write_with(&self, secrets: &[u8], packets: &[Sent]) -> Vec<u8> {
        let mut file = Vec::new();
        if self.ng {
            self.section(&mut file);
            if !secrets.is_empty() {
                self.secrets(&mut file, secrets);
            }
        } else {
            let magic = if self.nanoseconds {
                0xa1b2_3c4d
            } else {
                0xa1b2_c3d4
            };
            self.words(&mut file, &[magic]);
            self.halves(&mut file, &[2, 4]);
            self.words(&mut file, &[0, 0, self.snap as u32, self.link.number()]);
        }
        for (n, packet) in (0..).zip(packets) {
            let data = self.link.packet(packet, n);
            self.record(&mut file, n, &data);
        }
        file
    }

    fn section(&self, file: &mut Vec<u8>) {
        self.words(file, &[0x0a0d_0d0a, 28, 0x1a2b_3c4d]);
        self.halves(file, &[1, 0]);
        self.words(file, &[u32::MAX, u32::MAX, 28]);
        self.words(file, &[1, 32]);
        self.halves(file, &[self.link.number() as u16, 0]);
        self.words(file, &[self.snap as u32]);
        self.halves(file, &[9, 1]);
        file.extend([if self.nanoseconds { 9 } else { 6 }, 0, 0, 0]);
        self.words(file, &[0, 32]);
    }

    fn secrets(&self, file: &mut Vec<u8>, secrets: &[u8]) {
        let padding = secrets.len().next_multiple_of(4) - secrets.len();
        let length = (20 + secrets.len() + padding) as u32;
        self.words(file, &[10, length, 0x544c_534b, secrets.len() as u32]);
        file.extend(secrets);
        file.extend(&[0; 4][..padding]);
        self.words(file, &[length]);
    }

    fn record(&self, file: &mut Vec<u8>, n: u16, data: &[u8]) {
        let kept = &data[..data.len().min(self.snap)];
        let (unit, second) = if self.nanoseconds {
            (10_000_000, 1_000_000_000)
        } else {
            (10_000, 1_000_000)
        };
        let (seconds, part) = (
            1_767_225_600 + u32::from(n) / 100,
            u32::from(n) % 100 * unit,
        );
        let lengths = [kept.len() as u32, data.len() as u32];
        if self.ng {
            let padding = kept.len().next_multiple_of(4) - kept.len();
            let length = (32 + kept.len() + padding) as u32;
            let units = u64::from(seconds) * second + u64::from(part);
            self.words(
                file,
                &[
                    6,
                    length,
                    0,
                    (units >> 32) as u32,
                    (units & 0xffff_ffff) as u32,
                ],
            );
            self.words(file, &lengths);
            file.extend(kept);
            file.extend(&[0; 4][..padding]);
            self.words(file, &[length]);
        } else {
            self.words(file, &[seconds, part]);
            self.words(file, &lengths);
            file.extend(kept);
        }
    }

    fn words(&self, file: &mut Vec<u8>, words: &[u32]) {
        for word in words {
            file.extend(if self.big {
                word.to_be_bytes()
            } else {
                word.to_le_bytes()
            });
        }
    }

    fn halves(&self, file: &mut Vec<u8>, halves: &[u16]) {
        for half in halves {
            file.extend(if self.big {
                half.to_be_bytes()
            } else {
                half.to_le_bytes()
            });
        }
    }
}

impl Link {
    /// What stands for it in a file.
    #[must_use]
    pub const fn number(self) -> u32 {
        match self {
            Self::Null => 0,
            Self::Ethernet | Self::Vlan => 1,
            Self::Raw => 101,
            Self::Loop => 108,
            Self::Sll => 113,
            Self::Sll2 => 276,
        }
    }

    /// A packet with all its headers. `id`: of IPv4.
    #[must_use]
    pub fn packet(self, sent: &Sent, id: u16) -> Vec<u8> {
        let v4 = sent.from.is_ipv4();
        let kind = if v4 { [0x08, 0x00] } else { [0x86, 0xdd] };
        let family = if v4 { 2 } else { 30 };
        let cards: [u8; 12] = [2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1];
        let mut packet = Vec::new();
        match self {
            Self::Ethernet => packet.extend(cards),
            Self::Vlan => packet.extend(cards.iter().chain(&[0x81, 0x00, 0, 7])),
            Self::Sll => packet.extend([0, 0, 0, 1, 0, 6, 2, 0, 0, 0, 0, 1, 0, 0]),
            Self::Sll2 => {
                packet.extend(kind);
                packet.extend([0, 0, 0, 0, 0, 1, 0, 1, 0, 6, 2, 0, 0, 0, 0, 1, 0, 0]);
            }
            Self::Null => packet.extend([family, 0, 0, 0]),
            Self::Loop => packet.extend([0, 0, 0, family]),
            Self::Raw => {}
        }
        if matches!(self, Self::Ethernet | Self::Vlan | Self::Sll) {
            packet.extend(kind);
        }
        packet.extend(ip(sent, id));
        packet
    }
}

fn ip(sent: &Sent, id: u16) -> Vec<u8> {
    let tcp = tcp(sent);
    let mut packet = Vec::new();
    match (sent.from.ip(), sent.to.ip()) {
        (IpAddr::V4(from), IpAddr::V4(to)) => {
            packet.extend([0x45, 0]);
            packet.extend((20 + tcp.len() as u16).to_be_bytes());
            packet.extend(id.to_be_bytes());
            packet.extend([0x40, 0, 64, 6, 0, 0]);
            packet.extend(from.octets());
            packet.extend(to.octets());
            let sum = checksum(&packet);
            packet[10..12].copy_from_slice(&sum);
        }
        (from, to) => {
            packet.extend([0x60, 0, 0, 0]);
            packet.extend((tcp.len() as u16).to_be_bytes());
            packet.extend([6, 64]);
            packet.extend(octets(from));
            packet.extend(octets(to));
        }
    }
    packet.extend(tcp);
    packet
}

fn tcp(sent: &Sent) -> Vec<u8> {
    let mut tcp = Vec::new();
    tcp.extend(sent.from.port().to_be_bytes());
    tcp.extend(sent.to.port().to_be_bytes());
    tcp.extend(sent.seq.to_be_bytes());
    tcp.extend(sent.ack.to_be_bytes());
    tcp.extend([0x50, sent.flags.0, 0xff, 0xff, 0, 0, 0, 0]);
    tcp.extend(&sent.payload);
    // With the addresses, the protocol and the length (RFC 9293 §3.1).
    let mut summed = Vec::new();
    for end in [sent.from, sent.to] {
        match end.ip() {
            IpAddr::V4(v4) => summed.extend(v4.octets()),
            IpAddr::V6(v6) => summed.extend(v6.octets()),
        }
    }
    summed.extend([0, 6]);
    summed.extend((tcp.len() as u16).to_be_bytes());
    summed.extend(&tcp);
    let sum = checksum(&summed);
    tcp[16..18].copy_from_slice(&sum);
    tcp
}

fn octets(ip: IpAddr) -> [u8; 16] {
    match ip {
        IpAddr::V4(v4) => v4.to_ipv6_mapped().octets(),
        IpAddr::V6(v6) => v6.octets(),
    }
}

/// RFC 1071.
fn checksum(bytes: &[u8]) -> [u8; 2] {
    let sum: u32 = bytes
        .chunks(2)
        .map(|pair| u32::from(pair[0]) << 8 | u32::from(pair.get(1).copied().unwrap_or(0)))
        .sum();
    let sum = (sum & 0xffff) + (sum >> 16);
    let sum = (sum & 0xffff) + (sum >> 16);
    (!(sum as u16)).to_be_bytes()
}
