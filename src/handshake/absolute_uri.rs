//! Absolute URIs with an authority (RFC 3986 §4.3): a small strict parser that borrows from the text.
//!
//! It reads ws and wss URIs (RFC 6455 §3), the absolute form of a request target (RFC 9112 §3.2.2), `Host`
//! (RFC 9110 §7.2) and `Origin` (RFC 6454 §6.1).

use core::fmt;

use memchr::{memchr, memchr3};

use crate::decimal::decimal;
use crate::error::identified;
use crate::token::is_reg_name_byte;

/// Why a text is not a ws or wss URI: which part of it is wrong, and at which byte.
///
/// ```
/// use sansocket::{Uri, handshake::UriPart};
/// let error = Uri::parse("ws://h/a#b").unwrap_err();
/// assert_eq!((error.part(), error.at()), (UriPart::Fragment, 8));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct UriError {
    part: UriPart,
    at: usize,
}

impl UriError {
    pub(super) const fn new(part: UriPart, at: usize) -> Self {
        Self { part, at }
    }

    /// The part that is wrong.
    #[must_use]
    pub const fn part(self) -> UriPart {
        self.part
    }

    /// Where, in bytes from the start of the text.
    #[must_use]
    pub const fn at(self) -> usize {
        self.at
    }
}

identified! { UriError:
    Self { part: UriPart::Scheme, .. } = 1001, "uri_scheme";
    Self { part: UriPart::UserInfo, .. } = 1002, "uri_user_info";
    Self { part: UriPart::Host, .. } = 1003, "uri_host";
    Self { part: UriPart::Port, .. } = 1004, "uri_port";
    Self { part: UriPart::Path, .. } = 1005, "uri_path";
    Self { part: UriPart::Query, .. } = 1006, "uri_query";
    Self { part: UriPart::Fragment, .. } = 1007, "uri_fragment";
}

impl fmt::Display for UriError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.part {
            UriPart::Scheme => "the scheme is not ws or wss (RFC 6455 §3)",
            UriPart::UserInfo => "user information is not allowed (RFC 6455 §3)",
            UriPart::Host => "the host is not valid (RFC 3986 §3.2.2)",
            UriPart::Port => "the port is not a number up to 65535 (RFC 3986 §3.2.3)",
            UriPart::Path => "a character that a path cannot have (RFC 3986 §3.3)",
            UriPart::Query => "a character that a query cannot have (RFC 3986 §3.4)",
            UriPart::Fragment => "a fragment is not allowed (RFC 6455 §3)",
        };
        write!(f, "{what}, at byte {}", self.at)
    }
}

impl core::error::Error for UriError {}

/// A part of a URI (RFC 3986 §3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum UriPart {
    /// Not ws or wss, or no `://` after it.
    Scheme,
    /// These URIs have none, and it would carry credentials.
    UserInfo,
    /// Empty, not an address in brackets, or a character outside the grammar.
    Host,
    /// Not a decimal number up to 65535.
    Port,
    /// A character outside the grammar, or `%` without two hexadecimal digits.
    Path,
    /// A character outside the grammar, or `%` without two hexadecimal digits.
    Query,
    /// These URIs have none; a `#` that is data is written `%23`.
    Fragment,
}

pub(super) const fn default_port(secure: bool) -> u16 {
    if secure { 443 } else { 80 }
}

/// An absolute URI with an authority, checked and in parts.
#[derive(Debug, Clone, Copy)]
pub(crate) struct AbsoluteUri<'u> {
    pub(crate) scheme: &'u str,
    pub(crate) authority: Authority<'u>,
    pub(crate) path: &'u str,
    pub(crate) query: Option<&'u str>,
}

impl<'u> AbsoluteUri<'u> {
    pub(crate) fn of(text: &'u str) -> Result<Self, UriError> {
        let colon = memchr(b':', text.as_bytes()).unwrap_or(text.len());
        let (scheme, rest) = text.split_at(colon);
        let Some(rest) = rest.strip_prefix("://") else {
            return Err(UriError::new(UriPart::Scheme, 0));
        };
        let base = scheme.len() + 3;
        let end = memchr3(b'/', b'?', b'#', rest.as_bytes()).unwrap_or(rest.len());
        let (authority, rest) = rest.split_at(end);
        let authority = Authority::of(authority.as_bytes()).map_err(|error| UriError {
            at: base + error.at,
            ..error
        })?;
        let base = base + end;
        // RFC 6455 §3: no fragment, not even an empty one.
        if let Some(at) = memchr(b'#', rest.as_bytes()) {
            return Err(UriError::new(UriPart::Fragment, base + at));
        }
        let (path, query) = match rest.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (rest, None),
        };
        let in_path = |b| is_pchar(b) || b == b'/';
        if let Some(at) = outside(path.as_bytes(), in_path) {
            return Err(UriError::new(UriPart::Path, base + at));
        }
        let in_query = |b| in_path(b) || b == b'?';
        if let Some(at) = query.and_then(|query| outside(query.as_bytes(), in_query)) {
            return Err(UriError::new(UriPart::Query, base + path.len() + 1 + at));
        }
        Ok(Self {
            scheme,
            authority,
            path,
            query,
        })
    }

    /// Whether an http or https URI is https. `None`: another scheme.
    pub(crate) fn web(&self) -> Option<bool> {
        self.secure("http", "https")
    }

    /// The secure flag of a ws or wss URI, which is set exactly for wss (RFC 6455 §3).
    pub(super) fn web_socket(&self) -> Option<bool> {
        self.secure("ws", "wss")
    }

    fn secure(&self, plain: &str, secure: &str) -> Option<bool> {
        let is_secure = self.scheme.eq_ignore_ascii_case(secure);
        (is_secure || self.scheme.eq_ignore_ascii_case(plain)).then_some(is_secure)
    }
}

/// `host [":" port]` without user information: also the value of `Host` (RFC 9110 §7.2). It is ASCII.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Authority<'u> {
    /// All of it, as it stands.
    pub(crate) text: &'u [u8],
    pub(crate) host: &'u [u8],
    pub(crate) port: Option<u16>,
}

impl<'u> Authority<'u> {
    pub(crate) fn of(text: &'u [u8]) -> Result<Self, UriError> {
        if let Some(at) = memchr(b'@', text) {
            return Err(UriError::new(UriPart::UserInfo, at));
        }
        // RFC 3986 §3.2.2: a host has colons only inside brackets.
        let host_len = if let [b'[', literal @ ..] = text {
            let close = memchr(b']', literal).ok_or(UriError::new(UriPart::Host, 0))?;
            if !is_ip_literal(&literal[..close]) {
                return Err(UriError::new(UriPart::Host, 1));
            }
            close + 2
        } else {
            let len = memchr(b':', text).unwrap_or(text.len());
            if let Some(at) = outside(&text[..len], is_reg_name_byte) {
                return Err(UriError::new(UriPart::Host, at));
            }
            len
        };
        if host_len == 0 {
            return Err(UriError::new(UriPart::Host, 0));
        }
        let (host, port) = text.split_at(host_len);
        let port = match port {
            // RFC 3986 §3.2.3: an empty port is the default one.
            [] | [b':'] => None,
            [b':', digits @ ..] => {
                let port = decimal(digits).and_then(|port| u16::try_from(port).ok());
                Some(port.ok_or(UriError::new(UriPart::Port, host_len + 1))?)
            }
            _ => return Err(UriError::new(UriPart::Host, host_len)),
        };
        Ok(Self { text, host, port })
    }

    /// The same host and port; a missing port is the default one of http or https.
    pub(crate) fn same(&self, other: &Self, https: bool) -> bool {
        let port = |authority: &Self| authority.port.unwrap_or(default_port(https));
        self.host.eq_ignore_ascii_case(other.host) && port(self) == port(other)
    }
}

/// Where the first byte stands that is not allowed, or a `%` without two hexadecimal digits after it.
fn outside(bytes: &[u8], allowed: impl Fn(u8) -> bool) -> Option<usize> {
    let hex = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_hexdigit);
    bytes.iter().enumerate().position(|(at, &byte)| match byte {
        b'%' => !(hex(at + 1) && hex(at + 2)),
        byte => !allowed(byte),
    })
}

/// RFC 3986 §3.3.
const fn is_pchar(byte: u8) -> bool {
    is_reg_name_byte(byte) || matches!(byte, b':' | b'@')
}

/// What stands in brackets (RFC 3986 §3.2.2): an IPv6 address, or one of a future version.
fn is_ip_literal(bytes: &[u8]) -> bool {
    let [b'v' | b'V', future @ ..] = bytes else {
        return is_ipv6(bytes);
    };
    let version = future.iter().take_while(|byte| byte.is_ascii_hexdigit());
    let (version, address) = future.split_at(version.count());
    let in_address = |&byte: &u8| is_reg_name_byte(byte) || byte == b':';
    match address {
        [b'.', address @ ..] => {
            !version.is_empty() && !address.is_empty() && address.iter().all(in_address)
        }
        _ => false,
    }
}

/// `IPv6address`. Not by the standard library, whose parser takes 2 KiB of code on a small processor.
fn is_ipv6(mut rest: &[u8]) -> bool {
    let (mut groups, mut gap) = (0, false);
    if let [b':', b':', after @ ..] = rest {
        (rest, gap) = (after, true);
    }
    while !rest.is_empty() && groups < 8 {
        let len = rest.iter().take_while(|byte| byte.is_ascii_hexdigit());
        let (group, after) = rest.split_at(len.count());
        if after.first() == Some(&b'.') {
            groups += 2;
            return is_ipv4(rest) && if gap { groups < 8 } else { groups == 8 };
        }
        if !(1..=4).contains(&group.len()) {
            return false;
        }
        groups += 1;
        rest = match after {
            [] => after,
            [b':', b':', after @ ..] if !gap => {
                gap = true;
                after
            }
            [b':', after @ ..] if !after.is_empty() => after,
            _ => return false,
        };
    }
    rest.is_empty() && if gap { groups < 8 } else { groups == 8 }
}

/// `IPv4address`: numbers up to 255 without leading zeros.
fn is_ipv4(bytes: &[u8]) -> bool {
    let is_octet = |text: &[u8]| match text {
        [b'0'..=b'9'] => true,
        [b'1'..=b'9', ..] if text.len() <= 3 => decimal(text).is_some_and(|octet| octet <= 255),
        _ => false,
    };
    let mut octets = bytes.split(|&byte| byte == b'.');
    octets.clone().count() == 4 && octets.all(is_octet)
}

#[cfg(test)]
mod tests {
    use alloc::string::String;
    use core::net::Ipv6Addr;

    use proptest::prelude::*;

    use super::is_ipv6;

    fn as_the_standard_library(text: &str) {
        let expected = text.parse::<Ipv6Addr>().is_ok();
        assert_eq!(is_ipv6(text.as_bytes()), expected, "{text}");
    }

    #[test]
    fn addresses() {
        for text in [
            "::",
            "::1",
            "1::",
            ":",
            "",
            ":::",
            "1:::2",
            "1::2::3",
            "1:2:3:4:5:6:7:8",
            "1:2:3:4:5:6:7",
            "1:2:3:4:5:6:7:8:9",
            "1:2:3:4:5:6:7::",
            "::2:3:4:5:6:7:8",
            "1:2:3:4:5:6:7:8::",
            "::1:2:3:4:5:6:7:8",
            "1:2:3::4:5:6:7:8",
            "1:2:3:4:5:6:7:",
            ":2:3:4:5:6:7:8",
            "12345::",
            "::g",
            "::1.2.3.4",
            "1:2:3:4:5:6:1.2.3.4",
            "1:2:3:4:5:1.2.3.4",
            "1:2:3:4:5:6:7:1.2.3.4",
            "1:2:3:4:5::1.2.3.4",
            "1:2:3:4:5:6::1.2.3.4",
            "1.2.3.4",
            "::1.2.3",
            "::1.2.3.256",
            "::1.2.3.04",
            "::1.2.3.4.5",
            "::1.2.3.",
            "::a.2.3.4",
            "::1.2.3.4:5",
            "fe80::1%eth0",
        ] {
            as_the_standard_library(text);
        }
    }

    proptest! {
        /// Any groups, gaps and ends: taken and refused as by the standard library.
        #[test]
        fn any_address(parts in proptest::collection::vec(0usize..14, 0..20)) {
            const PARTS: [&str; 14] = [":", ":", ":", "::", "0", "12", "abc", "FFFF", "1:", "2:", "255", ".", "1.2.3.4", "7.08.9.10"];
            let text: String = parts.into_iter().map(|part| PARTS[part]).collect();
            as_the_standard_library(&text);
        }
    }
}
