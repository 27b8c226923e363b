//! What the entries of lists of origins and hosts are (RFC 6454 §6.1; RFC 9110 §7.4).

use crate::decimal::decimal_in;

/// `scheme "://" host [":" port]`, or `null`.
pub(crate) fn is_origin(text: &str) -> bool {
    let is_web = |(scheme, authority): (&str, &str)| {
        !scheme.is_empty() && scheme.bytes().all(is_plain) && is_host_and_port(authority)
    };
    text == "null" || split_scheme(text).is_some_and(is_web)
}

/// What stands before the first `://`, and after it.
pub(crate) fn split_scheme(text: &str) -> Option<(&str, &str)> {
    // Not by a pattern of several characters, whose search takes a kilobyte of code.
    let (scheme, rest) = text.split_once(':')?;
    Some((scheme, rest.strip_prefix("//")?))
}

/// `host [":" port]`, where `*.` may begin the host and the port may be `*`.
pub(crate) fn is_host_and_port(text: &str) -> bool {
    let (host, port) = match text.rsplit_once(':') {
        // The colons of an address are in brackets.
        Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
        _ => (text, None),
    };
    let name = host.strip_prefix("*.").unwrap_or(host);
    let is_port = |port: &str| port == ANY_PORT || decimal_in::<u16>(port).is_some();
    let in_brackets = |name: &str| name.starts_with('[') && name.ends_with(']') && name == host;
    let is_name = name.bytes().all(is_plain) || in_brackets(name);
    !name.is_empty() && is_name && port.is_none_or(is_port)
}

/// In place of a port: every port.
pub(crate) const ANY_PORT: &str = "*";

/// Neither a delimiter of URIs nor a wildcard.
const fn is_plain(byte: u8) -> bool {
    byte.is_ascii_graphic()
        && !matches!(byte, b'/' | b'?' | b'#' | b'@' | b':' | b'[' | b']' | b'*')
}
