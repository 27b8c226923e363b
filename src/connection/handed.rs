//! What a message to be sent is, as a recording of it tells.
#![cfg_attr(
    not(feature = "replay"),
    allow(dead_code, reason = "only a recording looks at it")
)]

use crate::event::Kind;

use super::outgoing::Prepared;

/// What a message to be sent is.
pub struct Handed<'m> {
    pub(crate) kind: Kind,
    pub(crate) bytes: &'m [u8],
    pub(crate) way: Way<'m>,
}

/// How it is handed over.
pub(crate) enum Way<'m> {
    Copied,
    /// With so much heap of its own; without any it is shared.
    Over(usize),
    Prepared(&'m Prepared),
}

impl<'m> Handed<'m> {
    pub(super) const fn copied(kind: Kind, bytes: &'m [u8]) -> Self {
        let way = Way::Copied;
        Self { kind, bytes, way }
    }

    pub(super) const fn over(kind: Kind, bytes: &'m [u8], held: usize) -> Self {
        let way = Way::Over(held);
        Self { kind, bytes, way }
    }

    pub(super) fn prepared(prepared: &'m Prepared) -> Self {
        Self {
            kind: prepared.kind(),
            bytes: prepared.payload(),
            way: Way::Prepared(prepared),
        }
    }
}
