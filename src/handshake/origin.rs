//! Whether an origin is of the same host, or in a list (RFC 6455 §4.2.2, §10.2), and whether a host is in one
//! (RFC 9110 §7.4).

use crate::config::{ANY_PORT, split_scheme};
use crate::decimal::decimal_in;

use super::absolute_uri::{AbsoluteUri, Authority};

/// Whether one of the entries of a list stands for this value of `Origin`.
pub(crate) fn is_listed<'e>(mut entries: impl Iterator<Item = &'e str>, origin: &[u8]) -> bool {
    core::str::from_utf8(origin).is_ok_and(|origin| entries.any(|entry| fits(entry, origin)))
}

/// Whether one of these hosts is this one. A port that is left out is the default one of http or https.
pub(crate) fn names_host<'e>(
    mut hosts: impl Iterator<Item = &'e str>,
    authority: &Authority<'_>,
) -> bool {
    hosts.any(|entry| {
        let (name, port) = split_port(entry);
        let port_fits = match (port, authority.port) {
            (None | Some(ANY_PORT), _) => true,
            (Some(port), Some(own)) => decimal_in(port) == Some(own),
            (Some(port), None) => matches!(port, "80" | "443"),
        };
        port_fits && host_fits(name, authority.host)
    })
}

/// A page of the same host and port. The two texts are compared first: nearly always they are equal.
pub(crate) fn same_host(origin: &[u8], host: &Authority<'_>) -> bool {
    let without_scheme = origin
        .strip_prefix(b"https://")
        .or_else(|| origin.strip_prefix(b"http://"));
    if without_scheme == Some(host.text) {
        return true;
    }
    let origin = core::str::from_utf8(origin).ok().and_then(web_origin);
    origin.is_some_and(|(https, authority)| authority.same(host, https))
}

/// Whether an entry of a list stands for this origin: as web origins, with the default port there or not.
/// Anything else, such as `null`, is compared as text without regard to ASCII case (RFC 6455 §4.2.2).
fn fits(entry: &str, origin: &str) -> bool {
    let (Some((scheme, place)), Some((https, authority))) =
        (split_scheme(entry), web_origin(origin))
    else {
        return entry.eq_ignore_ascii_case(origin);
    };
    let (name, port) = split_port(place);
    let default = if https { 443 } else { 80 };
    let own_port = authority.port.unwrap_or(default);
    let port_fits = match port {
        Some(ANY_PORT) => true,
        Some(port) => decimal_in(port) == Some(own_port),
        None => own_port == default,
    };
    scheme.eq_ignore_ascii_case(if https { "https" } else { "http" })
        && port_fits
        && host_fits(name, authority.host)
}

/// The port of an entry, which was checked when it was given.
fn split_port(entry: &str) -> (&str, Option<&str>) {
    match entry.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
        _ => (entry, None),
    }
}

/// Whether the name, or the pattern `*.name` for all that is below it, stands for this host.
fn host_fits(name: &str, host: &[u8]) -> bool {
    let Some(parent) = name.strip_prefix('*') else {
        return name.as_bytes().eq_ignore_ascii_case(host);
    };
    // With its dot, and something before it.
    let label = host.len().saturating_sub(parent.len());
    let below = host.split_at_checked(label);
    label > 0 && below.is_some_and(|(_, end)| end.eq_ignore_ascii_case(parent.as_bytes()))
}

/// `scheme://host[:port]` of http or https, with nothing after it (RFC 6454 §6.1); whether it is https.
fn web_origin(text: &str) -> Option<(bool, Authority<'_>)> {
    let uri = AbsoluteUri::of(text).ok()?;
    let bare = uri.path.is_empty() && uri.query.is_none();
    let https = uri.web().filter(|_| bare)?;
    Some((https, uri.authority))
}
