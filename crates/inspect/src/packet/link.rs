//! What stands before the IP header: <https://www.tcpdump.org/linktypes.html>.

use super::Skipped;

/// The length of the headers before that of IP, and what follows them.
pub(super) fn strip(link: u32, data: &[u8]) -> Result<(usize, &[u8]), Skipped> {
    let header = match link {
        // LINKTYPE_NULL and LINKTYPE_LOOP: a family, in some byte order.
        0 | 108 => loopback(data)?,
        // LINKTYPE_ETHERNET
        1 => tagged(data, 12)?,
        // LINKTYPE_RAW and its old numbers, LINKTYPE_IPV4, LINKTYPE_IPV6
        12 | 14 | 101 | 228 | 229 => 0,
        // LINKTYPE_LINUX_SLL
        113 => tagged(data, 14)?,
        // LINKTYPE_LINUX_SLL2: the kind comes first.
        276 => {
            if !is_ip(half(data, 0)?) {
                return Err(Skipped::NoIp);
            }
            20
        }
        _ => return Err(Skipped::Link(link)),
    };
    Ok((header, data.get(header..).ok_or(Skipped::Short)?))
}

/// The length of headers whose kind of payload stands there, with VLAN tags (IEEE 802.1Q) and PPPoE (RFC 2516).
fn tagged(data: &[u8], mut at: usize) -> Result<usize, Skipped> {
    loop {
        match half(data, at)? {
            0x8100 | 0x88a8 | 0x9100 => at += 4,
            0x8864 => {
                return match half(data, at + 8)? {
                    0x0021 | 0x0057 => Ok(at + 10),
                    _ => Err(Skipped::NoIp),
                };
            }
            kind if is_ip(kind) => return Ok(at + 2),
            _ => return Err(Skipped::NoIp),
        }
    }
}

/// 2 is IPv4 everywhere, IPv6 is 10, 24, 28 or 30.
fn loopback(data: &[u8]) -> Result<usize, Skipped> {
    let family = data.first_chunk::<4>().ok_or(Skipped::Short)?;
    match (u32::from_le_bytes(*family), u32::from_be_bytes(*family)) {
        (2 | 10 | 24 | 28 | 30, _) | (_, 2 | 10 | 24 | 28 | 30) => Ok(4),
        _ => Err(Skipped::NoIp),
    }
}

fn is_ip(kind: u16) -> bool {
    matches!(kind, 0x0800 | 0x86dd)
}

fn half(data: &[u8], at: usize) -> Result<u16, Skipped> {
    let bytes = data.get(at..at + 2).ok_or(Skipped::Short)?;
    Ok(u16::from(bytes[0]) << 8 | u16::from(bytes[1]))
}
