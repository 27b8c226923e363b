//! A script's URL, and the ports that browsers do not connect to.

use alloc::string::String;
use core::fmt;

use percent_encoding::percent_decode_str;
use url::Url;

use crate::handshake::uri::Uri;

use super::Exception;

/// The URL record of a `WebSocket` (WHATWG WebSockets, constructor; URL Standard): every URL that browsers
/// take, relative ones too.
///
/// ```
/// use sansocket::webapi::UrlRecord;
/// let record = UrlRecord::parse("/chat?", Some("https://user:pass%20word@example.com/app/"))?;
/// assert_eq!(record.as_str(), "wss://user:pass%20word@example.com/chat?");
/// assert_eq!(record.uri().to_string(), "wss://example.com/chat"); // what goes on the wire
/// assert_eq!(record.credentials(), Some(("user".into(), "pass word".into())));
/// # Ok::<(), sansocket::webapi::Exception>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct UrlRecord {
    /// With ws or wss.
    url: Url,
    uri: Uri,
}

impl UrlRecord {
    /// Parses a script's URL, against the document's base URL if there is one.
    ///
    /// # Errors
    /// [`Exception::Syntax`]: no URL, a scheme that is not ws, wss, http or https, or a fragment, even an
    /// empty one.
    pub fn parse(url: &str, base: Option<&str>) -> Result<Self, Exception> {
        let syntax = |()| Exception::Syntax;
        let base = base.and_then(|base| Url::parse(base).ok());
        let parser = Url::options().base_url(base.as_ref());
        let mut url = parser.parse(url).map_err(|_| Exception::Syntax)?;
        match url.scheme() {
            "http" => url.set_scheme("ws").map_err(syntax)?,
            "https" => url.set_scheme("wss").map_err(syntax)?,
            _ => {}
        }
        let mut bare = url.clone();
        bare.set_username("").map_err(syntax)?;
        bare.set_password(None).map_err(syntax)?;
        let uri = Uri::of_url(&bare).map_err(|_| Exception::Syntax)?;
        Ok(Self { url, uri })
    }

    /// `url`: the serialized record.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.url.as_str()
    }

    /// Where to connect to, and what to ask for.
    #[must_use]
    pub fn uri(&self) -> &Uri {
        &self.uri
    }

    /// User and password, without percent-encoding, for the engine to answer a 401 with. They are not sent by
    /// themselves.
    #[must_use]
    pub fn credentials(&self) -> Option<(String, String)> {
        let (user, password) = (self.url.username(), self.url.password());
        let decoded = |text| percent_decode_str(text).decode_utf8_lossy().into();
        let any = !user.is_empty() || password.is_some();
        any.then(|| (decoded(user), decoded(password.unwrap_or_default())))
    }
}

/// Host and port, and the length of the rest.
impl fmt::Debug for UrlRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("UrlRecord").field(&self.uri).finish()
    }
}

/// Whether browsers connect to no such port (Fetch, "bad port"), so that a page cannot speak to what is behind it: for the
/// engine to call [`transport_lost`](super::WebSocket::transport_lost) in place of connecting.
///
/// ```
/// use sansocket::webapi::is_bad_port;
/// assert!(is_bad_port(25) && !is_bad_port(443));
/// ```
#[must_use]
pub fn is_bad_port(port: u16) -> bool {
    BAD_PORTS.binary_search(&port).is_ok()
}

/// Fetch, §2.9.
#[rustfmt::skip]
const BAD_PORTS: [u16; 83] = [
    0, 1, 7, 9, 11, 13, 15, 17, 19, 20, 21, 22, 23, 25, 37, 42, 43, 53, 69, 77, 79, 87, 95, 101, 102, 103, 104, 109,
    110, 111, 113, 115, 117, 119, 123, 135, 137, 139, 143, 161, 179, 389, 427, 465, 512, 513, 514, 515, 526, 530, 531,
    532, 540, 548, 554, 556, 563, 587, 601, 636, 989, 990, 993, 995, 1719, 1720, 1723, 2049, 3659, 4045, 4190, 5060,
    5061, 6000, 6566, 6665, 6666, 6667, 6668, 6669, 6679, 6697, 10080,
];

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::{Exception, UrlRecord, is_bad_port};

    /// The record as it is serialized, and what goes on the wire.
    #[test]
    fn records() {
        for (url, record, uri) in [
            ("ws://h", "ws://h/", "ws://h/"),
            ("ws://h/?", "ws://h/?", "ws://h/"),
            (
                "wss://h/?token=1|abc",
                "wss://h/?token=1|abc",
                "wss://h/?token=1|abc",
            ),
            (
                "http://h:80/a b?q[x]=%zz",
                "ws://h/a%20b?q[x]=%zz",
                "ws://h/a%20b?q[x]=%zz",
            ),
            ("wss://user:pw@h/x", "wss://user:pw@h/x", "wss://h/x"),
            ("//other/", "wss://other/", "wss://other/"),
            ("?x", "wss://base/dir/page?x", "wss://base/dir/page?x"),
            ("", "wss://base/dir/page", "wss://base/dir/page"),
        ] {
            let parsed = UrlRecord::parse(url, Some("https://base/dir/page#top"));
            // A base's fragment is not inherited.
            let parsed = parsed.unwrap();
            assert_eq!(parsed.as_str(), record, "{url}");
            assert_eq!(
                alloc::string::ToString::to_string(parsed.uri()),
                uri,
                "{url}"
            );
        }
        for url in [
            "/x",
            "",
            "ws://",
            "ws://h/#",
            "ftp://h/",
            "mailto:h",
            "about:blank",
            "ws://h:99999/",
        ] {
            assert_eq!(UrlRecord::parse(url, None), Err(Exception::Syntax), "{url}");
        }
        assert_eq!(
            UrlRecord::parse("x", Some("about:blank")),
            Err(Exception::Syntax)
        );
    }

    #[test]
    fn credentials() {
        let of = |url| UrlRecord::parse(url, None).unwrap().credentials();
        assert_eq!(of("ws://h/"), None);
        assert_eq!(of("ws://u@h/"), Some(("u".into(), "".into())));
        assert_eq!(of("ws://:p%40@h/"), Some(("".into(), "p@".into())));
        let shown = alloc::format!("{:?}", UrlRecord::parse("ws://u:secret@h/?secret", None));
        assert!(!shown.contains("secret"));
    }

    #[test]
    fn bad_ports() {
        // The table of Fetch's "bad port", with its services, in its order.
        let table = "0 -, 1 tcpmux, 7 echo, 9 discard, 11 systat, 13 daytime, 15 netstat, 17 qotd, 19 chargen,
            20 ftp-data, 21 ftp, 22 ssh, 23 telnet, 25 smtp, 37 time, 42 name, 43 nicname, 53 domain, 69 tftp, 77 -,
            79 finger, 87 -, 95 supdup, 101 hostname, 102 iso-tsap, 103 gppitnp, 104 acr-nema, 109 pop2, 110 pop3,
            111 sunrpc, 113 auth, 115 sftp, 117 uucp-path, 119 nntp, 123 ntp, 135 epmap, 137 netbios-ns,
            139 netbios-ssn, 143 imap, 161 snmp, 179 bgp, 389 ldap, 427 svrloc, 465 submissions, 512 exec, 513 login,
            514 shell, 515 printer, 526 tempo, 530 courier, 531 chat, 532 netnews, 540 uucp, 548 afp, 554 rtsp,
            556 remotefs, 563 nntps, 587 submission, 601 syslog-conn, 636 ldaps, 989 ftps-data, 990 ftps, 993 imaps,
            995 pop3s, 1719 h323gatestat, 1720 h323hostcall, 1723 pptp, 2049 nfs, 3659 apple-sasl, 4045 npp,
            4190 sieve, 5060 sip, 5061 sips, 6000 x11, 6566 sane-port, 6665 ircu, 6666 ircu, 6667 ircu, 6668 ircu,
            6669 ircu, 6679 osaut, 6697 ircs-u, 10080 amanda";
        let entries = table
            .split(',')
            .map(|entry| entry.split_whitespace().next());
        let listed: alloc::vec::Vec<u16> =
            entries.map(|port| port.unwrap().parse().unwrap()).collect();
        let refused: alloc::vec::Vec<u16> =
            (0..=u16::MAX).filter(|port| is_bad_port(*port)).collect();
        assert_eq!(refused, listed);
    }
}
