//! Negotiation (RFC 7692 §5, §7): from an offer and an answer to one value, which builds the codec.

use alloc::string::{String, ToString};
use core::fmt;

use crate::extension::{Extension, elements};
use crate::role::Role;

use super::config::{MAX_BITS, PermessageDeflate};
use super::{DeflateCodec, Deflater, Inflater, NAME};

/// An answer that the client has to fail on (RFC 7692 §5, §7).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BadDeflateAnswer;

/// The parameters of one element, of an offer or of an answer. They differ in one thing only:
/// `client_max_window_bits` needs a value in an answer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct DeflateParams {
    server_no_context_takeover: bool,
    client_no_context_takeover: bool,
    server_max_window_bits: Option<u8>,
    client_max_window_bits: Option<Bits>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Bits {
    /// Without a value: "I understand it".
    Any,
    Max(u8),
}

impl DeflateParams {
    /// `None`: unknown, doubled, or with a value that is not allowed (RFC 7692 §7).
    fn read(extension: &Extension<'_>) -> Option<Self> {
        let mut read = Self::default();
        for param in extension.params() {
            let new = match (param.name(), param.value().as_deref()) {
                ("server_no_context_takeover", None) => {
                    !core::mem::replace(&mut read.server_no_context_takeover, true)
                }
                ("client_no_context_takeover", None) => {
                    !core::mem::replace(&mut read.client_no_context_takeover, true)
                }
                ("server_max_window_bits", Some(value)) => {
                    read.server_max_window_bits.replace(bits(value)?).is_none()
                }
                ("client_max_window_bits", value) => {
                    let value = value.map_or(Some(Bits::Any), |value| bits(value).map(Bits::Max));
                    read.client_max_window_bits.replace(value?).is_none()
                }
                _ => false,
            };
            if !new {
                return None;
            }
        }
        Some(read)
    }
}

/// A number from 8 to 15 without a leading zero (RFC 7692 §7.1.2.1).
fn bits(value: &str) -> Option<u8> {
    match value.as_bytes() {
        [digit @ b'8'..=b'9'] => Some(digit - b'0'),
        [b'1', digit @ b'0'..=b'5'] => Some(10 + digit - b'0'),
        _ => None,
    }
}

/// What both ends agreed on of permessage-deflate (RFC 7692 §7.1), as
/// [`Connection::agreed_deflate`](crate::Connection::agreed_deflate) tells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct AgreedDeflate {
    /// The server begins each message with an empty window.
    pub server_no_context_takeover: bool,
    /// The client begins each message with an empty window.
    pub client_no_context_takeover: bool,
    /// The server's window has at most 2^this bytes, 8 to 15.
    pub server_max_window_bits: u8,
    /// The client's window has at most 2^this bytes, 8 to 15.
    pub client_max_window_bits: u8,
}

impl AgreedDeflate {
    /// By the answer with these extensions.
    pub(crate) fn of(answered: &str) -> Option<Self> {
        let answer = elements(answered).find(|element| element.name() == NAME)?;
        let agreed = Agreed::read(&answer)?;
        Some(Self {
            server_no_context_takeover: agreed.server_no_context_takeover,
            client_no_context_takeover: agreed.client_no_context_takeover,
            server_max_window_bits: agreed.server_max_window_bits.unwrap_or(MAX_BITS),
            client_max_window_bits: agreed.client_max_window_bits.unwrap_or(MAX_BITS),
        })
    }
}

/// What both ends agreed on. [`Display`](fmt::Display) is the element of the answer, and
/// [`codec`](Self::codec) does what it says: nothing else is kept of the negotiation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Agreed {
    server_no_context_takeover: bool,
    client_no_context_takeover: bool,
    server_max_window_bits: Option<u8>,
    client_max_window_bits: Option<u8>,
}

impl Agreed {
    /// What an answer says. `None`: unknown, doubled or bad parameters (RFC 7692 §7).
    pub(crate) fn read(answer: &Extension<'_>) -> Option<Self> {
        let params = DeflateParams::read(answer)?;
        Some(Self {
            server_no_context_takeover: params.server_no_context_takeover,
            client_no_context_takeover: params.client_no_context_takeover,
            server_max_window_bits: params.server_max_window_bits,
            client_max_window_bits: match params.client_max_window_bits {
                Some(Bits::Any) => return None,
                Some(Bits::Max(bits)) => Some(bits),
                None => None,
            },
        })
    }

    /// Both directions of the connection in this role.
    pub(super) fn codec(&self, role: Role, settings: &PermessageDeflate) -> DeflateCodec {
        let server = (
            self.server_no_context_takeover,
            self.server_max_window_bits,
            settings.server_max_window_bits,
        );
        let client = (
            // A client that offered it keeps to it, answered or not (RFC 7692 §7.1.1.2).
            self.client_no_context_takeover
                || (role == Role::Client && settings.client_no_context_takeover),
            self.client_max_window_bits,
            settings.client_max_window_bits,
        );
        let ((no_takeover, agreed, own), (peer_no_takeover, peer_bits, _)) = match role {
            Role::Server => (server, client),
            Role::Client => (client, server),
        };
        let bits = agreed.unwrap_or(MAX_BITS).min(own);
        // RFC 7692 §7.2.2: without the client's no_context_takeover in the answer its window has to be kept.
        DeflateCodec {
            inflater: Inflater::new(
                !peer_no_takeover,
                peer_bits.unwrap_or(MAX_BITS),
                settings.ratio,
                settings.supply.clone(),
            ),
            deflater: Deflater::new(!no_takeover, bits, settings),
        }
    }
}

/// `permessage-deflate` and the parameters, as they stand in an answer.
impl fmt::Display for Agreed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(NAME)?;
        if self.server_no_context_takeover {
            f.write_str("; server_no_context_takeover")?;
        }
        if self.client_no_context_takeover {
            f.write_str("; client_no_context_takeover")?;
        }
        if let Some(bits) = self.server_max_window_bits {
            write!(f, "; server_max_window_bits={bits}")?;
        }
        if let Some(bits) = self.client_max_window_bits {
            write!(f, "; client_max_window_bits={bits}")?;
        }
        Ok(())
    }
}

/// The server's side.
impl PermessageDeflate {
    /// Takes the first offer that can be taken (RFC 7692 §5). `None`: go on without compression.
    pub(crate) fn choose<'h>(&self, offers: impl Iterator<Item = Extension<'h>>) -> Option<Agreed> {
        // Every window is supported, so a well-formed offer is an acceptable one.
        let offer = offers
            .filter(|offer| offer.name() == NAME)
            .filter_map(|offer| DeflateParams::read(&offer))
            .find(|offer| {
                offer.client_max_window_bits.is_some() || !self.require_client_max_window_bits
            })?;
        // §7.1.2.1: as offered or smaller; also unasked, which lets the client save memory.
        let server_bits = match offer.server_max_window_bits {
            Some(bits) => Some(bits.min(self.server_max_window_bits)),
            None => Some(self.server_max_window_bits).filter(|&bits| bits < MAX_BITS),
        };
        // §7.1.2.2: only if it was offered.
        let client_bits = offer.client_max_window_bits.and_then(|hint| {
            let hint = match hint {
                Bits::Any => MAX_BITS,
                Bits::Max(bits) => bits,
            };
            Some(hint.min(self.client_max_window_bits)).filter(|&bits| bits < MAX_BITS)
        });
        Some(Agreed {
            server_no_context_takeover: offer.server_no_context_takeover
                || self.server_no_context_takeover,
            client_no_context_takeover: offer.client_no_context_takeover
                || self.client_no_context_takeover,
            server_max_window_bits: server_bits,
            client_max_window_bits: client_bits,
        })
    }
}

/// The client's side.
impl PermessageDeflate {
    /// The offer, or two (RFC 7692 §5).
    pub(crate) fn offers(&self) -> String {
        let mut offer = self.one_offer(true);
        if self.fallback && self.demands() {
            offer += ", ";
            offer += &self.one_offer(false);
        }
        offer
    }

    /// Whether the offer leaves the server less than the RFC would.
    fn demands(&self) -> bool {
        self.server_no_context_takeover || self.server_max_window_bits < MAX_BITS
    }

    fn one_offer(&self, demanding: bool) -> String {
        let offer = Agreed {
            server_no_context_takeover: demanding && self.server_no_context_takeover,
            client_no_context_takeover: self.client_no_context_takeover,
            server_max_window_bits: Some(self.server_max_window_bits)
                .filter(|&bits| demanding && bits < MAX_BITS),
            client_max_window_bits: Some(self.client_max_window_bits)
                .filter(|&bits| bits < MAX_BITS && !self.omit_client_max_window_bits),
        };
        let mut text = offer.to_string();
        if offer.client_max_window_bits.is_none() && !self.omit_client_max_window_bits {
            // Without a value: whatever the server answers can be obeyed.
            text += "; client_max_window_bits";
        }
        text
    }

    /// Holds the answer against the offers. `None`: the server goes without compression.
    ///
    /// # Errors
    /// An answer that meets none of the offers, or more than one (RFC 7692 §5, §7).
    pub(crate) fn check<'h>(
        &self,
        answers: impl Iterator<Item = Extension<'h>>,
    ) -> Result<Option<Agreed>, BadDeflateAnswer> {
        let mut answers = answers.filter(|answer| answer.name() == NAME);
        let Some(answer) = answers.next() else {
            return Ok(None);
        };
        if answers.next().is_some() {
            return Err(BadDeflateAnswer);
        }
        let answer = Agreed::read(&answer).ok_or(BadDeflateAnswer)?;
        // §7.1.2.2: only where it was offered.
        if self.omit_client_max_window_bits && answer.client_max_window_bits.is_some() {
            return Err(BadDeflateAnswer);
        }
        let meets_demands = (answer.server_no_context_takeover || !self.server_no_context_takeover)
            && answer.server_max_window_bits.unwrap_or(MAX_BITS) <= self.server_max_window_bits;
        if !meets_demands && !self.fallback {
            return Err(BadDeflateAnswer);
        }
        Ok(Some(answer))
    }
}
