//! The crate's stable numbers of errors, and the sentence that belongs to the last one.

use std::ffi::{CString, c_char};
use std::fmt::Display;

use sansocket::error::{AcceptError, BadEntry, CloseError, FieldError, NoEntropy, SendError};
use sansocket::handshake::UriError;

/// What a call came to: `SS_OK`, or the number of an error, which is the same in every version. The call has
/// changed nothing then, and `ss_last_error` says why in a sentence.
///
/// Numbers from 1 to 99 are this library's, the others the core's.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ss_status {
    /// It was done.
    SS_OK = 0,
    /// An argument that cannot be: text that is not UTF-8, a NULL, a name that does not exist, a close code that no
    /// Close frame may have.
    SS_BAD_ARGUMENT = 1,
    /// An entry of a list of origins or hosts.
    SS_BAD_ENTRY = 2,
    /// A URI that is no ws or wss URI.
    SS_BAD_URI = 3,
    /// The connection is not open yet.
    SS_NOT_OPEN = 401,
    /// The connection is closing: nothing more can be sent.
    SS_CLOSING = 402,
    /// The output queue is full: write some of it first.
    SS_FULL = 403,
    /// A message is being sent in parts: finish it first.
    SS_MESSAGE_IN_PROGRESS = 404,
    /// No message was begun.
    SS_NO_MESSAGE_IN_PROGRESS = 405,
    /// More bytes than fit.
    SS_TOO_LONG = 406,
    /// Text that is not UTF-8.
    SS_NOT_UTF8 = 407,
    /// Reserved bits that no extension uses.
    SS_RESERVED_BITS = 408,
    /// No answer was begun with `ss_begin_response`.
    SS_NO_RESPONSE_IN_PROGRESS = 409,
    /// The answer that was begun is not as long as it was said to be.
    SS_RESPONSE_INCOMPLETE = 410,
    /// It would take the connection above its ceiling on memory.
    SS_MEMORY_FULL = 411,
    /// 1010 is sent by clients only.
    SS_CLIENT_CODE = 501,
    /// A reason follows a code, and there is none.
    SS_REASON_WITHOUT_CODE = 502,
    /// A reason of more than 123 bytes.
    SS_REASON_TOO_LONG = 503,
    /// No request waits for an answer.
    SS_NO_REQUEST = 601,
    /// The client does not offer this subprotocol.
    SS_SUBPROTOCOL_NOT_OFFERED = 602,
    /// The client does not offer this extension.
    SS_EXTENSION_NOT_OFFERED = 603,
    /// Two extensions that cannot be used together.
    SS_EXTENSION_CONFLICT = 604,
    /// A status that is not from 200 to 599.
    SS_BAD_STATUS = 605,
    /// The body is longer than it was said to be.
    SS_BODY_TOO_LONG = 606,
    /// The answer would take the connection above its ceiling on memory.
    SS_ANSWER_BEYOND_MEMORY = 607,
    /// A header field's name is no token.
    SS_BAD_NAME = 701,
    /// A header field's value has a byte that it may not have.
    SS_BAD_VALUE = 702,
    /// A header field that the opening handshake writes itself.
    SS_RESERVED_FIELD = 703,
    /// A subprotocol is no token, or is named twice.
    SS_BAD_SUBPROTOCOL = 704,
    /// An extension that is not well-formed.
    SS_BAD_EXTENSION = 705,
    /// There is no source of randomness.
    SS_NO_ENTROPY = 801,
    /// An error of the core that this version of the header does not name.
    SS_OTHER = 999,
}

use ss_status::*;

/// The status for an error, and the sentence.
pub(crate) struct Refused {
    pub(crate) status: ss_status,
    pub(crate) why: String,
}

impl Refused {
    pub(crate) fn argument(why: &str) -> Self {
        Self {
            status: SS_BAD_ARGUMENT,
            why: why.into(),
        }
    }

    fn new(code: u16, why: &impl Display) -> Self {
        Self {
            status: status(code),
            why: why.to_string(),
        }
    }
}

/// The numbers that the core's errors of calls have.
fn status(code: u16) -> ss_status {
    const NAMED: [ss_status; 27] = [
        SS_NOT_OPEN,
        SS_CLOSING,
        SS_FULL,
        SS_MESSAGE_IN_PROGRESS,
        SS_NO_MESSAGE_IN_PROGRESS,
        SS_TOO_LONG,
        SS_NOT_UTF8,
        SS_RESERVED_BITS,
        SS_NO_RESPONSE_IN_PROGRESS,
        SS_RESPONSE_INCOMPLETE,
        SS_MEMORY_FULL,
        SS_CLIENT_CODE,
        SS_REASON_WITHOUT_CODE,
        SS_REASON_TOO_LONG,
        SS_NO_REQUEST,
        SS_SUBPROTOCOL_NOT_OFFERED,
        SS_EXTENSION_NOT_OFFERED,
        SS_EXTENSION_CONFLICT,
        SS_BAD_STATUS,
        SS_BODY_TOO_LONG,
        SS_ANSWER_BEYOND_MEMORY,
        SS_BAD_NAME,
        SS_BAD_VALUE,
        SS_RESERVED_FIELD,
        SS_BAD_SUBPROTOCOL,
        SS_BAD_EXTENSION,
        SS_NO_ENTROPY,
    ];
    let mut named = NAMED.into_iter();
    named
        .find(|known| *known as u32 == u32::from(code))
        .unwrap_or(SS_OTHER)
}

macro_rules! refused {
    ($($error:ty),*) => {$(
        impl From<$error> for Refused {
            fn from(error: $error) -> Self {
                Self::new(error.code(), &error)
            }
        }
    )*};
}

refused!(SendError, CloseError, AcceptError, FieldError, NoEntropy);

impl From<BadEntry> for Refused {
    fn from(error: BadEntry) -> Self {
        Self {
            status: SS_BAD_ENTRY,
            why: error.to_string(),
        }
    }
}

impl From<UriError> for Refused {
    fn from(error: UriError) -> Self {
        Self {
            status: SS_BAD_URI,
            why: error.to_string(),
        }
    }
}

/// The last sentence, which ends with NUL for C.
#[derive(Default)]
pub(crate) struct LastError(CString);

impl LastError {
    /// Keeps why a call was refused, if it was.
    pub(crate) fn keep(&mut self, done: Result<(), Refused>) -> ss_status {
        match done {
            Ok(()) => SS_OK,
            Err(Refused { status, why }) => {
                self.0 = CString::new(why).unwrap_or_default();
                status
            }
        }
    }

    pub(crate) fn as_ptr(&self) -> *const c_char {
        self.0.as_ptr()
    }
}
