//! Why a call was refused: a number and a name that stay, and a sentence.

use alloc::boxed::Box;
use alloc::string::{String, ToString};
use core::fmt::Display;

use sansocket::error::{AcceptError, BadEntry, CloseError, FieldError, NoEntropy, SendError};
use sansocket::handshake::UriError;

use crate::abi::ws_told;
use crate::numbers::refused;

pub(crate) struct Refused {
    code: u32,
    name: &'static str,
    why: String,
}

impl Refused {
    pub(crate) fn argument(why: &str) -> Self {
        Self {
            code: refused::BAD_ARGUMENT,
            name: "bad_argument",
            why: why.into(),
        }
    }

    fn new(code: u32, name: &'static str, why: &dyn Display) -> Self {
        Self {
            code,
            name,
            why: why.to_string(),
        }
    }

    /// The number, with the rest in `told`, whose sentence is the caller's to give back.
    ///
    /// # Safety
    /// `told` may be written to.
    pub(crate) unsafe fn tell(self, told: *mut ws_told) -> u32 {
        let why = Box::leak(self.why.into_bytes().into_boxed_slice());
        let refusal = ws_told {
            code: self.code,
            ..ws_told::default()
        };
        // SAFETY: what the caller of this function promises.
        unsafe { refusal.bytes(why).named(self.name).put(told) };
        self.code
    }
}

macro_rules! refused {
    ($($error:ty),*) => {$(
        impl From<$error> for Refused {
            fn from(error: $error) -> Self {
                Self::new(error.code().into(), error.name(), &error)
            }
        }
    )*};
}

refused!(SendError, CloseError, AcceptError, FieldError, NoEntropy);

impl From<BadEntry> for Refused {
    fn from(error: BadEntry) -> Self {
        Self::new(refused::BAD_ENTRY, error.name(), &error)
    }
}

impl From<UriError> for Refused {
    fn from(error: UriError) -> Self {
        Self::new(refused::BAD_URI, error.name(), &error)
    }
}

/// What a call comes to.
///
/// # Safety
/// `told` may be written to.
pub(crate) unsafe fn did<E: Into<Refused>>(done: Result<(), E>, told: *mut ws_told) -> u32 {
    match done {
        Ok(()) => refused::OK,
        // SAFETY: what the caller of this function promises.
        Err(why) => unsafe { why.into().tell(told) },
    }
}
