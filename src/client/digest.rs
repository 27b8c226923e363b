//! The answer to a Digest challenge (RFC 7616), of a server or a proxy. Feature `digest`.
//!
//! ```
//! use sansocket::client::{challenge::Challenge, digest::Digest};
//! let challenges = Challenge::parse(br#"Digest realm="net", qop="auth", algorithm=SHA-256, nonce="7yp", opaque="FQh""#);
//! let mut digest = Digest::choose(&challenges, "user", "secret")?;
//! // For a server: GET and the resource name. For a proxy: CONNECT, and host and port.
//! let value = digest.answer("GET", "/chat", &[0; 16]); // 16 random bytes, new for each answer
//! assert!(value.starts_with(r#"Digest username="user", realm="net", uri="/chat", algorithm=SHA-256"#));
//! // request.header("Authorization", value.as_bytes())
//! # Ok::<(), sansocket::client::digest::NoDigest>(())
//! ```

use alloc::format;
use alloc::string::String;
use core::fmt::{self, Write};

use md5::Md5;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use sha2::{Digest as Hash, Sha256};

use crate::error::identified;

use super::challenge::Challenge;

/// Answers one challenge, any number of times: each answer counts its nonce on (RFC 7616 §3.3). A challenge that
/// says [`stale`](Self::is_stale) asks for the same credentials with a new nonce.
#[derive(Clone)]
pub struct Digest {
    algorithm: Algorithm,
    /// The session variant of the algorithm: the client's nonce is part of the secret.
    session: bool,
    /// The server offers `qop=auth`; without it the answer is that of RFC 2069.
    qop: bool,
    user: String,
    password: String,
    realm: String,
    nonce: String,
    opaque: Option<String>,
    user_hash: bool,
    stale: bool,
    count: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Algorithm {
    Md5,
    Sha256,
}

/// Why there is no answer.
///
/// ```
/// use sansocket::client::{challenge::Challenge, digest::{Digest, NoDigest}};
/// let challenges = Challenge::parse(b"Basic realm=x");
/// assert_eq!(Digest::choose(&challenges, "", "").unwrap_err(), NoDigest::NotAsked);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum NoDigest {
    /// There is no Digest challenge.
    NotAsked,
    /// A challenge without a realm or a nonce, or with values that are not text (RFC 7616 §3.3).
    Malformed,
    /// An algorithm that is not MD5, SHA-256 or the session variant of one.
    Algorithm,
    /// Only `auth-int` is offered, which covers the content of messages.
    Quality,
}

identified! { NoDigest:
    Self::NotAsked = 1231, "digest_not_asked";
    Self::Malformed = 1232, "digest_malformed";
    Self::Algorithm = 1233, "digest_algorithm";
    Self::Quality = 1234, "digest_quality";
}

impl fmt::Display for NoDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotAsked => "no Digest challenge (RFC 7616 §3.3)",
            Self::Malformed => "a Digest challenge needs a realm and a nonce (RFC 7616 §3.3)",
            Self::Algorithm => "a Digest algorithm that is not MD5 or SHA-256 (RFC 7616 §6.1)",
            Self::Quality => "a Digest challenge that does not offer qop=auth (RFC 7616 §3.3)",
        })
    }
}

impl core::error::Error for NoDigest {}

impl Digest {
    /// Answers the challenge with the strongest algorithm among these (RFC 7616 §3.7).
    ///
    /// # Errors
    /// [`NoDigest`]: why the first Digest challenge cannot be answered, if none can.
    pub fn choose(challenges: &[Challenge], user: &str, password: &str) -> Result<Self, NoDigest> {
        let mut refused = NoDigest::NotAsked;
        let mut best: Option<Self> = None;
        for challenge in challenges.iter().filter(|challenge| challenge.is("Digest")) {
            match Self::new(challenge, user, password) {
                Ok(digest)
                    if best
                        .as_ref()
                        .is_none_or(|best| best.algorithm < digest.algorithm) =>
                {
                    best = Some(digest);
                }
                Ok(_) => {}
                Err(error) if refused == NoDigest::NotAsked => refused = error,
                Err(_) => {}
            }
        }
        best.ok_or(refused)
    }

    fn new(challenge: &Challenge, user: &str, password: &str) -> Result<Self, NoDigest> {
        let text = |name| {
            let value = challenge.parameter(name).map(core::str::from_utf8);
            value.transpose().map_err(|_| NoDigest::Malformed)
        };
        let is = |name, wanted: &str| {
            Ok(text(name)?.is_some_and(|text| text.eq_ignore_ascii_case(wanted)))
        };
        let algorithm = text("algorithm")?.unwrap_or("MD5");
        let (name, session) = match algorithm.len().checked_sub("-sess".len()) {
            Some(at)
                if algorithm
                    .get(at..)
                    .is_some_and(|end| end.eq_ignore_ascii_case("-sess")) =>
            {
                (algorithm.get(..at).unwrap_or_default(), true)
            }
            _ => (algorithm, false),
        };
        let known = [Algorithm::Md5, Algorithm::Sha256].into_iter();
        let mut known = known.filter(|known| name.eq_ignore_ascii_case(known.name()));
        let mut qualities = text("qop")?.map(|list| list.split(','));
        let qop = match &mut qualities {
            Some(offered) => offered.any(|one| one.trim().eq_ignore_ascii_case("auth")),
            None => false,
        };
        if qualities.is_some() && !qop {
            return Err(NoDigest::Quality);
        }
        Ok(Self {
            algorithm: known.next().ok_or(NoDigest::Algorithm)?,
            session,
            qop,
            user: user.into(),
            password: password.into(),
            realm: text("realm")?.ok_or(NoDigest::Malformed)?.into(),
            nonce: text("nonce")?.ok_or(NoDigest::Malformed)?.into(),
            opaque: text("opaque")?.map(Into::into),
            user_hash: is("userhash", "true")?,
            stale: is("stale", "true")?,
            count: 0,
        })
    }

    /// The credentials were right and the nonce too old: answer this challenge without asking the user again
    /// (RFC 7616 §3.3).
    #[must_use]
    pub fn is_stale(&self) -> bool {
        self.stale
    }

    /// The value of `Authorization` or `Proxy-Authorization` for a request with this method and target
    /// (RFC 7616 §3.4): `GET` and the [resource name](crate::Uri::resource_name), or `CONNECT` and
    /// [host and port](crate::Uri::host_and_port). `random` is drawn anew for each.
    #[must_use]
    pub fn answer(&mut self, method: &str, target: &str, random: &[u8; 16]) -> String {
        self.answer_with(method, target, &hex(random))
    }

    fn answer_with(&mut self, method: &str, target: &str, client_nonce: &str) -> String {
        self.count = self.count.saturating_add(1);
        let (nonce, count) = (&*self.nonce, format!("{:08x}", self.count));
        let hash = |parts: &[&str]| self.algorithm.hash(parts);
        let mut secret = hash(&[&self.user, &self.realm, &self.password]);
        if self.session {
            secret = hash(&[&secret, nonce, client_nonce]);
        }
        let request = hash(&[method, target]);
        let response = if self.qop {
            hash(&[&secret, nonce, &count, client_nonce, "auth", &request])
        } else {
            hash(&[&secret, nonce, &request])
        };
        let mut value = String::from("Digest ");
        self.write_user(&mut value);
        write_quoted(&mut value, ", realm", &self.realm);
        write_quoted(&mut value, ", uri", target);
        let session = if self.session { "-sess" } else { "" };
        value += &format!(", algorithm={}{session}", self.algorithm.name());
        write_quoted(&mut value, ", nonce", nonce);
        if self.qop {
            value += &format!(", nc={count}, qop=auth");
        }
        if self.qop || self.session {
            write_quoted(&mut value, ", cnonce", client_nonce);
        }
        write_quoted(&mut value, ", response", &response);
        if let Some(opaque) = &self.opaque {
            write_quoted(&mut value, ", opaque", opaque);
        }
        value
    }

    /// The name, hashed if the server asks for that, and encoded if it is not ASCII (RFC 7616 §3.4.4, §4).
    fn write_user(&self, out: &mut String) {
        if self.user_hash {
            let hashed = self.algorithm.hash(&[&self.user, &self.realm]);
            write_quoted(out, "username", &hashed);
            out.push_str(", userhash=true");
        } else if self.user.bytes().all(|byte| (b' '..0x7f).contains(&byte)) {
            write_quoted(out, "username", &self.user);
        } else {
            let encoded = utf8_percent_encode(&self.user, NON_ALPHANUMERIC);
            out.push_str(&format!("username*=UTF-8''{encoded}"));
        }
    }
}

/// How many answers there were at one place.
#[derive(Clone, Copy, Default)]
pub(super) struct Rounds(u8);

impl Rounds {
    /// Whether another answer may help. RFC 7616 §3.3: the credentials were right, the nonce was old. Twice it is not.
    pub(super) fn may_help(&mut self, answer: &Digest) -> bool {
        let before = self.0;
        self.0 = before.saturating_add(1);
        match before {
            0 => true,
            1 => answer.is_stale(),
            _ => false,
        }
    }
}

/// The algorithm and the count, nothing of the credentials.
impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Digest")
            .field("algorithm", &self.algorithm)
            .field("session", &self.session)
            .field("count", &self.count)
            .finish_non_exhaustive()
    }
}

impl Algorithm {
    const fn name(self) -> &'static str {
        match self {
            Self::Md5 => "MD5",
            Self::Sha256 => "SHA-256",
        }
    }

    /// The parts with colons between them, hashed.
    fn hash(self, parts: &[&str]) -> String {
        match self {
            Self::Md5 => hash_with::<Md5>(parts),
            Self::Sha256 => hash_with::<Sha256>(parts),
        }
    }
}

fn hash_with<H: Hash>(parts: &[&str]) -> String {
    let mut hash = H::new();
    for (at, part) in parts.iter().enumerate() {
        if at > 0 {
            hash.update(b":");
        }
        hash.update(part.as_bytes());
    }
    hex(&hash.finalize())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // A string takes all that is written to it.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// `name="value"` (RFC 9110 §5.6.4), without characters that no field may have.
fn write_quoted(out: &mut String, name: &str, value: &str) {
    out.push_str(name);
    out.push_str("=\"");
    for character in value.chars().filter(|character| !character.is_control()) {
        if matches!(character, '"' | '\\') {
            out.push('\\');
        }
        out.push(character);
    }
    out.push('"');
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use alloc::format;
    use alloc::string::{String, ToString};

    use proptest::prelude::*;

    use crate::client::challenge::Challenge;

    use super::{Digest, NoDigest};

    fn digest(challenge: &str) -> Result<Digest, NoDigest> {
        let challenges = Challenge::parse(challenge.as_bytes());
        Digest::choose(&challenges, "Mufasa", "Circle of Life")
    }

    fn parameter(value: &str, name: &str) -> Option<String> {
        let challenge = Challenge::parse(value.as_bytes()).remove(0);
        let value = challenge.parameter(name)?;
        Some(core::str::from_utf8(value).unwrap().into())
    }

    /// RFC 7616 §3.9.1, with both algorithms.
    #[test]
    fn the_sample() {
        const SAMPLE: &str = r#"Digest realm="http-auth@example.org", qop="auth, auth-int",
            nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v",
            opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS", algorithm="#;
        let sample = SAMPLE.replace('\n', "");
        let client_nonce = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ";
        for (algorithm, response) in [
            ("MD5", "8ca523f5e9506fed4657c9700eebdbec"),
            (
                "SHA-256",
                "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1",
            ),
        ] {
            let mut digest = digest(&format!("{sample}{algorithm}")).unwrap();
            let value = digest.answer_with("GET", "/dir/index.html", client_nonce);
            assert_eq!(
                value,
                format!(
                    "Digest username=\"Mufasa\", realm=\"http-auth@example.org\", uri=\"/dir/index.html\", \
                     algorithm={algorithm}, nonce=\"7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v\", nc=00000001, \
                     qop=auth, cnonce=\"{client_nonce}\", response=\"{response}\", \
                     opaque=\"FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS\""
                )
            );
            // The count goes on, and with it the response.
            let again = digest.answer("GET", "/dir/index.html", &[7; 16]);
            assert_eq!(parameter(&again, "nc").unwrap(), "00000002");
            assert_eq!(parameter(&again, "cnonce").unwrap(), "07".repeat(16));
            assert_ne!(parameter(&again, "response").unwrap(), response);
        }
    }

    /// The sample of RFC 2069 §2.4, with its erratum.
    #[test]
    fn without_a_quality() {
        let challenge =
            r#"Digest realm="testrealm@host.com", nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093""#;
        let challenges = Challenge::parse(challenge.as_bytes());
        let mut digest = Digest::choose(&challenges, "Mufasa", "CircleOfLife").unwrap();
        let value = digest.answer_with("GET", "/dir/index.html", "x");
        let response = parameter(&value, "response").unwrap();
        assert_eq!(response, "1949323746fe6a43ef61f9606e7febea");
        assert!(!value.contains("qop") && !value.contains("cnonce") && !value.contains("nc="));
    }

    /// RFC 7616 §3.4.2: the session's secret has both nonces in it.
    #[test]
    fn sessions() {
        let of = |algorithm: &str| {
            let challenge = format!("Digest realm=r, nonce=n, qop=auth, algorithm={algorithm}");
            let value = digest(&challenge).unwrap().answer_with("GET", "/", "c");
            (
                parameter(&value, "algorithm").unwrap(),
                parameter(&value, "response").unwrap(),
            )
        };
        let md5 = ("MD5-sess".into(), "8277a2c8b15cdd087d06bc9356aa502a".into());
        assert_eq!(of("md5-SESS"), md5);
        let sha256 = "a7b0c2e9f9318d30f07fe40d45f3bf6a9b6a5b5c620cb077e2bab0762cee848b";
        assert_eq!(of("SHA-256-sess"), ("SHA-256-sess".into(), sha256.into()));
    }

    /// RFC 7616 §3.7: the strongest that is known; and what cannot be answered.
    #[test]
    fn which_challenge() {
        let both = "Digest realm=r, nonce=a, algorithm=MD5, Basic realm=r, Digest realm=r, nonce=b, algorithm=SHA-256, Digest realm=r, nonce=c";
        let value = digest(both).unwrap().answer("GET", "/", &[0; 16]);
        assert_eq!(parameter(&value, "nonce").unwrap(), "b");
        for (challenge, error) in [
            ("Basic realm=r", NoDigest::NotAsked),
            ("Digest realm=r", NoDigest::Malformed),
            ("Digest nonce=n", NoDigest::Malformed),
            (
                "Digest realm=r, nonce=n, algorithm=SHA-512-256",
                NoDigest::Algorithm,
            ),
            (
                "Digest realm=r, nonce=n, algorithm=-sess",
                NoDigest::Algorithm,
            ),
            ("Digest realm=r, nonce=n, qop=auth-int", NoDigest::Quality),
            ("Digest realm=r, nonce=n, qop=\"\"", NoDigest::Quality),
        ] {
            assert_eq!(digest(challenge).err(), Some(error), "{challenge}");
        }
        // Of equals the first, and the first reason.
        let equals = "Digest realm=r, nonce=a, Digest realm=r, nonce=b";
        let value = digest(equals).unwrap().answer("GET", "/", &[0; 16]);
        assert_eq!(parameter(&value, "nonce").unwrap(), "a");
        let neither = "Digest realm=r, nonce=n, qop=auth-int, Digest realm=r";
        assert_eq!(digest(neither).err(), Some(NoDigest::Quality));
        assert!(
            digest("Digest realm=r, nonce=n, stale=TRUE")
                .unwrap()
                .is_stale()
        );
        assert!(!digest("Digest realm=r, nonce=n").unwrap().is_stale());
    }

    /// Each reason in words, with its section.
    #[test]
    fn reasons() {
        let shown = [
            NoDigest::NotAsked,
            NoDigest::Malformed,
            NoDigest::Algorithm,
            NoDigest::Quality,
        ]
        .map(|reason| reason.to_string());
        assert_eq!(
            shown,
            [
                "no Digest challenge (RFC 7616 §3.3)",
                "a Digest challenge needs a realm and a nonce (RFC 7616 §3.3)",
                "a Digest algorithm that is not MD5 or SHA-256 (RFC 7616 §6.1)",
                "a Digest challenge that does not offer qop=auth (RFC 7616 §3.3)",
            ]
        );
    }

    /// RFC 7616 §3.9.2 hashes a name; one that is not ASCII is encoded; quotes cannot break out.
    #[test]
    fn names() {
        let name = |user, challenge: &str| {
            let challenges = Challenge::parse(challenge.as_bytes());
            let mut digest = Digest::choose(&challenges, user, "p").unwrap();
            digest.answer("GET", "/\"x", &[0; 16])
        };
        let plain = "Digest realm=\"a\\\"b\", nonce=n";
        let value = name("a\"\\b\r\n", plain);
        assert_eq!(parameter(&value, "realm").unwrap(), "a\"b");
        assert_eq!(parameter(&value, "uri").unwrap(), "/\"x");
        assert!(value.contains("username*=UTF-8''a%22%5Cb%0D%0A"));
        assert!(name("J\u{e4}s\u{f8}n", plain).contains("username*=UTF-8''J%C3%A4s%C3%B8n"));
        let hashed = name("me", "Digest realm=r, nonce=n, userhash=true");
        assert!(hashed.contains("userhash=true") && !hashed.contains("\"me\""));
        let shown = format!("{:?}", digest(plain).unwrap());
        assert_eq!(
            shown,
            "Digest { algorithm: Md5, session: false, count: 0, .. }"
        );
    }

    proptest! {
        /// Whatever the server asks with, the answer can stand in a field.
        #[test]
        fn any_challenge(realm in "\\PC{0,12}|[\r\n\"\\\\a]{0,9}", nonce in any::<String>(), algorithm in "MD5|SHA-256|-sess|\\PC{0,9}") {
            let quoted = |text: &str| text.replace('\\', "\\\\").replace('"', "\\\"");
            let challenge = format!("Digest realm=\"{}\", nonce=\"{}\", algorithm=\"{}\"", quoted(&realm), quoted(&nonce), quoted(&algorithm));
            if let Ok(mut digest) = digest(&challenge) {
                let value = digest.answer("GET", "/", &[0; 16]);
                prop_assert!(!value.chars().any(char::is_control));
            }
        }
    }
}
