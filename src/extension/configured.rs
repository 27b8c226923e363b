//! The message extensions of a configuration, and what comes of them in an opening handshake.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

use crate::frame::MAX_CONTROL_PAYLOAD;
use crate::role::Role;

use super::{Extension, Extensions, MessageCodec, MessageExtension};

/// The message extensions of a configuration, the preferred one first.
#[derive(Debug, Clone)]
pub(crate) struct Configured(pub(crate) Vec<Arc<dyn MessageExtension>>);

/// What a server answers for one of them.
#[derive(Clone)]
pub(crate) struct Answer {
    pub(crate) element: String,
    /// The reserved bit that it uses.
    pub(crate) bit: u8,
}

/// The codec that a connection uses, with the bit that marks its messages.
pub(crate) struct Codec {
    pub(crate) bit: u8,
    pub(crate) messages: Box<dyn MessageCodec>,
    /// The message that is received is decoded piece by piece, under a ceiling on memory.
    pub(crate) in_pieces: bool,
}

/// An answer that the client fails on (RFC 6455 §9.1).
#[derive(Debug)]
pub(crate) struct BadAnswer;

impl Configured {
    pub(crate) const NONE: Self = Self(Vec::new());

    /// Adds one, in place of one of the same name.
    pub(crate) fn add(&mut self, extension: Arc<dyn MessageExtension>) {
        self.0.retain(|other| other.name() != extension.name());
        self.0.push(extension);
    }

    /// Those whose codecs may hold so many bytes of heap, and each as it fits.
    pub(crate) fn within(&self, memory: usize) -> Self {
        let fitted = |extension: &Arc<dyn MessageExtension>| {
            let within = extension.within(memory);
            within.map_or_else(|| Arc::clone(extension), Arc::from)
        };
        let fits = |extension: &&Arc<dyn MessageExtension>| extension.fits(memory);
        Self(self.0.iter().filter(fits).map(fitted).collect())
    }

    /// Client: the elements that offer them.
    pub(crate) fn offer(&self) -> Option<String> {
        let offers: Vec<String> = self.0.iter().map(|extension| extension.offer()).collect();
        (!offers.is_empty()).then(|| offers.join(", "))
    }

    /// Server: the answer to the first of them whose offer can be taken.
    pub(crate) fn answer(&self, offered: &str) -> Option<Answer> {
        self.0.iter().find_map(|extension| {
            let offers = elements(offered).filter(|offer| offer.name() == extension.name());
            let offers: Vec<Extension<'_>> = offers.collect();
            Some(Answer {
                element: extension.answer(&offers).filter(|_| !offers.is_empty())?,
                bit: extension.reserved_bit(),
            })
        })
    }

    /// Client: the name of the extension that the server chose, and its reserved bit.
    ///
    /// # Errors
    /// Parameters that it did not offer, or more than one answer.
    pub(crate) fn check<'a>(&self, answered: &'a str) -> Result<Option<(&'a str, u8)>, BadAnswer> {
        let mut chosen = None;
        for answer in elements(answered) {
            let Some(extension) = self.named(answer.name()) else {
                continue;
            };
            let before = chosen.replace((answer.name(), extension.reserved_bit()));
            let fits =
                extension.accepts(&answer) && extension.codec(Role::Client, &answer).is_some();
            if before.is_some() || !fits {
                return Err(BadAnswer);
            }
        }
        Ok(chosen)
    }

    /// The codec by a server's answer: its text is the one value that says what is in use. None where
    /// the application uses the bit, and so encodes by itself (RFC 7692 §5).
    pub(crate) fn codec(&self, role: Role, answered: &str, taken: u8) -> Option<Codec> {
        elements(answered).find_map(|answer| {
            let extension = self.named(answer.name())?;
            let bit = extension.reserved_bit();
            let messages = extension
                .codec(role, &answer)
                .filter(|_| bit & taken == 0)?;
            Some(Codec {
                bit,
                messages,
                in_pieces: false,
            })
        })
    }

    /// Their names, as many as go into a Close frame that misses one of them (RFC 6455 §7.4.1).
    pub(crate) fn names(&self) -> String {
        let mut list = String::new();
        for name in self.0.iter().map(|extension| extension.name()) {
            if list.len() + ", ".len() + name.len() <= MAX_CONTROL_PAYLOAD - 2 {
                list.push_str(if list.is_empty() { "" } else { ", " });
                list.push_str(name);
            }
        }
        list
    }

    fn named(&self, name: &str) -> Option<&Arc<dyn MessageExtension>> {
        self.0.iter().find(|extension| extension.name() == name)
    }
}

/// The same extensions, not only such as are set alike.
impl PartialEq for Configured {
    fn eq(&self, other: &Self) -> bool {
        let same = |(a, b): (&Arc<_>, &Arc<_>)| Arc::ptr_eq(a, b);
        self.0.len() == other.0.len() && self.0.iter().zip(&other.0).all(same)
    }
}

impl Eq for Configured {}

impl Codec {
    /// The most bytes of heap that it ever takes.
    pub(crate) fn memory_most(&self) -> usize {
        size_of_val(&*self.messages).saturating_add(self.messages.memory_most())
    }

    /// Bytes of heap.
    pub(crate) fn memory_held(&self) -> usize {
        size_of_val(&*self.messages) + self.messages.memory_held()
    }
}

/// The elements of a value that the handshake has checked; none of one outside the grammar.
pub(crate) fn elements(values: &str) -> impl Iterator<Item = Extension<'_>> {
    Extensions::parse((!values.is_empty()).then_some(values.as_bytes()))
        .into_iter()
        .flatten()
}
