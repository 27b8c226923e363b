//! Bytes that are queued without a copy.

use alloc::borrow::Cow;
use alloc::boxed::Box;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::ops::Deref;

use crate::frame::FrameHeader;

use super::{SharedBytes, SharedText};

/// Bytes that were handed over, or are shared by a reference count, or so few that they need no heap.
pub(crate) enum OwnedBytes {
    Vec(Vec<u8>),
    Arc(Arc<[u8]>),
    Shared(SharedBytes),
    Few(Few),
}

/// As many bytes as the longest header of a frame.
pub(crate) struct Few {
    bytes: [u8; FEW],
    len: u8,
}

const FEW: usize = FrameHeader::MAX_LEN;

impl Few {
    /// A copy of these bytes, if they are few.
    pub(crate) fn copied(from: &[u8]) -> Option<Self> {
        let mut bytes = [0; FEW];
        bytes.get_mut(..from.len())?.copy_from_slice(from);
        let len = from.len() as u8; // at most 14
        Some(Self { bytes, len })
    }
}

impl OwnedBytes {
    /// Bytes of heap that belong to this value alone.
    pub(crate) fn held(&self) -> usize {
        match self {
            Self::Vec(bytes) => bytes.capacity(),
            Self::Arc(_) | Self::Shared(_) | Self::Few(_) => 0,
        }
    }
}

impl Deref for OwnedBytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Self::Vec(bytes) => bytes,
            Self::Arc(bytes) => bytes,
            Self::Shared(bytes) => bytes,
            Self::Few(few) => &few.bytes[..few.len.into()],
        }
    }
}

/// What can be handed over, and how much heap comes with it that belongs to it alone.
pub(crate) trait HandedOver {
    fn memory_held(&self) -> usize;
}

/// The type, and the heap of one.
macro_rules! handed_over {
    ($($type:ty, |$own:pat_param| $held:expr;)*) => {$(
        impl HandedOver for $type {
            fn memory_held(&self) -> usize {
                let $own = self;
                $held
            }
        }
    )*};
}

pub(crate) use handed_over;

handed_over! {
    Vec<u8>, |bytes| bytes.capacity();
    String, |text| text.capacity();
    Box<[u8]>, |bytes| bytes.len();
    Box<str>, |text| text.len();
    Arc<[u8]>, |_| 0;
    Arc<str>, |_| 0;
    SharedBytes, |_| 0;
    SharedText, |_| 0;
    Cow<'_, [u8]>, |bytes| match bytes {
        Cow::Borrowed(_) => 0,
        Cow::Owned(bytes) => bytes.capacity(),
    };
    Cow<'_, str>, |text| match text {
        Cow::Borrowed(_) => 0,
        Cow::Owned(text) => text.capacity(),
    };
}

impl From<Vec<u8>> for OwnedBytes {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Vec(bytes)
    }
}

impl From<String> for OwnedBytes {
    fn from(text: String) -> Self {
        Self::Vec(text.into_bytes())
    }
}

impl From<Box<[u8]>> for OwnedBytes {
    fn from(bytes: Box<[u8]>) -> Self {
        Self::Vec(bytes.into())
    }
}

impl From<Box<str>> for OwnedBytes {
    fn from(text: Box<str>) -> Self {
        String::from(text).into()
    }
}

impl From<Cow<'_, str>> for OwnedBytes {
    fn from(text: Cow<'_, str>) -> Self {
        text.into_owned().into()
    }
}

impl From<Cow<'_, [u8]>> for OwnedBytes {
    fn from(bytes: Cow<'_, [u8]>) -> Self {
        bytes.into_owned().into()
    }
}

impl From<Arc<[u8]>> for OwnedBytes {
    fn from(bytes: Arc<[u8]>) -> Self {
        Self::Arc(bytes)
    }
}

impl From<Arc<str>> for OwnedBytes {
    fn from(text: Arc<str>) -> Self {
        Self::Arc(text.into())
    }
}

impl From<SharedText> for OwnedBytes {
    fn from(text: SharedText) -> Self {
        Self::Shared(text.into_bytes())
    }
}

impl From<SharedBytes> for OwnedBytes {
    fn from(bytes: SharedBytes) -> Self {
        Self::Shared(bytes)
    }
}
