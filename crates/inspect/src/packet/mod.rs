//! The headers of a packet, down to TCP.

mod fragments;
mod ip;
mod link;

use std::net::{IpAddr, SocketAddr};

use sansocket_tcp_streams::{Flags, Segment};

use crate::capture::Packet;

use fragments::Fragments;
use ip::Payload;

/// Reads headers, and keeps fragments until they are complete.
#[derive(Default)]
pub struct Decoder {
    fragments: Fragments,
}

/// Why a packet has no segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Skipped {
    /// Neither IPv4 nor IPv6, such as ARP.
    NoIp,
    /// Not TCP, such as UDP.
    NoTcp,
    /// A fragment of a packet that is not complete yet.
    Fragment,
    /// The capture has less of it than its headers.
    Short,
    /// A header that cannot be.
    Malformed,
    /// The capture is of a kind of network that is not known here.
    Link(u32),
}

impl Decoder {
    /// The segment in a packet.
    ///
    /// # Errors
    ///
    /// If there is none, or it is not complete.
    pub fn decode<'a>(&'a mut self, packet: &Packet<'a>) -> Result<Segment<'a>, Skipped> {
        let (header, data) = link::strip(packet.link, packet.data)?;
        let sent = (packet.length as usize).saturating_sub(header);
        let (from, to, payload) = match ip::parse(data, sent)? {
            Payload::Whole(payload) => payload,
            Payload::Fragment(fragment) => {
                let (from, to) = (fragment.from, fragment.to);
                let whole = self.fragments.add(fragment).ok_or(Skipped::Fragment)?;
                (from, to, (whole, whole.len()))
            }
        };
        segment(packet, from, to, payload)
    }
}

/// RFC 9293 §3.1.
fn segment<'a>(
    packet: &Packet<'_>,
    from: IpAddr,
    to: IpAddr,
    (data, sent): (&'a [u8], usize),
) -> Result<Segment<'a>, Skipped> {
    let header = data.first_chunk::<20>().ok_or(Skipped::Short)?;
    let half = |at: usize| u16::from_be_bytes([header[at], header[at + 1]]);
    let word = |at: usize| u32::from(half(at)) << 16 | u32::from(half(at + 2));
    let length = usize::from(header[12] >> 4) * 4;
    if length < header.len() || length > sent {
        return Err(Skipped::Malformed);
    }
    Ok(Segment {
        time: packet.time,
        packet: packet.number,
        from: SocketAddr::new(from, half(0)),
        to: SocketAddr::new(to, half(2)),
        seq: word(4),
        ack: word(8),
        flags: Flags(header[13]),
        length: u32::try_from(sent - length).unwrap_or(u32::MAX),
        payload: data.get(length..).unwrap_or_default(),
    })
}
