//! The rules for a 101, as the client reads it (RFC 6455 §4.1, third list), whichever parser its fields come from.

use crate::error::{Field, HandshakeError};
use crate::extension::Extensions;
use crate::token::is_token;

use super::accept_key::AcceptValue;
use super::field::{SingleField, elements, has_element, trim, values};

/// (2) to (4): it is an upgrade to WebSocket, by a server that has read the key.
pub(crate) fn check_101<'h>(
    fields: impl Iterator<Item = (&'h str, &'h [u8])>,
    expected: Option<&AcceptValue>,
) -> Result<(), HandshakeError> {
    let (mut upgrade, mut connection, mut accept) = (SingleField::Never, false, SingleField::Never);
    let mut has_connection = false;
    for (name, value) in fields {
        match Field::of(name) {
            Some(Field::Upgrade) => upgrade.note(trim(value)),
            Some(Field::Accept) => accept.note(trim(value)),
            Some(Field::Connection) => {
                has_connection = true;
                connection |= has_element(value, b"Upgrade");
            }
            _ => {}
        }
    }
    // (2): the whole value, unlike in a request, where it is one element of a list.
    let upgrade = upgrade.required(Field::Upgrade)?;
    if !upgrade.eq_ignore_ascii_case(b"websocket") {
        return Err(HandshakeError::Invalid(Field::Upgrade));
    }
    // (3)
    if !has_connection {
        return Err(HandshakeError::Missing(Field::Connection));
    }
    if !connection {
        return Err(HandshakeError::Invalid(Field::Connection));
    }
    // (4), §11.3.3: once, and with regard to case.
    let accept = accept.required(Field::Accept)?;
    if expected.is_none_or(|value| accept != value) {
        return Err(HandshakeError::AcceptMismatch);
    }
    Ok(())
}

/// (6): the subprotocol that the server chose is one of those offered, a list of tokens.
pub(crate) fn chosen_subprotocol<'h>(
    fields: impl Iterator<Item = (&'h str, &'h [u8])> + Clone,
    offered: &str,
    required: bool,
) -> Result<Option<&'h str>, HandshakeError> {
    let mut seen = SingleField::Never;
    for value in values(fields, Field::Protocol) {
        seen.note(value);
    }
    // RFC 6455 §11.3.4: once in a response.
    let Some(value) = seen.optional(Field::Protocol)? else {
        // RFC 6455 §4.1 takes a response without one, the WHATWG API does not.
        if required && !offered.is_empty() {
            return Err(HandshakeError::SubprotocolRequired);
        }
        return Ok(None);
    };
    let malformed = HandshakeError::Invalid(Field::Protocol);
    if !is_token(value) {
        return Err(malformed);
    }
    let chosen = core::str::from_utf8(value).map_err(|_| malformed)?;
    if !elements(offered.as_bytes()).any(|offered| offered == value) {
        return Err(HandshakeError::SubprotocolNotOffered);
    }
    Ok(Some(chosen))
}

/// (5): the accepted extensions are inside the grammar, and the name of each was offered.
pub(crate) fn check_extensions<'h>(
    values: impl Iterator<Item = &'h [u8]> + Clone,
    offered: &str,
) -> Result<(), HandshakeError> {
    let accepted = Extensions::parse(values);
    let mut accepted = accepted.map_err(|_| HandshakeError::Invalid(Field::Extensions))?;
    let is_offered = |name: &str| {
        let offer = (!offered.is_empty()).then_some(offered.as_bytes());
        let mut offered = Extensions::parse(offer).ok().into_iter().flatten();
        offered.any(|offered| offered.name() == name)
    };
    if accepted.all(|accepted| is_offered(accepted.name())) {
        Ok(())
    } else {
        Err(HandshakeError::ExtensionNotOffered)
    }
}
