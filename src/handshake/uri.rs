//! ws and wss URIs (RFC 6455 §3): a small strict parser.
//!
//! It copies nothing while it looks, and serves three readers: [`Uri`], the absolute form of a
//! request target (RFC 9112 §3.2.2), and `Host` and `Origin` (RFC 9110 §7.2; RFC 6454 §6.1).

use alloc::format;
use alloc::string::String;
use core::fmt;
use core::net::Ipv6Addr;
use core::str::FromStr;
use memchr::{memchr, memchr3};

/// A ws or wss URI: where a client connects to and what it asks for (RFC 6455 §3).
///
/// The text has to be ASCII as RFC 3986 has it: host names in their ASCII form, other parts
/// percent-encoded. What is not in the grammar is refused, and so are user information and
/// fragments, which these URIs do not have. The host is kept in lower case.
///
/// ```
/// use sansocket::Uri;
/// let uri: Uri = "wss://Example.com:444/chat?room=1".parse()?;
/// assert!(uri.secure());
/// assert_eq!((uri.host(), uri.port()), ("example.com", 444));
/// assert_eq!(uri.resource_name(), "/chat?room=1");
/// assert_eq!(uri.to_string(), "wss://example.com:444/chat?room=1");
/// # Ok::<(), sansocket::handshake::UriError>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Uri {
    secure: bool,
    port: u16,
    host_len: usize,
    /// The host and, right behind it, the resource name.
    text: String,
}

impl Uri {
    /// Reads a ws or wss URI.
    ///
    /// # Errors
    /// [`UriError`] names the part that is wrong and where it stands.
    pub fn parse(text: &str) -> Result<Self, UriError> {
        Self::read(text, false)
    }

    /// As [`parse`](Self::parse), and takes http for ws and https for wss, as the constructor of
    /// the WHATWG API does.
    ///
    /// ```
    /// use sansocket::Uri;
    /// assert_eq!(Uri::parse_allowing_http("https://h/")?, Uri::parse("wss://h")?);
    /// # Ok::<(), sansocket::handshake::UriError>(())
    /// ```
    ///
    /// # Errors
    /// [`UriError`] names the part that is wrong and where it stands.
    pub fn parse_allowing_http(text: &str) -> Result<Self, UriError> {
        Self::read(text, true)
    }

    fn read(text: &str, http: bool) -> Result<Self, UriError> {
        let parts = Parts::of(text)?;
        let is = |scheme: &str| parts.scheme.eq_ignore_ascii_case(scheme);
        // RFC 6455 §3: the secure flag is set exactly for wss.
        let secure = match () {
            () if is("ws") || http && is("http") => false,
            () if is("wss") || http && is("https") => true,
            () => return Err(UriError::new(UriPart::Scheme, 0)),
        };
        let mut own = parts.authority.host.to_ascii_lowercase();
        if parts.path.is_empty() {
            own.push('/');
        }
        own.push_str(parts.path);
        // RFC 6455 §3: "?" and the query only if the query is not empty (D-1).
        if let Some(query) = parts.query.filter(|query| !query.is_empty()) {
            own.push('?');
            own.push_str(query);
        }
        Ok(Self {
            secure,
            port: parts.authority.port.unwrap_or(default_port(secure)),
            host_len: parts.authority.host.len(),
            text: own,
        })
    }

    /// The secure flag: the connection runs inside TLS.
    #[must_use]
    pub fn secure(&self) -> bool {
        self.secure
    }

    /// The host in lower case; an IPv6 address keeps its brackets.
    #[must_use]
    pub fn host(&self) -> &str {
        self.text.get(..self.host_len).unwrap_or_default()
    }

    /// The port: the one given, or 80 for ws and 443 for wss.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The resource name (RFC 6455 §3): the path, `/` if it is empty, then `?` and the query if
    /// there is one that is not empty.
    #[must_use]
    pub fn resource_name(&self) -> &str {
        self.text.get(self.host_len..).unwrap_or_default()
    }

    /// The host, and `:port` unless it is the default one: the value of `Host` (RFC 6455 §4.1).
    ///
    /// ```
    /// use sansocket::Uri;
    /// assert_eq!(Uri::parse("ws://h:80/")?.authority(), "h");
    /// assert_eq!(Uri::parse("ws://[::1]:81/")?.authority(), "[::1]:81");
    /// # Ok::<(), sansocket::handshake::UriError>(())
    /// ```
    #[must_use]
    pub fn authority(&self) -> String {
        if self.port == default_port(self.secure) {
            String::from(self.host())
        } else {
            self.host_and_port()
        }
    }

    /// `host:port` with the port always there: what a socket connects to, and the target of CONNECT
    /// (RFC 9112 §3.2.3).
    #[must_use]
    pub fn host_and_port(&self) -> String {
        format!("{}:{}", self.host(), self.port)
    }
}

impl FromStr for Uri {
    type Err = UriError;

    fn from_str(text: &str) -> Result<Self, UriError> {
        Self::parse(text)
    }
}

/// The URI put together again (RFC 6455 §4.1): reading it gives an equal one.
impl fmt::Display for Uri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.secure { "wss" } else { "ws" };
        write!(f, "{scheme}://{}{}", self.authority(), self.resource_name())
    }
}

/// Where it leads, and how long the resource name is: credentials often stand in the query.
impl fmt::Debug for Uri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Uri")
            .field("secure", &self.secure)
            .field("host", &self.host())
            .field("port", &self.port)
            .field("resource_name", &self.resource_name().len())
            .finish()
    }
}

/// Why a text is not a ws or wss URI: which part of it, and at which byte.
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
    const fn new(part: UriPart, at: usize) -> Self {
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
    /// Not ws or wss, or no `://` behind it.
    Scheme,
    /// There is none in these URIs, and it would carry credentials.
    UserInfo,
    /// Empty, not an address in brackets, or a character outside the grammar.
    Host,
    /// Not a decimal number up to 65535.
    Port,
    /// A character outside the grammar, or `%` without two hexadecimal digits.
    Path,
    /// A character outside the grammar, or `%` without two hexadecimal digits.
    Query,
    /// There is none in these URIs; a `#` that is data is written `%23`.
    Fragment,
}

const fn default_port(secure: bool) -> u16 {
    if secure { 443 } else { 80 }
}

/// An absolute URI with an authority, cut up and checked.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Parts<'u> {
    pub(crate) scheme: &'u str,
    pub(crate) authority: Authority<'u>,
    pub(crate) path: &'u str,
    pub(crate) query: Option<&'u str>,
}

impl<'u> Parts<'u> {
    pub(crate) fn of(text: &'u str) -> Result<Self, UriError> {
        let colon = memchr(b':', text.as_bytes()).unwrap_or(text.len());
        let (scheme, rest) = text.split_at(colon);
        let Some(rest) = rest.strip_prefix("://") else {
            return Err(UriError::new(UriPart::Scheme, 0));
        };
        let base = scheme.len() + 3;
        let end = memchr3(b'/', b'?', b'#', rest.as_bytes()).unwrap_or(rest.len());
        let (authority, rest) = rest.split_at(end);
        let authority = Authority::of(authority).map_err(|error| UriError {
            at: base + error.at,
            ..error
        })?;
        let base = base + end;
        // U-5: no fragment, not even an empty one.
        if let Some(at) = memchr(b'#', rest.as_bytes()) {
            return Err(UriError::new(UriPart::Fragment, base + at));
        }
        let (path, query) = match rest.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (rest, None),
        };
        let in_path = |b| is_pchar(b) || b == b'/';
        if let Some(at) = outside(path, in_path) {
            return Err(UriError::new(UriPart::Path, base + at));
        }
        let in_query = |b| in_path(b) || b == b'?';
        if let Some(at) = query.and_then(|query| outside(query, in_query)) {
            return Err(UriError::new(UriPart::Query, base + path.len() + 1 + at));
        }
        Ok(Self {
            scheme,
            authority,
            path,
            query,
        })
    }

    /// http or https, as in the absolute form of a request target and in `Origin`; the value is
    /// true for https.
    pub(crate) fn web(&self) -> Option<bool> {
        let https = self.scheme.eq_ignore_ascii_case("https");
        (https || self.scheme.eq_ignore_ascii_case("http")).then_some(https)
    }
}

/// `host [":" port]` without user information: also the value of `Host` (RFC 9110 §7.2).
#[derive(Debug, Clone, Copy)]
pub(crate) struct Authority<'u> {
    /// All of it, as it stands.
    pub(crate) text: &'u str,
    pub(crate) host: &'u str,
    pub(crate) port: Option<u16>,
}

impl<'u> Authority<'u> {
    pub(crate) fn of(text: &'u str) -> Result<Self, UriError> {
        if let Some(at) = memchr(b'@', text.as_bytes()) {
            return Err(UriError::new(UriPart::UserInfo, at));
        }
        // RFC 3986 §3.2.2: brackets are the only place where a host may have colons.
        let host_len = if text.starts_with('[') {
            let close = text.find(']').ok_or(UriError::new(UriPart::Host, 0))?;
            if !is_ip_literal(text.get(1..close).unwrap_or_default()) {
                return Err(UriError::new(UriPart::Host, 1));
            }
            close + 1
        } else {
            let len = memchr(b':', text.as_bytes()).unwrap_or(text.len());
            let (host, _) = text.split_at(len);
            if let Some(at) = outside(host, is_reg_name) {
                return Err(UriError::new(UriPart::Host, at));
            }
            len
        };
        if host_len == 0 {
            return Err(UriError::new(UriPart::Host, 0));
        }
        let (host, port) = text.split_at(host_len);
        let port = match port.strip_prefix(':') {
            // RFC 3986 §3.2.3: an empty port is the default one.
            Some("") => None,
            Some(digits) => match decimal(digits.as_bytes()) {
                Some(port) => Some(port),
                None => return Err(UriError::new(UriPart::Port, host_len + 1)),
            },
            None if port.is_empty() => None,
            None => return Err(UriError::new(UriPart::Host, host_len)),
        };
        Ok(Self { text, host, port })
    }

    /// The same host and port, where a port that is missing is the default one of http or https.
    pub(crate) fn same(&self, other: &Self, https: bool) -> bool {
        let port = |authority: &Self| authority.port.unwrap_or(default_port(https));
        self.host.eq_ignore_ascii_case(other.host) && port(self) == port(other)
    }
}

/// Digits only: `u16::from_str` takes a sign.
fn decimal(digits: &[u8]) -> Option<u16> {
    digits.iter().try_fold(0u16, |number, &digit| {
        let digit = digit.is_ascii_digit().then(|| digit - b'0')?;
        number.checked_mul(10)?.checked_add(u16::from(digit))
    })
}

/// Where the first byte is that is not allowed; `%` has to have two hexadecimal digits behind it.
fn outside(text: &str, allowed: impl Fn(u8) -> bool) -> Option<usize> {
    let bytes = text.as_bytes();
    let hex = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_hexdigit);
    bytes.iter().enumerate().position(|(at, &byte)| match byte {
        b'%' => !(hex(at + 1) && hex(at + 2)),
        byte => !allowed(byte),
    })
}

/// RFC 3986 §2.3, §2.2: unreserved characters and sub-delims.
const fn is_reg_name(byte: u8) -> bool {
    REG_NAME[byte as usize]
}

/// A table: each request has its host and origin checked, and this halves the time.
static REG_NAME: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0u8;
    while byte < 0x7f {
        table[byte as usize] = byte.is_ascii_alphanumeric()
            || matches!(
                byte,
                b'-' | b'.' | b'_' | b'~' | b'!' | b'$' | b'&' | b'\'' | b'(' | b')' | b'*'
                    ..=b',' | b';' | b'='
            );
        byte += 1;
    }
    table
};

/// RFC 3986 §3.3.
const fn is_pchar(byte: u8) -> bool {
    is_reg_name(byte) || matches!(byte, b':' | b'@')
}

/// What stands in the brackets (RFC 3986 §3.2.2): an IPv6 address, or one of a version to come.
fn is_ip_literal(text: &str) -> bool {
    if let Some(future) = text.strip_prefix(['v', 'V']) {
        return future.split_once('.').is_some_and(|(version, address)| {
            let hex = version.bytes().all(|byte| byte.is_ascii_hexdigit());
            let address_ok = address
                .bytes()
                .all(|byte| is_reg_name(byte) || byte == b':');
            hex && address_ok && !version.is_empty() && !address.is_empty()
        });
    }
    Ipv6Addr::from_str(text).is_ok()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::{Uri, UriPart};
    use alloc::string::{String, ToString};

    fn part(text: &str) -> UriPart {
        Uri::parse(text).unwrap_err().part()
    }

    /// U-1, W-2.
    #[test]
    fn schemes() {
        for (text, secure) in [
            ("ws://h/", false),
            ("WS://h/", false),
            ("wss://h/", true),
            ("WSS://h/", true),
        ] {
            assert_eq!(Uri::parse(text).unwrap().secure(), secure);
        }
        for text in [
            "http://h/",
            "https://h/",
            "ftp://h/",
            "h/x",
            "",
            "ws:h",
            "ws:/h",
            "://h",
            " ws://h",
        ] {
            assert_eq!(part(text), UriPart::Scheme, "{text}");
        }
        assert!(Uri::parse_allowing_http("HTTPS://h/").unwrap().secure());
        assert!(!Uri::parse_allowing_http("http://h/").unwrap().secure());
        assert!(!Uri::parse_allowing_http("ws://h/").unwrap().secure());
        let error = Uri::parse_allowing_http("ftp://h/").unwrap_err();
        assert_eq!(error.part(), UriPart::Scheme);
    }

    /// U-2, HC-3.
    #[test]
    fn ports() {
        for (text, port, authority) in [
            ("ws://h/", 80, "h"),
            ("wss://h/", 443, "h"),
            ("ws://h:/", 80, "h"),
            ("ws://h:80/", 80, "h"),
            ("ws://h:0080/", 80, "h"),
            ("ws://h:443/", 443, "h:443"),
            ("wss://h:80/", 80, "h:80"),
            ("ws://h:8080", 8080, "h:8080"),
            ("ws://[::1]:81/", 81, "[::1]:81"),
            ("ws://h:65535?x", 65535, "h:65535"),
        ] {
            let uri = Uri::parse(text).unwrap();
            assert_eq!((uri.port(), &*uri.authority()), (port, authority), "{text}");
        }
        for text in [
            "ws://h:65536/",
            "ws://h:1a/",
            "ws://h:+1/",
            "ws://h:-1/",
            "ws://h: 1/",
            "ws://h:1:2/",
            "ws://[::1]:x/",
            "ws://h:99999999999999999999/",
        ] {
            assert_eq!(part(text), UriPart::Port, "{text}");
        }
    }

    /// U-3, CVE-2026-61666: hosts are checked by grammar, and every mistake is an error value.
    #[test]
    fn hosts() {
        for (text, host) in [
            ("ws://[::1]:9/", "[::1]"),
            ("ws://[2001:DB8::1]/", "[2001:db8::1]"),
            ("ws://[::ffff:192.0.2.1]/", "[::ffff:192.0.2.1]"),
            ("ws://[v1.a:b]/", "[v1.a:b]"),
            ("ws://127.0.0.1/", "127.0.0.1"),
            ("ws://EXAMPLE.com", "example.com"),
            ("ws://a_b-c.~d/", "a_b-c.~d"),
            ("ws://a%2Fb/", "a%2fb"),
            ("ws://xn--bcher-kva.example/", "xn--bcher-kva.example"),
        ] {
            assert_eq!(Uri::parse(text).unwrap().host(), host);
        }
        for text in [
            "ws:///x",
            "ws://",
            "ws://:80/",
            "ws://[::1/",
            "ws://::1/",
            "ws://[::1]x/",
            "ws://[]/",
            "ws://[::g]/",
            "ws://[1:2:3]/",
            "ws://[1:2:3:4:5:6:7:8:9]/",
            "ws://[::1%25eth0]/",
            "ws://[127.0.0.1]/",
            "ws://[v.a]/",
            "ws://[v1.]/",
            "ws://[vg.a]/",
            "ws://[.a]/",
            "ws://[v1.a^]/",
            "ws://a b/",
            "ws://a%2/",
            "ws://a%zz/",
            "ws://b\u{fc}cher.example/",
            "ws://a\\b/",
            "ws://a\"b/",
            "ws://a\r\nX: y/",
            "ws://a\0/",
            "ws://]/",
        ] {
            assert_eq!(part(text), UriPart::Host, "{text:?}");
        }
    }

    /// U-4, U-9, D-1.
    #[test]
    fn resource_names() {
        for (text, name) in [
            ("ws://h", "/"),
            ("ws://h/", "/"),
            ("ws://h?x=1", "/?x=1"),
            ("ws://h/a/b?c", "/a/b?c"),
            ("ws://h/a?", "/a"),
            ("ws://h/a??b/?", "/a??b/?"),
            ("ws://h/a%23b", "/a%23b"),
            ("ws://h//a:@!$&'()*+,;=-._~", "//a:@!$&'()*+,;=-._~"),
            ("ws://h/.well-known/x", "/.well-known/x"),
        ] {
            assert_eq!(Uri::parse(text).unwrap().resource_name(), name);
        }
    }

    /// U-5 to U-8, D-2: nothing that is refused could reach the wire, and the error names the place.
    #[test]
    fn what_is_not_allowed_and_where() {
        for (text, part, at) in [
            ("ws://h/a#b", UriPart::Fragment, 8),
            ("ws://h/#", UriPart::Fragment, 7),
            ("ws://h#", UriPart::Fragment, 6),
            ("ws://h?a#b", UriPart::Fragment, 8),
            ("ws://u:p@h/", UriPart::UserInfo, 8),
            ("ws://@h/", UriPart::UserInfo, 5),
            ("ws://h/\u{e9}", UriPart::Path, 7),
            ("ws://h/a b", UriPart::Path, 8),
            ("ws://h/a\r\nX: y", UriPart::Path, 8),
            ("ws://h/a\0", UriPart::Path, 8),
            ("ws://h/a\x7f", UriPart::Path, 8),
            ("ws://h/a%", UriPart::Path, 8),
            ("ws://h/a%f", UriPart::Path, 8),
            ("ws://h/a%fg", UriPart::Path, 8),
            ("ws://h/a[b", UriPart::Path, 8),
            ("ws://h/a|b", UriPart::Path, 8),
            ("ws://h/a?b c", UriPart::Query, 10),
            ("ws://h?\u{e9}", UriPart::Query, 7),
            ("ws://h:8x/", UriPart::Port, 7),
            ("ws://[::1]x", UriPart::Host, 10),
        ] {
            let error = Uri::parse(text).unwrap_err();
            assert_eq!((error.part(), error.at()), (part, at), "{text:?}");
            assert!(error.to_string().contains(&at.to_string()));
        }
    }

    /// P-10.
    #[test]
    fn printing_gives_an_equal_uri() {
        for (text, printed) in [
            ("wss://h:444/a?b", "wss://h:444/a?b"),
            ("WS://H:80", "ws://h/"),
            ("wss://[::1]:443/x?", "wss://[::1]/x"),
        ] {
            let uri = Uri::parse(text).unwrap();
            assert_eq!(uri.to_string(), printed);
            assert_eq!(Uri::parse(printed).unwrap(), uri);
        }
        assert_eq!(
            Uri::parse("wss://[::1]/").unwrap().host_and_port(),
            "[::1]:443"
        );
    }

    mod properties {
        use super::*;
        use proptest::prelude::*;

        proptest! {
            /// P-10, U-8: any text is refused, or printed and read back equal, in ASCII without blanks.
            #[test]
            fn any_text(text in "(ws|wss|WS|http)?(://)?(a/|a\\?|)[\\[\\]a-c0-9:@%/?#. \u{e9}\r\n]{0,12}") {
                if let Ok(uri) = Uri::parse(&text) {
                    prop_assert_eq!(&Uri::parse(&uri.to_string()).unwrap(), &uri);
                    let wire: String = uri.authority() + uri.resource_name();
                    prop_assert!(wire.bytes().all(|byte| byte.is_ascii_graphic()));
                    prop_assert!(uri.resource_name().starts_with('/'));
                }
            }

            #[test]
            fn any_uri(host in "[a-z0-9.]{1,9}", port in any::<Option<u16>>(), path in "(/[a-z%]{0}[a-z0-9]{0,5}){0,3}", query in "([?][a-z=&]{1,9})?") {
                let port = port.map_or(String::new(), |port| alloc::format!(":{port}"));
                let uri = Uri::parse(&alloc::format!("wss://{host}{port}{path}{query}")).unwrap();
                prop_assert_eq!(Uri::parse(&uri.to_string()).unwrap(), uri);
            }
        }
    }
}
