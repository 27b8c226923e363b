//! IPv4 (RFC 791) and IPv6 (RFC 8200).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::Skipped;
use super::fragments::{Fragment, Key};

const TCP: u8 = 6;

/// What an IP packet carries for TCP.
pub(super) enum Payload<'a> {
    /// From, to, what was captured of it and how long it was.
    Whole((IpAddr, IpAddr, (&'a [u8], usize))),
    Fragment(Fragment<'a>),
}

/// Reads a packet of which `sent` bytes were sent.
pub(super) fn parse(data: &[u8], sent: usize) -> Result<Payload<'_>, Skipped> {
    match data.first().ok_or(Skipped::Short)? >> 4 {
        4 => v4(data, sent),
        6 => v6(data, sent),
        _ => Err(Skipped::Malformed),
    }
}

fn v4(data: &[u8], sent: usize) -> Result<Payload<'_>, Skipped> {
    let header = data.first_chunk::<20>().ok_or(Skipped::Short)?;
    let length = usize::from(header[0] & 15) * 4;
    let total = match half(header, 2) {
        0 => sent, // cut into packets by the card, after the capture
        total => total.min(sent),
    };
    if length < header.len() || length > total {
        return Err(Skipped::Malformed);
    }
    let address = |at: usize| {
        IpAddr::V4(Ipv4Addr::new(
            header[at],
            header[at + 1],
            header[at + 2],
            header[at + 3],
        ))
    };
    let flags = half(header, 6);
    let place = Place {
        offset: (flags & 0x1fff) * 8,
        more: flags & 0x2000 != 0,
        id: half(header, 4) as u32,
    };
    payload(
        data,
        length,
        total,
        (address(12), address(16)),
        header[9],
        place,
    )
}

fn v6(data: &[u8], sent: usize) -> Result<Payload<'_>, Skipped> {
    let header = data.first_chunk::<40>().ok_or(Skipped::Short)?;
    let total = match half(header, 4) {
        0 => sent, // a jumbogram (RFC 2675)
        payload => (header.len() + payload).min(sent),
    };
    let address = |at: usize| {
        let bytes = header[at..]
            .first_chunk::<16>()
            .copied()
            .unwrap_or_default();
        IpAddr::V6(Ipv6Addr::from(bytes))
    };
    let ends = (address(8), address(24));
    let (mut next, mut at) = (header[6], header.len());
    let mut place = Place::default();
    // Each step goes on by eight bytes at least.
    loop {
        let length = match next {
            // Hop-by-hop, routing, destination, mobility, HIP, shim6.
            0 | 43 | 60 | 135 | 139 | 140 => (usize::from(byte(data, at + 1)?) + 1) * 8,
            // Authentication.
            51 => (usize::from(byte(data, at + 1)?) + 2) * 4,
            // Fragment.
            44 => {
                let rest = data.get(at..at + 8).ok_or(Skipped::Short)?;
                let id = u32::from_be_bytes([rest[4], rest[5], rest[6], rest[7]]);
                let offset = half(rest, 2);
                place = Place {
                    offset: offset & 0xfff8,
                    more: offset & 1 != 0,
                    id,
                };
                8
            }
            _ => break,
        };
        next = byte(data, at)?;
        at += length;
        if place.offset != 0 {
            break; // what follows is no header
        }
    }
    if at > total {
        return Err(Skipped::Malformed);
    }
    payload(data, at, total, ends, next, place)
}

/// Which part of a packet this is.
#[derive(Default)]
struct Place {
    offset: usize,
    more: bool,
    id: u32,
}

fn payload(
    data: &[u8],
    header: usize,
    total: usize,
    (from, to): (IpAddr, IpAddr),
    protocol: u8,
    place: Place,
) -> Result<Payload<'_>, Skipped> {
    if protocol != TCP {
        return Err(Skipped::NoTcp);
    }
    let data = data
        .get(header..total.min(data.len()))
        .ok_or(Skipped::Short)?;
    let sent = total - header;
    let Place { offset, more, id } = place;
    if offset == 0 && !more {
        return Ok(Payload::Whole((from, to, (data, sent))));
    }
    if data.len() < sent {
        return Err(Skipped::Short); // it will never be complete
    }
    let key = Key { from, to, id };
    Ok(Payload::Fragment(Fragment {
        from,
        to,
        key,
        offset,
        more,
        data,
    }))
}

fn half(data: &[u8], at: usize) -> usize {
    usize::from(data[at]) << 8 | usize::from(data[at + 1])
}

fn byte(data: &[u8], at: usize) -> Result<u8, Skipped> {
    data.get(at).copied().ok_or(Skipped::Short)
}
