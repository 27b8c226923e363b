//! What a 401 or 407 asks for: the challenges of `WWW-Authenticate` and `Proxy-Authenticate`
//! (RFC 9110 §11.3, §11.6.1, §11.7.1).

use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use crate::handshake::Refusal;
use crate::token::is_token_byte;

/// One way to authenticate that a server or a proxy offers.
///
/// ```
/// use sansocket::client::challenge::Challenge;
/// let challenges = Challenge::parse(br#"Basic realm="the \"inner\" net", charset="UTF-8", Negotiate"#);
/// assert!(challenges[0].is("basic"));
/// assert_eq!(challenges[0].parameter("Realm"), Some(&br#"the "inner" net"#[..]));
/// assert!(challenges[1].is("Negotiate"));
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Challenge {
    scheme: String,
    token68: Option<String>,
    parameters: Vec<(String, Vec<u8>)>,
}

impl Challenge {
    /// The challenges of a refusal, in the peer's order: from `Proxy-Authenticate` if the status is 407,
    /// from `WWW-Authenticate` otherwise.
    #[must_use]
    pub fn of(refusal: &Refusal) -> Vec<Self> {
        let wanted = match refusal.status {
            407 => "Proxy-Authenticate",
            _ => "WWW-Authenticate",
        };
        let fields = refusal.fields.iter();
        fields
            .filter(|(name, _)| name.eq_ignore_ascii_case(wanted))
            .flat_map(|(_, value)| Self::parse(value))
            .collect()
    }

    /// The challenges in one field value, up to the first that is malformed (RFC 9110 §11.3).
    #[must_use]
    pub fn parse(value: &[u8]) -> Vec<Self> {
        let mut found = Vec::new();
        let mut unread = Unread(value);
        while let Some(challenge) = unread.challenge() {
            found.push(challenge);
        }
        found
    }

    /// The scheme as it was sent, such as `Basic`.
    #[must_use]
    pub fn scheme(&self) -> &str {
        &self.scheme
    }

    /// Whether this is the scheme, without regard to case (RFC 9110 §11.1).
    #[must_use]
    pub fn is(&self, scheme: &str) -> bool {
        self.scheme.eq_ignore_ascii_case(scheme)
    }

    /// The data of a scheme without parameters, such as `Negotiate` (RFC 9110 §11.2).
    #[must_use]
    pub fn token68(&self) -> Option<&str> {
        self.token68.as_deref()
    }

    /// The value of this parameter, without quotes and backslashes. Names have no case.
    #[must_use]
    pub fn parameter(&self, name: &str) -> Option<&[u8]> {
        let mut parameters = self.parameters();
        parameters
            .find(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    }

    /// All parameters in order.
    pub fn parameters(&self) -> impl Iterator<Item = (&str, &[u8])> {
        let parameters = self.parameters.iter();
        parameters.map(|(name, value)| (&**name, &**value))
    }
}

/// The scheme and the names of the parameters, not the values.
impl fmt::Debug for Challenge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.parameters().map(|(name, _)| name).collect();
        f.debug_struct("Challenge")
            .field("scheme", &self.scheme)
            .field("token68", &self.token68.as_ref().map(String::len))
            .field("parameters", &names)
            .finish()
    }
}

/// The rest of the value. Each step takes what it reads, so all steps together are linear.
#[derive(Clone, Copy)]
struct Unread<'v>(&'v [u8]);

impl<'v> Unread<'v> {
    /// `auth-scheme [ 1*SP ( token68 / #auth-param ) ]` and the commas around it. `None` at the end, and
    /// at the first violation of the grammar.
    fn challenge(&mut self) -> Option<Challenge> {
        self.commas();
        let scheme = self.token()?;
        let mut challenge = Challenge {
            scheme,
            token68: None,
            parameters: Vec::new(),
        };
        if self.spaces() && !self.at_comma_or_end() {
            challenge.token68 = self.token68();
            while challenge.token68.is_none() {
                challenge.parameters.push(self.parameter()?);
                // After a comma comes another parameter, or the next challenge.
                let mut ahead = *self;
                ahead.commas();
                if ahead.parameter().is_none() {
                    break;
                }
                self.commas();
            }
        }
        self.at_comma_or_end().then_some(challenge)
    }

    /// `token BWS "=" BWS ( token / quoted-string )`.
    fn parameter(&mut self) -> Option<(String, Vec<u8>)> {
        let name = self.token()?;
        self.spaces();
        self.0 = self.0.strip_prefix(b"=")?;
        self.spaces();
        let value = match self.0.strip_prefix(b"\"") {
            Some(quoted) => {
                self.0 = quoted;
                self.quoted()?
            }
            None => self.token()?.into_bytes(),
        };
        self.spaces();
        self.at_comma_or_end().then_some((name, value))
    }

    /// The rest of a quoted string, after the opening quote (RFC 9110 §5.6.4).
    fn quoted(&mut self) -> Option<Vec<u8>> {
        let mut value = Vec::new();
        loop {
            let (&byte, rest) = self.0.split_first()?;
            self.0 = rest;
            match byte {
                b'"' => return Some(value),
                b'\\' => {
                    let (&byte, rest) = rest.split_first()?;
                    self.0 = rest;
                    value.push(byte);
                }
                byte => value.push(byte),
            }
        }
    }

    /// RFC 9110 §11.2. Nothing may follow it: `a=b` is a parameter.
    fn token68(&mut self) -> Option<String> {
        let is_68 = |&byte: &u8| byte.is_ascii_alphanumeric() || b"-._~+/".contains(&byte);
        let mut ahead = *self;
        let letters = ahead.take(is_68)?;
        let pads = ahead.take(|&byte| byte == b'=').unwrap_or_default();
        ahead.spaces();
        if !ahead.at_comma_or_end() {
            return None;
        }
        *self = ahead;
        let text = [letters, pads].concat();
        String::from_utf8(text).ok()
    }

    fn token(&mut self) -> Option<String> {
        let token = self.take(|&byte| is_token_byte(byte))?;
        core::str::from_utf8(token).ok().map(ToOwned::to_owned)
    }

    /// At least one byte of this kind.
    fn take(&mut self, kind: impl Fn(&u8) -> bool) -> Option<&'v [u8]> {
        let len = self.0.iter().take_while(|byte| kind(byte)).count();
        let (taken, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        (len > 0).then_some(taken)
    }

    fn spaces(&mut self) -> bool {
        self.take(|&byte| byte == b' ' || byte == b'\t').is_some()
    }

    /// RFC 9110 §5.6.1.2: empty elements are skipped.
    fn commas(&mut self) {
        self.take(|&byte| matches!(byte, b' ' | b'\t' | b','));
    }

    fn at_comma_or_end(&self) -> bool {
        matches!(self.0, [] | [b',', ..])
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use alloc::format;
    use alloc::string::String;
    use alloc::vec::Vec;

    use proptest::prelude::*;

    use crate::handshake::Refusal;

    use super::Challenge;

    /// `Scheme token68; name=value …`, one text for each challenge.
    fn read(value: &str) -> Vec<String> {
        let show = |challenge: &Challenge| {
            let mut text = String::from(challenge.scheme());
            if let Some(token68) = challenge.token68() {
                text += &format!(" {token68}");
            }
            for (name, value) in challenge.parameters() {
                text += &format!("; {name}={}", core::str::from_utf8(value).unwrap());
            }
            text
        };
        Challenge::parse(value.as_bytes())
            .iter()
            .map(show)
            .collect()
    }

    /// RFC 9110 §11.3, §11.6.1.
    #[test]
    fn challenges() {
        for (value, expected) in [
            ("Basic", &["Basic"][..]),
            ("Basic realm=\"squid\"", &["Basic; realm=squid"]),
            (
                "Basic realm=\"simple\", Newauth realm=\"apps\", type=1, title=\"Login to \\\"apps\\\"\"",
                &[
                    "Basic; realm=simple",
                    "Newauth; realm=apps; type=1; title=Login to \"apps\"",
                ],
            ),
            ("Negotiate YWJj==", &["Negotiate YWJj=="]),
            ("Negotiate, NTLM", &["Negotiate", "NTLM"]),
            (
                "Negotiate YWJj , Basic realm=x",
                &["Negotiate YWJj", "Basic; realm=x"],
            ),
            (
                "Digest realm = \"a, b\" , qop=\"auth,auth-int\",, nonce=7,",
                &["Digest; realm=a, b; qop=auth,auth-int; nonce=7"],
            ),
            (", ,Basic ,", &["Basic"]),
            ("X a=b,Y c=d", &["X; a=b", "Y; c=d"]),
            ("X a=", &["X a="]),
            // Up to the first that is malformed.
            ("", &[]),
            ("Basic realm=\"open", &[]),
            ("Basic, X a b", &["Basic"]),
            ("Basic, X a=b c=d", &["Basic"]),
            ("Basic, X a=\"b\"c", &["Basic"]),
            ("Basic, X =b", &["Basic"]),
            ("Basic, (", &["Basic"]),
            ("Basic/realm", &[]),
        ] {
            assert_eq!(read(value), expected, "{value}");
        }
    }

    /// RFC 9110 §11.6.1, §11.7.1: the server's challenges from one field, a proxy's from the other, each
    /// in whatever case, in one field or several.
    #[test]
    fn of_a_server_and_of_a_proxy() {
        let fields = [
            ("www-authenticate", &b"Basic realm=a"[..]),
            ("Proxy-Authenticate", b"Negotiate"),
            ("WWW-Authenticate", b"NTLM, Digest realm=b"),
        ];
        let schemes = |status| -> Vec<String> {
            let refusal = Refusal::new(status, fields.into_iter());
            let challenges = Challenge::of(&refusal);
            challenges.iter().map(|one| one.scheme().into()).collect()
        };
        assert_eq!(schemes(401), ["Basic", "NTLM", "Digest"]);
        assert_eq!(schemes(407), ["Negotiate"]);
    }

    #[test]
    fn names_have_no_case_and_values_stay_out_of_logs() {
        let challenges = Challenge::parse(b"bAsIc ReAlM=\"secret \xe9\", NTLM c2VjcmV0");
        assert!(challenges[0].is("Basic") && !challenges[0].is("Basi"));
        assert_eq!(challenges[0].parameter("realm"), Some(&b"secret \xe9"[..]));
        assert_eq!(challenges[0].parameter("real"), None);
        let printed = format!("{challenges:?}");
        assert!(printed.contains("ReAlM") && !printed.contains("secret"));
        assert!(!printed.contains("c2VjcmV0"));
    }

    /// One pass and a look ahead: each parameter is read twice at most.
    #[test]
    fn long_values_are_linear() {
        let value = format!("Digest {}", "a=b,".repeat(50_000));
        assert_eq!(
            Challenge::parse(value.as_bytes())[0].parameters().count(),
            50_000
        );
        let value = format!("{}x", "a ,".repeat(50_000));
        assert_eq!(Challenge::parse(value.as_bytes()).len(), 50_001);
        assert!(Challenge::parse(" ,".repeat(50_000).as_bytes()).is_empty());
    }

    proptest! {
        /// Peer bytes never panic.
        #[test]
        fn any_value(value in prop::collection::vec(prop_oneof![
            Just(b','), Just(b'='), Just(b' '), Just(b'"'), Just(b'\\'), Just(b'a'), any::<u8>()
        ], 0..60)) {
            let _ = Challenge::parse(&value);
        }
    }
}
