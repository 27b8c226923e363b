//! Where a redirection leads, and what may go along (RFC 9110 §15.4).
//!
//! RFC 6455 §4.1 lets a client follow a 3xx answer to its handshake; the WHATWG API forbids it.
//! [`Redirects`] resolves the `Location`, says whether it leaves the origin or TLS, and bounds the number
//! of hops. The caller decides, and makes a new connection with a new request.
//!
//! ```
//! use sansocket::client::redirect::Redirects;
//! use sansocket::{Uri, handshake::Refusal};
//! # use sansocket::client::proxy::{Connect, ConnectOptions, ConnectOutcome};
//! # fn answer(location: &str) -> Box<Refusal> { // a refusal out of thin air
//! #     let mut connect = Connect::new(&Uri::parse("ws://h/").unwrap(), &ConnectOptions::new());
//! #     let mut head = format!("HTTP/1.1 302 x\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n").into_bytes();
//! #     let Some(ConnectOutcome::Refused(refusal)) = connect.receive(&mut &mut head[..]) else { unreachable!() };
//! #     refusal
//! # }
//! let mut redirects = Redirects::new(Uri::parse("wss://example.com/chat/old?room=1")?);
//!
//! let refusal = answer("../new#top"); // from `Event::Refused`
//! let redirect = redirects.next(&refusal)?;
//! assert_eq!(redirect.uri.to_string(), "wss://example.com/new");
//! assert!(redirect.same_origin && !redirect.downgrade);
//! # use sansocket::ClientRequest;
//! # let request = ClientRequest::new(Uri::parse("wss://example.com/chat/old?room=1")?);
//! let request = redirect.request(request.header("Authorization", b"Bearer x")?);
//! assert_eq!(request.headers().count(), 1);
//! # let refusal = answer("https://other.example/");
//!
//! let redirect = redirects.next(&refusal)?; // this time: Location: https://other.example/
//! assert_eq!(redirect.uri.to_string(), "wss://other.example/");
//! assert!(!redirect.same_origin);
//! let request = redirect.request(request);
//! assert_eq!((request.uri().host(), request.headers().count()), ("other.example", 0));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use alloc::borrow::Cow;
use alloc::string::ToString;
use alloc::vec::Vec;
use core::fmt;

use percent_encoding::{AsciiSet, percent_encode};
use url::Url;

use crate::error::identified;
use crate::handshake::uri::{Uri, part_of};
use crate::handshake::{ClientRequest, Refusal, UriError};

/// The URIs that one attempt was redirected to, and how many more it may be.
///
/// ```
/// use sansocket::{Uri, client::redirect::Redirects};
/// let redirects = Redirects::new(Uri::parse("ws://example.com/")?).limit(3);
/// assert_eq!(redirects.uri().host(), "example.com");
/// # Ok::<(), sansocket::handshake::UriError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Redirects {
    /// The URIs before, in order.
    trail: Vec<Uri>,
    here: Uri,
    limit: u8,
    /// Whether every hop stayed on the first origin.
    same_origin: bool,
}

/// Where a redirection leads.
///
/// ```
/// # use sansocket::Uri;
/// # use sansocket::client::{proxy::{Connect, ConnectOptions, ConnectOutcome}, redirect::Redirects};
/// # let mut connect = Connect::new(&Uri::parse("ws://h/")?, &ConnectOptions::new());
/// # let mut head = *b"HTTP/1.1 308 x\r\nLocation: //b.example/x\r\nContent-Length: 0\r\n\r\n";
/// # let Some(ConnectOutcome::Refused(refusal)) = connect.receive(&mut &mut head[..]) else { unreachable!() };
/// let mut redirects = Redirects::new(Uri::parse("wss://a.example/")?);
/// let redirect = redirects.next(&refusal)?;
/// assert_eq!(redirect.uri.host(), "b.example");
/// let mine = [("Authorization", "Bearer x"), ("User-Agent", "y")];
/// let along: Vec<_> = mine.iter().filter(|(name, _)| redirect.carries(name)).collect();
/// assert_eq!(along, [&("User-Agent", "y")]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Redirect {
    /// The new URI: ws or wss, without a fragment.
    pub uri: Uri,
    /// Every hop so far has had the scheme, host and port that the attempt began with: credentials
    /// that were once left out are not sent again on the way back.
    pub same_origin: bool,
    /// From wss to ws: what follows can be read and changed on the way. Better refused.
    pub downgrade: bool,
    /// The old URI is not to be used again (301, 308).
    pub permanent: bool,
}

impl Redirect {
    /// Whether a header field that the application gave for the first request may go along
    /// (RFC 9110 §15.4). The handshake's own fields are made anew in any case.
    ///
    /// To the same origin, all but those for a proxy. Elsewhere, only fields that are known to hold no
    /// secret, as many services put theirs into fields of their own, and into subprotocols.
    #[must_use]
    pub fn carries(&self, name: &str) -> bool {
        let among = |names: &[&str]| names.iter().any(|known| known.eq_ignore_ascii_case(name));
        if self.same_origin {
            !among(&PROXY_FIELDS)
        } else {
            among(&HARMLESS_FIELDS)
        }
    }

    /// The request to make next: the one that was redirected, with the new URI and without the
    /// fields that may not go along (see [`carries`](Self::carries)). To another origin it has no
    /// subprotocols either, as some are tokens: offer those again that are not. And its own origin becomes `null`,
    /// as browsers do (RFC 6454 §7.3).
    #[must_use]
    pub fn request(&self, request: ClientRequest) -> ClientRequest {
        let request = request
            .with_uri(self.uri.clone())
            .retain_headers(|name| self.carries(name));
        if self.same_origin {
            request
        } else {
            request.without_subprotocols().with_opaque_origin()
        }
    }
}

const PROXY_FIELDS: [&str; 2] = ["Proxy-Authorization", "Proxy-Connection"];

const HARMLESS_FIELDS: [&str; 6] = [
    "Accept",
    "Accept-Encoding",
    "Accept-Language",
    "Cache-Control",
    "Pragma",
    "User-Agent",
];

impl Redirects {
    /// Starts at the URI of the first attempt. At most 10 hops, unless [`limit`](Self::limit) says otherwise.
    #[must_use]
    pub const fn new(uri: Uri) -> Self {
        Self {
            trail: Vec::new(),
            here: uri,
            limit: 10,
            same_origin: true,
        }
    }

    /// Allows this many hops.
    #[must_use]
    pub fn limit(mut self, hops: u8) -> Self {
        self.limit = hops;
        self
    }

    /// The URI of the attempt that is under way.
    #[must_use]
    pub fn uri(&self) -> &Uri {
        &self.here
    }

    /// Where the answer to the attempt at [`uri`](Self::uri) leads. It counts as a hop; an error
    /// changes nothing.
    ///
    /// # Errors
    /// [`NoRedirect`]: the answer is no redirection, or not one that can be followed.
    pub fn next(&mut self, refusal: &Refusal) -> Result<Redirect, NoRedirect> {
        // RFC 9110 §15.4: 304 has no new place, 305 and 306 are not in use any more.
        if !matches!(refusal.status, 300..=303 | 307 | 308) {
            return Err(NoRedirect::Status(refusal.status));
        }
        let mut locations = refusal
            .fields
            .iter()
            .filter(|(name, _)| name.eq_ignore_ascii_case("Location"));
        let (Some((_, location)), None) = (locations.next(), locations.next()) else {
            return Err(NoRedirect::Location);
        };
        let uri = resolve(&self.here, location).map_err(NoRedirect::Uri)?;
        if self.trail.len() >= usize::from(self.limit) {
            return Err(NoRedirect::TooMany(self.limit));
        }
        // RFC 9110 §15.4: cyclical redirections are to be detected. Coming back once is none: a login sends
        // away, sets a cookie, and sends back.
        let places = self.trail.iter().chain([&self.here]);
        if places.filter(|place| **place == uri).count() > 1 {
            return Err(NoRedirect::Loop);
        }
        let redirect = Redirect {
            same_origin: self.same_origin && same_origin(&self.here, &uri),
            downgrade: self.here.secure() && !uri.secure(),
            permanent: matches!(refusal.status, 301 | 308),
            uri,
        };
        self.same_origin = redirect.same_origin;
        let left = core::mem::replace(&mut self.here, redirect.uri.clone());
        self.trail.push(left);
        Ok(redirect)
    }
}

/// RFC 6454 §5.
fn same_origin(one: &Uri, other: &Uri) -> bool {
    one.secure() == other.secure() && one.port() == other.port() && one.host() == other.host()
}

/// The reference resolved against the URI of the request, as browsers do (URL Standard): `Location` often
/// has blanks and other characters that no URI has (RFC 9110 §10.2.2, note). http stands for ws. A
/// fragment is dropped: no ws URI has one (RFC 6455 §3).
fn resolve(base: &Uri, location: &[u8]) -> Result<Uri, UriError> {
    let base = Url::parse(&base.to_string()).map_err(part_of)?;
    let mut target = base.join(&text_of(location)).map_err(part_of)?;
    target.set_fragment(None);
    Uri::of_url(&target)
}

/// UTF-8, or ASCII with other bytes percent-encoded.
fn text_of(location: &[u8]) -> Cow<'_, str> {
    match core::str::from_utf8(location) {
        Ok(text) => text.into(),
        Err(_) => percent_encode(location, &AsciiSet::EMPTY).into(),
    }
}

/// Why an answer cannot be followed.
///
/// ```
/// use sansocket::client::redirect::NoRedirect;
/// assert_eq!(NoRedirect::TooMany(10).to_string(), "more than 10 redirections (RFC 9110 §15.4)");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum NoRedirect {
    /// The status asks for no redirection.
    Status(u16),
    /// There is no `Location`, or more than one.
    Location,
    /// It leads to something that is no ws, wss, http or https URL, or has user information.
    Uri(UriError),
    /// It leads where we have been twice.
    Loop,
    /// More hops than allowed: this many.
    TooMany(u8),
}

identified! { NoRedirect:
    Self::Status(_) = 1101, "no_redirection";
    Self::Location = 1102, "redirection_location";
    Self::Uri(_) = 1103, "redirection_uri";
    Self::Loop = 1104, "redirection_loop";
    Self::TooMany(_) = 1105, "too_many_redirections";
}

impl fmt::Display for NoRedirect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Status(status) => {
                write!(f, "the status {status} is no redirection (RFC 9110 §15.4)")
            }
            Self::Location => f.write_str("a redirection needs one Location (RFC 9110 §10.2.2)"),
            Self::Uri(error) => write!(f, "the redirection cannot be followed: {error}"),
            Self::Loop => f.write_str("the redirections go round in circles (RFC 9110 §15.4)"),
            Self::TooMany(limit) => write!(f, "more than {limit} redirections (RFC 9110 §15.4)"),
        }
    }
}

impl core::error::Error for NoRedirect {}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use alloc::format;
    use alloc::string::String;
    use alloc::string::ToString;
    use alloc::vec;
    use alloc::vec::Vec;

    use proptest::prelude::*;

    use crate::handshake::uri::Uri;
    use crate::handshake::{ClientRequest, Refusal, UriPart};

    use super::{NoRedirect, Redirect, Redirects};

    fn answer(status: u16, locations: &[&[u8]]) -> Refusal {
        let fields = locations
            .iter()
            .map(|&value| ("location".into(), value.to_vec()));
        Refusal {
            status,
            version: None,
            reason: String::new(),
            fields: fields.collect(),
            body: vec![],
            truncated: false,
            reusable: true,
        }
    }

    fn from(uri: &str) -> Redirects {
        Redirects::new(Uri::parse(uri).unwrap())
    }

    fn next(redirects: &mut Redirects, location: &str) -> Result<Redirect, NoRedirect> {
        redirects.next(&answer(302, &[location.as_bytes()]))
    }

    fn one(base: &str, location: &str) -> Redirect {
        next(&mut from(base), location).unwrap()
    }

    /// RFC 9110 §10.2.2, RFC 3986 §5.4: references of every kind, resolved; http stands for ws; no
    /// fragment is left.
    #[test]
    fn references_are_resolved() {
        let base = "wss://a.example:444/b/c/d?q=1";
        for (location, target) in [
            ("x", "wss://a.example:444/b/c/x"),
            ("./x", "wss://a.example:444/b/c/x"),
            ("x/", "wss://a.example:444/b/c/x/"),
            ("/x", "wss://a.example:444/x"),
            ("//b.example", "wss://b.example/"),
            ("//b.example:80/x", "wss://b.example:80/x"),
            ("?y=2", "wss://a.example:444/b/c/d?y=2"),
            ("x?y", "wss://a.example:444/b/c/x?y"),
            ("x#f", "wss://a.example:444/b/c/x"),
            ("x?y#f?g", "wss://a.example:444/b/c/x?y"),
            ("..", "wss://a.example:444/b/"),
            ("../x", "wss://a.example:444/b/x"),
            ("../../../x", "wss://a.example:444/x"),
            ("x/../y", "wss://a.example:444/b/c/y"),
            ("wss://h", "wss://h/"),
            ("WSS://H:443/x", "wss://h/x"),
            ("https://h/x", "wss://h/x"),
            ("https://h:8443/x", "wss://h:8443/x"),
            ("ws://h/x", "ws://h/x"),
            ("HTTP://h/x#f", "ws://h/x"),
            ("https://[2001:db8::1]:444/", "wss://[2001:db8::1]:444/"),
            ("https://h/%C3%A9", "wss://h/%C3%A9"),
            // As it is in the wild (RFC 9110 §10.2.2, note).
            ("/new path", "wss://a.example:444/new%20path"),
            ("/caf\u{e9}", "wss://a.example:444/caf%C3%A9"),
            ("/x?q[a]=1", "wss://a.example:444/x?q[a]=1"),
            ("/x|y?{z}", "wss://a.example:444/x|y?{z}"),
            ("/%zz", "wss://a.example:444/%zz"),
            ("https:x", "wss://x/"),
            ("https:///x", "wss://x/"),
            ("\\\\h\\x", "wss://h/x"),
            (
                "https://b\u{fc}cher.example",
                "wss://xn--bcher-kva.example/",
            ),
        ] {
            assert_eq!(one(base, location).uri.to_string(), target, "{location}");
        }
    }

    /// RFC 9110 §15.4: which statuses, and one Location; RFC 6455 §3 says what a target may be.
    #[test]
    fn what_cannot_be_followed() {
        let mut redirects = from("ws://h/");
        for status in 100..=599 {
            let advice = redirects.clone().next(&answer(status, &[b"/x"]));
            match status {
                300..=303 | 307 | 308 => {
                    assert_eq!(advice.unwrap().permanent, matches!(status, 301 | 308));
                }
                _ => assert_eq!(advice, Err(NoRedirect::Status(status))),
            }
        }
        for locations in [&[][..], &[&b"/x"[..], b"/x"]] {
            assert_eq!(
                redirects.next(&answer(302, locations)),
                Err(NoRedirect::Location)
            );
        }
        for (location, part) in [
            ("ftp://h/", UriPart::Scheme),
            ("javascript:alert(1)", UriPart::Scheme),
            ("data:,x", UriPart::Scheme),
            ("https://u:p@h/", UriPart::UserInfo),
            ("http://[::1/", UriPart::Host),
            ("https://a b/", UriPart::Host),
            ("https://h:70000/", UriPart::Port),
        ] {
            let NoRedirect::Uri(error) = next(&mut redirects, location).unwrap_err() else {
                unreachable!("{location}");
            };
            assert_eq!(error.part(), part, "{location}");
        }
        // Nothing of this counted as a hop.
        assert!(redirects.trail.is_empty() && redirects.uri().to_string() == "ws://h/");
    }

    /// RFC 9110 §15.4: a bound on hops, and no circles.
    #[test]
    fn hops_are_bounded_and_loops_found() {
        let mut redirects = from("ws://h/0");
        for hop in 1..=10 {
            let redirect = next(&mut redirects, &format!("/{hop}")).unwrap();
            assert_eq!(redirects.uri(), &redirect.uri);
        }
        assert_eq!(next(&mut redirects, "/11"), Err(NoRedirect::TooMany(10)));
        let mut none = from("ws://h/0").limit(0);
        assert_eq!(next(&mut none, "/1"), Err(NoRedirect::TooMany(0)));

        // There and back: a login that sets a cookie, in two steps or in one.
        let mut redirects = from("wss://h/0");
        next(&mut redirects, "https://login.example/").unwrap();
        next(&mut redirects, "https://h/0").unwrap();
        for circle in ["/0", "", "#f", "https://H:443/0"] {
            let circle = next(&mut redirects, circle);
            assert_eq!(circle, Err(NoRedirect::Loop));
        }
        next(&mut redirects, "https://login.example/").unwrap();
        next(&mut redirects, "/2").unwrap();
        let mut redirects = from("wss://h/0");
        next(&mut redirects, "/0").unwrap();
        assert_eq!(next(&mut redirects, "/0"), Err(NoRedirect::Loop));
    }

    /// Bytes that are no UTF-8 are sent as they came.
    #[test]
    fn a_location_in_another_encoding() {
        let redirect = from("ws://h/").next(&answer(302, &[b"/caf\xe9?\xff"]));
        assert_eq!(redirect.unwrap().uri.to_string(), "ws://h/caf%E9?%FF");
    }

    /// Twice the dot segments, twice the work: with a square this would not end.
    #[test]
    fn long_locations_are_linear() {
        let location = format!("/{}{}", "a/".repeat(1_000_000), "../".repeat(900_000));
        let redirect = one("ws://h/", &location);
        assert_eq!(redirect.uri.resource_name().len(), 200_001);
    }

    /// RFC 6454 §5: scheme, host and port; and TLS given up is told.
    #[test]
    fn origins_and_downgrades() {
        for (base, location, same_origin, downgrade) in [
            ("wss://h/", "/x", true, false),
            ("wss://h/", "https://H:443/x", true, false),
            ("wss://h/", "https://h:444/", false, false),
            ("wss://h/", "https://www.h/", false, false),
            ("wss://h/", "http://h/", false, true),
            ("wss://h:80/", "ws://h:80/", false, true),
            ("ws://h/", "https://h/", false, false),
            ("ws://h/", "http://h:80/x", true, false),
        ] {
            let redirect = one(base, location);
            assert_eq!(redirect.same_origin, same_origin, "{base} {location}");
            assert_eq!(redirect.downgrade, downgrade, "{base} {location}");
        }
    }

    /// RFC 9110 §15.4: credentials never across origins, never from wss to ws.
    #[test]
    fn which_fields_go_along() {
        let secrets = [
            "Authorization",
            "Cookie",
            "cookie",
            "Origin",
            "X-Api-Key",
            "Proxy-Authorization",
        ];
        let harmless = ["User-Agent", "accept-language"];
        let home = one("wss://h/", "/x");
        assert!(
            secrets[..5]
                .iter()
                .chain(&harmless)
                .all(|name| home.carries(name))
        );
        assert!(!home.carries("proxy-authorization"));
        for location in ["https://other/", "http://h/", "https://h:444/"] {
            let away = one("wss://h/", location);
            assert!(!secrets.iter().any(|name| away.carries(name)), "{location}");
            assert!(harmless.iter().all(|name| away.carries(name)));
        }
        // Away and onwards, or back home: what was left behind does not come back.
        let mut redirects = from("wss://h/");
        assert!(!next(&mut redirects, "https://other/").unwrap().same_origin);
        assert!(!next(&mut redirects, "/onwards").unwrap().carries("Cookie"));
        assert!(
            !next(&mut redirects, "https://h/back")
                .unwrap()
                .carries("Cookie")
        );
    }

    /// RFC 9110 §15.4, RFC 6454 §7.3: what the next request says.
    #[test]
    fn the_next_request() {
        let first = ClientRequest::new(Uri::parse("wss://h/").unwrap())
            .origin("https://page.example")
            .unwrap()
            .subprotocol("chat")
            .unwrap()
            .header("Authorization", b"secret")
            .unwrap()
            .header("User-Agent", b"x")
            .unwrap();
        let written = |location| {
            let mut out = vec![];
            let request = one("wss://h/", location).request(first.clone());
            request.write(&[0; 16], None, &mut out);
            String::from_utf8(out).unwrap()
        };
        let home = written("/new");
        assert!(home.starts_with("GET /new HTTP/1.1\r\nHost: h\r\n"));
        let away = written("https://other/new");
        assert!(away.starts_with("GET /new HTTP/1.1\r\nHost: other\r\n"));
        for (line, at_home, elsewhere) in [
            ("Authorization: secret", true, false),
            ("Origin: https://page.example", true, false),
            ("Origin: null", false, true),
            ("User-Agent: x", true, true),
            ("Sec-WebSocket-Protocol: chat", true, false),
        ] {
            assert_eq!(home.contains(line), at_home, "{line}");
            assert_eq!(away.contains(line), elsewhere, "{line}");
        }
        // No origin is made up where there was none.
        let bare = ClientRequest::new(Uri::parse("wss://h/").unwrap());
        let mut out = vec![];
        let request = one("wss://h/", "https://other/").request(bare);
        request.write(&[0; 16], None, &mut out);
        assert!(!String::from_utf8(out).unwrap().contains("Origin"));
    }

    proptest! {
        /// Peer bytes never panic, and whatever comes out is a ws URI that stands for itself.
        #[test]
        fn any_location(location in prop_oneof![
            "(https?:|wss?:)?(//)?[a-c.:@\\[\\]/?#%0-9 \u{e9}]{0,16}".prop_map(|text| text.into_bytes()),
            prop::collection::vec(any::<u8>(), 0..20),
        ]) {
            let mut redirects = from("wss://a.example/b/c?d");
            if let Ok(redirect) = redirects.next(&answer(302, &[&location])) {
                let text = redirect.uri.to_string();
                prop_assert_eq!(Uri::parse_url(&text).unwrap(), redirect.uri);
                prop_assert!(text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#'));
            }
        }

        /// Every chain ends, and no URI comes three times.
        #[test]
        fn every_chain_ends(locations in prop::collection::vec("(/[ab]){0,2}|\\.\\.|https://[cd]/", 0..60), limit in 0..20u8) {
            let mut redirects = from("ws://h/").limit(limit);
            let mut seen: Vec<_> = vec![redirects.uri().clone()];
            for location in locations {
                if let Ok(redirect) = next(&mut redirects, &location) {
                    seen.push(redirect.uri.clone());
                    prop_assert!(seen.iter().filter(|uri| **uri == redirect.uri).count() <= 2);
                }
            }
            prop_assert!(seen.len() <= usize::from(limit) + 1);
        }
    }
}
