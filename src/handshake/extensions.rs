//! The extensions that are offered, accepted and expected (RFC 6455 §9.1): the configuration's
//! compression, and those of the application, which may use reserved bits (§5.2, §5.8).

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use crate::config::Settings;
use crate::error::{AcceptError, FieldError, HandshakeError};
use crate::extension::{Answer, Extension, Extensions, elements};
use crate::frame::RESERVED_BITS;

use super::negotiated::Negotiated;

/// Extensions that the application does itself: elements as they are written, in order, and the
/// reserved bits that they use.
#[derive(Clone, Default, PartialEq, Eq)]
pub(crate) struct ApplicationExtensions(pub(crate) Vec<(String, u8)>);

impl ApplicationExtensions {
    /// Adds one element or more.
    ///
    /// # Errors
    /// [`FieldError::BadExtension`] outside the grammar, or for bits that do not exist.
    pub(crate) fn add(&mut self, elements: &str, bits: u8) -> Result<(), FieldError> {
        if bits > RESERVED_BITS || Extensions::parse([elements.as_bytes()]).is_err() {
            return Err(FieldError::BadExtension);
        }
        // RFC 9110 §5.6.1: a sender writes no empty elements; blanks around the list say nothing.
        let text = elements.trim_matches([' ', '\t', ',']);
        self.0.push((text.into(), bits));
        Ok(())
    }

    /// Server: what is agreed on of extensions, with the configuration's answer if
    /// that can be used beside the others.
    ///
    /// # Errors
    /// [`AcceptError::ExtensionNotOffered`]; [`AcceptError::ExtensionConflict`] for two of one name or
    /// on one bit.
    #[inline]
    pub(crate) fn answer(
        &self,
        configured: Option<&Answer>,
        offered: &str,
    ) -> Result<Negotiated, AcceptError> {
        // Most applications have no extensions of their own.
        if self.0.is_empty() {
            return Ok(configured.map_or_else(Negotiated::new, |answer| {
                Negotiated::new().extensions(&*answer.element)
            }));
        }
        self.answer_with(configured, offered)
    }

    /// What is agreed on where the application has some.
    fn answer_with(
        &self,
        configured: Option<&Answer>,
        offered: &str,
    ) -> Result<Negotiated, AcceptError> {
        let bits = self.check_offered(offered)?;
        // Elements stand in the order of their work on what is sent (RFC 6455 §9.1): what changes
        // messages, then compression, then what marks frames.
        let first_mark = self.0.iter().position(|(_, bits)| *bits != 0);
        let at = first_mark.unwrap_or(self.0.len());
        let (before, after) = self.0.split_at(at);
        // RFC 7692 §5: not beside another extension on its bit, nor after one on any reserved bit.
        let configured = configured.filter(|answer| {
            bits & answer.bit == 0
                && after.iter().all(|(_, bits)| *bits != 0)
                && elements(&answer.element).all(|answer| !self.has(answer.name()))
        });
        let mut list = String::new();
        for (text, _) in before {
            append(&mut list, text);
        }
        if let Some(answer) = configured {
            append(&mut list, &answer.element);
        }
        for (text, _) in after {
            append(&mut list, text);
        }
        Ok(Negotiated::new().extensions(list).reserved_bits(bits))
    }

    /// Bytes of heap.
    pub(crate) fn memory_held(&self) -> usize {
        let texts = self.0.iter().map(|(text, _)| text.capacity());
        self.0.capacity() * size_of::<(String, u8)>() + texts.sum::<usize>()
    }

    /// The value of the field.
    pub(crate) fn list(&self) -> String {
        let mut value = String::new();
        self.0.iter().for_each(|(text, _)| append(&mut value, text));
        value
    }

    /// Each was offered, and no two have one name or one bit; gives all their bits.
    fn check_offered(&self, offered: &str) -> Result<u8, AcceptError> {
        let mut taken = 0;
        for (i, (element, bits)) in self.elements().enumerate() {
            let same = |other: &str| other == element.name();
            if !elements(offered).any(|offered| same(offered.name())) {
                return Err(AcceptError::ExtensionNotOffered);
            }
            if taken & bits != 0 || self.elements().take(i).any(|(other, _)| same(other.name())) {
                return Err(AcceptError::ExtensionConflict);
            }
            taken |= bits;
        }
        Ok(taken)
    }

    /// Each element, with its bits.
    fn elements(&self) -> impl Iterator<Item = (Extension<'_>, u8)> {
        let texts = self.0.iter();
        texts.flat_map(|(text, bits)| elements(text).map(|element| (element, *bits)))
    }

    fn has(&self, name: &str) -> bool {
        self.elements().any(|(element, _)| element.name() == name)
    }

    /// The bits that an extension uses.
    fn bits(&self, name: &str) -> u8 {
        let named = self
            .elements()
            .filter(|(element, _)| element.name() == name);
        named.fold(0, |all, (_, bits)| all | bits)
    }
}

/// How many there are.
impl fmt::Debug for ApplicationExtensions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.len())
    }
}

/// Appends an element to a list.
pub(crate) fn append(list: &mut String, element: &str) {
    if !list.is_empty() {
        list.push_str(", ");
    }
    list.push_str(element);
}

/// Client: what is offered after the extensions of the application.
pub(crate) fn offer(settings: &Settings) -> Option<String> {
    settings.fitting().offer()
}

/// Client: checks that the answer fits what was offered, and gives the reserved bits that extensions of
/// the application use by it. The names have been checked.
pub(crate) fn check(
    settings: &Settings,
    offered: &ApplicationExtensions,
    answered: &str,
) -> Result<u8, HandshakeError> {
    let configured = settings
        .fitting()
        .check(answered)
        .map_err(|_| HandshakeError::ExtensionParameters)?;
    // RFC 7692 §5, as a server follows it in [`ApplicationExtensions::answer`].
    let (mut taken, mut bits) = (0, 0);
    for element in elements(answered) {
        let used = offered.bits(element.name());
        match configured {
            Some((name, bit)) if name == element.name() => {
                if taken != 0 {
                    return Err(HandshakeError::ExtensionConflict);
                }
                taken = bit;
            }
            _ if used & taken != 0 => return Err(HandshakeError::ExtensionConflict),
            _ => {
                taken |= used;
                bits |= used;
            }
        }
    }
    Ok(bits)
}

#[cfg(test)]
mod tests {
    use super::{ApplicationExtensions, String};

    /// What the texts take counts, and the list of them.
    #[test]
    fn the_heap_that_it_takes() {
        let mut extensions = ApplicationExtensions::default();
        assert_eq!(extensions.memory_held(), 0);
        extensions.0.reserve_exact(3);
        for (text, room) in [("x-first", 100), ("x-second; a=1", 1000)] {
            let mut held = String::with_capacity(room);
            held.push_str(text);
            extensions.0.push((held, 0));
        }
        let list = 3 * size_of::<(String, u8)>();
        assert_eq!(extensions.memory_held(), list + 1100);
    }
}
