//! URLs as browsers read them (URL Standard), for redirections and for scripts.

use alloc::string::String;

use url::{ParseError, Url};

use super::super::absolute_uri::{UriError, UriPart, default_port};
use super::Uri;

impl Uri {
    /// Reads a URL as browsers do, by the URL Standard: blanks and the like are percent-encoded, names of
    /// hosts become ASCII, and http stands for ws. Characters that a URI cannot have but browsers send as
    /// they are, such as `|` and `[` in a query, are kept, so [`parse`](Self::parse) may refuse what this URI
    /// prints.
    ///
    /// ```
    /// use sansocket::Uri;
    /// let uri = Uri::parse_url("https://B\u{fc}cher.example/new caf\u{e9}?a[]=1|2")?;
    /// assert_eq!(uri.to_string(), "wss://xn--bcher-kva.example/new%20caf%C3%A9?a[]=1|2");
    /// # Ok::<(), sansocket::handshake::UriError>(())
    /// ```
    ///
    /// # Errors
    /// [`UriError`] names the part that is wrong; its place is always 0. User information and
    /// fragments are refused, as in [`parse`](Self::parse).
    pub fn parse_url(text: &str) -> Result<Self, UriError> {
        Self::of_url(&Url::parse(text).map_err(part_of)?)
    }

    pub(crate) fn of_url(url: &Url) -> Result<Self, UriError> {
        let wrong = |part| UriError::new(part, 0);
        let secure = match url.scheme() {
            "ws" | "http" => false,
            "wss" | "https" => true,
            _ => return Err(wrong(UriPart::Scheme)),
        };
        if !url.username().is_empty() || url.password().is_some() {
            return Err(wrong(UriPart::UserInfo));
        }
        if url.fragment().is_some() {
            return Err(wrong(UriPart::Fragment));
        }
        let host = url.host_str().filter(|host| !host.is_empty());
        let host = host.ok_or(wrong(UriPart::Host))?;
        let mut text = String::from(host);
        text.push_str(url.path());
        // RFC 6455 §3: "?" and the query only if the query is not empty.
        if let Some(query) = url.query().filter(|query| !query.is_empty()) {
            text.push('?');
            text.push_str(query);
        }
        Ok(Self {
            secure,
            port: url.port().unwrap_or(default_port(secure)),
            host_len: host.len(),
            text,
        })
    }
}

/// What a URL parser calls by other names.
pub(crate) const fn part_of(error: ParseError) -> UriError {
    let part = match error {
        ParseError::InvalidPort => UriPart::Port,
        ParseError::RelativeUrlWithoutBase
        | ParseError::RelativeUrlWithCannotBeABaseBase
        | ParseError::SetHostOnCannotBeABaseUrl => UriPart::Scheme,
        ParseError::Overflow => UriPart::Path,
        _ => UriPart::Host,
    };
    UriError::new(part, 0)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use alloc::string::ToString;

    use super::*;

    /// What browsers make of them; Node's `new URL(x).href` gives the same.
    #[test]
    fn urls_of_browsers() {
        for (url, uri) in [
            ("wss://h/?token=1|abc", "wss://h/?token=1|abc"),
            ("ws://h/a|b?q[x]=1", "ws://h/a|b?q[x]=1"),
            ("ws://h/%zz?x=100%", "ws://h/%zz?x=100%"),
            (
                "ws://h/a^`{b}\"?c^`{d}\"",
                "ws://h/a^%60%7Bb%7D%22?c^`{d}%22",
            ),
            ("ws://h/new path", "ws://h/new%20path"),
            ("ws://h/caf\u{e9}?\u{e9}", "ws://h/caf%C3%A9?%C3%A9"),
            ("ws://h\\a", "ws://h/a"),
            (" ws://h/a/../b\t", "ws://h/b"),
            ("WS://EX%41MPLE:80", "ws://example/"),
            (
                "https://b\u{fc}cher.example:444/",
                "wss://xn--bcher-kva.example:444/",
            ),
            ("ws://1.2.3/", "ws://1.2.0.3/"),
            ("ws://[::0001]/", "ws://[::1]/"),
            ("ws://h/?", "ws://h/"),
        ] {
            assert_eq!(Uri::parse_url(url).unwrap().to_string(), uri, "{url}");
        }
    }

    /// A text of 4 GiB, which no test has.
    #[test]
    fn a_url_that_is_too_long() {
        assert_eq!(part_of(ParseError::Overflow).part(), UriPart::Path);
    }

    /// RFC 6455 §3: what no browser connects to either, or what is not ours to send.
    #[test]
    fn what_is_no_url() {
        for (url, part) in [
            ("/chat", UriPart::Scheme),
            ("ftp://h/", UriPart::Scheme),
            ("mailto:h", UriPart::Scheme),
            ("ws://u:p@h/", UriPart::UserInfo),
            ("ws://:p@h/", UriPart::UserInfo),
            ("ws://h/#", UriPart::Fragment),
            ("ws://", UriPart::Host),
            ("ws://a b/", UriPart::Host),
            ("ws://[::1/", UriPart::Host),
            ("ws://999.1.1.1/", UriPart::Host),
            ("ws://h:99999/", UriPart::Port),
        ] {
            assert_eq!(Uri::parse_url(url).unwrap_err().part(), part, "{url}");
        }
    }
}
