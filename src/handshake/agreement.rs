//! What is offered, accepted and expected of extensions (RFC 6455 §9.1): what the configuration has, and
//! what the application brings, which may use reserved bits of its own (§5.2, §5.8).

use crate::config::Settings;
use crate::error::{HandshakeError, Misuse};
use crate::extension::{Extension, Extensions, PERMESSAGE_DEFLATE};
use crate::frame::{RESERVED_BITS, RSV1};
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

/// One more element of a list.
pub(crate) fn append(list: &mut String, element: &str) {
    if !list.is_empty() {
        list.push_str(", ");
    }
    list.push_str(element);
}

fn list(values: &str) -> impl Iterator<Item = Extension<'_>> {
    // Inside the grammar: the handshake has seen to it, or nothing is agreed.
    Extensions::parse((!values.is_empty()).then_some(values.as_bytes()))
        .into_iter()
        .flatten()
}

/// Extensions that the application does itself: elements as they are written, in order, and the
/// reserved bits that they use.
#[derive(Clone, Default, PartialEq, Eq)]
pub(crate) struct Own(Vec<(String, u8)>);

/// How many there are.
impl fmt::Debug for Own {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.len())
    }
}

impl Own {
    /// Adds one element or more.
    ///
    /// # Errors
    /// [`Misuse::BadExtension`] outside the grammar, or for bits that do not exist.
    pub(crate) fn add(&mut self, elements: &str, bits: u8) -> Result<(), Misuse> {
        if bits > RESERVED_BITS || Extensions::parse([elements.as_bytes()]).is_err() {
            return Err(Misuse::BadExtension);
        }
        // No blanks and empty elements around them: none are ever written (RFC 9110 §5.6.1).
        let text = elements.trim_matches([' ', '\t', ',']);
        self.0.push((text.into(), bits));
        Ok(())
    }

    /// The elements by themselves, with their bits.
    fn elements(&self) -> impl Iterator<Item = (Extension<'_>, u8)> {
        let texts = self.0.iter();
        texts.flat_map(|(text, bits)| list(text).map(|element| (element, *bits)))
    }

    /// The bits that an extension uses.
    fn bits(&self, name: &str) -> u8 {
        let named = self
            .elements()
            .filter(|(element, _)| element.name() == name);
        named.fold(0, |all, (_, bits)| all | bits)
    }

    /// The value of the field.
    pub(crate) fn list(&self) -> String {
        let mut value = String::new();
        self.0.iter().for_each(|(text, _)| append(&mut value, text));
        value
    }

    /// Server: the whole answer, with `agreed` as its element for permessage-deflate if that can be
    /// used beside the others.
    ///
    /// # Errors
    /// [`Misuse::NotOffered`]; [`Misuse::BadExtension`] for two of one name or on one bit.
    pub(crate) fn answer(&self, agreed: Option<&str>, offered: &str) -> Result<Answered, Misuse> {
        // Nearly always.
        if self.0.is_empty() {
            let extensions = agreed.unwrap_or_default().into();
            return Ok(Answered {
                extensions,
                bits: 0,
            });
        }
        let mut bits = 0;
        for (i, (element, own)) in self.elements().enumerate() {
            let same = |other: &str| other == element.name();
            if !list(offered).any(|offered| same(offered.name())) {
                return Err(Misuse::NotOffered);
            }
            if bits & own != 0 || self.elements().take(i).any(|(other, _)| same(other.name())) {
                return Err(Misuse::BadExtension);
            }
            bits |= own;
        }
        // The order is that of the work on what is sent (RFC 6455 §9.1): what changes messages, then
        // compression, then what marks frames.
        let first_mark = self.0.iter().position(|(_, bits)| *bits != 0);
        let at = first_mark.unwrap_or(self.0.len());
        // RFC 7692 §5: not together with another extension on RSV1, nor behind one on any reserved bit.
        let fits = bits & RSV1 == 0
            && self.0.iter().skip(at).all(|(_, bits)| *bits != 0)
            && self
                .elements()
                .all(|(own, _)| own.name() != PERMESSAGE_DEFLATE);
        let (before, behind) = self.0.split_at(at);
        let mut extensions = String::new();
        for (text, _) in before {
            append(&mut extensions, text);
        }
        if let Some(agreed) = agreed.filter(|_| fits) {
            append(&mut extensions, agreed);
        }
        for (text, _) in behind {
            append(&mut extensions, text);
        }
        Ok(Answered { extensions, bits })
    }
}

/// What a server says of extensions.
pub(crate) struct Answered {
    /// Empty: nothing.
    pub(crate) extensions: String,
    /// The reserved bits that those of the application use.
    pub(crate) bits: u8,
}

#[cfg(feature = "deflate")]
mod deflate {
    use super::{PERMESSAGE_DEFLATE, list};
    use crate::extension::permessage_deflate::Agreed;

    /// What the answer says of permessage-deflate: the one value that the codec is built from.
    pub(crate) fn agreed(answered: &str) -> Option<Agreed> {
        let answer = list(answered).find(|answer| answer.name() == PERMESSAGE_DEFLATE)?;
        Agreed::read(&answer)
    }
}

#[cfg(feature = "deflate")]
pub(crate) use deflate::agreed;

/// Client: what is offered behind the extensions of the application.
pub(crate) fn offer(settings: &Settings) -> Option<String> {
    #[cfg(feature = "deflate")]
    return settings.deflate.as_ref().map(|deflate| deflate.offer());
    #[cfg(not(feature = "deflate"))]
    {
        let _ = settings;
        None
    }
}

/// Server: the element that answers an offer of permessage-deflate, `None` to go on without.
pub(crate) fn choose(settings: &Settings, offered: &str) -> Option<String> {
    #[cfg(feature = "deflate")]
    {
        use alloc::string::ToString;
        let agreed = settings.deflate.as_ref()?.choose(list(offered))?;
        Some(agreed.to_string())
    }
    #[cfg(not(feature = "deflate"))]
    {
        let _ = (settings, offered);
        None
    }
}

/// Client: whether the answer fits what the configuration offered, and the reserved bits that
/// extensions of the application use by it. The names have been looked at.
pub(crate) fn check(settings: &Settings, own: &Own, answered: &str) -> Result<u8, HandshakeError> {
    #[cfg(feature = "deflate")]
    let compression = match &settings.deflate {
        Some(deflate) => deflate
            .check(list(answered))
            .map_err(|_| HandshakeError::ExtensionParameters)?
            .is_some(),
        None => false,
    };
    #[cfg(not(feature = "deflate"))]
    let compression = {
        let _ = settings;
        false
    };
    // RFC 7692 §5: as the server has to see to it, in [`Own::answer`].
    let (mut taken, mut bits) = (0, 0);
    for element in list(answered) {
        let own = own.bits(element.name());
        if compression && element.name() == PERMESSAGE_DEFLATE {
            if taken != 0 {
                return Err(HandshakeError::ExtensionConflict);
            }
            taken = RSV1;
        } else if own & taken != 0 {
            return Err(HandshakeError::ExtensionConflict);
        } else {
            taken |= own;
            bits |= own;
        }
    }
    Ok(bits)
}
