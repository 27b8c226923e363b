//! Answers to challenges, with a name and a password (RFC 9110 §11).

use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::error::FieldError;
use crate::handshake::Refusal;

use super::challenge::Challenge;

/// The value of a field that says who asks, in the scheme Basic (RFC 7617 §2).
pub(super) fn basic(user: &str, password: &str) -> Result<Vec<u8>, FieldError> {
    const SCHEME: &[u8] = b"Basic ";
    let has_control = |text: &str| text.contains(char::is_control);
    if user.contains(':') || has_control(user) || has_control(password) {
        return Err(FieldError::BadValue);
    }
    let pair = format!("{user}:{password}");
    let mut value = vec![0; SCHEME.len() + pair.len().div_ceil(3) * 4];
    let (scheme, credentials) = value.split_at_mut(SCHEME.len());
    scheme.copy_from_slice(SCHEME);
    // There is room for all of it.
    let _ = STANDARD.encode_slice(pair, credentials);
    Ok(value)
}

/// A name and a password for one server or proxy, and which answers were tried there.
#[derive(Clone)]
pub(super) struct Credentials {
    user: String,
    password: String,
    tried: Tried,
}

#[derive(Clone, Copy, Default)]
struct Tried {
    basic: bool,
    #[cfg(feature = "digest")]
    digests: super::digest::Rounds,
}

impl Credentials {
    pub(super) fn new(user: &str, password: &str) -> Self {
        Self {
            user: user.into(),
            password: password.into(),
            tried: Tried::default(),
        }
    }

    /// They were sent unasked.
    pub(super) const fn basic_sent(mut self) -> Self {
        self.tried.basic = true;
        self
    }

    /// What to send in answer to this refusal of a request with this method and target; `None`: all that could help
    /// was tried. Digest comes before Basic, which anybody can read.
    #[cfg_attr(
        not(feature = "digest"),
        expect(unused_variables, reason = "Basic needs none of it")
    )]
    pub(super) fn answer(
        &mut self,
        refusal: &Refusal,
        method: &str,
        target: &str,
        random: &[u8; 16],
    ) -> Option<Vec<u8>> {
        let challenges = Challenge::of(refusal);
        #[cfg(feature = "digest")]
        if let Ok(mut digest) =
            super::digest::Digest::choose(&challenges, &self.user, &self.password)
        {
            let may_help = self.tried.digests.may_help(&digest);
            return may_help.then(|| digest.answer(method, target, random).into_bytes());
        }
        let is_asked = challenges.iter().any(|challenge| challenge.is("Basic"));
        if !is_asked || self.tried.basic {
            return None;
        }
        self.tried.basic = true;
        basic(&self.user, &self.password).ok()
    }
}
