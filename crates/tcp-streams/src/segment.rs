//! What goes in.

use core::fmt;
use core::net::SocketAddr;
use core::time::Duration;

/// A TCP segment as it was captured.
#[derive(Debug, Clone, Copy)]
pub struct Segment<'a> {
    /// When it was captured, since whatever the caller counts from. It is handed on and decides nothing.
    pub time: Duration,
    /// The number of its packet. It is handed on and decides nothing.
    pub packet: u64,
    /// Who sent it.
    pub from: SocketAddr,
    /// Who it was for.
    pub to: SocketAddr,
    /// The sequence number of its first byte (RFC 9293 §3.1).
    pub seq: u32,
    /// The acknowledgment number. It counts only with [`Flags::ACK`].
    pub ack: u32,
    /// Its control bits.
    pub flags: Flags,
    /// How many bytes of payload it had when it was sent.
    pub length: u32,
    /// Those that were captured: fewer if the capture has a snap length. What is beyond `length` is ignored.
    pub payload: &'a [u8],
}

impl<'a> Segment<'a> {
    pub(crate) fn payload(&self) -> &'a [u8] {
        let length = usize::try_from(self.length).unwrap_or(usize::MAX);
        self.payload.get(..length).unwrap_or(self.payload)
    }
}

/// The control bits of a segment (RFC 9293 §3.1, RFC 3168 §6.1).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Flags(pub u8);

impl Flags {
    /// The sender has no more to send.
    pub const FIN: Self = Self(0x01);
    /// Begins a conversation.
    pub const SYN: Self = Self(0x02);
    /// Ends a conversation at once.
    pub const RST: Self = Self(0x04);
    /// To be handed to the application without delay.
    pub const PSH: Self = Self(0x08);
    /// The acknowledgment number counts.
    pub const ACK: Self = Self(0x10);
    /// The urgent pointer counts.
    pub const URG: Self = Self(0x20);
    /// Congestion was noticed.
    pub const ECE: Self = Self(0x40);
    /// Congestion was reacted to.
    pub const CWR: Self = Self(0x80);

    /// Whether all of `flags` are set.
    #[must_use]
    pub const fn has(self, flags: Self) -> bool {
        self.0 & flags.0 == flags.0
    }

    /// Those of either.
    #[must_use]
    pub const fn and(self, flags: Self) -> Self {
        Self(self.0 | flags.0)
    }
}

/// `SYN ACK`, in the order in which people say them; nothing if none is set.
impl fmt::Display for Flags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = [
            (Self::SYN, "SYN"),
            (Self::FIN, "FIN"),
            (Self::RST, "RST"),
            (Self::PSH, "PSH"),
            (Self::ACK, "ACK"),
            (Self::URG, "URG"),
            (Self::ECE, "ECE"),
            (Self::CWR, "CWR"),
        ];
        let mut first = true;
        for (_, name) in names.iter().filter(|(flag, _)| self.has(*flag)) {
            if !first {
                f.write_str(" ")?;
            }
            f.write_str(name)?;
            first = false;
        }
        Ok(())
    }
}

impl fmt::Debug for Flags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Flags({self})")
    }
}
