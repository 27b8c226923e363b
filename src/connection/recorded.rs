//! What a recording asks of a connection, and of what is sent on it.

use crate::entropy::Entropy;
use crate::event::Kind;
use crate::extension::Compress;

use super::Connection;
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

impl Connection {
    /// The source of randomness, if it is one of this type.
    pub(crate) fn entropy_of<T: Entropy>(&mut self) -> Option<&mut T> {
        self.entropy.own()
    }

    /// A message of this length would go out encoded.
    pub(crate) fn would_encode(&self, len: usize, compress: Compress) -> bool {
        self.encodes(len, compress)
    }

    /// Messages that an extension encoded may come and go, now or after the opening handshake.
    pub(crate) fn may_decode(&self) -> bool {
        let may = || self.settings().extensions.iter().next().is_some();
        self.codec().is_some() || !self.life.is_established() && may()
    }
}
