//! What a recording asks of a connection.

use core::any::Any;

use crate::entropy::{Entropy, Randomness};
use crate::extension::Compress;

use super::Connection;

impl Connection {
    /// The source of randomness, if it is one of this type.
    pub(crate) fn entropy_of<T: Entropy>(&mut self) -> Option<&mut T> {
        match &mut self.entropy {
            Randomness::Custom(source) => (&mut **source as &mut dyn Any).downcast_mut(),
            Randomness::Blocks(_) => None,
        }
    }

    /// A message of this length would go out encoded.
    pub(crate) fn would_encode(&self, len: usize, compress: Compress) -> bool {
        self.encodes(len, compress)
    }

    /// Messages that an extension encoded may come and go, now or after the opening handshake.
    pub(crate) fn may_decode(&self) -> bool {
        let may = || !self.settings().extensions.0.is_empty();
        self.codec().is_some() || !self.life.is_established() && may()
    }
}
